//! What another program is about to do, and what is said to it (pure).

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::record::audit::Severity;

/// More files than this in one operation are no operation that anybody can judge.
const MOST_FILES: usize = 10_000;

/// The longest path.
const LONGEST: usize = 4096;

/// An operation.
#[derive(Debug, Clone, PartialEq)]
pub struct Operation {
    /// What is to be done: `edit`, `file_delete`, …
    pub kind: String,
    /// Which files, as the program names them.
    pub files: Vec<String>,
    /// How complex the result is, as the program measured it.
    pub complexity: Option<u64>,
    /// How large a file becomes, in bytes.
    pub file_size: Option<u64>,
    /// How many changes it makes.
    pub changes: Option<u64>,
}

#[derive(Deserialize)]
struct Raw {
    #[serde(rename = "type")]
    kind: String,
    affected_files: Vec<String>,
    #[serde(default)]
    metadata: Option<Map<String, Value>>,
    #[serde(default)]
    timestamp: Option<Value>,
}

impl Operation {
    /// Reads an operation; the error says what is wrong with it.
    pub fn parse(text: &[u8]) -> Result<Self, String> {
        let text = text.strip_prefix(b"\xef\xbb\xbf").unwrap_or(text);
        let raw: Raw = serde_json::from_slice(text).map_err(|error| error.to_string())?;
        if raw.kind.trim().is_empty() {
            return Err("`type` is empty".to_owned());
        }
        if raw.affected_files.len() > MOST_FILES {
            return Err(format!("more than {MOST_FILES} files"));
        }
        if matches!(
            raw.timestamp,
            Some(Value::Object(_) | Value::Array(_) | Value::Bool(_))
        ) {
            return Err("`timestamp` is neither text nor a number".to_owned());
        }
        let is_path = |path: &&String| {
            !path.is_empty() && path.len() <= LONGEST && !path.chars().any(char::is_control)
        };
        if let Some(path) = raw.affected_files.iter().find(|path| !is_path(path)) {
            return Err(format!(
                "{path:?} is no path of 1 to {LONGEST} printable characters"
            ));
        }
        let metadata = raw.metadata.unwrap_or_default();
        let number = |name: &str| match metadata.get(name) {
            None | Some(Value::Null) => Ok(None),
            Some(value) => value
                .as_u64()
                .map(Some)
                .ok_or_else(|| format!("`metadata.{name}` is no whole number of at least 0")),
        };
        Ok(Self {
            complexity: number("complexity")?,
            file_size: number("file_size")?,
            changes: number("changes")?,
            kind: raw.kind,
            files: raw.affected_files,
        })
    }

    /// The words of its type: `fileDelete` and `file_delete` are `file` and `delete`.
    pub fn words(&self) -> Vec<String> {
        let mut words = vec![String::new()];
        let mut was_lower = false;
        for character in self.kind.chars() {
            let starts = !character.is_alphanumeric() || (was_lower && character.is_uppercase());
            if starts && words.last().is_some_and(|word| !word.is_empty()) {
                words.push(String::new());
            }
            if let Some(word) = words.last_mut().filter(|_| character.is_alphanumeric()) {
                word.extend(character.to_lowercase());
            }
            was_lower = character.is_lowercase() || character.is_ascii_digit();
        }
        words.retain(|word| !word.is_empty());
        words
    }

    /// True where it says that it reads, and nothing else.
    pub fn only_reads(&self) -> bool {
        const READING: [&str; 8] = [
            "file", "read", "view", "list", "search", "get", "stat", "show",
        ];
        let words = self.words();
        let is = |known: &[&str]| words.iter().all(|word| known.contains(&word.as_str()));
        !words.is_empty() && is(&READING) && words.iter().any(|word| word != "file")
    }

    /// True where its type is that of a protected operation: one of its words is the other's name, or
    /// another name for it.
    pub fn is_a(&self, protected: &str) -> bool {
        const SAME: [&[&str]; 3] = [
            &["delete", "remove", "unlink", "rm"],
            &["chmod"],
            &["chown", "chgrp"],
        ];
        let wanted = protected.to_lowercase();
        let names = SAME.iter().find(|names| names.contains(&wanted.as_str()));
        let words = self.words();
        let whole = words.join("_");
        whole == wanted
            || words.iter().any(|word| {
                *word == wanted || names.is_some_and(|names| names.contains(&word.as_str()))
            })
    }
}

/// Why an operation is refused: stable words.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Rule {
    /// The operation can't be read.
    OperationUnreadable,
    /// Protected files were changed, so nobody knows what is protected.
    PolicyTampered,
    /// The kill switch is on.
    KillSwitchOn,
    /// The document that says what is protected can't be read.
    PolicyUnreadable,
    /// A file of this program's own.
    ControlFile,
    /// A protected file.
    ProtectedFile,
    /// A file outside of the workspace.
    OutsideWorkspace,
    /// An operation that nothing may do.
    ProtectedOperation,
    /// More complex than the document allows.
    MaxComplexity,
    /// Larger than the document allows.
    MaxFileSize,
    /// More changes than the document allows.
    MaxChangesPerOperation,
    /// Staged bytes that nobody accepted.
    NotAccepted,
}

impl Rule {
    fn severity(self) -> Severity {
        match self {
            Self::PolicyTampered | Self::ControlFile => Severity::Critical,
            Self::ProtectedFile
            | Self::ProtectedOperation
            | Self::OutsideWorkspace
            | Self::NotAccepted
            | Self::PolicyUnreadable
            | Self::KillSwitchOn => Severity::High,
            Self::OperationUnreadable
            | Self::MaxComplexity
            | Self::MaxFileSize
            | Self::MaxChangesPerOperation => Severity::Medium,
        }
    }
}

/// What is said to the program.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Decision {
    /// May it?
    pub allowed: bool,
    /// Which rules say no, each once.
    pub violated_policies: Vec<Rule>,
    /// Why not, in words.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// How grave that is; LOW where it is allowed.
    pub severity: Severity,
}

/// A rule that is violated, and how.
pub type Violation = (Rule, String);

impl Decision {
    /// The decision that these violations come to.
    pub fn of(mut violations: Vec<Violation>) -> Self {
        // The gravest first; stable, so that files stay in their order.
        violations.sort_by_key(|(rule, _)| std::cmp::Reverse(rule.severity()));
        let severity = violations
            .first()
            .map_or(Severity::Low, |(rule, _)| rule.severity());
        let rules = crate::ids::distinct(violations.iter().map(|(rule, _)| *rule));
        let told: Vec<&str> = violations
            .iter()
            .take(5)
            .map(|(_, why)| why.as_str())
            .collect();
        let more = violations.len().saturating_sub(told.len());
        let reason = match (told.is_empty(), more) {
            (true, _) => None,
            (false, 0) => Some(told.join("; ")),
            (false, more) => Some(format!("{}; and {more} more", told.join("; "))),
        };
        Self {
            allowed: violations.is_empty(),
            violated_policies: rules,
            reason,
            severity,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of_kind(kind: &str) -> Operation {
        let text = serde_json::json!({"type": kind, "affected_files": []}).to_string();
        Operation::parse(text.as_bytes()).unwrap()
    }

    #[test]
    fn both_forms_of_an_operation_are_read() {
        let short = br#"{"type":"edit","affected_files":["a.py"]}"#;
        let long = br#"{"type":"edit","affected_files":["a.py"],"metadata":{"complexity":3},"timestamp":"2026-01-01T00:00:00Z"}"#;
        assert_eq!(Operation::parse(short).unwrap().complexity, None);
        assert_eq!(Operation::parse(long).unwrap().complexity, Some(3));
    }

    #[test]
    fn what_is_no_operation_is_refused() {
        for text in [
            "",
            "{}",
            "[]",
            r#"{"type":"edit"}"#,
            r#"{"affected_files":[]}"#,
            r#"{"type":"","affected_files":[]}"#,
            r#"{"type":"edit","affected_files":"a"}"#,
            r#"{"type":"edit","affected_files":[""]}"#,
            r#"{"type":"edit","affected_files":["a\u0000b"]}"#,
            r#"{"type":"edit","affected_files":[],"metadata":{"complexity":"11"}}"#,
            r#"{"type":"edit","affected_files":[],"metadata":{"changes":-1}}"#,
            r#"{"type":"edit","affected_files":[],"metadata":[]}"#,
            r#"{"type":"edit","affected_files":[],"timestamp":{}}"#,
        ] {
            assert!(Operation::parse(text.as_bytes()).is_err(), "{text}");
        }
    }

    #[test]
    fn types_are_recognised_by_their_words() {
        for kind in [
            "delete",
            "file_delete",
            "fileDelete",
            "FILE-DELETE",
            "rm",
            "file.remove",
        ] {
            assert!(of_kind(kind).is_a("delete"), "{kind}");
        }
        for kind in ["edit", "deleted_scene", "undelete", "chmod"] {
            assert!(!of_kind(kind).is_a("delete"), "{kind}");
        }
        assert!(of_kind("file_read").only_reads());
        for kind in ["file", "read_write", "edit", "-"] {
            assert!(!of_kind(kind).only_reads(), "{kind}");
        }
    }
}
