//! What other programs start us by: the hooks of pre-commit, the unit of systemd, the crontab line and
//! the container. Each names a command line of ours; here it is run. `scripts/action-test` does the same
//! for action.yml.

use std::path::Path;

use super::workspace::{Ran, Workspace};

fn project(name: &str) -> String {
    std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(name)).unwrap()
}

/// The words behind the program's name in the first line that holds `marker`, comments left out.
fn command_line(file: &str, marker: &str) -> Vec<String> {
    let text = project(file);
    let line = text
        .lines()
        .find(|line| !line.starts_with('#') && line.contains(marker))
        .unwrap_or_else(|| panic!("{file} has no {marker}"));
    let (_, arguments) = line.split_once("policy-orchestrator ").unwrap();
    arguments
        .split_whitespace()
        .take_while(|word| !word.starts_with(">>"))
        .map(ToOwned::to_owned)
        .collect()
}

fn run(workspace: &Workspace, words: &[String]) -> Ran {
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    workspace.command(&words).output().unwrap().into()
}

#[test]
fn every_hook_of_pre_commit_passes_in_a_healthy_repository() {
    let workspace = Workspace::healthy().with_git();
    run(&workspace, &["policy".into(), "init".into()]).exits(0);
    let hooks = project(".pre-commit-hooks.yaml");
    let entries: Vec<&str> = hooks
        .lines()
        .filter_map(|line| line.trim().strip_prefix("entry: policy-orchestrator "))
        .collect();
    assert_eq!(entries.len(), hooks.matches("- id: ").count());
    for entry in entries {
        let words: Vec<String> = entry.split_whitespace().map(ToOwned::to_owned).collect();
        run(&workspace, &words).exits(0);
    }
}

#[test]
fn the_unit_and_the_crontab_line_make_a_decision() {
    for (file, marker, stands_for) in [
        (
            "packaging/systemd/policy-orchestrator@.service",
            "ExecStart=",
            "%f",
        ),
        ("packaging/crontab", "45 4 * * *", "/srv/repositories/ours"),
    ] {
        let workspace = Workspace::healthy();
        let directory = workspace.path().to_str().unwrap();
        let words: Vec<String> = command_line(file, marker)
            .into_iter()
            .map(|word| word.replace(stands_for, directory))
            .collect();
        assert!(words.iter().any(|word| word == directory), "{words:?}");
        run(&workspace, &words).exits(0);
        assert_eq!(workspace.state()["policy"], "GREEN");
    }
}

#[test]
fn the_image_starts_with_a_command_that_exists() {
    let workspace = Workspace::healthy();
    run(&workspace, &["run".into()]).exits(0);
    let file = project("Dockerfile");
    let words: Vec<String> = file
        .lines()
        .find_map(|line| line.strip_prefix("CMD "))
        .map(|list| serde_json::from_str(list).unwrap())
        .unwrap();
    run(&workspace, &words).exits(0);
}

/// What a run may write, the action commits: one list, here and in the workflow that `init` writes.
#[test]
fn the_action_commits_what_the_workflow_commits() {
    let list = |text: &str| -> Vec<String> {
        let (_, behind) = text.split_once("record=(").unwrap();
        let (list, _) = behind.split_once(')').unwrap();
        list.split_whitespace().map(ToOwned::to_owned).collect()
    };
    let action = list(&project("action/decide"));
    for path in list(&project("src/cli/init/workflow.yml")) {
        assert!(action.contains(&path), "{path}");
    }
}

#[test]
fn the_release_builds_what_the_action_asks_for() {
    let (release, get) = (
        project(".github/workflows/release.yml"),
        project("action/get"),
    );
    let asked: Vec<&str> = get
        .lines()
        .filter_map(|line| line.split_once("file=policy-orchestrator-"))
        .map(|(_, rest)| rest.trim_end_matches(" ;;"))
        .collect();
    assert_eq!(asked.len(), 4);
    for name in asked {
        assert!(release.contains(&format!("{{ name: {name}, ")), "{name}");
    }
}
