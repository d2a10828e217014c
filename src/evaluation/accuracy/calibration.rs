//! From scores to likelihood ratios by logistic regression (Brümmer's prior-weighted form), for one model and one kind of probe.

use serde::Serialize;

use super::likelihood::{Bounds, Labelled, bounds, soft_plus};
use crate::evaluation::EvaluationError;

/// Newton's steps; it takes about ten, and some thirty where a threshold separates the data.
const STEPS_MAX: u32 = 200;
/// The usual penalty: so small that it shows only where nothing else holds the slope.
const PENALTY: f64 = 1e-6;
/// How much a sum over all comparisons may be off by rounding.
const ROUNDING: f64 = 1e-12;

/// How to fit.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Fit {
    /// The share that mated comparisons weigh, whatever their number: 1/2 treats both kinds alike.
    pub prior: f64,
    /// Factor of slope²/2 in what is minimised, the slope by standard deviation of all scores, so that the unit of scores makes no
    /// difference; beside it is the weighted sum of ln(1 + e^-margin) over n comparisons of mean weight 1. 0 is plain likelihood,
    /// which data that a threshold separates drive to an infinite slope, and then the fit is refused. scikit-learn (and through
    /// it `lir`) has 1/C on the slope by unit of score: the same as 1/C over the variance here.
    pub penalty: f64,
}

impl Default for Fit {
    fn default() -> Self {
        Self { prior: 0.5, penalty: PENALTY }
    }
}

/// LLR = slope score + offset, inside bounds that the data support.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Logistic {
    /// Natural log LR a unit of score. Not above 0: the scores tell nothing, and no LR should be reported.
    pub slope: f64,
    /// Natural log LR at score 0.
    pub offset: f64,
    /// What LRs of these data are supported (log10).
    pub bounds: Bounds,
    /// How it was fitted.
    pub fit: Fit,
    /// Whether a threshold separates mated from non-mated comparisons: then any steeper line explains them as well, and the slope is
    /// the penalty's doing.
    pub separated: bool,
    /// Mated comparisons.
    pub mated: usize,
    /// Non-mated comparisons.
    pub non_mated: usize,
}

/// Weighted comparisons on standardised scores.
struct Problem<'a> {
    data: &'a Labelled,
    fit: Fit,
    mean: f64,
    deviation: f64,
}

/// Value, slope and curvature of what is minimised, by (offset, slope).
#[derive(Default)]
struct Surface {
    value: f64,
    slope: [f64; 2],
    curvature: [f64; 3],
}

impl Problem<'_> {
    fn at(&self, offset: f64, slope: f64) -> Surface {
        let (mated, non_mated) = (self.data.mated(), self.data.non_mated());
        let all = (mated.len() + non_mated.len()) as f64;
        let penalty = self.fit.penalty;
        let mut sum = Surface { value: 0.5 * penalty * slope * slope, ..Surface::default() };
        sum.slope[1] = penalty * slope;
        sum.curvature[2] = penalty;
        let kinds = [(mated, 1.0, self.fit.prior), (non_mated, -1.0, 1.0 - self.fit.prior)];
        for (scores, sign, share) in kinds {
            let weight = share * all / scores.len() as f64;
            for &score in scores {
                let x = (score - self.mean) / self.deviation;
                let margin = sign * (offset + slope * x);
                let miss = 1.0 / (1.0 + margin.exp());
                let bend = weight * miss * (1.0 - miss);
                sum.value += weight * soft_plus(-margin);
                sum.slope[0] -= weight * sign * miss;
                sum.slope[1] -= weight * sign * miss * x;
                sum.curvature[0] += bend;
                sum.curvature[1] += bend * x;
                sum.curvature[2] += bend * x * x;
            }
        }
        sum
    }

    /// Newton's method with halved steps where a whole one goes uphill.
    fn solve(&self) -> Result<(f64, f64), EvaluationError> {
        let unsettled = || EvaluationError::NotSettled("the calibration's slope (a threshold may separate the data)");
        let (mut offset, mut slope) = (0.0, 0.0);
        let mut here = self.at(offset, slope);
        for _ in 0..STEPS_MAX {
            let ([a, b], [h, m, t]) = (here.slope, here.curvature);
            let determinant = h * t - m * m;
            if determinant.is_nan() || determinant <= 1e-14 * h * t {
                return Err(unsettled());
            }
            let step = [(m * b - t * a) / determinant, (m * a - h * b) / determinant];
            // So near the end a whole step leaves an error of the square of its size, and sums can't tell up from down.
            if step[0].abs() + step[1].abs() < 1e-10 * (1.0 + offset.abs() + slope.abs()) {
                return Ok((offset + step[0], slope + step[1]));
            }
            let mut part = 1.0;
            let next = loop {
                let next = self.at(offset + part * step[0], slope + part * step[1]);
                if next.value <= here.value * (1.0 + ROUNDING) {
                    break next;
                }
                part *= 0.5;
                if part < 1e-9 {
                    return Err(unsettled());
                }
            };
            (offset, slope) = (offset + part * step[0], slope + part * step[1]);
            here = next;
        }
        Err(unsettled())
    }
}

impl Logistic {
    /// Fits scores of comparisons whose truth is known, and finds what LRs they support.
    ///
    /// # Errors
    /// [`EvaluationError::Figure`] for a prior outside 0 to 1 or a negative penalty, [`EvaluationError::NotSettled`] for equal
    /// scores only, and without a penalty for data that a threshold separates.
    pub fn fit(data: &Labelled, fit: Fit) -> Result<Self, EvaluationError> {
        if !(fit.prior > 0.0 && fit.prior < 1.0) {
            let wanted = "between 0 and 1, exclusive";
            return Err(EvaluationError::Figure { what: "the prior", found: fit.prior, wanted });
        }
        if !(fit.penalty.is_finite() && fit.penalty >= 0.0) {
            return Err(EvaluationError::Figure { what: "the penalty", found: fit.penalty, wanted: "0 or more" });
        }
        let all = || data.mated().iter().chain(data.non_mated());
        let count = (data.mated().len() + data.non_mated().len()) as f64;
        let mean = all().sum::<f64>() / count;
        let deviation = (all().map(|score| (score - mean).powi(2)).sum::<f64>() / count).sqrt();
        if deviation.is_nan() || deviation <= 1e-12 * mean.abs() {
            return Err(EvaluationError::NotSettled("the calibration of scores that are all the same"));
        }
        let (offset, slope) = Problem { data, fit, mean, deviation }.solve()?;
        let slope = slope / deviation;
        let prior_log_odds = fit.prior.ln() - (-fit.prior).ln_1p();
        let offset = offset - slope * mean - prior_log_odds;
        let llrs = |scores: &[f64]| scores.iter().map(|score| slope * score + offset).collect();
        let bounds = bounds(&Labelled::new(llrs(data.mated()), llrs(data.non_mated()))?);
        let (mated, non_mated) = (data.mated().len(), data.non_mated().len());
        let separated = lowest(data.mated()) > highest(data.non_mated());
        Ok(Self { slope, offset, bounds, fit, separated, mated, non_mated })
    }

    /// Natural log LR of a score, as the line has it.
    #[must_use]
    pub fn unbounded_llr(&self, score: f64) -> f64 {
        self.slope * score + self.offset
    }

    /// Natural log LR of a score, no further out than the data support.
    #[must_use]
    pub fn llr(&self, score: f64) -> f64 {
        self.bounds.apply(self.unbounded_llr(score))
    }
}

fn lowest(scores: &[f64]) -> f64 {
    scores.iter().copied().fold(f64::INFINITY, f64::min)
}

fn highest(scores: &[f64]) -> f64 {
    scores.iter().copied().fold(f64::NEG_INFINITY, f64::max)
}

#[cfg(test)]
mod tests {
    use super::super::likelihood::{cllr, cost};
    use super::*;
    use crate::evaluation::random::Stream;
    use proptest::prelude::*;

    /// Two normal distributions two deviations apart: the true LLR is 2 (x - 1).
    fn normals(mated: usize, non_mated: usize, seed: u64) -> Labelled {
        let mut stream = Stream::new(seed, 0);
        let mut draw = |count, mean: f64| (0..count).map(|_| mean + f64::from(stream.normal())).collect::<Vec<f64>>();
        let mated = draw(mated, 2.0);
        Labelled::new(mated, draw(non_mated, 0.0)).unwrap()
    }

    #[test]
    fn it_finds_the_true_line_whatever_the_numbers_of_each_kind() {
        for (mated, non_mated, prior) in [(5_000, 5_000, 0.5), (1_000, 20_000, 0.5), (5_000, 5_000, 0.2)] {
            let found = Logistic::fit(&normals(mated, non_mated, 3), Fit { prior, ..Fit::default() }).unwrap();
            assert!((found.slope - 2.0).abs() < 0.2 && (found.offset + 2.0).abs() < 0.25, "{found:?}");
        }
    }

    #[test]
    fn separated_data_are_bounded_or_refused() {
        let data = Labelled::new(vec![0.7, 0.8], vec![0.1, 0.2, 0.3]).unwrap();
        let found = Logistic::fit(&data, Fit::default()).unwrap();
        assert!(found.slope.is_finite() && found.slope > 0.0 && found.separated);
        assert!(found.llr(100.0) <= 4_f64.ln() + 1e-9, "three strangers support no LR above four: {found:?}");
        let plain = Fit { penalty: 0.0, ..Fit::default() };
        assert!(matches!(Logistic::fit(&data, plain), Err(EvaluationError::NotSettled(_))));
        let same = Labelled::new(vec![0.5; 4], vec![0.5; 4]).unwrap();
        assert!(matches!(Logistic::fit(&same, Fit::default()), Err(EvaluationError::NotSettled(_))));
        assert!(Logistic::fit(&data, Fit { prior: f64::NAN, penalty: 1.0 }).is_err());
        assert!(Logistic::fit(&data, Fit { prior: 0.5, penalty: f64::NAN }).is_err());
        // Far apart, a hair apart, one above many.
        for (gap, mated, non_mated) in [(5.0, 500, 50_000), (1e-3, 40, 300), (1e-9, 2, 2), (0.2, 1, 3_000)] {
            let spread = |count: u32, from: f64| (0..count).map(|at| from + f64::from(at) / f64::from(count)).collect();
            let data = Labelled::new(spread(mated, 1.0 + gap), spread(non_mated, 0.0)).unwrap();
            let found = Logistic::fit(&data, Fit::default()).unwrap();
            assert!(found.slope.is_finite() && found.slope > 0.0 && found.separated, "{found:?}");
            let most = f64::from(mated.max(non_mated) + 1).ln() + 1e-9;
            assert!([-9.0, 0.0, 9.0].into_iter().all(|score| found.llr(score).abs() <= most), "{found:?}");
        }
    }

    #[test]
    fn scores_within_a_hundredth_are_fitted_as_others_are() {
        // Comparison scores vary by some hundredths: a penalty by unit of score would have held the slope far down.
        let wide = normals(400, 3_000, 8);
        let narrow = |scores: &[f64]| scores.iter().map(|score| 0.01 * score).collect();
        let narrow = Labelled::new(narrow(wide.mated()), narrow(wide.non_mated())).unwrap();
        let plain = Logistic::fit(&wide, Fit { penalty: 0.0, ..Fit::default() }).unwrap();
        let found = Logistic::fit(&narrow, Fit::default()).unwrap();
        assert!((found.slope / (100.0 * plain.slope) - 1.0).abs() < 1e-6 && !found.separated, "{found:?} {plain:?}");
        assert!((found.offset - plain.offset).abs() < 1e-6);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn the_fit_is_the_least_cost_of_all_lines(seed in any::<u64>(), a in -0.3_f64..0.3, b in -0.3_f64..0.3) {
            let data = normals(60, 90, seed);
            let found = Logistic::fit(&data, Fit { prior: 0.5, penalty: 0.0 });
            let Ok(found) = found else { return Ok(()) };
            let cost_of = |slope: f64, offset: f64| {
                let line = |scores: &[f64]| scores.iter().map(|x| slope * x + offset).collect();
                cllr(&Labelled::new(line(data.mated()), line(data.non_mated())).unwrap())
            };
            let best = cost_of(found.slope, found.offset);
            prop_assert!(best <= cost_of(found.slope + a, found.offset + b) + 1e-12);
            prop_assert!(cost(&data).least <= best + 1e-12, "isotonic regression is no worse than a line");
        }

        #[test]
        fn moving_and_scaling_the_scores_changes_nothing(
            seed in any::<u64>(),
            shift in -5.0_f64..5.0,
            scale in prop_oneof![Just(100.0), 0.01_f64..50.0],
            penalty in prop_oneof![Just(Fit::default().penalty), Just(0.0), Just(1.0)],
        ) {
            let data = normals(50, 70, seed);
            let fit = Fit { prior: 0.3, penalty };
            let Ok(one) = Logistic::fit(&data, fit) else { return Ok(()) };
            let moved = |scores: &[f64]| scores.iter().map(|x| scale * x + shift).collect();
            let other = Labelled::new(moved(data.mated()), moved(data.non_mated())).unwrap();
            let two = Logistic::fit(&other, fit).unwrap();
            for score in [-1.0, 0.5, 2.0] {
                prop_assert!((one.unbounded_llr(score) - two.unbounded_llr(scale * score + shift)).abs() < 1e-8);
            }
        }
    }
}
