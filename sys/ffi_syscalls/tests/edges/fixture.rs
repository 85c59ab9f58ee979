//! What the table needs of the system: processes that may do less or more, threads that disturb, and
//! the names under which each case finds what it is about.

use std::ffi::{CStr, CString, c_char, c_int, c_void};
use std::fs;
use std::io::{self, Read, Write};
use std::os::fd::AsRawFd;
use std::path::Path;
use std::process::Command;
use std::ptr::{null, null_mut};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use ffi_syscalls::{RtBuf, rt_buf_free, rt_free, rt_last_errno};

/// The user and group `nobody`.
const NOBODY: u32 = 65534;

/// More than the small file system has room for; it ends with a 0.
pub static TEXT: [u8; 1 << 18] = {
    let mut text = [b'x'; 1 << 18];
    text[text.len() - 1] = 0;
    text
};

/// How often the handler of the signal ran.
static SIGNALS: AtomicUsize = AtomicUsize::new(0);

/// A C string of the bytes.
pub fn c(bytes: &[u8]) -> CString {
    CString::new(bytes).unwrap()
}

/// The first interface's `false` in the form of the second's answers.
pub fn yes(done: bool) -> i64 {
    if done { 0 } else { -i64::from(rt_last_errno()) }
}

/// The first interface's -1 in the form of the second's answers.
pub fn number(value: i64) -> i64 {
    if value >= 0 { value } else { yes(false) }
}

/// The first interface's null in the form of the second's answers; what is not null is freed.
pub fn some<T>(pointer: *mut T) -> i64 {
    let answer = yes(!pointer.is_null());
    // SAFETY: the pointer came from the library and is not used again.
    unsafe { rt_free(pointer.cast::<c_void>()) };
    answer
}

/// The answer of a call that fills a buffer, and what is in it.
pub fn filled(call: impl FnOnce(*mut RtBuf) -> i64) -> (i64, Vec<u8>) {
    let mut buf = RtBuf { ptr: null_mut(), len: 0, cap: 0 };
    let answer = call(&raw mut buf);
    let bytes = if answer < 0 || buf.ptr.is_null() {
        Vec::new()
    } else {
        // SAFETY: the library filled so many bytes.
        unsafe { std::slice::from_raw_parts(buf.ptr, buf.len) }.to_vec()
    };
    // SAFETY: the buffer is a local.
    unsafe { rt_buf_free(&raw mut buf) };
    (answer, bytes)
}

/// Gives this thread, and those it starts, a working directory of their own.
pub fn enter(dir: &Path) {
    // SAFETY: only this thread's own state is taken apart.
    assert_eq!(unsafe { libc::unshare(libc::CLONE_FS) }, 0, "{}", io::Error::last_os_error());
    std::env::set_current_dir(dir).unwrap();
}

/// What `work` answers in a process of its own; nothing if it panics there.
pub fn in_child(work: impl FnOnce() -> Vec<u8>) -> Vec<u8> {
    let (mut reader, mut writer) = io::pipe().unwrap();
    // SAFETY: the child uses what it inherits, and ends without returning.
    let child = unsafe { libc::fork() };
    assert!(child >= 0, "{}", io::Error::last_os_error());
    if child == 0 {
        drop(reader);
        let answer = std::panic::catch_unwind(std::panic::AssertUnwindSafe(work)).unwrap_or_default();
        let sent = writer.write_all(&answer).is_ok();
        // SAFETY: nothing of the parent's is to run.
        unsafe { libc::_exit(c_int::from(!sent)) };
    }
    drop(writer);
    let mut answer = Vec::new();
    reader.read_to_end(&mut answer).unwrap();
    // SAFETY: the child is this function's own.
    unsafe { libc::waitpid(child, null_mut(), 0) };
    answer
}

/// The answer of a call in a process that may do as little as the user nobody.
pub fn as_nobody(call: impl FnOnce() -> i64) -> Option<i64> {
    let answer = in_child(|| {
        // SAFETY: this process has one thread.
        let lowered =
            unsafe { libc::getuid() != 0 || (libc::setgid(NOBODY) == 0 && libc::setuid(NOBODY) == 0) };
        if lowered { call().to_ne_bytes().to_vec() } else { Vec::new() }
    });
    answer.try_into().ok().map(i64::from_ne_bytes)
}

/// Makes this process, which has one thread, one that may mount: as it is, or as the root of a user
/// namespace of its own.
pub fn may_mount() -> bool {
    // SAFETY: the calls change what this process alone sees.
    let (user, group) = unsafe { (libc::geteuid(), libc::getegid()) };
    // SAFETY: as above.
    let whole = unsafe { libc::unshare(libc::CLONE_NEWNS) } == 0
        // SAFETY: as above.
        || (unsafe { libc::unshare(libc::CLONE_NEWUSER | libc::CLONE_NEWNS) } == 0
            && fs::write("/proc/self/setgroups", "deny").is_ok()
            && fs::write("/proc/self/uid_map", format!("0 {user} 1")).is_ok()
            && fs::write("/proc/self/gid_map", format!("0 {group} 1")).is_ok());
    whole && mount(None, c"/", libc::MS_REC | libc::MS_PRIVATE, None)
}

/// Mounts a file system of memory, or changes how one is mounted.
pub fn mount(kind: Option<&CStr>, place: &CStr, flags: libc::c_ulong, options: Option<&CStr>) -> bool {
    let kind = kind.map_or(null(), CStr::as_ptr);
    let options = options.map_or(null(), CStr::as_ptr).cast::<c_void>();
    // SAFETY: all of them are C strings or null.
    unsafe { libc::mount(c"none".as_ptr(), place.as_ptr(), kind, flags, options) == 0 }
}

/// Does something while another thread renames `race` away and back all the time.
pub fn in_a_race<R>(work: impl FnOnce() -> R) -> R {
    let racing = AtomicBool::new(true);
    thread::scope(|scope| {
        scope.spawn(|| {
            while racing.load(Ordering::Relaxed) {
                if fs::rename("race", "gone").is_ok() {
                    drop(fs::rename("gone", "race"));
                }
            }
        });
        let done = work();
        racing.store(false, Ordering::Relaxed);
        done
    })
}

extern "C" fn on_signal(_: c_int) {
    SIGNALS.fetch_add(1, Ordering::Relaxed);
}

/// Has the signal interrupt calls, which without SA_RESTART then answer EINTR.
pub fn let_signals_interrupt() {
    // SAFETY: all zeros is a valid action: no flags and an empty mask.
    let mut action: libc::sigaction = unsafe { std::mem::zeroed() };
    action.sa_sigaction = on_signal as *const () as usize;
    // SAFETY: the handler only counts.
    assert_eq!(unsafe { libc::sigaction(libc::SIGUSR1, &raw const action, null_mut()) }, 0);
}

/// A thread that signals are sent to.
#[derive(Clone, Copy)]
struct Target {
    handle: libc::pthread_t,
    number: c_int,
}

impl Target {
    fn this_thread() -> Self {
        // SAFETY: both only tell.
        unsafe { Self { handle: libc::pthread_self(), number: libc::gettid() } }
    }

    /// Sends the signal, and waits until it has come.
    fn signal(self) {
        let before = SIGNALS.load(Ordering::Relaxed);
        // SAFETY: whoever sends is joined by the target.
        assert_eq!(unsafe { libc::pthread_kill(self.handle, libc::SIGUSR1) }, 0);
        while SIGNALS.load(Ordering::Relaxed) == before {
            thread::yield_now();
        }
    }

    /// Waits until the thread waits for something.
    fn await_sleep(self) {
        loop {
            let stat = fs::read_to_string(format!("/proc/self/task/{}/stat", self.number)).unwrap();
            if stat.rsplit_once(") ").is_some_and(|(_, rest)| rest.starts_with('S')) {
                return;
            }
            thread::sleep(Duration::from_micros(200));
        }
    }
}

/// Does something while signals keep coming.
pub fn under_signals<R>(work: impl FnOnce() -> R) -> R {
    let target = Target::this_thread();
    let going = AtomicBool::new(true);
    thread::scope(|scope| {
        scope.spawn(|| {
            while going.load(Ordering::Relaxed) {
                target.signal();
            }
        });
        let done = work();
        going.store(false, Ordering::Relaxed);
        done
    })
}

/// The answer of a call that waits, is interrupted five times while it does, and then gets from `then`
/// what it waits for.
pub fn interrupted(call: impl FnOnce() -> i64, then: impl FnOnce() + Send) -> i64 {
    let target = Target::this_thread();
    thread::scope(|scope| {
        scope.spawn(move || {
            for _ in 0..5 {
                target.await_sleep();
                target.signal();
            }
            target.await_sleep();
            then();
        });
        call()
    })
}

/// Opens the other end of a named pipe once there is someone at this one.
pub fn other_end(path: &str, reads: bool) -> fs::File {
    use std::os::unix::fs::OpenOptionsExt;
    loop {
        let opened =
            fs::OpenOptions::new().read(reads).write(!reads).custom_flags(libc::O_NONBLOCK).open(path);
        match opened {
            Ok(file) => {
                // SAFETY: the descriptor is open.
                assert_eq!(unsafe { libc::fcntl(file.as_raw_fd(), libc::F_SETFL, 0) }, 0);
                return file;
            }
            Err(error) if error.raw_os_error() == Some(libc::ENXIO) => {
                thread::sleep(Duration::from_micros(200));
            }
            Err(error) => panic!("{path}: {error}"),
        }
    }
}

/// The number of descriptors this process has open.
pub fn descriptors() -> usize {
    fs::read_dir("/proc/self/fd").unwrap().count()
}

/// Makes a named pipe.
pub fn named_pipe(path: &str) {
    let path = c(path.as_bytes());
    // SAFETY: a C string.
    assert_eq!(unsafe { libc::mkfifo(path.as_ptr(), 0o600) }, 0, "{}", io::Error::last_os_error());
}

/// Removes whatever has a name, if anything does.
pub fn clear(path: &Path) {
    if fs::remove_file(path).is_err() && path.is_dir() {
        fs::remove_dir_all(path).unwrap();
    }
}

/// A directory that everyone may enter, with a name nobody else has.
pub fn scratch() -> std::path::PathBuf {
    let made = Command::new("mktemp").args(["-d", "-t", "edges-XXXXXX"]).output().unwrap();
    let path = std::path::PathBuf::from(String::from_utf8(made.stdout).unwrap().trim_end());
    fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    path
}

/// The start of a text, as the functions take it.
pub fn start(bytes: &[u8]) -> *const c_char {
    bytes.as_ptr().cast()
}
