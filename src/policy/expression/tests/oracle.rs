//! The crate `cel`, a reader and evaluator of CEL by others, has to agree: what is accepted here is
//! CEL there, and comes to the same. It knows whole numbers as another kind, so that they get a
//! `.0` before it sees them, which is the one difference that docs/expressions.md names.

use cel::{Context, Program, Value};
use proptest::prelude::*;
use proptest::test_runner::{Config, TestCaseError, TestRunner};

use super::super::problems::Problems;
use super::super::program::Failure;
use super::super::tokens::{self, Lexeme};
use super::{Expression, Kind, Operand, accepted, value};

/// The values of one evaluation.
#[derive(Debug, Clone)]
struct Values {
    numbers: [f64; 3],
    signed: bool,
    risk: &'static str,
    branch: String,
}

impl Values {
    fn get(&self, name: &str) -> Operand<'_> {
        let [coverage, vulnerabilities, releases] = self.numbers;
        match name {
            "coverage" => Operand::Number(coverage),
            "vulnerabilities" => Operand::Number(vulnerabilities),
            "releases" => Operand::Number(releases),
            "signed" => Operand::Boolean(self.signed),
            "risk" => Operand::Text(self.risk),
            "branch" => Operand::Text(&self.branch),
            _ => Operand::Absent,
        }
    }

    fn context(&self) -> Context<'_, '_> {
        let mut context = Context::default();
        for name in [
            "coverage",
            "vulnerabilities",
            "releases",
            "signed",
            "risk",
            "branch",
        ] {
            match self.get(name) {
                Operand::Number(number) => context.add_variable_from_value(name, number),
                Operand::Boolean(value) => context.add_variable_from_value(name, value),
                Operand::Text(text) => context.add_variable_from_value(name, text.to_owned()),
                Operand::Absent => unreachable!(),
            }
        }
        context
    }
}

fn names() -> Vec<(String, Kind)> {
    let mut names = super::names();
    names.retain(|(name, _)| {
        !matches!(name.as_str(), "light" | "gone" | "test-time" | "build.time")
    });
    names
}

/// The source with whole numbers as CEL's doubles, and sizes too.
fn in_doubles(source: &str) -> String {
    let tokens = tokens::read(source, &mut Problems::default()).unwrap();
    let mut doubled = source.to_owned();
    for token in tokens.iter().rev() {
        let written = &source[token.span.start..token.span.end];
        let whole = written.bytes().all(|byte| byte.is_ascii_digit());
        if matches!(token.lexeme, Lexeme::Number(_)) && whole {
            doubled.insert_str(token.span.end, ".0");
        }
    }
    for size in ["size(branch)", "branch.size()"] {
        doubled = doubled.replace(size, &format!("double({size})"));
    }
    doubled
}

fn oracle(source: &str, values: &Values) -> Result<bool, String> {
    let source = in_doubles(source);
    let program = Program::compile(&source).map_err(|errors| format!("{source}: {errors}"))?;
    match program.execute(&values.context()) {
        Ok(Value::Bool(value)) => Ok(value),
        Ok(other) => Err(format!("{source} gives {other:?}")),
        Err(error) => Err(format!("{source}: {error}")),
    }
}

/// A source of a kind, as people and worse ones write it.
fn typed() -> (BoxedStrategy<String>, BoxedStrategy<String>) {
    let number = prop_oneof![
        Just("coverage".to_owned()),
        Just("vulnerabilities".to_owned()),
        Just("releases".to_owned()),
        (0_u32..100).prop_map(|number| number.to_string()),
        (0_u32..1_000).prop_map(|number| format!("{}.{}", number / 10, number % 10)),
        Just("1e3".to_owned()),
    ];
    let text = || {
        prop_oneof![
            Just("branch".to_owned()),
            Just("(signed ? branch : 'x')".to_owned()),
            Just("(coverage < 50 ? risk : branch)".to_owned()),
            prop::sample::select(vec!["'main'", "\"gruen\"", "'a\\'b'", "r'\\d'", "''"])
                .prop_map(str::to_owned),
        ]
    };
    let truth = prop_oneof![
        Just("signed".to_owned()),
        Just("risk == 'high'".to_owned()),
        Just("risk in ['low', 'medium']".to_owned()),
        Just("coverage < 50".to_owned()),
        (text(), prop::sample::select(vec!["==", "!="]))
            .prop_map(|(other, sign)| format!("branch {sign} {other}")),
        (
            text(),
            prop::sample::select(vec!["contains", "startsWith", "endsWith"])
        )
            .prop_map(|(other, function)| format!("branch.{function}({other})")),
        Just("branch.matches(r'^[a-z]+$')".to_owned()),
        Just("matches(branch, 'a|b')".to_owned()),
        Just("branch in ['main', 'a\\tb', \"x\"]".to_owned()),
        Just("vulnerabilities in [0, 1, -2, 2.5]".to_owned()),
        (0_u32..8).prop_map(|size| format!("size(branch) >= {size}")),
        (0_u32..8).prop_map(|size| format!("branch.size() < {size}.5")),
    ];
    let both = (number, truth);
    // Two kinds need each other: a few rounds of both.
    (0..3).fold((both.0.boxed(), both.1.boxed()), |(number, truth), _| {
        let signs = prop::sample::select(vec!["+", "-", "*", "/", " - ", "\n* "]);
        let comparisons = prop::sample::select(vec!["<", "<=", ">", ">=", "==", "!="]);
        let joints = prop::sample::select(vec!["&&", "||", " && ", " || // c\n"]);
        let deeper_number = prop_oneof![
            number.clone(),
            (number.clone(), signs, number.clone())
                .prop_map(|(a, sign, b)| format!("{a}{sign}{b}")),
            number.clone().prop_map(|a| format!("({a})")),
            number.clone().prop_map(|a| format!("-({a})")),
            (truth.clone(), number.clone(), number.clone())
                .prop_map(|(c, a, b)| format!("({c} ? {a} : {b})")),
        ];
        let deeper_truth = prop_oneof![
            truth.clone(),
            (number.clone(), comparisons, number)
                .prop_map(|(a, sign, b)| format!("coverage * 0 + {a} {sign} {b}")),
            (truth.clone(), joints, truth.clone()).prop_map(|(a, sign, b)| format!("{a}{sign}{b}")),
            truth.clone().prop_map(|a| format!("!({a})")),
            truth.clone().prop_map(|a| format!("({a}) == signed")),
            truth.clone().prop_map(|a| format!("signed != ({a})")),
            (truth.clone(), truth.clone(), truth.clone())
                .prop_map(|(c, a, b)| format!("({c}) ? ({a}) : {b}")),
        ];
        (deeper_number.boxed(), deeper_truth.boxed())
    })
}

fn values() -> impl Strategy<Value = Values> {
    let number = || prop_oneof![Just(0.0), Just(50.0), 0.0..100.0, -1e6..1e6];
    (
        [number(), number(), number()],
        any::<bool>(),
        prop::sample::select(vec!["low", "medium", "high"]),
        prop_oneof![
            Just("main".to_owned()),
            Just("gruen".to_owned()),
            "[a-cu]{0,6}"
        ],
    )
        .prop_map(|(numbers, signed, risk, branch)| Values {
            numbers,
            signed,
            risk,
            branch,
        })
}

fn agrees(source: &str, values: &Values) -> Result<(), TestCaseError> {
    let Ok(expression) = Expression::parse(source, &names()) else {
        return Ok(());
    };
    match expression.program.evaluate(&|name| values.get(name)) {
        Ok(holds) => {
            let theirs = oracle(source, values);
            prop_assert_eq!(theirs, Ok(holds), "{}", source);
        }
        // CEL goes on with infinity there.
        Err(Failure::DivisionByZero | Failure::TooLarge) => {}
        Err(failure) => prop_assert!(false, "{}: {:?}", source, failure),
    }
    Ok(())
}

#[test]
fn what_is_accepted_comes_to_the_same_in_cel() {
    let mut runner = TestRunner::new(Config {
        cases: 600,
        failure_persistence: None,
        ..Config::default()
    });
    let parsed = std::cell::Cell::new(0);
    let cases = (typed().1, values());
    runner
        .run(&cases, |(source, values)| {
            if Expression::parse(&source, &names()).is_ok() {
                parsed.set(parsed.get() + 1);
            }
            agrees(&source, &values)
        })
        .unwrap();
    // A generator that makes what is refused would prove nothing.
    assert!(parsed.get() > 400, "{}", parsed.get());
}

#[test]
fn what_a_soup_of_words_happens_to_say_comes_to_the_same_in_cel() {
    let words = prop::sample::select(vec![
        "coverage",
        "vulnerabilities",
        "signed",
        "!signed",
        "risk",
        "branch",
        "0",
        "50",
        "2.5",
        "'low'",
        "'main'",
        "(",
        ")",
        "<",
        ">=",
        "==",
        "!=",
        "&&",
        "||",
        "+",
        "-",
        "*",
        "/",
        "?",
        ":",
        "!",
        "in ['low', 'high']",
        "in [0, 50]",
        ".contains('a')",
        "size(branch)",
        "risk == 'high'",
        "coverage < 50",
        "true",
        "false",
    ]);
    let soup = prop::collection::vec(words, 1..9).prop_map(|words| words.join(" "));
    let mut runner = TestRunner::new(Config {
        cases: 10_000,
        failure_persistence: None,
        ..Config::default()
    });
    let accepted = std::cell::Cell::new(0);
    runner
        .run(&(soup, values()), |(source, values)| {
            if Expression::parse(&source, &names()).is_ok() {
                accepted.set(accepted.get() + 1);
            }
            agrees(&source, &values)
        })
        .unwrap();
    assert!(accepted.get() > 100, "{}", accepted.get());
}

/// A number of them that no generator would think of.
#[test]
fn a_corpus_comes_to_the_same_in_cel() {
    let values = Values {
        numbers: [75.5, 3.0, 0.0],
        signed: true,
        risk: "high",
        branch: "release/gruen".to_owned(),
    };
    for source in [
        "coverage in[75.5]&&risk in['high']",
        "branch == 'release/gr\\u0075en'",
        "branch == 'release\\x2fgr\\U00000075en'",
        "branch == \"\\a\\b\\f\\n\\r\\t\\v\\\\\\?\\'\\\"\\`\"",
        "branch.matches('(?i)GRUEN$')",
        "size(branch) == 12",
        "- -vulnerabilities == --3",
        "!!signed",
        ".5 < coverage && 1e2 > coverage && 1.5E-3 < coverage",
        "signed || signed && coverage < 0",
        "10 - 4 - vulnerabilities == 3",
        "24 / 4 / vulnerabilities == 2",
        "!signed ? signed : coverage < 0 ? signed : !signed",
        "signed ? coverage < 0 : signed ? signed : signed",
        "vulnerabilities / releases > 0.5 && releases > 0",
        "coverage\n<// c\r\n80",
        "risk in ['low', 'high',]",
        "branch != 'a\u{0}b' && branch != '\u{7f}\u{1}é🐱\u{202e}'",
        "branch != '\t\u{c}' // to the end",
        "\u{c}signed\t",
    ] {
        let expression = accepted(source);
        let ours = expression.holds(&value);
        assert_eq!(ours, oracle(source, &values), "{source}");
    }
}
