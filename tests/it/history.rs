//! `history`: how the level went (row S4-087).

use crate::workspace::Workspace;

fn recorded() -> Workspace {
    let workspace = Workspace::healthy();
    for (day, score) in [(1, "99"), (2, "80"), (3, "80"), (5, "93"), (6, "99")] {
        workspace.integrity(score);
        workspace
            .run_at(&format!("2026-01-{day:02}T04:45:00Z"))
            .exits(0);
    }
    workspace
}

#[test]
fn levels_changes_and_the_longest_stretch_are_told() {
    let workspace = recorded();
    let told = workspace
        .program(&["history", "--include-given"])
        .exits(0)
        .json();
    assert_eq!(told["decisions"], 5);
    let red = &told["levels"][2];
    assert_eq!(
        (&red["level"], &red["decisions"]),
        (&"RED".into(), &2.into())
    );
    assert_eq!(red["seconds"], 3 * 86_400);
    assert_eq!(red["longest"]["from"], "2026-01-02T04:45:00+00:00");
    assert_eq!(red["longest"]["until"], "2026-01-05T04:45:00+00:00");
    assert_eq!(told["changes"].as_array().unwrap().len(), 3);
    assert_eq!(told["busiest"]["changes"], 2);
    let human = workspace
        .program(&["history", "--include-given", "--format", "human"])
        .exits(0)
        .stdout;
    insta::assert_snapshot!(human);
}

#[test]
fn a_duration_counts_back_and_given_times_are_left_out() {
    let workspace = recorded();
    let since = |arguments: &[&str]| {
        let base = ["history", "--at", "2026-01-06T12:00:00Z"];
        workspace.program(&[base.as_slice(), arguments].concat())
    };
    let told = since(&["--include-given", "--since", "2d"]).exits(0).json();
    assert_eq!(
        (&told["decisions"], &told["left_out"]["outside"]),
        (&2.into(), &3.into())
    );
    let told = since(&[]).exits(0).json();
    assert_eq!(
        (&told["decisions"], &told["left_out"]["given"]),
        (&0.into(), &5.into())
    );
    since(&["--since", "a while"]).exits(2);
    Workspace::empty().program(&["history"]).exits(1);
}

#[test]
fn a_line_that_can_not_be_read_is_told() {
    let workspace = recorded();
    let log = "state/policy_state_log.jsonl";
    workspace.write(
        log,
        workspace.read(log).replacen("\"RED\"", "\"no level\"", 1),
    );
    let ran = workspace.program(&["history", "--include-given"]).exits(1);
    assert!(ran.stderr.contains("LINE_UNREADABLE"), "{}", ran.stderr);
    assert_eq!(ran.json()["finding_count"], 1);
}
