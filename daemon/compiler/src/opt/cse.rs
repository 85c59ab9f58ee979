//! `cse`: common subexpressions, loads included.
//!
//! Walks the dominator tree with a table of what is already computed (Briggs, Cooper, Simpson, "Value
//! Numbering", 1997, the dominator-based variant). Loads are told apart by the version of memory they
//! see ([`super::memory`]); a load that finds what a store wrote becomes that value. Nearly linear.
use std::collections::HashMap;

use super::Context;
use super::memory::{Access, Found, Memory, Version, Versions};
use super::rewrite::Replacements;
use crate::ssa::layout::CAPACITY;
use crate::ssa::{Alias, BinaryOp, Cfg, CompareOp, Function, Op, Type, Value};

#[derive(PartialEq, Eq, Hash)]
enum Key {
    Pure(Op, Type),
    Load(Access, Version),
}

/// What is computed already, with what must be undone on leaving a part of the dominator tree.
#[derive(Default)]
struct Table {
    known: HashMap<Key, Value>,
    /// By depth: keys that were added.
    scopes: Vec<(usize, Vec<Key>)>,
}

/// Runs the pass.
pub fn run(function: &mut Function, _: &Context<'_>) -> bool {
    let cfg = Cfg::new(function);
    let memory = Memory::new(function, &cfg);
    let mut replacements = Replacements::new(function);
    // For each result of `unique`: what it copies, and the versions at that time.
    let mut copies: HashMap<Value, (Value, Versions)> = HashMap::new();
    let mut table = Table::default();
    for (at, &block) in cfg.preorder().iter().enumerate() {
        table.enter(at, cfg.leave(block));
        let mut walk = memory.walk(block);
        let data = &function.blocks[block.0 as usize];
        for inst in &data.insts {
            let current = walk.current;
            walk.pass(inst);
            let Some(result) = inst.result else { continue };
            let ty = function.ty(result);
            match &inst.op {
                op if op.is_pure() => {
                    let mut op = op.clone();
                    op.for_each_operand_mut(|value| *value = replacements.resolve(*value));
                    let key = Key::Pure(canonical(op), ty);
                    match table.known.get(&key) {
                        Some(&known) => replacements.set(result, known),
                        None => table.add(key, result),
                    }
                }
                Op::Load { address, offset, alias } => {
                    let access = Access { address: *address, offset: *offset, ty, alias: *alias };
                    let found = memory.find(function, &cfg, access, current);
                    let resolved = Access { address: replacements.resolve(*address), ..access };
                    match found {
                        Found::Stored(value) => replacements.set(result, value),
                        Found::Versions(versions) => {
                            let key = |access, version| Key::Load(access, version);
                            // The copy has all contents of the original, but a count and a capacity of its own.
                            let own =
                                *alias == Alias::Count || *alias == Alias::Unknown || *offset == CAPACITY;
                            let copied = copies.get(&resolved.address).filter(|_| !own);
                            let known = versions.iter().find_map(|&version| {
                                let same = table.known.get(&key(resolved, version));
                                same.or_else(|| {
                                    let (original, then) = copied?;
                                    let access = Access { address: *original, ..resolved };
                                    (then.of(*alias) == version)
                                        .then(|| table.known.get(&key(access, version)))?
                                })
                            });
                            match known {
                                Some(&known) => replacements.set(result, known),
                                None => table.add(key(resolved, current.of(*alias)), result),
                            }
                        }
                    }
                }
                Op::Unique { value, .. } => {
                    copies.insert(result, (replacements.resolve(*value), current));
                }
                _ => {}
            }
        }
    }
    let changed = replacements.any();
    replacements.apply(function);
    changed
}

impl Table {
    /// Goes to the block that is `at` in pre-order and whose part of the tree ends at `leave`.
    fn enter(&mut self, at: usize, leave: usize) {
        while let Some((end, _)) = self.scopes.last()
            && *end <= at
        {
            if let Some((_, keys)) = self.scopes.pop() {
                for key in keys {
                    self.known.remove(&key);
                }
            }
        }
        self.scopes.push((leave, Vec::new()));
    }

    fn add(&mut self, key: Key, value: Value) {
        let twin = match &key {
            Key::Pure(op, ty) => Key::Pure(op.clone(), *ty),
            Key::Load(access, version) => Key::Load(*access, *version),
        };
        if self.known.insert(key, value).is_none()
            && let Some((_, keys)) = self.scopes.last_mut()
        {
            keys.push(twin);
        }
    }
}

/// One spelling of operations that mean the same.
fn canonical(op: Op) -> Op {
    match op {
        Op::Binary(op, a, b) if op.commutes() && b < a && !matches!(op, BinaryOp::FAdd | BinaryOp::FMul) => {
            Op::Binary(op, b, a)
        }
        Op::Compare(op, a, b) => {
            let (op, a, b) = match op {
                CompareOp::SGt => (CompareOp::SLt, b, a),
                CompareOp::SGe => (CompareOp::SLe, b, a),
                CompareOp::UGt => (CompareOp::ULt, b, a),
                CompareOp::UGe => (CompareOp::ULe, b, a),
                CompareOp::Eq | CompareOp::Ne if b < a => (op, b, a),
                other => (other, a, b),
            };
            Op::Compare(op, a, b)
        }
        other => other,
    }
}
