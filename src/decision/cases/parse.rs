//! The form of a file of cases, `policy/tests/*.yaml`, and from it to cases that fit a policy.

use serde::Deserialize;

use super::{Case, Expected, Ground};
use crate::decision::{Before, Earlier, Held};
use crate::diagnostic::{Code, Diagnostic, Place};
use crate::ids::{ReasonCode, SignalName};
use crate::policy::source::collect::{self, Entries, Field, List, Scalar};
use crate::policy::source::problems::Problems;
use crate::policy::source::{self, Spot};
use crate::policy::{Level, Policy, SignalRule};
use crate::signals::{Outcome, Reading, Readings, stand_in};
use crate::time::Timestamp;

type Inputs = Field<Entries<Scalar>>;

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct File {
    /// For every case that names none.
    at: Field<String>,
    /// For every signal that a case does not name.
    defaults: Inputs,
    cases: List<Raw>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Raw {
    name: Field<String>,
    at: Field<String>,
    inputs: Inputs,
    /// A directory with signal files instead, relative to the file of cases.
    workspace: Field<String>,
    before: Field<RawBefore>,
    history: List<RawEarlier>,
    expect: Field<RawExpected>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct RawBefore {
    level: Field<String>,
    at: Field<String>,
    since: Field<String>,
    held: Field<RawHeld>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct RawHeld {
    since: Field<String>,
    times: Field<f64>,
    peak: Field<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct RawEarlier {
    at: Field<String>,
    inputs: Inputs,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct RawExpected {
    level: Field<String>,
    reasons: List<String>,
    waived: List<String>,
    shadow: Field<String>,
    errors: Field<f64>,
}

/// The highest count that a case may name.
const MOST: u32 = 1_000_000;

/// The words that stand for a signal without a value.
const STATUSES: [&str; 3] = ["missing", "stale VALUE", "invalid"];

/// Reads a file of cases against a policy. `file` is named in the findings; all of them at once.
pub fn parse(file: &str, bytes: &[u8], policy: &Policy) -> Result<Vec<Case>, Vec<Diagnostic>> {
    let root = match source::parse(file, bytes) {
        Ok(Some(root)) => root,
        Ok(None) => return Err(vec![empty(file)]),
        Err(error) => return Err(vec![*error]),
    };
    let mut problems = Vec::new();
    let found: Field<File> = collect::read(file, &root, &mut problems);
    let mut reader = Reader {
        file,
        policy,
        problems: Problems::new(file, problems),
    };
    let cases = found.get().map(|found| reader.cases(found, root.spot));
    match cases {
        Some(cases) if reader.problems.is_empty() => Ok(cases),
        _ => {
            let mut problems = reader.problems.in_order();
            // What stands once for all cases is wrong in each of them.
            problems.dedup();
            Err(problems)
        }
    }
}

fn empty(file: &str) -> Diagnostic {
    Diagnostic::new(Code::KeyMissing, Place::file(file), "the file has no case")
        .found("nothing")
        .expected("`cases:` with a list")
        .help("write a case, or remove the file")
}

struct Reader<'a> {
    file: &'a str,
    policy: &'a Policy,
    problems: Problems<'a>,
}

impl Reader<'_> {
    fn cases(&mut self, file: &File, here: Spot) -> Vec<Case> {
        let fields = file.cases.get().map(Vec::as_slice).unwrap_or_default();
        if fields.is_empty() && !matches!(file.cases.state, collect::State::Bad) {
            self.problems.add(
                here,
                "$",
                Code::KeyMissing,
                "the file has no case",
                |finding| {
                    finding
                        .found("no `cases`")
                        .expected("`cases:` with a list")
                        .help("write a case, or remove the file")
                },
            );
        }
        let mut cases: Vec<Case> = Vec::new();
        for field in fields {
            let Some(raw) = field.get() else { continue };
            let Some(case) = self.case(file, raw, field) else {
                continue;
            };
            if cases.iter().any(|other| other.name == case.name) {
                self.problems.refuse(
                    &raw.name,
                    Code::NameDuplicate,
                    "two cases have this name",
                    |finding| {
                        finding
                            .found(format!("`{}`", case.name))
                            .expected("every name once in a file")
                            .help("rename one of the two")
                    },
                );
            }
            cases.push(case);
        }
        cases
    }

    fn case(&mut self, file: &File, raw: &Raw, field: &Field<Raw>) -> Option<Case> {
        let name = self
            .problems
            .required(&raw.name, "name", field.spot)
            .cloned();
        let at = match (raw.at.is_there(), file.at.is_there()) {
            (false, true) => self.time(&file.at),
            _ => self
                .problems
                .required(&raw.at, "at", field.spot)
                .and_then(|_| self.time(&raw.at)),
        };
        let ground = self.ground(file, raw);
        let before = raw
            .before
            .get()
            .and_then(|before| self.before(before, &raw.before, at));
        let history = self.history(file, raw);
        let expected = self
            .problems
            .required(&raw.expect, "expect", field.spot)
            .and_then(|expected| self.expected(expected, &raw.expect));
        Some(Case {
            name: name?,
            line: field.spot.line,
            at: at?,
            ground: ground?,
            before,
            history,
            expected: expected?,
        })
    }

    fn ground(&mut self, file: &File, raw: &Raw) -> Option<Ground> {
        if let Some(directory) = raw.workspace.get() {
            if raw.inputs.is_there() {
                self.problems.refuse(
                    &raw.workspace,
                    Code::PolicyContradiction,
                    "a case has inputs or a workspace",
                    |finding| {
                        finding
                            .found("both")
                            .expected("one of the two")
                            .help("remove one")
                    },
                );
            }
            return Some(Ground::Workspace(directory.clone()));
        }
        self.readings(&file.defaults, &raw.inputs)
            .map(Ground::Readings)
    }

    /// One reading for every signal of the policy. A built-in one that nobody names is healthy.
    fn readings(&mut self, defaults: &Inputs, inputs: &Inputs) -> Option<Readings> {
        self.check_names(inputs);
        self.check_names(defaults);
        let policy = self.policy;
        let mut readings = Vec::new();
        let mut is_whole = true;
        for rule in policy.signals() {
            let named = value_of(inputs, &rule.name).or_else(|| value_of(defaults, &rule.name));
            let reading = match named {
                Some(field) => self.reading(field, rule),
                None if rule.declared.is_none() => Some(healthy(&rule.name)),
                None => {
                    self.problems.refuse(inputs, Code::KeyMissing, format!("nobody says what `{}` is", rule.name), |finding| {
                        finding
                            .found("no value")
                            .expected("a value here or under `defaults`, or one of missing, stale, invalid")
                            .help(format!("add `{}:` under `defaults`", rule.name))
                    });
                    None
                }
            };
            is_whole &= reading.is_some();
            readings.extend(reading);
        }
        is_whole.then(|| Readings::new(readings))
    }

    fn check_names(&mut self, inputs: &Inputs) {
        let policy = self.policy;
        for (name, field) in inputs
            .get()
            .map(|entries| entries.0.as_slice())
            .unwrap_or_default()
        {
            let known: Vec<&str> = policy
                .signals()
                .iter()
                .map(|rule| rule.name.as_str())
                .collect();
            if !known.contains(&name.as_str()) {
                self.problems.unknown(
                    field,
                    Code::KeyUnknown,
                    "the policy lists no such signal",
                    (name, &known),
                    "remove it",
                );
            }
        }
    }

    fn reading(&mut self, field: &Field<Scalar>, rule: &SignalRule) -> Option<Reading> {
        let scalar = field.get()?;
        let outcome = match scalar {
            Scalar::Text(word) if word == "missing" => {
                Ok(Outcome::Missing("not reported".to_owned()))
            }
            Scalar::Text(word) if word == "invalid" => {
                Ok(Outcome::Invalid(vec![planted(self.file)]))
            }
            Scalar::Text(word) if word == "stale" && rule.declared.is_none() => {
                Ok(Outcome::Stale(stand_in(&rule.name)))
            }
            // A value that is too old is judged too, so a signal without a stand-in names it.
            Scalar::Text(text) if text.starts_with("stale ") => rule
                .value(&Scalar::read(text.trim_start_matches("stale ")))
                .map(Outcome::Stale),
            scalar => rule.value(scalar).map(Outcome::Valid),
        };
        match outcome {
            Ok(outcome) => Some(Reading::bare(rule.name.clone(), outcome)),
            Err(expected) => {
                self.problems.refuse(
                    field,
                    Code::ValueType,
                    "this is no value of the signal",
                    |finding| {
                        finding
                            .found(scalar.to_string())
                            .expected(format!("{expected}, or one of {}", STATUSES.join(", ")))
                            .help("write a value as the signal has it")
                    },
                );
                None
            }
        }
    }

    fn before(
        &mut self,
        raw: &RawBefore,
        field: &Field<RawBefore>,
        at: Option<Timestamp>,
    ) -> Option<Before> {
        self.problems.required(&raw.level, "level", field.spot)?;
        let level = self.level(&raw.level)?;
        let before_at = if raw.at.is_there() {
            self.time(&raw.at)
        } else {
            at
        };
        let since = if raw.since.is_there() {
            self.time(&raw.since)
        } else {
            before_at
        };
        let held = raw.held.get().and_then(|held| self.held(held, &raw.held));
        Some(Before {
            level,
            at: before_at?,
            since: since?,
            held,
        })
    }

    fn held(&mut self, raw: &RawHeld, field: &Field<RawHeld>) -> Option<Held> {
        self.problems.required(&raw.since, "since", field.spot)?;
        self.problems.required(&raw.peak, "peak", field.spot)?;
        let since = self.time(&raw.since)?;
        let peak = self.level(&raw.peak)?;
        let times = *self.problems.required(&raw.times, "times", field.spot)?;
        let times = self.problems.whole(&raw.times, times, 0, MOST)?;
        Some(Held {
            since,
            times: u32::try_from(times).ok()?,
            peak,
        })
    }

    /// The oldest first.
    fn history(&mut self, file: &File, raw: &Raw) -> Vec<Earlier> {
        let fields = raw.history.get().map(Vec::as_slice).unwrap_or_default();
        let mut history: Vec<Earlier> = Vec::new();
        for field in fields {
            let Some(earlier) = field.get() else { continue };
            self.problems.required(&earlier.at, "at", field.spot);
            let at = self.time(&earlier.at);
            let readings = self.readings(&file.defaults, &earlier.inputs);
            if let (Some(at), Some(readings)) = (at, readings) {
                history.push(Earlier { at, readings });
            }
        }
        history.sort_by_key(|earlier| earlier.at);
        history
    }

    fn expected(&mut self, raw: &RawExpected, field: &Field<RawExpected>) -> Option<Expected> {
        self.problems.required(&raw.level, "level", field.spot)?;
        let level = self.level(&raw.level);
        let reasons = raw.reasons.is_there().then(|| self.codes(&raw.reasons));
        let waived = raw.waived.is_there().then(|| self.codes(&raw.waived));
        let shadow = raw.shadow.is_there().then(|| self.level(&raw.shadow));
        let errors = match raw.errors.get() {
            Some(number) => self.problems.whole(&raw.errors, *number, 0, MOST)?,
            None => 0,
        };
        Some(Expected {
            level: level?,
            reasons,
            waived,
            shadow: shadow.flatten(),
            errors,
        })
    }

    fn codes(&mut self, list: &List<String>) -> Vec<ReasonCode> {
        let mut codes = Vec::new();
        for field in list.get().into_iter().flatten() {
            let Some(text) = field.get() else { continue };
            let policy = self.policy;
            let of_policy = policy
                .triggers()
                .iter()
                .map(|trigger| trigger.code.as_str());
            let given = [
                "INPUT_MISSING",
                "INPUT_STALE",
                "INPUT_INVALID",
                "LEVEL_HELD",
            ];
            let known: Vec<&str> = of_policy.chain(given).collect();
            let code = ReasonCode::parse(text).filter(|_| known.contains(&text.as_str()));
            if code.is_none() {
                self.problems.unknown(
                    field,
                    Code::ValueUnknown,
                    "the policy gives no such code",
                    (text, &known),
                    "write one of these",
                );
            }
            codes.extend(code);
        }
        codes
    }

    fn level(&mut self, field: &Field<String>) -> Option<Level> {
        let name = field.get()?;
        let levels = self.policy.levels();
        let known: Vec<&str> = levels.iter().map(Level::name).collect();
        let level = levels.iter().find(|level| level.name() == name);
        if level.is_none() {
            self.problems.unknown(
                field,
                Code::ValueUnknown,
                "the policy has no such level",
                (name, &known),
                "write one of these",
            );
        }
        level.cloned()
    }

    fn time(&mut self, field: &Field<String>) -> Option<Timestamp> {
        let text = field.get()?;
        let read = Timestamp::read(text);
        if read.is_none() {
            self.problems
                .refuse(field, Code::ValueType, "this is no time", |finding| {
                    finding
                        .found(format!("`{text}`"))
                        .expected("a time after RFC 3339, 2026-01-31T04:45:00Z say")
                        .help("write such a time")
                });
        }
        read.map(|read| read.time)
    }
}

fn value_of<'f>(inputs: &'f Inputs, signal: &SignalName) -> Option<&'f Field<Scalar>> {
    let entries = inputs.get()?;
    let of_it = |(name, _): &&(String, Field<Scalar>)| name == signal.as_str();
    entries.0.iter().find(of_it).map(|(_, field)| field)
}

fn healthy(signal: &SignalName) -> Reading {
    Reading::bare(signal.clone(), Outcome::Valid(stand_in(signal)))
}

/// The error of a signal that a case calls invalid.
fn planted(file: &str) -> Diagnostic {
    Diagnostic::new(
        Code::ValueType,
        Place::file(file),
        "the case calls this signal invalid",
    )
}
