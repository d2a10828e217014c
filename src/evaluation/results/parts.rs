//! Figures of parts of the searches: a kind of probe, a group of people, a band of quality.

use serde::{Deserialize, Serialize};

use super::{FoldLine, GalleryResult, Rate};

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
}
