//! The integrity score: `exports/integrity_metrics_registry.csv`, last data row.
//!
//! The column is `integrity_score`, else `integrity`, else `score`. Only the last data row counts;
//! what stands before it was decided on when it was the last.

use super::csv_tail::{self, Scanned};
use super::table::{File, Table};
use super::{Outcome, Percent, ReadContext, Reading, Source, Value, number};
use crate::diagnostic::{Checked, Code, Diagnostic, Warnings};
use crate::fs::{InputFile, Opened};
use crate::ids::SignalName;
use crate::time::Timestamp;

/// The file of this signal.
pub const FILE: &str = "exports/integrity_metrics_registry.csv";

/// The names of the column, the first that is there counts.
pub const COLUMNS: [&str; 3] = ["integrity_score", "integrity", "score"];

const REGISTRY: File<'_> = File {
    name: FILE,
    what: "the registry",
};

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
    let Some(table) = Table::read(REGISTRY, scanned)? else {
        return Ok(None);
    };
    let column = column(&table)?;
    let Some(row) = table.last()? else {
        return Ok(None);
    };
    let place = || row.place(column);
    let what = format!("`{}`", row.name(column));
    let percent = number::percent_from_text(row.cell(column), &place, &what, warnings)?;
    let time = table.names().position(|name| name == "timestamp");
    let observed_at = time.and_then(|column| row.observed_at(column, warnings));
    Ok(Some((percent, observed_at)))
}

/// Which column carries the score.
fn column(table: &Table<'_>) -> Checked<usize> {
    for wanted in COLUMNS {
        if let Some(column) = table.column(wanted)? {
            return Ok(column);
        }
    }
    Err(Box::new(
        Diagnostic::new(
            Code::ColumnMissing,
            table.header(),
            "the header names no column with the score",
        )
        .found(table.names_in_words())
        .expected("a column `integrity_score` (or `integrity`, or `score`)")
        .help("give the registry its header line"),
    ))
}
