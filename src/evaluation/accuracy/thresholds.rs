//! Thresholds for wanted rates of false positives, and what they find.
//!
//! A threshold for a target is the **lowest top score of a non-mated search at or above which no more than target times n of
//! the n non-mated searches lie**. Equal scores stay together, so with ties fewer may count than the target allows; the rate
//! counted is always given. Taking an observed score, and not a number just above the next one, makes the expected rate of new
//! subjects k/(n+1), below the target; just above the next it would be (k+1)/(n+1), which may be above. A target below 1/n,
//! which allows no false positive at all, is not supported: whatever lies above all scores would do, and nothing says what it
//! is worth.

use serde::Serialize;

use super::dependence::Clustered;
use super::rates::fnir;
use super::trials::{Kind, Rank, Search, Threshold, View};
use crate::evaluation::EvaluationError;
use crate::evaluation::arithmetic::intervals::Proportion;
use crate::evaluation::random::mix;

/// Targets of FPIR that reports give: FRTE's, and the 1 in 6,000 of the police tests.
pub const TARGETS: [f64; 6] = [0.1, 0.03, 0.01, 0.003, 0.001, 1.0 / 6_000.0];
/// Ranks that reports give.
pub const RANKS: [u32; 3] = [1, 10, 50];

/// What became of a target.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// A threshold with its counted rate, at most the target.
    Chosen {
        /// The threshold.
        threshold: Threshold,
        /// FPIR counted on the searches it was chosen on.
        fpir: Proportion,
    },
    /// Too few searches, or the highest scores are too many equal ones.
    NotSupported {
        /// Fewest non-mated searches of which the target allows one.
        searches_needed: u64,
        /// The highest non-mated score: thresholds above it were never put to the test.
        highest: f32,
    },
}

impl Outcome {
    /// The threshold, if one was chosen.
    #[must_use]
    pub fn threshold(&self) -> Option<Threshold> {
        match self {
            Self::Chosen { threshold, .. } => Some(*threshold),
            Self::NotSupported { .. } => None,
        }
    }
}

fn check_target(target: f64) -> Result<(), EvaluationError> {
    if target > 0.0 && target < 1.0 {
        Ok(())
    } else {
        Err(EvaluationError::Figure { what: "a target FPIR", found: target, wanted: "between 0 and 1, exclusive" })
    }
}

/// The largest k with k/n <= target, as f64 compares them: 0.003 of 1,000 allows 3.
fn allowed(target: f64, searches: u64) -> u64 {
    let within = |events: u64| events as f64 / searches as f64 <= target;
    let mut events = (target * searches as f64) as u64;
    while within(events + 1) {
        events += 1;
    }
    while events > 0 && !within(events) {
        events -= 1;
    }
    events
}

/// Fewest searches of which `target`, a rate between 0 and 1, allows one.
#[must_use]
pub fn searches_needed(target: f64) -> u64 {
    let mut searches = (1.0 / target).ceil() as u64;
    while searches > 1 && allowed(target, searches - 1) > 0 {
        searches -= 1;
    }
    searches
}

/// The threshold for a target FPIR, from the non-mated searches of `view`.
///
/// # Errors
/// [`EvaluationError::Figure`] for a target that is no rate, [`EvaluationError::Empty`] without a non-mated search that has a
/// candidate.
pub fn for_target(view: &View, target: f64) -> Result<Outcome, EvaluationError> {
    check_target(target)?;
    let mut tops: Vec<f32> = view.non_mated().filter_map(Search::top_score).collect();
    tops.sort_unstable_by(|a, b| b.total_cmp(a));
    let highest = *tops.first().ok_or(EvaluationError::Empty("non-mated searches with a candidate"))?;
    let searches = view.non_mated().count() as u64;
    let most = allowed(target, searches) as usize;
    // The first score that must stay out takes all its equals with it.
    let counted = tops.get(most).map_or(tops.len(), |out| tops.partition_point(|score| score > out));
    match counted.checked_sub(1).and_then(|last| tops.get(last)) {
        Some(&score) => {
            let fpir = Proportion::new(counted as u64, searches)?;
            Ok(Outcome::Chosen { threshold: Threshold::new(score)?, fpir })
        }
        None => Ok(Outcome::NotSupported { searches_needed: searches_needed(target), highest }),
    }
}

/// What a target's threshold finds.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct TargetRow {
    /// Target FPIR.
    pub target: f64,
    /// Threshold, or that there is none.
    pub outcome: Outcome,
    /// TPIR at that threshold by rank; empty where there is no threshold.
    pub tpir: Vec<(Rank, Proportion)>,
}

/// TPIR at thresholds for each of `targets`, within each of `ranks`.
///
/// # Errors
/// Those of [`for_target`] and [`fnir`].
pub fn tpir_at(view: &View, targets: &[f64], ranks: &[Rank]) -> Result<Vec<TargetRow>, EvaluationError> {
    let row = |&target: &f64| {
        let outcome = for_target(view, target)?;
        let of = |threshold| {
            let at_rank = |&rank: &Rank| Ok((rank, fnir(view, rank, threshold)?.complement()));
            ranks.iter().map(at_rank).collect::<Result<Vec<_>, EvaluationError>>()
        };
        let tpir = outcome.threshold().map_or_else(|| Ok(Vec::new()), of)?;
        Ok(TargetRow { target, outcome, tpir })
    };
    targets.iter().map(row).collect()
}

/// A threshold chosen on some subjects and tested on others.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Disjoint {
    /// Target FPIR.
    pub target: f64,
    /// Seed of the split.
    pub seed: u64,
    /// Non-mated subjects whom the threshold was chosen on.
    pub chosen_on: usize,
    /// Non-mated subjects whom it was tested on.
    pub tested_on: usize,
    /// The threshold with FPIR on the first: optimistic, since it was chosen so.
    pub outcome: Outcome,
    /// What it does to the others; `None` without a threshold.
    pub tested: Option<Tested>,
}

/// Rates on subjects who had no part in the choice.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Tested {
    /// FPIR on the other non-mated subjects.
    pub fpir: Clustered,
    /// FNIR on mated searches of subjects whom the threshold was not chosen on.
    pub fnir: Clustered,
}

/// Chooses a threshold on half of the non-mated subjects, drawn by `seed`, and tests it on the rest.
///
/// # Errors
/// Those of [`for_target`]; [`EvaluationError::Empty`] where one side has no subject or no search.
pub fn disjoint(view: &View, target: f64, rank: Rank, seed: u64) -> Result<Disjoint, EvaluationError> {
    view.check_rank(rank)?;
    let mut subjects: Vec<u32> = view.non_mated().map(|search| search.subject).collect();
    subjects.sort_unstable_by_key(|&subject| (mix(mix(seed) ^ u64::from(subject)), subject));
    subjects.dedup();
    let chosen_on = subjects.len().div_ceil(2);
    let tested_on = subjects.len() - chosen_on;
    if tested_on == 0 {
        return Err(EvaluationError::Empty("two non-mated subjects, one to choose on and one to test on"));
    }
    let mut first = subjects;
    first.truncate(chosen_on);
    first.sort_unstable();
    let is_first = |subject: u32| first.binary_search(&subject).is_ok();
    let outcome =
        for_target(&view.filter(|_, search| search.kind == Kind::NonMated && is_first(search.subject)), target)?;
    let others = view.filter(|_, search| !is_first(search.subject));
    let test = |threshold| {
        Ok(Tested { fpir: Clustered::fpir(&others, threshold)?, fnir: Clustered::fnir(&others, rank, threshold)? })
    };
    let tested = outcome.threshold().map(test).transpose()?;
    Ok(Disjoint { target, seed, chosen_on, tested_on, outcome, tested })
}

#[cfg(test)]
mod tests {
    use super::super::rates::fpir;
    use super::super::trials::tests::{any_trials, non_mated, trials};
    use super::*;
    use proptest::prelude::*;

    fn with_tops(tops: &[f32]) -> super::super::trials::Trials {
        let searches = tops.iter().enumerate().map(|(index, &top)| non_mated(index as u32, index as u32, &[top]));
        trials(searches.collect())
    }

    fn chosen(tops: &[f32], target: f64) -> Option<(f32, u64)> {
        match for_target(&with_tops(tops).view(), target).unwrap() {
            Outcome::Chosen { threshold, fpir } => Some((threshold.get(), fpir.events())),
            Outcome::NotSupported { .. } => None,
        }
    }

    #[test]
    fn the_lowest_observed_score_that_the_target_allows() {
        assert_eq!(chosen(&[0.1, 0.2, 0.3, 0.4], 0.5), Some((0.3, 2)));
        assert_eq!(chosen(&[0.1, 0.2, 0.3, 0.4], 0.49), Some((0.4, 1)));
        assert_eq!(chosen(&[0.1, 0.2, 0.3, 0.4], 0.24), None, "not one of four");
        assert_eq!(chosen(&[0.1, 0.3, 0.3, 0.4], 0.5), Some((0.4, 1)), "equal scores stay together");
        assert_eq!(chosen(&[0.4, 0.4, 0.1, 0.1], 0.25), None, "two equal ones at the top, one allowed");
        let tops: Vec<f32> = (0..1_000_u16).map(f32::from).collect();
        assert_eq!(chosen(&tops, 0.003), Some((997.0, 3)));
        assert_eq!(chosen(&tops[..100], 0.29), Some((71.0, 29)), "29 of 100 are 0.29, whatever the product rounds to");
    }

    #[test]
    fn unsupported_targets_say_what_they_need() {
        let refused = for_target(&with_tops(&[0.5, 0.4]).view(), 1.0 / 6_000.0).unwrap();
        assert_eq!(refused, Outcome::NotSupported { searches_needed: 6_000, highest: 0.5 });
        for bad in [0.0, 1.0, f64::NAN, -0.1] {
            assert!(for_target(&with_tops(&[0.5]).view(), bad).is_err());
        }
        let empty = trials(vec![non_mated(0, 0, &[])]);
        assert!(matches!(for_target(&empty.view(), 0.1), Err(EvaluationError::Empty(_))));
    }

    proptest! {
        #[test]
        fn the_rate_counted_is_at_most_the_target_and_the_next_score_is_over_it(
            trials in any_trials(), target in 0.01_f64..0.9,
        ) {
            let view = trials.view();
            let Ok(outcome) = for_target(&view, target) else { return Ok(()) };
            let count = |threshold: f32| fpir(&view, Threshold::new(threshold).unwrap()).unwrap();
            let tops = || view.non_mated().filter_map(Search::top_score);
            match outcome {
                Outcome::Chosen { threshold, fpir } => {
                    prop_assert_eq!(fpir, count(threshold.get()));
                    prop_assert!(fpir.rate() <= target);
                    let below = tops().filter(|&top| top < threshold.get()).fold(f32::NEG_INFINITY, f32::max);
                    prop_assert!(below == f32::NEG_INFINITY || count(below).rate() > target);
                }
                Outcome::NotSupported { highest, .. } => prop_assert!(count(highest).rate() > target),
            }
        }

        #[test]
        fn the_sides_share_no_subject(trials in any_trials(), seed in any::<u64>()) {
            let view = trials.view();
            let Ok(found) = disjoint(&view, 0.4, Rank::Any, seed) else { return Ok(()) };
            let subjects: std::collections::BTreeSet<u32> = view.non_mated().map(|search| search.subject).collect();
            prop_assert_eq!(found.chosen_on + found.tested_on, subjects.len());
            prop_assert!(found.chosen_on.abs_diff(found.tested_on) <= 1);
            if let (Outcome::Chosen { fpir: one, .. }, Some(tested)) = (found.outcome, found.tested) {
                let all = view.non_mated().count() as u64;
                prop_assert_eq!(one.trials() + tested.fpir.trials(), all, "each non-mated search is on one side");
            }
        }
    }

    #[test]
    fn choosing_and_testing_on_the_same_subjects_is_optimistic() {
        // Scores without any pattern: over many splits the tested rate is above the chosen one.
        let scores: Vec<f32> = (0..400_u64).map(|index| (mix(index) >> 40) as f32).collect();
        let mut searches: Vec<_> =
            scores.iter().enumerate().map(|(i, &top)| non_mated(i as u32, i as u32, &[top])).collect();
        searches.push(super::super::trials::tests::mated(900, 900, 3.0e7, 1));
        let trials = trials(searches);
        let (mut chosen, mut tested) = (0, 0);
        for seed in 0..200 {
            let found = disjoint(&trials.view(), 0.05, Rank::Any, seed).unwrap();
            let Outcome::Chosen { fpir, .. } = found.outcome else { panic!("{found:?}") };
            chosen += fpir.events();
            tested += found.tested.unwrap().fpir.events();
        }
        assert_eq!(chosen, 200 * 10);
        // k/(n+1) of the others each time; the splits are of one set, so this is about 9.95 * 200 with spread.
        assert!((1_800..2_200).contains(&tested), "{tested}");
    }
}
