//! Building: hnsw_rs lays the edges, on distances between 8-bit codes, and what it made is flattened at once.
//!
//! hnsw_rs (0.3.5) keeps every row and every edge in allocations of its own; `Plan::bytes_wanted` says what that comes to,
//! and a build is refused where the machine has not so much. Its points are given the codes with their scale instead of f32
//! vectors: a quarter of the memory, and products that this room's own kernels make. It asserts that distances are not
//! negative and panics on one that is no number; ours is neither, whatever the bytes. Its files are never written or read.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use hnsw_rs::anndists::dist::distances::Distance;
use hnsw_rs::hnsw::Hnsw;

use crate::base::limits::{GRAPH_EF_CONSTRUCTION_MAX, GRAPH_EF_MAX, GRAPH_M_MAX, GRAPH_M_MIN};
use crate::graph::GraphError;
use crate::graph::codes::RowMajor;
use crate::graph::flatten;
use crate::graph::links::Flat;
use crate::kernel::rowdot::{self, RowKernel};
use crate::scoring::apart;
use crate::vector::codec::Code;

/// Levels that hnsw_rs may use.
const LAYERS: usize = 16;
/// Rows added one after another before threads share the rest: two first points at once would not know of each other.
const FIRST_ROWS: usize = 256;
/// What hnsw_rs takes a row beside codes and edges, and what it takes an edge: measured with M = 16.
const BYTES_A_POINT: u64 = 900;
/// See [`BYTES_A_POINT`].
const BYTES_AN_EDGE: u64 = 64;
/// Bytes of the scale behind the codes of a point.
const SCALE_BYTES: usize = 4;

/// How a graph is to be built.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Plan {
    /// Most neighbours of a row on an upper level; twice as many on the lowest.
    pub m: usize,
    /// Rows kept in view while a row is added.
    pub ef_construction: usize,
    /// Threads, at least 1.
    pub threads: usize,
}

impl Default for Plan {
    fn default() -> Self {
        Self { m: 16, ef_construction: 128, threads: 1 }
    }
}

impl Plan {
    /// Refuses figures that the builder or the file could not work with.
    ///
    /// # Errors
    /// [`GraphError::Plan`] with what is allowed.
    pub fn check(&self) -> Result<(), GraphError> {
        let within = |what, found, least, most| {
            if (least..=most).contains(&found) { Ok(()) } else { Err(GraphError::Plan { what, found, least, most }) }
        };
        within("neighbours (m)", self.m, GRAPH_M_MIN, GRAPH_M_MAX)?;
        within("rows in view (ef-construction)", self.ef_construction, self.m, GRAPH_EF_CONSTRUCTION_MAX)?;
        within("threads", self.threads, 1, crate::base::limits::THREADS_MAX)
    }

    /// Memory that building a graph of `rows` rows takes at its height, roughly: the codes twice, points and edges.
    #[must_use]
    pub fn bytes_wanted(&self, rows: u64, dimension: usize) -> u64 {
        let edges = 2 * self.m as u64 + self.m as u64 / 4;
        rows * (2 * dimension as u64 + BYTES_A_POINT + edges * BYTES_AN_EDGE)
    }
}

/// How far a build is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// Rows that have their edges.
    Linking {
        /// So many.
        done: u64,
        /// Of so many.
        rows: u64,
    },
    /// Making every row reachable.
    Mending,
    /// Probes whose answer was compared with the exhaustive one.
    Auditing {
        /// So many.
        done: u64,
        /// Of so many.
        probes: u64,
    },
}

/// Who watches a build, and whether it is to stop.
#[derive(Clone, Copy)]
pub struct Watch<'a> {
    /// Told now and then, from any thread.
    pub progress: &'a (dyn Fn(Step) + Sync),
    /// Set by whoever wants no graph any more.
    pub cancel: &'a AtomicBool,
    /// Called by every thread between two rows: the place to give way to what is more urgent.
    pub rest: &'a (dyn Fn() + Sync),
}

impl Watch<'_> {
    pub(super) fn check(&self) -> Result<(), GraphError> {
        (self.rest)();
        if self.cancel.load(Ordering::Relaxed) { Err(GraphError::Cancelled) } else { Ok(()) }
    }
}

/// The distance between two points: 1 less the cosine of their codes.
pub(super) struct CodeDistance(Arc<dyn RowKernel>);

impl Distance<i8> for CodeDistance {
    fn eval(&self, a: &[i8], b: &[i8]) -> f32 {
        let ((a, a_scale), (b, b_scale)) = (unpacked(a), unpacked(b));
        let cosine = self.0.dot(a, b) as f32 * (a_scale * b_scale);
        // Damaged scales can multiply to anything; hnsw_rs wants a number that is not negative.
        if cosine.is_finite() { (1.0 - cosine).max(0.0) } else { 2.0 }
    }
}

/// A point's data: codes, then the scale's bytes.
fn packed(codes: &[i8], scale: f32) -> Vec<i8> {
    let mut data = Vec::with_capacity(codes.len() + SCALE_BYTES);
    data.extend_from_slice(codes);
    data.extend(scale.to_le_bytes().map(u8::cast_signed));
    data
}

fn unpacked(data: &[i8]) -> (&[i8], f32) {
    data.split_last_chunk::<SCALE_BYTES>()
        .map_or((data, 1.0), |(codes, bytes)| (codes, f32::from_le_bytes(bytes.map(i8::cast_unsigned))))
}

/// A graph as hnsw_rs holds it, to be flattened.
pub struct Built {
    hnsw: Hnsw<'static, i8, CodeDistance>,
    plan: Plan,
}

impl Built {
    /// Lays edges between all live rows of `codes`.
    ///
    /// # Errors
    /// [`GraphError::Plan`], [`GraphError::Empty`], [`GraphError::Memory`], [`GraphError::Cancelled`].
    pub fn new(codes: &RowMajor, plan: Plan, watch: &Watch<'_>) -> Result<Self, GraphError> {
        plan.check()?;
        let live: Vec<u32> = (0..codes.len() as u32).filter(|&row| codes.scale(row) > 0.0).collect();
        if live.is_empty() {
            return Err(GraphError::Empty);
        }
        let distance = CodeDistance(rowdot::best());
        let hnsw = Hnsw::new(plan.m, live.len(), LAYERS, plan.ef_construction, distance);
        let built = Self { hnsw, plan };
        let (first, rest) = live.split_at(live.len().min(FIRST_ROWS));
        for &row in first {
            built.add(codes, row);
        }
        apart(plan.threads, rest.len(), |jobs| {
            for (job, &row) in jobs.filter_map(|job| rest.get(job).map(|row| (job, row))) {
                if watch.check().is_err() {
                    return;
                }
                built.add(codes, row);
                let done = first.len() + job + 1;
                if done.is_multiple_of(64) {
                    (watch.progress)(Step::Linking { done: done as u64, rows: live.len() as u64 });
                }
            }
        });
        watch.check()?;
        Ok(built)
    }

    fn add(&self, codes: &RowMajor, row: u32) {
        self.hnsw.insert_slice((&packed(codes.row(row), codes.scale(row)), row as usize));
    }

    /// The edges as flat lists, every live row reachable as far as that could be mended; how many rows are not.
    ///
    /// # Errors
    /// [`GraphError::Cancelled`], or [`GraphError::Edges`] when hnsw_rs gave edges that no graph has.
    pub fn flatten(&self, codes: &RowMajor, watch: &Watch<'_>) -> Result<(Flat, u64), GraphError> {
        (watch.progress)(Step::Mending);
        let mut flat = flatten::flatten(&self.hnsw, codes.len(), self.plan.m)?;
        let unreachable = flatten::mend(&mut flat, codes, watch)?;
        flat.links().fault().map_or(Ok((flat, unreachable)), |fault| Err(GraphError::Edges(fault)))
    }

    /// hnsw_rs's own search over the same edges and codes, for benchmarks: rows, best first.
    #[must_use]
    pub fn search_unflattened(&self, probe: &Code, count: usize, ef: usize) -> Vec<u32> {
        let found = self.hnsw.search(&packed(&probe.codes, probe.scale), count, ef.min(GRAPH_EF_MAX));
        found.iter().map(|one| one.d_id as u32).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn no_bytes_make_an_impossible_distance(a in proptest::collection::vec(any::<i8>(), 36), b in proptest::collection::vec(any::<i8>(), 36)) {
            let distance = CodeDistance(rowdot::best()).eval(&a, &b);
            prop_assert!(distance.is_finite() && distance >= 0.0);
        }
    }

    #[test]
    fn a_point_is_nearest_to_itself() {
        let distance = CodeDistance(rowdot::best());
        let (x, y) = (packed(&[127; 16], 1.0 / 508.0), packed(&[-127; 16], 1.0 / 508.0));
        assert!(distance.eval(&x, &x) < 1e-6);
        assert!((distance.eval(&x, &y) - 2.0).abs() < 1e-6);
    }

    #[test]
    fn impossible_plans_are_refused_with_what_is_allowed() {
        assert!(Plan::default().check().is_ok());
        let error = Plan { m: 3, ..Plan::default() }.check().unwrap_err().to_string();
        assert!(error.contains("4 to 64"), "{error}");
        assert!(Plan { ef_construction: 8, ..Plan::default() }.check().is_err());
        assert!(Plan { threads: 0, ..Plan::default() }.check().is_err());
    }
}
