//! Every query of the compiler that the driver asks, in one place.
use std::sync::Arc;

use vitte_compiler::base::diagnostic::Diagnostics;
use vitte_compiler::base::{FileContents, Program, Span};
use vitte_compiler::codegen::{self, TextStage};
use vitte_compiler::lower::{self, ItemId, NodeId};
use vitte_compiler::{explain as explanations, syntax, types};

use super::Database;
use crate::api::Stage;

/// An object file.
#[derive(Clone, Debug)]
pub(crate) struct Object {
    /// Its bytes.
    pub(crate) bytes: Arc<[u8]>,
}

/// All errors and warnings of a program.
pub(crate) fn diagnostics(db: &Database, program: Program) -> Diagnostics {
    Arc::clone(types::program::program_diagnostics(db, program))
}

/// Where a node is now.
pub(crate) fn node_span(db: &Database, item: ItemId, node: NodeId) -> Span {
    lower::item_source_map(db, item).span(node)
}

/// The program's object file, or why there is none.
pub(crate) fn object(db: &Database, program: Program) -> Result<Object, Diagnostics> {
    let object = codegen::program_object(db, program)?;
    Ok(Object { bytes: object.bytes.as_slice().into() })
}

/// One stage as text: of the entry file for the stages that know files, of the program for the others.
/// Empty if the program has errors.
pub(crate) fn emit(db: &Database, program: Program, stage: Stage, filter: Option<&str>) -> String {
    let listing = |stage| codegen::emit_text(db, program, stage, filter).unwrap_or_default();
    let entry = program.entry(db);
    let FileContents::Text(text) = entry.contents(db) else { return String::new() };
    match stage {
        Stage::Tokens => syntax::dump::tokens(&text, &syntax::lexer::lex(entry, &text)),
        Stage::Ast => syntax::dump::ast(&text, &syntax::parse(db, entry).tree),
        Stage::Hir => lower::dump::file(db, entry),
        Stage::Mir => listing(TextStage::Mir),
        Stage::Ssa => listing(TextStage::Ssa),
        Stage::Clif => listing(TextStage::Clif),
        Stage::Asm => listing(TextStage::Asm),
        Stage::Obj => String::new(),
    }
}

/// The long explanation of a code.
pub(crate) fn explain(code: &str, language: &str) -> Option<String> {
    explanations::explain(code, language)
}
