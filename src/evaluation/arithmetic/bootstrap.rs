//! Bootstrap over subjects, and permutations of them: what several searches of one person have in common stays together.
//!
//! A subject is what it adds to a few sums (events, searches, ...), so a replicate costs a draw and an addition a subject,
//! however many searches there were. Each replicate has a random stream of its own, named by seed and number.

use serde::Serialize;

use super::intervals::{Coverage, Interval};
use super::quantile;
use crate::base::limits::RESAMPLES_MAX;
use crate::evaluation::EvaluationError;
use crate::evaluation::random::Stream;

/// How often, from what seed, to what coverage.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Resampling {
    /// Seed of all replicates.
    pub seed: u64,
    /// How many replicates.
    pub replicates: u32,
    /// Coverage of the interval.
    pub coverage: Coverage,
}

impl Resampling {
    /// Two thousand replicates, 95 %.
    #[must_use]
    pub fn usual(seed: u64) -> Self {
        Self { seed, replicates: 2_000, coverage: Coverage::USUAL }
    }

    /// Refuses none and too many.
    ///
    /// # Errors
    /// [`EvaluationError::Figure`].
    pub fn check(&self) -> Result<(), EvaluationError> {
        if (1..=RESAMPLES_MAX).contains(&self.replicates) {
            return Ok(());
        }
        let found = f64::from(self.replicates);
        Err(EvaluationError::Figure { what: "the number of replicates", found, wanted: "from 1 to 1,000,000" })
    }
}

/// An interval by resampling.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Resampled {
    /// From percentile to percentile.
    pub interval: Interval,
    /// Subjects resampled.
    pub subjects: usize,
    /// How it was made.
    pub resampling: Resampling,
    /// Replicates in which the statistic had no value; they are left out.
    pub undefined: u32,
}

/// Draws numbers below `count`. The two halves of 64 bits are scaled: uneven by count / 2^32, nothing beside what a bootstrap
/// is off by.
struct Draws {
    stream: Stream,
    count: u64,
    kept: Option<u64>,
}

impl Draws {
    fn new(seed: u64, index: u64, count: usize) -> Self {
        Self { stream: Stream::new(seed, index), count: count as u64, kept: None }
    }

    fn draw(&mut self) -> usize {
        let half = self.kept.take().unwrap_or_else(|| {
            let bits = self.stream.bits();
            self.kept = Some(bits >> 32);
            bits & 0xFFFF_FFFF
        });
        ((half * self.count) >> 32) as usize
    }
}

/// Sums over one replicate: as many subjects as there are, drawn with replacement.
#[must_use]
pub fn replicate<const K: usize>(subjects: &[[f64; K]], seed: u64, index: u64) -> [f64; K] {
    let mut draws = Draws::new(seed, index, subjects.len());
    let mut sums = [0.0; K];
    for _ in 0..subjects.len() {
        let Some(drawn) = subjects.get(draws.draw()) else { continue };
        for (sum, value) in sums.iter_mut().zip(drawn) {
            *sum += value;
        }
    }
    sums
}

/// Percentile interval (Efron and Tibshirani 1993, chapter 13) of a statistic of the sums over subjects.
///
/// # Errors
/// [`EvaluationError::Empty`] without subjects, [`EvaluationError::Figure`] for sums or a number of replicates that are none,
/// [`EvaluationError::NotSettled`] when no replicate has a value.
pub fn percentile<const K: usize>(
    subjects: &[[f64; K]],
    statistic: impl Fn(&[f64; K]) -> Option<f64>,
    resampling: Resampling,
) -> Result<Resampled, EvaluationError> {
    resampling.check()?;
    check(subjects)?;
    let Resampling { seed, replicates, coverage } = resampling;
    let all = (0..u64::from(replicates)).map(|index| statistic(&replicate(subjects, seed, index)));
    let mut values: Vec<f64> = all.flatten().filter(|value| !value.is_nan()).collect();
    let undefined = replicates - values.len() as u32;
    let interval = between(&mut values, coverage).ok_or(EvaluationError::NotSettled("a resampled statistic"))?;
    Ok(Resampled { interval, subjects: subjects.len(), resampling, undefined })
}

/// The middle `coverage` of values in any order.
pub(crate) fn between(values: &mut [f64], coverage: Coverage) -> Option<Interval> {
    values.sort_unstable_by(f64::total_cmp);
    let (low, high) = (quantile(values, coverage.tail())?, quantile(values, 1.0 - coverage.tail())?);
    Some(Interval { low, high })
}

fn check<const K: usize>(subjects: &[[f64; K]]) -> Result<(), EvaluationError> {
    if subjects.is_empty() {
        return Err(EvaluationError::Empty("subjects"));
    }
    let bad = subjects.iter().flatten().find(|value| !value.is_finite());
    bad.map_or(Ok(()), |&value| super::finite("a subject's sum", value).map(|_| ()))
}

/// Percentile interval of a rate; each subject adds [events, searches].
///
/// # Errors
/// Those of [`percentile`], and [`EvaluationError::ZeroCount`] where nothing or everything was an event: then every replicate
/// is the same, and the interval would be a point.
pub fn rate(subjects: &[[f64; 2]], resampling: Resampling) -> Result<Resampled, EvaluationError> {
    check(subjects)?;
    let (events, trials) =
        subjects.iter().fold((0.0, 0.0), |sums, [events, trials]| (sums.0 + events, sums.1 + trials));
    if events <= 0.0 || events >= trials {
        return Err(EvaluationError::ZeroCount { events: events as u64, trials: trials as u64 });
    }
    percentile(subjects, |[events, trials]| (*trials > 0.0).then(|| events / trials), resampling)
}

/// Shuffles `labels` for one replicate of a permutation test: every order equally likely (Fisher and Yates).
pub fn shuffle<T>(labels: &mut [T], seed: u64, index: u64) {
    let mut stream = Stream::new(seed, index);
    for place in (1..labels.len()).rev() {
        let other = ((u128::from(stream.bits()) * (place as u128 + 1)) >> 64) as usize;
        labels.swap(place, other);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Subjects with `size` searches each, of which the first `events` subjects failed all.
    fn crowd(subjects: usize, events: usize, size: f64) -> Vec<[f64; 2]> {
        (0..subjects).map(|subject| [if subject < events { size } else { 0.0 }, size]).collect()
    }

    #[test]
    fn it_agrees_with_the_binomial_where_searches_are_independent() {
        // The bootstrap distribution of k/n is binomial with the observed rate: sd 0.02 here.
        let found = rate(&crowd(225, 22, 1.0), Resampling::usual(1)).unwrap().interval;
        let share: f64 = 22.0 / 225.0;
        let sd = (share * (1.0 - share) / 225.0).sqrt();
        assert!((found.low - (share - 1.96 * sd)).abs() < 0.3 * sd, "{found:?}");
        assert!((found.high - (share + 1.96 * sd)).abs() < 0.3 * sd, "{found:?}");
    }

    #[test]
    fn several_searches_of_a_subject_make_it_no_narrower() {
        let once = rate(&crowd(200, 30, 1.0), Resampling::usual(7)).unwrap();
        let often = rate(&crowd(200, 30, 40.0), Resampling::usual(7)).unwrap();
        assert_eq!(once.interval, often.interval, "forty dependent searches say what one says");
    }

    #[test]
    fn zero_counts_are_sent_elsewhere() {
        for events in [0, 50] {
            let refused = rate(&crowd(50, events, 2.0), Resampling::usual(1));
            assert!(matches!(refused, Err(EvaluationError::ZeroCount { trials: 100, .. })), "{refused:?}");
        }
        assert!(matches!(rate(&[], Resampling::usual(1)), Err(EvaluationError::Empty(_))));
        assert!(matches!(rate(&[[f64::NAN, 1.0]], Resampling::usual(1)), Err(EvaluationError::Figure { .. })));
        let none = Resampling { replicates: 0, ..Resampling::usual(1) };
        assert!(matches!(rate(&crowd(9, 3, 1.0), none), Err(EvaluationError::Figure { .. })));
    }

    #[test]
    fn a_replicate_can_be_made_alone() {
        let subjects = crowd(100, 40, 1.0);
        assert_eq!(replicate(&subjects, 3, 17), replicate(&subjects, 3, 17));
        assert_ne!(replicate(&subjects, 3, 17), replicate(&subjects, 3, 18));
        // Pinned: reports made with a seed must stay reproducible.
        assert_eq!(replicate(&subjects, 3, 17), [37.0, 100.0]);
    }

    proptest! {
        #[test]
        fn a_shuffle_keeps_what_it_shuffles(count in 0_usize..50, seed in any::<u64>()) {
            let mut labels: Vec<usize> = (0..count).collect();
            shuffle(&mut labels, seed, 0);
            labels.sort_unstable();
            prop_assert!(labels.iter().copied().eq(0..count));
        }
    }

    #[test]
    fn a_shuffle_is_even() {
        let mut counts = [0_u32; 6];
        for index in 0..60_000 {
            let mut labels = [0, 1, 2];
            shuffle(&mut labels, 5, index);
            counts[labels[0] * 2 + usize::from(labels[1] > labels[2])] += 1;
        }
        // Standard deviation 91: five of them.
        assert!(counts.iter().all(|count| count.abs_diff(10_000) < 455), "{counts:?}");
    }
}
