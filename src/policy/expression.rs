//! Conditions in CEL, as a policy document may write them: read and checked once against the
//! declared names, then asked whether they hold. Which names there are, and what follows from a
//! condition that holds or can't be evaluated, is the business of the policy's triggers.
//!
//! What can be written is a part of CEL, described in docs/expressions.md, that costs time in
//! proportion to its length and no memory worth the name: no loops, no made-up lists or texts.
//! The parts: [`tokens`] reads words, [`syntax`] makes a tree of them, [`check`] makes a typed
//! [`program`] of the tree. A program that was made can't meet a value of a wrong type, since its
//! own types say what each part yields. All of it is linear in the source, bounded in depth before
//! anything is called recursively, and pure.
//!
//! The reader is our own and not that of the crate `cel`: that one takes six million instructions
//! for the first expression of a process (four whole runs of this program), its faster variant
//! doesn't say where a part stands in the source, and neither checks types. The crate is the
//! oracle of the tests instead: what is accepted here is CEL there, and comes to the same.

#[cfg(not(feature = "cel"))]
mod absent;
#[cfg(feature = "cel")]
mod check;
#[cfg(feature = "cel")]
mod comparisons;
pub mod condition;
#[cfg(feature = "cel")]
mod functions;
#[cfg(feature = "cel")]
mod pattern;
#[cfg(feature = "cel")]
mod plain;
mod problems;
#[cfg(feature = "cel")]
mod program;
mod syntax;
mod tokens;

#[cfg(not(feature = "cel"))]
use absent::{Program, compile};
#[cfg(feature = "cel")]
use check::compile;
#[cfg(feature = "cel")]
use program::Program;

/// A source may have this many bytes.
pub const MAX_BYTES: usize = 2_000;
/// Brackets, signs, calls and conditional choices may stand in each other this deep.
pub const MAX_DEPTH: usize = 32;
/// A list behind `in` may have this many elements.
pub const MAX_ELEMENTS: usize = 100;
/// An expression may use this many patterns.
pub const MAX_PATTERNS: usize = 4;
/// A text may have this many bytes to be looked at. With the size of patterns it bounds what the
/// worst of expressions costs: one or two seconds.
pub const MAX_TEXT: usize = 4_096;

/// What a name in an expression is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Kind {
    /// True or false.
    Boolean,
    /// A number; there is one type of them.
    Number,
    /// A text; with the values that it can have, where they are known.
    Text(Option<Vec<String>>),
}

/// A value at evaluation.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Operand<'a> {
    /// True or false.
    Boolean(bool),
    /// A number.
    Number(f64),
    /// A text.
    Text(&'a str),
    /// There is no value.
    Absent,
}

/// What is wrong with an expression.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// Where, as an offset in bytes into the source text; at a whole character, or at its end.
    pub offset: usize,
    /// What is wrong.
    pub message: String,
    /// What stands there.
    pub found: String,
    /// What belongs there.
    pub expected: String,
    /// What to do.
    pub help: String,
}

/// A condition that was read and checked. Two are equal where their source texts are.
#[derive(Debug, Clone)]
pub struct Expression {
    source: String,
    names: Vec<String>,
    program: Program,
}

impl Expression {
    /// Reads `source` and checks it against the declared names, of which the first counts where
    /// one is declared twice. Every problem comes at once, in the order of the source, but at most
    /// [`Warnings::ENOUGH`](crate::diagnostic::Warnings::ENOUGH) of them; behind a fault of syntax
    /// nothing is looked at.
    pub fn parse(source: &str, names: &[(String, Kind)]) -> Result<Self, Vec<Problem>> {
        let (program, used) = compile(source, names)?;
        Ok(Self {
            source: source.to_owned(),
            names: used,
            program,
        })
    }

    /// The source text.
    pub fn source(&self) -> &str {
        &self.source
    }

    /// The declared names that it uses, in the order in which they first stand there.
    pub fn names(&self) -> &[String] {
        &self.names
    }

    /// The plain comparison that says the same, as a document writes it: `below: 80`. `None` where
    /// there is none.
    pub fn as_comparison(&self) -> Option<String> {
        self.program.as_comparison()
    }

    /// The numbers that its names are compared with, a list that is empty for a name that is no
    /// number. Between two of them nothing changes. `None` for an expression that calculates,
    /// compares two names, or looks into a text whose values nobody knows.
    pub fn lines(&self) -> Option<Vec<(String, Vec<f64>)>> {
        let mut lines: Vec<_> = self
            .names
            .iter()
            .map(|name| (name.clone(), Vec::new()))
            .collect();
        self.program.lines(&mut lines).then_some(lines)
    }

    /// Does it hold? `Err` says why that can't be said: an operand that it needs is absent, not
    /// finite, too long, or not what was declared; a division by zero; a result beyond all
    /// numbers. As CEL has it, what decides alone decides: `false && x` is false and `true || x`
    /// true, whatever is wrong with `x`, in either order.
    ///
    /// The work is linear in the length of the source and in that of its texts.
    pub fn holds<'a>(&self, value: &dyn Fn(&str) -> Operand<'a>) -> Result<bool, String> {
        self.program.holds(value)
    }
}

impl PartialEq for Expression {
    fn eq(&self, other: &Self) -> bool {
        self.source == other.source
    }
}

impl Eq for Expression {}

#[cfg(test)]
#[cfg(feature = "cel")]
mod tests;
