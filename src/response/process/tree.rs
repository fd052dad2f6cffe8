//! The processes of an action: finding all of them, and sending them a signal. When, and for how
//! long, is decided in `supervisor` and `running`.
//!
//! On Linux, whoever is a child subreaper becomes the parent of every orphan below it. So all that
//! an action starts stays below its supervisor, whatever session or group it moves to; and where a
//! supervisor is killed, below this program. Elsewhere there is nothing of the kind: there, an
//! action is its process group, and a daemon that leaves that group survives.

#[cfg(target_os = "linux")]
mod linux;
#[cfg(not(target_os = "linux"))]
mod other;

#[cfg(target_os = "linux")]
pub(super) use linux::{Adoption, become_reaper, left, send};
#[cfg(not(target_os = "linux"))]
pub(super) use other::{Adoption, become_reaper, left, send};

use rustix::io::Errno;
use rustix::process::{Pid, WaitOptions, WaitStatus};

/// Takes the children of this process that are dead. `seen` gets each with its status. False when
/// there is no child left, dead or alive.
pub(super) fn reap(mut seen: impl FnMut(Pid, WaitStatus)) -> bool {
    loop {
        match rustix::process::wait(WaitOptions::NOHANG) {
            Ok(Some((pid, status))) => seen(pid, status),
            Ok(None) => return true,
            Err(Errno::INTR) => {}
            Err(_) => return false,
        }
    }
}
