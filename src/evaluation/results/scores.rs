//! Counts of scores by group, and how far stated probabilities are from what was seen.

use serde::{Deserialize, Serialize};

/// Counts of scores for each group of a column, in bins that all groups share.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct GroupHistograms {
    /// The group column.
    pub column: String,
    /// Lowest score of the first bin.
    pub from: f64,
    /// Width of a bin.
    pub width: f64,
    /// One a group that has scores.
    pub rows: Vec<GroupScores>,
}

/// Scores of one group's searches.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct GroupScores {
    /// The group.
    pub value: String,
    /// Scores with the mate.
    pub mated: Vec<u64>,
    /// People behind them.
    pub mated_subjects: u64,
    /// Highest score of each non-mated search.
    pub non_mated_best: Vec<u64>,
    /// People behind them.
    pub non_mated_subjects: u64,
}

/// Expected calibration error: the mean distance of stated probability and share seen, over bins of equal width, at even odds of
/// mated and non-mated pairs.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct ExpectedError {
    /// The error.
    pub value: f64,
    /// Bins between 0 and 1.
    pub bins: u32,
    /// Of these with comparisons in them.
    pub used: u32,
}
