//! The larger set, in `libffi_syscalls_wide` only.

mod descriptor;
mod memory;
mod spawn;
mod system;
mod tree;

pub use descriptor::*;
pub use memory::*;
pub use spawn::*;
pub use system::*;
pub use tree::*;

use core::ffi::c_int;

use crate::errno::{Errno, Out};

/// A descriptor as the system takes it; EBADF for what cannot be one.
fn fd(value: i64) -> Out<c_int> {
    c_int::try_from(value).map_err(|_| Errno::of(libc::EBADF))
}
