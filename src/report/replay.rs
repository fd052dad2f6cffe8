//! Whether the recorded decisions are reproduced, for a person.

use std::fmt::Write as _;

use super::Paint;
use super::backtest::{counted, left_out};
use crate::history::replay::Replayed;
use crate::policy::Level;

/// For a person on a terminal.
pub fn human(replayed: &Replayed, paint: Paint) -> String {
    let mut text = format!("{}\n", headline(replayed, paint));
    let faults = [
        (
            replayed.differing,
            "decision",
            " came out otherwise than recorded",
        ),
        (replayed.changed, "line", " changed after it was written"),
        (
            replayed.without_document,
            "decision",
            " without its policy document",
        ),
        (replayed.unreadable, "line", " that can't be read"),
    ];
    for (count, what, which) in faults.into_iter().filter(|(count, ..)| *count > 0) {
        let _ = writeln!(text, "  {}{which}", counted(count, what));
    }
    let _ = writeln!(
        text,
        "  {}",
        paint.dim(&format!("read: {}", replayed.read.join(", ")))
    );
    let left_out = left_out(&replayed.left_out);
    if !left_out.is_empty() {
        let _ = writeln!(
            text,
            "  {}",
            paint.dim(&format!("left out: {}", left_out.join(", ")))
        );
    }
    if replayed.other_before > 0 {
        let _ = writeln!(
            text,
            "  {}",
            paint.dim(&format!(
                "{} another level before than the line before has, as behind a reseal or a broken journal that was put back",
                match replayed.other_before {
                    1 => "1 line names".to_owned(),
                    count => format!("{count} lines name"),
                }
            ))
        );
    }
    if !replayed.documents.is_empty() {
        let _ = write!(text, "\n{}\n", paint.bold("Policy documents"));
    }
    for document in &replayed.documents {
        let name = match (&document.name, &document.version) {
            (Some(name), Some(version)) => format!("{name} version {version}"),
            _ => paint.error("gone or changed"),
        };
        let _ = writeln!(
            text,
            "  {}  {} of {} reproduced  {name}",
            document.sha256.short(),
            document.reproduced,
            counted(document.decisions, "decision")
        );
    }
    if replayed.findings.count > replayed.findings.listed.len() as u64 {
        let _ = writeln!(
            text,
            "\n{} findings in all; the first {} are shown",
            replayed.findings.count,
            replayed.findings.listed.len()
        );
    }
    text
}

fn headline(replayed: &Replayed, paint: Paint) -> String {
    let Replayed {
        decisions,
        reproduced,
        ..
    } = replayed;
    match decisions {
        0 => "○ no decision to make again".to_owned(),
        all if replayed.is_reproduced() => paint.level(
            &Level::GREEN,
            &format!(
                "● all {} reproduced, byte for byte",
                counted(*all, "decision")
            ),
        ),
        all if reproduced == all => paint.level(
            &Level::YELLOW,
            &format!(
                "▲ all {} reproduced, byte for byte, but the history is not whole",
                counted(*all, "decision")
            ),
        ),
        all => paint.error(&format!(
            "■ {reproduced} of {} reproduced",
            counted(*all, "decision")
        )),
    }
}
