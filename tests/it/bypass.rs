//! No way around the guards (S1-096, S1-148): every command is listed here with what stops it, and each
//! is run against the kill switch, changed protected files and the brake.

use std::collections::BTreeMap;
use std::path::PathBuf;

use crate::workspace::{Ran, Workspace};

/// What a command does to the workspace.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Does {
    /// It changes something, and the kill switch stops it.
    Acts,
    /// It changes something and goes on while the kill switch is on, for this reason.
    GoesOn(&'static str),
    /// It changes nothing.
    Reads,
}
use Does::{Acts, GoesOn, Reads};

/// Does changed protected files stop it?
const TAMPER: bool = true;
const NO_TAMPER: bool = false;

const RECORD: &str = "it keeps the record, and decides nothing";
const LOOKS: &str = "it looks, and writes what it found";
const CLOSES: &str = "it closes";
const BACK: &str = "it takes back, or says what was seen";

/// Every command as it is called here; `VERSION` is a draft of a policy.
const COMMANDS: &[(&str, Does, bool)] = &[
    (
        "run",
        GoesOn("a decision is published, whatever happens; it starts nothing"),
        NO_TAMPER,
    ),
    ("run --dry-run", Reads, NO_TAMPER),
    ("explain", Reads, NO_TAMPER),
    ("status", Reads, NO_TAMPER),
    ("audit verify", Reads, NO_TAMPER),
    ("audit checkpoint", Reads, NO_TAMPER),
    ("audit reseal --reason x", GoesOn(RECORD), NO_TAMPER),
    ("audit list", Reads, NO_TAMPER),
    ("audit export --out ../OUT.jsonl", Reads, NO_TAMPER),
    (
        "audit record --type CUSTOM_X --severity LOW",
        GoesOn(RECORD),
        NO_TAMPER,
    ),
    ("audit rotate", GoesOn(RECORD), NO_TAMPER),
    ("audit rotate-key --reason x", GoesOn(RECORD), NO_TAMPER),
    (
        "respond",
        GoesOn("it writes the file of a dry run, and starts nothing"),
        NO_TAMPER,
    ),
    ("respond --apply", Acts, TAMPER),
    ("undo list", Reads, NO_TAMPER),
    ("undo show x", Reads, NO_TAMPER),
    ("undo run x", GoesOn(BACK), NO_TAMPER),
    ("undo accept x --reason x", GoesOn(BACK), NO_TAMPER),
    ("undo prune --keep-days 7", Acts, NO_TAMPER),
    ("policy init", Acts, TAMPER),
    ("policy check", Reads, NO_TAMPER),
    ("policy test", Reads, NO_TAMPER),
    (
        "policy diff draft.yaml policy/policy.yaml",
        Reads,
        NO_TAMPER,
    ),
    ("policy backtest draft.yaml", Reads, NO_TAMPER),
    ("policy impact draft.yaml draft.yaml", Reads, NO_TAMPER),
    ("policy show draft.yaml", Reads, NO_TAMPER),
    ("policy schema", Reads, NO_TAMPER),
    ("policy status", Reads, NO_TAMPER),
    (
        "policy verify",
        GoesOn("it mends modes, and answers"),
        NO_TAMPER,
    ),
    ("policy draft draft.yaml --reason x", Acts, TAMPER),
    (
        "policy approve VERSION --as policy_author --reason x",
        Acts,
        TAMPER,
    ),
    ("policy validate VERSION", Acts, TAMPER),
    (
        "policy promote VERSION --to staging --reason x",
        Acts,
        TAMPER,
    ),
    ("policy rollback --reason x", Acts, TAMPER),
    ("policy lock", GoesOn(CLOSES), TAMPER),
    ("policy accept --reason x", Acts, NO_TAMPER),
    ("history", Reads, NO_TAMPER),
    ("replay", Reads, NO_TAMPER),
    ("alerts", GoesOn("it tells people"), NO_TAMPER),
    ("action integrity_check", Reads, NO_TAMPER),
    ("action integrity_anchor_mirror --apply", Acts, TAMPER),
    ("trust check", Reads, NO_TAMPER),
    ("trust enforce", GoesOn(CLOSES), NO_TAMPER),
    ("trust status", Reads, NO_TAMPER),
    ("trust force-unlock --reason x", Acts, TAMPER),
    ("trust reset-counter --reason x", Acts, TAMPER),
    ("brake status", Reads, NO_TAMPER),
    ("brake engage --reason x", GoesOn(CLOSES), NO_TAMPER),
    ("brake reset --reason x", Acts, TAMPER),
    ("kill on --reason x", GoesOn(CLOSES), NO_TAMPER),
    (
        "kill off --reason x",
        GoesOn("it ends this; in production a second person has to approve"),
        TAMPER,
    ),
    ("kill status", Reads, NO_TAMPER),
    ("kill watch --count 1", Reads, NO_TAMPER),
    (
        "approve request --operation kill_off --reason x",
        GoesOn("the way out is asked for here"),
        NO_TAMPER,
    ),
    (
        "approve grant x --as y",
        GoesOn("the way out is given here"),
        NO_TAMPER,
    ),
    ("approve deny x --reason y", GoesOn(CLOSES), NO_TAMPER),
    ("approve list", Reads, NO_TAMPER),
    ("approve verify x", Reads, NO_TAMPER),
    (
        "override request --operation guard:policy/a --justification y",
        GoesOn("it opens nothing that the kill switch closes"),
        TAMPER,
    ),
    (
        "override approve x --code 123456 --justification y",
        GoesOn("it opens nothing that the kill switch closes"),
        TAMPER,
    ),
    ("override status", Reads, NO_TAMPER),
    ("override enroll", Reads, NO_TAMPER),
    ("attest", Reads, NO_TAMPER),
    ("attest verify x --key y", Reads, NO_TAMPER),
    ("keys generate --out ../OUT", Reads, NO_TAMPER),
    ("keys show x", Reads, NO_TAMPER),
    ("guard check", Reads, NO_TAMPER),
    ("guard hook install", Acts, TAMPER),
    ("guard hook show", Reads, NO_TAMPER),
    ("scan secrets", Reads, NO_TAMPER),
    ("compliance report", Reads, TAMPER),
    (
        "compliance ask --subject x --purpose y --fields z",
        Acts,
        TAMPER,
    ),
    ("analytics", Reads, TAMPER),
    ("metrics", GoesOn(LOOKS), NO_TAMPER),
    ("report summary", GoesOn(LOOKS), NO_TAMPER),
    ("report badge", GoesOn(LOOKS), NO_TAMPER),
    ("report junit", GoesOn(LOOKS), NO_TAMPER),
    ("report sarif", GoesOn(LOOKS), NO_TAMPER),
    ("report annotations", GoesOn(LOOKS), NO_TAMPER),
    ("checks list", Reads, NO_TAMPER),
    ("checks plan x", Reads, NO_TAMPER),
    ("checks run", GoesOn(LOOKS), NO_TAMPER),
    ("health", GoesOn(LOOKS), NO_TAMPER),
    ("spend check --input x", Reads, TAMPER),
    ("spend record --input x", Acts, TAMPER),
    ("spend cancel x --reason x", Acts, TAMPER),
    ("spend usage", Reads, TAMPER),
    ("portal data --rebuild", GoesOn(LOOKS), NO_TAMPER),
    ("decide", Reads, NO_TAMPER),
    ("obligations list", Reads, NO_TAMPER),
    ("obligations apply --envelope x", Reads, NO_TAMPER),
    ("promote check", Reads, NO_TAMPER),
    ("policy gate", Reads, NO_TAMPER),
    ("decide --record", GoesOn("a denial is recorded"), NO_TAMPER),
    ("init", Acts, TAMPER),
    ("doctor", Reads, NO_TAMPER),
    ("completions bash", Reads, NO_TAMPER),
    ("man", Reads, NO_TAMPER),
];

/// A workspace in which every command could do something, with the id of a draft.
fn ready() -> (Workspace, String) {
    let workspace = Workspace::healthy().with_git();
    workspace.integrity("80");
    workspace.run().exits(0);
    workspace.program(&["policy", "init"]).exits(0);
    let text = workspace.read("policy/policy.yaml");
    let version = text
        .lines()
        .find(|line| line.trim().starts_with("version:"))
        .unwrap();
    workspace.write("draft.yaml", text.replace(version, "  version: \"99\""));
    workspace
        .program(&["policy", "draft", "draft.yaml", "--reason", "x"])
        .exits(0);
    let status = workspace.program(&["policy", "status"]).exits(0).json();
    let version = status["versions"][0]["id"].as_str().unwrap().to_owned();
    workspace
        .program(&["policy", "lock", "--reason", "reviewed"])
        .exits(0);
    (workspace, version)
}

fn call(workspace: &Workspace, version: &str, line: &str, out: usize) -> Ran {
    let out = format!("{}.{out}", workspace.path().display());
    let words: Vec<String> = line
        .split(' ')
        .map(|word| word.replace("VERSION", version).replace("../OUT", &out))
        .collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let ran = workspace.program(&words);
    for end in ["", ".jsonl", ".pub"] {
        drop(std::fs::remove_file(format!("{out}{end}")));
    }
    ran
}

/// The files of the workspace but for locks and what tells that something was refused.
fn files(workspace: &Workspace) -> BTreeMap<PathBuf, Vec<u8>> {
    let told = [
        "state/policy_response_log.jsonl",
        "state/journal_heads.json",
        "state/audit.log",
        "reports/policy_response_blocked.json",
        "reports/policy_response_dryrun.json",
        "audit_summary.md",
    ];
    let is_told = |path: &PathBuf| {
        let name = path.to_string_lossy();
        told.contains(&&*name) || name.contains(".lock")
    };
    let mut files = workspace.snapshot();
    files.retain(|path, _| !is_told(path));
    files
}

const NOTHING: [&PathBuf; 0] = [];

/// The files that are not as they were.
fn changed<'f>(
    before: &'f BTreeMap<PathBuf, Vec<u8>>,
    after: &'f BTreeMap<PathBuf, Vec<u8>>,
) -> Vec<&'f PathBuf> {
    let gone = before.keys().filter(|path| !after.contains_key(*path));
    let other = after
        .iter()
        .filter(|(path, bytes)| before.get(*path) != Some(*bytes));
    gone.chain(other.map(|(path, _)| path)).collect()
}

/// The names of all commands that have none below them, by their help.
fn leaves(workspace: &Workspace, above: &[&str], all: &mut Vec<String>) {
    let help = workspace
        .program(&[above, &["--help"]].concat())
        .exits(0)
        .stdout;
    let names: Vec<&str> = help
        .lines()
        .skip_while(|line| *line != "Commands:")
        .skip(1)
        .take_while(|line| !line.is_empty())
        .filter_map(|line| line.strip_prefix("  ")?.split(' ').next())
        .filter(|name| !name.is_empty())
        .collect();
    if names.is_empty() {
        all.push(above.join(" "));
    }
    for name in names {
        leaves(workspace, &[above, &[name]].concat(), all);
    }
}

#[test]
fn every_command_is_listed_with_what_stops_it() {
    let mut all = Vec::new();
    leaves(&Workspace::empty(), &[], &mut all);
    assert!(all.len() > 60, "{all:?}");
    let is_listed = |name: &String| {
        let mut lines = COMMANDS.iter().map(|(line, ..)| *line);
        lines.any(|line| line == name || line.starts_with(&format!("{name} ")))
    };
    all.retain(|name| !is_listed(name));
    assert_eq!(all, Vec::<String>::new());
}

#[test]
fn the_kill_switch_stops_every_command_that_acts_and_no_other() {
    let (workspace, version) = ready();
    workspace.write(
        "state/kill_switch.json",
        "{\"on\": true, \"reason\": \"drill\"}",
    );
    for (index, (line, does, _)) in COMMANDS.iter().enumerate() {
        if line.starts_with("kill o") {
            continue;
        }
        let before = files(&workspace);
        let ran = call(&workspace, &version, line, index);
        let told = format!("{}{}", ran.stdout, ran.stderr).to_lowercase();
        match does {
            Acts => {
                assert_eq!(ran.code, 3, "{line}: {told}");
                assert!(told.contains("kill"), "{line}: {told}");
                assert_eq!(changed(&before, &files(&workspace)), NOTHING, "{line}");
            }
            Reads => {
                assert!(ran.code != 3 || told.contains("unlock"), "{line}: {told}");
                assert_eq!(changed(&before, &files(&workspace)), NOTHING, "{line}");
            }
            GoesOn(why) => assert_ne!(ran.code, 3, "{line}, {why}: {told}"),
        }
    }
}

#[test]
fn a_kill_switch_that_nobody_can_read_is_on() {
    let (workspace, version) = ready();
    workspace.write("state/kill_switch.json", "garbage");
    for (index, (line, ..)) in COMMANDS
        .iter()
        .enumerate()
        .filter(|(_, (_, does, _))| *does == Acts)
    {
        call(&workspace, &version, line, index).exits(3);
    }
}

#[test]
fn changed_protected_files_stop_every_command_that_goes_by_them() {
    let (workspace, version) = ready();
    crate::policy_lock::overwrite(&workspace, "policy/policy.yaml", "spec: {}\n");
    for (index, (line, does, stopped)) in COMMANDS.iter().enumerate() {
        if !*stopped {
            continue;
        }
        let before = files(&workspace);
        let ran = call(&workspace, &version, line, index);
        assert_eq!(ran.code, 5, "{line} {does:?}: {}", ran.stderr);
        assert_eq!(changed(&before, &files(&workspace)), NOTHING, "{line}");
    }
    // What acts and is not stopped takes back, repairs, or is the way out.
    let others: Vec<&str> = COMMANDS
        .iter()
        .filter(|(_, does, stopped)| *does == Acts && !stopped)
        .map(|(line, ..)| *line)
        .collect();
    assert_eq!(
        others,
        ["undo prune --keep-days 7", "policy accept --reason x"]
    );
}

#[test]
fn the_brake_stops_what_is_applied() {
    let (workspace, version) = ready();
    workspace
        .program(&["brake", "engage", "--reason", "drill"])
        .exits(0);
    for (index, line) in ["respond --apply", "action integrity_anchor_mirror --apply"]
        .into_iter()
        .enumerate()
    {
        let ran = call(&workspace, &version, line, index).exits(3);
        let told = format!("{}{}", ran.stdout, ran.stderr);
        assert!(told.contains("brake"), "{line}: {told}");
    }
}
