//! The rows of a history as a Parquet file with typed columns; in a build with the feature `parquet`.
//! Pure: where the bytes go is for whoever calls.

use std::io::Write;
use std::sync::Arc;

use parquet::basic::Encoding;
use parquet::data_type::{BoolType, ByteArray, ByteArrayType, DoubleType, Int32Type, Int64Type};
use parquet::errors::{ParquetError, Result};
use parquet::file::properties::WriterProperties;
use parquet::file::writer::{SerializedColumnWriter, SerializedFileWriter};
use parquet::schema::parser::parse_message_type;

use super::tables::Table;
use crate::time::Timestamp;

/// So many rows make a row group; so many stand in memory at most.
const GROUP: usize = 16_384;

/// Seconds of a day, in UTC.
const DAY: i64 = 86_400;

/// What a column holds. An empty cell is a null.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Time,
    Day,
    Count,
    Number,
    Flag,
    Word,
}

impl Kind {
    fn of(column: &str) -> Self {
        match column {
            "at" => Self::Time,
            "day" => Self::Day,
            "number" | "responses" | "held_seconds" | "decisions" | "changes" => Self::Count,
            "integrity" | "consensus" | "reputation" => Self::Number,
            "trust" => Self::Flag,
            _ => Self::Word,
        }
    }

    /// The column in the text form of a schema.
    fn declared(self, name: &str) -> String {
        let (physical, logical) = match self {
            Self::Time => ("int64", " (TIMESTAMP(MICROS, true))"),
            Self::Day => ("int32", " (DATE)"),
            Self::Count => ("int64", ""),
            Self::Number => ("double", ""),
            Self::Flag => ("boolean", ""),
            Self::Word => ("binary", " (STRING)"),
        };
        format!("optional {physical} {name}{logical};")
    }
}

/// A file that is being written.
pub struct File<W: Write + Send> {
    writer: SerializedFileWriter<W>,
    kinds: Vec<Kind>,
    waiting: Vec<Vec<String>>,
}

impl<W: Write + Send> File<W> {
    /// Begins it.
    pub fn new(table: Table, to: W) -> Result<Self> {
        let columns = table.columns();
        let kinds: Vec<Kind> = columns.iter().map(|name| Kind::of(name)).collect();
        let declared = columns.iter().zip(&kinds);
        let members: Vec<String> = declared.map(|(name, kind)| kind.declared(name)).collect();
        let schema = parse_message_type(&format!("message history {{ {} }}", members.join(" ")))?;
        let properties = WriterProperties::builder()
            .set_created_by(format!("policy-orchestrator {}", env!("CARGO_PKG_VERSION")))
            .set_encoding(Encoding::PLAIN)
            .build();
        Ok(Self {
            writer: SerializedFileWriter::new(to, Arc::new(schema), Arc::new(properties))?,
            kinds,
            waiting: Vec::new(),
        })
    }

    /// Adds a row.
    pub fn add(&mut self, cells: &[String]) -> Result<()> {
        self.waiting.push(cells.to_vec());
        if self.waiting.len() >= GROUP {
            self.write_group()?;
        }
        Ok(())
    }

    /// Ends it: without this it is no Parquet file.
    pub fn close(mut self) -> Result<()> {
        self.write_group()?;
        self.writer.close().map(drop)
    }

    fn write_group(&mut self) -> Result<()> {
        if self.waiting.is_empty() {
            return Ok(());
        }
        let mut group = self.writer.next_row_group()?;
        for (place, kind) in self.kinds.iter().enumerate() {
            let cells = self
                .waiting
                .iter()
                .map(|row| row.get(place).map(String::as_str));
            let Some(mut column) = group.next_column()? else {
                break;
            };
            write_column(*kind, cells, &mut column)?;
            column.close()?;
        }
        self.waiting.clear();
        group.close().map(drop)
    }
}

fn write_column<'c>(
    kind: Kind,
    cells: impl Iterator<Item = Option<&'c str>>,
    column: &mut SerializedColumnWriter<'_>,
) -> Result<()> {
    /// The values that are there, and for each cell whether it has one.
    fn read<'c, T>(
        cells: impl Iterator<Item = Option<&'c str>>,
        parse: impl Fn(&str) -> Option<T>,
    ) -> Result<(Vec<T>, Vec<i16>)> {
        let (mut values, mut levels) = (Vec::new(), Vec::new());
        for cell in cells {
            let Some(cell) = cell.filter(|cell| !cell.is_empty()) else {
                levels.push(0);
                continue;
            };
            // A null in its place would be a lie.
            let odd = || ParquetError::General(format!("`{cell}` is not what its column holds"));
            values.push(parse(cell).ok_or_else(odd)?);
            levels.push(1);
        }
        Ok((values, levels))
    }
    match kind {
        Kind::Time => {
            let time = |cell: &str| Timestamp::read(cell).map(|read| read.time.unix_micros());
            let (values, levels) = read(cells, time)?;
            column
                .typed::<Int64Type>()
                .write_batch(&values, Some(&levels), None)
        }
        Kind::Day => {
            let (values, levels) = read(cells, days_since_1970)?;
            column
                .typed::<Int32Type>()
                .write_batch(&values, Some(&levels), None)
        }
        Kind::Count => {
            let (values, levels) = read(cells, |cell| cell.parse().ok())?;
            column
                .typed::<Int64Type>()
                .write_batch(&values, Some(&levels), None)
        }
        Kind::Number => {
            let (values, levels) = read(cells, |cell| cell.parse().ok())?;
            column
                .typed::<DoubleType>()
                .write_batch(&values, Some(&levels), None)
        }
        Kind::Flag => {
            let (values, levels) = read(cells, |cell| cell.parse().ok())?;
            column
                .typed::<BoolType>()
                .write_batch(&values, Some(&levels), None)
        }
        Kind::Word => {
            let (values, levels) = read(cells, |cell| Some(ByteArray::from(cell)))?;
            column
                .typed::<ByteArrayType>()
                .write_batch(&values, Some(&levels), None)
        }
    }
    .map(drop)
}

fn days_since_1970(date: &str) -> Option<i32> {
    let time = Timestamp::read(&format!("{date}T00:00:00Z"))?.time;
    i32::try_from(time.unix_seconds().div_euclid(DAY)).ok()
}

#[cfg(test)]
mod tests {
    use parquet::file::reader::{FileReader as _, SerializedFileReader};
    use parquet::record::Field;

    use super::*;

    fn read_back(table: Table, rows: &[&[&str]]) -> Vec<Vec<Field>> {
        let kept = tempfile::tempfile().unwrap();
        let mut file = File::new(table, &kept).unwrap();
        for row in rows {
            let cells: Vec<String> = row.iter().map(|cell| (*cell).to_owned()).collect();
            file.add(&cells).unwrap();
        }
        file.close().unwrap();
        let reader = SerializedFileReader::new(kept).unwrap();
        let fields = |row: parquet::record::Row| {
            let columns = row.get_column_iter();
            columns.map(|(_, field)| field.clone()).collect()
        };
        let rows = reader.get_row_iter(None).unwrap();
        rows.map(|row| fields(row.unwrap())).collect()
    }

    #[test]
    fn days_are_dates_and_counts() {
        let rows = read_back(Table::Days, &[&["2026-01-15", "3", "RED", "1"]]);
        let expected = [
            Field::Date(20_468),
            Field::Long(3),
            Field::Str("RED".into()),
            Field::Long(1),
        ];
        assert_eq!(rows, [expected]);
    }

    #[test]
    fn an_empty_cell_is_a_null_and_a_value_keeps_every_digit() {
        let row = [
            "2026-01-15T12:00:00.000001+00:00",
            "7",
            "YELLOW",
            "",
            "",
            "false",
            "93.39999999999999",
            "",
            "87.15",
            "low",
            "2",
            "",
            "consensus=missing",
            "A B",
        ];
        let [row] = &read_back(Table::Decisions, &[&row])[..] else {
            panic!("one row");
        };
        assert_eq!(row[0], Field::TimestampMicros(1_768_478_400_000_001));
        assert_eq!((&row[1], &row[3]), (&Field::Long(7), &Field::Null));
        assert_eq!(
            (&row[5], &row[6]),
            (&Field::Bool(false), &Field::Double(93.399_999_999_999_99))
        );
        assert_eq!((&row[7], &row[10]), (&Field::Null, &Field::Long(2)));
        assert_eq!(row[13], Field::Str("A B".into()));
    }

    #[test]
    fn a_cell_that_is_not_of_its_column_is_an_error() {
        let mut file = File::new(Table::Days, Vec::new()).unwrap();
        let row = ["2026-01-15", "many", "RED", "1"].map(str::to_owned);
        file.add(&row).unwrap();
        assert!(file.close().unwrap_err().to_string().contains("`many`"));
    }

    #[test]
    fn more_rows_than_a_group_holds_are_all_there() {
        let row: &[&str] = &["2026-01-15", "3", "RED", "1"];
        assert_eq!(
            read_back(Table::Days, &vec![row; GROUP + 1]).len(),
            GROUP + 1
        );
        assert_eq!(read_back(Table::Changes, &[]), Vec::<Vec<Field>>::new());
    }
}
