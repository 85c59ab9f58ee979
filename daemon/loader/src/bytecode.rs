//! Modules of bytecode: interpreted from the first call on, and compiled in the background.
//!
//! Both tiers compute the same to the bit, and a call has an instance of its own, so that the next call after the
//! compilation simply runs on the other tier: nothing has to move.
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::thread::JoinHandle;

use vitte_bytecode::{
    Compiled, Config, ExportItem, Instance, InternalExports, Module, NoImports, Signature, TrapKind, Value,
    ValueType, lower,
};
use vitte_wasm_code::Compiler;
use wasmtime::{Val, ValType};

use crate::call::{CallError, Cancel, Stop, Trap};
use crate::config::LoaderConfig;
use crate::program::{INIT_CORE, Program};
use crate::value;

/// Calls that may be nested.
const CALL_DEPTH_MAX: usize = 20_000;
/// Registers of all active calls, 8 bytes each: what a thread of compiled code has for its stack.
const STACK_SLOTS_MAX: usize = 1 << 17;

/// A module of bytecode, and what was compiled of it.
pub(crate) struct Bytecode {
    compiled: Compiled,
    fast: Arc<OnceLock<Program>>,
    promotion: Mutex<Option<JoinHandle<()>>>,
    /// Nobody waits for the compilation any more.
    over: Cancel,
}

/// An exported function: its number, and the types of its values.
pub(crate) struct Function {
    pub(crate) number: u32,
    pub(crate) params: Vec<ValType>,
    pub(crate) results: Vec<ValType>,
}

impl Bytecode {
    /// A module that is interpreted for now.
    pub(crate) fn new(compiled: Compiled) -> Self {
        Self { compiled, fast: Arc::default(), promotion: Mutex::default(), over: Cancel::default() }
    }

    pub(crate) fn module(&self) -> &Module {
        self.compiled.module()
    }

    /// The compiled program, once there is one.
    pub(crate) fn fast(&self) -> Option<&Program> {
        self.fast.get()
    }

    /// What it imports, each with its type, sorted.
    pub(crate) fn imports(&self) -> Vec<String> {
        let module = self.module();
        let empty = Signature::default();
        let mut imports: Vec<String> = module
            .imports
            .iter()
            .map(|import| {
                let signature = module.signatures.get(import.signature as usize).unwrap_or(&empty);
                format!("`{}.{}` (func{signature})", import.module, import.name)
            })
            .collect();
        imports.sort();
        imports
    }

    /// Its exported functions by name.
    pub(crate) fn functions(&self) -> BTreeMap<String, Function> {
        let module = self.module();
        let of = |types: &[ValueType]| types.iter().map(|ty| val_type(*ty)).collect();
        let exports = module.exports.iter().filter_map(|export| match export.item {
            ExportItem::Function { function, interface: _ } => {
                let signature = module.function_signature(function)?;
                let (params, results) = (of(&signature.params), of(&signature.results));
                Some((export.name.clone(), Function { number: function, params, results }))
            }
            ExportItem::Memory | ExportItem::Global(_) => None,
        });
        exports.collect()
    }

    /// Lets a thread compile it, to go on with that. What does not compile stays interpreted.
    pub(crate) fn promote(&self, compiler: Arc<Compiler>) {
        let (verified, fast) = (self.compiled.verified().clone(), Arc::clone(&self.fast));
        let over = self.over.clone();
        let thread = std::thread::Builder::new().name("module-promote".into()).spawn(move || {
            let wasm = lower(&verified, InternalExports::Yes).wasm;
            let compiled = compiler.compile(&wasm, &|| over.is_cancelled());
            let (Ok(compiled), Ok(engine)) = (compiled, compiler.engine()) else { return };
            if let Ok(program) = Program::link(engine, &compiled.code, None) {
                // Only this thread sets it.
                let _ = fast.set(program);
            }
        });
        if let Ok(thread) = thread {
            *self.promotion.lock().unwrap_or_else(PoisonError::into_inner) = Some(thread);
        }
    }

    /// Makes an instance and interprets a function with arguments as text.
    pub(crate) fn call(
        &self,
        function: &Function,
        arguments: &str,
        stop: &Stop,
        config: &LoaderConfig,
    ) -> Result<String, Fault> {
        let arguments: Vec<Val> = value::parse(&function.params, arguments).map_err(Fault::Arguments)?;
        let arguments: Vec<Value> = arguments.iter().filter_map(from_val).collect();
        let results = self.run(function.number, &arguments, stop, config).map_err(Fault::Call)?;
        value::render(&results.into_iter().map(to_val).collect::<Vec<_>>()).map_err(Fault::Results)
    }

    /// Makes an instance, which is initialised, and drops it: whether that works is known then.
    pub(crate) fn try_instance(&self, stop: &Stop, config: &LoaderConfig) -> Result<(), CallError> {
        self.instance(stop, config).map(drop)
    }

    fn instance(&self, stop: &Stop, config: &LoaderConfig) -> Result<Instance, CallError> {
        let limits = Config {
            memory_bytes: config.memory_bytes_max as u64,
            call_depth: CALL_DEPTH_MAX,
            stack_slots: STACK_SLOTS_MAX,
            fuel: None,
        };
        let mut instance = Instance::new(&self.compiled, &NoImports, limits)
            .map_err(|error| CallError::Trap(Trap { message: error.to_string(), frames: Vec::new() }))?;
        let watched = stop.clone();
        instance.set_watch(move || watched.reason().is_some());
        if let Some(ExportItem::Function { function, .. }) = self.module().export(INIT_CORE)
            && self.module().function_signature(function) == Some(&Signature::default())
        {
            instance.call_function(&mut NoImports, function, &[]).map_err(|error| describe(error, stop))?;
        }
        Ok(instance)
    }

    fn run(
        &self,
        function: u32,
        arguments: &[Value],
        stop: &Stop,
        config: &LoaderConfig,
    ) -> Result<Vec<Value>, CallError> {
        let mut instance = self.instance(stop, config)?;
        instance.call_function(&mut NoImports, function, arguments).map_err(|error| describe(error, stop))
    }
}

impl Drop for Bytecode {
    fn drop(&mut self) {
        self.over.cancel();
        let thread = self.promotion.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(thread) = thread {
            // It has no way to panic, and the compilation notices within milliseconds.
            let _ = thread.join();
        }
    }
}

/// Why a call gave no text.
pub(crate) enum Fault {
    /// The arguments do not fit.
    Arguments(String),
    /// The results have no text.
    Results(String),
    /// It ended early.
    Call(CallError),
}

/// What the interpreter says, in the loader's words.
fn describe(error: vitte_bytecode::CallError, stop: &Stop) -> CallError {
    match error {
        vitte_bytecode::CallError::Trap(trap) => match (&trap.kind, stop.reason()) {
            (TrapKind::Interrupted, Some(reason)) => reason,
            _ => CallError::Trap(Trap {
                message: trap.kind.to_string(),
                frames: trap.frames.iter().map(ToString::to_string).collect(),
            }),
        },
        vitte_bytecode::CallError::NoFunction(_) | vitte_bytecode::CallError::Arguments { .. } => {
            CallError::Failed(error.to_string())
        }
    }
}

fn val_type(ty: ValueType) -> ValType {
    match ty {
        ValueType::I32 => ValType::I32,
        ValueType::I64 => ValType::I64,
        ValueType::F32 => ValType::F32,
        ValueType::F64 => ValType::F64,
    }
}

fn to_val(value: Value) -> Val {
    match value {
        Value::I32(value) => Val::I32(value),
        Value::I64(value) => Val::I64(value),
        Value::F32(value) => Val::F32(value.to_bits()),
        Value::F64(value) => Val::F64(value.to_bits()),
    }
}

/// `None` for what bytecode has no type for; such a parameter cannot be declared.
fn from_val(value: &Val) -> Option<Value> {
    match value {
        Val::I32(value) => Some(Value::I32(*value)),
        Val::I64(value) => Some(Value::I64(*value)),
        Val::F32(bits) => Some(Value::F32(f32::from_bits(*bits))),
        Val::F64(bits) => Some(Value::F64(f64::from_bits(*bits))),
        Val::V128(_)
        | Val::FuncRef(_)
        | Val::ExternRef(_)
        | Val::AnyRef(_)
        | Val::ExnRef(_)
        | Val::ContRef(_) => None,
    }
}
