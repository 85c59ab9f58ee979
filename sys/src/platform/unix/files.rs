//! Files of every Unix. Interrupted calls are made again.
use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, PermissionsExt};
use std::path::Path;

use rustix::buffer::spare_capacity;
use rustix::fs::{AtFlags, Dir, FileType, FlockOperation, Mode, OFlags, RawMode};
use rustix::io::retry_on_intr;

use super::handle::{AsHandle, BorrowedHandle, Errno, OwnedHandle};
use crate::platform::system::files as own;
use crate::platform::{Access, Create, NodeKind, Open, Stat};

/// The flags of open(2).
pub(crate) fn flags(how: Open) -> OFlags {
    let mut flags = OFlags::CLOEXEC;
    flags |= match how.access {
        Access::Look if how.directory => own::SEARCH,
        // Non-blocking, so that a named pipe cannot hold us up; no effect on regular files.
        Access::Look | Access::Read => OFlags::RDONLY | OFlags::NONBLOCK | OFlags::NOCTTY,
        Access::Write => OFlags::WRONLY | OFlags::NONBLOCK | OFlags::NOCTTY,
        Access::ReadWrite => OFlags::RDWR | OFlags::NONBLOCK | OFlags::NOCTTY,
    };
    flags |= match how.create {
        Create::Never => OFlags::empty(),
        Create::Missing => OFlags::CREATE,
        Create::New => OFlags::CREATE | OFlags::EXCL,
    };
    if how.directory {
        flags |= OFlags::DIRECTORY;
    }
    if !how.follow {
        flags |= OFlags::NOFOLLOW;
    }
    #[cfg(any(target_os = "linux", target_os = "android"))]
    if how.quiet {
        flags |= OFlags::NOATIME;
    }
    flags
}

/// Permission bits as this system's type.
pub(crate) fn permissions(mode: u32) -> Mode {
    Mode::from_raw_mode(mode as RawMode)
}

/// Opens `path`; `mode` counts when a file is made, less the umask.
pub(crate) fn open(path: &Path, how: Open, mode: u32) -> Result<OwnedHandle, Errno> {
    retry_on_intr(|| rustix::fs::open(path, flags(how), permissions(mode))).map_err(own::open_error)
}

/// [`open`] of one name in a directory.
pub(crate) fn open_at(
    directory: BorrowedHandle<'_>,
    name: &OsStr,
    how: Open,
    mode: u32,
) -> Result<OwnedHandle, Errno> {
    retry_on_intr(|| rustix::fs::openat(directory, name, flags(how), permissions(mode)))
        .map_err(own::open_error)
}

fn kind(file_type: FileType) -> NodeKind {
    match file_type {
        FileType::RegularFile => NodeKind::File,
        FileType::Directory => NodeKind::Directory,
        FileType::Symlink => NodeKind::Link,
        _ => NodeKind::Other,
    }
}

#[allow(clippy::unnecessary_cast, reason = "the types of the fields differ between systems")]
fn known(stat: &rustix::fs::Stat) -> Stat {
    let (modified, changed) = (stat.st_mtime_nsec, stat.st_ctime_nsec);
    let nanoseconds =
        |seconds: i64, fraction: i64| i128::from(seconds) * 1_000_000_000 + i128::from(fraction);
    Stat {
        kind: kind(FileType::from_raw_mode(stat.st_mode as RawMode)),
        device: stat.st_dev as u64,
        inode: stat.st_ino as u64,
        size: u64::try_from(stat.st_size).unwrap_or(0),
        mode: stat.st_mode as u32 & 0o7777,
        modified_ns: nanoseconds(stat.st_mtime as i64, modified as i64),
        changed_ns: nanoseconds(stat.st_ctime as i64, changed as i64),
    }
}

/// What is known of an open file.
pub(crate) fn stat(file: impl AsHandle) -> Result<Stat, Errno> {
    rustix::fs::fstat(file).map(|stat| known(&stat))
}

/// What is known of what `path` names, links followed.
pub(crate) fn stat_path(path: &Path) -> Result<Stat, Errno> {
    retry_on_intr(|| rustix::fs::stat(path)).map(|stat| known(&stat))
}

/// What is known of one name in a directory: of a link itself.
pub(crate) fn stat_at(directory: BorrowedHandle<'_>, name: &OsStr) -> Result<Stat, Errno> {
    retry_on_intr(|| rustix::fs::statat(directory, name, AtFlags::SYMLINK_NOFOLLOW)).map(|stat| known(&stat))
}

/// Reads into the room that `bytes` has left, once. 0 means the end, or no room.
pub(crate) fn read(file: impl AsHandle, bytes: &mut Vec<u8>) -> Result<usize, Errno> {
    retry_on_intr(|| rustix::io::read(&file, spare_capacity(bytes)))
}

/// Reads the beginning of a file, once, wherever it stands.
pub(crate) fn read_start(file: impl AsHandle, bytes: &mut [u8]) -> Result<usize, Errno> {
    retry_on_intr(|| rustix::io::pread(&file, &mut *bytes, 0))
}

/// Writes the beginning of `bytes`, once.
pub(crate) fn write(file: impl AsHandle, bytes: &[u8]) -> Result<usize, Errno> {
    retry_on_intr(|| rustix::io::write(&file, bytes))
}

/// Writes all of `bytes` at `offset`.
pub(crate) fn write_all_at(file: &File, bytes: &[u8], offset: u64) -> io::Result<()> {
    std::os::unix::fs::FileExt::write_all_at(file, bytes, offset)
}

/// Takes a name away that is no directory. `ISDIR` or `PERM` says that it is one.
pub(crate) fn remove_file_at(directory: BorrowedHandle<'_>, name: &OsStr) -> Result<(), Errno> {
    retry_on_intr(|| rustix::fs::unlinkat(directory, name, AtFlags::empty()))
}

/// Takes an empty directory away; `NOTEMPTY` or `EXIST` when it is not.
pub(crate) fn remove_directory_at(directory: BorrowedHandle<'_>, name: &OsStr) -> Result<(), Errno> {
    retry_on_intr(|| rustix::fs::unlinkat(directory, name, AtFlags::REMOVEDIR))
}

/// Makes a directory.
pub(crate) fn make_directory_at(directory: BorrowedHandle<'_>, name: &OsStr, mode: u32) -> Result<(), Errno> {
    retry_on_intr(|| rustix::fs::mkdirat(directory, name, permissions(mode)))
}

/// Gives what `from` names the name `to`; what had it before is gone.
pub(crate) fn rename_at(
    from_directory: BorrowedHandle<'_>,
    from: &OsStr,
    to_directory: BorrowedHandle<'_>,
    to: &OsStr,
) -> Result<(), Errno> {
    retry_on_intr(|| rustix::fs::renameat(from_directory, from, to_directory, to))
}

/// Makes a symbolic link that says `target`.
pub(crate) fn make_link_at(target: &OsStr, directory: BorrowedHandle<'_>, name: &OsStr) -> Result<(), Errno> {
    retry_on_intr(|| rustix::fs::symlinkat(target, directory, name))
}

/// What a symbolic link says; `INVAL` when the name is no link.
pub(crate) fn read_link_at(directory: BorrowedHandle<'_>, name: &OsStr) -> Result<OsString, Errno> {
    let words = retry_on_intr(|| rustix::fs::readlinkat(directory, name, Vec::new()))?;
    Ok(OsString::from_vec(words.into_bytes()))
}

/// The names in a directory, without `.` and `..`, in no order.
#[derive(Debug)]
pub(crate) struct Listing(Dir);

impl Listing {
    /// Starts at the first name. `directory` stays as it is.
    pub(crate) fn of(directory: impl AsHandle) -> Result<Self, Errno> {
        Dir::read_from(directory).map(Self)
    }

    /// The next name and, if the file system says so without another call, what it is.
    pub(crate) fn next(&mut self) -> Option<Result<(OsString, Option<NodeKind>), Errno>> {
        loop {
            let entry = match self.0.read()? {
                Ok(entry) => entry,
                Err(error) => return Some(Err(error)),
            };
            let name = entry.file_name().to_bytes();
            if matches!(name, b"." | b"..") {
                continue;
            }
            let found = match entry.file_type() {
                FileType::Unknown => None,
                known => Some(kind(known)),
            };
            return Some(Ok((OsStr::from_bytes(name).to_owned(), found)));
        }
    }
}

/// Sets the permission bits.
pub(crate) fn set_mode(file: &File, mode: u32) -> io::Result<()> {
    file.set_permissions(std::fs::Permissions::from_mode(mode))
}

/// Whether somebody may execute the regular file at `path`.
pub(crate) fn is_executable(path: &Path) -> bool {
    stat_path(path).is_ok_and(|stat| stat.kind == NodeKind::File && stat.mode & 0o111 != 0)
}

/// Locks the whole of an open file against other openings of it; `false` when somebody else has it.
pub(crate) fn try_lock(file: &File) -> Result<bool, Errno> {
    match retry_on_intr(|| rustix::fs::flock(file, FlockOperation::NonBlockingLockExclusive)) {
        Ok(()) => Ok(true),
        Err(Errno::WOULDBLOCK) => Ok(false),
        Err(error) => Err(error),
    }
}

/// See [`crate::net::private_directory`].
pub(crate) fn private_directory(path: &Path) -> io::Result<()> {
    match std::fs::DirBuilder::new().mode(0o700).create(path) {
        Ok(()) => {}
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
        Err(error) => return Err(error),
    }
    // `symlink_metadata`: a link that someone planted here must not lead us elsewhere.
    let metadata = std::fs::symlink_metadata(path)?;
    let refuse = |message: &str| Err(io::Error::new(io::ErrorKind::PermissionDenied, message.to_owned()));
    if !metadata.is_dir() {
        return refuse("it exists and is not a directory");
    }
    if metadata.uid() != super::process::effective_uid() {
        return refuse("it belongs to another user");
    }
    if metadata.permissions().mode() & 0o077 != 0 {
        return refuse("other users may enter it; its mode must be 0700");
    }
    Ok(())
}
