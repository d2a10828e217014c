//! The tables of one gallery size.

use crate::evaluation::EvaluationError;
use crate::evaluation::accuracy::dependence::Clustered;
use crate::evaluation::accuracy::rates::{cmc, det, fnir_resampled, fpir_resampled, selectivity, thinned};
use crate::evaluation::accuracy::thresholds::{RANKS, TARGETS, disjoint, for_target};
use crate::evaluation::accuracy::trials::{Kind, Rank, Threshold, View};
use crate::evaluation::accuracy::workload::workload;
use crate::evaluation::arithmetic::bootstrap::{Resampled, Resampling};
use crate::evaluation::arithmetic::intervals::{
    Coverage, Interval, clopper_pearson_effective, enough_events, support_effective, wilson,
};
use crate::evaluation::assemble::{Column, Tell, band, group_rates, wanted};
use crate::evaluation::results::{DetPoint, DisjointRow, GalleryResult, OperatingRow, RankRow, Rate, WorkloadRow};

/// Points of a trade-off that are kept.
const DET_POINTS: usize = 800;
/// Shares of searches whose person is enrolled, for workload and predictive value: assumptions, stated.
const PRIORS: [f64; 3] = [0.02, 0.10, 0.50];

fn both(interval: Interval) -> (f64, f64) {
    (interval.low, interval.high)
}

/// A counted rate with its intervals. Without a claimed figure, thirty errors let it stand by itself.
pub(super) fn rate(counted: &Clustered, resampled: Option<Resampled>) -> Result<Rate, EvaluationError> {
    let Clustered { observed, subjects, design_effect } = *counted;
    Ok(Rate {
        events: observed.events(),
        trials: observed.trials(),
        subjects,
        value: Some(observed.rate()),
        wilson: Some(both(wilson(observed, Coverage::USUAL))),
        clopper_pearson: Some(both(clopper_pearson_effective(observed, design_effect, Coverage::USUAL)?)),
        bootstrap: resampled.map(|found| both(found.interval)),
        supported: enough_events(observed, design_effect),
        design_effect: Some(design_effect),
    })
}

/// A rate of nothing.
pub(super) fn nothing() -> Rate {
    Rate {
        events: 0,
        trials: 0,
        subjects: 0,
        value: None,
        wilson: None,
        clopper_pearson: None,
        bootstrap: None,
        supported: false,
        design_effect: None,
    }
}

/// FPIR at a threshold.
pub(super) fn fpir_rate(
    view: &View,
    threshold: Threshold,
    resampling: Option<Resampling>,
) -> Result<Rate, EvaluationError> {
    let counted = Clustered::fpir(view, threshold)?;
    let resampled = where_it_can_be(&counted, resampling, |how| fpir_resampled(view, threshold, how))?;
    rate(&counted, resampled)
}

/// FNIR at a rank and threshold.
pub(super) fn fnir_rate(
    view: &View,
    rank: Rank,
    threshold: Threshold,
    resampling: Option<Resampling>,
) -> Result<Rate, EvaluationError> {
    let counted = Clustered::fnir(view, rank, threshold)?;
    let resampled = where_it_can_be(&counted, resampling, |how| fnir_resampled(view, rank, threshold, how))?;
    rate(&counted, resampled)
}

/// Nothing is resampled from a handful of events: there the exact interval stands alone.
fn where_it_can_be(
    counted: &Clustered,
    resampling: Option<Resampling>,
    resampled: impl Fn(Resampling) -> Result<Resampled, EvaluationError>,
) -> Result<Option<Resampled>, EvaluationError> {
    resampling.filter(|_| counted.is_varied()).map(resampled).transpose()
}

/// The same, held against the claim "at most `limit`".
fn claimed(counted: &Clustered, limit: f64, resampled: Option<Resampled>) -> Result<Rate, EvaluationError> {
    let supported = support_effective(counted.observed, counted.design_effect, limit)?.rule.is_some();
    Ok(Rate { supported, ..rate(counted, resampled)? })
}

/// How the figures of a gallery are worked out.
pub(super) struct How<'a> {
    /// Seed of what is drawn beside bootstraps.
    pub(super) seed: u64,
    /// Bootstrap intervals only where this is given: they cost most.
    pub(super) resampling: Option<Resampling>,
    /// Columns of which every threshold gets the rates of each group.
    pub(super) groups: &'a [Column],
    /// Who waits for it.
    pub(super) tell: Tell<'a>,
}

/// Everything of the searches in `view`, of a gallery of so many people.
pub(super) fn gallery(view: &View, people: u64, how: &How<'_>) -> Result<GalleryResult, EvaluationError> {
    let has = |kind| view.searches().any(|(_, search)| search.kind == kind);
    let (mated, non_mated) = (has(Kind::Mated), has(Kind::NonMated));
    let length = view.trials().list_length();
    let ranks: Vec<u32> = RANKS.into_iter().filter(|&rank| rank <= length).collect();
    let mut by_rank = Vec::new();
    let mut points = Vec::new();
    let mut curve = Vec::new();
    if mated {
        for &rank in &ranks {
            let fnir = fnir_rate(view, Rank::Within(rank), Threshold::NONE, how.resampling)?;
            by_rank.push(RankRow { rank, fnir });
        }
        curve = cmc(view)?.iter().zip(1..).map(|(tpir, rank)| (rank, tpir.rate())).collect();
    }
    if mated && non_mated {
        let all = det(view, Rank::Within(length))?;
        let point = |at: &crate::evaluation::accuracy::rates::DetPoint| DetPoint {
            threshold: f64::from(at.threshold),
            fpir: at.fpir.rate(),
            fnir: at.fnir.rate(),
        };
        points = thinned(&all, DET_POINTS).iter().map(point).collect();
    }
    let mut operating = Vec::new();
    if non_mated && view.non_mated().any(|search| search.top_score().is_some()) {
        for (target, done) in TARGETS.into_iter().zip(0..) {
            (how.tell)("thresholds", done, TARGETS.len() as u64)?;
            operating.push(row(view, target, &ranks, how)?);
        }
    }
    let resampling = how.resampling.filter(|_| mated && non_mated);
    let band = resampling.map(|resampling| band::of(view, &operating, resampling, how.tell)).transpose()?;
    Ok(GalleryResult { people, by_rank, operating, det: points, cmc: curve, band })
}

fn row(view: &View, target: f64, ranks: &[u32], how: &How<'_>) -> Result<OperatingRow, EvaluationError> {
    let &How { seed, resampling, groups, .. } = how;
    let empty = OperatingRow {
        target_fpir: target,
        threshold: None,
        fpir: None,
        fnir: Vec::new(),
        disjoint: None,
        selectivity: None,
        predictive_value: Vec::new(),
        workload: Vec::new(),
        needed: Some(wanted::needed(target)?),
        cut_lists: None,
        groups: Vec::new(),
    };
    let Some(threshold) = for_target(view, target)?.threshold() else { return Ok(empty) };
    let counted = Clustered::fpir(view, threshold)?;
    let resampled = where_it_can_be(&counted, resampling, |how| fpir_resampled(view, threshold, how))?;
    let fpir = claimed(&counted, target, resampled)?;
    let selectivity = Some(selectivity(view, threshold)?.mean());
    let cut_lists = Some(wanted::cut_lists(view, threshold));
    let list = Rank::Within(view.trials().list_length());
    let groups = group_rates::at_threshold(view, groups, list, threshold)?;
    let chosen = Some(f64::from(threshold.get()));
    let mut row = OperatingRow { threshold: chosen, fpir: Some(fpir), selectivity, cut_lists, groups, ..empty };
    if view.mated().next().is_none() {
        return Ok(row);
    }
    for &rank in ranks {
        // The bootstrap is the dearest figure here: for the longest list alone.
        let resampling = resampling.filter(|_| Some(&rank) == ranks.last());
        let fnir = fnir_rate(view, Rank::Within(rank), threshold, resampling)?;
        row.fnir.push(RankRow { rank, fnir: fnir.beside(Some(&fpir)) });
    }
    row.disjoint = other_people(view, target, list, seed)?;
    for prior in PRIORS {
        let work = workload(view, list, threshold, prior)?;
        row.predictive_value.push((prior, work.predictive_value));
        row.workload.push(WorkloadRow {
            prior,
            searches_with_candidates: work.searches_returning,
            false_candidates: work.false_candidates,
            mates_shown: work.mates_found,
        });
    }
    Ok(row)
}

/// The threshold of half of the people on the other half; `None` where there are too few.
fn other_people(view: &View, target: f64, rank: Rank, seed: u64) -> Result<Option<DisjointRow>, EvaluationError> {
    let split = match disjoint(view, target, rank, seed) {
        Err(EvaluationError::Empty(_)) => return Ok(None),
        split => split?,
    };
    let (Some(threshold), Some(tested)) = (split.outcome.threshold(), split.tested) else { return Ok(None) };
    let fpir = claimed(&tested.fpir, target, None)?;
    let (threshold, chosen_on) = (f64::from(threshold.get()), split.chosen_on as u64);
    let fnir = rate(&tested.fnir, None)?.beside(Some(&fpir));
    Ok(Some(DisjointRow { threshold, chosen_on, fpir, fnir }))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::evaluation::accuracy::trials::{Candidate, MateScore, Search, Trials};
    use crate::evaluation::assemble::groups;

    /// Six hundred strangers and two hundred mates, each searched for once; misses are many at every threshold.
    fn trials() -> Trials {
        let search = |person: u32| {
            let mated = person < 200;
            let score = if mated { 0.0015 * person as f32 } else { 0.0005 * (person - 200) as f32 };
            let subject = if mated { person } else { 1_000_000 };
            Search {
                probe: person,
                subject: person,
                kind: if mated { Kind::Mated } else { Kind::NonMated },
                extracted: true,
                mate_enrolled_failed: false,
                candidates: vec![Candidate { subject, template: 1, score }],
                mate: mated.then_some(MateScore { score, rank: Some(1) }),
            }
        };
        Trials::new(500, 500, 1, (0..800).map(search).collect()).unwrap()
    }

    #[test]
    fn misses_are_claimed_only_beside_a_claimed_fpir() {
        let trials = trials();
        let view = trials.view();
        let column = Column {
            name: "group".to_owned(),
            values: vec!["all".to_owned()],
            of_searches: vec![Some(0); 800],
            of_subjects: BTreeMap::new(),
            templates: Vec::new(),
        };
        let how = How { seed: 1, resampling: None, groups: std::slice::from_ref(&column), tell: &|_, _, _| Ok(()) };
        let found = gallery(&view, 500, &how).unwrap();
        let mut claimed = Vec::new();
        for row in found.operating.iter().filter(|row| row.threshold.is_some()) {
            let (fpir, fnir) = (row.fpir.unwrap(), row.fnir[0].fnir);
            assert!(fnir.events >= 60, "enough for the rule of 30 by themselves: {fnir:?}");
            assert_eq!(fnir.supported, fpir.events >= 30, "{row:?}");
            // Halves are too few for the strictest targets.
            assert!(row.disjoint.is_none_or(|half| half.fpir.supported || !half.fnir.supported));
            let group = &row.groups[0];
            assert_eq!(group.fnir.unwrap().supported, group.fpir.unwrap().supported);
            claimed.push(fnir.supported);
        }
        assert!(claimed.contains(&true) && claimed.contains(&false), "{claimed:?}");
        let chosen = groups::threshold(&view);
        let row = groups::by_kind(&view, &column, chosen).unwrap().rows.remove(0);
        let (fpir, fnir) = (row.fpir.unwrap(), row.fnir.unwrap());
        assert!(fpir.events < 30 && fnir.events >= 60 && !fnir.supported, "{fpir:?} {fnir:?}");
    }
}
