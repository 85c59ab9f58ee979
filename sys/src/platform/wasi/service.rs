//! What a service manager hands over, and where its notes go.
use std::ffi::OsStr;
use std::io;
use std::path::Path;

use super::handle::{Errno, OwnedHandle};
use super::net::LocalListener;

/// Takes descriptor number `index` of those that the manager handed over.
///
/// # Safety
/// The manager says that this process was handed so many, and each is taken once.
pub(crate) unsafe fn take_handed_over(_index: u16) -> Result<OwnedHandle, Errno> {
    Err(Errno::OPNOTSUPP)
}

/// `descriptor` as a listening socket; `None` when it is something else.
pub(crate) fn into_listener(_descriptor: OwnedHandle) -> Result<Option<LocalListener>, Errno> {
    Err(Errno::OPNOTSUPP)
}

/// The sockets that the system's manager keeps for this process under `name`.
pub(crate) fn sockets_by_name(_name: &str) -> Result<Vec<OwnedHandle>, Errno> {
    Ok(Vec::new())
}

/// Where notes to the manager go.
#[derive(Debug)]
pub(crate) struct Mailbox(std::convert::Infallible);

impl Mailbox {
    /// The mailbox at `address`.
    pub(crate) fn new(_address: &OsStr) -> io::Result<Self> {
        Err(Errno::OPNOTSUPP.into())
    }

    /// The path of the socket, when it has one.
    pub(crate) fn path(&self) -> Option<&Path> {
        match self.0 {}
    }

    /// Sends one message.
    pub(crate) fn send(&self, _message: &str) -> io::Result<()> {
        match self.0 {}
    }
}
