//! The portal's server: sockets, threads and files. What is answered is said in [`crate::portal::http`].
//!
//! A thread for each connection, so many at once and no more, each with a time by which it has asked
//! and read: who is slow holds up nobody else for long. A connection carries one request.

use std::io::{self, Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::fd::AsFd as _;
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags};
use serde::Serialize;
use signal_hook::consts::{SIGINT, SIGTERM};

use super::super::{Context, Exit, Format, checks};
use super::is_local;
use crate::checks::health::Whole;
use crate::diagnostic::{Checked, Code, Diagnostic, Place};
use crate::fs::Workspace;
use crate::fs::read::{plain, read_own};
use crate::portal::http::{self, Answer, Asked};
use crate::report::checks as view;

/// So many connections are served at once; what comes beyond is closed.
const MOST_CONNECTIONS: usize = 64;

/// By then a client has asked, and by then again it has read.
const PATIENCE: Duration = Duration::from_secs(10);

/// So long are answers under way waited for at the end.
const GRACE: Duration = Duration::from_secs(2);

/// So long the components are not looked at again.
const FRESH: Duration = Duration::from_secs(2);

/// A file larger than this is none of ours.
const LIMIT: u64 = 16 * 1024 * 1024;

/// The JSON shape of where it listens.
#[derive(Serialize)]
struct Listening {
    schema: u32,
    address: SocketAddr,
    url: String,
}

/// What every connection needs.
#[derive(Clone)]
struct Served {
    root: PathBuf,
    allow_remote: bool,
    under_way: Arc<AtomicUsize>,
    health: Arc<Mutex<Option<Health>>>,
}

/// How the components were when somebody asked last.
#[derive(Clone)]
struct Health {
    at: Instant,
    answer: Answer,
    body: Vec<u8>,
}

pub(super) fn serve(
    context: &Context,
    address: SocketAddr,
    allow_remote: bool,
) -> anyhow::Result<Exit> {
    let workspace = context.workspace()?;
    let listener = TcpListener::bind(address).map_err(|error| cannot_listen(address, &error))?;
    let address = listener.local_addr()?;
    listener.set_nonblocking(true)?;
    let (ended, waker) = UnixStream::pair()?;
    for signal in [SIGINT, SIGTERM] {
        signal_hook::low_level::pipe::register(signal, waker.try_clone()?)?;
    }
    tell(context, address)?;
    let served = Served {
        root: workspace.root().to_owned(),
        allow_remote,
        under_way: Arc::new(AtomicUsize::new(0)),
        health: Arc::new(Mutex::new(None)),
    };
    while comes_before_end(&listener, &ended)? {
        match listener.accept() {
            Ok((client, from)) => take(&served, client, from),
            // Too many open files, or a client that has gone again: neither ends the server.
            Err(error) if error.kind() != io::ErrorKind::WouldBlock => {
                tracing::warn!("a connection was not taken: {error}");
                std::thread::sleep(Duration::from_millis(50));
            }
            Err(_) => {}
        }
    }
    let end = Instant::now() + GRACE;
    while served.under_way.load(Ordering::SeqCst) > 0 && Instant::now() < end {
        std::thread::sleep(Duration::from_millis(20));
    }
    context.output.note("ended");
    Ok(Exit::Done)
}

fn tell(context: &Context, address: SocketAddr) -> anyhow::Result<()> {
    let url = format!("http://{address}/");
    match context.format() {
        Format::Json => context.output.json_line(&Listening {
            schema: 1,
            address,
            url,
        }),
        Format::Human => context
            .output
            .line(&format!("the portal is at {url} (Ctrl-C ends it)")),
    }
    .map(drop)
}

/// Waits for a connection; false where the end was asked for.
fn comes_before_end(listener: &TcpListener, ended: &UnixStream) -> io::Result<bool> {
    loop {
        let mut both = [
            PollFd::from_borrowed_fd(listener.as_fd(), PollFlags::IN),
            PollFd::from_borrowed_fd(ended.as_fd(), PollFlags::IN),
        ];
        match rustix::event::poll(&mut both, None) {
            Err(rustix::io::Errno::INTR) => continue,
            Err(error) => return Err(error.into()),
            Ok(_) => {}
        }
        let [comes, ends] = &both;
        if !ends.revents().is_empty() {
            return Ok(false);
        }
        if !comes.revents().is_empty() {
            return Ok(true);
        }
    }
}

fn take(served: &Served, client: TcpStream, from: SocketAddr) {
    if served.under_way.fetch_add(1, Ordering::SeqCst) >= MOST_CONNECTIONS {
        served.under_way.fetch_sub(1, Ordering::SeqCst);
        return;
    }
    let served = served.clone();
    let name = "portal connection".to_owned();
    let under_way = Arc::clone(&served.under_way);
    let spawned = std::thread::Builder::new().name(name).spawn(move || {
        if let Err(error) = answer(&served, client) {
            tracing::debug!("{from}: {error}");
        }
        served.under_way.fetch_sub(1, Ordering::SeqCst);
    });
    if spawned.is_err() {
        under_way.fetch_sub(1, Ordering::SeqCst);
    }
}

fn answer(served: &Served, mut client: TcpStream) -> io::Result<()> {
    client.set_nonblocking(false)?;
    let head = read_head(&mut client, Instant::now() + PATIENCE)?;
    let is_ours = |host: &str| served.allow_remote || is_local(http::host_name(host));
    let asked = http::asked(&head, is_ours);
    let (answer, body) = body(served, asked);
    let mut bytes = answer.head(body.len()).into_bytes();
    if !asked.head_only {
        bytes.extend_from_slice(&body);
    }
    write_by(&mut client, &bytes, Instant::now() + PATIENCE)?;
    client.shutdown(std::net::Shutdown::Write)
}

/// Reads up to the empty line that ends the head of a request; less where it is too long or the client
/// stops.
fn read_head(client: &mut TcpStream, by: Instant) -> io::Result<Vec<u8>> {
    let mut head = Vec::new();
    let mut buffer = [0; 1024];
    while head.len() < http::MOST_HEAD {
        client.set_read_timeout(Some(left(by)?))?;
        let count = client.read(&mut buffer)?;
        let Some(read) = buffer.get(..count).filter(|read| !read.is_empty()) else {
            break;
        };
        head.extend_from_slice(read);
        if let Some(end) = memchr::memmem::find(&head, b"\r\n\r\n") {
            head.truncate(end);
            return Ok(head);
        }
    }
    // No request of ours has a head that long; what was read of it is refused.
    Ok(Vec::new())
}

fn write_by(client: &mut TcpStream, mut bytes: &[u8], by: Instant) -> io::Result<()> {
    while !bytes.is_empty() {
        client.set_write_timeout(Some(left(by)?))?;
        let count = client.write(bytes)?;
        if count == 0 {
            return Err(io::ErrorKind::WriteZero.into());
        }
        bytes = bytes.get(count..).unwrap_or_default();
    }
    Ok(())
}

/// The time that is left, which is never nothing: a socket takes that for no limit.
fn left(by: Instant) -> io::Result<Duration> {
    let left = by.saturating_duration_since(Instant::now());
    if left.is_zero() {
        return Err(io::ErrorKind::TimedOut.into());
    }
    Ok(left)
}

/// What an answer carries. Files are read anew each time, and links lead nowhere outside.
fn body(served: &Served, asked: Asked) -> (Answer, Vec<u8>) {
    if asked.answer == Answer::Health {
        return health(served);
    }
    let Answer::Stored(file) = asked.answer else {
        return (asked.answer, asked.answer.body().to_vec());
    };
    let read: Checked<Option<Vec<u8>>> =
        Workspace::open(&served.root).and_then(|workspace| read_own(&workspace, file, LIMIT));
    match read {
        Ok(Some(bytes)) => (asked.answer, bytes),
        Ok(None) => (Answer::NotFound, Answer::NotFound.body().to_vec()),
        Err(error) => {
            tracing::warn!("{file}: {}", error.message);
            (Answer::Unreadable, Answer::Unreadable.body().to_vec())
        }
    }
}

/// How the components are: whether each works, and nothing of what was found. They are looked at once
/// in a while, by one client at a time, however many ask.
fn health(served: &Served) -> (Answer, Vec<u8>) {
    let mut last = served.health.lock().unwrap_or_else(PoisonError::into_inner);
    let is_fresh = |health: &&Health| health.at.elapsed() < FRESH;
    let health = match last.as_ref().filter(is_fresh) {
        Some(health) => health.clone(),
        None => look(served),
    };
    *last = Some(health.clone());
    (health.answer, health.body)
}

fn look(served: &Served) -> Health {
    let components = Workspace::open(&served.root)
        .map_err(|finding| finding.message)
        .and_then(|workspace| checks::components(&workspace));
    let (answer, body) = match components {
        Ok(components) if components.whole() == Whole::Ok => {
            (Answer::Health, view::served_health(&components))
        }
        Ok(components) => (Answer::Degraded, view::served_health(&components)),
        Err(why) => {
            tracing::warn!("health: {why}");
            (Answer::Unreadable, Answer::Unreadable.body().to_vec())
        }
    };
    Health {
        at: Instant::now(),
        answer,
        body,
    }
}

fn cannot_listen(address: SocketAddr, error: &io::Error) -> Box<Diagnostic> {
    Box::new(
        Diagnostic::new(
            Code::ListenFailed,
            Place::file(address.to_string()),
            "the server can't listen there",
        )
        .found(plain(error))
        .expected("an address of this machine with a free port")
        .help("name another with `--listen 127.0.0.1:0`, which takes any free port"),
    )
}
