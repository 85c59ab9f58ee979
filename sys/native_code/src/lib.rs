//! Native libraries: called by a declared table of signatures, in a process of their own.
//!
//! `host` is the service's side: it starts a process for a library, sends it calls and tells how it ended.
//! `runner` is that process: it loads the library (the only place of the workspace that does) and calls it. No
//! pointer crosses between them; `message` is all that does. It stands below `sys/` because calling a foreign
//! function by a signature that somebody wrote down is what no compiler can check: `library` and
//! `import` hold the proofs.

#[cfg(unix)]
mod host; // from the service's side
#[cfg(unix)]
mod import; // functions of other modules, as C calls them
#[cfg(unix)]
mod library; // loading and calling
pub mod message; // what crosses between the processes
#[cfg(unix)]
mod runner; // from the library's side
pub mod table; // signatures

#[cfg(unix)]
pub use host::{Ending, Runner, RunnerError, RunnerOptions, Step};
#[cfg(unix)]
pub use runner::runner_main;
