//! Test results in the form of JUnit's XML, as CI systems read it. Whose results they are is the
//! business of whoever makes a [`Report`]; nothing is written to a file here.
//!
//! The form has no specification of its own; this is the part that GitHub's and GitLab's readers
//! and Jenkins share: `testsuites` > `testsuite` > `properties`, `testcase` > `properties`, `skipped`,
//! `error` or `failure`, `system-out`. Times that nobody measured are left out.

use std::borrow::Cow;
use std::fmt::Write as _;

/// A text that is borrowed, or made for the report.
type Text<'t> = Cow<'t, str>;

/// Names and values that say more about a suite or a case.
pub type Properties<'t> = Vec<(&'t str, Text<'t>)>;

/// A report: suites in their order.
#[derive(Debug, Clone, Default)]
pub struct Report<'t> {
    /// The suites.
    pub suites: Vec<Suite<'t>>,
}

/// Cases that belong together.
#[derive(Debug, Clone, Default)]
pub struct Suite<'t> {
    /// What it is called.
    pub name: Text<'t>,
    /// When it was run, as RFC 3339 has it; nothing where nobody should see that.
    pub timestamp: Option<Text<'t>>,
    /// What else is known of all of it.
    pub properties: Properties<'t>,
    /// Its cases, in their order.
    pub cases: Vec<Case<'t>>,
}

/// One case.
#[derive(Debug, Clone, Default)]
pub struct Case<'t> {
    /// What it is a case of: a file, or a part of the product.
    pub class: Text<'t>,
    /// The file that it is about, where there is one.
    pub file: Option<Text<'t>>,
    /// Its name.
    pub name: Text<'t>,
    /// How long it took, in milliseconds.
    pub millis: Option<u64>,
    /// How it came out.
    pub outcome: Outcome<'t>,
    /// What else is known of it.
    pub properties: Properties<'t>,
    /// What it printed.
    pub output: Option<Text<'t>>,
}

/// How a case came out.
#[derive(Debug, Clone, Default)]
pub enum Outcome<'t> {
    /// As it should.
    #[default]
    Passed,
    /// Otherwise than expected. The first line is the message.
    Failed(Text<'t>),
    /// It could not be carried out to its end. The first line is the message.
    Error(Text<'t>),
    /// It was not carried out, and why.
    Skipped(Text<'t>),
}

impl<'t> Suite<'t> {
    /// A suite of these cases, of which nothing else is said.
    pub fn of(name: impl Into<Text<'t>>, cases: Vec<Case<'t>>) -> Self {
        Self {
            name: name.into(),
            cases,
            ..Self::default()
        }
    }

    fn counts(&self) -> Counts {
        let mut counts = Counts::default();
        for case in &self.cases {
            counts.tests += 1;
            match case.outcome {
                Outcome::Passed => {}
                Outcome::Failed(_) => counts.failures += 1,
                Outcome::Error(_) => counts.errors += 1,
                Outcome::Skipped(_) => counts.skipped += 1,
            }
            if let Some(millis) = case.millis {
                counts.millis = Some(counts.millis.unwrap_or_default() + millis);
            }
        }
        counts
    }
}

/// What stands at the head of a suite and of the report.
#[derive(Default, Clone, Copy)]
struct Counts {
    tests: usize,
    failures: usize,
    errors: usize,
    skipped: usize,
    millis: Option<u64>,
}

impl Counts {
    fn and(self, other: Self) -> Self {
        let millis = match (self.millis, other.millis) {
            (None, millis) | (millis, None) => millis,
            (Some(one), Some(other)) => Some(one + other),
        };
        Self {
            tests: self.tests + other.tests,
            failures: self.failures + other.failures,
            errors: self.errors + other.errors,
            skipped: self.skipped + other.skipped,
            millis,
        }
    }

    /// Those of the report: Jenkins' reader of xUnit takes no `skipped` there.
    fn of_report(self) -> String {
        self.attributes("")
    }

    fn of_suite(self) -> String {
        self.attributes(&format!(" skipped=\"{}\"", self.skipped))
    }

    fn attributes(self, skipped: &str) -> String {
        let Self {
            tests,
            failures,
            errors,
            millis,
            ..
        } = self;
        let time = millis.map_or_else(String::new, |millis| attribute("time", &seconds(millis)));
        format!(" tests=\"{tests}\" failures=\"{failures}\" errors=\"{errors}\"{skipped}{time}")
    }
}

impl Report<'_> {
    /// The report as text.
    pub fn to_xml(&self) -> String {
        let all = self.suites.iter().map(Suite::counts);
        let all = all.fold(Counts::default(), Counts::and).of_report();
        let mut xml = format!("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites{all}>\n");
        for suite in &self.suites {
            let name = attribute("name", &suite.name);
            let counts = suite.counts().of_suite();
            let timestamp = optional("timestamp", suite.timestamp.as_ref());
            let _ = writeln!(xml, "  <testsuite{name}{counts}{timestamp}>");
            properties(&mut xml, "    ", &suite.properties);
            for case in &suite.cases {
                write_case(&mut xml, case);
            }
            xml.push_str("  </testsuite>\n");
        }
        xml.push_str("</testsuites>\n");
        xml
    }
}

fn write_case(xml: &mut String, case: &Case<'_>) {
    let class = attribute("classname", &case.class);
    let file = optional("file", case.file.as_ref());
    let name = attribute("name", &case.name);
    let time = case
        .millis
        .map(|millis| attribute("time", &seconds(millis)));
    let _ = write!(
        xml,
        "    <testcase{class}{file}{name}{}",
        time.unwrap_or_default()
    );
    let mut inside = String::new();
    properties(&mut inside, "      ", &case.properties);
    match &case.outcome {
        Outcome::Passed => {}
        Outcome::Failed(why) => element(&mut inside, "failure", why),
        Outcome::Error(why) => element(&mut inside, "error", why),
        Outcome::Skipped(why) => {
            let _ = writeln!(inside, "      <skipped{}/>", attribute("message", why));
        }
    }
    if let Some(output) = &case.output {
        let _ = writeln!(inside, "      <system-out>{}</system-out>", content(output));
    }
    if inside.is_empty() {
        xml.push_str("/>\n");
    } else {
        let _ = writeln!(xml, ">\n{inside}    </testcase>");
    }
}

/// A failure or an error: its first line is what lists show, all of it is what a reader opens.
fn element(xml: &mut String, name: &str, why: &str) {
    let message = attribute("message", why.lines().next().unwrap_or_default());
    let _ = writeln!(xml, "      <{name}{message}>{}</{name}>", content(why));
}

fn properties(xml: &mut String, indent: &str, properties: &Properties<'_>) {
    if properties.is_empty() {
        return;
    }
    let _ = writeln!(xml, "{indent}<properties>");
    for (name, value) in properties {
        let (name, value) = (attribute("name", name), attribute("value", value));
        let _ = writeln!(xml, "{indent}  <property{name}{value}/>");
    }
    let _ = writeln!(xml, "{indent}</properties>");
}

fn seconds(millis: u64) -> String {
    format!("{}.{:03}", millis / 1000, millis % 1000)
}

fn optional(name: &str, value: Option<&Text<'_>>) -> String {
    value.map_or_else(String::new, |value| attribute(name, value))
}

/// An attribute with the blank before it. Line ends are written as references, since a reader would
/// make blanks of them (XML 1.0, section 3.3.3).
fn attribute(name: &str, value: &str) -> String {
    let value = content(value).replace('\n', "&#10;").replace('\t', "&#9;");
    format!(" {name}=\"{value}\"")
}

/// Text as it may stand in an element (XML 1.0, sections 2.2 and 2.4): what no document may hold is
/// replaced.
fn content(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\n' | '\t' => escaped.push(character),
            '\u{fffe}' | '\u{ffff}' => escaped.push('\u{fffd}'),
            control if control.is_control() => escaped.push('\u{fffd}'),
            other => escaped.push(other),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cases_are_counted_and_text_is_escaped() {
        let file = Some("a.yaml".into());
        let cases = vec![
            Case {
                class: "a.yaml".into(),
                file: file.clone(),
                name: "\"<all> & well\"\u{1}".into(),
                ..Case::default()
            },
            Case {
                class: "a.yaml".into(),
                file,
                name: "no".into(),
                outcome: Outcome::Failed("level: expected RED, found GREEN\nerrors: 1\n".into()),
                ..Case::default()
            },
        ];
        let report = Report {
            suites: vec![Suite::of("policy test", cases)],
        };
        insta::assert_snapshot!(report.to_xml(), @r#"
        <?xml version="1.0" encoding="UTF-8"?>
        <testsuites tests="2" failures="1" errors="0">
          <testsuite name="policy test" tests="2" failures="1" errors="0" skipped="0">
            <testcase classname="a.yaml" file="a.yaml" name="&quot;&lt;all&gt; &amp; well&quot;�"/>
            <testcase classname="a.yaml" file="a.yaml" name="no">
              <failure message="level: expected RED, found GREEN">level: expected RED, found GREEN
        errors: 1
        </failure>
            </testcase>
          </testsuite>
        </testsuites>
        "#);
    }

    #[test]
    fn suites_are_summed_up_and_what_is_known_stands_where_readers_look() {
        let case = |name: &'static str, outcome, millis| Case {
            class: "checks".into(),
            name: name.into(),
            outcome,
            millis,
            ..Case::default()
        };
        let timed = Suite {
            name: "checks".into(),
            timestamp: Some("2026-01-15T12:00:00Z".into()),
            properties: vec![("task", "T-1 & <more>".into())],
            cases: vec![
                Case {
                    properties: vec![("note", "two\nlines".into())],
                    output: Some("<REDACTED>\n".into()),
                    ..case("P1", Outcome::Passed, Some(1500))
                },
                case(
                    "P2",
                    Outcome::Skipped("Vault\nunavailable".into()),
                    Some(250),
                ),
            ],
        };
        let other = Suite::of(
            "run",
            vec![case("read", Outcome::Error("no file".into()), None)],
        );
        let report = Report {
            suites: vec![timed, other],
        };
        insta::assert_snapshot!(report.to_xml(), @r#"
        <?xml version="1.0" encoding="UTF-8"?>
        <testsuites tests="3" failures="0" errors="1" time="1.750">
          <testsuite name="checks" tests="2" failures="0" errors="0" skipped="1" time="1.750" timestamp="2026-01-15T12:00:00Z">
            <properties>
              <property name="task" value="T-1 &amp; &lt;more&gt;"/>
            </properties>
            <testcase classname="checks" name="P1" time="1.500">
              <properties>
                <property name="note" value="two&#10;lines"/>
              </properties>
              <system-out>&lt;REDACTED&gt;
        </system-out>
            </testcase>
            <testcase classname="checks" name="P2" time="0.250">
              <skipped message="Vault&#10;unavailable"/>
            </testcase>
          </testsuite>
          <testsuite name="run" tests="1" failures="0" errors="1" skipped="0">
            <testcase classname="checks" name="read">
              <error message="no file">no file</error>
            </testcase>
          </testsuite>
        </testsuites>
        "#);
    }
}
