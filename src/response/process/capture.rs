//! The head of an output stream: everything is read, so that nobody waits, and little is kept.
//! What of it is shown is the business of [`crate::privacy`].

use std::io::{self, ErrorKind, PipeReader, PipeWriter, Read as _};
use std::os::fd::{AsFd as _, BorrowedFd};

use super::SHOWN;
use crate::privacy::{Excerpt, Secrets};

/// How many bytes are kept. More than is shown, since a long secret becomes a short word.
const KEPT: usize = 64 * 1024;

/// How much one call reads at most, so that a chatty action can't keep the caller from the clock.
const READ_AT_ONCE: usize = 1024 * 1024;

/// A stream that is read.
pub(super) struct Capture {
    /// `None` once it has ended.
    pipe: Option<PipeReader>,
    head: Vec<u8>,
    dropped: bool,
}

impl Capture {
    /// A new stream and the end that is written to.
    pub(super) fn new() -> io::Result<(Self, PipeWriter)> {
        let (reader, writer) = io::pipe()?;
        rustix::io::ioctl_fionbio(&reader, true)?;
        let capture = Self {
            pipe: Some(reader),
            head: Vec::new(),
            dropped: false,
        };
        Ok((capture, writer))
    }

    /// What to wait for, while it goes on.
    pub(super) fn descriptor(&self) -> Option<BorrowedFd<'_>> {
        self.pipe.as_ref().map(PipeReader::as_fd)
    }

    /// Takes what is there now and does not wait for more.
    pub(super) fn read(&mut self, buffer: &mut [u8]) {
        let mut read = 0;
        while read < READ_AT_ONCE
            && let Some(pipe) = &mut self.pipe
        {
            match pipe.read(buffer) {
                Ok(0) => self.pipe = None,
                Ok(count) => {
                    read += count;
                    self.keep(buffer.get(..count).unwrap_or_default());
                }
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) if error.kind() == ErrorKind::WouldBlock => return,
                Err(_) => self.pipe = None,
            }
        }
    }

    fn keep(&mut self, bytes: &[u8]) {
        let room = KEPT.saturating_sub(self.head.len());
        self.head.extend(bytes.iter().take(room));
        self.dropped |= bytes.len() > room;
    }

    /// What of it may be shown.
    pub(super) fn excerpt(&self, secrets: &Secrets) -> Excerpt {
        secrets.excerpt(&self.head, self.dropped, SHOWN)
    }
}
