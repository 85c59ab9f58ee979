//! The one error type of this crate.
use std::io;
use std::path::{Path, PathBuf};

/// A system call failed: what was tried, on what, and the system's answer.
#[derive(Debug, thiserror::Error)]
#[error("cannot {operation} `{}`: {source}", path.display())]
pub struct SysError {
    /// A verb: `read`, `write`, `rename`, `lock`, `spawn`, …
    pub operation: &'static str,
    /// The path it was about (or the program, for processes).
    pub path: PathBuf,
    /// The system's answer.
    pub source: io::Error,
}

impl SysError {
    pub(crate) fn new(operation: &'static str, path: &Path, source: impl Into<io::Error>) -> Self {
        Self { operation, path: path.to_path_buf(), source: source.into() }
    }

    /// The errno, when the error came from the kernel.
    pub fn errno(&self) -> Option<i32> {
        self.source.raw_os_error()
    }

    /// The kind of the system's answer.
    pub fn kind(&self) -> io::ErrorKind {
        self.source.kind()
    }
}
