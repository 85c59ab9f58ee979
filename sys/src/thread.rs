//! Threads: names, processors, a counting semaphore and a fixed pool.
//!
//! [`Mutex`], [`Condvar`], [`RwLock`] and [`Once`] are those of the standard library, which are futexes
//! already; they are named here so that users of this crate find all primitives in one place.
use std::io;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

pub use std::sync::{Condvar, Mutex, Once, RwLock};

use crate::{Op, SysError, platform};

#[cfg(all(test, loom))]
mod models; // every order of events of the semaphore and the queue
mod pool; // a fixed number of threads
mod primitives; // locks and conditions: the standard library's or the model checker's
mod queue; // a bounded queue that can be closed
mod semaphore; // a counting semaphore

pub use pool::Pool;
pub use semaphore::{Permit, Semaphore};

/// Starts a thread that the system's tools show as `name` (its first 15 bytes).
///
/// # Errors
/// `EAGAIN` when threads or memory run out; a refusal for a name with a zero in it.
pub fn spawn<T: Send + 'static>(
    name: &str,
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<JoinHandle<T>, SysError> {
    if name.contains('\0') {
        let error = io::Error::new(io::ErrorKind::InvalidInput, "a thread's name cannot have a zero byte");
        return Err(SysError::bare(Op::Schedule, error));
    }
    std::thread::Builder::new()
        .name(name.to_owned())
        .spawn(work)
        .map_err(|error| SysError::bare(Op::Schedule, error))
}

/// How many threads can run at one time: processors, less what affinity and cgroup quotas take away.
/// At least one.
pub fn parallelism() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

/// The processors that the calling thread may run on, ascending.
///
/// # Errors
/// `EINVAL` on machines with more than 1024 processors; `EOPNOTSUPP` where threads cannot be placed.
pub fn affinity() -> Result<Vec<usize>, SysError> {
    platform::thread::affinity().map_err(|error| SysError::bare(Op::Schedule, error))
}

/// Lets the calling thread run on these processors only. Threads it starts later inherit that.
///
/// # Errors
/// `EINVAL` when none of them exists or one is beyond 1023; `EOPNOTSUPP` where threads cannot be placed.
pub fn set_affinity(processors: &[usize]) -> Result<(), SysError> {
    platform::thread::set_affinity(processors).map_err(|error| SysError::bare(Op::Schedule, error))
}

/// Lets timed waits of the calling thread, and of threads it starts later, end up to `by` later than asked for
/// when nothing else wakes the processor: for threads of others that look around now and then and need not.
/// Has no effect where the system knows of nothing of the kind.
pub fn delay_timeouts(by: Duration) {
    platform::thread::delay_timeouts(by);
}

/// Waits until `done` says so, asking every `pause`; `false` when `timeout` passes first. For what
/// the system gives no notice of.
pub fn wait_until(timeout: Duration, pause: Duration, mut done: impl FnMut() -> bool) -> bool {
    let start = Instant::now();
    loop {
        if done() {
            return true;
        }
        let Some(left) = timeout.checked_sub(start.elapsed()).filter(|left| !left.is_zero()) else {
            return false;
        };
        std::thread::sleep(pause.min(left));
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    #![allow(clippy::unwrap_used, clippy::panic)]
    use super::*;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};

    #[test]
    fn a_semaphore_admits_so_many() {
        let semaphore = Arc::new(Semaphore::new(3));
        let (inside, most) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
        std::thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| {
                    for _ in 0..200 {
                        let _permit = semaphore.acquire();
                        most.fetch_max(inside.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
                        inside.fetch_sub(1, Ordering::SeqCst);
                    }
                });
            }
        });
        assert!(most.load(Ordering::SeqCst) <= 3);
        assert_eq!(semaphore.available(), 3);
        semaphore.acquire().forget();
        let held = (semaphore.try_acquire().unwrap(), semaphore.acquire());
        assert!(semaphore.try_acquire().is_none());
        assert!(semaphore.acquire_within(Duration::from_millis(5)).is_none());
        drop(held);
        semaphore.add(1);
        assert_eq!(semaphore.available(), 3);
    }

    #[test]
    fn a_pool_finishes_what_it_accepted() {
        let done = Arc::new(AtomicUsize::new(0));
        let pool = Pool::new("test", 2, 4).unwrap();
        for index in 0..100 {
            let done = Arc::clone(&done);
            pool.run(move || {
                assert_ne!(index, 50, "a piece of work that panics");
                done.fetch_add(1, Ordering::SeqCst);
            });
        }
        assert!(wait_until(Duration::from_secs(10), Duration::from_millis(1), || pool.panics() == 1));
        let gate = Arc::new(Semaphore::new(0));
        let mut refused = 0;
        for _ in 0..20 {
            let gate = Arc::clone(&gate);
            refused += usize::from(pool.try_run(move || drop(gate.acquire())).is_err());
        }
        assert!(refused >= 20 - 4 - 2, "{refused}");
        gate.add(1);
        drop(pool);
        assert_eq!(done.load(Ordering::SeqCst), 99);
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn names_and_processors_are_seen_by_the_system() {
        let name = spawn("a-long-thread-name", || std::fs::read_to_string("/proc/thread-self/comm").unwrap());
        assert_eq!(name.unwrap().join().unwrap().trim(), "a-long-thread-n");
        assert!(spawn("a\0b", || ()).is_err());
        let allowed = affinity().unwrap();
        assert!(parallelism() >= 1 && !allowed.is_empty());
        let first = allowed[0];
        let inside = spawn("placed", move || {
            set_affinity(&[first]).unwrap();
            affinity().unwrap()
        });
        assert_eq!(inside.unwrap().join().unwrap(), [first]);
        assert_eq!(affinity().unwrap(), allowed, "other threads keep theirs");
        assert!(set_affinity(&[]).is_err() && set_affinity(&[5000]).is_err());
    }
}
