//! One call: arguments in, results out, a deadline, limits.
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use wasmtime::component::Val as ComponentVal;
use wasmtime::{Engine, Store, StoreLimits, StoreLimitsBuilder, UpdateDeadline, Val, WasmBacktrace};

use crate::canonical;
use crate::config::LoaderConfig;
use crate::console::Console;
use crate::context::Context;
use crate::generation::Tier;
use crate::guest::{
    ALLOCATOR, Core, INTERNAL_MEMORY, MEMORY, POST_RETURN, from_engine, from_number, to_engine, to_number,
};
use crate::interface::{Agreed, Signature};
use crate::name::ModuleName;
use crate::program::{Callee, Export, How, Instance, Program};
use crate::typed::Value;
use crate::value;
use crate::wasi::{self, System};

/// Frames of a trap that are shown.
const FRAMES_MAX: usize = 32;

/// A wish to stop, shared by who asks for work and who does it.
#[derive(Clone, Debug, Default)]
pub struct Cancel(Arc<AtomicBool>);

impl Cancel {
    /// Asks for the end. Running code notices within a few milliseconds.
    pub fn cancel(&self) {
        self.0.store(true, Ordering::Relaxed);
    }

    /// Whether the end was asked for.
    pub fn is_cancelled(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

/// A call. Its arguments are text, or bytes for [`call_bytes`](crate::ModuleLoader::call_bytes), or values for
/// [`call_values`](crate::ModuleLoader::call_values).
#[derive(Clone, Debug)]
pub struct CallRequest<A = String> {
    /// Of which module.
    pub module: ModuleName,
    /// Of which function; see [`Export::name`](crate::Export::name).
    pub function: String,
    /// The arguments as WAVE, in parentheses: `(1, "x")`; or what the one parameter takes, as bytes.
    pub arguments: A,
    /// On this generation, if it still runs; on the one that serves if not given.
    pub generation: Option<u64>,
    /// How long it may take; [`LoaderConfig::call_max`] if not given.
    pub time_max: Option<Duration>,
    /// Stops it early.
    pub cancel: Cancel,
}

/// What a call gave, and what gave it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reply<R = String> {
    /// The module.
    pub module: ModuleName,
    /// Its version; empty if it has none.
    pub version: String,
    /// The generation that answered.
    pub generation: u64,
    /// How it was executed.
    pub tier: Tier,
    /// The results as WAVE: nothing, a value, or several in parentheses; or the one result as bytes; or values.
    pub results: R,
    /// How long the function took, with making its instance.
    pub elapsed: Duration,
}

impl<R> Reply<R> {
    /// The same reply with its results in another form.
    pub(crate) fn map<T>(self, change: impl FnOnce(R) -> T) -> Reply<T> {
        let Self { module, version, generation, tier, results, elapsed } = self;
        Reply { module, version, generation, tier, results: change(results), elapsed }
    }
}

/// Why a call gave no results.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CallError {
    /// There is no such module.
    #[error("no module `{0}` is loaded")]
    NotLoaded(ModuleName),
    /// There is no such generation any more, or yet.
    #[error("`{module}` has no generation {generation} that can be called")]
    NoGeneration {
        /// The module.
        module: ModuleName,
        /// What was asked for.
        generation: u64,
    },
    /// There is no such function.
    #[error("`{module}` exports no function `{function}`")]
    NoFunction {
        /// The module.
        module: ModuleName,
        /// What was asked for.
        function: String,
        /// The first of those that there are.
        available: Vec<String>,
    },
    /// The function has a type whose values have no text form.
    #[error("`{function}` of type `{signature}` cannot be called with text: {why}")]
    NotCallable {
        /// The function.
        function: String,
        /// Its type.
        signature: String,
        /// Why.
        why: String,
    },
    /// The arguments do not fit.
    #[error("the arguments do not fit `{function}`: {message}")]
    Arguments {
        /// The function.
        function: String,
        /// Its type.
        signature: String,
        /// What is wrong, and where in the text.
        message: String,
    },
    /// The code stopped on a fault of its own.
    #[error("{0}")]
    Trap(Trap),
    /// The process of a native library came to its end in the call. The next call begins in a new one.
    #[error("`{function}` of `{module}` ended its process by {how}")]
    Crashed {
        /// The module.
        module: ModuleName,
        /// The function, or `constructors`.
        function: String,
        /// By which signal, or how else.
        how: String,
    },
    /// A native library has crashed too often to be started again at once.
    #[error("`{module}` has crashed {crashes} times within a minute, and is not started again yet")]
    Quarantined {
        /// The module.
        module: ModuleName,
        /// So often.
        crashes: usize,
    },
    /// A native function has failed, by the convention that its table gives; or its arguments could not be
    /// passed: text with a NUL, a handle that is not open. No fault of the library.
    #[error("{0}")]
    Reported(String),
    /// It said, by its own error value, that it failed. Of the hooks alone; a function's error value is its
    /// result.
    #[error("{0}")]
    Failed(String),
    /// Its time was up.
    #[error("it did not end within {} ms", .0.as_millis())]
    DeadlineExceeded(Duration),
    /// The caller did not want it any more.
    #[error("cancelled")]
    Cancelled,
    /// Its generation was replaced, and the time that old calls are given was up.
    #[error("stopped, because its generation was replaced and its drain is over")]
    Drained,
    /// A module that this one called failed.
    #[error("{source}, called through {}", through(chain))]
    Import {
        /// The functions that the call came through, the outermost first; the last one failed.
        chain: Vec<Hop>,
        /// How.
        source: Box<Self>,
    },
    /// A module that it wants to call is not there now.
    #[error("`{target}`, which `{module}` imports `{function}` from, is not loaded")]
    NoImport {
        /// Who imports.
        module: ModuleName,
        /// What.
        function: String,
        /// From whom.
        target: ModuleName,
    },
    /// A function that it imports is gone or has another type since it was linked.
    #[error("an import of `{module}` does not fit any more: {message}")]
    ImportChanged {
        /// Who imports.
        module: ModuleName,
        /// Both types, or what is near.
        message: String,
    },
    /// A module that was to be loaded by this call could not be.
    #[error("`{target}` could not be loaded when it was first called: {message}")]
    NotActivated {
        /// Which.
        target: ModuleName,
        /// Why.
        message: String,
    },
    /// Modules called each other too often.
    #[error("calls between modules nest deeper than {0}")]
    TooDeep(usize),
    /// A module with state was called by what it had called itself.
    #[error("`{0}` keeps state and is in the middle of a call, so what it calls cannot call it")]
    Reentered(ModuleName),
    /// It ended itself.
    #[error("it ended itself with status {0}")]
    Exited(i32),
    /// The pool has no instance left.
    #[error("too many calls run at once")]
    TooMany,
}

impl CallError {
    /// A stable name in upper case.
    pub fn code(&self) -> &'static str {
        match self {
            Self::NotLoaded(_) => "MODULE_NOT_LOADED",
            Self::NoGeneration { .. } => "MODULE_NO_GENERATION",
            Self::NoFunction { .. } => "MODULE_NO_FUNCTION",
            Self::NotCallable { .. } => "MODULE_NOT_CALLABLE",
            Self::Arguments { .. } => "MODULE_ARGUMENTS",
            Self::Trap(_) => "MODULE_TRAP",
            Self::Crashed { .. } => "MODULE_CRASHED",
            Self::Quarantined { .. } => "MODULE_QUARANTINED",
            Self::Failed(_) | Self::Reported(_) => "MODULE_FAILED",
            Self::DeadlineExceeded(_) => "DEADLINE_EXCEEDED",
            Self::Cancelled => "CANCELLED",
            Self::Drained => "MODULE_DRAINED",
            Self::TooMany => "MODULE_CALLS",
            Self::Import { source, .. } => source.code(),
            Self::NoImport { .. } => "MODULE_IMPORT_NOT_LOADED",
            Self::ImportChanged { .. } => "MODULE_IMPORT_CHANGED",
            Self::NotActivated { .. } => "MODULE_IMPORT_NOT_ACTIVATED",
            Self::TooDeep(_) => "MODULE_CALL_DEPTH",
            Self::Reentered(_) => "MODULE_REENTERED",
            Self::Exited(_) => "MODULE_EXITED",
        }
    }

    /// What to do next; may be empty.
    pub fn help(&self) -> String {
        match self {
            Self::NotLoaded(_) => "load it: `vitte load FILE`; `vitte modules` lists what is loaded".into(),
            Self::NoGeneration { .. } => "leave the generation out to call the one that serves".into(),
            Self::NoFunction { available, .. } if available.is_empty() => "it exports no functions".into(),
            Self::NoFunction { available, .. } => format!("it exports {}", available.join(", ")),
            Self::Arguments { function, signature, .. } => format!("`{function}` is {signature}"),
            Self::Drained | Self::TooMany => "try again".into(),
            Self::Crashed { .. } => {
                "whatever it kept between calls is lost; its handles are no longer valid".into()
            }
            Self::Quarantined { module, .. } => {
                format!("wait a minute, or replace it: `vitte reload {module}`")
            }
            Self::Import { source, .. } => source.help(),
            Self::NoImport { target, .. } => format!("load it: `vitte load FILE --name {target}`"),
            Self::ImportChanged { module, .. } => format!("link it anew: `vitte reload {module}`"),
            Self::TooDeep(_) => "a function may call itself through other modules without end".into(),
            Self::NotCallable { .. }
            | Self::Trap(_)
            | Self::Failed(_)
            | Self::Reported(_)
            | Self::NotActivated { .. }
            | Self::Reentered(_)
            | Self::Exited(_)
            | Self::DeadlineExceeded(_)
            | Self::Cancelled => String::new(),
        }
    }

    /// Whether it was found before any code of the module ran.
    pub(crate) fn came_before_the_code(&self) -> bool {
        match self {
            Self::NotLoaded(_)
            | Self::NoGeneration { .. }
            | Self::NoFunction { .. }
            | Self::NotCallable { .. }
            | Self::Arguments { .. }
            | Self::Quarantined { .. }
            | Self::TooMany => true,
            Self::Crashed { .. }
            | Self::Reported(_)
            | Self::Trap(_)
            | Self::Failed(_)
            | Self::Import { .. }
            | Self::NoImport { .. }
            | Self::ImportChanged { .. }
            | Self::NotActivated { .. }
            | Self::TooDeep(_)
            | Self::Reentered(_)
            | Self::Exited(_)
            | Self::DeadlineExceeded(_)
            | Self::Cancelled
            | Self::Drained => false,
        }
    }

    /// Whether it is the module's fault, and counts against a generation on probation.
    pub(crate) fn is_fault(&self) -> bool {
        match self {
            Self::Crashed { .. }
            | Self::Trap(_)
            | Self::Failed(_)
            | Self::TooDeep(_)
            | Self::Exited(1..)
            | Self::Exited(..0)
            | Self::DeadlineExceeded(_) => true,
            // What it called is to blame, and is blamed where it ran.
            Self::Import { .. }
            | Self::NoImport { .. }
            | Self::ImportChanged { .. }
            | Self::NotActivated { .. }
            | Self::Reentered(_)
            | Self::Exited(0)
            | Self::NotLoaded(_)
            | Self::Quarantined { .. }
            | Self::Reported(_)
            | Self::NoGeneration { .. }
            | Self::NoFunction { .. }
            | Self::NotCallable { .. }
            | Self::Arguments { .. }
            | Self::Cancelled
            | Self::Drained
            | Self::TooMany => false,
        }
    }
}

/// A function of a module, on the way of a call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hop {
    /// The module.
    pub module: ModuleName,
    /// Its function.
    pub function: String,
}

fn through(hops: &[Hop]) -> String {
    let hops: Vec<String> =
        hops.iter().map(|Hop { module, function }| format!("`{module}.{function}`")).collect();
    hops.join(" > ")
}

/// Arguments, in one of their forms.
#[derive(Clone, Copy)]
pub(crate) enum Given<'a> {
    Text(&'a str),
    Bytes(&'a [u8]),
    /// From another module, of the type that both agreed on.
    Values(&'a Agreed, &'a [ComponentVal]),
}

/// Arguments as a client gives them.
#[derive(Clone, Copy)]
pub(crate) enum Asked<'a> {
    /// In a form that is passed on as it is.
    As(Given<'a>),
    /// Values, which become those of the function's type.
    Typed(&'a [Value]),
}

/// Results, in the form of the arguments.
pub(crate) enum Gotten {
    Text(String),
    Bytes(Vec<u8>),
    Values(Vec<ComponentVal>),
    Typed(Vec<Value>),
}

/// Why a function cannot be called with bytes.
pub(crate) const NOT_BYTES: &str = "bytes go with one parameter and one result, each `list<u8>` or `string`";
/// Why bytes are no text.
pub(crate) const NOT_UTF8: &str = "the bytes for a `string` are not UTF-8";

/// A fault of the code.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trap {
    /// What happened.
    pub message: String,
    /// Where, innermost first.
    pub frames: Vec<String>,
}

impl fmt::Display for Trap {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)?;
        match self.frames.as_slice() {
            [] => Ok(()),
            frames => write!(f, " in {}", frames.join(" < ")),
        }
    }
}

/// What the host knows of the code that runs in a store.
pub(crate) struct Guest {
    limits: StoreLimits,
    stop: Stop,
    /// The call that runs; modules without imports need none.
    context: Option<Arc<Context>>,
    pub(crate) system: System,
    /// What it printed.
    pub(crate) console: Console,
}

impl Guest {
    /// The call that runs.
    ///
    /// # Errors
    /// Never while code with imports runs.
    pub(crate) fn context(&self) -> Result<Arc<Context>, CallError> {
        self.context.clone().ok_or_else(|| CallError::Failed("no call is running".to_owned()))
    }

    /// Sleeps on behalf of the guest.
    ///
    /// # Errors
    /// When its call is over.
    pub(crate) fn pause(&self, time: Duration) -> Result<(), CallError> {
        if let Some(reason) = self.stop.reason() {
            return Err(reason);
        }
        std::thread::sleep(time);
        Ok(())
    }
}

/// When running code has to stop.
#[derive(Clone)]
pub(crate) struct Stop {
    /// Its time is up.
    pub(crate) deadline: Instant,
    /// How long that is from the beginning, for the message.
    pub(crate) time_max: Duration,
    /// The caller's wish.
    pub(crate) caller: Cancel,
    /// The drain of a generation that the call is in is over.
    pub(crate) generations: Vec<Cancel>,
    /// See [`LoaderConfig::while_busy`].
    pub(crate) while_busy: fn(),
}

/// A call that has taken so long is not short.
const LONG: Duration = Duration::from_millis(1);

impl Stop {
    /// Why to stop, if so. Whatever takes long asks every few milliseconds.
    pub(crate) fn reason(&self) -> Option<CallError> {
        let now = Instant::now();
        if self.deadline.saturating_duration_since(now) + LONG < self.time_max {
            (self.while_busy)();
        }
        if self.generations.iter().any(Cancel::is_cancelled) {
            Some(CallError::Drained)
        } else if self.caller.is_cancelled() {
            Some(CallError::Cancelled)
        } else if now >= self.deadline {
            Some(CallError::DeadlineExceeded(self.time_max))
        } else {
            None
        }
    }
}

/// A store with an instance in it.
pub(crate) struct Running {
    store: Store<Guest>,
    instance: Instance,
}

impl Running {
    /// A new instance of `program`, initialised.
    pub(crate) fn new(
        engine: &Engine,
        program: &Program,
        config: &LoaderConfig,
        stop: Stop,
        context: Option<Arc<Context>>,
    ) -> Result<Self, CallError> {
        let system = match program.system() {
            Some((module, settings)) => System::new(module, settings)?,
            None => System::default(),
        };
        let limits = StoreLimitsBuilder::new()
            .memory_size(config.memory_bytes_max)
            .table_elements(config.table_elements_max)
            .build();
        let mut store =
            Store::new(engine, Guest { limits, stop, context, system, console: Console::default() });
        store.limiter(|guest| &mut guest.limits);
        store.epoch_deadline_callback(|context| match context.data().stop.reason() {
            None => Ok(UpdateDeadline::Continue(1)),
            Some(reason) => Err(reason.into()),
        });
        store.set_epoch_deadline(1);
        let instance = program.instantiate(&mut store).map_err(|error| describe(&error))?;
        let mut running = Self { store, instance };
        if let Some(init) = program.init() {
            running.hook(init, &program.init_arguments())?;
        }
        Ok(running)
    }

    /// Begins another call on the same instance.
    pub(crate) fn rearm(&mut self, stop: Stop, context: Option<Arc<Context>>) {
        let guest = self.store.data_mut();
        guest.stop = stop;
        guest.context = context;
        self.store.set_epoch_deadline(1);
    }

    /// Lets go of the call that has ended: it holds generations of other modules.
    pub(crate) fn disarm(&mut self) {
        self.store.data_mut().context = None;
    }

    /// Calls a function. A trap says what was printed as an error.
    pub(crate) fn call(&mut self, callee: &Callee, arguments: Given<'_>) -> Result<Gotten, CallError> {
        self.store.data_mut().console.clear();
        let outcome = match arguments {
            Given::Text(text) => self.call_text(callee, text).map(Gotten::Text),
            Given::Bytes(bytes) => self.call_bytes(callee, bytes).map(Gotten::Bytes),
            Given::Values(agreed, values) => self.call_values(callee, agreed, values).map(Gotten::Values),
        };
        outcome.map_err(|error| self.store.data().console.explain(error))
    }

    /// Calls a function with values of the type that was agreed on.
    pub(crate) fn call_values(
        &mut self,
        callee: &Callee,
        agreed: &Agreed,
        values: &[ComponentVal],
    ) -> Result<Vec<ComponentVal>, CallError> {
        let is_wide = match &callee.signature {
            Signature::Registers(registers) => registers.is_wide,
            Signature::Interface(_) | Signature::Foreign(_) => false,
        };
        let (How::Core { .. }, Instance::Core(instance)) = (&callee.how, &self.instance) else {
            return self.call_component(callee, values);
        };
        let instance = *instance;
        let misfit = || CallError::Failed(format!("`{}` was given other values", callee.export.name));
        match agreed {
            Agreed::Numbers => {
                let registers = values.iter().map(|value| from_number(value).map(to_engine));
                let registers = registers.collect::<Option<Vec<Val>>>().ok_or_else(misfit)?;
                let given = self.call_core(callee, &registers)?;
                given
                    .iter()
                    .map(|value| from_engine(value).map(to_number))
                    .collect::<Option<_>>()
                    .ok_or_else(misfit)
            }
            Agreed::Interface(ty) => {
                let store = &mut self.store;
                let memory = instance
                    .get_memory(&mut *store, MEMORY)
                    .or_else(|| instance.get_memory(&mut *store, INTERNAL_MEMORY));
                let allocator = instance.get_func(&mut *store, ALLOCATOR);
                let mut guest = Core { store: &mut *store, memory, allocator, is_wide };
                let registers = canonical::lower_params(&mut guest, ty, values)?;
                let registers: Vec<Val> = registers.into_iter().map(to_engine).collect();
                let given = self.call_core(callee, &registers)?;
                let lifted: Option<Vec<_>> = given.iter().map(from_engine).collect();
                let lifted = lifted.ok_or_else(misfit)?;
                let mut guest = Core { store: &mut self.store, memory, allocator, is_wide };
                let result = canonical::lift_result(&mut guest, ty, &lifted)?;
                let after = format!("{POST_RETURN}{}", callee.export.name);
                if let Some(after) = instance.get_func(&mut self.store, &after) {
                    after.call(&mut self.store, &given, &mut []).map_err(|error| describe(&error))?;
                }
                Ok(result.into_iter().collect())
            }
        }
    }

    /// Calls a function of one parameter and one result without values in between: a list of 64 KiB as values
    /// takes a thousand times as long.
    fn call_bytes(&mut self, callee: &Callee, bytes: &[u8]) -> Result<Vec<u8>, CallError> {
        use wasmtime::component::Type;
        let Export { name, signature, .. } = &callee.export;
        let unfit = || CallError::NotCallable {
            function: name.clone(),
            signature: signature.clone(),
            why: NOT_BYTES.to_owned(),
        };
        let (Instance::Component(instance), How::Component { index, params, results }) =
            (&self.instance, &callee.how)
        else {
            return Err(unfit());
        };
        let Some(func) = instance.get_func(&mut self.store, index) else { return Err(stranger(callee)) };
        let is_bytes = |ty: &Type| matches!(ty, Type::List(list) if list.ty() == Type::U8);
        let store = &mut self.store;
        let text = || {
            std::str::from_utf8(bytes).map_err(|_| CallError::Arguments {
                function: name.clone(),
                signature: signature.clone(),
                message: NOT_UTF8.to_owned(),
            })
        };
        let called = match (params.as_slice(), results.as_slice()) {
            ([param], [result]) if is_bytes(param) && is_bytes(result) => func
                .typed::<(&[u8],), (Vec<u8>,)>(&mut *store)
                .and_then(|func| func.call(store, (bytes,)).map(|(result,)| result)),
            ([param], [Type::String]) if is_bytes(param) => func
                .typed::<(&[u8],), (String,)>(&mut *store)
                .and_then(|func| func.call(store, (bytes,)).map(|(result,)| result.into_bytes())),
            ([Type::String], [result]) if is_bytes(result) => {
                let text = text()?;
                func.typed::<(&str,), (Vec<u8>,)>(&mut *store)
                    .and_then(|func| func.call(store, (text,)).map(|(result,)| result))
            }
            ([Type::String], [Type::String]) => {
                let text = text()?;
                func.typed::<(&str,), (String,)>(&mut *store)
                    .and_then(|func| func.call(store, (text,)).map(|(result,)| result.into_bytes()))
            }
            _ => return Err(unfit()),
        };
        called.map_err(|error| describe(&error))
    }

    fn call_text(&mut self, callee: &Callee, arguments: &str) -> Result<String, CallError> {
        let Export { name, signature, obstacle } = &callee.export;
        if let Some(why) = obstacle {
            return Err(CallError::NotCallable {
                function: name.clone(),
                signature: signature.clone(),
                why: why.clone(),
            });
        }
        let misfit =
            |message| CallError::Arguments { function: name.clone(), signature: signature.clone(), message };
        let unspeakable =
            |why| CallError::NotCallable { function: name.clone(), signature: signature.clone(), why };
        match &callee.how {
            How::Core { params, .. } => {
                let arguments = value::parse::<Val>(params, arguments).map_err(misfit)?;
                value::render(&self.call_core(callee, &arguments)?).map_err(unspeakable)
            }
            How::Native { .. } | How::Bytecode(_) => Err(stranger(callee)),
            How::Component { params, .. } => {
                let arguments = value::parse::<ComponentVal>(params, arguments).map_err(misfit)?;
                value::render(&self.call_component(callee, &arguments)?).map_err(unspeakable)
            }
        }
    }

    fn call_core(&mut self, callee: &Callee, arguments: &[Val]) -> Result<Vec<Val>, CallError> {
        let (Instance::Core(instance), How::Core { index, results, .. }) = (&self.instance, &callee.how)
        else {
            return Err(stranger(callee));
        };
        let Some(func) = instance.get_module_export(&mut self.store, index).and_then(|item| item.into_func())
        else {
            return Err(stranger(callee));
        };
        let mut values: Vec<Val> =
            results.iter().map(|ty| Val::default_for_ty(ty).unwrap_or(Val::I32(0))).collect();
        func.call(&mut self.store, arguments, &mut values).map_err(|error| describe(&error))?;
        Ok(values)
    }

    fn call_component(
        &mut self,
        callee: &Callee,
        arguments: &[ComponentVal],
    ) -> Result<Vec<ComponentVal>, CallError> {
        let (Instance::Component(instance), How::Component { index, results, .. }) =
            (&self.instance, &callee.how)
        else {
            return Err(stranger(callee));
        };
        let Some(func) = instance.get_func(&mut self.store, index) else { return Err(stranger(callee)) };
        let mut values = vec![ComponentVal::Bool(false); results.len()];
        func.call(&mut self.store, arguments, &mut values).map_err(|error| describe(&error))?;
        Ok(values)
    }

    /// Calls a hook; its error value is a failure.
    pub(crate) fn hook(&mut self, callee: &Callee, arguments: &[ComponentVal]) -> Result<(), CallError> {
        match &callee.how {
            How::Core { .. } => self.call_core(callee, &[]).map(drop),
            How::Native { .. } | How::Bytecode(_) => Err(stranger(callee)),
            How::Component { .. } => match self.call_component(callee, arguments)?.pop() {
                Some(ComponentVal::Result(Err(message))) => {
                    Err(CallError::Failed(match message.as_deref() {
                        Some(ComponentVal::String(message)) => message.clone(),
                        _ => "it gave no reason".to_owned(),
                    }))
                }
                _ => Ok(()),
            },
        }
    }

    /// Gives the state to a hook that takes it.
    pub(crate) fn load_state(&mut self, callee: &Callee, state: &[u8]) -> Result<(), CallError> {
        let state = state.iter().copied().map(ComponentVal::U8).collect();
        self.hook(callee, &[ComponentVal::List(state)])
    }

    /// Asks a hook for the state.
    pub(crate) fn save_state(&mut self, callee: &Callee) -> Result<Vec<u8>, CallError> {
        match self.call_component(callee, &[])?.pop() {
            Some(ComponentVal::List(values)) => Ok(values
                .iter()
                .filter_map(|value| match value {
                    ComponentVal::U8(byte) => Some(*byte),
                    _ => None,
                })
                .collect()),
            _ => Err(stranger(callee)),
        }
    }
}

/// Cannot happen: callees are looked up in the program that the instance is of.
fn stranger(callee: &Callee) -> CallError {
    CallError::Failed(format!("`{}` is not in this instance", callee.export.name))
}

/// What the engine says, in our words.
pub(crate) fn describe(error: &wasmtime::Error) -> CallError {
    if let Some(stopped) = error.downcast_ref::<CallError>() {
        return stopped.clone();
    }
    if let Some(status) = wasi::exit_status(error) {
        return CallError::Exited(status);
    }
    if error.is::<wasmtime::PoolConcurrencyLimitError>() {
        return CallError::TooMany;
    }
    let message = match error.downcast_ref::<wasmtime::Trap>() {
        Some(trap) => trap.to_string(),
        None => error.root_cause().to_string(),
    };
    let frames = error.downcast_ref::<WasmBacktrace>().map(|backtrace| {
        let frames = backtrace.frames().iter().take(FRAMES_MAX);
        frames
            .map(|frame| match frame.func_name() {
                Some(name) => name.to_owned(),
                None => format!("function {}", frame.func_index()),
            })
            .collect()
    });
    CallError::Trap(Trap { message, frames: frames.unwrap_or_default() })
}
