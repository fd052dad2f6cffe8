//! Rego modules: the package, the imports and the rules by name, found without evaluating anything.
//!
//! Only strings, comments and brackets are understood, enough to see where a statement begins. That
//! a module is listed here says nothing about what Open Policy Agent makes of it; three forms that it
//! refuses in every version are pointed out (row C-16).

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
    let mut module = Module::default();
    for line in lines.iter().filter(|line| line.depth == 0) {
        statement(&mut module, line);
    }
    for line in &lines {
        dialect(reader, line, &module);
    }
    if let Some(at) = open {
        reader.find_at(at, "$", |place| {
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

fn statement(module: &mut Module, line: &Line<'_>) {
    let code = line.code.trim_end();
    if let Some(package) = code.strip_prefix("package ") {
        package.trim().clone_into(&mut module.package);
    } else if code.starts_with("import ") {
        module
            .imports
            .push(code.trim_start_matches("import ").trim().to_owned());
    } else if let Some(rest) = code.strip_prefix("default ") {
        let (name, rest) = name(rest.trim_start());
        // Its value may be a string, which the code no longer has; the code ends where a comment
        // begins.
        let begin = code.len().saturating_sub(rest.len());
        let value = line.written.get(begin..line.code.len()).unwrap_or(rest);
        let value = value.trim().trim_start_matches([':', '=']).trim();
        let rule = rule(module, name);
        if let Some(rule) = rule {
            rule.default = Some(value.to_owned());
        }
    } else {
        let (name, rest) = name(code);
        if let Some(rule) = rule(module, name) {
            rule.lines.push(line.number);
            rule.is_set |= rest.starts_with('[') || rest.trim_start().starts_with("contains ");
        }
    }
}

/// The name that a statement begins with, and what stands behind it.
fn name(code: &str) -> (&str, &str) {
    let is_word = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.');
    let length = code.bytes().take_while(|byte| is_word(byte)).count();
    code.split_at_checked(length).unwrap_or((code, ""))
}

fn rule<'m>(module: &'m mut Module, name: &str) -> Option<&'m mut Rule> {
    let begins = |byte: &u8| byte.is_ascii_alphabetic() || *byte == b'_';
    if !name.as_bytes().first().is_some_and(begins) || matches!(name, "else" | "with" | "as") {
        return None;
    }
    if !module.rules.iter().any(|rule| rule.name == name) {
        module.rules.push(Rule {
            name: name.to_owned(),
            default: None,
            lines: Vec::new(),
            is_set: false,
        });
    }
    module.rules.iter_mut().find(|rule| rule.name == name)
}

/// Points out what Open Policy Agent refuses.
fn dialect(reader: &mut Reader<'_>, line: &Line<'_>, module: &Module) {
    let words: Vec<&str> = line.code.split_whitespace().collect();
    let imports = |name: &str| module.imports.iter().any(|import| import == name);
    let v1 = imports("rego.v1");
    let inside = line.depth > 0;
    let column = |word: &str| line.code.find(&format!(" {word} ")).map_or(0, |at| at + 1);
    if inside && words.iter().skip(1).any(|word| *word == "contains") {
        odd(
            reader,
            line,
            column("contains"),
            "`contains` stands between two values",
            "`value in collection`, or the function `contains(text, part)`",
        );
    }
    let knows_in = v1 || imports("future.keywords") || imports("future.keywords.in");
    if inside && !knows_in && words.iter().skip(1).any(|word| *word == "in") {
        odd(
            reader,
            line,
            column("in"),
            "`in` is used and not imported",
            "`import rego.v1`, or `import future.keywords.in` before version 1",
        );
    }
    let (name, rest) = name(&line.code);
    let old =
        !inside && !name.is_empty() && rest.starts_with('[') && rest.trim_end().ends_with('{');
    if old && !words.contains(&"if") && imports("future.keywords.if") {
        odd(
            reader,
            line,
            0,
            "an old head of a set beside heads with `if`",
            "`name contains value if { … }`",
        );
    }
}

fn odd(reader: &mut Reader<'_>, line: &Line<'_>, column: usize, message: &str, expected: &str) {
    reader.find_at(line.at + column, "$", |place| {
        Diagnostic::new(Code::RegoDialect, place, message)
            .found(format!("`{}`", line.written.trim()))
            .expected(expected)
            .help(
                "write it so; nothing here evaluates it, and Open Policy Agent refuses the module",
            )
    });
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
        let mut reader = Reader::new("a.rego", text);
        let module = read(&mut reader, text);
        let findings = reader.finish().unwrap();
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
