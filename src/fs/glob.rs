//! Patterns of paths: the one matcher, whoever asks.
//!
//! A path relative to the workspace whose parts may hold `*` for any characters of one part, and may be
//! `**` for any number of parts. Pure. What a pattern may name is the business of whoever reads one:
//! an action's are narrower than those of protected files.

use std::fmt;

/// The name of a file or directory, with `*` for any characters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NamePattern(Vec<String>);

impl NamePattern {
    /// Takes one part of a path.
    pub fn new(text: &str) -> Self {
        Self(text.split('*').map(str::to_owned).collect())
    }

    /// The name itself; `None` where it has a `*`.
    pub fn literal(&self) -> Option<&str> {
        match self.0.as_slice() {
            [name] => Some(name),
            _ => None,
        }
    }

    /// True where `name` fits, a hidden one included.
    pub fn fits(&self, name: &str) -> bool {
        let Some((first, others)) = self.0.split_first() else {
            return name.is_empty();
        };
        let Some((last, middle)) = others.split_last() else {
            return name == first;
        };
        let inner = name
            .strip_prefix(first.as_str())
            .and_then(|rest| rest.strip_suffix(last.as_str()));
        let Some(mut rest) = inner else { return false };
        // The leftmost place of each is as good as any: what is left for the others is longest.
        for part in middle {
            let Some(at) = rest.find(part.as_str()) else {
                return false;
            };
            rest = rest.get(at + part.len()..).unwrap_or_default();
        }
        true
    }

    /// As [`Self::fits`], but a name that begins with a dot fits only a pattern that does.
    pub fn fits_visible(&self, name: &str) -> bool {
        let asked = self.0.first().is_some_and(|first| first.starts_with('.'));
        (asked || !name.starts_with('.')) && self.fits(name)
    }
}

impl fmt::Display for NamePattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.join("*"))
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Part {
    Name(NamePattern),
    Any,
}

/// A pattern of whole paths.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Glob(Vec<Part>);

/// More parts than this are no path of a workspace.
const MOST_PARTS: usize = 64;

impl Glob {
    /// Reads a pattern; the error says what was expected.
    pub fn parse(text: &str) -> Result<Self, String> {
        if text.is_empty() || text.len() > 1000 || text.chars().any(char::is_control) {
            return Err("a path of 1 to 1000 printable characters".to_owned());
        }
        let mut parts: Vec<Part> = Vec::new();
        for part in text.split('/') {
            if matches!(part, "" | "." | "..") {
                return Err(
                    "a path inside the workspace, without `.`, `..` or empty parts".to_owned(),
                );
            }
            match part {
                // Two in a row say what one says.
                "**" if parts.last() == Some(&Part::Any) => {}
                "**" => parts.push(Part::Any),
                _ if part.contains("**") => {
                    return Err("`**` as a whole part of the path".to_owned());
                }
                name => parts.push(Part::Name(NamePattern::new(name))),
            }
        }
        if parts.len() > MOST_PARTS {
            return Err(format!("at most {MOST_PARTS} parts"));
        }
        Ok(Self(parts))
    }

    /// True where it covers the file `path`. A `**` at the end covers all that lies below, not the
    /// directory itself.
    pub fn covers(&self, path: &str) -> bool {
        let names: Vec<&str> = path.split('/').collect();
        covers(&self.0, &names)
    }

    /// The directory, or the one file, below which all lies that it can cover: the parts without a
    /// `*` at its beginning. Empty for the workspace itself.
    pub fn root(&self) -> String {
        let literals = self.0.iter().map_while(|part| match part {
            Part::Name(name) => name.literal(),
            Part::Any => None,
        });
        literals.collect::<Vec<_>>().join("/")
    }

    /// The last part, where it is a name.
    pub fn last_name(&self) -> Option<&NamePattern> {
        match self.0.last() {
            Some(Part::Name(name)) => Some(name),
            _ => None,
        }
    }

    /// True where it is one name without a directory.
    pub fn is_name(&self) -> bool {
        self.0.len() == 1 && self.last_name().is_some()
    }
}

/// Which ends of the pattern and of the path fit, each pair asked once: patterns come from documents,
/// and a search that goes back could be made to take for ever.
fn covers(parts: &[Part], names: &[&str]) -> bool {
    let mut fits: Vec<bool> = vec![false; names.len() + 1];
    if let Some(end) = fits.last_mut() {
        *end = true;
    }
    for (index, part) in parts.iter().enumerate().rev() {
        let is_last = index + 1 == parts.len();
        let mut next = vec![false; names.len() + 1];
        for from in (0..=names.len()).rev() {
            let behind = |fits: &[bool], at: usize| fits.get(at).copied().unwrap_or(false);
            let name = names.get(from);
            let holds = match part {
                Part::Name(pattern) => {
                    name.is_some_and(|name| pattern.fits(name)) && behind(&fits, from + 1)
                }
                // One at the end stands for at least one name.
                Part::Any if is_last => name.is_some(),
                Part::Any => behind(&fits, from) || behind(&next, from + 1),
            };
            if let Some(cell) = next.get_mut(from) {
                *cell = holds;
            }
        }
        fits = next;
    }
    fits.first().copied().unwrap_or(false)
}

impl fmt::Display for Glob {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, part) in self.0.iter().enumerate() {
            if index > 0 {
                f.write_str("/")?;
            }
            match part {
                Part::Any => f.write_str("**")?,
                Part::Name(name) => fmt::Display::fmt(name, f)?,
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_patterns_cover() {
        let table: [(&str, &[&str], &[&str]); 9] = [
            ("a/b", &["a/b"], &["a", "a/b/c", "b", "a/B"]),
            (
                "policy/**",
                &["policy/a", "policy/a/b", "policy/.x"],
                &["policy", "policyx/a"],
            ),
            ("**/x", &["x", "a/x", "a/b/x"], &["a/xx", "x/a"]),
            ("a/**/x", &["a/x", "a/b/x", "a/b/c/x"], &["a/b/xy", "x"]),
            ("a/*/x", &["a/b/x"], &["a/x", "a/b/c/x"]),
            ("*.env", &[".env", "x.env"], &["a/.env", ".envx"]),
            ("a*b*c", &["abc", "aXbYc", "abbc"], &["ab", "ac", "acb"]),
            ("a*a", &["aa", "aba"], &["a"]),
            ("**", &["a", "a/b"], &[]),
        ];
        for (pattern, covered, others) in table {
            let glob = Glob::parse(pattern).unwrap();
            assert_eq!(glob.to_string(), pattern);
            for path in covered {
                assert!(glob.covers(path), "{pattern} {path}");
            }
            for path in others {
                assert!(!glob.covers(path), "{pattern} {path}");
            }
        }
    }

    #[test]
    fn what_is_no_pattern() {
        for text in ["", "/a", "a//b", "./a", "a/../b", "a/", "a/b**", "a\nb"] {
            assert!(Glob::parse(text).is_err(), "{text:?}");
        }
    }

    #[test]
    fn a_root_is_what_has_no_star() {
        for (pattern, root) in [
            ("policy/**", "policy"),
            ("a/b", "a/b"),
            ("**", ""),
            ("a/*/b", "a"),
        ] {
            assert_eq!(Glob::parse(pattern).unwrap().root(), root);
        }
    }

    #[test]
    fn a_hostile_pattern_costs_no_more_than_its_size() {
        let pattern = format!("{}/x", ["**/a"; 31].join("/"));
        let path = ["a"; 400].join("/");
        assert!(!Glob::parse(&pattern).unwrap().covers(&path));
    }
}
