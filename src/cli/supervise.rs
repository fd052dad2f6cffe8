//! `supervise`: the hidden command that stands between this program and the process of an action.
//! It is started by the program itself; what it does lives in `response::process`.

use super::{Context, Exit};
use crate::response::process::{self, Refused};

pub(super) fn supervise(context: &Context) -> Exit {
    match process::supervise() {
        Ok(()) => Exit::Done,
        Err(Refused) => {
            context.output.note(
                "error: `supervise` is not for the command line; the program starts it itself, with an order on standard input",
            );
            Exit::Usage
        }
    }
}
