//! What users see: every test here runs the real binary in a workspace of its own.
//!
//! One file per theme; [`workspace`] makes workspaces and runs the program. Pure functions are
//! tested beside their code.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that fails should stop"
)]
#![expect(
    clippy::disallowed_methods,
    clippy::print_stderr,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    clippy::type_complexity,
    clippy::naive_bytecount,
    reason = "tests make, change and break files as other programs do, and say what they skip"
)]

mod acceptance;
mod actions;
mod alert_hooks;
mod alert_record;
mod alerts;
mod apply;
mod approvals;
mod architecture;
mod attest;
mod audit_log;
mod backtest;
mod bad_inputs;
mod blame;
mod brake;
mod bypass;
mod checkpoint;
mod checks;
mod commands;
mod compliance;
mod decide;
mod decision_corpus;
mod decision_oracle;
mod declared_responses;
mod documents;
mod fix_branch;
mod forgery;
mod freeze;
mod guard;
mod history;
mod journal;
mod keys;
mod kill;
mod labels;
mod level_changes;
mod lifecycle;
mod metrics;
mod orchestrator;
mod outputs;
mod overrides;
mod packaging;
mod personal_data;
mod policies;
mod policy_check;
mod policy_commands;
mod policy_lock;
mod policy_show;
mod portal;
#[cfg(target_os = "linux")]
mod processes;
mod rego;
mod replay;
mod reports;
mod response;
mod restoring;
mod runbook;
mod secrets;
mod security_policies;
mod segments;
mod shared_inputs;
mod signing_keys;
mod spending;
mod tampering;
mod traces;
mod trust;
mod trust_faults;
mod tutorial;
mod undo;
mod vault;
mod workflows;
mod workspace;
mod writes;
mod wrong_policies;
