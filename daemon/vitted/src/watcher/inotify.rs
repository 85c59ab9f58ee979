//! The queue, the barrier and the thread.
//!
//! There is one inotify instance for all. Events are read by whoever asks what changed, in its own
//! thread: that costs some microseconds and no change of threads. Only while somebody listens for
//! changes (watch mode) does a thread of ours wait for events; otherwise they wait in the kernel's
//! queue, and if that overflows everything is examined again, which is about what reading so many
//! events would cost.
//!
//! The barrier is a write to a file of our own that the same queue watches. The kernel queues an event
//! before the call that caused it returns, and keeps one order for all watches of an instance, so what
//! stands before our own event is everything that happened before.
use std::ffi::OsString;
use std::mem::MaybeUninit;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Instant;

use tokio::sync::Notify;
use vitte_driver::{Changes, Reason};
use vitte_sys::SysError;
use vitte_sys::watch::{Bell, Cookie, EVENT_BUFFER_BYTES, MountTable, Queue, Woken};

use super::folders::Folders;
use super::{Backend, Listening, Trouble, WatcherOptions, WatcherStatus};

/// One inotify instance.
#[derive(Debug)]
pub(super) struct Inotify {
    shared: Arc<Shared>,
    /// Started when somebody first listens.
    thread: Mutex<Option<JoinHandle<()>>>,
}

#[derive(Debug)]
struct Shared {
    queue: Queue,
    state: Mutex<State>,
    /// Ends the thread's wait when `listeners` or `is_over` has changed.
    bell: Bell,
    listeners: AtomicUsize,
    is_over: AtomicBool,
}

struct State {
    folders: Folders,
    cookie: Cookie,
    /// `None` where there is no procfs.
    mounts: Option<MountTable>,
    own_folder: PathBuf,
    buffer: Vec<MaybeUninit<u8>>,
}

impl std::fmt::Debug for State {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("State").field("folders", &self.folders).finish_non_exhaustive()
    }
}

impl Inotify {
    /// An instance that watches nothing.
    pub(super) fn open(options: &WatcherOptions) -> Result<Self, Trouble> {
        let WatcherOptions { own_folder, polled, folders_max } = options.clone();
        let failed = |error: SysError| {
            let help = match error.errno_name() {
                Some("EMFILE") => {
                    "raise `fs.inotify.max_user_instances`, or end other programs that watch files"
                }
                _ => "builds look at every file until this is mended",
            };
            Trouble { path: PathBuf::new(), reason: error.to_string(), help: help.to_owned() }
        };
        let queue = Queue::new().map_err(failed)?;
        let cookie = new_cookie(&queue, &own_folder).map_err(failed)?;
        let bell = Bell::new().map_err(failed)?;
        let mounts = MountTable::open().ok();
        let mut folders = Folders::new(polled, folders_max);
        if let Some(mounts) = mounts.as_ref().and_then(|mounts| mounts.read().ok()) {
            folders.set_mounts(&mounts);
        }
        let buffer = vec![MaybeUninit::uninit(); EVENT_BUFFER_BYTES];
        let state = State { folders, cookie, mounts, own_folder, buffer };
        let shared = Shared {
            queue,
            state: Mutex::new(state),
            bell,
            listeners: AtomicUsize::new(0),
            is_over: AtomicBool::new(false),
        };
        Ok(Self { shared: Arc::new(shared), thread: Mutex::new(None) })
    }

    /// Starts the thread that wakes listeners, unless it runs already.
    fn start_thread(&self) {
        let mut thread = self.thread.lock().unwrap_or_else(PoisonError::into_inner);
        if thread.is_some() {
            return;
        }
        let shared = Arc::clone(&self.shared);
        match vitte_sys::thread::spawn("watcher", move || shared.wake_listeners()) {
            Ok(started) => *thread = Some(started),
            Err(error) => tracing::warn!(%error, "nobody will be woken by changes"),
        }
    }
}

/// A file of our own for the barrier, in `folder` or, if that cannot be, in the one for temporary files.
fn new_cookie(queue: &Queue, folder: &Path) -> Result<Cookie, SysError> {
    static NUMBER: AtomicU64 = AtomicU64::new(0);
    let number = NUMBER.fetch_add(1, Ordering::Relaxed);
    let name = OsString::from(format!(".vitted-{}-{number}.cookie", std::process::id()));
    match Cookie::new(queue, folder, &name) {
        Ok(cookie) => Ok(cookie),
        Err(_) => Cookie::new(queue, &std::env::temp_dir(), &name),
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The thread: reads events as they come while somebody listens.
    fn wake_listeners(&self) {
        loop {
            let woken = if self.listeners.load(Ordering::SeqCst) == 0 {
                self.bell.wait().map(|()| Woken::Bell)
            } else {
                self.queue.wait(Some(&self.bell), None)
            };
            let done = match woken {
                Ok(Woken::Events) => {
                    let mut state = self.lock();
                    let read = state.read_events(&self.queue, None);
                    state.folders.look_again(&self.queue);
                    read.map(drop)
                }
                Ok(Woken::Bell | Woken::Deadline) => {
                    self.bell.silence();
                    Ok(())
                }
                Err(error) => Err(error),
            };
            match done {
                Ok(()) => {}
                Err(error) => {
                    tracing::warn!(%error, "nobody will be woken by changes any more");
                    return;
                }
            }
            if self.is_over.load(Ordering::SeqCst) {
                return;
            }
        }
    }
}

impl State {
    /// Takes in what is in the queue: all of it, or, with a deadline, up to our cookie. Whether that came,
    /// or the queue had no place for it.
    fn read_events(&mut self, queue: &Queue, until: Option<Instant>) -> Result<bool, SysError> {
        let cookie = self.cookie.watch();
        let (mut came, mut overflowed) = (false, false);
        loop {
            let folders = &mut self.folders;
            let count = queue.read(&mut self.buffer, |event| {
                if event.watch == Some(cookie) {
                    came = true;
                } else {
                    overflowed |= event.is_overflow();
                    folders.event(&event);
                }
            })?;
            match (count, until) {
                // A cookie that is left in the queue would be taken for that of a later barrier, so this
                // goes on behind an overflow until it has come or there is nothing more.
                (_, Some(_)) if came => return Ok(true),
                (0, None) => return Ok(came),
                (0, Some(_)) if overflowed => return Ok(true),
                (0, Some(deadline)) => match queue.wait(None, Some(deadline))? {
                    Woken::Events => {}
                    Woken::Bell | Woken::Deadline => return Ok(false),
                },
                (_, Some(_) | None) => {}
            }
        }
    }

    /// Learns everything that happened before the call; false when the deadline came first.
    fn barrier(&mut self, queue: &Queue, deadline: Instant) -> bool {
        if self.mounts.as_ref().is_some_and(MountTable::has_changed)
            && let Some(mounts) = self.mounts.as_ref().and_then(|mounts| mounts.read().ok())
        {
            self.folders.set_mounts(&mounts);
        }
        let passed = self.cookie.drop_in().and_then(|()| self.read_events(queue, Some(deadline)));
        let in_time = passed.unwrap_or_else(|error| {
            tracing::warn!(%error, "the queue of changes cannot be read");
            false
        });
        if !in_time {
            self.folders.examine_everything(Reason::Late);
            // The event of the old one may come late, and would be taken for that of a later barrier.
            match new_cookie(queue, &self.own_folder) {
                Ok(cookie) => queue.unwatch(std::mem::replace(&mut self.cookie, cookie).watch()),
                Err(error) => tracing::warn!(%error, "there is no barrier"),
            }
        }
        self.folders.look_again(queue);
        in_time
    }
}

impl Backend for Inotify {
    fn subscribe(&self, roots: &[PathBuf], wake: Arc<Notify>) -> u64 {
        self.shared.lock().folders.subscribe(roots, wake)
    }

    fn unsubscribe(&self, reader: u64) {
        self.listen(reader, Listening::Ends);
        self.shared.lock().folders.unsubscribe(&self.shared.queue, reader);
    }

    fn follow(&self, reader: u64, folders: &mut dyn Iterator<Item = &Path>) {
        let mut state = self.shared.lock();
        for folder in folders {
            state.folders.follow(&self.shared.queue, reader, folder);
        }
    }

    fn take(&self, reader: u64, deadline: Instant) -> Changes {
        let mut state = self.shared.lock();
        state.folders.check_roots(reader);
        state.barrier(&self.shared.queue, deadline);
        state.folders.take(reader)
    }

    fn listen(&self, reader: u64, wanted: Listening) {
        let before = self.shared.lock().folders.listen(reader, wanted);
        match (before, wanted) {
            (Listening::Ends, Listening::Begins) => {
                self.shared.listeners.fetch_add(1, Ordering::SeqCst);
                self.start_thread();
            }
            (Listening::Begins, Listening::Ends) => {
                self.shared.listeners.fetch_sub(1, Ordering::SeqCst);
            }
            (Listening::Begins, Listening::Begins) | (Listening::Ends, Listening::Ends) => return,
        }
        self.shared.bell.ring();
    }

    fn needs_polling(&self, reader: u64) -> bool {
        self.shared.lock().folders.needs_polling(reader)
    }

    fn barrier(&self, deadline: Instant) -> bool {
        self.shared.lock().barrier(&self.shared.queue, deadline)
    }

    fn status(&self) -> WatcherStatus {
        self.shared.lock().folders.status()
    }
}

impl Drop for Inotify {
    fn drop(&mut self) {
        self.shared.is_over.store(true, Ordering::SeqCst);
        self.shared.bell.ring();
        let thread = self.thread.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(thread) = thread {
            // It cannot panic, and has heard the bell.
            let _ = thread.join();
        }
    }
}
