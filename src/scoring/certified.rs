//! Exact search by a coarse pass and a certificate.

use std::sync::Arc;

use crate::base::limits::PROBES_PER_SWEEP_MAX;
use crate::scoring::rescore;
use crate::vector::bound::coarse_error_max;
use crate::vector::coarse::{CoarsePass, Cut, GoesOn, Survivor, Sweep};
use crate::vector::codec::Code;
use crate::vector::filter::rows_searched;
use crate::vector::rows::GalleryRows;
use crate::vector::scorer::{ScoreError, Scorer, Scoring, Work, check_request};
use crate::vector::template::Template;
use crate::vector::topk::Scored;

/// How far the exact k-th best score may stay behind the coarse one before a probe must be repeated. Larger means fewer
/// repeats and more rows to score again; 0.003 certified every probe of the first measurements.
const HEADROOM: f64 = 0.003;

/// Finds candidates with any [`CoarsePass`] and proves each list before giving it out.
///
/// # Why a list equals the oracle's
/// Let `s(x)` be the comparison score of row x for a probe, `c(x)` its coarse score, `p` the probe's scale and `B` the
/// bound of [`crate::vector::bound`], so that `|s(x) - p c(x)| <= B` for every live row. A complete sweep with cut `t`
/// returns every live row with `c(x) >= t`. Scored again, the best k of these have a k-th score `e`.
///
/// *Certificate:* `e >= p t + B`. A live row that the sweep left out has `c(x) < t`, so `s(x) < p t + B <= e`: it is
/// strictly worse than k rows of the list, and no tie can bring it in. The list, ordered by score and template id with
/// the oracle's own score function, is the oracle's. With `t` minus infinity nothing was left out and nothing needs
/// proof; this holds for galleries with fewer than k live rows.
///
/// *Repeat:* without the certificate, `e` is still a lower bound of the true k-th score, so each row of the right list
/// has `s(x) >= e`, hence `c(x) >= (e - B) / p`: a second sweep at that cut, rounded down, has them all. Its list is held
/// to the same certificate. If the pass gave up or the certificate fails again, every row is scored.
///
/// The products and sums of these tests are made in f64, and what goes back to the pass as f32 is rounded outwards; the
/// rounding inside the scores is part of `B`.
#[derive(Clone)]
pub struct CertifiedScorer {
    pass: Arc<dyn CoarsePass>,
    threads: usize,
    probes_per_sweep: Option<usize>,
}

impl CertifiedScorer {
    /// Scans with `pass` and scores again on `threads` threads (at least one).
    #[must_use]
    pub fn new(pass: Arc<dyn CoarsePass>, threads: usize) -> Self {
        Self { pass, threads: threads.max(1), probes_per_sweep: None }
    }

    /// Hands so many probes (at least one) to the pass at once, and not as many as the pass likes best
    /// ([`CoarsePass::probes_at_once`]): for measurements and tests.
    #[must_use]
    pub fn with_probes_per_sweep(mut self, probes: usize) -> Self {
        self.probes_per_sweep = Some(probes.max(1));
        self
    }
}

/// A probe on its way through a search.
struct Asked<'a> {
    template: &'a Template,
    code: Code,
    /// Upper bound of the difference between its comparison scores and its coarse scores times its scale.
    bound: f64,
}

impl Asked<'_> {
    fn first_cut(&self, k: usize) -> Cut {
        let slack = (self.bound + HEADROOM) / f64::from(self.code.scale);
        Cut::Within { k, slack: (slack as f32).next_up() }
    }

    fn certifies(&self, cut: f32, kth: Option<f32>) -> bool {
        let left_out_below = f64::from(cut) * f64::from(self.code.scale) + self.bound;
        cut == f32::NEG_INFINITY || kth.is_some_and(|kth| f64::from(kth) >= left_out_below)
    }

    /// The cut above which every row with a score of at least `kth` lies.
    fn lower_cut(&self, kth: Option<f32>) -> f32 {
        let lower = |kth: f32| (f64::from(kth) - self.bound) / f64::from(self.code.scale);
        kth.map_or(f32::NEG_INFINITY, |kth| (lower(kth) as f32).next_down())
    }
}

/// What is known of a probe after a sweep.
enum Verdict {
    /// This is the list.
    Proven(Vec<Scored>),
    /// A sweep at this cut has all rows of the list.
    Lower(f32),
    /// The pass kept nothing.
    Unknown,
}

/// One call's constants.
struct Search<'a> {
    gallery: &'a GalleryRows,
    k: usize,
    row_error_max: f32,
}

impl CertifiedScorer {
    /// Lists for as many probes as the pass takes at once. What a pass of many gave up, for want of memory for so many, is
    /// asked again in smaller company before every row is scored.
    fn some(&self, search: &Search<'_>, probes: &[Template], work: &mut Work) -> Result<Vec<Vec<Scored>>, ScoreError> {
        let ask = |template| {
            let code = Code::of(Template::values(template));
            let bound = f64::from(coarse_error_max(search.row_error_max, code.error_norm));
            Asked { template, code, bound }
        };
        let asked: Vec<Asked<'_>> = probes.iter().map(ask).collect();
        let mut lists = self.proven(search, &asked.iter().collect::<Vec<_>>(), work)?;
        if asked.len() > PROBES_PER_SWEEP_MAX {
            let open: Vec<usize> = (0..lists.len()).filter(|&number| lists[number].is_none()).collect();
            for numbers in open.chunks(PROBES_PER_SWEEP_MAX) {
                let few: Vec<&Asked<'_>> = numbers.iter().map(|&number| &asked[number]).collect();
                for (&number, list) in numbers.iter().zip(self.proven(search, &few, work)?) {
                    lists[number] = list;
                }
            }
        }
        Ok(self.filled(search, &asked, lists, work))
    }

    /// Lists proven by a sweep or by a second, lower one; `None` for a probe that neither proves.
    fn proven(
        &self,
        search: &Search<'_>,
        asked: &[&Asked<'_>],
        work: &mut Work,
    ) -> Result<Vec<Option<Vec<Scored>>>, ScoreError> {
        let mut lists: Vec<Option<Vec<Scored>>> = asked.iter().map(|_| None).collect();
        let all: Vec<(&Asked<'_>, Cut)> = asked.iter().map(|&asked| (asked, asked.first_cut(search.k))).collect();
        let mut again: Vec<usize> = Vec::new();
        let mut lower: Vec<(&Asked<'_>, Cut)> = Vec::new();
        for (number, verdict) in self.judge(search, &all, work)?.into_iter().enumerate() {
            match verdict {
                Verdict::Proven(list) => {
                    work.certified_at_once += 1;
                    lists[number] = Some(list);
                }
                Verdict::Lower(cut) => {
                    again.push(number);
                    lower.push((asked[number], Cut::AtLeast(cut)));
                }
                Verdict::Unknown => {}
            }
        }
        for (number, verdict) in again.into_iter().zip(self.judge(search, &lower, work)?) {
            match verdict {
                Verdict::Proven(list) => {
                    work.repeated += 1;
                    lists[number] = Some(list);
                }
                Verdict::Lower(_) | Verdict::Unknown => {}
            }
        }
        Ok(lists)
    }

    /// Sweeps, scores the survivors again, and says what that proves; one verdict a probe.
    fn judge(
        &self,
        search: &Search<'_>,
        asked: &[(&Asked<'_>, Cut)],
        work: &mut Work,
    ) -> Result<Vec<Verdict>, ScoreError> {
        if asked.is_empty() {
            return Ok(Vec::new());
        }
        let codes: Vec<Code> = asked.iter().map(|(asked, _)| asked.code.clone()).collect();
        let cuts: Vec<Cut> = asked.iter().map(|&(_, cut)| cut).collect();
        let mut sweeps = self.pass.sweep(search.gallery, &codes, &cuts)?;
        debug_assert_eq!(sweeps.len(), asked.len());
        // A pass that forgets a probe knows nothing of it.
        sweeps.resize(asked.len(), Sweep::Overflowed);
        let (mut survivors, levels): (Vec<Vec<Survivor>>, Vec<Option<f32>>) = sweeps.into_iter().map(parted).unzip();
        work.rescored += survivors.iter().map(|list| list.len() as u64).sum::<u64>();
        let templates: Vec<&Template> = asked.iter().map(|(asked, _)| asked.template).collect();
        let lists = rescore::survivors_only(search.gallery, &templates, &mut survivors, search.k, self.threads);
        let mut verdicts = Vec::with_capacity(asked.len());
        for ((&(asked, _), level), list) in asked.iter().zip(levels).zip(lists) {
            let kth = search.k.checked_sub(1).and_then(|last| list.get(last)).map(|scored| scored.score);
            verdicts.push(match level {
                None => Verdict::Unknown,
                Some(cut) if asked.certifies(cut, kth) => Verdict::Proven(list),
                Some(_) => Verdict::Lower(asked.lower_cut(kth)),
            });
        }
        Ok(verdicts)
    }

    /// Scores every row for the probes that have no list yet.
    fn filled(
        &self,
        search: &Search<'_>,
        asked: &[Asked<'_>],
        lists: Vec<Option<Vec<Scored>>>,
        work: &mut Work,
    ) -> Vec<Vec<Scored>> {
        let open: Vec<&Template> =
            asked.iter().zip(&lists).filter(|(_, list)| list.is_none()).map(|(asked, _)| asked.template).collect();
        work.exhaustive += open.len() as u32;
        work.rescored += open.len() as u64 * work.rows;
        let mut found = if open.is_empty() {
            Vec::new().into_iter()
        } else {
            rescore::everything(search.gallery, &open, search.k, self.threads).into_iter()
        };
        lists.into_iter().map(|list| list.or_else(|| found.next()).unwrap_or_default()).collect()
    }
}

fn parted(sweep: Sweep) -> (Vec<Survivor>, Option<f32>) {
    match sweep {
        Sweep::Complete { survivors, cut } => (survivors, Some(cut)),
        Sweep::Overflowed => (Vec::new(), None),
    }
}

impl Scorer for CertifiedScorer {
    fn name(&self) -> String {
        self.pass.name()
    }

    fn top_k(&self, gallery: &GalleryRows, probes: &[Template], k: usize) -> Result<Scoring, ScoreError> {
        check_request(gallery, probes, k)?;
        let rows = rows_searched(gallery);
        let row_error_max = gallery.iter().map(|run| run.error_norm_max()).fold(0.0, f32::max);
        let search = Search { gallery, k, row_error_max };
        let mut work = Work { back_end: self.name(), rows, ..Work::default() };
        let mut lists = Vec::with_capacity(probes.len());
        let mut rest = probes;
        while !rest.is_empty() {
            // Asked each time: a device learns how fast it is.
            let (some, others) = rest.split_at(self.probes_at_once(gallery, k).clamp(1, rest.len()));
            lists.extend(self.some(&search, some, &mut work)?);
            rest = others;
        }
        Ok(Scoring { lists, work })
    }

    fn probes_at_once(&self, gallery: &GalleryRows, k: usize) -> usize {
        self.probes_per_sweep.unwrap_or_else(|| self.pass.probes_at_once(gallery, k))
    }

    fn load(&self, gallery: &GalleryRows, goes_on: &GoesOn<'_>) {
        if let Err(error) = self.pass.load(gallery, goes_on) {
            tracing::warn!(%error, "a gallery could not be brought onto the device ahead of searches");
        }
    }

    fn refresh(&self, gallery: &GalleryRows) {
        if let Err(error) = self.pass.refresh(gallery) {
            tracing::warn!(%error, "a copy of the gallery could not be refreshed and was dropped");
        }
    }
}
