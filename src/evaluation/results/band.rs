//! How far a trade-off is known.

use serde::{Deserialize, Serialize};

/// A band along a trade-off, by bootstrap over people, pointwise at 95 %.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct DetBand {
    /// Replicates.
    pub replicates: u32,
    /// People of mated searches who were drawn anew.
    pub mated_subjects: u64,
    /// People of non-mated searches.
    pub non_mated_subjects: u64,
    /// People enrolled whom non-mated searches returned first; drawn anew in what is two-way.
    pub returned_subjects: u64,
    /// Errors, and searches without one, counted for what they are worth, below which there is no interval.
    pub events_min: u64,
    /// Along the curve, highest threshold first.
    pub points: Vec<DetBandPoint>,
    /// At the thresholds of the operating rows, in their order.
    pub operating: Vec<DetBandPoint>,
}

/// One threshold of a trade-off with its intervals; one that is absent rests on too few errors.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct DetBandPoint {
    /// T.
    pub threshold: f64,
    /// FPIR(N, T), counted.
    pub fpir: f64,
    /// FNIR(N, L, T), counted.
    pub fnir: f64,
    /// FPIR at T, by people searched for.
    pub fpir_interval: Option<(f64, f64)>,
    /// FPIR at T, two-way: by people searched for and people enrolled. It may be too wide.
    pub fpir_two_way: Option<(f64, f64)>,
    /// FNIR at that FPIR, the threshold being chosen anew in each replicate, by people searched for.
    pub fnir_interval: Option<(f64, f64)>,
    /// The same, two-way.
    pub fnir_two_way: Option<(f64, f64)>,
}
