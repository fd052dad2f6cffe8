//! What a condition means, without how it was written: for finding rules that contradict or cover each
//! other. Sides and parts in one order, `!` pushed down to what is looked at, `in` and `>` written out;
//! all of it also holds where an answer is unknown.
//!
//! Beyond that, conclusions are drawn from values that are written out only: an attribute that is
//! equal to one text is not equal to another, and what is below 5 is below 7. What can't be concluded
//! that way is taken to be possible.

use std::cmp::Ordering;
use std::collections::{BTreeMap, BTreeSet};

use super::Slot;
use super::truth::{Atom, Side, Truth, written_order, written_same};

/// A condition in its normal form. Two are equal where they differ in writing only; both have to be of
/// the same [`Paths`](super::Paths).
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Normal(Form);

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Form {
    Constant(bool),
    /// What is looked at, and whether that has to hold or not to.
    Atom(Atom, bool),
    All(BTreeSet<Form>),
    Any(BTreeSet<Form>),
}

/// One way for a condition to hold: all that is then known.
type Way = BTreeSet<(Atom, bool)>;

/// A condition that can hold in more ways than this is not reasoned about.
const MOST_WAYS: usize = 256;

impl Normal {
    pub(super) fn of(truth: &Truth) -> Self {
        Self(form(truth, true))
    }

    /// Both at once.
    #[must_use]
    pub fn and(&self, other: &Self) -> Self {
        Self(joined(true, [self.0.clone(), other.0.clone()]))
    }

    /// False where it is certain that it never holds.
    pub fn can_hold(&self) -> bool {
        ways(&self.0).is_none_or(|ways| !ways.is_empty())
    }

    /// True where it is certain that `other` holds whenever this does.
    pub fn implies(&self, other: &Self) -> bool {
        self == other
            || ways(&self.0).is_some_and(|ways| {
                ways.iter()
                    .all(|way| Known::of(way).answer(&other.0) == Some(true))
            })
    }
}

fn form(truth: &Truth, wanted: bool) -> Form {
    let parts =
        |parts: &[Truth]| -> Vec<Form> { parts.iter().map(|part| form(part, wanted)).collect() };
    match truth {
        Truth::Constant(holds) => Form::Constant(*holds == wanted),
        Truth::Not(inner) => form(inner, !wanted),
        Truth::All(all) => joined(wanted, parts(all)),
        Truth::Any(any) => joined(!wanted, parts(any)),
        Truth::Atom(atom) => of_atom(atom, wanted),
    }
}

fn of_atom(atom: &Atom, wanted: bool) -> Form {
    match atom {
        Atom::Equal(left, right) => equality(left, right, wanted),
        // What is not below is not below or equal the other way round.
        Atom::Less(left, right) if !wanted => {
            Form::Atom(Atom::LessOrEqual(right.clone(), left.clone()), true)
        }
        Atom::LessOrEqual(left, right) if !wanted => {
            Form::Atom(Atom::Less(right.clone(), left.clone()), true)
        }
        Atom::OneOf(slot, sides) => {
            let path = Side::Path(*slot);
            let each = sides.iter().map(|side| equality(&path, side, wanted));
            joined(!wanted, each.collect::<Vec<_>>())
        }
        other => Form::Atom(other.clone(), wanted),
    }
}

fn equality(left: &Side, right: &Side, wanted: bool) -> Form {
    let (first, second) = if left <= right {
        (left, right)
    } else {
        (right, left)
    };
    match (first, second) {
        (Side::Path(slot), Side::Flag(flag)) => Form::Atom(Atom::Flag(*slot), *flag == wanted),
        _ => Form::Atom(Atom::Equal(first.clone(), second.clone()), wanted),
    }
}

/// Parts joined by `&&` (`all`) or by `||`.
fn joined(all: bool, parts: impl IntoIterator<Item = Form>) -> Form {
    let mut flat = BTreeSet::new();
    for part in parts {
        match part {
            Form::Constant(holds) if holds == all => {}
            Form::Constant(holds) => return Form::Constant(holds),
            Form::All(inner) if all => flat.extend(inner),
            Form::Any(inner) if !all => flat.extend(inner),
            other => {
                flat.insert(other);
            }
        }
    }
    match flat.len() {
        0 => Form::Constant(all),
        1 => flat.pop_first().unwrap_or(Form::Constant(all)),
        _ if all => Form::All(flat),
        _ => Form::Any(flat),
    }
}

/// Every way in which it can hold and that does not contradict itself; `None` where there are too many.
fn ways(form: &Form) -> Option<Vec<Way>> {
    let found = match form {
        Form::Constant(true) => vec![Way::new()],
        Form::Constant(false) => Vec::new(),
        Form::Atom(atom, holds) => vec![Way::from([(atom.clone(), *holds)])],
        Form::Any(parts) => {
            let each: Option<Vec<_>> = parts.iter().map(ways).collect();
            each?.into_iter().flatten().collect()
        }
        Form::All(parts) => {
            let mut all = vec![Way::new()];
            for part in parts {
                let more = ways(part)?;
                if all.len().saturating_mul(more.len()) > MOST_WAYS {
                    return None;
                }
                let with = |way: &Way| {
                    let way = way.clone();
                    let both = more.iter().map(move |other| &way | other);
                    both.filter(|both| Known::of(both).is_possible())
                        .collect::<Vec<_>>()
                };
                all = all.iter().flat_map(with).collect();
            }
            all
        }
    };
    (found.len() <= MOST_WAYS).then_some(found)
}

/// What one way says of attributes.
struct Known<'w> {
    way: &'w Way,
    /// The values of attributes that are equal to something written out.
    values: BTreeMap<Slot, &'w Side>,
}

impl<'w> Known<'w> {
    fn of(way: &'w Way) -> Self {
        let value = |(atom, holds): &'w (Atom, bool)| match atom {
            Atom::Equal(Side::Path(slot), side) if *holds && !matches!(side, Side::Path(_)) => {
                Some((*slot, side))
            }
            _ => None,
        };
        let values = way.iter().filter_map(value).collect();
        Self { way, values }
    }

    /// False where it contradicts itself.
    fn is_possible(&self) -> bool {
        let opposed = |(atom, holds): &(Atom, bool)| {
            self.way.contains(&(atom.clone(), !holds))
                || self.by_value(atom).is_some_and(|answer| answer != *holds)
                || self.by_bound(atom, true) == Some(!holds)
        };
        !self.way.iter().any(opposed)
    }

    fn answer(&self, form: &Form) -> Option<bool> {
        match form {
            Form::Constant(holds) => Some(*holds),
            Form::Atom(atom, wanted) => self.atom(atom).map(|holds| holds == *wanted),
            Form::All(parts) => self.decided(false, parts),
            Form::Any(parts) => self.decided(true, parts),
        }
    }

    fn decided(&self, decisive: bool, parts: &BTreeSet<Form>) -> Option<bool> {
        let mut all_known = true;
        for part in parts {
            match self.answer(part) {
                Some(answer) if answer == decisive => return Some(decisive),
                Some(_) => {}
                None => all_known = false,
            }
        }
        all_known.then_some(!decisive)
    }

    fn atom(&self, atom: &Atom) -> Option<bool> {
        let said = |holds| self.way.contains(&(atom.clone(), holds)).then_some(holds);
        said(true)
            .or_else(|| said(false))
            .or_else(|| self.by_value(atom))
            .or_else(|| self.by_bound(atom, false))
    }

    /// The side's value, where it is known.
    fn value<'s>(&self, side: &'s Side) -> Option<&'s Side>
    where
        'w: 's,
    {
        match side {
            Side::Path(slot) => self.values.get(slot).copied(),
            written => Some(written),
        }
    }

    fn by_value(&self, atom: &Atom) -> Option<bool> {
        match atom {
            Atom::Equal(left, right) => written_same(self.value(left)?, self.value(right)?),
            Atom::Less(left, right) => {
                let order = written_order(self.value(left)?, self.value(right)?)?;
                Some(order.is_lt())
            }
            Atom::LessOrEqual(left, right) => {
                let order = written_order(self.value(left)?, self.value(right)?)?;
                Some(order.is_le())
            }
            Atom::Search(search, text, part) => match (self.value(text)?, self.value(part)?) {
                (Side::Text(text), Side::Text(part)) => Some(search.finds(text, part)),
                _ => None,
            },
            _ => None,
        }
    }

    /// What follows from the bounds of an attribute: only ever that it is so, or with `opposite` only
    /// that it is not.
    fn by_bound(&self, atom: &Atom, opposite: bool) -> Option<bool> {
        let (left, right, strict) = bound(atom)?;
        // What contradicts `left < right` is `right <= left`.
        let (left, right, strict) = if opposite {
            (right, left, !strict)
        } else {
            (left, right, strict)
        };
        let follows = |(fact, holds): &(Atom, bool)| {
            let Some((low, high, tight)) = bound(fact).filter(|_| *holds) else {
                return false;
            };
            let order = match (left, low, right, high) {
                // `x < 5` of `x < 7`, and `7 < x` of `5 < x`.
                (Side::Path(one), Side::Path(other), wide, narrow) if one == other => {
                    written_order(narrow, wide)
                }
                (wide, narrow, Side::Path(one), Side::Path(other)) if one == other => {
                    written_order(wide, narrow)
                }
                _ => None,
            };
            match order {
                Some(Ordering::Less) => true,
                Some(Ordering::Equal) => tight || !strict,
                _ => false,
            }
        };
        self.way.iter().any(follows).then_some(!opposite)
    }
}

/// The sides of a comparison of order, and whether they have to differ.
fn bound(atom: &Atom) -> Option<(&Side, &Side, bool)> {
    match atom {
        Atom::Less(left, right) => Some((left, right, true)),
        Atom::LessOrEqual(left, right) => Some((left, right, false)),
        _ => None,
    }
}
