//! Executables that are laid out from the compiler's fragments, kept between edits.
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use vitte_compiler::base::Program;
use vitte_compiler::base::diagnostic::Diagnostics;
use vitte_compiler::codegen::fragment::Start;
use vitte_compiler::incremental::{Ahead, Edits};
use vitte_compiler::mono::Instance;
use vitte_compiler::types::program_modules;

use super::program::Modules;
use super::{Database, doors, parallel};
use crate::link::incremental::{ImageOptions, IncrementalLinker, Unfit};

/// Most memory that is kept for the next executable.
const BUFFER_MAX: usize = 64 << 20;

/// What is kept of one program between its builds.
#[derive(Debug, Default)]
pub(crate) struct ProgramImage {
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    /// The revision of the database that `fragments` was brought up to.
    revision: Option<u64>,
    fragments: doors::Fragments,
    linker: IncrementalLinker,
    /// Changes whenever the program or `strip` does.
    version: u64,
    /// The version that was laid out last; 0 for none.
    linked: u64,
    strip: bool,
    /// The executable of a version, and memory for the next one.
    buffer: (u64, Vec<u8>),
}

/// An executable: what the caller has of it already, or its bytes.
#[derive(Clone, Debug)]
pub(crate) enum Image<T> {
    /// It is where the caller found it.
    Known(T),
    /// It was laid out.
    New {
        /// Equal versions mean equal bytes, within this process.
        version: u64,
        /// The file.
        bytes: Vec<u8>,
        /// Where they go when they have been written: see [`ProgramImage::recycle`].
        home: Arc<ProgramImage>,
        /// Time that laying it out took.
        elapsed: Duration,
    },
}

impl ProgramImage {
    /// Takes the bytes of a version back when they have been written.
    pub(crate) fn recycle(&self, version: u64, bytes: Vec<u8>) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if version > state.buffer.0 && bytes.capacity() <= BUFFER_MAX {
            state.buffer = (version, bytes);
        }
    }

    /// The executable of a program without errors, which has these `modules`. `find` gives what the caller has
    /// of a version.
    ///
    /// # Errors
    /// What is wrong with the program; or, inside, that it needs another linker.
    pub(crate) fn link<T>(
        self: &Arc<Self>,
        db: &Database,
        program: Program,
        modules: &Modules,
        strip: bool,
        find: impl Fn(u64) -> Option<T>,
    ) -> Result<Result<Image<T>, Unfit>, Diagnostics> {
        /// One sequence for all programs of the process.
        static VERSIONS: AtomicU64 = AtomicU64::new(1);
        // Whoever unwound here was cancelled before anything was changed.
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let state = &mut *state;
        if state.revision != Some(db.revision()) || state.strip != strip {
            let started = Instant::now();
            let reached = state.revision.take().and_then(|revision| modules.reached_since(revision));
            let edits = reached.as_deref().map_or(Edits::Any, Edits::Only);
            let ahead = |start: Start, ahead: Ahead<Instance>| match ahead {
                Ahead::From(main) => {
                    parallel::each(db, vec![main], |db, instance| start.make(db, instance));
                    parallel::each(db, program_modules(db, program).to_vec(), |db, file| {
                        start.make_module(db, file);
                        Vec::new()
                    });
                }
                Ahead::These(instances) => parallel::each(db, instances, |db, instance| {
                    start.make(db, instance);
                    Vec::new()
                }),
            };
            if state.fragments.update(db, program, edits, &modules.users, ahead)?
                || state.strip != strip
                || state.version == 0
            {
                state.version = VERSIONS.fetch_add(1, Ordering::Relaxed);
                state.strip = strip;
            }
            state.revision = Some(db.revision());
            tracing::debug!(elapsed = ?started.elapsed(), fragments = state.fragments.len(), "fragments brought up to date");
        }
        let version = state.version;
        if let Some(known) = find(version) {
            return Ok(Ok(Image::Known(known)));
        }
        let started = Instant::now();
        let entry = program.entry(db).path(db).to_string();
        // The memory of the last one: fresh pages take longer than what is written to them.
        let (held, mut bytes) = std::mem::take(&mut state.buffer);
        let is_last = held != 0 && held == state.linked;
        let options = ImageOptions { entry: &entry, strip, level: program.options(db).opt_level };
        let changes = state.fragments.take_changes();
        let linked = state.linker.link(&state.fragments, changes.as_ref(), options, &mut bytes, is_last);
        state.linked = if linked.is_ok() { version } else { 0 };
        Ok(linked.map(|()| Image::New { version, bytes, home: Arc::clone(self), elapsed: started.elapsed() }))
    }
}
