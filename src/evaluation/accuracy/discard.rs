//! Error-versus-discard curves: how fast a quality measure finds the searches that fail (Grother and Tabassi 2007).
//!
//! Searches are discarded in order of quality, worst first; those whose quality could not be measured go before all others. Equal
//! qualities have no order, so within them errors leave evenly: what an average over all orders gives.

use serde::Serialize;

use crate::base::limits::EVALUATION_SEARCHES_MAX;
use crate::evaluation::EvaluationError;

/// A point of the curve.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Point {
    /// Share of the searches discarded.
    pub discarded: f64,
    /// Rate of errors among the rest.
    pub rate: f64,
}

/// The area under the curve up to a share of discarded searches, and what it lies between.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Area {
    /// Up to which share.
    pub up_to: f64,
    /// Under the curve.
    pub area: f64,
    /// Under that of a measure that discards all errors first.
    pub least: f64,
    /// Under that of a measure that knows nothing: the rate does not change.
    pub random: f64,
}

/// Searches of one quality.
#[derive(Debug, Clone, Copy)]
struct Tied {
    searches: f64,
    errors: f64,
}

/// The curve of one quality measure.
#[derive(Debug, Clone)]
pub struct Discard {
    tied: Vec<Tied>,
    searches: f64,
    errors: f64,
}

impl Discard {
    /// From (quality, whether the search failed), higher quality being better.
    ///
    /// # Errors
    /// [`EvaluationError::Empty`] without searches, [`EvaluationError::TooMany`], [`EvaluationError::Figure`] for a quality that is
    /// not finite.
    pub fn new(outcomes: impl IntoIterator<Item = (Option<f64>, bool)>) -> Result<Self, EvaluationError> {
        let mut all = Vec::new();
        for (quality, failed) in outcomes {
            let quality = quality.map(|value| crate::evaluation::arithmetic::finite("a quality", value)).transpose()?;
            all.push((quality.unwrap_or(f64::NEG_INFINITY), failed));
        }
        if all.is_empty() {
            return Err(EvaluationError::Empty("searches with or without a quality"));
        }
        if all.len() > EVALUATION_SEARCHES_MAX {
            let found = all.len();
            return Err(EvaluationError::TooMany { what: "searches", found, most: EVALUATION_SEARCHES_MAX });
        }
        all.sort_by(|a, b| a.0.total_cmp(&b.0));
        let count = |tied: &[(f64, bool)]| Tied {
            searches: tied.len() as f64,
            errors: tied.iter().filter(|(_, failed)| *failed).count() as f64,
        };
        let tied: Vec<Tied> = all.chunk_by(|a, b| a.0 == b.0).map(count).collect();
        let errors = tied.iter().map(|one| one.errors).sum();
        Ok(Self { tied, searches: all.len() as f64, errors })
    }

    /// Rate of errors among what stays when `discarded` of all searches go; `None` when none stays.
    #[must_use]
    pub fn rate(&self, discarded: f64) -> Option<f64> {
        let gone = discarded * self.searches;
        let stays = self.searches - gone;
        if !(0.0..1.0).contains(&discarded) || stays <= 0.0 {
            return None;
        }
        let (mut begins, mut errors) = (0.0, self.errors);
        for one in &self.tied {
            let part = ((gone - begins) / one.searches).clamp(0.0, 1.0);
            errors -= part * one.errors;
            begins += one.searches;
        }
        Some((errors / stays).max(0.0))
    }

    /// The curve at 0, 1/`steps`, ... up to but without everything discarded.
    #[must_use]
    pub fn curve(&self, steps: u16) -> Vec<Point> {
        let at = (0..steps).map(|step| f64::from(step) / f64::from(steps));
        at.filter_map(|discarded| Some(Point { discarded, rate: self.rate(discarded)? })).collect()
    }

    /// The area under the curve from 0 to `up_to`, integrated exactly.
    ///
    /// # Errors
    /// [`EvaluationError::Figure`] unless `up_to` lies between 0 and 1, exclusive.
    pub fn area(&self, up_to: f64) -> Result<Area, EvaluationError> {
        if !(up_to > 0.0 && up_to < 1.0) {
            let wanted = "between 0 and 1, exclusive";
            return Err(EvaluationError::Figure { what: "the share discarded", found: up_to, wanted });
        }
        let good = self.searches - self.errors;
        let first = Tied { searches: self.errors, errors: self.errors };
        let ideal = [first, Tied { searches: good, errors: 0.0 }];
        let area = self.integral(&self.tied, up_to);
        let least = self.integral(&ideal, up_to);
        Ok(Area { up_to, area, least, random: up_to * self.errors / self.searches })
    }

    /// Among tied searches of which a share c fails, the rate after x discarded is (E - c (x - d)) / (n - x), where E errors are
    /// left after the d before them.
    fn integral(&self, tied: &[Tied], up_to: f64) -> f64 {
        let (n, end) = (self.searches, up_to * self.searches);
        let (mut from, mut errors, mut sum) = (0.0, self.errors, 0.0);
        for one in tied.iter().filter(|one| one.searches > 0.0) {
            let to = (from + one.searches).min(end);
            if to <= from {
                break;
            }
            let share = one.errors / one.searches;
            sum += share * (to - from) + (errors - share * (n - from)) * ((n - from) / (n - to)).ln();
            errors -= share * (to - from);
            from = to;
        }
        sum / n
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn any_outcomes() -> impl Strategy<Value = Vec<(Option<f64>, bool)>> {
        let quality = proptest::option::weighted(0.9, (0_u8..6).prop_map(f64::from));
        proptest::collection::vec((quality, proptest::bool::weighted(0.3)), 1..40)
    }

    proptest! {
        #[test]
        fn whole_discards_are_averages_over_orders(outcomes in any_outcomes(), seed in any::<u64>()) {
            use crate::evaluation::arithmetic::bootstrap::shuffle_front;
            let discard = Discard::new(outcomes.iter().copied()).unwrap();
            let drop = outcomes.len() / 3;
            let mut mean = 0.0;
            let orders = 400;
            for index in 0..orders {
                let mut shuffled = outcomes.clone();
                let _ = shuffle_front(&mut shuffled, outcomes.len(), seed, index);
                shuffled.sort_by(|a, b| a.0.unwrap_or(-1.0).total_cmp(&b.0.unwrap_or(-1.0)));
                let rest = &shuffled[drop..];
                mean += rest.iter().filter(|(_, failed)| *failed).count() as f64 / rest.len() as f64 / orders as f64;
            }
            let found = discard.rate(drop as f64 / outcomes.len() as f64).unwrap();
            prop_assert!((found - mean).abs() < 0.06, "{found} {mean}");
        }

        #[test]
        fn areas_are_the_curves(outcomes in any_outcomes(), up_to in 0.01_f64..0.95) {
            let discard = Discard::new(outcomes.iter().copied()).unwrap();
            let found = discard.area(up_to).unwrap();
            let steps = 20_000;
            let middle = |step: i32| discard.rate(up_to * (f64::from(step) + 0.5) / f64::from(steps)).unwrap();
            let sum: f64 = (0..steps).map(middle).sum::<f64>() * up_to / f64::from(steps);
            prop_assert!((found.area - sum).abs() < 1e-4, "{} {sum}", found.area);
            prop_assert!(found.least <= found.area + 1e-12 && found.least >= -1e-12);
        }
    }

    #[test]
    fn knowing_all_and_knowing_nothing() {
        let all = Discard::new((0..100).map(|i| (Some(f64::from(i)), i < 10))).unwrap();
        let area = all.area(0.2).unwrap();
        assert!((area.area - area.least).abs() < 1e-12 && area.area < area.random);
        assert_eq!(all.rate(0.1), Some(0.0));
        let nothing = Discard::new((0..100).map(|i| (Some(1.0), i < 10))).unwrap();
        let area = nothing.area(0.2).unwrap();
        assert!((area.area - area.random).abs() < 1e-12, "{area:?}");
        assert!((nothing.rate(0.5).unwrap() - 0.1).abs() < 1e-12);
        assert_eq!(nothing.curve(20).len(), 20);
        assert!(all.rate(1.0).is_none() && all.rate(f64::NAN).is_none());
        assert!(all.area(f64::NAN).is_err() && all.area(1.0).is_err());
        assert!(matches!(Discard::new([]), Err(EvaluationError::Empty(_))));
        assert!(matches!(Discard::new([(Some(f64::NAN), true)]), Err(EvaluationError::Figure { .. })));
    }
}
