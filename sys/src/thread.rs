//! Threads: names, processors, a counting semaphore and a fixed pool.
//!
//! [`Mutex`], [`Condvar`], [`RwLock`] and [`Once`] are those of the standard library, which are futexes
//! already; they are named here so that users of this crate find all primitives in one place.
use std::collections::VecDeque;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

pub use std::sync::{Condvar, Mutex, Once, RwLock};

use crate::{Op, SysError, platform};

/// The lock's contents, also when a holder panicked: the primitives here keep no broken state, since
/// none of their critical sections calls foreign code.
fn hold<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

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

/// A counting semaphore. Waiters are woken in no particular order.
#[derive(Debug)]
pub struct Semaphore {
    free: Mutex<usize>,
    freed: Condvar,
}

impl Semaphore {
    /// A semaphore with `permits` to give.
    pub const fn new(permits: usize) -> Self {
        Self { free: Mutex::new(permits), freed: Condvar::new() }
    }

    /// Waits for a permit. It goes back when the answer is dropped.
    pub fn acquire(&self) -> Permit<'_> {
        let mut free = self
            .freed
            .wait_while(hold(&self.free), |free| *free == 0)
            .unwrap_or_else(PoisonError::into_inner);
        *free -= 1;
        Permit { semaphore: self }
    }

    /// A permit if one is free now.
    pub fn try_acquire(&self) -> Option<Permit<'_>> {
        let mut free = hold(&self.free);
        *free = free.checked_sub(1)?;
        Some(Permit { semaphore: self })
    }

    /// Waits for a permit up to `timeout`.
    pub fn acquire_within(&self, timeout: Duration) -> Option<Permit<'_>> {
        let (mut free, _) = self
            .freed
            .wait_timeout_while(hold(&self.free), timeout, |free| *free == 0)
            .unwrap_or_else(PoisonError::into_inner);
        *free = free.checked_sub(1)?;
        Some(Permit { semaphore: self })
    }

    /// Adds permits that nobody gave back.
    pub fn add(&self, permits: usize) {
        let mut free = hold(&self.free);
        *free = free.saturating_add(permits);
        drop(free);
        self.freed.notify_all();
    }

    /// Free permits; another thread may change that at once.
    pub fn available(&self) -> usize {
        *hold(&self.free)
    }
}

/// One permit of a [`Semaphore`].
#[derive(Debug)]
pub struct Permit<'s> {
    semaphore: &'s Semaphore,
}

impl Permit<'_> {
    /// Uses the permit up: it never goes back.
    pub fn forget(self) {
        let _ = std::mem::ManuallyDrop::new(self);
    }
}

impl Drop for Permit<'_> {
    fn drop(&mut self) {
        *hold(&self.semaphore.free) += 1;
        self.semaphore.freed.notify_one();
    }
}

type Work = Box<dyn FnOnce() + Send>;

/// A fixed number of threads with a bounded queue. Dropping it finishes what was accepted.
#[derive(Debug)]
pub struct Pool {
    shared: Arc<Shared>,
    threads: Vec<JoinHandle<()>>,
}

struct Shared {
    state: Mutex<State>,
    changed: Condvar,
    capacity: usize,
}

#[derive(Default)]
struct State {
    queue: VecDeque<Work>,
    closed: bool,
    panics: usize,
}

impl std::fmt::Debug for Shared {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Shared").field("capacity", &self.capacity).finish_non_exhaustive()
    }
}

impl Pool {
    /// `threads` threads (at least one) called `NAME-0`, `NAME-1`, …, and room for `capacity` pieces of
    /// work that wait (at least one).
    ///
    /// # Errors
    /// `EAGAIN` when threads run out; those already started end.
    pub fn new(name: &str, threads: usize, capacity: usize) -> Result<Self, SysError> {
        let shared =
            Arc::new(Shared { state: Mutex::default(), changed: Condvar::new(), capacity: capacity.max(1) });
        let mut pool = Self { shared, threads: Vec::new() };
        for index in 0..threads.max(1) {
            let shared = Arc::clone(&pool.shared);
            pool.threads.push(spawn(&format!("{name}-{index}"), move || shared.work())?);
        }
        Ok(pool)
    }

    /// Gives `work` to the pool; waits while the queue is full.
    pub fn run(&self, work: impl FnOnce() + Send + 'static) {
        let full = |state: &mut State| state.queue.len() >= self.shared.capacity;
        let mut state = self
            .shared
            .changed
            .wait_while(hold(&self.shared.state), full)
            .unwrap_or_else(PoisonError::into_inner);
        state.queue.push_back(Box::new(work));
        drop(state);
        self.shared.changed.notify_all();
    }

    /// Gives `work` to the pool, or back when the queue is full.
    ///
    /// # Errors
    /// The work itself.
    pub fn try_run<W: FnOnce() + Send + 'static>(&self, work: W) -> Result<(), W> {
        let mut state = hold(&self.shared.state);
        if state.queue.len() >= self.shared.capacity {
            return Err(work);
        }
        state.queue.push_back(Box::new(work));
        drop(state);
        self.shared.changed.notify_all();
        Ok(())
    }

    /// Pieces of work that panicked so far. A panic ends its piece of work, not the thread.
    pub fn panics(&self) -> usize {
        hold(&self.shared.state).panics
    }
}

impl Shared {
    fn work(&self) {
        let mut state = hold(&self.state);
        loop {
            if let Some(work) = state.queue.pop_front() {
                drop(state);
                // Somebody may wait for room in the queue.
                self.changed.notify_all();
                // The closure is consumed, so that nobody sees what a panic left half done in it.
                let panicked = catch_unwind(AssertUnwindSafe(work)).is_err();
                state = hold(&self.state);
                state.panics += usize::from(panicked);
            } else if state.closed {
                return;
            } else {
                state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
            }
        }
    }
}

impl Drop for Pool {
    fn drop(&mut self) {
        hold(&self.shared.state).closed = true;
        self.shared.changed.notify_all();
        for thread in self.threads.drain(..) {
            // Panics are caught inside.
            let _ = thread.join();
        }
    }
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

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::panic)]
    use super::*;
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
