//! What a call carries through the modules that it passes: one picture of all of them, one deadline, and the way
//! that it came.
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use wasmtime::component::Val;

use crate::call::{CallError, Hop, Stop};
use crate::canonical;
use crate::domain::Lent;
use crate::generation::{Generation, Pin};
use crate::guest::{lift_arguments, lower_results};
use crate::import::Binding;
use crate::interface::Agreed;
use crate::name::ModuleName;

/// The generations that one call sees, held until it ends. What commits meanwhile, it does not see.
#[derive(Default)]
pub(crate) struct Snapshot(Mutex<BTreeMap<ModuleName, Pin>>);

impl Snapshot {
    pub(crate) fn new(pins: impl IntoIterator<Item = Pin>) -> Self {
        let pins = pins.into_iter().map(|pin| (pin.staged.module.clone(), pin));
        Self(Mutex::new(pins.collect()))
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<ModuleName, Pin>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The generation of a module. It is held as long as this is.
    pub(crate) fn get(&self, module: &ModuleName) -> Option<Arc<Generation>> {
        self.lock().get(module).map(|pin| Arc::clone(pin))
    }

    /// Adds what was loaded during the call, or where a module's state has moved to.
    pub(crate) fn put(&self, pin: Pin) {
        // What it replaces may be the last hold of a generation: dropped when the lock is open again.
        let _before = self.lock().insert(pin.staged.module.clone(), pin);
    }
}

/// Whoever can call a module for another one.
pub(crate) trait Calls: Send + Sync {
    /// Calls what `binding` names with values of the type that was agreed on.
    fn call_import(
        &self,
        context: &Context,
        binding: &Binding,
        values: &[Val],
    ) -> Result<Vec<Val>, CallError>;

    /// What `binding` and the function that it names agree on, which loads the function's module if it is not.
    fn agreed(&self, context: &Context, binding: &Binding) -> Result<Agreed, CallError>;
}

/// A call, seen from the module that it is in.
#[derive(Clone)]
pub(crate) struct Context {
    pub(crate) calls: Arc<dyn Calls>,
    pub(crate) snapshot: Arc<Snapshot>,
    pub(crate) stop: Stop,
    /// The functions that it came through, the outermost first; the last one runs.
    pub(crate) chain: Vec<Hop>,
    /// Whether it can wait for a commit: what a commit itself calls cannot.
    pub(crate) may_load: bool,
    /// Processes of native functions that it came through and that wait for it, the outermost first.
    pub(crate) lent: Vec<Arc<Lent>>,
}

impl Context {
    pub(crate) fn call(&self, binding: &Binding, values: &[Val]) -> Result<Vec<Val>, CallError> {
        self.calls.call_import(self, binding, values)
    }

    /// The same for a guest that is no component, from registers to registers.
    pub(crate) fn call_from(
        &self,
        binding: &Binding,
        registers: &[vitte_bytecode::Value],
        guest: &mut dyn canonical::Guest,
    ) -> Result<Vec<vitte_bytecode::Value>, CallError> {
        // Without one the module is not loaded yet: loading it says what both sides agree on.
        let agreed = match &binding.linked {
            Some((_, _, agreed)) => agreed.clone(),
            None => self.calls.agreed(self, binding)?,
        };
        let values = lift_arguments(guest, &agreed, registers)?;
        let given = self.call(binding, &values)?;
        lower_results(guest, &agreed, &given, registers)
    }
}
