//! Payments of agents, through the program.

use serde_json::{Value, json};

use crate::workspace::Workspace;

const POLICY: &str = r#"{"name": "agent", "caps": {"perTxn": 500, "daily": 1000, "monthly": 5000},
  "msig": {"threshold": {"higherThan": 300, "approvals": 2}}}"#;

fn ground() -> Workspace {
    let workspace = Workspace::empty();
    workspace.write("policy/spend/agent.json", POLICY);
    workspace
}

fn payment(amount: &str) -> String {
    json!({
        "agentId": "agent", "entityId": "e", "amount": amount, "currency": "BRL", "category": "food",
        "beneficiary": {"id": "shop"}, "purpose": "PIX",
    })
    .to_string()
}

/// Requests with ids, one a line.
fn lines(from: u32, to: u32, amount: &str) -> String {
    let line = |number| format!("{{\"id\":\"p-{number}\",\"intent\":{}}}\n", payment(amount));
    (from..to).map(line).collect::<Vec<String>>().concat()
}

fn day(workspace: &Workspace) -> String {
    let usage = workspace.program(&["spend", "usage"]).exits(0).json();
    usage["agents"][0]["day"]["spent"]
        .as_str()
        .unwrap_or("0")
        .to_owned()
}

#[test]
fn a_person_reads_why_a_payment_may_be_made_or_not() {
    let workspace = ground();
    let arguments = ["spend", "record", "--id", "order-1", "--format", "human"];
    let text = workspace.fed(&arguments, payment("100.10")).exits(0).stdout;
    let of_the_moment = |line: &&str| {
        !["  level ", "  policies "]
            .iter()
            .any(|of| line.starts_with(of))
    };
    let lines: Vec<&str> = text.lines().filter(of_the_moment).collect();
    let expected = [
        "order-1: allowed  POLICY_COMPLIANT",
        "  because    policy_compliant_all_checks_passed",
        "  recorded   as number 1 of state/spend_log.jsonl",
    ];
    assert_eq!(lines, expected);
}

#[test]
fn a_payment_is_checked_recorded_once_and_taken_out_again() {
    let workspace = ground();
    let checked = workspace
        .fed(&["spend", "check"], payment("100.10"))
        .exits(0)
        .json();
    assert_eq!(checked["effect"], "ALLOW");
    assert_eq!(
        checked["reasons"],
        json!(["policy_compliant_all_checks_passed"])
    );
    assert!(!workspace.file("state/spend_log.jsonl").exists());
    for again in [false, true] {
        let arguments = ["spend", "record", "--id", "order-1"];
        let recorded = workspace.fed(&arguments, payment("100.10")).exits(0).json();
        assert_eq!(recorded["spend"]["again"], again);
        assert_eq!(recorded["spend"]["number"], 1);
        assert_eq!(day(&workspace), "100.1");
    }
    let other = workspace
        .fed(&["spend", "record", "--id", "order-1"], payment("5"))
        .exits(4);
    assert_eq!(other.json()["reason_codes"], json!(["INTENT_ID_TAKEN"]));
    workspace
        .program(&["spend", "cancel", "order-1", "--reason", "refund"])
        .exits(0);
    workspace
        .program(&["spend", "cancel", "order-1", "--reason", "refund"])
        .exits(1);
    assert_eq!(day(&workspace), "0");
    let taken = workspace.fed(&["spend", "record", "--id", "order-1"], payment("100.10"));
    assert_eq!(taken.code, 4);
    workspace.program(&["audit", "verify"]).exits(0);
}

#[test]
fn the_order_of_lines_is_kept_and_no_sum_is_above_its_cap() {
    let workspace = ground();
    let ran = workspace
        .fed(&["spend", "record"], lines(0, 600, "2.5"))
        .exits(4);
    let answers: Vec<Value> = ran
        .stdout
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!(answers.len(), 600);
    for (number, answer) in answers.iter().enumerate() {
        assert_eq!(answer["id"], format!("p-{number}"));
        assert_eq!(
            answer["effect"],
            if number < 400 {
                "ALLOW"
            } else {
                "REQUIRE_HITL"
            }
        );
    }
    assert_eq!(
        answers[400]["reasons"],
        json!(["would_exceed_daily_limit: 1002.5 > 1000"])
    );
    assert_eq!(day(&workspace), "1000");
    workspace.program(&["audit", "verify"]).exits(0);
}

#[test]
fn sums_that_nobody_vouches_for_are_made_anew() {
    let workspace = ground();
    workspace
        .fed(&["spend", "record"], lines(0, 3, "100"))
        .exits(0);
    let before = workspace.read("state/spend_usage.json");
    workspace
        .fed(&["spend", "record"], lines(3, 5, "100"))
        .exits(0);
    let after = workspace.read("state/spend_usage.json");
    // What a kill leaves, what somebody changed, and nothing.
    for text in [
        before,
        after.replace("500", "1"),
        "{}".to_owned(),
        String::new(),
    ] {
        workspace.write("state/spend_usage.json", text);
        assert_eq!(day(&workspace), "500");
    }
    workspace
        .fed(&["spend", "record"], lines(0, 6, "100"))
        .exits(0);
    assert_eq!(day(&workspace), "600");
    workspace.write(
        "state/spend_log.jsonl",
        workspace
            .read("state/spend_log.jsonl")
            .replace("\"100\"", "\"1\""),
    );
    assert_eq!(workspace.fed(&["spend", "record"], payment("1")).code, 5);
    assert_eq!(workspace.fed(&["spend", "check"], payment("1")).code, 5);
}

#[test]
fn the_kill_switch_stops_every_payment() {
    let workspace = ground();
    workspace.write("state/kill_switch.json", "half of a swit");
    let checked = workspace
        .fed(&["spend", "check"], payment("1"))
        .exits(4)
        .json();
    assert_eq!(checked["reasons"], json!(["kill_switch_activated"]));
    let ran = workspace.fed(&["spend", "record"], payment("1"));
    assert_eq!(ran.code, 3, "{}", ran.stderr);
    assert!(!workspace.file("state/spend_log.jsonl").exists());
}

#[test]
fn policies_that_can_not_be_used_allow_nothing() {
    let workspace = ground();
    workspace.write("policy/spend/other.yaml", "name: x\n");
    assert_eq!(workspace.fed(&["spend", "check"], payment("1")).code, 5);
    assert_eq!(workspace.fed(&["spend", "record"], payment("1")).code, 5);
    let none = Workspace::empty();
    let denied = none.fed(&["spend", "check"], payment("1")).exits(4).json();
    assert_eq!(denied["reason_codes"], json!(["NO_SPEND_POLICY"]));
}

#[test]
fn eight_at_once_never_pass_a_cap_and_lose_nothing() {
    let workspace = ground();
    std::thread::scope(|scope| {
        for process in 0..8_u32 {
            let workspace = &workspace;
            scope.spawn(move || {
                let from = process * 60;
                for (at, step) in [(from, 1), (from + 1, 1), (from + 2, 58)] {
                    let ran = workspace.fed(&["spend", "record"], lines(at, at + step, "2.5"));
                    assert!([0, 4].contains(&ran.code), "{}", ran.stderr);
                }
            });
        }
    });
    assert_eq!(day(&workspace), "1000");
    let log = workspace.read("state/spend_log.jsonl");
    assert_eq!(log.lines().count(), 400);
    workspace.program(&["audit", "verify"]).exits(0);
}
