//! Work behind the builds: results on their way into the store, and programs on their way into memory.
use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use vitte_store::ActionKey;

use crate::api::CancellationToken;

/// Work begins when nothing has replaced it for so long: a burst of edits is worth one entry.
const QUIET: Duration = Duration::from_millis(500);
/// Pieces of work that wait; more are dropped, oldest first.
const WAITING_MAX: usize = 64;
/// Subjects whose last revision is remembered; then all are forgotten, which costs doing work again.
const DONE_MAX: usize = 1024;

/// What work is about: a plan and, for a build, where its result goes. Later work takes the place of
/// earlier work about the same.
pub(crate) type Subject = (ActionKey, Option<PathBuf>);

/// What there is to do.
enum Work {
    /// Of this revision of the files. Done before the end, and once for each revision; says whether it
    /// was done.
    Publish(u64, Box<dyn FnOnce() -> bool + Send>),
    /// Only for the benefit of later builds: left out, or cancelled, at the end.
    WarmUp(Box<dyn FnOnce(&CancellationToken) + Send>),
}

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
    /// Cancelled at the end.
    ending: CancellationToken,
}

#[derive(Default)]
struct State {
    waiting: HashMap<Subject, (Instant, Work)>,
    /// The revision that was published last.
    done: HashMap<Subject, u64>,
    is_ending: bool,
    /// Publish without waiting, until nothing waits.
    is_hurried: bool,
    /// One is being published now.
    is_publishing: bool,
}

impl std::fmt::Debug for Publisher {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Publisher").finish_non_exhaustive()
    }
}

impl Publisher {
    /// Publishes by and by with `publish`, unless that was done for the same `revision`.
    pub(crate) fn publish(
        &self,
        subject: Subject,
        revision: u64,
        publish: impl FnOnce() -> bool + Send + 'static,
    ) {
        self.submit(subject, Work::Publish(revision, Box::new(publish)));
    }

    /// Whether `revision` of the subject was published and nothing of it after that.
    pub(crate) fn is_done(&self, subject: &Subject, revision: u64) -> bool {
        let state = self.shared.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.done.get(subject) == Some(&revision)
    }

    /// Brings something into memory by and by, until the token is cancelled.
    pub(crate) fn warm_up(
        &self,
        subject: Subject,
        warm_up: impl FnOnce(&CancellationToken) + Send + 'static,
    ) {
        self.submit(subject, Work::WarmUp(Box::new(warm_up)));
    }

    fn submit(&self, subject: Subject, work: Work) {
        {
            let mut state = self.shared.state.lock().unwrap_or_else(PoisonError::into_inner);
            if let Work::Publish(revision, _) = &work
                && state.done.get(&subject) == Some(revision)
            {
                return;
            }
            if state.waiting.len() >= WAITING_MAX
                && let Some(oldest) = state.waiting.iter().min_by_key(|(_, (due, _))| *due)
            {
                let oldest = oldest.0.clone();
                state.waiting.remove(&oldest);
            }
            state.waiting.insert(subject, (Instant::now() + QUIET, work));
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
        let is_publication = |(_, work): &(Instant, Work)| matches!(work, Work::Publish(..));
        while state.waiting.values().any(is_publication) || state.is_publishing {
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                break;
            }
            state = self.shared.changed.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner).0;
        }
        state.is_hurried = false;
        self.shared.changed.notify_all();
    }
}

impl Shared {
    fn work(&self) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        loop {
            // Who waits in `flush` waits for what is published, not for what is warmed up.
            let is_wanted = |work: &Work| !state.is_hurried || matches!(work, Work::Publish(..));
            let wanted = state.waiting.iter().filter(|(_, (_, work))| is_wanted(work));
            let next = wanted.min_by_key(|(_, (due, _))| *due);
            let next = next.map(|(subject, (due, _))| (subject.clone(), *due));
            let now = Instant::now();
            state = match next {
                Some((subject, due)) if due <= now || state.is_ending || state.is_hurried => {
                    if let Some((_, work)) = state.waiting.remove(&subject) {
                        let is_ending = state.is_ending;
                        state.is_publishing = matches!(work, Work::Publish(..));
                        drop(state);
                        let done = self.run(work, is_ending);
                        state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
                        if let Some(revision) = done {
                            if state.done.len() >= DONE_MAX {
                                state.done.clear();
                            }
                            state.done.insert(subject, revision);
                        }
                        state.is_publishing = false;
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

impl Shared {
    /// Does a piece of work; the revision that was published, if one was.
    fn run(&self, work: Work, is_ending: bool) -> Option<u64> {
        // A fault in here must not end what comes after it.
        let caught = |work: &mut dyn FnMut() -> Option<u64>| {
            std::panic::catch_unwind(std::panic::AssertUnwindSafe(work)).ok().flatten()
        };
        match work {
            Work::Publish(revision, publish) => {
                let mut publish = Some(publish);
                caught(&mut || publish.take()?().then_some(revision))
            }
            Work::WarmUp(_) if is_ending => None,
            Work::WarmUp(warm_up) => {
                let mut warm_up = Some(warm_up);
                caught(&mut || {
                    warm_up.take()?(&self.ending);
                    None
                })
            }
        }
    }
}

impl Drop for Publisher {
    /// Publishes what waits and gives up the rest.
    fn drop(&mut self) {
        self.shared.ending.cancel();
        self.shared.state.lock().unwrap_or_else(PoisonError::into_inner).is_ending = true;
        self.shared.changed.notify_all();
        let thread = self.thread.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(thread) = thread {
            // A panic of it was told when it happened.
            let _ = thread.join();
        }
    }
}
