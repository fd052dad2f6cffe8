//! The page about the kinds of policy documents, made from the code itself (docs/documents.md).

use crate::policy::catalogue::standing::{self, Row};
use crate::policy::catalogue::{Kind, Standing};
use crate::policy::quantity::{Bytes, Cpu, Span, Threshold};

const HEAD: &str = "\
# Policy documents

Made from the code by `scripts/regenerate`; edits here are lost.

`policy-orchestrator policy show FILE` says which kind a document is of, what it says, and what of that this program enforces. It reads documents of other systems as they stand; that it can read one doesn't put it in force. A document that can't be read is refused with every problem at its line; in documents of other systems a key that nobody here knows is a warning. Policies in Go are not read. Nothing here evaluates a condition or a Rego module.

## Kinds

| kind | known by | what it is |
|---|---|---|
";

/// The text of docs/documents.md.
pub fn page() -> String {
    let mut text = HEAD.to_owned();
    for (_, word, known_by, about) in Kind::DOCUMENTED {
        text.push_str(&format!(
            "| [`{word}`](#{}) | {known_by} | {about} |\n",
            word.to_lowercase()
        ));
    }
    text.push_str("\n## Quantities\n\n| quantity | what it is | written |\n|---|---|---|\n");
    for (name, expected, example) in [
        ("a length of time", Span::EXPECTED, Span::EXAMPLE),
        ("a share of processors", Cpu::EXPECTED, Cpu::EXAMPLE),
        ("a number of bytes", Bytes::EXPECTED, Bytes::EXAMPLE),
        ("a threshold", Threshold::EXPECTED, Threshold::EXAMPLE),
    ] {
        text.push_str(&format!("| {name} | {expected} | {example} |\n"));
    }
    text.push_str(
        "\nA value that is equal to its bound is not above it. A rate of nothing is no rate: it raises no alert and lets nothing be promoted. A wait is done at its last moment; what may be that old is still good then. Months and years go by the calendar. Severities are read in any case and shown in capitals.\n\
         \n## What is enforced, and where\n\n`*` stands for any key; lists are looked through.\n",
    );
    for (kind, word, ..) in Kind::DOCUMENTED {
        text.push_str(&format!(
            "\n### {word}\n\n| keys | enforced | how far |\n|---|---|---|\n"
        ));
        standing::of(*kind).for_each(|row| text.push_str(&line(row)));
    }
    text
}

fn line(row: &Row) -> String {
    let keys = row.keys.iter().map(|key| format!("`{key}`"));
    let standing = match row.standing {
        Standing::Here => "here",
        Standing::Caller => "by a caller at most",
        Standing::Told => "nothing to enforce",
    };
    format!(
        "| {} | {standing} | {} |\n",
        keys.collect::<Vec<_>>().join(", "),
        row.text
    )
}
