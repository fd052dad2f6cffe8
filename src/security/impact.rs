//! Which requests another set of documents would answer otherwise (row S1-027): requests replayed
//! through both sets, one at a time, so that a file of any length takes the same memory.

use serde::Serialize;
use serde_json::Value;

use super::Compiled;
use crate::diagnostic::{Code, Diagnostic, Place};
use crate::ids::{Digest, ReasonCode};
use crate::request::envelope::Circumstances;
use crate::request::{Effect, Obligation, Request, Verdict};
use crate::time::Timestamp;

/// How many changes and how many findings are listed; all are counted.
const LISTED: usize = 20;

/// What one set says of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub enum Answer {
    /// It may be done.
    Allow,
    /// It may not.
    Deny,
    /// No document is about it.
    NotConcerned,
}

impl Answer {
    fn of(verdict: Option<&Verdict>) -> Self {
        match verdict {
            None => Self::NotConcerned,
            Some(verdict) if verdict.effect == Effect::Allow => Self::Allow,
            Some(_) => Self::Deny,
        }
    }

    /// The word in a report.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Allow => "allow",
            Self::Deny => "deny",
            Self::NotConcerned => "not concerned",
        }
    }
}

/// How many requests changed in one way.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Change {
    /// What the old set says.
    pub from: Answer,
    /// What the new one says. Where that is the same, the obligations differ.
    pub to: Answer,
    /// How many requests.
    pub requests: u64,
}

/// One request that would be answered otherwise.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Changed {
    /// The line of the file, from 1.
    pub line: u64,
    /// What the request called itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// When it was asked, where the line tells.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub evaluated_at: Option<String>,
    /// What the old set says.
    pub from: Answer,
    /// What the new one says.
    pub to: Answer,
    /// Its reasons, in codes.
    pub reason_codes: Vec<String>,
    /// The types of the obligations of the old set.
    pub obligations_before: Vec<String>,
    /// Those of the new one.
    pub obligations_after: Vec<String>,
}

/// A document of a set.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Source {
    /// The file.
    pub file: String,
    /// Its SHA-256.
    pub sha256: String,
}

/// What came of a replay.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Report {
    /// The version of this form.
    pub schema: u32,
    /// The old documents.
    pub old: Vec<Source>,
    /// The new ones.
    pub new: Vec<Source>,
    /// Where the requests came from.
    pub requests_file: String,
    /// How many requests were replayed.
    pub requests: u64,
    /// How many would be answered otherwise.
    pub changed: u64,
    /// In which ways.
    pub changes: Vec<Change>,
    /// The first of them.
    pub listed: Vec<Changed>,
    /// How many lines are no request.
    pub unreadable: u64,
}

/// A replay on its way.
#[derive(Debug)]
pub struct Replay<'c> {
    old: &'c Compiled,
    new: &'c Compiled,
    report: Report,
    findings: Vec<Diagnostic>,
}

/// A line of either form: a request itself, or a recorded decision with the request in it.
struct Line {
    request: Request,
    evaluated_at: Option<String>,
}

impl<'c> Replay<'c> {
    /// A replay of requests from `file` through both sets.
    pub fn new(old: &'c Compiled, new: &'c Compiled, file: &str) -> Self {
        let sources = |compiled: &Compiled| {
            let source = |(file, digest): &(String, Digest)| Source {
                file: file.clone(),
                sha256: digest.to_string(),
            };
            compiled.sources().iter().map(source).collect()
        };
        Self {
            old,
            new,
            report: Report {
                schema: 1,
                old: sources(old),
                new: sources(new),
                requests_file: file.to_owned(),
                requests: 0,
                changed: 0,
                changes: Vec::new(),
                listed: Vec::new(),
                unreadable: 0,
            },
            findings: Vec::new(),
        }
    }

    /// Replays a line, counted from 1. Blank ones are none.
    pub fn line(&mut self, number: u64, bytes: &[u8]) {
        if bytes.trim_ascii().is_empty() {
            return;
        }
        match Line::read(bytes) {
            Ok(line) => self.request(number, &line),
            Err(message) => self.unreadable(number, &message),
        }
    }

    /// Counts a line that can't be read.
    pub fn unreadable(&mut self, number: u64, message: &str) {
        self.report.unreadable += 1;
        if self.findings.len() < LISTED {
            let place = Place::line(&self.report.requests_file, number);
            self.findings.push(
                Diagnostic::new(Code::LineNotObject, place, "the line is no request")
                    .found(message)
                    .expected(
                        "a request as a JSON object, or a recorded decision with its `request`",
                    )
                    .help("remove the line, or replay what wrote it"),
            );
        }
    }

    fn request(&mut self, number: u64, line: &Line) {
        self.report.requests += 1;
        let around = circumstances();
        let before = self.old.judge(&line.request, &around);
        let after = self.new.judge(&line.request, &around);
        let (from, to) = (Answer::of(before.as_ref()), Answer::of(after.as_ref()));
        let (owed, owing) = (owed(before.as_ref()), owed(after.as_ref()));
        if from == to && owed == owing {
            return;
        }
        self.report.changed += 1;
        self.count(from, to);
        if self.report.listed.len() < LISTED {
            let codes = after
                .as_ref()
                .map_or(&[][..], |after| after.codes.as_slice());
            self.report.listed.push(Changed {
                line: number,
                id: line.request.id().map(str::to_owned),
                evaluated_at: line.evaluated_at.clone(),
                from,
                to,
                reason_codes: codes.iter().map(ReasonCode::to_string).collect(),
                obligations_before: types(owed),
                obligations_after: types(owing),
            });
        }
    }

    fn count(&mut self, from: Answer, to: Answer) {
        let changes = &mut self.report.changes;
        match changes
            .iter_mut()
            .find(|one| one.from == from && one.to == to)
        {
            Some(change) => change.requests += 1,
            None => changes.push(Change {
                from,
                to,
                requests: 1,
            }),
        }
    }

    /// What came of it, and the first of the lines that are no request.
    pub fn finish(mut self) -> (Report, Vec<Diagnostic>) {
        self.report
            .changes
            .sort_by_key(|change| (change.from, change.to));
        (self.report, self.findings)
    }
}

impl Line {
    fn read(bytes: &[u8]) -> Result<Self, String> {
        let whole = Request::parse(bytes).map_err(|refused| refused.message)?;
        let recorded = whole.members().get("request").filter(|_| {
            // Of a recorded decision, and not of a request that has such a member.
            whole.has("evaluated_at")
        });
        let Some(inner) = recorded else {
            return Ok(Self {
                request: whole,
                evaluated_at: None,
            });
        };
        let evaluated_at = whole.text(&["evaluated_at"]).map(str::to_owned);
        let request = match inner {
            Value::Object(_) => Request::parse(inner.to_string().as_bytes()),
            _ => return Err("a `request` that is no object".to_owned()),
        };
        Ok(Self {
            request: request.map_err(|refused| refused.message)?,
            evaluated_at,
        })
    }
}

/// Security policies know neither the time nor the level.
fn circumstances() -> Circumstances {
    Circumstances::undisturbed(Timestamp::EPOCH, None)
}

fn owed(verdict: Option<&Verdict>) -> &[Obligation] {
    verdict.map_or(&[], |verdict| verdict.obligations.as_slice())
}

fn types(obligations: &[Obligation]) -> Vec<String> {
    obligations.iter().map(|one| one.kind.clone()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::security::compile;

    fn policy(effect: &str, action: &str) -> String {
        format!(
            "apiVersion: policy.orchestra.v1\nkind: SecurityPolicy\nmetadata: {{name: p}}\nspec:\n  scope: [{{resource: data}}]\n  rules: [{{name: r, condition: data.open, effect: {effect}, actions: [{action}]}}]\n  enforcement: {{mode: strict}}\n"
        )
    }

    fn replayed(old: &str, new: &str, lines: &[&str]) -> (Report, usize) {
        let of = |text: &str| compile(&[("p.yaml", text.as_bytes())]).unwrap();
        let (old, new) = (of(old), of(new));
        let mut replay = Replay::new(&old, &new, "r.jsonl");
        for (at, line) in lines.iter().enumerate() {
            replay.line(at as u64 + 1, line.as_bytes());
        }
        let (report, findings) = replay.finish();
        (report, findings.len())
    }

    const LINES: &[&str] = &[
        r#"{"id":"a","data":{"open":true}}"#,
        r#"{"data":{"open":false}}"#,
        r#"{"seq":1,"evaluated_at":"2026-01-01T00:00:00Z","level":"GREEN","request":{"id":"b","data":{"open":true}}}"#,
        r#"{"agent":{}}"#,
        "",
        "nothing",
        r#"{"evaluated_at":"2026-01-01T00:00:00Z","request":7}"#,
    ];

    #[test]
    fn both_forms_of_lines_are_replayed_and_changes_counted() {
        let (report, findings) = replayed(&policy("allow", "a"), &policy("deny", "b"), LINES);
        assert_eq!((report.requests, report.changed), (4, 2));
        assert_eq!((report.unreadable, findings), (2, 2));
        assert_eq!(
            report.changes,
            [Change {
                from: Answer::Allow,
                to: Answer::Deny,
                requests: 2
            }]
        );
        assert_eq!(report.listed[1].id.as_deref(), Some("b"));
        assert_eq!(
            report.listed[1].evaluated_at.as_deref(),
            Some("2026-01-01T00:00:00Z")
        );
        assert_eq!(report.listed[0].obligations_after, ["b"]);
    }

    #[test]
    fn obligations_alone_are_a_change_and_the_same_is_none() {
        let (report, _) = replayed(&policy("allow", "a"), &policy("allow", "b"), LINES);
        assert_eq!(report.changed, 2);
        let (report, _) = replayed(&policy("allow", "a"), &policy("allow", "a"), LINES);
        assert_eq!(report.changed, 0);
    }

    /// The schema's copy for readers of reports.
    const SCHEMA_FILE: &str = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/policy/schema/policy-impact.v1.schema.json"
    );

    #[test]
    fn the_schema_is_the_one_that_the_types_give() {
        crate::compliance::tests::holds_schema::<Report>(SCHEMA_FILE);
    }
}
