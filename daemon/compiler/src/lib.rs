//! The Vitte compiler: text in; diagnostics, SSA, objects and assembly out.
//!
//! Pure: it sees no path, clock, environment or thread. Whoever drives it implements [`Db`] and
//! hands over source texts; every stage is a memoised `salsa` query over them.
//!
//! The modules stand in the order in which a program passes through them.
#![forbid(unsafe_code)]

pub mod base; // files, spans, names, diagnostics, the database trait
pub mod syntax; // lexer, parser, syntax tree
pub mod format; // the canonical style of a source text
pub mod lower; // syntax tree -> item tree and HIR
pub mod lint; // what may be allowed, warned of or denied
pub mod types; // modules, signatures, type check: HIR -> THIR
#[allow(missing_docs)] // salsa writes constructors without docs
pub mod mono; // which instances a program needs
pub mod mir; // control flow with moves, drops and checks explicit; borrow check
pub mod ssa; // scalar single-assignment form
pub mod consteval; // bounded evaluation of constants
pub mod opt; // optimisation passes over SSA
pub mod incremental; // what is kept between edits, above the queries
pub mod codegen; // machine code, debug information, objects
pub mod runtime; // the prelude, written in Vitte
pub mod explain; // every diagnostic code in words
pub mod doc; // pages of documentation
