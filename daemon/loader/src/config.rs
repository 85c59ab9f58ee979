//! What can be set.
use std::path::PathBuf;
use std::time::Duration;

use std::ffi::OsString;

use vitte_sys::sandbox::Rung;
use vitte_trust::Capability;
use vitte_wasm_code::{CacheOptions, Workers};

/// What happens to calls that still run on an old generation when its drain is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DrainPolicy {
    /// They run on, and the generation stays until they end.
    Wait,
    /// They are stopped, and their callers told.
    Cancel,
}

/// How native libraries are run.
#[derive(Clone, Debug)]
pub struct NativeOptions {
    /// The program and its arguments, which calls [`runner_main`](crate::runner_main). A process for the
    /// libraries of one signer that may reach the same, and for each that nobody signed.
    pub command: Vec<OsString>,
    /// Folder of private copies of libraries, named by their content. Code must be allowed to run from it.
    pub folder: PathBuf,
    /// Most address space of a process, in bytes.
    pub memory_bytes_max: u64,
    /// The lowest rung of confinement that will do.
    pub rung_min: Rung,
}

/// Settings of a [`ModuleLoader`](crate::ModuleLoader).
#[derive(Clone, Debug)]
pub struct LoaderConfig {
    /// Who compiles.
    pub workers: Workers,
    /// Where compiled code is kept; `None` keeps nothing.
    pub cache: Option<CacheOptions>,
    /// How native libraries are run; `None` refuses them.
    pub native: Option<NativeOptions>,
    /// Folder of the keys whose modules are trusted; `None` looks at no signatures.
    pub trust: Option<PathBuf>,
    /// File of the sequence numbers of signed packages; `None` forgets them with the loader.
    pub sequences: Option<PathBuf>,
    /// What the user grants every module that asks for it.
    pub grants: Vec<Capability>,
    /// Folders in which packages that others depend on are looked for.
    pub search: Vec<PathBuf>,
    /// Longest compilation.
    pub compile_max: Duration,
    /// Largest file that is loaded, in bytes.
    pub file_bytes_max: u64,
    /// Most memory of one instance, in bytes.
    pub memory_bytes_max: usize,
    /// Most elements of one table.
    pub table_elements_max: usize,
    /// How long a call may take that brings no deadline of its own; also what `init`, `health` and the
    /// functions of state may take.
    pub call_max: Duration,
    /// How deep calls between modules may nest.
    pub call_depth_max: usize,
    /// How long a reload waits for the state of a module that is in use.
    pub gate_max: Duration,
    /// How long a new generation is on probation.
    pub probation: Duration,
    /// After so many calls probation is over early.
    pub probation_calls: u64,
    /// From so many failed calls on, probation can fail.
    pub probation_failures: u64,
    /// It fails if also this share of the calls failed, in percent.
    pub probation_failed_percent: u64,
    /// How long calls on an old generation may run on.
    pub drain_max: Duration,
    /// And what then.
    pub drain_policy: DrainPolicy,
    /// Most generations of one module that hold memory. A reload beyond it is refused.
    pub generations_max: usize,
    /// Most modules.
    pub modules_max: usize,
    /// Called now and then on the thread of a call that has taken longer than a millisecond.
    pub while_busy: fn(),
}

impl Default for LoaderConfig {
    fn default() -> Self {
        Self {
            workers: Workers::Here,
            cache: None,
            native: None,
            trust: None,
            sequences: None,
            grants: Vec::new(),
            search: Vec::new(),
            compile_max: Duration::from_secs(60),
            file_bytes_max: 256 << 20,
            memory_bytes_max: 256 << 20,
            table_elements_max: 1 << 20,
            call_max: Duration::from_secs(30),
            call_depth_max: 32,
            gate_max: Duration::from_millis(50),
            probation: Duration::from_secs(30),
            probation_calls: 1000,
            probation_failures: 3,
            probation_failed_percent: 50,
            drain_max: Duration::from_secs(10),
            drain_policy: DrainPolicy::Cancel,
            generations_max: 4,
            modules_max: 4096,
            while_busy: || {},
        }
    }
}
