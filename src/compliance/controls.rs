//! The status of each control: is there evidence, what was looked at, and what would be evidence
//! (pure). Present, missing or not applicable; whether a law is kept is nobody's claim here.
//!
//! What this program records is evidence of its own acts alone, and each piece says so. Whatever else
//! a control is about has to be declared in `policy/evidence.yaml`, or recorded by whoever does it.

use serde::Serialize;

use super::checks::{Age, Check};
use super::documents::{Asked, Control as Wanted};
use super::evidence::{Artefact, Declared, Evidence, FILE, Looked};
use super::tally::{Seen, Tally};
use super::violations::Kind;
use crate::policy::catalogue::automation::Automation;
use crate::time::Timestamp;

/// Whether there is evidence.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub enum Status {
    /// There is.
    #[serde(rename = "evidence present")]
    Present,
    /// There is none that counts.
    #[serde(rename = "evidence missing")]
    Missing,
    /// No document asks for it, or people declare why it does not apply.
    #[serde(rename = "not applicable")]
    NotApplicable,
}

impl Status {
    /// In words.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Present => "evidence present",
            Self::Missing => "evidence missing",
            Self::NotApplicable => "not applicable",
        }
    }
}

/// Something that was looked at.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct LookedAt {
    /// What.
    pub what: String,
    /// Where an auditor finds it: a file with a line, a path, an address.
    pub at: String,
    /// How often it is there.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub count: Option<u64>,
    /// What was found.
    pub found: String,
    /// Does it count?
    pub counts: bool,
}

/// A control with its status.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Control {
    /// Its name.
    pub control: String,
    /// The rule that it belongs to.
    pub rule: String,
    /// The law or set of rules, by its document.
    pub regulation: String,
    /// The document that asks for it.
    pub document: Option<String>,
    /// Whether there is evidence.
    pub status: Status,
    /// What was looked at.
    pub looked_at: Vec<LookedAt>,
    /// What would be evidence, where it is missing.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub would_be: Option<String>,
}

/// Everything that controls are held against.
#[derive(Debug, Clone, Copy)]
pub struct Ground<'a> {
    /// When.
    pub at: Timestamp,
    /// What documents ask for.
    pub asked: &'a Asked,
    /// What people declare, each with what came of looking at it.
    pub declared: &'a [(Declared, Looked)],
    /// Whether purposes are stated.
    pub evidence: &'a Evidence,
    /// What checks left behind.
    pub checks: &'a [Check],
    /// What is recorded.
    pub tally: &'a Tally<'a>,
    /// Is there a signing key, and are all journals whole and signed to their ends?
    pub signed: bool,
}

/// Events that are evidence.
struct Events {
    /// Their types.
    types: &'static [&'static str],
    /// What they show, and of what.
    shows: &'static str,
}

const fn events(types: &'static [&'static str], shows: &'static str) -> Events {
    Events { types, shows }
}

/// Events that others record are evidence of what they do.
const OTHERS: &str = "recorded by another program with `audit record`";

/// Events that are evidence of an automation.
fn recorded(automation: Automation) -> &'static [Events] {
    match automation {
        Automation::ConsentCheckBeforeProcessing => {
            const {
                &[
                    events(&["CUSTOM_CONSENT_CHECK"], OTHERS),
                    events(
                        &["DATA_ACCESS_ALLOWED", "DATA_ACCESS_DENIED"],
                        "`compliance ask` was asked before data were used",
                    ),
                ]
            }
        }
        Automation::ConsentWithdrawalHandling => {
            const { &[events(&["CUSTOM_CONSENT_WITHDRAWN"], OTHERS)] }
        }
        Automation::ConsentAuditTrail => {
            const {
                &[events(
                    &["CUSTOM_CONSENT_GIVEN", "CUSTOM_CONSENT_WITHDRAWN"],
                    OTHERS,
                )]
            }
        }
        Automation::PurposeValidationBeforeAccess => {
            const {
                &[
                    events(&["CUSTOM_PURPOSE_CHECK"], OTHERS),
                    events(
                        &["DATA_ACCESS_ALLOWED", "DATA_ACCESS_DENIED"],
                        "`compliance ask` held a use against the stated purposes",
                    ),
                ]
            }
        }
        Automation::PurposeChangeNotification => {
            const { &[events(&["CUSTOM_PURPOSE_CHANGED"], OTHERS)] }
        }
        Automation::UnauthorizedUseDetection => {
            const { &[events(&["CUSTOM_UNAUTHORIZED_USE"], OTHERS)] }
        }
        Automation::DataNecessityValidation => {
            const { &[events(&["CUSTOM_NECESSITY_CHECK"], OTHERS)] }
        }
        Automation::ExcessiveDataCollectionPrevention => {
            const { &[events(&["CUSTOM_COLLECTION_REFUSED"], OTHERS)] }
        }
        Automation::PeriodicDataReview => const { &[events(&["CUSTOM_DATA_REVIEW"], OTHERS)] },
        payments => of_payments(payments),
    }
}

/// The same of the automations of payments and banking.
fn of_payments(automation: Automation) -> &'static [Events] {
    match automation {
        Automation::EncryptionEnforcement => {
            const { &[events(&["CUSTOM_ENCRYPTION_CHECK"], OTHERS)] }
        }
        Automation::KeyManagementValidation => {
            const {
                &[
                    events(
                        &["KEY_ROTATED"],
                        "the key of this program's own record was rotated; other keys are not seen here",
                    ),
                    events(&["CUSTOM_KEY_CHECK"], OTHERS),
                ]
            }
        }
        Automation::AccessLogging => const { &[events(&["CUSTOM_DATA_ACCESS"], OTHERS)] },
        Automation::MfaEnforcement => {
            const {
                &[
                    events(
                        &["OVERRIDE_APPROVED"],
                        "an override of this program was given with a one-time code beside a person's name",
                    ),
                    events(
                        &["APPROVAL_GRANTED"],
                        "an approval of this program was signed by a second person",
                    ),
                    events(&["CUSTOM_MFA_CHECK"], OTHERS),
                ]
            }
        }
        Automation::AuthenticationStrengthValidation => {
            const {
                &[
                    events(
                        &["OVERRIDE_REFUSED", "OVERRIDE_LOCKED"],
                        "this program refused a code or a person",
                    ),
                    events(
                        &["APPROVAL_GRANTED", "APPROVAL_REFUSED"],
                        "this program held an approval against the listed key of its approver",
                    ),
                    events(&["CUSTOM_AUTHENTICATION_CHECK"], OTHERS),
                ]
            }
        }
        Automation::SessionManagement => {
            const {
                &[
                    events(
                        &["OVERRIDE_USED"],
                        "an override of this program closed with its one use",
                    ),
                    events(
                        &["APPROVAL_USED", "APPROVAL_EXPIRED"],
                        "an approval of this program ended with its use or its term",
                    ),
                    events(&["CUSTOM_SESSION_CHECK"], OTHERS),
                ]
            }
        }
        _ => &[],
    }
}

/// The check whose PASS is evidence of an automation.
fn checked(automation: Automation) -> Option<(&'static str, &'static str)> {
    match automation {
        Automation::ExcessiveDataCollectionPrevention => Some((
            "P1",
            "personal data are taken out of what this program writes",
        )),
        Automation::KeyManagementValidation => Some((
            "P2",
            "secrets and signing keys of this program are in order",
        )),
        Automation::AccessLogging => Some(("P4", "this program's own acts can be observed")),
        _ => None,
    }
}

/// The control of every document, and the automations that none asks for.
pub fn all(ground: Ground<'_>) -> Vec<Control> {
    let asked = ground.asked.controls.iter();
    let mut controls: Vec<Control> = asked.map(|wanted| one(ground, wanted)).collect();
    for automation in Automation::ALL {
        let name = automation.as_str();
        if !controls.iter().any(|control| control.control == name) {
            controls.push(unasked(*automation));
        }
    }
    controls
}

fn unasked(automation: Automation) -> Control {
    Control {
        control: automation.as_str().to_owned(),
        rule: automation.rule().to_owned(),
        regulation: "none".to_owned(),
        document: None,
        status: Status::NotApplicable,
        looked_at: vec![LookedAt {
            what: "documents that ask for it".to_owned(),
            at: "policy/".to_owned(),
            count: Some(0),
            found: "none asks for it".to_owned(),
            counts: false,
        }],
        would_be: None,
    }
}

fn one(ground: Ground<'_>, wanted: &Wanted) -> Control {
    let of_control = ground
        .declared
        .iter()
        .filter(|(declared, _)| declared.control == wanted.name);
    let declared: Vec<LookedAt> = of_control
        .clone()
        .map(|(declared, looked)| artefact(declared, looked, ground.at))
        .collect();
    let is_waived = of_control.clone().any(|(declared, _)| {
        matches!(declared.artefact, Artefact::NotApplicable { .. })
            && declared.valid_until > ground.at
    });
    let mut looked_at = wanted
        .automation
        .map_or_else(Vec::new, |automation| by_itself(ground, automation));
    looked_at.extend(declared);
    let broken = wanted
        .automation
        .and_then(|automation| breaks(ground, automation));
    let is_present = looked_at.iter().any(|looked| looked.counts) && broken.is_none();
    looked_at.extend(broken);
    let status = if is_waived {
        Status::NotApplicable
    } else if is_present {
        Status::Present
    } else {
        Status::Missing
    };
    Control {
        control: wanted.name.clone(),
        rule: wanted.rule.clone(),
        regulation: wanted.regulation.clone(),
        document: Some(wanted.file.clone()),
        status,
        looked_at,
        would_be: (status == Status::Missing).then(|| would_be(wanted)),
    }
}

/// What this program knows by itself.
fn by_itself(ground: Ground<'_>, automation: Automation) -> Vec<LookedAt> {
    let events = recorded(automation).iter();
    let mut looked: Vec<LookedAt> = events
        .map(|events| event(events, ground.tally.seen(events.types)))
        .collect();
    if let Some((check, shows)) = checked(automation) {
        let found = ground.checks.iter().find(|found| found.check == check);
        looked.push(of_check(check, shows, found, ground.at));
    }
    match automation {
        Automation::AccessLogging => looked.push(record(ground)),
        Automation::UnauthorizedUseDetection | Automation::DataNecessityValidation => {
            looked.push(uses(ground));
        }
        _ => {}
    }
    looked
}

fn event(events: &Events, seen: Option<Seen>) -> LookedAt {
    let what = format!("{}: {}", events.types.join(" or "), events.shows);
    match seen {
        None => LookedAt {
            what,
            at: "the audit log (`policy-orchestrator audit list`)".to_owned(),
            count: Some(0),
            found: "none in the period".to_owned(),
            counts: false,
        },
        Some(Seen { count, latest }) => LookedAt {
            what,
            at: match latest.number {
                Some(number) => format!("{} number {number}", latest.journal),
                None => latest.journal.clone(),
            },
            count: Some(count),
            found: format!("the latest {} by {}", latest.time.human(), latest.user),
            counts: true,
        },
    }
}

fn of_check(check: &str, shows: &str, found: Option<&Check>, at: Timestamp) -> LookedAt {
    let what = format!("check {check}: {shows}");
    match found {
        None => LookedAt {
            what,
            at: format!("reports/logs/{check}.log"),
            count: None,
            found: "no result".to_owned(),
            counts: false,
        },
        Some(found) => LookedAt {
            what,
            at: format!("{}:{}", found.file, found.line),
            count: None,
            found: format!(
                "{}, {}, log sha256 {}",
                found.result,
                match (found.age(at), found.at) {
                    (Age::StaleSince(since), _) => format!("stale since {}", since.human()),
                    (Age::Fresh, Some(run)) => format!("of {}", run.human()),
                    _ => "of a time that its log does not tell".to_owned(),
                },
                found.sha256
            ),
            counts: found.result == "PASS" && found.age(at) == Age::Fresh,
        },
    }
}

/// The record as a log of who did what.
fn record(ground: Ground<'_>) -> LookedAt {
    let entries = ground.tally.entries;
    LookedAt {
        what: "signed journals of what this program decides and does; access to other systems is theirs to log".to_owned(),
        at: "state/".to_owned(),
        count: Some(entries),
        found: if ground.signed {
            "all journals verified, every line signed to the end"
        } else {
            "all journals verified, but without a signature that this key can check"
        }
        .to_owned(),
        counts: ground.signed && entries > 0,
    }
}

/// Uses of data held against what is stated.
fn uses(ground: Ground<'_>) -> LookedAt {
    let held = ground.tally.uses_held();
    LookedAt {
        what: "recorded uses of data (CUSTOM_DATA_ACCESS), held here against the stated purposes and fields".to_owned(),
        at: FILE.to_owned(),
        count: Some(held),
        found: if ground.evidence.purposes.is_some() {
            "purposes are stated".to_owned()
        } else {
            "no purposes are stated".to_owned()
        },
        counts: held > 0,
    }
}

/// What speaks against an automation, whatever evidence there is.
fn breaks(ground: Ground<'_>, automation: Automation) -> Option<LookedAt> {
    let kind = match automation {
        Automation::ConsentWithdrawalHandling => Kind::AccessAfterWithdrawal,
        Automation::PurposeValidationBeforeAccess => Kind::PurposeNotStated,
        Automation::ExcessiveDataCollectionPrevention => Kind::FieldNotNecessary,
        _ => return None,
    };
    let count = ground.tally.found(kind);
    (count > 0).then(|| LookedAt {
        what: format!("{}: {}", kind.as_str(), kind.about()),
        at: "the violations of this report".to_owned(),
        count: Some(count),
        found: "speaks against it, so no other evidence counts".to_owned(),
        counts: false,
    })
}

fn artefact(declared: &Declared, looked: &Looked, at: Timestamp) -> LookedAt {
    let in_time = declared.valid_until > at;
    let (found, holds) = match looked {
        Looked::Verified => ("the file has the declared digest".to_owned(), true),
        Looked::Differs { found } => (format!("the file has another digest: {found}"), false),
        Looked::Gone => ("there is no such file".to_owned(), false),
        Looked::Unreadable { why } => (format!("the file can't be read: {why}"), false),
        Looked::NotFetched => ("declared; nobody fetched it to look".to_owned(), true),
        Looked::None => ("declared not to apply".to_owned(), false),
    };
    let term = if in_time { "valid until" } else { "ran out" };
    LookedAt {
        what: format!(
            "declared by {}, {term} {}",
            declared.owner,
            declared.valid_until.human()
        ),
        at: declared.artefact.at().to_owned(),
        count: None,
        found,
        counts: holds && in_time,
    }
}

fn would_be(wanted: &Wanted) -> String {
    let declared = format!("an artefact that {FILE} declares for {}", wanted.name);
    let Some(automation) = wanted.automation else {
        return declared;
    };
    let types: Vec<&str> = recorded(automation)
        .iter()
        .flat_map(|events| events.types.iter().copied())
        .collect();
    let check = checked(automation).map_or_else(String::new, |(check, _)| {
        format!(", or PASS in reports/logs/{check}.log")
    });
    format!(
        "events {} in the audit log{check}; or {declared}",
        types.join(" or ")
    )
}
