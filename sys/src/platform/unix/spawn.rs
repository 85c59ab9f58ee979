//! Programs started by posix_spawn(3) alone, on systems that have no spawn helper.
//!
//! What that leaves out is refused, never left undone in silence: every rung but the lowest, limits on
//! the memory of a whole tree. Two things differ from the helper's way and cannot be had without a
//! process between: a program outlives the death of its parent, and processes that leave the group are
//! not killed with it.
use std::ffi::{CString, OsString};
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStringExt;
use std::os::unix::process::ExitStatusExt;
use std::process::{ChildStderr, ChildStdin, ChildStdout, ExitStatus};

use rustix::process::Signal;

use super::handle::Errno;
use super::process::{out_of_the_way, peek_end, pid, pipe, reap, signal, standard};
use crate::ffi::posix::{Attributes, FileActions, Mask};
use crate::platform::system::process as own;
use crate::process::{Child, Command, Failure, Limits, Stage, Termination, at};
use crate::sandbox::{Confinement, Rung};

/// The leader of a process group.
#[derive(Debug)]
pub(crate) struct Tree {
    id: u32,
    /// Readable when the leader has ended.
    pub(crate) descriptor: OwnedFd,
}

impl Tree {
    /// The status once the leader has ended, when what is left of its group is killed; waits for that
    /// if told to.
    pub(crate) fn reap(&mut self, wait: bool) -> io::Result<Option<ExitStatus>> {
        let leader = pid(self.id)?;
        if wait {
            while peek_end(self.id)?.is_none() {
                super::net::wait_readable(&self.descriptor, None)?;
            }
        } else if peek_end(self.id)?.is_none() {
            return Ok(None);
        }
        // Not reaped yet, the leader still holds the number of the group.
        let _ = rustix::process::kill_process_group(leader, Signal::KILL);
        Ok(reap(leader, true)?.map(ExitStatus::from_raw))
    }

    /// Kills every process of the group.
    pub(crate) fn kill(&mut self) {
        end_group(self.id, Termination::Kill);
    }
}

/// See [`crate::process::signal_group`].
pub(crate) fn signal_group(leader: u32, number: i32) -> io::Result<()> {
    rustix::process::kill_process_group(pid(leader)?, signal(number)?)?;
    Ok(())
}

/// See [`crate::process::end_group`].
pub(crate) fn end_group(leader: u32, how: Termination) {
    let Ok(pid) = pid(leader) else { return };
    let signal = match how {
        Termination::Ask => Signal::TERM,
        Termination::Kill => Signal::KILL,
    };
    let _ = rustix::process::kill_process_group(pid, signal);
}

/// Where the shell reports that it runs the program; free of what a program uses.
const REPORT_FD: i32 = 3;

/// Starts `command` on the lowest rung.
pub(crate) fn launch(mut command: Command, limits: Limits) -> Result<Child, Failure> {
    let program = command.resolve().map_err(at(Stage::Exec))?;
    if let Some(policy) = &command.policy
        && policy.rungs().all(|rung| rung != Rung::Limits)
    {
        return Err(at(Stage::Landlock)(Errno::OPNOTSUPP));
    }
    if command.handed.is_some() {
        return Err(at(Stage::Prepare)(Errno::OPNOTSUPP));
    }
    if limits.memory.is_some() {
        return Err(at(Stage::ControlGroup)(Errno::OPNOTSUPP));
    }
    let limits = limits_in_shell(&limits).map_err(at(Stage::Limits))?;
    if let Some(directory) = &command.directory
        && !directory.is_dir()
    {
        return Err(at(Stage::Directory)(Errno::NOENT));
    }
    let prepare = at(Stage::Prepare);
    let [(input, our_input), (output, our_output), (errors, our_errors)] =
        standard(&mut command).map_err(&prepare)?;
    let mut actions = FileActions::new().map_err(&prepare)?;
    for (target, source) in (0..).zip([&input, &output, &errors]) {
        match source {
            Some(source) => actions.put(source, target).map_err(&prepare)?,
            #[cfg(target_vendor = "apple")]
            None => actions.keep(target).map_err(&prepare)?,
            #[cfg(not(target_vendor = "apple"))]
            None => {}
        }
    }
    let name = command.get_program();
    let mut arguments: Vec<OsString> = vec![name.to_owned()];
    arguments.extend(command.arguments.iter().cloned());
    // A working directory and limits are set by a shell that becomes the program: a fork of ours would
    // copy the whole service, and posix_spawn(3) knows neither everywhere.
    let mut report = None;
    let mut file = program.into_os_string();
    if command.directory.is_some() || !limits.is_empty() {
        let (read, write) = pipe().map_err(at(Stage::Prepare))?;
        let write = out_of_the_way(write).map_err(at(Stage::Prepare))?;
        actions.put(&write, REPORT_FD).map_err(&prepare)?;
        arguments = by_shell(&command, &limits, file, arguments);
        file = OsString::from("/bin/sh");
        report = Some((read, write));
    }
    let extra = if report.is_some() { REPORT_FD + 1 } else { REPORT_FD };
    own::close_rest(&mut actions, extra).map_err(&prepare)?;
    let text = |text: OsString| CString::new(text.into_vec()).map_err(io::Error::from);
    let file = text(file).map_err(&prepare)?;
    let arguments: Vec<CString> =
        arguments.into_iter().map(text).collect::<Result<_, _>>().map_err(&prepare)?;
    let environment: Vec<CString> =
        command.environment().into_iter().map(text).collect::<Result<_, _>>().map_err(&prepare)?;
    #[allow(clippy::unnecessary_cast, reason = "the types of the constants differ between systems")]
    let group = match command.session {
        true => own::session_flag().map_err(at(Stage::Group))?,
        false => libc::POSIX_SPAWN_SETPGROUP as libc::c_int,
    };
    let attributes = Attributes::new(Mask::None, group | own::SPAWN_FLAGS).map_err(&prepare)?;
    let id = crate::ffi::posix::spawn(&file, &actions, &attributes, &arguments, &environment)
        .map_err(at(Stage::Exec))?;
    let id = id.unsigned_abs();
    if let Some((read, write)) = report {
        drop(write);
        if let Some(stage) = reported(&read).map_err(&prepare)? {
            let _ = pid(id).and_then(|leader| reap(leader, true));
            return Err(at(stage)(Errno::INVAL));
        }
    }
    let descriptor = own::end_notifier(id).map_err(&prepare)?;
    Ok(Child {
        stdin: our_input.map(ChildStdin::from),
        stdout: our_output.map(ChildStdout::from),
        stderr: our_errors.map(ChildStderr::from),
        id,
        tree: Tree { id, descriptor },
        status: None,
        confinement: Confinement { rung: Rung::Limits, landlock_abi: 0 },
    })
}

/// The limits as calls of the shell's `ulimit`.
fn limits_in_shell(limits: &Limits) -> Result<Vec<String>, Errno> {
    if limits.processes.is_some() && rustix::process::geteuid().is_root() {
        // The kernel does not hold root to it.
        return Err(Errno::OPNOTSUPP);
    }
    // The units of the shells: KiB of address space, blocks of 512 bytes, seconds, and counts.
    let pairs = [
        ('v', limits.address_space.map(|bytes| bytes.div_ceil(1024))),
        ('t', limits.cpu_seconds),
        ('c', limits.core_bytes.map(|bytes| bytes.div_ceil(512))),
        ('f', limits.file_bytes.map(|bytes| bytes.div_ceil(512))),
        ('n', limits.open_files),
        ('u', limits.processes),
    ];
    let pairs = pairs.into_iter().filter_map(|(letter, limit)| Some((letter, limit?)));
    Ok(pairs.map(|(letter, limit)| format!("ulimit -{letter} {limit}")).collect())
}

/// Arguments for `/bin/sh` that set what is to be set and become `file`. Nothing of the caller's is
/// read as a script: it all comes as positional parameters.
fn by_shell(command: &Command, limits: &[String], file: OsString, arguments: Vec<OsString>) -> Vec<OsString> {
    let mut script = String::new();
    if command.directory.is_some() {
        script.push_str("cd -- \"$1\" || { echo D >&3; exit 126; }; ");
    }
    script.push_str("shift; ");
    for limit in limits {
        script.push_str(limit);
        script.push_str(" 2>/dev/null || { echo L >&3; exit 126; }; ");
    }
    script.push_str("exec \"$@\" 3>&-");
    let directory = command.directory.clone().map_or_else(OsString::new, OsString::from);
    let mut all = vec![OsString::from("sh"), "-c".into(), script.into(), "sh".into(), directory, file];
    // The shell gives a program its path as its name.
    all.extend(arguments.into_iter().skip(1));
    all
}

/// The stage at which the shell gave up; nothing when it became the program.
fn reported(pipe: &OwnedFd) -> io::Result<Option<Stage>> {
    let mut byte = [0; 1];
    let count = rustix::io::retry_on_intr(|| rustix::io::read(pipe, &mut byte))?;
    Ok(match (count, &byte) {
        (0, _) => None,
        (_, b"D") => Some(Stage::Directory),
        (_, _) => Some(Stage::Limits),
    })
}
