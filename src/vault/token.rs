//! The token: how long it is good for, and its renewal (`auth/token`).

use serde::Deserialize;
use serde_json::json;

use super::answer::{Failure, Request, ask};
use super::settings::Server;

/// A token that is good for less than this is renewed, in seconds.
const RENEWED_BELOW: u64 = 300;

/// One that is good for less than this even then is refused, in seconds: it would expire halfway.
const LEAST: u64 = 15;

#[derive(Deserialize)]
struct LookedUp {
    data: Lease,
}

#[derive(Deserialize)]
struct Lease {
    ttl: u64,
    #[serde(default)]
    renewable: bool,
    /// `null` for a token that never expires.
    expire_time: Option<String>,
}

#[derive(Deserialize)]
struct Renewed {
    auth: Auth,
}

#[derive(Deserialize)]
struct Auth {
    lease_duration: u64,
}

/// Looks the token up, renews it where its time is short, and refuses one whose time is over.
pub(super) fn check(server: &Server) -> Result<(), Failure> {
    let LookedUp { data } = ask(server, &Request::get("auth/token/lookup-self"))?;
    match step(&data) {
        Step::Use => Ok(()),
        Step::Renew => renew(server),
        Step::Refuse => Err(expiring(data.ttl, "can't be renewed")),
    }
}

#[derive(Debug, PartialEq, Eq)]
enum Step {
    Use,
    Renew,
    Refuse,
}

fn step(lease: &Lease) -> Step {
    match lease {
        Lease {
            ttl: 0,
            expire_time: None,
            ..
        } => Step::Use,
        Lease { ttl, .. } if *ttl >= RENEWED_BELOW => Step::Use,
        Lease {
            renewable: true, ..
        } => Step::Renew,
        Lease { ttl, .. } if *ttl >= LEAST => Step::Use,
        Lease { .. } => Step::Refuse,
    }
}

fn renew(server: &Server) -> Result<(), Failure> {
    // No increment: the server knows how long its tokens are good for.
    let Renewed { auth } = ask(server, &Request::post("auth/token/renew-self", &json!({})))?;
    if auth.lease_duration < LEAST {
        return Err(expiring(
            auth.lease_duration,
            "was renewed and has reached its longest time",
        ));
    }
    Ok(())
}

fn expiring(seconds: u64, what: &str) -> Failure {
    Failure::Token(format!("it expires in {seconds} s and {what}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_used_renewed_or_refused_by_its_time() {
        let lease = |ttl, renewable, expires: bool| Lease {
            ttl,
            renewable,
            expire_time: expires.then(|| "2026-01-15T12:00:00Z".to_owned()),
        };
        let table = [
            (lease(0, false, false), Step::Use),
            (lease(0, false, true), Step::Refuse),
            (lease(0, true, true), Step::Renew),
            (lease(14, false, true), Step::Refuse),
            (lease(15, false, true), Step::Use),
            (lease(299, true, true), Step::Renew),
            (lease(300, true, true), Step::Use),
        ];
        for (lease, expected) in table {
            assert_eq!(step(&lease), expected, "{}", lease.ttl);
        }
    }
}
