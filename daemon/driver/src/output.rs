//! Puts executables in place, and remembers which are there.
use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use vitte_sys::fs::{Durability, FileStamp};

use crate::api::{DriverError, Event};
use crate::digest;
use crate::plan::{BuildPlan, Output};
use crate::project::{bad_input, io_error};
use crate::scratch;

/// Outputs that are remembered; then all are forgotten, which costs a look at the files.
const KNOWN_MAX: usize = 1024;

/// The executables that this process has written, by where they were to go.
#[derive(Debug, Default)]
pub(crate) struct Outputs {
    known: Mutex<HashMap<(Output, String), Written>>,
}

/// An executable on disk.
#[derive(Clone, Debug)]
pub(crate) struct Written {
    /// Where. Absolute.
    pub(crate) path: PathBuf,
    /// SHA-256, lower-case hex; `None` when nobody has asked.
    sha256: Option<String>,
    size: u64,
    /// The version of the program that it is; 0 when it is not one of ours.
    version: u64,
    /// What events call it.
    kind: &'static str,
    /// How the file looked right after it was written.
    stamp: Option<FileStamp>,
}

impl Written {
    /// Whether nobody has touched the file since.
    fn is_untouched(&self) -> bool {
        let stamp = vitte_sys::fs::stamp(&self.path).ok().flatten();
        stamp.is_some() && stamp == self.stamp
    }

    /// Its bytes, if the file is still what was written.
    pub(crate) fn bytes(&self) -> Option<Vec<u8>> {
        let bytes = vitte_sys::fs::read(&self.path).ok()?;
        let is_same = match &self.sha256 {
            Some(sha256) => digest::sha256(&bytes) == *sha256,
            None => self.is_untouched(),
        };
        is_same.then_some(bytes)
    }

    /// SHA-256 in lower-case hex; empty when nobody has asked for it.
    pub(crate) fn sha256(&self) -> &str {
        self.sha256.as_deref().unwrap_or_default()
    }

    /// The event that tells of it.
    pub(crate) fn event(&self) -> Event {
        Event::Artifact {
            kind: self.kind,
            path: self.path.clone(),
            sha256: self.sha256().to_owned(),
            size_bytes: self.size,
        }
    }
}

impl Outputs {
    /// What stands at the plan's output, if it is `version` and nobody has touched it since.
    pub(crate) fn find(&self, plan: &BuildPlan, version: u64) -> Option<Written> {
        self.known(plan).filter(|written| written.version == version && written.is_untouched())
    }

    /// What this process wrote for the plan last.
    fn known(&self, plan: &BuildPlan) -> Option<Written> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner).get(&key(plan)).cloned()
    }

    /// The same with its digest, which is remembered.
    ///
    /// # Errors
    /// [`DriverError::Io`].
    pub(crate) fn with_digest(&self, plan: &BuildPlan, written: Written) -> Result<Written, DriverError> {
        if written.sha256.is_some() {
            return Ok(written);
        }
        let bytes = vitte_sys::fs::read(&written.path).map_err(io_error)?;
        let written = Written { sha256: Some(digest::sha256(&bytes)), ..written };
        self.remember(plan, &written);
        Ok(written)
    }

    /// Puts an executable where the plan wants it. One that is there already is left alone, times and all.
    ///
    /// # Errors
    /// [`DriverError::Io`].
    pub(crate) fn write(
        &self,
        plan: &BuildPlan,
        bytes: &[u8],
        version: u64,
        with_digest: bool,
    ) -> Result<Written, DriverError> {
        let started = Instant::now();
        let known = self.known(plan);
        // Two versions of a program are never the same file.
        let is_other =
            version != 0 && known.as_ref().is_some_and(|old| old.version != 0 && old.is_untouched());
        let (sha256, path) = match &plan.output {
            Output::File(path) => {
                if known.is_none() {
                    // Writers that were killed before this process began may have left something.
                    vitte_sys::fs::remove_abandoned(path);
                }
                let (sha256, written) = if with_digest {
                    // Both take about as long.
                    std::thread::scope(|scope| {
                        let sha256 = scope.spawn(|| digest::sha256(bytes));
                        let written = put(path, bytes, is_other, plan);
                        (Some(sha256.join().unwrap_or_else(|_| digest::sha256(bytes))), written)
                    })
                } else {
                    (None, put(path, bytes, is_other, plan))
                };
                written?;
                (sha256, path.clone())
            }
            Output::Scratch(folder) => {
                let sha256 = digest::sha256(bytes);
                let path = scratch::place(folder, &plan.project.name, &sha256);
                put(&path, bytes, false, plan)?;
                scratch::sweep(folder, &path);
                (Some(sha256), path)
            }
        };
        tracing::debug!(elapsed = ?started.elapsed(), bytes = bytes.len(), "written");
        let stamp = vitte_sys::fs::stamp(&path).ok().flatten();
        let kind = plan.product.kind();
        let written = Written { path, sha256, size: bytes.len() as u64, version, kind, stamp };
        self.remember(plan, &written);
        Ok(written)
    }

    fn remember(&self, plan: &BuildPlan, written: &Written) {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if known.len() >= KNOWN_MAX {
            known.clear();
        }
        known.insert(key(plan), written.clone());
    }
}

fn key(plan: &BuildPlan) -> (Output, String) {
    (plan.output.clone(), plan.project.name.clone())
}

/// Refuses outputs that would destroy something, before any work is done.
///
/// # Errors
/// [`DriverError::BadInput`].
pub(crate) fn check(plan: &BuildPlan) -> Result<(), DriverError> {
    let Output::File(output) = &plan.output else { return Ok(()) };
    if output.is_dir() {
        let message = format!("the output `{}` is a directory", output.display());
        return Err(bad_input("IS_A_DIRECTORY", message, "name a file with `-o`"));
    }
    if vitte_sys::fs::canonical(output).is_ok_and(|output| output == plan.project.entry_file) {
        let message = format!("the output `{}` is the source file", output.display());
        return Err(bad_input("OUTPUT_IS_INPUT", message, "name another file with `-o`"));
    }
    Ok(())
}

/// Puts the file in place, unless exactly it is there already. `is_other`: it is known not to be.
fn put(path: &Path, bytes: &[u8], is_other: bool, plan: &BuildPlan) -> Result<(), DriverError> {
    let executable = plan.product.is_program();
    let same_size =
        !is_other && std::fs::metadata(path).is_ok_and(|m| m.is_file() && m.len() == bytes.len() as u64);
    if same_size
        && (!executable || vitte_sys::fs::is_executable(path))
        && vitte_sys::fs::read(path).is_ok_and(|old| old == bytes)
    {
        return Ok(());
    }
    if let Some(parent) = path.parent() {
        vitte_sys::fs::create_directories(parent).map_err(io_error)?;
    }
    // What can be made again need not survive a crash of the machine.
    vitte_sys::fs::replace(path, bytes, if executable { 0o777 } else { 0o666 }, Durability::Cached)
        .map_err(io_error)
}
