//! A policy document that a user names on the command line, or the one in force.

use crate::cli::Context;
use crate::cli::given::Given;
use crate::policy::{Policy, document};

/// The built-in policy's name on the command line.
const REFERENCE: &str = "reference";

/// Which policy is meant.
pub(super) enum Named<'n> {
    /// The one in force in the workspace.
    InForce,
    /// The built-in one.
    Reference,
    /// A file, or `-` for standard input.
    File(&'n str),
}

impl<'n> Named<'n> {
    pub(super) fn of(name: Option<&'n str>) -> Self {
        match name {
            None => Self::InForce,
            Some(REFERENCE) => Self::Reference,
            Some(file) => Self::File(file),
        }
    }

    /// The policy; `None` where its document is refused, and why is told.
    pub(super) fn policy(self, context: &Context) -> anyhow::Result<Option<Policy>> {
        let parsed = match self {
            Self::Reference => Ok(document::reference()),
            Self::InForce => {
                let loaded = document::load(&context.workspace()?);
                if loaded.problems.is_empty() {
                    Ok(loaded.policy)
                } else {
                    Err(loaded.problems)
                }
            }
            Self::File(path) => {
                let given = Given {
                    path,
                    what: "policy document",
                    expected: "a policy document",
                    limit: document::LIMIT,
                };
                document::parse(path, &given.read()?)
            }
        };
        Ok(match parsed {
            Ok(policy) => Some(policy),
            Err(problems) => {
                context.output.findings(&problems);
                None
            }
        })
    }
}
