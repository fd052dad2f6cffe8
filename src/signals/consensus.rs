//! The federation's weighted agreement: `federation/weighted_consensus.json`.
//!
//! Engines in the field call the value `weighted_agreement_pct` or `weighted_consensus_pct`; where
//! both stand and differ, the lower one counts (row D-02). An engine that asked nobody has no
//! opinion (`peers_checked` of 0, row C-39).

use serde::Deserialize;

use super::json::{self, Document, Member, Parsed, Said, member};
use super::{ReadContext, Reading, Value};
use crate::diagnostic::{Code, Diagnostic, Warnings};
use crate::ids::SignalName;

/// The file of this signal.
pub const FILE: &str = "federation/weighted_consensus.json";

#[derive(Deserialize)]
struct Raw<'a> {
    #[serde(borrow, default, deserialize_with = "member")]
    weighted_agreement_pct: Member<'a>,
    #[serde(borrow, default, deserialize_with = "member")]
    weighted_consensus_pct: Member<'a>,
    #[serde(borrow, default, deserialize_with = "member")]
    peers_checked: Member<'a>,
    #[serde(borrow, default, deserialize_with = "member")]
    timestamp: Member<'a>,
    #[serde(borrow, default, deserialize_with = "member")]
    generated_at: Member<'a>,
}

/// Parses the file.
pub fn parse(document: &Document<'_>) -> Result<Parsed, Vec<Diagnostic>> {
    let raw: Raw<'_> = document.object().map_err(|error| vec![*error])?;
    let (mut warnings, mut errors, mut found) = (Warnings::default(), Vec::new(), Vec::new());
    let named = [
        (raw.weighted_agreement_pct, "$.weighted_agreement_pct"),
        (raw.weighted_consensus_pct, "$.weighted_consensus_pct"),
    ];
    for (member, path) in named {
        let Some(value) = member else { continue };
        match document.percent(value, path, &mut warnings) {
            Ok(percent) => found.push((percent, value, path)),
            Err(error) => errors.push(*error),
        }
    }
    let peers = raw
        .peers_checked
        .map(|peers| document.count(peers, "$.peers_checked"))
        .transpose();
    let peers = peers.unwrap_or_else(|error| {
        errors.push(*error);
        None
    });
    if !errors.is_empty() {
        return Err(errors);
    }
    let observed_at = document.observed_at(
        &[
            (raw.timestamp, "$.timestamp"),
            (raw.generated_at, "$.generated_at"),
        ],
        &mut warnings,
    );
    if peers == Some(0) {
        let said = Said::Nothing("no peer was asked (`peers_checked` is 0)".to_owned());
        return Ok(Parsed {
            said,
            observed_at,
            warnings,
        });
    }
    let lower = match found.as_slice() {
        [] => {
            return Err(vec![document.key_missing(
                "the key `weighted_agreement_pct` with a number from 0 to 100",
            )]);
        }
        [(only, ..)] => *only,
        [(one, raw_one, path_one), (other, raw_other, path_other), ..] => {
            let (low, high) = if one <= other {
                ((one, path_one, raw_one), (other, path_other))
            } else {
                ((other, path_other, raw_other), (one, path_one))
            };
            if one != other {
                warnings.add(|| {
                    Diagnostic::new(
                        Code::SourcesDisagree,
                        document.place(low.2.get(), low.1),
                        "two keys name the agreement and differ; the lower one counts",
                    )
                    .found(format!(
                        "{} here, {} at `{}`",
                        low.0.get(),
                        high.0.get(),
                        high.1
                    ))
                    .expected("one key, or two that agree")
                    .help("let the engine write `weighted_agreement_pct` alone")
                });
            }
            *low.0
        }
    };
    Ok(Parsed {
        said: Said::Value(Value::Percent(lower)),
        observed_at,
        warnings,
    })
}

/// Reads the file.
pub fn load(context: ReadContext<'_>) -> Reading {
    json::load(SignalName::CONSENSUS, FILE, parse, context)
}
