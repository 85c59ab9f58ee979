//! The larger set, in `libffi_syscalls_wide` only.

mod descriptor;
mod many;
mod memory;
mod spawn;
mod system;
mod tree;

pub use descriptor::*;
pub use many::*;
pub use memory::*;
pub use spawn::*;
pub use system::*;
pub use tree::*;

use core::ffi::{c_char, c_int};

use crate::errno::{Errno, Out, Ret, raw};
use crate::text::{NONE, Text, Word, with_text};

/// A descriptor as the system takes it; EBADF for what cannot be one.
fn fd(value: i64) -> Out<c_int> {
    c_int::try_from(value).map_err(|_| Errno::of(libc::EBADF))
}

/// Does something with the caller's text, as [`with_text`] does.
///
/// # Safety
/// `text` is a readable text.
unsafe fn with<F: FnOnce(Text<'_>) -> Out>(text: *const c_char, len: usize, call: F) -> i64 {
    /// Calls what it finds behind its second argument.
    unsafe fn make<F: FnOnce(Text<'_>) -> Out>(text: *mut c_char, call: Word, _: Word, _: Word) -> Ret {
        // SAFETY: with left a call there, which is taken once.
        let call = unsafe { call.cast::<Option<F>>().as_mut() }.and_then(Option::take);
        match call {
            // SAFETY: with_text made it end with a 0.
            Some(call) => Ret(raw(call(unsafe { Text::new(text) }))),
            None => Ret::error(libc::EFAULT),
        }
    }
    let mut call = Some(call);
    // SAFETY: the caller's promise.
    unsafe { with_text(text, len, (&raw mut call).cast(), NONE, NONE, make::<F>) }.0
}
