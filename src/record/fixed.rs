//! A line of the journal of decisions read without a parser, where it stands exactly as
//! [`super::line`] writes it.
//!
//! A history of a million decisions is read through here. The form is fixed: these members, in this
//! order, compact, in the version that this program writes. Every byte of the line is looked at, so
//! nothing is taken that [`RecordedLine::parse`] would refuse, and what is taken is what it would
//! give, floats included; a property test holds the two together. Any other line is `None` here,
//! which says nothing about it: [`RecordedLine::parse`] then has the word.

use super::line::{FailureMark, RecordedLine, VERSION, is_fix_branch};
use super::signing::KeyId;
use crate::ids::{Digest, ReasonCode, RunId};
use crate::policy::Level;
use crate::signals::six::Six;
use crate::signals::{Percent, Risk, Status};
use crate::time::Timestamp;

/// A decision as its line records it, borrowed from the line.
#[derive(Debug, Clone)]
pub struct FixedLine<'a> {
    /// When it was made.
    pub at: Timestamp,
    /// Its level.
    pub level: Level,
    /// The level before.
    pub before: Option<Level>,
    /// The values and the status of every reading.
    pub six: Six,
    /// True where the user gave the time.
    pub given_clock: bool,
    /// The line's number.
    pub seq: u64,
    /// How many bytes of a plain log it adopts.
    pub adopted: Option<u64>,
    prev: &'a [u8; 64],
    doc: &'a [u8; 64],
    /// What stands between the brackets: codes in quotes, with commas between.
    reasons: &'a [u8],
    lock: Option<&'a [u8; 64]>,
    run_id: Option<RunId>,
    failure: Option<(&'a [u8], Option<&'a str>)>,
}

/// The digits of the version that the form below is that of.
const MEMBERS: &[u8] = b",\"v\":1,\"seq\":";
const _: () = assert!(VERSION == 1, "the form below is that of version 1");

const LEVELS: [(&[u8], Level); 3] = [
    (b"GREEN\"", Level::GREEN),
    (b"YELLOW\"", Level::YELLOW),
    (b"RED\"", Level::RED),
];

const RISKS: [(&[u8], Risk); 3] = [
    (b"low\"", Risk::Low),
    (b"medium\"", Risk::Medium),
    (b"high\"", Risk::High),
];

const STATUSES: [(&[u8], Status); 4] = [
    (b"missing\"", Status::Missing),
    (b"invalid\"", Status::Invalid),
    (b"stale\"", Status::Stale),
    (b"valid\"", Status::Valid),
];

/// The keys of `status`, in the order of the readings.
const SIGNALS: [&[u8]; 6] = [
    b"\"trust\":\"",
    b"\"integrity\":\"",
    b"\"consensus\":\"",
    b"\"reputation\":\"",
    b"\"forecast\":\"",
    b"\"responses\":\"",
];

impl<'a> FixedLine<'a> {
    /// Reads a line, given without its newline. `None` says nothing about it.
    pub fn parse(line: &'a [u8]) -> Option<Self> {
        let mut rest = Rest(line);
        rest.skip(b"{\"timestamp\":\"")?;
        let at = rest.timestamp()?;
        rest.skip(b",\"policy\":\"")?;
        let level = rest.one_of(&LEVELS)?;
        rest.skip(b",\"trust_locked\":")?;
        let trust_locked = rest.flag()?;
        rest.skip(b",\"integrity\":")?;
        let integrity = rest.percent()?;
        rest.skip(b",\"consensus\":")?;
        let consensus = rest.percent()?;
        rest.skip(b",\"reputation\":")?;
        let reputation = rest.percent()?;
        rest.skip(b",\"forecast\":\"")?;
        let forecast = rest.one_of(&RISKS)?;
        rest.skip(b",\"responses\":")?;
        let responses = rest.count()?;
        rest.skip(MEMBERS)?;
        let seq = rest.count()?;
        rest.skip(b",\"prev\":\"")?;
        let prev = rest.digest()?;
        rest.skip(b",\"doc\":\"")?;
        let doc = rest.digest()?;
        rest.skip(b",\"before\":")?;
        let before = match rest.skip(b"null") {
            Some(()) => None,
            None => Some(rest.before()?),
        };
        rest.skip(b",\"reasons\":[")?;
        let reasons = rest.reasons()?;
        let status = rest.status()?;
        let lock = match rest.skip(b",\"lock\":\"") {
            Some(()) => Some(rest.digest()?),
            None => None,
        };
        let given_clock = rest.skip(b",\"clock\":\"given\"").is_some();
        let run_id = match rest.skip(b",\"run_id\":\"") {
            Some(()) => Some(rest.run_id()?),
            None => None,
        };
        let failure = match rest.skip(b",\"failure\":\"") {
            Some(()) => Some(rest.failure()?),
            None => None,
        };
        let adopted = match rest.skip(b",\"adopted\":") {
            Some(()) => Some(rest.count()?),
            None => None,
        };
        if rest.skip(b",\"key\":\"").is_some() {
            rest.key()?;
            rest.skip(b",\"hmac\":\"")?;
            rest.digest()?;
        } else if rest.skip(b",\"hmac\":\"").is_some() {
            rest.digest()?;
        }
        rest.is(b"}").then_some(Self {
            at,
            level,
            before,
            six: Six {
                trust_locked,
                integrity,
                consensus,
                reputation,
                forecast,
                responses,
                status,
            },
            given_clock,
            seq,
            adopted,
            prev,
            doc,
            reasons,
            lock,
            run_id,
            failure,
        })
    }

    /// True where protected files were changed: then the level is RED whatever the signals say.
    pub fn is_tampered(&self) -> bool {
        // In this form of a line codes stand in quotes with commas between, and nothing else.
        let mut reasons = self.reasons.split(|byte| *byte == b',');
        let wanted = ReasonCode::POLICY_TAMPERED;
        reasons.any(|quoted| {
            let code = quoted.strip_prefix(b"\"");
            code.and_then(|code| code.strip_suffix(b"\"")) == Some(wanted.as_str().as_bytes())
        })
    }

    /// The digest of the policy document.
    pub fn policy(&self) -> Option<Digest> {
        Digest::parse_bytes(self.doc)
    }

    /// The digits of that digest: what a reader of a million lines compares.
    pub fn policy_digits(&self) -> &[u8; 64] {
        self.doc
    }

    /// The digest of what stands before the line.
    pub fn prev(&self) -> Option<Digest> {
        Digest::parse_bytes(self.prev)
    }

    /// The line as [`RecordedLine::parse`] gives it.
    pub fn to_recorded(&self) -> Option<RecordedLine> {
        let failure = match self.failure {
            None => None,
            Some((digits, branch)) => Some(FailureMark {
                failure: Digest::parse_bytes(digits)?,
                branch: branch.map(str::to_owned),
            }),
        };
        Some(RecordedLine {
            at: self.at,
            level: self.level.clone(),
            before: self.before.clone(),
            readings: self.six.readings(),
            policy: self.policy()?,
            reasons: self.reasons()?,
            waived: Vec::new(),
            shadow: None,
            held: None,
            held_before: None,
            lock: match self.lock {
                Some(digits) => Some(Digest::parse_bytes(digits)?),
                None => None,
            },
            given_clock: self.given_clock,
            run_id: self.run_id,
            failure,
            seq: self.seq,
        })
    }

    /// The reason codes.
    pub fn reasons(&self) -> Option<Vec<ReasonCode>> {
        let text = std::str::from_utf8(self.reasons).ok()?;
        if text.is_empty() {
            return Some(Vec::new());
        }
        let code = |quoted: &str| ReasonCode::parse(quoted.trim_matches('"'));
        text.split(',').map(code).collect()
    }
}

/// What of a line is still to be read.
struct Rest<'a>(&'a [u8]);

impl<'a> Rest<'a> {
    #[inline]
    fn skip(&mut self, text: &[u8]) -> Option<()> {
        self.0 = self.0.strip_prefix(text)?;
        Some(())
    }

    fn is(&self, text: &[u8]) -> bool {
        self.0 == text
    }

    #[inline]
    fn take(&mut self, length: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        Some(taken)
    }

    #[inline]
    fn one_of<T: Clone>(&mut self, words: &[(&[u8], T)]) -> Option<T> {
        for (word, value) in words {
            if self.skip(word).is_some() {
                return Some(value.clone());
            }
        }
        None
    }

    /// A time in the form that lines carry, and the quote behind it.
    fn timestamp(&mut self) -> Option<Timestamp> {
        let length = match (self.0.get(32), self.0.get(25)) {
            (_, Some(b'"')) => 25,
            (Some(b'"'), _) => 32,
            _ => return None,
        };
        let text = self.take(length)?;
        self.skip(b"\"")?;
        Timestamp::read_usual(text)
    }

    #[inline]
    fn flag(&mut self) -> Option<bool> {
        if self.skip(b"false").is_some() {
            return Some(false);
        }
        self.skip(b"true").map(|()| true)
    }

    /// A whole number as JSON writes one, without a zero before it, of at most 19 digits.
    #[inline]
    fn count(&mut self) -> Option<u64> {
        let (mut number, mut length) = (0_u64, 0);
        for byte in self.0 {
            let digit = byte.wrapping_sub(b'0');
            if digit > 9 {
                break;
            }
            number = number.wrapping_mul(10).wrapping_add(u64::from(digit));
            length += 1;
        }
        let digits = self.take(length)?;
        let leads_with_zero = length > 1 && digits.first() == Some(&b'0');
        ((1..=19).contains(&length) && !leads_with_zero).then_some(number)
    }

    /// A number from 0 to 100 as JSON writes one, without an exponent.
    #[inline]
    fn percent(&mut self) -> Option<Percent> {
        let (mut mantissa, mut length, mut point) = (0_u64, 0, None);
        for byte in self.0 {
            let digit = byte.wrapping_sub(b'0');
            if digit <= 9 {
                mantissa = mantissa.wrapping_mul(10).wrapping_add(u64::from(digit));
            } else if *byte == b'.' && point.is_none() {
                point = Some(length);
            } else {
                break;
            }
            length += 1;
        }
        let text = self.take(length)?;
        let whole = point.unwrap_or(length);
        let fraction = point.map(|point| length - point - 1);
        let leads_with_zero = whole > 1 && text.first() == Some(&b'0');
        if whole == 0 || leads_with_zero || fraction == Some(0) || !self.0.starts_with(b",") {
            return None;
        }
        let fraction = fraction.unwrap_or(0);
        let number = match exact(mantissa, whole + fraction, fraction) {
            Some(number) => number,
            None => std::str::from_utf8(text).ok()?.parse().ok()?,
        };
        Percent::new(number)
    }

    /// The id of a run, and the quote behind it.
    fn run_id(&mut self) -> Option<RunId> {
        let text = std::str::from_utf8(self.take(36)?).ok()?;
        self.skip(b"\"")?;
        RunId::parse(text)
    }

    /// The 64 digits of a digest, and the quote behind them.
    #[inline]
    fn digest(&mut self) -> Option<&'a [u8; 64]> {
        let digits: &'a [u8; 64] = self.0.first_chunk()?;
        // Without a way out of the loop: so the compiler compares many digits at once.
        let wrong = digits.iter().fold(0_u8, |wrong, digit| {
            let is_number = digit.wrapping_sub(b'0') < 10;
            let is_letter = digit.wrapping_sub(b'a') < 6;
            wrong | u8::from(!(is_number | is_letter))
        });
        if wrong != 0 {
            return None;
        }
        self.take(64)?;
        self.skip(b"\"")?;
        Some(digits)
    }

    /// The digits of a key's id, and the quote behind them.
    fn key(&mut self) -> Option<KeyId> {
        let id = KeyId::parse(self.take(16)?)?;
        self.skip(b"\"")?;
        Some(id)
    }

    fn before(&mut self) -> Option<Level> {
        self.skip(b"\"")?;
        self.one_of(&LEVELS)
    }

    /// Codes in quotes, and the bracket behind them.
    fn reasons(&mut self) -> Option<&'a [u8]> {
        let all = self.0;
        if self.skip(b"]").is_some() {
            return Some(&[]);
        }
        loop {
            self.skip(b"\"")?;
            let of_code =
                |byte: &&u8| byte.is_ascii_uppercase() || byte.is_ascii_digit() || **byte == b'_';
            let length = self.0.iter().take_while(of_code).count();
            if length == 0 || length > 64 {
                return None;
            }
            self.take(length)?;
            self.skip(b"\"")?;
            if self.skip(b"]").is_some() {
                return all.get(..all.len() - self.0.len() - 1);
            }
            self.skip(b",")?;
        }
    }

    fn status(&mut self) -> Option<[Status; 6]> {
        let mut statuses = [Status::Valid; 6];
        if self.skip(b",\"status\":{").is_none() {
            return Some(statuses);
        }
        let mut any = false;
        for (signal, status) in SIGNALS.iter().zip(statuses.iter_mut()) {
            let before = self.0;
            if any && self.skip(b",").is_none() {
                break;
            }
            if self.skip(signal).is_none() {
                self.0 = before;
                continue;
            }
            *status = self.one_of(&STATUSES)?;
            any = true;
        }
        self.skip(b"}")?;
        Some(statuses)
    }

    /// A digest, and a fix branch where one follows.
    fn failure(&mut self) -> Option<(&'a [u8], Option<&'a str>)> {
        let failure: &[u8] = self.digest()?;
        if self.skip(b",\"branch\":\"").is_none() {
            return Some((failure, None));
        }
        let length = memchr::memchr(b'"', self.0)?;
        let branch = std::str::from_utf8(self.take(length)?).ok()?;
        self.skip(b"\"")?;
        is_fix_branch(branch).then_some((failure, Some(branch)))
    }
}

/// The nearest float to a decimal of so many digits, some of them behind the point, where one
/// division gives it: a whole number up to 2^53 is a float exactly, so is a power of ten up to 22,
/// and a division of two exact numbers is rounded correctly (IEEE 754), which is what every correct
/// parser gives. More than 19 digits may not have fitted into `mantissa`.
#[inline]
#[expect(
    clippy::cast_precision_loss,
    reason = "a number up to 2^53 loses nothing"
)]
fn exact(mantissa: u64, digits: usize, fraction: usize) -> Option<f64> {
    if digits > 19 || mantissa > 1 << 53 {
        return None;
    }
    POWERS.get(fraction).map(|power| mantissa as f64 / power)
}

/// The powers of ten that a float holds exactly.
const POWERS: [f64; 23] = [
    1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16,
    1e17, 1e18, 1e19, 1e20, 1e21, 1e22,
];

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const HEX: &str = "[0-9a-f]{64}";

    /// One of the values, the first of them usually.
    fn mostly(usual: &'static str, odd: &'static [&'static str]) -> BoxedStrategy<String> {
        prop_oneof![
            9 => Just(usual.to_owned()),
            1 => proptest::sample::select(odd).prop_map(str::to_owned),
        ]
        .boxed()
    }

    fn number() -> BoxedStrategy<String> {
        prop_oneof![
            6 => (0.0..=100.0_f64).prop_map(|number| serde_json::to_string(&number).unwrap()),
            4 => "[0-9]{1,2}\\.[0-9]{1,3}",
            3 => "[0-9]{1,2}\\.[0-9]{10,25}",
            1 => "[0-9]{1,3}",
            1 => "[0-9]{0,2}\\.[0-9]{0,20}([eE][-+]?[0-9]{1,3})?",
            1 => any::<f64>().prop_map(|number| number.to_string()),
            1 => proptest::sample::select(&["100", "100.0", "100.00000000000000000001", "-0.0", "0.0", "1e2", "1e-7", "00.5", "5.", ".5", "", "\"95\"", "null", "NaN", "99.99999999999999999999", "0.1000000000000000055511151231257827"][..]).prop_map(str::to_owned),
        ]
        .boxed()
    }

    fn time() -> BoxedStrategy<String> {
        prop_oneof![
            5 => "20[0-9]{2}-(0[1-9]|1[0-2])-([01][1-9]|2[0-8])T([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9](\\.[0-9]{6})?\\+00:00",
            1 => "[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-2][0-9]:[0-6][0-9]:[0-6][0-9](\\.[0-9]{1,9})?(Z|\\+00:00|\\+01:00|)",
        ]
        .boxed()
    }

    fn reasons() -> BoxedStrategy<String> {
        prop_oneof![
            6 => proptest::collection::vec("\"[A-Z0-9_]{1,24}\"", 0..4).prop_map(|codes| codes.join(",")),
            1 => "(\"[A-Za-z_]{0,66}\",?){0,3}",
        ]
        .boxed()
    }

    fn status() -> BoxedStrategy<String> {
        let entry = "\"(trust|integrity|consensus|reputation|forecast|responses|other)\":\"(missing|stale|invalid|valid)\"";
        prop_oneof![
            4 => Just(String::new()),
            3 => entry.prop_map(|entry| format!(",\"status\":{{{entry}}}")),
            2 => proptest::collection::vec(entry, 0..4).prop_map(|all| format!(",\"status\":{{{}}}", all.join(","))),
            1 => Just(",\"status\":{\"trust\":\"missing\",}".to_owned()),
        ]
        .boxed()
    }

    fn ending() -> BoxedStrategy<String> {
        let clock = mostly(
            "",
            &[
                ",\"clock\":\"given\"",
                ",\"clock\":\"other\"",
                ",\"clock\":null",
            ],
        );
        let failure = prop_oneof![
            5 => Just(String::new()),
            1 => HEX.prop_map(|failure| format!(",\"failure\":\"{failure}\"")),
            1 => HEX.prop_map(|failure| format!(",\"failure\":\"{failure}\",\"branch\":\"fix/policy-orchestrator-20260606164500\"")),
            1 => HEX.prop_map(|failure| format!(",\"failure\":\"{failure}\",\"branch\":\"fix/other\"")),
        ];
        let lock = prop_oneof![3 => Just(String::new()), 1 => HEX.prop_map(|lock| format!(",\"lock\":\"{lock}\"")), 1 => Just(",\"lock\":null".to_owned())];
        let adopted = mostly("", &[",\"adopted\":396", ",\"adopted\":-1"]);
        let hmac = prop_oneof![
            3 => Just(String::new()),
            1 => HEX.prop_map(|hmac| format!(",\"hmac\":\"{hmac}\"")),
            2 => ("[0-9a-f]{16}", HEX).prop_map(|(key, hmac)| format!(",\"key\":\"{key}\",\"hmac\":\"{hmac}\"")),
            1 => ("[0-9a-fA-F]{15,17}", HEX).prop_map(|(key, hmac)| format!(",\"key\":\"{key}\",\"hmac\":\"{hmac}\"")),
            1 => "[0-9a-f]{16}".prop_map(|key| format!(",\"key\":\"{key}\"")),
        ];
        let run_id = mostly(
            "",
            &[
                ",\"run_id\":\"6f1b7e0a-9a54-4a7e-8f0e-0d6a0c2b9e11\"",
                ",\"run_id\":\"6F1B7E0A-9A54-4A7E-8F0E-0D6A0C2B9E11\"",
                ",\"run_id\":\"\"",
                ",\"run_id\":null",
            ],
        );
        let end = mostly("}", &["}\r", "} ", "", "}}", ",\"more\":1}", ",\"seq\":7}"]);
        (lock, clock, run_id, failure, adopted, hmac, end)
            .prop_map(|(lock, clock, run_id, failure, adopted, hmac, end)| {
                format!("{lock}{clock}{run_id}{failure}{adopted}{hmac}{end}")
            })
            .boxed()
    }

    fn line() -> impl Strategy<Value = String> {
        let level = mostly(
            "YELLOW",
            &["GREEN", "RED", "ORANGE", "green", "", "GREE\\u004e"],
        );
        let before = mostly(
            "null",
            &[
                "\"GREEN\"",
                "\"YELLOW\"",
                "\"RED\"",
                "\"ORANGE\"",
                "\"\"",
                "1",
            ],
        );
        let locked = mostly("false", &["true", "null", "0"]);
        let forecast = mostly("low", &["medium", "high", "High", "", "critical"]);
        let count = prop_oneof![6 => "[0-9]", 3 => "[0-9]{1,21}", 1 => "-?[0-9]{1,3}(\\.[0-9])?"];
        let version = mostly("1", &["2", "\"1\"", "01"]);
        (
            (time(), level, locked, number(), number(), number()),
            (forecast, count.clone(), version, count),
            (HEX, prop_oneof![9 => HEX, 1 => "[0-9a-zA-Z]{63,65}"], before, reasons()),
            (status(), ending()),
        )
            .prop_map(|(first, second, third, (status, ending))| {
                let (time, level, locked, integrity, consensus, reputation) = first;
                let (forecast, responses, version, seq) = second;
                let (prev, doc, before, reasons) = third;
                format!("{{\"timestamp\":\"{time}\",\"policy\":\"{level}\",\"trust_locked\":{locked},\"integrity\":{integrity},\"consensus\":{consensus},\"reputation\":{reputation},\"forecast\":\"{forecast}\",\"responses\":{responses},\"v\":{version},\"seq\":{seq},\"prev\":\"{prev}\",\"doc\":\"{doc}\",\"before\":{before},\"reasons\":[{reasons}]{status}{ending}")
            })
    }

    fn agree(line: &[u8]) -> Result<bool, TestCaseError> {
        let Some(fast) = FixedLine::parse(line) else {
            return Ok(false);
        };
        let fast = fast.to_recorded();
        prop_assert!(fast.is_some());
        prop_assert_eq!(&fast, &RecordedLine::parse(line));
        // Equal floats can differ in their bits only by the sign of zero; compare those too.
        let bits = |line: &Option<RecordedLine>| {
            format!("{:?}", line.as_ref().map(|line| line.readings.clone()))
        };
        prop_assert_eq!(bits(&fast), bits(&RecordedLine::parse(line)));
        Ok(true)
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 4000, failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn what_is_taken_is_what_the_parser_gives(line in line()) {
            agree(line.as_bytes())?;
        }

        #[test]
        fn a_changed_byte_makes_no_difference_between_the_two(
            at in any::<proptest::sample::Index>(), byte in any::<u8>(), which in 0..4_usize
        ) {
            let mut line = WRITTEN[which].as_bytes().to_vec();
            let at = at.index(line.len());
            line[at] = byte;
            agree(&line)?;
        }

        #[test]
        fn one_division_gives_the_nearest_float(whole in "[1-9][0-9]{0,7}|0", fraction in "[0-9]{1,18}") {
            let mantissa = format!("{whole}{fraction}").parse().unwrap_or(u64::MAX);
            if let Some(number) = exact(mantissa, whole.len() + fraction.len(), fraction.len()) {
                let text = format!("{whole}.{fraction}");
                prop_assert_eq!(number.to_bits(), text.parse::<f64>().unwrap().to_bits());
                prop_assert_eq!(number.to_bits(), serde_json::from_str::<f64>(&text).unwrap().to_bits());
            }
        }
    }

    /// Lines as version 0.1.0 wrote them, and one with a key's id.
    const WRITTEN: [&str; 5] = [
        r#"{"timestamp":"2026-06-06T16:45:00.903977+00:00","policy":"RED","trust_locked":false,"integrity":94.99,"consensus":95.0,"reputation":82.5,"forecast":"low","responses":1,"v":1,"seq":14,"prev":"660faaaaab23bca92953cdf798dbee0842b44c6867752c39cd91578a3f83a567","doc":"594ca69fcd607ffdca1c1e77f1309a6181041c907f7873bc8a46abd4bb32019f","before":"YELLOW","reasons":["INPUT_INVALID","INTEGRITY_BELOW_YELLOW"],"status":{"forecast":"invalid"},"failure":"5c75e2e0e12b8c0979b059f9c76c7f1da45a16be7cb7e7e223c85a050ce818ef","branch":"fix/policy-orchestrator-20260606164500"}"#,
        r#"{"timestamp":"2026-06-01T04:45:00+00:00","policy":"YELLOW","trust_locked":false,"integrity":94.99,"consensus":90.0,"reputation":81.03333333333333,"forecast":"low","responses":1,"v":1,"seq":3,"prev":"660faaaaab23bca92953cdf798dbee0842b44c6867752c39cd91578a3f83a567","doc":"594ca69fcd607ffdca1c1e77f1309a6181041c907f7873bc8a46abd4bb32019f","before":null,"reasons":["INTEGRITY_BELOW_YELLOW"],"adopted":396}"#,
        r#"{"timestamp":"2026-06-01T04:45:00+00:00","policy":"RED","trust_locked":false,"integrity":94.99,"consensus":90.0,"reputation":81.03333333333333,"forecast":"low","responses":1,"v":1,"seq":3,"prev":"660faaaaab23bca92953cdf798dbee0842b44c6867752c39cd91578a3f83a567","doc":"594ca69fcd607ffdca1c1e77f1309a6181041c907f7873bc8a46abd4bb32019f","before":null,"reasons":["POLICY_TAMPERED"],"lock":"e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"}"#,
        r#"{"timestamp":"2026-11-20T06:05:00+00:00","policy":"GREEN","trust_locked":true,"integrity":100.0,"consensus":95.0,"reputation":100.0,"forecast":"medium","responses":0,"v":1,"seq":2,"prev":"e47dd2e77c429b0866e23f93cd9112e8cba57d6c0570759dce058f3179f4ce4b","doc":"594ca69fcd607ffdca1c1e77f1309a6181041c907f7873bc8a46abd4bb32019f","before":"RED","reasons":[],"status":{"integrity":"missing","reputation":"stale"},"clock":"given","hmac":"9f0ef1d6400a503e388a6a8973f98f62a58601827e08a242383c9546408e84f9"}"#,
        r#"{"timestamp":"2026-11-20T06:05:00+00:00","policy":"GREEN","trust_locked":true,"integrity":100.0,"consensus":95.0,"reputation":100.0,"forecast":"medium","responses":0,"v":1,"seq":2,"prev":"e47dd2e77c429b0866e23f93cd9112e8cba57d6c0570759dce058f3179f4ce4b","doc":"594ca69fcd607ffdca1c1e77f1309a6181041c907f7873bc8a46abd4bb32019f","before":"RED","reasons":[],"status":{"integrity":"missing","reputation":"stale"},"clock":"given","key":"904610aefb4bae2d","hmac":"9f0ef1d6400a503e388a6a8973f98f62a58601827e08a242383c9546408e84f9"}"#,
    ];

    #[test]
    fn lines_as_they_are_written_are_taken() {
        for line in WRITTEN {
            assert!(agree(line.as_bytes()).unwrap(), "{line}");
        }
        let journal =
            include_str!("../../tests/fixtures/journal_0_1_0/state/policy_state_log.jsonl");
        let taken = journal
            .lines()
            .filter(|line| agree(line.as_bytes()).unwrap());
        assert_eq!(taken.count(), 42, "all but two lines of a plain log");
    }
}
