//! The helper's executable: carried inside this library, run from sealed memory.
use std::io;
use std::os::fd::OwnedFd;
use std::sync::OnceLock;

use rustix::fs::{MemfdFlags, SealFlags};

use super::out_of_the_way;

/// Built by `build.rs` from `spawn_helper/`.
static EXECUTABLE: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/spawn_helper"));

/// The helper as a file that nobody can change, at a descriptor number that no plan uses.
pub(super) fn file() -> io::Result<&'static OwnedFd> {
    static FILE: OnceLock<OwnedFd> = OnceLock::new();
    if let Some(file) = FILE.get() {
        return Ok(file);
    }
    let file = sealed("vitte-spawn", EXECUTABLE)?;
    // Another thread may have been first: then its file is used, and ours is closed.
    Ok(FILE.get_or_init(|| file))
}

/// A file in memory with `contents`, unchangeable, its descriptor moved out of the way of the child's.
pub(super) fn sealed(name: &str, contents: &[u8]) -> io::Result<OwnedFd> {
    let file = rustix::fs::memfd_create(name, MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING)?;
    let mut left = contents;
    while !left.is_empty() {
        let written = rustix::io::retry_on_intr(|| rustix::io::write(&file, left))?;
        left = left.get(written..).unwrap_or_default();
    }
    let seals = SealFlags::WRITE | SealFlags::GROW | SealFlags::SHRINK | SealFlags::SEAL;
    rustix::fs::fcntl_add_seals(&file, seals)?;
    Ok(out_of_the_way(file)?)
}
