//! Processors. A machine with more than 64 has several groups of them; a thread runs in one, and its
//! numbers here are those of its group, from 64 times the group's on.
use super::handle::Errno;
use crate::ffi::win32::thread as native;

/// Processors of a group.
const GROUP: usize = 64;

/// The processors that the calling thread may run on, ascending.
pub(crate) fn affinity() -> Result<Vec<usize>, Errno> {
    let (group, mask) = native::affinity()?;
    let first = usize::from(group) * GROUP;
    Ok((0..usize::BITS as usize).filter(|bit| mask >> bit & 1 == 1).map(|bit| first + bit).collect())
}

/// Lets the calling thread run on these processors only; `INVAL` when they are not all of one group.
pub(crate) fn set_affinity(processors: &[usize]) -> Result<(), Errno> {
    let first = processors.first().ok_or(Errno::INVAL)?;
    let group = first / GROUP;
    let mut mask = 0;
    for processor in processors {
        let bit = processor % GROUP;
        if processor / GROUP != group || bit >= usize::BITS as usize {
            return Err(Errno::INVAL);
        }
        mask |= 1 << bit;
    }
    native::set_affinity(u16::try_from(group).map_err(|_| Errno::INVAL)?, mask)
}

/// This system has timers of one kind.
pub(crate) fn delay_timeouts(_: std::time::Duration) {}
