//! Thresholds with an operator, `violation_rate > 5%`, and the rates that are held against them.
//!
//! A rate may be written as a fraction or as a percentage; both are the same number (row C-48). A
//! value that is equal to the bound is not above it, and a rate of nothing is no rate: it raises no
//! alert and lets nothing be promoted (row B-13).

use std::cmp::Ordering;

use super::{Decimal, Measure};

/// How a value is compared to a bound.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Operator {
    /// `>`
    Above,
    /// `>=`
    AtLeast,
    /// `<`
    Below,
    /// `<=`
    AtMost,
}

/// Every operator with its sign and in words; longer signs first, for reading.
const OPERATORS: [(Operator, &str, &str); 4] = [
    (Operator::AtLeast, ">=", "at least"),
    (Operator::AtMost, "<=", "at most"),
    (Operator::Above, ">", "above"),
    (Operator::Below, "<", "below"),
];

impl Operator {
    fn parts(self) -> (&'static str, &'static str) {
        let found = OPERATORS.iter().find(|(operator, ..)| *operator == self);
        found.map_or((">", "above"), |(_, sign, words)| (sign, words))
    }

    fn holds(self, order: Ordering) -> bool {
        match self {
            Self::Above => order.is_gt(),
            Self::AtLeast => order.is_ge(),
            Self::Below => order.is_lt(),
            Self::AtMost => order.is_le(),
        }
    }
}

/// A part of a whole. There is no rate of nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rate {
    part: u64,
    whole: u64,
}

impl Rate {
    /// So many of so many; `None` where there was nothing to count.
    pub fn new(part: u64, whole: u64) -> Option<Self> {
        (whole > 0).then_some(Self { part, whole })
    }
}

/// What a threshold says about a rate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// The condition holds.
    Met,
    /// It does not.
    Unmet,
    /// There is no rate, so nobody knows.
    Undefined,
}

impl Verdict {
    /// True where somebody has to be told, or a change taken back.
    pub fn raises_alert(self) -> bool {
        self == Self::Met
    }

    /// True where nothing stands against a promotion: what was never measured does.
    pub fn allows_promotion(self) -> bool {
        self == Self::Unmet
    }
}

/// A metric, an operator and a bound.
#[derive(Debug, Clone, PartialEq)]
pub struct Threshold {
    metric: String,
    operator: Operator,
    bound: Decimal,
}

impl Threshold {
    /// What is expected where a threshold is written.
    pub const EXPECTED: &'static str =
        "a metric, one of > >= < <=, and a fraction or a percentage (of a rate at most 1 or 100%)";

    /// How it may be written.
    pub const EXAMPLE: &'static str = "violation_rate > 0.01 or violation_rate > 5%";

    /// Reads `METRIC OPERATOR NUMBER`, the number a fraction or with `%`.
    pub fn parse(text: &str) -> Option<Self> {
        let sign = text.find(['<', '>'])?;
        let (metric, rest) = text.split_at_checked(sign)?;
        let (operator, bound) = OPERATORS
            .iter()
            .find_map(|(operator, sign, _)| Some((*operator, rest.strip_prefix(sign)?)))?;
        let (metric, bound) = (metric.trim(), bound.trim());
        let bound = match bound.strip_suffix('%') {
            Some(percent) => Decimal::parse(percent.trim_end())?.percent(),
            None => Decimal::parse(bound)?,
        };
        // `violation_rate > 5` is somebody's five percent, and would never hold.
        let never = metric.ends_with("_rate") && bound.is_above_one();
        (is_metric(metric) && !never).then(|| Self {
            metric: metric.to_owned(),
            operator,
            bound,
        })
    }

    /// What is held against the bound.
    pub fn metric(&self) -> &str {
        &self.metric
    }

    /// Does the condition hold for a rate?
    pub fn verdict(&self, rate: Option<Rate>) -> Verdict {
        let Some(Rate { part, whole }) = rate else {
            return Verdict::Undefined;
        };
        if self.operator.holds(self.bound.compared_to(part, whole)) {
            Verdict::Met
        } else {
            Verdict::Unmet
        }
    }

    /// The quantity as it is shown.
    pub fn measure(&self, written: &str) -> Measure {
        let (sign, words) = self.operator.parts();
        let mut measure = Measure::new(written, 0_u64, "fraction");
        if let Some(value) = serde_json::Number::from_f64(self.bound.to_f64()) {
            measure.value = value;
        }
        measure.metric = Some(self.metric.clone());
        measure.operator = Some(sign);
        measure.in_words = format!(
            "{} {words} {}, which is {} %",
            self.metric,
            self.bound,
            self.bound.hundredfold()
        );
        measure
    }
}

fn is_metric(name: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.');
    let begins = name.as_bytes().first().is_some_and(u8::is_ascii_alphabetic);
    begins && name.len() <= 100 && name.bytes().all(plain)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn verdict(text: &str, part: u64, whole: u64) -> Verdict {
        Threshold::parse(text)
            .unwrap()
            .verdict(Rate::new(part, whole))
    }

    #[test]
    fn an_equal_value_is_not_above() {
        for (text, part, whole, met) in [
            ("violation_rate > 0.01", 1, 100, false),
            ("violation_rate > 0.01", 2, 100, true),
            ("violation_rate > 0.01", 10_001, 1_000_000, true),
            ("violation_rate > 5%", 50, 1000, false),
            ("violation_rate > 5%", 51, 1000, true),
            ("violation_rate > 5%", 3, 60, false),
            ("performance_impact > 10%", 1, 10, false),
            ("performance_impact > 10%", 11, 100, true),
            ("violation_rate >= 5%", 50, 1000, true),
            ("success_rate < 99.9%", 999, 1000, false),
            ("success_rate < 99.9%", 998, 1000, true),
            ("success_rate <= 99.9%", 999, 1000, true),
            ("violation_rate>0.3", 3, 10, false),
        ] {
            let expected = if met { Verdict::Met } else { Verdict::Unmet };
            assert_eq!(
                verdict(text, part, whole),
                expected,
                "{text}: {part}/{whole}"
            );
        }
    }

    #[test]
    fn a_rate_of_nothing_raises_nothing_and_promotes_nothing() {
        for text in ["violation_rate > 0.01", "violation_rate <= 1"] {
            let verdict = verdict(text, 0, 0);
            assert_eq!(verdict, Verdict::Undefined);
            assert!(!verdict.raises_alert() && !verdict.allows_promotion());
        }
        assert!(verdict("violation_rate > 0.01", 2, 100).raises_alert());
        assert!(!verdict("violation_rate > 0.01", 2, 100).allows_promotion());
        assert!(verdict("violation_rate > 0.01", 1, 100).allows_promotion());
    }

    #[test]
    fn fraction_and_percentage_are_one_number() {
        let (fraction, percent) = (
            Threshold::parse("violation_rate > 0.05"),
            Threshold::parse("violation_rate > 5 %"),
        );
        assert_eq!(fraction, percent);
        assert_eq!(
            percent
                .unwrap()
                .measure("violation_rate > 5 %")
                .value
                .to_string(),
            "0.05"
        );
    }

    #[test]
    fn what_is_no_threshold_is_none() {
        for text in [
            "",
            "> 5%",
            "violation_rate",
            "violation_rate > ",
            "violation_rate > five",
            "violation_rate > -1",
            "violation_rate > 5",
            "violation_rate > 101%",
            "violation_rate => 5%",
            "violation_rate >> 5%",
            "violation_rate = 5%",
            "violation rate > 5%",
            "5% < violation_rate",
            "violation_rate > 5%%",
            "violation_rate > 1e-3",
        ] {
            assert!(Threshold::parse(text).is_none(), "{text:?}");
        }
        assert!(Threshold::parse("performance_impact > 150%").is_some());
    }
}
