//! What can go wrong, with the field or file it is about and what to do next.
use std::path::{Path, PathBuf};

use vitte_driver::DriverError;

/// Why nothing was made.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The request, the manifest, or a file that they name.
    #[error("{code}: {message}")]
    Input {
        /// `PKG_E_*`.
        code: &'static str,
        /// What it is about: `package.files[2].source`, `--target`.
        field: String,
        /// One sentence.
        message: String,
        /// What to do next.
        help: String,
    },
    /// The program has errors; they were told as events.
    #[error("the program has {0} errors")]
    Program(u64),
    /// Reading or writing.
    #[error("{}: {reason}", path.display())]
    Io {
        /// Which file or folder.
        path: PathBuf,
        /// The system's words.
        reason: std::io::Error,
    },
    /// The build itself.
    #[error(transparent)]
    Build(#[from] DriverError),
}

impl Error {
    /// Something in the request or the manifest.
    pub(crate) fn input(
        code: &'static str,
        field: impl Into<String>,
        message: impl Into<String>,
        help: impl Into<String>,
    ) -> Self {
        Self::Input { code, field: field.into(), message: message.into(), help: help.into() }
    }

    /// For `map_err`: a failure about `path`.
    pub(crate) fn io<E: Into<std::io::Error>>(path: &Path) -> impl FnOnce(E) -> Self {
        let path = path.to_path_buf();
        move |reason| Self::Io { path, reason: reason.into() }
    }

    /// What to do next, if there is something.
    pub fn help(&self) -> String {
        match self {
            Self::Input { help, .. } => help.clone(),
            Self::Program(_) => "mend the program; `vitte check` shows the errors".to_owned(),
            Self::Io { reason, .. } => match reason.kind() {
                std::io::ErrorKind::StorageFull => "make room, or write elsewhere with `--out`".to_owned(),
                std::io::ErrorKind::PermissionDenied => {
                    "check the permissions, or write elsewhere with `--out`".to_owned()
                }
                _ => "check the path".to_owned(),
            },
            Self::Build(_) => String::new(),
        }
    }
}
