//! The driver: from a request to diagnostics, an executable, or a running program.
//!
//! Start at [`Driver`]. It owns the compiler's databases, decides nothing about back end, options or
//! warnings (a [`BuildPlan`] says all that) and has never heard of gRPC.
#![forbid(unsafe_code)]

mod api; // requests, outcomes, events, errors: the doors of this crate
mod c_compiler; // the C compiler of this machine, for the back end `c17`
mod cache; // results of whole programs in the content store
mod changes; // which files may have changed, by whoever watches them
mod determinism; // whether a program gives the same bytes elsewhere
mod digest; // digests as text
mod doctor; // what this machine offers
mod driver; // Driver: one door per verb
mod engine; // databases over real folders, and what becomes of diagnostics
pub mod link; // linkers behind one trait
mod memory; // what may be kept in memory
mod output; // executables put in place
mod product; // what can be made, and for which targets
mod plan; // BuildPlan: all decisions of a build
pub mod project; // packages, workspaces, lone files
pub mod run; // programs in their own process group
mod scratch; // executables that nobody asked to keep
mod spelling; // how far apart two names are

pub use api::*;
pub use changes::{Changes, FileChanges, FileWatcher, Reason, Unwatched};
pub use driver::{
    Documented, Driver, HotBuild, HotProgram, Packer, Part, PartKind, Swap, TestBuild, TestProgram,
    TestProgramKind,
};
pub use link::worker_main;
pub use memory::MemoryUse;
pub use plan::{BuildPlan, NativePart, Output, PackagePlan};
pub use product::{Backend, Product, TargetName};
pub use vitte_compiler::codegen::wasm::Outline;
