//! The bundle that `init --requests` writes, and whose vocabularies and rubrics are built in.

macro_rules! bundle {
    ($($file:literal,)*) => {
        /// The files of the bundle, each below `policy/`.
        pub const FILES: &[(&str, &str)] = &[
            $((concat!("policy/", $file), include_str!(concat!("../../examples/requests/policy/", $file))),)*
        ];
    };
}

/// The built-in vocabulary of labels.
pub const LABELS: &str = include_str!("../../examples/requests/policy/vocab/policy_labels.v1.yml");
/// The built-in vocabulary of obligations.
pub const OBLIGATIONS: &str =
    include_str!("../../examples/requests/policy/vocab/obligations.v1.yml");
/// The built-in vocabulary of reason codes.
pub const REASON_CODES: &str =
    include_str!("../../examples/requests/policy/vocab/reason_codes.v1.yml");
/// The built-in licensing rubric.
pub const LICENSING: &str = include_str!("../../examples/requests/policy/rubrics/licensing.md");
/// The built-in sensitivity rubric.
pub const SENSITIVITY: &str = include_str!("../../examples/requests/policy/rubrics/sensitivity.md");

bundle! {
    "vocab/policy_labels.v1.yml",
    "vocab/obligations.v1.yml",
    "vocab/reason_codes.v1.yml",
    "rubrics/licensing.md",
    "rubrics/sensitivity.md",
}
