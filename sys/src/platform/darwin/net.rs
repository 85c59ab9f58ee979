//! Sockets of macOS.
use super::handle::{AsHandle, Errno};
pub use crate::platform::unix::bare::SOCKET_PATH_MAX;
pub(crate) use crate::platform::unix::bare::{
    bind_abstract, connect_abstract, peer_process, process, terminate,
};
pub(crate) use crate::platform::unix::net::*;
pub use crate::platform::unix::net::{LocalDatagram, LocalListener, LocalStream};

/// User, group and process of the other end.
pub(crate) fn peer(socket: impl AsHandle) -> Result<(u32, u32, Option<i32>), Errno> {
    let (uid, gid) = crate::ffi::darwin::peer_ids(&socket)?;
    Ok((uid, gid, crate::ffi::darwin::peer_pid(&socket).ok().filter(|pid| *pid > 0)))
}
