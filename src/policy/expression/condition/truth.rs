//! A checked condition as it is asked: true, false, or no answer.

use std::cmp::Ordering;

use serde_json::{Number, Value};

use super::{Attributes, Gap, Slot};

/// A part that is true, false or unknown.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Truth {
    Constant(bool),
    Atom(Atom),
    Not(Box<Truth>),
    All(Vec<Truth>),
    Any(Vec<Truth>),
}

/// A part that looks at attributes.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Atom {
    /// An attribute that is true or false itself.
    Flag(Slot),
    /// Is it there? Unknown where what it would belong to is not.
    Has(Slot, Slot),
    /// Is there an object? Never unknown where there is nothing.
    Concerns(Slot),
    Equal(Side, Side),
    Less(Side, Side),
    LessOrEqual(Side, Side),
    OneOf(Slot, Vec<Side>),
    /// Is this an element of the list?
    Holds(Slot, Side),
    Search(Search, Side, Side),
}

/// What stands on a side of a comparison.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Side {
    Path(Slot),
    Flag(bool),
    Number(Literal),
    Text(Box<str>),
}

/// Where one text is looked for in another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Search {
    Anywhere,
    AtStart,
    AtEnd,
}

/// A finite number that was written out.
#[derive(Debug, Clone, Copy)]
pub(super) struct Literal(f64);

impl Literal {
    pub(super) fn new(number: f64) -> Self {
        // One zero only, so that what is equal is alike.
        Self(if number == 0.0 { 0.0 } else { number })
    }

    pub(super) fn get(self) -> f64 {
        self.0
    }
}

impl PartialEq for Literal {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Literal {}

impl PartialOrd for Literal {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Literal {
    fn cmp(&self, other: &Self) -> Ordering {
        self.0.total_cmp(&other.0)
    }
}

/// The value of a side.
#[derive(Clone, Copy)]
enum Held<'v> {
    Flag(bool),
    Number(Amount),
    Text(&'v str),
}

/// A number as it was written: whole ones are exact, however large.
#[derive(Clone, Copy)]
enum Amount {
    Whole(i128),
    Real(f64),
}

/// From here on a number with a fraction or an exponent may stand for its neighbours too: 2^53.
const LARGEST_EXACT: f64 = 9_007_199_254_740_992.0;

impl Truth {
    pub(super) fn holds(&self, given: &impl Attributes) -> Result<bool, Gap> {
        match self {
            Self::Constant(holds) => Ok(*holds),
            Self::Atom(atom) => atom.holds(given),
            Self::Not(inner) => inner.holds(given).map(|holds| !holds),
            Self::All(parts) => decided_by(false, parts, given),
            Self::Any(parts) => decided_by(true, parts, given),
        }
    }
}

/// One part with the value `decisive` decides, whatever is unknown of the others. Else what is unknown
/// first counts.
fn decided_by(decisive: bool, parts: &[Truth], given: &impl Attributes) -> Result<bool, Gap> {
    let mut others = Ok(!decisive);
    for part in parts {
        match part.holds(given) {
            Ok(value) if value == decisive => return Ok(decisive),
            Ok(_) => {}
            Err(gap) => others = others.and(Err(gap)),
        }
    }
    others
}

impl Atom {
    pub(super) fn holds(&self, given: &impl Attributes) -> Result<bool, Gap> {
        match self {
            Self::Flag(slot) => match given.value(*slot) {
                Some(Value::Bool(flag)) => Ok(*flag),
                other => Err(gap(*slot, other)),
            },
            Self::Has(slot, parent) => match given.value(*parent) {
                Some(Value::Object(_)) => Ok(given.value(*slot).is_some()),
                other => Err(gap(*parent, other)),
            },
            Self::Concerns(slot) => match given.value(*slot) {
                None => Ok(false),
                Some(Value::Object(_)) => Ok(true),
                other => Err(gap(*slot, other)),
            },
            Self::Equal(left, right) => equal(left, right, given),
            Self::Less(left, right) => ordered(left, right, given).map(Ordering::is_lt),
            Self::LessOrEqual(left, right) => ordered(left, right, given).map(Ordering::is_le),
            Self::OneOf(slot, sides) => one_of(*slot, sides, given),
            Self::Holds(list, side) => is_element(*list, side, given),
            Self::Search(search, text, part) => {
                let (whole, part_of) = (words(text, given)?, words(part, given)?);
                not_empty(text, part, whole, part_of)?;
                Ok(search.finds(whole, part_of))
            }
        }
    }
}

impl Search {
    pub(super) fn finds(self, text: &str, part: &str) -> bool {
        match self {
            Self::Anywhere => text.contains(part),
            Self::AtStart => text.starts_with(part),
            Self::AtEnd => text.ends_with(part),
        }
    }
}

impl Side {
    /// Its value, where it is written out.
    fn written(&self) -> Option<Held<'_>> {
        match self {
            Self::Path(_) => None,
            Self::Flag(flag) => Some(Held::Flag(*flag)),
            Self::Number(number) => Some(Held::Number(Amount::Real(number.get()))),
            Self::Text(text) => Some(Held::Text(text)),
        }
    }

    fn held<'v>(&'v self, given: &'v impl Attributes) -> Result<Held<'v>, Gap> {
        match self {
            Self::Path(slot) => {
                let value = given.value(*slot);
                value.and_then(held).ok_or(gap(*slot, value))
            }
            _ => self.written().ok_or(gap(Slot(0), None)),
        }
    }

    /// The gap of this side, or of the other, since one of them is read.
    fn unlike(&self, other: &Self) -> Gap {
        let slot = match (self, other) {
            (Self::Path(slot), _) | (_, Self::Path(slot)) => *slot,
            _ => Slot(0),
        };
        Gap {
            slot,
            absent: false,
        }
    }
}

fn gap(slot: Slot, value: Option<&Value>) -> Gap {
    Gap {
        slot,
        absent: value.is_none(),
    }
}

fn held(value: &Value) -> Option<Held<'_>> {
    match value {
        Value::Bool(flag) => Some(Held::Flag(*flag)),
        Value::Number(number) => Amount::of(number).map(Held::Number),
        Value::String(text) => Some(Held::Text(text)),
        _ => None,
    }
}

fn equal(left: &Side, right: &Side, given: &impl Attributes) -> Result<bool, Gap> {
    let (one, other) = (left.held(given)?, right.held(given)?);
    if let (Held::Text(one), Held::Text(other)) = (one, other) {
        not_empty(left, right, one, other)?;
    }
    same(one, other).ok_or_else(|| left.unlike(right))
}

/// Two attributes that are both empty texts are equal and name nothing: no answer.
fn not_empty(left: &Side, right: &Side, one: &str, other: &str) -> Result<(), Gap> {
    match (left, right) {
        (Side::Path(slot), Side::Path(_)) if one.is_empty() => Err(gap(*slot, None)),
        (Side::Path(_), Side::Path(slot)) if other.is_empty() => Err(gap(*slot, None)),
        _ => Ok(()),
    }
}

/// `None` where they are of two kinds, or too large to be told apart.
fn same(one: Held<'_>, other: Held<'_>) -> Option<bool> {
    match (one, other) {
        (Held::Text(one), Held::Text(other)) => Some(one == other),
        (Held::Flag(one), Held::Flag(other)) => Some(one == other),
        (Held::Number(one), Held::Number(other)) => one.order(other).map(Ordering::is_eq),
        _ => None,
    }
}

fn ordered(left: &Side, right: &Side, given: &impl Attributes) -> Result<Ordering, Gap> {
    match (left.held(given)?, right.held(given)?) {
        (Held::Number(one), Held::Number(other)) => one.order(other),
        _ => None,
    }
    .ok_or_else(|| left.unlike(right))
}

fn one_of(slot: Slot, sides: &[Side], given: &impl Attributes) -> Result<bool, Gap> {
    let value = given.value(slot);
    let found = value.and_then(held).ok_or(gap(slot, value))?;
    let answers = sides
        .iter()
        .map(|side| side.written().and_then(|written| same(found, written)));
    any(answers).ok_or_else(|| gap(slot, value))
}

fn is_element(list: Slot, side: &Side, given: &impl Attributes) -> Result<bool, Gap> {
    let wanted = side.held(given)?;
    let value = given.value(list);
    let Some(Value::Array(elements)) = value else {
        return Err(gap(list, value));
    };
    if let (Side::Path(slot), Held::Text("")) = (side, wanted) {
        return Err(gap(*slot, None));
    }
    let answers = elements
        .iter()
        .map(|element| held(element).and_then(|element| same(wanted, element)));
    any(answers).ok_or_else(|| gap(list, value))
}

/// True where one answer is, however many can't be given; `None` where that may hide a true one.
fn any(answers: impl Iterator<Item = Option<bool>>) -> Option<bool> {
    let mut known = true;
    for answer in answers {
        match answer {
            Some(true) => return Some(true),
            Some(false) => {}
            None => known = false,
        }
    }
    known.then_some(false)
}

fn words<'v>(side: &'v Side, given: &'v impl Attributes) -> Result<&'v str, Gap> {
    match side.held(given)? {
        Held::Text(text) => Ok(text),
        _ => Err(side.unlike(side)),
    }
}

impl Amount {
    fn of(number: &Number) -> Option<Self> {
        let whole = number.as_i64().map(i128::from);
        let whole = whole.or_else(|| number.as_u64().map(i128::from));
        whole
            .map(Self::Whole)
            .or_else(|| number.as_f64().map(Self::Real))
    }

    /// `None` where rounding may have made two numbers one.
    fn order(self, other: Self) -> Option<Ordering> {
        if let (Self::Whole(one), Self::Whole(other)) = (self, other) {
            return Some(one.cmp(&other));
        }
        let (one, other) = (self.rounded(), other.rounded());
        if one.abs() >= LARGEST_EXACT && other.abs() >= LARGEST_EXACT {
            return None;
        }
        one.partial_cmp(&other)
    }

    #[expect(
        clippy::cast_precision_loss,
        reason = "what is rounded is larger than what it is held against"
    )]
    fn rounded(self) -> f64 {
        match self {
            // The same, and cheaper where it fits.
            Self::Whole(whole) => {
                i64::try_from(whole).map_or_else(|_| whole as f64, |whole| whole as f64)
            }
            Self::Real(real) => real,
        }
    }
}

/// What the atoms say of values that are written out, for whoever reasons about conditions.
pub(super) fn written_same(one: &Side, other: &Side) -> Option<bool> {
    same(one.written()?, other.written()?)
}

/// The same for order.
pub(super) fn written_order(one: &Side, other: &Side) -> Option<Ordering> {
    match (one.written()?, other.written()?) {
        (Held::Number(one), Held::Number(other)) => one.order(other),
        _ => None,
    }
}
