//! Which functions of Open Policy Agent rules may call here, and what stands in for those that would
//! make an answer depend on more than the request, the policies and the circumstances.

use std::cell::Cell;
use std::collections::{BTreeMap, BTreeSet};
use std::ops::RangeInclusive;

use regorus::{Engine, Value};

use super::parts::Module;
use super::sized;
use crate::diagnostic::{Code, Diagnostic, Place};

/// Functions that the machine asks this program for, with the number of their arguments: three of our
/// own, and those of [`sized`].
pub(super) const OURS: [(&str, usize); 12] = [
    ("time.now_ns", 0),
    ("numbers.range", 2),
    ("numbers.range_step", 3),
    ("array.concat", 2),
    ("bits.lsh", 2),
    ("concat", 2),
    ("hex.encode", 1),
    ("json.marshal", 1),
    ("regex.replace", 3),
    ("replace", 3),
    ("sprintf", 2),
    ("strings.replace_n", 2),
];

/// The most numbers that a range may have: a rule could ask for as many as a request says.
const MOST_NUMBERS: u64 = 100_000;

/// What one of [`OURS`] gives. `None` where it would be too much.
pub(super) fn answer(name: &str, arguments: &[Value], now: i64) -> Option<Value> {
    match (name, arguments) {
        ("time.now_ns", []) => Some(Value::from(now)),
        ("numbers.range", [from, to]) => range(from, to, &Value::from(1_i64)),
        ("numbers.range_step", [from, to, step]) => range(from, to, step),
        _ => sized::answer(name, arguments),
    }
}

/// The whole numbers between two, both of them in it, downwards where the first is the larger one.
fn range(from: &Value, to: &Value, step: &Value) -> Option<Value> {
    let (Ok(from), Ok(to), Ok(step)) = (from.as_i64(), to.as_i64(), step.as_i64()) else {
        return Some(Value::Undefined);
    };
    let Ok(step) = u64::try_from(step) else {
        return Some(Value::Undefined);
    };
    if step == 0 {
        return Some(Value::Undefined);
    }
    let count = from.abs_diff(to) / step + 1;
    if count > MOST_NUMBERS {
        return None;
    }
    let numbers: RangeInclusive<u64> = 0..=count - 1;
    let values = numbers.filter_map(|at| {
        let away = at.checked_mul(step)?;
        let value = if from <= to {
            from.checked_add_unsigned(away)
        } else {
            from.checked_sub_unsigned(away)
        };
        value.map(Value::from)
    });
    Some(Value::from(values.collect::<Vec<_>>()))
}

/// Why a function of Open Policy Agent is not to be had.
const CHANCE: &str = "an answer must not depend on chance: the same request gets the same answer";
const NETWORK: &str = "rules ask nobody: put what they need into the request or into data.json";
const HOST: &str = "an answer must not depend on the machine: put what is needed into data.json";
const CRYPTOGRAPHY: &str =
    "check signatures and tokens before asking, and say in the request who asks";
const ENDLESS: &str =
    "there may be more paths than anybody can wait for: `graph.reachable` tells what is reached";
const NOT_BUILT: &str = "the evaluator of this program doesn't have it";

/// Functions, and groups of them, that are refused where a module is loaded.
const REFUSED: &[(&str, &str)] = &[
    ("http.send", NETWORK),
    ("net.lookup_ip_addr", NETWORK),
    ("rand.", CHANCE),
    ("uuid.", CHANCE),
    ("opa.runtime", HOST),
    ("rego.metadata.", NOT_BUILT),
    ("rego.parse_module", NOT_BUILT),
    ("crypto.", CRYPTOGRAPHY),
    ("io.jwt.", CRYPTOGRAPHY),
    ("providers.aws.", CRYPTOGRAPHY),
    ("graphql.", NOT_BUILT),
    ("graph.reachable_paths", ENDLESS),
    ("json.patch", NOT_BUILT),
    ("json.match_schema", NOT_BUILT),
    ("json.verify_schema", NOT_BUILT),
    ("net.", NOT_BUILT),
    ("urlquery.", NOT_BUILT),
    ("yaml.", NOT_BUILT),
    ("test.", NOT_BUILT),
    ("azure.policy.", NOT_BUILT),
    ("__builtin", NOT_BUILT),
];

/// Finds calls of what is refused, and functions that call themselves.
pub(super) fn check(modules: &[Module], findings: &mut Vec<Diagnostic>) {
    for module in modules {
        for call in calls(&module.text) {
            let refused = REFUSED.iter().find(|(name, _)| {
                call.name == *name || name.ends_with(['.', 'n']) && call.name.starts_with(name)
            });
            if let Some((_, why)) = refused {
                let place = Place::line(&module.file, call.line).column(call.column);
                findings.push(
                    Diagnostic::new(
                        Code::RegoInvalid,
                        place,
                        format!("`{}` is not to be had here", call.name),
                    )
                    .found(format!("a call of `{}`", call.name))
                    .expected("functions that look at nothing but their arguments")
                    .help(*why),
                );
            }
        }
    }
    recursion(modules, findings);
}

/// Where a name is called.
struct Call<'t> {
    name: &'t str,
    line: u64,
    column: u64,
    /// True where it stands at the beginning of a line: the head of a function.
    is_head: bool,
}

/// Every name with a bracket behind it, outside strings and comments; a statement begins with an empty
/// one.
fn calls(text: &str) -> Vec<Call<'_>> {
    let mut calls = Vec::new();
    let mut is_raw = false;
    for (number, line) in (1..).zip(text.lines()) {
        let bytes = line.as_bytes();
        let (mut at, mut word, mut quoted) = (0, None, false);
        let begins = |byte: &u8| byte.is_ascii_alphabetic() || *byte == b'_';
        if !is_raw && bytes.first().is_some_and(begins) {
            // A statement of its own, which ends whatever function stood before it.
            calls.push(Call {
                name: "",
                line: number,
                column: 1,
                is_head: true,
            });
        }
        while let Some(&byte) = bytes.get(at) {
            match byte {
                _ if is_raw => is_raw = byte != b'`',
                b'\\' if quoted => at += 1,
                b'"' => quoted = !quoted,
                _ if quoted => {}
                b'`' => is_raw = true,
                b'#' => break,
                _ if byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.') => {
                    word = word.or(Some(at));
                    at += 1;
                    continue;
                }
                b'(' => {
                    if let Some((begin, name)) =
                        word.and_then(|begin| Some((begin, line.get(begin..at)?)))
                    {
                        calls.push(Call {
                            name,
                            line: number,
                            column: begin as u64 + 1,
                            is_head: begin == 0 || line.get(..begin) == Some("default "),
                        });
                    }
                }
                _ => {}
            }
            word = None;
            at += 1;
        }
    }
    calls
}

/// A function by its package and its name.
type Function = (String, String);

/// Functions that call themselves, over others too: Open Policy Agent refuses them, and no limit of a
/// machine with a stack would stop one in time.
fn recursion(modules: &[Module], findings: &mut Vec<Diagnostic>) {
    let mut called: BTreeMap<Function, Vec<Function>> = BTreeMap::new();
    let mut heads: Vec<(Function, Place)> = Vec::new();
    for module in modules {
        let names = Names::of(&module.text);
        let mut within = None;
        for call in calls(&module.text) {
            if call.name.is_empty() {
                within = None;
                continue;
            }
            let function = names.resolve(call.name);
            if call.is_head {
                let place = Place::line(&module.file, call.line).column(1);
                heads.push((function.clone(), place));
                called.entry(function.clone()).or_default();
                within = Some(function);
            } else if let Some(within) = &within {
                called.entry(within.clone()).or_default().push(function);
            }
        }
    }
    let mut told: Vec<&Function> = Vec::new();
    for (function, place) in &heads {
        if !told.contains(&function) && reaches(&called, function) {
            told.push(function);
            findings.push(
                Diagnostic::new(
                    Code::RegoInvalid,
                    place.clone(),
                    format!("the function `{}` calls itself", function.1),
                )
                .found("a recursion, directly or over other functions")
                .expected("functions that end")
                .help("use `walk`, `graph.reachable` or a comprehension instead"),
            );
        }
    }
}

/// The package of a module, and the names under which it knows others.
#[derive(Default)]
struct Names<'t> {
    package: &'t str,
    imported: Vec<(&'t str, &'t str)>,
}

impl<'t> Names<'t> {
    fn of(text: &'t str) -> Self {
        let mut names = Self::default();
        for line in text.lines() {
            let code = line.split('#').next().unwrap_or(line).trim();
            if let Some(package) = code.strip_prefix("package ") {
                names.package = package.trim();
            } else if let Some(import) = code.strip_prefix("import data.") {
                let (path, alias) = match import.split_once(" as ") {
                    Some((path, alias)) => (path.trim(), alias.trim()),
                    None => (import, import.rsplit('.').next().unwrap_or(import)),
                };
                names.imported.push((alias, path));
            }
        }
        names
    }

    fn resolve(&self, name: &str) -> Function {
        let full = |path: &str| {
            let (package, name) = path.rsplit_once('.').unwrap_or(("", path));
            (package.to_owned(), name.to_owned())
        };
        if let Some(path) = name.strip_prefix("data.") {
            return full(path);
        }
        let (first, rest) = match name.split_once('.') {
            Some((first, rest)) => (first, Some(rest)),
            None => (name, None),
        };
        let imported = self.imported.iter().find(|(alias, _)| *alias == first);
        match (imported, rest) {
            (Some((_, path)), Some(rest)) => full(&format!("{path}.{rest}")),
            (Some((_, path)), None) => full(path),
            (None, None) => (self.package.to_owned(), name.to_owned()),
            (None, Some(_)) => full(&format!("{}.{name}", self.package)),
        }
    }
}

fn reaches(called: &BTreeMap<Function, Vec<Function>>, function: &Function) -> bool {
    let (mut seen, mut open) = (BTreeSet::new(), vec![function]);
    while let Some(next) = open.pop() {
        for below in called.get(next).into_iter().flatten() {
            if below == function {
                return true;
            }
            if seen.insert(below) {
                open.push(below);
            }
        }
    }
    false
}

/// What the interpreter says where [`answer`] gives nothing.
pub(super) const TOO_MANY: &str = "a value larger than a rule may make";

thread_local! {
    /// The time that rules on this thread are told. An extension gets nothing but its arguments.
    static NOW: Cell<i64> = const { Cell::new(0) };
}

/// Evaluates at a time.
pub(super) fn at<T>(now: i64, evaluate: impl FnOnce() -> T) -> T {
    NOW.set(now);
    evaluate()
}

/// Puts [`OURS`] in the place of the interpreter's own.
pub(super) fn extend(engine: &mut Engine) {
    for (name, count) in OURS {
        let count = u8::try_from(count).unwrap_or(u8::MAX);
        let extension = Box::new(move |arguments: Vec<Value>| {
            answer(name, &arguments, NOW.get()).ok_or_else(|| anyhow::anyhow!(TOO_MANY))
        });
        // It fails for a name that was given before, and each is given once.
        let _ = engine.add_extension(name.to_owned(), count, extension);
    }
}
