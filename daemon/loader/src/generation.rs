//! One loaded version of a module.
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use vitte_trust::Capability;

use crate::call::Cancel;
use crate::kind::Kind;
use crate::live::Live;
use crate::loader::Linking;
use crate::name::ModuleName;
use crate::program::Program;
use crate::registry::Bell;

/// Where a generation stands in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum State {
    /// Its bytes are read.
    Staged,
    /// They are valid, and compiled.
    Verified,
    /// All imports are found.
    Linked,
    /// A first instance was made.
    Initialised,
    /// It has taken over the state of the one before.
    Migrated,
    /// It serves.
    Active,
    /// Another serves; calls still run on it.
    Draining,
    /// No call runs on it; kept in case the one that serves fails.
    Standby,
    /// It is gone.
    Purged,
    /// It never served, or was taken back.
    Failed,
}

impl State {
    /// Its name, as reports show it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Staged => "staged",
            Self::Verified => "verified",
            Self::Linked => "linked",
            Self::Initialised => "initialised",
            Self::Migrated => "migrated",
            Self::Active => "active",
            Self::Draining => "draining",
            Self::Standby => "standby",
            Self::Purged => "purged",
            Self::Failed => "failed",
        }
    }
}

/// How code is executed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Tier {
    /// As bytecode, by the interpreter.
    Interpreted,
    /// As machine code that was compiled from WebAssembly.
    Compiled,
    /// As machine code that somebody else compiled, in a process of its own.
    Native,
}

impl Tier {
    /// Its name, as reports show it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Interpreted => "interpreted",
            Self::Compiled => "compiled",
            Self::Native => "native",
        }
    }
}

/// A generation, as reports show it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GenerationInfo {
    /// Counts from 1 for each module, and never back.
    pub number: u64,
    /// Where it stands.
    pub state: State,
    /// Why, for one that failed.
    pub reason: String,
    /// SHA-256 of its bytes in hexadecimal.
    pub digest: String,
    /// Calls that run on it now.
    pub pins: usize,
    /// Calls that have ended.
    pub calls: u64,
    /// Of those, by a fault of the module.
    pub failures: u64,
    /// Since it was first heard of.
    pub age: Duration,
}

/// What is known of a module before it is linked.
pub(crate) struct Staged {
    pub(crate) module: ModuleName,
    pub(crate) number: u64,
    /// Empty if it has none.
    pub(crate) version: String,
    pub(crate) path: PathBuf,
    pub(crate) kind: Kind,
    pub(crate) size: u64,
    pub(crate) digest: String,
    /// Of the whole file.
    pub(crate) file_digest: String,
    /// The trusted key that signed it.
    pub(crate) signer: Option<String>,
}

pub(crate) struct Generation {
    pub(crate) staged: Staged,
    pub(crate) program: Program,
    /// The one instance of a module with state.
    pub(crate) live: Option<Live>,
    /// With what it was linked; a reload goes on with that.
    pub(crate) options: Arc<Linking>,
    /// What it may reach.
    pub(crate) capabilities: Vec<Capability>,
    /// The state that it began with.
    pub(crate) saved: Mutex<Option<Vec<u8>>>,
    /// Its drain is over.
    pub(crate) stop: Cancel,
    /// It can still be taken back.
    pub(crate) on_probation: AtomicBool,
    /// Another serves; whoever leaves last rings.
    pub(crate) replaced: AtomicBool,
    pins: AtomicUsize,
    calls: AtomicU64,
    failures: AtomicU64,
    bell: Arc<Bell>,
}

impl Generation {
    pub(crate) fn new(staged: Staged, program: Program, live: Option<Live>, bell: Arc<Bell>) -> Self {
        Self {
            staged,
            program,
            live,
            options: Arc::default(),
            capabilities: Vec::new(),
            saved: Mutex::new(None),
            stop: Cancel::default(),
            on_probation: AtomicBool::new(false),
            replaced: AtomicBool::new(false),
            pins: AtomicUsize::new(0),
            calls: AtomicU64::new(0),
            failures: AtomicU64::new(0),
            bell,
        }
    }

    /// The same, with what it was linked with.
    pub(crate) fn with_options(self, options: Arc<Linking>, capabilities: Vec<Capability>) -> Self {
        Self { options, capabilities, ..self }
    }

    pub(crate) fn pins(&self) -> usize {
        self.pins.load(Ordering::SeqCst)
    }

    pub(crate) fn calls(&self) -> u64 {
        self.calls.load(Ordering::Relaxed)
    }

    pub(crate) fn failures(&self) -> u64 {
        self.failures.load(Ordering::Relaxed)
    }

    pub(crate) fn count(&self, failed: bool) {
        self.calls.fetch_add(1, Ordering::Relaxed);
        if failed {
            self.failures.fetch_add(1, Ordering::Relaxed);
        }
    }

    pub(crate) fn saved(&self) -> Option<Vec<u8>> {
        self.saved.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(crate) fn begin_with(&self, state: Vec<u8>) {
        *self.saved.lock().unwrap_or_else(PoisonError::into_inner) = Some(state);
    }
}

/// A call holds its generation with this: while it lives, the generation is not purged.
pub(crate) struct Pin(Arc<Generation>);

impl Pin {
    pub(crate) fn new(generation: &Arc<Generation>) -> Self {
        generation.pins.fetch_add(1, Ordering::SeqCst);
        Self(Arc::clone(generation))
    }
}

impl std::ops::Deref for Pin {
    type Target = Arc<Generation>;

    fn deref(&self) -> &Self::Target {
        &self.0
    }
}

impl Drop for Pin {
    fn drop(&mut self) {
        if self.0.pins.fetch_sub(1, Ordering::SeqCst) == 1 && self.0.replaced.load(Ordering::SeqCst) {
            self.0.bell.ring();
        }
    }
}
