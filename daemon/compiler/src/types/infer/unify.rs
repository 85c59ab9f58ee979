//! Inference variables and unification (Robinson 1965, with path compression).
use std::sync::Arc;

use super::super::ty::Ty;
use crate::base::Name;
use crate::lower::NodeId;

/// What a variable stands for, so that an unsolved one can be explained.
#[derive(Clone, Debug)]
pub(super) enum Origin {
    /// The element type of an empty list.
    EmptyList,
    /// Key or value type of an empty map or set.
    EmptyMap,
    /// A type parameter of an item, by name: `T` of `none`.
    Parameter(Name, Name),
    /// What a bound adds: decided by the type that it is about.
    Hidden,
    /// The type of a lambda's parameter.
    LambdaParameter,
    /// The result of a lambda.
    LambdaResult,
    /// The type of a `let` without type and value.
    Binding,
}

/// One inference variable.
struct Variable {
    value: Option<Ty>,
    node: NodeId,
    origin: Origin,
}

/// All inference variables of one body.
#[derive(Default)]
pub(super) struct Table {
    variables: Vec<Variable>,
    /// Variables solved since the start, for [`Table::rollback`].
    trail: Vec<u32>,
}

/// A moment to go back to.
#[derive(Clone, Copy)]
pub(super) struct Snapshot(usize);

impl Table {
    /// A new variable, born at `node`.
    pub(super) fn fresh(&mut self, node: NodeId, origin: Origin) -> Ty {
        self.variables.push(Variable { value: None, node, origin });
        Ty::Infer(self.variables.len() as u32 - 1)
    }

    /// Remembers the present solutions.
    pub(super) fn snapshot(&self) -> Snapshot {
        Snapshot(self.trail.len())
    }

    /// Forgets what was solved after `snapshot`.
    pub(super) fn rollback(&mut self, snapshot: Snapshot) {
        for variable in self.trail.drain(snapshot.0..) {
            if let Some(slot) = self.variables.get_mut(variable as usize) {
                slot.value = None;
            }
        }
    }

    /// Where an unsolved variable came from.
    pub(super) fn origin(&self, variable: u32) -> Option<(NodeId, &Origin)> {
        self.variables.get(variable as usize).map(|v| (v.node, &v.origin))
    }

    /// The type with its outermost variable replaced by its solution.
    pub(super) fn shallow(&self, ty: &Ty) -> Ty {
        let mut ty = ty;
        while let Ty::Infer(index) = ty {
            match self.variables.get(*index as usize).and_then(|v| v.value.as_ref()) {
                Some(value) => ty = value,
                None => break,
            }
        }
        ty.clone()
    }

    /// The type with every solved variable replaced.
    pub(super) fn resolve(&self, ty: &Ty) -> Ty {
        let many = |tys: &Arc<[Ty]>| tys.iter().map(|t| self.resolve(t)).collect::<Arc<[Ty]>>();
        match self.shallow(ty) {
            Ty::List(t) => Ty::List(Arc::new(self.resolve(&t))),
            Ty::Ref(m, t) => Ty::Ref(m, Arc::new(self.resolve(&t))),
            Ty::Form(id, tys) => Ty::Form(id, many(&tys)),
            Ty::Pick(id, tys) => Ty::Pick(id, many(&tys)),
            Ty::Impl(id, tys) => Ty::Impl(id, many(&tys)),
            Ty::Proc(params, ret) => Ty::Proc(many(&params), Arc::new(self.resolve(&ret))),
            Ty::Tuple(tys) => Ty::Tuple(many(&tys)),
            Ty::Pointer(m, t) => Ty::Pointer(m, Arc::new(self.resolve(&t))),
            Ty::Dyn(id, tys) => Ty::Dyn(id, many(&tys)),
            other => other,
        }
    }

    /// The first unsolved variable in a type.
    pub(super) fn unsolved(&self, ty: &Ty) -> Option<u32> {
        match self.shallow(ty) {
            Ty::Infer(index) => Some(index),
            Ty::List(t) | Ty::Ref(_, t) | Ty::Pointer(_, t) => self.unsolved(&t),
            Ty::Form(_, tys) | Ty::Pick(_, tys) | Ty::Impl(_, tys) | Ty::Dyn(_, tys) | Ty::Tuple(tys) => {
                tys.iter().find_map(|t| self.unsolved(t))
            }
            Ty::Proc(params, ret) => {
                params.iter().find_map(|t| self.unsolved(t)).or_else(|| self.unsolved(&ret))
            }
            _ => None,
        }
    }

    /// Makes two types equal. On failure some variables may have been solved; roll back if that matters.
    pub(super) fn unify(&mut self, a: &Ty, b: &Ty) -> bool {
        let (a, b) = (self.shallow(a), self.shallow(b));
        match (&a, &b) {
            (Ty::Infer(x), Ty::Infer(y)) if x == y => true,
            (Ty::Infer(x), other) | (other, Ty::Infer(x)) => self.solve(*x, other),
            (Ty::Error, _) | (_, Ty::Error) => true,
            (Ty::List(x), Ty::List(y)) => self.unify(x, y),
            (Ty::Ref(m, x), Ty::Ref(n, y)) | (Ty::Pointer(m, x), Ty::Pointer(n, y)) => {
                m == n && self.unify(x, y)
            }
            (Ty::Form(i, xs), Ty::Form(j, ys))
            | (Ty::Pick(i, xs), Ty::Pick(j, ys))
            | (Ty::Dyn(i, xs), Ty::Dyn(j, ys))
            | (Ty::Impl(i, xs), Ty::Impl(j, ys)) => i == j && self.unify_all(xs, ys),
            (Ty::Tuple(xs), Ty::Tuple(ys)) => self.unify_all(xs, ys),
            (Ty::Proc(xs, r), Ty::Proc(ys, s)) => self.unify_all(xs, ys) && self.unify(r, s),
            _ => a == b,
        }
    }

    fn unify_all(&mut self, xs: &[Ty], ys: &[Ty]) -> bool {
        xs.len() == ys.len() && xs.iter().zip(ys).all(|(x, y)| self.unify(x, y))
    }

    fn solve(&mut self, variable: u32, value: &Ty) -> bool {
        if self.occurs(variable, value) {
            return false;
        }
        let Some(slot) = self.variables.get_mut(variable as usize) else { return false };
        slot.value = Some(value.clone());
        self.trail.push(variable);
        true
    }

    fn occurs(&self, variable: u32, ty: &Ty) -> bool {
        match self.shallow(ty) {
            Ty::Infer(index) => index == variable,
            Ty::List(t) | Ty::Ref(_, t) | Ty::Pointer(_, t) => self.occurs(variable, &t),
            Ty::Form(_, tys) | Ty::Pick(_, tys) | Ty::Impl(_, tys) | Ty::Dyn(_, tys) | Ty::Tuple(tys) => {
                tys.iter().any(|t| self.occurs(variable, t))
            }
            Ty::Proc(params, ret) => {
                params.iter().any(|t| self.occurs(variable, t)) || self.occurs(variable, &ret)
            }
            _ => false,
        }
    }
}
