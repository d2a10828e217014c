//! Normal and beta distributions, to about thirteen digits of the smaller tail.
//!
//! All is written here, since statrs's incomplete beta function was found off in the third digit at a million searches, and its
//! inverse in the third: they subtract logarithms of factorials, numbers of millions. Here the leading factor is written by
//! deviances from the mode (Loader 2000, "Fast and accurate computation of binomial probabilities"), which are small. What would
//! have been left to take from there is short, and not worth the eleven packages it brings.

use std::f64::consts::{PI, SQRT_2};

/// Terms of the continued fraction after which it is given up; it needs about the root of the larger parameter.
const FRACTION_TERMS_MAX: u32 = 100_000;
/// Steps of the search for a quantile: Newton's take ten, halving takes sixty.
const QUANTILE_STEPS_MAX: u32 = 200;

/// P(Z > z) for a standard normal Z.
#[must_use]
pub fn normal_tail(z: f64) -> f64 {
    let above = upper_normal(z.abs());
    if z < 0.0 { 1.0 - above } else { above }
}

/// The same for z >= 0.
fn upper_normal(z: f64) -> f64 {
    let x = z / SQRT_2;
    let x2 = x * x;
    if x < 1.5 {
        // erf(x) = 2x/√π e^(-x²) (1 + 2x²/3 + (2x²)²/15 + ...): no sum of different signs.
        let (mut term, mut sum, mut odd) = (1.0, 1.0, 1.0);
        while term > 1e-17 * sum {
            odd += 2.0;
            term *= 2.0 * x2 / odd;
            sum += term;
        }
        return 0.5 - x / PI.sqrt() * (-x2).exp() * sum;
    }
    // The continued fraction of erfc: 1 / (x + (1/2) / (x + (2/2) / (x + (3/2) / (x + ...)))), from the inside.
    let terms = (20.0 + 400.0 / x2) as u32;
    let inside = (1..=terms).rev().fold(x, |inner, k| x + 0.5 * f64::from(k) / inner);
    0.5 * (-x2).exp() / (PI.sqrt() * inside)
}

/// The z with P(Z <= z) = `share`, for a standard normal Z; infinite at 0 and 1.
///
/// Newton's method on the logarithm of the tail, which is concave, so that it comes from one side.
#[must_use]
pub fn normal_quantile(share: f64) -> f64 {
    if share > 0.5 {
        return -normal_quantile(1.0 - share);
    }
    if share <= 0.0 {
        return f64::NEG_INFINITY;
    }
    let mut z = (-2.0 * (2.0 * share).ln()).max(0.0).sqrt();
    for _ in 0..60 {
        let tail = upper_normal(z);
        let density = (-0.5 * z * z).exp() / (2.0 * PI).sqrt();
        let step = (tail / share).ln() * tail / density;
        z += step;
        if step.abs() <= 1e-16 * (1.0 + z.abs()) {
            break;
        }
    }
    -z
}

/// ln Γ(z) for z > 0: Stirling's series, of smaller z after steps up.
fn ln_gamma(z: f64) -> f64 {
    let (mut z, mut steps) = (z, 1.0);
    while z < 20.0 {
        steps *= z;
        z += 1.0;
    }
    (z - 0.5) * z.ln() - z + 0.5 * (2.0 * PI).ln() + stirling_series(z) - f64::ln(steps)
}

/// ln C(n, k), for real numbers as well.
#[must_use]
pub fn ln_choose(n: f64, k: f64) -> f64 {
    ln_gamma(n + 1.0) - ln_gamma(k + 1.0) - ln_gamma(n - k + 1.0)
}

/// What Stirling's formula leaves over, by its series for z >= 20.
fn stirling_series(z: f64) -> f64 {
    let s = 1.0 / (z * z);
    (1.0 / 12.0 - s * (1.0 / 360.0 - s * (1.0 / 1260.0 - s * (1.0 / 1680.0 - s / 1188.0)))) / z
}

/// The same for all z > 0: ln Γ(z+1) - (z + 1/2) ln z + z - ln √2π.
fn stirling_error(z: f64) -> f64 {
    if z < 20.0 { ln_gamma(z + 1.0) - (z + 0.5) * z.ln() + z - 0.5 * (2.0 * PI).ln() } else { stirling_series(z) }
}

/// x ln(x/m) + m - x, without loss when x and m are near.
fn deviance(x: f64, m: f64) -> f64 {
    let d = (x - m) / m;
    if d.abs() > 0.1 {
        return x * (x / m).ln() + m - x;
    }
    // m ((1+d) ln(1+d) - d) as a series.
    let (mut power, mut sum) = (d * d, 0.0);
    for k in 2..24_u32 {
        sum += power / f64::from(k * (k - 1));
        power *= -d;
    }
    m * sum
}

/// x^a y^b / B(a, b), where y = 1 - x.
fn leading(a: f64, b: f64, x: f64, y: f64) -> f64 {
    let n = a + b;
    let errors = stirling_error(n) - stirling_error(a) - stirling_error(b);
    let exponent = errors - deviance(a, n * x) - deviance(b, n * y);
    exponent.exp() * (a * b / (2.0 * PI * n)).sqrt()
}

/// The continued fraction of the incomplete beta function by Lentz's method, for x below the mean.
fn fraction(a: f64, b: f64, x: f64) -> f64 {
    let tiny = 1e-300;
    let away = |value: f64| if value.abs() < tiny { tiny } else { value };
    let mut c = 1.0;
    let mut d = 1.0 / away(1.0 - (a + b) * x / (a + 1.0));
    let mut value = d;
    for m in 1..FRACTION_TERMS_MAX {
        let m = f64::from(m);
        let even = m * (b - m) * x / ((a + 2.0 * m - 1.0) * (a + 2.0 * m));
        let odd = -(a + m) * (a + b + m) * x / ((a + 2.0 * m) * (a + 2.0 * m + 1.0));
        d = 1.0 / away(1.0 + even * d);
        c = away(1.0 + even / c);
        value *= d * c;
        d = 1.0 / away(1.0 + odd * d);
        c = away(1.0 + odd / c);
        let step = d * c;
        value *= step;
        if (step - 1.0).abs() < 1e-16 {
            break;
        }
    }
    value
}

/// P(X <= x) and P(X > x) for X of the beta distribution with `a`, `b` > 0, given x and y = 1 - x; the smaller of the
/// two keeps all its digits.
#[must_use]
pub fn beta_tails(a: f64, b: f64, x: f64, y: f64) -> (f64, f64) {
    if x <= 0.0 {
        return (0.0, 1.0);
    }
    if y <= 0.0 {
        return (1.0, 0.0);
    }
    let front = leading(a, b, x, y);
    if x * (a + b + 2.0) < a + 1.0 {
        let below = (front * fraction(a, b, x) / a).min(1.0);
        (below, 1.0 - below)
    } else {
        let above = (front * fraction(b, a, y) / b).min(1.0);
        (1.0 - above, above)
    }
}

/// The x with P(X <= x) = `share`, for X of the beta distribution with `a`, `b` > 0 and `share` between 0 and 1.
///
/// Newton's method on ln(x / (1-x)), where x has all digits near 0 and near 1, kept inside a shrinking bracket.
#[must_use]
pub fn beta_quantile(a: f64, b: f64, share: f64) -> f64 {
    let (mut low, mut high) = (-745.0_f64, 745.0_f64);
    let mut at = (a / b).ln();
    for _ in 0..QUANTILE_STEPS_MAX {
        let (x, y) = (1.0 / (1.0 + (-at).exp()), 1.0 / (1.0 + at.exp()));
        let (below, above) = beta_tails(a, b, x, y);
        let excess = if share <= 0.5 { below - share } else { (1.0 - share) - above };
        if excess > 0.0 {
            high = at;
        } else {
            low = at;
        }
        let newton = at - excess / leading(a, b, x, y);
        let next = if newton > low && newton < high { newton } else { f64::midpoint(low, high) };
        let moved = (next - at).abs();
        at = next;
        if moved <= 2e-16 * at.abs().max(1.0) {
            break;
        }
    }
    1.0 / (1.0 + (-at).exp())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// P(K >= k) for K binomial, summed up term by term from ratios: no gamma function.
    fn binomial_upper(k: u64, n: u64, p: f64) -> f64 {
        let mut term = (1.0 - p).powi(n as i32);
        let mut sum = if k == 0 { term } else { 0.0 };
        for i in 1..=n {
            term *= (n - i + 1) as f64 / i as f64 * p / (1.0 - p);
            if i >= k {
                sum += term;
            }
        }
        sum
    }

    proptest! {
        #[test]
        fn the_beta_distribution_is_the_binomials_tail(n in 1_u64..60, share in 0.0_f64..1.0, p in 0.01_f64..0.99) {
            let k = 1 + (share * (n - 1) as f64) as u64;
            let (below, above) = beta_tails(k as f64, (n - k + 1) as f64, p, 1.0 - p);
            let expected = binomial_upper(k, n, p);
            prop_assert!((below - expected).abs() < 1e-13, "{below} {expected}");
            prop_assert!((above + below - 1.0).abs() < 1e-13);
        }

        #[test]
        fn quantiles_lead_back(a in 0.3_f64..3e5, b in 0.3_f64..3e5, share in 0.001_f64..0.999) {
            let x = beta_quantile(a, b, share);
            let (below, _) = beta_tails(a, b, x, 1.0 - x);
            // x is a double: what one unit in its last place (near 1, of 1 - x) is worth is no error of the search.
            prop_assert!((below - share).abs() < 1e-9, "{a} {b} {share}: {below}");
        }

        #[test]
        fn normal_quantiles_lead_back(share in 1e-9_f64..0.999_999) {
            let tail = normal_tail(normal_quantile(share));
            prop_assert!((1.0 - tail - share).abs() < 1e-13);
        }
    }

    #[test]
    fn a_symmetric_distribution_of_a_million_has_its_median_in_the_middle() {
        let (below, above) = beta_tails(500_000.0, 500_000.0, 0.5, 0.5);
        assert!((below - 0.5).abs() < 1e-13 && (above - 0.5).abs() < 1e-13);
        assert!((beta_quantile(1.0, 1.0, 0.3) - 0.3).abs() < 1e-15, "uniform");
    }
}
