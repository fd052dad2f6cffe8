//! `compliance ask`.

use clap::Args;
use serde::Serialize;

use crate::cli::actor::actor;
use crate::cli::output::all_variables;
use crate::cli::recording::with_records;
use crate::cli::run::parse_timeout;
use crate::cli::{Context, Exit, Format, clock};
use crate::compliance::access::{self, Consent, Reason, Use};
use crate::compliance::{documents, evidence};
use crate::diagnostic::{Checked, Diagnostic};
use crate::fs::Workspace;
use crate::ids::{Digest, EventType};
use crate::privacy::{Redaction, Secrets};
use crate::record::audit::{self, Event, Severity};
use crate::record::entries::{self, Filter};
use crate::record::{AUDIT_LOG, Head, Records};
use crate::safeguard::kill_switch;

const EXAMPLES: &str = "\
Whoever holds the data asks before each use. Allowed is what everything speaks for: the last that the
audit log has of this person is a consent (CUSTOM_CONSENT_GIVEN, not CUSTOM_CONSENT_WITHDRAWN) for this
purpose or for all, policy/evidence.yaml states the purpose, and the purpose needs every field. The
answer is recorded before it is given.

Examples:
  policy-orchestrator audit record --type CUSTOM_CONSENT_GIVEN --severity LOW \\
    --details '{\"subject\": \"p-7f3a\", \"purpose\": \"billing\"}'
  policy-orchestrator compliance ask --subject p-7f3a --purpose billing --fields name,address

--subject is a pseudonym, a keyed hash say: it is recorded. What looks like a person's own data is
refused.

Exit codes:
  0  allowed
  1  a document or a journal can't be used, or the answer could not be recorded
  2  the command line makes no sense
  3  the kill switch is on
  4  denied, with every reason
  5  a journal or a protected file was changed";

#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(in crate::cli) struct AskArgs {
    /// Whose data: a pseudonym
    #[arg(long, value_name = "PSEUDONYM", value_parser = parse_subject)]
    subject: String,

    /// What for
    #[arg(long, value_name = "PURPOSE", value_parser = parse_word)]
    purpose: String,

    /// Which fields, separated by commas
    #[arg(long, value_name = "FIELDS", value_delimiter = ',', value_parser = parse_word, required = true)]
    fields: Vec<String>,

    /// How long to wait for another command, in seconds
    #[arg(long, value_name = "SECONDS", default_value = "30", value_parser = parse_timeout)]
    lock_timeout: std::time::Duration,
}

fn parse_word(text: &str) -> Result<String, String> {
    const LENGTH: usize = 200;
    let word = text.trim();
    let fits =
        !word.is_empty() && word.chars().count() <= LENGTH && !word.chars().any(char::is_control);
    fits.then(|| word.to_owned())
        .ok_or_else(|| format!("expected 1 to {LENGTH} characters in a line"))
}

fn parse_subject(text: &str) -> Result<String, String> {
    let subject = parse_word(text)?;
    if Redaction::new().text(&subject) != subject {
        return Err("expected a pseudonym: this looks like a person's own data".to_owned());
    }
    Ok(subject)
}

/// The JSON shape.
#[derive(Serialize)]
struct Answer<'a> {
    schema: u32,
    allowed: bool,
    #[serde(flatten)]
    asked: &'a Use,
    consent: Consent,
    reasons: &'a [Reason],
    journal: &'static str,
    seq: u64,
}

/// What is recorded.
#[derive(Serialize)]
struct Details<'a> {
    #[serde(flatten)]
    asked: &'a Use,
    consent: Consent,
    reasons: &'a [Reason],
}

/// An answer, and where it is recorded.
struct Given {
    consent: Consent,
    reasons: Vec<Reason>,
    head: Head,
}

pub(super) fn ask(context: &Context, arguments: &AskArgs) -> anyhow::Result<Exit> {
    let workspace = context.workspace()?;
    if let Some(closed) = kill_switch::closed(&workspace) {
        return Err(anyhow::Error::new(closed));
    }
    let words = [&arguments.subject, &arguments.purpose];
    let secrets = Secrets::from_environment(all_variables(), None);
    if words
        .into_iter()
        .chain(&arguments.fields)
        .any(|word| secrets.redact(word) != *word)
    {
        // Not repeated, as it would be in a message of the command line's parser.
        context.output.note(
            "denied, and nothing recorded: one of the words is the value of a secret variable",
        );
        return Ok(Exit::Failed);
    }
    let asked = Use {
        subject: arguments.subject.clone(),
        purpose: arguments.purpose.clone(),
        fields: arguments.fields.iter().cloned().collect(),
    };
    let purposes = match purposes(&workspace) {
        Ok(purposes) => purposes,
        Err(problems) => {
            context.output.findings(&problems);
            context
                .output
                .note("denied: nobody knows which purposes are stated");
            return Ok(Exit::Failed);
        }
    };
    let holding = ("compliance ask", arguments.lock_timeout);
    let given = with_records(&workspace, holding, |records| {
        let consent = consent(records.workspace, &asked)?;
        let reasons = access::reasons(&asked, consent, purposes.as_deref());
        let head = record(records, &asked, consent, &reasons)?;
        Ok(Given {
            consent,
            reasons,
            head,
        })
    })?;
    let allowed = given.reasons.is_empty();
    match context.format() {
        Format::Json => context.output.json(&Answer {
            schema: 1,
            allowed,
            asked: &asked,
            consent: given.consent,
            reasons: &given.reasons,
            journal: AUDIT_LOG,
            seq: given.head.seq,
        })?,
        Format::Human => context.output.result(&human(&given))?,
    }
    Ok(if allowed { Exit::Done } else { Exit::Denied })
}

fn human(given: &Given) -> String {
    let mut text = if given.reasons.is_empty() {
        "allowed\n".to_owned()
    } else {
        "denied\n".to_owned()
    };
    for reason in &given.reasons {
        text.push_str(&format!("  {}\n", reason.in_words()));
    }
    text.push_str(&format!(
        "recorded as number {} of {AUDIT_LOG}\n",
        given.head.seq
    ));
    text
}

fn purposes(workspace: &Workspace) -> Result<Option<Vec<evidence::Purpose>>, Vec<Diagnostic>> {
    let asked = documents::asked(&documents::read(workspace)?);
    Ok(evidence::load(workspace, &asked.names())?.purposes)
}

/// What the audit log has last of this person for this purpose. Everything that is asked is there once
/// the journal was appended to, which fails where its end is not what was left behind.
fn consent(workspace: &Workspace, asked: &Use) -> Checked<Consent> {
    let mut found = Consent::Missing;
    entries::newest_first(workspace, &Filter::default(), &mut |entry| {
        if let Some(consent) = access::consent(asked, entry) {
            found = consent;
            return Ok(false);
        }
        Ok(true)
    })?;
    Ok(found)
}

fn record(
    records: Records<'_>,
    asked: &Use,
    consent: Consent,
    reasons: &[Reason],
) -> Checked<Head> {
    let allowed = reasons.is_empty();
    let data = Digest::of(&serde_json::to_vec(asked).unwrap_or_default());
    let event = Event {
        at: clock(None).read(),
        user: &actor(),
        action: "compliance_ask",
        event_type: if allowed {
            &EventType::DATA_ACCESS_ALLOWED
        } else {
            &EventType::DATA_ACCESS_DENIED
        },
        severity: if allowed {
            Severity::Low
        } else {
            Severity::Medium
        },
        task_id: None,
        data,
        details: &Details {
            asked,
            consent,
            reasons,
        },
        given_clock: false,
    };
    audit::append(records, &event)
}
