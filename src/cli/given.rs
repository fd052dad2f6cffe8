//! Files that a user names on the command line, wherever they stand.

use std::io::Read as _;

use crate::diagnostic::{Checked, Code, Diagnostic, Place};

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
            path => std::fs::File::open(path)
                .and_then(|open| open.take(self.limit + 1).read_to_end(&mut bytes)),
        };
        read.map_err(|error| {
            let message = format!("the {} can't be read", self.what);
            self.refused(Code::FileUnreadable, &message)
                .found(crate::fs::read::plain(&error))
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

    fn refused(self, code: Code, message: &str) -> Diagnostic {
        Diagnostic::new(code, Place::file(self.path), message)
            .expected(self.expected)
            .help("check the path")
    }
}
