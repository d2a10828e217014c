//! How long something is kept: `delete`, or a number with `d`, `m` or `y`.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// Longest period, in years: longer than anybody lives.
const YEARS_MAX: u32 = 120;

/// A period. Months and years are those of the calendar, so that ten years end on the day on which they began.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum Period {
    /// Not at all.
    None,
    /// So many days.
    Days(u32),
    /// So many months.
    Months(u32),
    /// So many years.
    Years(u32),
}

impl Period {
    /// How many days it has at most, for comparing two.
    #[must_use]
    pub const fn days_at_most(self) -> u32 {
        match self {
            Self::None => 0,
            Self::Days(days) => days,
            Self::Months(months) => months * 31,
            Self::Years(years) => years * 366,
        }
    }

    /// How many days it has at least.
    #[must_use]
    pub const fn days_at_least(self) -> u32 {
        match self {
            Self::None => 0,
            Self::Days(days) => days,
            // Of twelve months in a row, five at most have fewer than 31 days; one of these 28.
            Self::Months(months) => months * 28,
            Self::Years(years) => years * 365,
        }
    }

    /// Whether it is longer than `other` on every calendar.
    #[must_use]
    pub const fn surely_longer_than(self, other: Self) -> bool {
        self.days_at_least() > other.days_at_most()
    }
}

impl FromStr for Period {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let short: String = text.chars().take(20).collect();
        let wrong = || {
            format!(
                "{short:?} is no period: write \"delete\", or a number with d (days), m (months) or y (years), such as \
                 \"31d\", up to {YEARS_MAX} years"
            )
        };
        if text == "delete" {
            return Ok(Self::None);
        }
        let (number, unit) = text.split_at_checked(text.len().saturating_sub(1)).ok_or_else(wrong)?;
        if number.is_empty() || number.len() > 5 || !number.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(wrong());
        }
        let number: u32 = number.parse().map_err(|_| wrong())?;
        let (period, most) = match unit {
            "d" => (Self::Days(number), YEARS_MAX * 365),
            "m" => (Self::Months(number), YEARS_MAX * 12),
            "y" => (Self::Years(number), YEARS_MAX),
            _other => return Err(wrong()),
        };
        match number {
            0 => Ok(Self::None),
            number if number <= most => Ok(period),
            _longer => Err(wrong()),
        }
    }
}

impl TryFrom<String> for Period {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

impl From<Period> for String {
    fn from(period: Period) -> Self {
        period.to_string()
    }
}

impl fmt::Display for Period {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::None => f.write_str("delete"),
            Self::Days(days) => write!(f, "{days}d"),
            Self::Months(months) => write!(f, "{months}m"),
            Self::Years(years) => write!(f, "{years}y"),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn periods_are_compared_without_a_calendar_only_where_that_is_certain() {
        let longer = |one: &str, other: &str| {
            let (one, other): (Period, Period) = (one.parse().unwrap(), other.parse().unwrap());
            one.surely_longer_than(other)
        };
        assert!(longer("2y", "31d") && longer("1d", "delete") && longer("13m", "11m"));
        assert!(!longer("12m", "1y") && !longer("1y", "12m") && !longer("31d", "1m") && !longer("0d", "delete"));
    }

    #[test]
    fn what_is_no_period_is_refused() {
        let none = ["", "d", "5", "-5d", "5h", "1.5y", "121y", "99999y", "1441m", " 5d", "5dd", "é", "5é", "٣d"];
        for text in none {
            assert!(text.parse::<Period>().is_err(), "{text}");
        }
    }

    proptest! {
        #[test]
        fn periods_read_back_and_nothing_panics(text in ".{0,12}", number in 1_u32..120, unit in "[dmy]") {
            if let Ok(period) = text.parse::<Period>() {
                prop_assert_eq!(period.to_string().parse(), Ok(period));
            }
            let written = format!("{number}{unit}");
            prop_assert_eq!(written.parse::<Period>().unwrap().to_string(), written);
        }
    }
}
