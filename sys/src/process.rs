//! Child processes that cannot outlive us: own process group, limits, a supervisor, no fork of ours.
//!
//! A large process with many threads pays for every fork (150 ms from 4 GiB), so [`Command::spawn`]
//! uses `posix_spawn`, which does not copy it, to start a small static helper from memory. The helper
//! sets up what was asked for and forks itself, which is nearly free: the fork becomes the program,
//! the helper stays as its supervisor. The id of a [`Child`] is the supervisor's, which is also the
//! process group's. The supervisor ends the way the program ended, and only when nothing that the
//! program started is left, double-forked or in other sessions; when this process dies, by whatever
//! signal, it kills them all.
mod child; // a started program as its parent sees it
mod command; // what to start

pub use child::{Child, Ended, Termination, end_group, end_notifier, peek_end, signal_group};
pub use command::{Command, HANDED_DESCRIPTOR, Limits, SpawnError, Stage, Stdio, spawn};
pub(crate) use command::{Failure, Target, at};

/// The effective user id of this process.
pub fn effective_uid() -> u32 {
    crate::platform::process::effective_uid()
}

/// Lets others go first: this process, if it has one thread, and what it starts from now on get the processor after
/// those of usual priority that want it. For work that somebody waits for, but not as much as for an answer. There is
/// no way back; a system that cannot (Windows, WASI) goes on as before.
pub fn lower_priority() {
    crate::platform::process::lower_priority();
}

#[cfg(all(test, spawn_helper))]
mod tests;
#[cfg(all(test, unix, not(spawn_helper)))]
#[path = "process/plain_tests.rs"]
mod tests;
