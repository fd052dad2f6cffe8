//! `schema_validation`: every row of the integrity registry, not only the last one.
//!
//! Required are the columns `timestamp` and `integrity_score`; that the header is another than the
//! canonical one (row OR-28) is noted with its difference. A line `# schema_hash: <SHA-256>` is held
//! against the header's text. The file is streamed in constant memory and never modified.

use std::io::BufReader;

use super::{Found, Ground};
use crate::diagnostic::{Checked, Code, Diagnostic, Place};
use crate::fs::Opened;
use crate::ids::Digest;
use crate::record::verify::each_line;
use crate::signals::Percent;
use crate::signals::csv_tail;
use crate::signals::integrity::FILE;
use crate::time::Timestamp;

/// The columns of the field's registries, in their order.
const CANONICAL: [&str; 9] = [
    "timestamp",
    "integrity_score",
    "violations",
    "warnings",
    "health_score",
    "rri",
    "mpi",
    "confidence",
    "status",
];

/// The columns without which a registry is none.
const REQUIRED: [&str; 2] = ["timestamp", "integrity_score"];

/// More findings than this in one file help nobody.
const ENOUGH: usize = 20;

/// Validates the registry.
pub(super) fn validate(ground: Ground<'_>) -> Found {
    let mut found = Found::default();
    if let Err(finding) = rows(ground, &mut found) {
        found.add(*finding);
    }
    found
}

fn rows(ground: Ground<'_>, found: &mut Found) -> Checked<()> {
    let Opened::File(mut input) = ground.workspace.open_input(FILE)? else {
        return Err(absent());
    };
    // One pass for what would cost memory without bound: an unclosed quote, a row without an end.
    let scanned = csv_tail::scan(&mut input, ground.limit)?;
    if let Some(line) = scanned.unclosed {
        return Err(wrong(
            Code::CsvSyntax,
            line,
            "a quote is never closed",
            "the end of the file within a quoted field",
        ));
    }
    let Opened::File(again) = ground.workspace.open_input(FILE)? else {
        return Err(absent());
    };
    let mut reader = csv::ReaderBuilder::new()
        .comment(Some(b'#'))
        .flexible(true)
        .has_headers(false)
        .from_reader(BufReader::new(again.file));
    let mut record = csv::ByteRecord::new();
    let mut columns: Option<Columns> = None;
    let mut count: u64 = 0;
    while next(&mut reader, &mut record)? {
        let Some(columns) = &columns else {
            let names = header(&record);
            columns = Some(Columns::find(&names)?);
            compare(&names, found);
            continue;
        };
        count += 1;
        if found.findings.len() < ENOUGH {
            found
                .findings
                .extend(columns.fault(&record).map(|fault| *fault));
        }
    }
    if columns.is_none() {
        return Err(wrong(
            Code::ColumnMissing,
            1,
            "the registry has no header",
            "an empty table",
        ));
    }
    found.note(format!("{FILE}: {count} rows"));
    schema_hash(ground, found)
}

fn next(
    reader: &mut csv::Reader<BufReader<std::fs::File>>,
    record: &mut csv::ByteRecord,
) -> Checked<bool> {
    reader.read_byte_record(record).map_err(|error| {
        let line = error.position().map_or(1, csv::Position::line);
        wrong(
            Code::CsvSyntax,
            line,
            "the table can't be read",
            &error.to_string(),
        )
    })
}

/// The names of the columns, without a byte-order mark.
fn header(record: &csv::ByteRecord) -> Vec<String> {
    let text = |field: &[u8]| String::from_utf8_lossy(field).trim().to_owned();
    let mut names: Vec<String> = record.iter().map(text).collect();
    if let Some(first) = names.first_mut() {
        *first = first.trim_start_matches('\u{feff}').to_owned();
    }
    names
}

/// Where the required columns stand, and how many there are in all.
struct Columns {
    timestamp: usize,
    score: usize,
    width: usize,
}

impl Columns {
    fn find(names: &[String]) -> Checked<Self> {
        let place = |wanted: &str| names.iter().position(|name| name == wanted);
        let [timestamp, score] = REQUIRED.map(place);
        match (timestamp, score) {
            (Some(timestamp), Some(score)) => Ok(Self {
                timestamp,
                score,
                width: names.len(),
            }),
            _ => Err(wrong(
                Code::ColumnMissing,
                1,
                &format!("a required column is missing ({})", difference(names)),
                &names.join(","),
            )),
        }
    }

    fn fault(&self, record: &csv::ByteRecord) -> Option<Box<Diagnostic>> {
        let line = record.position().map_or(1, csv::Position::line);
        if record.len() != self.width {
            return Some(wrong(
                Code::RowWidth,
                line,
                &format!(
                    "the row has another number of fields than the header, {}",
                    self.width
                ),
                &format!("{} fields", record.len()),
            ));
        }
        let field = |index| String::from_utf8_lossy(record.get(index).unwrap_or_default());
        let (time, score) = (field(self.timestamp), field(self.score));
        if Timestamp::read(&time).is_none() {
            return Some(wrong(
                Code::ValueType,
                line,
                "the timestamp can't be read",
                &time,
            ));
        }
        let bare = score.trim().trim_end_matches('%').trim_end();
        let number: Option<f64> = bare.parse().ok();
        if number.and_then(Percent::new).is_none() {
            return Some(wrong(
                Code::ValueRange,
                line,
                "the score is no number from 0 to 100",
                &score,
            ));
        }
        None
    }
}

/// Notes where the header is another than the canonical one.
fn compare(names: &[String], found: &mut Found) {
    if names != CANONICAL {
        found.note(format!(
            "{FILE}: another header than the canonical one ({})",
            difference(names)
        ));
    }
}

/// The header against the canonical one: `-` lacks a column, `+` has one more.
fn difference(names: &[String]) -> String {
    let lacks = CANONICAL
        .iter()
        .filter(|column| !names.iter().any(|name| name == *column));
    let more = names
        .iter()
        .filter(|name| !CANONICAL.contains(&name.as_str()));
    let parts: Vec<String> = lacks
        .map(|column| format!("-{column}"))
        .chain(more.map(|name| format!("+{name}")))
        .collect();
    if parts.is_empty() {
        "the same columns in another order".to_owned()
    } else {
        parts.join(" ")
    }
}

/// Holds the comment that names the header's digest against the header.
fn schema_hash(ground: Ground<'_>, found: &mut Found) -> Checked<()> {
    const KEY: &str = "# schema_hash:";
    let Opened::File(input) = ground.workspace.open_input(FILE)? else {
        return Ok(());
    };
    let (mut header, mut named) = (None, None);
    let mut number = 0;
    each_line(&input, input.size, &mut |line, _| {
        number += 1;
        let text = String::from_utf8_lossy(line.get(..line.len().min(4096)).unwrap_or_default());
        let text = text.trim_start_matches('\u{feff}').trim_end();
        if let Some(digits) = text.strip_prefix(KEY) {
            named = Some((number, digits.trim().to_owned()));
        } else if header.is_none() && !text.is_empty() && !text.starts_with('#') {
            header = Some(Digest::of(text.as_bytes()).to_string());
        }
    })?;
    let (Some(header), Some((line, named))) = (header, named) else {
        return Ok(());
    };
    if header == named {
        found.note(format!("{FILE}: the schema hash is that of the header"));
        return Ok(());
    }
    let finding = wrong(
        Code::ValueUnknown,
        line,
        "the schema hash is not that of the header",
        &named,
    );
    found.add(finding.expected(format!("`{KEY} {header}`")));
    Ok(())
}

fn absent() -> Box<Diagnostic> {
    Box::new(
        Diagnostic::new(
            Code::FileUnreadable,
            Place::file(FILE),
            "there is no integrity registry",
        )
        .found("no such file")
        .expected("a table with the columns `timestamp` and `integrity_score`")
        .help("let the tool that measures integrity write it"),
    )
}

fn wrong(code: Code, line: u64, message: &str, found: &str) -> Box<Diagnostic> {
    Box::new(
        Diagnostic::new(code, Place::line(FILE, line), message)
            .found(found)
            .expected("rows with a readable `timestamp` and an `integrity_score` from 0 to 100")
            .help("let the writer of the registry write it again; the file was not modified"),
    )
}
