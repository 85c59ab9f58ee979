//! Native libraries: one process for each generation, calls in turn, started anew when it has crashed.
//!
//! A process for each generation, where one for each signer would do for isolation, because native code cannot
//! be unloaded from a process reliably: a library with thread-local destructors stays, and the next one of its
//! name is never read. Here the end of a generation is the end of its process.
use std::collections::VecDeque;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use vitte_native_code::message::Value;
use vitte_native_code::table::{Function, Kind, Scalar, Table};
use vitte_native_code::{Runner, RunnerError, RunnerOptions};
use vitte_sys::fs::{Durability, replace};
use wasmtime::component::wasm_wave::value::{Type, Value as Wave};
use wasmtime::component::wasm_wave::wasm::{DisplayType, WasmTypeKind, WasmValue};

use crate::call::{CallError, Stop};
use crate::config::NativeOptions;
use crate::error::LoadError;
use crate::loader::hexadecimal;
use crate::name::ModuleName;
use crate::value;

/// How often a waiting caller looks whether it should go on waiting.
const POLL: Duration = Duration::from_millis(5);
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

/// The library's processes of one generation.
pub(crate) struct Native {
    module: ModuleName,
    options: RunnerOptions,
    /// By name, as text: what a caller gives and gets.
    functions: Vec<(Function, Types)>,
    inner: Mutex<Inner>,
    changed: Condvar,
}

struct Inner {
    slot: Slot,
    /// When it crashed, oldest first.
    crashes: VecDeque<Instant>,
}

enum Slot {
    /// Nobody uses it.
    Idle(Box<Runner>),
    /// Somebody does, or starts it.
    Taken,
    /// There is none; the next caller starts one.
    None,
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

impl Native {
    /// Starts the first process of a generation.
    ///
    /// # Errors
    /// [`LoadError::Native`] when the library cannot be loaded or lacks a function;
    /// [`LoadError::Start`] when its constructors crash; [`LoadError::NativeCopy`].
    pub(crate) fn start(
        module: &ModuleName,
        options: &NativeOptions,
        table: &Table,
        text: String,
        library: Library,
        stop: &Stop,
    ) -> Result<Self, LoadError> {
        let (library, execute) = match library {
            Library::System(name) => (name, Vec::new()),
            Library::Bytes(bytes) => {
                let copy = keep_copy(&options.folder, &bytes).map_err(|source| LoadError::NativeCopy {
                    path: options.folder.clone(),
                    message: source.to_string(),
                })?;
                (copy.to_string_lossy().into_owned(), vec![copy])
            }
        };
        let options = RunnerOptions {
            command: options.command.clone(),
            library,
            execute,
            table: text,
            memory_max: options.memory_bytes_max,
            rung_min: options.rung_min,
        };
        let runner = Runner::start(&options, &|| stop.reason().is_some()).map_err(|error| match error {
            RunnerError::Start(message) | RunnerError::Refused(message) | RunnerError::Failed(message) => {
                LoadError::Native { module: module.clone(), message }
            }
            RunnerError::Ended(how) => LoadError::Start {
                module: module.clone(),
                function: "constructors",
                source: crashed(module, "constructors", &how),
            },
            RunnerError::Stopped => LoadError::Start {
                module: module.clone(),
                function: "constructors",
                source: stop.reason().unwrap_or(CallError::Cancelled),
            },
        })?;
        tracing::debug!(%module, process = runner.id(), rung = runner.confinement().rung.name(), "library");
        Ok(Self {
            module: module.clone(),
            options,
            functions: table
                .functions
                .iter()
                .map(|function| (function.clone(), Types::of(function)))
                .collect(),
            inner: Mutex::new(Inner { slot: Slot::Idle(Box::new(runner)), crashes: VecDeque::new() }),
            changed: Condvar::new(),
        })
    }

    /// The functions, by place, with their types.
    pub(crate) fn functions(&self) -> impl Iterator<Item = (&str, &Types)> {
        self.functions.iter().map(|(function, types)| (function.name.as_str(), types))
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Calls the function at `place` with arguments as text.
    pub(crate) fn call(&self, place: usize, arguments: &str, stop: &Stop) -> Result<String, CallError> {
        let Some((function, types)) = self.functions.get(place) else {
            return Err(CallError::Failed("there is no such function".to_owned()));
        };
        let misfit = |message| CallError::Arguments {
            function: function.name.clone(),
            signature: types.signature(),
            message,
        };
        let wanted: Vec<Type> = types.params.iter().map(|(_, ty)| ty.clone()).collect();
        let arguments = value::parse::<Wave>(&wanted, arguments).map_err(misfit)?;
        let arguments = arguments
            .iter()
            .zip(function.inputs())
            .map(|(value, (_, kind))| from_wave(value, kind))
            .collect::<Option<Vec<Value>>>()
            .ok_or_else(|| misfit("a value is of another type".to_owned()))?;
        let mut runner = self.take(&function.name, stop)?;
        let outcome = runner.call(place as u32, arguments, &|| stop.reason().is_some());
        let is_over = runner.is_over();
        self.give_back(runner, matches!(outcome, Err(RunnerError::Ended(_))));
        match outcome {
            Ok(values) => {
                let values = values
                    .into_iter()
                    .zip(function.outputs())
                    .map(|(value, kind)| to_wave(value, kind))
                    .collect::<Option<Vec<Wave>>>();
                let values = values.filter(|values| values.len() == types.results.len());
                let values = values
                    .ok_or_else(|| CallError::Failed("its results are not those of its table".to_owned()))?;
                value::render(&values).map_err(CallError::Failed)
            }
            Err(RunnerError::Failed(why)) if !is_over => Err(CallError::Failed(why)),
            Err(RunnerError::Ended(how)) => Err(crashed(&self.module, &function.name, &how)),
            Err(RunnerError::Stopped) => Err(stop.reason().unwrap_or(CallError::Cancelled)),
            Err(error @ (RunnerError::Start(_) | RunnerError::Refused(_) | RunnerError::Failed(_))) => {
                Err(CallError::Failed(error.to_string()))
            }
        }
    }

    /// The process, once it is this caller's turn; started if there is none.
    fn take(&self, function: &str, stop: &Stop) -> Result<Box<Runner>, CallError> {
        let mut inner = self.lock();
        loop {
            match std::mem::replace(&mut inner.slot, Slot::Taken) {
                Slot::Idle(runner) => return Ok(runner),
                Slot::None => break,
                Slot::Taken => {}
            }
            if let Some(reason) = stop.reason() {
                return Err(reason);
            }
            inner = self.changed.wait_timeout(inner, POLL).unwrap_or_else(PoisonError::into_inner).0;
        }
        let now = Instant::now();
        while inner.crashes.front().is_some_and(|crash| now.duration_since(*crash) > CRASHES_WITHIN) {
            inner.crashes.pop_front();
        }
        if inner.crashes.len() >= CRASHES_MAX {
            inner.slot = Slot::None;
            return Err(CallError::Quarantined { module: self.module.clone(), crashes: inner.crashes.len() });
        }
        drop(inner);
        match Runner::start(&self.options, &|| stop.reason().is_some()) {
            Ok(runner) => Ok(Box::new(runner)),
            Err(error) => {
                let mut inner = self.lock();
                inner.slot = Slot::None;
                if matches!(error, RunnerError::Ended(_)) {
                    inner.crashes.push_back(Instant::now());
                }
                self.changed.notify_one();
                Err(match error {
                    RunnerError::Ended(how) => crashed(&self.module, function, &how),
                    RunnerError::Stopped => stop.reason().unwrap_or(CallError::Cancelled),
                    RunnerError::Start(_) | RunnerError::Refused(_) | RunnerError::Failed(_) => {
                        CallError::Failed(error.to_string())
                    }
                })
            }
        }
    }

    fn give_back(&self, runner: Box<Runner>, has_crashed: bool) {
        let mut inner = self.lock();
        inner.slot = if runner.is_over() { Slot::None } else { Slot::Idle(runner) };
        if has_crashed {
            inner.crashes.push_back(Instant::now());
        }
        self.changed.notify_one();
    }
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
