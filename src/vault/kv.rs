//! Secrets and signed records in the key-value engine, version 2 (`secret/kv/kv-v2`): a read is
//! `GET /v1/<mount>/data/<path>`, a write `POST` there with `options.cas`, the version that may be
//! replaced; 0 where none may be.

use std::collections::BTreeMap;
use std::fmt;

use serde::Deserialize;
use serde_json::json;
use zeroize::{Zeroize as _, Zeroizing};

use super::Vault;
use super::answer::{Failure, Request, ask};
use super::settings::{path, refused};
use crate::diagnostic::{Checked, Code, Diagnostic, Place, shown};

/// One field of a secret: `MOUNT/PATH#FIELD`. A mount of several parts ends at a double slash.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reference {
    mount: String,
    path: String,
    field: String,
}

/// The longest name of a field, in bytes.
const LONGEST_FIELD: usize = 100;

impl Reference {
    /// Reads one; `variable` says where it stands.
    pub fn parse(variable: &str, text: &str) -> Checked<Self> {
        Self::read(text).ok_or_else(|| {
            let expected = "MOUNT/PATH#FIELD, `secret/policy#audit` say";
            refused(variable, shown(text), expected)
        })
    }

    fn read(text: &str) -> Option<Self> {
        let (place, field) = text.split_once('#')?;
        let (mount, rest) = match place.split_once("//") {
            Some(split) => split,
            None => place.split_once('/')?,
        };
        let is_field = !field.is_empty()
            && field.len() <= LONGEST_FIELD
            && field.chars().all(|c| c.is_ascii_graphic() && c != '#');
        is_field.then_some(Self {
            mount: path(mount)?,
            path: path(rest)?,
            field: field.to_owned(),
        })
    }
}

impl fmt::Display for Reference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let slash = if self.mount.contains('/') { "//" } else { "/" };
        write!(f, "{}{slash}{}#{}", self.mount, self.path, self.field)
    }
}

/// The fields of a secret, zeroed when they are dropped.
struct Fields(BTreeMap<String, String>);

impl Drop for Fields {
    fn drop(&mut self) {
        for value in self.0.values_mut() {
            value.zeroize();
        }
    }
}

#[derive(Deserialize)]
struct ReadAnswer {
    data: ReadData,
}

#[derive(Deserialize)]
struct ReadData {
    /// `null` for a version that was deleted.
    #[serde(default, deserialize_with = "texts")]
    data: Option<Fields>,
}

/// The fields that are texts; what else a secret holds is none of ours.
fn texts<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Option<Fields>, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Value {
        Text(String),
        Other(serde::de::IgnoredAny),
    }
    let values = Option::<BTreeMap<String, Value>>::deserialize(deserializer)?;
    let text = |(name, value)| match value {
        Value::Text(text) => Some((name, text)),
        Value::Other(_) => None,
    };
    Ok(values.map(|values| Fields(values.into_iter().filter_map(text).collect())))
}

#[derive(Deserialize)]
struct WriteAnswer {
    data: Written,
}

#[derive(Deserialize)]
struct Written {
    version: u64,
}

impl Vault<'_> {
    /// Reads one field of a secret.
    pub fn read(&self, reference: &Reference) -> Checked<Zeroizing<Vec<u8>>> {
        let Reference { mount, path, field } = reference;
        let what = format!("the secret {reference}");
        let fields = self
            .fields(mount, path)
            .map_err(|failure| failure.into_diagnostic(self.server, &what))?;
        let value = fields.0.get(field).filter(|value| !value.is_empty());
        let value = value.map(|value| Zeroizing::new(value.clone().into_bytes()));
        value.ok_or_else(|| {
            Box::new(
                Diagnostic::new(
                    Code::VaultRefused,
                    Place::file(format!("Vault at {}", self.server.address)),
                    format!("the secret {mount}/{path} has no such field"),
                )
                .found("no text of that name")
                .expected(format!("a field {} that is a text", shown(field)))
                .help(format!(
                    "`vault kv patch -mount={mount} {path} {field}=-` writes it from standard input"
                )),
            )
        })
    }

    fn fields(&self, mount: &str, path: &str) -> Result<Fields, Failure> {
        let answer: ReadAnswer = ask(self.server, &Request::get(format!("{mount}/data/{path}")))?;
        answer.data.data.ok_or(Failure::Nothing)
    }

    /// Writes a version behind version `cas`; 0 where there must be none. Its number.
    fn put(
        &self,
        mount: &str,
        path: &str,
        cas: u64,
        data: &serde_json::Value,
    ) -> Result<u64, Failure> {
        let body = json!({"options": {"cas": cas}, "data": data});
        let request = Request::post(format!("{mount}/data/{path}"), &body);
        let answer: WriteAnswer = ask(self.server, &request)?;
        Ok(answer.data.version)
    }

    /// Keeps a signed record at `signatures/<id>`: never over another one. Its place.
    pub(super) fn keep_signature(&self, id: &str, signed: &str, approver: &str) -> Checked<String> {
        let mount = &self.server.mount;
        let path = format!("signatures/{id}");
        let place = format!("{mount}/{path}");
        let what = format!("a place for the signed record {place}");
        let told = |failure: Failure| failure.into_diagnostic(self.server, &what);
        let data = json!({"signed": signed, "approver": approver});
        match self.put(mount, &path, 0, &data) {
            Ok(1) => Ok(place),
            Ok(version) => Err(told(Failure::Odd(format!(
                "a first version with the number {version}"
            )))),
            // Something stands there: a write that was cut off, or somebody else's record.
            Err(Failure::Status(400, said)) => {
                let fields = self
                    .fields(mount, &path)
                    .map_err(|_| told(Failure::Status(400, said)))?;
                let says = |name: &str| fields.0.get(name).map(String::as_str);
                if says("signed") == Some(signed) && says("approver") == Some(approver) {
                    return Ok(place);
                }
                Err(taken(&place))
            }
            Err(failure) => Err(told(failure)),
        }
    }
}

/// The finding where another record stands in the place of one.
pub(super) fn taken(place: &str) -> Box<Diagnostic> {
    Box::new(
        Diagnostic::new(
            Code::VaultRefused,
            Place::file(place),
            "another signed record stands there, and none is written over",
        )
        .found("a record that says something else")
        .expected("no record, or this one")
        .help("look at it with `vault kv get`, and who wrote it in Vault's audit log"),
    )
}

/// Fails for what can't be the name of a signed record.
pub(super) fn check_id(id: &str) -> Checked<()> {
    let fits = id.len() <= 128 && path(id).is_some() && !id.contains('/');
    if fits && !id.starts_with('.') {
        return Ok(());
    }
    let expected = "1 to 128 letters, digits, `-`, `_` or `.`, a dot not first";
    Err(refused("signatures/<id>", shown(id), expected))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reference_names_mount_path_and_field() {
        for (text, mount, path, field) in [
            ("secret/policy#audit", "secret", "policy", "audit"),
            ("secret/a/b#c-d", "secret", "a/b", "c-d"),
            ("team/kv//a/b#c", "team/kv", "a/b", "c"),
        ] {
            let reference = Reference::parse("X", text).unwrap();
            assert_eq!(reference.to_string(), text);
            let Reference {
                mount: m,
                path: p,
                field: f,
            } = reference;
            assert_eq!((m.as_str(), p.as_str(), f.as_str()), (mount, path, field));
        }
        for text in [
            "",
            "secret",
            "secret#a",
            "secret/#a",
            "/policy#a",
            "secret/policy",
            "secret/policy#",
            "secret/../sys#a",
            "secret/a?b#c",
            "secret/a%2f#c",
            "secret/a#b#c",
            "secret/a b#c",
        ] {
            assert!(Reference::parse("X", text).is_err(), "{text:?}");
        }
    }

    #[test]
    fn the_name_of_a_record_is_no_path() {
        for id in ["T-1", "rotate-key.2026-01-15", "a"] {
            check_id(id).unwrap();
        }
        for id in ["", ".", "..", ".a", "a/b", "a b", "a\n", &"x".repeat(129)] {
            assert!(check_id(id).is_err(), "{id:?}");
        }
    }
}
