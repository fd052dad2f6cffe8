//! Calls in an expression: the five functions that there are, and why all others are refused.

use super::check::{Checker, Typed};
use super::pattern::{Pattern, Refused};
use super::problems::{nearest, one_of, quoted};
use super::program::{Amount, Search, Truth, Words};
use super::syntax::{Call, Node, Shape};
use super::{MAX_PATTERNS, Problem};

/// The functions, with how each is written.
const FUNCTIONS: &[(&str, &str)] = &[
    ("contains", "text.contains('part')"),
    ("startsWith", "text.startsWith('beginning')"),
    ("endsWith", "text.endsWith('end')"),
    ("matches", "text.matches('pattern')"),
    ("size", "size(text)"),
];

/// What CEL has and this part of it has not, with what to do.
const REFUSED: &[(&[&str], &str, &str)] = &[
    (
        &[
            "all",
            "exists",
            "exists_one",
            "existsOne",
            "map",
            "filter",
            "transformList",
            "transformMap",
            "sortBy",
        ],
        "goes through a list, and there are no lists to go through",
        "compare the signal itself, or have its source count what is meant",
    ),
    (
        &["has"],
        "asks for a part of a message, and there are none",
        "say with `on_missing` of the signal what follows where there is no value",
    ),
    (
        &["int", "uint", "double", "dyn"],
        "isn't needed: there is one kind of number",
        "use the number itself; `80`, `80.0` and a signal can be compared as they are",
    ),
    (
        &["string", "bool", "bytes", "type"],
        "would make another kind of a value, which an expression can't",
        "declare the signal with the type that it has",
    ),
    (
        &[
            "timestamp",
            "duration",
            "now",
            "getHours",
            "getDayOfWeek",
            "getFullYear",
            "getMonth",
            "getDate",
        ],
        "deals with time, which an expression doesn't know",
        "use `max_age` of the signal, a count in a window, or a freeze window",
    ),
];

impl Checker<'_> {
    pub(super) fn call(&mut self, call: &Call) -> Typed {
        let Some((name, form)) = FUNCTIONS.iter().find(|(name, _)| *name == call.name) else {
            // What stands in its brackets may use names of its own, as macros do.
            self.problems.push(unknown_function(call));
            return Typed::Wrong;
        };
        let operands: Vec<&Node> = call.receiver.iter().chain(&call.arguments).collect();
        let receiver = call.receiver.is_some();
        let global = matches!(*name, "size" | "matches");
        match (*name, operands.as_slice()) {
            ("size", [text]) => {
                let text = self.words(text, "`size` counts the characters of a text");
                text.map(Box::new).map(Amount::Size).into()
            }
            ("matches", [text, pattern]) => self.matches(text, pattern).into(),
            ("size" | "matches", _) => self.misused(call, form),
            (_, [text, part]) if receiver && !global => self.search(call, text, part).into(),
            _ => self.misused(call, form),
        }
    }

    /// The right function with the wrong number of arguments, or with nothing before its dot.
    fn misused(&mut self, call: &Call, form: &str) -> Typed {
        for operand in call.receiver.iter().chain(&call.arguments) {
            self.typed(operand);
        }
        let count = call.arguments.len();
        let arguments = match count {
            0 => "no argument".to_owned(),
            1 => "one argument".to_owned(),
            _ => format!("{count} arguments"),
        };
        let before = match call.receiver {
            Some(_) => "something",
            None => "nothing",
        };
        self.problems.push(
            Problem::new(
                call.at.start,
                format!("{} is written in another way", quoted(&call.name)),
            )
            .found(format!("{before} before it, and {arguments}"))
            .expected(quoted(form))
            .help(format!("write it like {}", quoted(form))),
        );
        Typed::Wrong
    }

    fn search(&mut self, call: &Call, text: &Node, part: &Node) -> Option<Truth> {
        let search = match call.name.as_str() {
            "startsWith" => Search::AtStart,
            "endsWith" => Search::AtEnd,
            _ => Search::Anywhere,
        };
        let message = search.described();
        let words = (self.words(text, message), self.words(part, message));
        self.looks_at_something(call, text.uses_a_name() || part.uses_a_name());
        let (Some(text), Some(part)) = words else {
            return None;
        };
        self.never_found(call, search, &text, &part);
        Some(Truth::Search(search, Box::new([text, part])))
    }

    /// A text that is in none of the named values is a slip of the pen.
    fn never_found(&mut self, call: &Call, search: Search, text: &Words, part: &Words) {
        let (Words::Name(_, Some(values)), Words::Constant(part)) = (text, part) else {
            return;
        };
        if values.iter().any(|value| search.finds(value, part)) {
            return;
        }
        self.problems.push(
            Problem::new(call.at.start, "no declared value answers to this")
                .found(quoted(part))
                .expected(format!(
                    "a part of one of {}",
                    one_of(values.iter().map(String::as_str))
                ))
                .help("correct the text, or declare the value that is meant"),
        );
    }

    fn looks_at_something(&mut self, call: &Call, uses_a_name: bool) {
        if uses_a_name {
            return;
        }
        self.problems.push(
            Problem::new(
                call.at.start,
                "the call looks at nothing: it always comes out alike",
            )
            .found(self.quoted(call.at))
            .expected("a declared name, and what is looked for in it")
            .help("call it on a declared name, or remove it"),
        );
    }

    fn matches(&mut self, text: &Node, pattern: &Node) -> Option<Truth> {
        let words = self.words(text, "`matches` looks for a pattern in a text");
        let Shape::Text(written) = &pattern.shape else {
            self.problems.push(
                Problem::new(pattern.span.start, "the pattern has to be written out")
                    .found(self.quoted(pattern.span))
                    .expected("a text in quotes")
                    .help("write the pattern as a raw text, such as `r'^v\\d+$'`"),
            );
            return None;
        };
        if !text.uses_a_name() {
            self.problems.push(
                Problem::new(
                    text.span.start,
                    "the pattern is looked for in nothing that is read",
                )
                .found(self.quoted(text.span))
                .expected("a declared name")
                .help("call it on a declared name, or remove it"),
            );
        }
        let pattern = self.pattern(written, pattern);
        Some(Truth::Matches(Box::new(words?), pattern?))
    }

    fn pattern(&mut self, written: &str, node: &Node) -> Option<Pattern> {
        self.patterns += 1;
        if self.patterns > MAX_PATTERNS {
            self.problems.push(
                Problem::new(node.span.start, "the expression uses too many patterns")
                    .found(format!("more than {MAX_PATTERNS}"))
                    .expected(format!("at most {MAX_PATTERNS}"))
                    .help("join patterns with `|`, or write several triggers"),
            );
            return None;
        }
        let refused = match Pattern::new(written) {
            Ok(pattern) => return Some(pattern),
            Err(refused) => refused,
        };
        let (message, expected, help) = match refused {
            Refused::TooLarge => (
                "the pattern becomes too large".to_owned(),
                "a pattern that is small when its repetitions are written out",
                "repeat with `*` or `+` instead of a large count, and ask for `[0-9]` or `[a-z]` instead of `\\d` or `\\w`",
            ),
            Refused::Malformed(why) => (
                format!("the pattern can't be read: {why}"),
                "a regular expression as RE2 has it: no look-around, no references back",
                "correct the pattern; in a raw text, `r'…'`, a backslash stands for itself",
            ),
        };
        self.problems.push(
            Problem::new(node.span.start, message)
                .found(quoted(written))
                .expected(expected)
                .help(help),
        );
        None
    }
}

fn unknown_function(call: &Call) -> Problem {
    let name = quoted(&call.name);
    let known = || FUNCTIONS.iter().map(|(name, _)| *name);
    let refused = REFUSED
        .iter()
        .find(|(names, _, _)| names.contains(&call.name.as_str()));
    let (message, help) = match refused {
        Some((_, why, help)) => (format!("{name} {why}"), (*help).to_owned()),
        None => {
            let help = match nearest(&call.name, known()) {
                Some(near) => format!("did you mean {}?", quoted(near)),
                None => "use operators, or one of these functions".to_owned(),
            };
            (format!("there is no function {name}"), help)
        }
    };
    Problem::new(call.at.start, message)
        .found(name)
        .expected(one_of(known()))
        .help(help)
}
