//! The generalised Pareto distribution, which the excesses of most distributions over a high level come near to (Pickands
//! 1975), by maximum likelihood.
//!
//! P(Y > y) = (1 + ξ y/σ)^(-1/ξ), exponential where the shape ξ is 0, and ending at -σ/ξ where it is negative, as tails of scores
//! that cannot exceed 1 do.

use serde::Serialize;

use crate::evaluation::EvaluationError;

/// Fewest excesses that are fitted.
pub const EXCESSES_MIN: usize = 10;
/// Shapes at and below which the likelihood has no maximum in the usual sense (Smith 1985 has the trouble beginning at -1/2).
const SHAPE_MIN: f64 = -0.5;
/// Newton's steps after the search along the profile.
const STEPS_MAX: u32 = 100;
/// Below this |ξ y/σ| series stand for differences that would cancel.
const SERIES_BELOW: f64 = 0.05;

/// Shape and scale.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Pareto {
    /// ξ: negative for tails that end, positive for heavy ones.
    pub shape: f64,
    /// σ, in the unit of the excesses.
    pub scale: f64,
}

/// Slope and curvature of one excess's log likelihood in (ξ, ln σ).
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Terms {
    /// By ξ, by ln σ.
    pub slope: [f64; 2],
    /// By ξ twice, by ξ and ln σ, by ln σ twice.
    pub curvature: [f64; 3],
}

impl Terms {
    /// Adds another excess's.
    pub fn add(&mut self, other: &Self) {
        self.slope.iter_mut().zip(other.slope).for_each(|(sum, value)| *sum += value);
        self.curvature.iter_mut().zip(other.curvature).for_each(|(sum, value)| *sum += value);
    }

    /// Newton's step towards the maximum; `None` where the surface is not curved downwards.
    #[must_use]
    pub fn step(&self) -> Option<[f64; 2]> {
        let ([a, b], [h, m, t]) = (self.slope, self.curvature);
        let determinant = h * t - m * m;
        (h < 0.0 && determinant > 0.0).then(|| [(m * b - t * a) / determinant, (m * a - h * b) / determinant])
    }
}

/// The sum of (-1)^k c(k) w^k.
fn series(w: f64, coefficient: impl Fn(f64) -> f64) -> f64 {
    let (mut power, mut sum) = (1.0, 0.0);
    for k in 0..16_u32 {
        sum += power * coefficient(f64::from(k));
        power *= -w;
    }
    sum
}

impl Pareto {
    /// P(Y > y); 1 for y <= 0.
    #[must_use]
    pub fn survival(&self, y: f64) -> f64 {
        if y <= 0.0 {
            return 1.0;
        }
        let z = y / self.scale;
        let w = self.shape * z;
        if w <= -1.0 {
            0.0
        } else if w == 0.0 {
            (-z).exp()
        } else {
            (-z * w.ln_1p() / w).exp()
        }
    }

    /// Log likelihood of one excess; minus infinity beyond the end.
    fn log_density(&self, y: f64) -> f64 {
        let z = y / self.scale;
        let w = self.shape * z;
        if w <= -1.0 {
            return f64::NEG_INFINITY;
        }
        let over_shape = if w == 0.0 { z } else { z * w.ln_1p() / w };
        -self.scale.ln() - w.ln_1p() - over_shape
    }

    /// Sum over `excesses`.
    #[must_use]
    pub fn log_likelihood(&self, excesses: &[f64]) -> f64 {
        excesses.iter().map(|&y| self.log_density(y)).sum()
    }

    /// Slope and curvature at one excess, which must lie before the end.
    #[must_use]
    pub fn terms(&self, y: f64) -> Terms {
        let z = y / self.scale;
        let w = self.shape * z;
        let u = 1.0 + w;
        let v = z / u;
        // (ln(1+w) - w/(1+w)) / w^2 and (2w/(1+w) - 2 ln(1+w) + w^2/(1+w)^2) / w^3.
        let (first, second) = if w.abs() < SERIES_BELOW {
            let second = -series(w, |k| (k + 2.0) * (k + 1.0) / (k + 3.0));
            (series(w, |k| (k + 1.0) / (k + 2.0)), second)
        } else {
            let (log, part) = (w.ln_1p(), w / u);
            ((log - part) / (w * w), (2.0 * part - 2.0 * log + part * part) / (w * w * w))
        };
        let grown = 1.0 + self.shape;
        Terms {
            slope: [z * z * first - v, grown * v - 1.0],
            curvature: [v * v + z * z * z * second, v - grown * v * v, -grown * v / u],
        }
    }

    fn all_terms(&self, excesses: &[f64]) -> Terms {
        let mut sum = Terms::default();
        for &y in excesses {
            sum.add(&self.terms(y));
        }
        sum
    }

    /// The likeliest shape and scale, the shape above -1/2.
    ///
    /// A search along the profile of θ = ξ/σ, given which ξ is the mean of ln(1 + θ y) (Grimshaw 1993), then Newton's method
    /// in (ξ, ln σ).
    ///
    /// # Errors
    /// [`EvaluationError::Empty`] for fewer than [`EXCESSES_MIN`],
    /// [`EvaluationError::Figure`] for excesses that are negative or not finite, [`EvaluationError::NotSettled`] where the
    /// likelihood has no maximum.
    pub fn fit(excesses: &[f64]) -> Result<Self, EvaluationError> {
        if excesses.len() < EXCESSES_MIN {
            return Err(EvaluationError::Empty("ten excesses to fit a tail to"));
        }
        if let Some(&found) = excesses.iter().find(|value| !(value.is_finite() && **value >= 0.0)) {
            return Err(EvaluationError::Figure { what: "an excess", found, wanted: "finite and not negative" });
        }
        let mut at = Self::along_profile(excesses).ok_or(EvaluationError::NotSettled("the tail's shape"))?;
        let mut likelihood = at.log_likelihood(excesses);
        for _ in 0..STEPS_MAX {
            let step = at.all_terms(excesses).step().ok_or(EvaluationError::NotSettled("the tail's shape"))?;
            let Some((next, better)) = at.climb(step, likelihood, excesses) else { break };
            let moved = (next.shape - at.shape).abs() + (next.scale / at.scale - 1.0).abs();
            (at, likelihood) = (next, better);
            if moved < 1e-14 {
                break;
            }
        }
        if at.shape > SHAPE_MIN { Ok(at) } else { Err(EvaluationError::NotSettled("the tail's shape")) }
    }

    /// The step, or as much of it as does not go downhill (but for rounding).
    fn climb(self, step: [f64; 2], likelihood: f64, excesses: &[f64]) -> Option<(Self, f64)> {
        let slack = 1e-12 * likelihood.abs().max(1.0);
        let mut part = 1.0;
        while part > 1e-6 {
            let next = Self { shape: self.shape + part * step[0], scale: self.scale * (part * step[1]).exp() };
            let reached = next.log_likelihood(excesses);
            if reached >= likelihood - slack {
                return Some((next, reached));
            }
            part *= 0.5;
        }
        None
    }

    /// The best of a grid of θ, in units of the mean excess: towards the end of the tail in ever smaller steps, and outwards.
    fn along_profile(excesses: &[f64]) -> Option<Self> {
        let mean = excesses.iter().sum::<f64>() / excesses.len() as f64;
        let largest = excesses.iter().copied().fold(0.0, f64::max);
        if mean <= 0.0 || largest <= mean {
            return None;
        }
        let before_the_end = (1..=24).map(|j| -(1.0 - 0.75_f64.powi(j)) / largest);
        let outwards = (0..=24).map(|j| 1e-3 / mean * 10_f64.powf(0.25 * f64::from(j)));
        let at = |theta: f64| {
            let shape = excesses.iter().map(|&y| (theta * y).ln_1p()).sum::<f64>() / excesses.len() as f64;
            let found = Self { shape, scale: shape / theta };
            // -ln σ - ξ - 1 an excess.
            (found, -found.scale.ln() - shape)
        };
        let exponential = (Self { shape: 0.0, scale: mean }, -mean.ln());
        let all = before_the_end.chain(outwards).map(at).chain([exponential]);
        let usable = all.filter(|(found, value)| found.shape > SHAPE_MIN && value.is_finite());
        usable.max_by(|a, b| a.1.total_cmp(&b.1)).map(|(found, _)| found)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::evaluation::random::Stream;
    use proptest::prelude::*;

    fn draw(truth: Pareto, count: usize, seed: u64) -> Vec<f64> {
        let mut stream = Stream::new(seed, 0);
        let one = |u: f64| truth.scale * ((1.0 - u).powf(-truth.shape) - 1.0) / truth.shape;
        (0..count).map(|_| one(stream.uniform())).collect()
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(40))]

        #[test]
        fn a_fit_is_a_maximum_and_near_the_truth(shape in -0.35_f64..0.6, scale in 0.01_f64..10.0, seed in any::<u64>()) {
            prop_assume!(shape.abs() > 1e-3);
            let excesses = draw(Pareto { shape, scale }, 3_000, seed);
            let found = Pareto::fit(&excesses).unwrap();
            // The shape's standard deviation is (1 + ξ) / √n, at most 0.03.
            prop_assert!((found.shape - shape).abs() < 0.16, "{found:?}");
            prop_assert!((found.scale / scale).ln().abs() < 0.25, "{found:?}");
            let slope = found.all_terms(&excesses).slope;
            prop_assert!(slope.iter().all(|s| s.abs() < 1e-7), "{slope:?}");
            let best = found.log_likelihood(&excesses);
            for (a, b) in [(0.01, 0.0), (-0.01, 0.0), (0.0, 1.01_f64.ln()), (0.0, -1.01_f64.ln())] {
                let beside = Pareto { shape: found.shape + a, scale: found.scale * f64::exp(b) };
                prop_assert!(beside.log_likelihood(&excesses) < best);
            }
        }

        #[test]
        fn terms_are_the_derivatives(shape in -0.45_f64..1.0, y in 0.0_f64..1.9) {
            let at = |dx: f64, dt: f64| Pareto { shape: shape + dx, scale: dt.exp() };
            let f = |dx, dt| at(dx, dt).log_density(y);
            let h = 1e-4;
            let terms = at(0.0, 0.0).terms(y);
            let numeric = [(f(h, 0.0) - f(-h, 0.0)) / (2.0 * h), (f(0.0, h) - f(0.0, -h)) / (2.0 * h)];
            let g = |dx, dt| at(dx, dt).terms(y).slope;
            let curvature = [
                (g(h, 0.0)[0] - g(-h, 0.0)[0]) / (2.0 * h),
                (g(0.0, h)[0] - g(0.0, -h)[0]) / (2.0 * h),
                (g(0.0, h)[1] - g(0.0, -h)[1]) / (2.0 * h),
            ];
            for (found, expected) in terms.slope.iter().zip(numeric).chain(terms.curvature.iter().zip(curvature)) {
                prop_assert!((found - expected).abs() < 2e-4 * (1.0 + expected.abs()), "{terms:?} {numeric:?} {curvature:?}");
            }
        }
    }

    #[test]
    fn series_and_closed_forms_meet() {
        let shape = 0.3;
        let below = Pareto { shape, scale: 1.0 }.terms((SERIES_BELOW - 1e-12) / shape);
        let above = Pareto { shape, scale: 1.0 }.terms((SERIES_BELOW + 1e-12) / shape);
        assert!((below.slope[0] - above.slope[0]).abs() < 1e-11);
        assert!((below.curvature[0] - above.curvature[0]).abs() < 1e-10);
    }

    #[test]
    fn what_has_no_tail_is_refused() {
        assert!(matches!(Pareto::fit(&[1.0; 9]), Err(EvaluationError::Empty(_))));
        assert!(matches!(Pareto::fit(&[1.0; 50]), Err(EvaluationError::NotSettled(_))));
        assert!(matches!(Pareto::fit(&[0.0; 50]), Err(EvaluationError::NotSettled(_))));
        let mut bad = vec![1.0; 50];
        bad[7] = f64::NAN;
        assert!(matches!(Pareto::fit(&bad), Err(EvaluationError::Figure { .. })));
    }
}
