//! What is planted does not survive, and what is none of it stays as it was.

use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;

fn redacted(text: &str) -> String {
    Redaction::new().text(text).into_owned()
}

/// Samples in two parts, so that a scan of this file finds none of them.
fn secret_samples() -> Vec<(String, Rule)> {
    let letters = "aB3dE5gH7jK9mN1pQ2rS4tU6vW8xY0zA1bC2dE3fG4h";
    let upper = "ABCDEFGH12345678";
    let joined = |parts: [&str; 2]| parts.concat();
    vec![
        (joined(["AKI", "A"]) + upper, Rule::AwsKey),
        (joined(["gh", "p_"]) + letters, Rule::GitHub),
        (joined(["github_", "pat_"]) + letters, Rule::GitHub),
        (joined(["glp", "at-"]) + letters, Rule::GitLab),
        (joined(["xox", "b-"]) + letters, Rule::Slack),
        (joined(["hv", "s."]) + letters, Rule::ApiKey),
        (joined(["sk_", "live_"]) + letters, Rule::ApiKey),
        (format!("eyJ{letters}.eyJ{letters}.{letters}"), Rule::Jwt),
        (
            joined([
                "-----BEGIN EC PRIV",
                "ATE KEY-----\nMHc\n-----END EC PRIVATE KEY-----",
            ]),
            Rule::PrivateKey,
        ),
    ]
}

const PERSONAL: &[(&str, Rule)] = &[
    ("alice@example.com", Rule::Email),
    ("joão.da-silva+x@mail.example.com.br", Rule::Email),
    ("alice%40example.com", Rule::Email),
    ("+55 11 98765-4321", Rule::Phone),
    ("+55 (11) 3456-7890", Rule::Phone),
    ("+5511987654321", Rule::Phone),
    ("+1 555-234-5678", Rule::Phone),
    ("+44 20 7946 0958", Rule::Phone),
    ("+351 912 345 678", Rule::Phone),
    ("(11) 98765-4321", Rule::Phone),
    ("(11) 3456-7890", Rule::Phone),
    ("11 98765-4321", Rule::Phone),
    ("98765-4321", Rule::Phone),
    ("(555) 234-5678", Rule::Phone),
    ("555-234-5678", Rule::Phone),
    ("123-45-6789", Rule::Ssn),
    ("123 45 6789", Rule::Ssn),
    ("529.982.247-25", Rule::Cpf),
    ("52998224725", Rule::Cpf),
    ("11.222.333/0001-81", Rule::Cnpj),
    ("11222333000181", Rule::Cnpj),
    ("12.ABC.345/01DE-35", Rule::Cnpj),
    ("4111111111111111", Rule::Card),
    ("4111 1111 1111 1111", Rule::Card),
    ("4111-1111-1111-1111", Rule::Card),
    ("3782 822463 10005", Rule::Card),
    ("30569309025904", Rule::Card),
    ("GB82WEST12345698765432", Rule::Iban),
    ("GB82 WEST 1234 5698 7654 32", Rule::Iban),
    ("BR1800360305000010009795493C1", Rule::Iban),
];

#[test]
fn each_sample_is_found_and_taken_out_whole() {
    let secrets = secret_samples();
    let personal = PERSONAL.iter().map(|(sample, rule)| (*sample, *rule));
    let secrets = secrets
        .iter()
        .map(|(sample, rule)| (sample.as_str(), *rule));
    for (sample, rule) in personal.chain(secrets) {
        for (before, after) in [
            ("", ""),
            ("x ", " y"),
            ("<", ">"),
            ("a=", ";"),
            ("\\n", "\\n"),
            ("\"", "\","),
        ] {
            let text = format!("{before}{sample}{after}");
            let found = find(text.as_bytes(), Wanted::All);
            assert_eq!(
                found.iter().map(|found| found.rule).collect::<Vec<_>>(),
                [rule],
                "{text}"
            );
            assert_eq!(
                redacted(&text),
                format!("{before}{REDACTED}{after}"),
                "{text}"
            );
        }
    }
}

#[test]
fn values_are_found_by_the_name_that_they_are_given_to() {
    for (text, left) in [
        ("password=hunter2!", "password=<REDACTED>"),
        ("DB_PASSWORD: 's3cr3t pw'", "DB_PASSWORD: 's3cr3t pw'"),
        ("db_password: \"s3cr3tpw\"", "db_password: \"<REDACTED>\""),
        (
            "{\"token\":\"a1b2c3d4e5f6a7b8\"}",
            "{\"token\":\"<REDACTED>\"}",
        ),
        (
            "{\\\"token\\\":\\\"a1b2c3d4e5f6a7b8\\\"}",
            "{\\\"token\\\":\\\"<REDACTED>\\\"}",
        ),
        ("--api-key a1b2c3d4e5f6a7b8 x", "--api-key <REDACTED> x"),
        (
            "export JWT_SECRET=a1b2c3d4e5f6a7b8",
            "export JWT_SECRET=<REDACTED>",
        ),
        (
            "?access_token=a1b2c3d4e5f6a7b8&x=1",
            "?access_token=<REDACTED>&x=1",
        ),
        (
            "Authorization: Bearer abc123def456",
            "Authorization: Bearer <REDACTED>",
        ),
        (
            "postgres://user:p4ss@host/db",
            "postgres://user:<REDACTED>@host/db",
        ),
        (
            "postgres://user:p4ss@example.com/db",
            "postgres://user:<REDACTED>@example.com/db",
        ),
        ("phone: 555 123 4567, x", "phone: <REDACTED>, x"),
        ("\"ssn\": 123456789", "\"ssn\": <REDACTED>"),
        ("email=\"alice\"", "email=\"<REDACTED>\""),
        ("cpf=00000000000 x", "cpf=<REDACTED> x"),
    ] {
        assert_eq!(redacted(text), left);
    }
    for parts in [["default-", "secret"], ["default-totp-", "secret"]] {
        let default = parts.concat();
        for text in [
            format!("get(\"X\", \"{default}\")"),
            format!("SECRET={default}"),
        ] {
            let found = find(text.as_bytes(), Wanted::Secrets);
            assert_eq!(found[0].rule, Rule::DefaultSecret, "{text}");
        }
    }
}

/// What looks a little like something and is none.
const HARMLESS: &[&str] = &[
    "2026-01-15T12:00:00Z",
    "2026-01-15 12:00:00.123456789 +0000",
    "20260115T120000Z",
    "20260115120000",
    "1763733601",
    "1763733601000",
    "1763733601000000",
    "1763733601000000000",
    "0.4111111111111111",
    "97.36666666666667",
    "192.168.100.200",
    "1.0.0+20130313144700",
    "v1.2.3-rc.4",
    "550e8400-e29b-41d4-a716-446655440000",
    "12345678-1234-4123-8123-123456789012",
    "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad",
    "sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad",
    "\"key\":\"ba7816bf8f01cfea\"",
    "\"hmac\":\"ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad\"",
    "\"token_sha256\":\"ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad\"",
    "actions/checkout@v4.1.2",
    "policy-orchestrator@localhost",
    "getty@tty1.service",
    "git@github",
    "666-45-6789",
    "900-45-6789",
    "111.111.111-11",
    "529.982.247-26",
    "4111111111111112",
    "fix/policy-orchestrator-20260115T120000Z",
    "POLICY_AUDIT_SECRET_FILE=/run/secrets/audit1",
    "password: ${{ secrets.PASSWORD1 }}",
    "password=$PASSWORD1",
    "secret: not set",
    "the password is at least 12 characters",
    "-----BEGIN PUBLIC KEY-----\nMFkw\n-----END PUBLIC KEY-----",
    "starts_with(\"-----BEGIN PRIVATE KEY-----\")",
    "let token = tokens.next2(values);",
    "let token = self.tokens.first2;",
    "emails: 42, phones: 1200",
    "bearer of good news",
    "https://example.com:8443/path?query=1",
    "--workspace 12345678",
    "+00:00",
    "+20",
    "a + b",
    "10 of 3000 lines, 4096 bytes",
    "DIGEST12345698765432",
];

#[test]
fn what_is_none_of_it_stays() {
    for text in HARMLESS {
        assert_eq!(find(text.as_bytes(), Wanted::All), [], "{text}");
        let text = format!("{{\"a\":{}}}", Value::from(*text));
        assert_eq!(Redaction::new().json(&text), text);
    }
}

#[test]
fn json_is_redacted_by_names_and_texts_and_keeps_its_order() {
    let line = r#"{"z":1.50,"Email":"x","nested":{"list":[{"PHONE":123},{"ssn":null}]},"credit_card":["1","2"],"emails":42,"note":"ask bob@example.com","ok":true,"email_sent":true,"contact":{"email":{"address":"a","verified":true}}}"#;
    let left = r#"{"z":1.50,"Email":"<REDACTED>","nested":{"list":[{"PHONE":"<REDACTED>"},{"ssn":null}]},"credit_card":["<REDACTED>","<REDACTED>"],"emails":42,"note":"ask <REDACTED>","ok":true,"email_sent":true,"contact":{"email":{"address":"<REDACTED>","verified":true}}}"#;
    assert_eq!(Redaction::new().json(line), left);
    let harmless = "{ \"a\" : [ 1.0 , \"\\u0041\" ] }";
    assert!(matches!(Redaction::new().json(harmless), Cow::Borrowed(text) if text == harmless));
}

#[test]
fn hashes_stand_beside_and_join_by_value_and_name() {
    let key = HashKey::new(vec![b'k'; 32]).unwrap();
    let redaction = Redaction::new().hashed(&key);
    let value =
        redaction.value(&json!({"email": "a@example.com", "phones": ["1234567"], "other": 1}));
    assert_eq!(value["email"], REDACTED);
    assert_eq!(
        value["email_sha256"],
        key.hash("email", "a@example.com").to_string()
    );
    assert_eq!(
        value["phones_sha256"][0],
        key.hash("phones", "1234567").to_string()
    );
    assert_eq!(value["other"], 1);
    let again = redaction.value(&json!({"Email": "a@example.com", "Email_sha256": "forged"}));
    assert_eq!(again["Email_sha256"], value["email_sha256"]);
}

#[test]
fn included_personal_data_stays_and_secrets_go() {
    let redaction = Redaction::new().including_personal_data(true);
    let value = json!({"email": "a@example.com", "password": "x", "note": "+55 11 98765-4321"});
    let shown =
        json!({"email": "a@example.com", "password": REDACTED, "note": "+55 11 98765-4321"});
    assert_eq!(redaction.value(&value), shown);
}

#[test]
fn names_of_members_that_are_personal_go_and_stay_apart() {
    let value = json!({"a@example.com": 1, "b@example.com": 2});
    let redacted = Redaction::new().value(&value);
    assert_eq!(redacted, json!({"<REDACTED> 1": 1, "<REDACTED> 2": 2}));
}

#[test]
fn hostile_texts_take_time_that_grows_with_their_length() {
    for part in [
        "@",
        "a@",
        "a@a.",
        "%40",
        "token=",
        "eyJ-",
        "eyJ.eyJ.",
        "-----BEGIN PRIVATE KEY-----A",
        "1 ",
        "1-",
        "+1",
        "(1",
        "4111 ",
        "://a:",
        "bearer ",
        "--token ",
        "\\n",
        "DE89 ",
        "password=\"",
    ] {
        let text = part.repeat(200_000 / part.len());
        let left = Redaction::new().text(&text);
        assert!(left.len() <= 10 * text.len(), "{part}");
    }
}

fn luhn_digit(digits: &str) -> u32 {
    let sum: u32 = digits
        .bytes()
        .rev()
        .enumerate()
        .map(|(index, digit)| {
            let value = u32::from(digit - b'0');
            if index % 2 == 0 {
                value * 2 % 10 + value / 5
            } else {
                value
            }
        })
        .sum();
    (10 - sum % 10) % 10
}

fn planted() -> impl Strategy<Value = String> {
    let letters = "[a-zA-Z0-9]{36}";
    prop_oneof![
        "[a-z][a-z0-9._+-]{0,20}[a-z0-9]@[a-z]{1,10}\\.(com|org|com\\.br|de)",
        "\\+55 ?11 ?9[0-9]{4}[- ]?[0-9]{4}",
        "\\((11|21|85)\\) 9[0-9]{4}-[0-9]{4}",
        "[1-5][0-9][1-9]-[1-9][0-9]-[0-9]{3}[1-9]",
        "(4[0-9]{14}|5[1-5][0-9]{13})".prop_map(|body| {
            let check = luhn_digit(&body);
            format!("{body}{check}")
        }),
        ("[0-9]{9}", Just(())).prop_filter_map("all alike", |(body, ())| {
            let number = |digits: &str, first: u32| {
                let sum: u32 = digits
                    .bytes()
                    .zip((2..=first).rev())
                    .map(|(digit, weight)| u32::from(digit - b'0') * weight)
                    .sum();
                if sum % 11 < 2 { 0 } else { 11 - sum % 11 }
            };
            let one = number(&body, 10);
            let two = number(&format!("{body}{one}"), 11);
            let (a, b, c) = (&body[..3], &body[3..6], &body[6..]);
            let alike = body.bytes().all(|digit| digit == body.as_bytes()[0]);
            (!alike).then(|| format!("{a}.{b}.{c}-{one}{two}"))
        }),
        letters.prop_map(|rest| ["gh", "p_", &rest].concat()),
        "[A-Z2-7]{16}".prop_map(|rest| ["AK", "IA", &rest].concat()),
    ]
}

/// Text around that begins and ends a word.
fn around() -> impl Strategy<Value = String> {
    "[a-zA-Z0-9 .,:;(){}\"'\\n-]{0,30}[ \"'(;\\n,]"
}

proptest! {
    #[test]
    fn nothing_planted_survives(before in around(), planted in planted(), after in "[ \"');\\n][a-zA-Z ]{0,20}") {
        let text = format!("{before}{planted}{after}");
        prop_assert!(!redacted(&text).contains(&planted), "{text}");
        let json = json!({"a": [{"b": text}]}).to_string();
        prop_assert!(!Redaction::new().json(&json).contains(&planted), "{json}");
        let own = Secrets::default().excerpt(text.as_bytes(), false, 500);
        prop_assert!(!own.text.contains(&planted), "{text}");
    }

    #[test]
    fn nothing_under_a_personal_name_survives(
        name in "(user_|customer_|Primary-|)(email|Phone|SSN|credit_card|creditCard|CPF)",
        value in "[a-z0-9 ]{4,20}",
        deep in 0_usize..5,
    ) {
        let mut json = json!({ name: value.clone() });
        for _ in 0..deep {
            json = json!({"x": [json]});
        }
        let left = Redaction::new().value(&json).to_string();
        prop_assert!(!left.contains(&value), "{left}");
    }

    #[test]
    fn times_digests_versions_and_identifiers_stay(
        digest in "[0-9a-f]{64}",
        uuid in "[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}",
        version in "v?[0-9]{1,3}\\.[0-9]{1,3}\\.[0-9]{1,3}(-(rc|beta)\\.[0-9])?",
        time in "20[0-9]{2}-(0[1-9]|1[0-2])-[0-2][0-9]T[01][0-9]:[0-5][0-9]:[0-5][0-9](\\.[0-9]{1,9})?(Z|[+-]0[0-9]:00)",
        bytes in 0_u64..10_000_000_000,
        share in 0.0_f64..1.0,
    ) {
        let line = json!({
            "sha256": digest, "hmac": digest, "key": &digest[..16], "run": uuid, "version": version,
            "time": time, "bytes": bytes, "share": share, "branch": format!("fix/{uuid}"),
            "text": format!("{time} {uuid} {version} {digest} {bytes} {share}"),
        });
        let line = line.to_string();
        prop_assert_eq!(Redaction::new().json(&line), line.as_str());
    }

    #[test]
    fn any_bytes_are_looked_at_without_a_panic(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        for found in find(&bytes, Wanted::All) {
            prop_assert!(found.range.start < found.range.end && found.range.end <= bytes.len());
        }
        let text = String::from_utf8_lossy(&bytes);
        let once = redacted(&text);
        prop_assert_eq!(redacted(&once), once.clone());
    }
}
