//! The places where signatures and programs ask for checked bodies.

use super::infer::{check_body, default_field, default_value};
use super::ty::Ty;
use crate::base::diagnostic::Diagnostics;
use crate::base::{Db, Diagnostic};
use crate::consteval::const_diagnostics;
use crate::lower::hir::ItemHir;
use crate::lower::{ItemId, item_hir, proc_signature};

/// The type of the value of a const without a written type.
pub(super) fn value_type(db: &dyn Db, item: ItemId) -> Ty {
    check_body(db, item).body.ret.clone()
}

/// What the type check of an item's body and of its parameters' default values found, and the
/// evaluation of it if it is a constant.
pub(super) fn body_diagnostics(db: &dyn Db, item: ItemId) -> Diagnostics {
    let checked = check_body(db, item);
    let mut more: Vec<Diagnostic> = const_diagnostics(db, item).to_vec();
    let params = proc_signature(db, item).as_ref().map(|signature| signature.params.as_slice());
    for (index, param) in params.unwrap_or_default().iter().enumerate() {
        if param.default.is_some()
            && let Some(default) = default_value(db, item, index as u32)
        {
            more.extend(default.diagnostics.iter().cloned());
        }
    }
    if let ItemHir::Form(form) = &**item_hir(db, item) {
        for (index, field) in form.fields.iter().enumerate() {
            if field.default.is_some()
                && let Some(default) = default_field(db, item, index as u32)
            {
                more.extend(default.diagnostics.iter().cloned());
            }
        }
    }
    if more.is_empty() {
        return checked.diagnostics.clone();
    }
    checked.diagnostics.iter().cloned().chain(more).collect()
}

/// What the borrow check of an item's body found.
pub(super) fn borrow_diagnostics(db: &dyn Db, item: ItemId) -> Diagnostics {
    crate::mir::borrow_diagnostics(db, item).clone()
}
