//! The forecast of anomalies: `forensics/forensics_anomaly_forecast.json`.
//!
//! A forecaster that failed writes `low` all the same, so a `status` other than `success` means
//! that nobody made a forecast (row C-40).

use serde::Deserialize;
use serde_json::value::RawValue;

use super::json::{self, Document, Member, Parsed, Said, member};
use super::{ReadContext, Reading, Risk, Value};
use crate::diagnostic::{Checked, Code, Diagnostic, Warnings};
use crate::ids::SignalName;

/// The file of this signal.
pub const FILE: &str = "forensics/forensics_anomaly_forecast.json";

#[derive(Deserialize)]
struct Raw<'a> {
    #[serde(borrow, default, deserialize_with = "member")]
    risk_level: Member<'a>,
    #[serde(borrow, default, deserialize_with = "member")]
    status: Member<'a>,
    #[serde(borrow, default, deserialize_with = "member")]
    forecast_generated_at: Member<'a>,
    #[serde(borrow, default, deserialize_with = "member")]
    generated_at: Member<'a>,
    #[serde(borrow, default, deserialize_with = "member")]
    timestamp: Member<'a>,
}

/// Parses the file.
pub fn parse(document: &Document<'_>) -> Result<Parsed, Vec<Diagnostic>> {
    let raw: Raw<'_> = document.object().map_err(|error| vec![*error])?;
    let mut warnings = Warnings::default();
    let times = [
        (raw.forecast_generated_at, "$.forecast_generated_at"),
        (raw.generated_at, "$.generated_at"),
        (raw.timestamp, "$.timestamp"),
    ];
    let observed_at = document.observed_at(&times, &mut warnings);
    let status = raw
        .status
        .map(|status| document.text(status, "$.status"))
        .transpose();
    let status = status.map_err(|error| vec![*error])?;
    if let Some(status) = status.filter(|status| !status.trim().eq_ignore_ascii_case("success")) {
        let why = format!(
            "the forecaster reports the status `{}`",
            status.trim().escape_debug().take(40).collect::<String>()
        );
        return Ok(Parsed {
            said: Said::Nothing(why),
            observed_at,
            warnings,
        });
    }
    let Some(raw) = raw.risk_level else {
        return Err(vec![
            document.key_missing("the key `risk_level` with low, medium or high"),
        ]);
    };
    let risk = risk(document, raw, "$.risk_level").map_err(|error| vec![*error])?;
    Ok(Parsed {
        said: Said::Value(Value::Risk(risk)),
        observed_at,
        warnings,
    })
}

/// Reads a risk at a path of a document.
pub(super) fn risk(document: &Document<'_>, raw: &RawValue, path: &str) -> Checked<Risk> {
    let text = document.text(raw, path)?;
    Risk::parse(&text).ok_or_else(|| {
        Box::new(
            Diagnostic::new(
                Code::ValueUnknown,
                document.place(raw.get(), path),
                "the risk level is none that is known",
            )
            .found(format!("`{text}`"))
            .expected("low, medium or high")
            .help("let the forecaster write one of the three"),
        )
    })
}

/// Reads the file.
pub fn load(context: ReadContext<'_>) -> Reading {
    json::load(SignalName::FORECAST, FILE, parse, context)
}
