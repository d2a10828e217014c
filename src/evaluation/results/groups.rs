//! Error rates by kind of picture, quality and group of people, and what may be said of groups.

use serde::{Deserialize, Serialize};

use super::Rate;

/// Error rates by a column.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Breakdown {
    /// The column.
    pub column: String,
    /// What kind: type, quality, group.
    pub kind: BreakdownKind,
    /// The kind of probe that it is of; absent where it is over all of them.
    #[serde(default)]
    pub probe_kind: Option<String>,
    /// The threshold, chosen on all searches, and the FPIR it was chosen for: by group, the strictest at which groups of enough
    /// people can be told apart or shown equivalent by their FPIR.
    pub threshold: Option<f64>,
    /// See `threshold`.
    pub target_fpir: f64,
    /// The same for FNIR, where that is another; by group, the strictest, at which there are most misses to compare.
    #[serde(default)]
    pub fnir_at: Option<(f64, f64)>,
    /// One a value.
    pub rows: Vec<BreakdownRow>,
    /// How FNIR differs between the values; for groups only.
    pub fnir_differences: Option<Differences>,
    /// How FPIR differs.
    pub fpir_differences: Option<Differences>,
    /// Whether the groups differ at each of the thresholds, all of them together; for groups only.
    #[serde(default)]
    pub at_targets: Vec<AtTarget>,
}

impl Breakdown {
    /// The column, and which probes.
    #[must_use]
    pub fn title(&self) -> String {
        self.probe_kind.as_ref().map_or_else(|| self.column.clone(), |kind| format!("{} ({kind})", self.column))
    }

    /// The threshold of FNIR and the FPIR that it was chosen for.
    #[must_use]
    pub fn of_fnir(&self) -> Option<(f64, f64)> {
        self.fnir_at.or_else(|| Some((self.threshold?, self.target_fpir)))
    }
}

/// All groups together at a threshold.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct AtTarget {
    /// The FPIR that the threshold was chosen for, on all searches.
    pub target_fpir: f64,
    /// The threshold.
    pub threshold: f64,
    /// Of FNIR; absent where fewer than two groups have mated searches.
    pub fnir: Option<Spread>,
    /// Of FPIR; absent where fewer than two groups have non-mated searches.
    pub fpir: Option<Spread>,
}

/// How far apart the rates of all groups lie, and whether chance does it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Spread {
    /// Events of all groups together.
    pub events: u64,
    /// Largest rate over smallest; absent where one is zero.
    pub max_over_min: Option<f64>,
    /// Chance of differences as large if there were none, by permuting people; after Holm over all of these tests.
    pub p: f64,
    /// Whether that is below the level: the groups differ.
    pub differs: bool,
}

/// What a column says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum BreakdownKind {
    /// Kind of picture.
    ProbeType,
    /// Tenth of a quality measure, poorest first.
    Quality,
    /// A group of people.
    Group,
}

/// One value of a column.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct BreakdownRow {
    /// The value.
    pub value: String,
    /// FNIR(N, L, 0).
    pub fnir_unthresholded: Rate,
    /// FNIR(N, L, T), T of [`Breakdown::fnir_at`] where that is there.
    pub fnir: Option<Rate>,
    /// FPIR(N, T).
    pub fpir: Option<Rate>,
    /// Failures to extract.
    pub failures: Rate,
    /// Mated searches for somebody who could not be enrolled, among all mated ones: misses before anything was compared.
    #[serde(default)]
    pub mates_not_enrolled: Option<Rate>,
    /// FPIR by threshold, for the fan plot.
    pub fan: Vec<(f64, f64)>,
}

/// How a rate differs between groups.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Differences {
    /// Largest rate over smallest.
    pub max_over_min: Option<f64>,
    /// Largest rate over the geometric mean.
    pub max_over_geometric_mean: Option<f64>,
    /// Gini coefficient of the rates.
    pub gini: Option<f64>,
    /// Mean of |log10(rate / geometric mean)|.
    pub mean_log10: Option<f64>,
    /// Chance of differences as large if there were none, by permuting people; not corrected.
    pub omnibus_p: Option<f64>,
    /// Each pair of groups.
    pub pairs: Vec<PairVerdict>,
    /// The margin of equivalence, and over how many comparisons p-values are corrected, in words.
    pub margin: String,
}

/// Two groups beside each other.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PairVerdict {
    /// One.
    pub a: String,
    /// The other.
    pub b: String,
    /// Rate of `a` over that of `b`.
    pub ratio: Option<f64>,
    /// Its interval at 95 %, by the statistic of the tests; not corrected for the number of comparisons.
    pub interval: Option<(f64, f64)>,
    /// Of a difference, after Holm.
    pub p_difference: Option<f64>,
    /// Of the margin being exceeded, the larger of two one-sided tests, after Holm.
    pub p_equivalence: Option<f64>,
    /// What may be said.
    pub verdict: Verdict,
}

/// What may be said of two groups.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// Both one-sided tests say that the margin is kept.
    Equivalent,
    /// They differ, and were not shown to keep the margin.
    Different,
    /// The data are too few to say either.
    Undetermined,
}

/// False candidates between groups, for each comparison: however many of a group are enrolled, cells may be held side by side.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct HeatMap {
    /// The group column.
    pub column: String,
    /// Its values: rows are probes, columns are the gallery's people.
    pub values: Vec<String>,
    /// By row and column; `None` where nothing was compared. Empty in results of before version 3.
    #[serde(default)]
    pub cells: Vec<Vec<Option<Cell>>>,
    /// Searches whose whole list is at or above the threshold though the gallery has more: counts are lower bounds.
    #[serde(default)]
    pub cut_lists: u64,
    /// The threshold.
    pub threshold: f64,
}

/// Comparisons of probes of one group with other people's references of a group.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cell {
    /// Candidates at or above the threshold.
    pub events: u64,
    /// Non-mated searches times references.
    pub comparisons: u64,
}

impl Cell {
    /// Candidates for each comparison.
    #[must_use]
    pub fn rate(&self) -> f64 {
        self.events as f64 / self.comparisons as f64
    }
}
