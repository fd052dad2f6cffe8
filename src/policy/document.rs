//! The policy document of a workspace: which file it is, and which of the two forms it has.
//!
//! `policy/policy.yaml` (or `.yml`, `.json`) is the large form, read by [`super::orchestration`];
//! `policy/policy_thresholds.json` is the small one, read by [`super::thresholds`]. Where more than
//! one stands there, nobody can say which one was meant: the policy is refused. A refused document
//! yields a policy that calls nothing healthy.

use super::{Policy, orchestration, thresholds};
use crate::diagnostic::{Checked, Code, Diagnostic, Place};
use crate::fs::{Opened, Workspace};

pub use super::thresholds::reference;

/// The reference policy as a document of the large form, with comments for whoever starts from it.
pub const TEMPLATE: &str = include_str!("reference.yaml");

/// Where a document may stand, relative to the workspace; the first is where one is written.
pub const FILES: [&str; 4] = [
    "policy/policy.yaml",
    "policy/policy.yml",
    "policy/policy.json",
    thresholds::FILE,
];

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

/// Reads the policy of a workspace: its document, or the reference policy where there is none.
pub fn load(workspace: &Workspace) -> Loaded {
    let mut found: Vec<(&'static str, Checked<Vec<u8>>)> = Vec::new();
    for file in FILES {
        let bytes = match workspace.open_input(file) {
            Ok(Opened::Absent) => continue,
            Ok(Opened::File(open)) => open.read_whole(LIMIT),
            Err(error) => Err(error),
        };
        found.push((file, bytes));
    }
    if let [(one, bytes), (other, _), ..] = found.as_slice() {
        let bytes = bytes.clone().unwrap_or_default();
        return refuse(one, bytes, vec![ambiguous(one, other)]);
    }
    let Some((file, bytes)) = found.pop() else {
        return Loaded {
            policy: reference(),
            file: None,
            problems: Vec::new(),
        };
    };
    match bytes {
        Ok(bytes) => match parse_deciding(file, &bytes) {
            Ok(policy) => Loaded {
                policy,
                file: Some(file),
                problems: Vec::new(),
            },
            Err(problems) => refuse(file, bytes, problems),
        },
        Err(error) => {
            // There are no bytes to keep; what stands in for them says why.
            let document = format!("{}\n", *error);
            refuse(file, document.into_bytes(), vec![*error])
        }
    }
}

/// Parses and checks a document of either form. `file` is named in the findings.
pub fn parse(file: &str, bytes: &[u8]) -> Result<Policy, Vec<Diagnostic>> {
    let extension = file.rsplit_once('.').map_or("", |(_, extension)| extension);
    if matches!(extension, "yaml" | "yml") || is_large_form(bytes) {
        orchestration::parse(file, bytes)
    } else {
        thresholds::parse(file, bytes)
    }
}

/// Parses a document that stands where one decides. Under the name of the large form it may be one of
/// the small form for a moment: the switch to another version gives it that name first, so that
/// there are never two documents and never none (`lifecycle::switch`).
fn parse_deciding(file: &str, bytes: &[u8]) -> Result<Policy, Vec<Diagnostic>> {
    let parsed = parse(file, bytes);
    let may_be_small =
        file == FILES[0] && parsed.is_err() && looks_like_json(bytes) && !is_large_form(bytes);
    if may_be_small && bytes.contains(&b'"') {
        return thresholds::parse(file, bytes).or(parsed);
    }
    parsed
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
    parsed.unwrap_or_else(|_| thresholds::refused(bytes.to_vec()))
}

fn looks_like_json(bytes: &[u8]) -> bool {
    let bare = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    bare.trim_ascii_start().starts_with(b"{")
}

/// True for a JSON document that says of itself which kind it is; the small form never does.
fn is_large_form(bytes: &[u8]) -> bool {
    let names = [b"\"apiVersion\"".as_slice(), b"\"kind\"", b"\"spec\""];
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
