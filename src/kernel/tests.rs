//! Every kernel against sums and comparisons made one by one.

use super::*;
use crate::vector::layout;
use proptest::prelude::*;

fn codes(dimension: usize) -> impl Strategy<Value = Vec<i8>> {
    // The extremes are common, so that sums that would overflow something narrow do.
    let code = prop_oneof![4 => -127_i8..=127, 1 => Just(127_i8), 1 => Just(-127_i8), 1 => Just(-128_i8)];
    prop_oneof![
        6 => proptest::collection::vec(code, dimension),
        1 => Just(vec![127; dimension]),
        1 => Just(vec![-127; dimension]),
        1 => Just(vec![-128; dimension]),
    ]
}

type Problem = (Vec<Vec<i8>>, Vec<Vec<i8>>);

fn problem() -> impl Strategy<Value = Problem> {
    let steps = prop_oneof![4 => 1_usize..=32, 1 => Just(64), 1 => Just(128), 1 => 1_usize..=128];
    let probes = prop_oneof![3 => 1_usize..=17, 1 => 1..=TILE_PROBES_MAX + 3];
    (steps, probes, 1..=3 * BLOCK_ROWS).prop_flat_map(|(step, probes, rows)| {
        let vectors = |count| proptest::collection::vec(codes(step * 16), count);
        (vectors(rows), vectors(probes))
    })
}

fn naive(row: &[i8], probe: &[i8]) -> i32 {
    row.iter().zip(probe).map(|(x, q)| i32::from(*x) * i32::from(*q)).sum()
}

/// Codes in the order of the layout, and a scale for each row.
fn packed(rows: &[Vec<i8>], scale: impl Fn(usize) -> f32) -> (Vec<i8>, Vec<[f32; BLOCK_ROWS]>) {
    let mut codes = vec![0; layout::code_bytes(rows.len(), rows[0].len())];
    for (number, row) in rows.iter().enumerate() {
        layout::put_row(&mut codes, number, row);
    }
    let lines =
        (0..layout::blocks(rows.len())).map(|block| std::array::from_fn(|lane| scale(block * BLOCK_ROWS + lane)));
    (codes, lines.collect())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn every_kernel_equals_the_naive_sum((rows, probes) in problem()) {
        let padding = vec![0; rows[0].len()];
        let (codes, scales) = packed(&rows, |_| 1.0);
        for kernel in all() {
            for width in 1..=kernel.tile_probes() {
                let mut at = 0;
                let slices: Vec<&[i8]> = probes.iter().map(Vec::as_slice).collect();
                for tile in Tile::pack_as(&slices, kernel.packing(), width) {
                    let mut seen = Vec::new();
                    let mut levels = [f32::NEG_INFINITY; TILE_PROBES_MAX];
                    let blocks = Blocks { codes: &codes, scales: &scales };
                    kernel.scan(blocks, &tile, &mut levels, &mut |hit, _| seen.push((hit.block, hit.dots.clone())));
                    prop_assert_eq!(seen.len(), layout::blocks(rows.len()), "{}", kernel.name());
                    for (number, (block, dots)) in seen.iter().enumerate() {
                        prop_assert_eq!(number, *block);
                        for (probe, dots) in (at..).zip(&dots.0[..tile.probes()]) {
                            for (row, &dot) in (block * BLOCK_ROWS..).zip(dots) {
                                let codes = rows.get(row).unwrap_or(&padding);
                                prop_assert_eq!(dot, naive(codes, &probes[probe]), "{} row {} probe {}", kernel.name(), row, probe);
                            }
                        }
                    }
                    at += tile.probes();
                }
                prop_assert_eq!(at, probes.len());
            }
        }
    }

    /// One bit too few is a missed candidate, one too many wasted time.
    #[test]
    fn a_block_is_told_exactly_when_a_row_reaches_its_level(
        (rows, probes) in problem(), ranks in proptest::collection::vec(any::<proptest::sample::Index>(), TILE_PROBES_MAX),
        scales in proptest::collection::vec(prop_oneof![9 => 1e-4_f32..1e-2, 1 => Just(-1.0_f32)], 3 * BLOCK_ROWS), nudge in 0_usize..4
    ) {
        let probes = &probes[..probes.len().min(TILE_PROBES_MAX)];
        let (codes, lines) = packed(&rows, |row| scales[row % scales.len()]);
        let padding = vec![0; rows[0].len()];
        let score = |row: usize, probe: &[i8]| {
            naive(rows.get(row).unwrap_or(&padding), probe) as f32 * lines[row / BLOCK_ROWS][row % BLOCK_ROWS]
        };
        let all_rows = lines.len() * BLOCK_ROWS;
        // Each level is some row's score, or its neighbour, or out of reach: where a comparison goes wrong if it does.
        let level = |(probe, rank): (&Vec<i8>, &proptest::sample::Index)| {
            let at = score(rank.index(all_rows), probe);
            [at, at.next_up(), at.next_down(), f32::INFINITY][nudge]
        };
        let wanted_levels: Vec<f32> = probes.iter().zip(&ranks).map(level).collect();
        for kernel in all() {
            let slices: Vec<&[i8]> = probes.iter().map(Vec::as_slice).collect();
            let mut at = 0;
            for tile in Tile::pack(&slices, kernel.as_ref()) {
                let mine = at..at + tile.probes();
                let wanted = |block: usize| mine.clone().enumerate().fold(0_u64, |bits, (bit, probe)| {
                    let rows = block * BLOCK_ROWS..(block + 1) * BLOCK_ROWS;
                    let reached = rows.map(|row| score(row, &probes[probe])).any(|score| score >= wanted_levels[probe]);
                    bits | u64::from(reached) << bit
                });
                let wanted: Vec<(usize, u64)> = (0..lines.len()).map(|block| (block, wanted(block))).filter(|hit| hit.1 != 0).collect();
                let mut levels = [f32::INFINITY; TILE_PROBES_MAX];
                levels[..tile.probes()].copy_from_slice(&wanted_levels[mine.clone()]);
                let mut found = Vec::new();
                let blocks = Blocks { codes: &codes, scales: &lines };
                kernel.scan(blocks, &tile, &mut levels, &mut |hit, _| found.push((hit.block, hit.probes)));
                prop_assert_eq!(found, wanted, "{}", kernel.name());
                at += tile.probes();
            }
        }
    }
}

#[test]
fn a_level_raised_on_the_way_holds_at_once() {
    let (codes, scales) = packed(&vec![vec![1; 16]; 5 * BLOCK_ROWS], |_| 1.0);
    let probe = [1; 16];
    for kernel in all() {
        let tile = &Tile::pack(&[&probe], kernel.as_ref())[0];
        let mut hits = 0;
        let raise = &mut |_: &Hit<'_>, levels: &mut Levels| {
            hits += 1;
            levels[0] = 17.0;
        };
        kernel.scan(Blocks { codes: &codes, scales: &scales }, tile, &mut [16.0; TILE_PROBES_MAX], raise);
        assert_eq!(hits, 1, "{}", kernel.name());
    }
}

#[test]
fn tiles_are_about_equally_full() {
    let probe = [0; 16];
    let sizes = |count: usize, width| -> Vec<usize> {
        Tile::pack_as(&vec![probe.as_slice(); count], Packing::Quads, width).iter().map(Tile::probes).collect()
    };
    assert_eq!(sizes(64, 24), [22, 22, 20]);
    assert_eq!(sizes(25, 24), [13, 12]);
    assert_eq!(sizes(0, 24), [0_usize; 0]);
}

#[test]
fn a_kernel_is_found_by_name_or_the_names_are_told() {
    for kernel in all() {
        assert_eq!(by_name(kernel.name()).unwrap().name(), kernel.name());
    }
    assert_eq!(best().name(), all()[0].name());
    let error = by_name("abacus").unwrap_err().to_string();
    assert!(error.contains("abacus") && error.contains("scalar"), "{error}");
}
