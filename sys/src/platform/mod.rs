//! One module for each operating system, all with the same functions, so that the safe modules above
//! are written once. What a system lacks answers with `Unsupported`; a function that a module lacks
//! does not compile.
//!
//! | module | what it has |
//! |---|---|
//! | `handle` | open objects, and the system's error numbers by their POSIX names |
//! | `files` | names relative to open directories, reading, locks, flushing |
//! | `memory` | mappings, files in memory |
//! | `thread` | processors |
//! | `time` | clocks |
//! | `net` | sockets of this machine and who is at the other side |
//! | `signals` | handlers and the descriptor that they ring |
//! | `process` | starting, waiting for and ending programs |
//! | `sandbox` | which rungs there are |
//! | `service` | what a service manager hands over, and where its notes go |
//! | `caps` | what this machine can do |
//!
//! `unix` has what all Unix systems share; the module of each takes it over and adds its own.
mod open; // how a file is opened and what is known of it, in no system's terms

#[cfg(unix)]
mod unix;

#[cfg(any(target_os = "linux", target_os = "android"))]
#[path = "linux/mod.rs"]
mod system;

#[cfg(target_vendor = "apple")]
#[path = "darwin/mod.rs"]
mod system;

#[cfg(any(target_os = "freebsd", target_os = "dragonfly", target_os = "openbsd", target_os = "netbsd"))]
#[path = "bsd/mod.rs"]
mod system;

#[cfg(windows)]
#[path = "win32/mod.rs"]
mod system;

#[cfg(target_os = "wasi")]
#[path = "wasi/mod.rs"]
mod system;

#[cfg(not(target_os = "wasi"))]
pub(crate) use open::{Access, Create};
pub(crate) use open::{NodeKind, Open, Stat};
pub(crate) use system::handle::Errno;
pub(crate) use system::{caps, files, handle, memory, net, process, sandbox, service, signals, thread, time};

#[cfg(any(target_os = "linux", target_os = "android"))]
pub(crate) use system::watch;
