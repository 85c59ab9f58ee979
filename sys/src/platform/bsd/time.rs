//! Clocks. Only OpenBSD has both a clock that stands still while the machine sleeps and one that does
//! not; elsewhere there is one, which each system lets pass or stand still as it sees fit.
use crate::ffi::posix::clock;

#[cfg(target_os = "openbsd")]
const AWAKE: libc::clockid_t = libc::CLOCK_UPTIME;
#[cfg(not(target_os = "openbsd"))]
const AWAKE: libc::clockid_t = libc::CLOCK_MONOTONIC;

#[cfg(target_os = "openbsd")]
const SINCE_BOOT: libc::clockid_t = libc::CLOCK_BOOTTIME;
#[cfg(not(target_os = "openbsd"))]
const SINCE_BOOT: libc::clockid_t = libc::CLOCK_MONOTONIC;

#[cfg(any(target_os = "freebsd", target_os = "dragonfly"))]
const COARSE: libc::clockid_t = libc::CLOCK_MONOTONIC_FAST;
#[cfg(any(target_os = "openbsd", target_os = "netbsd"))]
const COARSE: libc::clockid_t = AWAKE;

/// Nanoseconds, without the time that the machine slept.
pub(crate) fn awake() -> u64 {
    clock(AWAKE).unsigned_abs()
}

/// [`awake`] as of a moment ago, for less.
pub(crate) fn awake_coarse() -> u64 {
    clock(COARSE).unsigned_abs()
}

/// Nanoseconds, with the time that the machine slept.
pub(crate) fn since_boot() -> u64 {
    clock(SINCE_BOOT).unsigned_abs()
}

/// Nanoseconds since 1970.
pub(crate) fn wall() -> i64 {
    clock(libc::CLOCK_REALTIME)
}
