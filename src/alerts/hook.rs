//! A program that is told of alerts: started without a shell, in a process group of its own, with a
//! bare environment, and ended when its time is over.
//!
//! What it does is its own business; only how it ended matters here. What it says on standard error
//! is kept as far as a person reads it.

use std::ffi::OsString;
use std::io::{self, Read as _, Write as _};
use std::os::unix::process::{CommandExt as _, ExitStatusExt as _};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use zeroize::Zeroizing;

use super::configuration::Hook;
use crate::diagnostic::readable;
use crate::fs::Workspace;
use crate::fs::read::plain;
use crate::privacy::Secrets;

/// The variables that every hook sees.
const VARIABLES: [&str; 3] = ["PATH", "HOME", "LANG"];

/// How much of what it says is shown, in characters.
const SHOWN: usize = 500;

/// How much of it is kept, in bytes: more than is shown, so that no secret is cut where it could not
/// be recognised any more.
const KEPT: usize = 64 * 1024;

/// The pause between two looks at whether it has ended.
const PAUSE: Duration = Duration::from_millis(5);

/// A program that ended may have left others that still hold its standard error.
const LAST_WORDS: Duration = Duration::from_millis(200);

/// Runs the hook with `body` on its standard input. Says why where it did not end well.
pub(super) fn run(
    hook: &Hook,
    workspace: &Workspace,
    variable: fn(&str) -> Option<OsString>,
    body: Vec<u8>,
) -> Result<(), String> {
    let begin = Instant::now();
    let environment = environment(hook, variable);
    // What a hook is handed by name may be a secret, whatever its name: an address, say.
    let is_named = |name: &OsString| hook.environment.iter().any(|own| name == own.as_str());
    let handed = environment.iter().filter(|(name, _)| is_named(name));
    let handed: Vec<Zeroizing<Vec<u8>>> = handed
        .map(|(_, value)| value.clone().into_encoded_bytes().into())
        .collect();
    let secrets = Secrets::from_environment(environment.iter().cloned(), handed);
    let mut child = start(hook, workspace, environment)?;
    let fed = feed(&mut child, body);
    let said = Said::listen(&mut child);
    let ended = wait(&mut child, begin, hook.timeout);
    let said = readable(&secrets.redact(said.text().trim()), SHOWN);
    let said = if said.is_empty() {
        String::new()
    } else {
        format!("; it said: {said}")
    };
    match ended {
        Ok(Some(status)) if status.success() => fed.map_or(Ok(()), was_fed),
        Ok(Some(status)) => Err(format!("{}{said}", in_words(status))),
        Ok(None) => Err(format!(
            "no end within {} s, so it was killed{said}",
            hook.timeout.as_secs_f64()
        )),
        Err(error) => Err(plain(&error)),
    }
}

/// The whole environment of a hook.
fn environment(hook: &Hook, variable: fn(&str) -> Option<OsString>) -> Vec<(OsString, OsString)> {
    let listed = hook.environment.iter().map(String::as_str);
    let names = VARIABLES.into_iter().chain(listed);
    names
        .filter_map(|name| Some((name.into(), variable(name)?)))
        .collect()
}

fn start(
    hook: &Hook,
    workspace: &Workspace,
    environment: Vec<(OsString, OsString)>,
) -> Result<Child, String> {
    let mut command = Command::new(&hook.program);
    command
        .args(&hook.arguments)
        .current_dir(workspace.root())
        .env_clear()
        .envs(environment)
        .process_group(0)
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::piped());
    let named = readable(&hook.program, SHOWN);
    command
        .spawn()
        .map_err(|error| format!("`{named}` can't be started: {}", plain(&error)))
}

/// Writes the body, as far as the hook reads it.
fn feed(child: &mut Child, body: Vec<u8>) -> Option<JoinHandle<io::Result<()>>> {
    let mut input = child.stdin.take()?;
    Some(thread::spawn(move || input.write_all(&body)))
}

/// A hook that ended well without reading everything knows what it does; a body that could not be
/// written is another matter.
fn was_fed(writer: JoinHandle<io::Result<()>>) -> Result<(), String> {
    if !writer.is_finished() {
        return Ok(());
    }
    match writer.join() {
        Ok(Err(error)) if error.kind() != io::ErrorKind::BrokenPipe => {
            Err(format!("it could not be told: {}", plain(&error)))
        }
        _ => Ok(()),
    }
}

/// The end of the program; `None` where its time was over, and it and its group were killed.
fn wait(child: &mut Child, begin: Instant, timeout: Duration) -> io::Result<Option<ExitStatus>> {
    loop {
        if let Some(status) = child.try_wait()? {
            return Ok(Some(status));
        }
        if begin.elapsed() >= timeout {
            break;
        }
        thread::sleep(PAUSE);
    }
    let group = rustix::process::Pid::from_child(child);
    let _ = rustix::process::kill_process_group(group, rustix::process::Signal::KILL);
    child.wait()?;
    Ok(None)
}

/// What a program says on standard error: all of it is read, the beginning is kept.
struct Said {
    kept: Arc<Mutex<Vec<u8>>>,
    reader: Option<JoinHandle<()>>,
}

impl Said {
    fn listen(child: &mut Child) -> Self {
        let kept = Arc::new(Mutex::new(Vec::new()));
        let reader = child.stderr.take().map(|mut stream| {
            let kept = Arc::clone(&kept);
            thread::spawn(move || {
                let mut buffer = [0; 4096];
                while let Ok(count @ 1..) = stream.read(&mut buffer) {
                    let Ok(mut kept) = kept.lock() else { return };
                    let room = KEPT.saturating_sub(kept.len()).min(count);
                    kept.extend_from_slice(buffer.get(..room).unwrap_or_default());
                }
            })
        });
        Self { kept, reader }
    }

    /// What it said so far, once it has ended.
    fn text(self) -> String {
        let begin = Instant::now();
        let is_open = || {
            let reader = self.reader.as_ref();
            reader.is_some_and(|reader| !reader.is_finished())
        };
        while is_open() && begin.elapsed() < LAST_WORDS {
            thread::sleep(PAUSE);
        }
        let bytes = self.kept.lock().map(|kept| kept.clone());
        String::from_utf8_lossy(&bytes.unwrap_or_default()).into_owned()
    }
}

fn in_words(status: ExitStatus) -> String {
    match (status.code(), status.signal()) {
        (Some(code), _) => format!("exit status {code}"),
        (None, Some(signal)) => format!("ended by signal {signal}"),
        (None, None) => "an unknown end".to_owned(),
    }
}
