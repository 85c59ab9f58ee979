//! `index.vitte`: what is in the store, how large it is, and when it was used last.
//!
//! Only what can be read from the entries themselves stands in it, so that losing it costs one walk over the
//! store. It is a sled database with three kinds of keys: an entry's ([`Entry::to_key`]) with its bytes on disk
//! and last use; `s`, kind and first byte of a shard with the modification time of its directory when it was
//! last compared with the index; and `v` with the version of all this.
//!
//! sled panics on some damage and reports the rest as errors; both come out of here as [`IndexError`]. Its
//! `flush` hands bytes to the kernel (sync_file_range on Linux is no fsync), and we ask for no more: after a
//! power cut the index may be older than the directories, or damaged. If older, the directories' times differ
//! from those it recorded, and it is brought up to date; if damaged, it is made again.
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::task::{Context, Waker};
use std::time::Duration;

use crate::files::Nanos;
use crate::layout::{Entry, Kind};
use crate::scan::Shard;

/// The version of keys and values.
const VERSION: &[u8] = b"1";
const VERSION_KEY: &[u8] = b"v";

/// How late sled's threads may look for work that nobody told them of: there is none.
const POOL_SLACK: Duration = Duration::from_secs(3600);

/// Memory that sled may use for its pages.
const CACHE_BYTES: u64 = 8 << 20;

/// What the index says about an entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Row {
    /// On disk.
    pub bytes: u64,
    /// Last use.
    pub used: Nanos,
}

impl Row {
    fn encode(self) -> [u8; 16] {
        let mut value = [0; 16];
        let (bytes, used) = value.split_at_mut(8);
        bytes.copy_from_slice(&self.bytes.to_le_bytes());
        used.copy_from_slice(&self.used.to_le_bytes());
        value
    }

    fn decode(value: &[u8]) -> Option<Self> {
        let (bytes, used) = value.split_first_chunk::<8>()?;
        Some(Self { bytes: u64::from_le_bytes(*bytes), used: u64::from_le_bytes(used.try_into().ok()?) })
    }
}

/// The index cannot be used any more.
#[derive(Clone, Debug, thiserror::Error)]
#[error("{0}")]
pub(crate) struct IndexError(String);

/// The open index.
pub(crate) struct Index {
    database: sled::Db,
}

impl Index {
    /// Opens the index in the folder `path`, which is made when it is missing. May take as long as it likes.
    /// For a thread of its own: timed waits of the calling thread are not punctual afterwards.
    pub fn open(path: &Path) -> Result<Self, IndexError> {
        guarded(|| {
            // sled's threads, which it starts once for the whole process, look for work every second for ever.
            // They inherit this, and are woken all the same when there is some.
            vitte_sys::thread::delay_timeouts(POOL_SLACK);
            let database = sled::Config::new()
                .path(path)
                .cache_capacity(CACHE_BYTES)
                .mode(sled::Mode::LowSpace)
                // No thread of its own that wakes up; the keeper says when.
                .flush_every_ms(None)
                .open()?;
            if database.is_empty() {
                database.insert(VERSION_KEY, VERSION)?;
            }
            start_pool(&database);
            match database.get(VERSION_KEY)? {
                Some(version) if version == VERSION => Ok(Self { database }),
                Some(_) | None => Err(sled::Error::Unsupported("another version of the index".into())),
            }
        })
    }

    /// What is known of an entry.
    pub fn get(&self, entry: Entry) -> Result<Option<Row>, IndexError> {
        guarded(|| Ok(self.database.get(entry.to_key())?.and_then(|value| Row::decode(&value))))
    }

    /// Writes what is known of an entry; gives what was known before.
    pub fn set(&self, entry: Entry, row: Row) -> Result<Option<Row>, IndexError> {
        guarded(|| {
            let before = self.database.insert(entry.to_key(), &row.encode())?;
            Ok(before.and_then(|value| Row::decode(&value)))
        })
    }

    /// Forgets an entry; gives what was known.
    pub fn remove(&self, entry: Entry) -> Result<Option<Row>, IndexError> {
        guarded(|| Ok(self.database.remove(entry.to_key())?.and_then(|value| Row::decode(&value))))
    }

    /// Shows every entry, by kind and then by name.
    pub fn each(&self, mut show: impl FnMut(Entry, Row)) -> Result<(), IndexError> {
        guarded(|| {
            for kind in Kind::ALL {
                show_all(self.database.scan_prefix(&prefix(kind)[..1]), &mut show)?;
            }
            Ok(())
        })
    }

    /// Shows the entries of one shard, by name.
    pub fn each_of(&self, shard: Shard, mut show: impl FnMut(Entry, Row)) -> Result<(), IndexError> {
        let [kind, _] = prefix(shard.kind);
        guarded(|| show_all(self.database.scan_prefix([kind, shard.first]), &mut show))
    }

    /// When the shard's directory was compared last, as its modification time then.
    pub fn compared(&self, shard: Shard) -> Result<Option<Nanos>, IndexError> {
        guarded(|| {
            let value = self.database.get(shard_key(shard))?;
            Ok(value.and_then(|value| Some(Nanos::from_le_bytes(value.as_ref().try_into().ok()?))))
        })
    }

    /// Remembers that the shard's directory was compared when it had this modification time.
    pub fn set_compared(&self, shard: Shard, changed: Nanos) -> Result<(), IndexError> {
        guarded(|| self.database.insert(shard_key(shard), &changed.to_le_bytes()).map(drop))
    }

    /// Hands everything to the kernel.
    pub fn flush(&self) -> Result<(), IndexError> {
        guarded(|| self.database.flush().map(drop))
    }

    /// Bytes of the database's files.
    pub fn disk_bytes(&self) -> Result<u64, IndexError> {
        guarded(|| self.database.size_on_disk())
    }
}

/// Makes sled start its threads now, while timeouts of this thread are delayed.
fn start_pool(database: &sled::Db) {
    let mut flush = std::pin::pin!(database.flush_async());
    // The first step hands the flush to a thread; nobody has to wait for it.
    let _ = flush.as_mut().poll(&mut Context::from_waker(Waker::noop()));
}

fn show_all(rows: sled::Iter, show: &mut impl FnMut(Entry, Row)) -> Result<(), sled::Error> {
    for row in rows {
        let (key, value) = row?;
        let (Some(entry), Some(row)) = (Entry::from_key(&key), Row::decode(&value)) else {
            return Err(sled::Error::Corruption { at: None, bt: () });
        };
        show(entry, row);
    }
    Ok(())
}

/// What keys of this kind begin with; the second byte is the hash's first.
const fn prefix(kind: Kind) -> [u8; 2] {
    match kind {
        Kind::Blob => [b'b', 0],
        Kind::Action => [b'a', 0],
    }
}

fn shard_key(shard: Shard) -> [u8; 3] {
    let [kind, _] = prefix(shard.kind);
    [b's', kind, shard.first]
}

fn guarded<T>(work: impl FnOnce() -> Result<T, sled::Error>) -> Result<T, IndexError> {
    // Nothing of ours is left half changed by a panic: the index is given up after any error.
    match catch_unwind(AssertUnwindSafe(work)) {
        Ok(Ok(answer)) => Ok(answer),
        Ok(Err(error)) => Err(IndexError(error.to_string())),
        Err(panic) => {
            let words = panic.downcast_ref::<String>().map(String::as_str);
            let words = words.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("no words");
            Err(IndexError(format!("the database gave up: {}", words.lines().next().unwrap_or_default())))
        }
    }
}
