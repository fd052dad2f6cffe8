//! Tokens good and bad, and whose rows are whose.

use hmac::{Hmac, KeyInit as _, Mac as _};
use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::policy::Level;
use crate::request::Effect;

const SECRET: &[u8] = b"0123456789abcdef0123456789abcdef";

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_unix_seconds(seconds).unwrap()
}

fn signed(header: &Value, claims: &Value, secret: &[u8]) -> String {
    let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
    let text = format!("{}.{}", part(header), part(claims));
    let mac = Hmac::<Sha256>::new_from_slice(secret).unwrap();
    let signature = mac.chain_update(text.as_bytes()).finalize().into_bytes();
    format!("{text}.{}", URL_SAFE_NO_PAD.encode(signature))
}

fn token(claims: &Value) -> String {
    sign(claims, SECRET).unwrap()
}

#[test]
fn the_example_of_rfc_7515_verifies() {
    // Appendix A.1; its claims name no tenant, so only that is left to complain of.
    let token = "eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ.dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
    let key = URL_SAFE_NO_PAD
        .decode("AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9CAow")
        .unwrap();
    assert_eq!(
        verify(token, &key, at(1_300_819_379)),
        Err(Refusal::NoTenant)
    );
    assert_eq!(
        verify(token, &key, at(1_300_819_441)),
        Err(Refusal::Expired)
    );
    assert_eq!(verify(token, SECRET, at(0)), Err(Refusal::Signature));
}

#[test]
fn a_token_proves_its_tenant() {
    let token = token(&json!({"tenant_id": "a", "exp": 1000, "nbf": 10}));
    for text in [
        token.clone(),
        format!("Bearer {token}"),
        format!("bearer  {token}\n"),
    ] {
        let tenant = verify(&text, SECRET, at(500)).unwrap();
        assert_eq!((tenant.id(), tenant.reaches_others()), ("a", false));
    }
}

#[test]
fn what_is_no_proof_is_refused() {
    let good = json!({"tenant_id": "a", "exp": 1000});
    let with = |key: &str, value: Value| {
        let mut claims = good.clone();
        claims[key] = value;
        token(&claims)
    };
    let header = |header: Value| signed(&header, &good, SECRET);
    let whole = token(&good);
    let (signed_part, signature) = whole.rsplit_once('.').unwrap();
    for (text, refusal) in [
        (header(json!({"alg": "none"})), Refusal::Algorithm),
        (header(json!({"alg": "None"})), Refusal::Algorithm),
        (header(json!({"alg": "HS512"})), Refusal::Algorithm),
        (header(json!({"alg": "RS256"})), Refusal::Algorithm),
        (
            header(json!({"alg": "HS256", "crit": ["b64"]})),
            Refusal::Algorithm,
        ),
        (header(json!({"typ": "JWT"})), Refusal::Malformed),
        (format!("{signed_part}."), Refusal::Signature),
        (signed_part.to_owned(), Refusal::Malformed),
        (format!("{whole}=="), Refusal::Malformed),
        (format!("{signed_part}x.{signature}"), Refusal::Signature),
        (format!("{whole}.{whole}"), Refusal::Malformed),
        (String::new(), Refusal::Malformed),
        ("Bearer ".to_owned(), Refusal::Malformed),
        ("...".to_owned(), Refusal::Malformed),
        ("x".repeat(20_000), Refusal::Malformed),
        (
            signed(
                &json!({"alg": "HS256"}),
                &good,
                b"another secret of thirty-two byte",
            ),
            Refusal::Signature,
        ),
        (with("exp", json!(null)), Refusal::Expired),
        (with("exp", json!(440)), Refusal::Expired),
        (with("nbf", json!(561)), Refusal::NotYet),
        (with("tenant_id", json!(null)), Refusal::NoTenant),
        (with("tenant_id", json!(" ")), Refusal::NoTenant),
        (with("tenant_id", json!(7)), Refusal::Malformed),
        (with("tenant_override", json!("yes")), Refusal::Malformed),
        (with("exp", json!("1000")), Refusal::Malformed),
    ] {
        assert_eq!(verify(&text, SECRET, at(500)), Err(refusal), "{text:.60}");
    }
    assert_eq!(verify(&whole, b"short", at(500)), Err(Refusal::WeakSecret));
    // A minute between two clocks is none.
    assert!(verify(&with("exp", json!(441)), SECRET, at(500)).is_ok());
    assert!(verify(&with("nbf", json!(560)), SECRET, at(500)).is_ok());
}

proptest! {
    #[test]
    fn no_other_byte_of_a_token_verifies(place in 0_usize..200, byte in any::<u8>()) {
        let whole = token(&json!({"tenant_id": "a", "exp": 1000}));
        let mut changed = whole.clone().into_bytes();
        let place = place % changed.len();
        prop_assume!(changed[place] != byte);
        changed[place] = byte;
        if let Ok(text) = String::from_utf8(changed) {
            // Blanks around it are no part of it.
            prop_assume!(text.trim().len() == whole.len());
            prop_assert!(verify(&text, SECRET, at(500)).is_err(), "{}", text);
        }
    }
}

fn around() -> Circumstances {
    Circumstances::undisturbed(at(500), Some(Level::GREEN))
}

fn tenant(reaches_others: bool) -> Tenant {
    Tenant {
        id: "a".into(),
        reaches_others,
    }
}

fn code(request: &str, tenant: Option<&Tenant>, required: bool) -> Option<String> {
    let request = Request::parse(request.as_bytes()).unwrap();
    let verdict = judge(&request, tenant, required, &around())?;
    assert_eq!(verdict.effect, Effect::Deny);
    Some(verdict.codes[0].to_string())
}

#[test]
fn a_request_is_about_its_own_tenant_or_denied() {
    let (own, all) = (tenant(false), tenant(true));
    let mismatch = Some("TENANT_MISMATCH".to_owned());
    assert_eq!(code("{}", None, false), None);
    assert_eq!(code("{}", None, true), Some("TENANT_REQUIRED".to_owned()));
    assert_eq!(
        code("{\"tenant_id\":\"a\"}", None, true),
        Some("TENANT_REQUIRED".to_owned())
    );
    for (request, denied) in [
        ("{}", false),
        (
            "{\"tenant_id\":\"a\",\"resource\":{\"tenant_id\":\"a\"}}",
            false,
        ),
        ("{\"tenant_id\":null}", false),
        ("{\"tenant_id\":\"A\"}", true),
        ("{\"tenant_id\":\"\"}", true),
        ("{\"tenant_id\":[\"a\"]}", true),
        (
            "{\"tenant_id\":\"a\",\"resource\":{\"tenant_id\":\"b\"}}",
            true,
        ),
        ("{\"data\":{\"tenant_id\":\"b\"}}", true),
    ] {
        let expected = denied.then(|| mismatch.clone()).flatten();
        assert_eq!(code(request, Some(&own), true), expected, "{request}");
        assert_eq!(code(request, Some(&own), false), expected, "{request}");
        assert_eq!(code(request, Some(&all), true), None, "{request}");
    }
}

#[test]
fn rows_are_seen_by_their_tenant() {
    let (own, all) = (tenant(false), tenant(true));
    for (named, sees_own, sees_all) in [
        (Some("a"), true, true),
        (Some("b"), false, true),
        (Some("A"), false, true),
        (None, false, false),
    ] {
        let seen = (own.may_see(named), all.may_see(named));
        assert_eq!(seen, (sees_own, sees_all), "{named:?}");
    }
}
