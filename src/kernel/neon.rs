//! The kernel for 64-bit ARM processors: sixteen rows in four registers, four components of four rows each.

use std::arch::aarch64::{
    int8x16_t, int32x4_t, vdupq_n_s32, vget_low_s8, vld1q_s8, vmull_high_s8, vmull_s8, vpadalq_s16, vpaddq_s32,
    vreinterpretq_s8_s32, vst1q_s32,
};
use std::arch::{asm, is_aarch64_feature_detected};

use crate::kernel::scalar::reached;
use crate::kernel::{Blocks, Dots, Hit, Kernel, LINE, Levels, OnHit, Packing, Tile, for_probes};
use crate::vector::layout::{BLOCK_ROWS, GROUP};

/// Registers of a line, and of a probe's sums.
const QUARTERS: usize = 4;

/// Exists only where NEON does; uses the dot product instruction of processors since ARMv8.2 where it is there.
#[derive(Debug, Clone, Copy)]
pub struct Neon {
    has_dot_product: bool,
}

impl Neon {
    /// `None` when this machine lacks NEON.
    #[must_use]
    pub fn new() -> Option<Self> {
        let has_dot_product = is_aarch64_feature_detected!("dotprod");
        is_aarch64_feature_detected!("neon").then_some(Self { has_dot_product })
    }
}

impl Kernel for Neon {
    fn name(&self) -> &'static str {
        "neon"
    }

    fn tile_probes(&self) -> usize {
        // Four registers of sums each, four of rows and one of a probe, of 32.
        4
    }

    fn packing(&self) -> Packing {
        Packing::Quads
    }

    fn scan(&self, blocks: Blocks<'_>, tile: &Tile, levels: &mut Levels, on_hit: &mut OnHit<'_>) {
        let mut dots = Dots::zero();
        for (block, (codes, scales)) in blocks.each(tile.groups()).enumerate() {
            if self.has_dot_product {
                for_probes!(
                    tile.probes(),
                    [1 2 3 4],
                    strip(codes, tile.words(), &mut dots),
                    debug_assert!(false, "a tile wider than this kernel's")
                );
            } else {
                // SAFETY: `self` exists only where NEON was detected, which is all that this asks.
                unsafe { widened(codes, tile, &mut dots) };
            }
            let probes = reached(&dots, tile.probes(), scales, levels);
            if probes != 0 {
                on_hit(&Hit { block, probes, dots: &dots }, levels);
            }
        }
    }
}

/// Dot products of `PROBES` probes.
#[target_feature(enable = "neon,dotprod")]
fn strip<const PROBES: usize>(block: &[i8], words: &[i32], out: &mut Dots) {
    let mut sums = [[vdupq_n_s32(0); QUARTERS]; PROBES];
    for (line, words) in block.as_chunks::<LINE>().0.iter().zip(words.as_chunks::<PROBES>().0) {
        let rows = load(line);
        for (sums, &word) in sums.iter_mut().zip(words) {
            let probe = vreinterpretq_s8_s32(vdupq_n_s32(word));
            for (sum, rows) in sums.iter_mut().zip(rows) {
                *sum = add_dots(*sum, rows, probe);
            }
        }
    }
    for (out, sums) in out.0.iter_mut().zip(sums) {
        store(out, sums);
    }
}

/// To each lane of `sums` the sum of four products. The function for this instruction is not in stable Rust yet.
#[inline]
#[target_feature(enable = "neon,dotprod")]
fn add_dots(sums: int32x4_t, rows: int8x16_t, probe: int8x16_t) -> int32x4_t {
    let mut sums = sums;
    // SAFETY: one instruction on registers, of a feature that the function asks for.
    unsafe {
        asm!(
            "sdot {sums:v}.4s, {rows:v}.16b, {probe:v}.16b",
            sums = inout(vreg) sums,
            rows = in(vreg) rows,
            probe = in(vreg) probe,
            options(pure, nomem, nostack, preserves_flags),
        );
    }
    sums
}

/// Without the instruction: products in 16 bits, which hold 128 * 128, added in pairs into 32, a probe at a time.
#[target_feature(enable = "neon")]
fn widened(block: &[i8], tile: &Tile, out: &mut Dots) {
    for (number, out) in out.0.iter_mut().enumerate().take(tile.probes()) {
        // Of each quarter rows 0 and 1 in the first four lanes, rows 2 and 3 in the second: two lanes a row.
        let mut low = [vdupq_n_s32(0); QUARTERS];
        let mut high = low;
        let words = tile.words().iter().skip(number).step_by(tile.probes());
        for (line, &word) in block.as_chunks::<LINE>().0.iter().zip(words) {
            let probe = vreinterpretq_s8_s32(vdupq_n_s32(word));
            for ((low, high), rows) in low.iter_mut().zip(&mut high).zip(load(line)) {
                *low = vpadalq_s16(*low, vmull_s8(vget_low_s8(rows), vget_low_s8(probe)));
                *high = vpadalq_s16(*high, vmull_high_s8(rows, probe));
            }
        }
        store(out, std::array::from_fn(|quarter| vpaddq_s32(low[quarter], high[quarter])));
    }
}

#[inline]
#[target_feature(enable = "neon")]
fn load(line: &[i8; LINE]) -> [int8x16_t; QUARTERS] {
    let quarters = line.as_chunks::<{ LINE / QUARTERS }>().0;
    // SAFETY: each quarter is 16 readable bytes.
    std::array::from_fn(|quarter| unsafe { vld1q_s8(quarters[quarter].as_ptr()) })
}

#[inline]
#[target_feature(enable = "neon")]
fn store(out: &mut [i32; BLOCK_ROWS], sums: [int32x4_t; QUARTERS]) {
    for (out, sum) in out.as_chunks_mut::<GROUP>().0.iter_mut().zip(sums) {
        // SAFETY: four writable numbers.
        unsafe { vst1q_s32(out.as_mut_ptr(), sum) };
    }
}
