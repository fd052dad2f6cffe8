# May an agent have data of a person? The entry point is data.orchestra.agent.data_access.allow; what
# stands in `deny` or `violation` beats it.
package orchestra.agent.data_access

import rego.v1

default allow := false

# What everybody in the house may see, of one's own person.
allow if {
	is_own
	input.data.classification in {"public", "internal"}
}

# What is confidential needs a permission and a reason that somebody approved.
allow if {
	is_own
	input.data.classification == "confidential"
	"confidential_data_access" in input.agent.permissions
	is_justified
}

is_own if input.agent.user_id == input.data.owner_user_id

is_justified if {
	input.context.business_justification != ""
	input.context.approval_id != ""
	not is_expired
}

# An approval that ends now has ended, and one without an end was never given.
default is_expired := true

is_expired := false if input.context.approval_expiry > time.now_ns()

# No agent gets what is restricted, whatever allows it.
deny contains "restricted data is never handed to an agent" if {
	input.data.classification == "restricted"
}

violation contains {"msg": message, "severity": "critical"} if {
	not allow
	input.data.classification in {"confidential", "restricted"}
	message := sprintf(
		"Unauthorized access attempt: Agent %s attempted to access %s data belonging to user %s",
		[input.agent.id, input.data.classification, input.data.owner_user_id],
	)
}
