//! Predictions against galleries drawn from known tails, where the truth can be written down.

use super::super::trials::tests::non_mated;
use super::super::trials::{Search, Trials};
use super::*;

const PROBES: u32 = 400;
const DEPTH: u32 = 30;

/// Scores of `probe` with a gallery of `size`, best first: logistic noise of a spread that is the probe's own.
fn scores(probe: u32, size: u64, uneven: bool) -> Vec<f32> {
    let spread = if uneven { 0.02 + 0.02 * Stream::new(9, u64::from(probe)).uniform() } else { 0.03 };
    let mut stream = Stream::new(11, u64::from(probe));
    let one = |u: f64| (spread * ((u + 1e-12) / (1.0 - u)).ln()) as f32;
    let mut all: Vec<f32> = (0..size).map(|_| one(stream.uniform())).collect();
    all.sort_unstable_by(|a, b| b.total_cmp(a));
    all.truncate(DEPTH as usize);
    all
}

fn trials(size: u64, uneven: bool) -> Trials {
    let searches = (0..PROBES).map(|probe| non_mated(probe, probe, &scores(probe, size, uneven))).collect();
    Trials::new(size, size, DEPTH, searches).unwrap()
}

/// Exact FPIR of that model at a threshold.
fn truth(threshold: f64, size: f64, uneven: bool) -> f64 {
    let one = |probe: u32| {
        let spread = if uneven { 0.02 + 0.02 * Stream::new(9, u64::from(probe)).uniform() } else { 0.03 };
        let share = 1.0 / (1.0 + (threshold / spread).exp());
        -(size * (-share).ln_1p()).exp_m1()
    };
    (0..PROBES).map(one).sum::<f64>() / f64::from(PROBES)
}

fn quick() -> Resampling {
    Resampling { replicates: 200, ..Resampling::usual(5) }
}

#[test]
fn it_predicts_ten_times_the_gallery() {
    for uneven in [false, true] {
        let small = trials(3_000, uneven);
        let tails = Tails::fit(&small.view(), DEPTH).unwrap();
        // Logistic tails are exponential.
        assert!(tails.shape().shape.abs() < 0.1, "{:?}", tails.shape());
        for threshold in [0.35_f32, 0.40, 0.45] {
            let found = tails.predict(Threshold::new(threshold).unwrap(), 30_000, quick()).unwrap();
            let expected = truth(f64::from(threshold), 30_000.0, uneven);
            assert!((0.6..1.7).contains(&(found.fpir / expected)), "{uneven} {threshold}: {found:?} {expected}");
            assert!(found.interval.low < found.fpir && found.fpir < found.interval.high, "{found:?}");
            assert!(found.undefined == 0);
        }
    }
}

#[test]
fn where_probes_differ_the_binomial_lies_above() {
    let small = trials(3_000, true);
    let tails = Tails::fit(&small.view(), DEPTH).unwrap();
    let threshold = 0.30_f32;
    let found = tails.predict(Threshold::new(threshold).unwrap(), 30_000, quick()).unwrap();
    let expected = truth(f64::from(threshold), 30_000.0, true);
    assert!(found.binomial.unwrap() > 1.2 * expected, "{found:?} {expected}");
    assert!(found.binomial_upper > found.binomial, "{found:?}");
    let unseen = tails.predict(Threshold::new(2.0).unwrap(), 30_000, quick()).unwrap();
    assert_eq!((unseen.comparisons, unseen.binomial), (0, Some(0.0)));
    // None of 400 * 3,000 comparisons: at most 3 in 1.2 million, 30,000 times.
    assert!((unseen.binomial_upper.unwrap() - (1.0 - (-3.0_f64 / 1.2e6 * 3e4).exp())).abs() < 1e-3);
    assert!((found.fpir / expected - 1.0).abs() < 0.25, "{found:?} {expected}");
}

#[test]
fn a_validation_says_how_far_off_it_is() {
    let (small, large) = (trials(2_000, true), trials(20_000, true));
    let tails = Tails::fit(&small.view(), DEPTH).unwrap();
    let found = tails.validate(&large.view(), Threshold::new(0.33).unwrap(), quick()).unwrap();
    assert_eq!(found.measured, fpir(&large.view(), Threshold::new(0.33).unwrap()).unwrap());
    assert!((found.ratio.unwrap() - found.prediction.fpir / found.measured.rate()).abs() < 1e-12);
    assert!((0.7..1.5).contains(&found.ratio.unwrap()), "{found:?}");
    let back = Tails::fit(&large.view(), DEPTH).unwrap();
    let refused = back.validate(&small.view(), Threshold::new(0.33).unwrap(), quick());
    assert!(matches!(refused, Err(EvaluationError::NotPaired(_))));
}

#[test]
fn thresholds_lead_back_to_their_targets() {
    let small = trials(2_000, true);
    let tails = Tails::fit(&small.view(), DEPTH).unwrap();
    let mut last = f64::NEG_INFINITY;
    for gallery in [2_000, 100_000, 10_000_000] {
        let threshold = tails.threshold_for(0.003, gallery).unwrap().unwrap();
        assert!(threshold > last, "larger galleries need higher thresholds");
        last = threshold;
        let back = tails.predict(Threshold::new(threshold as f32).unwrap(), gallery, quick()).unwrap();
        assert!((back.fpir / 0.003 - 1.0).abs() < 1e-4, "{back:?}");
    }
    assert!(tails.threshold_for(f64::NAN, 10).is_err() && tails.threshold_for(0.1, 0).is_err());
}

#[test]
fn failures_to_extract_count_as_searches() {
    let small = trials(2_000, false);
    let whole = Tails::fit(&small.view(), DEPTH).unwrap();
    let mut searches: Vec<Search> = small.searches().to_vec();
    searches
        .extend((0..PROBES).map(|probe| Search { extracted: false, ..non_mated(1_000 + probe, 1_000 + probe, &[]) }));
    let half = Trials::new(2_000, 2_000, DEPTH, searches).unwrap();
    let half = Tails::fit(&half.view(), DEPTH).unwrap();
    let at = |tails: &Tails| tails.predict(Threshold::new(0.35).unwrap(), 20_000, quick()).unwrap();
    assert!((at(&half).fpir * 2.0 - at(&whole).fpir).abs() < 1e-12);
    assert!((at(&half).binomial.unwrap() * 2.0 - at(&whole).binomial.unwrap()).abs() < 1e-12);
}

#[test]
fn the_interval_is_that_of_fitting_each_replicate_anew() {
    let small = trials(1_000, true);
    let view = small.view();
    let part = Trials::new(
        1_000,
        1_000,
        DEPTH,
        view.filter(|number, _| number < 60).searches().map(|(_, search)| search.clone()).collect(),
    );
    let part = part.unwrap();
    let threshold = Threshold::new(0.45).unwrap();
    let found = Tails::fit(&part.view(), DEPTH).unwrap().predict(threshold, 1_000_000, quick()).unwrap();
    let mut again = Vec::new();
    for index in 0..200 {
        let mut stream = Stream::new(77, index);
        let drawn = (0..60).map(|subject| {
            let at = (stream.uniform() * 60.0) as usize;
            Search { probe: subject, subject, ..part.searches()[at].clone() }
        });
        let drawn = Trials::new(1_000, 1_000, DEPTH, drawn.collect()).unwrap();
        let tails = Tails::fit(&drawn.view(), DEPTH).unwrap();
        again.push(tails.predict(threshold, 1_000_000, Resampling { replicates: 1, ..quick() }).unwrap().fpir);
    }
    let refitted = between(&mut again, Coverage::USUAL).unwrap();
    let width = |interval: Interval| interval.high - interval.low;
    assert!((width(found.interval) / width(refitted) - 1.0).abs() < 0.3, "{found:?} {refitted:?}");
}

#[test]
fn what_cannot_be_fitted_is_refused() {
    let small = trials(500, false);
    let view = small.view();
    assert!(matches!(Tails::fit(&view, 4), Err(EvaluationError::Figure { .. })));
    assert!(matches!(Tails::fit(&view, DEPTH + 1), Err(EvaluationError::RankBeyondList { .. })));
    assert!(matches!(Tails::fit(&view.filter(|number, _| number < 19), DEPTH), Err(EvaluationError::Empty(_))));
    let short = vec![non_mated(3, 3, &[0.5, 0.4])];
    let short = Trials::new(9, 9, DEPTH, short).unwrap();
    assert!(matches!(Tails::fit(&short.view(), DEPTH), Err(EvaluationError::Search { probe: 3, .. })));
    let tails = Tails::fit(&view, DEPTH).unwrap();
    assert!(matches!(tails.predict(Threshold::NONE, 10, quick()), Err(EvaluationError::Figure { .. })));
    assert!(matches!(tails.predict(Threshold::new(0.1).unwrap(), 0, quick()), Err(EvaluationError::Empty(_))));
    let low = tails.predict(Threshold::new(-1.0).unwrap(), 500, quick()).unwrap();
    assert_eq!(low.binomial, None, "lists end above this threshold");
}
