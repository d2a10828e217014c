//! Requests scored together: one owner thread takes probes from many requests, scores those of one gallery in one pass over
//! its rows, and answers each request. Reading a gallery once for eight probes costs little more than for one.
//!
//! * A request that comes alone is scored at once. When others have just been, the owner waits up to `gather` for company.
//! * Two lanes ([`Lane`]) share each pass: neither a large batch nor a stream of small searches starves the other. The
//!   bounds are those of [`plan`].
//! * The queue is bounded; one request more is refused ([`BatchError::Full`]).
//! * A caller that goes away (drops the future) is forgotten before the next pass; a pass that runs is finished.

mod owner;
mod plan;

use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use tokio::sync::oneshot;

use crate::base::limits::{SCORING_URGENT_PROBES_MAX, SCORING_WAITING_PROBES_MAX};
use crate::scoring::batcher::owner::{Job, Owner, Waiting};
use crate::vector::rows::GalleryRows;
use crate::vector::scorer::{ScoreError, Scorer, Scoring, Work, check_request};
use crate::vector::template::Template;

/// Rows to be scored, held for as long as the scoring takes: a snapshot of a gallery, or a part of one. Requests with the
/// same view (the same allocation) are scored together.
pub trait View: Send + Sync {
    /// The runs, in ascending template ids.
    fn rows(&self) -> &GalleryRows;
}

/// How a request is to be treated beside others.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lane {
    /// Somebody waits for this one: up to three quarters of a pass are its own.
    Urgent,
    /// Many probes: at least a quarter of every pass that it could share is its own.
    Batch,
}

impl Lane {
    /// The usual lane for so many probes.
    #[must_use]
    pub fn of(probes: usize) -> Self {
        if probes <= SCORING_URGENT_PROBES_MAX { Self::Urgent } else { Self::Batch }
    }
}

/// A request: the best `k` rows of `view` for each probe.
#[derive(Clone)]
pub struct Ask {
    /// What to search.
    pub view: Arc<dyn View>,
    /// With what.
    pub probes: Arc<[Template]>,
    /// How many templates each list has.
    pub k: usize,
    /// How urgent it is.
    pub lane: Lane,
}

/// Why a request has no lists.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum BatchError {
    /// The queue is full.
    #[error("{waiting} probes wait to be compared, at most {SCORING_WAITING_PROBES_MAX} may: try again soon")]
    Full {
        /// Probes that wait already.
        waiting: usize,
    },
    /// The scorer refused or failed.
    #[error(transparent)]
    Score(#[from] ScoreError),
    /// The scorer panicked, or the program is ending.
    #[error("the scoring stopped unexpectedly")]
    Stopped,
}

/// How a [`Batcher`] works.
#[derive(Debug, Clone, Copy)]
pub struct BatchOptions {
    /// Longest wait for company.
    pub gather: Duration,
    /// Probes of one pass, at least 4; more where the scorer says that it scores more at once.
    pub probes_per_pass: usize,
}

/// The queue before a scorer, and the thread that owns it.
pub struct Batcher {
    shared: Arc<Shared>,
    owner: Option<JoinHandle<()>>,
}

/// What requests and the owner share.
struct Shared {
    waiting: Mutex<Waiting>,
    wake: Condvar,
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Batcher {
    /// Starts the owner of `scorer`.
    ///
    /// # Errors
    /// What the system says when it has no thread to give.
    pub fn start(scorer: Arc<dyn Scorer>, options: BatchOptions) -> std::io::Result<Self> {
        let shared = Arc::new(Shared { waiting: Mutex::new(Waiting::default()), wake: Condvar::new() });
        let owner = Owner::new(scorer, options, Arc::clone(&shared));
        let owner = std::thread::Builder::new().name("scoring".to_owned()).spawn(move || owner.run())?;
        Ok(Self { shared, owner: Some(owner) })
    }

    /// The lists for `ask`, as [`Scorer::top_k`] would give them. Dropping the future withdraws the request.
    ///
    /// # Errors
    /// [`BatchError`]; a list is never silently short or inexact.
    pub async fn top_k(&self, ask: Ask) -> Result<Scoring, BatchError> {
        // Here already: a request that can't be answered must not spoil the pass of others.
        check_request(ask.view.rows(), &ask.probes, ask.k)?;
        if ask.probes.is_empty() {
            return Ok(Scoring { lists: Vec::new(), work: Work::default() });
        }
        let (reply, answer) = oneshot::channel();
        {
            let mut waiting = self.shared.lock();
            let full = |waiting: &Waiting| waiting.probes() + ask.probes.len() > SCORING_WAITING_PROBES_MAX;
            if full(&waiting) {
                waiting.forget_the_gone();
            }
            if full(&waiting) {
                return Err(BatchError::Full { waiting: waiting.probes() });
            }
            waiting.push(Job::new(ask, reply));
        }
        self.shared.wake.notify_one();
        answer.await.unwrap_or(Err(BatchError::Stopped))
    }

    /// Probes that wait or are being scored.
    #[must_use]
    pub fn waiting(&self) -> usize {
        self.shared.lock().probes()
    }
}

impl Drop for Batcher {
    /// Waits for the pass that runs; requests that still wait are told [`BatchError::Stopped`].
    fn drop(&mut self) {
        self.shared.lock().stop();
        self.shared.wake.notify_one();
        if let Some(owner) = self.owner.take() {
            // The owner catches what a scorer throws; nothing is left to report.
            let _ = owner.join();
        }
    }
}
