//! Who is told of what happened, after it was recorded and without the workspace lock.
//!
//! The log has every event exactly once; whoever is told gets it at least once: an event stays
//! pending in the state until its hook ended well, and a kill in between tells it again.

use std::ffi::OsString;

use serde::Serialize;

use super::alert::{Name, Severity};
use super::configuration::{Configuration, FILE};
use super::state::{self, AlertState, Channel, Loaded};
use super::tracking::Event;
use super::{hook, webhook};
use crate::diagnostic::{Checked, Code, Diagnostic, Place, readable};
use crate::fs::side_lock::SideLock;
use crate::fs::{LockTimeout, RetryDelays, Workspace, WorkspaceLock};
use crate::time::Timestamp;

/// Held while somebody is told, so that no two runs tell the same: relative to the workspace.
const LOCK: &str = "state/.alerts.lock";

/// What came up while somebody was told is told next, so many times.
const ROUNDS: usize = 5;

/// The longest reason that is shown, in characters.
const SHOWN: usize = 700;

/// Who is told, and with what.
#[derive(Clone, Copy)]
pub(super) struct Telling<'a> {
    pub(super) workspace: &'a Workspace,
    pub(super) configuration: &'a Configuration,
    pub(super) at: Timestamp,
    pub(super) retry: &'a RetryDelays,
    pub(super) lock_timeout: LockTimeout,
    /// Reads a variable of the environment.
    pub(super) variable: fn(&str) -> Option<OsString>,
}

/// The document that a hook gets.
#[derive(Serialize)]
struct Message<'a> {
    schema: u32,
    generated_at: Timestamp,
    events: Vec<&'a Event>,
    open: Vec<OpenName>,
}

/// An alert that is up.
#[derive(Serialize)]
struct OpenName {
    name: Name,
    severity: Severity,
}

/// Tells of everything that is pending. What went wrong comes back; the record stays as it is.
pub(super) fn tell(telling: Telling<'_>) -> Vec<Diagnostic> {
    if channels(telling.configuration).is_empty() {
        return Vec::new();
    }
    let lock = match SideLock::take(telling.workspace, LOCK) {
        Ok(Some(lock)) => lock,
        // That run, or the next one, tells of everything. A hook that looks at the alerts itself
        // comes here too.
        Ok(None) => return Vec::new(),
        Err(problem) => return vec![*problem],
    };
    let mut problems = Vec::new();
    let mut tried = 0;
    for _ in 0..ROUNDS {
        match telling.round(tried, &mut problems) {
            Ok(Some(last)) => tried = last,
            Ok(None) => break,
            Err(problem) => {
                problems.push(*problem);
                break;
            }
        }
    }
    drop(lock);
    problems
}

impl Telling<'_> {
    /// Tells of what is pending with a number above `tried`; the last number, or `None` where
    /// nothing is.
    fn round(self, tried: u64, problems: &mut Vec<Diagnostic>) -> Checked<Option<u64>> {
        let state = self.pending()?;
        let fresh = state
            .pending
            .iter()
            .filter(|pending| pending.event.number > tried);
        let Some(last) = fresh.map(|pending| pending.event.number).max() else {
            return Ok(None);
        };
        let mut told = Vec::new();
        for channel in reachable() {
            let events: Vec<&Event> = state
                .pending
                .iter()
                .filter(|pending| pending.event.number > tried && pending.to.contains(&channel))
                .map(|pending| &pending.event)
                .collect();
            if events.is_empty() {
                continue;
            }
            let numbers: Vec<u64> = events.iter().map(|event| event.number).collect();
            match self.send(channel, self.message(events, &state)) {
                Ok(()) => told.push((channel, numbers)),
                Err(why) => problems.push(failed(channel, numbers.len(), &why)),
            }
        }
        if !told.is_empty() {
            self.settle(&told)?;
        }
        Ok(Some(last))
    }

    fn pending(self) -> Checked<AlertState> {
        match state::load(self.workspace)? {
            Loaded::State(state) => Ok(state),
            Loaded::Absent => Ok(AlertState::default()),
            Loaded::Unreadable(problem) => Err(problem),
        }
    }

    fn message(self, events: Vec<&Event>, state: &AlertState) -> Vec<u8> {
        let open = state.open.iter().map(|open| OpenName {
            name: open.alert.name,
            severity: open.alert.severity,
        });
        let message = Message {
            schema: 1,
            generated_at: self.at,
            events,
            open: open.collect(),
        };
        let mut bytes = serde_json::to_vec(&message).unwrap_or_default();
        bytes.push(b'\n');
        bytes
    }

    fn send(self, channel: Channel, body: Vec<u8>) -> Result<(), String> {
        match (
            channel,
            &self.configuration.hook,
            &self.configuration.webhook,
        ) {
            (Channel::Hook, Some(hook), _) => hook::run(hook, self.workspace, self.variable, body),
            (Channel::Webhook, _, Some(webhook)) => {
                let name = &webhook.url_variable;
                let url = (self.variable)(name)
                    .ok_or_else(|| format!("no address: the variable {name} is not set"))?;
                webhook::post(&url.to_string_lossy(), webhook.timeout, &body)
            }
            // It was configured when the event was recorded, and is no more.
            _ => Ok(()),
        }
    }

    /// Strikes out who was told of what.
    fn settle(self, told: &[(Channel, Vec<u64>)]) -> Checked<()> {
        let _lock =
            WorkspaceLock::acquire(self.workspace, "alerts", self.lock_timeout, self.retry)?;
        let mut state = self.pending()?;
        for (channel, numbers) in told {
            state.was_told(*channel, numbers);
        }
        self.retry
            .retry(|| state::store(self.workspace, &state))
            .map_err(Into::into)
    }
}

/// The channels that this program can tell anything.
fn reachable() -> Vec<Channel> {
    let mut all = Channel::ALL.to_vec();
    all.retain(|channel| *channel != Channel::Webhook || webhook::IS_BUILT);
    all
}

/// The channels that a configuration names.
pub(super) fn channels(configuration: &Configuration) -> Vec<Channel> {
    let hook = configuration.hook.as_ref().map(|_| Channel::Hook);
    let webhook = configuration.webhook.as_ref().map(|_| Channel::Webhook);
    hook.into_iter().chain(webhook).collect()
}

/// The finding for a web hook that this program can't serve.
pub(super) fn not_built(configuration: &Configuration) -> Option<Diagnostic> {
    if webhook::IS_BUILT || configuration.webhook.is_none() {
        return None;
    }
    Some(
        Diagnostic::new(
            Code::FeatureMissing,
            Place::file(FILE).path("$.webhook"),
            "this program was built without web hooks",
        )
        .found("`webhook`, and a build without the feature of that name")
        .expected("a build with it")
        .help("build it with `cargo build --release --features webhook`, or remove `webhook`"),
    )
}

fn failed(channel: Channel, count: usize, why: &str) -> Diagnostic {
    let (path, what) = match channel {
        Channel::Hook => ("$.hook", "the hook"),
        Channel::Webhook => ("$.webhook", "the web hook"),
    };
    let events = if count == 1 { "event" } else { "events" };
    Diagnostic {
        // Longer than what is usually shown: it is all that anybody has.
        found: Some(readable(why, SHOWN)),
        ..Diagnostic::new(
            Code::NotificationFailed,
            Place::file(FILE).path(path),
            format!("{what} was not told of {count} {events}; the next run tries again"),
        )
        .expected("a hook that ends with exit status 0, or an address that answers with 200 to 299")
        .help("mend it; the alerts themselves are recorded")
    }
}

/// The finding for events that nobody will be told of.
pub(super) fn given_up(count: usize) -> Diagnostic {
    Diagnostic::new(
        Code::NotificationFailed,
        Place::file(FILE),
        "the oldest events that nobody could be told of were given up",
    )
    .found(format!(
        "{count} events beyond the {} that are kept",
        state::PENDING
    ))
    .expected("a hook that takes them")
    .help("mend the hook; the log has them all")
}
