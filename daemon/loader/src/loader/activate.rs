//! One load at a time for each module that is loaded because it is called.
use std::collections::BTreeSet;
use std::sync::{Condvar, Mutex, PoisonError};
use std::time::Duration;

use crate::call::{CallError, Stop};
use crate::name::ModuleName;

/// How often whoever waits looks whether it should go on waiting.
const POLL: Duration = Duration::from_millis(5);

/// The modules that are being loaded.
#[derive(Default)]
pub(super) struct Activating {
    modules: Mutex<BTreeSet<ModuleName>>,
    changed: Condvar,
}

/// The right to load a module.
pub(super) struct Turn<'a> {
    of: &'a Activating,
    module: ModuleName,
}

impl Activating {
    /// Waits for the turn, as long as `stop` allows.
    ///
    /// # Errors
    /// Why the caller does not wait any more.
    pub(super) fn take(&self, module: &ModuleName, stop: &Stop) -> Result<Turn<'_>, CallError> {
        let mut modules = self.modules.lock().unwrap_or_else(PoisonError::into_inner);
        while !modules.insert(module.clone()) {
            if let Some(reason) = stop.reason() {
                return Err(reason);
            }
            modules = self.changed.wait_timeout(modules, POLL).unwrap_or_else(PoisonError::into_inner).0;
        }
        Ok(Turn { of: self, module: module.clone() })
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        self.of.modules.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.module);
        self.of.changed.notify_all();
    }
}
