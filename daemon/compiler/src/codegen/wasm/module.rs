//! Whole modules: what `main` reaches, with numbers, and the sections around it.
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::sync::Arc;

use wasm_encoder::{
    CodeSection, ConstExpr, DataSection as WasmData, ElementSection, Elements, Encode, EntityType, ExportKind,
    ExportSection, Function, FunctionSection, GlobalSection, GlobalType, ImportSection, MemorySection,
    MemoryType, Module, NameMap, NameSection, RefType, TableSection, TableType, TypeSection, ValType,
};

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
use crate::runtime::{CORE_ROOT, WASI_PATH};
use crate::ssa::layout::Layouts;
use crate::ssa::{CodeOptions, DbTypes, Symbol, optimised_ssa};
use crate::types::program::program_modules;
use crate::types::{Ty, proc_data};

crate::codes! {
    /// A C function that the target has not.
    NOT_ON_TARGET = "LNK0059" "LINK_E_NOT_ON_TARGET";
}

/// Bytes of the runtime's state: that of every target, and that of `runtime/wasi.vit`.
const STATE_BYTES: u64 = 10360 + 4096;

/// The module that imports come from.
const WASI: &str = "wasi_snapshot_preview1";

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
    missing: BTreeSet<Name>,
}

/// The program as a module that exports `_start` and `memory`.
///
/// # Errors
/// What is wrong with the program; C functions that it declares and WebAssembly has not.
#[salsa::tracked(returns(clone))]
pub fn program_wasm(db: &dyn Db, program: Program, width: WasmWidth) -> Result<Arc<[u8]>, Diagnostics> {
    let main = main_instance(db, program)?;
    let takes_arguments = match main.kind(db) {
        InstanceKind::Main(item) => !proc_data(db, *item).params.is_empty(),
        _ => false,
    };
    let reached = reach(db, program, main, takes_arguments, width)?;
    if !reached.missing.is_empty() {
        let missing = reached.missing.iter().map(|name| not_on_target(db, program, name, width));
        return Err(missing.collect());
    }
    let types = DbTypes { db };
    let mut writer = Writer {
        db,
        width,
        layouts: Layouts::new(&types),
        context: DbContext::new(db),
        data: DataSection::default(),
        constants: HashMap::new(),
        types: BTreeMap::new(),
        functions: HashMap::new(),
        table: HashMap::new(),
        state: 0,
        heap: 0,
    };
    let options = program.options(db);
    let module = writer.module(&reached, main, takes_arguments, options.debug_info);
    module.map(Arc::from).map_err(|error| {
        let entry = program.entry(db);
        internal(entry, &entry.path(db).to_string(), &error)
    })
}

/// A proc of the runtime for WebAssembly.
fn wasi_proc(db: &dyn Db, name: &str) -> Option<Instance> {
    let file = db.file(&SourcePath { root: CORE_ROOT.into(), path: WASI_PATH.into() });
    let mut items = item_tree(db, file).items.iter().map(|entry| entry.id);
    let item = items.find(|item| item.kind(db) == ItemKind::Proc && item.name(db) == name)?;
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
        Reached { functions: BTreeMap::new(), imports: BTreeMap::new(), missing: BTreeSet::new() };
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
                        if code.is_some_and(|code| code.as_ref().is_ok_and(|code| code.signature == *signature)) {
                            work.extend(known.filter(|instance| seen.insert(*instance)));
                        } else {
                            reached.missing.insert(name.clone());
                        }
                    }
                    (Some(Extern::Import(import, params, results)), Some(signature))
                        if signature.params == params && signature.results == results =>
                    {
                        reached.imports.insert(import, signature.clone());
                    }
                    _ => {
                        reached.missing.insert(name.clone());
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

fn not_on_target(db: &dyn Db, program: Program, name: &Name, width: WasmWidth) -> Diagnostic {
    let declared = (program_modules(db, program).iter())
        .flat_map(|file| &item_tree(db, *file).items)
        .map(|entry| entry.id)
        .filter(|item| item.kind(db) == ItemKind::Proc && item.name(db) == name.as_str())
        .find(|item| proc_signature(db, *item).as_ref().is_some_and(|signature| signature.abi == Abi::C));
    let place = match declared {
        Some(item) => Place::Node(item, NodeId(0)),
        None => Place::File(program.entry(db), Span::default()),
    };
    let target = width.name();
    if externs::is_available(name) {
        let message = format!("`{name}` has other parameters or another result for {target}");
        return Diagnostic::error(NOT_ON_TARGET, Phase::Linker, place, message, "declared in another way here")
            .help("declare it as the C library does, with `usize` for addresses and sizes");
    }
    let message = format!("the C function `{name}` does not exist for {target}");
    Diagnostic::error(NOT_ON_TARGET, Phase::Linker, place, message, "the program calls this one")
        .note("programs for WebAssembly have no C library and no system calls but those of WASI preview 1")
        .help("build for the host, or do without the call on this target")
}

struct Writer<'a> {
    db: &'a dyn Db,
    width: WasmWidth,
    layouts: Layouts<'a>,
    context: DbContext<'a>,
    data: DataSection,
    constants: HashMap<ItemId, u64>,
    types: BTreeMap<Signature, u32>,
    functions: HashMap<Symbol, u32>,
    /// Places of functions in the table.
    table: HashMap<Symbol, u32>,
    state: u64,
    heap: u64,
}

impl Writer<'_> {
    fn module(
        &mut self,
        reached: &Reached<'_>,
        main: Instance,
        takes_arguments: bool,
        names: bool,
    ) -> Result<Vec<u8>, CodegenError> {
        self.number(reached);
        // Places in the data, before the numbers of what follows it can be known.
        let addresses = self.addresses(reached);
        let data = STACK_BYTES;
        self.state = (data + self.data.bytes.len() as u64).next_multiple_of(64);
        self.heap = (self.state + STATE_BYTES).next_multiple_of(16);
        let mut module = Module::new();

        let mut types = TypeSection::new();
        for signature in self.types.keys() {
            types.ty().function(signature.params.iter().copied(), signature.results.iter().copied());
        }
        module.section(&types);

        let mut imports = ImportSection::new();
        for (name, signature) in &reached.imports {
            imports.import(WASI, name, EntityType::Function(self.type_of(signature)));
        }
        module.section(&imports);

        let mut functions = FunctionSection::new();
        for (_, code) in reached.functions.values() {
            functions.function(self.type_of(&code.signature));
        }
        functions.function(self.type_of(&Signature::default()));
        module.section(&functions);

        let mut in_table: Vec<(u32, u32)> = Vec::new();
        for (symbol, place) in &self.table {
            in_table.push((*place, self.function(symbol)?));
        }
        in_table.sort_unstable();
        {
            let mut tables = TableSection::new();
            let size = in_table.len() as u64 + 1;
            let element_type = RefType::FUNCREF;
            tables.table(TableType {
                element_type,
                table64: false,
                minimum: size,
                maximum: Some(size),
                shared: false,
            });
            module.section(&tables);
        }

        let mut memories = MemorySection::new();
        let memory64 = self.width == WasmWidth::Wasm64;
        let minimum = self.heap.div_ceil(65536);
        memories.memory(MemoryType { minimum, maximum: None, memory64, shared: false, page_size_log2: None });
        module.section(&memories);

        let mut globals = GlobalSection::new();
        let stack = GlobalType { val_type: ValType::I64, mutable: true, shared: false };
        globals.global(stack, &ConstExpr::i64_const(STACK_BYTES as i64));
        module.section(&globals);

        let start = (reached.imports.len() + reached.functions.len()) as u32;
        let mut exports = ExportSection::new();
        exports.export("memory", ExportKind::Memory, 0).export("_start", ExportKind::Func, start);
        module.section(&exports);

        if !in_table.is_empty() {
            let mut elements = ElementSection::new();
            let functions: Vec<u32> = in_table.iter().map(|(_, function)| *function).collect();
            elements.active(None, &ConstExpr::i32_const(1), Elements::Functions(functions.into()));
            module.section(&elements);
        }

        let mut section = CodeSection::new();
        let mut bytes = Vec::new();
        let mut addresses = addresses.into_iter();
        for (_, code) in reached.functions.values() {
            bytes.clear();
            self.fill_in(code, &mut addresses, &mut bytes)?;
            section.raw(&bytes);
        }
        section.function(&self.start(main, takes_arguments)?);
        module.section(&section);

        let mut bytes = std::mem::take(&mut self.data.bytes);
        for &(place, target) in &self.data.pointers {
            let place = place as usize;
            bytes[place..place + 8].copy_from_slice(&(data + target).to_le_bytes());
        }
        if !bytes.is_empty() {
            let mut section = WasmData::new();
            let offset = match self.width {
                WasmWidth::Wasm32 => ConstExpr::i32_const(data as i32),
                WasmWidth::Wasm64 => ConstExpr::i64_const(data as i64),
            };
            section.active(0, &offset, bytes);
            module.section(&section);
        }
        if names {
            module.section(&self.names(reached, start));
        }
        Ok(module.finish())
    }

    /// Numbers types and functions: imports, then our own by symbol.
    fn number(&mut self, reached: &Reached<'_>) {
        self.types.insert(Signature::default(), 0);
        for (number, (name, signature)) in reached.imports.iter().enumerate() {
            self.types.insert(signature.clone(), 0);
            self.functions.insert(Symbol::Extern(format!("import {name}").into()), number as u32);
        }
        let imports = reached.imports.len();
        for (number, (instance, code)) in reached.functions.values().enumerate() {
            self.types.insert(code.signature.clone(), 0);
            self.functions.insert(Symbol::Instance(*instance), (imports + number) as u32);
            for reference in &code.references {
                if let ReferenceTarget::Type(signature) = &reference.target {
                    self.types.insert(signature.clone(), 0);
                }
            }
        }
        for (number, (_, index)) in self.types.iter_mut().enumerate() {
            *index = number as u32;
        }
    }

    fn type_of(&self, signature: &Signature) -> u32 {
        self.types.get(signature).copied().unwrap_or(0)
    }

    /// Lays out what code refers to by address; one answer for each such reference, in order.
    fn addresses(&mut self, reached: &Reached<'_>) -> Vec<Address> {
        let references = reached.functions.values().flat_map(|(_, code)| &code.references);
        let mut addresses = Vec::new();
        for reference in references {
            if let ReferenceTarget::Address(symbol) = &reference.target {
                addresses.push(self.address(symbol));
            }
        }
        addresses
    }

    fn address(&mut self, symbol: &Symbol) -> Address {
        Address::Data(match symbol {
            Symbol::Instance(_) | Symbol::Extern(_) => {
                // The first place stands for no function.
                let next = self.table.len() as u32 + 1;
                return Address::Table(*self.table.entry(symbol.clone()).or_insert(next));
            }
            Symbol::State => return Address::State,
            Symbol::Literal(content) => self.data.literal(content),
            Symbol::EmptyList => self.data.empty_list(),
            Symbol::Const(item) => match self.constants.get(item) {
                Some(&offset) => offset,
                None => {
                    let (value, ty) = self.context.constant(*item).unwrap_or((ConstValue::Unit, Ty::Unit));
                    let offset = self.data.constant(&value, &ty, &mut self.layouts);
                    self.constants.insert(*item, offset);
                    offset
                }
            },
            Symbol::Location(source) => match self.context.position(*source) {
                Some(at) => self.data.location(&at.file, at.line, at.column),
                None => self.data.location(&Arc::from("?"), 0, 0),
            },
        })
    }

    /// The index of a function.
    fn function(&self, symbol: &Symbol) -> Result<u32, CodegenError> {
        let found = match symbol {
            Symbol::Extern(name) => match externs::find(name) {
                Some(Extern::Proc(proc)) => {
                    wasi_proc(self.db, proc).and_then(|instance| self.functions.get(&Symbol::Instance(instance)))
                }
                Some(Extern::Import(import, ..)) => {
                    self.functions.get(&Symbol::Extern(format!("import {import}").into()))
                }
                Some(Extern::Inline(_)) | None => None,
            },
            _ => self.functions.get(symbol),
        };
        found.copied().ok_or_else(|| CodegenError::Internal(format!("no code for {symbol:?}")))
    }

    /// The body with its numbers.
    fn fill_in(
        &self,
        code: &WasmCode,
        addresses: &mut impl Iterator<Item = Address>,
        out: &mut Vec<u8>,
    ) -> Result<(), CodegenError> {
        let mut done = 0;
        for reference in &code.references {
            let offset = reference.offset as usize;
            out.extend_from_slice(&code.bytes[done..offset]);
            done = offset;
            match &reference.target {
                ReferenceTarget::Function(symbol, _) => self.function(symbol)?.encode(out),
                ReferenceTarget::Type(signature) => self.type_of(signature).encode(out),
                ReferenceTarget::HeapBase => (self.heap as i64).encode(out),
                ReferenceTarget::Address(_) => {
                    let address = match addresses.next() {
                        Some(Address::Data(offset)) => STACK_BYTES + offset,
                        Some(Address::State) => self.state,
                        Some(Address::Table(place)) => u64::from(place),
                        None => 0,
                    };
                    (address as i64).encode(out);
                }
            }
        }
        out.extend_from_slice(&code.bytes[done..]);
        Ok(())
    }

    /// What the host calls: C's `main`, whose status ends the process unless it is zero.
    fn start(&self, main: Instance, takes_arguments: bool) -> Result<Function, CodegenError> {
        let function = |name: &str| match wasi_proc(self.db, name) {
            Some(instance) => self.function(&Symbol::Instance(instance)),
            None => Err(CodegenError::Internal(format!("no `{name}`"))),
        };
        let mut start = Function::new([(1, ValType::I32), (1, ValType::I64)]);
        if takes_arguments {
            let (list, count) = (function("wasi_arguments")?, function("wasi_argument_count")?);
            start.instructions().call(list).local_set(1).call(count).local_get(1);
        } else {
            start.instructions().i32_const(0).i64_const(0);
        }
        let (main, exit) = (self.function(&Symbol::Instance(main))?, function("wasi_exit")?);
        start.instructions().call(main).local_tee(0).if_(wasm_encoder::BlockType::Empty);
        start.instructions().local_get(0).call(exit).end().end();
        Ok(start)
    }

    /// Names of functions for traces and profilers.
    fn names(&self, reached: &Reached<'_>, start: u32) -> NameSection {
        let mut map = NameMap::new();
        for (number, name) in reached.imports.keys().enumerate() {
            map.append(number as u32, name);
        }
        let imports = reached.imports.len();
        for (number, (symbol, (instance, _))) in reached.functions.iter().enumerate() {
            map.append((imports + number) as u32, &debugger_name(self.db, *instance, symbol));
        }
        map.append(start, "_start");
        let mut names = NameSection::new();
        names.functions(&map);
        names
    }
}

/// Where an address points.
#[derive(Clone, Copy)]
enum Address {
    /// Into the data, by offset.
    Data(u64),
    /// To the state.
    State,
    /// To a place in the table.
    Table(u32),
}
