//! The incremental engine: one database for each set of folders, kept between requests.
//!
//! A request brings the database up to date with the disk, takes a snapshot, and reads from it without
//! holding any lock. A later request that finds changed files cancels readers, which begin again.
mod database; // files on disk as the compiler's inputs
mod image; // executables without object files, kept between edits
pub(crate) mod doors; // every query of the compiler that the driver asks
mod parallel; // queries on all processors
mod program; // what is kept of one program between requests
mod meter; // what was done anew, and cancellation
pub(crate) mod show; // diagnostics: lint levels, order, spans

pub(crate) use database::{Database, Folders};
pub(crate) use image::{Image, ProgramImage};
pub(crate) use meter::{STAGES, Work};
pub(crate) use program::ProgramState;

use std::collections::HashMap;
use std::panic::AssertUnwindSafe;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use vitte_compiler::base::{Db as _, Options, Program, SourcePath};

use crate::api::{CancellationToken, DriverError};
use crate::changes::{Changes, FileChanges, FileWatcher};

/// Longest wait for the watcher to say what changed; then every file is looked at.
const ANSWER_MAX: Duration = Duration::from_secs(1);
/// Databases that are kept. One workspace of ordinary size takes some megabytes.
const DATABASES_MAX: usize = 8;
/// Programs of one database whose inputs are kept.
const PROGRAMS_MAX: usize = 256;
/// Times that a request begins again when files change under it; then it holds the lock and finishes.
const RESTARTS_MAX: u32 = 8;
/// Attempts in all; those after [`RESTARTS_MAX`] fail only when other requests panic again and again.
const ATTEMPTS_MAX: u32 = 64;

/// All databases, least recently used first.
#[derive(Debug)]
pub(crate) struct Engines {
    watcher: Arc<dyn FileWatcher>,
    engines: Mutex<Vec<(Folders, Arc<Engine>)>>,
}

impl Engines {
    /// None yet; `watcher` tells them what changes.
    pub(crate) fn new(watcher: Arc<dyn FileWatcher>) -> Self {
        Self { watcher, engines: Mutex::default() }
    }

    /// The engine for `folders`.
    pub(crate) fn get(&self, folders: Folders) -> Arc<Engine> {
        let mut engines = self.engines.lock().unwrap_or_else(PoisonError::into_inner);
        let entry = match engines.iter().position(|(known, _)| *known == folders) {
            Some(index) => engines.remove(index),
            None => {
                if engines.len() >= DATABASES_MAX {
                    // Whoever still uses it keeps it alive until done.
                    engines.remove(0);
                }
                (folders.clone(), Arc::new(Engine::new(folders, &*self.watcher)))
            }
        };
        let engine = Arc::clone(&entry.1);
        engines.push(entry);
        engine
    }

    /// How many there are.
    pub(crate) fn len(&self) -> usize {
        self.engines.lock().unwrap_or_else(PoisonError::into_inner).len()
    }

    /// Forgets the one that was not asked for longest, if nobody uses it now and it is not the last; says
    /// whether there was one.
    pub(crate) fn forget_oldest(&self) -> bool {
        let forgotten = {
            let mut engines = self.engines.lock().unwrap_or_else(PoisonError::into_inner);
            let others = engines.len().saturating_sub(1);
            let idle = engines.iter().take(others).position(|(_, engine)| Arc::strong_count(engine) == 1);
            idle.map(|index| engines.remove(index))
        };
        // It goes here, after the lock: there is much to free.
        forgotten.is_some()
    }

    /// Forgets the only one, if nobody uses it now; says whether that was done.
    pub(crate) fn forget_last(&self) -> bool {
        let forgotten = {
            let mut engines = self.engines.lock().unwrap_or_else(PoisonError::into_inner);
            let is_idle = matches!(&engines[..], [(_, engine)] if Arc::strong_count(engine) == 1);
            is_idle.then(|| engines.pop())
        };
        forgotten.is_some()
    }
}

/// One database and the programs in it.
pub(crate) struct Engine {
    state: Mutex<State>,
}

struct State {
    database: Database,
    changes: Box<dyn FileChanges>,
    programs: HashMap<(SourcePath, Options), (Program, Arc<ProgramState>)>,
}

impl std::fmt::Debug for Engine {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Engine").finish_non_exhaustive()
    }
}

impl State {
    /// Takes in what changed on disk.
    fn refresh(&mut self) {
        let folders = self.database.take_new_folders();
        if !folders.is_empty() {
            self.changes.follow(&mut folders.iter().map(PathBuf::as_path));
        }
        let started = Instant::now();
        let changes = self.changes.take(started + ANSWER_MAX);
        if let Changes::Everything(reason) = &changes {
            tracing::debug!(%reason, "looking at every file");
        }
        let changed = self.database.refresh(&changes);
        tracing::debug!(elapsed = ?started.elapsed(), changed, "looked at the files");
    }

    fn program(&mut self, entry: &SourcePath, options: &Options) -> (Program, Arc<ProgramState>) {
        let key = (entry.clone(), options.clone());
        if let Some(program) = self.programs.get(&key) {
            return program.clone();
        }
        if self.programs.len() >= PROGRAMS_MAX {
            // Inputs cannot be taken back: begin again with an empty database.
            let folders = self.database.folders().clone();
            self.database = Database::new(folders);
            self.programs.clear();
        }
        let file = self.database.file(entry);
        let roots = self.database.source_roots().to_vec();
        // A program never changes.
        let program = Program::builder(file, roots, options.clone());
        let program = program.durability(salsa::Durability::NEVER_CHANGE).new(&self.database);
        // What it keeps belongs to this database: both go together.
        let program = (program, Arc::default());
        self.programs.insert(key, program.clone());
        program
    }
}

impl Engine {
    /// Every file that was asked for so far, whether it is there or not; not in order.
    pub(crate) fn asked_for(&self) -> Vec<PathBuf> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner).database.asked_for()
    }

    fn new(folders: Folders, watcher: &dyn FileWatcher) -> Self {
        let roots: Vec<PathBuf> = folders.all().map(Path::to_path_buf).collect();
        let changes = watcher.watch(&roots);
        Self {
            state: Mutex::new(State { database: Database::new(folders), changes, programs: HashMap::new() }),
        }
    }

    /// Whether the program was asked for before, so that most of it is in memory.
    pub(crate) fn knows(&self, entry: &SourcePath, options: &Options) -> bool {
        let state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.programs.contains_key(&(entry.clone(), options.clone()))
    }

    /// Brings the files up to date and runs `read` on a snapshot; also says what was done anew, by
    /// index in [`STAGES`]. `read` may run more than once.
    ///
    /// # Errors
    /// [`DriverError::Cancelled`], or [`DriverError::Internal`] when the compiler panicked.
    pub(crate) fn read<T>(
        &self,
        entry: &SourcePath,
        options: &Options,
        cancel: &CancellationToken,
        read: impl Fn(&Database, Program, &Arc<ProgramState>) -> T,
    ) -> Result<(T, [Work; STAGES.len()]), DriverError> {
        for attempt in 0..ATTEMPTS_MAX {
            if cancel.is_cancelled() {
                return Err(DriverError::Cancelled);
            }
            let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
            state.refresh();
            let (program, kept) = state.program(entry, options);
            let snapshot = state.database.clone();
            // The lock is kept in the end, so that a folder that never rests cannot starve us.
            let held = (attempt >= RESTARTS_MAX).then_some(state);
            // A panic of the compiler is a fault of ours and must end one request only. Its memos stay
            // as they were, as with cancellation.
            let attempted = std::panic::catch_unwind(AssertUnwindSafe(|| {
                attempt_read(&snapshot, program, &kept, cancel, &read)
            }));
            let result = match attempted {
                Ok(result) => result,
                Err(panic) => {
                    return Err(internal(format!("the compiler panicked: {}", panic_words(&*panic))));
                }
            };
            match result {
                Ok(result) => return Ok(result),
                Err(salsa::Cancelled::Local) => return Err(DriverError::Cancelled),
                // A write is pending, or we waited for a reader that was cancelled by one or panicked: if
                // it was a panic, the next attempt meets it itself. The snapshot must go before the lock
                // is asked for again, because the writer waits for it.
                Err(_) => drop(snapshot),
            }
            drop(held);
        }
        Err(internal("attempts ran out"))
    }
}

fn attempt_read<T>(
    snapshot: &Database,
    program: Program,
    state: &Arc<ProgramState>,
    cancel: &CancellationToken,
    read: &impl Fn(&Database, Program, &Arc<ProgramState>) -> T,
) -> Result<(T, [Work; STAGES.len()]), salsa::Cancelled> {
    use salsa::Database as _;
    meter::start(cancel, snapshot.cancellation_token());
    // A query that unwinds leaves its memo untouched: that is how salsa cancels.
    let result = salsa::Cancelled::catch(AssertUnwindSafe(|| read(snapshot, program, state)));
    let work = meter::finish(|query| snapshot.ingredient_debug_name(query).into_owned());
    result.map(|value| (value, work))
}

fn panic_words(panic: &(dyn std::any::Any + Send)) -> &str {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    text.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("no message")
}

/// A fault of our own.
pub(crate) fn internal(message: impl Into<String>) -> DriverError {
    DriverError::Internal(message.into())
}
