//! From files to rules that can be asked, and asking them.

use regorus::languages::rego::compiler::{Compiler, CompilerError, SpannedCompilerError};
use regorus::{CompiledPolicy, Engine, PolicyLengthConfig};

use super::evaluator::{Evaluator, Session};
use super::parts::{Module, Parts};
use super::settings::{Dialect, Entry, Settings, Vocabulary};
use super::{answer, builtins, conflicts, input, problems};
use crate::diagnostic::{Code, Diagnostic, Place, suggestion};
use crate::ids::Digest;
use crate::request::envelope::Circumstances;
use crate::request::{Effect, Request, Step, Verdict, codes};

/// Rules beside an entry point whose entries speak against a request, whatever the entry point says
/// (row C-17).
const AGAINST: [&str; 2] = ["deny", "violation"];

/// Compiled policies: immutable, and asked from any thread.
#[derive(Debug)]
pub struct Compiled {
    evaluator: Evaluator,
    entries: Vec<Asked>,
    sources: Vec<(String, Digest)>,
    vocabulary: Vocabulary,
}

/// An entry point with the numbers of its rules.
#[derive(Debug)]
struct Asked {
    entry: Entry,
    rule: usize,
    /// The rules that speak against it.
    against: Vec<(usize, String)>,
    place: Place,
}

/// Makes rules of files, by name and bytes, as [`super::documents`] finds them. Every problem is told.
pub fn compile(
    documents: &[(String, Vec<u8>)],
    settings: &Settings,
    vocabulary: &Vocabulary,
) -> Result<Compiled, Vec<Diagnostic>> {
    let mut parts = Parts::of(documents, settings);
    let mut loaded = engine(&mut parts, &[]);
    if parts.findings.is_empty() {
        loaded.prepare(&parts.modules, &mut parts.findings);
    }
    if parts.findings.is_empty() && settings.entries.is_empty() {
        parts
            .findings
            .push(no_entry(&settings.root, &loaded.packages));
    }
    if !parts.findings.is_empty() {
        return Err(parts.findings);
    }
    let mut drafts = Draft::new(loaded, &parts.modules);
    for entry in &settings.entries {
        drafts.add(entry);
    }
    let (evaluator, entries) = drafts.finish(settings)?;
    let sources = documents.iter();
    Ok(Compiled {
        evaluator,
        entries,
        sources: sources
            .map(|(file, bytes)| (file.clone(), Digest::of(bytes)))
            .collect(),
        vocabulary: vocabulary.clone(),
    })
}

/// An engine with its modules and data.
pub(super) struct Loaded {
    pub(super) engine: Engine,
    /// Its packages, `data.a.b`.
    pub(super) packages: Vec<String>,
}

/// Loads the modules of `parts`, and `more` of them; what is wrong is added to the findings.
pub(super) fn engine(parts: &mut Parts, more: &[Module]) -> Loaded {
    let mut engine = Engine::new();
    engine.set_policy_length_config(PolicyLengthConfig {
        max_col: std::num::NonZeroU32::new(20_000).unwrap_or(std::num::NonZeroU32::MIN),
        ..PolicyLengthConfig::default()
    });
    builtins::extend(&mut engine);
    let mut packages = Vec::new();
    let modules: Vec<Module> = parts.modules.iter().chain(more).cloned().collect();
    for module in &modules {
        engine.set_rego_v0(module.dialect == Dialect::V0);
        let told = match engine.add_policy(module.file.clone(), module.text.clone()) {
            Ok(package) => {
                let path = package.strip_prefix("data.").unwrap_or(&package);
                parts.check_package(module, &path.replace('.', "/"));
                if !packages.contains(&package) {
                    packages.push(package);
                }
                None
            }
            Err(error) => Some(problems::finding(
                &module.file,
                Some(&module.text),
                &error.to_string(),
            )),
        };
        let untold = problems::untold(&module.file, &module.text, module.dialect, told.as_ref());
        parts.findings.extend(told.into_iter().chain(untold));
    }
    builtins::check(&modules, &mut parts.findings);
    let data = input::data_of(parts.data.clone());
    if let Err(error) = engine.add_data(data) {
        let finding = problems::finding(super::SOURCES, None, &error.to_string());
        parts.findings.push(finding);
    }
    Loaded { engine, packages }
}

impl Loaded {
    /// Has the modules looked at as a whole: variables that nothing binds, and the like.
    pub(super) fn prepare(&mut self, modules: &[Module], findings: &mut Vec<Diagnostic>) {
        let Some(module) = modules.first() else {
            return;
        };
        // No rule has such a name: what is looked at is what stands before the search for it.
        let nothing = "data.__policy_orchestrator__.nothing".into();
        if let Err(error) = self.engine.compile_with_entrypoint(&nothing)
            && !is_no_rule(&error.to_string())
        {
            let text = error.to_string();
            let (place, _) = problems::taken_apart(&text);
            let file = place.map_or_else(|| module.file.clone(), |(file, ..)| file);
            let source = modules.iter().find(|module| module.file == file);
            let source = source.map(|module| module.text.as_str());
            findings.push(problems::finding(&file, source, &text));
        }
    }
}

fn is_no_rule(error: &str) -> bool {
    error.contains("not a valid rule path")
}

/// The rules that are to be asked, on their way.
struct Draft<'m> {
    loaded: Loaded,
    modules: &'m [Module],
    rules: Vec<String>,
    entries: Vec<Asked>,
    policy: Option<CompiledPolicy>,
    findings: Vec<Diagnostic>,
}

impl<'m> Draft<'m> {
    fn new(loaded: Loaded, modules: &'m [Module]) -> Self {
        Self {
            loaded,
            modules,
            rules: Vec::new(),
            entries: Vec::new(),
            policy: None,
            findings: Vec::new(),
        }
    }

    fn add(&mut self, entry: &Entry) {
        let Some(rule) = self.rule(&entry.rule) else {
            let finding = self.unknown(entry);
            return self.findings.push(finding);
        };
        let (package, name) = entry.rule.rsplit_once('.').unwrap_or_default();
        let beside = AGAINST.iter().filter(|against| **against != name);
        let against: Vec<(usize, String)> = beside
            .filter_map(|against| {
                let path = format!("{package}.{against}");
                Some((self.rule(&path)?, path))
            })
            .collect();
        let place = self.place(package, name);
        self.entries.push(Asked {
            entry: entry.clone(),
            rule,
            against,
            place,
        });
    }

    /// The number of a rule; `None` where there is none of that name.
    fn rule(&mut self, path: &str) -> Option<usize> {
        if let Some(known) = self.rules.iter().position(|rule| rule == path) {
            return Some(known);
        }
        let policy = self.loaded.engine.compile_with_entrypoint(&path.into());
        self.policy = Some(policy.ok()?);
        self.rules.push(path.to_owned());
        Some(self.rules.len() - 1)
    }

    /// Where a rule begins, as far as its text tells.
    fn place(&self, package: &str, name: &str) -> Place {
        let package = package.strip_prefix("data.").unwrap_or(package);
        let is_package = |line: &str| {
            let rest = line.trim().strip_prefix("package ");
            rest.is_some_and(|rest| rest.split('#').next().unwrap_or(rest).trim() == package)
        };
        let begins = |line: &str| {
            let rest = line.strip_prefix("default ").unwrap_or(line);
            let behind = rest.strip_prefix(name);
            behind.is_some_and(|behind| {
                !behind.starts_with(|c: char| c.is_alphanumeric() || c == '_')
            })
        };
        let mut of_package = self
            .modules
            .iter()
            .filter(|module| module.text.lines().any(is_package));
        let found = of_package.clone().find_map(|module| {
            let line = (1..)
                .zip(module.text.lines())
                .find(|(_, line)| begins(line))?;
            Some(Place::line(&module.file, line.0))
        });
        let first = of_package.next();
        let file = first.map_or(super::SOURCES, |module| module.file.as_str());
        found.unwrap_or_else(|| Place::file(file))
    }

    fn unknown(&self, entry: &Entry) -> Diagnostic {
        let packages = &self.loaded.packages;
        let near = entry.rule.rsplit_once('.').map(|(package, _)| package);
        let near = near.filter(|near| !packages.iter().any(|package| package == near));
        let help = near.and_then(|near| suggestion(near, packages.iter().map(String::as_str)));
        Diagnostic::new(
            Code::RegoEntryUnknown,
            Place::file(super::SOURCES),
            "an entry point names no rule",
        )
        .found(format!("`{}`", entry.rule))
        .expected(format!(
            "`data.`, a package and a rule of it; the packages are {}",
            packages.join(", ")
        ))
        .help(help.unwrap_or_else(|| "name a rule that stands in a module".to_owned()))
    }

    fn finish(mut self, settings: &Settings) -> Result<(Evaluator, Vec<Asked>), Vec<Diagnostic>> {
        if !self.findings.is_empty() {
            return Err(self.findings);
        }
        let rules: Vec<&str> = self.rules.iter().map(String::as_str).collect();
        let policy = self
            .policy
            .take()
            .ok_or_else(|| vec![no_entry(&settings.root, &[])])?;
        let program =
            Compiler::compile_from_policy_with_host_await(&policy, &rules, &builtins::OURS);
        let evaluator = match program {
            Ok(program) if !conflicts::may_conflict(&program) => {
                let data = self.loaded.engine.get_data();
                Evaluator::machine(program, data, settings.limits)
                    .map_err(|error| vec![problems::finding(super::SOURCES, None, &error)])?
            }
            Err(error) if !is_beyond(&error.error) => return Err(vec![self.refused(&error)]),
            Ok(_) | Err(_) => {
                Evaluator::interpreter(self.loaded.engine, self.rules, settings.limits)
            }
        };
        Ok((evaluator, self.entries))
    }

    fn refused(&self, error: &SpannedCompilerError) -> Diagnostic {
        let text = error.to_string();
        let (place, _) = problems::taken_apart(&text);
        let file = place.map_or_else(|| super::SOURCES.to_owned(), |(file, ..)| file);
        let module = self.modules.iter().find(|module| module.file == file);
        problems::finding(&file, module.map(|module| module.text.as_str()), &text)
    }
}

/// True for what the machine can't do and the interpreter can.
fn is_beyond(error: &CompilerError) -> bool {
    !matches!(
        error,
        CompilerError::UnknownFunction { .. }
            | CompilerError::UndefinedVariable { .. }
            | CompilerError::NotBuiltinFunction { .. }
            | CompilerError::UnknownBuiltinFunction { .. }
    )
}

fn no_entry(root: &str, packages: &[String]) -> Diagnostic {
    Diagnostic::new(
        Code::RegoEntryUnknown,
        Place::file(root),
        "there are Rego policies, and no entry point of them is asked",
    )
    .found(format!("the packages {}", packages.join(", ")))
    .expected("at least one rule, such as `data.kfm.authz.decision`")
    .help("name it in the settings; until then every request is denied")
}

impl Compiled {
    /// What the rules say of a request; `None` where it concerns none of them. Each entry point that
    /// it concerns has to allow it.
    pub fn judge(&self, request: &Request, around: &Circumstances) -> Option<Verdict> {
        let concerns = |asked: &&Asked| {
            let mut members = asked.entry.applies_to.iter();
            members.all(|member| request.has(member))
        };
        let mut concerned = self.entries.iter().filter(concerns).peekable();
        concerned.peek()?;
        let Some(input) = input::input(request, around) else {
            let verdict = Verdict::deny(codes::REQUEST_MALFORMED);
            return Some(verdict.because("`context` is no object"));
        };
        let mut session = self.evaluator.session(input, input::nanoseconds(around.at));
        let verdicts = concerned.map(|asked| self.ask(&mut session, asked, around.explain));
        verdicts.reduce(Verdict::and)
    }

    fn ask(&self, session: &mut Session<'_>, asked: &Asked, explain: bool) -> Verdict {
        let rule = asked.entry.rule.as_str();
        let said = match session.ask(asked.rule) {
            Ok(value) => answer::verdict(&value, rule, &self.vocabulary),
            Err(fault) => answer::fault(&fault, rule),
        };
        let mut verdict = noted(said, asked, rule, explain);
        for (number, rule) in &asked.against {
            // What the entry point refused for an error of its own is refused.
            let against = match session.ask(*number) {
                Ok(value) => answer::against(&value, rule, &self.vocabulary),
                Err(fault) => Some(answer::fault(&fault, rule)),
            };
            if let Some(against) = against {
                let against = noted(against, asked, rule, explain);
                verdict = overruled(verdict, against);
            }
        }
        verdict
    }

    /// The files that this was made of, with their digests.
    pub fn sources(&self) -> &[(String, Digest)] {
        &self.sources
    }

    /// The members of a request that decide which entry points are asked.
    pub fn members(&self) -> impl Iterator<Item = &str> {
        let entries = self.entries.iter();
        entries.flat_map(|asked| asked.entry.applies_to.iter().map(String::as_str))
    }

    /// True where the rules became a program of the machine, and false where the slower interpreter
    /// has to be asked.
    pub fn is_fast(&self) -> bool {
        self.evaluator.is_machine()
    }
}

/// Of an allowance and what speaks against it only the latter is told; a denial keeps its own words
/// beside those of the other, but for the one that says no more than that nothing allows it.
fn overruled(mut verdict: Verdict, against: Verdict) -> Verdict {
    if verdict.effect == Effect::Deny
        && verdict.codes == [codes::DEFAULT_DENY]
        && verdict.reasons.is_empty()
    {
        verdict.codes.clear();
    }
    let label = verdict.label.take();
    let mut both = verdict.and(against);
    both.label = label;
    both
}

/// Adds the step, where somebody wants to know.
fn noted(mut verdict: Verdict, asked: &Asked, rule: &str, explain: bool) -> Verdict {
    if explain {
        let codes: Vec<&str> = verdict
            .codes
            .iter()
            .map(crate::ids::ReasonCode::as_str)
            .collect();
        let effect = verdict.effect.as_str().to_lowercase();
        verdict.steps.push(Step {
            layer: "rego",
            file: asked.place.file.clone(),
            line: asked.place.line,
            rule: rule.to_owned(),
            said: format!("{effect} ({})", codes.join(", ")),
        });
    }
    verdict
}
