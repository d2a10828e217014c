//! Figures as people read them: few digits, the same everywhere.

use super::markup::visible;
use crate::base::limits::REPORT_TEXT_CHARS_MAX;
use crate::base::text::thousands;

/// What stands where nothing was measured.
pub(super) const ABSENT: &str = "not measured";

/// A number with three significant digits.
pub(super) fn figure(value: f64) -> String {
    digits(value, 3)
}

/// A number with two significant digits, for where there is little room.
pub(super) fn short(value: f64) -> String {
    digits(value, 2)
}

/// A number with `significant` digits; below 0.001 as a power of ten.
fn digits(value: f64, significant: usize) -> String {
    if value == 0.0 {
        return "0".to_owned();
    }
    if value > 0.99 && value < 1.0 {
        // What is missing to one is what matters there, and all is not what nearly all is.
        let missing = (1.0 - value).log10().floor().abs() as usize;
        return format!("{value:.*}", (missing + 1).min(15));
    }
    // Through the rounded form, so that 9.996 counts as 10.0 and not as 10.00.
    let scientific = format!("{value:.*e}", significant.saturating_sub(1));
    let (mantissa, exponent) = scientific.split_once('e').unwrap_or((&scientific, "0"));
    let power: i32 = exponent.parse().unwrap_or(0);
    if !(-3..15).contains(&power) {
        return format!("{}×10{}", mantissa.replace('-', "−"), raised(power));
    }
    let decimals = usize::try_from(significant as i32 - 1 - power).unwrap_or(0);
    let plain = format!("{:.decimals$}", value.abs());
    let (whole, fraction) = plain.split_once('.').map_or((plain.as_str(), None), |(whole, rest)| (whole, Some(rest)));
    let whole = whole.parse::<u64>().map_or_else(|_| whole.to_owned(), thousands);
    let sign = if value < 0.0 { "−" } else { "" };
    fraction.map_or_else(|| format!("{sign}{whole}"), |fraction| format!("{sign}{whole}.{fraction}"))
}

/// A whole number in raised digits.
fn raised(power: i32) -> String {
    const RAISED: [char; 10] = ['⁰', '¹', '²', '³', '⁴', '⁵', '⁶', '⁷', '⁸', '⁹'];
    let digits = power.unsigned_abs().to_string();
    let sign = if power < 0 { "⁻" } else { "" };
    let digits = digits.bytes().filter_map(|digit| RAISED.get(usize::from(digit.wrapping_sub(b'0'))));
    format!("{sign}{}", digits.collect::<String>())
}

/// A comparison score or threshold.
pub(super) fn score(value: f64) -> String {
    format!("{value:.4}").replace('-', "−")
}

/// A rate that was aimed at: as short as it can be said, 1/6000 as such.
pub(super) fn target(value: f64) -> String {
    let inverse = (1.0 / value).round();
    let is_round = inverse >= 2.0 && (value * inverse - 1.0).abs() < 1e-9;
    let short = format!("{value}");
    if short.len() <= 7 {
        short
    } else if is_round && inverse < 1e12 {
        format!("1/{}", thousands(inverse as u64))
    } else {
        figure(value)
    }
}

/// A tail probability.
pub(super) fn p_value(value: f64) -> String {
    if value < 0.001 { "< 0.001".to_owned() } else { format!("{value:.3}") }
}

/// An interval.
pub(super) fn interval((low, high): (f64, f64)) -> String {
    format!("{} to {}", figure(low), figure(high))
}

/// A gallery's size on an axis or in a legend: 10k, 1.6M.
pub(super) fn size(people: f64) -> String {
    let (value, unit) = match people {
        small if small < 1e3 => (small, ""),
        thousand if thousand < 1e6 => (thousand / 1e3, "k"),
        million if million < 1e9 => (million / 1e6, "M"),
        billion => (billion / 1e9, "G"),
    };
    let text = format!("{value:.2}");
    format!("{}{unit}", text.trim_end_matches('0').trim_end_matches('.'))
}

/// A text from the data, cut to what a page can show.
pub(super) fn shown(text: &str) -> String {
    cut(text, REPORT_TEXT_CHARS_MAX)
}

/// The beginning of `text`, at most `letters` of it, the cut made visible.
pub(super) fn cut(text: &str, letters: usize) -> String {
    let mut kept: String = text.chars().take(letters).map(visible).collect();
    if text.chars().nth(letters).is_some() {
        kept.pop();
        kept.push('…');
    }
    kept
}

/// "1 search", "2 searches".
pub(super) fn counted(count: u64, one: &str, many: &str) -> String {
    format!("{} {}", thousands(count), if count == 1 { one } else { many })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_have_three_digits_whatever_their_size() {
        let cases = [
            (0.0, "0"),
            (0.012_345, "0.0123"),
            (0.001, "0.00100"),
            (0.000_167, "1.67×10⁻⁴"),
            (0.999_6, "0.99960"),
            (0.995, "0.9950"),
            (1.0, "1.00"),
            (12_345.0, "12,345"),
            (999.7, "1,000"),
            (-3.217, "−3.22"),
            (3.0e-12, "3.00×10⁻¹²"),
        ];
        for (value, text) in cases {
            assert_eq!(figure(value), text);
        }
    }

    #[test]
    fn targets_read_as_they_were_written() {
        for (value, text) in [(0.1, "0.1"), (0.003, "0.003"), (1.0 / 6000.0, "1/6,000"), (0.5, "0.5")] {
            assert_eq!(target(value), text);
        }
    }

    #[test]
    fn long_texts_are_cut_visibly_and_by_letters() {
        assert_eq!(cut("äöüß", 4), "äöüß");
        assert_eq!(cut("äöüßx", 4), "äöü…");
        assert_eq!(size(1_600_000.0), "1.6M");
        assert_eq!(size(102.0), "102");
        assert_eq!(size(10_000.0), "10k");
    }
}
