//! `slots`: stack slots whose address goes nowhere become values.
//!
//! A local that was passed by reference lives in a slot; once the callee is inlined, only loads and
//! stores remain. Construction of SSA as in [`crate::ssa::build`], over a finished graph: a join gets a
//! parameter only where a value is asked for. Linear in accesses and joins that need one.
use std::collections::{HashMap, VecDeque};

use super::Context;
use super::rewrite::{Replacements, define};
use crate::ssa::{BlockId, Cfg, Function, Inst, Op, SlotId, Type, Value};

/// Runs the pass.
pub fn run(function: &mut Function, _: &Context<'_>) -> bool {
    if function.slots.is_empty() {
        return false;
    }
    let (addresses, types) = promotable(function);
    if types.iter().all(Option::is_none) {
        return false;
    }
    let cfg = Cfg::new(function);
    let slot_of = |value: Value| addresses[value.0 as usize].filter(|slot| types[slot.0 as usize].is_some());
    let mut replacements = Replacements::new(function);
    let mut promotion =
        Promotion { cfg: &cfg, leaves: HashMap::new(), enters: HashMap::new(), joins: VecDeque::new() };
    // Loads that find no store before them in their block.
    let mut open: Vec<(BlockId, SlotId, Value)> = Vec::new();
    for &block in &cfg.order {
        let data = &mut function.blocks[block.0 as usize];
        let mut current: HashMap<SlotId, Value> = HashMap::new();
        data.insts.retain(|inst| match &inst.op {
            Op::Load { address, .. } => {
                let (Some(slot), Some(result)) = (slot_of(*address), inst.result) else { return true };
                match current.get(&slot) {
                    Some(&value) => replacements.set(result, value),
                    None => {
                        open.push((block, slot, result));
                        current.insert(slot, result);
                    }
                }
                false
            }
            Op::Store { address, value, .. } => match slot_of(*address) {
                Some(slot) => {
                    current.insert(slot, *value);
                    false
                }
                None => true,
            },
            _ => true,
        });
        promotion.leaves.extend(current.into_iter().map(|(slot, value)| ((block, slot), value)));
    }
    for (block, slot, result) in open {
        let Some(ty) = types[slot.0 as usize] else { continue };
        let value = promotion.on_entry(function, block, slot, ty);
        replacements.set(result, value);
    }
    while let Some((block, slot)) = promotion.joins.pop_front() {
        let Some(ty) = types[slot.0 as usize] else { continue };
        let mut predecessors = cfg.predecessors(block).to_vec();
        predecessors.dedup();
        for predecessor in predecessors {
            let value = promotion.on_leaving(function, predecessor, slot, ty);
            function.blocks[predecessor.0 as usize].terminator.for_each_target_mut(|target| {
                if target.block == block {
                    target.args.push(value);
                }
            });
        }
    }
    replacements.apply(function);
    true
}

/// By value: the slot whose address it is. By slot: the type of what it holds, if it can be promoted.
fn promotable(function: &Function) -> (Vec<Option<SlotId>>, Vec<Option<Type>>) {
    let mut addresses = vec![None; function.values.len()];
    for inst in function.blocks.iter().flat_map(|block| &block.insts) {
        if let (Op::SlotAddress(slot), Some(result)) = (&inst.op, inst.result) {
            addresses[result.0 as usize] = Some(*slot);
        }
    }
    let mut types: Vec<Option<Type>> = vec![None; function.slots.len()];
    let mut escapes = vec![false; function.slots.len()];
    let access = |slot: SlotId, offset: i32, ty: Type, types: &mut [Option<Type>]| {
        offset == 0 && *types[slot.0 as usize].get_or_insert(ty) == ty
    };
    for block in &function.blocks {
        for inst in &block.insts {
            let mut escape = |value: Value| {
                if let Some(slot) = addresses[value.0 as usize] {
                    escapes[slot.0 as usize] = true;
                }
            };
            match (&inst.op, inst.result) {
                (Op::Load { address, offset, .. }, Some(result)) => {
                    if let Some(slot) = addresses[address.0 as usize]
                        && !access(slot, *offset, function.ty(result), &mut types)
                    {
                        escape(*address);
                    }
                }
                (Op::Store { address, offset, value, .. }, _) => {
                    escape(*value);
                    if let Some(slot) = addresses[address.0 as usize]
                        && !access(slot, *offset, function.ty(*value), &mut types)
                    {
                        escape(*address);
                    }
                }
                (op, _) => op.for_each_operand(escape),
            }
        }
        super::rewrite::for_each_terminator_use(&block.terminator, |value| {
            if let Some(slot) = addresses[value.0 as usize] {
                escapes[slot.0 as usize] = true;
            }
        });
    }
    for (ty, escapes) in types.iter_mut().zip(escapes) {
        if escapes {
            *ty = None;
        }
    }
    (addresses, types)
}

struct Promotion<'a> {
    cfg: &'a Cfg,
    /// What slots hold at the end of blocks.
    leaves: HashMap<(BlockId, SlotId), Value>,
    /// What slots hold at the start of blocks.
    enters: HashMap<(BlockId, SlotId), Value>,
    /// Parameters that edges pass nothing for yet, in the order in which they were added.
    joins: VecDeque<(BlockId, SlotId)>,
}

impl Promotion<'_> {
    fn on_leaving(&mut self, function: &mut Function, block: BlockId, slot: SlotId, ty: Type) -> Value {
        match self.leaves.get(&(block, slot)) {
            Some(&value) => value,
            None => self.on_entry(function, block, slot, ty),
        }
    }

    fn on_entry(&mut self, function: &mut Function, block: BlockId, slot: SlotId, ty: Type) -> Value {
        let mut passed = Vec::new();
        let mut at = block;
        let value = loop {
            if let Some(&value) = self.enters.get(&(at, slot)) {
                break value;
            }
            passed.push(at);
            match self.cfg.predecessors(at) {
                // Read before it is written, on a path that never uses what it holds.
                [] => {
                    let value = function.new_value(ty);
                    let op = if ty.is_float() { Op::Float(0) } else { Op::Int(0) };
                    let inst: Inst = define(value, op);
                    function.blocks[at.0 as usize].insts.insert(0, inst);
                    break value;
                }
                [only] => match self.leaves.get(&(*only, slot)) {
                    Some(&value) => break value,
                    None => at = *only,
                },
                _ => {
                    let value = function.new_value(ty);
                    function.blocks[at.0 as usize].params.push(value);
                    self.joins.push_back((at, slot));
                    break value;
                }
            }
        };
        self.enters.extend(passed.into_iter().map(|block| ((block, slot), value)));
        value
    }
}
