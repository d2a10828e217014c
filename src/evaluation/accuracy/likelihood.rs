//! How good likelihood ratios are: Cllr, its parts, isotonic regression, and how far the data let them reach.
//!
//! A likelihood ratio (LR) here compares one probe with one reference: how much likelier the score is for the same person than
//! for different ones. It is not for the top of a list found by searching many, and says nothing of guilt. LRs are kept as
//! natural logarithms (LLR); bounds and plots are in powers of ten where so named.

use std::f64::consts::{LN_2, LN_10};

use serde::Serialize;

use crate::evaluation::EvaluationError;
use crate::evaluation::arithmetic::finite;

/// LLRs or scores of comparisons whose truth is known; both kinds, all finite.
#[derive(Debug, Clone, PartialEq)]
pub struct Labelled {
    mated: Vec<f64>,
    non_mated: Vec<f64>,
}

impl Labelled {
    /// Takes values of mated and of non-mated comparisons.
    ///
    /// # Errors
    /// [`EvaluationError::Empty`] without one kind, [`EvaluationError::Figure`] for a value that is not finite.
    pub fn new(mated: Vec<f64>, non_mated: Vec<f64>) -> Result<Self, EvaluationError> {
        if mated.is_empty() {
            return Err(EvaluationError::Empty("mated comparisons"));
        }
        if non_mated.is_empty() {
            return Err(EvaluationError::Empty("non-mated comparisons"));
        }
        for &value in mated.iter().chain(&non_mated) {
            finite("a score or log likelihood ratio", value)?;
        }
        Ok(Self { mated, non_mated })
    }

    /// Values of mated comparisons.
    #[must_use]
    pub fn mated(&self) -> &[f64] {
        &self.mated
    }

    /// Values of non-mated comparisons.
    #[must_use]
    pub fn non_mated(&self) -> &[f64] {
        &self.non_mated
    }

    /// Every value through `change`, which may give infinities.
    fn changed(&self, change: impl Fn(f64) -> f64) -> Self {
        let all = |values: &[f64]| values.iter().map(|&value| change(value)).collect();
        Self { mated: all(&self.mated), non_mated: all(&self.non_mated) }
    }
}

/// ln(1 + e^x) without overflow.
pub(super) fn soft_plus(x: f64) -> f64 {
    x.max(0.0) + (-x.abs()).exp().ln_1p()
}

fn mean(values: &[f64], of: impl Fn(f64) -> f64) -> f64 {
    values.iter().map(|&value| of(value)).sum::<f64>() / values.len() as f64
}

/// Cllr = (mean over mated of log2(1 + 1/LR) + mean over non-mated of log2(1 + LR)) / 2 (Brümmer and du Preez 2006). 0 is
/// perfect; 1 is what LR = 1 always would have.
#[must_use]
pub fn cllr(llrs: &Labelled) -> f64 {
    (mean(&llrs.mated, |llr| soft_plus(-llr)) + mean(&llrs.non_mated, soft_plus)) / (2.0 * LN_2)
}

/// Cllr, the part that no calibration could mend, and the part that one could.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Cost {
    /// Cllr.
    pub total: f64,
    /// Cllr after isotonic regression on the same data: discrimination.
    pub least: f64,
    /// The rest: calibration.
    pub calibration: f64,
}

/// Cllr and its two parts.
#[must_use]
pub fn cost(llrs: &Labelled) -> Cost {
    let total = cllr(llrs);
    let isotonic = Isotonic::fit(llrs);
    let least = cllr(&llrs.changed(|llr| isotonic.llr(llr)));
    Cost { total, least, calibration: total - least }
}

/// Isotonic regression by pooling adjacent violators (PAV): the non-decreasing step function from scores to LRs that fits the
/// data best under every proper scoring rule. A diagnostic: at the ends it reaches LR 0 and infinity, which no data support.
#[derive(Debug, Clone, PartialEq)]
pub struct Isotonic {
    /// Distinct scores at which blocks begin and end, ascending, with the share of mated weight there when both kinds weigh the
    /// same.
    knots: Vec<(f64, f64)>,
}

/// A run of scores with one value.
struct Block {
    first: f64,
    last: f64,
    mated: f64,
    weight: f64,
}

impl Block {
    fn share(&self) -> f64 {
        self.mated / self.weight
    }
}

impl Isotonic {
    /// Fits both kinds with equal weight. Equal scores get one value.
    #[must_use]
    pub fn fit(data: &Labelled) -> Self {
        let weigh = |values: &[f64], mated: bool| {
            let weight = 1.0 / values.len() as f64;
            let one = |&score: &f64| (score, if mated { weight } else { 0.0 }, weight);
            values.iter().map(one).collect::<Vec<_>>()
        };
        let mut all = weigh(&data.mated, true);
        all.extend(weigh(&data.non_mated, false));
        all.sort_unstable_by(|a, b| a.0.total_cmp(&b.0));
        let mut blocks: Vec<Block> = Vec::new();
        let mut rest = all.as_slice();
        while let Some(&(score, _, _)) = rest.first() {
            let equal = rest.partition_point(|&(other, _, _)| other <= score);
            let (tied, after) = rest.split_at(equal);
            rest = after;
            let sums = tied.iter().fold((0.0, 0.0), |sums, one| (sums.0 + one.1, sums.1 + one.2));
            let mut block = Block { first: score, last: score, mated: sums.0, weight: sums.1 };
            while let Some(before) = blocks.pop_if(|before| before.share() >= block.share()) {
                let (mated, weight) = (before.mated + block.mated, before.weight + block.weight);
                block = Block { first: before.first, last: block.last, mated, weight };
            }
            blocks.push(block);
        }
        let mut knots: Vec<(f64, f64)> =
            blocks.iter().flat_map(|block| [(block.first, block.share()), (block.last, block.share())]).collect();
        knots.dedup();
        Self { knots }
    }

    /// Share of mated weight at a score: linear between blocks, constant beyond the ends.
    #[must_use]
    pub fn share(&self, score: f64) -> f64 {
        let after = self.knots.partition_point(|&(knot, _)| knot < score);
        match (after.checked_sub(1).and_then(|before| self.knots.get(before)), self.knots.get(after)) {
            (Some(&(from, low)), Some(&(to, high))) => {
                if to > from && low != high {
                    low + (high - low) * ((score - from) / (to - from))
                } else {
                    high
                }
            }
            (None, Some(&(_, share))) | (Some(&(_, share)), None) => share,
            (None, None) => 0.5,
        }
    }

    /// LLR at a score; infinite at the ends.
    #[must_use]
    pub fn llr(&self, score: f64) -> f64 {
        let share = self.share(score);
        share.ln() - (-share).ln_1p()
    }
}

/// log10 LRs between which an LR is supported by the data.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Bounds {
    /// Lowest, at most 0.
    pub low: f64,
    /// Highest, at least 0.
    pub high: f64,
}

impl Bounds {
    /// The LLR (natural logarithm) brought inside.
    #[must_use]
    pub fn apply(&self, llr: f64) -> f64 {
        llr.clamp(self.low * LN_10, self.high * LN_10)
    }
}

/// Empirical lower and upper bounds (ELUB; Vergeer et al. 2016, Science and Justice 56, 482-491): the LRs beyond which deciding
/// by LR > t would cost more than deciding without LRs, once a single misleading LR is added to each kind. Costs of a miss and of a
/// false acceptance are 1 and t; without LRs the cost is min(1, t). Solved exactly, and never beyond the observed LRs.
#[must_use]
pub fn bounds(llrs: &Labelled) -> Bounds {
    let ascending = |values: &[f64]| {
        let mut sorted = values.to_vec();
        sorted.sort_unstable_by(f64::total_cmp);
        sorted
    };
    let (mated, non_mated) = (ascending(&llrs.mated), ascending(&llrs.non_mated));
    // Both are constant from one observed LR up to the next; the added misleading ones are the + 1.
    let missed = |at: f64| (mated.partition_point(|&llr| llr <= at) + 1) as f64 / (mated.len() + 1) as f64;
    let accepted = |at: f64| {
        let above = non_mated.len() - non_mated.partition_point(|&llr| llr <= at);
        (above + 1) as f64 / (non_mated.len() + 1) as f64
    };
    let mut steps: Vec<f64> = mated.iter().chain(&non_mated).copied().chain([0.0]).collect();
    steps.sort_unstable_by(f64::total_cmp);
    steps.dedup();
    let largest = steps.last().copied().unwrap_or(0.0);
    let smallest = steps.first().copied().unwrap_or(0.0);
    // Upwards from 0: the first t >= 1 with missed + t accepted > 1.
    let mut high = largest;
    for (place, &from) in steps.iter().enumerate().filter(|(_, step)| **step >= 0.0) {
        let to = steps.get(place + 1).copied().unwrap_or(f64::INFINITY);
        let crossing = ((1.0 - missed(from)) / accepted(from)).ln().max(from);
        if crossing < to {
            high = crossing.min(largest);
            break;
        }
    }
    // Downwards from 0: the first t < 1 with missed + t accepted > t; on [from, to).
    let mut low = smallest;
    for (place, &to) in steps.iter().enumerate().rev().filter(|(_, step)| **step <= 0.0) {
        let from = place.checked_sub(1).and_then(|before| steps.get(before)).copied().unwrap_or(f64::NEG_INFINITY);
        let inside = if from.is_finite() { from } else { to - 1.0 };
        let rejected = 1.0 - accepted(inside);
        let crossing = if rejected > 0.0 { (missed(inside) / rejected).ln().min(to) } else { to };
        if crossing > from {
            low = crossing.max(smallest);
            break;
        }
    }
    Bounds { low: low.min(0.0) / LN_10, high: high.max(0.0) / LN_10 }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn any_data() -> impl Strategy<Value = Labelled> {
        let values =
            |low: i32, high: i32| proptest::collection::vec((low..high).prop_map(|x| f64::from(x) / 4.0), 1..40);
        (values(-8, 20), values(-20, 8)).prop_map(|(mated, non_mated)| Labelled::new(mated, non_mated).unwrap())
    }

    /// Cost of deciding by LR > e^t with one misleading LR more of each kind, against deciding without.
    fn worse(data: &Labelled, t: f64) -> bool {
        let count = |values: &[f64], what: &dyn Fn(f64) -> bool| values.iter().filter(|&&v| what(v)).count() as f64;
        let missed = (count(&data.mated, &|llr| llr <= t) + 1.0) / (data.mated.len() + 1) as f64;
        let accepted = (count(&data.non_mated, &|llr| llr > t) + 1.0) / (data.non_mated.len() + 1) as f64;
        missed + t.exp() * accepted > t.exp().min(1.0) * (1.0 + 1e-12)
    }

    proptest! {
        #[test]
        fn isotonic_is_monotone_and_no_monotone_function_beats_it(data in any_data(), shift in -2.0_f64..2.0, slope in 0.1_f64..3.0) {
            let isotonic = Isotonic::fit(&data);
            let shares: Vec<f64> = (-90..90).map(|x| isotonic.share(f64::from(x) / 8.0)).collect();
            prop_assert!(shares.windows(2).all(|two| two[0] <= two[1] + 1e-12));
            let cost = cost(&data);
            prop_assert!(cost.least <= cost.total + 1e-12 && cost.least <= 1.0 + 1e-12 && cost.least >= 0.0);
            prop_assert!(cost.least <= cllr(&data.changed(|x| slope * x + shift)) + 1e-12);
        }

        #[test]
        fn only_the_order_matters_to_the_least_cost(data in any_data()) {
            let bent = data.changed(|x| (x / 5.0).exp());
            prop_assert!((cost(&data).least - cost(&bent).least).abs() < 1e-12);
        }

        #[test]
        fn bounds_are_the_last_thresholds_that_help(data in any_data()) {
            let found = bounds(&data);
            prop_assert!(found.low <= 0.0 && found.high >= 0.0);
            let (low, high) = (found.low * LN_10, found.high * LN_10);
            for step in 1..200 {
                let inside = high * f64::from(step) / 200.0;
                prop_assert!(high == 0.0 || !worse(&data, inside), "{inside} of {high}");
                let inside = low * f64::from(step) / 200.0;
                prop_assert!(low == 0.0 || !worse(&data, inside), "{inside} of {low}");
            }
            let largest = data.mated.iter().chain(&data.non_mated).copied().fold(0.0, f64::max);
            prop_assert!(high >= largest - 1e-9 || worse(&data, high + 1e-6));
            prop_assert!(high <= ((data.non_mated.len() + 1) as f64).ln() + 1e-9, "no more than one in n + 1");
            prop_assert!(low >= -((data.mated.len() + 1) as f64).ln() - 1e-9);
        }
    }

    #[test]
    fn known_values() {
        let neutral = Labelled::new(vec![0.0; 3], vec![0.0; 5]).unwrap();
        assert!((cllr(&neutral) - 1.0).abs() < 1e-15 && (cost(&neutral).least - 1.0).abs() < 1e-15);
        let perfect = Labelled::new(vec![2.0, 3.0], vec![-1.0, 1.0]).unwrap();
        assert_eq!(cost(&perfect).least, 0.0);
        let extreme = Labelled::new(vec![800.0], vec![-800.0]).unwrap();
        assert_eq!(cllr(&extreme), 0.0);
        let wrong = Labelled::new(vec![-800.0], vec![800.0]).unwrap();
        assert!((cllr(&wrong) - 800.0 / LN_2).abs() < 1e-9, "large and finite");
        assert!(Labelled::new(Vec::new(), vec![1.0]).is_err() && Labelled::new(vec![1.0], Vec::new()).is_err());
        assert!(Labelled::new(vec![f64::NAN], vec![1.0]).is_err());
    }
}
