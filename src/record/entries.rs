//! The journals as one audit log: what a line of each of them is as an entry of eight keys, and all
//! entries by their time, the newest first.
//!
//! Each thing that happened has one line in one journal; here that line gets the keys that all have in
//! common. What it says beyond them is kept under `details`, with the journal and the number, so that
//! the line itself can be looked up. Only as many lines are held as there are journals.

use serde::Serialize;
use serde_json::{Map, Value, json};

use super::audit::Severity;
use super::lines::{BackLines, Role};
use super::{
    AUDIT_LOG, JOURNALS, KILL_LOG, REQUEST_LOG, RESPONSE_JOURNAL, RESPONSE_LOG, SHADOW_LOG,
    SPEND_LOG, STATE_JOURNAL, TRUST_LOG, VERSIONS_LOG,
};
use crate::diagnostic::Checked;
use crate::fs::Workspace;
use crate::ids::{Digest, RunId};
use crate::time::Timestamp;

/// The log of alerts: no journal, but each of its lines is an entry.
const ALERTS_LOG: &str = "logs/policy_orchestration_alerts.jsonl";

/// Who acts where nobody gave a command: a scheduled decision, an alert.
const PROGRAM: &str = "policy-orchestrator";

/// One entry of the audit log.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Entry {
    /// When.
    pub time: Timestamp,
    /// Who, as far as the journal says.
    pub user: String,
    /// What was done, a word in lower case.
    pub action: String,
    /// The digest of the data that it is about; of the line itself, where it names none.
    pub data_sha256: Digest,
    /// The task that it belongs to.
    pub task_id: Option<String>,
    /// What kind of event it is.
    pub event_type: String,
    /// How grave it is.
    pub severity: Severity,
    /// What else the line says.
    pub details: Map<String, Value>,
}

/// Which entries are wanted.
#[derive(Debug, Clone, Default)]
pub struct Filter {
    /// The type, in any case.
    pub event_type: Option<String>,
    /// At least as grave.
    pub severity: Option<Severity>,
    /// From this time on.
    pub since: Option<Timestamp>,
    /// Before this time.
    pub until: Option<Timestamp>,
    /// Of this user.
    pub user: Option<String>,
    /// Of this task.
    pub task: Option<String>,
}

impl Filter {
    fn takes(&self, entry: &Entry) -> bool {
        let is = |wanted: &Option<String>, found: Option<&str>| {
            wanted.as_deref().is_none_or(|wanted| found == Some(wanted))
        };
        let kind = self.event_type.as_deref();
        kind.is_none_or(|kind| kind.eq_ignore_ascii_case(&entry.event_type))
            && self.severity.is_none_or(|least| entry.severity >= least)
            && self.since.is_none_or(|since| entry.time >= since)
            && self.until.is_none_or(|until| entry.time < until)
            && is(&self.user, Some(&entry.user))
            && is(&self.task, entry.task_id.as_deref())
    }
}

/// Hands out the entries that the filter takes, the newest first, while `each` says true.
///
/// Entries of one journal stay in its order, whatever times they tell. Lines that were never finished,
/// and those that are no record, are left out: `audit verify` tells of them.
pub fn newest_first(
    workspace: &Workspace,
    filter: &Filter,
    each: &mut dyn FnMut(&Entry) -> Checked<bool>,
) -> Checked<()> {
    let mut sources = Vec::new();
    for file in JOURNALS.into_iter().chain([ALERTS_LOG]) {
        if let Some(lines) = BackLines::open(workspace, file)? {
            let mut source = Source {
                file,
                lines,
                next: None,
            };
            source.advance()?;
            sources.push(source);
        }
    }
    loop {
        let newest = sources
            .iter_mut()
            .filter(|source| source.next.is_some())
            // The first of those with the same time.
            .rev()
            .max_by_key(|source| source.next.as_ref().map(|entry| entry.time));
        let Some(source) = newest else { return Ok(()) };
        let Some(entry) = source.next.take() else {
            return Ok(());
        };
        if filter.takes(&entry) && !each(&entry)? {
            return Ok(());
        }
        source.advance()?;
    }
}

/// A journal on the way back.
struct Source<'a> {
    file: &'static str,
    lines: BackLines<'a>,
    next: Option<Entry>,
}

impl Source<'_> {
    fn advance(&mut self) -> Checked<()> {
        while let Some(line) = self.lines.next_line()? {
            let entry = if line.ended {
                read(self.file, line.bytes, line.role)
            } else {
                None
            };
            if entry.is_some() {
                self.next = entry;
                return Ok(());
            }
        }
        self.next = None;
        Ok(())
    }
}

/// What a line of this journal is as an entry; `None` for one that is none.
fn read(file: &str, line: &[u8], role: Role) -> Option<Entry> {
    let Ok(Value::Object(members)) = serde_json::from_slice(line) else {
        return None;
    };
    let mut line = Line {
        members,
        sha256: Digest::of(line),
    };
    let time = line.text("time").or_else(|| line.text("timestamp"))?;
    let time = Timestamp::read(&time)?.time;
    let user = line.text("user");
    let (event_type, severity, action) = match role {
        Role::Entry => kind(file, &mut line)?,
        Role::Handover => of_chain("KEY_ROTATED", Severity::High, "rotate_key"),
        Role::Continues => of_chain("JOURNAL_ROTATED", Severity::Low, "rotate"),
        Role::Reseals => of_chain("JOURNAL_RESEALED", Severity::Critical, "reseal"),
    };
    let data_sha256 = line.data(file);
    let task_id = line.task(file);
    Some(Entry {
        time,
        user: user.unwrap_or_else(|| PROGRAM.to_owned()),
        action,
        data_sha256,
        task_id,
        event_type,
        severity,
        details: line.details(file),
    })
}

fn of_chain(kind: &str, severity: Severity, action: &str) -> (String, Severity, String) {
    (kind.to_owned(), severity, action.to_owned())
}

/// The members of a line that are not told yet.
struct Line {
    members: Map<String, Value>,
    sha256: Digest,
}

/// Members that are there for the sake of the chain.
const OF_CHAIN: [&str; 9] = [
    "v", "prev", "doc", "key", "hmac", "old_key", "hmac_old", "standing", "event",
];

impl Line {
    fn text(&mut self, name: &str) -> Option<String> {
        match self.members.remove(name)? {
            Value::String(text) => Some(text),
            _ => None,
        }
    }

    fn peek(&self, name: &str) -> Option<&str> {
        self.members.get(name).and_then(Value::as_str)
    }

    fn is(&self, name: &str) -> bool {
        self.members.get(name) == Some(&Value::Bool(true))
    }

    /// What it is about: a document, a plan, the state of files.
    fn data(&mut self, file: &str) -> Digest {
        let names: &[&str] = match file {
            AUDIT_LOG => &["data_sha256"],
            STATE_JOURNAL => &["doc"],
            VERSIONS_LOG | SHADOW_LOG => &["sha256"],
            RESPONSE_LOG => &["plan"],
            REQUEST_LOG => &["request_sha256"],
            SPEND_LOG => &["intent"],
            RESPONSE_JOURNAL => &["post", "pre", "plan", "kept", "sha256_after"],
            _ => &[],
        };
        let named = names
            .iter()
            .find_map(|name| self.peek(name).and_then(Digest::parse));
        if file == AUDIT_LOG {
            self.members.remove("data_sha256");
        }
        named.unwrap_or(self.sha256)
    }

    fn task(&mut self, file: &str) -> Option<String> {
        match file {
            AUDIT_LOG => self.text("task_id"),
            RESPONSE_JOURNAL => self.text("id"),
            RESPONSE_LOG => self.text("response_id"),
            VERSIONS_LOG | SHADOW_LOG => self.peek("version").map(str::to_owned),
            _ => None,
        }
    }

    /// The rest, with where it stands. An event's own details are told as they are.
    fn details(mut self, file: &str) -> Map<String, Value> {
        let number = self
            .members
            .remove("seq")
            .or_else(|| self.members.remove("number"));
        for name in OF_CHAIN {
            self.members.remove(name);
        }
        let own = match (file, self.members.remove("details")) {
            (AUDIT_LOG, Some(Value::Object(own))) => Some(own),
            (_, Some(other)) => {
                self.members.insert("details".to_owned(), other);
                None
            }
            (_, None) => None,
        };
        let mut details = own.unwrap_or_default();
        for (name, value) in self.members {
            details.entry(name).or_insert(value);
        }
        if file == STATE_JOURNAL {
            let follows = RunId::of_line(&self.sha256);
            details.entry("run_id").or_insert_with(|| json!(follows));
        }
        details.insert("journal".to_owned(), json!(file));
        if let Some(number) = number {
            details.insert("number".to_owned(), number);
        }
        details
    }
}

/// Type, severity and action of a line.
fn kind(file: &str, line: &mut Line) -> Option<(String, Severity, String)> {
    use Severity::{Critical, High, Low, Medium};
    let told =
        |kind: &str, severity, action: &str| Some((kind.to_owned(), severity, action.to_owned()));
    match file {
        AUDIT_LOG => {
            let severity = line.text("severity")?.parse().ok()?;
            Some((line.text("event_type")?, severity, line.text("action")?))
        }
        STATE_JOURNAL => match line.peek("policy")? {
            "GREEN" => told("POLICY_CHECK", Low, "decide"),
            "RED" => told("POLICY_CHECK", High, "decide"),
            _ => told("POLICY_CHECK", Medium, "decide"),
        },
        SHADOW_LOG => told("POLICY_SHADOW_CHECK", Low, "decide_in_the_shadow"),
        SPEND_LOG => {
            let event = line.text("event")?;
            Some((event.clone(), Medium, event.to_ascii_lowercase()))
        }
        RESPONSE_LOG if line.is("blocked") => told("RESPONSE_BLOCKED", Medium, "respond"),
        RESPONSE_LOG => told("RESPONSE_APPLIED", Medium, "respond"),
        KILL_LOG if line.is("on") => told("KILL_SWITCH_ON", Critical, "kill_on"),
        KILL_LOG => told("KILL_SWITCH_OFF", High, "kill_off"),
        REQUEST_LOG => match line.text("event")?.as_str() {
            "request_allowed" => told("REQUEST_ALLOWED", Low, "decide"),
            "request_waits" => told("REQUEST_WAITS", Low, "decide"),
            _ => told("REQUEST_DENIED", Medium, "decide"),
        },
        ALERTS_LOG => {
            let event = line.text("event")?;
            let severity = line.text("severity").and_then(|word| word.parse().ok());
            let severity = match event.as_str() {
                "resolved" => Low,
                _ => severity.unwrap_or(Medium),
            };
            Some((prefixed("ALERT", &event), severity, "alert".to_owned()))
        }
        TRUST_LOG => {
            let event = line.text("event")?;
            let severity = match event.as_str() {
                "state_update" | "counter_reset" => Low,
                "bypass" | "unlock_limit_exceeded" => Critical,
                _ => High,
            };
            Some((prefixed("TRUST", &event), severity, event))
        }
        VERSIONS_LOG => {
            let event = line.text("event")?;
            let severity = match event.as_str() {
                "policy_promoted" | "policy_rolled_back" => High,
                _ => Medium,
            };
            Some((upper(&event), severity, event))
        }
        _ => of_response(line),
    }
}

/// A line of the journal of responses.
fn of_response(line: &mut Line) -> Option<(String, Severity, String)> {
    let event = line.text("event")?;
    let action = line.text("action").unwrap_or_else(|| event.clone());
    let (kind, severity) = match event.as_str() {
        "intent" | "undo_intent" => ("TASK_EXECUTION".to_owned(), Severity::Medium),
        "workflow_exec" => {
            let result = line.members.get("result");
            let ended_well = result.and_then(|result| result.get("success"));
            if ended_well == Some(&Value::Bool(true)) {
                ("TASK_SUCCESS".to_owned(), Severity::Low)
            } else {
                ("TASK_FAILURE".to_owned(), Severity::High)
            }
        }
        "undo" => ("TASK_SUCCESS".to_owned(), Severity::Medium),
        "interrupted" => ("TASK_FAILURE".to_owned(), Severity::High),
        "brake_engaged" | "brake_reset" => (upper(&event), Severity::High),
        _ => (upper(&event), Severity::Low),
    };
    Some((kind, severity, action))
}

fn upper(event: &str) -> String {
    event.to_ascii_uppercase()
}

fn prefixed(prefix: &str, event: &str) -> String {
    format!("{prefix}_{}", upper(event))
}
