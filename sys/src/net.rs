//! Sockets of this machine: private directories, path limits, names without a file, pairs, and who is
//! at the other side.
//!
//! TCP and UDP are the standard library's; [`loopback`] is the one address the service ever binds.
use std::io;
use std::net::{Ipv4Addr, TcpListener};
use std::path::Path;
use std::time::Duration;

use crate::platform::handle::{AsHandle, BorrowedHandle, OwnedHandle, borrow};
use crate::platform::{self, Errno};
use crate::{Op, SysError};

pub use platform::net::{LocalDatagram, LocalListener, LocalStream, SOCKET_PATH_MAX};

/// Who is on the other side of a Unix socket, as the kernel saw it at connect time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PeerCredentials {
    /// Effective user id.
    pub uid: u32,
    /// Effective group id.
    pub gid: u32,
    /// Process id; may be of a process that has ended since. 0 when the system does not say.
    pub pid: i32,
}

/// The credentials of the peer of a connected Unix socket.
///
/// # Errors
/// Those of [`Peer::of`].
pub fn peer_credentials(socket: impl AsHandle) -> io::Result<PeerCredentials> {
    let (uid, gid, pid) = platform::net::peer(&socket)?;
    Ok(PeerCredentials { uid, gid, pid: pid.unwrap_or(0) })
}

/// Refuses socket paths that the kernel would cut or refuse.
pub fn check_socket_path(path: &Path) -> Result<(), SysError> {
    let bytes = path.as_os_str().as_encoded_bytes();
    if bytes.len() > SOCKET_PATH_MAX {
        let message =
            format!("a socket path holds at most {SOCKET_PATH_MAX} bytes, this one has {}", bytes.len());
        return Err(SysError::new(Op::Bind, path, io::Error::new(io::ErrorKind::InvalidInput, message)));
    }
    Ok(())
}

/// Makes the directory `path` with mode 0700, or checks that an existing one is a real directory
/// that belongs to this user and is closed to all others. Parents are made with the usual mode.
pub fn private_directory(path: &Path) -> Result<(), SysError> {
    let fail = |error: io::Error| SysError::new(Op::Create, path, error);
    if let Some(parent) = path.parent().filter(|p| !p.as_os_str().is_empty()) {
        std::fs::create_dir_all(parent).map_err(fail)?;
    }
    platform::files::private_directory(path).map_err(fail)
}

/// Listens on a new socket at `path`, mode 0600. The path must be free; see [`is_stale`].
pub fn listen(path: &Path) -> Result<LocalListener, SysError> {
    check_socket_path(path)?;
    let listener = platform::net::bind(path).map_err(|error| SysError::new(Op::Bind, path, error))?;
    // Between bind and chmod the directory's mode 0700 keeps others out.
    platform::net::close_to_others(path).map_err(|error| SysError::new(Op::Chmod, path, error))?;
    Ok(listener)
}

/// Connects to the socket at `path`.
///
/// # Errors
/// `ENOENT`; `ECONNREFUSED` when nobody listens; a refusal for a path that is too long.
pub fn connect(path: &Path) -> Result<LocalStream, SysError> {
    check_socket_path(path)?;
    platform::net::connect(path).map_err(|error| SysError::new(Op::Connect, path, error))
}

/// Whether a socket file stands at `path` that nobody listens on any more.
pub fn is_stale(path: &Path) -> bool {
    match platform::net::connect(path) {
        Ok(_) => false,
        Err(error) => Errno::from_io_error(&error) == Some(Errno::CONNREFUSED),
    }
}

/// Why a peer's process is not pinned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pin {
    /// It is: the descriptor stands for that very process, whatever gets its number later.
    Held,
    /// The system cannot say (Linux before 6.5); the number alone is only good for a log.
    Unsupported,
    /// The process had ended and was reaped before anybody asked.
    Gone,
}

/// Who is on the other side of a Unix socket, and a handle on that very process.
#[derive(Debug)]
pub struct Peer {
    /// Effective user id when it connected.
    pub uid: u32,
    /// Effective group id when it connected.
    pub gid: u32,
    /// Process id when it connected; none for a process of a namespace we cannot see.
    pub pid: Option<i32>,
    pidfd: Result<OwnedHandle, Pin>,
}

impl Peer {
    /// Asks the kernel about the other side of a connected Unix socket.
    ///
    /// # Errors
    /// `ENOTSOCK`, `ENOPROTOOPT` when it is no Unix socket; a refusal when the kernel knows no peer.
    pub fn of(socket: impl AsHandle) -> Result<Self, SysError> {
        let fail = |error: Errno| SysError::bare(Op::Identify, error);
        let (uid, gid, pid) = platform::net::peer(&socket).map_err(fail)?;
        let pidfd = match platform::net::peer_process(&socket) {
            Ok(pidfd) => Ok(pidfd),
            Err(Errno::NOPROTOOPT) => Err(Pin::Unsupported),
            Err(Errno::SRCH) => Err(Pin::Gone),
            Err(error) => return Err(fail(error)),
        };
        Ok(Self { uid, gid, pid, pidfd })
    }

    /// Whether the process is pinned.
    pub fn pin(&self) -> Pin {
        match &self.pidfd {
            Ok(_) => Pin::Held,
            Err(why) => *why,
        }
    }

    /// The descriptor of the process (pidfd), readable when it has ended.
    pub fn pidfd(&self) -> Option<BorrowedHandle<'_>> {
        self.pidfd.as_ref().ok().map(borrow)
    }

    /// Whether the process still runs; `None` when it is not pinned and nobody can say.
    pub fn is_alive(&self) -> Option<bool> {
        match &self.pidfd {
            Ok(pidfd) => wait_readable(pidfd, Some(Duration::ZERO)).ok().map(|ended| !ended),
            Err(Pin::Gone) => Some(false),
            Err(Pin::Unsupported | Pin::Held) => None,
        }
    }

    /// Asks that very process to end (SIGTERM).
    ///
    /// # Errors
    /// `ESRCH` when it has ended or is not pinned, `EPERM`.
    pub fn terminate(&self) -> Result<(), SysError> {
        let fail = |error: Errno| SysError::bare(Op::Signal, error);
        let pidfd = self.pidfd().ok_or(fail(Errno::SRCH))?;
        platform::net::terminate(pidfd).map_err(fail)
    }

    /// Whether this process acts for the user that we act for, or for root.
    pub fn is_trusted(&self) -> bool {
        self.uid == 0 || self.uid == crate::process::effective_uid()
    }
}

/// A handle on the process `pid` (pidfd), readable when it has ended. Pins the process only if it is
/// known not to be reaped before this call: a child of ours, say.
///
/// # Errors
/// `ESRCH`, `EINVAL`, `EMFILE`.
pub fn pin_process(pid: i32) -> Result<OwnedHandle, SysError> {
    platform::net::process(pid).map_err(|error| SysError::bare(Op::Identify, error))
}

/// Waits until `descriptor` can be read or its other side is closed; `false` when `timeout` passes
/// first. Without a timeout, for ever.
///
/// # Errors
/// `ENOMEM`, `EINVAL`.
pub fn wait_readable(descriptor: impl AsHandle, timeout: Option<Duration>) -> Result<bool, SysError> {
    platform::net::wait_readable(descriptor, timeout).map_err(|error| SysError::bare(Op::Wait, error))
}

/// Listens on a name without a file (an abstract socket): it is gone with the last descriptor, and
/// other network namespaces cannot see it. Any user of this machine can connect, so that [`Peer`] is
/// the only guard.
///
/// # Errors
/// `EADDRINUSE`; a refusal for a name of more than 107 bytes, and where there are no such names.
pub fn listen_abstract(name: &[u8]) -> Result<LocalListener, SysError> {
    platform::net::bind_abstract(name).map_err(|error| SysError::bare(Op::Bind, error))
}

/// Connects to a name without a file.
///
/// # Errors
/// `ECONNREFUSED` when nobody listens; a refusal for a name of more than 107 bytes, and where there are
/// no such names.
pub fn connect_abstract(name: &[u8]) -> Result<LocalStream, SysError> {
    platform::net::connect_abstract(name).map_err(|error| SysError::bare(Op::Connect, error))
}

/// Two connected stream sockets, close-on-exec.
///
/// # Errors
/// `EMFILE`.
pub fn pair() -> Result<(LocalStream, LocalStream), SysError> {
    platform::net::pair().map_err(|error| SysError::bare(Op::Pipe, error))
}

/// Two connected datagram sockets, close-on-exec: messages keep their bounds.
///
/// # Errors
/// `EMFILE`.
pub fn datagram_pair() -> Result<(LocalDatagram, LocalDatagram), SysError> {
    platform::net::datagram_pair().map_err(|error| SysError::bare(Op::Pipe, error))
}

/// Listens on 127.0.0.1, on `port` or, for 0, on one that the kernel chooses.
///
/// # Errors
/// `EADDRINUSE`, `EACCES` for a port below 1024.
pub fn loopback(port: u16) -> Result<TcpListener, SysError> {
    TcpListener::bind((Ipv4Addr::LOCALHOST, port)).map_err(|error| SysError::bare(Op::Bind, error))
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    #![allow(clippy::unwrap_used, clippy::panic)]
    use super::*;
    use std::os::unix::fs::PermissionsExt;
    use std::os::unix::net::UnixStream;

    #[test]
    fn private_means_private() {
        let dir = std::env::temp_dir().join(format!("vitte-sys-{}-net", std::process::id()));
        let _ = std::fs::remove_dir_all(&dir);
        private_directory(&dir).unwrap();
        private_directory(&dir).unwrap();
        std::fs::set_permissions(&dir, std::fs::Permissions::from_mode(0o755)).unwrap();
        assert_eq!(private_directory(&dir).unwrap_err().kind(), io::ErrorKind::PermissionDenied);

        let socket = dir.join("s");
        let listener = listen(&socket).unwrap();
        assert_eq!(std::fs::metadata(&socket).unwrap().permissions().mode() & 0o777, 0o600);
        let client = UnixStream::connect(&socket).unwrap();
        let peer = peer_credentials(&client).unwrap();
        assert_eq!(peer.uid, crate::process::effective_uid());
        assert_eq!(peer.pid, std::process::id() as i32);
        assert!(!is_stale(&socket));
        drop(listener);
        assert!(is_stale(&socket));
        assert!(check_socket_path(Path::new(&"x".repeat(108))).is_err());
        std::fs::remove_dir_all(dir).unwrap();
    }

    #[test]
    fn a_peer_is_pinned_to_its_process() {
        let name = format!("vitte-sys-test-{}", std::process::id());
        let listener = listen_abstract(name.as_bytes()).unwrap();
        assert_eq!(listen_abstract(name.as_bytes()).unwrap_err().errno(), Some(libc::EADDRINUSE));
        let _client = connect_abstract(name.as_bytes()).unwrap();
        let (server, _) = listener.accept().unwrap();
        let peer = Peer::of(&server).unwrap();
        assert_eq!((peer.uid, peer.pid), (crate::process::effective_uid(), Some(std::process::id() as i32)));
        assert!(peer.is_trusted());
        match peer.pin() {
            Pin::Held => assert_eq!(peer.is_alive(), Some(true)),
            Pin::Unsupported => assert_eq!(peer.is_alive(), None),
            Pin::Gone => panic!("we are not gone"),
        }
        drop(listener);
        assert_eq!(connect_abstract(name.as_bytes()).unwrap_err().errno(), Some(libc::ECONNREFUSED));
        assert!(listen_abstract(&[b'x'; 108]).is_err());
        assert!(Peer::of(std::fs::File::open("/dev/null").unwrap()).is_err());
    }

    #[test]
    fn waiting_ends_with_bytes_with_the_end_or_with_time() {
        use std::io::Write;
        let (mut a, b) = pair().unwrap();
        assert!(!wait_readable(&b, Some(Duration::from_millis(5))).unwrap());
        a.write_all(b"x").unwrap();
        assert!(wait_readable(&b, None).unwrap());
        let (a, b) = datagram_pair().unwrap();
        a.send(b"one").unwrap();
        a.send(b"two").unwrap();
        let mut buffer = [0; 16];
        assert_eq!(b.recv(&mut buffer).unwrap(), 3);
        let mut child = std::process::Command::new("sleep").arg("100").spawn().unwrap();
        let pidfd = pin_process(child.id() as i32).unwrap();
        assert!(!wait_readable(&pidfd, Some(Duration::ZERO)).unwrap());
        child.kill().unwrap();
        assert!(wait_readable(&pidfd, Some(Duration::from_secs(10))).unwrap());
        child.wait().unwrap();
        assert!(pin_process(-1).is_err());
        assert!(loopback(0).unwrap().local_addr().unwrap().ip().is_loopback());
    }
}
