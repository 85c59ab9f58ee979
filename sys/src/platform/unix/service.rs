//! What a service manager hands over, and where its notes go, on every Unix.
use std::ffi::OsStr;
use std::io;
use std::os::fd::{BorrowedFd, FromRawFd, OwnedFd, RawFd};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::path::Path;

use rustix::io::{Errno, FdFlags};

use super::net::LocalListener;
use crate::platform::system::service as own;

/// The first descriptor that a manager hands over.
const FIRST: RawFd = 3;

/// Takes descriptor number `index` of those that the manager handed over, now close-on-exec.
///
/// # Safety
/// The manager says that this process was handed so many, and each is taken once.
///
/// # Errors
/// `BADF` when it is not open.
pub(crate) unsafe fn take_handed_over(index: u16) -> Result<OwnedFd, Errno> {
    let raw = FIRST + RawFd::from(index);
    // SAFETY: the borrow ends with this statement, and a number that is not open is answered with
    // EBADF and has no effect.
    let there = unsafe { BorrowedFd::borrow_raw(raw) };
    rustix::io::fcntl_setfd(there, FdFlags::CLOEXEC)?;
    // SAFETY: it is open, as the line above has shown, and by the caller's promise nobody else owns it.
    Ok(unsafe { OwnedFd::from_raw_fd(raw) })
}

/// `descriptor` as a listening Unix stream socket; `None` when it is something else.
pub(crate) fn into_listener(descriptor: OwnedFd) -> Result<Option<LocalListener>, Errno> {
    match own::is_local_listener(&descriptor) {
        Ok(true) => Ok(Some(LocalListener::from(descriptor))),
        Ok(false) | Err(Errno::NOTSOCK) => Ok(None),
        Err(error) => Err(error),
    }
}

/// Where notes to the manager go.
#[derive(Debug)]
pub(crate) struct Mailbox {
    socket: UnixDatagram,
    address: SocketAddr,
}

impl Mailbox {
    /// The datagram socket `address`: an absolute path, or `@` and an abstract name where there are
    /// such names.
    pub(crate) fn new(address: &OsStr) -> io::Result<Self> {
        let address = match address.as_bytes() {
            [b'@', name @ ..] => own::abstract_address(name),
            [b'/', ..] => SocketAddr::from_pathname(Path::new(address)),
            _ => Err(io::Error::new(io::ErrorKind::InvalidInput, "not a local socket's address")),
        };
        Ok(Self { address: address?, socket: UnixDatagram::unbound()? })
    }

    /// The path of the socket, when it has one.
    pub(crate) fn path(&self) -> Option<&Path> {
        self.address.as_pathname()
    }

    /// Sends one message.
    pub(crate) fn send(&self, message: &str) -> io::Result<()> {
        loop {
            match self.socket.send_to_addr(message.as_bytes(), &self.address) {
                Ok(_) => return Ok(()),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
    }
}
