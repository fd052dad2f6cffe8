//! May another program do this? Its operation is held against this program's own files, the protected
//! ones, and the document that says what an editing tool may change. Nothing is written here.

use super::look::Looked;
use super::operation::{Decision, Operation, Rule, Violation};
use super::paths::{self, Meant};
use super::rules::{MANIFEST, OWN_DIRECTORIES, OWN_FILES, POLICY_DIRECTORY, Rules};
use crate::fs::glob::Glob;
use crate::fs::tree::Standing;
use crate::fs::{Opened, Workspace};
use crate::ids::Digest;
use crate::policy::catalogue::{self, Shape, scalpel::EditingPolicy};
use crate::record::AUDIT_LOG;

pub use super::staged::{Staged, hooks_directory, staged};

/// Where the document stands where nobody names another.
pub const DOCUMENTS: [&str; 2] = [".scalpel/policy.yaml", "scalpel.policy.yaml"];

/// A document larger than this is none.
const LIMIT: u64 = 256 * 1024;

/// The document that says what an editing tool may change.
#[derive(Debug, Clone, PartialEq)]
pub enum Document {
    /// There is none.
    None,
    /// It says this.
    Editing {
        /// Where it stands.
        file: String,
        /// The SHA-256 of its bytes.
        sha256: Digest,
        /// What it says.
        policy: EditingPolicy,
    },
    /// It can't be read, and why.
    Unreadable {
        /// Where it stands.
        file: String,
        /// Why.
        why: String,
    },
}

/// Loads the document: the named one, which has to be there, or one of the usual names.
pub fn document(workspace: &Workspace, named: Option<&str>) -> Document {
    let candidates: Vec<&str> = named.map_or_else(|| DOCUMENTS.to_vec(), |named| vec![named]);
    for file in candidates {
        let unreadable = |why: String| Document::Unreadable {
            file: file.to_owned(),
            why,
        };
        let bytes = match workspace.open_input(file) {
            Ok(Opened::Absent) if named.is_none() => continue,
            Ok(Opened::Absent) => return unreadable("no such file".to_owned()),
            Ok(Opened::File(open)) => open.read_whole(LIMIT),
            Err(finding) => Err(finding),
        };
        let bytes = match bytes {
            Ok(bytes) => bytes,
            Err(finding) => return unreadable(finding.message),
        };
        return match parse(file, &bytes) {
            Ok(policy) => Document::Editing {
                file: file.to_owned(),
                sha256: Digest::of(&bytes),
                policy,
            },
            Err(why) => unreadable(why),
        };
    }
    Document::None
}

fn parse(file: &str, bytes: &[u8]) -> Result<EditingPolicy, String> {
    let found = catalogue::recognise(file, bytes).map_err(|finding| finding.message)?;
    let account = catalogue::read(&found).map_err(|findings| {
        let first = findings.first();
        first.map_or_else(String::new, |finding| {
            format!("{}: {}", finding.place, finding.message)
        })
    })?;
    let Shape::Editing(policy) = account.shape else {
        return Err(format!("a document of the kind {}", account.kind.as_str()));
    };
    match policy
        .protected_files
        .iter()
        .find_map(|glob| Glob::parse(glob).err())
    {
        Some(expected) => Err(format!("a pattern of `protected.files` is not {expected}")),
        None => Ok(policy),
    }
}

/// What an operation is held against.
#[derive(Debug)]
pub struct Guard<'a> {
    /// Where.
    pub workspace: &'a Workspace,
    /// How the protected files stand.
    pub looked: &'a Looked,
    /// The document.
    pub document: &'a Document,
    /// Why everything is stopped: the kill switch.
    pub stopped: Option<String>,
    /// True under `ENV=production`.
    pub production: bool,
    /// The protected path that an override opens, as [`Guard::openable`] names it.
    pub opened: Option<&'a str>,
}

/// What came of an operation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Judged {
    /// What is said to the program.
    pub decision: Decision,
    /// The switches of the document without which this would have been refused.
    pub weakened: Vec<&'static str>,
}

impl Guard<'_> {
    /// What is wrong before any operation is looked at.
    fn standing(&self, fail_closed: bool) -> Vec<Violation> {
        let mut violations = Vec::new();
        if let Some(why) = &self.stopped {
            violations.push((Rule::KillSwitchOn, format!("the kill switch is on: {why}")));
        }
        if let Some(first) = self.looked.problems.first().filter(|_| fail_closed) {
            let why = format!("{}: {}", first.path, first.to_diagnostic().message);
            violations.push((Rule::PolicyTampered, why));
        }
        if let Document::Unreadable { file, why } = self.document {
            let why = format!("{file} can't be read: {why}");
            violations.push((Rule::PolicyUnreadable, why));
        }
        violations
    }

    /// The document's switches that are off, as far as they may be: never in production, and not where
    /// the document itself was changed.
    fn switched_off(&self) -> (bool, bool) {
        let Document::Editing { file, policy, .. } = self.document else {
            return (false, false);
        };
        let speaks_for_itself = [file.as_str(), MANIFEST, AUDIT_LOG];
        let mut problems = self.looked.problems.iter();
        let is_changed = problems.any(|problem| speaks_for_itself.contains(&problem.path.as_str()));
        if self.production || is_changed {
            return (false, false);
        }
        (
            policy.enabled == Some(false),
            policy.fail_closed == Some(false),
        )
    }

    /// Judges an operation.
    pub fn judge(&self, operation: &Operation) -> Judged {
        self.weighed(|enabled| self.violations(operation, enabled))
    }

    /// The one protected path that stands in the way of an operation, where an override may open it:
    /// one that the lock or the document protects, named in one way alone. Never the record, the
    /// safeguards, the manifest or the repository, and nothing behind tampering.
    pub fn openable(&self, operation: &Operation) -> Option<String> {
        if self.looked.is_tampered() {
            return None;
        }
        let (rules, own) = (self.rules(), own_rules());
        let closed = |path: &&String| {
            self.of_path(path, (&rules, &own), true)
                .is_some_and(|(rule, _)| matches!(rule, Rule::ControlFile | Rule::ProtectedFile))
        };
        let mut closed = operation.files.iter().filter(closed);
        let path = closed.next().filter(|_| closed.next().is_none())?;
        let Meant::Inside(names) = paths::meant(self.workspace, path) else {
            return None;
        };
        let [name] = names.as_slice() else {
            return None;
        };
        let is_protected = rules.covers(name)
            || self
                .policy(true)
                .is_some_and(|policy| is_named(policy, &names));
        let is_shared = paths::shared_node(self.workspace, name).is_some();
        (is_protected && !is_shared && !paths::is_covered(&kept_rules(), &names))
            .then(|| name.clone())
    }

    /// Judges what is staged for a commit.
    pub fn judge_staged(&self, staged: &[Staged]) -> Judged {
        self.weighed(|enabled| self.of_staged(staged, enabled))
    }

    fn weighed(&self, violations: impl Fn(bool) -> Vec<Violation>) -> Judged {
        let decide = |enabled, fail_closed| {
            let mut all = self.standing(fail_closed);
            all.extend(violations(enabled));
            Decision::of(all)
        };
        let (disabled, open) = self.switched_off();
        let decision = decide(!disabled, !open);
        let mut weakened = Vec::new();
        if decision.allowed && disabled && !decide(true, !open).allowed {
            weakened.push("enforcement.enabled");
        }
        if decision.allowed && open && !decide(!disabled, true).allowed {
            weakened.push("enforcement.fail_closed");
        }
        Judged { decision, weakened }
    }

    fn rules(&self) -> Rules {
        let default = Rules::default();
        match &self.looked.locked {
            // What is protected by default stays so for other programs, whatever is locked.
            Some(locked) => locked
                .manifest
                .rules
                .with(&default.protect, &default.except),
            None => default,
        }
    }

    fn policy(&self, enabled: bool) -> Option<&EditingPolicy> {
        match self.document {
            Document::Editing { policy, .. } if enabled => Some(policy),
            _ => None,
        }
    }

    fn violations(&self, operation: &Operation, enabled: bool) -> Vec<Violation> {
        let mut violations = Vec::new();
        if !operation.only_reads() {
            let (rules, own) = (self.rules(), own_rules());
            for path in &operation.files {
                violations.extend(self.of_path(path, (&rules, &own), enabled));
            }
        }
        let Some(policy) = self.policy(enabled) else {
            return violations;
        };
        let named = policy.protected_operations.iter();
        violations.extend(named.filter(|named| operation.is_a(named)).map(|named| {
            let why = format!("`{}` is the protected operation `{named}`", operation.kind);
            (Rule::ProtectedOperation, why)
        }));
        let size = operation
            .files
            .iter()
            .filter_map(|path| self.size(path))
            .max();
        let changes = operation
            .changes
            .unwrap_or(0)
            .max(operation.files.len() as u64);
        violations.extend(limits(
            policy,
            operation.complexity,
            size.max(operation.file_size),
            changes,
        ));
        violations
    }

    fn size(&self, path: &str) -> Option<u64> {
        match paths::meant(self.workspace, path) {
            Meant::Inside(names) => names
                .iter()
                .filter_map(|name| paths::size(self.workspace, name))
                .max(),
            Meant::Outside => None,
        }
    }

    fn of_path(
        &self,
        path: &str,
        (rules, own): (&Rules, &Rules),
        enabled: bool,
    ) -> Option<Violation> {
        let Meant::Inside(names) = paths::meant(self.workspace, path) else {
            let why = format!("`{path}` lies outside of the workspace");
            return Some((Rule::OutsideWorkspace, why));
        };
        if self.opened.is_some_and(|opened| *names == [opened]) {
            return None;
        }
        if paths::is_covered(own, &names) {
            let why = format!("`{path}` is a file of policy-orchestrator's own, or holds some");
            return Some((Rule::ControlFile, why));
        }
        let of_document = self
            .policy(enabled)
            .is_some_and(|policy| is_named(policy, &names));
        if of_document || paths::is_covered(rules, &names) {
            return Some((Rule::ProtectedFile, format!("`{path}` is protected")));
        }
        let nodes: Vec<_> = names
            .iter()
            .filter_map(|name| paths::shared_node(self.workspace, name))
            .collect();
        if !nodes.is_empty() && self.is_protected_node(&nodes, (rules, own)) {
            let why = format!("`{path}` is another name of a protected file");
            return Some((Rule::ProtectedFile, why));
        }
        None
    }

    /// True where a protected file has one of these nodes.
    fn is_protected_node(&self, nodes: &[(u64, u64)], (rules, own): (&Rules, &Rules)) -> bool {
        // The manifest and drafts are protected from other programs too.
        let all = Rules {
            protect: [rules.protect.as_slice(), own.protect.as_slice()].concat(),
            except: Vec::new(),
        };
        let files = super::look::protected(self.workspace, &all);
        files.iter().any(|(path, standing)| {
            matches!(standing, Ok(Standing::File { names: 2.., .. }))
                && paths::shared_node(self.workspace, path)
                    .is_some_and(|node| nodes.contains(&node))
        })
    }

    fn of_staged(&self, staged: &[Staged], enabled: bool) -> Vec<Violation> {
        let mut violations = Vec::new();
        let rules = self.rules();
        for file in staged {
            let path = &file.path;
            if path == MANIFEST {
                let in_force = self.looked.locked.as_ref().map(|locked| locked.sha256);
                if file.sha256 != in_force {
                    let why = format!("{path} as it is staged is not the manifest in force");
                    violations.push((Rule::NotAccepted, why));
                }
            } else if rules.covers(path) {
                violations.extend(self.of_staged_protected(file));
            }
        }
        let Some(policy) = self.policy(enabled) else {
            return violations;
        };
        let outside = |file: &&Staged| !rules.covers(&file.path) && !is_own(&file.path);
        let size = staged.iter().filter(outside).map(|file| file.size).max();
        let changes = staged.iter().filter(outside).count() as u64;
        violations.extend(limits(policy, None, size, changes));
        let named = staged.iter().filter(outside);
        let named = named.filter(|file| is_named(policy, std::slice::from_ref(&file.path)));
        violations.extend(
            named.map(|file| (Rule::ProtectedFile, format!("`{}` is protected", file.path))),
        );
        violations
    }

    fn of_staged_protected(&self, file: &Staged) -> Option<Violation> {
        let path = &file.path;
        let Some(locked) = &self.looked.locked else {
            let why = format!(
                "`{path}` is protected, and nothing is locked: `policy-orchestrator policy lock --reason TEXT` records what is reviewed"
            );
            return Some((Rule::NotAccepted, why));
        };
        let accepted = locked.manifest.file(path).map(|entry| entry.sha256);
        if file.sha256 == accepted || locked.manifest.may_stand(path, file.sha256) {
            return None;
        }
        let why = format!(
            "`{path}` as it is staged was accepted by nobody: `policy-orchestrator policy accept --reason TEXT`, and stage policy/manifest.json and state/audit.log with it"
        );
        Some((Rule::NotAccepted, why))
    }
}

/// The files of this program's own, which no other may touch.
fn own_rules() -> Rules {
    let directories = OWN_DIRECTORIES
        .iter()
        .map(|directory| format!("{directory}/**"));
    let files = OWN_FILES.iter().map(|file| (*file).to_owned());
    Rules {
        protect: directories
            .chain(files)
            .filter_map(|text| Glob::parse(&text).ok())
            .collect(),
        except: Vec::new(),
    }
}

/// What no override opens: the record, the repository, the safeguards, and what says which policies
/// count.
fn kept_rules() -> Rules {
    let mut rules = own_rules();
    rules
        .protect
        .retain(|glob| glob.to_string() != format!("{POLICY_DIRECTORY}/**"));
    rules.protect.extend(Glob::parse(MANIFEST));
    rules
}

fn is_own(path: &str) -> bool {
    own_rules().covers(path)
}

/// True where a pattern of the document names the file: a bare name by what it is called anywhere, one
/// with a directory by its path.
fn is_named(policy: &EditingPolicy, names: &[String]) -> bool {
    let globs: Vec<Glob> = policy
        .protected_files
        .iter()
        .filter_map(|text| Glob::parse(&text.to_lowercase()).ok())
        .collect();
    names.iter().any(|name| {
        let name = name.to_lowercase();
        let base = name.rsplit('/').next().unwrap_or(&name);
        globs
            .iter()
            .any(|glob| glob.covers(&name) || (glob.is_name() && glob.covers(base)))
    })
}

fn limits(
    policy: &EditingPolicy,
    complexity: Option<u64>,
    size: Option<u64>,
    changes: u64,
) -> Vec<Violation> {
    let table = [
        (
            Rule::MaxComplexity,
            "complexity",
            complexity,
            policy.max_complexity,
        ),
        (
            Rule::MaxFileSize,
            "file size in bytes",
            size,
            policy.max_file_size,
        ),
        (
            Rule::MaxChangesPerOperation,
            "changes",
            Some(changes),
            policy.max_changes_per_operation,
        ),
    ];
    let beyond = table.into_iter().filter_map(|(rule, what, found, most)| {
        let (found, most) = found.zip(most).filter(|(found, most)| found > most)?;
        Some((
            rule,
            format!("{what}: {found}, and at most {most} is allowed"),
        ))
    });
    beyond.collect()
}
