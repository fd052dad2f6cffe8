//! `compliance report`, and what it has in common with `analytics`: everything is verified before
//! anything is counted.

use std::path::PathBuf;

use clap::Args;

use crate::cli::audit;
use crate::cli::{
    Context, Exit, Format, FormatChoice, Since, clock, parse_since, parse_time, secrets, tamper,
    usage_error,
};
use crate::compliance::checks::{self, Check};
use crate::compliance::controls::{self, Control, Ground, Status};
use crate::compliance::evidence::{self, Declared, Evidence, Looked};
use crate::compliance::report::{self, Journal, Parts, Record, Report};
use crate::compliance::retention::{self, Retention};
use crate::compliance::tally::Tally;
use crate::compliance::{Period, documents};
use crate::diagnostic::Diagnostic;
use crate::fs::Workspace;
use crate::fs::named::{NamedOutput, Readers};
use crate::record::entries::{self, Filter};
use crate::record::verify::{Verdict, Verification};
use crate::report::compliance as view;
use crate::time::Timestamp;

const EXAMPLES: &str = "\
Examples:
  policy-orchestrator compliance report
  policy-orchestrator compliance report --since 90d --format markdown --out compliance.md
  policy-orchestrator compliance report --format json | jq '.complianceScore'
  policy-orchestrator compliance report --require encryption_enforcement || echo 'no evidence'

Controls are those that documents below policy/ ask for (`lgpd_compliance`, `financial_compliance`,
`compliance_policies`); evidence is what the journals hold, what checks left in reports/logs/, and what
policy/evidence.yaml declares. Each control says `evidence present`, `evidence missing` or `not
applicable`, and what was looked at. The report is no claim that a law is kept. Writes nothing but --out.

`--format` is human, json or markdown. docs/compliance.md says what each number is.

Exit codes:
  0  the report was made, whatever it says
  1  a document can't be used, or a file can't be read or written
  2  the command line makes no sense
  4  with --require: a control that was named has no evidence
  5  a journal or a protected file was changed: nothing is reported of such a record";

/// The period.
#[derive(Debug, Args)]
pub(in crate::cli) struct When {
    /// From this time on, or this last while: 30d, 12h
    #[arg(long, value_name = "TIME|DURATION", value_parser = parse_since, default_value = "30d")]
    since: Since,

    /// Before this time [default: now]
    #[arg(long, value_name = "TIME", value_parser = parse_time)]
    until: Option<Timestamp>,

    /// The time that a duration is counted back from
    #[arg(long, value_name = "TIME", value_parser = parse_time)]
    at: Option<Timestamp>,
}

#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(in crate::cli) struct ReportArgs {
    #[command(flatten)]
    when: When,

    /// Exit with 4 unless this control has evidence or does not apply; may be given more than once
    #[arg(long, value_name = "CONTROL")]
    require: Vec<String>,

    /// Write the report to a file that is not there yet
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
}

/// Everything that was looked at for a period.
pub(in crate::cli) struct Look<'a> {
    /// When.
    pub(in crate::cli) at: Timestamp,
    /// The period.
    pub(in crate::cli) period: Period,
    /// What is recorded.
    pub(in crate::cli) tally: Tally<'a>,
    /// Every control.
    pub(in crate::cli) controls: Vec<Control>,
    checks: Vec<Check>,
    retention: Retention,
    record: Record,
}

/// Verifies, reads the documents and counts, and hands on what was found. `Err` is how the command
/// ends where there is nothing to report.
pub(in crate::cli) fn look<T>(
    context: &Context,
    when: &When,
    then: impl FnOnce(&Workspace, Look<'_>) -> anyhow::Result<T>,
) -> anyhow::Result<Result<T, Exit>> {
    let workspace = context.workspace()?;
    let at = clock(when.at).read();
    let period = Period {
        since: when.since.time(clock(Some(at))),
        until: when.until.unwrap_or(at),
    };
    if period.since >= period.until {
        let text = "the period ends before it begins: give --since a time before --until";
        return Ok(Err(usage_error(context, text)));
    }
    let protected = tamper::look(&workspace)?;
    if protected.is_tampered() {
        return Ok(Err(refused(context, &protected.findings())));
    }
    let journals = audit::verified_journals(&workspace)?;
    if journals.iter().any(|it| it.verdict == Verdict::Broken) {
        let broken: Vec<Diagnostic> = journals.into_iter().flat_map(|it| it.problems).collect();
        return Ok(Err(refused(context, &broken)));
    }
    let papers = match papers(&workspace) {
        Ok(papers) => papers,
        Err(problems) => {
            context.output.findings(&problems);
            let text = "nothing is reported by documents that can't be used";
            context.output.note(text);
            return Ok(Err(Exit::Failed));
        }
    };
    context
        .output
        .findings(&evidence::lint(&papers.evidence, at));
    context.output.findings(&papers.retention.lint());
    let ground = Verified {
        at,
        period,
        locked: protected.locked.is_some(),
        journals,
        papers: &papers,
    };
    then(&workspace, ground.look(&workspace)?).map(Ok)
}

/// What was found whole, and is counted now.
struct Verified<'p> {
    at: Timestamp,
    period: Period,
    locked: bool,
    journals: Vec<Verification>,
    papers: &'p Papers,
}

impl<'p> Verified<'p> {
    fn look(self, workspace: &Workspace) -> anyhow::Result<Look<'p>> {
        let papers = self.papers;
        let mut tally = Tally::new(self.period, papers.evidence.purposes.as_deref());
        entries::newest_first(workspace, &Filter::default(), &mut |entry| {
            Ok(tally.add(entry))
        })?;
        tally.finish();
        let declared = papers.declared(workspace);
        report::count_evidence(&mut tally, &declared, self.at);
        let has_key = secrets::signing_key()?.is_some();
        let journals = &self.journals;
        let record = Record {
            signed: has_key && !journals.is_empty() && journals.iter().all(is_signed),
            locked: self.locked,
            entries: tally.entries,
            given_times: tally.given,
            uses_without_record: tally.uses_unknown(),
            journals: journals.iter().filter_map(journal).collect(),
        };
        let checks = checks::load(workspace);
        let controls = controls::all(Ground {
            at: self.at,
            asked: &papers.asked,
            declared: &declared,
            evidence: &papers.evidence,
            checks: &checks,
            tally: &tally,
            signed: record.signed,
        });
        Ok(Look {
            at: self.at,
            period: self.period,
            controls,
            checks,
            retention: papers.retention.clone(),
            record,
            tally,
        })
    }
}

fn refused(context: &Context, findings: &[Diagnostic]) -> Exit {
    context.output.findings(findings);
    context.output.note(
        "nothing is reported: what was changed shows nothing; `policy-orchestrator audit verify` and RUNBOOK.md say how to go on",
    );
    Exit::Tampering
}

/// The documents of a workspace.
struct Papers {
    asked: documents::Asked,
    evidence: Evidence,
    retention: Retention,
}

fn papers(workspace: &Workspace) -> Result<Papers, Vec<Diagnostic>> {
    let mut problems = Vec::new();
    let mut asked = documents::Asked::default();
    match documents::read(workspace) {
        Ok(read) => asked = documents::asked(&read),
        Err(found) => problems.extend(found),
    }
    let mut kept = |found: Vec<Diagnostic>| problems.extend(found);
    let evidence = evidence::load(workspace, &asked.names()).map_err(&mut kept);
    let retention = retention::load(workspace).map_err(&mut kept);
    match (evidence, retention) {
        (Ok(evidence), Ok(retention)) if problems.is_empty() => Ok(Papers {
            retention: asked
                .retention
                .iter()
                .fold(retention, |all, (span, by)| all.with(*span, by.clone())),
            evidence,
            asked,
        }),
        _ => Err(problems),
    }
}

impl Papers {
    fn declared(&self, workspace: &Workspace) -> Vec<(Declared, Looked)> {
        let all = self.evidence.declared.iter();
        all.map(|declared| (declared.clone(), declared.artefact.look(workspace)))
            .collect()
    }
}

fn is_signed(journal: &Verification) -> bool {
    journal.signed > 0 && journal.wrong == 0 && journal.unchecked == 0 && journal.key.is_some()
        || journal.verdict == Verdict::Absent
}

fn journal(found: &Verification) -> Option<Journal> {
    (found.verdict != Verdict::Absent).then(|| Journal {
        file: found.file.clone(),
        lines: found.lines,
        head: found
            .head
            .map(|head| format!("{}:{}", head.seq, head.sha256)),
    })
}

pub(super) fn report(context: &Context, arguments: &ReportArgs) -> anyhow::Result<Exit> {
    let made = look(context, &arguments.when, |_, look| {
        Ok(report::build(Parts {
            at: look.at,
            period: look.period,
            controls: look.controls,
            tally: &look.tally,
            checks: look.checks,
            retention: look.retention.all(),
            record: look.record,
        }))
    })?;
    let report = match made {
        Ok(report) => report,
        Err(exit) => return Ok(exit),
    };
    if let Some(unknown) = unknown(arguments, &report) {
        let text = format!("no control is called `{unknown}`");
        return Ok(usage_error(context, &text));
    }
    tell(context, arguments, &report)?;
    let lacking = lacking(arguments, &report);
    for control in &lacking {
        let would_be = control.would_be.as_deref().unwrap_or_default();
        context.output.note(&format!(
            "{}: evidence missing; would be: {would_be}",
            control.control
        ));
    }
    Ok(if lacking.is_empty() {
        Exit::Done
    } else {
        Exit::Denied
    })
}

fn tell(context: &Context, arguments: &ReportArgs, report: &Report) -> anyhow::Result<()> {
    let is_markdown = context.global.format == Some(FormatChoice::Markdown);
    let text = match context.format() {
        _ if is_markdown => view::markdown(report),
        Format::Json => serde_json::to_string_pretty(report)? + "\n",
        Format::Human if arguments.out.is_none() => view::human(report, context.output.paint()),
        Format::Human => view::human(report, crate::report::Paint::Plain),
    };
    let Some(path) = &arguments.out else {
        return context.output.result(&text);
    };
    let mut out = NamedOutput::create(path, Readers::Owner)?;
    out.write(text.as_bytes())?;
    out.finish()?;
    context
        .output
        .note(&format!("{} holds the report", path.display()));
    Ok(())
}

fn unknown<'a>(arguments: &'a ReportArgs, report: &Report) -> Option<&'a String> {
    let is_known = |name: &str| {
        report
            .controls
            .iter()
            .any(|control| control.control == name)
    };
    arguments.require.iter().find(|name| !is_known(name))
}

fn lacking<'r>(arguments: &ReportArgs, report: &'r Report) -> Vec<&'r Control> {
    let is_asked = |control: &&Control| {
        control.status == Status::Missing && arguments.require.contains(&control.control)
    };
    report.controls.iter().filter(is_asked).collect()
}
