//! What one probe keeps of a scan: the rows that can still matter, and the level that a row must reach.

use std::sync::atomic::{AtomicI32, Ordering};

use crate::vector::coarse::{Cut, Survivor, Sweep};
use crate::vector::layout::BLOCK_ROWS;
use crate::vector::rows::Rows;

/// Rows kept before the first look at which of them still matter.
const FIRST_COMPACTION: usize = 1024;

/// A level that all threads raise together: what one thread has found is a lower bound for all.
#[derive(Debug)]
pub(super) struct SharedLevel(AtomicI32);

impl SharedLevel {
    /// Minus infinity.
    pub(super) fn new() -> Self {
        Self(AtomicI32::new(ordered(f32::NEG_INFINITY)))
    }

    fn raise(&self, level: f32) {
        self.0.fetch_max(ordered(level), Ordering::Relaxed);
    }

    fn get(&self) -> f32 {
        let bits = self.0.load(Ordering::Relaxed);
        f32::from_bits((bits ^ ((bits >> 31) & i32::MAX)).cast_unsigned())
    }
}

/// Bits whose order as integers is the order of the floats (IEEE 754 totalOrder); the same step leads back.
fn ordered(level: f32) -> i32 {
    let bits = level.to_bits().cast_signed();
    bits ^ ((bits >> 31) & i32::MAX)
}

/// Sixteen rows of a run, and where they lie.
#[derive(Clone, Copy)]
pub(super) struct Block<'a> {
    pub(super) rows: &'a dyn Rows,
    pub(super) run: u32,
    /// The block's first row.
    pub(super) row: u32,
}

/// Collects the survivors of one probe in one thread.
///
/// The level never exceeds "k-th best of all live rows, less the slack", because the k-th best of the rows seen so far
/// (by this thread, or by another through the shared level) is at most the k-th best of all, and rounded subtraction
/// keeps order. So every row of the final sweep passes, whatever the order and the number of threads.
#[derive(Debug)]
pub(super) struct Collector<'a> {
    cut: Cut,
    level: f32,
    shared: &'a SharedLevel,
    kept: Vec<Survivor>,
    compact_at: usize,
    limit: usize,
    overflowed: bool,
}

impl<'a> Collector<'a> {
    /// Keeps at most `limit` rows once compacted, about twice that before.
    pub(super) fn new(cut: Cut, limit: usize, shared: &'a SharedLevel) -> Self {
        let (level, compact_at) = match cut {
            Cut::Within { k, slack: _ } => {
                (f32::NEG_INFINITY, FIRST_COMPACTION.max(k.saturating_mul(2)).min(limit + 1))
            }
            Cut::AtLeast(level) => (level, limit + 1),
        };
        Self { cut, level, shared, kept: Vec::new(), compact_at, limit, overflowed: false }
    }

    /// Takes over what other threads have learned. Cheap; done now and then.
    pub(super) fn catch_up(&mut self) {
        self.level = self.level.max(self.shared.get());
    }

    /// What a coarse score must reach to be kept, as far as is known.
    pub(super) fn level(&self) -> f32 {
        self.level
    }

    /// Offers sixteen rows with their dot products and scales; those that reach the level are kept. Kernels have looked
    /// already whether any of them does: this is the rare case.
    pub(super) fn offer(&mut self, block: Block<'_>, dots: &[i32; BLOCK_ROWS], scales: &[f32; BLOCK_ROWS]) {
        for ((row, &dot), &scale) in (block.row..).zip(dots).zip(scales) {
            let coarse = dot as f32 * scale;
            if coarse >= self.level && !self.overflowed && block.rows.is_live(row as usize) {
                self.kept.push(Survivor { run: block.run, row, coarse });
            }
        }
        if self.kept.len() >= self.compact_at {
            self.compact();
        }
    }

    /// Raises the level to what is known now and drops what is below it.
    fn compact(&mut self) {
        if let Some(level) = level_of(self.cut, &mut self.kept) {
            self.shared.raise(level);
            self.level = self.level.max(level);
            self.catch_up();
        }
        let level = self.level;
        self.kept.retain(|survivor| survivor.coarse >= level);
        if self.kept.len() > self.limit {
            self.overflowed = true;
            self.kept = Vec::new();
        }
        if let Cut::Within { .. } = self.cut {
            // Twice the rows before the next look, so that looking costs a constant for each row kept.
            self.compact_at = self.compact_at.max(2 * self.kept.len());
        }
    }
}

/// The level that `cut` sets when `kept` are the best rows known; `None` when there are fewer than k.
fn level_of(cut: Cut, kept: &mut [Survivor]) -> Option<f32> {
    match cut {
        Cut::AtLeast(level) => Some(level),
        Cut::Within { k, slack } => {
            let k = k.max(1);
            if kept.len() < k {
                return None;
            }
            let (_, kth, _) = kept.select_nth_unstable_by(k - 1, |a, b| b.coarse.total_cmp(&a.coarse));
            Some(kth.coarse - slack.max(0.0))
        }
    }
}

/// Puts together what all threads kept for one probe; `limit` is the most survivors of a sweep.
pub(super) fn merge(cut: Cut, limit: usize, parts: Vec<Collector<'_>>) -> Sweep {
    if parts.iter().any(|part| part.overflowed) {
        return Sweep::Overflowed;
    }
    let mut survivors: Vec<Survivor> = Vec::with_capacity(parts.iter().map(|part| part.kept.len()).sum());
    for part in parts {
        survivors.extend_from_slice(&part.kept);
    }
    let cut = level_of(cut, &mut survivors).unwrap_or(f32::NEG_INFINITY);
    survivors.retain(|survivor| survivor.coarse >= cut);
    if survivors.len() > limit {
        return Sweep::Overflowed;
    }
    Sweep::Complete { survivors, cut }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::ids::TemplateId;
    use crate::vector::dimension::Dimension;
    use crate::vector::memory::MemoryRows;
    use proptest::prelude::*;

    const ROWS: u32 = 4096;

    fn live_rows() -> MemoryRows {
        let mut rows = MemoryRows::new(Dimension::new(16).unwrap());
        for id in 0..ROWS {
            rows.push(TemplateId(u64::from(id)), &[0.25; 16]);
        }
        rows
    }

    fn collect(cut: Cut, limit: usize, dots: &[i32], rows: &MemoryRows, threads: usize) -> Sweep {
        let shared = SharedLevel::new();
        let mut parts: Vec<_> = (0..threads).map(|_| Collector::new(cut, limit, &shared)).collect();
        for (number, dots) in dots.as_chunks::<BLOCK_ROWS>().0.iter().enumerate() {
            let block = Block { rows, run: 0, row: (number * BLOCK_ROWS) as u32 };
            parts[number % threads].catch_up();
            parts[number % threads].offer(block, dots, &[0.5; BLOCK_ROWS]);
        }
        merge(cut, limit, parts)
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn keeps_exactly_what_the_cut_says(
            dots in proptest::collection::vec(-300_i32..300, ROWS as usize), k in 1_usize..2000, slack in 0_u8..9, threads in 1_usize..4
        ) {
            let (rows, slack) = (live_rows(), f32::from(slack));
            let mut best: Vec<f32> = dots.iter().map(|&dot| dot as f32 * 0.5).collect();
            best.sort_by(|a, b| b.total_cmp(a));
            let level = best[k - 1] - slack;
            let wanted: Vec<u32> = (0..ROWS).filter(|&row| dots[row as usize] as f32 * 0.5 >= level).collect();
            let Sweep::Complete { survivors, cut } = collect(Cut::Within { k, slack }, 8192, &dots, &rows, threads)
                else { panic!("no overflow is possible") };
            let mut found: Vec<u32> = survivors.iter().map(|survivor| survivor.row).collect();
            found.sort_unstable();
            prop_assert_eq!(cut, level);
            prop_assert_eq!(found, wanted);
        }

        #[test]
        fn the_shared_level_keeps_order(levels in proptest::collection::vec(-1e9_f32..1e9, 1..20)) {
            let shared = SharedLevel::new();
            prop_assert_eq!(shared.get(), f32::NEG_INFINITY);
            for &level in &levels {
                shared.raise(level);
            }
            prop_assert_eq!(shared.get(), levels.into_iter().fold(f32::NEG_INFINITY, f32::max));
        }
    }

    #[test]
    fn too_many_rows_are_an_overflow_and_never_a_short_list() {
        let (rows, dots) = (live_rows(), vec![5; ROWS as usize]);
        for cut in [Cut::Within { k: 10, slack: 0.0 }, Cut::AtLeast(2.5), Cut::Within { k: 5000, slack: 0.0 }] {
            assert_eq!(collect(cut, 2000, &dots, &rows, 2), Sweep::Overflowed, "{cut:?}");
        }
    }

    #[test]
    fn fewer_rows_than_asked_leave_nothing_out() {
        let (rows, dots) = (live_rows(), vec![-5; ROWS as usize]);
        let sweep = collect(Cut::Within { k: 5000, slack: 0.0 }, 8192, &dots, &rows, 2);
        let Sweep::Complete { survivors, cut } = sweep else { panic!("no overflow is possible") };
        assert_eq!((survivors.len(), cut), (ROWS as usize, f32::NEG_INFINITY));
    }
}
