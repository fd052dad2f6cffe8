//! The tamper corpus of the journals: what is found, where, and with which code; what can't be found
//! from the workspace alone, and is with a head that was kept; and what is no tampering.
//!
//! Changes of a state file are in `forgery.rs`, of single bytes in `journal.rs`, of keys in `keys.rs`.

use std::collections::BTreeMap;
use std::io::{Read as _, Write as _};
use std::path::PathBuf;
use std::sync::OnceLock;

use policy_orchestrator::ids::{Digest, RunId};
use policy_orchestrator::record::verify::{Against, Verdict, verify};
use policy_orchestrator::record::{Head, SigningKey, signing};

use crate::workspace::{JOURNAL, Ran, Workspace};

const OLD: &str = "the old secret of at least 32 bytes";
const NEW: &str = "the new secret of at least 32 bytes";
const EVENTS: &str = "state/audit.log";
const RESPONSES: &str = "state/policy_response_journal.jsonl";
const HEADS: &str = "state/journal_heads.json";
const STATE: &str = "state/policy_state.json";

fn key(secret: &str) -> SigningKey {
    SigningKey::new(secret.as_bytes().to_vec()).unwrap()
}

fn old(workspace: &Workspace, arguments: &[&str]) -> Ran {
    let mut command = workspace.command(arguments);
    command.env("POLICY_AUDIT_SECRET", OLD);
    command.output().unwrap().into()
}

fn new(workspace: &Workspace, arguments: &[&str]) -> Ran {
    let mut command = workspace.command(arguments);
    command.env("POLICY_AUDIT_SECRET", NEW);
    command.env("POLICY_AUDIT_OLD_SECRET", OLD);
    command.output().unwrap().into()
}

fn verified(workspace: &Workspace) -> Ran {
    new(workspace, &["audit", "verify"])
}

type Files = BTreeMap<PathBuf, Vec<u8>>;

fn of(files: &Files) -> Workspace {
    let workspace = Workspace::empty();
    for (name, bytes) in files {
        workspace.write(name.to_str().unwrap(), bytes);
    }
    workspace
}

/// Two closed segments of decisions and four more behind them; three events, the first of them from
/// before a rotation of keys; two lines of responses.
fn long() -> Workspace {
    static FILES: OnceLock<Files> = OnceLock::new();
    of(FILES.get_or_init(|| {
        let workspace = Workspace::healthy();
        let at = |minute: u32| format!("2026-01-15T12:{minute:02}:00Z");
        for minute in 0..3 {
            old(&workspace, &["run", "--at", &at(minute)]).exits(0);
        }
        let record = |by: &dyn Fn(&Workspace, &[&str]) -> Ran, minute: u32| {
            let kind = ["--type", "CUSTOM_REVIEW", "--severity", "LOW"];
            let details = ["--details", "{\"result\":\"passed\"}", "--at"];
            let at = at(minute);
            let all = [&["audit", "record"], &kind[..], &details, &[&at]].concat();
            by(&workspace, &all).exits(0);
        };
        record(&old, 3);
        let rotate_key = ["audit", "rotate-key", "--reason", "yearly", "--at"];
        new(&workspace, &[&rotate_key[..], &[&at(4)]].concat()).exits(0);
        let close = ["audit", "rotate", "--journal", JOURNAL, "--at"];
        new(&workspace, &[&close[..], &[&at(5)]].concat()).exits(0);
        for minute in 6..9 {
            new(&workspace, &["run", "--at", &at(minute)]).exits(0);
        }
        new(&workspace, &[&close[..], &[&at(9)]].concat()).exits(0);
        for minute in 10..14 {
            new(&workspace, &["run", "--at", &at(minute)]).exits(0);
        }
        record(&new, 14);
        for (minute, word) in [(15, "engage"), (16, "reset")] {
            let brake = ["brake", word, "--reason", "test", "--at"];
            new(&workspace, &[&brake[..], &[&at(minute)]].concat()).exits(0);
        }
        verified(&workspace).exits(0);
        workspace.snapshot()
    }))
}

fn lines(workspace: &Workspace, file: &str) -> Vec<String> {
    workspace.read(file).lines().map(str::to_owned).collect()
}

fn write(workspace: &Workspace, file: &str, lines: &[String]) {
    workspace.write(file, lines.join("\n") + "\n");
}

/// Changes the lines of a file.
fn edit(workspace: &Workspace, file: &str, change: impl FnOnce(&mut Vec<String>)) {
    let mut all = lines(workspace, file);
    change(&mut all);
    write(workspace, file, &all);
}

/// Replaces text in a line (counted from 1), which has to be there.
fn replace(workspace: &Workspace, file: &str, number: usize, from: &str, to: &str) {
    edit(workspace, file, |lines| {
        let line = &mut lines[number - 1];
        assert!(line.contains(from), "{from} in {line}");
        *line = line.replacen(from, to, 1);
    });
}

/// Another digit in place of the first one behind `member`.
fn flip(workspace: &Workspace, file: &str, number: usize, member: &str) {
    edit(workspace, file, |lines| {
        let line = &mut lines[number - 1];
        let at = line.find(member).unwrap() + member.len();
        let digit = if &line[at..=at] == "0" { "1" } else { "0" };
        line.replace_range(at..=at, digit);
    });
}

fn content(line: &str) -> String {
    let bytes = signing::without_signature(line.as_bytes());
    String::from_utf8(bytes.to_vec()).unwrap() + "}"
}

fn signed(line: &str, secret: &str) -> String {
    String::from_utf8(signing::signed(line.as_bytes().to_vec(), &key(secret))).unwrap()
}

/// Writes the lines from `number` on anew, each chained to the one before, and each as `finish` says.
fn chain_again(lines: &mut [String], number: usize, finish: impl Fn(&str) -> String) {
    for index in number - 1..lines.len() {
        let mut line = content(&lines[index]);
        if index > 0 {
            let prev = Digest::of(lines[index - 1].as_bytes()).to_string();
            let at = line.find("\"prev\":\"").unwrap() + 8;
            line.replace_range(at..at + 64, &prev);
        }
        lines[index] = finish(&line);
    }
}

/// The segments of decisions, the first one first.
fn segments(workspace: &Workspace) -> Vec<String> {
    let names = std::fs::read_dir(workspace.file("state/segments")).unwrap();
    let names = names.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let mut names: Vec<String> = names.map(|name| format!("state/segments/{name}")).collect();
    names.sort();
    assert_eq!(names.len(), 2);
    names
}

fn unpacked(bytes: &[u8]) -> Vec<u8> {
    let mut plain = Vec::new();
    flate2::read::GzDecoder::new(bytes)
        .read_to_end(&mut plain)
        .unwrap();
    plain
}

fn packed(bytes: &[u8]) -> Vec<u8> {
    let mut packer = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    packer.write_all(bytes).unwrap();
    packer.finish().unwrap()
}

/// A case: its name, the change, the code, and the place that has to be named (a file, with its line
/// behind a colon where there is one; `1st` and `2nd` stand for the segments).
type Case = (&'static str, fn(&Workspace), &'static str, &'static str);

const J: &str = "state/policy_state_log.jsonl";

#[rustfmt::skip]
const CASES: &[Case] = &[
    ("a byte of a value", |w| replace(w, J, 3, "\"integrity\":97.5", "\"integrity\":97.6"), "SIGNATURE_WRONG", "J:3"),
    ("a digit of a signature", |w| flip(w, J, 3, "\"hmac\":\""), "SIGNATURE_WRONG", "J:3"),
    ("a digit of a hash", |w| flip(w, J, 3, "\"prev\":\""), "SIGNATURE_WRONG", "J:3"),
    ("a digit of the id of a key", |w| flip(w, J, 3, "\"key\":\""), "SIGNATURE_WRONG", "J:3"),
    ("a digit of the last line", |w| flip(w, J, 5, "\"hmac\":\""), "SIGNATURE_WRONG", "J:5"),
    ("another number", |w| replace(w, J, 3, "\"seq\":", "\"seq\":9"), "LINE_ORDER", "J:3"),
    ("no id of a key", |w| edit(w, J, |all| { let at = all[2].find(",\"key\"").unwrap(); all[2].replace_range(at..at + 25, ""); }), "SIGNATURE_WRONG", "J:3"),
    ("no signature", |w| edit(w, J, |all| all[2] = content(&all[2])), "SIGNATURE_MISSING", "J:3"),
    ("two lines swapped", |w| edit(w, J, |all| all.swap(2, 3)), "LINE_ORDER", "J:3"),
    ("a line deleted", |w| edit(w, J, |all| drop(all.remove(2))), "LINE_ORDER", "J:3"),
    ("the first line deleted", |w| edit(w, J, |all| drop(all.remove(0))), "LINE_CHANGED", "J:1"),
    ("a line put in that was elsewhere", |w| edit(w, J, |all| all.insert(4, all[1].clone())), "LINE_ORDER", "J:5"),
    ("a line twice", |w| edit(w, J, |all| all.insert(3, all[2].clone())), "LINE_ORDER", "J:4"),
    ("an unsigned line put in at the end", |w| edit(w, J, |all| { let line = content(&all[4]).replace("\"seq\":13", "\"seq\":14"); all.push(line); chain_again(all, 6, str::to_owned); }), "SIGNATURE_MISSING", "J:6"),
    ("chained again without a key", |w| edit(w, J, |all| chain_again(all, 3, str::to_owned)), "SIGNATURE_MISSING", "J:3"),
    ("chained again and signed with another key", |w| edit(w, J, |all| chain_again(all, 3, |line| signed(line, "somebody else's secret of 32 bytes"))), "SIGNATURE_WRONG", "J:3"),
    ("the same under the id of the right key", |w| edit(w, J, |all| chain_again(all, 3, |line| { let other = key("somebody else's secret of 32 bytes").id(); signed(line, "somebody else's secret of 32 bytes").replace(other.as_str(), key(NEW).id().as_str()) })), "SIGNATURE_WRONG", "J:3"),
    ("signed again with the key from before", |w| edit(w, J, |all| chain_again(all, 3, |line| signed(line, OLD))), "SIGNATURE_WRONG", "J:3"),
    ("one line signed again by a holder of the key", |w| edit(w, J, |all| { let line = content(&all[2]).replace("97.5", "97.6"); all[2] = signed(&line, NEW); }), "LINE_CHANGED", "J:3"),
    ("the end cut by a line", |w| edit(w, J, |all| drop(all.pop())), "END_CUT", "J:4"),
    ("the end cut to the first line", |w| edit(w, J, |all| all.truncate(1)), "END_CUT", "J:1"),
    ("an empty file", |w| w.write(J, ""), "END_CUT", "J"),
    ("no file", |w| std::fs::remove_file(w.file(J)).unwrap(), "END_CUT", "J"),
    ("another journal in its place", |w| { let other = Workspace::healthy(); for minute in 0..5 { old(&other, &["run", "--at", &format!("2026-01-15T12:0{minute}:00Z")]).exits(0); } w.write(J, other.bytes(J)); }, "END_CUT", "J:5"),
    ("a blank in a line", |w| replace(w, J, 3, ",\"policy\"", ", \"policy\""), "SIGNATURE_WRONG", "J:3"),
    ("a carriage return", |w| edit(w, J, |all| all[2].push('\r')), "SIGNATURE_MISSING", "J:3"),
    ("a blank line", |w| edit(w, J, |all| all.insert(3, String::new())), "LINE_UNREADABLE", "J:4"),
    ("a NUL byte as a line", |w| edit(w, J, |all| all.insert(3, "\0".to_owned())), "LINE_UNREADABLE", "J:4"),
    ("other members first", |w| edit(w, J, |all| { let line = all[2].replacen("{\"timestamp\"", "{\"x\":1,\"timestamp\"", 1); all[2] = line; }), "SIGNATURE_WRONG", "J:3"),
    ("a line without an end", |w| edit(w, J, |all| all.insert(3, "x".repeat(3 << 20))), "LINE_TOO_LONG", "J"),
    ("text at the end", |w| edit(w, J, |all| all.push("no record".to_owned())), "LINE_UNREADABLE", "J:6"),
    ("no first segment", |w| std::fs::remove_file(w.file(&segments(w)[0])).unwrap(), "SEGMENT_CHANGED", "1st"),
    ("no second segment", |w| std::fs::remove_file(w.file(&segments(w)[1])).unwrap(), "SEGMENT_CHANGED", "2nd"),
    ("a byte of a segment", |w| { let name = &segments(w)[1]; let mut bytes = w.bytes(name); let at = bytes.len() / 2; bytes[at] ^= 1; w.write(name, bytes); }, "SEGMENT_CHANGED", "2nd"),
    ("half a segment", |w| { let name = &segments(w)[0]; let bytes = w.bytes(name); w.write(name, &bytes[..bytes.len() / 2]); }, "SEGMENT_CHANGED", "1st"),
    ("two segments swapped", |w| { let names = segments(w); let (first, second) = (w.bytes(&names[0]), w.bytes(&names[1])); w.write(&names[0], second); w.write(&names[1], first); }, "SEGMENT_CHANGED", "2nd"),
    ("an empty segment", |w| w.write(&segments(w)[1], packed(b"")), "SEGMENT_CHANGED", "2nd"),
    ("an empty file as a segment", |w| w.write(&segments(w)[1], ""), "SEGMENT_CHANGED", "2nd"),
    ("a segment packed again", |w| { let name = &segments(w)[0]; let plain = unpacked(&w.bytes(name)); w.write(name, packed(&plain)); }, "SEGMENT_CHANGED", "1st"),
    ("a directory as a segment", |w| { let name = w.file(&segments(w)[0]); std::fs::remove_file(&name).unwrap(); std::fs::create_dir(name).unwrap(); }, "SEGMENT_CHANGED", "1st"),
    ("a changed segment with the right hashes in its successor", |w| { let name = &segments(w)[1]; let (was, plain) = (w.bytes(name), unpacked(&w.bytes(name))); let plain = String::from_utf8(plain).unwrap().replace("97.5", "97.6"); let bytes = packed(plain.as_bytes()); let hash = |bytes: &[u8]| Digest::of(bytes).to_string(); edit(w, J, |all| all[0] = all[0].replace(&hash(&was), &hash(&bytes)).replace(&hash(&unpacked(&was)), &hash(plain.as_bytes()))); w.write(name, bytes); }, "SIGNATURE_WRONG", "J:1"),
    ("an empty segment with the right hashes in its successor", |w| { let name = &segments(w)[1]; let (was, bytes) = (w.bytes(name), packed(b"")); let hash = |bytes: &[u8]| Digest::of(bytes).to_string(); edit(w, J, |all| { all[0] = all[0].replace(&hash(&was), &hash(&bytes)).replace(&hash(&unpacked(&was)), &hash(b"")); let line = content(&all[0]); all[0] = signed(&line, NEW); chain_again(all, 2, |line| signed(line, NEW)); }); w.write(name, bytes); }, "SEGMENT_CHANGED", "2nd"),
    ("a name that leads out", |w| replace(w, J, 1, "state/segments/", "state/../../x/"), "SIGNATURE_WRONG", "J:1"),
    ("an event from before sealed again with the newer key", |w| edit(w, EVENTS, |all| all[0] = signed(&content(&all[0]), NEW)), "LINE_CHANGED", "E:1"),
    ("the same, and all behind it chained again", |w| edit(w, EVENTS, |all| { all[0] = signed(&content(&all[0]), NEW); chain_again(all, 2, |line| signed(line, NEW)); }), "HEAD_DIFFERS", "E:3"),
    ("an event behind the rotation sealed with the key from before", |w| edit(w, EVENTS, |all| all[2] = signed(&content(&all[2]), OLD)), "SIGNATURE_WRONG", "E:3"),
    ("the old key's part of the handover", |w| flip(w, EVENTS, 2, "\"hmac_old\":\""), "SIGNATURE_WRONG", "E:2"),
    ("another old key in the handover", |w| flip(w, EVENTS, 2, "\"old_key\":\""), "SIGNATURE_WRONG", "E:2"),
    ("no handover", |w| edit(w, EVENTS, |all| drop(all.remove(1))), "LINE_ORDER", "E:2"),
    ("an event's severity", |w| replace(w, EVENTS, 3, "LOW", "HIGH"), "SIGNATURE_WRONG", "E:3"),
    ("the events cut", |w| edit(w, EVENTS, |all| drop(all.pop())), "END_CUT", "E:2"),
    ("the events gone", |w| std::fs::remove_file(w.file(EVENTS)).unwrap(), "END_CUT", "E"),
    ("a reason in the journal of responses", |w| replace(w, RESPONSES, 1, "\"test\"", "\"none\""), "SIGNATURE_WRONG", "R:1"),
    ("the journal of responses cut", |w| edit(w, RESPONSES, |all| drop(all.pop())), "END_CUT", "R:1"),
    ("a head's hash", |w| { let mut heads: serde_json::Value = serde_json::from_str(&w.read(HEADS)).unwrap(); heads[EVENTS]["sha256"] = Digest::of(b"other").to_string().into(); w.write(HEADS, heads.to_string()); }, "HEAD_DIFFERS", "E:3"),
    ("a head's number", |w| edit(w, HEADS, |all| for line in all { *line = line.replace("\"seq\": 3", "\"seq\": 4"); }), "END_CUT", "E:3"),
    ("a head of a file that is no journal", |w| edit(w, HEADS, |all| for line in all { *line = line.replace("state/audit.log", "state/other.log"); }), "JOURNAL_BROKEN", "H"),
    ("the level in the state file", |w| { let text = w.read(STATE); w.write(STATE, text.replacen("\"GREEN\"", "\"RED\"", 1)); }, "STATE_DIFFERS", "S"),
    ("a kept policy document", |w| { let name = std::fs::read_dir(w.file("state/policies")).unwrap().next().unwrap().unwrap().path(); std::fs::write(name, "{}").unwrap(); }, "POLICY_COPY_CHANGED", "state/policies/"),
    ("no kept policy document", |w| std::fs::remove_dir_all(w.file("state/policies")).unwrap(), "POLICY_COPY_CHANGED", "state/policies/"),
];

fn place(place: &str) -> String {
    let names = segments(&long());
    match place {
        "1st" => names[0].clone(),
        "2nd" => names[1].clone(),
        _ => {
            let (file, line) = place.split_once(':').map_or((place, ""), |parts| parts);
            let file = match file {
                "J" => J,
                "E" => EVENTS,
                "R" => RESPONSES,
                "H" => HEADS,
                "S" => STATE,
                other => other,
            };
            if line.is_empty() {
                file.to_owned()
            } else {
                format!("{file}:{line}\n")
            }
        }
    }
}

#[test]
fn every_case_of_the_corpus_is_found_at_its_place() {
    assert!(CASES.len() >= 40);
    let mut missed = String::new();
    for (name, change, code, at) in CASES {
        let workspace = long();
        change(&workspace);
        let ran = verified(&workspace);
        let told = format!("[{code}]");
        let at = format!("--> {}", place(at));
        // The code and the place belong to one finding.
        let findings = ran.stderr.split("error[").map(|part| format!("[{part}"));
        let is_told = findings
            .into_iter()
            .any(|finding| finding.starts_with(&told) && finding.contains(&at));
        if ran.code != 5 || !is_told {
            missed.push_str(&format!(
                "{name}: {} instead of 5, {told} {at}\n{}\n",
                ran.code, ran.stderr
            ));
        }
    }
    assert!(missed.is_empty(), "{missed}");
}

#[test]
fn what_only_a_kept_head_shows() {
    let before = long();
    let head = |workspace: &Workspace| {
        let last = lines(workspace, J).pop().unwrap();
        let number: serde_json::Value = serde_json::from_str(&last).unwrap();
        format!("{}:{}", number["seq"], Digest::of(last.as_bytes()))
    };
    let workspace = long();
    for minute in 20..22 {
        new(
            &workspace,
            &["run", "--at", &format!("2026-01-15T12:{minute}:00Z")],
        )
        .exits(0);
    }
    let kept = head(&workspace);
    // Everything put back to an earlier time, state and heads included.
    verified(&before).exits(0);
    new(&before, &["audit", "verify", "--head", &kept]).exits(5);
    // A head from within a closed segment is found there.
    let in_segment = {
        let plain = unpacked(&before.bytes(&segments(&before)[0]));
        let text = String::from_utf8(plain).unwrap();
        let line = text.lines().nth(1).unwrap().to_owned();
        format!("2:{}", Digest::of(line.as_bytes()))
    };
    new(&before, &["audit", "verify", "--head", &in_segment]).exits(0);
    let other = format!("2:{}", Digest::of(b"another"));
    new(&before, &["audit", "verify", "--head", &other]).exits(5);
    // A holder of the key writes the end anew, and the state file with it.
    let mut all = lines(&workspace, J);
    let count = all.len();
    all[count - 1] = all[count - 1].replace("97.5", "99.5");
    chain_again(&mut all, count, |line| signed(line, NEW));
    write(&workspace, J, &all);
    let state = workspace.read(STATE);
    let was = kept.split_once(':').unwrap().1.to_owned();
    let now = Digest::of(all[count - 1].as_bytes());
    let run_id = workspace.state()["run_id"].as_str().unwrap().to_owned();
    let state = state
        .replace(&run_id, &RunId::of_line(&now).to_string())
        .replace(&was, &now.to_string());
    workspace.write(STATE, state.replace("97.5", "99.5"));
    verified(&workspace).exits(0);
    new(&workspace, &["audit", "verify", "--head", &kept]).exits(5);
}

#[test]
#[expect(clippy::too_many_lines, reason = "a table")]
fn forty_harmless_changes_are_no_tampering() {
    use std::os::unix::fs::PermissionsExt as _;
    let mode = |workspace: &Workspace, file: &str, mode: u32| {
        let permissions = std::fs::Permissions::from_mode(mode);
        std::fs::set_permissions(workspace.file(file), permissions).unwrap();
    };
    let mut count = 0;
    let mut check = |name: &str, change: &dyn Fn(&Workspace)| {
        let workspace = long();
        change(&workspace);
        let ran = verified(&workspace);
        assert_eq!(ran.code, 0, "{name}: {}", ran.stderr);
        // Nor does a run that comes behind it find anything.
        let ran = new(&workspace, &["run", "--at", "2026-01-15T13:00:00Z"]);
        assert_eq!(ran.code, 0, "{name}: {}", ran.stderr);
        verified(&workspace).exits(0);
        count += 1;
    };
    let next = {
        let workspace = long();
        new(&workspace, &["run", "--at", "2026-01-15T12:30:00Z"]).exits(0);
        lines(&workspace, J).pop().unwrap()
    };
    // A line that was never finished, cut anywhere.
    for part in 1..=12 {
        let cut = next.len() * part / 13;
        check("a torn line", &|w| {
            let text = w.read(J);
            w.write(J, format!("{text}{}", &next[..cut]));
        });
    }
    // A kill behind the append: the state file and the heads are those of before.
    let before = long();
    check("a state file that is behind", &|w| {
        new(w, &["run", "--at", "2026-01-15T12:30:00Z"]).exits(0);
        w.write(STATE, before.bytes(STATE));
    });
    check("heads that are behind", &|w| {
        let kind = ["--type", "CUSTOM_X", "--severity", "LOW"];
        new(w, &[&["audit", "record"], &kind[..]].concat()).exits(0);
        w.write(HEADS, before.bytes(HEADS));
        std::fs::remove_file(w.file("state/journal_verified.json")).unwrap();
    });
    for bits in [0o600, 0o640, 0o664, 0o444] {
        check("modes of a segment", &|w| mode(w, &segments(w)[0], bits));
    }
    for bits in [0o600, 0o640, 0o664] {
        check("modes of a journal", &|w| mode(w, J, bits));
        check("modes of the events", &|w| mode(w, EVENTS, bits));
    }
    check("no word of what was verified", &|w| {
        std::fs::remove_file(w.file("state/journal_verified.json")).unwrap();
    });
    check("nonsense about what was verified", &|w| {
        w.write("state/journal_verified.json", "x");
    });
    check("no lock file", &|w| {
        std::fs::remove_file(w.file("state/.lock")).unwrap();
    });
    check("a left-over temporary file", &|w| {
        w.write("state/.record.tmp", "x");
    });
    check("a file that was moved aside", &|w| {
        w.write("state/policy_state_log.jsonl.torn", "x\n");
    });
    check("a segment that nobody names", &|w| {
        w.write("state/segments/other.jsonl.gz", "x");
    });
    check("a copy of a segment", &|w| {
        let bytes = w.bytes(&segments(w)[0]);
        w.write("state/segments/copy.gz", bytes);
    });
    check("another kept document", &|w| {
        w.write("state/policies/other", "x");
    });
    check("another summary", &|w| {
        w.write("audit_summary.md", "# mine\n");
    });
    check("no reports", &|w| {
        drop(std::fs::remove_dir_all(w.file("reports")));
    });
    check("an alerts log", &|w| {
        w.write("logs/policy_orchestration_alerts.jsonl", "{}\n");
    });
    check("blanks in the state file", &|w| {
        let value: serde_json::Value = serde_json::from_str(&w.read(STATE)).unwrap();
        w.write(STATE, value.to_string());
    });
    check("blanks in the heads", &|w| {
        let value: serde_json::Value = serde_json::from_str(&w.read(HEADS)).unwrap();
        w.write(HEADS, value.to_string());
    });
    check("a dry run", &|w| {
        drop(new(w, &["run", "--dry-run"]).exits(0));
    });
    check("a verification that is recorded", &|w| {
        new(w, &["audit", "verify", "--record"]).exits(0);
    });
    check("a rotation of keys with nothing to do", &|w| {
        new(w, &["audit", "rotate-key", "--reason", "again"]).exits(0);
    });
    check("every journal closed", &|w| {
        drop(new(w, &["audit", "rotate"]).exits(0));
    });
    check("every journal closed twice", &|w| {
        new(w, &["audit", "rotate"]).exits(0);
        new(w, &["audit", "rotate"]).exits(0);
    });
    check("other times of files", &|w| {
        let file = std::fs::File::options()
            .append(true)
            .open(w.file(J))
            .unwrap();
        file.set_modified(std::time::UNIX_EPOCH).unwrap();
    });
    check("a journal that was copied", &|w| {
        let bytes = w.bytes(J);
        std::fs::remove_file(w.file(J)).unwrap();
        w.write(J, bytes);
    });
    assert!(count >= 40, "{count}");
}

/// A long signed journal of any entries, with its head.
fn generated(count: usize) -> Vec<String> {
    let mut all: Vec<String> = Vec::new();
    let key = key(NEW);
    let mut prev = Digest::of(b"");
    for number in 1..=count {
        let line = format!("{{\"entry\":{number},\"v\":1,\"seq\":{number},\"prev\":\"{prev}\"}}");
        let line = signing::signed(line.into_bytes(), &key);
        prev = Digest::of(&line);
        all.push(String::from_utf8(line).unwrap());
    }
    all
}

fn head(lines: &[String], number: usize) -> Head {
    let sha256 = Digest::of(lines[number - 1].as_bytes());
    let seq = number as u64;
    Head { seq, sha256 }
}

type Change = fn(&mut Vec<String>, usize);

#[test]
fn each_kind_at_a_hundred_positions() {
    // What is done to the line with a number, and how far behind it the finding is.
    #[rustfmt::skip]
    let kinds: [(&str, Change, u64); 10] = [
        ("a byte", |all, at| all[at - 1] = all[at - 1].replacen("entry", "Entry", 1), 0),
        ("a bit of the hash", |all, at| { let place = all[at - 1].find("prev").unwrap() + 9; let digit = if &all[at - 1][place..=place] == "0" { "1" } else { "0" }; all[at - 1].replace_range(place..=place, digit); }, 0),
        ("a bit of the signature", |all, at| { let place = all[at - 1].find("hmac").unwrap() + 9; let digit = if &all[at - 1][place..=place] == "0" { "1" } else { "0" }; all[at - 1].replace_range(place..=place, digit); }, 0),
        ("swapped", |all, at| all.swap(at - 1, at), 0),
        ("deleted", |all, at| drop(all.remove(at - 1)), 0),
        ("inserted", |all, at| { let line = content(&all[at]); all.insert(at, line); }, 1),
        ("duplicated", |all, at| all.insert(at, all[at - 1].clone()), 1),
        ("chained again without the key", |all, at| chain_again(all, at, str::to_owned), 0),
        ("chained again with another key", |all, at| chain_again(all, at, |line| signed(line, OLD)), 0),
        ("the end cut", |all, at| all.truncate(at), 0),
    ];
    let original = generated(420);
    let recorded = Some(head(&original, 420));
    let directory = Workspace::empty();
    let workspace = policy_orchestrator::fs::Workspace::open(directory.path()).unwrap();
    let key = key(NEW);
    for (name, change, behind) in kinds {
        for position in 0..100 {
            let at = 3 + position * 4;
            let mut all = original.clone();
            change(&mut all, at);
            write(&directory, "journal", &all);
            let against = Against {
                head: recorded,
                key: Some(&key),
            };
            let found = verify(&workspace, "journal", against).unwrap();
            assert_eq!(found.verdict, Verdict::Broken, "{name} at {at}");
            let named = Some(at as u64 + behind);
            let is_named = found
                .problems
                .iter()
                .any(|problem| problem.place.line == named);
            assert!(is_named, "{name} at {at}: {:?}", found.problems);
        }
    }
}

#[test]
fn what_a_chain_alone_cannot_show_is_shown_by_a_kept_head() {
    let original = generated(120);
    let directory = Workspace::empty();
    let workspace = policy_orchestrator::fs::Workspace::open(directory.path()).unwrap();
    let key = key(NEW);
    for at in 10..110 {
        // The end cut, and the head with it; and the rest written anew by a holder of the key.
        let mut cut = original.clone();
        cut.truncate(at);
        let mut forged = original.clone();
        forged[at - 1] = forged[at - 1].replacen("entry", "forged", 1);
        chain_again(&mut forged, at, |line| signed(line, NEW));
        for all in [cut, forged] {
            write(&directory, "journal", &all);
            let look = |head| {
                let key = Some(&key);
                verify(
                    &workspace,
                    "journal",
                    Against {
                        head: Some(head),
                        key,
                    },
                )
                .unwrap()
                .verdict
            };
            assert_eq!(look(head(&all, all.len())), Verdict::Whole, "{at}");
            assert_eq!(look(head(&original, 115)), Verdict::Broken, "{at}");
        }
    }
}
