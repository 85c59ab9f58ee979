//! Unix sockets that belong to one user: private directories, path limits, peer credentials.
use std::io;
use std::os::fd::AsFd;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, PermissionsExt};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;

use rustix::io::Errno;

use crate::SysError;

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
        return Err(SysError::new("bind", path, io::Error::new(io::ErrorKind::InvalidInput, message)));
    }
    Ok(())
}

/// Makes the directory `path` with mode 0700, or checks that an existing one is a real directory
/// that belongs to this user and is closed to all others. Parents are made with the usual mode.
pub fn private_directory(path: &Path) -> Result<(), SysError> {
    let fail = |error: io::Error| SysError::new("create", path, error);
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
    let listener = UnixListener::bind(path).map_err(|error| SysError::new("bind", path, error))?;
    // Between bind and chmod the directory's mode 0700 keeps others out.
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600))
        .map_err(|error| SysError::new("chmod", path, error))?;
    Ok(listener)
}

/// Whether a socket file stands at `path` that nobody listens on any more.
pub fn is_stale(path: &Path) -> bool {
    match UnixStream::connect(path) {
        Ok(_) => false,
        Err(error) => error.raw_os_error() == Some(Errno::CONNREFUSED.raw_os_error()),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
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
}
