//! Clocks.
use std::sync::OnceLock;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use crate::ffi::win32::thread as native;

/// Nanoseconds since the start of the system, without the time that it slept.
///
/// The clock that leaves sleep out is as coarse as the timer interrupt. The performance counter is fine
/// and runs on while the machine sleeps; what it is ahead, at the least, is the time slept.
pub(crate) fn awake() -> u64 {
    /// The longest step of the coarse clock, 15.625 ms, and then some.
    const STEP: i64 = 20_000_000;
    static SLEPT: AtomicI64 = AtomicI64::new(i64::MAX);
    static LAST: AtomicU64 = AtomicU64::new(0);
    // In this order: what passes in between must not look like sleep less than none.
    let coarse = native::awake();
    let fine = since_boot();
    // Below zero when the two began to count a step apart.
    let ahead = fine.wrapping_sub(coarse).cast_signed();
    let known = SLEPT.load(Ordering::Relaxed);
    // Less than was known: the coarse clock has just made a step. Much more: the machine has slept.
    let slept = if ahead < known || ahead.saturating_sub(known) > STEP {
        SLEPT.store(ahead, Ordering::Relaxed);
        ahead
    } else {
        known
    };
    // Never back, on no thread.
    let now = fine.saturating_add_signed(slept.saturating_neg());
    LAST.fetch_max(now, Ordering::Relaxed).max(now)
}

/// [`awake`] as of the last timer interrupt, for less.
pub(crate) fn awake_coarse() -> u64 {
    native::awake()
}

/// Nanoseconds since the start of the system, with the time that it slept.
pub(crate) fn since_boot() -> u64 {
    static BEGINNING: OnceLock<(u64, Instant)> = OnceLock::new();
    let (milliseconds, beginning) = BEGINNING.get_or_init(|| (native::since_boot_ms(), Instant::now()));
    let passed = u64::try_from(beginning.elapsed().as_nanos()).unwrap_or(u64::MAX);
    milliseconds.saturating_mul(1_000_000).saturating_add(passed)
}

/// Nanoseconds since 1970.
pub(crate) fn wall() -> i64 {
    let limit = |nanoseconds: u128| i64::try_from(nanoseconds).unwrap_or(i64::MAX);
    match SystemTime::now().duration_since(UNIX_EPOCH) {
        Ok(since) => limit(since.as_nanos()),
        Err(before) => -limit(before.duration().as_nanos()),
    }
}
