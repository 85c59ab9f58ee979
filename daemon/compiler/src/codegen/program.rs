//! Whole programs: which code they reach, and their objects.
use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use super::isa::target_isa;
use super::object::{FunctionInput, ObjectContext, Position, write_object};
use super::shape::shape;
use super::wasm::{Export, WasmWidth, exported_procs};
use super::{CodegenError, MachineCode, ObjectFile, compile_function};
use crate::base::diagnostic::{Diagnostic, Diagnostics, Phase, Place};
use crate::base::{Db, FileContents, LineIndex, Machine, Program, SourceFile, Span};
use crate::consteval::{ConstValue, const_value};
use crate::lower::{ItemId, NodeId, SourceMap, item_source_map};
use crate::mono::{Instance, InstanceKind, collect, symbol_name, too_large};
use crate::ssa::layout::Layouts;
use crate::ssa::{CodeOptions, DbTypes, Source, Symbol, optimised_ssa};
use crate::types::codes::NO_ENTRY_POINT;
use crate::types::{Ty, const_ty, entry_point, is_static, program_diagnostics, program_tests, ty_name};

crate::codes! {
    /// The code generator failed on a correct program.
    INTERNAL = "ICE0901" "ICE_E_CODEGEN";
    /// A library exports what it also wants from the C library.
    EXPORT_CLASH = "LNK0016" "LINK_E_EXPORT_CLASH";
}

/// Machine code of one instance. Calls of different instances can run at once.
///
/// # Errors
/// A fault of ours.
#[salsa::tracked(returns(ref))]
pub fn machine_code(
    db: &dyn Db,
    instance: Instance,
    options: CodeOptions,
) -> Result<Arc<MachineCode>, CodegenError> {
    let function = optimised_ssa(db, instance, options.for_every_machine(db));
    db.go_on("codegen");
    let generated = || generated_code(db, instance, options).clone();
    let Some(cache) = db.content_cache() else { return generated() };
    let (digest, names) = shape(db, function, options);
    if let Some(code) = cache.get::<MachineCode>(&digest) {
        return Ok(Arc::new(names.put_in(db, &code)));
    }
    let code = generated()?;
    cache.keep(digest, Arc::new(names.taken_out(db, &code)));
    Ok(code)
}

/// Machine code of one instance, generated.
#[salsa::tracked(returns(ref))]
fn generated_code(
    db: &dyn Db,
    instance: Instance,
    options: CodeOptions,
) -> Result<Arc<MachineCode>, CodegenError> {
    let function = optimised_ssa(db, instance, options.for_every_machine(db));
    let isa = target_isa(options.level(db), options.machine(db))?;
    db.go_on("codegen");
    compile_function(function, &*isa).map(Arc::new)
}

/// The instances that a program may need, in order of symbol name: what a driver can compile in
/// parallel before it asks for the object. [`program_object`] takes only those that code still refers to.
///
/// # Errors
/// What is wrong with the program.
pub fn program_instances(db: &dyn Db, program: Program) -> Result<Vec<Instance>, Diagnostics> {
    let main = main_instance(db, program)?;
    collect(db, &[main]).map_err(|diagnostic| Arc::from([*diagnostic]))
}

/// The instance that C calls, if the program has no errors.
pub(super) fn main_instance(db: &dyn Db, program: Program) -> Result<Instance, Diagnostics> {
    let diagnostics = program_diagnostics(db, program);
    if diagnostics.iter().any(Diagnostic::is_error) {
        return Err(diagnostics.clone());
    }
    entry_instance(db, program)
}

/// The instance that C calls, of a program that is known to have no errors.
pub(super) fn entry_instance(db: &dyn Db, program: Program) -> Result<Instance, Diagnostics> {
    if program.options(db).tests {
        return Ok(Instance::new(db, InstanceKind::Tests(program_tests(db, program).to_vec())));
    }
    match entry_point(db, program) {
        Ok(main) => Ok(Instance::new(db, InstanceKind::Main(main))),
        Err(diagnostic) => Err(Arc::from([*diagnostic])),
    }
}

/// An instance whose code a program needs.
pub(super) struct Reached<'a> {
    /// Its symbol.
    pub symbol: String,
    /// Which it is.
    pub instance: Instance,
    /// Its code.
    pub code: &'a MachineCode,
}

/// The instances whose code is reachable from `main`, in order of symbol.
pub(super) fn reachable_code(db: &dyn Db, program: Program) -> Result<Vec<Reached<'_>>, Diagnostics> {
    reachable_from(db, program, vec![main_instance(db, program)?])
}

/// The instances whose code is reachable from `work`, in order of symbol.
fn reachable_from(
    db: &dyn Db,
    program: Program,
    mut work: Vec<Instance>,
) -> Result<Vec<Reached<'_>>, Diagnostics> {
    let options = CodeOptions::of(db, program.options(db));
    let mut seen: HashSet<Instance> = work.iter().copied().collect();
    let mut reached = Vec::new();
    while let Some(instance) = work.pop() {
        if has_large_type(db, instance) {
            // Only a program that needs endlessly many instances gets here; this says so.
            collect(db, &[instance]).map_err(|diagnostic| Arc::from([*diagnostic]))?;
        }
        let code = machine_code(db, instance, options)
            .as_ref()
            .map_err(|error| internal(program.entry(db), &symbol_name(db, instance), error))?;
        for relocation in &code.relocations {
            if let Symbol::Instance(next) = relocation.target
                && seen.insert(next)
            {
                work.push(next);
            }
        }
        reached.push(Reached { symbol: symbol_name(db, instance), instance, code });
    }
    reached.sort_by(|a, b| a.symbol.cmp(&b.symbol));
    Ok(reached)
}

pub(super) fn has_large_type(db: &dyn Db, instance: Instance) -> bool {
    match instance.kind(db) {
        InstanceKind::Proc(_, tys)
        | InstanceKind::Thunk(_, tys)
        | InstanceKind::DynThunk(_, tys, _)
        | InstanceKind::Lambda(_, tys, _)
        | InstanceKind::DropCycle(tys) => tys.iter().any(too_large),
        InstanceKind::Drop(ty) | InstanceKind::Clone(ty) | InstanceKind::Eq(ty) | InstanceKind::Hash(ty) => {
            too_large(ty)
        }
        InstanceKind::Main(_) | InstanceKind::Tests(_) => false,
    }
}

pub(super) fn internal(entry: SourceFile, symbol: &str, error: &CodegenError) -> Diagnostics {
    let CodegenError::Internal(what) = error;
    let place = Place::File(entry, Span::default());
    let message = format!("the compiler failed to generate code for `{symbol}`");
    let diagnostic = Diagnostic::error(INTERNAL, Phase::Ice, place, message, "this program shows the fault")
        .note(what.clone())
        .help("this is a fault of the compiler: please report it with the program");
    Arc::from([diagnostic])
}

/// The program's one object file.
///
/// # Errors
/// What is wrong with the program.
#[salsa::tracked(returns(clone))]
pub fn program_object(db: &dyn Db, program: Program) -> Result<Arc<ObjectFile>, Diagnostics> {
    let reached = reachable_code(db, program)?;
    object_of(db, program, &reached, &HashMap::new())
}

/// An object file that defines, under their own names, the procs that the entry module exports and C can call: those of
/// numbers, `bool` and `char`, by the C calling convention.
///
/// # Errors
/// What is wrong with the program, or that it exports nothing of the kind.
#[salsa::tracked(returns(clone))]
pub fn library_object(db: &dyn Db, program: Program) -> Result<Arc<ObjectFile>, Diagnostics> {
    let diagnostics = program_diagnostics(db, program);
    if diagnostics.iter().any(Diagnostic::is_error) {
        return Err(diagnostics.clone());
    }
    let exports = library_exports(db, program);
    let entry = program.entry(db);
    if exports.is_empty() {
        let message = format!("`{}` exports nothing that C can call", entry.path(db));
        let place = Place::File(entry, Span::default());
        let label = "a library consists of what this file exports";
        let diagnostic = Diagnostic::error(NO_ENTRY_POINT, Phase::Linker, place, message, label)
            .note("C calls procs that take and give numbers, `bool` and `char`, and have no type parameters")
            .help("name such procs in an `export` of this file");
        return Err(Arc::from([diagnostic]));
    }
    let named = exports.into_iter().map(|export| {
        // Numbers are passed as they are, and what a lambda would have caught is not.
        let proc = match export.thunk.kind(db) {
            InstanceKind::Thunk(item, args) => Instance::new(db, InstanceKind::Proc(*item, args.clone())),
            _ => export.thunk,
        };
        (proc, export.name.replace('-', "_"))
    });
    let names: HashMap<Instance, String> = named.collect();
    let mut roots: Vec<Instance> = names.keys().copied().collect();
    roots.sort_by_cached_key(|instance| symbol_name(db, *instance));
    let reached = reachable_from(db, program, roots)?;
    let wanted = reached.iter().flat_map(|reached| &reached.code.relocations);
    let mut clashes = wanted.filter_map(|relocation| match &relocation.target {
        Symbol::Extern(name) => names.iter().find(|(_, export)| export.as_str() == name.as_str()),
        _ => None,
    });
    if let Some((instance, name)) = clashes.next() {
        let place = match instance.kind(db) {
            InstanceKind::Proc(item, _) => Place::Node(*item, NodeId(0)),
            _ => Place::File(entry, Span::default()),
        };
        let message = format!("the library exports `{name}`, and calls the C function of that name");
        let diagnostic = Diagnostic::error(EXPORT_CLASH, Phase::Linker, place, message, "exported from here")
            .help("export it under another name");
        return Err(Arc::from([diagnostic]));
    }
    object_of(db, program, &reached, &names)
}

/// What [`library_object`] defines for C.
pub fn library_exports(db: &dyn Db, program: Program) -> Vec<Export> {
    // Without texts, as where addresses are not those of the canonical ABI.
    exported_procs(db, program, WasmWidth::Wasm64).procs
}

/// An object file of instances; `exported` are seen from outside by these names.
fn object_of(
    db: &dyn Db,
    program: Program,
    reached: &[Reached<'_>],
    exported: &HashMap<Instance, String>,
) -> Result<Arc<ObjectFile>, Diagnostics> {
    let functions: Vec<_> = (reached.iter())
        .map(|Reached { symbol, instance, code }| FunctionInput {
            instance: *instance,
            symbol: exported.get(instance).unwrap_or(symbol),
            name: debugger_name(db, *instance, symbol),
            exported: matches!(instance.kind(db), InstanceKind::Main(_) | InstanceKind::Tests(_))
                || exported.contains_key(instance),
            declared: declaration(db, *instance),
            code,
        })
        .collect();
    let options = program.options(db);
    let entry = program.entry(db);
    let types = DbTypes { db };
    let mut context = DbContext::new(db);
    let object = target_isa(options.opt_level, Machine::default()).and_then(|isa| {
        let name = entry.path(db).to_string();
        write_object(&functions, &name, options.debug_info, &*isa, &mut Layouts::new(&types), &mut context)
    });
    object.map(Arc::new).map_err(|error| internal(entry, &entry.path(db).to_string(), &error))
}

/// `search`, `list_push<int>`: how the user calls it.
pub(super) fn debugger_name(db: &dyn Db, instance: Instance, symbol: &str) -> String {
    match instance.kind(db) {
        InstanceKind::Proc(item, args) if args.is_empty() => item.name(db).to_string(),
        InstanceKind::Proc(item, args) => {
            let args: Vec<_> = args.iter().map(|ty| ty_name(db, ty)).collect();
            format!("{}<{}>", item.name(db), args.join(", "))
        }
        // The user's `main` has that name already.
        InstanceKind::Main(_) | InstanceKind::Tests(_) => "start".to_owned(),
        InstanceKind::Thunk(..)
        | InstanceKind::DynThunk(..)
        | InstanceKind::Lambda(..)
        | InstanceKind::Drop(_)
        | InstanceKind::DropCycle(_)
        | InstanceKind::Clone(_)
        | InstanceKind::Eq(_)
        | InstanceKind::Hash(_) => symbol.to_owned(),
    }
}

pub(super) fn declaration(db: &dyn Db, instance: Instance) -> Option<Source> {
    match instance.kind(db) {
        InstanceKind::Proc(item, _) | InstanceKind::Lambda(item, ..) => {
            Some(Source { item: *item, node: NodeId(0) })
        }
        InstanceKind::Main(_)
        | InstanceKind::Tests(_)
        | InstanceKind::Thunk(..)
        | InstanceKind::DynThunk(..)
        | InstanceKind::Drop(_)
        | InstanceKind::DropCycle(_)
        | InstanceKind::Clone(_)
        | InstanceKind::Eq(_)
        | InstanceKind::Hash(_) => None,
    }
}

/// What a database knows of places and consts.
pub(super) struct DbContext<'a> {
    db: &'a dyn Db,
    positions: Positions<'a>,
}

impl<'a> DbContext<'a> {
    pub(super) fn new(db: &'a dyn Db) -> Self {
        Self { db, positions: Positions::new(db) }
    }
}

impl ObjectContext for DbContext<'_> {
    fn position(&mut self, source: Source) -> Option<Position> {
        self.positions.of(source)
    }

    fn is_static(&self, item: ItemId) -> bool {
        is_static(self.db, item)
    }

    fn constant(&mut self, item: ItemId) -> Option<(ConstValue, Ty)> {
        let value = const_value(self.db, item).clone().ok()?;
        Some((value, const_ty(self.db, item).clone()))
    }
}

/// A file's name, text and line starts.
#[derive(Debug)]
struct FileLines {
    name: Arc<str>,
    text: Arc<str>,
    lines: LineIndex,
}

#[salsa::tracked(returns(ref), no_eq)]
fn file_lines(db: &dyn Db, file: SourceFile) -> Option<FileLines> {
    match file.contents(db) {
        FileContents::Text(text) => {
            Some(FileLines { name: Arc::from(file.path(db).to_string()), lines: LineIndex::new(&text), text })
        }
        FileContents::Missing
        | FileContents::Folder
        | FileContents::NotUtf8(_)
        | FileContents::Unreadable(_) => None,
    }
}

/// Looks up lines and columns; remembers what one object asks for again and again.
pub(super) struct Positions<'a> {
    db: &'a dyn Db,
    items: HashMap<ItemId, (&'a SourceMap, Option<&'a FileLines>)>,
}

impl<'a> Positions<'a> {
    pub(super) fn new(db: &'a dyn Db) -> Self {
        Self { db, items: HashMap::new() }
    }

    pub(super) fn of(&mut self, source: Source) -> Option<Position> {
        let db = self.db;
        let (map, lines) = self.items.entry(source.item).or_insert_with(|| {
            let map: &SourceMap = item_source_map(db, source.item);
            (map, file_lines(db, source.item.file(db)).as_ref())
        });
        let lines = lines.as_ref()?;
        let (line, column) = lines.lines.line_column(&lines.text, map.span(source.node).start);
        Some(Position { file: lines.name.clone(), line, column })
    }
}
