//! What `--verbose` and `--log-format` say on standard error while a command runs.
//!
//! Every line of a log in JSON carries the id of this run of the program, which is also the id of its
//! trace and stands in what it recorded: in the journal's line and in the state file.

use std::fmt;
use std::time::Instant;

use serde_json::{Map, Value, json};
use tracing::field::{Field, Visit};
use tracing::{Event, Subscriber};
use tracing_subscriber::Layer as _;
use tracing_subscriber::filter::{LevelFilter, filter_fn};
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields};
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::registry::LookupSpan;
use tracing_subscriber::util::SubscriberInitExt as _;

use super::traces::Asked;
use crate::ids::RunId;
use crate::privacy::Secrets;
use crate::time::Clock;

/// How a log is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(super) enum LogFormat {
    /// A line of text for each event
    Text,
    /// A JSON object on each line, with the id of this run
    Json,
}

/// Begins to log, and to gather the spans of a trace. The id that these tell, where they do: a log in
/// text tells none.
pub(super) fn begin(format: Option<LogFormat>, asked: Option<&Asked>) -> Option<RunId> {
    let run_id = asked.map_or_else(RunId::random, |asked| asked.run_id);
    // Events are for the log, spans for the trace: one does not change what the other says.
    let events = || {
        filter_fn(|metadata| metadata.is_event() && *metadata.level() <= tracing::Level::DEBUG)
            .with_max_level_hint(LevelFilter::DEBUG)
    };
    let spans = filter_fn(|metadata| metadata.is_span() && metadata.target().starts_with(OURS))
        .with_max_level_hint(LevelFilter::DEBUG);
    let log = format.map(|format| {
        let layer = tracing_subscriber::fmt::layer()
            .with_writer(std::io::stderr)
            .without_time()
            .with_ansi(false);
        match format {
            LogFormat::Text => layer.with_filter(events()).boxed(),
            LogFormat::Json => layer
                .event_format(Json {
                    run_id: run_id.to_string(),
                    begin: Instant::now(),
                    secrets: Secrets::from_environment(super::output::all_variables(), None),
                })
                .with_filter(events())
                .boxed(),
        }
    });
    let trace = asked.map(|asked| asked.collector.clone().with_filter(spans));
    tracing_subscriber::registry().with(log).with(trace).init();
    let is_told = asked.is_some() || format == Some(LogFormat::Json);
    is_told.then_some(run_id)
}

/// What the targets of this program's spans begin with.
const OURS: &str = "policy_orchestrator";

/// An object for each event.
struct Json {
    run_id: String,
    begin: Instant,
    secrets: Secrets,
}

impl<S, N> FormatEvent<S, N> for Json
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(
        &self,
        _: &FmtContext<'_, S, N>,
        mut writer: Writer<'_>,
        event: &Event<'_>,
    ) -> fmt::Result {
        let metadata = event.metadata();
        let mut line = Map::new();
        line.insert("timestamp".to_owned(), json!(Clock::System.read()));
        line.insert("level".to_owned(), json!(metadata.level().as_str()));
        line.insert("run_id".to_owned(), json!(self.run_id));
        let elapsed = self.begin.elapsed().as_micros();
        line.insert("elapsed_us".to_owned(), json!(u64::try_from(elapsed).ok()));
        line.insert("target".to_owned(), json!(metadata.target()));
        event.record(&mut Fields {
            line: &mut line,
            secrets: &self.secrets,
        });
        writeln!(writer, "{}", Value::Object(line))
    }
}

/// The fields of an event, without secrets.
struct Fields<'a> {
    line: &'a mut Map<String, Value>,
    secrets: &'a Secrets,
}

impl Fields<'_> {
    fn add(&mut self, field: &Field, value: Value) {
        // Nothing that an event says may stand in for what the line says of itself.
        self.line.entry(field.name()).or_insert(value);
    }
}

impl Visit for Fields<'_> {
    fn record_u64(&mut self, field: &Field, value: u64) {
        self.add(field, json!(value));
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.add(field, json!(value));
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.add(field, json!(value));
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.add(field, json!(self.secrets.redact(value)));
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.add(field, json!(self.secrets.redact(&format!("{value:?}"))));
    }
}
