//! Comparisons in an expression: which kinds can be compared, and that the answer depends on what
//! is read.

use super::Problem;
use super::check::{Checker, Typed};
use super::problems::{Span, nearest, one_of, quoted};
use super::program::{Truth, Words};
use super::syntax::{Comparison, Node, Shape};

impl Checker<'_> {
    pub(super) fn compare(
        &mut self,
        comparison: Comparison,
        at: Span,
        sides: &[Node; 2],
    ) -> Option<Truth> {
        let [left, right] = sides;
        let typed = (self.typed(left), self.typed(right));
        if matches!(typed, (Typed::Wrong, _) | (_, Typed::Wrong)) {
            return None;
        }
        if !left.uses_a_name() && !right.uses_a_name() {
            self.problems
                .push(constant(left.span.to(right.span), self.source));
        }
        let equality = match comparison {
            Comparison::Equal => Some(true),
            Comparison::Unequal => Some(false),
            _ => None,
        };
        match (typed, equality) {
            ((Typed::Amount(left), Typed::Amount(right)), _) => {
                Some(Truth::Compare(comparison, Box::new([left, right])))
            }
            ((Typed::Truth(left), Typed::Truth(right)), Some(equal)) => {
                Some(Truth::Alike(equal, Box::new([left, right])))
            }
            ((Typed::Words(one), Typed::Words(other)), Some(equal)) => {
                self.named_values(left, &other);
                self.named_values(right, &one);
                self.disjoint(at, (left, &one), (right, &other));
                Some(Truth::SameText(equal, Box::new([one, other])))
            }
            (typed, _) => {
                self.problems.push(self.incomparable(at, sides, &typed));
                None
            }
        }
    }

    fn incomparable(&self, at: Span, sides: &[Node; 2], typed: &(Typed, Typed)) -> Problem {
        let operator = self.quoted(at);
        let [left, right] = sides;
        let (message, expected, help) = match typed {
            (Typed::Words(_), Typed::Words(_)) => (
                format!("{operator} can't compare texts: they have no order here"),
                "numbers",
                "name the texts that are meant, such as `risk in ['medium', 'high']`",
            ),
            (Typed::Truth(_), Typed::Truth(_)) => (
                format!("{operator} can't compare what is true or false"),
                "numbers",
                "use `&&`, `||`, `==` or `!=`",
            ),
            _ => (
                format!("{operator} compares two things of different kinds"),
                "two numbers, two texts, or two conditions",
                match typed {
                    _ if number_in_quotes(left) || number_in_quotes(right) => {
                        "write the number without quotes"
                    }
                    (Typed::Truth(_), _) | (_, Typed::Truth(_)) => {
                        "use what is true or false by itself, or with `!` before it"
                    }
                    _ => "write a text in quotes, and a number without",
                },
            ),
        };
        Problem::new(at.start, message)
            .found(format!(
                "{}; {}",
                self.described(left, &typed.0),
                self.described(right, &typed.1)
            ))
            .expected(expected)
            .help(help)
    }

    /// Reports the texts of `node` that `other` can't have as its value.
    fn named_values(&mut self, node: &Node, other: &Words) {
        let mut literals = Vec::new();
        node.literals(&mut literals);
        // Of two constants it was said already that they are that.
        let Some(values) = other.declared_values() else {
            return;
        };
        for (text, span) in literals {
            if !values.contains(&text) {
                self.problems.push(no_value(text, span, &values));
            }
        }
    }

    /// Reports two names that have no value in common.
    fn disjoint(&mut self, at: Span, one: (&Node, &Words), other: (&Node, &Words)) {
        let (Words::Name(_, Some(left)), Words::Name(_, Some(right))) = (one.1, other.1) else {
            return;
        };
        if left.iter().any(|value| right.contains(value)) {
            return;
        }
        self.problems.push(
            Problem::new(at.start, "the two have no value in common")
                .found(format!(
                    "{} and {}",
                    self.quoted(one.0.span),
                    self.quoted(other.0.span)
                ))
                .expected(format!(
                    "two of the same values; the one has {}, the other {}",
                    one_of(left.iter().map(String::as_str)),
                    one_of(right.iter().map(String::as_str))
                ))
                .help("compare each with a text"),
        );
    }

    pub(super) fn among(&mut self, at: Span, sides: &[Node; 2]) -> Option<Truth> {
        let [value, list] = sides;
        let typed = self.typed(value);
        let Shape::List(elements) = &list.shape else {
            self.problems.push(
                Problem::new(list.span.start, "`in` looks for a value in a list")
                    .found(self.quoted(list.span))
                    .expected("a list of numbers or texts, such as `['medium', 'high']`")
                    .help("write the values in square brackets; a part of a text is found with `.contains('…')`"),
            );
            return None;
        };
        if elements.is_empty() {
            self.problems.push(
                Problem::new(list.span.start, "nothing is in an empty list")
                    .found("`[]`")
                    .expected("at least one element")
                    .help("write the values that are meant"),
            );
        }
        if !value.uses_a_name() {
            self.problems
                .push(constant(value.span.to(list.span), self.source));
        }
        match typed {
            Typed::Amount(amount) => {
                let numbers = self.elements(elements, "a number", |shape| match shape {
                    Shape::Number(number) => Some(*number),
                    _ => None,
                });
                Some(Truth::AmongNumbers(Box::new(amount), numbers))
            }
            Typed::Words(words) => {
                let texts = self.elements(elements, "a text", |shape| match shape {
                    Shape::Text(text) => Some(text.clone()),
                    _ => None,
                });
                for element in elements {
                    self.named_values(element, &words);
                }
                Some(Truth::AmongTexts(Box::new(words), texts))
            }
            Typed::Truth(_) => {
                self.problems.push(
                    Problem::new(at.start, "`in` can't look for what is true or false")
                        .found(self.described(value, &typed))
                        .expected("a number or a text")
                        .help("use it as a condition by itself, or with `!` before it"),
                );
                None
            }
            Typed::Wrong => None,
        }
    }

    /// The elements of a list, each of which has to be written out.
    fn elements<T>(
        &mut self,
        elements: &[Node],
        expected: &str,
        literal: impl Fn(&Shape) -> Option<T>,
    ) -> Vec<T> {
        let mut found = Vec::new();
        for element in elements {
            match literal(&element.shape) {
                Some(value) => found.push(value),
                None => self.problems.push(
                    Problem::new(
                        element.span.start,
                        "the element is not of the kind that is looked for",
                    )
                    .found(self.quoted(element.span))
                    .expected(format!("{expected}, written out"))
                    .help("compare with anything else by `==`"),
                ),
            }
        }
        found
    }
}

impl Words {
    /// The values that it can have by declaration.
    fn declared_values(&self) -> Option<Vec<&str>> {
        match self {
            Self::Constant(_) => None,
            Self::Name(_, values) => {
                let values = values.as_ref()?;
                Some(values.iter().map(String::as_str).collect())
            }
            Self::Choice(parts) => {
                let (_, then, otherwise) = &**parts;
                let mut all = then.possible()?;
                all.extend(otherwise.possible()?);
                Some(all)
            }
        }
    }

    fn possible(&self) -> Option<Vec<&str>> {
        match self {
            Self::Constant(text) => Some(vec![text]),
            _ => self.declared_values(),
        }
    }
}

impl Node {
    /// The texts written out that it can come to.
    fn literals<'n>(&'n self, found: &mut Vec<(&'n str, Span)>) {
        match &self.shape {
            Shape::Text(text) => found.push((text, self.span)),
            Shape::Choice(parts) => {
                let [_, then, otherwise] = &**parts;
                then.literals(found);
                otherwise.literals(found);
            }
            _ => {}
        }
    }
}

pub(super) fn number_in_quotes(node: &Node) -> bool {
    matches!(&node.shape, Shape::Text(text) if text.trim().parse::<f64>().is_ok())
}

fn no_value(text: &str, span: Span, values: &[&str]) -> Problem {
    let all = one_of(values.iter().copied());
    let help = match nearest(text, values.iter().copied()) {
        Some(near) => format!("did you mean {}?", quoted(near)),
        None => "use one of the declared values, or declare this one too".to_owned(),
    };
    Problem::new(
        span.start,
        format!("{} is none of the declared values", quoted(text)),
    )
    .found(quoted(text))
    .expected(all)
    .help(help)
}

fn constant(span: Span, source: &str) -> Problem {
    Problem::new(
        span.start,
        "the comparison looks at nothing: it always comes out alike",
    )
    .found(span.quoted(source))
    .expected("a declared name on one side at least")
    .help("compare with a declared name, or remove the comparison")
}
