//! A trigger that never decides, since a graver one, or one as grave, fires wherever it does.

use super::{Grade, Lint, Remark, Subject};
use crate::policy::Trigger;
use crate::policy::outline::Part;
use crate::policy::reach::Reach;

pub(super) static LINT: Lint = Lint {
    name: "covered-trigger",
    grade: Grade::Warning,
    finds: "A trigger that never decides: another one that is at least as grave fires wherever it does",
    why: "The level of a decision is the highest that any trigger demands. A trigger that fires only where another one demands as much can be removed without changing any decision; more often its line was meant to lie elsewhere.",
    wrong: "\
signals: [{name: trust}, {name: forecast}]
triggers:
  - {code: FORECAST_BAD, signal: forecast, level: RED, one_of: [medium, high]}
  - {code: FORECAST_MEDIUM, signal: forecast, level: YELLOW, equals: medium}
",
    right: "\
signals: [{name: trust}, {name: forecast}]
triggers:
  - {code: FORECAST_HIGH, signal: forecast, level: RED, equals: high}
  - {code: FORECAST_MEDIUM, signal: forecast, level: YELLOW, equals: medium}
",
    look,
};

fn look(subject: &Subject<'_>) -> Vec<Remark> {
    let reach = Reach::of(subject.policy);
    let triggers = subject.policy.triggers();
    let found = triggers.iter().filter_map(|lesser| {
        if reach.never_fires(lesser) {
            return None;
        }
        let graver = triggers
            .iter()
            .find(|graver| covers(&reach, graver, lesser))?;
        Some(Remark {
            lint: &LINT,
            place: subject.place(&Part::Condition(lesser.code.clone()))?,
            message: format!(
                "`{}` never decides: `{}` fires wherever it does",
                lesser.code, graver.code
            ),
            found: format!(
                "{} behind {} of `{}`",
                lesser.level, graver.level, graver.code
            ),
            expected: format!("values at which `{}` fires alone", lesser.code),
            help: "move its line, or remove the trigger".to_owned(),
        })
    });
    found.collect()
}

/// Two that are as grave and fire at the same values are another lint's business.
fn covers(reach: &Reach, graver: &Trigger, lesser: &Trigger) -> bool {
    graver.code != lesser.code
        && graver.level >= lesser.level
        && reach.covers(graver, lesser)
        && (graver.level > lesser.level || !reach.covers(lesser, graver))
}
