//! From a relative path to a descriptor, never leaving the directory it is relative to.
//!
//! `openat2` with `RESOLVE_BENEATH` does it in one call. Where the kernel or a sandbox has no such
//! call, a walker opens one component at a time with `O_NOFOLLOW`, keeps the directories it came
//! through, answers `..` from that list instead of asking the kernel, and reads links itself.
use std::collections::VecDeque;
use std::ffi::{OsStr, OsString};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Component, Path};
use std::sync::atomic::{AtomicBool, Ordering};

use rustix::fs::{FileType, Mode, OFlags, ResolveFlags};
use rustix::io::{Errno, retry_on_intr};

use super::root::{Links, Mounts, Policy};

/// Links followed in one path, as in the kernel (path_resolution(7)).
const LINKS_MAX: usize = 40;

/// `openat2` says EAGAIN when something was renamed while it looked at a `..`; somebody who renames
/// without end must not hold us for ever.
const ATTEMPTS: usize = 128;

/// Only the failure is remembered: a sandbox can take the call away later, never give it back.
static OPENAT2_MISSING: AtomicBool = AtomicBool::new(false);

/// Opens `path` below `directory`.
///
/// `EXDEV` says that the path leads outside, `ELOOP` that it has a link which the policy refuses or
/// too many of them.
pub(super) fn open(
    directory: BorrowedFd<'_>,
    path: &Path,
    flags: OFlags,
    mode: Mode,
    policy: Policy,
) -> Result<OwnedFd, Errno> {
    if !OPENAT2_MISSING.load(Ordering::Relaxed) {
        match open_by_kernel(directory, path, flags, mode, policy) {
            Err(Errno::NOSYS) => OPENAT2_MISSING.store(true, Ordering::Relaxed),
            // Either the answer about this path, or a sandbox that refuses the call as such.
            Err(Errno::PERM) if !kernel_call_works(directory) => {
                OPENAT2_MISSING.store(true, Ordering::Relaxed);
            }
            answer => return answer,
        }
    }
    match policy.mounts {
        Mounts::Cross => walk(directory, path, flags, mode, policy.links),
        // A bind mount within one file system cannot be told without `openat2`.
        Mounts::Refuse => Err(Errno::OPNOTSUPP),
    }
}

/// Whether `openat2` works at all in this process.
pub(crate) fn kernel_call_works(directory: BorrowedFd<'_>) -> bool {
    let flags = OFlags::PATH | OFlags::CLOEXEC;
    !matches!(
        rustix::fs::openat2(directory, ".", flags, Mode::empty(), ResolveFlags::BENEATH),
        Err(Errno::NOSYS | Errno::PERM)
    )
}

fn open_by_kernel(
    directory: BorrowedFd<'_>,
    path: &Path,
    flags: OFlags,
    mode: Mode,
    policy: Policy,
) -> Result<OwnedFd, Errno> {
    let mut resolve = ResolveFlags::BENEATH | ResolveFlags::NO_MAGICLINKS;
    if policy.links == Links::Refuse {
        resolve |= ResolveFlags::NO_SYMLINKS;
    }
    if policy.mounts == Mounts::Refuse {
        resolve |= ResolveFlags::NO_XDEV;
    }
    // The kernel refuses a mode that would not be used.
    let mode = if flags.contains(OFlags::CREATE) { mode } else { Mode::empty() };
    let mut answer = Err(Errno::AGAIN);
    for _ in 0..ATTEMPTS {
        answer = retry_on_intr(|| rustix::fs::openat2(directory, path, flags, mode, resolve));
        // EAGAIN of a file under a lease would also end here, after as many tries.
        if !matches!(answer, Err(Errno::AGAIN)) {
            break;
        }
    }
    answer
}

/// A component still to be walked.
enum Step {
    Up,
    Down(OsString),
}

fn steps(path: &Path) -> Result<Vec<Step>, Errno> {
    let mut steps = Vec::new();
    for component in path.components() {
        match component {
            Component::Prefix(_) | Component::RootDir => return Err(Errno::XDEV),
            Component::CurDir => {}
            Component::ParentDir => steps.push(Step::Up),
            Component::Normal(name) => steps.push(Step::Down(name.to_owned())),
        }
    }
    Ok(steps)
}

/// The way without `openat2`. Directories that are moved outside while we are in them stay reachable,
/// as they do for any process that has one open.
pub(super) fn walk(
    directory: BorrowedFd<'_>,
    path: &Path,
    flags: OFlags,
    mode: Mode,
    links: Links,
) -> Result<OwnedFd, Errno> {
    if path.as_os_str().is_empty() {
        return Err(Errno::NOENT);
    }
    // `a/` and `a/.` mean a directory, which `components` forgets.
    let bytes = path.as_os_str().as_bytes();
    let flags =
        if bytes.ends_with(b"/") || bytes.ends_with(b"/.") { flags | OFlags::DIRECTORY } else { flags };
    let mut queue = VecDeque::from(steps(path)?);
    let mut above: Vec<OwnedFd> = Vec::new();
    let mut followed = 0;
    let reopen = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let mut current = retry_on_intr(|| rustix::fs::openat(directory, ".", reopen, Mode::empty()))?;
    while let Some(step) = queue.pop_front() {
        let name = match step {
            Step::Up => {
                current = above.pop().ok_or(Errno::XDEV)?;
                continue;
            }
            Step::Down(name) => name,
        };
        if queue.is_empty() {
            match open_last(current.as_fd(), &name, flags, mode)? {
                Last::Opened(file) => return Ok(file),
                Last::Link(target) => follow(&target, &mut queue, &mut followed, links)?,
            }
            continue;
        }
        let look = OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let next = retry_on_intr(|| rustix::fs::openat(&current, &name, look, Mode::empty()))?;
        match FileType::from_raw_mode(rustix::fs::fstat(&next)?.st_mode) {
            FileType::Directory => above.push(std::mem::replace(&mut current, next)),
            FileType::Symlink => follow(&read_link(next.as_fd())?, &mut queue, &mut followed, links)?,
            _ => return Err(Errno::NOTDIR),
        }
    }
    // The path ended in `.` or `..`: the directory itself.
    retry_on_intr(|| rustix::fs::openat(&current, ".", flags, mode))
}

enum Last {
    Opened(OwnedFd),
    Link(OsString),
}

fn open_last(parent: BorrowedFd<'_>, name: &OsStr, flags: OFlags, mode: Mode) -> Result<Last, Errno> {
    let look = OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let wants_link = flags.contains(OFlags::NOFOLLOW);
    if flags.contains(OFlags::PATH) && !wants_link {
        // With O_PATH the kernel opens the link itself and does not say so.
        let found = retry_on_intr(|| rustix::fs::openat(parent, name, look, Mode::empty()))?;
        match FileType::from_raw_mode(rustix::fs::fstat(&found)?.st_mode) {
            FileType::Symlink => return Ok(Last::Link(read_link(found.as_fd())?)),
            FileType::Directory => return Ok(Last::Opened(found)),
            _ if flags.contains(OFlags::DIRECTORY) => return Err(Errno::NOTDIR),
            _ => return Ok(Last::Opened(found)),
        }
    }
    match retry_on_intr(|| rustix::fs::openat(parent, name, flags | OFlags::NOFOLLOW, mode)) {
        Ok(file) => Ok(Last::Opened(file)),
        // O_DIRECTORY on a link says ENOTDIR.
        Err(error @ (Errno::LOOP | Errno::NOTDIR)) if !wants_link => {
            let found = retry_on_intr(|| rustix::fs::openat(parent, name, look, Mode::empty()))?;
            match FileType::from_raw_mode(rustix::fs::fstat(&found)?.st_mode) {
                FileType::Symlink => Ok(Last::Link(read_link(found.as_fd())?)),
                _ => Err(error),
            }
        }
        Err(error) => Err(error),
    }
}

fn read_link(link: BorrowedFd<'_>) -> Result<OsString, Errno> {
    let target = retry_on_intr(|| rustix::fs::readlinkat(link, "", Vec::new()))?;
    Ok(OsString::from_vec(target.into_bytes()))
}

/// Puts the target of a link before what is left of the path.
fn follow(
    target: &OsStr,
    queue: &mut VecDeque<Step>,
    followed: &mut usize,
    links: Links,
) -> Result<(), Errno> {
    *followed += 1;
    if links == Links::Refuse || *followed > LINKS_MAX {
        return Err(Errno::LOOP);
    }
    // A magic link of procfs reads as an absolute path or as `kind:[number]`, which names nothing.
    for step in steps(Path::new(target))?.into_iter().rev() {
        queue.push_front(step);
    }
    Ok(())
}
