//! A trace as JSON lines: a span on each (pure).

use serde::Serialize;
use serde_json::{Map, Value as Json};

use super::Trace;
use crate::time::Timestamp;

#[derive(Serialize)]
struct Line<'t> {
    trace_id: &'t str,
    span_id: &'t str,
    parent: Option<&'t str>,
    name: &'t str,
    start: Option<Timestamp>,
    duration_us: u64,
    attributes: Map<String, Json>,
}

/// The lines, each ended by a newline.
pub fn render(trace: &Trace) -> String {
    let lines = trace.spans.iter().map(|span| {
        let micros = i64::try_from(span.start / 1000).ok();
        let attributes = span.attributes.iter().map(|(key, value)| {
            let value = serde_json::to_value(value).unwrap_or_default();
            ((*key).to_owned(), value)
        });
        let line = Line {
            trace_id: &trace.id,
            span_id: &span.id,
            parent: span.parent.as_deref(),
            name: span.name,
            start: micros.and_then(Timestamp::from_unix_micros),
            duration_us: span.nanos / 1000,
            attributes: attributes.collect(),
        };
        serde_json::to_string(&line).unwrap_or_default() + "\n"
    });
    lines.collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::traces::{Span, Value};

    #[test]
    fn a_line_has_stable_keys() {
        let span = Span {
            id: "00f067aa0ba902b7".to_owned(),
            parent: None,
            name: "run",
            start: 1_767_225_600_000_001_999,
            nanos: 2_500_999,
            attributes: vec![
                ("level", Value::Text("RED".to_owned())),
                ("number", Value::Number(7)),
            ],
        };
        let trace = Trace {
            id: "4bf92f3577b34da6a3ce929d0e0e4736".to_owned(),
            spans: vec![span],
        };
        assert_eq!(
            render(&trace),
            "{\"trace_id\":\"4bf92f3577b34da6a3ce929d0e0e4736\",\"span_id\":\"00f067aa0ba902b7\",\"parent\":null,\"name\":\"run\",\"start\":\"2026-01-01T00:00:00.000001+00:00\",\"duration_us\":2500,\"attributes\":{\"level\":\"RED\",\"number\":7}}\n"
        );
    }
}
