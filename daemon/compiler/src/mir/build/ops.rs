//! Operators: arithmetic with its checks, concatenation, comparison.
use super::super::body::{
    Callee, Const, LocalId, Operand, PanicKind, PassMode, Place, Rvalue, StatementKind, Terminator,
};
use super::super::modes::pass_modes;
use super::super::tys::{address_of, core_proc, needs_drop, repr};
use super::super::walk::{is_place, root};
use super::{Builder, borrowed, in_mode};
use crate::lower::hir::BinaryOp;
use crate::mono::{Instance, InstanceKind};
use crate::types::thir::{Expr, ExprKind};
use crate::types::{FloatTy, IntTy, Ty};

impl Builder<'_> {
    /// Calls our own proc with operands that were made for it to own.
    pub(super) fn call_instance(&mut self, instance: Instance, args: Vec<Operand>, dest: Option<LocalId>) {
        let modes = pass_modes(self.db, instance);
        let args = args
            .into_iter()
            .enumerate()
            .map(|(i, arg)| match modes.get(i).copied().unwrap_or(PassMode::Own) {
                PassMode::Place => arg,
                mode => in_mode(arg, mode),
            })
            .collect();
        let dest = dest.map(Place::local);
        self.push(StatementKind::Call { callee: Callee::Instance(instance), args, dest });
    }

    /// Calls a proc of the prelude by name.
    pub(super) fn call_core(&mut self, name: &str, tys: Vec<Ty>, args: Vec<Operand>, dest: Option<LocalId>) {
        match core_proc(self.db, name, tys) {
            Some(instance) => self.call_instance(instance, args, dest),
            None => self.terminate(Terminator::Unreachable),
        }
    }

    pub(super) fn binary(
        &mut self,
        dest: Option<LocalId>,
        op: BinaryOp,
        expr: &Expr,
        lhs: &Expr,
        rhs: &Expr,
    ) {
        let ty = repr(&self.ty(&expr.ty)).clone();
        if matches!(ty, Ty::String | Ty::List(_)) {
            return self.concat(dest, expr, &ty);
        }
        // Long chains such as `a + b + c + ...` lean to the left: no recursion for them.
        let mut chain = vec![(op, expr, rhs)];
        let mut first = lhs;
        while let ExprKind::Binary(op, l, r) = &first.kind {
            chain.push((*op, first, r));
            first = l;
        }
        let rest: Vec<&Expr> = chain.iter().rev().map(|(_, _, r)| *r).collect();
        let mut left = self.operand(first);
        if matches!(left, Operand::Copy(_)) && self.changed_by(first, &rest) {
            left = self.settle(left, &self.ty(&first.ty));
        }
        while let Some((op, node, rhs)) = chain.pop() {
            let right = self.operand(rhs);
            self.node = node.node;
            let ty = repr(&self.ty(&node.ty)).clone();
            let target = if chain.is_empty() { dest } else { Some(self.temp(ty.clone())) };
            let target = target.unwrap_or_else(|| self.temp(ty.clone()));
            self.scalar_binary(target, op, &ty, left, right);
            left = Operand::Copy(Place::local(target));
        }
    }

    /// `left op right` on scalars, with the check that division needs.
    pub(super) fn scalar_binary(
        &mut self,
        dest: LocalId,
        op: BinaryOp,
        ty: &Ty,
        left: Operand,
        right: Operand,
    ) {
        let divides = matches!(op, BinaryOp::Div | BinaryOp::Rem);
        if divides && let Ty::Int(int) = ty {
            if !matches!(right, Operand::Const(Const::Int(v, _)) if v != 0) {
                let zero = Self::int_const(0, ty.clone());
                let fine = self.temp_with(Ty::Bool, Rvalue::Compare(BinaryOp::Ne, right.clone(), zero));
                self.push(StatementKind::Check(Operand::Copy(Place::local(fine)), PanicKind::DivisionByZero));
            }
            let wide = match (int, op) {
                (IntTy::I128, BinaryOp::Div) => Some("i128_div"),
                (IntTy::I128, _) => Some("i128_rem"),
                (IntTy::U128, BinaryOp::Div) => Some("u128_div"),
                (IntTy::U128, _) => Some("u128_rem"),
                _ => None,
            };
            if let Some(name) = wide {
                return self.call_core(name, Vec::new(), vec![left, right], Some(dest));
            }
        }
        if op == BinaryOp::Rem
            && let Ty::Float(float) = ty
        {
            let name = match float {
                FloatTy::F32 => "f32_rem",
                FloatTy::F64 => "f64_rem",
            };
            return self.call_core(name, Vec::new(), vec![left, right], Some(dest));
        }
        self.assign(dest, Rvalue::Binary(op, left, right));
    }

    /// `a + b + c ...` on strings or lists: one new object, grown in place.
    fn concat(&mut self, dest: Option<LocalId>, expr: &Expr, ty: &Ty) {
        let parts = self.chain(expr, ty);
        let Some((first, rest)) = parts.split_first() else { return };
        let result = dest.unwrap_or_else(|| self.temp(ty.clone()));
        let place = Place::local(result);
        let [second, more @ ..] = rest else { return self.into(Some(result), first) };
        // A variable may be at its last use and a computed value is fresh: both can grow in place.
        let may_grow =
            matches!(first.kind, ExprKind::Local(_)) || !(is_place(first) || self.constant(first).is_some());
        if may_grow || self.pieces(second).is_some() || matches!(self.ty(&second.ty), Ty::Char) {
            self.into(Some(result), first);
            self.grow(&place, ty, second);
        } else {
            let args = self.operands(&[first, second]);
            match ty {
                Ty::List(element) => {
                    self.call_core("list_concat", vec![Ty::clone(element)], args, Some(result))
                }
                _ => self.call_core("string_concat", Vec::new(), args, Some(result)),
            }
        }
        for part in more {
            self.grow(&place, ty, part);
        }
    }

    /// The operands of a left-leaning chain of `+` of one string or list type.
    pub(super) fn chain<'e>(&self, expr: &'e Expr, ty: &Ty) -> Vec<&'e Expr> {
        let mut parts = Vec::new();
        let mut expr = expr;
        while let ExprKind::Binary(BinaryOp::Add, l, r) = &expr.kind
            && repr(&self.ty(&expr.ty)) == ty
        {
            parts.push(&**r);
            expr = l;
        }
        parts.push(expr);
        parts.reverse();
        parts
    }

    /// The elements of a list literal: they are pushed one by one.
    fn pieces<'e>(&self, expr: &'e Expr) -> Option<&'e [Expr]> {
        match &expr.kind {
            ExprKind::List(items) => Some(items),
            _ => None,
        }
    }

    /// Appends the value of `part` to the string or list in `place`, which nothing in `part` can change.
    fn grow(&mut self, place: &Place, ty: &Ty, part: &Expr) {
        let pieces = self.growth(part, None);
        self.append(place, ty, pieces);
    }

    /// Evaluates what is to be appended. Parts read from `owner` are held, since appending may move it.
    pub(super) fn growth(&mut self, part: &Expr, owner: Option<crate::types::thir::LocalId>) -> Vec<Growth> {
        let items = match self.pieces(part) {
            Some(items) => items,
            None => std::slice::from_ref(part),
        };
        let single = self.pieces(part).is_none();
        let mut grown = Vec::new();
        for item in items {
            let ty = self.ty(&item.ty);
            let mut operand = self.operand(item);
            if is_place(item) && (!single || (owner.is_some() && root(item) == owner)) {
                operand = self.settle(operand, &ty);
            }
            grown.push(if !single {
                Growth::Element(operand)
            } else if matches!(repr(&ty), Ty::Char) {
                Growth::Char(operand)
            } else {
                Growth::All(operand)
            });
        }
        grown
    }

    /// Appends in place: amortised O(length of what is added) while the object is not shared.
    pub(super) fn append(&mut self, place: &Place, ty: &Ty, grown: Vec<Growth>) {
        if grown.is_empty() {
            return;
        }
        self.unique_path(place);
        for piece in grown {
            let address = self.temp_with(address_of(ty.clone()), Rvalue::AddressOf(place.clone()));
            let address = Operand::Copy(Place::local(address));
            let tys = match ty {
                Ty::List(element) => vec![Ty::clone(element)],
                _ => Vec::new(),
            };
            match piece {
                Growth::All(value) if tys.is_empty() => {
                    self.call_core("string_append", tys, vec![address, value], None)
                }
                Growth::All(value) => self.call_core("list_append", tys, vec![address, value], None),
                Growth::Char(value) => self.call_core("string_append_char", tys, vec![address, value], None),
                Growth::Element(value) => self.call_core("list_push", tys, vec![address, value], None),
            }
        }
    }

    pub(super) fn compare(&mut self, dest: Option<LocalId>, op: BinaryOp, lhs: &Expr, rhs: &Expr) {
        let operands = self.operands(&[lhs, rhs]);
        let ty = repr(&self.ty(&lhs.ty)).clone();
        let [left, right] = operands.as_slice() else { return };
        let result = match (op, &ty) {
            (BinaryOp::Eq, _) => self.equal(&ty, left.clone(), right.clone()),
            (BinaryOp::Ne, _) if needs_drop(self.db, &ty) || ty == Ty::Unit => {
                let equal = self.equal(&ty, left.clone(), right.clone());
                Rvalue::Unary(crate::lower::hir::UnaryOp::Not, equal.into_operand(self))
            }
            (_, Ty::String) => {
                let order = self.temp(Ty::INT);
                self.call_core("string_compare", Vec::new(), operands, Some(order));
                Rvalue::Compare(op, Operand::Copy(Place::local(order)), Self::int_const(0, Ty::INT))
            }
            _ => Rvalue::Compare(op, left.clone(), right.clone()),
        };
        if let Some(dest) = dest {
            self.assign(dest, result);
        }
    }

    /// Whether two values of one type are equal.
    pub(super) fn equal(&mut self, ty: &Ty, left: Operand, right: Operand) -> Rvalue {
        let ty = repr(ty).clone();
        let instance = match &ty {
            Ty::Unit => return Rvalue::Use(Self::int_const(1, Ty::Bool)),
            Ty::String => core_proc(self.db, "string_eq", Vec::new()),
            Ty::Bytes => core_proc(self.db, "bytes_eq", Vec::new()),
            _ if needs_drop(self.db, &ty) => Some(Instance::new(self.db, InstanceKind::Eq(ty.clone()))),
            _ => return Rvalue::Compare(BinaryOp::Eq, left, right),
        };
        let result = self.temp(Ty::Bool);
        match instance {
            Some(instance) => {
                self.call_instance(instance, vec![borrowed(left), borrowed(right)], Some(result))
            }
            None => self.terminate(Terminator::Unreachable),
        }
        Rvalue::Use(Operand::Copy(Place::local(result)))
    }
}

/// What is appended to a string or list.
pub(super) enum Growth {
    /// A whole string or list.
    All(Operand),
    /// A character.
    Char(Operand),
    /// One element.
    Element(Operand),
}

impl Rvalue {
    /// The value as a bool operand.
    fn into_operand(self, builder: &mut Builder<'_>) -> Operand {
        match self {
            Self::Use(operand) => operand,
            other => Operand::Copy(Place::local(builder.temp_with(Ty::Bool, other))),
        }
    }
}
