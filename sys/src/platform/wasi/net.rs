//! Sockets of this machine.
use std::io;
use std::path::Path;
use std::time::Duration;

use super::handle::{AsHandle, Errno, OwnedHandle};

/// Longest path of a socket.
pub const SOCKET_PATH_MAX: usize = 107;

/// A listening stream socket of this machine.
#[derive(Debug)]
pub struct LocalListener(#[allow(dead_code, reason = "none can be made")] OwnedHandle);

/// A connected stream socket of this machine.
#[derive(Debug)]
pub struct LocalStream(#[allow(dead_code, reason = "none can be made")] OwnedHandle);

/// A datagram socket of this machine.
#[derive(Debug)]
pub struct LocalDatagram(#[allow(dead_code, reason = "none can be made")] OwnedHandle);

/// Makes a listening socket at `path`.
pub(crate) fn bind(_path: &Path) -> io::Result<LocalListener> {
    Err(Errno::OPNOTSUPP.into())
}

/// Makes the socket at `path` one that only its owner may connect to.
pub(crate) fn close_to_others(_path: &Path) -> io::Result<()> {
    Err(Errno::OPNOTSUPP.into())
}

/// Connects to the socket at `path`; `CONNREFUSED` when nobody listens.
pub(crate) fn connect(_path: &Path) -> io::Result<LocalStream> {
    Err(Errno::OPNOTSUPP.into())
}

/// Two connected stream sockets.
pub(crate) fn pair() -> io::Result<(LocalStream, LocalStream)> {
    Err(Errno::OPNOTSUPP.into())
}

/// Two connected datagram sockets.
pub(crate) fn datagram_pair() -> io::Result<(LocalDatagram, LocalDatagram)> {
    Err(Errno::OPNOTSUPP.into())
}

/// Listens on a name without a file.
pub(crate) fn bind_abstract(_name: &[u8]) -> io::Result<LocalListener> {
    Err(Errno::OPNOTSUPP.into())
}

/// Connects to a name without a file.
pub(crate) fn connect_abstract(_name: &[u8]) -> io::Result<LocalStream> {
    Err(Errno::OPNOTSUPP.into())
}

/// See [`crate::net::wait_readable`].
pub(crate) fn wait_readable(_object: impl AsHandle, _timeout: Option<Duration>) -> Result<bool, Errno> {
    Err(Errno::OPNOTSUPP)
}

/// User, group and process of the other end.
pub(crate) fn peer(_socket: impl AsHandle) -> Result<(u32, u32, Option<i32>), Errno> {
    Err(Errno::OPNOTSUPP)
}

/// A handle on the process at the other end. `NOPROTOOPT` when the system cannot say, `SRCH` when the
/// process has gone.
pub(crate) fn peer_process(_socket: impl AsHandle) -> Result<OwnedHandle, Errno> {
    Err(Errno::NOPROTOOPT)
}

/// A handle on the process `pid`, readable when it has ended.
pub(crate) fn process(_pid: i32) -> Result<OwnedHandle, Errno> {
    Err(Errno::OPNOTSUPP)
}

/// Asks the process that `handle` stands for to end.
pub(crate) fn terminate(_handle: impl AsHandle) -> Result<(), Errno> {
    Err(Errno::OPNOTSUPP)
}
