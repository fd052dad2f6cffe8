//! What a scan for secrets found, for a person and as JSON. No secret is in either.

use std::fmt::Write as _;

use serde::Serialize;

use super::Paint;
use crate::diagnostic::{Diagnostic, readable};
use crate::ids::Digest;
use crate::scan::{Finding, Scan};

/// The JSON shape of a scan.
#[derive(Debug, Serialize)]
pub struct Shape<'s> {
    schema: u32,
    files: u64,
    bytes: u64,
    allowed: u64,
    findings: Vec<Found<'s>>,
    problems: &'s [Diagnostic],
    remarks: &'s [Diagnostic],
}

#[derive(Debug, Serialize)]
struct Found<'s> {
    file: &'s str,
    line: u64,
    rule: &'static str,
    meaning: &'static str,
    text: &'s str,
    line_sha256: &'s Digest,
}

/// A scan as JSON.
pub fn shape(scan: &Scan) -> Shape<'_> {
    let found = scan.findings.iter().map(|Finding { file, leak }| Found {
        file,
        line: leak.line,
        rule: leak.rule.as_str(),
        meaning: leak.rule.meaning(),
        text: &leak.text,
        line_sha256: &leak.digest,
    });
    Shape {
        schema: 1,
        files: scan.files,
        bytes: scan.bytes,
        allowed: scan.allowed,
        findings: found.collect(),
        problems: &scan.problems,
        remarks: &scan.remarks,
    }
}

/// The longest line that is shown, in characters.
const SHOWN: usize = 200;

/// A scan for a person.
pub fn human(scan: &Scan, paint: Paint) -> String {
    let mut text = String::new();
    for Finding { file, leak } in &scan.findings {
        let file = readable(file, SHOWN);
        let rule = paint.error(leak.rule.as_str());
        let meaning = leak.rule.meaning();
        let _ = writeln!(text, "{file}:{}: {rule}: {meaning}", leak.line);
        let _ = writeln!(text, "    {}", readable(&leak.text, SHOWN));
        let allow = format!("{} {} {file} # why", leak.digest, leak.rule.as_str());
        let _ = writeln!(text, "    {}: {allow}\n", paint.dim("to allow it"));
    }
    let found = match scan.findings.len() {
        0 => "no secrets".to_owned(),
        1 => "1 secret".to_owned(),
        many => format!("{many} secrets"),
    };
    let (files, allowed) = (scan.files, scan.allowed);
    let _ = writeln!(text, "{found} in {files} files; {allowed} allowed");
    text
}
