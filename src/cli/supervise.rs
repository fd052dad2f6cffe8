//! `supervise`: the process between this program and that of an action. The program starts it
//! itself; what it does lives in `response::process`.
//!
//! It is no command of the command line: clap would show a hidden one in completions, and parsing
//! is not needed.

use std::ffi::OsString;

use super::Exit;
use super::output::remark;
use crate::response::process::{self, Refused, SUPERVISE};

/// True for the arguments that the program gives itself, its name first.
pub(super) fn is_meant(arguments: &[OsString]) -> bool {
    matches!(arguments, [_, only] if only == SUPERVISE)
}

pub(super) fn supervise() -> Exit {
    match process::supervise() {
        Ok(()) => Exit::Done,
        Err(Refused) => {
            remark(
                "error: `supervise` is not for the command line; the program starts it itself, with an order on standard input",
            );
            Exit::Usage
        }
    }
}
