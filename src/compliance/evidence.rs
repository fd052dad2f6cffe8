//! Evidence that people declare: `policy/evidence.yaml`, with the artefact, its digest, its term and
//! who answers for it; and for which purposes which data are needed.
//!
//! The document is read whole: one with a problem is not used. What stands in a file of the workspace
//! is held against its digest; an address is never fetched.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use crate::diagnostic::{Code, Diagnostic, Place};
use crate::fs::Workspace;
use crate::fs::read::read_own;
use crate::fs::tree::{self, Standing};
use crate::ids::Digest;
use crate::policy::source::Spot;
use crate::policy::source::collect::{self, Field, List};
use crate::policy::source::problems::Problems;
use crate::time::Timestamp;

/// The document, relative to the workspace.
pub const FILE: &str = "policy/evidence.yaml";

/// A larger document is none.
const LIMIT: u64 = 256 * 1024;

const HELP: &str = "mend the document; nothing of one that has a problem is used";

/// What people declare.
#[derive(Debug, Clone, Default)]
pub struct Evidence {
    /// In the order of the document.
    pub declared: Vec<Declared>,
    /// The stated purposes; `None` where none are stated, so that no use can be held against them.
    pub purposes: Option<Vec<Purpose>>,
}

/// One piece of evidence.
#[derive(Debug, Clone)]
pub struct Declared {
    /// For which control.
    pub control: String,
    /// What it is.
    pub artefact: Artefact,
    /// Until when it counts.
    pub valid_until: Timestamp,
    /// When somebody has to look again, where that is said.
    pub review_by: Option<Timestamp>,
    /// Who answers for it.
    pub owner: String,
    /// Where it stands.
    pub place: Place,
}

/// What a piece of evidence is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Artefact {
    /// A file of the workspace.
    File {
        /// Its path.
        path: String,
        /// The SHA-256 that it was declared with.
        sha256: Digest,
    },
    /// Something elsewhere.
    Address {
        /// Where.
        url: String,
        /// The SHA-256 that it was declared with.
        sha256: Digest,
    },
    /// The control does not apply.
    NotApplicable {
        /// Why not.
        reason: String,
    },
}

/// A purpose with the data that it needs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Purpose {
    /// Its name.
    pub name: String,
    /// The fields that it needs.
    pub fields: BTreeSet<String>,
}

/// What came of looking at an artefact.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "artefact", rename_all = "snake_case")]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub enum Looked {
    /// The file has the declared digest.
    Verified,
    /// It has another one.
    Differs {
        /// Which.
        #[cfg_attr(test, schemars(with = "String"))]
        found: Digest,
    },
    /// No such file.
    Gone,
    /// It can't be read.
    Unreadable {
        /// Why.
        why: String,
    },
    /// It is elsewhere, and nobody looked.
    NotFetched,
    /// There is none: the control does not apply.
    None,
}

/// What is declared: the artefact, its term, and who answers for it.
#[derive(Debug, Default, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[cfg_attr(test, schemars(deny_unknown_fields, extend("required" = ["schema"])))]
#[serde(default, rename = "ComplianceEvidence")]
struct Raw {
    /// The version of this format: 1.
    #[cfg_attr(test, schemars(extend("const" = 1)))]
    schema: Field<f64>,
    /// The pieces of evidence.
    evidence: List<RawDeclared>,
    /// The purposes for which data may be used; with them every recorded use is held against them.
    purposes: List<RawPurpose>,
}

/// A piece of evidence: one of `path`, `url` and `not_applicable`.
#[derive(Debug, Default, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[cfg_attr(test, schemars(deny_unknown_fields, extend("required" = ["control", "valid_until", "owner"])))]
#[serde(default)]
struct RawDeclared {
    /// The control: an automation that a compliance document names, or the name of a policy in one.
    control: Field<String>,
    /// A file of the workspace, held against `sha256`.
    path: Field<String>,
    /// An address; it is shown and never fetched.
    url: Field<String>,
    /// The SHA-256 of the artefact, 64 lower-case digits.
    sha256: Field<String>,
    /// Why the control does not apply here.
    not_applicable: Field<String>,
    /// The last day, or the time, until which it counts.
    valid_until: Field<String>,
    /// The last day on which somebody looks at it again.
    review_by: Field<String>,
    /// Who answers for it.
    owner: Field<String>,
}

/// A stated purpose.
#[derive(Debug, Default, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[cfg_attr(test, schemars(deny_unknown_fields, extend("required" = ["purpose", "fields"])))]
#[serde(default)]
struct RawPurpose {
    /// Its name, as those who use data give it.
    purpose: Field<String>,
    /// The fields that it needs, and no others.
    fields: List<String>,
}

/// Reads the document of a workspace; what is not there declares nothing. `known` are the controls.
pub fn load(workspace: &Workspace, known: &[&str]) -> Result<Evidence, Vec<Diagnostic>> {
    let bytes = read_own(workspace, FILE, LIMIT).map_err(|problem| vec![*problem])?;
    bytes.map_or_else(
        || Ok(Evidence::default()),
        |bytes| parse(FILE, &bytes, known),
    )
}

/// Reads a document.
pub fn parse(file: &str, bytes: &[u8], known: &[&str]) -> Result<Evidence, Vec<Diagnostic>> {
    let (raw, mut problems) = collect::document::<Raw>(file, bytes)?;
    let mut evidence = Evidence::default();
    if let Some(document) = raw.get() {
        problems.schema(&document.schema, raw.spot);
        for one in document.evidence.get().into_iter().flatten() {
            let Some(fields) = one.get() else { continue };
            let place = one.spot.place(file, &one.path);
            let declared = declared(fields, one.spot, place, known, &mut problems);
            evidence.declared.extend(declared);
        }
        if let Some(purposes) = document.purposes.get() {
            evidence.purposes = Some(self::purposes(purposes, &mut problems));
        }
    }
    if problems.is_empty() {
        Ok(evidence)
    } else {
        Err(problems.in_order())
    }
}

fn declared(
    raw: &RawDeclared,
    here: Spot,
    place: Place,
    known: &[&str],
    problems: &mut Problems<'_>,
) -> Option<Declared> {
    let control = problems
        .line(&raw.control, "control", here)
        .filter(|control| {
            let is_known = known.contains(control);
            if !is_known {
                let message = "no document asks for this control, and it is no automation either";
                problems.unknown(
                    &raw.control,
                    Code::ValueUnknown,
                    message,
                    (control, known),
                    HELP,
                );
            }
            is_known
        });
    let artefact = artefact(raw, here, problems);
    let valid_until = match problems.required(&raw.valid_until, "valid_until", here) {
        Some(_) => time(&raw.valid_until, problems),
        None => None,
    };
    let review_by = time(&raw.review_by, problems);
    let owner = problems.line(&raw.owner, "owner", here);
    Some(Declared {
        control: control?.to_owned(),
        artefact: artefact?,
        valid_until: valid_until?,
        review_by,
        owner: owner?.to_owned(),
        place,
    })
}

fn artefact(raw: &RawDeclared, here: Spot, problems: &mut Problems<'_>) -> Option<Artefact> {
    let fields = [&raw.path, &raw.url, &raw.not_applicable];
    let count = fields.iter().filter(|field| field.is_there()).count();
    if count != 1 {
        let message = "a piece of evidence is one thing";
        problems.add(here, "$", Code::KeyMissing, message, |finding| {
            finding
                .found(format!("{count} of `path`, `url` and `not_applicable`"))
                .expected("one of them")
                .help("write two pieces of evidence for two artefacts")
        });
        return None;
    }
    if raw.not_applicable.is_there() {
        if raw.sha256.is_there() {
            let message = "what does not apply has no digest";
            problems.refuse(&raw.sha256, Code::KeyUnknown, message, |finding| {
                finding
                    .found("`sha256` beside `not_applicable`")
                    .expected("`sha256` beside `path` or `url`")
                    .help("remove one of the two")
            });
        }
        let reason = problems.line(&raw.not_applicable, "not_applicable", here)?;
        return Some(Artefact::NotApplicable {
            reason: reason.to_owned(),
        });
    }
    let sha256 = digest(&raw.sha256, here, problems);
    if raw.path.is_there() {
        let path = path(&raw.path, here, problems)?.to_owned();
        return sha256.map(|sha256| Artefact::File { path, sha256 });
    }
    let url = address(&raw.url, here, problems)?.to_owned();
    sha256.map(|sha256| Artefact::Address { url, sha256 })
}

fn digest(field: &Field<String>, here: Spot, problems: &mut Problems<'_>) -> Option<Digest> {
    let text = problems.required(field, "sha256", here)?.trim();
    let digest = Digest::parse(text);
    if digest.is_none() {
        let message = "the digest can't be used";
        problems.refuse(field, Code::ValueUnknown, message, |finding| {
            finding
                .found(text)
                .expected("64 lower-case digits of a SHA-256")
                .help("`sha256sum FILE` prints it")
        });
    }
    digest
}

/// A path below the workspace, as everybody writes it.
fn path<'f>(field: &'f Field<String>, here: Spot, problems: &mut Problems<'_>) -> Option<&'f str> {
    let text = problems.line(field, "path", here)?;
    let is_plain =
        !text.starts_with('/') && text.split('/').all(|part| !["", ".", ".."].contains(&part));
    if !is_plain {
        let message = "the path can't be used";
        problems.refuse(field, Code::ValueUnknown, message, |finding| {
            finding
                .found(text)
                .expected("a path below the workspace, without `.` and `..`")
                .help("move the artefact into the workspace, or name it as `url`")
        });
    }
    is_plain.then_some(text)
}

fn address<'f>(
    field: &'f Field<String>,
    here: Spot,
    problems: &mut Problems<'_>,
) -> Option<&'f str> {
    let text = problems.line(field, "url", here)?;
    let rest = text.strip_prefix("https://");
    let fits = rest.is_some_and(|rest| !rest.is_empty() && !rest.contains([' ', '@']));
    if !fits {
        let message = "the address can't be used";
        problems.refuse(field, Code::ValueUnknown, message, |finding| {
            finding
                .found(text)
                .expected("https:// and an address without a user's name or password")
                .help("correct the address")
        });
    }
    fits.then_some(text)
}

/// A day counts to its end.
fn time(field: &Field<String>, problems: &mut Problems<'_>) -> Option<Timestamp> {
    let text = field.get()?;
    let read = Timestamp::read(text);
    if read.is_none() {
        let message = "the time can't be read";
        problems.refuse(field, Code::ValueUnknown, message, |finding| {
            finding
                .found(text)
                .expected("a day, 2027-01-31 say, or a time after RFC 3339")
                .help("correct the time")
        });
    }
    read.map(|read| {
        if read.date_only {
            read.time.next_day()
        } else {
            read.time
        }
    })
}

fn purposes(list: &[Field<RawPurpose>], problems: &mut Problems<'_>) -> Vec<Purpose> {
    let mut purposes: Vec<Purpose> = Vec::new();
    for one in list {
        let Some(raw) = one.get() else { continue };
        let name = problems.line(&raw.purpose, "purpose", one.spot);
        let fields = problems.required(&raw.fields, "fields", one.spot);
        let fields: BTreeSet<String> = fields
            .into_iter()
            .flatten()
            .filter_map(|field| problems.line(field, "fields", one.spot))
            .map(str::to_owned)
            .collect();
        let Some(name) = name else { continue };
        if purposes.iter().any(|other| other.name == name) {
            let message = "a purpose is stated once";
            problems.refuse(&raw.purpose, Code::KeyDuplicate, message, |finding| {
                finding
                    .found(format!("`{name}` twice"))
                    .expected("every purpose once: which of two lists counts is anybody's guess")
                    .help("put the fields into one list")
            });
            continue;
        }
        purposes.push(Purpose {
            name: name.to_owned(),
            fields,
        });
    }
    purposes
}

impl Artefact {
    /// Looks at it, as far as it is in the workspace.
    pub fn look(&self, workspace: &Workspace) -> Looked {
        match self {
            Self::NotApplicable { .. } => Looked::None,
            Self::Address { .. } => Looked::NotFetched,
            Self::File { path, sha256 } => match tree::look(workspace, path) {
                Standing::File { sha256: found, .. } if found == *sha256 => Looked::Verified,
                Standing::File { sha256: found, .. } => Looked::Differs { found },
                Standing::Nothing => Looked::Gone,
                Standing::Unreadable(why) => Looked::Unreadable { why },
                Standing::Directory => Looked::Unreadable {
                    why: "a directory".to_owned(),
                },
                Standing::Link(target) => Looked::Unreadable {
                    why: format!("a symbolic link to {target}"),
                },
                Standing::Other(what) => Looked::Unreadable {
                    why: what.to_owned(),
                },
            },
        }
    }

    /// Where it is.
    pub fn at(&self) -> &str {
        match self {
            Self::File { path, .. } => path,
            Self::Address { url, .. } => url,
            Self::NotApplicable { reason } => reason,
        }
    }
}

/// What is unwise about a document that can be used.
pub fn lint(evidence: &Evidence, at: Timestamp) -> Vec<Diagnostic> {
    let mut found = Vec::new();
    let unwise = |place: &Place, message: &str| {
        Diagnostic::new(Code::EvidenceUnwise, place.clone(), message)
    };
    for one in &evidence.declared {
        if one.valid_until <= at {
            found.push(
                unwise(
                    &one.place,
                    "this evidence has run out, so it counts for nothing",
                )
                .found(one.valid_until.human())
                .expected(format!("a time after {}", at.human()))
                .help("renew the artefact, or remove the entry"),
            );
        } else if at
            .plus_months(MOST_MONTHS)
            .is_some_and(|most| one.valid_until > most)
        {
            found.push(
                unwise(
                    &one.place,
                    "this evidence is to count for more than two years",
                )
                .found(one.valid_until.human())
                .expected("at most two years: what is older than that shows how things were")
                .help("shorten the term, or set `review_by`"),
            );
        }
        if one.review_by.is_some_and(|by| by <= at) {
            found.push(
                unwise(
                    &one.place,
                    "somebody was to look at this evidence again, and its time is over",
                )
                .found(one.review_by.map_or_else(String::new, Timestamp::human))
                .expected("a review before that")
                .help(format!(
                    "{} looks at it, and sets the next `review_by`",
                    one.owner
                )),
            );
        }
    }
    found
}

/// A longer term is unwise.
const MOST_MONTHS: u32 = 24;

#[cfg(test)]
mod tests {
    use super::*;

    const KNOWN: [&str; 2] = ["mfa_enforcement", "encryption_enforcement"];

    fn problems(text: &str) -> Vec<String> {
        let problems = parse(FILE, text.as_bytes(), &KNOWN).unwrap_err();
        problems.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn every_problem_has_its_place() {
        let text = "schema: 2\nevidence:\n  - control: mfa_enforcment\n    path: ../x\n    sha256: abc\n    valid_until: soon\n  - control: mfa_enforcement\n    path: a\n    url: https://x\n    owner: Ana\n    valid_until: 2027-01-01\npurposes:\n  - {purpose: a, fields: []}\n  - {purpose: a, fields: [x]}\n";
        let found = problems(text);
        let expected = [
            ("VALUE_RANGE", ":1:"),
            ("VALUE_UNKNOWN", ":3:"),
            ("KEY_MISSING", ":3:"),
            ("VALUE_UNKNOWN", ":4:"),
            ("VALUE_UNKNOWN", ":5:"),
            ("VALUE_UNKNOWN", ":6:"),
            ("KEY_MISSING", ":7:"),
            ("KEY_DUPLICATE", ":14:"),
        ];
        assert_eq!(found.len(), expected.len(), "{found:#?}");
        for (code, line) in expected {
            let is_it = |found: &String| found.starts_with(code) && found.contains(line);
            assert!(found.iter().any(is_it), "{code} {line}: {found:#?}");
        }
    }

    #[test]
    fn a_day_counts_to_its_end() {
        let text = format!(
            "schema: 1\nevidence:\n  - {{control: mfa_enforcement, url: 'https://x.test/a', sha256: {}, owner: Ana, valid_until: 2026-01-31}}\n",
            Digest::of(b"")
        );
        let evidence = parse(FILE, text.as_bytes(), &KNOWN).unwrap();
        let until = evidence.declared.first().unwrap().valid_until;
        assert_eq!(until.to_string(), "2026-02-01T00:00:00+00:00");
        assert!(evidence.purposes.is_none());
        let at = |text: &str| Timestamp::read(text).unwrap().time;
        assert_eq!(lint(&evidence, at("2026-01-31T12:00:00Z")).len(), 0);
        assert_eq!(lint(&evidence, at("2026-02-01")).len(), 1);
        assert_eq!(lint(&evidence, at("2023-02-01")).len(), 1);
    }

    #[test]
    fn only_https_without_a_password_is_an_address() {
        let with = |url: &str| {
            format!(
                "schema: 1\nevidence:\n  - {{control: mfa_enforcement, url: '{url}', sha256: {}, owner: Ana, valid_until: 2026-01-31}}\n",
                Digest::of(b"")
            )
        };
        for url in ["http://x", "https://", "https://a:b@x", "x", "https://a b"] {
            assert_eq!(problems(&with(url)).len(), 1, "{url}");
        }
    }

    /// The schema's copy for editors, beside the documents.
    const SCHEMA_FILE: &str = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/policy/schema/evidence.v1.schema.json"
    );

    #[test]
    fn the_schema_is_the_one_that_the_types_give() {
        crate::compliance::tests::holds_schema::<Raw>(SCHEMA_FILE);
    }
}
