//! What one layer says of a request, and how the layers' verdicts become one.
//!
//! Layers stand one behind the other, as walls do: every layer that a request concerns has to let it
//! through, and the strongest effect is the answer. Within a layer its own rules count, of which a
//! denial always beats an allowance (row C-17).

use serde::{Serialize, Serializer};

use super::Obligation;
use crate::ids::ReasonCode;

/// What follows for the act, from the weakest to the strongest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Effect {
    /// It may be done, with the obligations.
    Allow,
    /// Not before a person has approved it.
    RequireHitl,
    /// Not before so many persons have approved it.
    RequireMsig {
        /// How many, at least one.
        approvals: u32,
    },
    /// It may not be done.
    Deny,
}

impl Effect {
    /// The word in an answer (rows S1-113 and C-49).
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Allow => "ALLOW",
            Self::RequireHitl => "REQUIRE_HITL",
            Self::RequireMsig { .. } => "REQUIRE_MSIG",
            Self::Deny => "DENY",
        }
    }

    /// How many persons have to approve first.
    pub fn approvals(self) -> Option<u32> {
        match self {
            Self::RequireHitl => Some(1),
            Self::RequireMsig { approvals } => Some(approvals),
            Self::Allow | Self::Deny => None,
        }
    }
}

impl Serialize for Effect {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

/// One thing that was looked at, for `--explain`: which rule of which file at which line said what.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Step {
    /// The layer: `labels`, `security`, `rego`, `spending`, `level`.
    pub layer: &'static str,
    /// The file; for what is built in, a word in brackets.
    pub file: String,
    /// The line, from 1, where there is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub line: Option<u64>,
    /// The rule, by its name.
    pub rule: String,
    /// What it said: `allow`, `deny`, `did not match`, or why it could not be looked at.
    pub said: String,
}

/// What one layer says of a request that concerns it.
#[derive(Debug, Clone, PartialEq)]
pub struct Verdict {
    /// What follows.
    pub effect: Effect,
    /// The label of the resource, where the layer knows one.
    pub label: Option<String>,
    /// What has to be done, in the order in which it was said.
    pub obligations: Vec<Obligation>,
    /// Why, in codes; never empty.
    pub codes: Vec<ReasonCode>,
    /// Why, in words for whoever runs the program. They may hold values of the request.
    pub reasons: Vec<String>,
    /// What could be asked for instead.
    pub alternatives: Vec<String>,
    /// What was looked at; only where somebody asked for it.
    pub steps: Vec<Step>,
}

impl Verdict {
    /// A verdict for one reason.
    pub fn new(effect: Effect, code: ReasonCode) -> Self {
        Self {
            effect,
            label: None,
            obligations: Vec::new(),
            codes: vec![code],
            reasons: Vec::new(),
            alternatives: Vec::new(),
            steps: Vec::new(),
        }
    }

    /// A denial for one reason.
    pub fn deny(code: ReasonCode) -> Self {
        Self::new(Effect::Deny, code)
    }

    /// An allowance for one reason.
    pub fn allow(code: ReasonCode) -> Self {
        Self::new(Effect::Allow, code)
    }

    /// Adds a reason in words.
    #[must_use]
    pub fn because(mut self, reason: impl Into<String>) -> Self {
        self.reasons.push(reason.into());
        self
    }

    /// Adds something that has to be done.
    #[must_use]
    pub fn obliging(mut self, obligation: Obligation) -> Self {
        self.obligations.push(obligation);
        self
    }

    /// The verdict of two layers, of which this one was asked first.
    ///
    /// The strongest effect counts. Where the layers disagree, what the more lenient one gave for its
    /// allowance is left out, except what is to be audited: an allowance that is not given needs no
    /// safeguard. The number of approvals is the larger one. What is said twice is said once.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        let effect = self.effect.max(other.effect);
        let mut all = Self {
            effect,
            label: None,
            obligations: Vec::new(),
            codes: Vec::new(),
            reasons: Vec::new(),
            alternatives: Vec::new(),
            steps: Vec::new(),
        };
        for one in [self, other] {
            let counts = one.effect > Effect::Allow || effect == Effect::Allow;
            all.label = all.label.or(one.label);
            all.steps.extend(one.steps);
            if counts {
                add(&mut all.codes, one.codes);
                add(&mut all.reasons, one.reasons);
                add(&mut all.alternatives, one.alternatives);
            }
            let obligations = one.obligations.into_iter();
            let kept = obligations.filter(|obligation| counts || obligation.is_audit());
            add(&mut all.obligations, kept);
        }
        all
    }
}

fn add<T: PartialEq>(all: &mut Vec<T>, more: impl IntoIterator<Item = T>) {
    for one in more {
        if !all.contains(&one) {
            all.push(one);
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::request::codes;

    #[test]
    fn the_strongest_effect_counts_and_what_it_outweighs_is_not_told() {
        let allow = Verdict::allow(codes::ALLOW_MATCHED_RULE)
            .obliging(Obligation::new("log_audit"))
            .obliging(Obligation::new("show_notice"));
        let deny = Verdict::deny(codes::LEVEL_TOO_HIGH).because("RED");
        let both = allow.clone().and(deny);
        assert_eq!(both.effect, Effect::Deny);
        assert_eq!(both.codes, [codes::LEVEL_TOO_HIGH]);
        assert_eq!(both.obligations, [Obligation::new("log_audit")]);
        let twice = allow.clone().and(allow.clone());
        assert_eq!(twice, allow);
    }

    #[test]
    fn approvals_add_up_to_the_larger_number() {
        let hitl = Verdict::new(Effect::RequireHitl, codes::DEFAULT_DENY);
        let two = Verdict::new(Effect::RequireMsig { approvals: 2 }, codes::DEFAULT_DENY);
        let three = Verdict::new(Effect::RequireMsig { approvals: 3 }, codes::DEFAULT_DENY);
        assert_eq!(hitl.and(two.clone()).effect.approvals(), Some(2));
        assert_eq!(three.and(two).effect.approvals(), Some(3));
    }

    fn verdict() -> impl Strategy<Value = Verdict> {
        let effect = prop_oneof![
            Just(Effect::Allow),
            Just(Effect::RequireHitl),
            (1_u32..5).prop_map(|approvals| Effect::RequireMsig { approvals }),
            Just(Effect::Deny),
        ];
        let code = prop_oneof![Just(codes::DEFAULT_DENY), Just(codes::LEVEL_UNKNOWN)];
        let kinds = proptest::collection::vec(prop_oneof![Just("log_audit"), Just("a")], 0..3);
        (effect, code, kinds).prop_map(|(effect, code, kinds)| Verdict {
            obligations: kinds.into_iter().map(Obligation::new).collect(),
            ..Verdict::new(effect, code)
        })
    }

    proptest! {
        #[test]
        fn no_layer_ever_weakens_another(one in verdict(), other in verdict()) {
            let both = one.clone().and(other.clone());
            prop_assert!(both.effect >= one.effect && both.effect >= other.effect);
            prop_assert!(!both.codes.is_empty());
            let swapped = other.and(one);
            prop_assert_eq!(both.effect, swapped.effect);
        }
    }
}
