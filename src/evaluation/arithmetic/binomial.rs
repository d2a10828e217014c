//! Binomial random numbers, in a time that does not grow with the number of trials.

use super::distributions::ln_choose;
use crate::evaluation::random::Stream;

/// Expected successes below which outcomes are gone through one by one.
const INVERSION_BELOW: f64 = 10.0;

/// Most successes that inversion counts to: ten times what is expected at most is exceeded once in 10^60 draws, and rounding
/// must not make one in 10^16 draws run on to the end.
const INVERSION_MOST: u64 = 100;

/// How many of `trials` succeed, each with probability `share` (0 to 1), drawn from `stream`.
///
/// Few expected successes: inversion of the distribution. Many: transformed rejection (Hörmann 1993, algorithm BTRS), whose
/// acceptance is decided by the exact probabilities.
pub fn draw(stream: &mut Stream, trials: u64, share: f64) -> u64 {
    if share > 0.5 {
        return trials - draw(stream, trials, 1.0 - share);
    }
    if trials == 0 || share <= 0.0 {
        0
    } else if trials as f64 * share < INVERSION_BELOW {
        by_inversion(stream, trials, share)
    } else {
        by_rejection(stream, trials, share)
    }
}

fn by_inversion(stream: &mut Stream, trials: u64, share: f64) -> u64 {
    let odds = share / (1.0 - share);
    let mut term = (trials as f64 * (-share).ln_1p()).exp();
    let mut rest = stream.uniform();
    let mut successes = 0;
    while rest >= term && successes < trials.min(INVERSION_MOST) {
        rest -= term;
        term *= odds * (trials - successes) as f64 / (successes + 1) as f64;
        successes += 1;
    }
    successes
}

fn by_rejection(stream: &mut Stream, trials: u64, share: f64) -> u64 {
    let n = trials as f64;
    let spread = (n * share * (1.0 - share)).sqrt();
    // The hat's constants are Hörmann's.
    let b = 1.15 + 2.53 * spread;
    let a = -0.0873 + 0.0248 * b + 0.01 * share;
    let centre = n * share + 0.5;
    let certain = 0.92 - 4.2 / b;
    let alpha = (2.83 + 5.1 / b) * spread;
    let mode = ((n + 1.0) * share).floor();
    let log_odds = share.ln() - (-share).ln_1p();
    let at_mode = ln_choose(n, mode);
    loop {
        let u = stream.uniform() - 0.5;
        let v = stream.uniform();
        let us = 0.5 - u.abs();
        let k = ((2.0 * a / us + b) * u + centre).floor();
        if us >= 0.07 && v <= certain {
            return k as u64;
        }
        if !(0.0..=n).contains(&k) {
            continue;
        }
        let height = (v * alpha / (a / (us * us) + b)).ln();
        if height <= ln_choose(n, k) - at_mode + (k - mode) * log_odds {
            return k as u64;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Counts of outcomes against the binomial probabilities, by chi-square over outcomes that are expected ten times or more.
    fn misfit(trials: u64, share: f64) -> (f64, f64) {
        let draws = 200_000;
        let mut counts = vec![0_u32; trials as usize + 1];
        let mut stream = Stream::new(4, trials);
        for _ in 0..draws {
            counts[draw(&mut stream, trials, share) as usize] += 1;
        }
        let probability = |k: u64| {
            let (n, k) = (trials as f64, k as f64);
            (ln_choose(n, k) + k * share.ln() + (n - k) * (1.0 - share).ln()).exp()
        };
        let (mut sum, mut cells) = (0.0, 0.0);
        for (k, &count) in counts.iter().enumerate() {
            let expected = probability(k as u64) * f64::from(draws);
            if expected >= 10.0 {
                sum += (f64::from(count) - expected).powi(2) / expected;
                cells += 1.0;
            }
        }
        (sum, cells)
    }

    #[test]
    fn outcomes_have_the_binomial_probabilities() {
        for (trials, share) in
            [(12, 0.3), (40, 0.24), (40, 0.26), (100, 0.5), (1_000, 0.03), (1_000, 0.97), (5_000, 0.4)]
        {
            let (sum, cells) = misfit(trials, share);
            // Mean `cells`, variance twice that: five standard deviations.
            assert!(sum < cells + 5.0 * (2.0 * cells).sqrt(), "{trials} {share}: {sum} of {cells}");
        }
    }

    #[test]
    fn certain_outcomes_are_certain() {
        let mut stream = Stream::new(1, 1);
        for trials in [0, 1, 1_000_000] {
            assert_eq!(draw(&mut stream, trials, 0.0), 0);
            assert_eq!(draw(&mut stream, trials, 1.0), trials);
        }
    }
}
