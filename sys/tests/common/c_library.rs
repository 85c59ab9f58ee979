//! `ffi_syscalls` as a C program has it: the shared library, loaded at run time.
use std::ffi::{CStr, CString, c_char, c_int, c_void};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

/// The buffer of `ffi_syscalls.h`.
#[repr(C)]
struct Buffer {
    start: *mut u8,
    len: usize,
    capacity: usize,
}

/// The beginning of `RtStat`; the library fills no more than it is told there is room for.
#[repr(C)]
#[derive(Default)]
struct Stat {
    numbers: [u64; 5],
    mode: u32,
}

const NO_FOLLOW: u32 = 1;

type OnePath = unsafe extern "C" fn(*const c_char, usize) -> i64;
type PathAndFlags = unsafe extern "C" fn(*const c_char, usize, u32) -> i64;
type PathAndBuffer = unsafe extern "C" fn(*const c_char, usize, *mut Buffer) -> i64;
type TwoPaths = unsafe extern "C" fn(*const c_char, usize, *const c_char, usize) -> i64;

/// The functions that trees are made with.
pub struct Library {
    read: PathAndBuffer,
    list: PathAndBuffer,
    link_target: PathAndBuffer,
    write: unsafe extern "C" fn(*const c_char, usize, u32, *const c_void, usize) -> i64,
    stat: unsafe extern "C" fn(*const c_char, usize, u32, *mut Stat, usize) -> i64,
    make_directory: unsafe extern "C" fn(*const c_char, usize, u32, u32) -> i64,
    remove: PathAndFlags,
    remove_tree: OnePath,
    rename: unsafe extern "C" fn(*const c_char, usize, *const c_char, usize, u32) -> i64,
    copy: TwoPaths,
    symlink: TwoPaths,
    free: unsafe extern "C" fn(*mut Buffer),
}

/// A number that is not negative, or an errno.
pub type Answer<T> = Result<T, c_int>;

fn answer(value: i64) -> Answer<u64> {
    u64::try_from(value).map_err(|_| i32::try_from(-value).unwrap_or(i32::MAX))
}

fn text(path: &Path) -> (*const c_char, usize) {
    let bytes = path.as_os_str().as_bytes();
    (bytes.as_ptr().cast(), bytes.len())
}

impl Library {
    /// Loads what `ffi_syscalls/build-release` built, or says why that is not possible.
    pub fn load() -> Result<Self, String> {
        let path =
            Path::new(env!("CARGO_MANIFEST_DIR")).join("ffi_syscalls/target/ship/libffi_syscalls_wide.so.1");
        if !path.exists() {
            return Err("sys/ffi_syscalls/build-release was not run".into());
        }
        let name = CString::new(path.as_os_str().as_bytes()).map_err(|_| "a path with a 0 inside")?;
        // SAFETY: the library runs no code when it is loaded.
        let handle = unsafe { libc::dlopen(name.as_ptr(), libc::RTLD_NOW | libc::RTLD_LOCAL) };
        if handle.is_null() {
            // SAFETY: after a failure there is a message, which ends with a 0.
            let reason = unsafe { CStr::from_ptr(libc::dlerror()) };
            return Err(reason.to_string_lossy().into_owned());
        }
        /// # Safety
        /// `F` is the type of the function of that name.
        unsafe fn symbol<F: Copy>(handle: *mut c_void, name: &CStr) -> Result<F, String> {
            // SAFETY: the handle is open, and the name ends with a 0.
            let place = unsafe { libc::dlsym(handle, name.as_ptr()) };
            if place.is_null() {
                return Err(format!("{} is not in the library", name.to_string_lossy()));
            }
            // SAFETY: a function pointer has the size of any pointer; its type is the caller's promise.
            Ok(unsafe { std::mem::transmute_copy(&place) })
        }
        // SAFETY: the types are those of the header.
        unsafe {
            Ok(Self {
                read: symbol(handle, c"rt_fs_read")?,
                list: symbol(handle, c"rt_fs_list")?,
                link_target: symbol(handle, c"rt_fs_link_target")?,
                write: symbol(handle, c"rt_fs_write")?,
                stat: symbol(handle, c"rt_fs_stat")?,
                make_directory: symbol(handle, c"rt_fs_mkdir")?,
                remove: symbol(handle, c"rt_fs_remove")?,
                remove_tree: symbol(handle, c"rt_fs_remove_tree")?,
                rename: symbol(handle, c"rt_fs_rename")?,
                copy: symbol(handle, c"rt_fs_copy")?,
                symlink: symbol(handle, c"rt_fs_symlink")?,
                free: symbol(handle, c"rt_buf_free")?,
            })
        }
    }

    fn filled(&self, path: &Path, fill: PathAndBuffer) -> Answer<Vec<u8>> {
        let mut buffer = Buffer { start: std::ptr::null_mut(), len: 0, capacity: 0 };
        let (start, len) = text(path);
        // SAFETY: the path and the buffer are valid.
        let done = answer(unsafe { fill(start, len, &raw mut buffer) });
        let bytes = match done {
            // SAFETY: a success filled that many bytes.
            Ok(_) => unsafe { std::slice::from_raw_parts(buffer.start, buffer.len) }.to_vec(),
            Err(_) => Vec::new(),
        };
        // SAFETY: the buffer is the library's and not used again.
        unsafe { (self.free)(&raw mut buffer) };
        done.map(|_| bytes)
    }

    pub fn read(&self, path: &Path) -> Answer<Vec<u8>> {
        self.filled(path, self.read)
    }

    /// The names, sorted.
    pub fn list(&self, path: &Path) -> Answer<Vec<Vec<u8>>> {
        let list = self.filled(path, self.list)?;
        let mut names: Vec<_> = list.split(|&byte| byte == 0).map(<[u8]>::to_vec).collect();
        names.pop();
        names.sort();
        Ok(names)
    }

    pub fn link_target(&self, path: &Path) -> Answer<Vec<u8>> {
        self.filled(path, self.link_target)
    }

    pub fn write(&self, path: &Path, bytes: &[u8]) -> Answer<u64> {
        let (start, len) = text(path);
        // SAFETY: the path and the bytes are readable.
        answer(unsafe { (self.write)(start, len, 0, bytes.as_ptr().cast(), bytes.len()) })
    }

    /// The kind in the bits of a mode.
    pub fn kind(&self, path: &Path, follow: bool) -> Answer<u32> {
        let mut stat = Stat::default();
        let (start, len) = text(path);
        let flags = if follow { 0 } else { NO_FOLLOW };
        // SAFETY: the path is readable, and there is room for that much.
        answer(unsafe { (self.stat)(start, len, flags, &raw mut stat, size_of::<Stat>()) })?;
        Ok(stat.mode & 0o170_000)
    }

    pub fn make_directory(&self, path: &Path) -> Answer<u64> {
        let (start, len) = text(path);
        // SAFETY: the path is readable.
        answer(unsafe { (self.make_directory)(start, len, 0o755, 0) })
    }

    pub fn remove(&self, path: &Path) -> Answer<u64> {
        let (start, len) = text(path);
        // SAFETY: the path is readable.
        answer(unsafe { (self.remove)(start, len, 0) })
    }

    pub fn remove_tree(&self, path: &Path) -> Answer<u64> {
        let (start, len) = text(path);
        // SAFETY: the path is readable.
        answer(unsafe { (self.remove_tree)(start, len) })
    }

    pub fn rename(&self, from: &Path, to: &Path) -> Answer<u64> {
        let ((from, from_len), (to, to_len)) = (text(from), text(to));
        // SAFETY: both paths are readable.
        answer(unsafe { (self.rename)(from, from_len, to, to_len, 0) })
    }

    pub fn copy(&self, from: &Path, to: &Path) -> Answer<u64> {
        let ((from, from_len), (to, to_len)) = (text(from), text(to));
        // SAFETY: both paths are readable.
        answer(unsafe { (self.copy)(from, from_len, to, to_len) })
    }

    pub fn symlink(&self, target: &Path, path: &Path) -> Answer<u64> {
        let ((target, target_len), (path, path_len)) = (text(target), text(path));
        // SAFETY: both are readable.
        answer(unsafe { (self.symlink)(target, target_len, path, path_len) })
    }
}
