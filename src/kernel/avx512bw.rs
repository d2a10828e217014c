//! The kernel for x86-64 processors with AVX-512BW but no VNNI (Intel servers since 2017): AVX2's steps, twice as wide.

use std::arch::x86_64::{
    _mm512_add_epi32, _mm512_loadu_si512, _mm512_madd_epi16, _mm512_set1_epi32, _mm512_setzero_si512,
    _mm512_slli_epi16, _mm512_srai_epi16,
};

use crate::kernel::{Blocks, Dots, Hit, Kernel, LINE, Levels, OnHit, Packing, Tile, for_probes, gate};

/// Exists only where AVX-512BW does.
#[derive(Debug, Clone, Copy)]
pub struct Avx512Bw {
    _detected: (),
}

impl Avx512Bw {
    /// `None` when this machine lacks AVX-512BW.
    #[must_use]
    pub fn new() -> Option<Self> {
        let here = is_x86_feature_detected!("avx512f") && is_x86_feature_detected!("avx512bw");
        here.then_some(Self { _detected: () })
    }
}

impl Kernel for Avx512Bw {
    fn name(&self) -> &'static str {
        "avx512bw"
    }

    fn tile_probes(&self) -> usize {
        // Multiplication and addition are what limits it: more probes save nothing, and were measured slower from 16 on.
        8
    }

    fn packing(&self) -> Packing {
        Packing::Pairs
    }

    fn scan(&self, blocks: Blocks<'_>, tile: &Tile, levels: &mut Levels, on_hit: &mut OnHit<'_>) {
        for_probes!(
            tile.probes(),
            [1 2 3 4 5 6 7 8],
            strip(blocks, tile, levels, on_hit),
            debug_assert!(false, "a tile wider than this kernel's")
        );
    }
}

/// Dot products of `PROBES` probes: a register of sixteen sums for each.
#[target_feature(enable = "avx512f,avx512bw")]
fn strip<const PROBES: usize>(blocks: Blocks<'_>, tile: &Tile, levels: &mut Levels, on_hit: &mut OnHit<'_>) {
    let groups = tile.words().as_chunks::<PROBES>().0.as_chunks::<2>().0;
    let mut dots = Dots::zero();
    for (block, (codes, scales)) in blocks.each(tile.groups()).enumerate() {
        let mut sums = [_mm512_setzero_si512(); PROBES];
        for (line, [even, odd]) in codes.as_chunks::<LINE>().0.iter().zip(groups) {
            // SAFETY: 64 readable bytes, and this load asks for no alignment.
            let codes = unsafe { _mm512_loadu_si512(line.as_ptr().cast()) };
            let rows = _mm512_srai_epi16::<8>(_mm512_slli_epi16::<8>(codes));
            for n in 0..PROBES {
                sums[n] = _mm512_add_epi32(sums[n], _mm512_madd_epi16(rows, _mm512_set1_epi32(even[n])));
            }
            let rows = _mm512_srai_epi16::<8>(codes);
            for n in 0..PROBES {
                sums[n] = _mm512_add_epi32(sums[n], _mm512_madd_epi16(rows, _mm512_set1_epi32(odd[n])));
            }
        }
        let probes = gate::open_512(&sums, scales, levels, &mut dots);
        if probes != 0 {
            on_hit(&Hit { block, probes, dots: &dots }, levels);
        }
    }
}
