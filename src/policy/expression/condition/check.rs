//! From a source text to a condition: which attributes it reads, what each is held against, and
//! whether every `has` stands where "absent" can't allow anything.

use super::super::problems::{Problems, Span, nearest, one_of, quoted};
use super::super::syntax::{Call, Comparison, Node, RESERVED, Shape, tree};
use super::super::{MAX_BYTES, Problem, tokens};
use super::truth::{Atom, Literal, Search, Side, Truth};
use super::{Kinds, Paths, Purpose, Slot};

/// The functions, with how each is written.
const FUNCTIONS: &[(&str, &str)] = &[
    ("has", "has(agent.user_id)"),
    ("contains", "data.path.contains('part')"),
    ("startsWith", "data.path.startsWith('beginning')"),
    ("endsWith", "data.path.endsWith('end')"),
];

/// What CEL keeps for itself beside the reserved words: no attribute can be called so either.
const WORDS: &[&str] = &["in", "true", "false", "null"];

pub(super) const TEXT: &str = "a text";
const NUMBER: &str = "a number";
const FLAG: &str = "true or false";
const LIST: &str = "a list";

/// Reads and checks a condition.
pub(super) fn condition(
    source: &str,
    purpose: Purpose,
    paths: &mut Paths,
    kinds: &mut Kinds,
) -> Result<Truth, Vec<Problem>> {
    if source.len() > MAX_BYTES {
        return Err(vec![too_long(source)]);
    }
    let mut problems = Problems::default();
    let Some(words) = tokens::read(source, &mut problems) else {
        return Err(problems.into_vec());
    };
    let root = match tree(source, &words) {
        Ok(root) if problems.is_empty() => root,
        Ok(_) => return Err(problems.into_vec()),
        Err(problem) => {
            problems.push(in_own_words(problem));
            return Err(problems.into_vec());
        }
    };
    let mut checker = Checker {
        source,
        purpose,
        paths,
        kinds,
        problems,
    };
    match checker.truth(&root, true) {
        Some(truth) if checker.problems.is_empty() => Ok(truth),
        _ => Err(checker.problems.into_vec()),
    }
}

fn too_long(source: &str) -> Problem {
    Problem::new(0, "the condition is too long")
        .found(format!("{} bytes", source.len()))
        .expected(format!("at most {MAX_BYTES} bytes"))
        .help("write several rules instead of one")
}

/// The help of the grammar speaks of triggers and signals.
fn in_own_words(problem: Problem) -> Problem {
    let help = match problem.message.as_str() {
        "the expression ends too early" => {
            "write a condition, such as `agent.user_id == data.owner_user_id`"
        }
        "`null` can't be used in an expression" => {
            "ask `has(…)`; `null` in a request is as good as absent"
        }
        _ if problem.help.contains("several triggers") => "write several rules instead of one",
        _ => return problem,
    };
    problem.help(help)
}

struct Checker<'s> {
    source: &'s str,
    purpose: Purpose,
    paths: &'s mut Paths,
    kinds: &'s mut Kinds,
    problems: Problems,
}

impl Checker<'_> {
    fn quoted(&self, span: Span) -> String {
        span.quoted(self.source)
    }

    /// A part that is true or false. `upright` is false below an odd number of `!`.
    fn truth(&mut self, node: &Node, upright: bool) -> Option<Truth> {
        match &node.shape {
            Shape::Boolean(holds) => Some(Truth::Constant(*holds)),
            Shape::Name(path) => {
                let slot = self.path(path, node.span, Some(FLAG))?;
                Some(Truth::Atom(Atom::Flag(slot)))
            }
            Shape::Not(inner) => {
                let inner = self.truth(inner, !upright)?;
                Some(Truth::Not(Box::new(inner)))
            }
            Shape::All(parts) => self.truths(parts, upright).map(Truth::All),
            Shape::Any(parts) => self.truths(parts, upright).map(Truth::Any),
            Shape::Compare(comparison, at, sides) => self.compare(*comparison, *at, sides),
            Shape::In(at, sides) => self.among(*at, sides),
            Shape::Call(call) => self.call(call, upright),
            Shape::Choice(_) => {
                self.refuse(
                    node,
                    "a choice can't be made in a condition about a request",
                    "write both ways with `&&` and `||`, or two rules",
                );
                None
            }
            _ => {
                self.refuse(
                    node,
                    "this is neither true nor false",
                    "hold an attribute against it: `data.level <= 3`",
                );
                None
            }
        }
    }

    /// All parts, each looked at whatever the others are.
    fn truths(&mut self, parts: &[Node], upright: bool) -> Option<Vec<Truth>> {
        let truths: Vec<_> = parts.iter().map(|part| self.truth(part, upright)).collect();
        truths.into_iter().collect()
    }

    fn refuse(&mut self, node: &Node, message: &str, help: &str) {
        let found = self.quoted(node.span);
        self.problems.push(
            Problem::new(node.span.start, message)
                .found(found)
                .expected("a comparison, `in`, a function, or an attribute that is true or false")
                .help(help),
        );
    }

    /// The number of a path. `kind` is what it has to be there, where that can be told.
    fn path(&mut self, path: &str, span: Span, kind: Option<&'static str>) -> Option<Slot> {
        let is_kept = |key: &&str| WORDS.contains(key) || RESERVED.contains(key);
        if let Some(kept) = path.split('.').find(is_kept) {
            self.problems.push(
                Problem::new(span.start, "no attribute can be called so in CEL")
                    .found(quoted(kept))
                    .expected("a name that CEL does not keep for itself")
                    .help("have requests call the attribute otherwise"),
            );
            return None;
        }
        let slot = self.paths.slot(path);
        let Some(kind) = kind else { return Some(slot) };
        let known = *self.kinds.0.entry(slot).or_insert(kind);
        if known != kind {
            self.problems.push(
                Problem::new(
                    span.start,
                    format!("{} is taken for two kinds of value", quoted(path)),
                )
                .found(format!("{kind} here, and {known} before, in this document"))
                .expected("one kind for an attribute: of another it has no answer")
                .help("hold it against the same kind of value everywhere"),
            );
            return None;
        }
        Some(slot)
    }

    /// An attribute or a value that is written out. `kind` is what it has to be, where that is known.
    fn side(&mut self, node: &Node, kind: Option<&'static str>) -> Option<Side> {
        let side = match &node.shape {
            Shape::Name(path) => return self.path(path, node.span, kind).map(Side::Path),
            Shape::Boolean(flag) => Side::Flag(*flag),
            Shape::Number(number) => Side::Number(Literal::new(*number)),
            Shape::Text(text) => Side::Text(text.as_str().into()),
            _ => {
                let found = self.quoted(node.span);
                self.problems.push(
                    Problem::new(node.span.start, "this can't be compared here")
                        .found(found)
                        .expected("an attribute, a text, a number, `true` or `false`")
                        .help("have the request bring what would have to be calculated"),
                );
                return None;
            }
        };
        let is = kind_of(&side);
        if kind.is_some_and(|kind| is != Some(kind)) {
            let found = self.quoted(node.span);
            let kind = kind.unwrap_or_default();
            self.problems.push(
                Problem::new(node.span.start, "the value is of another kind")
                    .found(format!("{found}, {}", is.unwrap_or_default()))
                    .expected(kind)
                    .help(format!("write {kind} there")),
            );
            return None;
        }
        Some(side)
    }

    /// Both sides, each taken for the kind that the other tells.
    fn sides(
        &mut self,
        at: Span,
        sides: &[Node; 2],
        kind: Option<&'static str>,
    ) -> Option<[Side; 2]> {
        let [left, right] = sides;
        let told = |node: &Node| match node.shape {
            Shape::Boolean(_) => Some(FLAG),
            Shape::Number(_) => Some(NUMBER),
            Shape::Text(_) => Some(TEXT),
            _ => None,
        };
        let (of_left, of_right) = (kind.or(told(right)), kind.or(told(left)));
        let (left, right) = (self.side(left, of_left), self.side(right, of_right));
        let sides = [left?, right?];
        if sides.iter().all(|side| !matches!(side, Side::Path(_))) {
            self.looks_at_nothing(at);
            return None;
        }
        Some(sides)
    }

    fn looks_at_nothing(&mut self, at: Span) {
        self.problems.push(
            Problem::new(at.start, "this looks at no attribute of the request")
                .found(self.quoted(at))
                .expected("an attribute, such as `agent.user_id`, on one side")
                .help("name an attribute, or write `true` for a rule that always speaks"),
        );
    }

    fn compare(&mut self, comparison: Comparison, at: Span, sides: &[Node; 2]) -> Option<Truth> {
        let is_order = !matches!(comparison, Comparison::Equal | Comparison::Unequal);
        let [left, right] = self.sides(at, sides, is_order.then_some(NUMBER))?;
        let atom = match comparison {
            Comparison::Equal => Atom::Equal(left, right),
            Comparison::Unequal => {
                let equal = Truth::Atom(Atom::Equal(left, right));
                return Some(Truth::Not(Box::new(equal)));
            }
            Comparison::Less => Atom::Less(left, right),
            Comparison::LessOrEqual => Atom::LessOrEqual(left, right),
            Comparison::Greater => Atom::Less(right, left),
            Comparison::GreaterOrEqual => Atom::LessOrEqual(right, left),
        };
        Some(Truth::Atom(atom))
    }

    fn among(&mut self, at: Span, sides: &[Node; 2]) -> Option<Truth> {
        let [value, list] = sides;
        let elements = match &list.shape {
            Shape::Name(path) => {
                let list = self.path(path, list.span, Some(LIST));
                let value = self.side(value, None);
                return Some(Truth::Atom(Atom::Holds(list?, value?)));
            }
            Shape::List(elements) => elements,
            _ => {
                self.refuse(
                    list,
                    "`in` looks into a list",
                    "write `x in ['a', 'b']`, or `'a' in agent.permissions`",
                );
                return None;
            }
        };
        let Some(first) = elements.first() else {
            self.refuse(list, "nothing is in an empty list", "write what is meant");
            return None;
        };
        let first = self.side(first, None)?;
        let kind = kind_of(&first);
        let Shape::Name(path) = &value.shape else {
            self.looks_at_nothing(at);
            return None;
        };
        let mut written = Vec::new();
        for element in elements {
            match self.side(element, kind)? {
                Side::Path(_) => {
                    self.refuse(
                        element,
                        "a list has values that are written out",
                        "compare with `==` and `||`",
                    );
                    return None;
                }
                side => written.push(side),
            }
        }
        let slot = self.path(path, value.span, kind)?;
        Some(Truth::Atom(Atom::OneOf(slot, written)))
    }

    fn call(&mut self, call: &Call, upright: bool) -> Option<Truth> {
        let Some((name, form)) = FUNCTIONS.iter().find(|(name, _)| *name == call.name) else {
            self.problems.push(unknown_function(call));
            return None;
        };
        let search = match *name {
            "startsWith" => Search::AtStart,
            "endsWith" => Search::AtEnd,
            "contains" => Search::Anywhere,
            _ => return self.has(call, form, upright),
        };
        let (Some(text), [part]) = (&call.receiver, call.arguments.as_slice()) else {
            self.misused(call, form);
            return None;
        };
        if matches!(&part.shape, Shape::Text(text) if text.is_empty()) {
            self.refuse(
                part,
                "every text has an empty one in it",
                "write what is looked for",
            );
            return None;
        }
        let (of_text, of_part) = (self.side(text, Some(TEXT)), self.side(part, Some(TEXT)));
        let (text, part) = (of_text?, of_part?);
        if !matches!(text, Side::Path(_)) && !matches!(part, Side::Path(_)) {
            self.looks_at_nothing(call.at);
            return None;
        }
        Some(Truth::Atom(Atom::Search(search, text, part)))
    }

    fn has(&mut self, call: &Call, form: &str, upright: bool) -> Option<Truth> {
        let (None, [argument]) = (&call.receiver, call.arguments.as_slice()) else {
            self.misused(call, form);
            return None;
        };
        let Shape::Name(path) = &argument.shape else {
            self.misused(call, form);
            return None;
        };
        let Some((parent, _)) = path.rsplit_once('.') else {
            self.misused(call, form);
            return None;
        };
        // Taking an attribute away turns `has` from true to false. In an allow rule that must not
        // make the condition hold, and in a deny rule must not keep it from holding.
        if upright != (self.purpose == Purpose::Allow) {
            self.problems.push(has_turned_round(call, self.purpose));
            return None;
        }
        let slot = self.path(path, argument.span, None)?;
        Some(Truth::Atom(Atom::Has(slot, self.paths.slot(parent))))
    }

    fn misused(&mut self, call: &Call, form: &str) {
        self.problems.push(
            Problem::new(
                call.at.start,
                format!("{} is written in another way", quoted(&call.name)),
            )
            .found(format!(
                "{} arguments, and {} before it",
                call.arguments.len(),
                if call.receiver.is_some() {
                    "something"
                } else {
                    "nothing"
                }
            ))
            .expected(quoted(form))
            .help(format!("write it like {}", quoted(form))),
        );
    }
}

fn has_turned_round(call: &Call, purpose: Purpose) -> Problem {
    let (message, expected, help) = match purpose {
        Purpose::Allow => (
            "`!has(…)` in an allow rule would allow because something is absent",
            "`has(…)` without `!` before it, or before the brackets around it",
            "have requests say it: compare the attribute with the value that allows",
        ),
        Purpose::Deny => (
            "`has(…)` in a deny rule would let through whoever leaves the attribute out",
            "`!has(…)`, which denies where the attribute is absent",
            "compare the attribute with the value that is denied; where it is absent, the rule denies too",
        ),
    };
    Problem::new(call.at.start, message)
        .found("`has`")
        .expected(expected)
        .help(help)
}

fn kind_of(side: &Side) -> Option<&'static str> {
    match side {
        Side::Path(_) => None,
        Side::Flag(_) => Some(FLAG),
        Side::Number(_) => Some(NUMBER),
        Side::Text(_) => Some(TEXT),
    }
}

fn unknown_function(call: &Call) -> Problem {
    let known = || FUNCTIONS.iter().map(|(name, _)| *name);
    let help = match nearest(&call.name, known()) {
        Some(near) => format!("did you mean {}?", quoted(near)),
        None => "use operators, or one of these functions".to_owned(),
    };
    Problem::new(
        call.at.start,
        format!("there is no function {} here", quoted(&call.name)),
    )
    .found(quoted(&call.name))
    .expected(one_of(known()))
    .help(help)
}
