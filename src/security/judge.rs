//! What the layer says of one request.

use super::Compiled;
use super::document::{Document, Rule};
use super::given::Given;
use crate::policy::catalogue::words::{Effect, Mode};
use crate::policy::expression::condition::{Gap, Paths};
use crate::request::envelope::Circumstances;
use crate::request::{Obligation, Request, Step, Verdict, codes};
use crate::time::Timestamp;

/// The layer's name in an explanation.
const LAYER: &str = "security";

/// Whether something is so, or which attribute keeps that from being known.
pub(super) type Known = Result<bool, Gap>;

/// How many reasons in words an answer has at most.
const MOST_REASONS: usize = 20;

impl Compiled {
    /// What the security policies say; `None` where none is about such a request.
    ///
    /// Pure and total: the same request and documents give the same verdict. What a rule can't know,
    /// for an attribute is absent or of another kind, allows nothing and denies (row C-19). Documents
    /// on trial (`warn`, `monitor`) change nothing: see [`Compiled::observe`].
    pub fn judge(&self, request: &Request, around: &Circumstances) -> Option<Verdict> {
        if self.is_empty() {
            return None;
        }
        let given = Given::new(request, &self.paths, around.at);
        if around.explain {
            // Also what did not match is told.
            return self.answer(Tally::new(true), &given, || self.one_by_one(&given));
        }
        let narrowed = self.narrow.to(&self.documents, &given);
        let tally = Tally {
            concerned: narrowed.concerned,
            allowed: narrowed.allowed,
            ..Tally::new(false)
        };
        self.answer(tally, &given, || narrowed.documents(&self.documents))
    }

    /// What the documents on trial would have said, a step for each rule that spoke. Nothing follows
    /// from it: it is for a record, so that somebody can see what a document would do before it
    /// counts.
    pub fn observe(&self, request: &Request, at: Timestamp) -> Vec<Step> {
        let given = Given::new(request, &self.paths, at);
        self.on_trial(&given, true, || self.one_by_one(&given)).1
    }

    /// Every document that is not known to be about something else, with what its scope says and all of
    /// its rules. What else may be asked has to come to the same verdict.
    pub(super) fn one_by_one(
        &self,
        given: &Given<'_>,
    ) -> impl Iterator<Item = (&Document, Known, impl Iterator<Item = &Rule>)> {
        let documents = self.documents.iter();
        let asked = documents.map(|one| (one, one.scope.holds(given), one.rules.iter()));
        asked.filter(|(_, scope, _)| *scope != Ok(false))
    }

    pub(super) fn answer<'c, D, R>(
        &'c self,
        mut tally: Tally<'c>,
        given: &Given<'_>,
        documents: impl Fn() -> D,
    ) -> Option<Verdict>
    where
        D: Iterator<Item = (&'c Document, Known, R)>,
        R: Iterator<Item = &'c Rule>,
    {
        for (document, scope, rules) in documents().filter(|(one, ..)| one.mode == Mode::Strict) {
            tally.ask(document, scope, rules, given);
        }
        if !tally.concerned {
            return None;
        }
        let (trial_reasons, trial_steps) = self.on_trial(given, tally.explain, documents);
        let mut verdict = tally.verdict(&self.paths);
        verdict.reasons.extend(trial_reasons);
        verdict.steps.extend(trial_steps);
        Some(verdict)
    }

    fn on_trial<'c, D, R>(
        &'c self,
        given: &Given<'_>,
        explain: bool,
        documents: impl Fn() -> D,
    ) -> (Vec<String>, Vec<Step>)
    where
        D: Iterator<Item = (&'c Document, Known, R)>,
        R: Iterator<Item = &'c Rule>,
    {
        if !self.any_on_trial {
            return (Vec::new(), Vec::new());
        }
        let (mut reasons, mut steps) = (Vec::new(), Vec::new());
        for (document, scope, rules) in documents().filter(|(one, ..)| one.mode != Mode::Strict) {
            let mut tally = Tally::new(explain);
            tally.ask(document, scope, rules, given);
            if document.mode == Mode::Warn && !tally.denials.is_empty() {
                let said = tally.denials.iter().map(|(document, rule, _)| {
                    format!(
                        "on trial: `{}` of {} would deny it",
                        rule.name, document.file
                    )
                });
                reasons.extend(said.take(MOST_REASONS));
            }
            let on_trial = |step: Step| Step {
                said: format!("on trial: {}", step.said),
                ..step
            };
            steps.extend(tally.steps.into_iter().map(on_trial));
        }
        (reasons, steps)
    }
}

/// What was found so far.
pub(super) struct Tally<'c> {
    explain: bool,
    concerned: bool,
    allowed: bool,
    allowing: Vec<&'c Obligation>,
    denials: Vec<(&'c Document, &'c Rule, Option<Gap>)>,
    /// Why a rule that could have allowed did not.
    gap: Option<Gap>,
    steps: Vec<Step>,
}

impl<'c> Tally<'c> {
    pub(super) fn new(explain: bool) -> Self {
        Self {
            explain,
            concerned: false,
            allowed: false,
            allowing: Vec::new(),
            denials: Vec::new(),
            gap: None,
            steps: Vec::new(),
        }
    }

    /// Asks a document that is not known to be about something else.
    fn ask(
        &mut self,
        document: &'c Document,
        scope: Known,
        rules: impl Iterator<Item = &'c Rule>,
        given: &Given<'_>,
    ) {
        self.concerned |= !document.only_restricts;
        if let Err(gap) = scope {
            self.gap = self.gap.or(Some(gap));
        }
        for rule in rules {
            match rule.effect {
                Effect::Allow => self.ask_to_allow(document, rule, scope, given),
                Effect::Deny => self.ask_to_deny(document, rule, scope, given),
            }
        }
    }

    fn ask_to_allow(
        &mut self,
        document: &'c Document,
        rule: &'c Rule,
        scope: Known,
        given: &Given<'_>,
    ) {
        // One allow suffices; those with actions are asked all the same, for what has to be done.
        if self.allowed && rule.actions.is_empty() && !self.explain {
            return;
        }
        let answer = rule.condition.holds(given);
        let answer = if answer == Ok(false) {
            answer
        } else {
            scope.and(answer)
        };
        match answer {
            Ok(true) => {
                self.allowed = true;
                self.allowing.extend(&rule.actions);
                self.explain(document, rule, || "allow".to_owned());
            }
            Ok(false) => self.explain(document, rule, || "did not match".to_owned()),
            Err(gap) => {
                self.gap = self.gap.or(Some(gap));
                self.explain(document, rule, || {
                    "could not be known, so it allows nothing".to_owned()
                });
            }
        }
    }

    fn ask_to_deny(
        &mut self,
        document: &'c Document,
        rule: &'c Rule,
        scope: Known,
        given: &Given<'_>,
    ) {
        let answer = rule.condition.holds(given);
        let answer = match (answer, rule.kept) {
            (Ok(false), _) => answer,
            (_, Some(kept)) => scope.and(answer).and(kept.denies(given)),
            (_, None) => scope.and(answer),
        };
        let gap = match answer {
            Ok(true) => None,
            Err(gap) => Some(gap),
            Ok(false) => {
                self.explain(document, rule, || "did not match".to_owned());
                return;
            }
        };
        self.concerned = true;
        self.denials.push((document, rule, gap));
        self.explain(document, rule, || match gap {
            None => "deny".to_owned(),
            Some(_) => "could not be known, so it denies".to_owned(),
        });
    }

    fn explain(&mut self, document: &Document, rule: &Rule, said: impl FnOnce() -> String) {
        if self.explain {
            self.steps.push(Step {
                layer: LAYER,
                file: document.file.clone(),
                line: Some(rule.line),
                rule: rule.name.clone(),
                said: said(),
            });
        }
    }

    fn verdict(self, paths: &Paths) -> Verdict {
        let mut verdict = if !self.denials.is_empty() {
            denied(&self.denials, paths)
        } else if self.allowed {
            let mut verdict = Verdict::allow(codes::ALLOW_MATCHED_RULE);
            for obligation in &self.allowing {
                oblige(&mut verdict, obligation);
            }
            verdict
        } else {
            not_allowed(self.gap, paths)
        };
        verdict.steps = self.steps;
        verdict
    }
}

fn denied(denials: &[(&Document, &Rule, Option<Gap>)], paths: &Paths) -> Verdict {
    let mut verdict = Verdict::deny(codes::SECURITY_RULE_DENIED);
    for (document, rule, gap) in denials {
        if let Some(gap) = gap {
            add_code(&mut verdict, *gap);
        }
        if verdict.reasons.len() < MOST_REASONS {
            let mut reason = format!("`{}` of {} denies it", rule.name, document.file);
            if let Some(gap) = gap {
                reason.push_str(&format!(": {}", in_words(*gap, paths)));
            }
            verdict.reasons.push(reason);
        }
        for obligation in rule.actions.iter().chain(&document.plan) {
            oblige(&mut verdict, obligation);
        }
    }
    verdict
}

fn not_allowed(gap: Option<Gap>, paths: &Paths) -> Verdict {
    let mut verdict = Verdict::deny(codes::DEFAULT_DENY);
    let Some(gap) = gap else {
        return verdict.because("no rule of the security policies allows it");
    };
    add_code(&mut verdict, gap);
    verdict.because(format!(
        "no rule of the security policies allows it: {}",
        in_words(gap, paths)
    ))
}

fn add_code(verdict: &mut Verdict, gap: Gap) {
    let code = if gap.absent {
        codes::ATTRIBUTE_MISSING
    } else {
        codes::ATTRIBUTE_UNUSABLE
    };
    if !verdict.codes.contains(&code) {
        verdict.codes.push(code);
    }
}

/// The path alone, and nothing of what stands there.
fn in_words(gap: Gap, paths: &Paths) -> String {
    let path = paths.text(gap.slot);
    if gap.absent {
        format!("`{path}` is absent")
    } else {
        format!("`{path}` is not what the rule can be held against")
    }
}

fn oblige(verdict: &mut Verdict, obligation: &Obligation) {
    if !verdict.obligations.contains(obligation) {
        verdict.obligations.push(obligation.clone());
    }
}
