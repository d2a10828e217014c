//! Comparison scores as likelihood ratios.

use serde::{Deserialize, Serialize};

use super::ExpectedError;

/// Scores as likelihood ratios. Where `folds` has lines, all figures but slope, offset and bounds are of people who had no part in the
/// line that they are judged by.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Calibration {
    /// log10 LR = `slope` x score + `offset`, fitted to all comparisons.
    pub slope: f64,
    /// See `slope`.
    pub offset: f64,
    /// Of the calibrated scores, in bits.
    pub cllr: f64,
    /// Of the best monotonous calibration, found on these very ratios.
    pub cllr_min: f64,
    /// What calibration loses.
    pub cllr_cal: f64,
    /// Smallest and largest log10 LR that the data support.
    pub bounds: (f64, f64),
    /// Tippett plot: log10 LR, share of mated pairs above, share of non-mated pairs above.
    pub tippett: Vec<(f64, f64, f64)>,
    /// Reliability: predicted probability, share that was mated, count.
    pub reliability: Vec<(f64, f64, u64)>,
    /// How far the two lie apart on average.
    #[serde(default)]
    pub expected_error: Option<ExpectedError>,
    /// Cllr of the line above on the comparisons that it was fitted to.
    #[serde(default)]
    pub cllr_in_sample: Option<f64>,
    /// The line that each fold of people was judged by, fitted to all others; empty where figures are those of the line above on its own
    /// data.
    #[serde(default)]
    pub folds: Vec<FoldLine>,
    /// Why `folds` has none, where that is known.
    #[serde(default)]
    pub not_crossed: Option<String>,
    /// Factor of the penalty on slope²/2, the slope by standard deviation of the scores, that every line here was fitted with; beside it
    /// are weighted comparisons, natural logarithms, of mean weight 1. Absent where it was on the slope by unit of score, and made slopes too flat.
    #[serde(default)]
    pub penalty: Option<f64>,
    /// Whether a threshold separates mated from non-mated comparisons: then the penalty alone holds the slope.
    #[serde(default)]
    pub separated: bool,
}

/// The line that one fold of people was judged by: log10 LR = `slope` x score + `offset`, no further out than `bounds`.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct FoldLine {
    /// See above.
    pub slope: f64,
    /// See above.
    pub offset: f64,
    /// Smallest and largest log10 LR that the other folds' data support.
    pub bounds: (f64, f64),
    /// Mated comparisons of this fold.
    pub mated: u64,
    /// Non-mated ones.
    pub non_mated: u64,
}
