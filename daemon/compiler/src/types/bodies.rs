//! The places where signatures and programs ask for checked bodies.
use std::sync::Arc;

use super::ty::Ty;
use crate::base::Db;
use crate::base::diagnostic::Diagnostics;
use crate::lower::ItemId;

/// The type of the value of a const without a written type.
pub(super) fn value_type(_db: &dyn Db, _item: ItemId) -> Ty {
    Ty::Error
}

/// What the type check of an item's body found.
pub(super) fn body_diagnostics(_db: &dyn Db, _item: ItemId) -> Diagnostics {
    Arc::from([])
}

/// What the borrow check of an item's body found.
pub(super) fn borrow_diagnostics(db: &dyn Db, item: ItemId) -> Diagnostics {
    crate::mir::borrow_diagnostics(db, item).clone()
}
