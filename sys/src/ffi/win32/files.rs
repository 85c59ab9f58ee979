//! Files: the native calls, which take a name relative to an open directory, and what else the
//! standard library lacks.
use std::os::windows::io::{AsHandle, AsRawHandle, BorrowedHandle, OwnedHandle};
use std::ptr::{null, null_mut};

use windows_sys::Wdk::Foundation::OBJECT_ATTRIBUTES;
use windows_sys::Wdk::Storage::FileSystem::{
    FILE_DISPOSITION_DELETE, FILE_DISPOSITION_IGNORE_READONLY_ATTRIBUTE, FILE_DISPOSITION_POSIX_SEMANTICS,
    FILE_RENAME_IGNORE_READONLY_ATTRIBUTE, FILE_RENAME_INFORMATION, FILE_RENAME_POSIX_SEMANTICS,
    FILE_RENAME_REPLACE_IF_EXISTS, FileDispositionInformation, FileDispositionInformationEx,
    FileRenameInformation, FileRenameInformationEx, NtCreateFile, NtSetInformationFile,
};
use windows_sys::Win32::Foundation::{
    ERROR_BROKEN_PIPE, ERROR_HANDLE_EOF, OBJ_CASE_INSENSITIVE, UNICODE_STRING,
};
use windows_sys::Win32::Storage::FileSystem::{
    BY_HANDLE_FILE_INFORMATION, FILE_ATTRIBUTE_TAG_INFO, FILE_BASIC_INFO, FILE_SHARE_DELETE, FILE_SHARE_READ,
    FILE_SHARE_WRITE, FILE_TYPE_DISK, FileAttributeTagInfo, FileBasicInfo, FileIdBothDirectoryInfo,
    FileIdBothDirectoryRestartInfo, FlushFileBuffers, GetFileInformationByHandle,
    GetFileInformationByHandleEx, GetFileType, LOCKFILE_EXCLUSIVE_LOCK, LOCKFILE_FAIL_IMMEDIATELY,
    LockFileEx, ReadFile, SetFileInformationByHandle, UnlockFileEx, WriteFile,
};
use windows_sys::Win32::System::IO::{DeviceIoControl, IO_STATUS_BLOCK, OVERLAPPED};

use super::{check, check_status, last_error, owned, size};
use crate::platform::Errno;

/// How [`open_relative`] opens.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Native {
    /// `FILE_*` and standard access rights.
    pub(crate) access: u32,
    /// `FILE_OPEN`, `FILE_CREATE`, `FILE_OPEN_IF`.
    pub(crate) disposition: u32,
    /// `FILE_*` options of NtCreateFile.
    pub(crate) options: u32,
    /// `FILE_ATTRIBUTE_*` of a new file.
    pub(crate) attributes: u32,
}

/// Opens `name`, which is relative to `directory`; an empty name is the directory itself. Shared with
/// readers, writers and removers, as POSIX shares everything. No child inherits it.
pub(crate) fn open_relative(
    directory: BorrowedHandle<'_>,
    name: &[u16],
    how: Native,
) -> Result<OwnedHandle, Errno> {
    let length = u16::try_from(size_of_val(name)).map_err(|_| Errno::INVAL)?;
    let name = UNICODE_STRING { Length: length, MaximumLength: length, Buffer: name.as_ptr().cast_mut() };
    let attributes = OBJECT_ATTRIBUTES {
        Length: size::<OBJECT_ATTRIBUTES>(),
        RootDirectory: directory.as_raw_handle(),
        ObjectName: &raw const name,
        Attributes: OBJ_CASE_INSENSITIVE,
        SecurityDescriptor: null(),
        SecurityQualityOfService: null(),
    };
    let mut handle = null_mut();
    let mut status = IO_STATUS_BLOCK::default();
    // SAFETY: the structures, the name that they point to and the directory's handle live for the call,
    // which writes to `handle` and `status` only.
    check_status(unsafe {
        NtCreateFile(
            &raw mut handle,
            how.access,
            &raw const attributes,
            &raw mut status,
            null(),
            how.attributes,
            FILE_SHARE_READ | FILE_SHARE_WRITE | FILE_SHARE_DELETE,
            how.disposition,
            how.options,
            null(),
            0,
        )
    })?;
    owned(handle)
}

/// Whether `file` is on a file system, rather than a pipe, a console or a socket.
pub(crate) fn is_on_disk(file: impl AsHandle) -> bool {
    // SAFETY: the handle is borrowed for the call.
    unsafe { GetFileType(file.as_handle().as_raw_handle()) == FILE_TYPE_DISK }
}

/// Attributes, times (but the one of the last change), size, volume and index.
pub(crate) fn information(file: impl AsHandle) -> Result<BY_HANDLE_FILE_INFORMATION, Errno> {
    let mut information = BY_HANDLE_FILE_INFORMATION::default();
    // SAFETY: the handle is borrowed for the call, which fills the structure.
    check(unsafe { GetFileInformationByHandle(file.as_handle().as_raw_handle(), &raw mut information) })?;
    Ok(information)
}

/// Attributes and all times.
pub(crate) fn basic(file: impl AsHandle) -> Result<FILE_BASIC_INFO, Errno> {
    let mut information = FILE_BASIC_INFO::default();
    // SAFETY: the handle is borrowed for the call, which writes at most the size of the structure.
    check(unsafe {
        GetFileInformationByHandleEx(
            file.as_handle().as_raw_handle(),
            FileBasicInfo,
            (&raw mut information).cast(),
            size::<FILE_BASIC_INFO>(),
        )
    })?;
    Ok(information)
}

/// Sets attributes and those times that are not zero.
pub(crate) fn set_basic(file: impl AsHandle, information: &FILE_BASIC_INFO) -> Result<(), Errno> {
    // SAFETY: the handle is borrowed for the call, which reads the structure.
    check(unsafe {
        SetFileInformationByHandle(
            file.as_handle().as_raw_handle(),
            FileBasicInfo,
            std::ptr::from_ref(information).cast(),
            size::<FILE_BASIC_INFO>(),
        )
    })
}

/// The attributes, and the tag of a reparse point.
pub(crate) fn attributes_and_tag(file: impl AsHandle) -> Result<(u32, u32), Errno> {
    let mut information = FILE_ATTRIBUTE_TAG_INFO::default();
    // SAFETY: the handle is borrowed for the call, which writes at most the size of the structure.
    check(unsafe {
        GetFileInformationByHandleEx(
            file.as_handle().as_raw_handle(),
            FileAttributeTagInfo,
            (&raw mut information).cast(),
            size::<FILE_ATTRIBUTE_TAG_INFO>(),
        )
    })?;
    Ok((information.FileAttributes, information.ReparseTag))
}

/// The next entries of a directory, as `FILE_ID_BOTH_DIR_INFO`s; from the first on if `restart`.
/// `false` when there are no more.
pub(crate) fn list(directory: impl AsHandle, restart: bool, buffer: &mut [u64]) -> Result<bool, Errno> {
    let class = if restart { FileIdBothDirectoryRestartInfo } else { FileIdBothDirectoryInfo };
    let length = u32::try_from(size_of_val(buffer)).map_err(|_| Errno::INVAL)?;
    // SAFETY: the handle is borrowed for the call, which writes at most `length` bytes to the buffer,
    // whose alignment is that of the structure.
    let answer = unsafe {
        GetFileInformationByHandleEx(
            directory.as_handle().as_raw_handle(),
            class,
            buffer.as_mut_ptr().cast(),
            length,
        )
    };
    match check(answer) {
        Ok(()) => Ok(true),
        Err(Errno::NO_MORE_FILES | Errno::NOENT) => Ok(false),
        Err(error) => Err(error),
    }
}

/// How [`rename`] treats what is at the new name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Replace {
    /// It is an error.
    No,
    /// It goes, unless somebody has it open.
    Closed,
    /// It goes; whoever has it open keeps it (Windows 10 1809).
    Open,
}

/// Gives `file` the name `name` in `directory`.
pub(crate) fn rename(
    file: impl AsHandle,
    directory: BorrowedHandle<'_>,
    name: &[u16],
    replace: Replace,
) -> Result<(), Errno> {
    let name_bytes = size_of_val(name);
    let start = std::mem::offset_of!(FILE_RENAME_INFORMATION, FileName);
    // Words, for the alignment of the structure at the front.
    let words = (start + name_bytes).max(size_of::<FILE_RENAME_INFORMATION>()).div_ceil(size_of::<u64>());
    let mut buffer = vec![0_u64; words];
    let mut header =
        FILE_RENAME_INFORMATION { RootDirectory: directory.as_raw_handle(), ..Default::default() };
    header.FileNameLength = u32::try_from(name_bytes).map_err(|_| Errno::INVAL)?;
    let class = match replace {
        Replace::No => FileRenameInformation,
        Replace::Closed => {
            header.Anonymous.ReplaceIfExists = true;
            FileRenameInformation
        }
        Replace::Open => {
            header.Anonymous.Flags = FILE_RENAME_REPLACE_IF_EXISTS
                | FILE_RENAME_POSIX_SEMANTICS
                | FILE_RENAME_IGNORE_READONLY_ATTRIBUTE;
            FileRenameInformationEx
        }
    };
    // SAFETY: the buffer is aligned for the structure and at least as long.
    unsafe { buffer.as_mut_ptr().cast::<FILE_RENAME_INFORMATION>().write(header) };
    // SAFETY: the name begins inside the buffer, which has room for all of it behind that.
    let target = unsafe { buffer.as_mut_ptr().cast::<u8>().add(start) };
    // SAFETY: two ranges of `name_bytes` bytes, one in the buffer that was just made.
    unsafe { target.copy_from_nonoverlapping(name.as_ptr().cast(), name_bytes) };
    let mut status = IO_STATUS_BLOCK::default();
    let length = u32::try_from(size_of_val(buffer.as_slice())).map_err(|_| Errno::INVAL)?;
    // SAFETY: both handles are borrowed for the call, which reads `length` bytes of the buffer.
    check_status(unsafe {
        NtSetInformationFile(
            file.as_handle().as_raw_handle(),
            &raw mut status,
            buffer.as_ptr().cast(),
            length,
            class,
        )
    })
}

/// Marks `file` for removal: at once and whoever has it open (Windows 10 1709), or with its last handle.
pub(crate) fn remove(file: impl AsHandle, at_once: bool) -> Result<(), Errno> {
    let flags = FILE_DISPOSITION_DELETE
        | FILE_DISPOSITION_POSIX_SEMANTICS
        | FILE_DISPOSITION_IGNORE_READONLY_ATTRIBUTE;
    let (class, value, length) = match at_once {
        true => (FileDispositionInformationEx, flags, 4),
        false => (FileDispositionInformation, 1, 1),
    };
    let value: u32 = value;
    let mut status = IO_STATUS_BLOCK::default();
    // SAFETY: the handle is borrowed for the call, which reads `length` bytes, at most four, of `value`;
    // the first of them is the flag that the older class wants.
    check_status(unsafe {
        NtSetInformationFile(
            file.as_handle().as_raw_handle(),
            &raw mut status,
            (&raw const value).cast(),
            length,
            class,
        )
    })
}

/// Sends a control code to the driver of `file`: how many bytes it answered.
pub(crate) fn control(
    file: impl AsHandle,
    code: u32,
    input: &[u8],
    output: &mut [u8],
) -> Result<usize, Errno> {
    let mut length = 0;
    let input_length = u32::try_from(input.len()).map_err(|_| Errno::INVAL)?;
    let output_length = u32::try_from(output.len()).map_err(|_| Errno::INVAL)?;
    // SAFETY: the handle is borrowed for the call, which reads and writes at most as many bytes as the
    // slices have; it was opened for synchronous use, so that nothing is written later.
    check(unsafe {
        DeviceIoControl(
            file.as_handle().as_raw_handle(),
            code,
            input.as_ptr().cast(),
            input_length,
            output.as_mut_ptr().cast(),
            output_length,
            &raw mut length,
            null_mut(),
        )
    })?;
    Ok(length as usize)
}

/// Reads into the room that `bytes` has left, once. 0 means the end, or no room.
pub(crate) fn read(file: impl AsHandle, bytes: &mut Vec<u8>) -> Result<usize, Errno> {
    let room = bytes.spare_capacity_mut();
    let wanted = u32::try_from(room.len()).unwrap_or(u32::MAX);
    let mut count = 0;
    // SAFETY: the handle is borrowed for the call and was opened for synchronous use; at most `wanted`
    // bytes are written to the spare capacity.
    let answer = unsafe {
        ReadFile(
            file.as_handle().as_raw_handle(),
            room.as_mut_ptr().cast(),
            wanted,
            &raw mut count,
            null_mut(),
        )
    };
    if answer == 0 {
        let error = last_error();
        // Behind the end, or the other end of a pipe is closed.
        let end = [ERROR_HANDLE_EOF, ERROR_BROKEN_PIPE].into_iter().any(|code| error == Errno::of(code));
        return if end { Ok(0) } else { Err(error) };
    }
    let length = bytes.len() + count as usize;
    // SAFETY: the call initialised `count` bytes of the spare capacity.
    unsafe { bytes.set_len(length) };
    Ok(count as usize)
}

/// Writes the beginning of `bytes`, once.
pub(crate) fn write(file: impl AsHandle, bytes: &[u8]) -> Result<usize, Errno> {
    let wanted = u32::try_from(bytes.len()).unwrap_or(u32::MAX);
    let mut count = 0;
    // SAFETY: the handle is borrowed for the call and was opened for synchronous use; at most `wanted`
    // bytes are read from the slice.
    check(unsafe {
        WriteFile(file.as_handle().as_raw_handle(), bytes.as_ptr(), wanted, &raw mut count, null_mut())
    })?;
    Ok(count as usize)
}

/// Waits until the contents of `file`, opened for writing, are on its device.
pub(crate) fn flush(file: impl AsHandle) -> Result<(), Errno> {
    // SAFETY: the handle is borrowed for the call.
    check(unsafe { FlushFileBuffers(file.as_handle().as_raw_handle()) })
}

/// A position in a file, where calls take it.
fn position(offset: u64) -> OVERLAPPED {
    let mut position = OVERLAPPED::default();
    position.Anonymous.Anonymous.Offset = offset as u32;
    position.Anonymous.Anonymous.OffsetHigh = (offset >> 32) as u32;
    position
}

/// Locks `length` bytes from `start` on for this opening of the file; `false` when somebody else has a
/// lock in the way.
pub(crate) fn lock(file: impl AsHandle, start: u64, length: u64, alone: bool) -> Result<bool, Errno> {
    let flags = LOCKFILE_FAIL_IMMEDIATELY | if alone { LOCKFILE_EXCLUSIVE_LOCK } else { 0 };
    let mut position = position(start);
    // SAFETY: the handle is borrowed for the call; `position` outlives it, and the flag says that it does
    // not wait, so that nothing is written to it later.
    let answer = unsafe {
        LockFileEx(
            file.as_handle().as_raw_handle(),
            flags,
            0,
            length as u32,
            (length >> 32) as u32,
            &raw mut position,
        )
    };
    match check(answer) {
        Ok(()) => Ok(true),
        Err(Errno::AGAIN | Errno::IO_PENDING) => Ok(false),
        Err(error) => Err(error),
    }
}

/// Frees what [`lock`] took.
pub(crate) fn unlock(file: impl AsHandle, start: u64, length: u64) -> Result<(), Errno> {
    let mut position = position(start);
    // SAFETY: the handle is borrowed for the call, and `position` outlives it.
    check(unsafe {
        UnlockFileEx(
            file.as_handle().as_raw_handle(),
            0,
            length as u32,
            (length >> 32) as u32,
            &raw mut position,
        )
    })
}
