//! Does any row of a block reach the level of any probe? Asked of every block, answered by "no" almost always.

use std::arch::x86_64::{
    __m256, __m256i, __m512, __m512i, _CMP_GE_OQ, _mm256_castsi256_ps, _mm256_cmp_ps, _mm256_cvtepi32_ps,
    _mm256_loadu_ps, _mm256_movemask_ps, _mm256_mul_ps, _mm256_or_ps, _mm256_set1_ps, _mm256_setzero_si256,
    _mm256_storeu_si256, _mm512_cmp_ps_mask, _mm512_cvtepi32_ps, _mm512_loadu_ps, _mm512_loadu_si512, _mm512_mul_ps,
    _mm512_set1_ps, _mm512_storeu_si512,
};

use crate::kernel::{Dots, Levels};
use crate::vector::layout::BLOCK_ROWS;

/// Tells which probes have a row that reaches their level, and stores all sums then. One branch a block: which probe it
/// was is looked up in the rare case that it was any.
#[inline]
#[target_feature(enable = "avx512f")]
pub(super) fn open_512<const PROBES: usize>(
    sums: &[__m512i; PROBES],
    scales: &[f32; BLOCK_ROWS],
    levels: &Levels,
    out: &mut Dots,
) -> u64 {
    // SAFETY: sixteen readable numbers, and this load asks for no alignment.
    let scales = unsafe { _mm512_loadu_ps(scales.as_ptr()) };
    let mut any = 0;
    for (sum, &level) in sums.iter().zip(levels) {
        any |= reached_512(*sum, scales, level);
    }
    if any == 0 {
        return 0;
    }
    let mut probes = 0;
    for (number, ((sum, &level), out)) in sums.iter().zip(levels).zip(&mut out.0).enumerate() {
        probes |= u64::from(reached_512(*sum, scales, level) != 0) << number;
        // SAFETY: sixteen writable numbers, and this store asks for no alignment.
        unsafe { _mm512_storeu_si512(out.as_mut_ptr().cast(), *sum) };
    }
    probes
}

/// One bit a row whose coarse score is at least `level`.
#[inline]
#[target_feature(enable = "avx512f")]
pub(super) fn reached_512(sums: __m512i, scales: __m512, level: f32) -> u16 {
    let scores = _mm512_mul_ps(_mm512_cvtepi32_ps(sums), scales);
    _mm512_cmp_ps_mask::<_CMP_GE_OQ>(scores, _mm512_set1_ps(level))
}

/// As [`open_512`], with rows 0 to 7 and rows 8 to 15 in two registers for each probe.
#[inline]
#[target_feature(enable = "avx2")]
pub(super) fn open_256<const PROBES: usize>(
    upper: &[__m256i; PROBES],
    lower: &[__m256i; PROBES],
    scales: &[f32; BLOCK_ROWS],
    levels: &Levels,
    out: &mut Dots,
) -> u64 {
    let (top, bottom) = scales.split_at(BLOCK_ROWS / 2);
    // SAFETY: each half is eight readable numbers, and this load asks for no alignment.
    let (top, bottom) = unsafe { (_mm256_loadu_ps(top.as_ptr()), _mm256_loadu_ps(bottom.as_ptr())) };
    let reached = |number: usize| {
        let level = _mm256_set1_ps(levels[number]);
        _mm256_or_ps(reached_256(upper[number], top, level), reached_256(lower[number], bottom, level))
    };
    let mut any = _mm256_castsi256_ps(_mm256_setzero_si256());
    for number in 0..PROBES {
        any = _mm256_or_ps(any, reached(number));
    }
    if _mm256_movemask_ps(any) == 0 {
        return 0;
    }
    let mut probes = 0;
    for (number, out) in out.0.iter_mut().enumerate().take(PROBES) {
        probes |= u64::from(_mm256_movemask_ps(reached(number)) != 0) << number;
        let (first, second) = out.split_at_mut(BLOCK_ROWS / 2);
        // SAFETY: each half is eight writable numbers, and this store asks for no alignment.
        unsafe {
            _mm256_storeu_si256(first.as_mut_ptr().cast(), upper[number]);
            _mm256_storeu_si256(second.as_mut_ptr().cast(), lower[number]);
        }
    }
    probes
}

#[inline]
#[target_feature(enable = "avx2")]
fn reached_256(sums: __m256i, scales: __m256, level: __m256) -> __m256 {
    _mm256_cmp_ps::<_CMP_GE_OQ>(_mm256_mul_ps(_mm256_cvtepi32_ps(sums), scales), level)
}

/// As [`open_512`], of the first `probes` probes, whose sums are in memory already.
#[inline]
#[target_feature(enable = "avx512f")]
pub(super) fn stored_512(dots: &Dots, probes: usize, scales: &[f32; BLOCK_ROWS], levels: &Levels) -> u64 {
    // SAFETY: sixteen readable numbers, and this load asks for no alignment.
    let scales = unsafe { _mm512_loadu_ps(scales.as_ptr()) };
    let reached = |(dots, &level): (&[i32; BLOCK_ROWS], &f32)| {
        // SAFETY: as above.
        reached_512(unsafe { _mm512_loadu_si512(dots.as_ptr().cast()) }, scales, level)
    };
    let each = || dots.0.iter().zip(levels).take(probes).map(reached);
    if each().fold(0, |any, rows| any | rows) == 0 {
        return 0;
    }
    each().enumerate().fold(0, |found, (number, rows)| found | u64::from(rows != 0) << number)
}
