//! `undo` (rows S4-109 to S4-112, OR-07, D-08): round trips, refusals, and what a kill leaves.

use std::collections::BTreeMap;
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::workspace::{Ran, Workspace};

/// A workspace whose last decision is RED, with one action that changes, makes and removes files.
fn with_action(script: &str) -> Workspace {
    let workspace = Workspace::healthy();
    workspace.integrity("80");
    workspace.write(
        "forensics/safety_brake_state.json",
        "{\"is_engaged\": false, \"response_count_24h\": 0, \"max_allowed\": 1000}",
    );
    let document = json!({"schema": 1, "builtin": false, "actions": [{
        "name": "rotate",
        "level": "RED",
        "argv": ["/bin/sh", "-c", script],
        "changes": ["data/a", "data/b", "data/*.conf", "new/deep/file"],
        "creates": ["made/out_*"],
        "reversible": true
    }]});
    workspace.write("policy/responses.json", document.to_string());
    workspace.write("data/a", "one\n");
    workspace.write("data/b", [0, 255, 10]);
    workspace.write("data/x.conf", "x");
    workspace.write("made/out_0", "mine");
    std::fs::set_permissions(
        workspace.file("data/a"),
        std::fs::Permissions::from_mode(0o640),
    )
    .unwrap();
    workspace.program(&["run"]).exits(0);
    workspace
}

const SCRIPT: &str = "echo two > data/a; chmod 600 data/a; rm data/b; echo y > data/y.conf; mkdir -p new/deep; echo f > new/deep/file; echo o > made/out_1";

/// The files that are not ours to write, with their permissions.
fn files(workspace: &Workspace) -> BTreeMap<PathBuf, (Vec<u8>, u32)> {
    let ours = ["state", "reports", "audit_summary.md"];
    let all = workspace.snapshot().into_iter();
    // A temporary file of the summary is the next run's to remove.
    let is_theirs = |file: &PathBuf| {
        let own = ours.iter().any(|own| file.starts_with(own));
        !own && !file.to_string_lossy().ends_with(".md.tmp")
    };
    all.filter(|(file, _)| is_theirs(file))
        .map(|(file, bytes)| {
            let status = std::fs::metadata(workspace.path().join(&file)).unwrap();
            (file, (bytes, status.permissions().mode() & 0o7777))
        })
        .collect()
}

fn apply(workspace: &Workspace) -> String {
    let report = workspace.program(&["respond", "--apply"]).exits(0).json();
    report["response_id"].as_str().unwrap().to_owned()
}

fn undo(workspace: &Workspace, id: &str) -> Ran {
    workspace.program(&["undo", "run", id])
}

fn list(workspace: &Workspace) -> Vec<(String, String)> {
    let listed = workspace.program(&["undo", "list"]).exits(0).json();
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let entries = listed["undos"].as_array().unwrap().iter();
    entries
        .map(|entry| (text(&entry["response_id"]), text(&entry["state"])))
        .collect()
}

#[test]
fn apply_undo_and_undo_of_the_undo_end_where_they_should() {
    let workspace = with_action(SCRIPT);
    let before = files(&workspace);
    let id = apply(&workspace);
    let after = files(&workspace);
    assert_ne!(before, after);

    let dry = workspace
        .program(&["undo", "run", &id, "--dry-run"])
        .exits(0)
        .json();
    assert_eq!(files(&workspace), after);
    assert_eq!(dry["restored"], json!(["data/a", "data/b"]));
    assert_eq!(
        dry["removed"],
        json!(["data/y.conf", "made/out_1", "new/deep/file"])
    );

    let undone = undo(&workspace, &id).exits(0).json();
    assert_eq!(files(&workspace), before);
    assert!(!workspace.file("new").exists());
    assert!(workspace.file("made/out_0").exists());

    // Running it twice is harmless.
    let again = undo(&workspace, &id).exits(0).json();
    assert!(again["response_id"].is_null());
    assert_eq!(files(&workspace), before);

    // And it can be undone, and undone again.
    let second = undone["response_id"].as_str().unwrap();
    undo(&workspace, second).exits(0);
    assert_eq!(files(&workspace), after);
    undo(&workspace, &id).exits(0);
    assert_eq!(files(&workspace), before);
    workspace.program(&["audit", "verify"]).exits(0);
    assert_eq!(workspace.temporary_files(), Vec::<PathBuf>::new());
}

#[test]
fn a_file_changed_since_is_never_overwritten_and_both_checksums_are_named() {
    type Change = fn(&Workspace);
    let changes: [(&str, Change); 5] = [
        ("data/a", |workspace| workspace.write("data/a", "by hand")),
        ("data/a", |workspace| {
            let mode = std::fs::Permissions::from_mode(0o644);
            std::fs::set_permissions(workspace.file("data/a"), mode).unwrap();
        }),
        ("data/b", |workspace| {
            workspace.write("data/b", "made again");
        }),
        ("made/out_1", |workspace| {
            workspace.write("made/out_1", "mine now");
        }),
        ("data/y.conf", |workspace| {
            std::fs::remove_file(workspace.file("data/y.conf")).unwrap();
            std::os::unix::fs::symlink("a", workspace.file("data/y.conf")).unwrap();
        }),
    ];
    for (file, change) in changes {
        let workspace = with_action(SCRIPT);
        let id = apply(&workspace);
        change(&workspace);
        let before = files(&workspace);
        let ran = undo(&workspace, &id).exits(1);
        assert!(
            ran.stderr.contains(&format!("--> {file}")),
            "{}",
            ran.stderr
        );
        assert_eq!(ran.stderr.matches("error[").count(), 1, "{}", ran.stderr);
        if file == "data/a" {
            assert_eq!(ran.stderr.matches("SHA-256").count(), 2, "{}", ran.stderr);
        }
        assert_eq!(files(&workspace), before);
        workspace.program(&["audit", "verify"]).exits(0);
    }
}

#[test]
fn what_is_gone_already_needs_no_undo() {
    let workspace = with_action(SCRIPT);
    let before = files(&workspace);
    let id = apply(&workspace);
    // Somebody put one file back by hand: that is what the undo would do.
    std::fs::remove_file(workspace.file("made/out_1")).unwrap();
    undo(&workspace, &id).exits(0);
    assert_eq!(files(&workspace), before);
}

#[test]
fn a_later_response_has_to_be_undone_first() {
    let workspace = with_action("echo x >> data/a");
    let before = files(&workspace);
    let first = apply(&workspace);
    workspace.program(&["run"]).exits(0);
    let second = apply(&workspace);
    let ran = undo(&workspace, &first).exits(1);
    assert!(
        ran.stderr.contains("undo what came later first"),
        "{}",
        ran.stderr
    );
    undo(&workspace, &second).exits(0);
    undo(&workspace, &first).exits(0);
    assert_eq!(files(&workspace), before);
}

#[test]
fn an_undo_file_or_kept_bytes_that_were_changed_are_refused() {
    let workspace = with_action(SCRIPT);
    let id = apply(&workspace);
    let name = format!("state/policy_response_undo_{id}_rotate.json");
    let original = workspace.read(&name);
    let after = files(&workspace);
    let undo_file: Value = serde_json::from_str(&original).unwrap();
    let backup = undo_file["files"][0]["backup"].as_str().unwrap().to_owned();

    let forged = original.replace("\"path\": \"data/a\"", "\"path\": \"data/../../outside\"");
    workspace.write(&name, forged);
    let ran = undo(&workspace, &id).exits(1);
    assert!(ran.stderr.contains("UNDO_FILE_BROKEN"), "{}", ran.stderr);

    workspace.write(&name, "{");
    undo(&workspace, &id).exits(1);
    workspace.program(&["undo", "list"]).exits(1);

    workspace.write(&name, &original);
    let kept = workspace.bytes(&backup);
    workspace.write(&backup, "other bytes");
    let ran = undo(&workspace, &id).exits(1);
    assert!(
        ran.stderr.contains("kept bytes of data/a"),
        "{}",
        ran.stderr
    );
    assert_eq!(files(&workspace), after);
    workspace.write(&backup, kept);
    undo(&workspace, &id).exits(0);

    undo(&workspace, "no-such-response").exits(1);
    workspace
        .program(&["undo", "show", "no-such-response"])
        .exits(1);
}

#[test]
fn an_undo_file_names_its_response_too() {
    let workspace = with_action(SCRIPT);
    let before = files(&workspace);
    let id = apply(&workspace);
    let name = format!("state/policy_response_undo_{id}_rotate.json");
    undo(&workspace, &name).exits(0);
    assert_eq!(files(&workspace), before);
}

#[test]
fn a_journal_that_was_changed_is_no_ground_for_an_undo() {
    let workspace = with_action(SCRIPT);
    let id = apply(&workspace);
    let journal = "state/policy_response_journal.jsonl";
    let text = workspace.read(journal);
    workspace.write(journal, text.replace("\"index\":0", "\"index\":1"));
    let before = files(&workspace);
    undo(&workspace, &id).exits(5);
    assert_eq!(files(&workspace), before);
    // And nothing is applied behind it.
    workspace.program(&["respond", "--apply"]).exits(3);
}

#[test]
fn the_kill_switch_does_not_stop_an_undo() {
    let workspace = with_action(SCRIPT);
    let before = files(&workspace);
    let id = apply(&workspace);
    workspace.write("state/kill_switch.json", "{\"on\": true}");
    undo(&workspace, &id).exits(0);
    assert_eq!(files(&workspace), before);
}

#[test]
fn what_was_kept_is_pruned_by_age_and_the_record_stays() {
    let workspace = with_action(SCRIPT);
    let id = apply(&workspace);
    let pruned = |days: &str| {
        workspace
            .program(&["undo", "prune", "--keep-days", days])
            .exits(0)
            .json()["removed"]
            .as_array()
            .unwrap()
            .len()
    };
    assert_eq!(pruned("1"), 0);
    assert_eq!(list(&workspace), [(id.clone(), "can_be_undone".to_owned())]);
    assert_eq!(pruned("0"), 1);
    assert_eq!(list(&workspace), []);
    assert_eq!(
        std::fs::read_dir(workspace.file("state/undo"))
            .unwrap()
            .count(),
        0
    );
    assert!(
        workspace
            .read("state/policy_response_journal.jsonl")
            .contains(&id)
    );
    undo(&workspace, &id).exits(1);
    workspace.program(&["audit", "verify"]).exits(0);
}

fn wait_until(what: &str, is_so: impl Fn() -> bool) {
    let begin = Instant::now();
    while !is_so() {
        assert!(begin.elapsed() < Duration::from_secs(10), "{what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// Starts an apply and waits until its action says that it began.
fn begin(workspace: &Workspace) -> Child {
    let running = workspace
        .command(&["respond", "--apply"])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    wait_until("the action starts", || {
        workspace.file("made/out_started").exists()
    });
    running
}

fn kill_in_the_action(workspace: &Workspace) {
    let mut running = begin(workspace);
    running.kill().unwrap();
    running.wait().unwrap();
}

#[test]
fn after_a_kill_the_next_commands_say_so_nothing_is_repeated_and_undo_cleans_up() {
    let workspace = with_action("echo half > data/a; echo on > made/out_started; sleep 60");
    let before = files(&workspace);
    kill_in_the_action(&workspace);

    // Undo file and kept bytes were there before the action changed anything (S4-112).
    let (id, state) = list(&workspace).pop().unwrap();
    assert_eq!(state, "pending");
    let said = |ran: &Ran| {
        assert!(
            ran.stderr.contains("RESPONSE_INTERRUPTED"),
            "{}",
            ran.stderr
        );
        assert!(
            ran.stderr.contains(&format!("undo run {id}")),
            "{}",
            ran.stderr
        );
    };
    wait_until("the action is gone", || {
        let ran = workspace.program(&["respond"]);
        ran.stderr.contains("RESPONSE_INTERRUPTED")
    });
    said(&workspace.program(&["respond"]).exits(0));
    said(&workspace.program(&["status"]).exits(0));
    said(&workspace.program(&["undo", "list"]).exits(0));
    said(&workspace.program(&["run", "--dry-run"]).exits(0));

    // Not repeated, and counted.
    let blocked = workspace.program(&["respond", "--apply"]).exits(3);
    said(&blocked);
    let closed: Vec<Value> = blocked.json()["gates"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|gate| gate["open"] == false)
        .map(|gate| gate["reason"].clone())
        .collect();
    assert_eq!(closed, ["outcome_unknown", "already_applied"]);
    let log = workspace.read("state/policy_response_log.jsonl");
    let first: Value = serde_json::from_str(log.lines().next().unwrap()).unwrap();
    assert_eq!(
        (&first["interrupted"], &first["response_id"]),
        (&json!(true), &json!(id))
    );

    undo(&workspace, &id).exits(0);
    assert_eq!(files(&workspace), before);
    let again = workspace.program(&["respond"]).exits(0).json()["gates"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|gate| gate["open"] == false)
        .count();
    // The plan was applied once; that somebody undid it is no word to do it again.
    assert_eq!(again, 1);
    workspace.program(&["audit", "verify"]).exits(0);
}

#[test]
fn an_operators_word_goes_on_behind_an_unknown_outcome() {
    let workspace = with_action("echo on > made/out_started; [ -e go ] || sleep 60");
    kill_in_the_action(&workspace);
    workspace.write("go", "");
    wait_until("the action is gone", || {
        let ran = workspace.program(&["respond", "--apply", "--again", "--reason", "looked at it"]);
        ran.code == 0
    });
    let (id, _) = list(&workspace).remove(0);
    let journal = workspace.read("state/policy_response_journal.jsonl");
    let last: Value = serde_json::from_str(journal.lines().last().unwrap()).unwrap();
    assert_eq!(last["standing"]["unsettled"], json!([]));
    assert!(journal.contains(&id));
}

#[test]
fn an_undo_waits_for_nobody_and_says_who_is_applying() {
    let workspace =
        with_action("echo on > made/out_started; while [ ! -e go ]; do sleep 0.02; done");
    let mut running = begin(&workspace);
    let (id, _) = list(&workspace).remove(0);
    let ran = undo(&workspace, &id).exits(3);
    assert!(ran.stderr.contains("(apply by "), "{}", ran.stderr);
    workspace.write("go", "");
    assert_eq!(running.wait().unwrap().code(), Some(0));
}

#[test]
fn fifty_kills_at_any_moment_leave_a_way_back() {
    for trial in 0..50_u64 {
        let workspace = with_action(
            "for i in 1 2 3 4 5 6 7 8; do echo $i >> data/a; done; rm data/b; echo y > data/y.conf; echo o > made/out_1",
        );
        let before = files(&workspace);
        let mut running = workspace
            .command(&["respond", "--apply"])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        std::thread::sleep(Duration::from_micros(trial * 1_500));
        let _ = running.kill();
        running.wait().unwrap();
        wait_until("nobody holds the lock", || {
            workspace
                .program(&["undo", "prune", "--keep-days", "9"])
                .code
                == 0
        });
        for (id, _) in list(&workspace) {
            undo(&workspace, &id).exits(0);
        }
        assert!(files(&workspace) == before, "trial {trial}");
        workspace.program(&["audit", "verify"]).exits(0);
        workspace.program(&["run"]).exits(0);
        assert_eq!(
            workspace.temporary_files(),
            Vec::<PathBuf>::new(),
            "trial {trial}"
        );
    }
}

#[test]
fn a_broken_journal_of_responses_can_be_gone_on_behind_and_forgets_no_unknown_outcome() {
    let workspace = with_action("echo half > data/a; echo on > made/out_started; sleep 60");
    kill_in_the_action(&workspace);
    wait_until("the action is gone", || {
        workspace
            .program(&["undo", "prune", "--keep-days", "9"])
            .code
            == 0
    });
    let journal = "state/policy_response_journal.jsonl";
    let reseal = [
        "audit",
        "reseal",
        "--journal",
        journal,
        "--reason",
        "edited by hand",
    ];
    let ran = workspace.program(&reseal).exits(1);
    assert!(ran.stderr.contains("JOURNAL_WHOLE"), "{}", ran.stderr);

    let text = workspace.read(journal);
    workspace.write(
        journal,
        text.replacen("\"unattended\":false", "\"unattended\":true", 1),
    );
    workspace.program(&["audit", "verify"]).exits(5);
    workspace.program(&["respond", "--apply"]).exits(3);
    workspace.program(&reseal).exits(0);
    workspace.program(&["audit", "verify"]).exits(0);
    let ran = workspace.program(&["respond", "--apply"]).exits(3);
    assert!(ran.stdout.contains("outcome_unknown"), "{}", ran.stdout);
    assert!(!ran.stdout.contains("journal_broken"), "{}", ran.stdout);

    // The heads of all journals gone: what is longer than a line is gone on behind.
    std::fs::remove_file(workspace.file("state/journal_heads.json")).unwrap();
    workspace.program(&["audit", "verify"]).exits(5);
    let log = "state/policy_response_log.jsonl";
    workspace
        .program(&[
            "audit",
            "reseal",
            "--journal",
            log,
            "--reason",
            "heads lost",
        ])
        .exits(0);
    workspace.program(&["audit", "verify"]).exits(0);
}

#[test]
fn a_recorded_verification_is_where_the_next_apply_begins_to_check() {
    let workspace = with_action("echo x >> data/a");
    apply(&workspace);
    let file = "state/journal_verified.json";
    let first = workspace.read(file);
    workspace.program(&["run"]).exits(0);
    workspace.program(&["audit", "verify"]).exits(0);
    assert_eq!(workspace.read(file), first);
    workspace.program(&["audit", "verify", "--record"]).exits(0);
    assert_ne!(workspace.read(file), first);
    // It only saves work: one that names another line closes the gate, none is no harm.
    let heads: Value = serde_json::from_str(&workspace.read(file)).unwrap();
    let sha256 = heads["heads"]["state/policy_state_log.jsonl"]["sha256"]
        .as_str()
        .unwrap();
    workspace.write(file, workspace.read(file).replace(sha256, &"0".repeat(64)));
    workspace.program(&["respond", "--apply"]).exits(5);
    let ran = workspace
        .program(&["respond", "--apply", "--policy", "RED"])
        .exits(3);
    assert!(ran.stdout.contains("journal_broken"), "{}", ran.stdout);
    std::fs::remove_file(workspace.file(file)).unwrap();
    apply(&workspace);
}

/// Two reversible actions, each with a file of its own.
fn with_two_actions() -> Workspace {
    let workspace = with_action(SCRIPT);
    let action = |name: &str, file: &str| {
        json!({"name": name, "level": "RED", "argv": ["/bin/sh", "-c", format!("echo {name} > {file}")],
               "changes": [file], "reversible": true})
    };
    let document = json!({"schema": 1, "builtin": false, "actions": [action("one", "data/a"), action("two", "data/b")]});
    workspace.write("policy/responses.json", document.to_string());
    workspace.program(&["run"]).exits(0);
    workspace
}

#[test]
fn half_a_response_is_never_undone() {
    let workspace = with_two_actions();
    let id = apply(&workspace);
    let after = files(&workspace);
    let name = format!("state/policy_response_undo_{id}_one.json");
    let undo_file = workspace.read(&name);
    std::fs::remove_file(workspace.file(&name)).unwrap();
    let ran = undo(&workspace, &id).exits(1);
    assert!(
        ran.stderr.contains(&format!("--> {name}")),
        "{}",
        ran.stderr
    );
    assert!(files(&workspace) == after);

    // An undo file that calls itself older, or never ended, is not the one that was written.
    let older = undo_file.replace("\"executed_at\": \"2", "\"executed_at\": \"1");
    let pending = undo_file.replace("\"outcome\": \"known\"", "\"outcome\": \"pending\"");
    assert!(older != undo_file && pending != undo_file);
    workspace.write(&name, older);
    undo(&workspace, &id).exits(1);
    workspace
        .program(&["undo", "prune", "--keep-days", "30"])
        .exits(0);
    assert!(workspace.file(&name).exists());
    workspace.write(&name, pending);
    workspace
        .program(&["undo", "prune", "--keep-days", "30"])
        .exits(0);
    assert!(workspace.file(&name).exists());
    workspace.write(&name, undo_file);
    undo(&workspace, &id).exits(0);
}

#[test]
fn an_undo_works_behind_a_reseal_of_its_journal() {
    let workspace = with_two_actions();
    let before = files(&workspace);
    let id = apply(&workspace);
    let journal = "state/policy_response_journal.jsonl";
    let text = workspace.read(journal);
    workspace.write(journal, format!("{text}{{\"garbage\"\n"));
    workspace
        .program(&[
            "audit",
            "reseal",
            "--journal",
            journal,
            "--reason",
            "garbage at its end",
        ])
        .exits(0);
    let ran = workspace.program(&["respond"]).exits(0);
    assert!(ran.stdout.contains("outcome_unknown"), "{}", ran.stdout);
    undo(&workspace, &id).exits(0);
    assert!(files(&workspace) == before);
    // Nobody knows what the garbage stood for, until somebody lets it stand.
    workspace.program(&["undo", "accept", "unknown"]).exits(2);
    workspace
        .program(&["undo", "accept", "unknown", "--reason", "only my editor"])
        .exits(0);
    workspace
        .program(&["undo", "accept", "unknown", "--reason", "again"])
        .exits(1);
    let ran = workspace.program(&["respond"]).exits(0);
    assert!(!ran.stdout.contains("outcome_unknown"), "{}", ran.stdout);
    workspace.program(&["audit", "verify"]).exits(0);
}

#[test]
fn nothing_is_put_back_or_removed_through_a_link() {
    let workspace = with_action(SCRIPT);
    let id = apply(&workspace);
    let outside = tempfile::tempdir().unwrap();
    std::fs::create_dir_all(outside.path().join("deep")).unwrap();
    std::fs::remove_dir_all(workspace.file("new")).unwrap();
    std::os::unix::fs::symlink(outside.path(), workspace.file("new")).unwrap();
    undo(&workspace, &id).exits(1);
    assert!(outside.path().join("deep").exists());
}

#[test]
fn a_file_of_several_names_is_no_file_to_change() {
    let workspace = with_action("echo x >> data/a");
    std::fs::hard_link(workspace.file("data/a"), workspace.file("other")).unwrap();
    let report = workspace.program(&["respond", "--apply"]).exits(1).json();
    let ended = report["results"][0]["ended"].as_str().unwrap();
    assert!(ended.contains("several names"), "{ended}");
    assert_eq!(workspace.read("data/a"), "one\n");
}

#[test]
fn what_was_kept_is_not_pruned_while_the_kill_switch_is_on() {
    let workspace = with_action(SCRIPT);
    apply(&workspace);
    workspace.write("state/kill_switch.json", "{\"on\": true}");
    workspace
        .program(&["undo", "prune", "--keep-days", "0"])
        .exits(3);
    assert_eq!(list(&workspace).len(), 1);
}

const JOURNAL: &str = "state/policy_response_journal.jsonl";

fn reseal(workspace: &Workspace, journal: &str) -> Ran {
    workspace.program(&["audit", "reseal", "--journal", journal, "--reason", "test"])
}

/// The reasons of the closed gates.
fn closed(workspace: &Workspace) -> Vec<String> {
    let preview = workspace.program(&["respond"]).exits(0).json();
    let gates = preview["gates"].as_array().unwrap().iter();
    gates
        .filter_map(|gate| gate["reason"].as_str())
        .map(str::to_owned)
        .collect()
}

#[test]
fn a_record_that_somebody_put_back_leaves_two_documented_ways_on() {
    for by_reseal in [true, false] {
        let workspace = with_action("echo x >> data/a");
        let files = [
            JOURNAL,
            "state/policy_response_log.jsonl",
            "state/journal_heads.json",
        ];
        apply(&workspace);
        let earlier: Vec<_> = files.iter().map(|file| workspace.bytes(file)).collect();
        workspace.program(&["run"]).exits(0);
        apply(&workspace);
        for (file, bytes) in files.iter().zip(&earlier) {
            workspace.write(file, bytes);
        }
        assert!(closed(&workspace).is_empty() || closed(&workspace) == ["already_applied"]);
        let ran = workspace.program(&["audit", "verify"]).exits(5);
        assert!(
            ran.stderr.contains("remove state/journal_verified.json"),
            "{}",
            ran.stderr
        );
        workspace.program(&["doctor"]).exits(5);
        if by_reseal {
            reseal(&workspace, JOURNAL).exits(0);
            reseal(&workspace, "state/policy_response_log.jsonl").exits(0);
        } else {
            std::fs::remove_file(workspace.file("state/journal_verified.json")).unwrap();
        }
        workspace.program(&["audit", "verify"]).exits(0);
        workspace.program(&["run"]).exits(0);
        let ran = workspace.program(&["respond", "--apply"]);
        assert!(!ran.stdout.contains("journal_broken"), "{}", ran.stdout);
    }
}

#[test]
fn a_reseal_of_a_journal_that_is_gone_or_cut_forgets_no_unknown_outcome() {
    for cut in [true, false] {
        let workspace = with_action("echo half > data/a; echo on > made/out_started; sleep 60");
        kill_in_the_action(&workspace);
        wait_until("the action is gone", || {
            workspace
                .program(&["status"])
                .stderr
                .contains("RESPONSE_INTERRUPTED")
        });
        if cut {
            let first = workspace.read(JOURNAL).lines().next().unwrap().to_owned();
            workspace.write(JOURNAL, format!("{first}\n"));
        } else {
            std::fs::remove_file(workspace.file(JOURNAL)).unwrap();
        }
        reseal(&workspace, JOURNAL).exits(0);
        assert!(closed(&workspace).contains(&"outcome_unknown".to_owned()));
        workspace
            .program(&["respond", "--apply", "--again", "--reason", "test"])
            .exits(3);
        let status = workspace.program(&["status"]).exits(0);
        assert!(status.stderr.contains("undo accept"), "{}", status.stderr);
        for id in ["unknown", &list(&workspace)[0].0] {
            workspace.program(&["undo", "accept", id, "--reason", "looked"]);
        }
        assert!(!closed(&workspace).contains(&"outcome_unknown".to_owned()));
    }
}

#[test]
fn a_response_whose_beginning_is_lost_can_be_let_stand() {
    let workspace = with_action("echo half > data/a; echo on > made/out_started; sleep 60");
    kill_in_the_action(&workspace);
    wait_until("the action is gone", || {
        workspace
            .program(&["status"])
            .stderr
            .contains("RESPONSE_INTERRUPTED")
    });
    let text = workspace
        .read(JOURNAL)
        .replacen("response_begun", "response_gone", 1);
    workspace.write(JOURNAL, text);
    reseal(&workspace, JOURNAL).exits(0);
    let (id, _) = list(&workspace).remove(0);
    workspace
        .program(&["undo", "accept", &id, "--reason", "looked"])
        .exits(0);
    assert!(
        !closed(&workspace).contains(&"outcome_unknown".to_owned()),
        "{:?}",
        closed(&workspace)
    );
}
