//! The journal: its bytes, its chain, what verification finds, and how a broken one is gone on from.

use policy_orchestrator::ids::{Digest, RunId};
use serde_json::{Value, json};

use crate::workspace::{JOURNAL, Ran, Workspace};

const SECRET: &str = "a secret of at least thirty-two bytes";

/// A workspace with five recorded decisions.
fn recorded() -> Workspace {
    let workspace = Workspace::healthy();
    for minute in 0..5 {
        workspace.forecast(if minute % 2 == 0 { "low" } else { "medium" });
        workspace
            .run_at(&format!("2026-01-15T12:0{minute}:00Z"))
            .exits(0);
    }
    workspace
}

fn verify(workspace: &Workspace) -> Ran {
    workspace.program(&["audit", "verify"])
}

/// What `audit verify` says of the journal of decisions.
fn verdict(ran: &Ran) -> (String, Vec<String>) {
    let journal = ran.json()["journals"][0].clone();
    let problem = |problem: &Value| {
        let line = problem["place"]["line"]
            .as_u64()
            .map_or_else(String::new, |line| format!(":{line}"));
        format!("{}{line}", problem["code"].as_str().unwrap())
    };
    let problems = journal["problems"]
        .as_array()
        .unwrap()
        .iter()
        .map(problem)
        .collect();
    (journal["verdict"].as_str().unwrap().to_owned(), problems)
}

fn write_lines(workspace: &Workspace, lines: &[String]) {
    workspace.write(JOURNAL, lines.join("\n") + "\n");
}

#[test]
fn the_bytes_of_a_line_and_its_hash_are_pinned() {
    let workspace = Workspace::healthy();
    workspace.forecast("medium");
    std::fs::remove_file(workspace.file("federation/reputation_index.json")).unwrap();
    let state = workspace.run().exits(0).json();
    // Spelt out by hand after the format's description in docs/journal.md. A change of these bytes
    // is a change of the format: old journals must still verify, and the version has to grow.
    let line = concat!(
        r#"{"timestamp":"2026-01-15T12:00:00+00:00","policy":"YELLOW","trust_locked":false,"integrity":97.5,"#,
        r#""consensus":95.0,"reputation":100.0,"forecast":"medium","responses":2,"v":1,"seq":1,"#,
        r#""prev":"e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855","#,
        r#""doc":"594ca69fcd607ffdca1c1e77f1309a6181041c907f7873bc8a46abd4bb32019f","#,
        r#""before":null,"reasons":["INPUT_MISSING","FORECAST_MEDIUM"],"#,
        r#""status":{"reputation":"missing"},"clock":"given"}"#,
    );
    assert_eq!(workspace.read(JOURNAL), format!("{line}\n"));
    assert_eq!(
        state["journal"],
        json!({"seq": 1, "sha256": Digest::of(line.as_bytes()).to_string()})
    );
    assert_eq!(Digest::of(line.as_bytes()).to_string(), PINNED);
}

/// `printf '%s' "$line" | sha256sum`
const PINNED: &str = "3b00c22f3d2d4207a454f45e72642169f2d1d69b136f8ef5bf6f4ebd161f582e";

#[test]
fn a_run_that_nobody_watches_has_the_id_that_follows_from_its_line() {
    let workspace = recorded();
    let state = workspace.state();
    let sha256 = state["journal"]["sha256"].as_str().unwrap();
    let run_id = state["run_id"].as_str().unwrap();
    // 32 digits of the hash, but for the two that say which kind of UUID it is.
    let digits = run_id.replace('-', "");
    let without = |text: &str| format!("{}{}{}", &text[..12], &text[13..16], &text[17..32]);
    assert_eq!(without(&digits), without(sha256));
    assert_eq!(digits.as_bytes()[12], b'8', "{run_id}");
    assert!(!workspace.read(JOURNAL).contains("run_id"));
    let listed = workspace.program(&["audit", "list"]).exits(0).stdout;
    let ids = listed.lines().map(|line| {
        let entry: Value = serde_json::from_str(line).unwrap();
        entry["details"]["run_id"].as_str().unwrap().to_owned()
    });
    let mut ids: Vec<String> = ids.collect();
    assert_eq!(ids[0], run_id);
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids.len(), 5, "each run has its own");
    let dry = workspace.program(&["run", "--dry-run"]).exits(0).json();
    assert_eq!(dry.get("run_id"), None, "nothing recorded, nothing told");
}

#[test]
fn a_red_over_a_broken_journal_has_an_id_too() {
    let workspace = recorded();
    let broken = workspace.read(JOURNAL).replace("97.5", "99.5");
    workspace.write(JOURNAL, broken);
    let state = workspace.run().exits(5).json();
    assert_eq!(state["journal"]["broken"], true);
    assert_eq!(state["run_id"].as_str().map(str::len), Some(36));
    assert_eq!(workspace.state()["run_id"], state["run_id"]);
}

#[test]
fn a_whole_journal_verifies() {
    let workspace = recorded();
    let ran = verify(&workspace).exits(0);
    assert_eq!(verdict(&ran), ("whole".to_owned(), vec![]));
    assert_eq!(ran.json()["journals"][0]["lines"], 5);
}

#[test]
fn every_kind_of_change_is_found_and_named_by_its_line() {
    let original = recorded().journal();
    let edited = |index: usize| {
        let mut lines = original.clone();
        lines[index] = lines[index].replace("\"integrity\":97.5", "\"integrity\":99.5");
        lines
    };
    let without = |index: usize| {
        let mut lines = original.clone();
        lines.remove(index);
        lines
    };
    let mut swapped = original.clone();
    swapped.swap(1, 2);
    let mut inserted = original.clone();
    inserted.insert(2, original[1].clone());
    let mut foreign = original.clone();
    foreign.insert(
        3,
        r#"{"timestamp":"2026-01-15T12:02:30+00:00","policy":"GREEN"}"#.to_owned(),
    );
    let cases: [(&str, Vec<String>, &[&str]); 9] = [
        ("an edited line", edited(2), &["LINE_CHANGED:3"]),
        ("an edited first line", edited(0), &["LINE_CHANGED:1"]),
        ("an edited last line", edited(4), &["HEAD_DIFFERS:5"]),
        ("a deleted line", without(2), &["LINE_ORDER:3"]),
        ("a deleted first line", without(0), &["LINE_CHANGED:1"]),
        (
            "two swapped lines",
            swapped,
            &["LINE_ORDER:2", "LINE_ORDER:3", "LINE_ORDER:4"],
        ),
        ("a line put in twice", inserted, &["LINE_ORDER:3"]),
        (
            "a line put in that is no record",
            foreign,
            &["LINE_UNREADABLE:4"],
        ),
        ("a cut end", original[..3].to_vec(), &["END_CUT:3"]),
    ];
    for (name, lines, problems) in cases {
        let workspace = recorded();
        write_lines(&workspace, &lines);
        let ran = verify(&workspace).exits(5);
        assert_eq!(
            verdict(&ran),
            (
                "broken".to_owned(),
                problems.iter().map(|code| (*code).to_owned()).collect()
            ),
            "{name}"
        );
    }
}

#[test]
fn a_change_of_any_single_byte_is_found() {
    let original = recorded().bytes(JOURNAL);
    let workspace = recorded();
    for index in (0..original.len()).step_by(37) {
        let mut changed = original.clone();
        changed[index] ^= 1;
        workspace.write(JOURNAL, &changed);
        assert_eq!(verify(&workspace).code, 5, "byte {index}");
    }
    workspace.write(JOURNAL, &original);
    verify(&workspace).exits(0);
}

#[test]
fn a_head_that_was_kept_elsewhere_finds_a_rewritten_journal() {
    let workspace = recorded();
    let head = verify(&workspace).json()["journals"][0]["head"].clone();
    let kept = format!("{}:{}", head["seq"], head["sha256"].as_str().unwrap());
    // Somebody rewrites everything, state file included: the chain alone can't tell.
    std::fs::remove_dir_all(workspace.file("state")).unwrap();
    for minute in 0..5 {
        workspace
            .run_at(&format!("2026-01-15T12:0{minute}:00Z"))
            .exits(0);
    }
    verify(&workspace).exits(0);
    let ran = workspace
        .program(&["audit", "verify", "--head", &kept])
        .exits(5);
    assert_eq!(verdict(&ran).1, ["HEAD_DIFFERS:5"]);
}

#[test]
fn a_plain_log_is_adopted_by_the_first_append() {
    for end in ["", "\n"] {
        let workspace = Workspace::healthy();
        let plain = format!(
            "{{\"timestamp\": \"2025-11-14T06:55:16+00:00\", \"policy\": \"RED\"}}\n{{\"no\": \"chain\"}}{end}"
        );
        workspace.write(JOURNAL, &plain);
        assert_eq!(verdict(&verify(&workspace).exits(0)).0, "unchained");
        let ran = workspace.run().exits(0);
        assert!(ran.stderr.contains("JOURNAL_ADOPTED"), "{}", ran.stderr);
        let line: Value = serde_json::from_str(&workspace.journal()[2]).unwrap();
        assert_eq!(
            (&line["seq"], &line["adopted"]),
            (&json!(3), &json!(plain.len()))
        );
        assert_eq!(line["prev"], Digest::of(plain.as_bytes()).to_string());
        workspace.run_at("2026-01-15T12:01:00Z").exits(0);
        assert_eq!(verdict(&verify(&workspace).exits(0)).0, "whole");
        let text = workspace.read(JOURNAL);
        workspace.write(JOURNAL, text.replacen("RED", "RAD", 1));
        assert_eq!(verdict(&verify(&workspace).exits(5)).1, ["LINE_CHANGED:3"]);
    }
}

#[test]
fn a_predecessors_state_file_is_gone_on_from() {
    let workspace = Workspace::healthy();
    workspace.write("state/policy_state.json", r#"{"policy":"RED","evaluated_at":"2026-01-14T04:45:00+00:00","inputs":{"trust_locked":false,"integrity_score":97.5,"consensus_pct":100.0,"reputation_score":100.0,"forecast_risk":"high","recent_responses":10},"thresholds":{}}"#);
    assert_eq!(workspace.run().exits(0).json()["before"], "RED");
}

#[test]
fn a_run_on_a_broken_journal_publishes_red_and_appends_nothing() {
    let changes: [(&str, &dyn Fn(&Workspace)); 5] = [
        ("cut", &|workspace| {
            write_lines(workspace, &workspace.journal()[..3]);
        }),
        ("gone", &|workspace| {
            std::fs::remove_file(workspace.file(JOURNAL)).unwrap();
        }),
        ("edited end", &|workspace| {
            let text = workspace
                .read(JOURNAL)
                .replace("\"responses\":2", "\"responses\":1");
            workspace.write(JOURNAL, text);
        }),
        ("foreign line", &|workspace| {
            let text = workspace.read(JOURNAL) + "{\"policy\":\"GREEN\"}\n";
            workspace.write(JOURNAL, text);
        }),
        ("edited state", &|workspace| {
            let text =
                workspace
                    .read("state/policy_state.json")
                    .replacen("\"GREEN\"", "\"YELLOW\"", 1);
            workspace.write("state/policy_state.json", text);
        }),
    ];
    for (name, change) in changes {
        let workspace = recorded();
        let head = workspace.state()["journal"].clone();
        change(&workspace);
        let journal = std::fs::read(workspace.file(JOURNAL)).ok();
        for minute in 5..7 {
            let ran = workspace
                .run_at(&format!("2026-01-15T12:0{minute}:00Z"))
                .exits(5);
            let state = workspace.state();
            assert_eq!(
                (&state["policy"], &state["reasons"][0]["code"]),
                (&json!("RED"), &json!("JOURNAL_BROKEN")),
                "{name}"
            );
            assert_eq!(
                (&state["journal"]["seq"], &state["journal"]["sha256"]),
                (&head["seq"], &head["sha256"]),
                "{name}: the old head stays"
            );
            assert_eq!(
                std::fs::read(workspace.file(JOURNAL)).ok(),
                journal,
                "{name}"
            );
            assert!(
                ran.stderr.contains("audit reseal"),
                "{name}: {}",
                ran.stderr
            );
            if name == "edited state" {
                // What the state file said is replaced by now; the journal itself is whole.
                break;
            }
        }
        workspace.program(&["explain"]).exits(5);
    }
}

#[test]
fn a_journal_that_is_restored_is_gone_on_from() {
    let workspace = recorded();
    let journal = workspace.bytes(JOURNAL);
    write_lines(&workspace, &workspace.journal()[..3]);
    workspace.run_at("2026-01-15T12:05:00Z").exits(5);
    workspace.write(JOURNAL, &journal);
    let state = workspace.run_at("2026-01-15T12:06:00Z").exits(0).json();
    assert_eq!(
        (&state["journal"]["seq"], &state["before"]),
        (&json!(6), &json!("RED"))
    );
    verify(&workspace).exits(0);
}

#[test]
fn reseal_keeps_the_broken_journal_and_begins_a_new_one() {
    let workspace = recorded();
    write_lines(&workspace, &workspace.journal()[..3]);
    let broken = workspace.bytes(JOURNAL);
    workspace.run_at("2026-01-15T12:05:00Z").exits(5);
    let resealed = workspace
        .program(&[
            "audit",
            "reseal",
            "--reason",
            "cut by a bad merge",
            "--at",
            "2026-01-15T12:06:00Z",
        ])
        .exits(0)
        .json();
    let kept = resealed["segment"]["file"].as_str().unwrap();
    assert_eq!(
        kept,
        "state/segments/policy_state_log.20260115120600.broken.jsonl"
    );
    assert_eq!(workspace.bytes(kept), broken);
    let line: Value = serde_json::from_str(&workspace.journal()[0]).unwrap();
    assert_eq!(
        (&line["event"], &line["reason"], &line["seq"]),
        (&json!("RESEAL"), &json!("cut by a bad merge"), &json!(6))
    );
    verify(&workspace).exits(0);
    let state = workspace.run_at("2026-01-15T12:07:00Z").exits(0).json();
    assert_eq!(
        (&state["policy"], &state["before"], &state["journal"]["seq"]),
        (&json!("GREEN"), &json!("RED"), &json!(7))
    );
    verify(&workspace).exits(0);
    // A head that was kept before the break is looked for in the sealed segment.
    let broken_line = String::from_utf8(broken.clone())
        .unwrap()
        .lines()
        .next()
        .unwrap()
        .to_owned();
    let head = format!("1:{}", Digest::of(broken_line.as_bytes()));
    workspace
        .program(&["audit", "verify", "--head", &head])
        .exits(0);
    let other = format!("1:{}", Digest::of(b"other"));
    assert_eq!(
        verdict(
            &workspace
                .program(&["audit", "verify", "--head", &other])
                .exits(5)
        )
        .1,
        ["HEAD_DIFFERS:1"]
    );
    let whole = workspace
        .program(&["audit", "reseal", "--reason", "once more"])
        .exits(1);
    assert!(whole.stderr.contains("JOURNAL_WHOLE"), "{}", whole.stderr);
    workspace.write(kept, "changed");
    assert_eq!(verdict(&verify(&workspace).exits(5)).1, ["SEGMENT_CHANGED"]);
}

#[test]
fn an_unreadable_state_file_is_no_way_around_the_journal() {
    let workspace = recorded();
    workspace.write("state/policy_state.json", "<<<<<<< HEAD\n{");
    workspace.run_at("2026-01-15T12:05:00Z").exits(5);
    assert_eq!(workspace.state()["reasons"][0]["code"], "JOURNAL_BROKEN");
    workspace.write("state/policy_state.json", "<<<<<<< HEAD\n{");
    workspace
        .program(&[
            "audit",
            "reseal",
            "--reason",
            "merge conflict",
            "--at",
            "2026-01-15T12:06:00Z",
        ])
        .exits(0);
    assert_eq!(
        workspace.read("state/policy_state.json.unreadable"),
        "<<<<<<< HEAD\n{"
    );
    workspace.run_at("2026-01-15T12:07:00Z").exits(0);
    verify(&workspace).exits(0);
}

#[test]
fn a_torn_last_line_is_moved_aside_and_writing_goes_on() {
    let workspace = recorded();
    let whole = workspace.read(JOURNAL);
    workspace.write(
        JOURNAL,
        format!("{whole}{{\"timestamp\":\"2026-01-15T12:04:3"),
    );
    assert!(
        verify(&workspace).exits(0).json()["journals"][0]["torn"]
            .as_bool()
            .unwrap()
    );
    let ran = workspace.run_at("2026-01-15T12:05:00Z").exits(0);
    assert!(ran.stderr.contains("TORN_TAIL_MOVED"), "{}", ran.stderr);
    assert_eq!(
        workspace.read("state/policy_state_log.jsonl.torn"),
        "{\"timestamp\":\"2026-01-15T12:04:3\n"
    );
    assert!(workspace.read(JOURNAL).starts_with(&whole));
    assert_eq!(workspace.journal().len(), 6);
    verify(&workspace).exits(0);
}

#[test]
fn a_journal_ahead_of_the_state_mends_it() {
    let workspace = recorded();
    let (state, journal) = (
        workspace.bytes("state/policy_state.json"),
        workspace.bytes(JOURNAL),
    );
    workspace.forecast("high");
    workspace.run_at("2026-01-15T12:05:00Z").exits(0);
    // A kill between the append and the state file.
    workspace.write("state/policy_state.json", &state);
    assert_eq!(
        workspace
            .program(&["status", "--at", "2026-01-15T12:06:00Z"])
            .exits(0)
            .json()["policy"],
        "RED"
    );
    let ran = workspace.run_at("2026-01-15T12:06:00Z").exits(0);
    assert!(ran.stderr.contains("STATE_MENDED"), "{}", ran.stderr);
    assert_eq!(
        (&ran.json()["before"], &ran.json()["since"]),
        (&json!("RED"), &json!("2026-01-15T12:05:00+00:00"))
    );
    assert!(workspace.bytes(JOURNAL).starts_with(&journal));
}

fn signed(workspace: &Workspace, at: &str) -> Ran {
    workspace
        .command(&["run", "--at", at])
        .env("POLICY_AUDIT_SECRET", SECRET)
        .output()
        .unwrap()
        .into()
}

fn verify_with(workspace: &Workspace, secret: &str) -> Ran {
    workspace
        .command(&["audit", "verify"])
        .env("POLICY_AUDIT_SECRET", secret)
        .output()
        .unwrap()
        .into()
}

fn counts(ran: &Ran) -> Value {
    let journal = &ran.json()["journals"][0];
    json!([
        journal["signed"],
        journal["unsigned"],
        journal["wrong"],
        journal["unchecked"]
    ])
}

#[test]
fn signed_lines_verify_and_are_counted() {
    let workspace = Workspace::healthy();
    workspace.run_at("2026-01-15T12:00:00Z").exits(0);
    for minute in 1..4 {
        signed(&workspace, &format!("2026-01-15T12:0{minute}:00Z")).exits(0);
    }
    assert_eq!(
        counts(&verify_with(&workspace, SECRET).exits(0)),
        json!([3, 1, 0, 0])
    );
    assert_eq!(counts(&verify(&workspace).exits(0)), json!([0, 1, 0, 3]));
    assert_eq!(
        counts(&verify_with(&workspace, "another secret of thirty-two bytes!").exits(5)),
        json!([0, 1, 3, 0])
    );
    assert!(!workspace.snapshot().values().any(|bytes| {
        bytes
            .windows(SECRET.len())
            .any(|part| part == SECRET.as_bytes())
    }));
}

#[test]
fn once_a_line_is_signed_later_ones_must_be() {
    let workspace = Workspace::healthy();
    signed(&workspace, "2026-01-15T12:00:00Z").exits(0);
    let before = workspace.snapshot();
    let ran = workspace.run_at("2026-01-15T12:01:00Z").exits(1);
    assert!(
        ran.stderr.contains("SECRET_MISSING") && ran.stderr.contains("POLICY_AUDIT_SECRET"),
        "{}",
        ran.stderr
    );
    // Nothing was recorded; the marker says that the run failed.
    let recorded = |files: std::collections::BTreeMap<std::path::PathBuf, Vec<u8>>| {
        let own = |path: &std::path::PathBuf| {
            !path.ends_with(".lock") && !path.ends_with("audit_summary.md")
        };
        files
            .into_iter()
            .filter(|(path, _)| own(path))
            .collect::<Vec<_>>()
    };
    assert_eq!(recorded(workspace.snapshot()), recorded(before));
    assert!(
        workspace
            .read("audit_summary.md")
            .contains("FAILED 2026-01-15T12:01:00+00:00")
    );
    let other = workspace
        .command(&["run"])
        .env("POLICY_AUDIT_SECRET", "another secret of thirty-two bytes!")
        .output()
        .unwrap();
    assert_eq!(other.status.code(), Some(5));
    assert_eq!(workspace.journal().len(), 1);
}

#[test]
fn a_signed_journal_is_resealed_with_the_key_or_openly_without() {
    let workspace = Workspace::healthy();
    signed(&workspace, "2026-01-15T12:00:00Z").exits(0);
    signed(&workspace, "2026-01-15T12:01:00Z").exits(0);
    write_lines(&workspace, &workspace.journal()[..1]);
    let reseal = [
        "audit",
        "reseal",
        "--reason",
        "cut",
        "--at",
        "2026-01-15T12:02:00Z",
    ];
    let ran = workspace.program(&reseal).exits(1);
    assert!(ran.stderr.contains("SECRET_MISSING"), "{}", ran.stderr);
    workspace
        .program(&[&reseal[..], &["--unsigned"]].concat())
        .exits(0);
    let line: Value = serde_json::from_str(&workspace.journal()[0]).unwrap();
    assert_eq!(
        (&line["event"], &line["unsigned"]),
        (&json!("RESEAL"), &json!(true))
    );
    workspace.run_at("2026-01-15T12:03:00Z").exits(0);
}

#[test]
fn a_forged_line_with_a_right_chain_is_found_by_its_signature() {
    let workspace = Workspace::healthy();
    signed(&workspace, "2026-01-15T12:00:00Z").exits(0);
    // Somebody without the key writes a better line and makes chain and state agree with it.
    let forged = workspace.journal()[0].replace("\"integrity\":97.5", "\"integrity\":99.5");
    let state = workspace
        .read("state/policy_state.json")
        .replace("\"integrity_score\": 97.5", "\"integrity_score\": 99.5");
    let old = workspace.state()["journal"]["sha256"]
        .as_str()
        .unwrap()
        .to_owned();
    workspace.write(JOURNAL, format!("{forged}\n"));
    let new = Digest::of(forged.as_bytes());
    let run_id = workspace.state()["run_id"].as_str().unwrap().to_owned();
    let state = state.replace(&run_id, &RunId::of_line(&new).to_string());
    workspace.write(
        "state/policy_state.json",
        state.replace(&old, &new.to_string()),
    );
    verify(&workspace).exits(0);
    assert_eq!(
        verdict(&verify_with(&workspace, SECRET).exits(5)).1,
        ["SIGNATURE_WRONG:1"]
    );
}

#[test]
fn secrets_come_from_the_environment_or_a_file_and_are_long_enough() {
    let workspace = Workspace::healthy();
    workspace.write("secret", format!("{SECRET}\n"));
    let run = |name: &str, value: &str| -> Ran {
        workspace
            .command(&["run"])
            .env(name, value)
            .output()
            .unwrap()
            .into()
    };
    run("POLICY_AUDIT_SECRET_FILE", "secret").exits(0);
    assert_eq!(
        counts(&verify_with(&workspace, SECRET).exits(0)),
        json!([1, 0, 0, 0]),
        "the file's line end is no part of it"
    );
    let short = run("POLICY_AUDIT_SECRET", "short-secret").exits(1);
    assert!(
        short.stderr.contains("12 bytes") && !short.stderr.contains("short-secret"),
        "{}",
        short.stderr
    );
    let absent = run("POLICY_AUDIT_SECRET_FILE", "nowhere").exits(1);
    assert!(
        absent.stderr.contains("POLICY_AUDIT_SECRET_FILE"),
        "{}",
        absent.stderr
    );
}

#[test]
fn a_newer_format_is_read_never_written() {
    let workspace = recorded();
    let state = workspace
        .read("state/policy_state.json")
        .replace("\"schema\": 1", "\"schema\": 2");
    workspace.write("state/policy_state.json", &state);
    let ran = workspace.run_at("2026-01-15T12:05:00Z").exits(1);
    assert!(ran.stderr.contains("FORMAT_NEWER"), "{}", ran.stderr);
    assert_eq!(workspace.read("state/policy_state.json"), state);
}

#[test]
fn a_kept_policy_that_was_changed_is_found() {
    let workspace = recorded();
    let kept = format!(
        "state/policies/{}",
        workspace.state()["document"]["sha256"].as_str().unwrap()
    );
    workspace.write(&kept, "{}");
    assert_eq!(
        verdict(&verify(&workspace).exits(5)).1,
        ["POLICY_COPY_CHANGED"]
    );
    let explained = workspace.program(&["explain"]).exits(5);
    assert!(
        explained.stderr.contains("POLICY_COPY_CHANGED"),
        "{}",
        explained.stderr
    );
}

#[test]
fn a_recorded_level_that_its_values_do_not_give_is_found() {
    let workspace = Workspace::healthy();
    workspace.forecast("high");
    workspace.run().exits(0);
    let line = workspace.journal()[0].replace("\"policy\":\"RED\"", "\"policy\":\"GREEN\"");
    std::fs::remove_file(workspace.file("state/policy_state.json")).unwrap();
    workspace.write(JOURNAL, format!("{line}\n"));
    let ran = workspace.program(&["explain"]).exits(5);
    assert!(ran.stderr.contains("DECISION_DIFFERS"), "{}", ran.stderr);
}

#[test]
fn a_state_file_that_is_too_large_is_one_that_can_not_be_read() {
    let workspace = recorded();
    let padded = format!(
        "{}{}",
        workspace.read("state/policy_state.json"),
        " ".repeat(20 << 20)
    );
    workspace.write("state/policy_state.json", padded);
    for (arguments, code) in [
        (&["explain"][..], 1),
        (&["status", "--at", "2026-01-15T12:05:00Z"], 1),
        (&["audit", "verify"], 5),
        (
            &[
                "run",
                "--dry-run",
                "--at",
                "2026-01-15T12:05:00Z",
                "--retry-delays",
                "0",
            ],
            5,
        ),
    ] {
        let ran = workspace.program(arguments);
        assert_eq!(ran.code, code, "{arguments:?}: {}", ran.stderr);
        assert!(
            ran.stderr.contains("STATE_UNREADABLE")
                && ran.stderr.contains("found: 20973")
                && ran.stderr.contains("audit reseal --reason"),
            "{arguments:?}: {}",
            ran.stderr
        );
    }
    let reseal = [
        "audit",
        "reseal",
        "--reason",
        "padded",
        "--at",
        "2026-01-15T12:06:00Z",
    ];
    workspace.program(&reseal).exits(0);
    let ran = workspace.run_at("2026-01-15T12:07:00Z").exits(0);
    assert_eq!(ran.json()["policy"], "GREEN");
    verify(&workspace).exits(0);
}

#[test]
fn a_run_with_many_problems_records_a_hundred_and_the_number_of_the_others() {
    let workspace = Workspace::healthy();
    let trigger = |number: u32| {
        format!("    - {{code: C{number}, signal: nowhere, level: RED, below: 60}}\n")
    };
    let triggers: Vec<String> = (0..200).map(trigger).collect();
    let triggers = triggers.concat();
    let head = "apiVersion: policy.orchestra.v1\nkind: OrchestrationPolicy\nmetadata: {name: x, version: '1'}\nspec:\n  signals:\n    - name: integrity\n  triggers:\n";
    workspace.write("policy/policy.yaml", format!("{head}{triggers}"));
    let ran = workspace.run().exits(1);
    let all = ran.stderr.matches("error[").count();
    assert!(all > 150, "{all}");
    let report: Value =
        serde_json::from_str(&workspace.read("reports/policy_orchestrator_failure.json")).unwrap();
    for errors in [&workspace.state()["errors"], &report["errors"]] {
        let errors = errors.as_array().unwrap();
        assert_eq!(errors.len(), 101);
        assert_eq!(
            (&errors[100]["code"], &errors[100]["message"]),
            (
                &json!("FINDINGS_CUT"),
                &json!(format!("{} more", all - 100))
            )
        );
    }
    // The failure is the same one in the next run.
    workspace.run_at("2026-01-15T12:01:00Z").exits(1);
    verify(&workspace).exits(0);
}

/// Five decisions, one of them cut by hand, a reseal, and one decision more.
fn resealed() -> Workspace {
    let workspace = recorded();
    write_lines(&workspace, &workspace.journal()[..4]);
    let reseal = ["audit", "reseal", "--reason", "cut by a bad merge"];
    let at = ["--at", "2026-01-15T12:06:00Z"];
    workspace
        .program(&[reseal.as_slice(), &at].concat())
        .exits(0);
    workspace
}

#[test]
fn explain_finds_decisions_in_a_sealed_segment() {
    let workspace = resealed();
    let segment = "state/segments/policy_state_log.20260115120600.broken.jsonl";
    // Before the next run the last decision is there, too.
    let last = workspace.program(&["explain"]).exits(0).json();
    assert_eq!(
        (&last["number"], &last["segment"]),
        (&json!(4), &json!(segment))
    );
    workspace.run_at("2026-01-15T12:07:00Z").exits(0);
    let third = workspace.program(&["explain", "--number", "2"]).exits(0);
    assert_eq!(third.json()["policy"], "YELLOW");
    assert_eq!(third.json()["segment"], segment);
    assert!(
        third.stderr.contains("sealed because it was broken"),
        "{}",
        third.stderr
    );
    let last = workspace
        .program(&["explain", "--number", "7"])
        .exits(0)
        .json();
    assert_eq!(
        (&last["number"], &last["segment"]),
        (&json!(7), &Value::Null)
    );
    workspace.write(segment, workspace.read(segment) + "\n");
    workspace.program(&["explain", "--number", "2"]).exits(5);
}

#[test]
fn explain_says_what_a_number_is_that_is_no_decision() {
    let workspace = resealed();
    workspace.run_at("2026-01-15T12:07:00Z").exits(0);
    let reseal = workspace.program(&["explain", "--number", "6"]).exits(1);
    let absent = workspace.program(&["explain", "--number", "99"]).exits(1);
    let empty = Workspace::healthy()
        .program(&["explain", "--number", "1"])
        .exits(1);
    insta::assert_snapshot!(
        "explain_no_decision",
        [reseal.stderr, absent.stderr, empty.stderr].join("\n")
    );
}

/// A fall of integrity within a day is RED.
const FALLS: &str = "\
apiVersion: policy.orchestra.v1
kind: OrchestrationPolicy
metadata: {name: falls, version: '1'}
spec:
  signals:
    - {name: integrity, on_missing: assume_healthy}
  triggers:
    - {code: FELL, signal: integrity, level: RED, changed: {way: fall, by_more_than: 2, within: 24h}}
";

#[test]
fn a_look_into_a_sealed_segment_reads_its_end_only() {
    let workspace = Workspace::healthy();
    workspace.write("policy/policy.yaml", FALLS);
    workspace.run().exits(0);
    // Lines that no look reaches: a plain log before the chain would be as long.
    let filler = "{\"plain\":1}\n".repeat(4_000);
    workspace.write(JOURNAL, format!("{filler}{}", workspace.read(JOURNAL)));
    let reseal = [
        "audit",
        "reseal",
        "--reason",
        "x",
        "--at",
        "2026-01-15T12:06:00Z",
    ];
    let resealed = workspace.program(&reseal).exits(0).json();
    let segment = resealed["segment"]["file"].as_str().unwrap();
    let end = &resealed["segment"]["end"];
    let bytes = workspace.bytes(segment);
    let from = usize::try_from(end["from"].as_u64().unwrap()).unwrap();
    assert!(0 < from && bytes[from - 1] == b'\n', "{from}");
    assert_eq!(end["sha256"], Digest::of(&bytes[from..]).to_string());
    // What lies before the end is not looked at by a run, and found by verification.
    let mut changed = bytes.clone();
    changed[3] ^= 1;
    workspace.write(segment, &changed);
    workspace.integrity("90");
    let ran = workspace.run_at("2026-01-15T12:07:00Z").exits(0);
    assert_eq!(ran.json()["policy"], "RED");
    assert!(!ran.stderr.contains("LOOK_CUT"), "{}", ran.stderr);
    verify(&workspace).exits(5);
    // What lies in it is.
    let mut changed = bytes.clone();
    changed[from + 3] ^= 1;
    workspace.write(segment, &changed);
    let ran = workspace.run_at("2026-01-15T12:08:00Z").exits(0);
    assert!(ran.stderr.contains("LOOK_CUT"), "{}", ran.stderr);
}
