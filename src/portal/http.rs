//! What a request to the portal's server is answered with (pure).
//!
//! GET and HEAD of a short list of paths, nothing else: no path of a request ever becomes a path of
//! a file. Sockets, files and time are the business of the command.

use super::{FILE, PAGES};
use crate::record::state;

/// The longest head of a request, in bytes.
pub const MOST_HEAD: usize = 8 * 1024;

/// What is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Asked {
    /// What it is answered with.
    pub answer: Answer,
    /// True for HEAD: the answer's head alone.
    pub head_only: bool,
}

/// An answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Answer {
    /// A file of the page, by its place in [`PAGES`].
    Page(usize),
    /// A file of the workspace.
    Stored(&'static str),
    /// How the components are; what it is made of is the business of the command.
    Health,
    /// The same, where one fails.
    Degraded,
    /// To the page.
    Home,
    /// Nothing of that name.
    NotFound,
    /// Another method than GET and HEAD.
    MethodNotAllowed,
    /// A host that this server is not: a page elsewhere whose name was made to lead here.
    Misdirected,
    /// No request, or one that is too long.
    BadRequest,
    /// A file of the workspace that can't be read.
    Unreadable,
}

/// Reads the head of a request, up to the empty line. `is_ours` says whether a host is this server.
pub fn asked(head: &[u8], is_ours: impl Fn(&str) -> bool) -> Asked {
    let refused = |answer| Asked {
        answer,
        head_only: false,
    };
    let Ok(text) = std::str::from_utf8(head) else {
        return refused(Answer::BadRequest);
    };
    let mut lines = text.split("\r\n");
    let mut words = lines.next().unwrap_or_default().split(' ');
    let (Some(method), Some(target), Some(version), None) =
        (words.next(), words.next(), words.next(), words.next())
    else {
        return refused(Answer::BadRequest);
    };
    if !matches!(version, "HTTP/1.1" | "HTTP/1.0") || !target.starts_with('/') {
        return refused(Answer::BadRequest);
    }
    let mut hosts = lines.filter_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.eq_ignore_ascii_case("host").then(|| value.trim())
    });
    let host = hosts.next();
    if hosts.next().is_some() || host.is_none() && version == "HTTP/1.1" {
        return refused(Answer::BadRequest);
    }
    let head_only = match method {
        "GET" => false,
        "HEAD" => true,
        _ => return refused(Answer::MethodNotAllowed),
    };
    let answer = if host.is_none_or(is_ours) {
        route(target)
    } else {
        Answer::Misdirected
    };
    Asked { answer, head_only }
}

fn route(target: &str) -> Answer {
    let path = target.split('?').next().unwrap_or_default();
    let stored = |path: &str| {
        let path = path.strip_prefix('/')?;
        [state::FILE, FILE].into_iter().find(|file| *file == path)
    };
    let page = |path: &str| {
        let path = path.strip_prefix('/')?;
        PAGES.iter().position(|page| page.file == path)
    };
    match path {
        "/" | "/portal" => Answer::Home,
        "/portal/" => page("/portal/index.html").map_or(Answer::NotFound, Answer::Page),
        "/policy" => Answer::Stored(state::FILE),
        "/health" => Answer::Health,
        _ => stored(path)
            .map(Answer::Stored)
            .or_else(|| page(path).map(Answer::Page))
            .unwrap_or(Answer::NotFound),
    }
}

/// The host of a request without its port.
pub fn host_name(host: &str) -> &str {
    match host.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        Some((address, _)) => address,
        None => host.rsplit_once(':').map_or(host, |(name, _)| name),
    }
}

impl Answer {
    /// The status line's number and words.
    pub fn status(self) -> &'static str {
        match self {
            Self::Page(_) | Self::Stored(_) | Self::Health => "200 OK",
            Self::Home => "307 Temporary Redirect",
            Self::NotFound => "404 Not Found",
            Self::MethodNotAllowed => "405 Method Not Allowed",
            Self::Misdirected => "421 Misdirected Request",
            Self::BadRequest => "400 Bad Request",
            Self::Unreadable => "500 Internal Server Error",
            Self::Degraded => "503 Service Unavailable",
        }
    }

    /// The type of its body.
    pub fn content_type(self) -> &'static str {
        let file = match self {
            Self::Page(index) => PAGES.get(index).map_or("", |page| page.file),
            Self::Stored(file) => file,
            Self::Health | Self::Degraded => ".json",
            _ => "",
        };
        match file.rsplit_once('.').map_or("", |(_, extension)| extension) {
            "html" => "text/html; charset=utf-8",
            "css" => "text/css; charset=utf-8",
            "js" => "text/javascript; charset=utf-8",
            "svg" => "image/svg+xml",
            "json" => "application/json",
            _ => "text/plain; charset=utf-8",
        }
    }

    /// The body, where it is not a file of the workspace.
    pub fn body(self) -> &'static [u8] {
        match self {
            Self::Page(index) => PAGES.get(index).map_or(b"", |page| page.text.as_bytes()),
            Self::Stored(_) | Self::Home | Self::Health | Self::Degraded => b"",
            Self::NotFound => b"nothing of that name is served\n",
            Self::MethodNotAllowed => b"only GET and HEAD are answered\n",
            Self::Misdirected => b"this server has another name\n",
            Self::BadRequest => b"this is no request\n",
            Self::Unreadable => b"the file can't be read\n",
        }
    }

    /// The head of the answer to a body of so many bytes.
    pub fn head(self, length: usize) -> String {
        let special = match self {
            Self::Home => "Location: /portal/\r\n",
            Self::MethodNotAllowed => "Allow: GET, HEAD\r\n",
            _ => "",
        };
        format!(
            "HTTP/1.1 {}\r\nContent-Type: {}\r\nContent-Length: {length}\r\n{special}{HEADERS}\r\n",
            self.status(),
            self.content_type()
        )
    }
}

/// What every answer carries. The page's own policy says the same and more; this one holds for
/// whatever else is served too.
const HEADERS: &str = "Connection: close\r\n\
Cache-Control: no-store\r\n\
Content-Security-Policy: default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'\r\n\
Cross-Origin-Opener-Policy: same-origin\r\n\
Cross-Origin-Resource-Policy: same-origin\r\n\
Referrer-Policy: no-referrer\r\n\
X-Content-Type-Options: nosniff\r\n\
X-Frame-Options: DENY\r\n";

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(request: &str) -> Asked {
        asked(request.as_bytes(), |host| host_name(host) == "127.0.0.1")
    }

    fn get(target: &str) -> Answer {
        answer(&format!(
            "GET {target} HTTP/1.1\r\nHost: 127.0.0.1:8787\r\n\r\n"
        ))
        .answer
    }

    #[test]
    fn a_short_list_is_served_and_nothing_else() {
        assert_eq!(get("/"), Answer::Home);
        assert_eq!(get("/portal"), Answer::Home);
        assert_eq!(get("/portal/"), get("/portal/index.html"));
        assert_eq!(
            get("/portal/index.html").content_type(),
            "text/html; charset=utf-8"
        );
        assert_eq!(
            get("/portal/portal.js?x=1").content_type(),
            "text/javascript; charset=utf-8"
        );
        assert_eq!(get("/policy"), Answer::Stored("state/policy_state.json"));
        assert_eq!(
            get("/state/policy_state.json"),
            Answer::Stored("state/policy_state.json")
        );
        assert_eq!(get("/state/portal_data.json"), Answer::Stored(FILE));
        assert_eq!(get("/health"), Answer::Health);
        assert_eq!(get("/health").content_type(), "application/json");
        assert!(Answer::Degraded.head(0).starts_with("HTTP/1.1 503 "));
        for target in [
            "/state/",
            "/state",
            "/state/policy_state_log.jsonl",
            "/state/../state/policy_state.json",
            "/portal/../state/policy_state_log.jsonl",
            "/portal/%2e%2e/Cargo.toml",
            "//state/policy_state.json",
            "/portal//portal.js",
            "/portal/portal.js/",
            "/etc/passwd",
            "/policy/",
        ] {
            assert_eq!(get(target), Answer::NotFound, "{target}");
        }
    }

    #[test]
    fn only_requests_to_this_server_are_answered() {
        let cases = [
            (
                "GET /policy HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n",
                Answer::Stored(state::FILE),
            ),
            ("GET /policy HTTP/1.0\r\n\r\n", Answer::Stored(state::FILE)),
            (
                "GET /policy HTTP/1.1\r\nhost:  127.0.0.1:1 \r\n\r\n",
                Answer::Stored(state::FILE),
            ),
            (
                "GET /policy HTTP/1.1\r\nHost: evil.example\r\n\r\n",
                Answer::Misdirected,
            ),
            ("GET /policy HTTP/1.1\r\n\r\n", Answer::BadRequest),
            (
                "GET /policy HTTP/1.1\r\nHost: 127.0.0.1\r\nHost: evil.example\r\n\r\n",
                Answer::BadRequest,
            ),
            (
                "POST /policy HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n",
                Answer::MethodNotAllowed,
            ),
            (
                "DELETE / HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n",
                Answer::MethodNotAllowed,
            ),
            (
                "GET http://127.0.0.1/policy HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n",
                Answer::BadRequest,
            ),
            (
                "GET /policy HTTP/3\r\nHost: 127.0.0.1\r\n\r\n",
                Answer::BadRequest,
            ),
            (
                "GET  /policy HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n",
                Answer::BadRequest,
            ),
            ("", Answer::BadRequest),
            ("\r\n\r\n", Answer::BadRequest),
        ];
        for (request, expected) in cases {
            assert_eq!(answer(request).answer, expected, "{request:?}");
        }
        assert!(answer("HEAD / HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n").head_only);
        assert_eq!(
            asked(b"GET /\xff HTTP/1.0\r\n\r\n", |_| true).answer,
            Answer::BadRequest
        );
    }

    #[test]
    fn a_host_is_read_without_its_port() {
        for (host, name) in [
            ("localhost", "localhost"),
            ("localhost:80", "localhost"),
            ("[::1]:8787", "::1"),
            ("[::1]", "::1"),
            ("127.0.0.1:1", "127.0.0.1"),
        ] {
            assert_eq!(host_name(host), name);
        }
    }

    #[test]
    fn every_answer_forbids_what_the_page_does_not_need() {
        for answer in [Answer::Page(0), Answer::NotFound, Answer::Stored(FILE)] {
            let head = answer.head(3);
            for header in [
                "no-store",
                "nosniff",
                "default-src 'none'",
                "Content-Length: 3\r\n",
            ] {
                assert!(head.contains(header), "{head}");
            }
            assert!(head.ends_with("\r\n\r\n"));
        }
    }
}
