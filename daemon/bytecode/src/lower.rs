//! To WebAssembly, one instruction after the other: registers become locals, blocks become blocks, numbers mean the
//! same. The result is a pure function of the module.
//!
//! WebAssembly leaves open which NaN an operation gives. The format does not, so what computes a float is followed
//! by a selection of the canonical NaN; the result then depends on no setting of the engine.
use wasm_encoder::{
    BlockType, CodeSection, ConstExpr, CustomSection, DataSection, ElementSection, Elements, Encode as _,
    EntityType, ExportKind, ExportSection, Function as WasmFunction, FunctionSection, GlobalSection,
    GlobalType, ImportSection, Instruction as Wasm, MemArg, MemorySection, MemoryType as WasmMemory,
    Module as WasmModule, NameMap, NameSection, RefType, TableSection, TableType, TypeSection, ValType,
};

use crate::instruction::{Instruction, Register};
use crate::module::{AddressType, ExportItem, Function, Module};
use crate::value::{Signature, Value, ValueType};
use crate::verify::Verified;

/// Whether the lowered module exports what its author did not: the memory as `vitbc.memory` and each global as
/// `vitbc.global.N`, so that one engine can go on with the state of another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum InternalExports {
    /// It does.
    Yes,
    /// It exports only what its author says.
    No,
}

/// A module as WebAssembly.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lowered {
    /// A core module.
    pub wasm: Vec<u8>,
    /// Where each instruction is in it, ascending.
    offsets: Vec<Origin>,
}

/// Where a piece of WebAssembly comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Origin {
    wasm: u32,
    function: u32,
    offset: u32,
}

impl Lowered {
    /// Number of the function, and offset of the instruction in its code, that the WebAssembly instruction at this
    /// offset in [`Self::wasm`] comes from. Takes logarithmic time.
    pub fn origin(&self, wasm_offset: u32) -> Option<(u32, u32)> {
        let after = self.offsets.partition_point(|origin| origin.wasm <= wasm_offset);
        let origin = self.offsets.get(after.checked_sub(1)?)?;
        Some((origin.function, origin.offset))
    }
}

/// Lowers a verified module. Takes time and memory linear in its size.
pub fn lower(verified: &Verified, internal: InternalExports) -> Lowered {
    let module = verified.module();
    let mut out = WasmModule::new();
    let mut types = TypeSection::new();
    for Signature { params, results } in &module.signatures {
        let of = |types: &[ValueType]| types.iter().map(|ty| value_type(*ty)).collect::<Vec<_>>();
        types.ty().function(of(params), of(results));
    }
    out.section(&types);
    let mut imports = ImportSection::new();
    for import in &module.imports {
        imports.import(&import.module, &import.name, EntityType::Function(import.signature));
    }
    out.section(&imports);
    let mut functions = FunctionSection::new();
    for function in &module.functions {
        functions.function(function.signature);
    }
    out.section(&functions);
    if !module.table.is_empty() {
        let mut tables = TableSection::new();
        let slots = module.table.len() as u64;
        tables.table(TableType {
            element_type: RefType::FUNCREF,
            table64: false,
            minimum: slots,
            maximum: Some(slots),
            shared: false,
        });
        out.section(&tables);
    }
    if let Some(memory) = module.memory {
        let mut memories = MemorySection::new();
        memories.memory(WasmMemory {
            minimum: memory.min_pages,
            maximum: memory.max_pages,
            memory64: memory.address == AddressType::I64,
            shared: false,
            page_size_log2: None,
        });
        out.section(&memories);
    }
    let mut globals = GlobalSection::new();
    for global in &module.globals {
        let val_type = value_type(global.init.ty());
        globals
            .global(GlobalType { val_type, mutable: global.mutable, shared: false }, &constant(global.init));
    }
    out.section(&globals);
    out.section(&exports(module, internal));
    if module.table.iter().any(Option::is_some) {
        out.section(&elements(module));
    }
    let offsets = code(module, &mut out);
    let mut data = DataSection::new();
    for segment in &module.data {
        let address = match module.memory.map(|memory| memory.address) {
            Some(AddressType::I64) => ConstExpr::i64_const(segment.address as i64),
            Some(AddressType::I32) | None => ConstExpr::i32_const(segment.address as u32 as i32),
        };
        data.active(0, &address, segment.bytes.iter().copied());
    }
    out.section(&data);
    let mut names = NameSection::new();
    names.functions(&function_names(module));
    out.section(&names);
    for custom in module.custom.iter().filter(|custom| custom.name != "name") {
        out.section(&CustomSection { name: (&custom.name).into(), data: (&custom.bytes).into() });
    }
    Lowered { wasm: out.finish(), offsets }
}

fn value_type(ty: ValueType) -> ValType {
    match ty {
        ValueType::I32 => ValType::I32,
        ValueType::I64 => ValType::I64,
        ValueType::F32 => ValType::F32,
        ValueType::F64 => ValType::F64,
    }
}

fn constant(value: Value) -> ConstExpr {
    match value {
        Value::I32(value) => ConstExpr::i32_const(value),
        Value::I64(value) => ConstExpr::i64_const(value),
        Value::F32(value) => ConstExpr::f32_const(value.into()),
        Value::F64(value) => ConstExpr::f64_const(value.into()),
    }
}

/// WebAssembly numbers imported functions and those of the module in one row.
fn function_index(module: &Module, function: u32) -> u32 {
    module.imports.len() as u32 + function
}

fn exports(module: &Module, internal: InternalExports) -> ExportSection {
    let mut exports = ExportSection::new();
    for export in &module.exports {
        match export.item {
            ExportItem::Function { function, interface: _ } => {
                exports.export(&export.name, ExportKind::Func, function_index(module, function));
            }
            ExportItem::Memory => {
                exports.export(&export.name, ExportKind::Memory, 0);
            }
            ExportItem::Global(global) => {
                exports.export(&export.name, ExportKind::Global, global);
            }
        }
    }
    match internal {
        InternalExports::No => {}
        InternalExports::Yes => {
            if module.memory.is_some() {
                exports.export("vitbc.memory", ExportKind::Memory, 0);
            }
            for global in 0..module.globals.len() as u32 {
                exports.export(&format!("vitbc.global.{global}"), ExportKind::Global, global);
            }
        }
    }
    exports
}

fn elements(module: &Module) -> ElementSection {
    let mut elements = ElementSection::new();
    let mut start = 0;
    for run in module.table.chunk_by(|a, b| a.is_some() == b.is_some()) {
        let functions: Vec<u32> =
            run.iter().flatten().map(|function| function_index(module, *function)).collect();
        if !functions.is_empty() {
            let offset = ConstExpr::i32_const(start as i32);
            elements.active(None, &offset, Elements::Functions(functions.into()));
        }
        start += run.len();
    }
    elements
}

fn function_names(module: &Module) -> NameMap {
    let mut names = NameMap::new();
    for (at, function) in module.functions.iter().enumerate() {
        if !function.name.is_empty() {
            names.append(function_index(module, at as u32), &function.name);
        }
    }
    names
}

/// Appends the code section; gives where everything in it comes from.
fn code(module: &Module, out: &mut WasmModule) -> Vec<Origin> {
    let mut section = CodeSection::new();
    let mut origins = Vec::new();
    // Offsets of bodies count from the first one until it is known how long what is in front of them is.
    let mut at = 0_usize;
    for (number, function) in module.functions.iter().enumerate() {
        let body = lower_function(module, function, |offset, length| {
            origins.push(Origin { wasm: (at + length) as u32, function: number as u32, offset });
        });
        let length = body.byte_len();
        let prefix = leb_length(length);
        for origin in origins.iter_mut().rev().take_while(|origin| origin.function == number as u32) {
            origin.wasm += prefix as u32;
        }
        at += prefix + length;
        section.function(&body);
    }
    let count = leb_length(module.functions.len());
    // Number of the section, its length, and how many functions are in it.
    let start = out.as_slice().len() + 1 + leb_length(count + at) + count;
    origins.iter_mut().for_each(|origin| origin.wasm += start as u32);
    out.section(&section);
    origins
}

fn leb_length(value: usize) -> usize {
    let mut bytes = Vec::new();
    (value as u64).encode(&mut bytes);
    bytes.len()
}

/// Lowers one function. `note` gets the offset of each instruction, and the bytes that are in front of its code.
fn lower_function(module: &Module, function: &Function, mut note: impl FnMut(u32, usize)) -> WasmFunction {
    let locals = function.registers.iter().map(|(count, ty)| (*count, value_type(*ty)));
    let mut body = WasmFunction::new(locals);
    for (offset, instruction) in function.instructions() {
        // A verified function has no other.
        let Ok(instruction) = instruction else { break };
        note(offset as u32, body.byte_len());
        lower_instruction(module, &instruction, &mut body);
    }
    body.instruction(&Wasm::End);
    body
}

fn get(body: &mut WasmFunction, register: Register) {
    body.instruction(&Wasm::LocalGet(u32::from(register.0)));
}

fn set(body: &mut WasmFunction, register: Register) {
    body.instruction(&Wasm::LocalSet(u32::from(register.0)));
}

/// Takes a float that was computed from the stack into a register, or the canonical NaN for any other.
fn set_canonical(body: &mut WasmFunction, register: Register, ty: ValueType) {
    let is_narrow = ty == ValueType::F32;
    body.instruction(&Wasm::LocalTee(u32::from(register.0)));
    body.instruction(&if is_narrow {
        Wasm::F32Const(wasm_encoder::Ieee32::new(0x7fc0_0000))
    } else {
        Wasm::F64Const(wasm_encoder::Ieee64::new(0x7ff8_0000_0000_0000))
    });
    get(body, register);
    get(body, register);
    body.instruction(if is_narrow { &Wasm::F32Eq } else { &Wasm::F64Eq });
    body.instruction(&Wasm::Select);
    set(body, register);
}

fn call(body: &mut WasmFunction, args: &[Register], callee: &Wasm<'_>, results: &[Register]) {
    args.iter().for_each(|register| get(body, *register));
    body.instruction(callee);
    // The last result is on top.
    results.iter().rev().for_each(|register| set(body, *register));
}

fn access(offset: u64, bytes: u32) -> MemArg {
    MemArg { offset, align: bytes.trailing_zeros(), memory_index: 0 }
}

fn lower_instruction(module: &Module, instruction: &Instruction, body: &mut WasmFunction) {
    match instruction {
        Instruction::Unreachable => {
            body.instruction(&Wasm::Unreachable);
        }
        Instruction::Block => {
            body.instruction(&Wasm::Block(BlockType::Empty));
        }
        Instruction::Loop => {
            body.instruction(&Wasm::Loop(BlockType::Empty));
        }
        Instruction::If { condition } => {
            get(body, *condition);
            body.instruction(&Wasm::If(BlockType::Empty));
        }
        Instruction::Else => {
            body.instruction(&Wasm::Else);
        }
        Instruction::End => {
            body.instruction(&Wasm::End);
        }
        Instruction::Br { depth } => {
            body.instruction(&Wasm::Br(*depth));
        }
        Instruction::BrIf { condition, depth } => {
            get(body, *condition);
            body.instruction(&Wasm::BrIf(*depth));
        }
        Instruction::BrTable { index, depths, default } => {
            get(body, *index);
            body.instruction(&Wasm::BrTable(depths.as_ref().into(), *default));
        }
        Instruction::Return { values } => {
            values.iter().for_each(|register| get(body, *register));
            body.instruction(&Wasm::Return);
        }
        Instruction::Call { function, args, results } => {
            call(body, args, &Wasm::Call(function_index(module, *function)), results);
        }
        Instruction::CallImport { import, args, results } => call(body, args, &Wasm::Call(*import), results),
        Instruction::CallIndirect { signature, slot, args, results } => {
            args.iter().for_each(|register| get(body, *register));
            if module.table.is_empty() {
                // WebAssembly has no table then, and any slot is one that does not exist.
                body.instruction(&Wasm::Unreachable);
                return;
            }
            let callee = Wasm::CallIndirect { type_index: *signature, table_index: 0 };
            get(body, *slot);
            call(body, &[], &callee, results);
        }
        Instruction::Select { result, condition, if_true, if_false } => {
            get(body, *if_true);
            get(body, *if_false);
            get(body, *condition);
            body.instruction(&Wasm::Select);
            set(body, *result);
        }
        Instruction::Move { result, value } => {
            get(body, *value);
            set(body, *result);
        }
        Instruction::I32Const { result, value } => {
            body.instruction(&Wasm::I32Const(*value));
            set(body, *result);
        }
        Instruction::I64Const { result, value } => {
            body.instruction(&Wasm::I64Const(*value));
            set(body, *result);
        }
        Instruction::F32Const { result, bits } => {
            body.instruction(&Wasm::F32Const(wasm_encoder::Ieee32::new(*bits)));
            set(body, *result);
        }
        Instruction::F64Const { result, bits } => {
            body.instruction(&Wasm::F64Const(wasm_encoder::Ieee64::new(*bits)));
            set(body, *result);
        }
        Instruction::GlobalGet { result, global } => {
            body.instruction(&Wasm::GlobalGet(*global));
            set(body, *result);
        }
        Instruction::GlobalSet { global, value } => {
            get(body, *value);
            body.instruction(&Wasm::GlobalSet(*global));
        }
        Instruction::MemorySize { result } => {
            body.instruction(&Wasm::MemorySize(0));
            set(body, *result);
        }
        Instruction::MemoryGrow { result, pages } => {
            get(body, *pages);
            body.instruction(&Wasm::MemoryGrow(0));
            set(body, *result);
        }
        Instruction::MemoryCopy { to, from, length } => {
            [to, from, length].into_iter().for_each(|register| get(body, *register));
            body.instruction(&Wasm::MemoryCopy { src_mem: 0, dst_mem: 0 });
        }
        Instruction::MemoryFill { to, byte, length } => {
            [to, byte, length].into_iter().for_each(|register| get(body, *register));
            body.instruction(&Wasm::MemoryFill(0));
        }
        Instruction::Unary { op, result, value } => {
            get(body, *value);
            body.instruction(&op.to_wasm());
            if op.makes_nan() { set_canonical(body, *result, op.result()) } else { set(body, *result) }
        }
        Instruction::Binary { op, result, left, right } => {
            get(body, *left);
            get(body, *right);
            body.instruction(&op.to_wasm());
            if op.makes_nan() { set_canonical(body, *result, op.result()) } else { set(body, *result) }
        }
        Instruction::Load { op, result, address, offset } => {
            get(body, *address);
            body.instruction(&op.to_wasm(access(*offset, op.bytes())));
            set(body, *result);
        }
        Instruction::Store { op, address, offset, value } => {
            get(body, *address);
            get(body, *value);
            body.instruction(&op.to_wasm(access(*offset, op.bytes())));
        }
    }
}
