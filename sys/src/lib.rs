//! Operating-system services behind safe functions: files, processes, sockets.
//!
//! The only crate of the workspace that may contain `unsafe`; each block carries its proof. Every
//! fallible function answers with [`SysError`], which says what was tried, on what, and the errno.
#![deny(clippy::undocumented_unsafe_blocks)]

mod error; // SysError: operation, path, errno
pub mod fs; // whole files, atomic replacement, stamps, locks
pub mod net; // Unix sockets: private directories, path limits, peer credentials
pub mod process; // children in their own process group that die with their parent
pub mod sandbox; // what a child may touch, and how strongly the kernel holds it to that
pub mod rendezvous; // where the service and its clients meet

pub use error::SysError;
