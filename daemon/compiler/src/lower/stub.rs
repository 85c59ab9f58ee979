//! Stand-ins until the real lowering lands.
use super::hir::*;
use super::item::ItemId;
use crate::base::diagnostic::Diagnostics;
use crate::base::{Db, SourceFile};
use std::sync::Arc;

#[salsa::tracked(returns(ref))]
pub fn item_tree(_db: &dyn Db, _file: SourceFile) -> Arc<ItemTree> {
    Arc::default()
}
#[salsa::tracked(returns(ref))]
pub fn item_hir(_db: &dyn Db, _item: ItemId) -> Arc<ItemHir> {
    Arc::new(ItemHir::Missing)
}
#[salsa::tracked(returns(ref))]
pub fn proc_signature(_db: &dyn Db, _item: ItemId) -> Option<Arc<ProcSig>> {
    None
}
#[salsa::tracked(returns(ref))]
pub fn item_source_map(_db: &dyn Db, _item: ItemId) -> Arc<SourceMap> {
    Arc::default()
}
#[salsa::tracked(returns(ref))]
pub fn lowering_diagnostics(_db: &dyn Db, _file: SourceFile) -> Diagnostics {
    Arc::from([])
}
