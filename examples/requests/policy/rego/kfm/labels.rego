# What the table of labels says: which rule allows an action to a role, and which denies it.
#
# The files below vocab/ are those of policy/vocab, copied, and what the licensing rubric says. Exceptions
# are not asked here; a workspace that has some uses the layer of labels.
package kfm.labels

import rego.v1

import data.kfm.vocab

named(list) := {one.name: one | some one in list}

# The words of the vocabularies, each by its name.
vocabulary := {
	"roles": named(vocab.labels.roles),
	"actions": named(vocab.labels.actions),
	"resource_types": named(vocab.labels.resource_types),
	"labels": named(vocab.labels.labels),
	"fields": vocab.labels.fields,
	"obligations": [one.type | some one in vocab.obligations.obligations],
	"hints": {one.code: one.hint | some one in vocab.reason_codes.reason_codes},
	"licenses": vocab.licensing.licenses,
	"rights": vocab.licensing.rights,
}

label := vocabulary.labels[input.resource.policy_label]

role := vocabulary.roles[input.user.role]

action := vocabulary.actions[input.action]

# Rules of a label that are about this role and action; one that names no role or no action is about all.
fitting(rules, effect, what) := [one |
	some one in rules
	one.effect == effect
	input.user.role in object.get(one, "roles", [input.user.role])
	what in object.get(one, "actions", [what])
]

denying := fitting(label.rules, "deny", input.action)

# The rule that allows what is asked, unless something denies it.
rule := fitting(label.rules, "allow", input.action)[0]

is_undenied if count(denying) == 0

default denial := "DEFAULT_DENY"

denial := denying[0].code
