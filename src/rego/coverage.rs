//! Which lines of rules their tests evaluated. What is evaluated the evaluator says; which lines there
//! are it says only of modules of which something was.

use std::collections::{BTreeMap, BTreeSet};

use regorus::Engine;

use super::compiled;
use super::parts::{Module, Parts};
use super::settings::Settings;
use super::tested::{Coverage, Lines};

/// A rule at the end of every module, so that something of it can be evaluated. Its line counts for
/// nothing.
const RULE: &str = "policy_orchestrator_end_of_module";

/// Begins to write down what is evaluated.
pub(super) fn begin(engine: &mut Engine) {
    engine.set_enable_coverage(true);
}

/// What was evaluated since [`begin`], by module. `None` where the evaluator doesn't say.
pub(super) fn end(
    engine: &Engine,
    documents: &[(String, Vec<u8>)],
    settings: &Settings,
) -> Option<Coverage> {
    let evaluated = said(engine)?;
    let nothing = BTreeSet::new();
    let files = all(documents, settings)?.into_iter().map(|(file, lines)| {
        let evaluated = evaluated
            .get(&file)
            .map_or(&nothing, |(covered, _)| covered);
        let lines = Lines::of(&lines, evaluated);
        (file, lines)
    });
    Some(files.collect())
}

/// Lines that were evaluated and lines that were not, by module.
type Said = BTreeMap<String, (BTreeSet<u32>, BTreeSet<u32>)>;

fn said(engine: &Engine) -> Option<Said> {
    let report = engine.get_coverage_report().ok()?;
    let files = report.files.into_iter();
    Some(
        files
            .map(|file| (file.path, (file.covered, file.not_covered)))
            .collect(),
    )
}

/// The lines of every module that hold an expression: each is asked for the rule at its end.
fn all(
    documents: &[(String, Vec<u8>)],
    settings: &Settings,
) -> Option<BTreeMap<String, BTreeSet<u32>>> {
    let mut parts = Parts::of(documents, settings);
    let lines: BTreeMap<String, u32> = parts.modules.iter().map(end_of).collect();
    for module in &mut parts.modules {
        module.text.push_str(&format!("\n\n{RULE} := 1\n"));
    }
    let mut loaded = compiled::engine(&mut parts, &[]);
    loaded.engine.set_enable_coverage(true);
    for package in &loaded.packages {
        loaded.engine.eval_rule(format!("{package}.{RULE}")).ok()?;
    }
    let said = said(&loaded.engine)?.into_iter();
    let files = said.map(|(file, (covered, not))| {
        let last = lines.get(&file).copied().unwrap_or(u32::MAX);
        let lines = covered.into_iter().chain(not);
        (file, lines.filter(|line| *line <= last).collect())
    });
    Some(files.collect())
}

/// The number of a module's last line.
fn end_of(module: &Module) -> (String, u32) {
    let count = u32::try_from(module.text.lines().count()).unwrap_or(u32::MAX);
    (module.file.clone(), count)
}
