//! Files and directories by name.
//!
//! Every function also answers EFAULT for a null pointer, EINVAL for a byte 0 inside a text or an
//! unknown flag, ENAMETOOLONG for a text no path can be. The lists under "Errors" name the system
//! call that fails; `tests/faults.c` produces each of them.

use core::ffi::{c_char, c_int, c_void};
use core::mem::MaybeUninit;

use crate::buf::RtBuf;
use crate::errno::Ret;
use crate::os::{self, Entry};
use crate::text::{NONE, Text, Word, copy, with_text, word, word_of};

/// Write behind what is there.
pub const RT_APPEND: u32 = 1;
/// Fail with EEXIST if the name exists, even as a dangling link.
pub const RT_CREATE_NEW: u32 = 2;
/// Make the directories above it too, and accept one that exists.
pub const RT_RECURSIVE: u32 = 1;
/// Remove an empty directory instead of a file.
pub const RT_DIRECTORY: u32 = 1;
/// Describe a symbolic link itself.
pub const RT_NO_FOLLOW: u32 = 1;
/// Lock for reading, beside other readers.
pub const RT_LOCK_SHARED: u32 = 1;
/// Wait for the lock.
pub const RT_LOCK_WAIT: u32 = 2;

/// The bits of a mode that tell what it is, the other 12 being permissions. The values are POSIX's,
/// on every system.
pub const RT_MODE_KIND: u32 = 0o170_000;
/// The kind of a regular file.
pub const RT_MODE_FILE: u32 = 0o100_000;
/// The kind of a directory.
pub const RT_MODE_DIRECTORY: u32 = 0o040_000;
/// The kind of a symbolic link.
pub const RT_MODE_SYMLINK: u32 = 0o120_000;

/// What is known of a name. Later versions add fields at the end only.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct RtStat {
    /// In bytes.
    pub size: i64,
    /// When the contents last changed, in nanoseconds since 1970; the largest number for a time that
    /// cannot be said so, before 1677 or after 2262.
    pub modified_ns: i64,
    /// The device it is on.
    pub device: u64,
    /// Its number there; with `device`, its identity.
    pub inode: u64,
    /// The number of names it has.
    pub links: u64,
    /// The kind and the permissions; see RT_MODE_KIND.
    pub mode: u32,
    /// The owner.
    pub uid: u32,
    /// The group.
    pub gid: u32,
    /// Always 0.
    pub reserved: u32,
}

impl RtStat {
    /// Whether it is of this kind.
    #[inline(always)]
    fn is(&self, kind: u32) -> bool {
        self.mode & RT_MODE_KIND == kind
    }
}

/// Opens a file by the caller's text.
///
/// # Safety
/// `path` is a readable text.
#[inline(always)]
pub(crate) unsafe fn open(path: *const c_char, path_len: usize, flags: c_int, mode: u32) -> Ret {
    // SAFETY: the caller's promise.
    unsafe { with_text(path, path_len, word(flags as u32), word(mode), NONE, opened) }
}

/// Opens the text of [`open`].
unsafe fn opened(path: *mut c_char, flags: Word, mode: Word, _: Word) -> Ret {
    // SAFETY: with_text made it end with a 0.
    let path = unsafe { Text::new(path) };
    os::open(os::AT_FDCWD, path, flags.addr() as c_int, mode.addr() as u32)
}

/// Describes a name. `out` has room for `out_size` bytes, the size of the structure the caller was
/// compiled with: as much as both sides know is written, and that number of bytes returned.
///
/// # Errors
/// - `newfstatat`: EACCES, EIO, ELOOP, ENAMETOOLONG, ENOENT, ENOMEM, ENOTDIR, EOVERFLOW
///
/// # Safety
/// `path` is a readable text, `out` writable for `out_size` bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rt_fs_stat(
    path: *const c_char,
    path_len: usize,
    flags: u32,
    out: *mut RtStat,
    out_size: usize,
) -> i64 {
    // SAFETY: the caller's promise.
    unsafe { with_text(path, path_len, word(flags), out.cast(), word_of(out_size), described) }.0
}

/// Describes the text of [`rt_fs_stat`].
unsafe fn described(path: *mut c_char, flags: Word, out: Word, out_size: Word) -> Ret {
    let follow = match flags.addr() as u32 {
        0 => 0,
        RT_NO_FOLLOW => os::NO_FOLLOW,
        _ => return Ret::error(libc::EINVAL),
    };
    let mut known = MaybeUninit::<RtStat>::uninit();
    // SAFETY: with_text made it end with a 0.
    let path = unsafe { Text::new(path) };
    // SAFETY: known is a local.
    let found = unsafe { os::stat(os::AT_FDCWD, path, follow, known.as_mut_ptr()) };
    if found.0 < 0 {
        return found;
    }
    let size = out_size.addr().min(size_of::<RtStat>());
    // SAFETY: size is within both structures.
    unsafe { copy(known.as_ptr().cast(), out.cast(), size) };
    Ret(size as i64)
}

/// Reads a whole file and returns the number of bytes. It reads until the end is reported, whatever
/// size the system claims, so that procfs and pipes come whole.
///
/// # Errors
/// - `openat`: EACCES, EISDIR, ELOOP, EMFILE, ENAMETOOLONG, ENFILE, ENODEV, ENOENT, ENOMEM, ENOTDIR, ENXIO, EPERM
/// - `read`: EAGAIN, EINVAL, EIO, EISDIR
/// - `malloc`: ENOMEM
///
/// # Safety
/// `path` is a readable text, `out` a valid buffer.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rt_fs_read(path: *const c_char, path_len: usize, out: *mut RtBuf) -> i64 {
    // SAFETY: the caller's promise.
    unsafe { with_text(path, path_len, out.cast(), NONE, NONE, read) }.0
}

/// Reads the text of [`rt_fs_read`].
unsafe fn read(path: *mut c_char, out: Word, _: Word, _: Word) -> Ret {
    // SAFETY: the promises are the same.
    unsafe { gathered(path, out.cast(), os::O_RDONLY, RtBuf::read_all) }
}

/// Opens a text and has `gather` put what there is into the caller's buffer.
///
/// # Safety
/// `path` ends with a 0, `out` is null or a valid buffer.
#[inline(never)]
unsafe fn gathered(
    path: *const c_char,
    out: *mut RtBuf,
    flags: c_int,
    gather: fn(&mut RtBuf, c_int) -> Ret,
) -> Ret {
    // SAFETY: null is answered with None; otherwise the caller vouches for the pointer.
    let Some(out) = (unsafe { out.as_mut() }) else {
        return Ret::error(libc::EFAULT);
    };
    out.len = 0;
    // Even nothing is followed by a 0.
    // SAFETY: no bytes are read.
    let ready = unsafe { out.push(path.cast(), 0) };
    if ready.0 < 0 {
        return ready;
    }
    // SAFETY: the caller's promise.
    let file = os::open(os::AT_FDCWD, unsafe { Text::new(path) }, flags, 0);
    if file.0 < 0 {
        return file;
    }
    let gathered = gather(out, file.0 as c_int);
    // Closing has nothing to say of what was only read.
    let _ = os::close(file.0 as c_int);
    gathered
}

/// Writes a whole file, making it with mode 0666 less the umask if there is none, and returns the
/// number of bytes. Flags: RT_APPEND, RT_CREATE_NEW; without them the former contents are lost.
/// A failure in between leaves a part of the data; for an exchange in one step, write beside it and
/// rename.
///
/// # Errors
/// - `openat`: EACCES, EDQUOT, EEXIST, EISDIR, ELOOP, EMFILE, ENAMETOOLONG, ENFILE, ENOENT, ENOMEM, ENOSPC, ENOTDIR, ENXIO, EPERM, EROFS, ETXTBSY
/// - `write`: EAGAIN, EDQUOT, EFBIG, EINVAL, EIO, ENOSPC, EPERM, EPIPE
/// - `close`: EDQUOT, EIO, ENOSPC
///
/// # Safety
/// `path` is a readable text, `data` readable for `data_len` bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rt_fs_write(
    path: *const c_char,
    path_len: usize,
    flags: u32,
    data: *const c_void,
    data_len: usize,
) -> i64 {
    // SAFETY: the caller's promise.
    unsafe { with_text(path, path_len, word(flags), data.cast_mut(), word_of(data_len), written) }.0
}

/// Writes the text of [`rt_fs_write`].
unsafe fn written(path: *mut c_char, flags: Word, data: Word, data_len: Word) -> Ret {
    let flags = flags.addr() as u32;
    if flags & !(RT_APPEND | RT_CREATE_NEW) != 0 {
        return Ret::error(libc::EINVAL);
    }
    let mut how = os::O_WRONLY | os::O_CREAT;
    how |= if flags & RT_APPEND != 0 { os::O_APPEND } else { os::O_TRUNC };
    if flags & RT_CREATE_NEW != 0 {
        how |= os::O_EXCL;
    }
    // SAFETY: with_text made it end with a 0.
    let file = os::open(os::AT_FDCWD, unsafe { Text::new(path) }, how, 0o666);
    if file.0 < 0 {
        return file;
    }
    // SAFETY: the caller's promise.
    let written = unsafe { os::write_all(file.0 as c_int, data.cast(), data_len.addr()) };
    os::finish(written, file.0 as c_int)
}

/// Removes a name, never what a symbolic link leads to. With RT_DIRECTORY, an empty directory.
///
/// # Errors
/// - `unlinkat`: EACCES, EBUSY, EIO, EISDIR, ELOOP, ENAMETOOLONG, ENOENT, ENOMEM, ENOTDIR, ENOTEMPTY, EPERM, EROFS
///
/// # Safety
/// `path` is a readable text.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rt_fs_remove(path: *const c_char, path_len: usize, flags: u32) -> i64 {
    // SAFETY: the caller's promise.
    unsafe { with_text(path, path_len, word(flags), NONE, NONE, removed) }.0
}

/// Removes the text of [`rt_fs_remove`].
unsafe fn removed(path: *mut c_char, flags: Word, _: Word, _: Word) -> Ret {
    // SAFETY: with_text made it end with a 0.
    let path = unsafe { Text::new(path) };
    match flags.addr() as u32 {
        0 => os::unlink(os::AT_FDCWD, path, 0),
        RT_DIRECTORY => os::unlink(os::AT_FDCWD, path, os::REMOVE_DIR),
        _ => Ret::error(libc::EINVAL),
    }
}

/// Makes a directory with permission bits `mode` less the umask. With RT_RECURSIVE also those above
/// it, and a directory that exists is success.
///
/// # Errors
/// - `mkdirat`: EACCES, EDQUOT, EEXIST, EIO, ELOOP, EMLINK, ENAMETOOLONG, ENOENT, ENOMEM, ENOSPC, ENOTDIR, EPERM, EROFS
///
/// # Safety
/// `path` is a readable text.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rt_fs_mkdir(path: *const c_char, path_len: usize, mode: u32, flags: u32) -> i64 {
    // SAFETY: the caller's promise.
    unsafe { with_text(path, path_len, word(mode), word(flags), NONE, made) }.0
}

/// Makes the text of [`rt_fs_mkdir`].
unsafe fn made(start: *mut c_char, mode: Word, flags: Word, _: Word) -> Ret {
    let mode = mode.addr() as u32;
    // SAFETY: with_text made it end with a 0.
    let path = unsafe { Text::new(start) };
    match flags.addr() as u32 {
        0 => return os::mkdir(path, mode),
        RT_RECURSIVE => {}
        _ => return Ret::error(libc::EINVAL),
    }
    // The path is cut at each separator in turn, and not at all in the end.
    let mut end = start;
    loop {
        // SAFETY: end has not passed the final 0.
        let byte = unsafe { end.read() };
        let whole = byte == 0;
        if whole || os::is_separator(byte) && end != start {
            // SAFETY: as above.
            unsafe { end.write(0) };
            let made = os::mkdir(path, mode);
            // What is above may exist without being a directory: the next step then says ENOTDIR.
            let passed = !whole && made.0 == Ret::error(libc::EEXIST).0;
            if made.0 < 0 && !passed && !is_dir(path) {
                return made;
            }
            if whole {
                return Ret(0);
            }
            // SAFETY: as above.
            unsafe { end.write(byte) };
        }
        end = end.wrapping_add(1);
    }
}

/// Whether a name leads to a directory.
fn is_dir(path: Text<'_>) -> bool {
    let mut known = MaybeUninit::<RtStat>::uninit();
    // SAFETY: known is a local.
    let done = unsafe { os::stat(os::AT_FDCWD, path, 0, known.as_mut_ptr()) };
    // SAFETY: a call that succeeded filled it.
    done.0 >= 0 && unsafe { known.assume_init_ref() }.is(RT_MODE_DIRECTORY)
}

/// Lists a directory without `.` and `..`: names in the system's order, each followed by a byte 0.
/// Returns the number of names.
///
/// # Errors
/// - `openat`: EACCES, ELOOP, EMFILE, ENAMETOOLONG, ENFILE, ENOENT, ENOMEM, ENOTDIR
/// - `getdents64`: EIO, ENOTDIR
/// - `malloc`: ENOMEM
///
/// # Safety
/// `path` is a readable text, `out` a valid buffer.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rt_fs_list(path: *const c_char, path_len: usize, out: *mut RtBuf) -> i64 {
    // SAFETY: the caller's promise.
    unsafe { with_text(path, path_len, out.cast(), NONE, NONE, listed) }.0
}

/// Lists the text of [`rt_fs_list`].
unsafe fn listed(path: *mut c_char, out: Word, _: Word, _: Word) -> Ret {
    // SAFETY: the promises are the same.
    unsafe { gathered(path, out.cast(), os::O_RDONLY | os::O_DIRECTORY, names) }
}

/// Appends the names in an open directory.
fn names(out: &mut RtBuf, dir: c_int) -> Ret {
    let mut entries = os::Entries::of(dir);
    let mut entry = Entry::NONE;
    let mut count = 0;
    loop {
        let next = entries.next(&mut entry);
        if next.0 < 0 {
            return next;
        }
        if next.0 == 0 {
            return Ret(count);
        }
        // SAFETY: the name of an entry ends with a 0, which is a part of the list.
        let pushed = unsafe { out.push_text(entry.name, 1) };
        if pushed.0 < 0 {
            return pushed;
        }
        count += 1;
    }
}

/// Copies a file's contents and permission bits and returns the number of bytes. The kernel copies
/// where it can, by plain reading and writing otherwise; what the system claims as size is not
/// asked. A file is not copied onto itself: EINVAL. A failure in between leaves a part.
///
/// # Errors
/// - `openat`: EACCES, EDQUOT, EISDIR, ELOOP, EMFILE, ENAMETOOLONG, ENFILE, ENOENT, ENOMEM, ENOSPC, ENOTDIR, ENXIO, EPERM, EROFS, ETXTBSY
/// - `newfstatat`: EIO, ENOMEM
/// - `copy_file_range`, absorbed: EBADF, EINVAL, EIO, ENOSYS, EOPNOTSUPP, EPERM, ETXTBSY, EXDEV
/// - `ftruncate`: EFBIG, EIO, EPERM
/// - `read`: EIO, EISDIR
/// - `close`: EDQUOT, EIO, ENOSPC
///
/// # Safety
/// Both are readable texts.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rt_fs_copy(
    from: *const c_char,
    from_len: usize,
    to: *const c_char,
    to_len: usize,
) -> i64 {
    // SAFETY: the caller's promise.
    unsafe { with_text(from, from_len, to.cast_mut().cast(), word_of(to_len), NONE, copied) }.0
}

/// Copies the text of [`rt_fs_copy`].
unsafe fn copied(from: *mut c_char, to: Word, to_len: Word, _: Word) -> Ret {
    // SAFETY: with_text made it end with a 0.
    let from = os::open(os::AT_FDCWD, unsafe { Text::new(from) }, os::O_RDONLY, 0);
    if from.0 < 0 {
        return from;
    }
    // SAFETY: the caller's promise.
    let copied = unsafe { copy_from(from.0 as c_int, to.cast(), to_len.addr()) };
    let _ = os::close(from.0 as c_int);
    copied
}

/// Copies an open file to a name.
///
/// # Safety
/// `to` is a readable text.
#[inline(always)]
unsafe fn copy_from(from: c_int, to: *const c_char, to_len: usize) -> Ret {
    let mut source = MaybeUninit::<RtStat>::uninit();
    // SAFETY: source is a local.
    let found = unsafe { os::stat_fd(from, source.as_mut_ptr()) };
    if found.0 < 0 {
        return found;
    }
    // SAFETY: the call succeeded and filled it.
    let source = unsafe { source.assume_init_ref() };
    // Reading would refuse it, but only once the target had lost its contents.
    if source.is(RT_MODE_DIRECTORY) {
        return Ret::error(libc::EISDIR);
    }
    // Not emptied on opening: it could be the source under another name.
    // SAFETY: the caller's promise.
    let to = unsafe { open(to, to_len, os::O_WRONLY | os::O_CREAT, source.mode & 0o777) };
    if to.0 < 0 {
        return to;
    }
    os::finish(fill(to.0 as c_int, from, source), to.0 as c_int)
}

/// Replaces the contents of an open file by those of another that is not the same.
#[inline(always)]
fn fill(to: c_int, from: c_int, source: &RtStat) -> Ret {
    let mut target = MaybeUninit::<RtStat>::uninit();
    // SAFETY: target is a local.
    let found = unsafe { os::stat_fd(to, target.as_mut_ptr()) };
    if found.0 < 0 {
        return found;
    }
    // SAFETY: the call succeeded and filled it.
    let target = unsafe { target.assume_init_ref() };
    if source.device == target.device && source.inode == target.inode {
        return Ret::error(libc::EINVAL);
    }
    // A terminal or a pipe has no length.
    if target.is(RT_MODE_FILE) {
        let emptied = os::truncate(to, 0);
        if emptied.0 < 0 {
            return emptied;
        }
    }
    let mut total = 0;
    let mut buf = RtBuf::EMPTY;
    let mut step = buf.reserve(COPIED_AT_ONCE);
    while step.0 >= 0 {
        step = Ret(os::copy_range(from, to));
        if step.0 <= 0 {
            // SAFETY: the buffer has that much room.
            step = unsafe { os::read(from, buf.ptr, COPIED_AT_ONCE) };
            if step.0 == 0 {
                return Ret(total);
            }
            if step.0 < 0 {
                break;
            }
            // SAFETY: that many bytes were just read.
            step = unsafe { os::write_all(to, buf.ptr, step.0 as usize) };
        }
        total += step.0;
    }
    step
}

/// Where the system cannot copy by itself.
const COPIED_AT_ONCE: usize = 0x1_0000;

/// Locks a whole existing file against other openings of it, in this process too, and returns a
/// descriptor that holds the lock until `rt_fs_unlock`. Without RT_LOCK_WAIT, EAGAIN says that
/// someone else has it.
///
/// # Errors
/// - `openat`: EACCES, EISDIR, ELOOP, EMFILE, ENAMETOOLONG, ENFILE, ENOENT, ENOMEM, ENOTDIR, EPERM, EROFS, ETXTBSY
/// - `fcntl`: EAGAIN, EDEADLK, ENOLCK
///
/// # Safety
/// `path` is a readable text.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rt_fs_lock(path: *const c_char, path_len: usize, flags: u32) -> i64 {
    // SAFETY: the caller's promise.
    unsafe { with_text(path, path_len, word(flags), NONE, NONE, locked) }.0
}

/// Locks the text of [`rt_fs_lock`].
unsafe fn locked(path: *mut c_char, flags: Word, _: Word, _: Word) -> Ret {
    let flags = flags.addr() as u32;
    if flags & !(RT_LOCK_SHARED | RT_LOCK_WAIT) != 0 {
        return Ret::error(libc::EINVAL);
    }
    let (how, kind) = match flags & RT_LOCK_SHARED {
        0 => (os::O_RDWR, os::LOCK_EXCLUSIVE),
        _ => (os::O_RDONLY, os::LOCK_SHARED),
    };
    // SAFETY: with_text made it end with a 0.
    let path = unsafe { Text::new(path) };
    let file = os::open(os::AT_FDCWD, path, how, 0);
    if file.0 < 0 {
        return file;
    }
    let locked = os::lock(file.0 as c_int, kind, flags & RT_LOCK_WAIT != 0);
    if locked.0 < 0 {
        let _ = os::close(file.0 as c_int);
        return locked;
    }
    file
}

/// Gives up a lock and closes its descriptor. EBADF for what is none.
///
/// # Errors
/// - `fcntl`: EBADF, ENOLCK
#[unsafe(no_mangle)]
pub extern "C" fn rt_fs_unlock(lock: i64) -> i64 {
    let fd = lock as c_int;
    if i64::from(fd) != lock {
        return Ret::error(libc::EBADF).0;
    }
    let unlocked = os::lock(fd, os::LOCK_NONE, false);
    // Closing would unlock too, but for copies of the descriptor in children that were forked.
    os::finish(unlocked, fd).0
}
