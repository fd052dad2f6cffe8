//! A level that is declared and never demanded.

use super::{Grade, Lint, Remark, Subject};
use crate::policy::Level;
use crate::policy::outline::Part;

pub(super) static LINT: Lint = Lint {
    name: "unused-level",
    grade: Grade::Warning,
    finds: "A level that is declared and that nothing demands",
    why: "Responses and rules that wait for it never come. Often a trigger still names the level that it had before.",
    wrong: "\
levels: [ORANGE]
signals: [{name: integrity}]
triggers:
  - {code: INTEGRITY_LOW, signal: integrity, level: RED, below: 90}
",
    right: "\
levels: [ORANGE]
signals: [{name: integrity}]
triggers:
  - {code: INTEGRITY_LOW, signal: integrity, level: RED, below: 85}
  - {code: INTEGRITY_FALLING, signal: integrity, level: ORANGE, below: 90}
",
    look,
};

fn look(subject: &Subject<'_>) -> Vec<Remark> {
    let levels = subject.policy.levels();
    let unused = levels.iter().filter(|level| !is_demanded(subject, level));
    let found = unused.filter_map(|level| {
        Some(Remark {
            lint: &LINT,
            place: subject.place(&Part::Level(level.name().to_owned()))?,
            message: format!("nothing demands {level}"),
            found: "a level without a trigger".to_owned(),
            expected: "a trigger, or the silence of a signal, that demands it".to_owned(),
            help: "give a trigger this level, or remove the level".to_owned(),
        })
    });
    found.collect()
}

fn is_demanded(subject: &Subject<'_>, level: &Level) -> bool {
    let by_a_trigger = subject
        .policy
        .triggers()
        .iter()
        .any(|trigger| trigger.level == *level);
    let mut rules = subject.policy.signals().iter();
    by_a_trigger
        || rules.any(|rule| {
            let floors = [
                rule.on_missing.level(),
                rule.on_stale.level(),
                Some(&rule.on_invalid),
            ];
            floors.contains(&Some(level))
        })
}
