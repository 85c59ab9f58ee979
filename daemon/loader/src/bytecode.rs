//! Modules of bytecode: interpreted from the first call on, and compiled in the background.
//!
//! Both tiers compute the same to the bit, and a call has an instance of its own, so that the next call after the
//! compilation simply runs on the other tier: nothing has to move.
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::thread::JoinHandle;

use vitte_bytecode::{
    AddressType, Caller, Compiled, Config, ExportItem, Host, HostError, Import as BytecodeImport, Instance,
    InternalExports, Memory, Module, Signature as BytecodeSignature, TrapKind, Value, ValueType, lower,
};
use vitte_wasm_code::Compiler;
use wasmtime::component::Val as ComponentVal;
use wasmtime::{Val, ValType};

use crate::call::{CallError, Cancel, Given, Gotten, Stop, Trap};
use crate::canonical;
use crate::config::LoaderConfig;
use crate::context::Context;
use crate::guest::{ALLOCATOR, POST_RETURN, from_engine, from_number, no_allocator, to_engine, to_number};
use crate::import::{Binding, Import};
use crate::interface::{Agreed, FunctionType, Registers, Signature};
use crate::name::ModuleName;
use crate::program::{Bindings, INIT_CORE, Program};
use crate::value;
use crate::wasi::Settings;

/// Calls that may be nested.
const CALL_DEPTH_MAX: usize = 20_000;
/// Registers of all active calls, 8 bytes each: what a thread of compiled code has for its stack.
const STACK_SLOTS_MAX: usize = 1 << 17;

/// A module of bytecode, and what was compiled of it.
pub(crate) struct Bytecode {
    compiled: Compiled,
    /// What answers each import, by its number; `None` for those of the system.
    imports: Vec<Option<Arc<Binding>>>,
    bindings: Arc<Bindings>,
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

fn is_wide(module: &Module) -> bool {
    module.memory.is_some_and(|memory| memory.address == AddressType::I64)
}

/// The type of a function: of the interface language if it says one.
fn signature(module: &Module, signature: Option<&BytecodeSignature>, interface: Option<u32>) -> Signature {
    let interface = interface.and_then(|number| module.function_types.get(number as usize));
    if let Some(interface) = interface {
        return match FunctionType::of_bytecode(&module.types, interface) {
            Some(ty) => Signature::Interface(ty),
            None => Signature::Foreign(module.interface_text(interface)),
        };
    }
    let BytecodeSignature { params, results } = signature.cloned().unwrap_or_default();
    Signature::Registers(Registers { params, results, is_wide: is_wide(module) })
}

/// What a module imports.
pub(crate) fn imports(module: &Module) -> Vec<Import> {
    let import = |import: &BytecodeImport| Import {
        module: import.module.clone(),
        name: import.name.clone(),
        signature: signature(module, module.signatures.get(import.signature as usize), import.interface),
        is_wide: is_wide(module),
    };
    module.imports.iter().map(import).collect()
}

/// The exported functions of a module by name.
pub(crate) fn functions(module: &Module) -> BTreeMap<String, (Function, Signature)> {
    let of = |types: &[ValueType]| types.iter().map(|ty| val_type(*ty)).collect();
    let exports = module.exports.iter().filter_map(|export| match export.item {
        ExportItem::Function { function, interface } => {
            let registers = module.function_signature(function)?;
            let (params, results) = (of(&registers.params), of(&registers.results));
            let signature = signature(module, Some(registers), interface);
            Some((export.name.clone(), (Function { number: function, params, results }, signature)))
        }
        ExportItem::Memory | ExportItem::Global(_) => None,
    });
    exports.collect()
}

impl Bytecode {
    /// A module that is interpreted for now.
    pub(crate) fn new(compiled: Compiled, bindings: Arc<Bindings>) -> Self {
        let imports = compiled.module().imports.iter();
        let imports = imports.map(|import| bindings.find(&import.module, &import.name).cloned()).collect();
        Self {
            compiled,
            imports,
            bindings,
            fast: Arc::default(),
            promotion: Mutex::default(),
            over: Cancel::default(),
        }
    }

    pub(crate) fn module(&self) -> &Module {
        self.compiled.module()
    }

    /// The compiled program, once there is one.
    pub(crate) fn fast(&self) -> Option<&Program> {
        self.fast.get()
    }

    /// Lets a thread compile it, to go on with that. What does not compile stays interpreted.
    pub(crate) fn promote(&self, compiler: Arc<Compiler>, module: &ModuleName) {
        let (verified, fast) = (self.compiled.verified().clone(), Arc::clone(&self.fast));
        let (over, bindings) = (self.over.clone(), Arc::clone(&self.bindings));
        let system = (module.clone(), Settings::default());
        let thread = std::thread::Builder::new().name("module-promote".into()).spawn(move || {
            let wasm = lower(&verified, InternalExports::Yes).wasm;
            let compiled = compiler.compile(&wasm, &|| over.is_cancelled());
            let (Ok(compiled), Ok(engine)) = (compiled, compiler.engine()) else { return };
            if let Ok(program) = Program::of_lowered(engine, &compiled.code, bindings, system) {
                // Only this thread sets it.
                let _ = fast.set(program);
            }
        });
        if let Ok(thread) = thread {
            *self.promotion.lock().unwrap_or_else(PoisonError::into_inner) = Some(thread);
        }
    }

    /// Compiles it at once: the interpreter has nothing of the system.
    ///
    /// # Errors
    /// What the compiler, or the linker, says.
    pub(crate) fn promote_now(
        &self,
        compiler: &Compiler,
        system: (ModuleName, Settings),
        cancel: &Cancel,
    ) -> Result<(), String> {
        let wasm = lower(self.compiled.verified(), InternalExports::Yes).wasm;
        let compiled =
            compiler.compile(&wasm, &|| cancel.is_cancelled()).map_err(|error| error.to_string())?;
        let engine = compiler.engine().map_err(|error| error.to_string())?;
        let program = Program::of_lowered(engine, &compiled.code, Arc::clone(&self.bindings), system)?;
        // Nobody else sets it.
        let _ = self.fast.set(program);
        Ok(())
    }

    /// Makes an instance and interprets a function.
    pub(crate) fn call(
        &self,
        callee: &str,
        function: &Function,
        signature: &Signature,
        given: Given<'_>,
        at: At<'_>,
    ) -> Result<Gotten, Fault> {
        let typed = |ty: &FunctionType, values: Vec<ComponentVal>| {
            self.run_typed(callee, function.number, ty, &values, at).map_err(Fault::Call)
        };
        match (given, signature) {
            (Given::Text(text), Signature::Interface(ty)) => {
                let values = value::parse_interface(ty, text).map_err(Fault::Arguments)?;
                let results = typed(ty, values)?;
                value::render(&results).map(Gotten::Text).map_err(Fault::Results)
            }
            (Given::Text(text), Signature::Registers(_) | Signature::Foreign(_)) => {
                let arguments: Vec<Val> = value::parse(&function.params, text).map_err(Fault::Arguments)?;
                let arguments: Vec<Value> = arguments.iter().filter_map(from_engine).collect();
                let results = self.run(function.number, &arguments, at).map_err(Fault::Call)?;
                let results: Vec<Val> = results.into_iter().map(to_engine).collect();
                value::render(&results).map(Gotten::Text).map_err(Fault::Results)
            }
            (Given::Bytes(bytes), Signature::Interface(ty)) => {
                let value = value::of_bytes(ty, bytes).map_err(Fault::Results)?;
                let result = typed(ty, vec![value])?.pop();
                value::to_bytes(result).map(Gotten::Bytes).map_err(Fault::Results)
            }
            (Given::Bytes(_), Signature::Registers(_) | Signature::Foreign(_)) => {
                Err(Fault::Results(crate::call::NOT_BYTES.to_owned()))
            }
            (Given::Values(Agreed::Interface(ty), values), _) => {
                typed(ty, values.to_vec()).map(Gotten::Values)
            }
            (Given::Values(Agreed::Numbers, values), _) => {
                let misfit = || Fault::Arguments("they are other numbers".to_owned());
                let values: Option<Vec<Value>> = values.iter().map(from_number).collect();
                let results = self.run(function.number, &values.ok_or_else(misfit)?, at);
                Ok(Gotten::Values(results.map_err(Fault::Call)?.into_iter().map(to_number).collect()))
            }
        }
    }

    /// Makes an instance, which is initialised, and drops it: whether that works is known then.
    pub(crate) fn try_instance(&self, at: At<'_>) -> Result<(), CallError> {
        self.instance(at).map(drop)
    }

    fn instance<'a>(&'a self, at: At<'a>) -> Result<(Instance, Imports<'a>), CallError> {
        let limits = Config {
            memory_bytes: at.config.memory_bytes_max as u64,
            call_depth: CALL_DEPTH_MAX,
            stack_slots: STACK_SLOTS_MAX,
            fuel: None,
        };
        let is_wide = is_wide(self.module());
        let mut host = Imports { imports: &self.imports, context: at.context, is_wide, failure: None };
        let mut instance = Instance::new(&self.compiled, &host, limits)
            .map_err(|error| CallError::Trap(Trap { message: error.to_string(), frames: Vec::new() }))?;
        let watched = at.stop.clone();
        instance.set_watch(move || watched.reason().is_some());
        if let Some(ExportItem::Function { function, .. }) = self.module().export(INIT_CORE)
            && self.module().function_signature(function) == Some(&BytecodeSignature::default())
        {
            let ran = instance.call_function(&mut host, function, &[]);
            ran.map_err(|error| host.describe(error, at.stop))?;
        }
        Ok((instance, host))
    }

    fn run(&self, function: u32, arguments: &[Value], at: At<'_>) -> Result<Vec<Value>, CallError> {
        let (mut instance, mut host) = self.instance(at)?;
        let ran = instance.call_function(&mut host, function, arguments);
        ran.map_err(|error| host.describe(error, at.stop))
    }

    /// Runs a function with values of the interface language.
    fn run_typed(
        &self,
        name: &str,
        function: u32,
        ty: &FunctionType,
        values: &[ComponentVal],
        at: At<'_>,
    ) -> Result<Vec<ComponentVal>, CallError> {
        let (mut instance, mut host) = self.instance(at)?;
        let mut guest = Called { instance: &mut instance, host: &mut host, stop: at.stop };
        let arguments = canonical::lower_params(&mut guest, ty, values)?;
        let ran = guest.instance.call_function(guest.host, function, &arguments);
        let given = ran.map_err(|error| guest.host.describe(error, at.stop))?;
        let result = canonical::lift_result(&mut guest, ty, &given)?;
        let after = format!("{POST_RETURN}{name}");
        if self.module().export(&after).is_some() {
            let ran = instance.call(&mut host, &after, &given);
            ran.map_err(|error| host.describe(error, at.stop))?;
        }
        Ok(result.into_iter().collect())
    }
}

/// In what a call of bytecode runs.
#[derive(Clone, Copy)]
pub(crate) struct At<'a> {
    pub(crate) stop: &'a Stop,
    pub(crate) config: &'a LoaderConfig,
    pub(crate) context: Option<&'a Arc<Context>>,
}

/// What the interpreter calls for imports.
struct Imports<'a> {
    imports: &'a [Option<Arc<Binding>>],
    context: Option<&'a Arc<Context>>,
    is_wide: bool,
    /// Why the last import failed: the interpreter keeps only text.
    failure: Option<CallError>,
}

impl Host for Imports<'_> {
    fn provides(&self, _: &BytecodeImport) -> bool {
        // It was linked.
        true
    }

    fn call(
        &mut self,
        import: u32,
        caller: &mut Caller<'_>,
        args: &[Value],
        results: &mut Vec<Value>,
    ) -> Result<(), HostError> {
        let binding = self.imports.get(import as usize).cloned().flatten();
        let (Some(binding), Some(context)) = (binding, self.context.cloned()) else {
            return Err(HostError::Failed("nothing answers this import here".to_owned()));
        };
        let given = context.call_from(&binding, args, &mut Calling { caller, host: self });
        match given {
            Ok(given) => {
                results.extend(given);
                Ok(())
            }
            Err(error) => {
                let text = error.to_string();
                self.failure = Some(error);
                Err(HostError::Failed(text))
            }
        }
    }
}

impl Imports<'_> {
    /// What the interpreter says, in the loader's words.
    fn describe(&mut self, error: vitte_bytecode::CallError, stop: &Stop) -> CallError {
        if let Some(failure) = self.failure.take() {
            return failure;
        }
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
}

/// The arguments of the allocator.
fn allocation(is_wide: bool, align: u64, size: u64) -> [Value; 4] {
    let ty = if is_wide { ValueType::I64 } else { ValueType::I32 };
    [0, 0, align, size].map(|number| Value::from_bits(ty, number))
}

/// Bytecode that has called an import, as the canonical ABI sees it.
struct Calling<'a, 'c, 'h> {
    caller: &'a mut Caller<'c>,
    host: &'a mut Imports<'h>,
}

impl canonical::Guest for Calling<'_, '_, '_> {
    fn is_wide(&self) -> bool {
        self.host.is_wide
    }

    fn read(&mut self, address: u64, length: u64) -> Option<Vec<u8>> {
        read(self.caller.memory(), address, length)
    }

    fn write(&mut self, address: u64, bytes: &[u8]) -> Option<()> {
        self.caller.memory().write(address, bytes)
    }

    fn allocate(&mut self, align: u64, size: u64) -> Result<u64, CallError> {
        let arguments = allocation(self.host.is_wide, align, size);
        let given = self.caller.call(self.host, ALLOCATOR, &arguments);
        let given = given.map_err(|error| CallError::Failed(error.to_string()))?;
        given.first().map(|address| address.bits()).ok_or_else(no_allocator)
    }
}

/// Bytecode that is called.
struct Called<'a, 'h> {
    instance: &'a mut Instance,
    host: &'a mut Imports<'h>,
    stop: &'a Stop,
}

impl canonical::Guest for Called<'_, '_> {
    fn is_wide(&self) -> bool {
        self.host.is_wide
    }

    fn read(&mut self, address: u64, length: u64) -> Option<Vec<u8>> {
        read(self.instance.memory(), address, length)
    }

    fn write(&mut self, address: u64, bytes: &[u8]) -> Option<()> {
        self.instance.memory_mut().write(address, bytes)
    }

    fn allocate(&mut self, align: u64, size: u64) -> Result<u64, CallError> {
        let arguments = allocation(self.host.is_wide, align, size);
        let given = self.instance.call(self.host, ALLOCATOR, &arguments);
        let given = given.map_err(|error| self.host.describe(error, self.stop))?;
        given.first().map(|address| address.bits()).ok_or_else(no_allocator)
    }
}

fn read(memory: &Memory, address: u64, length: u64) -> Option<Vec<u8>> {
    memory.read(address, length).map(<[u8]>::to_vec)
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

fn val_type(ty: ValueType) -> ValType {
    match ty {
        ValueType::I32 => ValType::I32,
        ValueType::I64 => ValType::I64,
        ValueType::F32 => ValType::F32,
        ValueType::F64 => ValType::F64,
    }
}
