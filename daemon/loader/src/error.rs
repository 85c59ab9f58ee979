//! Why a module was not loaded, reloaded or unloaded.
use std::collections::BTreeSet;
use std::path::PathBuf;

use vitte_sys::SysError;
use vitte_trust::{Denied, Denier, TrustError};
use vitte_wasm_code::CompileError;

use crate::call::CallError;
use crate::container::ContainerError;
use crate::generation::State;
use crate::kind::Kind;
use crate::name::{ModuleName, ParseModuleNameError};

/// Why a module was not loaded, reloaded or unloaded. Whatever it says, what served before still serves.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// The file cannot be read.
    #[error("cannot read `{}`: {source}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        source: SysError,
    },
    /// The content is none of the known kinds.
    #[error("`{}` is no module: its content is of no known kind", path.display())]
    UnknownKind {
        /// The file.
        path: PathBuf,
    },
    /// A known kind that this version cannot load.
    #[error("`{}` is {kind}, which this version of the service does not load", path.display())]
    Unsupported {
        /// The file.
        path: PathBuf,
        /// What it is.
        kind: Kind,
    },
    /// Compiled code from outside.
    #[error("`{}` is code that a WebAssembly engine has compiled; it cannot be checked, so it is not loaded", path.display())]
    Precompiled {
        /// The file.
        path: PathBuf,
    },
    /// A table that cannot be used.
    #[error("`{}` is no table of functions: {message}", path.display())]
    Table {
        /// The file that it is in.
        path: PathBuf,
        /// What is wrong, and where.
        message: String,
    },
    /// A library without a table.
    #[error("nothing says how the functions of `{}` are called", path.display())]
    NoTable {
        /// The library.
        path: PathBuf,
        /// Where its table was looked for, besides in itself.
        beside: PathBuf,
    },
    /// A library that cannot be loaded on this machine, or not by its table. Nothing of it was run.
    #[error("`{}` cannot be loaded: {message}", path.display())]
    Library {
        /// The library.
        path: PathBuf,
        /// Why.
        message: String,
    },
    /// The system's loader refused a library, or its process could not be started.
    #[error("the library of `{module}` cannot be loaded: {message}")]
    Native {
        /// The module.
        module: ModuleName,
        /// Why.
        message: String,
    },
    /// The private copy of a library cannot be written.
    #[error("no copy of the library can be kept in `{}`: {message}", path.display())]
    NativeCopy {
        /// The folder.
        path: PathBuf,
        /// Why.
        message: String,
    },
    /// Bytecode that breaks a rule of its format.
    #[error("`{}` is no valid bytecode:\n{report}", path.display())]
    Bytecode {
        /// The file that it is in.
        path: PathBuf,
        /// All that is wrong.
        report: Box<vitte_bytecode::Report>,
    },
    /// No name.
    #[error(transparent)]
    Name(#[from] ParseModuleNameError),
    /// Its signature, or the lack of one, forbids it.
    #[error("`{module}` is not trusted: {source}")]
    Trust {
        /// The module.
        module: ModuleName,
        /// Why.
        source: TrustError,
    },
    /// The package breaks a rule of its format.
    #[error("`{}` is no package: {source}", path.display())]
    Package {
        /// The file.
        path: PathBuf,
        /// Which.
        source: ContainerError,
    },
    /// The package has nothing that can be loaded here.
    #[error("`{module}` has nothing that this version of the service loads{}", list(offered))]
    NoArtifact {
        /// The module.
        module: ModuleName,
        /// What it has, as kind and target.
        offered: Vec<String>,
    },
    /// A newer release of the package was loaded before.
    #[error("`{module}` has sequence number {seq}, but {known} was loaded before")]
    Older {
        /// The module.
        module: ModuleName,
        /// Of the package.
        seq: u64,
        /// The highest that was loaded.
        known: u64,
    },
    /// The sequence numbers cannot be read.
    #[error("{0}")]
    Sequences(String),
    /// It does not compile.
    #[error("`{module}` cannot be compiled: {source}")]
    Compile {
        /// The module.
        module: ModuleName,
        /// Why.
        source: CompileError,
    },
    /// It imports what nobody gives.
    #[error("`{module}` imports what is not there: {}", missing.join(", "))]
    MissingImports {
        /// The module.
        module: ModuleName,
        /// Each with its type, sorted.
        missing: Vec<String>,
    },
    /// It imports functions that are there and have another type.
    #[error("`{module}` imports what does not fit: {}", mismatched.join("; "))]
    ImportMismatch {
        /// The module.
        module: ModuleName,
        /// Each with both types, sorted.
        mismatched: Vec<String>,
    },
    /// It needs more of the system than it is given.
    #[error("`{module}` is not given {}", denied.iter().map(ToString::to_string).collect::<Vec<_>>().join(", "))]
    Capabilities {
        /// The module.
        module: ModuleName,
        /// What, and by whom, sorted.
        denied: Vec<Denied>,
    },
    /// Other modules import it.
    #[error("`{module}` is imported by {}", by.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", "))]
    InUse {
        /// The module.
        module: ModuleName,
        /// By whom, sorted.
        by: Vec<ModuleName>,
    },
    /// It stands twice in one request.
    #[error("`{module}` is named twice")]
    Twice {
        /// The module.
        module: ModuleName,
    },
    /// Its dependencies cannot be had together.
    #[error("the dependencies of `{module}` cannot be had together:\n{explanation}")]
    Dependencies {
        /// The module.
        module: ModuleName,
        /// Why, in words.
        explanation: String,
    },
    /// A file is not the one that was locked.
    #[error("`{}` is not the `{module}` that was locked: its digest differs", path.display())]
    LockDigest {
        /// The module.
        module: ModuleName,
        /// The file.
        path: PathBuf,
    },
    /// The lock file cannot be used.
    #[error("the lock file `{}` cannot be used: {message}", path.display())]
    Lock {
        /// The file.
        path: PathBuf,
        /// Why.
        message: String,
    },
    /// The lock file would change.
    #[error("the lock file `{}` would change: {}", path.display(), changes.join("; "))]
    Locked {
        /// The file.
        path: PathBuf,
        /// What would.
        changes: Vec<String>,
    },
    /// It cannot be linked for another reason.
    #[error("`{module}` cannot be linked: {message}")]
    Link {
        /// The module.
        module: ModuleName,
        /// Why.
        message: String,
    },
    /// A step before the swap failed in the module's own code.
    #[error("`{module}` failed in `{function}`: {source}")]
    Start {
        /// The module.
        module: ModuleName,
        /// The step: `init`, `save-state`, `load-state`, `health`, or the start function.
        function: &'static str,
        /// How.
        source: CallError,
    },
    /// The new generation takes away or changes what callers used.
    #[error("`{module}` is not compatible with its generation {generation}: {}", changes.join("; "))]
    Incompatible {
        /// The module.
        module: ModuleName,
        /// What it was compared with.
        generation: u64,
        /// Each export with both signatures.
        changes: Vec<String>,
    },
    /// The same content failed before.
    #[error("this content of `{module}` was rolled back before: {reason}")]
    KnownBad {
        /// The module.
        module: ModuleName,
        /// Why.
        reason: String,
    },
    /// Too many old generations still run.
    #[error("{live} generations of `{module}` are still in use; at most {max} may be")]
    TooManyGenerations {
        /// The module.
        module: ModuleName,
        /// So many.
        live: usize,
        /// The limit.
        max: usize,
    },
    /// Too many modules.
    #[error("{max} modules are loaded, and no more may be")]
    TooManyModules {
        /// The limit.
        max: usize,
    },
    /// The state was in use for longer than a reload waits.
    #[error("`{module}` was busy for longer than a reload waits ({ms} ms)", ms = waited.as_millis())]
    Busy {
        /// The module.
        module: ModuleName,
        /// How long it waited.
        waited: std::time::Duration,
    },
    /// There is such a module.
    #[error("`{module}` is loaded already, as generation {generation}")]
    AlreadyLoaded {
        /// The module.
        module: ModuleName,
        /// What serves.
        generation: u64,
    },
    /// There is no such module.
    #[error("no module `{module}` is loaded")]
    NotLoaded {
        /// The module.
        module: ModuleName,
    },
    /// The request was given up before the swap.
    #[error("cancelled while `{module}` was {}", state.name())]
    Cancelled {
        /// The module.
        module: ModuleName,
        /// How far it had come.
        state: State,
    },
    /// The loader could not start its own thread.
    #[error("cannot start a thread: {0}")]
    Thread(std::io::Error),
}

/// How to get what was denied.
fn capability_help(denied: &[Denied]) -> String {
    let mut grants = Vec::new();
    let mut others = BTreeSet::new();
    for Denied { capability, by } in denied {
        match by {
            Denier::User => grants.push(format!("--grant {capability}")),
            Denier::Manifest => {
                others.insert("add what its code needs to `capabilities` of its manifest".to_owned());
            }
            Denier::Key(key) => {
                others.insert(format!("raise `capabilities` of `[keys.{key}]` in policy.toml"));
            }
            Denier::Service => {}
        }
    }
    if !grants.is_empty() {
        others.insert(format!("grant it if you trust it: `{}`", grants.join(" ")));
    }
    others.into_iter().collect::<Vec<_>>().join("; ")
}

fn list(offered: &[String]) -> String {
    if offered.is_empty() { String::new() } else { format!(", only {}", offered.join(", ")) }
}

impl LoadError {
    /// A stable name in upper case.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Read { .. } => "MODULE_UNREADABLE",
            Self::UnknownKind { .. } => "MODULE_KIND_UNKNOWN",
            Self::Unsupported { .. } => "MODULE_KIND_UNSUPPORTED",
            Self::Precompiled { .. } => "MODULE_PRECOMPILED",
            Self::Table { .. } => "MODULE_TABLE_INVALID",
            Self::NoTable { .. } => "MODULE_TABLE_MISSING",
            Self::Library { .. } => "MODULE_LIBRARY_UNSUITED",
            Self::Native { .. } => "MODULE_LIBRARY_REFUSED",
            Self::NativeCopy { .. } => "MODULE_LIBRARY_COPY",
            Self::Bytecode { .. } => "MODULE_BYTECODE_INVALID",
            Self::Name(_) => "MODULE_NAME_INVALID",
            Self::Trust { source, .. } => source.code(),
            Self::Package { .. } => "MODULE_PACKAGE_INVALID",
            Self::NoArtifact { .. } => "MODULE_NO_ARTIFACT",
            Self::Older { .. } => "MODULE_OLDER",
            Self::Sequences(_) => "MODULE_SEQUENCES",
            Self::Compile { .. } => "MODULE_NOT_COMPILED",
            Self::MissingImports { .. } => "MODULE_IMPORTS_MISSING",
            Self::Link { .. } => "MODULE_NOT_LINKED",
            Self::ImportMismatch { .. } => "MODULE_IMPORTS_MISMATCHED",
            Self::Capabilities { .. } => "MODULE_CAPABILITY_DENIED",
            Self::InUse { .. } => "MODULE_IN_USE",
            Self::Twice { .. } => "MODULE_TWICE",
            Self::Dependencies { .. } => "MODULE_DEPENDENCIES",
            Self::LockDigest { .. } => "MODULE_LOCK_DIGEST",
            Self::Lock { .. } => "MODULE_LOCK_INVALID",
            Self::Locked { .. } => "MODULE_LOCKED",
            Self::Start { .. } => "MODULE_START_FAILED",
            Self::Incompatible { .. } => "MODULE_INCOMPATIBLE",
            Self::KnownBad { .. } => "MODULE_KNOWN_BAD",
            Self::TooManyGenerations { .. } => "MODULE_GENERATIONS",
            Self::TooManyModules { .. } => "MODULE_COUNT",
            Self::Busy { .. } => "MODULE_BUSY",
            Self::AlreadyLoaded { .. } => "MODULE_LOADED",
            Self::NotLoaded { .. } => "MODULE_NOT_LOADED",
            Self::Cancelled { .. } => "CANCELLED",
            Self::Thread(_) => "MODULE_NO_THREAD",
        }
    }

    /// What to do next; may be empty.
    pub fn help(&self) -> String {
        match self {
            Self::UnknownKind { .. } => {
                "give a `.wasm` file; text has to be translated first (`wat2wasm`)".into()
            }
            Self::Unsupported { .. } => "build the module as WebAssembly (`.wasm`)".into(),
            Self::Precompiled { .. } => "give the `.wasm` file that it was compiled from".into(),
            Self::MissingImports { .. } => {
                "load the modules that it imports first, or name a folder in which they are: `--path FOLDER`"
                    .into()
            }
            Self::ImportMismatch { .. } => "load a version of the module that has these types".into(),
            Self::Capabilities { denied, .. } => capability_help(denied),
            Self::InUse { module, .. } => {
                format!("unload those first, or end it anyway: `vitte unload {module} --force`")
            }
            Self::Twice { .. } => "name it once".into(),
            Self::Dependencies { .. } => {
                "give other versions of the packages, or name the folder that has them: `--path FOLDER`"
                    .into()
            }
            Self::LockDigest { .. } => "get the file again, or delete the lock file to take this one".into(),
            Self::Lock { .. } => "mend or delete it".into(),
            Self::Locked { .. } => "leave `--locked` out to let it change".into(),
            Self::Incompatible { .. } => {
                "keep the export as it was, or accept the change: `--allow-breaking`".into()
            }
            Self::KnownBad { .. } => "change the module, or unload it and load it again".into(),
            Self::TooManyGenerations { module, .. } => {
                format!("wait for their calls to end; `vitte modules {module}` shows them")
            }
            Self::TooManyModules { .. } => "unload some: `vitte unload NAME`".into(),
            Self::Trust { source, .. } => source.help().into(),
            Self::Busy { .. } => "try again".into(),
            Self::AlreadyLoaded { module, .. } => {
                format!("replace it with `vitte reload {module}`, or give another name with `--name`")
            }
            Self::NotLoaded { .. } => "`vitte modules` lists what is loaded".into(),
            Self::NoArtifact { .. } => "put a WebAssembly artifact into the package".into(),
            Self::Older { .. } => "get the newest release".into(),
            Self::NoTable { beside, .. } => {
                format!("write its functions and their types into `{}`", beside.display())
            }
            Self::Library { .. } => "build it for this machine, with the functions of its table".into(),
            Self::NativeCopy { .. } => "make room there, or allow programs to run from it".into(),
            Self::Package { .. } => "get the file again, or make it anew".into(),
            Self::Bytecode { report, .. } => {
                report.problems.first().map_or_else(String::new, |problem| problem.fault.help().into())
            }
            Self::Read { .. }
            | Self::Table { .. }
            | Self::Native { .. }
            | Self::Sequences(_)
            | Self::Name(_)
            | Self::Compile { .. }
            | Self::Link { .. }
            | Self::Start { .. }
            | Self::Cancelled { .. }
            | Self::Thread(_) => String::new(),
        }
    }
}
