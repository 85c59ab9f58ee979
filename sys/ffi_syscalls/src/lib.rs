//! System calls for programs in any language, as a small C library.
//!
//! Two interfaces live side by side. The first is 23 functions over C strings that answer with a
//! value or a sentinel and leave the reason in `errno` ([`plain`]). The second answers with an
//! `i64`, where a negative number is the negated errno, takes strings as pointer and length, and
//! returns data in buffers that know their length ([`RtBuf`]); the first is made of it. The rules of
//! both are in `README.md` beside this crate. The feature `wide` adds the larger set.
//!
//! Only libc is used. Nothing here panics on any input; should the compiler have kept a panic path,
//! it aborts.

#![cfg_attr(not(feature = "hosted"), no_std)]
// The loops that measure and copy short texts stay loops: an import of libc costs more than both.
#![no_builtins]

#[cfg(not(any(target_pointer_width = "64", target_os = "wasi")))]
compile_error!("file offsets and the structures of this library assume a 64-bit target, or WASI");

mod buf;
mod env;
mod errno;
mod file;
mod os;
mod plain;
mod process;
mod system;
mod text;
#[cfg(feature = "wide")]
mod wide;

pub use buf::{RtBuf, rt_buf_free, rt_free};
pub use env::{rt_env_current_dir, rt_env_home_dir, rt_env_set_var, rt_env_var};
pub use errno::rt_last_errno;
pub use file::{
    RT_APPEND, RT_CREATE_NEW, RT_DIRECTORY, RT_LOCK_SHARED, RT_LOCK_WAIT, RT_MODE_DIRECTORY, RT_MODE_FILE,
    RT_MODE_KIND, RT_MODE_SYMLINK, RT_NO_FOLLOW, RT_RECURSIVE, RtStat, rt_fs_copy, rt_fs_list, rt_fs_lock,
    rt_fs_mkdir, rt_fs_read, rt_fs_remove, rt_fs_stat, rt_fs_unlock, rt_fs_write,
};
pub use plain::{
    rt_dir_create, rt_dir_list, rt_env_cwd, rt_env_get, rt_env_home, rt_env_set, rt_file_append_text,
    rt_file_copy, rt_file_delete, rt_file_exists, rt_file_lock, rt_file_mmap_read_bytes,
    rt_file_mmap_read_text, rt_file_modified_time, rt_file_read_text, rt_file_remove, rt_file_size,
    rt_file_unlock, rt_file_write_text, rt_hostname, rt_process_run,
};
pub use process::{RT_SIGNALED, rt_getpid, rt_process_exec};
pub use system::{RT_ABI_VERSION, rt_abi_version, rt_sys_hostname, rt_system_cpu_count};
pub use text::RT_NUL_TERMINATED;
#[cfg(feature = "wide")]
pub use wide::*;

#[cfg(all(not(feature = "hosted"), not(test)))]
#[panic_handler]
fn panic(_: &core::panic::PanicInfo<'_>) -> ! {
    // SAFETY: abort takes no argument and may be called at any time.
    unsafe { libc::abort() }
}
