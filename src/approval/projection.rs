//! What others read of approvals: `state/approval_state.json` and `state/approval_highwater.json`.
//!
//! Both are made anew from the journal after each of its lines, and never read here: the journal
//! alone counts.

use std::collections::BTreeMap;

use serde::Serialize;

use super::Desk;
use super::approvers::Approvers;
use super::grant;
use super::journal::{Asked, Ledger};
use crate::diagnostic::Checked;
use crate::fs::write;
use crate::record::Head;
use crate::time::Timestamp;

/// How the requests stand.
pub(super) const STATE: &str = "state/approval_state.json";

/// How many grants each approver gave on each day.
pub(super) const HIGHWATER: &str = "state/approval_highwater.json";

/// So many requests that have ended are shown, the latest.
const SHOWN: usize = 100;

#[derive(Serialize)]
struct State<'a> {
    schema: u32,
    updated_at: Timestamp,
    journal: Head,
    requests: Vec<&'a Asked>,
}

#[derive(Serialize)]
struct Highwater {
    schema: u32,
    updated_at: Timestamp,
    journal: Head,
    limit: usize,
    grants: BTreeMap<String, BTreeMap<String, usize>>,
}

/// Grants by day (UTC) and approver, as far as they are signed by who they name.
pub(super) fn grants(
    ledger: &Ledger,
    approvers: &Approvers,
) -> BTreeMap<String, BTreeMap<String, usize>> {
    let mut days: BTreeMap<String, BTreeMap<String, usize>> = BTreeMap::new();
    for granted in ledger.0.iter().filter_map(|asked| asked.grant.as_ref()) {
        if let Ok((statement, approver)) = grant::open(&granted.envelope, approvers) {
            let day = days.entry(statement.granted_at.date()).or_default();
            *day.entry(approver.name.clone()).or_default() += 1;
        }
    }
    days
}

/// Writes both files, after the line with this head.
pub(super) fn store(
    desk: Desk<'_>,
    ledger: &Ledger,
    approvers: &Approvers,
    head: Head,
) -> Checked<()> {
    let older = ledger.0.len().saturating_sub(SHOWN);
    let state = State {
        schema: 1,
        updated_at: desk.at,
        journal: head,
        requests: ledger.0.iter().skip(older).collect(),
    };
    let highwater = Highwater {
        schema: 1,
        updated_at: desk.at,
        journal: head,
        limit: super::requests::A_DAY,
        grants: grants(ledger, approvers),
    };
    for (file, bytes) in [
        (STATE, crate::fs::pretty(&state)),
        (HIGHWATER, crate::fs::pretty(&highwater)),
    ] {
        desk.records
            .retry
            .retry(|| write::replace_rarely(desk.records.workspace, file, &bytes))?;
    }
    Ok(())
}
