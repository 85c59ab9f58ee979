//! Sockets of Linux: abstract names, peers pinned by a pidfd.
use std::io;
#[cfg(target_os = "android")]
use std::os::android::net::SocketAddrExt;
#[cfg(target_os = "linux")]
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::SocketAddr;

use rustix::process::Signal;

use super::handle::{AsHandle, Errno, OwnedHandle};
pub(crate) use crate::platform::unix::net::*;
pub use crate::platform::unix::net::{LocalDatagram, LocalListener, LocalStream};

/// Longest path that fits into `sockaddr_un` with its terminating zero.
pub const SOCKET_PATH_MAX: usize = 107;

/// User, group and, where it has a number that we can see, process of the other end.
pub(crate) fn peer(socket: impl AsHandle) -> Result<(u32, u32, Option<i32>), Errno> {
    let (uid, gid, pid) = crate::ffi::linux::peer_credentials(socket)?;
    Ok((uid, gid, (pid > 0).then_some(pid)))
}

/// A handle on the process at the other end (Linux 6.5). `NOPROTOOPT` when the system cannot say,
/// `SRCH` when the process was reaped.
pub(crate) fn peer_process(socket: impl AsHandle) -> Result<OwnedHandle, Errno> {
    match crate::ffi::linux::peer_pidfd(socket) {
        // Before 6.16 the kernel answers so when the process was reaped.
        Err(Errno::INVAL | Errno::NODATA) => Err(Errno::SRCH),
        answer => answer,
    }
}

/// A handle on the process `pid`, readable when it has ended.
pub(crate) fn process(pid: i32) -> Result<OwnedHandle, Errno> {
    // rustix takes a negative number for a mistake of its caller.
    let pid = (pid > 0).then(|| rustix::process::Pid::from_raw(pid)).flatten().ok_or(Errno::INVAL)?;
    crate::ffi::linux::pidfd_open(pid, false)
}

/// Asks the process that `handle` stands for to end.
pub(crate) fn terminate(handle: impl AsHandle) -> Result<(), Errno> {
    crate::ffi::linux::pidfd_signal(handle, Signal::TERM.as_raw())
}

/// Listens on a name without a file.
pub(crate) fn bind_abstract(name: &[u8]) -> io::Result<LocalListener> {
    LocalListener::bind_addr(&SocketAddr::from_abstract_name(name)?)
}

/// Connects to a name without a file.
pub(crate) fn connect_abstract(name: &[u8]) -> io::Result<LocalStream> {
    LocalStream::connect_addr(&SocketAddr::from_abstract_name(name)?)
}
