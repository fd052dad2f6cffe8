//! `keys generate` and `keys show`; which variables hold a private key and its password.

use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};

use clap::{Args, Subcommand, ValueEnum};
use serde::Serialize;

use super::output::variable_os;
use super::{Context, Exit, Format, secrets};
use crate::diagnostic::{Checked, Code, Diagnostic, Place};
use crate::fs::named::{Readers, create, take_back};
use crate::keys::file;
use crate::keys::note::{KeyName, Verifier};
use crate::keys::{Algorithm, KeyId, Password, PrivateKey, VerifyingKey};

/// The variables that name the file of a private key, in their order.
pub(super) const KEY_FILES: [&str; 2] = ["POLICY_SIGNING_KEY_FILE", "COSIGN_KEY_PATH"];

/// The variables that hold the password of a private key, in their order.
const PASSWORDS: [&str; 2] = ["POLICY_KEY_PASSWORD", "COSIGN_PASSWORD"];

/// The password of private keys; `None` where none is set.
pub(super) fn password() -> Option<Password> {
    let set = PASSWORDS.into_iter().find_map(variable_os);
    set.map(|password| Password::new(password.into_encoded_bytes()))
}

/// The variable that says where in Vault a private key is.
const KEY_VAULT: &str = "POLICY_SIGNING_KEY_VAULT";

/// The private key that the environment names; `None` where it names none.
pub(super) fn signing_key() -> Checked<Option<PrivateKey>> {
    let named = KEY_FILES
        .into_iter()
        .find_map(|name| Some((name, variable_os(name)?)));
    private(named, KEY_VAULT)
}

/// The private key in the file that a variable names, or at the place in Vault that another one names.
pub(super) fn private(
    file: Option<(&'static str, OsString)>,
    in_vault: &'static str,
) -> Checked<Option<PrivateKey>> {
    let password = password();
    match (file, variable_os(in_vault)) {
        (None, None) => Ok(None),
        (Some((name, path)), None) => file::private(Path::new(&path), password.as_ref())
            .map(Some)
            .map_err(|finding| without_path(*finding, name, &path)),
        (None, Some(place)) => {
            let text = secrets::from_vault(in_vault, &place)?;
            PrivateKey::from_pem(in_vault, &text, password.as_ref()).map(Some)
        }
        (Some((name, _)), Some(_)) => Err(Box::new(
            Diagnostic::new(
                Code::KeyUnusable,
                Place::file(name),
                "two variables name a private key",
            )
            .found(format!("{name} and {in_vault}, both set"))
            .expected("one of them")
            .help("take one of them out of the environment"),
        )),
    }
}

/// The same for what can't go on without one.
pub(super) fn needed_signing_key(what: &str) -> Checked<PrivateKey> {
    signing_key()?.ok_or_else(|| {
        Box::new(
            Diagnostic::new(
                Code::KeyAbsent,
                Place::file(KEY_FILES[0]),
                format!("{what} is to be signed, and no variable names a private key"),
            )
            .found("nothing")
            .expected(format!("{}, {} or {KEY_VAULT}", KEY_FILES[0], KEY_FILES[1]))
            .help("`policy-orchestrator keys generate --out FILE` makes a pair; name FILE there"),
        )
    })
}

/// The finding with the variable in place of the path that it holds: where a key is, is nobody's
/// business who reads a log (S0-074).
fn without_path(finding: Diagnostic, name: &'static str, path: &OsStr) -> Box<Diagnostic> {
    let path = path.to_string_lossy();
    let hidden = |text: String| text.replace(path.as_ref(), &format!("${name}"));
    Box::new(Diagnostic {
        place: Place::file(name),
        message: hidden(finding.message),
        found: finding.found.map(hidden),
        expected: finding.expected.map(hidden),
        help: finding.help.map(hidden),
        code: finding.code,
    })
}

#[derive(Debug, Subcommand)]
pub(super) enum KeysCommand {
    /// Make a pair of keys; overwrites nothing
    Generate(GenerateArgs),
    /// What a key is, how it is called, and its public half
    Show(ShowArgs),
}

const GENERATE_HELP: &str = "\
Examples:
  policy-orchestrator keys generate --out ~/policy.key
  POLICY_KEY_PASSWORD=… policy-orchestrator keys generate --type p256 --out cosign.key

Writes the private key with mode 0600 and the public one beside it: policy.pub for policy.key, else
with `.pub` behind the name. With POLICY_KEY_PASSWORD or COSIGN_PASSWORD set, the private key is
encrypted in the form of cosign. Keep the private key out of the repository.

Exit codes: 0 made; 1 something stands there already, or a write failed; 2 usage";

const SHOW_HELP: &str = "\
Examples:
  policy-orchestrator keys show policy.pub
  policy-orchestrator keys show --format json policy.key | jq -r .key_id

Takes a public key or a private one (with its password in POLICY_KEY_PASSWORD or COSIGN_PASSWORD),
and never shows the private half.

Exit codes: 0 shown; 1 no key that can be used; 2 usage";

#[derive(Debug, Clone, Copy, ValueEnum)]
enum KeyType {
    /// Ed25519: attestations, approvals and checkpoints
    Ed25519,
    /// ECDSA over P-256, as cosign makes them: attestations and approvals
    P256,
}

#[derive(Debug, Args)]
#[command(after_help = GENERATE_HELP)]
pub(super) struct GenerateArgs {
    /// What kind of keys
    #[arg(long = "type", value_enum, default_value = "ed25519")]
    kind: KeyType,

    /// Where the private key goes
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
}

#[derive(Debug, Args)]
#[command(after_help = SHOW_HELP)]
pub(super) struct ShowArgs {
    /// The file of a key
    #[arg(value_name = "FILE")]
    file: PathBuf,

    /// Also the form in which checks of signed notes take an Ed25519 key, under this name
    #[arg(long, value_name = "NAME", value_parser = parse_name)]
    note_name: Option<KeyName>,
}

fn parse_name(text: &str) -> Result<KeyName, String> {
    KeyName::parse(text).ok_or_else(|| "expected a name without blanks and `+`".to_owned())
}

pub(super) fn keys(context: &Context, command: &KeysCommand) -> anyhow::Result<Exit> {
    match command {
        KeysCommand::Generate(arguments) => generate(context, arguments),
        KeysCommand::Show(arguments) => show(context, arguments),
    }
}

/// The JSON shape of both commands.
#[derive(Serialize)]
struct Shown<'k> {
    schema: u32,
    algorithm: Algorithm,
    key_id: KeyId,
    public_key: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    note_key: Option<String>,
    /// True where the file holds the private key, or it was made.
    private: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    encrypted: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    private_file: Option<&'k Path>,
    #[serde(skip_serializing_if = "Option::is_none")]
    public_file: Option<&'k Path>,
}

impl Shown<'_> {
    fn of(key: &VerifyingKey) -> Self {
        Self {
            schema: 1,
            algorithm: key.algorithm(),
            key_id: key.id(),
            public_key: key.to_pem(),
            note_key: None,
            private: false,
            encrypted: None,
            private_file: None,
            public_file: None,
        }
    }
}

/// Where the public key of a private one goes.
fn public_beside(private: &Path) -> PathBuf {
    if private.extension() == Some(OsStr::new("key")) {
        return private.with_extension("pub");
    }
    let mut name = private.as_os_str().to_owned();
    name.push(".pub");
    PathBuf::from(name)
}

fn generate(context: &Context, arguments: &GenerateArgs) -> anyhow::Result<Exit> {
    let algorithm = match arguments.kind {
        KeyType::Ed25519 => Algorithm::Ed25519,
        KeyType::P256 => Algorithm::EcdsaP256,
    };
    let password = password();
    let key = PrivateKey::generate(algorithm)?;
    let private = key.to_pem(password.as_ref())?;
    let public_file = public_beside(&arguments.out);
    create(&arguments.out, private.as_bytes(), Readers::Owner)?;
    let public = key.verifying();
    let made = create(&public_file, public.to_pem().as_bytes(), Readers::Everybody);
    made.inspect_err(|_| take_back(&arguments.out))?;
    let shown = Shown {
        private: true,
        encrypted: Some(password.is_some()),
        private_file: Some(&arguments.out),
        public_file: Some(&public_file),
        ..Shown::of(&public)
    };
    if password.is_none() {
        let unset = PASSWORDS.join(" nor ");
        context.output.note(&format!(
            "the private key is not encrypted, since neither {unset} is set"
        ));
    }
    match context.format() {
        Format::Json => context.output.json(&shown)?,
        Format::Human => context.output.result(&format!(
            "{algorithm} key {}\n  private  {} (mode 0600; keep it out of the repository)\n  public   {}\n",
            public.id().short(),
            arguments.out.display(),
            public_file.display()
        ))?,
    }
    Ok(Exit::Done)
}

fn show(context: &Context, arguments: &ShowArgs) -> anyhow::Result<Exit> {
    let password = password();
    let (key, private) = file::either(&arguments.file, password.as_ref())?;
    let note_key = match &arguments.note_name {
        None => None,
        Some(name) => match Verifier::new(name.clone(), key.clone()) {
            Some(verifier) => Some(verifier.to_string()),
            None => {
                let text = "only an Ed25519 key has a form for signed notes";
                return Ok(super::usage_error(context, text));
            }
        },
    };
    let shown = Shown {
        note_key,
        private,
        ..Shown::of(&key)
    };
    match context.format() {
        Format::Json => context.output.json(&shown)?,
        Format::Human => context.output.result(&human(&key, &shown))?,
    }
    Ok(Exit::Done)
}

fn human(key: &VerifyingKey, shown: &Shown<'_>) -> String {
    let half = if shown.private { "private" } else { "public" };
    let mut text = format!("{} key, {half}\n  id  {}\n", shown.algorithm, shown.key_id);
    if let Some(note_key) = &shown.note_key {
        text.push_str(&format!("  for notes  {note_key}\n"));
    }
    text.push_str(&key.to_pem());
    text
}
