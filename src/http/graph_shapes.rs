//! JSON shapes of graphs and of approximate answers.

use serde::Serialize;
use utoipa::ToSchema;

use crate::graph::curve::Measured;
use crate::graph::file::Facts;
use crate::identify::Approximation;

/// One line of a recall audit: how often a graph's first candidate was the exhaustive search's.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct RecallShape {
    /// Templates in view.
    pub ef: u32,
    /// Comparison score between each probe and its mate: how hard the probes were.
    pub mate_cosine: f32,
    /// Share of probes for which both agreed.
    pub recall: f64,
    /// Lower end of Wilson's 95 % interval.
    pub recall_low: f64,
    /// Upper end.
    pub recall_high: f64,
    /// Probes.
    pub probes: u32,
}

impl From<&Measured> for RecallShape {
    fn from(line: &Measured) -> Self {
        let (recall_low, recall_high) = line.interval();
        let Measured { ef, mate_cosine, agreed: _, probes } = *line;
        Self { ef, mate_cosine, recall: line.recall(), recall_low, recall_high, probes }
    }
}

/// A graph for approximate searches.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct GraphShape {
    /// Number of its segment.
    pub segment: u64,
    /// Templates in it.
    pub templates: u64,
    /// Templates that no walk comes to.
    pub unreachable: u64,
    /// Neighbours of a template on upper levels.
    pub m: usize,
    /// Templates kept in view while it was built.
    pub ef_construction: usize,
    /// Seed of the audit.
    pub audit_seed: u64,
    /// The recall audit.
    pub audit: Vec<RecallShape>,
}

impl From<&Facts> for GraphShape {
    fn from(facts: &Facts) -> Self {
        let Facts { segment, plan, points, unreachable, curve } = facts;
        Self {
            segment: segment.number,
            templates: *points,
            unreachable: *unreachable,
            m: plan.m,
            ef_construction: plan.ef_construction,
            audit_seed: curve.seed,
            audit: curve.lines.iter().map(RecallShape::from).collect(),
        }
    }
}

/// How an answer is approximate.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct ApproximateShape {
    /// Templates in view.
    pub ef: u32,
    /// The audit that covers it: of all graphs the worst, at this ef or the next lower audited one.
    pub audit: RecallShape,
    /// Templates that lie in graphs.
    pub graph_templates: u64,
    /// Templates that no graph covers: all of them were compared.
    pub exhaustive_templates: u64,
    /// Comparisons made while walking, over all probes.
    pub visited: u64,
    /// Walks given up for an exhaustive comparison.
    pub given_up: u64,
}

impl From<&Approximation> for ApproximateShape {
    fn from(how: &Approximation) -> Self {
        let Approximation { promise, coverage } = how;
        Self {
            ef: promise.ef,
            audit: (&promise.audit).into(),
            graph_templates: coverage.graph_rows,
            exhaustive_templates: coverage.exhaustive_rows,
            visited: coverage.visited,
            given_up: coverage.given_up,
        }
    }
}
