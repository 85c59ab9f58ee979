//! A started program, as its parent sees it.
use std::io;
use std::process::{ChildStderr, ChildStdin, ChildStdout, ExitStatus};

use crate::platform;
use crate::platform::handle::{OwnedHandle, stands_for_handle};
use crate::platform::process::Tree;
use crate::sandbox::Confinement;

/// A started program. Dropping it neither ends nor reaps anything.
#[derive(Debug)]
pub struct Child {
    /// The other end of its standard input, when that is a pipe.
    pub stdin: Option<ChildStdin>,
    /// The other end of its standard output, when that is a pipe.
    pub stdout: Option<ChildStdout>,
    /// The other end of its standard error, when that is a pipe.
    pub stderr: Option<ChildStderr>,
    pub(crate) id: u32,
    pub(crate) tree: Tree,
    pub(crate) status: Option<ExitStatus>,
    pub(crate) confinement: Confinement,
}

impl Child {
    /// Process id of its supervisor, which is also the id of its process group.
    pub fn id(&self) -> u32 {
        self.id
    }

    /// How strongly the program is confined.
    pub fn confinement(&self) -> Confinement {
        self.confinement
    }

    /// Waits for the end of the program and all it started. Closes our end of its standard input
    /// first, lest it wait for us.
    ///
    /// # Errors
    /// What `waitpid` says.
    pub fn wait(&mut self) -> io::Result<ExitStatus> {
        self.stdin = None;
        loop {
            if let Some(status) = self.reap(true)? {
                return Ok(status);
            }
        }
    }

    /// The status if the program and all it started have ended.
    ///
    /// # Errors
    /// What `waitpid` says.
    pub fn try_wait(&mut self) -> io::Result<Option<ExitStatus>> {
        self.reap(false)
    }

    /// Kills the program and all it started, in whatever group or session. Returns at once; [`wait`]
    /// waits for the end.
    ///
    /// [`wait`]: Self::wait
    pub fn kill_tree(&mut self) {
        if self.status.is_none() {
            self.tree.kill();
        }
    }

    fn reap(&mut self, wait: bool) -> io::Result<Option<ExitStatus>> {
        if self.status.is_none() {
            self.status = self.tree.reap(wait)?;
        }
        Ok(self.status)
    }
}

stands_for_handle!(Child, tree.descriptor, "Readable once the program and all it started have ended.");

/// The signals that the tools of this workspace send by name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Termination {
    /// SIGTERM: please end.
    Ask,
    /// SIGKILL: end, and all that was started.
    Kill,
}

/// Sends signal number `signal` to every process of the group led by `leader`, a [`Child`]'s id.
/// SIGKILL kills those that left the group as well.
///
/// # Errors
/// `ESRCH` when the group is gone, `EINVAL` for a number that is no signal.
pub fn signal_group(leader: u32, signal: i32) -> io::Result<()> {
    platform::process::signal_group(leader, signal)
}

/// Asks the group led by `leader`, a [`Child`]'s id, to end, or kills the whole tree. A group that is
/// already gone is no error.
pub fn end_group(leader: u32, how: Termination) {
    platform::process::end_group(leader, how);
}

/// A descriptor that becomes readable when the child `id` ends.
///
/// # Errors
/// What `pidfd_open` says.
pub fn end_notifier(id: u32) -> io::Result<OwnedHandle> {
    platform::process::end_notifier(id)
}

/// How a child ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ended {
    /// It called exit with this status.
    Exited(i32),
    /// This signal ended it.
    Signaled(i32),
}

/// How the child `id` ended, or `None` while it runs. Does not reap it: its process id, which is
/// also its group's, stays reserved until [`Child::wait`], so the group can still be signalled safely.
///
/// # Errors
/// What `waitid` says.
pub fn peek_end(id: u32) -> io::Result<Option<Ended>> {
    platform::process::peek_end(id)
}
