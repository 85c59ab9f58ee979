//! From a [`Command`] to a running program.
use std::io;
use std::mem::MaybeUninit;
use std::os::fd::{AsRawFd, OwnedFd};
use std::process::{ChildStderr, ChildStdin, ChildStdout};
use std::sync::{OnceLock, mpsc};

use rustix::fs::{CWD, Mode, OFlags};
use rustix::pipe::{PipeFlags, pipe_with};
use rustix::process::{Pid, PidfdFlags, WaitOptions};

use super::command::Target;
use super::control_group::ControlGroups;
use super::helper::{self, out_of_the_way};
use super::image::Image;
use super::plan::{
    FIRST_EXTRA_FD, FLAG_LANDLOCK, FLAG_READ_ONLY, FLAG_SESSION, FLAG_UNPRIVILEGED, Limit, MAGIC, PLAN_FD,
    Plan, REPORT_FD, Report,
};
use super::{Child, Command, Limits, Stage};
use crate::sandbox::{Confinement, Rules, Rung};

type Failure = (Stage, io::Error);

fn at<E: Into<io::Error>>(stage: Stage) -> impl Fn(E) -> Failure {
    move |error| (stage, error.into())
}

/// Starts `command`. With a sandbox, tries the rungs that its policy accepts, strongest first.
pub(super) fn launch(mut command: Command, limits: Limits) -> Result<Child, Failure> {
    let program = command.resolve().map_err(at(Stage::Exec))?;
    let prepare = at(Stage::Prepare);
    let [(input, our_input), (output, our_output), (errors, our_errors)] =
        standard(&mut command).map_err(&prepare)?;
    let (groups, doors, counted) = ControlGroups::make(&limits).map_err(at(Stage::ControlGroup))?;
    let limits = resource_limits(&limits, counted).map_err(at(Stage::Limits))?;
    let doors: Vec<OwnedFd> =
        doors.into_iter().map(out_of_the_way).collect::<Result<_, _>>().map_err(at(Stage::Prepare))?;
    let rungs = command.policy.as_ref().map_or(vec![Rung::Limits], |policy| policy.rungs().collect());
    let mut start = Start { standard: [input, output, errors], files: Vec::new(), doors };
    let mut outcome = Err((Stage::Landlock, rustix::io::Errno::OPNOTSUPP.into()));
    for rung in rungs {
        let attempt;
        (start, attempt) = try_rung(&command, &program, &limits, rung, start)?;
        match attempt {
            Err((stage, _)) if stage.confines() => outcome = attempt,
            Ok(_) | Err(_) => {
                outcome = attempt;
                break;
            }
        }
    }
    let (pid, confinement) = outcome?;
    // The child cannot have been reaped by another: only its owner knows its id.
    let descriptor = rustix::process::pidfd_open(pid, PidfdFlags::empty()).map_err(at(Stage::Prepare))?;
    Ok(Child {
        stdin: our_input.map(ChildStdin::from),
        stdout: our_output.map(ChildStdout::from),
        stderr: our_errors.map(ChildStderr::from),
        id: pid.as_raw_nonzero().get().unsigned_abs(),
        descriptor,
        status: None,
        groups,
        confinement,
    })
}

impl Stage {
    /// Whether a failure here means that this rung of the ladder cannot be reached.
    fn confines(self) -> bool {
        match self {
            Self::Namespaces
            | Self::IdMaps
            | Self::Mounts
            | Self::Privileges
            | Self::Landlock
            | Self::Filter => true,
            Self::Prepare
            | Self::Plan
            | Self::Group
            | Self::DeathSignal
            | Self::Fork
            | Self::ControlGroup
            | Self::Directory
            | Self::Limits
            | Self::Exec => false,
        }
    }
}

/// One attempt: the outer error is final, the inner one may be followed by a lower rung.
type Attempt = Result<(Pid, Confinement), Failure>;

fn try_rung(
    command: &Command,
    program: &std::path::Path,
    limits: &[Limit],
    rung: Rung,
    mut start: Start,
) -> Result<(Start, Attempt), Failure> {
    let mut rules = Rules::default();
    if let Some(policy) = &command.policy {
        rules = match policy.rules(rung, program) {
            Ok(rules) => rules,
            Err(error) => return Ok((start, Err((Stage::Landlock, error)))),
        };
    }
    let confinement = Confinement { rung, landlock_abi: rules.landlock_abi };
    let bytes = image(command, program, limits, &rules, start.doors.len()).map_err(at(Stage::Prepare))?;
    let prepare = at(Stage::Prepare);
    let plan = helper::sealed("vitte-plan", &bytes).map_err(&prepare)?;
    let (report, told) = pipe_with(PipeFlags::CLOEXEC).map_err(at(Stage::Prepare))?;
    start.files = vec![out_of_the_way(told).map_err(at(Stage::Prepare))?, plan];
    if let Some(ruleset) = rules.ruleset.take() {
        start.files.push(out_of_the_way(ruleset).map_err(at(Stage::Prepare))?);
    }
    let (mut start, pid) = on_spawner(start).map_err(&prepare)?;
    let pid = pid.map_err(&prepare)?;
    // Our copy of the pipe's other end must go, or its end would never be seen.
    start.files.clear();
    let attempt = match read_report(&report).map_err(&prepare)? {
        None => Ok((pid, confinement)),
        Some(failure) => {
            let _ = rustix::io::retry_on_intr(|| {
                rustix::process::waitpid(Some(pid), WaitOptions::empty()).map(drop)
            });
            Err(failure)
        }
    };
    Ok((start, attempt))
}

fn image(
    command: &Command,
    program: &std::path::Path,
    limits: &[Limit],
    rules: &Rules,
    doors: usize,
) -> io::Result<Vec<u8>> {
    let mut image = Image::new();
    let environment = command.environment();
    let name = std::iter::once(command.get_program());
    let arguments = name.chain(command.arguments.iter().map(|text| text.as_os_str()));
    let mut flags = 0;
    if command.session {
        flags |= FLAG_SESSION;
    }
    if command.policy.is_some() {
        flags |= FLAG_UNPRIVILEGED;
    }
    if rules.ruleset.is_some() {
        flags |= FLAG_LANDLOCK;
    }
    if rules.read_only {
        flags |= FLAG_READ_ONLY;
    }
    let (uid, gid) = (rustix::process::geteuid().as_raw(), rustix::process::getegid().as_raw());
    let plan = Plan {
        magic: MAGIC,
        flags,
        namespaces: rules.namespaces,
        parent: std::process::id().into(),
        program: image.string(program.as_os_str())?,
        directory: match &command.directory {
            Some(directory) => image.string(directory.as_os_str())?,
            None => 0,
        },
        arguments: image.table(arguments)?,
        environment: image.table(environment.iter().map(|text| text.as_os_str()))?,
        writable: image.table(rules.writable.iter().map(|path| path.as_os_str()))?,
        uid_map: image.string(format!("{uid} {uid} 1").as_ref())?,
        gid_map: image.string(format!("{gid} {gid} 1").as_ref())?,
        limits: image.limits(limits),
        limit_count: limits.len() as u64,
        filter: if rules.filter.is_empty() { 0 } else { image.filter(&rules.filter) },
        filter_count: rules.filter.len() as u64 / 8,
        cgroups: doors as u64,
    };
    Ok(image.finish(&plan))
}

/// A descriptor for the child (`None`: it keeps ours), and our end when it is a pipe.
type Ends = (Option<OwnedFd>, Option<OwnedFd>);

fn standard(command: &mut Command) -> io::Result<[Ends; 3]> {
    let mut ends: [Ends; 3] = Default::default();
    for (number, (stdio, end)) in command.standard.iter_mut().zip(&mut ends).enumerate() {
        *end = match std::mem::take(&mut stdio.0) {
            Target::Inherit => (None, None),
            Target::Null => {
                let flags = OFlags::RDWR | OFlags::CLOEXEC;
                (Some(rustix::fs::openat(CWD, "/dev/null", flags, Mode::empty())?), None)
            }
            Target::Pipe => {
                let (read, write) = pipe_with(PipeFlags::CLOEXEC)?;
                if number == 0 { (Some(read), Some(write)) } else { (Some(write), Some(read)) }
            }
            Target::Descriptor(descriptor) => (Some(descriptor), None),
        };
        end.0 = end.0.take().map(out_of_the_way).transpose()?;
    }
    Ok(ends)
}

/// The limits that each process has for itself.
fn resource_limits(limits: &Limits, counted: bool) -> io::Result<Vec<Limit>> {
    let processes = if counted { None } else { limits.processes };
    if processes.is_some() && rustix::process::geteuid().is_root() {
        // The kernel does not hold root to RLIMIT_NPROC.
        return Err(rustix::io::Errno::OPNOTSUPP.into());
    }
    let pairs = [
        (libc::RLIMIT_AS, limits.address_space),
        (libc::RLIMIT_CPU, limits.cpu_seconds),
        (libc::RLIMIT_CORE, limits.core_bytes),
        (libc::RLIMIT_FSIZE, limits.file_bytes),
        (libc::RLIMIT_NOFILE, limits.open_files),
        (libc::RLIMIT_NPROC, processes),
    ];
    let pairs = pairs.into_iter().filter_map(|(resource, limit)| Some((resource, limit?)));
    Ok(pairs
        .map(|(resource, limit)| Limit { resource: resource.into(), current: limit, maximum: limit })
        .collect())
}

/// The helper's answer: nothing when the program runs.
fn read_report(pipe: &OwnedFd) -> io::Result<Option<Failure>> {
    let mut bytes = [0; size_of::<Report>()];
    let mut have = 0;
    while let Some(rest) = bytes.get_mut(have..).filter(|rest| !rest.is_empty()) {
        match rustix::io::retry_on_intr(|| rustix::io::read(pipe, &mut *rest))? {
            0 => break,
            more => have += more,
        }
    }
    if have < bytes.len() {
        return Ok(None);
    }
    let [a, b, c, d, e, f, g, h] = bytes;
    let stage = Stage::reported(u32::from_ne_bytes([a, b, c, d]));
    Ok(Some((stage, io::Error::from_raw_os_error(i32::from_ne_bytes([e, f, g, h])))))
}

/// The descriptors that a helper starts with.
struct Start {
    /// 0, 1 and 2; `None` keeps ours.
    standard: [Option<OwnedFd>; 3],
    /// The report pipe, the plan, the ruleset if there is one.
    files: Vec<OwnedFd>,
    /// The `cgroup.procs` files, after those.
    doors: Vec<OwnedFd>,
}

/// A start and where its answer goes.
type Job = (Start, mpsc::SyncSender<(Start, io::Result<Pid>)>);

/// Starts the helper from the one thread that starts them all: the kernel ties the parent-death
/// signal to the *thread* that started a process, and this one lives as long as the process.
fn on_spawner(start: Start) -> io::Result<(Start, io::Result<Pid>)> {
    let gone = || io::Error::other("no spawning thread");
    let (answer, started) = mpsc::sync_channel(1);
    spawner()?.send((start, answer)).map_err(|_| gone())?;
    started.recv().map_err(|_| gone())
}

/// The door to the spawning thread; started on first use, never ended.
fn spawner() -> io::Result<mpsc::SyncSender<Job>> {
    static SPAWNER: OnceLock<mpsc::SyncSender<Job>> = OnceLock::new();
    if let Some(door) = SPAWNER.get() {
        return Ok(door.clone());
    }
    let (door, jobs) = mpsc::sync_channel::<Job>(64);
    std::thread::Builder::new().name("spawner".into()).spawn(move || {
        for (start, answer) in jobs {
            let pid = start_helper(&start);
            // The caller waits for the answer, so it is still there.
            let _ = answer.send((start, pid));
        }
    })?;
    // Another thread may have been first: then its door is used, and ours closes behind us.
    Ok(SPAWNER.get_or_init(|| door).clone())
}

/// The file actions of a spawn, destroyed at the end.
struct FileActions(libc::posix_spawn_file_actions_t);

impl FileActions {
    fn new() -> io::Result<Self> {
        let mut actions = MaybeUninit::uninit();
        // SAFETY: the pointer is to memory of the right type, which the call initialises.
        check(unsafe { libc::posix_spawn_file_actions_init(actions.as_mut_ptr()) })?;
        // SAFETY: the call above succeeded.
        Ok(Self(unsafe { actions.assume_init() }))
    }

    fn put(&mut self, from: &OwnedFd, to: i32) -> io::Result<()> {
        // SAFETY: the actions are initialised; descriptors are plain numbers here.
        check(unsafe { libc::posix_spawn_file_actions_adddup2(&mut self.0, from.as_raw_fd(), to) })
    }
}

impl Drop for FileActions {
    fn drop(&mut self) {
        // SAFETY: initialised by `new` and destroyed only here.
        unsafe { libc::posix_spawn_file_actions_destroy(&mut self.0) };
    }
}

/// The attributes of a spawn, destroyed at the end.
struct Attributes(libc::posix_spawnattr_t);

impl Attributes {
    /// All signals blocked, so that the helper meets none before it is ready, and with their default
    /// actions, which the program inherits.
    fn new() -> io::Result<Self> {
        let mut attributes = MaybeUninit::uninit();
        // SAFETY: the pointer is to memory of the right type, which the call initialises.
        check(unsafe { libc::posix_spawnattr_init(attributes.as_mut_ptr()) })?;
        // SAFETY: the call above succeeded.
        let mut attributes = Self(unsafe { attributes.assume_init() });
        let mut all = MaybeUninit::uninit();
        // SAFETY: the pointer is to memory of the right type, which the call initialises.
        unsafe { libc::sigfillset(all.as_mut_ptr()) };
        // SAFETY: sigfillset cannot fail for a valid pointer.
        let all = unsafe { all.assume_init() };
        // SAFETY: attributes and set are initialised.
        check(unsafe { libc::posix_spawnattr_setsigmask(&mut attributes.0, &all) })?;
        // SAFETY: as above.
        check(unsafe { libc::posix_spawnattr_setsigdefault(&mut attributes.0, &all) })?;
        let flags = libc::POSIX_SPAWN_SETSIGMASK | libc::POSIX_SPAWN_SETSIGDEF;
        // SAFETY: as above; the flags are among those that the call knows.
        check(unsafe { libc::posix_spawnattr_setflags(&mut attributes.0, flags as libc::c_short) })?;
        Ok(attributes)
    }
}

impl Drop for Attributes {
    fn drop(&mut self) {
        // SAFETY: initialised by `new` and destroyed only here.
        unsafe { libc::posix_spawnattr_destroy(&mut self.0) };
    }
}

/// `posix_spawn` of the helper with `start`'s descriptors in their places.
fn start_helper(start: &Start) -> io::Result<Pid> {
    let helper = helper::file()?;
    let path = std::ffi::CString::new(format!("/proc/self/fd/{}", helper.as_raw_fd()))?;
    let mut actions = FileActions::new()?;
    for (target, source) in (0..).zip(&start.standard) {
        if let Some(source) = source {
            actions.put(source, target)?;
        }
    }
    // Sources are all above the targets (`out_of_the_way`), so none is overwritten before its turn.
    const { assert!(REPORT_FD + 1 == PLAN_FD && PLAN_FD + 1 == FIRST_EXTRA_FD) };
    for (target, source) in (REPORT_FD..).zip(start.files.iter().chain(&start.doors)) {
        actions.put(source, target)?;
    }
    let attributes = Attributes::new()?;
    let name = c"vitte-spawn".as_ptr().cast_mut();
    let arguments = [name, std::ptr::null_mut()];
    let environment = [std::ptr::null_mut()];
    let mut pid = 0;
    // SAFETY: path, actions and attributes are initialised and outlive the call; both tables end with
    // a null pointer; the call does not write through the argument's pointer, which is mutable for
    // historical reasons only.
    check(unsafe {
        libc::posix_spawn(
            &mut pid,
            path.as_ptr(),
            &actions.0,
            &attributes.0,
            arguments.as_ptr(),
            environment.as_ptr(),
        )
    })?;
    Pid::from_raw(pid).ok_or_else(|| rustix::io::Errno::SRCH.into())
}

/// The answer of the `posix_spawn` family: an errno itself.
fn check(answer: libc::c_int) -> io::Result<()> {
    if answer == 0 { Ok(()) } else { Err(io::Error::from_raw_os_error(answer)) }
}
