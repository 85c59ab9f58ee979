//! From a policy to namespaces, Landlock rules and a system-call filter.
#[cfg(spawn_helper)]
mod filter; // the system-call filter
#[cfg(spawn_helper)]
mod landlock; // the Landlock rules
#[cfg(spawn_helper)]
mod numbers; // the part of the filter that the number of a call decides
#[cfg(spawn_helper)]
mod rules; // both, and namespaces, for one rung

#[cfg(spawn_helper)]
pub(crate) use rules::{Rules, rules};

/// What programs and libraries of the system are in.
pub(crate) const PROGRAMS: &[&str] = &["/usr", "/lib", "/lib32", "/lib64", "/libx32", "/bin", "/sbin"];

/// Files that any program may read.
pub(crate) const FILES: &[&str] =
    &["/etc/ld.so.cache", "/etc/ld.so.conf", "/etc/ld.so.conf.d", "/etc/alternatives"];

/// Devices that any program may use.
pub(crate) const DEVICES: &[&str] = &["/dev/null", "/dev/zero", "/dev/full", "/dev/random", "/dev/urandom"];
