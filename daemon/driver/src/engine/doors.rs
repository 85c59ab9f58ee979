//! Every query of the compiler that the driver asks, in one place.
use std::sync::Arc;

use vitte_compiler::base::diagnostic::Diagnostics;
use vitte_compiler::base::{Program, Span};
use vitte_compiler::lower::{ItemId, NodeId};

use super::Database;
use crate::api::Stage;

/// An object file and the names it wants from shared libraries.
#[derive(Clone, Debug)]
pub(crate) struct Object {
    /// The file.
    pub(crate) bytes: Arc<[u8]>,
}

/// All errors and warnings of a program.
pub(crate) fn diagnostics(db: &Database, program: Program) -> Diagnostics {
    let _ = (db, program);
    Arc::from([])
}

/// Where a node is now.
pub(crate) fn node_span(db: &Database, item: ItemId, node: NodeId) -> Span {
    let _ = (db, item, node);
    Span::default()
}

/// The program's object file, or why there is none.
pub(crate) fn object(db: &Database, program: Program) -> Result<Object, Diagnostics> {
    let _ = (db, program);
    Err(Arc::from([]))
}

/// One stage as text.
pub(crate) fn emit(db: &Database, program: Program, stage: Stage, filter: Option<&str>) -> String {
    let _ = (db, program, stage, filter);
    String::new()
}

/// The long explanation of a code.
pub(crate) fn explain(code: &str, language: &str) -> Option<String> {
    let _ = (code, language);
    None
}
