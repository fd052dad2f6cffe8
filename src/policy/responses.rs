//! Responses as documents declare them: the shape, and what is wrong with it as far as the document
//! alone can tell.
//!
//! `spec.responses` of a policy document and `policy/responses.json` have this shape in common. What
//! an action may be called, run and change is checked by the room that makes actions of it.

use serde::Deserialize;

use super::Level;
use super::source::collect::{Field, List};
use super::source::{Kind, Node};
use crate::diagnostic::{Code, Diagnostic, suggestion};

/// How long an action may take where nobody says, in seconds (OR-05).
pub const TIMEOUT: u64 = 300;

/// What the levels call for, beside the program's own actions or instead of them.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[cfg_attr(test, schemars(deny_unknown_fields))]
#[serde(default, rename = "Responses")]
pub struct Shape {
    /// False leaves the program's own actions out; true where silent.
    pub builtin: Field<bool>,
    /// Actions of your own, in the order in which they run.
    pub actions: List<Action>,
}

/// An action: a program that is started where its level is decided.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[cfg_attr(test, schemars(deny_unknown_fields, extend("required" = ["name", "level", "argv"])))]
#[serde(default)]
pub struct Action {
    /// Its name, which records show: lower-case letters, digits and `_`, each once.
    pub name: Field<String>,
    /// The level that calls for it; any but GREEN.
    pub level: Field<String>,
    /// The program and its arguments, started as they are: no shell, no `*`, no `$`.
    pub argv: List<String>,
    /// Where it runs, inside the workspace; the workspace itself where silent.
    pub directory: Field<String>,
    /// The names of the variables that it gets, beside PATH, HOME, LANG, TZ and TMPDIR.
    pub environment: List<String>,
    /// It is ended after so many seconds: 1 to 86400; 300 where silent.
    pub timeout_seconds: Field<f64>,
    /// The files that it may change or make: paths with at most one `*`, in the file's name.
    pub changes: List<String>,
    /// The files that it may make and never changes.
    pub creates: List<String>,
    /// True where these files are kept before it runs, so that it can be undone.
    pub reversible: Field<bool>,
    /// It is left out where it succeeded within so many seconds: 0 to 2592000.
    pub cooldown_seconds: Field<f64>,
}

/// True where a document of the large form has responses, or is of no form in which one could say
/// that it has none.
pub fn may_stand_in(root: &Node) -> bool {
    let Kind::Map(document) = &root.kind else {
        return true;
    };
    let mut specs = document.iter().filter(|entry| entry.key == "spec");
    specs.any(|spec| match &spec.value.kind {
        Kind::Map(spec) => spec.iter().any(|entry| entry.key == "responses"),
        _ => true,
    })
}

/// Responses as they stand in a document.
#[derive(Debug, Clone, PartialEq)]
pub struct Section {
    /// The document, as findings name it.
    pub file: String,
    /// What stands there, and where.
    pub shape: Field<Shape>,
    /// The levels that can call for an action, the lower ones first.
    levels: Vec<Level>,
}

impl Section {
    /// Responses whose document has these levels; nothing is called for at GREEN.
    pub fn new(file: &str, shape: Field<Shape>, levels: impl IntoIterator<Item = Level>) -> Self {
        let above_green = |level: &Level| *level > Level::GREEN;
        Self {
            file: file.to_owned(),
            shape,
            levels: levels.into_iter().filter(above_green).collect(),
        }
    }

    /// The actions that are of the right shape, each with its place.
    pub fn actions(&self) -> impl Iterator<Item = (&Field<Action>, &Action)> {
        let list = self.shape.get().and_then(|shape| shape.actions.get());
        let fields = list.into_iter().flatten();
        fields.filter_map(|field| field.get().map(|action| (field, action)))
    }

    /// True where the program's own actions are planned too.
    pub fn builtin(&self) -> bool {
        let said = self.shape.get().and_then(|shape| shape.builtin.get());
        said.copied().unwrap_or(true)
    }

    /// The level of that name, where it can call for an action.
    pub fn level(&self, name: &str) -> Option<&Level> {
        self.levels.iter().find(|level| level.name() == name)
    }

    /// A finding at a value.
    pub fn finding<T>(&self, field: &Field<T>, code: Code, message: &str) -> Diagnostic {
        Diagnostic::new(code, field.spot.place(&self.file, &field.path), message)
    }

    /// What is missing, stands there twice or names no level.
    pub fn problems(&self) -> Vec<Diagnostic> {
        let mut problems = Vec::new();
        let mut names: Vec<&str> = Vec::new();
        for (field, action) in self.actions() {
            let there = [
                ("name", action.name.is_there()),
                ("level", action.level.is_there()),
                ("argv", action.argv.is_there()),
            ];
            let missing = there.iter().filter(|(_, is_there)| !is_there);
            problems.extend(missing.map(|(key, _)| self.missing(field, key)));
            problems.extend(self.unknown_level(&action.level));
            let Some(name) = action.name.get() else {
                continue;
            };
            if names.contains(&name.as_str()) {
                problems.push(self.twice(&action.name, name));
            }
            names.push(name);
        }
        problems
    }

    fn missing(&self, field: &Field<Action>, key: &str) -> Diagnostic {
        let message = format!("the key `{key}` is missing here");
        self.finding(field, Code::KeyMissing, &message)
            .found(format!("no `{key}`"))
            .expected("an action with `name`, `level` and `argv`")
            .help(format!("add `{key}`"))
    }

    fn unknown_level(&self, field: &Field<String>) -> Option<Diagnostic> {
        let name = field.get()?;
        if self.level(name).is_some() {
            return None;
        }
        let names: Vec<&str> = self.levels.iter().map(Level::name).collect();
        let finding = self.finding(
            field,
            Code::ValueUnknown,
            "no response is called for at this level",
        );
        Some(
            finding
                .found(format!("`{name}`"))
                .expected(format!("one of {}", names.join(", ")))
                .help(suggestion(name, names.iter().copied()).unwrap_or_else(|| {
                    "write one of these; a policy document declares further levels under `levels`, and their actions under `responses`".to_owned()
                })),
        )
    }

    fn twice(&self, field: &Field<String>, name: &str) -> Diagnostic {
        self.finding(field, Code::NameDuplicate, "two actions have the same name")
            .found(format!("`{name}`"))
            .expected("a name of its own for each")
            .help("rename one of the two")
    }
}

#[cfg(test)]
mod tests {
    use super::super::source;
    use super::*;

    #[test]
    fn a_document_declares_no_responses_only_where_that_can_be_seen() {
        let cases = [
            ("spec: {}", false),
            ("metadata: {}", false),
            ("spec: {signals: [{name: responses}]}", false),
            ("spec: {responses: {}}", true),
            ("spec: {responses: }", true),
            ("spec: {}\nspec: {responses: {}}", true),
            ("spec: []", true),
            ("- spec", true),
            ("text", true),
        ];
        for (text, expected) in cases {
            let root = source::parse("p.yaml", text.as_bytes()).unwrap().unwrap();
            assert_eq!(may_stand_in(&root), expected, "{text}");
        }
    }
}
