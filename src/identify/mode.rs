//! Exact or approximate: what a search may leave out. Exact unless asked otherwise; an approximate answer always says so,
//! with the recall that was audited for it.

use std::sync::Arc;

use crate::gallery::Snapshot;
use crate::graph::curve::admit as admit_curves;
use crate::graph::search::{Coverage, top_k};
use crate::graph::{Policy, Promise};
use crate::identify::IdentifyError;
use crate::scoring::batcher::{Ask, BatchError};
use crate::vector::scorer::{Scorer, Scoring};

/// How a gallery is searched.
#[derive(Clone, Default)]
pub enum Mode {
    /// Every live template is scored.
    #[default]
    Exact,
    /// Segments that have a graph are searched by it.
    Approximate(Approach),
}

/// What an approximate search is held to and works with.
#[derive(Clone)]
pub struct Approach {
    /// Rows in view; `None` for the fewest that keep the policy.
    pub ef: Option<u32>,
    /// What it must promise.
    pub policy: Policy,
    /// Threads that walk.
    pub threads: usize,
    /// What scores the rows that no graph covers.
    pub exhaustive: Arc<dyn Scorer>,
}

/// How an answer is approximate.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Approximation {
    /// Rows in view, and the audited recall.
    pub promise: Promise,
    /// What was looked at.
    pub coverage: Coverage,
}

impl Approximation {
    /// In words, for answers and records.
    #[must_use]
    pub fn in_words(&self) -> String {
        let Promise { ef, audit } = self.promise;
        let (low, high) = audit.interval();
        format!(
            "APPROXIMATE: ef {ef}, audited recall {:.3} ({low:.3} to {high:.3}, {} probes at ef {}) for mates at {:.2}, measured when the graphs were built, without erasures since and without a filter",
            audit.recall(),
            audit.probes,
            audit.ef,
            audit.mate_cosine
        )
    }
}

/// An approximate search that was let in.
pub(super) struct Admitted {
    approach: Approach,
    promise: Promise,
}

/// Lets an approximate search in when its audited recall keeps the policy; `None` for an exact one.
pub(super) fn admit(mode: &Mode, snapshot: &Snapshot) -> Result<Option<Admitted>, IdentifyError> {
    match mode {
        Mode::Exact => Ok(None),
        Mode::Approximate(approach) => {
            let promise = admit_curves(&snapshot.curves(), approach.ef, approach.policy)?;
            Ok(Some(Admitted { approach: approach.clone(), promise }))
        }
    }
}

pub(super) async fn score(
    admitted: &Admitted,
    snapshot: Arc<Snapshot>,
    ask: Ask,
) -> Result<(Scoring, Approximation), IdentifyError> {
    let (approach, promise) = (admitted.approach.clone(), admitted.promise);
    let scored = tokio::task::spawn_blocking(move || {
        let (indexed, ef) = (snapshot.indexed(), promise.ef as usize);
        // A part of a snapshot has the runs of the whole, in their places.
        let rows = ask.view.rows();
        top_k(rows, &indexed, &ask.probes, ask.k, ef, approach.threads, approach.exhaustive.as_ref())
    });
    let (mut scoring, coverage) = scored.await.map_err(|_panicked| IdentifyError::Batch(BatchError::Stopped))??;
    let approximation = Approximation { promise, coverage };
    scoring.work.back_end = format!("{}; {}", scoring.work.back_end, approximation.in_words());
    Ok((scoring, approximation))
}
