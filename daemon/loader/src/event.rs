//! What happens to modules, for whoever watches.
use std::collections::VecDeque;
use std::sync::mpsc::{Receiver, RecvTimeoutError, sync_channel};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use crate::generation::State;
use crate::name::ModuleName;

/// Events that are kept for those who subscribe later.
const KEPT: usize = 256;
/// Events that a slow subscriber may leave waiting before it is cut off.
const WAITING_MAX: usize = 1024;

/// A generation has come into another state.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// Counts all events of this loader, from 1. A gap means that something was missed.
    pub sequence: u64,
    /// The module.
    pub module: ModuleName,
    /// Its generation.
    pub generation: u64,
    /// What it is now.
    pub state: State,
    /// Why, where that is not plain; else empty.
    pub reason: String,
    /// Since the generation was first heard of.
    pub elapsed: Duration,
}

/// Where events are published.
#[derive(Default)]
pub(crate) struct Events {
    inner: Mutex<Inner>,
}

/// Is told every event, in order, until it answers false. It must not block, nor ask the loader anything.
pub type Watch = Box<dyn FnMut(&Event) -> bool + Send>;

#[derive(Default)]
struct Inner {
    last: u64,
    kept: VecDeque<Event>,
    watches: Vec<Watch>,
}

/// The events of a loader, in order. One that does not keep up ends early; subscribe again with the last
/// sequence number seen.
pub struct Subscription {
    receiver: Receiver<Event>,
}

impl Events {
    pub(crate) fn publish(
        &self,
        module: &ModuleName,
        generation: u64,
        state: State,
        reason: &str,
        elapsed: Duration,
    ) {
        tracing::info!(%module, generation, state = state.name(), reason, "module");
        let mut inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        inner.last += 1;
        let event = Event {
            sequence: inner.last,
            module: module.clone(),
            generation,
            state,
            reason: reason.to_owned(),
            elapsed,
        };
        if inner.kept.len() == KEPT {
            inner.kept.pop_front();
        }
        inner.watches.retain_mut(|watch| watch(&event));
        inner.kept.push_back(event);
    }

    /// All events after number `after` that are still known, then all that come.
    pub(crate) fn subscribe(&self, after: u64) -> Subscription {
        let (sender, receiver) = sync_channel(WAITING_MAX);
        self.watch(after, Box::new(move |event| sender.try_send(event.clone()).is_ok()));
        Subscription { receiver }
    }

    /// Tells `watch` all events after number `after` that are still known, then all that come.
    pub(crate) fn watch(&self, after: u64, mut watch: Watch) {
        let mut inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        if inner.kept.iter().filter(|event| event.sequence > after).all(&mut watch) {
            inner.watches.push(watch);
        }
    }
}

impl Subscription {
    /// The next event; `Ok(None)` if none came within `timeout`.
    ///
    /// # Errors
    /// When there will be no more, because this subscriber was too slow or the loader is gone.
    pub fn next(&self, timeout: Duration) -> Result<Option<Event>, Ended> {
        match self.receiver.recv_timeout(timeout) {
            Ok(event) => Ok(Some(event)),
            Err(RecvTimeoutError::Timeout) => Ok(None),
            Err(RecvTimeoutError::Disconnected) => Err(Ended),
        }
    }
}

/// There will be no more events on this subscription.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("no more events: the subscriber was too slow, or the loader is gone")]
pub struct Ended;

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn publish(events: &Events, generation: u64) {
        events.publish(&"m".parse().unwrap(), generation, State::Active, "", Duration::ZERO);
    }

    #[test]
    fn whoever_comes_late_gets_what_is_kept() {
        let events = Events::default();
        (1..=3).for_each(|generation| publish(&events, generation));
        let subscription = events.subscribe(1);
        publish(&events, 4);
        let seen: Vec<u64> = std::iter::from_fn(|| subscription.next(Duration::ZERO).unwrap())
            .map(|event| event.sequence)
            .collect();
        assert_eq!(seen, [2, 3, 4]);
    }

    #[test]
    fn a_slow_subscriber_holds_nobody_up() {
        let events = Events::default();
        let slow = events.subscribe(0);
        (0..2000).for_each(|generation| publish(&events, generation));
        let mut seen = 0;
        while let Ok(Some(event)) = slow.next(Duration::ZERO) {
            seen += 1;
            assert_eq!(event.sequence, seen);
        }
        assert_eq!(seen, WAITING_MAX as u64);
        assert_eq!(slow.next(Duration::ZERO), Err(Ended));
    }
}
