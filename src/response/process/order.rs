//! What this program and the supervisor of an action say to each other, over a socket that is the
//! supervisor's standard input. What they do about it lives in `running` and `supervisor`.
//!
//! To the supervisor goes one [`Order`]; any byte after it means stop, and the end of the stream
//! that this program is gone. Back come [`Report`]s, a line of JSON each. Both sides are the same
//! build, so the form may change at any time.

use std::ffi::OsString;
use std::io::{self, IoSlice, IoSliceMut, Read as _, Write as _};
use std::mem::MaybeUninit;
use std::os::fd::{BorrowedFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::time::Duration;

use rustix::net::{
    RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer,
    SendAncillaryMessage, SendFlags,
};
use serde::{Deserialize, Serialize};

use super::Ended;

/// The first byte of an order. It carries the descriptor that is to be held.
const GREETING: u8 = 0x1e;

/// A kernel takes arguments and environment of a few megabytes; in JSON that is four times as much.
const LARGEST: u32 = 64 * 1024 * 1024;

/// Neither side is away for longer; then it is not what it should be.
const PATIENCE: Duration = Duration::from_secs(10);

/// What the supervisor is to start. Paths are `OsString`s: those need not be UTF-8.
#[derive(Serialize, Deserialize)]
pub(super) struct Order {
    pub(super) program: OsString,
    pub(super) argv: Vec<OsString>,
    pub(super) directory: OsString,
    pub(super) environment: Vec<(OsString, OsString)>,
    pub(super) timeout: Duration,
    /// The directory of the control group, where there is one.
    pub(super) cgroup: Option<OsString>,
}

/// What the supervisor tells, in this order.
#[derive(Debug, Serialize, Deserialize)]
pub(super) enum Report {
    /// From here on the action may be there.
    Starting,
    /// It runs, in the process group of this number.
    Started(i32),
    /// It is over; what it left behind is being ended.
    Ended(Ended),
    /// Nothing is left of it.
    Gone,
}

/// Sends an order and the descriptor that is to be held.
pub(super) fn send(
    mut stream: &UnixStream,
    order: &Order,
    held: Option<BorrowedFd<'_>>,
) -> io::Result<()> {
    stream.set_write_timeout(Some(PATIENCE))?;
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut ancillary = SendAncillaryBuffer::new(&mut space);
    let descriptors: Vec<BorrowedFd<'_>> = held.into_iter().collect();
    if !descriptors.is_empty() {
        ancillary.push(SendAncillaryMessage::ScmRights(&descriptors));
    }
    let greeting = [IoSlice::new(&[GREETING])];
    rustix::net::sendmsg(stream, &greeting, &mut ancillary, SendFlags::empty())?;
    let text = serde_json::to_vec(order)?;
    let length = u32::try_from(text.len()).ok();
    let length = length.filter(|length| *length <= LARGEST);
    let length = length.ok_or(io::ErrorKind::ArgumentListTooLong)?;
    stream.write_all(&length.to_be_bytes())?;
    stream.write_all(&text)
}

/// Receives an order. The descriptor that comes with it has no close-on-exec flag: whatever is
/// started from now on inherits it.
pub(super) fn receive(mut stream: &UnixStream) -> io::Result<(Order, Option<OwnedFd>)> {
    stream.set_read_timeout(Some(PATIENCE))?;
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut ancillary = RecvAncillaryBuffer::new(&mut space);
    let mut greeting = [0];
    let mut into = [IoSliceMut::new(&mut greeting)];
    rustix::net::recvmsg(stream, &mut into, &mut ancillary, RecvFlags::empty())?;
    let descriptors = ancillary.drain().filter_map(|message| match message {
        RecvAncillaryMessage::ScmRights(descriptors) => Some(descriptors),
        _ => None,
    });
    let held = descriptors.flatten().next();
    let mut length = [0; 4];
    stream.read_exact(&mut length)?;
    let length = u32::from_be_bytes(length);
    if greeting != [GREETING] || length > LARGEST {
        return Err(io::ErrorKind::InvalidData.into());
    }
    let mut text = Vec::new();
    stream.take(length.into()).read_to_end(&mut text)?;
    Ok((serde_json::from_slice(&text)?, held))
}

/// Tells of something. Where nobody listens, the end of the stream says so soon enough.
pub(super) fn tell(mut stream: &UnixStream, report: &Report) {
    if let Ok(mut line) = serde_json::to_vec(report) {
        line.push(b'\n');
        let _ = stream.write_all(&line);
    }
}

/// Tells the supervisor to stop.
pub(super) fn tell_to_stop(mut stream: &UnixStream) {
    let _ = stream.write_all(b"s");
}

/// Reports as they come.
#[derive(Default)]
pub(super) struct Reports {
    unread: Vec<u8>,
}

impl Reports {
    /// The reports that came, from a stream that does not block, and whether more may come.
    pub(super) fn read(&mut self, mut stream: &UnixStream) -> (Vec<Report>, bool) {
        let mut buffer = [0; 4096];
        let open = loop {
            match stream.read(&mut buffer) {
                Ok(0) => break false,
                Ok(count) => self.unread.extend(buffer.iter().take(count)),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => break error.kind() == io::ErrorKind::WouldBlock,
            }
        };
        let mut reports = Vec::new();
        while let Some(end) = self.unread.iter().position(|byte| *byte == b'\n') {
            let line: Vec<u8> = self.unread.drain(..=end).collect();
            reports.extend(serde_json::from_slice::<Report>(&line).ok());
        }
        (reports, open)
    }
}
