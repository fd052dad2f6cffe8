//! The policy document of a workspace: which file it is, and which of the two forms it has.
//!
//! `policy/policy.yaml` (or `.yml`, `.json`) is the large form, read by [`super::orchestration`];
//! `policy/policy_thresholds.json` is the small one, read by [`super::thresholds`]. Where more than
//! one stands there, nobody can say which one was meant: the policy is refused. A refused document
//! yields a policy that calls nothing healthy.

use super::outline::Outline;
use super::{Policy, orchestration, thresholds};
use crate::diagnostic::{Checked, Code, Diagnostic, Place};
use crate::fs::{Opened, Workspace};

pub use super::thresholds::reference;

/// The reference policy as a document of the large form, with comments for whoever starts from it.
pub const TEMPLATE: &str = include_str!("reference.yaml");

/// Where a document of the small form stands, relative to the workspace.
pub const SMALL_FORM: &str = thresholds::FILE;

/// Where a document may stand, relative to the workspace; the first is where one is written.
pub const FILES: [&str; 4] = [
    "policy/policy.yaml",
    "policy/policy.yml",
    "policy/policy.json",
    thresholds::FILE,
];

/// The directory that all of them are in.
const DIRECTORY: &str = "policy";

/// A document larger than this is none.
pub const LIMIT: u64 = 256 * 1024;

/// The policy in force and, where its document was refused, why.
#[derive(Debug, Clone)]
pub struct Loaded {
    /// What decides.
    pub policy: Policy,
    /// The file that it came from; `None` for the reference policy.
    pub file: Option<&'static str>,
    /// Everything that is wrong with the document; empty for one that was accepted.
    pub problems: Vec<Diagnostic>,
}

/// A document that stands in a workspace, with its bytes where they can be read.
#[derive(Debug, Clone)]
pub struct Standing {
    /// Where, one of [`FILES`].
    pub file: &'static str,
    /// Its bytes.
    pub bytes: Checked<Vec<u8>>,
}

/// The documents of a workspace; more than one are too many.
pub fn find(workspace: &Workspace) -> Vec<Standing> {
    let mut found = Vec::new();
    if workspace.lacks(DIRECTORY) {
        return found;
    }
    for file in FILES {
        let bytes = match workspace.open_input(file) {
            Ok(Opened::Absent) => continue,
            Ok(Opened::File(open)) => open.read_whole(LIMIT),
            Err(error) => Err(error),
        };
        found.push(Standing { file, bytes });
    }
    found
}

/// What is to be said where more than one document stands there.
pub fn ambiguity(found: &[Standing]) -> Option<Diagnostic> {
    match found {
        [one, other, ..] => Some(ambiguous(one.file, other.file)),
        _ => None,
    }
}

/// Reads the policy of a workspace: its document, or the reference policy where there is none.
pub fn load(workspace: &Workspace) -> Loaded {
    let mut found = find(workspace);
    if let (Some(ambiguous), Some(one)) = (ambiguity(&found), found.first()) {
        return refuse_unread(one.file, ambiguous);
    }
    let Some(Standing { file, bytes }) = found.pop() else {
        return built_in();
    };
    match bytes {
        Ok(bytes) => match parse(file, &bytes) {
            Ok(policy) => Loaded {
                policy,
                file: Some(file),
                problems: Vec::new(),
            },
            Err(problems) => refuse(file, bytes, problems),
        },
        Err(error) => refuse_unread(file, *error),
    }
}

fn built_in() -> Loaded {
    Loaded {
        policy: reference(),
        file: None,
        problems: Vec::new(),
    }
}

/// Parses and checks a document of either form. `file` is named in the findings.
pub fn parse(file: &str, bytes: &[u8]) -> Result<Policy, Vec<Diagnostic>> {
    parse_with_places(file, bytes).map(|(policy, _)| policy)
}

/// As [`parse`], with the places at which the document says what.
pub fn parse_with_places(file: &str, bytes: &[u8]) -> Result<(Policy, Outline), Vec<Diagnostic>> {
    let extension = file.rsplit_once('.').map_or("", |(_, extension)| extension);
    let is_yaml = match extension {
        "yaml" | "yml" => true,
        "json" => false,
        _ => !looks_like_json(bytes),
    };
    if is_yaml || is_large_form(bytes) {
        orchestration::parse(file, bytes)
    } else {
        thresholds::parse(file, bytes)
    }
}

/// Makes a policy of a document that a journal line names by its digest. Where it is one that is
/// refused, the policy is the one that refused documents give.
pub fn from_kept(bytes: &[u8]) -> Policy {
    if let Some(reference) = thresholds::kept_reference(bytes) {
        return reference;
    }
    let parsed = if looks_like_json(bytes) && !is_large_form(bytes) {
        thresholds::parse(thresholds::FILE, bytes)
    } else {
        orchestration::parse(FILES[0], bytes)
    };
    parsed.map_or_else(
        |_| thresholds::refused(bytes.to_vec()),
        |(policy, _)| policy,
    )
}

fn looks_like_json(bytes: &[u8]) -> bool {
    let bare = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    bare.trim_ascii_start().starts_with(b"{")
}

/// True for a JSON document that says of itself which kind it is; the small form never does.
fn is_large_form(bytes: &[u8]) -> bool {
    let names = [b"apiVersion".as_slice(), b"\"kind\"", b"\"spec\""];
    names
        .iter()
        .any(|name| memchr::memmem::find(bytes, name).is_some())
}

fn refuse(file: &'static str, document: Vec<u8>, problems: Vec<Diagnostic>) -> Loaded {
    Loaded {
        policy: thresholds::refused(document),
        file: Some(file),
        problems,
    }
}

/// There are no bytes that alone are to blame: what is kept in their place says why, and is no
/// document that could decide again to another end.
fn refuse_unread(file: &'static str, problem: Diagnostic) -> Loaded {
    refuse(file, format!("{problem}\n").into_bytes(), vec![problem])
}

fn ambiguous(one: &str, other: &str) -> Diagnostic {
    Diagnostic::new(
        Code::PolicyAmbiguous,
        Place::file(one),
        "there are two policy documents, and nobody can say which one decides",
    )
    .found(format!("{one} and {other}"))
    .expected("one of them")
    .help(format!(
        "compare them with `policy-orchestrator policy diff {other} {one}`, then remove one"
    ))
}
