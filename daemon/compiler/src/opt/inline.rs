//! `inline`: calls of small procs become their bodies.
//!
//! Bodies come from [`Context::callees`], cleaned up but with nothing inlined into them, so that what a
//! function becomes depends on the bodies of what it calls and never on the order of work. Calls in
//! inlined bodies are looked at in turn; a body is never inlined into itself. A body is taken if it is
//! small (by level) and the function does not grow beyond a multiple of its size; tiny ones always.
//! Linear in what is read and made. Instructions keep their source.
use std::collections::HashMap;
use std::sync::Arc;

use super::Context;
use crate::base::OptLevel;
use crate::mono::Instance;
use crate::ssa::{Block, BlockId, Callee, Function, Op, SlotId, Target, Terminator, Type, Value};

/// What inlining may cost, in the units of [`cost`].
struct Budget {
    /// Largest body.
    body: usize,
    /// How far bodies may nest.
    depth: usize,
    /// Largest result: this many times the function's own cost, plus `base`.
    growth: usize,
    base: usize,
}

/// Bodies up to this cost are no larger than the call.
const TINY: usize = 8;

/// No function grows beyond this.
const LARGEST: usize = 20_000;

fn budget(level: OptLevel) -> Budget {
    match level {
        OptLevel::O0 => Budget { body: 0, depth: 0, growth: 1, base: 0 },
        OptLevel::O1 => Budget { body: 30, depth: 4, growth: 2, base: 100 },
        OptLevel::O2 => Budget { body: 80, depth: 6, growth: 3, base: 300 },
        OptLevel::O3 => Budget { body: 200, depth: 8, growth: 6, base: 1500 },
    }
}

/// A body that may be inlined.
struct Candidate {
    body: Arc<Function>,
    cost: usize,
    /// Its reachable blocks.
    order: Vec<BlockId>,
}

/// Which bodies a block is inlined from: an entry of [`Inliner::chains`].
type ChainId = usize;

struct Inliner<'a> {
    context: &'a Context<'a>,
    candidates: HashMap<Instance, Option<Arc<Candidate>>>,
    /// The body, the chain that its call stood in, and how many bodies that makes.
    chains: Vec<(Option<Instance>, ChainId, usize)>,
    cost: usize,
    limit: usize,
    budget: Budget,
    changed: bool,
}

/// Runs the pass.
pub fn run(function: &mut Function, context: &Context<'_>) -> bool {
    let budget = budget(context.level);
    let order = function.reverse_post_order();
    let returns =
        |block: &BlockId| matches!(function.blocks[block.0 as usize].terminator, Terminator::Return(_));
    if !order.iter().any(returns) {
        // It runs once, and ends in a panic or an exit.
        return false;
    }
    let cost = cost(function, &order);
    let mut inliner = Inliner {
        context,
        candidates: HashMap::new(),
        chains: vec![(context.instance, 0, 0)],
        cost,
        limit: (cost * budget.growth + budget.base).min(LARGEST),
        budget,
        changed: false,
    };
    let mut work: Vec<(BlockId, ChainId)> = order.into_iter().rev().map(|block| (block, 0)).collect();
    while let Some((block, chain)) = work.pop() {
        inliner.block(function, block, chain, &mut work);
    }
    inliner.changed
}

/// Roughly the instructions that a function becomes.
fn cost(function: &Function, order: &[BlockId]) -> usize {
    let op_cost = |op: &Op| match op {
        Op::Int(_) | Op::Float(_) | Op::SlotAddress(_) => 0,
        Op::Unary(..)
        | Op::Binary(..)
        | Op::Compare(..)
        | Op::Convert(..)
        | Op::Select(..)
        | Op::SymbolAddress(_)
        | Op::Load { .. }
        | Op::Store { .. } => 1,
        Op::Retain { .. } | Op::Check { .. } => 2,
        Op::Call { args, .. } => 4 + args.len(),
        Op::Release { .. } | Op::Alloc { .. } => 5,
        Op::Unique { .. } => 6,
    };
    let block_cost = |block: &BlockId| {
        let block = &function.blocks[block.0 as usize];
        block.insts.iter().map(|inst| op_cost(&inst.op)).sum::<usize>() + 1
    };
    order.iter().map(block_cost).sum()
}

impl Inliner<'_> {
    /// Cuts a block at each call that is inlined.
    fn block(
        &mut self,
        function: &mut Function,
        block: BlockId,
        chain: ChainId,
        work: &mut Vec<(BlockId, ChainId)>,
    ) {
        let has_call =
            |inst: &crate::ssa::Inst| matches!(inst.op, Op::Call { callee: Callee::Instance(_), .. });
        if !function.blocks[block.0 as usize].insts.iter().any(has_call) {
            return;
        }
        let insts = std::mem::take(&mut function.blocks[block.0 as usize].insts);
        let mut at = block;
        for inst in insts {
            let found = match &inst.op {
                Op::Call { callee: Callee::Instance(callee), args } => {
                    let types: Vec<Type> = args.iter().map(|&arg| function.ty(arg)).collect();
                    let ret = inst.result.map(|result| function.ty(result));
                    self.accept(*callee, chain, &types, ret)
                        .map(|candidate| (*callee, candidate, args.clone()))
                }
                _ => None,
            };
            let Some((callee, candidate, args)) = found else {
                function.blocks[at.0 as usize].insts.push(inst);
                continue;
            };
            self.changed = true;
            self.cost += candidate.cost;
            let depth = self.chains[chain].2 + 1;
            self.chains.push((Some(callee), chain, depth));
            let rest = Block {
                params: inst.result.into_iter().collect(),
                insts: Vec::new(),
                terminator: Terminator::Unreachable,
            };
            let next = BlockId(function.blocks.len() as u32);
            function.blocks.push(rest);
            let terminator =
                std::mem::replace(&mut function.blocks[at.0 as usize].terminator, Terminator::Unreachable);
            function.blocks[next.0 as usize].terminator = terminator;
            let entry = copy(function, &candidate, &args, next);
            function.blocks[at.0 as usize].terminator =
                Terminator::Jump(Target { block: entry, args: Vec::new() });
            let inner = self.chains.len() - 1;
            let copied = entry.0..function.blocks.len() as u32;
            work.extend(copied.rev().map(|block| (BlockId(block), inner)));
            at = next;
        }
    }

    /// The body of a callee, if this call of it is to be inlined.
    fn accept(
        &mut self,
        callee: Instance,
        chain: ChainId,
        args: &[Type],
        ret: Option<Type>,
    ) -> Option<Arc<Candidate>> {
        if self.chains[chain].2 >= self.budget.depth {
            return None;
        }
        let mut at = chain;
        loop {
            let (body, parent, depth) = self.chains[at];
            if body == Some(callee) {
                return None;
            }
            if depth == 0 {
                break;
            }
            at = parent;
        }
        let candidate = match self.candidates.get(&callee) {
            Some(known) => known.clone(),
            None => {
                let made = self.candidate(callee).map(Arc::new);
                self.candidates.insert(callee, made.clone());
                made
            }
        }?;
        let fits = candidate.cost <= TINY || self.cost + candidate.cost <= self.limit;
        let params = candidate.body.params().iter().map(|&param| candidate.body.ty(param));
        (fits && self.cost < LARGEST && candidate.body.ret == ret && params.eq(args.iter().copied()))
            .then_some(candidate)
    }

    fn candidate(&self, callee: Instance) -> Option<Candidate> {
        let body = self.context.callees.body(callee)?;
        let (order, cost) = inlinable(&body, &self.budget)?;
        Some(Candidate { body, cost, order })
    }
}

/// Whether a body may be inlined at this level at all. For others the pass does not care what they are.
pub fn is_candidate(body: &Function, level: OptLevel) -> bool {
    inlinable(body, &budget(level)).is_some()
}

/// The reachable blocks of a body that may be inlined, and what it costs.
fn inlinable(body: &Function, budget: &Budget) -> Option<(Vec<BlockId>, usize)> {
    let order = body.reverse_post_order();
    // Procs that never return panic: nothing is gained.
    let returns = |block: &BlockId| matches!(body.blocks[block.0 as usize].terminator, Terminator::Return(_));
    let cost = cost(body, &order);
    if cost > budget.body || !order.iter().any(returns) {
        return None;
    }
    // Beside a loop the call costs little.
    let loops = order.iter().enumerate().any(|(at, block)| {
        let mut back = false;
        let terminator = &body.blocks[block.0 as usize].terminator;
        terminator.for_each_target(|target| back |= order[..=at].contains(&target.block));
        back
    });
    let largest = if loops { budget.body / 3 } else { budget.body };
    (cost <= largest).then_some((order, cost))
}

/// Appends a body's blocks; its returns go to `next`. Gives the entry, which is the first of the new blocks.
fn copy(function: &mut Function, candidate: &Candidate, args: &[Value], next: BlockId) -> BlockId {
    let body = &candidate.body;
    let slots = function.slots.len() as u32;
    function.slots.extend(body.slots.iter().copied());
    let first = function.blocks.len() as u32;
    let mut blocks = vec![BlockId(0); body.blocks.len()];
    for (index, block) in candidate.order.iter().enumerate() {
        blocks[block.0 as usize] = BlockId(first + index as u32);
    }
    let values: Vec<Value> = body.values.iter().map(|&ty| function.new_value(ty)).collect();
    let mut values = values;
    for (&param, &arg) in body.params().iter().zip(args) {
        values[param.0 as usize] = arg;
    }
    for &block in &candidate.order {
        let mut block_data = body.blocks[block.0 as usize].clone();
        if block.0 == 0 {
            block_data.params.clear();
        }
        for param in &mut block_data.params {
            *param = values[param.0 as usize];
        }
        for inst in &mut block_data.insts {
            inst.op.for_each_operand_mut(|value| *value = values[value.0 as usize]);
            if let Some(result) = &mut inst.result {
                *result = values[result.0 as usize];
            }
            if let Op::SlotAddress(slot) = &mut inst.op {
                *slot = SlotId(slot.0 + slots);
            }
        }
        block_data.terminator.for_each_value_mut(|value| *value = values[value.0 as usize]);
        block_data.terminator.for_each_target_mut(|target| target.block = blocks[target.block.0 as usize]);
        if let Terminator::Return(value) = block_data.terminator {
            block_data.terminator =
                Terminator::Jump(Target { block: next, args: value.into_iter().collect() });
        }
        function.blocks.push(block_data);
    }
    BlockId(first)
}
