//! Processes of every Unix.
use std::ffi::OsStr;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use rustix::fs::{Access, AtFlags, CWD, Mode, OFlags};
use rustix::process::{Pid, Signal};

use super::handle::Errno;
#[cfg(not(any(target_os = "openbsd", target_os = "netbsd")))]
use crate::process::Ended;
use crate::process::{Command, Target};
#[cfg(any(target_os = "openbsd", target_os = "netbsd"))]
pub(crate) use peeking::{peek_end, reap};

/// The effective user id of this process.
pub(crate) fn effective_uid() -> u32 {
    rustix::process::geteuid().as_raw()
}

/// Steps down of 19; each gives others a quarter more (sched(7)).
const NICE: i32 = 5;

/// See [`crate::process::lower_priority`].
pub(crate) fn lower_priority() {
    // Nobody is refused a lower priority, and a process that kept its own would only be quicker.
    let _ = rustix::process::setpriority_process(None, NICE);
}

/// Whether a process `id` is there and has not ended, whoever's it is.
pub(crate) fn is_alive(id: u32) -> bool {
    // Who may not signal it knows that it is there.
    let is_there = pid(id).is_ok_and(|pid| rustix::process::test_kill_process(pid) != Err(Errno::SRCH));
    is_there && !has_ended(id)
}

/// Whether a process has ended and only waits for its parent to ask how. Its name is in parentheses and
/// may hold anything; the state follows the last one (proc_pid_stat(5)). Elsewhere nobody knows.
fn has_ended(id: u32) -> bool {
    let stat = std::fs::read(format!("/proc/{id}/stat")).unwrap_or_default();
    let name_end = stat.iter().rposition(|byte| *byte == b')');
    let state = name_end.and_then(|at| stat.get(at + 2)).copied();
    matches!(state, Some(b'Z' | b'X'))
}

/// `id` as the kernel's wrappers take it.
pub(crate) fn pid(id: u32) -> io::Result<Pid> {
    i32::try_from(id).ok().and_then(Pid::from_raw).ok_or_else(|| Errno::SRCH.into())
}

/// Signal `number`, when it is one that programs may send by name.
pub(crate) fn signal(number: i32) -> io::Result<Signal> {
    Signal::from_named_raw(number).ok_or(io::Error::from(Errno::INVAL))
}

/// See [`crate::process::peek_end`].
#[cfg(not(any(target_os = "openbsd", target_os = "netbsd")))]
pub(crate) fn peek_end(id: u32) -> io::Result<Option<Ended>> {
    use rustix::process::{WaitId, WaitIdOptions};
    let options = WaitIdOptions::EXITED | WaitIdOptions::NOHANG | WaitIdOptions::NOWAIT;
    let Some(status) = rustix::process::waitid(WaitId::Pid(pid(id)?), options)? else { return Ok(None) };
    Ok(match (status.exit_status(), status.terminating_signal()) {
        (Some(code), _) => Some(Ended::Exited(code)),
        (None, Some(signal)) => Some(Ended::Signaled(signal)),
        (None, None) => None,
    })
}

/// The status of the child `leader`, which is reaped; waits for its end if told to.
#[cfg(not(any(spawn_helper, target_os = "openbsd", target_os = "netbsd")))]
pub(crate) fn reap(leader: Pid, wait: bool) -> io::Result<Option<i32>> {
    use rustix::process::WaitOptions;
    let options = if wait { WaitOptions::empty() } else { WaitOptions::NOHANG };
    let ended = rustix::io::retry_on_intr(|| rustix::process::waitpid(Some(leader), options))?;
    Ok(ended.map(|(_, status)| status.as_raw()))
}

/// Asks about the effective user.
#[cfg(not(target_os = "android"))]
const EFFECTIVE: AtFlags = AtFlags::EACCESS;
/// Android asks about the real user only; programs there never change theirs.
#[cfg(target_os = "android")]
const EFFECTIVE: AtFlags = AtFlags::empty();

/// The file to execute for `program`: a path, or a name to look for in the folders of `path`.
pub(crate) fn find_program(program: &OsStr, path: Option<&OsStr>) -> io::Result<PathBuf> {
    if program.as_bytes().contains(&b'/') {
        return Ok(PathBuf::from(program));
    }
    // What the C library looks through when there is no PATH.
    let path = path.unwrap_or(OsStr::new("/bin:/usr/bin"));
    let mut answer = Errno::NOENT;
    for folder in std::env::split_paths(path) {
        let candidate = folder.join(program);
        match rustix::fs::accessat(CWD, &candidate, Access::EXEC_OK, EFFECTIVE) {
            Ok(()) if candidate.is_file() => return Ok(candidate),
            Err(Errno::ACCESS) => answer = Errno::ACCESS,
            Ok(()) | Err(_) => {}
        }
    }
    Err(answer.into())
}

/// The lowest descriptor number that a child's own never reach.
const CLEAR: i32 = 32;

/// The same file at a descriptor number that is not overwritten while the child's are put in place.
pub(crate) fn out_of_the_way(file: OwnedFd) -> rustix::io::Result<OwnedFd> {
    use std::os::fd::AsRawFd;
    if file.as_raw_fd() >= CLEAR { Ok(file) } else { rustix::io::fcntl_dupfd_cloexec(&file, CLEAR) }
}

/// A pipe, close-on-exec: the reading end, then the writing end.
pub(crate) fn pipe() -> rustix::io::Result<(OwnedFd, OwnedFd)> {
    #[cfg(not(target_vendor = "apple"))]
    return rustix::pipe::pipe_with(rustix::pipe::PipeFlags::CLOEXEC);
    #[cfg(target_vendor = "apple")]
    {
        let (read, write) = rustix::pipe::pipe()?;
        // A child that another thread starts in between does not get them either, since ours are
        // started with POSIX_SPAWN_CLOEXEC_DEFAULT.
        for end in [&read, &write] {
            rustix::io::fcntl_setfd(end, rustix::io::FdFlags::CLOEXEC)?;
        }
        Ok((read, write))
    }
}

/// A descriptor for the child (`None`: it keeps ours), and our end when it is a pipe.
pub(crate) type Ends = (Option<OwnedFd>, Option<OwnedFd>);

/// The three standard descriptors that `command` asks for; what they were made from is taken out.
pub(crate) fn standard(command: &mut Command) -> io::Result<[Ends; 3]> {
    let mut ends: [Ends; 3] = Default::default();
    for (number, (stdio, end)) in command.standard.iter_mut().zip(&mut ends).enumerate() {
        *end = match std::mem::take(&mut stdio.0) {
            Target::Inherit => (None, None),
            Target::Null => {
                let flags = OFlags::RDWR | OFlags::CLOEXEC;
                (Some(rustix::fs::openat(CWD, "/dev/null", flags, Mode::empty())?), None)
            }
            Target::Pipe => {
                let (read, write) = pipe()?;
                if number == 0 { (Some(read), Some(write)) } else { (Some(write), Some(read)) }
            }
            Target::Descriptor(descriptor) => (Some(descriptor), None),
        };
        end.0 = end.0.take().map(out_of_the_way).transpose()?;
    }
    Ok(ends)
}

/// See [`crate::rendezvous::take_stdin`].
pub(crate) fn take_stdin() -> io::Result<OwnedFd> {
    let handed_over = io::stdin().as_fd().try_clone_to_owned()?;
    rustix::stdio::dup2_stdin(std::fs::File::open("/dev/null")?)?;
    Ok(handed_over)
}

/// See [`crate::rendezvous::take_stdout`].
pub(crate) fn take_stdout() -> io::Result<OwnedFd> {
    let handed_over = io::stdout().as_fd().try_clone_to_owned()?;
    rustix::stdio::dup2_stdout(std::fs::File::options().write(true).open("/dev/null")?)?;
    Ok(handed_over)
}

/// See [`crate::rendezvous::detach_from_terminal`].
pub(crate) fn detach_from_terminal() {
    // It fails only for a process-group leader, which its own shell has put in a group already.
    let _ = rustix::process::setsid();
}

/// Columns and rows of the terminal that `output` leads to.
pub(crate) fn terminal_size(output: impl AsFd) -> Option<(u16, u16)> {
    let size = rustix::termios::tcgetwinsize(output).ok()?;
    Some((size.ws_col, size.ws_row))
}

/// Where sockets of this user stand when the environment names no place.
pub(crate) fn runtime_root() -> PathBuf {
    Path::new("/tmp").join(format!("vitte-{}", effective_uid()))
}

/// What waitid(2) of OpenBSD and NetBSD answers, the libraries below us cannot read. A child is reaped by the first question about
/// it and its status kept until it is asked for. Its number is free from then on, but stays its
/// group's as long as the group has members.
#[cfg(any(target_os = "openbsd", target_os = "netbsd"))]
mod peeking {
    use std::collections::BTreeMap;
    use std::collections::btree_map::Entry;
    use std::io;
    use std::sync::{Mutex, MutexGuard, PoisonError};

    use rustix::process::{Pid, WaitOptions, WaitStatus};

    use crate::process::Ended;

    static ENDED: Mutex<BTreeMap<i32, WaitStatus>> = Mutex::new(BTreeMap::new());

    fn ended() -> MutexGuard<'static, BTreeMap<i32, WaitStatus>> {
        ENDED.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// See [`crate::process::peek_end`].
    pub(crate) fn peek_end(id: u32) -> io::Result<Option<Ended>> {
        let pid = super::pid(id)?;
        let number = pid.as_raw_nonzero().get();
        let mut ended = ended();
        let status = match ended.entry(number) {
            Entry::Occupied(kept) => *kept.get(),
            Entry::Vacant(place) => match wait(pid, WaitOptions::NOHANG)? {
                Some((_, status)) => *place.insert(status),
                None => return Ok(None),
            },
        };
        Ok(match (status.exit_status(), status.terminating_signal()) {
            (Some(code), _) => Some(Ended::Exited(code)),
            (None, Some(signal)) => Some(Ended::Signaled(signal)),
            (None, None) => None,
        })
    }

    /// The status of the child `leader`, which is reaped; waits for its end if told to.
    pub(crate) fn reap(leader: Pid, wait_for_it: bool) -> io::Result<Option<i32>> {
        if let Some(status) = ended().remove(&leader.as_raw_nonzero().get()) {
            return Ok(Some(status.as_raw()));
        }
        let options = if wait_for_it { WaitOptions::empty() } else { WaitOptions::NOHANG };
        Ok(wait(leader, options)?.map(|(_, status)| status.as_raw()))
    }

    fn wait(pid: Pid, options: WaitOptions) -> io::Result<Option<(Pid, WaitStatus)>> {
        Ok(rustix::io::retry_on_intr(|| rustix::process::waitpid(Some(pid), options))?)
    }
}
