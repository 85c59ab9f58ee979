//! Memory of Linux: sealed files and sealed mappings.
use std::num::NonZeroUsize;
use std::ptr::NonNull;

use rustix::fs::{MemfdFlags, SealFlags};

use super::handle::{AsHandle, Errno, OwnedHandle};
pub(crate) use crate::platform::unix::memory::*;

/// An empty file in memory, without a place in any directory. `name` is for people.
pub(crate) fn file(name: &str) -> Result<OwnedHandle, Errno> {
    let flags = MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING;
    // Executable memory files are refused on hardened systems, so ask for none; kernels before 6.3 do
    // not know the flag.
    match rustix::fs::memfd_create(name, flags | MemfdFlags::NOEXEC_SEAL) {
        Err(Errno::INVAL) => rustix::fs::memfd_create(name, flags),
        made => made,
    }
}

/// An empty file in memory that may be mapped executable, of `bytes` zeroes, which can be neither shortened nor
/// lengthened.
pub(crate) fn executable_file(name: &str, bytes: u64) -> Result<OwnedHandle, Errno> {
    let flags = MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING;
    let file = match rustix::fs::memfd_create(name, flags | MemfdFlags::EXEC) {
        // Kernels before 6.3 do not know the flag; there all such files are executable.
        Err(Errno::INVAL) => rustix::fs::memfd_create(name, flags),
        made => made,
    }?;
    rustix::fs::ftruncate(&file, bytes)?;
    rustix::fs::fcntl_add_seals(&file, SealFlags::SHRINK | SealFlags::GROW | SealFlags::SEAL)?;
    Ok(file)
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

/// Takes from this process the means to unmap a range or to change what may be done with it.
pub(crate) fn seal(start: NonNull<u8>, length: NonZeroUsize) -> Result<(), Errno> {
    crate::ffi::linux::seal(start, length)
}

/// Gives free memory back to the kernel. Only glibc's allocator can be asked.
pub(crate) fn release_unused() {
    #[cfg(target_env = "gnu")]
    crate::ffi::linux::trim_heap();
}
