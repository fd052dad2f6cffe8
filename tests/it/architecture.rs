//! The arrows of ARCHITECTURE.md: who may import whom.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

/// The rooms that every row of the page calls "the base".
const BASE: [&str; 4] = ["ids", "time", "diagnostic", "fs"];

fn page() -> String {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("ARCHITECTURE.md");
    std::fs::read_to_string(page).unwrap()
}

/// The rooms of the page and what each may import: itself and what its row names.
fn arrows() -> BTreeMap<String, BTreeSet<String>> {
    let page = page();
    let (_, rows) = page.split_once("| room |").unwrap();
    let rows = rows.lines().skip(1);
    let rows = rows.take_while(|line| line.starts_with('|'));
    let cells = rows.filter_map(|row| {
        let mut cells = row.strip_prefix("| `")?.split(" | ");
        let room = cells.next()?.trim_end_matches('`');
        let may = cells.nth(1)?.trim_end_matches(" |");
        Some((room, may))
    });
    let cells: Vec<(&str, &str)> = cells.collect();
    let all = cells.iter().map(|(room, _)| *room).chain(BASE);
    let all: BTreeSet<String> = all.map(str::to_owned).collect();
    let base = BASE.map(|room| (room, "the base"));
    let rows = cells.iter().copied().chain(base);
    let mut arrows: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for (room, may) in rows {
        let allowed = arrows.entry(room.to_owned()).or_default();
        allowed.insert(room.to_owned());
        if may == "all of them" {
            allowed.extend(all.iter().cloned());
            continue;
        }
        let is_pure = may.starts_with("the base but `fs`");
        if may.starts_with("the base") {
            let base = BASE.into_iter().filter(|room| !is_pure || *room != "fs");
            allowed.extend(base.map(str::to_owned));
        }
        let named = may.split('`').skip(1).step_by(2);
        let named = named.filter(|room| !is_pure || *room != "fs");
        for room in named {
            assert!(all.contains(room), "no room is called {room}");
            allowed.insert(room.to_owned());
        }
    }
    arrows
}

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
    let arrows = arrows();
    let mut wrong = Vec::new();
    for (path, room, code) in rooms() {
        let Some(allowed) = arrows.get(&room) else {
            panic!(
                "{} is in a room without a row: add `{room}` to ARCHITECTURE.md",
                path.display()
            );
        };
        for import in imported(&code)
            .into_iter()
            .filter(|import| !allowed.contains(import))
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

/// What the page says of single rooms, held against how the test reads it.
#[test]
fn the_rows_of_the_page_are_read_as_they_are_meant() {
    let arrows = arrows();
    let of = |room: &str| -> Vec<&str> { arrows[room].iter().map(String::as_str).collect() };
    assert_eq!(of("privacy"), ["ids", "privacy"]);
    assert_eq!(of("ids"), ["diagnostic", "fs", "ids", "time"]);
    assert_eq!(
        of("decision"),
        ["decision", "diagnostic", "ids", "policy", "signals", "time"]
    );
    assert_eq!(of("cli").len(), arrows.len());
    let rooms: BTreeSet<String> = rooms().into_iter().map(|(_, room, _)| room).collect();
    assert_eq!(rooms, arrows.keys().cloned().collect(), "rooms and rows");
}

/// The files of the table, where a name without a directory stands in that of the row's first one.
fn files_of_the_page() -> Vec<String> {
    let page = page();
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
