//! Rubrics: texts that people classify by, with tables that the machine reads.
//!
//! A row of a table begins with its id as a code span: `LIC-` a license, `RGT-` a right, `SEN-` a
//! handling of what is sensitive, `GEN-` a rule of generalization. All other lines are for people.

use super::spdx;
use crate::diagnostic::{Code, Diagnostic, Place};

/// What the rubrics say to the machine.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Rubrics {
    licenses: Vec<License>,
    rights: Vec<Right>,
    handlings: Vec<Handling>,
    generalizations: Vec<Generalization>,
}

/// A license.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct License {
    /// The row's id.
    pub id: String,
    /// Its SPDX identifier, or one that begins with `LicenseRef-`.
    pub license: String,
    /// True where a copy may be handed on.
    pub hand_on: bool,
}

/// A right that was obtained.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Right {
    /// The row's id.
    pub id: String,
    /// Its word.
    pub word: String,
    /// True where a copy may be handed on.
    pub hand_on: bool,
}

/// What is done about what is sensitive.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Handling {
    /// The row's id.
    pub id: String,
    /// Its line.
    pub line: u64,
    /// Its word.
    pub word: String,
    /// True where a plan has to be recorded.
    pub plan: bool,
    /// The labels that it suffices for.
    pub labels: Vec<String>,
}

/// How coarse coordinates become.
#[derive(Debug, Clone, PartialEq)]
pub struct Generalization {
    /// The row's id.
    pub id: String,
    /// Its word.
    pub word: String,
    /// The width of the grid in degrees.
    pub grid_degrees: f64,
}

impl Rubrics {
    /// The license of an identifier.
    pub fn license(&self, id: &str) -> Option<&License> {
        self.licenses.iter().find(|one| one.license == id)
    }

    /// The right of a word.
    pub fn right(&self, word: &str) -> Option<&Right> {
        self.rights.iter().find(|one| one.word == word)
    }

    /// The handling of a word.
    pub fn handling(&self, word: &str) -> Option<&Handling> {
        self.handlings.iter().find(|one| one.word == word)
    }

    /// All handlings.
    pub fn handlings(&self) -> &[Handling] {
        &self.handlings
    }

    /// All licenses.
    pub fn licenses(&self) -> &[License] {
        &self.licenses
    }

    /// All rights.
    pub fn rights(&self) -> &[Right] {
        &self.rights
    }

    /// The rule of generalization of a word.
    pub fn generalization(&self, word: &str) -> Option<&Generalization> {
        self.generalizations.iter().find(|one| one.word == word)
    }

    fn has(&self, id: &str) -> bool {
        let ids = self.licenses.iter().map(|one| &one.id);
        let mut ids = ids
            .chain(self.rights.iter().map(|one| &one.id))
            .chain(self.handlings.iter().map(|one| &one.id))
            .chain(self.generalizations.iter().map(|one| &one.id));
        ids.any(|other| other == id)
    }
}

/// Reads the tables of a rubric into what there is so far; tells everything that is wrong with them.
pub(super) fn read(file: &str, bytes: &[u8], rubrics: &mut Rubrics) -> Vec<Diagnostic> {
    let Ok(text) = std::str::from_utf8(bytes) else {
        let place = Place::file(file);
        let finding = Diagnostic::new(Code::NotUtf8, place, "the rubric is no UTF-8 text")
            .found("other bytes")
            .expected("Markdown in UTF-8")
            .help("save the file as UTF-8");
        return vec![finding];
    };
    let mut problems = Vec::new();
    for (number, line) in (1_u64..).zip(text.lines()) {
        let Some(cells) = cells(line) else { continue };
        let Some(id) = cells.first().and_then(|cell| code(cell)) else {
            continue;
        };
        let row = Row {
            place: Place::line(file, number),
            line: number,
            id,
            cells: &cells,
        };
        if let Err(problem) = row.read(rubrics) {
            problems.push(*problem);
        }
    }
    problems
}

/// The cells of a row of a table.
fn cells(line: &str) -> Option<Vec<&str>> {
    let inner = line.trim().strip_prefix('|')?.strip_suffix('|')?;
    Some(inner.split('|').map(str::trim).collect())
}

/// The text of a code span.
fn code(cell: &str) -> Option<&str> {
    cell.strip_prefix('`')?.strip_suffix('`')
}

struct Row<'r> {
    place: Place,
    line: u64,
    id: &'r str,
    cells: &'r [&'r str],
}

impl Row<'_> {
    fn read(&self, rubrics: &mut Rubrics) -> Result<(), Box<Diagnostic>> {
        let Some((kind, digits)) = self.id.split_once('-') else {
            return Err(self.id_refused());
        };
        if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(self.id_refused());
        }
        if rubrics.has(self.id) {
            return Err(self.refused(
                Code::NameDuplicate,
                "this id stands there twice",
                "twice",
                "every id once",
            ));
        }
        let id = self.id.to_owned();
        match kind {
            "LIC" => {
                let license = self.license()?;
                self.once(rubrics.license(&license).is_some(), &license)?;
                rubrics.licenses.push(License {
                    id,
                    license,
                    hand_on: self.yes(2)?,
                });
            }
            "RGT" => {
                let word = self.word(1)?.to_owned();
                self.once(rubrics.right(&word).is_some(), &word)?;
                rubrics.rights.push(Right {
                    id,
                    word,
                    hand_on: self.yes(2)?,
                });
            }
            "SEN" => {
                let word = self.word(1)?.to_owned();
                self.once(rubrics.handling(&word).is_some(), &word)?;
                let labels = self.cell(3).split(',');
                let labels = labels.filter_map(|label| code(label.trim()));
                rubrics.handlings.push(Handling {
                    id,
                    line: self.line,
                    word,
                    plan: self.yes(2)?,
                    labels: labels.map(str::to_owned).collect(),
                });
            }
            "GEN" => {
                let word = self.word(1)?.to_owned();
                self.once(rubrics.generalization(&word).is_some(), &word)?;
                rubrics.generalizations.push(Generalization {
                    id,
                    word,
                    grid_degrees: self.degrees(2)?,
                });
            }
            _ => return Err(self.id_refused()),
        }
        Ok(())
    }

    fn cell(&self, index: usize) -> &str {
        self.cells.get(index).copied().unwrap_or_default()
    }

    fn word(&self, index: usize) -> Result<&str, Box<Diagnostic>> {
        let word = code(self.cell(index)).filter(|word| !word.is_empty());
        word.ok_or_else(|| {
            self.refused(
                Code::KeyMissing,
                "the row lacks its word",
                self.cell(index),
                "a word as a code span in the second cell",
            )
        })
    }

    fn license(&self) -> Result<String, Box<Diagnostic>> {
        let license = self.word(1)?;
        let own = license.strip_prefix("LicenseRef-");
        if own.is_some_and(|own| !own.is_empty()) || spdx::is_known(license) {
            return Ok(license.to_owned());
        }
        let near = spdx::nearest(license).map_or_else(
            || "look the identifier up in the SPDX license list".to_owned(),
            |near| format!("did you mean `{near}`?"),
        );
        Err(Box::new(
            Diagnostic::new(
                Code::ValueUnknown,
                self.place.clone(),
                "this is no SPDX identifier",
            )
            .found(format!("`{license}`"))
            .expected(
                "an identifier of the SPDX license list, or one that begins with `LicenseRef-`",
            )
            .help(near),
        ))
    }

    fn yes(&self, index: usize) -> Result<bool, Box<Diagnostic>> {
        match self.cell(index) {
            "yes" => Ok(true),
            "no" => Ok(false),
            other => Err(self.refused(
                Code::ValueUnknown,
                "a cell is neither `yes` nor `no`",
                other,
                "`yes` or `no`",
            )),
        }
    }

    /// The edge of a cell of a grid.
    fn degrees(&self, index: usize) -> Result<f64, Box<Diagnostic>> {
        let degrees: Option<f64> = self.cell(index).parse().ok();
        let degrees = degrees.filter(|degrees| *degrees > 0.0 && *degrees <= 90.0);
        degrees.ok_or_else(|| {
            self.refused(
                Code::ValueRange,
                "the grid can't be used",
                self.cell(index),
                "degrees, more than 0 and at most 90",
            )
        })
    }

    fn once(&self, is_there: bool, word: &str) -> Result<(), Box<Diagnostic>> {
        if is_there {
            return Err(self.refused(
                Code::NameDuplicate,
                "two rows are about the same",
                word,
                "one row",
            ));
        }
        Ok(())
    }

    fn id_refused(&self) -> Box<Diagnostic> {
        self.refused(
            Code::ValueUnknown,
            "the id of a row can't be used",
            self.id,
            "`LIC-`, `RGT-`, `SEN-` or `GEN-` with digits behind it",
        )
    }

    fn refused(&self, code: Code, message: &str, found: &str, expected: &str) -> Box<Diagnostic> {
        Box::new(
            Diagnostic::new(code, self.place.clone(), message)
                .found(format!("`{found}`"))
                .expected(expected)
                .help("correct the row; docs/labels.md shows the tables"),
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_wrong_with_rows_is_told_with_their_lines() {
        let text = "# Text\n\n| id | license | hand on |\n|---|---|---|\n\
            | `LIC-01` | `CC-BY-4.0` | yes |\n| `LIC-02` | `CC-BY-40` | yes |\n| `LIC-01` | `MIT` | no |\n\
            | `LIC-03` | `MIT` | perhaps |\n| `LIC-4a` | `MIT` | yes |\n| `FOO-01` | `x` | yes |\n\
            | `GEN-01` | `x` | 0 |\n| `SEN-01` | x | no | `public` |\n| `LIC-05` | `CC-BY-4.0` | no |\n\
            | `RGT-01` | `own-work` | yes |\n";
        let mut rubrics = Rubrics::default();
        let problems = read("policy/rubrics/licensing.md", text.as_bytes(), &mut rubrics);
        let told: Vec<String> = problems
            .iter()
            .map(|one| format!("{one}; {}", one.help.as_deref().unwrap()))
            .collect();
        insta::assert_snapshot!(told.join("\n"));
        assert!(rubrics.license("CC-BY-4.0").unwrap().hand_on);
        assert!(rubrics.right("own-work").unwrap().hand_on);
    }
}
