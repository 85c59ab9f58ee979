//! Operating-system services behind safe functions, on Linux (5.6 or later; what newer kernels add is
//! used when it is there, [`caps`]), macOS, the BSDs and Windows.
//!
//! Three layers: `ffi` declares what no library wraps; `platform` has one module for each system, all
//! with the same functions; the modules below are written once above them. What a system lacks is an
//! error that says so, never something weaker in silence.
//!
//! The only crate of the workspace that may contain `unsafe`; each block carries its proof. Every
//! fallible function answers with [`SysError`], which says what was tried, on what, and the errno.
#![deny(clippy::undocumented_unsafe_blocks)]
#![cfg_attr(target_os = "wasi", allow(dead_code, reason = "most of what this is for cannot be made there"))]

pub mod caps; // what this machine can do, asked once
mod error; // SysError: operation, answer, paths, hint
mod ffi; // foreign declarations
pub mod fs; // files: whole reads, atomic replacement, Root, copies, locks
pub mod memory; // pages with their protection in the type, sealed files
pub mod net; // sockets of this machine and who is at the other side
mod platform; // one module for each operating system
pub mod process; // children in their own process group that die with their parent
pub mod sandbox; // what a child may touch, and how strongly the kernel holds it to that
pub mod rendezvous; // where the service and its clients meet
pub mod service; // socket activation and notes to the service manager
pub mod signals; // typed events, read by one thread
pub mod terminal; // how wide it is
pub mod thread; // names, processors, a semaphore, a pool
pub mod time; // three clocks by name, and one for tests
pub mod watch; // folders whose changes are wanted

pub use error::{Code, Kind, Op, SysError};
pub use platform::handle::{AsHandle, BorrowedHandle, OwnedHandle};
