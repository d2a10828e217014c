//! Percentiles that say what they rest on.

use serde::Serialize;

/// The percentiles that are asked for, in thousandths.
pub const ASKED: [u32; 4] = [500, 950, 990, 999];

/// One percentile of a sample.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Percentile {
    /// Which, in thousandths: 999 is p99.9.
    pub permille: u32,
    /// The value, in the sample's unit; `None` when the sample is too small to say.
    pub value: Option<f64>,
    /// Samples that lie above it. A percentile with none above would be just the largest value seen.
    pub samples_above: usize,
}

/// The `permille`/1000 quantile by nearest rank: the smallest value that at least that share of the sample does not
/// exceed (Hyndman and Fan 1996, type 1). `None` unless at least one sample ranks above it. `sorted` ascends.
#[must_use]
pub fn nearest_rank(sorted: &[f64], permille: u32) -> Percentile {
    let rank = (sorted.len() * permille as usize).div_ceil(1000);
    let samples_above = sorted.len() - rank.min(sorted.len());
    let value = if samples_above == 0 { None } else { rank.checked_sub(1).and_then(|at| sorted.get(at)).copied() };
    Percentile { permille, value, samples_above }
}

/// All of [`ASKED`], over values in any order.
#[must_use]
pub fn of(values: &[f64]) -> Vec<Percentile> {
    let mut sorted = values.to_vec();
    sorted.sort_unstable_by(f64::total_cmp);
    ASKED.iter().map(|&permille| nearest_rank(&sorted, permille)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// By the definition's words: the smallest value that at least so many do not exceed.
    fn naive(values: &[f64], permille: u32) -> Option<f64> {
        let reached = |value: f64| {
            let at_most = values.iter().filter(|&&other| other <= value).count();
            at_most * 1000 >= values.len() * permille as usize
        };
        values.iter().copied().filter(|&value| reached(value)).min_by(f64::total_cmp)
    }

    proptest! {
        #[test]
        fn agrees_with_the_definition(values in proptest::collection::vec(0.0_f64..9.0, 1..1500), permille in 1_u32..1000) {
            let mut sorted = values.clone();
            sorted.sort_unstable_by(f64::total_cmp);
            let found = nearest_rank(&sorted, permille);
            match found.value {
                Some(value) => prop_assert_eq!(Some(value), naive(&values, permille)),
                None => prop_assert!(values.len() * (1000 - permille as usize) < 1000),
            }
        }

        #[test]
        fn order_does_not_matter(values in proptest::collection::vec(0.0_f64..9.0, 0..60)) {
            let mut turned = values.clone();
            turned.reverse();
            prop_assert_eq!(of(&values), of(&turned));
        }
    }

    #[test]
    fn a_percentile_needs_a_sample_above_it() {
        let thousand: Vec<f64> = (1..=1000).map(f64::from).collect();
        assert_eq!(nearest_rank(&thousand, 999), Percentile { permille: 999, value: Some(999.0), samples_above: 1 });
        assert_eq!(nearest_rank(&thousand[..999], 999).value, None);
        assert_eq!(nearest_rank(&thousand[..100], 990).value, Some(99.0));
        assert_eq!(nearest_rank(&thousand[..99], 990).value, None);
        assert!(of(&[]).iter().all(|percentile| percentile.value.is_none()));
    }
}
