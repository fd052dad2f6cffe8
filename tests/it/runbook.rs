//! RUNBOOK.md: every command in it runs as printed, in a workspace such as its section speaks of, and
//! ends as it says there.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use policy_orchestrator::alerts::alert::Name;
use policy_orchestrator::response::actions::Action;

use crate::workspace::{Ran, Workspace};

/// A workspace in a clone with a remote: RED by the forecast, every gate open, two responses applied.
const BASE: &str = r"
set -eu
git init -q -b main .
git config user.name operator
git config user.email operator@localhost
policy-orchestrator init --no-workflow
policy-orchestrator brake reset --reason 'first use'
policy-orchestrator run
policy-orchestrator respond --apply
git add -A
git commit -q -m 'first decision'
policy-orchestrator run
policy-orchestrator respond --apply
policy-orchestrator respond
git add -A
git commit -q -m 'second decision'
git init -q -b main --bare ../remote.git
git remote add origin ../remote.git
git push -q -u origin main
";

/// What is to be wrong in a section before its commands run, by its heading. Others have [`BASE`].
const PREPARED: [(&str, &str); 16] = [
    ("A policy", "promoted"),
    (
        "Trust lock",
        r#"echo '{"locked": true}' > trust_lock_state.json"#,
    ),
    (
        "The lock's file can't be read",
        "echo '{' > trust_lock_state.json",
    ),
    (
        "Unlock counter",
        "for reason in 1 2 3; do policy-orchestrator trust force-unlock --reason $reason; done",
    ),
    (
        "Exit 1",
        "echo broken > forensics/forensics_anomaly_forecast.json",
    ),
    (
        "Exit 3",
        "policy-orchestrator respond --apply || [ $? -eq 3 ]",
    ),
    ("Exit 5", "change state/policy_state_log.jsonl"),
    (
        "The change was committed",
        "change state/policy_state_log.jsonl; git commit -q -a -m tampered",
    ),
    (
        "Another journal is broken",
        "change state/policy_response_journal.jsonl",
    ),
    (
        "Nothing good is left",
        "change state/policy_state_log.jsonl; change state/policy_response_journal.jsonl; git commit -q -a -m tampered",
    ),
    (
        "The secret is missing or lost",
        "export POLICY_AUDIT_SECRET=0123456789abcdef0123456789abcdef; policy-orchestrator run; policy-orchestrator respond --apply",
    ),
    (
        "A fix branch appeared",
        "echo broken > forensics/forensics_anomaly_forecast.json; policy-orchestrator run || [ $? -eq 1 ]",
    ),
    (
        "An action failed",
        "declare_action 'echo no such host >&2; exit 7'; policy-orchestrator run; policy-orchestrator respond --apply || [ $? -eq 1 ]",
    ),
    ("A response was cut off", "cut_off"),
    ("Going on without an undo", "cut_off"),
    ("An undo is refused", "echo >> mirrors/anchor_chain.json"),
];

/// What the preparations use.
const FUNCTIONS: &str = r#"
set -eu
change() {
  sed '1s/"timestamp":"2/"timestamp":"3/' "$1" > "$1.new"
  ! cmp -s "$1" "$1.new"
  mv "$1.new" "$1"
}
declare_action() {
  mkdir -p config
  echo old > config/token
  printf '{"schema": 1, "actions": [{"name": "rotate", "level": "RED", "argv": ["/bin/sh", "-c", "%s"], "changes": ["config/token"], "reversible": true}]}' "$1" > policy/responses.json
}
promoted() {
  cat > next.yaml <<'END'
apiVersion: policy.orchestra.v1
kind: OrchestrationPolicy
metadata: {name: stricter, version: "2"}
spec:
  signals: [{name: integrity}]
  triggers: [{code: INTEGRITY_LOW, signal: integrity, level: YELLOW, below: 96}]
END
  cat > update.yaml <<'END'
{policyId: stricter, version: "2", changes: [less], impactAnalysis: none, rollbackPlan: policy rollback, deploymentStrategy: blue_green,
stages: {staging: {monitoring_period: 1s, rollback_criteria: []}}}
END
  policy-orchestrator policy draft next.yaml --update update.yaml --reason drill
  USER=ana policy-orchestrator policy approve 2 --as policy_author --reason drill
  USER=ben policy-orchestrator policy approve 2 --as security_team --reason drill
  policy-orchestrator policy validate 2
  policy-orchestrator policy promote 2 --to staging --reason drill --at 2026-01-01T00:00:00Z
  policy-orchestrator run
  policy-orchestrator policy promote 2 --to production --reason drill
}
cut_off() {
  declare_action 'echo new > config/token; while test -e slow; do sleep 0.1; done'
  touch slow
  policy-orchestrator run
  policy-orchestrator respond --apply &
  program=$!
  while ! grep -q new config/token; do sleep 0.05; done
  kill -9 "$program"
  wait "$program" || true
  rm slow
  # The lock of applies falls with the last process of the action.
  while policy-orchestrator status | jq -e .applying > /dev/null; do sleep 0.05; done
}
"#;

/// A heading with the commands below it, up to the next heading.
struct Part {
    heading: String,
    /// As they are pasted, with the number of the first line.
    commands: Vec<(usize, String)>,
}

impl Part {
    fn script(&self) -> String {
        let run = |(line, command): &(usize, String)| {
            let shown = command.replace('\'', r"'\''");
            format!(
                "printf '%s\\n' '{line}$ {shown}'\n{command}\necho \"{line} ${{PIPESTATUS[*]}}\" >&3\n"
            )
        };
        let commands: String = self.commands.iter().map(run).collect();
        format!("exec 2>&1\n{commands}")
    }
}

fn runbook() -> String {
    std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("RUNBOOK.md")).unwrap()
}

/// The headings with their levels, and the commands of the indented blocks below each.
fn parts(text: &str) -> Vec<Part> {
    let mut parts: Vec<Part> = Vec::new();
    let mut lines = text.lines().zip(1..);
    while let Some((line, number)) = lines.next() {
        if line.starts_with('#') {
            parts.push(Part {
                heading: line.trim_start_matches('#').trim().to_owned(),
                commands: Vec::new(),
            });
        }
        let Some(command) = line.strip_prefix("    ") else {
            continue;
        };
        let mut command = command.to_owned();
        if command.contains("<<'END'") {
            for (line, _) in lines.by_ref() {
                command.push('\n');
                command.push_str(line.strip_prefix("    ").unwrap_or(line));
                if line.trim() == "END" {
                    break;
                }
            }
        }
        parts.last_mut().unwrap().commands.push((number, command));
    }
    parts
}

/// The exit code that a command says it ends with.
fn expected(command: &str) -> i32 {
    let Some((_, rest)) = command.split_once("# exits with ") else {
        return 0;
    };
    let digits: String = rest.chars().take_while(char::is_ascii_digit).collect();
    digits.parse().unwrap()
}

/// Is `found`, a line's number and the codes of a pipeline, what that line ends with? Whoever reads a
/// broken record says so, and what comes through the pipe is right all the same.
fn ends_so(found: &str, line: usize, wanted: i32) -> bool {
    let numbers: Option<Vec<i32>> = found.split(' ').map(|word| word.parse().ok()).collect();
    let Some([number, before @ .., last]) = numbers.as_deref() else {
        return false;
    };
    i32::try_from(line) == Ok(*number)
        && *last == wanted
        && before.iter().all(|code| matches!(code, 0 | 5))
}

/// Where commands run: a home, a directory with the program, and one workspace for each part.
struct Place {
    directory: tempfile::TempDir,
}

impl Place {
    fn new() -> Self {
        let place = Self {
            directory: tempfile::tempdir().unwrap(),
        };
        for name in ["bin", "home", "tmp"] {
            std::fs::create_dir(place.path(name)).unwrap();
        }
        let program = env!("CARGO_BIN_EXE_policy-orchestrator");
        std::os::unix::fs::symlink(program, place.path("bin/policy-orchestrator")).unwrap();
        place
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// Bash in a directory, with nothing of this process's environment but the way to the tools.
    /// What the script writes to descriptor 3 goes to the file of codes.
    fn bash(&self, directory: &Path, script: &str) -> (bool, String) {
        let way = std::env::var("PATH").unwrap_or_default();
        let output = Command::new("bash")
            .args(["--noprofile", "--norc", "-c"])
            .arg(format!("exec 3>../codes\n{script}"))
            .current_dir(directory)
            .env_clear()
            .env("PATH", format!("{}:{way}", self.path("bin").display()))
            .env("HOME", self.path("home"))
            .env("TMPDIR", self.path("tmp"))
            .env("LANG", "C.UTF-8")
            .env("GIT_CONFIG_NOSYSTEM", "1")
            .stdin(Stdio::null())
            .output()
            .unwrap();
        let said = [output.stdout, output.stderr].concat();
        (
            output.status.success(),
            String::from_utf8_lossy(&said).into_owned(),
        )
    }

    fn base(&self) -> PathBuf {
        let healthy = Workspace::healthy();
        healthy.forecast("high");
        healthy.write("artifacts/integrity_anchor.json", r#"{"sha": "abc"}"#);
        let directory = self.path("base");
        std::fs::create_dir(&directory).unwrap();
        crate::workspace::copy_tree(healthy.path(), &directory.join("work"));
        let (done, said) = self.bash(&directory.join("work"), BASE);
        assert!(done, "the workspace can't be made: {said}");
        directory
    }

    /// Runs the commands of a part in a copy of `base`; says what did not end as it says there.
    fn run(&self, base: &Path, index: usize, part: &Part) -> Option<String> {
        let directory = self.path(&format!("part{index}"));
        let copied = Command::new("cp")
            .arg("-Rp")
            .args([base, &directory])
            .status();
        assert!(copied.unwrap().success());
        let work = directory.join("work");
        let prepared = PREPARED
            .iter()
            .find(|(heading, _)| *heading == part.heading);
        if let Some((_, script)) = prepared {
            let (done, said) = self.bash(&work, &format!("{FUNCTIONS}\n{script}"));
            assert!(done, "{} can't be prepared: {said}", part.heading);
        }
        let (_, said) = self.bash(&work, &part.script());
        let codes = std::fs::read_to_string(directory.join("codes")).unwrap();
        if std::env::var_os("POLICY_SHOW_RUNBOOK").is_some() {
            eprintln!("=== {}\n{said}", part.heading);
        }
        let mut ended = codes.lines();
        let wrong = part.commands.iter().find_map(|(line, command)| {
            let found = ended.next().unwrap_or_default();
            let wanted = expected(command);
            (!ends_so(found, *line, wanted)).then_some((*line, wanted, found))
        });
        wrong.map(|wrong| {
            format!(
                "`{}`: {wrong:?} (line, code wanted, line and codes found)\n{said}",
                part.heading
            )
        })
    }
}

fn is_there(tool: &str) -> bool {
    let mut command = Command::new("sh");
    let found = command.args(["-c", &format!("command -v {tool}")]).output();
    found.is_ok_and(|found| found.status.success())
}

#[test]
fn every_command_of_the_runbook_ends_as_it_says_there() {
    let absent: Vec<&str> = ["bash", "git", "jq", "openssl", "ps", "tar"]
        .into_iter()
        .filter(|tool| !is_there(tool))
        .collect();
    if !absent.is_empty() {
        eprintln!("skipped: {} is not there", absent.join(", "));
        return;
    }
    let mut parts = parts(&runbook());
    for (heading, _) in PREPARED {
        let is_it = |part: &Part| part.heading == heading && !part.commands.is_empty();
        assert!(parts.iter().any(is_it), "no commands under `{heading}`");
    }
    parts.retain(|part| !part.commands.is_empty());
    let place = Place::new();
    let base = place.base();
    let next = AtomicUsize::new(0);
    let wrong = Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                while let Some((index, part)) = {
                    let index = next.fetch_add(1, Ordering::Relaxed);
                    parts.get(index).map(|part| (index, part))
                } {
                    wrong.lock().unwrap().extend(place.run(&base, index, part));
                }
            });
        }
    });
    let wrong = wrong.into_inner().unwrap();
    assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
}

#[test]
fn the_runbook_has_twelve_numbered_sections() {
    let text = runbook();
    let sections: Vec<&str> = text
        .lines()
        .filter_map(|line| line.strip_prefix("## "))
        .collect();
    assert_eq!(sections.len(), 12, "{sections:?}");
    for (section, number) in sections.iter().zip(1..) {
        assert!(section.starts_with(&format!("{number}. ")), "{section}");
    }
    // Commands stand in indented blocks, where the test above finds them.
    assert!(!text.contains("```"));
}

/// What GitHub makes of a heading.
fn anchor(heading: &str) -> String {
    let kept = heading
        .to_lowercase()
        .chars()
        .filter(|character| character.is_alphanumeric() || matches!(character, ' ' | '-' | '_'))
        .collect::<String>();
    kept.replace(' ', "-")
}

#[test]
fn every_link_within_the_runbook_leads_somewhere() {
    let text = runbook();
    let anchors: Vec<String> = parts(&text)
        .iter()
        .map(|part| anchor(&part.heading))
        .collect();
    let links = text
        .split("](#")
        .skip(1)
        .filter_map(|rest| rest.split_once(')'));
    for (link, _) in links {
        assert!(anchors.iter().any(|anchor| anchor == link), "#{link}");
    }
}

#[test]
fn the_tables_name_every_gate_every_alert_and_every_native_action() {
    let text = runbook();
    let rows: Vec<&str> = text
        .lines()
        .filter_map(|line| line.strip_prefix("| `")?.split('`').next())
        .collect();
    let workspace = Workspace::healthy();
    workspace.run().exits(0);
    let mut respond = workspace.command(&["respond", "--policy", "RED", "--auto"]);
    let ran: Ran = respond.env("ENV", "production").output().unwrap().into();
    let gates = ran.exits(0).json()["gates"].as_array().unwrap().clone();
    assert!(gates.len() >= 15);
    for gate in &gates {
        assert!(rows.contains(&gate["name"].as_str().unwrap()), "{gate}");
    }
    for name in Name::ALL {
        assert!(rows.contains(&name.as_str()), "{name}");
    }
    for action in Action::ALL {
        assert!(rows.contains(&action.name()), "{}", action.name());
    }
}

/// A threat is covered by a test only as long as there is one: every test that SECURITY.md names is
/// there.
#[test]
fn every_test_that_the_threat_tables_name_is_there() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let page = std::fs::read_to_string(root.join("SECURITY.md")).unwrap();
    let is_name = |text: &&str| {
        let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || "_:".contains(c);
        let last = text.rsplit("::").next().unwrap_or_default();
        text.chars().all(plain) && last.matches('_').count() >= 3
    };
    let named: Vec<&str> = page.split('`').skip(1).step_by(2).filter(is_name).collect();
    assert!(named.len() > 30, "{named:?}");
    let mut sources = String::new();
    let mut directories = vec![root.join("src"), root.join("tests")];
    while let Some(directory) = directories.pop() {
        for entry in std::fs::read_dir(directory).unwrap().map(Result::unwrap) {
            let path = entry.path();
            if path.is_dir() {
                directories.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                sources.push_str(&std::fs::read_to_string(path).unwrap());
            }
        }
    }
    let function = |name: &str| format!("fn {}(", name.rsplit("::").next().unwrap_or(name));
    let gone: Vec<&str> = named
        .into_iter()
        .filter(|name| !sources.contains(&function(name)))
        .collect();
    assert!(gone.is_empty(), "{gone:?}");
}
