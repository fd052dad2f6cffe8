//! P-3, Execution Safety: is nothing carried out unless somebody asked for it, and does every record
//! of what was carried out say what was there before and after?

use std::collections::BTreeSet;

use serde::Deserialize;
use serde_json::Value;

use super::{Ground, Test};
use crate::diagnostic::Checked;
use crate::policy::Level;
use crate::record::ledger::{self, Entry};
use crate::record::{LOOK_BACK, RESPONSE_JOURNAL, RESPONSE_LOG};
use crate::response::facts::{self, Depth, Question, Survey, Wanted};
use crate::response::gates::{self, ApproverFact, Facts, Unattended};
use crate::signals::DEFAULT_LIMIT;

/// What is tested.
pub const TESTS: &[(&str, &str)] = &[
    (
        "manual_by_default",
        "the gates refuse an apply that nobody watches and nobody switched on, for the plan that RED calls for",
    ),
    (
        "dry_run_and_approver",
        "they refuse it too where it is switched on and has no dry run of this plan, and no approver",
    ),
    (
        "applies_recorded",
        "every action in the journal of responses has a begun response and an intent before it, and digests of its files before and after",
    ),
    (
        "applies_gated",
        "every apply in the log of responses passed its gates",
    ),
];

pub(super) fn tests(ground: &Ground<'_>) -> Vec<Test> {
    let mut tests = gated(ground);
    tests.push(match recorded(ground) {
        Ok(Ok(test) | Err(test)) => test,
        Err(finding) => Test::found(
            "applies_recorded",
            "the journal of responses does not hold",
            &finding,
        ),
    });
    tests.push(match passed(ground) {
        Ok(Ok(test) | Err(test)) => test,
        Err(finding) => Test::found(
            "applies_gated",
            "the log of responses can't be read",
            &finding,
        ),
    });
    tests
}

/// The gates of an apply that nobody watches, of the plan that RED calls for in this workspace.
fn gated(ground: &Ground<'_>) -> Vec<Test> {
    const MANUAL: &str = "manual_by_default";
    const DRY: &str = "dry_run_and_approver";
    let question = Question {
        workspace: ground.workspace,
        at: ground.at,
        wanted: Wanted::Level(&Level::RED),
        only: None,
        forced: None,
        again: None,
        unattended: Some(None),
        other_apply: None,
        unsettleable: None,
        depth: Depth::End,
        limit: DEFAULT_LIMIT,
        key: ground.key(),
        production: ground.production,
        user: ground.user,
        override_id: None,
    };
    let (plan, facts) = match facts::survey(&question) {
        Ok(Survey::Planned(planned)) => *planned,
        Ok(_) => {
            return [MANUAL, DRY]
                .map(|name| Test::pass(name, "RED calls for no action here"))
                .to_vec();
        }
        Err(finding) => {
            return vec![Test::found(
                MANUAL,
                "the declared responses can't be used",
                &finding,
            )];
        }
    };
    let actions = plan.actions.len();
    let switched_on = Facts {
        unattended: Some(Unattended {
            switch: Some("true".to_owned()),
            preview: Ok(None),
        }),
        approver: Ok(ApproverFact::Missing("nobody was asked".to_owned())),
        ..facts.clone()
    };
    vec![
        refuses(MANUAL, &facts, &["auto_apply"], actions),
        refuses(DRY, &switched_on, &["preview", "approver"], actions),
    ]
}

/// A test that holds where these gates are closed, and there is no permit.
fn refuses(name: &'static str, facts: &Facts, expected: &[&str], actions: usize) -> Test {
    let gates = gates::evaluate(facts);
    let is_closed = |wanted: &&str| {
        let mut gates = gates.iter();
        gates.any(|gate| gate.name == *wanted && !gate.open)
    };
    let open: Vec<&str> = expected
        .iter()
        .copied()
        .filter(|name| !is_closed(name))
        .collect();
    if !open.is_empty() || gates::permit(&gates).is_some() {
        let detail = format!("open: {}", open.join(", "));
        return Test::fail(name, "an apply would not be refused", detail)
            .remedy("this is a fault of the program: apply nothing with it, and report it");
    }
    Test::pass(
        name,
        format!(
            "a plan of {actions} actions is refused by {}",
            expected.join(", ")
        ),
    )
}

/// What a line of the journal of responses says of an action.
#[derive(Deserialize)]
struct Line {
    #[serde(default)]
    event: String,
    #[serde(default)]
    id: String,
    #[serde(default)]
    action: Option<String>,
    #[serde(default)]
    reversible: bool,
    #[serde(default)]
    pre: Option<String>,
    #[serde(default)]
    post: Option<String>,
    #[serde(default)]
    kept: Option<String>,
    #[serde(default)]
    result: Value,
}

/// What is wrong with a line, after those before it.
#[derive(Default)]
struct Walk {
    begun: BTreeSet<String>,
    /// Response and action, and whether files of it were looked at before.
    intended: BTreeSet<(String, String, bool)>,
    executed: u64,
}

impl Walk {
    fn take(&mut self, line: Line) -> Option<String> {
        let action = line.action.unwrap_or_default();
        let told = |what: &str| Some(format!("response {}, action {action}: {what}", line.id));
        match line.event.as_str() {
            "response_begun" => {
                self.begun.insert(line.id);
                None
            }
            "intent" if !self.begun.contains(&line.id) => told("intended and never begun"),
            "intent" if line.reversible && line.kept.is_none() => {
                told("it can be taken back, and nothing was kept")
            }
            "intent" => {
                self.intended.insert((line.id, action, line.pre.is_some()));
                None
            }
            "workflow_exec" => {
                self.executed += 1;
                let intent = |looked: bool| (line.id.clone(), action.clone(), looked);
                let looked = self.intended.contains(&intent(true));
                if !looked && !self.intended.contains(&intent(false)) {
                    return told("carried out without an intent");
                }
                let started = line.result.get("started") != Some(&Value::Bool(false));
                let lacks = line.pre.is_none() || line.post.is_none();
                if looked && started && lacks {
                    return told("no digest of its files before and after");
                }
                None
            }
            _ => None,
        }
    }
}

fn recorded(ground: &Ground<'_>) -> Checked<Result<Test, Test>> {
    const NAME: &str = "applies_recorded";
    let (mut walk, mut wrong) = (Walk::default(), None);
    ledger::each_verified(ground.workspace, RESPONSE_JOURNAL, ground.key(), |entry| {
        match entry {
            Entry::Reseal => {
                walk = Walk {
                    executed: walk.executed,
                    ..Walk::default()
                }
            }
            Entry::Line(bytes) => {
                let Ok(line) = serde_json::from_slice::<Line>(bytes) else {
                    return false;
                };
                let found = walk.take(line);
                wrong = wrong.take().or(found);
            }
        }
        true
    })?;
    Ok(match wrong {
        Some(what) => Err(Test::fail(NAME, "an apply is not recorded in full", what)
            .about(RESPONSE_JOURNAL)
            .remedy("find out what wrote that line; `policy-orchestrator undo list` shows what can be taken back")),
        None => Ok(Test::pass(
            NAME,
            format!("{} actions were carried out, each recorded in full", walk.executed),
        )),
    })
}

fn passed(ground: &Ground<'_>) -> Checked<Result<Test, Test>> {
    const NAME: &str = "applies_gated";
    #[derive(Deserialize)]
    struct Applied {
        response_id: String,
        mode: String,
        safety_gates_passed: bool,
        blocked: bool,
    }
    let (mut count, mut ungated) = (0, None);
    ledger::back(ground.workspace, RESPONSE_LOG, |line| {
        if let Ok(line) = serde_json::from_slice::<Applied>(line)
            && line.mode == "apply"
            && !line.blocked
        {
            count += 1;
            if !line.safety_gates_passed {
                ungated = Some(line.response_id);
            }
        }
        ungated.is_none() && count < LOOK_BACK
    })?;
    Ok(match ungated {
        Some(id) => Err(Test::fail(
            NAME,
            "an apply did not pass its gates",
            format!("response {id}"),
        )
        .about(RESPONSE_LOG)
        .remedy("find out who applied it, and undo it")),
        None => Ok(Test::pass(
            NAME,
            format!("{count} applies passed their gates"),
        )),
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn wrong(lines: &[Value]) -> Option<String> {
        let mut walk = Walk::default();
        let mut lines = lines.iter();
        lines.find_map(|line| walk.take(serde_json::from_value(line.clone()).unwrap()))
    }

    /// S0-040, S0-041: what makes the record of an apply whole.
    #[test]
    fn an_apply_is_recorded_in_full_or_not() {
        let begun = json!({"event": "response_begun", "id": "r"});
        let intent = json!({"event": "intent", "id": "r", "action": "a", "reversible": true, "pre": "1", "kept": "2"});
        let done = json!({"event": "workflow_exec", "id": "r", "action": "a", "pre": "1", "post": "3", "result": {"started": true}});
        let without = |line: &Value, key: &str| {
            let mut line = line.clone();
            line.as_object_mut().unwrap().remove(key);
            line
        };
        assert_eq!(wrong(&[begun.clone(), intent.clone(), done.clone()]), None);
        let table = [
            (vec![intent.clone()], "never begun"),
            (vec![begun.clone(), done.clone()], "without an intent"),
            (
                vec![begun.clone(), without(&intent, "kept")],
                "nothing was kept",
            ),
            (
                vec![begun.clone(), intent.clone(), without(&done, "post")],
                "no digest",
            ),
            (
                vec![begun.clone(), intent.clone(), without(&done, "pre")],
                "no digest",
            ),
        ];
        for (lines, said) in table {
            assert!(wrong(&lines).unwrap().contains(said), "{said}");
        }
        // One that looks at no files has none to tell of, and one that was not started changed none.
        let blind = without(&without(&intent, "pre"), "kept");
        let blind = json!({"event": "intent", "id": "r", "action": "a", "index": blind["index"]});
        let told = without(&without(&done, "pre"), "post");
        assert_eq!(wrong(&[begun.clone(), blind, told]), None);
        let mut unstarted = without(&done, "post");
        unstarted["result"]["started"] = json!(false);
        assert_eq!(wrong(&[begun, intent, unstarted]), None);
    }
}
