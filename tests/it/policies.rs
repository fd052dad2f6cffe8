//! Policy documents of the large form, as a user of `run`, `explain` and `status` sees them.

use serde_json::{Value, json};

use crate::workspace::Workspace;

const POLICY: &str = "policy/policy.yaml";

/// A document with this `spec`, indented by two blanks.
fn document(spec: &str) -> String {
    format!(
        "apiVersion: policy.orchestra.v1\nkind: OrchestrationPolicy\nmetadata:\n  name: ours\n  version: \"7\"\nspec:\n{spec}"
    )
}

/// Integrity alone, with lines at 95, 92 and 90.
const LADDER: &str = "  levels: [ORANGE]
  signals:
    - name: integrity
  triggers:
    - {code: LOW, signal: integrity, level: YELLOW, below: 95}
    - {code: LOWER, signal: integrity, level: ORANGE, below: 92}
    - {code: LOWEST, signal: integrity, level: RED, below: 90}
";

fn with_policy(spec: &str) -> Workspace {
    let workspace = Workspace::healthy();
    workspace.write(POLICY, document(spec));
    workspace
}

/// Decides on this integrity at that time, and tells the level.
fn level_at(workspace: &Workspace, score: &str, at: &str) -> String {
    workspace.integrity(score);
    let ran = workspace.program(&["run", "--at", at]).exits(0);
    ran.json()["policy"].as_str().unwrap().to_owned()
}

fn codes(state: &Value) -> Vec<&str> {
    let reasons = state["reasons"].as_array().unwrap().iter();
    reasons
        .map(|reason| reason["code"].as_str().unwrap())
        .collect()
}

fn reproduced(workspace: &Workspace) {
    let replayed = workspace.program(&["replay"]).exits(0).json();
    assert_eq!(replayed["decisions"], replayed["reproduced"]);
    workspace.program(&["audit", "verify"]).exits(0);
    workspace.program(&["explain"]).exits(0);
}

#[test]
fn a_coverage_file_and_a_count_of_vulnerabilities_are_enough() {
    let workspace = Workspace::empty();
    workspace.write(
        POLICY,
        document(
            "  signals:
    - name: coverage
      file: reports/coverage.json
      pointer: /total/percent
      type: percent
      direction: higher_is_better
      time: /at
      max_age: 7d
    - name: vulnerabilities
      file: reports/scan.csv
      column: open
      type: count
      direction: lower_is_better
  triggers:
    - {code: COVERAGE_LOW, signal: coverage, level: YELLOW, below: 80}
    - {code: VULNERABLE, signal: vulnerabilities, level: RED, above: 3}
    - {code: BOTH, level: RED, when: coverage < 85.0 && vulnerabilities > 1}
",
        ),
    );
    let coverage = |percent: &str| {
        let text =
            format!("{{\"total\": {{\"percent\": {percent}}}, \"at\": \"2026-01-15T00:00:00Z\"}}");
        workspace.write("reports/coverage.json", text);
    };
    let open = |count: &str| {
        workspace.write(
            "reports/scan.csv",
            format!("day,open\n2026-01-14,9\n2026-01-15,{count}\n"),
        );
    };
    let decide = |at: &str, exit: i32| workspace.run_at(at).exits(exit).json();
    let at = "2026-01-15T12:00:00Z";

    coverage("90");
    open("0");
    let state = decide(at, 0);
    assert_eq!(state["policy"], "GREEN");
    assert_eq!(state["readings"]["coverage"]["value"], 90.0);
    assert_eq!(state["readings"]["vulnerabilities"]["value"], 0);
    assert_eq!(state["readings"]["integrity"]["status"], "missing");
    // The six keep their place, with the stand-ins of what the policy does not look at.
    assert_eq!(state["inputs"]["integrity_score"], 100.0);
    assert_eq!(state["thresholds"]["red_integrity"], Value::Null);

    coverage("79.5");
    assert_eq!(codes(&decide(at, 0)), ["COVERAGE_LOW"]);
    open("2");
    assert_eq!(codes(&decide(at, 0)), ["BOTH", "COVERAGE_LOW"]);
    open("4");
    let state = decide(at, 0);
    assert_eq!(codes(&state), ["VULNERABLE", "BOTH", "COVERAGE_LOW"]);
    let needs: Vec<Value> = state["needs"].as_array().unwrap().clone();
    let changes = |needs: &Value| -> Vec<String> {
        let changes = needs["changes"].as_array().unwrap().iter();
        changes
            .map(|change| format!("{} -> {}", change["what"], change["to"]).replace('"', ""))
            .collect()
    };
    assert_eq!(
        changes(&needs[0]),
        ["coverage -> at least 85.0", "vulnerabilities -> at most 3"]
    );

    // Eight days later the report is too old, and a file that is gone is not healthy.
    coverage("90");
    open("0");
    let state = decide("2026-01-23T12:00:00Z", 0);
    assert_eq!(codes(&state), ["INPUT_STALE"]);
    std::fs::remove_file(workspace.file("reports/scan.csv")).unwrap();
    let state = decide("2026-01-23T12:00:01Z", 0);
    assert_eq!(codes(&state), ["INPUT_STALE", "INPUT_MISSING"]);
    coverage("\"a lot\"");
    let state = decide("2026-01-23T12:00:02Z", 1);
    assert_eq!(codes(&state), ["INPUT_INVALID", "INPUT_MISSING"]);
    assert_eq!(state["errors"][0]["place"]["path"], "/total/percent");
    reproduced(&workspace);
}

#[test]
fn a_level_between_yellow_and_red_is_decided_recorded_and_exits_with_15() {
    let workspace = with_policy(LADDER);
    for (score, level, code) in [
        ("95", "GREEN", 0),
        ("94.99", "YELLOW", 10),
        ("91.99", "ORANGE", 15),
        ("89.99", "RED", 20),
    ] {
        workspace.integrity(score);
        let ran = workspace.program(&["run", "--exit-code"]).exits(code);
        assert_eq!(ran.json()["policy"], level);
    }
    workspace.integrity("91");
    let state = workspace.run().exits(0).json();
    assert_eq!(state["before"], "RED");
    assert_eq!(
        workspace.program(&["status"]).exits(0).json()["policy"],
        "ORANGE"
    );
    // At least what YELLOW calls for.
    let planned = workspace.program(&["respond"]).exits(0).json();
    assert_ne!(planned["actions_planned"], 0, "{planned}");
    let since = workspace.run().exits(0).json()["since"].clone();
    assert_eq!(since, state["since"]);
    reproduced(&workspace);
}

#[test]
fn a_level_rises_at_once_and_falls_late() {
    let workspace = with_policy(&format!("{LADDER}  hysteresis: {{evaluations: 3}}\n"));
    let day = |day: u32| format!("2026-01-{day:02}T04:45:00Z");
    let levels: Vec<String> = ["99", "91", "89", "99", "94", "99", "99", "99", "99", "91"]
        .iter()
        .zip(1..)
        .map(|(score, number)| level_at(&workspace, score, &day(number)))
        .collect();
    assert_eq!(
        levels,
        [
            "GREEN", "ORANGE", "RED", "RED", "RED",
            // The third in a row that demands less: it falls to the most that they demanded, and
            // that decision is the first of those that demand less than that.
            "YELLOW", "YELLOW", "GREEN", "GREEN", "ORANGE",
        ]
    );
    reproduced(&workspace);
    let held = workspace
        .program(&["explain", "--number", "4"])
        .exits(0)
        .json();
    assert_eq!(codes(&held), ["LEVEL_HELD"]);
    assert_eq!(
        held["needs"][0]["changes"],
        json!([{"what": "time", "from": "1 of 3 evaluations that demand less", "to": "2 more"}])
    );
}

#[test]
fn a_level_falls_once_less_was_demanded_for_a_time() {
    let workspace = with_policy(&format!("{LADDER}  hysteresis: {{time: 6h}}\n"));
    let at = |hour: u32, minute: u32| format!("2026-01-15T{hour:02}:{minute:02}:00Z");
    assert_eq!(level_at(&workspace, "89", &at(0, 0)), "RED");
    assert_eq!(level_at(&workspace, "99", &at(1, 0)), "RED");
    assert_eq!(level_at(&workspace, "99", &at(6, 59)), "RED");
    assert_eq!(level_at(&workspace, "99", &at(7, 0)), "GREEN");
    reproduced(&workspace);
}

#[test]
fn what_a_lost_state_file_said_of_a_held_level_is_in_the_journal() {
    let workspace = with_policy(&format!("{LADDER}  hysteresis: {{evaluations: 3}}\n"));
    level_at(&workspace, "89", "2026-01-01T00:00:00Z");
    level_at(&workspace, "99", "2026-01-02T00:00:00Z");
    level_at(&workspace, "99", "2026-01-03T00:00:00Z");
    std::fs::remove_file(workspace.file("state/policy_state.json")).unwrap();
    assert_eq!(level_at(&workspace, "99", "2026-01-04T00:00:00Z"), "GREEN");
    reproduced(&workspace);
}

#[test]
fn a_state_file_that_says_another_thing_of_a_held_level_was_changed() {
    let workspace = with_policy(&format!("{LADDER}  hysteresis: {{evaluations: 3}}\n"));
    level_at(&workspace, "89", "2026-01-01T00:00:00Z");
    level_at(&workspace, "99", "2026-01-02T00:00:00Z");
    let state = workspace.read("state/policy_state.json");
    workspace.write(
        "state/policy_state.json",
        state.replace("\"times\": 1", "\"times\": 9"),
    );
    let ran = workspace
        .program(&["run", "--at", "2026-01-03T00:00:00Z"])
        .exits(5);
    assert!(ran.stderr.contains("STATE_DIFFERS"), "{}", ran.stderr);
    assert_eq!(ran.json()["policy"], "RED");
}

#[test]
fn changes_and_medians_look_back_on_the_record() {
    let workspace = with_policy(
        "  signals:
    - name: integrity
  triggers:
    - code: FELL
      signal: integrity
      level: YELLOW
      changed: {way: fall, by_more_than: 5, within: 7d}
    - code: FAR_FROM_USUAL
      signal: integrity
      level: RED
      median: {of_last: 3, below_ratio: 0.9}
",
    );
    let day = |day: u32| format!("2026-01-{day:02}T04:45:00Z");
    let decide = |score: &str, number: u32| {
        workspace.integrity(score);
        let state = workspace.run_at(&day(number)).exits(0).json();
        codes(&state).join(" ")
    };
    assert_eq!(decide("90", 1), "");
    // Exactly five is not more than five.
    assert_eq!(decide("85", 2), "");
    assert_eq!(decide("84.9", 3), "FELL");
    // The median of 90, 85 and 84.9 is 85, and nine tenths of it 76.5.
    assert_eq!(decide("76.5", 4), "FELL");
    // By now it is 84.9, and the line lies at 76.41.
    assert_eq!(decide("75", 5), "FAR_FROM_USUAL FELL");
    assert_eq!(decide("60", 6), "FAR_FROM_USUAL FELL");
    // A fortnight later nothing lies within the week; the median still looks at the last three.
    assert_eq!(decide("60", 20), "FAR_FROM_USUAL");
    reproduced(&workspace);
}

#[test]
fn a_waived_trigger_is_shown_with_the_level_that_it_would_have_given() {
    let waivers = "  waivers:
    - {trigger: LOWEST, reason: the registry is being rebuilt, by: ana@example.org, ticket: OPS-7, expires: 2026-01-31}
";
    let workspace = with_policy(&format!("{LADDER}{waivers}"));
    workspace.integrity("80");
    let state = workspace.run_at("2026-01-31T23:59:59Z").exits(0).json();
    assert_eq!(
        (&state["policy"], &state["shadow"]),
        (&json!("ORANGE"), &json!("RED"))
    );
    assert_eq!(codes(&state), ["LOWER", "LOW"]);
    assert_eq!(state["waived"][0]["code"], "LOWEST");
    assert_eq!(state["waived"][0]["waiver"]["ticket"], "OPS-7");
    let shown = workspace
        .program(&["explain", "--format", "human"])
        .exits(0)
        .stdout;
    assert!(
        shown.contains("Waived, and RED without the waivers")
            && shown.contains("the registry is being rebuilt"),
        "{shown}"
    );
    // What would make it GREEN leaves the waived line out.
    assert!(
        shown.contains("YELLOW needs\n  integrity 80.0 -> at least 92.0"),
        "{shown}"
    );

    let state = workspace.run_at("2026-02-01T00:00:00Z").exits(0).json();
    assert_eq!(state["policy"], "RED");
    assert_eq!(state["warnings"][0]["code"], "WAIVER_EXPIRED");
    assert_eq!(state["waived"], Value::Null);

    workspace.integrity("99");
    let state = workspace.run_at("2026-01-20T00:00:00Z").exits(0).json();
    let warnings = state["warnings"].as_array().unwrap().iter();
    let warnings: Vec<&str> = warnings.map(|one| one["code"].as_str().unwrap()).collect();
    assert!(warnings.contains(&"WAIVER_UNUSED"), "{warnings:?}");
    reproduced(&workspace);
}

#[test]
fn two_documents_are_none() {
    let workspace = with_policy(LADDER);
    workspace.write(
        "policy/policy_thresholds.json",
        "{\"yellow_integrity\": 96}",
    );
    let ran = workspace.run().exits(1);
    let state = ran.json();
    assert_eq!(state["policy"], "RED");
    assert_eq!(codes(&state), ["POLICY_INVALID"]);
    assert!(ran.stderr.contains("POLICY_AMBIGUOUS"), "{}", ran.stderr);
    workspace.program(&["respond", "--apply"]).exits(3);
    std::fs::remove_file(workspace.file("policy/policy_thresholds.json")).unwrap();
    workspace.run().exits(0);
    reproduced(&workspace);
}

#[test]
fn a_json_document_decides_alike() {
    let workspace = Workspace::healthy();
    let document = json!({
        "apiVersion": "policy.orchestra.v1",
        "kind": "OrchestrationPolicy",
        "metadata": {"name": "ours", "version": "7"},
        "spec": {
            "signals": [{"name": "integrity"}],
            "triggers": [{"code": "LOW", "signal": "integrity", "level": "YELLOW", "below": 95}],
        },
    });
    workspace.write("policy/policy.json", document.to_string());
    workspace.integrity("94");
    assert_eq!(codes(&workspace.run().exits(0).json()), ["LOW"]);
    reproduced(&workspace);
}

#[test]
fn a_refused_document_is_red_and_every_problem_is_told() {
    let workspace = with_policy(
        &LADDER
            .replace("below: 92", "below: 89")
            .replace("code: LOW,", "cod: LOW,"),
    );
    let ran = workspace.run().exits(1);
    assert_eq!(codes(&ran.json()), ["POLICY_INVALID"]);
    for part in [
        "POLICY_CONTRADICTION",
        "did you mean `code`?",
        "policy/policy.yaml:11:8",
    ] {
        assert!(ran.stderr.contains(part), "{part}: {}", ran.stderr);
    }
    // What was kept of it decides again to the same.
    reproduced(&workspace);
}

#[test]
fn a_policy_that_looks_back_costs_the_same_behind_a_long_history() {
    // Whatever stands behind the last thousand decisions is not read: a broken line there is no
    // obstacle to a run.
    let workspace = with_policy(
        "  signals:
    - name: integrity
  triggers:
    - {code: FELL, signal: integrity, level: YELLOW, changed: {way: fall, by_more_than: 5, within: 31d}}
",
    );
    workspace.integrity("99");
    for minute in 0..5 {
        workspace
            .run_at(&format!("2026-01-15T12:0{minute}:00Z"))
            .exits(0);
    }
    workspace.integrity("90");
    assert_eq!(
        codes(&workspace.run_at("2026-01-16T12:00:00Z").exits(0).json()),
        ["FELL"]
    );
    reproduced(&workspace);
}

/// Two signals of which one may be silent, and a waived trigger.
fn with_a_waiver() -> String {
    document(
        "  signals:
    - {name: integrity, on_missing: ORANGE}
    - {name: coverage, file: reports/coverage.json, pointer: /total, type: percent, time: /at, max_age: 7d, on_missing: assume_healthy}
  levels: [ORANGE]
  triggers:
    - {code: LOW, signal: integrity, level: RED, below: 90}
  waivers:
    - {trigger: LOW, reason: it is being rebuilt, by: ana, ticket: OPS-7, expires: 2026-03-31}
",
    )
}

#[test]
fn an_empty_workspace_is_told_of_the_signals_of_its_document() {
    let workspace = Workspace::empty();
    workspace.write(POLICY, with_a_waiver());
    let told = workspace.run().exits(0).stderr;
    assert!(told.contains("WORKSPACE_EMPTY"), "{told}");
    assert!(told.contains("no file of integrity, coverage"), "{told}");
    assert!(!told.contains("six"), "{told}");
}

#[test]
fn a_green_decision_says_what_is_waived_and_what_is_silent() {
    let workspace = Workspace::empty();
    workspace.write(POLICY, with_a_waiver());
    let told = |score: &str| {
        workspace.integrity(score);
        let arguments = [
            "run",
            "--at",
            crate::workspace::AT,
            "--dry-run",
            "--format",
            "human",
        ];
        workspace.program(&arguments).exits(0).stdout
    };
    let waived = told("70");
    assert!(
        waived.contains("no trigger fires but one that is waived: without its waiver RED would be"),
        "{waived}"
    );
    assert!(!waived.contains("none is over a line"), "{waived}");
    let silent = told("95");
    assert!(silent.contains("no signal is over a line, and none whose silence counts is silent"));
    assert!(!silent.contains("every signal was reported"), "{silent}");
}

#[test]
fn doctor_says_of_each_signal_what_its_silence_demands() {
    let workspace = Workspace::empty();
    workspace.write(POLICY, with_a_waiver());
    let of = |signal: &str| {
        let told = workspace
            .program(&["doctor", "--at", crate::workspace::AT])
            .exits(0)
            .json();
        let checks = told["checks"].as_array().unwrap();
        let what = format!("signal {signal}");
        let check = checks.iter().find(|check| check["what"] == what.as_str());
        let check = check.unwrap();
        let text = |key: &str| check[key].as_str().unwrap_or_default().to_owned();
        [text("grade"), text("detail"), text("remedy")].join("; ")
    };
    assert_eq!(of("trust"), "ok; not read: the policy does not list it; ");
    assert!(of("integrity").ends_with("until then the level is at least ORANGE"));
    assert!(of("coverage").ends_with("until then it is taken for healthy"));
    workspace.write(
        "reports/coverage.json",
        r#"{"total": 81, "at": "2026-01-01T00:00:00Z"}"#,
    );
    assert_eq!(
        of("coverage"),
        "remark; stale: 81.0; let its writer run; until then the level is at least YELLOW"
    );
}
