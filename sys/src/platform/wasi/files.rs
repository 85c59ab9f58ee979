//! Files.
use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io;
use std::path::Path;

use super::handle::{AsHandle, BorrowedHandle, Errno, OwnedHandle};
use crate::platform::{NodeKind, Open, Stat};

/// Whether everything mounted below a directory has another device number.
pub(crate) const MOUNTS_HAVE_DEVICES: bool = false;

/// Opens `path`; `mode` counts when a file is made.
pub(crate) fn open(_path: &Path, _how: Open, _mode: u32) -> Result<OwnedHandle, Errno> {
    Err(Errno::OPNOTSUPP)
}

/// [`open`] of one name in a directory; `.` is the directory itself.
pub(crate) fn open_at(
    _directory: BorrowedHandle<'_>,
    _name: &OsStr,
    _how: Open,
    _mode: u32,
) -> Result<OwnedHandle, Errno> {
    Err(Errno::OPNOTSUPP)
}

/// Opens `path` below `directory` in one call of the kernel, which never leaves it; `None` when the
/// kernel cannot. `links` and `mounts` say whether they may be passed.
pub(crate) fn open_beneath(
    _directory: BorrowedHandle<'_>,
    _path: &Path,
    _how: Open,
    _mode: u32,
    _links: bool,
    _mounts: bool,
) -> Option<Result<OwnedHandle, Errno>> {
    None
}

/// [`open_beneath`] for what is known of `path`.
pub(crate) fn stat_beneath(
    _directory: BorrowedHandle<'_>,
    _path: &Path,
    _links: bool,
    _mounts: bool,
) -> Option<Result<Stat, Errno>> {
    None
}

/// What is known of an open file.
pub(crate) fn stat(_file: impl AsHandle) -> Result<Stat, Errno> {
    Err(Errno::OPNOTSUPP)
}

/// What is known of what `path` names, links followed.
pub(crate) fn stat_path(_path: &Path) -> Result<Stat, Errno> {
    Err(Errno::OPNOTSUPP)
}

/// What is known of one name in a directory: of a link itself.
pub(crate) fn stat_at(_directory: BorrowedHandle<'_>, _name: &OsStr) -> Result<Stat, Errno> {
    Err(Errno::OPNOTSUPP)
}

/// Reads into the room that `bytes` has left, once. 0 means the end, or no room.
pub(crate) fn read(_file: impl AsHandle, _bytes: &mut Vec<u8>) -> Result<usize, Errno> {
    Err(Errno::OPNOTSUPP)
}

/// Reads from the beginning of a file what is in memory; `AGAIN` when nothing is.
pub(crate) fn read_cached(_file: impl AsHandle, _bytes: &mut [u8]) -> Result<usize, Errno> {
    Err(Errno::OPNOTSUPP)
}

/// Reads the beginning of a file, once, wherever it stands.
pub(crate) fn read_start(_file: impl AsHandle, _bytes: &mut [u8]) -> Result<usize, Errno> {
    Err(Errno::OPNOTSUPP)
}

/// Writes the beginning of `bytes`, once.
pub(crate) fn write(_file: impl AsHandle, _bytes: &[u8]) -> Result<usize, Errno> {
    Err(Errno::OPNOTSUPP)
}

/// Writes all of `bytes` at `offset`.
pub(crate) fn write_all_at(_file: &File, _bytes: &[u8], _offset: u64) -> io::Result<()> {
    Err(Errno::OPNOTSUPP.into())
}

/// Takes a name away that is no directory. `ISDIR` or `PERM` says that it is one.
pub(crate) fn remove_file_at(_directory: BorrowedHandle<'_>, _name: &OsStr) -> Result<(), Errno> {
    Err(Errno::OPNOTSUPP)
}

/// Takes an empty directory away; `NOTEMPTY` or `EXIST` when it is not.
pub(crate) fn remove_directory_at(_directory: BorrowedHandle<'_>, _name: &OsStr) -> Result<(), Errno> {
    Err(Errno::OPNOTSUPP)
}

/// Makes a directory.
pub(crate) fn make_directory_at(
    _directory: BorrowedHandle<'_>,
    _name: &OsStr,
    _mode: u32,
) -> Result<(), Errno> {
    Err(Errno::OPNOTSUPP)
}

/// Gives what `from` names the name `to`; what had it before is gone.
pub(crate) fn rename_at(
    _from_directory: BorrowedHandle<'_>,
    _from: &OsStr,
    _to_directory: BorrowedHandle<'_>,
    _to: &OsStr,
) -> Result<(), Errno> {
    Err(Errno::OPNOTSUPP)
}

/// Exchanges what two names of a directory name; `INVAL`, `NOSYS` or `OPNOTSUPP` where that cannot be done.
pub(crate) fn swap_at(_: BorrowedHandle<'_>, _: &OsStr, _: &OsStr) -> Result<(), Errno> {
    Err(Errno::OPNOTSUPP)
}

/// [`rename_at`], but `to` must not be there (`EXIST`).
pub(crate) fn rename_new_at(
    _from_directory: BorrowedHandle<'_>,
    _from: &OsStr,
    _to_directory: BorrowedHandle<'_>,
    _to: &OsStr,
) -> Result<(), Errno> {
    Err(Errno::OPNOTSUPP)
}

/// Makes a symbolic link that says `target`.
pub(crate) fn make_link_at(
    _target: &OsStr,
    _directory: BorrowedHandle<'_>,
    _name: &OsStr,
) -> Result<(), Errno> {
    Err(Errno::OPNOTSUPP)
}

/// What a symbolic link says; `INVAL` when the name is no link.
pub(crate) fn read_link_at(_directory: BorrowedHandle<'_>, _name: &OsStr) -> Result<OsString, Errno> {
    Err(Errno::OPNOTSUPP)
}

/// The names in a directory, without `.` and `..`, in no order.
#[derive(Debug)]
pub(crate) struct Listing(std::convert::Infallible);

impl Listing {
    /// Starts at the first name. `directory` stays as it is.
    pub(crate) fn of(_directory: impl AsHandle) -> Result<Self, Errno> {
        Err(Errno::OPNOTSUPP)
    }

    /// The next name and, if the file system says so without another call, what it is.
    pub(crate) fn next(&mut self) -> Option<Result<(OsString, Option<NodeKind>), Errno>> {
        match self.0 {}
    }
}

/// Waits until the contents of a file are on its device.
pub(crate) fn flush(_file: impl AsHandle) -> Result<(), Errno> {
    Err(Errno::OPNOTSUPP)
}

/// Waits until the names of a directory, opened to be read, are on its device.
pub(crate) fn flush_directory(_directory: impl AsHandle) -> Result<(), Errno> {
    Err(Errno::OPNOTSUPP)
}

/// Asks for the contents of a file, which will be read soon.
pub(crate) fn will_need(_file: impl AsHandle) {}

/// Lets the empty file `target` share the blocks of `source`.
pub(crate) fn share_blocks(_source: &File, _target: &File) -> Result<(), Errno> {
    Err(Errno::OPNOTSUPP)
}

/// Copies some bytes from where `source` stands to where `target` stands, inside the kernel; 0 at the
/// end. `None` when it cannot.
pub(crate) fn copy_some(_source: &File, _target: &File) -> Option<Result<usize, Errno>> {
    None
}

/// Sets the permission bits.
pub(crate) fn set_mode(_file: &File, _mode: u32) -> io::Result<()> {
    Err(Errno::OPNOTSUPP.into())
}

/// Whether somebody may execute the regular file at `path`.
pub(crate) fn is_executable(_path: &Path) -> bool {
    false
}

/// Locks the whole of an open file against other openings of it; `false` when somebody else has it.
pub(crate) fn try_lock(_file: &File) -> Result<bool, Errno> {
    Err(Errno::OPNOTSUPP)
}

/// Locks `length` bytes from `start` on, or all from there for 0, for this opening of the file;
/// `false` when somebody else has a lock in the way.
pub(crate) fn try_lock_range(_file: &File, _start: i64, _length: i64, _alone: bool) -> Result<bool, Errno> {
    Err(Errno::OPNOTSUPP)
}

/// Frees what [`try_lock_range`] took.
pub(crate) fn unlock_range(_file: &File, _start: i64, _length: i64) {}

/// Makes a directory that is closed to all other users, or checks that it is one of ours.
pub(crate) fn private_directory(_path: &Path) -> io::Result<()> {
    Err(Errno::OPNOTSUPP.into())
}
