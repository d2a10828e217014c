//! What a threshold means for those who examine candidates: how many, and how often the mate is among them.

use serde::Serialize;

use super::trials::{Rank, Search, Threshold, View};
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

/// Means over searches: share returning any candidate, candidates to examine, share of mates found.
struct Means {
    returning: f64,
    candidates: f64,
    found: f64,
}

fn means<'a>(
    searches: impl Iterator<Item = &'a Search>,
    rank: Rank,
    threshold: Threshold,
    what: &'static str,
) -> Result<Means, EvaluationError> {
    let (mut count, mut returning, mut candidates, mut found) = (0_u64, 0_u64, 0_u64, 0_u64);
    for search in searches {
        let returned = search.returned(threshold);
        let examined = match rank {
            Rank::Any => returned,
            Rank::Within(most) => returned.min(most as usize),
        };
        count += 1;
        returning += u64::from(examined > 0);
        candidates += examined as u64;
        found += u64::from(search.hit(rank, threshold));
    }
    if count == 0 {
        return Err(EvaluationError::Empty(what));
    }
    let mean = |sum: u64| sum as f64 / count as f64;
    Ok(Means { returning: mean(returning), candidates: mean(candidates), found: mean(found) })
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
}
