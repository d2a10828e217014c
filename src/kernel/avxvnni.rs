//! The kernel for x86-64 processors with AVX-VNNI (Intel since 2021, also without AVX-512; AMD since 2024).

use std::arch::x86_64::{_mm256_dpbusd_avx_epi32, _mm256_set1_epi8, _mm256_set1_epi32, _mm256_xor_si256};

use crate::kernel::avx2::{load, store};
use crate::kernel::fetch::Fetch;
use crate::kernel::{Block, Blocks, Dots, Kernel, Levels, OnHit, Packing, Tile, for_probes, gate, scan_with};

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

    fn packing(&self, _probes: usize) -> Packing {
        Packing::Quads
    }

    fn scan(&self, blocks: Blocks<'_>, tile: &Tile, levels: &mut Levels, on_hit: &mut OnHit<'_>) {
        let multiply = |block: Block<'_>, out: &mut Dots| {
            for_probes!(
                tile.probes(),
                [1 2 3 4 5 6],
                strip(block, tile.words(), tile.starts(), out),
                debug_assert!(false, "a tile wider than this kernel's")
            );
        };
        scan_with(blocks, tile, levels, on_hit, multiply, |found, probes, scales, levels| {
            // SAFETY: `self` exists only where AVX2 was detected, which is more than this asks.
            unsafe { gate::reached_256(found, probes, scales, levels) }
        });
    }
}

/// Dot products of `PROBES` probes: two registers of eight sums for each. The instruction multiplies unsigned with signed
/// bytes. Flipping the sign bit adds 128 to a code, and the sums begin that much lower.
#[target_feature(enable = "avx2,avxvnni")]
fn strip<const PROBES: usize>(block: Block<'_>, words: &[i32], starts: &[i32], out: &mut Dots) {
    let Some(starts) = starts.first_chunk::<PROBES>() else { return };
    let mut upper = starts.map(|start| _mm256_set1_epi32(start));
    let mut lower = upper;
    let flip = _mm256_set1_epi8(i8::MIN);
    let fetch = Fetch::during(block);
    for (number, (line, words)) in block.lines().iter().zip(words.as_chunks::<PROBES>().0).enumerate() {
        fetch.line(number);
        let (top, bottom) = load(line);
        let (x, y) = (_mm256_xor_si256(top, flip), _mm256_xor_si256(bottom, flip));
        for n in 0..PROBES {
            let probe = _mm256_set1_epi32(words[n]);
            upper[n] = _mm256_dpbusd_avx_epi32(upper[n], x, probe);
            lower[n] = _mm256_dpbusd_avx_epi32(lower[n], y, probe);
        }
    }
    for ((sums, upper), lower) in out.0.iter_mut().zip(upper).zip(lower) {
        store(sums, upper, lower);
    }
}
