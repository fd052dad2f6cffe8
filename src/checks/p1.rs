//! P-1, Data Privacy: is what is personal or secret taken out of what is stored, and does none of it
//! stand in what was stored?

use serde_json::json;

use super::{Ground, Test};
use crate::diagnostic::{Code, Diagnostic, Place};
use crate::fs::Workspace;
use crate::fs::read::read_own;
use crate::fs::tree::{self, Standing};
use crate::privacy::{self, REDACTED, Redaction, Wanted};

/// What is tested.
pub const TESTS: &[(&str, &str)] = &[
    (
        "redaction",
        "planted e-mail, phone, card and national numbers and tokens are taken out by the code that findings, captured output and exports pass",
    ),
    (
        "stored_files",
        "nothing personal and no secret stands in state/, reports/ and logs/, journals included",
    ),
];

/// Where the product stores things.
pub(super) const STORED: [&str; 3] = ["state", "reports", "logs"];

/// A larger file is not looked at, which is told.
pub(super) const LIMIT: u64 = 64 * 1024 * 1024;

/// What is planted. Put together here, so that this file holds none of it.
fn planted() -> Vec<String> {
    [
        ["alice.b", "@example.com"].concat(),
        ["+55 11 98765", "-4321"].concat(),
        ["123-45", "-6789"].concat(),
        ["529.982", ".247-25"].concat(),
        ["4111 1111", " 1111 1111"].concat(),
        ["gh", "p_0123456789abcdefABCDEFghijklmnopqrst"].concat(),
    ]
    .to_vec()
}

pub(super) fn tests(ground: &Ground<'_>) -> Vec<Test> {
    vec![redaction(ground), stored(ground.workspace)]
}

/// The ways in which something comes to be stored or handed on, each with what it makes of a text.
fn ways(ground: &Ground<'_>, text: &str) -> [(&'static str, String); 4] {
    let finding = Diagnostic::new(Code::FileUnreadable, Place::file("x"), text).found(text);
    let captured = ground.secrets.excerpt(text.as_bytes(), false, 500).text;
    let exported = Redaction::new().value(&json!({"said": text, "email": text}));
    let finding = format!("{} {}", finding.message, finding.found.unwrap_or_default());
    [
        ("findings", finding),
        ("captured output", captured),
        ("exports", exported.to_string()),
        ("reports", ground.secrets.redact(text)),
    ]
}

fn redaction(ground: &Ground<'_>) -> Test {
    const NAME: &str = "redaction";
    let planted = planted();
    let mut count = 0;
    for sample in &planted {
        let text = format!("said by {sample} today");
        for (way, stored) in ways(ground, &text) {
            count += 1;
            if stored.contains(sample.as_str()) || !stored.contains(REDACTED) {
                let detail = format!(
                    "a planted sample of {} characters stays in {way}",
                    sample.len()
                );
                return Test::fail(NAME, "redaction does not hold", detail).remedy(
                    "this is a fault of the program: do not hand on what it stored, and report it",
                );
            }
        }
    }
    Test::pass(
        NAME,
        format!(
            "{} planted samples in {count} texts were taken out",
            planted.len()
        ),
    )
}

fn stored(workspace: &Workspace) -> Test {
    const NAME: &str = "stored_files";
    let mut looked_at = 0;
    for directory in STORED {
        let files = match tree::walk(workspace, directory, &|_| true) {
            Ok(files) => files,
            Err(why) => return unlisted(NAME, &why),
        };
        for file in files {
            if !matches!(file.standing, Standing::File { .. }) {
                continue;
            }
            let bytes = match read_own(workspace, &file.path, LIMIT) {
                Ok(bytes) => bytes.unwrap_or_default(),
                Err(finding) => return unlisted(NAME, &finding.to_string()).about(file.path),
            };
            looked_at += 1;
            if let Some((line, meaning)) = first_in(&bytes) {
                return Test::fail(
                    NAME,
                    "personal data or a secret is stored",
                    format!("{}:{line}: {meaning}", file.path),
                )
                .about(file.path)
                .remedy("find out who wrote it, and take it out; a journal is never edited: `audit reseal` begins a new one beside it");
            }
        }
    }
    Test::pass(
        NAME,
        format!("{looked_at} files below {} hold none", STORED.join(", ")),
    )
}

fn unlisted(name: &'static str, why: &str) -> Test {
    Test::blocked(name, "stored files can't be read", why)
        .remedy("give the user of this run the right to read them")
}

/// The first thing in a file that is personal or secret, and its line.
fn first_in(bytes: &[u8]) -> Option<(usize, &'static str)> {
    let found = privacy::find(bytes, Wanted::All).into_iter().next()?;
    let before = bytes.get(..found.range.start).unwrap_or_default();
    let line = memchr::memchr_iter(b'\n', before).count() + 1;
    Some((line, found.rule.meaning()))
}
