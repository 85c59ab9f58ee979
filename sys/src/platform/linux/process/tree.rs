//! The supervisor of a started program, as its parent sees it.
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::process::ExitStatusExt;
use std::process::ExitStatus;

use rustix::process::{Signal, WaitOptions};

use super::control_group::ControlGroups;
use super::plan::KILL_TREE;
use super::{peek_end, pid, signal};
use crate::process::Termination;

/// A supervisor and the control groups of what it supervises.
#[derive(Debug)]
pub(crate) struct Tree {
    pub(super) id: u32,
    /// The supervisor's pidfd.
    pub(crate) descriptor: OwnedFd,
    pub(super) groups: ControlGroups,
}

impl Tree {
    /// The status once everything has ended; waits for that if told to.
    pub(crate) fn reap(&mut self, wait: bool) -> io::Result<Option<ExitStatus>> {
        let options = if wait { WaitOptions::empty() } else { WaitOptions::NOHANG };
        let pid = pid(self.id)?;
        let ended = rustix::io::retry_on_intr(|| rustix::process::waitpid(Some(pid), options))?;
        let status = ended.map(|(_, status)| ExitStatus::from_raw(status.as_raw()));
        if status.is_some() {
            self.groups.remove();
        }
        Ok(status)
    }

    /// Kills everything, in whatever group or session.
    pub(crate) fn kill(&mut self) {
        self.groups.kill();
        end_group(self.id, Termination::Kill);
    }
}

/// See [`crate::process::signal_group`].
pub(crate) fn signal_group(leader: u32, number: i32) -> io::Result<()> {
    let signal = signal(number)?;
    let pid = pid(leader)?;
    if signal == Signal::KILL {
        rustix::process::test_kill_process_group(pid)?;
        end_group(leader, Termination::Kill);
        return Ok(());
    }
    rustix::process::kill_process_group(pid, signal)?;
    Ok(())
}

/// See [`crate::process::end_group`].
pub(crate) fn end_group(leader: u32, how: Termination) {
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
            // The supervisor, our child, was not reaped a moment ago, so the id is still its own.
            let _ = crate::ffi::posix::kill(pid.as_raw_nonzero().get(), KILL_TREE);
            // A stopped supervisor cannot follow the order.
            let _ = rustix::process::kill_process(pid, Signal::CONT);
        }
    }
}
