//! Every query of the compiler that the driver asks, in one place.
use std::collections::{BTreeSet, HashMap};
use std::path::PathBuf;
use std::sync::Arc;

use vitte_compiler::base::diagnostic::Diagnostics;
use vitte_compiler::base::{FileContents, LineIndex, Place, Program, SourceFile, SourcePath, Span};
pub(crate) use vitte_compiler::codegen::Fragments;
use vitte_compiler::codegen::{self, TextStage, WasmWidth};
use vitte_compiler::format::{self, FormatError};
use vitte_compiler::lower::hir::Abi;
use vitte_compiler::lower::{self, ItemId, ItemKind, NodeId};
use vitte_compiler::ssa::CodeOptions;
use vitte_compiler::{explain as explanations, syntax, types};

use super::Database;
use super::database::Folders;
use crate::api::{LineRange, Stage, SyntaxProblem};

/// An object file.
#[derive(Clone, Debug)]
pub(crate) struct Object {
    /// Its bytes.
    pub(crate) bytes: Arc<[u8]>,
}

/// What an edit of a file reaches.
pub(crate) struct Reach {
    /// Names of the procedures that stand in it.
    pub(crate) procedures: Vec<String>,
    /// The modules that import it, directly or not, in order of path.
    pub(crate) importers: Vec<SourcePath>,
}

/// What an edit of the module at `path` reaches; `None` when the program does not have it.
pub(crate) fn reach(db: &Database, program: Program, path: &SourcePath) -> Option<Reach> {
    let modules = types::program::program_modules(db, program);
    let start = *modules.iter().find(|file| file.path(db) == path)?;
    let mut importers = HashMap::<SourceFile, Vec<SourceFile>>::new();
    for module in modules.iter() {
        for import in &types::scope::imports(db, *module).bindings {
            importers.entry(import.module).or_default().push(*module);
        }
    }
    let mut found = BTreeSet::new();
    let mut work = vec![start];
    while let Some(file) = work.pop() {
        for importer in importers.get(&file).into_iter().flatten() {
            if *importer != start && found.insert(importer.path(db).clone()) {
                work.push(*importer);
            }
        }
    }
    let items = lower::item_tree(db, start).items.iter().map(|entry| entry.id);
    let procedures =
        items.filter(|item| item.kind(db) == ItemKind::Proc).map(|item| item.name(db).to_string());
    Some(Reach { procedures: procedures.collect(), importers: found.into_iter().collect() })
}

/// Where a node is now.
pub(crate) fn node_span(db: &Database, item: ItemId, node: NodeId) -> Span {
    lower::item_source_map(db, item).span(node)
}

/// Where the program declares the C procedure `name`; its entry file when nowhere.
pub(crate) fn extern_place(db: &Database, program: Program, name: &str) -> Place {
    let declared = types::program::program_modules(db, program)
        .iter()
        .flat_map(|file| &lower::item_tree(db, *file).items)
        .map(|entry| entry.id)
        .filter(|item| item.kind(db) == ItemKind::Proc && item.name(db) == name)
        .find(|item| lower::proc_signature(db, *item).as_ref().is_some_and(|sig| sig.abi == Abi::C));
    match declared {
        Some(item) => Place::Node(item, NodeId(0)),
        None => Place::File(program.entry(db), Span::default()),
    }
}

/// The program's object file, or why there is none.
pub(crate) fn object(db: &Database, program: Program) -> Result<Object, Diagnostics> {
    let object = codegen::program_object(db, program)?;
    Ok(Object { bytes: object.bytes.as_slice().into() })
}

/// The object file of the program as a library, or why there is none.
pub(crate) fn library(db: &Database, program: Program) -> Result<Object, Diagnostics> {
    let object = codegen::library_object(db, program)?;
    Ok(Object { bytes: object.bytes.as_slice().into() })
}

/// The program as a WebAssembly module, or why there is none.
pub(crate) fn wasm(db: &Database, program: Program, width: WasmWidth) -> Result<Arc<[u8]>, Diagnostics> {
    let options = CodeOptions::of(db, program.options(db));
    let roots = codegen::wasm::roots(db, program, width);
    super::parallel::each(db, roots, |db, instance| codegen::wasm::needs(db, instance, options, width));
    codegen::program_wasm(db, program, width)
}

/// The program as a module of bytecode, or why there is none.
pub(crate) fn bytecode(db: &Database, program: Program) -> Result<Arc<[u8]>, Diagnostics> {
    let options = CodeOptions::of(db, program.options(db));
    let roots = codegen::wasm::roots(db, program, codegen::vbc::WIDTH);
    super::parallel::each(db, roots, |db, instance| codegen::vbc::needs(db, instance, options));
    codegen::program_bytecode(db, program)
}

/// One stage as text: of the entry file for the stages that know files, of the program for the others.
pub(crate) fn emit(
    db: &Database,
    program: Program,
    stage: Stage,
    filter: Option<&str>,
) -> Result<String, Diagnostics> {
    let entry = program.entry(db);
    let FileContents::Text(text) = entry.contents(db) else { return Ok(String::new()) };
    let listed = |stage| codegen::emit_text(db, program, stage, filter);
    match stage {
        Stage::Tokens => Ok(syntax::dump::tokens(&text, &syntax::lexer::lex(entry, &text))),
        Stage::Ast => Ok(syntax::dump::ast(&text, &syntax::parse(db, entry).tree)),
        Stage::Hir => Ok(lower::dump::file(db, entry)),
        Stage::Mir => listed(TextStage::Mir),
        Stage::Ssa => listed(TextStage::Ssa),
        Stage::Clif => listed(TextStage::Clif),
        Stage::Asm => listed(TextStage::Asm),
        // It is bytes, not text: see [`object`].
        Stage::Obj => Ok(String::new()),
    }
}

/// A text in canonical style, or why not: the syntax errors in it.
pub(crate) fn formatted(text: &str, range: Option<LineRange>) -> Result<String, Vec<SyntaxProblem>> {
    // The text is no file of any program: the database only gives it a name.
    let db = Database::new(Folders { workspace: PathBuf::new(), roots: Vec::new() });
    let file = SourceFile::new(&db, SourcePath::workspace("text.vit"), FileContents::Missing);
    let lines = LineIndex::new(text);
    let problem = |offset: u32, code: &str, message: &str| {
        let (line, column) = lines.line_column(text, offset);
        SyntaxProblem { line, column, code: code.to_owned(), message: message.to_owned() }
    };
    format::format_text(file, text, range).map_err(|error| match error {
        FormatError::Syntax(errors) => errors
            .iter()
            .map(|error| {
                let offset = match error.labels.first().map(|label| label.place) {
                    Some(Place::File(_, span)) => span.start,
                    _ => 0,
                };
                problem(offset, error.code.code, &error.message)
            })
            .collect(),
        FormatError::Unsafe(at) => {
            vec![problem(at as u32, "ICE0901", "formatting would change this token; nothing was done")]
        }
    })
}

/// The long explanation of a code.
pub(crate) fn explain(code: &str, language: &str) -> Option<String> {
    explanations::explain(code, language)
}
