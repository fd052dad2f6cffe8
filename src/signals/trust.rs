//! The trust guard's lock: `trust_lock_state.json`, at the root or under `state/`.
//!
//! Writers in the field use either place, so both are read, and locked wins (row D-01).

use serde::Deserialize;

use super::json::{self, Document, Member, Parsed, Said, member};
use super::{Outcome, ReadContext, Reading, Status, Value};
use crate::diagnostic::{Code, Diagnostic, Place, Warnings};
use crate::ids::SignalName;

/// The two places, the one of the contract first.
pub const FILES: [&str; 2] = ["trust_lock_state.json", "state/trust_lock_state.json"];

#[derive(Deserialize)]
struct Raw<'a> {
    #[serde(borrow, default, deserialize_with = "member")]
    locked: Member<'a>,
    #[serde(borrow, default, deserialize_with = "member")]
    timestamp: Member<'a>,
    #[serde(borrow, default, deserialize_with = "member")]
    updated_at: Member<'a>,
    #[serde(borrow, default, deserialize_with = "member")]
    last_evaluated: Member<'a>,
}

/// Parses one trust file.
pub fn parse(document: &Document<'_>) -> Result<Parsed, Vec<Diagnostic>> {
    let raw: Raw<'_> = document.object().map_err(|error| vec![*error])?;
    let Some(locked) = raw.locked else {
        return Err(vec![
            document.key_missing("the key `locked` with true or false"),
        ]);
    };
    let locked = document
        .boolean(locked, "$.locked")
        .map_err(|error| vec![*error])?;
    let mut warnings = Warnings::default();
    let times = [
        (raw.timestamp, "$.timestamp"),
        (raw.updated_at, "$.updated_at"),
        (raw.last_evaluated, "$.last_evaluated"),
    ];
    let observed_at = document.observed_at(&times, &mut warnings);
    Ok(Parsed {
        said: Said::Value(Value::Flag(locked)),
        observed_at,
        warnings,
    })
}

/// Reads both places.
pub fn load(context: ReadContext<'_>) -> Reading {
    let [root, state] = FILES.map(|file| json::load(SignalName::TRUST, file, parse, context));
    merge(root, state)
}

/// One reading of two: what is invalid stays invalid, what is missing leaves the word to the
/// other, and where both speak, locked wins.
fn merge(root: Reading, state: Reading) -> Reading {
    match (root.status(), state.status()) {
        (Status::Invalid, Status::Invalid) => both_invalid(root, state),
        (Status::Invalid, _) | (_, Status::Missing) => with_other(root, state),
        (_, Status::Invalid) | (Status::Missing, _) => with_other(state, root),
        _ if root.value() == state.value() => with_other(root, state),
        _ if root.value() == Some(Value::Flag(true)) => disagreeing(root, state),
        _ => disagreeing(state, root),
    }
}

fn with_other(mut first: Reading, second: Reading) -> Reading {
    if let (Outcome::Missing(why), Outcome::Missing(_)) = (&mut first.outcome, &second.outcome)
        && first.sources.is_empty()
        && second.sources.is_empty()
    {
        *why = format!("neither {} nor {} is there", FILES[0], FILES[1]);
    }
    first.sources.extend(second.sources);
    first.warnings.extend(second.warnings);
    first
}

fn both_invalid(mut root: Reading, state: Reading) -> Reading {
    if let (Outcome::Invalid(errors), Outcome::Invalid(others)) =
        (&mut root.outcome, &state.outcome)
    {
        errors.extend(others.iter().cloned());
    }
    with_other(root, state)
}

fn disagreeing(locked: Reading, unlocked: Reading) -> Reading {
    let file = locked
        .sources
        .first()
        .map_or_else(String::new, |source| source.file.clone());
    let other = unlocked
        .sources
        .first()
        .map_or_else(String::new, |source| source.file.clone());
    let mut reading = with_other(locked, unlocked);
    reading.warnings.push(
        Diagnostic::new(
            Code::SourcesDisagree,
            Place::file(file),
            "the two trust files disagree; locked wins",
        )
        .found(format!("locked here, unlocked in {other}"))
        .expected("one trust file, or two that agree")
        .help("remove the file that no longer has a writer"),
    );
    reading
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reading(file: &str, text: &str) -> Reading {
        json::from_bytes(SignalName::TRUST, file, text.as_bytes(), parse)
    }

    #[test]
    fn locked_wins_invalid_beats_both_and_missing_leaves_the_word() {
        let locked = r#"{"locked":true}"#;
        let open = r#"{"locked":false}"#;
        let cases = [
            (locked, open, Some(Value::Flag(true)), Status::Valid),
            (open, locked, Some(Value::Flag(true)), Status::Valid),
            (open, open, Some(Value::Flag(false)), Status::Valid),
            (open, "", Some(Value::Flag(false)), Status::Valid),
            ("", locked, Some(Value::Flag(true)), Status::Valid),
            ("", "", None, Status::Missing),
            (open, "{", None, Status::Invalid),
            ("{", locked, None, Status::Invalid),
            (r#"{"locked":"false"}"#, "", None, Status::Invalid),
            (r#"{"locked":null}"#, "", None, Status::Invalid),
            (r#"{"Locked":false}"#, "", None, Status::Invalid),
        ];
        for (root, state, value, status) in cases {
            let merged = merge(reading(FILES[0], root), reading(FILES[1], state));
            assert_eq!(
                (merged.value(), merged.status()),
                (value, status),
                "{root} and {state}"
            );
        }
    }
}
