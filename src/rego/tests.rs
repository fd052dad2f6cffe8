//! Rules asked about requests: tables of what they say, and what must never be taken for a yes.

use std::sync::Arc;
use std::time::Duration;

use super::*;
use crate::diagnostic::{Code, Diagnostic};
use crate::policy::Level;
use crate::request::envelope::Circumstances;
use crate::request::{Effect, Request, Verdict, codes};
use crate::time::Timestamp;

/// 2026-01-01T00:00:00Z.
const NEW_YEAR: i64 = 1_767_225_600;

fn around() -> Circumstances {
    Circumstances::undisturbed(
        Timestamp::from_unix_seconds(NEW_YEAR).unwrap(),
        Some(Level::GREEN),
    )
}

fn settings(entries: &[&str]) -> Settings {
    Settings {
        entries: entries.iter().map(|rule| Entry::new(*rule)).collect(),
        ..Settings::default()
    }
}

fn files(files: &[(&str, &str)]) -> Vec<(String, Vec<u8>)> {
    let files = files.iter();
    files
        .map(|(file, text)| ((*file).to_owned(), text.as_bytes().to_vec()))
        .collect()
}

fn compiled(text: &str, rule: &str) -> Result<Compiled, Vec<Diagnostic>> {
    let files = files(&[("policy/rego/p.rego", text)]);
    compile(&files, &settings(&[rule]), &Vocabulary::default())
}

fn asked(policies: &Compiled, request: &str) -> Verdict {
    let request = Request::parse(request.as_bytes()).unwrap();
    policies.judge(&request, &around()).unwrap()
}

/// What the rule `data.p.allow` of a module says of a request.
fn said(text: &str, request: &str) -> Verdict {
    asked(&compiled(text, "data.p.allow").unwrap(), request)
}

#[test]
fn a_truth_value_allows_only_where_it_is_true() {
    let text = "package p\ndefault allow := false\nallow if input.user.role == \"steward\"\n";
    let allowed = said(text, r#"{"user":{"role":"steward"}}"#);
    assert_eq!(allowed, Verdict::allow(codes::ALLOW_MATCHED_RULE));
    for request in [
        r#"{"user":{"role":"public"}}"#,
        "{}",
        r#"{"user":{"role":null}}"#,
    ] {
        assert_eq!(
            said(text, request),
            Verdict::deny(codes::DEFAULT_DENY),
            "{request}"
        );
    }
}

#[test]
fn whatever_is_no_answer_is_a_denial_with_its_own_code() {
    let cases = [
        ("allow if input.x", codes::REGO_UNDEFINED),
        ("allow := 1", codes::REGO_ANSWER_INVALID),
        ("allow := \"yes\"", codes::REGO_ANSWER_INVALID),
        ("allow := null", codes::REGO_ANSWER_INVALID),
        ("allow := [true]", codes::REGO_ANSWER_INVALID),
        ("allow contains true", codes::REGO_ANSWER_INVALID),
        ("allow := {}", codes::REGO_ANSWER_INVALID),
        (
            "allow := {\"decision\": \"allow\"}",
            codes::REGO_ANSWER_INVALID,
        ),
        (
            "allow := {\"decision\": \"allow\", \"reason_codes\": []}",
            codes::REGO_ANSWER_INVALID,
        ),
        (
            "allow := {\"decision\": \"allow\", \"reason_codes\": [\"NO_SUCH\"]}",
            codes::REGO_ANSWER_INVALID,
        ),
        (
            "allow := {\"decision\": \"yes\", \"reason_codes\": [\"DEFAULT_DENY\"]}",
            codes::REGO_ANSWER_INVALID,
        ),
        (
            "allow := {\"decision\": \"allow\", \"reason_codes\": [\"ALLOW_MATCHED_RULE\"], \"obligations\": [{\"type\": \"wash_hands\"}]}",
            codes::REGO_ANSWER_INVALID,
        ),
        (
            "allow := {\"decision\": \"allow\", \"reason_codes\": [\"ALLOW_MATCHED_RULE\"], \"obligation\": []}",
            codes::REGO_ANSWER_INVALID,
        ),
        (
            "allow := true if input.a\nallow := false if input.b",
            codes::REGO_ERROR,
        ),
        // What has two values at once is an error, also behind a `not`.
        (
            "allow if not blocked\nblocked := true if input.a\nblocked := false if input.b",
            codes::REGO_ERROR,
        ),
        (
            "allow if not blocked(1)\nblocked(x) := true if input.a\nblocked(x) := false if input.b",
            codes::REGO_ERROR,
        ),
        (
            "allow if not blocked\nblocked := x if some x in [true, false]",
            codes::REGO_ERROR,
        ),
        (
            "allow if not blocked.x\nblocked[\"x\"] := true\nblocked[\"x\"] := false",
            codes::REGO_ERROR,
        ),
        (
            "allow if not {x: y | x := \"a\"; some y in [true, false]}.a",
            codes::REGO_ERROR,
        ),
        (
            "allow if true\ndeny := true if input.a\ndeny := false if input.b",
            codes::REGO_ERROR,
        ),
        (
            "allow if count([1 | some i in numbers.range(1, 9000); some j in numbers.range(1, 9000); i == j]) > 0",
            codes::REGO_LIMIT,
        ),
        (
            "allow if count(numbers.range(1, 100000000000)) > 0",
            codes::REGO_LIMIT,
        ),
    ];
    for (rules, code) in cases {
        let verdict = said(&format!("package p\n{rules}\n"), r#"{"a":1,"b":2}"#);
        assert_eq!(verdict.effect, Effect::Deny, "{rules}");
        assert_eq!(verdict.codes, [code], "{rules}: {verdict:?}");
        assert_eq!(verdict.reasons.len(), 1, "{rules}");
    }
}

#[test]
fn an_envelope_is_taken_over_whole() {
    let text = r#"package p
allow := {
  "decision": "allow", "policy_label": "public",
  "obligations": {{"type": "show_notice", "message": "m", "n": {"a": 1}}},
  "reason_codes": {"ALLOW_MATCHED_RULE"}, "alternatives": ["another"],
}
"#;
    let verdict = said(text, "{}");
    let envelope = crate::request::Envelope::new(None, verdict, None, &around());
    let text = serde_json::to_string(&envelope).unwrap();
    let expected = r#""decision":"allow","effect":"ALLOW","policy_label":"public","obligations":[{"type":"show_notice","message":"m","n":{"a":1}}],"reason_codes":["ALLOW_MATCHED_RULE"],"alternatives":["another"]"#;
    assert!(text.contains(expected), "{text}");
}

#[test]
fn what_speaks_against_a_request_beats_what_allows_it() {
    let cases = [
        (
            "deny if input.x",
            "{\"x\":1}",
            vec![],
            vec![codes::REGO_DENIED],
        ),
        (
            "deny contains \"no\" if input.x",
            "{\"x\":1}",
            vec!["no"],
            vec![codes::REGO_DENIED],
        ),
        (
            "deny contains {\"code\": \"LEVEL_TOO_HIGH\", \"msg\": \"red\"}",
            "{}",
            vec!["red"],
            vec![codes::LEVEL_TOO_HIGH],
        ),
        (
            "deny := 3",
            "{}",
            vec!["`data.p.deny` can't be used: it is a number"],
            vec![codes::REGO_ANSWER_INVALID],
        ),
        (
            "violation contains {\"msg\": \"m\", \"severity\": \"critical\"}\ndeny contains \"d\"",
            "{}",
            vec!["d", "m"],
            vec![codes::REGO_DENIED],
        ),
    ];
    for (rules, request, reasons, expected) in cases {
        let verdict = said(&format!("package p\nallow := true\n{rules}\n"), request);
        assert_eq!(verdict.effect, Effect::Deny, "{rules}");
        assert_eq!(verdict.codes, expected, "{rules}");
        assert_eq!(verdict.reasons, reasons, "{rules}");
    }
    // A function that others ask is none that asks itself.
    let text = "package p\nf(x) if x == 1\nallow if f(input.x)\ng(x) if f(x)\n";
    assert_eq!(said(text, "{\"x\":1}").effect, Effect::Allow);
    let text = "package p\nallow := true\ndeny contains \"no\" if input.x\ndeny contains \"n\" if input.y\n";
    assert_eq!(said(text, "{}").effect, Effect::Allow);
    let text = "package p\ndefault allow := false\nviolation contains {\"msg\": \"m\", \"severity\": \"critical\"}\n";
    let verdict = said(text, "{}");
    assert_eq!(verdict.codes, [codes::REGO_DENIED]);
    assert_eq!(verdict.obligations[0].parameters["severity"], "critical");
}

#[test]
fn time_is_that_of_the_circumstances() {
    let text = "package p\nallow if {\n  time.now_ns() == 1767225600000000000\n  time.now_ns() == input.context.evaluated_at_ns\n  input.context.evaluated_at == \"2026-01-01T00:00:00+00:00\"\n  input.context.level == \"GREEN\"\n  time.weekday(time.now_ns()) == \"Thursday\"\n}\n";
    for request in [
        "{}",
        r#"{"context":{"evaluated_at":"2030","evaluated_at_ns":5,"level":"RED"}}"#,
    ] {
        assert_eq!(said(text, request).effect, Effect::Allow, "{request}");
    }
    let malformed = said(text, r#"{"context":3}"#);
    assert_eq!(malformed.codes, [codes::REQUEST_MALFORMED]);
}

#[test]
fn every_rule_that_a_request_concerns_has_to_allow_it() {
    let files = files(&[(
        "policy/rego/p.rego",
        "package p\nallow if input.a == 1\nother if input.b == 1\n",
    )]);
    let settings = Settings {
        entries: vec![
            Entry::new("data.p.allow").about(&["a"]),
            Entry::new("data.p.other").about(&["b"]),
        ],
        ..Settings::default()
    };
    let policies = compile(&files, &settings, &Vocabulary::default()).unwrap();
    let members: Vec<&str> = policies.members().collect();
    assert_eq!(members, ["a", "b"]);
    assert_eq!(policies.sources().len(), 1);
    for (request, expected) in [
        ("{}", None),
        (r#"{"a":null}"#, None),
        (r#"{"a":1}"#, Some(Effect::Allow)),
        (r#"{"a":1,"b":1}"#, Some(Effect::Allow)),
        (r#"{"a":1,"b":2}"#, Some(Effect::Deny)),
        (r#"{"a":2,"b":1}"#, Some(Effect::Deny)),
    ] {
        let request = Request::parse(request.as_bytes()).unwrap();
        let verdict = policies.judge(&request, &around());
        assert_eq!(
            verdict.map(|verdict| verdict.effect),
            expected,
            "{request:?}"
        );
    }
}

#[test]
fn plain_rules_are_evaluated_by_the_machine() {
    for (rules, is_fast) in [
        ("allow if input.a\nallow if input.roles[_] == \"x\"", true),
        (
            "default allow := false\nallow if f(input.a)\nf(x) if x == 1\nf(x) if x == 2",
            true,
        ),
        ("allow := {\"decision\": \"deny\", \"n\": input.n}", true),
        ("allow := \"x\" if { input.a } else := input.b", true),
        (
            "allow if f(input.a) == 1\nf(x) := 1 if x == 1\nf(x) := 2 if x == 2",
            false,
        ),
        ("allow := x if some x in input.a", false),
    ] {
        let policies = compiled(&format!("package p\n{rules}\n"), "data.p.allow").unwrap();
        assert_eq!(policies.is_fast(), is_fast, "{rules}");
    }
}

#[test]
fn a_thousand_times_the_same_from_any_thread() {
    let text = "package p\nallow := {\"decision\": \"deny\", \"reason_codes\": {c | some c in input.codes}, \"alternatives\": {x | some x, _ in input.o}}\n";
    let policies = Arc::new(compiled(text, "data.p.allow").unwrap());
    assert!(policies.is_fast());
    let request = r#"{"codes":["POLICY_UNAVAILABLE","DEFAULT_DENY","LEVEL_UNKNOWN"],"o":{"z":1,"a":2,"m":3}}"#;
    let first = asked(&policies, request);
    assert_eq!(first.alternatives, ["a", "m", "z"]);
    let threads: Vec<_> = (0..4)
        .map(|_| {
            let (policies, first) = (Arc::clone(&policies), first.clone());
            std::thread::spawn(move || {
                for _ in 0..250 {
                    assert_eq!(asked(&policies, request), first);
                }
            })
        })
        .collect();
    for thread in threads {
        thread.join().unwrap();
    }
}

#[test]
fn what_the_machine_cannot_do_the_interpreter_does() {
    let text = "package p\nallow if inner with input.x as 7\ninner if input.x == 7\n";
    let policies = compiled(text, "data.p.allow").unwrap();
    assert!(!policies.is_fast());
    assert_eq!(asked(&policies, "{\"x\":1}").effect, Effect::Allow);
    let text = "package p\nallow if { count(numbers.range(1, input.n)) > 0; time.now_ns() == 1767225600000000000 with input.x as 7 }\n";
    let policies = compiled(text, "data.p.allow").unwrap();
    assert_eq!(asked(&policies, "{\"n\":10}").effect, Effect::Allow);
    let much = asked(&policies, "{\"n\":10000000}");
    assert_eq!(much.codes, [codes::REGO_LIMIT]);
    let settings = Settings {
        limits: Limits {
            time: Duration::from_millis(20),
            ..Limits::default()
        },
        ..settings(&["data.p.allow"])
    };
    let text = "package p\nxs := numbers.range(1, 9000)\nallow if count([1 | some i in xs; some j in xs; i == j]) > 0 with input.x as 7\n";
    let files = files(&[("policy/rego/p.rego", text)]);
    let policies = compile(&files, &settings, &Vocabulary::default()).unwrap();
    assert_eq!(asked(&policies, "{}").codes, [codes::REGO_LIMIT]);
}

/// Rules of bad will, each of which would take more memory than any machine has.
#[test]
#[cfg(target_os = "linux")]
fn memory_is_bounded_by_a_denial() {
    let settings = Settings {
        limits: Limits {
            time: Duration::from_secs(60),
            memory: 64 * 1024 * 1024,
            ..Limits::default()
        },
        ..settings(&["data.p.allow"])
    };
    let request = format!("{{\"s\":\"{}\"}}", "a".repeat(200_000));
    for body in [
        "count([s | some i in numbers.range(1, 100000); s := sprintf(\"%s%d\", [input.s, i])]) > 0",
        "count({s | some i in numbers.range(1, 100000); s := concat(\"\", [input.s, format_int(i, 10)])}) > 0",
        "count({i: s | some i in numbers.range(1, 100000); s := upper(concat(\"\", [input.s, format_int(i, 10)]))}) > 0",
    ] {
        for with in ["", " with input.x as 7"] {
            let text = format!("package p\nallow if {body}{with}\n");
            let files = files(&[("policy/rego/p.rego", text.as_str())]);
            let policies = compile(&files, &settings, &Vocabulary::default()).unwrap();
            let verdict = asked(&policies, &request);
            assert_eq!(verdict.codes, [codes::REGO_LIMIT], "{text}");
            assert!(
                verdict.reasons[0].contains("memory"),
                "{text}: {:?}",
                verdict.reasons
            );
        }
    }
    // A rule that pauses at every step is stopped in time as well.
    let pauses = Settings {
        limits: Limits {
            instructions: 100_000_000,
            time: Duration::from_millis(20),
            ..Limits::default()
        },
        ..settings.clone()
    };
    let text = "package p\nallow if count([1 | some i in numbers.range(1, 90000); some j in numbers.range(1, 90000); time.now_ns() == i + j]) > 0\n";
    let paused = compile(
        &files(&[("policy/rego/p.rego", text)]),
        &pauses,
        &Vocabulary::default(),
    );
    assert_eq!(asked(&paused.unwrap(), "{}").codes, [codes::REGO_LIMIT]);
    let twice = (0..60).fold("x0 := input.s\n".to_owned(), |text, at| {
        format!("{text}x{} := concat(\"\", [x{at}, x{at}])\n", at + 1)
    });
    let text = format!("package p\n{twice}allow if x60 != \"\"\n");
    let policies = compiled(&text, "data.p.allow").unwrap();
    assert_eq!(asked(&policies, &request).codes, [codes::REGO_LIMIT]);
}

#[test]
fn what_cannot_be_used_is_told_with_its_place() {
    let cases = [
        ("allow if {\n  x := \n}\n", Code::RegoInvalid, Some(3)),
        ("allow if { x }\n", Code::RegoInvalid, Some(2)),
        ("allow if no_such(1)\n", Code::RegoInvalid, Some(2)),
        (
            "allow if f(1)\nf(x) := g(x)\ng(x) := f(x)\n",
            Code::RegoInvalid,
            Some(3),
        ),
        ("allow if http.send({})\n", Code::RegoInvalid, Some(2)),
        (
            "allow if rand.intn(\"x\", 3) == 1\n",
            Code::RegoInvalid,
            Some(2),
        ),
        (
            "allow if uuid.rfc4122(\"\") != \"\"\n",
            Code::RegoInvalid,
            Some(2),
        ),
        ("allow if opa.runtime()\n", Code::RegoInvalid, Some(2)),
        ("allow { true }\n", Code::RegoInvalid, Some(2)),
        ("other := true\n", Code::RegoEntryUnknown, None),
    ];
    for (rules, code, line) in cases {
        let findings = compiled(&format!("package p\n{rules}"), "data.p.allow").unwrap_err();
        let found: Vec<_> = findings
            .iter()
            .map(|one| (one.code, one.place.line))
            .collect();
        assert!(found.contains(&(code, line)), "{rules}: {findings:#?}");
        assert!(
            findings
                .iter()
                .all(|one| one.help.is_some() && one.expected.is_some())
        );
    }
    let two = files(&[
        ("policy/rego/a.rego", "package a\nallow {"),
        ("policy/rego/b.rego", "package b\nallow if }"),
        ("policy/rego/data.json", "{"),
    ]);
    let findings = compile(&two, &settings(&["data.a.allow"]), &Vocabulary::default());
    assert_eq!(findings.unwrap_err().len(), 3);
    let nothing = compile(&two[..0], &settings(&[]), &Vocabulary::default()).unwrap_err();
    assert_eq!(nothing[0].code, Code::RegoEntryUnknown);
}

#[test]
fn dialects_are_told_apart() {
    let old = "package p\nallow { input.x == 1 }\ndeny[msg] { input.y; msg := \"y\" }\n";
    assert!(compiled(old, "data.p.allow").is_err());
    let settings = Settings {
        dialect: Dialect::V0,
        ..settings(&["data.p.allow"])
    };
    let files = files(&[
        ("policy/rego/p.rego", old),
        (
            "policy/rego/q.rego",
            "package q\nimport rego.v1\nallow if true\n",
        ),
    ]);
    let policies = compile(&files, &settings, &Vocabulary::default()).unwrap();
    assert_eq!(asked(&policies, "{\"x\":1}").effect, Effect::Allow);
    assert_eq!(asked(&policies, "{\"x\":1,\"y\":1}").reasons, ["y"]);
}

#[test]
fn data_is_what_rules_find_and_no_rule_and_data_say_the_same() {
    let module = (
        "policy/rego/p.rego",
        "package p\nallow if input.x in data.p.list.names\n",
    );
    let data = ("policy/rego/p/list/data.yaml", "names: [a, b]\n");
    let words = Vocabulary::default();
    let policies = compile(
        &files(&[module, data]),
        &settings(&["data.p.allow"]),
        &words,
    )
    .unwrap();
    assert_eq!(asked(&policies, "{\"x\":\"b\"}").effect, Effect::Allow);
    assert_eq!(asked(&policies, "{\"x\":\"c\"}").effect, Effect::Deny);
    let forged = ("policy/rego/p/data.json", "{\"allow\":true}");
    let findings = compile(
        &files(&[module, forged]),
        &settings(&["data.p.allow"]),
        &words,
    );
    assert_eq!(findings.unwrap_err()[0].code, Code::RegoInvalid);
}
