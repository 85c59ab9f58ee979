//! A result as a record of the store.
use std::path::Path;
use std::sync::Arc;

use vitte_store::{ActionResult, Digest};

use super::{EXECUTABLE, ProgramInputs, shown_name};
use crate::api::ResolvedDiagnostic;
use crate::engine::Folders;

/// What a plan gave.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct CachedResult {
    /// Diagnostics with files under portable names.
    diagnostics: Vec<ResolvedDiagnostic>,
    /// The executable, if there is one.
    pub(crate) executable: Option<Digest>,
}

impl CachedResult {
    /// `diagnostics` hold portable names.
    pub(crate) fn new(diagnostics: &[Arc<ResolvedDiagnostic>]) -> Self {
        Self {
            diagnostics: diagnostics.iter().map(|one| ResolvedDiagnostic::clone(one)).collect(),
            executable: None,
        }
    }

    /// `None` when the record is none of ours.
    pub(super) fn decode(record: ActionResult) -> Option<Self> {
        let diagnostics = serde_json::from_slice(&record.inline).ok()?;
        let executable = record.outputs.into_iter().find(|(name, _)| name == EXECUTABLE);
        Some(Self { diagnostics, executable: executable.map(|(_, digest)| digest) })
    }

    pub(super) fn encode(
        &self,
        executable: Option<(String, Digest)>,
        inputs: &ProgramInputs,
    ) -> ActionResult {
        // Plain data: it cannot fail, and if it did the record would be none of ours.
        let inline = serde_json::to_vec(&self.diagnostics).unwrap_or_default();
        ActionResult { outputs: executable.into_iter().collect(), inline, inputs: inputs.existing() }
    }

    /// The diagnostics as the user would see them from `cwd`.
    pub(crate) fn diagnostics(&self, folders: &Folders, cwd: &Path) -> Vec<Arc<ResolvedDiagnostic>> {
        let shown = self.diagnostics.iter().cloned().map(|mut diagnostic| {
            let labels = diagnostic.labels.iter_mut().map(|label| &mut label.span);
            let suggestions = diagnostic.suggestions.iter_mut().map(|suggestion| &mut suggestion.span);
            for span in labels.chain(suggestions) {
                span.file = shown_name(&span.file, folders, cwd);
            }
            Arc::new(diagnostic)
        });
        shown.collect()
    }
}
