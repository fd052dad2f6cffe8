//! `approve`: approvals, asked for by one person, signed by another, used once.

use clap::{Args, Subcommand, ValueEnum};
use serde::{Deserialize, Serialize};

use super::acceptance::{against, changed_files, proposed};
use super::output::variable_os;
use super::policy::lock::parse_glob;
use super::recording::{self, Now};
use super::{Context, Exit, Format, clock, keys, parse_time, secrets};
use crate::approval::requests::{self, Against, Approved, Hand, Wish};
use crate::approval::{Operation, Subject};
use crate::diagnostic::{Checked, Code, Diagnostic, Place, shown};
use crate::fs::Workspace;
use crate::fs::glob::Glob;
use crate::fs::read::read_own;
use crate::ids::Digest;
use crate::keys::PrivateKey;
use crate::lifecycle;
use crate::policy::document;
use crate::protection::change::Proposal;
use crate::protection::manifest::Change;
use crate::record::{APPROVAL_LOG, Head, SigningKey};
use crate::response::preview;
use crate::safeguard::kill_switch;
use crate::time::Timestamp;

/// The variable that names the file of an approver's own key.
const KEY_FILE: &str = "POLICY_APPROVER_KEY_FILE";

/// The variable that says where in Vault it is.
const KEY_VAULT: &str = "POLICY_APPROVER_KEY_VAULT";

#[derive(Debug, Subcommand)]
pub(super) enum ApproveCommand {
    /// Ask for an approval
    Request(RequestArgs),
    /// Approve what somebody else asked for: sign it with your key
    Grant(GrantArgs),
    /// Deny a request, also one that was granted and is not used
    Deny(DenyArgs),
    /// Every request and how it stands
    List(ListArgs),
    /// Is an approval valid, and if not, why?
    Verify(VerifyArgs),
}

const REQUEST_HELP: &str = "\
Examples:
  policy-orchestrator respond && policy-orchestrator approve request --operation apply --reason 'OPS-7'
  policy-orchestrator approve request --operation kill_off --reason 'mirrors were restored'
  policy-orchestrator approve request --operation promote --subject 2 --reason 'a quiet week'
  policy-orchestrator approve request --operation accept --path policy/policy.yaml --reason '#57'

What is approved is bound by digests. `apply`: the plan of the last dry run, the policy in force, the
line that records the inputs. `kill_off`: this very activation. `promote`: the document of a version.
`accept`: exactly the changes of protected files that stand there now, which are shown, or those of
--path. `pii_access`: the SHA-256 that `audit export --include-pii` asks for. `rotate_key`: the id of
the new key. `enroll`: the account. `spend`: the SHA-256 that `spend check` tells for a payment. With POLICY_APPROVER_KEY_FILE set, the request names your key, and
that key can't grant it.

Exit codes: 0 recorded; 1 failed; 2 usage; 5 the journal was changed";

const GRANT_HELP: &str = "\
Example:
  POLICY_APPROVER_KEY_FILE=~/ada.key policy-orchestrator approve grant ID --as ada

The key is yours alone: policy/approvers.yaml lists its public half under your name. Its password is in
POLICY_KEY_PASSWORD or COSIGN_PASSWORD. A grant lasts 72 hours and works once; five a day and person.
Of an accept, `approve verify ID` shows the changes before you sign; by the list of approvers of before.

Exit codes: 0 granted; 1 failed; 2 usage; 4 refused, which is recorded; 5 the journal was changed";

const DENY_HELP: &str = "\
Example:
  policy-orchestrator approve deny ID --reason 'not before the audit'

Exit codes: 0 denied; 1 failed; 2 usage; 4 it has ended already; 5 the journal was changed";

const LIST_HELP: &str = "\
Examples:
  policy-orchestrator approve list
  policy-orchestrator approve list --format json | jq '.requests[] | select(.status == \"requested\")'

Exit codes: 0 shown; 1 failed; 5 the journal was changed";

const VERIFY_HELP: &str = "\
Example:
  policy-orchestrator approve verify ID

Checks the signature, the subject that was signed, the times and the list of approvers. What the
subject is now is looked at where the approval is used.

Exit codes: 0 valid; 1 failed; 4 not valid; 5 the journal was changed";

#[derive(Debug, Clone, Copy, ValueEnum)]
enum What {
    /// Carry out a plan
    Apply,
    /// Accept protected files as they are
    Accept,
    /// Turn the kill switch off
    #[value(name = "kill_off")]
    KillOff,
    /// Let a version of the policy decide
    Promote,
    /// Let an export hold personal data
    #[value(name = "pii_access")]
    PiiAccess,
    /// Hand the journals over to another signing secret
    #[value(name = "rotate_key")]
    RotateKey,
    /// Make another secret of one-time codes
    Enroll,
    /// Take a signed artifact into production
    Artifact,
    /// Make a payment that a spend policy lets nobody make alone
    Spend,
}

impl From<What> for Operation {
    fn from(what: What) -> Self {
        match what {
            What::Apply => Self::Apply,
            What::Accept => Self::Accept,
            What::KillOff => Self::KillOff,
            What::Promote => Self::Promote,
            What::PiiAccess => Self::PiiAccess,
            What::RotateKey => Self::RotateKey,
            What::Enroll => Self::Enroll,
            What::Artifact => Self::Artifact,
            What::Spend => Self::Spend,
        }
    }
}

#[derive(Debug, Args)]
#[command(after_help = REQUEST_HELP)]
pub(super) struct RequestArgs {
    /// What for
    #[arg(long, value_enum, value_name = "OPERATION")]
    operation: What,

    /// What exactly: a SHA-256; a version for `promote`, a key's id for `rotate_key`, an account for `enroll`
    #[arg(long, value_name = "SUBJECT")]
    subject: Option<String>,

    /// For `accept`: only these, as `policy accept --path`; may be given more than once
    #[arg(long, value_name = "PATH", value_parser = parse_glob)]
    path: Vec<Glob>,

    /// Why; it is recorded
    #[arg(long, value_name = "TEXT", value_parser = super::parse_reason)]
    reason: String,

    #[command(flatten)]
    now: Now,
}

#[derive(Debug, Args)]
#[command(after_help = GRANT_HELP)]
pub(super) struct GrantArgs {
    /// The id of the request
    #[arg(value_name = "ID")]
    id: String,

    /// Your name in policy/approvers.yaml
    #[arg(long = "as", value_name = "NAME")]
    name: String,

    #[command(flatten)]
    now: Now,
}

#[derive(Debug, Args)]
#[command(after_help = DENY_HELP)]
pub(super) struct DenyArgs {
    /// The id of the request
    #[arg(value_name = "ID")]
    id: String,

    /// Why; it is recorded
    #[arg(long, value_name = "TEXT", value_parser = super::parse_reason)]
    reason: String,

    #[command(flatten)]
    now: Now,
}

#[derive(Debug, Args)]
#[command(after_help = LIST_HELP)]
pub(super) struct ListArgs {}

#[derive(Debug, Args)]
#[command(after_help = VERIFY_HELP)]
pub(super) struct VerifyArgs {
    /// The id of the request
    #[arg(value_name = "ID")]
    id: String,

    /// Look as of this time
    #[arg(long, value_name = "TIME", value_parser = parse_time)]
    at: Option<Timestamp>,
}

pub(super) fn approve(context: &Context, command: &ApproveCommand) -> anyhow::Result<Exit> {
    match command {
        ApproveCommand::Request(arguments) => request(context, arguments),
        ApproveCommand::Grant(arguments) => grant(context, arguments),
        ApproveCommand::Deny(DenyArgs { id, reason, now }) => {
            let denied = recording::change_now(context, now, "approve deny", |request| {
                requests::deny(request, id, reason)
            })?;
            show(context, &denied, None)?;
            Ok(Exit::Done)
        }
        ApproveCommand::List(ListArgs {}) => list(context),
        ApproveCommand::Verify(arguments) => verify(context, arguments),
    }
}

/// The key of whoever gives this command; `None` where no variable names one.
fn own_key() -> Checked<Option<PrivateKey>> {
    let named = variable_os(KEY_FILE).map(|path| (KEY_FILE, path));
    keys::private(named, KEY_VAULT)
}

/// What the last dry run previewed.
pub(super) fn previewed(workspace: &Workspace) -> Checked<Subject> {
    #[derive(Deserialize)]
    struct Preview {
        plan: Digest,
        decision: Option<Head>,
    }
    const LIMIT: u64 = 1024 * 1024;
    let bytes = read_own(workspace, preview::FILE, LIMIT)?.unwrap_or_default();
    let read: Preview = serde_json::from_slice(&bytes).map_err(|error| {
        Box::new(
            Diagnostic::new(
                Code::NothingRecorded,
                Place::file(preview::FILE),
                "there is no dry run whose plan could be approved",
            )
            .found(error.to_string())
            .expected("the preview of a plan")
            .help("`policy-orchestrator respond` makes one"),
        )
    })?;
    Ok(Subject {
        sha256: read.plan,
        policy: Some(document::load(workspace).policy.identity().sha256),
        inputs: read.decision.map(|head| head.sha256),
    })
}

/// What is to be approved, with what an accept would take in; what can't be is a text for a usage
/// error.
fn subject(
    workspace: &Workspace,
    key: Option<&SigningKey>,
    arguments: &RequestArgs,
) -> Checked<Result<(Subject, Option<Proposal>), &'static str>> {
    let named = arguments.subject.as_deref();
    let digest = named.and_then(Digest::parse);
    if !matches!(arguments.operation, What::Accept) {
        if !arguments.path.is_empty() {
            return Ok(Err("`--path` is for `--operation accept`"));
        }
        let subject = subject_of_other(workspace, key, (arguments, named, digest))?;
        return Ok(subject.map(|subject| (subject, None)));
    }
    if named.is_some() && digest.is_none() {
        return Ok(Err(NO_DIGEST));
    }
    let proposal = proposed(workspace, key, &arguments.path)?;
    let now = proposal.digest();
    Ok(match digest {
        Some(digest) if digest != now => Err(
            "the changes that stand there now have another digest than `--subject`: leave it out, and look at what is shown",
        ),
        _ => Ok((Subject::of(now), Some(proposal))),
    })
}

const NO_DIGEST: &str = "`--subject` has to be a SHA-256 in 64 lower-case digits";

/// The subject of what is no accept.
fn subject_of_other(
    workspace: &Workspace,
    key: Option<&SigningKey>,
    (arguments, named, digest): (&RequestArgs, Option<&str>, Option<Digest>),
) -> Checked<Result<Subject, &'static str>> {
    Ok(match (arguments.operation, named, digest) {
        (What::Apply, None, _) => Ok(previewed(workspace)?),
        (What::Apply, Some(_), Some(digest)) => {
            let subject = previewed(workspace)?;
            if subject.sha256 == digest {
                Ok(subject)
            } else {
                Err(
                    "the last dry run is of another plan than `--subject`: make it again with `respond`",
                )
            }
        }
        (What::KillOff, None, _) => match kill_switch::digest(workspace) {
            Some(digest) => Ok(Subject::of(digest)),
            None => Err("the kill switch is off: there is nothing to approve"),
        },
        (What::Promote, Some(version), None) => {
            Ok(Subject::of(lifecycle::digest(workspace, key, version)?))
        }
        (What::Promote, None, _) => Err("`--subject` has to name the version to promote"),
        (What::RotateKey | What::Enroll, Some(name), _) => {
            let operation = Operation::from(arguments.operation);
            Ok(Subject::of_secret(operation, name.trim()))
        }
        (What::RotateKey, None, _) => {
            Err("`--subject` has to be the id of the new key, as `audit rotate-key` says it")
        }
        (What::Enroll, None, _) => {
            Err("`--subject` has to be the account, as `override enroll --account` names it")
        }
        (
            What::Accept
            | What::KillOff
            | What::Promote
            | What::PiiAccess
            | What::Artifact
            | What::Spend,
            Some(_),
            Some(digest),
        ) => Ok(Subject::of(digest)),
        (
            What::Apply
            | What::Accept
            | What::KillOff
            | What::PiiAccess
            | What::Artifact
            | What::Spend,
            ..,
        ) => Err(NO_DIGEST),
    })
}

fn request(context: &Context, arguments: &RequestArgs) -> anyhow::Result<Exit> {
    let workspace = context.workspace()?;
    let key = secrets::signing_key()?;
    let (subject, proposal) = match subject(&workspace, key.as_ref(), arguments)? {
        Ok(found) => found,
        Err(text) => return Ok(super::usage_error(context, text)),
    };
    let own_key = own_key()?;
    let paths: Vec<String> = arguments.path.iter().map(Glob::to_string).collect();
    let wish = Wish {
        operation: Operation::from(arguments.operation),
        subject,
        paths: &paths,
        reason: &arguments.reason,
        own_key: own_key.as_ref(),
    };
    let asked = recording::change_now(context, &arguments.now, "approve request", |request| {
        requests::request(request, wish)
    })?;
    show(context, &asked, proposal.as_ref())?;
    Ok(Exit::Done)
}

fn grant(context: &Context, arguments: &GrantArgs) -> anyhow::Result<Exit> {
    let GrantArgs { id, name, now } = arguments;
    let Some(key) = own_key()? else {
        return Err(anyhow::Error::new(
            Diagnostic::new(
                Code::KeyAbsent,
                Place::file(KEY_FILE),
                "an approval is signed, and no variable names your key",
            )
            .found("nothing")
            .expected("the path of a private key that is yours alone")
            .help("`policy-orchestrator keys generate --out FILE` makes a pair; policy/approvers.yaml takes its public half"),
        ));
    };
    let (workspace, secret) = (context.workspace()?, secrets::signing_key()?);
    let (hand, mut proposal) = (Hand { name, key: &key }, None);
    let granted = recording::change_now(context, now, "approve grant", |request| {
        requests::grant(request, id, hand, |asked| {
            let (against, found) = against(&workspace, secret.as_ref(), asked)?;
            proposal = found;
            Ok(against)
        })
    })?;
    show(context, &granted, proposal.as_ref())?;
    Ok(Exit::Done)
}

/// The JSON shape of a step.
#[derive(Serialize)]
struct Step<'a> {
    schema: u32,
    #[serde(flatten)]
    request: &'a requests::Asked,
    expires_at: Timestamp,
    /// What an accept would take in.
    #[serde(skip_serializing_if = "Option::is_none")]
    changes: Option<&'a [Change]>,
}

fn show(
    context: &Context,
    asked: &requests::Asked,
    proposal: Option<&Proposal>,
) -> anyhow::Result<()> {
    let changes = proposal.map(|proposal| proposal.changes.as_slice());
    match context.format() {
        Format::Json => context.output.json(&Step {
            schema: 1,
            request: asked,
            expires_at: asked.until(),
            changes,
        }),
        Format::Human => context
            .output
            .result(&(human(asked) + &changed(changes.unwrap_or_default()))),
    }
}

fn changed(changes: &[Change]) -> String {
    match changes {
        [] => String::new(),
        changes => format!("  to be accepted\n{}", changed_files(changes)),
    }
}

fn human(asked: &requests::Asked) -> String {
    let mut text = format!(
        "{}  {}  {}\n  subject       {}\n  requested by  {} at {}\n  reason        {}\n",
        asked.id,
        asked.operation,
        asked.status.as_str(),
        asked.subject.sha256,
        shown(&asked.requester),
        asked.requested_at.human(),
        shown(&asked.reason)
    );
    if let Some(grant) = &asked.grant {
        text.push_str(&format!("  granted by    {}\n", shown(&grant.approver)));
    }
    if let requests::Status::Denied { by, why } = &asked.status {
        text.push_str(&format!("  denied by     {}: {}\n", shown(by), shown(why)));
    }
    text.push_str(&format!("  until         {}\n", asked.until().human()));
    text
}

/// The JSON shape of `approve list`.
#[derive(Serialize)]
struct List<'a> {
    schema: u32,
    requests: &'a [requests::Asked],
}

fn list(context: &Context) -> anyhow::Result<Exit> {
    let key = secrets::signing_key()?;
    let all = requests::all(&context.workspace()?, key.as_ref())?;
    match context.format() {
        Format::Json => context.output.json(&List {
            schema: 1,
            requests: &all,
        })?,
        Format::Human if all.is_empty() => {
            let text = format!("no approval was asked for yet ({APPROVAL_LOG})\n");
            context.output.result(&text)?;
        }
        Format::Human => {
            let text: String = all.iter().map(human).collect();
            context.output.result(&text)?;
        }
    }
    Ok(Exit::Done)
}

/// The JSON shape of `approve verify`.
#[derive(Serialize)]
struct Verified<'a> {
    schema: u32,
    valid: bool,
    why: Option<&'a str>,
    approval: Option<&'a Approved>,
    request: &'a requests::Asked,
    /// What an accept would take in.
    #[serde(skip_serializing_if = "Option::is_none")]
    changes: Option<&'a [Change]>,
}

fn verify(context: &Context, arguments: &VerifyArgs) -> anyhow::Result<Exit> {
    let key = secrets::signing_key()?;
    let at = clock(arguments.at).read();
    let workspace = context.workspace()?;
    let mut proposal = None;
    let (asked, judged) = requests::verify(&workspace, key.as_ref(), &arguments.id, at, |asked| {
        // Behind an accept there is nothing more to be accepted: then the list of now will do.
        let Ok((against, found)) = against(&workspace, key.as_ref(), asked) else {
            return Against::now(&workspace);
        };
        proposal = found;
        Ok(against)
    })?;
    let changes = proposal
        .as_ref()
        .map(|proposal| proposal.changes.as_slice());
    let shape = Verified {
        schema: 1,
        valid: judged.is_ok(),
        why: judged.as_ref().err().map(String::as_str),
        approval: judged.as_ref().ok(),
        request: &asked,
        changes,
    };
    let text = human(&asked) + &changed(changes.unwrap_or_default());
    match (context.format(), &judged) {
        (Format::Json, _) => context.output.json(&shape)?,
        (Format::Human, Ok(Approved { approver, .. })) => {
            let text = format!("valid, signed by {}\n{text}", shown(approver));
            context.output.result(&text)?;
        }
        (Format::Human, Err(why)) => {
            let text = format!("not valid: {}\n{text}", shown(why));
            context.output.result(&text)?;
        }
    }
    Ok(if judged.is_ok() {
        Exit::Done
    } else {
        Exit::Denied
    })
}
