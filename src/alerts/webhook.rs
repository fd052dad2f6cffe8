//! An address that is told of alerts by POST, in a program that was built with the feature `webhook`.

use std::time::Duration;

/// True where this program can do it.
pub(super) const IS_BUILT: bool = cfg!(feature = "webhook");

/// Posts `body` as JSON. Says why where nobody took it.
#[cfg(feature = "webhook")]
pub(super) fn post(url: &str, timeout: Duration, body: &[u8]) -> Result<(), String> {
    let post = crate::post::Post {
        url,
        headers: &[],
        timeout,
        body,
    };
    post.send()
}

/// Never called: a configured web hook is an error of a program that was built without.
#[cfg(not(feature = "webhook"))]
pub(super) fn post(_url: &str, _timeout: Duration, _body: &[u8]) -> Result<(), String> {
    Err("a program that was built without web hooks".to_owned())
}
