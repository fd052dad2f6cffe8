# What several packages need of values.
package shared.values

import rego.v1

# A text that says something.
is_text(value) if {
	is_string(value)
	value != ""
}

# A list without what stands in it twice, each where it stands first.
once(list) := [value |
	some at, value in list
	not value in array.slice(list, 0, at)
]
