//! Sources that were made to hurt: too deep, too long, too large when compiled, or noise.

use proptest::prelude::*;

use super::super::{MAX_BYTES, MAX_DEPTH, MAX_ELEMENTS, MAX_TEXT, Operand};
use super::{Expression, accepted, complete, names, only, refused, value};

/// Short, long, and as long as the source may be.
const LENGTHS: [usize; 4] = [10, 100, 500, MAX_BYTES - 10];

#[test]
fn repetitions_without_end_are_survived_or_refused() {
    let parts = [
        "(",
        "[",
        "{",
        "!",
        "-",
        "!-",
        "((",
        "(!",
        "a+",
        "a",
        "a.",
        "a?",
        "a?b:",
        "a==",
        "a<",
        "f(",
        "a.f(",
        "size(",
        "branch.size().",
        "signed?signed:",
        "(signed)?",
        "signed&&(",
        "'",
        "\"",
        "\\",
        "'\\",
        "/",
        "//",
        ".",
        ",",
        "1",
        "1.",
        "1e",
        "0x",
        "é",
        "\u{0}",
        "\u{202e}",
        "🐱",
        "[1].all(x,",
        "[1].map(x,[1].map(y,",
        "r'",
        "b'",
        "'''",
        "in ",
        "&",
        "=",
        "%",
        "?",
        ":",
        "\n",
        ")",
        "]",
        "signed)",
        "coverage in [",
        "coverage in [1,",
        "null",
        "true?",
        "$",
        "`",
    ];
    for part in parts {
        for length in LENGTHS {
            for tail in ["", "signed", ")", "'"] {
                let source = part.repeat(length / part.len()) + tail;
                survives(&source);
            }
            let source = part.repeat(1_000_000 / part.len());
            assert_eq!(only(&source).1, "the expression is too long");
        }
    }
}

#[test]
fn closed_brackets_are_refused_beyond_the_limit_only() {
    let wrapped = |open: &str, close: &str, times: usize| {
        format!("{}signed{}", open.repeat(times), close.repeat(times))
    };
    // The whole expression is a level too.
    let deepest = MAX_DEPTH - 1;
    for (open, close) in [("(", ")"), ("!", ""), ("signed ? signed : ", "")] {
        accepted(&wrapped(open, close, deepest));
        let (_, message) = only(&wrapped(open, close, deepest + 1));
        assert_eq!(message, "the expression is nested too deeply", "{open}");
    }
    let minus = |times: usize| format!("coverage < {}vulnerabilities", "-".repeat(times));
    accepted(&minus(deepest));
    assert_eq!(
        only(&minus(deepest + 1)).1,
        "the expression is nested too deeply"
    );
    assert_eq!(
        only(&"-".repeat(MAX_BYTES)).1,
        "the expression is nested too deeply"
    );
}

#[test]
fn calls_on_calls_are_depth() {
    let of = |times: usize| format!("branch{} > 1", ".size()".repeat(times));
    let deep = |times| refused(&of(times))[0].message.clone();
    assert_eq!(deep(2), "`size` counts the characters of a text");
    assert_eq!(deep(MAX_DEPTH), "the expression is nested too deeply");
}

#[test]
fn long_chains_are_no_depth() {
    let joined =
        |part: &str, by: &str| vec![part; (MAX_BYTES - 30) / (part.len() + by.len())].join(by);
    for by in ["&&", "||"] {
        let source = joined("signed", by);
        assert_eq!(accepted(&source).holds(&value), Ok(true));
    }
    for by in ["+", "-", "*"] {
        let source = format!("{} < coverage", joined("1", by));
        assert!(source.len() > 1_900);
        assert!(accepted(&source).holds(&value).is_ok());
    }
    let source = format!("{} < coverage", joined("1", "/"));
    assert_eq!(accepted(&source).holds(&value), Ok(true));
}

#[test]
fn a_source_has_at_most_so_many_bytes() {
    let of = |length: usize| format!("signed{}", " ".repeat(length - "signed".len()));
    accepted(&of(MAX_BYTES));
    assert_eq!(only(&of(MAX_BYTES + 1)).1, "the expression is too long");
}

#[test]
fn a_list_has_at_most_so_many_elements() {
    let of = |length: usize| format!("coverage in [{}]", vec!["1"; length].join(","));
    accepted(&of(MAX_ELEMENTS));
    assert_eq!(only(&of(MAX_ELEMENTS + 1)).1, "the list is too long");
}

#[test]
fn nothing_goes_through_lists_and_nothing_grows() {
    for source in [
        "[1,2,3].all(x, [1,2,3].all(y, [1,2,3].all(z, x + y + z > coverage)))",
        "[1,2,3].map(x, [x, x]).map(y, [y, y]).size() > coverage",
        "[[1,2],[3,4]].exists_one(x, x == coverage)",
        "['a'].filter(x, x == branch) == ['a']",
        "size([1,2,3].map(x, branch + branch)) > 1",
        "cel.bind(x, branch + branch, x + x) == branch",
        "(branch + branch) + (branch + branch) == branch",
        "branch.replace('a', 'aaaaaaaaaa') == branch",
        "branch.split('') == []",
        "[branch].join(branch) == branch",
        "type(branch) == string",
        "{'a': branch}.a == branch",
        "has(branch.x)",
        "timestamp('2026-01-01T00:00:00Z') < timestamp(branch)",
        "duration('1h') == duration(branch)",
        "dyn(branch) == 1",
        "[1, 2] + [3] == [coverage]",
        "coverage in [1, 2].map(x, x * 2)",
        "coverage in [[1], [2]]",
        "optional.of(branch).hasValue()",
        "branch.?x.orValue('') == ''",
    ] {
        complete(source, &refused(source));
    }
}

#[test]
fn patterns_that_grow_are_refused() {
    for pattern in [
        "a{1000}{1000}",
        "(((a{100}){100}){100}){100}",
        "(a|b|c){10000}",
        r"\w{20000}",
        r"[a-z]{50000}",
        "[a-z]{0,65535}",
        "((a?){500}){500}",
        "x{4294967295}",
        "x{99999999999999999999}",
    ] {
        let source = format!("branch.matches(r'{pattern}')");
        complete(&source, &refused(&source));
    }
    let nested = format!("branch.matches('{}x{}')", "(".repeat(900), ")".repeat(900));
    complete(&nested, &refused(&nested));
    for pattern in [
        "(a+)+$",
        "(a|a)*b",
        r"^\w+@\w+\.\w+$",
        "(?i)release",
        r"[a-z\d]+",
    ] {
        accepted(&format!("branch.matches(r'{pattern}')"));
    }
}

#[test]
fn a_pattern_of_evil_repetitions_looks_at_a_long_text_once() {
    let text = "a".repeat(MAX_TEXT);
    let expression = accepted("branch.matches('^(a+)+$') && !branch.matches('(a|aa)+b$')");
    // With a reader that tries one way after the other this would outlast the universe.
    let holds = expression.holds(&|_| Operand::Text(&text));
    assert_eq!(holds, Ok(true));
}

#[test]
fn a_text_beyond_the_limit_is_not_looked_at() {
    let text = "a".repeat(MAX_TEXT + 1);
    for source in ["branch.matches('a')", "branch == 'a'", "size(branch) > 1"] {
        let holds = accepted(source).holds(&|_| Operand::Text(&text));
        assert_eq!(holds, Err("`branch` has more than 4096 bytes".to_owned()));
    }
}

/// Words of which some make expressions and most don't.
fn soup() -> impl Strategy<Value = String> {
    let words = prop::sample::select(vec![
        "coverage",
        "signed",
        "risk",
        "branch",
        "gone",
        "nobody",
        "build.time",
        "80",
        "0.5",
        "1e3",
        "0",
        "'high'",
        "'low'",
        "'x'",
        "r'\\d'",
        "b'x'",
        "true",
        "false",
        "null",
        "in",
        "[",
        "]",
        "(",
        ")",
        "{",
        "}",
        ",",
        ".",
        "?",
        ":",
        "!",
        "-",
        "+",
        "*",
        "/",
        "%",
        "<",
        "<=",
        ">",
        ">=",
        "==",
        "!=",
        "&&",
        "||",
        "=",
        "&",
        "'",
        "\"",
        "\\",
        "//",
        "\n",
        "é",
        "\u{0}",
        "`",
        "size(",
        ".contains(",
        ".matches(",
        ".startsWith(",
        ".all(x,",
        "has(",
        "and",
        "['low','high']",
        "[1,2]",
        "9e999",
    ]);
    let spaced = (words, prop::bool::ANY);
    prop::collection::vec(spaced, 0..40).prop_map(|words| {
        let word = |(word, space): (&str, bool)| {
            if space {
                format!("{word} ")
            } else {
                word.to_owned()
            }
        };
        words.into_iter().map(word).collect()
    })
}

fn survives(source: &str) {
    match Expression::parse(source, &names()) {
        Ok(expression) => drop(expression.holds(&value)),
        Err(problems) => complete(source, &problems),
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_soup_of_words_is_too_much(source in soup()) {
        survives(&source);
    }

    #[test]
    fn no_text_is_too_much(source in any::<String>()) {
        survives(&source);
    }

    #[test]
    fn no_bytes_are_too_much(bytes in prop::collection::vec(0_u8..128, 0..200)) {
        survives(&String::from_utf8_lossy(&bytes));
    }
}
