//! Two triggers that fire at the same values and demand the same level.

use super::{Grade, Lint, Remark, Subject};
use crate::policy::outline::Part;
use crate::policy::reach::Reach;

pub(super) static LINT: Lint = Lint {
    name: "duplicate-condition",
    grade: Grade::Warning,
    finds: "Two triggers that fire at the same values and demand the same level",
    why: "A decision then names two reasons where there is one, and whoever moves one line forgets the other. A waiver of one of them waives nothing.",
    wrong: "\
signals: [{name: integrity}]
triggers:
  - {code: INTEGRITY_LOW, signal: integrity, level: RED, below: 90}
  - {code: METRICS_BAD, level: RED, when: integrity < 90.0}
",
    right: "\
signals: [{name: integrity}]
triggers:
  - {code: INTEGRITY_LOW, signal: integrity, level: RED, below: 90}
",
    look,
};

fn look(subject: &Subject<'_>) -> Vec<Remark> {
    let reach = Reach::of(subject.policy);
    let mut rest = subject.policy.triggers();
    let mut found = Vec::new();
    while let Some((first, behind)) = rest.split_first() {
        rest = behind;
        let same = behind.iter().find(|other| {
            other.level == first.level
                && reach.covers(first, other)
                && reach.covers(other, first)
                && !reach.never_fires(first)
        });
        let Some(other) = same else { continue };
        let Some(place) = subject.place(&Part::Condition(other.code.clone())) else {
            continue;
        };
        found.push(Remark {
            lint: &LINT,
            place,
            message: format!("`{}` is `{}` again", other.code, first.code),
            found: format!(
                "two triggers for {} that fire at the same values",
                first.level
            ),
            expected: "each condition once".to_owned(),
            help: "remove one of the two, or move its line".to_owned(),
        });
    }
    found
}
