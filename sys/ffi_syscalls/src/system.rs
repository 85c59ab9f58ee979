//! The library and the machine.

use crate::buf::RtBuf;
use crate::errno::Ret;
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
    os::processors().max(1)
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
    // SAFETY: the caller's promise.
    match unsafe { RtBuf::emptied(out) } {
        Ok(out) => os::hostname(out).0,
        Err(code) => Ret::from(code).0,
    }
}
