//! Labels, their rules and the exceptions of the table.

use crate::diagnostic::Code;
use crate::labels::reading::words::{among, name, unique};
use crate::labels::shape::{
    Need, Parameter, RawException, RawLabel, RawLabels, RawRule, RuleEffect,
};
use crate::labels::vocabulary::{Exception, Label, Labels, ObligationType, Rule, Template};
use crate::policy::source::Spot;
use crate::policy::source::collect::{Entries, Field, List};
use crate::policy::source::problems::Problems;
use crate::request::Obligation;
use crate::time::Timestamp;

/// Reads labels and exceptions, whose words are those that `labels` has so far.
pub(super) fn read(raw: &RawLabels, here: Spot, labels: &mut Labels, problems: &mut Problems<'_>) {
    let mut reader = Reader {
        ids: Vec::new(),
        problems,
    };
    let mut seen = Vec::new();
    let list = reader.problems.required(&raw.labels, "labels", here);
    for one in list.into_iter().flatten() {
        let Some(fields) = one.get() else { continue };
        if let Some(label) = reader.label(fields, one.spot, labels)
            && unique(&label.name, &mut seen, &fields.name, reader.problems)
        {
            labels.table.push(label);
        }
    }
    for one in raw.exceptions.get().into_iter().flatten() {
        let Some(fields) = one.get() else { continue };
        let exception = reader.exception(fields, one.spot, labels);
        labels.exceptions.extend(exception);
    }
}

struct Reader<'r, 'p> {
    ids: Vec<String>,
    problems: &'r mut Problems<'p>,
}

impl Reader<'_, '_> {
    fn label(&mut self, raw: &RawLabel, here: Spot, labels: &Labels) -> Option<Label> {
        let word = name(&raw.name, "name", here, self.problems);
        let meaning = self.problems.line(&raw.meaning, "meaning", here);
        let mut rules = Vec::new();
        let list = self.problems.required(&raw.rules, "rules", here);
        for one in list.into_iter().flatten() {
            let Some(fields) = one.get() else { continue };
            let Some(rule) = self.rule(fields, one.spot, labels) else {
                continue;
            };
            self.overlap(&rule, &rules, one);
            rules.push(rule);
        }
        let denied = raw.denied.get();
        let alternatives = denied.and_then(|denied| denied.alternatives.get());
        let alternatives: Vec<String> = alternatives
            .into_iter()
            .flatten()
            .filter_map(|one| self.problems.line(one, "alternatives", one.spot))
            .map(str::to_owned)
            .collect();
        Some(Label {
            name: word?.to_owned(),
            meaning: meaning?.to_owned(),
            line: here.line,
            rules,
            denied: denied.map_or_else(Vec::new, |denied| {
                self.templates(&denied.obligations, labels)
            }),
            alternatives,
        })
    }

    /// Two rules that allow the same would leave open which of their obligations count.
    fn overlap(&mut self, rule: &Rule, before: &[Rule], field: &Field<RawRule>) {
        let allows = |rule: &Rule| rule.effect == RuleEffect::Allow;
        let meets = |other: &&Rule| {
            let role = rule.roles.iter().any(|role| other.roles.contains(role));
            let action = rule.actions.iter().any(|one| other.actions.contains(one));
            allows(other) && role && action
        };
        if let Some(other) = before.iter().find(meets).filter(|_| allows(rule)) {
            let message = "two rules of this label allow one role the same action";
            let found = format!("`{}` and `{}`", other.id, rule.id);
            self.problems
                .refuse(field, Code::PolicyContradiction, message, |finding| {
                    finding
                        .found(found)
                        .expected("one rule, so that it is clear which obligations count")
                        .help("take the role or the action out of one of the two")
                });
        }
    }

    fn rule(&mut self, raw: &RawRule, here: Spot, labels: &Labels) -> Option<Rule> {
        let id = self.id(&raw.id, here);
        let effect = self.problems.required(&raw.effect, "effect", here).copied();
        if effect == Some(RuleEffect::Allow) {
            self.problems.required(&raw.roles, "roles", here);
            self.problems.required(&raw.actions, "actions", here);
        }
        let roles = self.roles(&raw.roles, labels);
        let actions = self.actions(&raw.actions, labels);
        for list in [&raw.roles, &raw.actions] {
            if list.get().is_some_and(Vec::is_empty) {
                self.say(
                    list,
                    "an empty list names nobody",
                    "nothing",
                    "at least one word",
                );
            }
        }
        let needs: Vec<Need> = raw
            .needs
            .get()
            .into_iter()
            .flatten()
            .filter_map(|need| need.get().copied())
            .collect();
        let denies = effect == Some(RuleEffect::Deny);
        if denies && (raw.needs.is_there() || raw.obligations.is_there()) {
            let message = "a rule that denies has neither `needs` nor `obligations`";
            self.say(
                &raw.id,
                message,
                "one of the two",
                "`effect`, `roles`, `actions`, `code`",
            );
        }
        if !denies && raw.code.is_there() {
            let message = "only a rule that denies has a `code`";
            self.say(&raw.code, message, "a `code`", "none");
        }
        let code = self.code(&raw.code, labels);
        Some(Rule {
            id: id?,
            line: here.line,
            effect: effect?,
            roles,
            actions,
            needs,
            obligations: self.templates(&raw.obligations, labels),
            code,
        })
    }

    fn code(&mut self, field: &Field<String>, labels: &Labels) -> Option<crate::ids::ReasonCode> {
        let word = field.get()?;
        let reason = labels.reason(word);
        if reason.is_none() {
            let known: Vec<&str> = labels.reasons.iter().map(|one| one.code.as_str()).collect();
            let message = "there is no such reason code";
            let given = (word.as_str(), known.as_slice());
            let help = "add it to the vocabulary of reason codes first";
            self.problems
                .unknown(field, Code::ValueUnknown, message, given, help);
        }
        reason.map(|reason| reason.code.clone())
    }

    fn roles(&mut self, list: &List<String>, labels: &Labels) -> Vec<String> {
        let known: Vec<&str> = labels.roles.iter().map(|role| role.name.as_str()).collect();
        among(list, &known, "there is no such role", self.problems)
    }

    fn actions(&mut self, list: &List<String>, labels: &Labels) -> Vec<String> {
        let known: Vec<&str> = labels.actions.iter().map(|one| one.name.as_str()).collect();
        among(list, &known, "there is no such action", self.problems)
    }

    fn id(&mut self, field: &Field<String>, here: Spot) -> Option<String> {
        let id = self.problems.line(field, "id", here)?;
        unique(id, &mut self.ids, field, self.problems).then(|| id.to_owned())
    }

    fn say<T>(&mut self, field: &Field<T>, message: &str, found: &str, expected: &str) {
        self.problems
            .refuse(field, Code::PolicyContradiction, message, |finding| {
                finding
                    .found(found)
                    .expected(expected)
                    .help("correct the rule")
            });
    }

    fn templates(&mut self, list: &List<Entries<Parameter>>, labels: &Labels) -> Vec<Template> {
        let mut templates: Vec<Template> = Vec::new();
        for one in list.get().into_iter().flatten() {
            let Some(entries) = one.get() else { continue };
            let Some(template) = self.template(entries, one, labels) else {
                continue;
            };
            let kind = &template.obligation.kind;
            if templates.iter().any(|other| other.obligation.kind == *kind) {
                let message = "an obligation stands there twice";
                self.say(
                    one,
                    message,
                    &format!("`{kind}` twice"),
                    "every obligation once",
                );
                continue;
            }
            templates.push(template);
        }
        templates.sort_by_key(|template| template.order);
        templates
    }

    fn template(
        &mut self,
        entries: &Entries<Parameter>,
        field: &Field<Entries<Parameter>>,
        labels: &Labels,
    ) -> Option<Template> {
        let kind = entries.0.iter().find(|(key, _)| key == "type");
        let Some(kind) = kind.and_then(|(_, value)| value.get()?.0.as_str()) else {
            self.say(
                field,
                "an obligation needs its `type`",
                "none",
                "`type` with a word",
            );
            return None;
        };
        let Some(known) = labels.obligation(kind) else {
            let kinds: Vec<&str> = labels
                .obligations
                .iter()
                .map(|one| one.kind.as_str())
                .collect();
            let message = "there is no such obligation";
            let help = "add it to the vocabulary of obligations first";
            self.problems.unknown(
                field,
                Code::ValueUnknown,
                message,
                (kind, kinds.as_slice()),
                help,
            );
            return None;
        };
        let obligation = self.parameters(entries, known);
        for (name, _) in &known.parameters {
            if !entries.0.iter().any(|(key, _)| key == name) {
                let expected = format!("`{name}`");
                self.say(field, "an obligation lacks a parameter", "none", &expected);
            }
        }
        let order = labels.template(kind).order;
        Some(Template { order, obligation })
    }

    /// An obligation with those of its parameters that it has and that fit.
    fn parameters(&mut self, entries: &Entries<Parameter>, known: &ObligationType) -> Obligation {
        let mut obligation = Obligation::new(&known.kind);
        for (key, value) in entries.0.iter().filter(|(key, _)| key != "type") {
            let Some(given) = value.get() else { continue };
            match known.parameters.iter().find(|(name, _)| name == key) {
                Some((_, kind)) if kind.fits(&given.0) => {
                    obligation = obligation.with(key, given.0.clone());
                }
                Some((_, kind)) => {
                    let message = "a parameter of an obligation is of another kind";
                    self.say(value, message, &format!("`{key}`"), kind.in_words());
                }
                None => {
                    let names: Vec<&str> = known
                        .parameters
                        .iter()
                        .map(|(name, _)| name.as_str())
                        .collect();
                    let message = "the obligation has no such parameter";
                    let given = (key.as_str(), names.as_slice());
                    self.problems
                        .unknown(value, Code::KeyUnknown, message, given, "remove it");
                }
            }
        }
        obligation
    }

    fn exception(&mut self, raw: &RawException, here: Spot, labels: &Labels) -> Option<Exception> {
        let id = self.id(&raw.id, here);
        let word = name(&raw.label, "label", here, self.problems);
        let label = word.and_then(|word| labels.label(word));
        if word.is_some() && label.is_none() {
            let known: Vec<&str> = labels.table.iter().map(|one| one.name.as_str()).collect();
            let given = (word.unwrap_or_default(), known.as_slice());
            let message = "there is no such label";
            let help = "name a label of the table";
            self.problems
                .unknown(&raw.label, Code::ValueUnknown, message, given, help);
        }
        for (field, key) in [(&raw.principals, "principals"), (&raw.actions, "actions")] {
            if self
                .problems
                .required(field, key, here)
                .is_some_and(Vec::is_empty)
            {
                self.say(
                    field,
                    "an empty list names nobody",
                    "nothing",
                    "at least one word",
                );
            }
        }
        let principals = raw.principals.get().into_iter().flatten();
        let principals: Vec<String> = principals
            .filter_map(|one| self.problems.line(one, "principals", here))
            .map(str::to_owned)
            .collect();
        let actions = self.actions(&raw.actions, labels);
        self.problems.line(&raw.because, "because", here);
        let fixture = self.problems.line(&raw.fixture, "fixture", here);
        let until = self.problems.line(&raw.until, "until", here);
        let day = until.and_then(|text| Timestamp::read(text).filter(|read| read.date_only));
        if until.is_some() && day.is_none() {
            self.say(
                &raw.until,
                "`until` is no date",
                "another text",
                "a date, 2026-12-31 say",
            );
        }
        Some(Exception {
            id: id?,
            line: here.line,
            label: label?.name.clone(),
            principals,
            actions,
            until: day?.time,
            fixture: fixture?.to_owned(),
            obligations: self.templates(&raw.obligations, labels),
        })
    }
}
