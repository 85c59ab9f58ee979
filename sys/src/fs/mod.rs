//! Files: whole reads and atomic replacement, copies, locks, and [`Root`], a directory that no path
//! given to it can leave.
//!
//! The functions of this module take paths as the user wrote them; those of [`Root`] take paths that
//! somebody else wrote.
use std::io;
use std::path::{Path, PathBuf};

use crate::platform::handle::borrow;
use crate::platform::{Errno, NodeKind, Open, Stat, files};
use crate::{Op, SysError};

mod contents; // bytes in and out of one open file
mod copy; // copies by reflink, by the kernel, by hand
mod lock; // locks that survive another close
mod many; // thousands of small files
mod resolve; // relative paths to descriptors, never outside
mod root; // a directory and its policy
mod tree; // make and remove trees without following links

pub use contents::Durability;
pub use copy::{Copied, Method, copy};
pub use lock::{FileLock, RangeLock, Sharing};
pub use many::{Reader, Visit};
pub use root::{Entry, Links, Mounts, Policy, Root};
pub use tree::remove_tree;

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
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum FileKind {
    /// A regular file.
    File,
    /// A directory.
    Directory,
    /// A device, socket, pipe or dangling symlink.
    Other,
}

impl FileStamp {
    fn of(stat: &Stat) -> Self {
        Self {
            kind: FileKind::of(stat.kind),
            device: stat.device,
            inode: stat.inode,
            size: stat.size,
            modified_ns: stat.modified_ns,
            changed_ns: stat.changed_ns,
        }
    }
}

impl FileKind {
    fn of(kind: NodeKind) -> Self {
        match kind {
            NodeKind::File => Self::File,
            NodeKind::Directory => Self::Directory,
            NodeKind::Link | NodeKind::Other => Self::Other,
        }
    }
}

/// The stamp of what `path` names, symlinks followed. `None` when nothing is there.
///
/// # Errors
/// Those of stat(2) but `ENOENT` and `ENOTDIR`: a path below a regular file names nothing either.
pub fn stamp(path: &Path) -> Result<Option<FileStamp>, SysError> {
    match files::stat_path(path) {
        Ok(stat) => Ok(Some(FileStamp::of(&stat))),
        Err(Errno::NOENT | Errno::NOTDIR) => Ok(None),
        Err(error) => Err(SysError::new(Op::Stat, path, error)),
    }
}

/// Reads a whole regular file. Directories, devices, pipes and sockets are errors, and opening one
/// never blocks. The size that the file system reports is a hint: a file of procfs, which reports
/// zero, is read to its end, and one that lies cannot make us reserve more than there is.
///
/// # Errors
/// Those of open(2) and read(2); `EISDIR`; a refusal for other things that are not regular files.
pub fn read(path: &Path) -> Result<Vec<u8>, SysError> {
    read_at_most(path, u64::MAX)
}

/// [`read`], failing with `EFBIG` when there are more than `limit` bytes.
///
/// # Errors
/// Those of [`read`], and `EFBIG`.
pub fn read_at_most(path: &Path, limit: u64) -> Result<Vec<u8>, SysError> {
    files::open(path, Open::READ, 0)
        .map_err(io::Error::from)
        .and_then(|file| contents::read_regular(&file, limit))
        .map_err(|error| SysError::new(Op::Read, path, error))
}

/// Replaces `path` by `bytes`: a reader sees the old file or the new one, never a part. Flushed.
///
/// # Errors
/// Those of [`replace`].
pub fn write(path: &Path, bytes: &[u8]) -> Result<(), SysError> {
    replace(path, bytes, 0o644, Durability::Flushed)
}

/// Writes beside `path`, then renames over it; permission bits are `mode` less the umask. When
/// anything fails the old file is untouched and nothing is left behind. A symbolic link at `path` is
/// replaced, not followed.
///
/// # Errors
/// Those of open(2), write(2), fsync(2) and rename(2); `EISDIR` when `path` has no last name.
pub fn replace(path: &Path, bytes: &[u8], mode: u32, durability: Durability) -> Result<(), SysError> {
    let Some(name) = path.file_name() else {
        return Err(SysError::new(Op::Write, path, Errno::ISDIR));
    };
    let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    files::open(parent, contents::directory_for(durability), 0)
        .and_then(|directory| contents::replace_at(borrow(&directory), name, bytes, mode, durability))
        .map_err(|error| SysError::new(Op::Write, path, error))
}

/// Removes what processes that were killed in [`replace`] have left beside `path`. Looks at every name of
/// the directory, so do it once for each path, not before every write. A process of another PID
/// namespace counts as gone.
pub fn remove_abandoned(path: &Path) {
    contents::remove_abandoned(path);
}

/// Makes `path` and its missing parents.
pub fn create_directories(path: &Path) -> Result<(), SysError> {
    std::fs::create_dir_all(path).map_err(|error| SysError::new(Op::Create, path, error))
}

/// The absolute path without symlinks.
pub fn canonical(path: &Path) -> Result<PathBuf, SysError> {
    std::fs::canonicalize(path).map_err(|error| SysError::new(Op::Resolve, path, error))
}

/// Whether the file at `path` exists, is regular and may be executed by someone.
pub fn is_executable(path: &Path) -> bool {
    files::is_executable(path)
}

#[cfg(all(test, unix))]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use std::time::Duration;

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
        assert_eq!(error.op(), Op::Write);
        assert_eq!(std::fs::read_dir(&dir).unwrap().count(), 2, "no temporary is left");
        std::fs::remove_dir_all(dir).unwrap();
    }

    #[test]
    fn what_the_dead_left_is_removed() {
        let dir = directory("abandoned");
        // No process has that number: it is beyond what any kernel gives.
        let abandoned = [".a.4194305-0.tmp", ".a.4194305-17.tmp"];
        let kept = [".a.4194305.tmp", ".ab.4194305-0.tmp", "a", "a.4194305-0.tmp"];
        let own = format!(".a.{}-5.tmp", std::process::id());
        for name in abandoned.iter().chain(&kept).copied().chain([own.as_str()]) {
            std::fs::write(dir.join(name), "").unwrap();
        }
        remove_abandoned(&dir.join("a"));
        assert!(abandoned.iter().all(|name| !dir.join(name).exists()));
        assert!(kept.iter().copied().chain([own.as_str()]).all(|name| dir.join(name).exists()));
        std::fs::remove_dir_all(dir).unwrap();
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn the_dead_are_dead_before_they_are_asked_for() {
        let dir = directory("zombie");
        let mut child = std::process::Command::new("true").spawn().unwrap();
        let left = dir.join(format!(".a.{}-0.tmp", child.id()));
        std::fs::write(&left, "").unwrap();
        // It ends by itself, and nobody has asked how.
        let ended = (0..1000).any(|_| {
            std::thread::sleep(Duration::from_millis(10));
            remove_abandoned(&dir.join("a"));
            !left.exists()
        });
        assert!(ended);
        child.wait().unwrap();
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
        let given_away = FileLock::try_exclusive(&path).unwrap().unwrap().give_away().unwrap();
        assert!(FileLock::try_exclusive(&path).unwrap().is_none());
        drop(given_away);
        assert!(FileLock::exclusive(&path, Duration::from_secs(10)).unwrap().is_some());
        std::fs::remove_dir_all(dir).unwrap();
    }
}
