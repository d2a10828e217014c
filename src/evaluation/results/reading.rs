//! Reading results, also those of earlier versions of the format.
//!
//! Version 2 added: the band of the trade-off, scores by group, the expected calibration error, searches needed and cut lists;
//! thresholds by kind of probe and by group, calibration by band; the design effect of every rate, and the people who could not be
//! enrolled, who are no longer counted in N. In results of version 1 they are absent, and a report says "not measured" of them
//! or leaves them out. Its claims counted dependent searches as independent; see [`Rate::is_supported`].
//!
//! Version 3 added whether groups differ at other thresholds; maps between groups count comparisons, and those of before, which
//! grew with how many people were enrolled, are not shown any more.

use serde::Deserialize;

use super::{Evaluation, RESULTS_VERSION, Rate};
use crate::evaluation::EvaluationError;
use crate::evaluation::arithmetic::bootstrap::EVENTS_MIN;

/// Oldest version that is read.
pub const OLDEST_RESULTS_VERSION: u32 = 1;

/// What every version begins with.
#[derive(Deserialize)]
struct Versioned {
    version: u32,
}

/// Refuses versions that are not read.
///
/// # Errors
/// [`EvaluationError::ResultsVersion`].
pub fn check_version(found: u32) -> Result<(), EvaluationError> {
    if (OLDEST_RESULTS_VERSION..=RESULTS_VERSION).contains(&found) {
        return Ok(());
    }
    Err(EvaluationError::ResultsVersion { found, oldest: OLDEST_RESULTS_VERSION, newest: RESULTS_VERSION })
}

impl Rate {
    /// Whether searches were counted for what they are worth: always from version 2 on, and before where nobody was searched for
    /// more than once.
    #[must_use]
    pub fn is_weighed(&self) -> bool {
        self.design_effect.is_some() || self.trials == self.subjects
    }

    /// Whether it rests on too few events, or searches without one, counted for what they are worth, for an interval by resampling.
    #[must_use]
    pub fn is_of_few(&self) -> bool {
        let rarer = self.events.min(self.trials.saturating_sub(self.events));
        (rarer as f64) < EVENTS_MIN as f64 * self.design_effect.unwrap_or(1.0)
    }

    /// Whether the rule of 3 or of 30 allows the rate to be claimed. What counted dependent searches as independent supports nothing.
    #[must_use]
    pub fn is_supported(&self) -> bool {
        self.supported && self.is_weighed()
    }

    /// A miss rate at a threshold, as it stands beside the FPIR there: nothing is claimed of it where nothing is of that. A threshold that
    /// was chosen for an FPIR which the data don't support costs other misses than one that keeps it.
    #[must_use]
    pub fn beside(self, fpir: Option<&Self>) -> Self {
        Self { supported: self.supported && fpir.is_some_and(Self::is_supported), ..self }
    }
}

impl Evaluation {
    /// Whether it knows what version 2 added.
    #[must_use]
    pub fn has_what_version_2_added(&self) -> bool {
        self.version >= 2
    }

    /// Reads `evaluation.json`. The version is looked at first: of another one nothing else is expected to be known.
    ///
    /// # Errors
    /// [`EvaluationError::ResultsVersion`], [`EvaluationError::Results`] for what is no evaluation.
    pub fn from_json(text: &str) -> Result<Self, EvaluationError> {
        let unreadable = |error: serde_json::Error| EvaluationError::Results(format!("they can't be read: {error}"));
        let Versioned { version } = serde_json::from_str(text).map_err(unreadable)?;
        check_version(version)?;
        serde_json::from_str(text).map_err(unreadable)
    }
}
