//! The corpus of bad and odd inputs in `tests/bad_inputs/` (its README describes the format): what
//! comes of each, and in which words.
//!
//! The snapshots hold exit code, level, and every finding with code, place and message. Cases that
//! need gigabytes, another user or a socket are left to `tests/bad_inputs/check.py`, which also
//! watches time and memory; CI runs both.

use std::path::{Path, PathBuf};

use crate::workspace::Workspace;

/// A case larger than this is left to `check.py`.
const LARGEST: usize = 4 * 1024 * 1024;

struct Case {
    name: String,
    headers: Vec<(String, String)>,
    body: Option<Vec<u8>>,
}

impl Case {
    fn read(path: &Path) -> Self {
        let text = std::fs::read_to_string(path).unwrap();
        let (head, body) = text.split_once("\n---\n").unwrap();
        let header = |line: &str| {
            let (key, value) = line.split_once(':').unwrap();
            (
                key.to_owned(),
                value.strip_prefix(' ').unwrap_or(value).to_owned(),
            )
        };
        Self {
            name: path.file_stem().unwrap().to_string_lossy().into_owned(),
            headers: head.lines().map(header).collect(),
            body: (!body.is_empty()).then(|| unescape(body)),
        }
    }

    fn all(&self, key: &str) -> impl Iterator<Item = &str> {
        self.headers
            .iter()
            .filter(move |(name, _)| name == key)
            .map(|(_, value)| value.as_str())
    }

    fn one(&self, key: &str) -> Option<&str> {
        self.all(key).next()
    }

    /// Why this case is not for this harness.
    fn is_left_out(&self) -> bool {
        let needs_more = |make: &str| match make.split(' ').collect::<Vec<_>>()[..] {
            ["repeat", count, text, ..] => count.parse::<usize>().unwrap() * text.len() > LARGEST,
            ["absent" | "directory" | "fifo" | "symlink", ..] => false,
            _ => true,
        };
        self.all("make").any(needs_more)
    }

    fn build(&self) -> Workspace {
        let workspace = Workspace::healthy();
        workspace.responses(0);
        for (key, value) in &self.headers {
            let (path, rest) = value.split_once(' ').unwrap_or((value, ""));
            match key.as_str() {
                "also" => workspace.write(path, unescape(rest)),
                "also-link" => link(&workspace, path, rest),
                "also-fifo" => fifo(&workspace.file(path)),
                "remove" => std::fs::remove_file(workspace.file(path)).unwrap(),
                _ => {}
            }
        }
        let target = self.one("file").unwrap();
        let makes: Vec<&str> = self.all("make").collect();
        match makes
            .first()
            .map(|make| make.split_once(' ').unwrap_or((make, "")))
        {
            None if self.body.is_none() && workspace.file(target).is_dir() => {}
            None => {
                clear(&workspace.file(target));
                workspace.write(target, self.body.clone().unwrap_or_default());
            }
            Some(("absent", _)) => clear(&workspace.file(target)),
            Some(("directory", _)) => {
                clear(&workspace.file(target));
                std::fs::create_dir_all(workspace.file(target)).unwrap();
            }
            Some(("fifo", _)) => fifo(&workspace.file(target)),
            Some(("symlink", to)) => link(&workspace, target, to),
            Some(_) => workspace.write(target, self.repeated(&makes)),
        }
        workspace
    }

    fn repeated(&self, makes: &[&str]) -> Vec<u8> {
        let mut content = unescape(self.one("prefix").unwrap_or_default());
        for make in makes {
            let (count, text) = make
                .strip_prefix("repeat ")
                .unwrap()
                .split_once(' ')
                .unwrap();
            content.extend(unescape(text).repeat(count.parse().unwrap()));
        }
        content.extend(unescape(self.one("suffix").unwrap_or_default()));
        content
    }
}

fn clear(path: &Path) {
    match std::fs::symlink_metadata(path) {
        Ok(status) if status.is_dir() => std::fs::remove_dir_all(path).unwrap(),
        Ok(_) => std::fs::remove_file(path).unwrap(),
        Err(_) => {}
    }
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
}

fn link(workspace: &Workspace, path: &str, to: &str) {
    let path = workspace.file(path);
    clear(&path);
    std::os::unix::fs::symlink(
        to.replace("{workspace}", workspace.path().to_str().unwrap()),
        path,
    )
    .unwrap();
}

fn fifo(path: &Path) {
    clear(path);
    assert!(
        std::process::Command::new("mkfifo")
            .arg(path)
            .status()
            .unwrap()
            .success()
    );
}

/// The bytes of an escaped text: `\xHH`, `\\`, and `\c` at the end for "no newline here".
fn unescape(text: &str) -> Vec<u8> {
    let text = text
        .strip_suffix("\\c\n")
        .or(text.strip_suffix("\\c"))
        .unwrap_or(text);
    let mut bytes = Vec::new();
    let mut rest = text.as_bytes();
    while let Some((first, behind)) = rest.split_first() {
        rest = match (first, behind) {
            (b'\\', [b'\\', behind @ ..]) => {
                bytes.push(b'\\');
                behind
            }
            (b'\\', [b'x', high, low, behind @ ..]) => {
                let digits = [*high, *low];
                bytes.push(u8::from_str_radix(std::str::from_utf8(&digits).unwrap(), 16).unwrap());
                behind
            }
            _ => {
                bytes.push(*first);
                behind
            }
        };
    }
    bytes
}

/// Runs a case and holds it against what it expects; gives the text for the snapshot.
fn outcome(signal: &str, case: &Case) -> String {
    let workspace = case.build();
    let at = case.one("at").unwrap_or(crate::workspace::AT);
    let ran = workspace.run_at(at);
    let state = ran.json();
    let level = state["policy"].as_str().unwrap();
    let reasons: Vec<&str> = state["reasons"]
        .as_array()
        .unwrap()
        .iter()
        .map(|reason| reason["code"].as_str().unwrap())
        .collect();
    let expected = case.one("expect").unwrap();
    let context = format!("{signal}/{}: {}", case.name, ran.stderr);
    match expected.split(' ').next().unwrap() {
        "invalid" => assert!(
            ran.code == 1 && level == "RED" && reasons.contains(&"INPUT_INVALID"),
            "{context}"
        ),
        "policy-invalid" => assert!(
            ran.code == 1 && level == "RED" && reasons.contains(&"POLICY_INVALID"),
            "{context}"
        ),
        "missing" => assert!(
            ran.code == 0 && level == "YELLOW" && reasons == ["INPUT_MISSING"],
            "{context}"
        ),
        _ => assert!(
            ran.code == 0 && Some(level) == case.one("level"),
            "{context}"
        ),
    }
    if signal != "policy" && expected.starts_with("valid ") {
        let key = match signal {
            "trust" => "trust_locked",
            "integrity" => "integrity_score",
            "consensus" => "consensus_pct",
            "reputation" => "reputation_score",
            "forecast" => "forecast_risk",
            _ => "recent_responses",
        };
        let shown = state["inputs"][key]
            .as_str()
            .map_or_else(|| state["inputs"][key].to_string(), str::to_owned);
        let same = shown == expected[6..]
            || shown
                .parse::<f64>()
                .is_ok_and(|number| expected[6..].parse() == Ok(number));
        assert!(same, "{shown} in {context}");
    }
    if let Some(warns) = case.one("warns") {
        assert_eq!(ran.stderr.contains("warning["), warns == "yes", "{context}");
    }
    assert!(
        ran.stderr.len() < 64 * 1024 && !ran.stderr.contains('\u{1b}'),
        "{context}"
    );
    let findings: Vec<&str> = ran
        .stderr
        .lines()
        .filter(|line| !line.starts_with("recorded as") && !line.starts_with("diagnostics are"))
        .collect();
    let findings = findings
        .join("\n")
        .replace(workspace.path().to_str().unwrap(), "<workspace>");
    let findings = without_process(&findings);
    format!(
        "## {}\n{}: exit {}, {level}, {}\n{findings}\n",
        case.name,
        case.one("about").unwrap(),
        ran.code,
        reasons.join(" ")
    )
}

/// The text with a process's number in a path below `/proc` left out.
fn without_process(text: &str) -> String {
    let mut parts = text.split("/proc/");
    let mut kept = parts.next().unwrap().to_owned();
    for part in parts {
        kept.push_str("/proc/N");
        kept.push_str(part.trim_start_matches(|character: char| character.is_ascii_digit()));
    }
    kept
}

fn check(signal: &str) {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/bad_inputs")
        .join(signal);
    let mut files: Vec<PathBuf> = std::fs::read_dir(directory)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    files.sort();
    let cases: Vec<Case> = files
        .iter()
        .filter(|file| file.extension().is_some_and(|end| end == "case"))
        .map(|file| Case::read(file))
        .collect();
    let outcomes: Vec<String> = cases
        .iter()
        .filter(|case| !case.is_left_out())
        .map(|case| outcome(signal, case))
        .collect();
    assert!(
        outcomes.len() * 10 > cases.len() * 8,
        "{} of {} cases of {signal} were run",
        outcomes.len(),
        cases.len()
    );
    insta::assert_snapshot!(format!("bad_{signal}"), outcomes.join("\n"));
}

macro_rules! corpus {
    ($($test:ident $signal:literal,)*) => { $(#[test] fn $test() { check($signal); })* };
}

corpus! {
    bad_inputs_of_trust "trust",
    bad_inputs_of_integrity "integrity",
    bad_inputs_of_consensus "consensus",
    bad_inputs_of_reputation "reputation",
    bad_inputs_of_forecast "forecast",
    bad_inputs_of_responses "responses",
    bad_policies "policy",
}
