# What has to be done with an answer, in the order of the vocabulary.
package kfm.obligations

import rego.v1

import data.kfm.errors
import data.kfm.labels
import data.kfm.sensitivity
import data.shared.values

receipts := [receipt |
	some thing in array.concat([input.resource], errors.pieces)
	receipt := thing.receipt
	values.is_text(receipt)
]

# Of an allowance: those of its rule, of the rules that let its evidence be used, and where that came from.
given(rule) := array.concat(object.get(rule, "obligations", []), of_evidence)

of_evidence := [one |
	some by in sensitivity.readers
	some one in by.obligations
]

provenance := [{"type": "provenance_link"} |
	count(receipts) > 0
	count(errors.pieces) > 0
]

allowed(rule) := in_order(array.concat(given(rule), provenance), receipts, "")

# Of a denial: those of the label, and how whoever asks is told.
denied(code) := in_order(array.concat(of_label, [{"type": told}]), [], code)

default of_label := []

of_label := labels.label.denied.obligations

told := "remediation_hint" if {
	errors.is_told_why
} else := "policy_safe_error"

# A copy leaves only where nothing that is to be kept would leave with it.
may_leave(_) if not labels.action.leaves

may_leave(rule) if {
	every one in given(rule) {
		not one.type in {"suppress_export", "force_generalization"}
	}
}

# One of each type, with what the request adds to it.
in_order(list, links, code) := [object.union(merged(kind, list), supplied(kind, links, code)) |
	some kind in labels.vocabulary.obligations
	kind in {one.type | some one in list}
]

merged(kind, list) := {name: strictest(values) |
	some one in list
	one.type == kind
	some name, _ in one
	values := [value | some other in list; other.type == kind; value := other[name]]
}

# Of several the strictest: every field of all lists, the widest grid.
strictest(many) := values.once([item | some list in many; some item in list]) if {
	is_array(many[0])
} else := max(many) if {
	is_number(many[0])
} else := many[0]

supplied("provenance_link", links, _) := {"receipts": links} if {
	count(links) > 0
} else := {}

supplied("embargo_until", _, _) := {"date": date} if {
	date := time.format([sensitivity.begin(input.resource.embargo_until), "UTC", "2006-01-02"])
} else := {}

supplied("remediation_hint", _, code) := {"hint": hint} if {
	hint := labels.vocabulary.hints[code]
} else := {}

supplied(kind, _, _) := {} if not kind in {"provenance_link", "embargo_until", "remediation_hint"}
