//! How a store is opened, and why it cannot be.
use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use vitte_sys::SysError;
use vitte_sys::time::{Clock, SystemClock};

/// Whether this process may own the index.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IndexUse {
    /// It becomes the owner when nobody else is: for services, and for whoever lives long enough.
    Own,
    /// It works from the files alone: for a process that lives for one command.
    Never,
}

/// How a store is opened.
#[derive(Clone)]
pub struct Options {
    /// Bytes on disk above which [`crate::Store::collect`] removes what was not used for longest.
    pub budget_bytes: u64,
    /// Entries unused for longer are removed by a collection, whatever the budget.
    pub max_age: Option<Duration>,
    /// Entries used within this time are never collected, so that what a build has just stored is still
    /// there when it takes a lease on it. The budget may be exceeded by as much as is stored in this time.
    pub grace: Duration,
    /// Blobs of at least so many bytes are stored as zstd where that makes them smaller; `None` for never.
    /// It trades time for space: a hit on a compressed blob costs its decompression.
    pub compress_from: Option<u64>,
    /// Whether this process may own the index.
    pub index: IndexUse,
    /// How long the index may take to open before it is set aside and built anew.
    pub index_deadline: Duration,
    /// Where time comes from.
    pub clock: Arc<dyn Clock>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            budget_bytes: 10 << 30,
            max_age: None,
            grace: Duration::from_secs(60),
            compress_from: None,
            index: IndexUse::Own,
            index_deadline: Duration::from_secs(3),
            clock: Arc::new(SystemClock),
        }
    }
}

impl fmt::Debug for Options {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { budget_bytes, max_age, grace, compress_from, index, index_deadline, clock: _ } = self;
        f.debug_struct("Options")
            .field("budget_bytes", budget_bytes)
            .field("max_age", max_age)
            .field("grace", grace)
            .field("compress_from", compress_from)
            .field("index", index)
            .field("index_deadline", index_deadline)
            .finish_non_exhaustive()
    }
}

/// Why the store could not do what was asked. Builds meet none of these: they use
/// [`crate::Store::open_or_without`], and reads and writes do not fail.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The folder cannot be made or opened.
    #[error("the store `{folder}` cannot be opened: {source}")]
    Open {
        /// The folder of the store.
        folder: PathBuf,
        /// What the system said.
        source: SysError,
    },
    /// The folder, and the one beside it for this version, were written by a later version.
    #[error("the store `{folder}` has format {found}; this version knows formats up to {known}")]
    NewerFormat {
        /// The folder of the store.
        folder: PathBuf,
        /// The format found.
        found: u32,
        /// The latest format that this version reads.
        known: u32,
    },
    /// The store is opened for reading only, or not at all.
    #[error("the store `{folder}` cannot be written here")]
    NotWritable {
        /// The folder of the store.
        folder: PathBuf,
    },
    /// The name of a pin is not one.
    #[error("`{name}` cannot name a pin; use 1 to 100 letters, digits, `-`, `_` and `.`, the first not `.`")]
    PinName {
        /// What was given.
        name: String,
    },
    /// What is to be pinned or leased is not all there.
    #[error("{count} of the blobs are not in the store, `{first}` among them")]
    NotThere {
        /// The first of them.
        first: crate::Digest,
        /// How many.
        count: usize,
    },
    /// Another process is collecting, or took too long to let go of a lock.
    #[error("another process holds `{lock}` of the store for longer than {waited:?}")]
    Busy {
        /// The lock.
        lock: PathBuf,
        /// How long it was waited for.
        waited: Duration,
    },
    /// The system refused something without which the request has no answer.
    #[error(transparent)]
    System(#[from] SysError),
}

impl StoreError {
    /// A code for documentation and search that no release changes.
    pub fn code(&self) -> &'static str {
        match self {
            StoreError::Open { .. } => "V-STORE-0001",
            StoreError::NewerFormat { .. } => "V-STORE-0002",
            StoreError::NotWritable { .. } => "V-STORE-0003",
            StoreError::PinName { .. } => "V-STORE-0004",
            StoreError::NotThere { .. } => "V-STORE-0005",
            StoreError::Busy { .. } => "V-STORE-0006",
            StoreError::System(_) => "V-STORE-0007",
        }
    }

    /// What the reader may do about it.
    pub fn help(&self) -> &'static str {
        match self {
            StoreError::Open { .. } => {
                "give this user the folder, or set XDG_CACHE_HOME to one that can be written"
            }
            StoreError::NewerFormat { .. } => {
                "update vitte, or set XDG_CACHE_HOME to another folder for this version"
            }
            StoreError::NotWritable { .. } => "give this user the right to write the folder",
            StoreError::PinName { .. } => "choose another name",
            StoreError::NotThere { .. } => "build again, then repeat the command",
            StoreError::Busy { .. } => "wait for the other `vitte cache` command, then try again",
            StoreError::System(_) => "mend what the message names, then try again",
        }
    }
}
