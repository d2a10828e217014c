//! The files of one gallery, as the one process that may write them holds them. Knows no SQL: what the records have
//! committed is told to it, and what it writes counts only after they have.
//!
//! Every method leaves files from which [`Shelf::open`] finds either the state before or the state after, whenever the
//! power goes; `docs/SEGMENT_FORMAT.md` lists the crash points.

pub(super) mod rewrite;

use std::sync::{Arc, Weak};

use crate::base::ids::TemplateId;
use crate::gallery::GalleryError;
use crate::gallery::graphs;
use crate::gallery::manifest::{GallerySpec, MANIFEST, Manifest, SegmentEntry};
use crate::gallery::opening::{Held, assemble, drop_uncommitted, hold, open_segment, open_segments};
use crate::gallery::shelf::rewrite::Rewrite;
use crate::gallery::snapshot::{SegmentRun, Snapshot};
use crate::gallery::tail::{Committed, Tail, TailRow};
use crate::segment::{Before, erase_rows};
use crate::store::{DRAFT_SUFFIX, Folder, Mode};
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
    /// The tail's older rows on their way into a segment.
    sealing: Option<Rewrite>,
    /// Adjacent segments on their way into one.
    merging: Option<Rewrite>,
    /// Whether a merge had to be left for want of room; told once.
    disk_is_full: bool,
    /// Segment numbers below this were given to files that are in the making.
    reserved: u64,
    /// Highest committed template id.
    last_id: u64,
    /// Highest template id that the records ever gave away: an import that was taken back leaves ids that nobody gets again.
    given: u64,
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
            let tail = folder.open(&manifest.tail_file(), Mode::Read)?;
            if !manifest.segments.is_empty() || !Tail::is_empty(tail.as_ref())? {
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
            sealing: None,
            merging: None,
            disk_is_full: false,
            reserved: 0,
            last_id: committed.last_id,
            given: 0,
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

    /// The template id after which new ones begin.
    pub(super) fn last_given(&self) -> u64 {
        self.last_id.max(self.given)
    }

    /// Ids up to this one are in the records, whether they count or not.
    pub(super) fn give_no_more_up_to(&mut self, id: u64) {
        self.given = self.given.max(id);
    }

    pub(super) fn tail_rows(&self) -> usize {
        self.tail.chunks().len()
    }

    /// What a search may see now.
    pub(super) fn snapshot(&self, number: u64) -> Snapshot {
        assemble(&self.manifest, &self.segments, self.tail.chunks(), (number, self.folder.held()))
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

    fn replace_manifest(&mut self, next: Manifest) -> Result<(), GalleryError> {
        self.doubtful = true;
        next.store(self.folder.as_ref())?;
        self.doubtful = false;
        self.manifest = next;
        Ok(())
    }

    /// Takes templates out of every snapshot from now on. Ids that are nowhere are left out.
    pub(super) fn mark_erased(&mut self, ids: &[TemplateId]) {
        // A copy in the making may have them already.
        self.sealing.take_if(|job| job.covers(ids));
        self.merging.take_if(|job| job.covers(ids));
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
        Ok((Arc::clone(&self.folder), self.next_number()))
    }

    /// Names imported segments in the manifest. They count once the records are committed; an opening before that drops
    /// them again.
    pub(super) fn list_import(&mut self, entries: &[SegmentEntry]) -> Result<(), GalleryError> {
        let mut next = self.manifest.clone();
        next.edition += 1;
        next.next_segment = entries.last().map_or(next.next_segment, |entry| entry.number + 1);
        next.sealed_through = entries.last().map_or(next.sealed_through, |entry| entry.last);
        next.importing = entries.iter().any(|entry| !entry.synthetic).then_some(self.last_id);
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
        if self.manifest.importing.is_some() {
            // From now on records that end earlier are of another time, not of before this import.
            let next = Manifest { edition: self.manifest.edition + 1, importing: None, ..self.manifest.clone() };
            self.replace_manifest(next)?;
        }
        Ok(())
    }

    /// Undoes a listed import that was not committed.
    pub(super) fn disown_import(&mut self) -> Result<(), GalleryError> {
        let mut next = self.manifest.clone();
        next.edition += 1;
        next.segments.truncate(self.segments.len());
        next.importing = None;
        next.sealed_through = self.last_id;
        self.replace_manifest(next)?;
        self.remove_orphans()
    }

    /// Checks every byte of every segment.
    #[cfg(test)]
    pub(super) fn verify(&self) -> Result<(), GalleryError> {
        self.segments.iter().try_for_each(|held| held.run.segment.verify()).map_err(GalleryError::from)
    }

    /// Removes files that bear our names and belong to nothing: what a crash or a failed step left. Copies in the making
    /// stay: they have no row that is marked as erased.
    pub(super) fn remove_orphans(&self) -> Result<(), GalleryError> {
        if self.doubtful {
            return Ok(());
        }
        let tail = self.manifest.tail_file();
        let jobs = [&self.sealing, &self.merging].into_iter().flatten().filter_map(Rewrite::draft);
        let kept: Vec<String> = self.manifest.segments.iter().map(SegmentEntry::file).chain(jobs).collect();
        for name in self.folder.list()? {
            let between =
                |start, end| name.strip_prefix(start).is_some_and(|rest: &str| rest.strip_suffix(end).is_some());
            let ours = between("segment-", ".seg") || between("tail-", ".log") || between("", DRAFT_SUFFIX);
            if ours && name != tail && !kept.contains(&name) {
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
mod tests;
