//! Opaque and foreign types, the bounds of forms and picks, and what `sizeof` and its like give.
use super::super::signature::form_kind;
use super::super::thir::{Callee, Expr, ExprKind};
use super::super::traits::generics;
use super::super::ty::Ty;
use super::coerce::Reason;
use super::traits::obligations;
use super::unify::Origin;
use super::{Checker, codes, expr};
use crate::base::Place;
use crate::lower::hir::{self, FormKind, Ident, LayoutQuery, TypeRef};
use crate::lower::{ItemId, NodeId};
use crate::types::layout_query::{has_parameter, layout_value};
use crate::types::{Intrinsic, form_data};

impl Checker<'_> {
    /// Whether an item is an opaque type.
    pub(super) fn is_opaque(&self, item: ItemId) -> bool {
        form_kind(self.db, item) == FormKind::Opaque
    }

    /// The type that a value of an opaque type holds.
    pub(super) fn held_type(&self, item: ItemId, args: &[Ty]) -> Ty {
        form_data(self.db, item).fields.first().map_or(Ty::Error, |(_, ty)| ty.subst(args))
    }

    /// `UserId(5)`: a value of an opaque type.
    pub(super) fn opaque_call(&mut self, node: NodeId, ty: &Ty, args: &[hir::Arg]) -> Expr {
        let Ty::Form(item, types) = ty else { return self.drop_arguments(args, node) };
        let held = self.held_type(*item, types);
        let [arg] = args else {
            let name = item.name(self.db).clone();
            let diagnostic = self
                .error(
                    codes::ARITY,
                    node,
                    format!("`{name}` takes 1 value, {} given", args.len()),
                    "wrong number of values",
                )
                .label(Place::Node(*item, NodeId::default()), "declared here")
                .note("an opaque type holds one value of the type behind `=`")
                .help(format!("write `{name}(value)`"));
            self.report(diagnostic);
            return self.drop_arguments(args, node);
        };
        let field = crate::base::Name::new_static("value");
        let value = self.check(arg.value, &held, &Reason::Field { form: *item, field });
        expr(ty.clone(), node, ExprKind::Record { fields: vec![(0, value)], base: None })
    }

    /// Notes what a form or pick asks of its type parameters, where a value of it is made.
    pub(super) fn form_bounds(&mut self, item: ItemId, args: &[Ty], node: NodeId) {
        let asked = generics(self.db, item);
        if asked.bounds.is_empty() {
            return;
        }
        let mut all = args.to_vec();
        for _ in all.len()..asked.names.len() {
            all.push(self.table.fresh(node, Origin::Hidden));
        }
        self.obligations.extend(obligations(&asked.bounds, &all, node, item, 0));
    }

    /// `sizeof(T)`, `alignof(T)`, `offsetof(T, field)`.
    pub(super) fn layout_query(
        &mut self,
        node: NodeId,
        query: LayoutQuery,
        written: &TypeRef,
        field: Option<&Ident>,
    ) -> Expr {
        let ty = self.written(written);
        let mut index = 0;
        if let Some(name) = field {
            let Ty::Form(form, _) = &ty else {
                if ty == Ty::Error {
                    return self.poison(node);
                }
                let shown = self.show(&ty);
                let diagnostic = self
                    .error(
                        codes::UNKNOWN_FIELD,
                        name.node,
                        format!("`{shown}` has no field `{}`", name.name),
                        "no form, no fields",
                    )
                    .note("`offsetof` asks where a field of a form stands")
                    .help("name a form");
                return self.fail(diagnostic, node);
            };
            match form_data(self.db, *form).fields.iter().position(|(own, _)| *own == name.name) {
                Some(found) => index = found as u32,
                None => {
                    self.unknown_field(*form, name);
                    return self.poison(node);
                }
            }
        }
        if let Ty::Form(form, _) = &ty
            && form_kind(self.db, *form) == FormKind::Foreign
        {
            let name = form.name(self.db).clone();
            let diagnostic = self
                .error(
                    codes::UNSUPPORTED,
                    written.node,
                    format!("the size of the foreign type `{name}` is not known"),
                    "nothing is known of what is inside",
                )
                .label(Place::Node(*form, NodeId::default()), "declared here")
                .note("an `extern type` stands behind pointers only")
                .help("ask for the size of a pointer to it");
            return self.fail(diagnostic, node);
        }
        if !has_parameter(&ty) {
            let value = layout_value(self.db, query, &ty, index);
            return expr(Ty::USIZE, node, ExprKind::Int(i128::from(value)));
        }
        // Known once instances are made.
        let intrinsic = match query {
            LayoutQuery::Size => Intrinsic::ByteSize,
            LayoutQuery::Align => Intrinsic::ByteAlign,
            LayoutQuery::Offset => Intrinsic::FieldOffset(index),
        };
        let callee = Callee::Intrinsic(intrinsic, vec![ty]);
        expr(Ty::USIZE, node, ExprKind::Call { callee, args: Vec::new() })
    }
}
