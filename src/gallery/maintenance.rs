//! Keeping galleries in shape while they are searched and enrolled into: tails sealed, small segments merged, erased rows
//! compacted, erasures finished that had to wait.
//!
//! All of it works in slices of a few milliseconds. Between two slices the gallery is free for enrolments and erasures, and
//! as long as anybody searches the next slice waits, though not for ever.

use std::collections::HashMap;
use std::ops::ControlFlow;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

use crate::audit::{Caller, Detail, Happening, Kind};
use crate::base::ids::GalleryName;
use crate::base::limits::{
    COMPACT_ERASED_PERCENT, MAINTENANCE_SLICE_ROWS, MAINTENANCE_SLICE_SEARCHED_ROWS, MERGE_ROWS_MAX,
};
use crate::gallery::GalleryError;
use crate::gallery::room::{Room, blocking};
use crate::gallery::shelf::rewrite::{Policy, Step};
use crate::gallery::vault::{Inner, Vault};
use crate::segment::Before;
use crate::vector::rows::GalleryRows;
use crate::vector::scorer::Scorer;

/// Between two looks at all galleries.
const LOOK_EVERY: Duration = Duration::from_secs(5);
/// The same when a load gave way to an erasure.
const LOOK_AGAIN: Duration = Duration::from_millis(100);
/// How long a slice gives way to searches that follow each other without a gap.
pub(super) const GIVE_WAY: Duration = Duration::from_millis(100);
const POLL: Duration = Duration::from_millis(2);
/// How long an erasure that is finished in the background waits for readers; enrolments wait that long too.
const FINISH_WAIT: Duration = Duration::from_millis(50);

/// What compacting a gallery did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Compacted {
    /// Segments that were rewritten.
    pub segments: usize,
    /// Erased rows that are gone from files now.
    pub rows_dropped: u64,
    /// Bytes of segments and tail before.
    pub bytes_before: u64,
    /// Bytes of segments and tail now.
    pub bytes: u64,
}

impl Vault {
    /// Merges and compacts a gallery until nothing more is due; with `all`, every segment that has an erased row.
    /// `progress` is told how many rows of how many of the present segment are copied, and ends it between two slices by
    /// breaking: what is done stays done.
    ///
    /// # Errors
    /// What files or records say; [`GalleryError::StillRead`] while an erasure waits for readers,
    /// [`GalleryError::Interrupted`] when `progress` broke it off.
    pub async fn compact(
        &self,
        name: &GalleryName,
        all: bool,
        mut progress: impl FnMut(u64, u64) -> ControlFlow<()> + Send,
    ) -> Result<Compacted, GalleryError> {
        let room = self.inner.room(name)?;
        let mut done = Compacted { bytes_before: room.snapshot().sizes.bytes, ..Compacted::default() };
        self.inner.finish_waiting(&room, self.inner.options.erase_wait).await?;
        let policy = Policy { erased_percent: if all { 0 } else { COMPACT_ERASED_PERCENT }, ..self.inner.policy() };
        loop {
            match self.inner.merge_slice(&room, policy).await? {
                Step::Nothing => break,
                Step::Copied(rows, of) => {
                    if progress(rows, of).is_break() {
                        return Err(GalleryError::Interrupted);
                    }
                    self.inner.give_way().await;
                }
                Step::Done(segments, erased) => {
                    done.segments += segments;
                    done.rows_dropped += erased;
                }
            }
        }
        done.bytes = room.snapshot().sizes.bytes;
        let compacted = Happening::new(Kind::GalleryCompacted).of(name);
        let compacted = compacted.with("erased_rows_dropped", Detail::Number(done.rows_dropped));
        self.tell(&compacted.with("segments_rewritten", Detail::Number(done.segments as u64))).await?;
        Ok(done)
    }

    /// Keeps all galleries in shape from now on until the vault is closed, and `scorer`'s copies of them up to date: each
    /// gallery is loaded at the start and after segments were added or replaced, and erasures that are finished here are
    /// refreshed there. For a process that goes on for long; only a writer has anything to do.
    pub fn maintain(&self, scorer: Arc<dyn Scorer>) {
        let inner = Arc::downgrade(&self.inner);
        // The first stays: there is one scorer in a process.
        let scorer = Arc::clone(self.inner.scorer.get_or_init(|| scorer));
        let mut seen: HashMap<GalleryName, Loaded> = HashMap::new();
        tokio::spawn(async move {
            while let Some(open) = still_open(&inner) {
                let mut again = false;
                for room in open.all_rooms() {
                    let seen = seen.entry(room.name.clone()).or_default();
                    match open.tend(&room, seen, &scorer).await {
                        Ok(()) => again |= seen.gave_way,
                        Err(error) if !open.is_closed() => {
                            tracing::warn!(gallery = %room.name, %error, "maintenance of this gallery is put off");
                        }
                        Err(_) => {}
                    }
                }
                drop(open);
                tokio::time::sleep(if again { LOOK_AGAIN } else { LOOK_EVERY }).await;
            }
        });
    }
}

/// What of a gallery was loaded.
#[derive(Default)]
struct Loaded {
    /// Its segments then.
    segments: Option<Vec<u64>>,
    /// Whether the load gave way to an erasure, and is to be made again.
    gave_way: bool,
}

fn still_open(inner: &Weak<Inner>) -> Option<Arc<Inner>> {
    inner.upgrade().filter(|inner| !inner.is_closed())
}

impl Inner {
    pub(super) fn is_closed(&self) -> bool {
        self.closed.load(Ordering::Relaxed)
    }

    fn policy(&self) -> Policy {
        Policy {
            fan: self.options.merge_fan,
            // A sealed tail has a few rows more than it takes to be sealed, and is of the lowest size.
            tier_rows: 2 * self.options.tail_rows_max as u64,
            rows_max: MERGE_ROWS_MAX,
            erased_percent: COMPACT_ERASED_PERCENT,
        }
    }

    /// One look at one gallery.
    async fn tend(&self, room: &Arc<Room>, seen: &mut Loaded, scorer: &Arc<dyn Scorer>) -> Result<(), GalleryError> {
        if room.is_kept_for_import() {
            return Ok(());
        }
        self.finish_waiting(room, FINISH_WAIT).await?;
        loop {
            let began = Instant::now();
            match self.merge_slice(room, self.policy()).await? {
                Step::Nothing => break,
                Step::Copied(..) | Step::Done(..) => {}
            }
            // As much rest as work, so that a core is free for others however long this takes.
            tokio::time::sleep(began.elapsed()).await;
            self.give_way().await;
        }
        self.bring(room, seen, scorer).await
    }

    /// Brings copies on devices up to date where segments were added or replaced. A load reads the rows for seconds, and an
    /// erasure waits for all who read: so the load gives way to it, and is made again with the snapshot after it.
    async fn bring(&self, room: &Arc<Room>, seen: &mut Loaded, scorer: &Arc<dyn Scorer>) -> Result<(), GalleryError> {
        let snapshot = room.snapshot();
        let segments: Vec<u64> = snapshot.segments.iter().map(|run| run.number).collect();
        if seen.segments.as_ref() == Some(&segments) {
            return Ok(());
        }
        let (here, scorer, closed) = (Arc::clone(room), Arc::clone(scorer), Arc::clone(&self.closed));
        let told = tokio::task::spawn_blocking(move || {
            let stopped = AtomicBool::new(false);
            let goes_on = || {
                let stop = here.erasure_waits() || closed.load(Ordering::Relaxed);
                stopped.fetch_or(stop, Ordering::Relaxed);
                !stop
            };
            scorer.refresh(snapshot.rows());
            // Ahead of the first search that would have to wait for it.
            scorer.load(snapshot.rows(), &goes_on);
            stopped.load(Ordering::Relaxed)
        });
        let gave_way = told.await.map_err(|_| GalleryError::Interrupted)?;
        *seen = Loaded { segments: Some(segments).filter(|_| !gave_way), gave_way };
        Ok(())
    }

    /// Finishes erasures that could not be: a merge must not take the name from a file that still has erased bytes.
    async fn finish_waiting(&self, room: &Arc<Room>, wait: Duration) -> Result<(), GalleryError> {
        if self.records.erasing(&room.name).await?.is_empty() {
            return Ok(());
        }
        let guard = room.lock().await?;
        let scorer = self.scorer.get().map(Arc::clone);
        // Without the load: enrolments wait for this, and so does the records' word that the erasure is done.
        let refresh = move |rows: &GalleryRows| {
            if let Some(scorer) = scorer {
                scorer.refresh(rows);
            }
        };
        self.finish_erasures(room, guard, Before::PerhapsTorn, wait, refresh).await.map(drop)
    }

    /// Refuses while an erasure is unfinished: what takes a file's name away must not leave bytes in it that are to be
    /// overwritten. Asked under the gallery's lock, under which no erasure begins.
    pub(super) async fn check_settled(&self, room: &Room) -> Result<(), GalleryError> {
        let count = self.records.erasing(&room.name).await?.len();
        if count == 0 { Ok(()) } else { Err(GalleryError::ErasureWaits { gallery: room.name.clone(), count }) }
    }

    /// Rows that background work copies in one go now.
    fn slice_rows(&self) -> usize {
        if self.traffic.lately() { MAINTENANCE_SLICE_SEARCHED_ROWS } else { MAINTENANCE_SLICE_ROWS }
    }

    async fn merge_slice(&self, room: &Arc<Room>, policy: Policy) -> Result<Step, GalleryError> {
        let guard = room.lock().await?;
        if self.check_settled(room).await.is_err() {
            return Ok(Step::Nothing);
        }
        let rows = self.slice_rows();
        let (guard, step) = blocking(guard, move |shelf| shelf.merge_slice(&policy, rows)).await?;
        if !matches!(step, Ok(Step::Copied(..) | Step::Nothing)) {
            // Also after a failure: whatever the files are now is what searches should read.
            room.publish(&guard, room.snapshot().number());
        }
        if let Ok(Step::Done(segments, erased @ 1..)) = &step {
            // Before anything else becomes of the gallery; whoever asked for it has an event of their own.
            let merged = Happening::new(Kind::SegmentsMerged).of(&room.name);
            let merged = merged.with("erased_rows_dropped", Detail::Number(*erased));
            let merged = merged.with("segments_rewritten", Detail::Number(*segments as u64));
            self.records.tell(&Caller::itself("segments merged"), &merged).await?;
        }
        step
    }

    /// Waits while anybody searches, for a limited time.
    pub(super) async fn give_way(&self) {
        let deadline = Instant::now() + GIVE_WAY;
        while self.is_searched() && Instant::now() < deadline {
            tokio::time::sleep(POLL).await;
        }
    }

    /// The same on a thread that may block.
    pub(super) fn give_way_blocking(&self, longest: Duration) {
        let deadline = Instant::now() + longest;
        while self.is_searched() && Instant::now() < deadline {
            std::thread::sleep(POLL.min(longest));
        }
    }

    /// Whether any gallery is being searched: somebody but the vault holds its present snapshot, or records a search.
    fn is_searched(&self) -> bool {
        self.traffic.is_recording() || self.all_rooms().iter().any(|room| room.is_read())
    }
}

/// Seals the tail of a gallery in the background, slice by slice, once it is long enough.
pub(super) fn seal_in_background(inner: &Arc<Inner>, room: Arc<Room>) {
    if room.sealing.swap(true, Ordering::AcqRel) {
        return;
    }
    let inner = Arc::clone(inner);
    tokio::spawn(async move {
        let sealed = seal_slices(&inner, &room).await;
        room.sealing.store(false, Ordering::Release);
        if let Err(error) = sealed
            && !inner.is_closed()
        {
            tracing::error!(gallery = %room.name, %error, "the tail could not be sealed; it goes on growing");
        }
    });
}

async fn seal_slices(inner: &Inner, room: &Arc<Room>) -> Result<(), GalleryError> {
    loop {
        let guard = match room.lock().await {
            // It seals the tail itself.
            Err(GalleryError::Importing(_)) => return Ok(()),
            locked => locked?,
        };
        // The tail must not lose its name while it has bytes that are to be overwritten: the next enrolment tries again.
        if inner.check_settled(room).await.is_err() {
            return Ok(());
        }
        let rows = inner.slice_rows();
        let (guard, step) = blocking(guard, move |shelf| shelf.seal_slice(rows)).await?;
        if !matches!(step, Ok(Step::Copied(..))) {
            room.publish(&guard, room.snapshot().number());
        }
        drop(guard);
        match step? {
            Step::Copied(..) => inner.give_way().await,
            Step::Done(..) | Step::Nothing => return Ok(()),
        }
    }
}
