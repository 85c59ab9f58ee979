//! Windows 10 or later.
pub(crate) mod caps;
pub(crate) mod files;
pub(crate) mod handle;
pub(crate) mod memory;
pub(crate) mod net;
pub(crate) mod process;
mod reparse; // what links say
pub(crate) mod sandbox;
pub(crate) mod service;
pub(crate) mod signals;
pub(crate) mod thread;
pub(crate) mod time;
