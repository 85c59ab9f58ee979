//! What programs of the system need: nothing is kept from them on the only rung there is, limits, where
//! a policy takes away the privileges of the token and the desktop.

/// What programs and libraries of the system are in.
pub(crate) const PROGRAMS: &[&str] = &[];
/// Files that any program may read.
pub(crate) const FILES: &[&str] = &[];
/// Devices that any program may use.
pub(crate) const DEVICES: &[&str] = &[];
