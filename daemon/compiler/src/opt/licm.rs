//! `licm`: loads that a loop does not change leave it.
//!
//! Only loads in a loop's header that run before anything with an effect move, to the end of the one
//! block that enters the loop: they would have run anyway, so nothing is read that was not read before.
//! Pure operations stay: the code generator moves those (and knows the registers). Linear.
use super::Context;
use super::memory::Memory;
use super::rewrite::definitions;
use crate::ssa::{BlockId, Cfg, Function, Op, Terminator};

/// Runs the pass.
pub fn run(function: &mut Function, _: &Context<'_>) -> bool {
    let cfg = Cfg::new(function);
    let headers: Vec<(BlockId, BlockId)> =
        cfg.order.iter().filter_map(|&at| Some((at, entering(function, &cfg, at)?))).collect();
    if headers.is_empty() {
        return false;
    }
    let memory = Memory::new(function, &cfg);
    let mut defined_in: Vec<Option<BlockId>> =
        definitions(function).into_iter().map(|place| place.map(|(block, _)| block)).collect();
    for &block in &cfg.order {
        for param in &function.blocks[block.0 as usize].params {
            defined_in[param.0 as usize] = Some(block);
        }
    }
    // What is current at the start of headers and at the end of the blocks that enter them.
    let mut changed = false;
    for (header, before) in headers {
        let entry = memory.walk(header).current;
        let mut walk = memory.walk(before);
        function.blocks[before.0 as usize].insts.iter().for_each(|inst| walk.pass(inst));
        let leaving = walk.current;
        let outside = |block: Option<BlockId>| {
            block.is_some_and(|block| block != header && cfg.dominates(block, header))
        };
        let insts = std::mem::take(&mut function.blocks[header.0 as usize].insts);
        let mut stay = Vec::with_capacity(insts.len());
        let mut effect = false;
        for inst in insts {
            let movable = match (&inst.op, inst.result) {
                (Op::Load { address, alias, .. }, Some(_)) => {
                    !effect
                        && outside(defined_in[address.0 as usize])
                        && entry.of(*alias) == leaving.of(*alias)
                }
                _ => false,
            };
            effect |= !inst.op.is_pure() && !matches!(inst.op, Op::Load { .. });
            if movable {
                if let Some(result) = inst.result {
                    defined_in[result.0 as usize] = Some(before);
                }
                function.blocks[before.0 as usize].insts.push(inst);
                changed = true;
            } else {
                stay.push(inst);
            }
        }
        function.blocks[header.0 as usize].insts = stay;
    }
    changed
}

/// The block that enters the loop of a header, if there is one that goes nowhere else.
fn entering(function: &Function, cfg: &Cfg, header: BlockId) -> Option<BlockId> {
    let mut outside = None;
    let mut is_loop = false;
    for &predecessor in cfg.predecessors(header) {
        if cfg.is_back_edge(predecessor, header) {
            is_loop = true;
        } else if outside.replace(predecessor).is_some() {
            return None;
        }
    }
    let outside = outside.filter(|_| is_loop)?;
    matches!(function.blocks[outside.0 as usize].terminator, Terminator::Jump(_)).then_some(outside)
}
