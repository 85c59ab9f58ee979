//! Calls: arguments in order, places by address, copy-in copy-out where places overlap (§8.3).
use super::super::body::{
    Callee, Const, LocalId, Operand, PassMode, Place, Projection, Rvalue, StatementKind, Terminator,
};
use super::super::modes::{intrinsic_modes, pass_modes, value_mode};
use super::super::tys::{core_proc_item, needs_drop, object_of, repr};
use super::super::walk::{is_place, root};
use super::place::Pending;
use super::{Builder, Loan, in_mode};
use crate::lower::NodeId;
use crate::lower::hir::LayoutQuery;
use crate::lower::hir::{Abi, BinaryOp, ParamMode};
use crate::mono::{Instance, InstanceKind};
use crate::types::thir::{self, Arg, Expr, ExprKind};
use crate::types::traits::dispatch;
use crate::types::{Intrinsic, Ty, proc_data, ty_name};

/// An argument after its evaluation.
enum Passed {
    /// A value.
    Value(Operand),
    /// The place of a `ref mut` or written form argument; the address is taken when all are evaluated.
    Place { pending: Pending, place: Place },
    /// A copy of the place, written back after the call if the callee changed it.
    CopyInOut { pending: Pending, slot: LocalId, before: LocalId },
}

impl Builder<'_> {
    pub(super) fn call(&mut self, dest: Option<LocalId>, callee: &thir::Callee, args: &[Arg], ret: &Ty) {
        let ret = self.ty(ret);
        let mut moved: Vec<bool> = Vec::new();
        // Of a procedure value: what its code takes first.
        let mut object = None;
        let (callee, modes) = match callee {
            thir::Callee::Proc(item, tys) => {
                let tys: Vec<Ty> = tys.iter().map(|t| self.ty(t)).collect();
                let (item, tys) = dispatch(self.db, *item, &tys);
                let data = proc_data(self.db, item);
                if self.length(dest, item, args) {
                    return;
                }
                moved = data.params.iter().map(|p| p.mode == ParamMode::Move).collect();
                let instance = Instance::new(self.db, InstanceKind::Proc(item, tys));
                let mut modes = pass_modes(self.db, instance).to_vec();
                if data.abi == Abi::C {
                    // A text stays ours while C reads it.
                    for arg in args.iter().filter(|arg| arg.value.ty == Ty::String) {
                        if let Some(mode) = modes.get_mut(arg.param as usize) {
                            *mode = PassMode::Borrow;
                        }
                    }
                }
                let callee = match data.abi {
                    Abi::Vitte | Abi::Intrinsic => Callee::Instance(instance),
                    Abi::C => Callee::Extern(
                        item.name(self.db).clone(),
                        data.params.iter().map(|p| p.ty.clone()).collect(),
                        data.ret.clone(),
                    ),
                };
                (callee, modes)
            }
            thir::Callee::Intrinsic(intrinsic, tys) => {
                let tys: Vec<Ty> = tys.iter().map(|t| self.ty(t)).collect();
                if let Some(constant) = self.known_intrinsic(*intrinsic, &tys) {
                    if let Some(dest) = dest {
                        self.assign(dest, Rvalue::Use(Operand::Const(constant)));
                    }
                    return;
                }
                match (intrinsic, tys.first()) {
                    (Intrinsic::Hash, Some(ty)) => {
                        let instance = Instance::new(self.db, InstanceKind::Hash(repr(ty).clone()));
                        (Callee::Instance(instance), pass_modes(self.db, instance).to_vec())
                    }
                    _ => (Callee::Intrinsic(*intrinsic, tys), intrinsic_modes(*intrinsic).to_vec()),
                }
            }
            thir::Callee::Value(value) => {
                let ty = self.ty(&value.ty);
                let operand = self.operand(value);
                let later: Vec<&Expr> = args.iter().map(|a| &a.value).collect();
                // The object lives at least as long as the call.
                let held = match operand {
                    Operand::Copy(place) | Operand::Move(place) | Operand::Borrow(place)
                        if place.as_local().is_some() && !self.changed_by(value, &later) =>
                    {
                        place
                    }
                    operand => Place::local(self.temp_with(repr(&ty).clone(), Rvalue::Use(operand))),
                };
                let Ty::Proc(params, ret) = repr(&ty).clone() else { return };
                let modes: Vec<PassMode> = params.iter().map(|t| value_mode(self.db, t)).collect();
                object = Some(Operand::Borrow(held.clone()));
                let code = self.code_of(held, repr(&ty));
                let taken = std::iter::once(repr(&ty).clone()).chain(params.iter().cloned()).collect();
                (Callee::Value(code, taken, Ty::clone(&ret)), modes)
            }
        };
        self.note_clashes(args);
        let passed = self.arguments(args, &modes, &moved);
        self.emit_call(dest, (callee, object), args, &modes, passed, &ret);
    }

    /// The address of the code of a procedure value.
    fn code_of(&mut self, value: Place, ty: &Ty) -> Operand {
        let mut intrinsic = |intrinsic, ty: &Ty, arg, result: Ty| {
            let dest = self.temp(result);
            self.push(StatementKind::Call {
                callee: Callee::Intrinsic(intrinsic, vec![ty.clone()]),
                args: vec![arg],
                dest: Some(Place::local(dest)),
            });
            Operand::Copy(Place::local(dest))
        };
        let bits = intrinsic(Intrinsic::Addr, ty, Operand::Borrow(value), Ty::USIZE);
        // The same object, seen as what it is; it is nobody's to drop.
        let seen = object_of([]);
        let object = self.new_local(seen.clone(), None, self.node);
        self.push(StatementKind::Call {
            callee: Callee::Intrinsic(Intrinsic::Own, vec![seen.clone()]),
            args: vec![bits],
            dest: Some(Place::local(object)),
        });
        let code = Operand::Copy(Place::local(object).then(Projection::Field(1)));
        let code = self.temp_with(Ty::USIZE, Rvalue::Use(code));
        self.push(StatementKind::Call {
            callee: Callee::Intrinsic(Intrinsic::Forget, vec![seen]),
            args: vec![Operand::Move(Place::local(object))],
            dest: None,
        });
        Operand::Copy(Place::local(code))
    }

    /// Evaluates arguments in order. `moved`: which parameters are declared `move`.
    fn arguments(&mut self, args: &[Arg], modes: &[PassMode], moved: &[bool]) -> Vec<Passed> {
        let mut passed: Vec<Passed> = Vec::with_capacity(args.len());
        for (i, arg) in args.iter().enumerate() {
            let later: Vec<&Expr> = args[i + 1..].iter().map(|a| &a.value).collect();
            let mode = modes.get(arg.param as usize).copied().unwrap_or(PassMode::Own);
            let value = if mode == PassMode::Place {
                self.place_argument(arg, &later, &passed)
            } else {
                let ty = self.ty(&arg.value.ty);
                let mut operand = self.operand(&arg.value);
                // A part of something another argument lets the callee change must be held before the
                // way there is made unique.
                // So must what the callee can reach by itself: a static, or what a pointer leads to.
                let reachable = is_place(&arg.value) && root(&arg.value).is_none();
                let shared = self.needs_drop(&ty) && (reachable || self.handed_out(&arg.value, args, modes));
                let ends = moved.get(arg.param as usize) == Some(&true);
                if ends {
                    self.mark_move(&arg.value);
                }
                if matches!(operand, Operand::Copy(_))
                    && (ends || shared || self.changed_by(&arg.value, &later))
                {
                    operand = self.settle(operand, &ty);
                }
                Passed::Value(in_mode(operand, mode))
            };
            passed.push(value);
        }
        passed
    }

    /// Whether another argument passes a place with the same root.
    fn handed_out(&self, value: &Expr, args: &[Arg], modes: &[PassMode]) -> bool {
        let start = root(value);
        start.is_some()
            && args
                .iter()
                .any(|a| modes.get(a.param as usize) == Some(&PassMode::Place) && root(&a.value) == start)
    }

    fn place_argument(&mut self, arg: &Arg, later: &[&Expr], before: &[Passed]) -> Passed {
        let value = &arg.value;
        let ty = self.ty(&value.ty);
        let by_reference = matches!(ty, Ty::Ref(true, _));
        let target = match &value.kind {
            ExprKind::Ref(true, inner) => inner,
            // A value that is an address already: a `ref mut` local, or computed.
            _ if by_reference => return Passed::Value(self.operand(value)),
            _ => value,
        };
        let pending = if is_place(target) && !self.read_only(target) {
            self.pend(target)
        } else {
            // A value of its own, or one behind a `ref`: changes to it are lost.
            let operand = self.operand(target);
            let temp = match operand {
                Operand::Move(place) if place.as_local().is_some() => place.local,
                other => {
                    let held = self.ty(&target.ty);
                    self.temp_with(held, Rvalue::Use(other))
                }
            };
            let place = Place::local(temp);
            let pending = Pending::of_local(temp);
            return Passed::Place { pending, place };
        };
        let place = self.check_place(&pending);
        let path = pending.path();
        let overlaps = before.iter().any(|p| match p {
            Passed::Place { pending, .. } | Passed::CopyInOut { pending, .. } => {
                pending.path().overlaps(&path)
            }
            Passed::Value(_) => false,
        });
        // The later of two overlapping places is the copy: its changes are written last anyway.
        let changed = self.changed_by(target, later);
        if by_reference || !(overlaps || changed) {
            return Passed::Place { pending, place };
        }
        let held = self.place_ty(&place);
        let slot = self.temp_with(held.clone(), Rvalue::Use(Operand::Copy(place.clone())));
        let before = self.temp_with(held, Rvalue::Use(Operand::Copy(place)));
        Passed::CopyInOut { pending, slot, before }
    }

    /// Whether a place lies behind a `ref`: what is there may be borrowed from a caller.
    fn read_only(&self, place: &Expr) -> bool {
        let mut place = place;
        loop {
            if matches!(self.ty(&place.ty), Ty::Ref(false, _)) {
                return true;
            }
            place = match &place.kind {
                ExprKind::Field(e, _) | ExprKind::Index(e, _) | ExprKind::Deref(e) | ExprKind::Ref(_, e) => e,
                _ => return false,
            };
        }
    }

    fn emit_call(
        &mut self,
        dest: Option<LocalId>,
        (callee, object): (Callee, Option<Operand>),
        args: &[Arg],
        modes: &[PassMode],
        passed: Vec<Passed>,
        ret: &Ty,
    ) {
        let mut operands = vec![None; modes.len().max(args.len())];
        let mut write_back = Vec::new();
        for (arg, value) in args.iter().zip(passed) {
            let operand = match value {
                Passed::Value(operand) => operand,
                Passed::Place { place, .. } => {
                    let saved = std::mem::replace(&mut self.node, arg.value.node);
                    let address = self.address(&place);
                    self.node = saved;
                    Operand::Copy(Place::local(address))
                }
                Passed::CopyInOut { pending, slot, before } => {
                    let address = self.address(&Place::local(slot));
                    write_back.push((pending, slot, before));
                    Operand::Copy(Place::local(address))
                }
            };
            if let Some(place) = operands.get_mut(arg.param as usize) {
                *place = Some(operand);
            }
        }
        let operands = operands.into_iter().map(|o| o.unwrap_or(Operand::Const(Const::Unit)));
        let args = object.into_iter().chain(operands).collect();
        // The result is stored after changed arguments were written back.
        let direct = write_back.is_empty();
        let result = match dest {
            Some(dest) if direct => Some(dest),
            Some(_) => Some(self.temp(ret.clone())),
            None => None,
        };
        self.push(StatementKind::Call { callee, args, dest: result.map(Place::local) });
        if matches!(ret, Ty::Never) {
            self.terminate(Terminator::Unreachable);
            return;
        }
        for (pending, slot, before) in write_back {
            self.write_back(&pending, slot, before);
        }
        if let (Some(dest), Some(result), false) = (dest, result, direct) {
            self.assign(dest, Rvalue::Use(Operand::Copy(Place::local(result))));
        }
    }

    /// Stores `slot` to the place if the callee changed it. The object that went in was held twice, so any change
    /// made a new one.
    fn write_back(&mut self, pending: &Pending, slot: LocalId, before: LocalId) {
        let ty = self.place_ty(&Place::local(slot));
        let address = |b: &mut Self, local| {
            let dest = b.temp(Ty::USIZE);
            b.push(StatementKind::Call {
                callee: Callee::Intrinsic(Intrinsic::Addr, vec![ty.clone()]),
                args: vec![Operand::Borrow(Place::local(local))],
                dest: Some(Place::local(dest)),
            });
            Operand::Copy(Place::local(dest))
        };
        let (new, old) = (address(self, slot), address(self, before));
        let same = self.temp_with(Ty::Bool, Rvalue::Compare(BinaryOp::Eq, new, old));
        let (done, store) = (self.new_block(), self.new_block());
        self.terminate(Terminator::Branch(Operand::Copy(Place::local(same)), done, store));
        self.current = store;
        let place = self.check_place(pending);
        self.overwrite(&place, Operand::Copy(Place::local(slot)));
        self.goto_and_open(done);
    }

    /// Lengths are read, not called for.
    fn length(&mut self, dest: Option<LocalId>, item: crate::lower::ItemId, args: &[Arg]) -> bool {
        let known = ["string_len", "list_len", "bytes_len"];
        let name = item.name(self.db);
        let [arg] = args else { return false };
        if !known.contains(&name.as_str())
            || core_proc_item(self.db, name) != Some(item)
            || self.item == Some(item)
        {
            return false;
        }
        let ty = self.ty(&arg.value.ty);
        let operand = self.operand(&arg.value);
        let place = self.as_place(operand, &ty);
        if let Some(dest) = dest {
            self.assign(dest, Rvalue::Len(place));
        }
        true
    }

    fn layout(&self, query: LayoutQuery, ty: &Ty, field: u32) -> Const {
        let value = crate::types::layout_query::layout_value(self.db, query, ty, field);
        Const::Int(i128::from(value), Ty::USIZE)
    }

    /// Intrinsics whose result is known from the type arguments.
    pub(super) fn known_intrinsic(&self, intrinsic: Intrinsic, tys: &[Ty]) -> Option<Const> {
        let ty = tys.first()?;
        match intrinsic {
            Intrinsic::NeedsDrop => Some(Const::Int(i128::from(needs_drop(self.db, ty)), Ty::Bool)),
            Intrinsic::TypeName => Some(Const::Str(ty_name(self.db, ty).into())),
            Intrinsic::ByteSize => Some(self.layout(LayoutQuery::Size, ty, 0)),
            Intrinsic::ByteAlign => Some(self.layout(LayoutQuery::Align, ty, 0)),
            Intrinsic::FieldOffset(field) => Some(self.layout(LayoutQuery::Offset, ty, field)),
            Intrinsic::ParameterValue => {
                let value = if let Ty::Value(value) = ty { *value as u64 } else { 0 };
                Some(Const::Int(i128::from(value), Ty::USIZE))
            }
            Intrinsic::SizeOf
            | Intrinsic::Addr
            | Intrinsic::Own
            | Intrinsic::PlaceAddr
            | Intrinsic::Read
            | Intrinsic::CopyOut
            | Intrinsic::Write
            | Intrinsic::Forget
            | Intrinsic::IsUnique
            | Intrinsic::Hash
            | Intrinsic::F64Bits
            | Intrinsic::F64FromBits
            | Intrinsic::F32Bits
            | Intrinsic::F32FromBits
            | Intrinsic::State => None,
        }
    }

    /// Two references in one call of which one may write, to places that overlap.
    fn note_clashes(&mut self, args: &[Arg]) {
        let refs: Vec<(bool, &Expr, NodeId)> = args
            .iter()
            .filter_map(|a| match &a.value.kind {
                ExprKind::Ref(mutable, place) => Some((*mutable, &**place, a.value.node)),
                _ => None,
            })
            .collect();
        for (i, (mutable, later, node)) in refs.iter().enumerate() {
            for (other_mutable, earlier, earlier_node) in &refs[..i] {
                if (*mutable || *other_mutable)
                    && let (Some(a), Some(b)) = (self.expr_path(later), self.expr_path(earlier))
                    && a.overlaps(&b)
                {
                    self.facts.clashes.push((*node, *earlier_node, a.root));
                }
            }
        }
    }

    /// Notes the references that `value`, about to be stored in `holder`, keeps alive.
    pub(super) fn note_loans(&mut self, holder: LocalId, value: &Expr) {
        let at = self.point();
        let add = |b: &mut Self, mutable: bool, place: &Expr, node: NodeId| {
            if let Some(path) = b.expr_path(place) {
                b.facts.loans.push(Loan { at, holder, path, mutable, node });
            }
        };
        match &value.kind {
            ExprKind::Ref(mutable, place) => add(self, *mutable, place, value.node),
            ExprKind::Call { args, .. } if matches!(value.ty, Ty::Ref(..)) => {
                for arg in args {
                    if let ExprKind::Ref(mutable, place) = &arg.value.kind {
                        add(self, *mutable, place, arg.value.node);
                    }
                }
            }
            _ => {}
        }
    }
}
