//! Two ways of searching, the same probes: what approximate or coarser search loses against the exact one.

use std::collections::{BTreeMap, HashSet};

use serde::Serialize;

use super::trials::{Kind, Rank, Search, Threshold, Trials};
use crate::evaluation::EvaluationError;
use crate::evaluation::arithmetic::contingency::mcnemar_exact;

/// How the outcomes of paired searches fall.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Pairs {
    /// The event happened both ways.
    pub both: u64,
    /// In the exact search only.
    pub exact_only: u64,
    /// In the other search only.
    pub other_only: u64,
    /// In neither.
    pub neither: u64,
    /// McNemar's exact p-value, two-sided, over people: of each the way that had more of their searches. With one search a person it
    /// is that over searches. A high one is no proof of equality: look at the counts.
    pub p_value: f64,
}

/// A mate that the exact search found and the other did not.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct LostMate {
    /// Number of the search.
    pub search: usize,
    /// Number of the probe.
    pub probe: u32,
    /// Its rank in the exact list, if it was listed.
    pub rank: Option<u32>,
    /// Its score.
    pub score: f32,
}

/// Exact against other search at one rank and threshold.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Comparison {
    /// Mates found.
    pub hits: Pairs,
    /// Non-mated searches that returned a candidate.
    pub false_positives: Pairs,
    /// The mates lost, by number of the search.
    pub lost: Vec<LostMate>,
}

/// Mean share of the exact list's first `k` templates that the other list's first `k` have too.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Recall {
    /// How many of each list.
    pub k: u32,
    /// Mean over searches with any candidate in the exact list.
    pub mean: f64,
    /// The worst search's.
    pub worst: f64,
    /// Searches looked at.
    pub searches: u64,
}

fn check_paired(exact: &Trials, other: &Trials) -> Result<(), EvaluationError> {
    if exact.enrolled_templates() != other.enrolled_templates() {
        let (one, two) = (exact.enrolled_templates(), other.enrolled_templates());
        return Err(EvaluationError::NotPaired(format!("galleries of {one} and {two} templates")));
    }
    let (one, two) = (exact.searches(), other.searches());
    if one.len() != two.len() {
        return Err(EvaluationError::NotPaired(format!("{} and {} searches", one.len(), two.len())));
    }
    let same = |a: &Search, b: &Search| {
        (a.probe, a.subject, a.kind, a.extracted, a.mate_enrolled_failed)
            == (b.probe, b.subject, b.kind, b.extracted, b.mate_enrolled_failed)
    };
    match one.iter().zip(two).position(|(a, b)| !same(a, b)) {
        Some(at) => Err(EvaluationError::NotPaired(format!("search {at} is of another probe, subject or kind"))),
        None => Ok(()),
    }
}

/// From (subject, event in the exact search, event in the other) of each search.
fn tally(outcomes: impl Iterator<Item = (u32, bool, bool)>) -> Pairs {
    let (mut both, mut exact_only, mut other_only, mut neither) = (0, 0, 0, 0);
    let mut lead: BTreeMap<u32, i64> = BTreeMap::new();
    for (subject, exact, other) in outcomes {
        match (exact, other) {
            (true, true) => both += 1,
            (true, false) => exact_only += 1,
            (false, true) => other_only += 1,
            (false, false) => neither += 1,
        }
        *lead.entry(subject).or_default() += i64::from(exact) - i64::from(other);
    }
    // Ten searches for one person that a graph can't reach are one loss, not ten.
    let people = |side: &dyn Fn(i64) -> bool| lead.values().filter(|lead| side(**lead)).count() as u64;
    let p_value = mcnemar_exact(people(&|lead| lead > 0), people(&|lead| lead < 0));
    Pairs { both, exact_only, other_only, neither, p_value }
}

/// Compares the outcomes of the same searches done exactly and in another way.
///
/// # Errors
/// [`EvaluationError::NotPaired`] for other probes or another gallery, [`EvaluationError::RankBeyondList`].
pub fn compare(
    exact: &Trials,
    other: &Trials,
    rank: Rank,
    threshold: Threshold,
) -> Result<Comparison, EvaluationError> {
    check_paired(exact, other)?;
    exact.view().check_rank(rank)?;
    other.view().check_rank(rank)?;
    let pairs = || exact.searches().iter().zip(other.searches());
    let hit = |search: &Search| search.hit(rank, threshold);
    let hits = tally(pairs().filter(|(a, _)| a.kind == Kind::Mated).map(|(a, b)| (a.subject, hit(a), hit(b))));
    let strangers = pairs().filter(|(a, _)| a.kind == Kind::NonMated);
    let false_positives = tally(strangers.map(|(a, b)| (a.subject, a.returns(threshold), b.returns(threshold))));
    let lost = pairs().enumerate().filter(|(_, (a, b))| hit(a) && !hit(b)).filter_map(|(search, (a, _))| {
        a.mate.map(|mate| LostMate { search, probe: a.probe, rank: mate.rank, score: mate.score })
    });
    Ok(Comparison { hits, false_positives, lost: lost.collect() })
}

/// Recall at `k` of the other search's lists.
///
/// # Errors
/// [`EvaluationError::NotPaired`], [`EvaluationError::RankBeyondList`], [`EvaluationError::Empty`] where no exact list has a
/// candidate.
pub fn recall(exact: &Trials, other: &Trials, k: u32) -> Result<Recall, EvaluationError> {
    check_paired(exact, other)?;
    exact.view().check_rank(Rank::Within(k))?;
    other.view().check_rank(Rank::Within(k))?;
    let first = |search: &Search| -> HashSet<u64> {
        search.candidates.iter().take(k as usize).map(|candidate| candidate.template).collect()
    };
    let (mut sum, mut worst, mut searches) = (0.0, 1.0_f64, 0);
    for (a, b) in exact.searches().iter().zip(other.searches()) {
        let wanted = first(a);
        if wanted.is_empty() {
            continue;
        }
        let share = first(b).intersection(&wanted).count() as f64 / wanted.len() as f64;
        sum += share;
        worst = worst.min(share);
        searches += 1;
    }
    if searches == 0 {
        return Err(EvaluationError::Empty("exact lists with a candidate"));
    }
    Ok(Recall { k, mean: sum / searches as f64, worst, searches })
}

#[cfg(test)]
mod tests {
    use super::super::rates::{fnir, fpir};
    use super::super::trials::MateScore;
    use super::super::trials::tests::{any_trials, mated, non_mated, trials};
    use super::*;
    use proptest::prelude::*;

    /// The same searches with some candidates lost.
    fn lossy(exact: &Trials, lose: impl Fn(u64) -> bool) -> Trials {
        let mut searches = exact.searches().to_vec();
        for search in &mut searches {
            search.candidates.retain(|candidate| !lose(candidate.template));
            let place = search.candidates.iter().position(|candidate| candidate.subject == search.subject);
            // What an approximate search did not come by it has no score of.
            let listed = place.and_then(|at| search.candidates.get(at).map(|candidate| (at, candidate.score)));
            search.mate = listed.map(|(at, score)| MateScore { score, rank: Some(at as u32 + 1) });
        }
        Trials::new(exact.enrolled_subjects(), exact.enrolled_templates(), exact.list_length(), searches).unwrap()
    }

    proptest! {
        #[test]
        fn counts_are_those_of_the_rates(exact in any_trials(), modulus in 2_u64..6, score in 0.0_f32..1.0) {
            let other = lossy(&exact, |template| template % modulus == 0);
            let threshold = Threshold::new(score).unwrap();
            let found = compare(&exact, &other, Rank::Within(2), threshold).unwrap();
            if let Ok(missed) = fnir(&exact.view(), Rank::Within(2), threshold) {
                prop_assert_eq!(found.hits.both + found.hits.exact_only, missed.complement().events());
                let other = fnir(&other.view(), Rank::Within(2), threshold).unwrap();
                prop_assert_eq!(found.hits.both + found.hits.other_only, other.complement().events());
            }
            if let Ok(returned) = fpir(&exact.view(), threshold) {
                prop_assert_eq!(found.false_positives.both + found.false_positives.exact_only, returned.events());
                prop_assert_eq!(found.false_positives.other_only, 0, "losing candidates makes no false positive");
            }
            prop_assert_eq!(found.lost.len() as u64, found.hits.exact_only);
        }

        #[test]
        fn an_exact_search_loses_nothing_against_itself(exact in any_trials()) {
            let found = compare(&exact, &exact, Rank::Any, Threshold::NONE).unwrap();
            prop_assert!(found.lost.is_empty() && found.hits.p_value == 1.0);
            if let Ok(recall) = recall(&exact, &exact, 2) {
                prop_assert_eq!((recall.mean, recall.worst), (1.0, 1.0));
            }
        }
    }

    #[test]
    fn losing_one_person_again_and_again_is_one_loss() {
        // Searches for `people` of whom the other way finds nobody, `each` for everybody.
        let p_of = |people: u32, each: u32| {
            let search = |number: u32| mated(number, number / each, 0.9, 1);
            let exact = trials((0..people * each).map(search).collect());
            let other = lossy(&exact, |_| true);
            compare(&exact, &other, Rank::Within(1), Threshold::NONE).unwrap().hits
        };
        assert_eq!((p_of(1, 20).exact_only, p_of(1, 20).p_value), (20, 1.0));
        assert_eq!(p_of(8, 5).p_value, p_of(8, 1).p_value);
        assert!((p_of(8, 1).p_value - 2.0 / 256.0).abs() < 1e-12);
    }

    #[test]
    fn other_probes_are_refused() {
        let one = trials(vec![mated(0, 0, 0.9, 1), non_mated(1, 1, &[0.3])]);
        let two = trials(vec![mated(0, 0, 0.9, 1), non_mated(2, 1, &[0.3])]);
        assert!(matches!(compare(&one, &two, Rank::Any, Threshold::NONE), Err(EvaluationError::NotPaired(_))));
        let short = trials(vec![mated(0, 0, 0.9, 1)]);
        assert!(matches!(recall(&one, &short, 1), Err(EvaluationError::NotPaired(_))));
    }

    #[test]
    fn recall_counts_templates() {
        let exact = trials(vec![non_mated(0, 0, &[0.9, 0.8, 0.7, 0.6])]);
        let second = exact.searches()[0].candidates[1].template;
        let found = recall(&exact, &lossy(&exact, |template| template == second), 4).unwrap();
        assert_eq!((found.mean, found.worst, found.searches), (0.75, 0.75, 1));
    }
}
