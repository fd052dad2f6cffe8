//! Payments held against a policy: what one costs, and what decimals cost beside floating point.
//!
//! Both kinds go through the same rules in the same run, so their ratio holds on any machine.
#![expect(clippy::unwrap_used, reason = "a benchmark that fails should stop")]

use divan::counter::ItemsCount;
use divan::{Bencher, black_box};
use policy_orchestrator::spending::{Intent, Policy, Usage, document, evaluate};

fn main() {
    divan::main();
}

fn policy() -> Policy {
    let bytes = include_bytes!("../tests/fixtures/documents/spend-conservative.json");
    document::parse("policy/spend/p.json", bytes).unwrap()
}

fn intent(amount: &str) -> Intent {
    let text = format!(
        r#"{{"agentId":"a","entityId":"e","amount":{amount},"currency":"BRL","category":"utilities","beneficiary":{{"id":"bank:itau","country":"BR"}},"purpose":"PIX"}}"#
    );
    Intent::parse(&text).unwrap()
}

/// A payment that is allowed, one for two persons, one that is denied.
const AMOUNTS: [&str; 3] = ["100.10", "301", "500.01"];

#[divan::bench(args = AMOUNTS)]
fn decimals(bencher: Bencher<'_, '_>, amount: &str) {
    let (policy, intent, usage) = (policy(), intent(amount), Usage::default());
    bencher
        .counter(ItemsCount::new(1_usize))
        .bench_local(|| evaluate(black_box(&policy), black_box(&intent), &usage, false));
}

/// The same rules over floating point, where the amounts are compared and added.
#[divan::bench(args = AMOUNTS)]
fn floating_point(bencher: Bencher<'_, '_>, amount: &str) {
    let (policy, intent) = (policy(), intent(amount));
    let number: f64 = amount.parse().unwrap();
    let usage = (0.0_f64, 0.0_f64);
    bencher.counter(ItemsCount::new(1_usize)).bench_local(|| {
        let (amount, usage) = (black_box(number), black_box(usage));
        let mut reasons = Vec::with_capacity(4);
        for (is_above, code) in [
            (amount > 500.0, 1_u8),
            (usage.0 + amount > 1000.0, 2),
            (usage.1 + amount > 5000.0, 3),
        ] {
            if is_above {
                reasons.push((code, amount));
            }
        }
        let lists = black_box(&policy);
        let is_listed = || {
            let listed = lists.beneficiaries.as_ref();
            listed.is_some_and(|names| names.has(&intent.beneficiary.id))
        };
        if lists.blocked_categories.has(&intent.category) {
            reasons.push((4, amount));
        }
        let country = intent.beneficiary.country.as_ref();
        if let (Some(allowed), Some(country)) = (&lists.countries, country)
            && !allowed.contains(country)
        {
            reasons.push((5, amount));
        }
        if lists.blocked_beneficiaries.has(&intent.beneficiary.id) {
            reasons.push((6, amount));
        }
        if !is_listed() {
            reasons.push((7, amount));
        }
        for word in ["crypto", "gambling"] {
            if intent.category == word {
                reasons.push((8, amount));
            }
        }
        if amount > 300.0 {
            reasons.push((9, amount));
        }
        if !is_listed() {
            reasons.push((10, amount));
        }
        if amount > 300.0 {
            reasons.push((11, amount));
        }
        reasons
    });
}

/// With reading the JSON of the payment.
#[divan::bench]
fn parse_and_evaluate(bencher: Bencher<'_, '_>) {
    let (policy, usage) = (policy(), Usage::default());
    let text = r#"{"agentId":"a","entityId":"e","amount":100.10,"currency":"BRL","category":"utilities","beneficiary":{"id":"bank:itau","country":"BR"},"purpose":"PIX"}"#;
    bencher.counter(ItemsCount::new(1_usize)).bench_local(|| {
        let intent = Intent::parse(black_box(text)).unwrap();
        evaluate(&policy, &intent, &usage, false).effect
    });
}
