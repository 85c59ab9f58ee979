//! A counting semaphore.
//!
//! A condition of the standard library makes a system call at every notification, heard or not. Both
//! sides hold the lock anyway, so the number of those who wait is kept beside the permits, and who
//! gives a permit back where nobody waits makes no call.
use std::time::{Duration, Instant};

use super::primitives::{Condvar, Mutex, hold, wait, wait_for};

/// A counting semaphore. Waiters are woken in no particular order.
#[derive(Debug)]
pub struct Semaphore {
    counts: Mutex<Counts>,
    freed: Condvar,
}

#[derive(Debug)]
struct Counts {
    free: usize,
    /// Threads that wait for `freed`, and those notified that have not come back yet.
    waiting: usize,
}

impl Semaphore {
    /// A semaphore with `permits` to give.
    #[cfg(not(loom))]
    pub const fn new(permits: usize) -> Self {
        Self { counts: Mutex::new(Counts { free: permits, waiting: 0 }), freed: Condvar::new() }
    }

    /// A semaphore with `permits` to give. The model checker's locks are not made at compile time.
    #[cfg(loom)]
    pub fn new(permits: usize) -> Self {
        Self { counts: Mutex::new(Counts { free: permits, waiting: 0 }), freed: Condvar::new() }
    }

    /// Waits for a permit. It goes back when the answer is dropped.
    pub fn acquire(&self) -> Permit<'_> {
        let mut counts = hold(&self.counts);
        while counts.free == 0 {
            counts.waiting += 1;
            counts = wait(&self.freed, counts);
            counts.waiting -= 1;
        }
        counts.free -= 1;
        Permit { semaphore: self }
    }

    /// A permit if one is free now.
    pub fn try_acquire(&self) -> Option<Permit<'_>> {
        let mut counts = hold(&self.counts);
        counts.free = counts.free.checked_sub(1)?;
        Some(Permit { semaphore: self })
    }

    /// Waits for a permit up to `timeout`.
    pub fn acquire_within(&self, timeout: Duration) -> Option<Permit<'_>> {
        let start = Instant::now();
        let mut counts = hold(&self.counts);
        while counts.free == 0 {
            let left = timeout.checked_sub(start.elapsed()).filter(|left| !left.is_zero())?;
            counts.waiting += 1;
            counts = wait_for(&self.freed, counts, left);
            counts.waiting -= 1;
        }
        counts.free -= 1;
        Some(Permit { semaphore: self })
    }

    /// Adds permits that nobody gave back.
    pub fn add(&self, permits: usize) {
        let mut counts = hold(&self.counts);
        counts.free = counts.free.saturating_add(permits);
        let heard = counts.waiting > 0;
        drop(counts);
        if heard {
            self.freed.notify_all();
        }
    }

    /// Free permits; another thread may change that at once.
    pub fn available(&self) -> usize {
        hold(&self.counts).free
    }

    fn give_back(&self) {
        let mut counts = hold(&self.counts);
        counts.free += 1;
        let heard = counts.waiting > 0;
        drop(counts);
        if heard {
            self.freed.notify_one();
        }
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
        self.semaphore.give_back();
    }
}
