//! Processors: FreeBSD and DragonFly let a thread choose.
#[cfg(any(target_os = "openbsd", target_os = "netbsd"))]
pub(crate) use crate::platform::unix::bare::thread::*;

#[cfg(any(target_os = "freebsd", target_os = "dragonfly"))]
pub(crate) use chosen::*;

#[cfg(any(target_os = "freebsd", target_os = "dragonfly"))]
mod chosen {
    use rustix::thread::CpuSet;

    use crate::platform::Errno;

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

    /// This system has timers of one kind.
    pub(crate) fn delay_timeouts(_: std::time::Duration) {}
}
