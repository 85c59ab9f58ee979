//! The processes of a service under test, found by executable and environment.
#![allow(clippy::panic)] // What fails here fails the test that called it.

use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use crate::stage::{Stage, binaries};

/// Ids of the services that live in the stage's home. Their workers run the same executable and are
/// none.
///
/// # Panics
/// When `/proc` cannot be read.
#[must_use]
pub fn services(stage: &Stage) -> Vec<u32> {
    let program = binaries().vitted.canonicalize().unwrap_or_else(|error| panic!("no service: {error}"));
    let is_worker =
        |folder: &Path| file(folder, "cmdline").split(|byte| *byte == 0).any(|one| one == b"worker");
    family(stage)
        .into_iter()
        .filter(|id| {
            let folder = Path::new("/proc").join(id.to_string());
            std::fs::read_link(folder.join("exe")).is_ok_and(|exe| exe == program) && !is_worker(&folder)
        })
        .collect()
}

/// Ids of all processes that have the stage's home in their environment: services, workers, linkers,
/// programs and clients. One that has ended and was not waited for has no environment.
///
/// # Panics
/// When `/proc` cannot be read.
#[must_use]
pub fn family(stage: &Stage) -> Vec<u32> {
    let mark = format!("XDG_RUNTIME_DIR={}", stage.home().path().join("run").display());
    processes(|folder| file(folder, "environ").split(|byte| *byte == 0).any(|one| one == mark.as_bytes()))
}

/// Ids of the processes whose folder in `/proc` fits, sorted.
///
/// # Panics
/// When `/proc` cannot be read.
pub fn processes(fits: impl Fn(&Path) -> bool) -> Vec<u32> {
    let entries = std::fs::read_dir("/proc").unwrap_or_else(|error| panic!("no /proc: {error}"));
    let mut found: Vec<u32> = entries
        .flatten()
        .filter_map(|entry| Some((entry.file_name().to_str()?.parse().ok()?, entry.path())))
        .filter(|(_, path)| fits(path))
        .map(|(id, _)| id)
        .collect();
    found.sort_unstable();
    found
}

fn file(folder: &Path, name: &str) -> Vec<u8> {
    std::fs::read(folder.join(name)).unwrap_or_default()
}

/// Sends a signal such as `KILL`. A process that is gone already is as good as one that got it.
///
/// # Panics
/// When there is no shell.
pub fn signal(name: &str, process: u32) {
    let mut kill = Command::new("sh");
    kill.args(["-c", &format!("kill -{name} {process} 2>/dev/null")]);
    let _ = kill.status().unwrap_or_else(|error| panic!("cannot start a shell: {error}"));
}

/// Waits until `done` holds.
///
/// # Panics
/// When it does not within half a minute.
pub fn eventually(what: &str, mut done: impl FnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(30);
    while !done() {
        assert!(Instant::now() < deadline, "{what} does not come to pass");
        std::thread::sleep(Duration::from_millis(5));
    }
}
