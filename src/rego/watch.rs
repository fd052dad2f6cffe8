//! What stops a rule: its count of work, its time, and the memory that it takes.
//!
//! The evaluator asks for the time after every few units of work, and gives up where it is late. That is
//! where all three are looked at: whoever has used up one of them is told a time later than any limit.
//! The time and the memory are looked at nowhere else, and decide nothing but when to stop.

use std::cell::Cell;
use std::fs::File;
use std::num::NonZeroU32;
use std::os::unix::fs::FileExt as _;
use std::sync::{Once, OnceLock};
use std::time::{Duration, Instant};

use regorus::utils::limits::{ExecutionTimerConfig, TimeSource, set_time_source};

use super::settings::Limits;

/// After so many units of work the clock is asked: what a value may grow by until then is bounded by
/// them, since each can double it.
const INTERVAL: u32 = 8;

/// So often the memory is looked at. In this time no machine fills much of it.
const PAUSE: Duration = Duration::from_millis(1);

/// The memory of before is taken for that of now for so long, unless a rule took longer than [`PAUSE`].
const FRESH: Duration = Duration::from_millis(100);

/// Longer than any limit of time.
const NEVER: Duration = Duration::from_secs(1 << 40);

/// What is said of a rule that took too much memory.
pub(super) const MEMORY: &str = "the rule was stopped at the limit of memory";

/// What a rule on this thread may still do.
#[derive(Clone, Copy)]
struct Left {
    /// How many looks: the interpreter's count of work.
    looks: usize,
    /// Memory in bytes, more than which the process must not have.
    most: u64,
    /// When the memory is looked at next.
    next: Duration,
    /// When it has to be done.
    end: Duration,
    /// True where the memory was too much.
    is_over: bool,
    /// How often that, or that no look was left, was told.
    told: u32,
}

const UNBOUNDED: Left = Left {
    looks: usize::MAX,
    most: u64::MAX,
    next: NEVER,
    end: Duration::MAX,
    is_over: false,
    told: 0,
};

thread_local! {
    static LEFT: Cell<Left> = const { Cell::new(UNBOUNDED) };
    /// How much memory the process had before a rule was asked, and when that was.
    static BEFORE: Cell<Option<(Duration, u64)>> = const { Cell::new(None) };
}

/// The limit of time, and how often it is looked at.
pub(super) fn timer(limits: Limits) -> ExecutionTimerConfig {
    static REGISTERED: Once = Once::new();
    REGISTERED.call_once(|| {
        // It fails where one is registered, and there is only this one.
        let _ = set_time_source(&Monotonic);
    });
    ExecutionTimerConfig {
        limit: limits.time,
        check_interval: NonZeroU32::new(INTERVAL).unwrap_or(NonZeroU32::MIN),
    }
}

/// Evaluates within the limits of memory and, where nobody else does it, of work. The second is true
/// where it was stopped for the memory.
pub(super) fn within<T>(
    limits: Limits,
    counts_work: bool,
    evaluate: impl FnOnce() -> T,
) -> (T, bool) {
    let now = passed();
    let known = BEFORE
        .get()
        .filter(|(at, _)| now < at.saturating_add(FRESH));
    let known = known.or_else(|| Some((now, resident()?)));
    BEFORE.set(known);
    let looks = (limits.instructions / INTERVAL as usize).max(1);
    LEFT.set(Left {
        looks: if counts_work { looks } else { usize::MAX },
        most: known.map_or(u64::MAX, |(_, bytes)| bytes.saturating_add(limits.memory)),
        next: now.saturating_add(PAUSE),
        end: now.saturating_add(limits.time),
        is_over: false,
        told: 0,
    });
    let evaluated = evaluate();
    let left = LEFT.replace(UNBOUNDED);
    if left.next > now.saturating_add(PAUSE) {
        // It took long enough to leave another amount of memory behind.
        BEFORE.set(None);
    }
    (evaluated, left.is_over)
}

/// How long something took; what time it is, nobody is told.
struct Monotonic;

impl TimeSource for Monotonic {
    fn now(&self) -> Option<Duration> {
        let (passed, mut left) = look();
        if left.looks == 0 || left.is_over {
            // Later than the last answer, too: the machine begins to count anew after each pause.
            left.told = left.told.saturating_add(1);
        }
        left.looks = left.looks.saturating_sub(1);
        LEFT.set(left);
        Some(passed.saturating_add(NEVER.saturating_mul(left.told)))
    }
}

/// True where a rule has to stop. The machine looks itself, but not where it pauses every few steps to
/// ask for a function of ours.
pub(super) fn is_late() -> bool {
    let (passed, left) = look();
    LEFT.set(left);
    left.is_over || passed > left.end
}

/// The time, and what is left at that time.
fn look() -> (Duration, Left) {
    let (passed, mut left) = (passed(), LEFT.get());
    if passed >= left.next {
        left.next = passed.saturating_add(PAUSE);
        left.is_over |= resident().is_some_and(|bytes| bytes > left.most);
    }
    (passed, left)
}

/// Since this program first asked.
fn passed() -> Duration {
    static BEGIN: OnceLock<Instant> = OnceLock::new();
    BEGIN.get_or_init(Instant::now).elapsed()
}

/// How much memory the process has, in bytes; `None` where the machine doesn't say (macOS).
fn resident() -> Option<u64> {
    static STATUS: OnceLock<Option<File>> = OnceLock::new();
    let status = STATUS.get_or_init(|| File::open("/proc/self/status").ok());
    let mut buffer = [0_u8; 4096];
    let count = status.as_ref()?.read_at(&mut buffer, 0).ok()?;
    let text = std::str::from_utf8(buffer.get(..count)?).ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kilobytes: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    kilobytes.checked_mul(1024)
}

#[cfg(test)]
#[cfg(target_os = "linux")]
mod tests {
    use super::*;

    #[test]
    fn the_machine_says_how_much_memory_there_is() {
        assert!(resident().unwrap() > 1024 * 1024);
    }
}
