//! Failures as errno values.

use core::ffi::c_int;

use crate::os;

/// A result in the form in which it leaves the library: a value that is not negative, or a negated
/// errno. Functions that are called rather than inlined return this: a `Result` needs a second
/// register and a test of its own at every step, which made the code half as large again.
#[must_use]
#[repr(transparent)]
#[derive(Clone, Copy)]
pub(crate) struct Ret(pub(crate) i64);

/// A negated errno.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct Errno(i64);

impl Errno {
    /// The reason the libc call just made failed.
    #[cfg(all(unix, feature = "wide"))]
    pub(crate) fn last() -> Self {
        Self(-i64::from(os::errno()))
    }

    /// One of libc's constants.
    pub(crate) const fn of(code: c_int) -> Self {
        Self(-(code as i64))
    }
}

/// A result on its way through a function, for `?`.
pub(crate) type Out<T = i64> = Result<T, Errno>;

impl Ret {
    /// A failure, by one of libc's constants.
    pub(crate) const fn error(code: c_int) -> Self {
        Self(-(code as i64))
    }

    /// For `?`.
    #[cfg(feature = "wide")]
    #[inline(always)]
    pub(crate) fn ok(self) -> Out {
        if self.0 < 0 { Err(Errno(self.0)) } else { Ok(self.0) }
    }
}

impl From<Errno> for Ret {
    #[inline(always)]
    fn from(code: Errno) -> Self {
        Self(code.0)
    }
}

impl From<Out> for Ret {
    #[inline(always)]
    fn from(out: Out) -> Self {
        Self(raw(out))
    }
}

/// The result as it crosses the C boundary.
#[inline(always)]
pub(crate) fn raw(out: Out) -> i64 {
    match out {
        Ok(value) => value,
        Err(Errno(code)) => code,
    }
}

/// The return value of a libc call that answers -1 and sets errno.
#[cfg(not(windows))]
#[inline(never)]
pub(crate) fn check(value: i64) -> Ret {
    if value < 0 { Ret::error(os::errno()) } else { Ret(value) }
}

/// Refuses flag bits this version does not know, so that later versions can give them a meaning.
#[cfg(feature = "wide")]
#[inline(always)]
pub(crate) fn only(flags: u32, known: u32) -> Out<()> {
    if flags & !known == 0 { Ok(()) } else { Err(Errno::of(libc::EINVAL)) }
}

/// For the first interface: a failure is left in `errno`, and becomes -1.
#[inline(never)]
pub(crate) fn leave(result: i64) -> i64 {
    if result >= 0 {
        return result;
    }
    os::set_errno(result.wrapping_neg() as c_int);
    -1
}

/// The errno left by the last function of the first interface that failed on this thread.
/// The second interface neither needs nor keeps it.
#[unsafe(no_mangle)]
pub extern "C" fn rt_last_errno() -> i32 {
    os::errno()
}
