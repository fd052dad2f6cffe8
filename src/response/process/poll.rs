//! Waiting until one of some descriptors has something to read. Reading is not done here.

use std::os::fd::BorrowedFd;
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec};

/// Returns when one of them can be read or is closed on the other side, when a signal came, or
/// after `limit`. Which of them it was, a read that does not block tells as well.
pub(super) fn readable<'a>(descriptors: impl IntoIterator<Item = BorrowedFd<'a>>, limit: Duration) {
    let mut all: Vec<PollFd<'_>> = descriptors
        .into_iter()
        .map(|descriptor| PollFd::from_borrowed_fd(descriptor, PollFlags::IN))
        .collect();
    let limit = Timespec {
        tv_sec: limit.as_secs().min(3600).cast_signed(),
        tv_nsec: limit.subsec_nanos().into(),
    };
    let _ = rustix::event::poll(&mut all, Some(&limit));
}
