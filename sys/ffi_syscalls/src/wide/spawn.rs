//! Child processes that run beside this one.

use core::ffi::c_char;
use core::mem::MaybeUninit;
use core::ptr::null;

use super::fd;
use crate::buf::RtBuf;
use crate::errno::{Errno, Out, check, only, raw};
use crate::os;
use crate::process::{pointers, status_of};

/// The child leads a process group of its own, whose number is the child's: a negative number given
/// to `rt_process_kill` then reaches all of it.
pub const RT_SPAWN_GROUP: u32 = 1;
/// Do not wait.
pub const RT_NO_WAIT: u32 = 1;

/// What to start, and how. Fields are only ever added at the end, and 0 in each is the usual.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct RtSpawn {
    /// The program and its arguments, each text followed by a byte 0.
    pub args: *const c_char,
    /// The length of `args`.
    pub args_len: usize,
    /// The environment, `NAME=value` each followed by a byte 0; this process's own if null.
    pub env: *const c_char,
    /// The length of `env`.
    pub env_len: usize,
    /// The descriptors that become the child's 0, 1 and 2, in this order, plus one; 0 keeps this
    /// process's own.
    pub streams: [u32; 3],
    /// RT_SPAWN_GROUP or 0.
    pub flags: u32,
}

/// A value of libc's that is destroyed in the end.
struct Held<T>(MaybeUninit<T>, unsafe extern "C" fn(*mut T) -> libc::c_int);

impl<T> Held<T> {
    fn new(
        init: unsafe extern "C" fn(*mut T) -> libc::c_int,
        destroy: unsafe extern "C" fn(*mut T) -> libc::c_int,
    ) -> Out<Self> {
        let mut value = MaybeUninit::uninit();
        // SAFETY: init makes a value of uninitialised memory.
        code(unsafe { init(value.as_mut_ptr()) })?;
        Ok(Self(value, destroy))
    }
}

impl<T> Drop for Held<T> {
    fn drop(&mut self) {
        // SAFETY: new initialised it.
        unsafe { (self.1)(self.0.as_mut_ptr()) };
    }
}

/// The result of a function that answers an errno instead of setting it.
fn code(value: libc::c_int) -> Out<()> {
    if value == 0 { Ok(()) } else { Err(Errno::of(value)) }
}

/// Starts a program and returns its number, for `rt_process_wait`. `size` is the size of the structure
/// the caller was compiled with. The process is not forked. Signals that are blocked here are not in
/// the child. A program that cannot be started is an error.
///
/// # Errors
/// - `clone`: EAGAIN, ENOMEM
/// - `execve`: E2BIG, EACCES, EIO, EISDIR, ELOOP, EMFILE, ENAMETOOLONG, ENFILE, ENOENT, ENOMEM, ENOTDIR, EPERM, ETXTBSY
/// - `malloc`: ENOMEM
///
/// # Safety
/// `spawn` is readable for `size` bytes, and its pointers for their lengths.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rt_process_spawn(spawn: *const RtSpawn, size: usize) -> i64 {
    raw((|| {
        // A field this version does not know could not be honoured; one the caller does not is 0.
        if spawn.is_null() || size > size_of::<RtSpawn>() {
            return Err(Errno::of(libc::EINVAL));
        }
        let mut known = MaybeUninit::<RtSpawn>::zeroed();
        // SAFETY: size is within both structures.
        unsafe { core::ptr::copy_nonoverlapping(spawn.cast::<u8>(), known.as_mut_ptr().cast(), size) };
        // SAFETY: null pointers and zeros are values of every field.
        let spawn = unsafe { known.assume_init() };
        only(spawn.flags, RT_SPAWN_GROUP)?;
        // SAFETY: the caller's promise.
        let argv = unsafe { pointers(spawn.args, spawn.args_len) }?;
        let mut env = RtBuf::EMPTY;
        let mut environment = os::environment();
        if !spawn.env.is_null() {
            // An empty environment is an empty list.
            static NONE: usize = 0;
            environment = (&raw const NONE).cast();
            if spawn.env_len != 0 {
                // SAFETY: the caller's promise.
                env = unsafe { pointers(spawn.env, spawn.env_len) }?;
                environment = env.ptr.cast();
            }
        }
        let mut actions =
            Held::new(libc::posix_spawn_file_actions_init, libc::posix_spawn_file_actions_destroy)?;
        let actions = &mut actions;
        for (stream, from) in (0..).zip(spawn.streams) {
            if from != 0 {
                let from = fd(i64::from(from) - 1)?;
                // A descriptor that is its own target loses its close-on-exec mark here too.
                // SAFETY: the actions are initialised.
                code(unsafe {
                    libc::posix_spawn_file_actions_adddup2(actions.0.as_mut_ptr(), from, stream)
                })?;
            }
        }
        let mut attributes = Held::new(libc::posix_spawnattr_init, libc::posix_spawnattr_destroy)?;
        let mut mask = MaybeUninit::uninit();
        // SAFETY: there is room for a set.
        unsafe { libc::sigemptyset(mask.as_mut_ptr()) };
        // SAFETY: both are initialised.
        code(unsafe { libc::posix_spawnattr_setsigmask(attributes.0.as_mut_ptr(), mask.as_ptr()) })?;
        let mut flags = libc::POSIX_SPAWN_SETSIGMASK;
        if spawn.flags & RT_SPAWN_GROUP != 0 {
            // The group 0 stands for one of the child's own number.
            flags |= libc::POSIX_SPAWN_SETPGROUP;
        }
        // SAFETY: the attributes are initialised.
        code(unsafe { libc::posix_spawnattr_setflags(attributes.0.as_mut_ptr(), flags as _) })?;
        // SAFETY: all are initialised, and the arrays end with null.
        let started =
            unsafe { os::spawn(argv.ptr.cast(), actions.0.as_ptr(), attributes.0.as_ptr(), environment) };
        drop(env);
        started.ok()
    })())
}

/// Waits for a child and returns its exit code, or RT_SIGNALED and the signal. With RT_NO_WAIT, EAGAIN
/// says that it still runs. A child can be waited for once.
///
/// # Errors
/// - `wait4`: ECHILD, EINVAL
#[unsafe(no_mangle)]
pub extern "C" fn rt_process_wait(pid: i64, flags: u32) -> i64 {
    raw((|| {
        only(flags, RT_NO_WAIT)?;
        // A number that is not positive would mean a group, or any child.
        let child = match libc::pid_t::try_from(pid) {
            Ok(child @ 1..) => child,
            _ => return Err(Errno::of(libc::ECHILD)),
        };
        match os::wait(child, if flags == 0 { 0 } else { libc::WNOHANG })? {
            (0, _) => Err(Errno::of(libc::EAGAIN)),
            (_, status) => Ok(status_of(status)),
        }
    })())
}

/// Sends a signal to a process, or to the group of a negative number; signal 0 only asks whether one
/// could. 0 and -1, which mean very many processes, are refused with EINVAL.
///
/// # Errors
/// - `kill`: EINVAL, EPERM, ESRCH
#[unsafe(no_mangle)]
pub extern "C" fn rt_process_kill(pid: i64, signal: i32) -> i64 {
    raw((|| {
        let pid = match libc::pid_t::try_from(pid) {
            Ok(0 | -1) => return Err(Errno::of(libc::EINVAL)),
            Ok(pid) => pid,
            Err(_) => return Err(Errno::of(libc::ESRCH)),
        };
        // SAFETY: the arguments are numbers.
        check(unsafe { libc::kill(pid, signal) }.into()).ok()
    })())
}

/// The environment as a list, `NAME=value` each followed by a byte 0; returns how many.
///
/// # Errors
/// - `malloc`: ENOMEM
///
/// # Safety
/// `out` is a valid buffer, and no thread changes the environment meanwhile.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rt_env_list(out: *mut RtBuf) -> i64 {
    raw((|| {
        // SAFETY: the caller's promise.
        let out = unsafe { RtBuf::emptied(out) }?;
        out.reserve(0).ok()?;
        out.close();
        let mut entry = os::environment();
        let mut count = 0;
        loop {
            // SAFETY: the array ends with null, where this stops. A process may have none at all.
            let text = if entry.is_null() { null() } else { unsafe { entry.read() }.cast_const() };
            if text.is_null() {
                return Ok(count);
            }
            // SAFETY: the entries end with a 0.
            let len = unsafe { libc::strlen(text) };
            // SAFETY: the text and its 0 are readable.
            unsafe { out.push(text.cast(), len.wrapping_add(1)) }.ok()?;
            entry = entry.wrapping_add(1);
            count += 1;
        }
    })())
}

/// Removes a variable; one that is not there is removed already. EINVAL for a name that is empty or
/// has `=`.
///
/// # Safety
/// `name` is a readable text, and no other thread uses the environment.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rt_env_remove_var(name: *const c_char, name_len: usize) -> i64 {
    let mut scratch = crate::text::Scratch::new();
    raw((|| {
        // SAFETY: the caller's promise.
        let name = unsafe { scratch.text(name, name_len) }?;
        // SAFETY: a Text ends with a 0.
        check(unsafe { libc::unsetenv(name.as_ptr()) }.into()).ok()
    })())
}
