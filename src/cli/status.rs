//! `status`: the last decision, its age, is the schedule late, is the journal whole.

use chrono::TimeDelta;
use clap::Args;
use serde::Serialize;

use super::under_way::UnderWay;
use super::{Context, Exit, Format, clock, parse_time, secrets};
use crate::diagnostic::{Checked, Code, Diagnostic, Place};
use crate::fs::Workspace;
use crate::policy::Level;
use crate::record::journal::{self, CLOCK_SKEW, Inspection, LATE_AFTER, LastDecision, Purpose};
use crate::record::response_journal::Unsettled;
use crate::record::{Head, LOOK_BACK, STATE_JOURNAL, StoredState, marker, state};
use crate::report::outcome::Shown;
use crate::report::paint::symbol;
use crate::response::settle::Interrupted;
use crate::safeguard::{brake, kill_switch};
use crate::time::{Timestamp, in_words};

#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  policy-orchestrator status\n  policy-orchestrator status --field policy\n  policy-orchestrator status --format json | jq .late\n\nExit codes: 0; 1 where nothing was recorded, or a later run failed; 5 where the record was changed"
)]
pub(super) struct StatusArgs {
    /// Print one member of the JSON result alone, without quotes: `policy` gives the bare level
    #[arg(long, value_name = "NAME")]
    field: Option<String>,

    /// Look as of this time
    #[arg(long, value_name = "TIME", value_parser = parse_time)]
    at: Option<Timestamp>,
}

/// The JSON shape of a status.
#[derive(Serialize)]
struct Status {
    schema: u32,
    policy: Level,
    evaluated_at: Timestamp,
    age_seconds: i64,
    since: Option<Timestamp>,
    /// No decision on time for over 26 hours.
    late: bool,
    /// The decision was made with `--at`.
    given_clock: bool,
    /// A run after the last decision failed without one.
    #[serde(skip_serializing_if = "Option::is_none")]
    failed_at: Option<Timestamp>,
    /// Who is applying or undoing.
    #[serde(skip_serializing_if = "Option::is_none")]
    applying: Option<String>,
    /// A response that was begun and cut off.
    #[serde(skip_serializing_if = "Option::is_none")]
    interrupted: Option<Interrupted>,
    /// Actions of which nobody knows what they did.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    unsettled: Vec<Unsettled>,
    journal: Journal,
    /// `off`, `on` or `unreadable`, which means on.
    kill_switch: &'static str,
    /// `off`, `engaged`, `missing` or `unreadable`; all but the first close the gate.
    safety_brake: &'static str,
}

#[derive(Serialize)]
struct Journal {
    whole: bool,
    /// How many lines of its end were checked.
    checked: usize,
    head: Option<Head>,
    problems: Vec<Diagnostic>,
}

pub(super) fn status(context: &Context, arguments: &StatusArgs) -> anyhow::Result<Exit> {
    let workspace = context.workspace()?;
    let at = clock(arguments.at).read();
    let mut status = look(&workspace, at)?;
    match UnderWay::look(&workspace) {
        Ok(under_way) => {
            context.output.findings(&under_way.warning());
            match under_way {
                UnderWay::Nothing => {}
                UnderWay::Held(holder) => status.applying = Some(holder),
                UnderWay::CutOff(cut_off) => status.interrupted = Some(cut_off),
                UnderWay::Unsettled(unsettled) => status.unsettled = unsettled,
            }
        }
        // The decision stands all the same.
        Err(finding) => context.output.findings([&*finding]),
    }
    context.output.findings(&status.journal.problems);
    if let Some(field) = &arguments.field {
        let Some(value) = bare(&status, field)? else {
            context.output.note(&format!("error: a status has no member `{field}`; `policy-orchestrator status --format json` shows all"));
            return Ok(Exit::Usage);
        };
        context.output.result(&value)?;
        return Ok(exit(&status));
    }
    match context.format() {
        Format::Human => context.output.result(&human(context, &status))?,
        Format::Json => context.output.json(&status)?,
    }
    Ok(exit(&status))
}

/// The level of now, for those who see nothing else.
pub(super) struct Now {
    status: Status,
    /// What is wrong with the record.
    pub(super) problems: Vec<Diagnostic>,
    /// How `status` would end.
    pub(super) exit: Exit,
}

impl Now {
    /// What may be shown.
    pub(super) fn shown(&self) -> Shown<'_> {
        if !self.status.journal.whole || self.status.failed_at.is_some() {
            Shown::Unknown
        } else if self.status.late {
            Shown::Stale
        } else {
            Shown::Level(&self.status.policy)
        }
    }
}

/// Looks at the last decision.
pub(super) fn now(workspace: &Workspace, at: Timestamp) -> Checked<Now> {
    let status = look(workspace, at)?;
    Ok(Now {
        problems: status.journal.problems.clone(),
        exit: exit(&status),
        status,
    })
}

fn exit(status: &Status) -> Exit {
    match (status.journal.whole, status.failed_at) {
        (false, _) => Exit::Tampering,
        (true, Some(_)) => Exit::Failed,
        (true, None) => Exit::Done,
    }
}

/// One member of the result on a line of its own.
fn bare(status: &Status, field: &str) -> anyhow::Result<Option<String>> {
    let members = serde_json::to_value(status)?;
    let line = |value: &serde_json::Value| {
        value
            .as_str()
            .map_or_else(|| format!("{value}\n"), |text| format!("{text}\n"))
    };
    Ok(members.get(field).map(line))
}

fn look(workspace: &Workspace, at: Timestamp) -> Checked<Status> {
    let stored = StoredState::load(workspace)?;
    let key = secrets::signing_key()?;
    let inspected = journal::inspect(
        workspace,
        stored.as_ref(),
        key.as_ref(),
        Purpose::Look { lines: LOOK_BACK },
    )?;
    let (journal, last) = match inspected {
        Inspection::Whole(tail) => (
            Journal {
                whole: true,
                checked: tail.end.looked_at,
                head: tail.end.head,
                problems: Vec::new(),
            },
            tail.last_decision(stored.as_ref()),
        ),
        Inspection::Broken(problems) => (
            Journal {
                whole: false,
                checked: 0,
                head: None,
                problems,
            },
            LastDecision::of(stored.as_ref()),
        ),
    };
    let LastDecision {
        level: policy,
        at: evaluated_at,
        since,
        given_clock,
    } = last.ok_or_else(|| Box::new(nothing_recorded()))?;
    let age = at.since(evaluated_at);
    let late = age > LATE_AFTER || age < -CLOCK_SKEW || given_clock;
    let failed_at = marker::failed_at(workspace).filter(|failed| *failed > evaluated_at);
    Ok(Status {
        schema: 1,
        policy,
        evaluated_at,
        age_seconds: age.num_seconds(),
        since,
        late,
        given_clock,
        failed_at,
        applying: None,
        interrupted: None,
        unsettled: Vec::new(),
        journal,
        kill_switch: kill_switch::read(workspace).as_str(),
        safety_brake: brake::word(&brake::load(workspace)),
    })
}

fn nothing_recorded() -> Diagnostic {
    Diagnostic::new(
        Code::NothingRecorded,
        Place::file(state::FILE),
        "nothing was decided here yet",
    )
    .found("no state file and no journal")
    .expected("a decision that `run` recorded")
    .help("run `policy-orchestrator run`, or name another directory with `--workspace DIR`")
}

fn human(context: &Context, status: &Status) -> String {
    let paint = context.output.paint();
    let badge = paint.level(
        &status.policy,
        &format!("{} {}", symbol(&status.policy), status.policy),
    );
    let ago = match status.age_seconds {
        seconds if seconds < 0 => "in the future".to_owned(),
        seconds => format!("{} ago", in_words(TimeDelta::seconds(seconds))),
    };
    let mut text = format!("{badge}  decided {}, {ago}\n", status.evaluated_at.human());
    if let Some(since) = status.since {
        text.push_str(&format!("  since     {}\n", since.human()));
    }
    let schedule = match (status.late, status.given_clock) {
        (_, true) => "the last decision was made with --at, which is never on time".to_owned(),
        (true, false) if status.age_seconds < 0 => {
            "a decision in the future: check the clocks".to_owned()
        }
        (true, false) => format!("late: no decision for over {}", in_words(LATE_AFTER)),
        (false, false) => "on time".to_owned(),
    };
    text.push_str(&format!("  schedule  {schedule}\n"));
    if let Some(failed) = status.failed_at {
        text.push_str(&format!("  failed    the run of {} came to no decision; `policy-orchestrator doctor` says why\n", failed.human()));
    }
    let journal = match (&status.journal.head, status.journal.whole) {
        (_, false) => "broken, see above; `policy-orchestrator audit verify` says more".to_owned(),
        (None, true) => "not chained yet".to_owned(),
        (Some(head), true) => format!(
            "whole at its end (the last {} line{} of {STATE_JOURNAL}, head number {}); `policy-orchestrator audit verify` checks all",
            status.journal.checked,
            if status.journal.checked == 1 { "" } else { "s" },
            head.seq
        ),
    };
    text.push_str(&format!("  journal   {journal}\n"));
    if let Some(holder) = &status.applying {
        text.push_str(&format!("  applying  {holder}\n"));
    }
    if status.kill_switch != "off" {
        text.push_str(
            "  stopped   the kill switch is on; `policy-orchestrator kill status` says why\n",
        );
    }
    if status.safety_brake == "missing" {
        text.push_str("  stopped   there is no brake file; `policy-orchestrator brake reset --reason TEXT` makes it\n");
    }
    if status.safety_brake == "engaged" {
        text.push_str("  stopped   the safety brake is engaged; `policy-orchestrator brake status` says why\n");
    }
    text
}
