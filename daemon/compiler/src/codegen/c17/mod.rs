//! C17 source text: the second back end, for GCC and Clang.
//!
//! A program becomes one translation unit that needs no header: fixed-width integers, memory by address, a label
//! for each block. `#line` directives name the Vitte source, so that what a C compiler, a debugger or a sanitizer
//! reports is in the user's terms. Its behaviour is that of the machine code:
//!
//! - Values are unsigned, so that arithmetic wraps; what is signed is cast where it matters. Nothing relies on what
//!   C leaves undefined: divisions, shifts and conversions of floats go through functions of the preamble.
//! - Memory is touched through types that may alias everything and need no alignment.
//! - C functions are declared under names of our own and bound to theirs by assembler labels, so that declarations
//!   of the compiler's own headers and builtins never clash with the program's.
//!
//! Extensions used, which both compilers have: `unsigned __int128`, assembler labels, `may_alias`, and builtins.
mod data; // texts, places and constants
mod function; // one function
mod names; // identifiers
mod program; // the translation unit

#[cfg(test)]
mod tests;

pub use program::program_c17;

/// Types, memory and arithmetic; what every program begins with.
const PREAMBLE: &str = include_str!("preamble.c");
