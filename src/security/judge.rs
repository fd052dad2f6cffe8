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

/// How many reasons in words an answer has at most.
const MOST_REASONS: usize = 20;

impl Compiled {
    /// What the security policies say; `None` where none is about such a request.
    ///
    /// Pure and total: the same request and documents give the same verdict. What a rule can't know,
    /// for an attribute is absent or of another kind, allows nothing and denies (row C-19). Documents
    /// on trial (`warn`, `monitor`) change nothing: see [`Compiled::observe`].
    pub fn judge(&self, request: &Request, around: &Circumstances) -> Option<Verdict> {
        let given = Given::new(request, &self.paths);
        let mut tally = Tally::new(around.explain, around.at);
        for document in self.documents.iter().filter(|one| one.mode == Mode::Strict) {
            tally.ask(document, &given);
        }
        if !tally.concerned {
            return None;
        }
        let (trial_reasons, trial_steps) = self.on_trial(&given, around.explain, around.at);
        let mut verdict = tally.verdict(&self.paths);
        verdict.reasons.extend(trial_reasons);
        verdict.steps.extend(trial_steps);
        Some(verdict)
    }

    /// What the documents on trial would have said, a step for each rule that spoke. Nothing follows
    /// from it: it is for a record, so that somebody can see what a document would do before it
    /// counts.
    pub fn observe(&self, request: &Request, at: Timestamp) -> Vec<Step> {
        self.on_trial(&Given::new(request, &self.paths), true, at).1
    }

    fn on_trial(
        &self,
        given: &Given<'_>,
        explain: bool,
        at: Timestamp,
    ) -> (Vec<String>, Vec<Step>) {
        let (mut reasons, mut steps) = (Vec::new(), Vec::new());
        for document in self.documents.iter().filter(|one| one.mode != Mode::Strict) {
            let mut tally = Tally::new(explain, at);
            tally.ask(document, given);
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
struct Tally<'c> {
    explain: bool,
    at: Timestamp,
    concerned: bool,
    allowed: bool,
    allowing: Vec<&'c Obligation>,
    denials: Vec<(&'c Document, &'c Rule, Option<Gap>)>,
    /// Why a rule that could have allowed did not.
    gap: Option<Gap>,
    steps: Vec<Step>,
}

impl<'c> Tally<'c> {
    fn new(explain: bool, at: Timestamp) -> Self {
        Self {
            explain,
            at,
            concerned: false,
            allowed: false,
            allowing: Vec::new(),
            denials: Vec::new(),
            gap: None,
            steps: Vec::new(),
        }
    }

    fn ask(&mut self, document: &'c Document, given: &Given<'_>) {
        let scope = document.scope.holds(given);
        if scope == Ok(false) {
            return;
        }
        self.concerned |= !document.only_restricts;
        if let Err(gap) = scope {
            self.gap = self.gap.or(Some(gap));
        }
        for rule in &document.rules {
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
        scope: Result<bool, Gap>,
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
        scope: Result<bool, Gap>,
        given: &Given<'_>,
    ) {
        let answer = rule.condition.holds(given);
        let answer = match (answer, rule.kept) {
            (Ok(false), _) => answer,
            (_, Some(kept)) => scope.and(answer).and(kept.denies(given, self.at)),
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
        let mut reason = format!("`{}` of {} denies it", rule.name, document.file);
        if let Some(gap) = gap {
            add_code(&mut verdict, *gap);
            reason.push_str(&format!(": {}", in_words(*gap, paths)));
        }
        if verdict.reasons.len() < MOST_REASONS {
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
