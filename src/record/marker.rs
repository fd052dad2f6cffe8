//! The marker in `audit_summary.md`: one line that says what the last run decided.
//!
//! Other tools write into that file too, and not always UTF-8, so it is edited as bytes: only the
//! marker changes, everything else stays (rows S4-050 to S4-054, D-09).

use std::fmt;

use crate::diagnostic::{Checked, Code, Diagnostic, Place};
use crate::fs::read::read_own;
use crate::fs::write::Replacement;
use crate::fs::{RetryDelays, Workspace, WriteError};
use crate::policy::Level;
use crate::time::Timestamp;

/// The file, relative to the workspace.
pub const FILE: &str = "audit_summary.md";

/// The prefix of the marker of decisions.
pub const ORCHESTRATION: &str = "POLICY_ORCHESTRATION";

/// A summary larger than this is not edited.
const LIMIT: u64 = 64 * 1024 * 1024;

/// How often the file is edited again where another tool keeps changing it meanwhile.
const EDITS: usize = 5;

const HEADING: &[u8] = b"# Audit summary\n\n";

/// The prefix of the marker of responses.
pub const RESPONSE: &str = "POLICY_RESPONSE";

/// The prefix of the marker of alerts.
pub const ALERT: &str = "POLICY_ALERT";

/// The prefix of the marker of the trust guard.
pub const TRUST_GUARD: &str = "TRUST_GUARD";

/// What a command leaves in the summary: `<!-- PREFIX: TEXT -->`. There is one of each prefix.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Marker {
    prefix: &'static str,
    text: String,
}

impl Marker {
    /// A marker with any text. Text that would end the comment or the line early is defused.
    pub fn new(prefix: &'static str, text: &str) -> Self {
        let mut plain: String = text
            .chars()
            .map(|character| {
                if character.is_control() {
                    ' '
                } else {
                    character
                }
            })
            .collect();
        // A replacement can bring two hyphens together again.
        while plain.contains("--") {
            plain = plain.replace("--", "-");
        }
        Self {
            prefix,
            text: plain,
        }
    }

    /// A decision was recorded from inputs that could be read.
    pub fn updated(at: Timestamp, level: &Level) -> Self {
        Self::new(ORCHESTRATION, &format!("UPDATED {at} policy={level}"))
    }

    /// An input was invalid, or the record could not be made.
    pub fn failed(at: Timestamp) -> Self {
        Self::new(ORCHESTRATION, &format!("FAILED {at}"))
    }
}

impl fmt::Display for Marker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "<!-- {}: {} -->", self.prefix, self.text)
    }
}

/// When the last run failed, where the summary of a workspace says that it did.
pub fn failed_at(workspace: &Workspace) -> Option<Timestamp> {
    let summary = read_own(workspace, FILE, LIMIT).ok().flatten()?;
    let found = find_markers(&summary, ORCHESTRATION);
    let place = found
        .iter()
        .find(|place| !place.fenced)
        .or_else(|| found.first())?;
    let text = std::str::from_utf8(summary.get(place.begin..place.end)?).ok()?;
    let time = text.strip_prefix(&format!("<!-- {ORCHESTRATION}: FAILED "))?;
    Timestamp::read(time.strip_suffix("-->")?).map(|read| read.time)
}

/// The summary with `marker` in place of every earlier one; all other bytes stay.
///
/// The first marker outside a code fence is replaced, or the first one at all; further ones, which
/// predecessors left, are removed.
pub fn edit(summary: Option<&[u8]>, marker: &Marker) -> Vec<u8> {
    let prefix = marker.prefix;
    let marker = marker.to_string().into_bytes();
    let Some(summary) = summary else {
        return [HEADING, &marker, b"\n"].concat();
    };
    let found = find_markers(summary, prefix);
    let Some(kept) = found
        .iter()
        .find(|place| !place.fenced)
        .or_else(|| found.first())
    else {
        return appended(summary, &marker);
    };
    let mut edited = Vec::with_capacity(summary.len() + marker.len());
    let mut copied = 0;
    for place in &found {
        let stays = place.begin != kept.begin && place.fenced && !kept.fenced;
        if stays {
            continue;
        }
        let (begin, end) = if place.begin == kept.begin {
            (place.begin, place.end)
        } else {
            place.with_line(summary)
        };
        edited.extend_from_slice(summary.get(copied..begin).unwrap_or_default());
        if place.begin == kept.begin {
            edited.extend_from_slice(&marker);
        }
        copied = end;
    }
    edited.extend_from_slice(summary.get(copied..).unwrap_or_default());
    edited
}

fn appended(summary: &[u8], marker: &[u8]) -> Vec<u8> {
    let newline: &[u8] = if summary.windows(2).any(|pair| pair == b"\r\n") {
        b"\r\n"
    } else {
        b"\n"
    };
    let mut edited = summary.to_vec();
    if !summary.is_empty() && !summary.ends_with(b"\n") {
        edited.extend_from_slice(newline);
    }
    edited.extend_from_slice(marker);
    edited.extend_from_slice(newline);
    edited
}

/// A marker in the summary, from its `<!--` to its `-->`.
#[derive(Debug, PartialEq, Eq)]
struct MarkerPlace {
    begin: usize,
    end: usize,
    fenced: bool,
}

impl MarkerPlace {
    /// The whole line, where the marker is all that stands on it.
    fn with_line(&self, summary: &[u8]) -> (usize, usize) {
        let line = memchr::memrchr(b'\n', summary.get(..self.begin).unwrap_or_default())
            .map_or(0, |newline| newline + 1);
        let rest = summary.get(self.end..).unwrap_or_default();
        let end =
            memchr::memchr(b'\n', rest).map_or(summary.len(), |newline| self.end + newline + 1);
        let before = summary.get(line..self.begin).unwrap_or_default();
        let after = summary.get(self.end..end).unwrap_or_default();
        if before.trim_ascii().is_empty() && after.trim_ascii().is_empty() {
            (line, end)
        } else {
            (self.begin, self.end)
        }
    }
}

fn find_markers(summary: &[u8], prefix: &str) -> Vec<MarkerPlace> {
    let prefix = format!("<!-- {prefix}:");
    let at_marker = |begin: usize| {
        let rest = summary.get(begin..)?;
        let line =
            memchr::memchr(b'\n', rest).map_or(rest, |newline| rest.get(..newline).unwrap_or(rest));
        let close = memchr::memmem::find(line, b"-->")?;
        Some(MarkerPlace {
            begin,
            end: begin + close + 3,
            fenced: false,
        })
    };
    let mut found: Vec<MarkerPlace> = memchr::memmem::find_iter(summary, &prefix)
        .filter_map(at_marker)
        .collect();
    // Fences only matter where there is a choice.
    if found.len() > 1 {
        mark_fenced(summary, &mut found);
    }
    found
}

fn mark_fenced(summary: &[u8], found: &mut [MarkerPlace]) {
    let (mut offset, mut fenced) = (0, false);
    let mut places = found.iter_mut().peekable();
    for line in summary.split_inclusive(|byte| *byte == b'\n') {
        let text = line.trim_ascii_start();
        if text.starts_with(b"```") || text.starts_with(b"~~~") {
            fenced = !fenced;
        }
        offset += line.len();
        while let Some(place) = places.next_if(|place| place.begin < offset) {
            place.fenced = fenced;
        }
    }
}

/// Puts `marker` into the workspace's summary, which is made where it is absent.
///
/// The file is read again just before it is replaced: where another tool changed it meanwhile, the
/// edit is made anew on what it is now.
pub fn publish(workspace: &Workspace, marker: &Marker, retry: &RetryDelays) -> Checked<()> {
    refuse_link(workspace)?;
    let attempted = retry.retry(|| {
        attempt(workspace, marker)
            .map_or_else(|finding| Ok(Err(finding)), |written| written.map(Ok))
    });
    attempted?
}

/// One attempt: the outer error is a file that can't be read, the inner one a write that may be
/// tried again.
fn attempt(workspace: &Workspace, marker: &Marker) -> Checked<Result<(), WriteError>> {
    let mut current = read_own(workspace, FILE, LIMIT)?;
    for _ in 0..EDITS {
        let replacement =
            match Replacement::prepare_alike(workspace, FILE, &edit(current.as_deref(), marker)) {
                Ok(replacement) => replacement,
                Err(error) => return Ok(Err(error)),
            };
        let now = read_own(workspace, FILE, LIMIT)?;
        if now == current {
            return Ok(replacement.commit());
        }
        current = now;
    }
    Err(Box::new(busy()))
}

fn refuse_link(workspace: &Workspace) -> Checked<()> {
    let status = std::fs::symlink_metadata(workspace.path(FILE));
    if !status.is_ok_and(|status| status.is_symlink()) {
        return Ok(());
    }
    Err(Box::new(
        Diagnostic::new(
            Code::LinkRefused,
            Place::file(FILE),
            "a symbolic link stands in the way, and nothing is written through links",
        )
        .found("a symbolic link")
        .expected("a regular file, or nothing")
        .help("replace the link by the file itself"),
    ))
}

fn busy() -> Diagnostic {
    Diagnostic::new(
        Code::WriteFailed,
        Place::file(FILE),
        "the file keeps changing while it is edited",
    )
    .found(format!("{EDITS} changes by other programs in a row"))
    .expected("a moment of quiet")
    .help("run again; the decision itself is recorded")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn marker(level: &Level) -> Marker {
        let at = Timestamp::read("2026-01-15T12:00:00Z").unwrap().time;
        Marker::updated(at, level)
    }

    const GREEN: &str =
        "<!-- POLICY_ORCHESTRATION: UPDATED 2026-01-15T12:00:00+00:00 policy=GREEN -->";

    fn edited(summary: &str) -> String {
        String::from_utf8(edit(Some(summary.as_bytes()), &marker(&Level::GREEN))).unwrap()
    }

    #[test]
    fn the_marker_is_replaced_where_it_stands_and_never_repeated() {
        let old = "<!-- POLICY_ORCHESTRATION: FAILED 2025-11-14T12:00:00+00:00 -->";
        let cases = [
            (String::new(), format!("{GREEN}\n")),
            ("a".to_owned(), format!("a\n{GREEN}\n")),
            ("a\r\nb\r\n".to_owned(), format!("a\r\nb\r\n{GREEN}\r\n")),
            (format!("a\n{old}\r\nb\0\n"), format!("a\n{GREEN}\r\nb\0\n")),
            (format!("{old}\n{old}\nz\n"), format!("{GREEN}\nz\n")),
            (format!("{old}\nx {old} y\n"), format!("{GREEN}\nx  y\n")),
            (format!("```\n{old}\n```\n"), format!("```\n{GREEN}\n```\n")),
            (
                format!("```\n{old}\n```\n{old}"),
                format!("```\n{old}\n```\n{GREEN}"),
            ),
            (
                "<!-- POLICY_ORCHESTRATION: never closed\n".to_owned(),
                format!("<!-- POLICY_ORCHESTRATION: never closed\n{GREEN}\n"),
            ),
        ];
        for (summary, expected) in cases {
            assert_eq!(edited(&summary), expected, "{summary:?}");
        }
    }

    #[test]
    fn markers_of_other_prefixes_stay_and_no_text_can_end_one_early() {
        let hostile = Marker::new(TRUST_GUARD, "LOCKED reason: --> ---->\n# boo");
        let text = hostile.to_string();
        assert_eq!(text.matches("-->").count(), 1, "{text}");
        assert!(!text.contains('\n'));
        let both = edit(Some(GREEN.as_bytes()), &hostile);
        let both = String::from_utf8(both).unwrap();
        assert_eq!(both, format!("{GREEN}\n{text}\n"));
    }

    #[test]
    fn a_new_summary_gets_a_heading() {
        let made = String::from_utf8(edit(None, &marker(&Level::GREEN))).unwrap();
        assert_eq!(made, format!("# Audit summary\n\n{GREEN}\n"));
    }

    proptest! {
        #[test]
        fn every_other_byte_stays(before in prop::collection::vec(any::<u8>(), 0..60), after in prop::collection::vec(any::<u8>(), 0..60)) {
            let old = Marker::failed(Timestamp::read("2025-01-01").unwrap().time).to_string();
            let joined = [before.as_slice(), b"\n", old.as_bytes(), b"\n", after.as_slice()].concat();
            let expected = [before.as_slice(), b"\n", GREEN.as_bytes(), b"\n", after.as_slice()].concat();
            prop_assert_eq!(edit(Some(&joined), &marker(&Level::GREEN)), expected);
        }

        #[test]
        fn a_second_edit_changes_nothing(summary in prop::collection::vec(any::<u8>(), 0..120)) {
            let once = edit(Some(&summary), &marker(&Level::RED));
            prop_assert_eq!(edit(Some(&once), &marker(&Level::RED)), once);
        }
    }
}
