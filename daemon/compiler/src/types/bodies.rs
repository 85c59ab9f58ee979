//! The places where signatures and programs ask for checked bodies.
use super::infer::check_body;
use super::ty::Ty;
use crate::base::Db;
use crate::base::diagnostic::Diagnostics;
use crate::consteval::const_diagnostics;
use crate::lower::ItemId;

/// The type of the value of a const without a written type.
pub(super) fn value_type(db: &dyn Db, item: ItemId) -> Ty {
    check_body(db, item).body.ret.clone()
}

/// What the type check of an item's body found, and the evaluation of it if it is a constant.
pub(super) fn body_diagnostics(db: &dyn Db, item: ItemId) -> Diagnostics {
    let checked = check_body(db, item);
    let evaluated = const_diagnostics(db, item);
    if evaluated.is_empty() {
        return checked.diagnostics.clone();
    }
    checked.diagnostics.iter().chain(evaluated.iter()).cloned().collect()
}

/// What the borrow check of an item's body found.
pub(super) fn borrow_diagnostics(db: &dyn Db, item: ItemId) -> Diagnostics {
    crate::mir::borrow_diagnostics(db, item).clone()
}
