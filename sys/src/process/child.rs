//! The supervisor of a started program, as its parent sees it.
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::process::ExitStatusExt;
use std::process::{ChildStderr, ChildStdin, ChildStdout, ExitStatus};

use rustix::process::{Pid, PidfdFlags, Signal, WaitId, WaitIdOptions, WaitOptions};

use super::control_group::ControlGroups;
use super::plan::KILL_TREE;
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
    pub(super) id: u32,
    pub(super) descriptor: OwnedFd,
    pub(super) status: Option<ExitStatus>,
    pub(super) groups: ControlGroups,
    pub(super) confinement: Confinement,
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
        drop(self.stdin.take());
        loop {
            if let Some(status) = self.reap(WaitOptions::empty())? {
                return Ok(status);
            }
        }
    }

    /// The status if the program and all it started have ended.
    ///
    /// # Errors
    /// What `waitpid` says.
    pub fn try_wait(&mut self) -> io::Result<Option<ExitStatus>> {
        self.reap(WaitOptions::NOHANG)
    }

    /// Kills the program and all it started, in whatever group or session. Returns at once; [`wait`]
    /// waits for the end.
    ///
    /// [`wait`]: Self::wait
    pub fn kill_tree(&mut self) {
        if self.status.is_none() {
            self.groups.kill();
            end_group(self.id, Termination::Kill);
        }
    }

    fn reap(&mut self, options: WaitOptions) -> io::Result<Option<ExitStatus>> {
        if self.status.is_none() {
            let pid = pid(self.id)?;
            let ended = rustix::io::retry_on_intr(|| rustix::process::waitpid(Some(pid), options))?;
            self.status = ended.map(|(_, status)| ExitStatus::from_raw(status.as_raw()));
            if self.status.is_some() {
                self.groups.remove();
            }
        }
        Ok(self.status)
    }
}

impl AsFd for Child {
    /// The pidfd: readable once the program and all it started have ended.
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.descriptor.as_fd()
    }
}

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
    let signal = Signal::from_named_raw(signal).ok_or(io::Error::from(rustix::io::Errno::INVAL))?;
    let pid = pid(leader)?;
    if signal == Signal::KILL {
        rustix::process::test_kill_process_group(pid)?;
        end_group(leader, Termination::Kill);
        return Ok(());
    }
    rustix::process::kill_process_group(pid, signal)?;
    Ok(())
}

/// Asks the group led by `leader`, a [`Child`]'s id, to end, or kills the whole tree. A group that is
/// already gone is no error.
pub fn end_group(leader: u32, how: Termination) {
    let Ok(pid) = pid(leader) else { return };
    match how {
        Termination::Ask => {
            let _ = rustix::process::kill_process_group(pid, Signal::TERM);
        }
        // The supervisor has ended, perhaps killed by its own program: the group is what is left.
        Termination::Kill if !matches!(peek_end(leader), Ok(None)) => {
            let _ = rustix::process::kill_process_group(pid, Signal::KILL);
        }
        Termination::Kill => {
            // SAFETY: kill takes two integers and touches no memory of ours. The supervisor, our child,
            // was not reaped a moment ago, so the id is still its own.
            unsafe { libc::kill(pid.as_raw_nonzero().get(), KILL_TREE) };
            // A stopped supervisor cannot follow the order.
            let _ = rustix::process::kill_process(pid, Signal::CONT);
        }
    }
}

/// A descriptor that becomes readable when the child `id` ends.
///
/// # Errors
/// What `pidfd_open` says.
pub fn end_notifier(id: u32) -> io::Result<OwnedFd> {
    Ok(rustix::process::pidfd_open(pid(id)?, PidfdFlags::NONBLOCK)?)
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
    let options = WaitIdOptions::EXITED | WaitIdOptions::NOHANG | WaitIdOptions::NOWAIT;
    let Some(status) = rustix::process::waitid(WaitId::Pid(pid(id)?), options)? else { return Ok(None) };
    Ok(match (status.exit_status(), status.terminating_signal()) {
        (Some(code), _) => Some(Ended::Exited(code)),
        (None, Some(signal)) => Some(Ended::Signaled(signal)),
        (None, None) => None,
    })
}

fn pid(id: u32) -> io::Result<Pid> {
    i32::try_from(id).ok().and_then(Pid::from_raw).ok_or_else(|| rustix::io::Errno::SRCH.into())
}
