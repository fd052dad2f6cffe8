//! SecurityPolicies as a layer of the answer to a request: compiled once, then asked.
//!
//! [`compile`] makes [`Compiled`] of texts, [`load`] of the files below `policy/security/`;
//! [`Compiled::judge`] answers. Inside the layer any deny wins and one allow suffices, whatever the
//! document; what is in scope and allowed by nothing is denied (rows S1-040 to S1-049, C-17, C-19).
//! How a document is read stands in `crate::policy::catalogue`, the language of its conditions in
//! `crate::policy::expression::condition`, all of it for whoever writes rules in
//! docs/requests-security.md. Apart from [`load`], nothing here opens a file.

mod built_in;
mod document;
mod given;
pub mod impact;
mod judge;
mod narrow;

use crate::diagnostic::{Code, Diagnostic, Place};
use crate::fs::Workspace;
use crate::ids::Digest;
use crate::policy::catalogue::words::Mode;
use crate::policy::directory;
use crate::policy::expression::condition::Paths;

pub use built_in::{BUILT_IN, BuiltIn};
use document::Document;
use narrow::Narrow;

/// Where the documents lie.
pub const DIRECTORY: &str = "policy/security";

/// A larger document is none.
const LIMIT: u64 = 1024 * 1024;

/// The security policies of a workspace, ready to be asked.
#[derive(Debug, Clone, Default)]
pub struct Compiled {
    paths: Paths,
    /// Sorted by name.
    documents: Vec<Document>,
    narrow: Narrow,
    /// True where some of them are on trial.
    any_on_trial: bool,
    sources: Vec<(String, Digest)>,
    members: Vec<String>,
    warnings: Vec<Diagnostic>,
}

impl Compiled {
    /// The file and the digest of every document, sorted by file.
    pub fn sources(&self) -> &[(String, Digest)] {
        &self.sources
    }

    /// The top-level members of a request that some document reads, sorted.
    pub fn members(&self) -> &[String] {
        &self.members
    }

    /// What is odd about the documents, and keeps none from being used.
    pub fn warnings(&self) -> &[Diagnostic] {
        &self.warnings
    }

    /// True where there is no document at all: no request concerns this layer then.
    pub fn is_empty(&self) -> bool {
        self.documents.is_empty()
    }
}

/// Compiles documents, each a file name and its bytes. Their order does not matter.
///
/// Fails with every problem of every document: one that can't be used may be the one that denies.
pub fn compile(documents: &[(&str, &[u8])]) -> Result<Compiled, Vec<Diagnostic>> {
    let mut paths = Paths::default();
    let mut compiled = Vec::new();
    let mut problems = Vec::new();
    let mut warnings = Vec::new();
    let mut sorted = documents.to_vec();
    sorted.sort_unstable();
    for (file, bytes) in &sorted {
        match document::compile(file, bytes, &mut paths) {
            Ok((document, odd)) => {
                warnings.extend(odd);
                compiled.push(document);
            }
            Err(found) => problems.extend(found),
        }
    }
    compiled.sort_by(|one, other| (&one.name, &one.file).cmp(&(&other.name, &other.file)));
    problems.extend(names_twice(&compiled));
    if !problems.is_empty() {
        return Err(problems);
    }
    let members = paths.roots().map(str::to_owned).collect();
    let source = |(file, bytes): &(&str, &[u8])| ((*file).to_owned(), Digest::of(bytes));
    Ok(Compiled {
        paths,
        narrow: Narrow::of(&compiled),
        any_on_trial: compiled.iter().any(|one| one.mode != Mode::Strict),
        documents: compiled,
        sources: sorted.iter().map(source).collect(),
        members,
        warnings,
    })
}

fn names_twice(documents: &[Document]) -> Vec<Diagnostic> {
    let neighbours = documents.windows(2);
    let twice = neighbours.filter_map(|pair| match pair {
        [one, other] if one.name == other.name => Some((one, other)),
        _ => None,
    });
    twice
        .map(|(one, other)| {
            Diagnostic::new(
                Code::NameDuplicate,
                Place::file(&other.file),
                format!("two documents are called `{}`", other.name),
            )
            .found(format!("the name of {} again", one.file))
            .expected("a `metadata.name` of its own for each document")
            .help("rename one, or remove it if it is a copy")
        })
        .collect()
}

/// Reads and compiles the documents in [`DIRECTORY`]; none where there is no such directory.
///
/// Fails with every problem. A link is followed inside the workspace only.
pub fn load(workspace: &Workspace) -> Result<Compiled, Vec<Diagnostic>> {
    directory::load(workspace, &[DIRECTORY], LIMIT, |documents| {
        let texts = documents.iter();
        let texts: Vec<(&str, &[u8])> = texts
            .map(|(file, bytes)| (file.as_str(), bytes.as_slice()))
            .collect();
        compile(&texts)
    })
}

#[cfg(test)]
mod tests;
