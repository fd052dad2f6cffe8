//! The document `policy/alerts.json`: who is told of alerts, and other limits than the usual ones.
//!
//! It may be absent: then nobody is told, and the usual limits hold. Every problem of a document is
//! collected before it is refused; then the usual limits hold, and nobody is told until it is mended.

use std::time::Duration;

use serde_json::value::RawValue;

use super::levels::Wanted;
use super::limits::{Hours, Limits};
use crate::diagnostic::{Code, Diagnostic, Place};
use crate::fs::Workspace;
use crate::fs::read::read_own;
use crate::policy::Level;
use crate::signals::json::Document;
use crate::signals::members::{Known, Members};

/// The document, relative to the workspace.
pub const FILE: &str = "policy/alerts.json";

/// The version of its format.
pub const SCHEMA: u64 = 1;

/// A document larger than this is none.
const LIMIT: u64 = 64 * 1024;

/// More arguments or variables than this are none.
const ENTRIES: usize = 100;

/// Who is told, and the limits in force.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Configuration {
    /// A program that is told.
    pub hook: Option<Hook>,
    /// An address that is told.
    pub webhook: Option<Webhook>,
    /// The limits.
    pub limits: Limits,
    /// The changes of the level that are told; `None` where none are.
    pub level_changes: Option<Wanted>,
}

/// A program that gets the events on its standard input.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hook {
    /// The program.
    pub program: String,
    /// Its arguments.
    pub arguments: Vec<String>,
    /// It is ended after this.
    pub timeout: Duration,
    /// The variables that it sees, beside those that every hook sees.
    pub environment: Vec<String>,
}

/// An address that gets the events by POST.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Webhook {
    /// The variable that holds the address, which is a secret.
    pub url_variable: String,
    /// It has to answer within this.
    pub timeout: Duration,
}

/// The configuration in force and, where its document was refused, why.
#[derive(Debug, Clone, Default)]
pub struct Loaded {
    /// What is in force.
    pub configuration: Configuration,
    /// Everything that is wrong with the document; empty for one that was accepted.
    pub problems: Vec<Diagnostic>,
}

/// Reads the document of a workspace.
pub fn load(workspace: &Workspace) -> Loaded {
    let parsed = match read_own(workspace, FILE, LIMIT) {
        Ok(None) => return Loaded::default(),
        Ok(Some(bytes)) => parse(&bytes),
        Err(problem) => Err(vec![*problem]),
    };
    match parsed {
        Ok(configuration) => Loaded {
            configuration,
            problems: Vec::new(),
        },
        Err(problems) => Loaded {
            configuration: Configuration::default(),
            problems,
        },
    }
}

/// Parses and checks a document.
pub fn parse(bytes: &[u8]) -> Result<Configuration, Vec<Diagnostic>> {
    let document = match Document::read(FILE, bytes) {
        Ok(Some(document)) => document,
        Ok(None) => return Err(vec![empty()]),
        Err(problem) => return Err(vec![*problem]),
    };
    let members: Members<'_> = document.object().map_err(|problem| vec![*problem])?;
    let mut draft = Draft {
        document,
        problems: Vec::new(),
    };
    draft.check(
        &members,
        "$",
        &[
            "$schema",
            "schema",
            "hook",
            "webhook",
            "limits",
            "level_changes",
        ],
    );
    draft.schema(members.get("schema"));
    let configuration = Configuration {
        hook: members.get("hook").and_then(|raw| draft.hook(raw)),
        webhook: members.get("webhook").and_then(|raw| draft.webhook(raw)),
        limits: members
            .get("limits")
            .map_or_else(Limits::default, |raw| draft.limits(raw)),
        level_changes: members
            .get("level_changes")
            .and_then(|raw| draft.level_changes(raw)),
    };
    if draft.problems.is_empty() {
        Ok(configuration)
    } else {
        Err(draft.problems)
    }
}

fn empty() -> Diagnostic {
    Diagnostic::new(
        Code::KeyMissing,
        Place::file(FILE),
        "the configuration of alerts is empty",
    )
    .found("nothing")
    .expected("a JSON object with `hook`, `webhook`, `limits` or `level_changes`")
    .help("remove the file to tell nobody")
}

/// A document on its way to a configuration, with everything that is wrong so far.
struct Draft<'a> {
    document: Document<'a>,
    problems: Vec<Diagnostic>,
}

impl<'a> Draft<'a> {
    fn check(&mut self, members: &Members<'a>, path: &str, keys: &[&str]) {
        let known = Known {
            path,
            keys,
            otherwise: "remove the key",
        };
        members.check(&self.document, known, &mut self.problems);
    }

    fn object(&mut self, raw: &'a RawValue, path: &str, keys: &[&str]) -> Option<Members<'a>> {
        match self.document.object_at::<Members<'a>>(raw, path) {
            Ok(members) => {
                self.check(&members, path, keys);
                Some(members)
            }
            Err(problem) => {
                self.problems.push(*problem);
                None
            }
        }
    }

    fn refuse(&mut self, code: Code, raw: &RawValue, path: &str, expected: &str) {
        let place = self.document.place(raw.get(), path);
        let name = path.trim_start_matches("$.");
        self.problems.push(
            Diagnostic::new(code, place, format!("`{name}` can't be used"))
                .found(format!("`{}`", raw.get()))
                .expected(expected)
                .help("correct the value"),
        );
    }

    fn missing(&mut self, raw: &RawValue, path: &str, key: &str, expected: &str) {
        let place = self.document.place(raw.get(), path);
        self.problems.push(
            Diagnostic::new(Code::KeyMissing, place, format!("`{key}` is not there"))
                .found(format!("an object without `{key}`"))
                .expected(expected)
                .help(format!("add `{key}`")),
        );
    }

    fn schema(&mut self, raw: Option<&RawValue>) {
        let Some(raw) = raw else { return };
        match serde_json::from_str::<u64>(raw.get()) {
            Ok(SCHEMA) => {}
            Ok(newer) if newer > SCHEMA => {
                self.refuse(
                    Code::FormatNewer,
                    raw,
                    "$.schema",
                    "1, or a newer version of this program",
                );
            }
            _ => self.refuse(Code::ValueType, raw, "$.schema", "1"),
        }
    }

    fn hook(&mut self, raw: &'a RawValue) -> Option<Hook> {
        let path = "$.hook";
        let keys = ["argv", "timeout_seconds", "environment"];
        let members = self.object(raw, path, &keys)?;
        let timeout = self.timeout(members.get("timeout_seconds"), "$.hook.timeout_seconds");
        let environment = match members.get("environment") {
            Some(names) => self.names(names),
            None => Vec::new(),
        };
        let expected = "the program and its arguments, a list of texts";
        let Some(argv) = members.get("argv") else {
            self.missing(raw, path, "argv", expected);
            return None;
        };
        let mut argv = self.texts(argv, "$.hook.argv", expected)?.into_iter();
        Some(Hook {
            program: argv.next()?,
            arguments: argv.collect(),
            timeout,
            environment,
        })
    }

    fn webhook(&mut self, raw: &'a RawValue) -> Option<Webhook> {
        let path = "$.webhook";
        let members = self.object(raw, path, &["url_variable", "timeout_seconds"])?;
        let timeout = self.timeout(members.get("timeout_seconds"), "$.webhook.timeout_seconds");
        let expected =
            "the name of the variable that holds the address, POLICY_ALERT_WEBHOOK_URL say";
        let Some(named) = members.get("url_variable") else {
            self.missing(raw, path, "url_variable", expected);
            return None;
        };
        let name: Option<String> = serde_json::from_str(named.get()).ok();
        match name.filter(|name| is_variable(name)) {
            Some(url_variable) => Some(Webhook {
                url_variable,
                timeout,
            }),
            None => {
                // Somebody may have written the address itself here, and it is a secret.
                let place = self.document.place(named.get(), "$.webhook.url_variable");
                self.problems.push(
                    Diagnostic::new(
                        Code::ValueType,
                        place,
                        "`webhook.url_variable` can't be used",
                    )
                    .found("something that is no name of a variable")
                    .expected(expected)
                    .help("put the address into a variable, and the variable's name here"),
                );
                None
            }
        }
    }

    fn timeout(&mut self, raw: Option<&RawValue>, path: &str) -> Duration {
        let usual = Duration::from_secs(10);
        let Some(raw) = raw else { return usual };
        let seconds: Option<f64> = serde_json::from_str(raw.get()).ok();
        match seconds.filter(|seconds| (0.1..=600.0).contains(seconds)) {
            Some(seconds) => Duration::from_secs_f64(seconds),
            None => {
                let expected = "a number of seconds from 0.1 to 600";
                self.refuse(Code::ValueRange, raw, path, expected);
                usual
            }
        }
    }

    /// A list of at least one text, none of them empty or with a NUL.
    fn texts(&mut self, raw: &RawValue, path: &str, expected: &str) -> Option<Vec<String>> {
        let texts: Option<Vec<String>> = serde_json::from_str(raw.get()).ok();
        let usable = texts.filter(|texts| {
            let first = texts.first().is_some_and(|first| !first.is_empty());
            first && texts.len() <= ENTRIES && !texts.iter().any(|text| text.contains('\0'))
        });
        if usable.is_none() {
            self.refuse(Code::ValueType, raw, path, expected);
        }
        usable
    }

    fn names(&mut self, raw: &RawValue) -> Vec<String> {
        let names: Option<Vec<String>> = serde_json::from_str(raw.get()).ok();
        let usable = names
            .filter(|names| names.len() <= ENTRIES && names.iter().all(|name| is_variable(name)));
        if usable.is_none() {
            let expected = "a list of names of variables";
            self.refuse(Code::ValueType, raw, "$.hook.environment", expected);
        }
        usable.unwrap_or_default()
    }

    fn limits(&mut self, raw: &'a RawValue) -> Limits {
        let usual = Limits::default();
        let keys = [
            "red_flips",
            "brake_hours",
            "blocked",
            "red_hours",
            "flaps",
            "late_hours",
            "overrides",
        ];
        let Some(members) = self.object(raw, "$.limits", &keys) else {
            return usual;
        };
        Limits {
            red_flips: self.count(&members, "red_flips", 0, usual.red_flips),
            brake: self.hours(&members, "brake_hours", usual.brake),
            blocked: self.count(&members, "blocked", 1, usual.blocked),
            red: self.hours(&members, "red_hours", usual.red),
            flaps: self.count(&members, "flaps", 0, usual.flaps),
            late: self.hours(&members, "late_hours", usual.late),
            overrides: self.count(&members, "overrides", 0, usual.overrides),
        }
    }

    fn level_changes(&mut self, raw: &'a RawValue) -> Option<Wanted> {
        let members = self.object(raw, "$.level_changes", &["from", "to"])?;
        Some(Wanted {
            from: self.levels(members.get("from"), "$.level_changes.from"),
            to: self.levels(members.get("to"), "$.level_changes.to"),
        })
    }

    /// A list of at least one level; nothing for any.
    fn levels(&mut self, raw: Option<&'a RawValue>, path: &str) -> Vec<Level> {
        let Some(raw) = raw else { return Vec::new() };
        let names: Option<Vec<String>> = serde_json::from_str(raw.get()).ok();
        let levels: Option<Vec<Level>> =
            names.and_then(|names| names.iter().map(|name| Level::parse(name)).collect());
        let usable = levels.filter(|levels| (1..=ENTRIES).contains(&levels.len()));
        if usable.is_none() {
            let expected = "a list of levels: GREEN, YELLOW, RED, or one that the policy adds";
            self.refuse(Code::ValueType, raw, path, expected);
        }
        usable.unwrap_or_default()
    }

    fn count(&mut self, members: &Members<'a>, key: &str, least: u64, usual: u64) -> u64 {
        let Some(raw) = members.get(key) else {
            return usual;
        };
        let count: Option<u64> = serde_json::from_str(raw.get()).ok();
        match count.filter(|count| (least..=1_000_000).contains(count)) {
            Some(count) => count,
            None => {
                let expected = format!("a whole number from {least} to 1000000");
                self.refuse(Code::ValueRange, raw, &format!("$.limits.{key}"), &expected);
                usual
            }
        }
    }

    fn hours(&mut self, members: &Members<'a>, key: &str, usual: Hours) -> Hours {
        let Some(raw) = members.get(key) else {
            return usual;
        };
        let hours: Option<f64> = serde_json::from_str(raw.get()).ok();
        match hours.and_then(Hours::new) {
            Some(hours) => hours,
            None => {
                self.refuse(
                    Code::ValueRange,
                    raw,
                    &format!("$.limits.{key}"),
                    Hours::EXPECTED,
                );
                usual
            }
        }
    }
}

fn is_variable(name: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
    !name.is_empty()
        && name.len() <= 200
        && name.bytes().all(plain)
        && !name.starts_with(|first: char| first.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn problems(text: &str) -> Vec<(Code, Option<String>)> {
        match parse(text.as_bytes()) {
            Ok(_) => Vec::new(),
            Err(problems) => problems
                .into_iter()
                .map(|problem| (problem.code, problem.place.path))
                .collect(),
        }
    }

    #[test]
    fn a_full_document_is_read() {
        let configuration = parse(
            br#"{"schema": 1,
                "hook": {"argv": ["./tell", "now"], "timeout_seconds": 2.5, "environment": ["TEAM"]},
                "webhook": {"url_variable": "POLICY_ALERT_WEBHOOK_URL"},
                "limits": {"red_flips": 0, "brake_hours": 0.5, "blocked": 1}}"#,
        )
        .unwrap();
        let hook = configuration.hook.unwrap();
        assert_eq!(
            (hook.program.as_str(), hook.arguments),
            ("./tell", vec!["now".to_owned()])
        );
        assert_eq!(hook.timeout, Duration::from_millis(2500));
        assert_eq!(hook.environment, ["TEAM"]);
        assert_eq!(
            configuration.webhook.unwrap().timeout,
            Duration::from_secs(10)
        );
        let limits = Limits {
            red_flips: 0,
            brake: Hours::new(0.5).unwrap(),
            blocked: 1,
            ..Limits::default()
        };
        assert_eq!(configuration.limits, limits);
        assert_eq!(configuration.level_changes, None);
    }

    #[test]
    fn changes_of_the_level_are_told_where_they_are_asked_for() {
        let wanted = |text: &str| parse(text.as_bytes()).unwrap().level_changes;
        assert_eq!(wanted(r#"{"level_changes": {}}"#), Some(Wanted::default()));
        let to_red = Wanted {
            from: Vec::new(),
            to: vec![Level::RED],
        };
        let text = r#"{"level_changes": {"to": ["RED"]}}"#;
        assert_eq!(wanted(text), Some(to_red));
    }

    #[test]
    fn every_problem_is_collected_with_its_place() {
        let text = r#"{"hok": {}, "hook": {"argv": [], "environment": ["A B"], "timeout_seconds": 0, "shell": true}, "webhook": {}, "limits": {"blocked": 0, "red_hours": "4", "flaps": 1.5}}"#;
        let path = |path: &str| Some(path.to_owned());
        assert_eq!(
            problems(text),
            [
                (Code::KeyUnknown, path("$.hok")),
                (Code::KeyUnknown, path("$.hook.shell")),
                (Code::ValueRange, path("$.hook.timeout_seconds")),
                (Code::ValueType, path("$.hook.environment")),
                (Code::ValueType, path("$.hook.argv")),
                (Code::KeyMissing, path("$.webhook")),
                (Code::ValueRange, path("$.limits.blocked")),
                (Code::ValueRange, path("$.limits.red_hours")),
                (Code::ValueRange, path("$.limits.flaps")),
            ]
        );
    }

    #[test]
    fn what_is_no_configuration_is_refused() {
        let bad = [
            "",
            "[]",
            "{",
            "{\"schema\": 2}",
            "{\"schema\": \"1\"}",
            "{\"hook\": null}",
            "{\"hook\": {\"argv\": \"rm\"}}",
            "{\"hook\": {\"argv\": [\"\"]}}",
            "{\"limits\": []}",
            "{\"hook\": {\"argv\": [\"a\\u0000\"]}}",
            "{\"hook\": {}, \"hook\": {}}",
            "{\"level_changes\": true}",
            "{\"level_changes\": {\"from\": []}}",
            "{\"level_changes\": {\"to\": [\"red\"]}}",
            "{\"level_changes\": {\"when\": [\"RED\"]}}",
        ];
        for text in bad {
            assert!(!problems(text).is_empty(), "{text}");
        }
        assert_eq!(problems("{}"), []);
    }

    #[test]
    fn an_address_that_stands_in_the_variables_place_is_not_shown() {
        let text = br#"{"webhook": {"url_variable": "https://hooks.example/secret"}}"#;
        let problems = parse(text).unwrap_err();
        assert!(!format!("{problems:?}").contains("secret"));
    }
}
