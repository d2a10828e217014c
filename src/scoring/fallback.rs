//! A scorer that survives the loss of its device.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use crate::vector::coarse::{CoarseError, GoesOn};
use crate::vector::rows::GalleryRows;
use crate::vector::scorer::{ScoreError, Scorer, Scoring};
use crate::vector::template::Template;

/// How long a failed back end is left alone: long enough not to delay every search, short enough to notice a driver
/// that came back.
pub const COOL_DOWN: Duration = Duration::from_mins(1);

/// Asks `first`, and `second` while `first` is out of order. Both give the same lists, so only the time differs.
///
/// Only a failed device is hidden in this way; a request that can't be answered is an error from either.
pub struct WithFallback {
    first: Box<dyn Scorer>,
    second: Box<dyn Scorer>,
    cool_down: Duration,
    failure: Mutex<Option<Failure>>,
}

#[derive(Clone)]
struct Failure {
    reason: String,
    at: Instant,
}

impl WithFallback {
    /// `first` where it works, else `second`, with the usual [`COOL_DOWN`].
    #[must_use]
    pub fn new(first: Box<dyn Scorer>, second: Box<dyn Scorer>) -> Self {
        Self { first, second, cool_down: COOL_DOWN, failure: Mutex::new(None) }
    }

    /// Tries `first` again after another time.
    #[must_use]
    pub fn with_cool_down(mut self, cool_down: Duration) -> Self {
        self.cool_down = cool_down;
        self
    }

    /// Why `first` is out of order at the moment.
    #[must_use]
    pub fn failure(&self) -> Option<String> {
        self.recent_failure().map(|failure| failure.reason)
    }

    fn recent_failure(&self) -> Option<Failure> {
        let failure = self.failure.lock().unwrap_or_else(PoisonError::into_inner);
        failure.clone().filter(|failure| failure.at.elapsed() < self.cool_down)
    }

    fn remember(&self, failure: Option<Failure>) {
        *self.failure.lock().unwrap_or_else(PoisonError::into_inner) = failure;
    }

    fn second(
        &self,
        gallery: &GalleryRows,
        probes: &[Template],
        k: usize,
        reason: String,
    ) -> Result<Scoring, ScoreError> {
        let mut scoring = self.second.top_k(gallery, probes, k)?;
        scoring.work.fell_back = Some(reason);
        Ok(scoring)
    }
}

impl Scorer for WithFallback {
    fn name(&self) -> String {
        match self.recent_failure() {
            None => self.first.name(),
            Some(failure) => {
                let left = self.cool_down.saturating_sub(failure.at.elapsed()).as_secs();
                format!("{} ({}; tried again in {left} s)", self.second.name(), failure.reason)
            }
        }
    }

    fn top_k(&self, gallery: &GalleryRows, probes: &[Template], k: usize) -> Result<Scoring, ScoreError> {
        if let Some(failure) = self.recent_failure() {
            return self.second(gallery, probes, k, failure.reason);
        }
        match self.first.top_k(gallery, probes, k) {
            Err(ScoreError::Coarse(error @ CoarseError::Device { .. })) => {
                let reason = error.to_string();
                tracing::warn!(%error, instead = %self.second.name(), "a scoring back end failed; another one answers");
                self.remember(Some(Failure { reason: reason.clone(), at: Instant::now() }));
                self.second(gallery, probes, k, reason)
            }
            answer @ (Ok(_)
            | Err(
                ScoreError::ListLength(_) | ScoreError::Probes(_) | ScoreError::Coarse(CoarseError::Dimension { .. }),
            )) => answer,
        }
    }

    fn probes_at_once(&self, gallery: &GalleryRows, k: usize) -> usize {
        let answers = if self.recent_failure().is_none() { &self.first } else { &self.second };
        answers.probes_at_once(gallery, k)
    }

    fn load(&self, gallery: &GalleryRows, goes_on: &GoesOn<'_>) {
        if self.recent_failure().is_none() {
            self.first.load(gallery, goes_on);
        }
    }

    fn refresh(&self, gallery: &GalleryRows) {
        // Also while the first is out of order: it may still hold copies of rows that must go.
        self.first.refresh(gallery);
        self.second.refresh(gallery);
    }
}
