//! A grant: what an approver signs with a key of their own, in a DSSE envelope.
//!
//! The signature is over everything that the approval says. Whoever holds the secret of the journals
//! can write lines, and still can't make one of these.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::approvers::{Approver, Approvers};
use super::operation::{Operation, Subject};
use crate::keys::PrivateKey;
use crate::keys::dsse::Envelope;
use crate::time::Timestamp;

/// The type of the payload.
pub const PAYLOAD_TYPE: &str = "application/vnd.policy-orchestrator.approval.v1+json";

/// How long a grant lasts at most (OR-37), in seconds: 72 hours.
pub const LASTS: i64 = 72 * 3600;

/// What is signed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Statement {
    /// The id of the request.
    pub id: String,
    /// What for.
    pub operation: Operation,
    /// What exactly.
    pub subject: Subject,
    /// Who asked.
    pub requester: String,
    /// Who approves.
    pub approver: String,
    /// When.
    pub granted_at: Timestamp,
    /// At this time it is over.
    pub expires_at: Timestamp,
}

impl Statement {
    /// The envelope of this statement, signed.
    pub fn sign(&self, key: &PrivateKey) -> Value {
        // Serialising to memory fails for maps with keys that are no text alone; there are none.
        let payload = serde_json::to_vec(self).unwrap_or_default();
        let envelope = Envelope::new(PAYLOAD_TYPE, payload).signed(key);
        serde_json::from_slice(&envelope.to_json()).unwrap_or_default()
    }
}

/// The statement of an envelope and who signed it, where that is who it names; else why not.
pub fn open<'a>(
    envelope: &Value,
    approvers: &'a Approvers,
) -> Result<(Statement, &'a Approver), &'static str> {
    let bytes = serde_json::to_vec(envelope).unwrap_or_default();
    let envelope = Envelope::parse("the grant", &bytes).map_err(|_| "it is no DSSE envelope")?;
    if envelope.payload_type() != PAYLOAD_TYPE {
        return Err("it is an envelope of something else");
    }
    let statement: Statement =
        serde_json::from_slice(envelope.payload()).map_err(|_| "it holds no approval")?;
    let approver = approvers
        .named(&statement.approver)
        .ok_or("its approver is not in the list")?;
    if envelope
        .signers(std::slice::from_ref(&approver.key))
        .is_empty()
    {
        return Err("it is not signed by the key of its approver");
    }
    Ok((statement, approver))
}
