//! docs/tutorial.md: its commands, one behind the other in an empty directory, end as it says there.

use std::path::Path;
use std::process::Command;

/// The commands of the page, each with the exit code that it names behind a `#`.
fn commands(page: &str) -> Vec<(&str, i32)> {
    page.lines()
        .filter_map(|line| line.strip_prefix("    "))
        .map(|line| match line.split_once("    # exits with ") {
            Some((command, code)) => (command, code.parse().unwrap()),
            None => (line, 0),
        })
        .collect()
}

#[test]
fn the_tutorial_goes_as_it_says() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let page = std::fs::read_to_string(root.join("docs/tutorial.md")).unwrap();
    let commands = commands(&page);
    assert!(commands.len() > 25, "{commands:?}");
    let place = tempfile::tempdir().unwrap();
    let binary = Path::new(env!("CARGO_BIN_EXE_policy-orchestrator"));
    let path = format!(
        "{}:{}",
        binary.parent().unwrap().display(),
        std::env::var("PATH").unwrap()
    );
    for (command, code) in commands {
        let output = Command::new("sh")
            .args(["-c", command])
            .current_dir(place.path())
            .env_clear()
            .env("PATH", &path)
            .env("HOME", place.path())
            .env("USER", "ana")
            .output()
            .unwrap();
        assert_eq!(
            output.status.code(),
            Some(code),
            "`{command}`: {}{}",
            String::from_utf8_lossy(&output.stdout),
            String::from_utf8_lossy(&output.stderr)
        );
    }
}
