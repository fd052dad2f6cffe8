//! Compliance: what evidence a workspace has of the controls that its documents ask for, what broke
//! its rules, and what to do. Never whether a law is kept: no program can know that.
//!
//! [`controls`] are what the documents of [`documents`] ask for; [`evidence`] is what people declare,
//! [`tally`] what the record shows, [`checks`] what checks left behind. [`report`] and [`analytics`]
//! put them together (pure). How long records are kept is in [`retention`]. Nothing is written here.

pub mod access;
pub mod analytics;
pub mod checks;
mod consent;
pub mod controls;
pub mod documents;
pub mod evidence;
pub mod report;
pub mod retention;
pub mod tally;
pub mod violations;

use serde::Serialize;

use crate::time::Timestamp;

/// A stretch of time: its first moment belongs to it, its last one does not.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Period {
    /// From here on.
    #[cfg_attr(test, schemars(with = "String"))]
    pub since: Timestamp,
    /// Before this.
    #[cfg_attr(test, schemars(with = "String"))]
    pub until: Timestamp,
}

impl Period {
    /// True for a time in it.
    pub fn holds(self, at: Timestamp) -> bool {
        self.since <= at && at < self.until
    }

    /// The one of the same length before it.
    #[must_use]
    pub fn before(self) -> Self {
        Self {
            since: self.since.minus(self.until.since(self.since)),
            until: self.since,
        }
    }

    /// How long it is, in seconds; at least one.
    pub fn seconds(self) -> i64 {
        self.until.since(self.since).num_seconds().max(1)
    }
}

#[cfg(test)]
pub(crate) mod tests {
    /// Holds a schema's copy against the types; `scripts/regenerate` writes it through this.
    #[expect(
        clippy::disallowed_methods,
        reason = "scripts/regenerate writes the copy through this test"
    )]
    pub(crate) fn holds_schema<T: schemars::JsonSchema>(file: &str) {
        let settings = schemars::generate::SchemaSettings::draft2020_12();
        let schema = settings.into_generator().into_root_schema_for::<T>();
        let text = serde_json::to_string_pretty(&schema).unwrap() + "\n";
        if std::env::var_os("POLICY_REGENERATE").is_some() {
            std::fs::write(file, &text).unwrap();
        }
        let committed = std::fs::read_to_string(file).unwrap();
        assert!(committed == text, "run scripts/regenerate");
    }
}
