//! Approximate search by a graph (HNSW), for those who ask for it: built by hnsw_rs, flattened into a file of our own,
//! walked with 8-bit codes, audited before it may answer. `docs/GRAPH_FORMAT.md` describes the file to the byte.
//!
//! A graph answers faster than the exhaustive pass and does not find everything: the mates that it misses are the hard
//! ones, of which a surveillance picture is one. So each graph carries the recall that was measured on it at several
//! difficulties ([`audit`]), an answer says what it was, and a search that would miss the policy is refused ([`curve`]).
//! A graph belongs to one segment and is a cache: absent, stale or damaged, the segment is searched exhaustively.
//!
//! Knows no people and no galleries, and its files have no template in them.

pub mod audit;
pub mod build;
pub mod codes;
pub mod curve;
pub mod file;
mod flatten;
mod format;
pub mod links;
pub mod search;
pub mod walk;

#[cfg(test)]
mod tests;

use std::path::PathBuf;

use crate::graph::curve::Measured;
use crate::store::StoreError;
use crate::vector::scorer::ScoreError;

pub use curve::{Policy, Promise};
pub use file::Graph;
pub use format::SegmentIdentity;

/// What can go wrong with a graph.
#[derive(Debug, thiserror::Error)]
pub enum GraphError {
    /// The file could not be reached.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Some other kind of file.
    #[error("{0} is no graph of this program: remove it, and build one with `bertillon gallery index`")]
    Foreign(PathBuf),
    /// From another release.
    #[error(
        "{path} has graph format {found}; this release reads format 1: build it again with `bertillon gallery index`"
    )]
    Version {
        /// Which file.
        path: PathBuf,
        /// Its version.
        found: u32,
    },
    /// Not what was written.
    #[error("{path} is damaged: {what}. Build it again with `bertillon gallery index`; exact searches don't need it")]
    Damaged {
        /// Which file.
        path: PathBuf,
        /// What does not fit.
        what: String,
    },
    /// Of another segment than the one that has its number now.
    #[error("{0} is the graph of another segment: build it again with `bertillon gallery index`")]
    Stale(PathBuf),
    /// A figure of the plan that is out of bounds.
    #[error("{found} {what}: give {least} to {most}")]
    Plan {
        /// Of what.
        what: &'static str,
        /// The figure.
        found: usize,
        /// Least allowed.
        least: usize,
        /// Most allowed.
        most: usize,
    },
    /// Nothing to build a graph of.
    #[error("there is no live template to build a graph of")]
    Empty,
    /// Stopped by whoever started it.
    #[error("building the graph was stopped; nothing of it was kept")]
    Cancelled,
    /// The builder gave edges that no graph has: a defect, reported instead of written.
    #[error("the graph that was built is wrong: {0}")]
    Edges(String),
    /// Not enough memory to build.
    #[error(
        "building a graph of {rows} templates takes about {wanted_mib} MiB of memory and {free_mib} MiB are free: close other programs, or build it on a larger machine"
    )]
    Memory {
        /// Templates of the segment.
        rows: u64,
        /// MiB wanted.
        wanted_mib: u64,
        /// MiB free.
        free_mib: u64,
    },
    /// No graph to search with.
    #[error("no segment of this gallery has a graph: build them with `bertillon gallery index`, or search exactly")]
    NoGraph,
    /// The audited recall misses the policy.
    #[error("{}", refusal(*.ef, .audit.as_ref(), *.recall_min, *.mate_cosine, *.would_do, *.most))]
    Refused {
        /// The ef asked for; `None` when the choice was left open.
        ef: Option<u32>,
        /// What was audited there; `None` when nothing was.
        audit: Option<Measured>,
        /// Least recall wanted.
        recall_min: f64,
        /// For mates of this cosine.
        mate_cosine: f32,
        /// The smallest audited ef that would do.
        would_do: Option<u32>,
        /// The largest audited ef.
        most: u32,
    },
    /// The exhaustive search of an audit failed.
    #[error(transparent)]
    Score(#[from] ScoreError),
}

fn refusal(
    ef: Option<u32>,
    audit: Option<&Measured>,
    recall_min: f64,
    mate_cosine: f32,
    would_do: Option<u32>,
    most: u32,
) -> String {
    let asked = ef.map_or_else(|| format!("the largest audited ef, {most},"), |ef| format!("an ef of {ef}"));
    let found = audit.map_or_else(
        || "was not audited so low or for mates so hard".to_owned(),
        |audit| {
            let (low, high) = audit.interval();
            format!("found {:.3} ({low:.3} to {high:.3}) of what an exhaustive search finds", audit.recall())
        },
    );
    let advice = would_do.map_or_else(
        || format!("none up to {most} would do: search exactly"),
        |ef| format!("an ef of {ef} would do (--ef {ef}), or search exactly"),
    );
    format!(
        "refused: {asked} {found} for mates at {mate_cosine}; at least {recall_min:.3}, at the lower end, is wanted (scoring.approximate_recall_min): {advice}"
    )
}
