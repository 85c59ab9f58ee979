//! Whole files: read with a bound, replace atomically, stamp, lock.
use std::fs::{File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use rustix::fs::{FlockOperation, OFlags};
use rustix::io::Errno;

use crate::SysError;

/// What stands at a path and when it last changed. Two equal stamps mean: not written in between,
/// as far as the file system can tell.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct FileStamp {
    /// Regular file, directory, or something else.
    pub kind: FileKind,
    /// Device number.
    pub device: u64,
    /// Inode number.
    pub inode: u64,
    /// Bytes.
    pub size: u64,
    /// Last change of the contents, nanoseconds since 1970.
    pub modified_ns: i128,
    /// Last change of contents or metadata, nanoseconds since 1970. Catches writers that reset the
    /// modification time.
    pub changed_ns: i128,
}

/// What kind of thing stands at a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum FileKind {
    /// A regular file.
    File,
    /// A directory.
    Directory,
    /// A device, socket, pipe or dangling symlink.
    Other,
}

impl FileStamp {
    fn of(metadata: &std::fs::Metadata) -> Self {
        let kind = if metadata.is_file() {
            FileKind::File
        } else if metadata.is_dir() {
            FileKind::Directory
        } else {
            FileKind::Other
        };
        let nanoseconds =
            |seconds: i64, fraction: i64| i128::from(seconds) * 1_000_000_000 + i128::from(fraction);
        Self {
            kind,
            device: metadata.dev(),
            inode: metadata.ino(),
            size: metadata.size(),
            modified_ns: nanoseconds(metadata.mtime(), metadata.mtime_nsec()),
            changed_ns: nanoseconds(metadata.ctime(), metadata.ctime_nsec()),
        }
    }
}

/// The stamp of what `path` names, symlinks followed. `None` when nothing is there.
pub fn stamp(path: &Path) -> Result<Option<FileStamp>, SysError> {
    match std::fs::metadata(path) {
        Ok(metadata) => Ok(Some(FileStamp::of(&metadata))),
        // A path below a regular file names nothing either.
        Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => {
            Ok(None)
        }
        Err(error) => Err(SysError::new("stat", path, error)),
    }
}

/// Reads a whole regular file. Directories, devices, pipes and sockets are errors, and opening one
/// never blocks.
pub fn read(path: &Path) -> Result<Vec<u8>, SysError> {
    read_at_most(path, u64::MAX)
}

/// [`read`], failing with `FileTooLarge` when there are more than `limit` bytes.
pub fn read_at_most(path: &Path, limit: u64) -> Result<Vec<u8>, SysError> {
    let fail = |error: io::Error| SysError::new("read", path, error);
    let file = OpenOptions::new()
        .read(true)
        .custom_flags((OFlags::NONBLOCK | OFlags::CLOEXEC | OFlags::NOCTTY).bits() as i32)
        .open(path)
        .map_err(fail)?;
    let metadata = file.metadata().map_err(fail)?;
    if metadata.is_dir() {
        return Err(fail(Errno::ISDIR.into()));
    }
    if !metadata.is_file() {
        return Err(fail(io::Error::new(io::ErrorKind::InvalidInput, "not a regular file")));
    }
    if metadata.len() > limit {
        return Err(fail(Errno::FBIG.into()));
    }
    let mut bytes = Vec::with_capacity(usize::try_from(metadata.len()).unwrap_or(0));
    file.take(limit.saturating_add(1)).read_to_end(&mut bytes).map_err(fail)?;
    if bytes.len() as u64 > limit {
        return Err(fail(Errno::FBIG.into()));
    }
    Ok(bytes)
}

/// How much a crash of the machine may lose.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Durability {
    /// Nothing that was acknowledged: file and directory are flushed. For state.
    Flushed,
    /// The last writes. A crash of the process alone loses nothing. For what can be made again.
    Cached,
}

/// Replaces `path` by `bytes`: a reader sees the old file or the new one, never a part. Flushed.
pub fn write(path: &Path, bytes: &[u8]) -> Result<(), SysError> {
    replace(path, bytes, 0o644, Durability::Flushed)
}

/// Writes beside `path`, then renames over it; permission bits are `mode` less the umask. When
/// anything fails the old file is untouched and nothing is left behind.
pub fn replace(path: &Path, bytes: &[u8], mode: u32, durability: Durability) -> Result<(), SysError> {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    let Some(name) = path.file_name() else {
        return Err(SysError::new("write", path, Errno::ISDIR));
    };
    let mut beside = std::ffi::OsString::from(".");
    // Long names keep room for the suffix: 255 bytes is the limit of every common file system.
    beside.push(name.to_string_lossy().chars().take(40).collect::<String>());
    beside.push(format!(".{}-{}.tmp", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed)));
    let temporary = path.with_file_name(beside);
    let result = write_new(&temporary, bytes, mode, durability)
        .and_then(|()| std::fs::rename(&temporary, path))
        .and_then(|()| match durability {
            Durability::Flushed => sync_parent(path),
            Durability::Cached => Ok(()),
        });
    result.map_err(|error| {
        // The temporary may not exist; the first error is the one that matters.
        let _ = std::fs::remove_file(&temporary);
        SysError::new("write", path, error)
    })
}

fn write_new(path: &Path, bytes: &[u8], mode: u32, durability: Durability) -> io::Result<()> {
    let mut file = OpenOptions::new().write(true).create_new(true).mode(mode).open(path)?;
    file.write_all(bytes)?;
    match durability {
        Durability::Flushed => file.sync_all(),
        Durability::Cached => Ok(()),
    }
}

fn sync_parent(path: &Path) -> io::Result<()> {
    let parent = path.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
    File::open(parent)?.sync_all()
}

/// Makes `path` and its missing parents.
pub fn create_directories(path: &Path) -> Result<(), SysError> {
    std::fs::create_dir_all(path).map_err(|error| SysError::new("create", path, error))
}

/// The absolute path without symlinks.
pub fn canonical(path: &Path) -> Result<PathBuf, SysError> {
    std::fs::canonicalize(path).map_err(|error| SysError::new("resolve", path, error))
}

/// Whether the file at `path` exists, is regular and may be executed by someone.
pub fn is_executable(path: &Path) -> bool {
    std::fs::metadata(path).is_ok_and(|m| m.is_file() && m.permissions().mode() & 0o111 != 0)
}

/// An advisory lock on a file (`flock`), released on drop and by the kernel when the process dies.
/// The file itself stays.
#[derive(Debug)]
pub struct FileLock {
    file: File,
    path: PathBuf,
}

impl FileLock {
    /// Takes the lock or answers `None` when someone else holds it. Makes the file, mode 0600.
    pub fn try_exclusive(path: &Path) -> Result<Option<Self>, SysError> {
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .open(path)
            .map_err(|error| SysError::new("open", path, error))?;
        match rustix::fs::flock(&file, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => Ok(Some(Self { file, path: path.to_path_buf() })),
            Err(Errno::WOULDBLOCK) => Ok(None),
            Err(error) => Err(SysError::new("lock", path, error)),
        }
    }

    /// Waits for the lock up to `timeout`; `None` when it is still held then.
    pub fn exclusive(path: &Path, timeout: Duration) -> Result<Option<Self>, SysError> {
        let deadline = Instant::now() + timeout;
        let mut pause = Duration::from_millis(1);
        loop {
            if let Some(lock) = Self::try_exclusive(path)? {
                return Ok(Some(lock));
            }
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Ok(None);
            }
            std::thread::sleep(pause.min(left));
            pause = (pause * 2).min(Duration::from_millis(50));
        }
    }

    /// Where the lock file is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The open file, for a note about who holds the lock.
    pub fn file(&self) -> &File {
        &self.file
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn directory(name: &str) -> PathBuf {
        let path = std::env::temp_dir().join(format!("vitte-sys-{}-{name}", std::process::id()));
        let _ = std::fs::remove_dir_all(&path);
        std::fs::create_dir_all(&path).unwrap();
        path
    }

    #[test]
    fn replace_is_all_or_nothing() {
        let dir = directory("replace");
        let file = dir.join("a");
        write(&file, b"one").unwrap();
        replace(&file, b"two", 0o755, Durability::Cached).unwrap();
        assert_eq!(read(&file).unwrap(), b"two");
        assert!(is_executable(&file));
        std::fs::create_dir(dir.join("d")).unwrap();
        let error = write(&dir.join("d"), b"x").unwrap_err();
        assert_eq!(error.operation, "write");
        assert_eq!(std::fs::read_dir(&dir).unwrap().count(), 2, "no temporary is left");
        std::fs::remove_dir_all(dir).unwrap();
    }

    #[test]
    fn only_regular_files_are_read() {
        let dir = directory("read");
        assert_eq!(read(&dir).unwrap_err().errno(), Some(Errno::ISDIR.raw_os_error()));
        assert_eq!(read(&dir.join("none")).unwrap_err().kind(), io::ErrorKind::NotFound);
        assert!(read(Path::new("/dev/zero")).is_err());
        write(&dir.join("f"), b"12345").unwrap();
        assert!(read_at_most(&dir.join("f"), 4).is_err());
        assert_eq!(read_at_most(&dir.join("f"), 5).unwrap(), b"12345");
        assert_eq!(stamp(&dir.join("f/below")).unwrap(), None);
        std::fs::remove_dir_all(dir).unwrap();
    }

    #[test]
    fn a_lock_is_held_once() {
        let dir = directory("lock");
        let path = dir.join("lock");
        let held = FileLock::try_exclusive(&path).unwrap();
        assert!(held.is_some());
        assert!(FileLock::exclusive(&path, Duration::from_millis(20)).unwrap().is_none());
        drop(held);
        assert!(FileLock::try_exclusive(&path).unwrap().is_some());
        std::fs::remove_dir_all(dir).unwrap();
    }
}
