//! Executables that are laid out from the compiler's fragments, kept between edits.
use std::collections::{HashMap, HashSet};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use vitte_compiler::base::Program;
use vitte_compiler::base::diagnostic::Diagnostics;
use vitte_compiler::codegen::Fragment;
use vitte_compiler::codegen::fragment::Start;
use vitte_compiler::codegen::hot::Contract;
use vitte_compiler::incremental::{Ahead, Edits};
use vitte_compiler::mono::Instance;
use vitte_compiler::types::program_modules;

use super::program::Modules;
use super::{Database, doors, parallel};
use crate::link::incremental::{ImageOptions, IncrementalLinker, Unfit, hot};

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
    /// What others rely on in each function, with the fragment that it was read from.
    contracts: HashMap<Instance, (Arc<Fragment>, Arc<Contract>)>,
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
        // Whoever unwound here was cancelled before anything was changed.
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let state = &mut *state;
        state.bring_up(db, program, modules, strip)?;
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
    /// The program as it is now, for a process that runs it: see [`hot`].
    ///
    /// # Errors
    /// What is wrong with the program.
    pub(crate) fn hot(
        &self,
        db: &Database,
        program: Program,
        modules: &Modules,
    ) -> Result<hot::Generation, Diagnostics> {
        // Whoever unwound here was cancelled before anything was changed, but for contracts that hold.
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let state = &mut *state;
        let strip = state.strip;
        state.bring_up(db, program, modules, strip)?;
        let State { fragments, contracts, .. } = state;
        let entry = doors::entry(db, program);
        let mut functions = Vec::with_capacity(fragments.len());
        let (mut items, mut seen) = (Vec::new(), HashSet::new());
        for (number, (fragment, callees)) in fragments.iter().enumerate() {
            let Some(instance) = fragments.instance(number) else { continue };
            let contract = match contracts.get(&instance) {
                Some((known, contract)) if Arc::ptr_eq(known, fragment) => Arc::clone(contract),
                _ => {
                    let contract = Arc::new(doors::contract(db, instance));
                    contracts.insert(instance, (Arc::clone(fragment), Arc::clone(&contract)));
                    contract
                }
            };
            items.extend(contract.types.iter().copied().filter(|item| seen.insert(*item)));
            functions.push(hot::Function {
                fragment: Arc::clone(fragment),
                callees: callees.to_vec(),
                contract,
                is_entry: doors::is_entry(db, instance, entry),
            });
        }
        let options = program.options(db);
        Ok(hot::Generation {
            functions,
            definitions: doors::definitions(db, items),
            declared: doors::declared_in_c(db, program),
            entry: program.entry(db).path(db).to_string(),
            level: options.opt_level,
        })
    }
}

impl State {
    /// Brings the fragments up to date with the program.
    ///
    /// # Errors
    /// What is wrong with the program; then they are as they were.
    fn bring_up(
        &mut self,
        db: &Database,
        program: Program,
        modules: &Modules,
        strip: bool,
    ) -> Result<(), Diagnostics> {
        /// One sequence for all programs of the process.
        static VERSIONS: AtomicU64 = AtomicU64::new(1);
        if self.revision != Some(db.revision()) || self.strip != strip {
            let started = Instant::now();
            let reached = self.revision.take().and_then(|revision| modules.reached_since(revision));
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
            if self.fragments.update(db, program, edits, &modules.users, ahead)?
                || self.strip != strip
                || self.version == 0
            {
                self.version = VERSIONS.fetch_add(1, Ordering::Relaxed);
                self.strip = strip;
            }
            self.revision = Some(db.revision());
            tracing::debug!(elapsed = ?started.elapsed(), fragments = self.fragments.len(), "fragments brought up to date");
        }
        Ok(())
    }
}
