//! The shaders' layout of codes: blocks of 64 rows, and within a block 16 codes of each row in turn.
//!
//! `tiled[block][component / 16][row % 64][component % 16]`, so that the 64 lanes that read a block read neighbouring 16
//! bytes. The host's layout ([`crate::vector::layout`]) has blocks of 16 rows and groups of 4 codes; four of its blocks
//! make one of these.

use crate::gpu::template::CODES_PER_CHUNK;
use crate::vector::layout;

/// Rows of one block on the device.
pub(super) const TILED_ROWS: usize = 64;

/// Bytes of the codes of one block.
pub(super) fn block_bytes(dimension: usize) -> usize {
    TILED_ROWS * dimension
}

/// Blocks that `rows` rows fill.
pub(super) fn tiled_blocks(rows: usize) -> usize {
    rows.div_ceil(TILED_ROWS)
}

/// Writes block `block` of `codes` (the host's layout) into `out`, whose length is [`block_bytes`]; rows that the host does
/// not have, and rows for which `is_dead` holds, become zeros.
pub(super) fn tile_block(
    codes: &[i8],
    dimension: usize,
    block: usize,
    is_dead: impl Fn(usize) -> bool,
    out: &mut [u8],
) {
    let host_block_bytes = layout::code_bytes(layout::BLOCK_ROWS, dimension);
    let first_row = block * TILED_ROWS;
    let from = first_row / layout::BLOCK_ROWS * host_block_bytes;
    let host = codes.get(from..).unwrap_or(&[]);
    out.fill(0);
    for (part, host_block) in host.chunks_exact(host_block_bytes).take(TILED_ROWS / layout::BLOCK_ROWS).enumerate() {
        for (group, line) in host_block.chunks_exact(layout::BLOCK_ROWS * layout::GROUP).enumerate() {
            let (chunk, word) = (group * layout::GROUP / CODES_PER_CHUNK, group * layout::GROUP % CODES_PER_CHUNK);
            for (lane, four) in line.chunks_exact(layout::GROUP).enumerate() {
                let lane = part * layout::BLOCK_ROWS + lane;
                let at = (chunk * TILED_ROWS + lane) * CODES_PER_CHUNK + word;
                // `at + 4` is at most `dimension / 16 * 64 * 16`, the length of `out`.
                out[at..at + layout::GROUP].copy_from_slice(bytemuck::cast_slice(four));
            }
        }
    }
    for lane in (0..TILED_ROWS).filter(|&lane| is_dead(first_row + lane)) {
        for chunk in out.chunks_exact_mut(TILED_ROWS * CODES_PER_CHUNK) {
            chunk[lane * CODES_PER_CHUNK..(lane + 1) * CODES_PER_CHUNK].fill(0);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_arrives_where_the_shader_reads_it() {
        let (rows, dimension) = (150, 48);
        let code = |row: usize, component: usize| ((row * 7 + component * 3) % 251) as u8 as i8;
        let mut codes = vec![0; layout::code_bytes(rows, dimension)];
        for row in 0..rows {
            let row_codes: Vec<i8> = (0..dimension).map(|component| code(row, component)).collect();
            layout::put_row(&mut codes, row, &row_codes);
        }
        assert_eq!(tiled_blocks(rows), 3);
        for block in 0..3 {
            let mut tiled = vec![9; block_bytes(dimension)];
            tile_block(&codes, dimension, block, |row| row == 70, &mut tiled);
            for lane in 0..TILED_ROWS {
                let row = block * TILED_ROWS + lane;
                for component in 0..dimension {
                    let at = (component / 16 * TILED_ROWS + lane) * 16 + component % 16;
                    let wanted = if row == 70 || row >= rows { 0 } else { code(row, component) };
                    assert_eq!(tiled[at] as i8, wanted, "row {row} component {component}");
                }
            }
        }
    }
}
