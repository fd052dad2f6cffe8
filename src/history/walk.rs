//! The recorded decisions from the first to the last, over sealed segments, in constant memory.
//!
//! Each line is told once, with its file and number, and as what it is; none is dropped. What is
//! made of it is the caller's business.

use crate::diagnostic::{Checked, Code, Diagnostic, Place};
use crate::fs::read::open_named;
use crate::fs::{InputFile, Opened, Workspace};
use crate::ids::Digest;
use crate::record::line::{Chained, Segment, VERSION};
use crate::record::{FixedLine, LINE_LIMIT, RecordedLine, STATE_JOURNAL, segments, verify};

/// So many sealed segments are gone back to: more were never made by hand.
const MOST_SEGMENTS: usize = 10_000;

/// One line of a history.
#[derive(Debug)]
pub struct Line<'a> {
    /// The file, relative to the workspace.
    pub file: &'a str,
    /// The line's number in it, from 1 on.
    pub number: u64,
    /// Its bytes, without the newline.
    pub bytes: &'a [u8],
    /// What it is.
    pub entry: Entry<'a>,
}

/// What a line is.
#[derive(Debug)]
pub enum Entry<'a> {
    /// A decision, in the form that this version writes.
    Fixed(FixedLine<'a>),
    /// A decision in another form.
    Other(Box<RecordedLine>),
    /// A line of a log from before the chain.
    Plain,
    /// A chained line that records no decision.
    Marker {
        /// The digest of what stands before it.
        prev: Option<Digest>,
    },
    /// A last line that was never finished.
    Torn,
    /// None of these.
    Unreadable(Box<Diagnostic>),
}

/// Where a history stands.
#[derive(Debug)]
pub struct Source {
    /// The journal, open.
    journal: InputFile,
    /// Where the segments are; absent for a journal that was named by its path.
    workspace: Option<Workspace>,
    /// The sealed segments before it, the first one first, as their successors name them.
    segments: Vec<Segment>,
    /// What is wrong with what stands before it.
    pub problems: Vec<Diagnostic>,
}

impl Source {
    /// The journal of decisions of a workspace with its sealed segments; `None` where there is none.
    pub fn of_workspace(workspace: &Workspace) -> Checked<Option<Self>> {
        let Opened::File(journal) = workspace.open_input(STATE_JOURNAL)? else {
            return Ok(None);
        };
        let mut source = Self {
            journal,
            workspace: Some(workspace.clone()),
            segments: Vec::new(),
            problems: Vec::new(),
        };
        let mut next = verify::segment_before(&source.journal)?;
        while let Some(segment) = next.take() {
            match source.open_segment(workspace, &segment)? {
                Ok(Some(input)) => next = verify::segment_before(&input)?,
                Ok(None) => break,
                Err(problem) => {
                    source.problems.push(*problem);
                    break;
                }
            }
            source.segments.push(segment);
            if source.segments.len() > MOST_SEGMENTS {
                break;
            }
        }
        source.segments.reverse();
        Ok(Some(source))
    }

    /// A journal that a person named by its path. What it goes on from is not looked for.
    pub fn of_file(path: &std::path::Path) -> Checked<Self> {
        let journal = open_named(path)?;
        let mut problems = Vec::new();
        if let Some(segment) =
            verify::segment_before(&journal)?.filter(|before| before.file.is_some())
        {
            problems.push(
                Diagnostic::new(
                    Code::HistoryIncomplete,
                    Place::line(&journal.name, 1),
                    "this journal goes on from a sealed segment, which is not read with it",
                )
                .found(segment.file.unwrap_or_default())
                .expected("a journal from its beginning")
                .help("name the workspace instead of the journal to read both"),
            );
        }
        Ok(Self {
            journal,
            workspace: None,
            segments: Vec::new(),
            problems,
        })
    }

    /// The files in the order in which they are read.
    pub fn files(&self) -> Vec<&str> {
        let segments = self.segments.iter().filter_map(Segment::sealed_file);
        segments.chain([self.journal.name.as_str()]).collect()
    }

    /// The sealed segments, the first one first.
    pub fn segments(&self) -> &[Segment] {
        &self.segments
    }

    /// A sealed segment, open. `Ok(Ok(None))` where a reseal found no file to seal.
    fn open_segment(
        &self,
        workspace: &Workspace,
        segment: &Segment,
    ) -> Checked<Result<Option<InputFile>, Box<Diagnostic>>> {
        let Some(file) = &segment.file else {
            return Ok(Ok(None));
        };
        let known = self.segments.iter().any(|known| known.file == segment.file);
        let opened = if known {
            Opened::Absent
        } else {
            opened(workspace, segment)?
        };
        Ok(match opened {
            Opened::File(input) => Ok(Some(input)),
            Opened::Absent => Err(Box::new(
                Diagnostic::new(
                    Code::HistoryIncomplete,
                    Place::file(file),
                    "a sealed segment can't be read, so what it records is not decided again",
                )
                .found("no such file, or a name that no segment has")
                .expected("the file that its successor names")
                .help(
                    "restore it from version control; `policy-orchestrator audit verify` says more",
                ),
            )),
        })
    }

    /// Calls `each` with every line.
    pub fn each(&self, each: &mut dyn FnMut(Line<'_>)) -> Checked<()> {
        for segment in &self.segments {
            let opened = match self.workspace.as_ref() {
                Some(workspace) => opened(workspace, segment)?,
                None => Opened::Absent,
            };
            if let Opened::File(input) = opened {
                walk(&input, each)?;
            }
        }
        walk(&self.journal, each)
    }
}

/// The lines of a segment. One that a reseal kept is read as it stands; one that was closed has to be
/// unpacked, and so to be what it was.
fn opened(workspace: &Workspace, segment: &Segment) -> Checked<Opened> {
    let Some(file) = segment.sealed_file() else {
        return Ok(Opened::Absent);
    };
    if segment.packed.is_none() {
        return workspace.open_input(file);
    }
    let unpacked = segments::open(workspace, segment)?;
    Ok(unpacked.map_or(Opened::Absent, Opened::File))
}

fn walk(input: &InputFile, each: &mut dyn FnMut(Line<'_>)) -> Checked<()> {
    let file = input.name.as_str();
    let (mut number, mut chained) = (0, false);
    let walked = verify::each_line(input, input.size, &mut |bytes, ended| {
        number += 1;
        let entry = classify(bytes, ended, &mut chained).unwrap_or_else(|why| {
            Entry::Unreadable(Box::new(unreadable(Place::line(file, number), why, bytes)))
        });
        each(Line {
            file,
            number,
            bytes,
            entry,
        });
    });
    match walked {
        Err(error) if error.code == Code::LineTooLong => {
            let why = "the line is too long for a record; it and all behind it were not read";
            let place = Place::line(file, number + 1);
            let found = format!("more than {LINE_LIMIT} bytes without an end");
            each(Line {
                file,
                number: number + 1,
                bytes: &[],
                entry: Entry::Unreadable(Box::new(unreadable(place, why, found.as_bytes()))),
            });
            Ok(())
        }
        walked => walked,
    }
}

/// What a line is, or why nobody knows. `chained` is true behind the first chained line.
fn classify<'a>(
    bytes: &'a [u8],
    ended: bool,
    chained: &mut bool,
) -> Result<Entry<'a>, &'static str> {
    if !ended {
        return Ok(if !*chained && is_plain(bytes) {
            Entry::Plain
        } else {
            Entry::Torn
        });
    }
    if let Some(line) = FixedLine::parse(bytes) {
        *chained = true;
        return Ok(Entry::Fixed(line));
    }
    if let Some(line) = RecordedLine::parse(bytes) {
        *chained = true;
        return Ok(Entry::Other(Box::new(line)));
    }
    if let Some(line) = Chained::parse(bytes) {
        *chained = true;
        return match line.doc {
            None => Ok(Entry::Marker {
                prev: Digest::parse(line.prev),
            }),
            Some(_) if line.v > VERSION => Err("the line was written by a newer version"),
            Some(_) => Err("the line records a decision that can't be read"),
        };
    }
    if !*chained && is_plain(bytes) {
        return Ok(Entry::Plain);
    }
    Err("the line is no record")
}

/// True for a line of a log from before the chain, as the predecessor wrote it: any JSON object.
fn is_plain(bytes: &[u8]) -> bool {
    bytes.trim_ascii_start().starts_with(b"{")
        && serde_json::from_slice::<serde::de::IgnoredAny>(bytes).is_ok()
}

fn unreadable(place: Place, why: &str, bytes: &[u8]) -> Diagnostic {
    Diagnostic::new(Code::LineUnreadable, place, why)
        .found(String::from_utf8_lossy(bytes))
        .expected("a decision as `run` records it")
        .help("`policy-orchestrator audit verify` says whether the line was changed after it was written")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_line_is_what_it_is() {
        let decision = r#"{"timestamp":"2026-06-06T16:45:00+00:00","policy":"RED","trust_locked":false,"integrity":94.99,"consensus":95.0,"reputation":82.5,"forecast":"low","responses":1,"v":1,"seq":14,"prev":"660faaaaab23bca92953cdf798dbee0842b44c6867752c39cd91578a3f83a567","doc":"594ca69fcd607ffdca1c1e77f1309a6181041c907f7873bc8a46abd4bb32019f","before":"YELLOW","reasons":["X"]}"#;
        let plain = r#"{"timestamp": "2026-05-30T04:45:00+00:00", "policy": "GREEN"}"#;
        let reseal = r#"{"timestamp":"2026-06-06T16:45:00+00:00","event":"RESEAL","reason":"x","v":1,"seq":3,"prev":"660faaaaab23bca92953cdf798dbee0842b44c6867752c39cd91578a3f83a567","segment":{"file":null,"sha256":"660faaaaab23bca92953cdf798dbee0842b44c6867752c39cd91578a3f83a567","head":null}}"#;
        let spaced = decision.replace(",\"v\"", ", \"v\"");
        let orange = decision.replace("\"RED\"", "\"no level\"");
        let newer = orange.replace("\"v\":1", "\"v\":9");
        let cases = [
            (decision, true, false, "fixed"),
            (&spaced, true, false, "other"),
            (plain, true, false, "plain"),
            (plain, false, false, "plain"),
            (plain, true, true, "the line is no record"),
            (reseal, true, false, "marker"),
            (&decision[..90], false, true, "torn"),
            (decision, false, true, "torn"),
            ("", true, false, "the line is no record"),
            ("[1]", true, false, "the line is no record"),
            (
                &orange,
                true,
                true,
                "the line records a decision that can't be read",
            ),
            (
                &newer,
                true,
                true,
                "the line was written by a newer version",
            ),
        ];
        for (line, ended, mut chained, expected) in cases {
            let found = match classify(line.as_bytes(), ended, &mut chained) {
                Ok(Entry::Fixed(_)) => "fixed",
                Ok(Entry::Other(_)) => "other",
                Ok(Entry::Plain) => "plain",
                Ok(Entry::Marker { .. }) => "marker",
                Ok(Entry::Torn) => "torn",
                Ok(Entry::Unreadable(_)) => "unreadable",
                Err(why) => why,
            };
            assert_eq!(found, expected, "{line}");
        }
    }
}
