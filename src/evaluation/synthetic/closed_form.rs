//! What a plain population's error rates are, without making a template: by quadrature over the fidelities.
//!
//! Two strangers score as `N(0, 1 / d_eff)`; a probe and its mate as `a_p a_g + sqrt((1 - a_p^2) (1 - a_g^2) / d_eff) N(0, 1)`.
//! FPIR takes comparisons of one search as independent, which they are not quite: docs/SYNTHETIC.md has how far that is off.
//! Groups, relatives, goats, drift, ageing and failures are not in it: with them, an evaluation should come out otherwise.

use crate::evaluation::arithmetic::distributions::normal_tail;
use crate::evaluation::synthetic::draws::{exp, ln};
use crate::evaluation::synthetic::parameters::{Fidelity, Parameters, ProbeType};

/// Points of the quadrature over each fidelity.
const POINTS: usize = 400;
const BISECTIONS: u32 = 80;

/// FMR(T): share of comparisons of strangers that score `threshold` or more.
#[must_use]
pub fn false_match_rate(parameters: &Parameters, threshold: f64) -> f64 {
    normal_tail(threshold * parameters.effective_dimension.sqrt())
}

/// FPIR(N, T): share of non-mated searches with a candidate at or above `threshold`.
#[must_use]
pub fn false_positive_rate(parameters: &Parameters, people: u64, threshold: f64) -> f64 {
    -(people as f64 * (-false_match_rate(parameters, threshold)).ln_1p()).exp_m1()
}

/// The threshold at which FPIR(N, T) is `fpir`.
#[must_use]
pub fn threshold_at(parameters: &Parameters, people: u64, fpir: f64) -> f64 {
    let (mut low, mut high) = (-1.0, 1.0);
    for _ in 0..BISECTIONS {
        let middle = f64::midpoint(low, high);
        if false_positive_rate(parameters, people, middle) > fpir {
            low = middle;
        } else {
            high = middle;
        }
    }
    high
}

/// FNIR(N, N, T): share of mated searches whose mate scores below `threshold`. Over all types of probes, by their shares.
#[must_use]
pub fn miss_rate(parameters: &Parameters, threshold: f64) -> f64 {
    let gallery = points(parameters.gallery);
    let of_type = |probe: &ProbeType| {
        let mut missed = 0.0;
        for (a, weight) in points(probe.fidelity) {
            for (b, other_weight) in &gallery {
                let deviation = ((1.0 - a * a) * (1.0 - b * b) / parameters.effective_dimension).sqrt();
                missed += weight * other_weight * normal_tail((a * b - threshold) / deviation);
            }
        }
        probe.share * missed
    };
    parameters.probes.iter().map(of_type).sum()
}

/// Mean and deviation of scores between a probe of one type and its mate.
#[must_use]
pub fn mated_scores(parameters: &Parameters, probe: &ProbeType) -> (f64, f64) {
    let (p, g) = (probe.fidelity, parameters.gallery);
    let (p_square, g_square) = (p.mean_square(), g.mean_square());
    let mean = p.mean * g.mean;
    let noise = (1.0 - p_square) * (1.0 - g_square) / parameters.effective_dimension;
    (mean, (p_square * g_square - mean * mean + noise).sqrt())
}

/// Midpoints and weights of a beta distribution.
fn points(fidelity: Fidelity) -> Vec<(f64, f64)> {
    let a = fidelity.mean * fidelity.concentration;
    let b = (1.0 - fidelity.mean) * fidelity.concentration;
    // Ten deviations each way, as far as there are.
    let deviation = (fidelity.mean_square() - fidelity.mean * fidelity.mean).sqrt();
    let from = (fidelity.mean - 10.0 * deviation).max(0.0);
    let to = (fidelity.mean + 10.0 * deviation).min(1.0);
    let at = |point: usize| from + (to - from) * (point as f64 + 0.5) / POINTS as f64;
    let log = |x: f64| (a - 1.0) * ln(x) + (b - 1.0) * ln(1.0 - x);
    let most = log(fidelity.mean);
    let mut points: Vec<(f64, f64)> = (0..POINTS).map(|point| (at(point), exp(log(at(point)) - most))).collect();
    let sum: f64 = points.iter().map(|(_, weight)| weight).sum();
    for (_, weight) in &mut points {
        *weight /= sum;
    }
    points
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::evaluation::synthetic::Preset;

    #[test]
    #[allow(clippy::approx_constant, reason = "a threshold that happens to be near 1/pi")]
    fn presets_meet_what_was_published() {
        // Threshold, mean and deviation of mated scores: the table of docs/SYNTHETIC.md, worked out with scipy.
        let table = [
            (0.508, 0.691, 0.051),
            (0.508, 0.672, 0.052),
            (0.481, 0.660, 0.064),
            (0.481, 0.615, 0.073),
            (0.490, 0.658, 0.054),
            (0.451, 0.577, 0.100),
            (0.318, 0.371, 0.171),
        ];
        for (preset, (wanted_threshold, wanted_mean, wanted_deviation)) in Preset::ALL.into_iter().zip(table) {
            let (parameters, published) = (preset.parameters(), preset.published());
            assert!(parameters.is_plain());
            let threshold = threshold_at(&parameters, published.people, published.fpir);
            assert!((threshold - wanted_threshold).abs() < 0.0006, "{}: T {threshold}", preset.name());
            let fnir = miss_rate(&parameters, threshold);
            assert!((fnir / published.fnir - 1.0).abs() < 0.005, "{}: FNIR {fnir}", preset.name());
            let (mean, deviation) = mated_scores(&parameters, &parameters.probes[0]);
            assert!((mean - wanted_mean).abs() < 0.001, "{}: {mean}", preset.name());
            assert!((deviation - wanted_deviation).abs() < 0.001, "{}: {deviation}", preset.name());
        }
    }

    #[test]
    fn misses_grow_with_the_gallery() {
        // The rest of the note's figures: lfr_npl misses 6 % at a thousand, 26 % at a million, 35 % at ten million.
        let parameters = Preset::LfrNpl.parameters();
        for (people, wanted) in [(1_000, 0.06), (1_000_000, 0.26), (10_000_000, 0.35)] {
            let missed = miss_rate(&parameters, threshold_at(&parameters, people, 1.0 / 6_000.0));
            assert!((missed - wanted).abs() < 0.01, "{people}: {missed}");
        }
        let mugshot = Preset::Mugshot.parameters();
        for (people, wanted) in [
            (10_000, 0.408),
            (100_000, 0.442),
            (1_000_000, 0.475),
            (3_600_000, 0.492),
            (10_000_000, 0.505),
            (19_000_000, 0.514),
        ] {
            assert!((threshold_at(&mugshot, people, 0.003) - wanted).abs() < 0.001, "{people}");
        }
    }
}
