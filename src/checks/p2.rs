//! P-2, Secrets & Signing: are there secrets in files, do the journals and the policy lock hold, is
//! what is accepted signed, and did a second person approve what production needs approved?

use std::collections::BTreeSet;

use serde_json::json;

use super::artifact::Verdict;
use super::p1::{LIMIT, STORED};
use super::{Ground, Test, vault};
use crate::approval::operation::{Operation, Subject};
use crate::approval::requests::{self, Approved, Wanted};
use crate::diagnostic::{Checked, Code};
use crate::fs::read::read_own;
use crate::fs::tree::{self, Standing};
use crate::keys::dsse::Envelope;
use crate::keys::{Algorithm, PrivateKey};
use crate::protection::{self, Decided};
use crate::record::verify::{Against, Verdict as Held, verify};
use crate::record::{LOOK_BACK, RESPONSE_LOG, StoredState, heads, ledger};
use crate::scan::{self, Selection};

/// What is tested.
pub const TESTS: &[(&str, &str)] = &[
    ("vault", "a signed record is kept under signatures/<task>"),
    (
        "secret_scan",
        "no secret stands in the files of the workspace",
    ),
    (
        "secrets_apart",
        "no value of a secret variable of this process stands in policy/, state/, reports/ or logs/",
    ),
    (
        "journals",
        "every journal is whole from its first line to its head, and signed where a secret is set",
    ),
    (
        "policy_lock",
        "the protected files are those that somebody accepted",
    ),
    (
        "signing_key",
        "the key of COSIGN_KEY_PATH or POLICY_SIGNING_KEY_FILE signs, and its public half verifies",
    ),
    (
        "artifact",
        "the artifact of --artifact is signed by a trusted key",
    ),
    (
        "production_approval",
        "under ENV=production a second person approved the artifact, or the plan that waits",
    ),
];

pub(super) fn tests(ground: &Ground<'_>) -> Vec<Test> {
    // First, since its reason is the one that most reports give.
    let mut tests = vec![
        kept(ground),
        secret_scan(ground),
        secrets_apart(ground),
        journals(ground),
        policy_lock(ground),
        signing_key(ground),
    ];
    tests.extend(ground.artifact.map(|_| artifact(ground)));
    tests.push(approval(ground));
    tests
}

fn secret_scan(ground: &Ground<'_>) -> Test {
    const NAME: &str = "secret_scan";
    let everything = Selection {
        staged: false,
        paths: &[],
    };
    let scan = match scan::secrets(ground.workspace, everything) {
        Ok(scan) => scan,
        Err(finding) => return Test::found(NAME, "the scan could not be made", &finding),
    };
    let (files, allowed) = (scan.files, scan.allowed);
    if let Some(finding) = scan.findings.first() {
        let rest = scan.findings.len() - 1;
        let detail = format!(
            "{}:{}: {}, and {rest} more",
            finding.file,
            finding.leak.line,
            finding.leak.rule.meaning()
        );
        return Test::fail(NAME, "a secret stands in a file", detail)
            .about(&finding.file)
            .remedy("replace the secret everywhere and take it out; `policy-orchestrator scan secrets` lists all");
    }
    if let Some(problem) = scan.problems.first() {
        return Test::found(NAME, "a file could not be scanned", problem);
    }
    Test::pass(
        NAME,
        format!("no secret in {files} files; {allowed} findings are allowed"),
    )
}

/// Secrets come from the environment or a file elsewhere (S0-022): so none of their values stands in
/// what is configured or stored.
fn secrets_apart(ground: &Ground<'_>) -> Test {
    const NAME: &str = "secrets_apart";
    if let Err(finding) = ground.journal_key {
        return Test::found(NAME, "the signing secret can't be used", finding);
    }
    let mut looked_at = 0;
    for directory in STORED.into_iter().chain(["policy"]) {
        let Ok(files) = tree::walk(ground.workspace, directory, &|_| true) else {
            return Test::blocked(NAME, "stored files can't be read", directory);
        };
        let files = files.into_iter();
        for file in files.filter(|file| matches!(file.standing, Standing::File { .. })) {
            let Ok(Some(bytes)) = read_own(ground.workspace, &file.path, LIMIT) else {
                continue;
            };
            looked_at += 1;
            if ground.own_secrets.stand_in(&bytes) {
                let detail = format!("{} holds the value of a secret variable", file.path);
                return Test::fail(NAME, "a secret of this process stands in a file", detail)
                    .about(file.path)
                    .remedy("replace that secret, and find out who wrote it there");
            }
        }
    }
    Test::pass(NAME, format!("none in {looked_at} files"))
}

fn journals(ground: &Ground<'_>) -> Test {
    const NAME: &str = "journals";
    match verified(ground) {
        Ok(Ok(test) | Err(test)) => test,
        Err(finding) => Test::found(NAME, "the record can't be read", &finding),
    }
}

fn verified(ground: &Ground<'_>) -> Checked<Result<Test, Test>> {
    const NAME: &str = "journals";
    let key = ground.key();
    let state = StoredState::load(ground.workspace)?;
    let head = state.as_ref().and_then(StoredState::head);
    let (mut whole, mut lines, mut signed) = (0, 0, 0);
    let mut unchecked = None;
    for (file, head) in heads::of_all(ground.workspace, head)? {
        let found = verify(ground.workspace, &file, Against { head, key })?;
        if found.verdict == Held::Broken {
            let test = match found.problems.first() {
                Some(problem) => Test::found(NAME, "a journal was changed", problem),
                None => Test::fail(NAME, "a journal was changed", &file),
            };
            let remedy = format!(
                "`policy-orchestrator audit verify` tells all; find out who changed {file}"
            );
            return Ok(Err(test.about(file).remedy(remedy).tampered()));
        }
        whole += u64::from(found.verdict == Held::Whole);
        lines += found.lines;
        signed += found.signed;
        if found.unchecked > 0 && unchecked.is_none() {
            unchecked = Some(file);
        }
    }
    let detail = format!("whole journals: {whole}, lines: {lines}, signed: {signed}");
    if let Some(file) = unchecked {
        let detail = format!("{detail}; signatures of {file} could not be checked");
        return Ok(Err(no_secret(Test::blocked(NAME, NO_SECRET, detail))));
    }
    if key.is_none() {
        let detail = format!("{detail}: nothing signs them");
        return Ok(Err(no_secret(Test::blocked(NAME, NO_SECRET, detail))));
    }
    Ok(Ok(Test::pass(NAME, detail)))
}

const NO_SECRET: &str = "signing secret missing";

fn no_secret(test: Test) -> Test {
    test.remedy("set POLICY_AUDIT_SECRET or POLICY_AUDIT_SECRET_FILE; `head -c 32 /dev/urandom | base64` makes a secret")
}

fn policy_lock(ground: &Ground<'_>) -> Test {
    const NAME: &str = "policy_lock";
    let decided = Decided::load(ground.workspace);
    let looked =
        decided.and_then(|decided| protection::look(ground.workspace, ground.key(), decided));
    let looked = match looked {
        Ok(looked) => looked,
        Err(finding) => return Test::found(NAME, "the lock can't be read", &finding),
    };
    if let Some(finding) = looked.findings().first() {
        return Test::found(NAME, "a protected file was changed", finding).tampered();
    }
    match looked.locked {
        Some(locked) => Test::pass(
            NAME,
            format!(
                "{} files as they were accepted",
                locked.manifest.files.len()
            ),
        ),
        None => Test::blocked(
            NAME,
            "policies not locked",
            "nothing holds the policies to their bytes",
        )
        .remedy("`policy-orchestrator policy lock --reason TEXT` locks them"),
    }
}

/// What is signed to see whether a key works.
const PROBE: &str = "application/vnd.policy-orchestrator.check+json";

fn signing_key(ground: &Ground<'_>) -> Test {
    const NAME: &str = "signing_key";
    match ground.signing_key {
        Err(finding) => Test::found(NAME, "the signing key can't be used", finding),
        Ok(None) => Test::blocked(
            NAME,
            "signing key missing",
            "neither COSIGN_KEY_PATH nor POLICY_SIGNING_KEY_FILE names one",
        )
        .remedy("`policy-orchestrator keys generate --out FILE` makes one; name FILE in COSIGN_KEY_PATH"),
        Ok(Some(key)) => {
            let public = key.verifying();
            let envelope = Envelope::new(PROBE, b"{}".to_vec()).signed(key);
            if envelope.signers(std::slice::from_ref(&public)).is_empty() {
                return Test::fail(NAME, "the signing key does not verify", public.id().short());
            }
            Test::pass(
                NAME,
                format!("{} key {} signs", public.algorithm(), public.id().short()),
            )
        }
    }
}

fn artifact(ground: &Ground<'_>) -> Test {
    const NAME: &str = "artifact";
    let Some(artifact) = ground.artifact else {
        return Test::pass(NAME, "none was given");
    };
    let sign = "sign it: `cosign sign-blob --key cosign.key FILE > FILE.sig`";
    match artifact.verify(ground.trusted) {
        Verdict::Signed(signers) => {
            let signers: Vec<String> = signers.iter().map(crate::keys::KeyId::short).collect();
            Test::pass(
                NAME,
                format!("{} is signed by {}", artifact.name, signers.join(", ")),
            )
        }
        Verdict::Unsigned => Test::fail(
            NAME,
            "the artifact is not signed",
            format!(
                "{} is no DSSE envelope, and no {}.sig stands beside it",
                artifact.name, artifact.name
            ),
        )
        .remedy(sign),
        Verdict::Wrong => Test::fail(
            NAME,
            "the artifact's signature is wrong",
            format!("no trusted key signed these bytes of {}", artifact.name),
        )
        .remedy("find out who changed it or signed it, and do not accept it"),
        Verdict::Unreadable(why) => {
            Test::fail(NAME, "the artifact's signature can't be read", why).remedy(sign)
        }
        Verdict::NoKey => Test::blocked(
            NAME,
            "public key missing",
            format!(
                "{} is signed, and no key was given to check that",
                artifact.name
            ),
        )
        .remedy("name the public key with --key, or a signing key in COSIGN_KEY_PATH"),
    }
}

/// Keeps a signed record of what this task accepts. Where only a simulation keeps it, that was tried
/// out all the same, and the policy is blocked (S0-065).
fn kept(ground: &Ground<'_>) -> Test {
    const NAME: &str = "vault";
    let unavailable = ground.vault.unavailable();
    if ground.production && ground.simulation == Some(true) {
        return Test::fail(
            NAME,
            "simulation in production",
            "SIMULATION_MODE is `true` under ENV=production",
        )
        .remedy("unset SIMULATION_MODE; production takes a real Vault");
    }
    if let Some(vault::Unavailable { found, remedy }) = &unavailable
        && let Some(why) = unsimulated(ground)
    {
        let detail = format!("{found}; {why}");
        return Test::blocked(NAME, "Vault unavailable", detail).remedy(remedy);
    }
    let place = match keep_record(ground, None) {
        Ok(place) => place,
        Err(finding) if unavailable.is_some() => {
            return Test::found(NAME, "the simulated record can't be kept", &finding);
        }
        Err(finding) => {
            let blocked = Test::blocked(NAME, "Vault unavailable", finding.to_string());
            return blocked.remedy(finding.help.unwrap_or_default());
        }
    };
    match unavailable {
        None => Test::pass(NAME, format!("a signed record is kept at {place}")),
        Some(vault::Unavailable { found, remedy }) => Test::blocked(
            NAME,
            "Vault unavailable",
            format!("{found}; simulated: a signed record at {place}"),
        )
        .about(place)
        .remedy(remedy),
    }
}

/// Why nothing stands in for Vault.
fn unsimulated(ground: &Ground<'_>) -> Option<&'static str> {
    match ground.simulation {
        _ if ground.production => Some("nothing is simulated under ENV=production"),
        Some(false) => Some("SIMULATION_MODE is `false`, so nothing is simulated"),
        _ if !ground.vault.is_simulation() => Some("nothing is simulated beside a real address"),
        _ => None,
    }
}

/// Signs the record and keeps it. Without a key one is made for it, which nobody can mistake for
/// a person's.
fn keep_record(ground: &Ground<'_>, approver: Option<&str>) -> Checked<String> {
    let payload = json!({
        "id": ground.task,
        "approved_by": approver,
        "artifact": ground.artifact.map(|artifact| artifact.sha256),
        "at": ground.at,
    });
    let envelope = Envelope::new(PROBE, payload.to_string().into_bytes());
    let signed = match ground.signing_key {
        Ok(Some(key)) => envelope.signed(key),
        Ok(None) | Err(_) => envelope.signed(&PrivateKey::generate(Algorithm::Ed25519)?),
    };
    ground.vault.keep(ground.task, &signed, approver)
}

fn approval(ground: &Ground<'_>) -> Test {
    const NAME: &str = "production_approval";
    if !ground.production {
        return Test::pass(
            NAME,
            "ENV is not `production`, which alone asks for an approval",
        );
    }
    let (operation, subject, what) = match (ground.artifact, waiting(ground)) {
        (Some(artifact), _) => (
            Operation::Artifact,
            Subject::of(artifact.sha256),
            artifact.name.clone(),
        ),
        (None, Ok(Some(subject))) => (
            Operation::Apply,
            subject,
            "the plan of the last dry run".to_owned(),
        ),
        (None, Ok(None)) => return Test::pass(NAME, "no artifact was given and no plan waits"),
        (None, Err(finding)) => return Test::found(NAME, "the record can't be read", &finding),
    };
    match require_approval_for_production(ground, operation, subject) {
        Ok(approved) => {
            let detail = format!("{what}: {} approved it ({})", approved.approver, approved.id);
            match keep_record(ground, Some(&approved.approver)) {
                Ok(_) => Test::pass(NAME, detail),
                // What the test `vault` says already.
                Err(_) if ground.vault.unavailable().is_some() => Test::pass(NAME, detail),
                Err(finding) => Test::found(NAME, "the approval can't be kept", &finding),
            }
        }
        Err(Refusal::Unapproved(why)) => Test::awaiting(
            NAME,
            "Approver required in production",
            format!("{what}: {why}"),
        )
        .remedy(format!(
            "`policy-orchestrator approve request --operation {operation} --subject {} --reason TEXT`, and let somebody else grant it",
            subject.sha256
        )),
        Err(Refusal::Unreadable(finding)) => {
            Test::found(NAME, "approvals can't be read", &finding)
        }
    }
}

/// Why something is not approved.
#[derive(Debug)]
pub enum Refusal {
    /// Nobody approved it, or not validly: why.
    Unapproved(String),
    /// The approvals can't be read.
    Unreadable(Box<crate::diagnostic::Diagnostic>),
}

/// The approval that a change needs under `ENV=production` (S0-027, S0-029).
pub fn require_approval_for_production(
    ground: &Ground<'_>,
    operation: Operation,
    subject: Subject,
) -> Result<Approved, Refusal> {
    let wanted = Wanted {
        operation,
        subject,
        user: ground.user,
    };
    match requests::find(ground.workspace, ground.key(), wanted, ground.at) {
        Ok(found) => found.map_err(Refusal::Unapproved),
        // Nobody is listed who could approve.
        Err(finding)
            if matches!(
                finding.code,
                Code::ApproversUnusable | Code::ApprovalRefused
            ) =>
        {
            Err(Refusal::Unapproved(finding.to_string()))
        }
        Err(finding) => Err(Refusal::Unreadable(finding)),
    }
}

/// The plan of the last dry run, unless it was applied since.
fn waiting(ground: &Ground<'_>) -> Checked<Option<Subject>> {
    #[derive(serde::Deserialize)]
    struct Line {
        plan: Option<crate::ids::Digest>,
        #[serde(default)]
        blocked: bool,
    }
    let Some(pending) = ground.pending else {
        return Ok(None);
    };
    let (mut left, mut applied) = (LOOK_BACK, BTreeSet::new());
    ledger::back(ground.workspace, RESPONSE_LOG, |line| {
        if let Ok(Line {
            plan: Some(plan),
            blocked: false,
        }) = serde_json::from_slice(line)
        {
            applied.insert(*plan.as_bytes());
        }
        left -= 1;
        left > 0
    })?;
    let is_applied = applied.contains(pending.sha256.as_bytes());
    Ok((!is_applied).then_some(*pending))
}
