//! Verdicts from counts that can and that cannot carry them.

use super::super::trials::Trials;
use super::super::trials::tests::{any_trials, non_mated};
use super::*;
use proptest::prelude::*;

fn declared(factor: f64) -> Declared {
    let threshold = Threshold::new(0.5).unwrap();
    let resampling = Resampling { replicates: 500, ..Resampling::usual(1) };
    Declared { measure: Measure::Fpir { threshold }, margin: Margin::Factor(factor), level: 0.05, resampling }
}

/// Groups of (false positives, searches), every subject searched for `each` times with the same outcome.
fn groups(counts: &[(u32, u32)], each: u32) -> (Trials, Vec<Option<u16>>, Vec<String>) {
    let (mut searches, mut column) = (Vec::new(), Vec::new());
    for (group, &(events, trials)) in counts.iter().enumerate() {
        for search in 0..trials {
            let subject = group as u32 * 100_000 + search / each;
            let top = if search < events { 0.9 } else { 0.1 };
            searches.push(non_mated(searches.len() as u32, subject + 50_000, &[top]));
            column.push(Some(group as u16));
        }
    }
    let names = (0..counts.len()).map(|group| format!("group {group}")).collect();
    (Trials::new(1_000, 2_000, 5, searches).unwrap(), column, names)
}

fn verdict(counts: &[(u32, u32)], each: u32) -> Table {
    let (trials, column, names) = groups(counts, each);
    table(&trials.view(), &column, &names, declared(2.0)).unwrap()
}

#[test]
fn eight_false_positives_determine_nothing() {
    let found = verdict(&[(1, 16_000), (1, 16_000), (6, 16_000)], 1);
    assert_eq!(found.verdict, Verdict::Undetermined, "{:?}", found.pairs);
    assert!(found.pairs.iter().all(|pair| pair.verdict == Verdict::Undetermined));
    assert!((0.02..0.10).contains(&found.all_equal.p_value), "{:?}", found.all_equal);
    assert!(found.summary.highest_to_lowest.unwrap() > 5.9);
}

#[test]
fn many_false_positives_determine_something() {
    let equal = verdict(&[(100, 2_000), (105, 2_000), (98, 2_000)], 1);
    assert_eq!(equal.verdict, Verdict::Equivalent, "{:?}", equal.pairs);
    let apart = verdict(&[(10, 2_000), (60, 2_000), (12, 2_000)], 1);
    assert_eq!(apart.verdict, Verdict::Different);
    let of = |one, other| apart.pairs.iter().find(|pair| (pair.one, pair.other) == (one, other)).unwrap();
    assert_eq!(of(0, 1).verdict, Verdict::Different);
    assert_eq!(of(0, 2).verdict, Verdict::Undetermined);
    assert!(of(0, 1).interval.high < 1.0 && of(0, 2).interval.contains(1.0));
}

#[test]
fn three_comparisons_need_more_than_one() {
    let alone = verdict(&[(20, 2_000), (20, 2_000)], 1);
    assert_eq!(alone.verdict, Verdict::Equivalent, "{:?}", alone.pairs);
    let among_three = verdict(&[(20, 2_000), (20, 2_000), (20, 2_000)], 1);
    assert!(among_three.pairs.iter().all(|pair| pair.equivalence_p == alone.pairs[0].equivalence_p));
    assert_eq!(among_three.verdict, Verdict::Undetermined, "{:?}", among_three.pairs);
}

#[test]
fn dependent_searches_carry_less() {
    // 60 false positives of three subjects are three, not sixty.
    let found = verdict(&[(60, 2_000), (20, 2_000)], 20);
    assert_eq!(found.verdict, Verdict::Undetermined, "{:?}", found.pairs);
    assert!((15.0..25.0).contains(&found.groups[0].design_effect), "{:?}", found.groups[0]);
    assert!(
        found.groups[0].exact.high - found.groups[0].exact.low
            > found.groups[0].wilson.high - found.groups[0].wilson.low
    );
    let alone = verdict(&[(60, 2_000), (20, 2_000)], 1);
    assert_eq!((alone.verdict, alone.groups[0].design_effect), (Verdict::Different, 1.0));
}

#[test]
fn nothing_seen_is_undetermined() {
    let found = verdict(&[(0, 500), (0, 500)], 5);
    assert_eq!(found.verdict, Verdict::Undetermined);
    assert_eq!(found.groups[0].design_effect, 5.0, "all searches of a subject count as one");
    // Upper end for none of 100: 1 - 0.025^(1/100).
    assert!((found.groups[0].exact.high - (1.0 - 0.025_f64.powf(0.01))).abs() < 1e-12);
    assert_eq!(found.summary.gini, None);
}

#[test]
fn columns_that_do_not_fit_are_refused() {
    let (trials, column, names) = groups(&[(1, 10), (2, 10)], 1);
    let view = trials.view();
    assert!(matches!(table(&view, &column[1..], &names, declared(2.0)), Err(EvaluationError::NotPaired(_))));
    assert!(matches!(table(&view, &column, &names[1..], declared(2.0)), Err(EvaluationError::NotPaired(_))));
    assert!(matches!(table(&view, &column, &names, declared(f64::NAN)), Err(EvaluationError::Figure { .. })));
    let level = Declared { level: f64::NAN, ..declared(2.0) };
    assert!(matches!(table(&view, &column, &names, level), Err(EvaluationError::Figure { .. })));
    let many = vec!["x".to_owned(); 65];
    assert!(matches!(table(&view, &column, &many, declared(2.0)), Err(EvaluationError::TooMany { .. })));
    let one = vec![Some(0); 20];
    assert!(matches!(table(&view, &one, &names, declared(2.0)), Err(EvaluationError::Empty(_))));
}

proptest! {
    #[test]
    fn tables_hold_together(trials in any_trials(), labels in proptest::collection::vec(proptest::option::of(0_u16..3), 16)) {
        let column: Vec<Option<u16>> = (0..trials.searches().len()).map(|number| labels[number % labels.len()]).collect();
        let names: Vec<String> = ["a", "b", "c"].map(str::to_owned).to_vec();
        for measure in [
            Measure::Fpir { threshold: Threshold::new(0.7).unwrap() },
            Measure::Fnir { rank: Rank::Within(2), threshold: Threshold::NONE },
        ] {
            for margin in [Margin::Factor(2.0), Margin::Difference(0.05)] {
                let declared = Declared { measure, margin, resampling: Resampling { replicates: 20, ..Resampling::usual(1) }, level: 0.05 };
                let Ok(found) = table(&trials.view(), &column, &names, declared) else { continue };
                prop_assert_eq!(found.groups.len() + found.without.len(), 3);
                prop_assert_eq!(found.pairs.len(), found.groups.len() * (found.groups.len() - 1) / 2);
                for pair in &found.pairs {
                    prop_assert!((0.0..=1.0).contains(&pair.difference_p) && (0.0..=1.0).contains(&pair.equivalence_p), "{:?}", pair);
                    prop_assert!(pair.interval.low <= pair.interval.high);
                    prop_assert!(pair.verdict != Verdict::Equivalent || pair.equivalence_p_holm < 0.05);
                }
                for group in &found.groups {
                    prop_assert!(group.design_effect >= 1.0 && group.exact.contains(group.observed.rate()));
                }
            }
        }
    }
}
