//! A bounded queue between threads that can be closed. As in the semaphore, the lock also keeps how
//! many wait, so that notifications which nobody would hear are not made.
use std::collections::VecDeque;

use super::primitives::{Condvar, Mutex, MutexGuard, hold, wait};

/// Items in the order in which they were given; each is taken once.
pub(super) struct Queue<T> {
    state: Mutex<State<T>>,
    /// An item came, or the queue was closed.
    filled: Condvar,
    /// An item was taken, or the queue was closed.
    emptied: Condvar,
    capacity: usize,
}

struct State<T> {
    items: VecDeque<T>,
    closed: bool,
    /// Threads that wait for `filled`, and those notified that have not come back yet.
    takers: usize,
    /// The same for `emptied`.
    givers: usize,
}

impl<T> Queue<T> {
    /// An empty queue for `capacity` items, at least one.
    pub(super) fn new(capacity: usize) -> Self {
        let state = State { items: VecDeque::new(), closed: false, takers: 0, givers: 0 };
        Self {
            state: Mutex::new(state),
            filled: Condvar::new(),
            emptied: Condvar::new(),
            capacity: capacity.max(1),
        }
    }

    /// How many items may wait.
    pub(super) fn capacity(&self) -> usize {
        self.capacity
    }

    /// Adds `item`; waits while the queue is full.
    ///
    /// # Errors
    /// The item itself when the queue is closed.
    pub(super) fn give(&self, item: T) -> Result<(), T> {
        let mut state = hold(&self.state);
        while state.items.len() >= self.capacity && !state.closed {
            state.givers += 1;
            state = wait(&self.emptied, state);
            state.givers -= 1;
        }
        if state.closed {
            return Err(item);
        }
        self.put(state, item);
        Ok(())
    }

    /// Adds what `make` makes of `seed` if there is room now.
    ///
    /// # Errors
    /// The seed when the queue is full or closed.
    pub(super) fn try_give_with<S>(&self, seed: S, make: impl FnOnce(S) -> T) -> Result<(), S> {
        let state = hold(&self.state);
        if state.closed || state.items.len() >= self.capacity {
            return Err(seed);
        }
        self.put(state, make(seed));
        Ok(())
    }

    fn put(&self, mut state: MutexGuard<'_, State<T>>, item: T) {
        state.items.push_back(item);
        let heard = state.takers > 0;
        drop(state);
        if heard {
            self.filled.notify_one();
        }
    }

    /// The next item; waits for one. `None` once the queue is closed and empty.
    pub(super) fn take(&self) -> Option<T> {
        let mut state = hold(&self.state);
        loop {
            if let Some(item) = state.items.pop_front() {
                let heard = state.givers > 0;
                drop(state);
                if heard {
                    self.emptied.notify_one();
                }
                return Some(item);
            }
            if state.closed {
                return None;
            }
            state.takers += 1;
            state = wait(&self.filled, state);
            state.takers -= 1;
        }
    }

    /// Takes no more items; what is in the queue can still be taken.
    pub(super) fn close(&self) {
        hold(&self.state).closed = true;
        self.filled.notify_all();
        self.emptied.notify_all();
    }
}
