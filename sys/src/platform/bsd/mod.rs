//! FreeBSD, DragonFly BSD, OpenBSD and NetBSD.
//!
//! Programs are started without a supervisor (`unix/spawn.rs` says what that leaves out), and confined
//! by limits alone. pledge(2) and unveil(2) of OpenBSD and cap_enter(2) of FreeBSD bind the process that
//! calls them, and what it executes afterwards only in part or not at all, so that they need a process
//! between this one and the program.
pub(crate) mod caps {
    //! What this system can do.
    pub(crate) use crate::platform::unix::bare::{ask, release};
}
pub(crate) mod files;
pub(crate) mod handle {
    //! Descriptors and errnos.
    pub use crate::platform::unix::handle::*;
}
pub(crate) mod memory;
pub(crate) mod net {
    //! Sockets. The number of a peer's process is that of the one who called listen(2), so that it is
    //! not given.
    use super::handle::{AsHandle, Errno};
    pub use crate::platform::unix::bare::SOCKET_PATH_MAX;
    pub(crate) use crate::platform::unix::bare::{
        bind_abstract, connect_abstract, peer_process, process, terminate,
    };
    pub(crate) use crate::platform::unix::net::*;
    pub use crate::platform::unix::net::{LocalDatagram, LocalListener, LocalStream};

    /// User, group and process of the other end.
    pub(crate) fn peer(socket: impl AsHandle) -> Result<(u32, u32, Option<i32>), Errno> {
        let (uid, gid) = crate::ffi::bsd::peer_ids(socket)?;
        Ok((uid, gid, None))
    }
}
pub(crate) mod process;
pub(crate) mod sandbox {
    //! Limits alone.

    /// What programs and libraries of the system are in.
    pub(crate) const PROGRAMS: &[&str] = &["/usr", "/bin", "/sbin", "/lib", "/libexec", "/rescue"];
    /// Files that any program may read.
    pub(crate) const FILES: &[&str] = &["/var/run/ld.so.hints", "/var/run/ld-elf.so.hints"];
    /// Devices that any program may use.
    pub(crate) const DEVICES: &[&str] = &["/dev/null", "/dev/zero", "/dev/random", "/dev/urandom"];
}
pub(crate) mod service {
    //! Whoever speaks as systemd does.
    use std::os::fd::OwnedFd;

    use super::handle::Errno;
    pub(crate) use crate::platform::unix::bare::{abstract_address, sockets_by_name};
    pub(crate) use crate::platform::unix::service::*;

    /// Whether a descriptor is a listening Unix stream socket.
    pub(crate) fn is_local_listener(socket: &OwnedFd) -> Result<bool, Errno> {
        Ok(crate::platform::unix::bare::is_local_stream(socket)?
            && rustix::net::sockopt::socket_acceptconn(socket)?)
    }
}
pub(crate) mod signals {
    //! Signals ring a pipe.
    pub(crate) use crate::platform::unix::bare::bell;
    pub(crate) use crate::platform::unix::signals::*;
}
pub(crate) mod thread;
pub(crate) mod time;
