//! The tree of an action on Linux, read from `/proc`.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use rustix::io;
use rustix::process::{Pid, Signal, WaitOptions, kill_process, kill_process_group};

/// A process, as far as it matters here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Process {
    pid: Pid,
    parent: i32,
    group: i32,
    session: i32,
}

/// From now on, orphans below this process become its children.
pub(in super::super) fn become_reaper() -> io::Result<()> {
    rustix::process::set_child_subreaper(Some(rustix::process::getpid()))
}

/// Sends a signal to everything below this process, which leads a session of its own.
pub(in super::super) fn send(action: Pid, signal: Signal) {
    let own = rustix::process::getpid();
    let all = all();
    if all.is_empty() {
        // Without `/proc` there is still the group that we made.
        let _ = kill_process_group(action, signal);
    }
    deliver(&below(own, &all), own, signal);
}

/// True where anything of the action is left. For a reaper, no children means no descendants.
pub(in super::super) fn left(_action: Pid, children: bool) -> bool {
    children
}

/// The right to take over what a killed supervisor leaves, for the time of one action.
pub(in super::super) struct Adoption {
    /// Sessions that were there before. A process can't move into a session that exists, so what
    /// is in one of these has nothing to do with the action.
    before: BTreeSet<i32>,
    was_reaper: bool,
    _one_at_a_time: MutexGuard<'static, ()>,
}

static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());

impl Adoption {
    pub(in super::super) fn begin() -> Self {
        let guard = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
        let was_reaper = rustix::process::child_subreaper().is_ok_and(|reaper| reaper.is_some());
        let _ = become_reaper();
        Self {
            before: all().iter().map(|process| process.session).collect(),
            was_reaper,
            _one_at_a_time: guard,
        }
    }

    /// Ends what became ours when the supervisor died. False where something is left at `until`.
    pub(in super::super) fn end_all(&self, _action: Option<Pid>, until: Instant) -> bool {
        let own = rustix::process::getpid();
        let mut passes_without = 0;
        // Twice: a process whose parent dies while we look may be missed once.
        while passes_without < 2 {
            let all = all();
            let mut ours = below(own, &all);
            ours.retain(|process| !self.before.contains(&process.session));
            if ours.is_empty() {
                passes_without += 1;
                continue;
            }
            passes_without = 0;
            deliver(&ours, own, Signal::KILL);
            for child in ours.iter().filter(|process| process.parent == raw(own)) {
                let _ = rustix::process::waitpid(Some(child.pid), WaitOptions::NOHANG);
            }
            if Instant::now() > until {
                return false;
            }
            std::thread::sleep(Duration::from_millis(2));
        }
        true
    }
}

impl Drop for Adoption {
    fn drop(&mut self) {
        if !self.was_reaper {
            let _ = rustix::process::set_child_subreaper(None);
        }
    }
}

/// Sends a signal to these processes, and to the groups that they are in: a group gets it
/// atomically, so one that forks and forks can't run ahead.
///
/// All members of such a group are ours: it lies in a session that one of these processes made.
/// Only the sender's own group is left out.
fn deliver(processes: &[Process], own: Pid, signal: Signal) {
    let groups: BTreeSet<i32> = processes.iter().map(|process| process.group).collect();
    // 0 is a group of another process namespace, and -1 would be everybody.
    let others = groups
        .into_iter()
        .filter(|group| *group > 1 && *group != raw(own));
    for group in others {
        if let Some(group) = Pid::from_raw(group) {
            let _ = kill_process_group(group, signal);
        }
    }
    let alone = processes.iter().filter(|process| process.group == raw(own));
    for process in alone {
        let _ = kill_process(process.pid, signal);
    }
}

fn raw(pid: Pid) -> i32 {
    pid.as_raw_nonzero().get()
}

/// The descendants of a process among `all`.
fn below(top: Pid, all: &[Process]) -> Vec<Process> {
    let mut children: BTreeMap<i32, Vec<Process>> = BTreeMap::new();
    for process in all {
        children.entry(process.parent).or_default().push(*process);
    }
    let mut found = Vec::new();
    let mut parents = vec![raw(top)];
    while let Some(parent) = parents.pop() {
        // Removed, so that even a picture with a circle in it (a number given anew) comes to an end.
        for child in children.remove(&parent).unwrap_or_default() {
            parents.push(raw(child.pid));
            found.push(child);
        }
    }
    found
}

/// All processes that can be seen.
fn all() -> Vec<Process> {
    let entries = std::fs::read_dir("/proc").into_iter().flatten().flatten();
    let numbers = entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    numbers.filter_map(one).collect()
}

fn one(number: i32) -> Option<Process> {
    let stat = std::fs::read(format!("/proc/{number}/stat")).ok()?;
    parse(Pid::from_raw(number)?, &String::from_utf8_lossy(&stat))
}

/// Reads `number (name) state parent group session …`; the name may hold anything.
fn parse(pid: Pid, stat: &str) -> Option<Process> {
    let (_, behind) = stat.rsplit_once(')')?;
    let mut fields = behind.split_whitespace().skip(1);
    let mut number = || fields.next()?.parse().ok();
    Some(Process {
        pid,
        parent: number()?,
        group: number()?,
        session: number()?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn process(pid: i32, parent: i32) -> Process {
        Process {
            pid: Pid::from_raw(pid).unwrap(),
            parent,
            group: pid,
            session: 1,
        }
    }

    #[test]
    fn a_name_may_look_like_fields() {
        let pid = Pid::from_raw(7).unwrap();
        let read = parse(pid, "7 (a) S 1 1 1 (b) R 3 5 4 0 -1").unwrap();
        assert_eq!((read.parent, read.group, read.session), (3, 5, 4));
        assert_eq!(parse(pid, "7 (a) R 3"), None);
    }

    #[test]
    fn descendants_are_found_whatever_their_order_and_circles_end() {
        let all = [process(9, 5), process(5, 3), process(4, 2), process(6, 5)];
        let mut found: Vec<i32> = below(Pid::from_raw(3).unwrap(), &all)
            .iter()
            .map(|process| raw(process.pid))
            .collect();
        found.sort_unstable();
        assert_eq!(found, [5, 6, 9]);
        let circle = [process(3, 5), process(5, 3)];
        assert_eq!(below(Pid::from_raw(3).unwrap(), &circle).len(), 2);
    }

    #[test]
    fn this_process_sees_itself() {
        let own = rustix::process::getpid();
        assert!(all().iter().any(|process| process.pid == own));
    }
}
