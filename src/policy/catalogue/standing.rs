//! What of each kind of document this program keeps, where, and what it can only show.
//!
//! One table for the command and for docs/documents.md, which is made from it. A row is about keys;
//! every key of a kind is in a row, and no row names a key that its kind has not (tests hold both
//! against the samples).

use super::Kind;
use super::shown::Shown;

/// Who keeps what some keys ask for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// This program; the text says where and how far.
    Here,
    /// Only whoever asks could; the text says who, and what it would take.
    Caller,
    /// There is nothing to keep: the keys say what something is.
    Told,
}

/// A statement about some keys of a kind of documents.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Row {
    /// The kind.
    pub kind: Kind,
    /// The keys, as paths; lists are looked through, and `*` is any key.
    pub keys: &'static [&'static str],
    /// Who keeps it.
    pub standing: Standing,
    /// Where and how far, or why not here.
    pub text: &'static str,
}

const fn here(kind: Kind, keys: &'static [&'static str], text: &'static str) -> Row {
    Row {
        kind,
        keys,
        standing: Standing::Here,
        text,
    }
}

const fn caller(kind: Kind, keys: &'static [&'static str], text: &'static str) -> Row {
    Row {
        kind,
        keys,
        standing: Standing::Caller,
        text,
    }
}

const fn told(kind: Kind, keys: &'static [&'static str], text: &'static str) -> Row {
    Row {
        kind,
        keys,
        standing: Standing::Told,
        text,
    }
}

/// The table.
pub const ROWS: &[Row] = &[
    here(
        Kind::Module,
        &["security.audit_logging"],
        "`run`, `respond`, `undo`, `trust`, `brake`, `kill` and `alerts` record what they do in journals that `audit verify` checks; no declaration switches that off",
    ),
    here(
        Kind::Module,
        &["security.input_validation"],
        "`run` checks every signal and policy document whole; what can't be read is RED",
    ),
    here(
        Kind::Module,
        &["security.rate_limiting"],
        "the gate `rate` of `respond --apply` limits applies in 24 hours; requests to the module are its own to limit",
    ),
    here(
        Kind::Module,
        &["lifecycle", "state"],
        "`policy show` holds them against the boxes ticked in the text; a contradiction is a warning, and changes nothing",
    ),
    caller(
        Kind::Module,
        &[
            "security.authentication_required",
            "security.authorization_level",
            "agent_accessible",
            "user_configurable",
            "phase_availability",
        ],
        "whoever serves the module knows who asks; here only an apply with `--auto` or in production asks for an approver",
    ),
    caller(
        Kind::Module,
        &[
            "security.data_classification",
            "security.encryption_at_rest",
            "security.encryption_in_transit",
        ],
        "whoever stores and moves the module's data; this program encrypts nothing",
    ),
    caller(
        Kind::Module,
        &["promotion_gates"],
        "whoever promotes the module looks at the evidence; it is listed here, and nothing is promoted",
    ),
    caller(
        Kind::Module,
        &["observability"],
        "the module's own monitoring; these metrics are not measured here, nor these alerts raised",
    ),
    caller(
        Kind::Module,
        &["agent_capabilities", "agent_boundaries"],
        "whoever runs the agent has to ask before each operation; no agent asks this program",
    ),
    told(
        Kind::Module,
        &[
            "title",
            "module_id",
            "type",
            "category",
            "seat",
            "priority",
            "dependencies",
            "integrations",
            "api_contracts",
            "last_updated",
            "version",
            "maintainer",
        ],
        "what the module is",
    ),
    here(
        Kind::SystemPolicies,
        &["system_policies.audit_logging"],
        "this program's own events: its journals, checked by `audit verify`; in policy/security/, `security_events_logging`: a request with `event` is denied without `event.audit_reference`",
    ),
    here(
        Kind::SystemPolicies,
        &["system_policies.authentication"],
        "in policy/security/, `multi_factor_authentication_required`: a request with `user` is denied unless `user.mfa_verified` is true; an entry of another name has no rule here, and whoever signs users in keeps it",
    ),
    here(
        Kind::SystemPolicies,
        &["system_policies.data_protection"],
        "in policy/security/, `pii_encryption_mandatory`: a request with `data` is denied where `data.contains_pii` is true, or not told, and `data.encrypted` is not true; an entry of another name has no rule here, and nothing is encrypted here",
    ),
    here(
        Kind::SystemPolicies,
        &[
            "system_policies.*.enforcement",
            "system_policies.*.exceptions",
        ],
        "in policy/security/ an entry with a rule here has to be `strict`, and no exception is made",
    ),
    told(
        Kind::SystemPolicies,
        &["system_policies.*.name", "system_policies.*.scope"],
        "which policy it is, and what for",
    ),
    here(
        Kind::AgentPolicies,
        &["agent_policies.data_access"],
        "in policy/security/, `user_data_scope_restriction`: a request with `agent` and `data` is denied unless `agent.user_id` is `data.owner_user_id`; an entry of another name has no rule here, and `rule` is not read",
    ),
    here(
        Kind::AgentPolicies,
        &["agent_policies.resource_limits"],
        "in policy/security/, `cpu_memory_limits`: a request with `agent` and `resources` is denied where it asks for more, or does not say how much; what the agent then uses is bounded by the container runtime that starts it, and actions of `respond` have a time limit here, and none of processors or memory",
    ),
    here(
        Kind::AgentPolicies,
        &["agent_policies.communication"],
        "in policy/security/, `inter_agent_communication_audit`: a request with `message` is denied without `message.audit_reference`; whoever carries the messages has to ask",
    ),
    here(
        Kind::AgentPolicies,
        &[
            "agent_policies.*.enforcement",
            "agent_policies.*.violations",
        ],
        "in policy/security/ an entry with a rule here has to be `strict`, and its `violations` are the obligations of a denial; whoever asked has to end the agent and to tell somebody",
    ),
    told(
        Kind::AgentPolicies,
        &["agent_policies.*.name", "agent_policies.*.scope"],
        "which policy it is, and what for",
    ),
    here(
        Kind::CompliancePolicies,
        &["compliance_policies.*.retention_period"],
        "in policy/security/, `transaction_data_retention`: a request to delete transaction data is denied before the time is over; no command of this program deletes a journal, whatever its age; other data are their keeper's to keep",
    ),
    here(
        Kind::CompliancePolicies,
        &["compliance_policies.*.secure_deletion"],
        "in policy/security/, `transaction_data_retention`: a request to delete transaction data is denied unless `data.secure_deletion` is true; whoever stores the data deletes them so, this program deletes none",
    ),
    here(
        Kind::CompliancePolicies,
        &[
            "compliance_policies.*.rule",
            "compliance_policies.*.evidence_required",
            "compliance_policies.*.enforcement",
        ],
        "in policy/security/, `data_subject_consent_validation`: a request with `data` is denied where `data.contains_pii` is true, or not told, and `data.consent` is not `explicit`, or where evidence is required and `data.consent_reference` is absent; of others `compliance report` says which evidence is declared in policy/evidence.yaml, and `rule` is not read",
    ),
    told(
        Kind::CompliancePolicies,
        &["compliance_policies.*.name", "compliance_policies.*.scope"],
        "which policy it is, and what for",
    ),
    here(
        Kind::SecurityPolicy,
        &["spec.scope", "spec.rules"],
        "in policy/security/ every request within the scope is held against the rules (docs/requests-security.md): any deny wins, one allow suffices, an absent attribute fails an `allow` and fires a `deny`; the actions of a denial are its obligations, for whoever asked to keep",
    ),
    here(
        Kind::SecurityPolicy,
        &["spec.enforcement"],
        "in policy/security/ `strict` counts; `warn` and `monitor` are for documents tagged `staging`, of which nothing counts; whoever acts has to ask before, and to keep to the answer",
    ),
    caller(
        Kind::SecurityPolicy,
        &["spec.monitoring"],
        "whoever evaluates has to count; the threshold is read (above, and not at, it), and no rate is measured here",
    ),
    told(
        Kind::SecurityPolicy,
        &["apiVersion", "kind", "metadata", "spec.description"],
        "which policy it is, and what for",
    ),
    here(
        Kind::PolicyDevelopment,
        &[
            "policy_development.stages.draft.approvals_required",
            "policy_development.stages.validation.tests",
        ],
        "for this program's own policy only: `policy validate` asks for the approvals `policy_author` and `security_team`, and `policy promote` for all four tests, whatever stands here; other policies are theirs to review who keep them",
    ),
    here(
        Kind::PolicyDevelopment,
        &[
            "policy_development.stages.*.monitoring_period",
            "policy_development.stages.*.rollback_criteria",
            "policy_development.stages.*.deployment_strategy",
        ],
        "for this program's own policy only: `policy promote` keeps to the 7 days, both criteria and `blue_green`, which are its defaults; others than these come from the update record of a version, and nothing from this document; other policies are theirs to watch who keep them",
    ),
    told(
        Kind::PolicyDevelopment,
        &["policy_development.stages.*.description"],
        "what a stage is for",
    ),
    caller(
        Kind::LgpdCompliance,
        &["lgpd_compliance.*.rule", "lgpd_compliance.*.automation"],
        "whoever processes personal data; the automations are names here: `compliance report` says which evidence of them there is, `compliance ask` answers whoever asks before a use, and nothing else runs them",
    ),
    told(
        Kind::LgpdCompliance,
        &["lgpd_compliance.*.name"],
        "which rule it is",
    ),
    caller(
        Kind::FinancialCompliance,
        &[
            "financial_compliance.*.rule",
            "financial_compliance.*.automation",
        ],
        "whoever processes payments and signs customers in; the automations are names here: `compliance report` says which evidence of them there is, and nothing runs them",
    ),
    told(
        Kind::FinancialCompliance,
        &["financial_compliance.*.name"],
        "which rule it is",
    ),
    here(
        Kind::EditingPolicy,
        &["enforcement.fail_closed"],
        "this program always fails closed: a changed journal is RED, a kill switch that can't be read is on, a gate without its fact is closed",
    ),
    here(
        Kind::EditingPolicy,
        &["protected.files"],
        "actions of `respond` can change no file of the safeguards, `policy/`, `state/` or `.git`; other patterns are the editor's to keep",
    ),
    caller(
        Kind::EditingPolicy,
        &["enforcement.enabled", "limits", "protected.operations"],
        "the editing tool that reads this document; no edit passes here",
    ),
    told(
        Kind::EditingPolicy,
        &["version"],
        "the version of its format",
    ),
    caller(
        Kind::Rego,
        &["rules"],
        "Open Policy Agent, where somebody runs it: rules are listed here by name, and none is evaluated",
    ),
    told(
        Kind::Rego,
        &["package", "imports"],
        "which module it is, and what it needs",
    ),
    here(
        Kind::Thresholds,
        &[
            "red_integrity",
            "red_consensus",
            "red_responses",
            "yellow_integrity",
            "yellow_consensus",
            "yellow_reputation",
            "yellow_responses",
        ],
        "`run` decides by them when the file is policy/policy_thresholds.json of the workspace",
    ),
    told(
        Kind::Thresholds,
        &["name", "version", "description"],
        "which policy it is",
    ),
    here(
        Kind::OrchestrationPolicy,
        &["spec"],
        "`run` decides by it, and `respond` plans from its `responses`, when the file is policy/policy.yaml of the workspace",
    ),
    told(
        Kind::OrchestrationPolicy,
        &["apiVersion", "kind", "metadata"],
        "which policy it is",
    ),
    here(
        Kind::Responses,
        &["actions", "builtin"],
        "`respond` plans from it, and with `--apply` carries it out behind every gate, when the file is policy/responses.json of the workspace",
    ),
    told(Kind::Responses, &["schema"], "the version of its format"),
    here(
        Kind::Alerts,
        &["webhook"],
        "`alerts` posts to it where this program was built with the feature `webhook`; otherwise it is an error there",
    ),
    here(
        Kind::Alerts,
        &["hook", "limits", "level_changes"],
        "`alerts` looks and tells by it when the file is policy/alerts.json of the workspace",
    ),
    told(Kind::Alerts, &["schema"], "the version of its format"),
    caller(
        Kind::MetaBlock,
        &["policy_label"],
        "whoever serves the document keeps to its label; `decide` answers for what a request names, and opens no document",
    ),
    told(
        Kind::MetaBlock,
        &[
            "doc_id", "title", "type", "version", "status", "owners", "created", "updated",
            "related", "tags", "notes",
        ],
        "what the document is and who answers for it",
    ),
    here(
        Kind::SpendPolicy,
        &[
            "caps",
            "msig",
            "allowLists",
            "blockLists",
            "rules",
            "agents",
            "currency",
            "spec",
        ],
        "`spend check` and `spend record` decide by it when the file lies in policy/spend of the workspace; whoever moves the money has to ask",
    ),
    told(
        Kind::SpendPolicy,
        &[
            "name",
            "description",
            "version",
            "apiVersion",
            "kind",
            "metadata",
        ],
        "which policy it is; without `agents` it is for the agent of its name",
    ),
];

/// The rows of a kind.
pub fn of(kind: Kind) -> impl Iterator<Item = &'static Row> {
    ROWS.iter().filter(move |row| row.kind == kind)
}

/// A row as far as a document is concerned: the keys that it has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Applied {
    /// Who keeps it.
    pub standing: Standing,
    /// The keys of the row that the document has.
    pub keys: Vec<&'static str>,
    /// Where and how far, or why not here.
    pub text: &'static str,
}

/// What stands in the table about the keys that a document has.
pub(super) fn applied(kind: Kind, says: &Shown) -> Vec<Applied> {
    let row = |row: &Row| {
        let keys = row.keys.iter().copied();
        let keys: Vec<&'static str> = keys.filter(|key| says.has(key)).collect();
        (!keys.is_empty()).then_some(Applied {
            standing: row.standing,
            keys,
            text: row.text,
        })
    };
    of(kind).filter_map(row).collect()
}
