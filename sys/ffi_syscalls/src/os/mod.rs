//! The operating system. One module per system exports the same functions, so that a system without
//! one of them does not compile; where POSIX says how something is done, `posix.rs` does it for all
//! that follow it, and the files beside it have what is done differently on each.
//!
//! Every function answers as [`Ret`] does, and none leaves a descriptor that child
//! processes would inherit.

#[cfg(not(windows))]
mod posix;
#[cfg(not(windows))]
pub(crate) use posix::*;

#[cfg(windows)]
mod win32;
#[cfg(windows)]
pub(crate) use win32::*;

use core::ffi::c_int;

use crate::errno::Ret;

/// Closes a descriptor. Answers its failure, which may be that of an earlier write, unless there was
/// one before.
#[inline(never)]
pub(crate) fn finish(before: Ret, fd: c_int) -> Ret {
    let closed = close(fd);
    if before.0 < 0 || closed.0 >= 0 { before } else { closed }
}

/// An open descriptor, closed when dropped.
#[cfg(feature = "wide")]
pub(crate) struct Fd(c_int);

#[cfg(feature = "wide")]
impl Fd {
    /// Owns a descriptor that was just opened.
    pub(crate) const fn own(fd: c_int) -> Self {
        Self(fd)
    }

    pub(crate) const fn get(&self) -> c_int {
        self.0
    }

    /// Gives the descriptor up, to be closed by somebody else.
    pub(crate) fn into_raw(self) -> i64 {
        core::mem::ManuallyDrop::new(self).0.into()
    }
}

#[cfg(feature = "wide")]
impl Drop for Fd {
    fn drop(&mut self) {
        let _ = close(self.0);
    }
}

/// An entry of a directory.
pub(crate) struct Entry {
    /// Its name, neither `.` nor `..`, with a final 0.
    pub(crate) name: *const core::ffi::c_char,
    /// The kind in the bits of a mode, or 0 if the file system does not tell.
    #[cfg_attr(not(feature = "wide"), expect(dead_code, reason = "the small library lists names only"))]
    pub(crate) kind: u32,
}

impl Entry {
    /// None yet.
    pub(crate) const NONE: Self = Self { name: core::ptr::null(), kind: 0 };
}

/// Batches of calls, which only Linux has.
#[cfg(all(feature = "wide", not(any(target_os = "linux", target_os = "android"))))]
pub(crate) enum Ring {}

#[cfg(all(feature = "wide", not(any(target_os = "linux", target_os = "android"))))]
impl Ring {
    /// The most calls in one batch.
    pub(crate) const MOST: usize = 64;
    /// Added to the length of what was read whole.
    pub(crate) const ENDED: u32 = 1 << 31;

    /// None.
    pub(crate) const fn new() -> Option<Self> {
        None
    }

    /// Opens nothing.
    ///
    /// # Safety
    /// None: there is no ring to be given.
    pub(crate) unsafe fn open(&mut self, _: *const *const core::ffi::c_char, _: &mut [i64]) {
        match *self {}
    }

    /// Reads nothing.
    ///
    /// # Safety
    /// None: there is no ring to be given.
    pub(crate) unsafe fn read(&mut self, _: &[i64], _: *mut u8, _: usize, _: &mut [u32]) {
        match *self {}
    }
}
