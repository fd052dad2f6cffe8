//! The vocabularies, checked: roles, actions, types, fields, labels with their rules, obligations and
//! reason codes. How they are read is the business of [`super::reading`].

pub use super::shape::{Asked, Need, ParameterKind, RuleEffect, Sees, Supplied};

use super::rubric::Rubrics;
use crate::ids::{Digest, ReasonCode};
use crate::request::{Obligation, Point};

/// The layer: everything that an answer by labels rests on.
#[derive(Debug, Clone, PartialEq)]
pub struct Labels {
    pub(super) file: String,
    pub(super) roles: Vec<Role>,
    pub(super) actions: Vec<Action>,
    pub(super) types: Vec<ResourceType>,
    pub(super) fields: Fields,
    pub(super) table: Vec<Label>,
    pub(super) exceptions: Vec<Exception>,
    pub(super) obligations: Vec<ObligationType>,
    pub(super) reasons: Vec<Reason>,
    pub(super) rubrics: Rubrics,
    pub(super) sources: Vec<(String, Digest)>,
}

/// A role.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Role {
    /// Its word.
    pub name: String,
    /// What it means.
    pub meaning: String,
    /// How it is answered where it is denied.
    pub sees: Sees,
}

/// An action.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Action {
    /// Its word.
    pub name: String,
    /// What it means.
    pub meaning: String,
    /// From where it may be asked for.
    pub points: Vec<Point>,
    /// Which evidence it needs.
    pub evidence: Asked,
    /// True where a copy leaves.
    pub leaves: bool,
}

/// A type of resources.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ResourceType {
    /// Its word.
    pub name: String,
    /// What it means.
    pub meaning: String,
    /// The fields of which one has to identify it.
    pub identity: Vec<String>,
    /// True where it makes claims.
    pub cites: bool,
}

/// The fields that a request may have.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Fields {
    /// In `user`.
    pub user: Vec<String>,
    /// In `resource`.
    pub resource: Vec<String>,
    /// In `context`.
    pub context: Vec<String>,
    /// In each entry of `evidence`.
    pub evidence: Vec<String>,
}

/// A label with its part of the table.
#[derive(Debug, Clone, PartialEq)]
pub struct Label {
    /// Its word.
    pub name: String,
    /// What it means.
    pub meaning: String,
    /// The line of its file.
    pub line: u64,
    /// What is allowed and denied.
    pub rules: Vec<Rule>,
    /// What has to be done where it is denied.
    pub denied: Vec<Template>,
    /// What could be asked for instead.
    pub alternatives: Vec<String>,
}

/// A rule of the table.
#[derive(Debug, Clone, PartialEq)]
pub struct Rule {
    /// Its name, once in the table.
    pub id: String,
    /// The line of its file.
    pub line: u64,
    /// What it does.
    pub effect: RuleEffect,
    /// For whom; empty for everybody, in denials only.
    pub roles: Vec<String>,
    /// For what; empty for everything, in denials only.
    pub actions: Vec<String>,
    /// What has to hold beside.
    pub needs: Vec<Need>,
    /// What has to be done with what it allows.
    pub obligations: Vec<Template>,
    /// Why it denies.
    pub code: Option<ReasonCode>,
}

impl Rule {
    /// True where role and action are among its own.
    pub fn names(&self, role: &str, action: &str) -> bool {
        let among = |list: &[String], word: &str| {
            list.is_empty() || list.iter().any(|listed| listed == word)
        };
        among(&self.roles, role) && among(&self.actions, action)
    }
}

/// What the table denies and somebody lets through all the same, with a fixture (row S2-014).
#[derive(Debug, Clone, PartialEq)]
pub struct Exception {
    /// Its name, once in the table.
    pub id: String,
    /// The line of its file.
    pub line: u64,
    /// The label of what it opens.
    pub label: String,
    /// For whom.
    pub principals: Vec<String>,
    /// For what.
    pub actions: Vec<String>,
    /// The last day on which it holds, `yyyy-mm-dd`.
    pub until: crate::time::Timestamp,
    /// The fixture that tests it.
    pub fixture: String,
    /// What has to be done with what it allows.
    pub obligations: Vec<Template>,
}

/// A type of obligations.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ObligationType {
    /// Its word.
    pub kind: String,
    /// What it means.
    pub meaning: String,
    /// What the table writes with it.
    pub parameters: Vec<(String, ParameterKind)>,
    /// What a request supplies to it.
    pub from: Vec<(String, Supplied)>,
}

/// An obligation as the table writes it, with its place in the order of the vocabulary.
#[derive(Debug, Clone, PartialEq)]
pub struct Template {
    /// Its place in the order.
    pub order: usize,
    /// The obligation, with what the table writes.
    pub obligation: Obligation,
}

/// A reason code.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reason {
    /// The code.
    pub code: ReasonCode,
    /// Why.
    pub meaning: String,
    /// What to do about it, without a value of any request.
    pub hint: Option<String>,
}

impl Labels {
    /// The role of a word.
    pub fn role(&self, name: &str) -> Option<&Role> {
        self.roles.iter().find(|role| role.name == name)
    }

    /// The action of a word.
    pub fn action(&self, name: &str) -> Option<&Action> {
        self.actions.iter().find(|action| action.name == name)
    }

    /// The type of a word.
    pub fn resource_type(&self, name: &str) -> Option<&ResourceType> {
        self.types.iter().find(|one| one.name == name)
    }

    /// The label of a word.
    pub fn label(&self, name: &str) -> Option<&Label> {
        self.table.iter().find(|label| label.name == name)
    }

    /// The type of obligations of a word.
    pub fn obligation(&self, kind: &str) -> Option<&ObligationType> {
        self.obligations.iter().find(|one| one.kind == kind)
    }

    /// The reason of a code.
    pub fn reason(&self, code: &str) -> Option<&Reason> {
        self.reasons.iter().find(|one| one.code.as_str() == code)
    }

    /// All roles.
    pub fn roles(&self) -> &[Role] {
        &self.roles
    }

    /// All actions.
    pub fn actions(&self) -> &[Action] {
        &self.actions
    }

    /// All types of resources.
    pub fn types(&self) -> &[ResourceType] {
        &self.types
    }

    /// All labels.
    pub fn labels(&self) -> &[Label] {
        &self.table
    }

    /// All exceptions.
    pub fn exceptions(&self) -> &[Exception] {
        &self.exceptions
    }

    /// All types of obligations, in their order.
    pub fn obligation_types(&self) -> &[ObligationType] {
        &self.obligations
    }

    /// All reason codes: the built-in ones and the workspace's.
    pub fn reasons(&self) -> &[Reason] {
        &self.reasons
    }

    /// The rubrics.
    pub fn rubrics(&self) -> &Rubrics {
        &self.rubrics
    }

    /// The digest of every file that it was made from; empty where all of it is built in.
    pub fn sources(&self) -> &[(String, Digest)] {
        &self.sources
    }

    /// An obligation without parameters of the table, in its place of the order.
    pub(super) fn template(&self, kind: &str) -> Template {
        let order = self.obligations.iter().position(|one| one.kind == kind);
        Template {
            order: order.unwrap_or(self.obligations.len()),
            obligation: Obligation::new(kind),
        }
    }
}
