//! Vault: a server that speaks its HTTP API, and one that does not; simulation; changes of secrets in
//! production (S0-022 to S0-032, S0-072 to S0-076, C-25).

use crate::workspace::{Ran, Workspace};

fn ran(command: &mut std::process::Command) -> Ran {
    command.output().unwrap().into()
}

#[test]
fn in_production_nothing_is_applied_promoted_or_exported_in_simulation() {
    let workspace = Workspace::healthy();
    let commands: [&[&str]; 6] = [
        &["respond", "--apply"],
        &["action", "integrity_anchor_mirror", "--apply"],
        &[
            "policy",
            "promote",
            "x",
            "--to",
            "production",
            "--reason",
            "x",
        ],
        &["audit", "export", "--out", "out.jsonl"],
        &["audit", "rotate-key", "--reason", "x"],
        &["override", "enroll", "--show-secret"],
    ];
    for arguments in commands {
        for (simulation, why) in [
            (Some("true"), "SIMULATION_MODE=true"),
            (None, "no VAULT_ADDR"),
        ] {
            let mut command = workspace.command(arguments);
            command.env("ENV", "production");
            match simulation {
                Some(value) => command.env("SIMULATION_MODE", value),
                None => command.env_remove("SIMULATION_MODE"),
            };
            let ran = ran(&mut command).exits(4);
            assert!(
                ran.stderr.contains("SIMULATION_FORBIDDEN"),
                "{}",
                ran.stderr
            );
            assert!(ran.stderr.contains(why), "{}", ran.stderr);
        }
    }
    assert!(!workspace.file("out.jsonl").exists());
    // Looking and deciding goes on, and elsewhere nothing is in the way.
    let mut decides = workspace.command(&["run", "--retry-delays", "0,0,0"]);
    ran(decides
        .env("ENV", "production")
        .env("SIMULATION_MODE", "true"))
    .exits(0);
    // What was said to be simulated has no effects elsewhere either; that no server is named is no matter.
    let mut said = workspace.command(&["audit", "export", "--out", "out.jsonl"]);
    ran(said.env("SIMULATION_MODE", "true")).exits(4);
    let mut elsewhere = workspace.command(&["audit", "export", "--out", "out.jsonl"]);
    ran(elsewhere.env_remove("SIMULATION_MODE")).exits(0);
}

#[test]
fn another_value_of_simulation_mode_is_an_error() {
    let workspace = Workspace::healthy();
    for value in ["yes", "TRUE", "1"] {
        let mut command = workspace.command(&["audit", "export", "--out", "out.jsonl"]);
        let ran = ran(command
            .env("ENV", "production")
            .env("SIMULATION_MODE", value))
        .exits(1);
        assert!(ran.stderr.contains("VAULT_UNUSABLE"), "{}", ran.stderr);
    }
}

#[test]
fn a_secret_that_is_said_to_be_in_vault_is_never_passed_over() {
    let workspace = Workspace::healthy();
    let mut command = workspace.command(&["run"]);
    command.env("POLICY_AUDIT_SECRET_VAULT", "secret/policy#audit");
    let without = ran(&mut command).exits(1);
    assert!(
        without.stderr.contains("VAULT_UNAVAILABLE"),
        "{}",
        without.stderr
    );
    let mut odd = workspace.command(&["run"]);
    odd.env("POLICY_AUDIT_SECRET_VAULT", "secret");
    let odd = ran(&mut odd).exits(1);
    assert!(odd.stderr.contains("MOUNT/PATH#FIELD"), "{}", odd.stderr);
    let mut both = workspace.command(&["run"]);
    both.env("POLICY_AUDIT_SECRET_VAULT", "secret/policy#audit")
        .env(
            "POLICY_AUDIT_SECRET",
            "a secret of at least thirty-two bytes",
        );
    let both = ran(&mut both).exits(1);
    assert!(both.stderr.contains("both set"), "{}", both.stderr);
    assert!(!workspace.file("state/policy_state.json").exists());
}

#[cfg(not(feature = "vault"))]
#[test]
fn a_program_without_the_feature_says_so() {
    let workspace = Workspace::healthy();
    let mut command = workspace.command(&["run"]);
    command
        .env("POLICY_AUDIT_SECRET_VAULT", "secret/policy#audit")
        .env("VAULT_ADDR", "http://127.0.0.1:1")
        .env("VAULT_TOKEN", "hvs.x");
    let ran = ran(&mut command).exits(1);
    assert!(
        ran.stderr
            .contains("this build has no Vault: cargo feature `vault`"),
        "{}",
        ran.stderr
    );
}

/// Secret changes need an approver, and then Vault.
#[test]
fn in_production_a_secret_is_changed_only_with_an_approver() {
    let workspace = Workspace::healthy();
    let mut command =
        workspace.command(&["override", "enroll", "--show-secret", "--account", "ops"]);
    let refused = ran(command.env("ENV", "production")).exits(4);
    assert!(
        refused.stderr.contains("Approver required in production"),
        "{}",
        refused.stderr
    );
    assert_eq!(refused.stdout, "");
}

#[cfg(feature = "vault")]
mod server {
    use std::collections::BTreeMap;
    use std::io::{BufRead as _, BufReader, Read as _, Write as _};
    use std::net::{TcpListener, TcpStream};
    use std::sync::{Arc, Mutex};

    use base64::Engine as _;
    use base64::engine::general_purpose::STANDARD;
    use policy_orchestrator::keys::{Algorithm, PrivateKey};
    use policy_orchestrator::vault::{self, Given, Settings, Status};
    use serde_json::{Value, json};
    use zeroize::Zeroizing;

    use super::*;

    const TOKEN: &str = "hvs.canary-vault-token";
    const SECRET: &str = "canary-from-vault-of-thirty-two-bytes";

    /// How the server behaves.
    #[derive(Clone, Copy, PartialEq)]
    enum Mood {
        Well,
        Sealed,
        Silent,
        CutsOff,
        NoJson,
        OtherJson,
        NoHttp,
        Redirects,
        Repeats,
        Fails,
    }

    struct State {
        mood: Mood,
        ttl: u64,
        renewable: bool,
        renewed_to: u64,
        secrets: BTreeMap<String, (u64, Value)>,
        keys: BTreeMap<String, PrivateKey>,
        asked: Vec<String>,
        namespace: String,
    }

    struct Server {
        port: u16,
        state: Arc<Mutex<State>>,
    }

    impl Server {
        fn start() -> Self {
            let listener = TcpListener::bind("127.0.0.1:0").unwrap();
            let port = listener.local_addr().unwrap().port();
            let secrets = [(
                "secret/data/policy".to_owned(),
                (1, json!({"audit": SECRET, "number": 4})),
            )];
            let state = Arc::new(Mutex::new(State {
                mood: Mood::Well,
                ttl: 3600,
                renewable: true,
                renewed_to: 3600,
                secrets: secrets.into(),
                keys: BTreeMap::new(),
                asked: Vec::new(),
                namespace: String::new(),
            }));
            let shared = Arc::clone(&state);
            std::thread::spawn(move || {
                for stream in listener.incoming().flatten() {
                    let shared = Arc::clone(&shared);
                    std::thread::spawn(move || answer(stream, &shared));
                }
            });
            Self { port, state }
        }

        fn address(&self) -> String {
            format!("http://127.0.0.1:{}", self.port)
        }

        fn set(&self, change: impl FnOnce(&mut State)) {
            change(&mut self.state.lock().unwrap());
        }

        fn asked(&self) -> Vec<String> {
            std::mem::take(&mut self.state.lock().unwrap().asked)
        }

        fn settings(&self) -> Settings {
            self.settings_with(TOKEN)
        }

        fn settings_with(&self, token: &str) -> Settings {
            Settings::parse(Given {
                address: Some(self.address()),
                token: Some(Zeroizing::new(token.into())),
                timeout: Some("1".to_owned()),
                ..Given::default()
            })
            .unwrap()
        }

        fn command(&self, workspace: &Workspace, arguments: &[&str]) -> std::process::Command {
            let mut command = workspace.command(arguments);
            command
                .env("VAULT_ADDR", self.address())
                .env("VAULT_TOKEN", TOKEN)
                .env("VAULT_CLIENT_TIMEOUT", "2");
            command
        }
    }

    /// One request of HTTP/1.1: method, path, headers in small letters, body.
    fn read(stream: &TcpStream) -> Option<(String, String, BTreeMap<String, String>, Vec<u8>)> {
        let mut reader = BufReader::new(stream.try_clone().ok()?);
        let mut line = String::new();
        reader.read_line(&mut line).ok()?;
        let mut words = line.split_whitespace().map(str::to_owned);
        let (method, path) = (words.next()?, words.next()?);
        let mut headers = BTreeMap::new();
        loop {
            let mut line = String::new();
            reader.read_line(&mut line).ok()?;
            let Some((name, value)) = line.trim_end().split_once(':') else {
                break;
            };
            headers.insert(name.to_lowercase(), value.trim().to_owned());
        }
        let length = headers.get("content-length").and_then(|n| n.parse().ok());
        let mut body = vec![0; length.unwrap_or(0)];
        reader.read_exact(&mut body).ok()?;
        Some((method, path, headers, body))
    }

    fn answer(mut stream: TcpStream, shared: &Mutex<State>) {
        let Some((method, path, headers, body)) = read(&stream) else {
            return;
        };
        let path = path.strip_prefix("/v1/").unwrap_or_default().to_owned();
        let header = |name: &str| headers.get(name).cloned().unwrap_or_default();
        let mood = {
            let mut state = shared.lock().unwrap();
            state.asked.push(format!("{method} {path}"));
            state.namespace = header("x-vault-namespace");
            state.mood
        };
        let (status, said) = match mood {
            Mood::Silent => {
                std::thread::sleep(std::time::Duration::from_secs(5));
                return;
            }
            Mood::CutsOff => {
                let _ =
                    stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 5000\r\n\r\n{\"data\"");
                return;
            }
            Mood::NoHttp => {
                let _ = stream.write_all(b"SSH-2.0-OpenSSH_9.9\r\n\r\n");
                return;
            }
            Mood::NoJson => (200, "<html>".to_owned()),
            Mood::OtherJson => (200, json!({"data": {"data": [TOKEN]}}).to_string()),
            Mood::Redirects => (307, String::new()),
            Mood::Sealed => (503, json!({"errors": ["Vault is sealed"]}).to_string()),
            Mood::Fails => (500, json!({"errors": ["internal error"]}).to_string()),
            Mood::Repeats => (
                400,
                json!({"errors": [format!("bad token {}", header("x-vault-token"))]}).to_string(),
            ),
            Mood::Well if path == "sys/health" => (
                200,
                json!({"initialized": true, "sealed": false, "standby": false}).to_string(),
            ),
            Mood::Well if header("x-vault-token") != TOKEN => {
                (403, json!({"errors": ["permission denied"]}).to_string())
            }
            Mood::Well => {
                let (status, value) = serve(&mut shared.lock().unwrap(), &method, &path, &body);
                (status, value.to_string())
            }
        };
        let _ = write!(
            stream,
            "HTTP/1.1 {status} X\r\nContent-Type: application/json\r\nLocation: http://127.0.0.1:1/\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{said}",
            said.len()
        );
    }

    fn serve(state: &mut State, method: &str, path: &str, body: &[u8]) -> (u16, Value) {
        let body: Value = serde_json::from_slice(body).unwrap_or_default();
        let nothing = || (404, json!({"errors": []}));
        match (method, path) {
            ("GET", "auth/token/lookup-self") => (
                200,
                json!({"data": {"ttl": state.ttl, "renewable": state.renewable,
                    "expire_time": "2026-01-15T12:00:00Z", "policies": ["policy"]}}),
            ),
            ("POST", "auth/token/renew-self") => (
                200,
                json!({"auth": {"lease_duration": state.renewed_to, "renewable": true,
                    "client_token": TOKEN}}),
            ),
            ("GET", path) if path.starts_with("transit/keys/") => {
                let Some(key) = state.keys.get(&path["transit/keys/".len()..]) else {
                    return nothing();
                };
                let public = key.verifying();
                let (kind, text) = match public.algorithm() {
                    Algorithm::Ed25519 => ("ed25519", STANDARD.encode(&public.to_der()[12..])),
                    Algorithm::EcdsaP256 => ("ecdsa-p256", public.to_pem()),
                };
                (
                    200,
                    json!({"data": {"type": kind, "latest_version": 1,
                        "keys": {"1": {"public_key": text, "name": kind}}}}),
                )
            }
            ("POST", path) if path.starts_with("transit/sign/") => {
                let Some(key) = state.keys.get(&path["transit/sign/".len()..]) else {
                    return nothing();
                };
                let input = STANDARD.decode(body["input"].as_str().unwrap()).unwrap();
                let signature = STANDARD.encode(key.sign(&input));
                (
                    200,
                    json!({"data": {"signature": format!("vault:v1:{signature}"), "key_version": 1}}),
                )
            }
            ("GET", path) => match state.secrets.get(path) {
                None => nothing(),
                Some((version, data)) => (
                    200,
                    json!({"data": {"data": data, "metadata": {"version": version}}}),
                ),
            },
            (_, path) => {
                let before = state.secrets.get(path).map_or(0, |(version, _)| *version);
                if body["options"]["cas"] != before {
                    let said = "check-and-set parameter did not match the current version";
                    return (400, json!({"errors": [said]}));
                }
                let entry = (before + 1, body["data"].clone());
                state.secrets.insert(path.to_owned(), entry);
                (200, json!({"data": {"version": before + 1}}))
            }
        }
    }

    #[test]
    fn the_status_is_what_the_server_says() {
        let server = Server::start();
        let status = || vault::status(&server.settings());
        assert_eq!(status(), Status::Ready);
        assert_eq!(
            server.asked(),
            ["GET sys/health", "GET auth/token/lookup-self"]
        );
        server.set(|state| state.mood = Mood::Sealed);
        assert_eq!(status(), Status::Sealed);
        for mood in [
            Mood::Silent,
            Mood::CutsOff,
            Mood::NoJson,
            Mood::OtherJson,
            Mood::NoHttp,
            Mood::Redirects,
            Mood::Fails,
            Mood::Repeats,
        ] {
            server.set(|state| state.mood = mood);
            let Status::Unreachable(why) = status() else {
                panic!("{:?}", status())
            };
            assert!(!why.contains(TOKEN), "{why}");
        }
        server.set(|state| state.mood = Mood::Well);
        let Status::Refused(why) = vault::status(&server.settings_with("hvs.another")) else {
            panic!()
        };
        assert!(why.contains("permission denied"), "{why}");
        let gone = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = gone.local_addr().unwrap().port();
        drop(gone);
        let nobody = Settings::parse(Given {
            address: Some(format!("http://127.0.0.1:{port}")),
            token: Some(Zeroizing::new(TOKEN.into())),
            ..Given::default()
        });
        assert!(matches!(
            vault::status(&nobody.unwrap()),
            Status::Unreachable(_)
        ));
    }

    #[test]
    fn a_server_that_speaks_no_tls_does_not_get_the_token() {
        let server = Server::start();
        let settings = Settings::parse(Given {
            address: Some(server.address().replace("http:", "https:")),
            token: Some(Zeroizing::new(TOKEN.into())),
            timeout: Some("2".to_owned()),
            ..Given::default()
        });
        let Status::Unreachable(why) = vault::status(&settings.unwrap()) else {
            panic!()
        };
        assert!(why.contains("TLS"), "{why}");
        assert_eq!(server.asked(), Vec::<String>::new());
    }

    /// What `openssl s_server -HTTP` hands out: files that hold the head of the answer too.
    fn over_tls(directory: &Workspace) -> (std::process::Child, u16) {
        let usual = "req -x509 -newkey rsa:2048 -nodes -days 2";
        let authority = "-keyout ca.key -out ca.pem -subj /CN=authority";
        let leaf = "-keyout tls.key -out tls.pem -subj /CN=127.0.0.1 -CA ca.pem -CAkey ca.key -addext basicConstraints=critical,CA:FALSE -addext subjectAltName=IP:127.0.0.1";
        let openssl = |arguments: &[&str]| {
            let mut command = std::process::Command::new("openssl");
            command
                .args(arguments)
                .current_dir(directory.path())
                .stdin(std::process::Stdio::null())
                .stdout(std::process::Stdio::null())
                .stderr(std::process::Stdio::null());
            command
        };
        for further in [authority, leaf] {
            let words: Vec<&str> = usual.split(' ').chain(further.split(' ')).collect();
            assert!(openssl(&words).status().unwrap().success());
        }
        let answer = |path: &str, body: &Value| {
            let body = body.to_string();
            directory.write(
                path,
                format!(
                    "HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{body}",
                    body.len()
                ),
            );
        };
        answer(
            "v1/sys/health",
            &json!({"initialized": true, "sealed": false}),
        );
        answer(
            "v1/auth/token/lookup-self",
            &json!({"data": {"ttl": 0, "renewable": false, "expire_time": null}}),
        );
        let free = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = free.local_addr().unwrap().port();
        drop(free);
        let accept = format!("127.0.0.1:{port}");
        let serve = [
            "s_server", "-accept", &accept, "-cert", "tls.pem", "-key", "tls.key", "-HTTP",
        ];
        let child = openssl(&serve).spawn().unwrap();
        while TcpStream::connect(&accept).is_err() {
            std::thread::sleep(std::time::Duration::from_millis(20));
        }
        (child, port)
    }

    #[test]
    fn a_certificate_counts_where_an_authority_vouches_for_it_that_is_named() {
        let directory = Workspace::empty();
        let (mut child, port) = over_tls(&directory);
        let status = |authority: Option<&str>, host: &str| {
            let settings = Settings::parse(Given {
                address: Some(format!("https://{host}:{port}")),
                token: Some(Zeroizing::new(TOKEN.into())),
                authority: authority.map(|name| directory.file(name)),
                ..Given::default()
            });
            vault::status(&settings.unwrap())
        };
        let all = [
            status(Some("ca.pem"), "127.0.0.1"),
            status(None, "127.0.0.1"),
            status(Some("ca.pem"), "localhost"),
            status(Some("tls.key"), "127.0.0.1"),
            status(Some("absent.pem"), "127.0.0.1"),
        ];
        let _ = child.kill();
        child.wait().unwrap();
        let [trusted, untrusted, other_host, no_certificate, absent] = all;
        assert_eq!(trusted, Status::Ready);
        for (status, expected) in [
            (untrusted, "not trusted"),
            (other_host, "not trusted"),
            (no_certificate, "holds no certificate"),
            (absent, "can't be read"),
        ] {
            let Status::Unreachable(why) = status else {
                panic!("{status:?}")
            };
            assert!(why.contains(expected), "{expected}: {why}");
        }
    }

    #[test]
    fn a_token_is_renewed_when_its_time_is_short_and_refused_when_it_is_over() {
        let server = Server::start();
        server.set(|state| state.ttl = 10);
        assert_eq!(vault::status(&server.settings()), Status::Ready);
        assert!(
            server
                .asked()
                .contains(&"POST auth/token/renew-self".to_owned())
        );
        server.set(|state| state.renewed_to = 3);
        let Status::Refused(why) = vault::status(&server.settings()) else {
            panic!()
        };
        assert!(why.contains("longest time"), "{why}");
        server.set(|state| state.renewable = false);
        let Status::Refused(why) = vault::status(&server.settings()) else {
            panic!()
        };
        assert!(why.contains("expires in 10 s"), "{why}");
    }

    #[test]
    fn test_p2_vault_write_occurs() {
        let server = Server::start();
        let settings = server.settings();
        let kept = vault::write_signature(&settings, "T-1", "signature", "bob").unwrap();
        assert_eq!(
            (kept.place.as_str(), kept.simulated),
            ("secret/signatures/T-1", false)
        );
        let stored = server.state.lock().unwrap().secrets["secret/data/signatures/T-1"].clone();
        assert_eq!(
            stored,
            (1, json!({"signed": "signature", "approver": "bob"}))
        );
        // A second time nothing is written, and nothing is written over.
        vault::write_signature(&settings, "T-1", "signature", "bob").unwrap();
        let taken = vault::write_signature(&settings, "T-1", "another", "eve").unwrap_err();
        assert!(
            taken.to_string().contains("another signed record"),
            "{taken}"
        );
        assert_eq!(
            server.state.lock().unwrap().secrets["secret/data/signatures/T-1"],
            stored
        );
    }

    #[test]
    fn the_audit_secret_comes_from_vault_and_is_never_said() {
        let server = Server::start();
        let workspace = Workspace::healthy();
        let run = |arguments: &[&str]| {
            let mut command = server.command(&workspace, arguments);
            command
                .env("POLICY_AUDIT_SECRET_VAULT", "secret/policy#audit")
                .env("VAULT_NAMESPACE", "team/a");
            ran(&mut command)
        };
        let decided = run(&["run", "-v", "--retry-delays", "0,0,0"]).exits(0);
        assert_eq!(server.state.lock().unwrap().namespace, "team/a");
        let verified = run(&["audit", "verify", "-v"]).exits(0);
        for said in [
            &decided.stdout,
            &decided.stderr,
            &verified.stdout,
            &verified.stderr,
        ] {
            assert!(!said.contains("canary"), "{said}");
        }
        // The journal is signed with it: the same secret in the environment verifies.
        let mut same = workspace.command(&["audit", "verify", "--format", "json"]);
        let verified = ran(same.env("POLICY_AUDIT_SECRET", SECRET)).exits(0);
        assert!(verified.stdout.contains("key"), "{}", verified.stdout);
        let mut other = workspace.command(&["audit", "verify"]);
        ran(other.env("POLICY_AUDIT_SECRET", format!("{SECRET}x"))).exits(5);
        for (name, bytes) in workspace.snapshot() {
            let found = memchr::memmem::find(&bytes, b"canary");
            assert_eq!(found, None, "{}", name.display());
        }
    }

    #[test]
    fn what_vault_does_not_give_stops_the_command_with_what_to_do() {
        let server = Server::start();
        let workspace = Workspace::healthy();
        let told = |reference: &str, token: &str| {
            let mut command = server.command(&workspace, &["run"]);
            command
                .env("POLICY_AUDIT_SECRET_VAULT", reference)
                .env("VAULT_TOKEN", token);
            let ran = ran(&mut command).exits(1);
            assert!(!ran.stderr.contains("canary"), "{}", ran.stderr);
            ran.stderr
        };
        let usual = || told("secret/policy#audit", TOKEN);
        for (text, expected) in [
            (told("secret/nothing#audit", TOKEN), "vault kv get"),
            (told("secret/policy#other", TOKEN), "no such field"),
            (told("secret/policy#number", TOKEN), "no such field"),
            (
                told("secret/policy#audit", "hvs.wrong"),
                "vault token lookup",
            ),
            (told("secret/policy#audit", "two words"), "VAULT_TOKEN"),
        ] {
            assert!(text.contains(expected), "{expected}: {text}");
        }
        for (mood, expected) in [
            (Mood::Sealed, "vault operator unseal"),
            (Mood::Silent, "no answer within 2 s"),
            (Mood::CutsOff, "cut off"),
            (Mood::NoJson, "none of Vault's"),
            (Mood::Redirects, "active node"),
            (Mood::Repeats, "bad token <REDACTED>"),
        ] {
            server.set(|state| state.mood = mood);
            let text = usual();
            assert!(text.contains(expected), "{expected}: {text}");
        }
        assert!(!workspace.file("state/policy_state.json").exists());
    }

    #[test]
    fn a_key_that_never_leaves_vault_signs_and_its_public_half_verifies() {
        let server = Server::start();
        let workspace = Workspace::healthy();
        workspace.run().exits(0);
        for (name, algorithm) in [("e", Algorithm::Ed25519), ("p", Algorithm::EcdsaP256)] {
            let key = PrivateKey::generate(algorithm).unwrap();
            workspace.write(&format!("{name}.pub"), key.verifying().to_pem());
            server.set(|state| {
                state.keys.insert(name.to_owned(), key);
            });
            let (out, public) = (format!("{name}.json"), format!("{name}.pub"));
            let named = format!("vault-transit:{name}");
            let attest = ["attest", "--key", &named, "--out", &out];
            ran(&mut server.command(&workspace, &attest)).exits(0);
            // Offline, by the public half in a file; and by the one that Vault tells.
            let verify = ["attest", "verify", &out, "--key", &public];
            workspace.program(&verify).exits(0);
            let verify = ["attest", "verify", &out, "--key", &named];
            ran(&mut server.command(&workspace, &verify)).exits(0);
        }
        let other = ["attest", "verify", "e.json", "--key", "p.pub"];
        workspace.program(&other).exits(5);
        // A server that signs with another key than it shows is found out.
        let unknown = ["attest", "--key", "vault-transit:x", "--out", "x.json"];
        ran(&mut server.command(&workspace, &unknown)).exits(1);
        assert!(!workspace.file("x.json").exists());
    }

    /// Rotation of the signing secret in production, with bob's approval and the record in Vault.
    #[test]
    fn a_signing_secret_is_rotated_in_production_with_an_approver_and_a_record_in_vault() {
        const OLD: &str = "the old secret of at least thirty-two bytes";
        const NEW: &str = "the new secret of at least thirty-two bytes";
        let server = Server::start();
        let workspace = Workspace::healthy();
        let old = |user: &str, arguments: &[&str]| {
            let mut command = workspace.command(arguments);
            command
                .env_remove("GITHUB_ACTOR")
                .env_remove("SUDO_USER")
                .env("USER", user)
                .env("POLICY_APPROVER_KEY_FILE", format!("{user}.key"))
                .env("POLICY_AUDIT_SECRET", OLD);
            ran(&mut command)
        };
        for name in ["ada", "bob"] {
            let file = format!("{name}.key");
            let generate = ["keys", "generate", "--out", &file];
            workspace.program(&generate).exits(0);
        }
        let public = workspace.read("bob.pub");
        workspace.write("policy/bob.pub", public);
        workspace.write(
            "policy/approvers.yaml",
            "schema: 1\napprovers:\n  - name: bob\n    key_file: policy/bob.pub\n    may: [rotate_key]\n",
        );
        old("ada", &["run", "--retry-delays", "0,0,0"]).exits(0);
        let rotate = |with_vault: bool| {
            let arguments = ["audit", "rotate-key", "--reason", "yearly"];
            let mut command = if with_vault {
                server.command(&workspace, &arguments)
            } else {
                workspace.command(&arguments)
            };
            command
                .env_remove("GITHUB_ACTOR")
                .env_remove("SUDO_USER")
                .env("USER", "ada")
                .env("ENV", "production")
                .env("POLICY_AUDIT_SECRET", NEW)
                .env("POLICY_AUDIT_OLD_SECRET", OLD);
            ran(&mut command)
        };
        let refused = rotate(true).exits(4);
        assert!(
            refused.stderr.contains("Approver required in production"),
            "{}",
            refused.stderr
        );
        let (_, rest) = refused.stderr.split_once("--subject ").unwrap();
        let id = rest.split_whitespace().next().unwrap();
        let request = [
            "approve",
            "request",
            "--operation",
            "rotate_key",
            "--subject",
            id,
            "--reason",
            "yearly",
        ];
        let asked = old("ada", &request).exits(0).json();
        let approval = asked["id"].as_str().unwrap();
        rotate(true).exits(4);
        old("bob", &["approve", "grant", approval, "--as", "bob"]).exits(0);
        let without = rotate(false).exits(4);
        assert!(
            without.stderr.contains("signed record in Vault"),
            "{}",
            without.stderr
        );
        rotate(true).exits(0);
        let place = format!("secret/data/signatures/{approval}");
        let (_, record) = server.state.lock().unwrap().secrets[&place].clone();
        assert_eq!(record["approver"], "bob");
        assert!(record["signed"].as_str().unwrap().contains("payloadType"));
        let mut verify = workspace.command(&["audit", "verify"]);
        ran(verify
            .env("POLICY_AUDIT_SECRET", NEW)
            .env("POLICY_AUDIT_OLD_SECRET", OLD))
        .exits(0);
        let log = workspace.read("state/audit.log");
        assert!(log.contains("SECRET_CHANGED"), "{log}");
        // Used: another change needs another approval.
        assert!(
            workspace
                .read("state/approval_requests.jsonl")
                .contains("USED")
        );
    }
}
