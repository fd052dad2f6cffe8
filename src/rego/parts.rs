//! From files to what a bundle is made of: modules with their dialect, and one tree of data.
//!
//! As Open Policy Agent does it: a file `data.json` or `data.yaml` stands in the tree at the path of its
//! directory, and every bundle answers only for what lies below its roots.

use serde_json::{Map, Value};

use super::archive::{self, Bounds};
use super::loader;
use super::manifest::{self, Manifest, lies_below, overlap};
use super::settings::{Dialect, Settings, Trust};
use super::signature;
use crate::diagnostic::{Code, Diagnostic, Place};
use crate::policy::source::problems::key_twice;
use crate::policy::source::{self, Kind, Node};
use crate::signals::json::not_utf8;

/// A module as it was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Module {
    /// Its path; in a bundle that of the bundle, `:` and the path inside.
    pub(super) file: String,
    /// Its text.
    pub(super) text: String,
    /// How it is to be read where it doesn't say.
    pub(super) dialect: Dialect,
    /// Where it came from, by its place in [`Parts::origins`].
    pub(super) origin: usize,
}

/// A bundle, or the directory of sources, which is one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Origin {
    /// Its path.
    pub(super) file: String,
    /// What it answers for.
    pub(super) roots: Vec<String>,
    /// Its revision.
    pub(super) revision: Option<String>,
}

/// All that was found.
#[derive(Debug, Default)]
pub(super) struct Parts {
    /// The modules that decide.
    pub(super) modules: Vec<Module>,
    /// The modules of tests.
    pub(super) tests: Vec<Module>,
    /// The data.
    pub(super) data: Map<String, Value>,
    /// The files that gave data, with the path at which each stands.
    pub(super) data_files: Vec<(String, String)>,
    /// Where all of it came from.
    pub(super) origins: Vec<Origin>,
    /// What is wrong.
    pub(super) findings: Vec<Diagnostic>,
}

impl Parts {
    /// Takes files apart.
    pub(super) fn of(documents: &[(String, Vec<u8>)], settings: &Settings) -> Self {
        let mut parts = Self::default();
        let is_archive = documents.iter().all(|(file, _)| loader::is_bundle(file));
        if matches!(settings.trust, Trust::By { .. }) && !is_archive {
            parts.findings.push(unsigned(&settings.root));
        }
        for (file, bytes) in documents {
            if loader::is_bundle(file) {
                parts.bundle(file, bytes, settings);
            } else {
                parts.plain(file, bytes, settings);
            }
        }
        parts.check_roots();
        parts
    }

    fn bundle(&mut self, file: &str, bytes: &[u8], settings: &Settings) {
        let unpacked = archive::unpack(file, bytes, Bounds::BUNDLE);
        let checked = unpacked.and_then(|files| {
            signature::check(file, &files, &settings.trust)?;
            Ok(files)
        });
        let files = match checked {
            Ok(files) => files,
            Err(finding) => return self.findings.push(*finding),
        };
        let own = files.iter().find(|(path, _)| path == manifest::FILE);
        let name = |path: &str| format!("{file}:{path}");
        let manifest = own.map(|(path, bytes)| Manifest::parse(&name(path), bytes));
        let manifest = match manifest.transpose() {
            Ok(manifest) => manifest.unwrap_or_default(),
            Err(findings) => return self.findings.extend(findings),
        };
        let origin = self.origins.len();
        self.origins.push(Origin {
            file: file.to_owned(),
            roots: manifest.roots.clone(),
            revision: manifest.revision.clone(),
        });
        for (path, bytes) in &files {
            if matches!(path.as_str(), "patch.json" | "policy.wasm") {
                self.findings.push(unsupported(&name(path)));
            } else if loader::is_module(path) {
                let dialect = manifest.dialect_of(path).unwrap_or(settings.dialect);
                self.module(name(path), bytes, dialect, origin);
            } else if loader::is_source(path) {
                self.data(&name(path), path, bytes, origin);
            }
        }
    }

    fn plain(&mut self, file: &str, bytes: &[u8], settings: &Settings) {
        let origin = self.directory(&settings.root);
        if loader::is_module(file) {
            self.module(file.to_owned(), bytes, settings.dialect, origin);
        } else {
            let below = file.strip_prefix(&settings.root).unwrap_or(file);
            self.data(file, below.trim_start_matches('/'), bytes, origin);
        }
    }

    /// The directory of sources as an origin.
    fn directory(&mut self, root: &str) -> usize {
        let known = self.origins.iter().position(|origin| origin.file == root);
        known.unwrap_or_else(|| {
            self.origins.push(Origin {
                file: root.to_owned(),
                roots: vec![String::new()],
                revision: None,
            });
            self.origins.len() - 1
        })
    }

    fn module(&mut self, file: String, bytes: &[u8], dialect: Dialect, origin: usize) {
        let bare = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
        let text = match std::str::from_utf8(bare) {
            Ok(text) => text.to_owned(),
            Err(error) => {
                let finding = not_utf8(&file, bare, error.valid_up_to());
                return self.findings.push(*finding);
            }
        };
        let all = if loader::is_test(&file) {
            &mut self.tests
        } else {
            &mut self.modules
        };
        all.push(Module {
            file,
            text,
            dialect,
            origin,
        });
    }

    fn data(&mut self, file: &str, path: &str, bytes: &[u8], origin: usize) {
        let directory = path.rsplit_once('/').map_or("", |(directory, _)| directory);
        let root = match source::parse(file, bytes) {
            Ok(root) => root.unwrap_or_else(Node::nothing),
            Err(finding) => return self.findings.push(*finding),
        };
        for entry in root.repeated_keys() {
            let place = entry.spot.place(file, &root.path_to(&entry.value));
            self.findings.push(key_twice(place, &entry.key));
        }
        let Kind::Map(_) = root.kind else {
            return self.findings.push(
                Diagnostic::new(
                    Code::RegoInvalid,
                    Place::file(file),
                    "the data is no object",
                )
                .found(root.in_words())
                .expected("an object: its keys are what rules find below `data`")
                .help("give the value a name: `{\"name\": …}`"),
            );
        };
        self.check_data_roots(file, directory, &root, origin);
        let mut value = json(&root);
        for name in directory.rsplit('/').filter(|name| !name.is_empty()) {
            value = Value::Object(Map::from_iter([(name.to_owned(), value)]));
        }
        if let Value::Object(members) = value
            && let Err(path) = merge(&mut self.data, members, "data")
        {
            self.findings.push(twice(file, &path));
        }
        self.data_files
            .push((file.to_owned(), directory.to_owned()));
    }

    fn check_data_roots(&mut self, file: &str, directory: &str, root: &Node, origin: usize) {
        let Some(origin) = self.origins.get(origin) else {
            return;
        };
        let roots = &origin.roots;
        let mut outside = Vec::new();
        lies_outside(root, directory, roots, &mut outside);
        for (path, node) in outside {
            let place = node.spot.place(file, "$");
            let finding = outside_roots(place, &path, roots);
            self.findings.push(finding);
        }
    }

    /// Bundles whose roots overlap would each say what the other is to say.
    fn check_roots(&mut self) {
        let mut findings = Vec::new();
        for (at, one) in self.origins.iter().enumerate() {
            for other in self.origins.iter().take(at) {
                let mut pairs = one
                    .roots
                    .iter()
                    .flat_map(|root| other.roots.iter().map(move |second| (root, second)));
                if let Some((root, second)) = pairs.find(|(root, second)| overlap(root, second)) {
                    findings.push(
                        Diagnostic::new(
                            Code::BundleInvalid,
                            Place::file(&one.file),
                            "two bundles answer for the same",
                        )
                        .found(format!("the root `{root}` here, `{second}` in {}", other.file))
                        .expected("roots of which none lies below another's")
                        .help(
"name narrower `roots` in the manifests; a directory answers for everything, so none can stand beside a bundle",
),
                    );
                }
            }
        }
        self.findings.extend(findings);
    }

    /// Checks that a package lies below the roots of where its module came from.
    pub(super) fn check_package(&mut self, module: &Module, package: &str) {
        let Some(origin) = self.origins.get(module.origin) else {
            return;
        };
        if !origin.roots.iter().any(|root| lies_below(package, root)) {
            let place = Place::file(&module.file);
            let finding = outside_roots(place, package, &origin.roots);
            self.findings.push(finding);
        }
    }
}

/// The values of a tree that lie below no root; those above one are looked into.
fn lies_outside<'n>(
    node: &'n Node,
    path: &str,
    roots: &[String],
    outside: &mut Vec<(String, &'n Node)>,
) {
    if roots.iter().any(|root| lies_below(path, root)) {
        return;
    }
    let is_above = roots.iter().any(|root| lies_below(root, path));
    match &node.kind {
        Kind::Map(entries) if is_above => {
            for entry in entries {
                let below = format!("{path}/{}", entry.key);
                lies_outside(&entry.value, below.trim_start_matches('/'), roots, outside);
            }
        }
        _ => outside.push((path.to_owned(), node)),
    }
}

/// Puts members into a tree; the error is the path of what would stand there twice.
fn merge(
    into: &mut Map<String, Value>,
    more: Map<String, Value>,
    path: &str,
) -> Result<(), String> {
    for (key, value) in more {
        let here = format!("{path}.{key}");
        match (into.get_mut(&key), value) {
            (None, value) => {
                into.insert(key, value);
            }
            (Some(Value::Object(members)), Value::Object(more)) => merge(members, more, &here)?,
            (Some(_), _) => return Err(here),
        }
    }
    Ok(())
}

/// A tree as JSON. Keys that stand there twice were found before.
pub(super) fn json(node: &Node) -> Value {
    match &node.kind {
        Kind::Null => Value::Null,
        Kind::Bool(value) => Value::Bool(*value),
        Kind::Number(number) => Value::Number(number.clone()),
        Kind::Text(text) => Value::String(text.clone()),
        Kind::List(items) => Value::Array(items.iter().map(json).collect()),
        Kind::Map(entries) => {
            let members = entries
                .iter()
                .map(|entry| (entry.key.clone(), json(&entry.value)));
            Value::Object(members.collect())
        }
    }
}

fn twice(file: &str, path: &str) -> Diagnostic {
    Diagnostic::new(
        Code::RegoInvalid,
        Place::file(file),
        format!("`{path}` is given twice"),
    )
    .found("two files of data that give it")
    .expected("each value once: which of two counts is anybody's guess")
    .help("remove one of the two")
}

fn outside_roots(place: Place, path: &str, roots: &[String]) -> Diagnostic {
    let roots: Vec<String> = roots.iter().map(|root| format!("`{root}`")).collect();
    Diagnostic::new(
        Code::BundleInvalid,
        place,
        "something lies outside the roots of its bundle",
    )
    .found(format!("`{path}`"))
    .expected(format!("paths below {}", roots.join(" or ")))
    .help("name its root in the manifest, or take it out of the bundle")
}

fn unsigned(root: &str) -> Diagnostic {
    Diagnostic::new(
        Code::BundleInvalid,
        Place::file(root),
        "a directory has no signature that `signed_by` could ask for",
    )
    .found("modules and data as files")
    .expected("a bundle as an archive, `NAME.tar.gz`, signed by the key that `signed_by` names")
    .help("build it with `opa build -b DIR --signing-key FILE`, or leave `signed_by` out: the lock of the policies says whether a file is the accepted one")
}

fn unsupported(file: &str) -> Diagnostic {
    Diagnostic::new(
        Code::BundleInvalid,
        Place::file(file),
        "the bundle holds something that is not evaluated here",
    )
    .found("a patch of another bundle, or a compiled module")
    .expected("modules in Rego and their data")
    .help("build the whole bundle with `opa build -b DIR`")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn parts(files: &[(&str, &str)]) -> Parts {
        let documents: Vec<(String, Vec<u8>)> = files
            .iter()
            .map(|(file, text)| ((*file).to_owned(), text.as_bytes().to_vec()))
            .collect();
        Parts::of(&documents, &Settings::default())
    }

    #[test]
    fn data_stands_at_the_path_of_its_directory() {
        let parts = parts(&[
            ("policy/rego/data.yaml", "a: {x: 1}\n"),
            ("policy/rego/a/b/data.json", "{\"y\":[1,null,\"z\"]}"),
            ("policy/rego/a/x.rego", "package a"),
            ("policy/rego/a/x_test.rego", "package a_test"),
        ]);
        assert_eq!(parts.findings, []);
        let expected = json!({"a": {"x": 1, "b": {"y": [1, null, "z"]}}});
        assert_eq!(Value::Object(parts.data), expected);
        assert_eq!((parts.modules.len(), parts.tests.len()), (1, 1));
    }

    #[test]
    fn what_stands_there_twice_or_is_no_object_is_refused() {
        for (files, line) in [
            (
                vec![
                    ("policy/rego/data.json", "{\"a\":{\"b\":1}}"),
                    ("policy/rego/a/data.json", "{\"b\":2}"),
                ],
                "`data.a.b` is given twice",
            ),
            (
                vec![("policy/rego/data.json", "[1]")],
                "the data is no object",
            ),
            (
                vec![("policy/rego/data.json", "{\"a\":1,\"a\":2}")],
                "the key `a` stands there twice",
            ),
        ] {
            let findings = parts(&files).findings;
            let messages: Vec<&str> = findings.iter().map(|one| one.message.as_str()).collect();
            assert!(
                messages.iter().any(|one| one.starts_with(line)),
                "{messages:?}"
            );
        }
        let bytes = ("policy/rego/a.rego".to_owned(), b"package \xff".to_vec());
        assert_eq!(Parts::of(&[bytes], &Settings::default()).findings.len(), 1);
    }
}
