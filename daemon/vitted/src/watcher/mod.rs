//! Which files may have changed, for every engine of the service at once.
//!
//! Start at [`Watcher`]. Readers of files (the engine's databases, watch mode) each have a
//! [`Subscription`]: they name the folders they have looked into and ask what changed there. Where the
//! answers come from is a [`Backend`]: on Linux one inotify instance of our own for the whole service
//! ([`inotify`]), elsewhere the `notify` crate ([`portable`]).
//!
//! No answer is ever too small. What a back end cannot know (a file system of another machine, a folder
//! beyond the system's limit) is named in every answer, so that it is looked at each time, and
//! [`Watcher::status`] says so.
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use tokio::sync::Notify;
use vitte_driver::{Changes, FileChanges, FileWatcher, Reason};

#[cfg(target_os = "linux")]
mod folders; // what is watched for whom, and what became of it
#[cfg(target_os = "linux")]
mod inotify; // the queue, the barrier, the thread
#[cfg(any(test, not(target_os = "linux")))]
mod portable; // other systems
pub mod settle; // when a burst of changes is over
#[cfg(all(test, target_os = "linux"))]
mod tests;

/// Folders with trouble that a status names one by one.
const TROUBLES_SHOWN: usize = 16;

/// What is asked of a source of changes. Numbers name subscriptions.
trait Backend: Send + Sync + fmt::Debug {
    /// Begins a subscription. `wake` is notified of changes while somebody [listens](Self::listen).
    fn subscribe(&self, roots: &[PathBuf], wake: Arc<Notify>) -> u64;
    /// Ends it.
    fn unsubscribe(&self, reader: u64);
    /// See [`FileChanges::follow`].
    fn follow(&self, reader: u64, folders: &mut dyn Iterator<Item = &Path>);
    /// See [`FileChanges::take`].
    fn take(&self, reader: u64, deadline: Instant) -> Changes;
    /// Whether the subscription's `wake` is wanted from now on.
    fn listen(&self, reader: u64, wanted: Listening);
    /// Whether some of what it follows changes without waking anybody.
    fn needs_polling(&self, reader: u64) -> bool;
    /// Returns once everything that happened before is known; false when the deadline came first.
    fn barrier(&self, deadline: Instant) -> bool;
    /// What it does.
    fn status(&self) -> WatcherStatus;
}

/// Whether somebody waits to be woken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Listening {
    Begins,
    Ends,
}

/// How a [`Watcher`] shall work.
#[derive(Clone, Debug, Default)]
pub struct WatcherOptions {
    /// A private folder in which a file may stand for a moment.
    pub own_folder: PathBuf,
    /// Folders that are never watched but looked at each time, whatever file system they are on.
    pub polled: Vec<PathBuf>,
    /// Most folders to watch; `None` for as many as the system allows.
    pub folders_max: Option<usize>,
}

/// What a watcher does.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct WatcherStatus {
    /// Folders that are watched.
    pub folders: u64,
    /// Times that the system lost events and everything was examined again.
    pub overflows: u64,
    /// What cannot be watched, sorted by path.
    pub troubles: Vec<Trouble>,
    /// Further troubles, not named.
    pub troubles_hidden: u64,
}

/// Something that cannot be watched. Builds are right all the same, but slower: it is examined each time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trouble {
    /// Which folder, with everything below it; empty for all.
    pub path: PathBuf,
    /// Why not.
    pub reason: String,
    /// What to do.
    pub help: String,
}

/// Watches folders for the whole service. Cheap to clone; opens nothing until somebody subscribes.
#[derive(Clone, Debug)]
pub struct Watcher(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    options: WatcherOptions,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    backend: Option<Arc<dyn Backend>>,
    /// Why there is none.
    failure: Option<Trouble>,
}

impl Watcher {
    /// A watcher that watches nothing yet.
    pub fn new(options: WatcherOptions) -> Self {
        Self(Arc::new(Shared { options, state: Mutex::default() }))
    }

    #[cfg(all(test, target_os = "linux"))]
    fn with_backend(backend: Arc<dyn Backend>) -> Self {
        let state = State { backend: Some(backend), failure: None };
        Self(Arc::new(Shared { options: WatcherOptions::default(), state: Mutex::new(state) }))
    }

    /// A subscription for a reader of files below `roots`.
    pub fn subscribe(&self, roots: &[PathBuf]) -> Subscription {
        let wake = Arc::new(Notify::new());
        let source = self.backend().map(|backend| {
            let reader = backend.subscribe(roots, Arc::clone(&wake));
            (backend, reader)
        });
        Subscription { source, wake }
    }

    /// Returns once everything that happened to files before the call is known: requests that begin
    /// later see it. False when `deadline` came first.
    pub fn barrier(&self, deadline: Instant) -> bool {
        // Where nothing is watched, whoever asks next looks at every file.
        let backend = self.lock().backend.clone();
        backend.is_none_or(|backend| backend.barrier(deadline))
    }

    /// What is watched and what cannot be.
    pub fn status(&self) -> WatcherStatus {
        let state = self.lock();
        match (&state.backend, &state.failure) {
            (Some(backend), _) => backend.status(),
            (None, failure) => {
                WatcherStatus { troubles: failure.iter().cloned().collect(), ..WatcherStatus::default() }
            }
        }
    }

    /// The source of changes, opened if need be; `None` when the system gives none.
    fn backend(&self) -> Option<Arc<dyn Backend>> {
        let mut state = self.lock();
        if let Some(backend) = &state.backend {
            return Some(Arc::clone(backend));
        }
        match open(&self.0.options) {
            Ok(backend) => {
                state.failure = None;
                state.backend = Some(Arc::clone(&backend));
                Some(backend)
            }
            Err(trouble) => {
                if state.failure.is_none() {
                    tracing::warn!(reason = trouble.reason, "nothing can be watched");
                }
                state.failure = Some(trouble);
                None
            }
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(target_os = "linux")]
fn open(options: &WatcherOptions) -> Result<Arc<dyn Backend>, Trouble> {
    inotify::Inotify::open(options).map(|backend| Arc::new(backend) as Arc<dyn Backend>)
}

#[cfg(not(target_os = "linux"))]
fn open(_: &WatcherOptions) -> Result<Arc<dyn Backend>, Trouble> {
    portable::Portable::open().map(|backend| Arc::new(backend) as Arc<dyn Backend>)
}

impl FileWatcher for Watcher {
    fn watch(&self, roots: &[PathBuf]) -> Box<dyn FileChanges> {
        Box::new(self.subscribe(roots))
    }
}

/// What one reader of files follows. Dropping it ends that.
#[derive(Debug)]
pub struct Subscription {
    /// `None` when the system gives no watcher.
    source: Option<(Arc<dyn Backend>, u64)>,
    wake: Arc<Notify>,
}

impl Subscription {
    /// Changes will wake [`changed`](Self::changed) from now on.
    pub fn listen(&self) {
        if let Some((backend, reader)) = &self.source {
            backend.listen(*reader, Listening::Begins);
        }
    }

    /// Waits until something may have changed since the last [`take`](FileChanges::take); only after
    /// [`listen`](Self::listen). May wake for nothing.
    ///
    /// # Cancel safety
    /// If dropped, nothing is lost.
    pub async fn changed(&self) {
        self.wake.notified().await;
    }

    /// Whether some of what is followed changes without waking anybody, and must be asked about now and
    /// then.
    pub fn needs_polling(&self) -> bool {
        self.source.as_ref().is_none_or(|(backend, reader)| backend.needs_polling(*reader))
    }
}

impl FileChanges for Subscription {
    fn follow(&mut self, folders: &mut dyn Iterator<Item = &Path>) {
        if let Some((backend, reader)) = &self.source {
            backend.follow(*reader, folders);
        }
    }

    fn take(&mut self, deadline: Instant) -> Changes {
        match &self.source {
            Some((backend, reader)) => backend.take(*reader, deadline),
            None => Changes::Everything(Reason::Unwatched),
        }
    }
}

impl Drop for Subscription {
    fn drop(&mut self) {
        if let Some((backend, reader)) = &self.source {
            backend.unsubscribe(*reader);
        }
    }
}
