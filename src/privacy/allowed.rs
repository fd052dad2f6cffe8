//! Findings of the scan for secrets that somebody looked at: a list, a line each, of
//! `<SHA-256 of the line> <rule> <file> # <why>`.
//!
//! An allowance names the line by its content, so it ends when the line is changed, and moves with
//! it within its file.

use super::Rule;
use super::lines::Leak;
use crate::ids::Digest;

/// One allowance.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Allowance {
    /// Its line in the list, counted from 1.
    pub line: u64,
    /// The file it is for.
    pub file: String,
    digest: Digest,
    rule: Rule,
    /// Why.
    pub reason: String,
}

/// A line of the list that can't be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// Which, counted from 1.
    pub line: u64,
    /// What would have been right.
    pub expected: &'static str,
}

/// All allowances of a list, or all problems with it.
pub fn parse(list: &str) -> Result<Vec<Allowance>, Vec<Problem>> {
    let mut allowances = Vec::new();
    let mut problems = Vec::new();
    for (number, line) in (1..).zip(list.lines()) {
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        match allowance(number, line) {
            Ok(allowance) => allowances.push(allowance),
            Err(expected) => problems.push(Problem {
                line: number,
                expected,
            }),
        }
    }
    if problems.is_empty() {
        Ok(allowances)
    } else {
        Err(problems)
    }
}

fn allowance(number: u64, line: &str) -> Result<Allowance, &'static str> {
    let reasoned = line.split_once(" # ");
    let (what, reason) = reasoned.ok_or("` # ` and a reason at the end")?;
    let mut words = what.trim().splitn(3, char::is_whitespace);
    let digest = words.next().and_then(Digest::parse);
    let digest = digest.ok_or("the SHA-256 of a line, as 64 digits, at the begin")?;
    let named = words.next().unwrap_or_default();
    let mut rules = Rule::ALL.iter().filter(|rule| rule.is_secret());
    let rule = rules.find(|rule| rule.as_str() == named);
    let rule = *rule.ok_or("the name of a rule as the second word")?;
    let file = words.next().unwrap_or_default().trim();
    if file.is_empty() || reason.trim().is_empty() {
        return Err("a file and a reason");
    }
    Ok(Allowance {
        line: number,
        file: file.to_owned(),
        digest,
        rule,
        reason: reason.trim().to_owned(),
    })
}

impl Allowance {
    /// True where it is for that finding in that file.
    pub fn covers(&self, file: &str, leak: &Leak) -> bool {
        self.file == file && self.rule == leak.rule && self.digest == leak.digest
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_is_read_whole_or_all_its_problems_are_told() {
        let digest = "ab".repeat(32);
        let list = format!("# ours\n\n{digest} jwt docs/a b.md # an example\n");
        let allowances = parse(&list).unwrap();
        assert_eq!(allowances[0].file, "docs/a b.md");
        assert_eq!(
            (allowances[0].line, allowances[0].reason.as_str()),
            (3, "an example")
        );
        let bad = format!(
            "{digest} jwt a.md\nabc jwt a.md # why\n{digest} email a.md # why\n{digest} jwt # why\n"
        );
        let problems = parse(&bad).unwrap_err();
        let lines: Vec<u64> = problems.iter().map(|problem| problem.line).collect();
        assert_eq!(lines, [1, 2, 3, 4]);
    }
}
