//! Days of the calendar, written `2026-11-22`: when a picture was taken, and what is reckoned from that.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use time::{Date, Duration, Month, OffsetDateTime};

/// The first year that is taken for one: nothing is older.
const YEAR_MIN: i32 = 1900;
/// The last one.
const YEAR_MAX: i32 = 2399;

/// A day. Texts of days are in the order of what they mean.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Day(Date);

impl Day {
    /// Today, UTC.
    #[must_use]
    pub fn today() -> Self {
        Self(OffsetDateTime::now_utc().date())
    }

    /// The day of a moment as records keep it (RFC 3339, UTC).
    #[must_use]
    pub fn of_moment(moment: &str) -> Option<Self> {
        moment.get(..10)?.parse().ok()
    }

    /// So many days later; the last day there is, if that is further.
    #[must_use]
    pub fn plus_days(self, days: u32) -> Self {
        Self(self.0.checked_add(Duration::days(i64::from(days))).unwrap_or(Date::MAX))
    }

    /// So many days earlier; the first day there is, if that is before it.
    #[must_use]
    pub fn minus_days(self, days: u32) -> Self {
        let first = || Date::from_calendar_date(YEAR_MIN, Month::January, 1).unwrap_or(Date::MIN);
        let earlier = self.0.checked_sub(Duration::days(i64::from(days)));
        Self(earlier.filter(|day| day.year() >= YEAR_MIN).unwrap_or_else(first))
    }

    /// So many months later: on the same day of the month, or the last one that it has.
    #[must_use]
    pub fn plus_months(self, months: u32) -> Self {
        let (year, month) = (i64::from(self.0.year()), i64::from(u8::from(self.0.month())) - 1);
        let months = year * 12 + month + i64::from(months);
        let month = u8::try_from(months % 12 + 1).ok().and_then(|month| Month::try_from(month).ok());
        let (Ok(year), Some(month)) = (i32::try_from(months / 12), month) else { return Self(Date::MAX) };
        let day = self.0.day();
        let fits = (0..4).find_map(|less| Date::from_calendar_date(year, month, day.saturating_sub(less)).ok());
        Self(fits.unwrap_or(Date::MAX))
    }
}

impl FromStr for Day {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || "a day is written like 2026-11-22, from 1900 to 2399".to_owned();
        let bytes = text.as_bytes();
        let digits = |part: &[u8]| {
            let plain = part.iter().all(u8::is_ascii_digit);
            plain.then(|| part.iter().fold(0_u16, |sum, digit| sum * 10 + u16::from(digit - b'0')))
        };
        let [y0, y1, y2, y3, b'-', m0, m1, b'-', d0, d1] = *bytes else { return Err(wrong()) };
        let year = digits(&[y0, y1, y2, y3]).map(i32::from).filter(|year| (YEAR_MIN..=YEAR_MAX).contains(year));
        let month = digits(&[m0, m1]).and_then(|month| Month::try_from(u8::try_from(month).ok()?).ok());
        let day = digits(&[d0, d1]).and_then(|day| u8::try_from(day).ok());
        let (Some(year), Some(month), Some(day)) = (year, month, day) else { return Err(wrong()) };
        Date::from_calendar_date(year, month, day).map(Self).map_err(|_| wrong())
    }
}

impl fmt::Display for Day {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:04}-{:02}-{:02}", self.0.year(), u8::from(self.0.month()), self.0.day())
    }
}

impl TryFrom<String> for Day {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

impl From<Day> for String {
    fn from(day: Day) -> Self {
        day.to_string()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn day(text: &str) -> Day {
        text.parse().unwrap()
    }

    #[test]
    fn months_end_where_the_calendar_says() {
        assert_eq!(day("2024-01-31").plus_months(1), day("2024-02-29"));
        assert_eq!(day("2023-01-31").plus_months(1), day("2023-02-28"));
        assert_eq!(day("2024-02-29").plus_months(12 * 6), day("2030-02-28"));
        assert_eq!(day("2026-11-22").plus_months(2), day("2027-01-22"));
        assert_eq!(day("2026-12-31").plus_days(1), day("2027-01-01"));
        assert_eq!(day("2399-12-31").plus_months(u32::MAX), Day(Date::MAX));
        assert_eq!(Day::of_moment("2026-11-22T23:59:59Z"), Some(day("2026-11-22")));
    }

    #[test]
    fn what_is_no_day_is_refused() {
        for bad in
            ["", "2026-11-2", "2026-02-30", "1899-12-31", "2400-01-01", "2026/11/22", "2026-11-22T", "２０２６-1"]
        {
            assert!(bad.parse::<Day>().is_err(), "{bad}");
        }
    }

    proptest! {
        #[test]
        fn texts_are_in_the_order_of_days(a in 0_u32..150_000, b in 0_u32..150_000, months in 0_u32..600) {
            let (one, other) = (day("1900-01-01").plus_days(a), day("1900-01-01").plus_days(b));
            prop_assert_eq!(one.cmp(&other), one.to_string().cmp(&other.to_string()));
            prop_assert_eq!(day(&one.to_string()), one);
            prop_assert_eq!(one.cmp(&other), a.cmp(&b));
            // Later never becomes earlier.
            prop_assert!(one > other || one.plus_months(months) <= other.plus_months(months));
            prop_assert!(one.plus_months(months) >= one);
        }
    }
}
