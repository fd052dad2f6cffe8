//! What of the documents has to be asked about one request: the scopes, each once however many
//! documents have it, and of the rules those that may have something to say.
//!
//! A rule that is left out is one whose condition does not hold, which says nothing of a request, or one
//! that would only allow what another one allows already. So the verdict is the one that all rules
//! together give; a test holds it to that.

use super::document::{Document, Rule};
use super::given::Given;
use super::judge::Known;
use crate::policy::catalogue::words::{Effect, Mode};
use crate::policy::expression::condition::{Candidates, Condition, Index};

/// The scopes and the rules of all documents, indexed.
#[derive(Debug, Clone, Default)]
pub(super) struct Narrow {
    /// First the scopes, then the rules, document by document.
    index: Index,
    /// Each once.
    scopes: Vec<Scope>,
    /// Where the documents' scopes and rules stand.
    documents: Vec<Placed>,
    /// The rules that allow and oblige to nothing, of documents that count.
    allowing: Vec<Allowing>,
    allowing_numbers: Candidates,
}

#[derive(Debug, Clone)]
struct Scope {
    condition: Condition,
    /// True where a document has it that is for more than to restrict, and counts.
    concerns: bool,
}

#[derive(Debug, Clone, Copy)]
struct Placed {
    scope: usize,
    first_rule: usize,
    end: usize,
}

#[derive(Debug, Clone, Copy)]
struct Allowing {
    number: usize,
    scope: usize,
    /// Which document, and which of its rules.
    document: usize,
    rule: usize,
}

/// What has to be asked about one request.
pub(super) struct Narrowed<'c> {
    of: &'c Narrow,
    /// What each scope says.
    scopes: Vec<Known>,
    candidates: Candidates,
    /// True where a document that counts is about the request.
    pub(super) concerned: bool,
    /// True where a rule that obliges to nothing allows it. No other one of them is asked then.
    pub(super) allowed: bool,
}

impl Narrow {
    pub(super) fn of(documents: &[Document]) -> Self {
        let (scopes, scope_of) = scopes(documents);
        let mut next = scopes.len();
        let mut place = |(document, scope): (&Document, usize)| {
            let first_rule = next;
            next += document.rules.len();
            Placed {
                scope,
                first_rule,
                end: next,
            }
        };
        let placed: Vec<Placed> = documents.iter().zip(scope_of).map(&mut place).collect();
        let mut allowing = Vec::new();
        for (at, (document, placed)) in documents.iter().zip(&placed).enumerate() {
            let rules = document.rules.iter().enumerate();
            let suffices = rules.filter(|(_, rule)| {
                rule.effect == Effect::Allow && rule.actions.is_empty() && counts(document)
            });
            allowing.extend(suffices.map(|(rule, _)| Allowing {
                number: placed.first_rule + rule,
                scope: placed.scope,
                document: at,
                rule,
            }));
        }
        let rules = documents.iter().flat_map(|document| &document.rules);
        let conditions = scopes.iter().map(|scope| &scope.condition);
        Self {
            index: Index::of(conditions.chain(rules.map(|rule| &rule.condition))),
            allowing_numbers: allowing.iter().map(|one| one.number).collect(),
            scopes,
            documents: placed,
            allowing,
        }
    }

    /// What has to be asked of the documents for a verdict.
    pub(super) fn to(&self, documents: &[Document], given: &Given<'_>) -> Narrowed<'_> {
        let candidates = self.index.candidates(given);
        let mut scopes = vec![Ok(false); self.scopes.len()];
        let mut concerned = false;
        for number in candidates.within(0, scopes.len()) {
            if let (Some(answer), Some(scope)) = (scopes.get_mut(number), self.scopes.get(number)) {
                *answer = scope.condition.holds(given);
                concerned |= scope.concerns && *answer != Ok(false);
            }
        }
        let mut narrowed = Narrowed {
            of: self,
            scopes,
            candidates,
            concerned,
            allowed: false,
        };
        narrowed.allowed = narrowed.is_allowed(documents, given);
        if narrowed.allowed {
            narrowed.candidates.remove(&self.allowing_numbers);
        }
        narrowed
    }
}

/// Each scope once, and which of them each document has.
fn scopes(documents: &[Document]) -> (Vec<Scope>, Vec<usize>) {
    let mut scopes: Vec<Scope> = Vec::new();
    let mut scope_of = Vec::new();
    for document in documents {
        let concerns = counts(document) && !document.only_restricts;
        let known = scopes
            .iter()
            .position(|scope| scope.condition == document.scope);
        scope_of.push(known.unwrap_or(scopes.len()));
        match known.and_then(|known| scopes.get_mut(known)) {
            Some(scope) => scope.concerns |= concerns,
            None => scopes.push(Scope {
                condition: document.scope.clone(),
                concerns,
            }),
        }
    }
    (scopes, scope_of)
}

/// False for one that is on trial.
fn counts(document: &Document) -> bool {
    document.mode == Mode::Strict
}

impl<'c> Narrowed<'c> {
    fn is_allowed(&self, documents: &[Document], given: &Given<'_>) -> bool {
        let asked = self.of.allowing.iter().filter(|one| {
            let in_scope = self.scopes.get(one.scope) == Some(&Ok(true));
            in_scope && self.candidates.contains(one.number)
        });
        let rule = |one: &Allowing| documents.get(one.document)?.rules.get(one.rule);
        let mut rules = asked.filter_map(rule);
        rules.any(|rule| rule.condition.holds(given) == Ok(true))
    }

    /// The documents that may have something to say, with what their scopes say and the rules that have
    /// to be asked.
    pub(super) fn documents(
        &self,
        documents: &'c [Document],
    ) -> impl Iterator<Item = (&'c Document, Known, impl Iterator<Item = &'c Rule>)> {
        let placed = documents.iter().zip(&self.of.documents);
        placed.filter_map(|(document, placed)| {
            let (first, end) = (placed.first_rule, placed.end);
            let scope = *self.scopes.get(placed.scope)?;
            let is_silent = scope == Ok(true) && self.candidates.is_empty(first, end);
            if scope == Ok(false) || is_silent {
                return None;
            }
            let numbers = self.candidates.within(first, end);
            let rules = numbers.filter_map(move |number| document.rules.get(number - first));
            Some((document, scope, rules))
        })
    }
}
