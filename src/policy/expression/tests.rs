//! Tests of expressions as a whole: what is accepted and refused, what it comes to, what it costs;
//! and with the crate `cel` as the oracle, that it is CEL.

mod hostile;
mod oracle;

use super::{Expression, Kind, MAX_PATTERNS, Operand, Problem};

/// The names of docs/expressions.md, and one without values.
fn names() -> Vec<(String, Kind)> {
    let values = ["low", "medium", "high"].map(str::to_owned).to_vec();
    let other = ["red", "green"].map(str::to_owned).to_vec();
    [
        ("coverage", Kind::Number),
        ("vulnerabilities", Kind::Number),
        ("releases", Kind::Number),
        ("signed", Kind::Boolean),
        ("risk", Kind::Text(Some(values))),
        ("light", Kind::Text(Some(other))),
        ("branch", Kind::Text(None)),
        ("gone", Kind::Number),
        ("test-time", Kind::Number),
        ("build.time", Kind::Number),
    ]
    .map(|(name, kind)| (name.to_owned(), kind))
    .to_vec()
}

fn value(name: &str) -> Operand<'static> {
    match name {
        "coverage" => Operand::Number(75.5),
        "vulnerabilities" => Operand::Number(3.0),
        "releases" => Operand::Number(0.0),
        "signed" => Operand::Boolean(true),
        "risk" => Operand::Text("high"),
        "light" => Operand::Text("red"),
        "branch" => Operand::Text("release/gruen"),
        "build.time" => Operand::Number(12.0),
        _ => Operand::Absent,
    }
}

fn accepted(source: &str) -> Expression {
    Expression::parse(source, &names()).unwrap_or_else(|problems| panic!("{source}: {problems:#?}"))
}

fn refused(source: &str) -> Vec<Problem> {
    let Err(problems) = Expression::parse(source, &names()) else {
        panic!("{source} was accepted");
    };
    problems
}

fn outcome(source: &str) -> Result<bool, String> {
    accepted(source).holds(&value)
}

/// The one problem of a source, with what stands at its place.
#[track_caller]
fn only(source: &str) -> (String, String) {
    let problems = refused(source);
    let [problem] = problems.as_slice() else {
        panic!("{source}: {problems:#?}");
    };
    let rest = source[problem.offset..].to_owned();
    (rest, problem.message.clone())
}

#[test]
fn an_expression_can_be_shared_and_compared() {
    fn shared<T: Send + Sync + Clone + std::fmt::Debug + PartialEq>(_: &T) {}
    let expression = accepted("risk == 'high' && coverage < 80 && risk != 'low'");
    shared(&expression);
    assert_eq!(expression.names(), ["risk", "coverage"]);
    assert_eq!(expression, expression.clone());
    assert_ne!(expression, accepted("risk == 'high'"));
    assert_eq!(accepted("signed").source(), "signed");
}

#[test]
fn a_value_may_live_as_long_as_its_owner() {
    let owned = String::from("main");
    let holds = accepted("branch == 'main'").holds(&|_| Operand::Text(&owned));
    assert_eq!(holds, Ok(true));
}

#[test]
fn what_expressions_come_to() {
    let cases = [
        ("coverage < 80", true),
        ("coverage < 75.5", false),
        ("coverage <= 75.5", true),
        ("coverage > 75", true),
        ("coverage >= 75.6", false),
        ("vulnerabilities == 3", true),
        ("vulnerabilities != 3.0", false),
        ("signed", true),
        ("!signed", false),
        ("!!signed", true),
        ("signed == true", true),
        ("signed != true", false),
        ("risk == 'high'", true),
        ("'high' != risk", false),
        ("risk in ['low', 'high']", true),
        ("risk in ['low', 'medium',]", false),
        ("vulnerabilities in [1, 2, 3]", true),
        ("vulnerabilities in [-3]", false),
        ("-vulnerabilities in [-3]", true),
        // Precedence.
        ("signed || signed && coverage < 0", true),
        ("(signed || signed) && coverage < 0", false),
        ("coverage + 2 * vulnerabilities == 81.5", true),
        ("(coverage + 2) * vulnerabilities == 232.5", true),
        ("10 - 4 - vulnerabilities == 3", true),
        ("24 / 4 / vulnerabilities == 2", true),
        ("24 / 4 * vulnerabilities == 18", true),
        ("7 / 2 + releases == 3.5", true),
        ("- -vulnerabilities == --3", true),
        ("-vulnerabilities + 5 == 2", true),
        // Choices.
        ("(signed ? vulnerabilities : coverage) == 3", true),
        ("signed ? !signed : signed", false),
        ("!signed ? signed : coverage < 0 ? signed : !signed", false),
        ("(signed ? risk : 'low') == 'high'", true),
        // Texts.
        ("branch.startsWith('release/')", true),
        ("branch.endsWith(\"gruen\")", true),
        ("branch.contains('x')", false),
        ("branch.contains('')", true),
        ("branch.size() == 13", true),
        ("size(branch) > 13", false),
        ("branch.matches('^rel')", true),
        ("branch.matches(r'^\\w+/')", true),
        ("matches(branch, 'rel$')", false),
        ("branch == 'release/gr\\u0075en'", true),
        ("branch == 'release\\x2fgr\\U00000075en'", true),
        (
            "branch.contains('\\'') || branch.contains(\"\\n\\t\\\\\")",
            false,
        ),
        // What decides alone decides.
        ("gone < 1 && !signed", false),
        ("!signed && gone < 1", false),
        ("gone < 1 || signed", true),
        ("signed || gone < 1", true),
        ("1 / releases > 1 || gone < 1 || signed", true),
        ("vulnerabilities / releases > 0.5 && releases > 0", false),
        ("signed ? signed : gone < 1", true),
        // Layout.
        ("  coverage\n\t<\r\n80 // a comment\n && signed", true),
        ("build.time == 12", true),
        ("coverage in[75.5]&&risk in['high']", true),
        (".5 < coverage && 1e2 > coverage && 1.5E-3 < coverage", true),
    ];
    for (source, expected) in cases {
        assert_eq!(outcome(source), Ok(expected), "{source}");
    }
}

#[test]
fn what_cannot_be_evaluated_says_why() {
    let cases = [
        ("gone < 1", "`gone` has no value"),
        ("!(gone < 1)", "`gone` has no value"),
        ("gone < 1 && signed", "`gone` has no value"),
        ("gone < 1 || !signed", "`gone` has no value"),
        ("signed && coverage / releases > 1", "a division by zero"),
        ("coverage / (releases * -1) > 1", "a division by zero"),
        (
            "coverage * 1e308 - coverage * 1e308 < 1",
            "a result beyond the largest number",
        ),
    ];
    for (source, expected) in cases {
        assert_eq!(outcome(source), Err(expected.to_owned()), "{source}");
    }
}

#[test]
fn a_value_that_is_not_what_was_declared_is_no_answer() {
    let with = |source: &str, operand: Operand<'static>| accepted(source).holds(&|_| operand);
    let wrong = [
        (
            "signed",
            Operand::Text("true"),
            "`signed` was declared as true or false, but is a text",
        ),
        (
            "coverage < 80",
            Operand::Boolean(true),
            "`coverage` was declared as a number, but is true or false",
        ),
        (
            "risk == 'low'",
            Operand::Number(1.0),
            "`risk` was declared as a text, but is a number",
        ),
        (
            "coverage < 80",
            Operand::Number(f64::NAN),
            "`coverage` is no finite number",
        ),
        (
            "coverage < 80",
            Operand::Number(f64::INFINITY),
            "`coverage` is no finite number",
        ),
        (
            "risk == 'low'",
            Operand::Text("Low"),
            "`risk` is none of its declared values",
        ),
        ("signed", Operand::Absent, "`signed` has no value"),
    ];
    for (source, operand, expected) in wrong {
        assert_eq!(with(source, operand), Err(expected.to_owned()), "{source}");
    }
}

#[test]
fn every_problem_comes_at_once_with_its_place() {
    let source = "covrage < 80 && risk == 'hihg' && signed + 1 > 0 && branch.foo()";
    let found: Vec<_> = refused(source)
        .into_iter()
        .map(|problem| (problem.offset, problem.found, problem.help))
        .collect();
    let at = |part: &str| source.find(part).unwrap();
    assert_eq!(
        found,
        [
            (
                0,
                "`covrage`".to_owned(),
                "did you mean `coverage`?".to_owned()
            ),
            (
                at("'hihg'"),
                "`hihg`".to_owned(),
                "did you mean `high`?".to_owned()
            ),
            (
                at("signed"),
                "`signed`, which is true or false".to_owned(),
                "turn it into a number: `(… ? 1 : 0)`".to_owned()
            ),
            (
                at("foo"),
                "`foo`".to_owned(),
                "use operators, or one of these functions".to_owned()
            ),
        ]
    );
}

#[test]
fn places_are_bytes_of_the_source() {
    let (rest, message) = only("branch == 'grün' && bransch == 'x'");
    assert_eq!(rest, "bransch == 'x'");
    assert_eq!(message, "`bransch` is not declared");
    assert_eq!(only("coverage < 80 && ").0, "");
}

#[test]
fn unknown_names_before_a_syntax_fault_are_named_too() {
    let messages: Vec<_> = refused("covrage < 80 && rsk in ['low'] and signed")
        .into_iter()
        .map(|problem| problem.message)
        .collect();
    assert_eq!(
        messages,
        [
            "`covrage` is not declared",
            "`rsk` is not declared",
            "`and` can't stand here"
        ]
    );
}

/// A source, what stands at the place of its one problem, and what is said about it.
const REFUSALS: &[(&str, &str, &str)] = &[
    ("coverage", "coverage", "the expression is no condition"),
    ("branch", "branch", "the expression is no condition"),
    (
        "coverage < signed",
        "< signed",
        "`<` compares two things of different kinds",
    ),
    (
        "signed < signed",
        "< signed",
        "`<` can't compare what is true or false",
    ),
    (
        "risk == light",
        "== light",
        "the two have no value in common",
    ),
    (
        "(signed ? 'lo' : 'high') == risk",
        "'lo' : 'high') == risk",
        "`lo` is none of the declared values",
    ),
    (
        "risk in ['low', 'lo']",
        "'lo']",
        "`lo` is none of the declared values",
    ),
    (
        "(signed ? risk : 'low') == 'x'",
        "'x'",
        "`x` is none of the declared values",
    ),
    (
        "risk in branch",
        "branch",
        "`in` looks for a value in a list",
    ),
    ("risk in []", "[]", "nothing is in an empty list"),
    (
        "signed in [true]",
        "in [true]",
        "`in` can't look for what is true or false",
    ),
    (
        "risk in [branch]",
        "branch]",
        "the element is not of the kind that is looked for",
    ),
    (
        "coverage in ['1']",
        "'1']",
        "the element is not of the kind that is looked for",
    ),
    (
        "coverage in [1 + 1]",
        "1 + 1]",
        "the element is not of the kind that is looked for",
    ),
    (
        "[1] == coverage",
        "[1] == coverage",
        "a list can stand behind `in` only",
    ),
    (
        "signed ? coverage : risk",
        "signed ? coverage : risk",
        "a choice gives two things of different kinds",
    ),
    (
        "coverage ? signed : signed",
        "coverage ? signed : signed",
        "what stands before `?` is no condition",
    ),
    (
        "signed ? signed ? signed : signed : signed",
        "? signed : signed : signed",
        "`?` can't stand here",
    ),
    ("-signed", "signed", "`-` needs a number"),
    ("!coverage", "coverage", "`!` turns a condition round"),
    (
        "coverage.startsWith('x')",
        "coverage.startsWith('x')",
        "`startsWith` looks at how a text begins",
    ),
    (
        "branch.startsWith(1)",
        "1)",
        "`startsWith` looks at how a text begins",
    ),
    (
        "startsWith(branch, 'x')",
        "startsWith(branch, 'x')",
        "`startsWith` is written in another way",
    ),
    (
        "'x'.contains('y')",
        "contains('y')",
        "the call looks at nothing: it always comes out alike",
    ),
    (
        "risk.startsWith('x')",
        "startsWith('x')",
        "no declared value answers to this",
    ),
    (
        "size() > 1 || signed",
        "size() > 1 || signed",
        "`size` is written in another way",
    ),
    (
        "size(coverage) > 1",
        "coverage) > 1",
        "`size` counts the characters of a text",
    ),
    (
        "'x'.matches('x') || signed",
        "'x'.matches('x') || signed",
        "the pattern is looked for in nothing that is read",
    ),
    (
        "coverage.high < 3",
        "coverage.high < 3",
        "`coverage.high` is not declared",
    ),
    ("'x'.y == branch", ".y == branch", "`'x'` has no parts"),
    ("branch[0] == 'x'", "[0] == 'x'", "`[` can't stand here"),
    (
        "{1: 2} == coverage",
        "{1: 2} == coverage",
        "`{` can't stand here",
    ),
    ("branch{a: 1}", "{a: 1}", "`{` can't stand here"),
    (
        "coverage < 9007199254740993",
        "9007199254740993",
        "the number is too large to be told from its neighbours",
    ),
    (
        "coverage < 1e999",
        "1e999",
        "the number is too large to be told from its neighbours",
    ),
    ("coverage < 80u", "80u", "`80u` is no number"),
    ("coverage < 0x50", "0x50", "`0x50` is no number"),
    ("coverage < 5m", "5m", "`5m` is no number"),
    ("branch == 'x", "'x", "the text has no end"),
    ("branch == 'x\ny'", "'x\ny'", "the text has no end"),
    ("branch == 'x\\", "'x\\", "the text has no end"),
    (
        "branch == '''x'''",
        "'''x'''",
        "texts in three quotes can't be written here",
    ),
    (
        "branch == '\\q'",
        "\\q'",
        "the backslash begins nothing that is known",
    ),
    (
        "branch == '\\ud800'",
        "\\ud800'",
        "the backslash begins nothing that is known",
    ),
    (
        "branch == '\\x4'",
        "\\x4'",
        "the backslash begins nothing that is known",
    ),
    (
        "coverage < 80 \0",
        "\0",
        "the character `\\u{0}` means nothing here",
    ),
    (
        "coverage ≤ 80",
        "≤ 80",
        "the character `≤` means nothing here",
    ),
    (
        "größe < 80",
        "öße < 80",
        "the character `ö` means nothing here",
    ),
    ("coverage <> 80", "<> 80", "`<>` means nothing here"),
    ("signed & signed", "& signed", "`&` means nothing here"),
    ("coverage < 80 80", "80", "`80` can't stand here"),
    ("signed &&", "", "the expression ends too early"),
    ("", "", "the expression ends too early"),
    (" // nothing", "", "the expression ends too early"),
    ("(signed", "", "the expression ends too early"),
    ("signed)", ")", "`)` can't stand here"),
    ("for == 1", "for == 1", "`for` can't stand here"),
    ("branch.contains('x',)", ")", "`)` can't stand here"),
    (
        "branch.matches('(')",
        "'(')",
        "the pattern can't be read: unclosed group",
    ),
    (
        "branch.matches('(?=x)')",
        "'(?=x)')",
        "the pattern can't be read: look-around, including look-ahead and look-behind, is not supported",
    ),
];

#[test]
fn one_refusal_each() {
    for (source, rest, message) in REFUSALS {
        assert_eq!(
            only(source),
            ((*rest).to_owned(), (*message).to_owned()),
            "{source}"
        );
    }
}

#[test]
fn a_hyphenated_name_is_explained() {
    let problems = refused("test-time > 10");
    assert!(
        problems[0]
            .help
            .contains("`test-time` reads as a subtraction")
    );
    assert_eq!(problems.len(), 2);
}

#[test]
fn without_names_a_signal_has_to_be_declared_first() {
    let problems = Expression::parse("coverage < 80", &[]).unwrap_err();
    assert_eq!(problems[0].help, "declare a signal first");
}

#[test]
fn only_so_many_patterns() {
    let one = "branch.matches('a')";
    accepted(&[one; MAX_PATTERNS].join(" || "));
    let (_, message) = only(&[one; MAX_PATTERNS + 1].join(" || "));
    assert_eq!(message, "the expression uses too many patterns");
}

/// Every problem says all four things, in a bounded length, and points into the source.
fn complete(source: &str, problems: &[Problem]) {
    assert!(!problems.is_empty(), "{source:?}");
    assert!(problems.len() <= crate::diagnostic::Warnings::ENOUGH);
    for problem in problems {
        assert!(
            source.is_char_boundary(problem.offset),
            "{source:?} {problem:?}"
        );
        for text in [
            &problem.message,
            &problem.found,
            &problem.expected,
            &problem.help,
        ] {
            assert!(!text.is_empty(), "{source:?} {problem:?}");
            assert!(text.len() < 2_000, "{source:?} {problem:?}");
            assert!(
                !text.chars().any(char::is_control),
                "{source:?} {problem:?}"
            );
        }
    }
}

mod page {
    use super::*;

    const PAGE: &str = include_str!("../../../docs/expressions.md");

    fn examples(language: &str) -> Vec<&'static str> {
        let opening = format!("```{language}\n");
        let blocks = PAGE.split(opening.as_str()).skip(1);
        blocks
            .flat_map(|block| block.split("\n```").next().unwrap().lines())
            .collect()
    }

    /// The table of names at the top of the page.
    fn declared() -> Vec<(String, Kind)> {
        let rows = PAGE.lines().filter_map(|line| line.strip_prefix("| `"));
        rows.map(|row| {
            let (name, kind) = row.trim_end_matches(" |").split_once("` | ").unwrap();
            let kind = match kind.strip_prefix("one of ") {
                Some(values) => Kind::Text(Some(values.split(", ").map(str::to_owned).collect())),
                None if kind == "number" => Kind::Number,
                None if kind == "boolean" => Kind::Boolean,
                None => Kind::Text(None),
            };
            (name.to_owned(), kind)
        })
        .collect()
    }

    #[test]
    fn every_example_is_accepted_and_evaluated() {
        let examples = examples("cel");
        assert!(examples.len() > 25, "{}", examples.len());
        for example in examples {
            let expression = Expression::parse(example, &declared());
            let expression = expression.unwrap_or_else(|found| panic!("{example}: {found:#?}"));
            let holds = expression.holds(&value);
            let by_zero = example.contains("/ releases");
            assert_eq!(holds.is_err(), by_zero, "{example}: {holds:?}");
        }
    }

    #[test]
    fn every_refused_example_is_refused_for_the_reason_beside_it() {
        let examples = examples("refused");
        assert!(examples.len() > 20, "{}", examples.len());
        for example in examples {
            let (source, reason) = example.split_once(" // ").unwrap();
            let problems = Expression::parse(source, &declared()).unwrap_err();
            complete(source, &problems);
            assert_eq!(problems[0].message, reason, "{example}");
        }
    }

    #[test]
    fn the_limits_are_those_of_the_code() {
        use super::super::{MAX_BYTES, MAX_DEPTH, MAX_ELEMENTS, MAX_TEXT};
        assert_eq!((MAX_BYTES, MAX_DEPTH), (2_000, 32));
        assert_eq!((MAX_ELEMENTS, MAX_PATTERNS, MAX_TEXT), (100, 4, 4_096));
        assert!(PAGE.contains("a text has more than 4,096 bytes"));
        assert!(PAGE.contains("at most 2,000 bytes, 32 brackets, signs, calls and choices in each other, 100 elements in a list, and 4 patterns of 256 KB each"));
    }
}
