# From where an act may be asked for, and what it does with the evidence that it brings along.
package kfm.promotion

import rego.v1

import data.kfm.labels

# A request that names no point came in where all of them do.
point := object.get(input, "point", "governed_api")

# Only a pipeline promotes, and no interface decides anything.
is_governed if point in labels.action.points

# What is handed on or promoted cites its evidence, and does not contain it: reading it is enough.
of_evidence := "read" if {
	labels.action.leaves
} else := "read" if {
	input.action == "promote"
} else := input.action
