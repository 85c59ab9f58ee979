//! The library and the machine.

use crate::buf::RtBuf;
use crate::errno::raw;
use crate::os;

/// The version of the interface this library implements: the higher 16 bits count changes that break
/// callers (and the symbol version and soname with them), the lower 16 additions.
pub const RT_ABI_VERSION: i64 = 1 << 16;

/// RT_ABI_VERSION as the library was built, for callers that were compiled against another.
#[unsafe(no_mangle)]
pub extern "C" fn rt_abi_version() -> i64 {
    RT_ABI_VERSION
}

/// The number of processors that are online, at least 1.
#[unsafe(no_mangle)]
pub extern "C" fn rt_system_cpu_count() -> i64 {
    // SAFETY: sysconf takes a number.
    unsafe { libc::sysconf(libc::_SC_NPROCESSORS_ONLN) }.max(1)
}

/// The machine's name; returns its length.
///
/// # Errors
/// - `uname`: EFAULT
/// - `malloc`: ENOMEM
///
/// # Safety
/// `out` is a valid buffer.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rt_sys_hostname(out: *mut RtBuf) -> i64 {
    /// The longest name POSIX lets a system have.
    const LONGEST: usize = 255;
    raw((|| {
        // SAFETY: the caller's promise.
        let out = unsafe { RtBuf::emptied(out) }?;
        out.reserve(LONGEST).ok()?;
        // SAFETY: LONGEST + 1 bytes are allocated.
        unsafe { os::hostname(out.ptr, LONGEST) }.ok()?;
        // A name that just fits has no 0 of its own.
        // SAFETY: as above.
        unsafe { out.ptr.add(LONGEST).write(0) };
        // SAFETY: there is a 0 now.
        out.len = unsafe { libc::strlen(out.ptr.cast()) };
        Ok(out.len as i64)
    })())
}
