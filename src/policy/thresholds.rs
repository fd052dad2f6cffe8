//! The small form of a policy document: `policy/policy_thresholds.json` (row S4-088).
//!
//! It replaces some or all of the seven thresholds of the reference policy, which is itself such a
//! document, compiled in. Every problem of a document is collected before it is refused.

use serde_json::value::RawValue;

use super::outline::{Outline, Part};
use super::source::Spot;
use super::{Identity, Policy};
use crate::diagnostic::{Code, Diagnostic, Place};
use crate::ids::{Digest, ReasonCode};
use crate::signals::Percent;
use crate::signals::json::Document;
use crate::signals::members::{Known, Members};

/// Where the document stands, relative to the workspace.
pub(super) const FILE: &str = "policy/policy_thresholds.json";

/// The reference policy as a document.
const REFERENCE: &[u8] = include_bytes!("reference.json");

/// The longest name or version, in characters: they stand in every state file.
const NAME_LENGTH: usize = 100;

const KEYS: [&str; 11] = [
    "red_integrity",
    "red_consensus",
    "red_responses",
    "yellow_integrity",
    "yellow_consensus",
    "yellow_reputation",
    "yellow_responses",
    "name",
    "version",
    "description",
    "$schema",
];

const KNOWN: Known<'_> = Known {
    path: "$",
    keys: &KEYS,
    otherwise: "remove the key; levels between YELLOW and RED, and further signals, are for the large form: `policy-orchestrator policy init`",
};

/// The seven numbers that a document of this form sets.
#[derive(Debug, Clone, Copy)]
pub(super) struct Numbers {
    pub(super) red_integrity: Percent,
    pub(super) red_consensus: Percent,
    pub(super) red_responses: u64,
    pub(super) yellow_integrity: Percent,
    pub(super) yellow_consensus: Percent,
    pub(super) yellow_reputation: Percent,
    pub(super) yellow_responses: u64,
}

/// The numbers of the reference policy (CONTRACT.md section 3); a test holds them against its
/// document.
const REFERENCE_THRESHOLDS: Numbers = Numbers {
    red_integrity: Percent::whole(90),
    red_consensus: Percent::whole(85),
    red_responses: 8,
    yellow_integrity: Percent::whole(95),
    yellow_consensus: Percent::whole(90),
    yellow_reputation: Percent::whole(80),
    yellow_responses: 4,
};

/// The reference policy of CONTRACT.md section 3.
pub fn reference() -> Policy {
    Policy::of_numbers(
        identity("reference", "1", REFERENCE),
        REFERENCE.to_vec(),
        REFERENCE_THRESHOLDS,
    )
}

/// The reference policy, where `bytes` are its document.
pub(super) fn kept_reference(bytes: &[u8]) -> Option<Policy> {
    (bytes == REFERENCE).then(reference)
}

/// The policy that a refused document gives: it calls nothing healthy.
pub(super) fn refused(document: Vec<u8>) -> Policy {
    let identity = identity("refused", "0", &document);
    Policy::refused(identity, document, REFERENCE_THRESHOLDS)
}

fn identity(name: &str, version: &str, document: &[u8]) -> Identity {
    Identity {
        name: name.to_owned(),
        version: version.to_owned(),
        sha256: Digest::of(document),
    }
}

/// Parses and checks a document. `file` is named in the findings.
pub(super) fn parse(file: &str, bytes: &[u8]) -> Result<(Policy, Outline), Vec<Diagnostic>> {
    let document = match Document::read(file, bytes) {
        Ok(Some(document)) => document,
        Ok(None) => return Err(vec![empty(file)]),
        Err(error) => return Err(vec![*error]),
    };
    let members: Members<'_> = document.object().map_err(|error| vec![*error])?;
    let mut problems = Vec::new();
    members.check(&document, KNOWN, &mut problems);
    let mut draft = Draft {
        document,
        members,
        problems,
        outline: Outline::of(file),
    };
    let (name, version) = (draft.text("name", "thresholds"), draft.text("version", "1"));
    let thresholds = draft.thresholds();
    draft.refuse_contradictions(&thresholds);
    if !draft.problems.is_empty() {
        return Err(draft.problems);
    }
    draft.mark_lines();
    let policy = Policy::of_numbers(identity(&name, &version, bytes), bytes.to_vec(), thresholds);
    Ok((policy, draft.outline))
}

fn empty(file: &str) -> Diagnostic {
    Diagnostic::new(
        Code::KeyMissing,
        Place::line(file, 1).column(1),
        "the policy document is empty",
    )
    .found("nothing")
    .expected("a JSON object with thresholds")
    .help("remove the file to use the reference policy")
}

/// A document on its way to a policy, with everything that is wrong so far.
struct Draft<'a> {
    document: Document<'a>,
    members: Members<'a>,
    problems: Vec<Diagnostic>,
    outline: Outline,
}

impl<'a> Draft<'a> {
    fn member(&self, key: &str) -> Option<&'a RawValue> {
        self.members.get(key)
    }

    fn text(&mut self, key: &str, default: &str) -> String {
        let Some(raw) = self.member(key) else {
            return default.to_owned();
        };
        let path = format!("$.{key}");
        match self.document.text(raw, &path) {
            Ok(text)
                if text.chars().count() <= NAME_LENGTH && !text.chars().any(char::is_control) =>
            {
                return text;
            }
            Ok(_) => self.refuse_value(raw, &path, "at most 100 printable characters"),
            Err(error) => self.problems.push(*error),
        }
        default.to_owned()
    }

    fn percent(&mut self, key: &str, default: Percent) -> Percent {
        let Some(raw) = self.member(key) else {
            return default;
        };
        let path = format!("$.{key}");
        let number: Option<Percent> = serde_json::from_str(raw.get()).ok().and_then(Percent::new);
        number.unwrap_or_else(|| {
            self.refuse_value(raw, &path, "a number from 0 to 100, not as text");
            default
        })
    }

    fn count(&mut self, key: &str, default: u64) -> u64 {
        let Some(raw) = self.member(key) else {
            return default;
        };
        let path = format!("$.{key}");
        let count: Option<u64> = serde_json::from_str(raw.get())
            .ok()
            .filter(|count| *count > 0);
        count.unwrap_or_else(|| {
            self.refuse_value(
                raw,
                &path,
                "a whole number from 1 on: with 0 nothing could ever be healthy",
            );
            default
        })
    }

    fn refuse_value(&mut self, raw: &RawValue, path: &str, expected: &str) {
        let place = self.document.place(raw.get(), path);
        self.problems.push(
            Diagnostic::new(
                Code::ValueRange,
                place,
                format!("`{}` can't be used", path.trim_start_matches("$.")),
            )
            .found(format!("`{}`", raw.get()))
            .expected(expected)
            .help("correct the value"),
        );
    }

    fn thresholds(&mut self) -> Numbers {
        let usual = REFERENCE_THRESHOLDS;
        Numbers {
            red_integrity: self.percent("red_integrity", usual.red_integrity),
            red_consensus: self.percent("red_consensus", usual.red_consensus),
            red_responses: self.count("red_responses", usual.red_responses),
            yellow_integrity: self.percent("yellow_integrity", usual.yellow_integrity),
            yellow_consensus: self.percent("yellow_consensus", usual.yellow_consensus),
            yellow_reputation: self.percent("yellow_reputation", usual.yellow_reputation),
            yellow_responses: self.count("yellow_responses", usual.yellow_responses),
        }
    }

    /// Notes where the lines stand that the document draws itself.
    fn mark_lines(&mut self) {
        let lines = [
            ("red_integrity", ReasonCode::INTEGRITY_BELOW_RED),
            ("red_consensus", ReasonCode::CONSENSUS_BELOW_RED),
            ("red_responses", ReasonCode::RESPONSES_AT_RED),
            ("yellow_integrity", ReasonCode::INTEGRITY_BELOW_YELLOW),
            ("yellow_consensus", ReasonCode::CONSENSUS_BELOW_YELLOW),
            ("yellow_reputation", ReasonCode::REPUTATION_BELOW_YELLOW),
            ("yellow_responses", ReasonCode::RESPONSES_AT_YELLOW),
        ];
        for (key, code) in lines {
            let Some(raw) = self.member(key) else {
                continue;
            };
            let path = format!("$.{key}");
            let place = self.document.place(raw.get(), &path);
            let spot = Spot {
                line: place.line.unwrap_or(1),
                column: place.column.unwrap_or(1),
            };
            self.outline.mark(Part::Trigger(code.clone()), spot, &path);
            self.outline.mark(Part::Condition(code), spot, &path);
        }
    }

    /// A value that is RED has to be YELLOW too: the lines must lie in that order.
    fn refuse_contradictions(&mut self, thresholds: &Numbers) {
        let percents = [
            (
                "integrity",
                thresholds.red_integrity,
                thresholds.yellow_integrity,
            ),
            (
                "consensus",
                thresholds.red_consensus,
                thresholds.yellow_consensus,
            ),
        ];
        for (signal, red, yellow) in percents {
            if yellow < red {
                self.refuse_order(
                    signal,
                    "below",
                    &red.get().to_string(),
                    &yellow.get().to_string(),
                );
            }
        }
        if thresholds.yellow_responses > thresholds.red_responses {
            let (red, yellow) = (
                thresholds.red_responses.to_string(),
                thresholds.yellow_responses.to_string(),
            );
            self.refuse_order("responses", "above", &red, &yellow);
        }
    }

    fn refuse_order(&mut self, signal: &str, side: &str, red: &str, yellow: &str) {
        let (red_key, yellow_key) = (format!("red_{signal}"), format!("yellow_{signal}"));
        let (named, key) = match (self.member(&yellow_key), self.member(&red_key)) {
            (Some(raw), _) => (Some(raw), &yellow_key),
            (None, other) => (other, &red_key),
        };
        let place = named.map_or_else(
            || self.document.place("", "$"),
            |raw| self.document.place(raw.get(), &format!("$.{key}")),
        );
        self.problems.push(
            Diagnostic::new(
                Code::PolicyContradiction,
                place,
                format!("the YELLOW line of {signal} lies {side} the RED one"),
            )
            .found(format!("{red_key} {red} and {yellow_key} {yellow}"))
            .expected(format!("{yellow_key} not {side} {red_key}"))
            .help("exchange the two, or set both"),
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn codes(text: &str) -> Vec<Code> {
        match parse(FILE, text.as_bytes()) {
            Ok(_) => Vec::new(),
            Err(problems) => problems.iter().map(|problem| problem.code).collect(),
        }
    }

    #[test]
    fn the_reference_policy_is_its_document() {
        assert_eq!(parse("reference.json", REFERENCE).unwrap().0, reference());
    }

    #[test]
    fn a_document_may_replace_some_numbers() {
        let (policy, _) = parse(
            FILE,
            br#"{"yellow_integrity": 96, "name": "stricter", "version": "2"}"#,
        )
        .unwrap();
        assert_eq!(
            policy.thresholds().yellow_integrity,
            Some(Percent::whole(96))
        );
        assert_eq!(policy.thresholds().red_integrity, Some(Percent::whole(90)));
        assert_eq!(
            (
                policy.identity().name.as_str(),
                policy.identity().version.as_str()
            ),
            ("stricter", "2")
        );
    }

    #[test]
    fn every_problem_is_collected() {
        let text = r#"{"yellow_integrty": 96, "red_consensus": "85", "yellow_responses": 9, "red_integrity": 99, "red_integrity": 98}"#;
        let expected = [
            Code::KeyUnknown,
            Code::KeyDuplicate,
            Code::ValueRange,
            Code::PolicyContradiction,
            Code::PolicyContradiction,
        ];
        assert_eq!(codes(text), expected);
    }

    #[test]
    fn what_is_no_threshold_is_refused() {
        let bad = [
            "{\"red_integrity\": NaN}",
            "{\"red_integrity\": 101}",
            "{\"red_responses\": 0}",
            "{\"red_responses\": 7.5}",
            "[]",
            "",
            "{\"orange\": {}}",
        ];
        for text in bad {
            assert!(!codes(text).is_empty(), "{text}");
        }
    }

    #[test]
    fn equal_lines_contradict_nothing() {
        assert_eq!(
            codes(r#"{"yellow_integrity": 90, "yellow_responses": 8}"#),
            []
        );
    }
}
