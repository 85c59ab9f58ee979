//! Processes. Each program is started inside a job object of its own, which holds it and all it starts
//! to its limits and kills them with this process, by whatever end that comes.
use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::fs::OpenOptions;
use std::io;
use std::os::windows::ffi::{OsStrExt, OsStringExt};
use std::os::windows::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{ChildStderr, ChildStdin, ChildStdout, ExitStatus};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

use windows_sys::Win32::System::Console::{STD_INPUT_HANDLE, STD_OUTPUT_HANDLE};

use super::files;
use super::handle::{AsHandle, BorrowedHandle, Errno, OwnedHandle, borrow};
use crate::ffi::win32::console;
use crate::ffi::win32::job::{Job, JobLimits};
use crate::ffi::win32::process::{self as native, Start};
use crate::ffi::win32::{security, wide};
use crate::process::{Child, Command, Ended, Failure, Limits, Stage, Target, Termination, at};
use crate::sandbox::{Confinement, Rung};

/// Whether a process `id` may be there. Nobody has found out here, so it may.
pub(crate) fn is_alive(_id: u32) -> bool {
    true
}

/// Folders below the user's home for state, settings and what can be made again.
pub(crate) const FOLDERS: [&str; 3] = ["AppData/Local/State", "AppData/Roaming", "AppData/Local/Cache"];

/// The status of what we kill: what shells of Unix show for SIGKILL.
pub(super) const KILLED: u32 = 128 + 9;

/// A program that was started, with all that it started.
#[derive(Debug)]
struct Running {
    job: Job,
    process: OwnedHandle,
}

/// The programs that run, by the id of their first process. What is asked by id is asked here; the ids
/// stay taken, since the handles are open.
fn running() -> MutexGuard<'static, BTreeMap<u32, Arc<Running>>> {
    static RUNNING: Mutex<BTreeMap<u32, Arc<Running>>> = Mutex::new(BTreeMap::new());
    RUNNING.lock().unwrap_or_else(PoisonError::into_inner)
}

fn find(id: u32) -> Result<Arc<Running>, Errno> {
    running().get(&id).cloned().ok_or(Errno::SRCH)
}

/// What keeps a started program and all that it started together.
#[derive(Debug)]
pub(crate) struct Tree {
    id: u32,
    running: Arc<Running>,
    /// Signalled once the program has ended.
    pub(crate) descriptor: OwnedHandle,
}

impl Tree {
    /// The status once the program has ended, when what it left is killed; waits for that if told to.
    pub(crate) fn reap(&mut self, wait: bool) -> io::Result<Option<ExitStatus>> {
        let timeout = if wait { None } else { Some(Duration::ZERO) };
        let process = borrow(&self.running.process);
        if !native::wait(process, timeout)? {
            return Ok(None);
        }
        let status = native::status(process)?;
        self.running.job.kill(KILLED)?;
        // Ending is quick, but not done when the call returns.
        let mut pause = Duration::from_micros(100);
        while self.running.job.processes()? > 0 {
            std::thread::sleep(pause);
            pause = (pause * 2).min(Duration::from_millis(10));
        }
        running().remove(&self.id);
        Ok(Some(ExitStatus::from_raw(status)))
    }

    /// Kills everything.
    pub(crate) fn kill(&mut self) {
        // It fails only for a job that has ended.
        let _ = self.running.job.kill(KILLED);
    }
}

/// Starts `command` on the lowest rung, which is all that Windows offers without a service of its own.
pub(crate) fn launch(mut command: Command, limits: Limits) -> Result<Child, Failure> {
    let program = command.resolve().map_err(at(Stage::Exec))?;
    if command.handed.is_some() {
        return Err(at(Stage::Prepare)(Errno::OPNOTSUPP));
    }
    if let Some(policy) = &command.policy
        && policy.rungs().all(|rung| rung != Rung::Limits)
    {
        return Err(at(Stage::Landlock)(Errno::OPNOTSUPP));
    }
    let job = Job::new(job_limits(&limits).map_err(at(Stage::Limits))?).map_err(at(Stage::Limits))?;
    let mut token = None;
    if command.policy.is_some() {
        token = Some(security::weaker().map_err(at(Stage::Privileges))?);
        job.close_desktop().map_err(at(Stage::Privileges))?;
    }
    if let Some(directory) = &command.directory
        && !directory.is_dir()
    {
        return Err(at(Stage::Directory)(Errno::NOENT));
    }
    let prepare = at(Stage::Prepare);
    let [(input, our_input), (output, our_output), (errors, our_errors)] =
        standard(&mut command).map_err(&prepare)?;
    let text = |text: &OsStr| wide(text).map_err(at(Stage::Prepare));
    let program_text = text(program.as_os_str())?;
    let mut line = command_line(&program, &command).map_err(&prepare)?;
    let environment = environment(&command).map_err(at(Stage::Prepare))?;
    let directory = command.directory.as_ref().map(|folder| text(folder.as_os_str())).transpose()?;
    let standard = [&input, &output, &errors].map(|handle| handle.as_ref().map(borrow));
    let started = native::start(&mut Start {
        program: &program_text,
        command_line: &mut line,
        environment: &environment,
        directory: directory.as_deref(),
        standard,
        token: token.as_ref().map(borrow),
        apart: command.session,
    })
    .map_err(at(Stage::Exec))?;
    // Nothing of it has run yet: what cannot be held to its limits never does.
    let held = job.take_in(borrow(&started.process)).and_then(|()| native::resume(borrow(&started.thread)));
    if let Err(error) = held {
        let _ = native::end(&started.process, KILLED);
        return Err(at(Stage::Group)(error));
    }
    let descriptor = started.process.try_clone().map_err(&prepare)?;
    let all = Arc::new(Running { job, process: started.process });
    running().insert(started.id, Arc::clone(&all));
    Ok(Child {
        stdin: our_input.map(ChildStdin::from),
        stdout: our_output.map(ChildStdout::from),
        stderr: our_errors.map(ChildStderr::from),
        id: started.id,
        tree: Tree { id: started.id, running: all, descriptor },
        status: None,
        confinement: Confinement { rung: Rung::Limits, landlock_abi: 0 },
    })
}

/// The limits in the job's terms. `OPNOTSUPP` for those that Windows does not have.
fn job_limits(limits: &Limits) -> Result<JobLimits, Errno> {
    let Limits { address_space, cpu_seconds, core_bytes, file_bytes, open_files, processes, memory } =
        *limits;
    // No process writes a core file by itself.
    if core_bytes.is_some_and(|bytes| bytes > 0) || file_bytes.is_some() || open_files.is_some() {
        return Err(Errno::OPNOTSUPP);
    }
    let bytes = |bytes: u64| usize::try_from(bytes).map_err(|_| Errno::INVAL);
    Ok(JobLimits {
        process_memory: address_space.map(bytes).transpose()?,
        memory: memory.map(bytes).transpose()?,
        process_time: cpu_seconds
            .map(|seconds| seconds.checked_mul(10_000_000).and_then(|units| i64::try_from(units).ok()))
            .map(|units| units.ok_or(Errno::INVAL))
            .transpose()?,
        processes: processes.map(|count| u32::try_from(count).map_err(|_| Errno::INVAL)).transpose()?,
    })
}

/// A handle for the child, inheritable (`None`: it gets none), and our end when it is a pipe.
type Ends = (Option<OwnedHandle>, Option<OwnedHandle>);

/// The three standard handles that `command` asks for; what they were made from is taken out.
fn standard(command: &mut Command) -> io::Result<[Ends; 3]> {
    let mut ends: [Ends; 3] = Default::default();
    for (number, (stdio, end)) in command.standard.iter_mut().zip(&mut ends).enumerate() {
        *end = match std::mem::take(&mut stdio.0) {
            // A program without a console has none to give on.
            Target::Inherit => (ours(number).ok(), None),
            Target::Null => {
                let null = OpenOptions::new().read(true).write(true).open("NUL")?;
                (Some(native::inheritable(null.as_handle())?), None)
            }
            Target::Pipe => {
                let (read, write) = io::pipe()?;
                let (read, write) = (OwnedHandle::from(read), OwnedHandle::from(write));
                let (theirs, ours) = if number == 0 { (read, write) } else { (write, read) };
                (Some(native::inheritable(borrow(&theirs))?), Some(ours))
            }
            Target::Descriptor(descriptor) => (Some(native::inheritable(borrow(&descriptor))?), None),
        };
    }
    Ok(ends)
}

/// A copy of standard handle `number` of this process.
fn ours(number: usize) -> Result<OwnedHandle, Errno> {
    match number {
        0 => native::inheritable(io::stdin().as_handle()),
        1 => native::inheritable(io::stdout().as_handle()),
        _ => native::inheritable(io::stderr().as_handle()),
    }
}

/// The command line, from which the C library of the program makes its arguments: each in quotes,
/// a quote and the backslashes before one escaped (CommandLineToArgvW).
fn command_line(program: &Path, command: &Command) -> io::Result<Vec<u16>> {
    let batch = ["bat", "cmd"];
    if program.extension().is_some_and(|end| batch.iter().any(|batch| end.eq_ignore_ascii_case(batch))) {
        // The shell reads the line by rules that no escaping satisfies (CVE-2024-24576).
        let words = "a batch file reads its arguments as commands; run `cmd.exe` with a command of your own";
        return Err(io::Error::new(io::ErrorKind::InvalidInput, words));
    }
    let quote = u16::from(b'"');
    let backslash = u16::from(b'\\');
    let mut line = Vec::new();
    // The first is read without escapes, and has no quotes, as no file name has.
    line.push(quote);
    line.extend(command.get_program().encode_wide().filter(|unit| *unit != quote));
    line.push(quote);
    for argument in &command.arguments {
        line.extend([u16::from(b' '), quote]);
        let mut backslashes = 0;
        for unit in argument.encode_wide() {
            if unit == backslash {
                backslashes += 1;
            } else {
                if unit == quote {
                    line.extend(std::iter::repeat_n(backslash, backslashes + 1));
                }
                backslashes = 0;
            }
            line.push(unit);
        }
        line.extend(std::iter::repeat_n(backslash, backslashes));
        line.push(quote);
    }
    /// What CreateProcess takes, with the zero at the end.
    const UNITS_MAX: usize = 32_767;
    if line.len() >= UNITS_MAX {
        return Err(io::Error::new(io::ErrorKind::ArgumentListTooLong, "the command line is too long"));
    }
    Ok(wide(&OsString::from_wide(&line))?)
}

/// The environment as one block.
fn environment(command: &Command) -> Result<Vec<u16>, Errno> {
    let mut block = Vec::new();
    for variable in command.environment() {
        block.extend(wide(&variable)?);
    }
    if block.is_empty() {
        block.push(0);
    }
    block.push(0);
    Ok(block)
}

/// The file to execute for `program`: a path, or a name to look for in the folders of `path`, with the
/// extension `.exe` when it has none. The working directory is not looked through.
pub(crate) fn find_program(program: &OsStr, path: Option<&OsStr>) -> io::Result<PathBuf> {
    let with_extension = |path: PathBuf| {
        if path.extension().is_some() {
            return path;
        }
        let mut name = path.into_os_string();
        name.push(".exe");
        PathBuf::from(name)
    };
    let given = Path::new(program);
    let is_name = given.file_name() == Some(program);
    if !is_name {
        let whole = given.to_path_buf();
        let found = if files::stat_path(given).is_ok() { whole } else { with_extension(whole) };
        files::stat_path(&found)?;
        return Ok(found);
    }
    std::env::split_paths(path.unwrap_or_default())
        .map(|folder| with_extension(folder.join(program)))
        .find(|candidate| candidate.is_file())
        .ok_or_else(|| Errno::NOENT.into())
}

/// See [`crate::process::signal_group`]: 9 kills; 2, 3 and 15 ask by Ctrl-Break, which reaches programs
/// of the same console.
pub(crate) fn signal_group(leader: u32, number: i32) -> io::Result<()> {
    let group = find(leader)?;
    match number {
        9 => group.job.kill(KILLED)?,
        2 | 3 | 15 => console::send_break(leader)?,
        _ => return Err(Errno::INVAL.into()),
    }
    Ok(())
}

/// See [`crate::process::end_group`].
pub(crate) fn end_group(leader: u32, how: Termination) {
    let Ok(group) = find(leader) else { return };
    let _ = match how {
        Termination::Ask => console::send_break(leader),
        Termination::Kill => group.job.kill(KILLED),
    };
}

/// See [`crate::process::end_notifier`].
pub(crate) fn end_notifier(id: u32) -> io::Result<OwnedHandle> {
    find(id)?.process.try_clone()
}

/// See [`crate::process::peek_end`].
pub(crate) fn peek_end(id: u32) -> io::Result<Option<Ended>> {
    let group = find(id)?;
    let process = borrow(&group.process);
    if !native::wait(process, Some(Duration::ZERO))? {
        return Ok(None);
    }
    Ok(Some(Ended::Exited(native::status(process)?.cast_signed())))
}

/// The last number of a user's identifier; 0 for the system.
fn number(user: &str) -> u32 {
    /// The system's own account.
    const SYSTEM: &str = "S-1-5-18";
    if user == SYSTEM {
        return 0;
    }
    // 0 would be taken for the system.
    user.rsplit('-').next().and_then(|last| last.parse().ok()).filter(|number| *number != 0).unwrap_or(NOBODY)
}

/// A number that no user has.
const NOBODY: u32 = u32::MAX;

/// A number that stands for the user of this process: the last of its identifier, 0 for the system.
pub(crate) fn effective_uid() -> u32 {
    static OWN: OnceLock<u32> = OnceLock::new();
    *OWN.get_or_init(|| security::own_user().map_or(NOBODY, |user| number(&user)))
}

/// See [`crate::process::lower_priority`].
pub(crate) fn lower_priority() {}

/// The number of the user of another process: ours when it is the same, 0 for the system, else one that
/// nobody has.
pub(super) fn same_user(process: BorrowedHandle<'_>) -> Result<u32, Errno> {
    let user = security::user_of(process)?;
    let own = security::own_user()?;
    Ok(match number(&user) {
        0 => 0,
        number if user == own => number,
        _ => NOBODY - 1,
    })
}

fn take(number: usize, which: u32) -> io::Result<OwnedHandle> {
    let handed_over = match number {
        0 => io::stdin().as_handle().try_clone_to_owned()?,
        _ => io::stdout().as_handle().try_clone_to_owned()?,
    };
    let null = OpenOptions::new().read(true).write(true).open("NUL")?;
    console::set_standard(which, null.into())?;
    Ok(handed_over)
}

/// See [`crate::rendezvous::take_stdin`].
pub(crate) fn take_stdin() -> io::Result<OwnedHandle> {
    take(0, STD_INPUT_HANDLE)
}

/// See [`crate::rendezvous::take_stdout`].
pub(crate) fn take_stdout() -> io::Result<OwnedHandle> {
    take(1, STD_OUTPUT_HANDLE)
}

/// See [`crate::rendezvous::detach_from_terminal`].
pub(crate) fn detach_from_terminal() {
    // It fails only for a process without a console.
    let _ = console::leave();
}

/// Columns and rows of the terminal that `output` leads to.
pub(crate) fn terminal_size(output: impl AsHandle) -> Option<(u16, u16)> {
    console::window(output).ok()
}

/// Where sockets of this user stand when the environment names no place. The user's temporary files are
/// the user's alone.
pub(crate) fn runtime_root() -> PathBuf {
    std::env::temp_dir().join("vitte")
}
