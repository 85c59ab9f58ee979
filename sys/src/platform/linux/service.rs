//! systemd and those who speak as it does.
use std::io;
#[cfg(target_os = "android")]
use std::os::android::net::SocketAddrExt;
use std::os::fd::OwnedFd;
#[cfg(target_os = "linux")]
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::SocketAddr;

use rustix::net::{AddressFamily, SocketType};

use super::handle::{Errno, OwnedHandle};
pub(crate) use crate::platform::unix::service::*;

/// Whether a descriptor is a listening Unix stream socket.
pub(crate) fn is_local_listener(socket: &OwnedFd) -> Result<bool, Errno> {
    use rustix::net::sockopt::{socket_acceptconn, socket_domain, socket_type};
    Ok(socket_domain(socket)? == AddressFamily::UNIX
        && socket_type(socket)? == SocketType::STREAM
        && socket_acceptconn(socket)?)
}

/// The address of a name without a file.
pub(crate) fn abstract_address(name: &[u8]) -> io::Result<SocketAddr> {
    SocketAddr::from_abstract_name(name)
}

/// The sockets called `name` that the system's own manager keeps for this process: here managers hand
/// sockets over by number.
pub(crate) fn sockets_by_name(_name: &str) -> Result<Vec<OwnedHandle>, Errno> {
    Ok(Vec::new())
}
