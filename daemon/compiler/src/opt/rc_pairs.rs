//! `rc-pairs`: reference counting that cancels out.
//!
//! Within a block (which `simplify-cfg` makes as long as it can be):
//! - Objects that live forever need no counting.
//! - `retain x … release x` goes if nothing in between can read a count or lower one, or if the block
//!   releases `x` once more later without retaining it again: then some other reference lives all the
//!   while, nobody sees a count of one, and the object outlives the pair either way.
//! - `unique x` is `x` if its count is one: it was made here or is the result of another `unique`, and
//!   has not been retained, stored or passed on since.
//!
//! Linear; nested pairs need one more round each, up to [`ROUNDS`].
use std::collections::{HashMap, HashSet};

use super::Context;
use super::memory::keeps_memory;
use super::rewrite::Replacements;
use crate::ssa::{Alias, Block, Callee, Function, Inst, ObjectRepr, Op, Symbol, Type, Value};

/// How often a block is looked at while pairs are found in it.
const ROUNDS: usize = 4;

/// Runs the pass.
pub fn run(function: &mut Function, _: &Context<'_>) -> bool {
    let immortal = immortals(function);
    let mut changed = false;
    let mut replacements = Replacements::new(function);
    for at in 0..function.blocks.len() {
        let block = &mut function.blocks[at];
        let count = block.insts.len();
        block.insts.retain(|inst| match &inst.op {
            Op::Retain { value, .. } | Op::Release { value, .. } => !immortal.contains(value),
            _ => true,
        });
        let types = &function.values;
        for _ in 0..ROUNDS {
            if !remove_pairs(block, types) {
                break;
            }
        }
        remove_uniques(block, &mut replacements);
        changed |= block.insts.len() != count;
    }
    replacements.apply(function);
    changed
}

/// Values that are addresses of objects which are never freed, or stand for variants without payload.
fn immortals(function: &Function) -> HashSet<Value> {
    let mut immortal = HashSet::new();
    let mut tagged = HashSet::new();
    for inst in function.blocks.iter().flat_map(|block| &block.insts) {
        match (&inst.op, inst.result) {
            (Op::SymbolAddress(Symbol::Literal(_) | Symbol::EmptyList | Symbol::Const(_)), Some(result)) => {
                immortal.insert(result);
            }
            (Op::Int(value), Some(result)) if value & 1 == 1 => {
                tagged.insert(result);
            }
            _ => {}
        }
    }
    // An odd number is no object only where the value may be one.
    for inst in function.blocks.iter().flat_map(|block| &block.insts) {
        if let Op::Retain { value, repr: ObjectRepr::Tagged }
        | Op::Release { value, repr: ObjectRepr::Tagged, .. } = &inst.op
            && tagged.contains(value)
        {
            immortal.insert(*value);
        }
    }
    immortal
}

/// Whether an instruction can read a reference count or lower one.
fn observes_counts(inst: &Inst, types: &[Type]) -> bool {
    let is_word = |value: Value| types[value.0 as usize] == Type::I64;
    match &inst.op {
        Op::Call { callee: Callee::Extern(name), .. } => !keeps_memory(name) || name == "free",
        Op::Call { .. } | Op::Release { .. } | Op::Unique { .. } => true,
        Op::Load { alias: Alias::Count, .. } => true,
        Op::Load { alias: Alias::Unknown, .. } => inst.result.is_some_and(is_word),
        Op::Store { alias: Alias::Unknown, value, .. } => is_word(*value),
        // Only new objects get their count by a store of this class.
        Op::Store { .. } | Op::Load { .. } => false,
        Op::Retain { .. } | Op::Alloc { .. } | Op::Check { .. } => false,
        Op::Int(_)
        | Op::Float(_)
        | Op::Unary(..)
        | Op::Binary(..)
        | Op::Compare(..)
        | Op::Convert(..)
        | Op::Select(..)
        | Op::SlotAddress(_)
        | Op::SymbolAddress(_) => false,
    }
}

/// What follows in the block, seen from its end, of one object.
#[derive(Default)]
struct Later {
    /// Releases, each with the number of observers behind it; the last is the nearest.
    releases: Vec<(usize, usize)>,
}

fn remove_pairs(block: &mut Block, types: &[Type]) -> bool {
    let mut later: HashMap<Value, Later> = HashMap::new();
    let mut removed: HashSet<usize> = HashSet::new();
    let mut observers = 0;
    for (index, inst) in block.insts.iter().enumerate().rev() {
        match &inst.op {
            Op::Retain { value, .. } => {
                let Some(known) = later.get_mut(value) else { continue };
                let Some((release, then)) = known.releases.pop() else { continue };
                if then == observers || !known.releases.is_empty() {
                    removed.insert(index);
                    removed.insert(release);
                }
            }
            Op::Release { value, .. } => {
                observers += 1;
                later.entry(*value).or_default().releases.push((index, observers));
            }
            _ if observes_counts(inst, types) => observers += 1,
            _ => {}
        }
    }
    if removed.is_empty() {
        return false;
    }
    let mut index = 0;
    block.insts.retain(|_| {
        index += 1;
        !removed.contains(&(index - 1))
    });
    true
}

fn remove_uniques(block: &mut Block, replacements: &mut Replacements) {
    // Objects with a count of one; whether their address stands in memory.
    let mut alone: HashMap<Value, bool> = HashMap::new();
    block.insts.retain(|inst| {
        match &inst.op {
            Op::Unique { value, .. } => {
                let known = replacements.resolve(*value);
                let Some(result) = inst.result else { return true };
                if alone.contains_key(&known) {
                    replacements.set(result, known);
                    return false;
                }
                alone.insert(result, false);
            }
            Op::Alloc { .. } => {
                if let Some(result) = inst.result {
                    alone.insert(result, false);
                }
            }
            Op::Store { value, alias, .. } => {
                // A count of one's own is stored only into new objects.
                let value = replacements.resolve(*value);
                if let Some(stored) = alone.get_mut(&value) {
                    *stored = true;
                }
                if *alias == Alias::Unknown {
                    alone.retain(|_, stored| !*stored);
                }
            }
            // Another name for the object.
            Op::Select(_, yes, no) => {
                for value in [yes, no] {
                    if let Some(stored) = alone.get_mut(&replacements.resolve(*value)) {
                        *stored = true;
                    }
                }
            }
            // The object may be one whose address was stored.
            Op::Retain { value, .. } | Op::Release { value, .. } => {
                let value = replacements.resolve(*value);
                alone.retain(|&object, stored| object != value && !*stored);
            }
            Op::Call { args, .. } => {
                let args: Vec<Value> = args.iter().map(|&arg| replacements.resolve(arg)).collect();
                alone.retain(|object, stored| !args.contains(object) && !*stored);
            }
            _ => {}
        }
        true
    });
}
