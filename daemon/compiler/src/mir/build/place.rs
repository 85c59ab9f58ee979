//! Places: evaluated in turn, checked, made unique, their address taken.
use super::super::body::{LocalId, Operand, PanicKind, Place, Projection, Rvalue, StatementKind};
use super::super::tys::{address_of, project, repr};
use super::super::walk::{is_place, may_change, root};
use super::{Builder, Path, PathStep, usize_const};
use crate::lower::NodeId;
use crate::lower::hir::BinaryOp;
use crate::types::thir::{Expr, ExprKind};
use crate::types::{IntTy, Ty};

/// A place whose parts were evaluated but whose indices were not checked yet.
#[derive(Clone)]
pub(super) struct Pending {
    root: LocalId,
    steps: Vec<Step>,
}

#[derive(Clone)]
enum Step {
    Field(u32),
    Deref,
    /// Element: the index (a constant or a temporary), its type, and where it stands.
    Index(Operand, Ty, NodeId),
}

impl Pending {
    /// The place as far as overlap goes.
    pub fn path(&self) -> Path {
        let steps = self
            .steps
            .iter()
            .map(|s| match s {
                Step::Field(i) => PathStep::Field(*i),
                Step::Deref => PathStep::Deref,
                Step::Index(..) => PathStep::Element,
            })
            .collect();
        Path { root: self.root, steps }
    }

    /// The local, if the place is a whole one.
    pub fn as_local(&self) -> Option<LocalId> {
        self.steps.is_empty().then_some(self.root)
    }

    /// The parameter, if the place is all of what a parameter's address points to.
    pub fn as_deref_of_local(&self) -> Option<LocalId> {
        matches!(self.steps.as_slice(), [Step::Deref]).then_some(self.root)
    }
}

impl Builder<'_> {
    /// Evaluates the parts of a place. A computed value gets a temporary.
    pub(super) fn pend(&mut self, expr: &Expr) -> Pending {
        match &expr.kind {
            ExprKind::Local(local) => {
                let id = self.user(*local);
                let at = self.point();
                self.facts.reads.push((at, id, expr.node));
                let by_place = self.rebind_slot(id).is_some();
                Pending { root: id, steps: if by_place { vec![Step::Deref] } else { Vec::new() } }
            }
            ExprKind::Field(base, index) => {
                let mut pending = self.pend(base);
                pending.steps.push(Step::Field(*index));
                pending
            }
            ExprKind::Index(base, index) => {
                let mut pending = self.pend(base);
                let ty = self.ty(&index.ty);
                let operand = self.operand(index);
                let operand = self.settle(operand, &ty);
                pending.steps.push(Step::Index(operand, ty, expr.node));
                pending
            }
            ExprKind::Deref(base) => {
                let mut pending = self.pend(base);
                if matches!(self.ty(&base.ty), Ty::Ref(true, _)) {
                    pending.steps.push(Step::Deref);
                }
                pending
            }
            ExprKind::Ref(false, base) | ExprKind::Move(base) => self.pend(base),
            _ => {
                let temp = self.value_temp(expr);
                Pending { root: temp, steps: Vec::new() }
            }
        }
    }

    /// Checks the indices of a place, in order.
    pub(super) fn check_place(&mut self, pending: &Pending) -> Place {
        let mut place = Place::local(pending.root);
        let mut ty = self.place_ty(&place);
        for step in &pending.steps {
            let projection = match step {
                Step::Field(i) => Projection::Field(*i),
                Step::Deref => Projection::Deref,
                Step::Index(index, index_ty, node) => {
                    let saved = std::mem::replace(&mut self.node, *node);
                    let local = self.checked_index(&place, index, index_ty);
                    self.node = saved;
                    Projection::Index(local)
                }
            };
            ty = project(self.db, &ty, &projection);
            place.projections.push(projection);
        }
        place
    }

    /// Evaluates and checks a place that is only read.
    pub(super) fn read_place(&mut self, expr: &Expr) -> Place {
        if let ExprKind::Index(base, index) = &expr.kind
            && is_place(base)
            && root(base).is_some_and(|l| may_change(index, l))
        {
            // `xs[f()]` where `f` changes `xs`: the list is read first.
            let list = self.read_place(base);
            let ty = self.ty(&base.ty);
            let held = self.temp_with(ty, Rvalue::Use(Operand::Copy(list)));
            let index_ty = self.ty(&index.ty);
            let operand = self.operand(index);
            let local = self.checked_index(&Place::local(held), &operand, &index_ty);
            return Place::local(held).then(Projection::Index(local));
        }
        let pending = self.pend(expr);
        self.check_place(&pending)
    }

    /// The element index as `usize`, checked against the length of the list or string at `list`.
    pub(super) fn checked_index(&mut self, list: &Place, index: &Operand, index_ty: &Ty) -> LocalId {
        let int = match repr(index_ty) {
            Ty::Int(int) => *int,
            _ => IntTy::Usize,
        };
        let local = self.temp_with(Ty::USIZE, Rvalue::Cast(index.clone(), Ty::USIZE));
        let len = self.temp_with(Ty::USIZE, Rvalue::Len(list.clone()));
        let len_op = Operand::Copy(Place::local(len));
        let local_op = Operand::Copy(Place::local(local));
        let shown_ty = if int.signed() { Ty::INT } else { Ty::Int(IntTy::U64) };
        let shown = if repr(index_ty) == &shown_ty || matches!(index, Operand::Const(_)) {
            index.clone()
        } else {
            Operand::Copy(Place::local(
                self.temp_with(shown_ty.clone(), Rvalue::Cast(index.clone(), shown_ty)),
            ))
        };
        let panic = |len| PanicKind::Index { index: shown.clone(), signed: int.signed(), len };
        // A negative index is a huge `usize`; only 128-bit indices could wrap into range.
        if int.bits() == 128 {
            let within =
                self.temp_with(Ty::Bool, Rvalue::Compare(BinaryOp::Lt, index.clone(), len_op.clone()));
            self.push(StatementKind::Check(Operand::Copy(Place::local(within)), panic(len_op.clone())));
            let positive =
                self.temp_with(Ty::Bool, Rvalue::Compare(BinaryOp::Ge, index.clone(), usize_const(0)));
            self.push(StatementKind::Check(Operand::Copy(Place::local(positive)), panic(len_op)));
        } else {
            let within = self.temp_with(Ty::Bool, Rvalue::Compare(BinaryOp::Lt, local_op, len_op.clone()));
            self.push(StatementKind::Check(Operand::Copy(Place::local(within)), panic(len_op)));
        }
        local
    }

    /// Makes every object on the way to the place the only reference to itself, from the root outwards.
    pub(super) fn unique_path(&mut self, place: &Place) {
        for (i, projection) in place.projections.iter().enumerate() {
            match projection {
                Projection::Field(_) | Projection::Payload { .. } | Projection::Index(_) => {
                    let owner = Place { local: place.local, projections: place.projections[..i].to_vec() };
                    self.push(StatementKind::Unique(owner));
                }
                Projection::Deref => {}
            }
        }
    }

    /// The address of a checked place, through which it may be changed.
    pub(super) fn address(&mut self, place: &Place) -> LocalId {
        self.unique_path(place);
        let ty = address_of(self.place_ty(place));
        self.temp_with(ty, Rvalue::AddressOf(place.clone()))
    }

    /// Holds a copy of what the operand reads now, unless nothing can change it.
    pub(super) fn settle(&mut self, operand: Operand, ty: &Ty) -> Operand {
        match &operand {
            Operand::Const(_) | Operand::Move(_) => operand,
            Operand::Copy(_) | Operand::Borrow(_) => {
                let temp = self.temp_with(ty.clone(), Rvalue::Use(operand));
                Operand::Move(Place::local(temp))
            }
        }
    }
}

impl Pending {
    /// A whole local.
    pub fn of_local(local: LocalId) -> Self {
        Self { root: local, steps: Vec::new() }
    }
}

impl Builder<'_> {
    /// The place an expression names, as far as overlap goes, without evaluating it.
    pub(super) fn expr_path(&self, expr: &Expr) -> Option<Path> {
        let mut steps = Vec::new();
        let mut expr = expr;
        loop {
            expr = match &expr.kind {
                ExprKind::Local(local) => {
                    let root = self.user(*local);
                    if self.rebind_slot(root).is_some() {
                        steps.push(PathStep::Deref);
                    }
                    steps.reverse();
                    return Some(Path { root, steps });
                }
                ExprKind::Field(e, i) => {
                    steps.push(PathStep::Field(*i));
                    e
                }
                ExprKind::Index(e, _) => {
                    steps.push(PathStep::Element);
                    e
                }
                ExprKind::Deref(e) => {
                    if matches!(self.ty(&e.ty), Ty::Ref(true, _)) {
                        steps.push(PathStep::Deref);
                    }
                    e
                }
                ExprKind::Ref(_, e) | ExprKind::Move(e) => e,
                _ => return None,
            };
        }
    }
}
