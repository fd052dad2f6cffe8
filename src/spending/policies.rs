//! The spend policies of a workspace, compiled; and what they say of a payment, as one layer of the
//! answer to a request.
//!
//! The policies that count for a payment are those for its agent and in its currency. All of them are
//! asked, and the strongest effect counts; where there is none, the payment is denied.

use super::document::{self, LIMIT};
use super::evaluate::{self, Outcome, evaluate};
use super::intent::{self, Intent};
use super::policy::Policy;
use super::reason::Reason;
use super::usage::{Book, Usage};
use crate::diagnostic::{Code, Diagnostic, Place};
use crate::fs::Workspace;
use crate::ids::Digest;
use crate::policy::directory;
use crate::request::envelope::Circumstances;
use crate::request::{Effect, Request, Step, Verdict};

/// Where the documents lie.
pub const DIRECTORY: &str = "policy/spend";

/// The member of a request that this layer reads.
pub const MEMBERS: [&str; 1] = ["intent"];

/// The name of the layer in explanations.
const LAYER: &str = "spending";

/// All spend policies of a workspace.
#[derive(Debug, Clone, Default)]
pub struct Policies {
    policies: Vec<Policy>,
    sources: Vec<(String, Digest)>,
}

/// The documents of a workspace, by their paths, with their bytes; and what is wrong with the others.
pub fn documents(workspace: &Workspace) -> (Vec<(String, Vec<u8>)>, Vec<Diagnostic>) {
    directory::read(workspace, &[DIRECTORY], LIMIT)
}

impl Policies {
    /// Makes policies of documents: their paths and bytes. Tells every problem of all of them.
    pub fn compile(documents: &[(String, Vec<u8>)]) -> Result<Self, Vec<Diagnostic>> {
        let mut compiled = Self::default();
        let mut problems = Vec::new();
        for (file, bytes) in documents {
            compiled.sources.push((file.clone(), Digest::of(bytes)));
            match document::parse(file, bytes) {
                Ok(policy) => {
                    let mut others = compiled.policies.iter();
                    match others.find(|other| other.name == policy.name) {
                        Some(other) => problems.push(twice(&policy, other)),
                        None => compiled.policies.push(policy),
                    }
                }
                Err(found) => problems.extend(found),
            }
        }
        if problems.is_empty() {
            Ok(compiled)
        } else {
            Err(problems)
        }
    }

    /// Reads and compiles the policies of a workspace.
    pub fn load(workspace: &Workspace) -> Result<Self, Vec<Diagnostic>> {
        directory::load(workspace, &[DIRECTORY], LIMIT, Self::compile)
    }

    /// The files that they were made of, with their digests.
    pub fn sources(&self) -> &[(String, Digest)] {
        &self.sources
    }

    /// The digest of all of them.
    pub fn digest(&self) -> Digest {
        // Serialising to memory can't fail: these are texts.
        Digest::of(&serde_json::to_vec(&self.sources).unwrap_or_default())
    }

    /// Every policy, in the order of the files.
    pub fn all(&self) -> &[Policy] {
        &self.policies
    }

    /// The policies that count for a payment, or why there is none.
    fn counting<'a>(&'a self, intent: &'a Intent) -> Result<Vec<&'a Policy>, Reason<'a>> {
        let mut other = None;
        let mut counting = Vec::new();
        for policy in self
            .policies
            .iter()
            .filter(|policy| policy.is_for(&intent.agent_id))
        {
            if policy.currency == intent.currency {
                counting.push(policy);
            } else {
                other.get_or_insert(policy);
            }
        }
        match (counting.is_empty(), other) {
            (false, _) => Ok(counting),
            (true, Some(policy)) => Err(Reason::Currency {
                intent: &intent.currency,
                policy: &policy.currency,
            }),
            (true, None) => Err(Reason::NoPolicy(&intent.agent_id)),
        }
    }

    /// What all policies that count say of a payment, each reason once.
    pub fn outcome<'a>(&'a self, intent: &'a Intent, usage: &Usage, stopped: bool) -> Outcome<'a> {
        if stopped {
            return Outcome::of(vec![Reason::KillSwitch]);
        }
        let counting = match self.counting(intent) {
            Ok(counting) => counting,
            Err(reason) => return Outcome::of(vec![reason]),
        };
        let mut outcomes = counting
            .into_iter()
            .map(|policy| evaluate(policy, intent, usage, stopped));
        let Some(mut all) = outcomes.next() else {
            return Outcome::of(Vec::new());
        };
        for one in outcomes {
            all = join(all, one);
        }
        all
    }

    /// What was looked at, for an explanation.
    fn steps(&self, intent: &Intent, usage: &Usage) -> Vec<Step> {
        let mut steps = Vec::new();
        for policy in self
            .policies
            .iter()
            .filter(|policy| policy.is_for(&intent.agent_id))
        {
            let step = |line, rule: &str, said: String| Step {
                layer: LAYER,
                file: policy.file.clone(),
                line,
                rule: rule.to_owned(),
                said,
            };
            if policy.currency != intent.currency {
                let said = format!("not asked: its currency is {}", policy.currency);
                steps.push(step(None, &policy.name, said));
                continue;
            }
            let outcome = evaluate(policy, intent, usage, false);
            steps.push(step(None, &policy.name, outcome.effect.as_str().to_owned()));
            for rule in &policy.rules {
                let said = if evaluate::matches(rule, policy, intent) {
                    rule.effect.as_str()
                } else {
                    "did not match"
                };
                steps.push(step(Some(rule.line), &rule.reason, said.to_owned()));
            }
        }
        steps
    }

    /// What this layer says of a request; `None` where it is about no payment.
    ///
    /// `usage` are the sums as they stand; `None` where nobody knows them, which denies.
    pub fn judge(
        &self,
        request: &Request,
        around: &Circumstances,
        usage: Option<&Book>,
    ) -> Option<Verdict> {
        let value = request.get(&MEMBERS)?;
        Some(self.of(Intent::from_value(value), around, usage))
    }

    /// As [`Self::judge`], of the text of a request, so that no digit of an amount is lost on the way.
    pub fn judge_text(
        &self,
        request: &str,
        around: &Circumstances,
        usage: Option<&Book>,
    ) -> Option<Verdict> {
        let intent = intent::of_request(request)?;
        Some(self.of(Intent::parse(intent), around, usage))
    }

    /// As [`Self::judge`], of an intent, or of what is wrong with it.
    pub fn of(
        &self,
        intent: Result<Intent, Vec<Reason<'static>>>,
        around: &Circumstances,
        book: Option<&Book>,
    ) -> Verdict {
        let intent = match intent {
            _ if around.stopped => return Outcome::of(vec![Reason::KillSwitch]).verdict(),
            Ok(intent) => intent,
            Err(problems) => return Outcome::of(problems).verdict(),
        };
        let Some(book) = book else {
            return Outcome::of(vec![Reason::UsageUnknown]).verdict();
        };
        let usage = book.usage(&intent.agent_id, &intent.currency, around.at);
        let mut verdict = self.outcome(&intent, &usage, false).verdict();
        if around.explain {
            verdict.steps = self.steps(&intent, &usage);
        }
        verdict
    }
}

/// Two outcomes as one: every reason once, and no word of compliance where another objects.
fn join<'a>(one: Outcome<'a>, other: Outcome<'a>) -> Outcome<'a> {
    let effect = one.effect.max(other.effect);
    let mut reasons: Vec<Reason<'a>> = Vec::new();
    for reason in one.reasons.into_iter().chain(other.reasons) {
        let speaks = reason != Reason::Compliant || effect == Effect::Allow;
        if speaks && !reasons.contains(&reason) {
            reasons.push(reason);
        }
    }
    Outcome { effect, reasons }
}

fn twice(policy: &Policy, other: &Policy) -> Diagnostic {
    Diagnostic::new(
        Code::NameDuplicate,
        Place::file(&policy.file),
        format!("two spend policies are called `{}`", policy.name),
    )
    .found(format!("the same name in {}", other.file))
    .expected("a name of its own for each policy")
    .help("rename one of the two, and say with `agents` whom it is for")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::spending::Amount;
    use crate::time::Timestamp;

    /// Compiles only where many threads may ask the same policies.
    const fn shared<T: Send + Sync>() {}
    const _: () = shared::<Policies>();

    fn document(name: &str, agents: &str, currency: &str, cap: u32) -> (String, Vec<u8>) {
        let text = format!(
            "name: {name}\nagents: {agents}\ncurrency: {currency}\ncaps: {{perTxn: {cap}, daily: 100, monthly: 100}}\nmsig: {{threshold: {{higherThan: 100, approvals: 2}}}}\n"
        );
        (format!("policy/spend/{name}.yaml"), text.into_bytes())
    }

    fn around() -> Circumstances {
        Circumstances::undisturbed(Timestamp::EPOCH, None)
    }

    fn request(agent: &str, currency: &str, amount: &str) -> String {
        format!(
            r#"{{"id":"1","intent":{{"agentId":"{agent}","entityId":"e","amount":{amount},"currency":"{currency}","category":"c","beneficiary":{{"id":"b"}},"purpose":"FEE"}}}}"#
        )
    }

    fn reasons(policies: &Policies, text: &str, around: &Circumstances) -> Vec<String> {
        let book = Book::default();
        let request = Request::parse(text.as_bytes()).unwrap();
        let verdict = policies.judge(&request, around, Some(&book)).unwrap();
        let of_text = policies.judge_text(text, around, Some(&book)).unwrap();
        assert_eq!(verdict, of_text);
        verdict.reasons
    }

    fn policies() -> Policies {
        Policies::compile(&[
            document("wide", "['*']", "BRL", 50),
            document("narrow", "[agent-*]", "BRL", 20),
            document("dollars", "[agent-1]", "USD", 10),
        ])
        .unwrap()
    }

    #[test]
    fn all_policies_for_the_agent_and_the_currency_are_asked() {
        let policies = policies();
        for (agent, currency, amount, expected) in [
            ("x", "BRL", "50", vec!["policy_compliant_all_checks_passed"]),
            (
                "agent-1",
                "BRL",
                "20",
                vec!["policy_compliant_all_checks_passed"],
            ),
            (
                "agent-1",
                "BRL",
                "30",
                vec!["exceeds_per_transaction_limit: 30 > 20"],
            ),
            (
                "agent-1",
                "BRL",
                "60",
                vec![
                    "exceeds_per_transaction_limit: 60 > 50",
                    "exceeds_per_transaction_limit: 60 > 20",
                ],
            ),
            (
                "agent-1",
                "USD",
                "10",
                vec!["policy_compliant_all_checks_passed"],
            ),
            (
                "agent-2",
                "USD",
                "10",
                vec!["currency_mismatch: USD is not BRL"],
            ),
        ] {
            let text = request(agent, currency, amount);
            assert_eq!(reasons(&policies, &text, &around()), expected, "{text}");
        }
        let none = Policies::compile(&[]).unwrap();
        assert_eq!(
            reasons(&none, &request("x", "BRL", "1"), &around()),
            ["no_spend_policy: none is for x"]
        );
    }

    #[test]
    fn the_layer_speaks_of_payments_only_and_denies_what_it_does_not_know() {
        let policies = policies();
        let other = Request::parse(br#"{"id":"1","intent":null}"#).unwrap();
        assert_eq!(policies.judge(&other, &around(), None), None);
        assert_eq!(policies.judge_text("{\"id\":\"1\"}", &around(), None), None);
        let request = request("x", "BRL", "1");
        let parsed = Request::parse(request.as_bytes()).unwrap();
        let unknown = policies.judge(&parsed, &around(), None).unwrap();
        assert_eq!(
            (unknown.effect, unknown.reasons[0].as_str()),
            (
                Effect::Deny,
                "usage_unknown: what was spent so far can't be read"
            )
        );
        let stopped = Circumstances {
            stopped: true,
            ..around()
        };
        assert_eq!(
            reasons(&policies, &request, &stopped),
            ["kill_switch_activated"]
        );
        let broken = r#"{"intent":{"amount":-1}}"#;
        assert_eq!(
            reasons(&policies, broken, &stopped),
            ["kill_switch_activated"]
        );
        let parsed = Request::parse(broken.as_bytes()).unwrap();
        let verdict = policies.judge(&parsed, &around(), None).unwrap();
        assert_eq!(verdict.effect, Effect::Deny);
        assert!(
            verdict
                .reasons
                .iter()
                .any(|reason| reason.starts_with("invalid_amount"))
        );
    }

    #[test]
    fn usage_counts_and_steps_are_told_where_somebody_asks() {
        let policies = policies();
        let mut book = Book::default();
        book.add("agent-1", "BRL", "1970-01-01", Amount::parse("90").unwrap());
        let around = Circumstances {
            explain: true,
            ..around()
        };
        let verdict = policies
            .judge_text(&request("agent-1", "BRL", "15"), &around, Some(&book))
            .unwrap();
        assert_eq!(verdict.effect, Effect::RequireHitl);
        assert_eq!(verdict.reasons[0], "would_exceed_daily_limit: 105 > 100");
        assert_eq!(
            serde_json::to_value(&verdict.steps[2]).unwrap(),
            json!({"layer": "spending", "file": "policy/spend/dollars.yaml", "rule": "dollars", "said": "not asked: its currency is USD"})
        );
    }

    #[test]
    fn names_stand_once_and_all_problems_are_told() {
        let broken = ("policy/spend/x.yaml".to_owned(), b"name: a".to_vec());
        let mut twice = document("narrow", "[b]", "BRL", 1);
        twice.0 = "policy/spend/z.yaml".to_owned();
        let problems =
            Policies::compile(&[document("narrow", "[a]", "BRL", 1), broken, twice]).unwrap_err();
        let codes: Vec<Code> = problems.iter().map(|problem| problem.code).collect();
        assert_eq!(
            codes,
            [Code::KeyMissing, Code::KeyMissing, Code::NameDuplicate]
        );
    }
}
