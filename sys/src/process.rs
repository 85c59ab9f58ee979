//! Child processes that cannot outlive us: own process group, death with the parent, limits.
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command};
use std::sync::{OnceLock, mpsc};

use rustix::process::{Pid, PidfdFlags, Resource, Rlimit, Signal, WaitId, WaitIdOptions};

use crate::SysError;

/// Limits that a child starts with; `None` keeps ours.
#[derive(Clone, Copy, Debug, Default)]
pub struct Limits {
    /// Bytes of address space.
    pub address_space: Option<u64>,
    /// Seconds of processor time.
    pub cpu_seconds: Option<u64>,
    /// Bytes of a core file; 0 means none.
    pub core_bytes: Option<u64>,
}

/// The effective user id of this process.
pub fn effective_uid() -> u32 {
    rustix::process::geteuid().as_raw()
}

/// A spawning job and where its answer goes.
type Job = (Command, mpsc::SyncSender<io::Result<Child>>);

/// Starts `command` as the leader of a new process group that receives SIGKILL when this process
/// dies.
///
/// The kernel ties that signal to the *thread* that forked, so all spawning is done by one thread
/// that lives as long as the process.
pub fn spawn(mut command: Command, limits: Limits) -> Result<Child, SysError> {
    let program = Path::new(command.get_program()).to_path_buf();
    let fail = |error: io::Error| SysError::new("run", &program, error);
    confine(&mut command, limits);
    let (answer, child) = mpsc::sync_channel(1);
    spawner()
        .map_err(fail)?
        .send((command, answer))
        .map_err(|_| fail(io::Error::other("no spawning thread")))?;
    child.recv().map_err(|_| fail(io::Error::other("no spawning thread")))?.map_err(fail)
}

/// The door to the spawning thread; started on first use, never ended.
fn spawner() -> io::Result<mpsc::SyncSender<Job>> {
    static SPAWNER: OnceLock<mpsc::SyncSender<Job>> = OnceLock::new();
    if let Some(door) = SPAWNER.get() {
        return Ok(door.clone());
    }
    let (door, jobs) = mpsc::sync_channel::<Job>(64);
    std::thread::Builder::new().name("spawner".into()).spawn(move || {
        for (mut command, answer) in jobs {
            // A caller that went away drops its child, which is then killed with our process.
            let _ = answer.send(command.spawn());
        }
    })?;
    // Another thread may have been first: then its door is used, and ours closes behind us.
    Ok(SPAWNER.get_or_init(|| door).clone())
}

fn confine(command: &mut Command, limits: Limits) {
    command.process_group(0);
    let parent = rustix::process::getpid();
    let hook = move || {
        rustix::process::set_parent_process_death_signal(Some(Signal::KILL))?;
        // The parent may have died before the line above: then nobody would ever tell us.
        if rustix::process::getppid() != Some(parent) {
            return Err(rustix::io::Errno::SRCH.into());
        }
        let pairs = [
            (Resource::As, limits.address_space),
            (Resource::Cpu, limits.cpu_seconds),
            (Resource::Core, limits.core_bytes),
        ];
        for (resource, limit) in pairs {
            if let Some(limit) = limit {
                rustix::process::setrlimit(resource, Rlimit { current: Some(limit), maximum: Some(limit) })?;
            }
        }
        Ok(())
    };
    // SAFETY: the hook runs between fork and exec, where only async-signal-safe work is allowed. It
    // makes the system calls prctl, getppid and setrlimit through rustix, reads captured `Copy`
    // values, allocates nothing (both error conversions wrap an integer) and takes no lock.
    unsafe {
        command.pre_exec(hook);
    }
}

/// The signals that the tools of this workspace send by name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Termination {
    /// SIGTERM: please end.
    Ask,
    /// SIGKILL: end.
    Kill,
}

/// Sends signal number `signal` to every process of the group led by `leader`.
///
/// # Errors
/// `ESRCH` when the group is gone, `EINVAL` for a number that is no signal.
pub fn signal_group(leader: u32, signal: i32) -> io::Result<()> {
    let signal = Signal::from_named_raw(signal).ok_or(io::Error::from(rustix::io::Errno::INVAL))?;
    rustix::process::kill_process_group(pid(leader)?, signal)?;
    Ok(())
}

/// Asks the group led by `leader` to end, or ends it. A group that is already gone is no error.
pub fn end_group(leader: u32, how: Termination) {
    let signal = match how {
        Termination::Ask => Signal::TERM,
        Termination::Kill => Signal::KILL,
    };
    if let Ok(pid) = pid(leader) {
        let _ = rustix::process::kill_process_group(pid, signal);
    }
}

/// A descriptor that becomes readable when the child `id` ends.
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
/// also its group's, stays reserved until `Child::wait`, so the group can still be signalled safely.
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

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use std::process::Stdio;

    #[test]
    fn a_group_dies_whole() {
        let mut command = Command::new("/bin/sh");
        command.args(["-c", "sleep 1000 & echo $!; wait"]).stdout(Stdio::piped());
        let mut child = spawn(command, Limits { core_bytes: Some(0), ..Limits::default() }).unwrap();
        let mut line = String::new();
        io::BufRead::read_line(&mut io::BufReader::new(child.stdout.take().unwrap()), &mut line).unwrap();
        let grandchild = line.trim().to_owned();
        assert_eq!(peek_end(child.id()).unwrap(), None);
        end_group(child.id(), Termination::Kill);
        while peek_end(child.id()).unwrap().is_none() {
            std::thread::yield_now();
        }
        assert_eq!(peek_end(child.id()).unwrap(), Some(Ended::Signaled(9)));
        child.wait().unwrap();
        let gone = || {
            std::fs::read_to_string(format!("/proc/{grandchild}/stat"))
                .map_or(true, |stat| stat.contains(") Z "))
        };
        for _ in 0..200 {
            if gone() {
                return;
            }
            std::thread::sleep(std::time::Duration::from_millis(10));
        }
        assert!(gone(), "the grandchild survived");
    }

    #[test]
    fn the_missing_program_is_named() {
        let error = spawn(Command::new("/no/such/program"), Limits::default()).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::NotFound);
        assert!(error.to_string().contains("/no/such/program"));
    }
}
