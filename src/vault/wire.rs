//! One request to Vault and its answer, over HTTP/1.1 and TLS.
//!
//! The token goes in the header `X-Vault-Token`, beside `X-Vault-Request` and `X-Vault-Namespace`;
//! redirects, proxies and system-wide authorities beside the compiled-in ones are not followed or
//! read. What the library says is never shown: it may hold an address with more in it.

use std::io::Read as _;

use ureq::http::HeaderValue;
use ureq::tls::{PemItem, RootCerts, TlsConfig};
use zeroize::Zeroizing;

use super::answer::{Failure, LIMIT, Reply, Request};
use super::settings::Server;
use crate::fs::read::{open_named, plain};

/// No file of authorities is larger, in bytes.
const AUTHORITY_LIMIT: u64 = 1024 * 1024;

/// Sends a request and reads the answer to its end.
pub(super) fn exchange(server: &Server, request: &Request) -> Result<Reply, Failure> {
    let agent: ureq::Agent = ureq::Agent::config_builder()
        .timeout_global(Some(server.timeout))
        .max_redirects(0)
        .max_redirects_will_error(false)
        .http_status_as_error(false)
        .proxy(None)
        .tls_config(tls(server)?)
        .user_agent("policy-orchestrator")
        .build()
        .into();
    let url = format!("{}/v1/{}", server.address, request.path);
    let mut token = HeaderValue::from_str(&server.token)
        .map_err(|_| Failure::Token("a token that is no word".to_owned()))?;
    token.set_sensitive(true);
    let namespace = server.namespace.as_deref().unwrap_or_default();
    let sent = match &request.body {
        None => agent
            .get(url)
            .header("x-vault-token", token)
            .header("x-vault-request", "true")
            .header("x-vault-namespace", namespace)
            .call(),
        Some(body) => agent
            .post(url)
            .header("x-vault-token", token)
            .header("x-vault-request", "true")
            .header("x-vault-namespace", namespace)
            .header("content-type", "application/json")
            .send(body.as_slice()),
    };
    let mut answer = sent.map_err(|error| in_words(&error, server))?;
    let status = answer.status().as_u16();
    // Made at once: a buffer that grows leaves what it held before behind.
    let told = answer.body().content_length().unwrap_or(LIMIT).min(LIMIT);
    let mut body = Zeroizing::new(Vec::new());
    body.reserve_exact(usize::try_from(told).unwrap_or(0) + 64);
    let mut reader = answer.body_mut().as_reader().take(LIMIT + 1);
    reader
        .read_to_end(&mut body)
        .map_err(|error| cut_off(error, server))?;
    if body.len() as u64 > LIMIT {
        return Err(Failure::Odd("an answer of more than 1 MiB".to_owned()));
    }
    Ok(Reply { status, body })
}

/// The authorities that are trusted: those of the file alone, where one is named.
fn tls(server: &Server) -> Result<TlsConfig, Failure> {
    let Some(path) = &server.authority else {
        return Ok(TlsConfig::builder().root_certs(RootCerts::WebPki).build());
    };
    let unusable = |why: String| Failure::Tls(format!("a file VAULT_CACERT that {why}"));
    let file = open_named(path).map_err(|_| unusable("can't be read".to_owned()))?;
    let text = file
        .read_whole(AUTHORITY_LIMIT)
        .map_err(|_| unusable("can't be read".to_owned()))?;
    let mut certificates = Vec::new();
    for item in ureq::tls::parse_pem(&text) {
        match item {
            Ok(PemItem::Certificate(certificate)) => certificates.push(certificate),
            Ok(_) => {}
            Err(_) => return Err(unusable("is no PEM".to_owned())),
        }
    }
    if certificates.is_empty() {
        return Err(unusable("holds no certificate".to_owned()));
    }
    let roots = RootCerts::new_with_certs(&certificates);
    Ok(TlsConfig::builder().root_certs(roots).build())
}

fn late(server: &Server) -> Failure {
    Failure::Unreachable(format!("no answer within {} s", server.timeout.as_secs()))
}

/// A body that did not come to its end.
fn cut_off(error: std::io::Error, server: &Server) -> Failure {
    match ureq::Error::from(error) {
        ureq::Error::Timeout(_) => late(server),
        _ => Failure::Unreachable("an answer that was cut off".to_owned()),
    }
}

/// What went wrong before an answer began.
fn in_words(error: &ureq::Error, server: &Server) -> Failure {
    let unreachable = |why: &str| Failure::Unreachable(why.to_owned());
    match error {
        ureq::Error::Timeout(_) => late(server),
        ureq::Error::HostNotFound => unreachable("a host that can't be found"),
        ureq::Error::ConnectionFailed => unreachable("a host that can't be reached"),
        ureq::Error::Io(error) => match (error.raw_os_error(), error.kind()) {
            (Some(code), _) => unreachable(&plain(&std::io::Error::from_raw_os_error(code))),
            // The TLS library tells of a certificate, or of bytes that are no TLS, in this way.
            (None, std::io::ErrorKind::InvalidData) => insecure(),
            (None, _) => unreachable("a connection that ended before the answer"),
        },
        ureq::Error::Tls(_) | ureq::Error::Rustls(_) | ureq::Error::Pem(_) => insecure(),
        ureq::Error::Protocol(_) | ureq::Error::Http(_) => {
            Failure::Odd("an answer that is no HTTP".to_owned())
        }
        _ => unreachable("a request that failed"),
    }
}

fn insecure() -> Failure {
    Failure::Tls("a TLS connection that could not be made: the server's certificate is not trusted, or it speaks no TLS".to_owned())
}
