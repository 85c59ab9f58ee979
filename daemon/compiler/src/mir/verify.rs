//! Checks on final MIR that every body must pass; used by tests and by `verify` builds of the pipeline.
//!
//! Structure: blocks and locals exist, operands have the types their use asks for. Ownership, by dataflow over the
//! refcounted locals: a value is consumed at most once on every path, is there when it is used, is not overwritten
//! unreleased, and is gone at every return.
use std::collections::BTreeMap;

use super::body::{
    Block, Callee, LocalId, Mir, Operand, PassMode, Place, Projection, Rvalue, Statement, StatementKind,
    Terminator,
};
use super::modes::{intrinsic_modes, pass_modes, value_mode};
use super::tys::{field_tys, needs_drop, place_ty, repr, variant_tys};
use super::visit::{self, LocalSet, Touch, reverse_postorder, successors};
use crate::base::Db;
use crate::types::Ty;

/// What is wrong with a body; empty if nothing is.
pub fn verify(db: &dyn Db, mir: &Mir) -> Vec<String> {
    let mut verifier = Verifier { db, mir, errors: Vec::new() };
    for (i, block) in mir.blocks.iter().enumerate() {
        verifier.block(i, block);
    }
    if verifier.errors.is_empty() {
        verifier.ownership();
    }
    verifier.errors
}

struct Verifier<'a> {
    db: &'a dyn Db,
    mir: &'a Mir,
    errors: Vec<String>,
}

impl Verifier<'_> {
    fn block(&mut self, index: usize, block: &Block) {
        let at = |n: usize| format!("bb{index}[{n}]");
        for (n, statement) in block.statements.iter().enumerate() {
            let mut outside = false;
            visit::statement(statement, &mut |l, _| outside |= l.0 as usize >= self.mir.locals.len());
            if outside {
                self.errors.push(format!("{}: no such local", at(n)));
                continue;
            }
            if let Err(why) = self.statement(statement) {
                self.errors.push(format!("{}: {why}", at(n)));
            }
        }
        if successors(&block.terminator).iter().any(|b| b.0 as usize >= self.mir.blocks.len()) {
            self.errors.push(format!("bb{index}: jumps to no block"));
        }
        if let Terminator::Return(value) = &block.terminator {
            let expected = !matches!(self.mir.ret, Ty::Unit | Ty::Never);
            if value.is_some() != expected {
                self.errors.push(format!("bb{index}: returns the wrong number of values"));
            }
        }
    }

    fn place(&self, place: &Place) -> Result<Ty, String> {
        for projection in &place.projections {
            if let Projection::Index(index) = projection
                && self.mir.locals[index.0 as usize].ty != Ty::USIZE
            {
                return Err(format!("index _{} is no usize", index.0));
            }
        }
        match place_ty(self.db, &self.mir.locals, place) {
            Ty::Error => Err(format!("place of _{} has no type", place.local.0)),
            ty => Ok(ty),
        }
    }

    fn operand(&self, operand: &Operand, mode: PassMode) -> Result<(), String> {
        let (place, owned) = match operand {
            Operand::Copy(place) => (place, true),
            Operand::Move(place) if place.as_local().is_none() => {
                return Err("moves out of a part".to_owned());
            }
            Operand::Move(place) => (place, true),
            Operand::Borrow(place) => (place, false),
            Operand::Const(_) => return Ok(()),
        };
        let ty = self.place(place)?;
        match mode {
            PassMode::Place if !matches!(ty, Ty::Ref(true, _)) => Err("argument is no address".to_owned()),
            PassMode::Own if !owned && needs_drop(self.db, &ty) => {
                Err("borrows what must be owned".to_owned())
            }
            PassMode::Borrow if owned && needs_drop(self.db, &ty) => Err("owns what is borrowed".to_owned()),
            PassMode::Own | PassMode::Borrow | PassMode::Place => Ok(()),
        }
    }

    fn statement(&self, statement: &Statement) -> Result<(), String> {
        match &statement.kind {
            StatementKind::Assign(dest, value) => {
                self.place(dest)?;
                self.rvalue(value)
            }
            StatementKind::Drop(place) | StatementKind::Unique(place) => {
                let ty = self.place(place)?;
                if needs_drop(self.db, &ty) { Ok(()) } else { Err("the value is not refcounted".to_owned()) }
            }
            StatementKind::Check(..) => Ok(()),
            StatementKind::Call { callee, args, dest } => {
                if let Some(dest) = dest {
                    self.place(dest)?;
                }
                let modes = match callee {
                    Callee::Instance(instance) => pass_modes(self.db, *instance).to_vec(),
                    Callee::Intrinsic(intrinsic, _) => intrinsic_modes(*intrinsic).to_vec(),
                    Callee::Value(_, params, _) => params.iter().map(|t| value_mode(self.db, t)).collect(),
                    Callee::Extern(_, params, _) => vec![PassMode::Own; params.len()],
                };
                // Glue is given what its one kind of caller has.
                if modes.len() < args.len() {
                    return Err(format!("{} arguments for {} parameters", args.len(), modes.len()));
                }
                args.iter().zip(modes).try_for_each(|(arg, mode)| self.operand(arg, mode))
            }
        }
    }

    fn rvalue(&self, value: &Rvalue) -> Result<(), String> {
        let own = |all: &[Operand]| all.iter().try_for_each(|o| self.operand(o, PassMode::Own));
        match value {
            Rvalue::Use(a) | Rvalue::Unary(_, a) | Rvalue::Cast(a, _) => self.operand(a, PassMode::Own),
            Rvalue::Binary(_, a, b) | Rvalue::Compare(_, a, b) => {
                self.operand(a, PassMode::Own)?;
                self.operand(b, PassMode::Own)
            }
            Rvalue::Len(place) | Rvalue::StringByte(place, _) => match repr(&self.place(place)?) {
                Ty::List(_) | Ty::String | Ty::Bytes => Ok(()),
                _ => Err("length of what has none".to_owned()),
            },
            Rvalue::Tag(place) => match repr(&self.place(place)?) {
                Ty::Pick(..) => Ok(()),
                _ => Err("tag of what is no pick".to_owned()),
            },
            Rvalue::Record(ty, all) => {
                own(all)?;
                if field_tys(self.db, ty).len() == all.len() {
                    Ok(())
                } else {
                    Err("wrong number of fields".to_owned())
                }
            }
            Rvalue::Variant(ty, variant, all) => {
                own(all)?;
                let fits =
                    variant_tys(self.db, ty).get(*variant as usize).is_some_and(|t| t.len() == all.len());
                if fits { Ok(()) } else { Err("wrong payload".to_owned()) }
            }
            Rvalue::List(_, all) => own(all),
            Rvalue::AddressOf(place) => self.place(place).map(|_| ()),
        }
    }

    /// Follows which refcounted locals hold a value. Drops guarded by a flag are taken on trust: there the
    /// local may or may not hold one.
    fn ownership(&mut self) {
        let count = self.mir.locals.len();
        let tracked: Vec<bool> = self.mir.locals.iter().map(|l| needs_drop(self.db, &l.ty)).collect();
        let flagged = self.flagged();
        let mut entry: BTreeMap<usize, LocalSet> = BTreeMap::new();
        let mut start = LocalSet::new(count);
        for i in 0..self.mir.params.len() {
            start.insert(LocalId(i as u32));
        }
        entry.insert(0, start);
        let mut found: Vec<String> = Vec::new();
        for id in reverse_postorder(self.mir) {
            let index = id.0 as usize;
            let Some(mut state) = entry.get(&index).cloned() else { continue };
            let block = &self.mir.blocks[index];
            let mut step = |local: LocalId, touch: Touch, state: &mut LocalSet, at: &str| {
                let i = local.0 as usize;
                if !tracked[i] || flagged.contains(local) {
                    return;
                }
                let held = state.contains(local);
                let borrowed = self.mir.params.get(i).is_some_and(|m| *m != PassMode::Own);
                match touch {
                    Touch::Copy | Touch::Use if !held => {
                        found.push(format!("{at}: _{i} is used but holds nothing"))
                    }
                    Touch::Move | Touch::Drop if !held => found.push(format!("{at}: _{i} is consumed twice")),
                    Touch::Move | Touch::Drop if borrowed => {
                        found.push(format!("{at}: _{i} is not ours to consume"))
                    }
                    Touch::Assign if held => found.push(format!("{at}: _{i} is overwritten unreleased")),
                    Touch::Copy | Touch::Use | Touch::Move | Touch::Drop | Touch::Assign => {}
                }
                match touch {
                    Touch::Move | Touch::Drop => state.remove(local),
                    Touch::Assign => state.insert(local),
                    Touch::Copy | Touch::Use => {}
                }
            };
            for (n, statement) in block.statements.iter().enumerate() {
                let at = format!("bb{index}[{n}]");
                visit::statement(statement, &mut |l, t| step(l, t, &mut state, &at));
            }
            visit::terminator(&block.terminator, &mut |l, t| step(l, t, &mut state, &format!("bb{index}")));
            if matches!(block.terminator, Terminator::Return(_)) {
                for (i, _) in tracked.iter().enumerate().filter(|(_, t)| **t) {
                    let local = LocalId(i as u32);
                    let borrowed = self.mir.params.get(i).is_some_and(|m| *m != PassMode::Own);
                    if state.contains(local) && !borrowed && !flagged.contains(local) {
                        found.push(format!("bb{index}: _{i} leaks"));
                    }
                }
            }
            for next in successors(&block.terminator) {
                match entry.get(&(next.0 as usize)) {
                    None => {
                        entry.insert(next.0 as usize, state.clone());
                    }
                    Some(known) => {
                        for (i, _) in tracked.iter().enumerate().filter(|(_, t)| **t) {
                            let local = LocalId(i as u32);
                            let differs = known.contains(local) != state.contains(local);
                            // A local that holds a value on one way in only must not matter any more: no flag
                            // says which way was taken.
                            if differs && !flagged.contains(local) && known.contains(local) {
                                found.push(format!(
                                    "bb{index} -> bb{}: _{i} is held on another way in",
                                    next.0
                                ));
                            } else if differs && !flagged.contains(local) {
                                found.push(format!(
                                    "bb{index} -> bb{}: _{i} is held on this way in only",
                                    next.0
                                ));
                            }
                        }
                    }
                }
            }
        }
        self.errors.append(&mut found);
    }

    /// Locals with a drop guarded by a flag: an unnamed bool that is only assigned constants.
    fn flagged(&self) -> LocalSet {
        let mut set = LocalSet::new(self.mir.locals.len());
        for block in &self.mir.blocks {
            let Terminator::Branch(Operand::Copy(cond), release, _) = &block.terminator else { continue };
            let Some(flag) = cond.as_local() else { continue };
            let body = &self.mir.blocks[release.0 as usize].statements;
            if let [first, second, ..] = body.as_slice()
                && let StatementKind::Drop(place) = &first.kind
                && let (Some(local), StatementKind::Assign(cleared, _)) = (place.as_local(), &second.kind)
                && cleared.as_local() == Some(flag)
            {
                set.insert(local);
            }
        }
        set
    }
}
