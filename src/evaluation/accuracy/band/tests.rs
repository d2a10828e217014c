//! Bands held against the plain bootstrap, against repeated and crossed searches, and against the truth they are to cover.

use super::super::rates::fpir_resampled;
use super::super::thresholds::for_target;
use super::super::trials::tests::{mated, non_mated};
use super::super::trials::{Candidate, Search, Trials};
use super::*;
use crate::evaluation::arithmetic::bootstrap::EVENTS_MIN;
use crate::evaluation::arithmetic::intervals::Coverage;

fn trials(searches: Vec<Search>) -> Trials {
    Trials::new(50_000, 50_000, 5, searches).unwrap()
}

fn how(replicates: u32) -> Resampling {
    Resampling { seed: 11, replicates, coverage: Coverage::USUAL }
}

/// Mates' scores about 0.5, strangers' best about 0.3, one search a person; each stranger returns somebody else first.
fn normal(seed: u64, mates: u32, strangers: u32) -> Vec<Search> {
    let mut stream = Stream::new(seed, 1);
    let mut all: Vec<Search> = (0..mates).map(|number| mated(number, number, 0.5 + 0.1 * stream.normal(), 1)).collect();
    for number in 0..strangers {
        let mut search = non_mated(mates + number, 10_000 + number, &[0.3 + 0.08 * stream.normal()]);
        search.candidates[0].subject = 20_000 + number;
        all.push(search);
    }
    all
}

fn at_target(trials: &Trials, target: f64, replicates: u32) -> Point {
    let view = trials.view();
    let threshold = for_target(&view, target).unwrap().threshold().unwrap();
    band(&view, Rank::Within(5), &[threshold], how(replicates), &|_, _| Ok(())).unwrap().marks[0]
}

fn width(interval: Option<Interval>) -> f64 {
    let found = interval.unwrap();
    found.high - found.low
}

#[test]
fn one_sided_intervals_are_those_of_the_plain_bootstrap() {
    let trials = trials(normal(1, 300, 1_000));
    let view = trials.view();
    let threshold = for_target(&view, 0.05).unwrap().threshold().unwrap();
    let plain = fpir_resampled(&view, threshold, how(2_000)).unwrap().interval;
    let found = at_target(&trials, 0.05, 2_000).fpir.unwrap();
    assert!((found.low - plain.low).abs() < 0.003 && (found.high - plain.high).abs() < 0.003, "{found:?} {plain:?}");
}

#[test]
fn searching_for_everybody_again_adds_nothing() {
    let once = normal(2, 200, 600);
    let again = once.iter().chain(&once).cloned().enumerate();
    let twice = again.map(|(number, search)| Search { probe: number as u32, ..search }).collect();
    let (once, twice) = (at_target(&trials(once), 0.1, 300), at_target(&trials(twice), 0.1, 300));
    assert_eq!((once.fpir, once.fnir, once.fnir_two_way), (twice.fpir, twice.fnir, twice.fnir_two_way));
    assert_eq!(2 * once.counted.fpir.events(), twice.counted.fpir.events());
}

#[test]
fn one_enrolled_person_who_attracts_many_shows_from_two_sides_only() {
    let mut searches = normal(3, 200, 1_000);
    let threshold = for_target(&trials(searches.clone()).view(), 0.04).unwrap().threshold().unwrap();
    let spread = at_target(&trials(searches.clone()), 0.04, 1_000);
    for search in searches.iter_mut().filter(|search| search.kind == Kind::NonMated && search.returns(threshold)) {
        let first = search.candidates[0];
        search.candidates = vec![Candidate { subject: 49_999, ..first }];
    }
    let one = at_target(&trials(searches), 0.04, 1_000);
    assert!(width(one.fpir) < 1.1 * width(spread.fpir), "people searched for are as many as before");
    // One person is drawn 0, 1, 2 or 3 times: from nothing to about three times the rate.
    let both = one.fpir_two_way.unwrap();
    assert!(both.low < 0.005 && both.high > 0.1, "{both:?}");
    // Without such a person it is up to √3 too wide, and no more.
    let ratio = width(spread.fpir_two_way) / width(spread.fpir);
    assert!((1.3..2.0).contains(&ratio), "{ratio}");
}

#[test]
fn the_truth_is_covered_as_often_as_promised() {
    // FNIR at an FPIR of 0.1: the threshold is 0.3 + 0.08 * 1.281552, below which 16.48 % of the mates' scores lie.
    let (mut one_way, mut two_way) = (0, 0);
    for seed in 0..200 {
        let found = at_target(&trials(normal(100 + seed, 150, 300)), 0.1, 200);
        one_way += u32::from(found.fnir.unwrap().contains(0.1648));
        two_way += u32::from(found.fnir_two_way.unwrap().contains(0.1648));
    }
    // 95 % of 200 is 190 with a standard deviation of 3; percentile intervals of so few are a little short.
    assert!(one_way >= 178, "{one_way} of 200");
    assert!(two_way >= one_way, "{two_way}, {one_way} of 200");
}

#[test]
fn many_events_of_few_people_are_few() {
    // Each search ten times: what was one false positive is ten, and no better known.
    let once = normal(6, 60, 400);
    let tenfold = once.iter().flat_map(|search| std::iter::repeat_n(search, 10)).cloned().enumerate();
    let tenfold = trials(tenfold.map(|(number, search)| Search { probe: number as u32, ..search }).collect());
    let once = trials(once);
    for target in [0.006, 0.05] {
        let (few, many) = (at_target(&once, target, 200), at_target(&tenfold, target, 200));
        assert_eq!(10 * few.counted.fpir.events(), many.counted.fpir.events());
        assert_eq!((few.fpir.is_some(), few.fpir), (target > 0.01, many.fpir), "{few:?} {many:?}");
    }
}

#[test]
fn what_hardly_varies_has_no_band_and_what_is_asked_is_answered() {
    let trials = trials(normal(5, 60, 400));
    let view = trials.view();
    let found = band(&view, Rank::Within(5), &[Threshold::NONE], how(200), &|_, _| Ok(())).unwrap();
    assert_eq!((found.mated_subjects, found.non_mated_subjects, found.returned_subjects), (60, 400, 400));
    assert!(found.points.len() > 20 && found.points.len() <= 61);
    assert!(found.points.windows(2).all(|two| two[0].counted.threshold > two[1].counted.threshold));
    for point in found.points.iter().chain(&found.marks) {
        let fpir = point.counted.fpir;
        let few = fpir.events() < EVENTS_MIN || fpir.trials() - fpir.events() < EVENTS_MIN;
        assert_eq!(point.fpir.is_none(), few, "{point:?}");
        assert!(!few || point.fnir.is_none());
        let ends = [point.fpir, point.fpir_two_way, point.fnir, point.fnir_two_way];
        assert!(ends.into_iter().flatten().all(|one| 0.0 <= one.low && one.low <= one.high && one.high <= 1.0));
    }
    assert_eq!(found.marks[0].counted.fpir.rate(), 1.0, "without a threshold every search returns somebody");
    assert_eq!(found, band(&view, Rank::Within(5), &[Threshold::NONE], how(200), &|_, _| Ok(())).unwrap());
    let none = Resampling { replicates: 0, ..how(1) };
    assert!(band(&view, Rank::Within(5), &[], none, &|_, _| Ok(())).is_err());
    let strangers = view.filter(|_, search| search.kind == Kind::NonMated);
    assert!(band(&strangers, Rank::Within(5), &[], how(1), &|_, _| Ok(())).is_err());
}
