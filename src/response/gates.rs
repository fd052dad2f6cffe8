//! Gates: what has to hold before anything may be changed.
//!
//! A pure function of the facts gives every gate, open or closed with its reason, never only the
//! first closed one (D-39). A fact that can't be read closes its gate. The facts come from
//! [`super::facts`].

use chrono::TimeDelta;
use serde::Serialize;

use crate::policy::Level;
use crate::policy::freeze::{Mode, Standing};
use crate::record::journal::is_late;
use crate::safeguard::brake::BrakeFact;
use crate::safeguard::unlocks::UnlockFact;
use crate::time::{Timestamp, in_words};

/// What could be found out about one thing, or why it could not.
pub type Fact<T> = Result<T, String>;

/// The decision that is responded to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DecisionFact {
    /// Its level.
    pub level: Level,
    /// When it was made.
    pub at: Timestamp,
    /// True where the user gave the time.
    pub given_clock: bool,
}

/// An apply of the same plan that was made before.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AppliedFact {
    /// When.
    pub at: Timestamp,
    /// For whom.
    pub user: String,
    /// Its id.
    pub response_id: String,
}

/// What the policy in force says about applies at this time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FreezeFact {
    /// Where it was found: name and version of the policy.
    pub policy: String,
    /// How many freeze windows that declares.
    pub windows: usize,
    /// How things stand.
    pub standing: Standing,
}

/// The last dry run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PreviewFact {
    /// When it was made.
    pub at: Timestamp,
    /// True where it previewed this very plan.
    pub same_plan: bool,
    /// True where every gate was open then.
    pub passed: bool,
}

/// What is asked of an apply that nobody watches.
#[derive(Debug, Clone)]
pub struct Unattended {
    /// The value of `POLICY_AUTO_APPLY`; only `true` switches on.
    pub switch: Option<String>,
    /// The last dry run; `None` where there was none.
    pub preview: Fact<Option<PreviewFact>>,
}

/// Who approved this very plan, or why nobody did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ApproverFact {
    /// Somebody did.
    Approved {
        /// `approval` or `override`.
        how: &'static str,
        /// Its id.
        id: String,
        /// Who.
        by: String,
        /// When it is over.
        until: Timestamp,
    },
    /// Nobody did.
    Missing(String),
    /// The override that was shown can't be used: a stable word for why, and the same for a person.
    Refused(&'static str, String),
}

/// The word of an operator, with the reason given.
pub type Word = Option<String>;

/// Everything that the gates ask for.
#[derive(Debug, Clone)]
pub struct Facts {
    /// The time now.
    pub at: Timestamp,
    /// The level that is to be responded to; `None` for a single action that no level called for.
    pub wanted: Option<Level>,
    /// The operator's word that another level than the decided one is to be responded to.
    pub forced: Word,
    /// The operator's word that this plan is to be applied once more, or behind an unknown outcome.
    pub again: Word,
    /// Why the kill switch is on; `None` while it is off.
    pub kill_switch: Option<String>,
    /// What was looked at in the journals, or what is wrong with them.
    pub journals: Fact<String>,
    /// The protected files: what was looked at, or what is wrong with them.
    pub policy_lock: Fact<String>,
    /// The last decision; `None` where there is none.
    pub decision: Fact<Option<DecisionFact>>,
    /// Is the trust guard's lock set? `None` where no file says.
    pub trust_locked: Fact<Option<bool>>,
    /// The brake; `None` where there is no file.
    pub brake: Fact<Option<BrakeFact>>,
    /// When the trust guard's lock can open by itself, where it is set.
    pub trust_opens: Option<Timestamp>,
    /// Own applies and adaptive responses in the last 24 hours.
    pub responses: Fact<u64>,
    /// When the own ones among them were made, the latest first.
    pub applies: Vec<Timestamp>,
    /// Manual unlocks.
    pub unlocks: Fact<UnlockFact>,
    /// The freeze windows of the policy in force.
    pub freeze: Fact<FreezeFact>,
    /// Who holds the lock of applies, where another does.
    pub other_apply: Fact<Option<String>>,
    /// Actions whose outcome nobody knows, but for those that the operator's word is about.
    pub unsettled: Fact<Vec<String>>,
    /// The apply of this very plan that was made already.
    pub applied: Fact<Option<AppliedFact>>,
    /// What an unattended apply needs; `None` for one by hand.
    pub unattended: Option<Unattended>,
    /// True under `ENV=production`.
    pub production: bool,
    /// The second person; only asked for where the gate is.
    pub approver: Fact<ApproverFact>,
    /// True where a signing secret is set.
    pub has_key: bool,
}

/// One gate.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Gate {
    /// Its stable name.
    pub name: &'static str,
    /// True where it lets pass.
    pub open: bool,
    /// A stable word for why it is closed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// What was found.
    pub detail: String,
    /// The earliest time at which it opens by itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub opens_at: Option<Timestamp>,
}

impl Gate {
    fn open(name: &'static str, detail: impl Into<String>) -> Self {
        Self {
            name,
            open: true,
            reason: None,
            detail: detail.into(),
            opens_at: None,
        }
    }

    fn closed(name: &'static str, reason: impl Into<String>, detail: impl Into<String>) -> Self {
        Self {
            name,
            open: false,
            reason: Some(reason.into()),
            detail: detail.into(),
            opens_at: None,
        }
    }

    /// What can't be read is closed (D-41).
    fn unreadable(name: &'static str, why: &str) -> Self {
        Self::closed(name, "gate_unreadable", why)
    }
}

/// The gates that only an unattended apply, or one in production, has.
pub const UNATTENDED: [&str; 3] = ["auto_apply", "preview", "approver"];

/// The gates that are asked again before every action of an apply. The others are about the apply as
/// a whole, which has begun.
pub const STANDING: [&str; 10] = [
    "kill_switch",
    "journals",
    POLICY_LOCK,
    "decision_fresh",
    "level",
    "trust_unlocked",
    "safety_brake_off",
    "manual_unlocks",
    "freeze",
    "signing_secret",
];

/// Every gate, in a fixed order.
pub fn evaluate(facts: &Facts) -> Vec<Gate> {
    let mut gates = vec![kill_switch(facts), journals(facts), policy_lock(facts)];
    if let Some(wanted) = &facts.wanted {
        gates.extend([decision(facts), level(facts, wanted)]);
    }
    gates.extend([
        trust(facts),
        brake(facts),
        rate(facts),
        unlocks(facts),
        freeze(facts),
        signing(facts),
        other_apply(facts),
        settled(facts),
    ]);
    if facts.wanted.is_some() {
        gates.push(once(facts));
    }
    if let Some(unattended) = &facts.unattended {
        gates.extend([auto_apply(unattended), preview(facts, unattended)]);
    }
    if facts.unattended.is_some() || facts.production {
        gates.push(approver(&facts.approver));
    }
    gates
}

/// Proof that every gate was open. Nothing is applied without one.
#[derive(Debug)]
pub struct Permit(());

/// The permit of these gates; `None` where one of them is closed.
pub fn permit(gates: &[Gate]) -> Option<Permit> {
    gates.iter().all(|gate| gate.open).then_some(Permit(()))
}

/// Who approved, where that was asked for and somebody did.
pub fn approved(gates: &[Gate]) -> Option<&str> {
    let mut gates = gates.iter();
    let gate = gates.find(|gate| gate.name == "approver" && gate.open);
    gate.map(|gate| gate.detail.as_str())
}

fn kill_switch(facts: &Facts) -> Gate {
    match &facts.kill_switch {
        None => Gate::open("kill_switch", "off"),
        Some(why) => Gate::closed("kill_switch", "kill_switch_on", why),
    }
}

fn journals(facts: &Facts) -> Gate {
    match &facts.journals {
        Ok(looked_at) => Gate::open("journals", looked_at),
        Err(why) => Gate::closed("journals", "journal_broken", why),
    }
}

/// The gate that tampering with a protected file closes.
pub const POLICY_LOCK: &str = "policy_lock";

fn policy_lock(facts: &Facts) -> Gate {
    match &facts.policy_lock {
        Ok(looked_at) => Gate::open(POLICY_LOCK, looked_at),
        Err(why) => Gate::closed(POLICY_LOCK, "policy_tampered", why),
    }
}

fn decision(facts: &Facts) -> Gate {
    const NAME: &str = "decision_fresh";
    let decision = match &facts.decision {
        Err(why) => return Gate::unreadable(NAME, why),
        Ok(None) => {
            let help = "nothing was decided here yet: `policy-orchestrator run` decides";
            return Gate::closed(NAME, "decision_missing", help);
        }
        Ok(Some(decision)) => decision,
    };
    let age = facts.at.since(decision.at);
    if decision.given_clock {
        let detail = "the last decision was made with --at, which never counts as fresh";
        return Gate::closed(NAME, "decision_with_given_clock", detail);
    }
    if age < TimeDelta::zero() {
        let detail = format!("decided at {}, which is in the future", decision.at);
        return Gate {
            opens_at: Some(decision.at),
            ..Gate::closed(NAME, "decision_in_future", detail)
        };
    }
    let detail = format!("decided {} ago", in_words(age));
    if is_late(decision.at, facts.at) {
        return Gate::closed(
            NAME,
            "decision_stale",
            format!("{detail}; at most 26 h are fresh: `run` decides anew"),
        );
    }
    Gate::open(NAME, detail)
}

fn level(facts: &Facts, wanted: &Level) -> Gate {
    const NAME: &str = "level";
    match &facts.decision {
        Err(why) => Gate::unreadable(NAME, why),
        Ok(None) => Gate::closed(NAME, "decision_missing", "no level was decided yet"),
        Ok(Some(decision)) if decision.level == *wanted => {
            Gate::open(NAME, format!("{} was decided", decision.level))
        }
        Ok(Some(decision)) => {
            let detail = format!("{} was decided, {wanted} is asked for", decision.level);
            match &facts.forced {
                Some(reason) => Gate::open(NAME, format!("{detail}; forced: {reason}")),
                None => Gate::closed(
                    NAME,
                    "level_differs",
                    format!("{detail}; `--force-level --reason TEXT` forces it"),
                ),
            }
        }
    }
}

fn trust(facts: &Facts) -> Gate {
    const NAME: &str = "trust_unlocked";
    match &facts.trust_locked {
        Err(why) => Gate::unreadable(NAME, why),
        Ok(None) => Gate::closed(
            NAME,
            "trust_guard_missing",
            "no trust lock file is there; `trust enforce` makes it",
        ),
        Ok(Some(true)) => Gate {
            opens_at: facts.trust_opens.filter(|opens| *opens > facts.at),
            ..Gate::closed(
                NAME,
                "trust_guard_locked",
                "the trust guard's lock is set; `trust force-unlock --reason TEXT` opens it",
            )
        },
        Ok(Some(false)) => Gate::open(NAME, "unlocked"),
    }
}

fn brake(facts: &Facts) -> Gate {
    const NAME: &str = "safety_brake_off";
    match &facts.brake {
        Err(why) => Gate::unreadable(NAME, why),
        Ok(None) => Gate::closed(
            NAME,
            "safety_brake_missing",
            "no brake file is there; `brake reset --reason TEXT` makes it",
        ),
        Ok(Some(brake)) if brake.engaged => Gate::closed(
            NAME,
            "safety_brake_engaged",
            "engaged; `brake reset --reason TEXT` resets it",
        ),
        Ok(Some(_)) => Gate::open(NAME, "off"),
    }
}

fn rate(facts: &Facts) -> Gate {
    const NAME: &str = "rate_limit";
    let brake = match &facts.brake {
        Err(why) => return Gate::unreadable(NAME, why),
        Ok(None) => {
            return Gate::closed(
                NAME,
                "safety_brake_missing",
                "no brake file counts; `brake reset --reason TEXT` makes it",
            );
        }
        Ok(Some(brake)) => brake,
    };
    match &facts.responses {
        Err(why) => Gate::unreadable(NAME, why),
        Ok(responses) => {
            let count = brake.counted.max(*responses);
            let detail = format!("{count} of {} in 24 h", brake.allowed);
            if count < brake.allowed {
                return Gate::open(NAME, detail);
            }
            let reason = format!("rate_limit_exceeded_{count}/{}", brake.allowed);
            Gate {
                opens_at: falls_below(facts, brake),
                ..Gate::closed(NAME, reason, detail)
            }
        }
    }
}

/// When enough own applies are older than a day, at the latest; `None` where they are not what the
/// limit is reached by.
fn falls_below(facts: &Facts, brake: &BrakeFact) -> Option<Timestamp> {
    let count = *facts.responses.as_ref().ok()?;
    if brake.counted >= brake.allowed {
        return None;
    }
    let too_many = usize::try_from(count + 1 - brake.allowed).ok()?;
    let last_to_go = facts.applies.len().checked_sub(too_many)?;
    let made = facts.applies.get(last_to_go)?;
    Some(made.plus_seconds(WINDOW_SECONDS))
}

fn unlocks(facts: &Facts) -> Gate {
    const NAME: &str = "manual_unlocks";
    match &facts.unlocks {
        Err(why) => Gate::unreadable(NAME, why),
        Ok(count) => {
            let UnlockFact { today, allowed } = count;
            let detail = format!("{today} of {allowed} today");
            if !count.is_used_up() {
                return Gate::open(NAME, detail);
            }
            let reason = format!("manual_unlock_limit_{today}/{allowed}");
            Gate {
                opens_at: Some(facts.at.next_day()),
                ..Gate::closed(NAME, reason, detail)
            }
        }
    }
}

fn freeze(facts: &Facts) -> Gate {
    const NAME: &str = "freeze";
    let fact = match &facts.freeze {
        Err(why) => return Gate::unreadable(NAME, why),
        Ok(fact) => fact,
    };
    let FreezeFact {
        policy, windows, ..
    } = fact;
    let Standing::Frozen {
        by,
        mode,
        reason,
        until,
    } = &fact.standing
    else {
        let found = match windows {
            0 => "no freeze window is declared".to_owned(),
            count => format!("freeze windows: {count}, none in the way"),
        };
        return Gate::open(NAME, format!("{policy}: {found}"));
    };
    let (why, found) = match mode {
        Mode::Deny => ("frozen", format!("in the window `{by}`: {reason}")),
        Mode::Allow => (
            "outside_windows",
            format!("outside every window that allows, `{by}` comes next: {reason}"),
        ),
    };
    let end = match until {
        Some(_) => "",
        None => "; no end was found within a year",
    };
    Gate {
        opens_at: *until,
        ..Gate::closed(NAME, why, format!("{policy}: {found}{end}"))
    }
}

fn signing(facts: &Facts) -> Gate {
    const NAME: &str = "signing_secret";
    match (facts.has_key, facts.production) {
        (true, _) => Gate::open(NAME, "set"),
        (false, false) => Gate::open(NAME, "not set: records are unsigned"),
        (false, true) => Gate::closed(
            NAME,
            "signing_secret_missing",
            "ENV=production, and no POLICY_AUDIT_SECRET is set",
        ),
    }
}

fn other_apply(facts: &Facts) -> Gate {
    const NAME: &str = "no_other_apply";
    match &facts.other_apply {
        Err(why) => Gate::unreadable(NAME, why),
        Ok(None) => Gate::open(NAME, "no other apply or undo is under way"),
        Ok(Some(holder)) => Gate::closed(
            NAME,
            "apply_under_way",
            format!("{holder} is applying or undoing"),
        ),
    }
}

fn settled(facts: &Facts) -> Gate {
    const NAME: &str = "settled";
    let unsettled = match &facts.unsettled {
        Err(why) => return Gate::unreadable(NAME, why),
        Ok(unsettled) if unsettled.is_empty() => {
            return Gate::open(NAME, "every action that was begun has a known outcome");
        }
        Ok(unsettled) => unsettled.join(", "),
    };
    Gate::closed(
        NAME,
        "outcome_unknown",
        format!(
            "nobody knows what these did: {unsettled}; `undo run ID` takes them back, `undo accept ID --reason TEXT` lets them stand, `--again --reason TEXT` does these very actions once more"
        ),
    )
}

fn once(facts: &Facts) -> Gate {
    const NAME: &str = "once";
    let applied = match &facts.applied {
        Err(why) => return Gate::unreadable(NAME, why),
        Ok(None) => return Gate::open(NAME, "this plan was not applied yet"),
        Ok(Some(applied)) => applied,
    };
    let detail = format!(
        "this plan was applied at {} by {} ({})",
        applied.at.human(),
        applied.user,
        applied.response_id
    );
    match &facts.again {
        Some(reason) => Gate::open(NAME, format!("{detail}; again: {reason}")),
        None => Gate::closed(
            NAME,
            "already_applied",
            format!("{detail}; `--again --reason TEXT` applies it once more"),
        ),
    }
}

fn auto_apply(unattended: &Unattended) -> Gate {
    const NAME: &str = "auto_apply";
    match unattended.switch.as_deref() {
        Some("true") => Gate::open(NAME, "POLICY_AUTO_APPLY is `true`"),
        None => Gate::closed(NAME, "auto_apply_off", "POLICY_AUTO_APPLY is not set"),
        Some(_) => Gate::closed(
            NAME,
            "auto_apply_off",
            "POLICY_AUTO_APPLY is something else than `true`",
        ),
    }
}

/// The window of the rate limit, in seconds (OR-14).
const WINDOW_SECONDS: i64 = 86_400;

/// How long a dry run speaks for a plan.
const PREVIEW_LASTS: TimeDelta = TimeDelta::hours(24);

fn preview(facts: &Facts, unattended: &Unattended) -> Gate {
    const NAME: &str = "preview";
    let closed = |reason: &str, detail: &str| {
        let detail = format!("dry-run or signature missing: {detail}");
        Gate::closed(NAME, reason, detail)
    };
    let preview = match &unattended.preview {
        Err(why) => return Gate::unreadable(NAME, why),
        Ok(None) => return closed("preview_missing", "no dry run was made"),
        Ok(Some(preview)) => preview,
    };
    let age = facts.at.since(preview.at);
    if !preview.same_plan {
        return closed("preview_differs", "the last dry run was of another plan");
    }
    if !preview.passed {
        return closed("preview_blocked", "a gate was closed in the last dry run");
    }
    if age < TimeDelta::zero() || age > PREVIEW_LASTS {
        return closed("preview_stale", "the last dry run is not of the last 24 h");
    }
    Gate::open(NAME, format!("previewed {} ago", in_words(age)))
}

fn approver(fact: &Fact<ApproverFact>) -> Gate {
    const NAME: &str = "approver";
    match fact {
        Err(why) => Gate::unreadable(NAME, why),
        Ok(ApproverFact::Approved { how, id, by, until }) => {
            Gate::open(NAME, format!("{how} {id} by {by}, until {until}"))
        }
        Ok(ApproverFact::Missing(why)) => Gate::closed(
            NAME,
            "approver_missing",
            format!("manual approval required, and no approver is on record: {why}"),
        ),
        Ok(ApproverFact::Refused(reason, why)) => Gate::closed(NAME, *reason, why),
    }
}

#[cfg(test)]
mod tests;
