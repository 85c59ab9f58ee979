//! The instance of a module with state: one call at a time, and a gate that a reload can close.
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::call::{CallError, Running, Stop};

/// How often a waiting caller looks whether it should go on waiting.
const POLL: Duration = Duration::from_millis(5);

/// The place of the one instance.
pub(crate) struct Live {
    inner: Mutex<Inner>,
    changed: Condvar,
}

struct Inner {
    slot: Slot,
    /// A reload wants the instance next; callers stand back.
    gated: bool,
}

enum Slot {
    /// Nobody uses it.
    Idle(Box<Running>),
    /// Somebody does.
    Taken,
    /// Another generation serves; kept in case that one fails.
    Parked(Option<Box<Running>>),
    /// It trapped, and could not be made anew.
    Broken(CallError),
}

/// What a caller gets.
pub(crate) enum Turn {
    /// The instance; it must be given back.
    Yours(Box<Running>),
    /// Another generation serves now.
    Moved,
}

impl Live {
    pub(crate) fn new(running: Running) -> Self {
        Self {
            inner: Mutex::new(Inner { slot: Slot::Idle(Box::new(running)), gated: false }),
            changed: Condvar::new(),
        }
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits for the instance as long as `stop` allows.
    pub(crate) fn take(&self, stop: &Stop) -> Result<Turn, CallError> {
        let mut inner = self.lock();
        loop {
            match std::mem::replace(&mut inner.slot, Slot::Taken) {
                Slot::Idle(running) if !inner.gated => return Ok(Turn::Yours(running)),
                Slot::Parked(kept) => {
                    inner.slot = Slot::Parked(kept);
                    return Ok(Turn::Moved);
                }
                Slot::Broken(error) => {
                    inner.slot = Slot::Broken(error.clone());
                    return Err(error);
                }
                busy @ (Slot::Idle(_) | Slot::Taken) => inner.slot = busy,
            }
            if let Some(reason) = stop.reason() {
                return Err(reason);
            }
            inner = self.changed.wait_timeout(inner, POLL).unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    /// Closes the gate and waits until `until` for the instance; `None`, with the gate open again, if it
    /// did not come, or is broken.
    pub(crate) fn take_for_reload(&self, until: Instant) -> Option<Box<Running>> {
        let mut inner = self.lock();
        inner.gated = true;
        loop {
            match std::mem::replace(&mut inner.slot, Slot::Taken) {
                Slot::Idle(running) => return Some(running),
                broken @ Slot::Broken(_) => {
                    inner.slot = broken;
                    inner.gated = false;
                    return None;
                }
                other @ (Slot::Taken | Slot::Parked(_)) => inner.slot = other,
            }
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                inner.gated = false;
                self.changed.notify_all();
                return None;
            }
            inner = self.changed.wait_timeout(inner, left).unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    /// Whether the instance trapped and could not be made anew.
    pub(crate) fn is_broken(&self) -> bool {
        matches!(self.lock().slot, Slot::Broken(_))
    }

    fn put(&self, slot: Slot) {
        let mut inner = self.lock();
        // A rollback may have parked the place while its instance was in use.
        inner.slot = match (&inner.slot, slot) {
            (Slot::Parked(_), Slot::Idle(running)) => Slot::Parked(Some(running)),
            (Slot::Parked(_), _) => Slot::Parked(None),
            (_, slot) => slot,
        };
        self.changed.notify_all();
    }

    /// Gives the instance back after a call.
    pub(crate) fn give_back(&self, running: Box<Running>) {
        self.put(Slot::Idle(running));
    }

    /// Says that there is no instance any more.
    pub(crate) fn give_up(&self, error: CallError) {
        self.put(Slot::Broken(error));
    }

    /// Gives the instance back after a reload that failed, and opens the gate.
    pub(crate) fn reopen(&self, running: Box<Running>) {
        let mut inner = self.lock();
        inner.gated = false;
        inner.slot = Slot::Idle(running);
        self.changed.notify_all();
    }

    /// Another generation serves now: whoever waits goes there. `kept` is for the way back.
    pub(crate) fn park(&self, kept: Option<Box<Running>>) {
        let mut inner = self.lock();
        inner.gated = false;
        inner.slot = match (kept, std::mem::replace(&mut inner.slot, Slot::Taken)) {
            (Some(kept), _) | (None, Slot::Idle(kept)) => Slot::Parked(Some(kept)),
            (None, Slot::Parked(kept)) => Slot::Parked(kept),
            (None, Slot::Taken | Slot::Broken(_)) => Slot::Parked(None),
        };
        self.changed.notify_all();
    }

    /// The way back; whether there still is an instance.
    pub(crate) fn unpark(&self) -> bool {
        let mut inner = self.lock();
        match std::mem::replace(&mut inner.slot, Slot::Taken) {
            Slot::Parked(Some(kept)) => {
                inner.slot = Slot::Idle(kept);
                self.changed.notify_all();
                true
            }
            other => {
                inner.slot = other;
                false
            }
        }
    }
}
