//! BSD calls that neither rustix nor the libc crate has.
use std::os::fd::{AsFd, AsRawFd};

use rustix::io::Errno;

use super::posix::last_errno;

/// User and group of the other end of a Unix socket.
pub(crate) fn peer_ids(socket: impl AsFd) -> Result<(u32, u32), Errno> {
    let (mut uid, mut gid) = (0, 0);
    // SAFETY: the descriptor is borrowed for the call, which writes the two numbers.
    let result = unsafe { libc::getpeereid(socket.as_fd().as_raw_fd(), &raw mut uid, &raw mut gid) };
    if result == 0 { Ok((uid, gid)) } else { Err(last_errno()) }
}

#[cfg(target_os = "freebsd")]
unsafe extern "C" {
    /// `spawn.h`: closes every descriptor from a number on (FreeBSD 13.1).
    pub(crate) fn posix_spawn_file_actions_addclosefrom_np(
        actions: *mut libc::posix_spawn_file_actions_t,
        from: std::ffi::c_int,
    ) -> std::ffi::c_int;
}

#[cfg(target_os = "openbsd")]
unsafe extern "C" {
    /// `sys/mman.h`: the protection of a range can never change again (OpenBSD 7.3).
    fn mimmutable(start: *mut std::ffi::c_void, length: libc::size_t) -> std::ffi::c_int;
}

/// mimmutable(2): the range can no longer be unmapped or given another protection.
#[cfg(target_os = "openbsd")]
pub(crate) fn seal(start: std::ptr::NonNull<u8>, length: std::num::NonZeroUsize) -> Result<(), Errno> {
    // SAFETY: the call reads and writes no memory; it only takes rights away from a range of this
    // process, or fails.
    let result = unsafe { mimmutable(start.as_ptr().cast(), length.get()) };
    if result == 0 { Ok(()) } else { Err(last_errno()) }
}
