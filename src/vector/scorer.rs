//! The trait behind which every way of scoring stands, and what it reports.

use crate::base::limits::{PROBES_PER_SEARCH_MAX, PROBES_PER_SWEEP_MAX, TOP_K_MAX};
use crate::vector::coarse::{CoarseError, GoesOn};
use crate::vector::rows::GalleryRows;
use crate::vector::template::Template;
use crate::vector::topk::Scored;

/// Why no candidate list could be made.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum ScoreError {
    /// No list was asked for, or one too long.
    #[error("can't list the best {0}: ask for 1 to {TOP_K_MAX}")]
    ListLength(usize),
    /// Too many probes for one call.
    #[error("{0} probes in one search: at most {PROBES_PER_SEARCH_MAX}")]
    Probes(usize),
    /// The coarse pass failed.
    #[error(transparent)]
    Coarse(#[from] CoarseError),
}

/// What a scoring cost, for status, benchmarks and records.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Work {
    /// The back end that answered.
    pub back_end: String,
    /// Rows compared with each probe.
    pub rows: u64,
    /// Rows scored again in full precision, over all probes.
    pub rescored: u64,
    /// Probes whose list was proven right by the first pass.
    pub certified_at_once: u32,
    /// Probes that needed a second, lower pass.
    pub repeated: u32,
    /// Probes that were scored exhaustively in full precision because too many rows were too close.
    pub exhaustive: u32,
    /// Probes of other requests that were scored in the same passes; the counts above are of all of them.
    pub shared_with: u32,
    /// Why another back end than the first answered; `None` when the first did.
    pub fell_back: Option<String>,
}

impl Work {
    /// Adds what another pass over the same rows took.
    pub fn add(&mut self, pass: &Self) {
        self.back_end.clone_from(&pass.back_end);
        self.rows = pass.rows;
        self.rescored += pass.rescored;
        self.certified_at_once += pass.certified_at_once;
        self.repeated += pass.repeated;
        self.exhaustive += pass.exhaustive;
        self.shared_with += pass.shared_with;
        if self.fell_back.is_none() {
            self.fell_back.clone_from(&pass.fell_back);
        }
    }
}

/// Candidate lists of one call, and their cost.
#[derive(Debug, Clone, PartialEq)]
pub struct Scoring {
    /// One list a probe, in rank order ([`crate::vector::topk::rank_order`]), as long as asked or as the gallery has rows.
    pub lists: Vec<Vec<Scored>>,
    /// What it took.
    pub work: Work,
}

/// Exact search: for each probe the best `k` live templates. Every implementation gives the same lists to the bit.
pub trait Scorer: Send + Sync {
    /// What is running, for status and benchmarks.
    fn name(&self) -> String;

    /// Scores all probes against all live rows.
    ///
    /// # Errors
    /// [`ScoreError`] when the request can't be answered; a list is never silently short or inexact.
    fn top_k(&self, gallery: &GalleryRows, probes: &[Template], k: usize) -> Result<Scoring, ScoreError>;

    /// Probes that are scored in one pass over the rows, for lists of `k`: whoever gathers probes need not gather more.
    fn probes_at_once(&self, _gallery: &GalleryRows, _k: usize) -> usize {
        PROBES_PER_SWEEP_MAX
    }

    /// Brings copies of the gallery onto a device ahead of the first search that needs them, after a start or a seal. May
    /// take seconds, unless [`GoesOn`] ends it; searches meanwhile are answered without what is not there yet. Nothing depends
    /// on it but time.
    fn load(&self, _gallery: &GalleryRows, _goes_on: &GoesOn<'_>) {}

    /// Brings copies of the gallery that a device keeps up to date; called before an erasure is acknowledged.
    fn refresh(&self, gallery: &GalleryRows);
}

/// Checks what every scorer must refuse.
///
/// # Errors
/// [`ScoreError::ListLength`], [`ScoreError::Probes`], or a dimension error.
pub fn check_request(gallery: &GalleryRows, probes: &[Template], k: usize) -> Result<(), ScoreError> {
    if k == 0 || k > TOP_K_MAX {
        return Err(ScoreError::ListLength(k));
    }
    if probes.len() > PROBES_PER_SEARCH_MAX {
        return Err(ScoreError::Probes(probes.len()));
    }
    for run in gallery {
        if let Some(probe) = probes.iter().find(|probe| probe.dimension() != run.dimension()) {
            let probe = probe.dimension().get();
            return Err(CoarseError::Dimension { probe, gallery: run.dimension() }.into());
        }
    }
    Ok(())
}
