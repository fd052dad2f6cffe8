//! Durations as a policy document writes them: `90s`, `45m`, `26h`, `7d`, `2w`. They are the
//! lengths of time of [`super::quantity`], in the one form that leaves no choice, and none that goes
//! by the calendar.

use chrono::TimeDelta;

use super::quantity::Span;

/// What a duration is expected to be, in messages.
pub const EXPECTED: &str =
    "a duration: a whole number and s, m, h, d or w, `26h` say, at most 1000 years";

/// Reads a duration of at least a second; `None` for anything else.
pub fn parse(text: &str) -> Option<TimeDelta> {
    let text = text.trim();
    let (number, _letter) = text.split_at_checked(text.len().checked_sub(1)?)?;
    if !number.ends_with(|last: char| last.is_ascii_digit()) {
        return None;
    }
    let seconds = Span::parse(text)?.seconds()?;
    TimeDelta::try_seconds(i64::try_from(seconds).ok()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_and_a_unit() {
        let table = [
            ("90s", Some(90)),
            (" 45m ", Some(2_700)),
            ("26h", Some(93_600)),
            ("7d", Some(604_800)),
            ("2w", Some(1_209_600)),
            ("0h", None),
            ("h", None),
            ("", None),
            ("7", None),
            ("-1h", None),
            ("1.5h", None),
            ("7 d", None),
            ("99999999999999999999h", None),
            ("9223372036854775807w", None),
            ("7ä", None),
            ("7_d", None),
            ("7days", None),
            ("7min", None),
            ("7y", None),
            ("1month", None),
            ("52000w", Some(52_000 * 604_800)),
            ("5000000000s", Some(5_000_000_000)),
            ("53000w", None),
        ];
        for (text, seconds) in table {
            assert_eq!(parse(text), seconds.map(TimeDelta::seconds), "{text}");
        }
    }
}
