//! What a threshold means for those who examine candidates: how many, and how often the mate is among them.

use serde::Serialize;

use super::trials::{Candidate, Rank, Search, Threshold, View};
use crate::evaluation::EvaluationError;

/// What is to be expected of 1,000 searches of which a stated share is mated.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Workload {
    /// Share of mated searches: an assumption, stated and not measured.
    pub prior: f64,
    /// Searches that return any candidate.
    pub searches_returning: f64,
    /// Candidates to examine.
    pub candidates: f64,
    /// Candidates to reject: those of anybody but the person sought, of whom a list may show several pictures.
    pub false_candidates: f64,
    /// Searches whose mate is found.
    pub mates_found: f64,
    /// Searches whose mate is missed.
    pub mates_missed: f64,
    /// Searches that return candidates without a mate: the subject is not enrolled, or is and was missed.
    pub returning_others_only: f64,
    /// Of the searches that return any candidate, the share with the mate among them; `None` where none returns any.
    pub predictive_value: Option<f64>,
}

fn check_share(what: &'static str, share: f64) -> Result<f64, EvaluationError> {
    if (0.0..=1.0).contains(&share) {
        Ok(share)
    } else {
        Err(EvaluationError::Figure { what, found: share, wanted: "from 0 to 1" })
    }
}

/// Means over searches: share returning any candidate, candidates to examine, candidates of other people, share of mates found.
struct Means {
    returning: f64,
    candidates: f64,
    others: f64,
    found: f64,
}

fn means<'a>(
    searches: impl Iterator<Item = &'a Search>,
    rank: Rank,
    threshold: Threshold,
    what: &'static str,
) -> Result<Means, EvaluationError> {
    let (mut count, mut returning, mut candidates, mut others, mut found) = (0_u64, 0_u64, 0_u64, 0_u64, 0_u64);
    for search in searches {
        let returned = search.returned(threshold);
        let examined = match rank {
            Rank::Any => returned,
            Rank::Within(most) => returned.min(most as usize),
        };
        count += 1;
        returning += u64::from(examined > 0);
        candidates += examined as u64;
        // Not all but one: where pictures of a person stand by themselves, the list may show several of the mate.
        let of_others = |candidate: &&Candidate| candidate.subject != search.subject;
        others += search.candidates.iter().take(examined).filter(of_others).count() as u64;
        found += u64::from(search.hit(rank, threshold));
    }
    if count == 0 {
        return Err(EvaluationError::Empty(what));
    }
    let mean = |sum: u64| sum as f64 / count as f64;
    let (returning, candidates) = (mean(returning), mean(candidates));
    Ok(Means { returning, candidates, others: mean(others), found: mean(found) })
}

/// The workload of 1,000 searches with a share of `prior` mated ones, candidates being examined down to `rank` and `threshold`.
/// Lists that end before the threshold make it a lower bound ([`super::rates::Selectivity`] tells).
///
/// # Errors
/// [`EvaluationError::Figure`] for a prior that is no share, [`EvaluationError::Empty`] without mated or non-mated searches,
/// [`EvaluationError::RankBeyondList`].
pub fn workload(view: &View, rank: Rank, threshold: Threshold, prior: f64) -> Result<Workload, EvaluationError> {
    let prior = check_share("the prior", prior)?;
    view.check_rank(rank)?;
    let mated = means(view.mated(), rank, threshold, "mated searches")?;
    let non_mated = means(view.non_mated(), rank, threshold, "non-mated searches")?;
    let (with, without) = (1_000.0 * prior, 1_000.0 * (1.0 - prior));
    let searches_returning = with * mated.returning + without * non_mated.returning;
    let mates_found = with * mated.found;
    Ok(Workload {
        prior,
        searches_returning,
        candidates: with * mated.candidates + without * non_mated.candidates,
        false_candidates: with * mated.others + without * non_mated.others,
        mates_found,
        mates_missed: with * (1.0 - mated.found),
        returning_others_only: searches_returning - mates_found,
        predictive_value: (searches_returning > 0.0).then(|| mates_found / searches_returning),
    })
}

#[cfg(test)]
mod tests {
    use super::super::trials::tests::{mated, non_mated, trials};
    use super::*;

    #[test]
    fn mated_searches_that_return_others_only_are_work_without_a_mate() {
        // Mates at 0.9 (rank 1) and 0.2 (rank 2, below another at 0.8); strangers at 0.7 and 0.1.
        let searches =
            vec![mated(0, 0, 0.9, 1), mated(1, 1, 0.2, 2), non_mated(2, 2, &[0.7, 0.6]), non_mated(3, 3, &[0.1])];
        let trials = trials(searches);
        let found = workload(&trials.view(), Rank::Any, Threshold::new(0.5).unwrap(), 0.1).unwrap();
        assert!((found.searches_returning - (100.0 + 450.0)).abs() < 1e-9, "{found:?}");
        assert!((found.candidates - (100.0 + 900.0)).abs() < 1e-9, "{found:?}");
        assert!((found.mates_found - 50.0).abs() < 1e-9 && (found.mates_missed - 50.0).abs() < 1e-9);
        assert!((found.predictive_value.unwrap() - 50.0 / 550.0).abs() < 1e-12);
        let first = workload(&trials.view(), Rank::Within(1), Threshold::new(0.5).unwrap(), 0.1).unwrap();
        assert!((first.candidates - 550.0).abs() < 1e-9, "one candidate a search");
        let none = workload(&trials.view(), Rank::Any, Threshold::new(2.0).unwrap(), 0.1).unwrap();
        assert_eq!(none.predictive_value, None);
    }

    #[test]
    fn further_pictures_of_the_mate_are_not_to_be_rejected() {
        // The mate's three pictures, each by itself, and one of somebody else between them.
        let mut search = mated(0, 0, 0.9, 1);
        let of = |subject, template, score| Candidate { subject, template, score };
        search.candidates = vec![of(0, 1, 0.9), of(5, 2, 0.8), of(0, 3, 0.7), of(0, 4, 0.6), of(6, 5, 0.1)];
        let trials = trials(vec![search, non_mated(2, 2, &[0.7, 0.6])]);
        let at = Threshold::new(0.5).unwrap();
        let found = workload(&trials.view(), Rank::Any, at, 0.5).unwrap();
        assert!((found.candidates - (500.0 * 4.0 + 500.0 * 2.0)).abs() < 1e-9, "{found:?}");
        assert!((found.false_candidates - (500.0 + 500.0 * 2.0)).abs() < 1e-9, "{found:?}");
        let first = workload(&trials.view(), Rank::Within(1), at, 0.5).unwrap();
        assert!((first.false_candidates - 500.0).abs() < 1e-9, "the mate's first picture, and one of a stranger");
    }
}
