//! For back ends: functions instruction by instruction, then the module around them.
//!
//! A [`FunctionBody`] is plain data that names functions, globals, signatures and files by number. A back end that
//! keeps bodies from one build to the next gives them numbers of its own and lets
//! [`FunctionBody::for_each_reference_mut`] put in the real ones.
use std::collections::{BTreeMap, HashMap};

use crate::encode::encode;
use crate::error::Report;
use crate::instruction::{Instruction, Register};
use crate::interface::{FunctionType, InterfaceType, TypeDefinition};
use crate::module::{
    Custom, Export, ExportItem, Function, FunctionLines, Global, Import, LineEntry, MemoryType, Module,
    Segment, State, StateField,
};
use crate::opcode::{BinaryOp, LoadOp, StoreOp, UnaryOp};
use crate::value::{Signature, Value, ValueType};
use crate::verify::{Verified, load};
use crate::wire::Writer;
use crate::{MINIMUM_READER, VERSION};

/// A function of the module that is being built.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FunctionId(pub u32);

/// A place in the source.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Place {
    /// Number of the file, from [`ModuleBuilder::file`].
    pub file: u32,
    /// Line, from 1.
    pub line: u32,
    /// Column, from 1; 0 if unknown.
    pub column: u32,
}

/// What an instruction names by a number of the module.
#[derive(Debug)]
pub enum Reference<'a> {
    /// A function of the module.
    Function(&'a mut u32),
    /// An imported function.
    Import(&'a mut u32),
    /// A signature.
    Signature(&'a mut u32),
    /// A global.
    Global(&'a mut u32),
    /// A source file.
    File(&'a mut u32),
}

/// The code of a function before it is bytes.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct FunctionBody {
    /// Types of the registers behind the parameters.
    pub registers: Vec<ValueType>,
    /// In order.
    pub instructions: Vec<Instruction>,
    /// Where the code comes from, from the instruction with this index on; ascending.
    pub places: Vec<(u32, Place)>,
}

impl FunctionBody {
    /// Calls `f` on every number of the module that the body names, in order.
    pub fn for_each_reference_mut(&mut self, mut f: impl FnMut(Reference<'_>)) {
        for instruction in &mut self.instructions {
            match instruction {
                Instruction::Call { function, .. } => f(Reference::Function(function)),
                Instruction::CallImport { import, .. } => f(Reference::Import(import)),
                Instruction::CallIndirect { signature, .. } => f(Reference::Signature(signature)),
                Instruction::GlobalGet { global, .. } | Instruction::GlobalSet { global, .. } => {
                    f(Reference::Global(global));
                }
                Instruction::Unreachable
                | Instruction::Block
                | Instruction::Loop
                | Instruction::If { .. }
                | Instruction::Else
                | Instruction::End
                | Instruction::Br { .. }
                | Instruction::BrIf { .. }
                | Instruction::BrTable { .. }
                | Instruction::Return { .. }
                | Instruction::Select { .. }
                | Instruction::Move { .. }
                | Instruction::I32Const { .. }
                | Instruction::I64Const { .. }
                | Instruction::F32Const { .. }
                | Instruction::F64Const { .. }
                | Instruction::MemorySize { .. }
                | Instruction::MemoryGrow { .. }
                | Instruction::MemoryCopy { .. }
                | Instruction::MemoryFill { .. }
                | Instruction::Unary { .. }
                | Instruction::Binary { .. }
                | Instruction::Load { .. }
                | Instruction::Store { .. } => {}
            }
        }
        for (_, place) in &mut self.places {
            f(Reference::File(&mut place.file));
        }
    }
}

/// Builds a [`FunctionBody`].
///
/// Methods that compute something put it into a fresh register and return that. To write to a register again, which
/// is how values cross blocks, use [`Self::assign`] or [`Self::emit`].
#[derive(Clone, Debug, Default)]
pub struct FunctionBuilder {
    params: Vec<ValueType>,
    body: FunctionBody,
    place: Option<Place>,
}

impl FunctionBuilder {
    /// A function with these parameters and no code.
    pub fn new(params: &[ValueType]) -> Self {
        Self { params: params.to_vec(), ..Self::default() }
    }

    /// The parameter at `index`.
    pub fn param(&self, index: usize) -> Register {
        Register(index.min(usize::from(u16::MAX)) as u16)
    }

    /// A fresh register, which holds zero until it is written.
    ///
    /// Beyond [`crate::limits::REGISTERS`] the module will not verify; beyond 65,535 registers are the same.
    pub fn register(&mut self, ty: ValueType) -> Register {
        let index = self.params.len() + self.body.registers.len();
        self.body.registers.push(ty);
        Register(index.min(usize::from(u16::MAX)) as u16)
    }

    /// Type of a register; `I32` for one that does not exist.
    pub fn ty(&self, register: Register) -> ValueType {
        let all = self.params.iter().chain(&self.body.registers);
        let mut rest = all.skip(register.index());
        rest.next().copied().unwrap_or(ValueType::I32)
    }

    /// Code from here on comes from this place.
    pub fn set_place(&mut self, place: Place) {
        self.place = Some(place);
    }

    /// Appends an instruction as it is; gives its index in [`FunctionBody::instructions`].
    pub fn emit(&mut self, instruction: Instruction) -> usize {
        let index = self.body.instructions.len();
        if let Some(place) = self.place
            && self.body.places.last().is_none_or(|(_, last)| *last != place)
        {
            self.body.places.push((index as u32, place));
        }
        self.body.instructions.push(instruction);
        index
    }

    /// An `i32` constant.
    pub fn i32(&mut self, value: i32) -> Register {
        let result = self.register(ValueType::I32);
        self.emit(Instruction::I32Const { result, value });
        result
    }

    /// An `i64` constant.
    pub fn i64(&mut self, value: i64) -> Register {
        let result = self.register(ValueType::I64);
        self.emit(Instruction::I64Const { result, value });
        result
    }

    /// An `f32` constant.
    pub fn f32(&mut self, value: f32) -> Register {
        let result = self.register(ValueType::F32);
        self.emit(Instruction::F32Const { result, bits: value.to_bits() });
        result
    }

    /// An `f64` constant.
    pub fn f64(&mut self, value: f64) -> Register {
        let result = self.register(ValueType::F64);
        self.emit(Instruction::F64Const { result, bits: value.to_bits() });
        result
    }

    /// An operation on one value.
    pub fn unary(&mut self, op: UnaryOp, value: Register) -> Register {
        let result = self.register(op.result());
        self.emit(Instruction::Unary { op, result, value });
        result
    }

    /// An operation on two values.
    pub fn binary(&mut self, op: BinaryOp, left: Register, right: Register) -> Register {
        let result = self.register(op.result());
        self.emit(Instruction::Binary { op, result, left, right });
        result
    }

    /// Reads memory at `address + offset`.
    pub fn load(&mut self, op: LoadOp, address: Register, offset: u64) -> Register {
        let result = self.register(op.result());
        self.emit(Instruction::Load { op, result, address, offset });
        result
    }

    /// Writes memory at `address + offset`.
    pub fn store(&mut self, op: StoreOp, address: Register, offset: u64, value: Register) {
        self.emit(Instruction::Store { op, address, offset, value });
    }

    /// `if_true` if `condition` is not zero, else `if_false`.
    pub fn select(&mut self, condition: Register, if_true: Register, if_false: Register) -> Register {
        let result = self.register(self.ty(if_true));
        self.emit(Instruction::Select { result, condition, if_true, if_false });
        result
    }

    /// Writes `value` to a register that there is already.
    pub fn assign(&mut self, result: Register, value: Register) {
        self.emit(Instruction::Move { result, value });
    }

    /// Reads a global of this type.
    pub fn global_get(&mut self, global: u32, ty: ValueType) -> Register {
        let result = self.register(ty);
        self.emit(Instruction::GlobalGet { result, global });
        result
    }

    /// Writes a global.
    pub fn global_set(&mut self, global: u32, value: Register) {
        self.emit(Instruction::GlobalSet { global, value });
    }

    /// Calls a function of this module that gives `results`.
    pub fn call(&mut self, function: FunctionId, args: &[Register], results: &[ValueType]) -> Vec<Register> {
        let results = self.registers(results);
        let (args, to) = (args.into(), results.clone().into());
        self.emit(Instruction::Call { function: function.0, args, results: to });
        results
    }

    /// Calls an imported function that gives `results`.
    pub fn call_import(&mut self, import: u32, args: &[Register], results: &[ValueType]) -> Vec<Register> {
        let results = self.registers(results);
        self.emit(Instruction::CallImport { import, args: args.into(), results: results.clone().into() });
        results
    }

    /// Calls the function in a slot of the table, which must have this signature.
    pub fn call_indirect(
        &mut self,
        signature: u32,
        slot: Register,
        args: &[Register],
        results: &[ValueType],
    ) -> Vec<Register> {
        let results = self.registers(results);
        let (args, to) = (args.into(), results.clone().into());
        self.emit(Instruction::CallIndirect { signature, slot, args, results: to });
        results
    }

    fn registers(&mut self, types: &[ValueType]) -> Vec<Register> {
        types.iter().map(|ty| self.register(*ty)).collect()
    }

    /// Opens a block: a branch to it goes behind its end.
    pub fn block(&mut self) {
        self.emit(Instruction::Block);
    }

    /// Opens a loop: a branch to it goes to its beginning.
    pub fn loop_(&mut self) {
        self.emit(Instruction::Loop);
    }

    /// Opens an `if`: a branch to it goes behind its end.
    pub fn if_(&mut self, condition: Register) {
        self.emit(Instruction::If { condition });
    }

    /// What the innermost `if` does when its condition is zero.
    pub fn else_(&mut self) {
        self.emit(Instruction::Else);
    }

    /// Closes the innermost block, loop or `if`.
    pub fn end(&mut self) {
        self.emit(Instruction::End);
    }

    /// Leaves `depth` blocks and branches to the next.
    pub fn br(&mut self, depth: u32) {
        self.emit(Instruction::Br { depth });
    }

    /// The same, if `condition` is not zero.
    pub fn br_if(&mut self, condition: Register, depth: u32) {
        self.emit(Instruction::BrIf { condition, depth });
    }

    /// The same, with the depth chosen by `index`.
    pub fn br_table(&mut self, index: Register, depths: &[u32], default: u32) {
        self.emit(Instruction::BrTable { index, depths: depths.into(), default });
    }

    /// Returns.
    pub fn return_(&mut self, values: &[Register]) {
        self.emit(Instruction::Return { values: values.into() });
    }

    /// Traps.
    pub fn unreachable(&mut self) {
        self.emit(Instruction::Unreachable);
    }

    /// The body. Its last instruction must be a terminator.
    pub fn finish(self) -> FunctionBody {
        self.body
    }
}

/// Builds a [`Module`]. Numbers that it gives out are final; exports, data, state and custom sections are sorted at
/// the end, so that the order in which they are added has no influence on the bytes.
#[derive(Clone, Debug)]
pub struct ModuleBuilder {
    module: Module,
    signatures: HashMap<Signature, u32>,
    types: HashMap<TypeDefinition, u32>,
    function_types: HashMap<FunctionType, u32>,
    files: HashMap<String, u32>,
    lines: BTreeMap<u32, Vec<LineEntry>>,
}

impl Default for ModuleBuilder {
    fn default() -> Self {
        Self::new()
    }
}

impl ModuleBuilder {
    /// An empty module.
    pub fn new() -> Self {
        let module = Module { version: VERSION, minimum_reader: MINIMUM_READER, ..Module::default() };
        Self {
            module,
            signatures: HashMap::new(),
            types: HashMap::new(),
            function_types: HashMap::new(),
            files: HashMap::new(),
            lines: BTreeMap::new(),
        }
    }

    /// Number of a signature.
    pub fn signature(&mut self, params: &[ValueType], results: &[ValueType]) -> u32 {
        intern(&mut self.signatures, &mut self.module.signatures, Signature::new(params, results))
    }

    /// An interface type. It may refer to those defined before it.
    pub fn define_type(&mut self, definition: TypeDefinition) -> InterfaceType {
        InterfaceType::Defined(intern(&mut self.types, &mut self.module.types, definition))
    }

    /// Number of an interface type of a function.
    pub fn function_type(&mut self, function: FunctionType) -> u32 {
        intern(&mut self.function_types, &mut self.module.function_types, function)
    }

    /// Number of a source file.
    pub fn file(&mut self, path: &str) -> u32 {
        intern(&mut self.files, &mut self.module.lines.files, path.to_owned())
    }

    /// An imported function; gives its number. `interface` is from [`Self::function_type`].
    pub fn import(&mut self, module: &str, name: &str, signature: u32, interface: Option<u32>) -> u32 {
        let number = self.module.imports.len() as u32;
        self.module.imports.push(Import {
            module: module.to_owned(),
            name: name.to_owned(),
            signature,
            interface,
        });
        number
    }

    /// A function whose body comes later. `name` is for traps and listings.
    pub fn declare(&mut self, name: &str, signature: u32) -> FunctionId {
        let number = self.module.functions.len() as u32;
        self.module.functions.push(Function {
            name: name.to_owned(),
            signature,
            registers: Vec::new(),
            code: Vec::new(),
        });
        FunctionId(number)
    }

    /// Gives a declared function its body, instead of one that it may have. Takes time linear in the body.
    pub fn define(&mut self, function: FunctionId, body: &FunctionBody) {
        let Some(slot) = self.module.functions.get_mut(function.0 as usize) else { return };
        let mut registers: Vec<(u32, ValueType)> = Vec::new();
        for &ty in &body.registers {
            match registers.last_mut() {
                Some((count, last)) if *last == ty => *count += 1,
                _ => registers.push((1, ty)),
            }
        }
        let mut code = Writer::default();
        let mut entries = Vec::with_capacity(body.places.len());
        let mut places = body.places.iter().peekable();
        for (index, instruction) in body.instructions.iter().enumerate() {
            while let Some((_, place)) = places.next_if(|(at, _)| *at as usize <= index) {
                let &Place { file, line, column } = place;
                let entry = LineEntry { offset: code.bytes.len() as u32, file, line, column };
                // Of several places for one instruction the last one counts.
                if entries.last().is_some_and(|last: &LineEntry| last.offset == entry.offset) {
                    entries.pop();
                }
                entries.push(entry);
            }
            instruction.encode(&mut code);
        }
        slot.registers = registers;
        slot.code = code.bytes;
        if entries.is_empty() {
            self.lines.remove(&function.0);
        } else {
            self.lines.insert(function.0, entries);
        }
    }

    /// Exports a function. `interface` is from [`Self::function_type`].
    pub fn export_function(&mut self, name: &str, function: FunctionId, interface: Option<u32>) {
        self.export(name, ExportItem::Function { function: function.0, interface });
    }

    /// Exports something.
    pub fn export(&mut self, name: &str, item: ExportItem) {
        self.module.exports.push(Export { name: name.to_owned(), item });
    }

    /// Gives the module a memory.
    pub fn memory(&mut self, memory: MemoryType) {
        self.module.memory = Some(memory);
    }

    /// A global; gives its number.
    pub fn global(&mut self, mutable: bool, init: Value) -> u32 {
        let number = self.module.globals.len() as u32;
        self.module.globals.push(Global { mutable, init });
        number
    }

    /// Puts a function, or nothing, into the next slot of the table; gives the slot's number. A slot of nothing in
    /// front makes sure that no function is number 0.
    pub fn table_slot(&mut self, function: Option<FunctionId>) -> u32 {
        let number = self.module.table.len() as u32;
        self.module.table.push(function.map(|function| function.0));
        number
    }

    /// Contents of memory at the start. Empty ones are left out.
    pub fn data(&mut self, address: u64, bytes: &[u8]) {
        if !bytes.is_empty() {
            self.module.data.push(Segment { address, bytes: bytes.to_vec() });
        }
    }

    /// Version of the state schema.
    pub fn state_version(&mut self, version: u32) {
        self.module.state.get_or_insert(State { version, fields: Vec::new() }).version = version;
    }

    /// A piece of state that lives on when a new generation takes over.
    pub fn state_field(&mut self, name: &str, ty: InterfaceType, address: u64) {
        let state = self.module.state.get_or_insert(State { version: 0, fields: Vec::new() });
        state.fields.push(StateField { name: name.to_owned(), ty, address });
    }

    /// A section for tools.
    pub fn custom(&mut self, name: &str, bytes: &[u8]) {
        self.module.custom.push(Custom { name: name.to_owned(), bytes: bytes.to_vec() });
    }

    /// The module as data.
    pub fn finish(self) -> Module {
        let Self { mut module, lines, signatures: _, types: _, function_types: _, files: _ } = self;
        module.exports.sort_by(|a, b| a.name.cmp(&b.name));
        module.data.sort_by_key(|segment| segment.address);
        module.custom.sort_by(|a, b| a.name.cmp(&b.name));
        if let Some(state) = &mut module.state {
            state.fields.sort_by(|a, b| a.name.cmp(&b.name));
        }
        module.lines.functions =
            lines.into_iter().map(|(function, entries)| FunctionLines { function, entries }).collect();
        module
    }

    /// The module's bytes, verified.
    ///
    /// # Errors
    /// Everything that is wrong with what was built; offsets are in the bytes that were not given out.
    pub fn build(self) -> Result<(Vec<u8>, Verified), Report> {
        let bytes = encode(&self.finish());
        let verified = load(&bytes)?;
        Ok((bytes, verified))
    }
}

/// Number of `item`, which is put into the list if it is not there.
fn intern<T: Clone + Eq + std::hash::Hash>(known: &mut HashMap<T, u32>, list: &mut Vec<T>, item: T) -> u32 {
    if let Some(&number) = known.get(&item) {
        return number;
    }
    let number = list.len() as u32;
    list.push(item.clone());
    known.insert(item, number);
    number
}
