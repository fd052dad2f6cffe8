//! The machine that evaluates: compiled rules asked within limits, on any number of threads.
//!
//! Rules become a program of the evaluator's virtual machine, which counts its instructions, keeps its
//! own stack and asks this program for what only it may know. What that machine can't do (`with`, a few
//! forms of partial objects, very large rules) or does otherwise ([`super::conflicts`]) is evaluated by
//! the interpreter of the same crate, which is slower.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use regorus::rvm::RegoVM;
use regorus::rvm::program::Program;
use regorus::rvm::vm::{ExecutionMode, ExecutionState, SuspendReason, VmError};
use regorus::{Engine, LimitError, Value};

use super::settings::Limits;
use super::{builtins, watch};

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
        engine.set_execution_timer_config(watch::timer(limits));
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
    machine.set_execution_timer_config(Some(watch::timer(limits)));
    machine.set_data(data.clone())?;
    Ok(machine)
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
        let counts_work = !self.of.is_machine();
        let (mut asked, is_memory) = watch::within(self.of.limits, counts_work, || {
            match (self.taken.as_mut(), &self.of.kind) {
                (Some(Taken::Machine(machine)), Kind::Machine { program, .. }) => {
                    ask_machine(machine, program, rule, self.now)
                }
                (Some(Taken::Interpreter(engine)), Kind::Interpreter { rules, .. }) => {
                    ask_interpreter(engine, rules.get(rule), self.now)
                }
                _ => Err(Fault {
                    is_limit: false,
                    message: "the rules were given up after an error".to_owned(),
                    place: None,
                }),
            }
        });
        if let Err(fault) = &mut asked
            && is_memory
        {
            fault.is_limit = true;
            watch::MEMORY.clone_into(&mut fault.message);
        }
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
        let answer = answer(identifier, argument, now).filter(|_| !watch::is_late());
        let Some(answer) = answer else {
            return Err(stopped(place_of(machine, program)));
        };
        result = machine.resume(Some(answer));
    }
}

fn answer(name: &Value, argument: &Value, now: i64) -> Option<Value> {
    let name = name.as_string().map_or("", |name| name.as_ref());
    let arguments = argument.as_array().map(regorus::value::Array::to_vec);
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
