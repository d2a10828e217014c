//! The rates against a brute-force reading of a full matrix of scores, which knows no lists and no sorting.

use super::super::trials::tests::{Matrix, any_matrix, mated, non_mated, trials};
use super::*;
use proptest::prelude::*;

const LENGTH: usize = 3;

fn is_mated(matrix: &Matrix, probe: usize) -> bool {
    matrix.probes[probe].1 || matrix.enrolled(matrix.probes[probe].0)
}

/// Best score with the mate, and how many templates stand before the one that has it.
fn mate(matrix: &Matrix, probe: usize) -> Option<(f64, usize)> {
    let (subject, _, extracted) = matrix.probes[probe];
    if !extracted {
        return None;
    }
    let row = &matrix.scores[probe];
    let own = (0..row.len()).filter(|&template| matrix.templates[template] == subject);
    let before = |a: usize, b: usize| row[a] > row[b] || (row[a] == row[b] && a < b);
    let best = own.reduce(|best, template| if before(template, best) { template } else { best })?;
    Some((f64::from(row[best]), (0..row.len()).filter(|&template| before(template, best)).count()))
}

fn naive_fnir(matrix: &Matrix, rank: usize, threshold: f64) -> (u64, u64) {
    let mated = (0..matrix.probes.len()).filter(|&probe| is_mated(matrix, probe));
    mated.fold((0, 0), |(missed, all), probe| {
        let hit = mate(matrix, probe).is_some_and(|(score, before)| score >= threshold && before < rank);
        (missed + u64::from(!hit), all + 1)
    })
}

fn naive_fpir(matrix: &Matrix, threshold: f64) -> (u64, u64) {
    let non_mated = (0..matrix.probes.len()).filter(|&probe| !is_mated(matrix, probe));
    non_mated.fold((0, 0), |(returned, all), probe| {
        let any = matrix.probes[probe].2 && matrix.scores[probe].iter().any(|&score| f64::from(score) >= threshold);
        (returned + u64::from(any), all + 1)
    })
}

fn pair(found: Result<Proportion, EvaluationError>) -> (u64, u64) {
    found.map_or((0, 0), |found| (found.events(), found.trials()))
}

proptest! {
    #[test]
    fn rates_are_those_of_the_full_matrix(matrix in any_matrix(), step in 0_u8..22) {
        let trials = matrix.trials(LENGTH);
        let view = trials.view();
        let score = f32::from(step) / 20.0;
        for threshold in [Threshold::NONE, Threshold::new(score).unwrap()] {
            let at = f64::from(threshold.get());
            for rank in 1..=LENGTH {
                prop_assert_eq!(pair(fnir(&view, Rank::Within(rank as u32), threshold)), naive_fnir(&matrix, rank, at));
            }
            prop_assert_eq!(pair(fnir(&view, Rank::Any, threshold)), naive_fnir(&matrix, usize::MAX, at));
            prop_assert_eq!(pair(fpir(&view, threshold)), naive_fpir(&matrix, at));
        }
        if let Ok(curve) = cmc(&view) {
            for (rank, found) in curve.iter().enumerate() {
                prop_assert_eq!(pair(Ok(found.complement())), naive_fnir(&matrix, rank + 1, f64::NEG_INFINITY));
            }
        }
    }

    #[test]
    fn det_has_every_change_and_no_wrong_point(matrix in any_matrix(), rank in 1_u32..4) {
        let trials = matrix.trials(LENGTH);
        let view = trials.view();
        let Ok(points) = det(&view, Rank::Within(rank)) else { return Ok(()) };
        for point in &points {
            let at = f64::from(point.threshold);
            prop_assert_eq!(pair(Ok(point.fnir)), naive_fnir(&matrix, rank as usize, at));
            prop_assert_eq!(pair(Ok(point.fpir)), naive_fpir(&matrix, at));
        }
        prop_assert!(points.windows(2).all(|two| two[0].threshold > two[1].threshold));
        for step in 0..22_u8 {
            let score = f32::from(step) / 20.0;
            let above = points.iter().rfind(|point| point.threshold >= score);
            let (missed, returned) = (naive_fnir(&matrix, rank as usize, f64::from(score)), naive_fpir(&matrix, f64::from(score)));
            let expected = above.map_or((missed.1, 0), |point| (point.fnir.events(), point.fpir.events()));
            prop_assert_eq!((missed.0, returned.0), expected, "threshold {}", score);
        }
        let thin = thinned(&points, 8);
        prop_assert!(thin.iter().all(|point| points.contains(point)) && thin.first() == points.first());
        prop_assert!(thin.last() == points.last());
    }

    #[test]
    fn selectivity_counts_candidates(matrix in any_matrix(), step in 0_u8..22) {
        let (trials, score) = (matrix.trials(LENGTH), f32::from(step) / 20.0);
        let Ok(found) = selectivity(&trials.view(), Threshold::new(score).unwrap()) else { return Ok(()) };
        let of = |probe: &usize| matrix.scores[*probe].iter().filter(|&&other| other >= score).count();
        let extracted: Vec<usize> =
            (0..matrix.probes.len()).filter(|&probe| !is_mated(&matrix, probe) && matrix.probes[probe].2).collect();
        let all: usize = extracted.iter().map(of).sum();
        let listed: usize = extracted.iter().map(|probe| of(probe).min(LENGTH)).sum();
        prop_assert_eq!(found.candidates, listed as u64);
        prop_assert!(found.cut_lists > 0 || listed == all, "what is cut is said");
        let full = extracted.iter().filter(|probe| of(probe) >= LENGTH && matrix.templates.len() > LENGTH).count();
        prop_assert_eq!(found.cut_lists, full as u64, "a list of the whole gallery is not cut");
    }
}

#[test]
fn failures_are_misses_and_stand_apart() {
    let mut lost = mated(1, 1, 0.9, 1);
    (lost.extracted, lost.candidates, lost.mate) = (false, Vec::new(), None);
    let mut unenrolled = mated(2, 2, 0.9, 1);
    (unenrolled.mate_enrolled_failed, unenrolled.candidates, unenrolled.mate) = (true, Vec::new(), None);
    let mut silent = non_mated(3, 3, &[]);
    silent.extracted = false;
    let trials = trials(vec![mated(0, 0, 0.9, 1), lost, unenrolled, silent, non_mated(4, 4, &[0.7])]);
    let view = trials.view();
    assert_eq!(pair(fnir(&view, Rank::Any, Threshold::NONE)), (2, 3));
    assert_eq!(pair(fpir(&view, Threshold::new(0.7).unwrap())), (1, 2), "0.7 is at the threshold");
    let found = failures(&view);
    assert_eq!((found.mated, found.mated_not_extracted, found.mate_not_enrolled), (3, 1, 1));
    assert_eq!((found.non_mated, found.non_mated_not_extracted), (2, 1));
    let only_mated = view.filter(|number, _| number < 3);
    assert!(matches!(fpir(&only_mated, Threshold::NONE), Err(EvaluationError::Empty(_))));
    assert!(det(&only_mated, Rank::Any).is_err() && selectivity(&only_mated, Threshold::NONE).is_err());
}

#[test]
fn searches_of_one_subject_widen_the_interval() {
    let of = |each: u32| {
        let searches = (0..200)
            .map(|probe| mated(probe, probe / each, if (probe / each).is_multiple_of(5) { 0.2 } else { 0.9 }, 1));
        let trials = trials(searches.collect());
        let threshold = Threshold::new(0.5).unwrap();
        let found = fnir_resampled(&trials.view(), Rank::Any, threshold, Resampling::usual(1)).unwrap();
        (found.subjects, found.interval.high - found.interval.low)
    };
    let (alone, together) = (of(1), of(4));
    assert_eq!((alone.0, together.0), (200, 50));
    assert!((1.6..2.4).contains(&(together.1 / alone.1)), "{alone:?} {together:?}");
    let clean = trials(vec![mated(0, 0, 0.9, 1), mated(1, 1, 0.9, 1)]);
    let refused = fnir_resampled(&clean.view(), Rank::Any, Threshold::NONE, Resampling::usual(1));
    assert!(matches!(refused, Err(EvaluationError::ZeroCount { events: 0, trials: 2 })));
    assert!(matches!(
        fpir_resampled(&clean.view(), Threshold::NONE, Resampling::usual(1)),
        Err(EvaluationError::Empty(_))
    ));
}
