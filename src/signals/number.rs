//! Numbers as people and programs write them, and as this product shows them.
//!
//! Text that should be a number goes through here, whichever file it stands in, so that `97.5%` or
//! a text `"97.5"` means the same everywhere (CONTRACT.md section 2, row B-11).

use super::Percent;
use crate::diagnostic::{Checked, Code, Diagnostic, Place, Warnings};

/// What to do about a value that is wrong.
pub const CORRECT: &str =
    "correct the value where it is written, or run the writer of this file again";

/// What a percentage is expected to be, in messages.
const EXPECTED: &str = "a number from 0 to 100";

/// What a number has to be.
#[derive(Clone, Copy)]
pub struct Wanted<'w, T> {
    /// In words, for messages.
    pub expected: &'w str,
    /// What the number becomes; `None` where it is out of range.
    pub make: &'w dyn Fn(f64) -> Option<T>,
    /// Text may carry a trailing `%`, which is worth a warning.
    pub percent_sign: bool,
    /// A number up to 1 looks like a fraction, which is worth a warning (row B-12).
    pub fraction: bool,
}

/// A percentage.
pub const PERCENT: Wanted<'static, Percent> = Wanted {
    expected: EXPECTED,
    make: &Percent::new,
    percent_sign: true,
    fraction: true,
};

/// A count.
pub const COUNT: Wanted<'static, u64> = Wanted {
    expected: A_COUNT,
    make: &whole,
    percent_sign: false,
    fraction: false,
};

/// What a count is expected to be, in messages.
pub const A_COUNT: &str = "a whole number from 0 on";

/// A whole number from 0 on, up to where a number may no longer be the one that was written.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "checked: whole and in range"
)]
pub fn whole(number: f64) -> Option<u64> {
    (number.fract() == 0.0 && (0.0..9e15).contains(&number)).then_some(number as u64)
}

impl<T> Wanted<'_, T> {
    /// Reads text that may carry blanks around the number. `place` is only asked for where there
    /// is a finding; `what` names the value.
    pub fn of_text(
        &self,
        text: &str,
        place: &dyn Fn() -> Place,
        what: &str,
        warnings: &mut Warnings,
    ) -> Checked<T> {
        let trimmed = text.trim();
        let bare = trimmed.strip_suffix('%').filter(|_| self.percent_sign);
        let bare = bare.map(str::trim_end);
        let Some(number) = parse(bare.unwrap_or(trimmed)) else {
            return Err(self.not_a_number(text, place, what));
        };
        if bare.is_some() {
            warnings.add(|| {
                Diagnostic::new(
                    Code::PercentSign,
                    place(),
                    format!("{what} carries a percent sign"),
                )
                .found(format!("`{text}`"))
                .expected("the bare number")
                .help("let its writer leave the sign out")
            });
        }
        self.of_number(number, trimmed, place, what, warnings)
    }

    /// Takes a number: refuses what is out of range and warns of what looks like a fraction of 1.
    /// `text` is how it was written.
    pub fn of_number(
        &self,
        number: f64,
        text: &str,
        place: &dyn Fn() -> Place,
        what: &str,
        warnings: &mut Warnings,
    ) -> Checked<T> {
        let Some(made) = (self.make)(number) else {
            return Err(Box::new(
                Diagnostic::new(Code::ValueRange, place(), format!("{what} is out of range"))
                    .found(format!("`{text}`"))
                    .expected(self.expected)
                    .help(CORRECT),
            ));
        };
        if self.fraction && number > 0.0 && number <= 1.0 {
            warnings.add(|| {
                Diagnostic::new(
                    Code::LooksLikeFraction,
                    place(),
                    format!("{what} looks like a fraction of 1; it is taken as it stands"),
                )
                .found(format!("`{text}`"))
                .expected("a percentage, 95 rather than 0.95")
                .help("if a fraction was meant, let its writer multiply by 100")
            });
        }
        Ok(made)
    }

    /// The finding for text that is no number.
    fn not_a_number(&self, text: &str, place: &dyn Fn() -> Place, what: &str) -> Box<Diagnostic> {
        let found = if text.trim().is_empty() {
            "nothing".to_owned()
        } else {
            format!("`{text}`")
        };
        Box::new(
            Diagnostic::new(Code::ValueType, place(), format!("{what} is no number"))
                .found(found)
                .expected(self.expected)
                .help(CORRECT),
        )
    }
}

/// Reads a percentage from text that may carry blanks around it and a trailing `%`.
pub fn percent_from_text(
    text: &str,
    place: &dyn Fn() -> Place,
    what: &str,
    warnings: &mut Warnings,
) -> Checked<Percent> {
    PERCENT.of_text(text, place, what, warnings)
}

/// A decimal number with optional sign, fraction and exponent. Rust's own parser would also take
/// `inf` and `nan`; those come back as numbers here too, to be refused by their range and not
/// called "no number".
fn parse(text: &str) -> Option<f64> {
    text.parse().ok()
}

/// A number for a person: at most four decimals, unless rounding would hide on which side of a
/// round number it lies (row B-21): 89.99999 is not shown as 90.
pub fn shown(number: f64) -> String {
    let rounded = (number * 1e4).round() / 1e4;
    let hides = rounded.fract() == 0.0 && number.fract() != 0.0;
    let text = if hides {
        number.to_string()
    } else {
        rounded.to_string()
    };
    if text.contains('.') || text.contains('e') {
        text
    } else {
        format!("{text}.0")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> (Option<f64>, Vec<Code>) {
        let mut warnings = Warnings::default();
        let percent = percent_from_text(text, &|| Place::file("a"), "it", &mut warnings);
        (
            percent.ok().map(Percent::get),
            warnings
                .into_vec()
                .iter()
                .map(|warning| warning.code)
                .collect(),
        )
    }

    #[test]
    fn numbers_are_read_as_they_stand_in_the_field() {
        let cases = [
            ("97.5", Some(97.5), vec![]),
            (" 97.5 ", Some(97.5), vec![]),
            ("97.5%", Some(97.5), vec![Code::PercentSign]),
            ("97.5 %", Some(97.5), vec![Code::PercentSign]),
            ("9.75e1", Some(97.5), vec![]),
            ("0.95", Some(0.95), vec![Code::LooksLikeFraction]),
            ("0", Some(0.0), vec![]),
            ("1.5", Some(1.5), vec![]),
            ("97,5", None, vec![]),
            ("NaN", None, vec![]),
            ("inf", None, vec![]),
            ("100.0001", None, vec![]),
            ("-1", None, vec![]),
            ("0x5f", None, vec![]),
            ("", None, vec![]),
            ("%", None, vec![]),
        ];
        for (text, number, warnings) in cases {
            assert_eq!(read(text), (number, warnings), "{text:?}");
        }
    }

    #[test]
    fn a_shown_number_and_the_level_agree() {
        let cases = [
            (97.5, "97.5"),
            (95.0, "95.0"),
            (81.333_333_333, "81.3333"),
            (89.999_99, "89.99999"),
            (90.000_01, "90.00001"),
        ];
        for (number, text) in cases {
            assert_eq!(shown(number), text);
        }
    }
}
