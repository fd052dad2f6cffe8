//! The binary: everything is in the library, see [`policy_orchestrator::cli`].

use std::process::ExitCode;

fn main() -> ExitCode {
    policy_orchestrator::cli::main(std::env::args_os())
}
