//! Child processes that run beside this one.

use core::ffi::{c_char, c_int};
use core::mem::MaybeUninit;
use core::ptr::null;

use super::fd;
use crate::buf::RtBuf;
use crate::errno::{Errno, Out, only, raw};
use crate::os;
use crate::process::pointers;

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

/// The pointers to the texts of a list that is not empty.
///
/// # Safety
/// `list` is readable for `len` bytes.
unsafe fn array(list: *const c_char, len: usize) -> Out<RtBuf> {
    let mut array = RtBuf::EMPTY;
    // SAFETY: the caller's promise.
    match unsafe { pointers(list, len, len, &mut array) }.ok()? {
        0 => Err(Errno::of(libc::EINVAL)),
        _ => Ok(array),
    }
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
        let argv = unsafe { array(spawn.args, spawn.args_len) }?;
        let mut env = RtBuf::EMPTY;
        let mut environment = null();
        if !spawn.env.is_null() {
            // SAFETY: the caller's promise. An empty environment is an empty list.
            unsafe { pointers(spawn.env, spawn.env_len, spawn.env_len, &mut env) }.ok()?;
            environment = env.ptr.cast_const().cast();
        }
        let mut streams = [-1; 3];
        for (stream, given) in streams.iter_mut().zip(spawn.streams) {
            if given != 0 {
                *stream = fd(i64::from(given) - 1)?;
            }
        }
        let group = spawn.flags & RT_SPAWN_GROUP != 0;
        // SAFETY: both arrays end with null.
        unsafe { os::start_with(argv.ptr.cast(), environment, streams, group) }.ok()
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
        let child = match c_int::try_from(pid) {
            Ok(child @ 1..) => child,
            _ => return Err(Errno::of(libc::ECHILD)),
        };
        let mut status = 0;
        match os::wait(child.into(), if flags == 0 { 0 } else { os::NO_WAIT }, &mut status).ok()? {
            0 => Err(Errno::of(libc::EAGAIN)),
            _ => Ok(status),
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
        let pid = match c_int::try_from(pid) {
            Ok(0 | -1) => return Err(Errno::of(libc::EINVAL)),
            Ok(pid) => pid,
            Err(_) => return Err(Errno::of(libc::ESRCH)),
        };
        os::kill(pid, signal).ok()
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
        // SAFETY: the literal ends with a 0. Even nothing is followed by one.
        unsafe { out.push_text(c"".as_ptr(), 0) }.ok()?;
        // SAFETY: the caller's promise.
        unsafe { os::variables(out) }.ok()
    })())
}

/// Removes a variable; one that is not there is removed already. EINVAL for a name that is empty or
/// has `=`.
///
/// # Safety
/// `name` is a readable text, and no other thread uses the environment.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rt_env_remove_var(name: *const c_char, name_len: usize) -> i64 {
    // SAFETY: the caller's promise.
    unsafe { super::with(name, name_len, |name| os::remove_variable(name).ok()) }
}
