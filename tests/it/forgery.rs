//! Attempts to make the record say something else: each has to end in exit 5 and RED, or be refused.

use policy_orchestrator::ids::Digest;
use serde_json::{Value, json};

use crate::workspace::{AT, JOURNAL, Ran, Workspace, copy_tree};

const STATE: &str = "state/policy_state.json";
const SECRET: &str = "a secret of at least thirty-two bytes";

/// Three decisions, the last of them RED.
fn red() -> Workspace {
    let workspace = Workspace::healthy();
    workspace.run_at("2026-01-15T11:00:00Z").exits(0);
    workspace.forecast("medium");
    workspace.run_at("2026-01-15T11:30:00Z").exits(0);
    workspace.integrity("50");
    workspace.run().exits(0);
    workspace
}

fn rewrite(workspace: &Workspace, change: impl Fn(&mut Value)) {
    let mut state = workspace.state();
    change(&mut state);
    workspace.write(STATE, serde_json::to_string_pretty(&state).unwrap());
}

#[test]
fn no_change_of_the_state_file_makes_a_healthier_level_of_red() {
    let forge = |state: &mut Value| {
        state["policy"] = json!("GREEN");
        state["inputs"]["integrity_score"] = json!(99.0);
    };
    let changes: [(&str, &dyn Fn(&mut Value)); 7] = [
        ("level", &|state| state["policy"] = json!("GREEN")),
        ("broken flag", &|state| {
            forge(state);
            state["journal"]["broken"] = json!(true);
        }),
        ("no journal member", &|state| {
            forge(state);
            state.as_object_mut().unwrap().remove("journal");
        }),
        ("the predecessor's keys alone", &|state| {
            forge(state);
            let keys = ["policy", "evaluated_at", "inputs", "thresholds"];
            state
                .as_object_mut()
                .unwrap()
                .retain(|key, _| keys.contains(&key.as_str()));
        }),
        ("reasons", &|state| state["reasons"] = json!([])),
        ("a status", &|state| {
            state["readings"]["trust"]["status"] = json!("missing");
        }),
        ("the document", &|state| {
            state["document"]["sha256"] = json!(Digest::of(b"other").to_string());
        }),
    ];
    for (name, change) in changes {
        let workspace = red();
        rewrite(&workspace, change);
        for command in [
            &["status", "--at", AT][..],
            &["audit", "verify"],
            &["doctor", "--at", AT],
            &["explain"],
        ] {
            assert_eq!(workspace.program(command).code, 5, "{name}: {command:?}");
        }
        // The run says so, and so do all after it, until somebody has looked.
        for minute in 1..3 {
            let ran = workspace
                .run_at(&format!("2026-01-15T12:0{minute}:00Z"))
                .exits(5);
            assert_eq!(ran.json()["policy"], "RED", "{name}");
        }
        assert_eq!(workspace.journal().len(), 3, "{name}");
        workspace
            .program(&[
                "audit",
                "reseal",
                "--reason",
                "looked into it",
                "--at",
                "2026-01-15T12:05:00Z",
            ])
            .exits(0);
        workspace.run_at("2026-01-15T12:06:00Z").exits(0);
        workspace.program(&["audit", "verify"]).exits(0);
    }
}

fn with_secret(workspace: &Workspace, arguments: &[&str]) -> Ran {
    workspace
        .command(arguments)
        .env("POLICY_AUDIT_SECRET", SECRET)
        .output()
        .unwrap()
        .into()
}

#[test]
fn an_unsigned_line_behind_signed_ones_is_gone_on_from_by_nobody() {
    let workspace = Workspace::healthy();
    for minute in 0..2 {
        with_secret(
            &workspace,
            &["run", "--at", &format!("2026-01-15T12:0{minute}:00Z")],
        )
        .exits(0);
    }
    let lines = workspace.journal();
    let unsigned = lines[1].split(",\"hmac\"").next().unwrap().to_owned() + "}";
    let forged = unsigned
        .replace("\"seq\":2", "\"seq\":3")
        .replace("12:01:00", "12:02:00")
        .replace(
            &Digest::of(lines[0].as_bytes()).to_string(),
            &Digest::of(lines[1].as_bytes()).to_string(),
        );
    // Nor does a line become one of ours by saying that it may be unsigned, as a reseal says it.
    let excused = forged.replace("{\"timestamp\"", "{\"unsigned\":true,\"timestamp\"");
    workspace.write(JOURNAL, format!("{}\n{excused}\n", lines.join("\n")));
    with_secret(&workspace, &["audit", "verify"]).exits(5);
    with_secret(&workspace, &["status"]).exits(5);
    workspace.write(JOURNAL, format!("{}\n{forged}\n", lines.join("\n")));
    workspace.run_at("2026-01-15T12:03:00Z").exits(5);
    with_secret(&workspace, &["run", "--at", "2026-01-15T12:04:00Z"]).exits(5);
    with_secret(&workspace, &["audit", "verify"]).exits(5);
    assert_eq!(workspace.journal().len(), 3);
}

#[test]
fn what_is_no_journal_any_more_is_a_broken_one_with_a_way_out() {
    let changes: [(&str, &dyn Fn(&Workspace)); 4] = [
        ("a directory", &|workspace| {
            std::fs::remove_file(workspace.file(JOURNAL)).unwrap();
            std::fs::create_dir(workspace.file(JOURNAL)).unwrap();
        }),
        ("a dangling link", &|workspace| {
            std::fs::remove_file(workspace.file(JOURNAL)).unwrap();
            std::os::unix::fs::symlink("nowhere", workspace.file(JOURNAL)).unwrap();
        }),
        ("a newer version", &|workspace| {
            workspace.write(
                JOURNAL,
                workspace.read(JOURNAL).replace("\"v\":1", "\"v\":2"),
            );
        }),
        ("a made-up signature", &|workspace| {
            let text = workspace.read(JOURNAL);
            let text = text.trim_end().strip_suffix('}').unwrap().to_owned();
            workspace.write(
                JOURNAL,
                format!("{text},\"hmac\":\"{}\"}}\n", "0".repeat(64)),
            );
        }),
    ];
    for (name, change) in changes {
        let workspace = Workspace::healthy();
        workspace.run().exits(0);
        change(&workspace);
        let ran = workspace.run_at("2026-01-15T12:01:00Z");
        assert_eq!(
            (ran.code, workspace.state()["policy"].as_str().unwrap()),
            (5, "RED"),
            "{name}: {}",
            ran.stderr
        );
        assert!(
            workspace
                .read("audit_summary.md")
                .contains("FAILED 2026-01-15T12:01:00+00:00"),
            "{name}"
        );
        let reseal = [
            "audit",
            "reseal",
            "--reason",
            "looked into it",
            "--unsigned",
            "--at",
            "2026-01-15T12:02:00Z",
        ];
        workspace.program(&reseal).exits(0);
        assert_eq!(
            workspace.run_at("2026-01-15T12:03:00Z").exits(0).json()["policy"],
            "GREEN",
            "{name}"
        );
    }
}

#[test]
fn a_run_that_could_not_decide_leaves_no_better_word_standing() {
    let workspace = Workspace::healthy();
    workspace.run().exits(0);
    std::fs::rename(workspace.file("state"), workspace.file("elsewhere")).unwrap();
    std::os::unix::fs::symlink("elsewhere", workspace.file("state")).unwrap();
    workspace.run_at("2026-01-15T12:01:00Z").exits(1);
    assert!(
        workspace
            .read("audit_summary.md")
            .contains("FAILED 2026-01-15T12:01:00+00:00")
    );
    let status = workspace
        .program(&["status", "--at", "2026-01-15T12:02:00Z"])
        .exits(1);
    assert_eq!(status.json()["failed_at"], "2026-01-15T12:01:00+00:00");
}

#[test]
fn a_journal_names_no_file_and_no_branch_outside_its_places() {
    let workspace = Workspace::healthy();
    let prev = Digest::of(b"").to_string();
    let segment = format!(
        "{{\"file\":\"../../etc/passwd\\n::stop-commands::x\",\"sha256\":\"{prev}\",\"head\":null}}"
    );
    workspace.write(JOURNAL, format!("{{\"timestamp\":\"2026-01-15T12:00:00+00:00\",\"event\":\"RESEAL\",\"reason\":\"x\",\"v\":1,\"seq\":1,\"prev\":\"{prev}\",\"segment\":{segment}}}\n"));
    let ran = workspace.program(&["audit", "verify"]).exits(5);
    assert!(
        ran.stderr.contains("SEGMENT_CHANGED") && !ran.stderr.contains("\n::stop-commands"),
        "{}",
        ran.stderr
    );

    let workspace = Workspace::healthy().with_git();
    workspace.forecast("critical");
    workspace.run().exits(1);
    let line =
        workspace.journal()[0].replace("fix/policy-orchestrator-20260115120000", "release/v9");
    workspace.write(JOURNAL, format!("{line}\n"));
    std::fs::remove_file(workspace.file(STATE)).unwrap();
    workspace.run_at("2026-01-15T12:01:00Z").exits(1);
    assert!(
        workspace
            .repository()
            .find_branch("release/v9", git2::BranchType::Local)
            .is_err()
    );
}

#[test]
fn a_state_file_as_inputs_is_no_way_to_green() {
    let workspace = Workspace::empty();
    workspace.run().exits(0);
    let explained = workspace
        .program(&["explain", "--inputs", STATE])
        .exits(0)
        .json();
    assert_eq!(explained["policy"], "YELLOW");
}

#[test]
fn a_kept_policy_that_was_changed_is_written_again_before_a_line_names_it() {
    let workspace = Workspace::healthy();
    workspace.run().exits(0);
    let kept = format!(
        "state/policies/{}",
        workspace.state()["document"]["sha256"].as_str().unwrap()
    );
    let original = workspace.bytes(&kept);
    workspace.write(&kept, vec![0; original.len()]);
    workspace.run_at("2026-01-15T12:01:00Z").exits(0);
    assert_eq!(workspace.bytes(&kept), original);
}

#[test]
fn a_secret_is_bytes_and_comes_from_a_regular_file() {
    use std::os::unix::ffi::OsStrExt as _;

    let workspace = Workspace::healthy();
    let secret = std::ffi::OsStr::from_bytes(b"\xff\xfe bytes that are no text, over thirty-two");
    let ran: Ran = workspace
        .command(&["run"])
        .env("POLICY_AUDIT_SECRET", secret)
        .output()
        .unwrap()
        .into();
    ran.exits(0);
    assert!(workspace.journal()[0].contains("\"hmac\":"));
    assert!(
        std::process::Command::new("mkfifo")
            .arg(workspace.file("pipe"))
            .status()
            .unwrap()
            .success()
    );
    let ran: Ran = workspace
        .command(&["run"])
        .env("POLICY_AUDIT_SECRET_FILE", "pipe")
        .output()
        .unwrap()
        .into();
    assert!(ran.exits(1).stderr.contains("no regular file"));
}

/// A declared signal whose trigger is waived: the line then holds `signals`, `waived` and `shadow`.
const WAIVED: &str = "\
apiVersion: policy.orchestra.v1
kind: OrchestrationPolicy
metadata: {name: waived, version: '1'}
spec:
  signals:
    - {name: integrity}
    - {name: coverage, file: coverage.json, pointer: /total, type: percent, direction: higher_is_better}
  triggers:
    - {code: UNCOVERED, signal: coverage, level: RED, below: 60}
    - {code: THIN, signal: coverage, level: YELLOW, below: 70}
  waivers:
    - {trigger: UNCOVERED, reason: moving, by: ana@example.org, ticket: OPS-7, expires: 2026-02-16}
";

/// Three decisions, all YELLOW, with a waived RED and a declared signal.
fn waived() -> Workspace {
    let workspace = Workspace::healthy();
    workspace.write("policy/policy.yaml", WAIVED);
    workspace.write("coverage.json", "{\"total\": 51.5}");
    for minute in 0..3 {
        let at = format!("2026-01-15T11:3{minute}:00Z");
        workspace.run_at(&at).exits(0);
    }
    let state = workspace.state();
    assert_eq!(
        (&state["policy"], &state["shadow"], &state["since"]),
        (
            &json!("YELLOW"),
            &json!("RED"),
            &json!("2026-01-15T11:30:00+00:00")
        )
    );
    workspace
}

#[test]
fn whatever_the_state_file_shows_of_its_line_is_held_against_it() {
    let changes: [(&str, &dyn Fn(&mut Value)); 17] = [
        ("readings.coverage.value", &|state| {
            state["readings"]["coverage"]["value"] = json!(91.5);
        }),
        ("readings.coverage.value", &|state| {
            let coverage = state["readings"]["coverage"].as_object_mut().unwrap();
            coverage.remove("value");
        }),
        ("readings.integrity.value", &|state| {
            state["readings"]["integrity"]["value"] = json!(12.0);
        }),
        ("readings.coverage.status", &|state| {
            state["readings"]["coverage"]["status"] = json!("stale");
        }),
        ("readings.latency", &|state| {
            state["readings"]["latency"] = json!({"status": "valid", "value": 3});
        }),
        ("readings.coverage", &|state| {
            state["readings"]
                .as_object_mut()
                .unwrap()
                .remove("coverage");
        }),
        ("inputs.integrity_score", &|state| {
            state["inputs"]["integrity_score"] = json!(99.0);
        }),
        ("waived", &|state| state["waived"] = json!([])),
        ("waived", &|state| {
            state["waived"][0]["code"] = json!("SOMETHING");
        }),
        ("shadow", &|state| state["shadow"] = json!("YELLOW")),
        ("shadow", &|state| {
            state.as_object_mut().unwrap().remove("shadow");
        }),
        ("reasons", &|state| {
            state.as_object_mut().unwrap().remove("reasons");
        }),
        ("reasons[].level", &|state| {
            state["reasons"][0]["level"] = json!("GREEN");
        }),
        ("given_clock", &|state| {
            state.as_object_mut().unwrap().remove("given_clock");
        }),
        ("fix_branch", &|state| {
            state["fix_branch"] = json!("fix/policy-orchestrator-20260115120000");
        }),
        ("run_id", &|state| {
            state["run_id"] = json!("6f1b7e0a-9a54-4a7e-8f0e-0d6a0c2b9e11");
        }),
        ("errors", &|state| state["errors"] = json!([{"code": "X"}])),
    ];
    for (path, change) in changes {
        let workspace = waived();
        rewrite(&workspace, change);
        found_as(&workspace, path);
    }
}

/// `audit verify` and the next run find that the state file says something else at `path`.
fn found_as(workspace: &Workspace, path: &str) {
    let said = format!("{path} ");
    let verified = workspace.program(&["audit", "verify"]);
    assert_eq!(verified.code, 5, "{path}: {}", verified.stderr);
    let told = verified.stderr.replace('`', "");
    assert!(
        told.contains("STATE_DIFFERS") && told.contains(&said),
        "{path}: {told}"
    );
    let ran = workspace.run();
    assert_eq!(ran.code, 5, "{path}: {}", ran.stderr);
    assert!(ran.stderr.contains(&said), "{path}: {}", ran.stderr);
    assert_eq!(workspace.state()["policy"], "RED", "{path}");
}

#[test]
fn since_when_a_level_holds_is_held_against_the_lines() {
    for other in ["2026-01-15T11:31:00+00:00", "2025-01-15T11:30:00+00:00"] {
        let workspace = waived();
        rewrite(&workspace, |state| state["since"] = json!(other));
        found_as(&workspace, "since");
    }
    // A level that began with the line itself, and one that somebody took the time away from.
    let workspace = red();
    rewrite(&workspace, |state| {
        state["since"] = json!("2026-01-15T11:00:00+00:00");
    });
    found_as(&workspace, "since");
    let workspace = red();
    rewrite(&workspace, |state| {
        state.as_object_mut().unwrap().remove("since");
    });
    found_as(&workspace, "since");
}

#[test]
fn since_far_back_is_found_by_verification_also_behind_another_run() {
    let workspace = Workspace::healthy();
    for minute in 0..30 {
        let at = format!("2026-01-15T11:{minute:02}:00Z");
        workspace.run_at(&at).exits(0);
    }
    rewrite(&workspace, |state| {
        state["since"] = json!("2025-12-24T11:00:00+00:00");
    });
    workspace.program(&["audit", "verify"]).exits(5);
    workspace.run_at("2026-01-15T11:40:00Z");
    workspace.program(&["audit", "verify"]).exits(5);
}

#[test]
fn what_a_run_leaves_behind_odd_events_is_no_forgery() {
    let verified = |workspace: &Workspace| {
        workspace.program(&["audit", "verify"]).exits(0);
    };
    // A broken journal that is put back: RED was published in between, and holds no line.
    let workspace = red();
    let journal = workspace.read(JOURNAL);
    workspace.write(JOURNAL, &journal[..journal.len() - 9]);
    workspace.run_at("2026-01-15T12:01:00Z").exits(5);
    workspace.write(JOURNAL, &journal);
    for minute in 2..5 {
        let at = format!("2026-01-15T12:0{minute}:00Z");
        workspace.run_at(&at).exits(0);
        verified(&workspace);
    }
    // A state file that is lost, and one that is put back to an earlier time.
    let early = workspace.read(STATE);
    std::fs::remove_file(workspace.file(STATE)).unwrap();
    workspace.run_at("2026-01-15T12:05:00Z").exits(0);
    verified(&workspace);
    workspace.write(STATE, early);
    verified(&workspace);
    workspace.run_at("2026-01-15T12:06:00Z").exits(0);
    verified(&workspace);
    // A clock that goes backwards.
    workspace.run_at("2026-01-14T12:00:00Z").exits(0);
    workspace.run_at("2026-01-14T12:01:00Z").exits(0);
    verified(&workspace);
    // An input that can't be used, with and without a branch.
    for workspace in [Workspace::healthy(), Workspace::healthy().with_git()] {
        workspace.forecast("critical");
        for minute in 0..3 {
            let at = format!("2026-01-15T12:0{minute}:00Z");
            workspace.run_at(&at).exits(1);
            verified(&workspace);
        }
    }
}

#[test]
fn a_state_file_of_version_0_1_0_agrees_with_its_line() {
    let workspace = Workspace::empty();
    let from =
        std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/journal_0_1_0");
    copy_tree(&from, workspace.path());
    workspace.program(&["audit", "verify"]).exits(0);
    assert_eq!(
        workspace.run_at("2026-06-18T09:45:00Z").exits(0).json()["before"],
        "GREEN"
    );
    workspace.program(&["audit", "verify"]).exits(0);
}
