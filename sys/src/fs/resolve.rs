//! From a relative path to an open file, never leaving the directory it is relative to.
//!
//! Linux does it in one call (openat2 with RESOLVE_BENEATH). Elsewhere, and where a sandbox hides that
//! call, a walker opens one component at a time and no link, keeps the directories it came through,
//! answers `..` from that list instead of asking the kernel, and reads links itself.
use std::collections::VecDeque;
use std::ffi::{OsStr, OsString};
use std::path::{Component, Path};

use super::root::{Links, Mounts, Policy};
use crate::platform::handle::{BorrowedHandle, OwnedHandle, borrow};
use crate::platform::{Errno, NodeKind, Open, Stat, files};

/// Links followed in one path, as in the kernel of Linux (path_resolution(7)).
const LINKS_MAX: usize = 40;

/// Opens `path` below `directory`.
///
/// `EXDEV` says that the path leads outside, `ELOOP` that it has a link which the policy refuses or
/// too many of them.
pub(super) fn open(
    directory: BorrowedHandle<'_>,
    path: &Path,
    how: Open,
    mode: u32,
    policy: Policy,
) -> Result<OwnedHandle, Errno> {
    let (links, mounts) = allowed(policy);
    match files::open_beneath(directory, path, how, mode, links, mounts) {
        Some(answer) => answer,
        None => walk(directory, path, how.directory, policy, |parent, name, must_be_directory| {
            let how = Open { directory: how.directory || must_be_directory, ..how };
            files::open_at(parent, name, how.no_follow(), mode)
        }),
    }
}

/// What is known of what `path` names below `directory`, links that stay inside followed.
pub(super) fn stat(directory: BorrowedHandle<'_>, path: &Path, policy: Policy) -> Result<Stat, Errno> {
    let (links, mounts) = allowed(policy);
    match files::stat_beneath(directory, path, links, mounts) {
        Some(answer) => answer,
        None => walk(directory, path, false, policy, |parent, name, must_be_directory| {
            let stat = match name == "." {
                true => files::stat(parent)?,
                false => files::stat_at(parent, name)?,
            };
            match stat.kind {
                NodeKind::Link => Err(Errno::LOOP),
                NodeKind::Directory => Ok(stat),
                NodeKind::File | NodeKind::Other if must_be_directory => Err(Errno::NOTDIR),
                NodeKind::File | NodeKind::Other => Ok(stat),
            }
        }),
    }
}

fn allowed(policy: Policy) -> (bool, bool) {
    (policy.links == Links::Inside, policy.mounts == Mounts::Cross)
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

/// The way without the kernel's help: `last` gets the directory of the last component and its name, or
/// `.`, and whether it must be a directory; it answers with `LOOP` (or `NOTDIR`) for a link.
/// Directories that are moved outside while we are in them stay reachable, as they do for any process
/// that has one open.
///
/// `directory_wanted` says that `last` opens directories only, for which a link is `NOTDIR` as well.
pub(super) fn walk<T>(
    directory: BorrowedHandle<'_>,
    path: &Path,
    directory_wanted: bool,
    policy: Policy,
    mut last: impl FnMut(BorrowedHandle<'_>, &OsStr, bool) -> Result<T, Errno>,
) -> Result<T, Errno> {
    if path.as_os_str().is_empty() {
        return Err(Errno::NOENT);
    }
    let device = match policy.mounts {
        Mounts::Cross => None,
        Mounts::Refuse if files::MOUNTS_HAVE_DEVICES => Some(files::stat(directory)?.device),
        // A bind mount within one file system cannot be told without the kernel's help.
        Mounts::Refuse => return Err(Errno::OPNOTSUPP),
    };
    let same_device = |found: BorrowedHandle<'_>| match device {
        Some(device) if files::stat(found)?.device != device => Err(Errno::XDEV),
        Some(_) | None => Ok(()),
    };
    // `a/` and `a/.` mean a directory, which `components` forgets.
    let must_be_directory = ends_as_directory(path);
    let mut queue = VecDeque::from(steps(path)?);
    let mut above: Vec<OwnedHandle> = Vec::new();
    let mut followed = 0;
    let mut current = files::open_at(directory, OsStr::new("."), Open::DIRECTORY, 0)?;
    while let Some(step) = queue.pop_front() {
        let name = match step {
            Step::Up => {
                current = above.pop().ok_or(Errno::XDEV)?;
                continue;
            }
            Step::Down(name) => name,
        };
        let inside = borrow(&current);
        if queue.is_empty() {
            let refused = match last(inside, &name, must_be_directory) {
                Err(error @ Errno::LOOP) => error,
                Err(error @ Errno::NOTDIR) if directory_wanted || must_be_directory => error,
                answer => return answer,
            };
            match files::read_link_at(inside, &name) {
                Ok(target) => follow(&target, &mut queue, &mut followed, policy.links)?,
                // Not a link, so the first answer was about something else.
                Err(Errno::INVAL) => return Err(refused),
                Err(error) => return Err(error),
            }
            continue;
        }
        match files::open_at(inside, &name, Open::DIRECTORY.no_follow(), 0) {
            Ok(next) => {
                same_device(borrow(&next))?;
                above.push(std::mem::replace(&mut current, next));
            }
            Err(Errno::LOOP | Errno::NOTDIR) => match files::read_link_at(inside, &name) {
                Ok(target) => follow(&target, &mut queue, &mut followed, policy.links)?,
                Err(Errno::INVAL) => return Err(Errno::NOTDIR),
                Err(error) => return Err(error),
            },
            Err(error) => return Err(error),
        }
    }
    // The path ended in `.` or `..`: the directory itself.
    last(borrow(&current), OsStr::new("."), true)
}

fn ends_as_directory(path: &Path) -> bool {
    let bytes = path.as_os_str().as_encoded_bytes();
    let end = bytes.strip_suffix(b".").unwrap_or(bytes).last();
    end.is_some_and(|end| std::path::is_separator(char::from(*end)))
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
