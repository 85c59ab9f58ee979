//! SSA to WebAssembly modules for WASI preview 1, with 32-bit and with 64-bit memories.
//!
//! [`wasm_code`] makes the body of one function, memoised like machine code and independent of all others: what
//! it refers to has no number yet. [`program_wasm`] gives numbers to what `main` reaches and writes the module.
//!
//! **One layout.** `usize` and references have 64 bits in every Vitte program, so both widths take the same
//! SSA, with the same offsets and the same results; only where memory is touched does wasm32 cut an address
//! to its lower half. A program computes the same on every target, `usize` overflow included.
//!
//! **Memory.** From 0: [`STACK_BYTES`] of stack for values whose address is taken, growing down, so that what
//! overflows it traps; data; the state of runtime and allocator; the heap.
//!
//! **System interface.** Imports are those of WASI preview 1, which knows 32-bit addresses only. Programs with
//! a 64-bit memory use the same functions with the same signatures, and pass addresses of the first 4 GiB:
//! stack, data and buffers of the runtime are there, and what lies higher goes through such a buffer. So
//! every host that takes the exported memory as it comes runs them.
//!
//! **The C functions** that the prelude calls are instructions, procs of `runtime/wasi.vit`, or imports, and so are
//! the system calls of the standard library, as far as WASI has them (`runtime/wasi_files.vit`); `externs` is the table.
mod body; // one function
mod canonical; // adapters for hosts
mod component; // components
mod exports; // what hosts can call
mod externs; // what C functions become
mod link; // what a program consists of, with numbers
mod module; // the sections of a module
mod scalar; // operations of up to 64 bits
mod wide; // operations of 128 bits

#[cfg(test)]
mod tests;

use std::sync::Arc;

pub use body::compile_wasm;
pub use component::{Outline, program_component};
pub use exports::{Export, Exports, exported_procs};
pub(in crate::codegen) use externs::{Extern, find as find_extern};
pub use externs::{System, is_available};
pub(in crate::codegen) use link::not_on_target;
pub(in crate::codegen) use link::{Linked, link};
pub use link::{needs, roots, wasm_code};
pub use module::program_wasm;
use wasm_encoder::ValType;

use crate::ssa::Symbol;

/// The module that programs import from.
pub const WASI: &str = "wasi_snapshot_preview1";

/// The interface that components print through.
pub const CONSOLE: &str = "vitte:host/console@1.0.0";

/// Bytes of the stack in linear memory.
pub const STACK_BYTES: u64 = 1 << 20;

/// The width of addresses.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum WasmWidth {
    /// 32 bits: every engine.
    Wasm32,
    /// 64 bits, by the memory64 part of WebAssembly 3.0.
    Wasm64,
}

impl WasmWidth {
    /// As people name the target.
    pub fn name(self) -> &'static str {
        match self {
            Self::Wasm32 => "wasm32",
            Self::Wasm64 => "wasm64",
        }
    }
}

/// Parameters and results of a function.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Signature {
    /// Parameters; a 128-bit integer is two, the lower half first.
    pub params: Vec<ValType>,
    /// Results.
    pub results: Vec<ValType>,
}

/// The body of one function, without what only the module knows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WasmCode {
    /// Parameters and results.
    pub signature: Signature,
    /// Locals and instructions; a number is missing at each reference.
    pub bytes: Arc<[u8]>,
    /// What is missing, by offset.
    pub references: Vec<Reference>,
}

/// A number to be put into code.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reference {
    /// It stands before the byte with this offset.
    pub offset: u32,
    /// What it is the number of.
    pub target: ReferenceTarget,
}

/// What code refers to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ReferenceTarget {
    /// The index of a function that is called with this signature; unsigned LEB128.
    Function(Symbol, Signature),
    /// An address in memory, or the place of a function in the table; signed LEB128.
    Address(Symbol),
    /// The index of a type; unsigned LEB128.
    Type(Signature),
    /// Where the heap begins; signed LEB128.
    HeapBase,
}
