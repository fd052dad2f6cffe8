//! Policy libraries: a Markdown document with a section for each policy, read into its parts (pure).
//!
//! A section begins with a heading `## P-1 — Name`. In it stand the goal, and below headings of the
//! third level rules, enforcement, an example, tests and verification. Libraries of others have no
//! example of its own, since their enforcement is one. Nothing that stands there is carried out.

use serde::Serialize;

use super::Policy;

/// Our own library.
pub const BUILT_IN: &str = include_str!("../../docs/policies/POLICIES.md");

/// A policy as a library describes it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Described {
    /// Which.
    pub policy: Policy,
    /// What it calls it.
    pub name: String,
    /// The line of its heading.
    pub line: usize,
    /// What it is for.
    pub goal: String,
    /// What has to be.
    pub rules: Vec<String>,
    /// How it is enforced, as text.
    pub enforcement: String,
    /// An example, as text.
    pub example: String,
    /// The names of its tests.
    pub tests: Vec<String>,
    /// The commands that verify it.
    pub verification: Vec<String>,
}

/// Something that a library lacks, or says otherwise.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Problem {
    /// Where, where there is a place.
    pub line: Option<usize>,
    /// What.
    pub text: String,
}

/// A library.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Library {
    /// Its policies, in its order.
    pub policies: Vec<Described>,
    /// What is wrong with it.
    pub problems: Vec<Problem>,
}

/// The parts of a section.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Part {
    Goal,
    Rules,
    Enforcement,
    Example,
    Tests,
    Verification,
    Other,
}

impl Part {
    /// What a heading of the third level begins.
    fn of(heading: &str) -> Self {
        let heading = heading.to_lowercase();
        let first = heading.split_whitespace().next().unwrap_or_default();
        match first {
            "goal" => Self::Goal,
            "rules" => Self::Rules,
            "enforcement" => Self::Enforcement,
            "example" => Self::Example,
            "tests" | "auto-tests" => Self::Tests,
            "verification" => Self::Verification,
            _ => Self::Other,
        }
    }
}

/// Reads a library.
pub fn parse(text: &str) -> Library {
    let mut policies: Vec<Described> = Vec::new();
    let mut problems = Vec::new();
    let mut open: Option<(Described, Part)> = None;
    let mut fenced = false;
    for (index, line) in text.lines().enumerate() {
        let is_fence = line.trim_start().starts_with("```");
        fenced ^= is_fence;
        let heading = (!fenced && !is_fence).then(|| heading(line)).flatten();
        match heading {
            Some((1 | 2, title)) => {
                policies.extend(open.take().map(|(described, _)| described));
                open = begun(title, index + 1).map(|described| (described, Part::Goal));
            }
            Some((_, title)) => {
                if let Some((_, part)) = &mut open {
                    *part = Part::of(title);
                }
            }
            None => {
                if let Some((described, part)) = &mut open
                    && !is_fence
                {
                    take(described, *part, line, fenced);
                }
            }
        }
    }
    policies.extend(open.map(|(described, _)| described));
    for policy in Policy::ALL {
        let of: Vec<&Described> = policies.iter().filter(|one| one.policy == policy).collect();
        match of.as_slice() {
            [] => problems.push(Problem {
                line: None,
                text: format!("{policy} is not described"),
            }),
            [described] => problems.extend(lacking(described)),
            [_, second, ..] => problems.push(Problem {
                line: Some(second.line),
                text: format!("{policy} is described twice"),
            }),
        }
    }
    Library { policies, problems }
}

fn heading(line: &str) -> Option<(usize, &str)> {
    let rest = line.trim_start_matches('#');
    let level = line.len() - rest.len();
    let title = rest.strip_prefix(' ')?.trim();
    (level > 0).then_some((level, title))
}

/// `P-1 — Data Privacy`, with any dash.
fn begun(title: &str, line: usize) -> Option<Described> {
    let (id, name) = title.split_once(' ')?;
    let policy = id.parse().ok()?;
    let name = name.trim_start_matches(['-', '\u{2013}', '\u{2014}', ':', ' ']);
    Some(Described {
        policy,
        name: name.trim().to_owned(),
        line,
        goal: String::new(),
        rules: Vec::new(),
        enforcement: String::new(),
        example: String::new(),
        tests: Vec::new(),
        verification: Vec::new(),
    })
}

fn take(described: &mut Described, part: Part, line: &str, fenced: bool) {
    let plain = line.trim();
    let item = plain
        .strip_prefix("* ")
        .or_else(|| plain.strip_prefix("- "));
    match part {
        Part::Goal => {
            let text = plain.strip_prefix("**Goal:**").unwrap_or(plain).trim();
            if !text.is_empty() && !text.starts_with("---") {
                let space = if described.goal.is_empty() { "" } else { " " };
                described.goal.push_str(space);
                described.goal.push_str(text);
            }
        }
        Part::Rules => described.rules.extend(item.map(str::to_owned)),
        Part::Enforcement => push_line(&mut described.enforcement, line),
        Part::Example => push_line(&mut described.example, line),
        Part::Tests => {
            let name = item.and_then(|item| item.split('`').nth(1));
            described.tests.extend(name.map(str::to_owned));
        }
        Part::Verification => {
            if fenced && !plain.is_empty() && !plain.starts_with('#') {
                described.verification.push(plain.to_owned());
            }
        }
        Part::Other => {}
    }
}

fn push_line(text: &mut String, line: &str) {
    if !line.trim().is_empty() && line.trim() != "---" {
        text.push_str(line);
        text.push('\n');
    }
}

fn lacking(described: &Described) -> Vec<Problem> {
    let Described { policy, line, .. } = described;
    let parts = [
        ("a goal", described.goal.is_empty()),
        ("rules", described.rules.is_empty()),
        ("an enforcement", described.enforcement.is_empty()),
        ("tests", described.tests.is_empty()),
        ("a verification command", described.verification.is_empty()),
    ];
    let lacks = parts.into_iter().filter(|(_, lacks)| *lacks);
    let mut problems: Vec<Problem> = lacks
        .map(|(what, _)| Problem {
            line: Some(*line),
            text: format!("{policy} lacks {what}"),
        })
        .collect();
    if described.name != policy.name() {
        problems.push(Problem {
            line: Some(*line),
            text: format!(
                "{policy} is called `{}`, and not `{}`",
                described.name,
                policy.name()
            ),
        });
    }
    // A command that can't fail verifies nothing (S0-081).
    let hides = |command: &&String| command.replace(' ', "").ends_with("||true");
    problems.extend(described.verification.iter().find(hides).map(|_| Problem {
        line: Some(*line),
        text: format!("a verification command of {policy} hides its failure behind `|| true`"),
    }));
    problems
}

#[cfg(test)]
mod tests {
    use super::*;

    /// S0-001, S0-003, S0-071, S0-081: our own library has every part of all six, under their names.
    #[test]
    fn our_own_library_is_whole() {
        let library = parse(BUILT_IN);
        assert_eq!(library.problems, []);
        for (described, policy) in library.policies.iter().zip(Policy::ALL) {
            assert_eq!(
                (described.policy, described.name.as_str()),
                (policy, policy.name())
            );
            assert!(!described.example.is_empty(), "{policy}");
            let (module, call) = policy.enforcement();
            assert!(described.enforcement.contains(module), "{policy}");
            assert!(described.enforcement.contains(call), "{policy}");
            assert!(
                described.verification.contains(&policy.verification()),
                "{policy}"
            );
        }
    }

    #[test]
    fn what_a_library_lacks_is_told_with_its_line() {
        let text = BUILT_IN
            .replace("## P-6 ", "## P-5 ")
            .replace("### Rules", "### Notes");
        let library = parse(&text);
        let told: Vec<&str> = library
            .problems
            .iter()
            .map(|problem| problem.text.as_str())
            .collect();
        assert!(told.contains(&"P1 lacks rules"), "{told:?}");
        assert!(told.contains(&"P5 is described twice"), "{told:?}");
        assert!(told.contains(&"P6 is not described"), "{told:?}");
        let hidden = BUILT_IN.replace("checks run P1\n", "checks run P1 || true\n");
        let told = parse(&hidden).problems;
        assert_eq!(told.len(), 1, "{told:?}");
        assert!(told[0].text.contains("hides its failure"));
    }

    /// What stands in a fence is no heading.
    #[test]
    fn code_begins_no_section() {
        let text =
            "## P-1 \u{2014} Data Privacy\n### Enforcement\n```\n# P-2 - x\n## P-3 - y\n```\n";
        let library = parse(text);
        assert_eq!(library.policies.len(), 1);
        assert!(library.policies[0].enforcement.contains("## P-3"));
    }
}
