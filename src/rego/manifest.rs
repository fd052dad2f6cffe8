//! The manifest of a bundle: which part of the documents it answers for, and in which dialect.

use super::settings::Dialect;
use crate::diagnostic::{Code, Diagnostic, suggestion};
use crate::fs::glob::Glob;
use crate::policy::source::problems::{Problems, key_twice};
use crate::policy::source::{self, Kind, Node};

/// The file of a bundle that holds it.
pub(super) const FILE: &str = ".manifest";

const KNOWN: [&str; 6] = [
    "revision",
    "roots",
    "rego_version",
    "file_rego_versions",
    "metadata",
    "wasm",
];

/// What a bundle says of itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Manifest {
    /// Its revision, where it names one.
    pub(super) revision: Option<String>,
    /// The paths of packages and data that it answers for, `a/b`; `""` is all of them.
    pub(super) roots: Vec<String>,
    dialect: Option<Dialect>,
    file_dialects: Vec<(Glob, Dialect)>,
}

impl Default for Manifest {
    fn default() -> Self {
        Self {
            revision: None,
            roots: vec![String::new()],
            dialect: None,
            file_dialects: Vec::new(),
        }
    }
}

impl Manifest {
    /// Reads it. `file` is named in the findings.
    pub(super) fn parse(file: &str, bytes: &[u8]) -> Result<Self, Vec<Diagnostic>> {
        let root = source::parse(file, bytes).map_err(|finding| vec![*finding])?;
        let root = root.unwrap_or_else(Node::nothing);
        let twice = root.repeated_keys().into_iter().map(|entry| {
            key_twice(
                entry.spot.place(file, &root.path_to(&entry.value)),
                &entry.key,
            )
        });
        let mut problems = Problems::new(file, twice.collect());
        let manifest = Self::of(&root, &mut problems);
        if problems.is_empty() {
            Ok(manifest)
        } else {
            Err(problems.in_order())
        }
    }

    fn of(root: &Node, problems: &mut Problems<'_>) -> Self {
        if !matches!(root.kind, Kind::Map(_)) {
            wrong(problems, root, "$", "an object with `roots` and `revision`");
        }
        for entry in root.entries() {
            if !KNOWN.contains(&entry.key.as_str()) {
                problems.add(
                    entry.spot,
                    &entry.key,
                    Code::KeyUnknown,
                    format!("a manifest has no key `{}`", entry.key),
                    |finding| {
                        let help = suggestion(&entry.key, KNOWN);
                        finding
                            .found(format!("`{}`", entry.key))
                            .expected(KNOWN.join(", "))
                            .help(help.unwrap_or_else(|| "remove it".to_owned()))
                    },
                );
            }
        }
        if let Some(node) = root.get("wasm").filter(|node| !is_empty(node)) {
            wrong(
                problems,
                node,
                "wasm",
                "no compiled modules: only Rego is evaluated here",
            );
        }
        let revision = root.get("revision").and_then(|node| {
            let text = node.as_text();
            if text.is_none() {
                wrong(problems, node, "revision", "a text");
            }
            text.map(str::to_owned)
        });
        Self {
            revision,
            roots: roots(root, problems),
            dialect: root
                .get("rego_version")
                .and_then(|node| dialect(node, "rego_version", problems)),
            file_dialects: file_dialects(root, problems),
        }
    }

    /// The dialect of a file of the bundle, where the manifest says it.
    pub(super) fn dialect_of(&self, path: &str) -> Option<Dialect> {
        let mut of_files = self.file_dialects.iter();
        let of_file = of_files.find(|(pattern, _)| pattern.covers(path));
        of_file.map(|(_, dialect)| *dialect).or(self.dialect)
    }
}

fn roots(root: &Node, problems: &mut Problems<'_>) -> Vec<String> {
    let Some(node) = root.get("roots") else {
        return vec![String::new()];
    };
    let Kind::List(items) = &node.kind else {
        wrong(
            problems,
            node,
            "roots",
            "a list of paths such as `kfm/authz`",
        );
        return Vec::new();
    };
    let mut roots = Vec::new();
    for item in items {
        match item.as_text() {
            Some(text) => roots.push(text.trim_matches('/').to_owned()),
            None => wrong(problems, item, "roots", "a path such as `kfm/authz`"),
        }
    }
    for (at, one) in roots.iter().enumerate() {
        let others = roots.iter().take(at);
        if others.clone().any(|other| overlap(one, other)) {
            wrong(
                problems,
                node,
                "roots",
                "roots of which none lies below another",
            );
            break;
        }
    }
    roots
}

fn file_dialects(root: &Node, problems: &mut Problems<'_>) -> Vec<(Glob, Dialect)> {
    let Some(node) = root.get("file_rego_versions") else {
        return Vec::new();
    };
    if !matches!(node.kind, Kind::Map(_)) {
        wrong(
            problems,
            node,
            "file_rego_versions",
            "an object of patterns with 0 or 1",
        );
    }
    let entries = node.entries().iter();
    let read = entries.filter_map(|entry| {
        let version = dialect(&entry.value, "file_rego_versions", problems)?;
        match Glob::parse(entry.key.trim_start_matches('/')) {
            Ok(pattern) => Some((pattern, version)),
            Err(expected) => {
                wrong(problems, &entry.value, "file_rego_versions", &expected);
                None
            }
        }
    });
    read.collect()
}

fn dialect(node: &Node, key: &str, problems: &mut Problems<'_>) -> Option<Dialect> {
    let version = match &node.kind {
        Kind::Number(number) => number.as_u64().and_then(Dialect::of),
        _ => None,
    };
    if version.is_none() {
        wrong(problems, node, key, "0 or 1");
    }
    version
}

fn is_empty(node: &Node) -> bool {
    match &node.kind {
        Kind::Null => true,
        Kind::List(items) => items.is_empty(),
        _ => false,
    }
}

fn wrong(problems: &mut Problems<'_>, node: &Node, key: &str, expected: &str) {
    let name = if key == "$" {
        "the manifest".to_owned()
    } else {
        format!("`{key}`")
    };
    problems.add(
        node.spot,
        key,
        Code::BundleInvalid,
        format!("{name} can't be used"),
        |finding| {
            finding
                .found(node.in_words())
                .expected(expected)
                .help("correct the manifest and build the bundle again")
        },
    );
}

/// True where one path of packages lies below the other, or is the same.
pub(super) fn overlap(one: &str, other: &str) -> bool {
    lies_below(one, other) || lies_below(other, one)
}

/// True where the path `a/b/c` lies below the root `a/b`, or is it.
pub(super) fn lies_below(path: &str, root: &str) -> bool {
    root.is_empty()
        || path
            .strip_prefix(root)
            .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_manifest_says_its_roots_and_dialects() {
        let text = r#"{"revision":"r7","roots":["kfm","a/b/"],"rego_version":1,
            "file_rego_versions":{"/kfm/old/*.rego":0},"metadata":{"x":1}}"#;
        let manifest = Manifest::parse(".manifest", text.as_bytes()).unwrap();
        assert_eq!(manifest.revision.as_deref(), Some("r7"));
        assert_eq!(manifest.roots, ["kfm", "a/b"]);
        assert_eq!(manifest.dialect_of("kfm/x.rego"), Some(Dialect::V1));
        assert_eq!(manifest.dialect_of("kfm/old/x.rego"), Some(Dialect::V0));
        let empty = Manifest::parse(".manifest", b"{}").unwrap();
        assert_eq!(empty, Manifest::default());
        assert_eq!(empty.dialect_of("x.rego"), None);
    }

    #[test]
    fn a_wrong_manifest_tells_all_that_is_wrong() {
        let text = r#"{"root":["a"],"roots":["a","a/b"],"rego_version":2,"revision":1,"wasm":[{}],"wasm":[]}"#;
        let findings = Manifest::parse(".manifest", text.as_bytes()).unwrap_err();
        let codes: Vec<Code> = findings.iter().map(|finding| finding.code).collect();
        assert_eq!(findings.len(), 6, "{codes:?}");
        for text in [
            "[]",
            "{",
            "",
            "{\"roots\":{}}",
            "{\"roots\":[1]}",
            "{\"file_rego_versions\":[]}",
        ] {
            assert!(
                Manifest::parse(".manifest", text.as_bytes()).is_err(),
                "{text}"
            );
        }
    }

    #[test]
    fn roots_overlap_by_whole_names() {
        for (one, other, expected) in [
            ("", "a", true),
            ("a", "a", true),
            ("a/b", "a", true),
            ("ab", "a", false),
            ("a/b", "a/c", false),
        ] {
            assert_eq!(overlap(one, other), expected, "{one} {other}");
        }
    }
}
