//! `policy init`: the policy in force as a document to own. Nothing that stands there is overwritten.

use std::time::Duration;

use clap::Args;
use serde::Serialize;

use super::convert::converted;
use super::schema;
use crate::cli::run::{lock_timeout, parse_timeout};
use crate::cli::tamper::own_change;
use crate::cli::{Context, Exit, Format};
use crate::diagnostic::{Checked, Code, Diagnostic, Place};
use crate::fs::{RetryDelays, Workspace, WorkspaceLock, write};
use crate::ids::Digest;
use crate::policy::Policy;
use crate::policy::document::{self, FILES, Loaded, SMALL_FORM, TEMPLATE};

const EXAMPLES: &str = "\
Examples:
  policy-orchestrator policy init
  policy-orchestrator policy init --convert

Writes policy/policy.yaml, which decides exactly as the policy in force does, the schema that editors
read and, for the reference policy, the first cases. Where policy/policy_thresholds.json decides,
--convert takes its numbers over and removes it: with both there, nobody could say which one counts.
A line that can never fire (below 0) is left out; what the large form can't say is refused.";

/// Where the schema goes.
const SCHEMA_FILE: &str = "policy/schema/orchestration-policy.v1.schema.json";

/// Where the first cases go.
const CASES_FILE: &str = "policy/tests/reference.yaml";

const CASES: &str = include_str!("starter_cases.yaml");

#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(in crate::cli) struct InitArgs {
    /// Take the numbers of policy/policy_thresholds.json over and remove that file
    #[arg(long)]
    convert: bool,

    /// How long to wait for a run, in seconds
    #[arg(long, value_name = "SECONDS", default_value = "30", value_parser = parse_timeout)]
    lock_timeout: Duration,
}

/// What was done to which files.
#[derive(Default)]
struct Done {
    written: Vec<&'static str>,
    kept: Vec<&'static str>,
    removed: Vec<&'static str>,
}

/// The JSON shape of it.
#[derive(Serialize)]
struct Shape<'d> {
    schema: u32,
    written: &'d [&'static str],
    kept: &'d [&'static str],
    removed: &'d [&'static str],
}

impl Done {
    fn write(&mut self, workspace: &Workspace, file: &'static str, text: &str) -> Checked<()> {
        if write::create_new(workspace, file, text.as_bytes())? {
            self.written.push(file);
        } else {
            self.kept.push(file);
        }
        Ok(())
    }

    fn remove_small_form(&mut self, workspace: &Workspace) -> Checked<()> {
        write::remove(workspace, SMALL_FORM)?;
        self.removed.push(SMALL_FORM);
        Ok(())
    }
}

pub(in crate::cli) fn init(context: &Context, arguments: &InitArgs) -> anyhow::Result<Exit> {
    let workspace = context.workspace()?;
    let timeout = lock_timeout(arguments.lock_timeout);
    let lock = WorkspaceLock::acquire(&workspace, "policy init", timeout, &RetryDelays::default())?;
    let resumed = if arguments.convert {
        // Taking the small form away is all that is left to do.
        let steps = [(SMALL_FORM.to_owned(), None)];
        own_change(&workspace, &lock, "policy init --convert", &steps, || {
            resume(&workspace)
        })?
    } else {
        None
    };
    let done = if let Some(done) = resumed {
        done
    } else {
        let loaded = document::load(&workspace);
        if !loaded.problems.is_empty() {
            context.output.findings(&loaded.problems);
            return Ok(Exit::Failed);
        }
        let steps = steps(&workspace, &loaded, arguments.convert);
        own_change(&workspace, &lock, "policy init", &steps, || {
            begin(&workspace, &loaded, arguments.convert)
        })?
    };
    match context.format() {
        Format::Json => context.output.json(&Shape {
            schema: 1,
            written: &done.written,
            kept: &done.kept,
            removed: &done.removed,
        })?,
        Format::Human => context.output.result(&human(&done))?,
    }
    Ok(Exit::Done)
}

/// What `begin` may write, where nothing stands yet, and what it may take away.
fn steps(workspace: &Workspace, loaded: &Loaded, convert: bool) -> Vec<(String, Option<Digest>)> {
    let template = converted(&loaded.policy).unwrap_or_default();
    let document = if convert { template.as_str() } else { TEMPLATE };
    let written = [
        (SCHEMA_FILE, schema::text()),
        (CASES_FILE, CASES),
        (FILES[0], document),
    ];
    let absent = |file: &str| std::fs::symlink_metadata(workspace.path(file)).is_err();
    let mut steps: Vec<_> = written
        .into_iter()
        .filter(|(file, _)| absent(file))
        .map(|(file, text)| (file.to_owned(), Some(Digest::of(text.as_bytes()))))
        .collect();
    if convert {
        steps.push((SMALL_FORM.to_owned(), None));
    }
    steps
}

fn begin(workspace: &Workspace, loaded: &Loaded, convert: bool) -> Checked<Done> {
    let is_small = document::is_small_form(loaded.policy.document());
    if loaded.file == Some(SMALL_FORM) && is_small {
        return if convert {
            take_over(workspace, &loaded.policy)
        } else {
            Err(Box::new(in_the_way()))
        };
    }
    let mut done = Done::default();
    done.write(workspace, SCHEMA_FILE, schema::text())?;
    // The cases hold the numbers of the reference policy.
    if loaded.file.is_none() || loaded.policy.document() == TEMPLATE.as_bytes() {
        done.write(workspace, CASES_FILE, CASES)?;
    }
    match loaded.file {
        Some(file) => done.kept.push(file),
        None => done.write(workspace, FILES[0], TEMPLATE)?,
    }
    Ok(done)
}

/// The small form as the large one. The text is made and proved before anything is written.
fn take_over(workspace: &Workspace, policy: &Policy) -> Checked<Done> {
    let text = converted(policy)?;
    let mut done = Done::default();
    done.write(workspace, SCHEMA_FILE, schema::text())?;
    done.write(workspace, FILES[0], &text)?;
    // Last: with both there the policy is refused, and nothing is lost.
    done.remove_small_form(workspace)?;
    Ok(done)
}

/// What is left to do where a conversion was killed between its two steps: the large form stands
/// there already, word for word. `None` where anything else stands there.
fn resume(workspace: &Workspace) -> Checked<Option<Done>> {
    let found = document::find(workspace);
    let [large, small] = found.as_slice() else {
        return Ok(None);
    };
    let (Ok(written), Ok(bytes)) = (&large.bytes, &small.bytes) else {
        return Ok(None);
    };
    if large.file != FILES[0] || small.file != SMALL_FORM {
        return Ok(None);
    }
    let policy = document::parse(SMALL_FORM, bytes).ok();
    let text = policy.and_then(|policy| converted(&policy).ok());
    if text.is_none_or(|text| text.as_bytes() != written.as_slice()) {
        return Ok(None);
    }
    let mut done = Done::default();
    done.kept.push(FILES[0]);
    done.remove_small_form(workspace)?;
    Ok(Some(done))
}

fn in_the_way() -> Diagnostic {
    Diagnostic::new(
        Code::PolicyAmbiguous,
        Place::file(SMALL_FORM),
        "this document decides, and beside a second one nobody could say which counts",
    )
    .found("a policy document of the small form")
    .expected("one policy document")
    .help("`policy-orchestrator policy init --convert` takes its numbers over and removes it")
}

fn human(done: &Done) -> String {
    let mut text = String::new();
    let parts = [
        ("written", &done.written),
        ("kept   ", &done.kept),
        ("removed", &done.removed),
    ];
    for (what, files) in parts {
        for file in files {
            text.push_str(&format!("{what}  {file}\n"));
        }
    }
    text.push_str("\nnext: change policy/policy.yaml, then `policy-orchestrator policy check` and `policy-orchestrator policy test`\n");
    text
}
