//! A bounded queue between threads that can be closed. The lock also keeps who waits and who was
//! notified already, so that no notification is made that nobody needs: a system call each.
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
    /// Those who wait for `filled`.
    takers: Sleepers,
    /// Those who wait for `emptied`.
    givers: Sleepers,
}

/// How many threads wait for a condition, and for how many of them a notification is on its way.
#[derive(Default)]
struct Sleepers {
    asleep: usize,
    /// Never more than those asleep. May be less than true, when a thread wakes without a notification
    /// and takes this for its own: then one more than needed is made.
    called: usize,
}

impl Sleepers {
    /// Whether another one must be notified.
    fn call(&mut self) -> bool {
        let needed = self.asleep > self.called;
        self.called += usize::from(needed);
        needed
    }

    /// One of them is awake again.
    fn up(&mut self) {
        self.asleep -= 1;
        self.called = self.called.saturating_sub(1);
    }
}

impl<T> Queue<T> {
    /// An empty queue for `capacity` items, at least one.
    pub(super) fn new(capacity: usize) -> Self {
        let state = State {
            items: VecDeque::new(),
            closed: false,
            takers: Sleepers::default(),
            givers: Sleepers::default(),
        };
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
            state.givers.asleep += 1;
            state = wait(&self.emptied, state);
            state.givers.up();
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
        let call = state.takers.call();
        drop(state);
        if call {
            self.filled.notify_one();
        }
    }

    /// The next item; waits for one. `None` once the queue is closed and empty.
    pub(super) fn take(&self) -> Option<T> {
        let mut state = hold(&self.state);
        loop {
            if let Some(item) = state.items.pop_front() {
                // Not at the first free place: who waits for one would be awake for one item only.
                let call = state.items.len() <= self.capacity / 2 && state.givers.call();
                drop(state);
                if call {
                    self.emptied.notify_one();
                }
                return Some(item);
            }
            if state.closed {
                return None;
            }
            state.takers.asleep += 1;
            state = wait(&self.filled, state);
            state.takers.up();
        }
    }

    /// Takes no more items; what is in the queue can still be taken.
    pub(super) fn close(&self) {
        hold(&self.state).closed = true;
        self.filled.notify_all();
        self.emptied.notify_all();
    }
}
