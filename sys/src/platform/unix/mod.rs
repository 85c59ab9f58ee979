//! What all Unix systems share.
#[cfg(not(any(target_os = "linux", target_os = "android")))]
pub(crate) mod bare; // what systems without Linux's own means have in common
pub(crate) mod files;
pub(crate) mod handle;
pub(crate) mod memory;
#[cfg(not(any(target_os = "linux", target_os = "android", target_os = "freebsd")))]
pub(crate) mod nameless; // files that no directory names
pub(crate) mod net;
pub(crate) mod process;
pub(crate) mod service;
pub(crate) mod signals;
#[cfg(not(spawn_helper))]
pub(crate) mod spawn; // programs started by posix_spawn alone
