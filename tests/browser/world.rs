//! What the page is shown: a workspace with a state file and data, and the program's own server.

use std::io::{BufRead as _, BufReader};
use std::process::{Child, Command, Stdio};

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::{Value, json};

/// A workspace that is served.
pub(crate) struct World {
    directory: tempfile::TempDir,
    server: Child,
    /// Where the page is.
    pub(crate) url: String,
}

impl World {
    /// An empty one.
    pub(crate) fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        std::fs::create_dir(directory.path().join("state")).unwrap();
        let mut server = Command::new(env!("CARGO_BIN_EXE_policy-orchestrator"))
            .args(["portal", "--serve", "--listen", "127.0.0.1:0"])
            .args(["--format", "json", "--workspace"])
            .arg(directory.path())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(server.stdout.take().unwrap())
            .read_line(&mut line)
            .unwrap();
        let told: Value = serde_json::from_str(&line).unwrap();
        let url = told["url"].as_str().unwrap().to_owned();
        Self {
            directory,
            server,
            url,
        }
    }

    /// Writes the state file.
    pub(crate) fn state(&self, state: &Value) {
        self.write("policy_state.json", &state.to_string());
    }

    /// Writes the data of the page.
    pub(crate) fn data(&self, data: &Value) {
        self.write("portal_data.json", &data.to_string());
    }

    pub(crate) fn write(&self, name: &str, text: &str) {
        let state = self.directory.path().join("state");
        std::fs::write(state.join(".new"), text).unwrap();
        std::fs::rename(state.join(".new"), state.join(name)).unwrap();
    }

    pub(crate) fn remove(&self, name: &str) {
        let _ = std::fs::remove_file(self.directory.path().join("state").join(name));
    }
}

impl Drop for World {
    fn drop(&mut self) {
        let _ = self.server.kill();
        let _ = self.server.wait();
    }
}

/// A time so many hours ago.
pub(crate) fn ago(hours: f64) -> String {
    #[expect(clippy::cast_possible_truncation, reason = "hours of a test")]
    let back = TimeDelta::seconds((hours * 3600.0) as i64);
    #[expect(
        clippy::disallowed_methods,
        reason = "the page looks at the real clock"
    )]
    let now: DateTime<Utc> = Utc::now();
    (now - back).format("%Y-%m-%dT%H:%M:%S+00:00").to_string()
}

/// A state file of that level, an hour old.
pub(crate) fn state(level: &str) -> Value {
    let reading = |file: &str| json!({"status": "valid", "file": file, "sha256": "a".repeat(64), "observed_at": ago(3.0)});
    let mut state = json!({
        "policy": level,
        "evaluated_at": ago(1.0),
        "inputs": {"trust_locked": level == "RED", "integrity_score": 92.4, "consensus_pct": 90.6, "reputation_score": 100.0, "forecast_risk": "medium", "recent_responses": 5},
        "thresholds": {"red_integrity": 90.0, "red_consensus": 85.0, "red_responses": 8, "yellow_integrity": 95.0, "yellow_consensus": 90.0, "yellow_reputation": 80.0, "yellow_responses": 4},
        "schema": 1,
        "reasons": [
            {"code": "INTEGRITY_BELOW_YELLOW", "level": "YELLOW", "signal": "integrity", "value": 92.4, "threshold": 95.0, "margin": -2.6},
            {"code": "RESPONSES_AT_YELLOW", "level": "YELLOW", "signal": "responses", "value": 5, "threshold": 4, "margin": -1.0},
            {"code": "INPUT_MISSING", "level": "YELLOW", "signal": "reputation"}
        ],
        "near": [{"code": "CONSENSUS_BELOW_YELLOW", "level": "YELLOW", "signal": "consensus", "value": 90.6, "threshold": 90.0, "margin": 0.6}],
        "readings": {
            "trust": reading("trust_lock_state.json"),
            "integrity": reading("exports/integrity_metrics_registry.csv"),
            "consensus": reading("federation/weighted_consensus.json"),
            "reputation": {"status": "missing", "note": "there is no such file"},
            "forecast": {"status": "stale", "file": "forensics/forensics_anomaly_forecast.json", "observed_at": ago(40.0)},
            "responses": {"status": "valid", "file": "forensics/response_history.jsonl"}
        },
        "warnings": [{"code": "VALUE_TYPE", "place": {"file": "federation/reputation_index.json"}, "message": "the file is not there", "help": "let the tool that measures it write it"}],
        "document": {"name": "reference", "version": "1", "sha256": "5".repeat(64)},
        "before": "GREEN",
        "since": ago(76.0),
        "needs": [{"level": "GREEN", "changes": [{"what": "integrity", "from": "92.4", "to": "at least 95.0"}, {"what": "responses", "from": "5", "to": "at most 3"}]}],
        "journal": {"seq": 2211, "sha256": "c".repeat(64)}
    });
    if level == "GREEN" {
        for list in ["reasons", "near", "needs"] {
            state[list] = json!([]);
        }
    }
    state
}

/// Data with everything in them, 90 days of it.
pub(crate) fn data() -> Value {
    let day = |back: u32| ago(f64::from(back) * 24.0)[..10].to_owned();
    let shown = || (0..90u32).rev().filter(|back| !(40..43).contains(back));
    let wave = |back: u32| f64::from((back * 37) % 11) / 2.0;
    let signal = |name: &str, base: f64, step: f64| {
        let rows: Vec<Value> = shown()
            .map(|back| {
                let value = base + step * wave(back);
                json!([day(back), value - step, value + step, value, "valid"])
            })
            .collect();
        json!({"name": name, "days": rows})
    };
    let missing: Vec<Value> = shown()
        .map(|back| {
            if back < 7 {
                json!([day(back), null, null, null, "missing"])
            } else {
                json!([day(back), 84.0, 88.0, 86.0, "valid"])
            }
        })
        .collect();
    let level = |index: u32| ["GREEN", "YELLOW", "RED", "YELLOW"][index as usize % 4];
    let transitions: Vec<Value> = (0..14u32)
        .map(|index| json!({"at": ago(f64::from(92 - index * 6) * 24.0 + 4.0), "seq": index + 1, "level": level(index), "reasons": ["INTEGRITY_BELOW_YELLOW"]}))
        .collect();
    let freezes: Vec<Value> = (0..12u32)
        .map(|week| {
            let end = f64::from(week) * 168.0 - 60.0;
            json!({"name": "weekend", "mode": "deny", "reason": "nobody is there", "from": ago(end + 62.0), "until": ago(end)})
        })
        .collect();
    json!({
        "schema": 1, "updated_at": ago(1.0), "head": {"seq": 2211, "sha256": "c".repeat(64)},
        "decisions": 2211, "given": 0, "ahead": 1, "first_at": ago(5000.0), "last_at": ago(1.0),
        "verified": {"seq": 2100, "sha256": "e".repeat(64)},
        "transitions": transitions, "complete_from": ago(24.0 * 80.0),
        "gaps": [{"from": ago(43.0 * 24.0), "until": ago(39.0 * 24.0)}],
        "signals": [signal("trust", 0.0, 0.0), signal("integrity", 90.0, 1.0), signal("consensus", 88.0, 1.0), {"name": "reputation", "days": missing}, signal("forecast", 0.0, 0.2), signal("responses", 1.0, 1.0)],
        "signals_left_out": 0,
        "waived": [{"code": "REPUTATION_BELOW_YELLOW", "from": ago(30.0 * 24.0), "until": ago(12.0 * 24.0)}],
        "freezes": freezes,
        "responses": [
            {"at": ago(3.0), "kind": "blocked", "id": "1", "level": "YELLOW", "actions": 3, "succeeded": 0, "gates": ["approval", "freeze_window"]},
            {"at": ago(30.0), "kind": "apply", "id": "2", "level": "YELLOW", "actions": 3, "succeeded": 3},
            {"at": ago(31.0), "kind": "undo", "id": "3"},
            {"at": ago(55.0), "kind": "failed", "id": "4", "level": "RED", "actions": 4, "succeeded": 2}
        ],
        "preview": {"at": ago(1.0), "kind": "preview", "id": "5", "level": "YELLOW", "actions": 3, "gates": ["dry_run_same_plan"]},
        "overrides": [
            {"operation": "guard:policy/policy.yaml", "until": ago(-0.5)},
            {"operation": "apply:over", "until": ago(0.5)}
        ],
        "safeguards": {"at": ago(1.0), "kill_switch": "off", "brake": "engaged"},
        "evaluations": shown().map(|back| json!([day(back), 24, u32::from(back < 7) * 6])).collect::<Vec<Value>>(),
        "took_us": [4_200, 3_900, 12_345]
    })
}
