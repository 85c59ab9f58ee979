//! A fixed number of threads behind one queue.
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread::JoinHandle;

use super::queue::Queue;
use super::spawn;
use crate::SysError;

type Work = Box<dyn FnOnce() + Send>;

/// A fixed number of threads with a bounded queue. Dropping it finishes what was accepted.
#[derive(Debug)]
pub struct Pool {
    shared: Arc<Shared>,
    threads: Vec<JoinHandle<()>>,
}

struct Shared {
    queue: Queue<Work>,
    panics: AtomicUsize,
}

impl std::fmt::Debug for Shared {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Shared").field("capacity", &self.queue.capacity()).finish_non_exhaustive()
    }
}

impl Pool {
    /// `threads` threads (at least one) called `NAME-0`, `NAME-1`, …, and room for `capacity` pieces of
    /// work that wait (at least one).
    ///
    /// # Errors
    /// `EAGAIN` when threads run out; those already started end.
    pub fn new(name: &str, threads: usize, capacity: usize) -> Result<Self, SysError> {
        let shared = Arc::new(Shared { queue: Queue::new(capacity), panics: AtomicUsize::new(0) });
        let mut pool = Self { shared, threads: Vec::new() };
        for index in 0..threads.max(1) {
            let shared = Arc::clone(&pool.shared);
            pool.threads.push(spawn(&format!("{name}-{index}"), move || shared.work())?);
        }
        Ok(pool)
    }

    /// Gives `work` to the pool; waits while the queue is full.
    pub fn run(&self, work: impl FnOnce() + Send + 'static) {
        // Only dropping the pool closes the queue, and that needs it for itself.
        let _ = self.shared.queue.give(Box::new(work));
    }

    /// Gives `work` to the pool, or back when the queue is full.
    ///
    /// # Errors
    /// The work itself.
    pub fn try_run<W: FnOnce() + Send + 'static>(&self, work: W) -> Result<(), W> {
        // Boxed only once there is room, since a box of this kind cannot be undone.
        self.shared.queue.try_give_with(work, |work| Box::new(work) as Work)
    }

    /// Pieces of work that panicked so far. A panic ends its piece of work, not the thread.
    pub fn panics(&self) -> usize {
        self.shared.panics.load(Ordering::Relaxed)
    }
}

impl Shared {
    fn work(&self) {
        while let Some(work) = self.queue.take() {
            // The closure is consumed, so that nobody sees what a panic left half done in it.
            if catch_unwind(AssertUnwindSafe(work)).is_err() {
                self.panics.fetch_add(1, Ordering::Relaxed);
            }
        }
    }
}

impl Drop for Pool {
    fn drop(&mut self) {
        self.shared.queue.close();
        for thread in self.threads.drain(..) {
            // Panics are caught inside.
            let _ = thread.join();
        }
    }
}
