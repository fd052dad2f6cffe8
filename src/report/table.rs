//! A table for a person: in columns on a terminal, in pipes as Markdown.

use std::fmt::Write as _;

use super::github::cell;

/// A table with a head; numbers stand to the right.
#[derive(Debug, Clone)]
pub(super) struct Table {
    /// What stands above it.
    pub(super) title: String,
    /// The names of the columns.
    pub(super) head: Vec<&'static str>,
    /// The cells.
    pub(super) rows: Vec<Vec<String>>,
}

impl Table {
    /// Columns of equal width, two blanks between them.
    pub(super) fn aligned(&self) -> String {
        let head: Vec<String> = self.head.iter().map(|name| (*name).to_owned()).collect();
        let all = || std::iter::once(&head).chain(&self.rows);
        let width = |column: usize| {
            let cells = all().filter_map(|row| row.get(column));
            cells.map(|cell| cell.chars().count()).max().unwrap_or(0)
        };
        let widths: Vec<usize> = (0..head.len()).map(width).collect();
        let mut text = String::new();
        for row in all() {
            let mut line = String::from(" ");
            for ((cell, width), column) in row.iter().zip(&widths).zip(0..) {
                let room = " ".repeat(width.saturating_sub(cell.chars().count()));
                let aligned = if self.is_number(column) {
                    format!(" {room}{cell} ")
                } else {
                    format!(" {cell}{room} ")
                };
                line.push_str(&aligned);
            }
            text.push_str(line.trim_end());
            text.push('\n');
        }
        text
    }

    /// As Markdown; what the cells hold is text there.
    pub(super) fn piped(&self) -> String {
        let mut text = format!("| {} |\n|", self.head.join(" | "));
        for column in 0..self.head.len() {
            text.push_str(if self.is_number(column) {
                "--:|"
            } else {
                "---|"
            });
        }
        text.push('\n');
        for row in &self.rows {
            let cells: Vec<String> = row.iter().map(|text| cell(text)).collect();
            let _ = writeln!(text, "| {} |", cells.join(" | "));
        }
        text
    }

    /// True for a column of numbers.
    fn is_number(&self, column: usize) -> bool {
        let cells = self.rows.iter().filter_map(|row| row.get(column));
        let is_number = |cell: &String| {
            cell.is_empty() || cell.starts_with(|first: char| first.is_ascii_digit())
        };
        column > 0 && cells.into_iter().all(is_number)
    }
}
