//! Which programs the machine may evaluate: those in which no rule can have two values at once.
//!
//! Two values of one rule are an error in Rego. The interpreter says so; the machine takes such a rule
//! for undefined, and behind a `not` that would be an allowance. So a program is given to the machine
//! only where its shape leaves no room for two values.

use regorus::rvm::Instruction;
use regorus::rvm::instructions::ComprehensionMode;
use regorus::rvm::program::{Program, RuleInfo, RuleType};

/// True where some rule of a program might have two values at once.
pub(super) fn may_conflict(program: &Program) -> bool {
    let makes_objects = program.instruction_data.comprehension_begin_params.iter();
    let mut makes_objects = makes_objects.map(|begin| &begin.mode);
    makes_objects.any(|mode| matches!(mode, ComprehensionMode::Object))
        || program
            .rule_infos
            .iter()
            .any(|rule| has_room(program, rule))
}

fn has_room(program: &Program, rule: &RuleInfo) -> bool {
    match rule.rule_type {
        RuleType::PartialSet => false,
        RuleType::PartialObject => true,
        // All of its statements give one and the same value.
        RuleType::Complete if rule.early_exit_on_first_success => false,
        RuleType::Complete => match rule.definitions.as_slice() {
            [] => false,
            [bodies] => bodies.iter().any(|begin| loops(program, *begin)),
            _ => true,
        },
    }
}

/// True where a body goes through a collection outside a comprehension, so that its value may be one of
/// several.
fn loops(program: &Program, begin: u32) -> bool {
    let begin = usize::try_from(begin).unwrap_or(usize::MAX);
    let mut depth = 0_usize;
    for instruction in program.instructions.iter().skip(begin) {
        match instruction {
            Instruction::RuleReturn {} if depth == 0 => return false,
            Instruction::ComprehensionBegin { .. } => depth += 1,
            Instruction::ComprehensionEnd {} => depth = depth.saturating_sub(1),
            Instruction::LoopStart { .. } if depth == 0 => return true,
            _ => {}
        }
    }
    true
}
