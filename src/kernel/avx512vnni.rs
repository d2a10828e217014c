//! The kernel for x86-64 processors with AVX-512 VNNI (Intel servers since 2019, AMD since 2022): a row a lane, and one
//! instruction for four components of sixteen rows.

use std::arch::x86_64::{
    _mm512_dpbusd_epi32, _mm512_loadu_si512, _mm512_set1_epi8, _mm512_set1_epi32, _mm512_storeu_si512, _mm512_xor_si512,
};

use crate::kernel::fetch::Fetch;
use crate::kernel::{Block, Blocks, Dots, Kernel, Levels, OnHit, Packing, Tile, for_probes, gate, scan_with};

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
        // Of 32 registers, and more than 16 since the rows are loaded and flipped once for all of them: measured a
        // tenth faster, and 28 no faster. A batch of 64 makes three tiles.
        24
    }

    fn packing(&self, _probes: usize) -> Packing {
        Packing::Quads
    }

    fn scan(&self, blocks: Blocks<'_>, tile: &Tile, levels: &mut Levels, on_hit: &mut OnHit<'_>) {
        let multiply = |block: Block<'_>, out: &mut Dots| {
            for_probes!(
                tile.probes(),
                [1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 21 22 23 24],
                strip(block, tile.words(), tile.starts(), out),
                debug_assert!(false, "a tile wider than this kernel's")
            );
        };
        scan_with(blocks, tile, levels, on_hit, multiply, |found, probes, scales, levels| {
            // SAFETY: `self` exists only where AVX-512F was detected, which is more than this asks.
            unsafe { gate::reached_512(found, probes, scales, levels) }
        });
    }
}

/// Dot products of `PROBES` probes: a register of sixteen sums for each. The instruction multiplies unsigned with signed
/// bytes. Flipping the sign bit adds 128 to a code, and the sums begin that much lower.
#[target_feature(enable = "avx512f,avx512bw,avx512vnni")]
fn strip<const PROBES: usize>(block: Block<'_>, words: &[i32], starts: &[i32], out: &mut Dots) {
    let Some(starts) = starts.first_chunk::<PROBES>() else { return };
    let mut sums = starts.map(|start| _mm512_set1_epi32(start));
    let flip = _mm512_set1_epi8(i8::MIN);
    let fetch = Fetch::during(block);
    for (number, (line, words)) in block.lines().iter().zip(words.as_chunks::<PROBES>().0).enumerate() {
        fetch.line(number);
        // SAFETY: 64 readable bytes, and this load asks for no alignment.
        let rows = _mm512_xor_si512(unsafe { _mm512_loadu_si512(line.as_ptr().cast()) }, flip);
        for n in 0..PROBES {
            sums[n] = _mm512_dpbusd_epi32(sums[n], rows, _mm512_set1_epi32(words[n]));
        }
    }
    for (out, sums) in out.0.iter_mut().zip(sums) {
        // SAFETY: sixteen writable numbers, and this store asks for no alignment.
        unsafe { _mm512_storeu_si512(out.as_mut_ptr().cast(), sums) };
    }
}
