//! Gathers the spans of this program while a command runs.

use std::fmt;
use std::sync::{Arc, Mutex};
use std::time::Instant;

use tracing::Subscriber;
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing_subscriber::Layer;
use tracing_subscriber::layer::Context;
use tracing_subscriber::registry::LookupSpan;

use super::{Span, Trace, Value};
use crate::ids::RunId;
use crate::time::Timestamp;

/// More spans than this are left out: a trace is to be read.
const MOST: usize = 10_000;

/// What gathers them; its copies gather into one.
#[derive(Debug, Clone)]
pub struct Collector {
    id: String,
    base: u64,
    begin: Instant,
    ended: Arc<Mutex<Vec<Span>>>,
}

impl Collector {
    /// Begins at a time, for the run with this id.
    pub fn begin(run_id: RunId, at: Timestamp) -> Self {
        let micros = u64::try_from(at.unix_micros()).unwrap_or_default();
        Self {
            id: run_id.simple(),
            base: micros.saturating_mul(1000),
            begin: Instant::now(),
            ended: Arc::default(),
        }
    }

    /// The spans that ended.
    pub fn trace(&self) -> Trace {
        let ended = self.ended.lock().map(|ended| ended.clone());
        let mut spans = ended.unwrap_or_default();
        spans.sort_by_key(|span| span.start);
        Trace {
            id: self.id.clone(),
            spans,
        }
    }

    fn now(&self) -> u64 {
        let elapsed = u64::try_from(self.begin.elapsed().as_nanos()).unwrap_or(u64::MAX);
        self.base.saturating_add(elapsed)
    }
}

/// A span that has begun, among what the registry knows of it.
struct Open(Span);

impl<S> Layer<S> for Collector
where
    S: Subscriber + for<'a> LookupSpan<'a>,
{
    fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, context: Context<'_, S>) {
        let Some(span) = context.span(id) else { return };
        let parent = span.parent().and_then(|parent| {
            let extensions = parent.extensions();
            extensions.get::<Open>().map(|open| open.0.id.clone())
        });
        let (high, _) = uuid::Uuid::new_v4().as_u64_pair();
        let mut open = Open(Span {
            id: format!("{high:016x}"),
            parent,
            name: attributes.metadata().name(),
            start: self.now(),
            nanos: 0,
            attributes: Vec::new(),
        });
        attributes.record(&mut open);
        span.extensions_mut().insert(open);
    }

    fn on_record(&self, id: &Id, values: &Record<'_>, context: Context<'_, S>) {
        let Some(span) = context.span(id) else { return };
        if let Some(open) = span.extensions_mut().get_mut::<Open>() {
            values.record(open);
        }
    }

    fn on_close(&self, id: Id, context: Context<'_, S>) {
        let Some(span) = context.span(&id) else {
            return;
        };
        let Some(Open(mut ended)) = span.extensions_mut().remove::<Open>() else {
            return;
        };
        ended.nanos = self.now().saturating_sub(ended.start);
        if let Ok(mut all) = self.ended.lock()
            && all.len() < MOST
        {
            all.push(ended);
        }
    }
}

impl Open {
    fn add(&mut self, field: &Field, value: Value) {
        self.0.attributes.push((field.name(), value));
    }
}

impl Visit for Open {
    fn record_u64(&mut self, field: &Field, value: u64) {
        self.add(
            field,
            Value::Number(i64::try_from(value).unwrap_or(i64::MAX)),
        );
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.add(field, Value::Number(value));
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.add(field, Value::Truth(value));
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.add(field, Value::Text(value.to_owned()));
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.add(field, Value::Text(format!("{value:?}")));
    }
}
