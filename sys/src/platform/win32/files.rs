//! Files. Names are relative to open directories (NtCreateFile), as openat(2) has it elsewhere, and a
//! reparse point, be it a symbolic link, a junction or anything else, is never passed unless a function
//! says that it follows links.
use std::ffi::{OsStr, OsString};
use std::fs::{File, OpenOptions};
use std::io;
use std::os::windows::ffi::{OsStrExt, OsStringExt};
use std::os::windows::fs::{FileExt, OpenOptionsExt};
use std::path::Path;
use std::time::Duration;

use windows_sys::Wdk::Storage::FileSystem::{
    FILE_CREATE, FILE_DIRECTORY_FILE, FILE_NON_DIRECTORY_FILE, FILE_OPEN, FILE_OPEN_IF,
    FILE_OPEN_REPARSE_POINT, FILE_SYNCHRONOUS_IO_NONALERT, FILE_WRITE_THROUGH,
};
use windows_sys::Win32::Storage::FileSystem::{
    DELETE, FILE_ADD_FILE, FILE_ATTRIBUTE_DIRECTORY, FILE_ATTRIBUTE_NORMAL, FILE_ATTRIBUTE_READONLY,
    FILE_ATTRIBUTE_REPARSE_POINT, FILE_BASIC_INFO, FILE_FLAG_BACKUP_SEMANTICS, FILE_FLAG_OPEN_REPARSE_POINT,
    FILE_GENERIC_READ, FILE_GENERIC_WRITE, FILE_LIST_DIRECTORY, FILE_READ_ATTRIBUTES, FILE_TRAVERSE,
    FILE_WRITE_ATTRIBUTES, SYNCHRONIZE, WRITE_DAC,
};

use super::handle::{AsHandle, BorrowedHandle, Errno, OwnedHandle, code};
use super::reparse;
use crate::ffi::win32::files::{self as native, Native, Replace};
use crate::ffi::win32::security;
use crate::platform::{Access, Create, NodeKind, Open, Stat};

/// Whether everything mounted below a directory has another device number. A volume is mounted by a
/// junction, which is not passed in the first place, and has a serial number of its own.
pub(crate) const MOUNTS_HAVE_DEVICES: bool = true;

/// Directories are opened so that names in them can be looked up and listed.
const DIRECTORY: u32 = FILE_LIST_DIRECTORY | FILE_TRAVERSE | FILE_READ_ATTRIBUTES | SYNCHRONIZE;

fn access(how: Open) -> u32 {
    match how.access {
        Access::Look | Access::Read if how.directory => DIRECTORY,
        Access::Look => FILE_READ_ATTRIBUTES | SYNCHRONIZE,
        Access::Read => FILE_GENERIC_READ,
        Access::Write => FILE_GENERIC_WRITE | FILE_READ_ATTRIBUTES,
        Access::ReadWrite => FILE_GENERIC_READ | FILE_GENERIC_WRITE,
    }
}

/// Opens `path`. Windows has no permission bits, so that `mode` counts for nothing: what is made has the
/// access list of its directory.
pub(crate) fn open(path: &Path, how: Open, _mode: u32) -> Result<OwnedHandle, Errno> {
    let mut flags = FILE_FLAG_BACKUP_SEMANTICS;
    if !how.follow {
        flags |= FILE_FLAG_OPEN_REPARSE_POINT;
    }
    let writes = matches!(how.access, Access::Write | Access::ReadWrite);
    let mut options = OpenOptions::new();
    // `write` is for the standard library, which refuses to create without; the mask is what counts.
    options.access_mode(access(how)).custom_flags(flags).read(true).write(writes);
    match how.create {
        Create::Never => {}
        Create::Missing => drop(options.create(true)),
        Create::New => drop(options.create_new(true)),
    }
    let file = options.open(path).map_err(|error| code(&error))?;
    checked(file.into(), how)
}

/// Refuses what `how` does not want.
fn checked(file: OwnedHandle, how: Open) -> Result<OwnedHandle, Errno> {
    if !native::is_on_disk(&file) {
        return if how.directory { Err(Errno::NOTDIR) } else { Ok(file) };
    }
    let (attributes, _) = native::attributes_and_tag(&file)?;
    if !how.follow && attributes & FILE_ATTRIBUTE_REPARSE_POINT != 0 {
        return Err(Errno::LOOP);
    }
    let is_directory = attributes & FILE_ATTRIBUTE_DIRECTORY != 0;
    if how.directory && !is_directory {
        return Err(Errno::NOTDIR);
    }
    if is_directory && matches!(how.access, Access::Write | Access::ReadWrite) {
        return Err(Errno::ISDIR);
    }
    Ok(file)
}

/// `name` as the native calls take it: one component that Windows programs can use too. A separator
/// would lead elsewhere, a colon to another stream, and names that end with a dot or a space or stand
/// for devices could be made but never opened by others.
fn component(name: &OsStr) -> Result<Vec<u16>, Errno> {
    let units: Vec<u16> = name.encode_wide().collect();
    let forbidden =
        |unit: &u16| *unit < 32 || u8::try_from(*unit).is_ok_and(|byte| b"<>:\"/\\|?*".contains(&byte));
    let ends_badly = units.last().is_none_or(|last| [u16::from(b'.'), u16::from(b' ')].contains(last));
    if units.iter().any(forbidden) || ends_badly || is_device(name) {
        return Err(Errno::NAME);
    }
    Ok(units)
}

/// Whether Win32 takes the name, with or without an extension, for a device.
fn is_device(name: &OsStr) -> bool {
    const DEVICES: [&str; 6] = ["CON", "PRN", "AUX", "NUL", "CONIN$", "CONOUT$"];
    let name = name.to_string_lossy();
    let stem = name.split('.').next().unwrap_or_default().trim_end_matches(' ');
    let numbered = |prefix: &str| {
        stem.len() >= 4
            && stem.get(..3).is_some_and(|start| start.eq_ignore_ascii_case(prefix))
            && stem.get(3..).is_some_and(|rest| {
                let mut rest = rest.chars();
                let digit = rest.next().is_some_and(|digit| "123456789¹²³".contains(digit));
                digit && rest.next().is_none()
            })
    };
    DEVICES.iter().any(|device| stem.eq_ignore_ascii_case(device)) || numbered("COM") || numbered("LPT")
}

/// Opens `name` in `directory`: the thing itself, whatever it is.
fn open_itself(
    directory: BorrowedHandle<'_>,
    name: &OsStr,
    access: u32,
    disposition: u32,
    options: u32,
) -> Result<OwnedHandle, Errno> {
    let how = Native {
        access: access | SYNCHRONIZE,
        disposition,
        options: options | FILE_OPEN_REPARSE_POINT | FILE_SYNCHRONOUS_IO_NONALERT,
        attributes: FILE_ATTRIBUTE_NORMAL,
    };
    native::open_relative(directory, &component(name)?, how)
}

/// [`open`] of one name in a directory; `.` is the directory itself. No link is followed, as nobody asks
/// for that here.
pub(crate) fn open_at(
    directory: BorrowedHandle<'_>,
    name: &OsStr,
    how: Open,
    _mode: u32,
) -> Result<OwnedHandle, Errno> {
    if name == "." {
        return match how.directory {
            // Directories are all opened with the same rights.
            true => directory.try_clone_to_owned().map_err(|error| code(&error)),
            false if how.access == Access::Look => {
                directory.try_clone_to_owned().map_err(|error| code(&error))
            }
            false => Err(Errno::ISDIR),
        };
    }
    let disposition = match how.create {
        Create::Never => FILE_OPEN,
        Create::Missing => FILE_OPEN_IF,
        Create::New => FILE_CREATE,
    };
    let options = if how.create == Create::Never { 0 } else { FILE_NON_DIRECTORY_FILE };
    let file = open_itself(directory, name, access(how), disposition, options);
    let file = match file {
        // What the native interface says of a directory that is to be written, and of much else.
        Err(Errno::ACCESS) if how.access != Access::Look && is_directory(directory, name) => {
            return Err(Errno::ISDIR);
        }
        file => file?,
    };
    checked(file, Open { follow: false, ..how })
}

/// Opens an open directory once more, whatever its name is by now.
fn open_again(directory: BorrowedHandle<'_>, access: u32) -> Result<OwnedHandle, Errno> {
    let options = FILE_DIRECTORY_FILE | FILE_SYNCHRONOUS_IO_NONALERT;
    let how = Native { access, disposition: FILE_OPEN, options, attributes: 0 };
    native::open_relative(directory, &[], how)
}

fn is_directory(directory: BorrowedHandle<'_>, name: &OsStr) -> bool {
    stat_at(directory, name).is_ok_and(|stat| stat.kind == NodeKind::Directory)
}

/// Windows has no such call: paths are walked.
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

/// See [`open_beneath`].
pub(crate) fn stat_beneath(
    _directory: BorrowedHandle<'_>,
    _path: &Path,
    _links: bool,
    _mounts: bool,
) -> Option<Result<Stat, Errno>> {
    None
}

/// Nanoseconds since 1970 of a time in units of 100 ns since 1601.
fn nanoseconds(time: i64) -> i128 {
    const TO_1970: i128 = 116_444_736_000_000_000;
    (i128::from(time) - TO_1970) * 100
}

/// What is known of an open file.
pub(crate) fn stat(file: impl AsHandle) -> Result<Stat, Errno> {
    if !native::is_on_disk(&file) {
        return Ok(Stat {
            kind: NodeKind::Other,
            device: 0,
            inode: 0,
            size: 0,
            mode: 0o777,
            modified_ns: 0,
            changed_ns: 0,
        });
    }
    let known = native::information(&file)?;
    let times = native::basic(&file)?;
    let kind = if known.dwFileAttributes & FILE_ATTRIBUTE_REPARSE_POINT != 0 {
        NodeKind::Link
    } else if known.dwFileAttributes & FILE_ATTRIBUTE_DIRECTORY != 0 {
        NodeKind::Directory
    } else {
        NodeKind::File
    };
    let long = |high: u32, low: u32| u64::from(high) << 32 | u64::from(low);
    Ok(Stat {
        kind,
        device: u64::from(known.dwVolumeSerialNumber),
        inode: long(known.nFileIndexHigh, known.nFileIndexLow),
        size: long(known.nFileSizeHigh, known.nFileSizeLow),
        mode: if known.dwFileAttributes & FILE_ATTRIBUTE_READONLY != 0 { 0o555 } else { 0o777 },
        modified_ns: nanoseconds(times.LastWriteTime),
        changed_ns: nanoseconds(times.ChangeTime),
    })
}

/// What is known of what `path` names, links followed.
pub(crate) fn stat_path(path: &Path) -> Result<Stat, Errno> {
    let how =
        Open { access: Access::Look, create: Create::Never, directory: false, follow: true, quiet: false };
    stat(open(path, how, 0)?)
}

/// What is known of one name in a directory: of a link itself.
pub(crate) fn stat_at(directory: BorrowedHandle<'_>, name: &OsStr) -> Result<Stat, Errno> {
    stat(open_itself(directory, name, FILE_READ_ATTRIBUTES, FILE_OPEN, 0)?)
}

/// Reads into the room that `bytes` has left, once. 0 means the end, or no room.
pub(crate) fn read(file: impl AsHandle, bytes: &mut Vec<u8>) -> Result<usize, Errno> {
    native::read(file, bytes)
}

/// Windows does not tell what is in memory.
pub(crate) fn read_cached(_file: impl AsHandle, _bytes: &mut [u8]) -> Result<usize, Errno> {
    Err(Errno::OPNOTSUPP)
}

/// Reads the beginning of a file, once, wherever it stands.
pub(crate) fn read_start(_file: impl AsHandle, _bytes: &mut [u8]) -> Result<usize, Errno> {
    Err(Errno::OPNOTSUPP)
}

/// Writes the beginning of `bytes`, once.
pub(crate) fn write(file: impl AsHandle, bytes: &[u8]) -> Result<usize, Errno> {
    native::write(file, bytes)
}

/// Writes all of `bytes` at `offset`.
pub(crate) fn write_all_at(file: &File, mut bytes: &[u8], mut offset: u64) -> io::Result<()> {
    while !bytes.is_empty() {
        let count = file.seek_write(bytes, offset)?;
        if count == 0 {
            return Err(io::ErrorKind::WriteZero.into());
        }
        bytes = bytes.get(count..).unwrap_or_default();
        offset += count as u64;
    }
    Ok(())
}

/// Whether an error says that the file system, or the release of Windows, does not know the newer class
/// of a call.
fn is_too_new(error: Errno) -> bool {
    [Errno::INVAL, Errno::OPNOTSUPP, Errno::NOSYS].contains(&error)
}

/// Removes what is open, which is no directory with entries.
fn remove_open(file: &OwnedHandle) -> Result<(), Errno> {
    match native::remove(file, true) {
        Err(error) if is_too_new(error) => {}
        done => return done,
    }
    match native::remove(file, false) {
        Err(Errno::ACCESS) => {}
        done => return done,
    }
    // The older class minds the attribute.
    let known = native::basic(file)?;
    if known.FileAttributes & FILE_ATTRIBUTE_READONLY == 0 {
        return Err(Errno::ACCESS);
    }
    let attributes = FILE_BASIC_INFO { FileAttributes: FILE_ATTRIBUTE_NORMAL, ..FILE_BASIC_INFO::default() };
    native::set_basic(file, &attributes)?;
    native::remove(file, false)
}

/// Opens what has a name, to take the name away.
fn open_to_remove(directory: BorrowedHandle<'_>, name: &OsStr) -> Result<(OwnedHandle, u32), Errno> {
    let rights = DELETE | FILE_READ_ATTRIBUTES;
    // The right to change attributes is wanted for read-only files alone.
    let file = match open_itself(directory, name, rights | FILE_WRITE_ATTRIBUTES, FILE_OPEN, 0) {
        Err(Errno::ACCESS) => open_itself(directory, name, rights, FILE_OPEN, 0)?,
        file => file?,
    };
    let (attributes, _) = native::attributes_and_tag(&file)?;
    Ok((file, attributes))
}

/// Takes a name away that is no directory. `ISDIR` says that it is one; a link to one is a link.
pub(crate) fn remove_file_at(directory: BorrowedHandle<'_>, name: &OsStr) -> Result<(), Errno> {
    let (file, attributes) = open_to_remove(directory, name)?;
    if attributes & FILE_ATTRIBUTE_DIRECTORY != 0 && attributes & FILE_ATTRIBUTE_REPARSE_POINT == 0 {
        return Err(Errno::ISDIR);
    }
    remove_open(&file)
}

/// Takes an empty directory away; `NOTEMPTY` when it is not.
pub(crate) fn remove_directory_at(directory: BorrowedHandle<'_>, name: &OsStr) -> Result<(), Errno> {
    let (file, attributes) = open_to_remove(directory, name)?;
    if attributes & FILE_ATTRIBUTE_DIRECTORY == 0 || attributes & FILE_ATTRIBUTE_REPARSE_POINT != 0 {
        return Err(Errno::NOTDIR);
    }
    remove_open(&file)
}

/// Makes a directory.
pub(crate) fn make_directory_at(
    directory: BorrowedHandle<'_>,
    name: &OsStr,
    _mode: u32,
) -> Result<(), Errno> {
    open_itself(directory, name, FILE_READ_ATTRIBUTES, FILE_CREATE, FILE_DIRECTORY_FILE).map(drop)
}

/// Gives what `from` names the name `to`; what had it before is gone. On its device when this returns,
/// as MoveFileEx has it with `MOVEFILE_WRITE_THROUGH`.
pub(crate) fn rename_at(
    from_directory: BorrowedHandle<'_>,
    from: &OsStr,
    to_directory: BorrowedHandle<'_>,
    to: &OsStr,
) -> Result<(), Errno> {
    let (file, to) = open_to_rename(from_directory, from, to)?;
    match native::rename(&file, to_directory, &to, Replace::Open) {
        Err(error) if is_too_new(error) => {}
        done => return done,
    }
    // Somebody may have the file at the new name open for a moment: a virus scanner, an indexer.
    for pause in [1, 2, 4, 8, 16, 32] {
        match native::rename(&file, to_directory, &to, Replace::Closed) {
            Err(Errno::BUSY | Errno::ACCESS) => std::thread::sleep(Duration::from_millis(pause)),
            done => return done,
        }
    }
    native::rename(&file, to_directory, &to, Replace::Closed)
}

/// Exchanges what two names of a directory name; `INVAL`, `NOSYS` or `OPNOTSUPP` where that cannot be done.
pub(crate) fn swap_at(_: BorrowedHandle<'_>, _: &OsStr, _: &OsStr) -> Result<(), Errno> {
    Err(Errno::OPNOTSUPP)
}

/// [`rename_at`], but `to` must not be there (`EXIST`).
pub(crate) fn rename_new_at(
    from_directory: BorrowedHandle<'_>,
    from: &OsStr,
    to_directory: BorrowedHandle<'_>,
    to: &OsStr,
) -> Result<(), Errno> {
    let (file, to) = open_to_rename(from_directory, from, to)?;
    native::rename(&file, to_directory, &to, Replace::No)
}

fn open_to_rename(
    directory: BorrowedHandle<'_>,
    from: &OsStr,
    to: &OsStr,
) -> Result<(OwnedHandle, Vec<u16>), Errno> {
    let to = component(to)?;
    let file = open_itself(directory, from, DELETE | FILE_READ_ATTRIBUTES, FILE_OPEN, FILE_WRITE_THROUGH)?;
    Ok((file, to))
}

/// Makes a symbolic link that says `target`. A link here is one to a directory or one to a file: to a
/// directory when that is what stands at the target now.
pub(crate) fn make_link_at(target: &OsStr, directory: BorrowedHandle<'_>, name: &OsStr) -> Result<(), Errno> {
    let words = reparse::symbolic_link(target)?;
    let to_directory = leads_to_directory(target, directory);
    let options = if to_directory { FILE_DIRECTORY_FILE } else { FILE_NON_DIRECTORY_FILE };
    let rights = DELETE | FILE_WRITE_ATTRIBUTES | FILE_READ_ATTRIBUTES;
    let link = open_itself(directory, name, rights, FILE_CREATE, options)?;
    let made = native::control(&link, reparse::SET, &words, &mut []);
    if made.is_err() {
        // An empty file is not what was asked for; the error that matters is the first.
        let _ = remove_open(&link);
    }
    made.map(drop)
}

/// Whether the words of a link in `directory` lead to a directory. One name is looked up there; longer
/// words are taken for a file's.
fn leads_to_directory(target: &OsStr, directory: BorrowedHandle<'_>) -> bool {
    let path = Path::new(target);
    if path.is_absolute() { path.is_dir() } else { is_directory(directory, target) }
}

/// What a symbolic link or a junction says; `INVAL` when the name is neither.
pub(crate) fn read_link_at(directory: BorrowedHandle<'_>, name: &OsStr) -> Result<OsString, Errno> {
    let link = open_itself(directory, name, FILE_READ_ATTRIBUTES, FILE_OPEN, 0)?;
    let (attributes, _) = native::attributes_and_tag(&link)?;
    if attributes & FILE_ATTRIBUTE_REPARSE_POINT == 0 {
        return Err(Errno::INVAL);
    }
    let mut buffer = vec![0; reparse::BYTES_MAX];
    let length = native::control(&link, reparse::GET, &[], &mut buffer)?;
    reparse::words(buffer.get(..length).unwrap_or_default()).ok_or(Errno::INVAL)
}

/// The names in a directory, without `.` and `..`, in no order.
#[derive(Debug)]
pub(crate) struct Listing {
    directory: OwnedHandle,
    /// Words, as the entries want to be aligned.
    buffer: Vec<u64>,
    /// Where the next entry begins in the buffer, in bytes; `None` when more must be asked for.
    next: Option<usize>,
    begun: bool,
    ended: bool,
}

/// Where the fields of `FILE_ID_BOTH_DIR_INFO` begin.
mod entry {
    use std::mem::offset_of;

    use windows_sys::Win32::Storage::FileSystem::FILE_ID_BOTH_DIR_INFO;

    pub(super) const NEXT: usize = offset_of!(FILE_ID_BOTH_DIR_INFO, NextEntryOffset);
    pub(super) const ATTRIBUTES: usize = offset_of!(FILE_ID_BOTH_DIR_INFO, FileAttributes);
    pub(super) const NAME_LENGTH: usize = offset_of!(FILE_ID_BOTH_DIR_INFO, FileNameLength);
    pub(super) const NAME: usize = offset_of!(FILE_ID_BOTH_DIR_INFO, FileName);
}

impl Listing {
    /// Starts at the first name. `directory` stays as it is: where a listing stands belongs to the opening,
    /// so that this takes one of its own.
    pub(crate) fn of(directory: impl AsHandle) -> Result<Self, Errno> {
        let directory = open_again(directory.as_handle(), DIRECTORY)?;
        Ok(Self { directory, buffer: vec![0; 1 << 10], next: None, begun: false, ended: false })
    }

    /// The next name and what it is.
    pub(crate) fn next(&mut self) -> Option<Result<(OsString, Option<NodeKind>), Errno>> {
        loop {
            let Some(start) = self.next else {
                if self.ended {
                    return None;
                }
                let restart = !std::mem::replace(&mut self.begun, true);
                match native::list(&self.directory, restart, &mut self.buffer) {
                    Ok(true) => self.next = Some(0),
                    Ok(false) => self.ended = true,
                    Err(error) => {
                        self.ended = true;
                        return Some(Err(error));
                    }
                }
                continue;
            };
            let next = self.word(start + entry::NEXT) as usize;
            self.next = (next != 0).then_some(start + next);
            let length = self.word(start + entry::NAME_LENGTH) as usize / 2;
            let name = start + entry::NAME;
            let name: Vec<u16> = (0..length).map(|unit| self.unit(name + 2 * unit)).collect();
            let name = OsString::from_wide(&name);
            if name == "." || name == ".." {
                continue;
            }
            let attributes = self.word(start + entry::ATTRIBUTES);
            let kind = if attributes & FILE_ATTRIBUTE_REPARSE_POINT != 0 {
                NodeKind::Link
            } else if attributes & FILE_ATTRIBUTE_DIRECTORY != 0 {
                NodeKind::Directory
            } else {
                NodeKind::File
            };
            return Some(Ok((name, Some(kind))));
        }
    }

    /// The two bytes at `offset`, which is even; 0 behind the end.
    fn unit(&self, offset: usize) -> u16 {
        let word = self.buffer.get(offset / 8).copied().unwrap_or(0);
        (word >> (offset % 8 * 8)) as u16
    }

    /// The four bytes at `offset`, which is even; 0 behind the end.
    fn word(&self, offset: usize) -> u32 {
        u32::from(self.unit(offset)) | u32::from(self.unit(offset + 2)) << 16
    }
}

/// Waits until the contents of a file are on its device.
pub(crate) fn flush(file: impl AsHandle) -> Result<(), Errno> {
    native::flush(file)
}

/// A directory cannot be flushed without the right to add files to it; and there is no need, since a
/// rename is on its device when it returns ([`rename_at`]).
pub(crate) fn flush_directory(directory: impl AsHandle) -> Result<(), Errno> {
    if let Ok(directory) = open_again(directory.as_handle(), FILE_ADD_FILE | SYNCHRONIZE) {
        // File systems other than NTFS refuse it.
        let _ = native::flush(&directory);
    }
    Ok(())
}

/// Windows reads ahead by itself.
pub(crate) fn will_need(_file: impl AsHandle) {}

/// NTFS cannot.
pub(crate) fn share_blocks(_source: &File, _target: &File) -> Result<(), Errno> {
    Err(Errno::OPNOTSUPP)
}

/// The kernel copies by path only.
pub(crate) fn copy_some(_source: &File, _target: &File) -> Option<Result<usize, Errno>> {
    None
}

/// Of the permission bits Windows knows one: whether anybody may write.
pub(crate) fn set_mode(file: &File, mode: u32) -> io::Result<()> {
    let mut permissions = file.metadata()?.permissions();
    let read_only = mode & 0o222 == 0;
    if permissions.readonly() == read_only {
        return Ok(());
    }
    permissions.set_readonly(read_only);
    file.set_permissions(permissions)
}

/// Whether the regular file at `path` is one that Windows starts, by its name.
pub(crate) fn is_executable(path: &Path) -> bool {
    const EXTENSIONS: [&str; 4] = ["exe", "com", "bat", "cmd"];
    let named = path
        .extension()
        .is_some_and(|extension| EXTENSIONS.iter().any(|known| extension.eq_ignore_ascii_case(known)));
    named && stat_path(path).is_ok_and(|stat| stat.kind == NodeKind::File)
}

/// Where [`try_lock`] locks: a byte that no file has, since locked bytes cannot be read by others, and
/// behind every range of [`try_lock_range`].
const WHOLE: u64 = u64::MAX - 1;

/// Locks an open file against other openings of it; `false` when somebody else has it.
pub(crate) fn try_lock(file: &File) -> Result<bool, Errno> {
    native::lock(file, WHOLE, 1, true)
}

/// The length that `length` stands for: 0 means all behind `start`.
fn range(start: i64, length: i64) -> (u64, u64) {
    let length = if length == 0 { i64::MAX - start } else { length };
    (start.unsigned_abs(), length.unsigned_abs())
}

/// Locks `length` bytes from `start` on, or all from there for 0, for this opening of the file;
/// `false` when somebody else has a lock in the way. Others can neither read nor write what is locked
/// alone.
pub(crate) fn try_lock_range(file: &File, start: i64, length: i64, alone: bool) -> Result<bool, Errno> {
    let (start, length) = range(start, length);
    native::lock(file, start, length, alone)
}

/// Frees what [`try_lock_range`] took.
pub(crate) fn unlock_range(file: &File, start: i64, length: i64) {
    let (start, length) = range(start, length);
    // It can fail only when the range is not locked.
    let _ = native::unlock(file, start, length);
}

/// Makes a directory, or takes one of ours that is there, and closes it to all other users.
pub(crate) fn private_directory(path: &Path) -> io::Result<()> {
    match std::fs::create_dir(path) {
        Ok(()) => {}
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
        Err(error) => return Err(error),
    }
    let refuse = |message: &str| Err(io::Error::new(io::ErrorKind::PermissionDenied, message.to_owned()));
    let flags = FILE_FLAG_BACKUP_SEMANTICS | FILE_FLAG_OPEN_REPARSE_POINT;
    let rights = DIRECTORY | windows_sys::Win32::Storage::FileSystem::READ_CONTROL | WRITE_DAC;
    let directory = match OpenOptions::new().access_mode(rights).custom_flags(flags).open(path) {
        Ok(directory) => OwnedHandle::from(directory),
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
            return refuse("it belongs to another user");
        }
        Err(error) => return Err(error),
    };
    let (attributes, _) = native::attributes_and_tag(&directory)?;
    let is_plain = attributes & FILE_ATTRIBUTE_REPARSE_POINT == 0;
    if !is_plain || attributes & FILE_ATTRIBUTE_DIRECTORY == 0 {
        return refuse("it exists and is not a directory");
    }
    /// What an administrator makes belongs to all of them.
    const ADMINISTRATORS: &str = "S-1-5-32-544";
    let owner = security::owner(super::handle::borrow(&directory))?;
    if owner != security::own_user()? && owner != ADMINISTRATORS {
        return refuse("it belongs to another user");
    }
    Ok(security::close_to_others(super::handle::borrow(&directory))?)
}
