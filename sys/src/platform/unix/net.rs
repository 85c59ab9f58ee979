//! Unix sockets and waiting, of every Unix.
use std::io;
use std::os::unix::fs::PermissionsExt;
pub use std::os::unix::net::{
    UnixDatagram as LocalDatagram, UnixListener as LocalListener, UnixStream as LocalStream,
};
use std::path::Path;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec};

use super::handle::{AsHandle, Errno};

/// Makes a listening socket at `path`.
pub(crate) fn bind(path: &Path) -> io::Result<LocalListener> {
    LocalListener::bind(path)
}

/// Makes the socket file at `path` one that only its owner may connect to.
pub(crate) fn close_to_others(path: &Path) -> io::Result<()> {
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600))
}

/// Connects to the socket at `path`.
pub(crate) fn connect(path: &Path) -> io::Result<LocalStream> {
    LocalStream::connect(path)
}

/// Two connected stream sockets.
pub(crate) fn pair() -> io::Result<(LocalStream, LocalStream)> {
    LocalStream::pair()
}

/// Two connected datagram sockets.
pub(crate) fn datagram_pair() -> io::Result<(LocalDatagram, LocalDatagram)> {
    LocalDatagram::pair()
}

/// See [`crate::net::wait_readable`].
pub(crate) fn wait_readable(descriptor: impl AsHandle, timeout: Option<Duration>) -> Result<bool, Errno> {
    let start = Instant::now();
    loop {
        let left = timeout.map(|timeout| timeout.saturating_sub(start.elapsed()));
        // More seconds than the kernel's structure holds are for ever.
        let left = left.and_then(|left| Timespec::try_from(left).ok());
        let mut polled = [PollFd::new(&descriptor, PollFlags::IN)];
        match rustix::event::poll(&mut polled, left.as_ref()) {
            Ok(count) => return Ok(count > 0),
            // A signal; the time that has passed is taken off.
            Err(Errno::INTR) => {}
            Err(error) => return Err(error),
        }
    }
}
