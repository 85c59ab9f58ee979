//! Clocks.
use std::sync::OnceLock;
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use crate::ffi::win32::thread as native;

/// Nanoseconds since the start of the system, without the time that it slept.
///
/// The clock that leaves sleep out is as coarse as the timer interrupt; between two of its steps the
/// performance counter, which runs on while the machine sleeps, fills in, up to one step.
pub(crate) fn awake() -> u64 {
    use std::sync::atomic::{AtomicU64, Ordering};
    /// The longest step of the coarse clock, 15.625 ms and a little.
    const STEP: u64 = 16_000_000;
    static LAST: AtomicU64 = AtomicU64::new(0);
    let coarse = native::awake();
    let fine = since_boot();
    static OFFSET: AtomicU64 = AtomicU64::new(u64::MAX);
    // How far the counter is ahead: the time slept, less what the coarse clock has not shown yet.
    let ahead = fine.wrapping_sub(coarse);
    let known = OFFSET.load(Ordering::Relaxed);
    let grown = ahead.wrapping_sub(known) as i64;
    let offset = if known == u64::MAX || !(-(STEP as i64)..=STEP as i64).contains(&grown) {
        OFFSET.store(ahead, Ordering::Relaxed);
        ahead
    } else {
        known
    };
    // Never back, on no thread.
    let now = fine.wrapping_sub(offset);
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
