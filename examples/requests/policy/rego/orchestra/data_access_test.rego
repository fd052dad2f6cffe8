package orchestra.agent.data_access_test

import rego.v1

import data.orchestra.agent.data_access

# Ten seconds after the epoch, in nanoseconds.
now := 10000000000

own(classification) := {
	"agent": {"id": "a1", "user_id": "u1", "permissions": ["confidential_data_access"]},
	"data": {"classification": classification, "owner_user_id": "u1"},
	"context": {
		"business_justification": "yearly report",
		"approval_id": "AP-1",
		"approval_expiry": now + 1,
	},
}

allowed(request) if {
	data_access.allow with input as request with time.now_ns as now
}

test_nothing_is_allowed_without_a_reason if {
	not allowed({})
	not allowed({"agent": {"user_id": "u1"}, "data": {"owner_user_id": "u1"}})
}

test_own_data_of_the_house_is_allowed if {
	every classification in ["public", "internal"] {
		allowed(own(classification))
	}
}

test_data_of_others_is_denied if {
	every classification in ["public", "internal", "confidential", "restricted"] {
		not allowed(object.union(own(classification), {"data": {"owner_user_id": "u2"}}))
	}
}

test_confidential_data_needs_every_part if {
	allowed(own("confidential"))
	whole := own("confidential")
	every part in ["business_justification", "approval_id", "approval_expiry"] {
		context := object.remove(whole.context, [part])
		not allowed(object.union(object.remove(whole, ["context"]), {"context": context}))
	}
	not allowed(object.union(whole, {"agent": {"permissions": []}}))
}

test_an_approval_that_ends_now_has_ended if {
	whole := own("confidential")
	not allowed(object.union(whole, {"context": {"approval_expiry": now}}))
	not allowed(object.union(whole, {"context": {"approval_expiry": now - 1}}))
	allowed(object.union(whole, {"context": {"approval_expiry": now + 1}}))
}

test_restricted_data_is_never_allowed if {
	not allowed(own("restricted"))
	count(data_access.deny) == 1 with input as own("restricted")
}

test_what_was_refused_is_told if {
	told := data_access.violation with input as own("restricted") with time.now_ns as now
	told == {{
		"msg": "Unauthorized access attempt: Agent a1 attempted to access restricted data belonging to user u1",
		"severity": "critical",
	}}
	untold := data_access.violation with input as own("confidential") with time.now_ns as now
	count(untold) == 0
}
