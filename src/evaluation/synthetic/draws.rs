//! Logarithm, exponential, and numbers drawn from normal, gamma and beta distributions, with the same bits on every machine.
//!
//! The system's mathematics library may round otherwise on another machine; these use single IEEE operations only.

use crate::evaluation::random::Stream;

/// Draws after which a rejection method gives up: it accepts three draws of four at least, so that nobody will see it.
const TRIES_MAX: u32 = 128;

/// Natural logarithm of a positive number, to some units in the last place: `2 artanh((m - 1) / (m + 1))` in 13 terms, for the
/// mantissa `m` brought between sqrt(1/2) and sqrt(2).
#[must_use]
pub fn ln(x: f64) -> f64 {
    let bits = x.to_bits();
    let mut exponent = (bits >> 52 & 0x7FF) as i64 - 1023;
    let mut mantissa = f64::from_bits(bits & 0x000F_FFFF_FFFF_FFFF | 0x3FF0_0000_0000_0000);
    if mantissa > std::f64::consts::SQRT_2 {
        mantissa *= 0.5;
        exponent += 1;
    }
    let part = (mantissa - 1.0) / (mantissa + 1.0);
    let square = part * part;
    let sum = (0..13_u32).rev().fold(0.0, |sum, term| sum * square + 1.0 / f64::from(2 * term + 1));
    exponent as f64 * std::f64::consts::LN_2 + 2.0 * part * sum
}

/// Exponential of a number between -700 and 700, others being brought there: `2^n exp(r)` with 15 terms for `r`.
#[must_use]
pub fn exp(x: f64) -> f64 {
    let x = x.clamp(-700.0, 700.0);
    let whole = (x * std::f64::consts::LOG2_E + 0.5).floor();
    let rest = x - whole * std::f64::consts::LN_2;
    let sum = (1..15_u32).rev().fold(1.0, |sum, term| 1.0 + rest * sum / f64::from(term));
    sum * f64::from_bits(((whole as i64 + 1023) as u64) << 52)
}

/// Mean 0, variance 1, normal to the far tails (Marsaglia's polar method, of which one of two numbers is used).
pub fn normal(stream: &mut Stream) -> f64 {
    for _ in 0..TRIES_MAX {
        let x = 2.0 * stream.uniform() - 1.0;
        let y = 2.0 * stream.uniform() - 1.0;
        let square = x * x + y * y;
        if square > 0.0 && square < 1.0 {
            return x * (-2.0 * ln(square) / square).sqrt();
        }
    }
    0.0
}

/// From the gamma distribution of a `shape` of at least 1 and scale 1 (Marsaglia and Tsang 2000, without the squeeze).
fn gamma(stream: &mut Stream, shape: f64) -> f64 {
    let d = shape - 1.0 / 3.0;
    let c = 1.0 / (9.0 * d).sqrt();
    for _ in 0..TRIES_MAX {
        let x = normal(stream);
        let root = 1.0 + c * x;
        let u = stream.uniform();
        if root <= 0.0 {
            continue;
        }
        let v = root * root * root;
        if ln(u) < 0.5 * x * x + d - d * v + d * ln(v) {
            return d * v;
        }
    }
    d
}

/// From the beta distribution with parameters `mean * concentration` and `(1 - mean) * concentration`, both at least 1.
pub fn beta(stream: &mut Stream, mean: f64, concentration: f64) -> f64 {
    let one = gamma(stream, mean * concentration);
    let other = gamma(stream, (1.0 - mean) * concentration);
    one / (one + other)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn logarithm_and_exponential_are_right(x in 1e-300_f64..1e300, y in -600.0_f64..600.0, z in 0.5_f64..2.0) {
            prop_assert!((ln(x) - x.ln()).abs() <= 4e-16 * x.ln().abs().max(1.0));
            prop_assert!((ln(z) - z.ln()).abs() <= 4e-16);
            prop_assert!((exp(y) / y.exp() - 1.0).abs() <= 2e-13);
        }
    }

    #[test]
    fn the_ends_give_numbers() {
        assert_eq!(ln(1.0), 0.0);
        assert_eq!(exp(0.0), 1.0);
        assert!(ln(0.0) < -700.0 && exp(-1e9) > 0.0 && exp(1e9).is_finite());
    }

    #[test]
    fn normals_have_the_tails_of_normals() {
        let mut stream = Stream::new(3, 1);
        let n = 400_000;
        let draws: Vec<f64> = (0..n).map(|_| normal(&mut stream)).collect();
        let mean = draws.iter().sum::<f64>() / f64::from(n);
        let variance = draws.iter().map(|x| x * x).sum::<f64>() / f64::from(n);
        assert!(mean.abs() < 0.006 && (variance - 1.0).abs() < 0.01, "{mean} {variance}");
        // 1.35 in a thousand above 3; four standard errors of the count.
        let above = draws.iter().filter(|&&x| x > 3.0).count() as f64;
        assert!((above - 540.0).abs() < 4.0 * 540.0_f64.sqrt(), "{above}");
    }

    #[test]
    fn betas_have_their_moments_and_their_lower_tail() {
        // The last column: P(x < y) by scipy.stats.beta.cdf.
        for (mean, concentration, y, below) in
            [(0.9, 120.0, 0.84, 0.023_995_4), (0.412, 6.0, 0.1, 0.030_428_0), (0.765, 90.0, 0.65, 0.008_224_4)]
        {
            let mut stream = Stream::new(9, concentration as u64);
            let n = 200_000;
            let draws: Vec<f64> = (0..n).map(|_| beta(&mut stream, mean, concentration)).collect();
            let found = draws.iter().sum::<f64>() / f64::from(n);
            let variance = draws.iter().map(|x| (x - found).powi(2)).sum::<f64>() / f64::from(n);
            let wanted = mean * (1.0 - mean) / (concentration + 1.0);
            assert!((found - mean).abs() < 4.0 * (wanted / f64::from(n)).sqrt(), "{found}");
            assert!((variance / wanted - 1.0).abs() < 0.02, "{variance} {wanted}");
            let low = draws.iter().filter(|&&x| x < y).count() as f64;
            let expected = below * f64::from(n);
            assert!((low - expected).abs() < 4.0 * expected.sqrt(), "{low} {expected}");
        }
    }
}
