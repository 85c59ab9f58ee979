//! What a program consists of, with numbers and addresses: what modules of both formats are written from.
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::sync::Arc;

use vitte_bytecode::TypeDefinition;

use super::exports::{Adapted, Export, adapted, exported_procs};
use super::externs::{Extern, System};
use super::{ReferenceTarget, STACK_BYTES, Signature, WasmCode, WasmWidth, compile_wasm};
use crate::base::diagnostic::{Diagnostic, Diagnostics, Phase, Place};
use crate::base::{Db, Name, Program, SourcePath, Span};
use crate::codegen::CodegenError;
use crate::codegen::data::DataSection;
use crate::codegen::object::ObjectContext;
use crate::codegen::program::{
    DbContext, debugger_name, has_large_type, internal, main_instance, program_instances,
};
use crate::consteval::ConstValue;
use crate::lower::hir::Abi;
use crate::lower::{ItemId, ItemKind, NodeId, item_tree, proc_signature};
use crate::mono::{Instance, InstanceKind, symbol_name};
use crate::runtime::{CORE_ROOT, WASM_PATHS};
use crate::ssa::layout::Layouts;
use crate::ssa::{CodeOptions, DbTypes, Symbol, optimised_ssa};
use crate::types::codes::NO_ENTRY_POINT;
use crate::types::program::program_modules;
use crate::types::{Ty, proc_data};

crate::codes! {
    /// A C function that the target has not.
    NOT_ON_TARGET = "LNK0059" "LINK_E_NOT_ON_TARGET";
}

/// Bytes of the runtime's state: that of every target, and that of `runtime/wasi.vit`.
const STATE_BYTES: u64 = 22784;

/// The body of one instance. Calls of different instances can run at once.
///
/// # Errors
/// If the function cannot be had in WebAssembly.
#[salsa::tracked(returns(ref))]
pub fn wasm_code(
    db: &dyn Db,
    instance: Instance,
    options: CodeOptions,
    width: WasmWidth,
) -> Result<Arc<WasmCode>, CodegenError> {
    let function = optimised_ssa(db, instance, options);
    db.go_on("codegen");
    compile_wasm(function, width).map(Arc::new)
}

/// Where a program begins: at its `main` or, if it has none, where hosts call it.
struct Roots {
    main: Option<Instance>,
    takes_arguments: bool,
    /// Definitions of the types that exports have.
    types: Vec<TypeDefinition>,
    exports: Vec<Adapted>,
    system: System,
}

impl Roots {
    /// # Errors
    /// What is wrong with the program, or that nothing of it can be called.
    fn of(db: &dyn Db, program: Program, width: WasmWidth, system: System) -> Result<Self, Diagnostics> {
        let (types, exports) = adapted(db, exported_procs(db, program, width));
        let library =
            |types, exports| Ok(Self { main: None, takes_arguments: false, types, exports, system });
        match main_instance(db, program) {
            // Nobody starts a component.
            Ok(_) if system == System::Component && !exports.is_empty() => library(types, exports),
            Ok(_) if system == System::Component => Err(nothing_exported(db, program)),
            Ok(main) => {
                let takes_arguments = match main.kind(db) {
                    InstanceKind::Main(item) => !proc_data(db, *item).params.is_empty(),
                    InstanceKind::Tests(_) => true,
                    InstanceKind::Proc(..)
                    | InstanceKind::Thunk(..)
                    | InstanceKind::DynThunk(..)
                    | InstanceKind::Lambda(..)
                    | InstanceKind::Drop(_)
                    | InstanceKind::DropCycle(_)
                    | InstanceKind::Clone(_)
                    | InstanceKind::Eq(_)
                    | InstanceKind::Hash(_) => false,
                };
                Ok(Self { main: Some(main), takes_arguments, types, exports, system })
            }
            Err(diagnostics) => match &diagnostics[..] {
                [only] if only.code == NO_ENTRY_POINT && !exports.is_empty() => library(types, exports),
                [only] if only.code == NO_ENTRY_POINT && system == System::Component => {
                    Err(nothing_exported(db, program))
                }
                _ => Err(diagnostics),
            },
        }
    }

    /// Procs of the runtime that only hosts and the start need.
    fn runtime(&self) -> impl Iterator<Item = &'static str> {
        let wanted = [
            ("wasi_exit", self.main.is_some()),
            ("wasi_arguments", self.takes_arguments),
            ("wasi_argument_count", self.takes_arguments),
            ("wasm_cabi_realloc", self.exports.iter().any(|export| export.takes_memory)),
        ];
        wanted.into_iter().filter_map(|(name, is_wanted)| is_wanted.then_some(name))
    }
}

/// The instances that a program begins with, for whoever compiles it on several processors before asking for the module.
pub fn roots(db: &dyn Db, program: Program, width: WasmWidth) -> Vec<Instance> {
    let exports = exported_procs(db, program, width).procs;
    let main = main_instance(db, program).ok();
    main.into_iter().chain(exports.iter().map(|export| export.thunk)).collect()
}

/// That a component would be empty.
fn nothing_exported(db: &dyn Db, program: Program) -> Diagnostics {
    let entry = program.entry(db);
    let message = format!("`{}` exports nothing that a host can call", entry.path(db));
    let place = Place::File(entry, Span::default());
    let label = "a component consists of what this file exports";
    let diagnostic = Diagnostic::error(NO_ENTRY_POINT, Phase::Linker, place, message, label)
        .note("hosts call procs whose types the interface language has: numbers, `bool`, `char`, `string`, lists, tuples, forms, picks")
        .help("name such procs in an `export` of this file");
    Arc::from([diagnostic])
}

/// What a program consists of.
struct Reached {
    /// By symbol.
    functions: BTreeMap<String, (Instance, Arc<WasmCode>)>,
    /// Imports by name.
    imports: BTreeMap<&'static str, Signature>,
    /// C functions that there are not, or that are declared in another way.
    missing: BTreeMap<Name, Instance>,
}

/// Whether a proc is declared only.
fn is_extern(db: &dyn Db, item: ItemId) -> bool {
    proc_signature(db, item).as_ref().is_some_and(|signature| signature.abi == Abi::C)
}

/// A proc of the runtime for WebAssembly.
fn wasi_proc(db: &dyn Db, name: &str) -> Option<Instance> {
    wasm_proc(db, name, Vec::new())
}

/// A proc of the runtime for WebAssembly with type arguments.
pub(super) fn wasm_proc(db: &dyn Db, name: &str, types: Vec<Ty>) -> Option<Instance> {
    let mut items = WASM_PATHS.iter().flat_map(|path| {
        let file = db.file(&SourcePath { root: CORE_ROOT.into(), path: (*path).into() });
        item_tree(db, file).items.iter().map(|entry| entry.id)
    });
    let item = items
        .find(|item| item.kind(db) == ItemKind::Proc && item.name(db) == name && !is_extern(db, *item))?;
    Some(Instance::new(db, InstanceKind::Proc(item, types)))
}

/// Compiles an instance, and gives those that its code refers to. For whoever compiles a program on several
/// processors before asking for the module.
pub fn needs(db: &dyn Db, instance: Instance, options: CodeOptions, width: WasmWidth) -> Vec<Instance> {
    if has_large_type(db, instance) {
        return Vec::new();
    }
    let Ok(code) = wasm_code(db, instance, options, width) else { return Vec::new() };
    let targets = code.references.iter().filter_map(|reference| match &reference.target {
        ReferenceTarget::Function(symbol, _) | ReferenceTarget::Address(symbol) => Some(symbol),
        ReferenceTarget::Type(_) | ReferenceTarget::HeapBase => None,
    });
    let instances = targets.filter_map(|symbol| match symbol {
        Symbol::Instance(instance) => Some(*instance),
        Symbol::Extern(_)
        | Symbol::Literal(_)
        | Symbol::EmptyList
        | Symbol::State
        | Symbol::Const(_)
        | Symbol::Location(_) => None,
    });
    instances.collect()
}

fn reach(db: &dyn Db, program: Program, roots: &Roots, width: WasmWidth) -> Result<Reached, Diagnostics> {
    let options = CodeOptions::of(db, program.options(db));
    let mut reached =
        Reached { functions: BTreeMap::new(), imports: BTreeMap::new(), missing: BTreeMap::new() };
    let mut work: Vec<Instance> = roots.main.into_iter().collect();
    work.extend(roots.runtime().filter_map(|name| wasi_proc(db, name)));
    // What the adapters refer to.
    let adapters = roots.exports.iter().flat_map(|export| export.done.iter().chain([&export.code]));
    for reference in adapters.flat_map(|code| &code.references) {
        if let ReferenceTarget::Function(Symbol::Instance(instance), _) = &reference.target {
            work.push(*instance);
        }
    }
    let mut seen: HashSet<Instance> = work.iter().copied().collect();
    work = seen.iter().copied().collect();
    while let Some(instance) = work.pop() {
        if has_large_type(db, instance) {
            // Only a program that needs endlessly many instances gets here; this says so.
            program_instances(db, program)?;
        }
        let code = wasm_code(db, instance, options, width)
            .as_ref()
            .map_err(|error| internal(program.entry(db), &symbol_name(db, instance), error))?;
        for reference in &code.references {
            let (symbol, signature) = match &reference.target {
                ReferenceTarget::Function(symbol, signature) => (symbol, Some(signature)),
                ReferenceTarget::Address(symbol) => (symbol, None),
                ReferenceTarget::Type(_) | ReferenceTarget::HeapBase => continue,
            };
            match symbol {
                Symbol::Instance(next) => work.extend(seen.insert(*next).then_some(*next)),
                Symbol::Extern(name) => match (roots.system.find(name), signature) {
                    (Some(Extern::Proc(proc)), Some(signature)) => {
                        let known = wasi_proc(db, proc);
                        let code = known.map(|instance| wasm_code(db, instance, options, width));
                        if code
                            .is_some_and(|code| code.as_ref().is_ok_and(|code| code.signature == *signature))
                        {
                            work.extend(known.filter(|instance| seen.insert(*instance)));
                        } else {
                            reached.missing.entry(name.clone()).or_insert(instance);
                        }
                    }
                    (Some(Extern::Import(import, params, results)), Some(signature))
                        if signature.params == params && signature.results == results =>
                    {
                        reached.imports.insert(import, signature.clone());
                    }
                    _ => {
                        reached.missing.entry(name.clone()).or_insert(instance);
                    }
                },
                Symbol::Literal(_)
                | Symbol::EmptyList
                | Symbol::State
                | Symbol::Const(_)
                | Symbol::Location(_) => {}
            }
        }
        reached.functions.insert(symbol_name(db, instance), (instance, Arc::clone(code)));
    }
    Ok(reached)
}

/// C functions that the target has not, each with who calls it. `system` is whom modules ask for services; machines have none.
pub(in crate::codegen) fn not_on_target(
    db: &dyn Db,
    program: Program,
    missing: &BTreeMap<Name, Instance>,
    system: Option<System>,
    target: &str,
) -> Diagnostic {
    let names: Vec<String> = missing.keys().map(|name| format!("`{name}`")).collect();
    let message = match &names[..] {
        [name] => format!("the program calls {name}, which does not exist for {target}"),
        _ => format!("the program calls {} functions that do not exist for {target}", names.len()),
    };
    let declared = (program_modules(db, program).iter())
        .flat_map(|file| &item_tree(db, *file).items)
        .map(|entry| entry.id)
        .find(|item| is_extern(db, *item) && missing.contains_key(item.name(db)));
    let place = match declared {
        Some(item) => Place::Node(item, NodeId(0)),
        None => Place::File(program.entry(db), Span::default()),
    };
    let mut diagnostic = Diagnostic::error(NOT_ON_TARGET, Phase::Linker, place, message, "in this program");
    for (name, caller) in missing {
        let caller = debugger_name(db, *caller, &symbol_name(db, *caller));
        let what = if super::is_available(name) && system == Some(System::Wasi) {
            format!(
                "`{caller}` calls `{name}` with other parameters or another result than it has for {target}"
            )
        } else {
            format!("`{caller}` calls `{name}`")
        };
        diagnostic = diagnostic.note(what);
    }
    let has = match system {
        None | Some(System::Wasi) => {
            "programs for this target have no C library and only the system calls that the runtime has there"
        }
        Some(System::Component) => {
            "components have no C library and no system calls: they print to their host"
        }
    };
    diagnostic.note(has).help("build for the host, or do without the calls on this target")
}

/// A function of a program.
pub(in crate::codegen) struct LinkedFunction {
    /// Its name in traces.
    pub(in crate::codegen) name: String,
    /// Which it is; `None` for adapters.
    pub(in crate::codegen) instance: Option<Instance>,
    /// Its body.
    pub(in crate::codegen) code: Arc<WasmCode>,
}

/// A function that the canonical ABI asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::codegen) enum Service {
    /// Gives memory for arguments.
    Realloc,
    /// Ends the result of an export.
    Done(String),
}

impl Service {
    /// Its name, when exports are called what `named` says.
    pub(in crate::codegen) fn name(&self, named: impl Fn(&str) -> String) -> String {
        match self {
            Self::Realloc => "cabi_realloc".to_owned(),
            Self::Done(export) => format!("cabi_post_{}", named(export)),
        }
    }
}

/// A program with numbers. Functions are numbered behind the imports: those of the program by symbol, then adapters.
pub(in crate::codegen) struct Linked<'a> {
    db: &'a dyn Db,
    /// Whom the program asks for services.
    pub(in crate::codegen) system: System,
    /// Definitions of the types that exports have.
    pub(in crate::codegen) types: Vec<TypeDefinition>,
    /// Imported functions of the system.
    pub(in crate::codegen) imports: Vec<(&'static str, Signature)>,
    /// Functions by number.
    pub(in crate::codegen) functions: Vec<LinkedFunction>,
    /// What hosts can call, with the numbers of the adapters.
    pub(in crate::codegen) exports: Vec<(Export, u32)>,
    /// Further functions that hosts want.
    pub(in crate::codegen) services: Vec<(Service, u32)>,
    /// Signatures of all functions and calls, without duplicates; ascending.
    pub(in crate::codegen) signatures: Vec<Signature>,
    /// The functions in the table, by place from 1.
    pub(in crate::codegen) table: Vec<u32>,
    /// Contents of memory from [`STACK_BYTES`] on.
    pub(in crate::codegen) data: Vec<u8>,
    /// Where the heap begins.
    pub(in crate::codegen) heap: u64,
    /// C's `main`, and what ends the process with a status; `None` if there is no `main`.
    pub(in crate::codegen) main: Option<(u32, u32)>,
    /// What gives the arguments and their number, if the program takes them.
    pub(in crate::codegen) arguments: Option<(u32, u32)>,
    /// What code refers to by address, in the order of the references.
    addresses: Vec<u64>,
    numbers: HashMap<Symbol, u32>,
}

/// Finds what a program reaches, and gives it numbers.
///
/// # Errors
/// What is wrong with the program; C functions that it declares and WebAssembly has not.
pub(in crate::codegen) fn link<'a>(
    db: &'a dyn Db,
    program: Program,
    width: WasmWidth,
    system: System,
    target: &str,
) -> Result<Linked<'a>, Diagnostics> {
    let roots = Roots::of(db, program, width, system)?;
    let reached = reach(db, program, &roots, width)?;
    if !reached.missing.is_empty() {
        return Err(Arc::from([not_on_target(db, program, &reached.missing, Some(system), target)]));
    }
    number(db, reached, roots).map_err(|error| {
        let entry = program.entry(db);
        internal(entry, &entry.path(db).to_string(), &error)
    })
}

fn number(db: &dyn Db, reached: Reached, roots: Roots) -> Result<Linked<'_>, CodegenError> {
    let imports: Vec<_> = reached.imports.into_iter().collect();
    let mut functions: Vec<LinkedFunction> = (reached.functions.into_iter())
        .map(|(symbol, (instance, code))| {
            let name = debugger_name(db, instance, &symbol);
            LinkedFunction { name, instance: Some(instance), code }
        })
        .collect();
    let takes_memory = roots.exports.iter().any(|export| export.takes_memory);
    let (mut exports, mut services) = (Vec::new(), Vec::new());
    for Adapted { export, code, done, takes_memory: _ } in roots.exports {
        let mut add = |name: String, code: WasmCode| {
            functions.push(LinkedFunction { name, instance: None, code: Arc::new(code) });
            (imports.len() + functions.len() - 1) as u32
        };
        let number = add(format!("export {}", export.name), code);
        if let Some(done) = done {
            let number = add(format!("end of {}", export.name), done);
            services.push((Service::Done(export.name.clone()), number));
        }
        exports.push((export, number));
    }
    let mut numbers = HashMap::new();
    let mut signatures = BTreeSet::from([Signature::default()]);
    for (number, (name, signature)) in imports.iter().enumerate() {
        signatures.insert(signature.clone());
        numbers.insert(import_symbol(name), number as u32);
    }
    for (number, LinkedFunction { name: _, instance, code }) in functions.iter().enumerate() {
        signatures.insert(code.signature.clone());
        if let Some(instance) = instance {
            numbers.insert(Symbol::Instance(*instance), (imports.len() + number) as u32);
        }
        for reference in &code.references {
            if let ReferenceTarget::Type(signature) = &reference.target {
                signatures.insert(signature.clone());
            }
        }
    }
    let mut linked = Linked {
        db,
        system: roots.system,
        types: roots.types,
        imports,
        functions,
        exports,
        services: Vec::new(),
        signatures: signatures.into_iter().collect(),
        table: Vec::new(),
        data: Vec::new(),
        heap: 0,
        main: None,
        arguments: None,
        addresses: Vec::new(),
        numbers,
    };
    linked.lay_out()?;
    let wasi = |name: &str| match wasi_proc(db, name) {
        Some(instance) => linked.function(&Symbol::Instance(instance)),
        None => Err(CodegenError::Internal(format!("no `{name}`"))),
    };
    let arguments = match roots.takes_arguments {
        true => Some((wasi("wasi_arguments")?, wasi("wasi_argument_count")?)),
        false => None,
    };
    let main = match roots.main {
        Some(main) => Some((linked.function(&Symbol::Instance(main))?, wasi("wasi_exit")?)),
        None => None,
    };
    if takes_memory {
        services.insert(0, (Service::Realloc, wasi("wasm_cabi_realloc")?));
    }
    Ok(Linked { main, arguments, services, ..linked })
}

/// What an imported function is numbered under.
fn import_symbol(name: &str) -> Symbol {
    Symbol::Extern(format!("import {name}").into())
}

/// Where an address points.
#[derive(Clone, Copy)]
enum Address {
    /// Into the data, by offset.
    Data(u64),
    /// To the state.
    State,
    /// To where the heap begins.
    Heap,
    /// To a place in the table.
    Table(u32),
}

impl Linked<'_> {
    /// Lays out what code refers to by address.
    fn lay_out(&mut self) -> Result<(), CodegenError> {
        let types = DbTypes { db: self.db };
        let (mut layouts, mut context) = (Layouts::new(&types), DbContext::new(self.db));
        let mut data = DataSection::default();
        let (mut constants, mut table) = (HashMap::new(), HashMap::new());
        let mut in_table = Vec::new();
        let mut places = Vec::new();
        for reference in self.functions.iter().flat_map(|function| &function.code.references) {
            let symbol = match &reference.target {
                ReferenceTarget::Address(symbol) => symbol,
                ReferenceTarget::HeapBase => {
                    places.push(Address::Heap);
                    continue;
                }
                ReferenceTarget::Function(..) | ReferenceTarget::Type(_) => continue,
            };
            places.push(Address::Data(match symbol {
                Symbol::Instance(_) | Symbol::Extern(_) => {
                    if !table.contains_key(symbol) {
                        in_table.push(self.function(symbol)?);
                        table.insert(symbol.clone(), in_table.len() as u32);
                    }
                    // The first place stands for no function.
                    places.push(Address::Table(table.get(symbol).copied().unwrap_or(0)));
                    continue;
                }
                Symbol::State => {
                    places.push(Address::State);
                    continue;
                }
                Symbol::Literal(content) => data.literal(content),
                Symbol::EmptyList => data.empty_list(),
                Symbol::Const(item) => match constants.get(item) {
                    Some(&offset) => offset,
                    None => {
                        let (value, ty) = context.constant(*item).unwrap_or((ConstValue::Unit, Ty::Unit));
                        let offset = match context.is_static(*item) {
                            true => data.place(&value, &ty, &mut layouts),
                            false => data.constant(&value, &ty, &mut layouts),
                        };
                        constants.insert(*item, offset);
                        offset
                    }
                },
                Symbol::Location(source) => match context.position(*source) {
                    Some(at) => data.location(&at.file, at.line, at.column),
                    None => data.location(&Arc::from("?"), 0, 0),
                },
            }));
        }
        let state = (STACK_BYTES + data.bytes.len() as u64).next_multiple_of(64);
        self.heap = (state + STATE_BYTES).next_multiple_of(16);
        let heap = self.heap;
        self.addresses = places
            .into_iter()
            .map(|place| match place {
                Address::Data(offset) => STACK_BYTES + offset,
                Address::State => state,
                Address::Heap => heap,
                Address::Table(place) => u64::from(place),
            })
            .collect();
        self.table = in_table;
        self.data = data.bytes;
        for (place, target) in data.pointers {
            let place = place as usize;
            self.data[place..place + 8].copy_from_slice(&(STACK_BYTES + target).to_le_bytes());
        }
        Ok(())
    }

    /// Addresses of all references to some, in the order of functions and references.
    pub(in crate::codegen) fn addresses(&self) -> impl Iterator<Item = u64> {
        self.addresses.iter().copied()
    }

    /// Number of a signature.
    pub(in crate::codegen) fn signature(&self, signature: &Signature) -> u32 {
        self.signatures.binary_search(signature).unwrap_or(0) as u32
    }

    /// Number of a function.
    ///
    /// # Errors
    /// If there is none, which is a fault of ours.
    pub(in crate::codegen) fn function(&self, symbol: &Symbol) -> Result<u32, CodegenError> {
        let found = match symbol {
            Symbol::Extern(name) => match self.system.find(name) {
                Some(Extern::Proc(proc)) => wasi_proc(self.db, proc)
                    .and_then(|instance| self.numbers.get(&Symbol::Instance(instance))),
                Some(Extern::Import(import, ..)) => self.numbers.get(&import_symbol(import)),
                Some(Extern::Inline(_)) | None => None,
            },
            _ => self.numbers.get(symbol),
        };
        found.copied().ok_or_else(|| CodegenError::Internal(format!("no code for {symbol:?}")))
    }
}
