//! launchd, and whoever speaks as systemd does.
use std::ffi::CString;
use std::os::fd::OwnedFd;

use super::handle::{Errno, OwnedHandle};
pub(crate) use crate::platform::unix::bare::abstract_address;
pub(crate) use crate::platform::unix::service::*;

/// Whether a descriptor is a Unix stream socket. Whether it listens, this system does not say.
pub(crate) fn is_local_listener(socket: &OwnedFd) -> Result<bool, Errno> {
    crate::platform::unix::bare::is_local_stream(socket)
}

/// The sockets that launchd keeps for this process under `name`, close-on-exec.
pub(crate) fn sockets_by_name(name: &str) -> Result<Vec<OwnedHandle>, Errno> {
    let name = CString::new(name).map_err(|_| Errno::INVAL)?;
    let sockets = match crate::ffi::darwin::activate(&name) {
        // Not started by launchd, or handed over already.
        Err(Errno::SRCH | Errno::ALREADY) => return Ok(Vec::new()),
        answer => answer?,
    };
    for socket in &sockets {
        rustix::io::fcntl_setfd(socket, rustix::io::FdFlags::CLOEXEC)?;
    }
    Ok(sockets)
}
