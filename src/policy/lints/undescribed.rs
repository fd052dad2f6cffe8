//! A policy that does not say what it is for and who answers for it.

use super::{Grade, Lint, Remark, Subject};
use crate::policy::outline::Part;

pub(super) static LINT: Lint = Lint {
    name: "undescribed",
    grade: Grade::Note,
    finds: "A policy without a description or an owner",
    why: "Whoever is woken by RED has to find somebody who knows why the lines lie where they lie.",
    wrong: "\
metadata: {name: production, version: \"3\"}
spec:
  signals: [{name: integrity}]
  triggers: [{code: INTEGRITY_LOW, signal: integrity, level: RED, below: 90}]
",
    right: "\
metadata:
  name: production
  version: \"3\"
  description: What has to hold before anything is published
  owner: release team
spec:
  signals: [{name: integrity}]
  triggers: [{code: INTEGRITY_LOW, signal: integrity, level: RED, below: 90}]
",
    look,
};

fn look(subject: &Subject<'_>) -> Vec<Remark> {
    let is_absent = |key: &&str| match *key {
        "description" => subject.place(&Part::MetadataKey("description")).is_none(),
        _ => subject.place(&Part::MetadataKey("owner")).is_none(),
    };
    let absent: Vec<&str> = ["description", "owner"]
        .into_iter()
        .filter(is_absent)
        .collect();
    let Some(place) = subject
        .place(&Part::Metadata)
        .filter(|_| !absent.is_empty())
    else {
        return Vec::new();
    };
    vec![Remark {
        lint: &LINT,
        place,
        message: "it is not said what this policy is for, or who answers for it".to_owned(),
        found: format!("no {}", absent.join(" and no ")),
        expected: "both".to_owned(),
        help: format!("add `{}:`", absent.join(":` and `")),
    }]
}
