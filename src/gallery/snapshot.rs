//! A gallery at one moment: what a search sees, whatever happens meanwhile.

use std::sync::Arc;

use fs_err as fs;

use crate::base::ids::{ModelId, TemplateId};
use crate::gallery::graphs::GraphSlot;
use crate::gallery::manifest::GallerySpec;
use crate::scoring::batcher::View;
use crate::segment::{Precision, Segment};
use crate::store::InMemory;
use crate::vector::dimension::Dimension;
use crate::vector::filter::count_up_to;
use crate::vector::rows::{ErasedRows, GalleryRows, Residency, Rows};

/// An immutable view of a gallery. Cheap to take. Drop it when the search is done: an erasure waits for it.
pub struct Snapshot {
    pub(super) rows: Vec<Arc<dyn Rows>>,
    /// The first of the rows: the runs that are segments, which may have graphs.
    pub(super) segments: Vec<Arc<SegmentRun>>,
    pub(super) number: u64,
    pub(super) spec: GallerySpec,
    pub(super) sizes: Sizes,
    /// What is open in memory, of a sealed gallery.
    pub(super) held: Option<InMemory>,
    /// Template ids of each synthetic segment, first and last, ascending.
    pub(super) synthetic: Vec<(u64, u64)>,
    /// In a process that only reads: the lock that makes an erasure of the writing process wait.
    pub(super) _readers: Option<fs::File>,
}

impl Snapshot {
    /// The runs to be scored, in ascending template ids.
    #[must_use]
    pub fn rows(&self) -> &GalleryRows {
        &self.rows
    }

    /// Rises with every committed change of the gallery; a search's record names it.
    #[must_use]
    pub fn number(&self) -> u64 {
        self.number
    }

    /// Which model made the templates.
    #[must_use]
    pub fn model(&self) -> &ModelId {
        &self.spec.model
    }

    /// Components of each template.
    #[must_use]
    pub fn dimension(&self) -> Dimension {
        self.spec.dimension
    }

    /// How originals are kept.
    #[must_use]
    pub fn originals(&self) -> Precision {
        self.spec.originals
    }

    /// Templates that may reach a candidate list.
    #[must_use]
    pub fn live(&self) -> u64 {
        self.rows.iter().map(|run| live_rows(run.as_ref())).sum()
    }

    /// The last template of these; 0 when there is none.
    #[must_use]
    pub fn last_template(&self) -> TemplateId {
        let last = self.rows.iter().rev().find_map(|run| Some(run.template_id(run.len().checked_sub(1)?)));
        last.unwrap_or(TemplateId(0))
    }

    /// How many of these have ids of at most `last`.
    #[must_use]
    pub fn live_up_to(&self, last: TemplateId) -> u64 {
        let live = |run: &Arc<dyn Rows>| {
            let rows = count_up_to(run.as_ref(), last);
            let erased = run.erased().as_slice().partition_point(|&row| (row as usize) < rows);
            (rows - erased) as u64
        };
        self.rows.iter().map(live).sum()
    }

    /// Synthetic templates that may reach a candidate list.
    #[must_use]
    pub fn live_synthetic(&self) -> u64 {
        let synthetic = |run: &&Arc<dyn Rows>| !run.is_empty() && self.is_synthetic(run.template_id(0));
        self.rows.iter().filter(synthetic).map(|run| live_rows(run.as_ref())).sum()
    }

    /// Erased rows that still take up room.
    #[must_use]
    pub fn erased_rows(&self) -> u64 {
        self.rows.iter().map(|run| run.erased().as_slice().len() as u64).sum()
    }

    /// Synthetic templates ever imported, erased ones included: the next import's members begin after these.
    #[must_use]
    pub fn imported_synthetic(&self) -> u64 {
        self.synthetic.iter().map(|&(first, last)| last - first + 1).sum()
    }

    /// Whether a template was computed for tests and demonstrations, and belongs to nobody.
    #[must_use]
    pub fn is_synthetic(&self, id: TemplateId) -> bool {
        self.synthetic.iter().any(|&(first, last)| (first..=last).contains(&id.0))
    }
}

impl View for Snapshot {
    fn rows(&self) -> &GalleryRows {
        &self.rows
    }
}

impl std::fmt::Debug for Snapshot {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Snapshot {} of {} runs", self.number, self.rows.len())
    }
}

/// Every dead row of our runs is in their erased set, so this needs no look at the scales.
pub(super) fn live_rows(run: &dyn Rows) -> u64 {
    (run.len() - run.erased().as_slice().len()) as u64
}

/// What a gallery's files take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Sizes {
    pub(super) segments: usize,
    pub(super) tail_rows: usize,
    pub(super) bytes: u64,
}

/// A segment with the rows that were erased since it was opened.
pub(super) struct SegmentRun {
    /// The segment's number in the gallery.
    pub(super) number: u64,
    pub(super) segment: Arc<Segment>,
    pub(super) erased: ErasedRows,
    pub(super) graph: GraphSlot,
}

impl Rows for SegmentRun {
    fn dimension(&self) -> Dimension {
        self.segment.dimension()
    }

    fn len(&self) -> usize {
        self.segment.len()
    }

    fn codes(&self) -> &[i8] {
        self.segment.codes()
    }

    fn scales(&self) -> &[f32] {
        self.segment.scales()
    }

    fn error_norm_max(&self) -> f32 {
        self.segment.error_norm_max()
    }

    fn template_id(&self, row: usize) -> TemplateId {
        self.segment.template_id(row)
    }

    fn original(&self, row: usize, out: &mut [f32]) {
        self.segment.original(row, out);
    }

    fn will_want(&self, rows: &[usize]) {
        self.segment.will_want(rows);
    }

    fn erased(&self) -> &ErasedRows {
        &self.erased
    }

    fn residency(&self) -> Option<&Arc<Residency>> {
        self.segment.residency()
    }
}
