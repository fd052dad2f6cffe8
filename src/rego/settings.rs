//! What a workspace says about its Rego: which rules are asked, for which requests, in which dialect,
//! within which limits, and which words their answers may hold.

use std::collections::BTreeSet;
use std::time::Duration;

use crate::request::{codes, obligation};

/// The dialect of a module that says nothing itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Dialect {
    /// As before version 1 of Open Policy Agent: `allow { … }`, keywords imported.
    V0,
    /// Since version 1: `allow if { … }`.
    #[default]
    V1,
}

impl Dialect {
    /// The dialect of the number that a manifest or a setting gives.
    pub fn of(version: u64) -> Option<Self> {
        match version {
            0 => Some(Self::V0),
            1 => Some(Self::V1),
            _ => None,
        }
    }
}

/// A rule that is asked, and the requests it is asked about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// The rule: `data.kfm.authz.decision`, or a truth value such as `data.orchestra.agent.allow`.
    pub rule: String,
    /// It is asked about requests that have all of these members; about every request where it names
    /// none.
    pub applies_to: Vec<String>,
}

impl Entry {
    /// An entry point that is asked about every request.
    pub fn new(rule: impl Into<String>) -> Self {
        Self {
            rule: rule.into(),
            applies_to: Vec::new(),
        }
    }

    /// The same, asked only about requests that have all of these members.
    #[must_use]
    pub fn about(mut self, members: &[&str]) -> Self {
        let members = members.iter().map(|member| (*member).to_owned());
        self.applies_to.extend(members);
        self
    }
}

/// How much one rule may do before it is a denial.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Instructions of the machine that evaluates. The same everywhere.
    pub instructions: usize,
    /// Time, for what a single instruction may hide. A denial by it depends on the machine.
    pub time: Duration,
    /// Memory in bytes that the process may gain meanwhile, where the machine says how much it has. A
    /// denial by it depends on the machine.
    pub memory: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            instructions: 1_000_000,
            time: Duration::from_secs(2),
            memory: 256 * 1024 * 1024,
        }
    }
}

/// Everything that a workspace sets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// The directory whose data and packages begin at the top.
    pub root: String,
    /// The rules that are asked, in this order. Each that a request concerns has to allow it.
    pub entries: Vec<Entry>,
    /// The dialect of modules in directories, and of bundles that don't name one.
    pub dialect: Dialect,
    /// The limits.
    pub limits: Limits,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            root: super::SOURCES.to_owned(),
            entries: Vec::new(),
            dialect: Dialect::default(),
            limits: Limits::default(),
        }
    }
}

/// The words that an answer may hold. One that holds another is a denial.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Vocabulary {
    /// Labels; any where nobody says.
    pub labels: Option<BTreeSet<String>>,
    /// Types of obligations.
    pub obligations: BTreeSet<String>,
    /// Reason codes.
    pub reason_codes: BTreeSet<String>,
}

impl Default for Vocabulary {
    /// The words that this program gives itself.
    fn default() -> Self {
        let words = |known: &[(&str, &str)]| {
            let words = known.iter().map(|(word, _)| (*word).to_owned());
            words.collect()
        };
        Self {
            labels: None,
            obligations: words(obligation::BUILT_IN),
            reason_codes: words(codes::DOCUMENTED),
        }
    }
}
