//! The arithmetic under an evaluation: distributions, intervals, resampling, exact tests. It knows numbers, and no searches.
//!
//! Everything is f64, deterministic, and checked against other people's programs in `tests/golden`. Random numbers come from
//! [`crate::base::random`], one stream a replicate, so that any replicate can be made alone.

pub mod binomial;
pub mod bootstrap;
pub mod contingency;
pub mod crossed;
pub mod distributions;
pub mod intervals;
pub mod pareto;
pub mod ratios;

use crate::evaluation::EvaluationError;

/// Refuses numbers that are not finite.
///
/// # Errors
/// [`EvaluationError::Figure`].
pub fn finite(what: &'static str, value: f64) -> Result<f64, EvaluationError> {
    if value.is_finite() {
        Ok(value)
    } else {
        Err(EvaluationError::Figure { what, found: value, wanted: "a finite number is needed" })
    }
}

/// The quantile `share` of ascending `sorted` values by linear interpolation between order statistics (Hyndman and Fan
/// 1996, type 7, which numpy and R take too). `None` of an empty slice.
#[must_use]
pub fn quantile(sorted: &[f64], share: f64) -> Option<f64> {
    let at = share.clamp(0.0, 1.0) * sorted.len().checked_sub(1)? as f64;
    let below = at.floor();
    let (low, high) = (sorted.get(below as usize)?, sorted.get(at.ceil() as usize)?);
    Some(low + (high - low) * (at - below))
}
