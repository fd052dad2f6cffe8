//! The table of files, in groups. A test looks for each that the code names.

/// Files that belong together: path, what it is, and its form.
pub(super) struct Group {
    pub(super) title: &'static str,
    pub(super) files: &'static [(&'static str, &'static str, &'static str)],
}

const JOURNAL: &str =
    "JSON lines ([format](journal.md), [schema](output.schema.json), `journal_line`)";

pub(super) const GROUPS: &[Group] = &[
    Group {
        title: "Signals that `run` reads",
        files: &[
            (
                "trust_lock_state.json",
                "trust: is the repository locked? `trust` sets it too, where `state/trust_lock_state.json` is not the one in use",
                "JSON, `locked`",
            ),
            (
                "state/trust_lock_state.json",
                "the same at its other place; where both stand and differ, locked wins",
                "JSON, `locked`",
            ),
            (
                "exports/integrity_metrics_registry.csv",
                "integrity, the last row",
                "CSV, `integrity_score`",
            ),
            (
                "federation/weighted_consensus.json",
                "consensus of the peers",
                "JSON, `weighted_agreement_pct`",
            ),
            (
                "federation/reputation_index.json",
                "reputation of the peers",
                "JSON, `peers[].reputation_score`",
            ),
            (
                "forensics/forensics_anomaly_forecast.json",
                "forecast of anomalies",
                "JSON, `risk_level`",
            ),
            (
                "forensics/response_history.jsonl",
                "automatic responses of the last 24 hours; an apply appends its own",
                "JSON lines, `timestamp`, `event_type`",
            ),
        ],
    },
    Group {
        title: "Policy documents and configuration",
        files: &[
            (
                "policy/policy.yaml",
                "the policy that decides, in its large form; also `policy/policy.yml` and `policy/policy.json`",
                "YAML or JSON ([schema](../policy/schema/orchestration-policy.v1.schema.json), [keys](policy.md))",
            ),
            ("policy/policy.yml", "the same", "as above"),
            (
                "policy/requests.yaml",
                "what decides on requests beside the conventions",
                "YAML ([keys](requests.md))",
            ),
            (
                "policy/vocab/policy_labels.v1.yml",
                "the labels that `decide` knows",
                "YAML ([example](../examples/requests/policy/vocab/policy_labels.v1.yml))",
            ),
            (
                "policy/vocab/obligations.v1.yml",
                "the obligations that a label may bring",
                "YAML ([example](../examples/requests/policy/vocab/obligations.v1.yml))",
            ),
            (
                "policy/vocab/reason_codes.v1.yml",
                "the reason codes of labels",
                "YAML ([example](../examples/requests/policy/vocab/reason_codes.v1.yml))",
            ),
            (
                "policy/rubrics/licensing.md",
                "how a licence leads to a label, for people",
                "Markdown",
            ),
            (
                "policy/rubrics/sensitivity.md",
                "how sensitivity leads to a label, for people",
                "Markdown",
            ),
            ("policy/policy.json", "the same", "as above"),
            (
                "policy/policy_thresholds.json",
                "the small form: the seven numbers of the reference policy",
                "JSON ([keys](policy.md))",
            ),
            (
                "policy/tests/reference.yaml",
                "the first cases of `policy test`, as `policy init` writes them; any file beside it is read too",
                "YAML ([keys](policy.md))",
            ),
            (
                "policy/schema/orchestration-policy.v1.schema.json",
                "the schema of a policy document, for editors",
                "JSON Schema",
            ),
            (
                "policy/responses.json",
                "responses outside of a policy document",
                "JSON ([keys](policy.md))",
            ),
            (
                "policy/alerts.json",
                "limits of alerts, and who is told",
                "JSON ([keys](../RUNBOOK.md))",
            ),
            (
                "policy/approvers.yaml",
                "who may approve what",
                "YAML ([keys](approvals.md))",
            ),
            (
                "policy/trust_guard_policy.json",
                "thresholds of the trust guard",
                "JSON ([keys](../RUNBOOK.md))",
            ),
            (
                "policy/evidence.yaml",
                "evidence that is declared",
                "YAML ([schema](../policy/schema/evidence.v1.schema.json))",
            ),
            (
                "policy/retention.yaml",
                "how long what is kept",
                "YAML ([schema](../policy/schema/retention.v1.schema.json))",
            ),
            (
                "policy/secret-scan-allow",
                "lines that `scan secrets` lets pass, by their SHA-256",
                "text ([format](privacy.md))",
            ),
            (
                "policy/manifest.json",
                "the digests that `policy lock` holds files to",
                "JSON ([schema](output.schema.json), `manifest.json`)",
            ),
            (
                "policy/versions/",
                "each version that was drafted, with its update record",
                "YAML, JSON ([format](versions.md))",
            ),
            (
                ".scalpel/policy.yaml",
                "another system's agent policy, which `guard check` and `checks` read",
                "YAML ([keys](documents.md))",
            ),
            (
                "policy/README.md",
                "what `init` says of the folder",
                "Markdown",
            ),
        ],
    },
    Group {
        title: "The record",
        files: &[
            (
                "state/policy_state.json",
                "the last decision, replaced as a whole",
                "JSON ([schema](policy_state.schema.json))",
            ),
            (
                "state/policy_state_log.jsonl",
                "the journal: one chained line for each decision",
                "JSON lines ([format](journal.md), [schema](output.schema.json), `policy_state_log.jsonl`)",
            ),
            (
                "state/policies/",
                "every policy document that a line names, under its SHA-256",
                "as it was",
            ),
            (
                "state/segments/",
                "broken journals that were sealed, and whole ones that were packed",
                "JSON lines, gzip ([format](journal.md))",
            ),
            (
                "state/audit.log",
                "events that have no other journal",
                JOURNAL,
            ),
            (
                "state/trust_lock_log.jsonl",
                "acts of the trust guard",
                JOURNAL,
            ),
            (
                "state/kill_switch_log.jsonl",
                "changes of the kill switch",
                JOURNAL,
            ),
            (
                "state/policy_versions_log.jsonl",
                "steps of versions of the policy",
                JOURNAL,
            ),
            (
                "state/policy_shadow_log.jsonl",
                "what a staged version would have decided",
                JOURNAL,
            ),
            (
                "state/request_decisions.jsonl",
                "answers of `decide --record`",
                "JSON lines ([format](requests.md))",
            ),
            (
                "state/spend_log.jsonl",
                "payments of agents that were recorded or cancelled",
                "JSON lines ([format](spending.md))",
            ),
            (
                "state/spend_usage.json",
                "what agents spent by day and month, out of that journal; made anew where it does not fit",
                "JSON",
            ),
            (
                "state/approval_requests.jsonl",
                "steps of approvals and overrides",
                "JSON lines ([format](approvals.md))",
            ),
            (
                "state/policy_response_journal.jsonl",
                "intents, outcomes, undos, changes of the brake",
                JOURNAL,
            ),
            (
                "state/policy_response_log.jsonl",
                "applies and blocked attempts",
                "JSON lines ([format](journal.md), [schema](output.schema.json), `policy_response_log.jsonl`)",
            ),
            (
                "state/journal_heads.json",
                "the heads of these journals",
                "JSON ([schema](output.schema.json), `journal_heads.json`)",
            ),
            (
                "state/journal_verified.json",
                "how far all were verified in full",
                "JSON ([schema](output.schema.json), `journal_verified.json`)",
            ),
            (
                "audit_summary.md",
                "a line each for the decision, the response, the guard and the alerts; all other bytes stay",
                "Markdown",
            ),
        ],
    },
    Group {
        title: "State beside the record",
        files: &[
            (
                "state/portal_data.json",
                "what the status page shows beside the last decision",
                "JSON ([schema](portal_data.schema.json))",
            ),
            (
                "state/policy_response_preview.json",
                "the last dry run of a response",
                "JSON ([schema](output.schema.json), `respond`)",
            ),
            (
                "state/policy_response_undo_<response>_<action>.json",
                "what an action changed",
                "JSON ([schema](output.schema.json), `policy_response_undo.json`)",
            ),
            ("state/undo/", "the bytes of before", "as they were"),
            (
                "state/kill_switch.json",
                "the kill switch",
                "JSON ([schema](output.schema.json), `kill_switch.json`)",
            ),
            (
                "forensics/safety_brake_state.json",
                "the safety brake",
                "JSON ([schema](output.schema.json), `safety_brake_state.json`)",
            ),
            (
                "state/approval_state.json",
                "how the requests stand",
                "JSON ([schema](output.schema.json), `approval_state.json`)",
            ),
            (
                "state/approval_highwater.json",
                "grants by day and approver",
                "JSON ([schema](output.schema.json), `approval_highwater.json`)",
            ),
            (
                "state/policy_alert_state.json",
                "which alerts are up, and who is still to be told; `.unreadable` beside it where it could not be read",
                "JSON ([schema](output.schema.json), `policy_alert_state.json`)",
            ),
            (
                "state/policy_alert_state.json.unreadable",
                "the same, moved aside",
                "as it was",
            ),
            (
                "state/metrics.json",
                "up to where the journals were counted; may be removed",
                "JSON ([format](metrics.md))",
            ),
            (
                "state/.lock",
                "the lock of the workspace",
                "text, a process number",
            ),
            ("state/.apply.lock", "the lock of applies", "the same"),
            (
                "state/.alerts.lock",
                "the lock of looks for alerts",
                "the same",
            ),
        ],
    },
    Group {
        title: "Reports and traces of actions",
        files: &[
            (
                "reports/policy_orchestrator_failure.json",
                "diagnostics of a failed run, where no fix branch could be made",
                "JSON ([schema](output.schema.json), `policy_orchestrator_failure.json`)",
            ),
            (
                "reports/policy_state_log.end.jsonl",
                "in a fix branch: the journal's last lines",
                "JSON lines",
            ),
            (
                "reports/policy_response_blocked.json",
                "the last blocked apply",
                "JSON ([schema](output.schema.json), `policy_response_blocked.json`)",
            ),
            (
                "reports/policy_response_failure.json",
                "a failed apply, where no fix branch could be made",
                "JSON ([schema](output.schema.json), `applied`)",
            ),
            (
                "reports/policy_orchestration_alerts.json",
                "the alerts that are up",
                "JSON ([schema](output.schema.json), `alerts`)",
            ),
            (
                "logs/policy_orchestration_alerts.jsonl",
                "what changed about alerts",
                "JSON lines ([schema](output.schema.json), `policy_orchestration_alerts.jsonl`)",
            ),
            (
                "forensics/verification_log.jsonl",
                "what `cold_storage_verification` found",
                "JSON lines",
            ),
            (
                "mirrors/anchor_chain.json",
                "the chain of mirrored anchors; `.backup` beside it",
                "JSON ([schema](output.schema.json), `anchor_chain.json`)",
            ),
            ("mirrors/anchor_chain.json.backup", "the one before", "JSON"),
        ],
    },
    Group {
        title: "The page and the workflows",
        files: &[
            (
                "portal/index.html",
                "the status page",
                "HTML ([about](portal.md))",
            ),
            ("portal/portal.css", "its colours", "CSS"),
            ("portal/portal.js", "what fetches and draws", "JavaScript"),
            ("portal/icon.svg", "its icon", "SVG"),
            (
                ".github/workflows/policy_orchestration.yml",
                "the daily run",
                "YAML of GitHub Actions",
            ),
            (
                ".github/workflows/policy_response_runner.yml",
                "the response after it",
                "the same",
            ),
            (
                ".github/workflows/policy_orchestration_alerts.yml",
                "the daily look for alerts",
                "the same",
            ),
            (
                ".github/workflows/policy_portal.yml",
                "publishes the page (`init --pages`)",
                "the same",
            ),
            (
                ".github/workflows/policy_tests.yml",
                "asks the fixtures of policies for requests on each pull request (`init --requests`)",
                "the same",
            ),
            (
                ".github/pull_request_template.md",
                "the checklist of a change of policies (`init --requests`)",
                "Markdown",
            ),
            (
                "CODEOWNERS",
                "who reviews a change of policies (`init --requests`)",
                "GitHub's",
            ),
        ],
    },
    Group {
        title: "Other programs' files",
        files: &[(
            ".scalpel/audit.log",
            "another agent's log, protected as the journals are",
            "as it is",
        )],
    },
];
