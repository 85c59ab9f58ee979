//! macOS.
//!
//! Programs are started without a supervisor (`unix/spawn.rs` says what that leaves out), and confined
//! by limits alone: the system's own sandbox has no documented interface.
pub(crate) mod caps {
    //! What this system can do.
    pub(crate) use crate::platform::unix::bare::{ask, release};
}
pub(crate) mod files;
pub(crate) mod handle {
    //! Descriptors and errnos.
    pub use crate::platform::unix::handle::*;
}
pub(crate) mod memory;
pub(crate) mod net;
pub(crate) mod process;
pub(crate) mod sandbox {
    //! Limits alone.

    /// What programs and libraries of the system are in.
    pub(crate) const PROGRAMS: &[&str] = &["/usr", "/bin", "/sbin", "/System", "/Library"];
    /// Files that any program may read.
    pub(crate) const FILES: &[&str] = &[];
    /// Devices that any program may use.
    pub(crate) const DEVICES: &[&str] = &["/dev/null", "/dev/zero", "/dev/random", "/dev/urandom"];
}
pub(crate) mod service;
pub(crate) mod signals {
    //! Signals ring a pipe.
    pub(crate) use crate::platform::unix::bare::bell;
    pub(crate) use crate::platform::unix::signals::*;
}
pub(crate) mod thread {
    //! Processors.
    pub(crate) use crate::platform::unix::bare::thread::*;
}
pub(crate) mod time {
    //! Clocks. Here it is CLOCK_UPTIME_RAW that stands still while the machine sleeps.
    use crate::ffi::posix::clock;

    /// Nanoseconds, without the time that the machine slept.
    pub(crate) fn awake() -> u64 {
        clock(libc::CLOCK_UPTIME_RAW).unsigned_abs()
    }

    /// [`awake`]: it is cheap.
    pub(crate) fn awake_coarse() -> u64 {
        awake()
    }

    /// Nanoseconds, with the time that the machine slept.
    pub(crate) fn since_boot() -> u64 {
        clock(libc::CLOCK_MONOTONIC_RAW).unsigned_abs()
    }

    /// Nanoseconds since 1970.
    pub(crate) fn wall() -> i64 {
        clock(libc::CLOCK_REALTIME)
    }
}
