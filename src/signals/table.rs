//! Header and last row of a CSV file as names and cells, with their places.
//!
//! [`super::csv_tail`] finds the two rows; here they are split and held against each other (RFC
//! 4180). Which column counts, and what its cell has to be, is said by each signal.

use memchr::memchr_iter;

use super::csv_tail::{Row, Scanned};
use super::json::{not_utf8, time_naive, time_unreadable};
use crate::diagnostic::{Checked, Code, Diagnostic, Place, Warnings};
use crate::time::Timestamp;

/// The file of a table.
#[derive(Debug, Clone, Copy)]
pub struct File<'f> {
    /// Its path relative to the workspace.
    pub name: &'f str,
    /// What it is for a person: `the registry`.
    pub what: &'f str,
}

impl File<'_> {
    /// What to do about a row that can't be read.
    fn rewrite(&self) -> String {
        format!("let the writer of {} write the row again", self.what)
    }
}

/// A table of a header and its last row.
#[derive(Debug)]
pub struct Table<'f> {
    file: File<'f>,
    names: Vec<String>,
    header_line: u64,
    last: Option<(u64, Vec<String>)>,
}

/// The last row of a table, as wide as its header.
#[derive(Debug, Clone, Copy)]
pub struct LastRow<'t> {
    file: &'t str,
    names: &'t [String],
    cells: &'t [String],
    line: u64,
}

impl<'f> Table<'f> {
    /// Splits the two rows that a scan found; `None` for a file without a header.
    pub fn read(file: File<'f>, scanned: &Scanned) -> Checked<Option<Self>> {
        if let Some(line) = scanned.unclosed {
            return Err(Box::new(
                Diagnostic::new(
                    Code::CsvSyntax,
                    Place::line(file.name, line),
                    "a quoted field is never closed",
                )
                .found("the end of the file inside quotes")
                .expected("a closing quote")
                .help(file.rewrite()),
            ));
        }
        let Some(header) = &scanned.header else {
            return Ok(None);
        };
        let (names, cells) = fields(file, header, scanned.last.as_ref())?;
        Ok(Some(Self {
            file,
            names: names.iter().map(|name| name.trim().to_owned()).collect(),
            header_line: header.line,
            last: scanned.last.as_ref().map(|row| row.line).zip(cells),
        }))
    }

    /// Where the header stands.
    pub fn header(&self) -> Place {
        Place::line(self.file.name, self.header_line)
    }

    /// The names of the columns, without the blanks around them.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.names.iter().map(String::as_str)
    }

    /// The first names of the columns, for a message.
    pub fn names_in_words(&self) -> String {
        let names: Vec<String> = self
            .names()
            .take(8)
            .map(|name| format!("`{name}`"))
            .collect();
        format!("the columns {}", names.join(", "))
    }

    /// Which column has this name; `None` where none has. Two of one name are refused.
    pub fn column(&self, wanted: &str) -> Checked<Option<usize>> {
        let mut places = self
            .names()
            .enumerate()
            .filter(|(_, name)| *name == wanted)
            .map(|(index, _)| index);
        let first = places.next();
        if places.next().is_none() {
            return Ok(first);
        }
        Err(Box::new(
            Diagnostic::new(
                Code::ColumnDuplicate,
                self.header(),
                format!("the header names the column `{wanted}` twice"),
            )
            .found(format!("`{wanted}` twice"))
            .expected("every column once: which of two values counts is anybody's guess")
            .help("rename one of the two"),
        ))
    }

    /// The last row; `None` for a table without one. A row of another width than the header is
    /// refused.
    pub fn last(&self) -> Checked<Option<LastRow<'_>>> {
        let Some((line, cells)) = &self.last else {
            return Ok(None);
        };
        if cells.len() == self.names.len() {
            return Ok(Some(LastRow {
                file: self.file.name,
                names: &self.names,
                cells,
                line: *line,
            }));
        }
        Err(Box::new(
            Diagnostic::new(
                Code::RowWidth,
                Place::line(self.file.name, *line),
                "the last row does not fit its header",
            )
            .found(format!("{} fields", cells.len()))
            .expected(format!("{} fields, as the header has", self.names.len()))
            .help(format!(
                "the row may have been cut while it was written: {}",
                self.file.rewrite()
            )),
        ))
    }
}

impl<'t> LastRow<'t> {
    /// The text in a column.
    pub fn cell(&self, column: usize) -> &'t str {
        self.cells.get(column).map_or("", String::as_str)
    }

    /// The name of a column.
    pub fn name(&self, column: usize) -> &'t str {
        self.names.get(column).map_or("", String::as_str)
    }

    /// Where the cell of a column stands.
    pub fn place(&self, column: usize) -> Place {
        Place::line(self.file, self.line).path(self.name(column))
    }

    /// Reads a cell as the time of the observation; one that can't be read is a warning.
    pub fn observed_at(&self, column: usize, warnings: &mut Warnings) -> Option<Timestamp> {
        let text = self.cell(column);
        let Some(read) = Timestamp::read(text) else {
            warnings.add(|| time_unreadable(self.place(column), &format!("`{text}`")));
            return None;
        };
        if read.naive {
            warnings.add(|| time_naive(self.place(column), &format!("`{text}`")));
        }
        Some(read.time)
    }
}

type Fields = Vec<String>;

/// Splits the header and the last row.
fn fields(file: File<'_>, header: &Row, last: Option<&Row>) -> Checked<(Fields, Option<Fields>)> {
    let header_text = text(file, header)?;
    let last_text = last.map(|row| text(file, row)).transpose()?;
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
                Place::line(file.name, last.unwrap_or(header).line),
                "the line is no single row",
            )
            .found("a bare carriage return, as old Mac files end their lines")
            .expected("lines that end with `\\n` or `\\r\\n`")
            .help(file.rewrite()),
        )),
    }
}

fn text<'r>(file: File<'_>, row: &'r Row) -> Checked<&'r str> {
    let text = std::str::from_utf8(&row.bytes).map_err(|error| {
        let mut finding = not_utf8(file.name, &row.bytes, error.valid_up_to());
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
                Place::line(file.name, row.line),
                "the row is no well-formed CSV",
            )
            .found(found)
            .expected(expected)
            .help(file.rewrite()),
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
