//! Bytes in and out of one open file, and the replacement of one name in an open directory.
use std::ffi::{OsStr, OsString};
use std::io;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::platform::handle::{AsHandle, BorrowedHandle};
use crate::platform::{self, Errno, NodeKind, Open, Stat, files};

/// How much a crash of the machine may lose.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Durability {
    /// Nothing that was acknowledged: file and directory are flushed. For state.
    Flushed,
    /// The new name, but never the bytes under it: the file is flushed, the directory is not. For what
    /// must be whole if it is there.
    Whole,
    /// The last writes. A crash of the process alone loses nothing. For what can be made again.
    Cached,
}

/// Reserved before the first byte is seen, at most: a size is a hint that may lie.
const TRUSTED_SIZE: u64 = 64 << 20;

/// Reserved for files that report no size.
const UNKNOWN_SIZE: usize = 8 << 10;

/// Reads all of a regular file; `EFBIG` when it has more than `limit` bytes.
pub(super) fn read_regular(file: impl AsHandle, limit: u64) -> io::Result<Vec<u8>> {
    let stat = files::stat(&file)?;
    regular(&stat)?;
    let mut bytes = Vec::new();
    read_into(file, stat.size, limit, &mut bytes)?;
    Ok(bytes)
}

/// Refuses what is not a regular file.
pub(super) fn regular(stat: &Stat) -> io::Result<()> {
    match stat.kind {
        NodeKind::File => Ok(()),
        NodeKind::Directory => Err(Errno::ISDIR.into()),
        NodeKind::Link | NodeKind::Other => {
            Err(io::Error::new(io::ErrorKind::InvalidInput, "not a regular file"))
        }
    }
}

/// Appends what is left of `file`, which reports `size` bytes, to `bytes`.
pub(super) fn read_into(
    file: impl AsHandle,
    size: u64,
    limit: u64,
    bytes: &mut Vec<u8>,
) -> Result<(), Errno> {
    if size > limit {
        return Err(Errno::FBIG);
    }
    let start = bytes.len();
    let first = match usize::try_from(size.min(TRUSTED_SIZE)) {
        Ok(0) | Err(_) => UNKNOWN_SIZE,
        // One more than there is: then the first read also sees the end.
        Ok(size) => size + 1,
    };
    reserve(bytes, first)?;
    loop {
        let asked = bytes.capacity() - bytes.len();
        let count = files::read(&file, bytes)?;
        let read = (bytes.len() - start) as u64;
        if read > limit {
            return Err(Errno::FBIG);
        }
        // The size and a short read agree, or the end has been seen.
        if count == 0 || (count < asked && read == size) {
            return Ok(());
        }
        if bytes.len() == bytes.capacity() {
            let more = bytes.len().max(UNKNOWN_SIZE);
            reserve(bytes, more)?;
        }
    }
}

fn reserve(bytes: &mut Vec<u8>, more: usize) -> Result<(), Errno> {
    bytes.try_reserve(more).map_err(|_| Errno::NOMEM)
}

/// Writes all of `bytes`.
pub(super) fn write_all(file: impl AsHandle, mut bytes: &[u8]) -> Result<(), Errno> {
    while !bytes.is_empty() {
        let count = files::write(&file, bytes)?;
        if count == 0 {
            // POSIX allows it; trying for ever would hang.
            return Err(Errno::IO);
        }
        bytes = bytes.get(count..).unwrap_or_default();
    }
    Ok(())
}

/// How the directory must be open for [`replace_at`]: to be flushed it must be readable.
pub(super) fn directory_for(durability: Durability) -> Open {
    match durability {
        Durability::Flushed => Open::LIST,
        Durability::Whole | Durability::Cached => Open::DIRECTORY,
    }
}

/// Puts a file with `bytes` in the place of `name`, which is one component.
pub(super) fn replace_at(
    directory: BorrowedHandle<'_>,
    name: &OsStr,
    bytes: &[u8],
    mode: u32,
    durability: Durability,
) -> Result<(), Errno> {
    let temporary = temporary_name(name);
    let result = write_new(directory, &temporary, bytes, mode, durability).and_then(|()| match durability {
        Durability::Cached => put_in_place(directory, &temporary, name),
        Durability::Flushed | Durability::Whole => files::rename_at(directory, &temporary, directory, name),
    });
    if let Err(error) = result {
        // The temporary may not exist; the first error is the one that matters. After EEXIST it is
        // somebody else's.
        if error != Errno::EXIST {
            let _ = files::remove_file_at(directory, &temporary);
        }
        return Err(error);
    }
    match durability {
        Durability::Flushed => files::flush_directory(directory),
        Durability::Whole | Durability::Cached => Ok(()),
    }
}

/// Renames a file that need not survive a crash of the machine. File systems begin to write a file out when
/// it takes the place of another by rename(2), against just such crashes, and that can take longer than
/// all the rest (ext4(5), `auto_da_alloc`); so the two change places, and the old one goes.
fn put_in_place(directory: BorrowedHandle<'_>, temporary: &OsStr, name: &OsStr) -> Result<(), Errno> {
    // In the place of anything but a file, rename(2) knows what is right.
    let is_file = files::stat_at(directory, name).is_ok_and(|old| old.kind == NodeKind::File);
    if !is_file || files::swap_at(directory, temporary, name).is_err() {
        return files::rename_at(directory, temporary, directory, name);
    }
    match files::remove_file_at(directory, temporary) {
        Ok(()) => Ok(()),
        // What stood there became something else in between, or may not be removed: as if nothing had been.
        Err(error) => {
            files::swap_at(directory, temporary, name)?;
            Err(error)
        }
    }
}

/// A name beside `name` that nobody else of this machine takes.
pub(super) fn temporary_name(name: &OsStr) -> OsString {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    let mut beside = temporary_prefix(name);
    beside.push(format!("{}-{}.tmp", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed)));
    beside
}

fn temporary_prefix(name: &OsStr) -> OsString {
    let mut beside = OsString::from(".");
    // Long names keep room for the suffix: 255 bytes is the limit of every common file system.
    beside.push(name.to_string_lossy().chars().take(40).collect::<String>());
    beside.push(".");
    beside
}

/// The process that made the temporary file `name` for `target`; `None` when it is no such file.
fn owner_of(name: &OsStr, target: &OsStr) -> Option<u32> {
    let beside = temporary_prefix(target);
    let rest = name.to_str()?.strip_prefix(beside.to_str()?)?.strip_suffix(".tmp")?;
    let (process, number) = rest.split_once('-')?;
    number.parse::<u64>().ok()?;
    process.parse().ok()
}

/// Removes what processes that are gone had begun to write in the place of `path`. What cannot be
/// removed stays.
pub(super) fn remove_abandoned(path: &Path) {
    let (Some(name), Some(parent)) = (path.file_name(), path.parent()) else { return };
    let Ok(entries) = std::fs::read_dir(parent) else { return };
    for entry in entries.flatten() {
        if owner_of(&entry.file_name(), name).is_some_and(|process| !platform::process::is_alive(process)) {
            let _ = std::fs::remove_file(entry.path());
        }
    }
}

fn write_new(
    directory: BorrowedHandle<'_>,
    name: &OsStr,
    bytes: &[u8],
    mode: u32,
    durability: Durability,
) -> Result<(), Errno> {
    let file = files::open_at(directory, name, Open::NEW, mode)?;
    write_all(&file, bytes)?;
    match durability {
        Durability::Flushed | Durability::Whole => files::flush(&file),
        Durability::Cached => Ok(()),
    }
}
