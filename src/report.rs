//! Views of decisions and findings: for a person, for a workflow.
//!
//! Everything here turns values into text and writes nothing; where the text goes is the business
//! of [`crate::cli`].

pub mod account;
pub mod answer;
pub mod backtest;
pub mod badge;
pub mod check;
pub mod checks;
pub mod codes;
pub mod compliance;
pub mod documents;
pub mod exposition;
pub mod findings;
pub mod github;
pub mod history;
pub mod human;
pub mod junit;
pub mod lints;
pub mod outcome;
pub mod paint;
pub mod replay;
pub mod sarif;
pub mod secrets;
mod table;
pub mod triggers;

pub use paint::Paint;

use crate::decision::Reason;
use crate::ids::ReasonCode;
use crate::signals::{Value, number};

/// A reason in a clause: `integrity 92.0 is below 95.0 by 3.0`.
pub fn in_words(reason: &Reason) -> String {
    let signal = reason.signal.as_ref().map_or("", |signal| signal.as_str());
    if let Some(note) = &reason.note {
        return match reason.value {
            Some(value) => format!("{signal} {value} {note}"),
            None => note.clone(),
        };
    }
    match (reason.value, reason.threshold) {
        (Some(Value::Percent(value)), Some(Value::Percent(line))) => {
            let by = number::shown(reason.margin.unwrap_or_default().abs());
            format!(
                "{signal} {} is below {} by {by}",
                number::shown(value.get()),
                number::shown(line.get())
            )
        }
        (Some(Value::Count(value)), Some(Value::Count(line))) => {
            let from = if value == line {
                "which is the line".to_owned()
            } else {
                format!("{} above the line {line}", value.saturating_sub(line))
            };
            format!("{signal} {value} in 24 h, {from}")
        }
        (Some(value), _) => format!("{signal} {value}"),
        (None, _) => without_value(&reason.code, signal),
    }
}

fn without_value(code: &ReasonCode, signal: &str) -> String {
    match code.as_str() {
        "INPUT_MISSING" => format!("{signal} was not reported"),
        "INPUT_STALE" => format!("{signal} was reported too long ago"),
        "INPUT_INVALID" => format!("{signal} can't be read"),
        "POLICY_INVALID" => "the policy document was refused".to_owned(),
        "LEVEL_HELD" => "less is demanded, but not for long enough yet".to_owned(),
        "JOURNAL_BROKEN" => "the journal was changed".to_owned(),
        "POLICY_TAMPERED" => "a protected file was changed, and nobody accepted that".to_owned(),
        other => other.to_owned(),
    }
}

/// A near miss in a clause: `consensus 90.6 is 0.6 from the YELLOW line 90.0`.
pub fn nearly_in_words(reason: &Reason) -> String {
    let signal = reason.signal.as_ref().map_or("", |signal| signal.as_str());
    let (value, line) = (
        reason.value.map(|value| value.to_string()),
        reason.threshold.map(|line| line.to_string()),
    );
    let distance = match reason.value {
        Some(Value::Count(_)) => format!("{}", reason.margin.unwrap_or_default()),
        _ => number::shown(reason.margin.unwrap_or_default()),
    };
    format!(
        "{signal} {} is {distance} from the {} line {}",
        value.unwrap_or_default(),
        reason.level,
        line.unwrap_or_default()
    )
}
