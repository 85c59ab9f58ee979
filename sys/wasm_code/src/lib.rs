//! Machine code of WebAssembly modules: made in a disposable process, kept on disk under a keyed
//! authentication code, and made executable here and nowhere else.
//!
//! Start at [`Compiler`]. It stands below `sys/` because turning bytes into executable code is the one
//! thing about WebAssembly that the compiler of Rust cannot check: `code` holds that one proof.

mod cache; // compiled code on disk
mod code; // bytes to executable code
mod compiler; // from the service's side
mod engine; // one configuration on both sides
mod recent; // code that stays in memory
mod worker; // from the worker's side

pub use cache::CacheOptions;
pub use code::{Code, Kind};
pub use compiler::{CompileError, Compiled, Compiler, CompilerOptions, Origin, Workers};
pub use worker::worker_main;
