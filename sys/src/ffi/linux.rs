//! Linux calls that rustix does not wrap, and those whose errno tells what the kernel has.
use std::num::NonZeroUsize;
use std::os::fd::{AsFd, AsRawFd, FromRawFd, OwnedFd};
use std::ptr::NonNull;

use rustix::io::Errno;

use super::posix::last_errno;

/// `SO_PEERPIDFD` of asm-generic/socket.h (Linux 6.5).
const SO_PEERPIDFD: libc::c_int = 77;

/// A pidfd of the process that connected or bound the other end, which may have ended since.
pub(crate) fn peer_pidfd(socket: impl AsFd) -> Result<OwnedFd, Errno> {
    let mut descriptor: libc::c_int = -1;
    let mut length = size_of::<libc::c_int>() as libc::socklen_t;
    // SAFETY: the descriptor is borrowed for the call; the kernel writes at most `length` bytes into
    // `descriptor`, which has that size, and the length back into `length`.
    let result = unsafe {
        libc::getsockopt(
            socket.as_fd().as_raw_fd(),
            libc::SOL_SOCKET,
            SO_PEERPIDFD,
            std::ptr::from_mut(&mut descriptor).cast(),
            &raw mut length,
        )
    };
    if result != 0 {
        return Err(last_errno());
    }
    if descriptor < 0 {
        return Err(Errno::BADF);
    }
    // SAFETY: the kernel has just opened this descriptor for us and nobody else knows it.
    Ok(unsafe { OwnedFd::from_raw_fd(descriptor) })
}

/// A system call without effects, made to learn its errno.
///
/// `number` must be one of those that `platform::caps` passes: with these arguments they change
/// nothing, or create one descriptor, which is closed.
pub(crate) fn probe(number: libc::c_long, arguments: [usize; 4]) -> Result<usize, Errno> {
    let [a, b, c, d] = arguments;
    // SAFETY: the callers pass null for every pointer, or flags that make the kernel ignore it, so
    // that it can read or write no memory of ours.
    let result = unsafe { libc::syscall(number, a, b, c, d, 0usize, 0usize) };
    usize::try_from(result).map_err(|_| last_errno())
}

/// mseal(2), Linux 6.10: the range can no longer be unmapped or given another protection.
pub(crate) fn seal(start: NonNull<u8>, length: NonZeroUsize) -> Result<(), Errno> {
    // SAFETY: the call reads and writes no memory; it only takes rights away from a range of this
    // process, or fails.
    let result = unsafe { libc::syscall(SYS_MSEAL, start.as_ptr(), length.get(), 0usize) };
    if result == 0 { Ok(()) } else { Err(last_errno()) }
}

/// mseal(2) has one number on every machine, which the libc crate does not name for Android.
pub(crate) const SYS_MSEAL: libc::c_long = 462;

/// pidfd_open(2): a descriptor that stands for a process.
pub(crate) fn pidfd_open(pid: rustix::process::Pid, nonblocking: bool) -> Result<OwnedFd, Errno> {
    let flags = if nonblocking { libc::O_NONBLOCK } else { 0 };
    // SAFETY: the call takes two numbers and touches no memory of ours.
    let result = unsafe { libc::syscall(libc::SYS_pidfd_open, pid.as_raw_nonzero().get(), flags) };
    let descriptor = i32::try_from(result).ok().filter(|number| *number >= 0).ok_or_else(last_errno)?;
    // SAFETY: the kernel has just opened this descriptor for us and nobody else knows it.
    Ok(unsafe { OwnedFd::from_raw_fd(descriptor) })
}

/// pidfd_send_signal(2): signal `number` for the process that `pidfd` stands for.
pub(crate) fn pidfd_signal(pidfd: impl AsFd, number: i32) -> Result<(), Errno> {
    let none = std::ptr::null::<libc::siginfo_t>();
    // SAFETY: the descriptor is borrowed for the call; a null pointer asks the kernel to fill in itself
    // what the signal carries.
    let result = unsafe {
        libc::syscall(libc::SYS_pidfd_send_signal, pidfd.as_fd().as_raw_fd(), number, none, 0usize)
    };
    if result == 0 { Ok(()) } else { Err(last_errno()) }
}

/// preadv2(2) with RWF_NOWAIT from the beginning of a file: what is in memory, `AGAIN` when nothing is.
#[cfg(not(target_os = "android"))]
pub(crate) fn read_cached(file: impl AsFd, bytes: &mut [u8]) -> Result<usize, Errno> {
    let mut slices = [std::io::IoSliceMut::new(bytes)];
    rustix::io::preadv2(&file, &mut slices, 0, rustix::io::ReadWriteFlags::NOWAIT)
}

/// The C library of Android has no such call.
#[cfg(target_os = "android")]
pub(crate) fn read_cached(_: impl AsFd, _: &mut [u8]) -> Result<usize, Errno> {
    Err(Errno::OPNOTSUPP)
}

/// User, group and process of the other end of a Unix socket. The process is 0 when our namespace has
/// no number for it, which rustix's own wrapper cannot express.
pub(crate) fn peer_credentials(socket: impl AsFd) -> Result<(u32, u32, i32), Errno> {
    let mut credentials = libc::ucred { pid: 0, uid: u32::MAX, gid: u32::MAX };
    let mut length = size_of::<libc::ucred>() as libc::socklen_t;
    // SAFETY: the descriptor is borrowed for the call; the kernel writes at most `length` bytes into
    // `credentials`, which has that size, and the length back into `length`.
    let result = unsafe {
        libc::getsockopt(
            socket.as_fd().as_raw_fd(),
            libc::SOL_SOCKET,
            libc::SO_PEERCRED,
            std::ptr::from_mut(&mut credentials).cast(),
            &raw mut length,
        )
    };
    if result != 0 {
        return Err(last_errno());
    }
    // An unconnected socket answers with uid -1, one of another family with nothing.
    if length as usize != size_of::<libc::ucred>() || credentials.uid == u32::MAX {
        return Err(Errno::NOTCONN);
    }
    Ok((credentials.uid, credentials.gid, credentials.pid))
}

/// The version of the kernel's Landlock interface.
///
/// `NOSYS` without Landlock, `OPNOTSUPP` when it is switched off.
pub(crate) fn landlock_version() -> Result<i32, Errno> {
    // No attributes and the flag LANDLOCK_CREATE_RULESET_VERSION ask for the version.
    let version = probe(libc::SYS_landlock_create_ruleset, [0, 0, 1, 0])?;
    i32::try_from(version).map_err(|_| Errno::RANGE)
}

/// Gives the free pages of every arena back to the kernel.
#[cfg(target_env = "gnu")]
pub(crate) fn trim_heap() {
    // SAFETY: it takes the allocator's own locks and touches nothing that is allocated. That nothing could be
    // given back is no error.
    unsafe { libc::malloc_trim(0) };
}
