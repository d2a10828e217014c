//! Two rates side by side: intervals of ratio and difference, and tests that they are equivalent.
//!
//! Events may be dependent: then both counts of a group are divided by its design effect first (Rao and Scott 1992), which is
//! why they are real numbers here. Ratios of rare events are exact given the sum of the events: events are then binomial, as for
//! two Poisson counts. For rates that are not rare that is too wide, and ratios are compared by their score statistic where both
//! groups have a few events and a few others. Either way the interval and both tests of a pair are of one statistic, or they could
//! contradict each other. Differences are score intervals and tests (Miettinen and Nurminen 1985, Farrington and Manning 1990).

use serde::Serialize;

use super::distributions::{beta_tails, normal_quantile, normal_tail};
use super::intervals::{Coverage, Interval, Proportion, exact};
use crate::evaluation::EvaluationError;

/// Events and trials, perhaps divided by a design effect.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Counts {
    events: f64,
    trials: f64,
}

impl Counts {
    /// `observed` as it is worth with this design effect.
    ///
    /// # Errors
    /// [`EvaluationError::Figure`] for a design effect below 1 or not finite.
    pub fn new(observed: Proportion, design_effect: f64) -> Result<Self, EvaluationError> {
        if !(design_effect.is_finite() && design_effect >= 1.0) {
            return Err(EvaluationError::Figure {
                what: "the design effect",
                found: design_effect,
                wanted: "1 or more",
            });
        }
        Ok(Self { events: observed.events() as f64 / design_effect, trials: observed.trials() as f64 / design_effect })
    }

    /// Events over trials.
    #[must_use]
    pub fn rate(&self) -> f64 {
        self.events / self.trials
    }
}

/// By which statistic the ratio of two rates is looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Statistic {
    /// Exact given the sum of the events.
    Conditional,
    /// The score statistic (Koopman 1984, Miettinen and Nurminen 1985).
    Score,
}

/// Rates up to which events are rare.
const RARE: f64 = 0.1;
/// Events, and searches without one, that either group must be expected to have for the score statistic to be near normal
/// (Cochran 1954).
const EXPECTED_MIN: f64 = 5.0;

impl Statistic {
    /// The score statistic where it is near normal and events are not rare.
    #[must_use]
    pub fn fit_for(one: Counts, other: Counts) -> Self {
        let pooled = (one.events + other.events) / (one.trials + other.trials);
        let least = one.trials.min(other.trials) * pooled.min(1.0 - pooled);
        if one.rate().max(other.rate()) > RARE && least >= EXPECTED_MIN { Self::Score } else { Self::Conditional }
    }

    /// Interval of rate(one) / rate(other).
    #[must_use]
    pub fn interval(self, one: Counts, other: Counts, coverage: Coverage) -> Interval {
        match self {
            Self::Conditional => ratio_interval(one, other, coverage),
            Self::Score => ratio_score_interval(one, other, coverage),
        }
    }

    /// P-value of "the rates are the same", two-sided.
    #[must_use]
    pub fn test(self, one: Counts, other: Counts) -> f64 {
        match self {
            Self::Conditional => ratio_test(one, other),
            Self::Score => (2.0 * normal_tail(ratio_score(one, other, 1.0).abs())).min(1.0),
        }
    }

    /// Two one-sided tests that the ratio of the rates lies within 1/`factor` to `factor`: the larger p-value. Below α: equivalent.
    ///
    /// # Errors
    /// [`EvaluationError::Figure`] for a factor of 1 or less, or not finite.
    pub fn equivalence(self, one: Counts, other: Counts, factor: f64) -> Result<f64, EvaluationError> {
        match self {
            Self::Conditional => ratio_equivalence(one, other, factor),
            Self::Score => {
                let factor = check_factor(factor)?;
                let above = normal_tail(ratio_score(one, other, 1.0 / factor));
                Ok(above.max(normal_tail(-ratio_score(one, other, factor))))
            }
        }
    }
}

/// Interval of rate(one) / rate(other), exact given the sum of the events (Przyborowski and Wilenski 1940). Without any event
/// it is everything: 0 to infinity.
#[must_use]
pub fn ratio_interval(one: Counts, other: Counts, coverage: Coverage) -> Interval {
    let events = one.events + other.events;
    if events <= 0.0 {
        return Interval { low: 0.0, high: f64::INFINITY };
    }
    let share = exact(one.events, events, coverage.tail());
    let scale = other.trials / one.trials;
    let odds = |share: f64| if share >= 1.0 { f64::INFINITY } else { share / (1.0 - share) * scale };
    Interval { low: odds(share.low), high: odds(share.high) }
}

/// Share of the events that fall to `one` when its rate is `ratio` times the other's, and the rest.
fn shares(one: Counts, other: Counts, ratio: f64) -> (f64, f64) {
    let sum = ratio * one.trials + other.trials;
    (ratio * one.trials / sum, other.trials / sum)
}

/// P(at least as many events in `one`) when the ratio of the rates is `ratio`.
fn at_least(one: Counts, other: Counts, ratio: f64) -> f64 {
    if one.events <= 0.0 {
        return 1.0;
    }
    let (x, y) = shares(one, other, ratio);
    beta_tails(one.events, other.events + 1.0, x, y).0
}

/// P(at most as many events in `one`) when the ratio of the rates is `ratio`.
fn at_most(one: Counts, other: Counts, ratio: f64) -> f64 {
    if other.events <= 0.0 {
        return 1.0;
    }
    let (x, y) = shares(one, other, ratio);
    beta_tails(one.events + 1.0, other.events, x, y).1
}

/// P-value of "the rates are the same", two-sided, given the sum of the events: twice the smaller tail. Below α exactly when
/// [`ratio_interval`] with coverage 1 - α leaves out 1.
#[must_use]
pub fn ratio_test(one: Counts, other: Counts) -> f64 {
    (2.0 * at_least(one, other, 1.0).min(at_most(one, other, 1.0))).min(1.0)
}

/// Two one-sided tests that the ratio of the rates lies within 1/`factor` to `factor`: the larger p-value. Below α: equivalent.
///
/// # Errors
/// [`EvaluationError::Figure`] for a factor of 1 or less, or not finite.
pub fn ratio_equivalence(one: Counts, other: Counts, factor: f64) -> Result<f64, EvaluationError> {
    let factor = check_factor(factor)?;
    Ok(at_least(one, other, 1.0 / factor).max(at_most(one, other, factor)))
}

fn check_factor(factor: f64) -> Result<f64, EvaluationError> {
    if factor.is_finite() && factor > 1.0 {
        return Ok(factor);
    }
    let wanted = "above 1: two means from half to double";
    Err(EvaluationError::Figure { what: "the margin of a ratio", found: factor, wanted })
}

/// Score statistic of "rate(one) / rate(other) = `ratio`", with Miettinen and Nurminen's correction N/(N-1).
fn ratio_score(one: Counts, other: Counts, ratio: f64) -> f64 {
    let (n, m, x, y) = (one.trials, other.trials, one.events, other.events);
    // The likeliest rate of `other` is the smaller root of a r^2 - b r + c, written so that nothing cancels.
    let (a, b, c) = ((n + m) * ratio, n * ratio + x + m + y * ratio, x + y);
    let r = (2.0 * c / (b + (b * b - 4.0 * a * c).max(0.0).sqrt())).min(1.0).min(1.0 / ratio);
    let p = ratio * r;
    let correction = if n + m > 1.0 { (n + m) / (n + m - 1.0) } else { 1.0 };
    let variance = (p * (1.0 - p) / n + ratio * ratio * r * (1.0 - r) / m) * correction;
    standardised(one.rate() - ratio * other.rate(), variance)
}

fn standardised(off: f64, variance: f64) -> f64 {
    if variance > 0.0 {
        off / variance.sqrt()
    } else if off == 0.0 {
        0.0
    } else {
        off.signum() * f64::INFINITY
    }
}

/// Logarithm of ratios further than which from 1 none is sought.
const FURTHEST: f64 = 60.0;

/// Score interval of rate(one) / rate(other) (Koopman 1984), by halving.
fn ratio_score_interval(one: Counts, other: Counts, coverage: Coverage) -> Interval {
    let reach = normal_quantile(1.0 - coverage.tail());
    let observed = (one.rate() / other.rate()).ln().clamp(-FURTHEST, FURTHEST);
    let seek = |end: f64| halve(observed, end, |ratio| ratio_score(one, other, ratio.exp()).abs() < reach).exp();
    let low = if one.events > 0.0 { seek(-FURTHEST) } else { 0.0 };
    Interval { low, high: if other.events > 0.0 { seek(FURTHEST) } else { f64::INFINITY } }
}

/// The last value from `inside` to `outside` that is within, by halving.
fn halve(mut inside: f64, mut outside: f64, within: impl Fn(f64) -> bool) -> f64 {
    for _ in 0..200 {
        let middle = f64::midpoint(inside, outside);
        if middle == inside || middle == outside {
            break;
        }
        if within(middle) {
            inside = middle;
        } else {
            outside = middle;
        }
    }
    inside
}

/// Rates of both groups that are likeliest when they differ by `difference`: a root of the cubic of the likelihood's slope
/// (Farrington and Manning 1990, appendix).
fn restricted(one: Counts, other: Counts, difference: f64) -> (f64, f64) {
    let (n, m) = (one.trials, other.trials);
    let (x, y) = (one.events, other.events);
    // Rate of `other` is r, of `one` r + difference; terms of a r^3 + b r^2 + c r + d.
    let delta = difference;
    let a = n + m;
    let b = (n + 2.0 * m) * delta - (n + m) - (x + y);
    let c = (m * delta - (n + m) - 2.0 * y) * delta + x + y;
    let d = y * delta * (1.0 - delta);
    let q = b.powi(3) / (3.0 * a).powi(3) - b * c / (6.0 * a * a) + d / (2.0 * a);
    let p = (b * b / (9.0 * a * a) - c / (3.0 * a)).max(0.0).sqrt() * if q > 0.0 { 1.0 } else { -1.0 };
    let angle = if p == 0.0 { 0.0 } else { (q / p.powi(3)).clamp(-1.0, 1.0) };
    let turn = (std::f64::consts::PI + angle.acos()) / 3.0;
    let least = (-delta).max(0.0);
    let most = (1.0 - delta).min(1.0);
    let rate = (2.0 * p * turn.cos() - b / (3.0 * a)).clamp(least, most);
    (rate + delta, rate)
}

/// Score statistic of "rate(one) - rate(other) = `difference`", with Miettinen and Nurminen's correction N/(N-1).
fn score(one: Counts, other: Counts, difference: f64) -> f64 {
    let (p, r) = restricted(one, other, difference);
    let sum = one.trials + other.trials;
    let correction = if sum > 1.0 { sum / (sum - 1.0) } else { 1.0 };
    let variance = (p * (1.0 - p) / one.trials + r * (1.0 - r) / other.trials) * correction;
    standardised(one.rate() - other.rate() - difference, variance)
}

/// P-value of "the rates are the same", two-sided, by their difference.
#[must_use]
pub fn difference_test(one: Counts, other: Counts) -> f64 {
    2.0 * normal_tail(score(one, other, 0.0).abs())
}

fn check_margin(margin: f64) -> Result<f64, EvaluationError> {
    if margin > 0.0 && margin < 1.0 {
        Ok(margin)
    } else {
        let wanted = "between 0 and 1, exclusive: 0.05 is five points";
        Err(EvaluationError::Figure { what: "the margin of a difference", found: margin, wanted })
    }
}

/// Two one-sided score tests that the difference of the rates lies within ±`margin`: the larger p-value. Below α: equivalent.
///
/// # Errors
/// [`EvaluationError::Figure`] for a margin that is no difference of rates.
pub fn difference_equivalence(one: Counts, other: Counts, margin: f64) -> Result<f64, EvaluationError> {
    let margin = check_margin(margin)?;
    let above = normal_tail(score(one, other, -margin));
    let below = normal_tail(-score(one, other, margin));
    Ok(above.max(below))
}

/// Score interval of rate(one) - rate(other) (Miettinen and Nurminen 1985), by halving.
#[must_use]
pub fn difference_interval(one: Counts, other: Counts, coverage: Coverage) -> Interval {
    let observed = one.rate() - other.rate();
    let reach = normal_quantile(1.0 - coverage.tail());
    // The statistic falls as the difference rises: seek where it is +reach below and -reach above what was observed.
    let seek = |end: f64| halve(observed, end, |difference| score(one, other, difference).abs() < reach);
    Interval { low: seek(-1.0), high: seek(1.0) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn counts(events: u64, trials: u64) -> Counts {
        Counts::new(Proportion::new(events, trials).unwrap(), 1.0).unwrap()
    }

    fn likelihood(one: Counts, other: Counts, rates: (f64, f64)) -> f64 {
        let part = |counts: Counts, rate: f64| {
            let term = |count: f64, rate: f64| if count == 0.0 { 0.0 } else { count * rate.ln() };
            term(counts.events, rate) + term(counts.trials - counts.events, 1.0 - rate)
        };
        part(one, rates.0) + part(other, rates.1)
    }

    proptest! {
        #[test]
        fn restricted_rates_are_the_likeliest(a in 0_u64..30, b in 0_u64..30, difference in -0.9_f64..0.9) {
            let (one, other) = (counts(a, 30), counts(b, 40));
            let (p, r) = restricted(one, other, difference);
            prop_assert!((p - r - difference).abs() < 1e-12);
            let found = likelihood(one, other, (p, r));
            for step in 1..400 {
                let r = f64::from(step) / 400.0;
                if (0.0..=1.0).contains(&(r + difference)) {
                    let beside = likelihood(one, other, (r + difference, r));
                    prop_assert!(beside <= found + 1e-6, "{r}: {beside} {found}");
                }
            }
        }

        #[test]
        fn tests_and_intervals_agree(a in 0_u64..40, b in 0_u64..40, n in 40_u64..5_000, m in 40_u64..5_000) {
            let (one, other) = (counts(a, n), counts(b, m));
            let ratio = ratio_interval(one, other, Coverage::USUAL);
            let p = ratio_test(one, other);
            if (p - 0.05).abs() > 1e-9 {
                prop_assert_eq!(p < 0.05, !ratio.contains(1.0), "{} {:?}", p, ratio);
            }
            let narrow = ratio_interval(one, other, Coverage::NINETY);
            let equivalent = ratio_equivalence(one, other, 2.0).unwrap();
            if (equivalent - 0.05).abs() > 1e-9 {
                prop_assert_eq!(equivalent < 0.05, narrow.low > 0.5 && narrow.high < 2.0);
            }
            let difference = difference_interval(one, other, Coverage::USUAL);
            let p = difference_test(one, other);
            if (p - 0.05).abs() > 1e-9 && a + b > 0 {
                prop_assert_eq!(p < 0.05, !difference.contains(0.0), "{} {:?}", p, difference);
            }
            prop_assert!((ratio_test(other, one) - ratio_test(one, other)).abs() < 1e-12);
        }

        #[test]
        fn a_pair_is_never_said_to_differ_beside_an_interval_that_holds_one(
            a in 0_u64..60, b in 0_u64..60, n in 60_u64..200, m in 60_u64..5_000, effect in 1.0_f64..4.0,
        ) {
            let of = |events, trials| Counts::new(Proportion::new(events, trials).unwrap(), effect).unwrap();
            let (one, other) = (of(a, n), of(b, m));
            for by in [Statistic::Score, Statistic::Conditional] {
                if by == Statistic::Score && a + b == 0 {
                    continue;
                }
                let (interval, p) = (by.interval(one, other, Coverage::USUAL), by.test(one, other));
                prop_assert!((p - 0.05).abs() < 1e-9 || (p < 0.05) != interval.contains(1.0), "{by:?} {p} {interval:?}");
                let (narrow, p) = (by.interval(one, other, Coverage::NINETY), by.equivalence(one, other, 2.0).unwrap());
                prop_assert!((p - 0.05).abs() < 1e-9 || (p < 0.05) == (narrow.low > 0.5 && narrow.high < 2.0), "{by:?} {p}");
                prop_assert!((by.test(other, one) - by.test(one, other)).abs() < 1e-9);
            }
        }

        #[test]
        fn dependence_weakens_every_conclusion(a in 1_u64..40, b in 1_u64..40, effect in 1.0_f64..10.0) {
            let of = |events, effect| Counts::new(Proportion::new(events, 4_000).unwrap(), effect).unwrap();
            let plain = ratio_interval(of(a, 1.0), of(b, 1.0), Coverage::USUAL);
            let weaker = ratio_interval(of(a, effect), of(b, effect), Coverage::USUAL);
            prop_assert!(weaker.low <= plain.low * (1.0 + 1e-9) && weaker.high >= plain.high * (1.0 - 1e-9));
        }
    }

    #[test]
    fn a_factor_of_two_takes_dozens_of_events() {
        let p = |events| ratio_equivalence(counts(events, 12_000), counts(events, 12_000), 2.0).unwrap();
        assert!(p(3) > 0.2 && p(8) > 0.05, "{} {}", p(3), p(8));
        assert!(p(36) < 0.05, "{}", p(36));
        assert_eq!(ratio_equivalence(counts(0, 9_000), counts(0, 9_000), 2.0).unwrap(), 1.0, "nothing was seen");
        let nothing = ratio_interval(counts(0, 9), counts(0, 9), Coverage::USUAL);
        assert_eq!((nothing.low, nothing.high), (0.0, f64::INFINITY));
    }

    #[test]
    fn rates_that_are_not_rare_are_compared_by_their_score() {
        let (one, other) = (counts(30, 40), counts(18, 40));
        assert_eq!(Statistic::fit_for(one, other), Statistic::Score);
        let interval = Statistic::Score.interval(one, other, Coverage::USUAL);
        assert!(interval.low > 1.0 && Statistic::Score.test(one, other) < 0.01, "{interval:?}");
        assert!(ratio_interval(one, other, Coverage::USUAL).low < 1.0, "the other would not see it");
        // Few events, or rare ones, stay exact.
        for (one, other) in [(counts(4, 5), counts(1, 5)), (counts(90, 1_000), counts(20, 1_000))] {
            assert_eq!(Statistic::fit_for(one, other), Statistic::Conditional);
        }
    }

    #[test]
    fn margins_that_are_none_are_refused() {
        let (one, other) = (counts(3, 10), counts(4, 10));
        for bad in [f64::NAN, f64::INFINITY, 0.0, -1.0] {
            assert!(ratio_equivalence(one, other, bad).is_err() && difference_equivalence(one, other, bad).is_err());
            assert!(Counts::new(Proportion::new(1, 2).unwrap(), bad).is_err());
        }
        assert!(ratio_equivalence(one, other, 1.0).is_err() && difference_equivalence(one, other, 1.0).is_err());
    }
}
