//! Expressions: constants, reads, constructors, casts.
use super::super::body::{
    Callee, Const, LocalId, Operand, PanicKind, Place, Projection, Rvalue, StatementKind, Terminator,
};
use super::super::modes::{RED_ZONE, STACK_STEP};
use super::super::tys::{dyn_object, field_tys, object_of, repr};
use super::super::walk::{is_place, may_change, root};
use super::Builder;
use crate::lower::ItemId;
use crate::lower::hir::BinaryOp;
use crate::mono::{Instance, InstanceKind};
use crate::types::thir::{Expr, ExprKind};
use crate::types::{IntTy, Intrinsic, Ty, pick_data};

impl Builder<'_> {
    /// The expression's value as an operand: a constant, a read of a place at the time of use, or a temporary.
    pub(super) fn operand(&mut self, expr: &Expr) -> Operand {
        let ty = self.ty(&expr.ty);
        if !self.has_value(&ty) {
            self.effect(expr);
            return Operand::Const(Const::Unit);
        }
        if let Some(constant) = self.constant(expr) {
            return Operand::Const(constant);
        }
        if is_place(expr) {
            let saved = std::mem::replace(&mut self.node, expr.node);
            let place = stacker::maybe_grow(RED_ZONE, STACK_STEP, || self.read_place(expr));
            self.node = saved;
            return Operand::Copy(place);
        }
        Operand::Move(Place::local(self.value_temp(expr)))
    }

    /// Operands in order; each is read before a later one can change it.
    pub(super) fn operands(&mut self, exprs: &[&Expr]) -> Vec<Operand> {
        let mut operands = Vec::with_capacity(exprs.len());
        for (i, expr) in exprs.iter().enumerate() {
            let mut operand = self.operand(expr);
            if matches!(operand, Operand::Copy(_)) && self.changed_by(expr, &exprs[i + 1..]) {
                operand = self.settle(operand, &self.ty(&expr.ty));
            }
            operands.push(operand);
        }
        operands
    }

    /// Whether evaluating one of `later` may change what the place `expr` reads.
    pub(super) fn changed_by(&self, expr: &Expr, later: &[&Expr]) -> bool {
        match root(expr) {
            Some(local) => later.iter().any(|e| !is_leaf(e) && may_change(e, local)),
            // A static, or what a pointer leads to: any call may change it.
            None => is_place(expr) && later.iter().any(|e| !is_leaf(e)),
        }
    }

    /// The expression's value in a new temporary.
    pub(super) fn value_temp(&mut self, expr: &Expr) -> LocalId {
        let saved = std::mem::replace(&mut self.node, expr.node);
        let temp = self.temp(self.ty(&expr.ty));
        self.into(Some(temp), expr);
        self.node = saved;
        temp
    }

    /// Evaluates for the effect; the value is dropped.
    pub(super) fn effect(&mut self, expr: &Expr) {
        let ty = self.ty(&expr.ty);
        self.scoped(|b| {
            let dest = b.has_value(&ty).then(|| b.temp(ty));
            b.into(dest, expr);
        });
    }

    /// A constant operand, if the expression is one.
    pub(super) fn constant(&self, expr: &Expr) -> Option<Const> {
        let ty = || repr(&self.ty(&expr.ty)).clone();
        Some(match &expr.kind {
            ExprKind::Int(value) => Const::Int(*value, ty()),
            ExprKind::Float(bits) => Const::Float(*bits, ty()),
            ExprKind::Str(text) => Const::Str(text.clone()),
            ExprKind::Bytes(bytes) => Const::Bytes(bytes.clone()),
            ExprKind::Unit => Const::Unit,
            ExprKind::Const(item) => Const::Item(*item, ty()),
            ExprKind::Static(item) => Const::Static(*item, ty()),
            ExprKind::Variant { variant, fields } if fields.is_empty() => match ty() {
                Ty::Pick(item, _) if pick_data(self.db, item).plain => Const::Int(i128::from(*variant), ty()),
                _ => return None,
            },
            ExprKind::Ref(false, inner) => return self.constant(inner),
            _ => return None,
        })
    }

    /// Evaluates `expr` and puts its value, owned, into the local `dest`, which holds nothing yet.
    /// `None`: the value is nothing (unit, never).
    pub(super) fn into(&mut self, dest: Option<LocalId>, expr: &Expr) {
        let saved = std::mem::replace(&mut self.node, expr.node);
        stacker::maybe_grow(RED_ZONE, STACK_STEP, || self.lower_into(dest, expr));
        self.node = saved;
    }

    /// Makes the object of a procedure value: what frees it, its code, what it captured.
    fn procedure_value(
        &mut self,
        dest: Option<LocalId>,
        code: Instance,
        captures: Vec<(Ty, Operand)>,
        ty: &Ty,
    ) {
        let object = object_of(captures.iter().map(|(ty, _)| ty.clone()));
        let free = Instance::new(self.db, InstanceKind::Drop(object.clone()));
        let address = |instance| Operand::Const(Const::Proc(instance, Ty::USIZE));
        let mut fields = vec![address(free), address(code)];
        fields.extend(captures.into_iter().map(|(_, operand)| operand));
        self.object_value(dest, object, fields, ty);
    }

    /// Makes the object of a `dyn` value.
    fn dyn_value(&mut self, dest: Option<LocalId>, value: &Expr, methods: &[(ItemId, Vec<Ty>)], ty: &Ty) {
        let held = repr(&self.ty(&value.ty)).clone();
        let count = methods.len() as u32;
        let object = dyn_object(count, [held]);
        let mut code = vec![InstanceKind::Drop(object.clone()), InstanceKind::Clone(object.clone())];
        for (item, tys) in methods {
            let tys: Vec<Ty> = tys.iter().map(|t| self.ty(t)).collect();
            let (item, tys) = crate::types::traits::dispatch(self.db, *item, &tys);
            code.push(InstanceKind::DynThunk(item, tys, count));
        }
        let address = |kind| Operand::Const(Const::Proc(Instance::new(self.db, kind), Ty::USIZE));
        let mut fields: Vec<Operand> = code.into_iter().map(address).collect();
        fields.extend(self.operands(&[value]));
        self.object_value(dest, object, fields, ty);
    }

    /// Makes an object of one type that is seen as one of another.
    fn object_value(&mut self, dest: Option<LocalId>, object: Ty, fields: Vec<Operand>, ty: &Ty) {
        let made = self.new_local(object.clone(), None, self.node);
        self.assign(made, Rvalue::Record(object.clone(), fields));
        let bits = self.temp(Ty::USIZE);
        self.push(StatementKind::Call {
            callee: Callee::Intrinsic(Intrinsic::Addr, vec![object.clone()]),
            args: vec![Operand::Borrow(Place::local(made))],
            dest: Some(Place::local(bits)),
        });
        self.push(StatementKind::Call {
            callee: Callee::Intrinsic(Intrinsic::Forget, vec![object]),
            args: vec![Operand::Move(Place::local(made))],
            dest: None,
        });
        let ty = repr(&self.ty(ty)).clone();
        let dest = dest.unwrap_or_else(|| self.temp(ty.clone()));
        self.push(StatementKind::Call {
            callee: Callee::Intrinsic(Intrinsic::Own, vec![ty]),
            args: vec![Operand::Copy(Place::local(bits))],
            dest: Some(Place::local(dest)),
        });
    }

    fn store(&mut self, dest: Option<LocalId>, value: Rvalue) {
        if let Some(dest) = dest {
            self.assign(dest, value);
        }
    }

    fn lower_into(&mut self, dest: Option<LocalId>, expr: &Expr) {
        match &expr.kind {
            ExprKind::Error => self.terminate(Terminator::Unreachable),
            ExprKind::Int(_)
            | ExprKind::Float(_)
            | ExprKind::Str(_)
            | ExprKind::Bytes(_)
            | ExprKind::Unit
            | ExprKind::Const(_)
            | ExprKind::Static(_) => {
                if let Some(constant) = self.constant(expr) {
                    self.store(dest, Rvalue::Use(Operand::Const(constant)));
                }
            }
            ExprKind::Local(_) | ExprKind::Field(..) | ExprKind::Index(..) | ExprKind::Deref(_) => {
                let place = self.read_place(expr);
                self.store(dest, Rvalue::Use(Operand::Copy(place)));
            }
            ExprKind::Ref(false, inner) => self.into(dest, inner),
            ExprKind::Ref(true, inner) => self.reference(dest, inner),
            ExprKind::Move(inner) => {
                let place = self.read_place(inner);
                self.mark_move(inner);
                self.store(dest, Rvalue::Use(Operand::Copy(place)));
            }
            ExprKind::Call { callee, args } => self.call(dest, callee, args, &expr.ty),
            ExprKind::Record { fields, base } => self.record(dest, expr, fields, base.as_deref()),
            ExprKind::Variant { variant, fields } => {
                let exprs: Vec<&Expr> = fields.iter().collect();
                let operands = self.operands(&exprs);
                let value = match self.constant(expr) {
                    Some(plain) => Rvalue::Use(Operand::Const(plain)),
                    None => Rvalue::Variant(repr(&self.ty(&expr.ty)).clone(), *variant, operands),
                };
                self.store(dest, value);
            }
            ExprKind::List(items) => {
                let exprs: Vec<&Expr> = items.iter().collect();
                let operands = self.operands(&exprs);
                self.store(dest, Rvalue::List(repr(&self.ty(&expr.ty)).clone(), operands));
            }
            ExprKind::Tuple(items) => {
                let exprs: Vec<&Expr> = items.iter().collect();
                let operands = self.operands(&exprs);
                self.store(dest, Rvalue::Record(repr(&self.ty(&expr.ty)).clone(), operands));
            }
            ExprKind::Dyn { value, methods } => self.dyn_value(dest, value, methods, &expr.ty),
            ExprKind::ProcRef(item, tys) => {
                let tys: Vec<Ty> = tys.iter().map(|t| self.ty(t)).collect();
                let (item, tys) = crate::types::traits::dispatch(self.db, *item, &tys);
                let code = Instance::new(self.db, InstanceKind::Thunk(item, tys));
                self.procedure_value(dest, code, Vec::new(), &expr.ty);
            }
            ExprKind::Lambda { index, captures } => {
                let Some(item) = self.item else { return };
                let code = Instance::new(self.db, InstanceKind::Lambda(item, self.args.to_vec(), *index));
                let mut kept = Vec::with_capacity(captures.len());
                for &local in captures {
                    let Some(declared) = self.body.locals.get(local.0 as usize) else { continue };
                    let ty = declared.ty.clone();
                    let read = Expr { ty: ty.clone(), node: expr.node, kind: ExprKind::Local(local) };
                    kept.push((self.ty(&ty), Operand::Copy(self.read_place(&read))));
                }
                self.procedure_value(dest, code, kept, &expr.ty);
            }
            ExprKind::StringIndex(text, index) => {
                let operands = self.operands(&[text, index]);
                let text_ty = self.ty(&text.ty);
                if let [text, index_op] = operands.as_slice() {
                    let place = self.as_place(text.clone(), &text_ty);
                    let index_ty = self.ty(&index.ty);
                    let local = self.checked_index(&place, index_op, &index_ty);
                    self.store(dest, Rvalue::StringByte(place, Operand::Copy(Place::local(local))));
                }
            }
            ExprKind::Unary(op, inner) => {
                let operand = self.operand(inner);
                self.store(dest, Rvalue::Unary(*op, operand));
            }
            ExprKind::Binary(op, lhs, rhs) => self.binary(dest, *op, expr, lhs, rhs),
            ExprKind::Compare(op, lhs, rhs) => self.compare(dest, *op, lhs, rhs),
            ExprKind::Cast(inner) => self.cast(dest, expr, inner),
            ExprKind::Logical { .. }
            | ExprKind::If { .. }
            | ExprKind::Match { .. }
            | ExprKind::Block(_)
            | ExprKind::While(..)
            | ExprKind::Loop(_)
            | ExprKind::For { .. }
            | ExprKind::CFor { .. }
            | ExprKind::Give(_)
            | ExprKind::Break(_)
            | ExprKind::Continue => self.control(dest, expr),
            ExprKind::Assign { place, op, value } => self.assignment(place, *op, value),
            ExprKind::Assert(cond, message) => self.assert(cond, message.as_deref()),
            ExprKind::Panic(message) => {
                let message = self.operand(message);
                let node = self.node;
                self.terminate(Terminator::Panic(message, node));
            }
            ExprKind::Unreachable => {
                let node = self.node;
                self.terminate(Terminator::Panic(Self::str_const("unreachable code was reached"), node));
            }
        }
    }

    /// A place that holds the operand's value.
    pub(super) fn as_place(&mut self, operand: Operand, ty: &Ty) -> Place {
        match operand {
            Operand::Copy(place) | Operand::Move(place) | Operand::Borrow(place) => place,
            Operand::Const(_) => Place::local(self.temp_with(ty.clone(), Rvalue::Use(operand))),
        }
    }

    /// `ref mut inner`
    fn reference(&mut self, dest: Option<LocalId>, inner: &Expr) {
        let pending = self.pend(inner);
        let place = self.check_place(&pending);
        self.unique_path(&place);
        self.store(dest, Rvalue::AddressOf(place));
    }

    fn record(&mut self, dest: Option<LocalId>, expr: &Expr, fields: &[(u32, Expr)], base: Option<&Expr>) {
        let ty = repr(&self.ty(&expr.ty)).clone();
        let mut exprs: Vec<&Expr> = fields.iter().map(|(_, e)| e).collect();
        exprs.extend(base);
        let mut operands = self.operands(&exprs);
        let base = base.and_then(|b| {
            let ty = self.ty(&b.ty);
            operands.pop().map(|op| self.as_place(op, &ty))
        });
        let mut slots: Vec<Option<Operand>> = vec![None; field_tys(self.db, &ty).len()];
        for ((index, _), operand) in fields.iter().zip(operands) {
            if let Some(slot) = slots.get_mut(*index as usize) {
                *slot = Some(operand);
            }
        }
        let all = slots
            .into_iter()
            .enumerate()
            .map(|(i, slot)| match (slot, &base) {
                (Some(operand), _) => operand,
                (None, Some(base)) => Operand::Copy(base.then(Projection::Field(i as u32))),
                (None, None) => Operand::Const(Const::Unit),
            })
            .collect();
        self.store(dest, Rvalue::Record(ty, all));
    }

    fn cast(&mut self, dest: Option<LocalId>, expr: &Expr, inner: &Expr) {
        let to = repr(&self.ty(&expr.ty)).clone();
        let from = repr(&self.ty(&inner.ty)).clone();
        let mut operand = self.operand(inner);
        if let Ty::Pick(item, _) = &from {
            let variants = &pick_data(self.db, *item).variants;
            if variants.iter().enumerate().any(|(i, v)| v.ordinal != i as i128) {
                let ordinals: Vec<i128> = variants.iter().map(|v| v.ordinal).collect();
                self.ordinal(dest, operand, &ordinals, &to);
                return;
            }
        }
        if to == Ty::Char {
            if let Ty::Float(_) = from {
                let int = self.temp_with(Ty::INT, Rvalue::Cast(operand, Ty::INT));
                operand = Operand::Copy(Place::local(int));
                self.check_scalar(&operand, IntTy::Int);
            } else if let Ty::Int(int) = from {
                self.check_scalar(&operand, int);
            }
        }
        self.store(dest, Rvalue::Cast(operand, to));
    }

    /// The written number of a payload-free variant, where variants are not numbered 0, 1, 2...
    fn ordinal(&mut self, dest: Option<LocalId>, operand: Operand, ordinals: &[i128], to: &Ty) {
        let done = self.new_block();
        let mut targets = Vec::new();
        let start = self.current;
        for (i, &ordinal) in ordinals.iter().enumerate() {
            let block = self.new_block();
            self.current = block;
            self.store(dest, Rvalue::Use(Self::int_const(ordinal, to.clone())));
            self.terminate(Terminator::Goto(done));
            targets.push((i as i128, block));
        }
        let never = self.new_block();
        self.current = start;
        self.terminate(Terminator::Switch(operand, targets, never));
        self.current = done;
    }

    /// Checks that an integer of this type is a Unicode scalar.
    fn check_scalar(&mut self, value: &Operand, int: IntTy) {
        if int == IntTy::U8 {
            return;
        }
        let wide = Ty::Int(if int.bits() == 128 { int } else { IntTy::Int });
        let test = |b: &mut Self, op, bound| {
            let bound = Self::int_const(bound, wide.clone());
            Operand::Copy(Place::local(b.temp_with(Ty::Bool, Rvalue::Compare(op, value.clone(), bound))))
        };
        let both = |b: &mut Self, op, x, y| {
            Operand::Copy(Place::local(b.temp_with(Ty::Bool, Rvalue::Binary(op, x, y))))
        };
        let below = test(self, BinaryOp::Lt, 0xD800);
        let above = test(self, BinaryOp::Ge, 0xE000);
        let last = test(self, BinaryOp::Le, 0x10_FFFF);
        let upper = both(self, BinaryOp::BitAnd, above, last);
        let mut valid = both(self, BinaryOp::BitOr, below, upper);
        if int.signed() {
            let positive = test(self, BinaryOp::Ge, 0);
            valid = both(self, BinaryOp::BitAnd, valid, positive);
        }
        let shown = self.temp_with(Ty::INT, Rvalue::Cast(value.clone(), Ty::INT));
        self.push(StatementKind::Check(valid, PanicKind::NotAChar(Operand::Copy(Place::local(shown)))));
    }

    /// `assert`: the message is evaluated only when it is shown, so it may read what the condition denies.
    fn assert(&mut self, cond: &Expr, message: Option<&Expr>) {
        let constant = match message {
            None => Some(Self::str_const("assertion failed")),
            Some(m) => self.constant(m).map(Operand::Const),
        };
        if let Some(text) = constant {
            let cond = self.operand(cond);
            self.push(StatementKind::Check(cond, PanicKind::Assert(text)));
            return;
        }
        let (good, bad) = (self.new_block(), self.new_block());
        self.branch(cond, good, bad);
        self.current = bad;
        if let Some(message) = message {
            let message = self.operand(message);
            let node = self.node;
            self.terminate(Terminator::Panic(message, node));
        }
        self.current = good;
    }

    /// Notes that the user moves out of `expr`, if it is a whole local.
    pub(super) fn mark_move(&mut self, expr: &Expr) {
        let local = match &expr.kind {
            ExprKind::Local(local) => *local,
            ExprKind::Move(inner) => return self.mark_move(inner),
            _ => return,
        };
        let at = self.point();
        let id = self.user(local);
        self.facts.moves.push((at, id, expr.node));
    }
}

/// Whether evaluating the expression evaluates nothing else.
fn is_leaf(expr: &Expr) -> bool {
    matches!(
        expr.kind,
        ExprKind::Int(_)
            | ExprKind::Float(_)
            | ExprKind::Str(_)
            | ExprKind::Local(_)
            | ExprKind::Const(_)
            | ExprKind::Static(_)
            | ExprKind::Unit
    )
}
