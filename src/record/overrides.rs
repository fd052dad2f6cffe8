//! How overrides stand, as every line of `state/audit.log` carries it: so the last line alone tells
//! which one is open and which code was used, however long the log is. What an override may do and
//! when one is given is said in [`crate::approval`].

use serde::{Deserialize, Serialize};

use crate::time::Timestamp;

/// How overrides stand after a line.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Overrides {
    /// The latest time step whose code was accepted: neither it nor one before it counts again.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub step: Option<u64>,
    /// How many wrong codes followed each other.
    #[serde(skip_serializing_if = "is_zero")]
    pub wrong: u32,
    /// No code is looked at before this time.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub locked_until: Option<Timestamp>,
    /// Those that were asked for or given and are not used.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub open: Vec<OpenOverride>,
}

/// An override that was asked for or given, and is not used.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OpenOverride {
    /// Its id, a UUID.
    pub id: String,
    /// The one operation that it is for.
    pub operation: String,
    /// Who asked for it.
    pub requester: String,
    /// Who gave it; `None` while it waits for an answer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub approver: Option<String>,
    /// How long an answer may take, and how long it then lasts.
    pub seconds: i64,
    /// At this time it is over: unanswered, or no longer valid.
    pub until: Timestamp,
}

impl Overrides {
    /// True where there is nothing to say.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// The open one of this id.
    pub fn get(&self, id: &str) -> Option<&OpenOverride> {
        self.open.iter().find(|open| open.id == id)
    }
}

#[expect(
    clippy::trivially_copy_pass_by_ref,
    reason = "the form that serde asks for"
)]
fn is_zero(number: &u32) -> bool {
    *number == 0
}
