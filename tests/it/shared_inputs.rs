//! Real inputs of the predecessor and the samples of the source documents. They stand beside the
//! project, in `../shared`; where they are absent these tests say so and are skipped.

use serde_json::{Value, json};

use crate::workspace::{Workspace, copy_tree, shared};

#[test]
fn the_predecessors_decision_is_made_again_from_its_files() {
    let Some(shared) = shared() else { return };
    let workspace = Workspace::empty();
    copy_tree(&shared.join("real-inputs"), workspace.path());
    let before = workspace.snapshot();
    let state = workspace.run_at("2025-11-14T06:55:17Z").exits(0).json();
    assert_eq!(state["policy"], "RED");
    assert_eq!(
        state["inputs"],
        json!({"trust_locked": false, "integrity_score": 97.5, "consensus_pct": 100.0, "reputation_score": 100.0, "forecast_risk": "high", "recent_responses": 10})
    );
    for (signal, status) in [
        ("trust", "valid"),
        ("integrity", "valid"),
        ("consensus", "missing"),
        ("reputation", "missing"),
        ("forecast", "valid"),
        ("responses", "valid"),
    ] {
        assert_eq!(state["readings"][signal]["status"], status, "{signal}");
    }
    let after = workspace.snapshot();
    let old = &before[std::path::Path::new("audit_summary.md")];
    let new = &after[std::path::Path::new("audit_summary.md")];
    let differing: Vec<(&[u8], &[u8])> = old
        .split(|byte| *byte == b'\n')
        .zip(new.split(|byte| *byte == b'\n'))
        .filter(|(old, new)| old != new)
        .collect();
    let marker = |time: &str| {
        format!("<!-- POLICY_ORCHESTRATION: UPDATED {time} policy=RED -->").into_bytes()
    };
    assert_eq!(
        differing,
        [(
            marker("2025-11-14T06:55:16.466096+00:00").as_slice(),
            marker("2025-11-14T06:55:17+00:00").as_slice()
        )]
    );
    assert_eq!(
        new.iter().filter(|byte| **byte == b'\n').count(),
        old.iter().filter(|byte| **byte == b'\n').count()
    );
    for (path, bytes) in &before {
        let own = path.starts_with("state") || path.ends_with("audit_summary.md");
        assert!(
            own || after.get(path) == Some(bytes),
            "{} was touched",
            path.display()
        );
    }
    assert_eq!(
        after[std::path::Path::new("state/trust_lock_state.json")],
        before[std::path::Path::new("state/trust_lock_state.json")]
    );
    workspace.program(&["audit", "verify"]).exits(0);
}

/// The fenced blocks of a source document with their language.
fn fenced(text: &str) -> Vec<(String, String)> {
    let mut blocks = Vec::new();
    let mut open: Option<(String, String)> = None;
    for line in text.lines() {
        match (&mut open, line.strip_prefix("```")) {
            (None, Some(language)) => open = Some((language.to_owned(), String::new())),
            (Some(_), Some(_)) => blocks.extend(open.take()),
            (Some((_, block)), None) => {
                block.push_str(line);
                block.push('\n');
            }
            (None, None) => {}
        }
    }
    blocks
}

#[test]
fn the_sources_samples_are_accepted_as_written() {
    let Some(shared) = shared() else { return };
    let source =
        std::fs::read_to_string(shared.join("reference/004_b18f1aa446f890ae.txt")).unwrap();
    let blocks = fenced(&source);
    let states: Vec<&String> = blocks
        .iter()
        .filter(|(language, block)| language == "json" && block.contains("evaluated_at"))
        .map(|(_, block)| block)
        .collect();
    assert_eq!(states.len(), 2);
    for state in states {
        let parsed = policy_orchestrator::record::StoredState::parse(state.as_bytes()).unwrap();
        assert_eq!(
            (
                parsed.level.name(),
                parsed.evaluated_at.to_string().as_str()
            ),
            ("GREEN", "2025-11-14T12:00:00+00:00")
        );
        // The product writes the same four members for the same values.
        let workspace = Workspace::healthy();
        workspace.write(
            "forensics/response_history.jsonl",
            "{\"timestamp\":\"2025-11-14T11:00:00Z\"}\n".repeat(2),
        );
        let written = workspace.run_at("2025-11-14T12:00:00Z").exits(0).json();
        let sample: Value = serde_json::from_str(state).unwrap();
        for (key, value) in sample.as_object().unwrap() {
            assert_eq!(&written[key], value, "{key}");
        }
    }
    let (_, line) = blocks
        .iter()
        .find(|(language, _)| language == "jsonl")
        .unwrap();
    let workspace = Workspace::healthy();
    workspace.write("state/policy_state_log.jsonl", line);
    workspace.run().exits(0);
    workspace.program(&["audit", "verify"]).exits(0);
    assert!(
        workspace.journal()[1].starts_with(
            &line
                .trim_end()
                .trim_end_matches('}')
                .replace("2025-11-14", "2026-01-15")
        )
    );

    let markers: Vec<&String> = blocks
        .iter()
        .filter(|(language, _)| language == "markdown")
        .map(|(_, block)| block)
        .collect();
    assert_eq!(markers.len(), 2);
    for marker in markers {
        let workspace = Workspace::healthy();
        workspace.write("audit_summary.md", format!("# Notes\n{marker}end\n"));
        workspace.run().exits(0);
        assert_eq!(
            workspace.read("audit_summary.md"),
            "# Notes\n<!-- POLICY_ORCHESTRATION: UPDATED 2026-01-15T12:00:00+00:00 policy=GREEN -->\nend\n"
        );
    }
}
