//! Where the engine learns which files may have changed.
//!
//! The engine says which folders it has looked into ([`FileChanges::follow`]) and asks before each
//! request what may have changed there ([`FileChanges::take`]). How that is known is the service's
//! business. An engine without a watcher looks at every file it knows, and that is always right.
//!
//! An answer may name too much, never too little, with three exceptions that the reader of files must
//! cover by looking at the file each time, because no watcher of folders can see them:
//! * a file whose own last name is a symbolic link: what it points at may change elsewhere (links
//!   among the *folders* of a path are covered);
//! * a file with several names (hard links), written through a name in a folder that is not followed;
//! * stores into a shared mapping: they are reported when the mapping is gone, not when they happen.
use std::collections::BTreeSet;
use std::fmt;
use std::path::{Path, PathBuf};
use std::time::Instant;

/// Something that watches folders.
pub trait FileWatcher: Send + Sync + fmt::Debug {
    /// Begins to watch for one reader of files below `roots` (absolute; they need not exist).
    /// Nothing is followed yet.
    fn watch(&self, roots: &[PathBuf]) -> Box<dyn FileChanges>;
}

/// What one reader of files wants to know. Dropping it ends the watch.
pub trait FileChanges: Send + fmt::Debug {
    /// Also follows what stands directly in each of `folders` (absolute, spelled as the answers shall
    /// spell them). A folder need not exist: that it appears, or that any folder on the way from its
    /// root to it is renamed, replaced or removed, is seen too. Following a folder again costs a
    /// look-up.
    ///
    /// May be called after the files were read: the next [`take`](Self::take) names each folder that is
    /// new here, so that what changed before the watch began is examined once more.
    fn follow(&mut self, folders: &mut dyn Iterator<Item = &Path>);

    /// What may have changed since the last call, as of now: every write, rename or removal that
    /// returned to its caller before this call began is in this answer or an earlier one. The first
    /// answer is [`Changes::Everything`]. Waits until `deadline` at most.
    fn take(&mut self, deadline: Instant) -> Changes;
}

/// What may have changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Changes {
    /// Each of these paths *and everything below it*; nothing else. Files and folders alike; they need
    /// not exist, and need not be known to the reader.
    Paths(BTreeSet<PathBuf>),
    /// Every file must be examined again.
    Everything(Reason),
}

/// Why everything must be examined again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Reason {
    /// Nothing was asked before.
    First,
    /// More happened than the system or the watcher keeps.
    Overflow,
    /// What happened was not known before the deadline.
    Late,
    /// Nothing is watched, or this system cannot say what happened before a moment.
    Unwatched,
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::First => "nothing was asked before",
            Self::Overflow => "more happened than is kept",
            Self::Late => "the system did not say in time what happened",
            Self::Unwatched => "nothing is watched",
        })
    }
}

/// Watches nothing: every answer is [`Changes::Everything`].
#[derive(Clone, Copy, Debug, Default)]
pub struct Unwatched;

impl FileWatcher for Unwatched {
    fn watch(&self, _: &[PathBuf]) -> Box<dyn FileChanges> {
        Box::new(Self)
    }
}

impl FileChanges for Unwatched {
    fn follow(&mut self, _: &mut dyn Iterator<Item = &Path>) {}

    fn take(&mut self, _: Instant) -> Changes {
        Changes::Everything(Reason::Unwatched)
    }
}
