//! What is wrong with a text that is no YAML, in words for a person.

use super::Spot;
use super::lines::Lines;
use crate::diagnostic::{Code, Diagnostic};

/// What is wrong with it, and where.
pub(super) fn syntax(
    file: &str,
    lines: &Lines<'_>,
    error: &serde_saphyr::Error,
) -> Box<Diagnostic> {
    let spot = error.location().map_or(Spot::START, |location| {
        lines.spot(location.line(), location.column())
    });
    let message = error.to_string();
    let what = message.lines().next().unwrap_or_default();
    let what = what.split(" at line ").next().unwrap_or(what);
    let what = what
        .rsplit_once(" (line ")
        .map_or(what, |(before, _)| before);
    let place = spot.place(file, "$");
    let special = SPECIAL.iter().find(|special| what.contains(special.part));
    Box::new(match special {
        Some(special) => Diagnostic::new(Code::YamlSyntax, place, special.message)
            .found(special.found)
            .expected(special.expected)
            .help(special.help),
        None => {
            let (found, help) = malformed(what);
            Diagnostic::new(Code::YamlSyntax, place, "this is no YAML that can be read")
                .found(found)
                .expected("one YAML 1.2 or JSON document without merge keys and tags of its own")
                .help(help)
        }
    })
}

/// What the parser refuses although it is well-formed.
struct Special {
    /// Of the parser's words.
    part: &'static str,
    message: &'static str,
    found: &'static str,
    expected: &'static str,
    help: &'static str,
}

impl Special {
    /// More of something than [`super::parser`] allows.
    const fn too_much(part: &'static str, found: &'static str, help: &'static str) -> Self {
        Self {
            part,
            message: "the document is too large once it is read",
            found,
            expected: "at most 100000 values, 40 levels and 1000 aliases",
            help,
        }
    }
}

const DEEP: &str = "levels within levels, more than a document can mean";
const NO_BRACKET: &str = "look for a bracket too many";
const UNFOLDED: &str = "aliases that unfold to more than a document can mean";
const NO_ALIAS: &str = "write out what the aliases stand for";

const SPECIAL: [Special; 7] = [
    Special {
        part: "multiple YAML documents",
        message: "the file holds more than one document",
        found: "the beginning of a second document",
        expected: "one document in a file",
        help: "keep one document, and put the other into a file of its own",
    },
    Special {
        part: "merge keys",
        message: "`<<` is not merged here",
        found: "the merge key `<<`",
        expected: "every key written where it belongs",
        help: "write the keys out",
    },
    Special::too_much("Depth", DEEP, NO_BRACKET),
    Special::too_much("recursion limit", DEEP, NO_BRACKET),
    Special::too_much("Alias", UNFOLDED, NO_ALIAS),
    Special::too_much("alias replay", UNFOLDED, NO_ALIAS),
    Special::too_much(
        "budget breached",
        "more values than a document for people has",
        "split the document, and write out what its aliases stand for",
    ),
];

/// What was found in a malformed text, and what to do.
fn malformed(what: &str) -> (&str, &'static str) {
    const WORDS: [(&str, Option<&str>, &str); 11] = [
        (
            "recursi",
            Some("an alias within what it stands for"),
            "write out what the alias stands for",
        ),
        (
            "unknown anchor",
            Some("an alias of which there is no anchor"),
            "put text that begins with `*` in quotes, or write the value out",
        ),
        (
            "expected string scalar",
            Some("a key that is no text"),
            "put text with braces or brackets in quotes",
        ),
        ("tab", None, "indent with blanks instead of tabs"),
        (
            "mapping values are not allowed",
            Some("a `:` where no key can stand"),
            "put text with `: ` in quotes, write a blank behind the colon of every key, and look at the indentation",
        ),
        (
            "escape character",
            None,
            "write a backslash twice, or put the text in single quotes",
        ),
        ("unclosed", None, "close it"),
        (
            "mismatched bracket",
            None,
            "close every bracket with one of its own kind",
        ),
        (
            "unsupported tag",
            None,
            "remove the tag, and put text that begins with `!` in quotes",
        ),
        (
            "unexpected character",
            None,
            "put text with special characters in double quotes, control characters as escapes",
        ),
        ("YAML major version", None, "remove the directive"),
    ];
    let known = WORDS.iter().find(|(part, ..)| what.contains(part));
    known.map_or(
        (
            what,
            "look at this line and the one before it: at quotes, colons and the indentation; text with special characters needs quotes",
        ),
        |(_, found, help)| (found.unwrap_or(what), *help),
    )
}
