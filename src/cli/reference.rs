//! docs/reference.md and the pages below docs/reference/, made from the command line, the exit codes and two tables; only tests know it.
//! What a command does is said where the command is.

mod environment;
mod files;

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use clap::{Arg, Command};

use super::{Exit, command_line};
use crate::diagnostic::Code;
use crate::policy::Level;
use environment::VARIABLES;
use files::{GROUPS, Group};

const HEAD: &str = "\
# Reference

Made from the code by `scripts/regenerate`; edits here are lost.

[Commands](#commands) · [Options of every command](#options-of-every-command) · [Exit codes](#exit-codes) · [Reason codes and diagnostics](codes.md) · [Environment](#environment) · [Files](#files)
";

/// Every page with its path below docs/. `outputs` are the names of `$defs` in docs/output.schema.json.
fn pages(outputs: &[String]) -> BTreeMap<String, String> {
    let mut root = command_line();
    root.build();
    let mut pages = BTreeMap::new();
    let mut text = String::from(HEAD);
    text.push_str("\n## Commands\n\n| command | what it does |\n|---|---|\n");
    for (path, command) in leaves(&root) {
        let group = path.split(' ').next().unwrap();
        let anchor = path.replace(' ', "-");
        let said = about(&command);
        let _ = writeln!(
            text,
            "| [`{path}`](reference/{group}.md#{anchor}) | {said} |"
        );
        let page = pages.entry(format!("reference/{group}.md"));
        let page = page.or_insert_with(|| page_head(&root, group));
        describe(page, &path, command, outputs);
    }
    text.push_str("\n## Options of every command\n");
    arguments(&mut text, &root, Arg::is_global_set);
    exit_codes(&mut text);
    variables(&mut text);
    files(&mut text);
    pages.insert("reference.md".to_owned(), text);
    pages
}

fn page_head(root: &Command, group: &str) -> String {
    let command = root.find_subcommand(group).unwrap();
    let mut head = format!(
        "# {group}\n\nMade from the code by `scripts/regenerate`; edits here are lost. [All commands](../reference.md), with the options, exit codes and variables that they share.\n"
    );
    // A command alone says the same below.
    if command.has_subcommands() {
        let _ = write!(head, "\n{}\n", sentence(command));
    }
    head
}

/// Every command that can be given, with what stands before its arguments: `audit verify`.
fn leaves(root: &Command) -> Vec<(String, Command)> {
    fn walk(command: &Command, path: &str, found: &mut Vec<(String, Command)>) {
        for below in command
            .get_subcommands()
            .filter(|below| !below.is_hide_set())
        {
            let path = format!("{path} {}", below.get_name()).trim().to_owned();
            if !below.is_subcommand_required_set() {
                found.push((path.clone(), below.clone()));
            }
            walk(below, &path, found);
        }
    }
    let mut found = Vec::new();
    walk(root, "", &mut found);
    found
}

fn about(command: &Command) -> String {
    let about = command.get_about().map(ToString::to_string);
    cell(&about.unwrap_or_default())
}

fn sentence(command: &Command) -> String {
    let said = about(command);
    if said.ends_with(['.', '?']) {
        return said;
    }
    format!("{said}.")
}

fn describe(text: &mut String, path: &str, mut command: Command, outputs: &[String]) {
    let _ = write!(text, "\n## {path}\n\n{}\n\n", sentence(&command));
    let usage = command.render_usage().to_string();
    for line in usage.trim_start_matches("Usage: ").lines() {
        let _ = writeln!(text, "    {}", line.trim());
    }
    arguments(text, &command, |argument| !argument.is_global_set());
    if let Some(further) = command.get_after_help() {
        text.push('\n');
        for line in further.to_string().lines() {
            text.push_str(format!("    {line}").trim_end());
            text.push('\n');
        }
    }
    let name = path.replace(' ', "-");
    if outputs.contains(&name) {
        let _ = write!(
            text,
            "\nJSON: [`#/$defs/{name}`](../output.schema.json) of output.schema.json\n"
        );
    }
}

/// The table of those arguments of a command that are `wanted`.
fn arguments(text: &mut String, command: &Command, wanted: impl Fn(&Arg) -> bool) {
    let shown = |argument: &&Arg| {
        let of_clap = matches!(argument.get_id().as_str(), "help" | "version");
        !argument.is_hide_set() && !of_clap && wanted(argument)
    };
    let rows: Vec<&Arg> = command.get_arguments().filter(shown).collect();
    if rows.is_empty() {
        return;
    }
    text.push_str("\n| argument | what it does |\n|---|---|\n");
    for argument in rows {
        let _ = writeln!(text, "| `{}` | {} |", written(argument), meaning(argument));
    }
}

/// An argument as it is given: `-v, --verbose`, `--at <TIME>`, `<FILE>`.
fn written(argument: &Arg) -> String {
    let mut forms = Vec::new();
    if let Some(short) = argument.get_short() {
        forms.push(format!("-{short}"));
    }
    if let Some(long) = argument.get_long() {
        forms.push(format!("--{long}"));
    }
    let takes_value = argument.get_action().takes_values();
    let names = argument.get_value_names().unwrap_or_default();
    let mut values: Vec<String> = names.iter().map(|name| format!("<{name}>")).collect();
    if values.is_empty() {
        values.push(format!("<{}>", argument.get_id().as_str().to_uppercase()));
    }
    let mut all = forms.join(", ");
    if takes_value {
        all = format!("{all} {}", values.join(" ")).trim().to_owned();
    }
    cell(&all)
}

fn meaning(argument: &Arg) -> String {
    let mut said = argument
        .get_help()
        .map(ToString::to_string)
        .unwrap_or_default();
    let listed = |name: &str| !said.contains(name);
    let values: Vec<String> = argument
        .get_possible_values()
        .iter()
        .filter(|value| argument.get_action().takes_values() && !value.is_hide_set())
        .map(|value| value.get_name().to_owned())
        .collect();
    if values.iter().any(|name| listed(name)) {
        let _ = write!(said, "; one of `{}`", values.join("`, `"));
    }
    let defaults: Vec<String> = argument
        .get_default_values()
        .iter()
        .map(|value| value.to_string_lossy().into_owned())
        .collect();
    if argument.get_action().takes_values() && !defaults.is_empty() {
        let _ = write!(said, " [default: {}]", defaults.join(", "));
    }
    if argument.is_required_set() {
        said.push_str(" (required)");
    }
    cell(&said)
}

/// Text that stands in one cell of a table.
fn cell(text: &str) -> String {
    text.split_whitespace()
        .collect::<Vec<_>>()
        .join(" ")
        .replace('|', "\\|")
}

fn exit_codes(text: &mut String) {
    text.push_str("\n## Exit codes\n\n| code | meaning |\n|---|---|\n");
    let mut all: BTreeMap<u8, Vec<&str>> = BTreeMap::new();
    let between = Level::parse("ORANGE").unwrap();
    for exit in [
        Exit::Done,
        Exit::Failed,
        Exit::Usage,
        Exit::Blocked,
        Exit::Denied,
        Exit::Tampering,
        Exit::Flips,
        Exit::Alert,
        Exit::Level(Level::YELLOW),
        Exit::Level(between),
        Exit::Level(Level::RED),
    ] {
        all.entry(exit.code()).or_default().push(exit.meaning());
    }
    for (code, meanings) in all {
        let _ = writeln!(text, "| {code} | {} |", meanings.join("; "));
    }
    text.push_str("\nUnder `run --exit-code` 1 and 5 beat 10, 15 and 20. A closed pipe on standard output is no error.\n");
}

fn variables(text: &mut String) {
    text.push_str("\n## Environment\n\nA variable that is set but empty counts as unset.\n\n| variable | effect |\n|---|---|\n");
    for (names, effect) in VARIABLES {
        let names: Vec<String> = names.iter().map(|name| format!("`{name}`")).collect();
        let _ = writeln!(text, "| {} | {effect} |", names.join(", "));
    }
}

fn files(text: &mut String) {
    text.push_str("\n## Files\n\nPaths are relative to the workspace.\n");
    for Group { title, files } in GROUPS {
        let _ = write!(
            text,
            "\n### {title}\n\n| file | what it is | form |\n|---|---|---|\n"
        );
        for (path, meaning, form) in *files {
            let _ = writeln!(text, "| `{path}` | {meaning} | {form} |");
        }
    }
}

fn project() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).to_owned()
}

/// The names of `$defs` in docs/output.schema.json.
fn outputs() -> Vec<String> {
    let schema = std::fs::read_to_string(project().join("docs/output.schema.json"));
    let schema: serde_json::Value =
        serde_json::from_str(&schema.unwrap_or_default()).unwrap_or_default();
    let names = schema.get("$defs").and_then(serde_json::Value::as_object);
    names
        .map(|names| names.keys().cloned().collect())
        .unwrap_or_default()
}

/// What is code in the files below `directory`: no tests, no comments.
fn code_below(directory: &Path, all: &mut String) {
    for entry in std::fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            if !path.ends_with("tests") && !path.ends_with("reference") {
                code_below(&path, all);
            }
        } else if path.extension().is_some_and(|end| end == "rs")
            && !path.ends_with("tests.rs")
            && !path.ends_with("reference.rs")
        {
            let text = std::fs::read_to_string(&path).unwrap();
            let code = text.split("\nmod tests {").next().unwrap();
            for line in code
                .lines()
                .filter(|line| !line.trim_start().starts_with("//"))
            {
                all.push_str(line);
                all.push('\n');
            }
        }
    }
}

/// Every text between quotation marks that is one word.
fn words() -> Vec<String> {
    let mut code = String::new();
    code_below(&project().join("src"), &mut code);
    code.lines()
        .flat_map(|line| line.split('"').skip(1).step_by(2))
        .map(str::to_owned)
        .collect()
}

#[test]
#[expect(
    clippy::disallowed_methods,
    reason = "scripts/regenerate writes the pages through this test"
)]
fn the_reference_is_made_from_the_code() {
    let docs = project().join("docs");
    let made = pages(&outputs());
    if std::env::var_os("POLICY_REGENERATE").is_some() {
        let _ = std::fs::remove_dir_all(docs.join("reference"));
        std::fs::create_dir_all(docs.join("reference")).unwrap();
        for (name, page) in &made {
            std::fs::write(docs.join(name), page).unwrap();
        }
    }
    for (name, page) in &made {
        let kept = std::fs::read_to_string(docs.join(name)).unwrap_or_default();
        assert!(kept == *page, "docs/{name}: run scripts/regenerate");
        assert!(page.lines().count() < 1_500, "split docs/{name}");
    }
    let kept = std::fs::read_dir(docs.join("reference")).unwrap().count();
    assert_eq!(kept, made.len() - 1, "pages of commands that are gone");
}

#[test]
fn every_command_has_a_purpose_and_an_example() {
    let mut root = command_line();
    root.build();
    let all = leaves(&root);
    assert!(all.len() > 60, "{}", all.len());
    let lacking: Vec<&str> = all
        .iter()
        .filter(|(path, command)| {
            let further = command.get_after_help().map(ToString::to_string);
            about(command).is_empty()
                || !further
                    .is_some_and(|text| text.contains(&format!("policy-orchestrator {path}")))
        })
        .map(|(path, _)| path.as_str())
        .collect();
    assert_eq!(lacking, Vec::<&str>::new());
}

#[test]
fn every_variable_that_the_code_names_has_a_row() {
    let rows: Vec<&str> = VARIABLES
        .iter()
        .flat_map(|(names, _)| *names)
        .copied()
        .collect();
    let ours = |word: &&String| {
        let known = [
            "POLICY_", "VAULT_", "GITHUB_", "SCALPEL_", "COSIGN_", "OTEL_",
        ];
        known.iter().any(|start| word.starts_with(start))
            && word.ends_with(char::is_alphanumeric)
            && word
                .bytes()
                .all(|byte| byte.is_ascii_uppercase() || byte == b'_')
            && !environment::NO_VARIABLES.contains(&word.as_str())
            && Code::DOCUMENTED
                .iter()
                .all(|(code, ..)| code.as_str() != *word)
    };
    let words = words();
    let mut lacking: Vec<&String> = words.iter().filter(ours).collect();
    lacking.retain(|word| !rows.contains(&word.as_str()));
    lacking.sort();
    lacking.dedup();
    assert_eq!(
        lacking,
        Vec::<&String>::new(),
        "cli/reference/environment.rs"
    );
    let unread: Vec<&&str> = rows
        .iter()
        .filter(|row| !words.iter().any(|word| word.contains(**row)))
        .collect();
    assert_eq!(unread, Vec::<&&str>::new(), "nothing reads them");
}

/// Links as they are from the top of the repository.
fn from_the_top(text: &str) -> String {
    let text = text.replace("](", "](docs/").replace("](docs/../", "](");
    text.replace("](docs/http", "](http")
}

#[test]
fn the_readme_has_every_variable_and_exit_code_as_the_reference_has_them() {
    let readme = std::fs::read_to_string(project().join("README.md")).unwrap();
    let mut text = String::new();
    variables(&mut text);
    exit_codes(&mut text);
    let lacking: Vec<String> = text
        .lines()
        .filter(|line| line.starts_with("| "))
        .map(from_the_top)
        .filter(|line| !readme.contains(line))
        .collect();
    assert_eq!(lacking, Vec::<String>::new());
}

#[test]
fn the_readme_names_every_file() {
    let readme = std::fs::read_to_string(project().join("README.md")).unwrap();
    let paths = GROUPS.iter().flat_map(|group| group.files);
    let lacking: Vec<&str> = paths
        .map(|(path, ..)| *path)
        .filter(|path| !readme.contains(&format!("`{path}`")))
        .collect();
    assert_eq!(lacking, Vec::<&str>::new());
}

#[test]
fn every_file_that_the_code_names_has_a_row() {
    let rows: Vec<&str> = GROUPS
        .iter()
        .flat_map(|group| group.files)
        .map(|(path, _, _)| *path)
        .collect();
    let is_path = |word: &&String| {
        let known = [
            "state/",
            "reports/",
            "logs/",
            "policy/",
            "forensics/",
            "exports/",
            "federation/",
            "mirrors/",
            "portal/",
            ".scalpel/",
            ".github/",
        ];
        let name = word.rsplit('/').next().unwrap_or_default();
        let end = name.rsplit_once('.').map(|(_, end)| end);
        let named = end.is_some_and(|end| end != "tmp") && !name.contains(['{', '*']);
        // Made and removed again to see whether a test of P-5 finds it.
        let probe = word.as_str() == "state/mark.json";
        named && !probe && !word.contains(' ') && known.iter().any(|start| word.starts_with(start))
    };
    let words = words();
    let mut lacking: Vec<&String> = words.iter().filter(is_path).collect();
    lacking.retain(|word| !rows.iter().any(|row| row.contains(word.as_str())));
    lacking.sort();
    lacking.dedup();
    assert_eq!(lacking, Vec::<&String>::new(), "cli/reference/files.rs");
    for form in GROUPS
        .iter()
        .flat_map(|group| group.files)
        .map(|(_, _, form)| form)
    {
        for link in form.split("](").skip(1) {
            let file = link.split([')', '#']).next().unwrap();
            assert!(project().join("docs").join(file).is_file(), "{file}");
        }
    }
}
