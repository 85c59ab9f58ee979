//! A module with its memory, and calls into it.
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use super::Compiled;
use super::host::Host;
use super::memory::Memory;
use super::run::{Activation, WINDOW, run};
use super::trap::{FRAMES_MAX, Frame, Trap, TrapKind};
use crate::module::{ExportItem, Import};
use crate::value::{Signature, Value, ValueType};

/// What an instance may use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Config {
    /// Bytes of memory at most.
    pub memory_bytes: u64,
    /// Calls nested at most.
    pub call_depth: usize,
    /// Registers of all active calls at most, 8 bytes each. The system gives the memory as it is touched.
    pub stack_slots: usize,
    /// Units of fuel: one for each call and each jump backwards, and one for every 4 KiB that one instruction
    /// copies, sets or clears.
    pub fuel: Option<u64>,
}

impl Default for Config {
    fn default() -> Self {
        Self { memory_bytes: 1 << 32, call_depth: 100_000, stack_slots: 1 << 20, fuel: None }
    }
}

/// Why a module cannot be instantiated.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[allow(missing_docs)]
pub enum InstantiateError {
    #[error("the module imports `{}` from `{}`, which nobody provides", .0.name, .0.module)]
    MissingImport(Import),
    #[error("the module needs {needed} bytes of memory, and {allowed} are allowed or left")]
    Memory { needed: u64, allowed: u64 },
}

/// Why a call gave no results.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[allow(missing_docs)]
pub enum CallError {
    #[error("the module exports no function `{0}`")]
    NoFunction(String),
    #[error("`{function}` takes {expected}, and {found} are given")]
    Arguments { function: String, expected: Signature, found: Signature },
    #[error(transparent)]
    Trap(Box<Trap>),
}

/// Ends a running call from another thread.
#[derive(Clone, Debug, Default)]
pub struct Interrupter(Arc<AtomicBool>);

impl Interrupter {
    /// Lets the current call of the instance, or its next, end with [`TrapKind::Interrupted`] within a few thousand
    /// jumps.
    pub fn interrupt(&self) {
        self.0.store(true, Ordering::Relaxed);
    }

    /// Whether someone asked, once for each time.
    fn take(&self) -> bool {
        self.0.load(Ordering::Relaxed) && self.0.swap(false, Ordering::Relaxed)
    }
}

/// What is asked from time to time whether a call shall end.
#[derive(Default)]
pub(super) struct Interruption {
    interrupter: Interrupter,
    watch: Option<Box<dyn FnMut() -> bool + Send>>,
}

impl Interruption {
    /// Whether anybody wants the end.
    pub(super) fn is_wanted(&mut self) -> bool {
        self.interrupter.take() || self.watch.as_mut().is_some_and(|watch| watch())
    }
}

/// All that a running module changes.
pub(super) struct Machine {
    pub(super) memory: Memory,
    pub(super) globals: Box<[u64]>,
    /// Registers of all active calls. Longer by a window than what may be used, so that each frame sees one.
    pub(super) stack: Vec<u64>,
    pub(super) activations: Vec<Activation>,
    pub(super) config: Config,
    /// What is left.
    pub(super) fuel: u64,
    pub(super) interruption: Interruption,
    pub(super) host_depth: usize,
    /// Where the last trap happened.
    trapped: Vec<Frame>,
    trapped_left_out: usize,
}

impl Machine {
    /// Calls `function` with its frame at `base`.
    pub(super) fn call(
        &mut self,
        compiled: &Compiled,
        host: &mut dyn Host,
        function: u32,
        base: usize,
        args: &[Value],
    ) -> Result<Vec<Value>, CallError> {
        let empty = Signature::default();
        let module = compiled.module();
        let signature = module.function_signature(function).unwrap_or(&empty);
        if !args.iter().map(|arg| arg.ty()).eq(signature.params.iter().copied()) {
            let name = module.functions.get(function as usize).map(|function| function.name.clone());
            return Err(CallError::Arguments {
                function: name.unwrap_or_default(),
                expected: signature.clone(),
                found: Signature { params: args.iter().map(|arg| arg.ty()).collect(), results: Vec::new() },
            });
        }
        self.prepare_stack();
        let Some(slots) = self.stack.get_mut(base..base + WINDOW) else {
            return Err(self.trap(compiled, TrapKind::StackOverflow));
        };
        for (slot, arg) in slots.iter_mut().zip(args) {
            *slot = arg.bits();
        }
        let outer = self.activations.len();
        if let Err(kind) = run(compiled, self, host, function, base) {
            let error = self.trap(compiled, kind);
            self.activations.truncate(outer);
            return Err(error);
        }
        let results = self.stack.get(base..).unwrap_or_default();
        let types: &[ValueType] = &signature.results;
        Ok(types.iter().zip(results).map(|(ty, bits)| Value::from_bits(*ty, *bits)).collect())
    }

    fn prepare_stack(&mut self) {
        if self.stack.is_empty() {
            // The system gives zeros as they are touched.
            self.stack = vec![0; self.config.stack_slots.saturating_add(WINDOW)];
        }
    }

    /// The error for a trap in the innermost of the active calls.
    pub(super) fn trap(&mut self, compiled: &Compiled, kind: TrapKind) -> CallError {
        // An outer call reports what the inner one, which the host called, has put down already.
        if self.trapped.is_empty() {
            let innermost = self.activations.iter().rev();
            self.trapped = innermost
                .take(FRAMES_MAX)
                .map(|active| {
                    // The next operation is known, and the one before it is meant.
                    let code = compiled.code(active.function);
                    let at = (active.next as usize).saturating_sub(1);
                    let offset = code.map_or(0, |code| code.offset(at));
                    Frame::new(compiled.module(), active.function, offset)
                })
                .collect();
            self.trapped_left_out = self.activations.len() - self.trapped.len();
        }
        let frames =
            if self.host_depth == 0 { std::mem::take(&mut self.trapped) } else { self.trapped.clone() };
        CallError::Trap(Box::new(Trap { kind, frames, frames_left_out: self.trapped_left_out }))
    }
}

/// A module with its memory and globals.
pub struct Instance {
    compiled: Compiled,
    machine: Machine,
}

impl Instance {
    /// Makes memory and globals as the module describes them at the start. Runs nothing.
    ///
    /// # Errors
    /// What the module needs and does not get.
    pub fn new(compiled: &Compiled, host: &dyn Host, config: Config) -> Result<Self, InstantiateError> {
        let module = compiled.module();
        if let Some(missing) = module.imports.iter().find(|import| !host.provides(import)) {
            return Err(InstantiateError::MissingImport(missing.clone()));
        }
        let mut memory = Memory::default();
        if let Some(ty) = module.memory {
            let needed = ty.min_pages.saturating_mul(crate::limits::PAGE_BYTES);
            let allowed = config.memory_bytes;
            memory = Memory::new(ty, allowed).ok_or(InstantiateError::Memory { needed, allowed })?;
        }
        for segment in &module.data {
            // The verifier has seen that it fits.
            memory.write(segment.address, &segment.bytes);
        }
        let machine = Machine {
            memory,
            globals: module.globals.iter().map(|global| global.init.bits()).collect(),
            stack: Vec::new(),
            activations: Vec::new(),
            config,
            fuel: config.fuel.unwrap_or(u64::MAX),
            interruption: Interruption::default(),
            host_depth: 0,
            trapped: Vec::new(),
            trapped_left_out: 0,
        };
        Ok(Self { compiled: compiled.clone(), machine })
    }

    /// Calls an exported function.
    ///
    /// A trap leaves memory and globals as they were at that moment; whether to go on with them is for the caller
    /// to decide.
    ///
    /// # Errors
    /// There is no such function, the arguments are not what it takes, or it trapped.
    pub fn call(
        &mut self,
        host: &mut dyn Host,
        export: &str,
        args: &[Value],
    ) -> Result<Vec<Value>, CallError> {
        match self.compiled.module().export(export) {
            Some(ExportItem::Function { function, .. }) => self.call_function(host, function, args),
            Some(ExportItem::Memory | ExportItem::Global(_)) | None => {
                Err(CallError::NoFunction(export.to_owned()))
            }
        }
    }

    /// Calls a function by its number, exported or not.
    ///
    /// # Errors
    /// As [`Self::call`].
    pub fn call_function(
        &mut self,
        host: &mut dyn Host,
        function: u32,
        args: &[Value],
    ) -> Result<Vec<Value>, CallError> {
        if function as usize >= self.compiled.module().functions.len() {
            return Err(CallError::NoFunction(function.to_string()));
        }
        self.machine.activations.clear();
        self.machine.trapped.clear();
        self.machine.call(&self.compiled, host, function, 0, args)
    }

    /// The module.
    pub fn compiled(&self) -> &Compiled {
        &self.compiled
    }

    /// Its memory; empty if the module has none.
    pub fn memory(&self) -> &Memory {
        &self.machine.memory
    }

    /// Its memory, to change between calls.
    pub fn memory_mut(&mut self) -> &mut Memory {
        &mut self.machine.memory
    }

    /// Values of its globals.
    pub fn globals(&self) -> Vec<Value> {
        let globals = &self.compiled.module().globals;
        let values = globals.iter().zip(&self.machine.globals);
        values.map(|(global, bits)| Value::from_bits(global.init.ty(), *bits)).collect()
    }

    /// Changes a global, as an engine does that goes on with the state of another. False if there is no global of
    /// this number and type.
    pub fn set_global(&mut self, global: u32, value: Value) -> bool {
        let globals = &self.compiled.module().globals;
        let fits = globals.get(global as usize).is_some_and(|global| global.init.ty() == value.ty());
        match self.machine.globals.get_mut(global as usize) {
            Some(bits) if fits => {
                *bits = value.bits();
                true
            }
            Some(_) | None => false,
        }
    }

    /// Units of fuel that are left; `None` if they are not counted.
    pub fn fuel(&self) -> Option<u64> {
        self.machine.config.fuel.map(|_| self.machine.fuel)
    }

    /// Sets the fuel that is left, or lets nobody count it.
    pub fn set_fuel(&mut self, fuel: Option<u64>) {
        self.machine.config.fuel = fuel;
        self.machine.fuel = fuel.unwrap_or(u64::MAX);
    }

    /// What ends a call from another thread.
    pub fn interrupter(&self) -> Interrupter {
        self.machine.interruption.interrupter.clone()
    }

    /// Has `watch` asked, in the thread of the call, after every few thousand units of fuel whether the call shall
    /// end with [`TrapKind::Interrupted`]: for a deadline, or a client that may go away.
    pub fn set_watch(&mut self, watch: impl FnMut() -> bool + Send + 'static) {
        self.machine.interruption.watch = Some(Box::new(watch));
    }
}
