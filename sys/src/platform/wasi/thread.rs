//! Processors.
use super::handle::Errno;

/// The processors that the calling thread may run on, ascending.
pub(crate) fn affinity() -> Result<Vec<usize>, Errno> {
    Err(Errno::OPNOTSUPP)
}

/// Lets the calling thread run on these processors only.
pub(crate) fn set_affinity(_processors: &[usize]) -> Result<(), Errno> {
    Err(Errno::OPNOTSUPP)
}

/// This system has timers of one kind.
pub(crate) fn delay_timeouts(_: std::time::Duration) {}
