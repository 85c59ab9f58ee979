//! Open, put, get, publish, look up.
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use vitte_sys::SysError;
use vitte_sys::fs::{Durability, FileKind};

use crate::counts::{Counter, Counters, Counts, MissReason};
use crate::digest::{ActionKey, Digest};
use crate::event::{Event, Events};
use crate::files::{Contents, Files, Nanos, is_absence, is_refusal};
use crate::keeper::{Change, Keeper};
use crate::layout::{self, Entry, Form, Kind, disk_bytes};
use crate::options::{IndexUse, Options, StoreError};
use crate::record::{self, ActionResult, RECORD_BYTES_MAX};
use crate::{packing, scan};

/// A store. Cheap to clone; every clone is the same store. All methods block on the file system and may be
/// called from any thread at the same time.
#[derive(Clone, Debug)]
pub struct Store {
    pub(crate) inner: Arc<Inner>,
}

#[derive(Debug)]
pub(crate) struct Inner {
    /// `None` when there is no store.
    pub files: Option<Arc<Files>>,
    pub folder: PathBuf,
    pub options: Options,
    pub events: Arc<Events>,
    pub counters: Counters,
    read_only: AtomicBool,
    /// What the index has not been told yet.
    changes: Mutex<Vec<Change>>,
    /// The index, when this process owns it.
    keeper: Mutex<Option<Arc<Keeper>>>,
}

/// What became of something that was to be stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kept {
    /// It is in the store now, and survives the death of this process.
    Stored,
    /// It was there already.
    AlreadyThere,
    /// It could not be stored; an [`Event`] says why.
    Dropped,
}

/// The answer to "what did this action give?".
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Lookup {
    /// This, and every output was there when it was answered.
    Hit(ActionResult),
    /// It must be computed.
    Miss(MissReason),
}

/// What this process may do with the folder.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// Read and write.
    ReadWrite,
    /// Read.
    ReadOnly,
    /// Nothing: there is no store.
    None,
}

/// Where the index is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IndexState {
    /// This process owns it and it is complete.
    Ready,
    /// This process owns it and is still reading or making it.
    Starting,
    /// Another process owns it, or this one was told not to use it, or it failed.
    NotHere,
}

/// Entries of one kind.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct KindStats {
    /// How many.
    pub entries: u64,
    /// What they take on disk, in blocks of 4 KiB.
    pub bytes: u64,
}

/// What is in the store and how it served.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stats {
    /// The folder in use.
    pub folder: PathBuf,
    /// What this process may do with it.
    pub access: Access,
    /// Where the index is.
    pub index: IndexState,
    /// Blobs.
    pub blobs: KindStats,
    /// Records of actions.
    pub actions: KindStats,
    /// Bytes above which a collection removes something.
    pub budget_bytes: u64,
    /// Pins.
    pub pins: u64,
    /// Leases held by any process now.
    pub leases: u64,
    /// Hits and misses of all processes, since the counters began.
    pub counts: Counts,
}

/// Changes kept back before the index is told.
const CHANGES_MAX: usize = 4096;

/// Items of a batch worth a thread of their own: a file takes some tens of microseconds, as does a thread.
const BATCH_MIN: usize = 64;

impl Store {
    /// Opens the store in `folder` and makes it when it is missing. Does not wait for the index, however large
    /// the store is: a thread opens it, or sets it aside and makes it again.
    ///
    /// A folder that cannot be written is used for reading. A folder of a later version is left alone and
    /// `FOLDER-format1` beside it is used. [`Store::take_events`] tells.
    ///
    /// # Errors
    /// [`StoreError::Open`] when the folder can neither be made nor opened, [`StoreError::NewerFormat`] when the
    /// folder beside is of a later version too.
    pub fn open(folder: &Path, options: Options) -> Result<Self, StoreError> {
        let events = Events::default();
        let (files, access) = match enter(folder, &events)? {
            Entered::Ours(files, access) => (files, access),
            Entered::Newer(found) => {
                let mut name = folder.file_name().unwrap_or_default().to_owned();
                name.push(format!("-format{}", layout::FORMAT));
                let beside = folder.with_file_name(name);
                match enter(&beside, &events)? {
                    Entered::Ours(files, access) => {
                        events.say(Event::NewerFormat {
                            folder: folder.to_owned(),
                            found,
                            known: layout::FORMAT,
                            using: beside,
                        });
                        (files, access)
                    }
                    Entered::Newer(found) => {
                        return Err(StoreError::NewerFormat { folder: beside, found, known: layout::FORMAT });
                    }
                }
            }
        };
        let folder = files.folder().to_owned();
        let store = Self::with(Some(files), folder, access, options, events);
        store.adopt_index();
        Ok(store)
    }

    /// [`Store::open`]; where that fails, a store that keeps nothing, with an event that says why.
    pub fn open_or_without(folder: &Path, options: Options) -> Self {
        match Self::open(folder, options.clone()) {
            Ok(store) => store,
            Err(error) => {
                let store = Self::with(None, folder.to_owned(), Access::None, options, Events::default());
                store.inner.events.say(Event::Without {
                    folder: folder.to_owned(),
                    error: format!("{error}; {}", error.help()),
                });
                store
            }
        }
    }

    /// A store that keeps nothing: every look-up is a miss.
    pub fn without() -> Self {
        Self::with(None, PathBuf::new(), Access::None, Options::default(), Events::default())
    }

    pub(crate) fn with(
        files: Option<Files>,
        folder: PathBuf,
        access: Access,
        options: Options,
        events: Events,
    ) -> Self {
        let inner = Inner {
            files: files.map(Arc::new),
            folder,
            options,
            events: Arc::new(events),
            counters: Counters::default(),
            read_only: AtomicBool::new(access != Access::ReadWrite),
            changes: Mutex::default(),
            keeper: Mutex::default(),
        };
        Self { inner: Arc::new(inner) }
    }

    /// The folder in use; empty for [`Store::without`].
    pub fn folder(&self) -> &Path {
        &self.inner.folder
    }

    /// What this process may do with the folder.
    pub fn access(&self) -> Access {
        self.inner.access()
    }

    /// What happened since this was asked last, oldest first. At most 65 events.
    pub fn take_events(&self) -> Vec<Event> {
        self.inner.events.take()
    }

    /// Stores `bytes` as a blob. Costs a SHA-256 and, when the blob is new, one small file. A blob that is there
    /// already is read and compared, and replaced where it is damaged.
    pub fn put(&self, bytes: &[u8]) -> (Digest, Kept) {
        let digest = Digest::of(bytes);
        (digest, self.inner.put(&digest, bytes))
    }

    /// [`Store::put`] for many blobs, on several threads when there are enough. In the order given.
    pub fn put_many<B: AsRef<[u8]> + Sync>(&self, blobs: &[B]) -> Vec<(Digest, Kept)> {
        in_parallel(blobs, |bytes| self.put(bytes.as_ref()))
    }

    /// The blob `digest`, verified; `None` when it is not there, damaged (and then removed) or unreadable.
    pub fn get(&self, digest: &Digest) -> Option<Vec<u8>> {
        self.inner.get(digest)
    }

    /// Whether the blob `digest` is there with the right size. Its bytes are not looked at.
    pub fn contains(&self, digest: &Digest) -> bool {
        self.inner.files.as_ref().is_some_and(|files| self.inner.find_blob(files, digest).is_some())
    }

    /// Stores what the action `key` gave, over what was known before. Store the outputs first. Results of
    /// failures that may be transient do not belong here.
    pub fn publish(&self, key: &ActionKey, result: &ActionResult) -> Kept {
        self.inner.publish(key, result)
    }

    /// [`Store::publish`] for many actions, on several threads when there are enough. In the order given.
    pub fn publish_many(&self, results: &[(ActionKey, ActionResult)]) -> Vec<Kept> {
        in_parallel(results, |(key, result)| self.publish(key, result))
    }

    /// What the action `key` gave. A hit was verified, and its outputs are there; take a [`Store::lease`]
    /// where they must stay. One file is read, and one stat call made for each output.
    pub fn lookup(&self, key: &ActionKey) -> Lookup {
        self.inner.lookup(key)
    }

    /// [`Store::lookup`] for many actions, on several threads when there are enough. In the order given.
    pub fn lookup_many(&self, keys: &[ActionKey]) -> Vec<Lookup> {
        in_parallel(keys, |key| self.lookup(key))
    }

    /// What is in the store and how it served. Brings the index up to date first, or looks at every entry
    /// where there is none.
    pub fn stats(&self) -> Stats {
        let inner = &self.inner;
        self.adopt_index();
        let (blobs, actions, index) = match inner.totals() {
            Some(([blobs, actions], index)) => (blobs, actions, index),
            None => (KindStats::default(), KindStats::default(), IndexState::NotHere),
        };
        let held = inner.files.as_ref().map(|files| crate::guard::census(files)).unwrap_or_default();
        Stats {
            folder: inner.folder.clone(),
            access: inner.access(),
            index,
            blobs,
            actions,
            budget_bytes: inner.options.budget_bytes,
            pins: held.pins,
            leases: held.leases,
            counts: inner.saved_counts(),
        }
    }

    /// Whether the store is over its budget as far as is known without looking: for the decision to
    /// collect at idle. Always `false` where this process does not own the index.
    pub fn is_over_budget(&self) -> bool {
        let keeper = self.inner.keeper().clone();
        keeper.is_some_and(|keeper| keeper.bytes() > self.inner.options.budget_bytes)
    }

    /// Tells the index what happened and writes the counters: for moments of rest. Nothing depends on it but
    /// the precision of statistics and of the order of collection.
    pub fn settle(&self) {
        self.adopt_index();
        self.inner.tell_keeper();
        self.inner.save_counts();
    }

    /// Becomes the owner of the index if this process may and nobody else is.
    pub(crate) fn adopt_index(&self) {
        let inner = &self.inner;
        let Some(files) = &inner.files else { return };
        if inner.options.index == IndexUse::Never || inner.access() != Access::ReadWrite {
            return;
        }
        let mut keeper = inner.keeper();
        if keeper.is_some() {
            return;
        }
        match Keeper::start(files, &inner.options, &inner.events) {
            Ok(started) => *keeper = started.map(Arc::new),
            Err(error) => inner.events.say(Event::IndexUnusable { error: error.to_string() }),
        }
    }
}

impl Inner {
    pub fn access(&self) -> Access {
        match (&self.files, self.read_only.load(Ordering::Relaxed)) {
            (None, _) => Access::None,
            (Some(_), true) => Access::ReadOnly,
            (Some(_), false) => Access::ReadWrite,
        }
    }

    /// The files, when they may be written.
    pub fn writable(&self) -> Result<&Arc<Files>, StoreError> {
        match (&self.files, self.access()) {
            (Some(files), Access::ReadWrite) => Ok(files),
            (None | Some(_), _) => Err(StoreError::NotWritable { folder: self.folder.clone() }),
        }
    }

    pub fn now(&self) -> Nanos {
        Nanos::try_from(self.options.clock.wall().as_unix_nanos()).unwrap_or(0)
    }

    pub fn keeper(&self) -> MutexGuard<'_, Option<Arc<Keeper>>> {
        self.keeper.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn put(&self, digest: &Digest, bytes: &[u8]) -> Kept {
        let Ok(files) = self.writable() else { return self.dropped() };
        let entry = Entry::Blob(*digest);
        if [Form::Plain, Form::Packed].into_iter().any(|form| self.holds(files, digest, form, bytes)) {
            self.used(entry);
            self.counters.add(Counter::AlreadyThere);
            return Kept::AlreadyThere;
        }
        let packed = match self.options.compress_from {
            Some(least) if digest.size() >= least => packing::pack(bytes),
            Some(_) | None => None,
        };
        match &packed {
            Some(packed) => self.write(files, entry, Form::Packed, packed),
            None => self.write(files, entry, Form::Plain, bytes),
        }
    }

    /// Whether the blob is there with these very bytes. One that is damaged is removed. Reading costs less than
    /// the digest that the caller has just made.
    fn holds(&self, files: &Files, digest: &Digest, form: Form, bytes: &[u8]) -> bool {
        let entry = Entry::Blob(*digest);
        let Ok(read) = self.read_entry(files, digest, form) else { return false };
        let is_whole = match form {
            Form::Plain => read.bytes == bytes,
            Form::Packed => packing::unpack(&read.bytes, digest).is_some(),
        };
        if is_whole {
            read.touch(self.now());
        } else {
            self.damaged(files, entry);
        }
        is_whole
    }

    fn publish(&self, key: &ActionKey, result: &ActionResult) -> Kept {
        let Ok(files) = self.writable() else { return self.dropped() };
        let entry = Entry::Action(*key);
        let Some(bytes) = record::encode(key, result) else {
            self.events.say(Event::TooLarge { entry });
            return self.dropped();
        };
        // The same again, as when two processes build one program, is not written again: replacing a file makes
        // many file systems flush it.
        if let Ok(there) = files.read(&entry.path(Form::Plain), bytes.len() as u64)
            && there.bytes == bytes
        {
            self.used(entry);
            there.touch(self.now());
            self.counters.add(Counter::AlreadyThere);
            return Kept::AlreadyThere;
        }
        self.write(files, entry, Form::Plain, &bytes)
    }

    fn write(&self, files: &Files, entry: Entry, form: Form, bytes: &[u8]) -> Kept {
        match files.write_entry(&entry.path(form), bytes) {
            Ok(()) => {
                let bytes = disk_bytes(bytes.len() as u64);
                self.note(Change::Added { entry, bytes, used: self.now() });
                self.counters.add(Counter::Stored);
                Kept::Stored
            }
            Err(error) => {
                self.write_failed(&error);
                self.dropped()
            }
        }
    }

    /// Says once what was in the way, and stops trying where it will stay in the way.
    pub fn write_failed(&self, error: &SysError) {
        if error.kind() == std::io::ErrorKind::ReadOnlyFilesystem {
            if !self.read_only.swap(true, Ordering::Relaxed) {
                self.events.say(Event::ReadOnly { folder: self.folder.clone(), error: error.to_string() });
            }
            return;
        }
        // Without the path: a full disk is one event, whatever did not fit.
        let error = SysError::bare(error.op(), error.to_io()).to_string();
        self.events.say(Event::WriteFailed { error });
    }

    fn dropped(&self) -> Kept {
        self.counters.add(Counter::Dropped);
        Kept::Dropped
    }

    /// The form and stamp of a blob that is there with a size that it can have.
    pub fn find_blob(&self, files: &Files, digest: &Digest) -> Option<(Form, vitte_sys::fs::FileStamp)> {
        let entry = Entry::Blob(*digest);
        [Form::Plain, Form::Packed].into_iter().find_map(|form| {
            let stamp = files.stamp(&entry.path(form)).ok().flatten()?;
            let fits = match form {
                Form::Plain => stamp.size == digest.size(),
                Form::Packed => stamp.size > 0,
            };
            (stamp.kind == FileKind::File && fits).then_some((form, stamp))
        })
    }

    fn get(&self, digest: &Digest) -> Option<Vec<u8>> {
        let missed = |reason| {
            self.counters.add(Counter::BlobMiss(reason));
            None
        };
        let Some(files) = &self.files else { return missed(MissReason::NoStore) };
        let mut reason = MissReason::Absent;
        for form in [Form::Plain, Form::Packed] {
            match self.read_blob(files, digest, form) {
                Ok(bytes) => {
                    self.used(Entry::Blob(*digest));
                    self.counters.add(Counter::BlobHit);
                    return Some(bytes);
                }
                Err(MissReason::Absent) => {}
                Err(worse) => reason = worse,
            }
        }
        missed(reason)
    }

    fn read_blob(&self, files: &Files, digest: &Digest, form: Form) -> Result<Vec<u8>, MissReason> {
        let entry = Entry::Blob(*digest);
        let read = self.read_entry(files, digest, form)?;
        read.touch(self.now());
        let bytes = match form {
            Form::Plain => Some(read.bytes).filter(|bytes| Digest::of(bytes) == *digest),
            Form::Packed => packing::unpack(&read.bytes, digest),
        };
        bytes.ok_or_else(|| self.damaged(files, entry))
    }

    /// The file of a blob, as it is.
    fn read_entry(&self, files: &Files, digest: &Digest, form: Form) -> Result<Contents, MissReason> {
        let entry = Entry::Blob(*digest);
        let limit = match form {
            Form::Plain => digest.size(),
            Form::Packed => packing::packed_bytes_max(digest.size()),
        };
        files.read(&entry.path(form), limit).map_err(|error| self.unread(files, entry, &error))
    }

    fn lookup(&self, key: &ActionKey) -> Lookup {
        let missed = |reason| {
            self.counters.add(Counter::ActionMiss(reason));
            Lookup::Miss(reason)
        };
        let Some(files) = &self.files else { return missed(MissReason::NoStore) };
        let entry = Entry::Action(*key);
        let read = match files.read(&entry.path(Form::Plain), RECORD_BYTES_MAX) {
            Ok(read) => read,
            Err(error) => return missed(self.unread(files, entry, &error)),
        };
        let result = match record::decode(key, &read.bytes) {
            Ok(result) => result,
            Err(record::Refused::Newer) => return missed(MissReason::NewerFormat),
            Err(record::Refused::Damaged) => return missed(self.damaged(files, entry)),
        };
        let now = self.now();
        for (_, digest) in &result.outputs {
            let Some((form, stamp)) = self.find_blob(files, digest) else {
                return missed(MissReason::OutputsMissing);
            };
            // A result keeps what it names alive.
            let blob = Entry::Blob(*digest);
            files.touch(&blob.path(form), &stamp, now);
            self.used(blob);
        }
        read.touch(now);
        self.used(entry);
        self.counters.add(Counter::ActionHit);
        Lookup::Hit(result)
    }

    /// The reason for a miss that `error` is; what is in the place of an entry but cannot be one is damage.
    fn unread(&self, files: &Files, entry: Entry, error: &SysError) -> MissReason {
        match error.kind() {
            _ if is_absence(error) => MissReason::Absent,
            std::io::ErrorKind::FileTooLarge | std::io::ErrorKind::InvalidData => self.damaged(files, entry),
            _ => {
                self.events.say(Event::Unreadable { entry, error: error.to_string() });
                MissReason::Unreadable
            }
        }
    }

    /// Removes an entry that is not what its name says. If somebody has just replaced it by a good one, that is
    /// lost too, which costs no more than computing it again.
    pub fn damaged(&self, files: &Files, entry: Entry) -> MissReason {
        self.events.say(Event::Damaged { entry });
        if self.access() == Access::ReadWrite {
            self.remove(files, entry);
        }
        MissReason::Damaged
    }

    /// Removes an entry in all its forms.
    pub fn remove(&self, files: &Files, entry: Entry) -> bool {
        let forms: &[Form] = match entry {
            Entry::Blob(_) => &[Form::Plain, Form::Packed],
            Entry::Action(_) => &[Form::Plain],
        };
        for form in forms {
            if let Err(error) = files.remove_tree(&entry.path(*form)) {
                self.write_failed(&error);
                return false;
            }
        }
        self.note(Change::Removed { entry });
        true
    }

    fn used(&self, entry: Entry) {
        self.note(Change::Used { entry, used: self.now() });
    }

    pub fn note(&self, change: Change) {
        let mut changes = self.changes.lock().unwrap_or_else(PoisonError::into_inner);
        changes.push(change);
        if changes.len() >= CHANGES_MAX {
            let changes = std::mem::take(&mut *changes);
            self.hand_over(changes);
        }
    }

    pub fn tell_keeper(&self) {
        let changes = std::mem::take(&mut *self.changes.lock().unwrap_or_else(PoisonError::into_inner));
        if !changes.is_empty() {
            self.hand_over(changes);
        }
    }

    /// What the keeper cannot take now, it finds on disk later.
    fn hand_over(&self, changes: Vec<Change>) {
        if let Some(keeper) = &*self.keeper() {
            keeper.tell(changes);
        }
    }

    /// Entries by kind, from the index or by looking at each.
    fn totals(&self) -> Option<([KindStats; 2], IndexState)> {
        let files = self.files.as_ref()?;
        self.tell_keeper();
        let keeper = self.keeper().clone();
        if let Some(totals) = keeper.as_ref().and_then(|keeper| keeper.totals()) {
            return Some((totals, IndexState::Ready));
        }
        let mut totals = [KindStats::default(); 2];
        for found in scan::walk(files) {
            let kind = match found.entry.kind() {
                Kind::Blob => 0,
                Kind::Action => 1,
            };
            if let Some(total) = totals.get_mut(kind) {
                total.entries += 1;
                total.bytes += found.bytes;
            }
        }
        let state = if keeper.is_some() { IndexState::Starting } else { IndexState::NotHere };
        Some((totals, state))
    }

    /// Adds what this process counted to the store's own numbers. Whatever is in the way, the numbers stay here
    /// for the next time.
    pub fn save_counts(&self) {
        let Ok(files) = self.writable() else { return };
        let numbers = self.counters.numbers();
        if numbers.is_zero() {
            return;
        }
        let saved = crate::guard::with_counters(files, || {
            let sum = read_numbers(files).plus(&numbers);
            files.write(layout::COUNTERS, sum.encode().as_bytes(), 0o644, Durability::Cached)
        });
        if matches!(saved, Some(Ok(()))) {
            self.counters.subtract(&numbers);
        }
    }

    fn saved_counts(&self) -> Counts {
        self.save_counts();
        let saved = self.files.as_ref().map(|files| read_numbers(files)).unwrap_or_default();
        saved.plus(&self.counters.numbers()).counts()
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        self.tell_keeper();
        self.save_counts();
    }
}

fn read_numbers(files: &Files) -> crate::counts::Numbers {
    let read = files.read(layout::COUNTERS, 4096).ok();
    read.and_then(|read| crate::counts::Numbers::decode(&read.bytes)).unwrap_or_default()
}

pub(crate) enum Entered {
    Ours(Files, Access),
    /// Of this later format.
    Newer(u32),
}

/// Opens the folder itself and looks whose it is.
fn enter(folder: &Path, events: &Events) -> Result<Entered, StoreError> {
    let fail = |source| StoreError::Open { folder: folder.to_owned(), source };
    let made = vitte_sys::fs::create_directories(folder);
    // One that is there can be used even if it could not have been made.
    let files = Files::open(folder).map_err(|error| fail(made.err().unwrap_or(error)))?;
    enter_files(files, events).map_err(fail)
}

pub(crate) fn enter_files(files: Files, events: &Events) -> Result<Entered, SysError> {
    let found = match files.read(layout::FORMAT_FILE, 4096) {
        Ok(read) => layout::parse_format(&read.bytes),
        Err(error) if is_absence(&error) => None,
        Err(error) => return Err(error),
    };
    let writable = match found {
        Some(found) if found > layout::FORMAT => return Ok(Entered::Newer(found)),
        // Whether it can be written shows in the one file that every writer opens.
        Some(_) => files.open_lock(layout::COLLECT_LOCK).map(drop),
        // New, or cut by a crash; entries say for themselves what they are.
        None => {
            let line = layout::format_line(layout::FORMAT);
            files.write(layout::FORMAT_FILE, line.as_bytes(), 0o644, Durability::Cached)
        }
    };
    let access = match writable {
        Ok(()) => Access::ReadWrite,
        Err(error) if is_refusal(&error) => {
            events.say(Event::ReadOnly { folder: files.folder().to_owned(), error: error.to_string() });
            Access::ReadOnly
        }
        // A full disk may have room again soon.
        Err(error) => {
            events.say(Event::WriteFailed { error: error.to_string() });
            Access::ReadWrite
        }
    };
    Ok(Entered::Ours(files, access))
}

/// `work` on each of `items`, in order, on several threads when there are enough.
fn in_parallel<T: Sync, R: Send>(items: &[T], work: impl Fn(&T) -> R + Sync) -> Vec<R> {
    let threads = std::thread::available_parallelism().map_or(1, usize::from).min(8);
    if threads == 1 || items.len() < 2 * BATCH_MIN {
        return items.iter().map(work).collect();
    }
    let share = items.len().div_ceil(threads).max(BATCH_MIN);
    let work = &work;
    std::thread::scope(|scope| {
        let each = |part: &[T]| part.iter().map(work).collect::<Vec<R>>();
        let mut parts = items.chunks(share);
        let first = parts.next().unwrap_or_default();
        let rest: Vec<_> = parts.map(|part| scope.spawn(move || each(part))).collect();
        let mut results = each(first);
        for handle in rest {
            match handle.join() {
                Ok(part) => results.extend(part),
                Err(panic) => std::panic::resume_unwind(panic),
            }
        }
        results
    })
}
