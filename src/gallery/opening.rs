//! Opening a gallery's files as manifest and records say, and putting what was opened together as a snapshot.

use std::sync::Arc;

use crate::base::ids::TemplateId;
use crate::gallery::GalleryError;
use crate::gallery::graphs::{self, GraphSlot};
use crate::gallery::manifest::{Manifest, SegmentEntry, damaged};
use crate::gallery::snapshot::{SegmentRun, Sizes, Snapshot};
use crate::gallery::tail::{self, Chunks, Committed};
use crate::segment::Segment;
use crate::store::{Folder, InMemory, Mode};
use crate::vector::memory::MemoryRows;
use crate::vector::rows::{ErasedRows, Rows};

/// An open segment with its entry in the manifest.
pub(super) struct Held {
    pub(super) entry: SegmentEntry,
    pub(super) run: Arc<SegmentRun>,
}

impl Held {
    /// The row of a template, erased or not.
    pub(super) fn row_of(&self, id: TemplateId) -> Option<u32> {
        if (self.entry.first..=self.entry.last).contains(&id.0) { self.run.segment.row_of(id) } else { None }
    }
}

/// The files of a gallery, open for reading.
pub(super) struct Opened {
    pub(super) folder: Arc<dyn Folder>,
    pub(super) manifest: Manifest,
    pub(super) segments: Vec<Held>,
    pub(super) chunks: Chunks,
}

impl Opened {
    /// What a search sees of them.
    pub(super) fn snapshot(&self, number: u64) -> Snapshot {
        assemble(&self.manifest, &self.segments, &self.chunks, (number, self.folder.held()))
    }

    /// All runs, in ascending template ids.
    pub(super) fn rows(&self) -> impl Iterator<Item = &dyn Rows> {
        let segments = self.segments.iter().map(|held| -> &dyn Rows { held.run.as_ref() });
        segments.chain(self.chunks.as_slice().iter().map(|chunk| -> &dyn Rows { chunk.as_ref() }))
    }

    /// Bytes of segments and tail.
    pub(super) fn bytes(&self) -> u64 {
        self.chunks.file_bytes() + self.segments.iter().map(|held| held.run.segment.size_bytes()).sum::<u64>()
    }
}

/// What a process that does not write sees: the files as the manifest and the records say, nothing repaired.
pub(super) fn read_only(shared: Arc<dyn Folder>, committed: &Committed) -> Result<Opened, GalleryError> {
    let folder = shared.as_ref();
    let mut manifest = Manifest::load(folder)?;
    drop_uncommitted(&mut manifest, committed, folder)?;
    let mut segments = open_segments(folder, &manifest, committed)?;
    graphs::attach(folder, &mut segments);
    let blob = folder.open(&manifest.tail_file(), Mode::Read)?;
    let chunks = tail::read(folder, blob.as_ref(), &manifest.spec, manifest.tail, manifest.sealed_through, committed)?;
    Ok(Opened { folder: shared, manifest, segments, chunks })
}

/// The view of these files that a search takes, with its number and what of them is open in memory.
pub(super) fn assemble(
    manifest: &Manifest,
    segments: &[Held],
    tail: &Chunks,
    (number, held): (u64, Option<InMemory>),
) -> Snapshot {
    let mut rows: Vec<Arc<dyn Rows>> = Vec::with_capacity(segments.len() + tail.as_slice().len());
    for held in segments {
        rows.push(Arc::<SegmentRun>::clone(&held.run));
    }
    for chunk in tail.as_slice() {
        rows.push(Arc::<MemoryRows>::clone(chunk));
    }
    let synthetic = segments.iter().filter(|held| held.entry.synthetic).map(|held| (held.entry.first, held.entry.last));
    let sizes = Sizes {
        segments: segments.len(),
        tail_rows: tail.len(),
        bytes: tail.file_bytes() + segments.iter().map(|held| held.run.segment.size_bytes()).sum::<u64>(),
    };
    let runs = segments.iter().map(|held| Arc::clone(&held.run)).collect();
    Snapshot {
        rows,
        segments: runs,
        number,
        spec: manifest.spec.clone(),
        sizes,
        held,
        synthetic: synthetic.collect(),
        _readers: None,
    }
}

/// Drops segments of an import that was not committed, and forgets the import; whether that changed anything.
pub(super) fn drop_uncommitted(
    manifest: &mut Manifest,
    committed: &Committed,
    folder: &dyn Folder,
) -> Result<bool, GalleryError> {
    let keep = manifest.segments.partition_point(|entry| entry.last <= committed.last_id);
    let dropped = manifest.segments.split_off(keep);
    let importing = manifest.importing.take();
    let imported = |entry: &SegmentEntry| entry.synthetic || importing.is_some_and(|after| entry.first > after);
    // Other templates are in a segment only after they were committed, so these records are older than the files.
    if let Some(entry) = dropped.iter().find(|entry| !imported(entry) || entry.first <= committed.last_id) {
        let (found, committed) = (entry.last, committed.last_id);
        return Err(GalleryError::RecordsOlder { path: folder.path(""), found, committed });
    }
    if manifest.sealed_through > committed.last_id && dropped.is_empty() {
        let (found, committed) = (manifest.sealed_through, committed.last_id);
        return Err(GalleryError::RecordsOlder { path: folder.path(""), found, committed });
    }
    manifest.sealed_through = manifest.sealed_through.min(committed.last_id);
    Ok(!dropped.is_empty() || importing.is_some())
}

pub(super) fn open_segments(
    folder: &dyn Folder,
    manifest: &Manifest,
    committed: &Committed,
) -> Result<Vec<Held>, GalleryError> {
    let open = |entry: &SegmentEntry| Ok(hold(entry.clone(), open_segment(folder, manifest, entry)?, committed));
    manifest.segments.iter().map(open).collect()
}

pub(super) fn open_segment(
    folder: &dyn Folder,
    manifest: &Manifest,
    entry: &SegmentEntry,
) -> Result<Segment, GalleryError> {
    let segment = Segment::open(folder, &entry.file())?;
    let (first, last) = segment.id_range();
    // The manifest names the ids that a segment stands for; a merge leaves erased ones at either end out of the file.
    let same = segment.spec() == &manifest.spec.of_segment(entry.synthetic)
        && (entry.first..=entry.last).contains(&first.0)
        && (first.0..=entry.last).contains(&last.0)
        && segment.len() as u64 == entry.rows;
    if same {
        Ok(segment)
    } else {
        Err(damaged(segment.path().to_owned(), "it is not the segment that the manifest names"))
    }
}

/// Rows of unfinished erasures are dead from the start.
pub(super) fn hold(entry: SegmentEntry, segment: Segment, committed: &Committed) -> Held {
    let erasing = committed.erasing.iter().filter_map(|&id| segment.row_of(id));
    let erased = segment.erased().as_slice().iter().copied().chain(erasing).collect();
    let (number, erased) = (entry.number, ErasedRows::new(erased));
    let run = SegmentRun { number, segment: Arc::new(segment), erased, graph: GraphSlot::default() };
    Held { entry, run: Arc::new(run) }
}
