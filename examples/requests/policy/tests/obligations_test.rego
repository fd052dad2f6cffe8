package kfm.obligations_test

import rego.v1

import data.kfm.authz
import data.kfm.authz_test.asked
import data.kfm.obligations

types(request) := [one.type | some one in answer.obligations] if {
	answer := authz.decision with input as request
}

test_what_is_coarse_says_so if {
	answer := authz.decision with input as asked("public", "read", "public_generalized")
	answer.obligations == [
		{"type": "show_notice", "message": "Geometry generalized due to policy."},
		{"type": "provenance_link"},
	]
}

test_a_steward_sees_sensitive_places_on_a_grid if {
	types(asked("steward", "read", "restricted_sensitive_location")) == [
		"redact_fields",
		"force_generalization",
		"suppress_export",
		"log_audit",
	]
}

test_who_may_know_gets_a_hint_and_others_one_text if {
	types(asked("operator", "read", "restricted")) == ["log_audit", "policy_safe_error", "remediation_hint"]
	types(asked("public", "read", "restricted")) == ["log_audit", "policy_safe_error"]
}

test_of_two_the_stricter_counts if {
	given := [
		{"type": "redact_fields", "fields": ["a", "b"]},
		{"type": "force_generalization", "grid_degrees": 0.1},
		{"type": "redact_fields", "fields": ["b", "c"]},
		{"type": "force_generalization", "grid_degrees": 0.5},
	]
	obligations.in_order(given, [], "") == [
		{"type": "redact_fields", "fields": ["a", "b", "c"]},
		{"type": "force_generalization", "grid_degrees": 0.5},
	]
}

test_evidence_brings_its_obligations_along if {
	piece := {"id": "e1", "resolved": true, "policy_label": "public_generalized", "receipt": "r1"}
	request := object.union(asked("public", "query", "public"), {"context": {"evidence": [piece]}})
	answer := authz.decision with input as request
	answer.obligations == [
		{"type": "show_notice", "message": "Geometry generalized due to policy."},
		{"type": "require_attribution"},
		{"type": "rate_limit_class", "class": "public"},
		{"type": "provenance_link", "receipts": ["r1"]},
	]
}
