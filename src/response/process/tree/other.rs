//! The tree of an action where there is no `/proc` and no reaper (macOS): its process group.
//!
//! Both halves of that are weaker than on Linux: a daemon that makes a session of its own is not
//! found, and neither is the group once its number is given anew.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use rustix::io;
use rustix::process::{Pid, Signal, kill_process_group, test_kill_process_group};

/// There is none here.
#[expect(clippy::unnecessary_wraps, reason = "the same as where it may fail")]
pub(in super::super) fn become_reaper() -> io::Result<()> {
    Ok(())
}

/// Sends a signal to the group of the action.
pub(in super::super) fn send(action: Pid, signal: Signal) {
    let _ = kill_process_group(action, signal);
}

/// True where anything of the action is left.
pub(in super::super) fn left(action: Pid, children: bool) -> bool {
    children || test_kill_process_group(action).is_ok()
}

/// The right to end what a killed supervisor leaves.
pub(in super::super) struct Adoption {
    _one_at_a_time: MutexGuard<'static, ()>,
}

static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());

impl Adoption {
    pub(in super::super) fn begin() -> Self {
        let guard = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
        Self {
            _one_at_a_time: guard,
        }
    }

    /// Ends the group of the action. False where something is left at `until`.
    #[expect(clippy::unused_self, reason = "the same as where it adopts")]
    pub(in super::super) fn end_all(&self, action: Option<Pid>, until: Instant) -> bool {
        let Some(action) = action else {
            return true;
        };
        while left(action, false) {
            send(action, Signal::KILL);
            if Instant::now() > until {
                return false;
            }
            std::thread::sleep(Duration::from_millis(2));
        }
        true
    }
}
