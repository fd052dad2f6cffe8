//! Rego modules: the package, the imports and the rules by name, found without evaluating anything.
//!
//! Only strings, comments and brackets are understood, enough to see where a statement begins. That
//! a module is listed here says nothing about what Open Policy Agent makes of it; forms that it
//! refuses are pointed out (row C-16), for whoever shows a module and for whoever evaluates it.

use std::collections::BTreeMap;

use super::reader::Reader;
use super::shown::Shown;
use crate::diagnostic::{Code, Diagnostic};

/// What was found in a module.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Module {
    /// The package.
    pub package: String,
    /// What it imports.
    pub imports: Vec<String>,
    /// Its rules, in the order of their first statement.
    pub rules: Vec<Rule>,
}

/// Every statement about one name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rule {
    /// The name.
    pub name: String,
    /// The value where no statement gives one, as it was written.
    pub default: Option<String>,
    /// The lines on which its statements begin, the default's left out.
    pub lines: Vec<u64>,
    /// True where it makes a set: `name[…]` or `name contains …`.
    pub is_set: bool,
}

/// A line of the text with what matters of it.
struct Line<'t> {
    number: u64,
    /// Where it begins in the text.
    at: usize,
    /// The line as it was written.
    written: &'t str,
    /// The same without comments, and with every string emptied to blanks.
    code: String,
    /// How many brackets are open where it begins.
    depth: usize,
}

/// True for a text that is a Rego module, by its package line.
pub(super) fn is_meant(text: &str) -> bool {
    let first = text
        .lines()
        .map(str::trim)
        .find(|line| !line.is_empty() && !line.starts_with('#'));
    let package = first.and_then(|line| line.strip_prefix("package "));
    package.is_some_and(|name| is_path(name.split('#').next().unwrap_or_default().trim()))
}

fn is_path(name: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"_.[]\"-".contains(&byte);
    let begins = |byte: &u8| byte.is_ascii_alphabetic() || *byte == b'_';
    name.as_bytes().first().is_some_and(begins) && name.bytes().all(plain)
}

/// Lists what a module holds.
pub(super) fn read(reader: &mut Reader<'_>, text: &str) -> Module {
    let (lines, open) = lines(text);
    let module = module(&lines);
    for fault in Dialect::of(&module).faults(&lines) {
        reader.find_at(fault.at, |place| {
            Diagnostic::new(Code::RegoDialect, place, fault.message)
                .found(format!("`{}`", fault.written))
                .expected(fault.expected)
                .help("write it so; nothing here evaluates it, and Open Policy Agent refuses the module")
        });
    }
    if let Some(at) = open {
        reader.find_at(at, |place| {
            Diagnostic::new(
                Code::RegoDialect,
                place,
                "a bracket or a string is never closed",
            )
            .found("the end of the file")
            .expected("a closing bracket for each opening one")
            .help("close it; what stands behind it was not listed")
        });
    }
    module
}

/// A form that Open Policy Agent refuses.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// Where it stands in the text, in bytes.
    at: usize,
    /// Its line.
    pub line: u64,
    /// Its column, in characters.
    pub column: u64,
    /// The line as it was written, without the blanks around it.
    pub written: String,
    /// What is wrong.
    pub message: &'static str,
    /// What to write instead.
    pub expected: &'static str,
    /// True for what is refused in every dialect, whatever stands beside it: a default that refers to
    /// something.
    pub is_default: bool,
}

/// The forms of a module that Open Policy Agent refuses; `is_v1` where it is read as since version 1.
pub fn faults(text: &str, is_v1: bool) -> Vec<Fault> {
    let (lines, _) = lines(text);
    let by_imports = Dialect::of(&module(&lines));
    let dialect = Dialect {
        knows_in: is_v1 || by_imports.knows_in,
        knows_if: is_v1 || by_imports.knows_if,
    };
    dialect.faults(&lines)
}

fn module(lines: &[Line<'_>]) -> Module {
    let mut draft = Draft::default();
    for line in lines.iter().filter(|line| line.depth == 0) {
        draft.statement(line);
    }
    draft.module
}

/// A module on its way, with the place of each rule by its name.
#[derive(Default)]
struct Draft {
    module: Module,
    places: BTreeMap<String, usize>,
}

impl Draft {
    fn statement(&mut self, line: &Line<'_>) {
        let code = line.code.trim_end();
        if let Some(package) = code.strip_prefix("package ") {
            package.trim().clone_into(&mut self.module.package);
        } else if let Some(import) = code.strip_prefix("import ") {
            self.module.imports.push(import.trim().to_owned());
        } else if let Some(rest) = code.strip_prefix("default ") {
            self.default_of(line, code, rest.trim_start());
        } else {
            let (name, rest) = name(code);
            if let Some(rule) = self.rule(name) {
                rule.lines.push(line.number);
                rule.is_set |= rest.starts_with('[') || rest.trim_start().starts_with("contains ");
            }
        }
    }

    fn default_of(&mut self, line: &Line<'_>, code: &str, rest: &str) {
        let (name, rest) = name(rest);
        // Its value may be a string, which the code no longer has; the code ends where a comment
        // begins.
        let begin = code.len().saturating_sub(rest.len());
        let value = line.written.get(begin..line.code.len()).unwrap_or(rest);
        let value = value.trim().trim_start_matches([':', '=']).trim();
        if let Some(rule) = self.rule(name) {
            rule.default = Some(value.to_owned());
        }
    }

    /// The rule of a name; `None` for what is no name of one.
    fn rule(&mut self, name: &str) -> Option<&mut Rule> {
        let begins = |byte: &u8| byte.is_ascii_alphabetic() || *byte == b'_';
        if !name.as_bytes().first().is_some_and(begins) || matches!(name, "else" | "with" | "as") {
            return None;
        }
        let rules = &mut self.module.rules;
        let place = *self.places.entry(name.to_owned()).or_insert(rules.len());
        if place == rules.len() {
            rules.push(Rule {
                name: name.to_owned(),
                default: None,
                lines: Vec::new(),
                is_set: false,
            });
        }
        rules.get_mut(place)
    }
}

/// The name that a statement begins with, and what stands behind it.
fn name(code: &str) -> (&str, &str) {
    let is_word = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.');
    let length = code.bytes().take_while(|byte| is_word(byte)).count();
    code.split_at_checked(length).unwrap_or((code, ""))
}

/// What decides which forms Open Policy Agent refuses.
#[derive(Clone, Copy)]
struct Dialect {
    /// True where `in` is imported.
    knows_in: bool,
    /// True where `if` is imported, so that a head without it is an old one.
    knows_if: bool,
}

impl Dialect {
    fn of(module: &Module) -> Self {
        let imports = |names: &[&str]| {
            let mut imports = module.imports.iter();
            imports.any(|import| names.contains(&import.as_str()))
        };
        Self {
            knows_in: imports(&["rego.v1", "future.keywords", "future.keywords.in"]),
            knows_if: imports(&["rego.v1", "future.keywords", "future.keywords.if"]),
        }
    }

    fn faults(self, lines: &[Line<'_>]) -> Vec<Fault> {
        let mut faults = Vec::new();
        let mut in_default = false;
        for line in lines {
            if line.depth == 0 {
                in_default = line.code.starts_with("default ");
            }
            if in_default {
                faults.extend(refers(line));
            } else {
                self.check(line, &mut faults);
            }
        }
        faults
    }

    fn check(self, line: &Line<'_>, faults: &mut Vec<Fault>) {
        let (inside, words) = (
            line.depth > 0,
            line.code.split_whitespace().collect::<Vec<_>>(),
        );
        let between = |word: &str| inside && words.iter().skip(1).any(|other| *other == word);
        let column = |word: &str| line.code.find(&format!(" {word} ")).map_or(0, |at| at + 1);
        if between("contains") {
            faults.push(line.fault(
                column("contains"),
                "`contains` stands between two values",
                "`value in collection`, or the function `contains(text, part)`",
            ));
        }
        if !self.knows_in && between("in") {
            faults.push(line.fault(
                column("in"),
                "`in` is used and not imported",
                "`import rego.v1`, or `import future.keywords.in` before version 1",
            ));
        }
        let (name, rest) = name(&line.code);
        let is_set = !inside && !name.is_empty() && rest.starts_with('[');
        if self.knows_if && is_set && rest.trim_end().ends_with('{') && !words.contains(&"if") {
            faults.push(line.fault(
                0,
                "an old head of a set beside heads with `if`",
                "`name contains value if { … }`",
            ));
        }
    }
}

/// What a line of a default refers to: the first word that is no value.
fn refers(line: &Line<'_>) -> Option<Fault> {
    let code = line.code.as_str();
    let value = if line.depth == 0 {
        code.find('=').map_or(code.len(), |at| at + 1)
    } else {
        0
    };
    let is_word = |character: char| character.is_ascii_alphanumeric() || character == '_';
    let mut at = value;
    for word in code.get(value..)?.split(|character| !is_word(character)) {
        let begins = word.starts_with(|first: char| first.is_ascii_alphabetic() || first == '_');
        if begins && !matches!(word, "true" | "false" | "null") {
            let fault = line.fault(
                at,
                "a default refers to something",
                "`default name := value` with a value that refers to nothing",
            );
            return Some(Fault {
                is_default: true,
                ..fault
            });
        }
        at += word.len() + 1;
    }
    None
}

impl Line<'_> {
    fn fault(&self, offset: usize, message: &'static str, expected: &'static str) -> Fault {
        let before = self.written.get(..offset).unwrap_or(self.written);
        Fault {
            at: self.at + offset,
            line: self.number,
            column: (1..).nth(before.chars().count()).unwrap_or(1),
            written: self.written.trim().to_owned(),
            message,
            expected,
            is_default: false,
        }
    }
}

/// The lines, and where the outermost bracket or the string begins that is never closed.
fn lines(text: &str) -> (Vec<Line<'_>>, Option<usize>) {
    let (mut lines, mut open, mut at) = (Vec::new(), Vec::new(), 0);
    let mut raw: Option<usize> = None;
    for (number, line) in (1..).zip(text.split_inclusive('\n')) {
        let written = line.trim_end_matches(['\n', '\r']);
        let depth = open.len() + usize::from(raw.is_some());
        let code = code(written, at, &mut open, &mut raw);
        lines.push(Line {
            number,
            at,
            written,
            code,
            depth,
        });
        at += line.len();
    }
    (lines, raw.or(open.first().copied()))
}

/// A line without its comment and the content of its strings. `raw` is where a string in backticks
/// begins that the line is in.
fn code(line: &str, at: usize, open: &mut Vec<usize>, raw: &mut Option<usize>) -> String {
    let mut code = String::with_capacity(line.len());
    let (mut quoted, mut escaped) = (false, false);
    for (offset, character) in line.char_indices() {
        let blank = " ".repeat(character.len_utf8());
        if raw.is_some() || quoted {
            let ends = if raw.is_some() {
                character == '`'
            } else {
                character == '"' && !escaped
            };
            escaped = quoted && character == '\\' && !escaped;
            if ends {
                (*raw, quoted) = (None, false);
            }
            code.push_str(&blank);
            continue;
        }
        match character {
            '#' => break,
            '"' => quoted = true,
            '`' => *raw = Some(at + offset),
            '{' | '[' | '(' => open.push(at + offset),
            '}' | ']' | ')' => {
                open.pop();
            }
            _ => {}
        }
        if matches!(character, '"' | '`') {
            code.push_str(&blank);
        } else {
            code.push(character);
        }
    }
    code
}

/// What was found, for showing.
pub(super) fn says(module: &Module) -> Shown {
    let rule = |rule: &Rule| {
        let lines = rule.lines.iter().map(|line| Shown::Number((*line).into()));
        let mut members = vec![("name".to_owned(), Shown::text(&rule.name))];
        if let Some(default) = &rule.default {
            members.push(("default".to_owned(), Shown::text(default)));
        }
        members.push((
            "makes".to_owned(),
            Shown::text(if rule.is_set { "a set" } else { "a value" }),
        ));
        members.push(("on_lines".to_owned(), Shown::List(lines.collect())));
        Shown::Map(members)
    };
    Shown::map([
        ("package", Shown::text(&module.package)),
        (
            "imports",
            Shown::texts(module.imports.iter().map(String::as_str)),
        ),
        (
            "rules",
            Shown::List(module.rules.iter().map(rule).collect()),
        ),
    ])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn module(text: &str) -> (Module, Vec<(Code, u64)>) {
        let mut reader = Reader::new("a.rego", text, None);
        let module = read(&mut reader, text);
        let findings = reader.finish().map(|(warnings, _)| warnings).unwrap();
        let findings = findings.into_iter();
        let places = findings.map(|finding| (finding.code, finding.place.line.unwrap()));
        (module, places.collect())
    }

    #[test]
    fn a_package_line_makes_a_module() {
        for text in [
            "package a",
            "# note\n\n  package a.b_c # x\n",
            "package data[\"x-y\"]",
        ] {
            assert!(is_meant(text), "{text}");
        }
        for text in [
            "",
            "package",
            "packages: 1",
            "package: a",
            "package a b",
            "a: 1\npackage b",
            "# package a",
        ] {
            assert!(!is_meant(text), "{text}");
        }
    }

    #[test]
    fn rules_are_found_past_strings_comments_and_brackets() {
        let text = "package p\nimport rego.v1\ndefault deny := \"a # {\"\n# ghost if {\nallow if {\n    x := `\nnot_a_rule {\n`\n    y == \"}\\\"{\" # }\n}\nf(x) := y if {\n  y := x\n}\nmsgs contains m if { m := \"x\" }\nallow if true\n";
        let (module, findings) = module(text);
        let names: Vec<(&str, &[u64], bool)> = module
            .rules
            .iter()
            .map(|rule| (rule.name.as_str(), rule.lines.as_slice(), rule.is_set))
            .collect();
        assert_eq!(
            names,
            [
                ("deny", &[][..], false),
                ("allow", &[5, 15], false),
                ("f", &[11], false),
                ("msgs", &[14], true)
            ]
        );
        assert_eq!(module.rules[0].default.as_deref(), Some("\"a # {\""));
        assert_eq!(findings, []);
    }

    #[test]
    fn what_opa_refuses_is_pointed_out() {
        let text = "package p\nimport future.keywords.if\nallow if {\n    input.x in [\"a\"]\n    input.y contains \"b\"\n    contains(input.z, \"c\")\n}\nmsgs[m] {\n    m := \"a in b contains c\"\n}\n";
        let (_, findings) = module(text);
        let places: Vec<u64> = findings.iter().map(|(_, line)| *line).collect();
        assert_eq!(places, [4, 5, 8]);
        let text = "package p\nallow {\n  x\n";
        assert_eq!(module(text).1, [(Code::RegoDialect, 2)]);
    }
}
