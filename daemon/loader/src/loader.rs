//! The door: load, reload, unload, call, look.
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use vitte_wasm_code::{CompileError, Compiler, CompilerOptions};

use crate::bytecode::{Bytecode, Fault};
use crate::call::{CallError, CallRequest, Cancel, Given, Gotten, NOT_BYTES, Reply, Running, Stop};
use crate::config::LoaderConfig;
use crate::error::LoadError;
use crate::event::{Subscription, Watch};
use crate::generation::{Generation, GenerationInfo, Pin, Staged, State, Tier};
use crate::kind::Kind;
use crate::live::{Live, Turn};
use crate::name::ModuleName;
use crate::native::Native;
use crate::program::{Callee, Export, HEALTH, How, LOAD_STATE, LinkFailure, Program, SAVE_STATE};
use crate::registry::{Candidate, HandOver, Incoming, Purpose, Registry};
use crate::sequence::Sequences;
use crate::source::{Code, Content, content};
use crate::ticker::Ticker;

/// Longest time that a call can be given: no clock overflows.
const CALL_MAX: Duration = Duration::from_secs(7 * 24 * 3600);
/// How often a call looks for the generation that its module's state is moving to.
const HAND_OVER_POLL: Duration = Duration::from_micros(200);

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
    config: LoaderConfig,
    compiler: Arc<Compiler>,
    registry: Arc<Registry>,
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
            inner: Arc::new(Inner {
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

    /// Loads a module that is not loaded yet.
    ///
    /// # Errors
    /// See [`LoadError`]; then nothing has changed.
    pub fn load(&self, request: &LoadRequest, cancel: &Cancel) -> Result<Module, LoadError> {
        let candidate = self.inner.prepare(request, Purpose::Load, cancel)?;
        self.inner.commit(&[candidate]).map(|mut modules| modules.remove(0))
    }

    /// Replaces modules that serve, all at one moment or none. A module whose file has the content that
    /// already serves gets a new generation all the same.
    ///
    /// # Errors
    /// See [`LoadError`]; then what served before still serves.
    pub fn reload(&self, requests: &[LoadRequest], cancel: &Cancel) -> Result<Vec<Module>, LoadError> {
        let mut candidates: Vec<Candidate> = Vec::new();
        let prepared = requests.iter().try_for_each(|request| {
            let purpose = Purpose::Replace(request.breaking);
            candidates.push(self.inner.prepare(request, purpose, cancel)?);
            Ok(())
        });
        if let Err(error) = prepared {
            self.inner.fail(&candidates, "another module of the same reload failed");
            return Err(error);
        }
        // Together they are seen in the order of their names, whatever the order of the request.
        candidates.sort_by(|a, b| a.generation.staged.module.cmp(&b.generation.staged.module));
        self.inner.commit(&candidates)
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
        self.reload(&[request], cancel).map(|mut modules| modules.remove(0))
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
        self.reload(&[request], cancel).map(|mut modules| modules.pop())
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
    /// [`LoadError::NotLoaded`].
    pub fn unload(&self, name: &ModuleName) -> Result<u64, LoadError> {
        self.inner.registry.unload(name)
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
        self.inner.call(request, Given::Text(&request.arguments)).map(|reply| {
            reply.map(|results| match results {
                Gotten::Text(text) => text,
                // Results have the form of the arguments.
                Gotten::Bytes(bytes) => String::from_utf8_lossy(&bytes).into_owned(),
            })
        })
    }

    /// Calls a function of one parameter and one result, each `list<u8>` or `string`, whose values are moved as
    /// the bytes that they are. For what is large.
    ///
    /// # Errors
    /// See [`CallError`]; [`CallError::NotCallable`] for a function of another type.
    pub fn call_bytes(&self, request: &CallRequest<Vec<u8>>) -> Result<Reply<Vec<u8>>, CallError> {
        self.inner.call(request, Given::Bytes(&request.arguments)).map(|reply| {
            reply.map(|results| match results {
                Gotten::Bytes(bytes) => bytes,
                Gotten::Text(text) => text.into_bytes(),
            })
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

    /// What a request's file asks to have loaded, where the file is, and its size.
    fn read(&self, request: &LoadRequest) -> Result<(Content, PathBuf, u64), LoadError> {
        let path = std::path::absolute(&request.path).unwrap_or_else(|_| request.path.clone());
        let file = vitte_sys::fs::read_at_most(&path, self.config.file_bytes_max)
            .map_err(|source| LoadError::Read { path: path.clone(), source })?;
        let size = file.len() as u64;
        let content = content(&self.config, &self.sequences, request, &path, file)?;
        Ok((content, path, size))
    }

    /// Everything before the commit: reads, verifies, links, makes a first instance. What serves is not
    /// touched.
    fn prepare(
        &self,
        request: &LoadRequest,
        purpose: Purpose,
        cancel: &Cancel,
    ) -> Result<Candidate, LoadError> {
        let (content, path, size) = self.read(request)?;
        let Content { module, version, kind, code, digest, signer, seq, settings } = content;
        match (self.registry.serving(&module), purpose) {
            (Some(serving), Purpose::Load) => {
                return Err(LoadError::AlreadyLoaded { module, generation: serving.staged.number });
            }
            (None, Purpose::Replace(_)) => return Err(LoadError::NotLoaded { module }),
            (None, Purpose::Load) | (Some(_), Purpose::Replace(_)) => {}
        }
        self.threads()?;
        let incoming = Incoming { module: module.clone(), version, path, kind, size, digest, signer };
        let staged = self.registry.stage(incoming)?;
        let number = staged.number;
        let made = self.make(staged, code, settings, cancel);
        if let Err(error) = &made {
            self.registry.advance(&module, number, State::Failed, &error.to_string());
        }
        Ok(Candidate { generation: Arc::new(made?), purpose, seq })
    }

    fn make(
        &self,
        staged: Staged,
        code: Code,
        settings: Option<String>,
        cancel: &Cancel,
    ) -> Result<Generation, LoadError> {
        let (module, number) = (staged.module.clone(), staged.number);
        let (program, live) = match code {
            Code::Wasm(bytes) => self.make_wasm(&staged, &bytes, settings, cancel)?,
            Code::Bytecode(verified) => (self.make_bytecode(&staged, verified, cancel)?, None),
            Code::Native { table, text, library } => {
                let Some(options) = &self.config.native else {
                    return Err(LoadError::Unsupported { path: staged.path, kind: staged.kind });
                };
                self.registry.advance(&module, number, State::Verified, "its table is read");
                let stop = self.stop(cancel, &Cancel::default());
                let native = Native::start(&module, options, &table, text, library, &stop)?;
                self.registry.advance(&module, number, State::Linked, "");
                (Program::native(native), None)
            }
        };
        self.registry.advance(&module, number, State::Initialised, "");
        if cancel.is_cancelled() {
            return Err(LoadError::Cancelled { module, state: State::Initialised });
        }
        Ok(Generation::new(staged, program, live, Arc::clone(&self.registry.bell)))
    }

    fn make_wasm(
        &self,
        staged: &Staged,
        bytes: &[u8],
        settings: Option<String>,
        cancel: &Cancel,
    ) -> Result<(Program, Option<Live>), LoadError> {
        let (module, number) = (&staged.module, staged.number);
        let compiled = self.compiler.compile(bytes, &|| cancel.is_cancelled());
        let compiled = compiled.map_err(|source| match source {
            CompileError::Cancelled => LoadError::Cancelled { module: module.clone(), state: State::Staged },
            CompileError::NotWasm
            | CompileError::TooLarge { .. }
            | CompileError::Refused(_)
            | CompileError::Late(_)
            | CompileError::Died(_)
            | CompileError::Start(_)
            | CompileError::Engine(_) => LoadError::Compile { module: module.clone(), source },
        })?;
        let engine = self.compiler.engine();
        let engine = engine.map_err(|source| LoadError::Compile { module: module.clone(), source })?;
        let how = match compiled.origin {
            vitte_wasm_code::Origin::Cache => "kept code",
            vitte_wasm_code::Origin::Compiled => "compiled",
        };
        self.registry.advance(module, number, State::Verified, how);
        let settings = self.settings_of(module).or(settings);
        let program = Program::link(engine, &compiled.code, settings).map_err(|failure| match failure {
            LinkFailure::Missing(missing) => LoadError::MissingImports { module: module.clone(), missing },
            LinkFailure::Other(message) => LoadError::Link { module: module.clone(), message },
        })?;
        self.registry.advance(module, number, State::Linked, "");
        let _ticking = self.threads()?.ticker.running();
        let first = Running::new(engine, &program, &self.config, self.stop(cancel, &Cancel::default()));
        let first = first.map_err(|source| {
            let function = if program.init().is_some() { "init" } else { "start" };
            LoadError::Start { module: module.clone(), function, source }
        })?;
        let live = program.has_state().then(|| Live::new(first));
        Ok((program, live))
    }

    /// What the user gave for a plugin.
    fn settings_of(&self, module: &ModuleName) -> Option<String> {
        self.settings.lock().unwrap_or_else(PoisonError::into_inner).get(module).cloned()
    }

    /// A module that serves by interpretation as soon as it is linked. It is compiled meanwhile.
    fn make_bytecode(
        &self,
        staged: &Staged,
        verified: vitte_bytecode::Verified,
        cancel: &Cancel,
    ) -> Result<Program, LoadError> {
        let (module, number) = (&staged.module, staged.number);
        self.registry.advance(module, number, State::Verified, "bytecode");
        let bytecode = Bytecode::new(vitte_bytecode::Compiled::new(verified));
        let program = Program::bytecode(bytecode).map_err(|failure| match failure {
            LinkFailure::Missing(missing) => LoadError::MissingImports { module: module.clone(), missing },
            LinkFailure::Other(message) => LoadError::Link { module: module.clone(), message },
        })?;
        self.registry.advance(module, number, State::Linked, "");
        if let Some(bytecode) = program.as_bytecode() {
            let stop = self.stop(cancel, &Cancel::default());
            bytecode.try_instance(&stop, &self.config).map_err(|source| LoadError::Start {
                module: module.clone(),
                function: "init",
                source,
            })?;
            bytecode.promote(Arc::clone(&self.compiler));
        }
        Ok(program)
    }

    /// When code that is no call of a client has to stop.
    fn stop(&self, caller: &Cancel, generation: &Cancel) -> Stop {
        let time_max = self.config.call_max;
        Stop {
            deadline: Instant::now() + time_max,
            time_max,
            caller: caller.clone(),
            generation: generation.clone(),
        }
    }

    fn commit(&self, candidates: &[Candidate]) -> Result<Vec<Module>, LoadError> {
        if let Err(error) = self.registry.commit(candidates, self) {
            self.fail(candidates, &error.to_string());
            return Err(error);
        }
        for Candidate { generation, seq, .. } in candidates {
            if let (Some(signer), Some((id, seq))) = (&generation.staged.signer, seq) {
                self.sequences.note(signer, id, *seq);
            }
        }
        Ok(candidates.iter().map(|candidate| module(&candidate.generation)).collect())
    }

    fn fail(&self, candidates: &[Candidate], reason: &str) {
        for Candidate { generation, .. } in candidates {
            let Staged { module, number, .. } = &generation.staged;
            self.registry.advance(module, *number, State::Failed, reason);
        }
    }

    fn describe(&self, generation: &Generation) -> ModuleInfo {
        ModuleInfo {
            module: module(generation),
            path: generation.staged.path.clone(),
            size: generation.staged.size,
            has_state: generation.live.is_some(),
            generations: self.registry.describe(&generation.staged.module),
        }
    }

    fn call<A>(&self, request: &CallRequest<A>, arguments: Given<'_>) -> Result<Reply<Gotten>, CallError> {
        let CallRequest { module, function, arguments: _, generation, time_max, cancel } = request;
        let began = Instant::now();
        let allowed = time_max.unwrap_or(self.config.call_max).min(CALL_MAX);
        loop {
            let pin = match generation {
                None => self.registry.pin(module),
                Some(number) => self.registry.pin_generation(module, *number),
            };
            let pin = pin.ok_or_else(|| match generation {
                Some(number) => CallError::NoGeneration { module: module.clone(), generation: *number },
                None => CallError::NotLoaded(module.clone()),
            })?;
            let callee = pin.program.callees().get(function).ok_or_else(|| no_function(&pin, function))?;
            callee.mark_used();
            let stop = Stop {
                deadline: began + allowed,
                time_max: allowed,
                caller: cancel.clone(),
                generation: pin.stop.clone(),
            };
            let program = pin.program.current();
            let outcome = self.call_pinned(&pin, program, callee, arguments, &stop);
            let results = match outcome {
                Ok(Some(results)) => Ok(results),
                Ok(None) if generation.is_some() => {
                    return Err(CallError::NoGeneration {
                        module: module.clone(),
                        generation: pin.staged.number,
                    });
                }
                // Its state is moving to another generation: there it is called, once that serves.
                Ok(None) => {
                    if let Some(reason) = stop.reason() {
                        return Err(reason);
                    }
                    std::thread::sleep(HAND_OVER_POLL);
                    continue;
                }
                Err(error) => Err(error),
            };
            // A deadline that the caller chose says nothing about the module.
            let failed = match &results {
                Err(CallError::DeadlineExceeded(_)) => time_max.is_none(),
                Err(error) => error.is_fault(),
                Ok(_) => false,
            };
            self.registry.count(&pin, failed, self);
            return Ok(Reply {
                module: module.clone(),
                version: pin.staged.version.clone(),
                generation: pin.staged.number,
                tier: program.tier(),
                results: results?,
                elapsed: began.elapsed(),
            });
        }
    }

    /// The results, or `None` if the state has moved on.
    fn call_pinned(
        &self,
        pin: &Pin,
        program: &Program,
        callee: &Callee,
        arguments: Given<'_>,
        stop: &Stop,
    ) -> Result<Option<Gotten>, CallError> {
        if let (Some(native), How::Native { place }) = (pin.program.as_native(), &callee.how) {
            return native.call(*place, arguments, stop).map(Some);
        }
        let mut callee = callee;
        match (program.as_bytecode(), &callee.how) {
            (Some(bytecode), How::Bytecode(function)) => {
                let Export { name, signature, .. } = &callee.export;
                let unfit = |why| CallError::NotCallable {
                    function: name.clone(),
                    signature: signature.clone(),
                    why,
                };
                // Its functions take and give numbers.
                let Given::Text(arguments) = arguments else { return Err(unfit(NOT_BYTES.to_owned())) };
                let called = bytecode.call(function, arguments, stop, &self.config);
                return called.map(Gotten::Text).map(Some).map_err(|fault| match fault {
                    Fault::Call(error) => error,
                    Fault::Arguments(message) => {
                        CallError::Arguments { function: name.clone(), signature: signature.clone(), message }
                    }
                    Fault::Results(why) => unfit(why),
                });
            }
            // What was compiled of bytecode has the same functions by the same names.
            (None, How::Bytecode(_)) => {
                let name = &callee.export.name;
                callee = program.callees().get(name).ok_or_else(|| no_function(pin, name))?;
            }
            (_, How::Core { .. } | How::Component { .. } | How::Native { .. }) => {}
        }
        let engine = self.compiler.engine().map_err(|error| CallError::Failed(error.to_string()))?;
        let threads = self.threads().map_err(|error| CallError::Failed(error.to_string()))?;
        let _ticking = threads.ticker.running();
        let Some(live) = &pin.live else {
            let mut running = Running::new(engine, program, &self.config, stop.clone())?;
            return running.call(callee, arguments).map(Some);
        };
        let mut running = match live.take(stop)? {
            Turn::Yours(running) => running,
            Turn::Moved => return Ok(None),
        };
        running.rearm(stop.clone());
        let outcome = running.call(callee, arguments);
        if outcome.as_ref().err().is_none_or(CallError::came_before_the_code) {
            live.give_back(running);
        } else {
            // What was interrupted is in no state to go on: it begins again from where it began.
            drop(running);
            match self.revive(pin, engine) {
                Ok(running) => live.give_back(Box::new(running)),
                Err(error) => live.give_up(error),
            }
        }
        outcome.map(Some)
    }

    /// A new instance with the state that the generation began with.
    fn revive(&self, generation: &Generation, engine: &wasmtime::Engine) -> Result<Running, CallError> {
        let stop = self.stop(&Cancel::default(), &generation.stop);
        let mut running = Running::new(engine, &generation.program, &self.config, stop)?;
        if let (Some(state), Some(hook)) = (generation.saved(), generation.program.hook(LOAD_STATE)) {
            running.load_state(hook, &state)?;
        }
        Ok(running)
    }

    /// Moves state between two instances.
    fn migrate(
        &self,
        old: &Generation,
        from: &mut Running,
        new: &Generation,
        to: &mut Running,
    ) -> Result<Vec<u8>, LoadError> {
        let at = |function| {
            let module = new.staged.module.clone();
            move |source| LoadError::Start { module, function, source }
        };
        from.rearm(self.stop(&Cancel::default(), &old.stop));
        to.rearm(self.stop(&Cancel::default(), &new.stop));
        let (Some(save), Some(load)) = (old.program.hook(SAVE_STATE), new.program.hook(LOAD_STATE)) else {
            return Ok(Vec::new());
        };
        let state = from.save_state(save).map_err(at(SAVE_STATE))?;
        to.load_state(load, &state).map_err(at(LOAD_STATE))?;
        if let Some(health) = new.program.hook(HEALTH) {
            to.hook(health, &[]).map_err(at(HEALTH))?;
        }
        Ok(state)
    }
}

impl HandOver for Inner {
    fn hand_over(&self, old: &Generation, new: &Generation) -> Result<(), LoadError> {
        let (Some(from), Some(to)) = (&old.live, &new.live) else {
            self.check(new)?;
            if let Some(live) = &old.live {
                live.park(None);
            }
            return Ok(());
        };
        let _ticking = self.threads()?.ticker.running();
        let until = Instant::now() + self.config.gate_max;
        let busy = || LoadError::Busy { module: new.staged.module.clone(), waited: self.config.gate_max };
        let Some(mut source) = from.take_for_reload(until) else {
            // Nothing is left of a broken instance that could be moved; the new one begins afresh.
            return if from.is_broken() { self.check(new) } else { Err(busy()) };
        };
        let Some(mut target) = to.take_for_reload(until) else {
            from.reopen(source);
            return Err(busy());
        };
        match self.migrate(old, &mut source, new, &mut target) {
            Ok(state) => {
                new.begin_with(state.clone());
                // What it would begin with again, should it be rolled back to and then trap.
                old.begin_with(state);
                to.reopen(target);
                from.park(Some(source));
                Ok(())
            }
            Err(error) => {
                // The functions of state may have been stopped half-way, so the instance is made anew from
                // what it began with, unless it has only been read.
                let trapped = matches!(&error, LoadError::Start { function: SAVE_STATE, .. });
                let engine = self.compiler.engine();
                match (trapped, engine) {
                    (true, Ok(engine)) => match self.revive(old, engine) {
                        Ok(running) => from.reopen(Box::new(running)),
                        Err(broken) => {
                            from.reopen(source);
                            from.give_up(broken);
                        }
                    },
                    (true, Err(_)) | (false, _) => from.reopen(source),
                }
                Err(error)
            }
        }
    }

    fn check(&self, new: &Generation) -> Result<(), LoadError> {
        let Some(health) = new.program.hook(HEALTH) else { return Ok(()) };
        let failed =
            |source| LoadError::Start { module: new.staged.module.clone(), function: HEALTH, source };
        let threads = self.threads()?;
        let _ticking = threads.ticker.running();
        let stop = self.stop(&Cancel::default(), &new.stop);
        let engine = self.compiler.engine();
        let engine =
            engine.map_err(|source| LoadError::Compile { module: new.staged.module.clone(), source })?;
        match &new.live {
            None => {
                let mut running = Running::new(engine, &new.program, &self.config, stop).map_err(failed)?;
                running.hook(health, &[]).map_err(failed)
            }
            Some(live) => match live.take(&stop).map_err(failed)? {
                Turn::Moved => Ok(()),
                Turn::Yours(mut running) => {
                    running.rearm(stop);
                    let outcome = running.hook(health, &[]);
                    live.give_back(running);
                    outcome.map_err(failed)
                }
            },
        }
    }

    fn take_back(&self, old: &Generation, new: &Generation) {
        if let Some(live) = &new.live {
            live.park(None);
        }
        if let Some(live) = &old.live
            && !live.unpark()
            && let Ok(engine) = self.compiler.engine()
        {
            // Its instance was lost in a trap while another served.
            match self.revive(old, engine) {
                Ok(running) => live.reopen(Box::new(running)),
                Err(error) => live.give_up(error),
            }
        }
    }
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
