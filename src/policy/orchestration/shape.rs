//! The shape of a policy document, `apiVersion: policy.orchestra.v1`, `kind: OrchestrationPolicy`.
//!
//! The JSON Schema that editors use is made from these types and their comments by a test, so a
//! comment here is what an author reads while typing. What the values mean, and which of them
//! belong together, is checked in the files beside this one.

use serde::Deserialize;

use crate::policy::responses;
use crate::policy::source::collect::{Field, List, Scalar};

/// A policy: which signals count, which levels they demand, and what is left out for a while.
#[derive(Debug, Default, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[cfg_attr(test, schemars(deny_unknown_fields, extend("required" = ["apiVersion", "kind", "metadata", "spec"])))]
#[serde(default, rename_all = "camelCase", rename = "OrchestrationPolicy")]
pub(super) struct Document {
    /// Always `policy.orchestra.v1`.
    #[cfg_attr(test, schemars(extend("const" = "policy.orchestra.v1")))]
    pub(super) api_version: Field<String>,
    /// Always `OrchestrationPolicy`.
    #[cfg_attr(test, schemars(extend("const" = "OrchestrationPolicy")))]
    pub(super) kind: Field<String>,
    /// Which policy this is.
    pub(super) metadata: Field<Metadata>,
    /// What it says.
    pub(super) spec: Field<Spec>,
    /// The JSON Schema, for editors.
    #[serde(rename = "$schema")]
    pub(super) schema: Field<String>,
}

/// Which policy this is.
#[derive(Debug, Default, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[cfg_attr(test, schemars(deny_unknown_fields, extend("required" = ["name", "version"])))]
#[serde(default)]
pub(super) struct Metadata {
    /// Its name, which stands in every decision: at most 100 printable characters.
    pub(super) name: Field<String>,
    /// Its version, as you count: text, so in quotes where it looks like a number.
    pub(super) version: Field<String>,
    /// What it is for.
    pub(super) description: Field<String>,
    /// Who answers for it.
    pub(super) owner: Field<String>,
    /// Words to find it by.
    pub(super) tags: List<String>,
}

/// What the policy says.
#[derive(Debug, Default, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[cfg_attr(test, schemars(deny_unknown_fields, extend("required" = ["signals", "triggers"])))]
#[serde(default)]
pub(super) struct Spec {
    /// The signals that count. One of the six built-in ones (trust, integrity, consensus,
    /// reputation, forecast, responses) needs its name only; one that is not listed is not read.
    #[cfg_attr(test, schemars(extend("minItems" = 1)))]
    pub(super) signals: List<Signal>,
    /// Levels between YELLOW and RED, the lower ones first: [ORANGE], say.
    pub(super) levels: List<String>,
    /// What demands a level.
    #[cfg_attr(test, schemars(extend("minItems" = 1)))]
    pub(super) triggers: List<Trigger>,
    /// How long a level stays after its reasons are gone. Without it a level falls at once.
    pub(super) hysteresis: Field<Hysteresis>,
    /// Triggers that do not count for a while.
    pub(super) waivers: List<Waiver>,
    /// When nothing may be applied.
    pub(super) freeze: List<Window>,
    /// What the levels call for. Here or in policy/responses.json, not in both.
    pub(super) responses: Field<responses::Shape>,
}

/// A signal that counts.
#[derive(Debug, Default, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[cfg_attr(test, schemars(deny_unknown_fields, extend("required" = ["name"])))]
#[serde(default)]
pub(super) struct Signal {
    /// Its name: lower-case letters, digits and `_`. A built-in one brings its file and type.
    pub(super) name: Field<String>,
    /// What it is, for people.
    pub(super) description: Field<String>,
    /// The file, relative to the workspace.
    pub(super) file: Field<String>,
    /// The form of the file; without it the file's extension tells.
    pub(super) format: Field<Format>,
    /// Where the value stands in JSON or in a line of JSONL: a JSON pointer (RFC 6901).
    pub(super) pointer: Field<String>,
    /// The column of a CSV file; the last row counts.
    pub(super) column: Field<String>,
    /// What the value is.
    #[serde(rename = "type")]
    pub(super) kind: Field<Kind>,
    /// The unit of a number, for people.
    pub(super) unit: Field<String>,
    /// The least that a number can be; what lies below is invalid.
    pub(super) min: Field<f64>,
    /// The most that a number can be; what lies above is invalid.
    pub(super) max: Field<f64>,
    /// The words that a choice can be.
    pub(super) values: List<String>,
    /// Of a count of JSONL entries: those within this time before the evaluation, `24h` say.
    pub(super) window: Field<String>,
    /// Where the time of the observation stands: a pointer or a column, as for the value.
    pub(super) time: Field<String>,
    /// Which way is better; a trigger on the other side is a contradiction.
    pub(super) direction: Field<Direction>,
    /// Older than this is stale: `26h`, `7d`.
    pub(super) max_age: Field<String>,
    /// What is demanded where nobody reported: a level, or assume_healthy. YELLOW where silent.
    pub(super) on_missing: Field<String>,
    /// What is demanded where the report is too old: a level, or assume_healthy. YELLOW where
    /// silent.
    pub(super) on_stale: Field<String>,
    /// What is demanded where the file can't be read: a level from YELLOW on. RED where silent, and
    /// always RED for the built-in signals.
    pub(super) on_invalid: Field<String>,
}

/// The form of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub(super) enum Format {
    /// One JSON document.
    Json,
    /// A JSON object on every line.
    Jsonl,
    /// A table with a header.
    Csv,
}

/// What a value is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub(super) enum Kind {
    /// A number from 0 to 100.
    Percent,
    /// A number, perhaps with a unit.
    Number,
    /// True or false.
    Boolean,
    /// One of the words under `values`.
    Choice,
    /// A whole number from 0 on; with `window`, the entries of a JSONL file in that time.
    Count,
    /// How old the time at `time` is, or the file itself.
    Age,
}

/// Which way is better.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub(super) enum Direction {
    /// More is better: coverage.
    HigherIsBetter,
    /// Less is better: vulnerabilities.
    LowerIsBetter,
}

/// A condition that demands at least a level. Exactly one of below, at_most, above, at_least,
/// equals, one_of, changed, median and when.
#[derive(Debug, Default, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[cfg_attr(test, schemars(deny_unknown_fields, extend("required" = ["code", "level"])))]
#[serde(default)]
pub(super) struct Trigger {
    /// The reason code that a decision shows: upper-case letters, digits and `_`, each once.
    pub(super) code: Field<String>,
    /// The level that it demands.
    pub(super) level: Field<String>,
    /// The signal that it looks at; `when` names its signals itself.
    pub(super) signal: Field<String>,
    /// Why, for people.
    pub(super) description: Field<String>,
    /// Fires below this; the line itself does not fire. A number, or a duration for an age.
    pub(super) below: Field<Scalar>,
    /// Fires at this or below it.
    pub(super) at_most: Field<Scalar>,
    /// Fires above this; the line itself does not fire.
    pub(super) above: Field<Scalar>,
    /// Fires at this or above it.
    pub(super) at_least: Field<Scalar>,
    /// Fires at exactly this: a number, a word, true or false; of trust: locked.
    pub(super) equals: Field<Scalar>,
    /// Fires at any of these.
    pub(super) one_of: List<Scalar>,
    /// Fires where the value went away from what was recorded.
    pub(super) changed: Field<Changed>,
    /// Fires where the value lies far from the median of what was recorded.
    pub(super) median: Field<Median>,
    /// Fires where this condition in CEL holds: `coverage < 80.0 && vulnerabilities > 3`.
    pub(super) when: Field<String>,
}

/// A change against the values recorded within a time.
#[derive(Debug, Default, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[cfg_attr(test, schemars(deny_unknown_fields, extend("required" = ["by_more_than", "within"])))]
#[serde(default)]
pub(super) struct Changed {
    /// Which way; either where silent.
    pub(super) way: Field<Way>,
    /// By more than this, in the signal's unit.
    pub(super) by_more_than: Field<f64>,
    /// Within this time: `7d`, at most 31 days.
    pub(super) within: Field<String>,
}

/// Which way a value goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub(super) enum Way {
    /// Down.
    Fall,
    /// Up.
    Rise,
    /// Up or down.
    Either,
}

/// A comparison with the median of the values recorded last. Exactly one of below_ratio and
/// above_ratio.
#[derive(Debug, Default, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[cfg_attr(test, schemars(deny_unknown_fields, extend("required" = ["of_last"])))]
#[serde(default)]
pub(super) struct Median {
    /// How many recorded values: 3 to 1000. With fewer the trigger does not fire yet.
    pub(super) of_last: Field<f64>,
    /// Fires below the median times this.
    pub(super) below_ratio: Field<f64>,
    /// Fires above the median times this.
    pub(super) above_ratio: Field<f64>,
}

/// How long a level stays after its reasons are gone. Exactly one of the two.
#[derive(Debug, Default, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[cfg_attr(test, schemars(deny_unknown_fields))]
#[serde(default)]
pub(super) struct Hysteresis {
    /// It falls with this many evaluations in a row that demand less: 2 to 1000.
    pub(super) evaluations: Field<f64>,
    /// It falls once less was demanded for this time: `6h`.
    pub(super) time: Field<String>,
}

/// A trigger that does not count for a while. It is still evaluated and shown.
#[derive(Debug, Default, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[cfg_attr(test, schemars(deny_unknown_fields, extend("required" = ["trigger", "reason", "by", "ticket", "expires"])))]
#[serde(default)]
pub(super) struct Waiver {
    /// The code of the trigger.
    pub(super) trigger: Field<String>,
    /// Why.
    pub(super) reason: Field<String>,
    /// Who decided it.
    pub(super) by: Field<String>,
    /// Where it is followed up.
    pub(super) ticket: Field<String>,
    /// When it was granted: a time or a day. It may end at most 366 days later.
    pub(super) granted: Field<String>,
    /// The last moment at which it counts: a time (RFC 3339), or a day, which counts to its end in
    /// UTC.
    pub(super) expires: Field<String>,
}

/// A time in which nothing may be applied, or the only times in which something may.
#[derive(Debug, Default, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[cfg_attr(test, schemars(deny_unknown_fields, extend("required" = ["name", "reason", "cron", "duration"])))]
#[serde(default)]
pub(super) struct Window {
    /// Its name, which a blocked apply shows.
    pub(super) name: Field<String>,
    /// Why.
    pub(super) reason: Field<String>,
    /// When it opens: minute, hour, day of the month, month, day of the week.
    pub(super) cron: Field<String>,
    /// How long it lasts: `62h`, at most 31 days.
    pub(super) duration: Field<String>,
    /// The time zone of its beginning, by its IANA name; UTC where silent.
    pub(super) timezone: Field<String>,
    /// deny: nothing is applied in it. allow: where there is one, nothing is applied outside all of
    /// them. deny counts first. deny where silent.
    pub(super) mode: Field<Mode>,
}

/// What a window does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub(super) enum Mode {
    /// Nothing is applied in it.
    Deny,
    /// Nothing is applied outside all such windows.
    Allow,
}
