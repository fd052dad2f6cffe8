//! The record: journal, state file, marker and fix branch.
//!
//! The only place that knows the bytes on disk of what the product writes. The append to the
//! journal is the commit point; the state file and the marker are projections of it, and what a
//! kill left behind is mended by the next run. What is recorded is decided in
//! [`crate::decision`].

mod agreement;
pub mod audit;
mod beyond;
pub mod chain;
pub mod checkpoint;
pub mod closing;
pub mod entries;
pub mod eras;
pub mod findings;
pub mod fix_branch;
pub mod fixed;
pub mod heads;
pub mod journal;
pub mod ledger;
pub mod line;
pub mod lines;
pub mod listed;
pub mod marker;
pub mod numbered;
pub mod overrides;
pub mod past;
pub mod policies;
pub mod reseal;
pub mod response_journal;
pub mod rotation;
pub mod segments;
pub mod signing;
mod since;
pub mod state;
pub mod verified;
pub mod verify;
mod whole;

pub use fixed::FixedLine;
pub use journal::{Inspection, JournalTail};
pub use ledger::Records;
pub use line::{Head, RecordedLine};
pub use signing::SigningKey;
pub use state::StoredState;

/// The journal of decisions, relative to the workspace.
pub const STATE_JOURNAL: &str = "state/policy_state_log.jsonl";

/// The log of applied responses, relative to the workspace.
pub const RESPONSE_LOG: &str = "state/policy_response_log.jsonl";

/// The journal of intents, outcomes and undos, relative to the workspace.
pub const RESPONSE_JOURNAL: &str = "state/policy_response_journal.jsonl";

/// The trust guard's journal, relative to the workspace.
pub const TRUST_LOG: &str = "state/trust_lock_log.jsonl";

/// The journal of what became of each version of the policy, relative to the workspace.
pub const VERSIONS_LOG: &str = "state/policy_versions_log.jsonl";

/// The journal of what a staged version would have decided, relative to the workspace.
pub const SHADOW_LOG: &str = "state/policy_shadow_log.jsonl";

/// The kill switch's journal, relative to the workspace.
pub const KILL_LOG: &str = "state/kill_switch_log.jsonl";

/// The journal of what has no journal of its own, relative to the workspace.
pub const AUDIT_LOG: &str = "state/audit.log";

/// The journal of approvals, relative to the workspace.
pub const APPROVAL_LOG: &str = "state/approval_requests.jsonl";

/// The journal of answers to requests, relative to the workspace.
pub const REQUEST_LOG: &str = "state/request_decisions.jsonl";
/// The journal of what agents spent, relative to the workspace.
pub const SPEND_LOG: &str = "state/spend_log.jsonl";

/// The journals that the product may keep in a workspace, the one of decisions first.
pub const JOURNALS: [&str; 11] = [
    STATE_JOURNAL,
    RESPONSE_LOG,
    RESPONSE_JOURNAL,
    TRUST_LOG,
    VERSIONS_LOG,
    SHADOW_LOG,
    KILL_LOG,
    AUDIT_LOG,
    APPROVAL_LOG,
    REQUEST_LOG,
    SPEND_LOG,
];

/// The heads of all journals but that of decisions, whose head is in the state file.
pub const HEADS_FILE: &str = "state/journal_heads.json";

/// Where policy documents are kept under their digest before a line names them.
pub const POLICIES_DIR: &str = "state/policies";

/// How many lines at the end of the journal of decisions are checked by a look at it.
pub const LOOK_BACK: usize = 1000;

/// The longest line that a journal of ours can have; a longer one is none.
pub const LINE_LIMIT: u64 = 1024 * 1024;
