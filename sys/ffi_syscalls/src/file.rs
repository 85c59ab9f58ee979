//! Files and directories by name.
//!
//! Every function also answers EFAULT for a null pointer, EINVAL for a byte 0 inside a text or an
//! unknown flag, ENAMETOOLONG for a text no path can be. The lists under "Errors" name the system
//! call that fails; `tests/faults.c` produces each of them.

use core::ffi::{c_char, c_int, c_void};

use crate::buf::RtBuf;
use crate::errno::{Errno, Out, Ret, only, raw};
use crate::os::{self, Fd};
use crate::text::{Scratch, Text};

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
    /// When the contents last changed, in nanoseconds since 1970.
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

/// Opens a file by the caller's text.
///
/// # Safety
/// `path` is a readable text.
#[inline(never)]
pub(crate) unsafe fn open(path: *const c_char, path_len: usize, flags: c_int, mode: u32) -> Ret {
    let mut scratch = Scratch::new();
    // SAFETY: the caller's promise.
    match unsafe { scratch.text(path, path_len) } {
        Ok(path) => os::open_at(libc::AT_FDCWD, path, flags, mode),
        Err(code) => code.into(),
    }
}

/// The same as a descriptor that closes itself.
///
/// # Safety
/// `path` is a readable text.
#[inline(always)]
unsafe fn open_fd(path: *const c_char, path_len: usize, flags: c_int, mode: u32) -> Out<Fd> {
    // SAFETY: the caller's promise.
    unsafe { open(path, path_len, flags, mode) }.ok().map(|fd| Fd::own(fd as c_int))
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
    let mut scratch = Scratch::new();
    raw((|| {
        only(flags, RT_NO_FOLLOW)?;
        // SAFETY: the caller's promise.
        let path = unsafe { scratch.text(path, path_len) }?;
        let follow = if flags == 0 { 0 } else { libc::AT_SYMLINK_NOFOLLOW };
        let stat = os::stat_at(libc::AT_FDCWD, path, follow)?;
        let known = RtStat {
            size: stat.st_size,
            modified_ns: os::modified_ns(&stat),
            device: stat.st_dev,
            inode: stat.st_ino,
            links: stat.st_nlink,
            mode: stat.st_mode,
            uid: stat.st_uid,
            gid: stat.st_gid,
            reserved: 0,
        };
        let size = out_size.min(size_of::<RtStat>());
        // SAFETY: size is within both structures.
        unsafe { core::ptr::copy_nonoverlapping((&raw const known).cast::<u8>(), out.cast(), size) };
        Ok(size as i64)
    })())
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
    raw((|| {
        // SAFETY: the caller's promise.
        let out = unsafe { RtBuf::emptied(out) }?;
        // SAFETY: the caller's promise.
        let file = unsafe { open_fd(path, path_len, libc::O_RDONLY, 0) }?;
        out.read_all(file.get())
    })())
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
    raw((|| {
        only(flags, RT_APPEND | RT_CREATE_NEW)?;
        let mut how = libc::O_WRONLY | libc::O_CREAT;
        how |= if flags & RT_APPEND != 0 { libc::O_APPEND } else { libc::O_TRUNC };
        if flags & RT_CREATE_NEW != 0 {
            how |= libc::O_EXCL;
        }
        // SAFETY: the caller's promise.
        let file = unsafe { open_fd(path, path_len, how, 0o666) }?;
        // SAFETY: the caller's promise.
        let written = unsafe { os::write_all(file.get(), data.cast(), data_len) }.ok()?;
        file.close().ok()?;
        Ok(written)
    })())
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
    let mut scratch = Scratch::new();
    raw((|| {
        only(flags, RT_DIRECTORY)?;
        // SAFETY: the caller's promise.
        let path = unsafe { scratch.text(path, path_len) }?;
        os::unlink_at(libc::AT_FDCWD, path, if flags == 0 { 0 } else { libc::AT_REMOVEDIR }).ok()
    })())
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
    let mut scratch = Scratch::new();
    raw((|| {
        only(flags, RT_RECURSIVE)?;
        // SAFETY: the caller's promise.
        let given = unsafe { scratch.text(path, path_len) }?;
        if flags == 0 {
            return os::mkdir(given, mode).ok();
        }
        // A copy that can be cut at each separator in turn.
        let mut copy = RtBuf::EMPTY;
        let len = given.len();
        // SAFETY: the text is len bytes long.
        unsafe { copy.push(given.as_ptr().cast(), len) }.ok()?;
        // SAFETY: the copy ends with a 0.
        let path = unsafe { Text::new(copy.ptr.cast()) };
        for end in 1..=len {
            // SAFETY: end is within the copy and its final 0.
            let at = unsafe { copy.ptr.add(end) };
            // SAFETY: as above.
            let byte = unsafe { at.read() };
            if byte != b'/' && byte != 0 {
                continue;
            }
            // SAFETY: as above.
            unsafe { at.write(0) };
            match os::mkdir(path, mode).ok() {
                Err(code) if !(os::is_dir(path) || byte == b'/' && code == Errno::of(libc::EEXIST)) => {
                    return Err(code);
                }
                _ => {}
            }
            // SAFETY: as above.
            unsafe { at.write(byte) };
        }
        Ok(0)
    })())
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
    raw((|| {
        // SAFETY: the caller's promise.
        let out = unsafe { RtBuf::emptied(out) }?;
        // SAFETY: the caller's promise.
        let dir = unsafe { open_fd(path, path_len, libc::O_RDONLY | libc::O_DIRECTORY, 0) }?;
        let mut entries = os::Entries::of(dir)?;
        let mut count = 0;
        out.reserve(0).ok()?;
        while let Some(entry) = entries.next()? {
            // SAFETY: the name of an entry ends with a 0, which is appended too.
            unsafe { out.push(entry.name.as_ptr().cast(), entry.name.len().wrapping_add(1)) }.ok()?;
            count += 1;
        }
        out.close();
        Ok(count)
    })())
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
    raw((|| {
        // SAFETY: the caller's promise.
        let from = unsafe { open_fd(from, from_len, libc::O_RDONLY, 0) }?;
        let source = os::stat_fd(from.get())?;
        // Reading would refuse it, but only once the target had lost its contents.
        if source.st_mode & RT_MODE_KIND == RT_MODE_DIRECTORY {
            return Err(Errno::of(libc::EISDIR));
        }
        // Not emptied on opening: it could be the source under another name.
        // SAFETY: the caller's promise.
        let to = unsafe { open_fd(to, to_len, libc::O_WRONLY | libc::O_CREAT, source.st_mode & 0o777) }?;
        let target = os::stat_fd(to.get())?;
        if source.st_dev == target.st_dev && source.st_ino == target.st_ino {
            return Err(Errno::of(libc::EINVAL));
        }
        if target.st_mode & RT_MODE_KIND == RT_MODE_FILE {
            os::truncate(to.get(), 0).ok()?;
        }
        let mut total = os::copy_range(from.get(), to.get());
        let mut buf = RtBuf::EMPTY;
        buf.reserve(0xffff).ok()?;
        loop {
            // SAFETY: the buffer has that much room.
            let count = unsafe { os::read(from.get(), buf.ptr, buf.room()) }.ok()?;
            if count == 0 {
                break;
            }
            // SAFETY: count bytes were just read.
            total += unsafe { os::write_all(to.get(), buf.ptr, count as usize) }.ok()?;
        }
        to.close().ok()?;
        Ok(total)
    })())
}

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
    raw((|| {
        only(flags, RT_LOCK_SHARED | RT_LOCK_WAIT)?;
        let (how, kind) = match flags & RT_LOCK_SHARED {
            0 => (libc::O_RDWR, libc::F_WRLCK),
            _ => (libc::O_RDONLY, libc::F_RDLCK),
        };
        // SAFETY: the caller's promise.
        let file = unsafe { open_fd(path, path_len, how, 0) }?;
        os::lock(file.get(), kind as c_int, flags & RT_LOCK_WAIT != 0).ok()?;
        Ok(file.into_raw())
    })())
}

/// Gives up a lock and closes its descriptor. EBADF for what is none.
///
/// # Errors
/// - `fcntl`: EBADF, ENOLCK
#[unsafe(no_mangle)]
pub extern "C" fn rt_fs_unlock(lock: i64) -> i64 {
    raw((|| {
        let fd = c_int::try_from(lock).map_err(|_| Errno::of(libc::EBADF))?;
        let unlocked = os::lock(fd, libc::F_UNLCK as c_int, false);
        // Closing would unlock too, but for copies of the descriptor in children that were forked.
        let closed = os::close(fd);
        unlocked.ok()?;
        closed.ok()
    })())
}
