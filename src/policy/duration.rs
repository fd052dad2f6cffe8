//! Durations as a policy document writes them: `90s`, `45m`, `26h`, `7d`, `2w`.

use chrono::TimeDelta;

/// What a duration is expected to be, in messages.
pub const EXPECTED: &str = "a duration: a whole number and s, m, h, d or w, `26h` say";

/// Reads a duration of at least a second; `None` for anything else.
pub fn parse(text: &str) -> Option<TimeDelta> {
    let text = text.trim();
    let (number, unit) = text.split_at_checked(text.len().checked_sub(1)?)?;
    let seconds = match unit {
        "s" => 1,
        "m" => 60,
        "h" => 3_600,
        "d" => 86_400,
        "w" => 7 * 86_400,
        _ => return None,
    };
    if !number.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let number: i64 = number.parse().ok()?;
    let total = number.checked_mul(seconds)?;
    TimeDelta::try_seconds(total).filter(|delta| *delta >= TimeDelta::seconds(1))
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
        ];
        for (text, seconds) in table {
            assert_eq!(parse(text), seconds.map(TimeDelta::seconds), "{text}");
        }
    }
}
