//! Descriptors and errnos.
pub use std::os::fd::{AsFd as AsHandle, BorrowedFd as BorrowedHandle, OwnedFd as OwnedHandle};

pub(crate) use rustix::io::Errno;

/// The object, for the time of a call.
pub(crate) fn borrow(object: &impl AsHandle) -> BorrowedHandle<'_> {
    object.as_fd()
}

/// Lets a type of this crate stand for the open object in one of its fields.
macro_rules! stands_for_handle {
    ($type:ty, $($field:ident).+, $words:literal) => {
        impl crate::platform::handle::AsHandle for $type {
            #[doc = $words]
            fn as_fd(&self) -> crate::platform::handle::BorrowedHandle<'_> {
                crate::platform::handle::AsHandle::as_fd(&self.$($field).+)
            }
        }
    };
}
pub(crate) use stands_for_handle;
