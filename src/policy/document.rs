//! The policy document of a workspace: which file it is, and which of the two forms it has.
//!
//! `policy/policy.yaml` (or `.yml`, `.json`) is meant for the large form, read by
//! [`super::orchestration`]; `policy/policy_thresholds.json` for the small one, read by
//! [`super::thresholds`]. Which one a document has, its bytes alone say, so that bytes that were kept
//! decide as the file did. Where more than one stands there, nobody can say which one was meant: the
//! policy is refused. A refused document yields a policy that calls nothing healthy.

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
    if let [
        Standing {
            bytes: Err(first), ..
        },
        ..,
    ] = found.as_slice()
        && !workspace.path(DIRECTORY).is_dir()
    {
        return vec![instead(Box::new(no_directory(first)))];
    }
    if found.is_empty() {
        found.extend(neighbour(workspace).map(instead));
    }
    found
}

/// A finding in the place of the document.
fn instead(problem: Box<Diagnostic>) -> Standing {
    Standing {
        file: FILES[0],
        bytes: Err(problem),
    }
}

/// What stands where the directory belongs hides each document that may be meant.
fn no_directory(first: &Diagnostic) -> Diagnostic {
    Diagnostic::new(
        first.code,
        Place::file(DIRECTORY),
        "this is no directory, so no policy document can be found in it",
    )
    .found(first.found.clone().unwrap_or_default())
    .expected("a directory with the policy document, or nothing")
    .help("move it away, or remove it to use the reference policy")
}

/// A file that is meant for the document but has another name than is read, where none is there
/// that is: the reference policy would decide in its stead without a word.
fn neighbour(workspace: &Workspace) -> Option<Box<Diagnostic>> {
    let names = match workspace.list(DIRECTORY) {
        Ok(names) => names,
        Err(error) => return Some(error),
    };
    let (name, meant) = names
        .iter()
        .find_map(|name| Some((name, meant_by(name)?)))?;
    let file = format!("{DIRECTORY}/{name}");
    Some(Box::new(
        Diagnostic::new(
            Code::PolicyAmbiguous,
            Place::file(&file),
            "this is named almost like a policy document, and would not be read",
        )
        .found(format!("`{file}`"))
        .expected(format!("`{meant}`"))
        .help(format!(
            "rename it to {meant}, or give it quite another name to use the reference policy"
        )),
    ))
}

/// The document that a file of that name in the directory is meant for; `None` for a file that has
/// nothing to do with it.
fn meant_by(name: &str) -> Option<&'static str> {
    /// With other endings of files that hold JSON; YAML has no other.
    const ALIKE: [&str; 3] = ["policy.jsonc", "policy.json5", "policy.hjson"];
    let lower = name.to_lowercase();
    if ALIKE.contains(&lower.as_str()) {
        return Some("policy/policy.json");
    }
    FILES
        .into_iter()
        .find(|file| file.rsplit('/').next() == Some(lower.as_str()))
}

/// A file at the top of the workspace that is named like a document. Nobody reads it there; whether
/// it was meant is for a person to say.
pub fn misplaced(workspace: &Workspace) -> Option<Diagnostic> {
    let names = FILES.map(|file| file.rsplit('/').next().unwrap_or(file));
    let (name, file) = names
        .into_iter()
        .zip(FILES)
        .find(|(name, _)| workspace.path(name).is_file())?;
    Some(
        Diagnostic::new(
            Code::PolicyMisplaced,
            Place::file(name),
            "this is named like a policy document, and is not read here",
        )
        .found(format!("`{name}`, and the reference policy decides"))
        .expected(format!("`{file}`"))
        .help(format!(
            "move it to {file}, or leave it if it is something else"
        )),
    )
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
    if is_small_form(bytes) {
        return thresholds::parse(file, bytes);
    }
    orchestration::parse(file, bytes).map_err(|problems| {
        // The verdict stands; whose words help more, the file's name may tell.
        let is_json = file
            .rsplit_once('.')
            .is_some_and(|(_, extension)| extension == "json");
        if is_json && memchr::memmem::find(bytes, b"apiVersion").is_none() {
            thresholds::parse(file, bytes).err().unwrap_or(problems)
        } else {
            problems
        }
    })
}

/// Makes a policy of a document that a journal line names by its digest. Where it is one that is
/// refused, the policy is the one that refused documents give.
pub fn from_kept(bytes: &[u8]) -> Policy {
    thresholds::kept_reference(bytes).unwrap_or_else(|| {
        parse(FILES[0], bytes).unwrap_or_else(|_| thresholds::refused(bytes.to_vec()))
    })
}

/// The keys at the top of the large form; the small one has none of them.
const LARGE_KEYS: [&str; 4] = ["apiVersion", "kind", "metadata", "spec"];

/// True for a document of the small form: an object in braces, without a key of the large form at
/// its top. What is neither is refused by both.
pub fn is_small_form(bytes: &[u8]) -> bool {
    let bare = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    let Some(inside) = bare.trim_ascii_start().strip_prefix(b"{") else {
        return false;
    };
    !top_keys(inside).any(|key| LARGE_KEYS.iter().any(|large| key == large.as_bytes()))
}

/// A piece of a document in braces.
enum Token<'d> {
    /// A bracket, a comma or a colon.
    Mark(u8),
    /// A quoted text without its quotes, or a bare word.
    Word(&'d [u8]),
}

/// The keys at the top of an object, of which `inside` is what follows its brace, up to the first
/// byte that makes no sense: a document may be broken, or YAML in braces, with bare keys.
fn top_keys(inside: &[u8]) -> impl Iterator<Item = &[u8]> {
    let (mut rest, mut depth, mut key) = (inside, 1_usize, None);
    std::iter::from_fn(move || {
        loop {
            let (token, behind) = next_token(rest)?;
            rest = behind;
            match token {
                Token::Mark(b'{' | b'[') => depth += 1,
                Token::Mark(b'}' | b']') => {
                    depth = depth.checked_sub(1).filter(|depth| *depth > 0)?;
                }
                Token::Mark(b':') if depth == 1 && key.is_some() => return key.take(),
                Token::Mark(_) => key = None,
                Token::Word(word) if depth == 1 => key = Some(word),
                Token::Word(_) => {}
            }
        }
    })
}

fn next_token(bytes: &[u8]) -> Option<(Token<'_>, &[u8])> {
    let mut bytes = bytes.trim_ascii_start();
    while bytes.starts_with(b"#") {
        let end = memchr::memchr(b'\n', bytes)?;
        bytes = bytes.get(end..)?.trim_ascii_start();
    }
    let (first, behind) = bytes.split_first()?;
    match *first {
        mark @ (b'{' | b'}' | b'[' | b']' | b',' | b':') => Some((Token::Mark(mark), behind)),
        quote @ (b'"' | b'\'') => {
            let end = end_of_quoted(behind, quote)?;
            Some((Token::Word(behind.get(..end)?), behind.get(end + 1..)?))
        }
        _ => {
            let is_end = |byte: &u8| b"{}[],:".contains(byte) || byte.is_ascii_whitespace();
            let end = bytes.iter().position(is_end).unwrap_or(bytes.len());
            let (word, behind) = bytes.split_at_checked(end)?;
            Some((Token::Word(word), behind))
        }
    }
}

fn end_of_quoted(inside: &[u8], quote: u8) -> Option<usize> {
    let mut is_escaped = false;
    inside.iter().position(|byte| {
        let is_end = *byte == quote && !is_escaped;
        is_escaped = quote == b'"' && *byte == b'\\' && !is_escaped;
        is_end
    })
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

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const LARGE: &str = r#"{apiVersion: policy.orchestra.v1, kind: "OrchestrationPolicy", metadata: {name: a, version: "1"}, spec: {signals: [{name: trust}], triggers: [{code: A, signal: trust, level: RED, equals: locked}]}}"#;

    #[test]
    fn the_form_is_what_stands_at_the_top() {
        let small = [
            "{}",
            r#"{"name": "kind"}"#,
            r#"{"name": "\"kind\": {\"spec\""}"#,
            r#"{"description": {"kind": 1, "x": ["spec"]}, "red_integrity": 80}"#,
            r#" {"red_integrity": "#,
            r#"{"name": "}", "version": "{"}"#,
            "\u{feff}{ \"red_integrity\": 80 }",
        ];
        for text in small {
            assert!(is_small_form(text.as_bytes()), "{text}");
        }
        let large = [
            "",
            "red_integrity: 80",
            r#"{"name": "x", "kind": 1}"#,
            r#"{"a": {"b": [1]}, "spec": {}}"#,
            r#"{"a": "{", 'b': '[', "c": "\\", "spec": {}}"#,
            "{ # {\n apiVersion: x}",
            LARGE,
            TEMPLATE,
        ];
        for text in large {
            assert!(!is_small_form(text.as_bytes()), "{text}");
        }
        assert!(parse(SMALL_FORM, br#"{"name": "kind"}"#).is_ok());
        assert!(parse(SMALL_FORM, LARGE.as_bytes()).is_ok());
    }

    /// Texts of both forms, broken ones, and neither.
    fn documents() -> impl Strategy<Value = String> {
        let whole = prop::sample::select(vec![
            "{}",
            "",
            "[]",
            "red_integrity: 80",
            r#"{"name": "kind"}"#,
            r#"{"red_integrity": 80}"#,
            LARGE,
            TEMPLATE,
        ]);
        let cut = (whole, any::<prop::sample::Index>(), any::<bool>());
        let cut = cut.prop_map(|(text, index, is_cut)| {
            let end = index.index(text.len() + 1);
            if is_cut {
                text[..end].to_owned()
            } else {
                text.to_owned()
            }
        });
        prop_oneof![cut, any::<String>()]
    }

    proptest! {
        #[test]
        fn kept_bytes_decide_as_the_file_did(text in documents()) {
            let kept = from_kept(text.as_bytes());
            for file in FILES {
                match parse(file, text.as_bytes()) {
                    Ok(policy) => prop_assert_eq!(&policy, &kept),
                    Err(_) => prop_assert!(kept.is_refused()),
                }
            }
        }
    }
}
