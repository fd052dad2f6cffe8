//! What a workspace says about its Rego: which rules are asked, for which requests, in which dialect,
//! within which limits, and which words their answers may hold.

use std::collections::BTreeSet;
use std::fmt;
use std::time::Duration;

use zeroize::Zeroizing;

use crate::keys::VerifyingKey;
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
    /// Who has to have signed a bundle.
    pub trust: Trust,
}

/// Who has to have signed a bundle, an archive. A directory has no signature.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Trust {
    /// Nobody said. One that is signed is refused: its signature would be believed without a look.
    #[default]
    Unstated,
    /// It is used whether it is signed or not: something else says that it is the right one.
    Unverified,
    /// It has to be signed by this key.
    By {
        /// The key.
        key: Box<Key>,
        /// The scope that it has to be signed for.
        scope: Option<String>,
    },
}

/// What verifies a signature.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Key {
    /// A public key: ES256 or EdDSA.
    Public(VerifyingKey),
    /// A secret: HS256.
    Secret(Secret),
}

/// A secret that is never shown.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(Zeroizing<Vec<u8>>);

impl Secret {
    /// Its bytes.
    pub fn bytes(&self) -> &[u8] {
        &self.0
    }
}

impl From<Zeroizing<Vec<u8>>> for Secret {
    fn from(bytes: Zeroizing<Vec<u8>>) -> Self {
        Self(bytes)
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            root: super::SOURCES.to_owned(),
            entries: Vec::new(),
            dialect: Dialect::default(),
            limits: Limits::default(),
            trust: Trust::default(),
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
