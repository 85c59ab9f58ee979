//! Signals of Linux ring an eventfd.
use std::os::fd::{AsFd, OwnedFd};

use rustix::event::EventfdFlags;

use super::handle::Errno;
pub(crate) use crate::platform::unix::signals::*;

/// What is written to and what is read from.
pub(crate) fn bell() -> Result<(OwnedFd, OwnedFd), Errno> {
    let bell = rustix::event::eventfd(0, EventfdFlags::CLOEXEC)?;
    let other = rustix::io::fcntl_dupfd_cloexec(bell.as_fd(), 3)?;
    Ok((bell, other))
}
