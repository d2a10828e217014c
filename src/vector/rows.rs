//! What a scorer sees of a gallery: runs of coded rows. A sealed segment is one run, the tail a few.

use std::sync::Arc;

use crate::base::ids::TemplateId;
use crate::vector::dimension::Dimension;
use crate::vector::filter::RowSet;

/// Identity of a run of rows that never changes but for erasures, so that a device may keep a copy of it. Compared by
/// pointer; whoever holds a [`std::sync::Weak`] of it can tell when the run is gone and its copy must go too.
#[derive(Debug, Default)]
pub struct Residency {
    // A type of zero size would let two allocations share an address.
    _distinct: u8,
}

/// Rows of a run that were erased: sorted, without repeats. Small: compaction keeps it so.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ErasedRows {
    rows: Vec<u32>,
}

impl ErasedRows {
    /// From row numbers in any order.
    #[must_use]
    pub fn new(mut rows: Vec<u32>) -> Self {
        rows.sort_unstable();
        rows.dedup();
        Self { rows }
    }

    /// Whether `row` was erased.
    #[must_use]
    pub fn contains(&self, row: u32) -> bool {
        !self.rows.is_empty() && self.rows.binary_search(&row).is_ok()
    }

    /// The row numbers, ascending.
    #[must_use]
    pub fn as_slice(&self) -> &[u32] {
        &self.rows
    }
}

/// A run of gallery rows in scoring layout. Template ids ascend with the row number, and from each run of a gallery to
/// the next, so that the order of rows is the order of ids.
///
/// A row is live when its scale is above zero, it is not in [`erased`](Self::erased), and no filter keeps it back
/// ([`allowed`](Self::allowed)); no other row may reach a candidate list. Between the erasure of a row and the overwriting of its bytes only the second test holds.
pub trait Rows: Send + Sync {
    /// Components of each template.
    fn dimension(&self) -> Dimension;

    /// Rows, dead ones included, padding excluded.
    fn len(&self) -> usize;

    /// Whether there is no row at all.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Codes in blocks of 16 rows ([`crate::vector::layout`]), padded with zeros to whole blocks.
    fn codes(&self) -> &[i8];

    /// One scale a row, padded with [`crate::vector::codec::DEAD_SCALE`] to whole blocks.
    fn scales(&self) -> &[f32];

    /// Upper bound of the error norms of all rows.
    fn error_norm_max(&self) -> f32;

    /// Id of the template in `row`; `row` is below [`len`](Self::len).
    fn template_id(&self, row: usize) -> TemplateId;

    /// Copies the stored original of `row` (unit length within half precision) into `out`, whose length is the dimension.
    fn original(&self, row: usize, out: &mut [f32]);

    /// Tells that the originals of `rows` will be asked for next: a run whose originals lie far from the processor begins
    /// to fetch them, several at a time. Changes no result.
    fn will_want(&self, rows: &[usize]) {
        let _ = rows;
    }

    /// Rows that are erased, whatever their bytes still say.
    fn erased(&self) -> &ErasedRows;

    /// Identity under which a device may keep a copy; `None` when the run is too short-lived to be worth one.
    fn residency(&self) -> Option<&Arc<Residency>>;

    /// Rows that a filter lets through; `None` when there is no filter.
    fn allowed(&self) -> Option<&RowSet> {
        None
    }

    /// Whether `row` may reach a candidate list.
    fn is_live(&self, row: usize) -> bool {
        self.liveness().has(row)
    }

    /// What [`is_live`](Self::is_live) looks at, for those who ask for many rows.
    fn liveness(&self) -> Liveness<'_> {
        Liveness { scales: self.scales(), allowed: self.allowed(), erased: self.erased() }
    }
}

/// Which rows of a run are live.
#[derive(Clone, Copy)]
pub struct Liveness<'a> {
    scales: &'a [f32],
    allowed: Option<&'a RowSet>,
    erased: &'a ErasedRows,
}

impl Liveness<'_> {
    /// Whether `row` may reach a candidate list.
    #[must_use]
    pub fn has(&self, row: usize) -> bool {
        self.scales.get(row).is_some_and(|&scale| scale > 0.0) && self.lets_through(row)
    }

    /// The same for a row whose scale is known to be above zero.
    #[must_use]
    pub fn lets_through(&self, row: usize) -> bool {
        self.allowed.is_none_or(|allowed| allowed.contains(row))
            && u32::try_from(row).is_ok_and(|row| !self.erased.contains(row))
    }
}

/// Reads a little of each cache line of `bytes`: processors wait for several lines at once, if they are asked for together.
/// What [`Rows::will_want`] does where originals are memory.
pub fn touch(bytes: &[u8]) {
    const LINE_BYTES: usize = 64;
    for &byte in bytes.iter().step_by(LINE_BYTES) {
        std::hint::black_box(byte);
    }
}

/// The runs of one gallery at one moment, in ascending template ids.
pub type GalleryRows = [Arc<dyn Rows>];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn erased_rows_are_found_in_any_order_of_entry() {
        let erased = ErasedRows::new(vec![7, 3, 3, 90]);
        assert_eq!(erased.as_slice(), [3, 7, 90]);
        assert!(erased.contains(90) && !erased.contains(4));
        assert!(!ErasedRows::default().contains(0));
    }

    #[test]
    fn residencies_differ() {
        let (a, b) = (Arc::new(Residency::default()), Arc::new(Residency::default()));
        assert!(!Arc::ptr_eq(&a, &b));
    }
}
