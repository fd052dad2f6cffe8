//! `--trace-json`, and the export of traces in a program that was built with the feature `otlp`.
//!
//! Both come behind everything else: a trace that can't be written is a warning and exit 1, one that
//! can't be sent is a warning alone. What was decided and done stands.

use std::path::PathBuf;

use clap::Args;

use super::{Command, Context, Exit, reports};
use crate::diagnostic::Checked;
use crate::fs::named::replace_named;
use crate::ids::RunId;
use crate::time::Clock;
use crate::traces::collector::Collector;
use crate::traces::lines;

/// What traces are asked for.
#[derive(Debug, Default, Args)]
pub(super) struct TraceArgs {
    /// Leave what was done and how long each part took, a span of JSON on each line
    #[arg(long, value_name = "PATH")]
    trace_json: Option<PathBuf>,
}

/// A trace that somebody asked for.
pub(super) struct Asked {
    /// The id of this run of the program.
    pub(super) run_id: RunId,
    pub(super) collector: Collector,
    path: Option<PathBuf>,
    #[cfg(feature = "otlp")]
    export: Option<Result<crate::traces::settings::Settings, String>>,
}

impl Asked {
    /// What is asked for; `None` where nobody does.
    pub(super) fn of(command: &Command) -> Option<Self> {
        let arguments = match command {
            Command::Run(arguments) => &arguments.trace,
            Command::Respond(traced) => &traced.trace,
            _ => return None,
        };
        #[cfg(feature = "otlp")]
        let export = crate::traces::settings::read(super::output::variable);
        #[cfg(feature = "otlp")]
        let is_exported = export.is_some();
        #[cfg(not(feature = "otlp"))]
        let is_exported = false;
        let path = arguments.trace_json.clone();
        if path.is_none() && !is_exported {
            return None;
        }
        let run_id = RunId::random();
        Some(Self {
            run_id,
            collector: Collector::begin(run_id, Clock::System.read()),
            path,
            #[cfg(feature = "otlp")]
            export,
        })
    }

    /// Refuses a place that can't take it, before anything is done.
    pub(super) fn check(&self, context: &Context) -> Checked<()> {
        match (&self.path, context.workspace()) {
            (Some(path), Ok(workspace)) => reports::check(&workspace, &[path]),
            // The command says what is wrong with the workspace.
            _ => Ok(()),
        }
    }

    /// Writes and sends the trace; how the command ends then.
    pub(super) fn finish(self, context: &Context, exit: Exit) -> Exit {
        let trace = self.collector.trace();
        let mut exit = exit;
        if let Some(path) = &self.path
            && let Err(finding) = replace_named(path, lines::render(&trace).as_bytes())
        {
            context.output.findings(&[reports::not_written(&finding)]);
            if matches!(exit, Exit::Done | Exit::Level(_)) {
                exit = Exit::Failed;
            }
        }
        #[cfg(feature = "otlp")]
        if let Some(export) = self.export {
            send(context, &trace, export);
        }
        exit
    }
}

#[cfg(feature = "otlp")]
fn send(
    context: &Context,
    trace: &crate::traces::Trace,
    export: Result<crate::traces::settings::Settings, String>,
) {
    let not_sent = |why: &str| {
        context
            .output
            .note(&format!("warning: the trace was not exported: {why}"));
    };
    let settings = match export {
        Ok(settings) => settings,
        Err(why) => return not_sent(&why),
    };
    for odd in &settings.odd {
        context.output.note(&format!("warning: {odd}"));
    }
    let post = crate::post::Post {
        url: &settings.endpoint,
        headers: &settings.headers,
        timeout: settings.timeout,
        body: &crate::traces::otlp::request(trace, &settings.resource),
    };
    if let Err(why) = post.send() {
        not_sent(&why);
    }
}
