//! Actions that a workspace declares of its own: `policy/responses.json`.
//!
//! Read and checked here, whole: every problem is told, and a document with one is not used, so that
//! nothing is applied from a list that nobody can read. A command is a list of words, never a line
//! for a shell.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::actions::Action;
use super::pattern::Pattern;
use crate::diagnostic::{Checked, Code, Diagnostic, Place};
use crate::fs::Workspace;
use crate::fs::read::read_own;
use crate::policy::Level;

/// The document, relative to the workspace.
pub const FILE: &str = "policy/responses.json";

/// A larger document is none.
const LIMIT: u64 = 64 * 1024;

/// How long an action may take where nobody says, in seconds (OR-05).
pub const TIMEOUT: u64 = 300;

/// A response has one line in its log, which has to hold the results of all actions.
const MOST: usize = 50;

/// The longest time that an action may be given, in seconds: a day.
const LONGEST: u64 = 86_400;

/// The longest cooldown, in seconds: thirty days.
const LONGEST_COOLDOWN: u64 = 30 * 86_400;

/// What a workspace says about its responses.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Responses {
    /// True where the native actions are planned too.
    pub builtin: bool,
    /// Its own actions, in their order.
    pub actions: Vec<Declared>,
}

impl Default for Responses {
    fn default() -> Self {
        Self {
            builtin: true,
            actions: Vec::new(),
        }
    }
}

/// An action that a workspace declares.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Declared {
    /// Its name, as it stands in records.
    pub name: String,
    /// The level that calls for it.
    #[serde(skip)]
    pub level: Level,
    /// The program and its arguments.
    pub argv: Vec<String>,
    /// Where it runs, relative to the workspace; empty for the workspace itself.
    pub directory: String,
    /// The names of the variables that it gets, beside `PATH`, `HOME`, `LANG`, `TZ` and `TMPDIR`.
    pub environment: Vec<String>,
    /// It is ended after so many seconds.
    pub timeout_seconds: u64,
    /// The files that it may change or make; their bytes are kept.
    pub changes: Vec<Pattern>,
    /// The files that it may make and never changes: only which there are is kept.
    pub creates: Vec<Pattern>,
    /// True where what it changes is kept, and can be put back.
    pub reversible: bool,
    /// It is skipped where it succeeded within so many seconds.
    pub cooldown_seconds: u64,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Raw {
    schema: u32,
    #[serde(default = "yes")]
    builtin: bool,
    #[serde(default)]
    actions: Vec<RawAction>,
}

fn yes() -> bool {
    true
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawAction {
    name: String,
    level: String,
    argv: Vec<String>,
    #[serde(default)]
    directory: Option<String>,
    #[serde(default)]
    environment: Vec<String>,
    #[serde(default)]
    timeout_seconds: Option<u64>,
    #[serde(default)]
    changes: Vec<String>,
    #[serde(default)]
    creates: Vec<String>,
    #[serde(default)]
    reversible: bool,
    #[serde(default)]
    cooldown_seconds: u64,
}

/// Reads the document; without one there are the native actions alone. Fails with every problem
/// that it has.
pub fn load(workspace: &Workspace) -> Result<Responses, Vec<Diagnostic>> {
    let bytes = read_own(workspace, FILE, LIMIT).map_err(|problem| vec![*problem])?;
    match bytes {
        None => Ok(Responses::default()),
        Some(bytes) => parse(&bytes),
    }
}

/// As [`load`], where one problem is enough.
pub fn load_or_first_problem(workspace: &Workspace) -> Checked<Responses> {
    load(workspace).map_err(|mut problems| Box::new(problems.swap_remove(0)))
}

/// Parses and checks a document.
pub fn parse(bytes: &[u8]) -> Result<Responses, Vec<Diagnostic>> {
    let bare = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    let raw: Raw = serde_json::from_slice(bare).map_err(|error| vec![malformed(&error)])?;
    let mut problems = Vec::new();
    if raw.schema != 1 {
        problems.push(problem(
            "$.schema",
            "the document is of a version that nobody here knows",
            &raw.schema.to_string(),
            "1",
        ));
    }
    if raw.actions.len() > MOST {
        problems.push(problem(
            "$.actions",
            "there are too many actions",
            &raw.actions.len().to_string(),
            &format!("at most {MOST}"),
        ));
    }
    let mut names = BTreeSet::new();
    let mut actions = Vec::new();
    for (index, action) in raw.actions.into_iter().enumerate() {
        let path = format!("$.actions[{index}]");
        if !names.insert(action.name.clone()) {
            problems.push(problem(
                &format!("{path}.name"),
                "two actions have the same name",
                &action.name,
                "a name of its own for each",
            ));
        }
        match check(&path, action) {
            Ok(action) => actions.push(action),
            Err(found) => problems.extend(found),
        }
    }
    if problems.is_empty() {
        Ok(Responses {
            builtin: raw.builtin,
            actions,
        })
    } else {
        Err(problems)
    }
}

fn check(path: &str, raw: RawAction) -> Result<Declared, Vec<Diagnostic>> {
    let mut problems = Vec::new();
    let mut wrong = |key: &str, message: &str, found: &str, expected: &str| {
        problems.push(problem(&format!("{path}.{key}"), message, found, expected));
    };
    if !is_name(&raw.name) || Action::named(&raw.name).is_some() {
        wrong(
            "name",
            "this can't be an action's name",
            &raw.name,
            "1 to 64 of a-z, 0-9 and `_`, beginning with a letter, and no native action's name",
        );
    }
    let level = Level::built_in(&raw.level).filter(|level| *level != Level::GREEN);
    if level.is_none() {
        wrong(
            "level",
            "no response is called for at this level",
            &raw.level,
            "YELLOW or RED",
        );
    }
    if raw.argv.first().is_none_or(String::is_empty)
        || raw.argv.iter().any(|word| word.contains('\0'))
    {
        wrong(
            "argv",
            "this is no command",
            &format!("{:?}", raw.argv),
            "a program and its arguments, without NUL",
        );
    }
    let directory = raw.directory.unwrap_or_default();
    if !directory.is_empty() && Pattern::parse(&format!("{directory}/x")).is_err() {
        wrong(
            "directory",
            "the action can't run there",
            &directory,
            "a directory inside the workspace, without `.`, `..`, `*`, `state` or `.git`",
        );
    }
    for name in &raw.environment {
        if let Err((message, expected)) = check_variable(name) {
            wrong("environment", message, name, expected);
        }
    }
    let timeout_seconds = raw.timeout_seconds.unwrap_or(TIMEOUT);
    if !(1..=LONGEST).contains(&timeout_seconds) {
        wrong(
            "timeout_seconds",
            "the time is out of range",
            &timeout_seconds.to_string(),
            "1 to 86400 seconds",
        );
    }
    if raw.cooldown_seconds > LONGEST_COOLDOWN {
        wrong(
            "cooldown_seconds",
            "the cooldown is out of range",
            &raw.cooldown_seconds.to_string(),
            "0 to 2592000 seconds",
        );
    }
    let mut patterns = |key: &str, texts: &[String]| -> Vec<Pattern> {
        let parse = |text: &String| {
            let parsed = Pattern::parse(text);
            parsed.map_err(|expected| {
                wrong(key, "this names no files of the workspace", text, &expected);
            })
        };
        texts.iter().map(parse).filter_map(Result::ok).collect()
    };
    let changes = patterns("changes", &raw.changes);
    let creates = patterns("creates", &raw.creates);
    if raw.reversible && raw.changes.is_empty() && raw.creates.is_empty() {
        wrong(
            "changes",
            "an action that can be taken back has to name the files that it changes",
            "none",
            "at least one file or pattern",
        );
    }
    match level {
        Some(level) if problems.is_empty() => Ok(Declared {
            name: raw.name,
            level,
            argv: raw.argv,
            directory,
            environment: raw.environment,
            timeout_seconds,
            changes,
            creates,
            reversible: raw.reversible,
            cooldown_seconds: raw.cooldown_seconds,
        }),
        _ => Err(problems),
    }
}

fn is_name(name: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_';
    let begins = name.as_bytes().first().is_some_and(u8::is_ascii_lowercase);
    begins && name.len() <= 64 && name.bytes().all(plain)
}

/// What is wrong with a variable's name, and what was expected.
fn check_variable(name: &str) -> Result<(), (&'static str, &'static str)> {
    // Whoever has the key of the record can write one.
    if name.starts_with("POLICY_AUDIT_SECRET") {
        return Err((
            "no action may have the key of the record",
            "another variable",
        ));
    }
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
    if !name.is_empty() && name.len() <= 256 && name.bytes().all(plain) {
        return Ok(());
    }
    Err(("this can't be a variable's name", "letters, digits and `_`"))
}

const HELP: &str = "mend the document; nothing is planned or applied from one that has a problem";

fn malformed(error: &serde_json::Error) -> Diagnostic {
    let place = Place::line(FILE, error.line() as u64).column(error.column().max(1) as u64);
    let code = match error.classify() {
        serde_json::error::Category::Data => Code::ValueType,
        _ => Code::JsonSyntax,
    };
    Diagnostic::new(code, place, "the declared responses can't be read")
        .found(error.to_string())
        .expected("`{\"schema\": 1, \"actions\": [{\"name\": …, \"level\": …, \"argv\": […]}]}`")
        .help(HELP)
}

fn problem(path: &str, message: &str, found: &str, expected: &str) -> Diagnostic {
    Diagnostic::new(Code::ValueRange, Place::file(FILE).path(path), message)
        .found(found)
        .expected(expected)
        .help(HELP)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn paths(document: &str) -> Vec<String> {
        let problems = parse(document.as_bytes()).unwrap_err();
        problems
            .into_iter()
            .map(|problem| problem.place.path.unwrap_or_default())
            .collect()
    }

    #[test]
    fn a_short_declaration_has_sensible_defaults() {
        let document =
            r#"{"schema":1,"actions":[{"name":"page","level":"RED","argv":["/bin/true"]}]}"#;
        let responses = parse(document.as_bytes()).unwrap();
        assert!(responses.builtin);
        let action = responses.actions.first().unwrap();
        assert_eq!((action.timeout_seconds, action.cooldown_seconds), (300, 0));
        assert!(!action.reversible && action.changes.is_empty());
    }

    #[test]
    fn every_problem_is_told_with_its_place() {
        let document = r#"{"schema":2,"actions":[
            {"name":"Rm","level":"GREEN","argv":[],"directory":"../x","environment":["A B"],
             "timeout_seconds":0,"changes":["state/x"],"cooldown_seconds":99999999},
            {"name":"integrity_check","level":"RED","argv":["a"]},
            {"name":"twice","level":"RED","argv":["a"],"reversible":true},
            {"name":"twice","level":"RED","argv":["a"]}]}"#;
        assert_eq!(
            paths(document),
            [
                "$.schema",
                "$.actions[0].name",
                "$.actions[0].level",
                "$.actions[0].argv",
                "$.actions[0].directory",
                "$.actions[0].environment",
                "$.actions[0].timeout_seconds",
                "$.actions[0].cooldown_seconds",
                "$.actions[0].changes",
                "$.actions[1].name",
                "$.actions[2].changes",
                "$.actions[3].name"
            ]
        );
    }

    #[test]
    fn what_is_no_such_document_is_refused_with_its_line() {
        for document in [
            "",
            "{",
            "[]",
            "null",
            r#"{"schema":1,"shell":"rm"}"#,
            r#"{"schema":1,"actions":[{"name":"a","level":"RED","argv":"rm -rf"}]}"#,
        ] {
            let problems = parse(document.as_bytes()).unwrap_err();
            assert!(problems.first().unwrap().place.line.is_some(), "{document}");
        }
    }
}
