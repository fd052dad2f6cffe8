//! A checked expression as it is evaluated. Its types say what each part yields, so that no part
//! can meet a value of another kind; what can still go wrong is a [`Failure`].

use std::fmt;

use super::pattern::Pattern;
use super::syntax::{Arithmetic, Comparison};
use super::{MAX_TEXT, Operand};

/// Looks up a name.
type Look<'l, 'a> = &'l dyn Fn(&str) -> Operand<'a>;

type Evaluated<T> = Result<T, Failure>;

/// A whole expression.
#[derive(Debug, Clone)]
pub(super) struct Program(pub(super) Truth);

/// A part that is true or false.
#[derive(Debug, Clone)]
pub(super) enum Truth {
    Constant(bool),
    Name(String),
    Not(Box<Truth>),
    All(Vec<Truth>),
    Any(Vec<Truth>),
    Compare(Comparison, Box<[Amount; 2]>),
    /// Whether the two are equal, and whether they should be.
    Alike(bool, Box<[Truth; 2]>),
    /// The same of texts.
    SameText(bool, Box<[Words; 2]>),
    AmongNumbers(Box<Amount>, Vec<f64>),
    AmongTexts(Box<Words>, Vec<String>),
    Choice(Box<(Truth, Truth, Truth)>),
    Search(Search, Box<[Words; 2]>),
    Matches(Box<Words>, Pattern),
}

/// A part that is a number.
#[derive(Debug, Clone)]
pub(super) enum Amount {
    Constant(f64),
    Name(String),
    Negate(Box<Amount>),
    Calculate(Box<Amount>, Vec<(Arithmetic, Amount)>),
    Choice(Box<(Truth, Amount, Amount)>),
    /// The number of characters of a text.
    Size(Box<Words>),
}

/// A part that is a text. None is made: each is there already.
#[derive(Debug, Clone)]
pub(super) enum Words {
    Constant(String),
    /// A name, and the values that it was declared with.
    Name(String, Option<Vec<String>>),
    Choice(Box<(Truth, Words, Words)>),
}

/// Where one text is looked for in another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Search {
    Anywhere,
    AtStart,
    AtEnd,
}

/// Why an expression could not be evaluated.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Failure {
    Absent(String),
    /// A name, what it was declared to be, and what came.
    OtherKind(String, &'static str, &'static str),
    NotNamed(String),
    TooLong(String),
    NotFinite(String),
    DivisionByZero,
    TooLarge,
}

impl Program {
    pub(super) fn holds(&self, look: Look<'_, '_>) -> Result<bool, String> {
        self.evaluate(look).map_err(|failure| failure.to_string())
    }

    pub(super) fn evaluate(&self, look: Look<'_, '_>) -> Evaluated<bool> {
        self.0.evaluate(look)
    }
}

impl Truth {
    fn evaluate(&self, look: Look<'_, '_>) -> Evaluated<bool> {
        match self {
            Self::Constant(value) => Ok(*value),
            Self::Name(name) => truth_of(name, look(name)),
            Self::Not(inner) => Ok(!inner.evaluate(look)?),
            Self::All(parts) => decided_by(false, parts, look),
            Self::Any(parts) => decided_by(true, parts, look),
            Self::Compare(comparison, sides) => {
                let [left, right] = &**sides;
                Ok(comparison.holds(left.evaluate(look)?, right.evaluate(look)?))
            }
            Self::Alike(wanted, sides) => {
                let [left, right] = &**sides;
                Ok((left.evaluate(look)? == right.evaluate(look)?) == *wanted)
            }
            Self::SameText(wanted, sides) => {
                let [left, right] = &**sides;
                Ok((left.evaluate(look)? == right.evaluate(look)?) == *wanted)
            }
            Self::AmongNumbers(amount, list) => {
                let amount = amount.evaluate(look)?;
                Ok(list.iter().any(|one| equal(amount, *one)))
            }
            Self::AmongTexts(words, list) => {
                let words = words.evaluate(look)?;
                Ok(list.iter().any(|one| one == words))
            }
            Self::Choice(parts) => {
                let (condition, then, otherwise) = &**parts;
                if condition.evaluate(look)? {
                    then.evaluate(look)
                } else {
                    otherwise.evaluate(look)
                }
            }
            Self::Search(search, sides) => {
                let [text, part] = &**sides;
                Ok(search.finds(text.evaluate(look)?, part.evaluate(look)?))
            }
            Self::Matches(words, pattern) => Ok(pattern.is_in(words.evaluate(look)?)),
        }
    }
}

/// One part with the value `decisive` decides, whatever the others come to or fail with. Else the
/// first failure counts.
fn decided_by(decisive: bool, parts: &[Truth], look: Look<'_, '_>) -> Evaluated<bool> {
    let mut others = Ok(!decisive);
    for part in parts {
        match part.evaluate(look) {
            Ok(value) if value == decisive => return Ok(decisive),
            Ok(_) => {}
            Err(failure) => others = others.and(Err(failure)),
        }
    }
    others
}

impl Amount {
    fn evaluate(&self, look: Look<'_, '_>) -> Evaluated<f64> {
        match self {
            Self::Constant(number) => Ok(*number),
            Self::Name(name) => number_of(name, look(name)),
            Self::Negate(inner) => Ok(-inner.evaluate(look)?),
            Self::Calculate(first, rest) => {
                let mut result = first.evaluate(look)?;
                for (operator, next) in rest {
                    result = operator.apply(result, next.evaluate(look)?)?;
                }
                Ok(result)
            }
            Self::Choice(parts) => {
                let (condition, then, otherwise) = &**parts;
                if condition.evaluate(look)? {
                    then.evaluate(look)
                } else {
                    otherwise.evaluate(look)
                }
            }
            Self::Size(words) => Ok(size(words.evaluate(look)?)),
        }
    }
}

impl Words {
    fn evaluate<'v, 'a: 'v>(&'v self, look: Look<'_, 'a>) -> Evaluated<&'v str> {
        match self {
            Self::Constant(text) => Ok(text),
            Self::Name(name, values) => text_of(name, values.as_deref(), look(name)),
            Self::Choice(parts) => {
                let (condition, then, otherwise) = &**parts;
                if condition.evaluate(look)? {
                    then.evaluate(look)
                } else {
                    otherwise.evaluate(look)
                }
            }
        }
    }
}

impl Comparison {
    fn holds(self, left: f64, right: f64) -> bool {
        match self {
            Self::Equal => equal(left, right),
            Self::Unequal => !equal(left, right),
            Self::Less => left < right,
            Self::LessOrEqual => left <= right,
            Self::Greater => left > right,
            Self::GreaterOrEqual => left >= right,
        }
    }
}

#[expect(
    clippy::float_cmp,
    reason = "`==` was written, and means the same number in CEL too"
)]
fn equal(left: f64, right: f64) -> bool {
    left == right
}

impl Arithmetic {
    /// What it does, for one who gave it something else.
    pub(super) fn described(self) -> &'static str {
        match self {
            Self::Plus => "`+` adds numbers; texts can't be joined",
            Self::Minus => "`-` subtracts numbers",
            Self::Times => "`*` multiplies numbers",
            Self::DividedBy => "`/` divides numbers",
        }
    }

    fn apply(self, left: f64, right: f64) -> Evaluated<f64> {
        if self == Self::DividedBy && equal(right, 0.0) {
            return Err(Failure::DivisionByZero);
        }
        let result = match self {
            Self::Plus => left + right,
            Self::Minus => left - right,
            Self::Times => left * right,
            Self::DividedBy => left / right,
        };
        // Infinity would go on to be compared as if it had been measured.
        Some(result)
            .filter(|result| result.is_finite())
            .ok_or(Failure::TooLarge)
    }
}

impl Search {
    /// What it does, for one who gave it something else.
    pub(super) fn described(self) -> &'static str {
        match self {
            Self::Anywhere => "`contains` looks for one text in another",
            Self::AtStart => "`startsWith` looks at how a text begins",
            Self::AtEnd => "`endsWith` looks at how a text ends",
        }
    }

    pub(super) fn finds(self, text: &str, part: &str) -> bool {
        match self {
            Self::Anywhere => text.contains(part),
            Self::AtStart => text.starts_with(part),
            Self::AtEnd => text.ends_with(part),
        }
    }
}

#[expect(
    clippy::cast_precision_loss,
    reason = "no text has more than 2^53 characters"
)]
fn size(text: &str) -> f64 {
    text.chars().count() as f64
}

fn truth_of(name: &str, operand: Operand<'_>) -> Evaluated<bool> {
    match operand {
        Operand::Boolean(value) => Ok(value),
        other => Err(Failure::of(name, "true or false", other)),
    }
}

fn number_of(name: &str, operand: Operand<'_>) -> Evaluated<f64> {
    match operand {
        Operand::Number(number) if number.is_finite() => Ok(number),
        Operand::Number(_) => Err(Failure::NotFinite(name.to_owned())),
        other => Err(Failure::of(name, "a number", other)),
    }
}

/// A text that is none of the declared ones would silently be unequal to all of them.
fn text_of<'a>(name: &str, values: Option<&[String]>, operand: Operand<'a>) -> Evaluated<&'a str> {
    let known = |text| values.is_none_or(|values| values.iter().any(|value| value == text));
    match operand {
        Operand::Text(text) if text.len() > MAX_TEXT => Err(Failure::TooLong(name.to_owned())),
        Operand::Text(text) if known(text) => Ok(text),
        Operand::Text(_) => Err(Failure::NotNamed(name.to_owned())),
        other => Err(Failure::of(name, "a text", other)),
    }
}

impl Failure {
    fn of(name: &str, declared: &'static str, operand: Operand<'_>) -> Self {
        let is = match operand {
            Operand::Absent => return Self::Absent(name.to_owned()),
            Operand::Boolean(_) => "true or false",
            Operand::Number(_) => "a number",
            Operand::Text(_) => "a text",
        };
        Self::OtherKind(name.to_owned(), declared, is)
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Absent(name) => write!(f, "`{name}` has no value"),
            Self::OtherKind(name, declared, is) => {
                write!(f, "`{name}` was declared as {declared}, but is {is}")
            }
            Self::NotNamed(name) => write!(f, "`{name}` is none of its declared values"),
            Self::TooLong(name) => write!(f, "`{name}` has more than {MAX_TEXT} bytes"),
            Self::NotFinite(name) => write!(f, "`{name}` is no finite number"),
            Self::DivisionByZero => f.write_str("a division by zero"),
            Self::TooLarge => f.write_str("a result beyond the largest number"),
        }
    }
}
