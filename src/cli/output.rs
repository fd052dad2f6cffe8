//! The only place that writes to standard output and standard error, and reads variables.
//!
//! A closed pipe on standard output is no error (CONTRACT.md section 6): whoever reads may stop.

use std::ffi::OsString;
use std::io::{self, IsTerminal as _, Write as _};
use std::process::ExitCode;

use super::{ColorChoice, Exit, is_blocking, is_denied, is_tampering};
use crate::diagnostic::{Checked, Code, Diagnostic, Place};
use crate::report::{Paint, findings};

/// Where results and findings go.
#[derive(Debug, Clone, Copy)]
pub(super) struct Output {
    result: Paint,
    notes: Paint,
    on_terminal: bool,
}

#[expect(
    clippy::unused_self,
    reason = "whoever writes has to hold an output, whatever it takes from it"
)]
impl Output {
    pub(super) fn new(choice: ColorChoice) -> Self {
        let allowed =
            variable("NO_COLOR").is_none() && variable("TERM").is_none_or(|term| term != "dumb");
        let paint = |on_terminal: bool| match choice {
            ColorChoice::Always => Paint::Colour,
            ColorChoice::Auto if allowed && on_terminal => Paint::Colour,
            ColorChoice::Auto | ColorChoice::Never => Paint::Plain,
        };
        let on_terminal = io::stdout().is_terminal();
        Self {
            result: paint(on_terminal),
            notes: paint(io::stderr().is_terminal()),
            on_terminal,
        }
    }

    /// Is standard output a terminal?
    pub(super) fn on_terminal(self) -> bool {
        self.on_terminal
    }

    /// How many characters a line of the result may have.
    pub(super) fn width(self) -> usize {
        let of_terminal = || {
            let size = rustix::termios::tcgetwinsize(io::stdout()).ok()?;
            Some(usize::from(size.ws_col)).filter(|width| self.on_terminal && *width > 0)
        };
        let told = variable("COLUMNS").and_then(|text| text.parse().ok());
        let width = told.filter(|width| *width > 0).or_else(of_terminal);
        width.unwrap_or(80).clamp(20, 500)
    }

    /// False on a dumb terminal, and where the language settings name another encoding than UTF-8.
    pub(super) fn has_unicode(self) -> bool {
        let named = ["LC_ALL", "LC_CTYPE", "LANG"]
            .into_iter()
            .find_map(variable);
        let is_utf8 = |locale: String| {
            let locale = locale.to_ascii_lowercase();
            locale.contains("utf-8") || locale.contains("utf8")
        };
        variable("TERM").is_none_or(|term| term != "dumb") && named.is_none_or(is_utf8)
    }

    /// How results are painted.
    pub(super) fn paint(self) -> Paint {
        self.result
    }

    /// Writes a result to standard output.
    pub(super) fn result(self, text: &str) -> anyhow::Result<()> {
        self.result_bytes(text.as_bytes())
    }

    /// Writes the bytes of a result to standard output.
    pub(super) fn result_bytes(self, bytes: &[u8]) -> anyhow::Result<()> {
        let mut out = io::stdout().lock();
        match out.write_all(bytes).and_then(|()| out.flush()) {
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
            Err(error) => Err(anyhow::Error::new(error)
                .context("the result could not be written to standard output")),
            Ok(()) => Ok(()),
        }
    }

    /// Writes a result as JSON to standard output.
    pub(super) fn json<T: serde::Serialize>(self, value: &T) -> anyhow::Result<()> {
        let mut bytes = serde_json::to_vec_pretty(value)?;
        bytes.push(b'\n');
        self.result_bytes(&bytes)
    }

    /// Writes a value as one line of JSON to standard output. False where nobody reads it any more.
    pub(super) fn json_line<T: serde::Serialize>(self, value: &T) -> anyhow::Result<bool> {
        let mut line = serde_json::to_vec(value)?;
        line.push(b'\n');
        let mut out = io::stdout().lock();
        match out.write_all(&line).and_then(|()| out.flush()) {
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(false),
            Err(error) => Err(anyhow::Error::new(error)
                .context("the event could not be written to standard output")),
            Ok(()) => Ok(true),
        }
    }

    /// Writes a line of a result to standard output. False where nobody reads it any more.
    pub(super) fn line(self, text: &str) -> anyhow::Result<bool> {
        let mut out = io::stdout().lock();
        match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(false),
            Err(error) => Err(anyhow::Error::new(error)
                .context("the result could not be written to standard output")),
            Ok(()) => Ok(true),
        }
    }

    /// Writes a remark to standard error.
    pub(super) fn note(self, text: &str) {
        remark(text);
    }

    /// Writes findings to standard error.
    pub(super) fn findings<'a>(self, all: impl IntoIterator<Item = &'a Diagnostic>) {
        let _ = io::stderr()
            .lock()
            .write_all(findings::render(all, self.notes).as_bytes());
    }

    /// Writes text that is complete to standard error.
    pub(super) fn raw_note(self, text: &str) {
        let _ = io::stderr().lock().write_all(text.as_bytes());
    }

    /// Tells why a command failed, and with which code it ends.
    pub(super) fn failure(self, error: &anyhow::Error) -> Exit {
        match finding_of(error) {
            Some(finding) => {
                self.findings([finding]);
                match finding {
                    _ if is_tampering(finding) => Exit::Tampering,
                    _ if is_blocking(finding) => Exit::Blocked,
                    _ if is_denied(finding) => Exit::Denied,
                    _ => Exit::Failed,
                }
            }
            None => {
                self.note(&format!("{}: {error:#}", self.notes.error("error")));
                Exit::Failed
            }
        }
    }
}

/// The finding that made a command fail, where it was one.
pub(super) fn finding_of(error: &anyhow::Error) -> Option<&Diagnostic> {
    error.downcast_ref::<Diagnostic>().or_else(|| {
        error
            .downcast_ref::<Box<Diagnostic>>()
            .map(|boxed| &**boxed)
    })
}

/// A row of a table as CSV. A cell that a spreadsheet would take for a formula is set off by an
/// apostrophe.
pub(super) fn row(cells: &[String]) -> Checked<Vec<u8>> {
    let mut writer = csv::WriterBuilder::new()
        .buffer_capacity(1024)
        .from_writer(Vec::new());
    let plain = cells.iter().map(|cell| {
        if cell.starts_with(['=', '+', '-', '@', '\t', '\r']) {
            format!("'{cell}")
        } else {
            cell.clone()
        }
    });
    let unwritten = |error: String| {
        Box::new(
            Diagnostic::new(
                Code::WriteFailed,
                Place::file("export"),
                "a row can't be written",
            )
            .found(error)
            .expected("cells of text")
            .help("export as JSON"),
        )
    };
    let written = writer.write_record(plain.map(String::into_bytes));
    written.map_err(|error| unwritten(error.to_string()))?;
    writer
        .into_inner()
        .map_err(|error| unwritten(error.to_string()))
}

/// Writes a line to standard error. Where even that is closed there is nobody to tell.
pub(super) fn remark(text: &str) {
    let _ = io::stderr()
        .lock()
        .write_all(format!("{text}\n").as_bytes());
}

/// A variable of the environment; one that is empty counts as absent, as workflows set them.
#[expect(
    clippy::disallowed_methods,
    reason = "the one place that reads the environment"
)]
pub(super) fn variable_os(name: &str) -> Option<OsString> {
    std::env::var_os(name).filter(|value| !value.is_empty())
}

/// A variable that is text; bytes that are none are replaced.
pub(super) fn variable(name: &str) -> Option<String> {
    variable_os(name).map(|value| value.to_string_lossy().into_owned())
}

/// All variables of this process, for actions that may see some of them.
pub(super) fn all_variables() -> impl Iterator<Item = (OsString, OsString)> {
    std::env::vars_os()
}

/// Help, version, or a usage error.
pub(super) fn usage(error: &clap::Error) -> ExitCode {
    let _ = error.print();
    // Help and version that were asked for are results; everything else is a usage error.
    let asked_for = matches!(
        error.kind(),
        clap::error::ErrorKind::DisplayHelp | clap::error::ErrorKind::DisplayVersion
    );
    if asked_for {
        Exit::Done.into()
    } else {
        Exit::Usage.into()
    }
}
