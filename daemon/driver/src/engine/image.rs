//! Executables that are laid out from the compiler's fragments, kept between edits.
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use vitte_compiler::base::diagnostic::Diagnostics;
use vitte_compiler::base::{OptLevel, Program};

use super::{Database, doors};
use crate::link::incremental::{ImageOptions, IncrementalLinker, Unfit};

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
    strip: bool,
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
        /// Time that laying it out took.
        elapsed: Duration,
    },
}

impl ProgramImage {
    /// The program's executable. `find` gives what the caller has of a version.
    ///
    /// # Errors
    /// What is wrong with the program; or, inside, that it needs another linker.
    pub(crate) fn link<T>(
        &self,
        db: &Database,
        program: Program,
        level: OptLevel,
        strip: bool,
        find: impl Fn(u64) -> Option<T>,
    ) -> Result<Result<Image<T>, Unfit>, Diagnostics> {
        /// One sequence for all programs of the process.
        static VERSIONS: AtomicU64 = AtomicU64::new(1);
        // Whoever unwound here was cancelled before anything was changed.
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let state = &mut *state;
        let is_current = state.revision == Some(db.revision()) && state.strip == strip;
        if !is_current {
            state.revision = None;
            if state.fragments.update(db, program)? || state.strip != strip || state.version == 0 {
                state.version = VERSIONS.fetch_add(1, Ordering::Relaxed);
                state.strip = strip;
            }
            state.revision = Some(db.revision());
        }
        let version = state.version;
        if let Some(known) = find(version) {
            return Ok(Ok(Image::Known(known)));
        }
        let started = Instant::now();
        let entry = program.entry(db).path(db).to_string();
        let mut bytes = Vec::new();
        let options = ImageOptions { entry: &entry, strip, level };
        let linked = state.linker.link(&state.fragments, options, &mut bytes);
        Ok(linked.map(|()| Image::New { version, bytes, elapsed: started.elapsed() }))
    }
}
