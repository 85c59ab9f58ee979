//! Signals, record locks and posix_spawn of every Unix.
use std::ffi::{CStr, CString};
#[cfg(any(target_os = "linux", target_os = "android", target_vendor = "apple"))]
use std::fs::File;
use std::io;
use std::mem::MaybeUninit;
use std::os::fd::{AsRawFd, OwnedFd, RawFd};
use std::ptr;

use rustix::io::Errno;

/// The errno of the C call that has just failed.
pub(crate) fn last_errno() -> Errno {
    let number = io::Error::last_os_error().raw_os_error().unwrap_or(libc::EIO);
    Errno::from_raw_os_error(number)
}

/// Where this thread's errno is.
fn errno_place() -> *mut libc::c_int {
    #[cfg(any(target_os = "linux", target_os = "dragonfly"))]
    // SAFETY: the call takes nothing and answers with the address of a variable of this thread.
    let place = unsafe { libc::__errno_location() };
    #[cfg(any(target_os = "android", target_os = "openbsd", target_os = "netbsd"))]
    // SAFETY: as above.
    let place = unsafe { libc::__errno() };
    #[cfg(any(target_vendor = "apple", target_os = "freebsd"))]
    // SAFETY: as above.
    let place = unsafe { libc::__error() };
    place
}

/// Writes `bytes` to the descriptor number `to`, whatever it is, and keeps errno, which interrupted
/// code may be about to read. For signal handlers: makes one system call and allocates nothing.
pub(crate) fn write_from_handler(to: RawFd, bytes: &[u8]) {
    let place = errno_place();
    // SAFETY: errno is a variable of this thread, always valid, and nobody holds a reference to it.
    let kept = unsafe { place.read() };
    // SAFETY: write(2) reads the bytes of `bytes`. A number that is not open is an error without effect.
    let _ = unsafe { libc::write(to, bytes.as_ptr().cast(), bytes.len()) };
    // SAFETY: as above.
    unsafe { place.write(kept) };
}

/// What a signal does.
pub(crate) struct Action(libc::sigaction);

impl std::fmt::Debug for Action {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Action")
    }
}

/// Has `handler` called on signal `number`, interrupted calls being made again. Answers with what the
/// signal did before.
///
/// `handler` runs at any moment on any thread, so that it may do only what signal-safety(7) lists.
pub(crate) fn handle_signal(number: i32, handler: extern "C" fn(libc::c_int)) -> Result<Action, Errno> {
    // SAFETY: a sigaction of zeroes is valid: no flags, no mask, the default action.
    let mut action: libc::sigaction = unsafe { std::mem::zeroed() };
    action.sa_sigaction = handler as libc::sighandler_t;
    action.sa_flags = libc::SA_RESTART;
    // SAFETY: as above.
    let mut previous: libc::sigaction = unsafe { std::mem::zeroed() };
    // SAFETY: both structures are ours, and `handler` does only what a handler may do.
    let result = unsafe { libc::sigaction(number, &raw const action, &raw mut previous) };
    if result == 0 { Ok(Action(previous)) } else { Err(last_errno()) }
}

/// Gives signal `number` an earlier action back.
pub(crate) fn restore_signal(number: i32, action: &Action) {
    // SAFETY: `action` is what sigaction(2) told us.
    let _ = unsafe { libc::sigaction(number, &raw const action.0, ptr::null_mut()) };
}

/// Gives signal `number` its default action.
pub(crate) fn default_signal(number: i32) {
    // SAFETY: a sigaction of zeroes is valid: no flags, no mask, the default action.
    let action: libc::sigaction = unsafe { std::mem::zeroed() };
    // SAFETY: the structure is ours, and no handler is installed by it.
    let _ = unsafe { libc::sigaction(number, &raw const action, ptr::null_mut()) };
}

/// Sends signal `number`, also one that has no name, to the process `id`.
#[cfg(spawn_helper)]
pub(crate) fn kill(id: i32, number: i32) -> Result<(), Errno> {
    // SAFETY: the call takes two integers and touches no memory of ours.
    let result = unsafe { libc::kill(id, number) };
    if result == 0 { Ok(()) } else { Err(last_errno()) }
}

/// The clock `id` in nanoseconds; 0 when there is no such clock.
#[cfg(not(any(target_os = "linux", target_os = "android")))]
pub(crate) fn clock(id: libc::clockid_t) -> i64 {
    let mut now = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: the call writes one `timespec`, to where ours is.
    let _ = unsafe { libc::clock_gettime(id, &raw mut now) };
    now.tv_sec.saturating_mul(1_000_000_000).saturating_add(now.tv_nsec)
}

/// What happens to a range of bytes.
#[cfg(any(target_os = "linux", target_os = "android", target_vendor = "apple"))]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum RangeChange {
    Share,
    Take,
    Free,
}

/// Locks or frees a range for this opening of the file (F_OFD_SETLK); a `length` of 0 reaches to the
/// end. `AGAIN` or `ACCESS` when somebody else has a lock in the way.
#[cfg(any(target_os = "linux", target_os = "android", target_vendor = "apple"))]
pub(crate) fn change_range(file: &File, change: RangeChange, start: i64, length: i64) -> Result<(), Errno> {
    let kind = match change {
        RangeChange::Share => libc::F_RDLCK,
        RangeChange::Take => libc::F_WRLCK,
        RangeChange::Free => libc::F_UNLCK,
    };
    let range = libc::flock {
        l_type: kind as libc::c_short,
        l_whence: libc::SEEK_SET as libc::c_short,
        l_start: start,
        l_len: length,
        // Must be zero for this kind of lock.
        l_pid: 0,
    };
    loop {
        // SAFETY: the descriptor is open as long as `file` is borrowed, and F_OFD_SETLK reads one
        // `struct flock`, which the pointer leads to.
        let result = unsafe { libc::fcntl(file.as_raw_fd(), libc::F_OFD_SETLK, &raw const range) };
        if result == 0 {
            return Ok(());
        }
        match last_errno() {
            Errno::INTR => {}
            errno => return Err(errno),
        }
    }
}

#[cfg(not(target_os = "android"))]
use libc::{
    posix_spawn, posix_spawn_file_actions_adddup2, posix_spawn_file_actions_destroy,
    posix_spawn_file_actions_init, posix_spawn_file_actions_t, posix_spawnattr_destroy, posix_spawnattr_init,
    posix_spawnattr_setflags, posix_spawnattr_setsigdefault, posix_spawnattr_setsigmask, posix_spawnattr_t,
};

#[cfg(target_os = "android")]
use self::bionic::*;

/// `spawn.h` of Android 9, which the libc crate leaves out.
#[cfg(target_os = "android")]
mod bionic {
    #![allow(non_camel_case_types, reason = "the C names")]
    use libc::{c_char, c_int, c_short, c_void, pid_t, sigset_t};

    pub(super) type posix_spawnattr_t = *mut c_void;
    pub(super) type posix_spawn_file_actions_t = *mut c_void;

    unsafe extern "C" {
        pub(super) fn posix_spawn(
            pid: *mut pid_t,
            path: *const c_char,
            actions: *const posix_spawn_file_actions_t,
            attributes: *const posix_spawnattr_t,
            arguments: *const *mut c_char,
            environment: *const *mut c_char,
        ) -> c_int;
        pub(super) fn posix_spawn_file_actions_init(actions: *mut posix_spawn_file_actions_t) -> c_int;
        pub(super) fn posix_spawn_file_actions_destroy(actions: *mut posix_spawn_file_actions_t) -> c_int;
        pub(super) fn posix_spawn_file_actions_adddup2(
            actions: *mut posix_spawn_file_actions_t,
            from: c_int,
            to: c_int,
        ) -> c_int;
        pub(super) fn posix_spawnattr_init(attributes: *mut posix_spawnattr_t) -> c_int;
        pub(super) fn posix_spawnattr_destroy(attributes: *mut posix_spawnattr_t) -> c_int;
        pub(super) fn posix_spawnattr_setflags(attributes: *mut posix_spawnattr_t, flags: c_short) -> c_int;
        pub(super) fn posix_spawnattr_setsigmask(
            attributes: *mut posix_spawnattr_t,
            mask: *const sigset_t,
        ) -> c_int;
        pub(super) fn posix_spawnattr_setsigdefault(
            attributes: *mut posix_spawnattr_t,
            set: *const sigset_t,
        ) -> c_int;
    }
}

/// The file actions of a spawn, destroyed at the end.
pub(crate) struct FileActions(posix_spawn_file_actions_t);

impl FileActions {
    /// None yet.
    pub(crate) fn new() -> io::Result<Self> {
        let mut actions = MaybeUninit::uninit();
        // SAFETY: the pointer is to memory of the right type, which the call initialises.
        check(unsafe { posix_spawn_file_actions_init(actions.as_mut_ptr()) })?;
        // SAFETY: the call above succeeded.
        Ok(Self(unsafe { actions.assume_init() }))
    }

    /// The child has `from` at the number `to`, across exec.
    pub(crate) fn put(&mut self, from: &OwnedFd, to: RawFd) -> io::Result<()> {
        // SAFETY: the actions are initialised; descriptors are plain numbers here.
        check(unsafe { posix_spawn_file_actions_adddup2(&mut self.0, from.as_raw_fd(), to) })
    }

    /// The child keeps its parent's descriptor at the number `number` under POSIX_SPAWN_CLOEXEC_DEFAULT.
    #[cfg(target_vendor = "apple")]
    pub(crate) fn keep(&mut self, number: RawFd) -> io::Result<()> {
        // SAFETY: the actions are initialised; descriptors are plain numbers here.
        check(unsafe { super::darwin::posix_spawn_file_actions_addinherit_np(&mut self.0, number) })
    }
}

#[cfg(target_os = "freebsd")]
impl FileActions {
    /// The child has no descriptor from the number `from` on.
    pub(crate) fn close_from(&mut self, from: RawFd) -> io::Result<()> {
        // SAFETY: the actions are initialised; descriptors are plain numbers here.
        check(unsafe { super::bsd::posix_spawn_file_actions_addclosefrom_np(&mut self.0, from) })
    }
}

impl Drop for FileActions {
    fn drop(&mut self) {
        // SAFETY: initialised by `new` and destroyed only here.
        unsafe { posix_spawn_file_actions_destroy(&mut self.0) };
    }
}

/// The signals that a child starts with blocked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mask {
    /// All.
    #[cfg_attr(not(spawn_helper), allow(dead_code, reason = "the spawn helper's way to start"))]
    All,
    /// None.
    #[cfg_attr(spawn_helper, allow(dead_code, reason = "for programs that are started without helper"))]
    None,
}

/// The attributes of a spawn, destroyed at the end.
pub(crate) struct Attributes(posix_spawnattr_t);

impl Attributes {
    /// Default actions for every signal, `mask` blocked, and `flags` (`POSIX_SPAWN_*`) besides.
    pub(crate) fn new(mask: Mask, flags: libc::c_int) -> io::Result<Self> {
        let mut attributes = MaybeUninit::uninit();
        // SAFETY: the pointer is to memory of the right type, which the call initialises.
        check(unsafe { posix_spawnattr_init(attributes.as_mut_ptr()) })?;
        // SAFETY: the call above succeeded.
        let mut attributes = Self(unsafe { attributes.assume_init() });
        let all = signals(Mask::All);
        let blocked = signals(mask);
        // SAFETY: attributes and set are initialised.
        check(unsafe { posix_spawnattr_setsigmask(&mut attributes.0, &blocked) })?;
        // SAFETY: as above.
        check(unsafe { posix_spawnattr_setsigdefault(&mut attributes.0, &all) })?;
        #[allow(clippy::unnecessary_cast, reason = "the types of the constants differ between systems")]
        let flags =
            libc::POSIX_SPAWN_SETSIGMASK as libc::c_int | libc::POSIX_SPAWN_SETSIGDEF as libc::c_int | flags;
        // SAFETY: as above; the flags are among those that the call knows.
        check(unsafe { posix_spawnattr_setflags(&mut attributes.0, flags as libc::c_short) })?;
        Ok(attributes)
    }
}

impl Drop for Attributes {
    fn drop(&mut self) {
        // SAFETY: initialised by `new` and destroyed only here.
        unsafe { posix_spawnattr_destroy(&mut self.0) };
    }
}

fn signals(mask: Mask) -> libc::sigset_t {
    let mut set = MaybeUninit::uninit();
    match mask {
        // SAFETY: the pointer is to memory of the right type, which the call initialises.
        Mask::All => unsafe { libc::sigfillset(set.as_mut_ptr()) },
        // SAFETY: as above.
        Mask::None => unsafe { libc::sigemptyset(set.as_mut_ptr()) },
    };
    // SAFETY: neither call can fail for a valid pointer.
    unsafe { set.assume_init() }
}

/// posix_spawn(3): starts the file `path`; the id of the process.
pub(crate) fn spawn(
    path: &CStr,
    actions: &FileActions,
    attributes: &Attributes,
    arguments: &[CString],
    environment: &[CString],
) -> io::Result<i32> {
    let table = |texts: &[CString]| {
        let texts = texts.iter().map(|text| text.as_ptr().cast_mut());
        texts.chain([ptr::null_mut()]).collect::<Vec<_>>()
    };
    let (arguments, environment) = (table(arguments), table(environment));
    let mut id = 0;
    // SAFETY: path, actions and attributes are initialised and outlive the call; both tables end with
    // a null pointer; the call does not write through their pointers, which are mutable for historical
    // reasons only.
    check(unsafe {
        posix_spawn(
            &mut id,
            path.as_ptr(),
            &actions.0,
            &attributes.0,
            arguments.as_ptr(),
            environment.as_ptr(),
        )
    })?;
    Ok(id)
}

/// The answer of the `posix_spawn` family: an errno itself.
fn check(answer: libc::c_int) -> io::Result<()> {
    if answer == 0 { Ok(()) } else { Err(io::Error::from_raw_os_error(answer)) }
}
