//! Processes of macOS: posix_spawn closes what no child shall have.
use std::io;

use super::handle::Errno;
pub(crate) use crate::platform::unix::bare::end_notifier;
pub(crate) use crate::platform::unix::process::*;
pub(crate) use crate::platform::unix::spawn::{Tree, end_group, launch, signal_group};

/// Folders below the user's home for state, settings and what can be made again.
pub(crate) const FOLDERS: [&str; 3] =
    ["Library/Application Support", "Library/Application Support", "Library/Caches"];

/// Flags of posix_spawn(3) besides those that every Unix has: descriptors that are not named in the
/// file actions are closed.
pub(crate) const SPAWN_FLAGS: i32 = libc::POSIX_SPAWN_CLOEXEC_DEFAULT;

/// The flag of posix_spawn(3) for a session of its own.
pub(crate) fn session_flag() -> Result<i32, Errno> {
    Ok(crate::ffi::darwin::POSIX_SPAWN_SETSID)
}

/// [`SPAWN_FLAGS`] has done it.
pub(crate) fn close_rest(_: &mut crate::ffi::posix::FileActions, _: i32) -> io::Result<()> {
    Ok(())
}
