//! Keys: `keys generate`, `keys show`, files of other programs, and Wycheproof's vectors.

use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::{Command, Output};

use policy_orchestrator::keys::VerifyingKey;
use serde_json::Value;

use crate::workspace::{Ran, Workspace};

fn fixture(name: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures");
    path.join(name).display().to_string()
}

fn decoded(digits: &str) -> Vec<u8> {
    let pairs = digits.as_bytes().chunks(2);
    pairs
        .map(|pair| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap())
        .collect()
}

/// Holds every case of a file of Wycheproof, and tells how many were valid and invalid.
fn wycheproof(file: &str) -> [usize; 2] {
    let text = std::fs::read(fixture(&format!("wycheproof/{file}"))).unwrap();
    let vectors: Value = serde_json::from_slice(&text).unwrap();
    let mut counts = [0, 0];
    let mut wrong = Vec::new();
    for group in vectors["testGroups"].as_array().unwrap() {
        let der = decoded(group["publicKeyDer"].as_str().unwrap());
        let key = VerifyingKey::from_der(file, &der).unwrap();
        let pem = group["publicKeyPem"].as_str().unwrap();
        assert_eq!(VerifyingKey::from_pem(file, pem.as_bytes()).unwrap(), key);
        for case in group["tests"].as_array().unwrap() {
            let message = decoded(case["msg"].as_str().unwrap());
            let signature = decoded(case["sig"].as_str().unwrap());
            let result = case["result"].as_str().unwrap();
            let holds = key.verifies(&message, &signature);
            counts[usize::from(result == "invalid")] += 1;
            // None of these files has a case that may come out either way.
            let expected = match result {
                "valid" => true,
                "invalid" => false,
                other => panic!("{other}"),
            };
            if holds != expected {
                wrong.push(format!("{} {result}: {}", case["tcId"], case["comment"]));
            }
        }
    }
    assert_eq!(wrong, Vec::<String>::new());
    counts
}

#[test]
fn ed25519_answers_wycheproof() {
    assert_eq!(wycheproof("ed25519_test.json"), [88, 63]);
}

#[test]
fn ecdsa_p256_answers_wycheproof() {
    let counts = wycheproof("ecdsa_secp256r1_sha256_test.json");
    assert_eq!(counts, [174, 310]);
}

fn with_password(workspace: &Workspace, password: &str, arguments: &[&str]) -> Ran {
    let mut command = workspace.command(arguments);
    command.env("POLICY_KEY_PASSWORD", password);
    command.output().unwrap().into()
}

fn openssl(workspace: &Workspace, arguments: &[&str]) -> Output {
    let mut command = Command::new("openssl");
    command.args(arguments).current_dir(workspace.path());
    command.output().unwrap()
}

#[test]
fn a_pair_is_made_once_and_its_private_half_is_for_its_owner() {
    let workspace = Workspace::empty();
    for (kind, algorithm) in [("ed25519", "ed25519"), ("p256", "ecdsa-p256")] {
        let name = format!("{kind}.key");
        let generate = ["keys", "generate", "--type", kind, "--out", &name];
        let made = workspace.program(&generate).exits(0);
        assert_eq!(made.json()["algorithm"], algorithm);
        assert_eq!(made.json()["encrypted"], false);
        assert!(!made.stdout.contains("PRIVATE"));
        let mode = |file: &str| {
            let status = std::fs::metadata(workspace.file(file)).unwrap();
            status.permissions().mode() & 0o777
        };
        assert_eq!(mode(&name), 0o600);
        let before = workspace.bytes(&name);
        let again = workspace.program(&generate).exits(1);
        assert!(again.stderr.contains("nothing is overwritten"));
        assert_eq!(workspace.bytes(&name), before);
        // openssl reads both, and says the same public key.
        let public = openssl(&workspace, &["pkey", "-in", &name, "-pubout"]);
        let beside = workspace.read(&format!("{kind}.pub"));
        assert_eq!(String::from_utf8(public.stdout).unwrap(), beside);
        for file in [name, format!("{kind}.pub")] {
            let shown = workspace.program(&["keys", "show", &file]).exits(0).json();
            assert_eq!(shown["key_id"], made.json()["key_id"]);
            assert_eq!(shown["public_key"], beside);
        }
    }
}

#[test]
fn a_public_key_that_stands_in_the_way_stops_the_pair() {
    let workspace = Workspace::empty();
    workspace.write("cosign.pub", "precious");
    let ran = workspace.program(&["keys", "generate", "--out", "cosign.key"]);
    ran.exits(1);
    assert!(!workspace.file("cosign.key").exists());
    assert_eq!(workspace.read("cosign.pub"), "precious");
    std::os::unix::fs::symlink("elsewhere", workspace.file("link")).unwrap();
    let ran = workspace.program(&["keys", "generate", "--out", "link"]);
    ran.exits(1);
    assert!(!workspace.file("elsewhere").exists());
}

#[test]
fn an_encrypted_pair_opens_with_its_password() {
    let workspace = Workspace::empty();
    let generate = ["keys", "generate", "--type", "p256", "--out", "k"];
    let made = with_password(&workspace, "correct horse", &generate).exits(0);
    assert_eq!(made.json()["encrypted"], true);
    assert!(!made.stderr.contains("not encrypted"));
    let text = workspace.read("k");
    assert!(text.starts_with("-----BEGIN ENCRYPTED SIGSTORE PRIVATE KEY-----\n"));
    let show = ["keys", "show", "k"];
    let shown = with_password(&workspace, "correct horse", &show).exits(0);
    assert_eq!(shown.json()["key_id"], made.json()["key_id"]);
    assert_eq!(shown.json()["private"], true);
    let wrong = with_password(&workspace, "battery staple", &show).exits(1);
    assert!(wrong.stderr.contains("KEY_LOCKED"));
    assert!(!wrong.stderr.contains("battery"));
    workspace.program(&show).exits(1);
}

#[test]
fn a_pair_in_the_form_of_cosign_is_read() {
    let workspace = Workspace::empty();
    for (file, password) in [("cosign.key", "a password for tests"), ("older.key", "")] {
        let key = fixture(&format!("cosign/{file}"));
        let shown = with_password(&workspace, password, &["keys", "show", &key]);
        let public = std::fs::read_to_string(fixture("cosign/cosign.pub")).unwrap();
        assert_eq!(shown.exits(0).json()["public_key"], public, "{file}");
    }
}

#[test]
fn a_private_key_that_others_may_read_is_refused() {
    let workspace = Workspace::empty();
    let generate = ["keys", "generate", "--out", "a.key"];
    workspace.program(&generate).exits(0);
    for (mode, code) in [
        (0o600, 0),
        (0o400, 0),
        (0o640, 0),
        (0o644, 1),
        (0o620, 1),
        (0o604, 1),
        (0o666, 1),
    ] {
        let permissions = std::fs::Permissions::from_mode(mode);
        std::fs::set_permissions(workspace.file("a.key"), permissions).unwrap();
        let ran = workspace.program(&["keys", "show", "a.key"]).exits(code);
        assert_eq!(ran.stderr.contains("KEY_EXPOSED"), code == 1, "{mode:o}");
    }
}

#[test]
fn keys_of_other_programs_are_read_or_refused_with_a_reason() {
    let workspace = Workspace::empty();
    let make = |arguments: &str| {
        let arguments: Vec<&str> = arguments.split(' ').collect();
        let output = openssl(&workspace, &arguments);
        assert!(output.status.success(), "{output:?}");
    };
    make("genpkey -algorithm ed25519 -out ed25519");
    make("genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out p256");
    make("genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-384 -out p384");
    make("genpkey -algorithm RSA -pkeyopt rsa_keygen_bits:2048 -out rsa");
    make("pkey -in rsa -pubout -out rsa.pub");
    make("rsa -in rsa -traditional -out rsa1");
    make("ec -in p256 -out sec1");
    make("pkcs8 -topk8 -in p256 -passout pass:x -out pkcs8");
    workspace.write("text", "no key at all\n");
    workspace.write("half", "-----BEGIN PRIVATE KEY-----\nAAAA\n");
    workspace.write(
        "damaged",
        "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n",
    );
    let mut told = String::new();
    for file in [
        "ed25519", "p256", "p384", "rsa", "rsa.pub", "rsa1", "sec1", "pkcs8", "text", "half",
        "damaged", "absent",
    ] {
        if workspace.file(file).exists() {
            let owner = std::fs::Permissions::from_mode(0o600);
            std::fs::set_permissions(workspace.file(file), owner).unwrap();
        }
        let ran = workspace.program(&["keys", "show", file]);
        let shown = if ran.code == 0 {
            "shown\n"
        } else {
            &ran.stderr
        };
        told.push_str(&format!("$ keys show {file}\n{shown}\n"));
    }
    insta::assert_snapshot!("keys_of_other_programs", told);
}
