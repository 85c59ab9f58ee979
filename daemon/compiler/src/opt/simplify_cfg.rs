//! `simplify-cfg`: fewer blocks and edges.
//!
//! In this order, each step linear in the size of the function (edge threading: times a constant):
//! decided branches become jumps; edges to blocks that only jump on (or branch on what the edge passes)
//! go straight to the end of the way; two edges to one block become a `select`; parameters that always
//! get one value go; a block with one predecessor that has no other way joins it; blocks that control
//! cannot reach are emptied.
use super::Context;
use super::const_prop::chosen;
use super::rewrite::{Replacements, clear, count_uses, define, int_constants};
use crate::ssa::{BlockId, Function, Op, Target, Terminator, Value};

/// How many blocks an edge is threaded through.
const HOPS: usize = 32;

/// How many `select`s replace one branch.
const SELECTS: usize = 2;

/// Runs the pass.
pub fn run(function: &mut Function, _: &Context<'_>) -> bool {
    let mut changed = decide(function);
    changed |= clear_unreachable(function);
    changed |= thread(function);
    changed |= clear_unreachable(function);
    changed |= select(function);
    changed |= remove_redundant_params(function);
    changed |= merge(function);
    changed
}

/// Branches whose outcome is known, or does not matter, become jumps.
fn decide(function: &mut Function) -> bool {
    let constants = int_constants(function);
    let known = |value: Value| constants[value.0 as usize];
    let mut changed = false;
    for block in &mut function.blocks {
        let target = match &mut block.terminator {
            Terminator::Branch(condition, yes, no) => match known(*condition) {
                Some(0) => no.clone(),
                Some(_) => yes.clone(),
                None if yes == no => yes.clone(),
                None => continue,
            },
            Terminator::Switch { value, cases, default } => {
                if let Some(value) = known(*value) {
                    chosen(value, cases, default).clone()
                } else {
                    let count = cases.len();
                    cases.retain(|(_, target)| target != default);
                    changed |= cases.len() != count;
                    if !cases.is_empty() {
                        continue;
                    }
                    default.clone()
                }
            }
            Terminator::Jump(_) | Terminator::Return(_) | Terminator::Unreachable => continue,
        };
        block.terminator = Terminator::Jump(target);
        changed = true;
    }
    changed
}

fn clear_unreachable(function: &mut Function) -> bool {
    let mut reached = vec![false; function.blocks.len()];
    for block in function.reverse_post_order() {
        reached[block.0 as usize] = true;
    }
    let mut changed = false;
    for (block, reached) in function.blocks.iter_mut().zip(reached) {
        if !reached {
            changed |= !block.insts.is_empty() || block.terminator != Terminator::Unreachable;
            clear(block);
        }
    }
    changed
}

/// Sends edges to blocks without instructions on to where those go.
fn thread(function: &mut Function) -> bool {
    let uses = count_uses(function);
    let constants = int_constants(function);
    // Blocks that edges can skip: nothing outside uses their parameters.
    let skippable: Vec<bool> = (function.blocks.iter().enumerate())
        .map(|(at, block)| {
            if at == 0 || !block.insts.is_empty() {
                return false;
            }
            let decides = match &block.terminator {
                Terminator::Jump(_) => true,
                Terminator::Branch(value, ..) | Terminator::Switch { value, .. } => {
                    block.params.contains(value)
                }
                Terminator::Return(_) | Terminator::Unreachable => false,
            };
            if !decides {
                return false;
            }
            let mut own = 0;
            super::rewrite::for_each_terminator_use(&block.terminator, |value| {
                own += u32::from(block.params.contains(&value));
            });
            own == block.params.iter().map(|param| uses[param.0 as usize]).sum::<u32>()
        })
        .collect();
    let step = |target: &Target| -> Option<Target> {
        let block = &function.blocks[target.block.0 as usize];
        if !skippable[target.block.0 as usize] {
            return None;
        }
        let passed = |value: Value| {
            let index = block.params.iter().position(|&param| param == value);
            index.and_then(|index| target.args.get(index).copied()).unwrap_or(value)
        };
        let known = |value: Value| constants[passed(value).0 as usize];
        let next = match &block.terminator {
            Terminator::Jump(next) => next,
            Terminator::Branch(value, yes, no) => match known(*value)? {
                0 => no,
                _ => yes,
            },
            Terminator::Switch { value, cases, default } => chosen(known(*value)?, cases, default),
            Terminator::Return(_) | Terminator::Unreachable => return None,
        };
        Some(Target { block: next.block, args: next.args.iter().map(|&arg| passed(arg)).collect() })
    };
    let mut threaded: Vec<(usize, Terminator)> = Vec::new();
    for (at, block) in function.blocks.iter().enumerate() {
        let mut terminator = None;
        let mut edge = 0;
        block.terminator.for_each_target(|target| {
            let mut end = None;
            for _ in 0..HOPS {
                match step(end.as_ref().unwrap_or(target)) {
                    Some(next) => end = Some(next),
                    None => break,
                }
            }
            if let Some(end) = end {
                let terminator = terminator.get_or_insert_with(|| block.terminator.clone());
                let mut index = 0;
                terminator.for_each_target_mut(|target| {
                    if index == edge {
                        *target = end.clone();
                    }
                    index += 1;
                });
            }
            edge += 1;
        });
        threaded.extend(terminator.filter(|next| *next != block.terminator).map(|next| (at, next)));
    }
    let changed = !threaded.is_empty();
    for (at, terminator) in threaded {
        function.blocks[at].terminator = terminator;
    }
    changed
}

/// `branch c, b(x), b(y)` becomes `jump b(select c, x, y)`.
fn select(function: &mut Function) -> bool {
    let mut changed = false;
    for at in 0..function.blocks.len() {
        let Terminator::Branch(condition, yes, no) = &function.blocks[at].terminator else { continue };
        let differ = yes.args.iter().zip(&no.args).filter(|(a, b)| a != b).count();
        if yes.block != no.block || differ > SELECTS {
            continue;
        }
        let (condition, mut target, no) = (*condition, yes.clone(), no.args.clone());
        for (arg, other) in target.args.iter_mut().zip(no) {
            if *arg != other {
                let result = function.new_value(function.ty(other));
                let inst = define(result, Op::Select(condition, *arg, other));
                function.blocks[at].insts.push(inst);
                *arg = result;
            }
        }
        function.blocks[at].terminator = Terminator::Jump(target);
        changed = true;
    }
    changed
}

/// What edges pass for a parameter, itself not counted.
#[derive(Clone, Copy, PartialEq)]
enum Incoming {
    Nothing,
    One(Value),
    Several,
}

/// Removes parameters that always get one and the same value. Once around a cycle of parameters
/// that pass each other on is not seen through; the next run may.
fn remove_redundant_params(function: &mut Function) -> bool {
    let mut replacements = Replacements::new(function);
    // In reverse post-order a chain of such parameters goes in one round.
    let order = function.reverse_post_order();
    let mut incoming = vec![Incoming::Nothing; function.values.len()];
    let mut again = true;
    let mut rounds = 0;
    while again && rounds < 4 {
        again = false;
        rounds += 1;
        incoming.fill(Incoming::Nothing);
        for block in &order {
            function.blocks[block.0 as usize].terminator.for_each_target(|target| {
                let params = &function.blocks[target.block.0 as usize].params;
                for (&param, &arg) in params.iter().zip(&target.args) {
                    let (arg, param) = (replacements.resolve(arg), replacements.resolve(param));
                    if arg == param {
                        continue;
                    }
                    let entry = &mut incoming[param.0 as usize];
                    *entry = match *entry {
                        Incoming::Nothing => Incoming::One(arg),
                        Incoming::One(known) if known == arg => Incoming::One(arg),
                        Incoming::One(_) | Incoming::Several => Incoming::Several,
                    };
                }
            });
        }
        for block in order.iter().skip(1) {
            for &param in &function.blocks[block.0 as usize].params {
                if replacements.resolve(param) == param
                    && let Incoming::One(value) = incoming[param.0 as usize]
                    && replacements.resolve(value) != param
                {
                    replacements.set(param, value);
                    again = true;
                }
            }
        }
    }
    if !replacements.any() {
        return false;
    }
    let mut keep = |value: Value| replacements.resolve(value) == value;
    let kept: Vec<Option<Vec<bool>>> = (function.blocks.iter())
        .map(|block| {
            let kept: Vec<bool> = block.params.iter().map(|&param| keep(param)).collect();
            kept.contains(&false).then_some(kept)
        })
        .collect();
    retain_params(function, &kept);
    replacements.apply(function);
    true
}

/// Drops block parameters and what edges pass for them. `None`: all stay.
pub(super) fn retain_params(function: &mut Function, kept: &[Option<Vec<bool>>]) {
    let filter = |values: &mut Vec<Value>, kept: &Option<Vec<bool>>| {
        if let Some(kept) = kept {
            let mut keep = kept.iter();
            values.retain(|_| keep.next().copied().unwrap_or(true));
        }
    };
    for (block, kept_params) in function.blocks.iter_mut().zip(kept) {
        filter(&mut block.params, kept_params);
        block
            .terminator
            .for_each_target_mut(|target| filter(&mut target.args, &kept[target.block.0 as usize]));
    }
}

/// Appends blocks to their only predecessors.
fn merge(function: &mut Function) -> bool {
    let mut edges = vec![0_u32; function.blocks.len()];
    let order = function.reverse_post_order();
    for block in &order {
        let terminator = &function.blocks[block.0 as usize].terminator;
        terminator.for_each_target(|target| edges[target.block.0 as usize] += 1);
    }
    let mut replacements = Replacements::new(function);
    let mut merged = vec![false; function.blocks.len()];
    let mut changed = false;
    for &BlockId(at) in &order {
        if merged[at as usize] {
            continue;
        }
        while let Terminator::Jump(target) = &function.blocks[at as usize].terminator {
            let next = target.block.0 as usize;
            if next == 0 || next == at as usize || edges[next] != 1 {
                break;
            }
            let args = target.args.clone();
            let block = &mut function.blocks[next];
            let params = std::mem::take(&mut block.params);
            let mut insts = std::mem::take(&mut block.insts);
            let terminator = std::mem::replace(&mut block.terminator, Terminator::Unreachable);
            for (param, arg) in params.into_iter().zip(args) {
                replacements.set(param, arg);
            }
            let block = &mut function.blocks[at as usize];
            block.insts.append(&mut insts);
            block.terminator = terminator;
            merged[next] = true;
            changed = true;
        }
    }
    replacements.apply(function);
    changed
}
