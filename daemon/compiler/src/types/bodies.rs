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
pub(super) fn borrow_diagnostics(_db: &dyn Db, _item: ItemId) -> Diagnostics {
    Arc::from([])
}

/// Checks the body of an item. Every body has errors until the type check is in place.
#[salsa::tracked(returns(ref))]
pub fn check_body(_db: &dyn Db, _item: ItemId) -> Arc<super::data::CheckedBody> {
    let block = super::thir::Block { node: Default::default(), stmts: Vec::new(), tail: None };
    let body = super::thir::Body {
        generics: Vec::new(),
        param_count: 0,
        locals: Vec::new(),
        ret: Ty::Error,
        block,
        ok: false,
    };
    Arc::new(super::data::CheckedBody { body, diagnostics: Arc::from([]) })
}
