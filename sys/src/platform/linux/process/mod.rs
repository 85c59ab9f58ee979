//! Processes of Linux: started by the spawn helper, which stays as their supervisor.
//!
//! On machines without the helper (other processors, Android) they are started as on other Unix
//! systems, with what that leaves out.
use std::io;
use std::os::fd::OwnedFd;

pub(crate) use crate::platform::unix::process::*;
#[cfg(not(spawn_helper))]
pub(crate) use crate::platform::unix::spawn::{Tree, end_group, launch, signal_group};

#[cfg(spawn_helper)]
mod control_group; // limits on a whole tree
#[cfg(spawn_helper)]
mod helper; // the helper's executable, in memory
#[cfg(spawn_helper)]
mod image; // the plan that the helper reads
#[cfg(spawn_helper)]
mod launch; // posix_spawn of the helper
#[cfg(spawn_helper)]
#[path = "../../../../spawn_helper/plan.rs"]
mod plan; // the layout of the plan and the stages
#[cfg(spawn_helper)]
mod tree; // the supervisor as its parent sees it

#[cfg(spawn_helper)]
pub(crate) use launch::launch;
#[cfg(spawn_helper)]
pub(crate) use tree::{Tree, end_group, signal_group};

/// Folders below the user's home for state, settings and what can be made again.
pub(crate) const FOLDERS: [&str; 3] = [".local/state", ".config", ".cache"];

/// A descriptor that becomes readable when the child `id` ends.
pub(crate) fn end_notifier(id: u32) -> io::Result<OwnedFd> {
    Ok(crate::ffi::linux::pidfd_open(pid(id)?, true)?)
}

/// Flags of posix_spawn(3) besides those that every Unix has.
#[cfg(not(spawn_helper))]
pub(crate) const SPAWN_FLAGS: i32 = 0;

/// The flag of posix_spawn(3) for a session of its own.
#[cfg(not(spawn_helper))]
pub(crate) fn session_flag() -> Result<i32, super::handle::Errno> {
    Ok(libc::POSIX_SPAWN_SETSID.into())
}

/// Keeps from a child what it shall not have: here every descriptor of ours is close-on-exec.
#[cfg(not(spawn_helper))]
pub(crate) fn close_rest(_: &mut crate::ffi::posix::FileActions, _: i32) -> io::Result<()> {
    Ok(())
}
