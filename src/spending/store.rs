//! The sums as they stand, kept in `state/spend_usage.json` beside the journal that they follow from, and
//! the ids of what was recorded.
//!
//! The last line that is appended at once carries the digest of the sums after it. So the file is
//! believed only where a line of the journal vouches for it; what was appended behind that line is added,
//! and where none does, all is made anew from the verified journal. Ids lie in 256 files, so that neither
//! a look nor an append costs more than a part of them.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::journal::{Event, Line};
use super::usage::Book;
use crate::diagnostic::Checked;
use crate::fs::read::read_own;
use crate::fs::{Workspace, write};
use crate::ids::Digest;
use crate::record::lines::BackLines;
use crate::record::{Head, LINE_LIMIT, Records, SPEND_LOG, SigningKey, ledger};

/// The file of the sums.
const FILE: &str = "state/spend_usage.json";

/// The directory of the ids.
const IDS: &str = "state/spend_ids";

/// A larger file of sums is none of ours.
const LIMIT: u64 = 64 * 1024 * 1024;

/// More lines than this behind the file of sums, and all is made anew.
const BEHIND: usize = 10_000;

#[derive(Serialize, Deserialize)]
struct Stored {
    schema: u32,
    head: Head,
    sums: Book,
}

/// The sums, and the line of the journal that they are of.
#[derive(Debug, Default)]
pub(super) struct Sums {
    pub(super) book: Book,
    head: Option<Head>,
    /// Lines whose ids are not kept yet.
    fresh: Vec<(String, Known)>,
    /// True where the file is not what stands here.
    stale: bool,
}

/// What is known of an id.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Known {
    /// The first half of the digest of its payment.
    intent: [u8; 16],
    /// The number of its line.
    pub(super) seq: u64,
    pub(super) cancelled: bool,
}

impl Known {
    pub(super) fn new(intent: Digest, seq: u64, cancelled: bool) -> Self {
        Self {
            intent: half(intent),
            seq,
            cancelled,
        }
    }

    pub(super) fn is_of(&self, intent: Digest) -> bool {
        self.intent == half(intent)
    }
}

fn half(digest: Digest) -> [u8; 16] {
    let mut half = [0; 16];
    for (to, from) in half.iter_mut().zip(digest.as_bytes()) {
        *to = *from;
    }
    half
}

/// The digest of sums, which a line carries.
pub(super) fn digest(book: &Book) -> Digest {
    // Serialising to memory can't fail: the keys are texts.
    Digest::of(&serde_json::to_vec(book).unwrap_or_default())
}

impl Sums {
    /// The sums as they stand. Nothing is written.
    pub(super) fn load(workspace: &Workspace, key: Option<&SigningKey>) -> Checked<Self> {
        let bytes = read_own(workspace, FILE, LIMIT)?;
        let stored = bytes.and_then(|bytes| serde_json::from_slice::<Stored>(&bytes).ok());
        if let Some(stored) = stored
            && workspace.path(IDS).is_dir()
            && let Some(sums) = Self::behind(workspace, stored)?
        {
            return Ok(sums);
        }
        Self::anew(workspace, key)
    }

    /// Adds what stands behind the line that vouches for the stored sums; `None` where none does.
    fn behind(workspace: &Workspace, stored: Stored) -> Checked<Option<Self>> {
        let Some(mut lines) = BackLines::open(workspace, SPEND_LOG)? else {
            return Ok(None);
        };
        let mut later = Vec::new();
        while let Some(line) = lines.next_line()? {
            if !line.ended || line.role.is_of_the_chain() {
                continue;
            }
            let Some((head, read)) = read(line.bytes) else {
                return Ok(None);
            };
            if head.seq <= stored.head.seq {
                if head != stored.head || read.sums != Some(digest(&stored.sums)) {
                    return Ok(None);
                }
                let mut sums = Self {
                    book: stored.sums,
                    head: Some(head),
                    ..Self::default()
                };
                for (head, line) in later.into_iter().rev() {
                    sums.take(head, &line);
                }
                return Ok(Some(sums));
            }
            later.push((head, read));
            if later.len() > BEHIND {
                break;
            }
        }
        Ok(None)
    }

    /// All of it, from the verified journal. What a broken journal held before it was sealed is known to
    /// nobody.
    fn anew(workspace: &Workspace, key: Option<&SigningKey>) -> Checked<Self> {
        let mut sums = Self::default();
        ledger::each_verified(workspace, SPEND_LOG, key, |entry| match entry {
            ledger::Entry::Reseal => {
                sums = Self::default();
                true
            }
            ledger::Entry::Line(bytes) => read(bytes)
                .map(|(head, line)| sums.take(head, &line))
                .is_some(),
        })?;
        sums.stale = true;
        Ok(sums)
    }

    /// Takes a line in.
    fn take(&mut self, head: Head, line: &Line) {
        let (intent, cancelled) = match &line.event {
            Event::Spent { spent, intent, .. } => {
                self.book
                    .add(&spent.agent, &spent.currency, &spent.day, spent.amount);
                (*intent, false)
            }
            Event::SpendCancelled { spent, intent, .. } => {
                self.book
                    .take_out(&spent.agent, &spent.currency, &spent.day, spent.amount);
                (*intent, true)
            }
        };
        self.fresh
            .push((line.id.clone(), Known::new(intent, head.seq, cancelled)));
        self.head = Some(head);
        self.stale = true;
    }

    /// What is known of an id; the last that was recorded.
    pub(super) fn find(&self, workspace: &Workspace, id: &str) -> Checked<Option<Known>> {
        let mut fresh = self.fresh.iter().rev();
        if let Some((_, known)) = fresh.find(|(other, _)| other == id) {
            return Ok(Some(*known));
        }
        let (file, name) = shard(id);
        let bytes = read_own(workspace, &file, LIMIT)?.unwrap_or_default();
        let mut found = None;
        for record in bytes.as_chunks::<LENGTH>().0 {
            if let Some(known) = unpack(record, &name) {
                found = Some(known);
            }
        }
        Ok(found)
    }

    /// Takes in what was appended, of which `book` are the sums, and keeps all of it.
    pub(super) fn keep(
        &mut self,
        records: Records<'_>,
        book: Book,
        appended: Vec<(String, Known)>,
        head: Option<Head>,
    ) -> Checked<()> {
        self.book = book;
        self.fresh.extend(appended);
        self.stale |= head.is_some();
        self.head = head.or(self.head);
        let Some(head) = self.head.filter(|_| self.stale) else {
            return Ok(());
        };
        let mut files: BTreeMap<String, Vec<u8>> = BTreeMap::new();
        for (id, known) in self.fresh.drain(..) {
            let (file, name) = shard(&id);
            files.entry(file).or_default().extend(pack(&name, known));
        }
        let Records {
            workspace, retry, ..
        } = records;
        retry.retry(|| write::make_directory(workspace, IDS))?;
        for (file, more) in files {
            let before = read_own(workspace, &file, LIMIT)?.unwrap_or_default();
            let whole = before.len() - before.len() % LENGTH;
            if whole < before.len() {
                // A kill left half a record.
                retry.retry(|| write::cut(workspace, &file, whole as u64))?;
            }
            retry.retry(|| write::append(workspace, &file, &more, whole as u64))?;
        }
        let stored = Stored {
            schema: 1,
            head,
            sums: self.book.clone(),
        };
        let bytes = crate::fs::pretty(&stored);
        retry.retry(|| write::replace_rarely(workspace, FILE, &bytes))?;
        self.stale = false;
        Ok(())
    }
}

fn read(bytes: &[u8]) -> Option<(Head, Line)> {
    #[derive(Deserialize)]
    struct Seq {
        seq: u64,
    }
    if bytes.len() as u64 >= LINE_LIMIT {
        return None;
    }
    let line = serde_json::from_slice::<Line>(bytes).ok()?;
    let Seq { seq } = serde_json::from_slice(bytes).ok()?;
    let sha256 = Digest::of(bytes);
    Some((Head { seq, sha256 }, line))
}

/// A record of an id: the first halves of its digest and of its payment's, and the line's number, of which
/// the highest bit says that it was cancelled.
const LENGTH: usize = 40;

const CANCELLED: u64 = 1 << 63;

/// The file that an id lies in, and its name there.
fn shard(id: &str) -> (String, [u8; 16]) {
    let name = half(Digest::of(id.as_bytes()));
    let first = name.first().copied().unwrap_or_default();
    (format!("{IDS}/{first:02x}"), name)
}

fn pack(name: &[u8; 16], known: Known) -> Vec<u8> {
    let flag = if known.cancelled { CANCELLED } else { 0 };
    let seq = (known.seq | flag).to_be_bytes();
    [name.as_slice(), &known.intent, &seq].concat()
}

fn unpack(record: &[u8; LENGTH], wanted: &[u8; 16]) -> Option<Known> {
    let (name, rest) = record.split_first_chunk::<16>()?;
    if name != wanted {
        return None;
    }
    let (intent, rest) = rest.split_first_chunk::<16>()?;
    let seq = u64::from_be_bytes(*rest.first_chunk::<8>()?);
    Some(Known {
        intent: *intent,
        seq: seq & !CANCELLED,
        cancelled: seq & CANCELLED != 0,
    })
}
