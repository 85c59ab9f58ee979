//! Calls that neither rustix nor the standard library has: foreign declarations behind a safe
//! signature each. Nothing else in this crate calls C or the Windows API directly.
#[cfg(unix)]
pub(crate) mod posix; // what all Unix systems have

#[cfg(any(target_os = "linux", target_os = "android"))]
pub(crate) mod linux;

#[cfg(target_vendor = "apple")]
pub(crate) mod darwin;

#[cfg(any(target_os = "freebsd", target_os = "dragonfly", target_os = "openbsd", target_os = "netbsd"))]
pub(crate) mod bsd;

#[cfg(windows)]
pub(crate) mod win32;
