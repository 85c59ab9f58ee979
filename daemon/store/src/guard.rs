//! Leases and pins: what a collection may not take.
//!
//! A lease lasts as long as a process wants something; a pin lasts until it is taken back. Both are files that
//! list digests. A lease's file is locked by its holder, and the kernel lets go of the lock when the holder
//! dies, however it dies: a file that can be locked is a lease that nobody holds.
//!
//! Taking a lease and deleting exclude each other ([`Gate`]), so that what was seen to be there when the lease
//! was taken stays there.
use std::collections::BTreeSet;
use std::fs::File;
use std::io::Write;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use vitte_sys::fs::{Durability, FileLock, RangeLock, Sharing};
use vitte_sys::{Op, SysError};

use crate::digest::{Digest, sha256};
use crate::files::Files;
use crate::layout::{COLLECT_LOCK, Entry, LEASES, PINS};
use crate::options::StoreError;
use crate::store::{Inner, Store};

/// Blobs that no collection of any process takes, until this is dropped.
#[derive(Debug)]
#[must_use = "dropping a lease gives it up"]
pub struct Lease {
    missing: Vec<Digest>,
    /// The file, when it could be written.
    held: Option<(Arc<Files>, String, FileLock)>,
}

impl Lease {
    /// Those of the digests that were not in the store when the lease was taken.
    pub fn missing(&self) -> &[Digest] {
        &self.missing
    }

    /// Whether other processes see it. They do not where the folder cannot be written.
    pub fn is_held(&self) -> bool {
        self.held.is_some()
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        if let Some((files, path, _lock)) = self.held.take() {
            // A file that stays is removed by the next collection, which can lock it.
            let _ = files.remove(&path);
        }
    }
}

/// Blobs that are never collected until the pin is taken back, under a name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pin {
    /// The name.
    pub name: String,
    /// The blobs.
    pub digests: Vec<Digest>,
}

/// The most digests that a lease or pin may list.
const LIST_BYTES_MAX: u64 = 64 << 20;

/// How long a lease waits for a batch of deletions, and a batch for leases.
const GATE_DEADLINE: Duration = Duration::from_secs(5);

impl Store {
    /// Keeps those of `digests` that are there from being collected by any process. Where the file that says so
    /// cannot be written, an event says why, and the blobs are protected by [`crate::Options::grace`] alone.
    pub fn lease(&self, digests: &[Digest]) -> Lease {
        let inner = &self.inner;
        let Some(files) = &inner.files else { return Lease { missing: digests.to_vec(), held: None } };
        let taken = match inner.writable() {
            Ok(files) => take_lease(inner, files, digests),
            // Nothing of ours can be written, and nobody who could collect asks us.
            Err(_) => Ok((inner.missing(files, digests), None)),
        };
        let (missing, held) = taken.unwrap_or_else(|error| {
            match &error {
                StoreError::System(error) => inner.write_failed(error),
                other => inner.events.say(crate::Event::WriteFailed { error: other.to_string() }),
            }
            (inner.missing(files, digests), None)
        });
        let held = held.map(|(path, lock)| (Arc::clone(files), path, lock));
        Lease { missing, held }
    }

    /// Keeps `digests` from being collected until [`Store::unpin`], also across restarts and power cuts.
    /// Replaces an earlier pin of that name.
    ///
    /// # Errors
    /// [`StoreError::NotThere`] when a blob is missing, [`StoreError::PinName`], [`StoreError::NotWritable`],
    /// [`StoreError::Busy`], [`StoreError::System`].
    pub fn pin(&self, name: &str, digests: &[Digest]) -> Result<(), StoreError> {
        check_name(name)?;
        let files = self.inner.writable()?;
        let lock = files.open_lock(COLLECT_LOCK)?;
        let _gate = Gate::shared(files, &lock)?;
        let missing = self.inner.missing(files, digests);
        if let Some(first) = missing.first() {
            return Err(StoreError::NotThere { first: *first, count: missing.len() });
        }
        let path = format!("{PINS}/{name}");
        Ok(files.write(&path, &encode(digests), 0o644, Durability::Flushed)?)
    }

    /// Takes a pin back; fine when there is none of that name.
    ///
    /// # Errors
    /// [`StoreError::PinName`], [`StoreError::NotWritable`], [`StoreError::System`].
    pub fn unpin(&self, name: &str) -> Result<(), StoreError> {
        check_name(name)?;
        Ok(self.inner.writable()?.remove(&format!("{PINS}/{name}"))?)
    }

    /// The pins, sorted by name.
    ///
    /// # Errors
    /// [`StoreError::System`] when a pin cannot be read or is damaged: unpin it, or pin again.
    pub fn pins(&self) -> Result<Vec<Pin>, StoreError> {
        let Some(files) = &self.inner.files else { return Ok(Vec::new()) };
        Ok(read_pins(files)?)
    }
}

impl Inner {
    fn missing(&self, files: &Files, digests: &[Digest]) -> Vec<Digest> {
        let now = self.now();
        let missing = |digest: &Digest| match self.find_blob(files, digest) {
            Some((form, stamp)) => {
                files.touch(&Entry::Blob(*digest).path(form), &stamp, now);
                false
            }
            None => true,
        };
        digests.iter().copied().filter(missing).collect()
    }
}

fn check_name(name: &str) -> Result<(), StoreError> {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    if (1..=100).contains(&name.len()) && name.chars().all(plain) && !name.starts_with('.') {
        return Ok(());
    }
    Err(StoreError::PinName { name: name.chars().take(120).collect() })
}

type Held = Option<(String, FileLock)>;

fn take_lease(inner: &Inner, files: &Files, digests: &[Digest]) -> Result<(Vec<Digest>, Held), StoreError> {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    let gate_file = files.open_lock(COLLECT_LOCK)?;
    let _gate = Gate::shared(files, &gate_file)?;
    let path = format!("{LEASES}/{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
    let absolute = files.absolute(&path);
    let lock = match FileLock::try_exclusive(&absolute) {
        Err(error) if crate::files::is_absence(&error) => {
            files.create_directories(LEASES)?;
            FileLock::try_exclusive(&absolute)?
        }
        answer => answer?,
    };
    // Numbers of processes come again, also in other containers over the same folder: then the name is taken.
    let Some(lock) = lock else {
        return Err(StoreError::Busy { lock: absolute, waited: Duration::ZERO });
    };
    let write = |error: std::io::Error| SysError::new(Op::Write, &absolute, error);
    let written = lock.file().set_len(0).and_then(|()| lock.file().write_all(&encode(digests)));
    if let Err(error) = written {
        // Half a list protects nothing, and would stop every collection.
        let _ = files.remove(&path);
        return Err(write(error).into());
    }
    Ok((inner.missing(files, digests), Some((path, lock))))
}

/// Excludes taking leases and deleting from each other, by a lock on one byte of `collect.lock`.
pub(crate) struct Gate<'f>(#[allow(dead_code, reason = "held")] RangeLock<'f>);

/// The bytes of `collect.lock`, which is empty: locks may lie beyond the end of a file.
const GATE: std::ops::Range<u64> = 0..1;
const COUNTERS: std::ops::Range<u64> = 1..2;
const COLLECTOR: std::ops::Range<u64> = 2..3;

impl<'f> Gate<'f> {
    /// For many who take leases.
    pub fn shared(files: &Files, lock: &'f File) -> Result<Self, StoreError> {
        wait_for(files, lock, GATE, Sharing::Shared, GATE_DEADLINE).map(Self)
    }

    /// For one who deletes.
    pub fn exclusive(files: &Files, lock: &'f File) -> Result<Self, StoreError> {
        wait_for(files, lock, GATE, Sharing::Exclusive, GATE_DEADLINE).map(Self)
    }
}

/// The right to be the one process that collects.
pub(crate) fn lock_collector<'f>(files: &Files, lock: &'f File) -> Result<RangeLock<'f>, StoreError> {
    wait_for(files, lock, COLLECTOR, Sharing::Exclusive, Duration::from_millis(500))
}

fn wait_for<'f>(
    files: &Files,
    lock: &'f File,
    range: std::ops::Range<u64>,
    sharing: Sharing,
    deadline: Duration,
) -> Result<RangeLock<'f>, StoreError> {
    let started = Instant::now();
    let mut pause = Duration::from_micros(100);
    loop {
        if let Some(lock) = RangeLock::try_take(lock, range.clone(), sharing)? {
            return Ok(lock);
        }
        if started.elapsed() >= deadline {
            return Err(StoreError::Busy { lock: files.absolute(COLLECT_LOCK), waited: deadline });
        }
        std::thread::sleep(pause);
        pause = (pause * 2).min(Duration::from_millis(10));
    }
}

/// Does `work` while nobody else changes the counters; `None` when somebody does for longer than they need.
pub(crate) fn with_counters<T>(files: &Files, work: impl FnOnce() -> T) -> Option<T> {
    let file = files.open_lock(COLLECT_LOCK).ok()?;
    let _lock = wait_for(files, &file, COUNTERS, Sharing::Exclusive, Duration::from_millis(200)).ok()?;
    Some(work())
}

/// How many pins and held leases there are.
#[derive(Debug, Default)]
pub(crate) struct Census {
    pub pins: u64,
    pub leases: u64,
}

pub(crate) fn census(files: &Files) -> Census {
    let leases = files.list(LEASES).unwrap_or_default();
    let held = |name: &String| {
        matches!(FileLock::try_exclusive(&files.absolute(&format!("{LEASES}/{name}"))), Ok(None))
    };
    Census {
        pins: pin_names(files).unwrap_or_default().len() as u64,
        leases: leases.iter().filter(|name| held(name)).count() as u64,
    }
}

/// Everything that is pinned or leased now. The caller holds the gate. Files of leases that nobody holds are
/// removed.
pub(crate) fn protected(files: &Files) -> Result<BTreeSet<Digest>, SysError> {
    let mut all: BTreeSet<Digest> = read_pins(files)?.into_iter().flat_map(|pin| pin.digests).collect();
    for name in files.list(LEASES)? {
        let path = format!("{LEASES}/{name}");
        match FileLock::try_exclusive(&files.absolute(&path)) {
            Ok(None) => all.extend(read_list(files, &path)?),
            Ok(Some(_nobody)) => files.remove(&path)?,
            Err(error) if crate::files::is_absence(&error) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(all)
}

fn pin_names(files: &Files) -> Result<Vec<String>, SysError> {
    Ok(files.list(PINS)?.into_iter().filter(|name| check_name(name).is_ok()).collect())
}

fn read_pins(files: &Files) -> Result<Vec<Pin>, SysError> {
    let read = |name: String| Ok(Pin { digests: read_list(files, &format!("{PINS}/{name}"))?, name });
    pin_names(files)?.into_iter().map(read).collect()
}

/// What a list protects. A list that cannot be read stops whoever wanted to delete.
fn read_list(files: &Files, path: &str) -> Result<Vec<Digest>, SysError> {
    let read = match files.read(path, LIST_BYTES_MAX) {
        // Given up meanwhile.
        Err(error) if crate::files::is_absence(&error) => return Ok(Vec::new()),
        answer => answer?,
    };
    decode(&read.bytes).ok_or_else(|| {
        let words = "a list of protected blobs is damaged; unpin it, or end the process that leased";
        let error = std::io::Error::new(std::io::ErrorKind::InvalidData, words);
        SysError::new(Op::Read, &files.absolute(path), error)
    })
}

const MAGIC: &[u8; 8] = b"VITTELI\x01";

fn encode(digests: &[Digest]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(MAGIC.len() + digests.len() * Digest::LENGTH + 32);
    bytes.extend_from_slice(MAGIC);
    for digest in digests {
        bytes.extend_from_slice(&digest.to_bytes());
    }
    let check = sha256(&[&bytes]);
    bytes.extend_from_slice(&check);
    bytes
}

fn decode(bytes: &[u8]) -> Option<Vec<Digest>> {
    let (body, check) = bytes.split_last_chunk::<32>()?;
    if sha256(&[body]) != *check {
        return None;
    }
    body.strip_prefix(MAGIC)?.chunks(Digest::LENGTH).map(Digest::from_bytes).collect()
}
