//! The log file: one line per event, set aside when it has grown.
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Mutex;

use tracing_subscriber::EnvFilter;

/// A log larger than this is renamed to `vitted.log.1` when the service starts.
const LOG_BYTES_MAX: u64 = 8 << 20;

/// Why there is no log.
#[derive(Debug, thiserror::Error)]
pub enum LoggingError {
    /// The file cannot be opened.
    #[error("cannot open the log `{path}`")]
    Open {
        /// The log file.
        path: PathBuf,
        /// The system's answer.
        source: io::Error,
    },
    /// The filter is not in the syntax of `tracing-subscriber`.
    #[error("`service.log` is not a filter: {0}")]
    Filter(#[from] tracing_subscriber::filter::ParseError),
}

/// Sends this process's events to the file at `path`.
///
/// # Errors
/// See [`LoggingError`].
pub fn to_file(path: &Path, filter: &str) -> Result<(), LoggingError> {
    let filter = EnvFilter::builder().parse(filter)?;
    let file = open(path).map_err(|source| LoggingError::Open { path: path.into(), source })?;
    let subscriber = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_ansi(false)
        .with_target(false)
        .with_writer(Mutex::new(file))
        .finish();
    // A second call in one process keeps the first log.
    let _ = tracing::subscriber::set_global_default(subscriber);
    std::panic::set_hook(Box::new(|panic| tracing::error!(%panic, "panic")));
    Ok(())
}

fn open(path: &Path) -> io::Result<File> {
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder)?;
    }
    if fs::metadata(path).is_ok_and(|data| data.len() > LOG_BYTES_MAX) {
        fs::rename(path, path.with_extension("log.1"))?;
    }
    File::options().append(true).create(true).open(path)
}
