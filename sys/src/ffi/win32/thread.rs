//! Processors and clocks.
use windows_sys::Win32::System::SystemInformation::{GROUP_AFFINITY, GetTickCount64};
use windows_sys::Win32::System::Threading::{
    GetCurrentThread, GetThreadGroupAffinity, SetThreadGroupAffinity,
};
use windows_sys::Win32::System::WindowsProgramming::QueryUnbiasedInterruptTime;

use super::check;
use crate::platform::Errno;

/// The group of processors that the calling thread runs on, and which of its 64 it may use.
pub(crate) fn affinity() -> Result<(u16, usize), Errno> {
    let mut affinity = GROUP_AFFINITY::default();
    // SAFETY: this thread's own pseudo-handle; the call fills the structure.
    check(unsafe { GetThreadGroupAffinity(GetCurrentThread(), &raw mut affinity) })?;
    Ok((affinity.Group, affinity.Mask))
}

/// Lets the calling thread run on these processors of `group` only.
pub(crate) fn set_affinity(group: u16, mask: usize) -> Result<(), Errno> {
    let affinity = GROUP_AFFINITY { Mask: mask, Group: group, Reserved: [0; 3] };
    // SAFETY: this thread's own pseudo-handle; the call reads the structure, and the earlier value is not
    // asked for.
    check(unsafe { SetThreadGroupAffinity(GetCurrentThread(), &raw const affinity, std::ptr::null_mut()) })
}

/// Nanoseconds since the start of the system, without the time that it slept. As fine as its timer
/// interrupt, 0.5 to 16 ms.
pub(crate) fn awake() -> u64 {
    let mut units = 0;
    // SAFETY: the call writes one number.
    let known = unsafe { QueryUnbiasedInterruptTime(&raw mut units) };
    // Units of 100 ns. It fails for a null pointer only.
    if known != 0 { units.saturating_mul(100) } else { 0 }
}

/// Milliseconds since the start of the system, with the time that it slept.
pub(crate) fn since_boot_ms() -> u64 {
    // SAFETY: reads a counter.
    unsafe { GetTickCount64() }
}
