//! Raw MIR to final MIR: last copies become moves, drops become exact, blocks that nothing reaches disappear.
//!
//! Liveness is the textbook backward analysis, with one addition: while a temporary holds the address of a local,
//! a use of the temporary is a use of the local. A local whose address is kept anywhere else is never moved
//! implicitly. Drops follow the "elaborate drops" scheme of rustc: with the sets of maybe and surely filled locals at
//! hand, a drop goes away, stays, or is guarded by a flag.
use std::collections::BTreeMap;

use super::body::{
    Block, BlockId, Callee, Const, Local, LocalId, Mir, Operand, PassMode, Place, Rvalue, Statement,
    StatementKind, Terminator,
};
use super::tys::{holds_address, needs_drop};
use super::visit::{self, LocalSet, Touch, map_successors, operands_mut, reverse_postorder, successors};
use crate::base::Db;
use crate::types::{Intrinsic, Ty};

/// Makes moves and drops exact.
pub(super) fn elaborate(db: &dyn Db, mut mir: Mir) -> Mir {
    simplify(&mut mir);
    let tracked: Vec<bool> = mir.locals.iter().map(|l| needs_drop(db, &l.ty)).collect();
    let addresses = Addresses::find(&mir);
    last_uses(&mut mir, &tracked, &addresses);
    drops(&mut mir, &tracked);
    simplify(&mut mir);
    mir
}

/// Which locals hold the address of which.
struct Addresses {
    /// The local that a temporary points into.
    root: BTreeMap<LocalId, LocalId>,
    /// Locals whose address outlives the temporaries.
    pinned: Vec<bool>,
}

impl Addresses {
    fn find(mir: &Mir) -> Self {
        let mut root = BTreeMap::new();
        let mut pinned = vec![false; mir.locals.len()];
        for statement in mir.blocks.iter().flat_map(|b| &b.statements) {
            if let StatementKind::Assign(dest, Rvalue::AddressOf(place)) = &statement.kind {
                let temporary = dest
                    .as_local()
                    .filter(|d| mir.locals[d.0 as usize].name.is_none() && !root.contains_key(d));
                match temporary {
                    Some(dest) => {
                        root.insert(dest, place.local);
                    }
                    None => pinned[place.local.0 as usize] = true,
                }
            }
        }
        let mut leak = |local: LocalId| {
            if let Some(root) = root.get(&local) {
                pinned[root.0 as usize] = true;
            }
        };
        for block in &mir.blocks {
            for statement in &block.statements {
                match &statement.kind {
                    // An argument's address may come back in the result.
                    StatementKind::Call { callee, args, dest: Some(dest) } => {
                        let local = &mir.locals[dest.local.0 as usize];
                        let raw = matches!(callee, Callee::Intrinsic(Intrinsic::PlaceAddr, _));
                        if raw || !dest.projections.is_empty() || holds_address(&local.ty) {
                            args.iter().filter_map(operand_local).for_each(&mut leak);
                        }
                    }
                    StatementKind::Call { dest: None, .. } => {}
                    StatementKind::Assign(_, Rvalue::AddressOf(_)) => {}
                    StatementKind::Assign(_, _) => visit::statement(statement, &mut |local, touch| {
                        if touch == Touch::Copy || touch == Touch::Move {
                            let copied = operand_of_assign(statement) == Some(local);
                            if copied {
                                leak(local);
                            }
                        }
                    }),
                    StatementKind::Drop(_) | StatementKind::Unique(_) | StatementKind::Check(..) => {}
                }
            }
            if let Terminator::Return(Some(value)) = &block.terminator {
                operand_local(value).into_iter().for_each(&mut leak);
            }
        }
        Self { root, pinned }
    }

    /// The local that is used when `local` is, besides itself.
    fn root_of(&self, local: LocalId) -> Option<LocalId> {
        self.root.get(&local).copied()
    }
}

fn operand_local(operand: &Operand) -> Option<LocalId> {
    match operand {
        Operand::Copy(place) | Operand::Move(place) | Operand::Borrow(place) => place.as_local(),
        Operand::Const(_) => None,
    }
}

/// The whole local that an assignment copies as it is.
fn operand_of_assign(statement: &Statement) -> Option<LocalId> {
    match &statement.kind {
        StatementKind::Assign(_, Rvalue::Use(operand)) => operand_local(operand),
        // Inside an object: every local among the operands.
        StatementKind::Assign(
            _,
            Rvalue::Record(_, all) | Rvalue::Variant(_, _, all) | Rvalue::List(_, all),
        ) => all.iter().find_map(operand_local),
        _ => None,
    }
}

/// Turns copies of whole locals that are not used afterwards into moves.
fn last_uses(mir: &mut Mir, tracked: &[bool], addresses: &Addresses) {
    let count = mir.locals.len();
    let order = reverse_postorder(mir);
    let mut live_in = vec![LocalSet::new(count); mir.blocks.len()];
    let used = |set: &mut LocalSet, local: LocalId| {
        set.insert(local);
        if let Some(root) = addresses.root_of(local) {
            set.insert(root);
        }
    };
    let before_statement = |set: &mut LocalSet, statement: &Statement| {
        visit::statement(statement, &mut |local, touch| {
            if touch == Touch::Assign {
                set.remove(local);
            }
        });
        visit::statement(statement, &mut |local, touch| match touch {
            Touch::Copy | Touch::Use | Touch::Move => used(set, local),
            Touch::Drop | Touch::Assign => {}
        });
    };
    let live_out = |live_in: &[LocalSet], block: &Block| {
        let mut set = LocalSet::new(count);
        for next in successors(&block.terminator) {
            set.union(&live_in[next.0 as usize]);
        }
        visit::terminator(&block.terminator, &mut |local, _| used(&mut set, local));
        set
    };
    let mut changed = true;
    while changed {
        changed = false;
        for id in order.iter().rev() {
            let block = &mir.blocks[id.0 as usize];
            let mut set = live_out(&live_in, block);
            for statement in block.statements.iter().rev() {
                before_statement(&mut set, statement);
            }
            changed |= live_in[id.0 as usize].union(&set);
        }
    }
    let parameters = mir.params.clone();
    let movable = |local: LocalId| {
        let i = local.0 as usize;
        tracked[i] && !addresses.pinned[i] && parameters.get(i).is_none_or(|mode| *mode == PassMode::Own)
    };
    for id in &order {
        let mut set = live_out(&live_in, &mir.blocks[id.0 as usize]);
        let block = &mut mir.blocks[id.0 as usize];
        for statement in block.statements.iter_mut().rev() {
            let mut mentions: BTreeMap<LocalId, usize> = BTreeMap::new();
            visit::statement(statement, &mut |local, touch| {
                if touch != Touch::Assign {
                    *mentions.entry(local).or_default() += 1;
                    if let Some(root) = addresses.root_of(local) {
                        *mentions.entry(root).or_default() += 1;
                    }
                }
            });
            let after = set.clone();
            before_statement(&mut set, statement);
            let assigned = match &statement.kind {
                StatementKind::Assign(place, _) => Some(place.local),
                StatementKind::Call { dest, .. } => dest.as_ref().map(|d| d.local),
                StatementKind::Drop(_) | StatementKind::Unique(_) | StatementKind::Check(..) => None,
            };
            for operand in operands_mut(statement) {
                if let Operand::Copy(place) = operand
                    && let Some(local) = place.as_local()
                    && movable(local)
                    && !after.contains(local)
                    && assigned != Some(local)
                    && mentions.get(&local) == Some(&1)
                {
                    *operand = Operand::Move(Place::local(local));
                }
            }
        }
    }
}

/// What is known about which locals hold a value.
#[derive(Clone, PartialEq)]
struct Filled {
    maybe: LocalSet,
    surely: LocalSet,
}

impl Filled {
    fn apply(&mut self, local: LocalId, touch: Touch) {
        match touch {
            Touch::Assign => {
                self.maybe.insert(local);
                self.surely.insert(local);
            }
            Touch::Move | Touch::Drop => {
                self.maybe.remove(local);
                self.surely.remove(local);
            }
            Touch::Copy | Touch::Use => {}
        }
    }
}

/// Removes drops of locals that hold nothing, and guards those of locals that may hold nothing.
fn drops(mir: &mut Mir, tracked: &[bool]) {
    let count = mir.locals.len();
    let order = reverse_postorder(mir);
    let mut entry: Vec<Option<Filled>> = vec![None; mir.blocks.len()];
    let mut start = Filled { maybe: LocalSet::new(count), surely: LocalSet::new(count) };
    for i in 0..mir.params.len() {
        start.apply(LocalId(i as u32), Touch::Assign);
    }
    entry[0] = Some(start);
    let mut changed = true;
    while changed {
        changed = false;
        for id in &order {
            let Some(mut state) = entry[id.0 as usize].clone() else { continue };
            let block = &mir.blocks[id.0 as usize];
            for statement in &block.statements {
                visit::statement(statement, &mut |local, touch| state.apply(local, touch));
            }
            visit::terminator(&block.terminator, &mut |local, touch| state.apply(local, touch));
            for next in successors(&block.terminator) {
                match &mut entry[next.0 as usize] {
                    Some(known) => {
                        let more = known.maybe.union(&state.maybe);
                        let less = known.surely.intersect(&state.surely);
                        changed |= more || less;
                    }
                    unknown @ None => {
                        *unknown = Some(state.clone());
                        changed = true;
                    }
                }
            }
        }
    }
    let mut guarded = LocalSet::new(count);
    let mut any_guarded = false;
    for id in &order {
        let Some(mut state) = entry[id.0 as usize].clone() else { continue };
        let block = &mut mir.blocks[id.0 as usize];
        block.statements.retain(|statement| {
            let mut keep = true;
            if let StatementKind::Drop(place) = &statement.kind
                && let Some(local) = place.as_local()
            {
                keep = state.maybe.contains(local) && tracked[local.0 as usize];
                if keep && !state.surely.contains(local) {
                    guarded.insert(local);
                    any_guarded = true;
                }
            }
            visit::statement(statement, &mut |local, touch| state.apply(local, touch));
            keep
        });
    }
    if any_guarded {
        add_flags(mir, &guarded, &entry);
    }
}

/// Gives each guarded local a flag that says whether it holds a value, and splits blocks at its guarded drops.
fn add_flags(mir: &mut Mir, guarded: &LocalSet, entry: &[Option<Filled>]) {
    let mut flags = BTreeMap::new();
    for i in 0..mir.locals.len() {
        let local = LocalId(i as u32);
        if guarded.contains(local) {
            let node = mir.locals[i].node;
            flags.insert(local, LocalId(mir.locals.len() as u32));
            mir.locals.push(Local { ty: Ty::Bool, name: None, node });
        }
    }
    let set_flag = |flag: LocalId, value: bool, node| Statement {
        node,
        kind: StatementKind::Assign(
            Place::local(flag),
            Rvalue::Use(Operand::Const(Const::Int(i128::from(value), Ty::Bool))),
        ),
    };
    for (index, state) in entry.iter().enumerate() {
        let Some(mut state) = state.clone() else { continue };
        let statements = std::mem::take(&mut mir.blocks[index].statements);
        let terminator = std::mem::replace(&mut mir.blocks[index].terminator, Terminator::Unreachable);
        let mut current = index;
        if index == 0 {
            for (&local, &flag) in &flags {
                let node = mir.locals[local.0 as usize].node;
                mir.blocks[0].statements.push(set_flag(flag, state.surely.contains(local), node));
            }
        }
        for statement in statements {
            let node = statement.node;
            let dropped = match &statement.kind {
                StatementKind::Drop(place) => place.as_local().filter(|l| flags.contains_key(l)),
                _ => None,
            };
            let unsure = dropped.filter(|l| !state.surely.contains(*l));
            let mut updates = Vec::new();
            visit::statement(&statement, &mut |local, touch| {
                state.apply(local, touch);
                if let Some(&flag) = flags.get(&local) {
                    match touch {
                        Touch::Assign => updates.push(set_flag(flag, true, node)),
                        Touch::Move | Touch::Drop => updates.push(set_flag(flag, false, node)),
                        Touch::Copy | Touch::Use => {}
                    }
                }
            });
            if let Some(&flag) = unsure.and_then(|l| flags.get(&l)) {
                let first = mir.blocks.len() as u32;
                let (release, after) = (BlockId(first), BlockId(first + 1));
                let held = Operand::Copy(Place::local(flag));
                mir.blocks[current].terminator = Terminator::Branch(held, release, after);
                let mut body = vec![statement];
                body.append(&mut updates);
                mir.blocks.push(Block { statements: body, terminator: Terminator::Goto(after) });
                mir.blocks.push(Block { statements: Vec::new(), terminator: Terminator::Unreachable });
                current = after.0 as usize;
            } else {
                mir.blocks[current].statements.push(statement);
                mir.blocks[current].statements.append(&mut updates);
            }
        }
        mir.blocks[current].terminator = terminator;
    }
}

/// Removes unreachable blocks, skips empty ones, joins a block with its only predecessor, and numbers blocks in
/// reverse postorder.
pub(super) fn simplify(mir: &mut Mir) {
    let target = |mir: &Mir, mut id: BlockId| {
        // Bounded, since empty blocks may form a cycle: an endless loop.
        for _ in 0..mir.blocks.len() {
            let block = &mir.blocks[id.0 as usize];
            match &block.terminator {
                Terminator::Goto(next) if block.statements.is_empty() && *next != id => id = *next,
                _ => break,
            }
        }
        id
    };
    for i in 0..mir.blocks.len() {
        let mut terminator = std::mem::replace(&mut mir.blocks[i].terminator, Terminator::Unreachable);
        map_successors(&mut terminator, &|id| if id.0 as usize == i { id } else { target(mir, id) });
        mir.blocks[i].terminator = terminator;
    }
    let mut predecessors = vec![0usize; mir.blocks.len()];
    for &id in &reverse_postorder(mir) {
        for next in successors(&mir.blocks[id.0 as usize].terminator) {
            predecessors[next.0 as usize] += 1;
        }
    }
    for id in reverse_postorder(mir) {
        let i = id.0 as usize;
        while let Terminator::Goto(next) = mir.blocks[i].terminator {
            let n = next.0 as usize;
            if n == i || n == 0 || predecessors[n] != 1 {
                break;
            }
            let statements = std::mem::take(&mut mir.blocks[n].statements);
            let terminator = std::mem::replace(&mut mir.blocks[n].terminator, Terminator::Unreachable);
            mir.blocks[i].statements.extend(statements);
            mir.blocks[i].terminator = terminator;
        }
    }
    let order = reverse_postorder(mir);
    let mut number = vec![BlockId(0); mir.blocks.len()];
    for (new, old) in order.iter().enumerate() {
        number[old.0 as usize] = BlockId(new as u32);
    }
    let mut blocks = Vec::with_capacity(order.len());
    for old in order {
        let empty = Block { statements: Vec::new(), terminator: Terminator::Unreachable };
        let mut block = std::mem::replace(&mut mir.blocks[old.0 as usize], empty);
        map_successors(&mut block.terminator, &|id| number[id.0 as usize]);
        blocks.push(block);
    }
    mir.blocks = blocks;
}
