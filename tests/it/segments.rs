//! Journals that were closed into segments: read on by every command, and safe at every step.

use crate::workspace::{JOURNAL, Ran, Workspace};

const AT: &str = "2026-01-15T14:00:00Z";

fn rotate(workspace: &Workspace, further: &[&str]) -> Ran {
    workspace.program(&[&["audit", "rotate", "--at", AT], further].concat())
}

/// Five decisions, the third YELLOW, and an engaged brake.
fn recorded() -> Workspace {
    let workspace = Workspace::healthy();
    for minute in 0..5 {
        workspace.forecast(if minute == 2 { "medium" } else { "low" });
        workspace
            .run_at(&format!("2026-01-15T12:0{minute}:00Z"))
            .exits(0);
    }
    let engage = ["brake", "engage", "--reason", "test", "--at"];
    workspace
        .program(&[&engage[..], &["2026-01-15T12:06:00Z"]].concat())
        .exits(0);
    workspace
}

#[test]
fn a_closed_journal_goes_on_and_everything_reads_on_in_it() {
    let workspace = recorded();
    let plain = workspace.bytes(JOURNAL);
    let commands: [&[&str]; 5] = [
        &["explain", "--number", "3", "--format", "json"],
        &["history", "--include-given", "--at", AT, "--format", "json"],
        &["replay", "--format", "json"],
        &["brake", "status", "--format", "json"],
        &["undo", "list", "--format", "json"],
    ];
    let before: Vec<String> = commands
        .iter()
        .map(|command| workspace.program(command).stdout)
        .collect();
    let rotated = rotate(&workspace, &[]).exits(0).json();
    let all = rotated["journals"].as_array().unwrap();
    let closed: Vec<_> = all
        .iter()
        .filter(|journal| !journal["segment"].is_null())
        .collect();
    assert_eq!(closed.len(), 2, "{rotated}");
    let segment = closed[0]["segment"]["file"].as_str().unwrap();
    assert_eq!(
        segment,
        "state/segments/policy_state_log.000000001-000000005.jsonl.gz"
    );
    // `zcat` reads it.
    let zcat = std::process::Command::new("gzip")
        .args(["-dc"])
        .arg(workspace.file(segment))
        .output()
        .unwrap();
    assert_eq!(zcat.stdout, plain);
    assert_eq!(workspace.journal().len(), 1);
    for (command, before) in commands.iter().zip(&before) {
        let after = workspace.program(command).stdout;
        match command[0] {
            // They tell which files were read.
            "history" | "replay" => {
                let json =
                    |text: &str| -> serde_json::Value { serde_json::from_str(text).unwrap() };
                for key in ["decisions", "levels", "changes", "reproduced", "documents"] {
                    assert_eq!(json(&after)[key], json(before)[key], "{command:?}: {key}");
                }
            }
            // It tells where the line stands, and nothing was wrong there.
            "explain" => {
                let mut now: serde_json::Value = serde_json::from_str(&after).unwrap();
                let stands_in = now.as_object_mut().unwrap().remove("segment");
                assert_eq!(stands_in.unwrap(), segment);
                assert_eq!(
                    now,
                    serde_json::from_str::<serde_json::Value>(before).unwrap()
                );
                assert_eq!(workspace.program(command).stderr, "");
            }
            _ => assert_eq!(&after, before, "{command:?}"),
        }
    }
    workspace.program(&["replay"]).exits(0);
    let verified = workspace.program(&["audit", "verify"]).exits(0).json();
    assert_eq!(verified["journals"][0]["lines"], 6);
    assert_eq!(verified["journals"][0]["closed"], 1);
    // It goes on: the level before is known, the numbers follow.
    let ran = workspace.run_at("2026-01-15T14:01:00Z").exits(0).json();
    assert_eq!(ran["before"], "GREEN");
    assert!(workspace.journal()[1].contains("\"seq\":7,"));
    workspace
        .program(&[
            "brake",
            "reset",
            "--reason",
            "x",
            "--at",
            "2026-01-15T14:02:00Z",
        ])
        .exits(0);
    rotate(&workspace, &[]).exits(0);
    workspace.run_at("2026-01-15T14:03:00Z").exits(0);
    let verified = workspace.program(&["audit", "verify"]).exits(0).json();
    assert_eq!(verified["journals"][0]["closed"], 2);
    workspace.program(&["explain", "--number", "3"]).exits(0);
    workspace
        .program(&["status", "--at", "2026-01-15T14:04:00Z"])
        .exits(0);
}

#[test]
fn a_journal_stays_while_it_is_small_or_young_or_has_nothing_new() {
    let workspace = recorded();
    let is_kept = |further: &[&str]| {
        let rotated = rotate(&workspace, further).exits(0).json();
        let all = rotated["journals"].as_array().unwrap().clone();
        all.iter().all(|journal| journal["segment"].is_null())
    };
    assert!(is_kept(&["--keep-lines", "5"]));
    assert!(is_kept(&["--keep-days", "1"]));
    assert!(!is_kept(&["--journal", JOURNAL, "--keep-lines", "4"]));
    assert!(is_kept(&["--journal", JOURNAL]));
    let old = Workspace::healthy();
    old.run_at("2026-01-13T12:00:00Z").exits(0);
    let rotated = rotate(&old, &["--journal", JOURNAL, "--keep-days", "1"]).exits(0);
    assert!(rotated.json()["journals"][0]["segment"].is_object());
    rotate(&old, &["--keep-days", "1", "--keep-lines", "1"]).exits(2);
    rotate(&old, &["--journal", "state/policy_versions_log.jsonl"]).exits(2);
}

#[test]
fn what_is_not_whole_is_not_closed() {
    let workspace = recorded();
    let text = workspace.read(JOURNAL).replacen("97.5", "97.6", 1);
    workspace.write(JOURNAL, text);
    let before = workspace.bytes(JOURNAL);
    rotate(&workspace, &["--journal", JOURNAL]).exits(5);
    assert_eq!(workspace.bytes(JOURNAL), before);
    assert!(!workspace.file("state/segments").exists());
}

/// What a kill leaves at each step: a temporary file, a segment that nobody names, a journal that was
/// replaced and whose head was not kept.
#[test]
fn a_kill_at_any_step_is_made_good_by_the_next_command() {
    let journal = "state/policy_response_journal.jsonl";
    let done = recorded();
    rotate(&done, &[]).exits(0);
    let segment = "state/segments/policy_response_journal.000000001-000000001.jsonl.gz";
    let steps: [(&str, &dyn Fn(&Workspace)); 4] = [
        ("a part of the temporary file", &|w| {
            w.write("state/.record.tmp", "x");
        }),
        ("the segment", &|w| w.write(segment, done.bytes(segment))),
        ("a part of another segment", &|w| w.write(segment, "x")),
        ("the journal", &|w| {
            w.write(segment, done.bytes(segment));
            w.write(journal, done.bytes(journal));
        }),
    ];
    for (name, leave) in steps {
        let workspace = recorded();
        std::fs::create_dir_all(workspace.file("state/segments")).unwrap();
        leave(&workspace);
        let verified = workspace.program(&["audit", "verify"]);
        assert_eq!(verified.code, 0, "{name}: {}", verified.stderr);
        rotate(&workspace, &[]).exits(0);
        workspace.program(&["audit", "verify"]).exits(0);
        workspace
            .program(&[
                "brake",
                "reset",
                "--reason",
                "x",
                "--at",
                "2026-01-15T14:02:00Z",
            ])
            .exits(0);
        workspace.program(&["audit", "verify"]).exits(0);
        workspace.run_at("2026-01-15T14:03:00Z").exits(0);
    }
}

#[test]
fn a_run_right_behind_a_closing_still_holds_the_state_file_against_the_record() {
    let workspace = recorded();
    rotate(&workspace, &[]).exits(0);
    let state = workspace.read("state/policy_state.json");
    workspace.write(
        "state/policy_state.json",
        state.replacen("\"GREEN\"", "\"RED\"", 1),
    );
    workspace.run_at("2026-01-15T14:03:00Z").exits(5);
}

#[test]
fn an_unfinished_line_is_moved_aside_before_a_journal_is_closed() {
    let workspace = recorded();
    let text = workspace.read(JOURNAL);
    workspace.write(JOURNAL, format!("{text}{{\"torn\":"));
    rotate(&workspace, &[]).exits(0);
    workspace.program(&["audit", "verify"]).exits(0);
    assert_eq!(
        workspace.read("state/policy_state_log.jsonl.torn"),
        "{\"torn\":\n"
    );
}

#[test]
fn a_predecessors_plain_log_is_closed_with_its_successor() {
    let workspace = Workspace::healthy();
    workspace.write(
        JOURNAL,
        "{\"timestamp\": \"2026-01-01T04:45:00+00:00\", \"policy\": \"GREEN\"}\n",
    );
    rotate(&workspace, &[]).exits(0);
    assert!(!workspace.file("state/segments").exists());
    workspace.run_at("2026-01-15T12:00:00Z").exits(0);
    rotate(&workspace, &[]).exits(0);
    workspace.run_at("2026-01-15T14:01:00Z").exits(0);
    let verified = workspace.program(&["audit", "verify"]).exits(0).json();
    assert_eq!(verified["journals"][0]["adopted"], 1);
}
