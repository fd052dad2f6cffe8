//! What is wrong with vocabularies is told at once, each problem with its place.

use crate::labels::{FILES, LABELS, Labels, OBLIGATIONS, REASON_CODES};

fn told(file: &str, text: &str) -> String {
    let documents = [(file.to_owned(), text.as_bytes().to_vec())];
    let problems = Labels::compile(&documents).unwrap_err();
    let lines: Vec<String> = problems
        .iter()
        .map(|one| format!("{one}; {}", one.help.as_deref().unwrap()))
        // The codes of the other layers are theirs to add to.
        .map(|line| match line.split_once("expected one of ALLOW_") {
            Some((before, _)) => format!("{before}expected one of all codes"),
            None => line,
        })
        .collect();
    lines.join("\n")
}

#[test]
fn what_is_built_in_is_what_is_shipped() {
    for (file, text) in FILES {
        let shipped = std::fs::read_to_string(format!("examples/requests/{file}")).unwrap();
        assert_eq!(shipped, text);
    }
    let labels = Labels::built_in().unwrap();
    assert_eq!(labels.labels().len(), 7);
    assert_eq!(labels.obligation_types().len(), 11);
    assert!(labels.sources().is_empty());
    let documents: Vec<_> = FILES
        .map(|(file, text)| (file.to_owned(), text.as_bytes().to_vec()))
        .to_vec();
    let shipped = Labels::compile(&documents).unwrap();
    assert_eq!(shipped.labels(), labels.labels());
    assert_eq!(shipped.sources().len(), 5);
}

#[test]
fn the_vocabulary_explains_every_built_in_code_of_labels() {
    let labels = Labels::built_in().unwrap();
    for reason in labels.reasons() {
        let documented = crate::request::codes::DOCUMENTED
            .iter()
            .any(|(code, _)| *code == reason.code.as_str());
        assert!(documented, "{}", reason.code);
    }
}

#[test]
fn a_wrong_table_is_refused_with_every_problem() {
    insta::assert_snapshot!(told(LABELS, "\
schema: 2
roles:
  - {name: public, meaning: Anybody., sees: generic}
  - {name: Public, meaning: Anybody., sees: all}
  - {name: public, meaning: Again., sees: explicit}
actions:
  - {name: read, meaning: Look., points: [governed_api, user_interface, desk], evidence: given}
resource_types:
  - {name: dataset, meaning: Data., identity: [], cites: false}
  - {name: story, meaning: Text., identity: [title]}
fields:
  user: [principal, principal]
  resource: [type, spec_hash]
  context: []
labels:
  - name: open
    meaning: Open.
    rules:
      - {id: a, effect: allow, roles: [public], actions: [read, write]}
      - {id: b, effect: allow, roles: [public], actions: [read], obligations: [{type: show_notice}, {type: sing}]}
      - {id: a, effect: deny, needs: [rights], code: NO_SUCH_CODE}
      - {id: c, effect: allow, actions: [read], code: DEFAULT_DENY}
      - {id: d, effect: allow, roles: [], actions: [read], needs: [luck], obligations: [{type: redact_fields, fields: all}, {type: redact_fields, fields: [a], by: me}]}
exceptions:
  - {id: e, label: shut, principals: [], actions: [read], until: soon, because: x}
extra: 1
"));
}

#[test]
fn wrong_vocabularies_are_refused() {
    insta::assert_snapshot!(told(
        OBLIGATIONS,
        "\
schema: 1
obligations:
  - {type: Show, meaning: x}
  - {type: show_notice, meaning: x, parameters: {message: words}}
  - {type: log_audit, meaning: x}
  - {type: log_audit, meaning: x, from: {a: b}}
"
    ));
    insta::assert_snapshot!(told(
        REASON_CODES,
        "\
schema: 1
reason_codes:
  - {code: lower, meaning: x}
  - {code: MINE, meaning: ''}
  - {code: YOURS, meaning: x, hint: y}
  - {code: YOURS, meaning: x}
"
    ));
    insta::assert_snapshot!(told("policy/vocab/labels.yml", "schema: 1\n"));
    insta::assert_snapshot!(told(LABELS, ""));
    insta::assert_snapshot!(told(LABELS, "a: [\n"));
}
