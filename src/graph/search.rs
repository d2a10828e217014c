//! Approximate candidate lists: a walk over each segment that has a graph, exact scores for what it found, and the ordinary
//! exhaustive search for everything else.
//!
//! A walk that comes by too many rows is given up, and its run searched exhaustively for that probe.
//!
//! Approximate is only which rows are looked at. Scores are the exact comparison scores, order is the one of every list,
//! and no row that is not live is ever in one.

use std::sync::Arc;

use crate::graph::codes::{CodedProbe, RowMajor};
use crate::graph::file::Graph;
use crate::graph::walk::{Found, Scratch, Terrain, Walked};
use crate::kernel::rowdot::{self, RowKernel};
use crate::scoring::share;
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

/// Originals announced at once: they lie anywhere in memory, and waiting for one after the other was a tenth of a search.
const FETCHED_ROWS: usize = 16;

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
    let rows = |runs: &[Arc<dyn Rows>]| runs.iter().map(|run| run.len() as u64).sum::<u64>();
    let mut coverage = Coverage { exhaustive_rows: rows(&rest), ..Coverage::default() };
    coverage.graph_rows = walked.iter().map(|(run, _)| run.len() as u64).sum();
    let kernel = rowdot::best();
    let walks = Walks { walked: &walked, kernel: kernel.as_ref(), k, ef: ef.max(k) };
    let mut tops: Vec<TopK> = probes.iter().map(|_| TopK::new(k)).collect();
    let mut work = Work { back_end: exhaustive.name(), ..Work::default() };
    let mut given_up: Vec<Vec<usize>> = vec![Vec::new(); walked.len()];
    for part in walks.all(probes, threads) {
        part.lists.into_iter().for_each(|(probe, list)| offer(&mut tops, probe, list));
        for (run, probe) in part.given_up {
            coverage.given_up += 1;
            given_up.get_mut(run).into_iter().for_each(|probes| probes.push(probe));
        }
        coverage.visited += part.visited;
        work.rescored += part.rescored;
    }
    // After the walks and not among them: a pass for all probes at once reads the run once, and has the threads to itself.
    let mut passes = vec![(rest, (0..probes.len()).collect())];
    passes.extend(walked.iter().zip(given_up).map(|((run, _), probes)| (vec![Arc::clone(run)], probes)));
    for (runs, numbers) in passes.iter().filter(|(runs, numbers)| !runs.is_empty() && !numbers.is_empty()) {
        let some: Vec<Template> = numbers.iter().filter_map(|&probe| probes.get(probe).cloned()).collect();
        let scoring = exhaustive.top_k(runs, &some, k)?;
        work.add(&scoring.work);
        numbers.iter().zip(scoring.lists).for_each(|(&probe, list)| offer(&mut tops, probe, list));
    }
    work.rows = rows_searched(gallery);
    work.back_end = format!("{}; graph {} with {threads} threads", work.back_end, kernel.name());
    Ok((Scoring { lists: tops.into_iter().map(TopK::into_sorted).collect(), work }, coverage))
}

fn offer(tops: &mut [TopK], probe: usize, list: Vec<Scored>) {
    if let Some(top) = tops.get_mut(probe) {
        for scored in list {
            top.offer(scored);
        }
    }
}

/// What all walks of a call have in common.
struct Walks<'a> {
    walked: &'a [(Arc<dyn Rows>, Indexed<'a>)],
    kernel: &'a dyn RowKernel,
    k: usize,
    ef: usize,
}

/// What one thread found.
#[derive(Default)]
struct Part {
    /// Of which probe, and its list.
    lists: Vec<(usize, Vec<Scored>)>,
    /// In which run, and for which probe.
    given_up: Vec<(usize, usize)>,
    visited: u64,
    rescored: u64,
}

impl Walks<'_> {
    /// Probes and runs shared out among threads.
    fn all(&self, probes: &[Template], threads: usize) -> Vec<Part> {
        share(threads, probes.len() * self.walked.len(), |jobs| {
            let (mut part, mut scratch) = (Part::default(), Scratch::default());
            for (run, probe) in jobs.map(|job| (job / probes.len(), job % probes.len())) {
                let (Some(walked), Some(template)) = (self.walked.get(run), probes.get(probe)) else { continue };
                match self.one(walked, template, &mut part, &mut scratch) {
                    Some(list) => part.lists.push((probe, list)),
                    None => part.given_up.push((run, probe)),
                }
            }
            part
        })
    }

    /// The list of a walk; `None` for one that was given up.
    fn one(
        &self,
        (run, indexed): &(Arc<dyn Rows>, Indexed<'_>),
        template: &Template,
        part: &mut Part,
        scratch: &mut Scratch,
    ) -> Option<Vec<Scored>> {
        let probe = CodedProbe::of(template);
        let terrain = Terrain { links: indexed.graph.links(), codes: indexed.codes, kernel: self.kernel };
        let visits_max = (run.len() as u64 / VISITS_SHARE).max(VISITS_MIN);
        let liveness = run.liveness();
        let walked =
            terrain.walk(&probe.code.codes, self.ef, visits_max, |row| liveness.lets_through(row as usize), scratch);
        part.visited += scratch.visited;
        match walked {
            Walked::Found(found) => {
                let (list, rescored) = rescored(run.as_ref(), &probe, indexed.codes, &found, self.k);
                part.rescored += rescored;
                Some(list)
            }
            Walked::TooFar => None,
        }
    }
}

/// The best `k` of `found`, which is best first, by their exact scores, and how many were scored. Ends where the bound of
/// the coarse scores says that no later row can be among them.
fn rescored(run: &dyn Rows, probe: &CodedProbe<'_>, codes: &RowMajor, found: &[Found], k: usize) -> (Vec<Scored>, u64) {
    let (bound, liveness) = (probe.bound(codes), run.liveness());
    let mut original = vec![0.0; run.dimension().get()];
    // Ids ascend with the rows, so rows order equal scores as well, and only the best rows' ids are looked up.
    let mut best: Vec<(f32, u32)> = Vec::with_capacity(found.len().min(2 * k));
    let mut announced = Vec::with_capacity(FETCHED_ROWS);
    let mut done = 0;
    let mut level = f32::NEG_INFINITY;
    'all: for some in found.chunks(FETCHED_ROWS) {
        // Also here, not only on the walk: whatever else goes wrong, a dead row stays out.
        let fits = |one: &&Found| {
            liveness.has(one.row as usize) && (best.len() < k || one.coarse * probe.code.scale + bound >= level)
        };
        announced.clear();
        announced.extend(some.iter().filter(fits).map(|one| one.row as usize));
        run.will_want(&announced);
        for one in some {
            if best.len() >= k && one.coarse * probe.code.scale + bound < level {
                break 'all;
            }
            if !liveness.has(one.row as usize) {
                continue;
            }
            run.original(one.row as usize, &mut original);
            done += 1;
            best.push((exact_score(probe.template.values(), &original), one.row));
            if best.len() >= k && (best.len() == k || best.len().is_multiple_of(32)) {
                let (_, kth, _) = best.select_nth_unstable_by(k.max(1) - 1, |&one, &other| best_first(one, other));
                level = kth.0;
            }
        }
    }
    best.sort_unstable_by(|&one, &other| best_first(one, other));
    best.truncate(k);
    let scored = |(score, row): (f32, u32)| Scored { score, id: run.template_id(row as usize) };
    (best.into_iter().map(scored).collect(), done)
}

fn best_first((score, row): (f32, u32), (other_score, other_row): (f32, u32)) -> std::cmp::Ordering {
    other_score.total_cmp(&score).then(row.cmp(&other_row))
}

/// The best candidate that a graph gives for a probe: what the audit looks at.
pub(super) fn best_of(
    run: &dyn Rows,
    terrain: Terrain<'_>,
    probe: &CodedProbe<'_>,
    ef: u32,
    scratch: &mut Scratch,
) -> Option<Scored> {
    let liveness = run.liveness();
    let live = |row: u32| liveness.lets_through(row as usize);
    match terrain.walk(&probe.code.codes, ef as usize, u64::MAX, live, scratch) {
        Walked::Found(found) => rescored(run, probe, terrain.codes, &found, 1).0.into_iter().next(),
        Walked::TooFar => None,
    }
}
