//! What of an expression can be said without one, and where its answer can change. For lints.

use super::program::{Amount, Program, Truth, Words};
use super::syntax::Comparison;

/// The numbers that each name is compared with.
type Lines = [(String, Vec<f64>)];

impl Program {
    pub(super) fn as_comparison(&self) -> Option<String> {
        self.0.as_comparison()
    }

    /// False where the answer can change elsewhere, too.
    pub(super) fn lines(&self, lines: &mut Lines) -> bool {
        self.0.lines(lines)
    }
}

impl Truth {
    fn as_comparison(&self) -> Option<String> {
        match self {
            Self::Name(_) => Some("equals: true".to_owned()),
            Self::Not(inner) if matches!(**inner, Self::Name(_)) => {
                Some("equals: false".to_owned())
            }
            Self::Compare(comparison, sides) => {
                let [left, right] = &**sides;
                let (comparison, line) = match (left, right.number(), left.number(), right) {
                    (Amount::Name(_), Some(line), ..) => (*comparison, line),
                    (_, _, Some(line), Amount::Name(_)) => (comparison.turned(), line),
                    _ => return None,
                };
                comparison.key().map(|key| format!("{key}: {line}"))
            }
            Self::SameText(true, sides) => match &**sides {
                [Words::Name(..), Words::Constant(text)]
                | [Words::Constant(text), Words::Name(..)] => Some(format!("equals: {text}")),
                _ => None,
            },
            Self::AmongNumbers(amount, list) if matches!(**amount, Amount::Name(_)) => {
                let list: Vec<String> = list.iter().map(f64::to_string).collect();
                Some(format!("one_of: [{}]", list.join(", ")))
            }
            Self::AmongTexts(words, list) if matches!(**words, Words::Name(..)) => {
                Some(format!("one_of: [{}]", list.join(", ")))
            }
            _ => None,
        }
    }

    fn lines(&self, lines: &mut Lines) -> bool {
        match self {
            Self::Constant(_) | Self::Name(_) => true,
            Self::Not(inner) => inner.lines(lines),
            Self::All(parts) | Self::Any(parts) => parts.iter().all(|part| part.lines(lines)),
            Self::Compare(_, sides) => match &**sides {
                [Amount::Name(name), line] | [line, Amount::Name(name)] => {
                    line.number().is_some_and(|line| add(lines, name, line))
                }
                _ => false,
            },
            Self::Alike(_, sides) => sides.iter().all(|side| side.lines(lines)),
            Self::SameText(_, sides) | Self::Search(_, sides) => {
                sides.iter().all(|side| side.is_known(lines))
            }
            Self::AmongNumbers(amount, list) => match &**amount {
                Amount::Name(name) => list.iter().all(|line| add(lines, name, *line)),
                _ => false,
            },
            Self::AmongTexts(words, _) | Self::Matches(words, _) => words.is_known(lines),
            Self::Choice(parts) => {
                let (condition, then, otherwise) = &**parts;
                [condition, then, otherwise]
                    .into_iter()
                    .all(|part| part.lines(lines))
            }
        }
    }
}

fn add(lines: &mut Lines, name: &str, line: f64) -> bool {
    let of_it = lines.iter_mut().find(|(known, _)| known == name);
    if let Some((_, numbers)) = of_it {
        numbers.push(line);
    }
    true
}

impl Words {
    /// True where every text that it can be is known.
    fn is_known(&self, lines: &mut Lines) -> bool {
        match self {
            Self::Constant(_) => true,
            Self::Name(_, values) => values.is_some(),
            Self::Choice(parts) => {
                let (condition, then, otherwise) = &**parts;
                condition.lines(lines) && then.is_known(lines) && otherwise.is_known(lines)
            }
        }
    }
}

impl Amount {
    /// The number that it is, where it looks at nothing.
    fn number(&self) -> Option<f64> {
        match self {
            Self::Constant(number) => Some(*number),
            Self::Negate(inner) => inner.number().map(|number| -number),
            _ => None,
        }
    }
}

impl Comparison {
    /// The same with its sides exchanged.
    fn turned(self) -> Self {
        match self {
            Self::Less => Self::Greater,
            Self::LessOrEqual => Self::GreaterOrEqual,
            Self::Greater => Self::Less,
            Self::GreaterOrEqual => Self::LessOrEqual,
            same => same,
        }
    }

    /// The key of a document that says it.
    fn key(self) -> Option<&'static str> {
        Some(match self {
            Self::Less => "below",
            Self::LessOrEqual => "at_most",
            Self::Greater => "above",
            Self::GreaterOrEqual => "at_least",
            Self::Equal => "equals",
            Self::Unequal => return None,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Expression, Kind};

    fn parsed(source: &str) -> Expression {
        let words = ["ok", "late"].map(str::to_owned).to_vec();
        let names = [
            ("coverage".to_owned(), Kind::Number),
            ("faults".to_owned(), Kind::Number),
            ("locked".to_owned(), Kind::Boolean),
            ("status".to_owned(), Kind::Text(Some(words))),
            ("note".to_owned(), Kind::Text(None)),
        ];
        Expression::parse(source, &names).unwrap()
    }

    #[test]
    fn what_a_comparison_can_say() {
        let table = [
            ("coverage < 80.0", Some("below: 80")),
            ("80.5 >= coverage", Some("at_most: 80.5")),
            ("coverage == -1.0", Some("equals: -1")),
            ("-1.0 < coverage", Some("above: -1")),
            ("coverage != 3.0", None),
            ("coverage < faults", None),
            ("coverage + 1.0 < 3.0", None),
            ("coverage < 80.0 && faults > 3.0", None),
            ("locked", Some("equals: true")),
            ("!locked", Some("equals: false")),
            ("status == 'late'", Some("equals: late")),
            ("status in ['late', 'ok']", Some("one_of: [late, ok]")),
            ("coverage in [1.0, 2.5]", Some("one_of: [1, 2.5]")),
            ("status != 'late'", None),
        ];
        for (source, expected) in table {
            assert_eq!(
                parsed(source).as_comparison().as_deref(),
                expected,
                "{source}"
            );
        }
    }

    #[test]
    fn where_an_answer_can_change() {
        let numbers = |source: &str| {
            let lines = parsed(source).lines()?;
            Some(
                lines
                    .into_iter()
                    .map(|(name, numbers)| format!("{name} {numbers:?}"))
                    .collect::<Vec<_>>()
                    .join(", "),
            )
        };
        let table = [
            (
                "coverage < 80.0 && (faults > 3.0 || 90.0 < coverage)",
                Some("coverage [80.0, 90.0], faults [3.0]"),
            ),
            (
                "locked ? coverage < -1.0 : status == 'late'",
                Some("locked [], coverage [-1.0], status []"),
            ),
            (
                "status.matches('l.*') || !(faults in [1.0, 2.0])",
                Some("status [], faults [1.0, 2.0]"),
            ),
            ("coverage < faults", None),
            ("coverage * 2.0 < 3.0", None),
            ("note.contains('x')", None),
            ("size(status) > 2.0", None),
        ];
        for (source, expected) in table {
            assert_eq!(numbers(source).as_deref(), expected, "{source}");
        }
    }
}
