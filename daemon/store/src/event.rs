//! What went wrong, or was mended, without failing anything.
use std::collections::{BTreeSet, VecDeque};
use std::fmt;
use std::path::PathBuf;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::layout::Entry;

/// Something a user may want to know about the store although every request was served.
///
/// Collected by [`crate::Store::take_events`]. An event that would say the same again is said once.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Event {
    /// The folder cannot be written; what is there is used, and nothing is added.
    ReadOnly {
        /// The folder of the store.
        folder: PathBuf,
        /// What the system said.
        error: String,
    },
    /// A later version uses the folder; a folder beside it is used.
    NewerFormat {
        /// The folder that was asked for.
        folder: PathBuf,
        /// Its format.
        found: u32,
        /// The latest format that this version reads.
        known: u32,
        /// The folder in use.
        using: PathBuf,
    },
    /// There is no store; everything is computed.
    Without {
        /// The folder that was asked for.
        folder: PathBuf,
        /// Why it is not used, and what to do.
        error: String,
    },
    /// Something could not be stored. It will be computed again when it is needed.
    WriteFailed {
        /// What the system said about the first of its kind.
        error: String,
    },
    /// Something was too large to be stored in a record.
    TooLarge {
        /// The record.
        entry: Entry,
    },
    /// An entry was not what its name says and was removed.
    Damaged {
        /// The entry.
        entry: Entry,
    },
    /// An entry could not be read and was left alone.
    Unreadable {
        /// The entry.
        entry: Entry,
        /// What the system said.
        error: String,
    },
    /// The index was damaged or too slow to open. Nothing is lost: it is made again from the entries.
    IndexSetAside {
        /// What is left of it.
        aside: PathBuf,
        /// What was wrong with it.
        reason: String,
    },
    /// The index was made again.
    IndexRebuilt {
        /// Entries found.
        entries: u64,
        /// How long it took.
        elapsed: Duration,
    },
    /// There is no index; collections and statistics look at every entry instead.
    IndexUnusable {
        /// Why.
        error: String,
    },
    /// More happened than was kept.
    More {
        /// Events that were not kept.
        count: u64,
    },
}

impl Event {
    /// A code for documentation and search that no release changes.
    pub fn code(&self) -> &'static str {
        match self {
            Event::ReadOnly { .. } => "V-STORE-0101",
            Event::NewerFormat { .. } => "V-STORE-0102",
            Event::Without { .. } => "V-STORE-0103",
            Event::WriteFailed { .. } => "V-STORE-0104",
            Event::TooLarge { .. } => "V-STORE-0105",
            Event::Damaged { .. } => "V-STORE-0106",
            Event::Unreadable { .. } => "V-STORE-0107",
            Event::IndexSetAside { .. } => "V-STORE-0108",
            Event::IndexRebuilt { .. } => "V-STORE-0109",
            Event::IndexUnusable { .. } => "V-STORE-0110",
            Event::More { .. } => "V-STORE-0111",
        }
    }

    /// What the reader may do about it; `None` when nothing needs doing.
    pub fn help(&self) -> Option<&'static str> {
        match self {
            Event::ReadOnly { .. } => Some("give this user the right to write the folder"),
            Event::NewerFormat { .. } => Some("update vitte to share the newer store"),
            Event::Without { .. } => None,
            Event::WriteFailed { .. } => {
                Some("make room with `vitte cache gc`, or look at the folder's rights")
            }
            Event::TooLarge { .. } => None,
            Event::Damaged { .. } => {
                Some("if this comes again, check the disk; `vitte cache verify` looks at everything")
            }
            Event::Unreadable { .. } => {
                Some("check the disk and the folder's rights; `vitte cache repair` mends what it can")
            }
            Event::IndexSetAside { .. } | Event::IndexRebuilt { .. } => None,
            Event::IndexUnusable { .. } => {
                Some("look at the rights of `index.vitte`; `vitte cache repair` makes it again")
            }
            Event::More { .. } => Some("`vitte cache verify` looks at everything"),
        }
    }
}

impl fmt::Display for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Event::ReadOnly { folder, error } => {
                write!(f, "the store `{}` is read-only, nothing new is stored: {error}", folder.display())
            }
            Event::NewerFormat { folder, found, known, using } => write!(
                f,
                "the store `{}` has format {found}, this version knows {known}; `{}` is used instead",
                folder.display(),
                using.display()
            ),
            Event::Without { folder, error } => {
                write!(f, "the store `{}` is not used: {error}", folder.display())
            }
            Event::WriteFailed { error } => write!(f, "something could not be stored: {error}"),
            Event::TooLarge { entry } => write!(f, "{entry} is too large to be stored"),
            Event::Damaged { entry } => write!(f, "{entry} was damaged and is computed again"),
            Event::Unreadable { entry, error } => {
                write!(f, "{entry} could not be read and is computed again: {error}")
            }
            Event::IndexSetAside { aside, reason } => write!(
                f,
                "the store's index was set aside as `{}` and is made again: {reason}",
                aside.display()
            ),
            Event::IndexRebuilt { entries, elapsed } => {
                write!(f, "the store's index was made again: {entries} entries in {elapsed:.1?}")
            }
            Event::IndexUnusable { error } => write!(f, "the store works without its index: {error}"),
            Event::More { count } => write!(f, "{count} more events of the store were not kept"),
        }
    }
}

/// Events that wait to be collected.
#[derive(Debug, Default)]
pub(crate) struct Events {
    kept: Mutex<Kept>,
}

#[derive(Debug, Default)]
struct Kept {
    waiting: VecDeque<Event>,
    said: BTreeSet<Event>,
    dropped: u64,
}

/// Events that wait at most; a store with more to say says how much more.
const WAITING_MAX: usize = 64;

/// Events remembered so that they are not said twice.
const SAID_MAX: usize = 1024;

impl Events {
    pub(crate) fn say(&self, event: Event) {
        let mut kept = self.lock();
        if kept.said.contains(&event) {
            return;
        }
        if kept.said.len() < SAID_MAX {
            kept.said.insert(event.clone());
        }
        if kept.waiting.len() < WAITING_MAX {
            kept.waiting.push_back(event);
        } else {
            kept.dropped += 1;
        }
    }

    pub(crate) fn take(&self) -> Vec<Event> {
        let mut kept = self.lock();
        let mut events: Vec<Event> = kept.waiting.drain(..).collect();
        let dropped = std::mem::take(&mut kept.dropped);
        if dropped > 0 {
            events.push(Event::More { count: dropped });
        }
        events
    }

    fn lock(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_is_said_once_and_the_queue_is_bounded() {
        let events = Events::default();
        let failed = |n: usize| Event::WriteFailed { error: format!("no {n}") };
        events.say(failed(0));
        events.say(failed(0));
        assert_eq!(events.take(), [failed(0)]);
        events.say(failed(0));
        assert!(events.take().is_empty());
        for n in 1..=WAITING_MAX + 5 {
            events.say(failed(n));
        }
        let taken = events.take();
        assert_eq!(taken.len(), WAITING_MAX + 1);
        assert_eq!(taken.last(), Some(&Event::More { count: 5 }));
    }
}
