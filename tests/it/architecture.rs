//! The arrows of ARCHITECTURE.md: who may import whom.

use std::path::{Path, PathBuf};

/// The rooms and what each may import. A room that is not named here fails the test.
const ARROWS: &[(&str, &[&str])] = &[
    ("ids", BASE),
    ("time", BASE),
    (
        "diagnostic",
        &["ids", "time", "diagnostic", "fs", "privacy"],
    ),
    ("privacy", &["ids", "privacy"]),
    ("fs", BASE),
    ("signals", &["ids", "time", "diagnostic", "fs", "signals"]),
    (
        "policy",
        &["ids", "time", "diagnostic", "fs", "signals", "policy"],
    ),
    (
        "decision",
        &["ids", "time", "diagnostic", "signals", "policy", "decision"],
    ),
    (
        "record",
        &[
            "ids",
            "time",
            "diagnostic",
            "fs",
            "signals",
            "policy",
            "decision",
            "record",
        ],
    ),
    (
        "history",
        &[
            "ids",
            "time",
            "diagnostic",
            "fs",
            "signals",
            "policy",
            "decision",
            "record",
            "history",
        ],
    ),
    (
        "evaluation",
        &[
            "ids",
            "time",
            "diagnostic",
            "fs",
            "signals",
            "policy",
            "decision",
            "record",
            "lifecycle",
            "protection",
            "portal",
            "evaluation",
        ],
    ),
    (
        "lifecycle",
        &[
            "ids",
            "time",
            "diagnostic",
            "fs",
            "signals",
            "policy",
            "decision",
            "record",
            "history",
            "safeguard",
            "approval",
            "protection",
            "lifecycle",
        ],
    ),
    (
        "safeguard",
        &[
            "ids",
            "time",
            "diagnostic",
            "fs",
            "signals",
            "policy",
            "record",
            "safeguard",
        ],
    ),
    (
        "response",
        &[
            "ids",
            "time",
            "diagnostic",
            "fs",
            "signals",
            "policy",
            "decision",
            "record",
            "safeguard",
            "approval",
            "protection",
            "response",
            "privacy",
        ],
    ),
    (
        "authorization",
        &[
            "ids",
            "time",
            "diagnostic",
            "fs",
            "policy",
            "record",
            "request",
            "privacy",
            "keys",
            "labels",
            "security",
            "rego",
            "spending",
            "authorization",
        ],
    ),
    (
        "request",
        &["ids", "time", "diagnostic", "fs", "policy", "request"],
    ),
    (
        "security",
        &[
            "ids",
            "time",
            "diagnostic",
            "fs",
            "policy",
            "record",
            "compliance",
            "request",
            "security",
        ],
    ),
    (
        "labels",
        &[
            "ids",
            "time",
            "diagnostic",
            "fs",
            "policy",
            "request",
            "labels",
        ],
    ),
    (
        "rego",
        &[
            "ids",
            "time",
            "diagnostic",
            "fs",
            "signals",
            "policy",
            "keys",
            "request",
            "rego",
        ],
    ),
    (
        "metrics",
        &[
            "ids",
            "time",
            "diagnostic",
            "fs",
            "signals",
            "policy",
            "decision",
            "record",
            "history",
            "safeguard",
            "approval",
            "response",
            "alerts",
            "metrics",
        ],
    ),
    (
        "alerts",
        &[
            "ids",
            "time",
            "diagnostic",
            "fs",
            "signals",
            "policy",
            "decision",
            "record",
            "safeguard",
            "approval",
            "protection",
            "response",
            "alerts",
            "post",
            "privacy",
        ],
    ),
    ("keys", &["ids", "time", "diagnostic", "fs", "keys"]),
    (
        "vault",
        &[
            "ids",
            "time",
            "diagnostic",
            "fs",
            "privacy",
            "keys",
            "vault",
        ],
    ),
    (
        "approval",
        &[
            "ids",
            "time",
            "diagnostic",
            "fs",
            "policy",
            "record",
            "safeguard",
            "keys",
            "approval",
        ],
    ),
    (
        "attestation",
        &[
            "ids",
            "time",
            "diagnostic",
            "fs",
            "record",
            "keys",
            "attestation",
        ],
    ),
    (
        "protection",
        &[
            "ids",
            "time",
            "diagnostic",
            "fs",
            "signals",
            "policy",
            "record",
            "protection",
        ],
    ),
    (
        "compliance",
        &[
            "ids",
            "time",
            "diagnostic",
            "fs",
            "policy",
            "record",
            "compliance",
        ],
    ),
    (
        "spending",
        &[
            "ids",
            "time",
            "diagnostic",
            "fs",
            "policy",
            "record",
            "safeguard",
            "approval",
            "privacy",
            "request",
            "spending",
        ],
    ),
    (
        "portal",
        &[
            "ids",
            "time",
            "diagnostic",
            "fs",
            "signals",
            "policy",
            "decision",
            "record",
            "history",
            "safeguard",
            "response",
            "portal",
        ],
    ),
    ("post", &["ids", "time", "diagnostic", "fs", "post"]),
    ("traces", &["ids", "time", "diagnostic", "fs", "traces"]),
    (
        "scan",
        &["ids", "time", "diagnostic", "fs", "privacy", "scan"],
    ),
    (
        "checks",
        &[
            "ids",
            "time",
            "diagnostic",
            "fs",
            "signals",
            "policy",
            "record",
            "evaluation",
            "protection",
            "response",
            "keys",
            "approval",
            "privacy",
            "scan",
            "vault",
            "authorization",
            "checks",
        ],
    ),
    (
        "report",
        &[
            "checks",
            "ids",
            "time",
            "diagnostic",
            "signals",
            "policy",
            "decision",
            "record",
            "history",
            "metrics",
            "report",
            "privacy",
            "scan",
            "request",
            "compliance",
        ],
    ),
    (
        "cli",
        &[
            "ids",
            "time",
            "diagnostic",
            "fs",
            "signals",
            "policy",
            "decision",
            "record",
            "history",
            "evaluation",
            "lifecycle",
            "safeguard",
            "protection",
            "response",
            "alerts",
            "metrics",
            "attestation",
            "keys",
            "approval",
            "report",
            "portal",
            "cli",
            "checks",
            "privacy",
            "request",
            "security",
            "scan",
            "post",
            "traces",
            "compliance",
            "request",
            "authorization",
            "vault",
            "labels",
            "security",
            "rego",
            "spending",
        ],
    ),
];

const BASE: &[&str] = &["ids", "time", "diagnostic", "fs"];

/// Rooms that take everything as arguments: no clock, no environment, no file.
const PURE: &[&str] = &[
    "decision",
    "report",
    "request",
    "ids",
    "diagnostic",
    "privacy",
];

/// The same of single files.
const PURE_FILES: &[&str] = &[
    "policy/freeze.rs",
    "policy/freeze/opening.rs",
    "policy/freeze/schedule.rs",
    "policy/freeze/window.rs",
    "policy/freeze/zone.rs",
    "policy/responses.rs",
    "spending/amount.rs",
    "spending/document.rs",
    "spending/document/shape.rs",
    "spending/evaluate.rs",
    "spending/intent.rs",
    "spending/policy.rs",
    "spending/reason.rs",
    "spending/usage.rs",
    "portal/data.rs",
    "portal/day.rs",
    "portal/http.rs",
    "portal/work.rs",
    "traces/lines.rs",
    "traces/otlp.rs",
    "response/declared/check.rs",
    "response/plan.rs",
    "response/gates.rs",
    "response/preview.rs",
    "fs/glob.rs",
    "protection/rules.rs",
    "protection/manifest.rs",
    "protection/operation.rs",
    "protection/problem.rs",
    "safeguard/verdict.rs",
    "checks/library.rs",
    "checks/task.rs",
    "approval/overrides/rules.rs",
    "approval/operation.rs",
    "lifecycle/criteria.rs",
    "metrics/health.rs",
    "metrics/families.rs",
    "lifecycle/version.rs",
    "alerts/alert.rs",
    "alerts/conditions.rs",
    "alerts/conditions/history.rs",
    "alerts/conditions/safeguards.rs",
    "alerts/report.rs",
    "alerts/tracking.rs",
    "compliance/access.rs",
    "compliance/analytics.rs",
    "compliance/consent.rs",
    "compliance/controls.rs",
    "compliance/report.rs",
    "compliance/tally.rs",
    "compliance/violations.rs",
    "policy/expression.rs",
    "policy/expression/absent.rs",
    "policy/expression/check.rs",
    "policy/expression/comparisons.rs",
    "policy/expression/functions.rs",
    "policy/expression/pattern.rs",
    "policy/expression/problems.rs",
    "policy/expression/program.rs",
    "policy/expression/syntax.rs",
    "policy/expression/tokens.rs",
];

/// The same of whole directories.
const PURE_DIRECTORIES: &[&str] = &["src/policy/catalogue", "src/policy/quantity"];

fn sources(directory: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in std::fs::read_dir(directory).unwrap().map(Result::unwrap) {
        let path = entry.path();
        if path.is_dir() {
            files.extend(sources(&path));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
    files
}

/// The files of `src/` with their room and their code, tests left out.
fn rooms() -> Vec<(PathBuf, String, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let room = |path: &Path| {
        let first = path
            .strip_prefix(&root)
            .unwrap()
            .components()
            .next()
            .unwrap();
        first
            .as_os_str()
            .to_string_lossy()
            .trim_end_matches(".rs")
            .to_owned()
    };
    let code = |path: &Path| {
        let text = std::fs::read_to_string(path).unwrap();
        text.split("#[cfg(test)]")
            .next()
            .unwrap_or_default()
            .to_owned()
    };
    let files = sources(&root)
        .into_iter()
        .filter(|path| !path.ends_with("lib.rs") && !path.ends_with("main.rs"));
    files
        .map(|path| (path.clone(), room(&path), code(&path)))
        .collect()
}

/// Every room that `code` names as `crate::room`, in imports, paths and grouped imports.
fn imported(code: &str) -> Vec<String> {
    let code: String = code
        .lines()
        .filter(|line| !line.trim_start().starts_with("//"))
        .collect::<Vec<_>>()
        .join("\n");
    assert!(
        !code.contains("use crate::{"),
        "one `use crate::room` a line, so that this test can read it"
    );
    let names = code.split("crate::").skip(1).map(|rest| {
        rest.chars()
            .take_while(|c| c.is_alphanumeric() || *c == '_')
            .collect()
    });
    names.filter(|name: &String| !name.is_empty()).collect()
}

#[test]
fn every_import_follows_an_arrow() {
    let mut wrong = Vec::new();
    for (path, room, code) in rooms() {
        let Some((_, allowed)) = ARROWS.iter().find(|(name, _)| *name == room) else {
            panic!(
                "{} is in a room without a row: add `{room}` to ARROWS and to ARCHITECTURE.md",
                path.display()
            );
        };
        for import in imported(&code)
            .into_iter()
            .filter(|import| !allowed.contains(&import.as_str()))
        {
            wrong.push(format!("{} imports {import}", path.display()));
        }
    }
    assert_eq!(wrong, Vec::<String>::new());
}

#[test]
fn pure_rooms_touch_nothing() {
    for (path, room, code) in rooms() {
        let pure = PURE.contains(&room.as_str())
            || PURE_FILES.iter().any(|file| path.ends_with(file))
            || PURE_DIRECTORIES
                .iter()
                .any(|directory| path.to_string_lossy().contains(directory));
        if pure {
            for word in [
                "std::fs",
                "std::env",
                "std::io",
                "std::time",
                "std::process",
                "Utc::now",
                "rustix",
            ] {
                assert!(!code.contains(word), "{} names {word}", path.display());
            }
        }
    }
}

#[test]
fn every_file_says_what_lives_there() {
    for (path, _, code) in rooms() {
        assert!(
            code.starts_with("//! "),
            "{} opens without saying what lives there",
            path.display()
        );
        let lines = std::fs::read_to_string(&path).unwrap().lines().count();
        assert!(
            lines < 700,
            "{} has {lines} lines: move a wall",
            path.display()
        );
    }
}

#[test]
fn the_architecture_page_names_every_room() {
    let page =
        std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("ARCHITECTURE.md"))
            .unwrap();
    for (room, _) in ARROWS {
        assert!(
            page.contains(&format!("`{room}`")),
            "ARCHITECTURE.md does not name `{room}`"
        );
    }
}

/// The files of the table, where a name without a directory stands in that of the row's first one.
fn files_of_the_page() -> Vec<String> {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("ARCHITECTURE.md");
    let page = std::fs::read_to_string(page).unwrap();
    let mut files = Vec::new();
    for row in page.lines().filter_map(|line| line.strip_prefix("| `")) {
        let (cell, _) = row.split_once(" |").unwrap();
        let mut names = cell.split(", ").map(|name| name.trim_matches('`'));
        let first = names.next().unwrap();
        if Path::new(first).extension().is_none_or(|end| end != "rs") {
            continue;
        }
        let directory = first.rsplit_once('/').map(|(directory, _)| directory);
        files.push(first.to_owned());
        files.extend(names.map(|name| match directory {
            Some(directory) => format!("{directory}/{name}"),
            None => name.to_owned(),
        }));
    }
    files.sort();
    files
}

#[test]
fn the_architecture_page_has_every_file_once() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut there: Vec<String> = sources(&root)
        .iter()
        .map(|path| path.strip_prefix(&root).unwrap().display().to_string())
        .collect();
    there.sort();
    let listed = files_of_the_page();
    let odd = |these: &[String], others: &[String]| -> Vec<String> {
        let these = these.iter();
        these.filter(|one| !others.contains(one)).cloned().collect()
    };
    assert_eq!(odd(&there, &listed), [""; 0], "not on the page");
    assert_eq!(odd(&listed, &there), [""; 0], "on the page and not there");
    assert_eq!(listed.len(), there.len(), "a file stands there twice");
}
