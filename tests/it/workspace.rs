//! Workspaces for tests, and the program run in them.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use serde_json::Value;

/// The evaluation time of tests that don't care.
pub(crate) const AT: &str = "2026-01-15T12:00:00Z";

/// The six built-in signals, in the order in which they are read.
pub(crate) const SIGNALS: [&str; 6] = [
    "trust",
    "integrity",
    "consensus",
    "reputation",
    "forecast",
    "responses",
];

/// A temporary directory with six healthy signals, or fewer.
pub(crate) struct Workspace {
    directory: tempfile::TempDir,
}

/// What a run of the program came to.
pub(crate) struct Ran {
    pub(crate) code: i32,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Ran {
    /// Standard output as JSON.
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.stdout)
            .unwrap_or_else(|error| panic!("{error}: {}\n{}", self.stdout, self.stderr))
    }

    /// Checks the exit code and hands itself on.
    #[track_caller]
    pub(crate) fn exits(self, code: i32) -> Self {
        assert_eq!(
            self.code, code,
            "stdout: {}\nstderr: {}",
            self.stdout, self.stderr
        );
        self
    }
}

impl From<Output> for Ran {
    fn from(output: Output) -> Self {
        Self {
            code: output.status.code().unwrap_or(-1),
            stdout: String::from_utf8(output.stdout).unwrap(),
            stderr: String::from_utf8(output.stderr).unwrap(),
        }
    }
}

impl Workspace {
    /// An empty one.
    pub(crate) fn empty() -> Self {
        Self {
            directory: tempfile::tempdir().unwrap(),
        }
    }

    /// One whose six signals are healthy.
    pub(crate) fn healthy() -> Self {
        let workspace = Self::empty();
        workspace.write("trust_lock_state.json", r#"{"locked": false}"#);
        workspace.integrity("97.5");
        workspace.write(
            "federation/weighted_consensus.json",
            r#"{"weighted_agreement_pct": 95.0}"#,
        );
        workspace.write(
            "federation/reputation_index.json",
            r#"{"peers": [{"reputation_score": 85.0}]}"#,
        );
        workspace.forecast("low");
        workspace.responses(2);
        workspace
    }

    pub(crate) fn path(&self) -> &Path {
        self.directory.path()
    }

    pub(crate) fn file(&self, name: &str) -> PathBuf {
        self.path().join(name)
    }

    pub(crate) fn write(&self, name: &str, content: impl AsRef<[u8]>) {
        let path = self.file(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, content).unwrap();
    }

    pub(crate) fn read(&self, name: &str) -> String {
        String::from_utf8(self.bytes(name)).unwrap()
    }

    pub(crate) fn bytes(&self, name: &str) -> Vec<u8> {
        std::fs::read(self.file(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
    }

    pub(crate) fn integrity(&self, score: &str) {
        self.write(
            "exports/integrity_metrics_registry.csv",
            format!("timestamp,integrity_score\n2026-01-15T04:00:00Z,{score}\n"),
        );
    }

    pub(crate) fn forecast(&self, risk: &str) {
        self.write(
            "forensics/forensics_anomaly_forecast.json",
            format!(r#"{{"status": "success", "risk_level": "{risk}"}}"#),
        );
    }

    /// So many responses within the window before [`AT`].
    pub(crate) fn responses(&self, count: usize) {
        let line = |index: usize| {
            format!(
                "{{\"timestamp\":\"2026-01-15T{:02}:00:00Z\",\"event_type\":\"ADAPTIVE_RESPONSE\"}}\n",
                index % 12
            )
        };
        self.write(
            "forensics/response_history.jsonl",
            (0..count).map(line).collect::<String>(),
        );
    }

    /// The program with arguments, in this workspace, with a clean environment.
    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_policy-orchestrator"));
        command
            .args(arguments)
            .current_dir(self.path())
            .stdin(Stdio::null());
        for name in [
            "POLICY_AUDIT_SECRET",
            "POLICY_AUDIT_SECRET_FILE",
            "POLICY_AUDIT_SECRET_VAULT",
            "POLICY_TENANT_KEY",
            "VAULT_ADDR",
            "VAULT_TOKEN",
            "VAULT_TOKEN_FILE",
            "VAULT_NAMESPACE",
            "VAULT_CACERT",
            "POLICY_AUDIT_OLD_SECRET",
            "POLICY_AUDIT_OLD_SECRET_FILE",
            "SCALPEL_AUDIT_SECRET",
            "POLICY_WORKSPACE",
            "POLICY_SIGNING_KEY_FILE",
            "POLICY_KEY_PASSWORD",
            "COSIGN_KEY_PATH",
            "COSIGN_PASSWORD",
            "POLICY_APPROVER_KEY_FILE",
            "POLICY_TOTP_SECRET",
            "POLICY_TOTP_SECRET_FILE",
            "SCALPEL_TOTP_SECRET",
            "ENV",
            "VAULT_ADDR",
            "VAULT_TOKEN",
            "POSTGRES_DSN",
            "JWT_SECRET",
            "POLICY_JWT_SECRET",
            "POLICY_TENANT_TOKEN",
            "SIMULATION_MODE",
            "GITHUB_ACTIONS",
            "GITHUB_OUTPUT",
            "GITHUB_STEP_SUMMARY",
            "NO_COLOR",
        ] {
            command.env_remove(name);
        }
        // Secrets come from the environment here, also in production.
        command.env("SIMULATION_MODE", "false");
        command
    }

    pub(crate) fn program(&self, arguments: &[&str]) -> Ran {
        self.command(arguments).output().unwrap().into()
    }

    /// The same with something on standard input.
    pub(crate) fn fed(&self, arguments: &[&str], input: impl AsRef<[u8]>) -> Ran {
        fed(&mut self.command(arguments), input)
    }

    /// `run` at [`AT`], without waiting between attempts.
    pub(crate) fn run(&self) -> Ran {
        self.run_at(AT)
    }

    pub(crate) fn run_at(&self, at: &str) -> Ran {
        self.program(&["run", "--at", at, "--retry-delays", "0,0,0"])
    }

    /// Seals the broken journal of June 2026 and records one more decision on healthy signals.
    pub(crate) fn reseal_and_go_on(&self) {
        let reseal = ["audit", "reseal", "--reason", "edited"];
        let at = ["--at", "2026-06-20T00:00:00Z"];
        self.program(&[reseal.as_slice(), &at].concat()).exits(0);
        for (name, bytes) in Self::healthy().snapshot() {
            self.write(name.to_str().unwrap(), bytes);
        }
        self.run_at("2026-06-20T04:45:00Z").exits(0);
    }

    pub(crate) fn state(&self) -> Value {
        serde_json::from_str(&self.read("state/policy_state.json")).unwrap()
    }

    pub(crate) fn journal(&self) -> Vec<String> {
        self.read(JOURNAL).lines().map(str::to_owned).collect()
    }

    /// Makes the workspace a git repository with one commit.
    pub(crate) fn with_git(self) -> Self {
        let repository = git2::Repository::init(self.path()).unwrap();
        let mut index = repository.index().unwrap();
        index
            .add_all(["*"], git2::IndexAddOption::DEFAULT, None)
            .unwrap();
        index.write().unwrap();
        let tree = repository.find_tree(index.write_tree().unwrap()).unwrap();
        let author =
            git2::Signature::new("test", "test@localhost", &git2::Time::new(1_700_000_000, 0))
                .unwrap();
        repository
            .commit(Some("HEAD"), &author, &author, "signals", &tree, &[])
            .unwrap();
        drop(tree);
        self
    }

    pub(crate) fn repository(&self) -> git2::Repository {
        git2::Repository::open(self.path()).unwrap()
    }

    /// The names of all fix branches.
    pub(crate) fn fix_branches(&self) -> Vec<String> {
        let repository = self.repository();
        let branches = repository.branches(Some(git2::BranchType::Local)).unwrap();
        let names = branches.map(|branch| branch.unwrap().0.name().unwrap().unwrap().to_owned());
        let mut names: Vec<String> = names.filter(|name| name.starts_with("fix/")).collect();
        names.sort();
        names
    }

    /// Every file below the workspace but `.git`, with its bytes.
    pub(crate) fn snapshot(&self) -> std::collections::BTreeMap<PathBuf, Vec<u8>> {
        let mut files = std::collections::BTreeMap::new();
        let mut directories = vec![self.path().to_owned()];
        while let Some(directory) = directories.pop() {
            for entry in std::fs::read_dir(directory).unwrap().map(Result::unwrap) {
                let path = entry.path();
                if entry.file_type().unwrap().is_dir() {
                    if entry.file_name() != ".git" {
                        directories.push(path);
                    }
                } else if std::fs::metadata(&path).is_ok_and(|status| status.is_file())
                    && let Ok(bytes) = std::fs::read(&path)
                {
                    files.insert(path.strip_prefix(self.path()).unwrap().to_owned(), bytes);
                }
            }
        }
        files
    }

    /// Temporary files anywhere in the workspace.
    pub(crate) fn temporary_files(&self) -> Vec<PathBuf> {
        self.snapshot()
            .into_keys()
            .filter(|path| path.to_string_lossy().contains(".tmp"))
            .collect()
    }
}

/// Runs a command with something on its standard input. A program that answers without reading closes
/// the pipe, which is for the test to judge by what it answers.
pub(crate) fn fed(command: &mut Command, input: impl AsRef<[u8]>) -> Ran {
    command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let _ = stdin.write_all(input.as_ref());
    drop(stdin);
    child.wait_with_output().unwrap().into()
}

/// The journal of decisions.
pub(crate) const JOURNAL: &str = "state/policy_state_log.jsonl";

/// The steering team's folder with real inputs and the source documents, where it is beside the
/// project. Absent, tests that need it say so and are skipped; CI requires it.
pub(crate) fn shared() -> Option<PathBuf> {
    let shared = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared");
    if shared.join("real-inputs").is_dir() {
        return Some(shared);
    }
    assert!(
        std::env::var_os("POLICY_REQUIRE_SHARED").is_none(),
        "{} is required here and absent",
        shared.display()
    );
    eprintln!("skipped: {} is not there", shared.display());
    None
}

/// Copies a directory, making the copies writable.
pub(crate) fn copy_tree(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap().map(Result::unwrap) {
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy_tree(&entry.path(), &target);
        } else {
            std::fs::write(target, std::fs::read(entry.path()).unwrap()).unwrap();
        }
    }
}
