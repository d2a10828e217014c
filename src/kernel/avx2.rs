//! The kernel for x86-64 processors with AVX2 (Intel since 2013, AMD since 2015): sixteen rows in two registers.

use std::arch::x86_64::{
    __m256i, _mm256_add_epi32, _mm256_loadu_si256, _mm256_madd_epi16, _mm256_set1_epi32, _mm256_setzero_si256,
    _mm256_slli_epi16, _mm256_srai_epi16, _mm256_storeu_si256,
};

use crate::kernel::fetch::Fetch;
use crate::kernel::{Block, Dots, LINE, Tile, strip_kernel};
use crate::vector::layout::BLOCK_ROWS;

strip_kernel!(
    Avx2 "avx2" ["avx2"] Pairs [1 2 3 4] 4 reached_256
);

/// Dot products of `PROBES` probes: two registers of eight sums for each.
#[target_feature(enable = "avx2")]
fn strip<const PROBES: usize>(block: Block<'_>, tile: &Tile, out: &mut Dots) {
    let mut upper = [_mm256_setzero_si256(); PROBES];
    let mut lower = [_mm256_setzero_si256(); PROBES];
    let groups = tile.words().as_chunks::<PROBES>().0.as_chunks::<2>().0;
    let fetch = Fetch::during(block);
    for (number, (line, [even, odd])) in block.lines().iter().zip(groups).enumerate() {
        fetch.line(number);
        let (top, bottom) = load(line);
        let (x, y) = (sign_low_bytes(top), sign_low_bytes(bottom));
        let (v, w) = (_mm256_srai_epi16::<8>(top), _mm256_srai_epi16::<8>(bottom));
        // Probe after probe: four rows of codes, eight sums and three to work with are all there are. With all probes' even
        // words before the odd ones, the compiler kept four of the sums on the stack.
        for n in 0..PROBES {
            let (first, second) = (_mm256_set1_epi32(even[n]), _mm256_set1_epi32(odd[n]));
            upper[n] = _mm256_add_epi32(upper[n], _mm256_madd_epi16(x, first));
            lower[n] = _mm256_add_epi32(lower[n], _mm256_madd_epi16(y, first));
            upper[n] = _mm256_add_epi32(upper[n], _mm256_madd_epi16(v, second));
            lower[n] = _mm256_add_epi32(lower[n], _mm256_madd_epi16(w, second));
        }
    }
    for ((sums, upper), lower) in out.0.iter_mut().zip(upper).zip(lower) {
        store(sums, upper, lower);
    }
}

/// Components 0 and 2 of eight rows as 16-bit numbers.
#[inline]
#[target_feature(enable = "avx2")]
fn sign_low_bytes(codes: __m256i) -> __m256i {
    _mm256_srai_epi16::<8>(_mm256_slli_epi16::<8>(codes))
}

/// Rows 0 to 7 and rows 8 to 15 of a line.
#[inline]
#[target_feature(enable = "avx2")]
pub(super) fn load(line: &[i8; LINE]) -> (__m256i, __m256i) {
    let (top, bottom) = line.split_at(LINE / 2);
    // SAFETY: each half is 32 readable bytes, and this load asks for no alignment.
    unsafe { (_mm256_loadu_si256(top.as_ptr().cast()), _mm256_loadu_si256(bottom.as_ptr().cast())) }
}

#[inline]
#[target_feature(enable = "avx2")]
pub(super) fn store(sums: &mut [i32; BLOCK_ROWS], upper: __m256i, lower: __m256i) {
    let (top, bottom) = sums.split_at_mut(BLOCK_ROWS / 2);
    // SAFETY: each half is 32 writable bytes, and this store asks for no alignment.
    unsafe {
        _mm256_storeu_si256(top.as_mut_ptr().cast(), upper);
        _mm256_storeu_si256(bottom.as_mut_ptr().cast(), lower);
    }
}
