//! Clocks and random bytes.

use core::ffi::c_void;

use crate::errno::{Errno, raw};
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
            RT_CLOCK_WALL => os::Clock::Wall,
            RT_CLOCK_MONOTONIC => os::Clock::Steady,
            RT_CLOCK_BOOT => os::Clock::Boot,
            RT_CLOCK_PROCESS => os::Clock::Process,
            _ => return Err(Errno::of(libc::EINVAL)),
        };
        os::clock(clock).ok()
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
    // SAFETY: the caller's promise.
    unsafe { os::fill_random(into, len) }.0
}
