//! Spend policies good and bad.

use super::*;

/// The two samples of the source documents, as they stand there (EX-12, EX-13).
pub(in crate::spending) fn sample(name: &str) -> Policy {
    let bytes = match name {
        "conservative" => {
            include_bytes!("../../../tests/fixtures/documents/spend-conservative.json").as_slice()
        }
        _ => include_bytes!("../../../tests/fixtures/documents/spend-aggressive.json").as_slice(),
    };
    parse(&format!("policy/spend/{name}.json"), bytes).unwrap()
}

#[test]
fn the_samples_are_read_as_they_stand() {
    let policy = sample("conservative");
    let caps = policy.caps;
    let shown = [caps.per_txn, caps.daily, caps.monthly].map(|cap| cap.to_string());
    assert_eq!(shown, ["500", "1000", "5000"]);
    assert_eq!(policy.threshold.higher_than.to_string(), "300");
    assert_eq!((policy.threshold.approvals, policy.rules.len()), (2, 3));
    assert_eq!(policy.currency, "BRL");
    assert!(policy.is_for("conservative-brazilian-agent"));
    assert!(!policy.is_for("another"));
    let beneficiaries = policy.beneficiaries.unwrap();
    for name in [
        "tax:receita_federal",
        "utility:light_company",
        "utility:water_company",
        "bank:itau",
        "bank:nubank",
    ] {
        assert!(beneficiaries.has(name), "{name}");
    }
    for category in ["crypto", "gambling", "adult_content", "weapons"] {
        assert!(policy.blocked_categories.has(category));
    }
    assert!(policy.blocked_beneficiaries.has("sanctioned:abc/d"));
    let lines: Vec<u64> = policy.rules.iter().map(|rule| rule.line).collect();
    assert_eq!(lines, [27, 31, 35]);

    let policy = sample("aggressive");
    assert_eq!(policy.caps.monthly.to_string(), "25000");
    assert_eq!(policy.threshold.approvals, 1);
    assert_eq!(policy.rules[0].effect, Effect::Allow);
    assert_eq!(policy.countries.unwrap().len(), 2);
}

#[test]
fn both_forms_mean_the_same() {
    let small = "name: a\ncaps: {perTxn: 1.50, daily: '2', monthly: 3e0}\nmsig: {threshold: {higherThan: 1, approvals: 2}}\n";
    let spec = small.replace('\n', "\n  ");
    let large = format!("apiVersion: policy.orchestra.v1\nkind: SpendPolicy\nspec:\n  {spec}");
    let named = large
        .replace("  name: a\n", "")
        .replace("spec:", "metadata: {name: a}\nspec:");
    for text in [small, &large, &named] {
        let policy = parse("p", text.as_bytes()).unwrap();
        assert_eq!(policy.name, "a", "{text}");
        assert_eq!(policy.caps.per_txn.to_string(), "1.5");
        assert_eq!(policy.caps.monthly.to_string(), "3");
        assert!(policy.beneficiaries.is_none() && policy.countries.is_none());
    }
}
