//! Labels: what a label means for whom, what has to be done with what is allowed, and what has to be
//! there before a version is promoted.
//!
//! [`vocabulary`] holds the words and the table, read from `policy/vocab`; [`judge`] answers a request by
//! it; [`obligations`] keeps obligations, or says which an export has not kept; [`rubric`] are the texts
//! that people classify by, with what the machine takes from them; [`promotion`] is the contract of seven
//! gates; [`fixtures`] hold all of that to its answers; [`hygiene`] says what has no business in `policy/`;
//! [`example`] is what `init --requests` writes. How
//! layers are joined, and the command `decide`, stand elsewhere.

mod evidence;
pub mod example;
pub mod fixtures;
pub mod hygiene;
mod judge;

pub mod obligations;
pub mod promotion;
mod reading;
pub mod rubric;
mod shape;
pub mod spdx;
pub mod vocabulary;

use crate::diagnostic::Code;
use crate::diagnostic::{Diagnostic, Place};
use crate::fs::Workspace;
use crate::fs::read::read_own;
use crate::ids::Digest;

pub use vocabulary::Labels;

/// The members of a request that this layer reads.
pub const MEMBERS: [&str; 6] = ["id", "point", "user", "action", "resource", "context"];

/// The files that the layer is made from; the built-in text counts where a workspace has none.
pub const FILES: [(&str, &str); 5] = [
    (LABELS, example::LABELS),
    (OBLIGATIONS, example::OBLIGATIONS),
    (REASON_CODES, example::REASON_CODES),
    (LICENSING, example::LICENSING),
    (SENSITIVITY, example::SENSITIVITY),
];

/// The vocabulary of labels with its table.
pub const LABELS: &str = "policy/vocab/policy_labels.v1.yml";
/// The vocabulary of obligations.
pub const OBLIGATIONS: &str = "policy/vocab/obligations.v1.yml";
/// The vocabulary of reason codes.
pub const REASON_CODES: &str = "policy/vocab/reason_codes.v1.yml";
/// How licenses are classified.
pub const LICENSING: &str = "policy/rubrics/licensing.md";
/// How sensitivity is classified.
pub const SENSITIVITY: &str = "policy/rubrics/sensitivity.md";

/// A larger file is none.
const LIMIT: u64 = 1024 * 1024;

/// Where vocabularies may stand instead (row S2-097).
const INSTEAD: &str = "configs/policy/vocab/";

/// Reads the layer of a workspace: the built-in one where it has no such files.
pub fn load(workspace: &Workspace) -> Result<Labels, Vec<Diagnostic>> {
    let mut documents = Vec::new();
    let mut problems = Vec::new();
    for (file, _) in FILES {
        match read(workspace, file) {
            Ok(found) => documents.extend(found),
            Err(found) => problems.extend(found),
        }
    }
    if !problems.is_empty() {
        return Err(problems);
    }
    Labels::compile(&documents)
}

/// The file in `policy/`, else its namesake in `configs/policy/`; both is a contradiction.
fn read(workspace: &Workspace, file: &str) -> Result<Option<(String, Vec<u8>)>, Vec<Diagnostic>> {
    let of = |name: &str| read_own(workspace, name, LIMIT).map_err(|problem| vec![*problem]);
    let here = of(file)?.map(|bytes| (file.to_owned(), bytes));
    let Some(name) = file.strip_prefix("policy/vocab/") else {
        return Ok(here);
    };
    let instead = format!("{INSTEAD}{name}");
    let there = of(&instead)?.map(|bytes| (instead.clone(), bytes));
    match (here, there) {
        (Some(_), Some(_)) => Err(vec![
            Diagnostic::new(
                Code::PolicyAmbiguous,
                Place::file(instead),
                "one vocabulary stands in two places",
            )
            .found(format!("this file and {file}"))
            .expected("one of them")
            .help("remove the one that is not meant"),
        ]),
        (here, there) => Ok(here.or(there)),
    }
}

/// Which of the layer's files a path is, wherever its directory stands.
fn kind_of(path: &str) -> Option<&'static str> {
    let (file, _) = FILES.into_iter().find(|(file, _)| {
        let name = file.rsplit('/').next().unwrap_or(file);
        path.rsplit('/').next() == Some(name)
    })?;
    Some(file)
}

/// The digest of every file, in their order.
fn sources_of(documents: &[(String, Vec<u8>)]) -> Vec<(String, Digest)> {
    let mut sources: Vec<_> = documents
        .iter()
        .map(|(file, bytes)| (file.clone(), Digest::of(bytes)))
        .collect();
    sources.sort_by(|one, other| one.0.cmp(&other.0));
    sources
}
