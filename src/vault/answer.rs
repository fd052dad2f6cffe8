//! What Vault answers, and what it means where that is not what was asked for.
//!
//! Statuses after `system/health` and the overview of the HTTP API: 400 a request that makes no
//! sense, 403 no right or no such token, 404 nothing there or no right to know, 503 sealed. An error
//! is `{"errors": [text, …]}`.

use serde::Deserialize;
use serde::de::DeserializeOwned;
use zeroize::Zeroizing;

use super::settings::Server;
use super::{NOT_BUILT, NOT_BUILT_HELP, wire};
use crate::diagnostic::{Code, Diagnostic, Place, readable};

/// The longest answer, in bytes.
#[cfg(feature = "vault")]
pub(super) const LIMIT: u64 = 1024 * 1024;

/// How much of what Vault says is shown, in characters.
const SHOWN: usize = 200;

/// What is asked.
#[cfg_attr(
    not(feature = "vault"),
    expect(dead_code, reason = "nobody is asked without the feature")
)]
pub(super) struct Request {
    /// Below `/v1/`.
    pub(super) path: String,
    /// JSON to be posted; `None` to get.
    pub(super) body: Option<Zeroizing<Vec<u8>>>,
}

impl Request {
    pub(super) fn get(path: impl Into<String>) -> Self {
        Self {
            path: path.into(),
            body: None,
        }
    }

    pub(super) fn post<T: serde::Serialize>(path: impl Into<String>, body: &T) -> Self {
        Self {
            path: path.into(),
            body: Some(Zeroizing::new(serde_json::to_vec(body).unwrap_or_default())),
        }
    }
}

/// An answer, whatever it says.
pub(super) struct Reply {
    pub(super) status: u16,
    pub(super) body: Zeroizing<Vec<u8>>,
}

/// Why something was not done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Failure {
    /// This program can't talk to a server.
    #[cfg_attr(
        feature = "vault",
        expect(dead_code, reason = "only its stand-in says so")
    )]
    NotBuilt,
    /// Nobody answered, or not in time, or not to the end.
    #[cfg_attr(
        not(feature = "vault"),
        expect(dead_code, reason = "nobody is asked without the feature")
    )]
    Unreachable(String),
    /// The connection could not be secured.
    #[cfg_attr(
        not(feature = "vault"),
        expect(dead_code, reason = "nobody is asked without the feature")
    )]
    Tls(String),
    /// Sealed, or never set up.
    Sealed,
    /// 403.
    Forbidden(String),
    /// 404.
    Nothing,
    /// The token is about to expire, and can't be renewed.
    Token(String),
    /// Another status.
    Status(u16, String),
    /// An answer that is none of Vault's.
    Odd(String),
}

impl Failure {
    /// Why, for a person.
    pub(super) fn in_words(&self) -> String {
        match self {
            Self::NotBuilt => NOT_BUILT.to_owned(),
            Self::Unreachable(why) | Self::Tls(why) | Self::Token(why) | Self::Odd(why) => {
                why.clone()
            }
            Self::Sealed => "it is sealed".to_owned(),
            Self::Forbidden(said) => format!("the answer 403{said}"),
            Self::Nothing => "the answer 404: nothing is there".to_owned(),
            Self::Status(status, said) => format!("the answer {status}{said}"),
        }
    }

    /// The finding, where `what` was wanted.
    pub(super) fn into_diagnostic(self, server: &Server, what: &str) -> Box<Diagnostic> {
        let (code, help) = match &self {
            Self::NotBuilt => (Code::VaultUnavailable, NOT_BUILT_HELP),
            Self::Unreachable(_) => (
                Code::VaultUnavailable,
                "check VAULT_ADDR and the network: `curl $VAULT_ADDR/v1/sys/health`",
            ),
            Self::Tls(_) => (
                Code::VaultUnavailable,
                "name the file of your certification authority in VAULT_CACERT, and a host in VAULT_ADDR that its certificate names",
            ),
            Self::Sealed => (
                Code::VaultUnavailable,
                "somebody with key shares has to run `vault operator unseal`",
            ),
            Self::Forbidden(_) => (
                Code::VaultRefused,
                "the token expired or has no right to this path: `vault token lookup`, `vault token capabilities PATH`",
            ),
            Self::Nothing => (
                Code::VaultRefused,
                "check mount and path: `vault secrets list`, `vault kv get -mount=MOUNT PATH`; a namespace goes into VAULT_NAMESPACE",
            ),
            Self::Token(_) => (
                Code::VaultRefused,
                "`vault login` gives a new token; name it in VAULT_TOKEN_FILE",
            ),
            Self::Status(300..=399, _) => (
                Code::VaultRefused,
                "name the active node itself in VAULT_ADDR: redirects are not followed",
            ),
            Self::Status(429 | 472 | 473 | 500.., _) => {
                (Code::VaultUnavailable, "look at the log of the server")
            }
            Self::Status(..) => (Code::VaultRefused, "check the engine's type and version"),
            Self::Odd(_) => (
                Code::VaultUnavailable,
                "is VAULT_ADDR the address of a Vault server, and not of something before it?",
            ),
        };
        Box::new(
            Diagnostic::new(
                code,
                Place::file(format!("Vault at {}", server.address)),
                format!("Vault did not give {what}"),
            )
            .found(self.in_words())
            .expected(what)
            .help(help),
        )
    }
}

#[derive(Deserialize)]
struct Errors {
    #[serde(default)]
    errors: Vec<String>,
}

/// Asks, and reads the answer. The shape has only what is needed of it.
pub(super) fn ask<T: DeserializeOwned>(server: &Server, request: &Request) -> Result<T, Failure> {
    let reply = wire::exchange(server, request)?;
    if (200..300).contains(&reply.status) {
        return parse(&reply.body);
    }
    Err(failure(server, &reply))
}

/// Reads the body of an answer. What a reader finds wrong may quote a secret, so only where it is
/// wrong is told.
pub(super) fn parse<T: DeserializeOwned>(body: &[u8]) -> Result<T, Failure> {
    serde_json::from_slice(body).map_err(|error| {
        Failure::Odd(format!(
            "an answer that is none of Vault's, from line {}, column {} on",
            error.line(),
            error.column()
        ))
    })
}

fn failure(server: &Server, reply: &Reply) -> Failure {
    let errors: Result<Errors, _> = serde_json::from_slice(&reply.body);
    // What a server says may repeat what it was told.
    let said = errors.map(|errors| errors.errors.join("; "));
    let said = said.unwrap_or_default();
    let said = said.replace(server.token.as_str(), crate::privacy::REDACTED);
    let said = match said.trim() {
        "" => String::new(),
        said => format!(": {}", readable(said, SHOWN)),
    };
    match reply.status {
        403 => Failure::Forbidden(said),
        404 => Failure::Nothing,
        501 | 503 => Failure::Sealed,
        status => Failure::Status(status, said),
    }
}

#[derive(Deserialize)]
struct Health {
    sealed: bool,
    initialized: bool,
}

/// Is it up and open? A standby that passes on what it is asked counts.
pub(super) fn health(server: &Server) -> Result<(), Failure> {
    let reply = wire::exchange(server, &Request::get("sys/health"))?;
    match reply.status {
        200 | 429 | 473 => {
            let Health {
                sealed,
                initialized,
            } = parse(&reply.body)?;
            if sealed || !initialized {
                return Err(Failure::Sealed);
            }
            Ok(())
        }
        _ => Err(failure(server, &reply)),
    }
}
