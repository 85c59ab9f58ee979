//! From files to generations that could serve: read, verify, link, make a first instance. What serves is not
//! touched before all of a request's modules have come so far.
use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Instant;

use sha2::{Digest, Sha256};
use vitte_native_code::table::Table;
use vitte_trust::Capability;
use vitte_wasm_code::CompileError;

use super::{Inner, Linking, LoadRequest, Module, hexadecimal, module};
use crate::bytecode::At;
use crate::call::{CallError, Cancel, Hop, Running, Stop};
use crate::context::{Context, Snapshot};
use crate::error::LoadError;
use crate::generation::{Generation, Staged, State};
use crate::import::Exports;
use crate::interface::Signature;
use crate::live::Live;
use crate::name::ModuleName;
use crate::native::{Library, Native, Types};
use crate::program::{Program, Unlinked};
use crate::registry::{Candidate, Incoming, Overlay, Purpose};
use crate::source::{Code, Content, Packaged, content};
use crate::wasi::Settings;

/// A file that is to become a generation.
pub(super) struct Wanted {
    pub(super) request: LoadRequest,
    pub(super) purpose: Purpose,
    pub(super) options: Arc<Linking>,
    /// SHA-256 that the file has to have, in hexadecimal.
    pub(super) digest: Option<String>,
    /// What was read of it already.
    pub(super) read: Option<Read>,
}

/// What a file asks to have loaded, where it is, its size, and its digest.
pub(super) type Read = (Content, PathBuf, u64, String);

/// A generation on its way.
struct Coming {
    staged: Staged,
    purpose: Purpose,
    options: Arc<Linking>,
    seq: Option<(String, u64)>,
    /// What its manifest gives to `init`.
    settings: Option<String>,
    packaged: Option<Packaged>,
    ceiling: Option<Vec<Capability>>,
    code: Valid,
}

/// Code that was found valid.
enum Valid {
    Engine(Unlinked),
    Native { table: Table, text: String, library: Library },
}

impl Coming {
    fn exports(&self) -> Exports {
        match &self.code {
            Valid::Engine(unlinked) => unlinked.exports(),
            Valid::Native { table, .. } => table
                .functions
                .iter()
                .map(|function| {
                    let ty = Types::of(function).function_type();
                    (function.name.clone(), Signature::Interface(ty))
                })
                .collect(),
        }
    }

    fn targets(&self) -> BTreeSet<ModuleName> {
        match &self.code {
            Valid::Engine(unlinked) => unlinked
                .imports
                .iter()
                .filter_map(|import| crate::import::target_of(&import.module))
                .collect(),
            Valid::Native { table, .. } => {
                table.imports.iter().filter_map(|import| crate::import::target_of(&import.from)).collect()
            }
        }
    }
}

impl Inner {
    /// What a request's file asks to have loaded, where the file is, its size, and its own digest.
    pub(super) fn read(&self, request: &LoadRequest) -> Result<Read, LoadError> {
        let path = std::path::absolute(&request.path).unwrap_or_else(|_| request.path.clone());
        let file = vitte_sys::fs::read_at_most(&path, self.config.file_bytes_max)
            .map_err(|source| LoadError::Read { path: path.clone(), source })?;
        let size = file.len() as u64;
        let digest = hexadecimal(&Sha256::digest(&file));
        let content = content(&self.config, &self.sequences, request, &path, file, &digest)?;
        Ok((content, path, size, digest))
    }

    /// Makes all of `wanted` serve at one moment, or none.
    ///
    /// # Errors
    /// See [`LoadError`]; then nothing has changed.
    pub(super) fn install(&self, wanted: Vec<Wanted>, cancel: &Cancel) -> Result<Vec<Module>, LoadError> {
        let mut coming = BTreeMap::new();
        let prepared = self.prepare_all(wanted, &mut coming, cancel);
        let candidates = match prepared {
            Ok(candidates) => candidates,
            Err(error) => {
                // The one that failed says why itself.
                for (module, number) in coming {
                    self.registry.advance(
                        &module,
                        number,
                        State::Failed,
                        "another module of the same request failed",
                    );
                }
                return Err(error);
            }
        };
        self.commit(&candidates)
    }

    /// `coming` holds the numbers of those that have one, and neither serve nor have failed.
    fn prepare_all(
        &self,
        wanted: Vec<Wanted>,
        coming: &mut BTreeMap<ModuleName, u64>,
        cancel: &Cancel,
    ) -> Result<Vec<Candidate>, LoadError> {
        let mut valid: BTreeMap<ModuleName, Coming> = BTreeMap::new();
        for wanted in wanted {
            let next = self.verify(wanted, coming, cancel)?;
            valid.insert(next.staged.module.clone(), next);
        }
        let mut exports: BTreeMap<ModuleName, Arc<Exports>> = BTreeMap::new();
        for (name, coming) in &valid {
            exports.insert(name.clone(), Arc::new(coming.exports()));
        }
        let order = in_order(&valid);
        let mut overlay = Overlay::new();
        let mut candidates = Vec::new();
        for name in order {
            let Some(next) = valid.remove(&name) else { continue };
            let (purpose, seq, number) = (next.purpose, next.seq.clone(), next.staged.number);
            let made = self.make(next, &exports, &overlay, cancel);
            if let Err(error) = &made {
                self.registry.advance(&name, number, State::Failed, &error.to_string());
                coming.remove(&name);
            }
            let generation = Arc::new(made?);
            overlay.insert(name, Arc::clone(&generation));
            candidates.push(Candidate { generation, purpose, seq });
        }
        // Together they are seen in the order of their names, whatever the order of the request.
        candidates.sort_by(|a, b| a.generation.staged.module.cmp(&b.generation.staged.module));
        Ok(candidates)
    }

    /// Reads and verifies a file, and gives it a number.
    fn verify(
        &self,
        wanted: Wanted,
        coming: &mut BTreeMap<ModuleName, u64>,
        cancel: &Cancel,
    ) -> Result<Coming, LoadError> {
        let Wanted { request, purpose, options, digest: expected, read } = wanted;
        let (content, path, size, file_digest) = match read {
            Some(read) => read,
            None => self.read(&request)?,
        };
        let Content { module, version, kind, code, digest, signer, seq, settings, packaged, ceiling } =
            content;
        if expected.is_some_and(|expected| expected != file_digest) {
            return Err(LoadError::LockDigest { module, path });
        }
        match (self.registry.serving(&module), purpose) {
            (Some(serving), Purpose::Load) => {
                return Err(LoadError::AlreadyLoaded { module, generation: serving.staged.number });
            }
            (None, Purpose::Replace(_)) => return Err(LoadError::NotLoaded { module }),
            (None, Purpose::Load) | (Some(_), Purpose::Replace(_)) => {}
        }
        if coming.contains_key(&module) {
            return Err(LoadError::Twice { module });
        }
        self.threads()?;
        let module_name = module.clone();
        let incoming =
            Incoming { module: module_name, version, path, kind, size, digest, file_digest, signer };
        let staged = self.registry.stage(incoming)?;
        let number = staged.number;
        let valid = self.valid(&staged, code, cancel);
        match valid {
            Ok(code) => {
                coming.insert(module, number);
                Ok(Coming { staged, purpose, options, seq, settings, packaged, ceiling, code })
            }
            Err(error) => {
                self.registry.advance(&module, number, State::Failed, &error.to_string());
                Err(error)
            }
        }
    }

    fn valid(&self, staged: &Staged, code: Code, cancel: &Cancel) -> Result<Valid, LoadError> {
        let (module, number) = (&staged.module, staged.number);
        match code {
            Code::Wasm(bytes) => {
                let compiled = self.compiler.compile(&bytes, &|| cancel.is_cancelled());
                let compiled = compiled.map_err(|source| match source {
                    CompileError::Cancelled => {
                        LoadError::Cancelled { module: module.clone(), state: State::Staged }
                    }
                    CompileError::NotWasm
                    | CompileError::TooLarge { .. }
                    | CompileError::Refused(_)
                    | CompileError::Late(_)
                    | CompileError::Died(_)
                    | CompileError::Start(_)
                    | CompileError::Engine(_) => LoadError::Compile { module: module.clone(), source },
                })?;
                let engine = self.compiler.engine();
                let engine =
                    engine.map_err(|source| LoadError::Compile { module: module.clone(), source })?;
                let how = match compiled.origin {
                    vitte_wasm_code::Origin::Cache => "kept code",
                    vitte_wasm_code::Origin::Compiled => "compiled",
                };
                self.registry.advance(module, number, State::Verified, how);
                Ok(Valid::Engine(Unlinked::of_code(engine, &compiled.code)))
            }
            Code::Bytecode(verified) => {
                self.registry.advance(module, number, State::Verified, "bytecode");
                Ok(Valid::Engine(Unlinked::of_bytecode(vitte_bytecode::Compiled::new(verified))))
            }
            Code::Native { table, text, library } => {
                self.registry.advance(module, number, State::Verified, "its table is read");
                Ok(Valid::Native { table, text, library })
            }
        }
    }

    /// Links a module with what serves and what `exports` says will, and makes its first instance.
    fn make(
        &self,
        coming: Coming,
        exports: &BTreeMap<ModuleName, Arc<Exports>>,
        overlay: &Overlay,
        cancel: &Cancel,
    ) -> Result<Generation, LoadError> {
        let Coming { staged, purpose: _, options, seq: _, settings: given, packaged, ceiling, code } = coming;
        let (module, number) = (staged.module.clone(), staged.number);
        let (imports, impossible) = match &code {
            Valid::Engine(unlinked) => (unlinked.imports.clone(), unlinked.impossible.as_slice()),
            Valid::Native { table, .. } => (crate::native::imports(table), [].as_slice()),
        };
        let capabilities =
            self.capabilities(&staged, &imports, &options, packaged.as_ref(), ceiling.as_deref())?;
        let bindings = self.bindings(&staged, &imports, impossible, packaged.as_ref(), exports, &options)?;
        let bindings = Arc::new(bindings);
        let (program, live) = match code {
            Valid::Native { table, text, library } => {
                let Some(native) = &self.config.native else {
                    return Err(LoadError::Unsupported { path: staged.path, kind: staged.kind });
                };
                let stop = self.stop(cancel, &Cancel::default());
                let native = Native::start(
                    &self.domains,
                    &staged,
                    native,
                    &capabilities,
                    &table,
                    text,
                    library,
                    &bindings,
                    &stop,
                )?;
                self.registry.advance(&module, number, State::Linked, "");
                (Program::native(native, bindings), None)
            }
            Valid::Engine(unlinked) => {
                let engine = self.compiler.engine();
                let engine =
                    engine.map_err(|source| LoadError::Compile { module: module.clone(), source })?;
                let asks_the_system = unlinked.asks_the_system;
                let settings = Settings {
                    capabilities: capabilities.clone(),
                    arguments: std::iter::once(module.as_str().to_owned())
                        .chain(options.given.arguments.iter().cloned())
                        .collect(),
                };
                let system = (module.clone(), settings);
                let program = unlinked
                    .link(engine, bindings, system.clone())
                    .map_err(|message| LoadError::Link { module: module.clone(), message })?
                    .configured(self.settings_of(&module).or(given));
                if let Some(bytecode) = program.as_bytecode()
                    && asks_the_system
                {
                    bytecode
                        .promote_now(&self.compiler, system, cancel)
                        .map_err(|message| LoadError::Link { module: module.clone(), message })?;
                }
                self.registry.advance(&module, number, State::Linked, "");
                let live = self.first_instance(&staged, &program, overlay, cancel)?;
                (program, live)
            }
        };
        self.registry.advance(&module, number, State::Initialised, "");
        if cancel.is_cancelled() {
            return Err(LoadError::Cancelled { module, state: State::Initialised });
        }
        let bell = Arc::clone(&self.registry.bell);
        Ok(Generation::new(staged, program, live, bell).with_options(options, capabilities))
    }

    /// Makes an instance, which is initialised: whether that works is known then. One of a module with state
    /// lives on.
    fn first_instance(
        &self,
        staged: &Staged,
        program: &Program,
        overlay: &Overlay,
        cancel: &Cancel,
    ) -> Result<Option<Live>, LoadError> {
        let module = &staged.module;
        let stop = self.stop(cancel, &Cancel::default());
        let started = |function| {
            let module = module.clone();
            move |source| LoadError::Start { module, function, source }
        };
        let snapshot = Arc::new(self.registry.snapshot(program.bindings(), overlay));
        let hop = Hop { module: module.clone(), function: "init".to_owned() };
        let context = self.context(program, snapshot, &stop, hop, true);
        if let Some(bytecode) = program.as_bytecode()
            && bytecode.fast().is_none()
        {
            let at = At { stop: &stop, config: &self.config, context: context.as_ref() };
            bytecode.try_instance(at).map_err(started("init"))?;
            bytecode.promote(Arc::clone(&self.compiler), module);
            return Ok(None);
        }
        let program = program.current();
        let engine = self.compiler.engine();
        let engine = engine.map_err(|source| LoadError::Compile { module: module.clone(), source })?;
        let _ticking = self.threads()?.ticker.running();
        let function = if program.init().is_some() { "init" } else { "start" };
        let first = Running::new(engine, program, &self.config, stop, context);
        let mut first = first.map_err(started(function))?;
        first.disarm();
        Ok(program.has_state().then(|| Live::new(first)))
    }

    /// What a call of `program` carries; `None` if it imports nothing. `may_load` says whether lazy modules can
    /// be loaded by it, which a commit could not wait for.
    pub(super) fn context(
        &self,
        program: &Program,
        snapshot: Arc<Snapshot>,
        stop: &Stop,
        hop: Hop,
        may_load: bool,
    ) -> Option<Arc<Context>> {
        program.bindings().iter().next()?;
        let calls = self.me.upgrade()?;
        Some(Arc::new(Context {
            calls,
            snapshot,
            stop: stop.clone(),
            chain: vec![hop],
            may_load,
            lent: Vec::new(),
        }))
    }

    /// When code that is no call of a client has to stop.
    pub(super) fn stop(&self, caller: &Cancel, generation: &Cancel) -> Stop {
        let time_max = self.config.call_max;
        Stop {
            deadline: Instant::now() + time_max,
            time_max,
            caller: caller.clone(),
            generations: vec![generation.clone()],
            while_busy: self.config.while_busy,
        }
    }

    fn commit(&self, candidates: &[Candidate]) -> Result<Vec<Module>, LoadError> {
        if let Err(error) = self.registry.commit(candidates, self) {
            for Candidate { generation, .. } in candidates {
                let Staged { module, number, .. } = &generation.staged;
                self.registry.advance(module, *number, State::Failed, &error.to_string());
            }
            return Err(error);
        }
        for Candidate { generation, seq, .. } in candidates {
            if let (Some(signer), Some((id, seq))) = (&generation.staged.signer, seq) {
                self.sequences.note(signer, id, *seq);
            }
        }
        Ok(candidates.iter().map(|candidate| module(&candidate.generation)).collect())
    }

    /// Loads a module because it is called, unless somebody else has meanwhile.
    pub(super) fn activate(
        &self,
        target: &ModuleName,
        activation: &crate::import::Activation,
        options: &Arc<Linking>,
        stop: &Stop,
    ) -> Result<(), CallError> {
        let _only = self.activating.take(target, stop)?;
        if self.registry.serving(target).is_some() {
            return Ok(());
        }
        let wanted = Wanted {
            request: LoadRequest::new(&activation.path).named(target.clone()),
            purpose: Purpose::Load,
            options: Arc::clone(options),
            digest: Some(activation.digest.clone()),
            read: None,
        };
        match self.install(vec![wanted], &stop.caller) {
            Ok(_) | Err(LoadError::AlreadyLoaded { .. }) => Ok(()),
            Err(error) => Err(CallError::NotActivated { target: target.clone(), message: error.to_string() }),
        }
    }
}

/// Names so that what a module imports comes before it; within a cycle, by name.
fn in_order(coming: &BTreeMap<ModuleName, Coming>) -> Vec<ModuleName> {
    let mut order = Vec::new();
    let mut seen = BTreeSet::new();
    for start in coming.keys() {
        // Depth first without recursion: a chain can be as long as there are modules.
        let mut stack = vec![(start.clone(), false)];
        while let Some((name, is_left)) = stack.pop() {
            if is_left {
                order.push(name);
                continue;
            }
            let Some(next) = coming.get(&name) else { continue };
            if !seen.insert(name.clone()) {
                continue;
            }
            stack.push((name, true));
            stack.extend(next.targets().into_iter().rev().map(|target| (target, false)));
        }
    }
    order
}
