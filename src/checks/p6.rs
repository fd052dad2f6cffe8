//! P-6, Performance Budget: how long does an evaluation of this workspace take?

use std::time::{Duration, Instant};

use serde::Serialize;

use super::{Ground, Outcome, Policy, Test};
use crate::evaluation::{self, Options};
use crate::fs::{LockTimeout, RetryDelays};
use crate::signals::DEFAULT_LIMIT;
use crate::time::Clock;

/// What is tested.
pub const TESTS: &[(&str, &str)] = &[(
    "latency",
    "the 95th percentile of 100 evaluations as dry runs lies below the objective (1000 ms unless --slo-ms says otherwise)",
)];

/// How often is measured.
pub const RUNS: usize = 100;

/// The objective in milliseconds, unless a command states another (S0-057).
pub const SLO_MS: u64 = 1000;

/// What was measured, in milliseconds.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Measured {
    /// How often.
    pub runs: usize,
    /// Half took no longer.
    pub p50_ms: f64,
    /// Nineteen of twenty took no longer.
    pub p95_ms: f64,
    /// The longest.
    pub max_ms: f64,
    /// What the 95th percentile has to lie below.
    pub slo_ms: u64,
}

pub(super) fn outcome(ground: &Ground<'_>) -> Outcome {
    let (test, measured) = match measure(ground) {
        Ok(times) => {
            let (test, measured) = judge(&times, ground.slo_ms);
            (test, Some(measured))
        }
        Err(why) => {
            let blocked = Test::blocked("latency", "nothing can be evaluated", why);
            (
                blocked.remedy("`policy-orchestrator run --dry-run` tells more"),
                None,
            )
        }
    };
    Outcome {
        measured,
        ..Outcome::of(Policy::P6, vec![test])
    }
}

/// The times of evaluations that record nothing.
fn measure(ground: &Ground<'_>) -> Result<Vec<Duration>, String> {
    let options = Options {
        clock: Clock::Given(ground.at),
        dry_run: true,
        retry: RetryDelays::none(),
        lock_timeout: LockTimeout::silent(Duration::ZERO),
        limit: DEFAULT_LIMIT,
        key: ground.key().cloned(),
        run_id: None,
    };
    let once = || {
        let begin = Instant::now();
        let evaluated = evaluation::run(ground.workspace, &options);
        let time = begin.elapsed();
        let told = |undecided: evaluation::Undecided| undecided.finding.to_string();
        evaluated.map(|_| time).map_err(told)
    };
    (0..RUNS).map(|_| once()).collect()
}

/// Holds times against the objective: the 95th percentile is the smallest time that nineteen of
/// twenty do not exceed (nearest rank).
pub fn judge(times: &[Duration], slo_ms: u64) -> (Test, Measured) {
    let mut sorted = times.to_vec();
    sorted.sort_unstable();
    let at = |percent: usize| {
        let rank = (sorted.len() * percent).div_ceil(100).max(1);
        sorted.get(rank - 1).copied().unwrap_or_default()
    };
    let [p50, p95, max] = [50, 95, 100].map(at);
    let in_ms = |time: Duration| time.as_secs_f64() * 1000.0;
    let measured = Measured {
        runs: times.len(),
        p50_ms: in_ms(p50),
        p95_ms: in_ms(p95),
        max_ms: in_ms(max),
        slo_ms,
    };
    let detail = format!(
        "{} evaluations: p50 {:.3} ms, p95 {:.3} ms, longest {:.3} ms; objective p95 < {slo_ms} ms",
        measured.runs, measured.p50_ms, measured.p95_ms, measured.max_ms
    );
    let holds = !times.is_empty() && p95 < Duration::from_millis(slo_ms);
    let test = if holds {
        Test::pass("latency", detail)
    } else {
        Test::fail("latency", "the objective is exceeded", detail)
            .remedy("`policy-orchestrator run --dry-run --verbose` tells what takes long; look at the disk and the load of this machine")
    };
    (test, measured)
}

#[cfg(test)]
mod tests {
    use super::super::Status;
    use super::*;

    #[test]
    fn nineteen_of_twenty_have_to_lie_below_the_objective() {
        let times = |slow: usize| {
            let fast = vec![Duration::from_millis(10); 100 - slow];
            let mut times = vec![Duration::from_secs(2); slow];
            times.extend(fast);
            times
        };
        for (slow, status) in [
            (0, Status::Pass),
            (5, Status::Pass),
            (6, Status::Fail),
            (100, Status::Fail),
        ] {
            assert_eq!(judge(&times(slow), 1000).0.status, status, "{slow}");
        }
        // Equal is not below.
        let equal = [Duration::from_secs(1)];
        assert_eq!(judge(&equal, 1000).0.status, Status::Fail);
        assert_eq!(judge(&[], 1000).0.status, Status::Fail);
        let (_, measured) = judge(&times(5), 1000);
        assert_eq!((measured.runs, measured.slo_ms), (100, 1000));
        assert!(measured.p95_ms < measured.max_ms);
    }
}
