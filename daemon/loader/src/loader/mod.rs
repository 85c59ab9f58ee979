//! The door: load, reload, unload, call, look.
mod activate; // modules that are loaded when they are called
mod dependencies; // packages that come with a package
mod examine; // what a file would be allowed
mod hand_over; // state from one generation to the next
mod link; // imports and capabilities of a module
mod prepare; // from files to generations
mod run; // calls

pub use examine::Allowed;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, OnceLock, PoisonError, Weak};
use std::thread::JoinHandle;
use std::time::Duration;

use vitte_trust::Capability;
use vitte_wasm_code::{Compiler, CompilerOptions};

use crate::call::{Asked, CallError, CallRequest, Cancel, Given, Gotten, Reply};
use crate::config::LoaderConfig;
use crate::domain::Domains;
use crate::error::LoadError;
use crate::event::{Subscription, Watch};
use crate::generation::{Generation, GenerationInfo, State, Tier};
use crate::import::Activation;
use crate::kind::Kind;
use crate::name::ModuleName;
use crate::program::{Callee, Export};
use crate::registry::{Purpose, Registry};
use crate::sequence::Sequences;
use crate::ticker::Ticker;
use crate::typed::Value;

/// What a reload does with exports that callers used and the new generation lacks or changes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Breaking {
    /// It is refused, with both signatures.
    #[default]
    Refuse,
    /// It goes on.
    Accept,
}

/// What to load, or to replace.
#[derive(Clone, Debug)]
pub struct LoadRequest {
    /// The file. It is read once, whole.
    pub path: PathBuf,
    /// The module's name; the file's if not given.
    pub name: Option<ModuleName>,
    /// For a reload.
    pub breaking: Breaking,
}

impl LoadRequest {
    /// Loads a file under its own name.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self { path: path.into(), name: None, breaking: Breaking::Refuse }
    }

    /// Gives it another name.
    #[must_use]
    pub fn named(mut self, name: ModuleName) -> Self {
        self.name = Some(name);
        self
    }
}

/// With what a module is linked, besides what its file says. A reload goes on with what it was loaded with.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LinkOptions {
    /// What the user grants it and the packages that are loaded with it, besides what
    /// [`LoaderConfig::grants`] grants all modules.
    pub grants: Vec<Capability>,
    /// What follows the name of the module in its command line, which it sees if it is given `args`.
    pub arguments: Vec<String>,
    /// Folders in which packages that it depends on are looked for first.
    pub search: Vec<PathBuf>,
    /// Whether a lock file that would change is an error.
    pub locked: bool,
}

/// With what a module really is linked.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Linking {
    pub(crate) given: LinkOptions,
    /// What is loaded when it is first called.
    pub(crate) on_call: BTreeMap<ModuleName, Activation>,
}

/// What serves after a load or reload.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Module {
    /// Its name.
    pub name: ModuleName,
    /// Its version; empty if it has none.
    pub version: String,
    /// The generation that serves.
    pub generation: u64,
    /// What the file is.
    pub kind: Kind,
    /// How it is executed.
    pub tier: Tier,
    /// The trusted key that signed it.
    pub signer: Option<String>,
    /// Its functions, by name.
    pub exports: Vec<Export>,
}

/// A module, as reports show it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ModuleInfo {
    /// What serves.
    pub module: Module,
    /// The file that it came from.
    pub path: PathBuf,
    /// The size of that file, in bytes.
    pub size: u64,
    /// Whether one instance lives on from call to call.
    pub has_state: bool,
    /// All generations that are known, by number.
    pub generations: Vec<GenerationInfo>,
    /// What it imports from other modules, by module and name.
    pub imports: Vec<ModuleImport>,
    /// What it may reach of the system.
    pub capabilities: Vec<Capability>,
}

/// An import of a module, as reports show it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ModuleImport {
    /// Who has to give it, as the code writes it.
    pub interface: String,
    /// What it is called there.
    pub name: String,
    /// Its type.
    pub signature: String,
    /// The module that answers.
    pub target: ModuleName,
    /// The generation of it that serves now; `None` if it is not loaded.
    pub generation: Option<u64>,
    /// Whether the module that answers is loaded when it is first called.
    pub on_call: bool,
}

/// Loads modules, replaces them while they run, and calls their functions.
///
/// All methods block, and can be used from any number of threads. Dropping the last clone ends its threads;
/// code that still runs for another thread keeps what it needs.
#[derive(Clone)]
pub struct ModuleLoader {
    inner: Arc<Inner>,
}

struct Inner {
    /// Itself, for calls that go from module to module.
    me: Weak<Self>,
    config: LoaderConfig,
    activating: activate::Activating,
    compiler: Arc<Compiler>,
    registry: Arc<Registry>,
    domains: Domains,
    sequences: Sequences,
    /// Started with the first module.
    threads: OnceLock<Threads>,
    starting: Mutex<()>,
    /// What users gave to plugins, by name.
    settings: Mutex<BTreeMap<ModuleName, String>>,
}

struct Threads {
    ticker: Ticker,
    tidier: Mutex<Option<JoinHandle<()>>>,
}

impl Default for ModuleLoader {
    fn default() -> Self {
        Self::new()
    }
}

impl ModuleLoader {
    /// A loader that compiles in this process and keeps nothing on disk.
    pub fn new() -> Self {
        Self::with_config(LoaderConfig::default())
    }

    /// A loader with settings. Starts and opens nothing before the first module.
    pub fn with_config(config: LoaderConfig) -> Self {
        let compiler = Arc::new(Compiler::new(CompilerOptions {
            workers: config.workers.clone(),
            cache: config.cache.clone(),
            time_max: config.compile_max,
            ..CompilerOptions::default()
        }));
        let registry = Arc::new(Registry::new(config.clone()));
        Self {
            inner: Arc::new_cyclic(|me| Inner {
                me: Weak::clone(me),
                activating: activate::Activating::default(),
                domains: Domains::new(Arc::downgrade(&registry)),
                sequences: Sequences::new(config.sequences.clone()),
                config,
                compiler,
                registry,
                threads: OnceLock::new(),
                starting: Mutex::default(),
                settings: Mutex::default(),
            }),
        }
    }

    /// Loads a file under its own name.
    ///
    /// # Errors
    /// As [`load`](Self::load).
    pub fn load_file(&self, path: impl AsRef<Path>) -> Result<Module, LoadError> {
        self.load(&LoadRequest::new(path.as_ref()), &Cancel::default())
    }

    /// Loads a module that is not loaded yet, with the packages that it depends on.
    ///
    /// # Errors
    /// See [`LoadError`]; then nothing has changed.
    pub fn load(&self, request: &LoadRequest, cancel: &Cancel) -> Result<Module, LoadError> {
        self.load_linked(request, &LinkOptions::default(), cancel)
    }

    /// As [`load`](Self::load), linked with `options`.
    ///
    /// # Errors
    /// See [`LoadError`]; then nothing has changed.
    pub fn load_linked(
        &self,
        request: &LoadRequest,
        options: &LinkOptions,
        cancel: &Cancel,
    ) -> Result<Module, LoadError> {
        let (wanted, lock) = self.inner.with_dependencies(request.clone(), Purpose::Load, options)?;
        let name =
            wanted.first().and_then(|root| root.read.as_ref()).map(|(content, ..)| content.module.clone());
        let modules = self.inner.install(wanted, cancel)?;
        if let Some(lock) = lock {
            lock.write();
        }
        // It comes first where it is the only one, and is there in any case.
        let found = modules.into_iter().find(|module| Some(&module.name) == name.as_ref());
        found.ok_or_else(|| LoadError::NotLoaded { module: ModuleName::of_file(&request.path) })
    }

    /// Loads modules that are not loaded yet, all at one moment or none: they may import each other.
    ///
    /// # Errors
    /// See [`LoadError`]; then nothing has changed.
    pub fn load_together(
        &self,
        requests: &[LoadRequest],
        options: &LinkOptions,
        cancel: &Cancel,
    ) -> Result<Vec<Module>, LoadError> {
        self.together(
            requests.iter().map(|request| (request.clone(), Purpose::Load, options.clone())),
            cancel,
        )
    }

    /// Replaces modules that serve, all at one moment or none. They are linked with each other's new generations,
    /// and as they were before. A module whose file has the content that already serves gets a new generation all
    /// the same.
    ///
    /// # Errors
    /// See [`LoadError`]; then what served before still serves.
    pub fn reload(&self, requests: &[LoadRequest], cancel: &Cancel) -> Result<Vec<Module>, LoadError> {
        let requests = requests.iter().map(|request| {
            let name = request.name.clone().unwrap_or_else(|| ModuleName::of_file(&request.path));
            let serving = self.inner.registry.serving(&name);
            let options = serving.map(|serving| serving.options.given.clone()).unwrap_or_default();
            (request.clone(), Purpose::Replace(request.breaking), options)
        });
        self.together(requests, cancel)
    }

    fn together(
        &self,
        requests: impl Iterator<Item = (LoadRequest, Purpose, LinkOptions)>,
        cancel: &Cancel,
    ) -> Result<Vec<Module>, LoadError> {
        let (mut wanted, mut locks) = (Vec::<prepare::Wanted>::new(), Vec::new());
        let mut dependencies = Vec::new();
        for (request, purpose, options) in requests {
            let (all, lock) = self.inner.with_dependencies(request, purpose, &options)?;
            let mut all = all.into_iter();
            wanted.extend(all.next());
            dependencies.extend(all);
            locks.extend(lock);
        }
        // What several need, or what is in the request itself, comes once.
        for dependency in dependencies {
            let is_same = |other: &prepare::Wanted| {
                other.digest == dependency.digest
                    || other
                        .read
                        .as_ref()
                        .is_some_and(|(.., digest)| Some(digest) == dependency.digest.as_ref())
            };
            if !wanted.iter().any(is_same) {
                wanted.push(dependency);
            }
        }
        let modules = self.inner.install(wanted, cancel)?;
        locks.iter().for_each(dependencies::NewLock::write);
        Ok(modules)
    }

    /// Replaces a module by what its file holds now.
    ///
    /// # Errors
    /// As [`reload`](Self::reload).
    pub fn reload_file_of(
        &self,
        name: &ModuleName,
        breaking: Breaking,
        cancel: &Cancel,
    ) -> Result<Module, LoadError> {
        let serving = self.inner.registry.serving(name);
        let serving = serving.ok_or_else(|| LoadError::NotLoaded { module: name.clone() })?;
        let request = LoadRequest { path: serving.staged.path.clone(), name: Some(name.clone()), breaking };
        self.reload(&[request], cancel).and_then(|modules| of_name(modules, name))
    }

    /// As [`reload_file_of`](Self::reload_file_of), unless the file holds what already serves. A failure that
    /// comes before the new generation has a number is an event of generation 0.
    ///
    /// # Errors
    /// As [`reload`](Self::reload).
    pub fn reload_if_changed(
        &self,
        name: &ModuleName,
        breaking: Breaking,
        cancel: &Cancel,
    ) -> Result<Option<Module>, LoadError> {
        let serving = self.inner.registry.serving(name);
        let serving = serving.ok_or_else(|| LoadError::NotLoaded { module: name.clone() })?;
        let request = LoadRequest { path: serving.staged.path.clone(), name: Some(name.clone()), breaking };
        match self.inner.read(&request) {
            Ok((content, ..)) if content.digest == serving.staged.digest => return Ok(None),
            Ok(_) => {}
            Err(error) => {
                let events = &self.inner.registry.events;
                events.publish(name, 0, State::Failed, &error.to_string(), Duration::ZERO);
                return Err(error);
            }
        }
        self.reload(&[request], cancel).and_then(|modules| of_name(modules, name)).map(Some)
    }

    /// What `init` of the module is given from the next load or reload on, if it takes a configuration; `None` for what
    /// its package says.
    pub fn configure(&self, name: &ModuleName, settings: Option<String>) {
        let mut all = self.inner.settings.lock().unwrap_or_else(PoisonError::into_inner);
        match settings {
            Some(settings) => drop(all.insert(name.clone(), settings)),
            None => drop(all.remove(name)),
        }
    }

    /// The settings that it was made with.
    pub(crate) fn config(&self) -> &LoaderConfig {
        &self.inner.config
    }

    /// Ends the service of a module: new calls find nothing, old ones are given
    /// [`LoaderConfig::drain_max`]. Returns at once, with the generation that served.
    ///
    /// # Errors
    /// [`LoadError::NotLoaded`]; [`LoadError::InUse`] if modules that serve import it.
    pub fn unload(&self, name: &ModuleName) -> Result<u64, LoadError> {
        self.inner.registry.unload(name, false)
    }

    /// As [`unload`](Self::unload), also of a module that others import: their calls of it fail from then on.
    ///
    /// # Errors
    /// [`LoadError::NotLoaded`].
    pub fn unload_anyway(&self, name: &ModuleName) -> Result<u64, LoadError> {
        self.inner.registry.unload(name, true)
    }

    /// Waits until nothing of a module holds memory any more; whether that came within `timeout`.
    pub fn wait_unloaded(&self, name: &ModuleName, timeout: Duration) -> bool {
        self.inner.registry.wait_gone(name, timeout)
    }

    /// Calls a function. Blocks until it has ended; see [`CallRequest::cancel`].
    ///
    /// # Errors
    /// See [`CallError`].
    pub fn call(&self, request: &CallRequest) -> Result<Reply, CallError> {
        self.inner.call(request, Asked::As(Given::Text(&request.arguments))).map(|reply| {
            reply.map(|results| match results {
                Gotten::Text(text) => text,
                // Results have the form of the arguments.
                Gotten::Bytes(bytes) => String::from_utf8_lossy(&bytes).into_owned(),
                Gotten::Values(values) => crate::value::render(&values).unwrap_or_default(),
                Gotten::Typed(_) => String::new(),
            })
        })
    }

    /// Calls a function of one parameter and one result, each `list<u8>` or `string`, whose values are moved as
    /// the bytes that they are. For what is large.
    ///
    /// # Errors
    /// See [`CallError`]; [`CallError::NotCallable`] for a function of another type.
    pub fn call_bytes(&self, request: &CallRequest<Vec<u8>>) -> Result<Reply<Vec<u8>>, CallError> {
        self.inner.call(request, Asked::As(Given::Bytes(&request.arguments))).map(|reply| {
            reply.map(|results| match results {
                Gotten::Bytes(bytes) => bytes,
                Gotten::Text(text) => text.into_bytes(),
                Gotten::Values(mut values) => crate::value::to_bytes(values.pop()).unwrap_or_default(),
                Gotten::Typed(_) => Vec::new(),
            })
        })
    }

    /// Calls a function with values: one for each parameter, in order. They are held against its type before any
    /// code of the module runs. What takes and gives bytes or text alone is as fast as
    /// [`call_bytes`](Self::call_bytes).
    ///
    /// # Errors
    /// See [`CallError`]; [`CallError::Arguments`] names the place of a value that does not fit.
    pub fn call_values(&self, request: &CallRequest<Vec<Value>>) -> Result<Reply<Vec<Value>>, CallError> {
        self.inner.call(request, Asked::Typed(&request.arguments)).map(|reply| {
            reply.map(|results| match results {
                Gotten::Typed(values) => values,
                // Results have the form of the arguments.
                Gotten::Text(_) | Gotten::Bytes(_) | Gotten::Values(_) => Vec::new(),
            })
        })
    }

    /// Whether a call of a function of the generation that serves can be expected to take less than a millisecond,
    /// as its last ones did. One that then takes longer calls [`LoaderConfig::while_busy`].
    pub fn is_short(&self, name: &ModuleName, function: &str) -> bool {
        let serving = self.inner.registry.serving(name);
        serving.is_some_and(|generation| {
            generation.program.callees().get(function).is_some_and(Callee::is_short)
        })
    }

    /// A module that serves.
    pub fn module(&self, name: &ModuleName) -> Option<ModuleInfo> {
        self.inner.registry.serving(name).map(|generation| self.inner.describe(&generation))
    }

    /// All modules that serve, by name.
    pub fn modules(&self) -> Vec<ModuleInfo> {
        self.inner.registry.all().iter().map(|generation| self.inner.describe(generation)).collect()
    }

    /// The generations of a module, also of one that no longer serves.
    pub fn generations(&self, name: &ModuleName) -> Vec<GenerationInfo> {
        self.inner.registry.describe(name)
    }

    /// Events after number `after` that are still known, then all that come.
    pub fn subscribe(&self, after: u64) -> Subscription {
        self.inner.registry.events.subscribe(after)
    }

    /// Tells `watch` events after number `after` that are still known, then all that come, until it answers
    /// false.
    pub fn watch(&self, after: u64, watch: Watch) {
        self.inner.registry.events.watch(after, watch);
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        self.registry.bell.end();
        if let Some(threads) = self.threads.get() {
            let tidier = threads.tidier.lock().unwrap_or_else(PoisonError::into_inner).take();
            if let Some(tidier) = tidier {
                // It has no way to panic.
                let _ = tidier.join();
            }
        }
    }
}

impl Inner {
    /// What the user gave for a plugin.
    fn settings_of(&self, module: &ModuleName) -> Option<String> {
        self.settings.lock().unwrap_or_else(PoisonError::into_inner).get(module).cloned()
    }

    /// The threads of the loader, started when first asked for.
    fn threads(&self) -> Result<&Threads, LoadError> {
        if let Some(threads) = self.threads.get() {
            return Ok(threads);
        }
        let _only = self.starting.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(threads) = self.threads.get() {
            return Ok(threads);
        }
        let engine =
            self.compiler.engine().map_err(|error| LoadError::Thread(std::io::Error::other(error)))?;
        let ticker = Ticker::start(engine).map_err(LoadError::Thread)?;
        let registry = Arc::clone(&self.registry);
        let tidier = std::thread::Builder::new().name("module-drain".into()).spawn(move || {
            let mut next = None;
            while registry.bell.wait(next) {
                next = registry.tidy();
            }
        });
        let tidier = Mutex::new(Some(tidier.map_err(LoadError::Thread)?));
        Ok(self.threads.get_or_init(|| Threads { ticker, tidier }))
    }

    fn describe(&self, generation: &Generation) -> ModuleInfo {
        ModuleInfo {
            module: module(generation),
            path: generation.staged.path.clone(),
            size: generation.staged.size,
            has_state: generation.live.is_some(),
            generations: self.registry.describe(&generation.staged.module),
            imports: self.imports(generation),
            capabilities: generation.capabilities.clone(),
        }
    }

    fn imports(&self, generation: &Generation) -> Vec<ModuleImport> {
        let bindings = generation.program.bindings().iter();
        let import = bindings.map(|binding| ModuleImport {
            interface: binding.import.module.clone(),
            name: binding.import.name.clone(),
            signature: binding.import.signature.to_string(),
            target: binding.target.clone(),
            generation: self.registry.serving(&binding.target).map(|serving| serving.staged.number),
            on_call: binding.on_call.is_some(),
        });
        import.collect()
    }
}

fn of_name(modules: Vec<Module>, name: &ModuleName) -> Result<Module, LoadError> {
    let found = modules.into_iter().find(|module| module.name == *name);
    found.ok_or_else(|| LoadError::NotLoaded { module: name.clone() })
}

fn module(generation: &Generation) -> Module {
    Module {
        name: generation.staged.module.clone(),
        version: generation.staged.version.clone(),
        generation: generation.staged.number,
        kind: generation.staged.kind,
        tier: generation.program.tier(),
        signer: generation.staged.signer.clone(),
        exports: generation.program.callees().values().map(|callee| callee.export.clone()).collect(),
    }
}

fn no_function(generation: &Generation, function: &str) -> CallError {
    /// So many are named.
    const NAMED: usize = 12;
    CallError::NoFunction {
        module: generation.staged.module.clone(),
        function: function.chars().take(200).collect(),
        available: generation.program.callees().keys().take(NAMED).cloned().collect(),
    }
}

pub(crate) fn hexadecimal(bytes: &[u8]) -> String {
    use std::fmt::Write;
    bytes.iter().fold(String::with_capacity(2 * bytes.len()), |mut text, byte| {
        // Writing to a string cannot fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}
