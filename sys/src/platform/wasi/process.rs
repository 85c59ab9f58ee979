//! Processes.
use std::ffi::OsStr;
use std::io;
use std::path::PathBuf;
use std::process::ExitStatus;

use super::handle::{AsHandle, Errno, OwnedHandle};
use crate::process::{Child, Command, Ended, Failure, Limits, Stage, Target, Termination, at};

/// Whether a process `id` may be there. Nobody has found out here, so it may.
pub(crate) fn is_alive(_id: u32) -> bool {
    true
}

/// Folders below the user's home for state, settings and what can be made again.
pub(crate) const FOLDERS: [&str; 3] = [".local/state", ".config", ".cache"];

/// What keeps a started program and all that it started together.
#[derive(Debug)]
pub(crate) struct Tree {
    /// Readable once all of it has ended.
    pub(crate) descriptor: OwnedHandle,
}

impl Tree {
    /// The status once everything has ended; waits for that if told to.
    pub(crate) fn reap(&mut self, _wait: bool) -> io::Result<Option<ExitStatus>> {
        Err(Errno::OPNOTSUPP.into())
    }

    /// Kills everything.
    pub(crate) fn kill(&mut self) {}
}

/// Starts `command`. With a sandbox, tries the rungs that its policy accepts, strongest first.
pub(crate) fn launch(mut command: Command, _limits: Limits) -> Result<Child, Failure> {
    let _program = command.resolve().map_err(at(Stage::Exec))?;
    for stdio in &mut command.standard {
        match std::mem::take(&mut stdio.0) {
            Target::Inherit | Target::Null | Target::Pipe => {}
            Target::Descriptor(descriptor) => drop(descriptor),
        }
    }
    let _ = (&command.arguments, &command.directory, command.session, &command.policy, &command.handed);
    let _ = command.environment();
    Err(at(Stage::Prepare)(Errno::OPNOTSUPP))
}

/// The file to execute for `program`: a path, or a name to look for in the folders of `path`.
pub(crate) fn find_program(_program: &OsStr, _path: Option<&OsStr>) -> io::Result<PathBuf> {
    Err(Errno::OPNOTSUPP.into())
}

/// See [`crate::process::signal_group`].
pub(crate) fn signal_group(_leader: u32, _number: i32) -> io::Result<()> {
    Err(Errno::OPNOTSUPP.into())
}

/// See [`crate::process::end_group`].
pub(crate) fn end_group(_leader: u32, _how: Termination) {}

/// See [`crate::process::end_notifier`].
pub(crate) fn end_notifier(_id: u32) -> io::Result<OwnedHandle> {
    Err(Errno::OPNOTSUPP.into())
}

/// See [`crate::process::peek_end`].
pub(crate) fn peek_end(_id: u32) -> io::Result<Option<Ended>> {
    Err(Errno::OPNOTSUPP.into())
}

/// The effective user id of this process; 0 where users have none.
pub(crate) fn effective_uid() -> u32 {
    0
}

/// See [`crate::process::lower_priority`].
pub(crate) fn lower_priority() {}

/// See [`crate::rendezvous::take_stdin`].
pub(crate) fn take_stdin() -> io::Result<OwnedHandle> {
    Err(Errno::OPNOTSUPP.into())
}

/// See [`crate::rendezvous::take_stdout`].
pub(crate) fn take_stdout() -> io::Result<OwnedHandle> {
    Err(Errno::OPNOTSUPP.into())
}

/// See [`crate::rendezvous::detach_from_terminal`].
pub(crate) fn detach_from_terminal() {}

/// Columns and rows of the terminal that `output` leads to.
pub(crate) fn terminal_size(_output: impl AsHandle) -> Option<(u16, u16)> {
    None
}

/// Where sockets of this user stand when the environment names no place.
pub(crate) fn runtime_root() -> PathBuf {
    std::env::temp_dir().join("vitte")
}
