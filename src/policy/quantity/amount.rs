//! Amounts as Kubernetes writes them: shares of a processor and numbers of bytes.

use super::{Decimal, Measure};

/// A share of processors, in thousandths of one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cpu {
    thousandths: u64,
}

impl Cpu {
    /// What is expected where a share is written.
    pub const EXPECTED: &'static str =
        "a number of processors above 0, or whole thousandths of one with `m`";

    /// How it may be written.
    pub const EXAMPLE: &'static str = "0.5 or 100m";

    /// Reads a number of processors, or of thousandths with `m` behind it.
    pub fn parse(text: &str) -> Option<Self> {
        let thousandths = match text.strip_suffix('m') {
            Some(thousandths) => Decimal::parse(thousandths)?.times(1),
            None => Decimal::parse(text)?.times(1000),
        };
        let thousandths = thousandths.filter(|count| *count > 0)?;
        Some(Self { thousandths })
    }

    /// In thousandths of a processor.
    pub fn thousandths(self) -> u64 {
        self.thousandths
    }

    /// The quantity as it is shown.
    pub fn measure(self, written: &str) -> Measure {
        let mut measure = Measure::new(written, 0_u64, "CPU");
        let (whole, rest) = (self.thousandths / 1000, self.thousandths % 1000);
        let number = Decimal::parse(&format!("{whole}.{rest:03}"));
        let text = number.map_or_else(|| format!("{whole}.{rest:03}"), |number| number.to_string());
        if let Ok(value) = text.parse() {
            measure.value = value;
        }
        measure.in_words = format!("{text} CPU");
        measure
    }
}

/// A number of bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bytes {
    bytes: u64,
}

/// The suffixes and what they stand for: the powers of 1024, and those of 1000.
const SUFFIXES: [(&str, u64); 12] = [
    ("Ki", 1 << 10),
    ("Mi", 1 << 20),
    ("Gi", 1 << 30),
    ("Ti", 1 << 40),
    ("Pi", 1 << 50),
    ("Ei", 1 << 60),
    ("k", 1_000),
    ("M", 1_000_000),
    ("G", 1_000_000_000),
    ("T", 1_000_000_000_000),
    ("P", 1_000_000_000_000_000),
    ("E", 1_000_000_000_000_000_000),
];

impl Bytes {
    /// What is expected where a number of bytes is written.
    pub const EXPECTED: &'static str = "a number of bytes above 0, with Ki, Mi, Gi, Ti, Pi, Ei (powers of 1024) or k, M, G, T, P, E (powers of 1000) where wanted";

    /// How it may be written.
    pub const EXAMPLE: &'static str = "128Mi";

    /// Reads a number with a suffix or without one. What is no whole number of bytes is none.
    pub fn parse(text: &str) -> Option<Self> {
        let with_suffix = SUFFIXES
            .iter()
            .find_map(|(suffix, factor)| Some((text.strip_suffix(suffix)?, *factor)));
        let (number, factor) = with_suffix.unwrap_or((text, 1));
        // A plain number of bytes may have more digits than a decimal.
        let plain = (factor == 1 && number.bytes().all(|byte| byte.is_ascii_digit()))
            .then(|| number.parse().ok())
            .flatten();
        let bytes = plain.or_else(|| Decimal::parse(number)?.times(factor));
        let bytes = bytes.filter(|bytes| *bytes > 0)?;
        Some(Self { bytes })
    }

    /// How many.
    pub fn get(self) -> u64 {
        self.bytes
    }

    /// The quantity as it is shown.
    pub fn measure(self, written: &str) -> Measure {
        Measure::new(written, self.bytes, "bytes")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn processors_are_whole_thousandths() {
        for (text, thousandths) in [
            ("100m", 100),
            ("1m", 1),
            ("1500m", 1500),
            ("0.1", 100),
            ("2", 2000),
            ("0.001", 1),
            ("2.5", 2500),
        ] {
            assert_eq!(
                Cpu::parse(text).unwrap().thousandths(),
                thousandths,
                "{text}"
            );
        }
        for text in [
            "", "0", "0m", "m", "0.0001", "0.5m", "-1", "100M", "100 m", "1e3", "lots",
        ] {
            assert!(Cpu::parse(text).is_none(), "{text:?}");
        }
    }

    #[test]
    fn a_share_is_shown_in_processors() {
        for (text, shown, value) in [("100m", "0.1 CPU", "0.1"), ("2", "2 CPU", "2")] {
            let measure = Cpu::parse(text).unwrap().measure(text);
            assert_eq!(
                (
                    measure.in_words.as_str(),
                    measure.value.to_string().as_str()
                ),
                (shown, value)
            );
        }
    }

    #[test]
    fn bytes_know_both_kinds_of_suffixes() {
        for (text, bytes) in [
            ("128Mi", 134_217_728),
            ("1Gi", 1_073_741_824),
            ("1.5Ki", 1536),
            ("1G", 1_000_000_000),
            ("128M", 128_000_000),
            ("1k", 1000),
            ("1", 1),
            ("134217728000", 134_217_728_000),
            ("15Ei", 17_293_822_569_102_704_640),
        ] {
            assert_eq!(Bytes::parse(text).unwrap().get(), bytes, "{text}");
        }
        for text in [
            "",
            "0",
            "0Mi",
            "Mi",
            "128MB",
            "128mi",
            "128 Mi",
            "-1",
            "0.5",
            "0.1Ki",
            "16Ei",
            "100m",
            "1K",
            "99999999999999999999",
        ] {
            assert!(Bytes::parse(text).is_none(), "{text:?}");
        }
    }
}
