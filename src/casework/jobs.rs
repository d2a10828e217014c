//! Long work on galleries, done in the background by the process that serves: imports, graphs, compaction, restoring. Jobs stand in the
//! records, so they can be asked for by any process, followed, cancelled, and outlive the server.

use std::ops::ControlFlow;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use serde::{Deserialize, Serialize};

use crate::audit::{Caller, Happening, Kind};
use crate::base::ids::GalleryName;
use crate::base::limits::{GRAPH_AUDIT_PROBES_MAX, RECORD_TEXT_BYTES_MAX};
use crate::base::text::printable;
use crate::casework::bulk::{self, BulkImport};
use crate::casework::{CaseworkError, Desk};
use crate::gallery::{GalleryError, GraphPlan, IndexOutcome, IndexRequest, Restored};
use crate::graph::audit::Extent;
use crate::graph::build::{Plan, Step};
use crate::records::{JobRecord, NewJob};

const INDEX: &str = "index";

/// What a job does.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Work {
    /// Imports templates from files of the machine that serves.
    Import {
        /// The `.npy` file, from the root on.
        templates: PathBuf,
        /// The CSV file, from the root on.
        subjects: PathBuf,
        /// The model set that made them.
        model: String,
    },
    /// Builds and audits graphs.
    Index {
        /// How.
        #[serde(flatten)]
        plan: GraphPlan,
        /// Builds graphs again that are there already.
        again: bool,
        /// Segments with fewer rows get none.
        rows_min: u64,
        /// Whether segments that are sealed or merged later get theirs by themselves; `None` leaves that as it is.
        #[serde(default)]
        keep: Option<bool>,
    },
    /// Merges segments and drops erased rows.
    Compact {
        /// Every segment that has an erased row, not only those with many.
        all: bool,
    },
    /// Takes a backup in, on the machine that serves, under the name of the job's gallery.
    Restore {
        /// The folder of the backup, from the root on.
        from: PathBuf,
    },
}

impl Work {
    /// The word for it.
    #[must_use]
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Import { .. } => "import",
            Self::Index { .. } => INDEX,
            Self::Compact { .. } => "compact",
            Self::Restore { .. } => "restore",
        }
    }

    /// What the audit log calls asking for it.
    #[must_use]
    pub fn asked(&self) -> Kind {
        match self {
            Self::Import { .. } => Kind::ImportAsked,
            Self::Index { .. } => Kind::GraphAsked,
            Self::Compact { .. } => Kind::CompactionAsked,
            Self::Restore { .. } => Kind::RestoreAsked,
        }
    }

    /// Refuses what can't be done whatever the gallery is, while whoever asks is still there to be told.
    fn check(&self) -> Result<(), CaseworkError> {
        match self {
            Self::Index { plan: GraphPlan { m, ef_construction, audit_probes }, .. } => {
                Plan { m: *m, ef_construction: *ef_construction, threads: 1 }.check().map_err(GalleryError::from)?;
                if !(1..=GRAPH_AUDIT_PROBES_MAX).contains(audit_probes) {
                    return Err(GalleryError::TooMany {
                        what: "probes of an audit (or none)",
                        limit: GRAPH_AUDIT_PROBES_MAX,
                    }
                    .into());
                }
                Ok(())
            }
            Self::Import { .. } | Self::Compact { .. } | Self::Restore { .. } => Ok(()),
        }
    }
}

/// Asks the process that serves for some work.
///
/// # Errors
/// [`GalleryError::NoGallery`] (or [`GalleryError::AlreadyExists`] for what restores one), [`GalleryError::TooMany`] when as many jobs wait as may, and what the records say.
pub async fn ask(desk: &Desk, gallery: &GalleryName, work: &Work, caller: &Caller) -> Result<JobRecord, CaseworkError> {
    work.check()?;
    match (desk.vault.snapshot(gallery).await, work) {
        (Ok(_), Work::Restore { .. }) => return Err(GalleryError::AlreadyExists(gallery.clone()).into()),
        (Ok(_), _) | (Err(GalleryError::NoGallery(_)), Work::Restore { .. }) => {}
        (Err(error), _) => return Err(error.into()),
    }
    let request = serde_json::to_string(work).map_err(|error| CaseworkError::Stopped(error.to_string()))?;
    let (actor, origin) = (caller.who().actor.clone(), caller.who().origin.clone());
    let kind = work.kind().to_owned();
    let job = NewJob { kind, gallery: gallery.clone(), request, actor, origin };
    let id = book(desk).ask(caller, work.asked(), &job).await;
    let id = id.map_err(GalleryError::from)?;
    desk.work_waits.notify_one();
    one(desk, id).await
}

/// Jobs, newest first, at most `limit`.
///
/// # Errors
/// What the records say.
pub async fn newest(desk: &Desk, limit: usize) -> Result<Vec<JobRecord>, CaseworkError> {
    Ok(book(desk).newest(limit).await.map_err(GalleryError::from)?)
}

/// One job.
///
/// # Errors
/// [`CaseworkError::NoJob`], what the records say.
pub async fn one(desk: &Desk, id: i64) -> Result<JobRecord, CaseworkError> {
    book(desk).one(id).await.map_err(GalleryError::from)?.ok_or(CaseworkError::NoJob(id))
}

/// Ends a job: at once when it waits, shortly when it runs; it takes away what it left half done. Gives it as it is now.
/// Whoever cancels the building of graphs doesn't want it to be begun again: the gallery's are kept up no more.
///
/// # Errors
/// [`CaseworkError::NoJob`], what the records say.
pub async fn cancel(desk: &Desk, caller: &Caller, id: i64) -> Result<JobRecord, CaseworkError> {
    let job =
        book(desk).cancel(caller, id, INDEX).await.map_err(GalleryError::from)?.ok_or(CaseworkError::NoJob(id))?;
    desk.work_waits.notify_one();
    Ok(job)
}

pub(super) fn book(desk: &Desk) -> crate::records::JobBook {
    desk.vault.job_book()
}

/// How far something is, for whoever looks now and then.
#[derive(Debug, Default)]
pub struct Progress {
    step: Mutex<&'static str>,
    done: AtomicU64,
    total: AtomicU64,
}

impl Progress {
    /// Says how far it is.
    pub fn tell(&self, step: &'static str, done: u64, total: u64) {
        *self.step.lock().unwrap_or_else(PoisonError::into_inner) = step;
        self.done.store(done, Ordering::Relaxed);
        self.total.store(total, Ordering::Relaxed);
    }

    /// What is being done, how much of it, of how much.
    #[must_use]
    pub fn now(&self) -> (&'static str, u64, u64) {
        let step = *self.step.lock().unwrap_or_else(PoisonError::into_inner);
        (step, self.done.load(Ordering::Relaxed), self.total.load(Ordering::Relaxed))
    }
}

/// What came of some work.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Outcome {
    /// An import.
    Imported {
        /// First of the new templates.
        first: u64,
        /// Last of them.
        last: u64,
        /// Segments written.
        segments: usize,
    },
    /// Graphs.
    Indexed {
        /// How many segments came to which end.
        graphs: GraphCounts,
    },
    /// A compaction.
    Compacted {
        /// Segments that were rewritten.
        segments_rewritten: usize,
        /// Erased rows that are gone from files now.
        erased_rows_dropped: u64,
        /// Bytes of segments and tail before.
        bytes_before: u64,
        /// Bytes of segments and tail now.
        bytes: u64,
    },
    /// A backup was taken in.
    Restored(Restored),
}

/// What became of a gallery's segments when graphs were asked for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct GraphCounts {
    /// They have a new graph.
    pub built: usize,
    /// They had one.
    pub kept: usize,
    /// They changed meanwhile: to be built again.
    pub changed: usize,
    /// They have no live template.
    pub empty: usize,
    /// They are small, and compared exactly.
    pub small: usize,
}

impl GraphCounts {
    fn of(outcomes: &[(u64, IndexOutcome)]) -> Self {
        let count = |wanted| outcomes.iter().filter(|(_, outcome)| *outcome == wanted).count();
        Self {
            built: count(IndexOutcome::Built),
            kept: count(IndexOutcome::Kept),
            changed: count(IndexOutcome::Changed),
            empty: count(IndexOutcome::Empty),
            small: count(IndexOutcome::Small),
        }
    }
}

/// How work is done: as which job, watched and ended by whom.
#[derive(Clone)]
pub struct Doing {
    /// The job that it is; `None` for a command that does its own work.
    pub job: Option<i64>,
    /// Threads that it may use.
    pub threads: usize,
    /// Set to end it.
    pub stop: Arc<AtomicBool>,
    /// Where it says how far it is.
    pub progress: Arc<Progress>,
    /// Who wants it.
    pub caller: Caller,
}

/// Does some work, here and now.
///
/// # Errors
/// Whatever the work says; that it was stopped, too.
pub async fn work(desk: &Desk, gallery: &GalleryName, work: Work, doing: Doing) -> Result<Outcome, CaseworkError> {
    let vault = desk.vault.acting_for(&doing.caller);
    if doing.job.is_none() {
        // Only names of galleries that there are stand in events: anything may have been typed.
        let asked = Happening::new(work.asked());
        let asked = match (vault.knows(gallery).await?, &work) {
            (true, Work::Restore { .. }) => return Err(GalleryError::AlreadyExists(gallery.clone()).into()),
            (false, Work::Restore { .. }) => asked,
            (true, _) => asked.of(gallery),
            (false, _) => return Err(GalleryError::NoGallery(gallery.clone()).into()),
        };
        vault.tell(&asked).await?;
    }
    match work {
        Work::Import { templates, subjects, model } => {
            let import = BulkImport { gallery: gallery.clone(), templates, subjects, model };
            let progress = doing.progress;
            let tell = move |done, all| progress.tell("importing", done, all);
            let imported = bulk::import(desk, &vault, &import, (doing.job, doing.stop), tell).await?;
            let (first, last) = (imported.first.0, imported.last.0);
            Ok(Outcome::Imported { first, last, segments: imported.segments })
        }
        Work::Index { plan, again, rows_min, keep } => {
            if keep == Some(false) {
                vault.keep_graphs(gallery, None).await?;
            }
            let outcome = index(desk, gallery, plan, again, rows_min, doing).await?;
            // Not before it has worked out: what fails or is cancelled is not to be begun again by itself.
            if keep == Some(true) {
                vault.keep_graphs(gallery, Some(plan)).await?;
            }
            Ok(outcome)
        }
        Work::Compact { all } => {
            let Doing { progress, stop, .. } = doing;
            let tell = move |done, of| go_on(&progress, &stop, "copying", done, of);
            let compacted = vault.compact(gallery, all, tell).await?;
            Ok(Outcome::Compacted {
                segments_rewritten: compacted.segments,
                erased_rows_dropped: compacted.rows_dropped,
                bytes_before: compacted.bytes_before,
                bytes: compacted.bytes,
            })
        }
        Work::Restore { from } => {
            let Doing { job, progress, stop, .. } = doing;
            let tell = move |done, of| go_on(&progress, &stop, "checking and copying", done, of);
            Ok(Outcome::Restored(vault.restore(&from, Some(gallery.clone()), job, tell).await?))
        }
    }
}

fn go_on(progress: &Progress, stop: &AtomicBool, step: &'static str, done: u64, of: u64) -> ControlFlow<()> {
    progress.tell(step, done, of);
    if stop.load(Ordering::Relaxed) { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
}

async fn index(
    desk: &Desk,
    gallery: &GalleryName,
    plan: GraphPlan,
    again: bool,
    rows_min: u64,
    doing: Doing,
) -> Result<Outcome, CaseworkError> {
    let GraphPlan { m, ef_construction, audit_probes } = plan;
    let Doing { threads, stop, progress, .. } = doing;
    let request = IndexRequest {
        plan: Plan { m, ef_construction, threads },
        extent: Extent { probes: audit_probes, threads, ..Extent::default() },
        again,
        rows_min,
        exhaustive: Arc::clone(&desk.engine.scorer),
        cancel: stop,
        progress: Arc::new(move |_segment, step| match step {
            Step::Linking { done, rows } => progress.tell("linking", done, rows),
            Step::Mending => progress.tell("mending", 0, 1),
            Step::Auditing { done, probes } => progress.tell("auditing", done, probes),
        }),
    };
    Ok(Outcome::Indexed { graphs: GraphCounts::of(&desk.vault.index(gallery, request).await?) })
}

/// An error as a job's outcome keeps it.
pub(super) fn in_words(error: &CaseworkError) -> String {
    let text = printable(&error.to_string());
    text.get(..text.floor_char_boundary(RECORD_TEXT_BYTES_MAX)).unwrap_or_default().to_owned()
}
