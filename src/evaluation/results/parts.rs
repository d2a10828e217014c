//! Figures of parts of the searches: a kind of probe, a group of people, a band of quality.

use serde::{Deserialize, Serialize};

use super::{FoldLine, GalleryResult, Latency, Rate};

/// One kind of probes, in the whole gallery.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct KindResult {
    /// The kind.
    pub kind: String,
    /// Its mated searches.
    pub mated_searches: u64,
    /// Its non-mated searches.
    pub non_mated_searches: u64,
    /// Thresholds chosen on its own searches and their rates; absent where all probes are of this kind, since then the whole
    /// gallery's are these.
    pub rates: Option<GalleryResult>,
}

/// Rates of one group at a threshold that was chosen over all.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GroupRates {
    /// The column.
    pub column: String,
    /// The group.
    pub value: String,
    /// Its FPIR at the threshold; absent without non-mated searches.
    pub fpir: Option<Rate>,
    /// Its FNIR at the threshold, within the longest list; absent without mated searches.
    pub fnir: Option<Rate>,
}

/// Scores of probes whose quality is in the same band, as likelihood ratios.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CalibrationBand {
    /// The quality measure.
    pub measure: String,
    /// Lowest value in the band.
    pub from: f64,
    /// Highest value in the band.
    pub to: f64,
    /// Mated comparisons.
    pub mated: u64,
    /// People behind them.
    pub mated_subjects: u64,
    /// Non-mated pairs.
    pub non_mated: u64,
    /// The band's own line; absent where the counts do not allow one.
    pub fitted: Option<BandFit>,
    /// Why there is none.
    pub not_fitted: Option<String>,
}

/// A band's line: log10 LR = `slope` x score + `offset`. Where `folds` has lines, Cllr and its parts are of people who had no part in
/// the line that they are judged by.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct BandFit {
    /// See above.
    pub slope: f64,
    /// See above.
    pub offset: f64,
    /// Of the calibrated scores, in bits.
    pub cllr: f64,
    /// Of the best monotonous calibration.
    pub cllr_min: f64,
    /// What calibration loses.
    pub cllr_cal: f64,
    /// Smallest and largest log10 LR that the band's data support.
    pub bounds: (f64, f64),
    /// The line that each fold of people was judged by; empty where figures are those of the line above on its own data.
    #[serde(default)]
    pub folds: Vec<FoldLine>,
    /// Why `folds` has none, where that is known.
    #[serde(default)]
    pub not_crossed: Option<String>,
    /// Whether a threshold separates the band's mated from its non-mated comparisons: then the penalty alone holds the slope.
    #[serde(default)]
    pub separated: bool,
}

/// Batches of one size against one gallery, timed for the sake of it with probes of the evaluation.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct TimedBatches {
    /// People in the gallery.
    pub people: u64,
    /// Probes scored together.
    pub probes: usize,
    /// Batches timed.
    pub batches: u64,
    /// Median of their times.
    pub median_ms: f64,
}

impl Latency {
    /// Medians of everything that was timed, (people, probes together, milliseconds): the evaluation's own batches, and those timed for the
    /// sake of it where the evaluation had none of that size.
    #[must_use]
    pub fn medians(&self) -> Vec<(u64, usize, f64)> {
        let mut all = self.by_size.clone();
        for timed in &self.timed {
            if !self.by_size.iter().any(|own| (own.0, own.1) == (timed.people, timed.probes)) {
                all.push((timed.people, timed.probes, timed.median_ms));
            }
        }
        all
    }
}
