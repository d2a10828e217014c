//! How directions differ in strength: variances `(k + shift)^-alpha` for direction k from 1, of sum 1.
//!
//! Two figures set it. The effective dimension `d_eff` sets the spread of strangers' scores, which is `1 / sqrt(d_eff)`. For vectors without
//! a length it would be one over the sum of squared variances; scaling to length 1 takes from the strong directions, so
//! that direction k keeps `m_k = v_k (1 - 2 v_k + 2 sum(v^2))`, to second order, and `d_eff = 1 / sum(m^2)`.
//!
//! The share of the strongest direction sets the scores' far tail: with `shift` 0, 512 components and `d_eff` 150, scores above 0.45 are six
//! times as frequent as the normal distribution has them, and with a flat spectrum ten times as rare. A share of 0.035 keeps the
//! tail within a third of the normal one out to 6 deviations (found by importance sampling, for 192 to 1,024 components), which is
//! what the closed form rests on.

use crate::evaluation::synthetic::SyntheticError;
use crate::evaluation::synthetic::draws::{exp, ln};
use crate::evaluation::turn::turn;
use crate::vector::dimension::Dimension;

/// Steps of each bisection: fewer than would reach the last bit, so that none depends on it.
const STEPS: u32 = 40;
const ALPHA_MAX: f64 = 8.0;
const SHIFT_MIN: f64 = -0.99;
const SHIFT_MAX: f64 = 100.0;
/// Effective dimensions there may be, of the components.
const FULLEST: f64 = 0.95;

/// The spread of templates by direction, and the way from directions to components.
#[derive(Debug, Clone)]
pub struct Spectrum {
    /// How steeply variances fall.
    pub alpha: f64,
    /// Where they begin to.
    pub shift: f64,
    /// Standard deviations, strongest direction first; their squares add up to 1.
    pub spread: Vec<f64>,
    /// Components that are turned together: the largest power of two in the dimension.
    side: usize,
}

impl Spectrum {
    /// The spectrum of so many effective dimensions whose strongest direction has a share of `strongest` in all variance, or as
    /// near to it as there is.
    ///
    /// # Errors
    /// [`SyntheticError::Dimension`] when there are too few components.
    pub fn new(dimension: Dimension, effective: f64, strongest: f64) -> Result<Self, SyntheticError> {
        let count = dimension.get();
        if effective > FULLEST * count as f64 {
            let wanted = ((effective / FULLEST / 16.0).ceil() * 16.0) as usize;
            return Err(SyntheticError::Dimension { effective, dimension: count, wanted });
        }
        let (mut low, mut high) = (SHIFT_MIN, SHIFT_MAX);
        for _ in 0..STEPS {
            let shift = f64::midpoint(low, high);
            let variances = variances(&logarithms(count, shift), effective).1;
            if variances.first().is_some_and(|first| *first > strongest) {
                low = shift;
            } else {
                high = shift;
            }
        }
        let (alpha, variances) = variances(&logarithms(count, low), effective);
        let spread = variances.iter().map(|variance| variance.sqrt()).collect();
        Ok(Self { alpha, shift: low, spread, side: 1 << count.trailing_zeros() })
    }

    /// Effective dimensions.
    #[must_use]
    pub fn effective(&self) -> f64 {
        let variances: Vec<f64> = self.spread.iter().map(|spread| spread * spread).collect();
        effective_of(&variances)
    }

    /// Turns strengths by direction into components that all have the same spread, as a trained network's have. `work` is of the
    /// same length; angles between templates stay.
    pub fn onto_components(&self, directions: &[f64], work: &mut [f64], out: &mut [f32]) {
        let sides = directions.len() / self.side;
        for (component, value) in work.iter_mut().enumerate() {
            // Strong and weak directions are dealt out evenly among the parts that are turned together.
            let place = component % self.side * sides + component / self.side;
            *value = directions.get(place).copied().unwrap_or_default();
        }
        let scale = 1.0 / (self.side as f64).sqrt();
        work.chunks_exact_mut(self.side).for_each(turn);
        for (out, value) in out.iter_mut().zip(work) {
            *out = (*value * scale) as f32;
        }
    }
}

fn logarithms(count: usize, shift: f64) -> Vec<f64> {
    (1..=count).map(|k| ln(k as f64 + shift)).collect()
}

/// The steepness that leaves `effective` dimensions, and its variances, scaled to sum 1.
fn variances(logarithms: &[f64], effective: f64) -> (f64, Vec<f64>) {
    let of = |alpha: f64| {
        let mut variances: Vec<f64> = logarithms.iter().map(|ln_k| exp(-alpha * ln_k)).collect();
        let sum = variances.iter().fold(0.0, |sum, variance| sum + variance);
        for variance in &mut variances {
            *variance /= sum;
        }
        variances
    };
    let (mut low, mut high) = (0.0, ALPHA_MAX);
    for _ in 0..STEPS {
        let alpha = f64::midpoint(low, high);
        if effective_of(&of(alpha)) > effective {
            low = alpha;
        } else {
            high = alpha;
        }
    }
    (low, of(low))
}

/// Effective dimensions of directions of length 1 with such variances, whose sum is 1.
fn effective_of(variances: &[f64]) -> f64 {
    let squares = variances.iter().fold(0.0, |sum, variance| sum + variance * variance);
    let kept = |variance: &f64| variance * (1.0 - 2.0 * variance + 2.0 * squares);
    1.0 / variances.iter().map(kept).fold(0.0, |sum, kept| sum + kept * kept)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_figures_are_met() {
        for (dimension, effective, strongest) in
            [(512, 150.0, 0.035), (256, 150.0, 0.035), (128, 40.0, 0.08), (48, 9.0, 0.3)]
        {
            let spectrum = Spectrum::new(Dimension::new(dimension).unwrap(), effective, strongest).unwrap();
            assert!((spectrum.effective() / effective - 1.0).abs() < 1e-6, "{dimension}: {}", spectrum.effective());
            assert!(
                (spectrum.spread[0].powi(2) - strongest).abs() < 1e-4,
                "{dimension}: {}",
                spectrum.spread[0].powi(2)
            );
            assert!(spectrum.spread.is_sorted_by(|a, b| a >= b));
        }
    }

    #[test]
    fn too_few_components_are_refused_with_what_would_do() {
        let error = Spectrum::new(Dimension::new(128).unwrap(), 150.0, 0.035).unwrap_err();
        let SyntheticError::Dimension { wanted, .. } = error else { panic!("{error}") };
        assert!(Spectrum::new(Dimension::new(wanted).unwrap(), 150.0, 0.035).is_ok());
        assert!(Spectrum::new(Dimension::new(wanted - 16).unwrap(), 150.0, 0.035).is_err());
    }

    #[test]
    fn angles_stay_when_directions_become_components() {
        let spectrum = Spectrum::new(Dimension::new(48).unwrap(), 20.0, 0.1).unwrap();
        let (a, mut work, mut out) = (spectrum.spread.clone(), vec![0.0; 48], vec![0.0; 48]);
        let b: Vec<f64> = (0..48).map(|k| f64::from(k % 7) - 3.0).collect();
        let mut components = |x: &[f64]| {
            spectrum.onto_components(x, &mut work, &mut out);
            out.clone()
        };
        let (a_out, b_out) = (components(&a), components(&b));
        let dot = |x: &[f64], y: &[f64]| x.iter().zip(y).map(|(x, y)| x * y).sum::<f64>();
        let dot_out: f64 = a_out.iter().zip(&b_out).map(|(x, y)| f64::from(*x) * f64::from(*y)).sum();
        assert!((dot_out - dot(&a, &b)).abs() < 1e-5, "{dot_out}");
    }
}
