//! The documentation of every code, made from the code itself (docs/codes.md).

use std::fmt::Write as _;

use crate::diagnostic::{Code, Severity};
use crate::ids::ReasonCode;
use crate::request;

/// The text of docs/codes.md.
pub fn page() -> String {
    let mut text = String::from(
        "# Codes\n\nMade from the code by `scripts/regenerate`; edits here are lost. Codes are stable: none changes its meaning.\n\n\
         ## Reason codes\n\nWhy a level was demanded. They stand in the state file and in the journal.\n\n| code | meaning |\n|---|---|\n",
    );
    for (code, meaning) in ReasonCode::DOCUMENTED {
        let _ = writeln!(text, "| `{code}` | {meaning} |");
    }
    text.push_str("\n## Reason codes of answers to requests\n\nWhy something may or may not be done. They stand in the envelope of `decide`.\n\n| code | meaning |\n|---|---|\n");
    for (code, meaning) in request::codes::DOCUMENTED {
        let _ = writeln!(text, "| `{code}` | {meaning} |");
    }
    text.push_str("\n## Diagnostic codes\n\nWhat is wrong or odd, and where. Errors stop something; warnings are only to be known.\n\n| code | severity | meaning |\n|---|---|---|\n");
    for (code, severity, meaning) in Code::DOCUMENTED {
        let severity = match severity {
            Severity::Error => "error",
            Severity::Warning => "warning",
        };
        let _ = writeln!(text, "| `{code}` | {severity} | {meaning} |");
    }
    text
}
