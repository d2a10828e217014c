//! Who does the jobs: one task of the process that serves, one job after another.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use tokio::task::JoinHandle;

use crate::audit::Caller;
use crate::base::ids::GalleryName;
use crate::casework::jobs::{self, Doing, Progress, Work, book};
use crate::casework::{CaseworkError, Desk};
use crate::records::{JobRecord, JobState};

/// How often another process's wishes are looked for, and progress is written down.
const LOOK: Duration = Duration::from_millis(500);
/// How long it is left alone when graphs could not be built of themselves.
const AGAIN_AFTER: Duration = Duration::from_mins(10);

/// Does jobs until it is stopped.
pub struct Worker {
    stop: Arc<AtomicBool>,
    desk: Arc<Desk>,
    task: JoinHandle<()>,
}

impl Worker {
    /// Begins with what an earlier process left.
    #[must_use]
    pub fn start(desk: Arc<Desk>) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let task = tokio::spawn(work_on(Arc::clone(&desk), Arc::clone(&stop)));
        Self { stop, desk, task }
    }

    /// Ends the job under way, which the next process begins anew, and waits for that.
    pub async fn stop(self) {
        self.stop.store(true, Ordering::Relaxed);
        self.desk.work_waits.notify_one();
        if self.task.await.is_err() {
            tracing::error!("the worker ended in a bug");
        }
    }
}

async fn work_on(desk: Arc<Desk>, stop: Arc<AtomicBool>) {
    if let Err(error) = book(&desk).put_interrupted_back().await {
        tracing::error!(%error, "jobs that an earlier process began can't be taken up");
    }
    let mut tried = HashMap::new();
    while !stop.load(Ordering::Relaxed) {
        match book(&desk).begin().await {
            Ok(Some(job)) => do_job(&desk, job, &stop).await,
            Ok(None) => {
                if let Err(error) = ask_for_graphs(&desk, &mut tried).await {
                    tracing::warn!(%error, "graphs are not kept up");
                }
                drop(tokio::time::timeout(LOOK, desk.work_waits.notified()).await);
            }
            Err(error) => {
                tracing::error!(%error, "jobs can't be read");
                tokio::time::sleep(10 * LOOK).await;
            }
        }
    }
}

/// Asks for the graphs that a gallery wants and lacks, as after sealing or merging.
async fn ask_for_graphs(desk: &Desk, tried: &mut HashMap<GalleryName, Instant>) -> Result<(), CaseworkError> {
    let rows_min = desk.settings.scoring.graph_rows_min;
    for (gallery, plan) in desk.vault.wanting_graphs(rows_min).await? {
        if tried.get(&gallery).is_some_and(|at| at.elapsed() < AGAIN_AFTER) {
            continue;
        }
        tried.insert(gallery.clone(), Instant::now());
        let itself = Caller::itself("segments changed");
        jobs::ask(desk, &gallery, &Work::Index { plan, again: false, rows_min, keep: None }, &itself).await?;
    }
    Ok(())
}

async fn do_job(desk: &Arc<Desk>, job: JobRecord, stop: &AtomicBool) {
    let id = job.id;
    tracing::info!(id, kind = job.asked.kind, gallery = %job.asked.gallery, "job begun");
    let (outcome, wanted) = match serde_json::from_str::<Work>(&job.asked.request) {
        Ok(work) => watched(desk, &job, work, stop).await,
        Err(_) => (Err(CaseworkError::Stopped("what was asked for can't be read".to_owned())), true),
    };
    let stopping = stop.load(Ordering::Relaxed);
    let ended = match outcome {
        Ok(outcome) => {
            let text = serde_json::to_string(&outcome).unwrap_or_default();
            book(desk).end(id, JobState::Done, &text).await
        }
        Err(error) if error.is_stop() && !wanted => book(desk).end(id, JobState::Cancelled, "").await,
        Err(error) if error.is_stop() && stopping => book(desk).put_back(id).await,
        Err(error) => {
            let said = jobs::in_words(&error);
            tracing::warn!(id, said, "job failed");
            book(desk).end(id, JobState::Failed, &said).await
        }
    };
    match ended {
        Ok(()) => tracing::info!(id, "job ended"),
        Err(error) => tracing::error!(id, %error, "how a job ended can't be written down"),
    }
}

/// Does it, writes down how far it is, and ends it when nobody wants it any more; what came of it, and whether it was wanted
/// to the end.
async fn watched(
    desk: &Arc<Desk>,
    job: &JobRecord,
    work: Work,
    stop: &AtomicBool,
) -> (Result<jobs::Outcome, CaseworkError>, bool) {
    let doing = Doing {
        job: Some(job.id),
        // Searches go on meanwhile.
        threads: (desk.scoring_threads() / 2).max(1),
        stop: Arc::default(),
        progress: Arc::<Progress>::default(),
        caller: Caller::new(&job.asked.actor, &job.asked.origin, None),
    };
    let (theirs, gallery, given) = (Arc::clone(desk), job.asked.gallery.clone(), doing.clone());
    let mut task = tokio::spawn(async move { jobs::work(&theirs, &gallery, work, given).await });
    let mut wanted = true;
    loop {
        tokio::select! {
            done = &mut task => {
                let bug = |_| CaseworkError::Stopped("a defect of this program; the server's log says where".to_owned());
                return (done.map_err(bug).and_then(|outcome| outcome), wanted);
            }
            () = tokio::time::sleep(LOOK) => {
                let (step, done, total) = doing.progress.now();
                match book(desk).report(job.id, step, done, total).await {
                    Ok(cancel) => wanted &= !cancel,
                    Err(error) => tracing::warn!(id = job.id, %error, "how far a job is can't be written down"),
                }
                if !wanted || stop.load(Ordering::Relaxed) {
                    doing.stop.store(true, Ordering::Relaxed);
                }
            }
        }
    }
}
