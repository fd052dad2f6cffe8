//! GitHub Actions: annotations on a log, and the step summary.
//!
//! The forms come from GitHub's "Workflow commands" and "Adding a job summary".

use std::fmt::Write as _;

use super::check::{Finding, Severity};
use super::outcome::Reported;
use super::paint::symbol;
use super::{in_words, nearly_in_words};
use crate::decision::Decision;
use crate::diagnostic::Diagnostic;
use crate::policy::Level;
use crate::record::Head;
use crate::signals::{Outcome, Readings};

/// One `::error …::` or `::warning …::` line for each finding. `prefix` stands before the files'
/// names: the workspace within the repository, empty or ended by a slash.
pub fn annotations<'a>(findings: impl IntoIterator<Item = &'a Diagnostic>, prefix: &str) -> String {
    findings
        .into_iter()
        .map(|finding| annotation(finding, prefix))
        .collect()
}

/// The same of a check, where a finding can be a note, too.
pub fn check_annotations<'a>(
    findings: impl IntoIterator<Item = &'a Finding>,
    prefix: &str,
) -> String {
    findings
        .into_iter()
        .map(|finding| checked(finding, prefix))
        .collect()
}

fn annotation(finding: &Diagnostic, prefix: &str) -> String {
    checked(&Finding::from(finding), prefix)
}

fn checked(finding: &Finding, prefix: &str) -> String {
    let command = match finding.severity {
        Severity::Error => "error",
        Severity::Warning => "warning",
        Severity::Note => "notice",
    };
    let mut place = format!(
        "file={}",
        property(&format!("{prefix}{}", finding.place.file))
    );
    if let Some(line) = finding.place.line {
        let _ = write!(place, ",line={line}");
    }
    if let Some(column) = finding.place.column {
        let _ = write!(place, ",col={column}");
    }
    let mut message = finding.message.clone();
    for (name, part) in [
        ("found", &finding.found),
        ("expected", &finding.expected),
        ("help", &finding.help),
    ] {
        if let Some(part) = part {
            let _ = write!(message, "\n{name}: {part}");
        }
    }
    format!(
        "::{command} {place},title={}::{}\n",
        property(finding.code),
        data(&message)
    )
}

/// Escapes a message: a file's content must not be able to end the command and begin another.
fn data(text: &str) -> String {
    text.replace('%', "%25")
        .replace('\r', "%0D")
        .replace('\n', "%0A")
}

fn property(text: &str) -> String {
    data(text).replace(':', "%3A").replace(',', "%2C")
}

/// The step summary, in Markdown.
pub fn summary(
    decision: &Decision,
    readings: &Readings,
    head: Option<Head>,
    findings: &[Diagnostic],
) -> String {
    let mut text = format!(
        "## {} Policy level: {}\n\n",
        symbol(&decision.level),
        decision.level
    );
    let _ = writeln!(text, "Evaluated {}.", decision.at.human());
    table(
        &mut text,
        "Why",
        "| level | reason | code |\n|---|---|---|\n",
        decision.reasons.iter().map(|reason| {
            format!(
                "| {} {} | {} | `{}` |\n",
                symbol(&reason.level),
                reason.level,
                cell(&in_words(reason)),
                reason.code
            )
        }),
    );
    for needs in &decision.needs {
        let rows = needs.changes.iter().map(|change| {
            format!(
                "| {} | {} | {} |\n",
                cell(&change.what),
                cell(&change.from),
                cell(&change.to)
            )
        });
        table(
            &mut text,
            &format!("{} needs", needs.level),
            "| what | now | needed |\n|---|---|---|\n",
            rows,
        );
    }
    table(
        &mut text,
        "Nearly",
        "| near miss |\n|---|\n",
        decision
            .near
            .iter()
            .map(|near| format!("| {} |\n", cell(&nearly_in_words(near)))),
    );
    table(
        &mut text,
        "Signals",
        "| signal | value | status |\n|---|---|---|\n",
        readings.iter().map(|reading| {
            let value = match &reading.outcome {
                Outcome::Valid(value) | Outcome::Stale(value) => value.to_string(),
                Outcome::Missing(why) => why.clone(),
                Outcome::Invalid(errors) => errors
                    .first()
                    .map_or_else(String::new, |error| error.message.clone()),
            };
            format!(
                "| {} | {} | {} |\n",
                reading.signal,
                cell(&value),
                reading.status().as_str()
            )
        }),
    );
    table(
        &mut text,
        "Findings",
        "| code | place | what |\n|---|---|---|\n",
        findings.iter().map(row),
    );
    let _ = match head {
        Some(head) => writeln!(
            text,
            "\nJournal head: number {} `{}`",
            head.seq, head.sha256
        ),
        None => writeln!(text, "\nNothing was recorded in the journal."),
    };
    text
}

/// What GitHub takes of a step's summary, in bytes.
pub const SUMMARY_LIMIT: usize = 1024 * 1024;

/// What GitHub takes of a comment, in characters.
pub const COMMENT_LIMIT: usize = 65_536;

/// The first line of a comment, by which the next run finds it again.
pub const COMMENT_MARK: &str = "<!-- policy-orchestrator: level -->";

/// A report in Markdown: for a step's summary, or for a comment.
pub fn markdown(reported: Reported<'_>) -> String {
    match reported {
        Reported::Decided(told) => summary(told.decision, told.readings, told.head, told.findings),
        Reported::Undecided(finding) => undecided(finding),
    }
}

/// The summary of a run that could not decide.
fn undecided(finding: &Diagnostic) -> String {
    let mut text = "## Policy level: unknown\n\nNothing was decided.\n".to_owned();
    table(
        &mut text,
        "Findings",
        "| code | place | what |\n|---|---|---|\n",
        std::iter::once(row(finding)),
    );
    text
}

/// Text of at most so many bytes, cut between two lines; what is cut is said.
pub fn within(text: String, limit: usize) -> String {
    if text.len() <= limit {
        return text;
    }
    let room = limit.saturating_sub(100);
    let mut kept = String::with_capacity(limit);
    let mut lines = text.split_inclusive('\n');
    let mut left = 0_usize;
    for line in lines.by_ref() {
        if kept.len() + line.len() > room {
            left = 1;
            break;
        }
        kept.push_str(line);
    }
    left += lines.count();
    let _ = write!(kept, "\n*{left} more lines do not fit here.*\n");
    kept
}

/// A response as a workflow is told of it. [`crate::cli`] fills it in.
#[derive(Debug)]
pub struct Responded<'a> {
    /// The level that was responded to; `None` for a single action.
    pub level: Option<&'a Level>,
    /// One stable word: `green`, `dry_run`, `blocked`, `applied` or `failed`.
    pub outcome: &'static str,
    /// The reason of the first closed gate.
    pub reason: Option<&'a str>,
    /// The fix branch of a failure.
    pub fix_branch: Option<&'a str>,
    /// Each action, with what became of it or what it would do.
    pub actions: Vec<(&'a str, &'a str)>,
    /// Each closed gate: its name, the reason, what was found.
    pub closed: Vec<(&'a str, &'a str, &'a str)>,
}

/// The outputs of a recorded decision: `digest` is the SHA-256 of its line in the journal, by which
/// `audit verify` and `attest verify` know it again, and empty where none was written.
pub fn outputs(decision: &Decision, head: Option<Head>, fix_branch: &str) -> String {
    let codes: Vec<&str> = decision
        .reasons
        .iter()
        .map(|reason| reason.code.as_str())
        .collect();
    let (number, digest) = head.map_or_else(Default::default, |head| {
        (head.seq.to_string(), head.sha256.to_string())
    });
    format!(
        "level={}\nchanged={}\nreasons={}\nnumber={number}\ndigest={digest}\nfix_branch={fix_branch}\n",
        decision.level,
        decision.is_transition(),
        codes.join(","),
    )
}

/// The outputs of a run that could not decide: all there, and empty.
pub fn no_outputs(fix_branch: &str) -> String {
    format!("level=\nchanged=false\nreasons=\nnumber=\ndigest=\nfix_branch={fix_branch}\n")
}

/// The outputs of a step that responded.
pub fn response_outputs(responded: &Responded<'_>) -> String {
    let level = responded.level.map_or("", Level::name);
    let line = |text: &str| text.replace(['\r', '\n'], " ");
    format!(
        "level={level}\noutcome={}\nreason={}\nfix_branch={}\n",
        responded.outcome,
        line(responded.reason.unwrap_or_default()),
        line(responded.fix_branch.unwrap_or_default())
    )
}

/// The warning for a response that a gate stopped. The reason can hold what somebody wrote.
pub fn blocked_warning(reason: &str) -> String {
    format!(
        "::warning title=blocked::{}\n",
        data(&format!("blocked: {reason}"))
    )
}

/// The step summary of a response, in Markdown.
pub fn response_summary(responded: &Responded<'_>) -> String {
    let (badge, level) = match responded.level {
        Some(level) => (symbol(level), level.name()),
        None => ("", "one action"),
    };
    let ending = match responded.outcome {
        "green" => "nothing to do",
        "dry_run" => "dry run, nothing was started",
        "blocked" => "blocked, nothing was started",
        other => other,
    };
    let mut text = format!("## {badge} Response to {level}: {ending}\n");
    if let Some(branch) = responded.fix_branch {
        let _ = write!(text, "\nDiagnostics are on the branch {}.\n", cell(branch));
    }
    table(
        &mut text,
        "Actions",
        "| action | what |\n|---|---|\n",
        responded
            .actions
            .iter()
            .map(|(action, what)| format!("| {} | {} |\n", cell(action), cell(what))),
    );
    table(
        &mut text,
        "Closed gates",
        "| gate | reason | found |\n|---|---|---|\n",
        responded.closed.iter().map(|(name, reason, found)| {
            format!("| {} | {} | {} |\n", cell(name), cell(reason), cell(found))
        }),
    );
    text
}

fn table(text: &mut String, title: &str, header: &str, rows: impl Iterator<Item = String>) {
    let rows: String = rows.collect();
    if !rows.is_empty() {
        let _ = write!(text, "\n### {title}\n\n{header}{rows}");
    }
}

fn row(finding: &Diagnostic) -> String {
    format!(
        "| `{}` | {} | {} |\n",
        finding.code,
        cell(&finding.place.to_string()),
        cell(&finding.message)
    )
}

/// Text for a table's cell: no pipes, no line ends, no markup from a file's content.
pub(super) fn cell(text: &str) -> String {
    let mut cell = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '\n' | '\r' => cell.push(' '),
            '|' | '`' | '<' | '>' | '[' | ']' | '*' | '_' | '\\' | '@' | '#' | '~' | '&' | '!' => {
                let _ = write!(cell, "&#{};", u32::from(character));
            }
            other => cell.push(other),
        }
    }
    // What GitHub would make a link of by itself.
    cell.replace("://", "&#58;//").replace("www.", "www&#46;")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diagnostic::{Code, Place};

    #[test]
    fn a_files_content_can_not_begin_another_command() {
        let finding = Diagnostic {
            found: Some("x\n::set-env name=A::b".to_owned()),
            ..Diagnostic::new(Code::JsonSyntax, Place::line("a,b:c.json", 3), "odd")
        };
        let line = annotations([&finding], "sub/");
        assert_eq!(line.matches('\n').count(), 1);
        assert!(line.starts_with(
            "::error file=sub/a%2Cb%3Ac.json,line=3,title=JSON_SYNTAX::odd%0Afound: x%0A::set-env"
        ));
    }

    #[test]
    fn a_reason_can_not_begin_another_command_or_output() {
        let odd = "x\n::error::y\noutcome=applied";
        let responded = Responded {
            level: Some(&Level::RED),
            outcome: "blocked",
            reason: Some(odd),
            fix_branch: None,
            actions: Vec::new(),
            closed: vec![("level", odd, "a|b")],
        };
        assert_eq!(
            response_outputs(&responded),
            "level=RED\noutcome=blocked\nreason=x ::error::y outcome=applied\nfix_branch=\n"
        );
        assert_eq!(blocked_warning(odd).matches('\n').count(), 1);
        let row = "| level | x ::error::y outcome=applied | a&#124;b |\n";
        assert!(response_summary(&responded).ends_with(row));
    }

    #[test]
    fn a_summary_is_cut_between_lines_and_says_so() {
        let text = "| a | b |\n".repeat(100);
        assert_eq!(within(text.clone(), 1000), text);
        let cut = within(text, 600);
        assert!(cut.len() <= 600, "{}", cut.len());
        assert!(
            cut.ends_with("| a | b |\n\n*50 more lines do not fit here.*\n"),
            "{cut}"
        );
        let long = within("x".repeat(1000), 600);
        assert_eq!(long, "\n*1 more lines do not fit here.*\n");
    }

    #[test]
    fn a_files_content_can_not_break_out_of_a_table() {
        assert_eq!(cell("a|b\n<img>"), "a&#124;b &#60;img&#62;");
        let told = cell("&lt; https://a.b www.a.b !x");
        assert_eq!(told, "&#38;lt; https&#58;//a.b www&#46;a.b &#33;x");
    }
}
