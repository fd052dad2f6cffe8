//! Sealed segments, opened as what their successor names.
//!
//! A segment stands there in one of two forms: as it was, where a reseal kept a broken journal, and
//! packed, where a whole journal was closed ([`super::closing`]). Either way its digests are those
//! that the first line of its successor names, or it is not opened.

use super::line::{Chained, Packed, Segment};
use super::verify::digest_of;
use super::{LINE_LIMIT, findings};
use crate::diagnostic::{Checked, Code, Diagnostic};
use crate::fs::pack;
use crate::fs::{InputFile, Opened, Workspace};
use crate::ids::Digest;

/// A segment with the bytes that were sealed; what is found instead, in words, where it is not there
/// or has others.
pub fn open(workspace: &Workspace, segment: &Segment) -> Checked<Result<InputFile, String>> {
    let stored = match stored(workspace, segment)? {
        Ok(stored) => stored,
        Err(found) => return Ok(Err(found)),
    };
    let Some(packed) = segment.packed else {
        return Ok(Ok(stored));
    };
    let plain = match pack::unpack(&stored, packed.bytes) {
        Ok(plain) => plain,
        Err(error) if error.code == Code::SegmentChanged => return Ok(Err(told(&error))),
        Err(error) => return Err(error),
    };
    Ok(is_it(&plain, segment.sha256)?.map(|()| plain))
}

/// The segment that the first line of a segment names, without unpacking the rest.
pub fn before(
    workspace: &Workspace,
    segment: &Segment,
) -> Checked<Result<Option<Segment>, String>> {
    let stored = match stored(workspace, segment)? {
        Ok(stored) => stored,
        Err(found) => return Ok(Err(found)),
    };
    if segment.packed.is_none() {
        return super::verify::segment_before(&stored).map(Ok);
    }
    match pack::start(&stored, LINE_LIMIT) {
        Ok(start) => Ok(Ok(of_first_line(&start))),
        Err(error) => Ok(Err(told(&error))),
    }
}

/// The segment that the first of these lines names.
pub fn of_first_line(bytes: &[u8]) -> Option<Segment> {
    let line = bytes.split(|byte| *byte == b'\n').next()?;
    Chained::parse(line).and_then(|chained| chained.segment)
}

/// As [`open`], as a finding.
pub fn require(workspace: &Workspace, segment: &Segment) -> Checked<InputFile> {
    open(workspace, segment)?.map_err(|_| {
        let file = segment.file.as_deref().unwrap_or_default();
        findings::segment_changed(file)
    })
}

/// The file as it stands there, with the digest that is named for it.
fn stored(workspace: &Workspace, segment: &Segment) -> Checked<Result<InputFile, String>> {
    let Some(file) = segment.sealed_file() else {
        return Ok(Err("a name that no segment has".to_owned()));
    };
    let input = match workspace.open_input(file) {
        Ok(Opened::File(input)) => input,
        Ok(Opened::Absent) => return Ok(Err("no such file".to_owned())),
        Err(error) if error.code == Code::FileUnreadable => return Err(error),
        Err(error) => return Ok(Err(told(&error))),
    };
    let expected = segment
        .packed
        .map_or(segment.sha256, |Packed { sha256, .. }| sha256);
    Ok(is_it(&input, expected)?.map(|()| input))
}

fn is_it(input: &InputFile, expected: Digest) -> Checked<Result<(), String>> {
    let found = digest_of(input)?;
    Ok(if found == expected {
        Ok(())
    } else {
        Err(format!("the SHA-256 {}", found.short()))
    })
}

fn told(error: &Diagnostic) -> String {
    error.found.clone().unwrap_or_else(|| error.message.clone())
}
