//! What a module imports, from the host's side.
use super::instance::Machine;
use super::memory::Memory;
use super::trap::TrapKind;
use super::{CallError, Compiled};
use crate::module::{ExportItem, Import};
use crate::value::Value;

/// Gives a module what it imports.
pub trait Host {
    /// Whether there is a function for this import. Asked once for each, before anything runs.
    fn provides(&self, import: &Import) -> bool;

    /// Calls the import with this number. `args` have the types of its signature; as many values of the right types
    /// must be put into `results`.
    ///
    /// # Errors
    /// What ends the call that the module is in.
    fn call(
        &mut self,
        import: u32,
        caller: &mut Caller<'_>,
        args: &[Value],
        results: &mut Vec<Value>,
    ) -> Result<(), HostError>;
}

/// Why an imported function ends the call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum HostError {
    /// It failed, with a message.
    Failed(String),
    /// It ends the program with this status.
    Exit(i32),
    /// A call back into the module trapped.
    Trap(TrapKind),
}

/// A host for modules that import nothing.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoImports;

impl Host for NoImports {
    fn provides(&self, _: &Import) -> bool {
        false
    }

    fn call(
        &mut self,
        import: u32,
        _: &mut Caller<'_>,
        _: &[Value],
        _: &mut Vec<Value>,
    ) -> Result<(), HostError> {
        Err(HostError::Failed(format!("import {import} does not exist")))
    }
}

/// The instance that calls an imported function.
pub struct Caller<'a> {
    pub(super) compiled: &'a Compiled,
    pub(super) machine: &'a mut Machine,
    /// First slot that is free.
    pub(super) base: usize,
}

/// How often hosts and modules may call each other in turn: each time takes some of the host's stack.
pub(super) const HOST_DEPTH_MAX: usize = 16;

impl Caller<'_> {
    /// Its memory; empty if it has none.
    pub fn memory(&mut self) -> &mut Memory {
        &mut self.machine.memory
    }

    /// Calls an export of the module that called, for instance its allocator. The host passes itself.
    ///
    /// # Errors
    /// As a call from outside; a trap keeps its kind, and the frames of the outer call are those that are reported.
    pub fn call(
        &mut self,
        host: &mut dyn Host,
        export: &str,
        args: &[Value],
    ) -> Result<Vec<Value>, CallError> {
        let function = match self.compiled.module().export(export) {
            Some(ExportItem::Function { function, .. }) => function,
            Some(ExportItem::Memory | ExportItem::Global(_)) | None => {
                return Err(CallError::NoFunction(export.to_owned()));
            }
        };
        if self.machine.host_depth >= HOST_DEPTH_MAX {
            return Err(self.machine.trap(self.compiled, TrapKind::StackOverflow));
        }
        self.machine.host_depth += 1;
        let given = self.machine.call(self.compiled, host, function, self.base, args);
        self.machine.host_depth -= 1;
        given
    }
}
