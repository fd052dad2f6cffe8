//! `policy show`: what a document is, what it says, and what of it is enforced here.
//!
//! Documents that this program decides by are checked by those that use them, so that what is shown
//! as usable is what `run`, `respond` and `alerts` would use.

use clap::Args;

use crate::alerts::configuration;
use crate::cli::given::Given;
use crate::cli::{Context, Exit, Format};
use crate::diagnostic::{Diagnostic, Place};
use crate::policy::catalogue::{self, Account, Found, Kind, Shown};
use crate::policy::{Policy, document};
use crate::report::account;
use crate::response::declared::{self, Responses};
use crate::spending;

const EXAMPLES: &str = "\
Examples:
  policy-orchestrator policy show policy/policy_thresholds.json
  policy-orchestrator policy show docs/module.md --format human
  policy-orchestrator policy show agents.yaml | jq '.says.agent_policies.resource_limits[0].limits'

Reads documents of other systems too and says what they are; docs/documents.md lists the kinds. What
is shown is not thereby in force: the result says what is kept here, where, and what only a caller
could keep.

Exit codes:
  0  the document can be read; warnings are on standard error and in the result
  1  it can't, or is of no kind that is known
  2  the command line makes no sense";

/// A document larger than this is none.
const LIMIT: u64 = 1024 * 1024;

#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(in crate::cli) struct ShowArgs {
    /// The document (- for standard input)
    #[arg(value_name = "FILE")]
    file: String,
}

pub(in crate::cli) fn show(context: &Context, arguments: &ShowArgs) -> anyhow::Result<Exit> {
    let given = Given {
        path: &arguments.file,
        what: "document",
        expected: "a policy document of at most 1 MiB",
        limit: LIMIT,
    };
    let bytes = given.read()?;
    let account = match of(&arguments.file, &bytes) {
        Ok(account) => account,
        Err(findings) => {
            context.output.findings(&findings);
            return Ok(Exit::Failed);
        }
    };
    context.output.findings(&account.warnings);
    match context.format() {
        Format::Human => {
            let text = account::human(&account, &arguments.file, context.output.paint());
            context.output.result(&text)?;
        }
        Format::Json => {
            let account = account::Json::new(&account, &arguments.file, &bytes);
            context.output.json(&account)?;
        }
    }
    Ok(Exit::Done)
}

fn of(file: &str, bytes: &[u8]) -> Result<Account, Vec<Diagnostic>> {
    let found = catalogue::recognise(file, bytes).map_err(|finding| vec![*finding])?;
    match found.kind {
        Kind::Thresholds | Kind::OrchestrationPolicy => {
            let policy = document::parse(file, bytes)?;
            let responses = declared::of_policy(&policy)?;
            let account = decides(catalogue::read(&found)?, &policy);
            Ok(match responses {
                Some(responses) => account.derived("actions_in_full", in_full(&responses)),
                None => account,
            })
        }
        Kind::Responses => responses(file, bytes, &found),
        Kind::Alerts => alerts(file, bytes, &found),
        Kind::SpendPolicy => spend(file, bytes, &found),
        _ => catalogue::read(&found),
    }
}

/// The thresholds that are percentages.
const PERCENTAGES: [&str; 5] = [
    "red_integrity",
    "red_consensus",
    "yellow_integrity",
    "yellow_consensus",
    "yellow_reputation",
];

/// The account of a policy that `run` can decide by, with what is in force where it is silent.
fn decides(account: Account, policy: &Policy) -> Account {
    let identity = policy.identity();
    let triggers = policy.triggers().iter().map(|trigger| {
        let condition = match (trigger.condition.in_words(), trigger.condition.threshold()) {
            (Some(words), _) => words,
            (None, Some(value)) => format!("is {value}"),
            (None, None) => "is one of several".to_owned(),
        };
        Shown::map([
            ("code", Shown::text(trigger.code.as_str())),
            ("signal", Shown::of(&trigger.signal)),
            ("level", Shown::of(&trigger.level)),
            ("condition", Shown::text(&condition)),
        ])
    });
    PERCENTAGES
        .iter()
        .fold(account, |account, key| account.unit(key, "percent"))
        .unit("spec.responses.actions.timeout_seconds", "seconds")
        .unit("spec.responses.actions.cooldown_seconds", "seconds")
        .unit("red_responses", "responses in 24 h")
        .unit("yellow_responses", "responses in 24 h")
        .summary(format!("{}, version {}", identity.name, identity.version))
        .derived("thresholds", Shown::of(policy.thresholds()))
        .derived("triggers", Shown::List(triggers.collect()))
}

fn responses(file: &str, bytes: &[u8], found: &Found<'_>) -> Result<Account, Vec<Diagnostic>> {
    let responses = declared::parse(bytes).map_err(|findings| in_file(findings, file))?;
    let native = if responses.builtin {
        "beside"
    } else {
        "instead of"
    };
    let account = catalogue::read(found)?
        .unit("actions.timeout_seconds", "seconds")
        .unit("actions.cooldown_seconds", "seconds")
        .summary(format!(
            "actions declared: {}, {native} the native ones",
            responses.actions.len()
        ));
    Ok(account.derived("actions_in_full", in_full(&responses)))
}

/// Every action with what holds where the document is silent.
fn in_full(responses: &Responses) -> Shown {
    let in_full = responses.actions.iter().map(|action| {
        let level = ("level".to_owned(), Shown::of(&action.level));
        match Shown::of(action) {
            Shown::Map(mut members) => {
                members.insert(members.len().min(1), level);
                Shown::Map(members)
            }
            other => other,
        }
    });
    Shown::List(in_full.collect())
}

fn alerts(file: &str, bytes: &[u8], found: &Found<'_>) -> Result<Account, Vec<Diagnostic>> {
    let configuration = configuration::parse(bytes).map_err(|findings| in_file(findings, file))?;
    let told = match (&configuration.hook, &configuration.webhook) {
        (Some(_), Some(_)) => "tells a program and an address",
        (Some(_), None) => "tells a program",
        (None, Some(_)) => "tells an address",
        (None, None) => "tells nobody",
    };
    let mut account = catalogue::read(found)?.summary(told.to_owned());
    for (path, unit) in [
        ("hook.timeout_seconds", "seconds"),
        ("webhook.timeout_seconds", "seconds"),
        ("limits.brake_hours", "hours"),
        ("limits.red_hours", "hours"),
        ("limits.late_hours", "hours"),
    ] {
        account = account.unit(path, unit);
    }
    Ok(account.derived("limits_in_force", Shown::of(&configuration.limits)))
}

fn spend(file: &str, bytes: &[u8], found: &Found<'_>) -> Result<Account, Vec<Diagnostic>> {
    let policy = spending::document::parse(file, bytes)?;
    let rules = policy.rules.len();
    let account = catalogue::read(found)?.summary(format!(
        "{}: at most {} {} a payment, {} a day, {} a month; rules: {rules}",
        policy.name, policy.currency, policy.caps.per_txn, policy.caps.daily, policy.caps.monthly,
    ));
    Ok(account
        .derived("currency", Shown::text(&policy.currency))
        .derived("caps_in_force", Shown::of(&policy.caps)))
}

/// Findings of a parser that knows the document by its usual place, with the place where it stands.
fn in_file(findings: Vec<Diagnostic>, file: &str) -> Vec<Diagnostic> {
    let named = |mut finding: Diagnostic| {
        finding.place.file = Place::file(file).file;
        finding
    };
    findings.into_iter().map(named).collect()
}
