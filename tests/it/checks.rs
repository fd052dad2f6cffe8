//! `checks` and `health` as a user meets them: reports, exit codes, forms, and what goes wrong.
//! What each policy's tests find is in tests/policies.

use serde_json::Value;

use crate::reports::{is_junit, is_sarif};
use crate::workspace::{Workspace, shared};

const PASSING: [&str; 6] = ["checks", "run", "P1", "P3", "P5", "P6"];

#[test]
fn the_library_names_the_six_policies() {
    let workspace = Workspace::empty();
    let list = workspace.program(&["checks", "list"]).exits(0).json();
    let policies = list["policies"].as_array().unwrap();
    let names: Vec<&str> = policies
        .iter()
        .map(|policy| policy["name"].as_str().unwrap())
        .collect();
    assert_eq!(
        names,
        [
            "Data Privacy",
            "Secrets & Signing",
            "Execution Safety",
            "Observability",
            "Multi-Tenancy",
            "Performance Budget"
        ]
    );
    for policy in policies {
        for part in ["rules", "tests", "verification", "tested"] {
            assert_ne!(policy[part].as_array().unwrap().len(), 0, "{policy:#}");
        }
    }
    let human = workspace.program(&["checks", "list", "--format", "human"]);
    assert!(human.exits(0).stdout.starts_with("P1 Data Privacy\n"));
    // Nothing is written by looking.
    assert!(workspace.snapshot().is_empty());
}

/// S0-002, S0-003: the library of the source document is read as it was written; what it lacks by our
/// rules is told, and its verification commands are nobody's to run here.
#[test]
fn the_library_of_the_source_is_read() {
    let Some(shared) = shared() else { return };
    let directory = shared.join("reference");
    let mut files = std::fs::read_dir(directory).unwrap().map(Result::unwrap);
    let source = files.find(|file| file.file_name().to_string_lossy().starts_with("000_"));
    let source = source.unwrap().path();
    let workspace = Workspace::empty();
    let list = ["checks", "list", "--library", source.to_str().unwrap()];
    let ran = workspace.program(&list).exits(1);
    let list = ran.json();
    let policies = list["policies"].as_array().unwrap();
    assert_eq!(policies.len(), 6);
    for policy in policies {
        assert_ne!(policy["goal"], "");
        assert_ne!(policy["enforcement"], "");
        for part in ["rules", "tests", "verification"] {
            assert_ne!(policy[part].as_array().unwrap().len(), 0, "{policy:#}");
        }
    }
    // S0-081, and nothing else.
    let told = ran.stderr.matches("LIBRARY_INCOMPLETE").count();
    let hidden = ran.stderr.matches("hides its failure behind").count();
    assert!(told == 6 && hidden == 6, "{}", ran.stderr);
}

#[test]
fn a_plan_names_what_a_task_mentions_and_nothing_else() {
    let workspace = Workspace::empty();
    workspace.write("task.md", "# T-7\n\nKeeps P-3 and P1.\nP3 again; not P7.\n");
    let plan = workspace
        .program(&["checks", "plan", "task.md"])
        .exits(0)
        .json();
    let told: Vec<(&str, u64)> = plan["policies"]
        .as_array()
        .unwrap()
        .iter()
        .map(|policy| {
            let name = policy["policy"].as_str().unwrap();
            (name, policy["line"].as_u64().unwrap())
        })
        .collect();
    assert_eq!(told, [("P3", 3), ("P1", 3)]);
    assert_eq!(plan["policies"][0]["module"], "checks::p3");
    assert_eq!(plan["policies"][0]["call"], "response::gates::permit");
    assert_eq!(
        plan["policies"][0]["verification"],
        "policy-orchestrator checks run P3"
    );
    workspace.write("task.md", "nothing\n");
    let human = ["checks", "plan", "task.md", "--format", "human"];
    assert_eq!(
        workspace.program(&human).exits(0).stdout,
        "no policy of P-1 to P-6 is mentioned\n"
    );
    workspace.program(&["checks", "plan", "absent.md"]).exits(1);
}

/// S0-007, S0-008, S0-066, S0-070, S0-075, S0-077: the reports of a task.
#[test]
fn a_task_gets_its_reports() {
    let workspace = Workspace::healthy();
    workspace.program(&["run"]).exits(0);
    let arguments = [&PASSING[..], &["--task", "T-1"]].concat();
    let result = workspace.program(&arguments).exits(0).json();
    assert_eq!(result["schema"], 1);
    assert_eq!(
        (&result["task"], &result["status"]),
        (&"T-1".into(), &"PASS".into())
    );
    let summary = workspace.read("reports/T-1_summary.md");
    let policies = "Policies:\nP1 Data Privacy: PASS\nP3 Execution Safety: PASS\nP5 Multi-Tenancy: PASS\nP6 Performance Budget: PASS\n";
    assert!(summary.contains(policies), "{summary}");
    for section in ["\n## Policies\n", "\n## Verification\n", "\n## Audit\n"] {
        assert!(summary.contains(section), "{summary}");
    }
    let command = "| `policy-orchestrator checks run P1 --task T-1` | 0 |\n";
    assert!(summary.contains(command), "{summary}");
    assert!(summary.contains("CHECKS_RUN checks_run by"), "{summary}");
    assert!(!summary.contains("|| true"));
    for file in result["files"].as_array().unwrap() {
        assert!(workspace.file(file.as_str().unwrap()).is_file(), "{file}");
    }
    for log in ["P1", "P3", "P5", "P6", "T-1"] {
        let text = workspace.read(&format!("reports/logs/{log}.log"));
        assert!(text.contains(": PASS\n"), "{text}");
    }
    // The event, with its five keys.
    let list = ["audit", "list", "--type", "CHECKS_RUN", "--limit", "1"];
    let event = workspace.program(&list).exits(0).json();
    assert_eq!(event["task_id"], "T-1");
    for key in ["time", "user", "action", "data_sha256"] {
        assert!(event[key].is_string(), "{event:#}");
    }
    // And the journal is whole behind it.
    workspace.program(&["audit", "verify"]).exits(0);
    assert_eq!(
        workspace.temporary_files(),
        Vec::<std::path::PathBuf>::new()
    );
}

/// C-24: what is blocked passes only where somebody said so; each policy's own code stands in the
/// report.
#[test]
fn what_is_blocked_passes_only_where_that_was_asked_for() {
    let workspace = Workspace::healthy();
    let result = workspace.program(&["checks", "run"]).exits(3).json();
    assert_eq!(result["status"], "BLOCKED");
    let exits: Vec<u64> = result["verification"]
        .as_array()
        .unwrap()
        .iter()
        .map(|verified| verified["exit"].as_u64().unwrap())
        .collect();
    assert_eq!(exits, [0, 3, 0, 0, 0, 0]);
    workspace
        .program(&["checks", "run", "--allow-blocked"])
        .exits(0);
    workspace
        .program(&["checks", "run", "--allow-blocked", "--slo-ms", "0"])
        .exits(1);
    let ran = workspace
        .command(&["checks", "run", "P2"])
        .env("ENV", "production")
        .output();
    assert_eq!(ran.unwrap().status.code(), Some(3));
}

#[test]
fn an_id_of_a_task_leads_nowhere() {
    let base = Workspace::empty();
    base.write("inner/a", "");
    let inner = base.file("inner");
    for id in [
        "../x", "/tmp/x", "a/b", "..", "", "P1", "p-2", "a b", "x\ny",
    ] {
        let workspace = inner.to_str().unwrap();
        let run = [
            "checks",
            "run",
            "P5",
            "--workspace",
            workspace,
            "--task",
            id,
        ];
        base.program(&run).exits(2);
    }
    let names: Vec<_> = base.snapshot().into_keys().collect();
    assert_eq!(names, [std::path::PathBuf::from("inner/a")]);
    base.program(&["checks", "run", "P7"]).exits(2);
    base.program(&["checks", "run", "P2", "--artifact", "absent"])
        .exits(1);
}

#[test]
fn reports_that_cannot_be_written_are_a_failure() {
    // Something else in the way.
    let workspace = Workspace::healthy();
    workspace.write("reports", "no directory");
    let ran = workspace.program(&PASSING).exits(1);
    assert!(ran.stderr.contains("WRITE_FAILED"), "{}", ran.stderr);
    assert_eq!(ran.json()["status"], "PASS");
    // Links lead elsewhere.
    let elsewhere = Workspace::empty();
    for link in ["reports", "reports/logs"] {
        let workspace = Workspace::healthy();
        let path = workspace.file(link);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::os::unix::fs::symlink(elsewhere.path(), path).unwrap();
        let ran = workspace.program(&["checks", "run", "P6"]).exits(1);
        assert!(ran.stderr.contains("LINK_REFUSED"), "{}", ran.stderr);
        assert!(elsewhere.snapshot().is_empty(), "{link}");
    }
    // A user's report in a directory that is not there.
    let workspace = Workspace::healthy();
    let ran = workspace.program(&["checks", "run", "P5", "--junit", "none/x.xml"]);
    assert!(ran.exits(1).stderr.contains("--junit"));
}

/// What a kill left of a report is taken away, and a report is the old one or the new one.
#[test]
fn what_a_kill_left_of_a_report_is_taken_away() {
    let workspace = Workspace::healthy();
    let arguments = ["checks", "run", "P5", "--task", "T-1"];
    workspace.program(&arguments).exits(0);
    let before = workspace.read("reports/T-1_summary.md");
    workspace.write("reports/.T-1_summary.md.tmp", "half of a");
    workspace.write("reports/logs/.P5.log.tmp", "half of a");
    assert_eq!(workspace.read("reports/T-1_summary.md"), before);
    workspace.program(&arguments).exits(0);
    assert_eq!(
        workspace.temporary_files(),
        Vec::<std::path::PathBuf>::new()
    );
    assert_ne!(workspace.read("reports/T-1_summary.md"), before);
}

#[test]
fn junit_and_sarif_say_the_same() {
    let workspace = Workspace::healthy();
    let forms = ["--junit", "checks.xml", "--sarif", "checks.sarif"];
    let run = ["checks", "run", "--slo-ms", "0"];
    let result = workspace
        .program(&[&run[..], &forms].concat())
        .exits(1)
        .json();
    let tests: Vec<&Value> = result["policies"]
        .as_array()
        .unwrap()
        .iter()
        .flat_map(|policy| policy["tests"].as_array().unwrap())
        .collect();
    let count = |status: &str| {
        let of = tests.iter().filter(|test| test["status"] == status);
        of.count()
    };
    is_junit(&workspace.file("checks.xml"));
    let junit = workspace.read("checks.xml");
    let head = format!(
        "<testsuites tests=\"{}\" failures=\"1\" errors=\"0\">",
        tests.len()
    );
    assert_eq!(junit.matches("<skipped").count(), count("BLOCKED"));
    assert_eq!(count("FAIL"), 1);
    assert!(junit.contains(&head), "{head}: {junit}");
    assert!(
        junit.contains("<failure message=\"FAIL: the objective is exceeded\">"),
        "{junit}"
    );

    let sarif = is_sarif(&workspace.read("checks.sarif"));
    let results = sarif["runs"][0]["results"].as_array().unwrap();
    assert_eq!(results.len(), count("FAIL") + count("BLOCKED"));
    let failed = results
        .iter()
        .find(|result| result["level"] == "error")
        .unwrap();
    assert_eq!(failed["ruleId"], "latency");
}

/// What a person reads, but for figures and times.
#[test]
fn a_person_reads_lines_and_what_to_do() {
    let workspace = Workspace::healthy();
    let run = ["checks", "run", "P2", "P5", "--format", "human"];
    let ran = workspace.program(&run).exits(3);
    insta::assert_snapshot!(ran.stdout);
    let health = ["health", "--format", "human"];
    let health = workspace.program(&health).exits(0);
    insta::assert_snapshot!("health", health.stdout);
}
