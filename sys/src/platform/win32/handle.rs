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
    /// ERROR_ACCESS_DENIED
    pub(crate) const ACCESS: Self = Self(5);
    /// WSAEADDRINUSE
    pub(crate) const ADDRINUSE: Self = Self(10048);
    /// ERROR_LOCK_VIOLATION
    pub(crate) const AGAIN: Self = Self(33);
    /// ERROR_SHARING_VIOLATION
    pub(crate) const BUSY: Self = Self(32);
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
    /// ERROR_IO_PENDING
    pub(crate) const IO_PENDING: Self = Self(997);
    /// ERROR_DIRECTORY_NOT_SUPPORTED
    pub(crate) const ISDIR: Self = Self(336);
    /// ERROR_STOPPED_ON_SYMLINK
    pub(crate) const LOOP: Self = Self(681);
    /// ERROR_TOO_MANY_OPEN_FILES
    pub(crate) const MFILE: Self = Self(4);
    /// ERROR_INVALID_NAME
    pub(crate) const NAME: Self = Self(123);
    /// ERROR_NO_DATA
    pub(crate) const NO_DATA: Self = Self(232);
    /// ERROR_FILE_NOT_FOUND
    pub(crate) const NOENT: Self = Self(2);
    /// ERROR_NOT_ENOUGH_MEMORY
    pub(crate) const NOMEM: Self = Self(8);
    /// ERROR_NO_MORE_FILES
    pub(crate) const NO_MORE_FILES: Self = Self(18);
    /// WSAENOPROTOOPT
    pub(crate) const NOPROTOOPT: Self = Self(10042);
    /// ERROR_DIRECTORY
    pub(crate) const NOTDIR: Self = Self(267);
    /// ERROR_DIR_NOT_EMPTY
    pub(crate) const NOTEMPTY: Self = Self(145);
    /// ERROR_INVALID_FUNCTION
    pub(crate) const NOSYS: Self = Self(1);
    /// ERROR_NOT_SUPPORTED
    pub(crate) const OPNOTSUPP: Self = Self(50);
    /// ERROR_PRIVILEGE_NOT_HELD
    pub(crate) const PERM: Self = Self(1314);
    /// ERROR_BROKEN_PIPE
    pub(crate) const PIPE: Self = Self(109);
    /// ERROR_PIPE_BUSY
    pub(crate) const PIPE_BUSY: Self = Self(231);
    /// ERROR_PIPE_CONNECTED
    pub(crate) const PIPE_CONNECTED: Self = Self(535);
    /// ERROR_NOT_FOUND
    pub(crate) const SRCH: Self = Self(1168);
    /// ERROR_NOT_SAME_DEVICE
    pub(crate) const XDEV: Self = Self(17);

    /// The error with this code. Codes that mean the same are one.
    pub(crate) fn of(code: u32) -> Self {
        Self(match code {
            // ERROR_PATH_NOT_FOUND: a directory on the way rather than the last name.
            3 => 2,
            // ERROR_FILE_EXISTS
            80 => 183,
            // ERROR_CALL_NOT_IMPLEMENTED
            120 => 50,
            code => i32::try_from(code).unwrap_or(i32::MAX),
        })
    }

    /// The code in an error of the standard library.
    pub(crate) fn from_io_error(error: &io::Error) -> Option<Self> {
        error.raw_os_error().and_then(|code| u32::try_from(code).ok()).map(Self::of)
    }
}

impl From<Errno> for io::Error {
    fn from(error: Errno) -> Self {
        Self::from_raw_os_error(error.0)
    }
}

/// An error of the standard library as a code; `EIO` when it has none.
pub(super) fn code(error: &io::Error) -> Errno {
    Errno::from_io_error(error).unwrap_or(match error.kind() {
        io::ErrorKind::InvalidInput | io::ErrorKind::InvalidFilename => Errno::NAME,
        _ => Errno::IO,
    })
}
