# May a copy be handed on? License, rights and attribution have to be there, known, and permit it.
package kfm.rights

import rego.v1

import data.kfm.labels
import data.shared.values

license := labels.vocabulary.licenses[input.resource.license]

right := labels.vocabulary.rights[input.resource.rights]

is_attributed if {
	values.is_text(input.resource.attribution)
	trim_space(input.resource.attribution) != ""
}

is_permitted if {
	is_attributed
	license == true
	right == true
}

# Enough for a rule: not every rule asks for rights.
suffice(rule) if not "rights" in object.get(rule, "needs", [])

suffice(_) if is_permitted

denial := "RIGHTS_FORBID" if {
	is_attributed
	is_boolean(license)
	is_boolean(right)
} else := "RIGHTS_MISSING"
