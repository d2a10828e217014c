//! The kernel that runs everywhere: plain loops, which compilers turn into whatever vectors the target has.

use crate::kernel::{Blocks, Dots, Hit, Kernel, LINE, Levels, OnHit, Packing, Tile};
use crate::vector::layout::{BLOCK_ROWS, GROUP};

/// Portable code, no special instructions.
#[derive(Debug, Clone, Copy, Default)]
pub struct Scalar;

impl Kernel for Scalar {
    fn name(&self) -> &'static str {
        "scalar"
    }

    fn tile_probes(&self) -> usize {
        4
    }

    fn packing(&self) -> Packing {
        Packing::Pairs
    }

    fn scan(&self, blocks: Blocks<'_>, tile: &Tile, levels: &mut Levels, on_hit: &mut OnHit<'_>) {
        let mut dots = Dots::zero();
        for (block, (codes, scales)) in blocks.each(tile.groups()).enumerate() {
            multiply(codes, tile, &mut dots);
            let probes = reached(&dots, tile.probes(), scales, levels);
            if probes != 0 {
                on_hit(&Hit { block, probes, dots: &dots }, levels);
            }
        }
    }
}

/// Which of the first `probes` probes have a row that reaches their level.
pub(super) fn reached(dots: &Dots, probes: usize, scales: &[f32; BLOCK_ROWS], levels: &Levels) -> u64 {
    let mut found = 0;
    for (number, (dots, &level)) in dots.0.iter().zip(levels).enumerate().take(probes) {
        let mut any = false;
        for (&dot, &scale) in dots.iter().zip(scales) {
            // Not short-circuited: sixteen comparisons and one branch.
            any |= dot as f32 * scale >= level;
        }
        found |= u64::from(any) << number;
    }
    found
}

fn multiply(block: &[i8], tile: &Tile, out: &mut Dots) {
    let probes = tile.probes();
    for sums in out.0.iter_mut().take(probes) {
        sums.fill(0);
    }
    let groups = tile.words().chunks_exact(2 * probes.max(1));
    for (line, words) in block.as_chunks::<LINE>().0.iter().zip(groups) {
        let columns = columns(line);
        let (even, odd) = words.split_at(probes);
        for ((sums, &even), &odd) in out.0.iter_mut().zip(even).zip(odd) {
            let probe = [even as i16, odd as i16, (even >> 16) as i16, (odd >> 16) as i16];
            for (column, factor) in columns.iter().zip(probe) {
                add(sums, column, factor);
            }
        }
    }
}

/// Turns four components of each of sixteen rows into sixteen rows of each of four components.
fn columns(line: &[i8; LINE]) -> [[i16; BLOCK_ROWS]; GROUP] {
    let mut columns = [[0; BLOCK_ROWS]; GROUP];
    for (row, codes) in line.as_chunks::<GROUP>().0.iter().enumerate() {
        for (column, &code) in columns.iter_mut().zip(codes) {
            column[row] = i16::from(code);
        }
    }
    columns
}

/// Adds each row's product. Two codes multiply to at most 128 * 128, which 16 bits hold; a narrow product is a cheap one
/// where a target has no 32-bit vector multiplication.
#[inline]
fn add(sums: &mut [i32; BLOCK_ROWS], column: &[i16; BLOCK_ROWS], factor: i16) {
    for (sum, &code) in sums.iter_mut().zip(column) {
        *sum += i32::from(code.wrapping_mul(factor));
    }
}
