//! Syntax tree to item tree and HIR.
//!
//! The item tree of a file holds what other files and items can see of it, without bodies or spans,
//! so that an edit inside a body changes nothing here. Each item's HIR is a value of its own, also
//! without spans: spans live in the item's [`SourceMap`], which only diagnostics and debug
//! information read. Formatting and comments therefore stop at this stage.
//!
//! One query lowers a whole file (parsing is per file as well, and lowering is cheaper than that);
//! the public queries pick one result each, and equal results stop the recomputation of their readers.
mod body; // statements, expressions, patterns
pub mod codes;
pub mod dump; // stable text of the HIR
mod file; // items and their signatures
pub mod hir;
#[allow(missing_docs)] // salsa writes constructors without docs
pub mod item;
mod members; // traits and impls

#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::sync::Arc;

pub use hir::{ItemHir, ItemTree, ProcSig, SourceMap};
pub use item::{ItemId, ItemKind, NodeId};

use crate::base::diagnostic::Diagnostics;
use crate::base::{Db, Diagnostic, SourceFile};
use crate::syntax::parse;

/// Everything that lowering one file gives.
#[derive(Debug, Default)]
struct LoweredFile {
    tree: Arc<ItemTree>,
    /// Local procs included.
    items: HashMap<ItemId, LoweredItem>,
    diagnostics: Vec<Diagnostic>,
}

/// One item's HIR and spans.
#[derive(Debug)]
struct LoweredItem {
    hir: Arc<ItemHir>,
    map: Arc<SourceMap>,
}

#[salsa::tracked(returns(ref), no_eq)]
fn lowered_file(db: &dyn Db, file: SourceFile) -> LoweredFile {
    let parsed = parse(db, file);
    db.go_on("lower");
    file::lower(db, file, &parsed.tree)
}

/// What a file declares.
#[salsa::tracked(returns(ref))]
pub fn item_tree(db: &dyn Db, file: SourceFile) -> Arc<ItemTree> {
    lowered_file(db, file).tree.clone()
}

/// One item's HIR; [`ItemHir::Missing`] if the item is gone.
#[salsa::tracked(returns(ref))]
pub fn item_hir(db: &dyn Db, item: ItemId) -> Arc<ItemHir> {
    match lowered_file(db, item.file(db)).items.get(&item) {
        Some(lowered) => lowered.hir.clone(),
        None => Arc::new(ItemHir::Missing),
    }
}

/// A proc's signature without its body, so that a body edit stops here. `None` if the item is no proc.
#[salsa::tracked(returns(ref))]
pub fn proc_signature(db: &dyn Db, item: ItemId) -> Option<Arc<ProcSig>> {
    match &**item_hir(db, item) {
        ItemHir::Proc(proc) => Some(proc.sig.clone()),
        ItemHir::Missing
        | ItemHir::Form(_)
        | ItemHir::Pick(_)
        | ItemHir::Const(_)
        | ItemHir::Alias(_)
        | ItemHir::Trait(_)
        | ItemHir::Impl(_)
        | ItemHir::StaticAssert(..) => None,
    }
}

/// Spans of an item's nodes.
#[salsa::tracked(returns(ref))]
pub fn item_source_map(db: &dyn Db, item: ItemId) -> Arc<SourceMap> {
    match lowered_file(db, item.file(db)).items.get(&item) {
        Some(lowered) => lowered.map.clone(),
        None => Arc::default(),
    }
}

/// Duplicates and "not supported yet" of a file.
#[salsa::tracked(returns(ref))]
pub fn lowering_diagnostics(db: &dyn Db, file: SourceFile) -> Diagnostics {
    Diagnostics::from(lowered_file(db, file).diagnostics.as_slice())
}

/// All that the lexer, the parser and the lowering say about a file.
#[salsa::tracked(returns(ref))]
pub fn file_diagnostics_syntax(db: &dyn Db, file: SourceFile) -> Diagnostics {
    parse(db, file).diagnostics.iter().chain(lowering_diagnostics(db, file).iter()).cloned().collect()
}
