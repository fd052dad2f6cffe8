//! Metrics for a collector: their text, their counts, the rules and the dashboard made for them.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::process::Command;

use crate::workspace::{Ran, Workspace, fed};

fn project(name: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(name);
    std::fs::read_to_string(path).unwrap()
}

/// Debian's package `prometheus` has it.
fn promtool(arguments: &[&str], input: &str) -> Ran {
    let mut promtool = Command::new("promtool");
    promtool
        .args(arguments)
        .current_dir(env!("CARGO_MANIFEST_DIR"));
    fed(&mut promtool, input)
}

/// A sample: name, labels as they stand, value.
fn samples(text: &str) -> BTreeMap<String, f64> {
    let (mut told, mut all) = (BTreeMap::new(), BTreeMap::new());
    for line in text.lines() {
        if let Some(rest) = line.strip_prefix("# TYPE ") {
            let (name, kind) = rest.split_once(' ').unwrap();
            assert!(
                told.insert(name.to_owned(), kind.to_owned()).is_none(),
                "twice: {name}"
            );
            continue;
        }
        if line.starts_with('#') {
            continue;
        }
        let (sample, value) = line.rsplit_once(' ').unwrap();
        let name = sample.split('{').next().unwrap();
        let family = ["_total", "_sum", "_count", ""].iter().find_map(|suffix| {
            let name = name.strip_suffix(suffix)?;
            told.get(name)
                .or_else(|| told.get(&format!("{name}_total")))
        });
        assert!(family.is_some(), "no type before {line}");
        let value: f64 = value.parse().unwrap();
        assert!(value.is_finite() || value == f64::INFINITY, "{line}");
        assert!(
            all.insert(sample.to_owned(), value).is_none(),
            "twice: {sample}"
        );
    }
    all
}

fn names(samples: &BTreeMap<String, f64>) -> BTreeSet<String> {
    let name = |sample: &String| sample.split('{').next().unwrap().to_owned();
    samples.keys().map(name).collect()
}

/// A workspace of which every family has a sample.
fn busy() -> Workspace {
    let workspace = Workspace::healthy();
    workspace.program(&["run", "--metrics", "x.prom"]).exits(0);
    workspace.integrity("80");
    workspace.program(&["run", "--metrics", "x.prom"]).exits(0);
    workspace
}

#[test]
fn test_p4_metrics_exposes_workflow_counter() {
    let workspace = busy();
    let text = workspace.read("x.prom");
    promtool(&["check", "metrics"], &text).exits(0);
    let told = samples(&text);
    let is = |name: &str, value: f64| assert_eq!(told.get(name), Some(&value), "{name}\n{text}");
    is("workflow_runs_total", 2.0);
    is("role_changes_total", 0.0);
    is("p2_signatures_total", 0.0);
    is("policy_orchestrator_level{level=\"RED\"}", 1.0);
    is("policy_orchestrator_level{level=\"GREEN\"}", 0.0);
    is("policy_orchestrator_decisions_total{level=\"GREEN\"}", 1.0);
    is("policy_orchestrator_level_changes_total", 1.0);
    is(
        "policy_orchestrator_signal_value{signal=\"integrity\"}",
        80.0,
    );
    let of_red = "{trigger=\"INTEGRITY_BELOW_RED\",level=\"RED\",signal=\"integrity\"}";
    is(
        &format!("policy_orchestrator_trigger_threshold{of_red}"),
        90.0,
    );
    is(
        &format!("policy_orchestrator_trigger_margin{of_red}"),
        -10.0,
    );
    is(&format!("policy_orchestrator_trigger_firing{of_red}"), 1.0);
    is(
        "policy_orchestrator_journal_lines_total{journal=\"state/policy_state_log.jsonl\"}",
        2.0,
    );
    is("policy_orchestrator_gate_open{gate=\"kill_switch\"}", 1.0);
    is("policy_orchestrator_decision_known", 1.0);
}

#[test]
fn test_p6_latency_metric_recorded() {
    let told = samples(&busy().read("x.prom"));
    assert_eq!(
        told.get("policy_orchestrator_evaluation_duration_seconds_count"),
        Some(&2.0)
    );
    let (sum, last) = (
        told["policy_orchestrator_evaluation_duration_seconds_sum"],
        told["policy_orchestrator_last_evaluation_duration_seconds"],
    );
    assert!(sum > last && last > 0.0, "{sum} {last}");
    // An invalid input is read once more after the first wait: a run of over a second.
    let workspace = Workspace::healthy();
    workspace.forecast("bogus");
    let slow = ["run", "--retry-delays", "1.1", "--metrics", "x.prom"];
    workspace.program(&slow).exits(1);
    let told = samples(&workspace.read("x.prom"));
    assert_eq!(told.get("slow_query_total"), Some(&1.0));
    assert_eq!(
        told.get("policy_orchestrator_failed_decisions_total"),
        Some(&1.0)
    );
}

#[test]
fn counts_go_on_from_where_they_stood_and_are_made_again_from_the_journals() {
    let workspace = busy();
    let of_now = || {
        let all = samples(&workspace.program(&["metrics"]).exits(0).stdout);
        let counts = |name: &String| name.contains("_total") && !name.starts_with("slow");
        all.into_iter()
            .filter(|(name, _)| counts(name))
            .collect::<BTreeMap<_, _>>()
    };
    let kept = workspace.read("state/metrics.json");
    workspace.program(&["run"]).exits(0);
    let on = of_now();
    assert_eq!(on.get("workflow_runs_total"), Some(&3.0));
    // A look writes nothing.
    assert_eq!(workspace.read("state/metrics.json"), kept);
    for odd in [
        "",
        "{",
        "{\"schema\": 9}",
        &kept.replace("\"seq\": 2", "\"seq\": 1"),
    ] {
        workspace.write("state/metrics.json", odd);
        assert_eq!(of_now(), on, "{odd}");
    }
    std::fs::remove_file(workspace.file("state/metrics.json")).unwrap();
    assert_eq!(of_now(), on);
    // Only what was not counted yet is read: a count that is wrong stays so.
    workspace.write(
        "state/metrics.json",
        kept.replace("\"decisions/GREEN\": 1", "\"decisions/GREEN\": 7"),
    );
    assert_eq!(of_now().get("workflow_runs_total"), Some(&9.0));
    // Closing the journal loses none.
    std::fs::remove_file(workspace.file("state/metrics.json")).unwrap();
    workspace.program(&["audit", "rotate"]).exits(0);
    workspace.program(&["run"]).exits(0);
    assert_eq!(of_now().get("workflow_runs_total"), Some(&4.0));
}

#[test]
fn without_a_decision_that_can_be_trusted_no_level_is_told() {
    let workspace = busy();
    let log = workspace.read("state/policy_state_log.jsonl");
    workspace.write("state/policy_state_log.jsonl", log.replace("80", "99"));
    let ran = workspace
        .program(&["metrics", "--textfile", "x.prom"])
        .exits(5);
    assert!(ran.stderr.contains("error["), "{}", ran.stderr);
    let text = workspace.read("x.prom");
    promtool(&["check", "metrics"], &text).exits(0);
    let told = samples(&text);
    assert_eq!(told.get("policy_orchestrator_decision_known"), Some(&0.0));
    assert!(told["policy_orchestrator_record_problems"] > 0.0);
    assert!(!text.contains("policy_orchestrator_level{"), "{text}");
    // A run that can't go on says it in the same file.
    let empty = Workspace::empty();
    let ran = empty.program(&["metrics"]).exits(1);
    assert!(
        ran.stdout
            .contains("policy_orchestrator_decision_known 0\n"),
        "{}",
        ran.stdout
    );
}

#[test]
fn the_file_is_checked_before_and_lost_without_a_decision_lost() {
    let workspace = Workspace::healthy();
    for path in ["absent/x.prom", "state/x.prom", "."] {
        let ran = workspace.program(&["run", "--metrics", path]).exits(1);
        assert!(
            ran.stderr.contains("REPORT_REFUSED"),
            "{path}: {}",
            ran.stderr
        );
        workspace.program(&["metrics", "--textfile", path]).exits(1);
    }
    assert!(!workspace.file("state/policy_state_log.jsonl").exists());
    workspace
        .program(&["run", "--dry-run", "--metrics", "x.prom"])
        .exits(2);
    workspace.program(&["metrics", "--format", "json"]).exits(2);
    workspace
        .program(&["status", "--format", "prometheus"])
        .exits(2);
    // A directory in the place of the counts: the metrics can't be kept, the decision is.
    std::fs::create_dir_all(workspace.file("state/metrics.json/x")).unwrap();
    let ran = workspace
        .program(&["run", "--retry-delays", "0", "--metrics", "x.prom"])
        .exits(1);
    assert!(
        ran.stderr.contains("warning[REPORT_FAILED]"),
        "{}",
        ran.stderr
    );
    assert_eq!(ran.json()["policy"], "GREEN");
}

#[test]
fn open_metrics_ends_and_names_counters_without_total() {
    let workspace = busy();
    let text = workspace
        .program(&["metrics", "--format", "openmetrics"])
        .exits(0)
        .stdout;
    assert!(text.ends_with("\n# EOF\n"), "{text}");
    assert!(
        text.contains("# TYPE workflow_runs counter\nworkflow_runs_total 2\n"),
        "{text}"
    );
    samples(text.trim_end_matches("# EOF\n"));
}

#[test]
fn promtool_takes_the_rules_and_they_fire_when_they_should() {
    promtool(&["check", "rules", "metrics/alerts.rules.yml"], "").exits(0);
    promtool(&["test", "rules", "metrics/alerts.test.yml"], "").exits(0);
}

/// The names of metrics in a query: words that begin like ours, before `{`, `[`, a blank or an end.
fn asked(query: &str) -> BTreeSet<String> {
    let is_part = |letter: char| letter.is_ascii_alphanumeric() || letter == '_';
    let words = query.split(|letter| !is_part(letter));
    let ours = |word: &&str| word.starts_with("policy_orchestrator_") || word.ends_with("_total");
    words.filter(ours).map(str::to_owned).collect()
}

/// The dashboards with their uids (S1-011), and the uid that each leads to.
const DASHBOARDS: [(&str, &str, &str); 2] = [
    (
        "metrics/grafana.json",
        "policy_as_code_health",
        "policy_as_code_performance",
    ),
    (
        "metrics/grafana_performance.json",
        "policy_as_code_performance",
        "policy_as_code_health",
    ),
];

#[test]
fn the_dashboards_and_the_rules_ask_for_metrics_that_exist() {
    let workspace = busy();
    let text = workspace.read("x.prom");
    let mut known = names(&samples(&text));
    known.extend(names(&samples(
        &workspace.program(&["metrics"]).exits(0).stdout,
    )));
    let mut queries = Vec::new();
    for (file, uid, other) in DASHBOARDS {
        let dashboard: serde_json::Value = serde_json::from_str(&project(file)).unwrap();
        assert_eq!(dashboard["uid"], uid);
        assert_eq!(dashboard["links"][0]["url"], format!("/d/{other}"));
        for panel in dashboard["panels"].as_array().unwrap() {
            for target in panel["targets"].as_array().unwrap() {
                queries.push(target["expr"].as_str().unwrap().to_owned());
            }
        }
    }
    let rules = project("metrics/alerts.rules.yml");
    assert!(queries.len() > 25);
    let mut all: BTreeSet<String> = queries.iter().flat_map(|query| asked(query)).collect();
    assert!(all.contains("workflow_runs_total"));
    let of_rules = rules
        .lines()
        .filter(|line| !line.trim_start().starts_with('#'));
    all.extend(of_rules.flat_map(asked));
    let unknown: Vec<_> = all.difference(&known).collect();
    assert_eq!(unknown, Vec::<&String>::new());
    // And nothing is collected that nobody can see.
    let seen: BTreeSet<String> = queries.iter().flat_map(|query| asked(query)).collect();
    let unseen: Vec<_> = known.difference(&seen).collect();
    assert_eq!(unseen, Vec::<&String>::new());
    // Every query is one.
    let mut checked = String::from("groups:\n  - name: dashboard\n    rules:\n");
    for (index, query) in queries.iter().enumerate() {
        let query = query.replace("$instance", ".*");
        let query = serde_json::to_string(&query).unwrap();
        checked.push_str(&format!(
            "      - record: query_{index}\n        expr: {query}\n"
        ));
    }
    let path = workspace.file("dashboard.rules.yml");
    std::fs::write(&path, checked).unwrap();
    promtool(&["check", "rules", path.to_str().unwrap()], "").exits(0);
}

#[test]
fn every_metric_is_described() {
    let page = project("docs/metrics.md");
    for name in names(&samples(&busy().read("x.prom"))) {
        assert!(
            page.contains(&format!("`{name}`")),
            "docs/metrics.md does not name `{name}`"
        );
    }
}

#[test]
fn a_log_in_json_carries_the_id_of_the_run_and_names_what_it_recorded() {
    let workspace = Workspace::healthy();
    workspace.forecast("bogus");
    let mut command = workspace.command(&["run", "--retry-delays", "0", "--log-format", "json"]);
    command.env("MY_TOKEN", "bogus-token-value-4711");
    let ran = Ran::from(command.output().unwrap()).exits(1);
    let is_log = |line: &&str| line.starts_with('{');
    let events: Vec<serde_json::Value> = ran
        .stderr
        .lines()
        .filter(is_log)
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let ids: BTreeSet<&str> = events
        .iter()
        .map(|event| event["run_id"].as_str().unwrap())
        .collect();
    assert_eq!(
        (ids.len(), ids.first().unwrap().len()),
        (1, 36),
        "{}",
        ran.stderr
    );
    let last = events.last().unwrap();
    let state = ran.json();
    assert_eq!(last["message"], "recorded");
    assert_eq!(
        (&last["number"], &last["sha256"]),
        (&state["journal"]["seq"], &state["journal"]["sha256"])
    );
    let decided = events
        .iter()
        .find(|event| event["message"] == "decided")
        .unwrap();
    assert_eq!(
        (&decided["policy"], &decided["level"]),
        (&"RED".into(), &"DEBUG".into())
    );
    let quiet = workspace.program(&["run", "--retry-delays", "0"]).exits(1);
    assert!(
        !quiet.stderr.lines().any(|line| is_log(&line)),
        "{}",
        quiet.stderr
    );
}
