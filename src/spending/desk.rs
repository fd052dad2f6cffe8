//! Spending recorded: decided and appended in one step under the workspace lock, so that two requests at
//! once can't both pass a cap.
//!
//! The line of the journal is the commit. A kill before it leaves nothing, one behind it leaves sums that
//! are behind the journal, which the next look adds up.

use std::collections::HashMap;

use serde::Serialize;

use super::evaluate::Outcome;
use super::intent::Intent;
use super::journal::{Event, Line};
use super::policies::Policies;
use super::reason::Reason;
use super::store::{self, Known, Sums};
use super::usage::{Book, Usage};
use crate::approval::{self, Approved, Operation, Subject, Wanted};
use crate::diagnostic::{Checked, Code, Diagnostic, Place};
use crate::fs::Workspace;
use crate::ids::Digest;
use crate::record::numbered::{self, Where};
use crate::record::{Head, Records, SPEND_LOG, SigningKey, ledger};
use crate::request::envelope::Circumstances;
use crate::request::{Effect, Verdict, codes};
use crate::safeguard::kill_switch;
use crate::time::Timestamp;

/// So many payments are recorded with one append.
pub const AT_ONCE: usize = 256;

/// What whoever records holds.
#[derive(Debug, Clone, Copy)]
pub struct Desk<'a> {
    /// Where, and under which lock.
    pub records: Records<'a>,
    /// When.
    pub at: Timestamp,
    /// Who.
    pub user: &'a str,
}

/// A payment that is to be recorded.
#[derive(Debug, Clone)]
pub struct Wish {
    /// Its id: the same one twice is recorded once.
    pub id: String,
    /// The payment, or what is wrong with it.
    pub intent: Result<Intent, Vec<Reason<'static>>>,
    /// The ids of approvals.
    pub approvals: Vec<String>,
}

/// What became of a payment.
#[derive(Debug, Clone)]
pub struct Answer {
    /// May it be made?
    pub verdict: Verdict,
    /// What else there is to know.
    pub spend: Spend,
}

/// What an answer says beside the verdict.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Spend {
    /// Does the journal have it?
    pub recorded: bool,
    /// Did it have it before?
    pub again: bool,
    /// The number of the line.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub number: Option<u64>,
    /// What an approval of it has to be bound to.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub subject: Option<Digest>,
    /// Who approved it.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub approved_by: Vec<String>,
    /// What the agent spent in the currency, this payment included where it is recorded.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub usage: Option<Usage>,
}

/// What an approval of a payment is bound to: the payment, and the policies that it was asked under.
pub fn subject(policies: &Policies, intent: &Intent) -> Digest {
    Digest::of(format!("spend\0{}\0{}", policies.digest(), intent.digest()).as_bytes())
}

/// The sums as they stand, read and not mended. Fails where the journal is not what it was left as.
pub fn book(workspace: &Workspace, key: Option<&SigningKey>) -> Checked<Book> {
    use crate::record::chain::Purpose;
    let recorded = crate::record::heads::load(workspace)?
        .get(SPEND_LOG)
        .copied();
    let look = Purpose::Look { lines: 2 };
    if let Some(problem) = ledger::problem(workspace, SPEND_LOG, recorded, key, look)? {
        return Err(Box::new(problem));
    }
    Ok(Sums::load(workspace, key)?.book)
}

/// Answers without recording anything.
pub fn check(
    policies: &Policies,
    book: &Book,
    around: &Circumstances,
    intent: Result<Intent, Vec<Reason<'static>>>,
) -> Answer {
    let spend = match &intent {
        Ok(intent) => Spend {
            subject: Some(subject(policies, intent)),
            usage: Some(book.usage(&intent.agent_id, &intent.currency, around.at)),
            ..Spend::default()
        },
        Err(_) => Spend::default(),
    };
    Answer {
        verdict: policies.of(intent, around, Some(book)),
        spend,
    }
}

/// Decides and records payments, in their order; at most [`AT_ONCE`] of them.
///
/// Fails where the kill switch is on, and where the journal is broken or can't be written: then the ones
/// that were appended before a kill or a failure are found again under their ids.
pub fn record(desk: Desk<'_>, policies: &Policies, wishes: &[Wish]) -> Checked<Vec<Answer>> {
    let Records { workspace, key, .. } = desk.records;
    if let Some(closed) = kill_switch::closed(workspace) {
        return Err(Box::new(closed));
    }
    let mut sums = Sums::load(workspace, key)?;
    let mut batch = Batch {
        desk,
        policies,
        book: sums.book.clone(),
        lines: Vec::new(),
        ids: HashMap::new(),
        used: Vec::new(),
    };
    let mut answers = Vec::with_capacity(wishes.len());
    for wish in wishes {
        answers.push(batch.take(&sums, wish)?);
    }
    let places = batch.commit(&mut sums)?;
    for answer in &mut answers {
        if answer.spend.recorded && !answer.spend.again {
            let place = answer.spend.number.and_then(|at| usize::try_from(at).ok());
            let head = place.and_then(|at| places.get(at));
            answer.spend.number = head.map(|head| head.seq);
        }
    }
    Ok(answers)
}

/// Payments that were decided and are not appended yet.
struct Batch<'a> {
    desk: Desk<'a>,
    policies: &'a Policies,
    book: Book,
    lines: Vec<Line>,
    /// By id: the digest of the payment.
    ids: HashMap<String, Digest>,
    used: Vec<Approved>,
}

impl Batch<'_> {
    fn take(&mut self, sums: &Sums, wish: &Wish) -> Checked<Answer> {
        let intent = match &wish.intent {
            Ok(intent) => intent,
            Err(problems) => return Ok(denied(&Outcome::of(problems.clone()))),
        };
        let digest = intent.digest();
        if let Some(answer) = self.known(sums, &wish.id, intent, digest)? {
            return Ok(answer);
        }
        let Desk { at, .. } = self.desk;
        let usage = self.book.usage(&intent.agent_id, &intent.currency, at);
        let mut verdict = self.policies.outcome(intent, &usage, false).verdict();
        let subject = subject(self.policies, intent);
        let mut approved = Vec::new();
        if !wish.approvals.is_empty() && verdict.effect.approvals().is_some() {
            approved = self.approved(&mut verdict, subject, &wish.approvals)?;
        }
        let mut spend = Spend {
            subject: Some(subject),
            usage: Some(usage),
            approved_by: approved.iter().map(|one| one.approver.clone()).collect(),
            ..Spend::default()
        };
        if verdict.effect == Effect::Allow {
            spend.number = Some(self.lines.len() as u64);
            spend.recorded = true;
            self.put(wish, intent, digest, &approved);
            spend.usage = Some(self.book.usage(&intent.agent_id, &intent.currency, at));
            self.used.extend(approved);
        }
        Ok(Answer { verdict, spend })
    }

    fn put(&mut self, wish: &Wish, intent: &Intent, digest: Digest, approved: &[Approved]) {
        let Desk { at, user, .. } = self.desk;
        let (agent, currency) = (&intent.agent_id, &intent.currency);
        let day = self.book.day_of(agent, currency, at);
        self.book.add(agent, currency, &day, intent.amount);
        let approvals = approved.iter().map(|one| one.id.clone()).collect();
        self.lines.push(Line {
            timestamp: at,
            event: Event::spent(intent, day, self.policies.digest(), approvals),
            id: wish.id.clone(),
            user: user.to_owned(),
            sums: None,
        });
        self.ids.insert(wish.id.clone(), digest);
    }

    /// The answer to an id that was recorded before.
    fn known(
        &self,
        sums: &Sums,
        id: &str,
        intent: &Intent,
        digest: Digest,
    ) -> Checked<Option<Answer>> {
        let number = if let Some(other) = self.ids.get(id) {
            (*other == digest).then_some(None)
        } else {
            let Some(known) = sums.find(self.desk.records.workspace, id)? else {
                return Ok(None);
            };
            (known.is_of(digest) && !known.cancelled).then_some(Some(known.seq))
        };
        let Some(number) = number else {
            return Ok(Some(denied(&Outcome::of(vec![Reason::IdTaken]))));
        };
        let usage = self
            .book
            .usage(&intent.agent_id, &intent.currency, self.desk.at);
        let verdict = Verdict::allow(codes::SPEND_RECORDED_BEFORE)
            .because("recorded_before: nothing is spent twice under one id");
        Ok(Some(Answer {
            verdict,
            spend: Spend {
                recorded: true,
                again: true,
                number,
                usage: Some(usage),
                ..Spend::default()
            },
        }))
    }

    /// Holds approvals against what the payment needs, and lets it through where they suffice.
    fn approved(
        &self,
        verdict: &mut Verdict,
        subject: Digest,
        ids: &[String],
    ) -> Checked<Vec<Approved>> {
        let Records { workspace, key, .. } = self.desk.records;
        let needed = verdict.effect.approvals().unwrap_or(u32::MAX);
        let wanted = Wanted {
            operation: Operation::Spend,
            subject: Subject::of(subject),
            user: self.desk.user,
        };
        let used = self.used.iter().any(|one| ids.contains(&one.id));
        let found = if used {
            Err("an approval is used once".to_owned())
        } else {
            approval::named(workspace, key, wanted, ids, self.desk.at)?
        };
        let found = found.and_then(|all| match u32::try_from(all.len()) {
            Ok(count) if count >= needed => Ok(all),
            _ => Err(format!("{} of {needed} approvals", all.len())),
        });
        match found {
            Ok(all) => {
                let names: Vec<&str> = all.iter().map(|one| one.approver.as_str()).collect();
                verdict.effect = Effect::Allow;
                verdict.obligations.clear();
                verdict.codes.push(codes::SPEND_APPROVED);
                verdict
                    .reasons
                    .push(format!("approved_by: {}", names.join(", ")));
                Ok(all)
            }
            Err(why) => {
                verdict.codes.push(codes::SPEND_APPROVALS_NOT_VALID);
                verdict.reasons.push(format!("approvals_not_valid: {why}"));
                Ok(Vec::new())
            }
        }
    }

    /// Uses the approvals up, appends the lines, keeps the sums.
    fn commit(self, sums: &mut Sums) -> Checked<Vec<Head>> {
        let Self {
            desk,
            book,
            mut lines,
            used,
            ..
        } = self;
        // What opens is recorded first: a kill between loses an approval, and spends nothing unseen.
        for one in &used {
            approval::spend(desk.records, desk.at, desk.user, one)?;
        }
        if let Some(last) = lines.last_mut() {
            last.sums = Some(store::digest(&book));
        }
        let heads = ledger::append_all(desk.records, SPEND_LOG, &lines)?;
        let known = lines.iter().zip(&heads).filter_map(|(line, head)| {
            let Event::Spent { intent, .. } = &line.event else {
                return None;
            };
            Some((line.id.clone(), Known::new(*intent, head.seq, false)))
        });
        let known = known.collect();
        sums.keep(desk.records, book, known, heads.last().copied())?;
        Ok(heads)
    }
}

fn denied(outcome: &Outcome<'_>) -> Answer {
    Answer {
        verdict: outcome.verdict(),
        spend: Spend::default(),
    }
}

/// Takes a payment out again that was recorded under an id: a reversal or a refund. Its id stays taken.
pub fn cancel(desk: Desk<'_>, id: &str, reason: &str) -> Checked<(Head, Usage)> {
    let Records { workspace, key, .. } = desk.records;
    if let Some(closed) = kill_switch::closed(workspace) {
        return Err(Box::new(closed));
    }
    let mut sums = Sums::load(workspace, key)?;
    let known = sums
        .find(workspace, id)?
        .ok_or_else(|| no_payment(id, "none"))?;
    if known.cancelled {
        return Err(no_payment(id, "one that was cancelled already"));
    }
    let line = numbered::line(workspace, SPEND_LOG, Some(known.seq), Where::Whole)?;
    let line = line.and_then(|bytes| serde_json::from_slice::<Line>(&bytes).ok());
    let Some(Line {
        event: Event::Spent { spent, intent, .. },
        id: of_line,
        ..
    }) = line
    else {
        return Err(no_payment(id, "a line that is none"));
    };
    if of_line != id {
        return Err(no_payment(id, "a line of another"));
    }
    let mut book = sums.book.clone();
    book.take_out(&spent.agent, &spent.currency, &spent.day, spent.amount);
    let usage = book.usage(&spent.agent, &spent.currency, desk.at);
    let line = Line {
        timestamp: desk.at,
        event: Event::SpendCancelled {
            spent,
            intent,
            reason: reason.to_owned(),
        },
        id: id.to_owned(),
        user: desk.user.to_owned(),
        sums: Some(store::digest(&book)),
    };
    let head = ledger::append(desk.records, SPEND_LOG, &line)?;
    let known = vec![(id.to_owned(), Known::new(intent, head.seq, true))];
    sums.keep(desk.records, book, known, Some(head))?;
    Ok((head, usage))
}

fn no_payment(id: &str, found: &str) -> Box<Diagnostic> {
    let id: String = id.chars().take(64).collect();
    Box::new(
        Diagnostic::new(
            Code::NothingRecorded,
            Place::file(SPEND_LOG),
            format!("no payment is recorded under the id `{id}`"),
        )
        .found(found)
        .expected("the id of a payment that `spend record` recorded")
        .help("`policy-orchestrator audit list --type SPENT` lists them"),
    )
}
