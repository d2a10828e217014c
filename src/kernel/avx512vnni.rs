//! The kernel for x86-64 processors with AVX-512 VNNI (Intel servers since 2019, AMD since 2022): a row a lane, and one
//! instruction for four components of sixteen rows.

use std::arch::x86_64::{
    _mm512_dpbusd_epi32, _mm512_loadu_si512, _mm512_set1_epi8, _mm512_set1_epi32, _mm512_xor_si512,
};

use crate::kernel::{Blocks, Dots, Hit, Kernel, LINE, Levels, OnHit, Packing, Tile, for_probes, gate};

/// Exists only where AVX-512 VNNI does.
#[derive(Debug, Clone, Copy)]
pub struct Avx512Vnni {
    _detected: (),
}

impl Avx512Vnni {
    /// `None` when this machine lacks AVX-512 VNNI.
    #[must_use]
    pub fn new() -> Option<Self> {
        let here = is_x86_feature_detected!("avx512f")
            && is_x86_feature_detected!("avx512bw")
            && is_x86_feature_detected!("avx512vnni");
        here.then_some(Self { _detected: () })
    }
}

impl Kernel for Avx512Vnni {
    fn name(&self) -> &'static str {
        "avx512vnni"
    }

    fn tile_probes(&self) -> usize {
        // Of 32 registers: measured a tenth faster than 16, and 28 no faster.
        24
    }

    fn packing(&self) -> Packing {
        Packing::Quads
    }

    fn scan(&self, blocks: Blocks<'_>, tile: &Tile, levels: &mut Levels, on_hit: &mut OnHit<'_>) {
        for_probes!(
            tile.probes(),
            [1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 21 22 23 24],
            strip(blocks, tile, levels, on_hit),
            debug_assert!(false, "a tile wider than this kernel's")
        );
    }
}

/// Dot products of `PROBES` probes: a register of sixteen sums for each. The instruction multiplies unsigned with signed
/// bytes. Flipping the sign bit adds 128 to a code, and the sums begin that much lower.
#[target_feature(enable = "avx512f,avx512bw,avx512vnni")]
fn strip<const PROBES: usize>(blocks: Blocks<'_>, tile: &Tile, levels: &mut Levels, on_hit: &mut OnHit<'_>) {
    let Some(starts) = tile.starts().first_chunk::<PROBES>() else { return };
    let words = tile.words().as_chunks::<PROBES>().0;
    let flip = _mm512_set1_epi8(i8::MIN);
    let mut dots = Dots::zero();
    for (block, (codes, scales)) in blocks.each(tile.groups()).enumerate() {
        let mut sums = starts.map(|start| _mm512_set1_epi32(start));
        for (line, words) in codes.as_chunks::<LINE>().0.iter().zip(words) {
            // SAFETY: 64 readable bytes, and this load asks for no alignment.
            let rows = _mm512_xor_si512(unsafe { _mm512_loadu_si512(line.as_ptr().cast()) }, flip);
            for n in 0..PROBES {
                sums[n] = _mm512_dpbusd_epi32(sums[n], rows, _mm512_set1_epi32(words[n]));
            }
        }
        let probes = gate::open_512(&sums, scales, levels, &mut dots);
        if probes != 0 {
            on_hit(&Hit { block, probes, dots: &dots }, levels);
        }
    }
}
