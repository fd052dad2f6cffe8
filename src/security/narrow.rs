//! What of the documents has to be asked about one request: the scopes, each once however many
//! documents have it, and of the rules those that may have something to say.
//!
//! Nothing is answered here. A rule that is left out is one whose condition does not hold, which says
//! nothing of a request, so that the verdict is the one that all rules together give; a test holds it to
//! that.

use super::document::{Document, Rule};
use super::given::Given;
use super::judge::Known;
use crate::policy::expression::condition::{Candidates, Condition, Index};

/// The scopes and the rules of all documents, indexed.
#[derive(Debug, Clone, Default)]
pub(super) struct Narrow {
    /// First the scopes, then the rules, document by document.
    index: Index,
    /// Each once.
    scopes: Vec<Condition>,
    /// Where the documents' scopes and rules stand.
    documents: Vec<Placed>,
}

#[derive(Debug, Clone, Copy)]
struct Placed {
    scope: usize,
    first_rule: usize,
}

/// What has to be asked about one request.
pub(super) struct Narrowed<'c> {
    of: &'c Narrow,
    /// What each scope says.
    scopes: Vec<Known>,
    candidates: Candidates,
}

impl Narrow {
    pub(super) fn of(documents: &[Document]) -> Self {
        let mut scopes: Vec<Condition> = Vec::new();
        let mut scope_of = Vec::new();
        for document in documents {
            let known = scopes.iter().position(|scope| *scope == document.scope);
            scope_of.push(known.unwrap_or(scopes.len()));
            if known.is_none() {
                scopes.push(document.scope.clone());
            }
        }
        let rules = documents.iter().flat_map(|document| &document.rules);
        let conditions = rules.map(|rule| &rule.condition);
        let index = Index::of(scopes.iter().chain(conditions));
        let mut next = scopes.len();
        let mut place = |(document, scope): (&Document, usize)| {
            let first_rule = next;
            next += document.rules.len();
            Placed { scope, first_rule }
        };
        let documents = documents.iter().zip(scope_of).map(&mut place).collect();
        Self {
            index,
            scopes,
            documents,
        }
    }

    /// What has to be asked for a verdict.
    pub(super) fn to(&self, given: &Given<'_>) -> Narrowed<'_> {
        let candidates = self.index.candidates(given);
        let mut scopes = vec![Ok(false); self.scopes.len()];
        for number in candidates.within(0, scopes.len()) {
            if let (Some(answer), Some(scope)) = (scopes.get_mut(number), self.scopes.get(number)) {
                *answer = scope.holds(given);
            }
        }
        Narrowed {
            of: self,
            scopes,
            candidates,
        }
    }
}

impl<'c> Narrowed<'c> {
    /// The documents that may have something to say, with what their scopes say and the rules that have
    /// to be asked.
    pub(super) fn documents(
        &self,
        documents: &'c [Document],
    ) -> impl Iterator<Item = (&'c Document, Known, impl Iterator<Item = &'c Rule>)> {
        let placed = documents.iter().zip(&self.of.documents);
        placed.filter_map(|(document, placed)| {
            let scope = *self.scopes.get(placed.scope)?;
            if scope == Ok(false) {
                return None;
            }
            let first = placed.first_rule;
            let numbers = self.candidates.within(first, first + document.rules.len());
            let rules = numbers.filter_map(move |number| document.rules.get(number - first));
            Some((document, scope, rules))
        })
    }
}
