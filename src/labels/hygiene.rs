//! What has no business in `policy/`: data, what is large, and what nobody can review (rows S2-012,
//! S2-014). Secrets are found by the scan of the whole workspace.

use crate::diagnostic::{Code, Diagnostic, Place};

/// Files with these ends are reviewed as text.
const TEXTS: [&str; 9] = [
    "md", "yml", "yaml", "json", "rego", "txt", "toml", "pub", "sig",
];

/// A text that is larger is data.
const MOST_TEXT: u64 = 256 * 1024;

/// A packed bundle of policies may have so much.
const MOST_BUNDLE: u64 = 16 * 1024 * 1024;

/// A file: its path in the workspace and its size.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct File {
    /// The path.
    pub path: String,
    /// The size in bytes.
    pub size: u64,
}

/// Tells which files don't belong there.
pub fn look(files: &[File]) -> Vec<Diagnostic> {
    files.iter().filter_map(odd).collect()
}

fn odd(file: &File) -> Option<Diagnostic> {
    let name = file.path.rsplit('/').next().unwrap_or_default();
    let end = name
        .rsplit_once('.')
        .map(|(_, end)| end.to_ascii_lowercase());
    let is_bundle = file.path.starts_with("policy/bundles/") && name.ends_with(".tar.gz");
    let is_text = match &end {
        Some(end) => TEXTS.contains(&end.as_str()),
        // `Makefile`, `CODEOWNERS`, `secret-scan-allow`.
        None => true,
    };
    let most = if is_bundle { MOST_BUNDLE } else { MOST_TEXT };
    let (message, found) = if !is_text && !is_bundle {
        let end = end.unwrap_or_default();
        (
            "a file is of a kind that no policy is written in",
            format!("`.{end}`"),
        )
    } else if file.size > most {
        (
            "a file is larger than a policy is",
            format!("{} bytes", file.size),
        )
    } else {
        return None;
    };
    Some(
        Diagnostic::new(Code::PolicyHygiene, Place::file(&file.path), message)
            .found(found)
            .expected(format!("text of at most {MOST_TEXT} bytes, and bundles below policy/bundles/"))
            .help("move it out of policy/; policies refer to what data say of themselves, never to data"),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn data_and_large_files_have_no_business_there() {
        let file = |path: &str, size| File {
            path: path.to_owned(),
            size,
        };
        let good = [
            file("policy/README.md", 100),
            file("policy/vocab/policy_labels.v1.yml", MOST_TEXT),
            file("policy/bundles/kfm.tar.gz", MOST_BUNDLE),
            file("policy/Makefile", 10),
        ];
        assert_eq!(look(&good), []);
        let bad = [
            file("policy/sites.csv", 1),
            file("policy/sites.GEOJSON", 1),
            file("policy/x.tar.gz", 1),
            file("policy/rubrics/all.md", MOST_TEXT + 1),
            file("policy/bundles/kfm.tar.gz", MOST_BUNDLE + 1),
        ];
        assert_eq!(look(&bad).len(), bad.len());
    }
}
