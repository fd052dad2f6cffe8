//! An address that is told of alerts by POST. The address is a secret: it is never shown, and
//! neither is what a library says about it.
//!
//! Only built with the feature `webhook`, since it brings a TLS stack.

use std::time::Duration;

/// True where this program can do it.
pub(super) const IS_BUILT: bool = cfg!(feature = "webhook");

/// Posts `body` as JSON. Says why where nobody took it.
#[cfg(feature = "webhook")]
pub(super) fn post(url: &str, timeout: Duration, body: &[u8]) -> Result<(), String> {
    let agent: ureq::Agent = ureq::Agent::config_builder()
        .timeout_global(Some(timeout))
        // An address that sends elsewhere would get the events to somebody who was not named.
        .max_redirects(0)
        .http_status_as_error(false)
        // The environment is read in one place, and not here.
        .proxy(None)
        .user_agent("policy-orchestrator")
        .build()
        .into();
    let sent = agent
        .post(url)
        .header("content-type", "application/json")
        .send(body);
    match sent {
        Ok(answer) if answer.status().is_success() => Ok(()),
        Ok(answer) => Err(format!("the answer {}", answer.status().as_u16())),
        Err(error) => Err(in_words(&error, timeout)),
    }
}

/// What went wrong. The library's own words can hold the address.
#[cfg(feature = "webhook")]
fn in_words(error: &ureq::Error, timeout: Duration) -> String {
    match error {
        ureq::Error::Timeout(_) => format!("no answer within {} s", timeout.as_secs_f64()),
        ureq::Error::BadUri(_) | ureq::Error::Http(_) => {
            "a variable that holds no usable address".to_owned()
        }
        ureq::Error::HostNotFound => "a host that can't be found".to_owned(),
        ureq::Error::ConnectionFailed => "a host that can't be reached".to_owned(),
        ureq::Error::Io(error) => match error.raw_os_error() {
            Some(code) => crate::fs::read::plain(&std::io::Error::from_raw_os_error(code)),
            None => "a host that can't be found or does not answer as it should".to_owned(),
        },
        ureq::Error::Tls(_) | ureq::Error::Rustls(_) => {
            "a TLS connection that could not be made".to_owned()
        }
        _ => "a request that failed".to_owned(),
    }
}

/// Never called: a configured web hook is an error of a program that was built without.
#[cfg(not(feature = "webhook"))]
pub(super) fn post(_url: &str, _timeout: Duration, _body: &[u8]) -> Result<(), String> {
    Err("a program that was built without web hooks".to_owned())
}
