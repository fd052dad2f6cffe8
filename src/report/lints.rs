//! The documentation of every lint, made from the code itself (docs/lints.md).

use std::fmt::Write as _;

use crate::policy::lints::{ALL, Grade, Lint};

/// The text of docs/lints.md.
pub fn page() -> String {
    let mut text = String::from(
        "# Lints\n\nMade from the code by `scripts/regenerate`; edits here are lost.\n\n\
         What `policy check` remarks about a policy document that has no errors. A warning is almost certainly not what was meant, or dangerous; a note is worth a thought. Neither keeps the document from deciding; `policy check --strict` exits with 1 for warnings. The names are stable.\n\n\
         | lint | severity | finds |\n|---|---|---|\n",
    );
    for lint in ALL {
        let _ = writeln!(
            text,
            "| [`{0}`](#{0}) | {1} | {2} |",
            lint.name,
            word(lint),
            lint.finds
        );
    }
    for lint in ALL {
        let _ = write!(
            text,
            "\n## {}\n\n{}: {}. {}\n\nWrong:\n\n```yaml\n{}```\n\nRight:\n\n```yaml\n{}```\n",
            lint.name,
            word(lint),
            lint.finds,
            lint.why,
            lint.wrong,
            lint.right
        );
    }
    text
}

fn word(lint: &Lint) -> &'static str {
    match lint.grade {
        Grade::Warning => "warning",
        Grade::Note => "note",
    }
}
