//! Systems other than Linux: the `notify` crate wakes listeners, and answers are a look at every file.
//!
//! Neither FSEvents nor ReadDirectoryChangesW nor kqueue promises that what happened before a moment is
//! known at that moment for all folders, short of a file of ours in each of the user's folders. An
//! answer that may be too small is no answer, so none is given from events.
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use notify::{EventKind, RecommendedWatcher, RecursiveMode, Watcher as _};
use tokio::sync::Notify;
use vitte_driver::{Changes, Reason};

use super::{Backend, Listening, TROUBLES_SHOWN, Trouble, WatcherStatus};

/// Whether the system watches a whole tree at the price of one folder.
const TREES_ARE_CHEAP: bool = cfg!(any(target_os = "macos", windows));

/// One watcher of the `notify` crate.
#[derive(Debug)]
pub(super) struct Portable {
    state: Arc<Mutex<State>>,
    /// Never called while `state` is locked: its thread may wait for that lock, and we for its thread.
    watcher: Mutex<RecommendedWatcher>,
}

#[derive(Debug, Default)]
struct State {
    readers: BTreeMap<u64, Reader>,
    next_reader: u64,
    /// Folders that are watched, with how many readers want each.
    watched: BTreeMap<PathBuf, usize>,
    troubles: BTreeMap<PathBuf, String>,
    overflows: u64,
}

#[derive(Debug)]
struct Reader {
    /// What is watched for it while it listens: roots, or the folders it follows.
    folders: BTreeMap<PathBuf, Found>,
    wake: Arc<Notify>,
    listening: Listening,
    was_asked: bool,
}

/// What became of a folder that shall be watched.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Found {
    Unknown,
    Watched,
    Refused,
}

impl Portable {
    /// A watcher that watches nothing.
    pub(super) fn open() -> Result<Self, Trouble> {
        let state = Arc::new(Mutex::new(State::default()));
        let shared = Arc::clone(&state);
        let watcher = notify::recommended_watcher(move |event: notify::Result<notify::Event>| {
            lock(&shared).take_in(event);
        });
        let watcher = watcher.map_err(|error| Trouble {
            path: PathBuf::new(),
            reason: error.to_string(),
            help: "builds look at every file until this is mended".to_owned(),
        })?;
        Ok(Self { state, watcher: Mutex::new(watcher) })
    }

    /// Watches what a listening reader follows and is not watched yet.
    fn watch_new(&self, id: u64) {
        let mut watcher = self.watcher.lock().unwrap_or_else(PoisonError::into_inner);
        let new: Vec<PathBuf> = {
            let state = lock(&self.state);
            let Some(reader) = state.readers.get(&id) else { return };
            match reader.listening {
                Listening::Begins => {}
                Listening::Ends => return,
            }
            let new = reader.folders.iter().filter(|(_, found)| **found == Found::Unknown);
            new.map(|(folder, _)| folder.clone()).collect()
        };
        let mode = if TREES_ARE_CHEAP { RecursiveMode::Recursive } else { RecursiveMode::NonRecursive };
        for folder in new {
            let is_watched = lock(&self.state).watched.contains_key(&folder);
            let result = if is_watched { Ok(()) } else { watcher.watch(&folder, mode) };
            let mut state = lock(&self.state);
            let found = match result {
                Ok(()) => {
                    *state.watched.entry(folder.clone()).or_default() += 1;
                    Found::Watched
                }
                Err(error) => {
                    state.troubles.insert(folder.clone(), error.to_string());
                    Found::Refused
                }
            };
            if let Some(reader) = state.readers.get_mut(&id) {
                reader.folders.insert(folder, found);
            }
        }
    }

    /// Gives back what a reader that no longer listens had watched.
    fn unwatch(&self, id: u64) {
        let mut watcher = self.watcher.lock().unwrap_or_else(PoisonError::into_inner);
        let unused: Vec<PathBuf> = {
            let state = &mut *lock(&self.state);
            let Some(reader) = state.readers.get_mut(&id) else { return };
            let mut unused = Vec::new();
            for (folder, found) in &mut reader.folders {
                if std::mem::replace(found, Found::Unknown) != Found::Watched {
                    continue;
                }
                if let Some(count) = state.watched.get_mut(folder) {
                    *count -= 1;
                    if *count == 0 {
                        state.watched.remove(folder);
                        unused.push(folder.clone());
                    }
                }
            }
            unused
        };
        for folder in unused {
            // A folder that is gone is not watched any more.
            let _ = watcher.unwatch(&folder);
        }
    }
}

impl State {
    fn take_in(&mut self, event: notify::Result<notify::Event>) {
        let event = match event {
            Ok(event) if matches!(event.kind, EventKind::Access(_)) => return,
            Ok(event) => event,
            Err(error) => {
                self.overflows += 1;
                tracing::debug!(%error, "the watcher lost something");
                notify::Event::default()
            }
        };
        for reader in self.readers.values() {
            let concerns = |path: &PathBuf| reader.folders.keys().any(|folder| path.starts_with(folder));
            // An event without a path may be anything.
            if event.paths.is_empty() || event.paths.iter().any(concerns) {
                reader.wake.notify_one();
            }
        }
    }
}

impl Backend for Portable {
    fn subscribe(&self, roots: &[PathBuf], wake: Arc<Notify>) -> u64 {
        let mut state = lock(&self.state);
        state.next_reader += 1;
        let id = state.next_reader;
        let roots = if TREES_ARE_CHEAP { roots } else { &[] };
        let folders = roots.iter().map(|root| (root.clone(), Found::Unknown)).collect();
        state.readers.insert(id, Reader { folders, wake, listening: Listening::Ends, was_asked: false });
        id
    }

    fn unsubscribe(&self, reader: u64) {
        self.unwatch(reader);
        lock(&self.state).readers.remove(&reader);
    }

    fn follow(&self, id: u64, folders: &mut dyn Iterator<Item = &Path>) {
        if let Some(reader) = lock(&self.state).readers.get_mut(&id) {
            for folder in folders {
                if !TREES_ARE_CHEAP || !reader.folders.keys().any(|root| folder.starts_with(root)) {
                    reader.folders.entry(folder.to_path_buf()).or_insert(Found::Unknown);
                }
            }
        }
        self.watch_new(id);
    }

    fn take(&self, id: u64, _: Instant) -> Changes {
        let mut state = lock(&self.state);
        let was_asked =
            state.readers.get_mut(&id).is_some_and(|reader| std::mem::replace(&mut reader.was_asked, true));
        Changes::Everything(if was_asked { Reason::Unwatched } else { Reason::First })
    }

    fn listen(&self, id: u64, wanted: Listening) {
        if let Some(reader) = lock(&self.state).readers.get_mut(&id) {
            reader.listening = wanted;
        }
        match wanted {
            Listening::Begins => self.watch_new(id),
            Listening::Ends => self.unwatch(id),
        }
    }

    fn needs_polling(&self, id: u64) -> bool {
        let state = lock(&self.state);
        let reader = state.readers.get(&id);
        reader.is_some_and(|reader| reader.folders.values().any(|found| *found == Found::Refused))
    }

    fn barrier(&self, _: Instant) -> bool {
        // Whoever asks next looks at every file.
        true
    }

    fn status(&self) -> WatcherStatus {
        let state = lock(&self.state);
        let troubles = state.troubles.iter().map(|(path, reason)| Trouble {
            path: path.clone(),
            reason: reason.clone(),
            help: "watch mode looks at it now and then".to_owned(),
        });
        WatcherStatus {
            folders: state.watched.len() as u64,
            overflows: state.overflows,
            troubles: troubles.take(TROUBLES_SHOWN).collect(),
            troubles_hidden: state.troubles.len().saturating_sub(TROUBLES_SHOWN) as u64,
        }
    }
}

fn lock(state: &Mutex<State>) -> MutexGuard<'_, State> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}
