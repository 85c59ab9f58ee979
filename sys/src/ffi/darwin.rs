//! macOS calls that neither rustix nor the libc crate has.
use std::ffi::{CStr, c_char, c_int, c_void};
use std::os::fd::{AsFd, AsRawFd, FromRawFd, OwnedFd, RawFd};
use std::ptr;

use rustix::io::Errno;

use super::posix::last_errno;

unsafe extern "C" {
    /// `spawn.h`: keeps a descriptor under `POSIX_SPAWN_CLOEXEC_DEFAULT`.
    pub(crate) fn posix_spawn_file_actions_addinherit_np(
        actions: *mut libc::posix_spawn_file_actions_t,
        descriptor: c_int,
    ) -> c_int;

    /// `launch.h`: the sockets of a key, in memory of malloc(3).
    fn launch_activate_socket(name: *const c_char, descriptors: *mut *mut c_int, count: *mut usize) -> c_int;
}

/// `spawn.h`: the child leads a new session (macOS 10.15).
pub(crate) const POSIX_SPAWN_SETSID: c_int = 0x0400;

/// The sockets that launchd keeps for this process under `name`. It hands each over once.
///
/// `NOENT` for an unknown name, `SRCH` for a process that launchd did not start, `ALREADY` from the
/// second call on.
pub(crate) fn activate(name: &CStr) -> Result<Vec<OwnedFd>, Errno> {
    let mut descriptors: *mut c_int = ptr::null_mut();
    let mut count = 0;
    // SAFETY: the name ends with a zero, and the call writes one pointer and one number, to where ours
    // are.
    let answer = unsafe { launch_activate_socket(name.as_ptr(), &raw mut descriptors, &raw mut count) };
    if answer != 0 {
        return Err(Errno::from_raw_os_error(answer));
    }
    let mut taken = Vec::new();
    if !descriptors.is_null() {
        for index in 0..count {
            // SAFETY: the call succeeded, so that `descriptors` has `count` numbers.
            let place = unsafe { descriptors.add(index) };
            // SAFETY: as above.
            let descriptor: RawFd = unsafe { place.read() };
            // SAFETY: launchd has just handed this descriptor to us, once, so that nobody else owns it.
            taken.push(unsafe { OwnedFd::from_raw_fd(descriptor) });
        }
        // SAFETY: the array is ours and came from malloc(3), as launch_activate_socket(3) says.
        unsafe { libc::free(descriptors.cast::<c_void>()) };
    }
    Ok(taken)
}

/// User and first group of the other end of a Unix socket.
pub(crate) fn peer_ids(socket: impl AsFd) -> Result<(u32, u32), Errno> {
    let (mut uid, mut gid) = (0, 0);
    // SAFETY: the descriptor is borrowed for the call, which writes the two numbers.
    let result = unsafe { libc::getpeereid(socket.as_fd().as_raw_fd(), &raw mut uid, &raw mut gid) };
    if result == 0 { Ok((uid, gid)) } else { Err(last_errno()) }
}

/// Process of the other end of a Unix socket.
pub(crate) fn peer_pid(socket: impl AsFd) -> Result<i32, Errno> {
    let mut pid: libc::pid_t = 0;
    let mut length = size_of::<libc::pid_t>() as libc::socklen_t;
    // SAFETY: the descriptor is borrowed for the call; the kernel writes at most `length` bytes into
    // `pid`, which has that size, and the length back into `length`.
    let result = unsafe {
        libc::getsockopt(
            socket.as_fd().as_raw_fd(),
            libc::SOL_LOCAL,
            libc::LOCAL_PEERPID,
            (&raw mut pid).cast(),
            &raw mut length,
        )
    };
    if result == 0 { Ok(pid) } else { Err(last_errno()) }
}
