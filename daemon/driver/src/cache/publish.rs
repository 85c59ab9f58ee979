//! Results on their way into the store: after the build that made them, so that no build waits.
use std::collections::HashMap;
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use vitte_store::ActionKey;

/// A result is published when no build has replaced it for so long: a burst of edits is worth one entry.
const QUIET: Duration = Duration::from_millis(500);
/// Results that wait; more are dropped, oldest first.
const WAITING_MAX: usize = 64;

/// Work that publishes one result.
type Publication = Box<dyn FnOnce() + Send>;

/// A thread that publishes results. It starts with the first one.
#[derive(Default)]
pub(crate) struct Publisher {
    shared: Arc<Shared>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

#[derive(Default)]
struct Shared {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    waiting: HashMap<ActionKey, (Instant, Publication)>,
    is_ending: bool,
    /// Publish without waiting, until nothing waits.
    is_hurried: bool,
    /// One is being published now.
    is_busy: bool,
}

impl std::fmt::Debug for Publisher {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Publisher").finish_non_exhaustive()
    }
}

impl Publisher {
    /// Publishes by and by what `plan` gave. A later result of the same plan takes its place.
    pub(crate) fn submit(&self, plan: ActionKey, publication: impl FnOnce() + Send + 'static) {
        {
            let mut state = self.shared.state.lock().unwrap_or_else(PoisonError::into_inner);
            if state.waiting.len() >= WAITING_MAX
                && let Some(oldest) =
                    state.waiting.iter().min_by_key(|(_, (due, _))| *due).map(|(key, _)| *key)
            {
                state.waiting.remove(&oldest);
            }
            state.waiting.insert(plan, (Instant::now() + QUIET, Box::new(publication)));
        }
        self.shared.changed.notify_all();
        let mut thread = self.thread.lock().unwrap_or_else(PoisonError::into_inner);
        if thread.is_none() {
            let shared = Arc::clone(&self.shared);
            let builder = std::thread::Builder::new().name("publish".into()).stack_size(STACK);
            // Without the thread nothing is published, and everything else goes on.
            *thread = builder.spawn(move || shared.work()).ok();
        }
    }
}

/// The compiler recurses as deeply as programs nest.
const STACK: usize = 64 << 20;

impl Publisher {
    /// Publishes all that waits, and returns when that is done or `deadline` has come.
    pub(crate) fn flush(&self, deadline: Instant) {
        let mut state = self.shared.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.is_hurried = true;
        self.shared.changed.notify_all();
        while !state.waiting.is_empty() || state.is_busy {
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                break;
            }
            state = self.shared.changed.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner).0;
        }
        state.is_hurried = false;
    }
}

impl Shared {
    fn work(&self) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        loop {
            let next =
                state.waiting.iter().min_by_key(|(_, (due, _))| *due).map(|(key, (due, _))| (*key, *due));
            let now = Instant::now();
            state = match next {
                Some((key, due)) if due <= now || state.is_ending || state.is_hurried => {
                    if let Some((_, publication)) = state.waiting.remove(&key) {
                        state.is_busy = true;
                        drop(state);
                        // A fault in here must not end what comes after it.
                        let _ = std::panic::catch_unwind(std::panic::AssertUnwindSafe(publication));
                        state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
                        state.is_busy = false;
                        self.changed.notify_all();
                    }
                    state
                }
                Some((_, due)) => {
                    self.changed.wait_timeout(state, due - now).unwrap_or_else(PoisonError::into_inner).0
                }
                None if state.is_ending => return,
                None => self.changed.wait(state).unwrap_or_else(PoisonError::into_inner),
            };
        }
    }
}

impl Drop for Publisher {
    /// Publishes what waits.
    fn drop(&mut self) {
        self.shared.state.lock().unwrap_or_else(PoisonError::into_inner).is_ending = true;
        self.shared.changed.notify_all();
        let thread = self.thread.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(thread) = thread {
            // A panic of it was told when it happened.
            let _ = thread.join();
        }
    }
}
