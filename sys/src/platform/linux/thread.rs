//! Processors on Linux.
use std::num::NonZeroU64;
use std::time::Duration;

use rustix::thread::CpuSet;

use super::handle::Errno;

/// The processors that the calling thread may run on, ascending.
pub(crate) fn affinity() -> Result<Vec<usize>, Errno> {
    let set = rustix::thread::sched_getaffinity(None)?;
    Ok((0..CpuSet::MAX_CPU).filter(|cpu| set.is_set(*cpu)).collect())
}

/// Lets the calling thread run on these processors only.
pub(crate) fn set_affinity(processors: &[usize]) -> Result<(), Errno> {
    let mut set = CpuSet::new();
    for &processor in processors {
        if processor >= CpuSet::MAX_CPU {
            return Err(Errno::INVAL);
        }
        set.set(processor);
    }
    rustix::thread::sched_setaffinity(None, &set)
}

/// Gives the calling thread's timers a slack; threads started later inherit it. No time to spare is none.
pub(crate) fn delay_timeouts(by: Duration) {
    if let Some(nanos) = u64::try_from(by.as_nanos()).ok().and_then(NonZeroU64::new) {
        // Refused, they are as punctual as before.
        let _ = rustix::thread::set_current_timer_slack(Some(nanos));
    }
}
