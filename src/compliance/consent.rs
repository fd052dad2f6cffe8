//! Consents and uses of data, as other programs record them, walked from the latest one back: was
//! anything used behind a withdrawal, for a purpose that nobody stated, or that its purpose does not
//! need (pure)?

use std::collections::{BTreeMap, BTreeSet};

use super::evidence::Purpose;
use super::violations::{Kind, Spot};
use crate::record::entries::Entry;

/// Somebody consented.
pub(super) const GIVEN: &str = "CUSTOM_CONSENT_GIVEN";
/// Somebody took the consent back.
pub(super) const WITHDRAWN: &str = "CUSTOM_CONSENT_WITHDRAWN";
/// Data of somebody were used.
pub(super) const ACCESS: &str = "CUSTOM_DATA_ACCESS";

/// So many people are followed at a time; beyond, uses are counted as not followed.
const FOLLOWED: usize = 100_000;

/// What was seen so far, the newest first.
#[derive(Debug, Default)]
pub(super) struct Consents {
    /// Uses, by person and purpose, that no older consent has been met for yet.
    open: BTreeMap<(String, String), Vec<Spot>>,
    /// Uses that could not be followed, or name nobody.
    pub(super) not_followed: u64,
    /// Uses that were held against the stated purposes.
    pub(super) held: u64,
}

/// As many uses of a person for a purpose are told.
const TOLD: usize = 5;

impl Consents {
    /// Takes an entry, and hands out what broke a rule. Only uses `within` the period are followed.
    pub(super) fn add(
        &mut self,
        entry: &Entry,
        spot: &dyn Fn() -> Spot,
        purposes: Option<&[Purpose]>,
        within: bool,
        found: &mut dyn FnMut(Kind, Spot),
    ) {
        match entry.event_type.as_str() {
            ACCESS if within => {
                self.follow(entry, spot);
                if let Some(purposes) = purposes {
                    self.held += 1;
                    if let Some(kind) = breaks(entry, purposes) {
                        found(kind, spot());
                    }
                }
            }
            GIVEN => drop(self.close(entry)),
            WITHDRAWN => {
                for used in self.close(entry) {
                    found(Kind::AccessAfterWithdrawal, used);
                }
            }
            _ => {}
        }
    }

    fn follow(&mut self, entry: &Entry, spot: &dyn Fn() -> Spot) {
        let Some(subject) = text(entry, "subject") else {
            self.not_followed += 1;
            return;
        };
        let purpose = text(entry, "purpose").unwrap_or_default();
        let key = (subject.to_owned(), purpose.to_owned());
        if !self.open.contains_key(&key) && self.open.len() >= FOLLOWED {
            self.not_followed += 1;
            return;
        }
        let uses = self.open.entry(key).or_default();
        if uses.len() < TOLD {
            uses.push(spot());
        }
    }

    /// Takes out the uses that a consent or a withdrawal is about.
    fn close(&mut self, entry: &Entry) -> Vec<Spot> {
        let Some(subject) = text(entry, "subject") else {
            return Vec::new();
        };
        let first = (subject.to_owned(), String::new());
        let of_subject = self.open.range(first..).map(|(key, _)| key);
        let keys: Vec<_> = of_subject
            .take_while(|(other, _)| other == subject)
            .filter(|(_, purpose)| is_about(entry, purpose))
            .cloned()
            .collect();
        let closed = keys.iter().filter_map(|key| self.open.remove(key));
        closed.flatten().collect()
    }

    /// Uses of which neither consent nor withdrawal was met, by person and purpose.
    pub(super) fn without_record(&self) -> u64 {
        self.open.len() as u64
    }
}

/// True for a consent or withdrawal for that purpose, or for all.
pub(super) fn is_about(entry: &Entry, purpose: &str) -> bool {
    text(entry, "purpose").is_none_or(|about| about == purpose)
}

pub(super) fn text<'e>(entry: &'e Entry, name: &str) -> Option<&'e str> {
    entry.details.get(name).and_then(serde_json::Value::as_str)
}

fn breaks(entry: &Entry, purposes: &[Purpose]) -> Option<Kind> {
    let fields = entry.details.get("fields").and_then(|list| list.as_array());
    let fields: BTreeSet<&str> = fields
        .into_iter()
        .flatten()
        .map(|field| field.as_str().unwrap_or_default())
        .collect();
    held(text(entry, "purpose"), &fields, purposes)
}

/// Which rule a use breaks.
pub(super) fn held(
    purpose: Option<&str>,
    fields: &BTreeSet<&str>,
    purposes: &[Purpose],
) -> Option<Kind> {
    let stated = purposes
        .iter()
        .find(|stated| Some(stated.name.as_str()) == purpose);
    let Some(stated) = stated else {
        return Some(Kind::PurposeNotStated);
    };
    let is_needed = |field: &&str| stated.fields.contains(*field);
    (!fields.iter().all(is_needed)).then_some(Kind::FieldNotNecessary)
}
