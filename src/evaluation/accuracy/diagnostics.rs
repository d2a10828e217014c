//! What plots of scores and likelihood ratios are drawn from: histograms, Tippett and reliability curves.

use serde::Serialize;

use super::likelihood::Labelled;
use crate::evaluation::EvaluationError;
use crate::evaluation::arithmetic::finite;
use crate::evaluation::arithmetic::intervals::{Coverage, Interval, Proportion, wilson};

/// Most bins or points of one drawing.
pub const POINTS_MAX: usize = 10_000;

fn check_points(count: usize) -> Result<(), EvaluationError> {
    match count {
        0 => Err(EvaluationError::Empty("bins or points")),
        1..=POINTS_MAX => Ok(()),
        found => Err(EvaluationError::TooMany { what: "bins or points", found, most: POINTS_MAX }),
    }
}

/// Counts of scores in bins of equal width.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Histogram {
    /// Lower end of the first bin.
    pub from: f64,
    /// Upper end of the last.
    pub to: f64,
    /// Counts; a score between two bins belongs to the upper, one at `to` to the last.
    pub counts: Vec<u64>,
    /// Scores below `from` and above `to`.
    pub outside: [u64; 2],
}

/// Counts scores in `bins` bins from `from` to `to`.
///
/// # Errors
/// [`EvaluationError::Figure`] for ends that are not finite and ascending or a score that is NaN, [`EvaluationError::Empty`] and
/// [`EvaluationError::TooMany`] for the number of bins.
pub fn histogram(
    scores: impl IntoIterator<Item = f64>,
    from: f64,
    to: f64,
    bins: usize,
) -> Result<Histogram, EvaluationError> {
    check_points(bins)?;
    let width = finite("a histogram's width", to - from)?;
    if width <= 0.0 {
        return Err(EvaluationError::Figure { what: "a histogram's width", found: width, wanted: "above 0" });
    }
    let (mut counts, mut outside) = (vec![0; bins], [0, 0]);
    for score in scores {
        if score.is_nan() {
            return Err(EvaluationError::Figure { what: "a score", found: score, wanted: "a number is needed" });
        }
        if score < from {
            outside[0] += 1;
        } else if score > to {
            outside[1] += 1;
        } else {
            let bin = ((score - from) / width * bins as f64) as usize;
            if let Some(count) = counts.get_mut(bin.min(bins - 1)) {
                *count += 1;
            }
        }
    }
    Ok(Histogram { from, to, counts, outside })
}

/// Tippett curve: at each LLR of `at`, the shares of mated and of non-mated comparisons with a larger one. Non-mated ones above 0
/// and mated ones below it are misleading.
///
/// # Errors
/// [`EvaluationError::Empty`] and [`EvaluationError::TooMany`] for the number of points.
pub fn tippett(llrs: &Labelled, at: &[f64]) -> Result<Vec<[f64; 2]>, EvaluationError> {
    check_points(at.len())?;
    let ascending = |values: &[f64]| {
        let mut sorted = values.to_vec();
        sorted.sort_unstable_by(f64::total_cmp);
        sorted
    };
    let (mated, non_mated) = (ascending(llrs.mated()), ascending(llrs.non_mated()));
    let above = |sorted: &[f64], point: f64| {
        (sorted.len() - sorted.partition_point(|value| *value <= point)) as f64 / sorted.len() as f64
    };
    Ok(at.iter().map(|&point| [above(&mated, point), above(&non_mated, point)]).collect())
}

/// A point of a reliability diagram.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Reliability {
    /// Mean stated probability of being mated, at the prior of the data.
    pub stated: f64,
    /// How many were.
    pub observed: Proportion,
    /// Wilson's 95 % interval.
    pub interval: Interval,
}

/// Reliability diagram: comparisons by stated probability, in bins of equal width; empty ones are left out. Probabilities follow
/// from the LLRs with the share of mated comparisons in these data as the prior, so that well calibrated LLRs lie on the diagonal.
///
/// # Errors
/// [`EvaluationError::Empty`] and [`EvaluationError::TooMany`] for the number of bins.
pub fn reliability(llrs: &Labelled, bins: usize) -> Result<Vec<Reliability>, EvaluationError> {
    check_points(bins)?;
    let log_odds = (llrs.mated().len() as f64 / llrs.non_mated().len() as f64).ln();
    let mut all = vec![(0.0, 0_u64, 0_u64); bins];
    let labelled = llrs.mated().iter().map(|llr| (llr, 1)).chain(llrs.non_mated().iter().map(|llr| (llr, 0)));
    for (llr, mated) in labelled {
        let stated = 1.0 / (1.0 + (-llr - log_odds).exp());
        let bin = ((stated * bins as f64) as usize).min(bins - 1);
        if let Some((sum, events, trials)) = all.get_mut(bin) {
            *sum += stated;
            *events += mated;
            *trials += 1;
        }
    }
    let point = |(sum, events, trials): (f64, u64, u64)| {
        let observed = Proportion::new(events, trials)?;
        Ok(Reliability { stated: sum / trials as f64, observed, interval: wilson(observed, Coverage::USUAL) })
    };
    all.into_iter().filter(|(_, _, trials)| *trials > 0).map(point).collect()
}

/// Expected calibration error at even odds: the mean over `bins` bins of equal width of |mean stated probability - share seen|, each
/// weighed by what lies in it, and how many bins have anything in them. Both kinds of comparisons weigh the same, as in Cllr: else
/// the many non-mated ones, whose probability is next to nothing, would make it small whatever the LRs are worth.
///
/// # Errors
/// [`EvaluationError::Empty`] and [`EvaluationError::TooMany`] for the number of bins.
pub fn expected_error(llrs: &Labelled, bins: usize) -> Result<(f64, usize), EvaluationError> {
    check_points(bins)?;
    // Stated less seen, weighed.
    let mut off: Vec<Option<f64>> = vec![None; bins];
    for (values, seen) in [(llrs.mated(), 1.0), (llrs.non_mated(), 0.0)] {
        let weight = 0.5 / values.len() as f64;
        for llr in values {
            let stated = 1.0 / (1.0 + (-llr).exp());
            let bin = ((stated * bins as f64) as usize).min(bins - 1);
            if let Some(sum) = off.get_mut(bin) {
                *sum = Some(sum.unwrap_or(0.0) + weight * (stated - seen));
            }
        }
    }
    let used = off.into_iter().flatten();
    Ok((used.clone().map(f64::abs).sum(), used.count()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::evaluation::random::Stream;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn every_score_is_counted_once(scores in proptest::collection::vec(-2.0_f64..2.0, 0..80), bins in 1_usize..30) {
            let found = histogram(scores.iter().copied(), -1.0, 1.0, bins).unwrap();
            prop_assert_eq!(found.counts.iter().sum::<u64>() + found.outside.iter().sum::<u64>(), scores.len() as u64);
            prop_assert_eq!(found.outside[0], scores.iter().filter(|score| **score < -1.0).count() as u64);
        }
    }

    #[test]
    fn ends_belong_to_bins() {
        let found = histogram([0.0, 0.5, 1.0, 1.5, f64::INFINITY], 0.0, 1.0, 2).unwrap();
        assert_eq!((found.counts, found.outside), (vec![1, 2], [0, 2]));
        for (from, to) in [(1.0, 1.0), (f64::NAN, 1.0), (0.0, f64::INFINITY)] {
            assert!(histogram([0.5], from, to, 3).is_err());
        }
        assert!(histogram([f64::NAN], 0.0, 1.0, 3).is_err());
        assert!(histogram([], 0.0, 1.0, 0).is_err() && histogram([], 0.0, 1.0, POINTS_MAX + 1).is_err());
    }

    #[test]
    fn true_likelihood_ratios_are_reliable() {
        // Normal scores two deviations apart: the true LLR is 2 (x - 1).
        let mut stream = Stream::new(8, 0);
        let mut llrs = |count, mean: f64| (0..count).map(|_| 2.0 * (mean + f64::from(stream.normal()) - 1.0)).collect();
        let data = Labelled::new(llrs(4_000, 2.0), llrs(12_000, 0.0)).unwrap();
        let off = reliability(&data, 10).unwrap().into_iter().filter(|point| !point.interval.contains(point.stated));
        assert!(off.count() <= 2, "one of twenty lies outside by itself");
        let curve = tippett(&data, &[-50.0, 0.0, 50.0]).unwrap();
        assert_eq!((curve[0], curve[2]), ([1.0, 1.0], [0.0, 0.0]));
        assert!((curve[1][0] - 0.841).abs() < 0.02 && (curve[1][1] - 0.159).abs() < 0.02, "{curve:?}");
        assert!(tippett(&data, &[]).is_err() && reliability(&data, 0).is_err());
    }

    #[test]
    fn the_expected_error_is_the_weighed_distance_from_the_diagonal() {
        let logit = |share: f64| (share / (1.0 - share)).ln();
        let (mated, non_mated) = (vec![logit(0.9), logit(0.2)], vec![logit(0.7), logit(0.4)]);
        let data = Labelled::new(mated.clone(), non_mated.clone()).unwrap();
        let close = |bins: usize, value: f64, used: usize| {
            let found = expected_error(&data, bins).unwrap();
            (found.0 - value).abs() < 1e-12 && found.1 == used
        };
        // Stated 0.3 and 0.8 on average, seen 0.5 in both.
        assert!(close(2, 0.25, 2));
        assert!(close(1, 0.05, 1), "it depends on the bins");
        assert!(close(10, (0.1 + 0.8 + 0.7 + 0.4) / 4.0, 4));
        let repeated = Labelled::new(mated, non_mated.repeat(100)).unwrap();
        assert!(
            (expected_error(&repeated, 2).unwrap().0 - 0.25).abs() < 1e-12,
            "and not on how many of a kind there are"
        );
        assert!(expected_error(&data, 0).is_err());
        // True LRs leave what counting noise makes of ten bins; boastful ones do not.
        let mut stream = Stream::new(9, 0);
        let mut llrs = |mean: f64, bend: f64| {
            (0..20_000).map(|_| bend * 2.0 * (mean + f64::from(stream.normal()) - 1.0)).collect::<Vec<f64>>()
        };
        let mut of = |bend: f64| {
            let data = Labelled::new(llrs(2.0, bend), llrs(0.0, bend)).unwrap();
            expected_error(&data, 10).unwrap().0
        };
        let (truthful, boastful) = (of(1.0), of(3.0));
        assert!(truthful < 0.01 && boastful > 0.06, "{truthful} {boastful}");
    }
}
