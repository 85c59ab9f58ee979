//! What only the larger library needs of Windows.

use core::ffi::{c_int, c_void};
use core::mem::MaybeUninit;
use core::ptr::{null, null_mut};

use windows_sys::Win32::Foundation::{FILETIME, WAIT_TIMEOUT};
use windows_sys::Win32::Security::Authentication::Identity::RtlGenRandom;
use windows_sys::Win32::Storage::FileSystem as fs;
use windows_sys::Win32::System::Environment as environment;
use windows_sys::Win32::System::IO::{DeviceIoControl, OVERLAPPED};
use windows_sys::Win32::System::Ioctl::FSCTL_GET_REPARSE_POINT;
use windows_sys::Win32::System::Memory as memory;
use windows_sys::Win32::System::Pipes::{CreatePipe, PeekNamedPipe};
use windows_sys::Win32::System::SystemInformation::{GetSystemTimePreciseAsFileTime, GetTickCount64};
use windows_sys::Win32::System::Threading as threading;
use windows_sys::Win32::System::WindowsProgramming::QueryUnbiasedInterruptTime;

use super::process::KILLED;
pub(crate) use super::process::{NO_WAIT, start_with};
use super::{
    AT_FDCWD, SYMLINK_TAG, Wide, check, close, descriptor, handle, is_name, push_wide, refusal, since_1970,
    wide_length,
};
use crate::buf::RtBuf;
use crate::errno::{Errno, Out, Ret};
use crate::text::Text;
use crate::wide::{RT_POLL_HANGUP, RT_POLL_INVALID, RT_POLL_READ, RT_POLL_WRITE, RtPoll};

/// Count from the start.
pub(crate) const SEEK_SET: c_int = fs::FILE_BEGIN as c_int;
/// Count from where the descriptor is.
pub(crate) const SEEK_CUR: c_int = fs::FILE_CURRENT as c_int;
/// Count from the end.
pub(crate) const SEEK_END: c_int = fs::FILE_END as c_int;

/// Sets what Windows has of permissions: a file that nobody may write to is read-only.
pub(crate) fn chmod(path: Text<'_>, mode: u32) -> Ret {
    let path = match Wide::path(AT_FDCWD, path) {
        Ok(path) => path,
        Err(refused) => return refused,
    };
    // SAFETY: the path ends with a 0.
    let known = unsafe { fs::GetFileAttributesW(path.as_ptr()) };
    if known == fs::INVALID_FILE_ATTRIBUTES {
        return refusal();
    }
    let wanted = if mode & 0o222 == 0 {
        known | fs::FILE_ATTRIBUTE_READONLY
    } else {
        known & !fs::FILE_ATTRIBUTE_READONLY
    };
    // SAFETY: as above.
    check(unsafe { fs::SetFileAttributesW(path.as_ptr(), wanted) })
}

/// Makes a symbolic link, to a directory if that is what the text leads to from the working directory.
pub(crate) fn symlink(target: Text<'_>, path: Text<'_>) -> Ret {
    let (target, path) = match (Wide::text(target.as_ptr()), Wide::path(AT_FDCWD, path)) {
        (Ok(target), Ok(path)) => (target, path),
        (Err(refused), _) | (_, Err(refused)) => return refused,
    };
    // SAFETY: the path ends with a 0.
    let known = unsafe { fs::GetFileAttributesW(target.as_ptr()) };
    let mut flags = fs::SYMBOLIC_LINK_FLAG_ALLOW_UNPRIVILEGED_CREATE;
    if known != fs::INVALID_FILE_ATTRIBUTES && known & fs::FILE_ATTRIBUTE_DIRECTORY != 0 {
        flags |= fs::SYMBOLIC_LINK_FLAG_DIRECTORY;
    }
    // SAFETY: both end with a 0.
    check(unsafe { fs::CreateSymbolicLinkW(path.as_ptr(), target.as_ptr(), flags) }.into())
}

/// The text of a symbolic link into a buffer.
pub(crate) fn read_link(path: Text<'_>, out: &mut RtBuf) -> Ret {
    /// The most a link can say, in units of two bytes.
    const MOST: usize = 8192;
    /// Where the units begin, in units: behind the tag, three lengths, the flags and four more.
    const HEADER: usize = 10;
    let path = match Wide::path(AT_FDCWD, path) {
        Ok(path) => path,
        Err(refused) => return refused,
    };
    let how = fs::FILE_FLAG_BACKUP_SEMANTICS | fs::FILE_FLAG_OPEN_REPARSE_POINT;
    let share = fs::FILE_SHARE_READ | fs::FILE_SHARE_WRITE | fs::FILE_SHARE_DELETE;
    // SAFETY: the path ends with a 0, and null stands for no attributes and no template.
    let link = descriptor(unsafe {
        fs::CreateFileW(path.as_ptr(), 0, share, null(), fs::OPEN_EXISTING, how, null_mut())
    });
    if link.0 < 0 {
        return link;
    }
    let mut data = [0_u16; MOST];
    let (place, size) = (data.as_mut_ptr().cast(), size_of_val(&data) as u32);
    let mut filled = 0;
    let file = handle(link.0 as c_int);
    // SAFETY: the place has that size.
    let done = check(unsafe {
        DeviceIoControl(file, FSCTL_GET_REPARSE_POINT, null(), 0, place, size, &raw mut filled, null_mut())
    });
    let _ = close(link.0 as c_int);
    if done.0 < 0 {
        return done;
    }
    let [tag_low, tag_high, _, _, _, _, start, len, ..] = data;
    if (u32::from(tag_high) << 16) | u32::from(tag_low) != SYMLINK_TAG {
        return Ret::error(libc::EINVAL);
    }
    let start = HEADER + usize::from(start) / 2;
    match data.get(start..start + usize::from(len) / 2) {
        // SAFETY: a slice is readable for its length.
        Some(text) => unsafe { push_wide(out, text.as_ptr(), text.len(), 0) },
        None => Ret::error(libc::EIO),
    }
}

/// Makes and opens a file of a name that nobody has, whose path goes into an empty buffer.
pub(crate) fn temp_file(dir: Text<'_>, out: &mut RtBuf) -> Ret {
    loop {
        let mut name = *b"\\tmp-0000000000\0";
        let mut chance = [0_u8; 10];
        // SAFETY: the array is writable for its size.
        let filled = unsafe { fill_random(chance.as_mut_ptr().cast(), chance.len()) };
        if filled.0 < 0 {
            return filled;
        }
        for (letter, byte) in name.iter_mut().skip(5).zip(chance) {
            *letter = b'a' + byte % 26;
        }
        out.len = 0;
        for part in [dir.as_ptr(), name.as_ptr().cast()] {
            // SAFETY: both end with a 0.
            let pushed = unsafe { out.push_text(part, 0) };
            if pushed.0 < 0 {
                return pushed;
            }
        }
        // SAFETY: the buffer ends with a 0.
        let path = unsafe { Text::new(out.ptr.cast()) };
        let made = super::open(AT_FDCWD, path, super::O_RDWR | super::O_CREAT | super::O_EXCL, 0o600);
        if made.0 != Ret::error(libc::EEXIST).0 {
            return made;
        }
    }
}

/// Removes a variable.
///
/// # Safety
/// None here; elsewhere the environment is not locked.
pub(crate) unsafe fn remove_variable(name: Text<'_>) -> Ret {
    let name = match Wide::text(name.as_ptr()) {
        Ok(name) => name,
        Err(refused) => return refused,
    };
    if !is_name(name.used()) {
        return Ret::error(libc::EINVAL);
    }
    // SAFETY: the name ends with a 0, and null removes.
    let done = check(unsafe { environment::SetEnvironmentVariableW(name.as_ptr(), null()) });
    if done.0 == Ret::error(libc::ENOENT).0 { Ret(0) } else { done }
}

/// Appends the variables of this process to a list; answers how many there are.
///
/// # Safety
/// None here; elsewhere the environment is not locked.
pub(crate) unsafe fn variables(out: &mut RtBuf) -> Ret {
    // SAFETY: the function has no conditions.
    let block = unsafe { environment::GetEnvironmentStringsW() };
    if block.is_null() {
        return Ret::error(libc::ENOMEM);
    }
    let mut count = 0;
    let mut at = block.cast_const();
    let mut done = Ret(0);
    while done.0 >= 0 {
        // SAFETY: the block ends with an empty text, where this stops.
        let len = unsafe { wide_length(at) };
        if len == 0 {
            done = Ret(count);
            break;
        }
        // Names that begin with `=` are the directories of drives.
        // SAFETY: as above.
        if unsafe { at.read() } != u16::from(b'=') {
            // SAFETY: as above.
            done = unsafe { push_wide(out, at, len, 1) };
            count += 1;
        }
        at = at.wrapping_add(len).wrapping_add(1);
    }
    // SAFETY: the block is not used again.
    unsafe { environment::FreeEnvironmentStringsW(block) };
    done
}

/// Makes a pipe.
pub(crate) fn pipe(ends: &mut [c_int; 2]) -> Ret {
    let (mut from, mut to) = (null_mut(), null_mut());
    // SAFETY: both are locals, and null stands for handles that are not inherited.
    let made = check(unsafe { CreatePipe(&raw mut from, &raw mut to, null(), 0) });
    if made.0 >= 0 {
        *ends = [from.addr() as c_int, to.addr() as c_int];
    }
    made
}

/// Renames, if asked only to a name that is free.
pub(crate) fn rename(from: Text<'_>, to: Text<'_>, only_new: bool) -> Ret {
    let (from, to) = match (Wide::path(AT_FDCWD, from), Wide::path(AT_FDCWD, to)) {
        (Ok(from), Ok(to)) => (from, to),
        (Err(refused), _) | (_, Err(refused)) => return refused,
    };
    let flags = if only_new { 0 } else { fs::MOVEFILE_REPLACE_EXISTING };
    // SAFETY: both end with a 0.
    check(unsafe { fs::MoveFileExW(from.as_ptr(), to.as_ptr(), flags) })
}

/// A file that is kept in memory while there is room, and goes when it is closed.
pub(crate) fn memory_file() -> Ret {
    let mut dir = [0_u16; 300];
    // SAFETY: there are that many units.
    let len = unsafe { fs::GetTempPathW(300, dir.as_mut_ptr()) } as usize;
    if len == 0 || len >= 300 {
        return Ret::error(libc::ENOENT);
    }
    loop {
        let mut chance = [0_u8; 12];
        // SAFETY: the array is writable for its size.
        let filled = unsafe { fill_random(chance.as_mut_ptr().cast(), chance.len()) };
        if filled.0 < 0 {
            return filled;
        }
        for (unit, byte) in dir.iter_mut().take(len + 12).skip(len).zip(chance) {
            *unit = u16::from(b'a' + byte % 26);
        }
        let access = fs::FILE_GENERIC_READ | fs::FILE_GENERIC_WRITE | fs::DELETE;
        let how = fs::FILE_ATTRIBUTE_TEMPORARY | fs::FILE_FLAG_DELETE_ON_CLOSE;
        // SAFETY: the path ends with a 0, and null stands for no attributes and no template.
        let made = descriptor(unsafe {
            fs::CreateFileW(dir.as_ptr(), access, 0, null(), fs::CREATE_NEW, how, null_mut())
        });
        if made.0 != Ret::error(libc::EEXIST).0 {
            return made;
        }
    }
}

/// Starts reading a file ahead of the calls that will want it, where a system can be told.
pub(crate) const fn will_need(_: c_int) {}

/// Where a read or write at an offset is.
const fn place_of(offset: i64) -> OVERLAPPED {
    // SAFETY: zeros and null pointers are values of every field.
    let mut place = unsafe { MaybeUninit::<OVERLAPPED>::zeroed().assume_init() };
    place.Anonymous.Anonymous.Offset = offset as u32;
    place.Anonymous.Anonymous.OffsetHigh = (offset >> 32) as u32;
    place
}

/// Does something that moves the descriptor, and moves it back.
fn in_place(fd: c_int, call: impl FnOnce() -> Ret) -> Ret {
    let before = seek(fd, 0, SEEK_CUR);
    if before.0 < 0 {
        return Ret::error(libc::ESPIPE);
    }
    let done = call();
    let _ = seek(fd, before.0, SEEK_SET);
    done
}

/// Reads at an offset, and leaves the descriptor where it is, but while it reads.
///
/// # Safety
/// `into` is writable for `len` bytes.
pub(crate) unsafe fn read_at(fd: c_int, into: *mut c_void, len: usize, offset: i64) -> Ret {
    if offset < 0 {
        return Ret::error(libc::EINVAL);
    }
    in_place(fd, || {
        let mut place = place_of(offset);
        let mut count = 0;
        let some = len.min(super::MOST) as u32;
        // SAFETY: the caller's promise; the rest are locals.
        let done =
            check(unsafe { fs::ReadFile(handle(fd), into.cast(), some, &raw mut count, &raw mut place) });
        // SAFETY: the function has no conditions.
        let end = unsafe { windows_sys::Win32::Foundation::GetLastError() };
        if done.0 < 0 && end != windows_sys::Win32::Foundation::ERROR_HANDLE_EOF {
            return done;
        }
        Ret(count.into())
    })
}

/// Writes at an offset, and leaves the descriptor where it is, but while it writes.
///
/// # Safety
/// `from` is readable for `len` bytes.
pub(crate) unsafe fn write_at(fd: c_int, from: *const c_void, len: usize, offset: i64) -> Ret {
    if offset < 0 {
        return Ret::error(libc::EINVAL);
    }
    in_place(fd, || {
        let mut place = place_of(offset);
        let mut count = 0;
        let some = len.min(super::MOST) as u32;
        // SAFETY: the caller's promise; the rest are locals.
        let done =
            check(unsafe { fs::WriteFile(handle(fd), from.cast(), some, &raw mut count, &raw mut place) });
        if done.0 < 0 { done } else { Ret(count.into()) }
    })
}

/// Moves a descriptor.
pub(crate) fn seek(fd: c_int, offset: i64, origin: c_int) -> Ret {
    let mut now = 0;
    // SAFETY: now is a local.
    let done = check(unsafe { fs::SetFilePointerEx(handle(fd), offset, &raw mut now, origin as u32) });
    if done.0 < 0 { done } else { Ret(now) }
}

/// Waits until what was written is on the device.
pub(crate) fn sync(fd: c_int) -> Ret {
    // SAFETY: a handle that is none is refused.
    check(unsafe { fs::FlushFileBuffers(handle(fd)) })
}

/// What has happened to a descriptor: a pipe can be asked, and everything else is always ready.
fn happened(fd: c_int, wanted: u16) -> u16 {
    let file = handle(fd);
    // SAFETY: a handle that is none has no type.
    match unsafe { fs::GetFileType(file) } {
        fs::FILE_TYPE_UNKNOWN => RT_POLL_INVALID,
        fs::FILE_TYPE_PIPE => {
            let mut there = 0;
            // SAFETY: there is a local, and null stands for what is not wanted.
            let peeked =
                unsafe { PeekNamedPipe(file, null_mut(), 0, null_mut(), &raw mut there, null_mut()) };
            match (peeked, there) {
                (0, _) if refusal().0 == Ret::error(libc::EPIPE).0 => RT_POLL_HANGUP,
                // The end that is written to cannot be asked.
                (0, _) => wanted & RT_POLL_WRITE,
                (_, 0) => 0,
                _ => wanted & RT_POLL_READ,
            }
        }
        _ => wanted & (RT_POLL_READ | RT_POLL_WRITE),
    }
}

/// Waits for descriptors. The system cannot wait for pipes, so that they are asked again and again.
///
/// # Safety
/// `polls` is valid for `count` elements.
pub(crate) unsafe fn poll(polls: *mut RtPoll, count: usize, timeout_ms: c_int) -> Ret {
    // SAFETY: the function has no conditions.
    let start = unsafe { GetTickCount64() };
    let mut pause = 1;
    loop {
        let mut ready = 0;
        for at in 0..count {
            // SAFETY: at is below count.
            let poll = unsafe { &mut *polls.add(at) };
            poll.happened = if poll.fd < 0 { 0 } else { happened(poll.fd, poll.wanted) };
            ready += i64::from(poll.happened != 0);
        }
        // SAFETY: as above.
        let passed = unsafe { GetTickCount64() }.wrapping_sub(start);
        if ready != 0 || timeout_ms >= 0 && passed >= timeout_ms as u64 {
            return Ret(ready);
        }
        // SAFETY: as above.
        unsafe { threading::Sleep(pause) };
        // From 1 to 15 ms: a long wait costs little, and a short one ends soon.
        pause = (pause * 2).min(15);
    }
}

/// Maps a part of a file, from an offset that is a multiple of 64 KiB.
pub(crate) fn map(fd: c_int, offset: i64, len: usize, writable: bool, shared: bool) -> Out<*mut c_void> {
    if len == 0 || offset < 0 {
        return Err(Errno::of(libc::EINVAL));
    }
    let (protection, access) = match (writable, shared) {
        (false, _) => (memory::PAGE_READONLY, memory::FILE_MAP_READ),
        (true, false) => (memory::PAGE_WRITECOPY, memory::FILE_MAP_COPY),
        (true, true) => (memory::PAGE_READWRITE, memory::FILE_MAP_WRITE),
    };
    // SAFETY: null stands for no attributes and no name, and a size of 0 for that of the file.
    let section =
        descriptor(unsafe { memory::CreateFileMappingW(handle(fd), null(), protection, 0, 0, null()) })
            .ok()? as c_int;
    // SAFETY: a new mapping at a place of the system's choice touches nothing that exists.
    let view =
        unsafe { memory::MapViewOfFile(handle(section), access, (offset >> 32) as u32, offset as u32, len) };
    let refused = refusal();
    // The view keeps the section.
    let _ = close(section);
    if view.Value.is_null() { refused.ok().map(|_| null_mut()) } else { Ok(view.Value) }
}

/// Waits until what was written to a mapping is on the device.
///
/// # Safety
/// The range is mapped.
pub(crate) unsafe fn map_sync(start: *mut c_void, len: usize) -> Ret {
    // SAFETY: the caller's promise.
    check(unsafe { memory::FlushViewOfFile(start, len) })
}

/// Ends a mapping.
///
/// # Safety
/// The range is mapped, and not used again.
pub(crate) unsafe fn unmap(start: *mut c_void, _len: usize) -> Ret {
    // SAFETY: the caller gives the range up.
    check(unsafe { memory::UnmapViewOfFile(memory::MEMORY_MAPPED_VIEW_ADDRESS { Value: start }) })
}

/// Ends a process, of which every signal is capable here; 0 asks whether it runs. There are no groups.
pub(crate) fn kill(process: c_int, signal: c_int) -> Ret {
    if process < 0 {
        return Ret::error(libc::ENOSYS);
    }
    if !(0..=127).contains(&signal) {
        return Ret::error(libc::EINVAL);
    }
    let child = handle(process);
    // SAFETY: a handle that is none is refused.
    if unsafe { threading::WaitForSingleObject(child, 0) } != WAIT_TIMEOUT {
        return Ret::error(libc::ESRCH);
    }
    if signal == 0 {
        return Ret(0);
    }
    // SAFETY: as above.
    check(unsafe { threading::TerminateProcess(child, KILLED | signal as u32) })
}

/// The clocks that there are.
#[derive(Clone, Copy)]
pub(crate) enum Clock {
    /// Time of day.
    Wall,
    /// Stops while the machine sleeps.
    Steady,
    /// Goes on while the machine sleeps, in steps of some milliseconds.
    Boot,
    /// What this process has computed.
    Process,
}

/// The time of a clock in nanoseconds.
pub(crate) fn clock(clock: Clock) -> Ret {
    let none = FILETIME { dwLowDateTime: 0, dwHighDateTime: 0 };
    match clock {
        Clock::Wall => {
            let mut time = none;
            // SAFETY: time is a local.
            unsafe { GetSystemTimePreciseAsFileTime(&raw mut time) };
            Ret(since_1970(time.dwLowDateTime, time.dwHighDateTime))
        }
        Clock::Steady => {
            let mut ticks = 0_u64;
            // SAFETY: ticks is a local.
            let done = check(unsafe { QueryUnbiasedInterruptTime(&raw mut ticks) });
            if done.0 < 0 { done } else { Ret((ticks as i64).saturating_mul(100)) }
        }
        // SAFETY: the function has no conditions.
        Clock::Boot => Ret((unsafe { GetTickCount64() } as i64).saturating_mul(1_000_000)),
        Clock::Process => {
            let [mut made, mut ended, mut kernel, mut user] = [none; 4];
            // SAFETY: the function has no conditions.
            let this = unsafe { threading::GetCurrentProcess() };
            // SAFETY: all are locals.
            let done = check(unsafe {
                threading::GetProcessTimes(
                    this,
                    &raw mut made,
                    &raw mut ended,
                    &raw mut kernel,
                    &raw mut user,
                )
            });
            if done.0 < 0 {
                return done;
            }
            let ticks =
                |time: FILETIME| (i64::from(time.dwHighDateTime) << 32) | i64::from(time.dwLowDateTime);
            Ret((ticks(kernel) + ticks(user)).saturating_mul(100))
        }
    }
}

/// Fills memory with random bytes.
///
/// # Safety
/// `into` is writable for `len` bytes.
pub(crate) unsafe fn fill_random(into: *mut c_void, len: usize) -> Ret {
    let mut done = 0_usize;
    while done < len {
        let some = (len - done).min(super::MOST);
        // SAFETY: done is below len, and the caller vouches for len bytes.
        let place = unsafe { into.byte_add(done) };
        // SAFETY: as above.
        if !unsafe { RtlGenRandom(place, some as u32) } {
            return Ret::error(libc::EIO);
        }
        done = done.wrapping_add(some);
    }
    Ret(len as i64)
}
