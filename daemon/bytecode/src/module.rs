//! A whole module as data. Nothing here promises that it is right: [`crate::load`] does.
use crate::error::Fault;
use crate::instruction::Instruction;
use crate::interface::{FunctionType, TypeDefinition};
use crate::value::{Signature, Value, ValueType};
use crate::wire::Reader;

/// What a file says. Numbers in it (of signatures, functions, globals) are places in these lists.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Module {
    /// Format version of the file.
    pub version: u16,
    /// Oldest reader that understands it.
    pub minimum_reader: u16,
    /// Signatures in registers, without duplicates.
    pub signatures: Vec<Signature>,
    /// Interface types; each refers to earlier ones only.
    pub types: Vec<TypeDefinition>,
    /// Interface types of imported and exported functions.
    pub function_types: Vec<FunctionType>,
    /// Imported functions.
    pub imports: Vec<Import>,
    /// Exports, ascending by name.
    pub exports: Vec<Export>,
    /// Functions with their code.
    pub functions: Vec<Function>,
    /// The memory, if there is one.
    pub memory: Option<MemoryType>,
    /// Globals.
    pub globals: Vec<Global>,
    /// What indirect calls reach, by slot.
    pub table: Vec<Option<u32>>,
    /// Contents of memory at the start, ascending by address.
    pub data: Vec<Segment>,
    /// What of the memory lives on when a new generation of the module takes over.
    pub state: Option<State>,
    /// Places in the source.
    pub lines: Lines,
    /// Sections for tools, ascending by name.
    pub custom: Vec<Custom>,
    /// Sections that a newer format has and this crate does not know, ascending by number.
    pub unknown: Vec<Unknown>,
}

impl Module {
    /// A function type of the module as WIT writes it, such as `func(a: s32) -> string`.
    pub fn interface_text(&self, function: &FunctionType) -> String {
        crate::interface::function_text(&self.types, function)
    }
}

/// An imported function.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Import {
    /// Who gives it: an interface such as `vitte:base/log@1.0.0`.
    pub module: String,
    /// What it is called there.
    pub name: String,
    /// Number of its signature.
    pub signature: u32,
    /// Number of its interface type, if it has one. The signature is then that of the canonical ABI.
    pub interface: Option<u32>,
}

/// An export.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Export {
    /// What others call it.
    pub name: String,
    /// What it is.
    pub item: ExportItem,
}

/// What an export is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ExportItem {
    /// A function of this module.
    Function {
        /// Its number.
        function: u32,
        /// Number of its interface type, if it has one. The signature is then that of the canonical ABI.
        interface: Option<u32>,
    },
    /// The memory.
    Memory,
    /// A global.
    Global(u32),
}

/// A function of the module.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Function {
    /// Its name in traps and listings; need not be unique and may be empty.
    pub name: String,
    /// Number of its signature.
    pub signature: u32,
    /// Types of the registers behind the parameters, in runs of one type.
    pub registers: Vec<(u32, ValueType)>,
    /// Its instructions, as they are in the file.
    pub code: Vec<u8>,
}

impl Function {
    /// Its instructions, each with its offset in [`Self::code`]. Ends behind the first that cannot be read.
    pub fn instructions(&self) -> impl Iterator<Item = (usize, Result<Instruction, Fault>)> {
        let mut reader = Reader::new(&self.code);
        let mut failed = false;
        std::iter::from_fn(move || {
            if failed || reader.is_at_end() {
                return None;
            }
            let offset = reader.offset();
            let instruction = Instruction::decode(&mut reader);
            failed = instruction.is_err();
            Some((offset, instruction))
        })
    }
}

/// How wide an address is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[allow(missing_docs)]
pub enum AddressType {
    I32,
    I64,
}

impl AddressType {
    /// Type of registers that hold an address.
    pub fn value_type(self) -> ValueType {
        match self {
            Self::I32 => ValueType::I32,
            Self::I64 => ValueType::I64,
        }
    }
}

/// A memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MemoryType {
    /// How wide its addresses are.
    pub address: AddressType,
    /// Pages at the start.
    pub min_pages: u64,
    /// Pages at most.
    pub max_pages: Option<u64>,
}

/// A global.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Global {
    /// Whether `global.set` may change it.
    pub mutable: bool,
    /// Its value at the start, and its type.
    pub init: Value,
}

/// Contents of memory at the start.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Segment {
    /// Where.
    pub address: u64,
    /// What.
    pub bytes: Vec<u8>,
}

/// What of the memory lives on when a new generation takes over.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct State {
    /// Version of the schema; the author counts it.
    pub version: u32,
    /// Pieces of state, ascending by name.
    pub fields: Vec<StateField>,
}

/// A piece of state.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StateField {
    /// What it is called in every generation.
    pub name: String,
    /// What it is.
    pub ty: crate::interface::InterfaceType,
    /// Where it is, laid out as the canonical ABI does.
    pub address: u64,
}

/// Places in the source, for traps and debuggers.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Lines {
    /// Source files.
    pub files: Vec<String>,
    /// Functions that have places, ascending by number.
    pub functions: Vec<FunctionLines>,
}

impl Lines {
    /// The entry for an instruction: the last one at or before `offset` in the code of `function`. Takes
    /// logarithmic time.
    pub fn find(&self, function: u32, offset: u32) -> Option<LineEntry> {
        let at = self.functions.binary_search_by_key(&function, |lines| lines.function).ok()?;
        let entries = &self.functions.get(at)?.entries;
        let after = entries.partition_point(|entry| entry.offset <= offset);
        entries.get(after.checked_sub(1)?).copied()
    }
}

/// Places of one function.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FunctionLines {
    /// Its number.
    pub function: u32,
    /// Ascending by offset.
    pub entries: Vec<LineEntry>,
}

/// From this instruction on, code comes from this place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LineEntry {
    /// Offset of the instruction in the function's code.
    pub offset: u32,
    /// Number of the file.
    pub file: u32,
    /// Line, from 1.
    pub line: u32,
    /// Column, from 1; 0 if unknown.
    pub column: u32,
}

/// A section for tools; it has no influence on what the module does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Custom {
    /// Whose it is.
    pub name: String,
    /// What is in it.
    pub bytes: Vec<u8>,
}

/// A section of a newer format.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unknown {
    /// Its number.
    pub number: u8,
    /// What is in it.
    pub bytes: Vec<u8>,
}

/// Numbers of the sections, which is also their order.
pub(crate) mod section {
    pub(crate) const TYPES: u8 = 1;
    pub(crate) const IMPORTS: u8 = 2;
    pub(crate) const EXPORTS: u8 = 3;
    pub(crate) const FUNCTIONS: u8 = 4;
    pub(crate) const MEMORY: u8 = 5;
    pub(crate) const GLOBALS: u8 = 6;
    pub(crate) const TABLE: u8 = 7;
    pub(crate) const CODE: u8 = 8;
    pub(crate) const DATA: u8 = 9;
    pub(crate) const STATE: u8 = 10;
    pub(crate) const LINES: u8 = 11;
    pub(crate) const CUSTOM: u8 = 12;
    /// Sections from here on may be skipped by a reader that the file names as old enough.
    pub(crate) const OPTIONAL: u8 = 0x40;
}
