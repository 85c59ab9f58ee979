//! Memory of the BSDs: FreeBSD can seal files, OpenBSD mappings.
use std::num::NonZeroUsize;
use std::ptr::NonNull;

#[cfg(not(target_os = "freebsd"))]
use super::handle::AsHandle;
use super::handle::Errno;
pub(crate) use crate::platform::unix::memory::*;
#[cfg(not(target_os = "freebsd"))]
pub(crate) use crate::platform::unix::nameless::file;
#[cfg(target_os = "freebsd")]
pub(crate) use sealed::{file, is_sealed, seal_file};

#[cfg(target_os = "freebsd")]
mod sealed {
    use rustix::fs::{MemfdFlags, SealFlags};

    use crate::platform::Errno;
    use crate::platform::handle::{AsHandle, OwnedHandle};

    /// An empty file in memory, without a place in any directory. `name` is for people.
    pub(crate) fn file(name: &str) -> Result<OwnedHandle, Errno> {
        rustix::fs::memfd_create(name, MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING)
    }

    /// With these three the bytes of a file cannot change and cannot go away.
    const SEALS: SealFlags = SealFlags::SHRINK.union(SealFlags::GROW).union(SealFlags::WRITE);

    /// Ends all changes of a file in memory, in every process.
    pub(crate) fn seal_file(file: impl AsHandle) -> Result<(), Errno> {
        rustix::fs::fcntl_add_seals(file, SEALS | SealFlags::SEAL)
    }

    /// Whether a file in memory can no longer change.
    pub(crate) fn is_sealed(file: impl AsHandle) -> Result<bool, Errno> {
        Ok(rustix::fs::fcntl_get_seals(file)?.contains(SEALS))
    }
}

/// Whoever else has the file open could still write it.
#[cfg(not(target_os = "freebsd"))]
pub(crate) fn seal_file(_: impl AsHandle) -> Result<(), Errno> {
    Err(Errno::OPNOTSUPP)
}

/// There are no seals to ask for.
#[cfg(not(target_os = "freebsd"))]
pub(crate) fn is_sealed(_: impl AsHandle) -> Result<bool, Errno> {
    Err(Errno::OPNOTSUPP)
}

/// Takes from this process the means to unmap a range or to change what may be done with it.
#[cfg(target_os = "openbsd")]
pub(crate) fn seal(start: NonNull<u8>, length: NonZeroUsize) -> Result<(), Errno> {
    crate::ffi::bsd::seal(start, length)
}

/// A mapping can always be changed.
#[cfg(not(target_os = "openbsd"))]
pub(crate) fn seal(_: NonNull<u8>, _: NonZeroUsize) -> Result<(), Errno> {
    Err(Errno::NOSYS)
}

/// This allocator gives memory back by itself, or cannot be asked.
pub(crate) fn release_unused() {}

/// Nothing here runs code from files in memory.
pub(crate) fn executable_file(_: &str, _: u64) -> Result<crate::platform::handle::OwnedHandle, Errno> {
    Err(Errno::OPNOTSUPP)
}
