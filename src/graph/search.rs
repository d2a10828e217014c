//! Approximate candidate lists: a walk over each segment that has a graph, exact scores for what it found, and the ordinary
//! exhaustive search for everything else.
//!
//! Approximate is only which rows are looked at. Scores are the exact comparison scores, order is the one of every list,
//! and no row that is not live is ever in one.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::graph::codes::{CodedProbe, RowMajor};
use crate::graph::file::Graph;
use crate::graph::walk::{Found, Scratch, Terrain, Walked};
use crate::kernel::rowdot::{self, RowKernel};
use crate::vector::filter::rows_searched;
use crate::vector::rows::{GalleryRows, Rows};
use crate::vector::score::exact_score;
use crate::vector::scorer::{ScoreError, Scorer, Scoring, Work, check_request};
use crate::vector::template::Template;
use crate::vector::topk::{Scored, TopK};

/// A walk may multiply this share of a run's rows with the probe before it is given up: reading all of them in order is
/// faster than picking many, and exact. Narrow filters lead there.
const VISITS_SHARE: u64 = 4;
/// Rows below which a walk is never given up.
const VISITS_MIN: u64 = 4096;

/// The graph of a run, ready to walk.
#[derive(Debug, Clone, Copy)]
pub struct Indexed<'a> {
    /// Its edges.
    pub graph: &'a Graph,
    /// The run's codes, row by row.
    pub codes: &'a RowMajor,
}

/// What a search with graphs came by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Coverage {
    /// Rows in runs that were searched by their graph.
    pub graph_rows: u64,
    /// Rows in runs that were searched exhaustively.
    pub exhaustive_rows: u64,
    /// Rows of graphs that were multiplied with a probe, over all probes.
    pub visited: u64,
    /// Walks that were given up for an exhaustive pass, over all probes and runs.
    pub given_up: u64,
}

/// Searches with `ef` rows in view (at least `k`) where `indexed` has a graph for a run of `gallery`, and with `exhaustive`
/// where it has none.
///
/// # Errors
/// What [`Scorer::top_k`] refuses.
pub fn top_k(
    gallery: &GalleryRows,
    indexed: &[Option<Indexed<'_>>],
    probes: &[Template],
    k: usize,
    ef: usize,
    threads: usize,
    exhaustive: &dyn Scorer,
) -> Result<(Scoring, Coverage), ScoreError> {
    check_request(gallery, probes, k)?;
    let graph_of = |run: usize| indexed.get(run).copied().flatten();
    let (mut walked, mut rest) = (Vec::new(), Vec::new());
    for (number, run) in gallery.iter().enumerate() {
        match graph_of(number).filter(|found| found.codes.dimension() == run.dimension().get()) {
            Some(found) => walked.push((Arc::clone(run), found)),
            None => rest.push(Arc::clone(run)),
        }
    }
    let rows = |runs: &GalleryRows| runs.iter().map(|run| run.len() as u64).sum::<u64>();
    let Scoring { lists, mut work } = exhaustive.top_k(&rest, probes, k)?;
    let mut coverage = Coverage { exhaustive_rows: rows(&rest), ..Coverage::default() };
    coverage.graph_rows = walked.iter().map(|(run, _)| run.len() as u64).sum();
    let kernel = rowdot::best();
    let walks = Walks { walked: &walked, kernel: kernel.as_ref(), k, ef: ef.max(k), exhaustive };
    let mut tops: Vec<TopK> = Vec::with_capacity(probes.len());
    for list in lists {
        let mut top = TopK::new(k);
        list.into_iter().for_each(|scored| top.offer(scored));
        tops.push(top);
    }
    for part in walks.all(probes, threads) {
        for (probe, list) in part.lists {
            if let Some(top) = tops.get_mut(probe) {
                list?.into_iter().for_each(|scored| top.offer(scored));
            }
        }
        coverage.visited += part.visited;
        coverage.given_up += part.given_up;
        work.rescored += part.rescored;
    }
    work.rows = rows_searched(gallery);
    work.back_end = format!("{}; graph {} with {threads} threads", work.back_end, kernel.name());
    Ok((Scoring { lists: tops.into_iter().map(TopK::into_sorted).collect(), work: Work { ..work } }, coverage))
}

/// What all walks of a call have in common.
struct Walks<'a> {
    walked: &'a [(Arc<dyn Rows>, Indexed<'a>)],
    kernel: &'a dyn RowKernel,
    k: usize,
    ef: usize,
    exhaustive: &'a dyn Scorer,
}

/// What one thread found.
#[derive(Default)]
struct Part {
    lists: Vec<(usize, Result<Vec<Scored>, ScoreError>)>,
    visited: u64,
    rescored: u64,
    given_up: u64,
}

impl Walks<'_> {
    /// Probes and runs shared out among threads, the caller's among them.
    fn all(&self, probes: &[Template], threads: usize) -> Vec<Part> {
        let jobs = probes.len() * self.walked.len();
        let next = AtomicUsize::new(0);
        let work = || {
            let (mut part, mut scratch) = (Part::default(), Scratch::default());
            loop {
                let job = next.fetch_add(1, Ordering::Relaxed);
                if job >= jobs {
                    return part;
                }
                let (run, probe) = (job / probes.len(), job % probes.len());
                if let (Some(walked), Some(template)) = (self.walked.get(run), probes.get(probe)) {
                    let list = self.one(walked, template, &mut part, &mut scratch);
                    part.lists.push((probe, list));
                }
            }
        };
        std::thread::scope(|scope| {
            let running: Vec<_> = (1..threads.min(jobs)).map(|_| scope.spawn(work)).collect();
            let mut parts = vec![work()];
            for handle in running {
                match handle.join() {
                    Ok(part) => parts.push(part),
                    Err(panic) => std::panic::resume_unwind(panic),
                }
            }
            parts
        })
    }

    fn one(
        &self,
        (run, indexed): &(Arc<dyn Rows>, Indexed<'_>),
        template: &Template,
        part: &mut Part,
        scratch: &mut Scratch,
    ) -> Result<Vec<Scored>, ScoreError> {
        let probe = CodedProbe::of(template);
        let terrain = Terrain { links: indexed.graph.links(), codes: indexed.codes, kernel: self.kernel };
        let visits_max = (run.len() as u64 / VISITS_SHARE).max(VISITS_MIN);
        let live = |row: u32| run.is_live(row as usize);
        let walked = terrain.walk(&probe.code.codes, self.ef, visits_max, live, scratch);
        part.visited += scratch.visited;
        match walked {
            Walked::Found(found) => {
                let (list, rescored) = rescored(run.as_ref(), &probe, indexed.codes, &found, self.k);
                part.rescored += rescored;
                Ok(list)
            }
            Walked::TooFar => {
                part.given_up += 1;
                let probes = std::slice::from_ref(template);
                let scoring = self.exhaustive.top_k(std::slice::from_ref(run), probes, self.k)?;
                Ok(scoring.lists.into_iter().next().unwrap_or_default())
            }
        }
    }
}

/// The best `k` of `found`, which is best first, by their exact scores, and how many were scored. Ends where the bound of
/// the coarse scores says that no later row can be among them.
fn rescored(run: &dyn Rows, probe: &CodedProbe<'_>, codes: &RowMajor, found: &[Found], k: usize) -> (Vec<Scored>, u64) {
    let bound = probe.bound(codes);
    let mut original = vec![0.0; run.dimension().get()];
    let mut best: Vec<Scored> = Vec::with_capacity(found.len().min(k));
    let mut done = 0;
    let mut level = f32::NEG_INFINITY;
    for one in found {
        if best.len() >= k && one.coarse * probe.code.scale + bound < level {
            break;
        }
        let row = one.row as usize;
        // Also here, not only on the walk: whatever else goes wrong, a dead row stays out.
        if !run.is_live(row) {
            continue;
        }
        run.original(row, &mut original);
        let score = exact_score(probe.template.values(), &original);
        done += 1;
        best.push(Scored { score, id: run.template_id(row) });
        if best.len() >= k && (best.len() == k || best.len().is_multiple_of(32)) {
            level = kth(&mut best, k);
        }
    }
    best.sort_unstable_by(crate::vector::topk::rank_order);
    best.truncate(k);
    (best, done)
}

fn kth(best: &mut [Scored], k: usize) -> f32 {
    let (_, kth, _) = best.select_nth_unstable_by(k.max(1) - 1, crate::vector::topk::rank_order);
    kth.score
}

/// The best candidate that a graph gives for a probe: what the audit looks at.
pub(super) fn best_of(
    run: &dyn Rows,
    terrain: Terrain<'_>,
    probe: &CodedProbe<'_>,
    ef: u32,
    scratch: &mut Scratch,
) -> Option<Scored> {
    let live = |row: u32| run.is_live(row as usize);
    match terrain.walk(&probe.code.codes, ef as usize, u64::MAX, live, scratch) {
        Walked::Found(found) => rescored(run, probe, terrain.codes, &found, 1).0.into_iter().next(),
        Walked::TooFar => None,
    }
}
