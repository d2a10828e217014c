//! What is done for probes whose list overflowed: rows in an order made for it, more rows within the slack of the k-th best
//! than a list takes, or ranks beyond a list.
//!
//! First the level, whatever the order and however many rows are equal: a radix select that counts all rows of the sweep by
//! eight bits of their score at a time (`histogram.wgsl`), four passes for the exact k-th best. Then the rows at or above
//! it, window by window, each read back before the next: a window that overflows is tried again with a quarter of its rows,
//! and one of no more rows than a list takes can't. So nothing is lost, and a probe is given up only when it has more
//! survivors than the CPU's pass keeps.

use std::ops::Range;
use std::time::Instant;

use crate::gpu::attempt::{Attempt, blocks_of};
use crate::gpu::kernels::histogram_tile;
use crate::gpu::key::{sortable, unsortable};
use crate::gpu::pace::Worker;
use crate::gpu::plan;
use crate::gpu::round::{self, Mark, Round};
use crate::gpu::tiling::TILED_ROWS;
use crate::gpu::width::probes_of_round;
use crate::vector::coarse::{CoarseError, Survivor, Sweep};

/// Shifts of the four digits of a key, and the values of one.
const SHIFTS: [u32; 4] = [24, 16, 8, 0];
const BINS: usize = 256;
/// Blocks that a workgroup of the histogram shader counts.
const BLOCKS_PER_WORKGROUP: usize = 64;
/// A window that overflows is divided by this; one that uses less than this share of a list is followed by a longer one.
const WINDOW_STEP: usize = 4;

/// What is known of the k-th best key of one probe.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Digits {
    /// Its bits found so far, and which bits those are.
    prefix: u32,
    mask: u32,
    /// Rank within the rows that agree in those bits; `None` when there are fewer rows than the rank.
    needed: Option<u64>,
}

impl Digits {
    fn new(k: u32) -> Self {
        Self { prefix: 0, mask: 0, needed: Some(u64::from(k)).filter(|&k| k > 0) }
    }

    /// Takes the digit at `shift` from the counts of its values.
    fn descend(&mut self, counts: &[u32], shift: u32) {
        let Some(mut left) = self.needed.take() else { return };
        self.mask |= 0xff << shift;
        for (value, &count) in (0..BINS as u32).zip(counts).rev() {
            if u64::from(count) >= left {
                self.prefix |= value << shift;
                self.needed = Some(left);
                return;
            }
            left -= u64::from(count);
        }
    }
}

impl Attempt<'_> {
    /// Sweeps of probes that overflowed, whose marks have a lower bound of the right level.
    pub(super) fn repair(&mut self, codes: &[&[i8]], marks: Vec<Mark>) -> Result<Vec<Sweep>, CoarseError> {
        if codes.is_empty() {
            return Ok(Vec::new());
        }
        tracing::debug!(probes = codes.len(), "more rows than a list takes: they are counted first");
        let marks = self.exact_levels(codes, marks)?;
        let at_once = probes_of_round(self.card, self.options, self.options.survivors_max.max(TILED_ROWS));
        let mut sweeps = Vec::with_capacity(codes.len());
        for (codes, marks) in codes.chunks(at_once).zip(marks.chunks(at_once)) {
            sweeps.extend(self.windows(codes, marks)?);
        }
        Ok(sweeps)
    }

    /// Marks with a given level each: the k-th best score less the slack, where there are k rows.
    fn exact_levels(&mut self, codes: &[&[i8]], marks: Vec<Mark>) -> Result<Vec<Mark>, CoarseError> {
        let mut digits: Vec<Digits> = marks.iter().map(|mark| Digits::new(mark.k)).collect();
        for shift in SHIFTS {
            if digits.iter().all(|digits| digits.needed.is_none()) {
                break;
            }
            let counts = self.histogram(codes, &marks, &digits, shift)?;
            for (digits, counts) in digits.iter_mut().zip(&counts) {
                digits.descend(counts, shift);
            }
        }
        let level = |(mark, digits): (Mark, Digits)| {
            let kth = digits.needed.map(|_| sortable(unsortable(digits.prefix) - mark.slack));
            Mark { level: kth.map_or(mark.level, |kth| kth.max(mark.level)), k: 0, slack: 0.0, overflowed: 0 }
        };
        Ok(marks.into_iter().zip(digits).map(level).collect())
    }

    /// Counts rows by the value of the digit at `shift`, for each probe.
    fn histogram(
        &mut self,
        codes: &[&[i8]],
        marks: &[Mark],
        digits: &[Digits],
        shift: u32,
    ) -> Result<Vec<Vec<u32>>, CoarseError> {
        let Some(dimension) = codes.first().map(|codes| codes.len()) else { return Ok(Vec::new()) };
        // The fields as histogram.wgsl reads them.
        let marks: Vec<Mark> = (marks.iter().zip(digits))
            .map(|(mark, digits)| Mark { k: digits.prefix, overflowed: digits.mask, ..*mark })
            .collect();
        let tile = histogram_tile(dimension, self.card.workgroup_bytes);
        let pipeline = self.pipelines.histogram(self.card, dimension, tile)?;
        let shards = self.shards();
        let blocks = blocks_of(&shards);
        let products = self.pace.products(Worker::Histogram);
        let padded = codes.len().next_multiple_of(tile);
        let dispatch_blocks = plan::dispatch_blocks(products, dimension, padded, BLOCKS_PER_WORKGROUP);
        let mut steps = plan::window_steps(&blocks, &(0..blocks.iter().sum()), dispatch_blocks);
        // There are no lists to select from.
        steps.pop();
        let round = Round {
            pipeline: &pipeline,
            dimension,
            tile,
            blocks_per_workgroup: BLOCKS_PER_WORKGROUP,
            counts_per_probe: BINS,
            products_per_submission: products,
            probes: codes,
            marks: &marks,
            room: shift as usize,
            steps: &steps,
            shards: &shards,
        };
        let start = Instant::now();
        let counts = self.card.guarded(|| round::count(self.card, self.pipelines, self.space, self.slots, &round))?;
        self.learn(Worker::Histogram, &steps, dimension * padded, start);
        Ok(counts)
    }

    /// Everything at or above the given levels.
    fn windows(&mut self, codes: &[&[i8]], marks: &[Mark]) -> Result<Vec<Sweep>, CoarseError> {
        let room = self.options.survivors_max.max(TILED_ROWS);
        let smallest = room / TILED_ROWS;
        let total: usize = blocks_of(&self.shards()).iter().sum();
        let mut kept: Vec<Option<Vec<Survivor>>> = codes.iter().map(|_| Some(Vec::new())).collect();
        let (mut at, mut window) = (0, total);
        while at < total {
            let open: Vec<usize> =
                (0..codes.len()).filter(|&probe| kept.get(probe).is_some_and(Option::is_some)).collect();
            let Some(longest) = self.window(codes, marks, (&open, at..total.min(at + window), room), &mut kept)? else {
                window = (window / WINDOW_STEP).max(smallest);
                continue;
            };
            if open.is_empty() {
                break;
            }
            at += window;
            if longest < room / WINDOW_STEP {
                window = window.saturating_mul(WINDOW_STEP);
            }
        }
        let sweep = |(mark, kept): (&Mark, Option<Vec<Survivor>>)| match kept {
            Some(survivors) => Sweep::Complete { survivors, cut: unsortable(mark.level) },
            None => Sweep::Overflowed,
        };
        Ok(marks.iter().zip(kept).map(sweep).collect())
    }

    /// One window for the probes that are still open: adds its rows to `kept`, and says how long the longest list was;
    /// `None` when one was longer than `room`, and nothing is added.
    fn window(
        &mut self,
        codes: &[&[i8]],
        marks: &[Mark],
        (open, window, room): (&[usize], Range<usize>, usize),
        kept: &mut [Option<Vec<Survivor>>],
    ) -> Result<Option<usize>, CoarseError> {
        let these: Vec<&[i8]> = open.iter().filter_map(|&probe| codes.get(probe).copied()).collect();
        let levels: Vec<Mark> = open.iter().filter_map(|&probe| marks.get(probe).copied()).collect();
        let found = self.score(&these, &levels, room, |blocks, dispatch_blocks| {
            plan::window_steps(blocks, &window, dispatch_blocks)
        })?;
        if found.iter().any(|found| found.mark.overflowed != 0) {
            return Ok(None);
        }
        let longest = found.iter().map(|found| found.kept.len()).max().unwrap_or(0);
        for (&probe, found) in open.iter().zip(found) {
            let Some(slot) = kept.get_mut(probe) else { continue };
            if let Some(list) = slot {
                list.extend(self.survivors(&found.kept));
                if list.len() > self.survivors_total_max {
                    *slot = None;
                }
            }
        }
        Ok(Some(longest))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::ids::TemplateId;
    use crate::gpu::card::Card;
    use crate::gpu::pipeline::Pipelines;
    use crate::gpu::residency::Copies;
    use crate::gpu::round::{Numbered, Place, Workspace};
    use crate::gpu::stream::Slots;
    use crate::gpu::test_card;
    use crate::vector::codec::Code;
    use crate::vector::dimension::Dimension;
    use crate::vector::memory::MemoryRows;
    use crate::vector::rows::Rows;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn four_digits_find_the_kth_best_of_any_keys(
            keys in proptest::collection::vec(prop_oneof![any::<u32>(), 0xc000_0000_u32..0xc000_0010], 1..200),
            k in 1_u32..220,
        ) {
            let mut digits = Digits::new(k);
            for shift in SHIFTS {
                let mut counts = [0; BINS];
                for key in keys.iter().filter(|&&key| key & digits.mask == digits.prefix) {
                    counts[(key >> shift & 255) as usize] += 1;
                }
                digits.descend(&counts, shift);
            }
            let mut sorted = keys.clone();
            sorted.sort_unstable_by(|a, b| b.cmp(a));
            let wanted = sorted.get(k as usize - 1).copied();
            prop_assert_eq!(digits.needed.map(|_| digits.prefix), wanted);
        }
    }

    /// The shader against plain counting: every digit, rows that are dead, below the level or without the bits found so far,
    /// several workgroups, an odd number of probes, and the tiles of 32 and of 16 KiB of workgroup memory.
    #[test]
    fn the_histogram_counts_what_plain_counting_counts() {
        let Some(card) = test_card::open() else { return };
        let mut pipelines = Pipelines::new(&card).unwrap();
        for (dimension, tile) in [(48, 8), (528, 8), (2048, 4)] {
            let rows = known(64 * 70 + 5, dimension);
            let probes: Vec<Code> = (0..11).map(|probe| code(9_000 + probe, dimension)).collect();
            let truth: Vec<Vec<u32>> = probes.iter().map(|probe| keys(&rows, probe)).collect();
            for shift in SHIFTS {
                // What a search knows before this digit: the bits above it of some row's key, and a level.
                let mask = if shift == 24 { 0 } else { u32::MAX << (shift + 8) };
                let marks: Vec<Mark> = (truth.iter().enumerate())
                    .map(|(probe, keys)| {
                        let level = if probe % 3 == 2 { sortable(0.0) } else { 0 };
                        Mark { level, k: keys[probe * 7] & mask, slack: 0.0, overflowed: mask }
                    })
                    .collect();
                let found = counts(&card, &mut pipelines, (&rows, tile), &probes, &marks, shift);
                for ((keys, mark), found) in truth.iter().zip(&marks).zip(found) {
                    let mut wanted = vec![0; BINS];
                    for key in keys.iter().filter(|&&key| key >= mark.level && key & mask == mark.k) {
                        wanted[(key >> shift & 255) as usize] += 1;
                    }
                    assert_eq!(found, wanted, "d {dimension}, tile {tile}, shift {shift}");
                    assert!(shift < 24 || found.iter().sum::<u32>() > 100);
                }
            }
        }
    }

    fn code(number: usize, dimension: usize) -> Code {
        let one = |i: usize| ((number * 7_919 + i * 104_729 + number * i) >> 3) as u8 as i8;
        let codes = (0..dimension).map(|i| one(i).max(-127)).collect();
        Code { codes, scale: 0.25 + (number % 13) as f32 * 0.01, error_norm: 0.0 }
    }

    fn known(count: usize, dimension: usize) -> MemoryRows {
        let mut rows = MemoryRows::new(Dimension::new(dimension).unwrap());
        for row in 0..count {
            rows.push_coded(TemplateId(row as u64), &vec![0.0; dimension], &code(row, dimension));
        }
        rows.mark_erased(vec![0, 77, 300]);
        rows.resident()
    }

    /// Sortable coarse scores of the live rows.
    fn keys(rows: &MemoryRows, probe: &Code) -> Vec<u32> {
        let mut codes = vec![0; probe.codes.len()];
        (0..rows.len())
            .filter(|&row| rows.is_live(row))
            .map(|row| {
                crate::vector::layout::take_row(rows.codes(), row, &mut codes);
                let dot: i32 = codes.iter().zip(&probe.codes).map(|(&a, &b)| i32::from(a) * i32::from(b)).sum();
                sortable(dot as f32 * rows.scales()[row])
            })
            .collect()
    }

    fn counts(
        card: &Card,
        pipelines: &mut Pipelines,
        (rows, tile): (&MemoryRows, usize),
        probes: &[Code],
        marks: &[Mark],
        shift: u32,
    ) -> Vec<Vec<u32>> {
        let dimension = rows.dimension().get();
        let pipeline = pipelines.histogram(card, dimension, tile).unwrap();
        let mut copies = Copies::new(u64::MAX);
        assert!(copies.ensure(card, &pipelines.shard_layout.clone(), rows).unwrap());
        let copy = copies.of(rows).unwrap();
        let shards: Vec<Numbered<'_>> =
            copy.shards.iter().map(|shard| Numbered { place: Place::Held(shard), first_id: 0 }).collect();
        let mut steps = plan::window_steps(&blocks_of(&shards), &(0..copy.blocks()), BLOCKS_PER_WORKGROUP);
        steps.pop();
        let codes: Vec<&[i8]> = probes.iter().map(|probe| probe.codes.as_slice()).collect();
        let round = Round {
            pipeline: &pipeline,
            dimension,
            tile,
            blocks_per_workgroup: BLOCKS_PER_WORKGROUP,
            counts_per_probe: BINS,
            products_per_submission: 1 << 28,
            probes: &codes,
            marks,
            room: shift as usize,
            steps: &steps,
            shards: &shards,
        };
        let (mut space, mut slots) = (Workspace::default(), Slots::default());
        card.guarded(|| round::count(card, pipelines, &mut space, &mut slots, &round)).unwrap()
    }

    #[test]
    fn a_given_level_needs_no_digits() {
        let mut digits = Digits::new(0);
        digits.descend(&[7; BINS], 24);
        assert_eq!(digits, Digits { prefix: 0, mask: 0, needed: None });
    }
}
