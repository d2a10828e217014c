//! Copying live rows into a new segment, a slice at a time: the tail is sealed so, and adjacent segments are merged so,
//! without whatever was erased. Between slices the gallery goes on living: rows are enrolled behind, and an erasure of a
//! row that is being copied ends the copy, which then begins again later.
//!
//! Nothing counts before the manifest names the new file; until then it is a draft or an orphan. Old files lose their names
//! at once; their bytes go when the last process that reads them has let go.

use std::ops::Range;
use std::sync::{Arc, Weak};

use crate::base::ids::TemplateId;
use crate::base::limits::MERGE_DISK_RESERVE_BYTES;
use crate::gallery::GalleryError;
use crate::gallery::graphs;
use crate::gallery::manifest::{SegmentEntry, segment_file};
use crate::gallery::opening::{Held, hold};
use crate::gallery::shelf::Shelf;
use crate::gallery::snapshot::live_rows;
use crate::gallery::tail::{Committed, Tail, TailRow};
use crate::segment::SegmentWriter;
use crate::store::DRAFT_SUFFIX;
use crate::store::space::free_bytes;
use crate::vector::codec::Code;
use crate::vector::rows::Rows;

/// When segments are rewritten.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::gallery) struct Policy {
    /// Adjacent segments of similar size at which they are merged into one.
    pub(in crate::gallery) fan: usize,
    /// Rows at which a segment counts as being of the next size.
    pub(in crate::gallery) tier_rows: u64,
    /// A merge makes no segment of more rows than this.
    pub(in crate::gallery) rows_max: u64,
    /// A segment is rewritten when it has at least so many erased rows of a hundred.
    pub(in crate::gallery) erased_percent: u64,
}

/// How far a rewriting has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::gallery) enum Step {
    /// There is nothing to do.
    Nothing,
    /// So many rows of so many are copied.
    Copied(u64, u64),
    /// It is done: so many segments became one (or none), without so many erased rows.
    Done(usize, u64),
}

/// A segment in the making.
pub(super) struct Rewrite {
    entry: SegmentEntry,
    /// None where no live row is left: then there is no new segment.
    writer: Option<SegmentWriter>,
    /// Numbers of the segments that are merged; empty while the tail is sealed.
    from: Vec<u64>,
    /// Rows of the tail that are sealed, those enrolled since excluded.
    tail_rows: usize,
    erased: u64,
    /// Next row to look at, counted over all sources.
    at: usize,
    copied: u64,
}

impl Rewrite {
    /// Whether any of `ids` may be in it.
    pub(super) fn covers(&self, ids: &[TemplateId]) -> bool {
        ids.iter().any(|id| (self.entry.first..=self.entry.last).contains(&id.0))
    }

    /// Name of its unfinished file.
    pub(super) fn draft(&self) -> Option<String> {
        self.writer.as_ref().map(|_| format!("{}{DRAFT_SUFFIX}", self.entry.file()))
    }

    /// Copies live rows of `runs` (all sources, in order) from where it stands, looking at no more than `rows` rows. Rows
    /// that came to the sources since it began are not its business.
    fn copy(&mut self, runs: &[Source], rows: usize) -> Result<(), GalleryError> {
        let Some(writer) = &mut self.writer else { return Ok(()) };
        let mut left = rows;
        let mut start = 0;
        for run in runs {
            let end = start + run.len();
            while self.at < end && left > 0 && self.copied < self.entry.rows {
                if run.rows().is_live(self.at - start) {
                    let (id, original, code) = run.row(self.at - start);
                    writer.push(id, &original, &code)?;
                    self.copied += 1;
                }
                self.at += 1;
                left -= 1;
            }
            start = end;
        }
        Ok(writer.sync()?)
    }
}

/// A run that is copied from.
enum Source {
    Segment(Arc<crate::gallery::snapshot::SegmentRun>),
    Chunk(Arc<crate::vector::memory::MemoryRows>),
}

impl Source {
    fn rows(&self) -> &dyn Rows {
        match self {
            Self::Segment(run) => run.as_ref(),
            Self::Chunk(chunk) => chunk.as_ref(),
        }
    }

    fn len(&self) -> usize {
        self.rows().len()
    }

    fn row(&self, row: usize) -> (TemplateId, Vec<f32>, Code) {
        let rows = self.rows();
        let mut original = vec![0.0; rows.dimension().get()];
        rows.original(row, &mut original);
        let code = match self {
            Self::Segment(run) => run.segment.code(row),
            // Coding is a function of the original: this is the code that the tail had.
            Self::Chunk(_) => Code::of(&original),
        };
        (rows.template_id(row), original, code)
    }
}

impl Shelf {
    /// Drops copies in the making with their drafts.
    pub(in crate::gallery) fn abandon_rewrites(&mut self) {
        (self.sealing, self.merging) = (None, None);
    }

    /// Number for the next segment file.
    pub(super) fn next_number(&self) -> u64 {
        self.manifest.next_segment.max(self.reserved)
    }

    /// Moves all of the tail's live rows into a segment and begins a new tail. Changes nothing that a search sees.
    pub(in crate::gallery) fn seal(&mut self) -> Result<(), GalleryError> {
        self.sealing = None;
        while self.seal_slice(usize::MAX)? != Step::Nothing {}
        Ok(())
    }

    /// Goes on sealing the rows that the tail had when this was first called, by at most `rows` of them.
    pub(in crate::gallery) fn seal_slice(&mut self, rows: usize) -> Result<Step, GalleryError> {
        let mut job = match self.sealing.take() {
            Some(job) => job,
            None if self.tail.chunks().len() == 0 => return Ok(Step::Nothing),
            None => self.begin_seal()?,
        };
        let chunks = self.tail.chunks().as_slice().iter();
        job.copy(&chunks.map(|chunk| Source::Chunk(Arc::clone(chunk))).collect::<Vec<_>>(), rows)?;
        let all = job.entry.rows;
        if job.copied < all {
            let copied = job.copied;
            self.sealing = Some(job);
            return Ok(Step::Copied(copied, all));
        }
        self.finish_seal(job)
    }

    fn begin_seal(&mut self) -> Result<Rewrite, GalleryError> {
        let chunks = self.tail.chunks().as_slice();
        let live: u64 = chunks.iter().map(|chunk| live_rows(chunk.as_ref())).sum();
        let first = chunks.first().and_then(|chunk| chunk.ids().first()).map_or(0, |id| id.0);
        let tail_rows = self.tail.chunks().len();
        self.begin(first..self.last_id, live, false, Vec::new(), tail_rows)
    }

    fn begin(
        &mut self,
        ids: Range<u64>,
        live: u64,
        synthetic: bool,
        from: Vec<u64>,
        tail_rows: usize,
    ) -> Result<Rewrite, GalleryError> {
        let number = self.next_number();
        let entry = SegmentEntry { number, first: ids.start, last: ids.end, rows: live, synthetic };
        let spec = self.manifest.spec.of_segment(synthetic);
        let folder = Arc::clone(&self.folder);
        let writer = match live {
            0 => None,
            _some => Some(SegmentWriter::create(folder, &segment_file(number), &spec, live)?),
        };
        self.reserved = number + 1;
        Ok(Rewrite { entry, writer, from, tail_rows, erased: 0, at: 0, copied: 0 })
    }

    fn finish_seal(&mut self, job: Rewrite) -> Result<Step, GalleryError> {
        let mut next = self.manifest.clone();
        let held = publish(job.writer, &job.entry)?;
        next.segments.extend(held.iter().map(|held| held.entry.clone()));
        next.next_segment = next.next_segment.max(job.entry.number + 1);
        (next.edition, next.tail, next.sealed_through) = (next.edition + 1, next.tail + 1, job.entry.last);
        let rest = self.tail_rows_after(job.tail_rows);
        let tail = Tail::create_with(self.folder.as_ref(), &next.spec, next.tail, &rest)?;
        let old_tail = self.manifest.tail_file();
        self.replace_manifest(next)?;
        for chunk in self.tail.chunks().as_slice() {
            let chunk: Weak<dyn Rows> = Arc::downgrade(chunk) as Weak<dyn Rows>;
            self.retired.push(chunk);
        }
        self.tail = tail;
        self.segments.extend(held);
        self.forget_dropped();
        self.folder.remove(&old_tail)?;
        Ok(Step::Done(0, 0))
    }

    /// What was enrolled while the rows before were sealed; erased ones as dead rows, since the tail has every id.
    fn tail_rows_after(&self, sealed: usize) -> Vec<TailRow> {
        let mut rest = Vec::new();
        let mut at = 0;
        for chunk in self.tail.chunks().as_slice() {
            for row in sealed.saturating_sub(at)..chunk.len() {
                let source = Source::Chunk(Arc::clone(chunk));
                let (id, original, code) = source.row(row);
                rest.push(if chunk.is_live(row) {
                    TailRow { id, original, code }
                } else {
                    TailRow::dead(id, chunk.dimension())
                });
            }
            at += chunk.len();
        }
        rest
    }

    /// Goes on merging segments, or begins with those that `policy` wants merged, by at most `rows` rows. No erasure may
    /// be unfinished: the bytes of erased rows are to be overwritten before their file loses its name.
    pub(in crate::gallery) fn merge_slice(&mut self, policy: &Policy, rows: usize) -> Result<Step, GalleryError> {
        let mut job = match self.merging.take() {
            Some(job) => job,
            None => match self.choose(policy) {
                Some(range) if self.has_room_for(range.clone()) => self.begin_merge(range)?,
                Some(_) | None => return Ok(Step::Nothing),
            },
        };
        let sources = self.segments.iter().filter(|held| job.from.contains(&held.entry.number));
        job.copy(&sources.map(|held| Source::Segment(Arc::clone(&held.run))).collect::<Vec<_>>(), rows)?;
        let all = job.entry.rows;
        if job.copied < all {
            let copied = job.copied;
            self.merging = Some(job);
            return Ok(Step::Copied(copied, all));
        }
        self.finish_merge(job)
    }

    /// Whether the disk holds a second copy of these segments, and enough beside it for enrolments to go on.
    fn has_room_for(&mut self, range: Range<usize>) -> bool {
        let wanted: u64 =
            self.segments.get(range).unwrap_or_default().iter().map(|held| held.run.segment.size_bytes()).sum();
        // A folder that is on no disk (in tests) has no limit that could be asked for.
        let free = free_bytes(&self.folder.path("")).unwrap_or(u64::MAX);
        let fits = free >= wanted.saturating_add(MERGE_DISK_RESERVE_BYTES);
        if !fits && !self.disk_is_full {
            let folder = self.folder.path("");
            tracing::warn!(folder = %folder.display(), free, wanted, "segments are not merged: the disk is nearly full");
        }
        self.disk_is_full = !fits;
        fits
    }

    fn begin_merge(&mut self, range: Range<usize>) -> Result<Rewrite, GalleryError> {
        let old = self.segments.get(range).unwrap_or_default();
        let (Some(first), Some(last)) = (old.first(), old.last()) else {
            return Err(GalleryError::Interrupted);
        };
        let ids = first.entry.first..last.entry.last;
        let synthetic = first.entry.synthetic;
        let live = old.iter().map(|held| live_rows(held.run.as_ref())).sum();
        let erased = old.iter().map(|held| held.run.erased.as_slice().len() as u64).sum();
        let from = old.iter().map(|held| held.entry.number).collect();
        Ok(Rewrite { erased, ..self.begin(ids, live, synthetic, from, 0)? })
    }

    fn finish_merge(&mut self, job: Rewrite) -> Result<Step, GalleryError> {
        let held = publish(job.writer, &job.entry)?;
        let is_old = |entry: &SegmentEntry| job.from.contains(&entry.number);
        let mut next = self.manifest.clone();
        let place = next.segments.iter().position(is_old).unwrap_or(next.segments.len());
        next.segments.retain(|entry| !is_old(entry));
        next.segments.splice(place..place, held.iter().map(|held| held.entry.clone()));
        next.next_segment = next.next_segment.max(job.entry.number + 1);
        next.edition += 1;
        self.replace_manifest(next)?;
        let mut old_files = Vec::new();
        for old in self.segments.extract_if(.., |held| is_old(&held.entry)) {
            let run: Weak<dyn Rows> = Arc::downgrade(&old.run) as Weak<dyn Rows>;
            self.retired.push(run);
            old_files.push(old.entry.file());
        }
        self.segments.splice(place..place, held);
        self.forget_dropped();
        // Whoever has them open reads on; whoever is about to open them finds the new manifest.
        old_files.iter().try_for_each(|name| self.folder.remove(name))?;
        graphs::remove_orphans(self.folder.as_ref(), &self.manifest)?;
        Ok(Step::Done(job.from.len(), job.erased))
    }

    /// Which segments to rewrite as one now: first of all many small neighbours, then one with many erased rows. Synthetic
    /// and enrolled ones stay apart.
    fn choose(&self, policy: &Policy) -> Option<Range<usize>> {
        let rows: Vec<Candidate> = self.segments.iter().map(|held| Candidate::of(held, policy)).collect();
        let tiers = rows.iter().map(|one| one.tier).filter(|&tier| tier != TIER_OF_INDEXED);
        let highest = tiers.max().unwrap_or(0);
        (0..=highest).find_map(|tier| neighbours(&rows, tier, policy)).or_else(|| {
            let wanted = rows.iter().position(|one| one.is_worth_rewriting(policy))?;
            Some(wanted..wanted + 1)
        })
    }
}

/// Gives a finished copy its name and opens it.
fn publish(writer: Option<SegmentWriter>, entry: &SegmentEntry) -> Result<Option<Held>, GalleryError> {
    let segment = writer.map(SegmentWriter::finish).transpose()?;
    Ok(segment.map(|segment| hold(entry.clone(), segment, &Committed::default())))
}

/// Above every tier there is.
const TIER_OF_INDEXED: u32 = u32::MAX;

/// What matters of a segment when segments are chosen.
#[derive(Debug, Clone, Copy)]
struct Candidate {
    live: u64,
    rows: u64,
    synthetic: bool,
    /// How often `fan` goes into its live rows, counted from `tier_rows`.
    tier: u32,
}

impl Candidate {
    fn of(held: &Held, policy: &Policy) -> Self {
        let mut one = Self::new(live_rows(held.run.as_ref()), held.entry.rows, held.entry.synthetic, policy);
        // Somebody had a graph made for it, which a merge would throw away: left alone, but for erased rows.
        if held.run.graph.is_there() {
            one.tier = TIER_OF_INDEXED;
        }
        one
    }

    fn new(live: u64, rows: u64, synthetic: bool, policy: &Policy) -> Self {
        let tier = (live / policy.tier_rows.max(1)).checked_ilog(policy.fan.max(2) as u64).map_or(0, |log| log + 1);
        Self { live, rows, synthetic, tier }
    }

    fn is_worth_rewriting(&self, policy: &Policy) -> bool {
        let erased = self.rows - self.live;
        // A synthetic segment keeps the count of what was ever imported, so its entry never goes.
        erased > 0 && erased * 100 >= policy.erased_percent * self.rows && (self.live > 0 || !self.synthetic)
    }
}

/// The first neighbours of one kind, none above `tier` and `fan` or more of just that, that fit into one segment. Larger
/// ones wait for others of their size, so that a row is copied once for each size and not for every small neighbour.
fn neighbours(all: &[Candidate], tier: u32, policy: &Policy) -> Option<Range<usize>> {
    let mut start = 0;
    while start < all.len() {
        let (mut end, mut live, mut of_tier) = (start, 0, 0);
        while let Some(one) = all.get(end) {
            let fits = one.tier <= tier && one.synthetic == all[start].synthetic && live + one.live <= policy.rows_max;
            if !fits {
                break;
            }
            (live, end, of_tier) = (live + one.live, end + 1, of_tier + usize::from(one.tier == tier));
        }
        if of_tier >= policy.fan.max(2) && (live > 0 || !all[start].synthetic) {
            return Some(start..end);
        }
        start = end.max(start + 1);
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    const POLICY: Policy = Policy { fan: 4, tier_rows: 10, rows_max: 1000, erased_percent: 20 };

    fn chosen(segments: &[(u64, bool)]) -> Option<Range<usize>> {
        let all: Vec<Candidate> =
            segments.iter().map(|&(live, kind)| Candidate::new(live, live, kind, &POLICY)).collect();
        let highest = all.iter().map(|one| one.tier).max()?;
        (0..=highest).find_map(|tier| neighbours(&all, tier, &POLICY))
    }

    #[test]
    fn small_neighbours_of_one_kind_are_merged_and_large_ones_left() {
        let enrolled = |rows: &[u64]| rows.iter().map(|&live| (live, false)).collect::<Vec<_>>();
        assert_eq!(chosen(&enrolled(&[5, 5, 5])), None, "too few");
        assert_eq!(chosen(&enrolled(&[900, 5, 5, 5, 5])), Some(1..5));
        assert_eq!(chosen(&enrolled(&[5, 5, 900, 5, 5])), None, "not neighbours");
        assert_eq!(chosen(&enrolled(&[40, 40, 40, 40, 5])), Some(0..5), "the next size, and what is smaller");
        assert_eq!(chosen(&enrolled(&[400, 400, 400, 400])), None, "would be too large");
        assert_eq!(chosen(&[(5, false), (5, false), (5, true), (5, true)]), None, "kinds stay apart");
    }

    /// Merging after every sealing, a template is copied a few times in all, and the number of segments stays small.
    #[test]
    fn merging_copies_each_row_a_few_times() {
        let policy = Policy { fan: 4, tier_rows: 10, rows_max: 1_000_000, erased_percent: 20 };
        let (mut rows, mut copied) = (Vec::new(), 0_u64);
        for _sealing in 0..2_000 {
            rows.push(9_u64);
            loop {
                let all: Vec<Candidate> = rows.iter().map(|&live| Candidate::new(live, live, false, &policy)).collect();
                let highest = all.iter().map(|one| one.tier).max().unwrap();
                let Some(range) = (0..=highest).find_map(|tier| neighbours(&all, tier, &policy)) else { break };
                let sum: u64 = rows[range.clone()].iter().sum();
                copied += sum;
                rows.splice(range, [sum]);
            }
            assert!(rows.len() < 24, "{rows:?}");
        }
        assert!(copied < 8 * 9 * 2_000, "{copied}");
    }
}
