//! The native actions, each run alone through the real binary (rows OR-09, OR-24 to OR-28).

use std::path::Path;

use crate::workspace::{Ran, Workspace};

const CHAIN: &str = "mirrors/anchor_chain.json";
const BACKUP: &str = "mirrors/anchor_chain.json.backup";
const REGISTRY: &str = "exports/integrity_metrics_registry.csv";
const LOG: &str = "forensics/verification_log.jsonl";

fn action(workspace: &Workspace, name: &str, further: &[&str]) -> Ran {
    let arguments: Vec<&str> = ["action", name].iter().chain(further).copied().collect();
    workspace.program(&arguments)
}

fn with_anchor() -> Workspace {
    let workspace = Workspace::healthy();
    workspace.write(
        "artifacts/integrity_anchor.json",
        "{\"combined_sha256\":\"abc123\"}",
    );
    workspace.write(
        "forensics/safety_brake_state.json",
        "{\"is_engaged\": false, \"response_count_24h\": 0}",
    );
    workspace
}

fn chain(workspace: &Workspace) -> Vec<serde_json::Value> {
    serde_json::from_str(&workspace.read(CHAIN)).unwrap()
}

/// By the crate itself, so that the chain is not checked by the code that made it.
fn sha256(text: &str) -> String {
    use sha2::Digest as _;
    sha2::Sha256::digest(text)
        .iter()
        .fold(String::new(), |text, byte| format!("{text}{byte:02x}"))
}

#[test]
fn checks_pass_on_a_healthy_workspace_and_change_nothing() {
    let workspace = Workspace::healthy();
    let before = workspace.snapshot();
    for name in [
        "integrity_check",
        "schema_validation",
        "full_integrity_check",
    ] {
        let outcome = action(&workspace, name, &[]).exits(0).json();
        assert_eq!(outcome["action"], name);
        assert_eq!(outcome["success"], true);
    }
    action(&workspace, "integrity_anchor_mirror", &[]).exits(1);
    assert_eq!(workspace.snapshot(), before);
}

#[test]
fn an_invalid_signal_fails_the_integrity_check() {
    let workspace = Workspace::healthy();
    workspace.write("trust_lock_state.json", "{\"locked\": null}");
    for name in ["integrity_check", "full_integrity_check"] {
        let ran = action(&workspace, name, &[]).exits(1);
        assert!(
            ran.stderr.contains("trust_lock_state.json:1"),
            "{}",
            ran.stderr
        );
    }
}

#[test]
fn a_line_changed_long_ago_fails_the_full_check_alone() {
    let workspace = Workspace::healthy();
    for day in 10..15 {
        workspace
            .run_at(&format!("2026-01-{day}T04:45:00Z"))
            .exits(0);
    }
    let journal = workspace.read("state/policy_state_log.jsonl");
    let changed = journal.replacen("\"integrity\":97.5", "\"integrity\":99.5", 1);
    assert_ne!(journal, changed);
    workspace.write("state/policy_state_log.jsonl", changed);
    action(&workspace, "integrity_check", &[]).exits(0);
    let ran = action(&workspace, "full_integrity_check", &[]).exits(1);
    assert!(ran.stderr.contains("LINE_CHANGED"), "{}", ran.stderr);
}

#[test]
fn the_registry_is_checked_row_by_row_and_never_modified() {
    let header = "timestamp,integrity_score";
    let right = sha256(header);
    let cases = [
        (
            format!("{header}\n2026-01-15T04:00:00Z,97.5\n# schema_hash: {right}\n"),
            0,
            "the schema hash is that of the header",
        ),
        (
            format!(
                "{header}\n2026-01-15T04:00:00Z,97.5\n# schema_hash: {}\n",
                sha256("x")
            ),
            1,
            "the schema hash is not that of the header",
        ),
        (
            "\u{feff}timestamp,integrity_score\r\n2026-01-15,97.5%\r\n".to_owned(),
            0,
            "another header than the canonical one",
        ),
        (
            "timestamp,score\n2026-01-15,97.5\n".to_owned(),
            1,
            "-integrity_score",
        ),
        (
            format!("{header}\n2026-01-15,250\n2026-01-16,97.5\n"),
            1,
            "no number from 0 to 100",
        ),
        (
            format!("{header}\n2026-01-15,NaN\n2026-01-16,97.5\n"),
            1,
            "no number from 0 to 100",
        ),
        (
            format!("{header}\nyesterday,90\n2026-01-16,97.5\n"),
            1,
            "the timestamp can't be read",
        ),
        (
            format!("{header}\n2026-01-15,90,1\n2026-01-16,97.5\n"),
            1,
            "another number of fields",
        ),
        (
            format!("{header}\n\"2026-01-15,90\n"),
            1,
            "a quote is never closed",
        ),
        (String::new(), 1, "no header"),
    ];
    for (content, code, said) in cases {
        let workspace = Workspace::healthy();
        workspace.write(REGISTRY, &content);
        let ran = action(&workspace, "schema_validation", &["--format", "human"]).exits(code);
        let all = format!("{}{}", ran.stdout, ran.stderr);
        assert!(all.contains(said), "{content:?}: {all}");
        assert_eq!(workspace.read(REGISTRY), content);
    }
    let workspace = Workspace::empty();
    let ran = action(&workspace, "schema_validation", &[]).exits(1);
    assert!(ran.stderr.contains(REGISTRY), "{}", ran.stderr);
}

#[test]
fn the_anchor_is_mirrored_and_chained_and_the_former_chain_is_kept() {
    let workspace = with_anchor();
    let mut former = "[]\n".to_owned();
    let mut before = String::new();
    for count in 1..=3 {
        action(&workspace, "integrity_anchor_mirror", &["--apply"]).exits(0);
        assert_eq!(workspace.read(BACKUP), former);
        former = workspace.read(CHAIN);
        let entries = chain(&workspace);
        assert_eq!(entries.len(), count);
        let last = entries.last().unwrap();
        let digest =
            sha256(&workspace.read(&format!("mirrors/{}", last["file"].as_str().unwrap())));
        assert_eq!(last["sha256"], digest);
        before = sha256(&format!("{before}{digest}"));
        assert_eq!(last["chain_hash"], before);
    }
    action(&workspace, "cold_storage_verification", &[]).exits(0);
    assert_eq!(
        workspace.temporary_files(),
        Vec::<std::path::PathBuf>::new()
    );
}

#[test]
fn the_documented_manual_undo_leaves_a_chain_that_holds() {
    let workspace = with_anchor();
    for _ in 0..2 {
        action(&workspace, "integrity_anchor_mirror", &["--apply"]).exits(0);
    }
    std::fs::copy(workspace.file(BACKUP), workspace.file(CHAIN)).unwrap();
    assert_eq!(chain(&workspace).len(), 1);
    action(&workspace, "cold_storage_verification", &[]).exits(0);
    // And the next mirror goes on from there without writing over the one that was undone.
    action(&workspace, "integrity_anchor_mirror", &["--apply"]).exits(0);
    action(&workspace, "cold_storage_verification", &[]).exits(0);
}

#[test]
fn without_an_anchor_or_with_a_broken_chain_nothing_is_written() {
    let workspace = with_anchor();
    std::fs::remove_file(workspace.file("artifacts/integrity_anchor.json")).unwrap();
    let ran = action(&workspace, "integrity_anchor_mirror", &["--apply"]).exits(1);
    assert!(ran.stderr.contains("ANCHOR_MISSING"), "{}", ran.stderr);
    assert!(!workspace.file("mirrors").exists());

    for broken in ["", "{}", "null", "[{}]", "[{\"timestamp\":\"x\"}", "\0"] {
        let workspace = with_anchor();
        workspace.write(CHAIN, broken);
        let ran = action(&workspace, "integrity_anchor_mirror", &["--apply"]).exits(1);
        assert!(
            ran.stderr.contains("ANCHOR_CHAIN_BROKEN"),
            "{broken}: {}",
            ran.stderr
        );
        assert_eq!(workspace.read(CHAIN), broken);
        assert_eq!(
            std::fs::read_dir(workspace.file("mirrors"))
                .unwrap()
                .count(),
            1
        );
    }

    let workspace = with_anchor();
    workspace.write("artifacts/integrity_anchor.json", "{\"cut\":");
    action(&workspace, "integrity_anchor_mirror", &["--apply"]).exits(1);
    assert!(!workspace.file("mirrors").exists());
}

#[test]
fn the_kill_switch_stops_the_mirror_and_an_unreadable_one_is_on() {
    let on = [
        "{\"on\": true, \"reason\": \"drill\"}",
        "",
        "{}",
        "null",
        "[]",
        "{\"on\": 0}",
        "{\"on\": false, \"on\": true}",
    ];
    for switch in on {
        let workspace = with_anchor();
        workspace.write("state/kill_switch.json", switch);
        let ran = action(&workspace, "integrity_anchor_mirror", &["--apply"]).exits(3);
        assert!(
            ran.stdout.contains("kill_switch_on"),
            "{switch}: {}",
            ran.stdout
        );
        assert!(!workspace.file("mirrors").exists(), "{switch}");
        // What only reads is never stopped.
        action(&workspace, "integrity_check", &[]).exits(0);
    }
    let workspace = with_anchor();
    std::fs::create_dir_all(workspace.file("state/kill_switch.json")).unwrap();
    action(&workspace, "integrity_anchor_mirror", &["--apply"]).exits(3);

    let workspace = with_anchor();
    workspace.write("state/kill_switch.json", "{\"on\": false}");
    action(&workspace, "integrity_anchor_mirror", &["--apply"]).exits(0);
}

#[test]
fn a_kill_switch_turned_on_while_the_mirror_waits_for_the_lock_stops_it() {
    let workspace = with_anchor();
    workspace.write("state/.lock", "process 1 (test)\n");
    let lock = std::fs::File::open(workspace.file("state/.lock")).unwrap();
    lock.lock().unwrap();
    let mut waiting = workspace
        .command(&["action", "integrity_anchor_mirror", "--apply"])
        .stderr(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    let mut told = String::new();
    let stderr = waiting.stderr.as_mut().unwrap();
    std::io::BufRead::read_line(&mut std::io::BufReader::new(stderr), &mut told).unwrap();
    assert!(told.contains("waiting for process 1"), "{told}");
    workspace.write("state/kill_switch.json", "{\"on\": true}");
    drop(lock);
    assert_eq!(waiting.wait().unwrap().code(), Some(3));
    assert!(!workspace.file("mirrors").exists());
}

#[test]
fn changed_mirrors_and_snapshots_are_named() {
    let workspace = with_anchor();
    for _ in 0..2 {
        action(&workspace, "integrity_anchor_mirror", &["--apply"]).exits(0);
    }
    let second = chain(&workspace)[1]["file"].as_str().unwrap().to_owned();
    let mirror = format!("mirrors/{second}");
    let bytes = workspace.bytes(&mirror);
    workspace.write(&mirror, "{\"combined_sha256\":\"abc124\"}");
    let ran = action(&workspace, "cold_storage_verification", &[]).exits(1);
    assert!(
        ran.stderr.contains("entry 2 of the chain"),
        "{}",
        ran.stderr
    );
    assert!(
        !ran.stderr.contains("entry 1 of the chain"),
        "{}",
        ran.stderr
    );
    workspace.write(&mirror, bytes);

    workspace.write("snapshots/ledger.json", "ledger");
    let right = sha256("ledger");
    let lists = [
        (
            format!("{{\"file\":\"ledger.json\",\"sha256\":\"{right}\"}}"),
            0,
        ),
        (
            format!(
                "{{\"snapshots\":[{{\"path\":\"snapshots/ledger.json\",\"hash\":\"{right}\"}}]}}"
            ),
            0,
        ),
        (format!("{{\"snapshots/ledger.json\":\"{right}\"}}"), 0),
        (
            format!(
                "[{{\"file\":\"ledger.json\",\"sha256\":\"{}\"}}]",
                sha256("other")
            ),
            1,
        ),
        (format!("{{\"gone.json\":\"{right}\"}}"), 1),
        (format!("{{\"../ledger.json\":\"{right}\"}}"), 1),
        ("{\"file\":\"ledger.json\"}".to_owned(), 1),
        ("nonsense".to_owned(), 1),
    ];
    for (list, code) in lists {
        workspace.write("snapshots/ledger_snapshot_hash.json", &list);
        action(&workspace, "cold_storage_verification", &[]).exits(code);
    }
    // Every verification left one line, and each is JSON with the marker's word as its event.
    let log = workspace.read(LOG);
    assert_eq!(log.lines().count(), 9);
    for line in log.lines() {
        let line: serde_json::Value = serde_json::from_str(line).unwrap();
        assert_eq!(line["event"], "COLD_STORAGE_VERIFY");
    }
}

#[test]
fn the_real_chain_verifies_as_the_broken_thing_that_it_is() {
    let shared = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/real-inputs/mirrors");
    if !shared.is_dir() {
        assert!(
            std::env::var_os("POLICY_REQUIRE_SHARED").is_none(),
            "{}",
            shared.display()
        );
        eprintln!("skipped: no {}", shared.display());
        return;
    }
    let workspace = Workspace::healthy();
    for entry in std::fs::read_dir(shared).unwrap().map(Result::unwrap) {
        let name = format!("mirrors/{}", entry.file_name().to_string_lossy());
        workspace.write(&name, std::fs::read(entry.path()).unwrap());
    }
    let ran = action(
        &workspace,
        "cold_storage_verification",
        &["--format", "json"],
    )
    .exits(1);
    let outcome = ran.json();
    let notes = outcome["notes"].to_string();
    assert!(notes.contains("2 of 8 entries"), "{notes}");
    let findings = outcome["findings"].as_array().unwrap();
    let entries: Vec<&str> = findings
        .iter()
        .map(|finding| finding["place"]["path"].as_str().unwrap())
        .collect();
    assert_eq!(entries, ["$[2]", "$[3]", "$[4]", "$[5]", "$[6]", "$[7]"]);
}

#[test]
fn an_unknown_action_is_a_usage_error_that_names_the_five() {
    let workspace = Workspace::healthy();
    let ran = action(&workspace, "rm", &[]).exits(2);
    assert!(
        ran.stderr.contains("cold_storage_verification"),
        "{}",
        ran.stderr
    );
}
