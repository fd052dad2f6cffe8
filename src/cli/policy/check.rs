//! `policy check`: what is wrong with documents and what is unwise in them, each with its place.
//!
//! Errors are what keeps a document from deciding, or its responses from being planned; one that
//! decides is looked at by the lints.

use clap::Args;
use serde::Serialize;

use crate::cli::given::Given;
use crate::cli::{Context, Exit, Format, FormatChoice, clock, parse_time, workflow};
use crate::compliance::{documents, evidence, retention};
use crate::diagnostic::{Checked, Diagnostic};
use crate::fs::Workspace;
use crate::fs::read::read_own;
use crate::ids::distinct;
use crate::policy::catalogue::{self, Kind};
use crate::policy::document::{self, LIMIT, Standing};
use crate::policy::{Identity, lints};
use crate::report::check::{self as view, Counts, Document, Finding};
use crate::report::{github, sarif};
use crate::response::declared;
use crate::security;
use crate::spending;
use crate::time::Timestamp;

const EXAMPLES: &str = "\
Examples:
  policy-orchestrator policy check
  policy-orchestrator policy check policy/stricter.yaml --strict
  policy-orchestrator policy check --format sarif > policy.sarif
  git show HEAD:policy/policy.yaml | policy-orchestrator policy check -

Errors keep a document from deciding, or its responses from being planned; all of them are told at
once. A document that decides is looked at for what is unwise: warnings and notes, each explained in
docs/lints.md. Without FILE, other documents below policy/ are looked at too where something is to be
said of them: evidence.yaml and retention.yaml, the security policies, and documents that contradict
each other (POLICY_CONFLICT: the stricter one counts).

`--format` is human, json, sarif (SARIF 2.1.0, for code scanning) or github (annotations).

Exit codes:
  0  no errors; with --strict no warnings either
  1  errors, with --strict or warnings, or a file that can't be read
  2  the command line makes no sense";

#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(in crate::cli) struct CheckArgs {
    /// The documents (- for standard input) [default: that of the workspace]
    #[arg(value_name = "FILE")]
    files: Vec<String>,

    /// Warnings too are a reason to exit with 1
    #[arg(long)]
    strict: bool,

    /// Look at waivers as of this time instead of now
    #[arg(long, value_name = "TIME", value_parser = parse_time)]
    at: Option<Timestamp>,
}

/// The JSON shape of a check.
#[derive(Serialize)]
struct Shape<'a> {
    schema: u32,
    #[serde(flatten)]
    counts: Counts,
    documents: &'a [Document],
}

pub(in crate::cli) fn check(context: &Context, arguments: &CheckArgs) -> anyhow::Result<Exit> {
    let at = clock(arguments.at).read();
    let (documents, prefix) = if arguments.files.is_empty() {
        let workspace = context.workspace()?;
        let mut documents = of_workspace(&workspace, at);
        if documents.is_empty() {
            let misplaced = document::misplaced(&workspace);
            context.output.findings(misplaced.as_ref());
        }
        documents.extend(beside(&workspace, at));
        documents.extend(of_spending(&workspace));
        (documents, workflow::prefix(&workspace))
    } else {
        let documents = arguments.files.iter().map(|file| given(file, at));
        (documents.collect(), String::new())
    };
    tell(context, &documents, &prefix)?;
    let counts = Counts::of(&documents);
    Ok(
        if counts.errors > 0 || arguments.strict && counts.warnings > 0 {
            Exit::Failed
        } else {
            Exit::Done
        },
    )
}

fn tell(context: &Context, documents: &[Document], prefix: &str) -> anyhow::Result<()> {
    let output = context.output;
    let counts = Counts::of(documents);
    match (context.global.format, context.format()) {
        (Some(FormatChoice::Sarif), _) => output.json(&sarif::log(documents, prefix)),
        (Some(FormatChoice::Github), _) => {
            let findings = documents.iter().flat_map(|document| &document.findings);
            output.result(&github::check_annotations(findings, prefix))
        }
        (_, Format::Human) => output.result(&view::human(documents, output.paint())),
        (_, Format::Json) => output.json(&Shape {
            schema: 1,
            counts,
            documents,
        }),
    }
}

/// The spend policies of the workspace, also where nothing is wrong with them.
fn of_spending(workspace: &Workspace) -> Vec<Document> {
    let (documents, unread) = spending::policies::documents(workspace);
    let problems = spending::Policies::compile(&documents).err();
    let problems = problems.unwrap_or_default();
    let each = documents.into_iter().map(|(file, bytes)| {
        let of_file = problems.iter().filter(|problem| problem.place.file == file);
        let of_file: Vec<Diagnostic> = of_file.cloned().collect();
        refused(&file, bytes, &of_file)
    });
    let unread = unread.iter().map(|problem| {
        let file = &problem.place.file;
        refused(file, Vec::new(), std::slice::from_ref(problem))
    });
    unread.chain(each).collect()
}

fn given(file: &str, at: Timestamp) -> Document {
    let given = Given {
        path: file,
        what: "document",
        expected: "a policy document of at most 256 KiB",
        limit: LIMIT,
    };
    document_of(file, given.read(), at)
}

/// Of several documents that stand side by side each is looked at, too.
fn of_workspace(workspace: &Workspace, at: Timestamp) -> Vec<Document> {
    let found = document::find(workspace);
    let ambiguous = document::ambiguity(&found);
    let twice = match found.as_slice() {
        [one] => declared_twice(workspace, one),
        _ => None,
    };
    let mut documents: Vec<Document> = found
        .into_iter()
        .map(|standing| document_of(standing.file, standing.bytes, at))
        .collect();
    if let (Some(first), Some(ambiguous)) = (documents.first_mut(), ambiguous.or(twice)) {
        first.findings.insert(0, Finding::from(&ambiguous));
    }
    documents
}

/// The documents beside the one that decides, as far as something is to be said of them: what they
/// declare as evidence, how long things are kept, and where they contradict each other.
fn beside(workspace: &Workspace, at: Timestamp) -> Vec<Document> {
    let (others, mut problems) = match documents::read(workspace) {
        Ok(others) => (others, Vec::new()),
        Err(problems) => (Vec::new(), problems),
    };
    problems.extend(documents::conflicts(&others));
    let security = security::load(workspace);
    problems.extend(security.map_or_else(|problems| problems, |all| all.warnings().to_vec()));
    let asked = documents::asked(&others);
    let names = asked.names();
    let evidence = evidence::load(workspace, &names);
    problems.extend(evidence.map_or_else(
        |problems| problems,
        |evidence| evidence::lint(&evidence, at),
    ));
    let kept = retention::load(workspace);
    problems.extend(kept.map_or_else(|problems| problems, |kept| kept.lint()));
    // What can't be read is found by each of those who would have read it.
    let problems = distinct(problems);
    let files = problems.iter().map(|problem| problem.place.file.clone());
    let mut documents = Vec::new();
    for file in distinct(files) {
        let of_file = problems.iter().filter(|problem| problem.place.file == file);
        let source = read_own(workspace, &file, LIMIT).ok().flatten();
        let of_file: Vec<Diagnostic> = of_file.cloned().collect();
        documents.push(refused(&file, source.unwrap_or_default(), &of_file));
    }
    documents
}

/// What is to be said where the document declares responses, and one beside it does so too.
fn declared_twice(workspace: &Workspace, standing: &Standing) -> Option<Diagnostic> {
    let bytes = standing.bytes.as_ref().ok()?;
    let policy = document::parse(standing.file, bytes).ok()?;
    declared::ambiguity(workspace, &policy)
}

fn document_of(file: &str, bytes: Checked<Vec<u8>>, at: Timestamp) -> Document {
    let bytes = match bytes {
        Ok(bytes) => bytes,
        Err(error) => return refused(file, Vec::new(), &[*error]),
    };
    let kind = catalogue::recognise(file, &bytes).map(|found| found.kind);
    if kind.is_ok_and(|kind| kind == Kind::SpendPolicy) {
        let problems = spending::document::parse(file, &bytes).err();
        return refused(file, bytes, &problems.unwrap_or_default());
    }
    match document::parse_with_places(file, &bytes) {
        Ok((policy, outline)) => {
            // They don't keep it from deciding, but `respond` from planning.
            let problems = declared::check(&policy);
            let remarks = lints::look(&policy, &outline, at);
            let mut findings: Vec<Finding> = problems.iter().map(Finding::from).collect();
            findings.extend(remarks.iter().map(Finding::from));
            findings.sort_by_key(|finding| (finding.place.line, finding.place.column));
            Document {
                file: file.to_owned(),
                policy: Some(Identity::clone(policy.identity())),
                findings,
                source: bytes,
            }
        }
        Err(problems) => refused(file, bytes, &problems),
    }
}

fn refused(file: &str, source: Vec<u8>, problems: &[Diagnostic]) -> Document {
    let mut findings: Vec<Finding> = problems.iter().map(Finding::from).collect();
    findings.sort_by_key(|finding| (finding.place.line, finding.place.column));
    Document {
        file: file.to_owned(),
        policy: None,
        findings,
        source,
    }
}
