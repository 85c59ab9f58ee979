//! What programs of the system need.

/// What programs and libraries of the system are in.
pub(crate) const PROGRAMS: &[&str] = &[];
/// Files that any program may read.
pub(crate) const FILES: &[&str] = &[];
/// Devices that any program may use.
pub(crate) const DEVICES: &[&str] = &[];
