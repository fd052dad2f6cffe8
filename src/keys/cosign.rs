//! Private keys encrypted as cosign does it: PKCS#8 in a NaCl secretbox under a key of scrypt.
//!
//! The PEM block holds JSON that names the derivation, its parameters, salt, nonce and ciphertext.
//! The parameters come from the file, so they are bounded before anything is computed from them.

use poly1305::Poly1305;
use poly1305::universal_hash::KeyInit as _;
use salsa20::XSalsa20;
use salsa20::cipher::{KeyIvInit as _, StreamCipher as _};
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use super::{Password, fill_random, from_base64, to_base64};
use crate::diagnostic::{Checked, Code, Diagnostic, Place};

/// The labels that cosign gave its keys, the older last.
pub const LABELS: [&str; 2] = [LABEL, "ENCRYPTED COSIGN PRIVATE KEY"];

/// The label that is written.
pub const LABEL: &str = "ENCRYPTED SIGSTORE PRIVATE KEY";

#[derive(Serialize, Deserialize)]
struct Raw {
    kdf: RawKdf,
    cipher: RawCipher,
    ciphertext: String,
}

#[derive(Serialize, Deserialize)]
struct RawKdf {
    name: String,
    params: RawParams,
    salt: String,
}

#[derive(Serialize, Deserialize)]
#[expect(non_snake_case, reason = "scrypt's own names, as the files have them")]
struct RawParams {
    N: u64,
    r: u64,
    p: u64,
}

#[derive(Serialize, Deserialize)]
struct RawCipher {
    name: String,
    nonce: String,
}

const KDF: &str = "scrypt";
const CIPHER: &str = "nacl/secretbox";
const TAG: usize = 16;

/// What cosign takes today; 64 MiB and a fifth of a second.
const WRITTEN: RawParams = RawParams {
    N: 65_536,
    r: 8,
    p: 1,
};

/// The most memory that a file may ask for: twice that of the largest parameters in use.
const MOST_MEMORY: u64 = 256 * 1024 * 1024;

/// The most work, `N` times `r` times `p`: eight times that of what cosign writes.
const MOST_WORK: u64 = 1 << 22;

/// The most of `r` and of `p`: both together need memory of their own.
const MOST_BLOCKS: u64 = 64;

/// The private key in DER.
pub(super) fn decrypt(
    name: &str,
    content: &[u8],
    password: Option<&Password>,
) -> Checked<Zeroizing<Vec<u8>>> {
    let raw: Raw =
        serde_json::from_slice(content).map_err(|error| damaged(name, &error.to_string()))?;
    if raw.kdf.name != KDF || raw.cipher.name != CIPHER {
        let found = format!("{} and {}", raw.kdf.name, raw.cipher.name);
        return Err(damaged(name, &found));
    }
    let parameters = parameters(&raw.kdf.params).ok_or_else(|| {
        let RawParams { N, r, p } = raw.kdf.params;
        damaged(name, &format!("scrypt with N={N}, r={r}, p={p}"))
    })?;
    let part = |text: &str| from_base64(text).ok_or_else(|| damaged(name, "no base64"));
    let (salt, nonce) = (part(&raw.kdf.salt)?, part(&raw.cipher.nonce)?);
    let Ok(nonce) = <[u8; 24]>::try_from(nonce) else {
        return Err(damaged(name, "a nonce of another length than 24 bytes"));
    };
    let boxed = part(&raw.ciphertext)?;
    let given = password.map(Password::as_bytes).unwrap_or_default();
    let key = derived(given, &salt, &parameters);
    open(&key, &nonce, &boxed).ok_or_else(|| locked(name, password.is_some()))
}

/// The parameters, where they are such that anybody would choose.
fn parameters(raw: &RawParams) -> Option<scrypt::Params> {
    let RawParams { N, r, p } = *raw;
    let memory = N.checked_mul(r)?.checked_mul(128)?;
    let work = N.checked_mul(r)?.checked_mul(p)?;
    if !N.is_power_of_two() || N < 2 || memory > MOST_MEMORY || work > MOST_WORK {
        return None;
    }
    if r > MOST_BLOCKS || p > MOST_BLOCKS {
        return None;
    }
    let log_n = u8::try_from(N.trailing_zeros()).ok()?;
    scrypt::Params::new(log_n, r.try_into().ok()?, p.try_into().ok()?).ok()
}

fn derived(password: &[u8], salt: &[u8], parameters: &scrypt::Params) -> Zeroizing<[u8; 32]> {
    let mut key = Zeroizing::new([0; 32]);
    // Only an output of another length fails.
    let _ = scrypt::scrypt(password, salt, parameters, key.as_mut_slice());
    key
}

/// The first 32 bytes of the key stream are the key of the authenticator, the others encrypt.
fn cipher(key: &[u8; 32], nonce: &[u8; 24]) -> (XSalsa20, Poly1305) {
    let mut stream = XSalsa20::new(key.into(), nonce.into());
    let mut first = Zeroizing::new([0; 32]);
    stream.apply_keystream(first.as_mut_slice());
    let authenticator = Poly1305::new((&*first).into());
    (stream, authenticator)
}

/// Opens a secretbox: tag, then ciphertext.
fn open(key: &[u8; 32], nonce: &[u8; 24], boxed: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
    let (tag, ciphertext) = boxed.split_at_checked(TAG)?;
    let (mut stream, authenticator) = cipher(key, nonce);
    let computed = authenticator.compute_unpadded(ciphertext);
    // Not in constant time: whoever can time this has the file and may try passwords at leisure.
    if computed.as_slice() != tag {
        return None;
    }
    let mut plain = Zeroizing::new(ciphertext.to_vec());
    stream.apply_keystream(&mut plain);
    Some(plain)
}

fn seal(key: &[u8; 32], nonce: &[u8; 24], plain: &[u8]) -> Vec<u8> {
    let (mut stream, authenticator) = cipher(key, nonce);
    let mut ciphertext = plain.to_vec();
    stream.apply_keystream(&mut ciphertext);
    let tag = authenticator.compute_unpadded(&ciphertext);
    [tag.as_slice(), &ciphertext].concat()
}

/// The content of a PEM block with the encrypted key.
pub(super) fn encrypt(der: &[u8], password: &Password) -> Checked<Vec<u8>> {
    let mut salt = [0; 32];
    let mut nonce = [0; 24];
    fill_random(&mut salt)?;
    fill_random(&mut nonce)?;
    let chosen = parameters(&WRITTEN).unwrap_or(scrypt::Params::RECOMMENDED);
    let key = derived(password.as_bytes(), &salt, &chosen);
    let raw = Raw {
        kdf: RawKdf {
            name: KDF.to_owned(),
            params: WRITTEN,
            salt: to_base64(salt),
        },
        cipher: RawCipher {
            name: CIPHER.to_owned(),
            nonce: to_base64(nonce),
        },
        ciphertext: to_base64(seal(&key, &nonce, der)),
    };
    // Serialising to memory fails for maps with keys that are no text alone; there are none.
    Ok(serde_json::to_vec(&raw).unwrap_or_default())
}

fn damaged(name: &str, found: &str) -> Box<Diagnostic> {
    Box::new(
        Diagnostic::new(
            Code::KeyUnusable,
            Place::file(name),
            "the encrypted private key can't be read",
        )
        .found(found)
        .expected("scrypt of at most 256 MiB and nacl/secretbox, as cosign writes them")
        .help("restore the file, or make a new pair with `policy-orchestrator keys generate`"),
    )
}

fn locked(name: &str, given: bool) -> Box<Diagnostic> {
    let (message, found) = if given {
        ("the password does not open the private key", "another one")
    } else {
        ("the private key is encrypted", "no password")
    };
    Box::new(
        Diagnostic::new(Code::KeyLocked, Place::file(name), message)
            .found(found)
            .expected("the password that it was encrypted with")
            .help("set POLICY_KEY_PASSWORD or COSIGN_PASSWORD"),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::keys::{Algorithm, PrivateKey};

    fn password(text: &str) -> Password {
        Password::new(text.as_bytes().to_vec())
    }

    #[test]
    fn an_encrypted_key_opens_with_its_password_alone() {
        let key = PrivateKey::generate(Algorithm::EcdsaP256).unwrap();
        let pem = key.to_pem(Some(&password("right"))).unwrap();
        assert!(PrivateKey::is_encrypted(pem.as_bytes()));
        let open = |password: Option<Password>| {
            PrivateKey::from_pem("k", pem.as_bytes(), password.as_ref())
        };
        assert_eq!(
            open(Some(password("right"))).unwrap().verifying(),
            key.verifying()
        );
        assert_eq!(
            open(Some(password("wrong"))).unwrap_err().message,
            "the password does not open the private key"
        );
        assert_eq!(
            open(None).unwrap_err().message,
            "the private key is encrypted"
        );
    }

    #[test]
    fn a_file_can_not_ask_for_more_memory_or_work_than_anybody_would_choose() {
        let asked = |n: u64, r: u64, p: u64| parameters(&RawParams { N: n, r, p });
        for (n, r, p) in [
            (16_384, 8, 1),
            (65_536, 8, 1),
            (131_072, 8, 1),
            (131_072, 8, 4),
        ] {
            assert!(asked(n, r, p).is_some(), "{n} {r} {p}");
        }
        for (n, r, p) in [
            (0, 8, 1),
            (1, 8, 1),
            (65_535, 8, 1),
            (65_536, 0, 1),
            (65_536, 8, 0),
            (1 << 20, 8, 1),
            (2, 1 << 20, 2),
            (65_536, 8, 9),
            (2, 1, 1 << 30),
            (u64::MAX, 8, 1),
            (1 << 63, u64::MAX, u64::MAX),
        ] {
            assert!(asked(n, r, p).is_none(), "{n} {r} {p}");
        }
    }

    #[test]
    fn a_changed_box_does_not_open() {
        let (key, nonce) = ([7; 32], [9; 24]);
        let boxed = seal(&key, &nonce, b"secret");
        assert_eq!(open(&key, &nonce, &boxed).unwrap().as_slice(), b"secret");
        for bit in 0..boxed.len() * 8 {
            let mut changed = boxed.clone();
            changed[bit / 8] ^= 1 << (bit % 8);
            assert!(open(&key, &nonce, &changed).is_none());
        }
        assert!(open(&key, &nonce, &boxed[..TAG - 1]).is_none());
    }
}
