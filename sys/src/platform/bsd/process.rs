//! Processes of the BSDs.
use std::io;

use super::handle::Errno;
use crate::ffi::posix::FileActions;
pub(crate) use crate::platform::unix::bare::end_notifier;
pub(crate) use crate::platform::unix::process::*;
pub(crate) use crate::platform::unix::spawn::{Tree, end_group, launch, signal_group};

/// Folders below the user's home for state, settings and what can be made again.
pub(crate) const FOLDERS: [&str; 3] = [".local/state", ".config", ".cache"];

/// Flags of posix_spawn(3) besides those that every Unix has.
pub(crate) const SPAWN_FLAGS: i32 = 0;

/// posix_spawn(3) makes no sessions here.
pub(crate) fn session_flag() -> Result<i32, Errno> {
    Err(Errno::OPNOTSUPP)
}

/// Keeps from a child every descriptor from the number `from` on. Without a call for it there is
/// nothing to do: every descriptor of ours is close-on-exec.
pub(crate) fn close_rest(actions: &mut FileActions, from: i32) -> io::Result<()> {
    #[cfg(target_os = "freebsd")]
    return actions.close_from(from);
    #[cfg(not(target_os = "freebsd"))]
    {
        let _ = (actions, from);
        Ok(())
    }
}
