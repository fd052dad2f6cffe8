//! Findings for a person: what, where, found, expected, what to do.

use super::Paint;
use crate::diagnostic::{Diagnostic, Severity};

/// All findings, errors first, each as a block of lines.
pub fn render<'a>(findings: impl IntoIterator<Item = &'a Diagnostic>, paint: Paint) -> String {
    let mut sorted: Vec<&Diagnostic> = findings.into_iter().collect();
    sorted.sort_by_key(|finding| std::cmp::Reverse(finding.severity()));
    sorted
        .into_iter()
        .map(|finding| one(finding, paint))
        .collect()
}

fn one(finding: &Diagnostic, paint: Paint) -> String {
    let word = match finding.severity() {
        Severity::Error => paint.error(&format!("error[{}]", finding.code)),
        Severity::Warning => paint.warning(&format!("warning[{}]", finding.code)),
    };
    let mut text = format!("{word}: {}\n  --> {}\n", finding.message, finding.place);
    let parts = [
        ("found", &finding.found),
        ("expected", &finding.expected),
        ("help", &finding.help),
    ];
    for (name, part) in parts {
        if let Some(part) = part {
            text.push_str(&format!("  {}: {part}\n", paint.dim(name)));
        }
    }
    text
}
