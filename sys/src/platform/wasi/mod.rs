//! WASI preview 1, which has no processes, locks, mappings or sockets to open: everything but the clocks
//! and the plain doors of files answers `Unsupported`, so that crates above this one compile.
pub(crate) mod caps;
pub(crate) mod files;
pub(crate) mod handle;
pub(crate) mod memory;
pub(crate) mod net;
pub(crate) mod process;
pub(crate) mod sandbox;
pub(crate) mod service;
pub(crate) mod signals;
pub(crate) mod thread;
pub(crate) mod time;
