//! `policy lock`, `policy verify`, `policy accept`: protected files held to their bytes, and what
//! follows where they are others.

use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::Path;
use std::process::Command;

use serde_json::Value;

use crate::workspace::{AT, Ran, Workspace};

pub(crate) const AUDIT: &str = "state/audit.log";
const HEADS: &str = "state/journal_heads.json";
const MANIFEST: &str = "policy/manifest.json";
const POLICY: &str = "policy/policy.yaml";
const SECRET: &str = "a secret of at least thirty-two bytes";

/// A workspace with protected files of every kind, none locked yet.
pub(crate) fn reviewed() -> Workspace {
    let workspace = Workspace::healthy();
    workspace.program(&["policy", "init"]).exits(0);
    workspace.write(".scalpel/policy.yaml", SCALPEL);
    workspace.write("budget.yaml", "limit: 1\n");
    workspace.write(".github/workflows/ci.yml", "on: push\n");
    workspace
}

const SCALPEL: &str = "version: \"1.0\"\nenforcement:\n  enabled: true\n  fail_closed: true\n";

fn lock(workspace: &Workspace) -> Ran {
    workspace.program(&["policy", "lock", "--reason", "reviewed", "--at", AT])
}

fn verify(workspace: &Workspace) -> Ran {
    workspace.program(&["policy", "verify"])
}

fn accept(workspace: &Workspace) -> Ran {
    workspace.program(&["policy", "accept", "--reason", "meant", "--at", AT])
}

/// One that is locked, and in which a decision rests on that.
pub(crate) fn locked() -> Workspace {
    let workspace = reviewed();
    lock(&workspace).exits(0);
    workspace.run().exits(0);
    workspace
}

/// Writes as whoever owns the file can: a mode stops nobody.
pub(crate) fn overwrite(workspace: &Workspace, name: &str, content: impl AsRef<[u8]>) {
    let path = workspace.file(name);
    if let Ok(status) = std::fs::symlink_metadata(&path)
        && status.is_file()
    {
        chmod(workspace, name, 0o644);
    }
    workspace.write(name, content);
}

fn chmod(workspace: &Workspace, name: &str, mode: u32) {
    let permissions = std::fs::Permissions::from_mode(mode);
    std::fs::set_permissions(workspace.file(name), permissions).unwrap();
}

fn mode(workspace: &Workspace, name: &str) -> u32 {
    let status = std::fs::metadata(workspace.file(name)).unwrap();
    status.permissions().mode() & 0o7777
}

fn remove(workspace: &Workspace, name: &str) {
    std::fs::remove_file(workspace.file(name)).unwrap();
}

fn rename(workspace: &Workspace, from: &str, to: &str) {
    std::fs::rename(workspace.file(from), workspace.file(to)).unwrap();
}

pub(crate) fn events(workspace: &Workspace) -> Vec<Value> {
    let text = std::fs::read_to_string(workspace.file(AUDIT)).unwrap_or_default();
    // A last line that was never finished is no event.
    text.lines()
        .filter_map(|line| serde_json::from_str(line).ok())
        .collect()
}

fn types(workspace: &Workspace) -> Vec<String> {
    let events = events(workspace);
    let name = |event: &Value| event["event_type"].as_str().unwrap().to_owned();
    events.iter().map(name).collect()
}

fn last_line(workspace: &Workspace) -> Value {
    serde_json::from_str(workspace.journal().last().unwrap()).unwrap()
}

fn sha256(bytes: &[u8]) -> String {
    policy_orchestrator::ids::Digest::of(bytes).to_string()
}

/// The files of the lock and of its record.
fn lock_files(workspace: &Workspace) -> Vec<(&'static str, Vec<u8>)> {
    [MANIFEST, AUDIT, HEADS, POLICY]
        .into_iter()
        .map(|file| (file, workspace.bytes(file)))
        .collect()
}

fn put_back(workspace: &Workspace, files: &[(&'static str, Vec<u8>)]) {
    for (file, bytes) in files {
        overwrite(workspace, file, bytes);
    }
}

/// Changes the policy, accepts that, and lets a decision rest on it; hands out what stood before.
fn accepted_once(workspace: &Workspace) -> Vec<(&'static str, Vec<u8>)> {
    let before = lock_files(workspace);
    overwrite(
        workspace,
        POLICY,
        format!("{}# stricter\n", workspace.read(POLICY)),
    );
    accept(workspace).exits(0);
    workspace.run_at("2026-01-15T12:05:00Z").exits(0);
    before
}

fn edit_manifest(workspace: &Workspace, edit: impl FnOnce(&mut Value)) {
    let mut manifest: Value = serde_json::from_str(&workspace.read(MANIFEST)).unwrap();
    edit(&mut manifest);
    let text = serde_json::to_string_pretty(&manifest).unwrap();
    overwrite(workspace, MANIFEST, text + "\n");
}

/// The manifest says of every file what stands there now.
fn forge_manifest(workspace: &Workspace) {
    edit_manifest(workspace, |manifest| {
        for file in manifest["files"].as_array_mut().unwrap() {
            let path = file["path"].as_str().unwrap().to_owned();
            file["sha256"] = sha256(&workspace.bytes(&path)).into();
        }
    });
}

type Tamper = (&'static str, fn(&Workspace), &'static str, &'static str);

/// What was done, where it is found, and as what.
const TAMPER: [Tamper; 30] = [
    (
        "a byte more",
        |w| overwrite(w, POLICY, w.read(POLICY) + "\n"),
        POLICY,
        "changed",
    ),
    (
        "one bit",
        |w| {
            let mut bytes = w.bytes("budget.yaml");
            bytes[3] ^= 1;
            overwrite(w, "budget.yaml", bytes);
        },
        "budget.yaml",
        "changed",
    ),
    (
        "other line ends",
        |w| overwrite(w, POLICY, w.read(POLICY).replace('\n', "\r\n")),
        POLICY,
        "changed",
    ),
    (
        "emptied",
        |w| overwrite(w, ".scalpel/policy.yaml", ""),
        ".scalpel/policy.yaml",
        "changed",
    ),
    (
        "a workflow changed",
        |w| overwrite(w, ".github/workflows/ci.yml", "on: never\n"),
        ".github/workflows/ci.yml",
        "changed",
    ),
    (
        "deleted",
        |w| remove(w, "budget.yaml"),
        "budget.yaml",
        "deleted",
    ),
    (
        "added",
        |w| w.write("policy/responses.json", "{}"),
        "policy/responses.json",
        "added",
    ),
    (
        "added, hidden and deep",
        |w| w.write("policy/a/b/.c", ""),
        "policy/a/b/.c",
        "added",
    ),
    (
        "a workflow added",
        |w| w.write(".github/workflows/more.yml", "on: push\n"),
        ".github/workflows/more.yml",
        "added",
    ),
    (
        "renamed",
        |w| rename(w, "budget.yaml", "overrides.yaml"),
        "budget.yaml",
        "deleted",
    ),
    (
        "two files swapped",
        |w| {
            rename(w, "budget.yaml", "x");
            rename(w, ".scalpel/policy.yaml", "budget.yaml");
            rename(w, "x", ".scalpel/policy.yaml");
        },
        "budget.yaml",
        "changed",
    ),
    (
        "a link to the same bytes",
        |w| {
            rename(w, "budget.yaml", "elsewhere.yaml");
            symlink("elsewhere.yaml", w.file("budget.yaml")).unwrap();
        },
        "budget.yaml",
        "link",
    ),
    (
        "a link in the place of the directory",
        |w| {
            rename(w, ".scalpel", "scalpel.d");
            symlink("scalpel.d", w.file(".scalpel")).unwrap();
        },
        ".scalpel",
        "link",
    ),
    (
        "a link that leads nowhere, added",
        |w| symlink("nowhere", w.file("policy/x")).unwrap(),
        "policy/x",
        "link",
    ),
    (
        "a second name",
        |w| {
            std::fs::hard_link(w.file("budget.yaml"), w.file("copy.yaml")).unwrap();
        },
        "budget.yaml",
        "hard_link",
    ),
    (
        "a directory in its place",
        |w| {
            remove(w, "budget.yaml");
            std::fs::create_dir(w.file("budget.yaml")).unwrap();
        },
        "budget.yaml",
        "not_a_file",
    ),
    (
        "a named pipe in its place",
        |w| {
            remove(w, "budget.yaml");
            let made = Command::new("mkfifo").arg(w.file("budget.yaml")).status();
            assert!(made.unwrap().success());
        },
        "budget.yaml",
        "not_a_file",
    ),
    (
        "policy and manifest edited together",
        |w| {
            overwrite(w, POLICY, w.read(POLICY) + "# weaker\n");
            forge_manifest(w);
        },
        MANIFEST,
        "manifest",
    ),
    (
        "the manifest gone",
        |w| remove(w, MANIFEST),
        MANIFEST,
        "manifest",
    ),
    (
        "the manifest no JSON",
        |w| overwrite(w, MANIFEST, "{"),
        MANIFEST,
        "manifest",
    ),
    (
        "a directory in the manifest's place",
        |w| {
            remove(w, MANIFEST);
            std::fs::create_dir(w.file(MANIFEST)).unwrap();
        },
        MANIFEST,
        "manifest",
    ),
    (
        "a link in the manifest's place",
        |w| {
            rename(w, MANIFEST, "manifest.json");
            symlink("../manifest.json", w.file(MANIFEST)).unwrap();
        },
        MANIFEST,
        "manifest",
    ),
    (
        "fewer rules",
        |w| {
            edit_manifest(w, |manifest| {
                manifest["rules"]["protect"]
                    .as_array_mut()
                    .unwrap()
                    .remove(0);
            });
        },
        MANIFEST,
        "manifest",
    ),
    (
        "a pending change invented",
        |w| {
            overwrite(w, "budget.yaml", "");
            edit_manifest(w, |manifest| {
                manifest["pending"] =
                    serde_json::json!([{"path": "budget.yaml", "sha256": sha256(b"")}]);
            });
        },
        MANIFEST,
        "manifest",
    ),
    (
        "an earlier manifest with the earlier policy",
        |w| {
            let before = accepted_once(w);
            put_back(w, &[before[0].clone(), before[3].clone()]);
        },
        MANIFEST,
        "manifest",
    ),
    (
        "all of the lock put back to an earlier time",
        |w| {
            let before = accepted_once(w);
            put_back(w, &before);
        },
        AUDIT,
        "record",
    ),
    (
        "the lock and its record taken away",
        |w| {
            for file in [MANIFEST, AUDIT, HEADS] {
                remove(w, file);
            }
        },
        MANIFEST,
        "manifest",
    ),
    (
        "the end of the record cut",
        |w| {
            accepted_once(w);
            let text = w.read(AUDIT);
            let first = text.lines().next().unwrap();
            overwrite(w, AUDIT, format!("{first}\n"));
        },
        AUDIT,
        "record",
    ),
    (
        "a digest changed in the record",
        |w| {
            let text = w
                .read(AUDIT)
                .replacen("\"previous\":null", "\"previous\":true", 1);
            overwrite(w, AUDIT, text);
        },
        AUDIT,
        "record",
    ),
    (
        "the lock of another workspace",
        |w| {
            let other = reviewed();
            overwrite(&other, POLICY, other.read(POLICY) + "# weaker\n");
            other
                .program(&["policy", "lock", "--reason", "forged"])
                .exits(0);
            put_back(w, &lock_files(&other));
        },
        AUDIT,
        "record",
    ),
];

#[test]
fn every_kind_of_tampering_is_found_and_nothing_acts() {
    for (name, tamper, path, kind) in TAMPER {
        let workspace = locked();
        let rested_on = |workspace: &Workspace| last_line(workspace)["lock"].clone();
        tamper(&workspace);
        let rested = rested_on(&workspace);
        let found = verify(&workspace).exits(5);
        let problems = found.json()["problems"].clone();
        let is_told = problems.as_array().unwrap().iter().any(|problem| {
            problem["path"] == path
                && problem["kind"] == kind
                && problem["expected"] != problem["found"]
        });
        assert!(is_told, "{name}: {problems:#}");
        assert!(found.stderr.contains(path), "{name}");

        // `run` publishes RED, and the line goes on naming what was recorded, never what was found.
        let ran = workspace.run_at("2026-01-15T13:00:00Z").exits(5);
        assert_eq!(ran.json()["policy"], "RED", "{name}");
        let line = last_line(&workspace);
        assert_eq!(line["reasons"][0], "POLICY_TAMPERED", "{name}");
        assert!(line["lock"].is_string(), "{name}");
        assert_eq!(line["lock"], rested, "{name}");

        // What acts does nothing.
        let before = workspace.snapshot();
        let refused = workspace.program(&["init"]).exits(5);
        assert!(
            refused.stderr.contains("nothing was done"),
            "{name}: {}",
            refused.stderr
        );
        for (file, bytes) in workspace.snapshot() {
            let own = ["state/audit.log", "state/journal_heads.json", "state/.lock"];
            if !own.contains(&file.to_str().unwrap()) {
                assert_eq!(
                    before.get(&file),
                    Some(&bytes),
                    "{name}: {}",
                    file.display()
                );
            }
        }
        verify(&workspace).exits(5);
    }
}

fn in_git(workspace: &Workspace, arguments: &[&str]) -> String {
    let output = Command::new("git")
        .args([
            "-c",
            "user.name=t",
            "-c",
            "user.email=t@localhost",
            "-c",
            "core.hooksPath=/dev/null",
        ])
        .args(arguments)
        .current_dir(workspace.path())
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "git {arguments:?}: {text}");
    text
}

fn copy_to(workspace: &Workspace, to: &Path) {
    let copied = Command::new("cp")
        .arg("-r")
        .arg(workspace.path())
        .arg(to)
        .status();
    assert!(copied.unwrap().success());
}

/// What is done all the time and is no tampering.
const HARMLESS: [(&str, fn(&Workspace)); 26] = [
    ("nothing", |_| {}),
    ("mode 0644, as git checks out", |w| chmod(w, POLICY, 0o644)),
    ("mode 0600", |w| chmod(w, "budget.yaml", 0o600)),
    ("mode 0777", |w| chmod(w, POLICY, 0o777)),
    ("the manifest's mode", |w| chmod(w, MANIFEST, 0o666)),
    ("touched", |w| {
        let file = std::fs::File::open(w.file(POLICY)).unwrap();
        file.set_modified(std::time::UNIX_EPOCH).unwrap();
    }),
    ("written again, a new node", |w| {
        let bytes = w.bytes(POLICY);
        remove(w, POLICY);
        w.write(POLICY, bytes);
    }),
    ("a file elsewhere", |w| w.write("notes.txt", "x")),
    ("a file of a like name elsewhere", |w| {
        w.write("src/budget.yaml", "x");
    }),
    ("a workflow's neighbour", |w| {
        w.write(".github/CODEOWNERS", "* @a\n");
    }),
    ("an empty directory", |w| {
        std::fs::create_dir(w.file("policy/empty")).unwrap();
    }),
    ("a temporary file left by a kill", |w| {
        w.write("policy/.record.tmp", "half");
    }),
    ("another tool's log", |w| {
        w.write(".scalpel/audit.log", "x\n");
    }),
    ("a draft", |w| w.write("policy/versions/x.yaml", "x")),
    ("locked again", |w| drop(lock(w).exits(0))),
    ("nothing to accept", |w| drop(accept(w).exits(0))),
    ("a decision", |w| {
        drop(w.run_at("2026-01-15T12:10:00Z").exits(0));
    }),
    ("other signals", |w| w.integrity("50")),
    ("changed and accepted", |w| drop(accepted_once(w))),
    ("changed and put back", |w| {
        let bytes = w.bytes(POLICY);
        overwrite(w, POLICY, "x");
        overwrite(w, POLICY, bytes);
    }),
    ("a checkout", |w| {
        in_git(w, &["init", "-q"]);
        in_git(w, &["add", "-A"]);
        in_git(w, &["commit", "-qm", "x"]);
        remove(w, POLICY);
        in_git(w, &["checkout", "-q", "--", "."]);
    }),
    ("a refusal of the guard", |w| {
        let ran = w.program(&["guard", "check"]);
        assert_eq!(ran.code, 4);
    }),
    ("a kill between the record and the manifest", |w| {
        let before = w.bytes(MANIFEST);
        overwrite(w, POLICY, w.read(POLICY) + "# more\n");
        accept(w).exits(0);
        overwrite(w, MANIFEST, before);
    }),
    ("a kill before the head of the record was kept", |w| {
        let heads = w.bytes(HEADS);
        overwrite(w, POLICY, w.read(POLICY) + "# more\n");
        accept(w).exits(0);
        w.write(HEADS, heads);
    }),
    ("a line of the record that was never finished", |w| {
        let text = w.read(AUDIT);
        w.write(AUDIT, text + "{\"time\":");
    }),
    ("the state file gone", |w| {
        remove(w, "state/policy_state.json");
    }),
];

#[test]
fn what_is_harmless_is_not_called_tampering() {
    for (name, change) in HARMLESS {
        let workspace = locked();
        change(&workspace);
        let found = verify(&workspace);
        assert_eq!(found.code, 0, "{name}: {}", found.stderr);
        assert_eq!(found.json()["state"], "locked", "{name}");
        let ran = workspace.run_at("2026-01-15T14:00:00Z");
        assert_eq!(ran.code, 0, "{name}: {}", ran.stderr);
        let reasons = last_line(&workspace)["reasons"].to_string();
        assert!(!reasons.contains("POLICY_TAMPERED"), "{name}");
        assert_eq!(mode(&workspace, POLICY), 0o444, "{name}");
        verify(&workspace).exits(0);
        // Whatever was put right, the manifest in its place is the one that the record names.
        let in_force = &events(&workspace).pop().unwrap()["standing"]["lock"];
        assert_eq!(*in_force, sha256(&workspace.bytes(MANIFEST)), "{name}");
    }
}

#[test]
fn a_copy_and_a_clone_are_as_good_as_the_original() {
    let workspace = locked();
    let away = tempfile::tempdir().unwrap();
    let copy = away.path().join("copy");
    copy_to(&workspace, &copy);
    let arguments = ["policy", "verify", "--workspace", copy.to_str().unwrap()];
    workspace.program(&arguments).exits(0);
    in_git(&workspace, &["init", "-q"]);
    in_git(&workspace, &["add", "-A"]);
    in_git(&workspace, &["commit", "-qm", "x"]);
    let clone = away.path().join("clone");
    in_git(&workspace, &["clone", "-q", ".", clone.to_str().unwrap()]);
    let arguments = ["policy", "verify", "--workspace", clone.to_str().unwrap()];
    let found = workspace.program(&arguments).exits(0);
    assert!(found.stderr.contains("MODE_MENDED"), "{}", found.stderr);
}

#[test]
fn a_lock_makes_files_read_only_and_names_their_bytes() {
    let workspace = reviewed();
    verify(&workspace).exits(0);
    assert_eq!(verify(&workspace).json()["state"], "unlocked");
    accept(&workspace).exits(1);
    lock(&workspace).exits(0);
    let manifest: Value = serde_json::from_str(&workspace.read(MANIFEST)).unwrap();
    for file in manifest["files"].as_array().unwrap() {
        let path = file["path"].as_str().unwrap();
        assert_eq!(file["sha256"], sha256(&workspace.bytes(path)));
        assert_eq!(
            (file["mode"].as_str(), mode(&workspace, path)),
            (Some("0444"), 0o444)
        );
    }
    assert_eq!(types(&workspace), ["POLICY_LOCKED"]);
    workspace.run().exits(0);
    assert_eq!(
        last_line(&workspace)["lock"],
        sha256(&workspace.bytes(MANIFEST))
    );
    // Once more changes nothing and records nothing.
    let before = workspace.bytes(AUDIT);
    assert_eq!(lock(&workspace).exits(0).json()["recorded"], Value::Null);
    assert_eq!(workspace.bytes(AUDIT), before);
    workspace.program(&["audit", "verify"]).exits(0);
}

#[test]
fn an_accept_records_who_why_and_both_digests() {
    let workspace = locked();
    let (old, manifest) = (workspace.bytes(POLICY), workspace.bytes(MANIFEST));
    overwrite(&workspace, POLICY, workspace.read(POLICY) + "# other\n");
    overwrite(&workspace, "budget.yaml", "limit: 2\n");
    verify(&workspace).exits(5);
    let one = ["policy", "accept", "--reason", "#57", "--path", POLICY];
    let mut command = workspace.command(&one);
    command.env("GITHUB_ACTOR", "grace");
    Ran::from(command.output().unwrap()).exits(0);
    let event = events(&workspace).pop().unwrap();
    assert_eq!(
        (&event["user"], &event["event_type"]),
        (&"grace".into(), &"POLICY_ACCEPTED".into())
    );
    assert_eq!(event["data_sha256"], sha256(&workspace.bytes(MANIFEST)));
    assert_eq!(
        event["details"],
        serde_json::json!({"reason": "#57", "previous": sha256(&manifest), "changes": [
            {"path": POLICY, "before": sha256(&old), "after": sha256(&workspace.bytes(POLICY))}
        ]})
    );
    // The other one was not accepted.
    let problems = verify(&workspace).exits(5).json()["problems"].clone();
    assert_eq!(problems.as_array().unwrap().len(), 1);
    assert_eq!(problems[0]["path"], "budget.yaml");
    let unknown = ["policy", "accept", "--reason", "x", "--path", "notes.txt"];
    workspace.program(&unknown).exits(1);
    accept(&workspace).exits(0);
    verify(&workspace).exits(0);
    workspace.run_at("2026-01-15T12:10:00Z").exits(0);
    workspace.program(&["replay"]).exits(0);
    workspace.program(&["audit", "verify"]).exits(0);
}

#[test]
fn what_can_not_be_held_to_its_bytes_is_not_locked() {
    let workspace = reviewed();
    symlink("../budget.yaml", workspace.file("policy/link.yaml")).unwrap();
    std::fs::hard_link(workspace.file("budget.yaml"), workspace.file("second.yaml")).unwrap();
    let refused = lock(&workspace).exits(1);
    assert!(refused.stderr.contains("policy/link.yaml") && refused.stderr.contains("budget.yaml"));
    assert!(!workspace.file(MANIFEST).exists() && types(&workspace).is_empty());
    let except = [
        "policy",
        "lock",
        "--except",
        "policy/link.yaml",
        "--except",
        "budget.yaml",
    ];
    workspace.program(&except).exits(0);
    verify(&workspace).exits(0);
    Workspace::healthy().program(&["policy", "lock"]).exits(1);
}

#[test]
fn more_files_can_be_protected() {
    let workspace = locked();
    workspace.write("config/a/b.json", "{}");
    let more = [
        "policy",
        "lock",
        "--protect",
        "config/**/*.json",
        "--reason",
        "OPS-1",
    ];
    workspace.program(&more).exits(0);
    verify(&workspace).exits(0);
    workspace.write("config/c.json", "{}");
    let problems = verify(&workspace).exits(5).json()["problems"].clone();
    assert_eq!(problems[0]["path"], "config/c.json");
    // Locking again is no way around an accept.
    lock(&workspace).exits(5);
    verify(&workspace).exits(5);
}

fn in_production(workspace: &Workspace, arguments: &[&str]) -> Ran {
    let mut command = workspace.command(arguments);
    command.env("ENV", "production");
    command.output().unwrap().into()
}

#[test]
fn in_production_one_person_accepts_nothing() {
    let workspace = locked();
    overwrite(&workspace, POLICY, workspace.read(POLICY) + "# other\n");
    let before = workspace.snapshot();
    let refused = in_production(&workspace, &["policy", "accept", "--reason", "x"]).exits(4);
    assert!(
        refused.stderr.contains("no approval was asked for"),
        "{}",
        refused.stderr
    );
    let files = |snapshot: std::collections::BTreeMap<_, _>| -> Vec<_> {
        snapshot
            .into_iter()
            .filter(|(file, _): &(std::path::PathBuf, Vec<u8>)| !file.ends_with(".lock"))
            .collect()
    };
    assert_eq!(files(workspace.snapshot()), files(before));
    overwrite(
        &workspace,
        POLICY,
        workspace.read(POLICY).replace("# other\n", ""),
    );
    let less = ["policy", "lock", "--except", "budget.yaml", "--reason", "x"];
    in_production(&workspace, &less).exits(4);
    in_production(&workspace, &["policy", "lock", "--reason", "x"]).exits(0);
}

#[test]
fn the_kill_switch_stops_an_accept() {
    let workspace = locked();
    overwrite(&workspace, "budget.yaml", "limit: 3\n");
    workspace
        .program(&["kill", "on", "--reason", "drill"])
        .exits(0);
    accept(&workspace).exits(3);
    assert_eq!(types(&workspace), ["POLICY_LOCKED"]);
}

fn with_secret(workspace: &Workspace, secret: &str, arguments: &[&str]) -> Ran {
    let mut command = workspace.command(arguments);
    command.env("POLICY_AUDIT_SECRET", secret);
    command.output().unwrap().into()
}

const RUN: [&str; 5] = ["run", "--at", AT, "--retry-delays", "0,0,0"];

#[test]
fn a_signed_manifest_is_held_to_its_key() {
    let workspace = reviewed();
    with_secret(&workspace, SECRET, &["policy", "lock"]).exits(0);
    with_secret(&workspace, SECRET, &RUN).exits(0);
    assert!(workspace.read(MANIFEST).contains(",\"hmac\":\""));
    with_secret(&workspace, SECRET, &["policy", "verify"]).exits(0);
    // Whoever has no key can still look.
    verify(&workspace).exits(0);
    overwrite(&workspace, POLICY, workspace.read(POLICY) + "# weaker\n");
    // Without the key nobody can accept.
    accept(&workspace).exits(1);
    // Everything of the lock made anew by somebody without the key, the chain right to the last digit.
    let forged = reviewed();
    overwrite(&forged, POLICY, workspace.bytes(POLICY));
    lock(&forged).exits(0);
    put_back(&workspace, &lock_files(&forged));
    with_secret(&workspace, SECRET, &["policy", "verify"]).exits(5);
    // And with another key.
    let resigned = reviewed();
    overwrite(&resigned, POLICY, workspace.bytes(POLICY));
    let other = "another secret of thirty-two bytes or more";
    with_secret(&resigned, other, &["policy", "lock"]).exits(0);
    put_back(&workspace, &lock_files(&resigned));
    with_secret(&workspace, SECRET, &["policy", "verify"]).exits(5);
}

#[test]
fn a_lock_from_before_the_key_goes_on_and_can_be_signed() {
    let workspace = locked();
    with_secret(&workspace, SECRET, &["policy", "verify"]).exits(0);
    let later = [
        "run",
        "--at",
        "2026-01-15T12:30:00Z",
        "--retry-delays",
        "0,0,0",
    ];
    with_secret(&workspace, SECRET, &later).exits(0);
    with_secret(
        &workspace,
        SECRET,
        &["policy", "lock", "--reason", "signed"],
    )
    .exits(0);
    assert!(workspace.read(MANIFEST).contains(",\"hmac\":\""));
    with_secret(&workspace, SECRET, &["policy", "verify"]).exits(0);
}

#[test]
fn a_manifest_without_its_record_is_believed_as_far_as_it_goes() {
    let workspace = locked();
    std::fs::remove_dir_all(workspace.file("state")).unwrap();
    let found = verify(&workspace).exits(0);
    assert!(found.stderr.contains("LOCK_UNRECORDED"), "{}", found.stderr);
    workspace.run().exits(0);
    assert_eq!(
        last_line(&workspace)["lock"],
        sha256(&workspace.bytes(MANIFEST))
    );
    overwrite(&workspace, POLICY, workspace.read(POLICY) + "# weaker\n");
    verify(&workspace).exits(5);
    forge_manifest(&workspace);
    verify(&workspace).exits(5);
    workspace.run_at("2026-01-15T13:00:00Z").exits(5);
}

#[test]
fn accept_is_the_way_out_of_every_kind() {
    for (name, tamper, path, kind) in TAMPER {
        let workspace = locked();
        tamper(&workspace);
        // What can't be held to its bytes has to go first.
        if (["link", "hard_link"].contains(&kind) || name.starts_with("a named pipe"))
            || workspace.file(MANIFEST).is_dir()
            || workspace.file(MANIFEST).is_symlink()
        {
            accept(&workspace).exits(1);
            continue;
        }
        let broken = [
            "the end of the record cut",
            "a digest changed in the record",
        ];
        if broken.contains(&name) {
            accept(&workspace).exits(5);
            let reseal = ["audit", "reseal", "--journal", AUDIT, "--reason", "edited"];
            workspace.program(&reseal).exits(0);
        }
        let accepted = accept(&workspace);
        assert_eq!(accepted.code, 0, "{name} ({path}): {}", accepted.stderr);
        verify(&workspace).exits(0);
        let ran = workspace.run_at("2026-01-15T15:00:00Z");
        assert_eq!(ran.code, 0, "{name}: {}", ran.stderr);
        verify(&workspace).exits(0);
    }
}

#[test]
fn tampering_is_recorded_once_by_what_met_it() {
    let workspace = locked();
    overwrite(&workspace, "budget.yaml", "limit: 9\n");
    for _ in 0..3 {
        workspace.program(&["init"]).exits(5);
    }
    assert_eq!(types(&workspace), ["POLICY_LOCKED", "POLICY_TAMPER"]);
    let event = events(&workspace).pop().unwrap();
    assert_eq!(event["severity"], "CRITICAL");
    assert_eq!(event["details"]["command"], "init");
    assert_eq!(event["details"]["problems"][0]["path"], "budget.yaml");
    workspace
        .program(&[
            "policy",
            "approve",
            "x",
            "--as",
            "policy_author",
            "--reason",
            "x",
        ])
        .exits(5);
    verify(&workspace).exits(5);
    workspace.program(&["audit", "verify"]).exits(0);
}

#[test]
fn a_tampered_decision_is_explained_and_replayed() {
    let workspace = locked();
    overwrite(&workspace, "budget.yaml", "limit: 9\n");
    let ran = workspace.run_at("2026-01-15T13:00:00Z").exits(5);
    assert!(ran.stderr.contains("POLICY_TAMPERED"), "{}", ran.stderr);
    assert!(workspace.read("audit_summary.md").contains("FAILED"));
    workspace.program(&["replay"]).exits(0);
    let explained = workspace
        .program(&["explain", "--format", "human"])
        .exits(0);
    assert!(
        explained.stdout.contains("POLICY_TAMPERED"),
        "{}",
        explained.stdout
    );
    let dry = workspace
        .program(&["run", "--dry-run", "--at", AT])
        .exits(5);
    assert_eq!(dry.json()["policy"], "RED");
}

#[test]
fn what_the_program_writes_itself_is_accepted_by_it() {
    let workspace = Workspace::healthy();
    workspace.write("budget.yaml", "limit: 1\n");
    lock(&workspace).exits(0);
    workspace.program(&["policy", "init"]).exits(0);
    verify(&workspace).exits(0);
    assert_eq!(
        types(&workspace),
        [
            "POLICY_LOCKED",
            "POLICY_CHANGE_BEGUN",
            "POLICY_CHANGE_ENDED"
        ]
    );
    assert_eq!(mode(&workspace, POLICY), 0o444);
    workspace.program(&["init"]).exits(0);
    verify(&workspace).exits(0);
    workspace.run().exits(0);
    // And of its own files too, only what was written.
    overwrite(&workspace, "policy/README.md", "other\n");
    verify(&workspace).exits(5);
}

#[test]
fn the_gate_before_an_action_is_closed_by_tampering() {
    let workspace = locked();
    let gate = |workspace: &Workspace| {
        let ran = workspace.program(&["respond", "--policy", "RED"]);
        let gates = ran.json()["gates"].as_array().unwrap().clone();
        gates
            .into_iter()
            .find(|gate| gate["name"] == "policy_lock")
            .unwrap()
    };
    assert_eq!(gate(&workspace)["open"], true);
    overwrite(&workspace, "budget.yaml", "limit: 9\n");
    assert_eq!(gate(&workspace)["open"], false);
    assert_eq!(gate(&workspace)["reason"], "policy_tampered");
    workspace
        .program(&[
            "respond",
            "--apply",
            "--policy",
            "RED",
            "--force-level",
            "--reason",
            "x",
        ])
        .exits(5);
}

/// Every command that acts, and how it ends in a workspace in which a protected file was changed. The
/// list is held against the command line in `src/cli/tamper.rs`.
#[test]
fn every_command_that_acts_asks_first() {
    let commands: [&[&str]; 16] = [
        &["respond", "--apply"],
        &["action", "integrity_anchor_mirror", "--apply"],
        &["init"],
        &["policy", "init"],
        &["policy", "draft", POLICY, "--reason", "x"],
        &[
            "policy",
            "approve",
            "x",
            "--as",
            "policy_author",
            "--reason",
            "x",
        ],
        &["policy", "validate", "x"],
        &["policy", "promote", "x", "--to", "staging", "--reason", "x"],
        &["policy", "rollback", "--reason", "x"],
        &["policy", "lock"],
        &["trust", "force-unlock", "--reason", "x"],
        &["trust", "reset-counter", "--reason", "x"],
        &["brake", "reset", "--reason", "x"],
        &["kill", "off", "--reason", "x"],
        &["guard", "hook", "install"],
        &["guard", "check"],
    ];
    let workspace = locked();
    overwrite(&workspace, "budget.yaml", "limit: 9\n");
    for command in commands {
        let before = workspace.snapshot();
        let ran = workspace.program(command);
        assert_eq!(ran.code, 5, "{command:?}: {}", ran.stderr);
        let changed: Vec<_> = workspace
            .snapshot()
            .into_iter()
            .filter(|(file, bytes)| before.get(file) != Some(bytes))
            .map(|(file, _)| file.display().to_string())
            .filter(|file| ![AUDIT, HEADS, "state/.lock"].contains(&file.as_str()))
            .collect();
        assert_eq!(changed, Vec::<String>::new(), "{command:?}");
    }
    // What closes, takes back, repairs or reads works.
    let others: [&[&str]; 8] = [
        &["kill", "on", "--reason", "x"],
        &["brake", "engage", "--reason", "x"],
        &["undo", "list"],
        &["status"],
        &["explain"],
        &["audit", "verify"],
        &["alerts", "--dry-run"],
        &["policy", "status"],
    ];
    for command in others {
        let ran = workspace.program(command);
        assert_ne!(ran.code, 5, "{command:?}: {}", ran.stderr);
        assert_ne!(ran.code, 2, "{command:?}: {}", ran.stderr);
    }
}

/// What `doctor` says of one subject: grades and details.
fn examined(workspace: &Workspace, env: &[(&str, &str)], what: &str) -> (i32, Vec<String>) {
    let mut command = workspace.command(&["doctor"]);
    let ran = Ran::from(command.envs(env.iter().copied()).output().unwrap());
    let all = ran.json()["checks"].as_array().unwrap().clone();
    let said = all.iter().filter(|check| check["what"] == what);
    let text = |check: &Value| {
        format!(
            "{}: {}",
            check["grade"].as_str().unwrap(),
            check["detail"].as_str().unwrap()
        )
    };
    (ran.code, said.map(text).collect())
}

#[test]
fn doctor_tells_how_the_lock_stands_and_changes_nothing() {
    const WHAT: &str = "policy lock";
    let workspace = reviewed();
    let open = examined(&workspace, &[], WHAT).1;
    assert!(open[0].starts_with("remark: nothing is locked"), "{open:?}");
    lock(&workspace).exits(0);
    assert_eq!(
        examined(&workspace, &[], WHAT).1,
        ["ok: 6 files as they were accepted"]
    );
    let unsigned = examined(&workspace, &[("POLICY_AUDIT_SECRET", SECRET)], WHAT).1;
    assert!(unsigned[0].contains("is not signed"), "{unsigned:?}");
    chmod(&workspace, POLICY, 0o644);
    let (code, drift) = examined(&workspace, &[], WHAT);
    assert_eq!(code, 0);
    assert!(
        drift[0].contains("has mode 0644 instead of 0444"),
        "{drift:?}"
    );
    assert_eq!(mode(&workspace, POLICY), 0o644);
    workspace.run().exits(0);
    remove(&workspace, MANIFEST);
    let (code, gone) = examined(&workspace, &[], WHAT);
    assert_eq!(code, 5);
    assert!(gone[0].starts_with("tampered: "), "{gone:?}");
}

#[test]
fn doctor_tells_of_approvers_codes_and_checkpoints() {
    let production = [("ENV", "production")];
    let workspace = reviewed();
    let nobody = examined(&workspace, &production, "approvers").1;
    assert!(nobody[0].contains("nobody can approve"), "{nobody:?}");
    assert!(examined(&workspace, &[], "approvers").1.is_empty());
    let codes = examined(&workspace, &production, "one-time codes").1;
    assert!(codes[0].starts_with("remark: no override"), "{codes:?}");
    let set = [
        production[0],
        ("POLICY_TOTP_SECRET", "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ"),
    ];
    let codes = examined(&workspace, &set, "one-time codes").1;
    assert_eq!(codes, ["ok: a secret is set"]);
    crate::approvals::keys(&workspace, "bob", "ed25519");
    crate::approvals::list(
        &workspace,
        &[("bob", "accept]\n    until: 2026-01-01T00:00:00Z\n    x: [a")],
    );
    let wrong = examined(&workspace, &[], "approvers");
    assert!(
        wrong.0 == 1 && wrong.1[0].contains("KEY_UNKNOWN"),
        "{wrong:?}"
    );
    let listed = "schema: 1\napprovers:\n  - name: bob\n    key_file: policy/bob.pub\n    may: [accept]\n    until: 2026-01-01T00:00:00Z\n";
    workspace.write("policy/approvers.yaml", listed);
    let over = examined(&workspace, &[], "approvers").1;
    assert!(
        over[0].contains("bob may approve nothing since"),
        "{over:?}"
    );
    assert!(
        over[1].contains("nobody may approve apply, accept"),
        "{over:?}"
    );
    workspace.write(
        "policy/approvers.yaml",
        "schema: 1\napprovers:\n  - name: bob\n    may: [accept]\n",
    );
    let keyless = examined(&workspace, &[], "approvers").1;
    assert!(keyless[0].contains("KEY_MISSING"), "{keyless:?}");
    let none = examined(&workspace, &[], "checkpoint").1;
    assert!(none[0].starts_with("remark: none is recorded"), "{none:?}");
    workspace.run().exits(0);
    let make = |at: &str, out: &str| {
        let arguments = ["audit", "checkpoint", "--out", out, "--at", at];
        let mut command = workspace.command(&arguments);
        let made = command.env("POLICY_SIGNING_KEY_FILE", "bob.key").output();
        Ran::from(made.unwrap()).exits(0);
    };
    make(AT, "old");
    let old = examined(&workspace, &[], "checkpoint").1;
    assert!(old[0].contains("more than 30 days ago"), "{old:?}");
    let arguments = ["doctor", "--at", "2026-01-16T00:00:00Z"];
    let early = workspace.program(&arguments).stdout;
    assert!(early.contains("the last one is of"), "{early}");
}
