//! Documents that have to say what is true.

use std::path::Path;

use policy_orchestrator::report::{codes, documents};

fn project(name: &str) -> String {
    std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(name)).unwrap()
}

/// Holds a page against what the code makes of it, and writes it where `scripts/regenerate` asks.
fn is_made_from_the_code(name: &str, page: &str) {
    if std::env::var_os("POLICY_REGENERATE").is_some() {
        std::fs::write(Path::new(env!("CARGO_MANIFEST_DIR")).join(name), page).unwrap();
    }
    assert_eq!(project(name), page, "run scripts/regenerate");
}

#[test]
fn the_page_of_codes_is_made_from_the_code() {
    is_made_from_the_code("docs/codes.md", &codes::page());
}

#[test]
fn the_page_of_documents_is_made_from_the_code() {
    is_made_from_the_code("docs/documents.md", &documents::page());
}

#[test]
fn the_page_of_lints_is_made_from_the_code() {
    let page = policy_orchestrator::report::lints::page();
    if std::env::var_os("POLICY_REGENERATE").is_some() {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/lints.md");
        std::fs::write(path, &page).unwrap();
    }
    assert!(project("docs/lints.md") == page, "run scripts/regenerate");
}

#[test]
fn the_page_of_policy_documents_names_every_key() {
    fn keys(schema: &serde_json::Value, found: &mut Vec<String>) {
        match schema {
            serde_json::Value::Object(members) => {
                for (name, member) in members {
                    if let (true, Some(properties)) = (name == "properties", member.as_object()) {
                        found.extend(properties.keys().cloned());
                    }
                    if let Some(word) = member.as_str().filter(|_| name == "const") {
                        found.push(word.to_owned());
                    }
                    keys(member, found);
                }
            }
            serde_json::Value::Array(items) => items.iter().for_each(|item| keys(item, found)),
            _ => {}
        }
    }
    let schema = project("policy/schema/orchestration-policy.v1.schema.json");
    let mut found = Vec::new();
    keys(&serde_json::from_str(&schema).unwrap(), &mut found);
    assert!(found.len() > 60, "{found:?}");
    let page = project("docs/policy.md");
    for key in found {
        assert!(
            page.contains(&format!("`{key}`")),
            "docs/policy.md does not name `{key}`"
        );
    }
}

#[test]
fn the_readme_names_every_file_exit_code_and_variable() {
    let readme = project("README.md");
    let words = [
        "cargo run --release -- --run",
        "cargo test --locked",
        "state/policy_state.json",
        "state/policy_state_log.jsonl",
        "state/policies/",
        "audit_summary.md",
        "reports/policy_orchestrator_failure.json",
        "policy/policy_thresholds.json",
        "trust_lock_state.json",
        "exports/integrity_metrics_registry.csv",
        "federation/weighted_consensus.json",
        "federation/reputation_index.json",
        "forensics/forensics_anomaly_forecast.json",
        "forensics/response_history.jsonl",
        "policy/responses.json",
        "policy/alerts.json",
        "state/policy_response_preview.json",
        "state/policy_response_log.jsonl",
        "state/policy_response_journal.jsonl",
        "state/trust_lock_log.jsonl",
        "policy/versions/",
        "state/policy_versions_log.jsonl",
        "state/policy_shadow_log.jsonl",
        "state/journal_heads.json",
        "state/undo/",
        "state/kill_switch.json",
        "forensics/safety_brake_state.json",
        "reports/policy_response_blocked.json",
        "reports/policy_orchestration_alerts.json",
        "logs/policy_orchestration_alerts.jsonl",
        "POLICY_AUTO_APPLY",
        "POLICY_AUDIT_SECRET",
        "POLICY_AUDIT_SECRET_FILE",
        "POLICY_WORKSPACE",
        "NO_COLOR",
        "Windows",
    ];
    for word in words {
        assert!(readme.contains(word), "README.md does not name {word}");
    }
    for code in ["0", "1", "2", "3", "4", "5", "10", "15", "20"] {
        assert!(
            readme.contains(&format!("| {code} |")),
            "README.md has no row for exit code {code}"
        );
    }
}

#[test]
fn the_top_level_is_what_the_brief_names() {
    for name in [
        "Cargo.toml",
        "src",
        "state",
        "exports",
        "federation",
        "forensics",
        ".github",
        "portal",
        "tests",
        "RUNBOOK.md",
        "RUNBOOK_POLICY_AUTOMATION.md",
        "ARCHITECTURE.md",
        "CHANGELOG.md",
        "CONTRIBUTING.md",
        "SECURITY.md",
    ] {
        assert!(
            Path::new(env!("CARGO_MANIFEST_DIR")).join(name).exists(),
            "{name}"
        );
    }
}

#[test]
fn the_sample_signals_show_what_the_product_is_for() {
    let workspace = crate::workspace::Workspace::empty();
    for name in ["exports", "federation", "forensics"] {
        crate::workspace::copy_tree(
            &Path::new(env!("CARGO_MANIFEST_DIR")).join(name),
            &workspace.file(name),
        );
    }
    workspace.write("trust_lock_state.json", project("trust_lock_state.json"));
    let state = workspace.program(&["run"]).exits(0).json();
    assert_eq!(state["policy"], "YELLOW");
    assert_eq!(
        (
            state["reasons"].as_array().unwrap().len(),
            state["near"].as_array().unwrap().len()
        ),
        (2, 1)
    );
}

#[test]
fn every_state_file_follows_the_published_schema() {
    let schema = serde_json::from_str(&project("docs/policy_state.schema.json")).unwrap();
    let schema = jsonschema::validator_for(&schema).unwrap();
    let check = |state: &serde_json::Value| {
        let errors: Vec<String> = schema
            .iter_errors(state)
            .map(|error| format!("{} at {}", error, error.instance_path()))
            .collect();
        assert_eq!(errors, Vec::<String>::new(), "{state}");
    };
    let workspace = crate::workspace::Workspace::healthy();
    check(&workspace.run().exits(0).json());
    workspace.write("state/trust_lock_state.json", r#"{"locked": true}"#);
    std::fs::remove_file(workspace.file("federation/reputation_index.json")).unwrap();
    workspace.forecast("critical");
    workspace.write("policy/policy_thresholds.json", r#"{"orange": 1}"#);
    workspace.responses(9);
    check(&workspace.run().exits(1).json());
    workspace.write("state/policy_state_log.jsonl", "");
    check(&workspace.run().exits(5).json());
    let mut wrong = workspace.state();
    wrong["inputs"]["integrity_score"] = serde_json::json!(101);
    assert!(!schema.is_valid(&wrong));
}

/// All pages of the project that are Markdown, relative to its root.
fn pages(below: &str, found: &mut Vec<String>) {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    for entry in std::fs::read_dir(root.join(below)).unwrap() {
        let entry = entry.unwrap();
        let name = format!("{below}{}", entry.file_name().to_str().unwrap());
        if entry.file_type().unwrap().is_dir() {
            if below.is_empty()
                && ["docs", "portal", "metrics", "scripts", "policy"].contains(&name.as_str())
                || below.starts_with("docs")
            {
                pages(&format!("{name}/"), found);
            }
        } else if Path::new(&name).extension().is_some_and(|end| end == "md") {
            found.push(name);
        }
    }
}

/// S3-090: no page leads nowhere. Anchors of RUNBOOK.md are looked at in `runbook.rs`.
#[test]
fn every_link_between_the_pages_leads_to_a_file() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut all = Vec::new();
    pages("", &mut all);
    assert!(all.len() > 20, "{all:?}");
    let mut dead = Vec::new();
    for page in &all {
        let text = project(page);
        let links = text.split("](").skip(1);
        for link in links.filter_map(|rest| rest.split([')', ' ']).next()) {
            let file = link.split('#').next().unwrap_or_default();
            if file.is_empty() || file.starts_with("http") {
                continue;
            }
            let beside = root.join(page).parent().unwrap().join(file);
            if !beside.exists() {
                dead.push(format!("{page}: {link}"));
            }
        }
    }
    assert_eq!(dead, Vec::<String>::new());
}
