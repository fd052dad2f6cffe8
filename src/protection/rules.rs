//! Which files are protected: globs that protect, and globs that except (pure).

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::fs::glob::Glob;

/// Where the manifest stands. It is no protected file itself: its digest is in the record.
pub const MANIFEST: &str = "policy/manifest.json";

/// What is protected where nobody says otherwise.
pub const PROTECT: [&str; 6] = [
    "policy/**",
    ".scalpel/**",
    "scalpel.policy.yaml",
    "budget.yaml",
    "overrides.yaml",
    ".github/workflows/**",
];

/// What is not, though it lies there: drafts, which decide nothing and whose digests are in their own
/// journal, and a log that others append to.
pub const EXCEPT: [&str; 2] = ["policy/versions/**", ".scalpel/audit.log"];

/// Directories of this program's own: the record, what decides, and the repository with its hooks.
pub const OWN_DIRECTORIES: [&str; 3] = ["state", ".git", POLICY_DIRECTORY];

/// The one of them whose files people change too, each of them protected by the lock.
pub const POLICY_DIRECTORY: &str = "policy";

/// Files of its own elsewhere: safeguards, which only their own commands open, and what it writes.
pub const OWN_FILES: [&str; 8] = [
    "trust_lock_state.json",
    "forensics/safety_brake_state.json",
    "audit_summary.md",
    "reports/policy_response_blocked.json",
    "reports/policy_response_failure.json",
    "reports/policy_orchestrator_failure.json",
    "reports/policy_orchestration_alerts.json",
    "logs/policy_orchestration_alerts.jsonl",
];

/// Globs that protect and globs that except.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rules {
    /// What is protected.
    #[serde(deserialize_with = "globs", serialize_with = "texts")]
    pub protect: Vec<Glob>,
    /// What of it is not.
    #[serde(
        rename = "except",
        deserialize_with = "globs",
        serialize_with = "texts"
    )]
    pub except: Vec<Glob>,
}

/// More globs than this are no list that anybody reads.
const MOST: usize = 200;

fn globs<'de, D: Deserializer<'de>>(list: D) -> Result<Vec<Glob>, D::Error> {
    use serde::de::Error as _;
    let texts = Vec::<String>::deserialize(list)?;
    if texts.len() > MOST {
        return Err(D::Error::custom(format!("more than {MOST} globs")));
    }
    let parse = |text: &String| {
        Glob::parse(text).map_err(|expected| D::Error::custom(format!("`{text}`: {expected}")))
    };
    texts.iter().map(parse).collect()
}

fn texts<S: Serializer>(globs: &[Glob], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_seq(globs.iter().map(Glob::to_string))
}

impl Default for Rules {
    fn default() -> Self {
        let parsed = |texts: &[&str]| {
            let globs = texts.iter().filter_map(|text| Glob::parse(text).ok());
            globs.collect()
        };
        Self {
            protect: parsed(&PROTECT),
            except: parsed(&EXCEPT),
        }
    }
}

impl Rules {
    /// True where `path` is protected. The manifest, and temporary files of a write that was killed,
    /// never are: nobody reads those.
    pub fn covers(&self, path: &str) -> bool {
        let name = path.rsplit('/').next().unwrap_or(path);
        let is_temporary = name.starts_with('.')
            && std::path::Path::new(name)
                .extension()
                .is_some_and(|extension| extension == "tmp");
        let any = |globs: &[Glob]| globs.iter().any(|glob| glob.covers(path));
        path != MANIFEST && !is_temporary && any(&self.protect) && !any(&self.except)
    }

    /// True where `path` itself is listed, rather than what lies below it.
    pub fn names(&self, path: &str) -> bool {
        self.protect.iter().any(|glob| glob.to_string() == path)
    }

    /// The directories and files below which all protected ones lie, none below another, sorted.
    pub fn roots(&self) -> Vec<String> {
        let mut roots: Vec<String> = self.protect.iter().map(Glob::root).collect();
        roots.sort();
        roots.dedup();
        let all = roots.clone();
        let is_above = |above: &str, root: &str| {
            above != root && (above.is_empty() || root.starts_with(&format!("{above}/")))
        };
        roots.retain(|root| !all.iter().any(|above| is_above(above, root)));
        roots
    }

    /// These rules and more of them, each once.
    #[must_use]
    pub fn with(&self, protect: &[Glob], except: &[Glob]) -> Self {
        let mut rules = self.clone();
        let add = |list: &mut Vec<Glob>, more: &[Glob]| {
            for glob in more {
                if !list.contains(glob) {
                    list.push(glob.clone());
                }
            }
        };
        add(&mut rules.protect, protect);
        add(&mut rules.except, except);
        rules
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_protected_by_default() {
        let rules = Rules::default();
        for path in [
            "policy/policy.yaml",
            "policy/deep/er/x",
            "policy/.hidden",
            ".scalpel/policy.yaml",
            "budget.yaml",
            ".github/workflows/ci.yml",
        ] {
            assert!(rules.covers(path), "{path}");
        }
        for path in [
            MANIFEST,
            "policy/versions/a.yaml",
            "policy/.policy.yaml.tmp",
            ".scalpel/audit.log",
            "src/budget.yaml",
            "policyx",
        ] {
            assert!(!rules.covers(path), "{path}");
        }
    }

    #[test]
    fn roots_lie_beside_each_other() {
        let rules = Rules::default().with(
            &[
                Glob::parse("policy/a/**").unwrap(),
                Glob::parse("x/y").unwrap(),
            ],
            &[],
        );
        let roots = [
            ".github/workflows",
            ".scalpel",
            "budget.yaml",
            "overrides.yaml",
            "policy",
            "scalpel.policy.yaml",
            "x/y",
        ];
        assert_eq!(rules.roots(), roots);
        let all = rules.with(&[Glob::parse("**/*.env").unwrap()], &[]);
        assert_eq!(all.roots(), [""]);
    }
}
