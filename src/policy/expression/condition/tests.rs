//! Tests of conditions: a table of answers, what is refused, what is alike, and the crate `cel`, which
//! has to agree wherever there is an answer here.

use cel::{Context, Program, Value as CelValue};
use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::policy::expression::problems::Problems;
use crate::policy::expression::tokens::{self, Lexeme};

struct Given<'g>(&'g Value, &'g Paths);

impl Attributes for Given<'_> {
    fn value(&self, slot: Slot) -> Option<&Value> {
        let mut value = self.0;
        for key in self.1.keys(slot) {
            value = value.as_object()?.get(key)?;
        }
        (!value.is_null()).then_some(value)
    }
}

fn parse(source: &str, purpose: Purpose, paths: &mut Paths) -> Result<Condition, Vec<Problem>> {
    Condition::parse(source, purpose, paths, &mut Kinds::default())
}

/// `has` may stand upright here.
fn answer(source: &str, given: &Value) -> Option<bool> {
    let mut paths = Paths::default();
    let condition = parse(source, Purpose::Allow, &mut paths);
    let condition = condition.unwrap_or_else(|problems| panic!("{source}: {problems:#?}"));
    condition.holds(&Given(given, &paths)).ok()
}

#[test]
fn a_table_of_answers() {
    let given = json!({
        "agent": {"user_id": "u1", "level": 3, "verified": true, "permissions": ["read", "list"], "empty": "", "roles": ["a", 1]},
        "data": {"owner": "u1", "path": "/home/u1/x", "level": 3.0, "other": "u2", "none": null},
    });
    for (source, expected) in [
        ("agent.user_id == data.owner", Some(true)),
        ("agent.user_id != data.owner", Some(false)),
        ("agent.user_id == data.other", Some(false)),
        ("agent.user_id\n  ==\n  data.owner // own", Some(true)),
        ("agent.user_id == data.none", None),
        ("agent.user_id != data.none", None),
        ("!(agent.user_id == data.none)", None),
        ("agent.user_id == agent.level", None),
        ("agent.level == data.level", Some(true)),
        ("agent.level >= 3 && agent.level <= 3.0", Some(true)),
        ("2.5 < agent.level", Some(true)),
        ("agent.level > 3 || agent.level < 3", Some(false)),
        ("agent.level < data.none", None),
        ("agent.user_id < 3", None),
        ("agent.verified", Some(true)),
        ("!agent.verified", Some(false)),
        ("agent.verified != true", Some(false)),
        ("agent.user_id", None),
        ("'read' in agent.permissions", Some(true)),
        ("'write' in agent.permissions", Some(false)),
        ("'a' in agent.roles", Some(true)),
        ("'b' in agent.roles", None),
        ("'b' in agent.user_id", None),
        ("data.other in agent.permissions", Some(false)),
        ("agent.user_id in ['u1', 'u3']", Some(true)),
        ("agent.level in [1, 2]", Some(false)),
        ("agent.level in ['3']", None),
        ("data.path.startsWith('/home/')", Some(true)),
        ("data.path.contains(agent.user_id)", Some(true)),
        ("data.path.contains(agent.empty)", None),
        ("data.path.endsWith('.txt')", Some(false)),
        ("agent.empty == data.owner", None),
        ("agent.empty == ''", Some(true)),
        ("has(agent.user_id)", Some(true)),
        ("has(agent.absent)", Some(false)),
        ("has(data.none)", Some(false)),
        ("has(nobody.user_id)", None),
        ("has(agent.absent.below)", None),
        // Kleene: what decides alone decides, in either order.
        ("agent.absent == 'x' || agent.verified", Some(true)),
        ("agent.verified || agent.absent == 'x'", Some(true)),
        ("agent.absent == 'x' && !agent.verified", Some(false)),
        ("agent.absent == 'x' && agent.verified", None),
        ("agent.absent == 'x' || !agent.verified", None),
        ("true", Some(true)),
        ("false || agent.verified", Some(true)),
    ] {
        assert_eq!(answer(source, &given), expected, "{source}");
    }
}

#[test]
fn what_is_refused_says_what_to_do() {
    let mut said = String::new();
    for (purpose, source) in [
        (Purpose::Allow, ""),
        (Purpose::Allow, "agent.user_id = data.owner"),
        (Purpose::Allow, "agent.user_id == null"),
        (Purpose::Allow, "'a' == 'a'"),
        (Purpose::Allow, "agent.level < 'three'"),
        (Purpose::Allow, "agent.level == 3 && agent.level == 'three'"),
        (Purpose::Allow, "agent.level + 1 == 4"),
        (Purpose::Allow, "agent.verified ? true : false"),
        (Purpose::Allow, "'admin'"),
        (Purpose::Allow, "agent.role in []"),
        (Purpose::Allow, "agent.role in ['a', 3]"),
        (Purpose::Allow, "agent.role in data.roles[0]"),
        (Purpose::Allow, "agent.in == 'x'"),
        (Purpose::Allow, "has(agent)"),
        (Purpose::Allow, "!has(agent.suspended)"),
        (Purpose::Allow, "!(agent.verified && has(agent.suspended))"),
        (Purpose::Deny, "has(agent.suspended)"),
        (Purpose::Allow, "agent.name.matches('^a')"),
        (Purpose::Allow, "agent.name.startsWith('')"),
        (Purpose::Allow, "agent.name.startWith('a')"),
        (Purpose::Allow, "agent.permissions.contains('a', 'b')"),
    ] {
        said.push_str(&format!("{source}\n"));
        match parse(source, purpose, &mut Paths::default()) {
            Ok(_) => panic!("{source} was accepted"),
            Err(problems) => {
                for one in problems {
                    said.push_str(&format!(
                        "  {}: {}\n    found {}; expected {}\n    {}\n",
                        one.offset, one.message, one.found, one.expected, one.help
                    ));
                }
            }
        }
    }
    insta::assert_snapshot!(said);
}

#[test]
fn has_may_stand_where_absent_allows_nothing() {
    let accepted = |source, purpose| parse(source, purpose, &mut Paths::default()).is_ok();
    assert!(accepted("has(a.b) && !(!has(a.c))", Purpose::Allow));
    assert!(accepted("!has(a.b) || !(a.d && has(a.c))", Purpose::Deny));
    assert!(!accepted("!(!has(a.b))", Purpose::Deny));
}

fn normal(source: &str, paths: &mut Paths) -> Normal {
    let parsed = parse(source, Purpose::Allow, paths);
    parsed
        .unwrap_or_else(|problems| panic!("{source}: {problems:#?}"))
        .normal()
}

#[test]
fn what_means_the_same_is_the_same_however_it_is_written() {
    let mut paths = Paths::default();
    for (one, other) in [
        ("a.b == c.d", "c.d  ==  a.b"),
        ("a.b == 'x'", "\"x\" == a.b"),
        ("a.b == 'x' && c.d", "c.d && (a.b == 'x')"),
        ("a.b && (c.d && e.f)", "(e.f && a.b) && c.d"),
        ("a.b in ['x', 'y']", "a.b == 'y' || a.b == 'x'"),
        ("!(a.b in ['x', 'y'])", "a.b != 'y' && a.b != 'x'"),
        ("a.n > 3", "3 < a.n"),
        ("!(a.n > 3)", "a.n <= 3"),
        ("!(a.b == 'x' || c.d)", "!c.d && a.b != 'x'"),
        ("a.f == true", "a.f"),
        ("a.f != true", "!a.f"),
        ("a.n == 3", "a.n == 3.0"),
        ("a.f || a.f", "a.f"),
        ("a.f && true", "!!a.f"),
    ] {
        assert_eq!(normal(one, &mut paths), normal(other, &mut paths), "{one}");
    }
    for (one, other) in [
        ("a.b == 'x'", "a.b == 'X'"),
        ("a.n < 3", "a.n <= 3"),
        ("a.b == c.d", "a.b != c.d"),
        ("a.f || c.d", "a.f && c.d"),
    ] {
        assert_ne!(normal(one, &mut paths), normal(other, &mut paths), "{one}");
    }
}

#[test]
fn what_follows_from_written_values_is_found() {
    let mut paths = Paths::default();
    for (one, other, follows) in [
        ("a.b == 'x'", "a.b != 'y'", true),
        ("a.b == 'x'", "a.b in ['x', 'y']", true),
        ("a.b in ['x', 'y']", "a.b == 'x'", false),
        ("a.b == 'x' && c.d", "a.b == 'x'", true),
        ("a.b == 'x'", "a.b == 'x' && c.d", false),
        ("a.b == 'x' || a.b == 'y'", "a.b in ['x', 'y', 'z']", true),
        ("a.n < 5", "a.n < 7", true),
        ("a.n <= 5", "a.n < 5", false),
        ("a.n < 5", "a.n <= 5", true),
        ("a.n > 7", "a.n > 5", true),
        ("a.n > 5", "a.n > 7", false),
        ("a.n == 5", "a.n >= 5", true),
        ("a.b == 'home'", "a.b.startsWith('ho')", true),
        ("a.b == 'home'", "a.b.startsWith('x')", false),
        ("a.b == c.d", "c.d == a.b", true),
        ("a.b == c.d", "a.b == 'x'", false),
    ] {
        let (one, other) = (normal(one, &mut paths), normal(other, &mut paths));
        assert_eq!(one.implies(&other), follows, "{one:?} {other:?}");
    }
    for (source, can) in [
        ("a.b == 'x' && a.b == 'y'", false),
        ("a.b == 'x' && a.b != 'x'", false),
        ("a.f && !a.f", false),
        ("a.n < 3 && a.n > 5", false),
        ("a.n < 3 && a.n > 2", true),
        ("a.n <= 3 && a.n >= 3", true),
        ("a.n < 3 && a.n >= 3", false),
        ("a.n == 4 && a.n < 3", false),
        ("(a.b == 'x' || a.b == 'z') && a.b == 'y'", false),
        ("false", false),
        ("a.b == 'x' && c.d == 'y'", true),
    ] {
        assert_eq!(normal(source, &mut paths).can_hold(), can, "{source}");
    }
}

/// The same with every number as CEL's double.
fn in_doubles(source: &str) -> String {
    let words = tokens::read(source, &mut Problems::default()).unwrap();
    let mut doubled = source.to_owned();
    for word in words.iter().rev() {
        let written = &source[word.span.start..word.span.end];
        let whole = written.bytes().all(|byte| byte.is_ascii_digit());
        if matches!(word.lexeme, Lexeme::Number(_)) && whole {
            doubled.insert_str(word.span.end, ".0");
        }
    }
    doubled
}

/// A request as CEL sees it: members that are `null` are not there.
fn in_cel(value: &Value) -> Option<CelValue> {
    Some(match value {
        Value::Null => return None,
        Value::Bool(flag) => (*flag).into(),
        Value::Number(number) => number.as_f64().unwrap().into(),
        Value::String(text) => text.clone().into(),
        Value::Array(items) => CelValue::List(std::sync::Arc::new(
            items.iter().filter_map(in_cel).collect::<Vec<_>>(),
        )),
        Value::Object(members) => {
            let there: std::collections::HashMap<String, CelValue> = members
                .iter()
                .filter_map(|(key, value)| Some((key.clone(), in_cel(value)?)))
                .collect();
            there.into()
        }
    })
}

fn oracle(source: &str, given: &Value) -> Result<bool, String> {
    let source = in_doubles(source);
    let program = Program::compile(&source).map_err(|errors| format!("{source}: {errors}"))?;
    let mut context = Context::default();
    for (name, value) in given.as_object().unwrap() {
        if let Some(value) = in_cel(value) {
            context.add_variable_from_value(name.as_str(), value);
        }
    }
    match program.execute(&context) {
        Ok(CelValue::Bool(answer)) => Ok(answer),
        Ok(other) => Err(format!("{source} gives {other:?}")),
        Err(error) => Err(format!("{source}: {error}")),
    }
}

fn source() -> impl Strategy<Value = String> {
    let path = || prop::sample::select(vec!["a.x", "a.y", "a.z.u", "b.x", "b.n", "b.list", "c"]);
    let text = prop::sample::select(vec!["'x'", "\"y\"", "'xy'", "''", "r'x'", "'\\x78'"]);
    let number = prop::sample::select(vec!["0", "1", "-1", "2.5", "1e2"]);
    let literal = prop_oneof![text.clone(), number.clone(), Just("true"), Just("false")];
    let sign = prop::sample::select(vec!["==", "!="]);
    let order = prop::sample::select(vec!["<", "<=", ">", ">="]);
    let search = prop::sample::select(vec!["startsWith", "endsWith", "contains"]);
    let leaf = prop_oneof![
        (path(), sign.clone(), path()).prop_map(|(a, sign, b)| format!("{a} {sign} {b}")),
        (path(), sign, literal.clone()).prop_map(|(a, sign, b)| format!("{a}{sign}{b}")),
        (path(), order.clone(), number).prop_map(|(a, order, b)| format!("{a} {order} {b}")),
        (path(), order, path()).prop_map(|(a, order, b)| format!("{a} {order}\n{b}")),
        (path(), search, text).prop_map(|(a, search, b)| format!("{a}.{search}({b})")),
        (literal.clone(), path()).prop_map(|(a, b)| format!("{a} in {b}")),
        (path(), path()).prop_map(|(a, b)| format!("{a} in {b}")),
        (path(), literal).prop_map(|(a, b)| format!("{a} in [{b}]")),
        path().prop_map(str::to_owned),
        path().prop_map(|path| format!("has({path})")),
        Just("true".to_owned()),
    ];
    leaf.prop_recursive(3, 12, 3, |inner| {
        prop_oneof![
            (inner.clone(), inner.clone()).prop_map(|(a, b)| format!("({a}) && {b}")),
            (inner.clone(), inner.clone()).prop_map(|(a, b)| format!("{a} || ({b})")),
            inner.prop_map(|a| format!("!({a})")),
        ]
    })
}

fn given() -> impl Strategy<Value = Value> {
    let any = || {
        prop::sample::select(vec![
            json!("x"),
            json!("y"),
            json!("xy"),
            json!(""),
            json!(1),
            json!(2.5),
            json!(true),
            json!(null),
            json!(["x", "y"]),
            json!([1, 2.5]),
            json!({"u": "x"}),
        ])
    };
    (any(), any(), any(), any(), any(), any()).prop_map(|(x, y, z, bx, n, c)| {
        json!({"a": {"x": x, "y": y, "z": z}, "b": {"x": bx, "n": n, "list": ["x", "xy"]}, "c": c})
    })
}

#[test]
fn what_has_an_answer_has_the_same_one_in_cel() {
    let mut runner = proptest::test_runner::TestRunner::new(ProptestConfig {
        cases: 12_000,
        failure_persistence: None,
        ..ProptestConfig::default()
    });
    let (accepted, answered) = (std::cell::Cell::new(0), std::cell::Cell::new(0));
    runner
        .run(&(source(), given()), |(source, given)| {
            let mut paths = Paths::default();
            let Ok(condition) = parse(&source, Purpose::Allow, &mut paths) else {
                return Ok(());
            };
            accepted.set(accepted.get() + 1);
            let normal = condition.normal();
            prop_assert!(normal.implies(&normal), "{}", source);
            match condition.holds(&Given(&given, &paths)) {
                Ok(answer) => {
                    answered.set(answered.get() + 1);
                    prop_assert!(!answer || normal.can_hold(), "{}", source);
                    prop_assert_eq!(oracle(&source, &given), Ok(answer), "{} {}", source, given);
                }
                Err(_) => {
                    prop_assert!(Program::compile(&in_doubles(&source)).is_ok(), "{}", source);
                }
            }
            Ok(())
        })
        .unwrap();
    // A generator that makes what is refused, or what has no answer, would prove nothing.
    assert!(accepted.get() > 5_000, "{}", accepted.get());
    assert!(answered.get() > 1_500, "{}", answered.get());
}
