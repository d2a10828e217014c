//! What an evaluation found, as it is written to `evaluation.json` and read by the report: every figure with what it rests on.
//!
//! Probabilities and rates lie between 0 and 1. A figure that could not be had is absent; none is ever made up.

mod band;
mod calibration;
mod groups;
mod parts;
mod reading;
mod scores;
mod wanted;

use serde::{Deserialize, Serialize};

pub use band::{DetBand, DetBandPoint};
pub use calibration::{Calibration, FoldLine};
pub use groups::{
    AtTarget, Breakdown, BreakdownKind, BreakdownRow, Cell, Differences, HeatMap, PairVerdict, Spread, Verdict,
};
pub use parts::{BandFit, CalibrationBand, GroupRates, KindResult, TimedBatches};
pub use reading::{OLDEST_RESULTS_VERSION, check_version};
pub use scores::{ExpectedError, GroupHistograms, GroupScores};
pub use wanted::{CutLists, SearchesNeeded};

/// Version of the format. What a new version adds is read as absent from an older one (`#[serde(default)]`).
pub const RESULTS_VERSION: u32 = 3;

/// An evaluation.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Evaluation {
    /// [`RESULTS_VERSION`].
    pub version: u32,
    /// What was evaluated, on what, how.
    pub identity: Identity,
    /// How many of what.
    pub counts: Counts,
    /// Error rates by gallery, smallest first; the last is the whole gallery. Where there are several kinds of probes, these are
    /// rates over the mixture of them.
    pub galleries: Vec<GalleryResult>,
    /// Kinds of probes that the whole gallery was searched with; empty where they are not known.
    #[serde(default)]
    pub probe_kinds: Vec<KindResult>,
    /// Error rates of the whole gallery by a column of the probes: type, quality decile, each group column.
    pub breakdowns: Vec<Breakdown>,
    /// Non-mated scores between groups, one map a group column.
    pub heat_maps: Vec<HeatMap>,
    /// Error against share of poorest probes left out, one curve a quality measure.
    pub discard: Vec<DiscardCurve>,
    /// How the largest gallery's false positives are predicted from smaller ones.
    pub prediction: Option<Prediction>,
    /// Comparison scores as likelihood ratios.
    pub calibration: Option<Calibration>,
    /// The same by quality band, thirds of each measure; empty where calibration was not asked for.
    #[serde(default)]
    pub calibration_bands: Vec<CalibrationBand>,
    /// Approximate searches beside the exact ones, where asked for.
    pub approximate: Option<ApproximatePairs>,
    /// Counts of scores.
    pub histograms: Histograms,
    /// The same by group, one a group column.
    #[serde(default)]
    pub group_histograms: Vec<GroupHistograms>,
    /// How long scoring took.
    pub latency: Option<Latency>,
    /// What is to be known before any figure is quoted, in words.
    pub statements: Vec<Statement>,
}

/// What was evaluated.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Identity {
    /// Title for people.
    pub title: String,
    /// UTC, RFC 3339.
    pub made_at: String,
    /// Version of this program.
    pub program: String,
    /// Commit it was built from, where known.
    pub commit: Option<String>,
    /// sha256 of the settings in force.
    pub config_sha256: String,
    /// Model set.
    pub model: String,
    /// Hash over everything that shapes a template.
    pub model_sha256: String,
    /// Numbers in a template.
    pub dimension: usize,
    /// sha256 of the manifest, or of the recipe of a synthetic gallery.
    pub data_sha256: String,
    /// Where the data came from.
    pub data: String,
    /// Whether templates were made by a generator: then nothing here is about any person or model.
    pub synthetic: bool,
    /// Seed of everything drawn at random.
    pub seed: u64,
    /// Processor, cores, memory, back end.
    pub hardware: Vec<(String, String)>,
    /// The protocol, line by line.
    pub protocol: Vec<(String, String)>,
    /// What was left out, and how often.
    pub exclusions: Vec<(String, u64)>,
}

/// How many of what.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counts {
    /// People in the whole gallery: those with a template in it.
    pub enrolled_subjects: u64,
    /// Templates in it.
    pub enrolled_templates: u64,
    /// Images meant for the gallery of which none could be made.
    pub failures_to_enrol: u64,
    /// People meant for the gallery of whom no image could be enrolled: they are not in it, and not counted in N.
    #[serde(default)]
    pub subjects_not_enrolled: u64,
    /// Searches for somebody who is to be in the gallery.
    pub mated_searches: u64,
    /// People behind them.
    pub mated_subjects: u64,
    /// Searches for somebody who is not.
    pub non_mated_searches: u64,
    /// People behind them.
    pub non_mated_subjects: u64,
    /// Mated probes without a template: they count as misses.
    pub failures_to_extract_mated: u64,
    /// Mated searches for somebody who could not be enrolled: they count as misses, whatever is found.
    #[serde(default)]
    pub mates_not_enrolled: u64,
    /// Non-mated probes without a template: they count as searches without a candidate.
    pub failures_to_extract_non_mated: u64,
}

/// Events among trials, with intervals at 95 %.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Rate {
    /// Errors (or whatever is counted).
    pub events: u64,
    /// Searches.
    pub trials: u64,
    /// People behind the searches.
    pub subjects: u64,
    /// Events a trial; `None` without trials.
    pub value: Option<f64>,
    /// Wilson's interval: for display, as if searches were independent.
    pub wilson: Option<(f64, f64)>,
    /// Clopper and Pearson's interval on the counts divided by the design effect: for claims.
    pub clopper_pearson: Option<(f64, f64)>,
    /// Percentiles of a bootstrap over people; absent where there are too few events for one.
    pub bootstrap: Option<(f64, f64)>,
    /// Whether the rule of 3 or of 30 allows the rate to be claimed, by the counts divided by the design effect.
    pub supported: bool,
    /// How many of the searches are worth one independent one: 1 with one search a person. Absent without searches, and in what
    /// was written before it was known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub design_effect: Option<f64>,
}

/// Error rates at one gallery size.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct GalleryResult {
    /// People enrolled: N. Whoever was meant to be enrolled and could not be is not counted.
    pub people: u64,
    /// FNIR(N, R, 0) by rank: the investigator's miss rate.
    pub by_rank: Vec<RankRow>,
    /// FNIR at thresholds that give stated FPIRs.
    pub operating: Vec<OperatingRow>,
    /// Detection error trade-off: falling threshold, so rising FPIR.
    pub det: Vec<DetPoint>,
    /// TPIR(N, R, 0) by rank R, from 1.
    pub cmc: Vec<(u32, f64)>,
    /// How far the trade-off is known; for the whole gallery.
    #[serde(default)]
    pub band: Option<DetBand>,
}

/// The miss rate at a rank without a threshold.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct RankRow {
    /// Length of the list that is looked at.
    pub rank: u32,
    /// FNIR(N, R, 0).
    pub fnir: Rate,
}

/// One threshold.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct OperatingRow {
    /// FPIR that was aimed at.
    pub target_fpir: f64,
    /// Lowest threshold whose FPIR is at most that; `None` where the data have too few searches for it.
    pub threshold: Option<f64>,
    /// FPIR(N, T), on the searches that chose T.
    pub fpir: Option<Rate>,
    /// FNIR(N, R, T) by rank.
    pub fnir: Vec<RankRow>,
    /// The same threshold rule on half of the people, and FPIR on the other half: not optimistic.
    pub disjoint: Option<DisjointRow>,
    /// False candidates a non-mated search: what examiners must reject.
    pub selectivity: Option<f64>,
    /// Chance that a search with a candidate shows the mate, by share of mated searches.
    pub predictive_value: Vec<(f64, Option<f64>)>,
    /// Candidates to reject and mates to find in 1,000 searches, by share of mated searches.
    pub workload: Vec<WorkloadRow>,
    /// Searches that this FPIR wants.
    #[serde(default)]
    pub needed: Option<SearchesNeeded>,
    /// Lists that ended before the threshold: then selectivity and candidates to reject are lower bounds.
    #[serde(default)]
    pub cut_lists: Option<CutLists>,
    /// Rates of every group at this very threshold; of the whole gallery only.
    #[serde(default)]
    pub groups: Vec<GroupRates>,
}

/// A threshold chosen on some people and tested on others.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct DisjointRow {
    /// Chosen on the first half.
    pub threshold: f64,
    /// People of the non-mated searches that it was chosen on.
    #[serde(default)]
    pub chosen_on: u64,
    /// On the second half.
    pub fpir: Rate,
    /// With the threshold of the first half, on people who had no part in choosing it.
    pub fnir: Rate,
}

/// What 1,000 searches make examiners do.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct WorkloadRow {
    /// Share of searches whose person is enrolled.
    pub prior: f64,
    /// Searches with a candidate.
    pub searches_with_candidates: f64,
    /// Candidates to reject: of anybody but the person sought.
    pub false_candidates: f64,
    /// Mates shown.
    pub mates_shown: f64,
}

/// One threshold of a trade-off.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct DetPoint {
    /// T.
    pub threshold: f64,
    /// FPIR(N, T).
    pub fpir: f64,
    /// FNIR(N, L, T), L the length of the lists.
    pub fnir: f64,
}

/// Error against share of probes left out.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct DiscardCurve {
    /// The quality measure.
    pub measure: String,
    /// FNIR(N, L, T) without the poorest share: (share, FNIR).
    pub points: Vec<(f64, f64)>,
    /// Area below the curve up to a tenth left out.
    pub partial_area: Option<f64>,
    /// The same if errors were left out first: the best there could be.
    pub ideal: Vec<(f64, f64)>,
}

/// False positives of a larger gallery, predicted.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Prediction {
    /// People in the gallery whose searches the model was fitted to.
    pub fitted_at: u64,
    /// Shape of the tail.
    pub shape: f64,
    /// Predicted and measured, by gallery size.
    pub rows: Vec<PredictionRow>,
}

/// One size and threshold.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct PredictionRow {
    /// People.
    pub people: u64,
    /// Threshold.
    pub threshold: f64,
    /// By the tail of each probe: a model-based prediction.
    pub predicted: f64,
    /// Its interval at 95 %, by resampling probes.
    pub interval: Option<(f64, f64)>,
    /// As if comparisons were independent: an upper bound in practice. Absent where it is not known.
    pub binomial: Option<f64>,
    /// What was measured at that size, where it was.
    pub measured: Option<Rate>,
}

/// Exact and approximate searches of the same probes.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ApproximatePairs {
    /// Rows kept in view.
    pub ef: u32,
    /// Mates that both showed.
    pub both: u64,
    /// Mates that the exact search alone showed.
    pub exact_only: u64,
    /// Mates that the approximate search alone showed: 0, or something is wrong.
    pub approximate_only: u64,
    /// McNemar's exact test, over people.
    pub p: f64,
    /// Probes whose mate was lost, by name, at most 1,000.
    pub lost: Vec<String>,
}

/// Counts of scores.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Histograms {
    /// Lowest score of the first bin.
    pub from: f64,
    /// Width of a bin.
    pub width: f64,
    /// Scores with the mate.
    pub mated: Vec<u64>,
    /// Highest score of each non-mated search.
    pub non_mated_best: Vec<u64>,
}

/// How long scoring took.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Latency {
    /// Back end and kernel.
    pub back_end: String,
    /// Probes scored together; where some of a batch gave no template, the median over batches.
    pub batch: usize,
    /// Milliseconds of each batch, sorted.
    pub batch_ms: Vec<f64>,
    /// Probes a second over everything.
    pub probes_a_second: f64,
    /// By gallery size and probes together: (people, probes, median milliseconds).
    pub by_size: Vec<(u64, usize, f64)>,
    /// Batches of other sizes, timed when the searches were done.
    #[serde(default)]
    pub timed: Vec<TimedBatches>,
}

/// Something to be known.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Statement {
    /// Of what kind.
    pub about: About,
    /// In words.
    pub text: String,
}

/// What a statement is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum About {
    /// Measured on real pictures.
    Real,
    /// Made by a generator.
    Synthetic,
    /// Extrapolated.
    Extrapolated,
    /// A limit of what can be said.
    Limit,
}
