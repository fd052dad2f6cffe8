//! Test results in the form of JUnit's XML, as CI systems read it.
//!
//! The form has no specification of its own; this is the part that GitHub's and GitLab's readers
//! and Jenkins share: `testsuites` > `testsuite` > `testcase` > `failure`. Times are left out.

use std::fmt::Write as _;

/// One case.
#[derive(Debug, Clone)]
pub struct Case<'c> {
    /// Its file, which becomes the class name.
    pub file: &'c str,
    /// Its name.
    pub name: &'c str,
    /// Why it failed; `None` for one that passed.
    pub failure: Option<String>,
}

/// The report as text.
pub fn report(suite: &str, cases: &[Case<'_>]) -> String {
    let failures = cases.iter().filter(|case| case.failure.is_some()).count();
    let counts = format!(
        "tests=\"{}\" failures=\"{failures}\" errors=\"0\"",
        cases.len()
    );
    let suite = escaped(suite);
    let mut text = format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites {counts}>\n  <testsuite name=\"{suite}\" {counts}>\n"
    );
    for case in cases {
        let (file, name) = (escaped(case.file), escaped(case.name));
        let opened = format!("    <testcase classname=\"{file}\" file=\"{file}\" name=\"{name}\"");
        let _ = match &case.failure {
            None => writeln!(text, "{opened}/>"),
            Some(why) => {
                let first = escaped(why.lines().next().unwrap_or_default());
                let why = escaped(why);
                writeln!(
                    text,
                    "{opened}>\n      <failure message=\"{first}\">{why}</failure>\n    </testcase>"
                )
            }
        };
    }
    text.push_str("  </testsuite>\n</testsuites>\n");
    text
}

/// Text as it may stand in an element or an attribute (XML 1.0, sections 2.2 and 2.4): what no
/// document may hold is replaced.
fn escaped(text: &str) -> String {
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
        let cases = [
            Case {
                file: "a.yaml",
                name: "\"<all> & well\"\u{1}",
                failure: None,
            },
            Case {
                file: "a.yaml",
                name: "no",
                failure: Some("level: expected RED, found GREEN\nerrors: 1\n".to_owned()),
            },
        ];
        insta::assert_snapshot!(report("policy test", &cases), @r#"
        <?xml version="1.0" encoding="UTF-8"?>
        <testsuites tests="2" failures="1" errors="0">
          <testsuite name="policy test" tests="2" failures="1" errors="0">
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
}
