//! The table of environment variables. A test looks for each that the code names.

/// Names that go together, and what they do.
pub(super) const VARIABLES: &[(&[&str], &str)] = &[
    (
        &["POLICY_WORKSPACE"],
        "the directory with the files; `--workspace` beats it, the current directory is the default",
    ),
    (
        &[
            "POLICY_AUDIT_SECRET",
            "POLICY_AUDIT_SECRET_FILE",
            "POLICY_AUDIT_SECRET_VAULT",
            "SCALPEL_AUDIT_SECRET",
        ],
        "the secret, at least 32 bytes, that signs each journal line with HMAC-SHA256: itself, a file that holds it, where in Vault it is, or the first under its other name; one of them, and once used always needed",
    ),
    (
        &[
            "POLICY_AUDIT_OLD_SECRET",
            "POLICY_AUDIT_OLD_SECRET_FILE",
            "POLICY_AUDIT_OLD_SECRET_VAULT",
        ],
        "secrets from before, one on each line: they verify, and hand over in `audit rotate-key`; they sign nothing else",
    ),
    (
        &[
            "POLICY_SIGNING_KEY_FILE",
            "POLICY_SIGNING_KEY_VAULT",
            "COSIGN_KEY_PATH",
        ],
        "the private key that signs attestations and checkpoints: a file, a key in Vault, or the file under cosign's name, which counts where the others are not set ([attestations.md](attestations.md))",
    ),
    (
        &["POLICY_KEY_PASSWORD", "COSIGN_PASSWORD"],
        "the password of a key file that is encrypted as cosign does it; the first that is set",
    ),
    (
        &["POLICY_APPROVER_KEY_FILE", "POLICY_APPROVER_KEY_VAULT"],
        "an approver's own private key, for `approve grant` ([approvals.md](approvals.md))",
    ),
    (
        &[
            "POLICY_TOTP_SECRET",
            "POLICY_TOTP_SECRET_FILE",
            "POLICY_TOTP_SECRET_VAULT",
            "SCALPEL_TOTP_SECRET",
        ],
        "the secret of one-time codes in base32, for `override approve`; one of them",
    ),
    (
        &[
            "POLICY_TENANT_KEY",
            "POLICY_TENANT_KEY_FILE",
            "POLICY_TENANT_KEY_VAULT",
        ],
        "at least 32 bytes: puts keyed hashes beside what exports take out ([privacy.md](privacy.md))",
    ),
    (
        &[
            "POLICY_JWT_SECRET",
            "POLICY_JWT_SECRET_FILE",
            "POLICY_JWT_SECRET_VAULT",
        ],
        "at least 32 bytes: verifies the tokens of tenants ([requests.md](requests.md)); also under the name `JWT_SECRET`",
    ),
    (
        &["POLICY_TENANT_TOKEN", "POLICY_TENANT_TOKEN_FILE"],
        "the token of the tenant that `decide` answers or whose entries `audit export` writes",
    ),
    (
        &["POLICY_ATTEST"],
        "what `run --attest PATH` says: where each recorded decision is written as a signed statement too",
    ),
    (
        &["POLICY_AUTO_APPLY"],
        "`true`, and nothing else, lets `respond --apply --auto` pass that gate",
    ),
    (
        &["POLICY_ALERT_WEBHOOK_URL"],
        "the address that is told of alerts, or another variable that `policy/alerts.json` names (a build with the feature `webhook`)",
    ),
    (
        &["ENV"],
        "`production`: an apply needs a signing secret and an approver, changes of secrets and safeguards a signed approval, and nothing is applied, promoted or exported while Vault is simulated",
    ),
    (
        &["SIMULATION_MODE"],
        "`true` or `false`: is Vault simulated? Where neither it nor `VAULT_ADDR` is set, it is",
    ),
    (
        &[
            "VAULT_ADDR",
            "VAULT_TOKEN",
            "VAULT_TOKEN_FILE",
            "VAULT_NAMESPACE",
            "VAULT_CACERT",
            "VAULT_CLIENT_TIMEOUT",
        ],
        "the server, the token or a file that holds it, the namespace, the authority to trust, how long to wait ([vault.md](vault.md); a build with the feature `vault`)",
    ),
    (
        &["POLICY_VAULT_MOUNT", "POLICY_SIMULATED_VAULT"],
        "where in Vault signed records are kept; the directory that stands in for it in simulation",
    ),
    (
        &[
            "OTEL_EXPORTER_OTLP_ENDPOINT",
            "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT",
            "OTEL_EXPORTER_OTLP_HEADERS",
            "OTEL_EXPORTER_OTLP_TRACES_HEADERS",
            "OTEL_EXPORTER_OTLP_TIMEOUT",
            "OTEL_EXPORTER_OTLP_TRACES_TIMEOUT",
            "OTEL_EXPORTER_OTLP_PROTOCOL",
            "OTEL_EXPORTER_OTLP_TRACES_PROTOCOL",
            "OTEL_SERVICE_NAME",
            "OTEL_RESOURCE_ATTRIBUTES",
            "OTEL_SDK_DISABLED",
            "OTEL_TRACES_EXPORTER",
        ],
        "where `run` and `respond` send their traces, and as whom ([metrics.md](metrics.md); a build with the feature `otlp`)",
    ),
    (
        &["GITHUB_ACTOR", "SUDO_USER", "USER", "LOGNAME"],
        "the first that is set is recorded as who gave the command",
    ),
    (
        &["NO_COLOR", "TERM"],
        "no colour where the first is set or the second is `dumb`; `--color` beats both",
    ),
    (
        &["COLUMNS"],
        "how wide a text for a person may be, where the terminal doesn't say",
    ),
    (
        &["LC_ALL", "LC_CTYPE", "LANG"],
        "the first that is set: where it names no UTF-8, marks are plain letters",
    ),
    (
        &["GITHUB_ACTIONS"],
        "`true`: `run` writes annotations to standard error, and the next two files",
    ),
    (
        &["GITHUB_OUTPUT"],
        "the file that gets `level=`, `changed=`, `reasons=`, `number=`, `digest=` and `fix_branch=`; from `respond` `level=`, `outcome=` and `fix_branch=`",
    ),
    (
        &["GITHUB_STEP_SUMMARY"],
        "the file that gets the decision as Markdown, with the head of the journal",
    ),
    (
        &["GITHUB_WORKSPACE"],
        "the checkout, so that annotations name files from its top",
    ),
    (
        &["GIT_INDEX_FILE"],
        "the index that `guard check --staged` looks at, as git tells its hooks",
    ),
    (
        &["POSTGRES_DSN", "JWT_SECRET", "GITHUB_TOKEN"],
        "never used: `checks run` and `scan secrets` look for their values where no secret may be",
    ),
];

/// Words of the code that look like variables and are none, or that only a build reads.
pub(super) const NO_VARIABLES: &[&str] = &[
    "POLICY_ACCEPTED",
    "POLICY_ALERT",
    "POLICY_INVALID",
    "POLICY_ORCHESTRATION",
    "POLICY_PROMOTED",
    "POLICY_REGENERATE",
    "POLICY_RESPONSE",
    "POLICY_ROLLED_BACK",
    "POLICY_SHADOW_CHECK",
    "POLICY_CHANGE_ENDED",
    "POLICY_CHANGE_BEGUN",
    "POLICY_CHECK",
    "POLICY_LOCKED",
    "POLICY_ORCHESTRATOR_COMMIT",
    "POLICY_TAMPER",
];
