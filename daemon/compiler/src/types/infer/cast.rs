//! `e as T` (§3.5).
use super::super::thir::{Expr, ExprKind};
use super::super::ty::{IntTy, Ty};
use super::coerce::{Reason, fits};
use super::{Checker, Expect, codes, expr};
use crate::lower::NodeId;
use crate::lower::hir::{BinaryOp, ExprId, ExprKind as Hir, Literal, TypeRef, UnaryOp};
use crate::types::pick_data;

impl Checker<'_> {
    pub(super) fn cast(&mut self, node: NodeId, value: ExprId, ty: &TypeRef) -> Expr {
        let target = self.written(ty);
        let hint = match &target {
            // An explicit cast wraps, so a literal is not bound to fit.
            Ty::Int(int) => match self.cast_literal(value, *int) {
                Some(ty) => Expect::Hint(ty),
                None => Expect::Value,
            },
            Ty::Float(_) if self.is_flexible(value) => Expect::Hint(target.clone()),
            Ty::Bool | Ty::Char | Ty::String | Ty::Float(_) | Ty::Error => Expect::Value,
            other => Expect::Hint(other.clone()),
        };
        if let (Ty::Pointer(..), Hir::Ref(..)) = (&target, &self.hir_expr(value).kind) {
            // `&mut x as *mut T`
            let value = self.infer(value, &Expect::Value);
            return self.coerce(value, &target, &Reason::Declared { node: ty.node });
        }
        let value = self.check_value(value, &hint);
        let source = self.known(&value.ty);
        if matches!(source, Ty::Error | Ty::Never) {
            return expr(target, node, ExprKind::Error);
        }
        if source == target || self.unify(&source, &target) {
            return Expr { node, ..value };
        }
        if matches!(target, Ty::Dyn(..)) {
            return self.coerce(value, &target, &Reason::Declared { node: ty.node });
        }
        match (&source, &target) {
            (Ty::Int(_) | Ty::Float(_), Ty::Int(_) | Ty::Float(_))
            | (Ty::Int(_), Ty::Char)
            | (Ty::Char | Ty::Bool, Ty::Int(_))
            | (Ty::Bool, Ty::Char) => expr(target, node, ExprKind::Cast(Box::new(value))),
            (Ty::Pointer(..), Ty::Pointer(..) | Ty::Int(_)) | (Ty::Int(_), Ty::Pointer(..)) => {
                expr(target, node, ExprKind::Cast(Box::new(value)))
            }
            (Ty::Pointer(_, byte), Ty::String) if **byte == Ty::Int(IntTy::U8) => {
                let address = expr(Ty::USIZE, node, ExprKind::Cast(Box::new(value)));
                self.core_call("string_of_c", Vec::new(), vec![address], Ty::String, node)
            }
            (Ty::Int(_), Ty::Bool) | (Ty::Char, Ty::Bool) => {
                let zero = expr(source.clone(), node, ExprKind::Int(0));
                expr(Ty::Bool, node, ExprKind::Compare(BinaryOp::Ne, Box::new(value), Box::new(zero)))
            }
            (Ty::Pick(pick, _), Ty::Int(_)) if pick_data(self.db, *pick).plain => {
                expr(target, node, ExprKind::Cast(Box::new(value)))
            }
            (Ty::Int(_) | Ty::Float(_) | Ty::Bool | Ty::Char, Ty::String) => self.text_of(value, node),
            (_, Ty::Error) => self.poison(node),
            (Ty::Form(form, args), _) if self.is_opaque(*form) && self.held_type(*form, args) == target => {
                expr(target, node, ExprKind::Field(Box::new(value), 0))
            }
            (_, Ty::Form(form, args)) if self.is_opaque(*form) && self.held_type(*form, args) == source => {
                expr(target, node, ExprKind::Record { fields: vec![(0, value)], base: None })
            }
            _ => self.bad_cast(node, ty.node, &value, &source, &target),
        }
    }

    /// The type in which a literal under a cast is read: the target if it fits, else the first that holds it.
    pub(super) fn cast_literal(&mut self, id: ExprId, target: IntTy) -> Option<Ty> {
        let (magnitude, negative) = match &self.hir_expr(id).kind {
            Hir::Literal(Literal::Int(magnitude, None)) => (*magnitude, false),
            Hir::Unary(UnaryOp::Neg, inner) => match &self.hir_expr(*inner).kind {
                Hir::Literal(Literal::Int(magnitude, None)) => (*magnitude, true),
                _ => return None,
            },
            _ => return None,
        };
        [target, IntTy::Int, IntTy::U64, IntTy::I128, IntTy::U128]
            .into_iter()
            .find(|ty| fits(magnitude, negative, *ty))
            .map(Ty::Int)
    }

    fn bad_cast(&mut self, node: NodeId, ty_node: NodeId, value: &Expr, source: &Ty, target: &Ty) -> Expr {
        let (from, to) = (self.show(source), self.show(target));
        let diagnostic = self
            .error(codes::CAST, node, format!("cannot cast `{from}` to `{to}`"), "no such cast")
            .label(self.place(value.node), format!("this is `{from}`"))
            .label(self.place(ty_node), format!("cast to `{to}`"));
        let diagnostic = match (source, target) {
            (Ty::String, Ty::Int(_)) => diagnostic
                .note("text may not be a number, so there is no cast")
                .help("`int_of_string(s)` gives an `Option<int>`"),
            (Ty::Pick(pick, _), Ty::Int(_)) => diagnostic
                .note(format!("only picks without payload have a number; `{}` has a payload", pick.name(self.db)))
                .help("match on it and give a number for each case"),
            (Ty::Float(_), Ty::Char | Ty::Bool) => {
                diagnostic.note("floats cast to numbers and text only").help("cast to `int` first")
            }
            (_, Ty::String) => diagnostic
                .note("numbers, `bool` and `char` have a text")
                .help("write a proc that makes a string of it"),
            _ => diagnostic
                .note("casts exist between numbers, `bool` and `char`, from picks without payload to integers, and to `string`")
                .help(format!("build a `{to}` from the parts of this value")),
        };
        self.fail(diagnostic, node)
    }
}
