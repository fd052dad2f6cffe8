//! How long what is kept: classes with terms, and of several rules for a class the longest counts.
//!
//! The rules are those that hold without a document, those of `policy/retention.yaml`, and what
//! compliance documents ask for; none can shorten another. This program deletes nothing that is
//! recorded; the one command that removes anything, `undo prune`, keeps to these terms.

use serde::{Deserialize, Serialize};

use crate::diagnostic::{Code, Diagnostic, Place};
use crate::fs::Workspace;
use crate::fs::read::read_own;
use crate::policy::quantity::Span;
use crate::policy::source::Spot;
use crate::policy::source::collect::{self, Field, List};
use crate::policy::source::problems::Problems;
use crate::time::Timestamp;

/// The document, relative to the workspace.
pub const FILE: &str = "policy/retention.yaml";

/// A larger document is none.
const LIMIT: u64 = 64 * 1024;

/// A class of what is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub enum Class {
    /// Journals, their segments and heads, the policies that they name.
    Record,
    /// What an undo needs.
    Undo,
    /// What is written for people to read.
    Events,
    /// What a workflow hands to the forge.
    Artifacts,
}

impl Class {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Record, Self::Undo, Self::Events, Self::Artifacts];

    const WORDS: [&'static str; 4] = ["record", "undo", "events", "artifacts"];

    /// The word in the document.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Record => "record",
            Self::Undo => "undo",
            Self::Events => "events",
            Self::Artifacts => "artifacts",
        }
    }

    /// The files that belong to it.
    pub fn files(self) -> &'static str {
        match self {
            Self::Record => "journals, state/segments/, state/policies/, heads",
            Self::Undo => "state/undo/, undo files",
            Self::Events => "logs/, reports/, audit_summary.md",
            Self::Artifacts => "the forge's",
        }
    }

    /// What holds without a document.
    fn usual(self) -> Term {
        match self {
            Self::Record => Term::Unlimited,
            Self::Undo => Term::Days(0),
            Self::Events => Term::Days(30),
            Self::Artifacts => Term::Days(90),
        }
    }
}

/// How long something is kept: days as 24 hours, years and months as the longest that they can be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Term {
    /// So many days.
    Days(u32),
    /// For ever.
    Unlimited,
}

impl Term {
    fn parse(text: &str) -> Option<Self> {
        if text == "unlimited" {
            return Some(Self::Unlimited);
        }
        Span::parse(text).map(Self::of)
    }

    /// A length of time, rounded up to days: what goes by the calendar counts with its longest case.
    fn of(span: Span) -> Self {
        const DAY: u64 = 86_400;
        let seconds = span.seconds().or_else(|| {
            let begin = Timestamp::EPOCH.plus_months(23)?;
            // A stretch with a leap year in it, and one more day for the others.
            let length = span.end(begin)?.since(begin).num_seconds();
            u64::try_from(length).ok().map(|length| length + DAY)
        });
        let days = seconds.map(|seconds| seconds.div_ceil(DAY));
        days.and_then(|days| u32::try_from(days).ok())
            .map_or(Self::Unlimited, Self::Days)
    }

    /// When what is from that time may go; `None` for never.
    pub fn end(self, from: Timestamp) -> Option<Timestamp> {
        match self {
            Self::Unlimited => None,
            Self::Days(days) => Some(from.plus_seconds(i64::from(days) * 86_400)),
        }
    }
}

impl std::fmt::Display for Term {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Unlimited => f.pad("unlimited"),
            Self::Days(days) => f.pad(&format!("{days} days")),
        }
    }
}

impl Serialize for Term {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// A rule: a class, a term, and who says so.
#[derive(Debug, Clone, PartialEq)]
struct Rule {
    class: Class,
    keep: Term,
    by: String,
    place: Option<Place>,
}

/// All rules.
#[derive(Debug, Clone, PartialEq)]
pub struct Retention {
    rules: Vec<Rule>,
}

/// What holds for a class.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Kept {
    /// The class.
    pub class: Class,
    /// Its files.
    pub files: &'static str,
    /// How long.
    #[cfg_attr(test, schemars(with = "String"))]
    pub keep: Term,
    /// Who says so.
    pub by: String,
}

/// How long what is kept.
#[derive(Debug, Default, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[cfg_attr(test, schemars(deny_unknown_fields, extend("required" = ["schema", "rules"])))]
#[serde(default, rename = "Retention")]
struct Raw {
    /// The version of this format: 1.
    #[cfg_attr(test, schemars(extend("const" = 1)))]
    schema: Field<f64>,
    /// Rules; of several for a class the longest counts, and none is shorter than what holds anyway.
    rules: List<RawRule>,
}

/// One rule.
#[derive(Debug, Default, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[cfg_attr(test, schemars(deny_unknown_fields, extend("required" = ["class", "keep", "because"])))]
#[serde(default)]
struct RawRule {
    /// `record`, `undo`, `events` or `artifacts`.
    #[cfg_attr(test, schemars(extend("enum" = Class::WORDS)))]
    class: Field<String>,
    /// A length of time, `90d` or `7_years` say, or `unlimited`.
    keep: Field<String>,
    /// Who asks for it: a law, a contract, a decision.
    because: Field<String>,
}

impl Default for Retention {
    fn default() -> Self {
        let usual = |class: Class| Rule {
            class,
            keep: class.usual(),
            by: "what holds without a document".to_owned(),
            place: None,
        };
        Self {
            rules: Class::ALL.into_iter().map(usual).collect(),
        }
    }
}

/// Reads the document of a workspace; without one the usual terms hold.
pub fn load(workspace: &Workspace) -> Result<Retention, Vec<Diagnostic>> {
    let bytes = read_own(workspace, FILE, LIMIT).map_err(|problem| vec![*problem])?;
    bytes.map_or_else(|| Ok(Retention::default()), |bytes| parse(FILE, &bytes))
}

/// Reads a document.
pub fn parse(file: &str, bytes: &[u8]) -> Result<Retention, Vec<Diagnostic>> {
    let (raw, mut problems) = collect::document::<Raw>(file, bytes)?;
    let mut retention = Retention::default();
    if let Some(document) = raw.get() {
        problems.schema(&document.schema, raw.spot);
        let rules = problems.required(&document.rules, "rules", raw.spot);
        for one in rules.into_iter().flatten() {
            let Some(fields) = one.get() else { continue };
            let place = one.spot.place(file, &one.path);
            let rule = rule(fields, one.spot, place, &mut problems);
            retention.rules.extend(rule);
        }
    }
    if problems.is_empty() {
        Ok(retention)
    } else {
        Err(problems.in_order())
    }
}

fn rule(raw: &RawRule, here: Spot, place: Place, problems: &mut Problems<'_>) -> Option<Rule> {
    let word = problems
        .required(&raw.class, "class", here)
        .map(|word| word.trim());
    let class = word.and_then(|word| {
        let class = Class::ALL.into_iter().find(|class| class.as_str() == word);
        if class.is_none() {
            let known = (word, Class::WORDS.as_slice());
            let message = "there is no such class";
            problems.unknown(
                &raw.class,
                Code::ValueUnknown,
                message,
                known,
                "name one of them",
            );
        }
        class
    });
    let text = problems
        .required(&raw.keep, "keep", here)
        .map(|text| text.trim());
    let keep = text.and_then(|text| {
        let keep = Term::parse(text);
        if keep.is_none() {
            let message = "the term can't be read";
            problems.refuse(&raw.keep, Code::ValueUnknown, message, |finding| {
                finding
                    .found(text)
                    .expected(format!("{}, or `unlimited`", Span::EXPECTED))
                    .help(format!("write {}", Span::EXAMPLE))
            });
        }
        keep
    });
    let by = problems.line(&raw.because, "because", here);
    Some(Rule {
        class: class?,
        keep: keep?,
        by: by?.to_owned(),
        place: Some(place),
    })
}

impl Retention {
    /// With what a compliance document asks for its records.
    #[must_use]
    pub fn with(mut self, span: Span, by: String) -> Self {
        self.rules.push(Rule {
            class: Class::Record,
            keep: Term::of(span),
            by,
            place: None,
        });
        self
    }

    /// What holds for a class: the longest, and of the same the first.
    pub fn of(&self, class: Class) -> Kept {
        let of_class = self.rules.iter().filter(|rule| rule.class == class);
        let longest = of_class.rev().max_by_key(|rule| rule.keep);
        Kept {
            class,
            files: class.files(),
            keep: longest.map_or(Term::Unlimited, |rule| rule.keep),
            by: longest.map_or_else(String::new, |rule| rule.by.clone()),
        }
    }

    /// What holds for every class.
    pub fn all(&self) -> Vec<Kept> {
        Class::ALL.into_iter().map(|class| self.of(class)).collect()
    }

    /// How many days of undos have to stay, whatever less somebody asks for.
    pub fn undo_days(&self, asked: u32) -> u32 {
        match self.of(Class::Undo).keep {
            Term::Unlimited => u32::MAX,
            Term::Days(days) => asked.max(days),
        }
    }

    /// What is unwise.
    pub fn lint(&self) -> Vec<Diagnostic> {
        let unwise = |rule: &Rule, message: String| {
            let place = rule.place.clone().unwrap_or_else(|| Place::file(FILE));
            Diagnostic::new(Code::RetentionUnwise, place, message)
        };
        let mut found = Vec::new();
        for rule in self.rules.iter().filter(|rule| rule.place.is_some()) {
            let class = rule.class.as_str();
            let holds = self.of(rule.class);
            if rule.keep < holds.keep {
                found.push(
                    unwise(
                        rule,
                        format!("this rule for `{class}` changes nothing: a longer one counts"),
                    )
                    .found(rule.keep.to_string())
                    .expected(format!("more than {}, by: {}", holds.keep, holds.by))
                    .help("remove the rule, or the longer one where that is yours"),
                );
            }
            if rule.class == Class::Artifacts && rule.keep > FORGE {
                found.push(
                    unwise(rule, "no forge keeps artifacts for so long".to_owned())
                        .found(rule.keep.to_string())
                        .expected("at most 400 days, the most that GitHub can be set to")
                        .help("let a job copy them to where they can stay"),
                );
            }
            if rule.class == Class::Undo && rule.keep > UNDO {
                found.push(
                    unwise(
                        rule,
                        "what is kept for undos holds old bytes of your files".to_owned(),
                    )
                    .found(rule.keep.to_string())
                    .expected(
                        "at most 400 days: nobody undoes what is older, and data may have to go",
                    )
                    .help("shorten the term; the record of what was done stays in the journal"),
                );
            }
        }
        found
    }
}

const FORGE: Term = Term::Days(400);
const UNDO: Term = Term::Days(400);

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Retention {
        parse(FILE, text.as_bytes()).unwrap()
    }

    #[test]
    fn the_longest_rule_counts_and_none_shortens() {
        let usual = Retention::default();
        let terms: Vec<String> = usual
            .all()
            .iter()
            .map(|kept| kept.keep.to_string())
            .collect();
        assert_eq!(terms, ["unlimited", "0 days", "30 days", "90 days"]);
        let text = "schema: 1\nrules:\n  - {class: events, keep: 7d, because: x}\n  - {class: undo, keep: 90d, because: a}\n  - {class: undo, keep: 30_days, because: b}\n  - {class: record, keep: 1y, because: c}\n";
        let retention = read(text);
        assert_eq!(retention.of(Class::Events).keep, Term::Days(30));
        let undo = retention.of(Class::Undo);
        assert_eq!((undo.keep, undo.by.as_str()), (Term::Days(90), "a"));
        assert_eq!(retention.of(Class::Record).keep, Term::Unlimited);
        assert_eq!(
            (retention.undo_days(7), retention.undo_days(100)),
            (90, 100)
        );
        // Those that change nothing: events, the second for undos, the record.
        assert_eq!(retention.lint().len(), 3);
    }

    #[test]
    fn years_count_with_their_longest_case() {
        let span = |text| Term::of(Span::parse(text).unwrap());
        assert_eq!(span("36h"), Term::Days(2));
        assert!(span("1y") >= Term::Days(366));
        assert!(span("7_years") >= Term::Days(7 * 365 + 2));
        assert!(span("1month") >= Term::Days(31));
        assert!(span("7_years") <= Term::Days(7 * 365 + 4));
    }

    #[test]
    fn every_problem_has_its_place() {
        let text = "schema: 1\nrules:\n  - {class: recrd, keep: 7 fortnights, because: ''}\n  - {keep: 1d}\n";
        let problems = parse(FILE, text.as_bytes()).unwrap_err();
        let lines: Vec<Option<u64>> = problems.iter().map(|problem| problem.place.line).collect();
        assert_eq!(
            lines,
            [Some(3), Some(3), Some(3), Some(4), Some(4)],
            "{problems:#?}"
        );
    }

    #[test]
    fn what_no_forge_and_no_undo_needs_is_unwise() {
        let text = "schema: 1\nrules:\n  - {class: artifacts, keep: 7y, because: x}\n  - {class: undo, keep: unlimited, because: x}\n";
        assert_eq!(read(text).lint().len(), 2);
        assert_eq!(read(text).undo_days(1), u32::MAX);
    }

    /// The schema's copy for editors, beside the documents.
    const SCHEMA_FILE: &str = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/policy/schema/retention.v1.schema.json"
    );

    #[test]
    fn the_schema_is_the_one_that_the_types_give() {
        crate::compliance::tests::holds_schema::<Raw>(SCHEMA_FILE);
    }
}
