//! Wall-clock time as text, and elapsed time in milliseconds.

use std::time::{Duration, Instant};

use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

/// The present moment in UTC as RFC 3339 text, to the second: the form in which records keep time.
#[must_use]
pub fn now_rfc3339() -> String {
    text(OffsetDateTime::now_utc())
}

/// The present moment in seconds since 1970.
#[must_use]
pub fn now_s() -> u64 {
    u64::try_from(OffsetDateTime::now_utc().unix_timestamp()).unwrap_or_default()
}

/// The moment in so long, in the same form: texts of this form are in the order of what they mean.
#[must_use]
pub fn rfc3339_in(later: Duration) -> String {
    let now = OffsetDateTime::now_utc();
    text(now.checked_add(later.try_into().unwrap_or(time::Duration::MAX)).unwrap_or(now))
}

fn text(moment: OffsetDateTime) -> String {
    let whole = moment.replace_nanosecond(0).unwrap_or(moment);
    // Formatting fails only for years outside 0..=9999, which no machine's clock shows; the epoch is a visible mistake then.
    whole.format(&Rfc3339).unwrap_or_else(|_| "1970-01-01T00:00:00Z".to_owned())
}

/// Seconds since 1970 of a moment that somebody wrote: RFC 3339 in any zone, cut to the second, or a date for its first second
/// in UTC. `None` for other texts, and for moments before 1970 or after 9999.
#[must_use]
pub fn seconds_of(text: &str) -> Option<u64> {
    let whole = if text.len() == "2026-11-22".len() { format!("{text}T00:00:00Z") } else { text.to_owned() };
    let seconds = OffsetDateTime::parse(&whole, &Rfc3339).ok()?.unix_timestamp();
    u64::try_from(seconds).ok().filter(|seconds| *seconds <= LAST_SECOND)
}

/// That moment in UTC as RFC 3339 text, to the second.
#[must_use]
pub fn rfc3339_of(seconds: u64) -> String {
    let seconds = i64::try_from(seconds.min(LAST_SECOND)).unwrap_or_default();
    text(OffsetDateTime::from_unix_timestamp(seconds).unwrap_or(OffsetDateTime::UNIX_EPOCH))
}

/// The end of 9999, after which texts are longer and no more in the order of what they mean.
const LAST_SECOND: u64 = 253_402_300_799;

/// Milliseconds with fraction, for people and JSON.
#[must_use]
pub fn millis(elapsed: Duration) -> f64 {
    elapsed.as_secs_f64() * 1e3
}

/// A stop-watch for consecutive stages: each [`lap_ms`](Self::lap_ms) gives the time since the one before.
#[derive(Debug)]
pub struct Stopwatch {
    last: Instant,
}

impl Stopwatch {
    /// Starts now.
    #[must_use]
    pub fn start() -> Self {
        Self { last: Instant::now() }
    }

    /// Milliseconds since the start or the last lap; the next lap begins here.
    pub fn lap_ms(&mut self) -> f64 {
        let now = Instant::now();
        let lap = millis(now - self.last);
        self.last = now;
        lap
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_reads_as_utc_to_the_second() {
        let text = now_rfc3339();
        assert_eq!(text.len(), "2026-11-21T21:00:00Z".len(), "{text}");
        assert!(text.ends_with('Z'), "{text}");
    }

    #[test]
    fn later_is_greater() {
        let (now, soon) = (now_rfc3339(), rfc3339_in(Duration::from_hours(24 * 400)));
        assert!(soon > now && soon.len() == now.len(), "{soon}");
        assert!(rfc3339_in(Duration::MAX).len() == now.len());
    }

    #[test]
    fn moments_read_back() {
        for text in ["2026-11-22T01:00:00+01:00", "2026-11-22", "2026-11-22T00:00:00.9Z"] {
            assert_eq!(seconds_of(text), Some(1_795_305_600), "{text}");
        }
        assert_eq!((seconds_of("1970-01-01"), rfc3339_of(1_795_305_600)), (Some(0), "2026-11-22T00:00:00Z".to_owned()));
        assert_eq!(seconds_of(&rfc3339_of(u64::MAX)), Some(LAST_SECOND));
        for bad in ["", "2026", "2026-13-01", "1969-12-31", "22.11.2026", "2026-11-22T00:00:00", "2026-11-2\u{e9}"] {
            assert_eq!(seconds_of(bad), None, "{bad}");
        }
    }

    #[test]
    fn laps_are_consecutive() {
        let (all, mut watch) = (Instant::now(), Stopwatch::start());
        std::thread::sleep(Duration::from_millis(5));
        let first = watch.lap_ms();
        std::thread::sleep(Duration::from_millis(5));
        let second = watch.lap_ms();
        assert!(first >= 5.0 && second >= 5.0);
        // What the first has is not in the second.
        assert!(first + second <= all.elapsed().as_secs_f64() * 1e3);
    }
}
