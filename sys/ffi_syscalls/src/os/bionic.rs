//! Starting programs on Android. Bionic declares these in `spawn.h`, for Android 9 (API level 28) and later.

use core::ffi::{c_char, c_int};

use libc::{posix_spawn_file_actions_t, posix_spawnattr_t};

unsafe extern "C" {
    /// Starts a program that is looked for through PATH.
    pub(super) fn posix_spawnp(
        pid: *mut libc::pid_t,
        file: *const c_char,
        actions: *const posix_spawn_file_actions_t,
        attributes: *const posix_spawnattr_t,
        argv: *const *mut c_char,
        env: *const *mut c_char,
    ) -> c_int;
}

#[cfg(feature = "wide")]
unsafe extern "C" {
    /// No actions yet.
    pub(super) fn posix_spawn_file_actions_init(actions: *mut posix_spawn_file_actions_t) -> c_int;
    /// Has the child get a copy of a descriptor.
    pub(super) fn posix_spawn_file_actions_adddup2(
        actions: *mut posix_spawn_file_actions_t,
        from: c_int,
        to: c_int,
    ) -> c_int;
    /// Ends actions.
    pub(super) fn posix_spawn_file_actions_destroy(actions: *mut posix_spawn_file_actions_t) -> c_int;
    /// No attributes yet.
    pub(super) fn posix_spawnattr_init(attributes: *mut posix_spawnattr_t) -> c_int;
    /// Which of the attributes count.
    pub(super) fn posix_spawnattr_setflags(
        attributes: *mut posix_spawnattr_t,
        flags: core::ffi::c_short,
    ) -> c_int;
    /// The signals that the child has blocked.
    pub(super) fn posix_spawnattr_setsigmask(
        attributes: *mut posix_spawnattr_t,
        mask: *const libc::sigset_t,
    ) -> c_int;
    /// Ends attributes.
    pub(super) fn posix_spawnattr_destroy(attributes: *mut posix_spawnattr_t) -> c_int;
}
