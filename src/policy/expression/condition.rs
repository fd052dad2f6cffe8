//! Conditions about requests, as the rules of a SecurityPolicy write them: CEL over the attributes of
//! a request, `agent.user_id == data.owner_user_id`, checked once and then asked of many requests.
//!
//! The words and the tree are those of all expressions ([`super::tokens`], [`super::syntax`]); what
//! differs is that nothing is declared beforehand, so that an attribute may be absent or of any kind.
//! Such a condition has no answer ([`Gap`]), and no answer is never taken for one: under `!`, `&&` and
//! `||` it is unknown as Kleene has it. An attribute that is taken away can so make an answer unknown,
//! and never turn it round. `has(x)` alone would break that, since it *answers* that something is
//! absent; it may stand only where its answer "absent" can't allow anything, which [`check`] sees to.
//! docs/requests-security.md says all that for whoever writes rules.
//!
//! Paths are numbered ([`Paths`]), over as many conditions as belong together, so that whoever asks
//! looks each up once for a request; an [`Index`] tells which of the conditions need not be asked.

mod check;
mod index;
mod normal;
mod truth;

use std::collections::BTreeMap;

use serde_json::Value;

use super::Problem;
pub use index::{Candidates, Index};
pub use normal::Normal;
use truth::{Atom, Side, Truth};

/// A path of a request by its number in [`Paths`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Slot(u32);

impl Slot {
    /// The number, from 0.
    pub fn index(self) -> usize {
        self.0 as usize
    }
}

/// The paths that some conditions read, each with its number.
#[derive(Debug, Clone, Default)]
pub struct Paths {
    numbered: Vec<Path>,
    slots: BTreeMap<String, Slot>,
    /// The outermost keys, each with its number.
    roots: BTreeMap<String, usize>,
}

#[derive(Debug, Clone)]
struct Path {
    keys: Vec<String>,
    root: usize,
}

impl Paths {
    /// The number of a path written with dots; a new one where it is new.
    pub fn slot(&mut self, path: &str) -> Slot {
        if let Some(slot) = self.slots.get(path) {
            return *slot;
        }
        // A document has fewer bytes than there are numbers.
        let slot = Slot(u32::try_from(self.numbered.len()).unwrap_or(u32::MAX));
        let keys: Vec<String> = path.split('.').map(str::to_owned).collect();
        let next = self.roots.len();
        let outermost = keys.first().cloned().unwrap_or_default();
        let root = *self.roots.entry(outermost).or_insert(next);
        self.numbered.push(Path { keys, root });
        self.slots.insert(path.to_owned(), slot);
        slot
    }

    /// How many there are.
    pub fn count(&self) -> usize {
        self.numbered.len()
    }

    /// The keys of a path, from the outermost.
    pub fn keys(&self, slot: Slot) -> &[String] {
        let path = self.numbered.get(slot.index());
        path.map_or(&[], |path| path.keys.as_slice())
    }

    /// The number of a path's outermost key among all of them, from 0.
    pub fn root(&self, slot: Slot) -> Option<usize> {
        self.numbered.get(slot.index()).map(|path| path.root)
    }

    /// A path as it is written.
    pub fn text(&self, slot: Slot) -> String {
        self.keys(slot).join(".")
    }

    /// The outermost keys, each once, sorted.
    pub fn roots(&self) -> impl ExactSizeIterator<Item = &str> {
        self.roots.keys().map(String::as_str)
    }
}

/// What a path of a document is compared with, by the first place that tells.
#[derive(Debug, Clone, Default)]
pub struct Kinds(BTreeMap<Slot, &'static str>);

impl Kinds {
    /// A scope holds the attribute against texts.
    pub fn is_text(&mut self, slot: Slot) {
        self.0.entry(slot).or_insert(check::TEXT);
    }
}

/// The attributes of one request.
pub trait Attributes {
    /// The value of a path; `None` where there is none, and for `null`.
    fn value(&self, slot: Slot) -> Option<&Value>;
}

/// Why a condition has no answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Gap {
    /// The attribute.
    pub slot: Slot,
    /// True where it is absent, false where it is something else than the condition takes.
    pub absent: bool,
}

/// What follows where a condition holds. It decides where `has` may stand.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// The request is allowed: what has no answer does not allow.
    Allow,
    /// The request is denied: what has no answer denies.
    Deny,
}

/// A condition that was read and checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Condition(Truth);

impl Condition {
    /// Reads `source`. Paths that are new get numbers in `paths`; `kinds` is what the conditions of the
    /// same document said so far of the kinds of their attributes.
    ///
    /// Every problem comes at once, in the order of the source; behind a fault of syntax nothing is
    /// looked at.
    pub fn parse(
        source: &str,
        purpose: Purpose,
        paths: &mut Paths,
        kinds: &mut Kinds,
    ) -> Result<Self, Vec<Problem>> {
        check::condition(source, purpose, paths, kinds).map(Self)
    }

    /// One that always holds, or never.
    pub fn constant(holds: bool) -> Self {
        Self(Truth::Constant(holds))
    }

    /// Is there an object at the path? Its absence is an answer: no.
    pub fn concerns(slot: Slot) -> Self {
        Self(Truth::Atom(Atom::Concerns(slot)))
    }

    /// Is the text at the path one of these?
    pub fn one_of(slot: Slot, texts: &[String]) -> Self {
        let sides = texts.iter().map(|text| Side::Text(text.as_str().into()));
        Self(Truth::Atom(Atom::OneOf(slot, sides.collect())))
    }

    /// All of them.
    #[must_use]
    pub fn all(parts: Vec<Self>) -> Self {
        Self(Truth::All(parts.into_iter().map(|part| part.0).collect()))
    }

    /// Any of them.
    #[must_use]
    pub fn any(parts: Vec<Self>) -> Self {
        Self(Truth::Any(parts.into_iter().map(|part| part.0).collect()))
    }

    /// Does it hold? `Err` says which attribute keeps that from being known. Linear in the condition and
    /// in the texts that it looks into; allocates nothing.
    pub fn holds(&self, given: &impl Attributes) -> Result<bool, Gap> {
        self.0.holds(given)
    }

    /// What it means, without how it was written.
    pub fn normal(&self) -> Normal {
        Normal::of(&self.0)
    }
}

#[cfg(test)]
mod tests;
