//! Clocks and random bytes.

use core::ffi::c_void;
use core::mem::MaybeUninit;

use crate::errno::{Errno, check, raw, retry};
use crate::os;

/// Nanoseconds since 1970, which may be set.
pub const RT_CLOCK_WALL: u32 = 0;
/// Nanoseconds that only go forward, not counted while the machine sleeps.
pub const RT_CLOCK_MONOTONIC: u32 = 1;
/// The same, counted while the machine sleeps too.
pub const RT_CLOCK_BOOT: u32 = 2;
/// Nanoseconds this process has computed.
pub const RT_CLOCK_PROCESS: u32 = 3;

/// The time of a clock in nanoseconds. EINVAL for a clock there is not.
#[unsafe(no_mangle)]
pub extern "C" fn rt_clock(clock: u32) -> i64 {
    raw((|| {
        let clock = match clock {
            RT_CLOCK_WALL => libc::CLOCK_REALTIME,
            RT_CLOCK_MONOTONIC => libc::CLOCK_MONOTONIC,
            RT_CLOCK_BOOT => os::CLOCK_BOOT,
            RT_CLOCK_PROCESS => libc::CLOCK_PROCESS_CPUTIME_ID,
            _ => return Err(Errno::of(libc::EINVAL)),
        };
        let mut time = MaybeUninit::<libc::timespec>::uninit();
        // SAFETY: there is room for one structure.
        check(unsafe { libc::clock_gettime(clock, time.as_mut_ptr()) }.into()).ok()?;
        // SAFETY: the call succeeded and filled it.
        let time = unsafe { time.assume_init() };
        Ok(time.tv_sec.saturating_mul(1_000_000_000).saturating_add(time.tv_nsec))
    })())
}

/// Fills memory with random bytes that are fit for keys.
///
/// # Errors
/// - `getrandom`: ENOSYS
///
/// # Safety
/// `into` is writable for `len` bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rt_random(into: *mut c_void, len: usize) -> i64 {
    raw((|| {
        let mut done = 0_usize;
        while done < len {
            // SAFETY: done is below len, and the caller vouches for len bytes.
            done += retry(|| unsafe { os::random(into.byte_add(done), len - done) }).ok()? as usize;
        }
        Ok(len as i64)
    })())
}
