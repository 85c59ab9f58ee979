//! What a program consists of, with numbers and addresses: what modules of both formats are written from.
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::sync::Arc;

use super::externs::{self, Extern};
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
use crate::runtime::{CORE_ROOT, WASI_PATHS};
use crate::ssa::layout::Layouts;
use crate::ssa::{CodeOptions, DbTypes, Symbol, optimised_ssa};
use crate::types::program::program_modules;
use crate::types::{Ty, proc_data};

crate::codes! {
    /// A C function that the target has not.
    NOT_ON_TARGET = "LNK0059" "LINK_E_NOT_ON_TARGET";
}

/// Bytes of the runtime's state: that of every target, and that of `runtime/wasi.vit`.
const STATE_BYTES: u64 = 22724;

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

/// What a program consists of.
struct Reached<'a> {
    /// By symbol.
    functions: BTreeMap<String, (Instance, &'a WasmCode)>,
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
    let mut items = WASI_PATHS.iter().flat_map(|path| {
        let file = db.file(&SourcePath { root: CORE_ROOT.into(), path: (*path).into() });
        item_tree(db, file).items.iter().map(|entry| entry.id)
    });
    let item = items
        .find(|item| item.kind(db) == ItemKind::Proc && item.name(db) == name && !is_extern(db, *item))?;
    Some(Instance::new(db, InstanceKind::Proc(item, Vec::new())))
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

fn reach(
    db: &dyn Db,
    program: Program,
    main: Instance,
    takes_arguments: bool,
    width: WasmWidth,
) -> Result<Reached<'_>, Diagnostics> {
    let options = CodeOptions::of(db, program.options(db));
    let mut reached =
        Reached { functions: BTreeMap::new(), imports: BTreeMap::new(), missing: BTreeMap::new() };
    let mut seen = HashSet::from([main]);
    let mut work = vec![main];
    let mut also = |name: &str, work: &mut Vec<Instance>| {
        work.extend(wasi_proc(db, name).filter(|instance| seen.insert(*instance)));
    };
    also("wasi_exit", &mut work);
    if takes_arguments {
        also("wasi_arguments", &mut work);
        also("wasi_argument_count", &mut work);
    }
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
                Symbol::Extern(name) => match (externs::find(name), signature) {
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
        reached.functions.insert(symbol_name(db, instance), (instance, code));
    }
    Ok(reached)
}

/// C functions that the target has not, each with who calls it.
fn not_on_target(
    db: &dyn Db,
    program: Program,
    missing: &BTreeMap<Name, Instance>,
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
        let what = if externs::is_available(name) {
            format!(
                "`{caller}` calls `{name}` with other parameters or another result than it has for {target}"
            )
        } else {
            format!("`{caller}` calls `{name}`")
        };
        diagnostic = diagnostic.note(what);
    }
    diagnostic
        .note("programs for this target have no C library and no system calls but those of WASI preview 1")
        .help("build for the host, or do without the calls on this target")
}

/// A program with numbers. Functions are numbered behind the imports, by symbol.
pub(in crate::codegen) struct Linked<'a> {
    db: &'a dyn Db,
    /// Imported functions of WASI.
    pub(in crate::codegen) imports: Vec<(&'static str, Signature)>,
    /// Functions by symbol.
    pub(in crate::codegen) functions: Vec<(String, Instance, &'a WasmCode)>,
    /// Signatures of all functions and calls, without duplicates; ascending.
    pub(in crate::codegen) signatures: Vec<Signature>,
    /// The functions in the table, by place from 1.
    pub(in crate::codegen) table: Vec<u32>,
    /// Contents of memory from [`STACK_BYTES`] on.
    pub(in crate::codegen) data: Vec<u8>,
    /// Where the heap begins.
    pub(in crate::codegen) heap: u64,
    /// C's `main`.
    pub(in crate::codegen) main: u32,
    /// What ends the process with a status.
    pub(in crate::codegen) exit: u32,
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
    target: &str,
) -> Result<Linked<'a>, Diagnostics> {
    let main = main_instance(db, program)?;
    let takes_arguments = match main.kind(db) {
        InstanceKind::Main(item) => !proc_data(db, *item).params.is_empty(),
        _ => false,
    };
    let reached = reach(db, program, main, takes_arguments, width)?;
    if !reached.missing.is_empty() {
        return Err(Arc::from([not_on_target(db, program, &reached.missing, target)]));
    }
    number(db, reached, main, takes_arguments).map_err(|error| {
        let entry = program.entry(db);
        internal(entry, &entry.path(db).to_string(), &error)
    })
}

fn number<'a>(
    db: &'a dyn Db,
    reached: Reached<'a>,
    main: Instance,
    takes_arguments: bool,
) -> Result<Linked<'a>, CodegenError> {
    let imports: Vec<_> = reached.imports.into_iter().collect();
    let functions: Vec<_> =
        reached.functions.into_iter().map(|(symbol, (instance, code))| (symbol, instance, code)).collect();
    let mut numbers = HashMap::new();
    let mut signatures = BTreeSet::from([Signature::default()]);
    for (number, (name, signature)) in imports.iter().enumerate() {
        signatures.insert(signature.clone());
        numbers.insert(import_symbol(name), number as u32);
    }
    for (number, (_, instance, code)) in functions.iter().enumerate() {
        signatures.insert(code.signature.clone());
        numbers.insert(Symbol::Instance(*instance), (imports.len() + number) as u32);
        for reference in &code.references {
            if let ReferenceTarget::Type(signature) = &reference.target {
                signatures.insert(signature.clone());
            }
        }
    }
    let mut linked = Linked {
        db,
        imports,
        functions,
        signatures: signatures.into_iter().collect(),
        table: Vec::new(),
        data: Vec::new(),
        heap: 0,
        main: 0,
        exit: 0,
        arguments: None,
        addresses: Vec::new(),
        numbers,
    };
    linked.lay_out()?;
    let wasi = |name: &str| match wasi_proc(db, name) {
        Some(instance) => linked.function(&Symbol::Instance(instance)),
        None => Err(CodegenError::Internal(format!("no `{name}`"))),
    };
    let arguments = match takes_arguments {
        true => Some((wasi("wasi_arguments")?, wasi("wasi_argument_count")?)),
        false => None,
    };
    let (main, exit) = (linked.function(&Symbol::Instance(main))?, wasi("wasi_exit")?);
    Ok(Linked { main, exit, arguments, ..linked })
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
        for reference in self.functions.iter().flat_map(|(_, _, code)| &code.references) {
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
                        let offset = data.constant(&value, &ty, &mut layouts);
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
            Symbol::Extern(name) => match externs::find(name) {
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
