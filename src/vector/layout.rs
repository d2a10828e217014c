//! Where a row's codes lie: blocks of 16 rows, and within a block groups of 4 components of each row in turn.
//!
//! `codes[block][component / 4][row % 16][component % 4]`. One 64-byte line holds 4 components of 16 rows, so a vector
//! lane is a row and its running sum is that row's dot product: no sums across lanes.

/// Rows of one block.
pub const BLOCK_ROWS: usize = 16;
/// Components that lie together.
pub const GROUP: usize = 4;

/// Blocks that `rows` rows fill, the last one perhaps in part.
#[must_use]
pub fn blocks(rows: usize) -> usize {
    rows.div_ceil(BLOCK_ROWS)
}

/// Bytes of the codes of `rows` rows, padded to whole blocks.
#[must_use]
pub fn code_bytes(rows: usize, dimension: usize) -> usize {
    blocks(rows) * BLOCK_ROWS * dimension
}

/// Position of one component of one row.
#[must_use]
pub fn offset(row: usize, component: usize, dimension: usize) -> usize {
    let block = row / BLOCK_ROWS * BLOCK_ROWS * dimension;
    block + component / GROUP * (BLOCK_ROWS * GROUP) + row % BLOCK_ROWS * GROUP + component % GROUP
}

/// Writes the codes of `row` into `codes` (whole blocks of `row_codes.len()` components).
pub fn put_row(codes: &mut [i8], row: usize, row_codes: &[i8]) {
    let dimension = row_codes.len();
    for (group, four) in row_codes.chunks_exact(GROUP).enumerate() {
        let at = offset(row, group * GROUP, dimension);
        codes[at..at + GROUP].copy_from_slice(four);
    }
}

/// Reads the codes of `row` out of `codes` into `out`, whose length is the dimension.
pub fn take_row(codes: &[i8], row: usize, out: &mut [i8]) {
    let dimension = out.len();
    for (group, four) in out.chunks_exact_mut(GROUP).enumerate() {
        let at = offset(row, group * GROUP, dimension);
        four.copy_from_slice(&codes[at..at + GROUP]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_component_has_a_place_of_its_own() {
        let (rows, dimension) = (33, 32);
        let mut seen = vec![false; code_bytes(rows, dimension)];
        for row in 0..rows {
            for component in 0..dimension {
                let at = offset(row, component, dimension);
                assert!(!std::mem::replace(&mut seen[at], true));
            }
        }
        assert_eq!(seen.len(), 48 * 32);
    }

    #[test]
    fn rows_round_trip() {
        let dimension = 48;
        let mut codes = vec![0; code_bytes(20, dimension)];
        let row: Vec<i8> = (0..dimension as i8).collect();
        put_row(&mut codes, 17, &row);
        let mut back = vec![0; dimension];
        take_row(&codes, 17, &mut back);
        assert_eq!(back, row);
        take_row(&codes, 16, &mut back);
        assert!(back.iter().all(|&code| code == 0));
    }
}
