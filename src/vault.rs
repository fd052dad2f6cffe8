//! Vault: secrets that are read from it, signatures that its transit engine makes, and signed
//! records that are kept in it; or the simulation that stands in where there is none.
//!
//! [`Settings`] is what the environment says, parsed; [`status`] asks whether Vault can be used,
//! [`write_signature`] keeps a signed record, [`Vault`] is a server whose token was looked at. What
//! goes over the wire follows HashiCorp's API documentation (developer.hashicorp.com/vault/api-docs:
//! `secret/kv/kv-v2`, `secret/transit`, `auth/token`, `system/health`), which OpenBao keeps too. The
//! environment is read in [`crate::cli`]; what a signature means is the business of whoever asks for
//! it.
//!
//! Only a build with the feature `vault` talks to a server, since that brings a TLS stack. The
//! others have the same functions, which say so.

#[cfg(not(feature = "vault"))]
mod absent;
mod answer;
mod kv;
mod settings;
mod simulation;
mod token;
mod transit;
#[cfg(feature = "vault")]
mod wire;

#[cfg(not(feature = "vault"))]
use absent as wire;

pub use kv::Reference;
pub use settings::{ADDRESS, Given, Mode, SIMULATION, Server, Settings, simulation};
pub use simulation::DIRECTORY;
pub use transit::{TransitKey, TransitName};

use answer::Failure;

/// True where this program can talk to a server.
pub const IS_BUILT: bool = cfg!(feature = "vault");

/// Can Vault be used?
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Status {
    /// Nothing says where it is, or it was said that everything is simulated.
    Absent,
    /// This program was built without the feature `vault`.
    NotBuilt,
    /// Nobody answers there, or not as Vault does: why.
    Unreachable(String),
    /// It answers and is sealed, or was never set up.
    Sealed,
    /// It answers, and does not take the token: why.
    Refused(String),
    /// It can be used.
    Ready,
}

impl Status {
    /// Why it can't be used, for a person; `None` where it can.
    pub fn why(&self) -> Option<String> {
        Some(match self {
            Self::Absent => "no server is named".to_owned(),
            Self::NotBuilt => NOT_BUILT.to_owned(),
            Self::Unreachable(why) => format!("not reachable: {why}"),
            Self::Sealed => "sealed".to_owned(),
            Self::Refused(why) => format!("the token is not taken: {why}"),
            Self::Ready => return None,
        })
    }

    /// What to do about it; empty where it can be used.
    pub fn help(&self) -> &'static str {
        match self {
            Self::Absent => "install Vault, and set VAULT_ADDR and VAULT_TOKEN or VAULT_TOKEN_FILE",
            Self::NotBuilt => NOT_BUILT_HELP,
            Self::Unreachable(_) => {
                "check VAULT_ADDR, VAULT_CACERT and the network: `curl $VAULT_ADDR/v1/sys/health`"
            }
            Self::Sealed => "somebody with key shares has to run `vault operator unseal`",
            Self::Refused(_) => "`vault login` gives a token; name it in VAULT_TOKEN_FILE",
            Self::Ready => "",
        }
    }
}

const NOT_BUILT: &str = "this build has no Vault: cargo feature `vault`";
const NOT_BUILT_HELP: &str = "build the program with `cargo build --release --features vault`";

/// Asks whether Vault can be used: does it answer, is it open, does it take the token? A token that
/// is about to expire is renewed.
pub fn status(settings: &Settings) -> Status {
    let Mode::Server(server) = &settings.mode else {
        return Status::Absent;
    };
    match answer::health(server).and_then(|()| token::check(server)) {
        Ok(()) => Status::Ready,
        Err(Failure::NotBuilt) => Status::NotBuilt,
        Err(Failure::Sealed) => Status::Sealed,
        Err(failure @ (Failure::Forbidden(_) | Failure::Token(_))) => {
            Status::Refused(failure.in_words())
        }
        Err(failure) => Status::Unreachable(failure.in_words()),
    }
}

/// Where a signed record is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Kept {
    /// The place: a path in Vault, or a file of the simulation.
    pub place: String,
    /// True where it is only simulated, which proves nothing.
    pub simulated: bool,
}

/// Keeps a signed record at `signatures/<id>` (S0-031). A record that is there is never written over:
/// one that says the same counts as kept, any other is refused.
pub fn write_signature(
    settings: &Settings,
    id: &str,
    signed: &str,
    approver: &str,
) -> crate::diagnostic::Checked<Kept> {
    kv::check_id(id)?;
    match &settings.mode {
        Mode::Server(server) => {
            let place = Vault::open(server)?.keep_signature(id, signed, approver)?;
            Ok(Kept {
                place,
                simulated: false,
            })
        }
        Mode::Simulated { directory, .. } => {
            let place = simulation::keep(directory, id, signed, approver)?;
            Ok(Kept {
                place,
                simulated: true,
            })
        }
        Mode::Missing => Err(settings::missing()),
    }
}

/// A server that answers and whose token was looked at.
#[derive(Debug)]
pub struct Vault<'a> {
    server: &'a Server,
}

impl<'a> Vault<'a> {
    /// Looks at the token, and renews it where it is about to expire.
    pub fn open(server: &'a Server) -> crate::diagnostic::Checked<Self> {
        token::check(server).map_err(|failure| failure.into_diagnostic(server, "the token"))?;
        Ok(Self { server })
    }
}
