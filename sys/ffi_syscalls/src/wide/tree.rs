//! Names: permissions, links, renaming, whole trees, and directories entry by entry.

use core::ffi::{c_char, c_int, c_void};

use crate::buf::RtBuf;
use crate::errno::{Errno, Out, Ret, check, only, raw};
use crate::os::{self, Fd};
use crate::text::{Scratch, Text};
use crate::{file, os::Entries};

/// EEXIST instead of replacing what has the new name.
pub const RT_RENAME_NEW: u32 = 1;

/// Sets the 12 permission bits of what a name leads to.
///
/// # Errors
/// - `fchmodat`: EACCES, EIO, ELOOP, ENAMETOOLONG, ENOENT, ENOMEM, ENOTDIR, EPERM, EROFS
///
/// # Safety
/// `path` is a readable text.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rt_fs_chmod(path: *const c_char, path_len: usize, mode: u32) -> i64 {
    let mut scratch = Scratch::new();
    raw((|| {
        only(mode, 0o7777)?;
        // SAFETY: the caller's promise.
        let path = unsafe { scratch.text(path, path_len) }?;
        // SAFETY: a Text ends with a 0.
        check(unsafe { libc::fchmodat(libc::AT_FDCWD, path.as_ptr(), mode, 0) }.into()).ok()
    })())
}

/// Gives a file or directory another name, replacing in one step a file, or an empty directory, that
/// has it. With RT_RENAME_NEW nothing is replaced.
///
/// # Errors
/// - `renameat2`: EACCES, EBUSY, EDQUOT, EEXIST, EINVAL, EIO, EISDIR, ELOOP, EMLINK, ENAMETOOLONG, ENOENT, ENOMEM, ENOSPC, ENOTDIR, ENOTEMPTY, EPERM, EROFS, EXDEV
///
/// # Safety
/// Both are readable texts.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rt_fs_rename(
    from: *const c_char,
    from_len: usize,
    to: *const c_char,
    to_len: usize,
    flags: u32,
) -> i64 {
    let mut scratch = (Scratch::new(), Scratch::new());
    raw((|| {
        only(flags, RT_RENAME_NEW)?;
        // SAFETY: the caller's promise.
        let from = unsafe { scratch.0.text(from, from_len) }?;
        // SAFETY: the caller's promise.
        let to = unsafe { scratch.1.text(to, to_len) }?;
        os::rename(from, to, flags != 0).ok()
    })())
}

/// Makes a symbolic link to a text that need not lead anywhere.
///
/// # Errors
/// - `symlinkat`: EACCES, EDQUOT, EEXIST, EIO, ELOOP, ENAMETOOLONG, ENOENT, ENOMEM, ENOSPC, ENOTDIR, EPERM, EROFS
///
/// # Safety
/// Both are readable texts.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rt_fs_symlink(
    target: *const c_char,
    target_len: usize,
    path: *const c_char,
    path_len: usize,
) -> i64 {
    let mut scratch = (Scratch::new(), Scratch::new());
    raw((|| {
        // SAFETY: the caller's promise.
        let target = unsafe { scratch.0.text(target, target_len) }?;
        // SAFETY: the caller's promise.
        let path = unsafe { scratch.1.text(path, path_len) }?;
        // SAFETY: a Text ends with a 0.
        check(unsafe { libc::symlinkat(target.as_ptr(), libc::AT_FDCWD, path.as_ptr()) }.into()).ok()
    })())
}

/// The text of a symbolic link; returns its length.
///
/// # Errors
/// - `readlinkat`: EACCES, EINVAL, EIO, ELOOP, ENAMETOOLONG, ENOENT, ENOMEM, ENOTDIR
/// - `malloc`: ENOMEM
///
/// # Safety
/// `path` is a readable text, `out` a valid buffer.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rt_fs_link_target(path: *const c_char, path_len: usize, out: *mut RtBuf) -> i64 {
    let mut scratch = Scratch::new();
    raw((|| {
        // SAFETY: the caller's promise.
        let out = unsafe { RtBuf::emptied(out) }?;
        // SAFETY: the caller's promise.
        let path = unsafe { scratch.text(path, path_len) }?;
        let mut room = 255;
        loop {
            out.reserve(room).ok()?;
            room = out.room();
            // SAFETY: room bytes are allocated, and one more.
            let len = check(
                unsafe { libc::readlinkat(libc::AT_FDCWD, path.as_ptr(), out.ptr.cast(), room) } as i64
            )
            .ok()?;
            // A text that fills the room may have been cut.
            if (len as usize) < room {
                out.len = len as usize;
                out.close();
                return Ok(len);
            }
            room = out.cap;
        }
    })())
}

/// Makes a file that no one else has, readable and writable for its owner alone, in a directory.
/// Returns its open descriptor, and its path in `out`. The caller removes it.
///
/// # Errors
/// - `openat`: EACCES, EDQUOT, ELOOP, EMFILE, ENAMETOOLONG, ENFILE, ENOENT, ENOMEM, ENOSPC, ENOTDIR, EPERM, EROFS
/// - `malloc`: ENOMEM
///
/// # Safety
/// `dir` is a readable text, `out` a valid buffer.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rt_fs_temp_file(dir: *const c_char, dir_len: usize, out: *mut RtBuf) -> i64 {
    const NAME: &[u8] = b"/tmp-XXXXXX";
    let mut scratch = Scratch::new();
    raw((|| {
        // SAFETY: the caller's promise.
        let out = unsafe { RtBuf::emptied(out) }?;
        // SAFETY: the caller's promise.
        let dir = unsafe { scratch.text(dir, dir_len) }?;
        // SAFETY: a Text is readable for its length.
        unsafe { out.push(dir.as_ptr().cast(), dir.len()) }.ok()?;
        // SAFETY: a slice is readable for its length.
        unsafe { out.push(NAME.as_ptr(), NAME.len()) }.ok()?;
        // SAFETY: the buffer ends with a 0 and with the six letters that are replaced.
        check(unsafe { libc::mkostemp(out.ptr.cast(), libc::O_CLOEXEC) }.into()).ok()
    })())
}

/// Removes a file, or a directory with all that is in it. A symbolic link is removed, never followed,
/// whatever anyone does to the tree meanwhile: each directory is opened by its name in the one above,
/// and what is opened is emptied. The first failure ends it, but for what others removed before.
/// The depth is bound by the number of descriptors a process may have: EMFILE.
///
/// # Errors
/// - `unlinkat`: EACCES, EBUSY, EIO, ENAMETOOLONG, ENOMEM, EPERM, EROFS
/// - `openat`: EACCES, EMFILE, ENFILE, ENOMEM
/// - `getdents64`: EIO
/// - `malloc`: ENOMEM
///
/// # Safety
/// `path` is a readable text.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rt_fs_remove_tree(path: *const c_char, path_len: usize) -> i64 {
    let mut scratch = Scratch::new();
    // SAFETY: the caller's promise.
    raw((|| remove_all(libc::AT_FDCWD, unsafe { scratch.text(path, path_len) }?).ok())())
}

/// Removes a name in an open directory, and what is below it.
fn remove_all(dir: c_int, name: Text<'_>) -> Ret {
    let removed = os::unlink_at(dir, name, 0);
    // Linux says EISDIR of a directory, POSIX has EPERM for it, which also has other causes.
    match removed.ok() {
        Err(code) if code == Errno::of(libc::EISDIR) || code == Errno::of(libc::EPERM) => {}
        _ => return removed,
    }
    let emptied: Out = (|| {
        let flags = libc::O_RDONLY | libc::O_DIRECTORY | libc::O_NOFOLLOW;
        let below = os::open_at(dir, name, flags, 0).ok()? as c_int;
        let mut entries = Entries::of(Fd::own(below))?;
        while let Some(entry) = entries.next()? {
            match remove_all(below, entry.name).ok() {
                Err(code) if code != Errno::of(libc::ENOENT) => return Err(code),
                _ => {}
            }
        }
        Ok(0)
    })();
    match emptied {
        Ok(_) => os::unlink_at(dir, name, libc::AT_REMOVEDIR),
        // It was no directory after all, so that the first refusal stands.
        Err(code) if code == Errno::of(libc::ENOTDIR) || code == Errno::of(libc::ELOOP) => removed,
        Err(code) => code.into(),
    }
}

/// Opens a directory to be read entry by entry, in memory that does not grow with it. `*out` is for
/// `rt_dir_next` and `rt_dir_close`.
///
/// # Errors
/// - `openat`: EACCES, ELOOP, EMFILE, ENAMETOOLONG, ENFILE, ENOENT, ENOMEM, ENOTDIR
/// - `malloc`: ENOMEM
///
/// # Safety
/// `path` is a readable text, `out` writable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rt_dir_open(path: *const c_char, path_len: usize, out: *mut *mut c_void) -> i64 {
    raw((|| {
        // SAFETY: the caller's promise.
        let opened = unsafe { file::open(path, path_len, libc::O_RDONLY | libc::O_DIRECTORY, 0) }.ok()?;
        let entries = Entries::of(Fd::own(opened as c_int))?;
        // SAFETY: malloc takes a number.
        let place: *mut Entries = unsafe { libc::malloc(size_of::<Entries>()) }.cast();
        if place.is_null() {
            return Err(Errno::of(libc::ENOMEM));
        }
        // SAFETY: the place is new and large enough.
        unsafe { place.write(entries) };
        // SAFETY: the caller's promise.
        unsafe { out.write(place.cast()) };
        Ok(0)
    })())
}

/// The name of the next entry in `out`, without `.` and `..`. Returns 0 at the end, and otherwise 1
/// plus the kind as in the bits of RT_MODE_KIND, which are 0 where the file system does not tell.
///
/// # Errors
/// - `getdents64`: EBADF, EINVAL, EIO, ENOENT
/// - `malloc`: ENOMEM
///
/// # Safety
/// `dir` is from `rt_dir_open` and not closed, `out` a valid buffer.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rt_dir_next(dir: *mut c_void, out: *mut RtBuf) -> i64 {
    raw((|| {
        // SAFETY: the caller's promise.
        let out = unsafe { RtBuf::emptied(out) }?;
        // SAFETY: the caller's promise.
        let entries = unsafe { dir.cast::<Entries>().as_mut() }.ok_or(Errno::of(libc::EFAULT))?;
        out.reserve(0).ok()?;
        let Some(entry) = entries.next()? else { return Ok(0) };
        // SAFETY: a Text is readable for its length.
        unsafe { out.push(entry.name.as_ptr().cast(), entry.name.len()) }.ok()?;
        Ok(i64::from(entry.kind) + 1)
    })())
}

/// Closes a directory. Null is allowed.
///
/// # Safety
/// `dir` is null or from `rt_dir_open`, and not used again.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rt_dir_close(dir: *mut c_void) {
    if !dir.is_null() {
        // SAFETY: rt_dir_open put the value there; it is dropped once.
        unsafe { dir.cast::<Entries>().drop_in_place() };
        // SAFETY: the memory is from malloc.
        unsafe { libc::free(dir) };
    }
}

/// Reads many files. `paths` is a list of `count` texts, each followed by a byte 0; the contents go
/// behind each other into `out`, and `lens` gets one number for each: its length or a negated errno.
/// Returns how many were read. All are opened first, in groups, and the system told that they will be
/// read, so that a cold disk works on them side by side; on warm ones it costs little.
///
/// # Errors
/// - `malloc`: ENOMEM
///
/// # Safety
/// `paths` is readable for `paths_len` bytes, `out` a valid buffer, `lens` writable for `count`
/// numbers.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rt_fs_read_many(
    paths: *const c_char,
    paths_len: usize,
    out: *mut RtBuf,
    lens: *mut i64,
    count: usize,
) -> i64 {
    /// As many as are open at a time: far below what a process may have.
    const GROUP: usize = 64;
    raw((|| {
        // SAFETY: the caller's promise.
        let out = unsafe { RtBuf::emptied(out) }?;
        // SAFETY: the caller's promise.
        let array = unsafe { crate::process::pointers(paths, paths_len) }?;
        if array.len / size_of::<*const c_char>() != count.saturating_add(1) {
            return Err(Errno::of(libc::EINVAL));
        }
        let names: *const *const c_char = array.ptr.cast();
        let mut read = 0;
        let mut start = 0;
        while start < count {
            let end = count.min(start.saturating_add(GROUP));
            for at in start..end {
                // SAFETY: at is below count, and each text ends with a 0.
                let name = unsafe { Text::new(*names.add(at)) };
                let opened = os::open_at(libc::AT_FDCWD, name, libc::O_RDONLY, 0);
                if opened.0 >= 0 {
                    os::will_need(opened.0 as c_int);
                }
                // The descriptor is kept where its length will be.
                // SAFETY: at is below count.
                unsafe { lens.add(at).write(opened.0) };
            }
            for at in start..end {
                // SAFETY: at is below count.
                let place = unsafe { &mut *lens.add(at) };
                if *place < 0 {
                    continue;
                }
                let file = Fd::own(*place as c_int);
                let before = out.len;
                *place = match out.read_all(file.get()) {
                    Ok(_) => {
                        read += 1;
                        (out.len - before) as i64
                    }
                    failed => {
                        out.len = before;
                        raw(failed)
                    }
                };
            }
            start = end;
        }
        Ok(read)
    })())
}
