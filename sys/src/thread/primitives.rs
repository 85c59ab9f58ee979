//! What the semaphore and the queue are made of: the standard library's lock and condition or, when
//! built with `--cfg loom`, those of the model checker, which tries every order of events.
#[cfg(loom)]
pub(super) use loom::sync::{Condvar, Mutex, MutexGuard};
use std::sync::PoisonError;
#[cfg(not(loom))]
pub(super) use std::sync::{Condvar, Mutex, MutexGuard};
use std::time::Duration;

/// The lock's contents, also when a holder panicked: no critical section of this module calls foreign
/// code, so that none leaves broken state behind.
pub(super) fn hold<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Gives the lock up until `condition` is notified, or for no reason.
pub(super) fn wait<'m, T>(condition: &Condvar, guard: MutexGuard<'m, T>) -> MutexGuard<'m, T> {
    condition.wait(guard).unwrap_or_else(PoisonError::into_inner)
}

/// [`wait`], at most for `timeout`.
pub(super) fn wait_for<'m, T>(
    condition: &Condvar,
    guard: MutexGuard<'m, T>,
    timeout: Duration,
) -> MutexGuard<'m, T> {
    match condition.wait_timeout(guard, timeout) {
        Ok((guard, _)) => guard,
        Err(poisoned) => poisoned.into_inner().0,
    }
}
