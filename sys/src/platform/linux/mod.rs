//! Linux 5.6 or later, and Android. What newer kernels add is used when it is there.
pub(crate) mod caps;
pub(crate) mod files;
pub(crate) mod handle {
    //! Descriptors and errnos.
    pub use crate::platform::unix::handle::*;
}
pub(crate) mod memory;
pub(crate) mod net;
pub(crate) mod process;
pub(crate) mod sandbox;
pub(crate) mod service;
pub(crate) mod signals;
pub(crate) mod thread;
pub(crate) mod time;
/// What [`crate::watch`] has; other systems have nothing of the kind yet.
pub mod watch;
