//! Obligations, kept: what has to be done with a record before it is handed over, done; and which of
//! them a record does not keep. Pure: a record goes in, a record comes out.
//!
//! What only the caller can do (write an audit entry, limit a rate, answer safely) is named and left to
//! it. A type that nothing here knows counts as not kept, so that a new one can't be overlooked.

use serde::Serialize;
use serde_json::{Map, Value, json};

use crate::request::Obligation;

/// What is known of the record beside its own members.
#[derive(Debug, Clone, Copy, Default)]
pub struct Around<'a> {
    /// The license, where the record does not name it.
    pub license: Option<&'a str>,
    /// Whom to credit, where the record does not say it.
    pub attribution: Option<&'a str>,
    /// True where the record is only shown, and no copy leaves.
    pub shown: bool,
}

/// An obligation that is not kept.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Unmet {
    /// Its type.
    #[serde(rename = "type")]
    pub kind: String,
    /// Why not, without a value of the record.
    pub why: String,
}

impl Unmet {
    fn new(kind: &str, why: impl Into<String>) -> Self {
        Self {
            kind: kind.to_owned(),
            why: why.into(),
        }
    }
}

/// Left to whoever hands the record over.
const LEFT: [&str; 7] = [
    "log_audit",
    "audit_log",
    "rate_limit_class",
    "policy_safe_error",
    "remediation_hint",
    "security_alert",
    "embargo_until",
];

/// Members that hold one coordinate.
const SINGLE: [&str; 7] = ["latitude", "longitude", "lat", "lon", "lng", "x", "y"];

/// Members that hold lists of coordinates.
const LISTS: [&str; 3] = ["coordinates", "bbox", "centroid"];

/// Members that hold a place in a form that can't be coarsened here.
const ENCODED: [&str; 6] = ["wkt", "wkb", "geohash", "plus_code", "h3", "what3words"];

/// Obligations as an answer writes them; `None` where one of them is none.
pub fn of_answer(list: &[Value]) -> Option<Vec<Obligation>> {
    list.iter()
        .map(|one| {
            let members = one.as_object()?;
            let kind = members
                .get("type")?
                .as_str()
                .filter(|kind| !kind.is_empty())?;
            let rest = members.iter().filter(|(key, _)| *key != "type");
            Some(rest.fold(Obligation::new(kind), |one, (key, value)| {
                one.with(key, value.clone())
            }))
        })
        .collect()
}

/// The types that are left to whoever hands the record over.
pub fn left(obligations: &[Obligation]) -> Vec<&str> {
    let kinds = obligations.iter().map(|one| one.kind.as_str());
    kinds.filter(|kind| LEFT.contains(kind)).collect()
}

/// The record with every obligation kept; else those that can't be.
pub fn apply(
    obligations: &[Obligation],
    mut record: Value,
    around: Around<'_>,
) -> Result<Value, Vec<Unmet>> {
    for one in obligations {
        match one.kind.as_str() {
            "redact_fields" => remove(&mut record, &fields(one)),
            "force_generalization" => coarsen(&mut record, grid(one)),
            "show_notice" => add(&mut record, "notice", one.parameters.get("message")),
            "provenance_link" => add(&mut record, "receipts", one.parameters.get("receipts")),
            "require_attribution" => {
                let text = |text: Option<&str>| text.map(|text| json!(text));
                add(&mut record, "license", text(around.license).as_ref());
                add(
                    &mut record,
                    "attribution",
                    text(around.attribution).as_ref(),
                );
            }
            _ => {}
        }
    }
    let unmet = unmet(obligations, &record, around.shown);
    if unmet.is_empty() {
        Ok(record)
    } else {
        Err(unmet)
    }
}

/// The obligations that a record does not keep. `shown` where no copy leaves.
pub fn unmet(obligations: &[Obligation], record: &Value, shown: bool) -> Vec<Unmet> {
    let each = obligations.iter();
    each.filter_map(|one| not_kept(one, record, shown).map(|why| Unmet::new(&one.kind, why)))
        .collect()
}

fn not_kept(one: &Obligation, record: &Value, shown: bool) -> Option<String> {
    let Some(members) = record.as_object() else {
        return Some("the record is no JSON object".to_owned());
    };
    let has = |key: &str| match members.get(key) {
        Some(Value::String(text)) => !text.trim().is_empty(),
        Some(Value::Array(list)) => !list.is_empty(),
        _ => false,
    };
    match one.kind.as_str() {
        kind if LEFT.contains(&kind) => None,
        "suppress_export" if shown => None,
        "suppress_export" => Some("no copy may leave".to_owned()),
        "redact_fields" => {
            let fields = fields(one);
            if fields.is_empty() {
                return Some("it names no field, so nobody knows which".to_owned());
            }
            find(record, &fields).map(|field| format!("the field `{field}` is still there"))
        }
        "force_generalization" => exact(record, grid(one)),
        "require_attribution" => {
            let missing: Vec<&str> = ["license", "attribution"]
                .into_iter()
                .filter(|key| !has(key))
                .collect();
            (!missing.is_empty()).then(|| format!("{} missing", missing.join(" and ")))
        }
        "show_notice" => {
            let asked = one.parameters.get("message");
            let is_there = asked.is_some() && members.get("notice") == asked;
            (!is_there).then(|| "the notice is not there".to_owned())
        }
        "provenance_link" if one.parameters.contains_key("receipts") => {
            (!has("receipts")).then(|| "the receipts are not named".to_owned())
        }
        "provenance_link" => None,
        _ => Some("nothing here knows how to keep it".to_owned()),
    }
}

fn fields(one: &Obligation) -> Vec<String> {
    let list = one.parameters.get("fields").and_then(Value::as_array);
    let texts = list.into_iter().flatten().filter_map(Value::as_str);
    texts.map(str::to_owned).collect()
}

/// The width of the grid; where it is none, the coarsest, which is the whole globe.
fn grid(one: &Obligation) -> f64 {
    let degrees = one.parameters.get("grid_degrees").and_then(Value::as_f64);
    degrees
        .filter(|width| *width > 0.0 && *width <= 90.0)
        .unwrap_or(90.0)
}

fn add(record: &mut Value, key: &str, value: Option<&Value>) {
    if let (Some(members), Some(value)) = (record.as_object_mut(), value) {
        let is_empty = members
            .get(key)
            .is_none_or(|there| there.is_null() || there == "");
        if is_empty || key == "notice" {
            members.insert(key.to_owned(), value.clone());
        }
    }
}

fn remove(value: &mut Value, fields: &[String]) {
    match value {
        Value::Object(members) => {
            members.retain(|key, _| !fields.contains(key));
            members.values_mut().for_each(|below| remove(below, fields));
        }
        Value::Array(items) => items.iter_mut().for_each(|item| remove(item, fields)),
        _ => {}
    }
}

fn find<'f>(value: &Value, fields: &'f [String]) -> Option<&'f str> {
    match value {
        Value::Object(members) => {
            let named = fields.iter().find(|field| members.contains_key(*field));
            let below = || members.values().find_map(|below| find(below, fields));
            named.map(String::as_str).or_else(below)
        }
        Value::Array(items) => items.iter().find_map(|item| find(item, fields)),
        _ => None,
    }
}

fn coarsen(value: &mut Value, grid: f64) {
    match value {
        Value::Object(members) => coarsen_members(members, grid),
        Value::Array(items) => items.iter_mut().for_each(|item| coarsen(item, grid)),
        _ => {}
    }
}

fn coarsen_members(members: &mut Map<String, Value>, grid: f64) {
    for (key, value) in members.iter_mut() {
        let key = key.to_ascii_lowercase();
        if SINGLE.contains(&key.as_str()) {
            snap(value, grid);
        } else if LISTS.contains(&key.as_str()) && value.is_array() {
            snap_all(value, key == "bbox", grid);
        } else {
            coarsen(value, grid);
        }
    }
}

/// Every number of nested lists. A position keeps two: how high it lies tells as much as where.
fn snap_all(value: &mut Value, is_box: bool, grid: f64) {
    let Some(items) = value.as_array_mut() else {
        return;
    };
    if !is_box && items.first().is_some_and(Value::is_number) {
        items.truncate(2);
    }
    for item in items {
        if item.is_array() {
            snap_all(item, is_box, grid);
        } else {
            snap(item, grid);
        }
    }
}

fn snap(value: &mut Value, grid: f64) {
    if let Some(number) = number(value) {
        *value = json!(snapped(number, grid));
    }
}

/// A number, or a text that is one.
fn number(value: &Value) -> Option<f64> {
    let of_text = || value.as_str().and_then(|text| text.trim().parse().ok());
    value
        .as_f64()
        .or_else(of_text)
        .filter(|number: &f64| number.is_finite())
}

fn snapped(number: f64, grid: f64) -> f64 {
    // Without the last rounding 38.9 would be written 38.900000000000006.
    let exact = (number / grid).round() * grid;
    (exact * 1e6).round() / 1e6
}

/// Where a record holds a place more exactly than the grid.
fn exact(value: &Value, grid: f64) -> Option<String> {
    match value {
        Value::Object(members) => members.iter().find_map(|(key, below)| {
            let word = key.to_ascii_lowercase();
            let told = || Some(format!("`{key}` is more exact than the grid"));
            if ENCODED.contains(&word.as_str()) && !below.is_null() {
                return Some(format!(
                    "`{key}` holds a place in a form that can't be coarsened here"
                ));
            }
            if SINGLE.contains(&word.as_str()) {
                return if is_coarse(below, grid) { None } else { told() };
            }
            if LISTS.contains(&word.as_str()) {
                return if all_coarse(below, word == "bbox", grid) {
                    None
                } else {
                    told()
                };
            }
            exact(below, grid)
        }),
        Value::Array(items) => items.iter().find_map(|item| exact(item, grid)),
        _ => None,
    }
}

fn is_coarse(value: &Value, grid: f64) -> bool {
    match number(value) {
        Some(number) => (number - snapped(number, grid)).abs() < 1e-9,
        None => value.is_null(),
    }
}

fn all_coarse(value: &Value, is_box: bool, grid: f64) -> bool {
    match value {
        Value::Array(items) => {
            let is_position = items.first().is_some_and(Value::is_number);
            (is_box || !is_position || items.len() <= 2)
                && items.iter().all(|item| all_coarse(item, is_box, grid))
        }
        other => is_coarse(other, grid),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sensitive() -> Vec<Obligation> {
        of_answer(&[
            json!({"type": "redact_fields", "fields": ["address", "rights_holder"]}),
            json!({"type": "force_generalization", "grid_degrees": 0.1}),
            json!({"type": "log_audit"}),
        ])
        .unwrap()
    }

    #[test]
    fn fields_go_and_places_become_coarse_at_every_depth() {
        let record = json!({
            "name": "x", "address": "y", "Latitude": 38.8977, "longitude": "-77.0365",
            "bbox": [-77.04, 38.89, -77.03, 38.9],
            "features": [{"rights_holder": {"name": "z"}, "geometry": {"type": "Polygon",
                "coordinates": [[[-77.0365, 38.8977, 17.5], [-77.1, 38.9]]]}}]
        });
        let kept = apply(&sensitive(), record.clone(), Around::default()).unwrap();
        assert_eq!(
            kept,
            json!({
                "name": "x", "Latitude": 38.9, "longitude": -77.0,
                "bbox": [-77.0, 38.9, -77.0, 38.9],
                "features": [{"geometry": {"type": "Polygon",
                    "coordinates": [[[-77.0, 38.9], [-77.1, 38.9]]]}}]
            })
        );
        let told = unmet(&sensitive(), &record, false);
        assert_eq!(told.len(), 2, "{told:?}");
        assert_eq!(
            apply(&sensitive(), kept.clone(), Around::default()).unwrap(),
            kept
        );
        assert_eq!(left(&sensitive()), ["log_audit"]);
    }

    #[test]
    fn what_can_not_be_kept_is_told() {
        let one = |value: Value| of_answer(&[value]).unwrap();
        let refused = |value: Value, record: Value| {
            apply(&one(value), record, Around::default()).unwrap_err()
        };
        let grid = json!({"type": "force_generalization", "grid_degrees": 0.1});
        for record in [
            json!({"wkt": "POINT (1 2)"}),
            json!({"lat": "north"}),
            json!({"coordinates": "1,2"}),
            json!([1]),
        ] {
            assert_eq!(
                refused(grid.clone(), record)[0].kind,
                "force_generalization"
            );
        }
        for (kind, record) in [
            (json!({"type": "suppress_export"}), json!({})),
            (
                json!({"type": "require_attribution"}),
                json!({"license": "MIT"}),
            ),
            (json!({"type": "redact_fields", "fields": []}), json!({})),
            (json!({"type": "sing"}), json!({})),
            (json!({"type": "show_notice"}), json!({})),
        ] {
            assert_eq!(refused(kind.clone(), record).len(), 1, "{kind}");
        }
        assert!(of_answer(&[json!({"kind": "x"})]).is_none());
        // A width that is none is the coarsest there is.
        let odd = one(json!({"type": "force_generalization", "grid_degrees": -1}));
        assert_eq!(
            apply(&odd, json!({"lat": 38.9}), Around::default()).unwrap(),
            json!({"lat": 0.0})
        );
    }

    #[test]
    fn an_export_names_license_and_attribution() {
        let asked = of_answer(&[
            json!({"type": "require_attribution"}),
            json!({"type": "show_notice", "message": "Coarse."}),
            json!({"type": "provenance_link", "receipts": ["r1"]}),
        ])
        .unwrap();
        let around = Around {
            license: Some("CC-BY-4.0"),
            attribution: Some("Someone"),
            shown: false,
        };
        let kept = apply(&asked, json!({"a": 1}), around).unwrap();
        assert_eq!(
            kept,
            json!({"a": 1, "attribution": "Someone", "license": "CC-BY-4.0",
            "notice": "Coarse.", "receipts": ["r1"]})
        );
        assert_eq!(unmet(&asked, &json!({}), false).len(), 3);
        let shown = of_answer(&[json!({"type": "suppress_export"})]).unwrap();
        assert!(unmet(&shown, &json!({}), true).is_empty());
    }
}
