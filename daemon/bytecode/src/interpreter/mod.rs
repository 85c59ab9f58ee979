//! Tier 0: runs a verified module at once.
//!
//! Functions are translated when they are first called, from the format to a compact form of 12 bytes an operation
//! (`op`, `compile`). The machine (`run`) keeps registers and frames in memory of its own: how deeply a module calls
//! has no influence on the host's stack. Every jump backwards and every call takes one unit of fuel and can be
//! interrupted.
mod compile; // the format to operations
mod host; // imported functions
mod instance; // a module with its memory
mod memory; // linear memory
mod numeric; // what operations compute
mod op; // operations
mod run; // the machine
mod trap; // why a call ends early

use std::sync::{Arc, OnceLock};

pub use host::{Caller, Host, HostError, NoImports};
pub use instance::{CallError, Config, Instance, InstantiateError, Interrupter};
pub use memory::Memory;
pub use trap::{Frame, Trap, TrapKind};

use crate::module::Module;
use crate::verify::Verified;
use compile::Code;

/// A verified module and those of its functions that were translated already. Cloning it is cheap, and clones share
/// the translations.
#[derive(Clone, Debug)]
pub struct Compiled(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    verified: Verified,
    functions: Box<[OnceLock<Code>]>,
}

impl Compiled {
    /// Prepares a module. Translates nothing yet.
    pub fn new(verified: Verified) -> Self {
        let functions = verified.module().functions.iter().map(|_| OnceLock::new()).collect();
        Self(Arc::new(Shared { verified, functions }))
    }

    /// The module.
    pub fn module(&self) -> &Module {
        self.0.verified.module()
    }

    /// The module, with the promise that it is right.
    pub fn verified(&self) -> &Verified {
        &self.0.verified
    }

    /// Code of a function, translated if it is the first time.
    fn code(&self, function: u32) -> Option<&Code> {
        let slot = self.0.functions.get(function as usize)?;
        if let Some(code) = slot.get() {
            return Some(code);
        }
        let function = self.module().functions.get(function as usize)?;
        Some(slot.get_or_init(|| compile::compile(self.module(), function)))
    }
}
