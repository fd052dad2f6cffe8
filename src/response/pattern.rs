//! Patterns: which files an action may change.
//!
//! A path relative to the workspace, with at most one `*` in the name of the file, which stands for
//! any characters. So what an action may touch can be listed without walking a tree. Pure; paths are
//! matched by [`crate::fs::glob`], and the files that fit are looked up in [`super::touched`].

use std::fmt;

use serde::{Serialize, Serializer};

use crate::fs::glob::{Glob, NamePattern};
use crate::protection::rules::{OWN_DIRECTORIES, OWN_FILES, PROTECT};

/// What runs this program.
const WORKFLOWS: &str = ".github/workflows/";

/// A pattern that names files inside the workspace, and none of the record's own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pattern {
    directory: String,
    name: NamePattern,
}

impl Pattern {
    /// Reads a pattern; the error says what is wrong with it.
    pub fn parse(text: &str) -> Result<Self, String> {
        Glob::parse(text)?;
        let (directory, name) = text.rsplit_once('/').unwrap_or(("", text));
        let parts = || text.split('/');
        let is_reserved = |first| OWN_DIRECTORIES.contains(&first) || first == ".scalpel";
        if parts().next().is_some_and(is_reserved) || text.starts_with(WORKFLOWS) {
            return Err(
                "a file outside of `state/`, `policy/`, `.scalpel/`, `.github/workflows/` and `.git/`"
                    .to_owned(),
            );
        }
        if directory.contains('*') || name.matches('*').count() > 1 {
            return Err("at most one `*`, in the name of the file".to_owned());
        }
        let pattern = Self {
            directory: directory.to_owned(),
            name: NamePattern::new(name),
        };
        let protected = PROTECT.into_iter().filter(|glob| !glob.contains('*'));
        match OWN_FILES
            .into_iter()
            .chain(protected)
            .find(|file| pattern.covers(file))
        {
            Some(file) => Err(format!(
                "files other than `{file}`, which is not an action's to change"
            )),
            None => Ok(pattern),
        }
    }

    /// The directory that its files are in, relative to the workspace; empty for the workspace
    /// itself.
    pub fn directory(&self) -> &str {
        &self.directory
    }

    /// The one file that it names; `None` where it has a `*`.
    pub fn literal(&self) -> Option<String> {
        self.name.literal().map(|name| self.path_of(name))
    }

    /// The path of a file in its directory.
    pub fn path_of(&self, name: &str) -> String {
        if self.directory.is_empty() {
            name.to_owned()
        } else {
            format!("{}/{name}", self.directory)
        }
    }

    /// True where a file of that name in its directory fits. A name that begins with a dot fits only
    /// a pattern that does: temporary files are nobody's result.
    pub fn fits(&self, name: &str) -> bool {
        self.name.fits_visible(name)
    }

    /// True where it covers the file `path`.
    pub fn covers(&self, path: &str) -> bool {
        let (directory, name) = path.rsplit_once('/').unwrap_or(("", path));
        directory == self.directory && self.fits(name)
    }
}

impl fmt::Display for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.path_of(&self.name.to_string()))
    }
}

impl Serialize for Pattern {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pattern_names_files_of_one_directory() {
        let pattern = Pattern::parse("mirrors/anchor_*.json").unwrap();
        let cases = [
            ("mirrors/anchor_20260101T000000Z.json", true),
            ("mirrors/anchor_.json", true),
            ("mirrors/anchor_1.json.tmp", false),
            ("mirrors/.anchor.json.tmp", false),
            ("mirrors/anchor_.jso", false),
            ("mirrors/deep/anchor_1.json", false),
            ("anchor_1.json", false),
        ];
        for (path, expected) in cases {
            assert_eq!(pattern.covers(path), expected, "{path}");
        }
        // What the star stands for can't overlap: `anchor.json` has no room for both sides.
        assert!(!Pattern::parse("a*a").unwrap().covers("a"));
        assert!(!Pattern::parse("x/*").unwrap().covers("x/.hidden"));
        assert_eq!(Pattern::parse("x").unwrap().literal().as_deref(), Some("x"));
    }

    #[test]
    fn what_leads_out_of_the_workspace_or_into_the_record_is_no_pattern() {
        for text in [
            "",
            "/etc/passwd",
            "../x",
            "a/../b",
            "a//b",
            "./a",
            "a/",
            "state/x",
            "state/*",
            ".git/config",
            ".git",
            "state",
            "policy/x",
            "trust_lock_state.json",
            "*.md",
            "reports/policy_*",
            "*/a",
            "a/**",
            "a*b*",
            "a\nb",
        ] {
            assert!(Pattern::parse(text).is_err(), "{text:?}");
        }
        for text in ["a", "a/b", "a/*", "*.csv", "stateful/x"] {
            assert_eq!(Pattern::parse(text).unwrap().to_string(), text);
        }
    }
}
