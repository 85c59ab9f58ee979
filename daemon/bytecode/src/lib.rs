#![doc = include_str!("../README.md")]
#![forbid(unsafe_code)]

pub mod limits; // hard caps
mod value; // types of registers
mod opcode; // the one table of opcodes
mod instruction; // one instruction, in memory and in bytes
mod interface; // types as WIT has them
mod module; // a whole module as data
mod wire; // integers, names and lists in bytes
mod error; // what may be wrong with a file
mod encode; // data to bytes
mod decode; // bytes to data
mod verify; // what decoding cannot see
mod builder; // for back ends
mod text; // disassembly
mod lower; // to WebAssembly
mod interpreter; // tier 0

pub use builder::{FunctionBody, FunctionBuilder, FunctionId, ModuleBuilder, Place, Reference};
pub use decode::sections;
pub use encode::encode;
pub use error::{AbiMismatch, Fault, Problem, Report};
pub use instruction::{Instruction, Register};
pub use interface::{Case, Field, FunctionType, InterfaceType, Layout, Layouts, TypeDefinition};
pub use interpreter::{
    CallError, Caller, Compiled, Config, Frame, Host, HostError, Instance, InstantiateError, Interrupter,
    Memory, NoImports, Trap, TrapKind,
};
pub use lower::{InternalExports, Lowered, lower};
pub use module::{
    AddressType, Custom, Export, ExportItem, Function, FunctionLines, Global, Import, LineEntry, Lines,
    MemoryType, Module, Segment, State, StateField, Unknown,
};
pub use opcode::{BinaryOp, LoadOp, OPCODES, Opcode, StoreOp, UnaryOp};
pub use value::{Signature, Value, ValueType};
pub use verify::{Verified, load};

/// First bytes of every file.
pub const MAGIC: [u8; 4] = *b"\0vbc";
/// Version of the format that this crate writes, and the newest that it knows whole.
pub const VERSION: u16 = 1;
/// Oldest reader that understands what this crate writes.
pub const MINIMUM_READER: u16 = 1;
