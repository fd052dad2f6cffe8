//! A signal that can make RED, and whose silence counts as healthy.

use super::{Grade, Lint, Remark, Subject};
use crate::policy::outline::Part;
use crate::policy::{Floor, Level};

pub(super) static LINT: Lint = Lint {
    name: "assumed-healthy",
    grade: Grade::Warning,
    finds: "A signal with a RED trigger whose silence counts as healthy",
    why: "Whoever wants GREEN only has to delete the file, or to stop writing it. What nobody reported is not healthy.",
    wrong: "\
signals: [{name: trust, on_missing: assume_healthy}]
triggers:
  - {code: TRUST_LOCKED, signal: trust, level: RED, equals: locked}
",
    right: "\
signals: [{name: trust, on_missing: YELLOW}]
triggers:
  - {code: TRUST_LOCKED, signal: trust, level: RED, equals: locked}
",
    look,
};

fn look(subject: &Subject<'_>) -> Vec<Remark> {
    let policy = subject.policy;
    let mut found = Vec::new();
    for rule in policy.signals() {
        let red = policy
            .triggers()
            .iter()
            .find(|trigger| trigger.level == Level::RED && trigger.is_about(&rule.name));
        let Some(red) = red else { continue };
        for (key, floor) in [
            ("on_missing", &rule.on_missing),
            ("on_stale", &rule.on_stale),
        ] {
            let place = subject.place(&Part::SignalKey(rule.name.clone(), key));
            if let (Floor::AssumeHealthy, Some(place)) = (floor, place) {
                found.push(Remark {
                    lint: &LINT,
                    place,
                    message: format!(
                        "the silence of `{}` counts as healthy, though it can make RED",
                        rule.name
                    ),
                    found: format!("assume_healthy, and the trigger `{}`", red.code),
                    expected: "YELLOW or graver where nobody reports".to_owned(),
                    help: format!("remove `{key}`: YELLOW is demanded without it"),
                });
            }
        }
    }
    found
}
