//! What Windows does, in the words of POSIX.
//!
//! A descriptor is the number of a handle, which has 32 bits on every Windows; 0, 1 and 2, which no
//! handle has, stand for the standard streams. Handles are not inheritable. Texts are UTF-8 here and
//! UTF-16 there: one that is not UTF-8 is EILSEQ, and what the system has that is not UTF-16 comes with
//! U+FFFD in its place.

use core::ffi::{c_char, c_int};
use core::mem::MaybeUninit;
use core::ptr::{null, null_mut};

use windows_sys::Win32::Foundation as found;
use windows_sys::Win32::Foundation::{CloseHandle, GetLastError, HANDLE, INVALID_HANDLE_VALUE};
use windows_sys::Win32::Globalization::{
    CP_UTF8, MB_ERR_INVALID_CHARS, MultiByteToWideChar, WideCharToMultiByte,
};
use windows_sys::Win32::Storage::FileSystem as fs;
use windows_sys::Win32::System::Console::{
    GetStdHandle, STD_ERROR_HANDLE, STD_INPUT_HANDLE, STD_OUTPUT_HANDLE,
};
use windows_sys::Win32::System::Environment as environment;
use windows_sys::Win32::System::IO::OVERLAPPED;
use windows_sys::Win32::System::SystemInformation::{ComputerNameDnsHostname, GetComputerNameExW};
use windows_sys::Win32::System::Threading as threading;

use crate::buf::RtBuf;
use crate::errno::Ret;
use crate::file::{RT_MODE_DIRECTORY, RT_MODE_FILE, RT_MODE_SYMLINK, RtStat};
use crate::os::Entry;
use crate::text::{CAPACITY, Text};

#[path = "win32_process.rs"]
mod process;
pub(crate) use process::{start, wait};
#[cfg(feature = "wide")]
#[path = "win32_wide.rs"]
mod wide;
#[cfg(feature = "wide")]
pub(crate) use wide::*;

/// A directory that is none: names are those of the working directory.
pub(crate) const AT_FDCWD: c_int = -100;
/// Read.
pub(crate) const O_RDONLY: c_int = 0;
/// Write.
pub(crate) const O_WRONLY: c_int = 1;
/// Both.
pub(crate) const O_RDWR: c_int = 2;
/// Write at the end.
pub(crate) const O_APPEND: c_int = 8;
/// Make the file if there is none.
pub(crate) const O_CREAT: c_int = 0x100;
/// Drop the contents.
pub(crate) const O_TRUNC: c_int = 0x200;
/// The file must not exist.
pub(crate) const O_EXCL: c_int = 0x400;
/// It must be a directory.
pub(crate) const O_DIRECTORY: c_int = 0x1_0000;
/// It must not be a link.
pub(crate) const O_NOFOLLOW: c_int = 0x2_0000;
/// The flag of [`stat`] that describes a symbolic link itself.
pub(crate) const NO_FOLLOW: c_int = O_NOFOLLOW;
/// The flag of [`unlink`] for an empty directory.
pub(crate) const REMOVE_DIR: c_int = 1;
/// A lock that excludes all others.
pub(crate) const LOCK_EXCLUSIVE: c_int = fs::LOCKFILE_EXCLUSIVE_LOCK as c_int;
/// A lock that excludes exclusive ones.
pub(crate) const LOCK_SHARED: c_int = 0;
/// No lock any more.
pub(crate) const LOCK_NONE: c_int = -1;

unsafe extern "C" {
    /// Where the C run-time keeps the errno of this thread.
    fn _errno() -> *mut c_int;
}

/// The errno of this thread.
pub(crate) fn errno() -> c_int {
    // SAFETY: the location is valid for the life of the thread.
    unsafe { *_errno() }
}

/// Sets the errno of this thread.
pub(crate) fn set_errno(code: c_int) {
    // SAFETY: the location is valid for the life of the thread.
    unsafe { *_errno() = code };
}

/// Whether a byte of a path stands between two names.
pub(crate) const fn is_separator(byte: c_char) -> bool {
    byte == b'/' as c_char || byte == b'\\' as c_char
}

/// The reason the system's last refusal has in POSIX.
pub(crate) fn refusal() -> Ret {
    // SAFETY: the function has no conditions.
    Ret::error(match unsafe { GetLastError() } {
        found::ERROR_FILE_NOT_FOUND
        | found::ERROR_PATH_NOT_FOUND
        | found::ERROR_INVALID_DRIVE
        | found::ERROR_INVALID_NAME
        | found::ERROR_BAD_PATHNAME
        | found::ERROR_BAD_NETPATH
        | found::ERROR_BAD_NET_NAME
        | found::ERROR_ENVVAR_NOT_FOUND
        | found::ERROR_NO_MORE_FILES => libc::ENOENT,
        found::ERROR_ACCESS_DENIED | found::ERROR_CANNOT_MAKE | found::ERROR_NOACCESS => libc::EACCES,
        found::ERROR_SHARING_VIOLATION | found::ERROR_BUSY | found::ERROR_CURRENT_DIRECTORY => libc::EBUSY,
        found::ERROR_LOCK_VIOLATION | found::ERROR_NO_DATA => libc::EAGAIN,
        found::ERROR_TOO_MANY_OPEN_FILES => libc::EMFILE,
        found::ERROR_INVALID_HANDLE => libc::EBADF,
        found::ERROR_NOT_ENOUGH_MEMORY
        | found::ERROR_OUTOFMEMORY
        | found::ERROR_COMMITMENT_LIMIT
        | found::ERROR_NO_SYSTEM_RESOURCES => libc::ENOMEM,
        found::ERROR_NOT_SAME_DEVICE => libc::EXDEV,
        found::ERROR_WRITE_PROTECT => libc::EROFS,
        found::ERROR_HANDLE_DISK_FULL | found::ERROR_DISK_FULL => libc::ENOSPC,
        found::ERROR_FILE_EXISTS | found::ERROR_ALREADY_EXISTS => libc::EEXIST,
        found::ERROR_INVALID_PARAMETER
        | found::ERROR_NEGATIVE_SEEK
        | found::ERROR_NOT_A_REPARSE_POINT
        | found::ERROR_MAPPED_ALIGNMENT
        | found::ERROR_FILE_INVALID => libc::EINVAL,
        found::ERROR_BROKEN_PIPE | found::ERROR_PIPE_NOT_CONNECTED => libc::EPIPE,
        found::ERROR_BUFFER_OVERFLOW | found::ERROR_FILENAME_EXCED_RANGE => libc::ENAMETOOLONG,
        found::ERROR_DIR_NOT_EMPTY => libc::ENOTEMPTY,
        found::ERROR_DIRECTORY => libc::ENOTDIR,
        found::ERROR_BAD_EXE_FORMAT | found::ERROR_EXE_MACHINE_TYPE_MISMATCH => libc::ENOEXEC,
        found::ERROR_PRIVILEGE_NOT_HELD => libc::EPERM,
        found::ERROR_CANT_RESOLVE_FILENAME => libc::ELOOP,
        found::ERROR_NO_UNICODE_TRANSLATION => libc::EILSEQ,
        found::ERROR_NOT_SUPPORTED | found::ERROR_INVALID_FUNCTION => libc::ENOSYS,
        _ => libc::EIO,
    })
}

/// 0, or the reason of a refusal.
pub(crate) fn check(answer: windows_sys::core::BOOL) -> Ret {
    if answer == 0 { refusal() } else { Ret(0) }
}

/// The handle a descriptor stands for; one that cannot be is refused by the system.
pub(crate) fn handle(fd: c_int) -> HANDLE {
    let standard = match fd {
        0 => STD_INPUT_HANDLE,
        1 => STD_OUTPUT_HANDLE,
        2 => STD_ERROR_HANDLE,
        // -1 and its neighbours stand for this process and its like.
        _ if fd < 0 => return null_mut(),
        _ => return core::ptr::without_provenance_mut(fd as usize),
    };
    // SAFETY: the argument is one of the three.
    unsafe { GetStdHandle(standard) }
}

/// The descriptor for a new handle.
pub(crate) fn descriptor(handle: HANDLE) -> Ret {
    if handle.is_null() || handle == INVALID_HANDLE_VALUE { refusal() } else { Ret(handle.addr() as i64) }
}

/// A path in UTF-16, with the prefix that lets it be long.
pub(crate) struct Wide {
    units: [u16; WIDE_MAX],
}

/// Units there are room for: a path, the prefix, and the directory it may be relative to.
const WIDE_MAX: usize = 2 * CAPACITY;
/// From here on, functions refuse a path without the prefix (a directory needs room for a short name).
const LONG: usize = 248;

impl Wide {
    /// A text as it is.
    pub(crate) fn text(text: *const c_char) -> Result<Self, Ret> {
        let mut wide = Self { units: [0; WIDE_MAX] };
        // SAFETY: a text ends with a 0, and there are that many units.
        let len = unsafe {
            let units = wide.units.as_mut_ptr();
            MultiByteToWideChar(CP_UTF8, MB_ERR_INVALID_CHARS, text.cast(), -1, units, WIDE_MAX as i32)
        };
        if len == 0 { Err(refusal()) } else { Ok(wide) }
    }

    /// A path, of a name in an open directory unless that is AT_FDCWD.
    pub(crate) fn path(dir: c_int, path: Text<'_>) -> Result<Self, Ret> {
        let mut wide = Self::text(path.as_ptr())?;
        if wide.units.first() == Some(&0) {
            return Err(Ret::error(libc::ENOENT));
        }
        if dir != AT_FDCWD {
            let mut whole = Self::of_handle(handle(dir))?;
            whole.push(&[u16::from(b'\\')]);
            whole.push(wide.used());
            return Ok(whole);
        }
        if wide.used().len() >= LONG {
            let mut long = Self { units: [0; WIDE_MAX] };
            // SAFETY: the path ends with a 0, and there are that many units.
            let len = unsafe {
                let units = long.units.as_mut_ptr();
                fs::GetFullPathNameW(wide.as_ptr(), WIDE_MAX as u32, units, null_mut())
            };
            if len == 0 || len as usize >= WIDE_MAX {
                return Err(Ret::error(libc::ENAMETOOLONG));
            }
            wide = Self { units: [0; WIDE_MAX] };
            if !long.used().starts_with(&[u16::from(b'\\'); 2]) {
                wide.push(&[b'\\', b'\\', b'?', b'\\'].map(u16::from));
            }
            // What has the prefix is taken as it stands, so that nothing may be behind the last name.
            wide.push(long.used().strip_suffix(&[u16::from(b'\\')]).unwrap_or(long.used()));
        }
        Ok(wide)
    }

    /// The path of an open directory.
    fn of_handle(dir: HANDLE) -> Result<Self, Ret> {
        let mut wide = Self { units: [0; WIDE_MAX] };
        // SAFETY: there are that many units; a handle that is none is refused.
        let len = unsafe { fs::GetFinalPathNameByHandleW(dir, wide.units.as_mut_ptr(), WIDE_MAX as u32, 0) };
        match len as usize {
            0 => Err(refusal()),
            WIDE_MAX.. => Err(Ret::error(libc::ENAMETOOLONG)),
            _ => Ok(wide),
        }
    }

    /// What is before the 0.
    fn used(&self) -> &[u16] {
        self.units.split(|&unit| unit == 0).next().unwrap_or_default()
    }

    /// Appends units, as far as there is room.
    fn push(&mut self, more: &[u16]) {
        let len = self.used().len();
        for (to, from) in self.units.iter_mut().take(WIDE_MAX - 1).skip(len).zip(more) {
            *to = *from;
        }
    }

    pub(crate) fn as_ptr(&self) -> *const u16 {
        self.units.as_ptr()
    }
}

/// Appends UTF-16 as UTF-8 to a buffer; `ends` as for `push_text`. The result is the buffer's length.
///
/// # Safety
/// `units` is readable for `len` units.
pub(crate) unsafe fn push_wide(out: &mut RtBuf, units: *const u16, len: usize, ends: usize) -> Ret {
    // No unit becomes more than three bytes.
    let room = len.wrapping_mul(3).wrapping_add(ends);
    let reserved = out.reserve(room);
    if reserved.0 < 0 {
        return reserved;
    }
    let mut count = 0;
    if len != 0 {
        let (len, room) = (len as i32, room as i32);
        // SAFETY: the caller's promise; there is that much room.
        count = unsafe { WideCharToMultiByte(CP_UTF8, 0, units, len, out.end(), room, null(), null_mut()) };
        if count == 0 {
            return refusal();
        }
    }
    out.len = out.len.wrapping_add(count as usize);
    if ends != 0 {
        let _ = out.close();
        out.len = out.len.wrapping_add(1);
    }
    out.close()
}

/// The number of units before the final 0.
///
/// # Safety
/// `units` ends with a 0.
pub(crate) unsafe fn wide_length(units: *const u16) -> usize {
    let mut len = 0_usize;
    // SAFETY: no 0 was met before.
    while unsafe { units.add(len).read() } != 0 {
        len = len.wrapping_add(1);
    }
    len
}

/// Opens; `mode` only says whether a new file may be written to later.
pub(crate) fn open(dir: c_int, path: Text<'_>, flags: c_int, mode: u32) -> Ret {
    let path = match Wide::path(dir, path) {
        Ok(path) => path,
        Err(refused) => return refused,
    };
    let mut access = match flags & 3 {
        O_RDONLY => fs::FILE_GENERIC_READ,
        O_WRONLY => fs::FILE_GENERIC_WRITE | fs::FILE_READ_ATTRIBUTES,
        _ => fs::FILE_GENERIC_READ | fs::FILE_GENERIC_WRITE,
    };
    if flags & O_APPEND != 0 {
        // Without the right to write elsewhere, every write goes to the end.
        access &= !fs::FILE_WRITE_DATA;
    }
    let how = match (flags & O_CREAT != 0, flags & O_EXCL != 0, flags & O_TRUNC != 0) {
        (true, true, _) => fs::CREATE_NEW,
        (true, false, true) => fs::CREATE_ALWAYS,
        (true, false, false) => fs::OPEN_ALWAYS,
        (false, _, true) => fs::TRUNCATE_EXISTING,
        (false, _, false) => fs::OPEN_EXISTING,
    };
    let mut attributes = if mode & 0o222 == 0 && flags & O_CREAT != 0 {
        fs::FILE_ATTRIBUTE_READONLY
    } else {
        fs::FILE_ATTRIBUTE_NORMAL
    };
    // Lets directories be opened too.
    attributes |= fs::FILE_FLAG_BACKUP_SEMANTICS;
    if flags & O_NOFOLLOW != 0 {
        attributes |= fs::FILE_FLAG_OPEN_REPARSE_POINT;
    }
    let share = fs::FILE_SHARE_READ | fs::FILE_SHARE_WRITE | fs::FILE_SHARE_DELETE;
    // SAFETY: the path ends with a 0, and null stands for no attributes and no template.
    let opened =
        unsafe { fs::CreateFileW(path.as_ptr(), access, share, null(), how, attributes, null_mut()) };
    let opened = descriptor(opened);
    if opened.0 == Ret::error(libc::EACCES).0 && flags & (O_DIRECTORY | O_CREAT | 3) != 0 {
        // Writing to a directory is refused like this.
        // SAFETY: the path ends with a 0.
        let known = unsafe { fs::GetFileAttributesW(path.as_ptr()) };
        if known != fs::INVALID_FILE_ATTRIBUTES && known & fs::FILE_ATTRIBUTE_DIRECTORY != 0 {
            return Ret::error(libc::EISDIR);
        }
    }
    if opened.0 >= 0 {
        let mut stat = MaybeUninit::<RtStat>::uninit();
        // SAFETY: the place is a local.
        if unsafe { stat_fd(opened.0 as c_int, stat.as_mut_ptr()) }.0 >= 0 {
            // SAFETY: the call filled it.
            let mode = unsafe { stat.assume_init_ref() }.mode & crate::file::RT_MODE_KIND;
            let refused = match mode {
                RT_MODE_SYMLINK if flags & O_NOFOLLOW != 0 => libc::ELOOP,
                RT_MODE_DIRECTORY if flags & 3 != O_RDONLY => libc::EISDIR,
                RT_MODE_DIRECTORY => 0,
                _ if flags & O_DIRECTORY != 0 => libc::ENOTDIR,
                _ => 0,
            };
            if refused != 0 {
                let _ = close(opened.0 as c_int);
                return Ret::error(refused);
            }
        }
    }
    opened
}

/// Closes a descriptor.
pub(crate) fn close(fd: c_int) -> Ret {
    // SAFETY: a handle that is none is refused.
    check(unsafe { CloseHandle(handle(fd)) })
}

/// The most that is read or written by one call.
const MOST: usize = 1 << 30;

/// One read. A pipe whose other end is gone has ended.
///
/// # Safety
/// `into` is writable for `len` bytes.
pub(crate) unsafe fn read(fd: c_int, into: *mut u8, len: usize) -> Ret {
    let mut count = 0;
    let len = len.min(MOST) as u32;
    // SAFETY: the caller's promise; a handle that is none is refused.
    let done = check(unsafe { fs::ReadFile(handle(fd), into, len, &raw mut count, null_mut()) });
    if done.0 >= 0 || done.0 == Ret::error(libc::EPIPE).0 {
        return Ret(count.into());
    }
    let mut stat = MaybeUninit::<RtStat>::uninit();
    // A directory is refused as a wrong function.
    // SAFETY: the place is a local.
    if unsafe { stat_fd(fd, stat.as_mut_ptr()) }.0 >= 0 {
        // SAFETY: the call filled it.
        if unsafe { stat.assume_init_ref() }.mode & crate::file::RT_MODE_KIND == RT_MODE_DIRECTORY {
            return Ret::error(libc::EISDIR);
        }
    }
    done
}

/// As many writes as it takes.
///
/// # Safety
/// `from` is readable for `len` bytes.
pub(crate) unsafe fn write_all(fd: c_int, from: *const u8, len: usize) -> Ret {
    let mut done = 0_usize;
    while done < len {
        let mut count = 0;
        let some = (len - done).min(MOST) as u32;
        // SAFETY: done is below len, and the caller vouches for len bytes.
        let from = unsafe { from.add(done) };
        // SAFETY: as above; a handle that is none is refused.
        let wrote = check(unsafe { fs::WriteFile(handle(fd), from, some, &raw mut count, null_mut()) });
        if wrote.0 < 0 {
            return wrote;
        }
        done = done.wrapping_add(count as usize);
    }
    Ret(len as i64)
}

/// Describes a name; `flags` is 0 or NO_FOLLOW.
///
/// # Safety
/// `out` is writable. It is written to on success only.
pub(crate) unsafe fn stat(dir: c_int, path: Text<'_>, flags: c_int, out: *mut RtStat) -> Ret {
    let path = match Wide::path(dir, path) {
        Ok(path) => path,
        Err(refused) => return refused,
    };
    let mut attributes = fs::FILE_FLAG_BACKUP_SEMANTICS;
    if flags & NO_FOLLOW != 0 {
        attributes |= fs::FILE_FLAG_OPEN_REPARSE_POINT;
    }
    let share = fs::FILE_SHARE_READ | fs::FILE_SHARE_WRITE | fs::FILE_SHARE_DELETE;
    let (access, how) = (fs::FILE_READ_ATTRIBUTES, fs::OPEN_EXISTING);
    // SAFETY: the path ends with a 0, and null stands for no attributes and no template.
    let opened =
        unsafe { fs::CreateFileW(path.as_ptr(), access, share, null(), how, attributes, null_mut()) };
    let opened = descriptor(opened);
    if opened.0 < 0 {
        return opened;
    }
    // SAFETY: the caller's promise.
    let done = unsafe { stat_fd(opened.0 as c_int, out) };
    let _ = close(opened.0 as c_int);
    done
}

/// Nanoseconds since 1970 of a number of 100 nanoseconds since 1601.
pub(crate) const fn since_1970(low: u32, high: u32) -> i64 {
    let ticks = ((high as i64) << 32) | low as i64;
    ticks.saturating_sub(116_444_736_000_000_000).saturating_mul(100)
}

/// Describes an open file.
///
/// # Safety
/// `out` is writable. It is written to on success only.
pub(crate) unsafe fn stat_fd(fd: c_int, out: *mut RtStat) -> Ret {
    let handle = handle(fd);
    let nothing = RtStat {
        size: 0,
        modified_ns: 0,
        device: 0,
        inode: 0,
        links: 1,
        mode: 0o666,
        uid: 0,
        gid: 0,
        reserved: 0,
    };
    // SAFETY: a handle that is none is refused.
    let kind = match unsafe { fs::GetFileType(handle) } {
        fs::FILE_TYPE_DISK => 0,
        fs::FILE_TYPE_CHAR => 0o020_000,
        fs::FILE_TYPE_PIPE => 0o010_000,
        _ => return Ret::error(libc::EBADF),
    };
    if kind != 0 {
        // SAFETY: the caller's promise.
        unsafe { out.write(RtStat { mode: kind | nothing.mode, ..nothing }) };
        return Ret(0);
    }
    let mut info = MaybeUninit::<fs::BY_HANDLE_FILE_INFORMATION>::zeroed();
    // SAFETY: there is room for one structure.
    let done = check(unsafe { fs::GetFileInformationByHandle(handle, info.as_mut_ptr()) });
    if done.0 < 0 {
        return done;
    }
    // SAFETY: the call succeeded and filled it.
    let info = unsafe { info.assume_init_ref() };
    let attributes = info.dwFileAttributes;
    let mut tag = fs::FILE_ATTRIBUTE_TAG_INFO { FileAttributes: 0, ReparseTag: 0 };
    if attributes & fs::FILE_ATTRIBUTE_REPARSE_POINT != 0 {
        let size = size_of_val(&tag) as u32;
        // SAFETY: there is room for one structure. If it fails, the tag stays none.
        unsafe {
            fs::GetFileInformationByHandleEx(handle, fs::FileAttributeTagInfo, (&raw mut tag).cast(), size)
        };
    }
    let mut mode = if tag.ReparseTag == SYMLINK_TAG {
        RT_MODE_SYMLINK | 0o777
    } else if attributes & fs::FILE_ATTRIBUTE_DIRECTORY != 0 {
        RT_MODE_DIRECTORY | 0o777
    } else {
        RT_MODE_FILE | 0o666
    };
    if attributes & fs::FILE_ATTRIBUTE_READONLY != 0 {
        mode &= !0o222;
    }
    let time = info.ftLastWriteTime;
    let stat = RtStat {
        size: (i64::from(info.nFileSizeHigh) << 32) | i64::from(info.nFileSizeLow),
        modified_ns: since_1970(time.dwLowDateTime, time.dwHighDateTime),
        device: info.dwVolumeSerialNumber.into(),
        inode: (u64::from(info.nFileIndexHigh) << 32) | u64::from(info.nFileIndexLow),
        links: info.nNumberOfLinks.into(),
        mode,
        ..nothing
    };
    // SAFETY: the caller's promise.
    unsafe { out.write(stat) };
    Ret(0)
}

/// What marks a reparse point as a symbolic link.
pub(crate) const SYMLINK_TAG: u32 = 0xa000_000c;

/// Removes a name; `flags` is 0 or REMOVE_DIR.
pub(crate) fn unlink(dir: c_int, path: Text<'_>, flags: c_int) -> Ret {
    let path = match Wide::path(dir, path) {
        Ok(path) => path,
        Err(refused) => return refused,
    };
    let path = path.as_ptr();
    if flags == REMOVE_DIR {
        // SAFETY: the path ends with a 0.
        return check(unsafe { fs::RemoveDirectoryW(path) });
    }
    // SAFETY: as above.
    let done = check(unsafe { fs::DeleteFileW(path) });
    if done.0 != Ret::error(libc::EACCES).0 {
        return done;
    }
    // SAFETY: as above.
    let known = unsafe { fs::GetFileAttributesW(path) };
    if known == fs::INVALID_FILE_ATTRIBUTES || known & fs::FILE_ATTRIBUTE_DIRECTORY == 0 {
        done
    } else if known & fs::FILE_ATTRIBUTE_REPARSE_POINT != 0 {
        // A link to a directory counts as one.
        // SAFETY: as above.
        check(unsafe { fs::RemoveDirectoryW(path) })
    } else {
        Ret::error(libc::EISDIR)
    }
}

/// Makes one directory. Its permissions are inherited.
pub(crate) fn mkdir(path: Text<'_>, _mode: u32) -> Ret {
    match Wide::path(AT_FDCWD, path) {
        // SAFETY: the path ends with a 0, and null stands for inherited permissions.
        Ok(path) => check(unsafe { fs::CreateDirectoryW(path.as_ptr(), null()) }),
        Err(refused) => refused,
    }
}

/// Cuts or extends an open file.
pub(crate) fn truncate(fd: c_int, len: i64) -> Ret {
    let info = fs::FILE_END_OF_FILE_INFO { EndOfFile: len };
    let size = size_of_val(&info) as u32;
    let place = (&raw const info).cast();
    // SAFETY: the structure is a local of that size.
    check(unsafe { fs::SetFileInformationByHandle(handle(fd), fs::FileEndOfFileInfo, place, size) })
}

/// Changes the lock on a whole file. The lock belongs to the handle.
pub(crate) fn lock(fd: c_int, kind: c_int, wait: bool) -> Ret {
    let mut place = MaybeUninit::<OVERLAPPED>::zeroed();
    let place = place.as_mut_ptr();
    let all = u32::MAX;
    if kind == LOCK_NONE {
        // SAFETY: the place is zeros: the start of the file, and no event.
        let done = check(unsafe { fs::UnlockFileEx(handle(fd), 0, all, all, place) });
        // There was no lock, which is as well.
        return if done.0 == Ret::error(libc::EIO).0 { Ret(0) } else { done };
    }
    let how = kind as u32 | if wait { 0 } else { fs::LOCKFILE_FAIL_IMMEDIATELY };
    // SAFETY: as above.
    check(unsafe { fs::LockFileEx(handle(fd), how, 0, all, all, place) })
}

/// Nothing is copied inside the kernel.
pub(crate) const fn copy_range(_: c_int, _: c_int) -> i64 {
    0
}

/// The working directory into a buffer.
pub(crate) fn current_dir(out: &mut RtBuf) -> Ret {
    let mut path = [0; CAPACITY];
    // SAFETY: there are that many units.
    let len = unsafe { environment::GetCurrentDirectoryW(CAPACITY as u32, path.as_mut_ptr()) } as usize;
    match len {
        0 => refusal(),
        CAPACITY.. => Ret::error(libc::ERANGE),
        // SAFETY: len units are written.
        _ => unsafe { push_wide(out, path.as_ptr(), len, 0) },
    }
}

/// The machine's name into a buffer.
pub(crate) fn hostname(out: &mut RtBuf) -> Ret {
    let mut name = [0; 256];
    let mut len = 256;
    // SAFETY: there are that many units.
    let done = check(unsafe { GetComputerNameExW(ComputerNameDnsHostname, name.as_mut_ptr(), &raw mut len) });
    if done.0 < 0 {
        return done;
    }
    // SAFETY: len units are written.
    unsafe { push_wide(out, name.as_ptr(), len as usize, 0) }
}

/// Units a variable can have, its final 0 included.
const VARIABLE_MAX: usize = 32_768;

/// Appends the value of a variable to a buffer; ENOENT if there is none.
///
/// # Safety
/// `name` ends with a 0.
pub(crate) unsafe fn variable(name: *const c_char, out: &mut RtBuf) -> Ret {
    let name = match Wide::text(name) {
        Ok(name) => name,
        Err(refused) => return refused,
    };
    let mut value = RtBuf::EMPTY;
    let reserved = value.reserve(VARIABLE_MAX * size_of::<u16>());
    if reserved.0 < 0 {
        return reserved;
    }
    let units: *mut u16 = value.ptr.cast();
    // SAFETY: the number is not cleared by a success with an empty value.
    unsafe { found::SetLastError(0) };
    // SAFETY: the name ends with a 0, and there are that many units.
    let len =
        unsafe { environment::GetEnvironmentVariableW(name.as_ptr(), units, VARIABLE_MAX as u32) } as usize;
    // SAFETY: the function has no conditions.
    if len == 0 && unsafe { GetLastError() } != 0 {
        return refusal();
    }
    // SAFETY: len units are written.
    unsafe { push_wide(out, units, len, 0) }
}

/// Whether a variable can have this name.
pub(crate) fn is_name(name: &[u16]) -> bool {
    !name.is_empty() && !name.contains(&u16::from(b'='))
}

/// Sets a variable.
///
/// # Safety
/// Both end with a 0.
pub(crate) unsafe fn set_variable(name: *const c_char, value: *const c_char) -> Ret {
    let name = match Wide::text(name) {
        Ok(name) => name,
        Err(refused) => return refused,
    };
    if !is_name(name.used()) {
        return Ret::error(libc::EINVAL);
    }
    let mut units = RtBuf::EMPTY;
    // SAFETY: the value ends with a 0.
    let len = unsafe { crate::text::length(value) };
    let reserved = units.reserve(len.saturating_add(1).saturating_mul(size_of::<u16>()));
    if reserved.0 < 0 {
        return reserved;
    }
    let into: *mut u16 = units.ptr.cast();
    let room = len.saturating_add(1).min(i32::MAX as usize) as i32;
    // SAFETY: the value ends with a 0, and no text has more units than bytes.
    if unsafe { MultiByteToWideChar(CP_UTF8, MB_ERR_INVALID_CHARS, value.cast(), -1, into, room) } == 0 {
        return refusal();
    }
    // SAFETY: both end with a 0.
    check(unsafe { environment::SetEnvironmentVariableW(name.as_ptr(), into) })
}

/// The user's home directory into an empty buffer: HOME unless it is empty, else USERPROFILE, else
/// ENOENT.
///
/// # Safety
/// None here; elsewhere the environment is not locked.
pub(crate) unsafe fn home_dir(out: &mut RtBuf) -> Ret {
    // SAFETY: the literal ends with a 0.
    let home = unsafe { variable(c"HOME".as_ptr(), out) };
    if home.0 != 0 && home.0 != Ret::error(libc::ENOENT).0 {
        return home;
    }
    // SAFETY: as above.
    unsafe { variable(c"USERPROFILE".as_ptr(), out) }
}

/// The number of this process.
pub(crate) fn process_number() -> i64 {
    // SAFETY: the function has no conditions.
    unsafe { threading::GetCurrentProcessId() }.into()
}

/// The number of processors that are online; 0 or less if it is not known.
pub(crate) fn processors() -> i64 {
    // SAFETY: the number stands for all groups.
    unsafe { threading::GetActiveProcessorCount(0xffff) }.into()
}

/// Reads the entries of an open directory.
pub(crate) struct Entries {
    dir: c_int,
    /// Null until the first entry is wanted.
    search: HANDLE,
    name: RtBuf,
}

impl Entries {
    /// Reads a directory that was just opened, and is closed by someone else.
    pub(crate) const fn of(dir: c_int) -> Self {
        Self { dir, search: null_mut(), name: RtBuf::EMPTY }
    }

    /// Gets the next entry, which is valid until the one after. Answers whether there is one: 1 or 0.
    pub(crate) fn next(&mut self, entry: &mut Entry) -> Ret {
        let mut data = MaybeUninit::<fs::WIN32_FIND_DATAW>::zeroed();
        loop {
            let found_one = if self.search.is_null() {
                let mut pattern = match Wide::of_handle(handle(self.dir)) {
                    Ok(path) => path,
                    Err(refused) => return refused,
                };
                pattern.push(&[b'\\', b'*'].map(u16::from));
                // SAFETY: the pattern ends with a 0, and there is room for one structure.
                let search = unsafe { fs::FindFirstFileW(pattern.as_ptr(), data.as_mut_ptr()) };
                if search != INVALID_HANDLE_VALUE {
                    self.search = search;
                }
                i32::from(search != INVALID_HANDLE_VALUE)
            } else {
                // SAFETY: the search is open, and there is room for one structure.
                unsafe { fs::FindNextFileW(self.search, data.as_mut_ptr()) }
            };
            if found_one == 0 {
                let refused = refusal();
                return if refused.0 == Ret::error(libc::ENOENT).0 { Ret(0) } else { refused };
            }
            // SAFETY: the call succeeded and filled it.
            let data = unsafe { data.assume_init_ref() };
            let dot = u16::from(b'.');
            match data.cFileName {
                [first, 0, ..] if first == dot => continue,
                [first, second, 0, ..] if first == dot && second == dot => continue,
                _ => {}
            }
            self.name.len = 0;
            // SAFETY: the name ends with a 0.
            let len = unsafe { wide_length(data.cFileName.as_ptr()) };
            // SAFETY: the name has that many units.
            let pushed = unsafe { push_wide(&mut self.name, data.cFileName.as_ptr(), len, 0) };
            if pushed.0 < 0 {
                return pushed;
            }
            let reparse = data.dwFileAttributes & fs::FILE_ATTRIBUTE_REPARSE_POINT != 0;
            let kind = if reparse && data.dwReserved0 == SYMLINK_TAG {
                RT_MODE_SYMLINK
            } else if data.dwFileAttributes & fs::FILE_ATTRIBUTE_DIRECTORY != 0 {
                RT_MODE_DIRECTORY
            } else {
                RT_MODE_FILE
            };
            *entry = Entry { name: self.name.ptr.cast(), kind };
            return Ret(1);
        }
    }
}

impl Drop for Entries {
    fn drop(&mut self) {
        if !self.search.is_null() {
            // SAFETY: the search is open and not used again.
            unsafe { fs::FindClose(self.search) };
        }
    }
}
