//! SSA to machine code, objects and listings.
//!
//! [`machine_code`] depends on one function's SSA and the options only, never on where text stands:
//! equal SSA is not compiled again, and neither is SSA that is equal but for names ([`shape`]). What does depend on it (line tables, panic locations) is filled in
//! by [`program_object`].
pub mod c17; // C source text
pub mod compile; // one function to machine code
pub mod data; // literals, constants, panic locations
pub mod debug; // DWARF
#[allow(missing_docs)] // salsa writes constructors without docs
pub mod fragment; // one function as a linker wants it
pub mod hot; // what must stay the same in a program that runs
mod entry; // the way into a program
pub mod isa; // target descriptions
mod externals; // what C functions are on each machine
pub mod native; // programs for machines without a C library
pub mod object; // one ELF object
pub mod program; // whole programs, memoised
mod shape; // functions without names
pub mod structure; // jumps to blocks, loops and branches
pub mod text; // listings
pub mod vbc; // modules of bytecode
pub mod wasm; // WebAssembly modules

pub use c17::program_c17;
pub use compile::{clif_text, compile_function};
pub use externals::library_of;
pub use fragment::{Fragment, FragmentTarget, Fragments};
pub use native::{NativeProgram, native_program};
pub use object::ObjectFile;
pub use program::{library_object, machine_code, program_instances, program_object};
pub use text::{TextStage, emit_text};
pub use vbc::program_bytecode;
pub use wasm::{WasmWidth, program_wasm};

use std::sync::Arc;

use cranelift_codegen::isa::unwind::systemv::UnwindInfo;

use crate::ssa::{Source, Symbol};

/// Why no code could be made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CodegenError {
    /// The compiler's own fault, in words.
    Internal(String),
}

impl std::fmt::Display for CodegenError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Internal(what) => write!(f, "internal error in code generation: {what}"),
        }
    }
}

impl std::error::Error for CodegenError {}

/// Machine code of one function.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MachineCode {
    /// Instructions, then constants.
    pub bytes: Arc<[u8]>,
    /// Of the first byte, in bytes.
    pub alignment: u32,
    /// References to other symbols, by offset.
    pub relocations: Vec<Relocation>,
    /// Where the code from each offset on comes from; by offset.
    pub lines: Vec<LineRow>,
    /// How to unwind it.
    pub unwind: Option<UnwindInfo>,
}

/// A reference from code to a symbol.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Relocation {
    /// Offset of the bytes to fill in.
    pub offset: u32,
    /// How.
    pub kind: RelocationKind,
    /// With whose address.
    pub target: Symbol,
    /// Added to the address.
    pub addend: i64,
}

/// How a reference is encoded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RelocationKind {
    /// 32 bits relative to their own address.
    Pc32,
    /// As [`Self::Pc32`], in a call, which may go through a stub.
    Call,
    /// 64 bits, absolute.
    Abs64,
    /// `bl` of aarch64: 26 bits, in words, relative to the instruction.
    Arm64Call,
    /// `adrp` of aarch64: the distance of the pages of 4 KiB.
    Arm64Page,
    /// `add` of aarch64: the lowest 12 bits.
    Arm64PageOffset,
    /// `auipc` and `jalr` of riscv64, one after the other.
    RiscvCall,
    /// `auipc` of riscv64: the upper 20 bits relative to the instruction, rounded.
    RiscvHigh,
    /// `addi` of riscv64: the lower 12 bits relative to the `auipc` so many bytes before.
    RiscvLow(u32),
}

/// From `offset` on, code comes from `source`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LineRow {
    /// Offset from the start of the function.
    pub offset: u32,
    /// `None`: the compiler's own.
    pub source: Option<Source>,
}

#[cfg(test)]
mod program_tests;
#[cfg(test)]
mod structure_tests;
#[cfg(test)]
mod tests;
