//! The bundle that `init --requests` writes, and whose vocabularies and rubrics are built in.

/// Ends a file's name in [`BUNDLE`], and its contents.
const OF_NAME: char = '\u{1f}';
const OF_FILE: char = '\u{1e}';

macro_rules! bundle {
    (files: $($file:literal,)* fixtures: $($name:literal,)*) => {
        /// One text, not a table of hundreds: every entry of a table is an address that the loader of
        /// the system relocates in each run, also in those that write no bundle.
        const BUNDLE: &str = concat!(
            $($file, "\u{1f}", include_str!(concat!("../../examples/requests/", $file)), "\u{1e}",)*
            $(
                "policy/fixtures/inputs/", $name, ".json\u{1f}",
                include_str!(concat!("../../examples/requests/policy/fixtures/inputs/", $name, ".json")),
                "\u{1e}policy/fixtures/expected/", $name, ".decision.json\u{1f}",
                include_str!(concat!("../../examples/requests/policy/fixtures/expected/", $name, ".decision.json")),
                "\u{1e}",
            )*
        );
    };
}

/// The files of the bundle with their contents.
pub fn files() -> impl Iterator<Item = (&'static str, &'static str)> {
    let files = BUNDLE.split_terminator(OF_FILE);
    files.filter_map(|file| file.split_once(OF_NAME))
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
    files:
    "Makefile",
    "CODEOWNERS",
    ".github/pull_request_template.md",
    "policy/README.md",
    "policy/vocab/policy_labels.v1.yml",
    "policy/vocab/obligations.v1.yml",
    "policy/vocab/reason_codes.v1.yml",
    "policy/rubrics/licensing.md",
    "policy/rubrics/sensitivity.md",
    fixtures:
    "abstain_evidence_id_alone", "abstain_evidence_unresolved", "abstain_evidence_without_label",
    "abstain_read_with_unresolved_evidence", "abstain_steward_quarantined_evidence",
    "abstain_story_without_evidence", "abstain_without_evidence",
    "embargo_first_moment_of_the_day_after", "embargo_on_a_public_dataset",
    "embargo_on_its_last_day", "embargo_over_review_no_truth_value",
    "embargo_over_without_review", "embargo_steward_before_the_date", "embargo_unreadable_date",
    "embargo_without_date", "empty_label", "export_display_only_rights",
    "export_empty_attribution", "export_noncommercial_license", "export_unknown_license",
    "export_unknown_rights", "export_without_attribution", "export_without_license",
    "export_without_rights", "focus_public_query_restricted_context", "generalized_with_receipt",
    "identity_by_spec_hash", "identity_hash_cut_short", "interface_decides_nothing",
    "internal_export_embargoed", "internal_export_internal", "internal_export_public",
    "internal_export_public_generalized", "internal_export_quarantine",
    "internal_export_restricted", "internal_export_restricted_sensitive_location",
    "internal_promote_embargoed", "internal_promote_internal", "internal_promote_public",
    "internal_promote_public_generalized", "internal_promote_quarantine",
    "internal_promote_restricted", "internal_promote_restricted_sensitive_location",
    "internal_query_embargoed", "internal_query_internal", "internal_query_public",
    "internal_query_public_generalized", "internal_query_quarantine", "internal_query_restricted",
    "internal_query_restricted_sensitive_location", "internal_read_embargoed",
    "internal_read_internal", "internal_read_public", "internal_read_public_generalized",
    "internal_read_quarantine", "internal_read_restricted",
    "internal_read_restricted_sensitive_location", "internal_serve_embargoed",
    "internal_serve_internal", "internal_serve_public", "internal_serve_public_generalized",
    "internal_serve_quarantine", "internal_serve_restricted",
    "internal_serve_restricted_sensitive_location", "missing_action", "missing_identity",
    "missing_label", "missing_principal", "missing_role", "missing_type", "missing_user",
    "nobody_as_steward", "operator_export_embargoed", "operator_export_internal",
    "operator_export_public", "operator_export_public_generalized", "operator_export_quarantine",
    "operator_export_restricted", "operator_export_restricted_sensitive_location",
    "operator_promote_embargoed", "operator_promote_internal", "operator_promote_public",
    "operator_promote_public_generalized", "operator_promote_quarantine",
    "operator_promote_restricted", "operator_promote_restricted_sensitive_location",
    "operator_query_embargoed", "operator_query_internal", "operator_query_public",
    "operator_query_public_generalized", "operator_query_quarantine", "operator_query_restricted",
    "operator_query_restricted_sensitive_location", "operator_read_embargoed",
    "operator_read_internal", "operator_read_public", "operator_read_public_generalized",
    "operator_read_quarantine", "operator_read_restricted",
    "operator_read_restricted_sensitive_location", "operator_serve_embargoed",
    "operator_serve_internal", "operator_serve_public", "operator_serve_public_generalized",
    "operator_serve_quarantine", "operator_serve_restricted",
    "operator_serve_restricted_sensitive_location", "promotion_through_the_api",
    "public_export_embargoed", "public_export_internal", "public_export_public_dataset",
    "public_export_public_generalized", "public_export_quarantine", "public_export_restricted",
    "public_export_restricted_sensitive_location", "public_promote_embargoed",
    "public_promote_internal", "public_promote_public", "public_promote_public_generalized",
    "public_promote_quarantine", "public_promote_restricted",
    "public_promote_restricted_sensitive_location", "public_query_embargoed",
    "public_query_internal", "public_query_public", "public_query_public_generalized",
    "public_query_quarantine", "public_query_restricted",
    "public_query_restricted_sensitive_location", "public_read_embargoed", "public_read_internal",
    "public_read_public_dataset", "public_read_public_generalized", "public_read_quarantine",
    "public_read_restricted_dataset", "public_read_restricted_sensitive_location",
    "public_serve_embargoed", "public_serve_internal", "public_serve_public",
    "public_serve_public_generalized", "public_serve_quarantine", "public_serve_restricted",
    "public_serve_restricted_sensitive_location", "resolver_reads_public_bundle",
    "steward_export_embargoed", "steward_export_internal", "steward_export_public",
    "steward_export_public_generalized", "steward_export_quarantine", "steward_export_restricted",
    "steward_export_restricted_sensitive_location", "steward_export_restricted_without_rights",
    "steward_promote_embargoed", "steward_promote_internal", "steward_promote_public",
    "steward_promote_public_generalized", "steward_promote_quarantine",
    "steward_promote_restricted", "steward_promote_restricted_sensitive_location",
    "steward_query_embargoed", "steward_query_internal", "steward_query_public",
    "steward_query_public_generalized", "steward_query_quarantine", "steward_query_restricted",
    "steward_query_restricted_sensitive_location", "steward_read_embargoed",
    "steward_read_internal", "steward_read_public", "steward_read_public_generalized",
    "steward_read_quarantine", "steward_read_restricted_dataset",
    "steward_read_restricted_sensitive_location", "steward_serve_embargoed",
    "steward_serve_internal", "steward_serve_public", "steward_serve_public_generalized",
    "steward_serve_quarantine", "steward_serve_restricted",
    "steward_serve_restricted_sensitive_location", "steward_unknown_label",
    "storage_is_no_way_in", "story_with_generalized_evidence", "unknown_action",
    "unknown_field_of_context", "unknown_field_of_resource", "unknown_field_of_user",
    "unknown_label", "unknown_label_upper_case", "unknown_role", "unknown_role_upper_case",
    "unknown_type", "unstable_identity",
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_fixture_of_the_example_is_shipped() {
        let directory = std::path::Path::new("examples/requests/policy/fixtures/inputs");
        let mut there: Vec<String> = std::fs::read_dir(directory)
            .unwrap()
            .map(|entry| entry.unwrap().file_name().to_str().unwrap().to_owned())
            .collect();
        there.sort();
        let prefix = "policy/fixtures/inputs/";
        let shipped = files().filter_map(|(file, _)| file.strip_prefix(prefix));
        let mut shipped: Vec<String> = shipped.map(str::to_owned).collect();
        shipped.sort();
        assert_eq!(shipped, there);
    }

    #[test]
    fn every_file_is_shipped_as_it_stands() {
        for (file, text) in files() {
            let there = std::fs::read_to_string(format!("examples/requests/{file}")).unwrap();
            assert_eq!(text, there, "{file}");
        }
        let listed = BUNDLE.matches(OF_NAME).count();
        assert_eq!(
            (files().count(), BUNDLE.matches(OF_FILE).count()),
            (listed, listed)
        );
    }
}
