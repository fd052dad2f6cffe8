//! Findings as a record lists them: not more than somebody reads, and the number of the others.

use serde::ser::SerializeSeq as _;
use serde::{Serialize, Serializer};

use crate::diagnostic::{Code, Diagnostic, Place};

/// So many are listed.
pub const MOST: usize = 100;

/// Findings of which the first [`MOST`] are listed; one more entry says how many others there were.
#[derive(Debug, Clone)]
pub struct Listed<'a>(Vec<&'a Diagnostic>);

impl Listed<'_> {
    /// True where there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl<'a> FromIterator<&'a Diagnostic> for Listed<'a> {
    fn from_iter<I: IntoIterator<Item = &'a Diagnostic>>(all: I) -> Self {
        Self(all.into_iter().collect())
    }
}

impl Serialize for Listed<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let (shown, others) = self.0.split_at(self.0.len().min(MOST));
        let mut list = serializer.serialize_seq(None)?;
        for finding in shown {
            list.serialize_element(finding)?;
        }
        if let Some(first) = others.first() {
            list.serialize_element(&more(first, others.len()))?;
        }
        list.end()
    }
}

fn more(first: &Diagnostic, count: usize) -> Diagnostic {
    let place = Place::file(&first.place.file);
    Diagnostic::new(Code::FindingsCut, place, format!("{count} more"))
        .found(format!("{} findings in all", MOST + count))
        .expected(format!("at most {MOST}"))
        .help("standard error of the run has all of them; mend those above first")
}
