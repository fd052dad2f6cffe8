//! The attributes of one request: each path is looked up once, and only when a rule asks for it.

use std::cell::Cell;

use serde_json::Value;

use crate::policy::expression::condition::{Attributes, Paths, Slot};
use crate::request::Request;
use crate::time::Timestamp;

/// A request with what was looked up of it so far.
pub(super) struct Given<'r> {
    request: &'r Request,
    paths: &'r Paths,
    /// By the numbers of the paths, and behind them those of their outermost keys.
    found: Vec<Cell<Looked<'r>>>,
    now: Timestamp,
}

#[derive(Clone, Copy)]
enum Looked<'r> {
    NotYet,
    Absent,
    There(&'r Value),
}

impl<'r> Given<'r> {
    pub(super) fn new(request: &'r Request, paths: &'r Paths, now: Timestamp) -> Self {
        let looked = vec![Cell::new(Looked::NotYet); paths.count() + paths.roots().len()];
        Self {
            request,
            paths,
            found: looked,
            now,
        }
    }

    /// The time that counts.
    pub(super) fn now(&self) -> Timestamp {
        self.now
    }

    fn once(&self, at: usize, look: impl FnOnce() -> Option<&'r Value>) -> Option<&'r Value> {
        let Some(cell) = self.found.get(at) else {
            return look();
        };
        match cell.get() {
            Looked::There(value) => Some(value),
            Looked::Absent => None,
            Looked::NotYet => {
                let value = look();
                cell.set(value.map_or(Looked::Absent, Looked::There));
                value
            }
        }
    }

    fn look(&self, slot: Slot) -> Option<&'r Value> {
        let (first, rest) = self.paths.keys(slot).split_first()?;
        let root = self.paths.count() + self.paths.root(slot)?;
        let mut value = self.once(root, || self.request.members().get(first))?;
        for key in rest {
            value = value.as_object()?.get(key)?;
        }
        (!value.is_null()).then_some(value)
    }
}

impl Attributes for Given<'_> {
    fn value(&self, slot: Slot) -> Option<&Value> {
        self.once(slot.index(), || self.look(slot))
    }
}
