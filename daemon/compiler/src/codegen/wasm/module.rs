//! The sections of a WebAssembly module.
use std::sync::Arc;

use wasm_encoder::{
    BlockType, CodeSection, ConstExpr, DataSection, ElementSection, Elements, Encode, EntityType, ExportKind,
    ExportSection, Function, FunctionSection, GlobalSection, GlobalType, ImportSection, MemorySection,
    MemoryType, Module, NameMap, NameSection, RefType, TableSection, TableType, TypeSection, ValType,
};

use super::link::{Linked, link};
use super::{ReferenceTarget, STACK_BYTES, Signature, System, WasmCode, WasmWidth};
use crate::base::diagnostic::Diagnostics;
use crate::base::{Db, Program};
use crate::codegen::CodegenError;
use crate::codegen::program::internal;

/// The program as a module that exports `memory`, `_start` if there is a `main`, and what the entry module exports.
///
/// # Errors
/// What is wrong with the program, or that it has nothing to call; C functions that it declares and WebAssembly has not.
#[salsa::tracked(returns(clone))]
pub fn program_wasm(db: &dyn Db, program: Program, width: WasmWidth) -> Result<Arc<[u8]>, Diagnostics> {
    let linked = link(db, program, width, System::Wasi, width.name())?;
    let names = program.options(db).debug_info;
    let module = write(&linked, width, names, str::to_owned);
    module.map(Arc::from).map_err(|error| {
        let entry = program.entry(db);
        internal(entry, &entry.path(db).to_string(), &error)
    })
}

/// The module, whose exports are called what `named` says.
pub(super) fn write(
    linked: &Linked<'_>,
    width: WasmWidth,
    with_names: bool,
    named: impl Fn(&str) -> String,
) -> Result<Vec<u8>, CodegenError> {
    let mut module = Module::new();

    let mut types = TypeSection::new();
    for signature in &linked.signatures {
        types.ty().function(signature.params.iter().copied(), signature.results.iter().copied());
    }
    module.section(&types);

    let mut imports = ImportSection::new();
    for (name, signature) in &linked.imports {
        imports.import(linked.system.module(), name, EntityType::Function(linked.signature(signature)));
    }
    module.section(&imports);

    let mut functions = FunctionSection::new();
    for function in &linked.functions {
        functions.function(linked.signature(&function.code.signature));
    }
    if linked.main.is_some() {
        functions.function(linked.signature(&Signature::default()));
    }
    module.section(&functions);

    let mut tables = TableSection::new();
    let size = linked.table.len() as u64 + 1;
    let element_type = RefType::FUNCREF;
    tables.table(TableType {
        element_type,
        table64: false,
        minimum: size,
        maximum: Some(size),
        shared: false,
    });
    module.section(&tables);

    let mut memories = MemorySection::new();
    let memory64 = width == WasmWidth::Wasm64;
    let minimum = linked.heap.div_ceil(65536);
    memories.memory(MemoryType { minimum, maximum: None, memory64, shared: false, page_size_log2: None });
    module.section(&memories);

    let mut globals = GlobalSection::new();
    let stack = GlobalType { val_type: ValType::I64, mutable: true, shared: false };
    globals.global(stack, &ConstExpr::i64_const(STACK_BYTES as i64));
    module.section(&globals);

    let start = (linked.imports.len() + linked.functions.len()) as u32;
    let mut exports = ExportSection::new();
    exports.export("memory", ExportKind::Memory, 0);
    if linked.main.is_some() {
        exports.export("_start", ExportKind::Func, start);
    }
    for (export, function) in &linked.exports {
        exports.export(&named(&export.name), ExportKind::Func, *function);
    }
    for (service, function) in &linked.services {
        exports.export(&service.name(&named), ExportKind::Func, *function);
    }
    module.section(&exports);

    if !linked.table.is_empty() {
        let mut elements = ElementSection::new();
        elements.active(None, &ConstExpr::i32_const(1), Elements::Functions(linked.table[..].into()));
        module.section(&elements);
    }

    let mut section = CodeSection::new();
    let mut bytes = Vec::new();
    let mut addresses = linked.addresses();
    for function in &linked.functions {
        bytes.clear();
        fill_in(linked, &function.code, &mut addresses, &mut bytes)?;
        section.raw(&bytes);
    }
    if let Some((main, exit)) = linked.main {
        section.function(&start_function(linked, main, exit));
    }
    module.section(&section);

    if !linked.data.is_empty() {
        let mut section = DataSection::new();
        let offset = match width {
            WasmWidth::Wasm32 => ConstExpr::i32_const(STACK_BYTES as i32),
            WasmWidth::Wasm64 => ConstExpr::i64_const(STACK_BYTES as i64),
        };
        section.active(0, &offset, linked.data.iter().copied());
        module.section(&section);
    }
    if with_names {
        module.section(&names(linked, start));
    }
    Ok(module.finish())
}

/// The body with its numbers.
fn fill_in(
    linked: &Linked<'_>,
    code: &WasmCode,
    addresses: &mut impl Iterator<Item = u64>,
    out: &mut Vec<u8>,
) -> Result<(), CodegenError> {
    let mut done = 0;
    for reference in &code.references {
        let offset = reference.offset as usize;
        out.extend_from_slice(&code.bytes[done..offset]);
        done = offset;
        match &reference.target {
            ReferenceTarget::Function(symbol, _) => linked.function(symbol)?.encode(out),
            ReferenceTarget::Type(signature) => linked.signature(signature).encode(out),
            ReferenceTarget::HeapBase | ReferenceTarget::Address(_) => {
                (addresses.next().unwrap_or(0) as i64).encode(out);
            }
        }
    }
    out.extend_from_slice(&code.bytes[done..]);
    Ok(())
}

/// What the host calls: C's `main`, whose status ends the process unless it is zero.
fn start_function(linked: &Linked<'_>, main: u32, exit: u32) -> Function {
    let mut start = Function::new([(1, ValType::I32), (1, ValType::I64)]);
    match linked.arguments {
        Some((list, count)) => start.instructions().call(list).local_set(1).call(count).local_get(1),
        None => start.instructions().i32_const(0).i64_const(0),
    };
    start.instructions().call(main).local_tee(0).if_(BlockType::Empty);
    start.instructions().local_get(0).call(exit).end().end();
    start
}

/// Names of functions for traces and profilers.
fn names(linked: &Linked<'_>, start: u32) -> NameSection {
    let mut map = NameMap::new();
    for (number, (name, _)) in linked.imports.iter().enumerate() {
        map.append(number as u32, name);
    }
    let imports = linked.imports.len();
    for (number, function) in linked.functions.iter().enumerate() {
        map.append((imports + number) as u32, &function.name);
    }
    if linked.main.is_some() {
        map.append(start, "_start");
    }
    let mut names = NameSection::new();
    names.functions(&map);
    names
}
