//! The kernel for x86-64 processors with AVX-VNNI (Intel since 2021, also without AVX-512; AMD since 2024).

use std::arch::x86_64::{_mm256_dpbusd_avx_epi32, _mm256_set1_epi8, _mm256_set1_epi32, _mm256_xor_si256};

use crate::kernel::avx2::load;
use crate::kernel::{Blocks, Dots, Hit, Kernel, LINE, Levels, OnHit, Packing, Tile, for_probes, gate};

/// Exists only where AVX-VNNI does.
#[derive(Debug, Clone, Copy)]
pub struct AvxVnni {
    _detected: (),
}

impl AvxVnni {
    /// `None` when this machine lacks AVX-VNNI.
    #[must_use]
    pub fn new() -> Option<Self> {
        (is_x86_feature_detected!("avx2") && is_x86_feature_detected!("avxvnni")).then_some(Self { _detected: () })
    }
}

impl Kernel for AvxVnni {
    fn name(&self) -> &'static str {
        "avxvnni"
    }

    fn tile_probes(&self) -> usize {
        // Two registers of sums each, two of rows, one of a probe, one of the sign bits: all sixteen.
        6
    }

    fn packing(&self) -> Packing {
        Packing::Quads
    }

    fn scan(&self, blocks: Blocks<'_>, tile: &Tile, levels: &mut Levels, on_hit: &mut OnHit<'_>) {
        for_probes!(
            tile.probes(),
            [1 2 3 4 5 6],
            strip(blocks, tile, levels, on_hit),
            debug_assert!(false, "a tile wider than this kernel's")
        );
    }
}

/// Dot products of `PROBES` probes: two registers of eight sums for each. The instruction multiplies unsigned with signed
/// bytes. Flipping the sign bit adds 128 to a code, and the sums begin that much lower.
#[target_feature(enable = "avx2,avxvnni")]
fn strip<const PROBES: usize>(blocks: Blocks<'_>, tile: &Tile, levels: &mut Levels, on_hit: &mut OnHit<'_>) {
    let Some(starts) = tile.starts().first_chunk::<PROBES>() else { return };
    let words = tile.words().as_chunks::<PROBES>().0;
    let flip = _mm256_set1_epi8(i8::MIN);
    let mut dots = Dots::zero();
    for (block, (codes, scales)) in blocks.each(tile.groups()).enumerate() {
        let mut upper = starts.map(|start| _mm256_set1_epi32(start));
        let mut lower = upper;
        for (line, words) in codes.as_chunks::<LINE>().0.iter().zip(words) {
            let (top, bottom) = load(line);
            let (x, y) = (_mm256_xor_si256(top, flip), _mm256_xor_si256(bottom, flip));
            for n in 0..PROBES {
                let probe = _mm256_set1_epi32(words[n]);
                upper[n] = _mm256_dpbusd_avx_epi32(upper[n], x, probe);
                lower[n] = _mm256_dpbusd_avx_epi32(lower[n], y, probe);
            }
        }
        let probes = gate::open_256(&upper, &lower, scales, levels, &mut dots);
        if probes != 0 {
            on_hit(&Hit { block, probes, dots: &dots }, levels);
        }
    }
}
