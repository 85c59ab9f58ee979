//! Descriptors and error numbers.
use std::io;

pub use std::os::fd::{AsFd as AsHandle, BorrowedFd as BorrowedHandle, OwnedFd as OwnedHandle};

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

/// An error of the system, by its number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Errno(i32);

/// The numbers of `wasi/api.h` that the modules above ask for.
impl Errno {
    pub(crate) const AGAIN: Self = Self(6);
    pub(crate) const CONNREFUSED: Self = Self(14);
    pub(crate) const EXIST: Self = Self(20);
    pub(crate) const FBIG: Self = Self(22);
    pub(crate) const INVAL: Self = Self(28);
    pub(crate) const IO: Self = Self(29);
    pub(crate) const ISDIR: Self = Self(31);
    pub(crate) const LOOP: Self = Self(32);
    pub(crate) const MFILE: Self = Self(33);
    pub(crate) const NOENT: Self = Self(44);
    pub(crate) const NOMEM: Self = Self(48);
    pub(crate) const NOPROTOOPT: Self = Self(50);
    pub(crate) const NOTDIR: Self = Self(54);
    pub(crate) const NOTEMPTY: Self = Self(55);
    pub(crate) const OPNOTSUPP: Self = Self(58);
    pub(crate) const PERM: Self = Self(63);
    pub(crate) const SRCH: Self = Self(71);
    pub(crate) const XDEV: Self = Self(75);

    /// The number in an error of the standard library.
    pub(crate) fn from_io_error(error: &io::Error) -> Option<Self> {
        error.raw_os_error().map(Self)
    }
}

impl From<Errno> for io::Error {
    fn from(error: Errno) -> Self {
        Self::from_raw_os_error(error.0)
    }
}
