//! The console that components print to: the little that a host has to know of what a guest says.
use wasmtime::component::Linker;
use wasmtime::{Result, StoreContextMut};

use crate::call::{CallError, Guest, Trap};

/// So much of what is printed during a call is kept, in bytes.
const KEPT_MAX: usize = 16 << 10;
/// The stream of errors.
const ERRORS: u32 = 2;

/// What a guest has printed during a call.
#[derive(Default)]
pub(crate) struct Console {
    errors: Vec<u8>,
}

impl Console {
    /// Another call begins.
    pub(crate) fn clear(&mut self) {
        self.errors.clear();
    }

    fn write(&mut self, stream: u32, text: &[u8]) {
        tracing::debug!(stream, text = %String::from_utf8_lossy(text), "a module printed");
        if stream == ERRORS {
            let room = KEPT_MAX.saturating_sub(self.errors.len()).min(text.len());
            self.errors.extend_from_slice(text.get(..room).unwrap_or_default());
        }
    }

    /// A trap with what the guest said before: a panic prints, and then traps.
    pub(crate) fn explain(&self, error: CallError) -> CallError {
        match error {
            CallError::Trap(trap) if !self.errors.is_empty() => {
                let said = String::from_utf8_lossy(&self.errors);
                CallError::Trap(Trap { message: said.trim_end().to_owned(), frames: trap.frames })
            }
            other => other,
        }
    }
}

/// Gives the console to a component.
pub(crate) fn provide(linker: &mut Linker<Guest>) -> Result<()> {
    linker.instance(vitte_component::CONSOLE)?.func_wrap(
        "write",
        |mut store: StoreContextMut<'_, Guest>, (stream, text): (u32, Vec<u8>)| {
            store.data_mut().console.write(stream, &text);
            Ok(())
        },
    )
}
