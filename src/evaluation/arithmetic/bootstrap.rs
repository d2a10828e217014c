//! Bootstrap over subjects, and permutations of them: what several searches of one person have in common stays together.
//!
//! A subject is what it adds to a few sums (events, searches, ...). Subjects that add the same are of one kind, and a replicate
//! draws how often each kind comes, not each subject: a hundred thousand subjects take no longer than the dozen kinds they
//! are of. Each replicate has a random stream of its own, named by seed and number.

use std::cmp::Ordering;

use serde::Serialize;

use super::intervals::{Coverage, Interval};
use super::{binomial, finite, quantile};
use crate::base::limits::RESAMPLES_MAX;
use crate::evaluation::EvaluationError;
use crate::evaluation::random::Stream;

/// Events, and searches without one, below which no interval is made by resampling: what hardly varies would look well known, and
/// of the events that might have come and did not none can be drawn.
pub const EVENTS_MIN: u64 = 5;

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

/// Subjects by what they add to K sums.
#[derive(Debug, Clone, PartialEq)]
pub struct Subjects<const K: usize> {
    /// What a kind adds, and how many subjects are of it.
    kinds: Vec<([f64; K], u64)>,
    count: u64,
}

impl<const K: usize> Subjects<K> {
    /// Sorts subjects by kind.
    ///
    /// # Errors
    /// [`EvaluationError::Empty`] without subjects, [`EvaluationError::Figure`] for a sum that is not finite.
    pub fn new(subjects: &[[f64; K]]) -> Result<Self, EvaluationError> {
        if subjects.is_empty() {
            return Err(EvaluationError::Empty("subjects"));
        }
        for &value in subjects.iter().flatten() {
            finite("a subject's sum", value)?;
        }
        let mut sorted = subjects.to_vec();
        let order = |a: &[f64; K], b: &[f64; K]| {
            let unequal = a.iter().zip(b).map(|(a, b)| a.total_cmp(b)).find(|order| order.is_ne());
            unequal.unwrap_or(Ordering::Equal)
        };
        sorted.sort_unstable_by(order);
        let same = sorted.chunk_by(|a, b| a == b);
        let kinds = same.filter_map(|kind| kind.first().map(|first| (*first, kind.len() as u64))).collect();
        Ok(Self { kinds, count: subjects.len() as u64 })
    }

    /// Sums over all subjects.
    #[must_use]
    pub fn sums(&self) -> [f64; K] {
        let mut sums = [0.0; K];
        self.kinds.iter().for_each(|(kind, count)| add(&mut sums, kind, *count));
        sums
    }

    /// Sums over one replicate: as many subjects as there are, drawn with replacement. How often each kind comes is multinomial,
    /// drawn as one binomial number after the other.
    #[must_use]
    pub fn replicate(&self, seed: u64, index: u64) -> [f64; K] {
        let mut stream = Stream::new(seed, index);
        let mut sums = [0.0; K];
        let (mut to_draw, mut of) = (self.count, self.count);
        for (kind, count) in &self.kinds {
            let times = binomial::draw(&mut stream, to_draw, *count as f64 / of as f64);
            add(&mut sums, kind, times);
            to_draw -= times;
            of -= count;
        }
        sums
    }
}

fn add<const K: usize>(sums: &mut [f64; K], kind: &[f64; K], times: u64) {
    for (sum, value) in sums.iter_mut().zip(kind) {
        *sum += value * times as f64;
    }
}

/// Percentile interval (Efron and Tibshirani 1993, chapter 13) of a statistic of the sums over subjects.
///
/// # Errors
/// [`EvaluationError::Figure`] for a number of replicates that is none, [`EvaluationError::NotSettled`] when no replicate has a
/// value.
pub fn percentile<const K: usize>(
    subjects: &Subjects<K>,
    statistic: impl Fn(&[f64; K]) -> Option<f64>,
    resampling: Resampling,
) -> Result<Resampled, EvaluationError> {
    resampling.check()?;
    let Resampling { seed, replicates, coverage } = resampling;
    let all = (0..u64::from(replicates)).map(|index| statistic(&subjects.replicate(seed, index)));
    let mut values: Vec<f64> = all.flatten().filter(|value| !value.is_nan()).collect();
    let undefined = replicates - values.len() as u32;
    let interval = between(&mut values, coverage).ok_or(EvaluationError::NotSettled("a resampled statistic"))?;
    Ok(Resampled { interval, subjects: subjects.count as usize, resampling, undefined })
}

/// The middle `coverage` of values in any order.
pub(crate) fn between(values: &mut [f64], coverage: Coverage) -> Option<Interval> {
    values.sort_unstable_by(f64::total_cmp);
    let (low, high) = (quantile(values, coverage.tail())?, quantile(values, 1.0 - coverage.tail())?);
    Some(Interval { low, high })
}

/// Percentile interval of a rate; each subject adds [events, searches].
///
/// # Errors
/// Those of [`percentile`] and [`Subjects::new`], and [`EvaluationError::ZeroCount`] where nothing or everything was an event: then every replicate
/// is the same, and the interval would be a point.
pub fn rate(subjects: &[[f64; 2]], resampling: Resampling) -> Result<Resampled, EvaluationError> {
    let subjects = Subjects::new(subjects)?;
    let [events, trials] = subjects.sums();
    if events <= 0.0 || events >= trials {
        return Err(EvaluationError::ZeroCount { events: events as u64, trials: trials as u64 });
    }
    percentile(&subjects, |[events, trials]| (*trials > 0.0).then(|| events / trials), resampling)
}

/// Draws `front` labels without replacement to the front of `labels`, for one replicate of a permutation test; every choice and
/// order is equally likely (Fisher and Yates). What is returned undoes it by [`unshuffle`], so that each replicate begins from
/// the same labels.
#[must_use]
pub fn shuffle_front<T>(labels: &mut [T], front: usize, seed: u64, index: u64) -> Vec<usize> {
    let mut stream = Stream::new(seed, index);
    let mut swaps = Vec::with_capacity(front);
    for place in 0..front.min(labels.len()) {
        let left = (labels.len() - place) as u128;
        let other = place + ((u128::from(stream.bits()) * left) >> 64) as usize;
        labels.swap(place, other);
        swaps.push(other);
    }
    swaps
}

/// Takes [`shuffle_front`] back.
pub fn unshuffle<T>(labels: &mut [T], swaps: &[usize]) {
    for (place, &other) in swaps.iter().enumerate().rev() {
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
        let subjects = Subjects::new(&crowd(100, 40, 1.0)).unwrap();
        assert_eq!(subjects.replicate(3, 17), subjects.replicate(3, 17));
        assert_ne!(subjects.replicate(3, 17), subjects.replicate(3, 18));
        // Pinned: reports made with a seed must stay reproducible.
        assert_eq!(subjects.replicate(3, 17), [44.0, 100.0]);
    }

    #[test]
    fn kinds_come_as_often_as_their_subjects_do() {
        // Drawn one by one: mean and variance of each sum over 4,000 replicates must be those of n draws.
        let all: Vec<[f64; 3]> = (0..60).map(|i| [f64::from(i % 3), f64::from(i % 7), 1.0]).collect();
        let subjects = Subjects::new(&all).unwrap();
        let (mut sums, mut squares) = ([0.0; 3], [0.0; 3]);
        for index in 0..4_000 {
            let found = subjects.replicate(6, index);
            (0..3).for_each(|k| sums[k] += found[k] / 4_000.0);
            (0..3).for_each(|k| squares[k] += found[k] * found[k] / 4_000.0);
        }
        for k in 0..3 {
            let mean = all.iter().map(|one| one[k]).sum::<f64>() / 60.0;
            let variance = all.iter().map(|one| (one[k] - mean).powi(2)).sum::<f64>() / 60.0;
            let allowed = 5.0 * (60.0 * variance / 4_000.0).sqrt() + 1e-9;
            assert!((sums[k] - 60.0 * mean).abs() <= allowed, "{k}: {sums:?}");
            let found = squares[k] - sums[k] * sums[k];
            assert!((found - 60.0 * variance).abs() <= 0.12 * 60.0 * variance + 1e-6, "{k}: {found} {variance}");
        }
        assert_eq!(sums[2].round(), 60.0);
    }

    proptest! {
        #[test]
        fn a_shuffle_keeps_what_it_shuffles_and_is_undone(count in 0_usize..50, front in 0_usize..60, seed in any::<u64>()) {
            let mut labels: Vec<usize> = (0..count).collect();
            let swaps = shuffle_front(&mut labels, front, seed, 0);
            let mut sorted = labels.clone();
            sorted.sort_unstable();
            prop_assert!(sorted.into_iter().eq(0..count));
            unshuffle(&mut labels, &swaps);
            prop_assert!(labels.into_iter().eq(0..count));
        }
    }

    #[test]
    fn a_shuffle_is_even() {
        let mut counts = [0_u32; 6];
        for index in 0..60_000 {
            let mut labels = [0, 1, 2];
            let _ = shuffle_front(&mut labels, 2, 5, index);
            counts[labels[0] * 2 + usize::from(labels[1] > labels[2])] += 1;
        }
        // Standard deviation 91: five of them.
        assert!(counts.iter().all(|count| count.abs_diff(10_000) < 455), "{counts:?}");
    }
}
