//! The shape of a spend policy, in its small and its large form.
//!
//! The JSON Schema that editors use is made from these types and their comments by a test, so a comment
//! here is what an author reads while typing. What values mean is checked in [`super`].

use serde::Deserialize;

use crate::policy::source::collect::{Field, List, Scalar};

/// A spend policy in its large form.
#[derive(Debug, Default, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[cfg_attr(test, schemars(deny_unknown_fields, extend("required" = ["apiVersion", "kind", "spec"])))]
#[serde(default, rename_all = "camelCase", rename = "SpendPolicy")]
pub(super) struct Document {
    /// Always `policy.orchestra.v1`.
    #[cfg_attr(test, schemars(extend("const" = "policy.orchestra.v1")))]
    pub(super) api_version: Field<String>,
    /// Always `SpendPolicy`.
    #[cfg_attr(test, schemars(extend("const" = "SpendPolicy")))]
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
#[cfg_attr(test, schemars(deny_unknown_fields))]
#[serde(default)]
pub(super) struct Metadata {
    /// Its name, where `spec` has none.
    pub(super) name: Field<String>,
    /// Its version, as you count.
    pub(super) version: Field<String>,
    /// Who answers for it.
    pub(super) owner: Field<String>,
    /// What it is for.
    pub(super) description: Field<String>,
    /// Words to find it by.
    pub(super) tags: List<String>,
}

/// What a spend policy says: how much, to whom, for what, and from when on a person is asked.
#[derive(Debug, Default, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[cfg_attr(test, schemars(deny_unknown_fields, extend("required" = ["caps", "msig"])))]
#[serde(default, rename_all = "camelCase")]
pub(super) struct Spec {
    /// Its name. Without `agents`, the policy is for the agent of that name.
    pub(super) name: Field<String>,
    /// What it is for.
    pub(super) description: Field<String>,
    /// Its version, as you count.
    pub(super) version: Field<String>,
    /// The agents that it is for; `*` stands for any characters.
    pub(super) agents: List<String>,
    /// The currency of all its amounts; BRL where silent.
    pub(super) currency: Field<String>,
    /// How much may be spent. A cap that is just reached is kept.
    pub(super) caps: Field<Caps>,
    /// From which amount on several persons have to approve.
    pub(super) msig: Field<Msig>,
    /// Who may get money without a person's word, and where.
    pub(super) allow_lists: Field<Lists>,
    /// What money is never spent for, and who never gets any.
    pub(super) block_lists: Field<Blocked>,
    /// Rules, in the order in which their reasons are told.
    pub(super) rules: List<Rule>,
    /// The JSON Schema, for editors.
    #[serde(rename = "$schema")]
    pub(super) schema: Field<String>,
}

/// How much may be spent.
#[derive(Debug, Default, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[cfg_attr(test, schemars(deny_unknown_fields, extend("required" = ["perTxn", "daily", "monthly"])))]
#[serde(default, rename_all = "camelCase")]
pub(super) struct Caps {
    /// In one payment; more is denied.
    pub(super) per_txn: Field<Scalar>,
    /// In a day, by UTC; more needs a person.
    pub(super) daily: Field<Scalar>,
    /// In a month, by UTC; more needs a person.
    pub(super) monthly: Field<Scalar>,
}

/// From which amount on several persons have to approve.
#[derive(Debug, Default, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[cfg_attr(test, schemars(deny_unknown_fields, extend("required" = ["threshold"])))]
#[serde(default)]
pub(super) struct Msig {
    /// The threshold.
    pub(super) threshold: Field<Threshold>,
}

/// A threshold.
#[derive(Debug, Default, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[cfg_attr(test, schemars(deny_unknown_fields, extend("required" = ["higherThan", "approvals"])))]
#[serde(default, rename_all = "camelCase")]
pub(super) struct Threshold {
    /// Above this amount.
    pub(super) higher_than: Field<Scalar>,
    /// So many persons, 1 to 100.
    pub(super) approvals: Field<f64>,
}

/// Who may get money without a person's word, and where.
#[derive(Debug, Default, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[cfg_attr(test, schemars(deny_unknown_fields))]
#[serde(default)]
pub(super) struct Lists {
    /// Ids of beneficiaries; `*` stands for any characters.
    pub(super) beneficiaries: List<String>,
    /// Countries, two capital letters each.
    pub(super) countries: List<String>,
}

/// What money is never spent for, and who never gets any; small and capital letters are the same.
#[derive(Debug, Default, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[cfg_attr(test, schemars(deny_unknown_fields))]
#[serde(default)]
pub(super) struct Blocked {
    /// Categories; `*` stands for any characters.
    pub(super) categories: List<String>,
    /// Ids of beneficiaries; `*` stands for any characters.
    pub(super) beneficiaries: List<String>,
}

/// A rule: one condition, and what follows from it.
#[derive(Debug, Default, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[cfg_attr(test, schemars(deny_unknown_fields, extend("required" = ["if", "then"])))]
#[serde(default)]
pub(super) struct Rule {
    /// When it speaks.
    #[serde(rename = "if")]
    pub(super) condition: Field<Condition>,
    /// What follows.
    pub(super) then: Field<Then>,
}

/// A condition: one of these.
#[derive(Debug, Default, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[cfg_attr(test, schemars(deny_unknown_fields, extend("minProperties" = 1, "maxProperties" = 1)))]
#[serde(default, rename_all = "camelCase")]
pub(super) struct Condition {
    /// The category is one of these; `*` stands for any characters.
    pub(super) category_in: List<String>,
    /// The amount is above this.
    pub(super) amount_gt: Field<Scalar>,
    /// The beneficiary is not on the list of those who may get money.
    pub(super) beneficiary_not_in_allow: Field<bool>,
}

/// What follows.
#[derive(Debug, Default, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[cfg_attr(test, schemars(deny_unknown_fields, extend("required" = ["effect", "reason"])))]
#[serde(default)]
pub(super) struct Then {
    /// ALLOW is no objection and overrides nothing; REQUIRE_HITL asks a person, REQUIRE_MSIG several;
    /// DENY denies.
    #[cfg_attr(test, schemars(extend("enum" = ["ALLOW", "REQUIRE_HITL", "REQUIRE_MSIG", "DENY"])))]
    pub(super) effect: Field<String>,
    /// Of REQUIRE_MSIG: how many persons, 1 to 100.
    pub(super) approvals: Field<f64>,
    /// The reason that is told.
    pub(super) reason: Field<String>,
}
