//! Actions that a workspace declares of its own: `policy/responses.json`, or `spec.responses` of its
//! policy document.
//!
//! Read here, whole: every problem is told, and a document with one is not used, so that nothing is
//! applied from a list that nobody can read. Where both are there, neither is used: nobody can say
//! which one was meant. What an action may be is checked in [`check`].

mod check;

use serde::{Deserialize, Serialize};

use super::pattern::Pattern;
use crate::diagnostic::{Code, Diagnostic, Place};
use crate::fs::Workspace;
use crate::fs::read::read_own;
use crate::policy::document::{self, Loaded};
use crate::policy::responses::{self, Action, Section, Shape};
use crate::policy::source;
use crate::policy::source::collect::{self, Field, List, State};
use crate::policy::{Level, Policy};

pub use crate::policy::responses::TIMEOUT;

/// The document beside the policy, relative to the workspace.
pub const FILE: &str = "policy/responses.json";

/// A larger document is none.
const LIMIT: u64 = 64 * 1024;

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

/// The document beside the policy as it is written. Its levels are the built-in ones: others stand in
/// a policy document, which has room for their actions too.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Beside {
    schema: Field<f64>,
    builtin: Field<bool>,
    actions: List<Action>,
}

/// The policy document at one moment, and what is declared under it: read once, for whoever asks
/// for its levels, its responses and its freeze windows.
#[derive(Debug)]
pub struct InForce {
    /// The policy.
    pub policy: Loaded,
    /// The responses, or all that is wrong with them.
    pub responses: Result<Responses, Vec<Diagnostic>>,
}

impl InForce {
    /// Reads both.
    pub fn load(workspace: &Workspace) -> Self {
        let policy = document::load(workspace);
        let responses = load(workspace, &policy);
        Self { policy, responses }
    }
}

/// Reads what a workspace declares under a policy document that was read; without a declaration
/// there are the native actions alone. Fails with every problem that it has.
pub fn load(workspace: &Workspace, loaded: &Loaded) -> Result<Responses, Vec<Diagnostic>> {
    let beside = read_own(workspace, FILE, LIMIT).map_err(|problem| vec![*problem])?;
    // What a refused document declares, nobody knows. Where it declares nothing, a gate stays closed.
    if loaded.policy.is_refused() && may_declare(loaded) {
        return Err(loaded.problems.clone());
    }
    match (beside, loaded.policy.responses()) {
        (None, None) => Ok(Responses::default()),
        (Some(bytes), None) => parse(&bytes),
        (None, Some(section)) => of(section, Vec::new()),
        (Some(_), Some(section)) => Err(vec![ambiguous(section)]),
    }
}

/// True where responses stand in a document that was refused, or perhaps do.
fn may_declare(loaded: &Loaded) -> bool {
    let Some(file) = loaded.file.filter(|file| *file != document::SMALL_FORM) else {
        return false;
    };
    match source::parse(file, loaded.policy.document()) {
        Ok(Some(root)) => responses::may_stand_in(&root),
        Ok(None) => false,
        Err(_) => true,
    }
}

/// What is wrong with the responses that a policy declares: none of it concerns the decision, all of
/// it what is planned.
pub fn check(policy: &Policy) -> Vec<Diagnostic> {
    let section = policy.responses().map(|section| of(section, Vec::new()));
    section.and_then(Result::err).unwrap_or_default()
}

/// The responses that a policy declares; `None` where it says nothing of them.
pub fn of_policy(policy: &Policy) -> Result<Option<Responses>, Vec<Diagnostic>> {
    let section = policy.responses();
    section.map(|section| of(section, Vec::new())).transpose()
}

/// What is to be said where a workspace has the document beside the policy, and its policy declares
/// responses too.
pub fn ambiguity(workspace: &Workspace, policy: &Policy) -> Option<Diagnostic> {
    let section = policy.responses()?;
    // One that can't be read is there all the same.
    let there = !matches!(read_own(workspace, FILE, LIMIT), Ok(None));
    there.then(|| ambiguous(section))
}

/// Parses and checks the document beside the policy.
pub fn parse(bytes: &[u8]) -> Result<Responses, Vec<Diagnostic>> {
    let bare = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    // The tree is read as YAML is; this document is JSON and nothing else.
    serde_json::from_slice::<serde::de::IgnoredAny>(bare)
        .map_err(|error| vec![malformed(&error)])?;
    let root = match source::parse(FILE, bare) {
        Ok(Some(root)) => root,
        Ok(None) => return Err(vec![nothing()]),
        Err(error) => return Err(vec![*error]),
    };
    let mut problems = Vec::new();
    let document: Field<Beside> = collect::read(FILE, &root, &mut problems);
    let Field { state, spot, path } = document;
    let State::Good(beside) = state else {
        return Err(problems);
    };
    problems.extend(version(&beside.schema, || spot.place(FILE, &path)));
    let shape = Field {
        state: State::Good(Shape {
            builtin: beside.builtin,
            actions: beside.actions,
        }),
        spot,
        path,
    };
    let section = Section::new(FILE, shape, [Level::YELLOW, Level::RED]);
    problems.extend(section.problems());
    of(&section, problems)
}

/// The responses of a section, where nothing is wrong with them and there were no problems before.
fn of(section: &Section, mut problems: Vec<Diagnostic>) -> Result<Responses, Vec<Diagnostic>> {
    let actions = check::actions(section, &mut problems);
    if problems.is_empty() {
        return Ok(Responses {
            builtin: section.builtin(),
            actions,
        });
    }
    problems.sort_by_key(|problem| (problem.place.line, problem.place.column));
    Err(problems)
}

const HELP: &str = "mend the document; nothing is planned or applied from one that has a problem";

/// The document in short, for whoever wrote something else.
const FORM: &str = "`{\"schema\": 1, \"actions\": [{\"name\": …, \"level\": …, \"argv\": […]}]}`";

fn malformed(error: &serde_json::Error) -> Diagnostic {
    let place = Place::line(FILE, error.line() as u64).column(error.column().max(1) as u64);
    let message = error.to_string();
    // The place tells where.
    let what = message.split(" at line ").next().unwrap_or(&message);
    Diagnostic::new(
        Code::JsonSyntax,
        place,
        "the declared responses can't be read",
    )
    .found(what)
    .expected(FORM)
    .help(HELP)
}

fn nothing() -> Diagnostic {
    Diagnostic::new(
        Code::ValueType,
        Place::line(FILE, 1).column(1),
        "the declared responses can't be read",
    )
    .found("nothing")
    .expected(FORM)
    .help(HELP)
}

fn version(schema: &Field<f64>, here: impl FnOnce() -> Place) -> Option<Diagnostic> {
    const MESSAGE: &str = "the document is of a version that nobody here knows";
    let finding = match schema.get() {
        None if schema.is_absent() => Diagnostic::new(Code::KeyMissing, here(), MESSAGE)
            .found("no `schema`")
            .help("add `\"schema\": 1`"),
        Some(number) if (*number - 1.0).abs() > 0.0 => {
            let place = schema.spot.place(FILE, &schema.path);
            Diagnostic::new(Code::ValueRange, place, MESSAGE)
                .found(number.to_string())
                .help(HELP)
        }
        _ => return None,
    };
    Some(finding.expected("1"))
}

fn ambiguous(section: &Section) -> Diagnostic {
    let Field { spot, path, .. } = &section.shape;
    Diagnostic::new(
        Code::PolicyAmbiguous,
        spot.place(&section.file, path),
        "responses are declared in two documents, and nobody can say which ones count",
    )
    .found(format!("`spec.responses` in {} and {FILE}", section.file))
    .expected("one of them; until then nothing is planned or applied")
    .help(format!(
        "move the actions of {FILE} into `spec.responses` and remove it, or remove the section"
    ))
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
                "$.actions[0].environment[0]",
                "$.actions[0].timeout_seconds",
                "$.actions[0].changes[0]",
                "$.actions[0].cooldown_seconds",
                "$.actions[1].name",
                "$.actions[2].reversible",
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
            " ",
            r#""text""#,
            r#"{"actions":[]}"#,
            r#"{"schema":"1"}"#,
            "schema: 1\nactions: []\n",
            r#"{"schema":1,"shell":"rm"}"#,
            r#"{"schema":1,"actions":[{"name":"a","level":"RED","argv":"rm -rf"}]}"#,
        ] {
            let problems = parse(document.as_bytes()).unwrap_err();
            assert!(problems.first().unwrap().place.line.is_some(), "{document}");
        }
    }
}
