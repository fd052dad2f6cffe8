//! `explain`: why a decision came out as it did, and what would change it.
//!
//! A recorded decision is decided again from its journal line and the policy document that was kept
//! for it, without the signal files; that the result is the same is part of the answer.

use clap::Args;
use serde::Serialize;

use super::given::Given;
use super::{Context, Exit, Format, clock, parse_time, secrets};
use crate::decision::{
    Before, Decision, Held, Inputs, JournalHealth, LockHealth, Needs, Reason, Situation, Waived,
    evaluate, inputs,
};
use crate::diagnostic::{Checked, Code, Diagnostic, Place};
use crate::fs::Workspace;
use crate::fs::read::read_own;
use crate::history;
use crate::history::blame::Blamed;
use crate::ids::{Digest, SignalName, distinct};
use crate::policy::{Identity, Level, Policy, document, readings};
use crate::record::journal::{self, Inspection, Purpose};
use crate::record::past::{self, Numbers, Sought};
use crate::record::verify::{Against, verify};
use crate::record::{
    Head, LINE_LIMIT, POLICIES_DIR, RecordedLine, STATE_JOURNAL, SigningKey, StoredState,
};
use crate::report::human;
use crate::signals::{Readings, Value, json};
use crate::time::Timestamp;

const EXAMPLES: &str = "\
Examples:
  policy-orchestrator explain
  policy-orchestrator explain --number 41
  policy-orchestrator explain --blame                    and who committed the signals that tripped
  echo '{\"integrity_score\": 93, \"forecast_risk\": \"low\"}' | policy-orchestrator explain --inputs -";

#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct ExplainArgs {
    /// Decide on the `inputs` of this JSON file (- for standard input) instead; records nothing
    #[arg(long, value_name = "FILE", conflicts_with = "number")]
    inputs: Option<String>,

    /// Explain the decision recorded under this number instead of the last one
    #[arg(long, value_name = "N")]
    number: Option<u64>,

    /// Say which commit changed the files of the signals last before the decision; of those that gave
    /// a reason, where there is one
    #[arg(long, conflicts_with = "inputs")]
    blame: bool,

    /// With --inputs: decide as of this time
    #[arg(long, value_name = "TIME", value_parser = parse_time, requires = "inputs")]
    at: Option<Timestamp>,
}

/// The JSON shape of an explanation.
#[derive(Serialize)]
struct Explanation<'a> {
    schema: u32,
    policy: &'a Level,
    evaluated_at: Timestamp,
    /// The number of the journal line; absent with --inputs.
    #[serde(skip_serializing_if = "Option::is_none")]
    number: Option<u64>,
    /// The sealed segment that the line stands in; absent for the journal.
    #[serde(skip_serializing_if = "Option::is_none")]
    segment: Option<&'a str>,
    inputs: Inputs<Value>,
    reasons: &'a [Reason],
    near: &'a [Reason],
    needs: &'a [Needs],
    #[serde(skip_serializing_if = "<[Waived]>::is_empty")]
    waived: &'a [Waived],
    /// The level without the waivers.
    #[serde(skip_serializing_if = "Option::is_none")]
    shadow: Option<&'a Level>,
    /// Where the level is held although less is demanded.
    #[serde(skip_serializing_if = "Option::is_none")]
    held: Option<&'a Held>,
    before: Option<&'a Level>,
    since: Timestamp,
    document: &'a Identity,
    /// Who changed the signals' files last, with --blame.
    #[serde(skip_serializing_if = "Option::is_none")]
    blame: Option<&'a [Blamed]>,
}

pub(super) fn explain(context: &Context, arguments: &ExplainArgs) -> anyhow::Result<Exit> {
    let workspace = context.workspace()?;
    let explained = match &arguments.inputs {
        Some(file) => of_inputs(context, &workspace, file, clock(arguments.at).read())?,
        None => of_record(&workspace, arguments.number)?,
    };
    let Explained {
        decision,
        readings,
        policy,
        number,
        segment,
        broken,
        ..
    } = &explained;
    if let Some(segment) = segment.as_ref().filter(|_| *broken) {
        context.output.note(&format!(
            "this line stands in {segment}, which was sealed because it was broken: the segment is as it was sealed, its line perhaps not as it was written"
        ));
    }
    let blamed = if arguments.blame {
        Some(blame(&workspace, &explained)?)
    } else {
        None
    };
    match context.format() {
        Format::Human => {
            if let Some(number) = number {
                let file = segment.as_deref().unwrap_or(STATE_JOURNAL);
                context.output.note(&format!(
                    "number {number} of {file}, decided again from its line: the same result"
                ));
            }
            let mut text = human::decision(
                decision,
                readings,
                policy.identity(),
                context.output.paint(),
            );
            text.push_str(&human::blame(
                blamed.as_deref().unwrap_or_default(),
                context.output.paint(),
            ));
            context.output.result(&text)?;
        }
        Format::Json => context.output.json(&Explanation {
            schema: 1,
            policy: &decision.level,
            evaluated_at: decision.at,
            number: *number,
            segment: segment.as_deref(),
            inputs: inputs(readings),
            reasons: &decision.reasons,
            near: &decision.near,
            needs: &decision.needs,
            waived: &decision.waived,
            shadow: decision.shadow.as_ref(),
            held: decision.held.as_ref(),
            before: decision.before.as_ref(),
            since: decision.since,
            document: policy.identity(),
            blame: blamed.as_deref(),
        })?,
    }
    Ok(Exit::Done)
}

/// Who changed the files last, before the decision, of the signals that gave a reason; of all where none
/// did.
fn blame(workspace: &Workspace, explained: &Explained) -> Checked<Vec<Blamed>> {
    let Explained {
        decision, policy, ..
    } = explained;
    let tripped = |name: &SignalName| {
        let mut of_reasons = decision
            .reasons
            .iter()
            .filter_map(|reason| reason.signal.as_ref());
        of_reasons.any(|signal| signal == name)
    };
    let is_any = policy.signals().iter().any(|rule| tripped(&rule.name));
    let rules = policy.signals().iter();
    let files = rules
        .filter(|rule| !is_any || tripped(&rule.name))
        .flat_map(|rule| {
            let files = readings::files(rule).into_iter();
            files.map(|file| (rule.name.clone(), file.to_owned()))
        });
    history::blame::blame(workspace, files.collect(), decision.at)
}

pub(super) struct Explained {
    pub(super) decision: Decision,
    pub(super) readings: Readings,
    pub(super) policy: Policy,
    /// The journal line, where the state file names it.
    pub(super) head: Option<Head>,
    number: Option<u64>,
    /// The sealed segment that the line stands in.
    segment: Option<String>,
    /// True where nobody knows what was changed in it.
    broken: bool,
}

/// Decides again what a journal line records.
pub(super) fn of_record(workspace: &Workspace, number: Option<u64>) -> Checked<Explained> {
    // Readers read the state before the journal.
    let state = StoredState::load(workspace)?;
    let key = secrets::signing_key()?;
    check_record(workspace, state.as_ref(), key.as_ref(), number)?;
    if let Some(broken) = state
        .as_ref()
        .filter(|state| number.is_none() && state.is_broken())
    {
        return Err(Box::new(broken_now(broken)));
    }
    let (line, segment, broken) = match past::seek(workspace, number)? {
        Sought::Decision {
            line,
            segment,
            broken,
        } => (*line, segment, broken),
        Sought::Reseal {
            at,
            reason,
            numbers,
        } => {
            return Err(Box::new(is_reseal(number, at, &reason, &numbers)));
        }
        Sought::Absent { numbers, cut } => {
            return Err(Box::new(no_such_number(number, &numbers, cut)));
        }
    };
    let policy = kept_policy(workspace, &line)?;
    let head = state.as_ref().and_then(StoredState::head);
    let since = state
        .filter(|state| state.evaluated_at == line.at)
        .and_then(|state| state.since);
    let past = journal::past(workspace, Some(line.seq), policy.looks_back(), line.at)?;
    let before = line.before.clone().map(|level| Before {
        level,
        at: line.at,
        since: since.unwrap_or(line.at),
        held: line.held_before(past.last.as_ref()),
    });
    let decision = evaluate(Situation {
        policy: &policy,
        readings: &line.readings,
        before: before.as_ref(),
        history: &past.history,
        at: line.at,
        journal: JournalHealth::Whole,
        lock: LockHealth::of(&line.reasons),
    });
    check_same(&line, &decision)?;
    Ok(Explained {
        decision,
        readings: line.readings,
        policy,
        head: head.filter(|head| head.seq == line.seq),
        number: Some(line.seq),
        segment,
        broken,
    })
}

/// What is explained has to be what was recorded: the end of the journal for the last decision, the
/// whole chain for an earlier one.
fn check_record(
    workspace: &Workspace,
    state: Option<&StoredState>,
    key: Option<&SigningKey>,
    number: Option<u64>,
) -> Checked<()> {
    let problems = if number.is_none() {
        match journal::inspect(workspace, state, key, Purpose::Look { lines: 2 })? {
            Inspection::Whole(_) => Vec::new(),
            Inspection::Broken(problems) => problems,
        }
    } else {
        verify(workspace, STATE_JOURNAL, Against::nothing(key))?.problems
    };
    problems
        .into_iter()
        .next()
        .map_or(Ok(()), |problem| Err(Box::new(problem)))
}

fn kept_policy(workspace: &Workspace, line: &RecordedLine) -> Checked<Policy> {
    let name = format!("{POLICIES_DIR}/{}", line.policy);
    let kept =
        read_own(workspace, &name, LINE_LIMIT)?.filter(|bytes| Digest::of(bytes) == line.policy);
    kept.map(|bytes| document::from_kept(&bytes))
        .ok_or_else(|| {
            Box::new(
                Diagnostic::new(
                    Code::PolicyCopyChanged,
                    Place::file(name),
                    "the policy document that this decision rests on is gone or changed",
                )
                .found("no document with that SHA-256")
                .expected("the document whose SHA-256 is its name")
                .help("restore it from version control"),
            )
        })
}

fn check_same(line: &RecordedLine, decision: &Decision) -> Checked<()> {
    let codes = distinct(decision.reasons.iter().map(|reason| &reason.code));
    if decision.level.name() == line.level.name() && codes.into_iter().eq(&line.reasons) {
        return Ok(());
    }
    Err(Box::new(
        Diagnostic::new(
            Code::DecisionDiffers,
            Place::file(STATE_JOURNAL),
            format!(
                "deciding again from number {} gives another result",
                line.seq
            ),
        )
        .found(format!("{} on the line", line.level))
        .expected(format!(
            "{}, as its values and its policy give",
            decision.level
        ))
        .help("verify the journal with `policy-orchestrator audit verify`"),
    ))
}

fn is_reseal(number: Option<u64>, at: Timestamp, reason: &str, numbers: &[Numbers]) -> Diagnostic {
    let number = number.unwrap_or_default();
    Diagnostic::new(
        Code::NothingRecorded,
        Place::file(STATE_JOURNAL),
        format!("number {number} is a reseal, not a decision"),
    )
    .found(format!("`audit reseal` of {}: {reason}", at.human()))
    .expected(format!("the number of a decision: one of {}", ranges(numbers)))
    .help("name one of these with `--number`, or none for the last decision; who resealed is not recorded")
}

fn no_such_number(number: Option<u64>, numbers: &[Numbers], cut: Option<Diagnostic>) -> Diagnostic {
    let found = number.map_or_else(
        || "no decision".to_owned(),
        |number| format!("no decision with the number {number}"),
    );
    let finding = Diagnostic::new(
        Code::NothingRecorded,
        Place::file(STATE_JOURNAL),
        "there is no such record",
    )
    .found(found);
    if let Some(cut) = cut {
        let expected = format!("one of {}, or a whole {}", ranges(numbers), cut.place.file);
        return finding
            .expected(expected)
            .help("a sealed segment is gone or changed: restore it from version control");
    }
    if numbers.is_empty() {
        return finding
            .expected("a decision that `run` recorded")
            .help("run `policy-orchestrator run` first, or `policy-orchestrator run --dry-run` to see what it would decide");
    }
    finding
        .expected(format!("one of {}", ranges(numbers)))
        .help("name one of these with `--number`, or none for the last decision")
}

/// The numbers that decisions have, the lowest first; of many segments the newest.
fn ranges(numbers: &[Numbers]) -> String {
    const SHOWN: usize = 5;
    let range = |numbers: &Numbers| match *numbers {
        Numbers { first, last } if first == last => first.to_string(),
        Numbers { first, last } => format!("{first} to {last}"),
    };
    let mut shown: Vec<String> = numbers.iter().take(SHOWN).map(range).collect();
    if numbers.len() > SHOWN {
        shown.push("older ones".to_owned());
    }
    shown.reverse();
    if shown.is_empty() {
        return "no number".to_owned();
    }
    shown.join(", ")
}

fn broken_now(state: &StoredState) -> Diagnostic {
    Diagnostic::new(Code::JournalBroken, Place::file(STATE_JOURNAL), format!("the level is {} because the journal is broken", state.level))
        .found("a journal that the last run could not go on from")
        .expected("the journal as the decision before left it")
        .help("`policy-orchestrator audit verify` says what was changed; `explain --number N` explains an earlier decision")
}

/// Decides on six values that the user gives, under the policy in force.
fn of_inputs(
    context: &Context,
    workspace: &Workspace,
    file: &str,
    at: Timestamp,
) -> anyhow::Result<Explained> {
    let given = Given {
        path: file,
        what: "file of inputs",
        expected: "a JSON file with the six inputs, or a state file",
        limit: INPUTS_LIMIT,
    };
    let bytes = given.read()?;
    let (readings, warnings) = json::inputs_from(file, &bytes).map_err(|mut findings| {
        let last = findings.pop();
        context.output.findings(&findings);
        last.map_or_else(
            || anyhow::anyhow!("{file} can't be read"),
            anyhow::Error::new,
        )
    })?;
    let loaded = document::load(workspace);
    context
        .output
        .findings(loaded.problems.iter().chain(&warnings));
    let readings = readings::with_absent(&readings, &loaded.policy);
    let situation = Situation {
        policy: &loaded.policy,
        readings: &readings,
        before: None,
        history: &[],
        at,
        journal: JournalHealth::Whole,
        lock: LockHealth::Whole,
    };
    Ok(Explained {
        decision: evaluate(situation),
        policy: loaded.policy,
        head: None,
        number: None,
        segment: None,
        broken: false,
        readings,
    })
}

/// The largest file of inputs.
const INPUTS_LIMIT: u64 = 1024 * 1024;
