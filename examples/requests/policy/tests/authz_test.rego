package kfm.authz_test

import rego.v1

import data.kfm.authz

# The first of March 2026 at noon, in nanoseconds.
noon := 1772366400000000000

asked(role, action, label) := {
	"user": {"principal": "user:alice", "role": role},
	"action": action,
	"resource": {"type": "dataset", "dataset_version_id": "2026-02.abcd0001", "policy_label": label},
	"context": {"purpose": "browse", "evaluated_at_ns": noon},
}

codes(request) := answer.reason_codes if {
	answer := authz.decision with input as request
}

is_allowed(request) if {
	answer := authz.decision with input as request
	answer.decision == "allow"
}

test_everybody_reads_what_is_public if {
	every role in ["public", "internal", "steward", "operator"] {
		is_allowed(asked(role, "read", "public"))
	}
}

test_an_answer_has_all_members if {
	answer := authz.decision with input as asked("public", "read", "public")
	answer == {
		"decision": "allow",
		"policy_label": "public",
		"obligations": [
			{"type": "require_attribution"},
			{"type": "rate_limit_class", "class": "public"},
		],
		"reason_codes": ["ALLOW_MATCHED_RULE"],
	}
}

test_what_no_rule_names_is_denied if {
	every label in ["internal", "restricted", "restricted_sensitive_location"] {
		codes(asked("public", "read", label)) == ["DEFAULT_DENY"]
	}
	codes(asked("internal", "read", "restricted")) == ["DEFAULT_DENY"]
	codes(asked("operator", "export", "internal")) == ["DEFAULT_DENY"]
}

test_quarantine_is_denied_to_everybody if {
	every role in ["public", "internal", "steward", "operator"] {
		codes(asked(role, "read", "quarantine")) == ["LABEL_QUARANTINED"]
	}
}

test_unknown_words_are_denied if {
	codes(asked("king", "read", "public")) == ["ROLE_UNKNOWN"]
	codes(asked("public", "Read", "public")) == ["ACTION_UNKNOWN"]
	codes(asked("public", "read", "Public")) == ["LABEL_UNKNOWN"]
	codes(asked("", "", "")) == ["ROLE_MISSING", "ACTION_MISSING", "LABEL_MISSING"]
}

test_nothing_at_all_is_denied if {
	"PRINCIPAL_MISSING" in codes({})
	"LABEL_MISSING" in codes({})
	not is_allowed({})
}
