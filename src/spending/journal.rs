//! The journal of what agents spent, `state/spend_log.jsonl`: its lines.
//!
//! Accounts and metadata are not kept, and personal data in a beneficiary's id is taken out: the digest
//! of the whole payment is there.

use serde::{Deserialize, Serialize};

use super::amount::Amount;
use super::intent::{Intent, Purpose};
use crate::ids::Digest;
use crate::privacy::Redaction;
use crate::time::Timestamp;

/// What was spent.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Spent {
    /// Who.
    pub(super) agent: String,
    /// How much.
    pub(super) amount: Amount,
    /// Of which currency.
    pub(super) currency: String,
    /// The day that it counts for.
    pub(super) day: String,
}

/// What happened.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "SCREAMING_SNAKE_CASE")]
pub(super) enum Event {
    Spent {
        #[serde(flatten)]
        spent: Spent,
        entity: String,
        category: String,
        beneficiary: String,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        country: Option<String>,
        purpose: Purpose,
        intent: Digest,
        policies: Digest,
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        approvals: Vec<String>,
    },
    SpendCancelled {
        #[serde(flatten)]
        spent: Spent,
        intent: Digest,
        reason: String,
    },
}

impl Event {
    pub(super) fn spent(
        intent: &Intent,
        day: String,
        policies: Digest,
        approvals: Vec<String>,
    ) -> Self {
        let redaction = Redaction::new();
        Self::Spent {
            spent: Spent {
                agent: intent.agent_id.clone(),
                amount: intent.amount,
                currency: intent.currency.clone(),
                day,
            },
            entity: redaction.text(&intent.entity_id).into_owned(),
            category: intent.category.clone(),
            beneficiary: redaction.text(&intent.beneficiary.id).into_owned(),
            country: intent.beneficiary.country.clone(),
            purpose: intent.purpose,
            intent: intent.digest(),
            policies,
            approvals,
        }
    }
}

/// A line of the journal.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Line {
    pub(super) timestamp: Timestamp,
    #[serde(flatten)]
    pub(super) event: Event,
    pub(super) id: String,
    pub(super) user: String,
    /// The digest of the sums after this line; of the last line that is appended at once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) sums: Option<Digest>,
}
