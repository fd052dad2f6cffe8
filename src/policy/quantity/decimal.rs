//! Decimal numbers, exact: what stands in a document is what is compared.

use std::fmt;

/// A number from 0 on with at most [`Decimal::DIGITS`] digits before and behind the point.
#[derive(Debug, Clone, Copy)]
pub struct Decimal {
    /// All digits as one whole number.
    digits: u128,
    /// How many of them stand behind the point.
    scale: u32,
}

impl Decimal {
    /// The most digits on one side of the point, so that no product of two of them and a count
    /// leaves the range.
    pub const DIGITS: usize = 9;

    /// Reads digits with at most one point between them. No sign, no exponent, no blank.
    pub fn parse(text: &str) -> Option<Self> {
        let (whole, fraction) = match text.split_once('.') {
            Some((_, "")) => return None,
            Some(parts) => parts,
            None => (text, ""),
        };
        let plain = |digits: &str| {
            digits.len() <= Self::DIGITS && digits.bytes().all(|byte| byte.is_ascii_digit())
        };
        if whole.is_empty() || !plain(whole) || !plain(fraction) {
            return None;
        }
        Some(Self {
            digits: format!("{whole}{fraction}").parse().ok()?,
            scale: u32::try_from(fraction.len()).ok()?,
        })
    }

    /// The hundredth part.
    #[must_use]
    pub fn percent(self) -> Self {
        Self {
            scale: self.scale + 2,
            ..self
        }
    }

    /// A hundred times as much, which is how many percent a fraction is.
    #[must_use]
    pub fn hundredfold(self) -> Self {
        Self {
            digits: self.digits * 100,
            ..self
        }
    }

    /// The number times `factor`, where that is a whole one.
    pub fn times(self, factor: u64) -> Option<u64> {
        let product = self.digits.checked_mul(u128::from(factor))?;
        let divisor = 10_u128.checked_pow(self.scale)?;
        if product.checked_rem(divisor)? != 0 {
            return None;
        }
        u64::try_from(product.checked_div(divisor)?).ok()
    }

    /// How `part` of `whole` compares to the number. Exact.
    pub fn compared_to(self, part: u64, whole: u64) -> std::cmp::Ordering {
        // At most 18 digits times a count of 20, and a count of 20 times 10 to the power of 11: both
        // are less than a u128 holds.
        let left = u128::from(part).saturating_mul(10_u128.saturating_pow(self.scale));
        let right = self.digits.saturating_mul(u128::from(whole));
        left.cmp(&right)
    }

    /// True where the number is above 1.
    pub fn is_above_one(self) -> bool {
        self.compared_to(1, 1).is_lt()
    }

    /// The nearest floating-point number.
    pub fn to_f64(self) -> f64 {
        format!("{}e-{}", self.digits, self.scale)
            .parse()
            .unwrap_or(f64::MAX)
    }
}

impl PartialEq for Decimal {
    fn eq(&self, other: &Self) -> bool {
        // At most 18 digits and a scale of 11: the products fit.
        let left = self.digits.checked_mul(10_u128.saturating_pow(other.scale));
        let right = other.digits.checked_mul(10_u128.saturating_pow(self.scale));
        left == right
    }
}

impl fmt::Display for Decimal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let digits = self.digits.to_string();
        let scale = usize::try_from(self.scale).unwrap_or_default();
        let padded = format!("{digits:0>width$}", width = scale + 1);
        let (whole, fraction) = padded.split_at(padded.len() - scale);
        match fraction.trim_end_matches('0') {
            "" => f.write_str(whole),
            fraction => write!(f, "{whole}.{fraction}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn decimal(text: &str) -> Decimal {
        Decimal::parse(text).unwrap()
    }

    #[test]
    fn what_is_no_plain_number_is_none() {
        for text in [
            "",
            ".",
            "1.",
            ".5",
            "-1",
            "+1",
            "1e3",
            "1,5",
            " 1",
            "1 ",
            "١",
            "1.2.3",
            "NaN",
            "inf",
            "1234567890",
            "0.1234567890",
        ] {
            assert!(Decimal::parse(text).is_none(), "{text:?}");
        }
    }

    #[test]
    fn a_number_is_shown_without_idle_zeros() {
        for (text, shown) in [("0.010", "0.01"), ("5", "5"), ("0.0", "0"), ("10", "10")] {
            assert_eq!(decimal(text).to_string(), shown);
        }
        assert_eq!(decimal("5").percent().to_string(), "0.05");
        assert_eq!(decimal("0.1").percent().hundredfold().to_string(), "0.1");
    }

    #[test]
    fn a_fraction_and_its_percentage_are_equal() {
        assert_eq!(decimal("5").percent(), decimal("0.05"));
        assert_eq!(decimal("0.10"), decimal("0.1"));
        assert_ne!(decimal("0.1"), decimal("0.11"));
    }

    #[test]
    fn products_are_whole_or_none() {
        assert_eq!(decimal("1.5").times(1024), Some(1536));
        assert_eq!(decimal("0.1").times(1024), None);
        assert_eq!(decimal("999999999").times(1 << 60), None);
    }

    proptest! {
        #[test]
        fn a_rate_equals_the_decimal_that_it_is(part in 0_u64..1_000_000, scale in 0_u32..6) {
            let whole = 10_u64.pow(scale);
            let text = match scale {
                0 => part.to_string(),
                _ => format!("{}.{:0width$}", part / whole, part % whole, width = scale as usize),
            };
            let bound = decimal(&text);
            prop_assert!(bound.compared_to(part, whole).is_eq());
            prop_assert!(bound.compared_to(part + 1, whole).is_gt());
            let parsed: f64 = text.parse().unwrap();
            prop_assert_eq!(bound.to_f64().to_bits(), parsed.to_bits());
        }
    }

    #[test]
    fn the_largest_counts_compare() {
        assert!(
            decimal("0.000000001")
                .percent()
                .compared_to(u64::MAX, 1)
                .is_gt()
        );
        assert!(
            decimal("999999999.999999999")
                .compared_to(1, u64::MAX)
                .is_lt()
        );
        assert!(decimal("1").compared_to(u64::MAX, u64::MAX).is_eq());
    }
}
