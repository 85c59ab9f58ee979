//! Sockets of this machine: private directories, path limits, names without a file, pairs, and who is
//! at the other side.
//!
//! TCP and UDP are the standard library's; [`loopback`] is the one address the service ever binds.
use std::io;
use std::net::{Ipv4Addr, TcpListener};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::linux::net::SocketAddrExt;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, PermissionsExt};
use std::os::unix::net::{SocketAddr, UnixDatagram, UnixListener, UnixStream};
use std::path::Path;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec};
use rustix::io::Errno;
use rustix::process::{PidfdFlags, Signal};

use crate::{Op, SysError};

/// Longest path that fits into `sockaddr_un` with its terminating zero on Linux.
pub const SOCKET_PATH_MAX: usize = 107;

/// Who is on the other side of a Unix socket, as the kernel saw it at connect time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PeerCredentials {
    /// Effective user id.
    pub uid: u32,
    /// Effective group id.
    pub gid: u32,
    /// Process id; may be of a process that has ended since.
    pub pid: i32,
}

/// The credentials of the peer of a connected Unix socket.
pub fn peer_credentials(socket: impl AsFd) -> io::Result<PeerCredentials> {
    let credentials = rustix::net::sockopt::socket_peercred(socket)?;
    Ok(PeerCredentials {
        uid: credentials.uid.as_raw(),
        gid: credentials.gid.as_raw(),
        pid: credentials.pid.as_raw_nonzero().get(),
    })
}

/// Refuses socket paths that the kernel would cut or refuse.
pub fn check_socket_path(path: &Path) -> Result<(), SysError> {
    let bytes = path.as_os_str().as_bytes();
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
    match std::fs::DirBuilder::new().mode(0o700).create(path) {
        Ok(()) => {}
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
        Err(error) => return Err(fail(error)),
    }
    // `symlink_metadata`: a link that someone planted here must not lead us elsewhere.
    let metadata = std::fs::symlink_metadata(path).map_err(fail)?;
    let refuse = |message: &str| fail(io::Error::new(io::ErrorKind::PermissionDenied, message.to_owned()));
    if !metadata.is_dir() {
        return Err(refuse("it exists and is not a directory"));
    }
    if metadata.uid() != crate::process::effective_uid() {
        return Err(refuse("it belongs to another user"));
    }
    if metadata.permissions().mode() & 0o077 != 0 {
        return Err(refuse("other users may enter it; its mode must be 0700"));
    }
    Ok(())
}

/// Listens on a new socket at `path`, mode 0600. The path must be free; see [`is_stale`].
pub fn listen(path: &Path) -> Result<UnixListener, SysError> {
    check_socket_path(path)?;
    let listener = UnixListener::bind(path).map_err(|error| SysError::new(Op::Bind, path, error))?;
    // Between bind and chmod the directory's mode 0700 keeps others out.
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600))
        .map_err(|error| SysError::new(Op::Chmod, path, error))?;
    Ok(listener)
}

/// Whether a socket file stands at `path` that nobody listens on any more.
pub fn is_stale(path: &Path) -> bool {
    match UnixStream::connect(path) {
        Ok(_) => false,
        Err(error) => error.raw_os_error() == Some(Errno::CONNREFUSED.raw_os_error()),
    }
}

/// Why a peer's process is not pinned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pin {
    /// It is: the descriptor stands for that very process, whatever gets its number later.
    Held,
    /// The kernel is older than 6.5 and cannot say; the number alone is only good for a log.
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
    pidfd: Result<OwnedFd, Pin>,
}

impl Peer {
    /// Asks the kernel about the other side of a connected Unix socket.
    ///
    /// # Errors
    /// `ENOTSOCK`, `ENOPROTOOPT` when it is no Unix socket; a refusal when the kernel knows no peer.
    pub fn of(socket: impl AsFd) -> Result<Self, SysError> {
        let fail = |error: Errno| SysError::bare(Op::Identify, error);
        let (uid, gid, pid) = crate::ffi::peer_credentials(&socket).map_err(fail)?;
        let pidfd = match crate::ffi::peer_pidfd(&socket) {
            Ok(pidfd) => Ok(pidfd),
            Err(Errno::NOPROTOOPT) => Err(Pin::Unsupported),
            // Before 6.16 the kernel answers so when the process was reaped.
            Err(Errno::SRCH | Errno::INVAL | Errno::NODATA) => Err(Pin::Gone),
            Err(error) => return Err(fail(error)),
        };
        Ok(Self { uid, gid, pid: (pid > 0).then_some(pid), pidfd })
    }

    /// Whether the process is pinned.
    pub fn pin(&self) -> Pin {
        match &self.pidfd {
            Ok(_) => Pin::Held,
            Err(why) => *why,
        }
    }

    /// The descriptor of the process (pidfd), readable when it has ended.
    pub fn pidfd(&self) -> Option<BorrowedFd<'_>> {
        self.pidfd.as_ref().ok().map(AsFd::as_fd)
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
        rustix::process::pidfd_send_signal(pidfd, Signal::TERM).map_err(fail)
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
pub fn pin_process(pid: i32) -> Result<OwnedFd, SysError> {
    let fail = |error: Errno| SysError::bare(Op::Identify, error);
    // rustix takes a negative number for a mistake of its caller.
    let pid = (pid > 0).then(|| rustix::process::Pid::from_raw(pid)).flatten().ok_or(fail(Errno::INVAL))?;
    rustix::process::pidfd_open(pid, PidfdFlags::empty()).map_err(fail)
}

/// Waits until `descriptor` can be read or its other side is closed; `false` when `timeout` passes
/// first. Without a timeout, for ever.
///
/// # Errors
/// `ENOMEM`, `EINVAL`.
pub fn wait_readable(descriptor: impl AsFd, timeout: Option<Duration>) -> Result<bool, SysError> {
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
            Err(error) => return Err(SysError::bare(Op::Wait, error)),
        }
    }
}

fn abstract_address(name: &[u8]) -> Result<SocketAddr, SysError> {
    SocketAddr::from_abstract_name(name).map_err(|error| SysError::bare(Op::Bind, error))
}

/// Listens on a name without a file (an abstract socket): it is gone with the last descriptor, and
/// other network namespaces cannot see it. Any user of this machine can connect, so that [`Peer`] is
/// the only guard.
///
/// # Errors
/// `EADDRINUSE`; a refusal for a name of more than 107 bytes.
pub fn listen_abstract(name: &[u8]) -> Result<UnixListener, SysError> {
    let address = abstract_address(name)?;
    UnixListener::bind_addr(&address).map_err(|error| SysError::bare(Op::Bind, error))
}

/// Connects to a name without a file.
///
/// # Errors
/// `ECONNREFUSED` when nobody listens; a refusal for a name of more than 107 bytes.
pub fn connect_abstract(name: &[u8]) -> Result<UnixStream, SysError> {
    let address = abstract_address(name)?;
    UnixStream::connect_addr(&address).map_err(|error| SysError::bare(Op::Connect, error))
}

/// Two connected stream sockets, close-on-exec.
///
/// # Errors
/// `EMFILE`.
pub fn pair() -> Result<(UnixStream, UnixStream), SysError> {
    UnixStream::pair().map_err(|error| SysError::bare(Op::Pipe, error))
}

/// Two connected datagram sockets, close-on-exec: messages keep their bounds.
///
/// # Errors
/// `EMFILE`.
pub fn datagram_pair() -> Result<(UnixDatagram, UnixDatagram), SysError> {
    UnixDatagram::pair().map_err(|error| SysError::bare(Op::Pipe, error))
}

/// Listens on 127.0.0.1, on `port` or, for 0, on one that the kernel chooses.
///
/// # Errors
/// `EADDRINUSE`, `EACCES` for a port below 1024.
pub fn loopback(port: u16) -> Result<TcpListener, SysError> {
    TcpListener::bind((Ipv4Addr::LOCALHOST, port)).map_err(|error| SysError::bare(Op::Bind, error))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::panic)]
    use super::*;

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
