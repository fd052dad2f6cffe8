# May this be done? Denied unless everything holds. The entry point is data.kfm.authz.decision.
package kfm.authz

import rego.v1

import data.kfm.errors
import data.kfm.labels
import data.kfm.obligations
import data.kfm.promotion
import data.kfm.rights
import data.kfm.sensitivity

# Why not: the first of these counts, and nothing further is asked. Each is what does not hold, so that
# whatever is undefined denies.
codes := errors.codes if {
	count(errors.codes) > 0
} else := ["SURFACE_NOT_GOVERNED"] if {
	not promotion.is_governed
} else := [labels.denial] if {
	not labels.is_undenied
} else := [sensitivity.embargo(input.resource)] if {
	not sensitivity.is_released(input.resource, {})
} else := ["DEFAULT_DENY"] if {
	not labels.rule
} else := [embargo_or_rights] if {
	not has_what_it_needs
} else := [sensitivity.abstain] if {
	not sensitivity.carries
} else := ["EXPORT_SUPPRESSED"] if {
	not obligations.may_leave(labels.rule)
} else := []

has_what_it_needs if {
	sensitivity.is_released(input.resource, labels.rule)
	rights.suffice(labels.rule)
}

embargo_or_rights := sensitivity.embargo(input.resource) if {
	not sensitivity.is_released(input.resource, labels.rule)
} else := rights.denial

decision := {
	"decision": "allow",
	"policy_label": label,
	"obligations": obligations.allowed(labels.rule),
	"reason_codes": ["ALLOW_MATCHED_RULE"],
} if {
	count(codes) == 0
} else := {
	"decision": "deny",
	"policy_label": label,
	"obligations": obligations.denied(codes[0]),
	"reason_codes": codes,
	"alternatives": array.concat(abstaining, of_label),
}

default label := null

label := input.resource.policy_label if labels.label

default of_label := []

of_label := labels.label.denied.alternatives

# What can be asked for where evidence does not carry a claim.
abstaining := ["Answer without the claims that this evidence would carry." |
	startswith(codes[0], "ABSTAIN_")
]
