//! One number for how far the rates of groups lie apart, as NIST (FRTE part 3, NISTIR 8429) and ISO/IEC 19795-10 give them.
//!
//! They are descriptions: none of them says whether the counts behind the rates can carry the difference.

use serde::Serialize;

use crate::evaluation::EvaluationError;

/// Ratios and spreads of the groups' rates; `None` where a rate of 0 leaves them without a value, which is no sign of equality.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Summary {
    /// Groups.
    pub groups: usize,
    /// Lowest rate.
    pub lowest: f64,
    /// Highest rate.
    pub highest: f64,
    /// Highest over lowest.
    pub highest_to_lowest: Option<f64>,
    /// Highest over arithmetic mean.
    pub highest_to_mean: Option<f64>,
    /// Highest over geometric mean.
    pub highest_to_geometric_mean: Option<f64>,
    /// Mean of |log10(rate / geometric mean)|.
    pub mean_log10: Option<f64>,
    /// Gini coefficient n/(n-1) ΣΣ|x_i - x_j| / (2 n² mean), from 0 (equal) to 1 (one group has all errors), with the correction
    /// for few groups (Howard et al. 2022, GARBE).
    pub gini: Option<f64>,
}

/// Sums up the rates of at least two groups.
///
/// # Errors
/// [`EvaluationError::Empty`] for fewer than two, [`EvaluationError::Figure`] for what is no rate.
pub fn summary(rates: &[f64]) -> Result<Summary, EvaluationError> {
    if rates.len() < 2 {
        return Err(EvaluationError::Empty("two groups to compare"));
    }
    if let Some(&found) = rates.iter().find(|rate| !(0.0..=1.0).contains(*rate)) {
        return Err(EvaluationError::Figure { what: "a group's rate", found, wanted: "from 0 to 1" });
    }
    let n = rates.len() as f64;
    let lowest = rates.iter().copied().fold(1.0, f64::min);
    let highest = rates.iter().copied().fold(0.0, f64::max);
    let mean = rates.iter().sum::<f64>() / n;
    let logs: Vec<f64> = rates.iter().map(|rate| rate.log10()).collect();
    let log_mean = logs.iter().sum::<f64>() / n;
    let apart: f64 = rates.iter().map(|a| rates.iter().map(|b| (a - b).abs()).sum::<f64>()).sum();
    let all_positive = lowest > 0.0;
    Ok(Summary {
        groups: rates.len(),
        lowest,
        highest,
        highest_to_lowest: all_positive.then(|| highest / lowest),
        highest_to_mean: (mean > 0.0).then(|| highest / mean),
        highest_to_geometric_mean: all_positive.then(|| highest / 10_f64.powf(log_mean)),
        mean_log10: all_positive.then(|| logs.iter().map(|log| (log - log_mean).abs()).sum::<f64>() / n),
        gini: (mean > 0.0).then(|| n / (n - 1.0) * apart / (2.0 * n * n * mean)),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn spreads_do_not_depend_on_the_scale(
            rates in proptest::collection::vec(1e-6_f64..0.5, 2..20), scale in 0.1_f64..2.0,
        ) {
            let one = summary(&rates).unwrap();
            let scaled: Vec<f64> = rates.iter().map(|rate| rate * scale).collect();
            let two = summary(&scaled).unwrap();
            let all = |s: Summary| {
                [s.highest_to_lowest, s.highest_to_mean, s.highest_to_geometric_mean, s.mean_log10, s.gini].map(Option::unwrap)
            };
            for (a, b) in all(one).iter().zip(all(two)) {
                prop_assert!((a - b).abs() <= 1e-9 * a.abs().max(1.0));
            }
            prop_assert!((0.0..=1.0 + 1e-12).contains(&one.gini.unwrap()));
            prop_assert!(one.highest_to_mean <= one.highest_to_geometric_mean);
        }
    }

    #[test]
    fn by_hand() {
        let found = summary(&[0.01, 0.001]).unwrap();
        assert!((found.highest_to_lowest.unwrap() - 10.0).abs() < 1e-12);
        assert!((found.highest_to_geometric_mean.unwrap() - 10_f64.sqrt()).abs() < 1e-12);
        assert!((found.mean_log10.unwrap() - 0.5).abs() < 1e-12);
        assert!((found.gini.unwrap() - 9.0 / 11.0).abs() < 1e-12);
        let unequal = summary(&[0.3, 0.0, 0.0]).unwrap();
        assert_eq!((unequal.highest_to_lowest, unequal.mean_log10), (None, None), "a zero is no equality");
        assert!((unequal.gini.unwrap() - 1.0).abs() < 1e-12, "one group has all errors");
        assert_eq!(summary(&[0.0, 0.0]).unwrap().gini, None);
        assert!(summary(&[0.1]).is_err() && summary(&[0.1, f64::NAN]).is_err());
    }
}
