//! The integrity score: `exports/integrity_metrics_registry.csv`, last data row.
//!
//! The column is `integrity_score`, else `integrity`, else `score`. Only the last data row counts;
//! what stands before it was decided on when it was the last.

use memchr::memchr_iter;

use super::csv_tail::{self, Row, Scanned};
use super::json::{not_utf8, time_naive, time_unreadable};
use super::{Outcome, Percent, ReadContext, Reading, Source, Value, number};
use crate::diagnostic::{Checked, Code, Diagnostic, Place, Warnings};
use crate::fs::{InputFile, Opened};
use crate::ids::SignalName;
use crate::time::Timestamp;

/// The file of this signal.
pub const FILE: &str = "exports/integrity_metrics_registry.csv";

/// The names of the column, the first that is there counts.
pub const COLUMNS: [&str; 3] = ["integrity_score", "integrity", "score"];

const REWRITE: &str = "let the writer of the registry write the row again";

/// Reads the file.
pub fn load(context: ReadContext<'_>) -> Reading {
    match context.workspace.open_input(FILE) {
        Ok(Opened::Absent) => Reading::bare(
            SignalName::INTEGRITY,
            Outcome::Missing(format!("{FILE} is not there")),
        ),
        Ok(Opened::File(mut file)) => from_file(&mut file, context.limit),
        Err(error) => Reading::bare(SignalName::INTEGRITY, Outcome::Invalid(vec![*error])),
    }
}

fn from_file(file: &mut InputFile, limit: u64) -> Reading {
    let scanned = match csv_tail::scan(file, limit) {
        Ok(scanned) => scanned,
        Err(error) => return Reading::bare(SignalName::INTEGRITY, Outcome::Invalid(vec![*error])),
    };
    let mut warnings = Warnings::default();
    let (outcome, observed_at) = match last_score(&scanned, &mut warnings) {
        Ok(Some((percent, observed_at))) => (Outcome::Valid(Value::Percent(percent)), observed_at),
        Ok(None) => (Outcome::Missing(format!("{FILE} has no data row")), None),
        Err(error) => (Outcome::Invalid(vec![*error]), None),
    };
    let sources = vec![Source {
        file: FILE.to_owned(),
        sha256: scanned.sha256,
        from: None,
    }];
    Reading {
        signal: SignalName::INTEGRITY,
        outcome,
        sources,
        observed_at,
        warnings: warnings.into_vec(),
    }
}

/// The score of the last data row with the row's time; `None` for a table without a row.
fn last_score(
    scanned: &Scanned,
    warnings: &mut Warnings,
) -> Checked<Option<(Percent, Option<Timestamp>)>> {
    if let Some(line) = scanned.unclosed {
        return Err(Box::new(
            Diagnostic::new(
                Code::CsvSyntax,
                Place::line(FILE, line),
                "a quoted field is never closed",
            )
            .found("the end of the file inside quotes")
            .expected("a closing quote")
            .help(REWRITE),
        ));
    }
    let Some(header) = &scanned.header else {
        return Ok(None);
    };
    let (names, cells) = fields(header, scanned.last.as_ref())?;
    let names: Vec<String> = names.iter().map(|name| name.trim().to_owned()).collect();
    let column = column(&names, header.line)?;
    let (Some(row), Some(cells)) = (&scanned.last, cells) else {
        return Ok(None);
    };
    if cells.len() != names.len() {
        return Err(Box::new(
            Diagnostic::new(
                Code::RowWidth,
                Place::line(FILE, row.line),
                "the last row does not fit its header",
            )
            .found(format!("{} fields", cells.len()))
            .expected(format!("{} fields, as the header has", names.len()))
            .help(format!(
                "the row may have been cut while it was written: {REWRITE}"
            )),
        ));
    }
    let name = names.get(column).map_or("", String::as_str);
    let place = || Place::line(FILE, row.line).path(name);
    let text = cells.get(column).map_or("", String::as_str);
    let percent = number::percent_from_text(text, &place, &format!("`{name}`"), warnings)?;
    Ok(Some((
        percent,
        observed_at(&names, &cells, row.line, warnings),
    )))
}

/// Which column carries the score.
fn column(names: &[String], line: u64) -> Checked<usize> {
    let Some(wanted) = COLUMNS
        .into_iter()
        .find(|wanted| names.iter().any(|name| name == wanted))
    else {
        let found: Vec<String> = names
            .iter()
            .take(8)
            .map(|name| format!("`{name}`"))
            .collect();
        return Err(Box::new(
            Diagnostic::new(
                Code::ColumnMissing,
                Place::line(FILE, line),
                "the header names no column with the score",
            )
            .found(format!("the columns {}", found.join(", ")))
            .expected("a column `integrity_score` (or `integrity`, or `score`)")
            .help("give the registry its header line"),
        ));
    };
    let mut places = names
        .iter()
        .enumerate()
        .filter(|(_, name)| *name == wanted)
        .map(|(index, _)| index);
    match (places.next(), places.next()) {
        (Some(index), None) => Ok(index),
        _ => Err(Box::new(
            Diagnostic::new(
                Code::ColumnDuplicate,
                Place::line(FILE, line),
                format!("the header names the column `{wanted}` twice"),
            )
            .found(format!("`{wanted}` twice"))
            .expected("every column once: which of two values counts is anybody's guess")
            .help("rename one of the two"),
        )),
    }
}

type Fields = Vec<String>;

/// Splits the header and the last row.
fn fields(header: &Row, last: Option<&Row>) -> Checked<(Fields, Option<Fields>)> {
    let header_text = text(header)?;
    let last_text = last.map(text).transpose()?;
    let joined = [header_text, "\n", last_text.unwrap_or_default()].concat();
    if !joined.contains(['"', '\r']) {
        // Nothing that only a CSV reader could find; making one costs more than all the rest.
        let split = |text: &str| text.split(',').map(str::to_owned).collect();
        return Ok((split(header_text), last_text.map(split)));
    }
    let mut reader = csv::ReaderBuilder::new()
        .has_headers(false)
        .flexible(true)
        .from_reader(joined.as_bytes());
    let records: Result<Vec<csv::StringRecord>, csv::Error> = reader.records().collect();
    let split = |record: &csv::StringRecord| record.iter().map(str::to_owned).collect();
    match (records.as_deref(), last) {
        (Ok([header]), None) => Ok((split(header), None)),
        (Ok([header, last]), Some(_)) => Ok((split(header), Some(split(last)))),
        _ => Err(Box::new(
            Diagnostic::new(
                Code::CsvSyntax,
                Place::line(FILE, last.unwrap_or(header).line),
                "the line is no single row",
            )
            .found("a bare carriage return, as old Mac files end their lines")
            .expected("lines that end with `\\n` or `\\r\\n`")
            .help(REWRITE),
        )),
    }
}

fn text(row: &Row) -> Checked<&str> {
    let text = std::str::from_utf8(&row.bytes).map_err(|error| {
        let mut finding = not_utf8(FILE, &row.bytes, error.valid_up_to());
        finding.place.line = finding.place.line.map(|line| line + row.line - 1);
        finding
    })?;
    let odd = [
        (
            text.contains('\0'),
            "a NUL byte, as a crash leaves it",
            "text",
        ),
        (
            text.starts_with('\u{feff}'),
            "a second byte-order mark",
            "at most one, at the beginning of the file",
        ),
        (
            !quotes_fields_whole(text),
            "a quote in the middle of a field",
            "quotes around whole fields, after RFC 4180",
        ),
        (
            memchr_iter(b',', text.as_bytes()).count() >= MOST_COLUMNS,
            "more than 10000 fields",
            "a table of fewer columns",
        ),
    ];
    match odd.into_iter().find(|(is_odd, ..)| *is_odd) {
        None => Ok(text),
        Some((_, found, expected)) => Err(Box::new(
            Diagnostic::new(
                Code::CsvSyntax,
                Place::line(FILE, row.line),
                "the row is no well-formed CSV",
            )
            .found(found)
            .expected(expected)
            .help(REWRITE),
        )),
    }
}

/// A table with more columns than this is none of ours.
const MOST_COLUMNS: usize = 10_000;

/// True where every quote opens a field, closes one, or is doubled within one. The `csv` crate also
/// takes text behind a closing quote and glues the two together, which could make 97.5 of 9 and 7.5.
fn quotes_fields_whole(text: &str) -> bool {
    let mut rest = text;
    loop {
        let Some(quoted) = rest.strip_prefix('"') else {
            let end = rest.find(',').unwrap_or(rest.len());
            let (field, behind) = rest.split_at(end);
            match behind.strip_prefix(',') {
                _ if field.contains('"') => return false,
                Some(next) => rest = next,
                None => return true,
            }
            continue;
        };
        let mut inside = quoted;
        let behind = loop {
            let Some(close) = inside.find('"') else {
                return false;
            };
            let after = inside.get(close + 1..).unwrap_or_default();
            match after.strip_prefix('"') {
                Some(doubled) => inside = doubled,
                None => break after,
            }
        };
        match behind.strip_prefix(',') {
            Some(next) => rest = next,
            None => return behind.is_empty(),
        }
    }
}

fn observed_at(
    names: &[String],
    cells: &[String],
    line: u64,
    warnings: &mut Warnings,
) -> Option<Timestamp> {
    let index = names.iter().position(|name| name == "timestamp")?;
    let text = cells.get(index)?;
    let place = || Place::line(FILE, line).path("timestamp");
    let Some(read) = Timestamp::read(text) else {
        warnings.add(|| time_unreadable(place(), &format!("`{text}`")));
        return None;
    };
    if read.naive {
        warnings.add(|| time_naive(place(), &format!("`{text}`")));
    }
    Some(read.time)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quotes_stand_around_whole_fields() {
        let cases = [
            ("", true),
            ("a,b", true),
            ("\"a\",b", true),
            ("\"a,\"\"b\"\"\",c,", true),
            ("\"a\nb\"", true),
            ("a\"b,c", false),
            ("\"97.5\"9,ok", false),
            ("\"a", false),
            ("a,\"b\" ,c", false),
        ];
        for (row, whole) in cases {
            assert_eq!(quotes_fields_whole(row), whole, "{row:?}");
        }
    }
}
