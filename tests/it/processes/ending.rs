//! How an action ends, and that nothing of it is left then.

use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use policy_orchestrator::response::process::Ended;

use super::{A_SECOND, Action, LEAVE_CGROUP, STUBBORN, has_python, session_of, wait_until};

#[test]
fn nothing_of_a_stubborn_action_survives_its_timeout() {
    for before in ["", LEAVE_CGROUP] {
        let timeout = Duration::from_millis(700);
        let script = format!("{before}{STUBBORN} sleep 1000");
        let action = Action::sh(&script).timeout(timeout);
        let finished = action.run();
        assert_eq!(finished.ended, Ended::TimedOut);
        assert!(action.has("ready"), "the machine is too slow for this test");
        assert!(finished.duration >= timeout);
        assert!(finished.duration < timeout + A_SECOND, "{finished:?}");
    }
}

#[test]
fn an_action_is_asked_to_end_before_it_is_made_to() {
    let script = "trap 'echo bye; exit 3' TERM; : >ready; while :; do sleep 0.01; done";
    let action = Action::sh(script);
    let stop = OnceLock::new();
    let finished = std::thread::scope(|scope| {
        scope.spawn(|| {
            wait_until("the action runs", || action.has("ready"));
            stop.set(Instant::now())
        });
        action.run_until(&|| stop.get().is_some())
    });
    let took = stop.get().unwrap().elapsed();
    // Ended by us, so what it made of that does not count as its result.
    assert_eq!(finished.ended, Ended::Stopped);
    assert_eq!(finished.stdout, "bye\n");
    assert!(took < Duration::from_millis(700), "{took:?}");
}

#[test]
fn a_stubborn_action_is_stopped_too() {
    let action = Action::sh(&format!("{STUBBORN} sleep 1000"));
    let finished = action.run_until(&|| action.has("ready"));
    assert_eq!(finished.ended, Ended::Stopped);
    // To start it takes its time as well.
    assert!(finished.duration < Duration::from_secs(5), "{finished:?}");
}

#[test]
fn who_is_to_stop_does_not_begin() {
    let action = Action::sh(": >ran");
    let finished = action.run_until(&|| true);
    assert_eq!(finished.ended, Ended::Stopped);
    assert!(!action.has("ran"));
}

#[test]
fn a_daemon_does_not_survive_the_action_that_started_it() {
    for before in ["", LEAVE_CGROUP] {
        let action = Action::sh(&format!("{before}{STUBBORN} echo done; exit 4"));
        let finished = action.run();
        assert!(action.has("ready"));
        assert_eq!(finished.ended, Ended::Exited(4));
        assert_eq!(finished.stdout, "done\n");
    }
}

#[test]
fn what_is_stopped_ends_too() {
    let script = "sleep 1000 & kill -STOP $!; : >ready; kill -STOP $$";
    let action = Action::sh(script);
    let finished = action.run_until(&|| action.has("ready"));
    assert_eq!(finished.ended, Ended::Stopped);
}

#[test]
fn an_action_that_kills_its_supervisor_ends_with_it() {
    for before in ["", LEAVE_CGROUP] {
        let action = Action::sh(&format!("{before}{STUBBORN} kill -KILL $PPID; sleep 1000"));
        let finished = action.run();
        assert!(action.has("ready"));
        assert_eq!(finished.ended, Ended::Lost);
    }
}

/// A process that has nothing to do with actions.
struct Neighbour(Child);

impl Neighbour {
    fn start(script: &str) -> Self {
        let mut shell = Command::new("sh");
        shell.args(["-c", script]).stdin(Stdio::null());
        Self(shell.spawn().unwrap())
    }
}

impl Drop for Neighbour {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn what_is_not_of_the_action_is_left_alone() {
    // One of ours, and one that looks like a daemon of the action, but was there before.
    let mut neighbours = ["exec sleep 1000", "exec setsid sleep 1000"].map(Neighbour::start);
    let second = neighbours[1].0.id().cast_signed();
    wait_until("the second leads a session", || {
        session_of(second) == Some(second)
    });
    let finished = Action::sh("kill -KILL $PPID; sleep 1000").run();
    assert_eq!(finished.ended, Ended::Lost);
    for neighbour in &mut neighbours {
        assert_eq!(neighbour.0.try_wait().unwrap(), None);
    }
}

#[test]
fn an_action_that_stops_its_supervisor_ends_in_time() {
    for before in ["", LEAVE_CGROUP] {
        let timeout = Duration::from_millis(700);
        let script = format!("{before}{STUBBORN} kill -STOP $PPID; sleep 1000");
        let finished = Action::sh(&script).timeout(timeout).run();
        assert_eq!(finished.ended, Ended::TimedOut);
        assert!(finished.duration < timeout + A_SECOND, "{finished:?}");
    }
}

#[test]
fn an_action_that_tells_its_supervisor_to_end_is_ended() {
    let finished = Action::sh("kill -TERM $PPID; sleep 1000").run();
    assert_eq!(finished.ended, Ended::Stopped);
}

/// Each process starts the next one, in a session of its own, and is gone: whoever looks is late.
const HYDRA: &str = "
import os, time
end = time.monotonic() + 20
open('ready', 'w').close()
while time.monotonic() < end:
    if os.fork():
        os._exit(0)
    os.setsid()
";

/// Four that ignore SIGTERM and start one process after the other, each in a session of its own.
const SWARM: &str = "
import os, signal, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
end = time.monotonic() + 20
os.fork()
os.fork()
open('ready', 'w').close()
while time.monotonic() < end:
    if os.fork() == 0:
        os.setsid()
        time.sleep(3)
        os._exit(0)
    time.sleep(0.002)
";

#[test]
fn what_forks_while_it_is_killed_ends_too() {
    if !has_python() {
        return;
    }
    for script in [HYDRA, SWARM] {
        for before in ["", LEAVE_CGROUP] {
            // The shell waits, so that the end of the first process is not that of the action.
            let mut action = Action::sh(&format!("{before} python3 -c \"$SCRIPT\"; sleep 1000"));
            action.environment.push(("SCRIPT".into(), script.into()));
            let told = std::cell::Cell::new(None);
            let finished = action.run_until(&|| {
                let stop = action.has("ready");
                told.set(told.get().or(stop.then(Instant::now)));
                stop
            });
            assert_eq!(finished.ended, Ended::Stopped);
            let took = told.get().unwrap().elapsed();
            assert!(took < 2 * A_SECOND, "{took:?}");
        }
    }
}

/// Makes a control group inside its own, where there is one.
const NEST_CGROUP: &str = r"
    group=$(sed -n s/^0:://p /proc/self/cgroup)
    for mount in /sys/fs/cgroup /sys/fs/cgroup/unified; do
        case $group in
            *policy-orchestrator*) if test -w $mount$group; then mkdir $mount$group/in; fi ;;
        esac
    done
";

#[test]
fn no_control_group_is_left() {
    for last in ["echo $group", "echo $group; kill -KILL $PPID; sleep 1000"] {
        let finished = Action::sh(&format!("{NEST_CGROUP} {last}")).run();
        if !finished.stdout.contains("policy-orchestrator.") {
            eprintln!("no control group can be made here");
        }
    }
}

#[test]
fn who_joins_the_group_of_the_supervisor_ends_too() {
    if !has_python() {
        return;
    }
    let script = "
import os, signal, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
os.setpgid(0, os.getppid())
open('ready', 'w').close()
time.sleep(1000)
";
    let mut action = Action::sh(&format!("{LEAVE_CGROUP} exec python3 -c \"$SCRIPT\""));
    action.environment.push(("SCRIPT".into(), script.into()));
    let finished = action.run_until(&|| action.has("ready"));
    assert_eq!(finished.ended, Ended::Stopped);
}
