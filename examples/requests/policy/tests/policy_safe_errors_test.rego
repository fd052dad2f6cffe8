package kfm.policy_safe_errors_test

import rego.v1

import data.kfm.authz
import data.kfm.authz_test.asked

types(request) := [one.type | some one in answer.obligations] if {
	answer := authz.decision with input as request
}

# Whoever is told nothing has to be answered by the one text that tells nothing.
test_a_public_caller_is_always_answered_safely if {
	every label in ["internal", "restricted", "restricted_sensitive_location", "embargoed", "quarantine", "unknown"] {
		"policy_safe_error" in types(asked("public", "read", label))
	}
}

test_who_has_no_known_role_is_answered_safely if {
	every role in ["", "king", "Steward"] {
		"policy_safe_error" in types(asked(role, "read", "restricted"))
		not "remediation_hint" in types(asked(role, "read", "restricted"))
	}
	types({}) == ["policy_safe_error"]
}

test_nobody_gets_no_hint_for_a_name_of_a_role if {
	anonymous := {"user": {"principal": "anonymous"}}
	answer := authz.decision with input as object.union(asked("steward", "read", "restricted"), anonymous)
	answer.reason_codes == ["PRINCIPAL_MISSING"]
}

test_a_hint_repeats_nothing_of_the_request if {
	answer := authz.decision with input as asked("steward", "colour-7", "restricted")
	some one in answer.obligations
	one.type == "remediation_hint"
	not contains(one.hint, "colour-7")
}
