//! What can be wrong with the end of a journal, in words. What is wrong is found out in
//! [`super::chain`] and [`super::journal`].

use super::chain::Question;
use super::eras::Mismatch;
use super::line::{Head, VERSION};
use super::signing::KeyId;
use super::{STATE_JOURNAL, state};
use crate::diagnostic::{Code, Diagnostic, Place};

/// The file that keeps a head, as a person calls it.
pub fn named(keeper: &str) -> &str {
    if keeper == state::FILE {
        "the state file"
    } else {
        keeper
    }
}

/// The warning for a line that was moved aside.
pub fn torn_moved(file: &str, line: u64) -> Diagnostic {
    Diagnostic::new(Code::TornTailMoved, Place::file(file), "the journal ended in a line that was never finished; it was moved aside")
        .found(format!("an unfinished line at byte {line}, as a kill or a power cut leaves it"))
        .expected("a newline at the end")
        .help(format!("nothing that was acknowledged is lost; look at {} if you want to know what was being written", super::chain::torn_file(file)))
}

/// The warning for a state file that was behind its journal.
pub fn state_mended(ahead: usize) -> Diagnostic {
    Diagnostic::new(
        Code::StateMended,
        Place::file(state::FILE),
        "the state file was behind the journal, as after a kill, and is mended",
    )
    .found(format!(
        "{ahead} decision{} that it had not seen",
        if ahead == 1 { "" } else { "s" }
    ))
    .expected("the last decision of the journal")
    .help("nothing to do: the journal is the truth")
}

/// The note that a plain log becomes a journal.
pub fn adopted(file: &str, bytes: u64) -> Diagnostic {
    Diagnostic::new(
        Code::JournalAdopted,
        Place::file(file),
        "this journal began as a plain log; it is chained from here on",
    )
    .found(format!("{bytes} bytes without a chain"))
    .expected("a chained journal")
    .help("nothing to do: what stands there so far is hashed into the new line")
}

/// The refusal to append to a signed journal without its key.
pub fn secret_missing(file: &str) -> Box<Diagnostic> {
    Box::new(
        Diagnostic::new(Code::SecretMissing, Place::file(file), "the journal is signed, and no signing secret is set")
            .found("a signed last line, and no secret in the environment")
            .expected("the secret that signed it")
            .help("set POLICY_AUDIT_SECRET, or POLICY_AUDIT_SECRET_FILE to a file that holds it; nothing was recorded"),
    )
}

/// The refusal to go on with a new key in a journal that was not handed over to it.
pub fn not_handed_over(file: &str, old: KeyId, new: KeyId) -> Box<Diagnostic> {
    Box::new(
        Diagnostic::new(Code::KeyNotRotated, Place::file(file), "the journal was not handed over to the key at hand")
            .found(format!("a last line signed with the key {old}, which is set as an old one"))
            .expected(format!("one signed with the key {new}"))
            .help("`policy-orchestrator audit rotate-key --reason TEXT` hands every journal over, also where it was cut off before; nothing was recorded"),
    )
}

/// The finding for a signature that is not that of the key that counts there.
pub fn wrong_signature(file: &str, line: Option<u64>, seq: u64, mismatch: Mismatch) -> Diagnostic {
    let Mismatch { named, counts } = mismatch;
    let place = Place {
        line,
        ..Place::file(file)
    };
    let (found, help) = match named {
        Some(named) if named != counts => (
            format!("the id of the key {named} on the line"),
            "set the secret that signed the line, or, after a change of the secret, the one before in POLICY_AUDIT_OLD_SECRET too (then `audit rotate-key --reason TEXT`, if that was not done yet); else find out who signed it",
        ),
        Some(_) => (
            format!("another signature than the key {counts} gives"),
            "the line was changed after it was signed: find out who changed it",
        ),
        None => (
            "a line from before keys had ids, and another signature".to_owned(),
            "the line was changed, or signed with another secret: set the one that signed it (after a change of the secret, the one before in POLICY_AUDIT_OLD_SECRET), or find out who changed it",
        ),
    };
    let what = format!("the signature of number {seq} is not the key's");
    Diagnostic::new(Code::SignatureWrong, place, what)
        .found(found)
        .expected(format!(
            "the HMAC-SHA256 of the line under the key {counts}"
        ))
        .help(help)
}

/// The refusal to go on behind a line of a newer version.
pub fn newer(file: &str, version: u32) -> Box<Diagnostic> {
    Box::new(
        Diagnostic::new(
            Code::FormatNewer,
            Place::file(file),
            "the journal was written by a newer version",
        )
        .found(format!("a line of version {version}"))
        .expected(format!("at most version {VERSION}"))
        .help("use that version here; nothing was recorded"),
    )
}

/// What to do about a broken journal.
pub fn broken_help(file: &str) -> String {
    let which = if file == STATE_JOURNAL {
        String::new()
    } else {
        format!(" --journal {file}")
    };
    format!(
        "find out who changed it (`policy-orchestrator audit verify`), restore it from version control, or go on with `policy-orchestrator audit reseal{which} --reason TEXT`"
    )
}

/// The finding for a file that ends before the head that was kept.
pub fn end_cut(question: Question<'_>, head: Head, found: &str) -> Diagnostic {
    Diagnostic::new(
        Code::EndCut,
        Place::file(question.file),
        format!(
            "the journal lacks the record number {} that {} names",
            head.seq,
            named(question.keeper)
        ),
    )
    .found(found)
    .expected(format!(
        "number {} with the SHA-256 {}",
        head.seq,
        head.sha256.short()
    ))
    .help(broken_help(question.file))
}

/// The finding for another record under the number of the head that was kept.
pub fn head_differs(question: Question<'_>, recorded: Head, found: Head) -> Diagnostic {
    Diagnostic::new(
        Code::HeadDiffers,
        Place::file(question.file),
        format!(
            "the record number {} is not the one that {} names",
            recorded.seq,
            named(question.keeper)
        ),
    )
    .found(format!("the SHA-256 {}", found.sha256.short()))
    .expected(format!("the SHA-256 {}", recorded.sha256.short()))
    .help(broken_help(question.file))
}

/// The finding for a chain whose head is not recorded although it was.
pub fn no_head(file: &str) -> Diagnostic {
    Diagnostic::new(
        Code::JournalBroken,
        Place::file(super::HEADS_FILE),
        format!("the head of {file} is not recorded"),
    )
    .found("a chain of more than one line, and no head of it")
    .expected("the head that the last append left")
    .help(broken_help(file))
}

/// The refusal of a line that no reader would take for one.
pub fn too_much(file: &str, bytes: usize) -> Box<Diagnostic> {
    Box::new(
        Diagnostic::new(
            Code::LineTooLong,
            Place::file(file),
            "what was to be recorded is too much for one line",
        )
        .found(format!("{bytes} bytes"))
        .expected(format!("less than {} bytes", super::LINE_LIMIT))
        .help("shorten the reason, or declare fewer actions; nothing was recorded"),
    )
}

/// The finding for a sealed segment that is not what its successor names.
pub fn segment_changed(file: &str) -> Box<Diagnostic> {
    Box::new(
        Diagnostic::new(
            Code::SegmentChanged,
            Place::file(file),
            "the sealed segment is gone or has other bytes than its successor names",
        )
        .found("another SHA-256, or no file")
        .expected("the file as it was sealed")
        .help("restore it from version control"),
    )
}

/// The finding for a journal that ends before what is known to have been verified.
pub fn before_verified(file: &str, verified: Head, end: u64) -> Diagnostic {
    Diagnostic::new(
        Code::EndCut,
        Place::file(file),
        format!(
            "the journal ends before the record number {} that was verified before",
            verified.seq
        ),
    )
    .found(format!("number {end} as the last record"))
    .expected(format!(
        "number {} with the SHA-256 {} ({})",
        verified.seq,
        verified.sha256.short(),
        super::verified::FILE
    ))
    .help(format!(
        "if you put it back to an earlier time yourself, remove {} too; else {}",
        super::verified::FILE,
        broken_help(file)
    ))
}

/// The finding for a line that is no record.
pub fn unreadable_line(file: &str, line: &[u8]) -> Diagnostic {
    Diagnostic::new(
        Code::LineUnreadable,
        Place::file(file),
        "a line at the end of the journal is no record",
    )
    .found(String::from_utf8_lossy(line))
    .expected("a chained line, with `seq` and `prev`")
    .help(broken_help(file))
}

/// The finding for a state file that had been changed.
pub fn state_was_changed() -> Diagnostic {
    Diagnostic::new(
        Code::StateDiffers,
        Place::file(state::FILE),
        "the state file had been changed when a run replaced it by this RED",
    )
    .found("a state file that said something else than its record")
    .expected("somebody who has looked into it")
    .help("restore `state/` from version control, or go on with `policy-orchestrator audit reseal --reason TEXT`")
}

/// The finding for a state file that lost the head.
pub fn head_lost() -> Diagnostic {
    Diagnostic::new(
        Code::JournalBroken,
        Place::file(state::FILE),
        "the state file was unreadable, and the head of the journal that it named is lost",
    )
    .found("a state file without a head, written over one that could not be read")
    .expected("the head that the last recorded decision left")
    .help(broken_help(STATE_JOURNAL))
}

/// The finding for a state file that contradicts the line that it names.
pub fn state_differs(seq: u64, differences: &[String]) -> Diagnostic {
    Diagnostic::new(
        Code::StateDiffers,
        Place::file(state::FILE),
        format!("the state file says something else than the record number {seq} that it names"),
    )
    .found(differences.join("; "))
    .expected("what that record says")
    .help(broken_help(STATE_JOURNAL))
}
