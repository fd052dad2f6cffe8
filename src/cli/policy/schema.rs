//! `policy schema`: the JSON Schema of a policy document, for editors.

use clap::Args;

use crate::cli::{Context, Exit};

/// The copy in the repository; a test holds it against the types.
const SCHEMA: &str = include_str!("../../../policy/schema/orchestration-policy.v1.schema.json");

const EXAMPLES: &str = "\
Examples:
  policy-orchestrator policy schema > policy/schema/orchestration-policy.v1.schema.json

An editor with YAML support reads it where the document's first line says
  # yaml-language-server: $schema=schema/orchestration-policy.v1.schema.json";

#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(in crate::cli) struct SchemaArgs {}

pub(in crate::cli) fn schema(context: &Context) -> anyhow::Result<Exit> {
    context.output.result(SCHEMA)?;
    Ok(Exit::Done)
}

/// The schema's text.
pub(super) fn text() -> &'static str {
    SCHEMA
}
