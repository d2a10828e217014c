//! In which steps a round goes over the shards.
//!
//! Rows that pass before a level is known must fit the lists, so the first chunk is no larger than a list, and later ones
//! grow with what has been seen: after `seen` rows about `passing` of them are at or above the level, so of the next
//! `n` rows in random order about `n * passing / seen` will be, and half of the list's free room is planned for them. An
//! order that is not random may still overflow; that is noticed by the shaders, never assumed away, and repaired.

use std::ops::Range;

use crate::gpu::tiling::TILED_ROWS;

/// Rows at or above the level for each row above the k-th best: the error bound keeps some 5 to 9 of 512 numbers.
const PASSING_PER_RANK: usize = 8;
/// Workgroups in one direction of a dispatch, in all of wgpu.
pub(super) const WORKGROUPS_MAX: usize = 65_535;

/// One step of a round.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Step {
    /// Score these blocks of a shard.
    Score {
        /// Which shard.
        shard: usize,
        /// Which of its blocks.
        blocks: Range<u32>,
    },
    /// Raise the levels and drop what is below.
    Select,
}

/// What the plan must respect.
#[derive(Debug, Clone, Copy)]
pub(super) struct Bounds {
    /// Entries of one probe's list.
    pub(super) room: usize,
    /// Largest k of the round; `None` when all levels are given.
    pub(super) k: Option<usize>,
    /// Blocks that one dispatch may read.
    pub(super) dispatch_blocks: usize,
}

/// Blocks that one dispatch may read when it may ask for `products` products of codes.
pub(super) fn dispatch_blocks(products: u64, dimension: usize, probes: usize, blocks_per_workgroup: usize) -> usize {
    let each = (TILED_ROWS * dimension * probes.max(1)) as u64;
    let most = WORKGROUPS_MAX * blocks_per_workgroup;
    usize::try_from(products / each.max(1)).unwrap_or(most).clamp(blocks_per_workgroup.max(1), most.max(1))
}

/// The steps over the blocks of `window`, counted through all shards, ending with [`Step::Select`].
pub(super) fn window_steps(shard_blocks: &[usize], window: &Range<usize>, dispatch_blocks: usize) -> Vec<Step> {
    let mut steps = Vec::new();
    let mut first = 0;
    for (shard, &blocks) in shard_blocks.iter().enumerate() {
        let here = window.start.saturating_sub(first)..window.end.saturating_sub(first).min(blocks);
        for at in here.clone().step_by(dispatch_blocks.max(1)) {
            let end = here.end.min(at + dispatch_blocks.max(1));
            steps.push(Step::Score { shard, blocks: at as u32..end as u32 });
        }
        first += blocks;
    }
    steps.push(Step::Select);
    steps
}

/// The steps over shards of so many blocks each, ending with [`Step::Select`].
pub(super) fn steps(shard_blocks: &[usize], bounds: &Bounds) -> Vec<Step> {
    let mut steps = Vec::new();
    let (mut seen, mut left) = (0, chunk_blocks(0, bounds));
    for (shard, &blocks) in shard_blocks.iter().enumerate() {
        let mut at = 0;
        while at < blocks {
            let end = blocks.min(at + left.min(bounds.dispatch_blocks.max(1)));
            steps.push(Step::Score { shard, blocks: at as u32..end as u32 });
            seen += end - at;
            left -= end - at;
            at = end;
            if left == 0 {
                steps.push(Step::Select);
                left = chunk_blocks(seen, bounds);
            }
        }
    }
    if steps.last() != Some(&Step::Select) {
        steps.push(Step::Select);
    }
    steps
}

/// Blocks of the next chunk after `seen` blocks; at least one.
fn chunk_blocks(seen: usize, bounds: &Bounds) -> usize {
    let Some(k) = bounds.k else { return usize::MAX };
    let first = bounds.room / TILED_ROWS;
    let passing = k.saturating_mul(PASSING_PER_RANK).min(bounds.room / 2).max(1);
    let grown = seen.saturating_mul(bounds.room - passing.min(bounds.room)) / (2 * passing);
    grown.max(if seen == 0 { first } else { first / 4 }).max(1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn every_block_is_scored_once_and_within_bounds(
            shards in proptest::collection::vec(0_usize..300, 0..6), room in 1_usize..5000,
            k in proptest::option::of(1_usize..20_000), dispatch_blocks in 1_usize..100,
            cut in proptest::option::of(any::<proptest::sample::Index>()),
        ) {
            let total = shards.iter().sum::<usize>();
            let steps = match cut.map(|cut| cut.index(total + 1)) {
                None => steps(&shards, &Bounds { room, k, dispatch_blocks }),
                // Two windows, one after the other.
                Some(cut) => {
                    let mut steps = window_steps(&shards, &(0..cut), dispatch_blocks);
                    steps.extend(window_steps(&shards, &(cut..total), dispatch_blocks));
                    steps
                }
            };
            prop_assert_eq!(steps.last(), Some(&Step::Select));
            let mut next: Vec<u32> = vec![0; shards.len()];
            for step in &steps {
                if let Step::Score { shard, blocks } = step {
                    prop_assert_eq!(next[*shard], blocks.start);
                    prop_assert!(blocks.start < blocks.end && blocks.len() <= dispatch_blocks);
                    next[*shard] = blocks.end;
                }
            }
            prop_assert!(next.iter().zip(&shards).all(|(&done, &blocks)| done as usize == blocks));
        }
    }

    #[test]
    fn chunks_grow_so_that_ten_million_rows_take_few_selects() {
        let bounds = Bounds { room: 16_384, k: Some(200), dispatch_blocks: 1 << 18 };
        let steps = steps(&[78_125, 78_125], &bounds);
        let selects = steps.iter().filter(|&step| *step == Step::Select).count();
        assert!((2..12).contains(&selects), "{selects}");
        assert_eq!(steps.first(), Some(&Step::Score { shard: 0, blocks: 0..256 }));
    }

    #[test]
    fn given_levels_need_one_select() {
        let bounds = Bounds { room: 1000, k: None, dispatch_blocks: 1 << 18 };
        assert_eq!(steps(&[900], &bounds).len(), 2);
    }

    #[test]
    fn dispatches_are_bounded_by_work_and_by_the_grid() {
        assert_eq!(dispatch_blocks(1 << 28, 512, 64, 4), (1 << 28) / (64 * 512 * 64));
        assert_eq!(dispatch_blocks(0, 2048, 64, 4), 4);
        assert_eq!(dispatch_blocks(u64::MAX, 16, 1, 2), 65_535 * 2);
    }
}
