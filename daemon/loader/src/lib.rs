//! Modules: loaded, called, replaced while they run, and told apart by generation.
//!
//! Start at [`ModuleLoader`]. A module's life is a row of *generations*: each reload makes the next one
//! ready beside the one that serves, and then swaps them. `registry` holds that life; `program` is what a
//! generation can do; everything that comes from outside enters through a type that has checked it.
//!
//! ```no_run
//! let loader = vitte_loader::ModuleLoader::new();
//! let module = loader.load_file("build/main.wasm")?;
//! println!("{} generation {}", module.name, module.generation);
//! # Ok::<(), vitte_loader::LoadError>(())
//! ```
#![forbid(unsafe_code)]

mod bytecode; // modules of bytecode, on both tiers
mod canonical; // values in registers and memory
mod call; // one call: arguments in, results out, deadline, limits
mod config; // what can be set
mod console; // what guests print
pub mod container; // packages: manifest, artifacts, digests
mod context; // what a call carries through modules
mod domain; // processes of native libraries
mod error; // why not
mod event; // what happened, for whoever watches
mod generation; // one loaded version and its pins
mod guest; // core modules and bytecode as the canonical ABI sees them
mod import; // names of imports, and what answers them
mod inspect; // what is in a file
mod interface; // types of functions across formats
mod kind; // told by content
mod live; // the instance of a module with state, and its gate
mod loader; // the door
mod lock; // which dependencies were chosen
mod name; // what a module is called
mod native; // libraries in processes of their own
pub mod plugin; // extensions of the tools
mod program; // linked code and its exports
mod registry; // which generation serves
mod resolve; // which dependencies can be had together
mod sequence; // no way back to older packages
mod source; // what of a file is loaded
mod ticker; // deadlines of running code
mod typed; // arguments and results as values
mod value; // arguments and results as text
mod wasi; // the system, for modules that were granted it

pub use call::{CallError, CallRequest, Cancel, Hop, Reply, Trap};
pub use config::{DrainPolicy, LoaderConfig, NativeOptions};
pub use error::LoadError;
pub use event::{Ended, Event, Subscription, Watch};
pub use generation::{GenerationInfo, State, Tier};
pub use inspect::{InspectError, Inspection, Section, Symbol, inspect};
pub use kind::{Kind, identify};
pub use loader::{
    Allowed, Breaking, LinkOptions, LoadRequest, Module, ModuleImport, ModuleInfo, ModuleLoader,
};
pub use name::{ModuleName, ParseModuleNameError};
pub use program::Export;
pub use typed::Value;
pub use value::split_call;
pub use vitte_native_code::runner_main;
pub use vitte_trust::{Access, Capability, Denied, Denier, ParseCapabilityError, TrustError};
pub use vitte_wasm_code::{CacheOptions, CompileError, Workers, worker_main};
