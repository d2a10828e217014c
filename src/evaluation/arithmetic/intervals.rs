//! Intervals of proportions, and how much of a claim the counts can carry.
//!
//! Wilson's interval is for display, Clopper and Pearson's for claims and zero counts. Both suppose independent searches: for
//! several searches of one subject use [`clopper_pearson_effective`] and [`support_effective`], or the bootstrap over subjects.

use serde::Serialize;

use super::distributions::{beta_quantile, normal_quantile};
use crate::evaluation::EvaluationError;

/// The share of cases in which an interval so made contains the true value.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[serde(transparent)]
pub struct Coverage(f64);

impl Coverage {
    /// 95 %, the usual one.
    pub const USUAL: Self = Self(0.95);
    /// 90 %: what two one-sided tests at 5 % amount to.
    pub const NINETY: Self = Self(0.90);

    /// A coverage between 0 and 1, exclusive.
    ///
    /// # Errors
    /// [`EvaluationError::Figure`].
    pub fn new(share: f64) -> Result<Self, EvaluationError> {
        if share > 0.0 && share < 1.0 {
            Ok(Self(share))
        } else {
            Err(EvaluationError::Figure { what: "the coverage", found: share, wanted: "between 0 and 1, exclusive" })
        }
    }

    /// The share.
    #[must_use]
    pub fn get(self) -> f64 {
        self.0
    }

    /// What is left out at each end.
    #[must_use]
    pub fn tail(self) -> f64 {
        0.5 * (1.0 - self.0)
    }
}

/// From `low` to `high`, both included.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Interval {
    /// Lower end.
    pub low: f64,
    /// Upper end.
    pub high: f64,
}

impl Interval {
    /// Whether `value` lies inside.
    #[must_use]
    pub fn contains(&self, value: f64) -> bool {
        self.low <= value && value <= self.high
    }
}

/// So many events in so many trials, at least one trial. It always travels as both counts: a rate alone says nothing of what
/// it rests on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Proportion {
    events: u64,
    trials: u64,
}

impl Proportion {
    /// `events` of `trials`.
    ///
    /// # Errors
    /// [`EvaluationError::Empty`] without trials, [`EvaluationError::Figure`] for more events than trials.
    pub fn new(events: u64, trials: u64) -> Result<Self, EvaluationError> {
        if trials == 0 {
            Err(EvaluationError::Empty("searches of this kind"))
        } else if events > trials {
            let found = events as f64;
            Err(EvaluationError::Figure { what: "the number of events", found, wanted: "at most one for each search" })
        } else {
            Ok(Self { events, trials })
        }
    }

    /// Counts what `is_event` says over the items.
    ///
    /// # Errors
    /// [`EvaluationError::Empty`] without items.
    pub fn count<T>(
        items: impl IntoIterator<Item = T>,
        mut is_event: impl FnMut(T) -> bool,
    ) -> Result<Self, EvaluationError> {
        let (mut events, mut trials) = (0, 0);
        for item in items {
            events += u64::from(is_event(item));
            trials += 1;
        }
        Self::new(events, trials)
    }

    /// Events counted.
    #[must_use]
    pub fn events(&self) -> u64 {
        self.events
    }

    /// Trials counted.
    #[must_use]
    pub fn trials(&self) -> u64 {
        self.trials
    }

    /// Events over trials.
    #[must_use]
    pub fn rate(&self) -> f64 {
        self.events as f64 / self.trials as f64
    }

    /// The trials that were no events.
    #[must_use]
    pub fn complement(&self) -> Self {
        Self { events: self.trials - self.events, trials: self.trials }
    }
}

/// Wilson's score interval (1927).
#[must_use]
pub fn wilson(observed: Proportion, coverage: Coverage) -> Interval {
    let (k, n) = (observed.events as f64, observed.trials as f64);
    let z = normal_quantile(1.0 - coverage.tail());
    let share = k / n;
    let centre = (share + z * z / (2.0 * n)) / (1.0 + z * z / n);
    let half = z / (1.0 + z * z / n) * (share * (1.0 - share) / n + z * z / (4.0 * n * n)).sqrt();
    let low = if observed.events == 0 { 0.0 } else { centre - half };
    let high = if observed.events == observed.trials { 1.0 } else { centre + half };
    Interval { low, high }
}

/// Clopper and Pearson's exact interval (1934): never covers less than it says, at any true rate.
#[must_use]
pub fn clopper_pearson(observed: Proportion, coverage: Coverage) -> Interval {
    exact(observed.events as f64, observed.trials as f64, coverage.tail())
}

/// The same with `tail` left out at each end, and for counts that were divided by a design effect.
pub(super) fn exact(events: f64, trials: f64, tail: f64) -> Interval {
    let others = trials - events;
    let low = if events <= 0.0 { 0.0 } else { beta_quantile(events, others + 1.0, tail) };
    let high = if others <= 0.0 { 1.0 } else { beta_quantile(events + 1.0, others, 1.0 - tail) };
    Interval { low, high }
}

/// Clopper and Pearson's interval for dependent searches, whose counts are worth `design_effect` times fewer independent
/// ones (n_eff = n / design effect; Korn and Graubard 1998 without their correction for degrees of freedom).
///
/// # Errors
/// [`EvaluationError::Figure`] for a design effect below 1 or not finite.
pub fn clopper_pearson_effective(
    observed: Proportion,
    design_effect: f64,
    coverage: Coverage,
) -> Result<Interval, EvaluationError> {
    let (events, trials) = effective(observed, design_effect)?;
    Ok(exact(events, trials, coverage.tail()))
}

/// Counts divided by a design effect.
fn effective(observed: Proportion, design_effect: f64) -> Result<(f64, f64), EvaluationError> {
    if !(design_effect.is_finite() && design_effect >= 1.0) {
        let wanted = "1 or more: dependent searches never say more than independent ones";
        return Err(EvaluationError::Figure { what: "the design effect", found: design_effect, wanted });
    }
    Ok((observed.events as f64 / design_effect, observed.trials as f64 / design_effect))
}

/// Upper end of Clopper and Pearson's one-sided interval: the rate is no higher, with this coverage. Without events it is
/// 1 - (1 - coverage)^(1/n), about 3/n at 95 %.
#[must_use]
pub fn upper_bound(observed: Proportion, coverage: Coverage) -> f64 {
    upper(observed.events as f64, observed.trials as f64, coverage)
}

fn upper(events: f64, trials: f64, coverage: Coverage) -> f64 {
    if events <= 0.0 {
        // ln1p and expm1 keep the digits that 1 - x^(1/n) loses.
        -((1.0 - coverage.get()).ln() / trials).exp_m1()
    } else {
        exact(events, trials, 1.0 - coverage.get()).high
    }
}

/// 1 + (m - 1) ρ: how much `mean_size` searches a subject, correlated by `correlation`, inflate a variance (Kish 1965).
///
/// # Errors
/// [`EvaluationError::Figure`] for fewer than one search a subject, or a correlation outside 0 to 1.
pub fn design_effect(mean_size: f64, correlation: f64) -> Result<f64, EvaluationError> {
    if !(mean_size.is_finite() && mean_size >= 1.0) {
        let what = "the mean number of searches a subject";
        return Err(EvaluationError::Figure { what, found: mean_size, wanted: "1 or more" });
    }
    if !(0.0..=1.0).contains(&correlation) {
        let what = "the correlation between a subject's searches";
        return Err(EvaluationError::Figure { what, found: correlation, wanted: "from 0 to 1" });
    }
    Ok(1.0 + (mean_size - 1.0) * correlation)
}

fn check_limit(limit: f64) -> Result<f64, EvaluationError> {
    if limit > 0.0 && limit < 1.0 {
        Ok(limit)
    } else {
        Err(EvaluationError::Figure { what: "the claimed rate", found: limit, wanted: "between 0 and 1, exclusive" })
    }
}

/// Rule of 3: fewest independent searches that, without a single error, show a rate of at most `limit` with 95 %.
///
/// # Errors
/// [`EvaluationError::Figure`] for a limit that is no rate.
pub fn rule_of_three(limit: f64) -> Result<u64, EvaluationError> {
    let limit = check_limit(limit)?;
    Ok((0.05_f64.ln() / (-limit).ln_1p()).ceil() as u64)
}

/// Rule of 30 (Doddington): fewest searches in which a rate of `limit` is expected to give 30 errors, from which on the true
/// rate lies within ±30 % of the observed one with 90 %.
///
/// # Errors
/// [`EvaluationError::Figure`] for a limit that is no rate.
pub fn rule_of_thirty(limit: f64) -> Result<u64, EvaluationError> {
    let limit = check_limit(limit)?;
    // 30 / 0.003 is 10,000 and not one more because 0.003 is no binary fraction.
    Ok((30.0 / limit * (1.0 - 4.0 * f64::EPSILON)).ceil() as u64)
}

/// What lets counts carry a claim.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Rule {
    /// No error in enough searches.
    Three,
    /// At least thirty errors, and no more than the claim allows.
    Thirty,
}

/// Whether "the rate is at most `limit`" may be printed as supported by the data, and what would be needed.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Support {
    /// The claim.
    pub limit: f64,
    /// What was counted.
    pub observed: Proportion,
    /// How many of the searches are worth one independent one.
    pub design_effect: f64,
    /// The rule that carries it; `None`: not supported by the data.
    pub rule: Option<Rule>,
    /// One-sided 95 % upper bound of the rate, whatever the rules say.
    pub upper_bound: f64,
    /// Independent searches that would carry the claim without any error.
    pub needed_without_errors: u64,
    /// Independent searches in which the claimed rate would give thirty errors.
    pub needed_for_thirty: u64,
}

/// Holds a claim against counts of independent searches. One to 29 errors carry no claim by either rule.
///
/// # Errors
/// [`EvaluationError::Figure`] for a limit that is no rate.
pub fn support(observed: Proportion, limit: f64) -> Result<Support, EvaluationError> {
    support_effective(observed, 1.0, limit)
}

/// The same for dependent searches: both rules and the bound look at the counts divided by `design_effect`.
///
/// # Errors
/// [`EvaluationError::Figure`] for a limit that is no rate, and for a design effect below 1 or not finite.
pub fn support_effective(observed: Proportion, design_effect: f64, limit: f64) -> Result<Support, EvaluationError> {
    let (needed_without_errors, needed_for_thirty) = (rule_of_three(limit)?, rule_of_thirty(limit)?);
    let (events, trials) = effective(observed, design_effect)?;
    let rule = if observed.events == 0 {
        reaches(trials, needed_without_errors as f64).then_some(Rule::Three)
    } else {
        (enough_events(observed, design_effect) && observed.rate() <= limit).then_some(Rule::Thirty)
    };
    let upper_bound = upper(events, trials, Coverage::USUAL);
    Ok(Support { limit, observed, design_effect, rule, upper_bound, needed_without_errors, needed_for_thirty })
}

/// Whether there are the thirty events that the rule of 30 wants, dependent ones counted for what they are worth.
#[must_use]
pub fn enough_events(observed: Proportion, design_effect: f64) -> bool {
    reaches(observed.events as f64 / design_effect, 30.0)
}

/// At least as many, whatever a division has rounded off: 90 events of 30 people are 30.
fn reaches(count: f64, wanted: f64) -> bool {
    count >= wanted * (1.0 - 1e-12)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn of(events: u64, trials: u64) -> Proportion {
        Proportion::new(events, trials).unwrap()
    }

    /// Probability that the interval of a binomial outcome contains `p`, over all outcomes.
    fn covered(n: u64, p: f64, interval: impl Fn(Proportion) -> Interval) -> f64 {
        let mut term = (1.0 - p).powi(n as i32);
        let mut sum = 0.0;
        for k in 0..=n {
            if interval(of(k, n)).contains(p) {
                sum += term;
            }
            term *= (n - k) as f64 / (k + 1) as f64 * p / (1.0 - p);
        }
        sum
    }

    proptest! {
        #[test]
        fn clopper_pearson_never_covers_less_than_it_says(n in 1_u64..40, p in 0.02_f64..0.98) {
            let least = covered(n, p, |observed| clopper_pearson(observed, Coverage::USUAL));
            prop_assert!(least >= 0.95 - 1e-9, "{least}");
        }

        #[test]
        fn intervals_contain_what_was_observed(n in 1_u64..100_000, share in 0.0_f64..1.0) {
            let observed = of((share * n as f64) as u64, n);
            let outer = clopper_pearson(observed, Coverage::USUAL);
            prop_assert!(outer.contains(observed.rate()) && outer.low >= 0.0 && outer.high <= 1.0);
            prop_assert!(wilson(observed, Coverage::USUAL).contains(observed.rate()));
            let mirrored = clopper_pearson(observed.complement(), Coverage::USUAL);
            prop_assert!((mirrored.low - (1.0 - outer.high)).abs() < 1e-12);
            let wider = clopper_pearson_effective(observed, 2.5, Coverage::USUAL).unwrap();
            prop_assert!(wider.low <= outer.low && wider.high >= outer.high);
        }

        #[test]
        fn the_rule_of_three_is_the_upper_bound_without_events(limit in 1e-6_f64..0.5) {
            let needed = rule_of_three(limit).unwrap();
            prop_assert!(upper_bound(of(0, needed), Coverage::USUAL) <= limit * (1.0 + 1e-12));
            if needed > 1 {
                prop_assert!(upper_bound(of(0, needed - 1), Coverage::USUAL) > limit * (1.0 - 1e-12));
            }
        }
    }

    #[test]
    fn the_table_of_needed_searches() {
        let needed = |limit| (rule_of_three(limit).unwrap(), rule_of_thirty(limit).unwrap());
        assert_eq!(needed(0.01), (299, 3_000));
        assert_eq!(needed(0.003), (998, 10_000));
        assert_eq!(needed(0.001), (2_995, 30_000));
        assert_eq!(needed(1.0 / 6_000.0), (17_973, 180_000));
        assert_eq!(needed(1e-5), (299_572, 3_000_000));
    }

    #[test]
    fn claims_need_counts() {
        let rule = |events, trials| support(of(events, trials), 0.003).unwrap().rule;
        assert_eq!(rule(0, 997), None);
        assert_eq!(rule(0, 998), Some(Rule::Three));
        assert_eq!(rule(1, 100_000), None, "one error carries no claim by either rule");
        assert_eq!(rule(29, 100_000), None);
        assert_eq!(rule(30, 10_000), Some(Rule::Thirty));
        assert_eq!(rule(31, 10_000), None, "more than claimed");
    }

    #[test]
    fn what_is_no_rate_is_refused() {
        assert!(matches!(Proportion::new(0, 0), Err(EvaluationError::Empty(_))));
        assert!(matches!(Proportion::new(2, 1), Err(EvaluationError::Figure { .. })));
        for bad in [0.0, 1.0, -1.0, f64::NAN, f64::INFINITY] {
            assert!(Coverage::new(bad).is_err() && rule_of_three(bad).is_err() && support(of(0, 1), bad).is_err());
        }
        assert!(clopper_pearson_effective(of(0, 9), f64::NAN, Coverage::USUAL).is_err());
        assert!(design_effect(0.5, 0.5).is_err() && design_effect(4.0, f64::NAN).is_err());
        assert_eq!(design_effect(4.0, 0.5).unwrap(), 2.5);
    }
}
