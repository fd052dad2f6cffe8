//! Files that a user names on the command line, wherever they stand.

use std::io::Read as _;
use std::path::Path;

use crate::diagnostic::{Checked, Code, Diagnostic, Place};
use crate::fs::read::{Unopened, open_given, plain};

/// A file that is named on the command line.
#[derive(Debug, Clone, Copy)]
pub(super) struct Given<'g> {
    /// Its path, or `-` for standard input.
    pub(super) path: &'g str,
    /// What it is, for a finding: `file of inputs`.
    pub(super) what: &'static str,
    /// What was expected there.
    pub(super) expected: &'static str,
    /// A larger one is none.
    pub(super) limit: u64,
}

impl Given<'_> {
    /// Its bytes.
    pub(super) fn read(self) -> Checked<Vec<u8>> {
        let mut bytes = Vec::new();
        let read = match self.path {
            "-" => std::io::stdin()
                .lock()
                .take(self.limit + 1)
                .read_to_end(&mut bytes),
            path => match open_given(Path::new(path)) {
                Ok(open) => open.take(self.limit + 1).read_to_end(&mut bytes),
                Err(Unopened::Other(kind)) => return Err(self.no_file(kind)),
                Err(Unopened::Failed(error)) => Err(error),
            },
        };
        read.map_err(|error| {
            let message = format!("the {} can't be read", self.what);
            self.refused(Code::FileUnreadable, &message)
                .found(plain(&error))
        })?;
        if bytes.len() as u64 > self.limit {
            let message = format!("the {} is too large", self.what);
            let found = format!("more than {} bytes", self.limit);
            return Err(Box::new(
                self.refused(Code::FileTooLarge, &message).found(found),
            ));
        }
        Ok(bytes)
    }

    fn no_file(self, kind: &str) -> Box<Diagnostic> {
        let message = format!("the {} is no regular file", self.what);
        Box::new(
            self.refused(Code::FileNotRegular, &message)
                .found(kind)
                .help("name a regular file, or hand it over on standard input and name it `-`"),
        )
    }

    fn refused(self, code: Code, message: &str) -> Diagnostic {
        Diagnostic::new(code, Place::file(self.path), message)
            .expected(self.expected)
            .help("check the path")
    }
}

/// Writes a report to the file that the user named with `option`, over an older one.
#[expect(
    clippy::disallowed_methods,
    reason = "a report that a user names, wherever that is; a half one is simply made again"
)]
pub(super) fn write_report(path: &Path, option: &str, report: &str) -> Checked<()> {
    std::fs::write(path, report).map_err(|error| {
        Box::new(
            Diagnostic::new(
                Code::WriteFailed,
                Place::file(path.display().to_string()),
                "the report could not be written",
            )
            .found(plain(&error))
            .expected("a file in a directory that is there")
            .help(format!("check the path of `{option}`")),
        )
    })
}
