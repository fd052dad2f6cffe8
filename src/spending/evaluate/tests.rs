//! Tables of payments, and what holds for all of them.

use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::spending::Amount;
use crate::spending::document::tests::sample;
use crate::spending::policy::Names;

fn amount(text: &str) -> Amount {
    Amount::parse(text).unwrap()
}

fn usage(day: &str, month: &str) -> Usage {
    Usage {
        day: amount(day),
        month: amount(month),
    }
}

/// A payment: amount, category, beneficiary, country.
fn intent(amount: &str, category: &str, beneficiary: &str, country: Option<&str>) -> Intent {
    let value = json!({
        "agentId": "agent", "entityId": "entity", "amount": amount, "currency": "BRL",
        "category": category, "beneficiary": {"id": beneficiary, "country": country},
        "purpose": "PIX",
    });
    Intent::from_value(&value).unwrap()
}

fn told(policy: &Policy, intent: &Intent, usage: &Usage) -> (String, Vec<String>) {
    let outcome = evaluate(policy, intent, usage, false);
    let effect = match outcome.effect {
        Effect::RequireMsig { approvals } => format!("MSIG {approvals}"),
        other => other.as_str().trim_start_matches("REQUIRE_").to_owned(),
    };
    let reasons = outcome.reasons.iter().map(ToString::to_string).collect();
    (effect, reasons)
}

const LIGHT: &str = "utility:light_company";
const STRANGER: &str = "shop:corner";
const OF_STRANGER: [&str; 2] = [
    "beneficiary_requires_approval: shop:corner not in allowlist",
    "new_beneficiary_requires_human_verification",
];

#[test]
#[expect(
    clippy::too_many_lines,
    clippy::type_complexity,
    reason = "a table of payments, one beside the other"
)]
fn the_conservative_policy_answers_twelve_payments() {
    let policy = sample("conservative");
    let br = Some("BR");
    let table: [(Intent, (&str, &str), &str, &[&str]); 12] = [
        (
            intent("100", "utilities", LIGHT, br),
            ("0", "0"),
            "ALLOW",
            &["policy_compliant_all_checks_passed"],
        ),
        (
            intent("300", "utilities", LIGHT, br),
            ("700", "4700"),
            "ALLOW",
            &["policy_compliant_all_checks_passed"],
        ),
        (
            intent("301", "utilities", LIGHT, br),
            ("0", "0"),
            "MSIG 2",
            &[
                "high_value_requires_dual_approval",
                "amount_requires_multiple_approvals: 301 > 300",
            ],
        ),
        (
            intent("500", "utilities", LIGHT, br),
            ("0", "0"),
            "MSIG 2",
            &[
                "high_value_requires_dual_approval",
                "amount_requires_multiple_approvals: 500 > 300",
            ],
        ),
        (
            intent("500.01", "utilities", LIGHT, br),
            ("0", "0"),
            "DENY",
            &[
                "exceeds_per_transaction_limit: 500.01 > 500",
                "high_value_requires_dual_approval",
                "amount_requires_multiple_approvals: 500.01 > 300",
            ],
        ),
        (
            intent("101", "utilities", LIGHT, br),
            ("900", "900"),
            "HITL",
            &["would_exceed_daily_limit: 1001 > 1000"],
        ),
        (
            intent("101", "utilities", LIGHT, br),
            ("0", "4900"),
            "HITL",
            &["would_exceed_monthly_limit: 5001 > 5000"],
        ),
        (
            intent("200", "crypto", LIGHT, br),
            ("900", "900"),
            "DENY",
            &[
                "would_exceed_daily_limit: 1100 > 1000",
                "category_blocked: crypto is prohibited by policy",
                "prohibited_category_high_risk",
            ],
        ),
        (
            intent("50", "Weapons", LIGHT, br),
            ("0", "0"),
            "DENY",
            &["category_blocked: Weapons is prohibited by policy"],
        ),
        (
            intent("50", "food", STRANGER, br),
            ("0", "0"),
            "HITL",
            &OF_STRANGER,
        ),
        (
            intent("50", "food", "sanctioned:abc", br),
            ("0", "0"),
            "DENY",
            &[
                "beneficiary_blocked: sanctioned:abc is prohibited by policy",
                "beneficiary_requires_approval: sanctioned:abc not in allowlist",
                "new_beneficiary_requires_human_verification",
            ],
        ),
        (
            intent("50", "utilities", LIGHT, Some("US")),
            ("0", "0"),
            "DENY",
            &["country_not_allowed: US not in allowlist"],
        ),
    ];
    for (intent, (day, month), effect, reasons) in table {
        let (found, told) = told(&policy, &intent, &usage(day, month));
        assert_eq!(
            (found.as_str(), told),
            (
                effect,
                reasons.iter().map(|text| (*text).to_owned()).collect()
            )
        );
    }
}

#[test]
fn a_payment_without_a_country_is_fine_for_whom_the_policy_lists() {
    let policy = sample("conservative");
    let none = Usage::default();
    assert_eq!(
        told(&policy, &intent("1", "a", LIGHT, None), &none).0,
        "ALLOW"
    );
    let (effect, reasons) = told(&policy, &intent("1", "a", STRANGER, None), &none);
    assert_eq!(effect, "HITL");
    assert_eq!(
        reasons[0],
        "country_unknown: shop:corner comes without a country"
    );
    assert_eq!(reasons[1..], OF_STRANGER);
}

#[test]
fn an_allowing_rule_is_no_objection_and_overrides_nothing() {
    let policy = sample("aggressive");
    let to = "investment:btg_pactual";
    for (text, country, day, effect, reasons) in [
        (
            "100",
            "BR",
            "0",
            "ALLOW",
            vec![
                "investment_category_approved",
                "policy_compliant_all_checks_passed",
            ],
        ),
        (
            "1500",
            "US",
            "0",
            "MSIG 1",
            vec![
                "investment_category_approved",
                "investment_oversight_required",
                "amount_requires_multiple_approvals: 1500 > 1000",
            ],
        ),
        (
            "2000.01",
            "BR",
            "0",
            "DENY",
            vec![
                "exceeds_per_transaction_limit: 2000.01 > 2000",
                "investment_category_approved",
                "investment_oversight_required",
                "amount_requires_multiple_approvals: 2000.01 > 1000",
            ],
        ),
        (
            "100",
            "PT",
            "0",
            "DENY",
            vec![
                "country_not_allowed: PT not in allowlist",
                "investment_category_approved",
            ],
        ),
        (
            "100",
            "BR",
            "4900.01",
            "HITL",
            vec![
                "would_exceed_daily_limit: 5000.01 > 5000",
                "investment_category_approved",
            ],
        ),
    ] {
        let intent = intent(text, "investment", to, Some(country));
        let found = told(&policy, &intent, &usage(day, "0"));
        assert_eq!(
            found,
            (
                effect.to_owned(),
                reasons.into_iter().map(str::to_owned).collect()
            )
        );
    }
}

#[test]
fn what_just_reaches_a_cap_or_a_threshold_passes() {
    let mut policy = sample("conservative");
    policy.rules.clear();
    policy.threshold.higher_than = amount("500");
    let one = |text: &str, day: &str, month: &str| {
        told(&policy, &intent(text, "a", LIGHT, None), &usage(day, month)).0
    };
    for (text, day, month, effect) in [
        ("500", "0", "0", "ALLOW"),
        ("500.00000001", "0", "0", "DENY"),
        ("100", "900", "900", "ALLOW"),
        ("100.00000001", "900", "900", "HITL"),
        ("100", "0", "4900", "ALLOW"),
        ("100", "0", "4900.00000001", "HITL"),
        ("0.2", "999.8", "0", "ALLOW"),
        ("0.00000001", "1000", "0", "HITL"),
    ] {
        assert_eq!(one(text, day, month), effect, "{text} {day} {month}");
    }
    policy.caps.daily = amount("0.3");
    policy.caps.monthly = amount("0.3");
    let tenths = intent("0.2", "a", LIGHT, None);
    assert_eq!(told(&policy, &tenths, &usage("0.1", "0.1")).0, "ALLOW");
    policy.threshold.higher_than = amount("0.1");
    assert_eq!(told(&policy, &tenths, &Usage::default()).0, "MSIG 2");
    policy.threshold.higher_than = amount("0.2");
    assert_eq!(told(&policy, &tenths, &Usage::default()).0, "ALLOW");
}

#[test]
fn the_kill_switch_comes_before_everything() {
    let policy = sample("conservative");
    for text in ["1", "600"] {
        let intent = intent(text, "crypto", LIGHT, None);
        let outcome = evaluate(&policy, &intent, &Usage::default(), true);
        assert_eq!(outcome.verdict().reasons, ["kill_switch_activated"]);
        assert_eq!(outcome.effect, Effect::Deny);
    }
}

#[test]
fn another_currency_is_denied() {
    let mut policy = sample("conservative");
    policy.currency = "USD".to_owned();
    let intent = intent("1", "a", LIGHT, None);
    let outcome = evaluate(&policy, &intent, &Usage::default(), false);
    assert_eq!(outcome.effect, Effect::Deny);
    assert_eq!(
        outcome.verdict().reasons,
        ["currency_mismatch: BRL is not USD"]
    );
}

#[test]
fn what_is_blocked_is_blocked_however_it_is_written() {
    let policy = sample("conservative");
    for (category, beneficiary) in [
        ("CRYPTO", LIGHT),
        ("a", "Sanctioned:X"),
        ("a", "high_risk:"),
        ("gambLing", LIGHT),
    ] {
        assert_eq!(
            told(
                &policy,
                &intent("1", category, beneficiary, None),
                &Usage::default()
            )
            .0,
            "DENY"
        );
    }
    // Who may get money has to be written as listed.
    let (effect, _) = told(
        &policy,
        &intent("1", "a", "Bank:itau", Some("BR")),
        &Usage::default(),
    );
    assert_eq!(effect, "HITL");
}

#[test]
fn a_verdict_says_what_has_to_be_done() {
    let policy = sample("conservative");
    let verdict = |intent: &Intent| evaluate(&policy, intent, &Usage::default(), false).verdict();
    let two = verdict(&intent("301", "a", LIGHT, None));
    assert_eq!(two.effect.approvals(), Some(2));
    assert_eq!(
        serde_json::to_value(&two.obligations).unwrap(),
        json!([{"type": "multi_signature", "approvals": 2}])
    );
    let one = verdict(&intent("1", "a", STRANGER, Some("BR")));
    assert_eq!(
        serde_json::to_value(&one.obligations).unwrap(),
        json!([{"type": "human_approval"}])
    );
    let codes: Vec<&str> = one
        .codes
        .iter()
        .map(crate::ids::ReasonCode::as_str)
        .collect();
    assert_eq!(
        codes,
        ["BENEFICIARY_REQUIRES_APPROVAL", "SPEND_RULE_MATCHED"]
    );
    assert!(
        verdict(&intent("600", "a", LIGHT, None))
            .obligations
            .is_empty()
    );
    assert!(
        verdict(&intent("6", "a", LIGHT, None))
            .obligations
            .is_empty()
    );
}

const CATEGORIES: [&str; 4] = ["utilities", "crypto", "investment", "Weapons"];
const BENEFICIARIES: [&str; 4] = [LIGHT, STRANGER, "sanctioned:x", "investment:btg_pactual"];

fn any_intent() -> impl Strategy<Value = Intent> {
    let category = prop::sample::select(&CATEGORIES[..]);
    let beneficiary = prop::sample::select(&BENEFICIARIES[..]);
    let country = prop::option::of(prop::sample::select(&["BR", "US", "PT"][..]));
    (1_u32..300_000, category, beneficiary, country).prop_map(|(cents, category, to, country)| {
        let text = format!("{}.{:02}", cents / 100, cents % 100);
        intent(&text, category, to, country)
    })
}

fn any_usage() -> impl Strategy<Value = Usage> {
    (0_u32..6_000, 0_u32..30_000)
        .prop_map(|(day, month)| usage(&day.to_string(), &month.to_string()))
}

fn any_policy() -> impl Strategy<Value = Policy> {
    prop::sample::select(&["conservative", "aggressive"][..]).prop_map(sample)
}

fn any_rule() -> impl Strategy<Value = Rule> {
    let condition = prop_oneof![
        prop::sample::select(&CATEGORIES[..])
            .prop_map(|name| Condition::CategoryIn(Names::folded([name]))),
        (0_u32..3_000).prop_map(|above| Condition::AmountAbove(amount(&above.to_string()))),
        Just(Condition::BeneficiaryNotInAllow),
    ];
    let effect = prop_oneof![
        Just(Effect::Allow),
        Just(Effect::RequireHitl),
        (1_u32..5).prop_map(|approvals| Effect::RequireMsig { approvals }),
        Just(Effect::Deny),
    ];
    (condition, effect).prop_map(|(condition, effect)| Rule {
        condition,
        effect,
        reason: "added".to_owned(),
        line: 1,
    })
}

proptest! {
    #[test]
    fn more_usage_never_weakens(policy in any_policy(), intent in any_intent(), less in any_usage(), more in any_usage()) {
        let more = Usage { day: less.day.plus(more.day), month: less.month.plus(more.month) };
        let before = evaluate(&policy, &intent, &less, false).effect;
        prop_assert!(evaluate(&policy, &intent, &more, false).effect >= before);
    }

    #[test]
    fn another_rule_never_weakens_wherever_it_stands(
        policy in any_policy(), intent in any_intent(), usage in any_usage(), rule in any_rule(), at in 0_usize..3,
    ) {
        let mut more = policy.clone();
        more.rules.insert(at.min(more.rules.len()), rule.clone());
        let before = evaluate(&policy, &intent, &usage, false).effect;
        let after = evaluate(&more, &intent, &usage, false).effect;
        prop_assert!(after >= before);
        if matches(&rule, &policy, &intent) {
            prop_assert!(after >= rule.effect);
        }
    }

    #[test]
    fn blocking_more_and_listing_fewer_never_weakens(policy in any_policy(), intent in any_intent(), usage in any_usage()) {
        let before = evaluate(&policy, &intent, &usage, false).effect;
        let mut stricter = policy.clone();
        stricter.blocked_categories = Names::folded(["*"]);
        prop_assert_eq!(evaluate(&stricter, &intent, &usage, false).effect, Effect::Deny);
        let mut stricter = policy.clone();
        stricter.beneficiaries = Some(Names::default());
        prop_assert!(evaluate(&stricter, &intent, &usage, false).effect >= before);
        let mut stricter = policy.clone();
        stricter.caps.daily = Amount::ZERO;
        prop_assert!(evaluate(&stricter, &intent, &usage, false).effect >= before.max(Effect::RequireHitl));
    }

    #[test]
    fn the_order_of_rules_changes_no_effect(policy in any_policy(), intent in any_intent(), usage in any_usage()) {
        let mut turned = policy.clone();
        turned.rules.reverse();
        prop_assert_eq!(
            evaluate(&policy, &intent, &usage, false).effect,
            evaluate(&turned, &intent, &usage, false).effect
        );
    }

    #[test]
    fn the_effect_is_that_of_the_strongest_reason(policy in any_policy(), intent in any_intent(), usage in any_usage()) {
        let outcome = evaluate(&policy, &intent, &usage, false);
        let strongest = outcome.reasons.iter().map(Reason::effect).max();
        prop_assert_eq!(Some(outcome.effect), strongest);
        prop_assert_eq!(outcome.effect == Effect::Allow, outcome.reasons.contains(&Reason::Compliant));
    }

    #[test]
    fn an_intent_that_lacks_a_member_is_never_allowed(intent in any_intent(), at in 0_usize..9) {
        let mut value = serde_json::to_value(&intent).unwrap();
        let names = ["agentId", "entityId", "amount", "currency", "category", "beneficiary", "purpose"];
        match names.get(at) {
            Some(name) => { value.as_object_mut().unwrap().remove(*name); }
            None => { value["beneficiary"].as_object_mut().unwrap().remove("id"); }
        }
        let problems = Intent::from_value(&value).unwrap_err();
        prop_assert_eq!(Outcome::of(problems).effect, Effect::Deny);
    }
}
