//! What this kernel and the sandbox around us can do.
use std::path::Path;

use rustix::fs::{MemfdFlags, Mode, OFlags, ResolveFlags, SealFlags};

use super::handle::Errno;
use crate::caps::Facility;
use crate::ffi::linux as ffi;

/// The release of the kernel.
pub(crate) fn release() -> String {
    first_line(Path::new("/proc/sys/kernel/osrelease")).unwrap_or_default()
}

/// Asks for `facility`: the detail of a yes, or the reason of a no.
pub(crate) fn ask(facility: Facility) -> Result<String, String> {
    match facility {
        Facility::Openat2 => {
            let flags = OFlags::PATH | OFlags::CLOEXEC;
            let root = rustix::fs::CWD;
            answer(rustix::fs::openat2(root, ".", flags, Mode::empty(), ResolveFlags::BENEATH))
        }
        Facility::CopyFileRange => {
            // A copy of nothing, between one file and itself.
            let file = memory_file()?;
            answer(rustix::fs::copy_file_range(&file, None, &file, None, 0))
        }
        Facility::OpenFileLocks => {
            let file = std::fs::File::from(memory_file()?);
            let lock = crate::fs::RangeLock::try_take(&file, 0..1, crate::fs::Sharing::Exclusive);
            lock.map(|_| String::new()).map_err(|error| error.to_string())
        }
        Facility::ReadNoWait => {
            let file = memory_file()?;
            answer(ffi::read_cached(&file, &mut [0; 1]))
        }
        Facility::MemfdSeals => answer(rustix::fs::fcntl_add_seals(memory_file()?, SealFlags::SEAL)),
        // No bytes at all: the kernel checks its arguments and does nothing.
        Facility::Mseal => answer(ffi::probe(ffi::SYS_MSEAL, [0; 4])),
        Facility::Pidfd => answer(ffi::pidfd_open(rustix::process::getpid(), false)),
        Facility::PeerPidfd => {
            let (one, _two) = crate::net::pair().map_err(|error| error.to_string())?;
            answer(ffi::peer_pidfd(one))
        }
        // A range above every descriptor.
        Facility::CloseRange => {
            let last = u32::MAX as usize;
            answer(ffi::probe(libc::SYS_close_range, [last, last, 0, 0]))
        }
        Facility::UserNamespaces => user_namespaces(),
        Facility::Landlock => {
            let version = ffi::landlock_version();
            version.map(|abi| format!("ABI {abi}")).map_err(|errno| match errno {
                Errno::OPNOTSUPP => "not enabled at boot".to_owned(),
                other => name(other),
            })
        }
        Facility::Seccomp => seccomp_action("errno"),
        Facility::SeccompNotify => seccomp_action("user_notif"),
        Facility::IoUring => match ffi::probe(libc::SYS_io_uring_setup, [1, 0, 0, 0]) {
            // Without parameters it cannot do anything; that it looked for them says that it may.
            Ok(_) | Err(Errno::FAULT) => Ok(String::new()),
            Err(errno) => Err(name(errno)),
        },
        Facility::CgroupV2 => exists("/sys/fs/cgroup/cgroup.controllers")
            .or_else(|_| exists("/sys/fs/cgroup/unified/cgroup.controllers").map(|_| "hybrid".to_owned())),
        Facility::CgroupKill => cgroup_kill(),
        Facility::Inotify => answer(rustix::fs::inotify::init(rustix::fs::inotify::CreateFlags::CLOEXEC)),
        Facility::ServiceManager => match std::env::var_os("NOTIFY_SOCKET") {
            Some(address) => Ok(address.to_string_lossy().into_owned()),
            None => Err("NOTIFY_SOCKET is not set".to_owned()),
        },
    }
}

fn answer<T>(result: Result<T, Errno>) -> Result<String, String> {
    result.map(|_| String::new()).map_err(name)
}

/// The errno's name, and what it usually means here.
fn name(errno: Errno) -> String {
    let error = crate::SysError::bare(crate::Op::Other, errno);
    let name = error.errno_name().unwrap_or("unknown errno");
    match errno {
        Errno::NOSYS => format!("{name}: the kernel does not have it"),
        Errno::PERM | Errno::ACCESS => format!("{name}: a sandbox or a setting forbids it"),
        Errno::NOPROTOOPT => format!("{name}: the kernel is too old"),
        _ => name.to_owned(),
    }
}

fn memory_file() -> Result<std::os::fd::OwnedFd, String> {
    rustix::fs::memfd_create("probe", MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING).map_err(name)
}

fn first_line(path: &Path) -> Option<String> {
    let bytes = crate::fs::read_at_most(path, 64 << 10).ok()?;
    Some(String::from_utf8_lossy(&bytes).lines().next()?.to_owned())
}

fn exists(path: &str) -> Result<String, String> {
    match crate::fs::stamp(Path::new(path)) {
        Ok(Some(_)) => Ok(String::new()),
        Ok(None) => Err(format!("no `{path}`")),
        Err(error) => Err(error.to_string()),
    }
}

/// What the settings say; a security module may still refuse, which only trying would show.
fn user_namespaces() -> Result<String, String> {
    let setting = |path: &str| first_line(Path::new(path));
    if setting("/proc/sys/user/max_user_namespaces").is_none_or(|most| most == "0") {
        return Err("user.max_user_namespaces is 0".to_owned());
    }
    let unprivileged = crate::process::effective_uid() != 0;
    if unprivileged && setting("/proc/sys/kernel/unprivileged_userns_clone").as_deref() == Some("0") {
        return Err("kernel.unprivileged_userns_clone is 0".to_owned());
    }
    if unprivileged
        && setting("/proc/sys/kernel/apparmor_restrict_unprivileged_userns").as_deref() == Some("1")
    {
        return Err("AppArmor restricts them to named programs".to_owned());
    }
    Ok("by the settings".to_owned())
}

fn seccomp_action(wanted: &str) -> Result<String, String> {
    let path = Path::new("/proc/sys/kernel/seccomp/actions_avail");
    let actions = first_line(path).ok_or("the kernel lists no actions")?;
    if actions.split_whitespace().any(|action| action == wanted) {
        Ok(String::new())
    } else {
        Err(format!("the kernel lists no action `{wanted}`"))
    }
}

/// The file `cgroup.kill` of our own group in the unified hierarchy. The root group never has it.
fn cgroup_kill() -> Result<String, String> {
    let groups =
        crate::fs::read_at_most(Path::new("/proc/self/cgroup"), 64 << 10).map_err(|e| e.to_string())?;
    let groups = String::from_utf8_lossy(&groups);
    let own = groups.lines().find_map(|line| line.strip_prefix("0::/")).ok_or("no group in cgroup v2")?;
    if own.is_empty() {
        return Err("this process is in the root group, which has none".to_owned());
    }
    ["/sys/fs/cgroup", "/sys/fs/cgroup/unified"]
        .iter()
        .find_map(|mount| exists(&format!("{mount}/{own}/cgroup.kill")).ok())
        .ok_or_else(|| "no `cgroup.kill` in our group".to_owned())
}
