//! The documents that policies are written in: which kind one is of, what it says, and what of that
//! is kept here.
//!
//! Most of these documents are other systems'. They are read whole and shown, and a wrong one is
//! refused at its place; what they ask for is kept here only as far as [`standing`] says. The
//! documents that this program decides by are checked by whoever uses them. Nothing here opens a
//! file.

pub mod agent;
pub mod automation;
pub mod compliance;
pub mod conditions;
pub mod conflicts;
pub mod development;
pub mod maturity;
pub mod meta_block;
pub mod module;
mod reader;
mod recognise;
pub mod rego;
pub mod regulation;
pub mod scalpel;
pub mod security_policy;
pub mod shown;
pub mod standing;
pub mod system;
pub mod words;

pub use reader::Group;
pub use recognise::{Found, recognise};
pub use rego::{Fault as RegoFault, faults as rego_faults};
pub use shown::Shown;
pub use standing::{Applied, Standing};

use serde::Serialize;

use crate::diagnostic::Diagnostic;
use reader::Reader;

/// The version that our own documents and those of the same family name.
pub const API_VERSION: &str = "policy.orchestra.v1";

macro_rules! kinds {
    ($($kind:ident = $word:literal, $known_by:literal: $about:literal,)*) => {
        /// What a document is.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
        pub enum Kind {
            $(#[doc = $about] #[serde(rename = $word)] $kind,)*
        }

        impl Kind {
            /// Every kind with its word, what it is known by and what it is, in the order of the
            /// documentation.
            pub const DOCUMENTED: &'static [(Self, &'static str, &'static str, &'static str)] =
                &[$((Self::$kind, $word, $known_by, $about),)*];

            /// The stable word.
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$kind => $word,)* }
            }

            /// What it is, in a clause.
            pub fn about(self) -> &'static str {
                match self { $(Self::$kind => $about,)* }
            }
        }
    };
}

kinds! {
    OrchestrationPolicy = "OrchestrationPolicy", "the path policy/policy.yaml, or `kind: OrchestrationPolicy`": "The policy that decides, as a document of this program",
    Thresholds = "policy_thresholds", "the path policy/policy_thresholds.json, or a JSON object with `red_…` and `yellow_…` thresholds": "The policy that decides, in its small form",
    Responses = "responses", "the path policy/responses.json, or a JSON object with `schema` and `actions` or `builtin`": "The actions that a level calls for",
    Alerts = "alerts", "the path policy/alerts.json, or a JSON object with `schema` and `hook`, `webhook`, `limits` or `level_changes`": "Who is told of alerts, and their limits",
    SecurityPolicy = "SecurityPolicy", "`kind: SecurityPolicy`": "Rules with conditions about requests, in the policy language of policy.orchestra.v1",
    SpendPolicy = "SpendPolicy", "a path below policy/spend, `kind: SpendPolicy`, or a document with `caps` and `msig`": "How much agents may spend, to whom, for what, and from when on a person is asked",
    SystemPolicies = "system_policies", "the key `system_policies`": "Policies for a whole system, by group",
    AgentPolicies = "agent_policies", "the key `agent_policies`": "Policies for agents: what they reach, use and say",
    CompliancePolicies = "compliance_policies", "the key `compliance_policies`": "Policies that a law asks for",
    LgpdCompliance = "lgpd_compliance", "the key `lgpd_compliance`": "Rules of data protection with the names of their automations",
    FinancialCompliance = "financial_compliance", "the key `financial_compliance`": "Rules of payments and banking with the names of their automations",
    PolicyDevelopment = "policy_development", "the key `policy_development`": "The stages that a change of a policy goes through",
    Module = "module", "Markdown that begins with front matter with `module_id`": "A module: what it is, promises, and lets agents do",
    EditingPolicy = "editing_policy", "the path .scalpel/policy.yaml, or `enforcement` with `limits` or `protected`": "What an editing tool may change",
    MetaBlock = "meta_block", "its first line, `<!-- [KFM_META_BLOCK_V2]`": "What a document in Markdown is, who answers for it, and who may read it",
    Rego = "rego", "its first line, `package …`": "A Rego module for Open Policy Agent",
}

/// A document in its typed form.
#[derive(Debug, Clone, PartialEq)]
pub enum Shape {
    /// `system_policies`.
    System(Vec<Group<system::SystemPolicy>>),
    /// `agent_policies`.
    Agent(Vec<Group<agent::AgentPolicy>>),
    /// `compliance_policies`.
    Compliance(Vec<Group<compliance::CompliancePolicy>>),
    /// `lgpd_compliance` or `financial_compliance`.
    Regulation(Vec<Group<regulation::Rule>>),
    /// `policy_development`.
    Development(Vec<development::Stage>),
    /// `kind: SecurityPolicy`.
    Security(security_policy::SecurityPolicy),
    /// `.scalpel/policy.yaml`.
    Editing(scalpel::EditingPolicy),
    /// Front matter and text of a module.
    Module(Box<module::Module>),
    /// The block at the beginning of a document in Markdown.
    MetaBlock(Box<meta_block::MetaBlock>),
    /// A Rego module.
    Rego(rego::Module),
    /// A document that this program decides by: whoever uses it has its typed form.
    Own,
}

impl Shape {
    /// What the document holds, in a clause.
    fn summary(&self) -> String {
        match self {
            Self::System(groups) => grouped(groups, "policy"),
            Self::Agent(groups) => grouped(groups, "policy"),
            Self::Compliance(groups) => grouped(groups, "policy"),
            Self::Regulation(groups) => grouped(groups, "rule"),
            Self::Development(stages) => counted(stages.len(), "stage"),
            Self::Security(policy) => policy.summary(),
            Self::Editing(policy) => policy.summary(),
            Self::Module(module) => module.title.clone(),
            Self::MetaBlock(block) => {
                format!("{}, {}, {}", block.title, block.version, block.status)
            }
            Self::Rego(module) => format!(
                "{}: {}",
                module.package,
                counted(module.rules.len(), "rule")
            ),
            Self::Own => String::new(),
        }
    }
}

/// What a document is and says.
#[derive(Debug, Clone, PartialEq)]
pub struct Account {
    /// Its kind.
    pub kind: Kind,
    /// Its typed form.
    pub shape: Shape,
    /// What it holds, in a clause; may be empty.
    pub summary: String,
    /// Every key.
    pub says: Shown,
    /// What follows from it, by name.
    pub derived: Vec<(&'static str, Shown)>,
    /// What of it is kept, and by whom.
    pub standing: Vec<Applied>,
    /// What is odd about it.
    pub warnings: Vec<Diagnostic>,
}

impl Account {
    fn new(kind: Kind, shape: Shape, says: Shown) -> Self {
        Self {
            kind,
            summary: shape.summary(),
            shape,
            standing: standing::applied(kind, &says),
            says,
            derived: Vec::new(),
            warnings: Vec::new(),
        }
    }

    /// Adds what the document holds, in a clause.
    #[must_use]
    pub fn summary(self, summary: String) -> Self {
        Self { summary, ..self }
    }

    /// Adds what follows from the document.
    #[must_use]
    pub fn derived(mut self, name: &'static str, value: Shown) -> Self {
        self.derived.push((name, value));
        self
    }

    /// Gives the numbers at a path a unit, where the document's form has no room for one.
    #[must_use]
    pub fn unit(mut self, path: &str, unit: &'static str) -> Self {
        self.says.set_unit(path, unit);
        self
    }
}

/// Reads a document of another system. One that this program decides by is only listed: whether it
/// can be used is said by whoever uses it.
pub fn read(found: &Found<'_>) -> Result<Account, Vec<Diagnostic>> {
    let mut reader = Reader::new(found.file, found.text, found.tree.as_ref());
    let shape = shape(&mut reader, found);
    let (warnings, meanings) = reader.finish()?;
    let says = match (&shape, &found.tree) {
        (Some(Shape::Rego(module)), _) => rego::says(module),
        (_, Some(root)) => Shown::with_meanings(root, &meanings),
        (_, None) => found.as_it_stands(),
    };
    let mut account = Account::new(found.kind, shape.unwrap_or(Shape::Own), says);
    account.warnings = warnings;
    if let (Shape::Module(module), Some(root)) = (&account.shape, &found.tree) {
        let maturity = module::derived(root, module);
        account = account.derived("maturity", maturity);
    }
    Ok(account)
}

/// The typed form; `None` only where the reader has an error.
fn shape(reader: &mut Reader<'_>, found: &Found<'_>) -> Option<Shape> {
    if found.kind == Kind::Rego {
        return Some(Shape::Rego(rego::read(reader, found.text)));
    }
    let Some(root) = &found.tree else {
        return Some(Shape::Own);
    };
    match found.kind {
        Kind::SystemPolicies => Some(Shape::System(system::read(reader, root))),
        Kind::AgentPolicies => Some(Shape::Agent(agent::read(reader, root))),
        Kind::CompliancePolicies => Some(Shape::Compliance(compliance::read(reader, root))),
        Kind::LgpdCompliance => {
            let rules = regulation::read(reader, root, regulation::LGPD);
            Some(Shape::Regulation(rules))
        }
        Kind::FinancialCompliance => {
            let rules = regulation::read(reader, root, regulation::FINANCIAL);
            Some(Shape::Regulation(rules))
        }
        Kind::PolicyDevelopment => Some(Shape::Development(development::read(reader, root))),
        Kind::SecurityPolicy => security_policy::read(reader, root).map(Shape::Security),
        Kind::EditingPolicy => scalpel::read(reader, root).map(Shape::Editing),
        Kind::Module => {
            let module = module::read(reader, root, found.body);
            module.map(|module| Shape::Module(Box::new(module)))
        }
        Kind::MetaBlock => {
            let block = meta_block::read(reader, root);
            Some(Shape::MetaBlock(Box::new(block)))
        }
        _ => Some(Shape::Own),
    }
}

fn grouped<T>(groups: &[Group<T>], what: &str) -> String {
    let entries = groups.iter().map(|group| group.entries.len()).sum();
    format!(
        "{} in {}",
        counted(entries, what),
        counted(groups.len(), "group")
    )
}

/// `1 policy`, `2 policies`.
fn counted(count: usize, what: &str) -> String {
    match (count, what.strip_suffix('y')) {
        (1, _) => format!("1 {what}"),
        (_, Some(stem)) => format!("{count} {stem}ies"),
        (_, None) => format!("{count} {what}s"),
    }
}
