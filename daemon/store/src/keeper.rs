//! The thread that owns the index.
//!
//! Nobody waits for the index but those who ask for totals or for what to collect, and they wait on a channel:
//! a database that hangs or panics costs them their deadline and nothing else.
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, SyncSender, channel, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use vitte_sys::SysError;
use vitte_sys::fs::FileLock;

use crate::event::{Event, Events};
use crate::files::{Files, Nanos};
use crate::index::{Index, IndexError, Row};
use crate::layout::{Entry, INDEX, INDEX_LOCK, Kind};
use crate::options::Options;
use crate::scan::{Found, Shard, look, sweep};
use crate::store::KindStats;

/// Something that happened to an entry in this process.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Change {
    /// It was written.
    Added { entry: Entry, bytes: u64, used: Nanos },
    /// It was read, or would have been written.
    Used { entry: Entry, used: Nanos },
    /// It was removed.
    Removed { entry: Entry },
}

/// An entry and when it was used last.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Candidate {
    pub entry: Entry,
    pub row: Row,
}

enum Ask {
    Changes(Vec<Change>),
    /// Bring the index up to date and say how much there is.
    Totals(SyncSender<[KindStats; 2]>),
    /// Bring the index up to date and give every entry.
    Candidates(SyncSender<Vec<Candidate>>),
    /// Forget everything and look at the store anew.
    Rebuild(SyncSender<u64>),
}

/// The owner's end of the thread.
#[derive(Debug)]
pub(crate) struct Keeper {
    asks: Mutex<Option<Sender<Ask>>>,
    thread: Mutex<Option<JoinHandle<()>>>,
    /// Batches of changes that wait.
    waiting: Arc<AtomicU64>,
    bytes: Arc<AtomicU64>,
}

/// Batches of changes that wait at most; what comes then is found on disk later.
const WAITING_MAX: u64 = 64;

/// How long an answer may take: a store of millions of entries is looked at in that time.
const ANSWER_DEADLINE: Duration = Duration::from_secs(60);

/// How long the thread may take to end.
const END_DEADLINE: Duration = Duration::from_secs(5);

/// A directory that changed within this time before it was compared may change again without its time showing
/// it: file systems stamp with the last clock tick, some with whole seconds.
const SETTLED: Duration = Duration::from_secs(2);

/// An index is worth compacting from this size on...
const COMPACT_BYTES: u64 = 32 << 20;

/// ...when it takes more than so much for each entry that is alive, ten times what one needs.
const COMPACT_BYTES_PER_ENTRY: u64 = 1000;

/// Indexes set aside that are kept for whoever wants to look into it.
const ASIDE_MAX: usize = 2;

impl Keeper {
    /// Becomes the owner of the index; `None` when another process is.
    ///
    /// # Errors
    /// Those of the lock and of starting a thread.
    pub fn start(
        files: &Arc<Files>,
        options: &Options,
        events: &Arc<Events>,
    ) -> Result<Option<Self>, SysError> {
        let Some(lock) = FileLock::try_exclusive(&files.absolute(INDEX_LOCK))? else { return Ok(None) };
        // A store without entries has no index to miss.
        let there = |kind: Kind| Ok::<bool, SysError>(files.stamp(kind.folder())?.is_some());
        let lost = files.stamp(INDEX)?.is_none() && (there(Kind::Blob)? || there(Kind::Action)?);
        let (asks, inbox) = channel();
        let (waiting, bytes) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicU64::new(0)));
        let work = Work {
            files: Arc::clone(files),
            options: options.clone(),
            events: Arc::clone(events),
            waiting: Arc::clone(&waiting),
            bytes: Arc::clone(&bytes),
            totals: Totals::default(),
            lost,
            _lock: lock,
        };
        let thread = std::thread::Builder::new()
            .name("store-index".into())
            .spawn(move || work.serve(&inbox))
            .map_err(|error| SysError::bare(vitte_sys::Op::Schedule, error))?;
        Ok(Some(Self { asks: Mutex::new(Some(asks)), thread: Mutex::new(Some(thread)), waiting, bytes }))
    }

    /// Tells what happened. Never waits.
    pub fn tell(&self, changes: Vec<Change>) {
        if self.waiting.load(Ordering::Relaxed) < WAITING_MAX && self.send(Ask::Changes(changes)) {
            self.waiting.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// How much there is of each kind, in the order of [`Kind::ALL`]; `None` when the index cannot tell.
    pub fn totals(&self) -> Option<[KindStats; 2]> {
        self.ask(Ask::Totals)
    }

    /// Every entry with its last use, in no order; `None` when the index cannot tell.
    pub fn candidates(&self) -> Option<Vec<Candidate>> {
        self.ask(Ask::Candidates)
    }

    /// Makes the index again from what is on disk; the number of entries, `None` when it cannot be made.
    pub fn rebuild(&self) -> Option<u64> {
        self.ask(Ask::Rebuild)
    }

    /// Bytes on disk of all entries, as far as was known when the thread looked last.
    pub fn bytes(&self) -> u64 {
        self.bytes.load(Ordering::Relaxed)
    }

    fn ask<T>(&self, ask: impl FnOnce(SyncSender<T>) -> Ask) -> Option<T> {
        let (sender, answer) = sync_channel(1);
        if !self.send(ask(sender)) {
            return None;
        }
        answer.recv_timeout(ANSWER_DEADLINE).ok()
    }

    fn send(&self, ask: Ask) -> bool {
        let asks = self.asks.lock().unwrap_or_else(PoisonError::into_inner);
        asks.as_ref().is_some_and(|asks| asks.send(ask).is_ok())
    }
}

impl Drop for Keeper {
    fn drop(&mut self) {
        *self.asks.lock().unwrap_or_else(PoisonError::into_inner) = None;
        let thread = self.thread.lock().unwrap_or_else(PoisonError::into_inner).take();
        let Some(thread) = thread else { return };
        let started = Instant::now();
        let mut pause = Duration::from_micros(200);
        while !thread.is_finished() {
            if started.elapsed() > END_DEADLINE {
                // A database that hangs keeps its thread; the kernel takes back the lock when the process ends.
                return;
            }
            std::thread::sleep(pause);
            pause = (pause * 2).min(Duration::from_millis(5));
        }
        // It caught its own panics.
        let _ = thread.join();
    }
}

#[derive(Debug, Default)]
struct Totals([KindStats; 2]);

impl Totals {
    fn of(&mut self, kind: Kind) -> &mut KindStats {
        let [blobs, actions] = &mut self.0;
        match kind {
            Kind::Blob => blobs,
            Kind::Action => actions,
        }
    }

    fn replace(&mut self, kind: Kind, before: Option<Row>, after: Option<Row>) {
        let total = self.of(kind);
        if let Some(row) = before {
            total.entries = total.entries.saturating_sub(1);
            total.bytes = total.bytes.saturating_sub(row.bytes);
        }
        if let Some(row) = after {
            total.entries += 1;
            total.bytes = total.bytes.saturating_add(row.bytes);
        }
    }
}

/// What the thread has.
struct Work {
    files: Arc<Files>,
    options: Options,
    events: Arc<Events>,
    waiting: Arc<AtomicU64>,
    bytes: Arc<AtomicU64>,
    totals: Totals,
    /// Whether there are entries but was no index when it began.
    lost: bool,
    _lock: FileLock,
}

/// Times that the index may fail in one process before it is given up.
const FAILURES_MAX: usize = 3;

impl Work {
    fn serve(mut self, inbox: &Receiver<Ask>) {
        for _ in 0..FAILURES_MAX {
            let ended = self.open().and_then(|index| {
                self.load(&index)?;
                self.answer(index, inbox)
            });
            match ended {
                Ok(()) => return,
                Err(error) => {
                    if let Err(error) = self.set_aside(&error.to_string()) {
                        self.events.say(Event::IndexUnusable { error: error.to_string() });
                        return;
                    }
                    self.lost = true;
                }
            }
        }
        self.events.say(Event::IndexUnusable { error: "it failed again after it was made anew".into() });
    }

    fn open(&self) -> Result<Index, IndexOrSystem> {
        // Left by a compaction that did not get to its end.
        self.files.remove_tree(&new_name())?;
        open_within(&self.files.absolute(INDEX), self.options.index_deadline)
    }

    /// Counts what the index has, and brings it up to date with the disk.
    fn load(&mut self, index: &Index) -> Result<(), IndexOrSystem> {
        let started = Instant::now();
        self.totals = Totals::default();
        let totals = &mut self.totals;
        index.each(|entry, row| totals.replace(entry.kind(), None, Some(row)))?;
        self.refresh(index)?;
        index.flush()?;
        sweep(&self.files, self.now());
        let entries = self.totals.0.iter().map(|total| total.entries).sum();
        if std::mem::take(&mut self.lost) && entries > 0 {
            self.events.say(Event::IndexRebuilt { entries, elapsed: started.elapsed() });
        }
        Ok(())
    }

    fn answer(&mut self, mut index: Index, inbox: &Receiver<Ask>) -> Result<(), IndexOrSystem> {
        // An answer that nobody waits for any more is dropped.
        while let Ok(ask) = inbox.recv() {
            match ask {
                Ask::Changes(changes) => {
                    self.waiting.fetch_sub(1, Ordering::Relaxed);
                    self.apply(&index, &changes)?;
                    index.flush()?;
                }
                Ask::Totals(answer) => {
                    self.refresh(&index)?;
                    index = self.compact(index)?;
                    let _ = answer.send(self.totals.0);
                }
                Ask::Candidates(answer) => {
                    self.refresh(&index)?;
                    let mut candidates = Vec::new();
                    index.each(|entry, row| candidates.push(Candidate { entry, row }))?;
                    let _ = answer.send(candidates);
                }
                Ask::Rebuild(answer) => {
                    drop(index);
                    self.files.remove_tree(INDEX)?;
                    index = self.open()?;
                    self.load(&index)?;
                    let _ = answer.send(self.totals.0.iter().map(|total| total.entries).sum());
                }
            }
            self.publish_bytes();
        }
        Ok(index.flush()?)
    }

    fn publish_bytes(&self) {
        self.bytes.store(self.totals.0.iter().map(|total| total.bytes).sum(), Ordering::Relaxed);
    }

    fn apply(&mut self, index: &Index, changes: &[Change]) -> Result<(), IndexOrSystem> {
        for change in changes {
            match *change {
                Change::Added { entry, bytes, used } => self.set(index, entry, Row { bytes, used })?,
                Change::Used { entry, used } => {
                    if let Some(row) = index.get(entry)? {
                        self.set(index, entry, Row { used: used.max(row.used), ..row })?;
                    }
                }
                Change::Removed { entry } => self.forget(index, entry)?,
            }
        }
        Ok(())
    }

    fn set(&mut self, index: &Index, entry: Entry, row: Row) -> Result<(), IndexOrSystem> {
        let before = index.set(entry, row)?;
        self.totals.replace(entry.kind(), before, Some(row));
        Ok(())
    }

    fn forget(&mut self, index: &Index, entry: Entry) -> Result<(), IndexOrSystem> {
        let before = index.remove(entry)?;
        self.totals.replace(entry.kind(), before, None);
        Ok(())
    }

    /// Compares the index with every directory that changed since the last time. This is how entries of other
    /// processes, and of this one if it died before it could tell, come into the index.
    fn refresh(&mut self, index: &Index) -> Result<(), IndexOrSystem> {
        for shard in Shard::all() {
            let Ok(changed) = shard.changed(&self.files) else {
                // Unreadable now; compared when it can be read.
                continue;
            };
            let changed = changed.unwrap_or(0);
            if index.compared(shard)?.unwrap_or(0) == changed {
                continue;
            }
            match self.compare(index, shard) {
                Ok(()) => {}
                // The directory cannot be read now; compared when it can.
                Err(IndexOrSystem::System(_)) => continue,
                Err(error @ (IndexOrSystem::Index(_) | IndexOrSystem::Reason(_))) => return Err(error),
            }
            // What may still change under the same time is compared again.
            let settled = self.now().saturating_sub(changed) > SETTLED.as_nanos() as u64;
            index.set_compared(shard, if settled { changed } else { Nanos::MAX })?;
        }
        self.publish_bytes();
        Ok(())
    }

    fn compare(&mut self, index: &Index, shard: Shard) -> Result<(), IndexOrSystem> {
        let mut known = BTreeMap::new();
        index.each_of(shard, |entry, row| {
            known.insert(entry, row);
        })?;
        let names = shard.names(&self.files)?.entries;
        let mut folder = None;
        for (entry, form, name) in names {
            if known.remove(&entry).is_some() {
                continue;
            }
            if folder.is_none() {
                folder = Some(self.files.below(&shard.path())?);
            }
            let found = folder.as_ref().and_then(|folder| look(folder, entry, form, &name));
            if let Some(Found { entry, form: _, bytes, used }) = found {
                self.set(index, entry, Row { bytes, used })?;
            }
        }
        for entry in known.into_keys() {
            self.forget(index, entry)?;
        }
        Ok(())
    }

    fn now(&self) -> Nanos {
        Nanos::try_from(self.options.clock.wall().as_unix_nanos()).unwrap_or(0)
    }

    /// Copies what is alive into a new database when most of the old one is dead: sled does not give back space.
    fn compact(&mut self, index: Index) -> Result<Index, IndexOrSystem> {
        let entries: u64 = self.totals.0.iter().map(|total| total.entries).sum();
        let limit = COMPACT_BYTES.max(entries.saturating_mul(COMPACT_BYTES_PER_ENTRY));
        if index.disk_bytes()? <= limit {
            return Ok(index);
        }
        let new = open_within(&self.files.absolute(&new_name()), self.options.index_deadline)?;
        let mut copied = Ok(None);
        index.each(|entry, row| {
            if copied.is_ok() {
                copied = new.set(entry, row);
            }
        })?;
        copied?;
        for shard in Shard::all() {
            if let Some(changed) = index.compared(shard)? {
                new.set_compared(shard, changed)?;
            }
        }
        new.flush()?;
        drop(new);
        drop(index);
        // A crash between the two leaves no index, which is made again.
        self.files.remove_tree(INDEX)?;
        self.files.rename_new(&new_name(), INDEX)?;
        open_within(&self.files.absolute(INDEX), self.options.index_deadline)
    }

    /// Moves the index out of the way, so that an empty one can take its place.
    fn set_aside(&self, reason: &str) -> Result<(), SysError> {
        let prefix = format!("{INDEX}.damaged-");
        let number = |name: &str| name.strip_prefix(&prefix)?.parse::<u64>().ok();
        let mut numbers: Vec<u64> = self.files.folders()?.iter().filter_map(|name| number(name)).collect();
        numbers.sort_unstable();
        let aside = format!("{prefix}{}", numbers.last().map_or(1, |last| last + 1));
        match self.files.rename_new(INDEX, &aside) {
            Err(error) if crate::files::is_absence(&error) => {}
            moved => moved?,
        }
        let old = numbers.len().saturating_sub(ASIDE_MAX - 1);
        for number in numbers.iter().take(old) {
            // Only the room they take is lost.
            let _ = self.files.remove_tree(&format!("{prefix}{number}"));
        }
        let aside = self.files.absolute(&aside);
        self.events.say(Event::IndexSetAside { aside, reason: reason.to_owned() });
        Ok(())
    }
}

fn new_name() -> String {
    format!("{INDEX}.new")
}

/// Opens an index on a thread, so that it can be given up when it takes too long.
fn open_within(path: &Path, deadline: Duration) -> Result<Index, IndexOrSystem> {
    let (sender, opened) = sync_channel(1);
    let path = path.to_owned();
    let open = move || {
        // Nobody waits any more: the database is closed again.
        let _ = sender.send(Index::open(&path));
    };
    std::thread::Builder::new()
        .name("store-index-open".into())
        .spawn(open)
        .map_err(|error| SysError::bare(vitte_sys::Op::Schedule, error))?;
    match opened.recv_timeout(deadline) {
        Ok(answer) => Ok(answer?),
        Err(RecvTimeoutError::Timeout) => {
            Err(IndexOrSystem::Reason(format!("it did not open within {deadline:?}")))
        }
        Err(RecvTimeoutError::Disconnected) => {
            Err(IndexOrSystem::Reason("the thread that opened it ended".to_owned()))
        }
    }
}

/// What the thread can fail with; all of it ends with a new index.
#[derive(Debug, thiserror::Error)]
enum IndexOrSystem {
    #[error(transparent)]
    Index(#[from] IndexError),
    #[error(transparent)]
    System(#[from] SysError),
    #[error("{0}")]
    Reason(String),
}
