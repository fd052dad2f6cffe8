//! The value in a column of the last row of a CSV file.

use super::super::csv_tail::{self, Scanned};
use super::super::json::{self, Parsed, Said, time_unreadable};
use super::super::table::{File, LastRow, Table};
use super::super::{ReadContext, Reading, Source};
use super::{Declared, invalid, kind, missing};
use crate::diagnostic::{Checked, Code, Diagnostic, Warnings, suggestion};
use crate::fs::Opened;
use crate::time::Timestamp;

/// Reads the file.
pub(super) fn load(
    declared: &Declared,
    column: &str,
    time: Option<&str>,
    context: ReadContext<'_>,
) -> Reading {
    let file = &declared.file;
    let mut input = match context.workspace.open_input(file) {
        Ok(Opened::Absent) => return missing(declared, format!("{file} is not there")),
        Ok(Opened::File(input)) => input,
        Err(error) => return invalid(declared, *error),
    };
    let scanned = match csv_tail::scan(&mut input, context.limit) {
        Ok(scanned) => scanned,
        Err(error) => return invalid(declared, *error),
    };
    let parsed = parse(declared, &scanned, column, time, context.at);
    let parsed = parsed.map_err(|error| vec![*error]);
    Reading {
        sources: vec![Source {
            file: file.clone(),
            sha256: scanned.sha256,
            from: None,
        }],
        ..json::reading(declared.name.clone(), parsed)
    }
}

fn parse(
    declared: &Declared,
    scanned: &Scanned,
    column: &str,
    time: Option<&str>,
    at: Timestamp,
) -> Checked<Parsed> {
    let nothing = || Parsed::nothing(format!("{} has no data row", declared.file));
    let file = File {
        name: &declared.file,
        what: "this file",
    };
    let Some(table) = Table::read(file, scanned)? else {
        return Ok(nothing());
    };
    let Some(index) = table.column(column)? else {
        return Err(Box::new(column_missing(&table, column)));
    };
    let Some(row) = table.last()? else {
        return Ok(nothing());
    };
    let mut warnings = Warnings::default();
    let place = || row.place(index);
    let cell: (&str, &dyn Fn() -> _, &str) = (row.cell(index), &place, &format!("`{column}`"));
    let value = kind::from_text(&declared.kind, cell, at, &mut warnings)?;
    let observed_at = time.and_then(|time| observed_at(&table, row, time, &mut warnings));
    Ok(Parsed {
        said: Said::Value(value),
        observed_at,
        warnings,
    })
}

fn column_missing(table: &Table<'_>, column: &str) -> Diagnostic {
    Diagnostic::new(
        Code::ColumnMissing,
        table.header(),
        format!("the header names no column `{column}`"),
    )
    .found(table.names_in_words())
    .expected(format!("a column `{column}`"))
    .help(suggestion(column, table.names()).unwrap_or_else(|| {
        "correct the column where the signal is declared, or give the file its header line"
            .to_owned()
    }))
}

/// The time of the observation. A column that is not there, or twice, is worth a warning.
fn observed_at(
    table: &Table<'_>,
    row: LastRow<'_>,
    time: &str,
    warnings: &mut Warnings,
) -> Option<Timestamp> {
    if let Ok(Some(column)) = table.column(time) {
        return row.observed_at(column, warnings);
    }
    warnings.add(|| {
        let mut warning = time_unreadable(table.header(), &table.names_in_words());
        warning.message = format!("the time can't be read: no single column is called `{time}`");
        warning
    });
    None
}
