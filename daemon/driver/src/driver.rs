//! The driver itself.
use crate::api::*;

/// Compiles, links and describes programs. Cheap to share; one per service.
#[derive(Debug, Default)]
pub struct Driver {}

impl Driver {
    /// A driver with nothing in memory. `worker` is the command (program and leading arguments) that
    /// runs this crate's [`worker_main`](crate) in a child process, for the embedded linker.
    pub fn new(worker: Vec<std::ffi::OsString>) -> Self {
        let _ = worker;
        Self {}
    }

    /// Checks a program; diagnostics come as events, in order.
    pub fn check(
        &self,
        request: &BuildRequest,
        events: &dyn EventSink,
        cancel: &CancellationToken,
    ) -> Result<BuildOutcome, DriverError> {
        let _ = (request, events, cancel);
        Err(DriverError::Internal("not built yet".into()))
    }

    /// Checks, generates code and links.
    pub fn build(
        &self,
        request: &BuildRequest,
        events: &dyn EventSink,
        cancel: &CancellationToken,
    ) -> Result<BuildOutcome, DriverError> {
        let _ = (request, events, cancel);
        Err(DriverError::Internal("not built yet".into()))
    }

    /// Shows one stage. `filter` limits the output to procedures whose name contains it.
    pub fn emit(
        &self,
        request: &BuildRequest,
        stage: Stage,
        filter: Option<&str>,
        events: &dyn EventSink,
        cancel: &CancellationToken,
    ) -> Result<EmitOutcome, DriverError> {
        let _ = (request, stage, filter, events, cancel);
        Err(DriverError::Internal("not built yet".into()))
    }

    /// What this machine offers: targets, linkers, tools, and which are chosen.
    pub fn doctor(&self) -> Vec<Finding> {
        Vec::new()
    }

    /// The long explanation of a code, key or `E0001`-style name, as Markdown. `language` is `en` or `fr`.
    pub fn explain(&self, code: &str, language: &str) -> Option<String> {
        let _ = (code, language);
        None
    }
}
