# What has to stay hidden: until an embargo is over, and behind evidence that may not be used.
package kfm.sensitivity

import rego.v1

import data.kfm.errors
import data.kfm.labels
import data.kfm.promotion
import data.shared.values

day := ((24 * 60) * 60) * 1000000000

# The beginning of a date in UTC, in nanoseconds. A time counts as its day.
begin(text) := time.parse_rfc3339_ns(concat("", [text, "T00:00:00Z"])) if {
	values.is_text(text)
	regex.match(date, text)
} else := moment - (moment % day) if {
	values.is_text(text)
	regex.match(moment_of_day, text)
	moment := time.parse_rfc3339_ns(text)
}

date := `^\d{4}-(0[1-9]|1[0-2])-(0[1-9]|[12]\d|3[01])$`

moment_of_day := `^\d{4}-(0[1-9]|1[0-2])-(0[1-9]|[12]\d|3[01])T([01]\d|2[0-3]):[0-5]\d:[0-5]\d(\.\d+)?(Z|[+-]([01]\d|2[0-3]):[0-5]\d)$`

# Over from the day after its date, and only where a review has released it.
is_over(thing) if {
	input.context.evaluated_at_ns >= begin(thing.embargo_until) + day
	thing.embargo_reviewed == true
}

embargo(thing) := "EMBARGO_ACTIVE" if {
	input.context.evaluated_at_ns < begin(thing.embargo_until) + day
} else := "EMBARGO_UNREVIEWED" if {
	begin(thing.embargo_until)
} else := "EMBARGO_UNREADABLE"

# Nothing is hidden by a date that nobody gave, unless the rule asks for one.
is_released(thing, rule) if {
	object.get(thing, "embargo_until", null) == null
	not "embargo_over" in object.get(rule, "needs", [])
}

is_released(thing, _) if is_over(thing)

is_needed if labels.action.evidence == "always"

is_needed if {
	labels.action.evidence == "cited"
	labels.vocabulary.resource_types[input.resource.type].cites
}

# The rule that lets whoever asks use a piece of evidence.
readable(piece) := rule if {
	rules := labels.vocabulary.labels[piece.policy_label].rules
	count(labels.fitting(rules, "deny", promotion.of_evidence)) == 0
	rule := labels.fitting(rules, "allow", promotion.of_evidence)[0]
	not "rights" in object.get(rule, "needs", [])
	is_released(piece, rule)
}

# For each piece of evidence that may be used, the rule that says so.
readers := [readable(piece) | some piece in errors.pieces]

is_there if count(errors.pieces) > 0

is_there if not is_needed

is_resolved if {
	every piece in errors.pieces {
		piece.resolved == true
	}
}

is_readable if count(readers) == count(errors.pieces)

# The evidence carries what is claimed by it; else nothing is claimed.
carries if {
	is_there
	is_resolved
	is_readable
}

abstain := "ABSTAIN_EVIDENCE_MISSING" if {
	not is_there
} else := "ABSTAIN_EVIDENCE_UNRESOLVED" if {
	not is_resolved
} else := "ABSTAIN_EVIDENCE_RESTRICTED"
