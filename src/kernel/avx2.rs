//! The kernel for x86-64 processors with AVX2 (Intel since 2013, AMD since 2015): sixteen rows in two registers.

use std::arch::x86_64::{
    __m256i, _mm256_add_epi32, _mm256_loadu_si256, _mm256_madd_epi16, _mm256_set1_epi32, _mm256_setzero_si256,
    _mm256_slli_epi16, _mm256_srai_epi16,
};

use crate::kernel::scalar::Scalar;
use crate::kernel::{Blocks, Dots, Hit, Kernel, LINE, Levels, OnHit, Packing, Tile, for_probes, gate};

/// Exists only where AVX2 does.
#[derive(Debug, Clone, Copy)]
pub struct Avx2 {
    _detected: (),
}

impl Avx2 {
    /// `None` when this machine lacks AVX2.
    #[must_use]
    pub fn new() -> Option<Self> {
        is_x86_feature_detected!("avx2").then_some(Self { _detected: () })
    }
}

impl Kernel for Avx2 {
    fn name(&self) -> &'static str {
        "avx2"
    }

    fn tile_probes(&self) -> usize {
        4
    }

    fn packing(&self) -> Packing {
        Packing::Pairs
    }

    fn scan(&self, blocks: Blocks<'_>, tile: &Tile, levels: &mut Levels, on_hit: &mut OnHit<'_>) {
        // More than `tile_probes`: the sums would not stay in sixteen registers.
        let other = Scalar;
        for_probes!(
            tile.probes(),
            [1 2 3 4],
            strip(blocks, tile, levels, on_hit),
            other.scan(blocks, tile, levels, on_hit)
        );
    }
}

/// Dot products of `PROBES` probes: two registers of eight sums for each.
#[target_feature(enable = "avx2")]
fn strip<const PROBES: usize>(blocks: Blocks<'_>, tile: &Tile, levels: &mut Levels, on_hit: &mut OnHit<'_>) {
    let mut dots = Dots::zero();
    let groups = tile.words().as_chunks::<PROBES>().0.as_chunks::<2>().0;
    for (block, (codes, scales)) in blocks.each(tile.groups()).enumerate() {
        let mut upper = [_mm256_setzero_si256(); PROBES];
        let mut lower = [_mm256_setzero_si256(); PROBES];
        for (line, [even, odd]) in codes.as_chunks::<LINE>().0.iter().zip(groups) {
            let (top, bottom) = load(line);
            let (x, y) = (sign_low_bytes(top), sign_low_bytes(bottom));
            for n in 0..PROBES {
                let pair = _mm256_set1_epi32(even[n]);
                upper[n] = _mm256_add_epi32(upper[n], _mm256_madd_epi16(x, pair));
                lower[n] = _mm256_add_epi32(lower[n], _mm256_madd_epi16(y, pair));
            }
            let (x, y) = (_mm256_srai_epi16::<8>(top), _mm256_srai_epi16::<8>(bottom));
            for n in 0..PROBES {
                let pair = _mm256_set1_epi32(odd[n]);
                upper[n] = _mm256_add_epi32(upper[n], _mm256_madd_epi16(x, pair));
                lower[n] = _mm256_add_epi32(lower[n], _mm256_madd_epi16(y, pair));
            }
        }
        let probes = gate::open_256(&upper, &lower, scales, levels, &mut dots);
        if probes != 0 {
            on_hit(&Hit { block, probes, dots: &dots }, levels);
        }
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
