//! The clocks of Linux.
use rustix::time::{ClockId, Timespec, clock_gettime};

fn steady(id: ClockId) -> u64 {
    let Timespec { tv_sec, tv_nsec } = clock_gettime(id);
    // These clocks begin at zero and never run backwards.
    u64::try_from(tv_sec)
        .unwrap_or(0)
        .saturating_mul(1_000_000_000)
        .saturating_add(u64::try_from(tv_nsec).unwrap_or(0))
}

/// Nanoseconds, without the time that the machine slept.
pub(crate) fn awake() -> u64 {
    steady(ClockId::Monotonic)
}

/// [`awake`] as of a moment ago, for less.
pub(crate) fn awake_coarse() -> u64 {
    steady(ClockId::MonotonicCoarse)
}

/// Nanoseconds, with the time that the machine slept.
pub(crate) fn since_boot() -> u64 {
    steady(ClockId::Boottime)
}

/// Nanoseconds since 1970. 64 bits last until 2262; a clock set later stays there.
pub(crate) fn wall() -> i64 {
    let Timespec { tv_sec, tv_nsec } = clock_gettime(ClockId::Realtime);
    tv_sec.saturating_mul(1_000_000_000).saturating_add(tv_nsec)
}
