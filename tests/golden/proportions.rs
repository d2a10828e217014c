//! Intervals, quantiles, and resampling of subjects.

use bertillon::evaluation::accuracy::dependence::variance_ratio;
use bertillon::evaluation::arithmetic::bootstrap::{Resampling, rate};
use bertillon::evaluation::arithmetic::distributions::{beta_quantile, normal_quantile};
use bertillon::evaluation::arithmetic::intervals::{
    Coverage, Interval, Proportion, clopper_pearson, upper_bound, wilson,
};
use serde_json::Value;

use crate::{agree, list, number, numbers, read, whole};

fn both(what: &str, found: Interval, golden: &Value) {
    agree(&format!("{what}, low"), found.low, &golden[0]);
    agree(&format!("{what}, high"), found.high, &golden[1]);
}

#[test]
fn intervals_are_scipys() {
    let golden = read("intervals.json");
    for case in list(&golden["proportions"]) {
        let observed = Proportion::new(whole(&case["events"]), whole(&case["trials"])).unwrap();
        let coverage = Coverage::new(number(&case["coverage"])).unwrap();
        both(&format!("Wilson {observed:?}"), wilson(observed, coverage), &case["wilson"]);
        both(&format!("Clopper-Pearson {observed:?}"), clopper_pearson(observed, coverage), &case["exact"]);
        agree(&format!("upper bound {observed:?}"), upper_bound(observed, coverage), &case["upper"]);
    }
    for case in list(&golden["beta"]) {
        let [a, b, share] = ["a", "b", "share"].map(|name| number(&case[name]));
        agree(&format!("beta {a} {b} {share}"), beta_quantile(a, b, share), &case["x"]);
    }
    for case in list(&golden["normal"]) {
        agree("normal", normal_quantile(number(&case["share"])), &case["z"]);
    }
}

#[test]
fn resampled_intervals_lie_within_their_uncertainty() {
    let golden = read("resampling.json");
    let subjects: Vec<[f64; 2]> = list(&golden["subjects"])
        .iter()
        .map(|subject| {
            let sums = numbers(subject);
            [sums[0], sums[1]]
        })
        .collect();
    agree("design effect", variance_ratio(&subjects).unwrap(), &golden["design_effect"]);
    let found = rate(&subjects, Resampling { replicates: 20_000, ..Resampling::usual(1) }).unwrap();
    // The 2.5 % quantile of 20,000 draws of a normal has a standard deviation of 0.019 of the distribution's: four of these.
    let allowed = 4.0 * 0.019 * number(&golden["standard_error"]);
    let ends = numbers(&golden["interval"]);
    assert!((found.interval.low - ends[0]).abs() < allowed, "{:?} {ends:?}", found.interval);
    assert!((found.interval.high - ends[1]).abs() < allowed, "{:?} {ends:?}", found.interval);
}
