//! Clocks.
use std::sync::OnceLock;
use std::time::{Instant, SystemTime, UNIX_EPOCH};

/// Nanoseconds, without the time that the machine slept, as far as the system tells.
pub(crate) fn awake() -> u64 {
    static BEGINNING: OnceLock<Instant> = OnceLock::new();
    // One second on, so that no reading is zero.
    let passed = BEGINNING.get_or_init(Instant::now).elapsed().as_nanos();
    u64::try_from(passed).unwrap_or(u64::MAX).saturating_add(1_000_000_000)
}

/// [`awake`] as of a moment ago, for less.
pub(crate) fn awake_coarse() -> u64 {
    awake()
}

/// Nanoseconds, with the time that the machine slept, as far as the system tells.
pub(crate) fn since_boot() -> u64 {
    awake()
}

/// Nanoseconds since 1970.
pub(crate) fn wall() -> i64 {
    let limit = |nanoseconds: u128| i64::try_from(nanoseconds).unwrap_or(i64::MAX);
    match SystemTime::now().duration_since(UNIX_EPOCH) {
        Ok(since) => limit(since.as_nanos()),
        Err(before) => -limit(before.duration().as_nanos()),
    }
}
