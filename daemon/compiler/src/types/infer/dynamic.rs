//! Values of `dyn` types, and raw pointers.
use std::sync::Arc;

use super::super::thir::{Expr, ExprKind};
use super::super::traits::{dyn_methods, dyn_problem, dyn_traits, dyn_types, generics};
use super::super::ty::{IntTy, Ty};
use super::coerce::Reason;
use super::traits::{instantiate, obligations};
use super::{Checker, codes, expr};
use crate::base::Place;
use crate::lower::hir::Abi;
use crate::lower::{ItemId, NodeId};
use crate::types::proc_data;

impl Checker<'_> {
    /// A value as one of the type `dyn of<args>`. What its type must implement is noted.
    pub(super) fn make_dyn(&mut self, value: Expr, target: &Ty, of: ItemId, args: &Arc<[Ty]>) -> Expr {
        let node = value.node;
        if matches!(value.ty, Ty::Error | Ty::Never) {
            return value;
        }
        if let Some(problem) = dyn_problem(self.db, of) {
            let name = of.name(self.db).clone();
            let diagnostic = self
                .error(codes::NOT_DYN, node, format!("no `dyn {name}` value can be made"), problem)
                .label(Place::Node(of, NodeId::default()), format!("`{name}` is declared here"))
                .note("through a `dyn` value only methods are called whose signature says all about them")
                .help("use a type parameter with this bound instead: `proc f<T: Trait>(x: T)`");
            return self.fail(diagnostic, node);
        }
        let source = value.ty.clone();
        let mut methods = Vec::new();
        let mut associated: Vec<Ty> = Vec::new();
        let all = dyn_methods(self.db, of);
        for given in dyn_traits(self.db, of, args, &source) {
            let types = instantiate(self.db, &mut self.table, given.of, node);
            for (open, known) in types.iter().zip(given.args.iter()) {
                self.table.unify(open, known);
            }
            let asked = obligations(&generics(self.db, given.of).bounds, &types, node, given.of, 0);
            self.obligations.extend(asked);
            if given.of == of {
                let own = generics(self.db, of).bounds.first().map(|bound| bound.types.clone());
                let open = own.into_iter().flatten().filter_map(|index| types.get(index as usize));
                associated.extend(open.cloned());
            }
            let own = all.iter().filter(|(declared, _)| *declared == given.of);
            methods.extend(own.map(|(_, member)| (*member, types.clone())));
        }
        self.settle(false);
        for (found, wanted) in associated.iter().zip(dyn_types(self.db, of, args)) {
            if !self.unify(found, wanted) {
                let (found, wanted) = (self.show(found), self.show(wanted));
                let shown = self.show(target);
                let diagnostic = self
                    .error(
                        codes::NOT_DYN,
                        node,
                        format!("this is no `{shown}`: an associated type is `{found}`, not `{wanted}`"),
                        format!("its impl says `{found}`"),
                    )
                    .label(Place::Node(of, NodeId::default()), "the trait is declared here")
                    .note("the associated types of a `dyn` type are part of it")
                    .help(format!("write `{found}` in the type, or implement the trait with `{wanted}`"));
                return self.fail(diagnostic, node);
            }
        }
        expr(target.clone(), node, ExprKind::Dyn { value: Box::new(value), methods })
    }

    /// A reference, another pointer, or a text for C as a pointer; reports any other value.
    pub(super) fn make_pointer(
        &mut self,
        value: Expr,
        mutable: bool,
        inner: &Ty,
        target: &Ty,
        reason: &Reason,
    ) -> Expr {
        let node = value.node;
        match self.table.shallow(&value.ty) {
            Ty::Pointer(from_mutable, from) if (!mutable || from_mutable) && self.unify(inner, &from) => {
                if mutable == from_mutable {
                    value
                } else {
                    retyped(value, target)
                }
            }
            Ty::Ref(true, from) if self.unify(inner, &from) => retyped(value, target),
            Ty::Ref(false, from) if !mutable && self.unify(inner, &from) => match value.kind {
                // `&x`: of the place itself, not of a copy.
                ExprKind::Ref(false, place) if self.is_place(&place) => {
                    let ty = Ty::Ref(true, Arc::clone(&from));
                    retyped(expr(ty, node, ExprKind::Ref(true, place)), target)
                }
                kind => self.mismatch(target, &Expr { kind, ..value }, reason),
            },
            Ty::String if *inner == Ty::Int(IntTy::U8) && !mutable && self.is_for_c(reason) => {
                // The call passes the address of its bytes.
                let end = expr(Ty::String, node, ExprKind::Str("\0".into()));
                self.core_call("string_concat", Vec::new(), vec![value, end], Ty::String, node)
            }
            _ => self.mismatch(target, &value, reason),
        }
    }

    /// Whether a value is an argument of an `extern` proc.
    fn is_for_c(&self, reason: &Reason) -> bool {
        matches!(reason, Reason::Argument { callee, .. } if proc_data(self.db, *callee).abi == Abi::C)
    }

    /// `*p` of a raw pointer.
    pub(super) fn behind_pointer(
        &mut self,
        node: NodeId,
        value: Expr,
        mutable: bool,
        inner: &Arc<Ty>,
    ) -> Expr {
        if !self.is_unsafe {
            let diagnostic = self
                .error(
                    codes::UNSAFE_ONLY,
                    node,
                    "a raw pointer is followed only in `unsafe`",
                    "not in an `unsafe` block",
                )
                .label(self.place(value.node), "this is a raw pointer")
                .note("nothing says that what a raw pointer leads to is still there")
                .help("write it inside of `unsafe { … }`, or use a `ref`");
            return self.fail(diagnostic, node);
        }
        let address = retyped(value, &Ty::Ref(true, Arc::clone(inner)));
        let ty = Ty::clone(inner);
        let place = expr(ty.clone(), node, ExprKind::Deref(Box::new(address)));
        if mutable {
            return place;
        }
        let view = Ty::Ref(false, Arc::clone(inner));
        let view = expr(view, node, ExprKind::Ref(false, Box::new(place)));
        expr(ty, node, ExprKind::Deref(Box::new(view)))
    }
}

/// The same bits as a value of another type.
fn retyped(value: Expr, ty: &Ty) -> Expr {
    expr(ty.clone(), value.node, ExprKind::Cast(Box::new(value)))
}
