//! May data of somebody be used for a purpose? Asked before the use, by whoever holds the data (pure).
//!
//! A use is denied unless everything speaks for it: the last that is recorded of the person is a
//! consent that covers the purpose, the purpose is stated, and it needs every field.

use std::collections::BTreeSet;

use serde::Serialize;

use super::consent::{self, GIVEN, WITHDRAWN};
use super::evidence::Purpose;
use super::violations::Kind;
use crate::record::entries::Entry;

/// A use of data.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Use {
    /// Whose data, as a pseudonym.
    pub subject: String,
    /// What for.
    pub purpose: String,
    /// Which fields.
    pub fields: BTreeSet<String>,
}

/// What is recorded last of a person's consent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Consent {
    /// It was given.
    Given,
    /// It was withdrawn.
    Withdrawn,
    /// Nothing is recorded.
    Missing,
}

/// Why a use is denied. The text form is stable.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Reason {
    /// No consent of this person for this purpose is recorded.
    ConsentMissing,
    /// It was withdrawn.
    ConsentWithdrawn,
    /// No document states purposes.
    PurposesNotStated,
    /// The purpose is none of those that are stated.
    PurposeNotStated,
    /// The purpose does not need one of the fields.
    FieldNotNecessary,
}

impl Reason {
    /// In a sentence.
    pub fn in_words(self) -> &'static str {
        match self {
            Self::ConsentMissing => "no consent of this person for this purpose is recorded",
            Self::ConsentWithdrawn => "this person withdrew the consent",
            Self::PurposesNotStated => "policy/evidence.yaml states no purposes",
            Self::PurposeNotStated => "policy/evidence.yaml does not state this purpose",
            Self::FieldNotNecessary => "the purpose does not need every one of these fields",
        }
    }
}

/// Every reason against a use; none where it is allowed.
pub fn reasons(asked: &Use, consent: Consent, purposes: Option<&[Purpose]>) -> Vec<Reason> {
    let mut reasons = Vec::new();
    match consent {
        Consent::Given => {}
        Consent::Withdrawn => reasons.push(Reason::ConsentWithdrawn),
        Consent::Missing => reasons.push(Reason::ConsentMissing),
    }
    let fields: BTreeSet<&str> = asked.fields.iter().map(String::as_str).collect();
    let Some(purposes) = purposes else {
        reasons.push(Reason::PurposesNotStated);
        return reasons;
    };
    match consent::held(Some(&asked.purpose), &fields, purposes) {
        Some(Kind::PurposeNotStated) => reasons.push(Reason::PurposeNotStated),
        Some(_) => reasons.push(Reason::FieldNotNecessary),
        None => {}
    }
    reasons
}

/// What an entry of the audit log says of this person's consent for this purpose; `None` for nothing.
pub fn consent(asked: &Use, entry: &Entry) -> Option<Consent> {
    let about = consent::text(entry, "subject") == Some(asked.subject.as_str())
        && consent::is_about(entry, &asked.purpose);
    match entry.event_type.as_str() {
        GIVEN if about => Some(Consent::Given),
        WITHDRAWN if about => Some(Consent::Withdrawn),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_use_is_denied_unless_everything_speaks_for_it() {
        let purposes = [Purpose {
            name: "billing".to_owned(),
            fields: ["name", "address"].map(str::to_owned).into(),
        }];
        let asked = |purpose: &str, fields: &[&str]| Use {
            subject: "p1".to_owned(),
            purpose: purpose.to_owned(),
            fields: fields.iter().map(|field| (*field).to_owned()).collect(),
        };
        let given = Consent::Given;
        let table: [(Use, Consent, Option<&[Purpose]>, &[Reason]); 8] = [
            (asked("billing", &["name"]), given, Some(&purposes), &[]),
            (asked("billing", &[]), given, Some(&purposes), &[]),
            (
                asked("billing", &["name"]),
                Consent::Withdrawn,
                Some(&purposes),
                &[Reason::ConsentWithdrawn],
            ),
            (
                asked("billing", &["name"]),
                Consent::Missing,
                Some(&purposes),
                &[Reason::ConsentMissing],
            ),
            (
                asked("billing", &["name", "income"]),
                given,
                Some(&purposes),
                &[Reason::FieldNotNecessary],
            ),
            (
                asked("adverts", &["name"]),
                given,
                Some(&purposes),
                &[Reason::PurposeNotStated],
            ),
            (
                asked("billing", &["name"]),
                given,
                None,
                &[Reason::PurposesNotStated],
            ),
            (
                asked("billing", &["name"]),
                Consent::Missing,
                Some(&[]),
                &[Reason::ConsentMissing, Reason::PurposeNotStated],
            ),
        ];
        for (asked, consent, purposes, expected) in table {
            assert_eq!(reasons(&asked, consent, purposes), expected, "{asked:?}");
        }
    }
}
