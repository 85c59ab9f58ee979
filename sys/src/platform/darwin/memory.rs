//! Memory of macOS, which can seal neither files nor mappings.
use std::num::NonZeroUsize;
use std::ptr::NonNull;

use super::handle::{AsHandle, Errno};
pub(crate) use crate::platform::unix::memory::*;
pub(crate) use crate::platform::unix::nameless::file;

/// Whoever else has the file open could still write it.
pub(crate) fn seal_file(_: impl AsHandle) -> Result<(), Errno> {
    Err(Errno::OPNOTSUPP)
}

/// There are no seals to ask for.
pub(crate) fn is_sealed(_: impl AsHandle) -> Result<bool, Errno> {
    Err(Errno::OPNOTSUPP)
}

/// A mapping can always be changed.
pub(crate) fn seal(_: NonNull<u8>, _: NonZeroUsize) -> Result<(), Errno> {
    Err(Errno::NOSYS)
}

/// This allocator gives memory back by itself, or cannot be asked.
pub(crate) fn release_unused() {}

/// Nothing here runs code from files in memory.
pub(crate) fn executable_file(_: &str, _: u64) -> Result<crate::platform::handle::OwnedHandle, Errno> {
    Err(Errno::OPNOTSUPP)
}
