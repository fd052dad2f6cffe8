package kfm.sensitivity_test

import rego.v1

import data.kfm.authz
import data.kfm.authz_test.asked
import data.kfm.authz_test.noon

codes(request) := answer.reason_codes if {
	answer := authz.decision with input as request
}

embargoed(until, reviewed) := object.union(
	asked("public", "read", "embargoed"),
	{"resource": {"embargo_until": until, "embargo_reviewed": reviewed}},
)

test_an_embargo_lasts_until_its_day_is_over if {
	codes(embargoed("2026-03-02", true)) == ["EMBARGO_ACTIVE"]
	codes(embargoed("2026-03-01", true)) == ["EMBARGO_ACTIVE"]
	codes(embargoed("2026-02-28", true)) == ["ALLOW_MATCHED_RULE"]
}

test_its_end_is_midnight_in_utc if {
	midnight := noon - (12 * 3600000000000)
	before := object.union(embargoed("2026-02-28", true), {"context": {"evaluated_at_ns": midnight - 1}})
	codes(before) == ["EMBARGO_ACTIVE"]
	codes(object.union(before, {"context": {"evaluated_at_ns": midnight}})) == ["ALLOW_MATCHED_RULE"]
}

test_only_a_review_releases if {
	every reviewed in [false, "true", 1] {
		codes(embargoed("2026-02-01", reviewed)) == ["EMBARGO_UNREVIEWED"]
	}
}

test_a_date_that_nobody_can_read_hides if {
	every until in ["", "soon", "2026-13-01", 20260101, ["2026-01-01"]] {
		codes(embargoed(until, true)) == ["EMBARGO_UNREADABLE"]
	}
	codes(asked("public", "read", "embargoed")) == ["EMBARGO_UNREADABLE"]
}

test_an_embargo_holds_for_every_label_and_role if {
	hidden := {"resource": {"embargo_until": "2026-12-31", "embargo_reviewed": true}}
	every role in ["public", "steward"] {
		codes(object.union(asked(role, "read", "public"), hidden)) == ["EMBARGO_ACTIVE"]
	}
}

queried(evidence) := object.union(asked("public", "query", "public"), {"context": {"evidence": evidence}})

piece := {"id": "e1", "resolved": true, "policy_label": "public"}

test_evidence_that_resolves_carries_a_claim if {
	codes(queried([piece])) == ["ALLOW_MATCHED_RULE"]
}

test_nothing_is_claimed_without_evidence if {
	codes(queried([])) == ["ABSTAIN_EVIDENCE_MISSING"]
	codes(queried(["e1"])) == ["ABSTAIN_EVIDENCE_UNRESOLVED"]
	codes(queried([piece, object.union(piece, {"resolved": false})])) == ["ABSTAIN_EVIDENCE_UNRESOLVED"]
}

test_restricted_evidence_is_not_used if {
	every label in ["internal", "restricted", "quarantine", "unknown"] {
		codes(queried([piece, object.union(piece, {"policy_label": label})])) == ["ABSTAIN_EVIDENCE_RESTRICTED"]
	}
	codes(queried([object.union(piece, {"embargo_until": "2026-12-31"})])) == ["ABSTAIN_EVIDENCE_RESTRICTED"]
}
