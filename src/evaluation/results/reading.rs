//! Reading results, also those of earlier versions of the format.
//!
//! Version 2 added the band of the trade-off, scores by group, the expected calibration error, searches needed and cut lists.
//! In results of version 1 they are absent, and a report says "not measured" of them.

use serde::Deserialize;

use super::{Evaluation, RESULTS_VERSION};
use crate::evaluation::EvaluationError;

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

impl Evaluation {
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
