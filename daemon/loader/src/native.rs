//! Native libraries: in the process of their trust domain, called in turn, started anew when it has crashed.
use std::collections::{BTreeSet, VecDeque};
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use vitte_native_code::message::Value;
use vitte_native_code::table::{Function, ImportedFunction, Kind, Scalar, Table};
use vitte_native_code::{Runner, RunnerError, RunnerOptions, Step};
use vitte_sys::fs::{Durability, replace};
use vitte_trust::Capability;
use wasmtime::component::Val;
use wasmtime::component::wasm_wave::value::{Type, Value as Wave};
use wasmtime::component::wasm_wave::wasm::{DisplayType, WasmTypeKind, WasmValue};

use crate::call::{CallError, Given, Gotten, NOT_BYTES, NOT_UTF8, Stop};
use crate::config::NativeOptions;
use crate::context::Context;
use crate::domain::{self, Domains, Key, Lent, Process, Running, Turn};
use crate::error::LoadError;
use crate::generation::Staged;
use crate::import::{Binding, Import};
use crate::interface::{FunctionType, Signature, Type as InterfaceType};
use crate::loader::hexadecimal;
use crate::name::ModuleName;
use crate::program::Bindings;
use crate::value;

/// So many crashes within [`CRASHES_WITHIN`] and the module is not started any more until they are past.
const CRASHES_MAX: usize = 5;
/// See [`CRASHES_MAX`].
const CRASHES_WITHIN: Duration = Duration::from_secs(60);
/// Copies of libraries that nobody loaded for so long are removed.
const COPY_KEPT: Duration = Duration::from_secs(30 * 24 * 3600);

/// A library that a table speaks of.
#[derive(Debug)]
pub(crate) enum Library {
    /// One of the system, by the name that its loader finds it under.
    System(String),
    /// These bytes.
    Bytes(Vec<u8>),
}

/// A library of one generation, in its process.
pub(crate) struct Native {
    module: ModuleName,
    process: Arc<Process>,
    /// Its number there.
    library: u32,
    /// Its file, or the name that the system finds it under.
    file: String,
    /// The text of its table.
    table: String,
    /// By name, as text: what a caller gives and gets.
    functions: Vec<(Function, Types)>,
    /// By place in the table, with what answers them.
    imports: Vec<(ImportedFunction, Arc<Binding>)>,
    /// When it crashed, oldest first.
    crashes: Mutex<VecDeque<Instant>>,
}

impl Drop for Native {
    fn drop(&mut self) {
        self.process.leave(self.library);
    }
}

/// The types of a function in the interface language.
pub(crate) struct Types {
    params: Vec<(String, Type)>,
    results: Vec<Type>,
}

impl Types {
    pub(crate) fn of(function: &Function) -> Self {
        Self {
            params: function.inputs().map(|(name, kind)| (name.replace('_', "-"), wave_type(kind))).collect(),
            results: function.outputs().map(wave_type).collect(),
        }
    }

    /// The same in the interface language; several results are a tuple.
    pub(crate) fn function_type(&self) -> FunctionType {
        // Each is a number, text or bytes, which all have one.
        let of = |ty: &Type| InterfaceType::of(ty).unwrap_or(InterfaceType::U64);
        let params = self.params.iter().map(|(name, ty)| (name.clone(), of(ty))).collect();
        let result = match self.results.as_slice() {
            [] => None,
            [one] => Some(of(one)),
            several => Some(InterfaceType::Tuple(several.iter().map(of).collect())),
        };
        FunctionType { params, result }
    }

    /// Such as `func(crc: u64, data: list<u8>) -> u64`.
    pub(crate) fn signature(&self) -> String {
        let params: Vec<String> =
            self.params.iter().map(|(name, ty)| format!("{name}: {}", DisplayType(ty))).collect();
        let results: Vec<String> = self.results.iter().map(|ty| DisplayType(ty).to_string()).collect();
        match results.as_slice() {
            [] => format!("func({})", params.join(", ")),
            [one] => format!("func({}) -> {one}", params.join(", ")),
            several => format!("func({}) -> tuple<{}>", params.join(", "), several.join(", ")),
        }
    }
}

/// What a library imports from other modules.
pub(crate) fn imports(table: &Table) -> Vec<Import> {
    let import = |import: &ImportedFunction| Import {
        module: import.from.clone(),
        name: import.function.name.clone(),
        signature: Signature::Interface(Types::of(&import.function).function_type()),
        is_wide: false,
    };
    table.imports.iter().map(import).collect()
}

impl Native {
    /// Opens the library of a generation, in the process of its domain.
    ///
    /// # Errors
    /// [`LoadError::Native`] when the library cannot be loaded or lacks a function;
    /// [`LoadError::Start`] when its constructors crash; [`LoadError::NativeCopy`].
    #[allow(clippy::too_many_arguments)]
    pub(crate) fn start(
        domains: &Domains,
        staged: &Staged,
        options: &NativeOptions,
        capabilities: &[Capability],
        table: &Table,
        text: String,
        library: Library,
        bindings: &Bindings,
        stop: &Stop,
    ) -> Result<Self, LoadError> {
        let module = &staged.module;
        let imports = table.imports.iter().map(|import| {
            let binding = bindings.find(&import.from, &import.function.name);
            let binding = binding.ok_or_else(|| LoadError::MissingImports {
                module: module.clone(),
                missing: vec![format!("`{}.{}`", import.from, import.function.name)],
            })?;
            Ok((import.clone(), Arc::clone(binding)))
        });
        let imports = imports.collect::<Result<_, LoadError>>()?;
        let key = staged
            .signer
            .as_ref()
            .map(|signer| Key { signer: signer.clone(), capabilities: capabilities.to_vec() });
        // Whoever shares a process sees the copies of those it shares it with, and of nobody else.
        let folder = match &key {
            Some(key) => options.folder.join(folder_of(key)),
            None => options.folder.clone(),
        };
        let (file, mut execute) = match library {
            Library::System(name) => (name, Vec::new()),
            Library::Bytes(bytes) => {
                let copy = keep_copy(&folder, &bytes).map_err(|source| LoadError::NativeCopy {
                    path: folder.clone(),
                    message: source.to_string(),
                })?;
                (copy.to_string_lossy().into_owned(), vec![copy])
            }
        };
        if key.is_some() {
            // Also for those that come later.
            vitte_sys::fs::create_directories(&folder).map_err(|source| LoadError::NativeCopy {
                path: folder.clone(),
                message: source.to_string(),
            })?;
            execute = vec![folder];
        }
        let (process, library) = domains.join(key, module, staged.number, || {
            domain::reach(
                capabilities,
                RunnerOptions {
                    command: options.command.clone(),
                    execute,
                    read: Vec::new(),
                    write: Vec::new(),
                    environment: Vec::new(),
                    memory_max: options.memory_bytes_max,
                    rung_min: options.rung_min,
                },
            )
        });
        let native = Self {
            module: module.clone(),
            process,
            library,
            file,
            table: text,
            functions: table
                .functions
                .iter()
                .map(|function| (function.clone(), Types::of(function)))
                .collect(),
            imports,
            crashes: Mutex::default(),
        };
        let started = |source| LoadError::Start { module: module.clone(), function: "constructors", source };
        let (running, owner) = native.take(stop, None).map_err(|error| match error {
            Opening::Refused(message) => LoadError::Native { module: module.clone(), message },
            Opening::Ended(error) => started(error),
        })?;
        let (process, rung) = (running.runner.id(), running.runner.confinement().rung.name());
        tracing::debug!(%module, process, rung, "library");
        native.give_back(running, owner);
        Ok(native)
    }

    /// The functions, by place, with their types.
    pub(crate) fn functions(&self) -> impl Iterator<Item = (&str, &Types)> {
        self.functions.iter().map(|(function, types)| (function.name.as_str(), types))
    }

    /// Calls the function at `place`.
    pub(crate) fn call(
        &self,
        place: usize,
        arguments: Given<'_>,
        stop: &Stop,
        context: Option<&Arc<Context>>,
    ) -> Result<Gotten, CallError> {
        let Some((function, types)) = self.functions.get(place) else {
            return Err(CallError::Failed("there is no such function".to_owned()));
        };
        let strange = || CallError::Failed("its results are not those of its table".to_owned());
        match arguments {
            Given::Text(text) => {
                let misfit = |message| misfit(function, types, message);
                let wanted: Vec<Type> = types.params.iter().map(|(_, ty)| ty.clone()).collect();
                let values = value::parse::<Wave>(&wanted, text).map_err(misfit)?;
                let values = values
                    .iter()
                    .zip(function.inputs())
                    .map(|(value, (_, kind))| from_wave(value, kind))
                    .collect::<Option<Vec<Value>>>()
                    .ok_or_else(|| misfit("a value is of another type".to_owned()))?;
                let values = self.call_values(place as u32, function, values, stop, context)?;
                let values = values
                    .into_iter()
                    .zip(function.outputs())
                    .map(|(value, kind)| to_wave(value, kind))
                    .collect::<Option<Vec<Wave>>>()
                    .filter(|values| values.len() == types.results.len());
                value::render(&values.ok_or_else(strange)?).map_err(CallError::Failed).map(Gotten::Text)
            }
            Given::Values(_, values) => {
                let misfit = || misfit(function, types, "a value is of another type".to_owned());
                let values =
                    values.iter().zip(function.inputs()).map(|(value, (_, kind))| from_val(value, kind));
                let values = values.collect::<Option<Vec<Value>>>().ok_or_else(misfit)?;
                let given = self.call_values(place as u32, function, values, stop, context)?;
                let given =
                    given.into_iter().zip(function.outputs()).map(|(value, kind)| to_val(value, kind));
                let mut given = given.collect::<Option<Vec<Val>>>().ok_or_else(strange)?;
                if given.len() != types.results.len() {
                    return Err(strange());
                }
                if given.len() > 1 {
                    given = vec![Val::Tuple(given)];
                }
                Ok(Gotten::Values(given))
            }
            Given::Bytes(bytes) => {
                let inputs: Vec<Kind> = function.inputs().map(|(_, kind)| kind).collect();
                let outputs: Vec<Kind> = function.outputs().collect();
                let value = match (inputs.as_slice(), outputs.as_slice()) {
                    ([Kind::Bytes], [Kind::Bytes | Kind::Text]) => Value::Bytes(bytes.to_vec()),
                    ([Kind::Text], [Kind::Bytes | Kind::Text]) => match String::from_utf8(bytes.to_vec()) {
                        Ok(text) => Value::Text(text),
                        Err(_) => return Err(misfit(function, types, NOT_UTF8.to_owned())),
                    },
                    _ => {
                        return Err(CallError::NotCallable {
                            function: function.name.clone(),
                            signature: types.signature(),
                            why: NOT_BYTES.to_owned(),
                        });
                    }
                };
                let mut values = self.call_values(place as u32, function, vec![value], stop, context)?;
                match (values.pop(), values.is_empty()) {
                    (Some(Value::Bytes(bytes)), true) => Ok(Gotten::Bytes(bytes)),
                    (Some(Value::Text(text)), true) => Ok(Gotten::Bytes(text.into_bytes())),
                    _ => Err(strange()),
                }
            }
        }
    }

    fn call_values(
        &self,
        place: u32,
        function: &Function,
        values: Vec<Value>,
        stop: &Stop,
        context: Option<&Arc<Context>>,
    ) -> Result<Vec<Value>, CallError> {
        let (mut running, owner) = self.take(stop, context).map_err(|error| match error {
            Opening::Refused(why) => CallError::Failed(why),
            Opening::Ended(error) => error,
        })?;
        let is_over = || stop.reason().is_some();
        let mut step = running.runner.call(self.library, place, values, &is_over);
        let outcome = loop {
            let (library, import, arguments) = match step {
                Ok(Step::Results(values)) => break Ok(values),
                Ok(Step::Import { library, import, arguments }) => (library, import, arguments),
                Err(error) => break Err(error),
            };
            // A library that calls all the time never lets anybody wait.
            if let Some(reason) = stop.reason() {
                running.runner.abandon();
                self.after(running, owner, &function.name, None);
                return Err(reason);
            }
            // Only the library that was called runs, so that no other can call its imports.
            let import = self.imports.get(import as usize).filter(|_| library == self.library);
            let (Some((import, binding)), Some(context)) = (import, context) else {
                running.runner.abandon();
                break Err(RunnerError::Ended(vitte_native_code::Ending::Nonsense));
            };
            let (back, answer) = self.call_import(running, import, binding, arguments, context);
            running = match back {
                Some(running) => running,
                // It cannot be had back only if what borrowed it has panicked.
                None => {
                    if let Owner::Process = owner {
                        self.process.give_up();
                    }
                    return Err(CallError::Failed("its process was not given back".to_owned()));
                }
            };
            step = match answer {
                Ok(values) => running.runner.answer(values, &is_over),
                // What the library can be told, it is, unless nobody waits for it any more.
                Err(error) if import.function.fails.is_some() && !is_over() && !running.runner.is_over() => {
                    running.runner.fail(error.to_string(), &is_over)
                }
                Err(error) => {
                    running.runner.abandon();
                    self.after(running, owner, &function.name, None);
                    return Err(error);
                }
            };
        };
        self.after(running, owner, &function.name, outcome.as_ref().err());
        outcome.map_err(|error| match error {
            RunnerError::Ended(how) => crashed(&self.module, &function.name, &how),
            RunnerError::Stopped => stop.reason().unwrap_or(CallError::Cancelled),
            RunnerError::Failed(why) => CallError::Reported(why),
            RunnerError::Abandoned(why) => CallError::Failed(why),
            RunnerError::Start(_) | RunnerError::Refused(_) => CallError::Failed(error.to_string()),
        })
    }

    /// Calls an import, while the process that waits for it is there for what is called in it meanwhile.
    fn call_import(
        &self,
        running: Box<Running>,
        import: &ImportedFunction,
        binding: &Binding,
        arguments: Vec<Value>,
        context: &Arc<Context>,
    ) -> (Option<Box<Running>>, Result<Vec<Value>, CallError>) {
        let function = &import.function;
        let misfit = || CallError::Failed(format!("`{}` was given other values", function.name));
        if arguments.len() != function.inputs().count() {
            return (Some(running), Err(misfit()));
        }
        let values =
            arguments.into_iter().zip(function.inputs()).map(|(value, (_, kind))| to_val(value, kind));
        let Some(values) = values.collect::<Option<Vec<Val>>>() else {
            return (Some(running), Err(misfit()));
        };
        let lent = Lent::new(&self.process, running);
        let mut nested = Context::clone(context);
        nested.lent.push(Arc::clone(&lent));
        let answer = nested.call(binding, &values);
        let running = lent.take();
        let answer = answer.and_then(|mut values| {
            if let [Val::Tuple(several)] = values.as_mut_slice()
                && function.outputs().count() > 1
            {
                values = std::mem::take(several);
            }
            let outputs: Vec<Kind> = function.outputs().collect();
            if values.len() != outputs.len() {
                return Err(misfit());
            }
            let values = values.iter().zip(outputs).map(|(value, kind)| from_val(value, kind));
            values.collect::<Option<Vec<Value>>>().ok_or_else(misfit)
        });
        (running, answer)
    }

    /// The process with this library in it, once it is this caller's turn; started if there is none. A call that came
    /// through this process finds it waiting.
    fn take(&self, stop: &Stop, context: Option<&Arc<Context>>) -> Result<(Box<Running>, Owner), Opening> {
        let lent =
            context.and_then(|context| context.lent.iter().rev().find(|lent| lent.is_of(&self.process)));
        let (turn, owner) = match lent {
            Some(lent) => match lent.take() {
                Some(running) => (Turn::Yours(running), Owner::Caller(Arc::clone(lent))),
                None => return Err(Opening::Ended(CallError::Reentered(self.module.clone()))),
            },
            None => (self.process.take(stop).map_err(Opening::Ended)?, Owner::Process),
        };
        let mut running = match turn {
            Turn::Yours(running) if running.open.contains(&self.library) => return Ok((running, owner)),
            turn => {
                // Only who starts something is held back: others of the domain have done no harm.
                if let Err(error) = self.not_too_often() {
                    match turn {
                        Turn::Yours(running) => self.give_back(running, owner),
                        Turn::Start => self.process.give_up(),
                    }
                    return Err(Opening::Ended(error));
                }
                match turn {
                    Turn::Yours(running) => running,
                    Turn::Start => match Runner::start(self.process.options()) {
                        Ok(runner) => Box::new(Running { runner, open: BTreeSet::new(), is_told: false }),
                        Err(error) => {
                            self.process.give_up();
                            return Err(Opening::Refused(error.to_string()));
                        }
                    },
                }
            }
        };
        let is_over = || stop.reason().is_some();
        match running.runner.open(self.library, &self.file, &self.table, &is_over) {
            Ok(()) => {
                running.open.insert(self.library);
                Ok((running, owner))
            }
            Err(error) => {
                self.after(running, owner, "constructors", Some(&error));
                Err(match error {
                    RunnerError::Ended(how) => Opening::Ended(crashed(&self.module, "constructors", &how)),
                    RunnerError::Stopped => Opening::Ended(stop.reason().unwrap_or(CallError::Cancelled)),
                    RunnerError::Start(why)
                    | RunnerError::Refused(why)
                    | RunnerError::Failed(why)
                    | RunnerError::Abandoned(why) => Opening::Refused(why),
                })
            }
        }
    }

    fn give_back(&self, running: Box<Running>, owner: Owner) {
        match owner {
            Owner::Process => self.process.give_back(running),
            Owner::Caller(lent) => lent.give_back(running),
        }
    }

    /// Gives the process back; if it has ended, all whose libraries were open in it are told, once.
    fn after(&self, mut running: Box<Running>, owner: Owner, function: &str, error: Option<&RunnerError>) {
        let is_news = running.runner.is_over() && !running.is_told;
        running.is_told |= is_news;
        let open = running.open.clone();
        self.give_back(running, owner);
        if !is_news {
            return;
        }
        let how = match error {
            Some(RunnerError::Ended(how)) => {
                let mut crashes = self.crashes.lock().unwrap_or_else(PoisonError::into_inner);
                crashes.push_back(Instant::now());
                Some(how)
            }
            _ => None,
        };
        self.process.tell(&open, self.library, function, how);
    }

    /// An error if this library has crashed too often of late.
    fn not_too_often(&self) -> Result<(), CallError> {
        let now = Instant::now();
        let mut crashes = self.crashes.lock().unwrap_or_else(PoisonError::into_inner);
        while crashes.front().is_some_and(|crash| now.duration_since(*crash) > CRASHES_WITHIN) {
            crashes.pop_front();
        }
        if crashes.len() >= CRASHES_MAX {
            return Err(CallError::Quarantined { module: self.module.clone(), crashes: crashes.len() });
        }
        Ok(())
    }
}

/// Why a library is not open.
enum Opening {
    /// It cannot be loaded, or its process not be started.
    Refused(String),
    /// The process ended, or nobody waits any more.
    Ended(CallError),
}

/// Whom a process goes back to.
enum Owner {
    /// The next who waits for it.
    Process,
    /// The call that came through it.
    Caller(Arc<Lent>),
}

/// The folder of copies of a domain.
fn folder_of(key: &Key) -> String {
    use sha2::{Digest, Sha256};
    let mut text = key.signer.clone();
    for capability in &key.capabilities {
        text.push('\n');
        text.push_str(&capability.to_string());
    }
    let mut name = hexadecimal(&Sha256::digest(text.as_bytes()));
    name.truncate(32);
    name
}

fn misfit(function: &Function, types: &Types, message: String) -> CallError {
    CallError::Arguments { function: function.name.clone(), signature: types.signature(), message }
}

fn crashed(module: &ModuleName, function: &str, how: &vitte_native_code::Ending) -> CallError {
    CallError::Crashed { module: module.clone(), function: function.to_owned(), how: how.to_string() }
}

/// A private copy of a library, named by its content: what is mapped may not change under us, and the dynamic
/// loader takes two files of one name for the same library.
fn keep_copy(folder: &Path, bytes: &[u8]) -> std::io::Result<PathBuf> {
    use sha2::{Digest, Sha256};
    vitte_sys::fs::create_directories(folder).map_err(std::io::Error::other)?;
    let path = folder.join(format!("{}.so", hexadecimal(&Sha256::digest(bytes))));
    let kept = vitte_sys::fs::read_at_most(&path, bytes.len() as u64);
    if kept.ok().is_none_or(|kept| kept != bytes) {
        replace(&path, bytes, 0o500, Durability::Cached).map_err(std::io::Error::other)?;
    }
    let now = SystemTime::now();
    // What is loaded often stays; a file system without times keeps all of them.
    let _ = fs::File::open(&path).and_then(|file| file.set_modified(now));
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let age = entry.metadata().and_then(|metadata| metadata.modified()).ok();
        let age = age.and_then(|modified| now.duration_since(modified).ok());
        if entry.path() != path && age.is_some_and(|age| age > COPY_KEPT) {
            // Another service of this user may be doing the same.
            let _ = fs::remove_file(entry.path());
        }
    }
    Ok(path)
}

fn wave_type(kind: Kind) -> Type {
    match kind {
        Kind::Number(scalar) => match scalar {
            Scalar::Bool => Type::BOOL,
            Scalar::S8 => Type::S8,
            Scalar::U8 => Type::U8,
            Scalar::S16 => Type::S16,
            Scalar::U16 => Type::U16,
            Scalar::S32 => Type::S32,
            Scalar::U32 => Type::U32,
            Scalar::S64 => Type::S64,
            Scalar::U64 => Type::U64,
            Scalar::F32 => Type::F32,
            Scalar::F64 => Type::F64,
        },
        Kind::Handle => Type::U64,
        Kind::Text => Type::STRING,
        Kind::OptionalText => Type::option(Type::STRING),
        Kind::Bytes => Type::list(Type::U8),
    }
}

/// `None` if the value is of another kind, which its type has ruled out.
fn from_wave(value: &Wave, kind: Kind) -> Option<Value> {
    let number = |bits: u64| Some(Value::Number(bits));
    match (kind, value.kind()) {
        (Kind::Number(Scalar::Bool), WasmTypeKind::Bool) => number(u64::from(value.unwrap_bool())),
        (Kind::Number(Scalar::S8), WasmTypeKind::S8) => number(value.unwrap_s8() as u64),
        (Kind::Number(Scalar::U8), WasmTypeKind::U8) => number(u64::from(value.unwrap_u8())),
        (Kind::Number(Scalar::S16), WasmTypeKind::S16) => number(value.unwrap_s16() as u64),
        (Kind::Number(Scalar::U16), WasmTypeKind::U16) => number(u64::from(value.unwrap_u16())),
        (Kind::Number(Scalar::S32), WasmTypeKind::S32) => number(value.unwrap_s32() as u64),
        (Kind::Number(Scalar::U32), WasmTypeKind::U32) => number(u64::from(value.unwrap_u32())),
        (Kind::Number(Scalar::S64), WasmTypeKind::S64) => number(value.unwrap_s64() as u64),
        (Kind::Number(Scalar::U64) | Kind::Handle, WasmTypeKind::U64) => number(value.unwrap_u64()),
        (Kind::Number(Scalar::F32), WasmTypeKind::F32) => number(u64::from(value.unwrap_f32().to_bits())),
        (Kind::Number(Scalar::F64), WasmTypeKind::F64) => number(value.unwrap_f64().to_bits()),
        (Kind::Text, WasmTypeKind::String) => Some(Value::Text(value.unwrap_string().into_owned())),
        (Kind::Bytes, WasmTypeKind::List) => {
            let bytes = value.unwrap_list().map(|byte| byte.unwrap_u8());
            Some(Value::Bytes(bytes.collect()))
        }
        _ => None,
    }
}

/// The same for a value of another module.
fn from_val(value: &Val, kind: Kind) -> Option<Value> {
    let number = |bits: u64| Some(Value::Number(bits));
    match (kind, value) {
        (Kind::Number(Scalar::Bool), Val::Bool(value)) => number(u64::from(*value)),
        (Kind::Number(Scalar::S8), Val::S8(value)) => number(*value as u64),
        (Kind::Number(Scalar::U8), Val::U8(value)) => number(u64::from(*value)),
        (Kind::Number(Scalar::S16), Val::S16(value)) => number(*value as u64),
        (Kind::Number(Scalar::U16), Val::U16(value)) => number(u64::from(*value)),
        (Kind::Number(Scalar::S32), Val::S32(value)) => number(*value as u64),
        (Kind::Number(Scalar::U32), Val::U32(value)) => number(u64::from(*value)),
        (Kind::Number(Scalar::S64), Val::S64(value)) => number(*value as u64),
        (Kind::Number(Scalar::U64) | Kind::Handle, Val::U64(value)) => number(*value),
        (Kind::Number(Scalar::F32), Val::Float32(value)) => number(u64::from(value.to_bits())),
        (Kind::Number(Scalar::F64), Val::Float64(value)) => number(value.to_bits()),
        (Kind::Text, Val::String(text)) => Some(Value::Text(text.clone())),
        (Kind::Bytes, Val::List(values)) => {
            let bytes = values.iter().map(|value| match value {
                Val::U8(byte) => Some(*byte),
                _ => None,
            });
            bytes.collect::<Option<_>>().map(Value::Bytes)
        }
        _ => None,
    }
}

/// `None` if the process sent a value of another kind.
fn to_val(value: Value, kind: Kind) -> Option<Val> {
    Some(match (kind, value) {
        (Kind::Number(scalar), Value::Number(bits)) => match scalar {
            Scalar::Bool => Val::Bool(bits != 0),
            Scalar::S8 => Val::S8(bits as i8),
            Scalar::U8 => Val::U8(bits as u8),
            Scalar::S16 => Val::S16(bits as i16),
            Scalar::U16 => Val::U16(bits as u16),
            Scalar::S32 => Val::S32(bits as i32),
            Scalar::U32 => Val::U32(bits as u32),
            Scalar::S64 => Val::S64(bits as i64),
            Scalar::U64 => Val::U64(bits),
            Scalar::F32 => Val::Float32(f32::from_bits(bits as u32)),
            Scalar::F64 => Val::Float64(f64::from_bits(bits)),
        },
        (Kind::Handle, Value::Number(bits)) => Val::U64(bits),
        (Kind::Text, Value::Text(text)) => Val::String(text),
        (Kind::OptionalText, Value::Text(text)) => Val::Option(Some(Box::new(Val::String(text)))),
        (Kind::OptionalText, Value::Nothing) => Val::Option(None),
        (Kind::Bytes, Value::Bytes(bytes)) => Val::List(bytes.into_iter().map(Val::U8).collect()),
        _ => return None,
    })
}

/// `None` if the process sent a value of another kind.
fn to_wave(value: Value, kind: Kind) -> Option<Wave> {
    Some(match (kind, value) {
        (Kind::Number(scalar), Value::Number(bits)) => match scalar {
            Scalar::Bool => Wave::make_bool(bits != 0),
            Scalar::S8 => Wave::make_s8(bits as i8),
            Scalar::U8 => Wave::make_u8(bits as u8),
            Scalar::S16 => Wave::make_s16(bits as i16),
            Scalar::U16 => Wave::make_u16(bits as u16),
            Scalar::S32 => Wave::make_s32(bits as i32),
            Scalar::U32 => Wave::make_u32(bits as u32),
            Scalar::S64 => Wave::make_s64(bits as i64),
            Scalar::U64 => Wave::make_u64(bits),
            Scalar::F32 => Wave::make_f32(f32::from_bits(bits as u32)),
            Scalar::F64 => Wave::make_f64(f64::from_bits(bits)),
        },
        (Kind::Handle, Value::Number(bits)) => Wave::make_u64(bits),
        (Kind::Text, Value::Text(text)) => Wave::make_string(text.into()),
        (Kind::OptionalText, Value::Text(text)) => {
            Wave::make_option(&Type::option(Type::STRING), Some(Wave::make_string(text.into()))).ok()?
        }
        (Kind::OptionalText, Value::Nothing) => Wave::make_option(&Type::option(Type::STRING), None).ok()?,
        (Kind::Bytes, Value::Bytes(bytes)) => {
            Wave::make_list(&Type::list(Type::U8), bytes.into_iter().map(Wave::make_u8)).ok()?
        }
        _ => return None,
    })
}
