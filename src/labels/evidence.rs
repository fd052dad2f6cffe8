//! The evidence that a request refers to: does it resolve, and may whoever asks see it?
//!
//! Whether it resolves is the resolver's word, which the enforcement point writes into the request. What
//! is given as an id alone was never resolved.

use serde_json::Value;

use super::vocabulary::Labels;
use crate::ids::ReasonCode;
use crate::request::Request;
use crate::request::codes;

/// Where a request may name evidence.
const PLACES: [[&str; 2]; 2] = [["resource", "evidence"], ["context", "evidence"]];

/// One piece of evidence.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Piece<'r> {
    /// True where the resolver resolved it.
    pub(super) resolved: bool,
    /// Its label.
    pub(super) label: Option<&'r str>,
    /// The date of its embargo.
    pub(super) embargo_until: Option<&'r Value>,
    /// True where a review has released it.
    pub(super) embargo_reviewed: bool,
    /// The receipt that says how it was made.
    pub(super) receipt: Option<&'r str>,
}

/// All evidence of a request. What is of another form than it has to be is told by its code.
pub(super) fn all<'r>(
    labels: &Labels,
    request: &'r Request,
) -> Result<Vec<Piece<'r>>, (ReasonCode, &'static str)> {
    let mut pieces = Vec::new();
    for place in PLACES {
        let Some(given) = request.get(&place) else {
            continue;
        };
        let Some(list) = given.as_array() else {
            return Err((codes::REQUEST_SHAPE, "`evidence` is no list"));
        };
        for one in list {
            pieces.push(piece(labels, one)?);
        }
    }
    Ok(pieces)
}

fn piece<'r>(labels: &Labels, value: &'r Value) -> Result<Piece<'r>, (ReasonCode, &'static str)> {
    let shape = |what| (codes::REQUEST_SHAPE, what);
    if value.as_str().is_some_and(|id| !id.is_empty()) {
        return Ok(Piece::default());
    }
    let Some(members) = value.as_object() else {
        return Err(shape(
            "an entry of `evidence` is neither an id nor an object",
        ));
    };
    let known = &labels.fields.evidence;
    if members.keys().any(|key| !known.contains(key)) {
        return Err((
            codes::FIELD_UNKNOWN,
            "an entry of `evidence` has an unknown field",
        ));
    }
    let text = |key: &str| {
        let text = members.get(key).and_then(Value::as_str);
        text.filter(|text| !text.is_empty())
    };
    if text("id").is_none() {
        return Err(shape("an entry of `evidence` has no `id`"));
    }
    let is_true = |key: &str| members.get(key) == Some(&Value::Bool(true));
    Ok(Piece {
        resolved: is_true("resolved"),
        label: text("policy_label"),
        embargo_until: members.get("embargo_until").filter(|date| !date.is_null()),
        embargo_reviewed: is_true("embargo_reviewed"),
        receipt: text("receipt"),
    })
}
