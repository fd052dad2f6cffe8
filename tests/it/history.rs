//! `history`: how the level went (row S4-087).

use std::path::Path;

use serde_json::Value;

use crate::workspace::{Ran, Workspace};

/// Holds a result against its published schema.
pub(crate) fn follows(schema: &str, told: &Value) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("docs/{schema}.schema.json"));
    let schema = serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
    let schema = jsonschema::validator_for(&schema).unwrap();
    let errors: Vec<String> = schema
        .iter_errors(told)
        .map(|error| format!("{error} at {}", error.instance_path()))
        .collect();
    assert_eq!(errors, Vec::<String>::new());
}

/// The view for a person, on a terminal of 60 characters.
fn drawn(workspace: &Workspace, arguments: &[&str]) -> String {
    let base = ["history", "--format", "human"];
    let mut command = workspace.command(&[base.as_slice(), arguments].concat());
    command.env("COLUMNS", "60").env("LC_ALL", "C.UTF-8");
    let ran = Ran::from(command.env("TERM", "xterm").output().unwrap());
    ran.exits(0).stdout
}

fn recorded() -> Workspace {
    let workspace = Workspace::healthy();
    for (day, score) in [(1, "99"), (2, "80"), (3, "80"), (5, "93"), (6, "99")] {
        workspace.integrity(score);
        workspace
            .run_at(&format!("2026-01-{day:02}T04:45:00Z"))
            .exits(0);
    }
    workspace
}

#[test]
fn levels_changes_and_the_longest_stretch_are_told() {
    let workspace = recorded();
    let told = workspace
        .program(&["history", "--include-given"])
        .exits(0)
        .json();
    follows("history", &told);
    assert_eq!(told["decisions"], 5);
    let red = &told["levels"][2];
    assert_eq!(
        (&red["level"], &red["decisions"]),
        (&"RED".into(), &2.into())
    );
    assert_eq!(red["seconds"], 3 * 86_400);
    assert_eq!(red["longest"]["from"], "2026-01-02T04:45:00+00:00");
    assert_eq!(red["longest"]["until"], "2026-01-05T04:45:00+00:00");
    assert_eq!(told["changes"].as_array().unwrap().len(), 3);
    assert_eq!(told["busiest"]["changes"], 2);
    assert_eq!(told["recovery"]["mean_seconds"], 3 * 86_400);
    assert_eq!(told["signals"][1]["lowest"]["value"], 80.0);
    assert_eq!(told["days"].as_array().unwrap().len(), 5);
    let human = drawn(&workspace, &["--include-given"]);
    insta::assert_snapshot!(human);
}

#[test]
fn a_duration_counts_back_and_given_times_are_left_out() {
    let workspace = recorded();
    let since = |arguments: &[&str]| {
        let base = ["history", "--at", "2026-01-06T12:00:00Z"];
        workspace.program(&[base.as_slice(), arguments].concat())
    };
    let told = since(&["--include-given", "--since", "2d"]).exits(0).json();
    assert_eq!(
        (&told["decisions"], &told["left_out"]["outside"]),
        (&2.into(), &3.into())
    );
    let told = since(&[]).exits(0).json();
    assert_eq!(
        (&told["decisions"], &told["left_out"]["given"]),
        (&0.into(), &5.into())
    );
    since(&["--since", "a while"]).exits(2);
    Workspace::empty().program(&["history"]).exits(1);
}

#[test]
fn a_line_that_can_not_be_read_is_told() {
    let workspace = recorded();
    let log = "state/policy_state_log.jsonl";
    workspace.write(
        log,
        workspace.read(log).replacen("\"RED\"", "\"no level\"", 1),
    );
    let ran = workspace.program(&["history", "--include-given"]).exits(1);
    assert!(ran.stderr.contains("LINE_UNREADABLE"), "{}", ran.stderr);
    assert_eq!(ran.json()["finding_count"], 1);
}

#[test]
fn a_dumb_terminal_gets_letters() {
    let workspace = recorded();
    let plain = drawn(&workspace, &["--include-given", "--ascii"]);
    assert!(plain.is_ascii(), "{plain}");
    assert!(plain.contains("Mon  . Y"), "{plain}");
    for (name, value) in [("TERM", "dumb"), ("LC_ALL", "C")] {
        let mut command = workspace.command(&["history", "--include-given", "--format", "human"]);
        command.env("COLUMNS", "60").env("LC_ALL", "C.UTF-8");
        let ran = Ran::from(command.env(name, value).output().unwrap());
        assert_eq!(ran.exits(0).stdout, plain, "{name}");
    }
}

#[test]
fn one_level_is_told_alone() {
    let workspace = recorded();
    let ran = workspace.program(&["history", "--include-given", "--level", "RED"]);
    let told = ran.exits(0).json();
    follows("history", &told);
    assert_eq!(
        (&told["only"], &told["decisions"]),
        (&"RED".into(), &5.into())
    );
    assert_eq!(told["levels"].as_array().unwrap().len(), 1);
    assert_eq!(told["changes"].as_array().unwrap().len(), 2);
    assert_eq!(told["signals"][1]["highest"]["value"], 80.0);
    assert_eq!(told["days"].as_array().unwrap().len(), 2);
    workspace.program(&["history", "--level", "red"]).exits(2);
}

#[test]
fn rows_are_csv() {
    let workspace = recorded();
    let rows = |table: &str| {
        let arguments = ["history", "--include-given", "--table", table];
        workspace.program(&arguments).exits(0).stdout
    };
    insta::assert_snapshot!(format!(
        "{}\n{}\n{}",
        rows("decisions"),
        rows("changes"),
        rows("days")
    ));
    let days = workspace.program(&["history", "--include-given", "--format", "csv"]);
    assert_eq!(days.exits(0).stdout, rows("days"));
    let only = [
        "history",
        "--include-given",
        "--table",
        "days",
        "--level",
        "RED",
    ];
    assert_eq!(workspace.program(&only).exits(0).stdout.lines().count(), 3);
    let odd = ["history", "--table", "days", "--format", "json"];
    workspace.program(&odd).exits(2);
}

#[test]
fn markdown_is_for_a_pull_request() {
    let workspace = recorded();
    let arguments = ["history", "--include-given", "--format", "markdown"];
    insta::assert_snapshot!(workspace.program(&arguments).exits(0).stdout);
}

#[test]
fn near_misses_are_those_of_the_policy_that_decided() {
    let workspace = Workspace::healthy();
    workspace.integrity("95.4");
    workspace.run_at("2026-01-01T04:45:00Z").exits(0);
    workspace.write(
        "policy/policy_thresholds.json",
        r#"{"yellow_integrity": 94.5}"#,
    );
    workspace.run_at("2026-01-02T04:45:00Z").exits(0);
    let told = workspace
        .program(&["history", "--include-given"])
        .exits(0)
        .json();
    let near = &told["near_misses"][0];
    assert_eq!(
        (&near["code"], &near["decisions"], &near["closest"]),
        (&"INTEGRITY_BELOW_YELLOW".into(), &2.into(), &0.4.into())
    );
    assert_eq!(near["threshold"], 94.5);
    std::fs::remove_dir_all(workspace.file("state/policies")).unwrap();
    let told = workspace
        .program(&["history", "--include-given"])
        .exits(0)
        .json();
    assert_eq!(told["near_unknown"], 2);
}

#[test]
fn operating_limits_pass_or_fail() {
    let workspace = Workspace::healthy();
    let look = |at: &str| {
        workspace
            .program(&["history", "--health", "--at", at])
            .exits(0)
            .json()
    };
    workspace.program(&["run"]).exits(0);
    let told = look("2999-01-01T00:00:00Z");
    follows("health", &told);
    assert_eq!(told["all_passed"], true);
    // RED by the machine's clock, and looked at from five hours on.
    workspace.integrity("80");
    workspace.program(&["run"]).exits(0);
    // A brake without a file is engaged already.
    for _ in 0..3 {
        workspace
            .program(&["brake", "engage", "--reason", "a test"])
            .exits(0);
        workspace
            .program(&["brake", "reset", "--reason", "a test"])
            .exits(0);
    }
    let later = chrono::Utc::now() + chrono::TimeDelta::hours(5);
    let told = look(&later.to_rfc3339());
    follows("health", &told);
    let failed: Vec<&str> = told["limits"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|limit| limit["passed"] == false)
        .map(|limit| limit["name"].as_str().unwrap())
        .collect();
    assert_eq!(failed, ["brake_engagements", "red_hours"]);
    let human = [
        "history",
        "--health",
        "--format",
        "human",
        "--at",
        &later.to_rfc3339(),
    ];
    let human = workspace.program(&human).exits(0).stdout;
    assert!(
        human.starts_with("Operating limits: 5 of 7 kept"),
        "{human}"
    );
    assert!(
        human.contains("FAIL  brake engaged by command in 7 days"),
        "{human}"
    );
    workspace.write("forensics/safety_brake_state.json", "{");
    workspace.program(&["history", "--health"]).exits(1);
}

#[cfg(not(feature = "parquet"))]
#[test]
fn a_build_without_parquet_says_how_to_get_one() {
    let workspace = recorded();
    let ran = workspace
        .program(&["history", "--include-given", "--format", "parquet"])
        .exits(1);
    assert!(ran.stdout.is_empty());
    assert!(ran.stderr.contains("--features parquet"), "{}", ran.stderr);
}

#[cfg(feature = "parquet")]
#[test]
fn a_parquet_file_has_the_rows_of_the_table() {
    use parquet::file::reader::{FileReader as _, SerializedFileReader};
    let workspace = recorded();
    let rows = |table: &str| {
        let given = ["history", "--include-given", "--table", table];
        let csv = workspace.program(&given).exits(0).stdout;
        let parquet = workspace
            .command(&[&given[..], &["--format", "parquet"]].concat())
            .output()
            .unwrap();
        assert!(parquet.status.success());
        let file = workspace.file("history.parquet");
        std::fs::write(&file, parquet.stdout).unwrap();
        let reader = SerializedFileReader::new(std::fs::File::open(file).unwrap()).unwrap();
        let names = reader.metadata().file_metadata().schema_descr().columns();
        let names: Vec<&str> = names.iter().map(|column| column.name()).collect();
        assert_eq!(csv.lines().next().unwrap(), names.join(","));
        let found = reader.get_row_iter(None).unwrap().count();
        assert_eq!(found, csv.lines().count() - 1);
        found
    };
    assert_eq!(
        (rows("decisions"), rows("changes"), rows("days")),
        (5, 3, 5)
    );
    let refused = ["history", "--health", "--format", "parquet"];
    workspace.program(&refused).exits(2);
}
