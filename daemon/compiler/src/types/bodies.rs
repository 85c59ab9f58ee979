//! The places where signatures and programs ask for checked bodies.
use std::sync::Arc;

use super::infer::{check_body, default_value};
use super::ty::Ty;
use crate::base::diagnostic::Diagnostics;
use crate::base::{Db, Diagnostic};
use crate::lower::{ItemId, proc_signature};

/// The type of the value of a const without a written type.
pub(super) fn value_type(db: &dyn Db, item: ItemId) -> Ty {
    check_body(db, item).body.ret.clone()
}

/// What the type check of an item's body found.
pub(super) fn body_diagnostics(db: &dyn Db, item: ItemId) -> Diagnostics {
    let checked = check_body(db, item);
    let Some(signature) = proc_signature(db, item) else { return checked.diagnostics.clone() };
    let with_default = signature.params.iter().enumerate().filter(|(_, param)| param.default.is_some());
    let defaults = with_default.filter_map(|(index, _)| default_value(db, item, index as u32).as_ref());
    let mut all: Vec<Diagnostic> = defaults.flat_map(|body| body.diagnostics.iter().cloned()).collect();
    if all.is_empty() {
        return checked.diagnostics.clone();
    }
    all.extend(checked.diagnostics.iter().cloned());
    all.into()
}

/// What the borrow check of an item's body found.
pub(super) fn borrow_diagnostics(_db: &dyn Db, _item: ItemId) -> Diagnostics {
    Arc::from([])
}
