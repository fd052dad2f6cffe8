//! `health`: can the parts that everything rests on be used (rows S0-045, S0-046)?

use clap::Args;
use rustix::fs::{Access, access};
use serde::Serialize;

use super::{Context, Exit, Format, clock, keys, parse_time, secrets, vault};
use crate::fs::Workspace;
use crate::metrics::facts;
use crate::time::Timestamp;
use crate::vault::Status as VaultStatus;

const EXAMPLES: &str = "\
Examples:
  policy-orchestrator health
  policy-orchestrator health --format json | jq -e '.status == \"ok\"'

Components: `db`, the record (state files and the ends of all journals); `storage`, the workspace and
its `state/`, which have to take new files; `vault`, where VAULT_ADDR names one; `cosign`, the key that
POLICY_SIGNING_KEY_FILE or COSIGN_KEY_PATH names. Each is ok, failed or not_configured; one that failed
makes the whole degraded. Writes nothing. Exit codes: 0 ok, 1 degraded.";

#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct HealthArgs {
    /// Look as of this time
    #[arg(long, value_name = "TIME", value_parser = parse_time)]
    at: Option<Timestamp>,
}

/// How a component stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
enum Word {
    Ok,
    Failed,
    NotConfigured,
}

impl Word {
    fn as_str(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Failed => "failed",
            Self::NotConfigured => "not configured",
        }
    }
}

/// A component, and why it can't be used.
struct Component {
    name: &'static str,
    word: Word,
    detail: Option<String>,
}

/// One value for each component.
#[derive(Serialize)]
struct Each<T> {
    db: T,
    vault: T,
    cosign: T,
    storage: T,
}

/// The JSON shape.
#[derive(Serialize)]
struct Shape {
    schema: u32,
    at: Timestamp,
    /// `ok` or `degraded`.
    status: &'static str,
    components: Each<Word>,
    /// Why; null for one that is ok.
    details: Each<Option<String>>,
}

pub(super) fn health(context: &Context, arguments: &HealthArgs) -> anyhow::Result<Exit> {
    let at = clock(arguments.at).read();
    let (db, storage) = match context.workspace() {
        Ok(workspace) => (record(&workspace, at), storage(&workspace)),
        Err(finding) => {
            let absent = |name| failed(name, &finding.message);
            (absent("db"), absent("storage"))
        }
    };
    let all = [db, of_vault(), cosign(), storage];
    let degraded = all.iter().any(|one| one.word == Word::Failed);
    let status = if degraded { "degraded" } else { "ok" };
    match context.format() {
        Format::Human => {
            let mut text = format!("{status}\n");
            for one in &all {
                let detail = one.detail.as_deref().unwrap_or_default();
                let line = format!("  {:<8} {:<15} {detail}", one.name, one.word.as_str());
                text.push_str(line.trim_end());
                text.push('\n');
            }
            context.output.result(&text)?;
        }
        Format::Json => {
            let [db, vault, cosign, storage] = all;
            context.output.json(&Shape {
                schema: 1,
                at,
                status,
                components: Each {
                    db: db.word,
                    vault: vault.word,
                    cosign: cosign.word,
                    storage: storage.word,
                },
                details: Each {
                    db: db.detail,
                    vault: vault.detail,
                    cosign: cosign.detail,
                    storage: storage.detail,
                },
            })?;
        }
    }
    Ok(if degraded { Exit::Failed } else { Exit::Done })
}

fn ok(name: &'static str) -> Component {
    Component {
        name,
        word: Word::Ok,
        detail: None,
    }
}

fn failed(name: &'static str, why: &str) -> Component {
    Component {
        name,
        word: Word::Failed,
        detail: Some(why.to_owned()),
    }
}

fn not_configured(name: &'static str, why: &str) -> Component {
    Component {
        name,
        word: Word::NotConfigured,
        detail: Some(why.to_owned()),
    }
}

fn record(workspace: &Workspace, at: Timestamp) -> Component {
    let key = match secrets::signing_key() {
        Ok(key) => key,
        Err(finding) => return failed("db", &finding.message),
    };
    match facts::survey(workspace, at, key.as_ref()).problems {
        0 => ok("db"),
        problems => failed(
            "db",
            &format!("{problems} things are wrong; `policy-orchestrator audit verify` names them"),
        ),
    }
}

fn storage(workspace: &Workspace) -> Component {
    let root = workspace.path("");
    let state = workspace.path("state");
    for directory in [root, state] {
        let shown = directory.display();
        match std::fs::metadata(&directory) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
            Err(error) => return failed("storage", &format!("{shown}: {error}")),
            Ok(status) if !status.is_dir() => {
                return failed("storage", &format!("{shown} is no directory"));
            }
            Ok(_) => {
                if let Err(error) = access(&directory, Access::WRITE_OK | Access::EXEC_OK) {
                    return failed("storage", &format!("{shown} takes no files: {error}"));
                }
            }
        }
    }
    ok("storage")
}

fn of_vault() -> Component {
    let settings = match vault::settings() {
        Ok(settings) => settings,
        Err(finding) => return failed("vault", &finding.message),
    };
    match crate::vault::status(&settings) {
        VaultStatus::Ready => ok("vault"),
        VaultStatus::Absent => not_configured("vault", "no server is named"),
        other => failed("vault", &other.why().unwrap_or_default()),
    }
}

fn cosign() -> Component {
    match keys::signing_key() {
        Ok(Some(_)) => ok("cosign"),
        Ok(None) => not_configured("cosign", "no key is named"),
        Err(finding) => failed("cosign", &finding.message),
    }
}
