//! What the compliance documents below `policy/` ask for: controls by name, and how long records stay.
//!
//! Only what lies there is read, since only that is protected. A document that has a problem is not
//! used, and nothing is reported without it.

use crate::diagnostic::Diagnostic;
use crate::fs::Workspace;
use crate::policy::catalogue::automation::Automation;
use crate::policy::catalogue::compliance::CompliancePolicy;
use crate::policy::catalogue::conflicts::{self, Looked};
use crate::policy::catalogue::regulation::Rule;
use crate::policy::catalogue::{self, Account, Group, Kind, Shape};
use crate::policy::directory;
use crate::policy::quantity::Span;

/// Where they lie.
const DIRECTORIES: [&str; 3] = ["policy", "policy/compliance", "policy/security"];

/// A larger document is none.
const LIMIT: u64 = 1024 * 1024;

/// What documents ask for.
#[derive(Debug, Clone, Default)]
pub struct Asked {
    /// The controls, each once, in the order of the documents.
    pub controls: Vec<Control>,
    /// How long records have to stay, and who says so.
    pub retention: Vec<(Span, String)>,
    /// The documents that were read.
    pub files: Vec<String>,
}

/// A control that a document asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Control {
    /// Its name: of an automation, or of a policy.
    pub name: String,
    /// The automation, where it is one.
    pub automation: Option<Automation>,
    /// The rule or group that it belongs to.
    pub rule: String,
    /// The law or the set of rules.
    pub regulation: String,
    /// The document.
    pub file: String,
}

/// A document with its account.
#[derive(Debug)]
pub struct Document {
    /// The file.
    pub file: String,
    /// Its bytes.
    pub bytes: Vec<u8>,
    /// What it says.
    pub account: Account,
}

/// Reads every document of other systems below `policy/`. Files of no kind that is known are none,
/// unless they speak of compliance and can't be read.
pub fn read(workspace: &Workspace) -> Result<Vec<Document>, Vec<Diagnostic>> {
    let (files, mut problems) = directory::read(workspace, &DIRECTORIES, LIMIT);
    let mut documents = Vec::new();
    for (file, bytes) in files {
        match one(&file, &bytes) {
            Ok(Some(account)) => documents.push(Document {
                file,
                bytes,
                account,
            }),
            Ok(None) => {}
            Err(found) => problems.extend(found),
        }
    }
    if problems.is_empty() {
        Ok(documents)
    } else {
        Err(problems)
    }
}

fn one(file: &str, bytes: &[u8]) -> Result<Option<Account>, Vec<Diagnostic>> {
    let speaks = memchr::memmem::find(bytes, b"_compliance:").is_some()
        || memchr::memmem::find(bytes, b"compliance_policies").is_some();
    match catalogue::recognise(file, bytes) {
        Ok(found) => match catalogue::read(&found) {
            Ok(account) => Ok(Some(account)),
            Err(problems) if is_compliance(found.kind) => Err(problems),
            // What is wrong with it is for those who use it.
            Err(_) => Ok(None),
        },
        Err(problem) if speaks => Err(vec![*problem]),
        Err(_) => Ok(None),
    }
}

fn is_compliance(kind: Kind) -> bool {
    matches!(
        kind,
        Kind::LgpdCompliance | Kind::FinancialCompliance | Kind::CompliancePolicies
    )
}

/// What documents say about the same in different ways.
pub fn conflicts(documents: &[Document]) -> Vec<Diagnostic> {
    let looked: Vec<Looked<'_>> = documents
        .iter()
        .map(|document| Looked {
            file: &document.file,
            text: &document.bytes,
            account: &document.account,
        })
        .collect();
    conflicts::find(&looked)
}

/// What documents ask for.
pub fn asked(documents: &[Document]) -> Asked {
    let mut asked = Asked::default();
    for Document { file, account, .. } in documents {
        if !is_compliance(account.kind) {
            continue;
        }
        asked.files.push(file.clone());
        match &account.shape {
            Shape::Regulation(groups) => asked.regulation(file, account.kind, groups),
            Shape::Compliance(groups) => asked.compliance(file, groups),
            _ => {}
        }
    }
    asked
}

impl Asked {
    fn add(&mut self, control: Control) {
        if !self.controls.iter().any(|other| other.name == control.name) {
            self.controls.push(control);
        }
    }

    fn regulation(&mut self, file: &str, kind: Kind, groups: &[Group<Rule>]) {
        for rule in groups.iter().flat_map(|group| &group.entries) {
            for automation in &rule.automation {
                self.add(Control {
                    name: automation.as_str().to_owned(),
                    automation: Some(*automation),
                    rule: rule.name.clone(),
                    regulation: kind.as_str().to_owned(),
                    file: file.to_owned(),
                });
            }
        }
    }

    fn compliance(&mut self, file: &str, groups: &[Group<CompliancePolicy>]) {
        for group in groups {
            for policy in &group.entries {
                if let Some(span) = policy.retention_period {
                    let by = format!("{file}: {}", policy.name);
                    self.retention.push((span, by));
                }
                self.add(Control {
                    name: policy.name.clone(),
                    automation: None,
                    rule: policy.scope.clone(),
                    regulation: group.name.clone(),
                    file: file.to_owned(),
                });
            }
        }
    }

    /// Every name that evidence can be declared for.
    pub fn names(&self) -> Vec<&str> {
        let own = self.controls.iter().map(|control| control.name.as_str());
        let known = Automation::NAMES.iter().copied();
        crate::ids::distinct(own.chain(known))
    }
}
