//! Metrics as text: in the format of Prometheus 0.0.4, as the node exporter's textfile collector
//! reads it, and in OpenMetrics 1.0.

use std::fmt::Write as _;

use crate::metrics::families::{Family, Kind, Sample};

/// Which of the two.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// Prometheus, 0.0.4.
    Prometheus,
    /// OpenMetrics, 1.0.
    OpenMetrics,
}

/// All families as text.
pub fn text(families: &[Family], format: Format) -> String {
    let mut text = String::new();
    for family in families {
        one(&mut text, family, format);
    }
    if format == Format::OpenMetrics {
        text.push_str("# EOF\n");
    }
    text
}

fn one(text: &mut String, family: &Family, format: Format) {
    let kind = match family.kind {
        Kind::Gauge => "gauge",
        Kind::Counter => "counter",
        Kind::Summary => "summary",
    };
    // A counter is called by its samples' name in one of them, without `_total` in the other.
    let suffix = match (family.kind, format) {
        (Kind::Counter, Format::Prometheus) => "_total",
        _ => "",
    };
    let name = format!("{}{suffix}", family.name);
    let help = escaped(family.help, format == Format::OpenMetrics);
    let _ = writeln!(text, "# HELP {name} {help}\n# TYPE {name} {kind}");
    if format == Format::OpenMetrics && name.ends_with("_seconds") {
        let _ = writeln!(text, "# UNIT {name} seconds");
    }
    for sample in &family.samples {
        line(text, family.name, sample);
    }
}

fn line(text: &mut String, name: &str, sample: &Sample) {
    let labels: Vec<String> = sample
        .labels
        .iter()
        .map(|(name, value)| format!("{name}=\"{}\"", escaped(value, true)))
        .collect();
    let labels = match labels.join(",") {
        none if none.is_empty() => none,
        some => format!("{{{some}}}"),
    };
    let _ = writeln!(text, "{name}{}{labels} {}", sample.suffix, sample.value);
}

/// A label's value or a help text: neither may end its line, or its quotes.
fn escaped(text: &str, quotes: bool) -> String {
    let text = text.replace('\\', "\\\\").replace('\n', "\\n");
    if quotes {
        text.replace('"', "\\\"")
    } else {
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_formats_name_a_counter_in_their_way_and_escape_labels() {
        let family = Family {
            name: "runs",
            help: "Runs of \"it\".",
            kind: Kind::Counter,
            samples: vec![Sample {
                suffix: "_total",
                labels: vec![("file", "a\"b\\c\nd".to_owned())],
                value: 3.0,
            }],
        };
        let sample = "runs_total{file=\"a\\\"b\\\\c\\nd\"} 3\n";
        let families = [family];
        assert_eq!(
            text(&families, Format::Prometheus),
            format!("# HELP runs_total Runs of \"it\".\n# TYPE runs_total counter\n{sample}")
        );
        assert_eq!(
            text(&families, Format::OpenMetrics),
            format!("# HELP runs Runs of \\\"it\\\".\n# TYPE runs counter\n{sample}# EOF\n")
        );
    }
}
