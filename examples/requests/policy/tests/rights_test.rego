package kfm.rights_test

import rego.v1

import data.kfm.authz
import data.kfm.authz_test.asked

whole := {"license": "CC-BY-4.0", "rights": "own-work", "attribution": "Example Survey, 2026"}

exported(rights) := answer.reason_codes if {
	answer := authz.decision with input as object.union(asked("public", "export", "public"), {"resource": rights})
}

test_an_export_with_all_rights_is_allowed if {
	exported(whole) == ["ALLOW_MATCHED_RULE"]
}

test_each_part_is_needed if {
	every part in ["license", "rights", "attribution"] {
		exported(object.remove(whole, [part])) == ["RIGHTS_MISSING"]
		exported(object.union(whole, {part: " "})) == ["RIGHTS_MISSING"]
	}
}

test_what_no_rubric_knows_is_missing if {
	exported(object.union(whole, {"license": "MIT-0"})) == ["RIGHTS_MISSING"]
	exported(object.union(whole, {"rights": "maybe"})) == ["RIGHTS_MISSING"]
}

test_what_forbids_a_copy_forbids_it if {
	exported(object.union(whole, {"license": "CC-BY-NC-4.0"})) == ["RIGHTS_FORBID"]
	exported(object.union(whole, {"rights": "display-only"})) == ["RIGHTS_FORBID"]
}

test_reading_asks_for_no_rights if {
	answer := authz.decision with input as asked("public", "read", "public")
	answer.decision == "allow"
}
