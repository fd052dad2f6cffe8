//! The bytes of `policy/manifest.json`, and what they say (pure).
//!
//! Indented JSON; where a secret is set its last members are `key` and `hmac`, over the bytes without that member,
//! in the same way as on a journal line.

use std::collections::BTreeMap;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::rules::Rules;
use crate::ids::Digest;
use crate::record::SigningKey;
use crate::record::signing::{self, Signed};
use crate::time::Timestamp;

/// The version of the format.
const SCHEMA: u32 = 1;

/// A manifest larger than this is none of ours: a journal line names no more either.
pub const LIMIT: u64 = 1024 * 1024;

/// The bits of a read-only file.
pub const READ_ONLY: u32 = 0o444;

/// The permission bits of a protected file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Mode(pub u32);

impl Mode {
    /// What a file with these bits gets: read-only for everybody, and still to be run where its owner
    /// could run it.
    pub fn locked(mode: u32) -> Self {
        let runs = if mode & 0o100 == 0 { 0 } else { 0o111 };
        Self(READ_ONLY | runs)
    }
}

impl std::fmt::Display for Mode {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:04o}", self.0)
    }
}

impl Serialize for Mode {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Mode {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let mode = u32::from_str_radix(&text, 8)
            .ok()
            .filter(|mode| *mode <= 0o7777);
        mode.map(Self)
            .ok_or_else(|| serde::de::Error::custom(format!("`{text}` are no permission bits")))
    }
}

/// A protected file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct File {
    /// Where, relative to the workspace.
    pub path: String,
    /// The SHA-256 of its bytes.
    pub sha256: Digest,
    /// Its permission bits.
    pub mode: Mode,
}

/// What may stand in a file's place besides, while a command of ours changes it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Pending {
    /// Where.
    pub path: String,
    /// The SHA-256 of the bytes; `None` for no file.
    pub sha256: Option<Digest>,
}

/// Who accepted it, and why.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Accepted {
    /// When.
    pub at: Timestamp,
    /// Who.
    pub by: String,
    /// Why.
    pub reason: Option<String>,
    /// The SHA-256 of the manifest before.
    pub previous: Option<Digest>,
    /// A second person's signature, where one is asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub second: Option<serde_json::Value>,
}

/// The manifest.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    schema: u32,
    /// What is protected.
    pub rules: Rules,
    /// Every protected file, in the order of their paths.
    pub files: Vec<File>,
    /// What a command of ours is about to change.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub pending: Vec<Pending>,
    /// Who accepted it.
    pub accepted: Accepted,
    /// Which key signed it, as the members behind all others say.
    #[serde(default, rename = "key", skip_serializing)]
    pub key_id: Option<String>,
    #[serde(default, skip_serializing)]
    hmac: Option<String>,
}

/// A path whose digest changed: before and after, `None` where there is no file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Change {
    /// Where.
    pub path: String,
    /// The SHA-256 before.
    pub before: Option<Digest>,
    /// The SHA-256 after.
    pub after: Option<Digest>,
}

impl Manifest {
    /// A manifest of these files, unsigned.
    pub fn new(rules: Rules, mut files: Vec<File>, accepted: Accepted) -> Self {
        files.sort_by(|one, other| one.path.cmp(&other.path));
        Self {
            schema: SCHEMA,
            rules,
            files,
            pending: Vec::new(),
            accepted,
            key_id: None,
            hmac: None,
        }
    }

    /// Reads a manifest; the error says what is wrong with it.
    pub fn parse(bytes: &[u8]) -> Result<Self, String> {
        let manifest: Self = serde_json::from_slice(bytes).map_err(|error| error.to_string())?;
        if manifest.schema != SCHEMA {
            return Err(format!("schema {}, not {SCHEMA}", manifest.schema));
        }
        let mut last: Option<&str> = None;
        for File { path, .. } in &manifest.files {
            if last.is_some_and(|last| last >= path.as_str()) {
                return Err(format!("`{path}` is out of order, or there twice"));
            }
            last = Some(path);
        }
        let paths = manifest.files.iter().map(|file| &file.path);
        let all = paths.chain(manifest.pending.iter().map(|pending| &pending.path));
        let leads_out =
            |path: &&String| path.split('/').any(|part| matches!(part, "" | "." | ".."));
        match all.into_iter().find(leads_out) {
            Some(path) => Err(format!("`{path}` is no path inside the workspace")),
            None => Ok(manifest),
        }
    }

    /// The bytes of the file, signed where there is a key.
    pub fn to_bytes(&self, key: Option<&SigningKey>) -> Vec<u8> {
        // Serialising to memory fails for maps with keys that are no text alone; there are none.
        let bytes = serde_json::to_vec_pretty(self).unwrap_or_default();
        let mut bytes = match key {
            Some(key) => signing::signed(bytes, key),
            None => bytes,
        };
        bytes.push(b'\n');
        bytes
    }

    /// The entry of a file.
    pub fn file(&self, path: &str) -> Option<&File> {
        let at = self
            .files
            .binary_search_by(|file| file.path.as_str().cmp(path));
        at.ok().and_then(|at| self.files.get(at))
    }

    /// True where bytes with this digest, or no file, may stand at `path` while a command changes it.
    pub fn may_stand(&self, path: &str, sha256: Option<Digest>) -> bool {
        let mut pending = self.pending.iter();
        pending.any(|pending| pending.path == path && pending.sha256 == sha256)
    }

    /// What differs in the files of another manifest.
    pub fn changes_to(&self, other: &Self) -> Vec<Change> {
        Self::changes(&self.files, &other.files)
    }

    /// What differs between two lists of files, in the order of their paths.
    pub fn changes(before: &[File], after: &[File]) -> Vec<Change> {
        let digests = |files: &[File]| -> BTreeMap<String, Digest> {
            let files = files.iter();
            files.map(|file| (file.path.clone(), file.sha256)).collect()
        };
        let (before, after) = (digests(before), digests(after));
        let mut paths: Vec<&String> = before.keys().chain(after.keys()).collect();
        paths.sort();
        paths.dedup();
        let change = |path: &String| Change {
            path: path.clone(),
            before: before.get(path).copied(),
            after: after.get(path).copied(),
        };
        let changes = paths.into_iter().map(change);
        changes
            .filter(|change| change.before != change.after)
            .collect()
    }
}

/// What the signature of a manifest is found to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Signature {
    /// There is none.
    None,
    /// It is that of a key that is set, to sign or to verify only.
    Right,
    /// It is not.
    Wrong,
    /// There is one, and no key to check it with.
    Unchecked,
}

/// The signature of a manifest's bytes. The record says which manifest counts, so one that was signed
/// before the key was rotated is as good.
pub fn signature(bytes: &[u8], key: Option<&SigningKey>) -> Signature {
    let Some(signed) = Signed::parse(bytes.strip_suffix(b"\n").unwrap_or(bytes)) else {
        return Signature::None;
    };
    match key {
        None => Signature::Unchecked,
        Some(key) if key.all().any(|secret| signed.is_by(secret)) => Signature::Right,
        Some(_) => Signature::Wrong,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn manifest() -> Manifest {
        let file = |path: &str| File {
            path: path.to_owned(),
            sha256: Digest::of(path.as_bytes()),
            mode: Mode(READ_ONLY),
        };
        let accepted = Accepted {
            at: Timestamp::read("2026-11-20T06:05:00Z").unwrap().time,
            by: "ada".to_owned(),
            reason: Some("first".to_owned()),
            previous: None,
            second: None,
        };
        let rules = Rules {
            protect: vec![crate::fs::glob::Glob::parse("policy/**").unwrap()],
            except: Vec::new(),
        };
        Manifest::new(rules, vec![file("policy/b"), file("policy/a")], accepted)
    }

    fn key(byte: u8) -> SigningKey {
        SigningKey::new(vec![byte; 32]).unwrap()
    }

    /// The bytes are what others verify.
    #[test]
    fn the_bytes_are_pinned_and_signed_like_a_line() {
        let bytes = manifest().to_bytes(Some(&key(b'k')));
        let text = String::from_utf8(bytes.clone()).unwrap();
        assert!(text.starts_with("{\n  \"schema\": 1,\n  \"rules\": {\n    \"protect\": [\n      \"policy/**\"\n    ],\n    \"except\": []\n  },\n  \"files\": [\n    {\n      \"path\": \"policy/a\",\n"));
        assert!(text.contains("\n      \"mode\": \"0444\"\n"));
        assert!(text.contains("\n,\"key\":\""));
        assert_eq!(signature(&bytes, Some(&key(b'k'))), Signature::Right);
        assert_eq!(signature(&bytes, Some(&key(b'l'))), Signature::Wrong);
        assert_eq!(signature(&bytes, None), Signature::Unchecked);
        assert_eq!(
            signature(&manifest().to_bytes(None), Some(&key(b'k'))),
            Signature::None
        );
        let read = Manifest::parse(&bytes).unwrap();
        assert_eq!(read.key_id.as_deref(), Some(key(b'k').id().as_str()));
        assert_eq!(read.files, manifest().files);
    }

    #[test]
    fn what_is_no_manifest_is_refused() {
        let text = String::from_utf8(manifest().to_bytes(None)).unwrap();
        for (from, to) in [
            ("\"schema\": 1", "\"schema\": 2"),
            ("policy/a", "../a"),
            ("policy/a", "policy/z"),
            ("policy/a", "policy/b"),
            ("0444", "0999"),
            ("\"reason\"", "\"because\""),
            ("policy/**", "/etc/**"),
        ] {
            assert!(
                Manifest::parse(text.replacen(from, to, 1).as_bytes()).is_err(),
                "{from} -> {to}"
            );
        }
    }

    #[test]
    fn changes_name_what_came_and_went() {
        let (one, mut other) = (manifest(), manifest());
        other.files.remove(0);
        other.files[0].sha256 = Digest::of(b"new");
        let paths: Vec<_> = one
            .changes_to(&other)
            .into_iter()
            .map(|change| (change.path, change.after.is_some()))
            .collect();
        assert_eq!(
            paths,
            [
                ("policy/a".to_owned(), false),
                ("policy/b".to_owned(), true)
            ]
        );
    }
}
