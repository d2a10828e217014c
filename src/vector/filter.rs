//! Searching a part of a gallery: the rows that a filter lets through, as a bitmap a run.
//!
//! A filtered run scores as if the other rows were not there: they count as dead ([`Rows::is_live`]), so every scorer gives
//! the oracle's list for the part, however small or large it is. A kernel may skip blocks without a single row.

use std::sync::Arc;

use crate::base::ids::TemplateId;
use crate::vector::dimension::Dimension;
use crate::vector::layout::BLOCK_ROWS;
use crate::vector::rows::{ErasedRows, GalleryRows, Residency, Rows};

/// Which rows of a run are let through: one bit a row.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RowSet {
    /// One word a block of sixteen rows, lowest bit first.
    blocks: Vec<u16>,
    count: usize,
}

impl RowSet {
    /// Of a run of `rows` rows; none is let through yet.
    #[must_use]
    pub fn empty(rows: usize) -> Self {
        Self { blocks: vec![0; rows.div_ceil(BLOCK_ROWS)], count: 0 }
    }

    /// Lets `row` through; a row past the end is no row.
    pub fn insert(&mut self, row: usize) {
        if let Some(block) = self.blocks.get_mut(row / BLOCK_ROWS) {
            let bit = 1_u16 << (row % BLOCK_ROWS);
            self.count += usize::from(*block & bit == 0);
            *block |= bit;
        }
    }

    /// Whether `row` is let through.
    #[must_use]
    pub fn contains(&self, row: usize) -> bool {
        self.block(row / BLOCK_ROWS) >> (row % BLOCK_ROWS) & 1 == 1
    }

    /// The bits of one block of sixteen rows, the lowest for its first row.
    #[must_use]
    pub fn block(&self, block: usize) -> u16 {
        self.blocks.get(block).copied().unwrap_or(0)
    }

    /// The rows of the same run that are not in it.
    fn others(&self, rows: usize) -> Self {
        // Rows of the last block that are none stay as they are.
        let in_block = |block: usize| {
            let rest = rows - (block * BLOCK_ROWS).min(rows);
            if rest >= BLOCK_ROWS { u16::MAX } else { (1_u16 << rest) - 1 }
        };
        let blocks = self.blocks.iter().enumerate().map(|(at, block)| !block & in_block(at)).collect();
        Self { blocks, count: rows - self.count }
    }

    /// How many rows are let through.
    #[must_use]
    pub fn count(&self) -> usize {
        self.count
    }
}

/// Rows that a search of `gallery` compares, dead ones included: all of them, or those that filters let through.
#[must_use]
pub fn rows_searched(gallery: &GalleryRows) -> u64 {
    gallery.iter().map(|run| run.allowed().map_or(run.len(), RowSet::count) as u64).sum()
}

/// The rows of `gallery` whose templates are in `ids` (ascending, repeats allowed): its runs in their places, with a filter
/// each. Ids that the gallery doesn't have are passed over. Takes a few steps an id and one bit a row.
#[must_use]
pub fn restrict(gallery: &GalleryRows, ids: &[TemplateId]) -> Vec<Arc<dyn Rows>> {
    let part = |(run, allowed)| -> Arc<dyn Rows> { Arc::new(Part { run: Arc::clone(run), allowed }) };
    by_run(gallery, ids).map(part).collect()
}

/// The runs of `gallery` without the templates in `ids` (ascending, repeats allowed): those that have none of them as they are,
/// the others with a filter that lets everything else through.
#[must_use]
pub fn exclude(gallery: &GalleryRows, ids: &[TemplateId]) -> Vec<Arc<dyn Rows>> {
    let part = |(run, hidden): (&Arc<dyn Rows>, RowSet)| -> Arc<dyn Rows> {
        match hidden.count() {
            0 => Arc::clone(run),
            _some => Arc::new(Part { run: Arc::clone(run), allowed: hidden.others(run.len()) }),
        }
    };
    by_run(gallery, ids).map(part).collect()
}

/// Each run with its rows whose templates are in `ids` (ascending, repeats allowed).
fn by_run<'a>(
    gallery: &'a GalleryRows,
    ids: &'a [TemplateId],
) -> impl Iterator<Item = (&'a Arc<dyn Rows>, RowSet)> + use<'a> {
    debug_assert!(ids.is_sorted());
    let mut rest = ids;
    gallery.iter().map(move |run| {
        let last = run.len().checked_sub(1).map(|row| run.template_id(row));
        let (mine, others) = rest.split_at(rest.partition_point(|&id| last.is_some_and(|last| id <= last)));
        rest = others;
        (run, rows_of(run.as_ref(), mine))
    })
}

/// The rows of `gallery` whose templates are at most `last`: its runs in their places, as far as they have any.
#[must_use]
pub fn up_to(gallery: &GalleryRows, last: TemplateId) -> Vec<Arc<dyn Rows>> {
    let mut parts: Vec<Arc<dyn Rows>> = Vec::new();
    for run in gallery {
        let rows = count_up_to(run.as_ref(), last);
        if rows == run.len() {
            parts.push(Arc::clone(run));
        } else if rows > 0 {
            let mut allowed = RowSet::empty(run.len());
            let let_through = |row: &usize| run.allowed().is_none_or(|before| before.contains(*row));
            (0..rows).filter(let_through).for_each(|row| allowed.insert(row));
            parts.push(Arc::new(Part { run: Arc::clone(run), allowed }));
        }
    }
    parts
}

/// How many rows of a run have templates of at most `last`: its first.
#[must_use]
pub fn count_up_to(run: &dyn Rows, last: TemplateId) -> usize {
    first_at_least(run, 0, TemplateId(last.0.saturating_add(1)))
}

fn rows_of(run: &dyn Rows, ids: &[TemplateId]) -> RowSet {
    let mut allowed = RowSet::empty(run.len());
    let mut from = 0;
    for &id in ids {
        from = first_at_least(run, from, id);
        if from >= run.len() {
            break;
        }
        if run.template_id(from) == id {
            allowed.insert(from);
        }
    }
    allowed
}

/// The first row from `from` on whose id is at least `id`: in doubling steps, then by halves, so that neighbours are found
/// at once and far rows in few steps.
fn first_at_least(run: &dyn Rows, from: usize, id: TemplateId) -> usize {
    let (mut low, mut step) = (from, 1);
    while low + step < run.len() && run.template_id(low + step) < id {
        low += step;
        step *= 2;
    }
    let mut high = (low + step).min(run.len());
    while low < high {
        let middle = low + (high - low) / 2;
        if run.template_id(middle) < id {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    low
}

/// A run of which some rows are let through.
struct Part {
    run: Arc<dyn Rows>,
    allowed: RowSet,
}

impl Rows for Part {
    fn dimension(&self) -> Dimension {
        self.run.dimension()
    }

    fn len(&self) -> usize {
        self.run.len()
    }

    fn codes(&self) -> &[i8] {
        self.run.codes()
    }

    fn scales(&self) -> &[f32] {
        self.run.scales()
    }

    fn error_norm_max(&self) -> f32 {
        self.run.error_norm_max()
    }

    fn template_id(&self, row: usize) -> TemplateId {
        self.run.template_id(row)
    }

    fn original(&self, row: usize, out: &mut [f32]) {
        self.run.original(row, out);
    }

    fn will_want(&self, rows: &[usize]) {
        self.run.will_want(rows);
    }

    fn erased(&self) -> &ErasedRows {
        self.run.erased()
    }

    fn residency(&self) -> Option<&Arc<Residency>> {
        // A device's copy of the run knows nothing of the filter.
        None
    }

    fn allowed(&self) -> Option<&RowSet> {
        Some(&self.allowed)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::vector::memory::MemoryRows;
    use proptest::prelude::*;

    fn run(ids: &BTreeSet<u64>) -> Arc<dyn Rows> {
        let mut rows = MemoryRows::new(Dimension::new(16).unwrap());
        for &id in ids {
            rows.push(TemplateId(id), &[0.25; 16]);
        }
        Arc::new(rows)
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(128))]
        #[test]
        fn lets_through_what_is_in_both(
            ids in proptest::collection::btree_set(1_u64..500, 0..200), cut in 1_u64..500, wanted in proptest::collection::vec(0_u64..600, 0..200)
        ) {
            let (low, high): (BTreeSet<u64>, BTreeSet<u64>) = ids.iter().partition(|&&id| id < cut);
            let gallery = [run(&low), run(&BTreeSet::new()), run(&high)];
            let mut asked: Vec<TemplateId> = wanted.iter().copied().map(TemplateId).collect();
            asked.sort_unstable();
            let parts = restrict(&gallery, &asked);
            prop_assert_eq!(parts.len(), gallery.len());
            let mut found = Vec::new();
            for part in &parts {
                let live: Vec<usize> = (0..part.len()).filter(|&row| part.is_live(row)).collect();
                prop_assert_eq!(part.allowed().unwrap().count(), live.len());
                prop_assert!(part.residency().is_none());
                found.extend(live.into_iter().map(|row| part.template_id(row).0));
            }
            let truth: Vec<u64> = ids.iter().copied().filter(|id| wanted.contains(id)).collect();
            prop_assert_eq!(found, truth);
        }

        #[test]
        fn leaves_out_what_is_in_both(
            ids in proptest::collection::btree_set(1_u64..500, 0..200), cut in 1_u64..500, hidden in proptest::collection::vec(0_u64..600, 0..60)
        ) {
            let (low, high): (BTreeSet<u64>, BTreeSet<u64>) = ids.iter().partition(|&&id| id < cut);
            let gallery = [run(&low), run(&high)];
            let mut asked: Vec<TemplateId> = hidden.iter().copied().map(TemplateId).collect();
            asked.sort_unstable();
            let parts = exclude(&gallery, &asked);
            let live = |part: &Arc<dyn Rows>| -> Vec<u64> {
                (0..part.len()).filter(|&row| part.is_live(row)).map(|row| part.template_id(row).0).collect()
            };
            let found: Vec<u64> = parts.iter().flat_map(live).collect();
            let truth: Vec<u64> = ids.iter().copied().filter(|id| !hidden.contains(id)).collect();
            prop_assert_eq!(found, truth);
            // A device goes on using its copy of a run of which nothing is hidden.
            for (part, run) in parts.iter().zip(&gallery) {
                prop_assert_eq!(Arc::ptr_eq(part, run), live(part).len() == run.len());
            }
        }
    }

    #[test]
    fn a_row_past_the_end_is_no_row() {
        let mut set = RowSet::empty(17);
        set.insert(16);
        set.insert(16);
        set.insert(32);
        assert!(set.contains(16) && !set.contains(0) && !set.contains(1000));
        assert_eq!((set.count(), set.block(1), set.block(9)), (1, 1, 0));
    }
}
