//! `let` and `set`.
use super::super::body::{LocalId, Operand, Place, Rvalue, StatementKind};
use super::super::tys::{core_proc_item, repr};
use super::super::walk::{may_change, root, same_place};
use super::Builder;
use super::ops::Growth;
use super::place::Pending;
use crate::lower::hir::BinaryOp;
use crate::types::Ty;
use crate::types::thir::{Callee, Expr, ExprKind, Pat, PatKind};

impl Builder<'_> {
    /// `let pat = init`. The locals live to the end of the enclosing scope, the temporaries only to the end of
    /// the statement.
    pub(super) fn let_stmt(&mut self, pat: &Pat, init: Option<&Expr>) {
        let Some(init) = init else {
            for local in bound_locals(pat) {
                let id = self.user(local);
                let at = self.point();
                self.facts.unassigned.push((at, id));
                self.schedule(id);
            }
            return;
        };
        match &pat.kind {
            PatKind::Bind(local) => {
                let id = self.user(*local);
                self.schedule(id);
                let ty = self.ty(&init.ty);
                let dest = self.has_value(&ty).then_some(id);
                self.scoped(|b| {
                    b.note_source(id, init);
                    b.into(dest, init);
                });
            }
            PatKind::Wild => self.effect(init),
            PatKind::Variant(..)
            | PatKind::Record(_)
            | PatKind::Int(_)
            | PatKind::Float(_)
            | PatKind::Str(_)
            | PatKind::Const(_)
            | PatKind::Range(..)
            | PatKind::Or(_)
            | PatKind::List(_) => {
                for local in bound_locals(pat) {
                    let id = self.user(local);
                    self.schedule(id);
                }
                self.scoped(|b| {
                    let ty = b.ty(&init.ty);
                    let operand = b.operand(init);
                    let place = b.as_place(operand, &ty);
                    b.destructure(&place, pat);
                });
            }
        }
    }

    /// Notes moves and references for the borrow check: `value` is about to be stored in a whole local.
    fn note_source(&mut self, holder: LocalId, value: &Expr) {
        if matches!(value.kind, ExprKind::Local(_)) {
            self.mark_move(value);
        }
        self.note_loans(holder, value);
    }

    /// `set place op= value`
    pub(super) fn assignment(&mut self, place: &Expr, op: Option<BinaryOp>, value: &Expr) {
        self.scoped(|b| {
            let ty = repr(&b.ty(&place.ty)).clone();
            if !b.has_value(&ty) {
                b.effect(value);
                return;
            }
            if let Some(target) = self_growth(b, place, op, value, &ty) {
                b.grow_place(place, &ty, &target);
                return;
            }
            match op {
                None => b.plain_assignment(place, value),
                Some(op) => b.compound_assignment(place, op, value, &ty),
            }
        });
    }

    fn plain_assignment(&mut self, place: &Expr, value: &Expr) {
        let pending = self.pend(place);
        let ty = self.ty(&value.ty);
        if let ExprKind::Local(_) = place.kind {
            let holder = pending.as_local().or(pending.as_deref_of_local()).unwrap_or(LocalId(0));
            self.note_source(holder, value);
        }
        let operand = self.operand(value);
        let operand = if self.needs_drop(&ty) { self.settle(operand, &ty) } else { operand };
        self.store_to(place, &pending, operand);
    }

    /// `set p op= v`: the place is evaluated once, read, then written.
    fn compound_assignment(&mut self, place: &Expr, op: BinaryOp, value: &Expr, ty: &Ty) {
        let pending = self.pend(place);
        let read = self.check_place(&pending);
        let mut left = Operand::Copy(read);
        if self.changed_by(place, &[value]) || self.needs_drop(ty) {
            left = self.settle(left, ty);
        }
        let right = self.operand(value);
        let result = self.temp(ty.clone());
        match ty {
            Ty::String => self.call_core("string_concat", Vec::new(), vec![left, right], Some(result)),
            Ty::List(element) => {
                self.call_core("list_concat", vec![Ty::clone(element)], vec![left, right], Some(result));
            }
            _ => self.scalar_binary(result, op, ty, left, right),
        }
        self.store_to(place, &pending, Operand::Move(Place::local(result)));
    }

    /// Stores an evaluated value. Setting a by-value form parameter as a whole makes it a variable of its own.
    fn store_to(&mut self, place: &Expr, pending: &Pending, value: Operand) {
        let rebound = match place.kind {
            ExprKind::Local(_) => pending.as_deref_of_local().and_then(|p| Some((p, self.rebind_slot(p)?))),
            _ => None,
        };
        if let Some((param, slot)) = rebound {
            self.overwrite(&Place::local(slot), value);
            self.assign(param, Rvalue::AddressOf(Place::local(slot)));
            return;
        }
        let target = self.check_place(pending);
        self.overwrite(&target, value);
    }

    /// Makes the way to a checked place unique, drops what it holds and stores the value.
    pub(super) fn overwrite(&mut self, place: &Place, value: Operand) {
        self.unique_path(place);
        if self.needs_drop(&self.place_ty(place)) {
            self.push(StatementKind::Drop(place.clone()));
        }
        self.assign_place(place.clone(), Rvalue::Use(value));
    }

    /// `set p = p + a + b`, `set p += a`, `set p = push(p, a)`: appends to the object at the place.
    fn grow_place(&mut self, place: &Expr, ty: &Ty, parts: &[Part<'_>]) {
        let pending = self.pend(place);
        let owner = root(place);
        let mut grown = Vec::new();
        for part in parts {
            match part {
                Part::Appended(e) => grown.extend(self.growth(e, owner)),
                Part::Pushed(e) => {
                    let operand = self.operand(e);
                    let operand = self.settle(operand, &self.ty(&e.ty));
                    grown.push(Growth::Element(operand));
                }
            }
        }
        let target = self.check_place(&pending);
        self.append(&target, ty, grown);
    }
}

/// What a growing assignment adds.
enum Part<'e> {
    /// A whole string, character or list.
    Appended(&'e Expr),
    /// One element.
    Pushed(&'e Expr),
}

/// What `set place op= value` appends to the place, if that is all it does.
fn self_growth<'e>(
    b: &Builder<'_>,
    place: &Expr,
    op: Option<BinaryOp>,
    value: &'e Expr,
    ty: &Ty,
) -> Option<Vec<Part<'e>>> {
    if !matches!(ty, Ty::String | Ty::List(_)) {
        return None;
    }
    let parts: Vec<Part<'e>> = match (op, &value.kind) {
        (Some(BinaryOp::Add), _) => vec![Part::Appended(value)],
        (Some(_), _) => return None,
        (None, ExprKind::Binary(BinaryOp::Add, ..)) => {
            let chain = b.chain(value, ty);
            let (first, rest) = chain.split_first()?;
            if !same_place(first, place) {
                return None;
            }
            rest.iter().map(|e| Part::Appended(e)).collect()
        }
        (None, ExprKind::Call { callee: Callee::Proc(item, _), args }) => match args.as_slice() {
            [list, element]
                if core_proc_item(b.db, "list_pushed") == Some(*item) && same_place(&list.value, place) =>
            {
                vec![Part::Pushed(&element.value)]
            }
            _ => return None,
        },
        (None, _) => return None,
    };
    let owner = root(place)?;
    let safe = |e: &Expr| !may_change(e, owner);
    let all = parts.iter().all(|p| match p {
        Part::Appended(e) | Part::Pushed(e) => safe(e),
    });
    all.then_some(parts)
}

/// The locals a pattern binds; each once.
pub(super) fn bound_locals(pat: &Pat) -> Vec<crate::types::thir::LocalId> {
    let mut out = Vec::new();
    let mut work = vec![pat];
    while let Some(pat) = work.pop() {
        match &pat.kind {
            PatKind::Bind(local) => out.push(*local),
            PatKind::Variant(_, fields) | PatKind::Record(fields) => {
                work.extend(fields.iter().map(|(_, p)| p))
            }
            PatKind::Or(pats) => work.extend(pats.first()),
            PatKind::List(pats) => work.extend(pats),
            PatKind::Wild
            | PatKind::Int(_)
            | PatKind::Float(_)
            | PatKind::Str(_)
            | PatKind::Const(_)
            | PatKind::Range(..) => {}
        }
    }
    out.sort_unstable();
    out.dedup();
    out
}
