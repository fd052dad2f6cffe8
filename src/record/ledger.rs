//! The journals other than that of decisions: one way to look at their ends and to append.
//!
//! The head of each is kept in `state/journal_heads.json`, which is replaced after every append.
//! A kill between the two leaves a journal that is ahead of its head, which the next append mends.
//! What the lines say is the business of whoever appends.

use std::ops::ControlFlow;

use memchr::memmem;
use serde::Serialize;

use super::chain::{self, End, Found, Purpose, Question};
use super::line::{self, Chained, Head, Link, VERSION};
use super::lines::{BackLines, Role};
use super::signing;
use super::verify::{self, Against, Verdict};
use super::{HEADS_FILE, LINE_LIMIT, findings, heads};
use crate::diagnostic::{Checked, Diagnostic};
use crate::fs::{Opened, RetryDelays, Workspace, WorkspaceLock};
use crate::ids::Digest;
use crate::record::SigningKey;

/// What whoever records something needs.
#[derive(Debug, Clone, Copy)]
pub struct Records<'a> {
    /// Where.
    pub workspace: &'a Workspace,
    /// Proof that nobody else records meanwhile.
    pub lock: &'a WorkspaceLock,
    /// The key that signs lines, where there is one.
    pub key: Option<&'a SigningKey>,
    /// The waits between attempts at a write.
    pub retry: &'a RetryDelays,
}

#[derive(Serialize)]
struct Line<'a, T> {
    #[serde(flatten)]
    entry: &'a T,
    v: u32,
    seq: u64,
    prev: Digest,
    #[serde(skip_serializing_if = "Option::is_none")]
    adopted: Option<u64>,
}

/// Appends `entry` (which serialises to an object) to a journal as one line, and keeps its head.
///
/// Fails where the journal is broken, can't be read or written, or is signed and there is no key:
/// then nothing was appended.
pub fn append<T: Serialize>(records: Records<'_>, file: &str, entry: &T) -> Checked<Head> {
    let Records { workspace, key, .. } = records;
    let recorded = heads::load(workspace)?.get(file).copied();
    let end = match inspect(workspace, file, recorded, key, Purpose::Append)? {
        Found::Whole(end) => end,
        Found::Broken(mut problems) => return Err(Box::new(problems.swap_remove(0))),
    };
    // A kill took the head of the first line. It is kept before there is a second: two lines without
    // a head are no longer what a kill leaves.
    if let (None, Some(head)) = (recorded, end.head) {
        heads::store(records, file, head)?;
    }
    let head = put(records, file, &end, |link| {
        line::finish(&chained(entry, link), key)
    })?;
    heads::store(records, file, head)?;
    Ok(head)
}

/// Appends several entries, each as a line of its own, with one write; and keeps the head of the last.
/// A kill on the way leaves the first of them, whole.
///
/// Fails as [`append`] does; then nothing was appended, or of an empty journal the first entry.
pub fn append_all<T: Serialize>(
    records: Records<'_>,
    file: &str,
    entries: &[T],
) -> Checked<Vec<Head>> {
    let Some((first, others)) = entries.split_first() else {
        return Ok(Vec::new());
    };
    let mut heads = vec![append(records, file, first)?];
    if others.is_empty() {
        return Ok(heads);
    }
    let Records { workspace, key, .. } = records;
    let recorded = heads::load(workspace)?.get(file).copied();
    let end = match inspect(workspace, file, recorded, key, Purpose::Append)? {
        Found::Whole(end) => end,
        Found::Broken(mut problems) => return Err(Box::new(problems.swap_remove(0))),
    };
    let mut link = chain::link(workspace, file, &end)?;
    let mut bytes = Vec::new();
    for entry in others {
        let line = line::finish(&chained(entry, link), key);
        if line.len() as u64 >= LINE_LIMIT {
            return Err(findings::too_much(file, line.len()));
        }
        let head = Head {
            seq: link.seq,
            sha256: Digest::of(&line),
        };
        link = Link {
            seq: link.seq + 1,
            prev: head.sha256,
            adopted: None,
        };
        if !bytes.is_empty() {
            bytes.push(b'\n');
        }
        bytes.extend_from_slice(&line);
        heads.push(head);
    }
    chain::append(workspace, file, &bytes, &end, records.retry)?;
    if let Some(last) = heads.last() {
        heads::store(records, file, *last)?;
    }
    Ok(heads)
}

/// Appends the line that `line` makes of its link behind a whole end. The head is the caller's to keep.
pub(super) fn put(
    records: Records<'_>,
    file: &str,
    end: &End,
    line: impl FnOnce(Link) -> Vec<u8>,
) -> Checked<Head> {
    let Records {
        workspace, retry, ..
    } = records;
    chain::move_torn_aside(workspace, file, end, retry)?;
    let link = chain::link(workspace, file, end)?;
    let bytes = line(link);
    if bytes.len() as u64 >= LINE_LIMIT {
        return Err(findings::too_much(file, bytes.len()));
    }
    chain::append(workspace, file, &bytes, end, retry)?;
    Ok(Head {
        seq: link.seq,
        sha256: Digest::of(&bytes),
    })
}

/// What a line says with what chains it.
pub(super) fn chained<T: Serialize>(entry: &T, link: Link) -> impl Serialize + use<'_, T> {
    let Link { seq, prev, adopted } = link;
    Line {
        entry,
        v: VERSION,
        seq,
        prev,
        adopted,
    }
}

/// Looks at the end of a journal whose recorded head is `recorded`.
pub fn inspect(
    workspace: &Workspace,
    file: &str,
    recorded: Option<Head>,
    key: Option<&SigningKey>,
    purpose: Purpose,
) -> Checked<Found> {
    let question = Question {
        workspace,
        file,
        recorded,
        keeper: HEADS_FILE,
        key,
        purpose,
    };
    let found = chain::look(question, &mut |_| ControlFlow::Break(()))?;
    // A kill can lose the head of a first line only: that of a longer chain was taken away.
    let lost = |end: &End| recorded.is_none() && end.head.is_some() && !end.begins;
    match found {
        Found::Whole(end) if lost(&end) => Ok(Found::Broken(vec![findings::no_head(file)])),
        found => Ok(found),
    }
}

/// What is wrong with the end of a journal; `None` where nothing is.
pub fn problem(
    workspace: &Workspace,
    file: &str,
    recorded: Option<Head>,
    key: Option<&SigningKey>,
    purpose: Purpose,
) -> Checked<Option<Diagnostic>> {
    match inspect(workspace, file, recorded, key, purpose)? {
        Found::Whole(_) => Ok(None),
        Found::Broken(mut problems) => Ok(Some(problems.swap_remove(0))),
    }
}

/// What stands in the way of going on with a journal: a problem at its end, or signed lines and no
/// key. `None` where nothing does.
pub fn obstacle(
    workspace: &Workspace,
    file: &str,
    recorded: Option<Head>,
    key: Option<&SigningKey>,
    purpose: Purpose,
) -> Checked<Option<Diagnostic>> {
    Ok(match inspect(workspace, file, recorded, key, purpose)? {
        Found::Whole(end) if end.unchecked => Some(*findings::secret_missing(file)),
        Found::Whole(_) => None,
        Found::Broken(mut problems) => Some(problems.swap_remove(0)),
    })
}

/// Hands out the lines of a journal from the last one back, while `each` says true, through the
/// segments before it, once they are known to be what is named. Lines that are there for the chain's
/// sake alone are left out.
pub fn back(workspace: &Workspace, file: &str, mut each: impl FnMut(&[u8]) -> bool) -> Checked<()> {
    let Some(mut lines) = BackLines::open(workspace, file)? else {
        return Ok(());
    };
    while let Some(line) = lines.next_line()? {
        if !line.role.is_of_the_chain() && !each(line.bytes) {
            break;
        }
    }
    Ok(())
}

/// What [`each_verified`] hands out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Entry<'a> {
    /// The bytes of a line that was chained when it was made.
    Line(&'a [u8]),
    /// The journal begins anew behind a broken one.
    Reseal,
}

/// Verifies a whole journal, and hands out its lines from the first one on. Lines of a plain log that
/// was adopted and one that was never finished are left out.
///
/// Fails where the journal is not what its head names, and at a line of which `each` says false.
pub fn each_verified(
    workspace: &Workspace,
    file: &str,
    key: Option<&SigningKey>,
    mut each: impl FnMut(Entry<'_>) -> bool,
) -> Checked<()> {
    let adopted = verified(workspace, file, key)?;
    let mut problem = None;
    let mut number = 0;
    let Opened::File(input) = workspace.open_input(file)? else {
        return Ok(());
    };
    verify::each_line(&input, input.size, &mut |bytes, ended| {
        number += 1;
        // A line that hands the journal over to another key records nothing else.
        if number <= adopted || !ended || problem.is_some() || signing::is_handover(bytes) {
            return;
        }
        let reseals = Chained::parse(bytes).is_some_and(|line| line.segment.is_some());
        let entry = if reseals {
            Entry::Reseal
        } else {
            Entry::Line(bytes)
        };
        if !each(entry) {
            problem = Some(findings::unreadable_line(file, bytes));
        }
    })?;
    problem.map_or(Ok(()), |problem| Err(Box::new(problem)))
}

/// Verifies a whole journal, and tells how many lines of a plain log it adopted.
pub fn verified(workspace: &Workspace, file: &str, key: Option<&SigningKey>) -> Checked<u64> {
    let head = heads::load(workspace)?.get(file).copied();
    let found = verify::verify(workspace, file, Against { head, key })?;
    match found.verdict {
        Verdict::Broken => {
            let problem = found.problems.into_iter().next();
            return Err(Box::new(
                problem.unwrap_or_else(|| findings::unreadable_line(file, b"")),
            ));
        }
        Verdict::Unchained => return Ok(u64::MAX),
        Verdict::Whole | Verdict::Absent => {}
    }
    match problem(workspace, file, head, key, Purpose::Look { lines: 2 })? {
        Some(problem) => Err(Box::new(problem)),
        None => Ok(found.adopted),
    }
}

/// The last whole line of a journal that is not there for the chain's sake alone, without its newline;
/// `None` where there is none. Behind a closed segment, the line that tells how things stand after it
/// is as good.
pub fn last_line(workspace: &Workspace, file: &str) -> Checked<Option<Vec<u8>>> {
    let Some(mut lines) = BackLines::open(workspace, file)? else {
        return Ok(None);
    };
    while let Some(line) = lines.next_line()? {
        let tells =
            line.role == Role::Continues && memmem::find(line.bytes, b"\"standing\":").is_some();
        if line.ended && (tells || !line.role.is_of_the_chain()) {
            return Ok(Some(line.bytes.to_vec()));
        }
    }
    Ok(None)
}

#[cfg(test)]
#[expect(clippy::disallowed_methods, reason = "tests break what stands there")]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::fs::LockTimeout;
    use crate::record::RESPONSE_LOG;
    use crate::record::verify::verify;

    struct Ground {
        directory: tempfile::TempDir,
        workspace: Workspace,
        lock: WorkspaceLock,
        retry: RetryDelays,
    }

    impl Ground {
        fn new() -> Self {
            let directory = tempfile::tempdir().unwrap();
            let workspace = Workspace::open(directory.path()).unwrap();
            let retry = RetryDelays::none();
            let timeout = LockTimeout::silent(Duration::ZERO);
            let lock = WorkspaceLock::acquire(&workspace, "test", timeout, &retry).unwrap();
            Self {
                directory,
                workspace,
                lock,
                retry,
            }
        }

        fn append(&self, number: u32) -> Checked<Head> {
            let records = Records {
                workspace: &self.workspace,
                lock: &self.lock,
                key: None,
                retry: &self.retry,
            };
            append(
                records,
                RESPONSE_LOG,
                &serde_json::json!({"number": number}),
            )
        }

        fn path(&self, file: &str) -> std::path::PathBuf {
            self.directory.path().join(file)
        }

        fn write(&self, file: &str, content: &str) {
            std::fs::write(self.path(file), content).unwrap();
        }

        fn lines(&self) -> Vec<String> {
            let text = std::fs::read_to_string(self.path(RESPONSE_LOG)).unwrap();
            text.lines().map(str::to_owned).collect()
        }

        /// The problems of a full verification against the recorded head.
        fn problems(&self) -> usize {
            let head = heads::load(&self.workspace).unwrap()[RESPONSE_LOG];
            let against = Against {
                head: Some(head),
                key: None,
            };
            verify(&self.workspace, RESPONSE_LOG, against)
                .unwrap()
                .problem_count
        }
    }

    #[test]
    fn appended_lines_form_a_chain_whose_head_is_kept() {
        let ground = Ground::new();
        for number in 0..5 {
            assert_eq!(ground.append(number).unwrap().seq, u64::from(number) + 1);
        }
        assert_eq!((ground.lines().len(), ground.problems()), (5, 0));
    }

    #[test]
    fn a_kill_before_the_head_was_kept_is_mended_by_the_next_append() {
        for kept in 0..3 {
            let ground = Ground::new();
            let mut heads = None;
            for number in 0..=kept {
                heads = std::fs::read(ground.path(HEADS_FILE)).ok();
                ground.append(number).unwrap();
            }
            match heads {
                Some(bytes) => std::fs::write(ground.path(HEADS_FILE), bytes).unwrap(),
                None => std::fs::remove_file(ground.path(HEADS_FILE)).unwrap(),
            }
            ground.append(9).unwrap();
            let lines = ground.lines().len();
            assert_eq!((lines, ground.problems()), (kept as usize + 2, 0));
        }
    }

    #[test]
    fn a_kill_after_each_of_the_first_lines_leaves_nothing_broken() {
        let ground = Ground::new();
        ground.append(0).unwrap();
        std::fs::remove_file(ground.path(HEADS_FILE)).unwrap();
        // The next append is killed too, when its line is written and its head is not.
        std::fs::create_dir(ground.path("state/.record.tmp")).unwrap();
        ground.append(1).unwrap_err();
        std::fs::remove_dir(ground.path("state/.record.tmp")).unwrap();
        ground.append(2).unwrap();
        assert_eq!(ground.problems(), 0);
    }

    #[test]
    fn a_plain_log_is_adopted_and_a_torn_line_moved_aside() {
        let ground = Ground::new();
        ground.write(RESPONSE_LOG, "{\"old\":1}\n{\"old\":2}");
        assert_eq!(ground.append(1).unwrap().seq, 3);
        let whole = std::fs::read_to_string(ground.path(RESPONSE_LOG)).unwrap();
        ground.write(RESPONSE_LOG, &format!("{whole}{{\"torn\":"));
        ground.append(2).unwrap();
        assert_eq!((ground.lines().len(), ground.problems()), (4, 0));
        let torn = chain::torn_file(RESPONSE_LOG);
        assert_eq!(
            std::fs::read_to_string(ground.path(&torn)).unwrap(),
            "{\"torn\":\n"
        );
    }

    #[test]
    fn what_no_kill_leaves_is_broken_and_nothing_is_appended() {
        let three = || {
            let ground = Ground::new();
            for number in 0..3 {
                ground.append(number).unwrap();
            }
            ground
        };
        let without_head = three();
        std::fs::remove_file(without_head.path(HEADS_FILE)).unwrap();
        let cut = three();
        let lines = cut.lines();
        cut.write(RESPONSE_LOG, &format!("{}\n{}\n", lines[0], lines[1]));
        let changed = three();
        let text = changed
            .lines()
            .join("\n")
            .replace("\"number\":1", "\"number\":7");
        changed.write(RESPONSE_LOG, &format!("{text}\n"));
        let gone = three();
        std::fs::remove_file(gone.path(RESPONSE_LOG)).unwrap();
        for ground in [without_head, cut, changed, gone] {
            let before = std::fs::read(ground.path(RESPONSE_LOG)).ok();
            ground.append(9).unwrap_err();
            assert_eq!(std::fs::read(ground.path(RESPONSE_LOG)).ok(), before);
        }
    }
}
