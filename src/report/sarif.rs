//! Checked documents as SARIF 2.1.0 (OASIS), the form that code scanning takes.

use serde::Serialize;

use super::check::{Document, Finding, Severity};
use crate::checks::{Outcome, Status, Test};
use crate::diagnostic::{Code, Diagnostic};
use crate::policy::lints::{self, Grade};
use crate::privacy;
use crate::scan::Scan;

/// A log with one run.
#[derive(Debug, Serialize)]
pub struct Log<'d> {
    #[serde(rename = "$schema")]
    schema: &'static str,
    version: &'static str,
    runs: [Run<'d>; 1],
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Run<'d> {
    tool: Tool,
    column_kind: &'static str,
    results: Vec<Found<'d>>,
}

#[derive(Debug, Serialize)]
struct Tool {
    driver: Driver,
}

#[derive(Debug, Serialize)]
struct Driver {
    name: &'static str,
    version: &'static str,
    rules: Vec<Rule>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Rule {
    id: &'static str,
    short_description: Text<'static>,
    full_description: Text<'static>,
    default_configuration: Configuration,
}

#[derive(Debug, Serialize)]
struct Text<'t> {
    text: std::borrow::Cow<'t, str>,
}

#[derive(Debug, Serialize)]
struct Configuration {
    level: &'static str,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Found<'d> {
    rule_id: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    rule_index: Option<usize>,
    level: &'static str,
    message: Text<'d>,
    locations: [Location; 1],
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Location {
    physical_location: Physical,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Physical {
    artifact_location: Artifact,
    #[serde(skip_serializing_if = "Option::is_none")]
    region: Option<Region>,
}

#[derive(Debug, Serialize)]
struct Artifact {
    uri: String,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Region {
    start_line: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    start_column: Option<usize>,
}

/// The log of a check. `prefix` stands before the files' names: the workspace within the
/// repository, empty or ended by a slash.
pub fn log<'d>(documents: &'d [Document], prefix: &str) -> Log<'d> {
    let rules = rules(documents);
    let found = |document: &'d Document| {
        let ids: Vec<&str> = rules.iter().map(|rule| rule.id).collect();
        let uri = uri(&format!("{prefix}{}", document.file));
        document.findings.iter().map(move |finding| Found {
            rule_id: finding.code,
            rule_index: ids.iter().position(|id| *id == finding.code),
            level: finding.severity.as_str(),
            message: Text {
                text: in_full(finding).into(),
            },
            locations: [Location {
                physical_location: Physical {
                    artifact_location: Artifact { uri: uri.clone() },
                    region: region(document, finding),
                },
            }],
        })
    };
    let results = documents.iter().flat_map(found).collect();
    of(rules, results)
}

/// The log of a scan for secrets.
pub fn secrets<'d>(scan: &'d Scan, prefix: &str) -> Log<'d> {
    let sought = || privacy::Rule::ALL.iter().filter(|rule| rule.is_secret());
    let rules = sought().map(|rule| Rule {
        id: rule.as_str(),
        short_description: Text {
            text: rule.meaning().into(),
        },
        full_description: Text {
            text: rule.meaning().into(),
        },
        default_configuration: Configuration {
            level: Severity::Error.as_str(),
        },
    });
    let results = scan.findings.iter().map(|finding| Found {
        rule_id: finding.leak.rule.as_str(),
        rule_index: sought().position(|rule| *rule == finding.leak.rule),
        level: Severity::Error.as_str(),
        message: Text {
            text: format!("{}: {}", finding.leak.rule.meaning(), finding.leak.text).into(),
        },
        locations: [Location {
            physical_location: Physical {
                artifact_location: Artifact {
                    uri: uri(&format!("{prefix}{}", finding.file)),
                },
                region: Some(Region {
                    start_line: finding.leak.line,
                    start_column: None,
                }),
            },
        }],
    });
    of(rules.collect(), results.collect())
}

/// The log of a run's findings: in inputs, in documents, in the record. Columns are left out: ours
/// are bytes, and the files are not at hand.
pub fn findings<'d>(findings: &[Diagnostic], prefix: &str) -> Log<'d> {
    let is_found = |code: &Code| findings.iter().any(|finding| finding.code == *code);
    let codes = || {
        let all = Code::DOCUMENTED.iter();
        all.filter(|(code, ..)| is_found(code))
    };
    let rules: Vec<Rule> = codes()
        .map(|(code, _, meaning)| Rule {
            id: code.as_str(),
            short_description: Text {
                text: (*meaning).into(),
            },
            full_description: Text {
                text: (*meaning).into(),
            },
            default_configuration: Configuration {
                level: match code.severity() {
                    crate::diagnostic::Severity::Error => Severity::Error.as_str(),
                    crate::diagnostic::Severity::Warning => Severity::Warning.as_str(),
                },
            },
        })
        .collect();
    let results = findings.iter().map(Finding::from).map(|finding| Found {
        rule_id: finding.code,
        rule_index: codes().position(|(code, ..)| code.as_str() == finding.code),
        level: finding.severity.as_str(),
        message: Text {
            text: in_full(&finding).into(),
        },
        locations: [Location {
            physical_location: Physical {
                artifact_location: Artifact {
                    uri: uri(&format!("{prefix}{}", finding.place.file)),
                },
                region: finding.place.line.map(|start_line| Region {
                    start_line,
                    start_column: None,
                }),
            },
        }],
    });
    let results = results.collect();
    of(rules, results)
}

/// The log of checks: whatever does not pass. `fallback` is the file of what is about none.
pub fn checks<'d>(outcomes: &'d [Outcome], prefix: &str, fallback: &str) -> Log<'d> {
    let level = |status: Status| match status {
        Status::Fail => Severity::Error,
        Status::AwaitingApproval => Severity::Warning,
        Status::Pass | Status::Blocked => Severity::Note,
    };
    let tests = || outcomes.iter().flat_map(|outcome| outcome.policy.tests());
    let rules = tests().map(|(name, what)| Rule {
        id: name,
        short_description: Text {
            text: (*what).into(),
        },
        full_description: Text {
            text: (*what).into(),
        },
        default_configuration: Configuration {
            level: Severity::Error.as_str(),
        },
    });
    let found = outcomes.iter().flat_map(|outcome| &outcome.tests);
    let found = found.filter(|test| test.status != Status::Pass);
    let results = found.map(|test| Found {
        rule_id: test.name,
        rule_index: tests().position(|(name, _)| *name == test.name),
        level: level(test.status).as_str(),
        message: Text {
            text: in_words(test).into(),
        },
        locations: [Location {
            physical_location: Physical {
                artifact_location: Artifact {
                    uri: uri(&format!(
                        "{prefix}{}",
                        test.file.as_deref().unwrap_or(fallback)
                    )),
                },
                region: None,
            },
        }],
    });
    of(rules.collect(), results.collect())
}

fn in_words(test: &Test) -> String {
    let mut text = format!("{}: {}", test.status, test.detail);
    if let Some(remedy) = &test.remedy {
        text.push_str(&format!("\nhelp: {remedy}"));
    }
    text
}

fn of(rules: Vec<Rule>, results: Vec<Found<'_>>) -> Log<'_> {
    Log {
        schema: "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json",
        version: "2.1.0",
        runs: [Run {
            tool: Tool {
                driver: Driver {
                    name: "policy-orchestrator",
                    version: env!("CARGO_PKG_VERSION"),
                    rules,
                },
            },
            column_kind: "unicodeCodePoints",
            results,
        }],
    }
}

/// Every lint, and those codes of errors that were found.
fn rules(documents: &[Document]) -> Vec<Rule> {
    let lints = lints::ALL.iter().map(|lint| Rule {
        id: lint.name,
        short_description: Text {
            text: lint.finds.into(),
        },
        full_description: Text {
            text: lint.why.into(),
        },
        default_configuration: Configuration {
            level: match lint.grade {
                Grade::Warning => Severity::Warning.as_str(),
                Grade::Note => Severity::Note.as_str(),
            },
        },
    });
    let is_found = |code: &Code| {
        let mut findings = documents.iter().flat_map(|document| &document.findings);
        findings.any(|finding| finding.code == code.as_str())
    };
    let codes = Code::DOCUMENTED.iter().filter(|(code, ..)| is_found(code));
    let codes = codes.map(|(code, _, meaning)| Rule {
        id: code.as_str(),
        short_description: Text {
            text: (*meaning).into(),
        },
        full_description: Text {
            text: (*meaning).into(),
        },
        default_configuration: Configuration {
            level: Severity::Error.as_str(),
        },
    });
    lints.chain(codes).collect()
}

fn in_full(finding: &Finding) -> String {
    let mut text = finding.message.clone();
    for (name, part) in [
        ("found", &finding.found),
        ("expected", &finding.expected),
        ("help", &finding.help),
    ] {
        if let Some(part) = part {
            text.push_str(&format!("\n{name}: {part}"));
        }
    }
    text
}

/// The place in characters: ours are bytes.
fn region(document: &Document, finding: &Finding) -> Option<Region> {
    let start_line = finding.place.line?;
    let start_column = finding.place.column.map(|column| {
        let before = before(&document.source, start_line, column);
        String::from_utf8_lossy(before.unwrap_or_default())
            .chars()
            .count()
            + 1
    });
    Some(Region {
        start_line,
        start_column,
    })
}

fn before(source: &[u8], line: u64, column: u64) -> Option<&[u8]> {
    let line = super::check::line(source, line)?;
    let column = usize::try_from(column.checked_sub(1)?).ok()?;
    line.get(..column.min(line.len()))
}

/// A file's name as a relative URI (RFC 3986).
fn uri(file: &str) -> String {
    let mut uri = String::with_capacity(file.len());
    for byte in file.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' | b'/' => {
                uri.push(char::from(byte));
            }
            other => uri.push_str(&format!("%{other:02X}")),
        }
    }
    uri
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_name_is_a_uri() {
        assert_eq!(uri("policy/a b:ö.yaml"), "policy/a%20b%3A%C3%B6.yaml");
    }
}
