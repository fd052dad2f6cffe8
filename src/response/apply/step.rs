//! One action of an apply: keep, intend, run, look, record.

use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

use chrono::TimeDelta;
use serde::Serialize;

use super::{Launch, Operator};
use crate::diagnostic::{Checked, Code, Diagnostic};
use crate::fs::{ApplyLock, Workspace};
use crate::ids::Digest;
use crate::record::Records;
use crate::record::response_journal::{self, Event, Unsettled};
use crate::response::facts::{self, Depth, Question, Survey};
use crate::response::gates;
use crate::response::log::{self, ActionResult};
use crate::response::plan::{PlannedAction, Work};
use crate::response::process::{self, Ended, Finished, Job};
use crate::response::touched::{self, Before, UNDO_DIR};
use crate::response::undo::file::{FileChange, Outcome, UndoFile};
use crate::safeguard::kill_switch;
use crate::time::{Clock, Timestamp};

/// Variables that every action gets where they are set.
const ENVIRONMENT: [&str; 5] = ["PATH", "HOME", "LANG", "TZ", "TMPDIR"];

/// Variables that native actions get beside: they check signatures, by secrets that may be in Vault.
const NATIVE_ENVIRONMENT: [&str; 14] = [
    "POLICY_AUDIT_SECRET",
    "POLICY_AUDIT_SECRET_FILE",
    "POLICY_AUDIT_SECRET_VAULT",
    "SCALPEL_AUDIT_SECRET",
    "POLICY_AUDIT_OLD_SECRET",
    "POLICY_AUDIT_OLD_SECRET_FILE",
    "POLICY_AUDIT_OLD_SECRET_VAULT",
    "VAULT_ADDR",
    "VAULT_TOKEN",
    "VAULT_TOKEN_FILE",
    "VAULT_NAMESPACE",
    "VAULT_CACERT",
    "VAULT_CLIENT_TIMEOUT",
    "SIMULATION_MODE",
];

pub(super) struct Step<'a> {
    pub(super) operator: Operator<'a>,
    pub(super) response_id: &'a str,
    pub(super) index: usize,
    pub(super) planned: &'a PlannedAction,
    pub(super) launch: Launch<'a>,
    pub(super) lock: &'a ApplyLock,
    pub(super) question: &'a Question<'a>,
}

/// What stood there before, with the undo file of an action that can be taken back.
struct Prepared {
    at: Timestamp,
    before: Before,
    undo: Option<UndoFile>,
}

#[derive(Serialize)]
struct Intent<'a> {
    id: &'a str,
    action: &'a str,
    index: usize,
    command: &'a str,
    reversible: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    pre: Option<Digest>,
    #[serde(skip_serializing_if = "Option::is_none")]
    kept: Option<Digest>,
}

#[derive(Serialize)]
struct Executed<'a> {
    id: &'a str,
    action: &'a str,
    index: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    pre: Option<Digest>,
    #[serde(skip_serializing_if = "Option::is_none")]
    post: Option<Digest>,
    result: &'a ActionResult,
}

impl Step<'_> {
    /// Runs the action; fails where that could not be recorded.
    pub(super) fn run(&self) -> Checked<ActionResult> {
        if let Some(closed) = kill_switch::closed(self.operator.workspace) {
            return Ok(self.left_out(&closed.message));
        }
        if let Some(until) = self.cooling_until()? {
            let text = format!("not started: in its cooldown until {}", until.human());
            return Ok(ActionResult {
                skipped: true,
                ..self.left_out(&text)
            });
        }
        // What is kept may be large: nobody else waits for it.
        let before = match self.look_before() {
            Ok(before) => before,
            Err(finding) if is_about_files(&finding) => {
                return Ok(self.left_out(&format!("not started: {finding}")));
            }
            Err(finding) => return Err(finding),
        };
        let prepared = self.operator.record(|records, at| {
            // Somebody may have closed a gate since the one before was started.
            let closed = self.closed_meanwhile(at);
            let changed = || touched::changed_since_kept(records.workspace, &before);
            match closed.or_else(changed) {
                Some(why) => Ok(Err(why)),
                None => self.prepare(records, at, before).map(Ok),
            }
        })?;
        let prepared = match prepared {
            Ok(prepared) => prepared,
            Err(why) => return Ok(self.left_out(&format!("not started: {why}"))),
        };
        let finished = self.start(prepared.at);
        let found = self.look_after(&prepared.before)?;
        self.operator
            .record(|records, at| self.conclude(records, at, prepared, finished, found))
    }

    /// The result of the action as one that was not started, and why it was not.
    pub(super) fn left_out(&self, why: &str) -> ActionResult {
        ActionResult {
            action: self.planned.action.clone(),
            command: self.launch.secrets.redact(&self.planned.command),
            success: false,
            reversible: self.planned.reversible,
            undo_instruction: None,
            stdout: String::new(),
            stderr: String::new(),
            duration: 0.0,
            class: self.planned.class,
            started: false,
            ended: why.to_owned(),
            skipped: false,
            pre_state: None,
            post_state: None,
        }
    }

    /// The first of the gates that speak for the whole of an apply which was closed since it began.
    fn closed_meanwhile(&self, at: Timestamp) -> Option<String> {
        let question = Question {
            at,
            depth: Depth::End,
            ..self.question.clone()
        };
        let planned = match facts::survey(&question) {
            Ok(Survey::Planned(planned)) => planned,
            Ok(_) => return Some("the plan is another one now".to_owned()),
            // What can't be read is closed.
            Err(finding) => return Some(finding.to_string()),
        };
        let gates = gates::evaluate(&planned.1);
        let closed = gates
            .into_iter()
            .find(|gate| !gate.open && gates::STANDING.contains(&gate.name));
        closed.map(|gate| format!("{} is closed: {}", gate.name, gate.detail))
    }

    fn kept_in(&self) -> String {
        format!("{UNDO_DIR}/{}/{}", self.response_id, self.planned.action)
    }

    /// Keeps what the action may change, or only looks at it where it can't be taken back.
    fn look_before(&self) -> Checked<Before> {
        let PlannedAction {
            changes, creates, ..
        } = self.planned;
        let workspace = self.operator.workspace;
        if self.planned.reversible {
            touched::keep(
                workspace,
                changes,
                creates,
                &self.kept_in(),
                self.operator.retry,
            )
        } else {
            touched::look(workspace, changes, creates)
        }
    }

    /// What the action left. What is no plain file any more, a link that it put there say, is a
    /// failure of the action; an undo then refuses that file by name.
    fn look_after(&self, before: &Before) -> Checked<(Vec<FileChange>, Vec<Diagnostic>)> {
        // Opened anew: the action may have put a link in the place of a directory.
        let workspace = Workspace::open(self.operator.workspace.root())?;
        let PlannedAction {
            changes, creates, ..
        } = self.planned;
        Ok(touched::after(&workspace, changes, creates, before))
    }

    fn cooling_until(&self) -> Checked<Option<Timestamp>> {
        let cooldown = self.planned.cooldown_seconds();
        if cooldown == 0 {
            return Ok(None);
        }
        let now = Clock::System.read();
        let workspace = self.operator.workspace;
        let last = log::last_success(workspace, &self.planned.action, now, cooldown)?;
        let cooldown = i64::try_from(cooldown).unwrap_or(i64::MAX);
        Ok(last
            .map(|last| last.plus_seconds(cooldown))
            .filter(|until| until.since(now) > TimeDelta::zero()))
    }

    /// Writes the undo file of the action, and records its intent.
    fn prepare(&self, records: Records<'_>, at: Timestamp, before: Before) -> Checked<Prepared> {
        let PlannedAction {
            action, reversible, ..
        } = self.planned;
        let workspace = records.workspace;
        let pre = touched::digest_before(&before.files);
        let undo = reversible.then(|| self.undo_file(at, &before));
        if let Some(undo) = &undo {
            undo.store(workspace, records.retry)?;
        }
        let intent = Intent {
            id: self.response_id,
            action,
            index: self.index,
            command: &self.launch.secrets.redact(&self.planned.command),
            reversible: *reversible,
            pre: self.planned.changes_files().then_some(pre),
            kept: undo.as_ref().map(UndoFile::kept_digest),
        };
        response_journal::append(records, self.event(at, "intent"), &intent, |standing| {
            if let Some(under_way) = &mut standing.under_way {
                under_way.action = Some(action.clone());
            }
        })?;
        Ok(Prepared { at, before, undo })
    }

    fn undo_file(&self, at: Timestamp, before: &Before) -> UndoFile {
        let words = |patterns: &[crate::response::pattern::Pattern]| {
            patterns.iter().map(ToString::to_string).collect()
        };
        UndoFile {
            response_id: self.response_id.to_owned(),
            action: self.planned.action.clone(),
            executed_at: at,
            undo_instruction: self.undo_instruction().unwrap_or_default(),
            schema: 1,
            index: self.index,
            undo_of: None,
            outcome: Outcome::Pending,
            backup_path: self.kept_in(),
            backup_sha256: touched::digest_before(&before.files),
            post_sha256: None,
            files: before.files.clone(),
            present: before.present.clone(),
            missing_directories: before.missing_directories.clone(),
            changes: words(&self.planned.changes),
            creates: words(&self.planned.creates),
        }
    }

    fn event(&self, at: Timestamp, name: &'static str) -> Event<'_> {
        Event {
            at,
            name,
            user: self.operator.user,
        }
    }

    fn undo_instruction(&self) -> Option<String> {
        let instruction = self.planned.undo_instruction.as_ref();
        instruction.map(|text| text.replace("RESPONSE_ID", self.response_id))
    }

    fn start(&self, at: Timestamp) -> Finished {
        let workspace = self.operator.workspace;
        let (argv, directory) = self.command(at);
        let environment = self.environment();
        let job = Job {
            supervisor: self.launch.program,
            argv: &argv,
            directory: &directory,
            environment: &environment,
            timeout: Duration::from_secs(self.planned.timeout_seconds),
            secrets: self.launch.secrets,
            held: Some(self.lock.as_fd()),
        };
        let stop = || self.launch.is_cancelled() || kill_switch::closed(workspace).is_some();
        process::run(&job, &stop)
    }

    fn command(&self, at: Timestamp) -> (Vec<OsString>, PathBuf) {
        let root = self.operator.workspace.root();
        match &self.planned.work {
            Work::Native(action) => {
                let words: [OsString; 7] = [
                    self.launch.program.into(),
                    "perform".into(),
                    action.name().into(),
                    "--at".into(),
                    at.to_string().into(),
                    "--workspace".into(),
                    root.into(),
                ];
                (words.to_vec(), root.to_owned())
            }
            Work::Declared(declared) => {
                let argv = declared.argv.iter().map(OsString::from).collect();
                (argv, self.operator.workspace.path(&declared.directory))
            }
        }
    }

    /// The variables that the action may see, and no others.
    fn environment(&self) -> Vec<(OsString, OsString)> {
        let further: Vec<&str> = match &self.planned.work {
            Work::Native(_) => NATIVE_ENVIRONMENT.to_vec(),
            Work::Declared(declared) => declared.environment.iter().map(String::as_str).collect(),
        };
        let may_see = |name: &OsString| {
            let name = name.to_str().unwrap_or_default();
            ENVIRONMENT.contains(&name) || further.contains(&name)
        };
        let all = self.launch.environment.iter();
        all.filter(|(name, _)| may_see(name)).cloned().collect()
    }

    /// Completes the undo file of the action, and records its outcome.
    fn conclude(
        &self,
        records: Records<'_>,
        at: Timestamp,
        prepared: Prepared,
        finished: Finished,
        (files, odd): (Vec<FileChange>, Vec<Diagnostic>),
    ) -> Checked<ActionResult> {
        let lost = finished.ended == Ended::Lost;
        let changes_files = self.planned.changes_files();
        let pre = changes_files.then(|| touched::digest_before(&files));
        let post = changes_files.then(|| touched::digest_after(&files));
        if let Some(mut undo) = prepared.undo {
            let outcome = if lost {
                Outcome::Unknown
            } else {
                Outcome::Known
            };
            undo.conclude(files, outcome);
            undo.store(records.workspace, records.retry)?;
        }
        let mut result = self.result(finished, pre, post);
        if let Some(finding) = odd.first() {
            result.success = false;
            result.ended = format!("{}; then {finding}", result.ended);
        }
        self.record_outcome(records, at, &result, lost && changes_files)?;
        Ok(result)
    }

    fn record_outcome(
        &self,
        records: Records<'_>,
        at: Timestamp,
        result: &ActionResult,
        unknown: bool,
    ) -> Checked<()> {
        let executed = Executed {
            id: self.response_id,
            action: &self.planned.action,
            index: self.index,
            pre: result.pre_state,
            post: result.post_state,
            result,
        };
        let event = self.event(at, "workflow_exec");
        response_journal::append(records, event, &executed, |standing| {
            if let Some(under_way) = &mut standing.under_way {
                under_way.action = None;
            }
            standing.unsettled.extend(unknown.then(|| Unsettled {
                response_id: self.response_id.to_owned(),
                undo_of: None,
                action: self.planned.action.clone(),
            }));
        })
        .map(drop)
    }

    fn result(
        &self,
        finished: Finished,
        pre_state: Option<Digest>,
        post_state: Option<Digest>,
    ) -> ActionResult {
        let mut ended = in_words(&finished.ended, self.planned, self.launch.is_cancelled());
        if finished.survivors {
            ended.push_str("; something of it could not be ended");
        }
        ActionResult {
            // What could not be ended may still be changing things.
            success: finished.ended == Ended::Exited(0) && !finished.survivors,
            started: !matches!(finished.ended, Ended::NotStarted(_)),
            stdout: finished.stdout,
            stderr: finished.stderr,
            duration: seconds(finished.duration),
            undo_instruction: self.undo_instruction(),
            pre_state,
            post_state,
            ..self.left_out(&ended)
        }
    }
}

/// Seconds, to the millisecond.
fn seconds(duration: Duration) -> f64 {
    (duration.as_secs_f64() * 1000.0).round() / 1000.0
}

fn in_words(ended: &Ended, planned: &PlannedAction, cancelled: bool) -> String {
    match ended {
        Ended::Exited(code) => format!("exited {code}"),
        Ended::Signalled(signal) => format!("ended by signal {signal}"),
        Ended::TimedOut => format!("timed out after {} s", planned.timeout_seconds),
        Ended::Stopped if cancelled => "stopped: a signal asked to end".to_owned(),
        Ended::Stopped => "stopped by the kill switch".to_owned(),
        Ended::NotStarted(why) => format!("not started: {why}"),
        Ended::Lost => "its supervisor was killed; nobody knows how it ended".to_owned(),
    }
}

/// True where the files of the action are at fault, not the record: a link among them, a directory
/// that can't be listed.
fn is_about_files(finding: &Diagnostic) -> bool {
    matches!(
        finding.code,
        Code::LinkRefused | Code::FileNotRegular | Code::FileUnreadable
    )
}
