//! Every query of the compiler that the driver asks, in one place.
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::PathBuf;
use std::sync::Arc;

use vitte_compiler::base::diagnostic::Diagnostics;
use vitte_compiler::base::{
    Code, Db as _, Diagnostic, FileContents, LineIndex, Name, Phase, Place, Program, SourceFile, SourcePath,
    Span,
};
pub(crate) use vitte_compiler::codegen::Fragments;
use vitte_compiler::codegen::hot::Contract;
use vitte_compiler::codegen::wasm::Outline;
use vitte_compiler::codegen::{self, TextStage, WasmWidth};
use vitte_compiler::doc::{self, Pages};
use vitte_compiler::format::{self, FormatError};
use vitte_compiler::lower::hir::Abi;
use vitte_compiler::lower::{self, ItemId, ItemKind, NodeId};
use vitte_compiler::mono::{Instance, InstanceKind};
use vitte_compiler::ssa::CodeOptions;
use vitte_compiler::{explain as explanations, lint, runtime, syntax, types};

use super::Database;
use super::database::Folders;
use crate::api::{LineRange, LintLevel, Stage, SyntaxProblem};

const NOT_LAID_OUT: Code = Code { code: "LNK0062", key: "LINK_E_NOT_LAID_OUT" };

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

/// What code that calls an instance, and values that it handles, rely on.
pub(crate) fn contract(db: &Database, instance: Instance) -> Contract {
    codegen::hot::contract(db, instance)
}

/// What values of types look like: see [`codegen::hot::definitions`].
pub(crate) fn definitions(
    db: &Database,
    items: impl IntoIterator<Item = ItemId>,
) -> BTreeMap<String, String> {
    codegen::hot::definitions(db, items)
}

/// The functions of C that the modules of the program declare, and those of the prelude and the standard library
/// whether it imports them or not, in order: what it may call after an edit.
pub(crate) fn declared_in_c(db: &Database, program: Program) -> Vec<Name> {
    let own = types::program::program_modules(db, program).iter().copied();
    let library = runtime::FILES.iter().filter(|(path, _)| !runtime::WASM_PATHS.contains(path));
    let library = library
        .map(|(path, _)| db.file(&SourcePath { root: runtime::CORE_ROOT.into(), path: (*path).into() }));
    let items = own.chain(library).flat_map(|file| &lower::item_tree(db, file).items);
    let procs = items.map(|entry| entry.id).filter(|item| item.kind(db) == ItemKind::Proc);
    let names = procs
        .filter(|item| lower::proc_signature(db, *item).as_ref().is_some_and(|sig| sig.abi == Abi::C))
        .map(|item| item.name(db).clone());
    names.collect::<BTreeSet<_>>().into_iter().collect()
}

/// What `found` in a program and, where a setting asks for lints that are looked for on demand, those.
pub(crate) fn with_lints(
    db: &Database,
    program: Program,
    settings: &[(LintLevel, String)],
    found: &[Diagnostic],
) -> Vec<Diagnostic> {
    let mut all = found.to_vec();
    if settings.iter().any(|(level, name)| *level != LintLevel::Allow && lint::is_on_demand(name)) {
        for module in types::program_modules(db, program).iter() {
            all.extend(lint::file_lints(db, *module).iter().cloned());
        }
    }
    all
}

/// The documentation of modules, each with the name of its page.
pub(crate) fn pages(db: &Database, title: &str, about: &str, modules: &[(String, SourcePath)]) -> Pages {
    let modules: Vec<(String, SourceFile)> =
        modules.iter().map(|(name, path)| (name.clone(), db.file(path))).collect();
    doc::pages(db, title, about, &modules)
}

/// The documentation of the standard library.
pub(crate) fn library_pages(db: &Database) -> Pages {
    let prefix = format!("{}/", runtime::LIBRARY.join("/"));
    let modules = runtime::FILES.iter().filter_map(|(path, _)| {
        let name = path.strip_prefix(prefix.as_str())?.strip_suffix(".vit")?;
        let path = SourcePath { root: runtime::CORE_ROOT.into(), path: (*path).into() };
        Some((name.to_owned(), path))
    });
    let about = "The modules that every program can import, below `vitte/stdlib/`.";
    pages(db, "Vitte standard library", about, &modules.collect::<Vec<_>>())
}

/// The user's `main`.
pub(crate) fn entry(db: &Database, program: Program) -> Option<ItemId> {
    types::entry_point(db, program).ok()
}

/// Whether an instance is the program's `main`, or that of the user, which it calls once.
pub(crate) fn is_entry(db: &Database, instance: Instance, entry: Option<ItemId>) -> bool {
    match instance.kind(db) {
        InstanceKind::Main(_) | InstanceKind::Tests(_) => true,
        InstanceKind::Proc(item, _) => entry == Some(*item),
        InstanceKind::Thunk(..)
        | InstanceKind::DynThunk(..)
        | InstanceKind::Lambda(..)
        | InstanceKind::Drop(_)
        | InstanceKind::DropCycle(_)
        | InstanceKind::Clone(_)
        | InstanceKind::Eq(_)
        | InstanceKind::Hash(_) => false,
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

/// The parts of the program for another machine, or why there are none.
pub(crate) fn native(db: &Database, program: Program) -> Result<Arc<codegen::NativeProgram>, Diagnostics> {
    let options = CodeOptions::of(db, program.options(db));
    let roots = codegen::native::roots(db, program);
    super::parallel::each(db, roots, |db, instance| codegen::native::needs(db, instance, options));
    codegen::native_program(db, program)
}

/// That no executable can be made of a program's parts, and why.
pub(crate) fn not_laid_out(db: &Database, program: Program, why: &str) -> Diagnostics {
    let place = Place::File(program.entry(db), Span::default());
    let message = format!("no executable can be made of this program: {why}");
    let label = "the program that begins here";
    Arc::from([Diagnostic::error(NOT_LAID_OUT, Phase::Linker, place, message, label)])
}

/// The program as a WebAssembly module, or why there is none.
pub(crate) fn wasm(db: &Database, program: Program, width: WasmWidth) -> Result<Arc<[u8]>, Diagnostics> {
    let options = CodeOptions::of(db, program.options(db));
    let roots = codegen::wasm::roots(db, program, width);
    super::parallel::each(db, roots, |db, instance| codegen::wasm::needs(db, instance, options, width));
    codegen::program_wasm(db, program, width)
}

/// The program as a WebAssembly component, or why there is none.
pub(crate) fn component(db: &Database, program: Program, outline: Outline) -> Result<Arc<[u8]>, Diagnostics> {
    let options = CodeOptions::of(db, program.options(db));
    let width = WasmWidth::Wasm32;
    let roots = codegen::wasm::roots(db, program, width);
    super::parallel::each(db, roots, |db, instance| codegen::wasm::needs(db, instance, options, width));
    codegen::wasm::program_component(db, program, outline)
}

/// The program as a module of bytecode, or why there is none.
pub(crate) fn bytecode(db: &Database, program: Program) -> Result<Arc<[u8]>, Diagnostics> {
    let options = CodeOptions::of(db, program.options(db));
    let roots = codegen::wasm::roots(db, program, codegen::vbc::WIDTH);
    super::parallel::each(db, roots, |db, instance| codegen::vbc::needs(db, instance, options));
    codegen::program_bytecode(db, program)
}

/// The program as C source text, or why there is none.
pub(crate) fn c17(db: &Database, program: Program) -> Result<Arc<str>, Diagnostics> {
    let options = CodeOptions::of(db, program.options(db));
    if let Ok(instances) = codegen::program_instances(db, program) {
        super::parallel::each(db, instances, |db, instance| {
            vitte_compiler::ssa::optimised_ssa(db, instance, options);
            Vec::new()
        });
    }
    codegen::program_c17(db, program)
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
