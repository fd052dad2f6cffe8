//! Who may approve what: `policy/approvers.yaml`, people with keys of their own.
//!
//! The list is read whole: one with a problem is not used, and then nobody can approve. Keys are
//! public, in PEM, in the list or in files of the workspace. Two people never share a key.

use serde::Deserialize;

use super::operation::Operation;
use crate::diagnostic::{Checked, Code, Diagnostic, Place};
use crate::fs::Workspace;
use crate::fs::read::read_own;
use crate::keys::VerifyingKey;
use crate::policy::source::Spot;
use crate::policy::source::checks::fits_a_line;
use crate::policy::source::collect::{self, Field, List};
use crate::policy::source::problems::Problems;
use crate::time::Timestamp;

use super::is_same_person;

/// The list, relative to the workspace.
pub const FILE: &str = "policy/approvers.yaml";

/// Where the files of keys are: protected as the list itself is.
const KEYS: &str = "policy/";

/// A larger list is none, and a larger key neither.
const LIMIT: u64 = 256 * 1024;

/// The longest name, in characters.
const NAME_LENGTH: usize = 100;

const HELP: &str = "mend the list; nobody can approve by one that has a problem";

/// What somebody may approve.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum May {
    Operation(Operation),
    Override,
    Everything,
}

impl May {
    fn parse(word: &str) -> Option<Self> {
        match word {
            "*" => Some(Self::Everything),
            "override" => Some(Self::Override),
            other => {
                let mut all = Operation::ALL.into_iter();
                all.find(|operation| operation.as_str() == other)
                    .map(Self::Operation)
            }
        }
    }
}

/// One of those who may approve.
#[derive(Debug, Clone)]
pub struct Approver {
    /// The name.
    pub name: String,
    /// The key that they sign with.
    pub key: VerifyingKey,
    may: Vec<May>,
    from: Option<Timestamp>,
    until: Option<Timestamp>,
}

impl Approver {
    /// From when on they may approve nothing any more.
    pub fn until(&self) -> Option<Timestamp> {
        self.until
    }

    fn is_listed_at(&self, at: Timestamp) -> bool {
        self.from.is_none_or(|from| from <= at) && self.until.is_none_or(|until| at < until)
    }

    /// True where they may approve this at that time.
    pub fn may(&self, operation: Operation, at: Timestamp) -> bool {
        let wanted = [May::Operation(operation), May::Everything];
        self.is_listed_at(at) && self.may.iter().any(|may| wanted.contains(may))
    }
}

/// Those who may approve, and those who have the scope `pii:read`.
#[derive(Debug, Clone, Default)]
pub struct Approvers {
    all: Vec<Approver>,
    pii_readers: Vec<String>,
}

impl Approvers {
    /// All of them, in the order of the list.
    pub fn all(&self) -> impl Iterator<Item = &Approver> {
        self.all.iter()
    }

    /// The one of that name.
    pub fn named(&self, name: &str) -> Option<&Approver> {
        self.all.iter().find(|one| is_same_person(&one.name, name))
    }

    /// Whose key it is.
    pub fn holder(&self, key: &VerifyingKey) -> Option<&Approver> {
        self.all.iter().find(|one| one.key == *key)
    }

    /// True where somebody of that name has the scope `pii:read`.
    pub fn may_read_personal_data(&self, name: &str) -> bool {
        let mut readers = self.pii_readers.iter();
        readers.any(|reader| is_same_person(reader, name))
    }

    /// True where somebody of that name may give overrides at that time.
    pub fn may_override(&self, name: &str, at: Timestamp) -> bool {
        let wanted = [May::Override, May::Everything];
        self.named(name).is_some_and(|one| {
            one.is_listed_at(at) && one.may.iter().any(|may| wanted.contains(may))
        })
    }
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Raw {
    schema: Field<f64>,
    approvers: List<RawApprover>,
    scopes: Field<RawScopes>,
}

/// Who has a scope, by name. A scope gives nothing alone: an approval is needed beside it.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct RawScopes {
    #[serde(rename = "pii:read")]
    pii_read: List<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct RawApprover {
    name: Field<String>,
    key: Field<String>,
    key_file: Field<String>,
    may: List<String>,
    from: Field<String>,
    until: Field<String>,
}

/// Reads the list; `None` where there is none. Fails with everything that is wrong with it.
pub fn load(workspace: &Workspace) -> Result<Option<Approvers>, Vec<Diagnostic>> {
    read(|name| read_own(workspace, name, LIMIT))
}

/// As [`load`], out of files that `file` hands out: those of another time, say.
pub fn read(
    file: impl Fn(&str) -> Checked<Option<Vec<u8>>>,
) -> Result<Option<Approvers>, Vec<Diagnostic>> {
    let bytes = file(FILE).map_err(|problem| vec![*problem])?;
    bytes.map(|bytes| parse(&bytes, file)).transpose()
}

/// The list and the files of keys that it names, as they stand: for whoever keeps copies of them.
pub fn files(workspace: &Workspace) -> Vec<(String, Vec<u8>)> {
    let files = std::cell::RefCell::new(Vec::new());
    // A list with problems names files all the same.
    let _ = read(|name| {
        let bytes = read_own(workspace, name, LIMIT)?;
        let found = bytes.iter().map(|bytes| (name.to_owned(), bytes.clone()));
        files.borrow_mut().extend(found);
        Ok(bytes)
    });
    files.into_inner()
}

/// As [`load`], where one problem is enough.
pub fn load_or_first_problem(workspace: &Workspace) -> Checked<Option<Approvers>> {
    load(workspace).map_err(first)
}

fn first(mut problems: Vec<Diagnostic>) -> Box<Diagnostic> {
    Box::new(problems.swap_remove(0))
}

/// The list, for what can't go on without one.
pub fn needed(workspace: &Workspace) -> Checked<Approvers> {
    needed_of(|name| read_own(workspace, name, LIMIT))
}

/// As [`needed`], out of files that `file` hands out.
pub fn needed_of(file: impl Fn(&str) -> Checked<Option<Vec<u8>>>) -> Checked<Approvers> {
    read(file).map_err(first)?.ok_or_else(|| {
        Box::new(
            Diagnostic::new(
                Code::ApproversUnusable,
                Place::file(FILE),
                "there is no list of approvers, so nobody can approve",
            )
            .found("no such file")
            .expected("people with names, public keys, and what they may approve")
            .help("docs/approvals.md has one to start from"),
        )
    })
}

fn parse(
    bytes: &[u8],
    key_file: impl Fn(&str) -> Checked<Option<Vec<u8>>>,
) -> Result<Approvers, Vec<Diagnostic>> {
    let (raw, mut problems) = collect::document::<Raw>(FILE, bytes)?;
    let mut approvers = Approvers::default();
    if let Some(document) = raw.get() {
        problems.schema(&document.schema, raw.spot);
        let list = problems.required(&document.approvers, "approvers", raw.spot);
        for one in list.into_iter().flatten() {
            let Some(fields) = one.get() else { continue };
            if let Some(approver) = approver(fields, one.spot, &key_file, &mut problems) {
                add(&mut approvers, approver, fields, &mut problems);
            }
        }
    }
    if let Some(scopes) = raw.get().and_then(|document| document.scopes.get()) {
        approvers.pii_readers = readers(&scopes.pii_read, &mut problems);
    }
    if problems.is_empty() {
        Ok(approvers)
    } else {
        Err(problems.in_order())
    }
}

fn readers(names: &List<String>, problems: &mut Problems<'_>) -> Vec<String> {
    let mut readers = Vec::new();
    for field in names.get().into_iter().flatten() {
        match field.get().map(|name| name.trim()) {
            Some(name) if fits_a_line(name, NAME_LENGTH) => readers.push(name.to_owned()),
            Some(name) => {
                let message = "the name of somebody with a scope can't be used";
                problems.refuse(field, Code::ValueUnknown, message, |finding| {
                    finding.found(name).expected(NAME).help(HELP)
                });
            }
            None => {}
        }
    }
    readers
}

const NAME: &str = "1 to 100 characters in a line";

fn approver(
    raw: &RawApprover,
    here: Spot,
    key_file: impl Fn(&str) -> Checked<Option<Vec<u8>>>,
    problems: &mut Problems<'_>,
) -> Option<Approver> {
    let name = problems.required(&raw.name, "name", here).and_then(|name| {
        let name = name.trim();
        let is_usable = fits_a_line(name, NAME_LENGTH);
        if !is_usable {
            let message = "the name of an approver can't be used";
            problems.refuse(&raw.name, Code::ValueUnknown, message, |finding| {
                finding.found(name).expected(NAME).help(HELP)
            });
        }
        is_usable.then(|| name.to_owned())
    });
    let key = key(raw, here, key_file, problems);
    let may = may(raw, here, problems);
    let from = time(&raw.from, problems);
    let until = time(&raw.until, problems);
    if let (Some(from), Some(until)) = (from, until)
        && until <= from
    {
        let message = "the time of an approver ends before it begins";
        problems.refuse(&raw.until, Code::ValueRange, message, |finding| {
            finding
                .found(until.to_string())
                .expected(format!("a time after {from}"))
                .help(HELP)
        });
    }
    Some(Approver {
        name: name?,
        key: key?,
        may,
        from,
        until,
    })
}

fn key(
    raw: &RawApprover,
    here: Spot,
    key_file: impl Fn(&str) -> Checked<Option<Vec<u8>>>,
    problems: &mut Problems<'_>,
) -> Option<VerifyingKey> {
    let (field, parsed) = match (&raw.key, &raw.key_file) {
        (key, file) if key.is_there() == file.is_there() => {
            let found = if key.is_there() { "both" } else { "neither" };
            let message = "an approver has one key, in the list or in a file";
            problems.add(here, "$", Code::KeyMissing, message, |finding| {
                finding
                    .found(found)
                    .expected("`key` with a public key in PEM, or `key_file` with its path")
                    .help("`policy-orchestrator keys generate --out FILE` makes a pair")
            });
            return None;
        }
        (key, file) if file.is_absent() => {
            (key, VerifyingKey::from_pem(FILE, key.get()?.as_bytes()))
        }
        (_, file) => {
            let name = file.get()?;
            let read = match key_file(name) {
                // What lies elsewhere could be changed without the list being changed.
                _ if !name.starts_with(KEYS) => Err(Box::new(Diagnostic::new(
                    Code::FileUnreadable,
                    Place::file(name),
                    format!("its file has to be below {KEYS}"),
                ))),
                Ok(Some(bytes)) => VerifyingKey::from_pem(name, &bytes),
                Ok(None) => Err(Box::new(Diagnostic::new(
                    Code::FileUnreadable,
                    Place::file(name),
                    "there is no such file",
                ))),
                Err(problem) => Err(problem),
            };
            (file, read)
        }
    };
    parsed
        .map_err(|problem| {
            let message = format!("the key of an approver can't be used: {}", problem.message);
            problems.refuse(field, Code::KeyUnusable, message, |finding| {
                let found = problem.found.unwrap_or_default();
                finding
                    .found(found)
                    .expected("a public key, Ed25519 or ECDSA P-256, in PEM")
                    .help("`policy-orchestrator keys show FILE` prints the public half of a key")
            });
        })
        .ok()
}

fn may(raw: &RawApprover, here: Spot, problems: &mut Problems<'_>) -> Vec<May> {
    let words = problems.required(&raw.may, "may", here);
    let mut all = Vec::new();
    for field in words.into_iter().flatten() {
        let Some(word) = field.get() else { continue };
        match May::parse(word.trim()) {
            Some(may) => all.push(may),
            None => {
                let message = "nobody can approve that";
                problems.refuse(field, Code::ValueUnknown, message, |finding| {
                    finding
                        .found(word)
                        .expected("apply, accept, kill_off, promote, pii_access, rotate_key, enroll, override or *")
                        .help(HELP)
                });
            }
        }
    }
    all
}

fn time(field: &Field<String>, problems: &mut Problems<'_>) -> Option<Timestamp> {
    let text = field.get()?;
    let read = Timestamp::read(text).map(|read| read.time);
    if read.is_none() {
        let message = "a time of an approver can't be read";
        problems.refuse(field, Code::ValueUnknown, message, |finding| {
            finding
                .found(text)
                .expected("a time after RFC 3339, 2026-01-31T04:45:00Z say")
                .help(HELP)
        });
    }
    read
}

/// Adds one, unless somebody before has the name or the key.
fn add(approvers: &mut Approvers, new: Approver, raw: &RawApprover, problems: &mut Problems<'_>) {
    if let Some(other) = approvers.named(&new.name) {
        let message = "an approver stands in the list twice";
        let found = other.name.clone();
        problems.refuse(&raw.name, Code::NameDuplicate, message, |finding| {
            finding
                .found(found)
                .expected("every person once")
                .help(HELP)
        });
        return;
    }
    if let Some(other) = approvers.holder(&new.key) {
        let message = "two approvers have the same key";
        let found = format!("the key of {}", other.name);
        let field = if raw.key.is_there() {
            &raw.key
        } else {
            &raw.key_file
        };
        problems.refuse(field, Code::NameDuplicate, message, |finding| {
            finding
                .found(found)
                .expected("a key of their own: who signs must be one person")
                .help("`policy-orchestrator keys generate --out FILE` makes a pair")
        });
        return;
    }
    approvers.all.push(new);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::keys::{Algorithm, PrivateKey};

    fn pem() -> String {
        PrivateKey::generate(Algorithm::Ed25519)
            .unwrap()
            .verifying()
            .to_pem()
    }

    fn indented(pem: &str) -> String {
        format!("      {}\n", pem.trim_end().replace('\n', "\n      "))
    }

    fn at(text: &str) -> Timestamp {
        Timestamp::read(text).unwrap().time
    }

    #[test]
    fn people_may_what_is_listed_and_while_it_is() {
        let list = format!(
            "schema: 1\napprovers:\n  - name: ada\n    may: [apply, override]\n    from: 2026-01-01T00:00:00Z\n    until: 2026-02-01T00:00:00Z\n    key: |\n{}  - name: bob\n    may: ['*']\n    key_file: policy/bob.pub\n",
            indented(&pem())
        );
        let bob = pem();
        let file = |name: &str| Ok((name == "policy/bob.pub").then(|| bob.clone().into_bytes()));
        let list = parse(list.as_bytes(), file).unwrap();
        let ada = list.named(" ADA ").unwrap();
        let table = [
            (Operation::Apply, "2026-01-01T00:00:00Z", true),
            (Operation::Apply, "2025-12-31T23:59:59Z", false),
            (Operation::Apply, "2026-01-31T23:59:59Z", true),
            (Operation::Apply, "2026-02-01T00:00:00Z", false),
            (Operation::KillOff, "2026-01-10T00:00:00Z", false),
        ];
        for (operation, time, may) in table {
            assert_eq!(ada.may(operation, at(time)), may, "{operation} {time}");
        }
        for operation in Operation::ALL {
            assert!(
                list.named("bob")
                    .unwrap()
                    .may(operation, at("2030-01-01T00:00:00Z"))
            );
        }
        let january = at("2026-01-10T00:00:00Z");
        assert!(list.may_override("ada", january) && list.may_override("bob", january));
        assert!(!list.may_override("eve", january));
    }

    #[test]
    fn every_problem_is_told_with_its_place() {
        let shared = indented(&pem());
        let list = format!(
            "schema: 2\napprovers:\n  - name: ada\n    may: [aply]\n    key: |\n{shared}  - name: Ada\n    may: []\n    key: none\n  - name: bob\n    may: [apply]\n    key: |\n{shared}  - may: [apply]\n    key_file: policy/gone.pub\n    colour: x\n  - name: eve\n    may: [apply]\n    from: soon\n    key: |\n{}",
            indented(&pem())
        );
        let problems = parse(list.as_bytes(), |_| Ok(None)).unwrap_err();
        let codes: Vec<_> = problems
            .iter()
            .map(|problem| (problem.place.line.unwrap(), problem.code))
            .collect();
        assert_eq!(
            codes,
            [
                (1, Code::ValueRange),
                (4, Code::ValueUnknown),
                (11, Code::KeyUnusable),
                (15, Code::NameDuplicate),
                (18, Code::KeyMissing),
                (19, Code::KeyUnusable),
                (20, Code::KeyUnknown),
                (23, Code::ValueUnknown),
            ]
        );
    }

    #[test]
    fn what_is_no_list_is_refused() {
        for text in ["", "[]", "schema: 1", "schema: 1\napprovers: ada"] {
            assert!(parse(text.as_bytes(), |_| Ok(None)).is_err(), "{text:?}");
        }
    }
}
