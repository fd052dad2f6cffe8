//! Which file a path of another program means: without `.` and `..`, without links, in whatever case,
//! and by its node where it has a second name.
//!
//! A path is held against the rules as it is written and as the file system resolves it, since the two
//! differ where a link stands before a `..`. Letters count in either case: on some systems they do, and
//! a name that differs in nothing else is none that somebody needs.

use std::os::unix::fs::MetadataExt as _;
use std::path::{Component, Path, PathBuf};

use super::rules::Rules;
use crate::fs::Workspace;

/// Where a path leads.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Meant {
    /// Files of the workspace, by every way in which the path can be read. Empty text is the workspace
    /// itself.
    Inside(Vec<String>),
    /// Out of the workspace.
    Outside,
}

/// Says where `path` leads, seen from the workspace.
pub fn meant(workspace: &Workspace, path: &str) -> Meant {
    let root = workspace.root();
    let real_root = std::fs::canonicalize(root).unwrap_or_else(|_| root.to_owned());
    let whole = root.join(path);
    let written = lexical(&whole);
    let resolved = physical(&whole);
    let within = |whole: &Path| {
        [root, real_root.as_path()]
            .iter()
            .find_map(|root| whole.strip_prefix(lexical(root)).ok().map(Path::to_owned))
    };
    let mut inside = Vec::new();
    for way in [&written, &resolved] {
        match within(way) {
            Some(relative) => inside.push(relative.to_string_lossy().into_owned()),
            // As it is resolved is where the bytes go.
            None if *way == resolved => return Meant::Outside,
            None => {}
        }
    }
    inside.dedup();
    Meant::Inside(inside)
}

/// The path without `.` and `..`, as text alone tells.
fn lexical(path: &Path) -> PathBuf {
    let mut clean = PathBuf::new();
    for component in path.components() {
        match component {
            Component::CurDir => {}
            Component::ParentDir => {
                clean.pop();
            }
            other => clean.push(other),
        }
    }
    clean
}

/// The path as the file system resolves it, as far as something stands there.
fn physical(path: &Path) -> PathBuf {
    let mut behind = Vec::new();
    let mut above = path.to_owned();
    for _ in 0..4096 {
        if let Ok(real) = std::fs::canonicalize(&above) {
            let rest: PathBuf = behind.iter().rev().collect();
            return lexical(&real.join(rest));
        }
        // A link to what is not there yet: what is written through it lies where it leads.
        if let Ok(target) = std::fs::read_link(&above) {
            let parent = above.parent().map(Path::to_owned).unwrap_or_default();
            above = parent.join(target);
            continue;
        }
        let Some(last) = above.components().next_back() else {
            break;
        };
        behind.push(last.as_os_str().to_owned());
        if !above.pop() {
            break;
        }
    }
    lexical(path)
}

/// True where one of these names is protected by the rules, whatever its case, or has protected files
/// below it.
pub fn is_covered(rules: &Rules, names: &[String]) -> bool {
    names.iter().any(|name| {
        let name = name.trim_end_matches('/').to_lowercase();
        // What would lie in it, where it is a directory.
        let inside = format!("{name}/x");
        let is_above = |root: &str| {
            let root = root.to_lowercase();
            name.is_empty() || root == name || root.starts_with(&format!("{name}/"))
        };
        lower(rules).covers(&name)
            || (!name.is_empty() && lower(rules).covers(&inside))
            || rules
                .roots()
                .iter()
                .any(|root| !root.is_empty() && is_above(root))
    })
}

fn lower(rules: &Rules) -> Rules {
    let lower = |globs: &[crate::fs::glob::Glob]| {
        let texts = globs.iter().map(|glob| glob.to_string().to_lowercase());
        texts
            .filter_map(|text| crate::fs::glob::Glob::parse(&text).ok())
            .collect()
    };
    Rules {
        protect: lower(&rules.protect),
        except: lower(&rules.except),
    }
}

/// The node of a file that has more than one name.
pub fn shared_node(workspace: &Workspace, name: &str) -> Option<(u64, u64)> {
    let status = std::fs::metadata(workspace.root().join(name)).ok()?;
    (status.is_file() && status.nlink() > 1).then(|| (status.dev(), status.ino()))
}

/// How large the file is, where it is one.
pub fn size(workspace: &Workspace, name: &str) -> Option<u64> {
    let status = std::fs::metadata(workspace.root().join(name)).ok()?;
    status.is_file().then_some(status.len())
}

#[cfg(test)]
#[expect(clippy::disallowed_methods, reason = "tests make the files")]
mod tests {
    use super::*;

    #[test]
    fn every_way_to_write_a_protected_path_is_found() {
        let directory = tempfile::tempdir().unwrap();
        let root = directory.path();
        std::fs::create_dir_all(root.join(".scalpel/deep")).unwrap();
        std::fs::create_dir_all(root.join("x/y")).unwrap();
        std::fs::write(root.join(".scalpel/policy.yaml"), "a").unwrap();
        std::os::unix::fs::symlink(".scalpel/policy.yaml", root.join("alias")).unwrap();
        std::os::unix::fs::symlink(".scalpel/new.yaml", root.join("not_yet")).unwrap();
        std::os::unix::fs::symlink("../.scalpel", root.join("x/s")).unwrap();
        std::os::unix::fs::symlink("../../.scalpel/deep", root.join("x/y/d")).unwrap();
        let workspace = Workspace::open(root).unwrap();
        let absolute = root.join(".scalpel/policy.yaml");
        let rules = Rules::default();
        for path in [
            ".scalpel/policy.yaml",
            "./x/../.scalpel/a",
            ".scalpel//a",
            ".scalpel/",
            ".scalpel",
            ".",
            "./",
            ".github",
            "policy/",
            ".Scalpel/Policy.YAML",
            "alias",
            "not_yet",
            "x/s/policy.yaml",
            "x/s/new/er",
            // As text this is x/policy.yaml, and the bytes go into .scalpel.
            "x/y/d/../policy.yaml",
            "BUDGET.yaml",
            absolute.to_str().unwrap(),
        ] {
            let Meant::Inside(names) = meant(&workspace, path) else {
                panic!("{path} leads out");
            };
            assert!(is_covered(&rules, &names), "{path}: {names:?}");
        }
        for path in [
            "x/a",
            "x/../y",
            "scalpel/a",
            "a/budget.yaml",
            "x",
            "policyx/a",
        ] {
            let Meant::Inside(names) = meant(&workspace, path) else {
                panic!("{path} leads out");
            };
            assert!(!is_covered(&rules, &names), "{path}: {names:?}");
        }
        for path in ["../a", "/etc/passwd", "x/../../a"] {
            assert_eq!(meant(&workspace, path), Meant::Outside, "{path}");
        }
    }
}
