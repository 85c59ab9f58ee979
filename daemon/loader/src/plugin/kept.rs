//! The file of the plugins that there are. It is a note: damaged, it is as if there were none, and a word in the log.
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use vitte_sys::fs::Durability;

/// Longest file, in bytes.
const FILE_MAX: u64 = 1 << 20;

/// A plugin that was loaded.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Kept {
    pub(super) path: PathBuf,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) settings: Option<String>,
}

pub(super) fn read(file: &Path) -> Vec<Kept> {
    match vitte_sys::fs::read_at_most(file, FILE_MAX) {
        Ok(bytes) => serde_json::from_slice(&bytes).unwrap_or_else(|error| {
            tracing::warn!(file = %file.display(), %error, "the note of plugins is damaged");
            Vec::new()
        }),
        Err(error) => {
            if error.kind() != std::io::ErrorKind::NotFound {
                tracing::warn!(file = %file.display(), %error, "the note of plugins cannot be read");
            }
            Vec::new()
        }
    }
}

/// What cannot be written costs the memory of it after a restart.
pub(super) fn write(file: &Path, kept: &[Kept]) {
    let written = serde_json::to_vec(kept).map_err(|error| error.to_string()).and_then(|bytes| {
        if let Some(folder) = file.parent() {
            vitte_sys::fs::create_directories(folder).map_err(|error| error.to_string())?;
        }
        vitte_sys::fs::replace(file, &bytes, 0o600, Durability::Flushed).map_err(|error| error.to_string())
    });
    if let Err(error) = written {
        tracing::warn!(error, "the plugins were not noted");
    }
}
