//! `attest` and `attest verify`: recorded decisions as signed statements.

use std::path::{Path, PathBuf};

use clap::{Args, Subcommand, ValueEnum};
use serde::Serialize;

use super::given::Given;
use super::{Context, Exit, Format, keys, secrets, vault};
use crate::attestation::check::Claim;
use crate::attestation::commit::Checkout;
use crate::attestation::statement::{self, NEVER_PASSES, PAYLOAD_TYPE, Says, Subject};
use crate::attestation::{Predicate, Recorded, Statement};
use crate::diagnostic::{Checked, Code, Diagnostic, Place, shown};
use crate::fs::Workspace;
use crate::fs::named::{Readers, create};
use crate::keys::dsse::{self, Envelope};
use crate::keys::{KeyId, PrivateKey, VerifyingKey, file};
use crate::policy::Level;
use crate::record::{STATE_JOURNAL, SigningKey};
use crate::vault::{TransitName, Vault};

const EXAMPLES: &str = "\
Examples:
  POLICY_SIGNING_KEY_FILE=~/policy.key policy-orchestrator attest --out decision.intoto.json
  policy-orchestrator attest --predicate decision --number 41 --out decision-41.intoto.json
  policy-orchestrator attest --key vault-transit:policy --out decision.intoto.json
  policy-orchestrator attest verify decision.intoto.json --key policy.pub

The key is the file that POLICY_SIGNING_KEY_FILE or COSIGN_KEY_PATH names, its password
POLICY_KEY_PASSWORD or COSIGN_PASSWORD. A summary says PASSED for GREEN and for what --accept names,
FAILED for everything else; RED never passes. It is about the line of the journal, and about the
commit that is checked out where that holds every file that was read, or with --commit.
docs/attestations.md says what each member means.

Exit codes: 0 written; 1 no such decision, no key, or a file that can't be written; 2 usage;
5 the journal was changed, so nothing is signed";

const VERIFY_HELP: &str = "\
Examples:
  policy-orchestrator attest verify decision.intoto.json --key policy.pub
  policy-orchestrator attest verify decision.intoto.json --key policy.pub --workspace ~/project

Needs no network. Without a workspace only the signature and the statement itself are checked; where
a journal is there, the statement is held against its line too.

Exit codes: 0 holds; 1 unreadable; 2 usage; 5 nobody of the given keys signed it, or it says
something else than the journal";

#[derive(Debug, Args)]
#[command(after_help = EXAMPLES, args_conflicts_with_subcommands = true)]
pub(super) struct AttestArgs {
    #[command(subcommand)]
    command: Option<AttestCommand>,

    /// The decision with this number of the journal, or `latest`
    #[arg(long, value_name = "N", default_value = "latest", value_parser = parse_number)]
    number: Number,

    /// What the statement says
    #[arg(long, value_enum, default_value = "vsa")]
    predicate: PredicateChoice,

    /// Where it goes; standard output where nothing is named
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,

    /// A level beside GREEN for which a summary says PASSED; may be repeated
    #[arg(long, value_name = "LEVEL", value_parser = parse_accepted)]
    accept: Vec<String>,

    /// Name the commit that is checked out, whether it holds what was read or not
    #[arg(long)]
    commit: bool,

    /// What was verified, as a URI [default: the line of the journal]
    #[arg(long, value_name = "URI", value_parser = parse_uri)]
    resource: Option<String>,

    /// Who verified, as a URI
    #[arg(long, value_name = "URI", default_value = VERIFIER, value_parser = parse_uri)]
    verifier: String,

    /// Let a key sign that never leaves Vault: vault-transit:NAME, or vault-transit:MOUNT/NAME
    #[arg(long, value_name = "KEY", value_parser = parse_transit)]
    key: Option<TransitName>,
}

fn parse_transit(text: &str) -> Result<TransitName, String> {
    TransitName::parse(text).ok_or_else(|| {
        "expected vault-transit:NAME or vault-transit:MOUNT/NAME; a key in a file is named by POLICY_SIGNING_KEY_FILE"
            .to_owned()
    })
}

#[derive(Debug, Subcommand)]
enum AttestCommand {
    /// Check the signature of a statement and what it says
    Verify(VerifyArgs),
}

#[derive(Debug, Args)]
#[command(after_help = VERIFY_HELP)]
struct VerifyArgs {
    /// The file of an envelope; `-` for standard input
    #[arg(value_name = "FILE")]
    file: String,

    /// The file of a public key that is trusted, or vault-transit:NAME; may be repeated, and one of
    /// them has to have signed
    #[arg(long, value_name = "PUB", required = true)]
    key: Vec<PathBuf>,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum PredicateChoice {
    /// A SLSA Verification Summary: PASSED or FAILED
    Vsa,
    /// The whole decision
    Decision,
}

#[derive(Debug, Clone, Copy)]
enum Number {
    Latest,
    Given(u64),
}

fn parse_number(text: &str) -> Result<Number, String> {
    if text == "latest" {
        return Ok(Number::Latest);
    }
    let number = text.parse().map(Number::Given);
    number.map_err(|_| "expected the number of a line, or `latest`".to_owned())
}

fn parse_accepted(text: &str) -> Result<String, String> {
    if text == NEVER_PASSES {
        return Err("RED never passes".to_owned());
    }
    let level = Level::parse(text).map(|level| level.name().to_owned());
    level.ok_or_else(|| "expected the name of a level, upper-case".to_owned())
}

/// Good enough for what is only passed on: a scheme, and nothing that no URI has.
fn parse_uri(text: &str) -> Result<String, String> {
    let scheme = text.split_once(':').is_some_and(|(scheme, rest)| {
        let plain = |c: char| c.is_ascii_alphanumeric() || "+-.".contains(c);
        scheme.starts_with(|c: char| c.is_ascii_alphabetic())
            && scheme.chars().all(plain)
            && !rest.is_empty()
    });
    let plain = text.chars().all(|c| c.is_ascii_graphic() && c != '"');
    if scheme && plain && text.len() <= 2000 {
        Ok(text.to_owned())
    } else {
        Err("expected a URI, as `https://example.org/gate`".to_owned())
    }
}

pub(super) fn attest(context: &Context, arguments: &AttestArgs) -> anyhow::Result<Exit> {
    if let Some(AttestCommand::Verify(arguments)) = &arguments.command {
        return verify(context, arguments);
    }
    let workspace = context.workspace()?;
    let secret = secrets::signing_key()?;
    let number = match arguments.number {
        Number::Latest => None,
        Number::Given(number) => Some(number),
    };
    let recorded = Recorded::load(&workspace, number, secret.as_ref())?;
    let signer = match &arguments.key {
        Some(name) => Signer::InVault(name),
        None => Signer::Here(Box::new(keys::needed_signing_key("a statement")?)),
    };
    let commit = commit_of(&workspace, &recorded, arguments.commit);
    if arguments.commit && commit.is_none() {
        return Ok(super::usage_error(
            context,
            "--commit: the workspace is in no git repository with a commit",
        ));
    }
    let says = Says {
        predicate: match arguments.predicate {
            PredicateChoice::Vsa => Predicate::Summary,
            PredicateChoice::Decision => Predicate::Decision,
        },
        commit: commit.as_deref(),
        verifier: &arguments.verifier,
        resource: arguments.resource.as_deref(),
        accepted: &arguments.accept,
    };
    let statement = Statement::of(&recorded, says);
    let envelope = Envelope::new(PAYLOAD_TYPE, statement.to_bytes());
    let (envelope, key_id) = match signer {
        Signer::Here(key) => (envelope.signed(&key), key.verifying().id()),
        Signer::InVault(name) => signed_in_vault(envelope, name)?,
    };
    let bytes = envelope.to_json();
    let Some(out) = &arguments.out else {
        context.output.result_bytes(&bytes)?;
        return Ok(Exit::Done);
    };
    create(out, &bytes, Readers::Everybody)?;
    written(context, out, &recorded, &statement, key_id)?;
    Ok(Exit::Done)
}

/// The commit that is checked out, where it holds what was read, or is to be named `anyway`.
fn commit_of(workspace: &Workspace, recorded: &Recorded, anyway: bool) -> Option<String> {
    let holds = |checkout: &Checkout| {
        let state = recorded.state.as_ref();
        anyway || state.is_some_and(|state| checkout.holds(state))
    };
    Checkout::of(workspace).filter(holds)?.name()
}

/// Who verified, where nobody says otherwise.
const VERIFIER: &str = "urn:policy-orchestrator";

/// Attests a decision that was just recorded, as a summary with every default; the file that it is in.
pub(super) fn attest_run(
    workspace: &Workspace,
    number: u64,
    secret: Option<&SigningKey>,
    place: &Path,
) -> Checked<PathBuf> {
    let key = keys::needed_signing_key("a statement")?;
    let recorded = Recorded::load(workspace, Some(number), secret)?;
    let commit = commit_of(workspace, &recorded, false);
    let says = Says {
        predicate: Predicate::Summary,
        commit: commit.as_deref(),
        verifier: VERIFIER,
        resource: None,
        accepted: &[],
    };
    let statement = Statement::of(&recorded, says);
    let envelope = Envelope::new(PAYLOAD_TYPE, statement.to_bytes()).signed(&key);
    let out = if place.is_dir() {
        place.join(format!("decision-{number}.intoto.json"))
    } else {
        place.to_owned()
    };
    create(&out, &envelope.to_json(), Readers::Everybody)?;
    Ok(out)
}

/// Who signs.
enum Signer<'a> {
    Here(Box<PrivateKey>),
    InVault(&'a TransitName),
}

/// Lets a key in Vault sign.
fn signed_in_vault(envelope: Envelope, name: &TransitName) -> Checked<(Envelope, KeyId)> {
    let settings = vault::settings()?;
    let vault = Vault::open(settings.server()?)?;
    let key = vault.transit(name.clone())?;
    let signature = key.sign(&envelope.message())?;
    let signed = envelope.with_signature(key.public(), signature);
    Ok((signed, key.public().id()))
}

/// The public key in a file, or of a key in Vault.
fn trusted(named: &Path) -> Checked<VerifyingKey> {
    let text = named.to_string_lossy();
    if !text.starts_with(TransitName::PREFIX) {
        return file::public(named);
    }
    let name = TransitName::parse(&text).ok_or_else(|| TransitName::refused("--key", &text))?;
    let settings = vault::settings()?;
    let vault = Vault::open(settings.server()?)?;
    Ok(vault.transit(name)?.public().clone())
}

/// The JSON shape of `attest --out`.
#[derive(Serialize)]
struct Written<'a> {
    schema: u32,
    file: &'a Path,
    predicate_type: &'a str,
    number: u64,
    level: &'a str,
    subjects: &'a [Subject],
    key_id: KeyId,
}

fn written(
    context: &Context,
    out: &Path,
    recorded: &Recorded,
    statement: &Statement,
    key_id: KeyId,
) -> anyhow::Result<()> {
    let decision = &recorded.decision;
    match context.format() {
        Format::Json => context.output.json(&Written {
            schema: 1,
            file: out,
            predicate_type: &statement.predicate_type,
            number: decision.seq,
            level: decision.level.name(),
            subjects: &statement.subject,
            key_id,
        }),
        Format::Human => context.output.result(&format!(
            "number {} of {STATE_JOURNAL}, {}, signed with the key {}\n  written  {}\n{}",
            decision.seq,
            decision.level,
            key_id.short(),
            out.display(),
            subjects(&statement.subject)
        )),
    }
}

fn subjects(subjects: &[Subject]) -> String {
    let mut text = String::new();
    for Subject { name, digest } in subjects {
        let sha256 = digest.sha256.map(|digest| format!("SHA-256 {digest}"));
        let commit = digest.git_commit.as_deref();
        let commit = commit.map(|commit| format!("git commit {}", shown(commit)));
        let digest = sha256.or(commit).unwrap_or_default();
        text.push_str(&format!("  about    {} ({digest})\n", shown(name)));
    }
    text
}

/// The JSON shape of `attest verify`, where it holds.
#[derive(Serialize)]
struct Verified<'a> {
    schema: u32,
    holds: bool,
    predicate_type: &'a str,
    number: u64,
    level: &'a str,
    time: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    result: Option<&'a str>,
    subjects: &'a [Subject],
    signers: Vec<KeyId>,
    /// `held`, or `absent` where no journal was there to hold it against.
    journal: &'static str,
}

fn verify(context: &Context, arguments: &VerifyArgs) -> anyhow::Result<Exit> {
    let name = &arguments.file;
    let trusted: Vec<VerifyingKey> = arguments
        .key
        .iter()
        .map(|named| trusted(named))
        .collect::<Checked<_>>()?;
    let given = Given {
        path: name,
        what: "envelope",
        expected: "a DSSE envelope, as `attest` writes it",
        limit: dsse::LIMIT,
    };
    let envelope = Envelope::parse(name, &given.read()?)?;
    let signers: Vec<KeyId> = envelope
        .signers(&trusted)
        .into_iter()
        .map(VerifyingKey::id)
        .collect();
    if signers.is_empty() {
        return Err(anyhow::Error::new(unsigned(name, &envelope, &trusted)));
    }
    let (payload_type, payload) = (envelope.payload_type(), envelope.payload());
    let (statement, said) = Statement::parse(name, payload_type, payload)?;
    let claim = Claim::of(name, &statement, &said)?;
    let workspace = context.workspace()?;
    let there = workspace.path(STATE_JOURNAL).exists();
    // Whoever names a workspace wants the journal asked.
    if there || context.names_workspace() {
        claim.against_journal(&workspace)?;
    }
    let verified = Verified {
        schema: 1,
        holds: true,
        predicate_type: &statement.predicate_type,
        number: claim.number,
        level: &claim.level,
        time: &claim.time,
        result: claim.result.as_deref(),
        subjects: &statement.subject,
        signers,
        journal: if there { "held" } else { "absent" },
    };
    match context.format() {
        Format::Json => context.output.json(&verified)?,
        Format::Human => context.output.result(&human(context, &verified))?,
    }
    Ok(Exit::Done)
}

fn human(context: &Context, verified: &Verified<'_>) -> String {
    let paint = context.output.paint();
    let signers: Vec<String> = verified.signers.iter().map(KeyId::short).collect();
    let kind = match verified.predicate_type {
        statement::SUMMARY => "verification summary",
        _ => "decision",
    };
    let result = verified.result.unwrap_or_default();
    let journal = if verified.journal == "held" {
        "says the same"
    } else {
        "not there; only the signature and the statement itself were checked"
    };
    format!(
        "{}  {kind} {result}\n  says     {} at {}, number {}\n{}  signed   by {}\n  journal  {journal}\n",
        paint.level(&Level::GREEN, "● holds"),
        shown(verified.level),
        shown(verified.time),
        verified.number,
        subjects(verified.subjects),
        signers.join(", "),
    )
}

fn unsigned(name: &str, envelope: &Envelope, trusted: &[VerifyingKey]) -> Diagnostic {
    let mut named: Vec<String> = envelope.named_keys().map(shown).collect();
    named.truncate(2);
    let found = if named.is_empty() {
        "signatures that name no key".to_owned()
    } else {
        format!("signatures that name {}", named.join(", "))
    };
    let expected: Vec<String> = trusted.iter().map(|key| key.id().short()).collect();
    Diagnostic::new(
        Code::AttestationUnsigned,
        Place::file(name),
        "none of the given keys signed this statement",
    )
    .found(found)
    .expected(format!("one that holds, of {}", expected.join(" or ")))
    .help("the statement was changed, or another key signed it: check where both come from")
}
