//! What the environment says of Vault, parsed: where it is, with which token, or that it is
//! simulated. Nothing is read here but the values that were given.

use std::fmt;
use std::net::{Ipv4Addr, Ipv6Addr};
use std::path::PathBuf;
use std::time::Duration;

use zeroize::Zeroizing;

use crate::diagnostic::{Checked, Code, Diagnostic, Place, shown};

/// The variable that says where Vault is (S0-032).
pub const ADDRESS: &str = "VAULT_ADDR";

/// The variable that says whether Vault is simulated (S0-072).
pub const SIMULATION: &str = "SIMULATION_MODE";

/// How long an answer may take where nobody says so.
const TIMEOUT: Duration = Duration::from_secs(10);

/// Nobody waits longer.
const LONGEST_TIMEOUT: u64 = 600;

/// No address or name is longer, in bytes.
const LONGEST: usize = 500;

/// The values of the variables, as they stand; `None` where one is not set.
#[derive(Debug, Default)]
pub struct Given {
    /// `VAULT_ADDR`.
    pub address: Option<String>,
    /// `VAULT_TOKEN`, or what `VAULT_TOKEN_FILE` holds.
    pub token: Option<Zeroizing<Vec<u8>>>,
    /// `VAULT_NAMESPACE`.
    pub namespace: Option<String>,
    /// `VAULT_CACERT`: the file of an own certification authority.
    pub authority: Option<PathBuf>,
    /// `VAULT_CLIENT_TIMEOUT`, in seconds.
    pub timeout: Option<String>,
    /// `POLICY_VAULT_MOUNT`: where the engine is mounted that keeps signed records.
    pub mount: Option<String>,
    /// `SIMULATION_MODE`.
    pub simulation: Option<String>,
    /// `POLICY_SIMULATED_VAULT`: the directory of the simulation.
    pub directory: Option<PathBuf>,
}

/// What the environment says of Vault.
#[derive(Debug)]
pub struct Settings {
    /// Which Vault.
    pub mode: Mode,
}

/// A server, or what stands in for one.
#[derive(Debug)]
pub enum Mode {
    /// A server.
    Server(Server),
    /// Files stand in for it. What they hold proves nothing, so nothing passes on it (S0-076).
    Simulated {
        /// Where.
        directory: PathBuf,
        /// True where `SIMULATION_MODE` says so, false where only no server is named.
        asked: bool,
    },
    /// No server is named, and `SIMULATION_MODE` says that nothing stands in for it.
    Missing,
}

/// A server, and how it is talked to.
#[cfg_attr(
    not(feature = "vault"),
    expect(dead_code, reason = "nobody is talked to without the feature")
)]
pub struct Server {
    pub(super) address: Address,
    pub(super) token: Zeroizing<String>,
    pub(super) namespace: Option<String>,
    pub(super) authority: Option<PathBuf>,
    pub(super) timeout: Duration,
    pub(super) mount: String,
}

impl fmt::Debug for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Server({}, …)", self.address.0)
    }
}

impl Settings {
    /// Parses what was given.
    pub fn parse(given: Given) -> Checked<Self> {
        let mode = match (simulation(given.simulation.as_deref())?, &given.address) {
            (Some(true), _) => simulated(given.directory, true),
            (None, None) => simulated(given.directory, false),
            (Some(false), None) => Mode::Missing,
            (_, Some(_)) => Mode::Server(server(given)?),
        };
        Ok(Self { mode })
    }

    /// True where files stand in for Vault.
    pub fn is_simulated(&self) -> bool {
        matches!(self.mode, Mode::Simulated { .. })
    }

    /// The server. Fails where there is none, or it is simulated.
    pub fn server(&self) -> Checked<&Server> {
        match &self.mode {
            Mode::Server(server) => Ok(server),
            Mode::Simulated { asked: true, .. } => Err(Box::new(
                Diagnostic::new(
                    Code::VaultUnavailable,
                    Place::file(SIMULATION),
                    "a simulation has no secrets and signs nothing",
                )
                .found("`true`")
                .expected("`false` or nothing, and VAULT_ADDR")
                .help("take SIMULATION_MODE back, and name the server in VAULT_ADDR"),
            )),
            Mode::Simulated { asked: false, .. } | Mode::Missing => Err(missing()),
        }
    }
}

fn simulated(directory: Option<PathBuf>, asked: bool) -> Mode {
    Mode::Simulated {
        directory: directory.unwrap_or_else(|| super::DIRECTORY.into()),
        asked,
    }
}

/// Reads `SIMULATION_MODE`: true, false, or nothing.
/// What `SIMULATION_MODE` says: true, false, or nothing.
pub fn simulation(value: Option<&str>) -> Checked<Option<bool>> {
    match value {
        None => Ok(None),
        Some("true") => Ok(Some(true)),
        Some("false") => Ok(Some(false)),
        Some(other) => Err(refused(SIMULATION, shown(other), "`true` or `false`")),
    }
}

/// The finding where something needs Vault and nothing says where it is.
pub(super) fn missing() -> Box<Diagnostic> {
    Box::new(
        Diagnostic::new(
            Code::VaultUnavailable,
            Place::file(ADDRESS),
            "this needs Vault, and no server is named",
        )
        .found("nothing")
        .expected("the address of a Vault server, https://vault.example:8200 say")
        .help("install Vault, and set VAULT_ADDR and VAULT_TOKEN or VAULT_TOKEN_FILE"),
    )
}

fn server(given: Given) -> Checked<Server> {
    let address = Address::parse(&given.address.unwrap_or_default())?;
    let token = given.token.ok_or_else(|| {
        refused(
            "VAULT_TOKEN",
            "nothing",
            "a token, there or in the file that VAULT_TOKEN_FILE names",
        )
    })?;
    let namespace = given
        .namespace
        .map(|namespace| {
            let plain = path(namespace.trim_matches('/'));
            plain.ok_or_else(|| refused("VAULT_NAMESPACE", shown(&namespace), "a path"))
        })
        .transpose()?;
    let mount = match given.mount {
        None => "secret".to_owned(),
        Some(mount) => path(mount.trim_matches('/'))
            .ok_or_else(|| refused("POLICY_VAULT_MOUNT", shown(&mount), "a path"))?,
    };
    Ok(Server {
        address,
        token: parse_token(&token)?,
        namespace,
        authority: given.authority,
        timeout: parse_timeout(given.timeout.as_deref())?,
        mount,
    })
}

/// A token is a word of visible signs. What is wrong with one is told without it.
fn parse_token(token: &[u8]) -> Checked<Zeroizing<String>> {
    let plain = !token.is_empty() && token.iter().all(u8::is_ascii_graphic);
    let text = std::str::from_utf8(token).ok().filter(|_| plain);
    let usable = text.filter(|text| text.len() <= 4096);
    usable
        .map(|text| Zeroizing::new(text.to_owned()))
        .ok_or_else(|| {
            let expected = "one word of visible ASCII characters";
            refused("VAULT_TOKEN", "something that is no token", expected)
        })
}

fn parse_timeout(text: Option<&str>) -> Checked<Duration> {
    let Some(text) = text else { return Ok(TIMEOUT) };
    let seconds = text.strip_suffix('s').unwrap_or(text).parse().ok();
    let seconds = seconds.filter(|seconds| (1..=LONGEST_TIMEOUT).contains(seconds));
    seconds.map(Duration::from_secs).ok_or_else(|| {
        let expected = "whole seconds from 1 to 600";
        refused("VAULT_CLIENT_TIMEOUT", shown(text), expected)
    })
}

/// A path that is one in an address as it stands: parts of plain characters, none of them dots alone.
pub(super) fn path(text: &str) -> Option<String> {
    let is_part = |part: &str| {
        let plain = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
        !part.is_empty() && part.chars().all(plain) && !part.chars().all(|c| c == '.')
    };
    let is_path = text.len() <= LONGEST && text.split('/').all(is_part);
    is_path.then(|| text.to_owned())
}

/// The address of a server: `https://`, or `http://` to this machine, and no slash at its end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Address(String);

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Address {
    #[cfg(feature = "vault")]
    pub(super) fn is_tls(&self) -> bool {
        self.0.starts_with("https:")
    }

    fn parse(text: &str) -> Checked<Self> {
        let expected = "https://HOST[:PORT], or http:// to this machine";
        let text = text.trim().trim_end_matches('/');
        // What is no address may hold a password, so only what is one is ever shown.
        let odd = || refused(ADDRESS, "something that is no such address", expected);
        if text.len() > LONGEST {
            return Err(odd());
        }
        let (scheme, rest) = text.split_once("://").ok_or_else(odd)?;
        let (authority, prefix) = match rest.split_once('/') {
            Some((authority, prefix)) => (authority, Some(prefix)),
            None => (rest, None),
        };
        if prefix.is_some_and(|prefix| path(prefix).is_none()) {
            return Err(odd());
        }
        let host = host(authority).ok_or_else(odd)?;
        match scheme {
            "https" => {}
            "http" if is_this_machine(host) => {}
            "http" => {
                let found = "http:// to another machine, which would show the token to the network";
                return Err(refused(ADDRESS, found, expected));
            }
            _ => return Err(odd()),
        }
        Ok(Self(text.to_owned()))
    }
}

/// The host of `host`, `host:port`, `[v6]` or `[v6]:port`.
fn host(authority: &str) -> Option<&str> {
    let (host, port) = match authority.strip_prefix('[') {
        Some(rest) => {
            let (host, behind) = rest.split_once(']')?;
            host.parse::<Ipv6Addr>().ok()?;
            let port = match behind {
                "" => None,
                behind => Some(behind.strip_prefix(':')?),
            };
            (host, port)
        }
        None => {
            let (host, port) = match authority.split_once(':') {
                Some((host, port)) => (host, Some(port)),
                None => (authority, None),
            };
            let plain = |c: char| c.is_ascii_alphanumeric() || "-.".contains(c);
            (!host.is_empty() && host.chars().all(plain)).then_some(())?;
            (host, port)
        }
    };
    let is_port = |port: &str| port.parse::<u16>().is_ok_and(|port| port > 0);
    port.is_none_or(is_port).then_some(host)
}

fn is_this_machine(host: &str) -> bool {
    host == "localhost"
        || host.parse().is_ok_and(|ip: Ipv4Addr| ip.is_loopback())
        || host.parse().is_ok_and(|ip: Ipv6Addr| ip.is_loopback())
}

/// A finding about a variable.
pub(super) fn refused(
    variable: &str,
    found: impl AsRef<str>,
    expected: impl Into<String>,
) -> Box<Diagnostic> {
    Box::new(
        Diagnostic::new(
            Code::VaultUnusable,
            Place::file(variable),
            "what the environment says of Vault can't be used",
        )
        .found(found)
        .expected(expected)
        .help("docs/vault.md has the variables"),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn given(address: &str) -> Given {
        Given {
            address: Some(address.to_owned()),
            token: Some(Zeroizing::new(b"hvs.abc".to_vec())),
            ..Given::default()
        }
    }

    #[test]
    fn an_address_is_tls_or_this_machine() {
        for good in [
            "https://vault.example",
            "https://vault.example:8200",
            "https://vault.example:8200/",
            "https://vault.example/prefix",
            "https://[2001:db8::1]:8200",
            "http://127.0.0.1:8200",
            "http://127.9.9.9",
            "http://localhost:8200",
            "http://[::1]:8200",
        ] {
            let settings = Settings::parse(given(good)).unwrap();
            let server = settings.server().unwrap();
            assert_eq!(server.address.to_string(), good.trim_end_matches('/'));
        }
        for bad in [
            "vault.example",
            "http://vault.example",
            "http://10.0.0.1:8200",
            "http://localhost.example",
            "http://127.0.0.1.example",
            "http://[::2]",
            "http://0.0.0.0",
            "https://",
            "https://user:password@vault.example",
            "http://127.0.0.1@vault.example",
            "https://vault.example:0",
            "https://vault.example:99999",
            "https://vault.example?x",
            "https://vault.example/../x",
            "https://vault.example#x",
            "ftp://vault.example",
            "unix:///run/vault",
            "https://a b",
        ] {
            let finding = Settings::parse(given(bad)).unwrap_err();
            assert_eq!(finding.code, Code::VaultUnusable, "{bad}");
            assert!(!finding.to_string().contains("password"), "{finding}");
        }
    }

    #[test]
    fn simulation_is_true_or_false_and_nothing_else() {
        assert_eq!(simulation(None).unwrap(), None);
        assert_eq!(simulation(Some("true")).unwrap(), Some(true));
        assert_eq!(simulation(Some("false")).unwrap(), Some(false));
        for value in ["TRUE", "1", "yes", " true"] {
            assert!(simulation(Some(value)).is_err(), "{value}");
        }
    }

    #[test]
    fn simulation_is_said_or_follows_from_the_missing_address() {
        let mode = |simulation: Option<&str>, address: Option<&str>| {
            let given = Given {
                simulation: simulation.map(str::to_owned),
                address: address.map(str::to_owned),
                ..given("")
            };
            Settings::parse(given).map(|settings| match settings.mode {
                Mode::Server(_) => "server",
                Mode::Simulated { asked: true, .. } => "asked",
                Mode::Simulated { asked: false, .. } => "follows",
                Mode::Missing => "missing",
            })
        };
        let there = Some("https://v");
        assert_eq!(mode(None, None).unwrap(), "follows");
        assert_eq!(mode(Some("false"), None).unwrap(), "missing");
        assert_eq!(mode(Some("true"), None).unwrap(), "asked");
        assert_eq!(mode(None, there).unwrap(), "server");
        assert_eq!(mode(Some("false"), there).unwrap(), "server");
        assert_eq!(mode(Some("true"), there).unwrap(), "asked");
        for odd in ["TRUE", "1", "yes", " true", ""] {
            let finding = mode(Some(odd), None).unwrap_err();
            assert_eq!(finding.code, Code::VaultUnusable, "{odd:?}");
        }
    }

    #[test]
    fn what_else_is_set_has_to_make_sense_and_no_token_is_shown() {
        let base = || given("https://v");
        let bad = [
            Given {
                token: None,
                ..base()
            },
            Given {
                token: Some(Zeroizing::new(b"hvs.two words".to_vec())),
                ..base()
            },
            Given {
                token: Some(Zeroizing::new(b"hvs.line\nend".to_vec())),
                ..base()
            },
            Given {
                namespace: Some("a b".to_owned()),
                ..base()
            },
            Given {
                mount: Some("../sys".to_owned()),
                ..base()
            },
            Given {
                timeout: Some("0".to_owned()),
                ..base()
            },
            Given {
                timeout: Some("1h".to_owned()),
                ..base()
            },
        ];
        for given in bad {
            let finding = Settings::parse(given).unwrap_err();
            assert_eq!(finding.code, Code::VaultUnusable);
            assert!(!finding.to_string().contains("hvs."), "{finding}");
        }
        let settings = Settings::parse(Given {
            namespace: Some("team/a/".to_owned()),
            timeout: Some("3s".to_owned()),
            ..base()
        });
        let settings = settings.unwrap();
        assert!(!format!("{settings:?}").contains("hvs."));
        let server = settings.server().unwrap();
        assert_eq!(server.namespace.as_deref(), Some("team/a"));
        assert_eq!(server.timeout, Duration::from_secs(3));
    }
}
