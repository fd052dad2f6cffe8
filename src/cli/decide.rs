//! `decide`: may this be done? One request or many, each answered by one envelope.

use std::io::{BufRead as _, BufReader, Read};
use std::path::Path;
use std::time::{Duration, Instant};

use chrono::TimeDelta;
use clap::{Args, ValueEnum};

use super::actor::actor;
use super::output::all_variables;
use super::recording::with_records;
use super::run::parse_timeout;
use super::tenant::given;
use super::{Context, Exit, Format, clock, parse_time, secrets, tamper};
use crate::authorization::journal::{self, Answered};
use crate::authorization::tenant::Tenant;
use crate::authorization::{self, Known, Policies, Unusable, in_force};
use crate::diagnostic::{Checked, Code, Diagnostic, Place};
use crate::fs::Workspace;
use crate::fs::read::{Unopened, open_given, plain};
use crate::ids::ReasonCode;
use crate::privacy::Secrets;
use crate::record::SigningKey;
use crate::report::answer;
use crate::request::envelope::Circumstances;
use crate::request::input::{MOST_BYTES, Point, Refused};
use crate::request::{Envelope, Request, codes};
use crate::safeguard::kill_switch;
use crate::spending::desk;
use crate::time::Timestamp;

const HELP: &str = "\
Examples:
  echo '{\"action\":\"read\",\"user\":{\"principal\":\"ana\",\"role\":\"public\"},\"resource\":{\"type\":\"dataset\",
    \"dataset_version_id\":\"2026-02.abcd1234\",\"policy_label\":\"public\"}}' | policy-orchestrator decide
  policy-orchestrator decide --input request.json --explain
  policy-orchestrator decide --input requests.jsonl > answers.jsonl
  policy-orchestrator decide --input deploy.json && ./deploy
  policy-orchestrator decide --view public < request.json      what the caller may see

A request is one JSON object; a file of JSON lines is answered line by line, in its order. Everything is
denied that no policy allows: unknown members, labels, actions, what is missing, what can't be evaluated.
What decides: policy/security/, policy/vocab/, policy/rego/, policy/spend/ and policy/requests.yaml
(docs/requests.md), loaded once for all requests. The time is the machine's or that of --at, and never
the request's word.

Exit codes:
  0  allowed, with the obligations of the answer (of many: all of them)
  1  it can't be read, or the answer could not be recorded
  2  the command line makes no sense
  4  denied, or not before somebody has approved
  5  the policies can't be used, or were changed and nobody accepted that
  With --no-exit-code 4 and 5 are 0.";

/// Whose view of an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum View {
    /// All of it, for whoever runs the program
    Internal,
    /// What a public caller may see: a denial is the same for restricted and for absent
    Public,
    /// Internal for a steward or an operator, public for everybody else
    Caller,
}

#[derive(Debug, Args)]
#[command(after_help = HELP)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is an option of the command line"
)]
pub(super) struct DecideArgs {
    /// A file with one request, or with one on each line [default: standard input]
    #[arg(long, value_name = "FILE")]
    input: Option<String>,

    /// One request on each line, also where the first line alone would not tell
    #[arg(long)]
    jsonl: bool,

    /// Where it is asked from, for requests that name no point
    #[arg(long, value_name = "POINT", value_parser = parse_point)]
    point: Option<Point>,

    /// Whose view of the answer
    #[arg(long, value_enum, default_value_t = View::Internal)]
    view: View,

    /// Which rule of which file at which line said what; the internal view only
    #[arg(long)]
    explain: bool,

    /// Append every answer to state/request_decisions.jsonl, before it is told
    #[arg(long)]
    record: bool,

    /// Decide as of this time
    #[arg(long, value_name = "TIME", value_parser = parse_time)]
    at: Option<Timestamp>,

    /// A file with the token of the tenant that asks [default: POLICY_TENANT_TOKEN]
    #[arg(long, value_name = "FILE")]
    tenant_token: Option<String>,

    /// End with 0 also where it is denied or the policies can't be used
    #[arg(long)]
    no_exit_code: bool,

    /// How long to wait for another command, in seconds
    #[arg(long, value_name = "SECONDS", default_value = "30", value_parser = parse_timeout)]
    lock_timeout: Duration,
}

fn parse_point(word: &str) -> Result<Point, String> {
    let known = Point::WORDS.map(|(word, _)| word).join(", ");
    Point::parse(word).ok_or_else(|| format!("expected one of {known}"))
}

/// What every request of a run is answered with.
struct Desk<'a> {
    context: &'a Context,
    arguments: &'a DecideArgs,
    workspace: &'a Workspace,
    policies: Result<Policies, Refused>,
    /// The verified tenant; or why a token that was given is none.
    tenant: Result<Option<Tenant>, Refused>,
    around: Circumstances,
    /// When the record was looked at for the level in force.
    looked_at: Timestamp,
    key: Option<SigningKey>,
    user: String,
    secrets: Secrets,
    denied: bool,
}

pub(super) fn decide(context: &Context, arguments: &DecideArgs) -> anyhow::Result<Exit> {
    let workspace = context.workspace()?;
    let at = clock(arguments.at).read();
    let key = secrets::signing_key()?;
    let mut desk = Desk {
        context,
        arguments,
        workspace: &workspace,
        policies: policies(context, &workspace)?,
        tenant: given(context, arguments.tenant_token.as_deref(), at)?,
        around: around(&workspace, key.as_ref(), arguments, at),
        looked_at: at,
        key,
        user: actor(),
        secrets: Secrets::from_environment(all_variables(), None),
        denied: false,
    };
    desk.answer_all(open(arguments.input.as_deref())?)?;
    Ok(match (&desk.policies, desk.denied) {
        _ if arguments.no_exit_code => Exit::Done,
        (Err(_), _) => Exit::Tampering,
        (Ok(_), true) => Exit::Denied,
        (Ok(_), false) => Exit::Done,
    })
}

/// What counts beside request and policies, at a time.
fn around(
    workspace: &Workspace,
    key: Option<&SigningKey>,
    arguments: &DecideArgs,
    at: Timestamp,
) -> Circumstances {
    Circumstances {
        at,
        level: in_force(workspace, key, at).level(),
        stopped: kill_switch::closed(workspace).is_some(),
        explain: arguments.explain && arguments.view == View::Internal,
    }
}

/// The policies, or the reason for which everything is denied; what is wrong is told.
fn policies(context: &Context, workspace: &Workspace) -> Checked<Result<Policies, Refused>> {
    let refused = |code: ReasonCode, message: &str| Refused {
        code,
        message: message.to_owned(),
    };
    let looked = tamper::look(workspace)?;
    if looked.is_tampered() {
        context.output.findings(&looked.findings());
        let message = "protected files were changed, and nobody accepted that";
        return Ok(Err(refused(codes::POLICY_TAMPERED, message)));
    }
    Ok(
        authorization::load(workspace).map_err(|Unusable(problems)| {
            context.output.findings(&problems);
            refused(codes::POLICY_UNAVAILABLE, "the policies can't be used")
        }),
    )
}

type Input = BufReader<Box<dyn Read>>;

fn open(input: Option<&str>) -> Checked<Input> {
    let read: Box<dyn Read> = match input.filter(|path| *path != "-") {
        None => Box::new(std::io::stdin()),
        Some(path) => Box::new(open_given(Path::new(path)).map_err(|unopened| {
            let found = match unopened {
                Unopened::Other(kind) => kind.to_owned(),
                Unopened::Failed(error) => plain(&error),
            };
            unreadable(path, found)
        })?),
    };
    Ok(BufReader::new(read))
}

fn unreadable(path: &str, found: String) -> Box<Diagnostic> {
    Box::new(
        Diagnostic::new(
            Code::FileUnreadable,
            Place::file(path),
            "the request can't be read",
        )
        .found(found)
        .expected("a file with a request, or with one on each line")
        .help("check the path, or hand it over on standard input"),
    )
}

/// A public denial is told so long after its request was read, however soon it was known: what is
/// restricted takes half a microsecond longer than what is absent, and whoever asks often enough could
/// tell (row S2-036; `scripts/public-timing`).
const PUBLIC_DENIAL: Duration = Duration::from_micros(250);

/// A line is read as far as this: enough to see that it is no request.
const MOST_LINE: u64 = MOST_BYTES as u64 + 2;

impl Desk<'_> {
    fn answer_all(&mut self, mut input: Input) -> anyhow::Result<()> {
        let first = self.line(&mut input)?;
        if !self.arguments.jsonl && !is_whole(&first) {
            let mut rest = first;
            self.read_whole(input, &mut rest)?;
            return self.answer(&rest, false).map(|_| ());
        }
        let mut line = first;
        // Whoever writes one line and waits for its answer gets it: nothing is read ahead.
        while !line.is_empty() {
            if !line.trim_ascii().is_empty() && !self.answer(&line, true)? {
                break;
            }
            line = self.line(&mut input)?;
        }
        Ok(())
    }

    /// One line with its end; of one that is too long its beginning, the rest is skipped.
    fn line(&self, input: &mut Input) -> anyhow::Result<Vec<u8>> {
        let mut line = Vec::new();
        let read = input.by_ref().take(MOST_LINE).read_until(b'\n', &mut line);
        read.and_then(|_| {
            if line.len() as u64 == MOST_LINE && !line.ends_with(b"\n") {
                input.skip_until(b'\n')?;
            }
            Ok(())
        })
        .map_err(|error| self.failed(&error))?;
        Ok(line)
    }

    fn read_whole(&self, input: Input, whole: &mut Vec<u8>) -> anyhow::Result<()> {
        let read = input.take(MOST_LINE).read_to_end(whole);
        read.map_err(|error| self.failed(&error))?;
        Ok(())
    }

    fn failed(&self, error: &std::io::Error) -> anyhow::Error {
        let path = self.arguments.input.as_deref().unwrap_or("-");
        anyhow::Error::new(*unreadable(path, plain(error)))
    }

    /// Answers one request; false where nobody listens any more.
    fn answer(&mut self, bytes: &[u8], is_line: bool) -> anyhow::Result<bool> {
        let begun = Instant::now();
        let bytes = bytes.trim_ascii();
        let request = Request::parse(bytes).map(|request| match self.arguments.point {
            Some(point) => request.at_point(point),
            None => request,
        });
        let envelope = if self.arguments.record {
            self.recorded(bytes, request.as_ref())?
        } else {
            self.look_again();
            self.envelope(request.as_ref())
        };
        self.denied |= !envelope.is_allowed();
        let is_public = match self.arguments.view {
            View::Internal => false,
            View::Public => true,
            View::Caller => !is_trusted(request.as_ref().ok(), &envelope),
        };
        let allowed = envelope.is_allowed();
        let shown = if is_public {
            envelope.public()
        } else {
            envelope
        };
        let envelope = self.without_secrets(shown);
        // As late as can be: what takes longer for one denial than for another has been done by now.
        if is_public && !allowed {
            std::thread::sleep(PUBLIC_DENIAL.saturating_sub(begun.elapsed()));
        }
        match (self.context.format(), is_line) {
            (Format::Human, _) => self.context.output.line(&(answer::text(&envelope) + "\n")),
            (Format::Json, true) => self.context.output.json_line(&envelope),
            (Format::Json, false) => self.context.output.json(&envelope).map(|()| true),
        }
    }

    fn envelope(&self, request: Result<&Request, &Refused>) -> Envelope {
        let (request, policies, tenant) = match (request, &self.policies, &self.tenant) {
            (_, Err(refused), _) | (Err(refused), ..) | (.., Err(refused)) => {
                return authorization::refuse(refused, &self.around);
            }
            (Ok(request), Ok(policies), Ok(tenant)) => (request, policies, tenant),
        };
        // What was spent is looked up for payments alone; where that fails nobody knows it, which denies.
        let book = request.has("intent").then(|| {
            let book = desk::book(self.workspace, self.key.as_ref());
            book.map_err(|finding| self.context.output.findings([&*finding]))
        });
        let known = Known {
            tenant: tenant.as_ref(),
            spent: book.as_ref().and_then(|book| book.as_ref().ok()),
        };
        policies.decide(request, known, &self.around)
    }

    /// A request may quote what a secret variable holds; the answer does not.
    fn without_secrets(&self, mut envelope: Envelope) -> Envelope {
        let said = envelope.explanation.iter_mut().map(|step| &mut step.said);
        let words = envelope.reasons.iter_mut().chain(&mut envelope.id);
        for text in words.chain(said) {
            *text = self.secrets.redact(text);
        }
        envelope
    }

    /// Answers and records under the lock, so that the journal's order is that of its times.
    fn recorded(
        &mut self,
        bytes: &[u8],
        request: Result<&Request, &Refused>,
    ) -> anyhow::Result<Envelope> {
        let workspace = self.workspace;
        let holding = ("decide --record", self.arguments.lock_timeout);
        let envelope = with_records(workspace, holding, |records| {
            self.look_again();
            let envelope = self.envelope(request);
            let tenant = self.tenant.as_ref().ok().and_then(Option::as_ref);
            let answered = Answered {
                request: request.ok(),
                bytes,
                envelope: &envelope,
                user: &self.user,
                tenant: tenant.map(Tenant::id),
                secrets: &self.secrets,
                given_clock: self.arguments.at.is_some(),
            };
            journal::append(records, answered)?;
            Ok(envelope)
        })?;
        Ok(envelope)
    }

    /// Looks anew at clock, level and kill switch. A stream of requests may last for days; the record
    /// is looked at once a second at most, the switch and the clock each time.
    fn look_again(&mut self) {
        if self.arguments.at.is_some() {
            return;
        }
        let at = clock(None).read();
        if at.since(self.looked_at) >= TimeDelta::seconds(1) || at < self.looked_at {
            self.around = around(self.workspace, self.key.as_ref(), self.arguments, at);
            self.looked_at = at;
            return;
        }
        self.around.at = at;
        self.around.stopped = kill_switch::closed(self.workspace).is_some();
    }
}

/// True for a first line that is a request by itself.
fn is_whole(line: &[u8]) -> bool {
    serde_json::from_slice::<serde::de::IgnoredAny>(line).is_ok()
}

/// True for a request of somebody who may know why (row S2-071): a steward or an operator, and only
/// where the policies could be asked at all.
fn is_trusted(request: Option<&Request>, envelope: &Envelope) -> bool {
    let role = request.and_then(|request| request.text(&["user", "role"]));
    envelope.policy_sha256.is_some() && matches!(role, Some("steward" | "operator"))
}
