//! Tests of tables, and two rates side by side.

use bertillon::evaluation::arithmetic::bootstrap::Resampling;
use bertillon::evaluation::arithmetic::contingency::{Member, fisher_exact, holm, mcnemar_exact, permutation};
use bertillon::evaluation::arithmetic::intervals::{Coverage, Proportion};
use bertillon::evaluation::arithmetic::ratios::{
    Counts, Statistic, difference_equivalence, difference_interval, difference_test, ratio_equivalence, ratio_interval,
    ratio_test,
};
use serde_json::Value;

use crate::{agree, list, number, numbers, read, whole};

fn proportions(case: &Value) -> (Proportion, Proportion) {
    let [a, n, b, m] = [0, 1, 2, 3].map(|place| whole(&case["counts"][place]));
    (Proportion::new(a, n).unwrap(), Proportion::new(b, m).unwrap())
}

#[test]
fn exact_tests_are_scipys_and_statsmodels() {
    let golden = read("tables.json");
    for case in list(&golden["fisher"]) {
        let (one, other) = proportions(case);
        agree(&format!("Fisher {one:?} {other:?}"), fisher_exact(one, other), &case["p"]);
    }
    for case in list(&golden["mcnemar"]) {
        let [only_one, only_other] = [0, 1].map(|place| whole(&case["counts"][place]));
        agree(&format!("McNemar {only_one} {only_other}"), mcnemar_exact(only_one, only_other), &case["p"]);
    }
    let corrected = holm(&numbers(&golden["holm"]["p"])).unwrap();
    for (found, golden) in corrected.iter().zip(list(&golden["holm"]["corrected"])) {
        agree("Holm", *found, golden);
    }
}

#[test]
fn permutations_come_near_the_exact_test_of_several_groups() {
    for case in list(&read("tables.json")["several"]) {
        let mut members = Vec::new();
        for (group, counts) in list(&case["counts"]).iter().enumerate() {
            let one = |place| Member { group: group as u16, events: u32::from(place < whole(&counts[0])), trials: 1 };
            members.extend((0..whole(&counts[1])).map(one));
        }
        let found = permutation(&members, Resampling { replicates: 20_000, ..Resampling::usual(3) }).unwrap();
        assert!(found.uncertainty.contains(number(&case["p"])), "{found:?} {case}");
    }
}

#[test]
fn ratios_and_differences_are_scipys_and_statsmodels() {
    for case in list(&read("tables.json")["pairs"]) {
        let (one, other) = proportions(case);
        let (a, b) = (Counts::new(one, 1.0).unwrap(), Counts::new(other, 1.0).unwrap());
        let name = format!("{one:?} {other:?}");
        let ratio = ratio_interval(a, b, Coverage::USUAL);
        agree(&format!("{name}: ratio, low"), ratio.low, &case["ratio"][0]);
        agree(&format!("{name}: ratio, high"), ratio.high, &case["ratio"][1]);
        agree(&format!("{name}: equal by ratio"), ratio_test(a, b), &case["ratio_p"]);
        agree(&format!("{name}: within two"), ratio_equivalence(a, b, 2.0).unwrap(), &case["factor_two_p"]);
        agree(&format!("{name}: equal by difference"), difference_test(a, b), &case["equal_p"]);
        let equivalent = difference_equivalence(a, b, number(&case["margin"])).unwrap();
        agree(&format!("{name}: within the margin"), equivalent, &case["equivalent_p"]);
        if !case["difference"].is_null() {
            let difference = difference_interval(a, b, Coverage::USUAL);
            agree(&format!("{name}: difference, low"), difference.low, &case["difference"][0]);
            agree(&format!("{name}: difference, high"), difference.high, &case["difference"][1]);
        }
    }
}

#[test]
fn ratios_by_their_score_are_statsmodels_also_of_dependent_searches() {
    for case in list(&read("tables.json")["scores"]) {
        let (one, other) = proportions(case);
        let effect = number(&case["effect"]);
        let (a, b) = (Counts::new(one, effect).unwrap(), Counts::new(other, effect).unwrap());
        assert_eq!(Statistic::fit_for(a, b), Statistic::Score, "{case}");
        let interval = Statistic::Score.interval(a, b, Coverage::USUAL);
        agree(&format!("{case}: low"), interval.low, &case["interval"][0]);
        agree(&format!("{case}: high"), interval.high, &case["interval"][1]);
        agree(&format!("{case}: equal"), Statistic::Score.test(a, b), &case["equal_p"]);
        agree(&format!("{case}: within two"), Statistic::Score.equivalence(a, b, 2.0).unwrap(), &case["factor_two_p"]);
    }
}
