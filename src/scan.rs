//! The scan for secrets: which files of a workspace are looked at, and what is found in them.
//!
//! What a secret is, and which findings are allowed, is said in [`crate::privacy`].

mod files;

use crate::diagnostic::{Checked, Code, Diagnostic, Place};
use crate::fs::Workspace;
use crate::fs::read::read_own;
use crate::privacy::allowed::{self, Allowance};
use crate::privacy::lines::{self, Leak};

/// The list of findings that somebody looked at.
pub const ALLOWED: &str = "policy/secret-scan-allow";

/// A longer list is none.
const LIST_LIMIT: u64 = 1024 * 1024;

/// What is looked at.
#[derive(Debug, Clone, Copy)]
pub struct Selection<'a> {
    /// What the next commit of git would hold that the last one does not.
    pub staged: bool,
    /// Files and directories, relative to the workspace; none for all.
    pub paths: &'a [String],
}

/// A secret in a file.
#[derive(Debug, Clone)]
pub struct Finding {
    /// The file, relative to the workspace.
    pub file: String,
    /// Where in it, and what.
    pub leak: Leak,
}

/// What came of a scan.
#[derive(Debug, Default)]
pub struct Scan {
    /// How many files were looked at.
    pub files: u64,
    /// How many bytes they hold.
    pub bytes: u64,
    /// What is not allowed.
    pub findings: Vec<Finding>,
    /// How many findings are.
    pub allowed: u64,
    /// Files that could not be looked at.
    pub problems: Vec<Diagnostic>,
    /// Allowances that nobody needs any more.
    pub remarks: Vec<Diagnostic>,
}

impl Scan {
    /// True where all was looked at and nothing was found.
    pub fn is_clean(&self) -> bool {
        self.findings.is_empty() && self.problems.is_empty()
    }
}

/// Looks for secrets in files of the workspace.
pub fn secrets(workspace: &Workspace, selection: Selection<'_>) -> Checked<Scan> {
    let allowances = allowances(workspace)?;
    let mut used = vec![false; allowances.len()];
    let mut scan = Scan::default();
    files::visit(workspace, selection, &mut |file, bytes| match bytes {
        Ok(bytes) => {
            scan.files += 1;
            scan.bytes += bytes.len() as u64;
            for leak in lines::secrets(&bytes) {
                let covers = |allowance: &Allowance| allowance.covers(file, &leak);
                match allowances.iter().position(covers) {
                    Some(index) => {
                        scan.allowed += 1;
                        used.iter_mut()
                            .skip(index)
                            .take(1)
                            .for_each(|used| *used = true);
                    }
                    None => scan.findings.push(Finding {
                        file: file.to_owned(),
                        leak,
                    }),
                }
            }
        }
        Err(problem) => scan.problems.push(*problem),
    })?;
    if !selection.staged && selection.paths.is_empty() {
        let unused = allowances.iter().zip(used).filter(|(_, used)| !used);
        scan.remarks = unused.map(|(allowance, _)| is_unused(allowance)).collect();
    }
    Ok(scan)
}

fn allowances(workspace: &Workspace) -> Checked<Vec<Allowance>> {
    let Some(bytes) = read_own(workspace, ALLOWED, LIST_LIMIT)? else {
        return Ok(Vec::new());
    };
    allowed::parse(&String::from_utf8_lossy(&bytes)).map_err(|problems| {
        let first = problems.first();
        let line = first.map_or(1, |problem| problem.line);
        let diagnostic = Diagnostic::new(
            Code::AllowanceInvalid,
            Place::line(ALLOWED, line),
            "an allowance can't be read",
        );
        let more = problems.len().saturating_sub(1);
        Box::new(
            diagnostic
                .found(format!("a line of another form, and {more} more"))
                .expected(first.map_or("a line", |problem| problem.expected))
                .help("write `<SHA-256 of the line> <rule> <file> # <why>`, as `scan secrets` prints it"),
        )
    })
}

fn is_unused(allowance: &Allowance) -> Diagnostic {
    Diagnostic::new(
        Code::AllowanceUnused,
        Place::line(ALLOWED, allowance.line),
        "an allowance allows nothing",
    )
    .found(format!("`{}` has no such line any more", allowance.file))
    .expected("a line of a finding")
    .help("remove it")
}
