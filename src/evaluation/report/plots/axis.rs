//! Axes with ticks that people expect (1, 2, 5 or decades), and a place for zero where the scale is logarithmic.

use std::ops::Range;

use plotters::coord::ranged1d::{KeyPointHint, KeyPointWeight, NoDefaultFormatting, Ranged, ValueFormatter};

use super::super::words;
use crate::base::text::thousands;

/// Part of a logarithmic axis that is set aside for zeros.
const ZERO_SHARE: f64 = 0.09;
/// What is zero but for rounding.
const ROUNDING: f64 = 1e-12;
/// Part of an axis of sizes that is left free at each end, so that marks do not stand on the frame.
const PADDING: f64 = 0.04;
/// Most labels on an axis.
const LABELS_MAX: usize = 11;

/// How ticks are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Labels {
    /// As they are.
    Plain,
    /// 10k, 1M.
    Sizes,
}

/// One axis of a plot.
#[derive(Debug, Clone)]
pub(super) struct Axis {
    /// What it measures, with its unit.
    pub(super) title: String,
    logarithmic: bool,
    labels: Labels,
    from: f64,
    to: f64,
    /// Whether the low end of a logarithmic axis is a band for zeros.
    pub(super) zero_band: bool,
    major: Vec<f64>,
    minor: Vec<f64>,
}

impl Axis {
    /// From the smallest to the largest of `values`, in equal steps.
    pub(super) fn linear(title: &str, values: impl Iterator<Item = f64>) -> Self {
        let (mut low, mut high) = bounds(values).unwrap_or((0.0, 1.0));
        if high - low < 1e-12 * high.abs().max(1.0) {
            // A single value: some room on both sides.
            (low, high) = (low - 0.05, high + 0.05);
        }
        Self::steps(title, low, high)
    }

    /// The same for shares: never below 0 or above 1.
    pub(super) fn share(title: &str, values: impl Iterator<Item = f64>) -> Self {
        let found = bounds(values.map(|value| value.clamp(0.0, 1.0)));
        let (low, high) = found.filter(|(low, high)| high - low > 1e-9).unwrap_or((0.0, 1.0));
        Self::steps(title, low, high)
    }

    fn steps(title: &str, low: f64, high: f64) -> Self {
        let step = nice_step((high - low) / 6.0);
        let (first, last) = ((low / step + 1e-9).floor(), (high / step - 1e-9).ceil());
        let count = (last - first).clamp(1.0, 100.0) as usize;
        let major: Vec<f64> = (0..=count).map(|index| (first + index as f64) * step).collect();
        Self {
            title: title.to_owned(),
            logarithmic: false,
            labels: Labels::Plain,
            from: first * step,
            to: (first + count as f64) * step,
            zero_band: false,
            major,
            minor: Vec::new(),
        }
    }

    /// Error rates: none above 1; zeros get a band below `finest`, the smallest rate that could have been seen.
    pub(super) fn rates(title: &str, values: impl Iterator<Item = f64> + Clone, finest: Option<f64>) -> Self {
        let mut axis = Self::logarithmic(title, Labels::Plain, values, finest);
        let (from, to) = (axis.from.min(0.1), axis.to.min(1.0));
        (axis.major, axis.minor) = log_ticks(from, to);
        Self { from, to, ..axis }
    }

    /// Over the positive ones of `values`; zeros get a band below. `finest` is the smallest rate that could have been seen.
    pub(super) fn logarithmic(
        title: &str,
        labels: Labels,
        values: impl Iterator<Item = f64> + Clone,
        finest: Option<f64>,
    ) -> Self {
        // The lower end of an interval may miss zero by rounding.
        let nought = if finest.is_some() { ROUNDING } else { 0.0 };
        let zero_band = values.clone().any(|value| value <= nought);
        let positive = values.filter(|value| *value > nought);
        let finest = finest.filter(|finest| zero_band && *finest > 0.0);
        let (low, high) = bounds(positive.chain(finest)).unwrap_or((0.01, 1.0));
        let (mut from, mut to) = (below(low), above(high));
        if labels == Labels::Sizes {
            let room = (high / low).powf(PADDING).max(if high > low { 1.0 } else { 1.6 });
            (from, to) = (low / room, high * room);
        } else if to / from < 1.5 {
            // A single value: some room on both sides.
            (from, to) = (below(from * 0.99), above(to * 1.01));
        }
        let (major, minor) = log_ticks(from, to);
        Self { title: title.to_owned(), logarithmic: true, labels, from, to, zero_band, major, minor }
    }

    /// Where between 0 (low end) and 1 a value stands.
    fn place(&self, value: f64) -> f64 {
        if !self.logarithmic {
            return ((value - self.from) / (self.to - self.from)).clamp(0.0, 1.0);
        }
        let base = if self.zero_band { ZERO_SHARE } else { 0.0 };
        if value <= 0.0 || (self.zero_band && value < self.from * (1.0 - 1e-9)) {
            return base / 2.0;
        }
        let share = (value / self.from).log10() / (self.to / self.from).log10();
        base + (1.0 - base) * share.clamp(0.0, 1.0)
    }

    /// Upper end of the band for zeros.
    pub(super) fn band_end(&self) -> f64 {
        self.from
    }

    /// What an axis wants as ticks in words, for tests and alternative texts.
    pub(super) fn label(&self, value: f64) -> String {
        if self.logarithmic && value <= 0.0 {
            return "0".to_owned();
        }
        match self.labels {
            Labels::Sizes => words::size(value),
            Labels::Plain if self.logarithmic => log_label(value),
            Labels::Plain => {
                let step = self.major.windows(2).map(|pair| pair[1] - pair[0]).next().unwrap_or(1.0);
                let decimals = (-(step * 1.000_001).log10().floor()).clamp(0.0, 9.0) as usize;
                let text = format!("{value:.decimals$}").replace('-', "−");
                if text.trim_start_matches('−').chars().all(|letter| matches!(letter, '0' | '.')) {
                    "0".to_owned()
                } else {
                    text
                }
            }
        }
    }

    /// Labelled ticks.
    pub(super) fn ticks(&self) -> Vec<f64> {
        let zero = (self.logarithmic && self.zero_band).then_some(0.0);
        zero.into_iter().chain(self.major.iter().copied()).collect()
    }
}

impl Ranged for Axis {
    type FormatOption = NoDefaultFormatting;
    type ValueType = f64;

    fn map(&self, value: &f64, limit: (i32, i32)) -> i32 {
        limit.0 + (f64::from(limit.1 - limit.0) * self.place(*value)).round() as i32
    }

    fn key_points<Hint: KeyPointHint>(&self, hint: Hint) -> Vec<f64> {
        match hint.weight() {
            KeyPointWeight::Bold => self.ticks(),
            KeyPointWeight::Any => self.minor.clone(),
        }
    }

    fn range(&self) -> Range<f64> {
        self.from..self.to
    }
}

impl ValueFormatter<f64> for Axis {
    fn format_ext(&self, value: &f64) -> String {
        self.label(*value)
    }
}

/// Smallest and largest.
fn bounds(values: impl Iterator<Item = f64>) -> Option<(f64, f64)> {
    values.filter(|value| value.is_finite()).fold(None, |found, value| {
        let (low, high) = found.unwrap_or((value, value));
        Some((low.min(value), high.max(value)))
    })
}

/// The step of 1, 2 or 5 times a power of ten that is at least `least`.
fn nice_step(least: f64) -> f64 {
    let power = 10_f64.powf(least.log10().floor());
    let nice = [1.0, 2.0, 5.0, 10.0].into_iter().find(|nice| nice * power >= least * (1.0 - 1e-9));
    nice.unwrap_or(10.0) * power
}

/// Powers of ten, exactly rounded where a power itself would not be.
fn ten(power: i32) -> f64 {
    format!("1e{power}").parse().unwrap_or(1.0)
}

/// The largest of 1, 2 or 5 times a power of ten that is at most `value`.
fn below(value: f64) -> f64 {
    let power = value.log10().floor() as i32;
    let nice = [5.0, 2.0, 1.0].into_iter().find(|nice| nice * ten(power) <= value * (1.0 + 1e-9));
    nice.unwrap_or(0.5) * ten(power)
}

/// The smallest of 1, 2 or 5 times a power of ten that is at least `value`.
fn above(value: f64) -> f64 {
    let power = value.log10().floor() as i32;
    let nice = [1.0, 2.0, 5.0, 10.0].into_iter().find(|nice| nice * ten(power) >= value * (1.0 - 1e-9));
    nice.unwrap_or(10.0) * ten(power)
}

/// Labelled and unlabelled ticks from `from` to `to`.
fn log_ticks(from: f64, to: f64) -> (Vec<f64>, Vec<f64>) {
    let (first, last) = (from.log10().floor() as i32, to.log10().ceil() as i32);
    let within = |value: &f64| *value >= from * (1.0 - 1e-9) && *value <= to * (1.0 + 1e-9);
    let times = |factors: &[f64], every: i32| -> Vec<f64> {
        let decades = (first..=last).filter(|power| (power - first).rem_euclid(every) == 0);
        decades.flat_map(|power| factors.iter().map(move |factor| factor * ten(power))).filter(within).collect()
    };
    let choices: [&[f64]; 3] = [&[1.0, 2.0, 3.0, 5.0, 7.0], &[1.0, 2.0, 5.0], &[1.0]];
    let minor_factors = [1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0, 9.0];
    let minor = if last - first <= 7 { times(&minor_factors, 1) } else { times(&[1.0], 1) };
    let major = choices.into_iter().map(|factors| times(factors, 1)).find(|ticks| ticks.len() <= LABELS_MAX);
    let sparse = || {
        (2..=last - first + 2)
            .map(|every| times(&[1.0], every))
            .find(|ticks| ticks.len() <= LABELS_MAX)
            .unwrap_or_default()
    };
    (major.unwrap_or_else(sparse), minor)
}

/// A tick of a logarithmic axis: plain from 0.001 to 10,000, a power of ten beyond.
fn log_label(value: f64) -> String {
    if (1_000.0..1e9).contains(&value) {
        return thousands(value.round() as u64);
    }
    if (0.000_99..1_000.0).contains(&value) {
        let text = format!("{value:.6}");
        return text.trim_end_matches('0').trim_end_matches('.').to_owned();
    }
    let text = words::figure(value);
    let (mantissa, power) = text.split_once('×').unwrap_or((&text, ""));
    let mantissa = mantissa.trim_end_matches('0').trim_end_matches('.');
    if power.is_empty() {
        text.clone()
    } else if mantissa == "1" {
        power.to_owned()
    } else {
        format!("{mantissa}×{power}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn log(values: &[f64], finest: Option<f64>) -> Vec<String> {
        let axis = Axis::logarithmic("", Labels::Plain, values.iter().copied(), finest);
        axis.ticks().into_iter().map(|tick| axis.label(tick)).collect()
    }

    #[test]
    fn logarithmic_ticks_are_one_two_five_or_decades() {
        assert_eq!(log(&[0.011, 0.09], None), ["0.01", "0.02", "0.03", "0.05", "0.07", "0.1"]);
        assert_eq!(log(&[0.0013, 0.4], None), ["0.001", "0.002", "0.005", "0.01", "0.02", "0.05", "0.1", "0.2", "0.5"]);
        assert_eq!(log(&[0.000_03, 0.9], None), ["10⁻⁴", "0.001", "0.01", "0.1", "1"]);
        assert_eq!(log(&[0.05], None), ["0.02", "0.03", "0.05", "0.07", "0.1"]);
    }

    #[test]
    fn axes_of_rates_and_shares_end_at_one() {
        let axis = Axis::rates("", [0.0, 1.0].into_iter(), Some(1.0));
        assert_eq!((axis.from, axis.to, axis.zero_band), (0.1, 1.0, true));
        for values in [[1.0, 1.0], [0.0, 0.0], [0.2, 1.0]] {
            let axis = Axis::share("", values.into_iter());
            assert!(axis.from >= 0.0 && axis.to <= 1.0 && axis.from < axis.to);
        }
    }

    #[test]
    fn zeros_have_a_place_below_the_smallest_tick() {
        assert_eq!(log(&[0.0], Some(0.002))[..2], ["0", "0.001"]);
        let axis = Axis::logarithmic("", Labels::Plain, [0.0, 0.01, 1.0].into_iter(), Some(0.004));
        assert!(axis.zero_band && axis.place(0.0) < axis.place(axis.band_end()));
        assert_eq!((axis.place(1.0), axis.place(0.002)), (1.0, ZERO_SHARE));
        // An interval's end that misses zero by rounding.
        assert_eq!(axis.place(1e-20), axis.place(0.0));
        assert!(!Axis::logarithmic("", Labels::Plain, [0.01, 1.0].into_iter(), Some(0.004)).zero_band);
    }

    #[test]
    fn linear_ticks_have_as_many_decimals_as_their_step_and_hold_every_value() {
        let cases: [(&[f64], &[&str]); 4] = [
            (&[0.31, 0.62], &["0.3", "0.4", "0.5", "0.6", "0.7"]),
            (&[-4.0, 6.0], &["−4", "−2", "0", "2", "4", "6"]),
            (&[0.992, 0.999], &["0.992", "0.994", "0.996", "0.998", "1.000"]),
            (&[0.3, 0.3], &["0.24", "0.26", "0.28", "0.30", "0.32", "0.34", "0.36"]),
        ];
        for (values, wanted) in cases {
            let axis = Axis::linear("", values.iter().copied());
            let labels: Vec<String> = axis.ticks().into_iter().map(|tick| axis.label(tick)).collect();
            assert_eq!(labels, wanted, "{values:?}");
            assert!(values.iter().all(|value| (axis.from..=axis.to).contains(value)), "{values:?}");
        }
    }
}
