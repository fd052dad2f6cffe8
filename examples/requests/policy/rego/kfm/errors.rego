# What is wrong with the words of a request, and who is told so.
package kfm.errors

import rego.v1

import data.kfm.labels
import data.shared.values

nobody := {"anonymous", "user:anonymous"}

# Words that name another version tomorrow.
unstable := {"latest", "current", "head", "newest", "main", "master", "now", "today"}

# Every problem as its code, in the order in which a request is read.
codes := values.once(array.concat(
	array.concat([code | some name in sections; code := of_section(name)], of_words),
	array.concat(of_identity, [code | some piece in pieces; code := of_piece(piece)]),
))

sections := ["user", "resource", "context"]

section(name) := object.get(input, name, {})

of_section(name) := "REQUEST_SHAPE" if {
	not is_object(section(name))
} else := "FIELD_UNKNOWN" if {
	some key, _ in section(name)
	not is_field(name, key)
}

is_field(name, key) if key in labels.vocabulary.fields[name]

# What the program itself adds to the context.
is_field("context", key) if key in {"evaluated_at", "evaluated_at_ns", "level"}

# Words that have to be there, each with those that are known.
words := [
	{"value": word("user", "role"), "known": labels.vocabulary.roles, "code": "ROLE"},
	{"value": object.get(input, "action", ""), "known": labels.vocabulary.actions, "code": "ACTION"},
	{"value": word("resource", "type"), "known": labels.vocabulary.resource_types, "code": "RESOURCE_TYPE"},
	{"value": word("resource", "policy_label"), "known": labels.vocabulary.labels, "code": "LABEL"},
]

word(name, key) := value if {
	value := input[name][key]
} else := ""

of_words := array.concat(
	["PRINCIPAL_MISSING" | not is_somebody],
	[code | some one in words; code := of_word(one)],
)

of_word(one) := concat("_", [one.code, "MISSING"]) if {
	not values.is_text(one.value)
} else := concat("_", [one.code, "UNKNOWN"]) if {
	not one.known[one.value]
}

is_somebody if {
	values.is_text(input.user.principal)
	not is_unnamed
}

# Nobody has a role of the organisation without a name.
is_unnamed if {
	input.user.principal in nobody
	is_told_why
}

# Only such roles are told why; whoever has none, or an unknown one, is not.
is_told_why if labels.role.sees == "explicit"

# One of the fields that identify the resource is there, and each that is there stays what it is.
identifying := labels.vocabulary.resource_types[input.resource.type].identity

given := [field |
	some field in identifying
	object.get(input.resource, field, null) != null
]

of_identity := ["IDENTITY_MISSING"] if {
	count(identifying) > 0
	count(given) == 0
} else := ["IDENTITY_UNSTABLE"] if {
	some field in given
	not is_stable(field, input.resource[field])
} else := []

is_stable("spec_hash", id) if {
	values.is_text(id)
	regex.match(`^(sha256:)?[0-9a-f]{64}$`, id)
}

is_stable(field, id) if {
	field != "spec_hash"
	values.is_text(id)
	regex.match(`^[A-Za-z0-9._:/@-]{1,200}$`, id)
	regex.match(`[0-9]`, id)
	every piece in regex.split(`[._:/@-]`, lower(id)) {
		not piece in unstable
	}
}

# Evidence as it was given: what is no list counts as one piece, which is wrong.
pieces := array.concat(listed("resource"), listed("context"))

listed(name) := list if {
	list := input[name].evidence
	is_array(list)
} else := [[]] if {
	input[name].evidence != null
} else := []

# An id alone, or an object with one.
of_piece(piece) := "REQUEST_SHAPE" if {
	not is_object(piece)
	not values.is_text(piece)
} else := "FIELD_UNKNOWN" if {
	is_object(piece)
	some key, _ in piece
	not key in labels.vocabulary.fields.evidence
} else := "REQUEST_SHAPE" if {
	is_object(piece)
	not values.is_text(piece.id)
}
