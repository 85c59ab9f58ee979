//! Names: permissions, links, renaming, whole trees, and directories entry by entry.

use core::ffi::{c_char, c_int, c_void};
use core::ptr::null_mut;

use super::with;
use crate::buf::RtBuf;
use crate::errno::{Errno, Out, Ret, only, raw};
use crate::os::{self, Entries, Entry, Fd};
use crate::text::Text;

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
    // SAFETY: the caller's promise.
    unsafe {
        with(path, path_len, |path| {
            only(mode, 0o7777)?;
            os::chmod(path, mode).ok()
        })
    }
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
    // SAFETY: the caller's promise.
    unsafe {
        with(from, from_len, |from| {
            only(flags, RT_RENAME_NEW)?;
            Ret(with(to, to_len, |to| os::rename(from, to, flags != 0).ok())).ok()
        })
    }
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
    // SAFETY: the caller's promise.
    unsafe {
        with(target, target_len, |target| {
            Ret(with(path, path_len, |path| os::symlink(target, path).ok())).ok()
        })
    }
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
    // SAFETY: the caller's promise.
    unsafe {
        with(path, path_len, |path| {
            let out = RtBuf::emptied(out)?;
            os::read_link(path, out).ok()
        })
    }
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
    // SAFETY: the caller's promise.
    unsafe {
        with(dir, dir_len, |dir| {
            let out = RtBuf::emptied(out)?;
            os::temp_file(dir, out).ok()
        })
    }
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
    // SAFETY: the caller's promise.
    unsafe { with(path, path_len, |path| remove_all(path).ok()) }
}

/// Removes a name, and what is below it. Not by recursion: the depth of a tree is not ours to choose, and a
/// stack may be small.
fn remove_all(path: Text<'_>) -> Ret {
    let mut level = null_mut();
    let removed = remove_below(path, &mut level);
    // Those that are still open after a failure.
    while !level.is_null() {
        level = Level::close(level);
    }
    removed
}

/// A directory that is being emptied.
struct Level {
    entries: Entries,
    /// What is being removed; its name is that in `entries`.
    entry: Entry,
    dir: Fd,
    /// The directory it is in; null for the first one.
    above: *mut Level,
}

impl Level {
    /// Opens a directory, never through a symbolic link.
    fn open((dir, name): (c_int, Text<'_>), above: *mut Level) -> Out<*mut Level> {
        let flags = os::O_RDONLY | os::O_DIRECTORY | os::O_NOFOLLOW;
        let dir = Fd::own(os::open(dir, name, flags, 0).ok()? as c_int);
        Ok(Held::new(Self { entries: Entries::of(dir.get()), entry: Entry::NONE, dir, above })?.into_raw())
    }

    /// Closes it, and answers the one above.
    fn close(level: *mut Self) -> *mut Self {
        let mut held = Held(level);
        held.get().above
    }
}

/// The name that is being removed, and the directory it is in.
fn place<'a>(level: *mut Level, path: Text<'a>) -> (c_int, Text<'a>) {
    // SAFETY: null, or open, as only `close` frees a level.
    match unsafe { level.as_ref() } {
        // SAFETY: the name of an entry ends with a 0.
        Some(level) => (level.dir.get(), unsafe { Text::new(level.entry.name) }),
        None => (os::AT_FDCWD, path),
    }
}

/// The walk of [`remove_all`]; `level` is the deepest directory that is open.
fn remove_below(path: Text<'_>, level: &mut *mut Level) -> Ret {
    let gone = Ret::error(libc::ENOENT).0;
    loop {
        let at = place(*level, path);
        let mut removed = os::unlink(at.0, at.1, 0);
        // Linux says EISDIR of a directory, POSIX has EPERM for it, which also has other causes.
        if removed.0 == Ret::error(libc::EISDIR).0 || removed.0 == Ret::error(libc::EPERM).0 {
            match Level::open(at, *level) {
                Ok(below) => (*level, removed) = (below, Ret(0)),
                // It was no directory after all, so that the first refusal stands.
                Err(code) if code == Errno::of(libc::ENOTDIR) || code == Errno::of(libc::ELOOP) => {}
                Err(code) => removed = code.into(),
            }
        }
        loop {
            // SAFETY: as in `place`.
            let Some(open) = (unsafe { level.as_mut() }) else {
                return removed;
            };
            // What others removed before is removed.
            if removed.0 < 0 && removed.0 != gone {
                return removed;
            }
            let next = open.entries.next(&mut open.entry);
            if next.0 < 0 && next.0 != gone {
                return next;
            }
            if next.0 > 0 {
                break;
            }
            *level = Level::close(*level);
            let at = place(*level, path);
            removed = os::unlink(at.0, at.1, os::REMOVE_DIR);
        }
    }
}

/// A value on the heap.
struct Held<T>(*mut T);

impl<T> Held<T> {
    fn new(value: T) -> Out<Self> {
        // SAFETY: malloc takes a number.
        let place: *mut T = unsafe { libc::malloc(size_of::<T>()) }.cast();
        if place.is_null() {
            return Err(Errno::of(libc::ENOMEM));
        }
        // SAFETY: the place is new and large enough, and malloc aligns for every type here.
        unsafe { place.write(value) };
        Ok(Self(place))
    }

    /// Gives the value up, to be held again by somebody else.
    fn into_raw(self) -> *mut T {
        core::mem::ManuallyDrop::new(self).0
    }

    fn get(&mut self) -> &mut T {
        // SAFETY: new wrote a value, which is borrowed as long as this.
        unsafe { &mut *self.0 }
    }
}

impl<T> Drop for Held<T> {
    fn drop(&mut self) {
        // SAFETY: new wrote a value, which is dropped once.
        unsafe { self.0.drop_in_place() };
        // SAFETY: the memory is from malloc.
        unsafe { libc::free(self.0.cast()) };
    }
}

/// What `rt_dir_open` gives out.
struct Open {
    entries: Entries,
    /// Closed with it.
    _dir: Fd,
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
    // SAFETY: the caller's promise.
    unsafe {
        with(path, path_len, |path| {
            let dir = Fd::own(os::open(os::AT_FDCWD, path, os::O_RDONLY | os::O_DIRECTORY, 0).ok()? as c_int);
            let held = Held::new(Open { entries: Entries::of(dir.get()), _dir: dir })?;
            out.write(held.into_raw().cast());
            Ok(0)
        })
    }
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
        let open = unsafe { dir.cast::<Open>().as_mut() }.ok_or(Errno::of(libc::EFAULT))?;
        let mut entry = Entry::NONE;
        // SAFETY: the literal ends with a 0.
        unsafe { out.push_text(c"".as_ptr(), 0) }.ok()?;
        if open.entries.next(&mut entry).ok()? == 0 {
            return Ok(0);
        }
        // SAFETY: the name of an entry ends with a 0.
        unsafe { out.push_text(entry.name, 0) }.ok()?;
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
        drop(Held::<Open>(dir.cast()));
    }
}
