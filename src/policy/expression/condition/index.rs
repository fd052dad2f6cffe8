//! Which of many conditions can be anything but false for one request, without asking each of them.
//!
//! Of every condition some atoms are watched: while none of them stirs, the condition is known not to
//! hold, whatever the rest of it would say. For `a && b` the atoms of one part suffice; for `a || b`
//! those of both are needed. An attribute that is held against written texts, whether by `==`, `in`,
//! `startsWith` or `endsWith`, is looked up once for all conditions that do so; every other atom is asked
//! once, however many conditions it stands in. An attribute that is absent or of another kind makes all
//! that watch it stir, since a condition without an answer is not false.
//!
//! So what is left out would have answered `Ok(false)`, and what is left has to be asked as ever.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use serde_json::Value;

use super::truth::{Atom, Search, Side, Truth};
use super::{Attributes, Condition, Slot};

/// An index over conditions, each by its number in the order in which they were given.
#[derive(Debug, Clone, Default)]
pub struct Index {
    /// Those that nothing rules out.
    always: Candidates,
    lookups: Vec<Lookup>,
    asked: Vec<Asked>,
}

/// The numbers of the conditions that have to be asked.
#[derive(Debug, Clone, Default)]
pub struct Candidates(Vec<u64>);

/// The texts that one attribute is held against in one way.
#[derive(Debug, Clone)]
struct Lookup {
    slot: Slot,
    how: How,
    /// The lengths of the texts.
    lengths: BTreeSet<usize>,
    texts: HashMap<Box<str>, Vec<usize>>,
    /// Every condition that watches the attribute this way.
    all: Vec<usize>,
}

/// An atom that is asked, with the answer at which it does not stir.
#[derive(Debug, Clone)]
struct Asked {
    atom: Atom,
    quiet: bool,
    conditions: Vec<usize>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum How {
    Equal,
    Element,
    Start,
    End,
}

/// Something to watch.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Watch<'c> {
    /// It stirs unless the attribute is known to be no such text.
    Text(Slot, How, &'c str),
    /// It stirs unless that is the answer.
    Atom(&'c Atom, bool),
}

/// In how many conditions each of them stands.
type Counts<'c> = BTreeMap<Watch<'c>, usize>;

impl Index {
    /// An index over conditions of the same [`Paths`](super::Paths).
    pub fn of<'c>(conditions: impl IntoIterator<Item = &'c Condition>) -> Self {
        let conditions: Vec<&Truth> = conditions.into_iter().map(|one| &one.0).collect();
        let counts = counts(&conditions);
        let mut always = Candidates(vec![0; conditions.len().div_ceil(64)]);
        let mut watched: BTreeMap<Watch<'c>, Vec<usize>> = BTreeMap::new();
        for (number, condition) in conditions.iter().enumerate() {
            match watches(condition, false, &counts, conditions.len()) {
                None => always.insert(number),
                Some(watches) => {
                    for watch in watches {
                        watched.entry(watch).or_default().push(number);
                    }
                }
            }
        }
        let mut index = Self {
            always,
            ..Self::default()
        };
        for (watch, numbers) in watched {
            index.watch(&watch, numbers);
        }
        for lookup in &mut index.lookups {
            lookup.all.sort_unstable();
            lookup.all.dedup();
        }
        index
    }

    /// Texts come sorted by attribute and way.
    fn watch(&mut self, watch: &Watch<'_>, numbers: Vec<usize>) {
        let (slot, how, text) = match *watch {
            Watch::Text(slot, how, text) => (slot, how, text),
            Watch::Atom(atom, quiet) => {
                self.asked.push(Asked {
                    atom: atom.clone(),
                    quiet,
                    conditions: numbers,
                });
                return;
            }
        };
        let last = self.lookups.last();
        if last.is_none_or(|last| (last.slot, last.how) != (slot, how)) {
            self.lookups.push(Lookup {
                slot,
                how,
                lengths: BTreeSet::new(),
                texts: HashMap::new(),
                all: Vec::new(),
            });
        }
        if let Some(lookup) = self.lookups.last_mut() {
            lookup.lengths.insert(text.len());
            lookup.all.extend(&numbers);
            lookup.texts.insert(text.into(), numbers);
        }
    }

    /// Those conditions that may have another answer than that they don't hold.
    pub fn candidates(&self, given: &impl Attributes) -> Candidates {
        let mut candidates = self.always.clone();
        for lookup in &self.lookups {
            lookup.mark(given.value(lookup.slot), &mut candidates);
        }
        for asked in &self.asked {
            if asked.atom.holds(given) != Ok(asked.quiet) {
                candidates.extend(&asked.conditions);
            }
        }
        candidates
    }
}

impl Lookup {
    fn mark(&self, value: Option<&Value>, candidates: &mut Candidates) {
        match (self.how, value) {
            (How::Equal, Some(Value::String(text))) => candidates.extend(self.with(text)),
            (How::Start, Some(Value::String(text))) => {
                for length in self.lengths.range(..=text.len()) {
                    let start = text.get(..*length);
                    candidates.extend(start.map_or(&[], |start| self.with(start)));
                }
            }
            (How::End, Some(Value::String(text))) => {
                for length in self.lengths.range(..=text.len()) {
                    let end = text.get(text.len() - length..);
                    candidates.extend(end.map_or(&[], |end| self.with(end)));
                }
            }
            (How::Element, Some(Value::Array(elements)))
                if elements.iter().all(Value::is_string) =>
            {
                for text in elements.iter().filter_map(Value::as_str) {
                    candidates.extend(self.with(text));
                }
            }
            _ => candidates.extend(&self.all),
        }
    }

    /// The conditions with this very text. One that is as long as none of them is not even read.
    fn with(&self, text: &str) -> &[usize] {
        let found = self.lengths.contains(&text.len());
        let found = found.then(|| self.texts.get(text)).flatten();
        found.map_or(&[], Vec::as_slice)
    }
}

impl FromIterator<usize> for Candidates {
    fn from_iter<I: IntoIterator<Item = usize>>(numbers: I) -> Self {
        let mut all = Self::default();
        for number in numbers {
            all.0.resize(all.0.len().max(number / 64 + 1), 0);
            all.insert(number);
        }
        all
    }
}

impl Candidates {
    /// Is it one of them?
    pub fn contains(&self, number: usize) -> bool {
        let word = self.0.get(number / 64);
        word.is_some_and(|word| word >> (number % 64) & 1 == 1)
    }

    /// True where there is none from `first` up to and without `end`.
    pub fn is_empty(&self, first: usize, end: usize) -> bool {
        self.within(first, end).next().is_none()
    }

    /// Takes out what is among the others.
    pub fn remove(&mut self, others: &Self) {
        for (word, other) in self.0.iter_mut().zip(&others.0) {
            *word &= !other;
        }
    }

    fn insert(&mut self, number: usize) {
        if let Some(word) = self.0.get_mut(number / 64) {
            *word |= 1 << (number % 64);
        }
    }

    fn extend(&mut self, numbers: &[usize]) {
        for number in numbers {
            self.insert(*number);
        }
    }

    /// The numbers from `first` up to and without `end`, in their order.
    pub fn within(&self, first: usize, end: usize) -> impl Iterator<Item = usize> {
        let mut from = first;
        std::iter::from_fn(move || {
            while from < end {
                let rest = self.0.get(from / 64)? >> (from % 64);
                if rest != 0 {
                    let number = from + rest.trailing_zeros() as usize;
                    from = number + 1;
                    return (number < end).then_some(number);
                }
                from = (from / 64 + 1) * 64;
            }
            None
        })
    }
}

/// What has to be watched of a part so that its answer is `quiet` while nothing stirs; `None` where
/// that can't be had, nothing where it always is. Of several ways the one that should stir least.
fn watches<'c>(
    truth: &'c Truth,
    quiet: bool,
    counts: &Counts<'c>,
    most: usize,
) -> Option<BTreeSet<Watch<'c>>> {
    let each = |parts: &'c [Truth]| {
        let parts = parts.iter();
        parts.map(|part| watches(part, quiet, counts, most))
    };
    // The fewer conditions have a text, the less it makes stir. What is no text may stir as often as not,
    // and is the cheaper, the more conditions have it.
    let weight = |watches: &BTreeSet<Watch<'c>>| -> usize {
        let weights = watches.iter().map(|watch| {
            let count = counts.get(watch).copied().unwrap_or_default();
            match watch {
                Watch::Text(..) => count,
                Watch::Atom(..) => (2 * most).saturating_sub(count),
            }
        });
        weights.sum()
    };
    match truth {
        Truth::Constant(holds) => (*holds == quiet).then(BTreeSet::new),
        Truth::Atom(atom) => Some(of_atom(atom, quiet)),
        Truth::Not(inner) => watches(inner, !quiet, counts, most),
        Truth::All(parts) if !quiet => each(parts).flatten().min_by_key(weight),
        Truth::Any(parts) if quiet => each(parts).flatten().min_by_key(weight),
        Truth::All(parts) | Truth::Any(parts) => {
            let all: Option<Vec<_>> = each(parts).collect();
            Some(all?.into_iter().flatten().collect())
        }
    }
}

fn of_atom(atom: &Atom, quiet: bool) -> BTreeSet<Watch<'_>> {
    texts(atom)
        .filter(|_| !quiet)
        .unwrap_or_else(|| BTreeSet::from([Watch::Atom(atom, quiet)]))
}

/// The texts that an atom holds an attribute against: it is false wherever the attribute is none of
/// them, and of the right kind.
fn texts(atom: &Atom) -> Option<BTreeSet<Watch<'_>>> {
    let (slot, how, text) = match atom {
        Atom::Equal(Side::Path(slot), Side::Text(text))
        | Atom::Equal(Side::Text(text), Side::Path(slot)) => (*slot, How::Equal, text),
        Atom::Holds(slot, Side::Text(text)) => (*slot, How::Element, text),
        Atom::Search(Search::AtStart, Side::Path(slot), Side::Text(text)) => {
            (*slot, How::Start, text)
        }
        Atom::Search(Search::AtEnd, Side::Path(slot), Side::Text(text)) => (*slot, How::End, text),
        Atom::OneOf(slot, sides) if !sides.is_empty() => {
            let texts = sides.iter().map(|side| match side {
                Side::Text(text) => Some(Watch::Text(*slot, How::Equal, text)),
                _ => None,
            });
            return texts.collect();
        }
        _ => return None,
    };
    Some(BTreeSet::from([Watch::Text(slot, how, text)]))
}

fn counts<'c>(conditions: &[&'c Truth]) -> Counts<'c> {
    let mut counts = Counts::new();
    for condition in conditions {
        let mut found = BTreeSet::new();
        find_watches(condition, false, &mut found);
        for watch in found {
            *counts.entry(watch).or_default() += 1;
        }
    }
    counts
}

fn find_watches<'c>(truth: &'c Truth, quiet: bool, found: &mut BTreeSet<Watch<'c>>) {
    match truth {
        Truth::Constant(_) => {}
        Truth::Atom(atom) => found.extend(of_atom(atom, quiet)),
        Truth::Not(inner) => find_watches(inner, !quiet, found),
        Truth::All(parts) | Truth::Any(parts) => {
            for part in parts {
                find_watches(part, quiet, found);
            }
        }
    }
}
