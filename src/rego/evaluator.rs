//! The machine that evaluates: compiled rules asked within limits, on any number of threads.
//!
//! Rules become a program of the evaluator's virtual machine, which counts its instructions, keeps its
//! own stack and asks this program for what only it may know. What that machine can't do (`with`, a few
//! forms of partial objects, very large rules) or does otherwise ([`super::conflicts`]) is evaluated by
//! the interpreter of the same crate, which is slower.

use std::cell::Cell;
use std::num::NonZeroU32;
use std::sync::{Arc, Mutex, MutexGuard, Once, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use regorus::rvm::RegoVM;
use regorus::rvm::program::Program;
use regorus::rvm::vm::{ExecutionMode, ExecutionState, SuspendReason, VmError};
use regorus::utils::limits::{ExecutionTimerConfig, TimeSource, set_time_source};
use regorus::{Engine, LimitError, Value};

use super::builtins;
use super::settings::Limits;

/// Why a rule gave nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Fault {
    /// True where it was stopped at a limit.
    pub(super) is_limit: bool,
    /// In words.
    pub(super) message: String,
    /// Where, as far as it is known.
    pub(super) place: Option<(String, u64)>,
}

/// Rules that can be asked.
#[derive(Debug)]
pub(super) struct Evaluator {
    kind: Kind,
    limits: Limits,
}

#[derive(Debug)]
enum Kind {
    Machine {
        program: Arc<Program>,
        data: Value,
        idle: Mutex<Vec<RegoVM>>,
    },
    Interpreter {
        prototype: Box<Engine>,
        rules: Vec<String>,
        idle: Mutex<Vec<Engine>>,
    },
}

/// How many machines are kept for the next request.
const KEPT: usize = 16;

impl Evaluator {
    /// Of a program. The error is what rules and data both give.
    pub(super) fn machine(
        program: Arc<Program>,
        data: Value,
        limits: Limits,
    ) -> Result<Self, String> {
        let machine = new_machine(&program, &data, limits).map_err(|error| error.to_string())?;
        Ok(Self {
            kind: Kind::Machine {
                program,
                data,
                idle: Mutex::new(vec![machine]),
            },
            limits,
        })
    }

    /// Of rules that the machine can't do.
    pub(super) fn interpreter(mut engine: Engine, rules: Vec<String>, limits: Limits) -> Self {
        engine.set_execution_timer_config(timer(limits));
        Self {
            kind: Kind::Interpreter {
                prototype: Box::new(engine),
                rules,
                idle: Mutex::new(Vec::new()),
            },
            limits,
        }
    }

    /// True where the machine does it.
    pub(super) fn is_machine(&self) -> bool {
        matches!(self.kind, Kind::Machine { .. })
    }

    /// Rules asked about one input at one time.
    pub(super) fn session(&self, input: Value, now: i64) -> Session<'_> {
        let taken = match &self.kind {
            Kind::Machine {
                program,
                data,
                idle,
            } => {
                let machine = locked(idle).pop();
                // What was made once can be made again.
                let made = || new_machine(program, data, self.limits).unwrap_or_default();
                let mut machine = machine.unwrap_or_else(made);
                machine.set_input(input);
                Taken::Machine(Box::new(machine))
            }
            Kind::Interpreter {
                prototype, idle, ..
            } => {
                let engine = locked(idle).pop();
                let mut engine = engine.unwrap_or_else(|| Engine::clone(prototype));
                engine.set_input(input);
                Taken::Interpreter(Box::new(engine))
            }
        };
        Session {
            of: self,
            taken: Some(taken),
            now,
        }
    }
}

fn locked<T>(idle: &Mutex<T>) -> MutexGuard<'_, T> {
    // A list of idle machines is whole whoever panicked while holding it.
    idle.lock().unwrap_or_else(PoisonError::into_inner)
}

fn new_machine(program: &Arc<Program>, data: &Value, limits: Limits) -> Result<RegoVM, VmError> {
    let mut machine = RegoVM::new();
    machine.set_execution_mode(ExecutionMode::Suspendable);
    machine.load_program(Arc::clone(program));
    machine.set_max_instructions(limits.instructions);
    machine.set_execution_timer_config(Some(timer(limits)));
    machine.set_data(data.clone())?;
    Ok(machine)
}

/// After so many units of work the time is looked at, and the units are counted.
const INTERVAL: u32 = 256;

thread_local! {
    /// How many looks the interpreter may still take on this thread: its count of instructions.
    static LOOKS: Cell<usize> = const { Cell::new(usize::MAX) };
}

/// The limit of time, looked at now and then.
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

/// Longer than any limit of time.
const NEVER: Duration = Duration::from_secs(1 << 40);

/// How long something took; what time it is, nobody is told.
struct Monotonic;

impl TimeSource for Monotonic {
    fn now(&self) -> Option<Duration> {
        static BEGIN: OnceLock<Instant> = OnceLock::new();
        let passed = BEGIN.get_or_init(Instant::now).elapsed();
        let left = LOOKS.get();
        LOOKS.set(left.saturating_sub(1));
        // Whoever has none left is later than any limit.
        Some(if left == 0 {
            passed.saturating_add(NEVER)
        } else {
            passed
        })
    }
}

enum Taken {
    Machine(Box<RegoVM>),
    Interpreter(Box<Engine>),
}

/// A machine that was taken for one request; it is given back where nothing went wrong.
pub(super) struct Session<'e> {
    of: &'e Evaluator,
    taken: Option<Taken>,
    now: i64,
}

impl Session<'_> {
    /// The value of a rule by its number.
    pub(super) fn ask(&mut self, rule: usize) -> Result<Value, Fault> {
        let asked = match (self.taken.as_mut(), &self.of.kind) {
            (Some(Taken::Machine(machine)), Kind::Machine { program, .. }) => {
                ask_machine(machine, program, rule, self.now)
            }
            (Some(Taken::Interpreter(engine)), Kind::Interpreter { rules, .. }) => {
                let looks = self.of.limits.instructions / INTERVAL as usize;
                LOOKS.set(looks.max(1));
                let asked = ask_interpreter(engine, rules.get(rule), self.now);
                LOOKS.set(usize::MAX);
                asked
            }
            _ => Err(Fault {
                is_limit: false,
                message: "the rules were given up after an error".to_owned(),
                place: None,
            }),
        };
        if asked.is_err() {
            self.taken = None;
        }
        asked
    }
}

impl Drop for Session<'_> {
    fn drop(&mut self) {
        match (self.taken.take(), &self.of.kind) {
            (Some(Taken::Machine(machine)), Kind::Machine { idle, .. }) => {
                let mut idle = locked(idle);
                if idle.len() < KEPT {
                    idle.push(*machine);
                }
            }
            (Some(Taken::Interpreter(engine)), Kind::Interpreter { idle, .. }) => {
                let mut idle = locked(idle);
                if idle.len() < KEPT {
                    idle.push(*engine);
                }
            }
            _ => {}
        }
    }
}

fn ask_machine(
    machine: &mut RegoVM,
    program: &Program,
    rule: usize,
    now: i64,
) -> Result<Value, Fault> {
    let mut result = machine.execute_entry_point_by_index(rule);
    loop {
        let value = result.map_err(|error| failed(machine, program, &error))?;
        let ExecutionState::Suspended { reason, .. } = machine.execution_state() else {
            return Ok(value);
        };
        let SuspendReason::HostAwait {
            argument,
            identifier,
            ..
        } = reason
        else {
            return Err(stopped(place_of(machine, program)));
        };
        let Some(answer) = answer(identifier, argument, now) else {
            return Err(stopped(place_of(machine, program)));
        };
        result = machine.resume(Some(answer));
    }
}

fn answer(name: &Value, argument: &Value, now: i64) -> Option<Value> {
    let name = name.as_string().map_or("", |name| name.as_ref());
    let arguments = argument.as_array().map(|array| array.to_vec());
    builtins::answer(name, &arguments.unwrap_or_default(), now)
}

fn stopped(place: Option<(String, u64)>) -> Fault {
    Fault {
        is_limit: true,
        message: "the rule was stopped at a limit".to_owned(),
        place,
    }
}

fn failed(machine: &RegoVM, program: &Program, error: &VmError) -> Fault {
    let place = place_of(machine, program);
    if matches!(
        error,
        VmError::InstructionLimitExceeded { .. }
            | VmError::TimeLimitExceeded { .. }
            | VmError::MemoryLimitExceeded { .. }
            | VmError::RegexSizeLimitExceeded { .. }
    ) {
        return stopped(place);
    }
    let text = error.to_string();
    let message = text.split(" (pc=").next().unwrap_or(&text);
    Fault {
        is_limit: false,
        message: message.to_owned(),
        place,
    }
}

/// The file and line of the instruction that a machine stands at.
fn place_of(machine: &RegoVM, program: &Program) -> Option<(String, u64)> {
    let span = program.instruction_spans.get(machine.get_pc())?.as_ref()?;
    let file = span.get_source_name(&program.sources)?;
    Some((file.to_owned(), span.line as u64))
}

fn ask_interpreter(engine: &mut Engine, rule: Option<&String>, now: i64) -> Result<Value, Fault> {
    let rule = rule.cloned().unwrap_or_default();
    builtins::at(now, || engine.eval_rule(rule)).map_err(|error| {
        if error.downcast_ref::<LimitError>().is_some()
            || error.to_string().contains(builtins::TOO_MANY)
        {
            return stopped(None);
        }
        let (place, message) = super::problems::taken_apart(&error.to_string());
        Fault {
            is_limit: false,
            message,
            place: place.map(|(file, line, _)| (file, line)),
        }
    })
}
