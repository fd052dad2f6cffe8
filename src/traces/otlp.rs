//! A trace as OTLP over HTTP has it, in JSON (pure): the protobuf message `ExportTraceServiceRequest`
//! in protobuf's JSON, but with ids in hexadecimal digits and enumerations as numbers, as the
//! specification of OTLP says (opentelemetry.io/docs/specs/otlp/#json-protobuf-encoding).

use serde_json::{Value as Json, json};

use super::{Span, Trace, Value};

/// A span of work within the program.
const KIND_INTERNAL: u8 = 1;

/// The status of what failed. What did not is left without one, as the specification asks of libraries.
const STATUS_ERROR: u8 = 2;

/// The body of a request. `resource` are the attributes of whoever sends it.
pub fn request(trace: &Trace, resource: &[(String, String)]) -> Vec<u8> {
    let text = |value: &str| json!({"stringValue": value});
    let of_resource = resource.iter();
    let of_resource: Vec<Json> = of_resource
        .map(|(key, value)| json!({"key": key, "value": text(value)}))
        .collect();
    let spans: Vec<Json> = trace.spans.iter().map(|one| span(trace, one)).collect();
    let scope = json!({"name": env!("CARGO_PKG_NAME"), "version": env!("CARGO_PKG_VERSION")});
    let request = json!({"resourceSpans": [{
        "resource": {"attributes": of_resource},
        "scopeSpans": [{"scope": scope, "spans": spans}],
    }]});
    serde_json::to_vec(&request).unwrap_or_default()
}

fn span(trace: &Trace, span: &Span) -> Json {
    let attributes = span.attributes.iter().map(|(key, value)| {
        // 64-bit numbers are texts in protobuf's JSON.
        let value = match value {
            Value::Text(text) => json!({"stringValue": text}),
            Value::Number(number) => json!({"intValue": number.to_string()}),
            Value::Truth(truth) => json!({"boolValue": truth}),
        };
        json!({"key": format!("policy_orchestrator.{key}"), "value": value})
    });
    let mut told = json!({
        "traceId": trace.id,
        "spanId": span.id,
        "name": span.name,
        "kind": KIND_INTERNAL,
        "startTimeUnixNano": span.start.to_string(),
        "endTimeUnixNano": span.start.saturating_add(span.nanos).to_string(),
        "attributes": attributes.collect::<Vec<Json>>(),
    });
    if let Some(members) = told.as_object_mut() {
        if let Some(parent) = &span.parent {
            members.insert("parentSpanId".to_owned(), json!(parent));
        }
        if span.is_failed() {
            members.insert("status".to_owned(), json!({"code": STATUS_ERROR}));
        }
    }
    told
}
