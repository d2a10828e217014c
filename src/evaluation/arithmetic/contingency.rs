//! Exact tests of tables of counts: Fisher's, McNemar's, a permutation test over subjects, and Holm's correction.
//!
//! None of them shows that two rates are equal: for that see [`super::ratios`].

use serde::Serialize;

use super::bootstrap::{Resampling, shuffle_front, unshuffle};
use super::distributions::ln_choose;
use super::intervals::{Coverage, Proportion};
use super::intervals::{Interval, clopper_pearson};
use crate::evaluation::EvaluationError;

/// Tables as likely as the observed one count as no more likely, rounding or not (as in R).
const TIE: f64 = 1e-7;

/// P-value of the outcomes no more likely than `observed`, of a distribution on 0..`count` known by the ratio of neighbours:
/// `ratio(i)` is P(i+1)/P(i). Summed up from the likeliest outcome, so that no factorial is needed.
fn two_sided(count: u64, observed: u64, start: u64, ratio: impl Fn(u64) -> f64) -> f64 {
    let mut weights: Vec<(u64, f64)> = vec![(start, 1.0)];
    let mut weight = 1.0;
    for i in start..count.saturating_sub(1) {
        weight *= ratio(i);
        weights.push((i + 1, weight));
        if weight < 1e-300 {
            break;
        }
    }
    weight = 1.0;
    for i in (0..start).rev() {
        weight /= ratio(i);
        weights.push((i, weight));
        if weight < 1e-300 {
            break;
        }
    }
    let level = weights.iter().find(|(i, _)| *i == observed).map_or(0.0, |(_, weight)| *weight) * (1.0 + TIE);
    // Small ones first: they are what p-values are made of.
    weights.sort_unstable_by(|a, b| a.1.total_cmp(&b.1));
    let total: f64 = weights.iter().map(|(_, weight)| weight).sum();
    weights.iter().map(|(_, weight)| *weight).filter(|weight| *weight <= level).sum::<f64>() / total
}

/// Fisher's exact test, two-sided, of two rates with one independent search a subject: the probability, given all margins, of
/// tables no more likely than this one.
#[must_use]
pub fn fisher_exact(one: Proportion, other: Proportion) -> f64 {
    let (first, second) = (one.trials(), other.trials());
    let events = one.events() + other.events();
    // Outcome i: the first group has `least + i` events.
    let least = events.saturating_sub(second);
    let most = events.min(first);
    let ratio = |i: u64| {
        let has = (least + i) as f64;
        let (first, second, events) = (first as f64, second as f64, events as f64);
        (first - has) * (events - has) / ((has + 1.0) * (second - events + has + 1.0))
    };
    let mode = ((first + 1) as f64 * (events + 1) as f64 / (first + second + 2) as f64) as u64;
    let start = mode.clamp(least, most) - least;
    two_sided(most - least + 1, one.events() - least, start, ratio).min(1.0)
}

/// McNemar's exact test, two-sided, of searches that two ways of searching answered differently: `only_one` succeeded in one
/// way only, `only_other` in the other. Binomial with 1/2; 1 when they never differed.
#[must_use]
pub fn mcnemar_exact(only_one: u64, only_other: u64) -> f64 {
    let count = only_one + only_other;
    let ratio = |i: u64| (count - i) as f64 / (i + 1) as f64;
    two_sided(count + 1, only_one, count / 2, ratio).min(1.0)
}

/// Holm's step-down correction (1979): p-values that may be held against a level for the whole family.
///
/// # Errors
/// [`EvaluationError::Figure`] for what is no p-value.
pub fn holm(p_values: &[f64]) -> Result<Vec<f64>, EvaluationError> {
    if let Some(&found) = p_values.iter().find(|value| !(0.0..=1.0).contains(*value)) {
        return Err(EvaluationError::Figure { what: "a p-value", found, wanted: "from 0 to 1" });
    }
    let mut order: Vec<usize> = (0..p_values.len()).collect();
    order.sort_by(|&a, &b| p_values[a].total_cmp(&p_values[b]));
    let mut corrected = vec![0.0; p_values.len()];
    let mut largest = 0.0_f64;
    for (rank, &index) in order.iter().enumerate() {
        largest = largest.max(p_values[index] * (p_values.len() - rank) as f64).min(1.0);
        corrected[index] = largest;
    }
    Ok(corrected)
}

/// A p-value by random permutations.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Permuted {
    /// (1 + permutations at least as extreme) / (1 + permutations): never 0 (Phipson and Smyth 2010).
    pub p_value: f64,
    /// Where the p-value of all permutations lies, by Clopper and Pearson at 99 %.
    pub uncertainty: Interval,
    /// Permutations made.
    pub permutations: u32,
}

/// One subject of a permutation test.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Member {
    /// Number of its group.
    pub group: u16,
    /// Events among its searches.
    pub events: u32,
    /// Its searches.
    pub trials: u32,
}

/// Subjects with the commonest outcome last: which of them have what label makes no difference, so they are not shuffled.
struct Arranged {
    /// Events and searches of the subjects with another outcome than the commonest.
    rare: Vec<(u64, u64)>,
    /// Events and searches of each of the rest.
    common: (u64, u64),
    /// Groups of the rare ones, then of the rest.
    labels: Vec<u16>,
    /// Subjects of each group.
    sizes: Vec<u64>,
}

impl Arranged {
    fn new(members: &[Member], groups: usize) -> Self {
        let outcome = |member: &Member| (u64::from(member.events), u64::from(member.trials));
        let mut counts = std::collections::BTreeMap::new();
        for member in members {
            *counts.entry(outcome(member)).or_insert(0_u64) += 1;
        }
        let common = counts.into_iter().max_by_key(|(_, count)| *count).map_or((0, 0), |(outcome, _)| outcome);
        let (rest, rare): (Vec<&Member>, Vec<&Member>) = members.iter().partition(|member| outcome(member) == common);
        let labels: Vec<u16> = rare.iter().chain(&rest).map(|member| member.group).collect();
        let mut sizes = vec![0; groups];
        for label in &labels {
            if let Some(size) = sizes.get_mut(usize::from(*label)) {
                *size += 1;
            }
        }
        Self { rare: rare.into_iter().map(outcome).collect(), common, labels, sizes }
    }

    /// Logarithm of the table's probability, but for what depends on its margins only.
    fn likelihood(&self) -> f64 {
        // As if all were common, then each rare one put right.
        let of = |size: &u64| ((size * self.common.0) as f64, (size * self.common.1) as f64);
        let mut table: Vec<(f64, f64)> = self.sizes.iter().map(of).collect();
        for (label, rare) in self.labels.iter().zip(&self.rare) {
            if let Some((events, trials)) = table.get_mut(usize::from(*label)) {
                *events += rare.0 as f64 - self.common.0 as f64;
                *trials += rare.1 as f64 - self.common.1 as f64;
            }
        }
        table.iter().map(|&(events, trials)| ln_choose(trials, events)).sum()
    }
}

/// Whether all groups have one rate: permutes the groups over subjects, each of which keeps its searches together. The
/// statistic is the probability of the table of events given its margins, so for one search a subject this is the test of
/// Fisher, Freeman and Halton (1951).
///
/// # Errors
/// [`EvaluationError::Empty`] for fewer than two groups, [`EvaluationError::Figure`] for more events than searches or no
/// permutations.
pub fn permutation(members: &[Member], resampling: Resampling) -> Result<Permuted, EvaluationError> {
    permute(members, resampling, u64::MAX)
}

/// Extreme permutations after which a p-value is known well enough.
const EXTREME_ENOUGH: u64 = 20;
/// Permutations made before it is looked whether there are so many.
const PERMUTED_AT_ONCE: u64 = 2_000;

/// [`permutation`] that stops once [`EXTREME_ENOUGH`] of them were as extreme, looked at every [`PERMUTED_AT_ONCE`] (Besag and
/// Clifford 1991): all of `resampling` are made only where the p-value may be one that still counts after correction.
///
/// # Errors
/// As [`permutation`].
pub fn permutation_at_most(members: &[Member], resampling: Resampling) -> Result<Permuted, EvaluationError> {
    permute(members, resampling, EXTREME_ENOUGH)
}

fn permute(members: &[Member], resampling: Resampling, enough: u64) -> Result<Permuted, EvaluationError> {
    resampling.check()?;
    if let Some(bad) = members.iter().find(|member| member.events > member.trials) {
        let found = f64::from(bad.events);
        return Err(EvaluationError::Figure { what: "a subject's events", found, wanted: "at most one a search" });
    }
    let groups = members.iter().map(|member| usize::from(member.group) + 1).max().unwrap_or(0);
    if members.iter().all(|member| Some(member.group) == members.first().map(|first| first.group)) {
        return Err(EvaluationError::Empty("two groups to compare"));
    }
    let mut arranged = Arranged::new(members, groups);
    let observed = arranged.likelihood();
    let level = observed + TIE * observed.abs().max(1.0);
    let (mut extreme, mut made) = (0_u64, 0_u64);
    for index in 0..u64::from(resampling.replicates) {
        if index.is_multiple_of(PERMUTED_AT_ONCE) && extreme >= enough {
            break;
        }
        let swaps = shuffle_front(&mut arranged.labels, arranged.rare.len(), resampling.seed, index);
        extreme += u64::from(arranged.likelihood() <= level);
        unshuffle(&mut arranged.labels, &swaps);
        made += 1;
    }
    let p_value = (1 + extreme) as f64 / (1 + made) as f64;
    let uncertainty = clopper_pearson(Proportion::new(extreme, made)?, Coverage::new(0.99)?);
    Ok(Permuted { p_value, uncertainty, permutations: made as u32 })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn of(events: u64, trials: u64) -> Proportion {
        Proportion::new(events, trials).unwrap()
    }

    fn choose(n: u64, k: u64) -> f64 {
        (0..k).map(|i| (n - i) as f64 / (i + 1) as f64).product()
    }

    proptest! {
        #[test]
        fn fisher_is_the_sum_over_all_tables(a in 0_u64..14, b in 0_u64..14, c in 0_u64..14, d in 0_u64..14) {
            prop_assume!(a + b > 0 && c + d > 0);
            let weight = |x: u64| choose(a + b, x) * choose(c + d, a + c - x);
            let tables: Vec<f64> = ((a + c).saturating_sub(c + d)..=(a + c).min(a + b)).map(weight).collect();
            let less: f64 = tables.iter().filter(|table| **table <= weight(a) * (1.0 + 1e-7)).sum();
            let found = fisher_exact(of(a, a + b), of(c, c + d));
            prop_assert!((found - less / tables.iter().sum::<f64>()).abs() < 1e-12);
            prop_assert!((found - fisher_exact(of(c, c + d), of(a, a + b))).abs() < 1e-12);
        }

        #[test]
        fn what_is_not_shuffled_is_counted_all_the_same(
            outcomes in proptest::collection::vec((0_u16..3, 0_u32..3, 0_u32..2), 1..30), seed in any::<u64>(),
        ) {
            let member = |&(group, events, more): &(u16, u32, u32)| Member { group, events, trials: events + more };
            let members: Vec<Member> = outcomes.iter().map(member).collect();
            let mut arranged = Arranged::new(&members, 3);
            let swaps = shuffle_front(&mut arranged.labels, arranged.rare.len(), seed, 1);
            prop_assert_eq!(swaps.len(), arranged.rare.len());
            let mut table = [(0, 0); 3];
            let rest = arranged.labels.len() - arranged.rare.len();
            let sums = arranged.rare.iter().copied().chain(std::iter::repeat_n(arranged.common, rest));
            for (label, (events, trials)) in arranged.labels.iter().zip(sums) {
                table[usize::from(*label)].0 += events;
                table[usize::from(*label)].1 += trials;
            }
            let direct: f64 = table.iter().map(|&(events, trials)| ln_choose(trials as f64, events as f64)).sum();
            prop_assert!((arranged.likelihood() - direct).abs() < 1e-9);
        }

        #[test]
        fn mcnemar_is_twice_the_smaller_tail(b in 0_u64..40, c in 0_u64..40) {
            let tail: f64 = (0..=b.min(c)).map(|i| choose(b + c, i)).sum::<f64>() / 2_f64.powi((b + c) as i32);
            prop_assert!((mcnemar_exact(b, c) - (2.0 * tail).min(1.0)).abs() < 1e-12);
        }

        #[test]
        fn holm_never_lowers_and_keeps_the_order(p in proptest::collection::vec(0.0_f64..1.0, 0..20)) {
            let corrected = holm(&p).unwrap();
            for (i, one) in p.iter().enumerate() {
                prop_assert!(corrected[i] >= *one && corrected[i] <= 1.0);
                prop_assert!(p.iter().zip(&corrected).all(|(other, c)| other > one || *c <= corrected[i]));
            }
        }
    }

    #[test]
    fn large_tables_are_summed_up_as_well() {
        let p = fisher_exact(of(5_000, 1_000_000), of(5_200, 1_000_000));
        // Nearly normal: z = 200 / sqrt(10200 * (1 - 0.0051)) = 1.985.
        assert!((0.046..0.049).contains(&p), "{p}");
        assert_eq!(fisher_exact(of(0, 9), of(0, 1_000_000)), 1.0);
    }

    #[test]
    fn more_permutations_are_made_only_where_few_were_as_extreme() {
        let apart = |events: usize| {
            let member =
                |place: usize| Member { group: u16::from(place >= 300), events: u32::from(place < events), trials: 1 };
            let members: Vec<Member> = (0..600).map(member).collect();
            permutation_at_most(&members, Resampling { replicates: 20_000, ..Resampling::usual(3) }).unwrap()
        };
        let (clear, unclear) = (apart(18), apart(4));
        assert_eq!((clear.permutations, unclear.permutations), (20_000, 2_000));
        assert!(clear.p_value < 1.0 / 10_000.0 && unclear.p_value > 0.05, "{clear:?} {unclear:?}");
    }

    #[test]
    fn permuting_subjects_sees_that_searches_belong_together() {
        // Six events in one group and none in the other: six subjects once, or one subject six times.
        let make = |spread: bool| {
            let mut members = vec![Member { group: 0, events: 0, trials: 6 }; 60];
            (30..60).for_each(|index| members[index].group = 1);
            let events = if spread { 1 } else { 6 };
            (0..6 / events as usize).for_each(|index| members[index].events = events);
            permutation(&members, Resampling::usual(3)).unwrap()
        };
        let (spread, together) = (make(true), make(false));
        assert!(spread.p_value < 0.05, "{spread:?}");
        assert_eq!(together.p_value, 1.0, "one subject always falls into one of the groups");
        assert!(spread.uncertainty.contains(spread.p_value));
        let one_group = [Member { group: 4, events: 0, trials: 1 }; 3];
        assert!(matches!(permutation(&one_group, Resampling::usual(3)), Err(EvaluationError::Empty(_))));
        assert!(holm(&[f64::NAN]).is_err() && holm(&[1.1]).is_err());
    }
}
