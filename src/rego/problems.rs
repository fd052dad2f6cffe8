//! What the evaluator says of a module, as findings with their place and what to write instead.

use super::settings::Dialect;
use crate::diagnostic::{Code, Diagnostic, Place};
use crate::policy::catalogue::{RegoFault, rego_faults};

/// A place in a module: file, line and column.
pub(super) type At = (String, u64, u64);

/// Takes a message of the evaluator apart: `--> file:line:column`, the line, and behind it what is wrong.
pub(super) fn taken_apart(text: &str) -> (Option<At>, String) {
    let place = text
        .split_once("--> ")
        .and_then(|(_, rest)| rest.lines().next())
        .and_then(|place| {
            let (rest, column) = place.trim_end().rsplit_once(':')?;
            let (file, line) = rest.rsplit_once(':')?;
            Some((file.to_owned(), line.parse().ok()?, column.parse().ok()?))
        });
    let message = text
        .split_once("error: ")
        .map_or(text, |(_, message)| message)
        .lines()
        .next()
        .unwrap_or_default()
        .trim();
    (place, message.to_owned())
}

/// The finding for a module that can't be used. `text` is the module's, where it is known.
pub(super) fn finding(file: &str, text: Option<&str>, error: &str) -> Diagnostic {
    let (place, message) = taken_apart(error);
    let place = match place {
        Some((file, line, column)) => Place::line(file, line.max(1)).column(column.max(1)),
        None => Place::file(file),
    };
    let line = place.line.and_then(|number| {
        let number = usize::try_from(number).ok()?;
        text?.lines().nth(number.checked_sub(1)?)
    });
    let finding = Diagnostic::new(Code::RegoInvalid, place, plain(&message));
    let finding = match line {
        Some(line) => finding.found(format!("`{}`", line.trim())),
        None => finding,
    };
    let (expected, help) = advice(line.unwrap_or_default(), &message);
    finding.expected(expected).help(help)
}

/// What Open Policy Agent refuses in a module and the evaluator did not tell: the evaluator takes a
/// default that refers to something, and of a module that it can't read it tells only the first fault.
pub(super) fn untold(
    file: &str,
    text: &str,
    dialect: Dialect,
    told: Option<&Diagnostic>,
) -> Vec<Diagnostic> {
    let is_told = |fault: &RegoFault| told.is_some_and(|told| told.place.line == Some(fault.line));
    let faults = rego_faults(text, dialect == Dialect::V1).into_iter();
    faults
        .filter(|fault| (fault.is_default || told.is_some()) && !is_told(fault))
        .map(|fault| {
            let place = Place::line(file, fault.line).column(fault.column);
            let help = if fault.is_default {
                DEFAULT
            } else {
                "write it so; Open Policy Agent refuses it as well"
            };
            Diagnostic::new(Code::RegoInvalid, place, fault.message)
                .found(format!("`{}`", fault.written))
                .expected(fault.expected)
                .help(help)
        })
        .collect()
}

/// What to do about a default that refers to something.
const DEFAULT: &str = "give the default plain values, and what depends on `input` to a rule of its own: `else := …`, or a rule whose body is `not allow`";

/// A message without a full stop, beginning in lower case.
fn plain(message: &str) -> String {
    let message = message.trim_end_matches('.');
    let mut characters = message.chars();
    match characters.next() {
        Some(first) => first.to_lowercase().chain(characters).collect(),
        None => "the module can't be read".to_owned(),
    }
}

/// What to write instead, by what stands in the line.
fn advice(line: &str, message: &str) -> (&'static str, &'static str) {
    let code = line.split('#').next().unwrap_or_default().trim();
    let has = |word: &str| format!(" {code} ").contains(&format!(" {word} "));
    if code.starts_with("default ") {
        return (
            "`default name := value` with a value that refers to nothing",
            DEFAULT,
        );
    }
    if has("contains")
        && !code.ends_with('{')
        && !code.contains(" contains {")
        && !code.contains(" if ")
    {
        return (
            "`value in collection`, or the function `contains(text, part)`",
            "inside a body `contains` is no operator: write `\"x\" in list`; it stands only in the head of a set, `name contains value if { … }`",
        );
    }
    if message.contains("`if` keyword") || message.contains("if keyword") || code.ends_with("] {") {
        return (
            "`name contains value if { … }` for a set, `name if { … }` for a rule",
            "write the head as since version 1 of Open Policy Agent, or say that the module is in version 0: `rego_version: 0`",
        );
    }
    if has("in") && message.contains("in") && !code.contains("some ") {
        return (
            "`in` only where the module knows it",
            "write `import rego.v1` below the package line",
        );
    }
    (
        "Rego as since version 1 of Open Policy Agent",
        "`opa check` says the same of most of it; a module in the older dialect needs `rego_version: 0`",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_are_taken_apart() {
        let text = "\n--> policy/a b:c.rego:3:7\n  |\n3 | x := = 1\n  |       ^\nerror: expecting expression";
        let (place, message) = taken_apart(text);
        assert_eq!(place, Some(("policy/a b:c.rego".to_owned(), 3, 7)));
        assert_eq!(message, "expecting expression");
        assert_eq!(taken_apart("no place"), (None, "no place".to_owned()));
        assert_eq!(taken_apart("--> odd\nerror: x"), (None, "x".to_owned()));
    }
}
