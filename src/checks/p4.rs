//! P-4, Observability: do the components work, are there figures, and can what was done be traced?

use serde_json::Value;

use super::health::{self, Components, State};
use super::{Ground, Test};
use crate::diagnostic::Checked;
use crate::record::ledger::{self, Entry};
use crate::record::{RESPONSE_JOURNAL, RESPONSE_LOG, STATE_JOURNAL};

/// What is tested.
pub const TESTS: &[(&str, &str)] = &[
    (
        "health",
        "record, Vault, signing key and storage: none that is set up fails",
    ),
    (
        "metrics",
        "a metrics file in the text form of Prometheus is there and counts workflow runs, role changes and signatures",
    ),
    (
        "traceable",
        "every decision has its number, and every response and each of its actions the id of its run",
    ),
];

/// The counters that have to be there (S0-047).
const COUNTERS: [&str; 3] = [
    "workflow_runs_total",
    "role_changes_total",
    "p2_signatures_total",
];

pub(super) fn tests(ground: &Ground<'_>) -> Vec<Test> {
    let traced = traceable(ground)
        .unwrap_or_else(|finding| Test::found("traceable", "a journal does not hold", &finding));
    vec![of_health(&components(ground)), metrics(ground), traced]
}

/// The components as they are now.
pub fn components(ground: &Ground<'_>) -> Components {
    health::look(ground, ground.vault_is_named)
}

/// The first lines of the metrics, where they can be told (S0-049b).
pub fn metrics_head(ground: &Ground<'_>) -> Option<String> {
    const HEAD: usize = 50;
    let text = ground.metrics.as_ref().ok()?;
    let lines = text.lines().take(HEAD).map(|line| format!("{line}\n"));
    Some(lines.collect())
}

fn of_health(components: &Components) -> Test {
    const NAME: &str = "health";
    let told = components.each().map(|(name, component)| {
        let word = match component.status {
            State::Ok => "ok",
            State::Absent => "absent",
            State::Failed => "failed",
        };
        format!("{name} {word}")
    });
    let told = told.join(", ");
    let mut all = components.each().into_iter();
    let Some((name, failed)) = all.find(|(_, component)| component.status == State::Failed) else {
        return Test::pass(NAME, told);
    };
    let detail = format!("{told}; {name}: {}", failed.detail);
    let remedy = failed.remedy.clone().unwrap_or_default();
    // A broken record is nothing that infrastructure explains.
    if name == "db" {
        return Test::fail(NAME, "the record does not hold", detail).remedy(remedy);
    }
    Test::blocked(NAME, &format!("{name} unavailable"), detail).remedy(remedy)
}

fn metrics(ground: &Ground<'_>) -> Test {
    const NAME: &str = "metrics";
    let text = match ground.metrics {
        Ok(text) => text,
        Err(finding) => return Test::found(NAME, "the metrics can't be told", finding),
    };
    match missing_counter(text) {
        Ok(samples) => Test::pass(NAME, format!("`metrics` tells {samples} samples")),
        Err(why) => Test::fail(NAME, "the metrics are incomplete", why),
    }
}

/// How many samples a text in the form of Prometheus holds, or what is wrong with it.
fn missing_counter(text: &str) -> Result<usize, String> {
    let lines = text.lines().map(str::trim);
    let samples = lines.filter(|line| !line.is_empty() && !line.starts_with('#'));
    let mut names = Vec::new();
    for sample in samples {
        let end = sample.find(['{', ' ']).unwrap_or(sample.len());
        let (name, rest) = sample.split_at(end);
        let value = rest.rsplit_once('}').map_or(rest, |(_, value)| value);
        let value = value.split_whitespace().next();
        let is_number = value.is_some_and(|value| {
            matches!(value, "NaN" | "+Inf" | "-Inf") || value.parse::<f64>().is_ok()
        });
        let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | ':');
        if name.is_empty() || !name.chars().all(plain) || !is_number {
            return Err("a line is no sample".to_owned());
        }
        names.push(name);
    }
    // A product puts its name before those of its counters.
    let has = |counter: &&str| names.iter().any(|name| name.ends_with(counter));
    match COUNTERS.iter().find(|counter| !has(counter)) {
        Some(counter) => Err(format!("no sample of {counter}")),
        None => Ok(names.len()),
    }
}

/// By which member a line of each journal is traced.
const TRACED: [(&str, &str); 3] = [
    (STATE_JOURNAL, "seq"),
    (RESPONSE_JOURNAL, "standing"),
    (RESPONSE_LOG, "response_id"),
];

fn traceable(ground: &Ground<'_>) -> Checked<Test> {
    const NAME: &str = "traceable";
    let (mut lines, mut untraced) = (0_u64, None);
    for (file, member) in TRACED {
        let mut number = 0_u64;
        let each = |entry: Entry<'_>| {
            number += 1;
            if let Entry::Line(bytes) = entry {
                lines += 1;
                let line: Value = serde_json::from_slice(bytes).unwrap_or_default();
                if !is_traced(&line, member) && untraced.is_none() {
                    untraced = Some(format!("{file}, chained line {number}"));
                }
            }
            true
        };
        if file == STATE_JOURNAL {
            decisions(ground, each)?;
        } else {
            ledger::each_verified(ground.workspace, file, ground.key(), each)?;
        }
    }
    Ok(match untraced {
        Some(place) => Test::fail(NAME, "a line can't be traced", place),
        None => Test::pass(
            NAME,
            format!("{lines} lines have the id of what they belong to"),
        ),
    })
}

/// The lines of decisions that are there, from the last one back: their chain is P-2's business.
fn decisions(ground: &Ground<'_>, mut each: impl FnMut(Entry<'_>) -> bool) -> Checked<()> {
    ledger::back(ground.workspace, STATE_JOURNAL, |line| {
        // Lines of a plain log from before there was a chain have no number.
        let chained = memchr::memmem::find(line, b"\"prev\":").is_some();
        !chained || each(Entry::Line(line))
    })
}

fn is_traced(line: &Value, member: &str) -> bool {
    let is_there = |name: &str| line.get(name).is_some_and(|value| !value.is_null());
    let names_action = matches!(
        line.get("event").and_then(Value::as_str),
        Some("response_begun" | "intent" | "workflow_exec")
    );
    is_there(member) && (!names_action || is_there("id"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn metrics_have_to_hold_the_counters_and_nothing_that_is_no_sample() {
        let text = "# HELP x y\nworkflow_runs_total 1\nrole_changes_total{kind=\"a b\"} 2 1700\npo_p2_signatures_total NaN\n";
        assert_eq!(missing_counter(text), Ok(3));
        let lacking = text.replace("role_changes", "other");
        assert_eq!(
            missing_counter(&lacking),
            Err("no sample of role_changes_total".to_owned())
        );
        for odd in [
            "workflow_runs_total",
            "workflow_runs_total x",
            "<html> 1",
            " {} 1",
        ] {
            assert!(missing_counter(&format!("{text}{odd}\n")).is_err(), "{odd}");
        }
    }

    #[test]
    fn a_line_is_traced_by_its_member_and_an_action_by_its_id() {
        use serde_json::json;
        assert!(is_traced(&json!({"seq": 1}), "seq"));
        assert!(!is_traced(&json!({"seq": null}), "seq"));
        assert!(is_traced(
            &json!({"event": "brake_reset", "standing": {}}),
            "standing"
        ));
        assert!(!is_traced(
            &json!({"event": "intent", "standing": {}}),
            "standing"
        ));
    }
}
