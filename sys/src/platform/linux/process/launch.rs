//! From a [`Command`] to a running program.
use std::io;
use std::os::fd::{AsRawFd, OwnedFd};
use std::process::{ChildStderr, ChildStdin, ChildStdout};
use std::sync::{OnceLock, mpsc};

use rustix::process::{Pid, PidfdFlags, WaitOptions};

use super::control_group::ControlGroups;
use super::helper;
use super::image::Image;
use super::plan::*;
use super::tree::Tree;
use super::{out_of_the_way, pipe, standard};
use crate::ffi::posix::{Attributes, FileActions, Mask};
use crate::platform::sandbox::{Rules, rules};
use crate::process::{Child, Command, Failure, HANDED_DESCRIPTOR, Limits, Stage, at};
use crate::sandbox::{Confinement, Rung};

/// Starts `command`. With a sandbox, tries the rungs that its policy accepts, strongest first.
pub(crate) fn launch(mut command: Command, limits: Limits) -> Result<Child, Failure> {
    let program = command.resolve().map_err(at(Stage::Exec))?;
    let prepare = at(Stage::Prepare);
    let [(input, our_input), (output, our_output), (errors, our_errors)] =
        standard(&mut command).map_err(&prepare)?;
    let (groups, doors, counted) = ControlGroups::make(&limits).map_err(at(Stage::ControlGroup))?;
    let limits = resource_limits(&limits, counted).map_err(at(Stage::Limits))?;
    let cgroups = doors.len();
    let doors: Vec<OwnedFd> = doors
        .into_iter()
        .chain(command.handed.take())
        .map(out_of_the_way)
        .collect::<Result<_, _>>()
        .map_err(at(Stage::Prepare))?;
    let rungs = command.policy.as_ref().map_or(vec![Rung::Limits], |policy| policy.rungs().collect());
    let mut start = Start { standard: [input, output, errors], files: Vec::new(), doors };
    let mut outcome = Err((Stage::Landlock, rustix::io::Errno::OPNOTSUPP.into()));
    for rung in rungs {
        let attempt;
        (start, attempt) = try_rung(&command, &program, &limits, rung, cgroups, start)?;
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
        tree: Tree { id: pid.as_raw_nonzero().get().unsigned_abs(), descriptor, groups },
        id: pid.as_raw_nonzero().get().unsigned_abs(),
        status: None,
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
    cgroups: usize,
    mut start: Start,
) -> Result<(Start, Attempt), Failure> {
    let mut rules = Rules::default();
    if let Some(policy) = &command.policy {
        rules = match self::rules(policy, rung, program) {
            Ok(rules) => rules,
            Err(error) => return Ok((start, Err((Stage::Landlock, error)))),
        };
    }
    let confinement = Confinement { rung, landlock_abi: rules.landlock_abi };
    let bytes = image(command, program, limits, &rules, cgroups, start.doors.len() - cgroups)
        .map_err(at(Stage::Prepare))?;
    let prepare = at(Stage::Prepare);
    let plan = helper::sealed("vitte-plan", &bytes).map_err(&prepare)?;
    let (report, told) = pipe().map_err(at(Stage::Prepare))?;
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
    cgroups: usize,
    handed: usize,
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
        cgroups: cgroups as u64,
        handed: handed as u64,
    };
    Ok(image.finish(&plan))
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
    #[allow(clippy::unnecessary_cast, reason = "the constants' type differs between C libraries")]
    Ok(pairs
        .map(|(resource, limit)| Limit { resource: resource as u64, current: limit, maximum: limit })
        .collect())
}

/// The stage that the helper means.
fn reported(number: u32) -> Stage {
    match number {
        STAGE_PLAN => Stage::Plan,
        STAGE_GROUP => Stage::Group,
        STAGE_DEATH_SIGNAL => Stage::DeathSignal,
        STAGE_NAMESPACES => Stage::Namespaces,
        STAGE_ID_MAPS => Stage::IdMaps,
        STAGE_MOUNTS => Stage::Mounts,
        STAGE_FORK => Stage::Fork,
        STAGE_CGROUP => Stage::ControlGroup,
        STAGE_DIRECTORY => Stage::Directory,
        STAGE_LIMITS => Stage::Limits,
        STAGE_PRIVILEGES => Stage::Privileges,
        STAGE_LANDLOCK => Stage::Landlock,
        STAGE_FILTER => Stage::Filter,
        STAGE_EXEC => Stage::Exec,
        _ => Stage::Prepare,
    }
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
    let stage = reported(u32::from_ne_bytes([a, b, c, d]));
    Ok(Some((stage, io::Error::from_raw_os_error(i32::from_ne_bytes([e, f, g, h])))))
}

/// The descriptors that a helper starts with.
struct Start {
    /// 0, 1 and 2; `None` keeps ours.
    standard: [Option<OwnedFd>; 3],
    /// The report pipe, the plan, the ruleset if there is one.
    files: Vec<OwnedFd>,
    /// The `cgroup.procs` files, after those; then what the program is handed.
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
    const { assert!(HANDED_FD as u32 == HANDED_DESCRIPTOR) };
    for (target, source) in (REPORT_FD..).zip(start.files.iter().chain(&start.doors)) {
        actions.put(source, target)?;
    }
    // It meets no signal before it is ready.
    let attributes = Attributes::new(Mask::All, 0)?;
    let arguments = [c"vitte-spawn".to_owned()];
    let pid = crate::ffi::posix::spawn(&path, &actions, &attributes, &arguments, &[])?;
    Pid::from_raw(pid).ok_or_else(|| rustix::io::Errno::SRCH.into())
}
