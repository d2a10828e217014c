//! Numbers and foreign words as people read them.

/// A number with its thousands set apart by commas.
#[must_use]
pub fn thousands(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() * 4 / 3);
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// What stands on everything that shows candidates under review, or a lead.
pub const NOT_EVIDENCE: &str = "Possible identification, not evidence of identity.";

/// A text from outside on one line of a terminal or a record: control characters, which could move the cursor, colour the
/// screen or forge lines, become a visible mark.
#[must_use]
pub fn printable(text: &str) -> String {
    text.chars().map(|letter| if letter.is_control() { char::REPLACEMENT_CHARACTER } else { letter }).collect()
}

/// Whether a text can be kept in one line as it is: no control characters, of which PostgreSQL takes not all.
#[must_use]
pub fn is_plain(text: &str) -> bool {
    !text.chars().any(char::is_control)
}

/// The same of a text that may have several lines, and tabulators.
#[must_use]
pub fn is_plain_lines(text: &str) -> bool {
    text.chars().all(|letter| !letter.is_control() || matches!(letter, '\n' | '\r' | '\t'))
}

/// Whether a text is one that was overwritten, as records erase it: nothing but `x`, as many as it had bytes.
#[must_use]
pub fn is_overwritten(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte == b'x')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_can_not_forge_lines_or_colours() {
        assert_eq!(printable("a\u{1b}[31m\nrank 1 \u{e9}"), "a\u{fffd}[31m\u{fffd}rank 1 \u{e9}");
    }

    #[test]
    fn what_no_record_takes_is_told_from_lines() {
        assert!(is_plain("O'Brien, \u{e9}t\u{e9}") && is_plain_lines("one\r\n\ttwo\n"));
        for odd in ["\0", "a\u{1b}[31m", "\u{7f}", "\u{85}"] {
            assert!(!is_plain(odd) && !is_plain_lines(odd), "{odd:?}");
        }
        assert!(!is_plain("one\ntwo"));
    }

    #[test]
    fn commas_stand_before_every_third_digit() {
        let cases = [(0, "0"), (999, "999"), (1_000, "1,000"), (1_000_003, "1,000,003"), (12_345, "12,345")];
        for (number, text) in cases {
            assert_eq!(thousands(number), text);
        }
    }
}
