//! One POST of JSON to an address that somebody named, with what went wrong in words. The address and
//! the headers are secrets: they are never shown, and neither is what a library says about them.
//!
//! Only built with the features `webhook` and `otlp`, since it brings a TLS stack. Who is told what is
//! not said here.

use std::time::Duration;

/// A request.
pub struct Post<'p> {
    /// Where to.
    pub url: &'p str,
    /// Further headers.
    pub headers: &'p [(String, String)],
    /// How long all of it may take.
    pub timeout: Duration,
    /// JSON.
    pub body: &'p [u8],
}

impl Post<'_> {
    /// Sends it. Says why where nobody took it.
    pub fn send(&self) -> Result<(), String> {
        let agent: ureq::Agent = ureq::Agent::config_builder()
            .timeout_global(Some(self.timeout))
            // An address that sends elsewhere would get the events to somebody who was not named.
            .max_redirects(0)
            .http_status_as_error(false)
            // The environment is read in one place, and not here.
            .proxy(None)
            .user_agent("policy-orchestrator")
            .build()
            .into();
        let mut request = agent
            .post(self.url)
            .header("content-type", "application/json");
        for (name, value) in self.headers {
            request = request.header(name, value);
        }
        match request.send(self.body) {
            Ok(answer) if answer.status().is_success() => Ok(()),
            Ok(answer) => Err(format!("the answer {}", answer.status().as_u16())),
            Err(error) => Err(in_words(&error, self.timeout)),
        }
    }
}

/// What went wrong. The library's own words can hold the address.
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
