//! The project's bytecode, `.vitbc`.
//!
//! Bytecode has WebAssembly's numbers, memory and blocks, and registers instead of a stack. So a function is
//! compiled once for both: its bytecode is its WebAssembly body with a register for each local and for each
//! place of the stack that is needed. What a local or a constant puts on the stack is used where it is,
//! and a result that goes into a local is put there at once, so that few moves are left.
use std::sync::{Arc, OnceLock};

use vitte_bytecode::{
    AddressType, BinaryOp, ExportItem, FunctionBody, FunctionBuilder, FunctionId, Instruction, LoadOp,
    MemoryType, ModuleBuilder, Register, StoreOp, UnaryOp, Value, ValueType, encode,
};
use wasm_encoder::ValType;

use super::CodegenError;
use super::program::internal;
use super::wasm::{
    Extern, Linked, ReferenceTarget, STACK_BYTES, Signature, System, WASI, WasmCode, WasmWidth, find_extern,
    link, wasm_code,
};
use crate::base::diagnostic::Diagnostics;
use crate::base::{Db, Program};
use crate::mono::Instance;
use crate::ssa::{CodeOptions, Symbol};

/// Bytecode has 32-bit addresses: what WebAssembly engines are fastest with.
pub const WIDTH: WasmWidth = WasmWidth::Wasm32;

/// The bytecode of one function, without what only the module knows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bytecode {
    body: FunctionBody,
    /// Instructions in which something is missing, by number, each with the number of the reference of the WebAssembly
    /// body that says what.
    references: Vec<(usize, usize)>,
}

/// The bytecode of one instance. Calls of different instances can run at once.
///
/// # Errors
/// If the function cannot be had in bytecode.
#[salsa::tracked(returns(ref))]
pub fn bytecode(
    db: &dyn Db,
    instance: Instance,
    options: CodeOptions,
) -> Result<Arc<Bytecode>, CodegenError> {
    let code = wasm_code(db, instance, options, WIDTH).as_ref().map_err(Clone::clone)?;
    db.go_on("codegen");
    translate(code).map(Arc::new)
}

/// Compiles an instance, and gives those that its code refers to.
pub fn needs(db: &dyn Db, instance: Instance, options: CodeOptions) -> Vec<Instance> {
    let next = super::wasm::needs(db, instance, options, WIDTH);
    // What failed is told when the module is asked for.
    let _ = bytecode(db, instance, options);
    next
}

/// The program as a module that exports `memory`, `_start` if there is a `main`, and what the entry module exports, with
/// interface types; it imports from WASI.
///
/// # Errors
/// What is wrong with the program, or that it has nothing to call; C functions that it declares and bytecode has not.
#[salsa::tracked(returns(clone))]
pub fn program_bytecode(db: &dyn Db, program: Program) -> Result<Arc<[u8]>, Diagnostics> {
    let linked = link(db, program, WIDTH, System::Wasi, "vitbc")?;
    write(db, program, &linked).map(Arc::from).map_err(|error| {
        let entry = program.entry(db);
        internal(entry, &entry.path(db).to_string(), &error)
    })
}

fn write(db: &dyn Db, program: Program, linked: &Linked<'_>) -> Result<Vec<u8>, CodegenError> {
    let options = CodeOptions::of(db, program.options(db));
    let mut module = ModuleBuilder::new();
    let signatures: Vec<u32> = (linked.signatures.iter())
        .map(|signature| module.signature(&value_types(&signature.params), &value_types(&signature.results)))
        .collect();
    let signature_number = |signature: &Signature| {
        signatures.get(linked.signature(signature) as usize).copied().unwrap_or_default()
    };
    for (name, signature) in &linked.imports {
        module.import(WASI, name, signature_number(signature), None);
    }
    // Imports are numbered apart.
    let imports = linked.imports.len() as u32;
    let own = |function: u32| FunctionId(function.saturating_sub(imports));
    let mut functions = Vec::with_capacity(linked.functions.len());
    for function in &linked.functions {
        functions.push(module.declare(&function.name, signature_number(&function.code.signature)));
    }
    let mut addresses = linked.addresses();
    for (source, function) in linked.functions.iter().zip(functions) {
        let code = match source.instance {
            Some(instance) => bytecode(db, instance, options).clone()?,
            None => Arc::new(translate(&source.code)?),
        };
        let mut body = code.body.clone();
        // Registers are filled in another order than the stack was, and perhaps more than once.
        let places: Vec<Option<u64>> = (source.code.references.iter())
            .map(|reference| match reference.target {
                ReferenceTarget::Address(_) | ReferenceTarget::HeapBase => addresses.next(),
                ReferenceTarget::Function(..) | ReferenceTarget::Type(_) => None,
            })
            .collect();
        for (at, number) in &code.references {
            let Some(instruction) = body.instructions.get_mut(*at) else { continue };
            let Some(reference) = source.code.references.get(*number) else { continue };
            match (instruction, &reference.target) {
                (Instruction::Call { function, .. }, ReferenceTarget::Function(symbol, _)) => {
                    *function = own(linked.function(symbol)?).0;
                }
                (Instruction::CallImport { import, .. }, ReferenceTarget::Function(symbol, _)) => {
                    *import = linked.function(symbol)?;
                }
                (Instruction::CallIndirect { signature, .. }, ReferenceTarget::Type(ty)) => {
                    *signature = signature_number(ty)
                }
                (
                    Instruction::I64Const { value, .. },
                    ReferenceTarget::Address(_) | ReferenceTarget::HeapBase,
                ) => *value = places.get(*number).copied().flatten().unwrap_or_default() as i64,
                (instruction, target) => return Err(fault(&format!("{instruction:?} refers to {target:?}"))),
            }
        }
        module.define(function, &body);
    }
    if let Some((main, exit)) = linked.main {
        let start = module.declare("_start", signature_number(&Signature::default()));
        module.define(start, &start_function(linked, main, exit, own));
        module.export_function("_start", start, None);
    }
    for definition in &linked.types {
        module.define_type(definition.clone());
    }
    for (export, function) in &linked.exports {
        let interface = module.function_type(export.interface.clone());
        module.export_function(&export.name, own(*function), Some(interface));
    }
    for (name, function) in &linked.services {
        module.export_function(&name.name(str::to_owned), own(*function), None);
    }
    module.table_slot(None);
    for function in &linked.table {
        module.table_slot(Some(own(*function)));
    }
    module.memory(MemoryType {
        address: AddressType::I32,
        min_pages: linked.heap.div_ceil(65536),
        max_pages: None,
    });
    module.global(true, Value::I64(STACK_BYTES as i64));
    module.data(STACK_BYTES, &linked.data);
    module.export("memory", ExportItem::Memory);
    Ok(encode(&module.finish()))
}

/// What the host calls: C's `main`, whose status ends the process unless it is zero.
fn start_function(
    linked: &Linked<'_>,
    main: u32,
    exit: u32,
    own: impl Fn(u32) -> FunctionId,
) -> FunctionBody {
    let mut code = FunctionBuilder::new(&[]);
    let mut args = match linked.arguments {
        Some((list, count)) => {
            let mut args = code.call(own(list), &[], &[ValueType::I64]);
            args.extend(code.call(own(count), &[], &[ValueType::I32]));
            args
        }
        None => vec![code.i64(0), code.i32(0)],
    };
    args.reverse();
    let status = code.call(own(main), &args, &[ValueType::I32]);
    if let &[status] = &status[..] {
        code.if_(status);
        code.call(own(exit), &[status], &[]);
        code.end();
    }
    code.return_(&[]);
    code.finish()
}

fn value_types(types: &[ValType]) -> Vec<ValueType> {
    types.iter().map(|ty| value_type(*ty)).collect()
}

/// We make no vectors and no references.
fn value_type(ty: ValType) -> ValueType {
    match ty {
        ValType::I32 => ValueType::I32,
        ValType::F32 => ValueType::F32,
        ValType::F64 => ValueType::F64,
        ValType::I64 | ValType::V128 | ValType::Ref(_) => ValueType::I64,
    }
}

fn fault(what: &str) -> CodegenError {
    CodegenError::Internal(format!("bytecode: {what}"))
}

/// What is on WebAssembly's stack.
#[derive(Clone, Copy)]
enum Entry {
    /// What a local holds.
    Local(Register),
    /// A register that is free again when this is gone.
    Temporary(Register),
    I32(i32),
    I64(i64),
    F32(u32),
    F64(u64),
    /// A number that the module knows, by the number of the reference.
    Address(usize),
}

/// Bytecode of a body of ours. Linear in its size.
fn translate(code: &WasmCode) -> Result<Bytecode, CodegenError> {
    let params = value_types(&code.signature.params);
    let mut translation = Translation {
        code,
        at: 0,
        next: 0,
        types: params.clone(),
        out: Vec::new(),
        references: Vec::new(),
        stack: Vec::new(),
        free: Default::default(),
        depth: 0,
    };
    translation.locals()?;
    while translation.at < code.bytes.len() {
        translation.instruction()?;
    }
    let Translation { types, out, references, .. } = translation;
    let registers = types.get(params.len()..).unwrap_or_default().to_vec();
    Ok(Bytecode { body: FunctionBody { registers, instructions: out, places: Vec::new() }, references })
}

struct Translation<'a> {
    code: &'a WasmCode,
    /// Offset of what is read next.
    at: usize,
    /// The next reference.
    next: usize,
    /// Of all registers.
    types: Vec<ValueType>,
    out: Vec<Instruction>,
    references: Vec<(usize, usize)>,
    stack: Vec<Entry>,
    /// By type.
    free: [Vec<Register>; 4],
    /// Blocks open.
    depth: u32,
}

impl Translation<'_> {
    fn byte(&mut self) -> Result<u8, CodegenError> {
        let byte = self.code.bytes.get(self.at).copied().ok_or_else(|| fault("the body ends early"))?;
        self.at += 1;
        Ok(byte)
    }

    fn unsigned(&mut self) -> Result<u64, CodegenError> {
        let (mut value, mut shift) = (0, 0);
        loop {
            let byte = self.byte()?;
            value |= u64::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 || shift >= 63 {
                return Ok(value);
            }
            shift += 7;
        }
    }

    fn signed(&mut self) -> Result<i64, CodegenError> {
        let (mut value, mut shift) = (0i64, 0);
        loop {
            let byte = self.byte()?;
            value |= i64::from(byte & 0x7f) << shift;
            shift += 7;
            if byte & 0x80 == 0 || shift >= 64 {
                let unused = 64u32.saturating_sub(shift);
                return Ok(if byte & 0x40 != 0 && unused > 0 { (value << unused) >> unused } else { value });
            }
        }
    }

    fn fixed<const N: usize>(&mut self) -> Result<[u8; N], CodegenError> {
        let bytes = self.code.bytes.get(self.at..self.at + N).and_then(|bytes| bytes.try_into().ok());
        self.at += N;
        bytes.ok_or_else(|| fault("the body ends early"))
    }

    /// The reference that stands here, if one does.
    fn reference(&mut self) -> Option<ReferenceTarget> {
        let reference = self.code.references.get(self.next)?;
        if reference.offset as usize != self.at {
            return None;
        }
        self.next += 1;
        Some(reference.target.clone())
    }

    fn locals(&mut self) -> Result<(), CodegenError> {
        for _ in 0..self.unsigned()? {
            let count = self.unsigned()?;
            let ty = match self.byte()? {
                0x7f => ValueType::I32,
                0x7e => ValueType::I64,
                0x7d => ValueType::F32,
                0x7c => ValueType::F64,
                other => return Err(fault(&format!("a local of type {other:#x}"))),
            };
            self.types.extend((0..count).map(|_| ty));
        }
        Ok(())
    }

    /// The register of a local.
    fn local(&mut self) -> Result<Register, CodegenError> {
        let number = self.unsigned()?;
        u16::try_from(number).map(Register).map_err(|_| fault("more variables than there are registers"))
    }

    fn fresh(&mut self, ty: ValueType) -> Result<Register, CodegenError> {
        if let Some(register) = self.free[usize::from(ty.number())].pop() {
            return Ok(register);
        }
        let register = u16::try_from(self.types.len()).map(Register);
        self.types.push(ty);
        register.map_err(|_| fault("more values than there are registers"))
    }

    fn release(&mut self, entry: Entry) {
        if let Entry::Temporary(register) = entry
            && let Some(ty) = self.types.get(register.index())
        {
            self.free[usize::from(ty.number())].push(register);
        }
    }

    fn pop(&mut self) -> Result<Entry, CodegenError> {
        self.stack.pop().ok_or_else(|| fault("nothing on the stack"))
    }

    /// An entry in a register, which is not free yet.
    fn in_register(&mut self, entry: Entry) -> Result<Entry, CodegenError> {
        let ty = match entry {
            Entry::Local(_) | Entry::Temporary(_) => return Ok(entry),
            Entry::I32(_) => ValueType::I32,
            Entry::I64(_) | Entry::Address(_) => ValueType::I64,
            Entry::F32(_) => ValueType::F32,
            Entry::F64(_) => ValueType::F64,
        };
        let register = self.fresh(ty)?;
        self.put(entry, register);
        Ok(Entry::Temporary(register))
    }

    /// Writes an entry to a register.
    fn put(&mut self, entry: Entry, result: Register) {
        self.out.push(match entry {
            Entry::Local(value) | Entry::Temporary(value) => Instruction::Move { result, value },
            Entry::I32(value) => Instruction::I32Const { result, value },
            Entry::I64(value) => Instruction::I64Const { result, value },
            Entry::F32(bits) => Instruction::F32Const { result, bits },
            Entry::F64(bits) => Instruction::F64Const { result, bits },
            Entry::Address(number) => {
                self.references.push((self.out.len(), number));
                Instruction::I64Const { result, value: 0 }
            }
        });
    }

    /// Takes so many entries, the one below first, into registers that are free from now on: what reads them must be the next
    /// instruction.
    fn operands<const N: usize>(&mut self) -> Result<[Register; N], CodegenError> {
        let all = self.many(N)?;
        all.try_into().map_err(|_| fault("operands"))
    }

    fn many(&mut self, count: usize) -> Result<Vec<Register>, CodegenError> {
        let start = self.stack.len().checked_sub(count).ok_or_else(|| fault("nothing on the stack"))?;
        let entries = self.stack.split_off(start);
        let mut held = Vec::with_capacity(count);
        for entry in entries {
            held.push(self.in_register(entry)?);
        }
        let mut registers = Vec::with_capacity(count);
        for entry in held {
            if let Entry::Local(register) | Entry::Temporary(register) = entry {
                registers.push(register);
            }
            self.release(entry);
        }
        Ok(registers)
    }

    /// A register for the result of the next instruction, which is put on the stack.
    fn result(&mut self, ty: ValueType) -> Result<Register, CodegenError> {
        let register = self.fresh(ty)?;
        self.stack.push(Entry::Temporary(register));
        Ok(register)
    }

    fn results(&mut self, types: &[ValType]) -> Result<Box<[Register]>, CodegenError> {
        types.iter().map(|ty| self.result(value_type(*ty))).collect()
    }

    /// From the stack into a local.
    fn set(&mut self, local: Register) -> Result<(), CodegenError> {
        let entry = self.pop()?;
        // What reads the local later means what it holds now.
        let holds = |entry: &Entry| matches!(entry, Entry::Local(register) if *register == local);
        if self.stack.iter().any(holds) {
            let ty = self.types.get(local.index()).copied().unwrap_or(ValueType::I64);
            let kept = self.fresh(ty)?;
            self.put(Entry::Local(local), kept);
            // One register for all, which is not used for anything else.
            for entry in self.stack.iter_mut().filter(|entry| holds(entry)) {
                *entry = Entry::Local(kept);
            }
        }
        match entry {
            Entry::Local(register) if register == local => {}
            Entry::Temporary(register) if self.redirect(register, local) => self.release(entry),
            _ => {
                self.put(entry, local);
                self.release(entry);
            }
        }
        Ok(())
    }

    /// Lets the last instruction write to `to` what it writes to `from`.
    fn redirect(&mut self, from: Register, to: Register) -> bool {
        let mut results = self.out.last_mut().into_iter().flat_map(Instruction::results_mut);
        match results.find(|result| **result == from) {
            Some(result) => {
                *result = to;
                true
            }
            None => false,
        }
    }

    /// Blocks carry no values.
    fn boundary(&self) -> Result<(), CodegenError> {
        if self.stack.is_empty() { Ok(()) } else { Err(fault("a value on the stack at the edge of a block")) }
    }

    fn open(&mut self, instruction: Instruction) -> Result<(), CodegenError> {
        // The type of the block, which is empty.
        self.byte()?;
        self.boundary()?;
        self.out.push(instruction);
        self.depth += 1;
        Ok(())
    }

    fn depth(&mut self) -> Result<u32, CodegenError> {
        Ok(self.unsigned()? as u32)
    }

    /// What follows is not reached.
    fn end_of_path(&mut self) {
        while let Some(entry) = self.stack.pop() {
            self.release(entry);
        }
    }

    fn instruction(&mut self) -> Result<(), CodegenError> {
        let code = self.byte()?;
        match code {
            0x00 => {
                self.out.push(Instruction::Unreachable);
                self.end_of_path();
            }
            0x02 => self.open(Instruction::Block)?,
            0x03 => self.open(Instruction::Loop)?,
            0x04 => {
                let [condition] = self.operands()?;
                self.open(Instruction::If { condition })?;
            }
            0x0b => {
                self.boundary()?;
                // The last one ends the function.
                if self.depth > 0 {
                    self.out.push(Instruction::End);
                    self.depth -= 1;
                }
            }
            0x0c => {
                let depth = self.depth()?;
                self.out.push(Instruction::Br { depth });
                self.end_of_path();
            }
            0x0d => {
                let depth = self.depth()?;
                let [condition] = self.operands()?;
                self.boundary()?;
                self.out.push(Instruction::BrIf { condition, depth });
            }
            0x0e => {
                let count = self.unsigned()?;
                let depths = (0..count).map(|_| self.depth()).collect::<Result<_, _>>()?;
                let default = self.depth()?;
                let [index] = self.operands()?;
                self.out.push(Instruction::BrTable { index, depths, default });
                self.end_of_path();
            }
            0x0f => {
                let count = self.code.signature.results.len();
                let values = self.many(count)?.into();
                self.out.push(Instruction::Return { values });
                self.end_of_path();
            }
            0x10 => {
                let number = self.next;
                let Some(ReferenceTarget::Function(symbol, signature)) = self.reference() else {
                    return Err(fault("a call of nothing"));
                };
                self.call(number, &symbol, &signature)?;
            }
            0x11 => {
                let number = self.next;
                let Some(ReferenceTarget::Type(signature)) = self.reference() else {
                    return Err(fault("a call of nothing"));
                };
                self.byte()?;
                let mut args = self.many(signature.params.len() + 1)?;
                let slot = args.pop().ok_or_else(|| fault("operands"))?;
                let results = self.results(&signature.results)?;
                self.references.push((self.out.len(), number));
                self.out.push(Instruction::CallIndirect { signature: 0, slot, args: args.into(), results });
            }
            0x1a => {
                let entry = self.pop()?;
                self.release(entry);
            }
            0x1b => {
                let [if_true, if_false, condition] = self.operands()?;
                let ty = self.types.get(if_true.index()).copied().unwrap_or(ValueType::I64);
                let result = self.result(ty)?;
                self.out.push(Instruction::Select { result, condition, if_true, if_false });
            }
            0x20 => {
                let local = self.local()?;
                self.stack.push(Entry::Local(local));
            }
            0x21 => {
                let local = self.local()?;
                self.set(local)?;
            }
            0x22 => {
                let local = self.local()?;
                self.set(local)?;
                self.stack.push(Entry::Local(local));
            }
            0x23 => {
                let global = self.unsigned()? as u32;
                let result = self.result(ValueType::I64)?;
                self.out.push(Instruction::GlobalGet { result, global });
            }
            0x24 => {
                let global = self.unsigned()? as u32;
                let [value] = self.operands()?;
                self.out.push(Instruction::GlobalSet { global, value });
            }
            0x3f => {
                self.byte()?;
                let result = self.result(ValueType::I32)?;
                self.out.push(Instruction::MemorySize { result });
            }
            0x40 => {
                self.byte()?;
                let [pages] = self.operands()?;
                let result = self.result(ValueType::I32)?;
                self.out.push(Instruction::MemoryGrow { result, pages });
            }
            0x41 => {
                let value = self.signed()? as i32;
                self.stack.push(Entry::I32(value));
            }
            0x42 => {
                let number = self.next;
                let entry = match self.reference() {
                    Some(_) => Entry::Address(number),
                    None => Entry::I64(self.signed()?),
                };
                self.stack.push(entry);
            }
            0x43 => {
                let bits = u32::from_le_bytes(self.fixed()?);
                self.stack.push(Entry::F32(bits));
            }
            0x44 => {
                let bits = u64::from_le_bytes(self.fixed()?);
                self.stack.push(Entry::F64(bits));
            }
            0xfc => match self.byte()? {
                0x0a => {
                    self.fixed::<2>()?;
                    let [to, from, length] = self.operands()?;
                    self.out.push(Instruction::MemoryCopy { to, from, length });
                }
                0x0b => {
                    self.byte()?;
                    let [to, byte, length] = self.operands()?;
                    self.out.push(Instruction::MemoryFill { to, byte, length });
                }
                // Conversions that saturate; bytecode numbers them behind the others.
                other => self.numeric(0xd0 + other)?,
            },
            other => self.numeric(other)?,
        }
        Ok(())
    }

    fn call(&mut self, number: usize, symbol: &Symbol, signature: &Signature) -> Result<(), CodegenError> {
        let is_import = match symbol {
            Symbol::Extern(name) => matches!(find_extern(name), Some(Extern::Import(..))),
            _ => false,
        };
        let args = self.many(signature.params.len())?.into();
        let results = self.results(&signature.results)?;
        self.references.push((self.out.len(), number));
        self.out.push(if is_import {
            Instruction::CallImport { import: 0, args, results }
        } else {
            Instruction::Call { function: 0, args, results }
        });
        Ok(())
    }

    /// What has the same number in both formats.
    fn numeric(&mut self, code: u8) -> Result<(), CodegenError> {
        match operations()[usize::from(code)] {
            Some(Numeric::Unary(op)) => {
                let [value] = self.operands()?;
                let result = self.result(op.result())?;
                self.out.push(Instruction::Unary { op, result, value });
            }
            Some(Numeric::Binary(op)) => {
                let [left, right] = self.operands()?;
                let result = self.result(op.result())?;
                self.out.push(Instruction::Binary { op, result, left, right });
            }
            Some(Numeric::Load(op)) => {
                self.unsigned()?;
                let offset = self.unsigned()?;
                let [address] = self.operands()?;
                let result = self.result(op.result())?;
                self.out.push(Instruction::Load { op, result, address, offset });
            }
            Some(Numeric::Store(op)) => {
                self.unsigned()?;
                let offset = self.unsigned()?;
                let [address, value] = self.operands()?;
                self.out.push(Instruction::Store { op, address, offset, value });
            }
            None => return Err(fault(&format!("the instruction {code:#x}"))),
        }
        Ok(())
    }
}

/// An operation that the formats share.
#[derive(Clone, Copy)]
enum Numeric {
    Unary(UnaryOp),
    Binary(BinaryOp),
    Load(LoadOp),
    Store(StoreOp),
}

/// Operations by number.
fn operations() -> &'static [Option<Numeric>; 256] {
    static TABLE: OnceLock<[Option<Numeric>; 256]> = OnceLock::new();
    TABLE.get_or_init(|| {
        let mut table = [None; 256];
        let all = (UnaryOp::ALL.iter().map(|op| (*op as u8, Numeric::Unary(*op))))
            .chain(BinaryOp::ALL.iter().map(|op| (*op as u8, Numeric::Binary(*op))))
            .chain(LoadOp::ALL.iter().map(|op| (*op as u8, Numeric::Load(*op))))
            .chain(StoreOp::ALL.iter().map(|op| (*op as u8, Numeric::Store(*op))));
        for (number, op) in all {
            table[usize::from(number)] = Some(op);
        }
        table
    })
}
