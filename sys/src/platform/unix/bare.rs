//! What macOS and the BSDs do alike, for want of what Linux has.
#[cfg(not(target_vendor = "apple"))]
use std::ffi::OsStr;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use rustix::event::kqueue::{Event, EventFilter, EventFlags, ProcessEvents, kevent, kqueue};
use rustix::fs::OFlags;
use rustix::net::{AddressFamily, SocketType};

use super::handle::{AsHandle, BorrowedHandle, Errno, OwnedHandle};
use super::net::{LocalListener, LocalStream};
use crate::caps::Facility;
use crate::platform::{Open, Stat};

/// Longest path that fits into `sockaddr_un` with its terminating zero.
pub const SOCKET_PATH_MAX: usize = 103;

/// No call of the kernel opens a path and never leaves its directory: the caller walks.
pub(crate) fn open_beneath(
    _: BorrowedHandle<'_>,
    _: &Path,
    _: Open,
    _: u32,
    _links: bool,
    _mounts: bool,
) -> Option<Result<OwnedHandle, Errno>> {
    None
}

/// See [`open_beneath`].
pub(crate) fn stat_beneath(
    _: BorrowedHandle<'_>,
    _: &Path,
    _links: bool,
    _mounts: bool,
) -> Option<Result<Stat, Errno>> {
    None
}

/// Reads never say whether they would have to wait for a disk.
pub(crate) fn read_cached(_: impl AsHandle, _: &mut [u8]) -> Result<usize, Errno> {
    Err(Errno::OPNOTSUPP)
}

/// Blocks cannot be shared between two files that are open.
pub(crate) fn share_blocks(_: &std::fs::File, _: &std::fs::File) -> Result<(), Errno> {
    Err(Errno::OPNOTSUPP)
}

/// A kernel queue that becomes readable when the process `pid` ends.
pub(crate) fn process(pid: i32) -> Result<OwnedHandle, Errno> {
    let pid = (pid > 0).then(|| rustix::process::Pid::from_raw(pid)).flatten().ok_or(Errno::INVAL)?;
    let queue = kqueue()?;
    rustix::io::fcntl_setfd(&queue, rustix::io::FdFlags::CLOEXEC)?;
    let filter = EventFilter::Proc { pid, flags: ProcessEvents::EXIT };
    let change = [Event::new(filter, EventFlags::ADD, std::ptr::null_mut())];
    let none: &mut [Event] = &mut [];
    // SAFETY: the filter names a process, not a descriptor that could be closed meanwhile.
    unsafe { kevent(&queue, &change, none, Some(Duration::ZERO)) }?;
    Ok(queue)
}

/// See [`crate::process::end_notifier`]. A child that has ended already, which the queue refuses, is
/// answered with a descriptor that is readable at once.
pub(crate) fn end_notifier(id: u32) -> io::Result<OwnedFd> {
    let number = super::process::pid(id)?.as_raw_nonzero().get();
    match process(number) {
        Err(Errno::SRCH) if !matches!(super::process::peek_end(id), Ok(None) | Err(_)) => {
            // The reading end of a pipe without a writing end.
            Ok(super::process::pipe()?.0)
        }
        answer => Ok(answer?),
    }
}

/// A queue watches a process but cannot send it a signal.
pub(crate) fn terminate(_: impl AsHandle) -> Result<(), Errno> {
    Err(Errno::OPNOTSUPP)
}

/// The process at the other end cannot be pinned: its number may be another's by now.
pub(crate) fn peer_process(_: impl AsHandle) -> Result<OwnedHandle, Errno> {
    Err(Errno::NOPROTOOPT)
}

fn no_abstract_names<T>() -> io::Result<T> {
    Err(io::Error::new(io::ErrorKind::Unsupported, "only Linux has socket names without a file"))
}

/// Abstract names are Linux's.
pub(crate) fn bind_abstract(_: &[u8]) -> io::Result<LocalListener> {
    no_abstract_names()
}

/// Abstract names are Linux's.
pub(crate) fn connect_abstract(_: &[u8]) -> io::Result<LocalStream> {
    no_abstract_names()
}

/// Abstract names are Linux's.
pub(crate) fn abstract_address(_: &[u8]) -> io::Result<SocketAddr> {
    no_abstract_names()
}

/// Whether a descriptor is a Unix stream socket.
pub(crate) fn is_local_stream(socket: &OwnedFd) -> Result<bool, Errno> {
    Ok(rustix::net::getsockname(socket)?.address_family() == AddressFamily::UNIX
        && rustix::net::sockopt::socket_type(socket)? == SocketType::STREAM)
}

/// A pipe: what is written to, which never waits, and what is read from.
pub(crate) fn bell() -> Result<(OwnedFd, OwnedFd), Errno> {
    let (hear, ring) = super::process::pipe()?;
    rustix::fs::fcntl_setfl(ring.as_fd(), OFlags::NONBLOCK)?;
    Ok((ring, hear))
}

/// The processors cannot be chosen.
#[cfg(not(target_os = "freebsd"))]
pub(crate) mod thread {
    use super::Errno;

    /// There is no answer.
    pub(crate) fn affinity() -> Result<Vec<usize>, Errno> {
        Err(Errno::OPNOTSUPP)
    }

    /// They cannot be chosen.
    pub(crate) fn set_affinity(_: &[usize]) -> Result<(), Errno> {
        Err(Errno::OPNOTSUPP)
    }

    /// This system has timers of one kind.
    pub(crate) fn delay_timeouts(_: std::time::Duration) {}
}

/// The release of the system.
pub(crate) fn release() -> String {
    let names = rustix::system::uname();
    format!("{} {}", names.sysname().to_string_lossy(), names.release().to_string_lossy())
}

/// Asks for `facility`: the detail of a yes, or the reason of a no.
pub(crate) fn ask(facility: Facility) -> Result<String, String> {
    let tried = |answer: Result<(), crate::SysError>| match answer {
        Ok(()) => Ok(String::new()),
        Err(error) => Err(error.to_string()),
    };
    match facility {
        Facility::OpenFileLocks => {
            let file = crate::memory::MemoryFile::new("probe").map_err(|error| error.to_string())?;
            let range = crate::fs::RangeLock::try_take(file.file(), 0..1, crate::fs::Sharing::Exclusive);
            tried(range.map(drop))
        }
        Facility::MemfdSeals => {
            let file = crate::memory::MemoryFile::new("probe").map_err(|error| error.to_string())?;
            tried(file.seal().map(drop))
        }
        Facility::Mseal if cfg!(target_os = "openbsd") => Ok("mimmutable".to_owned()),
        Facility::Openat2 => Err("paths are walked one component at a time".to_owned()),
        Facility::Pidfd => Err("a kernel queue tells the end of a process".to_owned()),
        Facility::Inotify => Err("a kernel queue tells changes of files".to_owned()),
        Facility::ServiceManager => match std::env::var_os("NOTIFY_SOCKET") {
            Some(address) => Ok(address.to_string_lossy().into_owned()),
            None => Err("NOTIFY_SOCKET is not set".to_owned()),
        },
        Facility::CopyFileRange
        | Facility::ReadNoWait
        | Facility::Mseal
        | Facility::PeerPidfd
        | Facility::CloseRange
        | Facility::UserNamespaces
        | Facility::Landlock
        | Facility::Seccomp
        | Facility::SeccompNotify
        | Facility::IoUring
        | Facility::CgroupV2
        | Facility::CgroupKill => Err(format!("{} has none", std::env::consts::OS)),
    }
}

/// Nothing is handed over by name.
#[cfg(not(target_vendor = "apple"))]
pub(crate) fn sockets_by_name(_: &str) -> Result<Vec<OwnedHandle>, Errno> {
    Ok(Vec::new())
}

/// Exchanges what two names of a directory name; `INVAL`, `NOSYS` or `OPNOTSUPP` where that cannot be done.
#[cfg(not(target_vendor = "apple"))]
pub(crate) fn swap_at(_: BorrowedHandle<'_>, _: &OsStr, _: &OsStr) -> Result<(), Errno> {
    Err(Errno::OPNOTSUPP)
}

/// Renames by a second name, which is refused when it is there, and the first taken away.
#[cfg(not(target_vendor = "apple"))]
pub(crate) fn rename_new_at(
    from_directory: BorrowedHandle<'_>,
    from: &OsStr,
    to_directory: BorrowedHandle<'_>,
    to: &OsStr,
) -> Result<(), Errno> {
    use rustix::fs::{AtFlags, linkat, unlinkat};
    rustix::io::retry_on_intr(|| linkat(from_directory, from, to_directory, to, AtFlags::empty())).map_err(
        |error| match error {
            // A directory can have no second name.
            Errno::PERM | Errno::ISDIR => Errno::OPNOTSUPP,
            other => other,
        },
    )?;
    rustix::io::retry_on_intr(|| unlinkat(from_directory, from, AtFlags::empty()))
}
