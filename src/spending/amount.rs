//! Amounts of money as decimals: what stands in a document or a request is what is compared and added.
//!
//! An amount is a whole number of hundred-millionths, so that sums and comparisons are exact and cost
//! what whole numbers cost. What has more places than that is refused and never rounded.

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// An amount from 0 on, of any currency.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Amount(u128);

/// Why a text is no amount.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unreadable {
    /// It is no decimal number.
    NoNumber,
    /// It is below 0.
    Negative,
    /// It is 0, where something has to be paid.
    Nothing,
    /// It has too many digits before the point.
    TooLarge,
    /// It has too many digits behind the point.
    TooFine,
    /// A number of JSON with more digits than every reader of JSON keeps.
    TooManyDigits,
}

impl Unreadable {
    /// Why, in words that repeat nothing of the text.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::NoNumber => "no decimal number",
            Self::Negative => "below 0",
            Self::Nothing => "not above 0",
            Self::TooLarge => "more than 12 digits before the point",
            Self::TooFine => "more than 8 digits behind the point",
            Self::TooManyDigits => "a JSON number of more than 15 digits; write it as text",
        }
    }
}

impl fmt::Display for Unreadable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// A decimal number as it is written: its digits without idle zeros, and how many of them stand behind
/// the point; fewer than none where zeros follow them.
struct Written {
    negative: bool,
    digits: Vec<u8>,
    behind: i64,
}

impl Amount {
    /// Nothing.
    pub const ZERO: Self = Self(0);

    /// As many digits an amount may have behind the point.
    pub const SCALE: u32 = 8;

    /// As many before it.
    pub const WHOLE_DIGITS: u32 = 12;

    /// As many digits of a JSON number are the same to whoever reads it as a floating-point number
    /// (RFC 8259, section 6); one with more has to be written as text.
    pub const NUMBER_DIGITS: usize = 15;

    /// So many digits and zeros make the longest text that is looked at.
    const LONGEST: usize = 64;

    const UNIT: u128 = 10_u128.pow(Self::SCALE);

    /// Reads a number as JSON writes numbers: `500.01`, `5e2`.
    pub fn parse(text: &str) -> Result<Self, Unreadable> {
        Self::of(&Written::read(text).ok_or(Unreadable::NoNumber)?)
    }

    /// As [`Self::parse`], of a number that other readers of the JSON take for a floating-point one.
    pub fn parse_number(text: &str) -> Result<Self, Unreadable> {
        let written = Written::read(text).ok_or(Unreadable::NoNumber)?;
        let amount = Self::of(&written)?;
        if written.digits.len() > Self::NUMBER_DIGITS {
            return Err(Unreadable::TooManyDigits);
        }
        Ok(amount)
    }

    fn of(written: &Written) -> Result<Self, Unreadable> {
        let Written {
            negative,
            digits,
            behind,
        } = written;
        if *negative {
            return Err(Unreadable::Negative);
        }
        if digits.is_empty() {
            return Ok(Self::ZERO);
        }
        let length = i64::try_from(digits.len()).map_err(|_| Unreadable::TooLarge)?;
        if length.saturating_sub(*behind) > i64::from(Self::WHOLE_DIGITS) {
            return Err(Unreadable::TooLarge);
        }
        let zeros = i64::from(Self::SCALE).saturating_sub(*behind);
        let zeros = u32::try_from(zeros).map_err(|_| Unreadable::TooFine)?;
        // At most 12 digits before the point and 8 behind it: far from the end of the range.
        let number = digits
            .iter()
            .try_fold(0_u128, |number, digit| {
                number.checked_mul(10)?.checked_add(u128::from(*digit))
            })
            .and_then(|number| number.checked_mul(10_u128.checked_pow(zeros)?));
        number.map(Self).ok_or(Unreadable::TooLarge)
    }

    /// True for nothing.
    pub fn is_zero(self) -> bool {
        self.0 == 0
    }

    /// The sum; the largest there is where that leaves the range, which no cap lets through.
    #[must_use]
    pub fn plus(self, other: Self) -> Self {
        Self(self.0.saturating_add(other.0))
    }

    /// What is left; nothing where less than that was there.
    #[must_use]
    pub fn less(self, other: Self) -> Self {
        Self(self.0.saturating_sub(other.0))
    }
}

impl Written {
    fn read(text: &str) -> Option<Self> {
        if text.len() > Amount::LONGEST || !text.is_ascii() {
            return None;
        }
        let (negative, rest) = match text.strip_prefix('-') {
            Some(rest) => (true, rest),
            None => (false, text),
        };
        let (mantissa, exponent) = match rest.split_once(['e', 'E']) {
            Some((mantissa, exponent)) => (mantissa, Self::exponent(exponent)?),
            None => (rest, 0),
        };
        let (whole, fraction) = match mantissa.split_once('.') {
            Some((_, "")) => return None,
            Some(parts) => parts,
            None => (mantissa, ""),
        };
        let is_plain = |digits: &str| digits.bytes().all(|byte| byte.is_ascii_digit());
        let is_padded = whole.len() > 1 && whole.starts_with('0');
        if whole.is_empty() || is_padded || !is_plain(whole) || !is_plain(fraction) {
            return None;
        }
        let all = whole.bytes().chain(fraction.bytes());
        let mut digits: Vec<u8> = all
            .map(|byte| byte - b'0')
            .skip_while(|digit| *digit == 0)
            .collect();
        let mut behind = i64::try_from(fraction.len()).ok()?.checked_sub(exponent)?;
        while digits.last() == Some(&0) {
            digits.pop();
            behind -= 1;
        }
        Some(Self {
            // Nothing is not less than nothing.
            negative: negative && !digits.is_empty(),
            digits,
            behind,
        })
    }

    fn exponent(text: &str) -> Option<i64> {
        let digits = text.strip_prefix(['+', '-']).unwrap_or(text);
        let is_plain = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
        // What is larger than any number of digits is as good as the largest.
        let size = || digits.parse().unwrap_or(i64::from(i32::MAX));
        let size = is_plain.then(size)?.min(i64::from(i32::MAX));
        Some(if text.starts_with('-') { -size } else { size })
    }
}

impl fmt::Display for Amount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (whole, part) = (self.0 / Self::UNIT, self.0 % Self::UNIT);
        if part == 0 {
            return f.pad(&whole.to_string());
        }
        let part = format!("{part:08}");
        f.pad(&format!("{whole}.{}", part.trim_end_matches('0')))
    }
}

/// As text: a number could lose digits at whoever reads it.
impl Serialize for Amount {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// Sums of a projection or a journal of ours: text, of any size.
impl<'de> Deserialize<'de> for Amount {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        let (whole, part) = text.split_once('.').unwrap_or((&text, ""));
        let sum = || {
            let whole: u128 = whole.parse().ok()?;
            let part: u128 = format!("{part:0<8}").parse().ok()?;
            let part = Some(part).filter(|part| *part < Self::UNIT)?;
            whole.checked_mul(Self::UNIT)?.checked_add(part).map(Self)
        };
        sum()
            .filter(|sum| sum.to_string() == text)
            .ok_or_else(|| serde::de::Error::custom("this is no sum of amounts"))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn amount(text: &str) -> Amount {
        Amount::parse(text).unwrap()
    }

    #[test]
    fn numbers_are_read_as_json_writes_them_and_shown_without_idle_zeros() {
        for (text, shown) in [
            ("500", "500"),
            ("500.0", "500"),
            ("500.01", "500.01"),
            ("0.10", "0.1"),
            ("5e2", "500"),
            ("5E+2", "500"),
            ("12345e-2", "123.45"),
            ("0.00000001", "0.00000001"),
            ("999999999999.99999999", "999999999999.99999999"),
            ("0", "0"),
            ("-0", "0"),
            ("0e999", "0"),
            ("1.000000000000", "1"),
        ] {
            assert_eq!(amount(text).to_string(), shown, "{text}");
        }
    }

    #[test]
    fn what_is_no_amount_says_why() {
        use Unreadable::{Negative, NoNumber, TooFine, TooLarge};
        for (text, why) in [
            ("", NoNumber),
            ("NaN", NoNumber),
            ("inf", NoNumber),
            ("Infinity", NoNumber),
            (".5", NoNumber),
            ("5.", NoNumber),
            ("05", NoNumber),
            ("+5", NoNumber),
            ("1,5", NoNumber),
            ("1_000", NoNumber),
            ("0x5", NoNumber),
            ("5e", NoNumber),
            ("5e1.5", NoNumber),
            (" 5", NoNumber),
            ("٥", NoNumber),
            ("-5", Negative),
            ("-0.01", Negative),
            ("1e400", TooLarge),
            ("1e99999999999999999999", TooLarge),
            ("1000000000000", TooLarge),
            ("0.000000001", TooFine),
            ("1e-400", TooFine),
        ] {
            assert_eq!(Amount::parse(text), Err(why), "{text}");
        }
        let long = "1".repeat(100);
        assert_eq!(Amount::parse(&long), Err(NoNumber));
    }

    #[test]
    fn a_json_number_has_no_more_digits_than_every_reader_keeps() {
        for text in ["123456789012.345", "0.10000000", "1e11"] {
            assert!(Amount::parse_number(text).is_ok(), "{text}");
        }
        for text in ["123456789012.3456", "0.1000000000000000055"] {
            assert!(Amount::parse_number(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_tenth_and_two_are_three() {
        let sum = amount("0.1").plus(amount("0.2"));
        assert_eq!(sum, amount("0.3"));
    }

    proptest! {
        #[test]
        fn what_is_shown_is_read_again(units in 0_u128..10_u128.pow(20)) {
            let amount = Amount(units);
            prop_assert_eq!(Amount::parse(&amount.to_string()), Ok(amount));
            let json = serde_json::to_string(&amount).unwrap();
            prop_assert_eq!(serde_json::from_str::<Amount>(&json).unwrap(), amount);
        }

        #[test]
        fn no_text_makes_it_panic(text in "[-+0-9.eE ]{0,70}") {
            let _ = Amount::parse(&text);
        }

        #[test]
        fn sums_and_comparisons_are_those_of_whole_numbers(a in 0_u64.., b in 0_u64..) {
            let (one, other) = (Amount(a.into()), Amount(b.into()));
            prop_assert_eq!(one < other, a < b);
            prop_assert_eq!(one.plus(other).less(other), one);
        }
    }
}
