//! The files of one gallery, as the one process that may write them holds them. Knows no SQL: what the records have
//! committed is told to it, and what it writes counts only after they have.
//!
//! Every method leaves files from which [`Shelf::open`] finds either the state before or the state after, whenever the
//! power goes; `docs/SEGMENT_FORMAT.md` lists the crash points.

use std::sync::{Arc, Weak};

use crate::base::ids::TemplateId;
use crate::gallery::GalleryError;
use crate::gallery::graphs;
use crate::gallery::manifest::{GallerySpec, MANIFEST, Manifest, SegmentEntry, segment_file};
use crate::gallery::opening::{Held, assemble, drop_uncommitted, hold, open_segment, open_segments};
use crate::gallery::snapshot::{SegmentRun, Snapshot};
use crate::gallery::tail::{Committed, Tail, TailRow};
use crate::segment::{Before, Segment, SegmentWriter, erase_rows};
use crate::store::{DRAFT_SUFFIX, Folder, Mode};
use crate::vector::codec::Code;
use crate::vector::rows::{ErasedRows, Rows};

/// The open files of a gallery.
pub(super) struct Shelf {
    pub(super) folder: Arc<dyn Folder>,
    manifest: Manifest,
    pub(super) segments: Vec<Held>,
    tail: Tail,
    /// Appended to the tail's file, not committed.
    pending: Vec<TailRow>,
    /// Runs that were replaced while somebody read them.
    pub(super) retired: Vec<Weak<dyn Rows>>,
    /// Highest committed template id.
    last_id: u64,
    /// Set while the manifest is replaced, and left so when that fails: the old or the new one may be on the medium.
    pub(super) doubtful: bool,
    /// Set when files and records may differ; nothing is written any more.
    pub(super) unsettled: bool,
}

impl Shelf {
    /// Makes the files of an empty gallery, or makes them again where a creation was cut short.
    pub(super) fn create(folder: &dyn Folder, spec: &GallerySpec) -> Result<(), GalleryError> {
        if folder.list()?.iter().any(|name| name == MANIFEST) {
            let manifest = Manifest::load(folder)?;
            let tail = folder.open(&manifest.tail_file(), Mode::Read)?.size_bytes()?;
            // A header is below 100 bytes, any record above.
            if !manifest.segments.is_empty() || tail > 100 {
                return Err(GalleryError::FolderInTheWay(folder.path("")));
            }
        }
        Tail::create(folder, spec, 1)?;
        Manifest::first(spec).store(folder)
    }

    /// Opens the files for writing and brings them to what was committed: drops what was not, removes orphans.
    pub(super) fn open(folder: Arc<dyn Folder>, committed: &Committed) -> Result<Self, GalleryError> {
        let mut manifest = Manifest::load(folder.as_ref())?;
        if drop_uncommitted(&mut manifest, committed, folder.as_ref())? {
            manifest.edition += 1;
            manifest.store(folder.as_ref())?;
        }
        let mut segments = open_segments(folder.as_ref(), &manifest, committed)?;
        graphs::attach(folder.as_ref(), &mut segments);
        let tail = Tail::open(folder.as_ref(), &manifest.spec, manifest.tail, manifest.sealed_through, committed)?;
        let shelf = Self {
            folder,
            manifest,
            segments,
            tail,
            pending: Vec::new(),
            retired: Vec::new(),
            last_id: committed.last_id,
            doubtful: false,
            unsettled: false,
        };
        shelf.remove_orphans()?;
        Ok(shelf)
    }

    pub(super) fn spec(&self) -> &GallerySpec {
        &self.manifest.spec
    }

    pub(super) fn last_id(&self) -> u64 {
        self.last_id
    }

    pub(super) fn tail_rows(&self) -> usize {
        self.tail.chunks().len()
    }

    /// What a search may see now.
    pub(super) fn snapshot(&self, number: u64) -> Snapshot {
        assemble(&self.manifest, &self.segments, self.tail.chunks(), number)
    }

    /// Appends rows durably. They count after [`commit`](Self::commit); until then [`roll_back`](Self::roll_back) undoes.
    pub(super) fn append(&mut self, rows: Vec<TailRow>) -> Result<(), GalleryError> {
        self.tail.append(&rows)?;
        self.pending = rows;
        Ok(())
    }

    /// Takes the appended rows into what searches see.
    pub(super) fn commit(&mut self) {
        let rows = std::mem::take(&mut self.pending);
        self.last_id = rows.last().map_or(self.last_id, |row| row.id.0);
        self.tail.commit(&rows, &mut self.retired);
        self.forget_dropped();
    }

    /// Takes an append back.
    pub(super) fn roll_back(&mut self) -> Result<(), GalleryError> {
        self.pending.clear();
        self.tail.roll_back()
    }

    /// Moves the tail's live rows into a segment and begins a new tail. Changes nothing that a search sees.
    pub(super) fn seal(&mut self) -> Result<(), GalleryError> {
        if self.tail.chunks().len() == 0 {
            return Ok(());
        }
        let mut next = self.manifest.clone();
        let mut held = None;
        if let Some(segment) = self.write_tail_as_segment()? {
            let (first, last) = segment.id_range();
            let number = next.next_segment;
            let entry =
                SegmentEntry { number, first: first.0, last: last.0, rows: segment.len() as u64, synthetic: false };
            next.segments.push(entry.clone());
            next.next_segment += 1;
            held = Some(hold(entry, segment, &Committed::default()));
        }
        (next.edition, next.tail, next.sealed_through) = (next.edition + 1, next.tail + 1, self.last_id);
        let tail = Tail::create(self.folder.as_ref(), &next.spec, next.tail)?;
        let old_tail = self.manifest.tail_file();
        self.replace_manifest(next)?;
        for chunk in self.tail.chunks().as_slice() {
            let chunk: Weak<dyn Rows> = Arc::downgrade(chunk) as Weak<dyn Rows>;
            self.retired.push(chunk);
        }
        self.tail = tail;
        self.segments.extend(held);
        self.forget_dropped();
        Ok(self.folder.remove(&old_tail)?)
    }

    fn replace_manifest(&mut self, next: Manifest) -> Result<(), GalleryError> {
        self.doubtful = true;
        next.store(self.folder.as_ref())?;
        self.doubtful = false;
        self.manifest = next;
        Ok(())
    }

    fn write_tail_as_segment(&self) -> Result<Option<Segment>, GalleryError> {
        let chunks = self.tail.chunks().as_slice();
        let live: u64 =
            chunks.iter().map(|chunk| (0..chunk.len()).filter(|&row| chunk.is_live(row)).count() as u64).sum();
        if live == 0 {
            return Ok(None);
        }
        let spec = self.manifest.spec.of_segment(false);
        let name = segment_file(self.manifest.next_segment);
        let mut writer = SegmentWriter::create(Arc::clone(&self.folder), &name, &spec, live)?;
        let mut original = vec![0.0; spec.dimension.get()];
        for chunk in chunks {
            for row in (0..chunk.len()).filter(|&row| chunk.is_live(row)) {
                chunk.original(row, &mut original);
                // Coding is a function of the original: these are the codes that the tail had.
                writer.push(chunk.template_id(row), &original, &Code::of(&original))?;
            }
        }
        Ok(Some(writer.finish()?))
    }

    /// Takes templates out of every snapshot from now on. Ids that are nowhere are left out.
    pub(super) fn mark_erased(&mut self, ids: &[TemplateId]) {
        for held in &mut self.segments {
            let new: Vec<u32> = ids.iter().filter_map(|&id| held.row_of(id)).collect();
            if !new.is_empty() {
                let erased = held.run.erased.as_slice().iter().copied().chain(new).collect();
                let run = SegmentRun {
                    number: held.entry.number,
                    segment: Arc::clone(&held.run.segment),
                    erased: ErasedRows::new(erased),
                    graph: held.run.graph.renewed(),
                };
                let old = std::mem::replace(&mut held.run, Arc::new(run));
                let old: Weak<dyn Rows> = Arc::downgrade(&old) as Weak<dyn Rows>;
                self.retired.push(old);
            }
        }
        self.tail.mark_erased(ids, &mut self.retired);
        self.forget_dropped();
    }

    /// Runs that were replaced and may still be read by somebody. An erasure waits until all of them are gone.
    pub(super) fn retired(&mut self) -> Vec<Weak<dyn Rows>> {
        self.forget_dropped();
        self.retired.clone()
    }

    /// Overwrites the bytes of templates, which were marked as erased and are read by nobody; names of the files changed.
    pub(super) fn overwrite(&mut self, ids: &[TemplateId], before: Before) -> Result<Vec<String>, GalleryError> {
        // A step that failed earlier may have left a second copy of a template.
        self.remove_orphans()?;
        let mut files = Vec::new();
        for held in &self.segments {
            let rows: Vec<u32> = ids.iter().filter_map(|&id| held.row_of(id)).collect();
            if !rows.is_empty() {
                erase_rows(self.folder.as_ref(), &held.entry.file(), &rows, before)?;
                files.push(held.entry.file());
            }
        }
        if self.tail.overwrite(ids, &mut self.retired)? {
            files.push(self.manifest.tail_file());
        }
        Ok(files)
    }

    /// Folder and numbers for an import: seals the tail, since imported ids follow all others.
    pub(super) fn begin_import(&mut self) -> Result<(Arc<dyn Folder>, u64), GalleryError> {
        self.seal()?;
        Ok((Arc::clone(&self.folder), self.manifest.next_segment))
    }

    /// Names imported segments in the manifest. They count once the records are committed; an opening before that drops
    /// them again.
    pub(super) fn list_import(&mut self, entries: &[SegmentEntry]) -> Result<(), GalleryError> {
        let mut next = self.manifest.clone();
        next.edition += 1;
        next.next_segment += entries.len() as u64;
        next.sealed_through = entries.last().map_or(next.sealed_through, |entry| entry.last);
        next.segments.extend_from_slice(entries);
        self.replace_manifest(next)
    }

    /// Takes listed and committed imports into what searches see.
    pub(super) fn adopt_import(&mut self) -> Result<(), GalleryError> {
        self.last_id = self.manifest.sealed_through;
        let committed = Committed { last_id: self.last_id, erasing: Vec::new() };
        for entry in self.manifest.segments.iter().skip(self.segments.len()) {
            let segment = open_segment(self.folder.as_ref(), &self.manifest, entry)?;
            self.segments.push(hold(entry.clone(), segment, &committed));
        }
        Ok(())
    }

    /// Undoes a listed import that was not committed.
    pub(super) fn disown_import(&mut self) -> Result<(), GalleryError> {
        let mut next = self.manifest.clone();
        next.edition += 1;
        next.segments.truncate(self.segments.len());
        next.sealed_through = self.last_id;
        self.replace_manifest(next)?;
        self.remove_orphans()
    }

    /// Checks every byte of every segment.
    pub(super) fn verify(&self) -> Result<(), GalleryError> {
        self.segments.iter().try_for_each(|held| held.run.segment.verify()).map_err(GalleryError::from)
    }

    /// Removes files that bear our names and belong to nothing: what a crash or a failed step left.
    pub(super) fn remove_orphans(&self) -> Result<(), GalleryError> {
        if self.doubtful {
            return Ok(());
        }
        let tail = self.manifest.tail_file();
        let segments: Vec<String> = self.manifest.segments.iter().map(SegmentEntry::file).collect();
        for name in self.folder.list()? {
            let between =
                |start, end| name.strip_prefix(start).is_some_and(|rest: &str| rest.strip_suffix(end).is_some());
            let ours = between("segment-", ".seg") || between("tail-", ".log") || between("", DRAFT_SUFFIX);
            if ours && name != tail && !segments.contains(&name) {
                tracing::info!(file = %self.folder.path(&name).display(), "removing what an interrupted step left");
                self.folder.remove(&name)?;
            }
        }
        Ok(graphs::remove_orphans(self.folder.as_ref(), &self.manifest)?)
    }

    fn forget_dropped(&mut self) {
        self.retired.retain(|run| run.strong_count() > 0);
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::base::ids::ModelId;
    use crate::segment::Precision;
    use crate::store::memory::MemoryFolder;
    use crate::vector::dimension::Dimension;

    type Live = BTreeMap<u64, Vec<f32>>;

    fn spec() -> GallerySpec {
        let model = ModelId { name: "numbers".to_owned(), hash: [3; 32] };
        GallerySpec { model, dimension: Dimension::new(16).unwrap(), originals: Precision::F32 }
    }

    fn row(id: u64) -> TailRow {
        let original: Vec<f32> = (0..16).map(|i| ((id * 31 + i * 7) as f32).sin()).collect();
        TailRow { id: TemplateId(id), code: Code::of(&original), original }
    }

    /// Plays the vault's part: what is committed, and what must be live because of it.
    struct Script {
        shelf: Shelf,
        folder: MemoryFolder,
        committed: Committed,
        live: Live,
    }

    impl Script {
        fn new() -> Self {
            let folder = MemoryFolder::default();
            Shelf::create(&folder, &spec()).unwrap();
            let shelf = Shelf::open(Arc::new(folder.clone()), &Committed::default()).unwrap();
            Self { shelf, folder, committed: Committed::default(), live: Live::new() }
        }

        fn enrol(&mut self, count: u64) -> Result<(), GalleryError> {
            let first = self.committed.last_id + 1;
            let rows: Vec<TailRow> = (first..first + count).map(row).collect();
            self.shelf.append(rows.clone())?;
            self.committed.last_id += count;
            self.live.extend(rows.into_iter().map(|row| (row.id.0, row.original)));
            self.shelf.commit();
            Ok(())
        }

        fn refused(&mut self) -> Result<(), GalleryError> {
            self.shelf.append(vec![row(self.committed.last_id + 1), row(self.committed.last_id + 2)])?;
            self.shelf.roll_back()
        }

        fn erase(&mut self, ids: &[u64]) -> Result<(), GalleryError> {
            let ids: Vec<TemplateId> = ids.iter().copied().map(TemplateId).collect();
            self.committed.erasing.clone_from(&ids);
            self.live.retain(|id, _| !ids.contains(&TemplateId(*id)));
            self.shelf.mark_erased(&ids);
            self.shelf.overwrite(&ids, Before::Whole)?;
            self.committed.erasing.clear();
            Ok(())
        }

        fn import(&mut self, count: u64) -> Result<(), GalleryError> {
            let (folder, number) = self.shelf.begin_import()?;
            let first = self.committed.last_id + 1;
            let name = segment_file(number);
            let mut writer = SegmentWriter::create(folder, &name, &spec().of_segment(true), count)?;
            for id in first..first + count {
                writer.push(TemplateId(id), &row(id).original, &row(id).code)?;
            }
            writer.finish()?;
            let last = first + count - 1;
            self.shelf.list_import(&[SegmentEntry { number, first, last, rows: count, synthetic: true }])?;
            self.committed.last_id = last;
            self.live.extend((first..=last).map(|id| (id, row(id).original)));
            self.shelf.adopt_import()
        }

        fn play(&mut self) -> Result<(), GalleryError> {
            self.enrol(3)?;
            self.enrol(20)?;
            self.refused()?;
            self.erase(&[2, 23])?;
            self.shelf.seal()?;
            self.enrol(5)?;
            self.erase(&[1, 17, 26])?;
            self.enrol(1)?;
            self.import(40)?;
            self.enrol(2)?;
            self.erase(&[40, 41, 71])?;
            self.shelf.seal()?;
            self.enrol(1)?;
            self.erase(&[72])?;
            self.shelf.seal()
        }
    }

    fn live_of(shelf: &Shelf) -> Live {
        let mut live = Live::new();
        for run in shelf.snapshot(0).rows() {
            for row in (0..run.len()).filter(|&row| run.is_live(row)) {
                let mut original = vec![0.0; 16];
                run.original(row, &mut original);
                assert!(live.insert(run.template_id(row).0, original).is_none());
            }
        }
        live
    }

    /// Cuts the power at every change of the script, with several fates for what was not synced, and demands what was
    /// committed, to the bit. A missing sync or a wrong order fails here, which no killed process would show.
    #[test]
    fn a_power_cut_at_any_change_loses_nothing_and_resurrects_nothing() {
        let mut cuts = 0;
        loop {
            let mut script = Script::new();
            script.folder.cut_power_after(cuts);
            let finished = script.play().is_ok();
            for fate in 0..6_u32 {
                let mut state = fate.wrapping_mul(0x9E37_79B9) ^ cuts as u32;
                let mut coin = || {
                    state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                    if fate < 2 { fate == 1 } else { state >> 31 == 1 }
                };
                let folder = script.folder.after_power_cut(&mut coin);
                let mut shelf = Shelf::open(Arc::new(folder.clone()), &script.committed)
                    .unwrap_or_else(|error| panic!("cut {cuts}, fate {fate}: {error}"));
                assert_eq!(live_of(&shelf), script.live, "cut {cuts}, fate {fate}");
                shelf.overwrite(&script.committed.erasing, Before::PerhapsTorn).unwrap();
                // The memory twin's maps are copies: opened again to see what was overwritten.
                let done = Committed { last_id: script.committed.last_id, erasing: Vec::new() };
                let shelf = Shelf::open(Arc::new(folder), &done).unwrap();
                assert_eq!(live_of(&shelf), script.live, "cut {cuts}, fate {fate}, erasure finished");
                shelf.verify().unwrap_or_else(|error| panic!("cut {cuts}, fate {fate}: {error}"));
            }
            if finished {
                break;
            }
            cuts += 1;
        }
        assert!(cuts > 100, "the script makes {cuts} changes");
    }

    #[test]
    fn records_older_than_the_files_are_refused() {
        let mut script = Script::new();
        script.enrol(20).unwrap();
        script.shelf.seal().unwrap();
        let older = Committed { last_id: 7, erasing: Vec::new() };
        let opened = Shelf::open(Arc::new(script.folder), &older);
        assert!(matches!(opened, Err(GalleryError::RecordsOlder { found: 20, committed: 7, .. })));
    }
}
