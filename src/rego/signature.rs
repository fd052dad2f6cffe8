//! Signatures of bundles, as `opa sign` makes them: `.signatures.json` holds a JSON Web Token that names
//! every file with its digest. What one key signs is believed by that key alone, whatever the token
//! says of itself; a token has no time here, since what compiles has no clock.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, KeyInit as _, Mac as _};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::value::RawValue;
use sha2::Sha256;

use super::parts::json;
use super::settings::{Key, Trust};
use crate::diagnostic::{Checked, Code, Diagnostic, Place, readable};
use crate::ids::Digest;
use crate::policy::source;

/// The file of a bundle that holds its signatures.
pub(super) const FILE: &str = ".signatures.json";

/// Lists and objects of a file may stand in each other this deep.
const MOST_DEPTH: usize = 64;

#[derive(Deserialize)]
struct Signatures {
    signatures: Vec<String>,
    #[serde(default)]
    plugin: Option<String>,
}

#[derive(Deserialize)]
struct Header {
    alg: String,
    #[serde(default)]
    crit: Option<serde_json::Value>,
}

#[derive(Deserialize)]
struct Claims {
    files: Vec<Signed>,
    #[serde(default)]
    scope: Option<String>,
}

/// A file as the token names it.
#[derive(Deserialize)]
struct Signed {
    name: String,
    hash: String,
    algorithm: String,
}

/// Checks the files of a bundle against its signature, where it has one or has to have one.
pub(super) fn check(archive: &str, files: &[(String, Vec<u8>)], trust: &Trust) -> Checked<()> {
    let signatures = files.iter().find(|(path, _)| path == FILE);
    match (trust, signatures) {
        (Trust::Unverified, _) | (Trust::Unstated, None) => Ok(()),
        (Trust::Unstated, Some(_)) => Err(unverified(archive)),
        (Trust::By { .. }, None) => Err(unsigned(archive)),
        (Trust::By { key, scope }, Some((_, bytes))) => claims(bytes, key, scope.as_deref())
            .and_then(|claims| compare(files, &claims))
            .map_err(|found| broken(archive, &found)),
    }
}

/// What the token says, if this key signed it.
fn claims(bytes: &[u8], key: &Key, scope: Option<&str>) -> Result<Claims, String> {
    let file: Signatures =
        serde_json::from_slice(bytes).map_err(|error| format!("`{FILE}`: {error}"))?;
    if let Some(plugin) = file.plugin {
        return Err(format!(
            "a signature by the plugin `{}`",
            readable(&plugin, 50)
        ));
    }
    let [token] = file.signatures.as_slice() else {
        return Err(format!("{} signatures", file.signatures.len()));
    };
    let malformed = || "a signature that is no JSON Web Token of three parts".to_owned();
    let (signed, signature) = token.rsplit_once('.').ok_or_else(malformed)?;
    let (header, claims) = signed.split_once('.').ok_or_else(malformed)?;
    let header: Header = part(header).ok_or_else(malformed)?;
    let expected = algorithm(key);
    if header.alg != expected || header.crit.is_some() {
        let found = readable(&header.alg, 20);
        return Err(format!(
            "a signature by `{found}`; the key is one of `{expected}`"
        ));
    }
    let signature = decoded(signature).ok_or_else(malformed)?;
    if !is_by(key, signed.as_bytes(), &signature) {
        return Err("a signature that this key did not make".to_owned());
    }
    // Only what was signed is believed, so it is read after that.
    let claims: Claims = part(claims).ok_or_else(malformed)?;
    if claims.scope.as_deref() != scope {
        let told = |scope: Option<&str>| {
            scope.map_or("no scope".to_owned(), |scope| {
                format!("the scope `{}`", readable(scope, 50))
            })
        };
        let found = told(claims.scope.as_deref());
        return Err(format!(
            "a signature for {found}; asked for is {}",
            told(scope)
        ));
    }
    Ok(claims)
}

fn algorithm(key: &Key) -> &'static str {
    match key {
        Key::Secret(_) => "HS256",
        Key::Public(key) => key.algorithm().of_web_signature(),
    }
}

fn is_by(key: &Key, message: &[u8], signature: &[u8]) -> bool {
    match key {
        Key::Secret(secret) => Hmac::<Sha256>::new_from_slice(secret.bytes())
            .is_ok_and(|mac| mac.chain_update(message).verify_slice(signature).is_ok()),
        Key::Public(key) => key.verifies_web(message, signature),
    }
}

fn decoded(part: &str) -> Option<Vec<u8>> {
    URL_SAFE_NO_PAD.decode(part).ok()
}

fn part<T: DeserializeOwned>(part: &str) -> Option<T> {
    serde_json::from_slice(&decoded(part)?).ok()
}

/// Every file has to be named with its digest, and every name has to have its file.
fn compare(files: &[(String, Vec<u8>)], claims: &Claims) -> Result<(), String> {
    let mut named: BTreeMap<&str, &Signed> = BTreeMap::new();
    for signed in &claims.files {
        let name = signed.name.trim_start_matches('/');
        if named.insert(name, signed).is_some() {
            return Err(format!("`{}` signed twice", readable(name, 100)));
        }
    }
    for (path, bytes) in files.iter().filter(|(path, _)| path != FILE) {
        let signed = named.remove(path.as_str());
        let signed = signed.ok_or_else(|| format!("`{path}`, which is not signed"))?;
        if signed.algorithm != "SHA-256" {
            let found = readable(&signed.algorithm, 20);
            return Err(format!(
                "a digest of `{path}` by `{found}`; SHA-256 is known"
            ));
        }
        let digest = digest(path, bytes)?;
        if !signed.hash.eq_ignore_ascii_case(&digest.to_string()) {
            return Err(format!("`{path}` with another content than was signed"));
        }
    }
    match named.keys().next() {
        Some(missing) => Err(format!(
            "no file `{}`, which was signed",
            readable(missing, 100)
        )),
        None => Ok(()),
    }
}

/// The digest of a file: of its bytes, or of what it says, where only that counts.
fn digest(path: &str, bytes: &[u8]) -> Result<Digest, String> {
    let odd = || format!("`{path}`, whose content can't be read");
    let mut text = Vec::new();
    match path.rsplit('/').next().unwrap_or(path) {
        "data.json" | ".manifest" => {
            let value: &RawValue = serde_json::from_slice(bytes).map_err(|_| odd())?;
            write(value, &mut text, 0).ok_or_else(odd)?;
        }
        "data.yaml" => {
            let node = source::parse(path, bytes).ok().flatten().ok_or_else(odd)?;
            let json = serde_json::value::to_raw_value(&json(&node)).map_err(|_| odd())?;
            write(&json, &mut text, 0).ok_or_else(odd)?;
        }
        _ => return Ok(Digest::of(bytes)),
    }
    Ok(Digest::of(&text))
}

/// A value without blanks, its keys sorted, its numbers as they were written, as Go writes it.
fn write(value: &RawValue, text: &mut Vec<u8>, depth: usize) -> Option<()> {
    if depth > MOST_DEPTH {
        return None;
    }
    let raw = value.get();
    match raw.as_bytes().first()? {
        b'{' => {
            let members: BTreeMap<String, &RawValue> = serde_json::from_str(raw).ok()?;
            text.push(b'{');
            for (at, (name, member)) in members.iter().enumerate() {
                text.extend_from_slice(if at > 0 { b"," } else { b"" });
                write_text(name, text)?;
                text.push(b':');
                write(member, text, depth + 1)?;
            }
            text.push(b'}');
        }
        b'[' => {
            let items: Vec<&RawValue> = serde_json::from_str(raw).ok()?;
            text.push(b'[');
            for (at, item) in items.iter().enumerate() {
                text.extend_from_slice(if at > 0 { b"," } else { b"" });
                write(item, text, depth + 1)?;
            }
            text.push(b']');
        }
        b'"' => write_text(&serde_json::from_str::<String>(raw).ok()?, text)?,
        _ => text.extend_from_slice(raw.as_bytes()),
    }
    Some(())
}

fn write_text(value: &str, text: &mut Vec<u8>) -> Option<()> {
    let written = serde_json::to_string(value).ok()?;
    let written = written
        .replace('\u{2028}', "\\u2028")
        .replace('\u{2029}', "\\u2029");
    text.extend_from_slice(written.as_bytes());
    Some(())
}

const SIGNED_BY: &str = "`signed_by` of the bundle in policy/requests.yaml names the key";

fn unverified(archive: &str) -> Box<Diagnostic> {
    Box::new(
        Diagnostic::new(
            Code::BundleInvalid,
            Place::file(archive),
            "the bundle is signed, and nobody said by which key it has to be",
        )
        .found(format!("`{FILE}`"))
        .expected(SIGNED_BY)
        .help(
            "name the key, or write `signed_by: anybody` where the lock of the policies is enough",
        ),
    )
}

fn unsigned(archive: &str) -> Box<Diagnostic> {
    Box::new(
        Diagnostic::new(
            Code::BundleInvalid,
            Place::file(archive),
            "the bundle has to be signed, and is not",
        )
        .found(format!("no `{FILE}`"))
        .expected("a signature by the key that `signed_by` names")
        .help(
            "`opa build -b DIR --signing-key FILE --signing-alg ES256`, or `HS256` with a secret",
        ),
    )
}

fn broken(archive: &str, found: &str) -> Box<Diagnostic> {
    Box::new(
        Diagnostic::new(
            Code::BundleInvalid,
            Place::file(archive),
            "the signature of the bundle does not hold",
        )
        .found(found)
        .expected("one token by the key that `signed_by` names, with the SHA-256 of every file")
        .help("get the bundle anew from whoever signs it, and ask why it differs"),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::keys::{Algorithm, PrivateKey};

    const SECRET: &[u8] = b"a secret of at least thirty-two bytes";

    fn files() -> Files {
        let files = [
            (".manifest", "{\"revision\": \"quickbrownfaux\"}"),
            (
                "a/data.json",
                "{\"b\": [1.50, 2], \"a\": {\"<\": \"é\\u2028\"}}",
            ),
            ("a/x.rego", "package a\n"),
        ];
        let owned = |(path, text): (&str, &str)| (path.to_owned(), text.as_bytes().to_vec());
        files.map(owned).to_vec()
    }

    fn hmac(secret: &[u8], message: &[u8]) -> Vec<u8> {
        let mac = Hmac::<Sha256>::new_from_slice(secret).unwrap();
        mac.chain_update(message).finalize().into_bytes().to_vec()
    }

    fn claims_of(files: &[(String, Vec<u8>)], scope: &str) -> serde_json::Value {
        let files = files.iter().map(|(path, bytes)| {
            let hash = digest(path, bytes).unwrap().to_string();
            serde_json::json!({"name": path, "hash": hash, "algorithm": "SHA-256"})
        });
        serde_json::json!({"files": files.collect::<Vec<_>>(), "scope": scope})
    }

    fn signed(
        mut files: Vec<(String, Vec<u8>)>,
        header: &str,
        claims: &serde_json::Value,
        sign: impl Fn(&[u8]) -> Vec<u8>,
    ) -> Vec<(String, Vec<u8>)> {
        let text = format!(
            "{}.{}",
            URL_SAFE_NO_PAD.encode(header),
            URL_SAFE_NO_PAD.encode(claims.to_string())
        );
        let token = format!("{text}.{}", URL_SAFE_NO_PAD.encode(sign(text.as_bytes())));
        let text = serde_json::json!({"signatures": [token]}).to_string();
        files.insert(0, (FILE.to_owned(), text.into_bytes()));
        files
    }

    fn by_secret(
        files: Vec<(String, Vec<u8>)>,
        claims: &serde_json::Value,
    ) -> Vec<(String, Vec<u8>)> {
        signed(files, r#"{"alg":"HS256"}"#, claims, |text| {
            hmac(SECRET, text)
        })
    }

    fn trust(secret: &[u8]) -> Trust {
        Trust::By {
            key: Box::new(Key::Secret(zeroize::Zeroizing::new(secret.to_vec()).into())),
            scope: Some("write".to_owned()),
        }
    }

    fn found(files: &[(String, Vec<u8>)], trust: &Trust) -> String {
        let finding = check("b.tar.gz", files, trust).unwrap_err();
        assert_eq!(finding.code, Code::BundleInvalid);
        finding.found.unwrap()
    }

    type Files = Vec<(String, Vec<u8>)>;

    #[test]
    fn what_a_file_says_is_digested_where_only_that_counts() {
        let canonical = |text: &str| {
            let mut written = Vec::new();
            let value: &RawValue = serde_json::from_str(text).unwrap();
            write(value, &mut written, 0).unwrap();
            String::from_utf8(written).unwrap()
        };
        let text =
            " {\"b\" : [1.50, 1e3, true],\n \"a\": {\"<&>\": \"\\u00e9\\u2028\\n\\u0001\"} } ";
        let expected = "{\"a\":{\"<&>\":\"é\\u2028\\n\\u0001\"},\"b\":[1.50,1e3,true]}";
        assert_eq!(canonical(text.trim()), expected);
        let yaml = digest("a/data.yaml", b"b: 1\na: [x]\n").unwrap();
        assert_eq!(yaml, Digest::of(b"{\"a\":[\"x\"],\"b\":1}"));
        assert_eq!(digest("a.rego", b" x").unwrap(), Digest::of(b" x"));
        let deep = "[".repeat(100) + &"]".repeat(100);
        assert!(digest("data.json", deep.as_bytes()).is_err());
    }

    #[test]
    fn a_signature_holds_by_its_key_alone() {
        let files = files();
        let claims = claims_of(&files, "write");
        let whole = by_secret(files.clone(), &claims);
        check("b.tar.gz", &whole, &trust(SECRET)).unwrap();
        check("b.tar.gz", &whole, &Trust::Unverified).unwrap();
        check("b.tar.gz", &files, &Trust::Unstated).unwrap();
        assert_eq!(found(&whole, &Trust::Unstated), "`.signatures.json`");
        assert_eq!(found(&files, &trust(SECRET)), "no `.signatures.json`");
        let other = found(&whole, &trust(b"another secret of thirty-two bytes or so"));
        assert_eq!(other, "a signature that this key did not make");
        for algorithm in [Algorithm::EcdsaP256, Algorithm::Ed25519] {
            let key = PrivateKey::generate(algorithm).unwrap();
            let header = format!("{{\"alg\":\"{}\"}}", algorithm.of_web_signature());
            let sign = |text: &[u8]| {
                let signature = key.sign(text);
                match algorithm {
                    Algorithm::Ed25519 => signature,
                    Algorithm::EcdsaP256 => p256::ecdsa::Signature::from_der(&signature)
                        .unwrap()
                        .to_bytes()
                        .to_vec(),
                }
            };
            let whole = signed(files.clone(), &header, &claims, sign);
            let trust = |key| Trust::By {
                key: Box::new(Key::Public(key)),
                scope: Some("write".to_owned()),
            };
            check("b.tar.gz", &whole, &trust(key.verifying())).unwrap();
            let other = PrivateKey::generate(algorithm).unwrap().verifying();
            found(&whole, &trust(other));
            // A public key is no secret, whatever the header says (RFC 8725, section 2.1).
            let pem = key.verifying().to_pem();
            let confused = signed(files.clone(), r#"{"alg":"HS256"}"#, &claims, |text| {
                hmac(pem.as_bytes(), text)
            });
            assert!(found(&confused, &trust(key.verifying())).contains("`HS256`"));
        }
        let none = signed(files, r#"{"alg":"none"}"#, &claims, |_| Vec::new());
        assert!(found(&none, &trust(SECRET)).contains("`none`"));
    }

    #[test]
    fn every_file_is_signed_and_nothing_else_is() {
        let files = files();
        let claims = claims_of(&files, "write");
        let with = |change: &dyn Fn(&mut Files)| {
            let mut changed = files.clone();
            change(&mut changed);
            found(&by_secret(changed, &claims), &trust(SECRET))
        };
        let changed = with(&|files| files[2].1 = b"package b\n".to_vec());
        assert_eq!(changed, "`a/x.rego` with another content than was signed");
        let more = with(&|files| files.push(("b.rego".to_owned(), Vec::new())));
        assert_eq!(more, "`b.rego`, which is not signed");
        let less = with(&|files| files.truncate(2));
        assert_eq!(less, "no file `a/x.rego`, which was signed");
        let scope = claims_of(&files, "read");
        let scope = found(&by_secret(files.clone(), &scope), &trust(SECRET));
        assert_eq!(
            scope,
            "a signature for the scope `read`; asked for is the scope `write`"
        );
        let mut weak = claims.clone();
        weak["files"][0]["algorithm"] = "MD5".into();
        assert!(found(&by_secret(files.clone(), &weak), &trust(SECRET)).contains("`MD5`"));
        let mut twice = claims.clone();
        let again = twice["files"][0].clone();
        twice["files"].as_array_mut().unwrap().push(again);
        let twice = found(&by_secret(files.clone(), &twice), &trust(SECRET));
        assert_eq!(twice, "`.manifest` signed twice");
        let several = br#"{"signatures":["a","b"]}"#.to_vec();
        let several = [vec![(FILE.to_owned(), several)], files].concat();
        assert_eq!(found(&several, &trust(SECRET)), "2 signatures");
    }
}
