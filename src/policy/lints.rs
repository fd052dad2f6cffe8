//! Lints: what is unwise in a policy document that has no errors.
//!
//! One file for each, with its name, its severity, why it matters, and two examples of which the
//! tests know that the first is told of and the second is not. docs/lints.md is made from them. A
//! lint is given the policy, the places of its parts and a time; no file and no clock is known here.

mod always_stale;
mod assumed_healthy;
mod covered_trigger;
mod duplicate_condition;
mod green_unreachable;
mod held_too_long;
mod looks_like_fraction;
mod median_never_full;
mod never_fires;
mod no_max_age;
mod no_red;
mod plain_comparison;
mod signal_not_listed;
#[cfg(test)]
mod tests;
mod trust_not_listed;
mod undescribed;
mod unused_level;
mod unwatched_signal;
mod waiver_expired;
mod waiver_expires_soon;
mod waiver_too_long;
mod window_never_opens;

use serde::Serialize;

use super::outline::{Outline, Part};
use super::{Policy, Waiver};
use crate::diagnostic::Place;
use crate::time::Timestamp;

/// How grave a remark is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Grade {
    /// Worth a thought.
    Note,
    /// Almost certainly not what was meant, or dangerous.
    Warning,
}

/// A lint.
#[derive(Debug)]
pub struct Lint {
    /// The stable name, in kebab-case.
    pub name: &'static str,
    /// How grave what it finds is.
    pub grade: Grade,
    /// What it finds, in a line.
    pub finds: &'static str,
    /// Why that matters.
    pub why: &'static str,
    /// What stands under `spec` of a document that it tells of.
    pub wrong: &'static str,
    /// The same put right.
    pub right: &'static str,
    look: fn(&Subject<'_>) -> Vec<Remark>,
}

/// What a lint looks at.
struct Subject<'s> {
    policy: &'s Policy,
    outline: &'s Outline,
    at: Timestamp,
}

impl Subject<'_> {
    fn place(&self, part: &Part) -> Option<Place> {
        self.outline.place(part)
    }

    /// A remark at the end of every waiver of which `say` has something to say: message, what was
    /// expected, help.
    fn at_waivers(
        &self,
        lint: &'static Lint,
        say: impl Fn(&Waiver) -> Option<[String; 3]>,
    ) -> Vec<Remark> {
        let remark = |waiver: &Waiver| {
            let [message, expected, help] = say(waiver)?;
            Some(Remark {
                lint,
                place: self.place(&Part::Expiry(waiver.trigger.clone()))?,
                message,
                found: format!("an end at {}", waiver.expires.human()),
                expected,
                help,
            })
        };
        self.policy.waivers().iter().filter_map(remark).collect()
    }
}

/// What a lint has found, complete.
#[derive(Debug, Clone)]
pub struct Remark {
    /// Which lint.
    pub lint: &'static Lint,
    /// Where.
    pub place: Place,
    /// What is unwise, in a clause that starts in lower case and ends without a full stop.
    pub message: String,
    /// What was found.
    pub found: String,
    /// What would have been wise.
    pub expected: String,
    /// What to do.
    pub help: String,
}

/// Every lint, in the order of the documentation.
pub static ALL: &[&Lint] = &[
    &covered_trigger::LINT,
    &duplicate_condition::LINT,
    &never_fires::LINT,
    &green_unreachable::LINT,
    &no_red::LINT,
    &unwatched_signal::LINT,
    &trust_not_listed::LINT,
    &signal_not_listed::LINT,
    &no_max_age::LINT,
    &always_stale::LINT,
    &assumed_healthy::LINT,
    &unused_level::LINT,
    &looks_like_fraction::LINT,
    &plain_comparison::LINT,
    &median_never_full::LINT,
    &held_too_long::LINT,
    &waiver_expired::LINT,
    &waiver_expires_soon::LINT,
    &waiver_too_long::LINT,
    &window_never_opens::LINT,
    &undescribed::LINT,
];

/// Everything that is unwise in a document, in the order of its lines.
pub fn look(policy: &Policy, outline: &Outline, at: Timestamp) -> Vec<Remark> {
    let subject = Subject {
        policy,
        outline,
        at,
    };
    let mut remarks: Vec<Remark> = ALL.iter().flat_map(|lint| (lint.look)(&subject)).collect();
    remarks.sort_by_key(|remark| (remark.place.line, remark.place.column));
    remarks
}
