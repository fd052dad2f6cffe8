//! Are the protected files those that somebody accepted? Nothing is changed here but, when asked,
//! permission bits.
//!
//! What is in force is said by `state/audit.log`, not by the manifest on the disk; and that log must
//! lead from the manifest that the last decision rested on. So an edit of files and manifest together
//! is found without a key, and a log that was put back to an earlier time is found while the journal of
//! decisions stands.

use std::collections::BTreeSet;

use serde::Deserialize;

use super::manifest::{self, LIMIT, Manifest, Mode, Signature};
use super::problem::{Kind, Problem};
use super::rules::{MANIFEST, Rules};
use crate::diagnostic::{Checked, Code, Diagnostic, Place};
use crate::fs::tree::{self, Below, Standing};
use crate::fs::{Opened, Workspace};
use crate::ids::{Digest, EventType};
use crate::record::audit::{self, Recorded};
use crate::record::chain::{Found, Purpose};
use crate::record::signing::Signed;
use crate::record::{AUDIT_LOG, STATE_JOURNAL, SigningKey, heads, ledger, policies};

/// What the last decision says of the lock: the manifest that it rested on.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Decided(pub Option<Digest>);

impl Decided {
    /// Reads it from the last line of the journal of decisions.
    pub fn load(workspace: &Workspace) -> Checked<Self> {
        #[derive(Deserialize)]
        struct Line {
            #[serde(default)]
            lock: Option<Digest>,
        }
        let Some(line) = ledger::last_line(workspace, STATE_JOURNAL)? else {
            return Ok(Self(None));
        };
        let line: Option<Line> = serde_json::from_slice(&line).ok();
        Ok(Self(line.and_then(|line| line.lock)))
    }
}

/// A manifest in force.
#[derive(Debug, Clone, PartialEq)]
pub struct Locked {
    /// The SHA-256 of its bytes.
    pub sha256: Digest,
    /// What it says.
    pub manifest: Manifest,
    /// Its bytes, where a kill kept them from their place.
    pub cut_off: Option<Vec<u8>>,
}

/// A file whose permission bits are others than were set.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Drift {
    /// Where.
    pub path: String,
    /// What they are.
    pub found: Mode,
    /// What they were set to.
    pub expected: Mode,
}

/// What a look came to.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Looked {
    /// The manifest in force; `None` where nothing is locked, or nobody can say what is.
    pub locked: Option<Locked>,
    /// Tampering: empty where there is none.
    pub problems: Vec<Problem>,
    /// Permission bits to be mended.
    pub drift: Vec<Drift>,
    /// What else to know.
    pub notes: Vec<Diagnostic>,
    /// The manifest that a decision of now rests on: also behind tampering the one that was recorded.
    pub recorded: Option<Digest>,
}

/// More problems than this are told as their number.
const TOLD: usize = 40;

impl Looked {
    /// True where something was changed that nobody accepted.
    pub fn is_tampered(&self) -> bool {
        !self.problems.is_empty()
    }

    /// Holds the bytes that were read of a protected file against the manifest: they may be others than
    /// those that were looked at.
    pub fn hold(&mut self, path: &str, sha256: Digest) {
        let Some(locked) = &self.locked else { return };
        let expected = locked.manifest.file(path).map(|file| file.sha256);
        let is_told = self.problems.iter().any(|problem| problem.path == path);
        let is_right = expected == Some(sha256)
            || locked.manifest.may_stand(path, Some(sha256))
            || !locked.manifest.rules.covers(path);
        if !is_right && !is_told {
            let problem = Problem::of_file(Kind::Changed, path, expected, sha256.to_string());
            self.problems.push(problem);
        }
    }

    /// The problems as findings, never an endless list.
    pub fn findings(&self) -> Vec<Diagnostic> {
        let told = self.problems.iter().take(TOLD).map(Problem::to_diagnostic);
        let mut findings: Vec<Diagnostic> = told.collect();
        let more = self.problems.len().saturating_sub(TOLD);
        if let Some(last) = findings.last_mut().filter(|_| more > 0) {
            last.message = format!("{}; so are {more} more", last.message);
        }
        findings
    }

    /// Gives the files back the permission bits that were set. A file that is another user's keeps its
    /// own: the bits are a hint, the digest is the guarantee.
    pub fn mend(&self, workspace: &Workspace) -> Vec<Diagnostic> {
        let mended = self.drift.iter().map(|drift| {
            let set = tree::set_mode(workspace, &drift.path, drift.expected.0);
            let message = if set {
                "a protected file could be written to; it is read-only again"
            } else {
                "a protected file can be written to, and its permissions can't be set by this user"
            };
            Diagnostic::new(Code::ModeMended, Place::file(&drift.path), message)
                .found(format!("mode {}", drift.found))
                .expected(format!("mode {}", drift.expected))
                .help("git keeps no read-only files, so every checkout does this; its bytes are those that were accepted")
        });
        mended.collect()
    }
}

/// Looks at every protected file. `decided` is what the last decision says of the lock.
pub fn look(workspace: &Workspace, key: Option<&SigningKey>, decided: Decided) -> Checked<Looked> {
    let on_disk = on_disk(workspace);
    let logged = std::fs::symlink_metadata(workspace.path(AUDIT_LOG)).is_ok();
    // What can't be read where nothing was ever locked is for whoever reads the policy to tell.
    if decided.0.is_none() && !logged && !matches!(on_disk, Ok(Some(_))) {
        return Ok(Looked::default());
    }
    let mut look = Look {
        workspace,
        key,
        decided,
        looked: Looked::default(),
    };
    look.record()?;
    look.manifest(on_disk)?;
    look.files();
    if look.looked.is_tampered() {
        // A log that was put back must not become what the next decision rests on.
        look.looked.recorded = decided.0.or(look.looked.recorded);
    }
    Ok(look.looked)
}

/// The bytes of the manifest where it belongs.
fn on_disk(workspace: &Workspace) -> Checked<Option<Vec<u8>>> {
    match workspace.open_plain(MANIFEST)? {
        Opened::Absent => Ok(None),
        Opened::File(file) => file.read_whole(LIMIT).map(Some),
    }
}

/// The events that change which manifest is in force.
pub(super) fn is_lock_event(event: &Recorded) -> bool {
    [
        EventType::POLICY_LOCKED,
        EventType::POLICY_ACCEPTED,
        EventType::POLICY_CHANGE_BEGUN,
        EventType::POLICY_CHANGE_ENDED,
    ]
    .contains(&event.event_type)
}

/// A digest among the details of an event.
fn detail(event: &Recorded, name: &str) -> Option<Digest> {
    let value = event.details.get(name)?.as_str()?;
    Digest::parse(value)
}

struct Look<'a> {
    workspace: &'a Workspace,
    key: Option<&'a SigningKey>,
    decided: Decided,
    looked: Looked,
}

impl Look<'_> {
    /// Which manifest the record says is in force, and whether it can be believed.
    fn record(&mut self) -> Checked<()> {
        let recorded = audit::standing(self.workspace);
        let standing = match &recorded {
            Ok(standing) => standing.lock,
            Err(_) => None,
        };
        self.looked.recorded = standing.or(self.decided.0);
        let broken = match heads::load(self.workspace) {
            Err(finding) => Some(finding.message),
            Ok(heads) => {
                let head = heads.get(AUDIT_LOG).copied();
                let purpose = Purpose::Look { lines: 2 };
                match ledger::inspect(self.workspace, AUDIT_LOG, head, self.key, purpose)? {
                    Found::Whole(_) => recorded.err().map(|finding| finding.message),
                    Found::Broken(mut problems) => Some(problems.swap_remove(0).message),
                }
            }
        };
        if let Some(broken) = broken {
            // A log that never named a manifest is somebody else's business: `audit verify` tells.
            if self.looked.recorded.is_some() {
                let problem = Problem::of_record("a log that is whole", broken);
                self.looked.problems.push(problem);
            }
            return Ok(());
        }
        let Some(decided) = self.decided.0.filter(|_| standing != self.decided.0) else {
            return Ok(());
        };
        if standing.is_none() {
            // Perhaps a manifest without a log decided, as in a fresh copy: the look at it tells.
            return Ok(());
        }
        if !self.leads_from(decided)? {
            self.looked.problems.push(Problem::of_record(
                format!("an event that leads from the manifest of the last decision, {decided}"),
                "none: the log was put back to an earlier time, or another one stands there",
            ));
        }
        Ok(())
    }

    /// True where the log leads from that manifest to the one in force.
    fn leads_from(&self, manifest: Digest) -> Checked<bool> {
        let mut leads = false;
        audit::back(self.workspace, |event| {
            leads |= is_lock_event(&event)
                && (detail(&event, "previous") == Some(manifest)
                    || detail(&event, "decided") == Some(manifest)
                    || event.standing.lock == Some(manifest));
            !leads
        })?;
        Ok(leads)
    }

    /// Takes the manifest that is in force: the one on the disk, where that is the recorded one.
    fn manifest(&mut self, on_disk: Checked<Option<Vec<u8>>>) -> Checked<()> {
        let in_force = match audit::standing(self.workspace) {
            Ok(standing) => standing.lock,
            Err(_) => None,
        };
        let (bytes, found) = match on_disk {
            Ok(Some(bytes)) => {
                let sha256 = Digest::of(&bytes);
                (Some(bytes), sha256.to_string())
            }
            Ok(None) => (None, "no file".to_owned()),
            Err(finding) => (
                None,
                finding.found.clone().unwrap_or(finding.message.clone()),
            ),
        };
        let Some(in_force) = in_force else {
            return self.unrecorded(bytes, &found);
        };
        if let Some(bytes) = bytes.as_ref().filter(|bytes| Digest::of(bytes) == in_force) {
            self.check_signature(bytes)?;
            self.take(in_force, bytes, false);
            return Ok(());
        }
        // A kill came between the line and the manifest, unless a decision rested on it meanwhile.
        let kept = policies::read(self.workspace, in_force).ok();
        let is_cut_off = self.decided.0 != Some(in_force)
            && kept.is_some()
            && self.is_previous(bytes.as_deref().map(Digest::of), in_force)?;
        if !is_cut_off {
            let problem = Problem::of_manifest(Kind::Manifest, in_force.to_string(), found);
            self.looked.problems.push(problem);
        }
        if let Some(kept) = kept {
            self.take(in_force, &kept, is_cut_off);
        }
        Ok(())
    }

    /// True where the event of a manifest says that `before` stood before it: `None` for no file.
    fn is_previous(&self, before: Option<Digest>, manifest: Digest) -> Checked<bool> {
        let (mut is_previous, mut found) = (false, false);
        audit::back(self.workspace, |event| {
            if is_lock_event(&event) && event.standing.lock == Some(manifest) {
                found = true;
                is_previous = detail(&event, "previous") == before;
            }
            !found
        })?;
        Ok(is_previous)
    }

    /// No line names a manifest. One that stands there alone is believed as far as it goes, as in a
    /// copy without its record; one that a decision rested on has to be there.
    fn unrecorded(&mut self, bytes: Option<Vec<u8>>, found: &str) -> Checked<()> {
        let sha256 = bytes.as_deref().map(Digest::of);
        if let Some(decided) = self.decided.0.filter(|decided| Some(*decided) != sha256) {
            let problem = Problem::of_manifest(Kind::Manifest, decided.to_string(), found);
            self.looked.problems.push(problem);
            if let Ok(kept) = policies::read(self.workspace, decided) {
                self.take(decided, &kept, false);
            }
            return Ok(());
        }
        let Some((bytes, sha256)) = bytes.zip(sha256) else {
            return Ok(());
        };
        if self.decided.0.is_none() {
            self.looked.notes.push(
                Diagnostic::new(
                    Code::LockUnrecorded,
                    Place::file(MANIFEST),
                    "no record names this manifest, so nothing but itself speaks for it",
                )
                .found(format!("SHA-256 {sha256}, and no line of {AUDIT_LOG} about it"))
                .expected("state/ beside policy/, as it was recorded")
                .help("keep state/ in version control too; `policy-orchestrator policy accept --reason TEXT` records the files as they are"),
            );
        }
        self.looked.recorded = Some(sha256);
        self.check_signature(&bytes)?;
        self.take(sha256, &bytes, false);
        Ok(())
    }

    fn take(&mut self, sha256: Digest, bytes: &[u8], is_cut_off: bool) {
        let manifest = match Manifest::parse(bytes) {
            Ok(manifest) => manifest,
            Err(why) => {
                let problem = Problem::of_manifest(Kind::Manifest, "a manifest", why);
                self.looked.problems.push(problem);
                return;
            }
        };
        if is_cut_off {
            self.looked.notes.push(cut_off(
                "a manifest was recorded and not put in its place; the recorded one counts",
            ));
        }
        if !manifest.pending.is_empty() {
            self.looked.notes.push(cut_off("a change of protected files by this program was cut off; the files before it and after it are both accepted"));
        }
        self.looked.locked = Some(Locked {
            sha256,
            manifest,
            cut_off: is_cut_off.then(|| bytes.to_vec()),
        });
    }

    /// With a key, the manifest's signature has to be the key's. One without a signature is believed
    /// where nothing of the record is signed, or where a signed decision rested on it.
    fn check_signature(&mut self, bytes: &[u8]) -> Checked<()> {
        let key_id = || Manifest::parse(bytes).ok().and_then(|found| found.key_id);
        let found = match manifest::signature(bytes, self.key) {
            Signature::Right | Signature::Unchecked => return Ok(()),
            Signature::Wrong => {
                match (key_id(), self.key.map(|key| key.id().as_str().to_owned())) {
                    (Some(named), Some(set)) if named != set => {
                        let note = Diagnostic::new(
                        Code::LockUnrecorded,
                        Place::file(MANIFEST),
                        "the manifest is signed by another key than the one that is set, so only the record speaks for it",
                    )
                    .found(format!("key {named}"))
                    .expected(format!("key {set}"))
                    .help("`policy-orchestrator policy lock --reason TEXT` signs it anew");
                        self.looked.notes.push(note);
                        return Ok(());
                    }
                    _ => "another signature",
                }
            }
            Signature::None => {
                let is_decided = self.decided.0 == Some(Digest::of(bytes));
                let is_signed = |file| -> Checked<bool> {
                    let line = ledger::last_line(self.workspace, file)?;
                    Ok(line.is_some_and(|line| Signed::parse(&line).is_some()))
                };
                if is_decided || is_signed(AUDIT_LOG)? || !is_signed(STATE_JOURNAL)? {
                    return Ok(());
                }
                "no signature, although the record is signed"
            }
        };
        let problem = Problem::of_manifest(Kind::Signature, "the signature of the key", found);
        self.looked.problems.push(problem);
        Ok(())
    }

    /// Holds every protected file against the manifest.
    fn files(&mut self) {
        let Some(locked) = self.looked.locked.take() else {
            return;
        };
        let manifest = &locked.manifest;
        let mut seen = BTreeSet::new();
        for (path, standing) in protected(self.workspace, &manifest.rules) {
            match standing {
                Ok(standing) => self.file(manifest, &path, standing),
                Err(why) => {
                    let problem = Problem::of_file(Kind::Unreadable, &path, None, why);
                    self.looked.problems.push(problem);
                }
            }
            seen.insert(path);
        }
        for file in &manifest.files {
            if !seen.contains(&file.path) {
                self.file(manifest, &file.path, tree::look(self.workspace, &file.path));
            }
        }
        self.looked
            .problems
            .sort_by(|one, other| one.path.cmp(&other.path));
        self.looked.locked = Some(locked);
    }

    fn file(&mut self, manifest: &Manifest, path: &str, standing: Standing) {
        let entry = manifest.file(path);
        let expected = entry.map(|file| file.sha256);
        let (kind, found) = match standing {
            Standing::Nothing if expected.is_none() || manifest.may_stand(path, None) => return,
            Standing::Nothing => (Kind::Deleted, "no file".to_owned()),
            Standing::File {
                sha256,
                mode,
                names,
            } => {
                let is_right = expected == Some(sha256) || manifest.may_stand(path, Some(sha256));
                if !is_right {
                    let kind = if expected.is_some() {
                        Kind::Changed
                    } else {
                        Kind::Added
                    };
                    (kind, sha256.to_string())
                } else if names > 1 {
                    (Kind::HardLink, format!("a file with {names} names"))
                } else {
                    let mode_set = entry.map_or(Mode::locked(mode), |file| file.mode);
                    if mode_set.0 != mode {
                        self.looked.drift.push(Drift {
                            path: path.to_owned(),
                            found: Mode(mode),
                            expected: mode_set,
                        });
                    }
                    return;
                }
            }
            Standing::Directory => (Kind::NotAFile, "a directory".to_owned()),
            Standing::Link(target) => (Kind::Link, format!("a link to {target}")),
            Standing::Other(what) => (Kind::NotAFile, what.to_owned()),
            Standing::Unreadable(why) => (Kind::Unreadable, why),
        };
        let problem = Problem::of_file(kind, path, expected, found);
        self.looked.problems.push(problem);
    }
}

fn cut_off(message: &str) -> Diagnostic {
    Diagnostic::new(Code::LockMended, Place::file(MANIFEST), message)
        .help("the next command that locks, accepts or promotes puts it right; nothing was lost")
}

/// Every file that the rules cover, and what stands there; an error is told at its root.
pub(super) fn protected(
    workspace: &Workspace,
    rules: &Rules,
) -> Vec<(String, Result<Standing, String>)> {
    let mut all = Vec::new();
    for root in rules.roots() {
        match tree::walk(workspace, &root, &|path| rules.covers(path)) {
            Ok(found) => {
                // A link in the place of a directory hides what is protected below it.
                let hides = |below: &Below| {
                    below.path == root
                        && !matches!(below.standing, Standing::File { .. })
                        && !rules.names(&root)
                };
                let found = found.into_iter();
                let found = found.filter(|below| rules.covers(&below.path) || hides(below));
                all.extend(found.map(|below| (below.path, Ok(below.standing))));
            }
            Err(why) => all.push((root.clone(), Err(why))),
        }
    }
    all
}
