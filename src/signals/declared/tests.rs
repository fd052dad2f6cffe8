//! What declared signals make of files, by tables: good, odd and bad ones. Files as such (absent,
//! long, mutilated) are in [`files`].

mod files;

use super::*;
use crate::fs::Workspace;
use crate::signals::{DEFAULT_LIMIT, Outcome, responses};
use crate::time::Timestamp;

struct Bench {
    directory: tempfile::TempDir,
    workspace: Workspace,
}

impl Bench {
    fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let workspace = Workspace::open(directory.path()).unwrap();
        Self {
            directory,
            workspace,
        }
    }

    fn holds(&self, content: &[u8]) {
        self.holds_at("f", content);
    }

    #[expect(clippy::disallowed_methods, reason = "a file of a test")]
    fn holds_at(&self, file: &str, content: &[u8]) {
        let path = self.directory.path().join(file);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, content).unwrap();
    }

    fn read(&self, declared: &Declared) -> Reading {
        self.read_within(declared, DEFAULT_LIMIT)
    }

    fn read_within(&self, declared: &Declared, limit: u64) -> Reading {
        let context = ReadContext {
            workspace: &self.workspace,
            at: at(),
            limit,
        };
        load(declared, context)
    }
}

fn at() -> Timestamp {
    Timestamp::read("2026-01-15T12:00:00Z").unwrap().time
}

fn declared(source: Source, kind: Kind) -> Declared {
    Declared {
        name: SignalName::parse("coverage").unwrap(),
        file: "f".to_owned(),
        source,
        kind,
        time: None,
    }
}

fn with_time(declared: Declared, time: &str) -> Declared {
    Declared {
        time: Some(time.to_owned()),
        ..declared
    }
}

fn json(pointer: &str, kind: Kind) -> Declared {
    declared(Source::Json(pointer.to_owned()), kind)
}

fn jsonl(pointer: &str, kind: Kind) -> Declared {
    declared(Source::Jsonl(pointer.to_owned()), kind)
}

fn csv(column: &str, kind: Kind) -> Declared {
    declared(Source::Csv(column.to_owned()), kind)
}

fn window() -> Declared {
    let kind = Kind::CountInWindow(TimeDelta::hours(24));
    with_time(declared(Source::File, kind), "/meta/when")
}

fn choice() -> Kind {
    Kind::Choice(
        ["ok", "failed"]
            .map(|word| Word::parse(word).unwrap())
            .into(),
    )
}

fn number(unit: &str, min: Option<f64>, max: Option<f64>) -> Kind {
    Kind::Number {
        unit: unit.to_owned(),
        min,
        max,
    }
}

/// A reading in a line: how it ended, and the codes of its warnings.
fn told(reading: &Reading) -> String {
    let mut told = match &reading.outcome {
        Outcome::Valid(value) => format!("{value:?}"),
        Outcome::Missing(why) => format!("missing: {why}"),
        Outcome::Stale(_) => panic!("no file says how old it may be"),
        Outcome::Invalid(errors) => {
            let errors: Vec<String> = errors
                .iter()
                .map(|error| format!("{} {}", error.code, error.place))
                .collect();
            errors.join("; ")
        }
    };
    for warning in &reading.warnings {
        told.push_str(&format!(" ({} {})", warning.code, warning.place));
    }
    told
}

/// Whoever reads a finding learns all of it.
fn assert_complete(reading: &Reading) {
    for finding in reading.errors().iter().chain(&reading.warnings) {
        assert!(
            finding.found.is_some() && finding.expected.is_some() && finding.help.is_some(),
            "{finding:?}"
        );
        let severity = finding.severity();
        let is_error = reading.errors().contains(finding);
        assert_eq!(is_error, severity == crate::diagnostic::Severity::Error);
    }
}

fn check(cases: &[(Declared, &str, &str)]) {
    let bench = Bench::new();
    for (declared, content, expected) in cases {
        bench.holds(content.as_bytes());
        let reading = bench.read(declared);
        assert_eq!(&told(&reading), expected, "{declared:?} of {content:?}");
        assert_complete(&reading);
        assert_eq!(reading.signal, declared.name);
    }
}

#[test]
fn json_kinds() {
    let percent = || json("/a", Kind::Percent);
    let ms = |min, max| json("/a", number("ms", min, max));
    let count = || json("/a", Kind::Count);
    let flag = || json("/a", Kind::Boolean);
    let word = || json("/a", choice());
    check(&[
        (percent(), r#"{"a":97.5}"#, "Percent(Percent(97.5))"),
        (
            percent(),
            "{\n \"a\": \"97.5 %\"}",
            "Percent(Percent(97.5)) (PERCENT_SIGN f:2:7 at `/a`) (NUMBER_AS_TEXT f:2:7 at `/a`)",
        ),
        (
            percent(),
            r#"{"a":0.95}"#,
            "Percent(Percent(0.95)) (LOOKS_LIKE_FRACTION f:1:6 at `/a`)",
        ),
        (percent(), r#"{"a":100.1}"#, "VALUE_RANGE f:1:6 at `/a`"),
        (percent(), r#"{"a":true}"#, "VALUE_TYPE f:1:6 at `/a`"),
        (percent(), r#"{"a":NaN}"#, "JSON_SYNTAX f:1:6"),
        (percent(), r#"{"a":"NaN"}"#, "VALUE_RANGE f:1:6 at `/a`"),
        (ms(None, None), r#"{"a":-3e2}"#, "Number(Finite(-300.0))"),
        (
            ms(None, None),
            r#"{"a":1e999}"#,
            "VALUE_RANGE f:1:6 at `/a`",
        ),
        (ms(None, None), r#"{"a":"12%"}"#, "VALUE_TYPE f:1:6 at `/a`"),
        (
            json("/a", number("%", None, None)),
            r#"{"a":"0.5%"}"#,
            "Number(Finite(0.5)) (PERCENT_SIGN f:1:6 at `/a`) (NUMBER_AS_TEXT f:1:6 at `/a`)",
        ),
        (
            ms(Some(0.0), Some(9.0)),
            r#"{"a":0}"#,
            "Number(Finite(0.0))",
        ),
        (
            ms(Some(0.0), Some(9.0)),
            r#"{"a":9}"#,
            "Number(Finite(9.0))",
        ),
        (
            ms(Some(0.0), None),
            r#"{"a":-1}"#,
            "VALUE_RANGE f:1:6 at `/a`",
        ),
        (
            ms(None, Some(9.0)),
            r#"{"a":9.1}"#,
            "VALUE_RANGE f:1:6 at `/a`",
        ),
        (
            ms(Some(f64::NAN), None),
            r#"{"a":1}"#,
            "VALUE_RANGE f:1:6 at `/a`",
        ),
        (count(), r#"{"a":0}"#, "Count(0)"),
        (count(), r#"{"a":1e3}"#, "Count(1000)"),
        (
            count(),
            r#"{"a":" 7 "}"#,
            "Count(7) (NUMBER_AS_TEXT f:1:6 at `/a`)",
        ),
        (count(), r#"{"a":1.5}"#, "VALUE_RANGE f:1:6 at `/a`"),
        (count(), r#"{"a":-1}"#, "VALUE_RANGE f:1:6 at `/a`"),
        (count(), r#"{"a":1e16}"#, "VALUE_RANGE f:1:6 at `/a`"),
        (count(), r#"{"a":[1]}"#, "VALUE_TYPE f:1:6 at `/a`"),
        (flag(), r#"{"a":true}"#, "Truth(true)"),
        (flag(), r#"{"a":false}"#, "Truth(false)"),
        (flag(), r#"{"a":"true"}"#, "VALUE_TYPE f:1:6 at `/a`"),
        (flag(), r#"{"a":1}"#, "VALUE_TYPE f:1:6 at `/a`"),
        (word(), r#"{"a":" f\u0061iled "}"#, r#"Word("failed")"#),
        (word(), r#"{"a":"Failed"}"#, "VALUE_UNKNOWN f:1:6 at `/a`"),
        (word(), r#"{"a":""}"#, "VALUE_UNKNOWN f:1:6 at `/a`"),
        (word(), r#"{"a":1}"#, "VALUE_TYPE f:1:6 at `/a`"),
    ]);
}

#[test]
fn json_places() {
    let deep = || json("/runs/1/score", Kind::Percent);
    let whole = || json("", Kind::Percent);
    check(&[
        (
            deep(),
            r#"{"runs":[{"score":1.5},{"score":2.5}]}"#,
            "Percent(Percent(2.5))",
        ),
        (
            deep(),
            "\u{feff}{\"runs\":[0,{\"score\":50}]}",
            "Percent(Percent(50.0))",
        ),
        (whole(), " 97.5\n", "Percent(Percent(97.5))"),
        (whole(), "250", "VALUE_RANGE f:1:1"),
        (whole(), "", "missing: f is empty"),
        (whole(), " \n", "missing: f is empty"),
        (whole(), "null", "missing: the document is null in f"),
        (
            deep(),
            r#"{"runs":[0,{"score":null}]}"#,
            "missing: /runs/1/score is null in f",
        ),
        (
            deep(),
            r#"{"runs":[ ]}"#,
            "missing: /runs is an empty list in f",
        ),
        (deep(), r#"{"runs":[{}]}"#, "KEY_MISSING f:1:9 at `/runs`"),
        (deep(), r#"{"runs":null}"#, "KEY_MISSING f:1:9 at `/runs`"),
        (deep(), "{\n\"rums\":[]}", "KEY_MISSING f:1:1"),
        (deep(), "[]", "missing: the document is an empty list in f"),
        (
            deep(),
            r#"{"runs":[0,{"score":1,"score":2}]}"#,
            "KEY_DUPLICATE f:1:12 at `/runs/1`",
        ),
        (deep(), r#"{"runs":[0,{"score":1]}"#, "JSON_SYNTAX f:1:22"),
        (deep(), r#"{"\ud800":1}"#, "JSON_SYNTAX f:1:1"),
    ]);
}

#[test]
fn a_finding_names_what_is_there_and_what_was_meant() {
    let bench = Bench::new();
    let found = |declared: &Declared, content: &str| {
        bench.holds(content.as_bytes());
        let reading = bench.read(declared);
        let [error] = reading.errors() else {
            panic!("{reading:?}")
        };
        format!(
            "{}; found {}; expected {}; {}",
            error.message,
            error.found.as_deref().unwrap(),
            error.expected.as_deref().unwrap(),
            error.help.as_deref().unwrap()
        )
    };
    let percent = json("/total/coverage", Kind::Percent);
    assert_eq!(
        found(&percent, r#"{"total":{"covrage":97,"lines":3}}"#),
        "the pointer `/total/coverage` leads to nothing; found the keys `covrage`, `lines`; expected an object with the key `coverage`; did you mean `covrage`?"
    );
    assert_eq!(
        found(&json("/a/7", Kind::Percent), r#"{"a":[1,2]}"#),
        "the pointer `/a/7` leads to nothing; found a list of 2; expected an index from 0 to 1, not `7`; correct the pointer where the signal is declared, or let the writer of this file write the value"
    );
    assert_eq!(
        found(&json("/a", choice()), r#"{"a":"faild"}"#),
        "`/a` is none of the words that its declaration names; found `faild`; expected one of ok, failed; did you mean `failed`?"
    );
    assert_eq!(
        found(&csv("coverage", Kind::Percent), "time,covrage\n1,2\n"),
        "the header names no column `coverage`; found the columns `time`, `covrage`; expected a column `coverage`; did you mean `covrage`?"
    );
    assert_eq!(
        found(
            &csv("latency", number("ms", Some(0.0), Some(1e4))),
            "latency\n-1\n"
        ),
        "`latency` is out of range; found `-1`; expected a number from 0 to 10000, in ms; correct the value where it is written, or run the writer of this file again"
    );
    assert_eq!(
        found(&json("a", Kind::Percent), "{}"),
        "`coverage` is declared so that nothing can be read; found `a`; expected a JSON pointer: empty, or keys and indices that each begin with `/` (`~1` for `/`, `~0` for `~`); correct the declaration in the policy document"
    );
}

#[test]
fn json_lines_the_last_one_counts() {
    let value = || jsonl("/v", Kind::Percent);
    check(&[
        (
            value(),
            "{\"v\":1.5}\n{\"v\":2.5}\n",
            "Percent(Percent(2.5))",
        ),
        (
            value(),
            "{\"v\":1.5}\r\n{\"v\":2.5}\r\n\r\n \n",
            "Percent(Percent(2.5))",
        ),
        (value(), "{\"v\":1.5}\n{\"v\":2.5}", "Percent(Percent(2.5))"),
        (value(), "\u{feff}{\"v\":2.5}\n", "Percent(Percent(2.5))"),
        (
            value(),
            "{\"v\":1.5}\n\n{\"v\":2.",
            "Percent(Percent(1.5)) (TORN_LAST_LINE f:3)",
        ),
        (
            value(),
            "{\"v\":\"1.5\"}\n{\"v\":2.5}\0\0",
            "Percent(Percent(1.5)) (NUMBER_AS_TEXT f:1:6 at `/v`) (TORN_LAST_LINE f:2)",
        ),
        (value(), "{\"v\":2.", "JSON_SYNTAX f:1:7"),
        (
            value(),
            "no\n{\"v\":2.",
            "JSON_SYNTAX f:1:2 (TORN_LAST_LINE f:2)",
        ),
        (value(), "{\"v\":1.5}\n{\"v\":2.\n", "JSON_SYNTAX f:2:7"),
        (
            value(),
            "{\"v\":1.5}\n\u{feff}{\"v\":2.5}\n",
            "JSON_SYNTAX f:2:1",
        ),
        (value(), "{\"v\":1.5}{\"v\":2.5}\n", "JSON_SYNTAX f:1:10"),
        (value(), "{\"v\":1.5}\n{\"w\":2.5}\n", "KEY_MISSING f:2:1"),
        (value(), "no\n{\"v\":250}\n", "VALUE_RANGE f:2:6 at `/v`"),
        (
            value(),
            "{\"v\":1.5}\n[]\n",
            "missing: the document is an empty list in f",
        ),
        (
            value(),
            "{\"v\":1.5}\n{\"v\":null}\n",
            "missing: /v is null in f",
        ),
        (value(), "", "missing: f is empty"),
        (value(), "\n \n\u{feff}\n", "JSON_SYNTAX f:3:1"),
        (value(), "\u{feff}\n\n", "missing: f is empty"),
        (
            jsonl("", Kind::Percent),
            "96\n97.5\n",
            "Percent(Percent(97.5))",
        ),
        (
            jsonl("", Kind::Percent),
            "96\n9",
            "Percent(Percent(96.0)) (TORN_LAST_LINE f:2)",
        ),
        (jsonl("", Kind::Boolean), "true\nfalse", "Truth(false)"),
    ]);
}

#[test]
fn csv_the_last_row_counts() {
    let value = || csv("v", Kind::Percent);
    check(&[
        (
            value(),
            "t,v\n1,1.5\n2,2.5\n# end\n",
            "Percent(Percent(2.5))",
        ),
        (
            value(),
            "\u{feff}t, v \r\n1,\" 2.5 %\"\r\n",
            "Percent(Percent(2.5)) (PERCENT_SIGN f:2 at `v`)",
        ),
        (value(), "", "missing: f has no data row"),
        (value(), "# nothing\n", "missing: f has no data row"),
        (value(), "t,v\n", "missing: f has no data row"),
        (value(), "t,w\n", "COLUMN_MISSING f:1"),
        (value(), "t,V\n1,2\n", "COLUMN_MISSING f:1"),
        (value(), "v,v\n1,2\n", "COLUMN_DUPLICATE f:1"),
        (value(), "t,v\n1,\n", "VALUE_TYPE f:2 at `v`"),
        (value(), "t,v\n1\n", "ROW_WIDTH f:2"),
        (value(), "t,v\n1,\"2\n", "CSV_SYNTAX f:2"),
        (value(), "t,v\n1,\"2\"5\n", "CSV_SYNTAX f:2"),
        (value(), "t,v\n1,inf\n", "VALUE_RANGE f:2 at `v`"),
        (csv("v", Kind::Boolean), "v\n True \n", "Truth(true)"),
        (csv("v", Kind::Boolean), "v\nFALSE\n", "Truth(false)"),
        (csv("v", Kind::Boolean), "v\n1\n", "VALUE_TYPE f:2 at `v`"),
        (csv("v", choice()), "v\n ok \n", r#"Word("ok")"#),
        (csv("v", choice()), "v\nokay\n", "VALUE_UNKNOWN f:2 at `v`"),
        (csv("v", Kind::Count), "v\n12\n", "Count(12)"),
        (csv("v", Kind::Count), "v\n1.5\n", "VALUE_RANGE f:2 at `v`"),
        (
            csv("v", number("s", None, None)),
            "v\n-1.5\n",
            "Number(Finite(-1.5))",
        ),
    ]);
}

#[test]
fn ages_and_times() {
    let age = || json("/a", Kind::Age);
    let cell = || csv("a", Kind::Age);
    let timed = |time: &str| with_time(json("/v", Kind::Percent), time);
    check(&[
        (age(), r#"{"a":"2026-01-15T11:00:00Z"}"#, "Age(3600)"),
        (
            age(),
            r#"{"a":"2026-01-15 11:00:00"}"#,
            "Age(3600) (TIME_NAIVE f:1:6 at `/a`)",
        ),
        (
            age(),
            r#"{"a":"2026-01-14"}"#,
            "Age(129600) (TIME_NAIVE f:1:6 at `/a`)",
        ),
        (
            age(),
            r#"{"a":"2026-01-15T12:00:01Z"}"#,
            "Age(0) (TIME_IN_FUTURE f:1:6 at `/a`)",
        ),
        (age(), r#"{"a":"2026-01-15T12:00:00Z"}"#, "Age(0)"),
        (age(), r#"{"a":"yesterday"}"#, "VALUE_TYPE f:1:6 at `/a`"),
        (age(), r#"{"a":1768474800}"#, "VALUE_TYPE f:1:6 at `/a`"),
        (age(), r#"{"a":null}"#, "missing: /a is null in f"),
        (cell(), "a\n2026-01-15T11:59:00Z\n", "Age(60)"),
        (cell(), "a,b\n,1\n", "VALUE_TYPE f:2 at `a`"),
        (
            timed("/t/0"),
            r#"{"v":50,"t":["soon"]}"#,
            "Percent(Percent(50.0)) (TIME_UNREADABLE f:1:14 at `/t/0`)",
        ),
        (
            timed("/u"),
            r#"{"v":50}"#,
            "Percent(Percent(50.0)) (TIME_UNREADABLE f:1:1)",
        ),
        (
            timed("/t"),
            r#"{"v":50,"t":null}"#,
            "Percent(Percent(50.0))",
        ),
        (
            with_time(csv("v", Kind::Percent), "t"),
            "v,t\n50,soon\n",
            "Percent(Percent(50.0)) (TIME_UNREADABLE f:2 at `t`)",
        ),
        (
            with_time(csv("v", Kind::Percent), "u"),
            "v,t,t\n50,1,1\n",
            "Percent(Percent(50.0)) (TIME_UNREADABLE f:1)",
        ),
        (
            with_time(csv("v", Kind::Percent), "t"),
            "v,t,t\n50,1,1\n",
            "Percent(Percent(50.0)) (TIME_UNREADABLE f:1)",
        ),
    ]);
}

#[test]
fn the_time_of_the_observation_is_read_beside_the_value() {
    let bench = Bench::new();
    let time = Timestamp::read("2026-01-15T10:00:00Z").unwrap().time;
    let cases = [
        (
            with_time(json("/v", Kind::Percent), "/m/t"),
            r#"{"v":50,"m":{"t":"2026-01-15T11:00:00+01:00"}}"#,
        ),
        (
            with_time(json("/v", Kind::Percent), "/t"),
            r#"{"v":null,"t":"2026-01-15T10:00:00Z"}"#,
        ),
        (
            with_time(jsonl("/v", Kind::Percent), "/t"),
            "{}\n{\"v\":50,\"t\":\"2026-01-15T10:00:00\"}\n",
        ),
        (
            with_time(csv("v", Kind::Percent), "t"),
            "t,v\n2026-01-15T10:00:00Z,50\n",
        ),
    ];
    for (declared, content) in cases {
        bench.holds(content.as_bytes());
        assert_eq!(bench.read(&declared).observed_at, Some(time), "{content}");
    }
}

#[test]
fn entries_in_a_window() {
    let entry = |when: &str| format!("{{\"meta\":{{\"when\":\"{when}\"}}}}\n");
    let (old, edge) = (entry("2026-01-14T11:59:59Z"), entry("2026-01-14T12:00:00Z"));
    let (new, ahead) = (entry("2026-01-15T11:00:00Z"), entry("2026-01-15T12:00:01Z"));
    check(&[
        (window(), "", "Count(0)"),
        (window(), &old, "Count(0)"),
        (window(), &edge, "Count(1)"),
        (window(), &[&*new, &*old, &*edge].concat(), "Count(2)"),
        (
            window(),
            &[&*new, &*ahead].concat(),
            "Count(2) (TIME_IN_FUTURE f:2)",
        ),
        (
            window(),
            &[&*old, "{\"meta\":{}}\n"].concat(),
            "Count(1) (TIME_UNREADABLE f:2)",
        ),
        (
            window(),
            &[&*new, "{\"meta\":{\"when\""].concat(),
            "Count(2) (TORN_LAST_LINE f:2)",
        ),
        (window(), "{\"meta\":{\"when\"\n", "LINE_NOT_OBJECT f:1"),
        (window(), &[&*new, "[]\n"].concat(), "LINE_NOT_OBJECT f:2"),
        (window(), "{\"meta\":1,\"meta\":2}", "LINE_NOT_OBJECT f:1"),
    ]);
}

/// The two walks are one, so a window over the built-in signal's form counts alike.
#[test]
fn a_window_counts_what_the_built_in_one_counts() {
    let bench = Bench::new();
    let mine = Declared {
        file: responses::FILE.to_owned(),
        ..with_time(window(), "/timestamp")
    };
    let lines = [
        "{\"timestamp\":\"2026-01-15T11:00:00Z\"}",
        "{\"timestamp\":\"2026-01-14T11:00:00Z\"}",
        "{\"timestamp\":\"2026-01-14\"}",
        "{\"timestamp\":\"2026-01-16T11:00:00Z\"}",
        "{\"timestamp\":\"soon\"}",
        "{\"timestamp\":null}",
        "{}",
        "",
        "  ",
        "5",
        "{\"timestamp\"",
    ];
    for first in lines {
        for second in lines {
            for end in ["", "\n"] {
                let content = [first, "\n", second, end].concat();
                bench.holds_at(responses::FILE, content.as_bytes());
                let mine = bench.read(&mine);
                let context = ReadContext {
                    workspace: &bench.workspace,
                    at: at(),
                    limit: DEFAULT_LIMIT,
                };
                let theirs = responses::load(context);
                let codes = |reading: &Reading| {
                    let findings = reading.errors().iter().chain(&reading.warnings);
                    findings
                        .map(|finding| (finding.code, finding.place.line))
                        .collect::<Vec<_>>()
                };
                assert_eq!(mine.value(), theirs.value(), "{content:?}");
                assert_eq!(codes(&mine), codes(&theirs), "{content:?}");
                assert_eq!(mine.observed_at, theirs.observed_at, "{content:?}");
            }
        }
    }
}

#[test]
fn what_can_not_be_read_as_it_was_declared_has_a_problem() {
    let sound = [
        json("", Kind::Percent),
        jsonl("/a~1b", Kind::Age),
        csv("", choice()),
        declared(Source::File, Kind::Age),
        window(),
    ];
    for declared in sound {
        assert_eq!(declared.problem(), None, "{declared:?}");
    }
    let unsound = [
        json("a", Kind::Percent),
        jsonl("/~", Kind::Percent),
        with_time(json("/a", Kind::Percent), "t"),
        declared(Source::File, Kind::Percent),
        declared(Source::File, Kind::CountInWindow(TimeDelta::hours(1))),
        with_time(declared(Source::File, Kind::Age), "/t"),
        json("/a", Kind::CountInWindow(TimeDelta::hours(1))),
        csv("a", Kind::CountInWindow(TimeDelta::hours(1))),
    ];
    let bench = Bench::new();
    for declared in unsound {
        assert!(declared.problem().is_some(), "{declared:?}");
        let reading = bench.read(&declared);
        assert_eq!(told(&reading), "VALUE_TYPE f", "{declared:?}");
        assert_complete(&reading);
    }
}
