//! Handles and error codes.
use std::io;

pub use std::os::windows::io::{AsHandle, BorrowedHandle, OwnedHandle};

/// The object, for the time of a call.
pub(crate) fn borrow(object: &impl AsHandle) -> BorrowedHandle<'_> {
    object.as_handle()
}

/// Lets a type of this crate stand for the open object in one of its fields.
macro_rules! stands_for_handle {
    ($type:ty, $($field:ident).+, $words:literal) => {
        impl crate::platform::handle::AsHandle for $type {
            #[doc = $words]
            fn as_handle(&self) -> crate::platform::handle::BorrowedHandle<'_> {
                crate::platform::handle::AsHandle::as_handle(&self.$($field).+)
            }
        }
    };
}
pub(crate) use stands_for_handle;

/// A Win32 error code. The names are POSIX's, each for the code that means it, so that the modules above
/// ask the same question on every system.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Errno(i32);

/// The codes of `winerror.h` that the modules above ask for.
impl Errno {
    /// ERROR_LOCK_VIOLATION
    pub(crate) const AGAIN: Self = Self(33);
    /// WSAECONNREFUSED
    pub(crate) const CONNREFUSED: Self = Self(10061);
    /// ERROR_ALREADY_EXISTS
    pub(crate) const EXIST: Self = Self(183);
    /// ERROR_FILE_TOO_LARGE
    pub(crate) const FBIG: Self = Self(223);
    /// ERROR_INVALID_PARAMETER
    pub(crate) const INVAL: Self = Self(87);
    /// ERROR_IO_DEVICE
    pub(crate) const IO: Self = Self(1117);
    /// ERROR_DIRECTORY_NOT_SUPPORTED
    pub(crate) const ISDIR: Self = Self(336);
    /// ERROR_STOPPED_ON_SYMLINK
    pub(crate) const LOOP: Self = Self(681);
    /// ERROR_TOO_MANY_OPEN_FILES
    pub(crate) const MFILE: Self = Self(4);
    /// ERROR_FILE_NOT_FOUND
    pub(crate) const NOENT: Self = Self(2);
    /// ERROR_NOT_ENOUGH_MEMORY
    pub(crate) const NOMEM: Self = Self(8);
    /// WSAENOPROTOOPT
    pub(crate) const NOPROTOOPT: Self = Self(10042);
    /// ERROR_DIRECTORY
    pub(crate) const NOTDIR: Self = Self(267);
    /// ERROR_DIR_NOT_EMPTY
    pub(crate) const NOTEMPTY: Self = Self(145);
    /// ERROR_NOT_SUPPORTED
    pub(crate) const OPNOTSUPP: Self = Self(50);
    /// ERROR_PRIVILEGE_NOT_HELD
    pub(crate) const PERM: Self = Self(1314);
    /// ERROR_NOT_FOUND
    pub(crate) const SRCH: Self = Self(1168);
    /// ERROR_NOT_SAME_DEVICE
    pub(crate) const XDEV: Self = Self(17);

    /// The code in an error of the standard library.
    pub(crate) fn from_io_error(error: &io::Error) -> Option<Self> {
        error.raw_os_error().map(Self)
    }
}

impl From<Errno> for io::Error {
    fn from(error: Errno) -> Self {
        Self::from_raw_os_error(error.0)
    }
}
