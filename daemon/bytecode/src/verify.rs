//! What decoding cannot see: that everything refers to something that exists and has the right type.
//!
//! One pass over each list and over the code. Takes time linear in the size of the file, whatever is in it, and
//! recurses nowhere. Where something is wrong it goes on, so that one report tells everything.
use std::collections::HashSet;
use std::sync::Arc;

use crate::decode::{Places, decode};
use crate::error::{AbiMismatch, Fault, Report};
use crate::instruction::{Instruction, Register};
use crate::interface::{InterfaceType, Layouts, Side, TypeDefinition, is_kebab};
use crate::limits;
use crate::module::{AddressType, ExportItem, Function, FunctionLines, Module};
use crate::value::{Signature, ValueType};
use crate::wire::Reader;

/// A module that follows all rules of the format. Cloning it is cheap.
#[derive(Clone, Debug)]
pub struct Verified(Arc<Module>);

impl Verified {
    /// What is in it.
    pub fn module(&self) -> &Module {
        &self.0
    }
}

/// Reads and verifies a file.
///
/// # Errors
/// Everything that is wrong with it, each with its offset.
pub fn load(bytes: &[u8]) -> Result<Verified, Report> {
    let mut report = Report::default();
    let (module, places) = decode(bytes, &mut report);
    // Of a module with parts missing one would report what follows from that alone.
    if report.problems.is_empty() {
        Verifier::new(&module, &places, &mut report).run();
    }
    if report.problems.is_empty() { Ok(Verified(Arc::new(module))) } else { Err(report) }
}

struct Verifier<'a> {
    module: &'a Module,
    places: &'a Places,
    report: &'a mut Report,
    exports_memory: bool,
    exports_allocator: bool,
}

/// What passes the bytes of values from one side of a call to the other.
const ALLOCATOR: &str = "cabi_realloc";
/// What the export of the memory is called when values are passed through it.
const MEMORY: &str = "memory";

impl<'a> Verifier<'a> {
    fn new(module: &'a Module, places: &'a Places, report: &'a mut Report) -> Self {
        // Not looked up: exports may be out of order.
        let export =
            |name| module.exports.iter().find(|export| export.name == name).map(|export| export.item);
        let exports_memory = export(MEMORY) == Some(ExportItem::Memory);
        let exports_allocator = match (module.memory, export(ALLOCATOR)) {
            (Some(memory), Some(ExportItem::Function { function, .. })) => {
                let address = memory.address.value_type();
                module
                    .function_signature(function)
                    .is_some_and(|found| found.params == [address; 4] && found.results == [address])
            }
            _ => false,
        };
        Self { module, places, report, exports_memory, exports_allocator }
    }

    fn run(&mut self) {
        self.signatures();
        self.types();
        self.memory();
        let address = self.module.memory.map_or(AddressType::I32, |memory| memory.address);
        let mut faults = Vec::new();
        let layouts = Layouts::new(&self.module.types, address, |at, fault| faults.push((at, fault)));
        for (at, fault) in faults {
            self.add(place(&self.places.types, at), fault);
        }
        self.imports(&layouts);
        self.exports(&layouts);
        self.table();
        self.data();
        self.state(&layouts);
        self.custom();
        self.functions();
    }

    fn add(&mut self, offset: usize, fault: Fault) {
        self.report.add(offset, None, fault);
    }

    fn check_index(&mut self, offset: usize, what: &'static str, index: u32, count: usize) -> bool {
        let exists = (index as usize) < count;
        if !exists {
            self.add(offset, Fault::Missing { what, index: u64::from(index), count: count as u64 });
        }
        exists
    }

    fn signatures(&mut self) {
        let mut seen = HashSet::new();
        for (at, signature) in self.module.signatures.iter().enumerate() {
            if !seen.insert(signature) {
                self.add(place(&self.places.signatures, at), Fault::Duplicate("a signature"));
            }
        }
    }

    fn types(&mut self) {
        let mut definitions = HashSet::new();
        let mut names = HashSet::new();
        for (at, definition) in self.module.types.iter().enumerate() {
            let offset = place(&self.places.types, at);
            if !definitions.insert(definition) || definition.name().is_some_and(|name| !names.insert(name)) {
                self.add(offset, Fault::Duplicate("a type"));
            }
            definition.for_each_type(|ty| self.backward(offset, ty, at));
            self.names(offset, definition);
            if definition.name().is_some() || matches!(definition, TypeDefinition::Tuple(_)) {
                let members = match definition {
                    TypeDefinition::Record { fields, .. } => fields.len(),
                    TypeDefinition::Variant { cases, .. } => cases.len(),
                    TypeDefinition::Enum { cases: names, .. }
                    | TypeDefinition::Flags { flags: names, .. } => names.len(),
                    TypeDefinition::Tuple(types) => types.len(),
                    TypeDefinition::List(_) | TypeDefinition::Option(_) | TypeDefinition::Result { .. } => 1,
                };
                if members == 0 {
                    self.add(offset, Fault::Empty("a type"));
                }
            }
        }
        let mut seen = HashSet::new();
        for (at, function) in self.module.function_types.iter().enumerate() {
            let offset = place(&self.places.function_types, at);
            if !seen.insert(function) {
                self.add(offset, Fault::Duplicate("a function type"));
            }
            let mut names = HashSet::new();
            for param in &function.params {
                self.backward(offset, param.ty, self.module.types.len());
                self.kebab(offset, &param.name);
                if !names.insert(&param.name) {
                    self.add(offset, Fault::Duplicate("a parameter's name"));
                }
            }
            if let Some(result) = function.result {
                self.backward(offset, result, self.module.types.len());
            }
        }
    }

    /// Checks that `ty` is primitive or one of the first `count` definitions.
    fn backward(&mut self, offset: usize, ty: InterfaceType, count: usize) {
        if let InterfaceType::Defined(index) = ty {
            self.check_index(offset, "earlier type", index, count);
        }
    }

    fn names(&mut self, offset: usize, definition: &TypeDefinition) {
        let mut members = HashSet::new();
        let mut is_first = true;
        definition.for_each_name(|name| {
            self.kebab(offset, name);
            // The first is the name of the type, which may be that of a member too.
            if !std::mem::take(&mut is_first) && !members.insert(name) {
                self.add(offset, Fault::Duplicate("a member's name"));
            }
        });
    }

    fn kebab(&mut self, offset: usize, name: &str) {
        if !is_kebab(name) {
            self.add(offset, Fault::Name { what: "identifier in kebab case", name: name.to_owned() });
        }
    }

    fn memory(&mut self) {
        let Some(memory) = self.module.memory else { return };
        let cap = match memory.address {
            AddressType::I32 => limits::PAGES_32,
            AddressType::I64 => limits::PAGES_64,
        };
        let max = memory.max_pages.unwrap_or(memory.min_pages);
        if memory.min_pages > max {
            self.add(self.places.memory, Fault::MemorySizes { min: memory.min_pages, max });
        }
        if memory.min_pages.max(max) > cap {
            let count = memory.min_pages.max(max);
            self.add(self.places.memory, Fault::Limit { what: "pages of memory", count, max: cap });
        }
    }

    fn imports(&mut self, layouts: &Layouts) {
        let mut seen = HashSet::new();
        for (at, import) in self.module.imports.iter().enumerate() {
            let offset = place(&self.places.imports, at);
            if import.module.is_empty() || import.name.is_empty() {
                self.add(offset, Fault::Empty("the name of an import"));
            }
            if !seen.insert((&import.module, &import.name)) {
                self.add(offset, Fault::Duplicate("an import"));
            }
            let exists =
                self.check_index(offset, "signature", import.signature, self.module.signatures.len());
            if let (Some(interface), true) = (import.interface, exists) {
                self.abi(offset, &import.name, import.signature, interface, Side::Import, layouts);
            }
        }
    }

    fn exports(&mut self, layouts: &Layouts) {
        let mut last: Option<&str> = None;
        for (at, export) in self.module.exports.iter().enumerate() {
            let offset = place(&self.places.exports, at);
            if last == Some(&export.name) {
                self.add(offset, Fault::Duplicate("an export"));
            } else if last.is_some_and(|last| *last > *export.name) {
                self.add(offset, Fault::Unsorted("exports"));
            }
            last = Some(&export.name);
            if export.name.starts_with("vitbc.") {
                self.add(offset, Fault::ReservedName);
            }
            match export.item {
                ExportItem::Function { function, interface } => {
                    if !self.check_index(offset, "function", function, self.module.functions.len()) {
                        continue;
                    }
                    let signature = self.module.functions.get(function as usize).map(|f| f.signature);
                    let exists = signature.filter(|at| (*at as usize) < self.module.signatures.len());
                    // A function's missing signature is reported where the function stands.
                    if let (Some(interface), Some(signature)) = (interface, exists) {
                        self.abi(offset, &export.name, signature, interface, Side::Export, layouts);
                    }
                }
                ExportItem::Memory => {
                    if self.module.memory.is_none() {
                        self.add(offset, Fault::NoMemory);
                    }
                }
                ExportItem::Global(global) => {
                    self.check_index(offset, "global", global, self.module.globals.len());
                }
            }
        }
    }

    /// Checks that a signature is what the canonical ABI makes of an interface type.
    fn abi(
        &mut self,
        offset: usize,
        name: &str,
        signature: u32,
        interface: u32,
        side: Side,
        layouts: &Layouts,
    ) {
        let module = self.module;
        if !self.check_index(offset, "function type", interface, module.function_types.len()) {
            return;
        }
        let found = module.signatures.get(signature as usize);
        let (Some(found), Some(interface)) = (found, module.function_types.get(interface as usize)) else {
            return;
        };
        let (expected, needs) = layouts.flatten(interface, side);
        if *found != expected {
            self.add(
                offset,
                Fault::Abi(Box::new(AbiMismatch {
                    name: name.to_owned(),
                    interface: module.interface_text(interface),
                    expected,
                    found: found.clone(),
                })),
            );
        }
        if needs.memory() && !self.exports_memory {
            self.add(offset, Fault::AbiNeeds { name: name.to_owned(), needed: MEMORY });
        }
        if needs.allocator(side) && !self.exports_allocator {
            self.add(offset, Fault::AbiNeeds { name: name.to_owned(), needed: ALLOCATOR });
        }
    }

    fn table(&mut self) {
        for (at, slot) in self.module.table.iter().enumerate() {
            if let Some(function) = slot {
                let offset = place(&self.places.table, at);
                self.check_index(offset, "function", *function, self.module.functions.len());
            }
        }
    }

    /// Bytes of memory at the start.
    fn memory_bytes(&self) -> u64 {
        let pages = self.module.memory.map_or(0, |memory| memory.min_pages);
        pages.saturating_mul(limits::PAGE_BYTES)
    }

    fn check_in_memory(&mut self, offset: usize, start: u64, length: u64) -> u64 {
        let end = start.saturating_add(length);
        let size = self.memory_bytes();
        if end > size {
            self.add(offset, Fault::OutsideMemory { start, end, size });
        }
        end
    }

    fn data(&mut self) {
        let mut free = 0;
        for (at, segment) in self.module.data.iter().enumerate() {
            let offset = place(&self.places.data, at);
            if segment.bytes.is_empty() {
                self.add(offset, Fault::Empty("a data segment"));
            }
            if segment.address < free {
                self.add(offset, Fault::Overlap);
            }
            free = self.check_in_memory(offset, segment.address, segment.bytes.len() as u64);
        }
    }

    fn state(&mut self, layouts: &Layouts) {
        let Some(state) = &self.module.state else { return };
        let mut last: Option<&str> = None;
        for (at, field) in state.fields.iter().enumerate() {
            let offset = place(&self.places.state, at);
            if last.is_some_and(|last| *last >= *field.name) {
                self.add(offset, Fault::Unsorted("names of state"));
            }
            last = Some(&field.name);
            self.backward(offset, field.ty, self.module.types.len());
            let layout = layouts.of(field.ty);
            if !field.address.is_multiple_of(layout.align) {
                self.add(offset, Fault::Misaligned { address: field.address, align: layout.align });
            }
            self.check_in_memory(offset, field.address, layout.size);
        }
    }

    fn custom(&mut self) {
        let mut last: Option<&str> = None;
        for (at, custom) in self.module.custom.iter().enumerate() {
            if last.is_some_and(|last| *last >= *custom.name) {
                self.add(place(&self.places.custom, at), Fault::Unsorted("names of custom sections"));
            }
            last = Some(&custom.name);
        }
        let count = self.module.unknown.len();
        if count > limits::CUSTOM_SECTIONS {
            let max = limits::CUSTOM_SECTIONS as u64;
            self.add(0, Fault::Limit { what: "unknown sections", count: count as u64, max });
        }
    }

    fn functions(&mut self) {
        let mut scratch = Scratch::default();
        let mut total = 0;
        let mut lines = self.module.lines.functions.iter().zip(&self.places.lines).peekable();
        for (number, function) in self.module.functions.iter().enumerate() {
            if self.report.is_full() {
                return;
            }
            let number = number as u32;
            let offset = place(&self.places.functions, number as usize);
            let signatures = &self.module.signatures;
            self.check_index(offset, "signature", function.signature, signatures.len());
            let Some(signature) = signatures.get(function.signature as usize) else { continue };
            let code_offset = place(&self.places.code, number as usize);
            if let Err(fault) = scratch.set_registers(signature, function, &mut total) {
                self.report.add(code_offset, Some(number), fault);
                continue;
            }
            let own_lines = lines.next_if(|(lines, _)| lines.function == number);
            let mut body = BodyVerifier {
                module: self.module,
                results: &signature.results,
                number,
                code_offset,
                scratch: &mut scratch,
                report: self.report,
            };
            body.run(function, own_lines.map(|(lines, at)| (lines, *at)));
        }
        // What is left names functions that do not exist; entries are ascending.
        if let Some((lines, offset)) = lines.next() {
            self.check_index(*offset, "function", lines.function, self.module.functions.len());
        }
    }
}

fn place(places: &[usize], at: usize) -> usize {
    places.get(at).copied().unwrap_or_default()
}

impl Module {
    /// What is exported by this name. Takes logarithmic time.
    pub fn export(&self, name: &str) -> Option<ExportItem> {
        let at = self.exports.binary_search_by(|export| (*export.name).cmp(name)).ok()?;
        self.exports.get(at).map(|export| export.item)
    }

    /// Signature of a function of the module.
    pub fn function_signature(&self, function: u32) -> Option<&Signature> {
        self.signatures.get(self.functions.get(function as usize)?.signature as usize)
    }
}

/// An open block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Open {
    Block,
    Loop,
    If,
    Else,
}

/// What one function after the other uses.
#[derive(Default)]
struct Scratch {
    types: Vec<ValueType>,
    open: Vec<Open>,
    /// Number of the list of results that last had this register.
    seen: Vec<u32>,
    lists: u32,
}

impl Scratch {
    /// Puts down the types of all registers of a function. `total` counts those of all functions.
    fn set_registers(
        &mut self,
        signature: &Signature,
        function: &Function,
        total: &mut usize,
    ) -> Result<(), Fault> {
        self.types.clear();
        self.types.extend_from_slice(&signature.params);
        let mut last = None;
        for &(count, ty) in &function.registers {
            if count == 0 || last == Some(ty) {
                return Err(Fault::SplitRun);
            }
            last = Some(ty);
            let all = self.types.len() as u64 + u64::from(count);
            let max = limits::REGISTERS as u64;
            if all > max {
                return Err(Fault::Limit { what: "registers of a function", count: all, max });
            }
            self.types.resize(all as usize, ty);
        }
        *total += self.types.len();
        if *total > limits::TOTAL_REGISTERS {
            let max = limits::TOTAL_REGISTERS as u64;
            return Err(Fault::Limit { what: "registers of all functions", count: *total as u64, max });
        }
        self.open.clear();
        if self.seen.len() < self.types.len() {
            self.seen.resize(self.types.len(), 0);
        }
        Ok(())
    }
}

/// Verifies the code of one function.
struct BodyVerifier<'a> {
    module: &'a Module,
    results: &'a [ValueType],
    number: u32,
    code_offset: usize,
    scratch: &'a mut Scratch,
    report: &'a mut Report,
}

impl BodyVerifier<'_> {
    fn run(&mut self, function: &Function, lines: Option<(&FunctionLines, usize)>) {
        let mut reader = Reader::new(&function.code);
        let mut is_terminated = false;
        let mut entries = lines.iter().flat_map(|(lines, _)| &lines.entries).peekable();
        while !reader.is_at_end() {
            if self.report.is_full() {
                return;
            }
            let at = reader.offset();
            if let Some(entry) = entries.next_if(|entry| entry.offset as usize <= at) {
                if entry.offset as usize != at {
                    self.line_fault(lines, entry.offset);
                }
                if entry.file as usize >= self.module.lines.files.len() {
                    let count = self.module.lines.files.len() as u64;
                    let fault = Fault::Missing { what: "file", index: u64::from(entry.file), count };
                    self.report.add(lines.map_or(0, |(_, at)| at), None, fault);
                }
            }
            match Instruction::decode(&mut reader) {
                Ok(instruction) => {
                    is_terminated = instruction.is_terminator();
                    self.instruction(self.code_offset + at, &instruction);
                }
                Err(fault) => {
                    // Nothing tells where the next instruction begins.
                    self.report.add(self.code_offset + reader.offset(), Some(self.number), fault);
                    return;
                }
            }
        }
        let end = self.code_offset + function.code.len();
        if !self.scratch.open.is_empty() {
            self.add(end, Fault::OpenBlocks(self.scratch.open.len()));
        } else if !is_terminated {
            self.add(end, Fault::NoTerminator);
        }
        if let Some(entry) = entries.next() {
            self.line_fault(lines, entry.offset);
        }
    }

    fn add(&mut self, offset: usize, fault: Fault) {
        self.report.add(offset, Some(self.number), fault);
    }

    fn line_fault(&mut self, lines: Option<(&FunctionLines, usize)>, offset: u32) {
        let fault = Fault::LineOffset { function: self.number, offset: u64::from(offset) };
        self.report.add(lines.map_or(0, |(_, at)| at), None, fault);
    }

    /// Checks that `register` has type `expected`.
    fn register(&mut self, offset: usize, register: Register, expected: ValueType) {
        let found = self.ty(offset, register);
        if let Some(found) = found.filter(|found| *found != expected) {
            self.add(offset, Fault::RegisterType { register, expected, found });
        }
    }

    fn ty(&mut self, offset: usize, register: Register) -> Option<ValueType> {
        let found = self.scratch.types.get(register.index()).copied();
        if found.is_none() {
            let count = self.scratch.types.len();
            self.add(offset, Fault::MissingRegister { register, count });
        }
        found
    }

    fn registers(&mut self, offset: usize, what: &'static str, found: &[Register], expected: &[ValueType]) {
        if found.len() != expected.len() {
            self.add(offset, Fault::Arity { what, expected: expected.len(), found: found.len() });
        }
        for (register, ty) in found.iter().zip(expected) {
            self.register(offset, *register, *ty);
        }
    }

    fn call(&mut self, offset: usize, signature: u32, args: &[Register], results: &[Register]) {
        let Some(signature) = self.module.signatures.get(signature as usize) else { return };
        self.registers(offset, "arguments", args, &signature.params);
        self.registers(offset, "results", results, &signature.results);
        self.scratch.lists += 1;
        for register in results {
            let twice = match self.scratch.seen.get_mut(register.index()) {
                Some(seen) => std::mem::replace(seen, self.scratch.lists) == self.scratch.lists,
                None => false,
            };
            if twice {
                self.add(offset, Fault::ResultTwice(*register));
            }
        }
    }

    fn index(&mut self, offset: usize, what: &'static str, index: u32, count: usize) -> bool {
        let exists = (index as usize) < count;
        if !exists {
            self.add(offset, Fault::Missing { what, index: u64::from(index), count: count as u64 });
        }
        exists
    }

    fn depth(&mut self, offset: usize, depth: u32) {
        let open = self.scratch.open.len();
        if depth as usize >= open {
            self.add(offset, Fault::BranchDepth { depth, open });
        }
    }

    fn open(&mut self, offset: usize, block: Open) {
        self.scratch.open.push(block);
        // Reported once per function, by the first block that is too deep.
        if self.scratch.open.len() == limits::NESTING + 1 {
            let count = self.scratch.open.len() as u64;
            self.add(offset, Fault::Limit { what: "open blocks", count, max: limits::NESTING as u64 });
        }
    }

    /// Type of an address, if there is a memory.
    fn address(&mut self, offset: usize) -> Option<AddressType> {
        let memory = self.module.memory.map(|memory| memory.address);
        if memory.is_none() {
            self.add(offset, Fault::NoMemory);
        }
        memory
    }

    fn access(&mut self, offset: usize, address: Register, distance: u64) {
        let Some(ty) = self.address(offset) else { return };
        self.register(offset, address, ty.value_type());
        if ty == AddressType::I32 && distance > u64::from(u32::MAX) {
            self.add(offset, Fault::OffsetTooLarge(distance));
        }
    }

    fn instruction(&mut self, offset: usize, instruction: &Instruction) {
        match instruction {
            Instruction::Unreachable => {}
            Instruction::Block => self.open(offset, Open::Block),
            Instruction::Loop => self.open(offset, Open::Loop),
            Instruction::If { condition } => {
                self.register(offset, *condition, ValueType::I32);
                self.open(offset, Open::If);
            }
            Instruction::Else => match self.scratch.open.last_mut() {
                Some(open) if *open == Open::If => *open = Open::Else,
                Some(_) | None => self.add(offset, Fault::ElseWithoutIf),
            },
            Instruction::End => {
                if self.scratch.open.pop().is_none() {
                    self.add(offset, Fault::EndWithoutBlock);
                }
            }
            Instruction::Br { depth } => self.depth(offset, *depth),
            Instruction::BrIf { condition, depth } => {
                self.register(offset, *condition, ValueType::I32);
                self.depth(offset, *depth);
            }
            Instruction::BrTable { index, depths, default } => {
                self.register(offset, *index, ValueType::I32);
                depths.iter().for_each(|depth| self.depth(offset, *depth));
                self.depth(offset, *default);
            }
            Instruction::Return { values } => self.registers(offset, "results", values, self.results),
            Instruction::Call { function, args, results } => {
                if self.index(offset, "function", *function, self.module.functions.len())
                    && let Some(callee) = self.module.functions.get(*function as usize)
                {
                    self.call(offset, callee.signature, args, results);
                }
            }
            Instruction::CallImport { import, args, results } => {
                if self.index(offset, "import", *import, self.module.imports.len())
                    && let Some(callee) = self.module.imports.get(*import as usize)
                {
                    self.call(offset, callee.signature, args, results);
                }
            }
            Instruction::CallIndirect { signature, slot, args, results } => {
                self.register(offset, *slot, ValueType::I32);
                if self.index(offset, "signature", *signature, self.module.signatures.len()) {
                    self.call(offset, *signature, args, results);
                }
            }
            Instruction::Select { result, condition, if_true, if_false } => {
                self.register(offset, *condition, ValueType::I32);
                if let Some(ty) = self.ty(offset, *result) {
                    self.register(offset, *if_true, ty);
                    self.register(offset, *if_false, ty);
                }
            }
            Instruction::Move { result, value } => {
                if let Some(ty) = self.ty(offset, *result) {
                    self.register(offset, *value, ty);
                }
            }
            Instruction::I32Const { result, .. } => self.register(offset, *result, ValueType::I32),
            Instruction::I64Const { result, .. } => self.register(offset, *result, ValueType::I64),
            Instruction::F32Const { result, .. } => self.register(offset, *result, ValueType::F32),
            Instruction::F64Const { result, .. } => self.register(offset, *result, ValueType::F64),
            Instruction::GlobalGet { result, global } => {
                if self.index(offset, "global", *global, self.module.globals.len())
                    && let Some(global) = self.module.globals.get(*global as usize)
                {
                    self.register(offset, *result, global.init.ty());
                }
            }
            Instruction::GlobalSet { global, value } => {
                if self.index(offset, "global", *global, self.module.globals.len())
                    && let Some(target) = self.module.globals.get(*global as usize)
                {
                    self.register(offset, *value, target.init.ty());
                    if !target.mutable {
                        self.add(offset, Fault::ConstantGlobal(*global));
                    }
                }
            }
            Instruction::MemorySize { result } => {
                if let Some(ty) = self.address(offset) {
                    self.register(offset, *result, ty.value_type());
                }
            }
            Instruction::MemoryGrow { result, pages } => {
                if let Some(ty) = self.address(offset) {
                    self.register(offset, *result, ty.value_type());
                    self.register(offset, *pages, ty.value_type());
                }
            }
            Instruction::MemoryCopy { to, from, length } => {
                if let Some(ty) = self.address(offset) {
                    [to, from, length]
                        .into_iter()
                        .for_each(|each| self.register(offset, *each, ty.value_type()));
                }
            }
            Instruction::MemoryFill { to, byte, length } => {
                if let Some(ty) = self.address(offset) {
                    self.register(offset, *to, ty.value_type());
                    self.register(offset, *byte, ValueType::I32);
                    self.register(offset, *length, ty.value_type());
                }
            }
            Instruction::Unary { op, result, value } => {
                self.register(offset, *result, op.result());
                self.register(offset, *value, op.operand());
            }
            Instruction::Binary { op, result, left, right } => {
                self.register(offset, *result, op.result());
                self.register(offset, *left, op.operand());
                self.register(offset, *right, op.operand());
            }
            Instruction::Load { op, result, address, offset: distance } => {
                self.register(offset, *result, op.result());
                self.access(offset, *address, *distance);
            }
            Instruction::Store { op, address, offset: distance, value } => {
                self.register(offset, *value, op.operand());
                self.access(offset, *address, *distance);
            }
        }
    }
}
