//! Which rows of a block reach the level of which probe? Asked of every block, answered by "none" for most.

use std::arch::x86_64::{
    __m256, _CMP_GE_OQ, _mm256_cmp_ps, _mm256_cvtepi32_ps, _mm256_loadu_ps, _mm256_loadu_si256, _mm256_movemask_ps,
    _mm256_mul_ps, _mm256_set1_ps, _mm512_cmp_ps_mask, _mm512_cvtepi32_ps, _mm512_loadu_ps, _mm512_loadu_si512,
    _mm512_mul_ps, _mm512_set1_ps,
};

use crate::kernel::{Found, Levels};
use crate::vector::layout::BLOCK_ROWS;

/// Looks at the dot products of the first `probes` probes: tells which probes have a row that reaches their level, and
/// notes which rows these are.
#[target_feature(enable = "avx512f")]
pub(super) fn reached_512(found: &mut Found, probes: usize, scales: &[f32; BLOCK_ROWS], levels: &Levels) -> u64 {
    // SAFETY: sixteen readable numbers, and this load asks for no alignment.
    let scales = unsafe { _mm512_loadu_ps(scales.as_ptr()) };
    let mut any = 0;
    let each = found.dots.0.iter().zip(&mut found.rows).zip(levels);
    for (number, ((dots, rows), &level)) in each.enumerate().take(probes) {
        // SAFETY: as above.
        let dots = unsafe { _mm512_loadu_si512(dots.as_ptr().cast()) };
        let scores = _mm512_mul_ps(_mm512_cvtepi32_ps(dots), scales);
        *rows = _mm512_cmp_ps_mask::<_CMP_GE_OQ>(scores, _mm512_set1_ps(level));
        any |= u64::from(*rows != 0) << number;
    }
    any
}

/// As [`reached_512`], in halves.
#[target_feature(enable = "avx2")]
pub(super) fn reached_256(found: &mut Found, probes: usize, scales: &[f32; BLOCK_ROWS], levels: &Levels) -> u64 {
    let (top, bottom) = scales.split_at(BLOCK_ROWS / 2);
    // SAFETY: each half is eight readable numbers, and this load asks for no alignment.
    let (top, bottom) = unsafe { (_mm256_loadu_ps(top.as_ptr()), _mm256_loadu_ps(bottom.as_ptr())) };
    let mut any = 0;
    let each = found.dots.0.iter().zip(&mut found.rows).zip(levels);
    for (number, ((dots, rows), &level)) in each.enumerate().take(probes) {
        let level = _mm256_set1_ps(level);
        let (first, second) = dots.split_at(BLOCK_ROWS / 2);
        *rows = eight(first, top, level) | eight(second, bottom, level) << (BLOCK_ROWS / 2);
        any |= u64::from(*rows != 0) << number;
    }
    any
}

/// One bit a row; `dots` are eight.
#[inline]
#[target_feature(enable = "avx2")]
fn eight(dots: &[i32], scales: __m256, level: __m256) -> u16 {
    debug_assert_eq!(dots.len(), BLOCK_ROWS / 2);
    // SAFETY: eight readable numbers, and this load asks for no alignment.
    let dots = unsafe { _mm256_loadu_si256(dots.as_ptr().cast()) };
    let scores = _mm256_mul_ps(_mm256_cvtepi32_ps(dots), scales);
    _mm256_movemask_ps(_mm256_cmp_ps::<_CMP_GE_OQ>(scores, level)) as u16
}
