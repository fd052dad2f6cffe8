//! From a source text to a typed program: whether every name is declared, and every part of the
//! kind that is needed there. Comparisons are checked in `comparisons`, calls in `functions`.

use super::comparisons::number_in_quotes;
use super::problems::{Problems, Span, nearest, one_of, quoted};
use super::program::{Amount, Program, Truth, Words};
use super::syntax::{Arithmetic, Node, Shape, tree};
use super::tokens::{self, Lexeme, Token};
use super::{Kind, MAX_BYTES, Problem};

/// A part whose kind is known.
pub(super) enum Typed {
    Truth(Truth),
    Amount(Amount),
    Words(Words),
    /// A problem of it was reported already.
    Wrong,
}

/// Reads and checks an expression: the program, and the declared names that it uses.
pub(super) fn compile(
    source: &str,
    names: &[(String, Kind)],
) -> Result<(Program, Vec<String>), Vec<Problem>> {
    if source.len() > MAX_BYTES {
        return Err(vec![too_long(source)]);
    }
    let mut checker = Checker {
        source,
        declared: names,
        used: Vec::new(),
        unknown: Vec::new(),
        patterns: 0,
        problems: Problems::default(),
    };
    let program = checker.program();
    match program {
        Some(program) if checker.problems.is_empty() => Ok((program, checker.used)),
        _ => Err(checker.problems.into_vec()),
    }
}

fn too_long(source: &str) -> Problem {
    Problem::new(0, "the expression is too long")
        .found(format!("{} bytes", source.len()))
        .expected(format!("at most {MAX_BYTES} bytes"))
        .help("write several triggers instead of one")
}

pub(super) struct Checker<'s> {
    pub(super) source: &'s str,
    declared: &'s [(String, Kind)],
    used: Vec<String>,
    /// The unknown names that were reported.
    unknown: Vec<String>,
    /// How many patterns there are so far.
    pub(super) patterns: usize,
    pub(super) problems: Problems,
}

impl Checker<'_> {
    fn program(&mut self) -> Option<Program> {
        let tokens = tokens::read(self.source, &mut self.problems)?;
        let root = match tree(self.source, &tokens) {
            Ok(root) => root,
            Err(problem) => {
                self.names_before(problem.offset, &tokens);
                self.problems.push(problem);
                return None;
            }
        };
        let truth = self.whole(&root)?;
        if self.used.is_empty() && self.problems.is_empty() {
            self.problems.push(
                Problem::new(root.span.start, "the expression looks at nothing")
                    .found(self.quoted(root.span))
                    .expected("at least one declared name")
                    .help(self.help_with_names()),
            );
        }
        Some(Program(truth))
    }

    fn whole(&mut self, root: &Node) -> Option<Truth> {
        let typed = self.typed(root);
        self.needs_truth(typed, root, "the expression is no condition")
    }

    pub(super) fn quoted(&self, span: Span) -> String {
        span.quoted(self.source)
    }

    /// What stands there, and what it is.
    pub(super) fn described(&self, node: &Node, typed: &Typed) -> String {
        let quoted = self.quoted(node.span);
        match typed {
            Typed::Truth(_) => format!("{quoted}, which is true or false"),
            Typed::Amount(_) => format!("{quoted}, a number"),
            Typed::Words(_) => format!("{quoted}, a text"),
            Typed::Wrong => quoted,
        }
    }

    pub(super) fn typed(&mut self, node: &Node) -> Typed {
        match &node.shape {
            Shape::Boolean(value) => Typed::Truth(Truth::Constant(*value)),
            Shape::Number(number) => Typed::Amount(Amount::Constant(*number)),
            Shape::Text(text) => Typed::Words(Words::Constant(text.clone())),
            Shape::Name(name) => self.name(name, node.span),
            Shape::Not(inner) => {
                let inner = self.truth(inner, "`!` turns a condition round");
                inner.map(Box::new).map(Truth::Not).into()
            }
            Shape::Negate(inner) => {
                let inner = self.amount(inner, "`-` needs a number");
                inner.map(Box::new).map(Amount::Negate).into()
            }
            Shape::All(parts) => {
                let parts = self.conditions(parts, "`&&` joins conditions");
                parts.map(Truth::All).into()
            }
            Shape::Any(parts) => {
                let parts = self.conditions(parts, "`||` joins conditions");
                parts.map(Truth::Any).into()
            }
            Shape::Compare(comparison, at, sides) => self.compare(*comparison, *at, sides).into(),
            Shape::In(at, sides) => self.among(*at, sides).into(),
            Shape::Calculate(first, rest) => self.calculate(first, rest).into(),
            Shape::Choice(parts) => self.choice(parts, node.span),
            Shape::List(_) => {
                self.problems.push(list_elsewhere(node.span, self.source));
                Typed::Wrong
            }
            Shape::Call(call) => self.call(call),
        }
    }

    fn truth(&mut self, node: &Node, why: &str) -> Option<Truth> {
        let typed = self.typed(node);
        self.needs_truth(typed, node, why)
    }

    fn needs_truth(&mut self, typed: Typed, node: &Node, message: &str) -> Option<Truth> {
        let part = self.quoted(node.span);
        let help = match &typed {
            Typed::Truth(_) | Typed::Wrong => return typed.into_truth(),
            Typed::Amount(_) => format!("compare it, such as {}", hint(&part, " > 0")),
            Typed::Words(_) => format!("compare it, such as {}", hint(&part, " == 'high'")),
        };
        self.problems.push(
            Problem::new(node.span.start, message)
                .found(self.described(node, &typed))
                .expected("something that is true or false")
                .help(help),
        );
        None
    }

    fn amount(&mut self, node: &Node, message: &str) -> Option<Amount> {
        let typed = self.typed(node);
        let help = match typed {
            Typed::Amount(amount) => return Some(amount),
            Typed::Wrong => return None,
            Typed::Truth(_) => "turn it into a number: `(… ? 1 : 0)`",
            Typed::Words(_) if number_in_quotes(node) => "write the number without quotes",
            Typed::Words(_) => "use a signal that is a number, or compare the text as it is",
        };
        self.problems.push(
            Problem::new(node.span.start, message)
                .found(self.described(node, &typed))
                .expected("a number")
                .help(help),
        );
        None
    }

    pub(super) fn words(&mut self, node: &Node, message: &str) -> Option<Words> {
        let typed = self.typed(node);
        let help = match typed {
            Typed::Words(words) => return Some(words),
            Typed::Wrong => return None,
            Typed::Truth(_) => "use it as a condition by itself",
            Typed::Amount(_) => "compare the number with `<`, `==` and the like",
        };
        self.problems.push(
            Problem::new(node.span.start, message)
                .found(self.described(node, &typed))
                .expected("a text")
                .help(help),
        );
        None
    }

    /// All of them are looked at, whatever is wrong with one.
    fn conditions(&mut self, parts: &[Node], message: &str) -> Option<Vec<Truth>> {
        let parts: Vec<_> = parts.iter().map(|part| self.truth(part, message)).collect();
        parts.into_iter().collect()
    }

    fn name(&mut self, name: &str, span: Span) -> Typed {
        let Some((_, kind)) = self.declared.iter().find(|(known, _)| known == name) else {
            self.unknown_name(name, span);
            return Typed::Wrong;
        };
        let kind = kind.clone();
        if !self.used.iter().any(|used| used == name) {
            self.used.push(name.to_owned());
        }
        let name = name.to_owned();
        match kind {
            Kind::Boolean => Typed::Truth(Truth::Name(name)),
            Kind::Number => Typed::Amount(Amount::Name(name)),
            Kind::Text(values) => Typed::Words(Words::Name(name, values)),
        }
    }

    fn unknown_name(&mut self, name: &str, span: Span) {
        if self.problems.are_enough() || self.unknown.iter().any(|unknown| unknown == name) {
            return;
        }
        self.unknown.push(name.to_owned());
        let known = self.declared.iter().map(|(known, _)| known.as_str());
        // A declared name with a hyphen is read as a subtraction.
        let hyphenated = known
            .clone()
            .find(|known| known.contains('-') && known.split('-').any(|part| part == name));
        let help = match (hyphenated, nearest(name, known)) {
            (Some(whole), _) => format!(
                "{} reads as a subtraction here: give it a name with `_` instead of `-`",
                quoted(whole)
            ),
            (None, Some(near)) => format!("did you mean {}?", quoted(near)),
            (None, None) if name.contains('.') => {
                "write the name alone: what was declared has no parts".to_owned()
            }
            (None, None) => self.help_with_names(),
        };
        let expected = match self.declared {
            [] => "a declared name, of which there is none".to_owned(),
            declared => one_of(declared.iter().map(|(known, _)| known.as_str())),
        };
        self.problems.push(
            Problem::new(span.start, format!("{} is not declared", quoted(name)))
                .found(quoted(name))
                .expected(expected)
                .help(help),
        );
    }

    fn help_with_names(&self) -> String {
        match self.declared.first() {
            None => "declare a signal first".to_owned(),
            Some((name, kind)) => {
                let rest = match kind {
                    Kind::Boolean => "",
                    Kind::Number => " < 80",
                    Kind::Text(_) => " == '…'",
                };
                let example = format!("{name}{rest}");
                format!("use a declared name, such as {}", quoted(&example))
            }
        }
    }

    /// The unknown names among the words that could be read before the syntax fault.
    fn names_before(&mut self, fault: usize, tokens: &[Token<'_>]) {
        let mut before = None;
        let mut tokens = tokens.iter().peekable();
        while let Some(token) = tokens.next() {
            let sign = |token: &Token<'_>, sign| token.lexeme == Lexeme::Sign(sign);
            let part = before.is_some_and(|token| sign(token, "."));
            let more = tokens
                .peek()
                .is_some_and(|token| sign(token, ".") || sign(token, "("));
            before = Some(token);
            let Lexeme::Word(word) = token.lexeme else {
                continue;
            };
            let literal = matches!(word, "true" | "false" | "null" | "in");
            let known = self.declared.iter().any(|(known, _)| known == word);
            if token.span.end < fault && !part && !more && !literal && !known {
                self.unknown_name(word, token.span);
            }
        }
    }

    fn calculate(&mut self, first: &Node, rest: &[(Arithmetic, Span, Node)]) -> Option<Amount> {
        let message = rest
            .first()
            .map_or("", |(operator, _, _)| operator.described());
        let start = self.amount(first, message);
        let mut parts = Vec::new();
        for (operator, at, node) in rest {
            if *operator == Arithmetic::DividedBy && node.is_zero() {
                self.problems.push(
                    Problem::new(at.start, "a division by zero has no result")
                        .found(self.quoted(at.to(node.span)))
                        .expected("a number other than 0")
                        .help("correct the number"),
                );
            }
            let amount = self.amount(node, operator.described());
            parts.push(amount.map(|amount| (*operator, amount)));
        }
        let parts: Option<Vec<_>> = parts.into_iter().collect();
        Some(Amount::Calculate(Box::new(start?), parts?))
    }

    fn choice(&mut self, parts: &[Node; 3], span: Span) -> Typed {
        let [condition, then, otherwise] = parts;
        let condition = self.truth(condition, "what stands before `?` is no condition");
        let typed = (self.typed(then), self.typed(otherwise));
        match (condition, typed) {
            (Some(condition), (Typed::Truth(then), Typed::Truth(otherwise))) => {
                Typed::Truth(Truth::Choice(Box::new((condition, then, otherwise))))
            }
            (Some(condition), (Typed::Amount(then), Typed::Amount(otherwise))) => {
                Typed::Amount(Amount::Choice(Box::new((condition, then, otherwise))))
            }
            (Some(condition), (Typed::Words(then), Typed::Words(otherwise))) => {
                Typed::Words(Words::Choice(Box::new((condition, then, otherwise))))
            }
            (_, (Typed::Wrong, _) | (_, Typed::Wrong)) => Typed::Wrong,
            (_, (left, right)) => {
                if !left.is_like(&right) {
                    self.problems.push(
                        Problem::new(span.start, "a choice gives two things of different kinds")
                            .found(format!(
                                "{}; {}",
                                self.described(then, &left),
                                self.described(otherwise, &right)
                            ))
                            .expected("two numbers, two texts, or two conditions")
                            .help("write the same kind on both sides of `:`"),
                    );
                }
                Typed::Wrong
            }
        }
    }
}

impl Typed {
    fn into_truth(self) -> Option<Truth> {
        match self {
            Self::Truth(truth) => Some(truth),
            _ => None,
        }
    }

    fn is_like(&self, other: &Self) -> bool {
        matches!(
            (self, other),
            (Self::Truth(_), Self::Truth(_))
                | (Self::Amount(_), Self::Amount(_))
                | (Self::Words(_), Self::Words(_))
        )
    }
}

impl From<Option<Truth>> for Typed {
    fn from(truth: Option<Truth>) -> Self {
        truth.map_or(Self::Wrong, Self::Truth)
    }
}

impl From<Option<Amount>> for Typed {
    fn from(amount: Option<Amount>) -> Self {
        amount.map_or(Self::Wrong, Self::Amount)
    }
}

impl Node {
    /// Whether anything that is read has a part in it.
    pub(super) fn uses_a_name(&self) -> bool {
        match &self.shape {
            Shape::Name(_) => true,
            Shape::Boolean(_) | Shape::Number(_) | Shape::Text(_) => false,
            Shape::Not(inner) | Shape::Negate(inner) => inner.uses_a_name(),
            Shape::All(parts) | Shape::Any(parts) | Shape::List(parts) => {
                parts.iter().any(Self::uses_a_name)
            }
            Shape::Compare(_, _, sides) | Shape::In(_, sides) => {
                sides.iter().any(Self::uses_a_name)
            }
            Shape::Calculate(first, rest) => {
                first.uses_a_name() || rest.iter().any(|(_, _, part)| part.uses_a_name())
            }
            Shape::Choice(parts) => parts.iter().any(Self::uses_a_name),
            Shape::Call(call) => {
                let mut parts = call.receiver.iter().chain(&call.arguments);
                parts.any(Self::uses_a_name)
            }
        }
    }

    fn is_zero(&self) -> bool {
        matches!(self.shape, Shape::Number(number) if number.abs() <= 0.0)
    }
}

/// The part with what makes a condition of it.
fn hint(part: &str, rest: &str) -> String {
    match part.strip_suffix('`') {
        Some(part) => format!("{part}{rest}`"),
        None => part.to_owned(),
    }
}

fn list_elsewhere(span: Span, source: &str) -> Problem {
    Problem::new(span.start, "a list can stand behind `in` only")
        .found(span.quoted(source))
        .expected("a number, a text, or something that is true or false")
        .help("write `x in ['medium', 'high']`")
}
