//! `dce`: operations, block parameters and stack slots that nothing needs.
//!
//! Aggressive about values: starts from what has an effect and marks what that uses, so that values
//! which only feed each other around a loop go too. Control flow stays as it is. Linear.
use super::Context;
use super::rewrite::definitions;
use super::simplify_cfg::retain_params;
use crate::ssa::{Callee, Function, Op, SlotId, Value};

/// Runs the pass.
pub fn run(function: &mut Function, _: &Context<'_>) -> bool {
    let mut live = vec![false; function.values.len()];
    let mut work = Vec::new();
    mark_needed(function, &mut live, &mut work);
    let definitions = definitions(function);
    // For each parameter: what edges pass for it.
    let mut passed: Vec<Vec<Value>> = vec![Vec::new(); function.values.len()];
    for block in &function.blocks {
        block.terminator.for_each_target(|target| {
            let params = &function.blocks[target.block.0 as usize].params;
            for (param, &arg) in params.iter().zip(&target.args) {
                passed[param.0 as usize].push(arg);
            }
        });
    }
    while let Some(value) = work.pop() {
        let mut mark = |value: Value| {
            if !std::mem::replace(&mut live[value.0 as usize], true) {
                work.push(value);
            }
        };
        match definitions[value.0 as usize] {
            Some((block, index)) => function.blocks[block.0 as usize].insts[index].op.for_each_operand(mark),
            None => passed[value.0 as usize].iter().copied().for_each(&mut mark),
        }
    }
    let mut changed = false;
    for block in &mut function.blocks {
        let count = block.insts.len();
        block
            .insts
            .retain(|inst| has_effect(&inst.op) || inst.result.is_some_and(|result| live[result.0 as usize]));
        changed |= block.insts.len() != count;
    }
    let kept: Vec<Option<Vec<bool>>> = (function.blocks.iter().enumerate())
        .map(|(at, block)| {
            // The entry's parameters are the function's.
            if at == 0 || block.params.iter().all(|param| live[param.0 as usize]) {
                return None;
            }
            Some(block.params.iter().map(|param| live[param.0 as usize]).collect())
        })
        .collect();
    if kept.iter().any(Option::is_some) {
        retain_params(function, &kept);
        changed = true;
    }
    changed | remove_slots(function)
}

/// Removes slots whose address is taken nowhere, and numbers the others anew.
fn remove_slots(function: &mut Function) -> bool {
    let mut used = vec![false; function.slots.len()];
    for inst in function.blocks.iter().flat_map(|block| &block.insts) {
        if let Op::SlotAddress(slot) = inst.op {
            used[slot.0 as usize] = true;
        }
    }
    if used.iter().all(|&used| used) {
        return false;
    }
    let mut numbers = Vec::with_capacity(used.len());
    let mut kept = Vec::new();
    for (&slot, used) in function.slots.iter().zip(used) {
        numbers.push(SlotId(kept.len() as u32));
        if used {
            kept.push(slot);
        }
    }
    function.slots = kept;
    for inst in function.blocks.iter_mut().flat_map(|block| &mut block.insts) {
        if let Op::SlotAddress(slot) = &mut inst.op {
            *slot = numbers[slot.0 as usize];
        }
    }
    true
}

fn mark_needed(function: &Function, live: &mut [bool], work: &mut Vec<Value>) {
    let mut mark = |value: Value| {
        if !std::mem::replace(&mut live[value.0 as usize], true) {
            work.push(value);
        }
    };
    for block in &function.blocks {
        for inst in block.insts.iter().filter(|inst| has_effect(&inst.op)) {
            inst.op.for_each_operand(&mut mark);
        }
        block.terminator.for_each_operand(&mut mark);
    }
}

/// Whether an operation must stay even if its result is not used.
fn has_effect(op: &Op) -> bool {
    match op {
        Op::Load { .. } => false,
        // C functions that only read.
        Op::Call { callee: Callee::Extern(name), .. } => !super::memory::only_reads(name),
        other => !other.is_pure(),
    }
}
