//! Fixtures: requests with the answers that they have to get, and what no fixture covers.
//!
//! `policy/fixtures/inputs/NAME.json` is a request as it would be asked, and
//! `policy/fixtures/expected/NAME.decision.json` its answer: decision, label, obligations, reason codes and
//! alternatives, compared whole. `circumstances` beside them name time and level, where they matter. Who
//! decides is an argument, so that the gate and the program that answers use one decision.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::{Map, Value};

use super::vocabulary::{Exception, Label, Labels, Reason, Rule, RuleEffect};
use crate::diagnostic::{Code, Diagnostic, Place};
use crate::fs::Workspace;
use crate::fs::read::read_own;
use crate::ids::ReasonCode;
use crate::policy::Level;
use crate::request::envelope::Circumstances;
use crate::request::{Envelope, Request, obligation};
use crate::time::Timestamp;

/// Where they stand in a workspace.
pub const DIRECTORY: &str = "policy/fixtures";

/// A larger file is none.
const LIMIT: u64 = 1024 * 1024;

/// What is compared.
const COMPARED: [&str; 5] = [
    "decision",
    "policy_label",
    "obligations",
    "reason_codes",
    "alternatives",
];

/// A request with the answer that it has to get.
#[derive(Debug, Clone, PartialEq)]
pub struct Fixture {
    /// Its name.
    pub name: String,
    /// The request.
    pub request: Request,
    /// The answer, member by member.
    pub expected: Map<String, Value>,
    /// Under what it is answered.
    pub around: Circumstances,
}

/// How a fixture came out.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Outcome {
    /// Its name.
    pub name: String,
    /// Was it answered as it has to be?
    pub passed: bool,
    /// What was not.
    pub differences: Vec<Difference>,
    /// Why it is denied, where it failed and the answer is a denial.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub denied: Vec<Denial>,
}

/// A reason of a denial: its stable code, and what to do about it in words that name nothing of the
/// request or the resource (row S2-089f).
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Denial {
    /// The code.
    pub reason_code: ReasonCode,
    /// The vocabulary's hint, or what the code means where it has none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
}

/// A member that came out otherwise.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Difference {
    /// The member.
    pub what: &'static str,
    /// What it has to be.
    pub expected: Value,
    /// What it is.
    pub found: Value,
}

/// Files by their names.
type Files = BTreeMap<String, Vec<u8>>;

/// Reads the fixtures below a directory of a workspace; `None` where there is no such directory.
pub fn load(
    workspace: &Workspace,
    directory: &str,
    labels: &Labels,
) -> Result<Option<Vec<Fixture>>, Vec<Diagnostic>> {
    let inputs = format!("{directory}/inputs");
    let expected = format!("{directory}/expected");
    if workspace.lacks(&inputs) && workspace.lacks(&expected) {
        return Ok(None);
    }
    let inputs = files(workspace, &inputs)?;
    let expected = files(workspace, &expected)?;
    parse(directory, &inputs, &expected, labels).map(Some)
}

fn files(workspace: &Workspace, directory: &str) -> Result<Files, Vec<Diagnostic>> {
    let mut files = Files::new();
    let one = |problem: Box<Diagnostic>| vec![*problem];
    for name in workspace.list(directory).map_err(one)? {
        let path = format!("{directory}/{name}");
        if let Some(bytes) = read_own(workspace, &path, LIMIT).map_err(one)? {
            files.insert(name, bytes);
        }
    }
    Ok(files)
}

/// Reads fixtures; tells everything that is wrong with them.
pub fn parse(
    directory: &str,
    inputs: &Files,
    expected: &Files,
    labels: &Labels,
) -> Result<Vec<Fixture>, Vec<Diagnostic>> {
    let mut problems = Vec::new();
    let mut fixtures = Vec::new();
    for (file, bytes) in inputs {
        let path = format!("{directory}/inputs/{file}");
        let Some(name) = file.strip_suffix(".json") else {
            problems.push(odd(&path, "an input is a file `NAME.json`", "another name"));
            continue;
        };
        let answer = format!("{name}.decision.json");
        let Some(answer_bytes) = expected.get(&answer) else {
            let message = "an input has no answer that it has to get";
            problems.push(odd(&path, message, &format!("no expected/{answer}")));
            continue;
        };
        let request = match Request::parse(bytes) {
            Ok(request) => request,
            Err(refused) => {
                problems.push(odd(&path, "this is no request", &refused.message));
                continue;
            }
        };
        let path = format!("{directory}/expected/{answer}");
        match read_expected(answer_bytes, labels) {
            Ok((around, expected)) => fixtures.push(Fixture {
                name: name.to_owned(),
                request,
                expected,
                around,
            }),
            Err(why) => problems.push(odd(&path, "the answer can't be used", &why)),
        }
    }
    for file in expected.keys() {
        let name = file.strip_suffix(".decision.json");
        if !name.is_some_and(|name| inputs.contains_key(&format!("{name}.json"))) {
            let path = format!("{directory}/expected/{file}");
            problems.push(odd(
                &path,
                "an answer belongs to no input",
                "no input of its name",
            ));
        }
    }
    if problems.is_empty() {
        Ok(fixtures)
    } else {
        Err(problems)
    }
}

fn odd(path: &str, message: &str, found: &str) -> Diagnostic {
    Diagnostic::new(Code::FixtureUnusable, Place::file(path), message)
        .found(found)
        .expected(
            "inputs/NAME.json with expected/NAME.decision.json beside it, as docs/labels.md shows",
        )
        .help("correct the fixture, or remove both of its files")
}

fn read_expected(
    bytes: &[u8],
    labels: &Labels,
) -> Result<(Circumstances, Map<String, Value>), String> {
    let value: Value = serde_json::from_slice(bytes).map_err(|error| error.to_string())?;
    let Value::Object(mut members) = value else {
        return Err("no JSON object".to_owned());
    };
    let around = circumstances(members.remove("circumstances").as_ref())?;
    if let Some(key) = members.keys().find(|key| !COMPARED.contains(&key.as_str())) {
        return Err(format!(
            "`{key}` is none of circumstances, {}",
            COMPARED.join(", ")
        ));
    }
    for needed in COMPARED.iter().take(4) {
        if !members.contains_key(*needed) {
            return Err(format!("`{needed}` is missing"));
        }
    }
    let decision = members.get("decision").and_then(Value::as_str);
    if !matches!(decision, Some("allow" | "deny")) {
        return Err("`decision` is neither `allow` nor `deny`".to_owned());
    }
    known_words(&members, labels)?;
    members
        .entry("alternatives")
        .or_insert_with(|| Value::Array(Vec::new()));
    Ok((around, members))
}

/// Words that no vocabulary has would make a fixture that tests nothing (row S2-010).
fn known_words(members: &Map<String, Value>, labels: &Labels) -> Result<(), String> {
    let label = members.get("policy_label").filter(|label| !label.is_null());
    if let Some(label) = label
        && label
            .as_str()
            .is_none_or(|label| labels.label(label).is_none())
    {
        return Err("`policy_label` is no label of the vocabulary".to_owned());
    }
    let list = |key: &str| {
        let list = members.get(key).and_then(Value::as_array);
        list.ok_or_else(|| format!("`{key}` is no list"))
    };
    for code in list("reason_codes")? {
        if code
            .as_str()
            .is_none_or(|code| labels.reason(code).is_none())
        {
            return Err(format!("{code} is no reason code of the vocabulary"));
        }
    }
    for one in list("obligations")? {
        let kind = one.get("type").and_then(Value::as_str).unwrap_or_default();
        let is_built_in = obligation::BUILT_IN.iter().any(|(known, _)| *known == kind);
        if labels.obligation(kind).is_none() && !is_built_in {
            return Err(format!("`{kind}` is no obligation of the vocabulary"));
        }
    }
    Ok(())
}

fn circumstances(given: Option<&Value>) -> Result<Circumstances, String> {
    let usual = "2026-01-15T12:00:00Z";
    let member = |key: &str| given.and_then(|given| given.get(key));
    let members = given.map(|given| given.as_object().map(Map::keys));
    let keys = match members {
        Some(None) => return Err("`circumstances` is no object".to_owned()),
        Some(Some(keys)) => keys.cloned().collect(),
        None => Vec::new(),
    };
    if let Some(key) = keys
        .iter()
        .find(|key| !["at", "level"].contains(&key.as_str()))
    {
        return Err(format!("`circumstances.{key}` is neither `at` nor `level`"));
    }
    let at = member("at").map_or(Some(usual), Value::as_str);
    let at = at
        .and_then(Timestamp::read)
        .ok_or("`circumstances.at` is no time")?;
    let level = match member("level") {
        None => Some(Level::GREEN),
        Some(Value::Null) => None,
        Some(name) => {
            let level = name.as_str().and_then(Level::parse);
            Some(level.ok_or("`circumstances.level` is no level")?)
        }
    };
    Ok(Circumstances::undisturbed(at.time, level))
}

/// Asks every fixture.
pub fn run(
    fixtures: &[Fixture],
    labels: &Labels,
    decide: &dyn Fn(&Request, &Circumstances) -> Envelope,
) -> Vec<Outcome> {
    let each = fixtures.iter();
    each.map(|fixture| {
        let answer = decide(&fixture.request, &fixture.around);
        let written = serde_json::to_value(&answer).unwrap_or_default();
        let differences = differences(&written, &fixture.expected);
        let passed = differences.is_empty();
        Outcome {
            name: fixture.name.clone(),
            passed,
            differences,
            denied: if passed || answer.is_allowed() {
                Vec::new()
            } else {
                denials(labels, answer.reason_codes)
            },
        }
    })
    .collect()
}

fn denials(labels: &Labels, codes: Vec<ReasonCode>) -> Vec<Denial> {
    let codes = codes.into_iter();
    codes
        .map(|reason_code| {
            let reason = labels.reason(reason_code.as_str());
            let hint = |one: &Reason| one.hint.clone().unwrap_or_else(|| one.meaning.clone());
            Denial {
                hint: reason.map(hint),
                reason_code,
            }
        })
        .collect()
}

fn differences(answer: &Value, expected: &Map<String, Value>) -> Vec<Difference> {
    let mut differences = Vec::new();
    for what in COMPARED {
        let empty = match what {
            "obligations" | "reason_codes" | "alternatives" => Value::Array(Vec::new()),
            _ => Value::Null,
        };
        let found = answer.get(what).cloned().unwrap_or_else(|| empty.clone());
        let expected = expected.get(what).cloned().unwrap_or(empty);
        if found != expected {
            differences.push(Difference {
                what,
                expected,
                found,
            });
        }
    }
    differences
}

/// What no fixture covers: labels, rules, what rules name, and exceptions (rows S2-014, S2-015, S2-082).
pub fn gaps(labels: &Labels, fixtures: &[Fixture]) -> Vec<Diagnostic> {
    let asked: Vec<Asked<'_>> = fixtures.iter().filter_map(Asked::of).collect();
    let mut gaps = Vec::new();
    for label in labels.labels() {
        if asked.iter().any(|one| one.label == label.name) {
            for rule in &label.rules {
                gaps.extend(gaps_of(labels, label, rule, &asked));
            }
        } else {
            let message = format!("the label `{}` has no fixture", label.name);
            gaps.push(gap(labels, label.line, message, "none"));
        }
    }
    let exceptions = labels.exceptions().iter();
    for exception in exceptions.filter(|exception| !has_fixture(exception, &asked)) {
        let message = format!("the exception `{}` has no fixture", exception.id);
        let found = format!(
            "no `{}` about its label and one of its principals",
            exception.fixture
        );
        gaps.push(gap(labels, exception.line, message, &found));
    }
    gaps
}

/// Every role and action that a rule names, without a fixture that gets the rule's answer.
fn gaps_of(labels: &Labels, label: &Label, rule: &Rule, asked: &[Asked<'_>]) -> Vec<Diagnostic> {
    let decision = match rule.effect {
        RuleEffect::Allow => "allow",
        RuleEffect::Deny => "deny",
    };
    let roles = labels.roles().iter().map(|role| role.name.as_str());
    let actions = labels.actions().iter().map(|action| action.name.as_str());
    let actions: Vec<&str> = actions.collect();
    let pairs = roles.flat_map(|role| actions.iter().map(move |action| (role, *action)));
    let named = pairs.filter(|(role, action)| rule.names(role, action));
    let missing = named.filter(|(role, action)| {
        !asked.iter().any(|one| {
            let about = (one.label, one.role, one.action, one.decision);
            about == (label.name.as_str(), *role, *action, decision)
        })
    });
    let found = format!("no fixture that gets `{decision}`");
    let told = missing.map(|(role, action)| {
        let id = &rule.id;
        let message = format!("the rule `{id}` has no fixture for `{role}` and `{action}`");
        gap(labels, rule.line, message, &found)
    });
    told.collect()
}

fn has_fixture(exception: &Exception, asked: &[Asked<'_>]) -> bool {
    asked.iter().any(|one| {
        one.name == exception.fixture
            && one.label == exception.label
            && exception
                .principals
                .iter()
                .any(|principal| principal == one.principal)
    })
}

fn gap(labels: &Labels, line: u64, message: String, found: &str) -> Diagnostic {
    let place = Place::line(&labels.file, line);
    Diagnostic::new(Code::FixtureMissing, place, message)
        .found(found)
        .expected("a rule that can't be tested is no policy")
        .help("add the fixture to policy/fixtures, with the whole answer that it has to get")
}

/// What a fixture asks for, as far as a rule can name it.
struct Asked<'f> {
    name: &'f str,
    principal: &'f str,
    label: &'f str,
    role: &'f str,
    action: &'f str,
    decision: &'f str,
}

impl<'f> Asked<'f> {
    fn of(fixture: &'f Fixture) -> Option<Self> {
        let request = &fixture.request;
        Some(Self {
            name: &fixture.name,
            principal: request.text(&["user", "principal"])?,
            label: request.text(&["resource", "policy_label"])?,
            role: request.text(&["user", "role"])?,
            action: request.text(&["action"])?,
            decision: fixture.expected.get("decision")?.as_str()?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn files(list: &[(&str, &str)]) -> Files {
        let each = list.iter();
        each.map(|(name, text)| ((*name).to_owned(), text.as_bytes().to_vec()))
            .collect()
    }

    #[test]
    fn what_is_wrong_with_fixtures_is_told() {
        let labels = Labels::built_in().unwrap();
        let inputs = files(&[
            ("a.json", "{}"),
            ("b.json", "[]"),
            ("c.txt", ""),
            ("d.json", "{}"),
            ("e.json", "{}"),
            ("f.json", "{}"),
        ]);
        let whole = r#"{"decision":"deny","policy_label":null,"obligations":[],"reason_codes":["DEFAULT_DENY"]"#;
        let expected = files(&[
            ("b.decision.json", "{}"),
            ("d.decision.json", &format!("{whole},\"colour\":1}}")),
            (
                "e.decision.json",
                &whole
                    .replace("DEFAULT_DENY", "NO_SUCH")
                    .replace("\"]", "\"]}"),
            ),
            (
                "f.decision.json",
                &format!("{whole},\"circumstances\":{{\"at\":\"soon\"}}}}"),
            ),
            ("g.decision.json", "{}"),
        ]);
        let problems = parse("policy/fixtures", &inputs, &expected, &labels).unwrap_err();
        let told: Vec<String> = problems
            .iter()
            .map(|one| {
                format!(
                    "{}: {}; {}",
                    one.place,
                    one.message,
                    one.found.as_deref().unwrap()
                )
            })
            .collect();
        insta::assert_snapshot!(told.join("\n"));
    }

    #[test]
    fn the_bundle_covers_the_table_and_a_new_label_is_a_gap() {
        let labels = Labels::built_in().unwrap();
        let workspace = Workspace::open(std::path::Path::new("examples/requests")).unwrap();
        let fixtures = load(&workspace, DIRECTORY, &labels).unwrap().unwrap();
        assert_eq!(gaps(&labels, &fixtures), []);
        let mut more = labels.clone();
        let mut label = more.table[0].clone();
        label.name = "partners".to_owned();
        more.table.push(label);
        let told = gaps(&more, &fixtures);
        assert_eq!(told.len(), 1);
        assert!(told[0].message.contains("`partners` has no fixture"));
        // A rule that no fixture gets an answer from is a gap as well.
        let fewer: Vec<Fixture> = fixtures
            .iter()
            .filter(|one| one.name != "public_export_public_dataset")
            .cloned()
            .collect();
        let told = gaps(&labels, &fewer);
        assert!(
            told.iter()
                .any(|one| one.message.contains("`public-export`")),
            "{told:?}"
        );
    }

    #[test]
    fn a_difference_shows_both_sides() {
        let labels = Labels::built_in().unwrap();
        let inputs = files(&[("a.json", "{}")]);
        let expected = files(&[(
            "a.decision.json",
            r#"{"decision":"allow","policy_label":null,"obligations":[],"reason_codes":["ALLOW_MATCHED_RULE"]}"#,
        )]);
        let fixtures = parse("f", &inputs, &expected, &labels).unwrap();
        let deny = |_: &Request, around: &Circumstances| {
            let verdict = crate::request::Verdict::deny(crate::request::codes::DEFAULT_DENY);
            Envelope::new(None, verdict, None, around)
        };
        let outcomes = run(&fixtures, &labels, &deny);
        assert!(!outcomes[0].passed);
        let denied: Vec<&str> = outcomes[0]
            .denied
            .iter()
            .map(|one| one.reason_code.as_str())
            .collect();
        assert_eq!(denied, ["DEFAULT_DENY"]);
        let hint = labels.reason("DEFAULT_DENY").unwrap().hint.clone();
        assert_eq!(outcomes[0].denied[0].hint, hint);
        let what: Vec<&str> = outcomes[0].differences.iter().map(|one| one.what).collect();
        assert_eq!(what, ["decision", "reason_codes"]);
    }
}
