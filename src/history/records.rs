//! A folder of recorded inputs: what signals said at some time, one JSON file for each.
//!
//! Each file is what `explain --inputs` takes: the six values, or a whole state file. It tells its
//! time itself (`evaluated_at`) or by the digits of its name. What was kept of each is small, and
//! all of it is held until it is in the order of time: so the number of files has a limit.

use std::path::Path;

use serde::Deserialize;

use super::Findings;
use crate::decision::{JournalHealth, LockHealth, Situation, evaluate};
use crate::diagnostic::{Checked, Code, Diagnostic, Place};
use crate::fs::read::{open_named, plain};
use crate::policy::{Level, Policy};
use crate::signals::six::Six;
use crate::signals::{Readings, json};
use crate::time::Timestamp;

/// So many files a folder may have.
const MOST_FILES: usize = 100_000;

/// The largest file of inputs.
const LIMIT: u64 = 1024 * 1024;

/// What a folder holds.
#[derive(Debug)]
pub struct Records {
    /// The folder, as it was named.
    pub folder: String,
    /// In the order of time.
    pub records: Vec<Record>,
    /// Files that can't be used.
    pub unusable: u64,
    /// Why, and what was odd.
    pub findings: Findings,
}

/// What signals said at one time.
#[derive(Debug)]
pub struct Record {
    /// When.
    pub at: Timestamp,
    /// The level that was decided then, where the file tells.
    pub level: Option<Level>,
    /// True where that was decided with a given time.
    pub given_clock: bool,
    /// What they said.
    pub kept: Kept,
}

/// What signals said, as small as it can be kept.
#[derive(Debug)]
pub enum Kept {
    /// The six built-in signals and no others.
    Six(Six),
    /// Any.
    Readings(Readings),
}

/// What a file tells beside its inputs.
#[derive(Debug, Deserialize)]
struct Raw {
    #[serde(default)]
    evaluated_at: Option<Timestamp>,
    #[serde(default)]
    policy: Option<Level>,
    #[serde(default)]
    given_clock: bool,
}

impl Records {
    /// Reads every `.json` file of a folder. Fails where the folder can't be read.
    pub fn read(folder: &str) -> Checked<Self> {
        let mut records = Self {
            folder: folder.to_owned(),
            records: Vec::new(),
            unusable: 0,
            findings: Findings::default(),
        };
        for name in names(folder)? {
            let path = Path::new(folder).join(&name);
            match record(&path, &name, &mut records.findings) {
                Ok(record) => records.records.push(record),
                Err(problems) => {
                    records.unusable += 1;
                    for problem in problems {
                        records.findings.add(problem);
                    }
                }
            }
        }
        // Stable: of one time, the order of the names stays.
        records.records.sort_by_key(|record| record.at);
        Ok(records)
    }
}

/// The names of the JSON files of a folder, in order.
fn names(folder: &str) -> Checked<Vec<String>> {
    let entries = std::fs::read_dir(folder).and_then(|entries| {
        entries
            .map(|entry| Ok(entry?.file_name().to_string_lossy().into_owned()))
            .collect::<std::io::Result<Vec<String>>>()
    });
    let mut names = entries.map_err(|error| {
        Box::new(
            Diagnostic::new(
                Code::FileUnreadable,
                Place::file(folder),
                "the folder of recorded inputs can't be read",
            )
            .found(plain(&error))
            .expected("a folder with JSON files as `explain --inputs` takes them")
            .help("check the path"),
        )
    })?;
    names.retain(|name| Path::new(name).extension().is_some_and(|end| end == "json"));
    if names.len() > MOST_FILES {
        return Err(Box::new(
            Diagnostic::new(
                Code::FileTooLarge,
                Place::file(folder),
                "the folder has too many files",
            )
            .found(format!("{} files", names.len()))
            .expected(format!("at most {MOST_FILES}"))
            .help("split the folder, by years say"),
        ));
    }
    names.sort();
    Ok(names)
}

fn record(path: &Path, name: &str, odd: &mut Findings) -> Result<Record, Vec<Diagnostic>> {
    let file = path.display().to_string();
    let bytes = open_named(path).and_then(|open| open.read_whole(LIMIT));
    let bytes = bytes.map_err(|problem| vec![*problem])?;
    let (readings, warnings) = json::inputs_from(&file, &bytes)?;
    for warning in warnings {
        odd.add(warning);
    }
    let bare = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&bytes);
    let raw: Raw = if bare.trim_ascii().is_empty() {
        Raw {
            evaluated_at: None,
            policy: None,
            given_clock: false,
        }
    } else {
        serde_json::from_slice(bare).map_err(|error| vec![unusable(&file, &error)])?
    };
    let at = raw.evaluated_at.or_else(|| time_of(name));
    let at = at.ok_or_else(|| vec![untimed(&file, name)])?;
    Ok(Record {
        at,
        level: raw.policy,
        given_clock: raw.given_clock,
        kept: Six::of(&readings).map_or(Kept::Readings(readings), Kept::Six),
    })
}

impl Record {
    /// The level that was decided then; where the file doesn't tell, the one that `in_force` gives.
    pub fn level(&self, in_force: &Policy) -> Level {
        if let Some(level) = &self.level {
            return level.clone();
        }
        let made;
        let readings = match &self.kept {
            Kept::Readings(readings) => readings,
            Kept::Six(six) => {
                made = six.readings();
                &made
            }
        };
        let situation = Situation {
            policy: in_force,
            readings,
            before: None,
            history: &[],
            at: self.at,
            journal: JournalHealth::Whole,
            lock: LockHealth::Whole,
        };
        evaluate(situation).level
    }
}

/// The time that a file's name tells: its digits are a day, or a day and a time to the minute or to
/// the second.
fn time_of(name: &str) -> Option<Timestamp> {
    let digits: String = name.chars().filter(char::is_ascii_digit).collect();
    let part = |from: usize| digits.get(from..from + 2);
    let (year, month, day) = (digits.get(..4)?, part(4)?, part(6)?);
    let (hour, minute, second) = match digits.len() {
        8 => ("00", "00", "00"),
        12 => (part(8)?, part(10)?, "00"),
        14 => (part(8)?, part(10)?, part(12)?),
        _ => return None,
    };
    let text = format!("{year}-{month}-{day}T{hour}:{minute}:{second}Z");
    Timestamp::read(&text).map(|read| read.time)
}

fn unusable(file: &str, error: &serde_json::Error) -> Diagnostic {
    Diagnostic::new(
        Code::ValueType,
        Place::file(file),
        "what the file tells beside its inputs can't be used",
    )
    .found(
        error
            .to_string()
            .split(" at line")
            .next()
            .unwrap_or_default(),
    )
    .expected(
        "`evaluated_at`, a time after RFC 3339, and `policy`, a level, where they stand there",
    )
    .help("correct or remove the member")
}

fn untimed(file: &str, name: &str) -> Diagnostic {
    Diagnostic::new(
        Code::TimeMissing,
        Place::file(file),
        "nobody knows when these inputs were recorded",
    )
    .found(format!(
        "no `evaluated_at`, and no time in the name `{name}`"
    ))
    .expected("a member `evaluated_at`, or a name with the digits of a day or of a day and a time")
    .help("name the file like `2026-01-31T0445.json`")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_tell_a_day_a_minute_or_a_second() {
        let cases = [
            ("2026-01-31.json", Some("2026-01-31T00:00:00+00:00")),
            (
                "inputs_20260131T0445.json",
                Some("2026-01-31T04:45:00+00:00"),
            ),
            (
                "2026-01-31T04-45-30Z.json",
                Some("2026-01-31T04:45:30+00:00"),
            ),
            ("state-2026-02-31.json", None),
            ("run2-2026-01-31.json", None),
            ("inputs.json", None),
        ];
        for (name, expected) in cases {
            let found = time_of(name).map(|time| time.to_string());
            assert_eq!(found.as_deref(), expected, "{name}");
        }
    }
}
