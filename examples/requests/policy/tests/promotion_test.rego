package kfm.promotion_test

import rego.v1

import data.kfm.authz
import data.kfm.authz_test.asked

codes(request) := answer.reason_codes if {
	answer := authz.decision with input as request
}

promoted(role, label, point) := object.union(asked(role, "promote", label), {"point": point})

test_a_pipeline_promotes_and_nothing_else_does if {
	codes(promoted("operator", "internal", "pipeline_runner")) == ["ALLOW_MATCHED_RULE"]
	every point in ["governed_api", "evidence_resolver", "api_gateway", "agent_runtime", "user_interface", "data_layer"] {
		codes(promoted("operator", "internal", point)) == ["SURFACE_NOT_GOVERNED"]
	}
	codes(asked("operator", "promote", "internal")) == ["SURFACE_NOT_GOVERNED"]
}

test_an_interface_decides_nothing if {
	every point in ["user_interface", "data_layer", "elsewhere"] {
		request := object.union(asked("steward", "read", "public"), {"point": point})
		codes(request) == ["SURFACE_NOT_GOVERNED"]
	}
}

test_what_is_public_is_promoted_with_its_rights if {
	request := promoted("steward", "public", "pipeline_runner")
	codes(request) == ["RIGHTS_MISSING"]
	rights := {"license": "CC0-1.0", "rights": "public-domain", "attribution": "Example Survey"}
	codes(object.union(request, {"resource": rights})) == ["ALLOW_MATCHED_RULE"]
}

test_quarantine_is_never_promoted if {
	codes(promoted("steward", "quarantine", "pipeline_runner")) == ["LABEL_QUARANTINED"]
}

test_who_may_not_promote_does_not if {
	every role in ["public", "internal"] {
		codes(promoted(role, "internal", "pipeline_runner")) == ["DEFAULT_DENY"]
	}
}
