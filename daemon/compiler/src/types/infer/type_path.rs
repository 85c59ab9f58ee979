//! Members of types: what `Type.name` means, and names that stand for types without an item.
use super::super::thir::Expr;
use super::super::ty::Ty;
use super::path::Meaning;
use super::{Checker, codes};
use crate::base::{Name, Place};
use crate::lower::hir::Ident;
use crate::lower::{ItemId, NodeId};
use crate::types::{form_data, proc_data};

impl Checker<'_> {
    /// The type that a name without an item stands for: `Self`, a type parameter, a built-in type.
    pub(super) fn type_named(&self, name: &Name) -> Option<Ty> {
        if let Some(index) = self.generics.iter().position(|generic| generic == name) {
            return Some(Ty::Param(index as u32, name.clone()));
        }
        if name == "Self" {
            let block = crate::types::typeref::impl_around(self.db, self.item)?;
            return Some(crate::types::traits::impl_self_ty(self.db, block).clone());
        }
        crate::types::typeref::builtin_type(name)
    }

    /// `Type.name`: a variant, or a member of an impl or trait.
    pub(super) fn type_member(&mut self, ty: &Ty, name: &Ident) -> Meaning {
        if let Ty::Pick(pick, _) = ty
            && let Some(index) = self.variant_index(*pick, &name.name)
        {
            return Meaning::Variant(ty.clone(), index);
        }
        match self.find_member(ty, &name.name, name.node) {
            Ok(Some((item, owner))) => return Meaning::Member(item, Some(owner)),
            Ok(None) => {}
            Err(()) => return Meaning::Reported,
        }
        match ty {
            Ty::Error => {}
            Ty::Pick(pick, _) => self.unknown_variant(*pick, name),
            _ => {
                let shown = self.show(ty);
                let diagnostic = self
                    .error(
                        codes::UNKNOWN_MEMBER,
                        name.node,
                        format!("the type `{shown}` has no member `{}`", name.name),
                        "not in any impl of this type in sight",
                    )
                    .note("a type has the variants of its pick and the members of its impls; fields belong to values")
                    .help("use a value of this type, or declare the member in an impl");
                self.report(diagnostic);
            }
        }
        Meaning::Reported
    }

    /// Whether `value.name` is a field, an element or a built-in member.
    pub(super) fn has_field(&self, ty: &Ty, name: &Name) -> bool {
        match ty {
            Ty::Form(form, _) => form_data(self.db, *form).fields.iter().any(|(field, _)| field == name),
            Ty::Tuple(_) | Ty::String | Ty::Bytes | Ty::List(_) => true,
            _ => false,
        }
    }

    /// Reports a method that is named and not called, or a const of a type that is asked of a value.
    pub(super) fn bare_method(&mut self, ty: &Ty, item: ItemId, name: &Ident, node: NodeId) -> Expr {
        let data = proc_data(self.db, item);
        let is_method = data.params.first().is_some_and(|param| param.name == "self");
        let shown = self.show(ty);
        let (what, help) = if is_method {
            ("a method", format!("call it: `{}(...)`", name.name))
        } else {
            ("a member of the type", format!("write `{shown}.{}`", name.name))
        };
        let diagnostic = self
            .error(
                codes::NOT_A_METHOD,
                name.node,
                format!("`{}` is {what} of `{shown}`, not a field", name.name),
                "not a value by itself",
            )
            .label(Place::Node(item, NodeId::default()), "declared here")
            .note("methods are called on a value; other members of a type are reached through the type")
            .help(help);
        self.fail(diagnostic, node)
    }
}
